"""Study 1 on image nets and on recognisers: the tables hold what pruning a copy of each net by torch alone gives."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import drawn
from by_torch import pruned, small
from prunelab import claims, project
from prunelab.data import load_images
from prunelab.figures import Saved, drawing
from prunelab.studies.common import curves
from prunelab.studies.common.nets import Net, open_nets
from prunelab.studies.common.prunings import by_fraction, thresholds_of
from prunelab.studies.common.recognisers import Listener
from prunelab.studies.sparseness import experiment, figures, rules, summary, tables

SCALES = [0.0, 0.3, 0.6, 1.0, 2.0, 8.0]
FRACTIONS = [0.0, 0.3, 0.6, 0.9, 0.99]
SOURCE = figures.source_table(project.published() / "connection-sparseness.csv")


@dataclass(frozen=True, kw_only=True)
class Swept:
    """The three tables of one kind of net, and how to measure a net alone."""

    task: figures.Task
    nets: list[Net]
    models: list[str]
    sweep: pd.DataFrame
    layers: pd.DataFrame
    percentile: pd.DataFrame
    errors: Callable[[nn.Sequential], dict[str, float]]
    slack: float  # points of error that rounding may decide

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return {"threshold-sweep": self.sweep, "layer-sensitivity": self.layers, "percentile": self.percentile}

    def net(self, row: pd.Series) -> Net:
        return next(net for net in self.nets if (net.model, net.seed) == (row["model"], row["seed"]))


def images() -> Swept:
    digits, models = load_images("digits"), ["mlp-24-12-relu", "mlp-24-12-sigmoid"]
    nets = open_nets([], digits, models=models, seeds=[0, 1], epochs=8)
    thresholds = thresholds_of(nets, [], SCALES)

    def errors(module: nn.Sequential) -> dict[str, float]:
        with torch.no_grad():
            wrong = (module(digits.test.x).argmax(1) != digits.test.y).double().mean()
        return {"error_percent": float(100 * wrong)}

    return Swept(
        task=figures.IMAGES,
        nets=nets,
        models=models,
        sweep=experiment.threshold_table(nets, digits, thresholds),
        layers=experiment.layer_table(nets, digits, thresholds),
        percentile=experiment.percentile_table(nets, digits, FRACTIONS),
        errors=errors,
        slack=100 / 359 + 1e-6,  # one of 359 images may sit on a tie
    )


def speech() -> Swept:
    corpus, models = drawn.corpus(), ["acoustic-3x16-relu", "acoustic-3x16-sigmoid"]
    nets, listener = drawn.nets(*models), Listener(corpus)
    thresholds = thresholds_of(nets, [], SCALES)
    return Swept(
        task=figures.SPEECH,
        nets=nets,
        models=models,
        sweep=experiment.threshold_table(nets, corpus, thresholds),
        layers=experiment.layer_table(nets, corpus, thresholds),
        percentile=experiment.percentile_table(nets, corpus, FRACTIONS),
        errors=lambda module: vars(listener.hear(module, [])[0]),
        slack=0,
    )


@pytest.fixture(scope="module", params=[images, speech], ids=["images", "speech"])
def swept(request: pytest.FixtureRequest) -> Swept:
    made: Swept = request.param()
    return made


@pytest.fixture(scope="module")
def heard() -> Swept:
    return speech()


def small_in(layer: str, threshold: float, name: str, weight: Tensor) -> Tensor:
    return small("abs", threshold, name, weight) & torch.tensor(name == layer)


def measured_alone(swept: Swept, row: pd.Series, removes: Callable[[str, Tensor], Tensor]) -> None:
    clone, sparsity = pruned(swept.net(row), removes)
    alone = swept.errors(clone)

    assert row["sparsity"] == pytest.approx(sparsity)
    for column in {"error_percent", "best_wer_percent", "wer_low", "wer_high"} & set(alone):
        assert row[column] == pytest.approx(alone[column], abs=swept.slack)


def test_every_row_of_the_sweep_is_what_a_copy_pruned_by_torch_gives(swept: Swept) -> None:
    for _, row in swept.sweep.iterrows():
        measured_alone(swept, row, partial(small, row["method"], row["threshold"]))


def test_pruning_one_layer_leaves_the_others_whole(swept: Swept) -> None:
    for _, row in swept.layers.iterrows():
        measured_alone(swept, row, partial(small_in, row["layer"], row["threshold"]))
    linear = [name for name, module in swept.nets[0].module.named_children() if isinstance(module, nn.Linear)]
    assert list(dict.fromkeys(swept.layers["layer"])) == linear


def test_positive_and_negative_sparsity_add_up_to_both(swept: Swept) -> None:
    wide = swept.sweep.pivot_table("sparsity", index=["model", "seed", "threshold"], columns="method")

    pd.testing.assert_series_equal(wide["abs"], wide["positive"] + wide["negative"], check_names=False)


def test_the_layers_shares_add_up_to_the_whole_net(swept: Swept) -> None:
    key = ["model", "seed", "threshold"]
    whole = swept.sweep[swept.sweep["method"] == "abs"].set_index(key)["sparsity"]

    pd.testing.assert_series_equal(swept.layers.groupby(key)["sparsity"].sum().sort_index(), whole.sort_index())


def test_a_threshold_of_zero_removes_nothing_and_costs_nothing(swept: Swept) -> None:
    start = swept.sweep[swept.sweep["threshold"] == 0]

    assert len(start) == len(swept.models) * 2 * 3
    assert (start["sparsity"] == 0).all()
    for column in {"error_percent", "fixed_wer_percent"} & set(start):
        assert (start[column] == start["baseline_error_percent"]).all()
    if "best_wer_percent" in start:
        assert (start["best_wer_percent"] == start["baseline_best_wer_percent"]).all()


def test_both_ways_of_the_comparison_remove_what_was_asked(swept: Swept) -> None:
    table = swept.percentile
    weights = {net.model: sum(p.numel() for p in net.module.parameters() if p.ndim > 1) for net in swept.nets}
    layers = len(dict.fromkeys(swept.layers["layer"]))

    # Rounding each layer and sign to whole weights moves a percentile by less than one weight in each of these parts.
    off = (table["sparsity"] - table["sparsity_asked"]).abs() * table["model"].map(weights)
    assert off.max() < 2 * layers


def test_thresholds_in_units_of_the_weights_are_the_same_for_all_seeds_of_a_model(swept: Swept) -> None:
    for model, fixed in thresholds_of(swept.nets, [], SCALES).items():
        rms = sum(net.weight_rms for net in swept.nets if net.model == model) / 2

        assert list(fixed) == pytest.approx([scale * rms for scale in SCALES], rel=1e-3)
        assert list(fixed.values()) == pytest.approx(SCALES, rel=1e-3)


@pytest.mark.parametrize(
    ("absolute", "message"), [([], "both are empty"), ([-0.1], "at least 0"), ([float("nan")], "finite")]
)
def test_thresholds_that_cannot_be_are_refused(absolute: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        thresholds_of([], absolute, [])


def test_the_best_decoder_on_the_test_part_is_never_worse_and_the_error_is_made_of_its_kinds(heard: Swept) -> None:
    table = heard.sweep
    kinds = table[["substitutions_percent", "deletions_percent", "insertions_percent"]].sum(axis=1)

    assert (table["best_wer_percent"] <= table[["error_percent", "fixed_wer_percent"]].min(axis=1)).all()
    np.testing.assert_allclose(kinds, table["error_percent"])
    assert ((table["wer_low"] <= table["error_percent"]) & (table["error_percent"] <= table["wer_high"])).all()


def test_the_threshold_of_a_global_fraction_removes_that_fraction(heard: Swept) -> None:
    # Distinct weights: a float32 net of some thousand has no ties.
    table = heard.percentile
    for _, row in table[table["method"] == "abs"].iterrows():
        parameters = [parameter.flatten() for parameter in heard.net(row).module.parameters() if parameter.ndim > 1]
        below = (torch.cat(parameters).abs() < torch.tensor(row["threshold"], dtype=torch.float32)).double().mean()

        assert float(below) == pytest.approx(row["sparsity"], abs=1e-12)
    assert table.loc[table["method"] == "percentile", "threshold"].isna().all()


@pytest.mark.parametrize("method", ["abs", "percentile"])
def test_a_fraction_that_rounds_to_all_weights_is_refused(method: str) -> None:
    net = Net(data="d", data_id="0", model="tiny", seed=0, module=nn.Sequential(nn.Linear(2, 2)))

    with pytest.raises(ValueError, match=r"fractions leave some weights; 0\.99 takes all from tiny: lower it"):
        list(by_fraction(net, [0.99], [method]))


def test_every_derived_table_can_be_saved(tmp_path: Path, swept: Swept) -> None:
    save = partial(tables.Experiment.save, folder=tmp_path)
    curves.Knees.save(curves.knee_table(swept.percentile), folder=tmp_path)
    tables.KneeGains.save(summary.knee_gains(swept.percentile), folder=tmp_path)
    costs = tables.LayerCosts.save(summary.layer_costs(swept.layers, 1.0), folder=tmp_path)

    assert costs["layer"].tolist() == [*swept.layers["layer"].unique()] * len(swept.models)
    if swept.task is figures.SPEECH:
        experiments = summary.sign_experiments(swept.sweep)
        experiments |= {"experiment-5": summary.layer_experiment(swept.layers, 1.0)}
        for name, rows in experiments.items():
            save(rows, name)
        assert experiments["experiment-5"]["pruned_layer"].tolist() == costs["layer"].tolist()
        sixth = save(summary.percentile_experiment(swept.percentile), "experiment-6")
        assert sixth["pruning_method"].tolist() == [*["pct"] * len(FRACTIONS), *["abs"] * len(FRACTIONS)] * 2
        assert sixth["pruning_threshold"].tolist()[: len(FRACTIONS)] == FRACTIONS
        knees = tables.DecoderKnees.save(summary.decoder_knees(swept.sweep), folder=tmp_path)
        assert knees.groupby("criterion").size().to_dict() == dict.fromkeys(summary.CRITERIA, 3 * len(swept.models))


def test_prose_quotes_the_means_of_the_tables(swept: Swept) -> None:
    unpruned = swept.sweep[(swept.sweep["threshold"] == 0) & (swept.sweep["method"] == "abs")]
    found = summary.net_means(unpruned, swept.sweep, swept.layers, 1.0)
    means = found[found["model"] == swept.models[0]].set_index("quantity")
    relu = unpruned[unpruned["model"] == swept.models[0]]
    near = curves.at_scale(swept.layers, 1.0)
    errors = near[near["model"] == swept.models[0]].groupby("seed")["error_percent"]
    gains = summary.knee_gains(swept.percentile)

    assert (means["seeds"] == 2).all()
    assert {"free-lunch", "abs-loses-from"} <= set(means.index)
    assert means.loc["error_percent", "value"] == pytest.approx(relu["baseline_error_percent"].mean())
    assert means.loc["layer-spread", "value"] == pytest.approx((errors.max() - errors.min()).mean())
    gap = gains["global_knee"] - gains["percentile_knee"]
    np.testing.assert_allclose(gains["knee_gain"], gap)


def verdicts(swept: Swept, study: str = rules.STUDY) -> list[claims.Verdict]:
    where = {name: f"{name}/tables/{name}.csv" for name in swept.tables}
    return rules.verdicts(swept.tables, where=where, threshold_scale=1.0, study=study)


def test_verdicts_decide_every_claim_of_the_study_for_every_net(swept: Swept) -> None:
    decided = verdicts(swept)

    assert [verdict.id for verdict in decided] == [claim.id for claim in claims.load() if claim.study == "sparseness"]
    assert [(entry.study, entry.id, entry.verdict) for entry in verdicts(swept, "images")] == [
        ("images", entry.id, entry.verdict) for entry in decided
    ]
    assert set(claims.verdict_table(decided)["case"]) == {
        f"{model} on {swept.sweep['data'].iloc[0]}" for model in swept.models
    }
    assert {verdict.table for verdict in decided} == {f"{name}/tables/{name}.csv" for name in swept.tables}


def test_the_criteria_hold_the_verdicts_and_what_other_decoders_would_say(tmp_path: Path, heard: Swept) -> None:
    criteria = tables.Criteria.save(summary.criteria(heard.tables, 1.0, [0.3, 1.0]), folder=tmp_path)
    at_one = criteria["threshold_scale"].isin([1.0]) | criteria["threshold_scale"].isna()
    own = criteria[(criteria["criterion"] == "dev") & at_one]
    known = [claim.id for claim in claims.load() if claim.study == "sparseness"]

    columns = list(claims.Decided.columns())
    decided = claims.verdict_table(verdicts(heard))[columns]
    pd.testing.assert_frame_equal(own[columns].reset_index(drop=True), decided)
    assert list(dict.fromkeys(criteria["claim"])) == known
    # Every claim, two nets, three criteria; the layers' claim at one more threshold.
    assert len(criteria) == (len(known) + 1) * len(heard.models) * 3
    changed = summary.criteria_changes(criteria, 1.0).set_index("criterion")
    assert (changed["decided"] == len(known) * len(heard.models)).all()
    assert changed["changed"].between(0, changed["decided"]).all()


def test_every_figure_is_drawn_with_its_numbers_in_the_alt_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swept: Swept
) -> None:
    monkeypatch.chdir(tmp_path)
    saved: list[Saved] = [
        figures.error_against_threshold(swept.sweep, SOURCE, swept.task),
        figures.error_against_sparsity(swept.sweep, SOURCE, swept.task),
        figures.positive_against_negative(swept.sweep, SOURCE, swept.task),
        figures.layer_error(swept.layers, swept.task),
        figures.layer_sparsity(swept.layers, SOURCE, 1.0, swept.task),
        figures.global_against_percentile(swept.percentile, SOURCE, swept.task),
    ]
    if swept.task is figures.SPEECH:
        saved += [figures.two_intervals(swept.sweep), figures.layer_costs(swept.layers, SOURCE, 1.0)]
        assert not [figure.path for figure in saved if "test error" in figure.alt]
    knee = curves.knee_table(swept.sweep).iloc[0]["knee_percent"]

    assert f"{knee:.0f} % (both signs" in saved[0].alt
    assert all(model in figure.alt for figure in saved for model in swept.models)
    assert sorted(path.stem for path in Path("figures").glob("*.svg")) == sorted(figure.path.stem for figure in saved)


def test_an_axis_of_word_errors_reaches_beyond_one_hundred_where_a_mean_does(heard: Swept) -> None:
    tall = heard.sweep.assign(error_percent=heard.sweep["error_percent"].where(heard.sweep["scale"] < 5, 140.0))
    with drawing():
        _, axes = figures.source_panels(
            tall, SOURCE, ["abs"], ("threshold", "scale"), along="threshold", task=figures.SPEECH
        )

    assert axes[0].get_ylim()[1] == pytest.approx(103)
    assert axes[1].get_ylim()[1] == pytest.approx(1.03 * 140)


def test_seven_layers_are_told_apart_without_colour_too() -> None:
    rows = pd.DataFrame({"layer": [*(f"affine{depth}" for depth in range(1, 7)), "final-affine"]})
    lines = figures.layers_of(rows).values()

    assert len({line.colour for line in lines}) == len({line.marker for line in lines}) == 7


def test_a_missing_source_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"connection-sparseness.csv.* is missing"):
        figures.source_table(tmp_path / "none.csv")
