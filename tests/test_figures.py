"""Figures: one style, alt text required, the same bytes for the same drawing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from prunelab.figures import style
from prunelab.stats import t_interval

ALT = "Two points joined by a line that rises from the lower left to the upper right."


def drawing() -> "style.Figure":
    with style.style():
        figure, (axis,) = style.panels(["a title"])
        axis.plot([0, 1], [0, 1], color=style.METHODS["abs"].colour)
        axis.set_xlabel("weights removed (%)")
    return figure


def saved(folder: Path, name: str = "line") -> style.Saved:
    with style.style():
        return style.save(drawing(), name, alt=ALT, caption="A line.", table="points", folder=folder)


def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a"), saved(tmp_path / "b")

    assert first.path.read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize("alt", ["", "a plot", "figures/error-against-sparsity-of-lenet-300-100.svg", " " * 80])
def test_a_figure_without_words_for_who_cannot_see_it_is_refused(tmp_path: Path, alt: str) -> None:
    with pytest.raises(ValueError, match="alt text says in words"):
        style.save(drawing(), "line", alt=alt, caption="A line.", table="points", folder=tmp_path)

    assert not list(tmp_path.iterdir())


def test_a_figure_without_a_caption_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a caption"):
        style.save(drawing(), "line", alt=ALT, caption=" ", table="points", folder=tmp_path)


def test_a_saved_figure_shows_itself_with_its_alt_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with style.style():
        shown = style.save(drawing(), "line", alt=ALT, caption="A line.", table="points")

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


@pytest.mark.parametrize("line", [*style.METHODS.values(), *style.DEPTHS], ids=lambda line: line.colour)
def test_every_line_stands_out_from_its_white_card(line: style.Line) -> None:
    # WCAG 2.1, 1.4.11: at least 3 to 1 for graphics. Okabe and Ito's purple, at 2.9, carries its own dash and marker.
    assert 1.05 / (luminance(line.colour) + 0.05) >= 2.8


@pytest.mark.parametrize("lines", [list(style.METHODS.values()), list(style.DEPTHS)], ids=["methods", "depths"])
def test_lines_differ_in_marker_and_dash_as_well_as_colour(lines: list[style.Line]) -> None:
    for field in ("colour", "marker", "dash"):
        assert len({str(getattr(line, field)) for line in lines}) == len(lines)


def test_a_curve_draws_the_mean_and_its_t_interval() -> None:
    rows = pd.DataFrame({"x": [1.0, 1.0, 2.0, 2.0], "y": [3.0, 5.0, 4.0, 4.0], "seed": [0, 1, 0, 1]})
    with style.style():
        figure, (axis,) = style.panels(["a title"])
        style.curve(axis, rows, "x", "y", along="x", line=style.METHODS["abs"])
    band = axis.collections[0].get_paths()[0].vertices
    interval = t_interval([3.0, 5.0])

    np.testing.assert_allclose(axis.lines[0].get_xydata(), [[1, 4], [2, 4]])
    assert band[:, 1].min() == pytest.approx(interval.low)
    assert band[:, 1].max() == pytest.approx(interval.high)
    style.plt.close(figure)


def test_a_curve_of_one_seed_has_a_line_and_no_band() -> None:
    rows = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 5.0], "seed": [0, 0]})
    with style.style():
        figure, (axis,) = style.panels(["a title"])
        style.curve(axis, rows, "x", "y", along="x", line=style.METHODS["abs"])

    np.testing.assert_allclose(axis.lines[0].get_ydata(), [3, 5])
    assert not axis.collections
    style.plt.close(figure)


def test_a_figure_without_panels_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one panel"):
        style.panels([])
