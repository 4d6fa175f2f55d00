"""Charts: saved with their words and data, the same bytes for the same chart, nothing that a page cannot hold."""

import json
from pathlib import Path

import altair
import pandas as pd
import pytest

from prunelab.figures import interactive

ALT = "Two points joined by a line that rises from the lower left to the upper right."


def drawing(rows: int = 2, last: float = 1.0) -> altair.Chart:
    values = [{"x": float(index), "y": float(index)} for index in range(rows - 1)] + [{"x": 9.0, "y": last}]
    return altair.Chart(altair.InlineData(values=values)).mark_line().encode(x="x:Q", y="y:Q")


def saved(folder: Path, chart: altair.Chart | None = None) -> interactive.SavedChart:
    return interactive.save(chart or drawing(), "line", alt=ALT, caption="A line.", table="points", folder=folder)


def test_a_chart_is_saved_with_its_data_and_its_words(tmp_path: Path) -> None:
    chart = saved(tmp_path)
    specification = json.loads(chart.path.read_text("utf-8"))

    assert chart.path == tmp_path / "line.vl.json"
    assert specification["description"] == ALT
    assert list(specification["datasets"].values()) == [[{"x": 0.0, "y": 0.0}, {"x": 9.0, "y": 1.0}]]
    assert json.loads((tmp_path / "line.json").read_text("utf-8")) == {
        "alt": ALT,
        "caption": "A line.",
        "table": "points",
    }


def test_the_same_chart_gives_the_same_bytes(tmp_path: Path) -> None:
    assert saved(tmp_path / "a").path.read_bytes() == saved(tmp_path / "b").path.read_bytes()


def test_a_data_frame_is_stored_under_a_name_made_of_its_content(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    chart = altair.Chart(frame).mark_line().encode(x="x:Q", y="y:Q")

    assert saved(tmp_path / "a", chart).path.read_bytes() == saved(tmp_path / "b", chart).path.read_bytes()


@pytest.mark.parametrize("alt", ["", "a plot", "figures/error-against-sparsity-of-lenet-300-100.vl.json", " " * 80])
def test_a_chart_without_words_for_who_cannot_see_it_is_refused(tmp_path: Path, alt: str) -> None:
    with pytest.raises(ValueError, match="alt text says in words"):
        interactive.save(drawing(), "line", alt=alt, caption="A line.", table="points", folder=tmp_path)

    assert not list(tmp_path.iterdir())


def test_a_chart_without_a_caption_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a caption"):
        interactive.save(drawing(), "line", alt=ALT, caption=" ", table="points", folder=tmp_path)


def test_a_chart_that_a_phone_would_wait_for_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"at most 600000 bytes; 'line' has \d{6,}: give fewer thresholds or bins"):
        saved(tmp_path, drawing(rows=40_000))

    assert not list(tmp_path.iterdir())


def test_a_number_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        saved(tmp_path, drawing(last=float("nan")))


def test_in_a_notebook_a_chart_says_where_it_is_and_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chart = interactive.save(drawing(), "line", alt=ALT, caption="A line.", table="points")

    assert chart._repr_markdown_() == f"*Interactive in the book* (`figures/line.vl.json`): {ALT}"
