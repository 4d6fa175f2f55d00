"""Study 1 on image nets: the tables hold what pruning each net by hand gives, and the figures draw them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from by_torch import pruned, small
from prunelab import claims, project, records
from prunelab.data import Images, load_images
from prunelab.figures.style import Saved
from prunelab.studies.common import curves, prunings
from prunelab.studies.common import runs as common_runs
from prunelab.studies.common.nets import Net, open_nets
from prunelab.studies.sparseness import experiment, figures, summary, tables

SCALES = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0]
MODELS = ["mlp-24-12-relu", "mlp-24-12-sigmoid"]


@pytest.fixture(scope="module")
def digits() -> Images:
    return load_images("digits")


@pytest.fixture(scope="module")
def trained(digits: Images) -> list[Net]:
    return open_nets([], digits, models=MODELS, seeds=[0, 1], epochs=8)


@pytest.fixture(scope="module")
def thresholds(trained: list[Net]) -> dict[str, dict[float, float]]:
    return prunings.thresholds_of(trained, [], SCALES)


@pytest.fixture(scope="module")
def swept(trained: list[Net], digits: Images, thresholds: dict[str, dict[float, float]]) -> pd.DataFrame:
    return experiment.threshold_table(trained, digits, thresholds)


@pytest.fixture(scope="module")
def layered(trained: list[Net], digits: Images, thresholds: dict[str, dict[float, float]]) -> pd.DataFrame:
    return experiment.layer_table(trained, digits, thresholds)


@pytest.fixture(scope="module")
def compared(trained: list[Net], digits: Images) -> pd.DataFrame:
    return experiment.percentile_table(trained, digits, [0.0, 0.3, 0.6, 0.9, 0.99])


def errors(module: nn.Module, digits: Images) -> float:
    with torch.no_grad():
        wrong = (module(digits.test.x).argmax(1) != digits.test.y).double().mean()
    return float(100 * wrong)


def test_every_row_of_the_sweep_is_what_torchs_pruning_of_a_copy_measures(
    trained: list[Net], digits: Images, swept: pd.DataFrame
) -> None:
    nets = {(net.model, net.seed): net for net in trained}
    for row in swept.itertuples():
        clone, sparsity = pruned(nets[row.model, row.seed], partial(small, row.method, row.threshold))

        assert row.sparsity == sparsity
        # One of 359 images may sit on a tie that rounding decides.
        assert row.error_percent == pytest.approx(errors(clone, digits), abs=100 / 359 + 1e-6)


def test_positive_and_negative_sparsity_add_up_to_both(swept: pd.DataFrame) -> None:
    wide = swept.pivot_table("sparsity", index=["model", "seed", "threshold"], columns="method")

    pd.testing.assert_series_equal(wide["abs"], wide["positive"] + wide["negative"], check_names=False)


def test_a_threshold_of_zero_removes_nothing_and_costs_nothing(swept: pd.DataFrame) -> None:
    start = swept[swept["threshold"] == 0]

    assert len(start) == len(MODELS) * 2 * 3
    assert (start["sparsity"] == 0).all()
    assert (start["error_percent"] == start["baseline_error_percent"]).all()


def test_pruning_one_layer_leaves_the_others_whole(trained: list[Net], digits: Images, layered: pd.DataFrame) -> None:
    nets = {(net.model, net.seed): net for net in trained}
    for (model, seed, layer, threshold), row in layered.set_index(["model", "seed", "layer", "threshold"]).iterrows():
        below = partial(small, "abs", threshold)
        clone, sparsity = pruned(nets[model, seed], partial(_in_layer, layer, below))

        assert row["sparsity"] == pytest.approx(sparsity)
        assert row["error_percent"] == pytest.approx(errors(clone, digits), abs=100 / 359 + 1e-6)


def _in_layer(
    layer: str, removes: Callable[[str, torch.Tensor], torch.Tensor], name: str, weight: torch.Tensor
) -> torch.Tensor:
    return removes(name, weight) & torch.tensor(name == layer)


def test_the_layers_shares_add_up_to_the_whole_net(layered: pd.DataFrame, swept: pd.DataFrame) -> None:
    parts = layered.groupby(["model", "seed", "threshold"])["sparsity"].sum()
    whole = swept[swept["method"] == "abs"].set_index(["model", "seed", "threshold"])["sparsity"]

    pd.testing.assert_series_equal(parts.sort_index(), whole.sort_index())


def test_both_ways_of_the_comparison_remove_what_was_asked(compared: pd.DataFrame) -> None:
    # Rounding each layer and sign to whole weights moves a percentile by less than one weight in each of 6 parts.
    assert (compared["sparsity"] - compared["sparsity_asked"]).abs().max() < 6 / (64 * 24)


def test_thresholds_in_units_of_the_weights_are_the_same_for_all_seeds_of_a_model(
    trained: list[Net], thresholds: dict[str, dict[float, float]]
) -> None:
    for model, fixed in thresholds.items():
        rms = sum(net.weight_rms for net in trained if net.model == model) / 2

        assert list(fixed) == pytest.approx([scale * rms for scale in SCALES], rel=1e-3)
        assert list(fixed.values()) == pytest.approx(SCALES, rel=1e-3)


@pytest.mark.parametrize(
    ("absolute", "scales", "message"),
    [([], [], "both are empty"), ([-0.1], [], "at least 0"), ([float("nan")], [], "finite")],
)
def test_thresholds_that_cannot_be_are_refused(
    trained: list[Net], absolute: list[float], scales: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        prunings.thresholds_of(trained, absolute, scales)


@pytest.mark.parametrize("scale", [-1.0, float("nan")])
def test_a_scale_that_cannot_be_is_refused(layered: pd.DataFrame, scale: float) -> None:
    with pytest.raises(ValueError, match="threshold_scale is a finite number"):
        curves.at_scale(layered, scale)


def test_a_table_of_a_run_that_is_not_named_is_asked_for() -> None:
    with pytest.raises(FileNotFoundError, match=r"-p layer_sensitivity=./results/quick/layer-sensitivity"):
        common_runs.table_of("", "layer-sensitivity")


def test_tables_fit_their_declared_columns(
    tmp_path: Path, swept: pd.DataFrame, layered: pd.DataFrame, compared: pd.DataFrame
) -> None:
    for frame, key, columns in (
        (swept, tables.THRESHOLD_KEY, tables.THRESHOLD_COLUMNS),
        (layered, tables.LAYER_KEY, tables.LAYER_COLUMNS),
        (compared, tables.PERCENTILE_KEY, tables.PERCENTILE_COLUMNS),
        (curves.knee_table(swept), curves.KNEE_KEY, curves.KNEE_COLUMNS),
    ):
        path = records.save_table(frame, "table", key=key, columns=columns, folder=tmp_path)

        assert list(records.load_table(path).columns) == list(columns)


def test_a_knee_is_where_the_error_passes_twenty_points_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "data": "d",
            "model": "mlp-4",
            "method": ["abs"] * 3 + ["positive"] * 3,
            "seed": 0,
            "sparsity": [0.2, 0.4, 0.6, 0.1, 0.2, 0.3],
            "error_percent": [5.0, 15.0, 55.0, 5.0, 6.0, 7.0],
            "baseline_error_percent": 5.0,
        }
    )
    knees = curves.knee_table(rows).set_index("method")

    # 25 % lies a quarter of the way from 15 at 40 % to 55 at 60 %.
    assert knees.loc["abs", "knee_percent"] == pytest.approx(45)
    assert (knees.loc["positive", "seeds_with_knee"], knees.loc["positive", "largest_sparsity_percent"]) == (0, 30)
    assert pd.isna(knees.loc["positive", "knee_percent"])


def test_prose_quotes_the_means_of_the_tables(
    swept: pd.DataFrame, layered: pd.DataFrame, compared: pd.DataFrame
) -> None:
    sweep, layers = summary.threshold_values(swept), summary.layer_values(layered, 1.0)
    pairs = summary.percentile_values(compared)
    relu = swept[swept["model"] == MODELS[0]].groupby("seed")["baseline_error_percent"].first()

    assert sweep["baseline-relu"].value == pytest.approx(relu.mean())
    assert sweep["baseline-relu"].n == 2
    assert {f"error-fc{depth}-sigmoid" for depth in (1, 2, 3)} <= set(layers)
    gap = pairs["global-knee-relu"].value - pairs["percentile-knee-relu"].value
    assert pairs["knee-gain-relu"].value == pytest.approx(gap)
    spread = [
        rows["error_percent"].max() - rows["error_percent"].min()
        for _, rows in curves.at_scale(layered, 1.0).groupby(["model", "seed"])
    ]
    assert layers["layer-spread-relu"].value == pytest.approx(sum(spread[:2]) / 2)


def test_a_layers_knee_and_the_sparsity_where_abs_loses_are_found_by_hand() -> None:
    layer = pd.DataFrame(
        {
            "data": "d",
            "model": "mlp-4",
            "layer": "fc1",
            "seed": [0, 0, 1, 1],
            "threshold": [0.1, 0.2, 0.1, 0.2],
            "scale": [1.0, 2.0, 1.0, 2.0],
            "sparsity": 0.5,
            "error_percent": [10.0, 50.0, 10.0, 50.0],
            "baseline_error_percent": 10.0,
        }
    )
    sweep = pd.DataFrame(
        {
            "data": "d",
            "model": "mlp-4",
            "method": ["abs", "abs", "positive", "positive", "negative", "negative"],
            "seed": 0,
            "threshold": [0.1, 0.2] * 3,
            "sparsity": [0.4, 0.9, 0.2, 0.5, 0.2, 0.4],
            "error_percent": [11.0, 80.0, 40.0, 70.0, 12.0, 90.0],
            "baseline_error_percent": 10.0,
        }
    )
    # 30 % lies half way from 10 at a scale of 1 to 50 at 2; at 0.2 abs errs more than positive, at 0.1 less.
    assert summary.layer_values(layer, 1.0)["layer-knee-fc1-relu"].value == pytest.approx(1.5)
    assert summary.threshold_values(sweep)["abs-loses-from-relu"].value == pytest.approx(90)


def test_verdicts_decide_every_claim_of_the_study_for_every_net(
    tmp_path: Path, swept: pd.DataFrame, layered: pd.DataFrame, compared: pd.DataFrame
) -> None:
    runs = {}
    for name, frame, key, columns in (
        ("threshold-sweep", swept, tables.THRESHOLD_KEY, tables.THRESHOLD_COLUMNS),
        ("layer-sensitivity", layered, tables.LAYER_KEY, tables.LAYER_COLUMNS),
        ("percentile", compared, tables.PERCENTILE_KEY, tables.PERCENTILE_COLUMNS),
    ):
        runs[name] = tmp_path / name
        records.save_table(frame, name, key=key, columns=columns, folder=runs[name] / "tables")
    verdicts = summary.decide(*map(str, runs.values()), threshold_scale=1.0)
    table = claims.verdict_table(verdicts)

    assert [verdict.id for verdict in verdicts] == [claim.id for claim in claims.load() if claim.study == "sparseness"]
    transferred = summary.decide(*map(str, runs.values()), threshold_scale=1.0, study="images")
    assert [(entry.study, entry.id, entry.verdict) for entry in transferred] == [
        ("images", entry.id, entry.verdict) for entry in verdicts
    ]
    assert set(table["case"]) == {f"{model} on digits" for model in MODELS}
    assert {verdict.table for verdict in verdicts} == {f"{name}/tables/{name}.csv" for name in runs}
    claims.Decided.save(table, folder=tmp_path)


def test_every_figure_is_drawn_with_its_numbers_in_the_alt_text(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    swept: pd.DataFrame,
    layered: pd.DataFrame,
    compared: pd.DataFrame,
) -> None:
    source = figures.source_table(project.published() / "connection-sparseness.csv")
    monkeypatch.chdir(tmp_path)
    drawn: list[Saved] = [
        figures.error_against_threshold(swept, source),
        figures.error_against_sparsity(swept, source),
        figures.positive_against_negative(swept, source),
        figures.layer_error(layered),
        figures.layer_sparsity(layered, source, 1.0),
        figures.global_against_percentile(compared, source),
    ]
    knee = curves.knee_table(swept).iloc[0]["knee_percent"]

    assert f"{knee:.0f} % (both signs" in drawn[0].alt
    assert all(model in figure.alt for figure in drawn for model in MODELS)
    assert sorted(path.stem for path in Path("figures").glob("*.svg")) == sorted(figure.path.stem for figure in drawn)


def test_a_missing_source_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"connection-sparseness.csv.* is missing"):
        figures.source_table(tmp_path / "none.csv")
