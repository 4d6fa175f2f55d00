"""Rescaled nets compute what they did; one global threshold prunes them otherwise, percentiles do not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import drawn
from prunelab.pruning import percentile, prunable
from prunelab.speech import Corpus
from prunelab.studies.common.nets import Net
from prunelab.studies.sparseness import experiment, figures, summary
from prunelab.studies.sparseness.tables import Rescaled, RescaledGains

CHANGED = ("equal", "rising", "falling")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return drawn.corpus()


@pytest.fixture(scope="module")
def nets() -> list[Net]:
    return drawn.nets("acoustic-3x16-relu")


@pytest.fixture(scope="module")
def table(nets: list[Net], corpus: Corpus) -> pd.DataFrame:
    return experiment.rescaled_table(nets, corpus, [0.3, 0.6, 0.8, 0.9, 0.97], spread=9.0)


@pytest.mark.parametrize("kind", CHANGED)
def test_a_rescaled_net_computes_the_same(nets: list[Net], corpus: Corpus, kind: str) -> None:
    x, _ = corpus.frames(corpus.test)
    for net in nets:
        # Biases that are not 0, so that leaving one out would show.
        assert all(parameter.abs().sum() > 0 for parameter in net.module.parameters())
        with torch.no_grad():
            torch.testing.assert_close(experiment.rescaled(net, kind, spread=9.0).module(x), net.module(x))


@pytest.mark.parametrize("kind", CHANGED)
def test_percentiles_remove_the_same_weights_from_a_rescaled_net(nets: list[Net], kind: str) -> None:
    for net in nets:
        before = percentile(prunable(net.module), 0.7)
        after = percentile(prunable(experiment.rescaled(net, kind, spread=9.0).module), 0.7)

        # Rounding may swap two magnitudes next to each other at the cut of a layer and sign.
        differing = sum(int((before[name] != after[name]).sum()) for name in before)
        assert differing <= 2 * 2 * len(before)


def test_layers_get_the_scale_asked_for(nets: list[Net]) -> None:
    for net in nets:
        own = np.array(experiment.layer_rms(net))
        sizes = {kind: np.array(experiment.layer_rms(experiment.rescaled(net, kind, spread=9.0))) for kind in CHANGED}

        # What one layer is multiplied by another is divided by: the product of the scales stays.
        np.testing.assert_allclose(sizes["equal"], np.exp(np.log(own).mean()), rtol=1e-5)
        for kind, ratio in (("rising", 9.0), ("falling", 1 / 9)):
            np.testing.assert_allclose(sizes[kind][1:] / sizes[kind][:-1], ratio ** (1 / 3), rtol=1e-5)
            assert np.prod(sizes[kind]) == pytest.approx(np.prod(own), rel=1e-5)


def test_a_net_is_left_as_it_is_and_trained_is_a_copy_of_it(nets: list[Net]) -> None:
    before = {name: value.clone() for name, value in nets[0].module.state_dict().items()}
    copied = experiment.rescaled(nets[0], "trained")
    experiment.rescaled(nets[0], "rising")

    for name, value in before.items():
        assert torch.equal(nets[0].module.state_dict()[name], value)
        assert torch.equal(copied.module.state_dict()[name], value)


def test_what_cannot_be_rescaled_is_refused(nets: list[Net]) -> None:
    net = nets[0]
    tanh = Net(data=net.data, data_id=net.data_id, model="acoustic-3x16-tanh", seed=0, module=net.module)
    with pytest.raises(ValueError, match="acoustic-3x16-tanh has tanh: take ReLU nets"):
        experiment.rescaled(tanh, "equal")
    with pytest.raises(ValueError, match=r"one of trained, equal, rising, falling; got 'flat'"):
        experiment.rescaled(net, "flat")
    with pytest.raises(ValueError, match="above 0; got 0"):
        experiment.rescaled(net, "rising", spread=0)
    empty = experiment.rescaled(net, "trained")
    with torch.no_grad():
        empty.module.get_parameter("affine2.weight").zero_()
    with pytest.raises(ValueError, match="a layer of zeros has no scale"):
        experiment.rescaled(empty, "equal")


def test_the_table_compares_one_threshold_on_every_rescaling_with_the_percentiles_of_the_trained_nets(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    counts = table.groupby(["rescaling", "method"], sort=False).size().to_dict()
    saved = Rescaled.save(table, folder=tmp_path)

    # Five fractions and two nets; percentiles on rescaled nets at one fraction, to see that nothing changes.
    assert counts == {
        ("trained", "abs"): 10,
        ("trained", "percentile"): 10,
        **{(kind, "abs"): 10 for kind in CHANGED},
        **{(kind, "percentile"): 2 for kind in CHANGED},
    }
    assert len(saved) == len(table)
    spreads = table.groupby("rescaling")["layer_spread"].mean()
    assert spreads[list(CHANGED)].tolist() == pytest.approx([1, 9, 9], rel=1e-5)


def test_rescaling_changes_what_a_threshold_costs_and_nothing_else(table: pd.DataFrame) -> None:
    key = ["seed", "setting"]
    costs = table[table["method"] == "abs"].pivot_table("error_percent", key, "rescaling")
    layered = table[table["method"] == "percentile"]
    gains = summary.rescaled_gains(table).set_index("rescaling")

    # 80 words in the test part: rounding may flip one.
    for column in ("baseline_error_percent", "error_percent"):
        wide = layered.pivot_table(column, key, "rescaling").dropna()
        assert (wide.max(axis=1) - wide.min(axis=1)).max() <= 100 / 80
    assert (costs["rising"] - costs["falling"]).abs().max() > 5
    assert gains.loc["rising", "layer_spread"] == pytest.approx(9, rel=1e-5)


def by_hand() -> pd.DataFrame:
    """Two seeds whose global knee lies 10 points above the percentile knee as trained, 10 below with layers equal."""
    rows = []
    for seed in (0, 1):
        for kind, method, errors in (
            ("trained", "percentile", (10.0, 50.0, 90.0)),
            ("trained", "abs", (10.0, 30.0, 90.0)),
            ("equal", "abs", (30.0, 90.0, 90.0)),
            ("equal", "percentile", (10.0,)),
        ):
            for setting, error in zip((0.2, 0.4, 0.6), errors, strict=False):
                rows.append(
                    {
                        "rescaling": kind,
                        "layer_spread": 1.0 if kind == "equal" else 3.0,
                        "data": "d",
                        "model": "acoustic-2x4-relu",
                        "seed": seed,
                        "method": method,
                        "setting": setting,
                        "sparsity": setting + 0.001 * seed,
                        "error_percent": error,
                        "baseline_error_percent": 10.0 if kind == "trained" else 10.1,
                        "best_wer_percent": error,
                        "baseline_best_wer_percent": 10.0,
                        "fixed_wer_percent": error,
                    }
                )
    return pd.DataFrame(rows)


def test_knees_and_gains_by_hand() -> None:
    gains = summary.rescaled_gains(by_hand()).set_index("rescaling")

    # 30 % is passed by percentiles half way from 20 to 40 % sparsity, by the threshold at 40 % as trained, and at 20 %
    # where layers are equal; seed 1 removes 0.1 points more throughout.
    assert gains.loc["trained", "percentile_knee"] == pytest.approx(30, abs=0.1)
    assert gains.loc["trained", "global_knee"] == pytest.approx(40, abs=0.1)
    assert gains.loc["trained", "knee_gain"] == pytest.approx(10, abs=0.1)
    assert gains.loc["equal", "knee_gain"] == pytest.approx(-10, abs=0.1)
    assert gains["verdict"].tolist() == ["reproduced", "not-reproduced"]


def test_the_gains_fit_their_columns(tmp_path: Path, table: pd.DataFrame) -> None:
    gains = RescaledGains.save(summary.rescaled_gains(table), folder=tmp_path)

    assert gains["rescaling"].tolist() == list(experiment.RESCALINGS)


def test_the_figure_says_where_the_knees_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame
) -> None:
    monkeypatch.chdir(tmp_path)
    saved = figures.rescaled_curves(table)

    assert saved.path.is_file()
    assert "acoustic-3x16-relu" in saved.alt
    assert "% (percentile)" in saved.alt
