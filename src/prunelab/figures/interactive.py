"""Interactive figures: an Altair chart in, a Vega-Lite file out, one style for every chart of the report."""

import json
from pathlib import Path
from typing import Any

import altair

from prunelab import files
from prunelab.figures.lines import INK, MUTED
from prunelab.figures.saving import Saved, checked_words

# A page carries its charts' data; beyond this it opens slowly on a phone.
LARGEST = 600_000  # bytes

_STYLE: dict[str, Any] = {
    "background": "white",  # an opaque card, as in the drawn figures
    "font": "sans-serif",
    "aria": False,  # a chart describes itself once; its marks, hundreds of them, are not read out one by one
    "axis": {
        "domainColor": MUTED,
        "gridColor": "#e3e3e3",
        "labelColor": INK,
        "labelFontSize": 11,
        "tickColor": MUTED,
        "titleColor": INK,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "title": {"anchor": "start", "color": INK, "fontSize": 12, "fontWeight": "bold"},
    "view": {"stroke": None},
}


class SavedChart(Saved):
    """A chart on disk; as a notebook cell's result it says what the book's page shows, which a notebook cannot."""

    def _repr_markdown_(self) -> str:
        return f"*Interactive in the book* (`{self.path.as_posix()}`): {self.alt}"


def save(
    chart: altair.TopLevelMixin, name: str, *, alt: str, caption: str, table: str, folder: Path = Path("figures")
) -> SavedChart:
    """Save a chart as a Vega-Lite specification, data included, beside what a page needs to show it.

    Args:
        chart: the chart; its parameters and views carry names of their own, so that saving twice gives the same bytes.
        name: file name without ending; lower-case letters, digits and hyphens.
        alt: what the chart shows, in words, for who does not see it; at least 40 characters, no file name.
        caption: one or two sentences beneath the chart.
        table: name of the table, in the same run, that holds the chart's data.
        folder: where to.

    Returns:
        The saved chart: `<name>.vl.json`, and `<name>.json` with the words.

    Raises:
        ValueError: an alt text that says too little, an empty caption, a number that JSON cannot hold, or a
            specification larger than `LARGEST`.
    """
    words = checked_words(name, "chart", alt=alt, caption=caption)
    specification = {**chart.to_dict(), "description": words["alt"]}
    specification["config"] = _STYLE
    text = json.dumps(specification, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    size = len(text.encode())
    if size > LARGEST:
        raise ValueError(
            f"a chart's specification is at most {LARGEST} bytes; {name!r} has {size}: give fewer thresholds or bins"
        )
    path = files.write_text(folder / f"{name}.vl.json", text)
    files.write_json(folder / f"{name}.json", {**words, "table": table})
    return SavedChart(path=path, alt=words["alt"])
