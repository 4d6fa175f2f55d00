"""Study 1 on recognisers: the tables hold what hearing each pruned net alone gives, in our columns and the source's."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import drawn
from by_torch import pruned, small
from prunelab import claims, project, records
from prunelab.figures.style import Saved, style
from prunelab.speech import Corpus
from prunelab.studies.common import curves
from prunelab.studies.common.nets import Net
from prunelab.studies.common.prunings import by_fraction, thresholds_of
from prunelab.studies.common.recognisers import Heard, Listener, open_recognisers
from prunelab.studies.sparseness import experiment, figures, summary, tables

MODELS = ["acoustic-3x16-relu", "acoustic-3x16-sigmoid"]
SCALES = [0.0, 0.3, 0.6, 1.0, 1.5, 8.0]
FRACTIONS = [0.0, 0.3, 0.6, 0.9, 0.99]
TABLES = ("threshold-sweep", "layer-sensitivity", "percentile")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return drawn.corpus()


@pytest.fixture(scope="module")
def nets(corpus: Corpus) -> list[Net]:
    return open_recognisers([], corpus, models=MODELS, seeds=[0, 1], epochs=12)


@pytest.fixture(scope="module")
def thresholds(nets: list[Net]) -> dict[str, dict[float, float]]:
    return thresholds_of(nets, [], SCALES)


@pytest.fixture(scope="module")
def swept(nets: list[Net], corpus: Corpus, thresholds: dict[str, dict[float, float]]) -> pd.DataFrame:
    return experiment.speech_threshold_table(nets, corpus, thresholds)


@pytest.fixture(scope="module")
def layered(nets: list[Net], corpus: Corpus, thresholds: dict[str, dict[float, float]]) -> pd.DataFrame:
    return experiment.speech_layer_table(nets, corpus, thresholds)


@pytest.fixture(scope="module")
def compared(nets: list[Net], corpus: Corpus) -> pd.DataFrame:
    return experiment.speech_percentile_table(nets, corpus, FRACTIONS)


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, swept: pd.DataFrame, layered: pd.DataFrame, compared: pd.DataFrame
) -> list[str]:
    """Folders of runs that left the three tables."""
    folder = tmp_path_factory.mktemp("results")
    for name, frame, key, columns in (
        (TABLES[0], swept, tables.THRESHOLD_KEY, tables.SPEECH_THRESHOLD_COLUMNS),
        (TABLES[1], layered, tables.LAYER_KEY, tables.SPEECH_LAYER_COLUMNS),
        (TABLES[2], compared, tables.PERCENTILE_KEY, tables.SPEECH_PERCENTILE_COLUMNS),
    ):
        records.save_table(frame, name, key=key, columns=columns, folder=folder / name / "tables")
    return [str(folder / name) for name in TABLES]


def small_in(layer: str, threshold: float, name: str, weight: torch.Tensor) -> torch.Tensor:
    return small("abs", threshold, name, weight) & torch.tensor(name == layer)


def heard(listener: Listener, module: nn.Sequential) -> Heard:
    return listener.hear(module, [])[0]


def of(nets: list[Net], row: pd.Series) -> Net:
    return next(net for net in nets if (net.model, net.seed) == (row["model"], row["seed"]))


def test_every_row_of_the_sweep_is_what_torchs_pruning_of_a_copy_hears(
    nets: list[Net], corpus: Corpus, swept: pd.DataFrame
) -> None:
    listener = Listener(corpus)
    for _, row in swept.iterrows():
        clone, sparsity = pruned(of(nets, row), partial(small, row["method"], row["threshold"]))
        alone = heard(listener, clone)

        assert row["sparsity"] == sparsity
        assert (row["error_percent"], row["best_wer_percent"]) == (alone.error_percent, alone.best_wer_percent)
        assert (row["wer_low"], row["wer_high"]) == (alone.wer_low, alone.wer_high)


def test_pruning_one_layer_leaves_the_others_whole(nets: list[Net], corpus: Corpus, layered: pd.DataFrame) -> None:
    listener = Listener(corpus)
    for _, row in layered.iterrows():
        clone, sparsity = pruned(of(nets, row), partial(small_in, row["layer"], row["threshold"]))

        assert row["sparsity"] == pytest.approx(sparsity)
        assert row["error_percent"] == heard(listener, clone).error_percent
    assert list(dict.fromkeys(layered["layer"])) == ["affine1", "affine2", "affine3", "final-affine"]


def test_positive_and_negative_sparsity_add_up_to_both(swept: pd.DataFrame) -> None:
    wide = swept.pivot_table("sparsity", index=["model", "seed", "threshold"], columns="method")

    pd.testing.assert_series_equal(wide["abs"], wide["positive"] + wide["negative"], check_names=False)


def test_a_threshold_of_zero_removes_nothing_and_costs_nothing(swept: pd.DataFrame) -> None:
    start = swept[swept["threshold"] == 0]

    assert len(start) == len(MODELS) * 2 * 3
    assert (start["sparsity"] == 0).all()
    for column in ("error_percent", "fixed_wer_percent"):
        assert (start[column] == start["baseline_error_percent"]).all()
    assert (start["best_wer_percent"] == start["baseline_best_wer_percent"]).all()


def test_the_best_decoder_on_the_test_part_is_never_worse_and_the_error_is_made_of_its_kinds(
    swept: pd.DataFrame,
) -> None:
    kinds = swept[["substitutions_percent", "deletions_percent", "insertions_percent"]].sum(axis=1)

    assert (swept["best_wer_percent"] <= swept[["error_percent", "fixed_wer_percent"]].min(axis=1)).all()
    np.testing.assert_allclose(kinds, swept["error_percent"])
    assert ((swept["wer_low"] <= swept["error_percent"]) & (swept["error_percent"] <= swept["wer_high"])).all()


def test_the_threshold_of_a_global_fraction_removes_that_fraction(nets: list[Net], compared: pd.DataFrame) -> None:
    # Distinct weights: a float32 net of some thousand has no ties.
    for _, row in compared[compared["method"] == "abs"].iterrows():
        weights = torch.cat(
            [parameter.flatten() for parameter in of(nets, row).module.parameters() if parameter.ndim > 1]
        )
        below = (weights.abs() < torch.tensor(row["threshold"], dtype=torch.float32)).double().mean()

        assert float(below) == pytest.approx(row["sparsity"], abs=1e-12)
    assert compared.loc[compared["method"] == "percentile", "threshold"].isna().all()


def sweep_by_hand() -> pd.DataFrame:
    """Two seeds, two thresholds, three methods, with errors to be averaged by eye."""
    rows = []
    for seed in (0, 1):
        for method, errors in (("abs", (9.0, 31.0)), ("positive", (20.0, 96.0)), ("negative", (12.0, 91.0))):
            for threshold, error in zip((0.05, 0.1), errors, strict=True):
                rows.append(
                    {
                        "data": "d",
                        "model": "acoustic-2x4-relu",
                        "seed": seed,
                        "method": method,
                        "threshold": threshold,
                        "scale": 10 * threshold,
                        "sparsity": threshold * (4 if method == "abs" else 2),
                        "error_percent": error + seed,
                        "baseline_error_percent": 8.0,
                        "best_wer_percent": error - 2 * seed,
                        "baseline_best_wer_percent": 7.0,
                        "fixed_wer_percent": error + 5,
                    }
                )
    return pd.DataFrame(rows)


def test_an_experiment_is_in_the_sources_columns_with_intervals_of_the_best_word_error() -> None:
    experiments = summary.sign_experiments(sweep_by_hand())
    first = experiments["experiment-1"].iloc[0]

    assert (first["group"], first["pruned_layer"], first["pruning_method"]) == ("1.1", "all", "abs")
    assert (first["pruning_threshold"], first["sparse_rate"], first["best_wer"], first["wer"]) == (0.05, 20, 8.0, 9.5)
    # Student's t with one degree of freedom is 12.706 (tables); 9 and 7 have a standard error of 1.
    assert (first["best_wer_low"], first["best_wer_high"]) == (-4.71, 20.71)
    assert list(experiments["experiment-3"]["pruning_method"]) == ["-", "-"]
    assert list(experiments["experiment-2"]["group"]) == ["2.1", "2.2"]


def test_experiment_four_repeats_both_signs_until_both_are_lost() -> None:
    table = sweep_by_hand()
    further = table[table["threshold"] == 0.1].assign(threshold=0.2, scale=2.0, sparsity=0.5)
    fourth = summary.sign_experiments(pd.concat([table, further]))["experiment-4"]

    # At 0.1 both signs err more than 68 %, 60 points above the unpruned nets; 0.2 says nothing new.
    assert list(fourth["group"]) == ["2.1", "2.2", "3.1", "3.2"]
    assert list(fourth["pruning_threshold"]) == [0.05, 0.1, 0.05, 0.1]


def test_one_seed_has_no_interval_and_no_error() -> None:
    alone = sweep_by_hand().query("seed == 0")
    first = summary.sign_experiments(alone)["experiment-1"].iloc[0]

    assert first["seeds"] == 1
    assert np.isnan([first["best_wer_low"], first["best_wer_high"]]).all()


def test_the_experiments_of_the_sweeps_fit_their_columns(
    tmp_path: Path, swept: pd.DataFrame, layered: pd.DataFrame, compared: pd.DataFrame
) -> None:
    experiments = {
        **summary.sign_experiments(swept),
        **summary.layer_experiment(layered, 1.0),
        **summary.percentile_experiment(compared),
    }
    paths = summary.save(experiments, tmp_path)

    assert [path.stem for path in paths] == [f"experiment-{number}" for number in range(1, 7)]
    assert list(records.load_table(paths[4])["pruned_layer"]) == [*layered["layer"].unique()] * len(MODELS)
    sixth = records.load_table(paths[5])
    assert list(sixth["pruning_method"]) == [*["pct"] * len(FRACTIONS), *["abs"] * len(FRACTIONS)] * len(MODELS)
    assert list(sixth["pruning_threshold"][: len(FRACTIONS)]) == FRACTIONS


def test_a_criterion_puts_its_errors_where_the_rules_look() -> None:
    table = sweep_by_hand()
    best, fixed = (summary.under(table, criterion) for criterion in ("best", "fixed"))

    assert (best["error_percent"] == table["best_wer_percent"]).all()
    assert (best["baseline_error_percent"] == 7).all()
    assert (fixed["error_percent"] == table["fixed_wer_percent"]).all()
    assert (fixed["baseline_error_percent"] == 8).all()
    with pytest.raises(ValueError, match="one of dev, best, fixed; got 'test'"):
        summary.under(table, "test")


def test_prose_quotes_the_knees_and_leads_by_hand() -> None:
    values = summary.speech_threshold_values(sweep_by_hand())

    # Seed 0: abs passes 28 % at 20 + 20 · 19/22 % sparsity, positive at 10 + 10 · 8/76 %, both signs by interpolation.
    # Seed 1 errs one point more: abs at 20 + 20 · 18/22, positive at 10 + 10 · 7/76.
    knees = [(10 + 10 * 8 / 76) / (20 + 20 * 19 / 22), (10 + 10 * 7 / 76) / (20 + 20 * 18 / 22)]
    assert values["positive-knee-ratio-relu"].value == pytest.approx(np.mean(knees))
    # Only at 0.05 does a sign err between baseline + 1 and + 60: negative 12 against positive 20.
    assert values["error-lead-relu"].value == pytest.approx(-8)
    assert values["sparsity-lead-relu"].value == pytest.approx(0)
    assert values["baseline-relu-best"].value == 7
    assert "collapse-relu" not in values  # abs never reaches baseline + 50


def test_prose_is_quoted_under_every_criterion(layered: pd.DataFrame, compared: pd.DataFrame) -> None:
    layers = summary.speech_layer_values(layered, 1.0)
    pairs = summary.speech_percentile_values(compared)

    assert {f"layer-spread-sigmoid{suffix}" for suffix in ("", "-best", "-fixed")} <= set(layers)
    assert [name for name in layers if name.startswith("threshold-scale")] == ["threshold-scale"]
    assert {f"mean-gap-relu{suffix}" for suffix in ("", "-best", "-fixed")} <= set(pairs)


def test_the_criteria_table_holds_the_verdicts_and_what_other_decoders_would_say(runs: list[str]) -> None:
    criteria = summary.criteria_table(*runs, threshold_scale=1.0, layer_scales=[0.3, 1.0])
    verdicts = claims.verdict_table(summary.decide(*runs, threshold_scale=1.0))
    own = criteria[
        (criteria["criterion"] == "dev")
        & (criteria["threshold_scale"].isin([1.0]) | criteria["threshold_scale"].isna())
    ]
    known = [claim.id for claim in claims.load() if claim.study == "sparseness"]

    columns = list(claims.Decided.columns())
    pd.testing.assert_frame_equal(own[columns].reset_index(drop=True), verdicts[columns])
    assert list(dict.fromkeys(criteria["claim"])) == known
    # Eight claims, two nets, three criteria; the layers' claim at one more threshold.
    assert len(criteria) == (len(known) + 1) * len(MODELS) * 3
    changed = summary.criteria_values(criteria, 1.0)
    assert changed["decisions"].value == len(known) * len(MODELS)
    assert all(
        0 <= changed[f"changed-{criterion}"].value <= len(known) * len(MODELS) for criterion in ("best", "fixed")
    )


def test_the_criteria_table_fits_its_columns(tmp_path: Path, runs: list[str]) -> None:
    criteria = summary.criteria_table(*runs, threshold_scale=1.0)
    path = records.save_table(
        criteria,
        "criteria",
        key=tables.CRITERIA_KEY,
        columns=tables.CRITERIA_COLUMNS,
        folder=tmp_path,
    )

    assert list(records.load_table(path).columns) == list(tables.CRITERIA_COLUMNS)


def test_a_changed_verdict_is_counted() -> None:
    rows = [
        ("abs-knee", "one", "dev", np.nan, "reproduced"),
        ("abs-knee", "one", "best", np.nan, "reproduced"),
        ("abs-knee", "one", "fixed", np.nan, "inconclusive"),
        ("layers-differ", "one", "dev", 1.0, "reproduced"),
        ("layers-differ", "one", "best", 1.0, "inconclusive"),
        ("layers-differ", "one", "fixed", 1.0, "inconclusive"),
        ("layers-differ", "one", "dev", 2.0, "not-reproduced"),
    ]
    table = pd.DataFrame(rows, columns=["claim", "case", "criterion", "threshold_scale", "verdict"])
    values = summary.criteria_values(table, 1.0)

    assert {name: value.value for name, value in values.items()} == {
        "decisions": 2,
        "changed-best": 1,
        "changed-fixed": 2,
    }


def test_a_run_that_is_not_named_is_asked_for_by_its_own_name() -> None:
    with pytest.raises(FileNotFoundError, match=r"-p threshold_sweep=./results/quick/speech-threshold-sweep"):
        summary.criteria_table("", "", "", 1.0)


def test_seven_layers_are_told_apart_without_colour_too() -> None:
    rows = pd.DataFrame({"layer": [*(f"affine{depth}" for depth in range(1, 7)), "final-affine"]})
    lines = [line for _, line in figures.layers_of(rows)]

    assert len({line.colour for line in lines}) == len({line.marker for line in lines}) == 7


def test_an_axis_of_word_errors_reaches_beyond_one_hundred_where_a_mean_does(swept: pd.DataFrame) -> None:
    tall = swept.assign(error_percent=swept["error_percent"].where(swept["scale"] < 5, 140.0))
    source = figures.source_table(project.published() / "connection-sparseness.csv")
    with style():
        _, axes = figures.source_panels(
            tall, source, ["abs"], ("threshold", "scale"), along="threshold", task=figures.SPEECH
        )

    assert axes[0].get_ylim()[1] == pytest.approx(103)
    assert axes[1].get_ylim()[1] == pytest.approx(1.03 * 140)


def test_every_figure_is_drawn_with_its_numbers_in_the_alt_text(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    swept: pd.DataFrame,
    layered: pd.DataFrame,
    compared: pd.DataFrame,
) -> None:
    source = figures.source_table(project.published() / "connection-sparseness.csv")
    task = figures.SPEECH
    monkeypatch.chdir(tmp_path)
    saved: list[Saved] = [
        figures.error_against_threshold(swept, source, task),
        figures.error_against_sparsity(swept, source, task),
        figures.positive_against_negative(swept, source, task),
        figures.two_intervals(swept),
        figures.layer_costs(layered, source, 1.0),
        figures.layer_sparsity(layered, source, 1.0, task),
        figures.layer_error(layered, task),
        figures.global_against_percentile(compared, source, task),
    ]

    assert not [figure.path for figure in saved if "test error" in figure.alt]
    knee = curves.knee_table(swept).iloc[0]["knee_percent"]
    assert f"{knee:.0f} % (both signs" in saved[0].alt
    assert all(model in figure.alt for figure in saved for model in MODELS)
    assert sorted(path.stem for path in Path("figures").glob("*.svg")) == sorted(figure.path.stem for figure in saved)


def test_a_sweep_of_images_has_no_word_errors_to_decide_by() -> None:
    table = pd.DataFrame({"error_percent": [1.0], "baseline_error_percent": [1.0]})

    with pytest.raises(ValueError, match="best_wer_percent is missing: is it of images"):
        summary.under(table, "best")


@pytest.mark.parametrize("method", ["abs", "percentile"])
def test_a_fraction_that_rounds_to_all_weights_is_refused(method: str) -> None:
    net = Net(data="d", data_id="0", model="tiny", seed=0, module=nn.Sequential(nn.Linear(2, 2)))

    with pytest.raises(ValueError, match=r"fractions leave some weights; 0\.99 takes all from tiny: lower it"):
        list(by_fraction(net, [0.99], [method]))
