"""The figures and the report of the mean-replacement study, on made-up tables: what is drawn, said and quoted."""

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from pandas import DataFrame

import made_units as made
from properties import tries
from prunelab import records
from prunelab.figures import panels
from prunelab.figures.style import Saved
from prunelab.studies.common import runs
from prunelab.studies.units import figures, labels, summary

Size = tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], int]  # scores, layers, steps, seeds
WHOLE: Size = (made.SCORES, made.LAYERS, made.STEPS, 3)
LEAST: Size = (("random", "norm"), ("fc1",), (10, 30), 1)


def pairs_of(size: Size) -> DataFrame:
    return summary.paired(made.penalties(*size), "train")


def tuned_of(size: Size) -> DataFrame:
    return summary.tuned_pairs(made.fine_tuned(*size), "train")


def methods(size: Size) -> Saved:
    tuned = tuned_of(size)
    return figures.methods_by_tuning(tuned, figures.comparisons_in(tuned))


def squares(size: Size) -> Saved:
    table = made.squares(size[0], size[2], size[3])
    return figures.squares_figure(summary.squares_histogram(table), summary.squares_deciles(table))


def corrected(size: Size) -> DataFrame:
    return summary.correction_means(made.corrections(size[1], size[0][:3], size[3]))


FIGURES: dict[str, tuple[str, Callable[[Size], Saved]]] = {
    "penalties-along-training": (
        "pairs",
        lambda s: figures.penalties_along_training(pairs_of(s), "train"),
    ),
    "curves": ("curves", lambda s: figures.training_curves(made.curves(s[2], s[3]))),
    "scatter-replacement": ("pairs", lambda s: figures.scatter_replacement(pairs_of(s))),
    "scatter-by-layer": ("pairs", lambda s: figures.scatter_by_layer(pairs_of(s))),
    "scatter-tuned-late": ("tuned", lambda s: figures.scatter_tuned(tuned_of(s), "late")),
    "methods-by-tuning": ("tuned", methods),
    "profiles": (
        "profiles",
        lambda s: figures.profiles_figure(*summary.profile_tables(pairs_of(s))),
    ),
    "one-layer": ("pairs", lambda s: figures.one_layer(pairs_of(s), "train")),
    "squared-activations": ("squares", squares),
    "choices": ("choices", lambda s: figures.choices_figure(made.choices(*s))),
    "iterative": ("iterative", lambda s: figures.iterative_figure(made.iterative(s[0], seeds=s[3]))),
    "which-mean": ("corrections", lambda s: figures.which_mean(corrected(s), "test")),
    "penalty-against-cost": (
        "corrections",
        lambda s: figures.penalty_against_cost(corrected(s), "test"),
    ),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_twice_alike_with_words_a_caption_and_its_table(name: str) -> None:
    table, draw = FIGURES[name]
    saved = draw(WHOLE)
    once = saved.path.read_bytes()
    about = json.loads(saved.path.with_suffix(".json").read_text("utf-8"))

    assert saved.path == Path(f"figures/{name}.svg")
    assert draw(WHOLE).path.read_bytes() == once
    assert len(once) < 300_000
    assert about["table"] == table
    assert about["caption"].endswith(".")
    assert "medium-conv-x0.25 on cifar10" in saved.alt
    assert "medium-conv-x0.25 on cifar10" in about["caption"]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_one_layer_two_scores_and_one_seed_is_drawn_too(name: str) -> None:
    saved = FIGURES[name][1](LEAST)

    assert ET.parse(saved.path).getroot().tag.endswith("svg")
    assert "nan" not in saved.alt


def test_figures_of_dense_checkpoints_stay_small() -> None:
    table = pairs_of((made.SCORES, made.LAYERS, tuple(range(0, 35_001, 500)), 4))
    for saved in (
        figures.penalties_along_training(table, "train"),
        figures.scatter_replacement(table, suffix="-vgg"),
        figures.scatter_by_layer(table),
    ):
        assert saved.path.stat().st_size < 300_000
    caption = json.loads(Path("figures/penalties-along-training.json").read_text("utf-8"))["caption"]
    assert "A point averages up to 4 neighbouring checkpoints" in caption  # 71 checkpoints in at most 22 points
    assert "80 % t interval" in caption
    assert json.loads(Path("figures/scatter-replacement-vgg.json").read_text("utf-8"))["table"] == "pairs-vgg"


def test_every_score_has_a_colour_and_a_marker_of_its_own() -> None:
    lines = labels.SCORE_LINES.values()

    assert set(made.SCORES) < set(labels.SCORE_LINES)
    assert len({line.colour for line in lines}) == len({line.marker for line in lines}) == len(lines)


def test_words_on_scatter_plots_count_the_points_below_the_diagonal() -> None:
    table = DataFrame(
        {
            "data": "cifar10",
            "data_id": "0123456789ab",
            "model": "medium-conv",
            "seed": range(4),
            "step": 0,
            "layer": "conv1",
            "score": "norm",
            "zeroed": [0.1, 0.2, 0.3, -0.1],
            "replaced": [0.05, 0.1, 0.3, 0.1],  # lower, lower, alike, higher
        }
    )

    assert "norm 50 % below, 25 % above of 4" in figures.scatter_replacement(table).alt
    assert "first convolution 50 % below, 25 % above of 4" in figures.scatter_by_layer(table).alt


def test_words_on_schedules_leave_the_control_out() -> None:
    table = made.iterative(seeds=2)
    control = table[(table["score"] == "random") & (table["replacement"] == "none")].assign(score="nothing", loss=0.5)
    saved = figures.iterative_figure(pd.concat([table, control], ignore_index=True))

    # Random with replacement: 1 + .6 · .3 · 1² + .01, mean of two seeds .02 apart.
    assert "iterative, at 40 % removed: lowest loss random replaced 1.190 nats" in saved.alt
    assert "Dotted" in json.loads(saved.path.with_suffix(".json").read_text("utf-8"))["caption"]


def test_words_on_costs_name_every_correction() -> None:
    said = figures.penalty_against_cost(corrected(WHOLE), "train").alt

    assert all(name in said for name in made.CORRECTIONS)


def test_what_a_correction_does_to_unpruned_nets_is_subtracted_and_said() -> None:
    table = made.corrections()
    for own, shown in ((table.assign(control=0.5), True), (table.assign(control=0.0), False)):
        means = summary.correction_means(own)
        saved = figures.which_mean(means, "train")
        caption = json.loads(saved.path.with_suffix(".json").read_text("utf-8"))["caption"]

        assert ("is subtracted" in caption) == shown
        rows = own[(own["part"] == "train") & (own["correction"] == "zeroed") & (own["layer"] == own["layer"].iloc[0])]
        row = means.query("part == 'train' and correction == 'zeroed'").set_index("layers").loc[own["layer"].iloc[0]]
        assert row["penalty"] == pytest.approx(rows["penalty"].mean() - (0.5 if shown else 0))


def test_corrections_of_several_nets_are_told_apart_by_their_runs() -> None:
    first = "results/full/units-corrections"

    assert runs.suffix_of(first, first) == ""
    assert runs.suffix_of(f"{first}-vgg", first) == "-vgg"
    assert runs.suffix_of("results/Mine 2", first) == "-mine-2"
    values = summary.correction_values(corrected(WHOLE), suffix="-vgg")
    assert {"vgg-correction-zeroed-test", "vgg-operations-least-squares"} <= set(values)


def test_a_figure_of_two_nets_is_refused_in_one_line() -> None:
    both = pd.concat([made.curves(), made.curves(model="vgg-11")], ignore_index=True)

    with pytest.raises(ValueError, match=r"shows one net.*medium-conv-x0.25 on cifar10, vgg-11 on cifar10") as no:
        figures.training_curves(both)
    assert "\n" not in str(no.value)


def test_an_absent_part_or_half_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"on part 'validation'; the table has train, test"):
        summary.paired(made.penalties(*LEAST), "validation")
    with pytest.raises(ValueError, match="no unit was removed in half 'middle'"):
        figures.scatter_tuned(tuned_of(LEAST), "middle")
    with pytest.raises(ValueError, match="the table has train, test; got part 'validation'"):
        figures.iterative_figure(made.iterative(seeds=1), "validation")
    with pytest.raises(ValueError, match="'exact' is none of"):
        figures.methods_by_tuning(tuned_of(LEAST), [("exact", "norm")])


@tries(40)
@given(
    st.lists(st.floats(-30, 30).filter(lambda value: value == 0 or abs(value) > 1e-9), min_size=1, max_size=30),
    st.floats(1.0, 4.0),
)
def test_a_penalty_axis_shows_every_value_and_numbers_apart_from_each_other(values: list[float], inches: float) -> None:
    figure, axis = plt.subplots()
    panels.penalty_axis([axis], values, inches=inches)
    low, high = axis.get_ylim()
    ticks = axis.get_yticks()
    places = axis.yaxis.get_transform().transform(np.array([low, high, *ticks]))
    plt.close(figure)

    assert low < min(values)
    assert max(values) < high
    assert all(low <= tick <= high for tick in ticks)
    assert np.all(np.diff(places[2:]) >= 0.2 / inches * (places[1] - places[0]))


def test_powers_of_ten_are_written_as_people_write_them() -> None:
    written = [panels.number(value) for value in (0.0, 1.0, -0.01, 0.003, 1e-4, -2e-5, 1e6, 1000.0)]

    assert written == ["0", "1", "−0.01", "0.003", "10⁻⁴", "−2·10⁻⁵", "10⁶", "1,000"]


def test_layers_are_named_in_words_from_the_input_on() -> None:
    table = DataFrame({"layer": ["all", "fc1", "conv10", "conv2", "none"]})

    assert labels.layers_of(table) == ["conv2", "conv10", "fc1", "none", "all"]
    assert labels.second_convolution(table) == "conv10"
    named = [labels.layer_name(layer) for layer in ("conv2", "fc1", "all", "conv11")]
    assert named == ["second convolution", "first linear layer", "all layers at once", "conv11"]


def test_pairs_leave_out_what_was_measured_one_way_only() -> None:
    table = made.penalties(("random", "norm"), ("conv1",), (0,), seeds=1)
    one_way = table[(table["score"] == "norm") | (table["replacement"] == "none")]
    pairs = summary.paired(one_way, "train")

    assert list(pairs["score"]) == ["norm"]
    own = table[(table["score"] == "norm") & (table["part"] == "train")].set_index("replacement")["penalty"]
    assert (pairs["zeroed"].item(), pairs["replaced"].item()) == (own["none"], own["mean"])
    assert list(pairs) == list(summary.PAIRS_COLUMNS)


def test_the_late_half_lies_behind_the_middle_of_a_nets_training() -> None:
    tuned = summary.tuned_pairs(made.fine_tuned(("random",), ("conv1",), (0, 50, 51, 100), 1), "train")

    assert dict(zip(tuned["step"], tuned["half"], strict=True)) == {0: "early", 50: "early", 51: "late", 100: "late"}
    assert "nothing" not in set(tuned["score"])


def test_means_weigh_seeds_alike_however_many_checkpoints_they_have() -> None:
    # Seeds' mean differences -.1, -.2 and -.3: mean -.2, half the interval t(.975, 2) · .1 / √3 = .24841.
    table = DataFrame(
        {
            "seed": [0, 1, 2, 2],
            "zeroed": [0.4, 0.4, 0.3, 0.5],
            "replaced": [0.3, 0.2, 0.3, -0.1],
        }
    )
    found = summary.contrast(table)

    assert found["difference"] == pytest.approx(-0.2)
    assert (found["low"], found["high"]) == pytest.approx((-0.44841, 0.04841), abs=1e-5)
    assert (found["wins_percent"], found["losses_percent"]) == (75, 0)  # one pair is alike
    assert (found["measurements"], found["seeds"]) == (4, 3)


def test_a_method_that_is_always_best_fills_its_profile() -> None:
    pairs = DataFrame(
        {
            "data": "cifar10",
            "data_id": "0123456789ab",
            "model": "medium-conv",
            "seed": [0, 0, 1, 1, 1],
            "step": 0,
            "layer": "conv1",
            "score": ["random", "norm", "random", "norm", "exact"],
            "zeroed": [1.0, 0.5, 3.0, 2.0, 9.0],
            "replaced": [0.75, 0.0, 2.5, 1.0, 0.0],  # of norm the best of all; exact plays no part
        }
    )
    profiles, areas = summary.profile_tables(pairs)
    found = areas.set_index(["score", "replacement"])["area"]

    assert found["norm", "mean"] == 1
    assert found["random", "none"] == 0
    assert found["norm", "none"] == pytest.approx((0.5 + 0.5) / 2)
    assert found["random", "mean"] == pytest.approx((0.25 + 0.25) / 2)
    best = profiles[(profiles["score"] == "norm") & (profiles["replacement"] == "mean")]
    assert set(best["share_percent"]) == {100.0}


def test_spreads_are_standard_deviations_over_methods() -> None:
    table = made.iterative(("random", "norm"), (0, 40), seeds=2)
    spreads = summary.spreads(table[table["part"] == "test"]).set_index("schedule")["spread"]

    # Losses above the dense net's: 1, 2 (zeroed) and .6, 1.2 (replaced), times .3 when iterative.
    spread = math.sqrt(sum((loss - 1.2) ** 2 for loss in (1, 2, 0.6, 1.2)) / 4)
    assert spreads["one shot"] == pytest.approx(spread)
    assert spreads["iterative"] == pytest.approx(0.3 * spread)
    shared = summary.shared_spread(table, "test")
    assert shared["iterative"].tolist() == pytest.approx([0.3 * spread] * 2)


@given(st.lists(st.sampled_from([0.0, 1e-30, 1e-3, 0.2, 1.0, 7.5, 1e4]), min_size=2, max_size=20))
def test_every_chosen_unit_is_counted_once_in_the_histogram(values: list[float]) -> None:
    table = made.squares(("norm",), (0,), 1).iloc[:1]
    table = table.loc[table.index.repeat(len(values))].assign(mean_square=values, unit=range(len(values)))
    bins = summary.squares_histogram(table)

    assert bins["share_percent"].sum() == pytest.approx(100)
    silent = [value for value in values if value <= 1e-8 * max(values)]
    assert bins["share_percent"].iloc[0] == pytest.approx(100 * len(silent) / len(values))


def test_the_report_quotes_what_its_tables_hold() -> None:
    penalties, tuned = made.penalties(), made.fine_tuned()
    means, tuned_means = summary.mean_penalties(penalties), summary.tuned_means(tuned)
    _, areas = summary.profile_tables(summary.paired(penalties, "train"))
    values = summary.report_values(
        means,
        areas,
        made.curves(),
        made.choices(),
        deciles=summary.squares_deciles(made.squares()),
        tuned=tuned_means,
        iterative=made.iterative(),
        prefix="own-",
    )
    records.save_values(values)
    own = penalties[(penalties["score"] == "norm") & (penalties["part"] == "test") & (penalties["layer"] != "all")]

    zeroed = own[own["replacement"] == "none"]["penalty"].mean()
    assert values["own-penalty-norm-zeroed-test"].value == pytest.approx(zeroed)
    assert values["own-difference-norm-test"].value == pytest.approx(
        own[own["replacement"] == "mean"]["penalty"].mean() - zeroed
    )
    assert values["own-accuracy-test"].value == pytest.approx(51)  # 50, 51 and 52 %
    # Random after 11 checkpoints: 1 - .9^11 = .686, and .01 for each seed's number.
    assert values["own-chosen-random"].value == pytest.approx(100 * (1 - 0.9**11 + 0.01))
    assert values["own-control-500-late-test"].value == pytest.approx(-0.02 * (1 - 1 / 26))
    assert values["own-removed-percent"].value == 40
    assert values["own-spread-one-shot-test"].value > values["own-spread-iterative-test"].value
    assert {
        "own-wins-mrs-abs-conv2-train",
        "own-area-taylor-replaced",
        "own-tuned-every-all-10-early-train",
        "own-tuned-wins-every-10-late-test",
        "own-decile-mrs",
        "own-loss-one-shot-tuned-norm-replaced-test",
    } <= set(values)


def test_derived_tables_are_described_and_saved_whole() -> None:
    pairs = pairs_of(WHOLE)
    profiles, areas = summary.profile_tables(pairs)
    squared = made.squares()
    for name, table, key, columns in (
        ("pairs", pairs, summary.PAIRS_KEY, summary.PAIRS_COLUMNS),
        ("tuned", tuned_of(WHOLE), summary.TUNED_KEY, summary.TUNED_COLUMNS),
        ("means", summary.mean_penalties(made.penalties()), summary.MEAN_KEY, summary.MEAN_COLUMNS),
        (
            "tuned-means",
            summary.tuned_means(made.fine_tuned()),
            summary.TUNING_KEY,
            summary.TUNING_COLUMNS,
        ),
        ("profiles", profiles, summary.PROFILES_KEY, summary.PROFILES_COLUMNS),
        ("areas", areas, summary.AREAS_KEY, summary.AREAS_COLUMNS),
        ("squares", summary.squares_histogram(squared), summary.BINS_KEY, summary.BINS_COLUMNS),
        ("deciles", summary.squares_deciles(squared), summary.DECILES_KEY, summary.DECILES_COLUMNS),
        ("spreads", summary.spreads(made.iterative()), summary.SPREADS_KEY, summary.SPREADS_COLUMNS),
        ("corrections", corrected(WHOLE), summary.MEANS_KEY, summary.MEANS_COLUMNS),
    ):
        path = records.save_table(table, name, key=key, columns=columns)
        assert len(records.load_table(path)) == len(table) > 0


def test_rows_of_another_run_are_kept_with_its_descriptions() -> None:
    folder = made.save_run(Path("other"), fine_tuned=made.fine_tuned(*LEAST), curves=made.curves())
    last = made.curves().tail(2)
    runs.keep(last, "curves-vgg", folder=folder, of="curves")

    assert len(records.load_table(Path("tables/curves-vgg.csv"))) == 2
    assert json.loads(Path("tables/curves-vgg.json").read_text("utf-8"))["key"] == made.KEYS["curves"]
