"""The figures of the mean-replacement study, on made-up tables: what is drawn and said."""

import json
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
from prunelab.figures import Saved, number, penalty_axis, suffix_of
from prunelab.studies.units import figures, rules, summary, unit_figures

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
    return unit_figures.squares_figure(summary.squares_histogram(table), summary.squares_deciles(table))


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
        lambda s: unit_figures.profiles_figure(*summary.profile_tables(pairs_of(s))),
    ),
    "one-layer": ("pairs", lambda s: figures.one_layer(pairs_of(s), "train")),
    "squared-activations": ("squares", squares),
    "choices": ("choices", lambda s: unit_figures.choices_figure(made.choices(*s))),
    "iterative": ("iterative", lambda s: figures.iterative_figure(made.iterative(s[0], seeds=s[3]))),
    "which-mean": ("corrections", lambda s: unit_figures.which_mean(corrected(s), "test")),
    "penalty-against-cost": (
        "corrections",
        lambda s: unit_figures.penalty_against_cost(corrected(s), "test"),
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
    lines = [line for score, line in figures.SCORE_LINES.items() if score != "nothing"]

    assert set(made.SCORES) < set(figures.SCORE_LINES)
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
    said = unit_figures.penalty_against_cost(corrected(WHOLE), "train").alt

    assert all(name in said for name in made.CORRECTIONS)


def test_what_a_correction_does_to_unpruned_nets_is_subtracted_and_said() -> None:
    table = made.corrections()
    for own, shown in ((table.assign(control=0.5), True), (table.assign(control=0.0), False)):
        means = summary.correction_means(own)
        saved = unit_figures.which_mean(means, "train")
        caption = json.loads(saved.path.with_suffix(".json").read_text("utf-8"))["caption"]

        assert ("is subtracted" in caption) == shown
        rows = own[(own["part"] == "train") & (own["correction"] == "zeroed") & (own["layer"] == own["layer"].iloc[0])]
        row = means.query("part == 'train' and correction == 'zeroed'").set_index("layers").loc[own["layer"].iloc[0]]
        assert row["penalty"] == pytest.approx(rows["penalty"].mean() - (0.5 if shown else 0))


def test_corrections_of_several_nets_are_told_apart_by_their_runs() -> None:
    first = "results/full/units-corrections"

    assert suffix_of(first, first) == ""
    assert suffix_of(f"{first}-vgg", first) == "-vgg"
    assert suffix_of("results/Mine 2", first) == "-mine-2"


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
    penalty_axis([axis], values, inches=inches)
    low, high = axis.get_ylim()
    ticks = axis.get_yticks()
    places = axis.yaxis.get_transform().transform(np.array([low, high, *ticks]))
    plt.close(figure)

    assert low < min(values)
    assert max(values) < high
    assert all(low <= tick <= high for tick in ticks)
    assert np.all(np.diff(places[2:]) >= 0.2 / inches * (places[1] - places[0]))


def test_powers_of_ten_are_written_as_people_write_them() -> None:
    written = [number(value) for value in (0.0, 1.0, -0.01, 0.003, 1e-4, -2e-5, 1e6, 1000.0)]

    assert written == ["0", "1", "−0.01", "0.003", "10⁻⁴", "−2·10⁻⁵", "10⁶", "1,000"]


def test_layers_are_named_in_words_from_the_input_on() -> None:
    table = DataFrame({"layer": ["all", "fc1", "conv10", "conv2", "none"]})

    assert rules.layers_of(table) == ["conv2", "conv10", "fc1", "none", "all"]
    assert rules.second_convolution(table) == "conv10"
    named = [figures.layer_name(layer) for layer in ("conv2", "fc1", "all", "conv11")]
    assert named == ["second convolution", "first linear layer", "all layers at once", "conv11"]
