"""Study 0 and the bias correction on small nets: the tables hold what a copy of each net, pruned by torch, shows."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import drawn
from by_torch import pruned, small
from prunelab import claims
from prunelab.parts import Found
from prunelab.speech import Corpus
from prunelab.studies.common.curves import MeanOfNets
from prunelab.studies.common.nets import Net
from prunelab.studies.common.prunings import thresholds_of
from prunelab.studies.common.recognisers import Listener
from prunelab.studies.outputs import experiment, rules, summary, tables
from prunelab.studies.outputs.tables import Histograms, Layers, Posteriors, PredictedShifts
from prunelab.studies.sparseness.experiment import threshold_table
from prunelab.tables import Table

MODELS = ["acoustic-3x16-relu", "acoustic-3x16-tanh"]
SCALES = [0.0, 0.3, 0.6, 1.2, 4.0]
HIDDEN = ["affine1", "affine2", "affine3"]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return drawn.corpus()


@pytest.fixture(scope="module")
def nets() -> list[Net]:
    return drawn.nets(*MODELS)


@pytest.fixture(scope="module")
def thresholds(nets: list[Net]) -> dict[str, dict[float, float]]:
    return thresholds_of(nets, [], SCALES)


@pytest.fixture(scope="module")
def measured(nets: list[Net], corpus: Corpus, thresholds: dict[str, dict[float, float]]) -> Found:
    return experiment.measure(nets, corpus, thresholds)


@pytest.fixture(scope="module")
def corrected(nets: list[Net], corpus: Corpus, thresholds: dict[str, dict[float, float]]) -> pd.DataFrame:
    return experiment.correction_table(nets, corpus, thresholds)


def run(module: nn.Sequential, x: Tensor) -> dict[str, np.ndarray]:
    found = {}
    with torch.no_grad():
        for name, child in module.named_children():
            x = child(x)
            found[name] = x.double().numpy()
    return found


def of(nets: list[Net], row: object) -> Net:
    return next(net for net in nets if (net.model, net.seed) == (row.model, row.seed))  # type: ignore[attr-defined]


def test_the_nets_hear_something(measured: Found) -> None:
    assert measured[Posteriors]["baseline_error_percent"].max() < 30


def test_layers_are_those_of_a_pruned_copy(nets: list[Net], corpus: Corpus, measured: Found) -> None:
    x, _ = corpus.frames(corpus.test)
    rows = measured[Layers][(measured[Layers]["threshold"] > 0) & (measured[Layers]["seed"] == 1)]
    assert len(rows) == 2 * 3 * 4 * 4  # models, signs, thresholds, layers
    for row in rows.itertuples():
        net = of(nets, row)
        before, after = run(net.module, x), run(pruned(net, partial(small, row.method, row.threshold))[0], x)
        z, z_after = before[row.layer], after[row.layer]
        shift = (z_after.mean(0) - z.mean(0)) / z.std(0)

        assert row.mean_shift == pytest.approx(shift.mean(), abs=1e-4)
        assert row.mean_shift_abs == pytest.approx(np.abs(shift).mean(), abs=1e-4)
        assert row.spread == pytest.approx((z_after.std(0) / z.std(0)).mean(), abs=1e-4)
        if row.layer in HIDDEN:
            h = after[f"act{row.depth}"]
            low, high = (h == 0, h > 0) if row.model.endswith("relu") else (h < -0.9, h > 0.9)
            ends = low if row.model.endswith("relu") else low | high
            fixed = (low.mean(0) >= 0.99) | (high.mean(0) >= 0.99)
            assert row.saturated == pytest.approx(ends.mean(), abs=1e-3)
            assert row.fixed == pytest.approx(fixed.mean(), abs=1.01 / 16)
        else:
            assert np.isnan(row.saturated)
            assert np.isnan(row.fixed)


def test_posteriors_are_those_of_a_pruned_copy(nets: list[Net], corpus: Corpus, measured: Found) -> None:
    x, _ = corpus.frames(corpus.test)
    for row in measured[Posteriors][measured[Posteriors]["seed"] == 0].itertuples():
        net = of(nets, row)
        logits, other = (
            torch.from_numpy(run(module, x)["final-affine"])
            for module in (net.module, pruned(net, partial(small, row.method, row.threshold))[0])
        )
        p, q = logits.softmax(1).numpy(), other.softmax(1).numpy()
        # Where every weight is gone all frames are alike, and the ranks of float32 are as good as any.
        spearman = np.mean([stats.spearmanr(a, b).statistic for a, b in zip(p[::4], q[::4], strict=True)])

        assert row.rank_correlation == pytest.approx(spearman, abs=0.02)
        assert row.top1_agreement == pytest.approx((p.argmax(1) == q.argmax(1)).mean(), abs=0.002)
        assert row.entropy == pytest.approx(stats.entropy(q, axis=1).mean(), abs=1e-4)
        assert row.baseline_entropy == pytest.approx(stats.entropy(p, axis=1).mean(), abs=1e-4)


def test_a_threshold_of_zero_changes_nothing(measured: Found, corrected: pd.DataFrame) -> None:
    layers, frames = (table[table["threshold"] == 0] for table in (measured[Layers], measured[Posteriors]))

    assert not layers[["mean_shift", "mean_shift_abs"]].to_numpy().any()
    assert (layers["spread"] == 1).all()
    assert (frames["top1_agreement"] == 1).all()
    assert frames["rank_correlation"].to_numpy() == pytest.approx(1)
    assert (frames["error_percent"] == frames["baseline_error_percent"]).all()
    start = corrected[corrected["threshold"] == 0]
    assert (start["error_percent"] == start["baseline_error_percent"]).all()
    shifts = measured[PredictedShifts][measured[PredictedShifts]["threshold"] == 0]
    assert not shifts[["measured", "predicted_local", "predicted_cascade"]].to_numpy().any()
    assert shifts["correlation"].isna().all()


def test_histograms_are_shares_over_one_row_of_bins(nets: list[Net], corpus: Corpus, measured: Found) -> None:
    x, _ = corpus.frames(corpus.test)
    for (model, _, _), rows in measured[Histograms].groupby(["model", "method", "threshold"]):
        assert rows["share"].sum() == pytest.approx(1)
        assert rows["bin_low"].tolist()[1:] == rows["bin_high"].tolist()[:-1]
        assert rows["bin_low"].iloc[0] == (0 if model.endswith("relu") else -1)
    for model in MODELS:
        rows = measured[Histograms][
            (measured[Histograms]["model"] == model) & (measured[Histograms]["method"] == "baseline")
        ]
        edges = [*rows["bin_low"], rows["bin_high"].iloc[-1]]
        shares = [
            np.histogram(run(net.module, x)["act3"][::4].clip(edges[0], edges[-1]), bins=edges)[0] / (len(x[::4]) * 16)
            for net in nets
            if net.model == model
        ]
        np.testing.assert_allclose(rows["share"], np.mean(shares, axis=0), atol=2e-3)
        assert rows["share"].iloc[-1] < 0.01  # the bins have room above the unpruned outputs


def test_predictions_come_from_the_training_frames_and_are_held_against_the_test_frames(
    nets: list[Net], corpus: Corpus, measured: Found
) -> None:
    (train, _), (test, _) = corpus.frames(corpus.train), corpus.frames(corpus.test)
    rows = measured[PredictedShifts][
        (measured[PredictedShifts]["threshold"] > 0) & (measured[PredictedShifts]["seed"] == 0)
    ]
    for row in rows.itertuples():
        net = of(nets, row)
        inputs = {"affine1": train.numpy(), **{f"affine{i + 1}": run(net.module, train)[f"act{i}"] for i in (1, 2)}}
        inputs["final-affine"] = run(net.module, train)["act3"]
        old, new = (
            module.get_submodule(row.layer).weight.detach().double().numpy()
            for module in (net.module, pruned(net, partial(small, row.method, row.threshold))[0])
        )
        shift = (new - old) @ inputs[row.layer].astype(float).mean(0)
        deviations = run(net.module, test)[row.layer].std(0)

        assert row.predicted_local == pytest.approx((shift / deviations).mean(), abs=1e-4)
        if row.depth == 1:
            assert row.predicted_cascade == pytest.approx(row.predicted_local, abs=1e-9)
    table = measured[Layers].merge(measured[PredictedShifts], on=list(tables.Layers.key), validate="one_to_one")
    assert (table["measured"] == table["mean_shift"]).all()


def test_the_cascade_predicts_deeper_layers_better_than_each_layer_alone(measured: Found) -> None:
    deep = measured[PredictedShifts][
        (measured[PredictedShifts]["layer"] != "affine1") & (measured[PredictedShifts]["scale"].between(0.2, 1.3))
    ]
    off = {kind: (deep[f"predicted_{kind}"] - deep["measured"]).abs().mean() for kind in ("local", "cascade")}

    assert off["cascade"] < off["local"]


def test_prose_quotes_the_tables(measured: Found) -> None:
    means = summary.net_means(measured[Layers], measured[Posteriors], measured[PredictedShifts])
    means = means.set_index(["model", "quantity"])["value"]
    found = summary.at_reference(measured[Layers], measured[Posteriors])
    at_reference = found.set_index(["model", "method", "quantity"])["value"]
    frames = measured[Posteriors].merge(measured[Layers], on=list(tables.Posteriors.key), suffixes=("", "_of_layer"))
    for model in MODELS:
        own = frames[frames["model"] == model]
        scales, correlations = [], []
        for _, rows in own.groupby("seed"):
            at = rules.reference_threshold(rows)
            here = rows[(rows["threshold"] == at) & (rows["method"] == "positive")]
            scales.append(here["scale"].iloc[0])
            correlations.append(here["rank_correlation"].iloc[0])

        assert means[model, "reference-scale"] == pytest.approx(np.mean(scales))
        assert at_reference[model, "positive", "rank-correlation"] == pytest.approx(np.mean(correlations))
        unpruned = own.groupby("seed")["baseline_entropy"].first()
        assert means[model, "baseline-entropy"] == pytest.approx(unpruned.mean())
    quantities = {"output-shift", "output-spread", "hidden-shift", "saturated", "fixed"}
    assert set(found["quantity"]) == quantities | {"rank-correlation", "agreement", "entropy", "wer"}
    assert means[MODELS[1], "cascade-fit"] > means[MODELS[1], "local-fit"]


def test_without_a_reference_threshold_cells_are_empty(measured: Found) -> None:
    found = (measured[Layers], measured[Posteriors], measured[PredictedShifts])
    layers, posteriors, shifts = (table[table["threshold"] == 0] for table in found)
    means = summary.net_means(layers, posteriors, shifts).set_index("quantity")["value"]

    assert summary.at_reference(layers, posteriors)["value"].isna().all()
    assert means.drop("baseline-entropy").isna().all()
    assert means["baseline-entropy"].notna().all()


def test_verdicts_decide_every_claim_for_every_net(measured: Found) -> None:
    own = {"layers": measured[Layers], "posteriors": measured[Posteriors]}
    verdicts = rules.verdicts(own, where={name: f"speech-outputs/tables/{name}.csv" for name in own})

    assert [verdict.id for verdict in verdicts] == [claim.id for claim in claims.load() if claim.study == "outputs"]
    assert all(
        {case.case for case in verdict.cases} == {f"{model} on drawn" for model in MODELS} for verdict in verdicts
    )


def test_correction_rows_pair_every_pruning_with_its_corrected_self(corrected: pd.DataFrame, measured: Found) -> None:
    keys = ["model", "seed", "method", "threshold"]
    pairs = corrected.groupby(keys)

    assert set(pairs["corrected"].nunique()) == {2}
    assert set(pairs["sparsity"].nunique()) == {1}
    plain = corrected[~corrected["corrected"]].merge(measured[Posteriors], on=keys, validate="one_to_one")
    pd.testing.assert_series_equal(plain["error_percent_x"], plain["error_percent_y"], check_names=False)
    pd.testing.assert_series_equal(plain["sparsity_x"], plain["sparsity_y"], check_names=False)


def test_a_corrected_net_hears_what_a_copy_with_moved_biases_hears(
    nets: list[Net], corpus: Corpus, corrected: pd.DataFrame
) -> None:
    training, _ = corpus.frames(corpus.train)
    net = nets[0]
    threshold = sorted(corrected[corrected["model"] == net.model]["threshold"].unique())[2]
    kept = run(net.module, training)
    inputs = {
        "affine1": training.numpy(),
        "affine2": kept["act1"],
        "affine3": kept["act2"],
        "final-affine": kept["act3"],
    }
    clone = pruned(net, partial(small, "positive", threshold))[0]
    with torch.no_grad():
        for name, layer in clone.named_children():
            if isinstance(layer, nn.Linear):
                whole = net.module.get_parameter(f"{name}.weight")
                lost = (whole - layer.weight).double() @ torch.from_numpy(inputs[name]).double().mean(0)
                layer.bias += lost.float()
    heard = Listener(corpus).hear(clone, [])[0]
    row = corrected[
        (corrected["model"] == net.model)
        & (corrected["seed"] == net.seed)
        & (corrected["method"] == "positive")
        & (corrected["threshold"] == threshold)
        & corrected["corrected"]
    ].iloc[0]

    # One of 80 words may hang on a rounding.
    assert row["error_percent"] == pytest.approx(heard.error_percent, abs=100 / 80 + 1e-6)


def sweep(errors: dict[tuple[str, bool], list[float]], seeds: tuple[int, ...] = (0, 1)) -> pd.DataFrame:
    """Errors at 10, 20 and 30 % sparsity by method and correction; the second seed errs two points more."""
    return pd.DataFrame(
        [
            {
                "data": "d",
                "model": "mlp-4",
                "method": method,
                "corrected": flag,
                "seed": seed,
                "threshold": float(step),
                "scale": 2.0 * step,
                "sparsity": 0.1 * step,
                "error_percent": error + 2 * seed,
                "baseline_error_percent": 10.0 + 2 * seed,
            }
            for (method, flag), points in errors.items()
            for seed in seeds
            for step, error in enumerate(points, start=1)
        ]
    )


def test_knees_with_and_without_correction_are_found_by_hand() -> None:
    # Baseline + 20 = 30 lies half way from 20 to 40: 15 % without, 25 % with correction.
    table = sweep({("abs", False): [20, 40, 90], ("abs", True): [10, 20, 40], ("positive", False): [90] * 3})
    table = pd.concat([table, sweep({("positive", True): [10, 11, 12]})])
    knees = summary.correction_knees(table).set_index("method")

    assert knees.loc["abs", ["knee_percent", "corrected_knee_percent", "gain"]].tolist() == pytest.approx([15, 25, 10])
    assert knees.loc["abs", ["gain_low", "gain_high"]].tolist() == pytest.approx([10, 10])
    # A rescued net has no knee in range: no gain is made up for it.
    assert (knees.loc["positive", "seeds_with_knee"], knees.loc["positive", "seeds_with_corrected_knee"]) == (2, 0)
    assert knees.loc["positive", ["corrected_knee_percent", "gain"]].isna().all()


def test_savings_are_paired_and_the_largest_is_quoted() -> None:
    table = sweep({("negative", False): [12, 50, 90], ("negative", True): [11, 14, 80]})
    gains, largest = summary.savings(table)
    most = largest.iloc[0]

    assert gains["saved"].tolist() == pytest.approx([1, 36, 10])
    assert gains["saved_low"].tolist() == pytest.approx([1, 36, 10])  # the seeds differ alike with and without
    assert (len(largest), most["saved"], most["scale"]) == (1, pytest.approx(36), pytest.approx(4.0))
    assert (most["error_percent"], most["corrected_error_percent"]) == (pytest.approx(51), pytest.approx(15))


def test_every_table_can_be_saved(tmp_path: Path, measured: Found, corrected: pd.DataFrame) -> None:
    gains, largest = summary.savings(corrected)
    frames: dict[type[Table], pd.DataFrame] = {
        tables.Layers: measured[Layers],
        tables.Posteriors: measured[Posteriors],
        tables.Histograms: measured[Histograms],
        tables.PredictedShifts: measured[PredictedShifts],
        MeanOfNets: summary.net_means(measured[Layers], measured[Posteriors], measured[PredictedShifts]),
        tables.AtReference: summary.at_reference(measured[Layers], measured[Posteriors]),
        tables.Correction: corrected,
        tables.CorrectionKnees: summary.correction_knees(corrected),
        tables.CorrectionGains: gains,
        tables.LargestSavings: largest,
    }
    for table, frame in frames.items():
        assert len(table.save(frame, folder=tmp_path)) == len(frame)
    assert len(largest) == len(MODELS) * 3


def test_a_sweep_that_stands_need_not_be_repeated_to_be_compared_with(
    nets: list[Net], corpus: Corpus, thresholds: dict[str, dict[float, float]], corrected: pd.DataFrame
) -> None:
    sweep = threshold_table(nets, corpus, thresholds)

    compared = experiment.correction_table(nets, corpus, thresholds, plain=sweep)

    key = ["model", "seed", "method", "threshold", "corrected"]
    pd.testing.assert_frame_equal(
        compared.sort_values(key, ignore_index=True), corrected.sort_values(key, ignore_index=True)
    )
    with pytest.raises(ValueError, match="every net and setting once"):
        experiment.correction_table(nets, corpus, thresholds, plain=sweep[sweep["seed"] == 0])
