"""Figures: one style, alt text required, the same bytes for the same drawing, nothing beyond the page."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from prunelab import figures
from prunelab.figures import Line, Saved, band, bars, depths, drawing, grid, legend, matrix, palette, places, save
from prunelab.stats import Interval, t_interval

ALT = "Two points joined by a line that rises from the lower left to the upper right."
EIGHT = palette({str(place): str(place) for place in range(8)})
SEVEN = depths({str(place): str(place) for place in range(7)})
THREE = depths({str(place): str(place) for place in range(3)})


@pytest.fixture(autouse=True)
def closed() -> object:
    """Close what a test leaves open."""
    yield
    plt.close("all")


@drawing()
def rising() -> Figure:
    figure, (axis,) = grid(["a title"], xlabel="weights removed (%)")
    axis.plot([0, 1], [0, 1], color=figures.METHODS["abs"].colour)
    return figure


def saved(folder: Path, name: str = "line") -> Saved:
    return save(rising(), name, alt=ALT, caption="A line.", table="points", folder=folder)


def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a"), saved(tmp_path / "b")

    assert first.path.read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize("alt", ["", "a plot", "figures/error-against-sparsity-of-lenet-300-100.svg", " " * 80])
def test_a_figure_without_words_for_who_cannot_see_it_is_refused(tmp_path: Path, alt: str) -> None:
    with pytest.raises(ValueError, match="alt text says in words"):
        save(rising(), "line", alt=alt, caption="A line.", table="points", folder=tmp_path)

    assert not list(tmp_path.iterdir())


def test_a_figure_without_a_caption_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a caption"):
        save(rising(), "line", alt=ALT, caption=" ", table="points", folder=tmp_path)


def test_a_saved_figure_shows_itself_with_its_alt_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = save(rising(), "line", alt=ALT, caption="A line.", table="points")

    assert shown._repr_markdown_() == f"![{ALT}](figures/line.svg)"
    assert pd.read_json(Path("figures/line.json"), typ="series").to_dict() == {
        "alt": ALT,
        "caption": "A line.",
        "table": "points",
    }


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], channels))


@pytest.mark.parametrize(
    "line", [*figures.METHODS.values(), *THREE.values(), *SEVEN.values()], ids=lambda line: line.colour
)
def test_every_line_stands_out_from_its_white_card(line: Line) -> None:
    # WCAG 2.1, 1.4.11: at least 3 to 1 for graphics. Okabe and Ito's purple, at 2.9, carries its own dash and marker.
    assert 1.05 / (luminance(line.colour) + 0.05) >= 2.8


@pytest.mark.parametrize(
    "lines", [figures.METHODS, THREE, dict(list(EIGHT.items())[:5])], ids=["methods", "depths", "palette"]
)
def test_lines_differ_in_marker_and_dash_as_well_as_colour(lines: dict[str, Line]) -> None:
    for field in ("colour", "marker", "dash"):
        assert len({str(getattr(line, field)) for line in lines.values()}) == len(lines)


@pytest.mark.parametrize("lines", [EIGHT, SEVEN], ids=["palette", "depths"])
def test_many_lines_differ_in_marker_and_colour(lines: dict[str, Line]) -> None:
    for field in ("colour", "marker"):
        assert len({getattr(line, field) for line in lines.values()}) == len(lines)


def test_more_lines_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="up to 8 lines are told apart by colour; got 9"):
        palette({str(place): "" for place in range(9)})


@drawing()
def test_a_band_draws_the_mean_and_its_t_interval() -> None:
    rows = pd.DataFrame({"x": [1.0, 1.0, 2.0, 2.0], "y": [3.0, 5.0, 4.0, 4.0], "seed": [0, 1, 0, 1]})
    _, (axis,) = grid(["a title"])
    means = band(axis, rows, "x", "y", line=EIGHT["0"])
    vertices = axis.collections[0].get_paths()[0].vertices
    interval = t_interval([3.0, 5.0])

    assert means == [4, 4]
    np.testing.assert_allclose(axis.lines[0].get_xydata(), [[1, 4], [2, 4]])
    assert vertices[:, 1].min() == pytest.approx(interval.low)
    assert vertices[:, 1].max() == pytest.approx(interval.high)


@drawing()
def test_rows_of_one_setting_are_averaged_within_a_seed_first_and_empty_ones_left_out() -> None:
    rows = pd.DataFrame(
        {
            "x": [1.0, 1.2, 1.0, 1.2, 3.0],
            "y": [2.0, 4.0, 5.0, np.nan, np.nan],
            "seed": [0, 0, 1, 1, 0],
            "setting": ["a", "a", "a", "a", "b"],
        }
    )
    _, (axis,) = grid(["a title"])

    assert band(axis, rows, "x", "y", along="setting", line=EIGHT["0"]) == [
        4.0
    ]  # of seed 0 the mean is 3, of 1 it is 5
    assert band(axis, rows.iloc[:0], "x", "y", line=EIGHT["0"]) == []
    assert len(axis.lines) == 1


@drawing()
def test_a_band_of_one_seed_has_a_line_and_no_band() -> None:
    rows = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 5.0], "seed": [0, 0]})
    _, (axis,) = grid(["a title"])
    band(axis, rows, "x", "y", line=EIGHT["0"])

    np.testing.assert_allclose(axis.lines[0].get_ydata(), [3, 5])
    assert not axis.collections


@drawing()
def test_bars_reach_to_the_ends_of_their_intervals_upright_and_across() -> None:
    one, three = t_interval([2.0]), Interval(value=5.0, low=4.0, high=7.0, n=3, level=0.95, method="t")
    _, (axis,) = grid(["a title"])
    bars(axis, places(["a", "b", "c"], {"a": one, "c": three}, 0.1), line=EIGHT["0"])
    bars(axis, [(three, one)], line=EIGHT["1"])
    upright, across, alone = (part.get_segments() for part in axis.collections)

    np.testing.assert_allclose(upright, [[[0.1, 2], [0.1, 2]], [[2.1, 4], [2.1, 7]]])
    np.testing.assert_allclose(across, [[[4, 2], [7, 2]]])
    np.testing.assert_allclose(alone, [[[5, 2], [5, 2]]])


@pytest.mark.parametrize("lay_out", [lambda: grid([]), lambda: matrix([], ["a"]), lambda: matrix(["a"], [])])
def test_a_figure_without_panels_is_refused(lay_out: object) -> None:
    assert callable(lay_out)
    with pytest.raises(ValueError, match="at least one panel"):
        lay_out()


def test_labels_are_written_once_at_the_left_and_where_nothing_is_beneath() -> None:
    _, axes = grid(["a", "b", "c"], xlabel="x", ylabel="y")
    _, rows = matrix(["net", "other"], ["before", "after"], xlabel="x", ylabel="y")

    assert [(axis.get_xlabel(), axis.get_ylabel()) for axis in axes] == [("", "y"), ("x", ""), ("x", "y")]
    assert [axis.get_ylabel() for row in rows for axis in row] == ["y", "", "y", ""]
    assert [axis.get_xlabel() for row in rows for axis in row] == ["", "", "x", "x"]


def test_a_row_is_named_above_its_first_panel_and_a_column_above_the_first_row() -> None:
    with drawing():
        _, rows = matrix(["net", "other"], ["before", "after"])

    titles = [axis.get_title(loc="left") for row in rows for axis in row]
    assert titles == ["net\nbefore", "after", "other", ""]


@drawing()
def test_a_legend_has_each_entry_once_in_as_many_columns_as_the_figure_is_wide() -> None:
    figure, axes = grid(["a", "b"])
    words = [f"a long name of a line that takes its place, {place}" for place in range(4)]
    for axis in axes:
        for word in words:
            axis.plot([0, 1], [0, 1], label=word)
    before = figure.get_size_inches()
    legend(figure)
    drawn = figure.legends[0]
    figure.draw_without_rendering()

    assert [text.get_text() for text in drawn.get_texts()] == words
    assert drawn.get_window_extent().x0 >= 0
    assert drawn.get_window_extent().x1 <= figure.bbox.width
    assert figure.get_size_inches()[0] == before[0]
    assert figure.get_size_inches()[1] > before[1] + 0.3  # two rows of entries


@drawing()
def test_a_legend_of_lines_says_how_they_are_drawn() -> None:
    figure, _ = grid(["a"])
    legend(figure, [EIGHT["0"], EIGHT["0"].dashed("the other")])
    solid, dashed = figure.legends[0].get_lines()

    assert (solid.get_label(), dashed.get_label()) == ("0", "the other")
    assert (solid.get_markerfacecolor(), dashed.get_markerfacecolor()) == (EIGHT["0"].colour, "white")
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")


def test_a_figure_is_measured_once_and_still_holds_what_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []
    monkeypatch.setattr(Figure, "get_tightbbox", lambda *_, **__: measured.append(1))
    saved(tmp_path)

    assert not measured


def test_numbers_on_the_axis_of_sparsities_stand_apart() -> None:
    figure, axis = plt.subplots()
    removed = [50, 90, 90.5, 91, 99]
    figures.sparsity_axis(axis, removed, ticks=removed)
    figure.canvas.draw()
    labels = [label.get_text() for label in axis.get_xticklabels()]
    left, right = axis.get_xlim()

    assert labels == ["50", "90", "99"]
    assert left > right  # fewest weights at the right


@pytest.mark.parametrize(
    ("highest", "numbers"), [(20.0, ["1", "2", "5", "10", "20"]), (5000.0, ["1", "10", "100", "1,000"])]
)
def test_numbers_on_a_logarithmic_axis_are_written_out(highest: float, numbers: list[str]) -> None:
    figure, axis = plt.subplots()
    axis.set_ylim(1, highest)
    figures.log_axis(axis)
    figure.canvas.draw()
    low, high = axis.get_ylim()

    shown = zip(axis.get_yticks(), axis.get_yticklabels(), strict=True)
    assert [label.get_text() for tick, label in shown if low <= tick <= high] == numbers


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [figures.listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
