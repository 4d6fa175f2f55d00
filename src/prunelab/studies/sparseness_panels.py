"""What the figures of study 1 share: a panel for the source's curves, one a model of ours, axes and baselines."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab.figures import DEPTHS, METHODS, MUTED, Line, curve, legend, panels
from prunelab.stats import t_interval
from prunelab.studies import sparseness_words as words

SOURCE_TITLE = "source: speech recogniser (Kaldi)"
ONE_RUN = "The source printed one run, without intervals."
BAND = "Line: mean over seeds; band: 95 % t interval."


@dataclass(frozen=True, kw_only=True)
class Task:
    """How one kind of net's tables are drawn."""

    error: str  # what the nets are measured by
    threshold: str  # column of the thresholds drawn
    unit: str  # of that column


IMAGES = Task(error="test error", threshold="threshold", unit="weight units")
# Recognisers of different activation differ in the scale of their weights; in its unit they share an axis.
SPEECH = Task(error="word error", threshold="scale", unit="root mean square weights")

# Seven layers: dark to light, and where neighbours come close, another marker and another dash.
_SEVEN = tuple(
    Line(label="", colour=colour, marker=marker, dash=dash)
    for colour, marker, dash in (
        ("#00204d", "o", "-"),
        ("#1f4e9c", "s", (0, (5, 2))),
        ("#0f8a8a", "^", (0, (2, 1))),
        ("#7c2d6b", "D", "-"),
        ("#c2477f", "v", (0, (5, 2))),
        ("#e07b39", "P", (0, (2, 1))),
        ("#d9a400", "X", "-"),
    )
)


def source_panels(
    table: DataFrame,
    source: DataFrame,
    methods: Sequence[str],
    columns: tuple[str, str],
    *,
    along: str,
    task: Task,
) -> tuple[Figure, list[Axes]]:
    """Draw error curves, the source's in the first panel and one panel a model after it.

    Args:
        table: our rows, sparsity as a fraction.
        source: the source's rows, drawn once each though experiments 4 and 6 print some of 1 to 3 again.
        methods: the curves of a panel.
        columns: horizontal axis in the source's table and in ours.
        along: column of ours that names a setting.
        task: what ours measure.
    """
    figure, axes = panels([SOURCE_TITLE, *words.titles(table)])
    printed = source[source["layer"] == "all"].drop_duplicates(["method", "threshold"])
    for method in methods:
        part = printed[printed["method"] == method].sort_values(columns[0])
        line = METHODS[method]
        axes[0].plot(part[columns[0]], part["wer_percent"], color=line.colour, marker=line.marker, linestyle=line.dash)
    axes[0].set_ylabel("word error (%)")
    percent_axis(axes[0])
    for axis, (_, rows) in zip(axes[1:], words.by_model(percent(table)), strict=True):
        for method in methods:
            part = rows[rows["method"] == method]
            curve(axis, part, columns[1], "error_percent", along=along, line=METHODS[method])
        baseline(axis, rows)
        axis.set_ylabel(f"{task.error} (%)")
        percent_axis(axis, rows, along=["method", along])
    for axis in axes:
        axis.set_xlabel("weights removed (%)")
    legend(figure, axes[1:])
    return figure, axes


def percent(table: DataFrame) -> DataFrame:
    """Give the sparsity in percent."""
    return table.assign(sparsity_percent=100 * table["sparsity"])


def layers_of(rows: DataFrame) -> list[tuple[str, Line]]:
    """Name the layers of a table in the net's order, each with its line."""
    names = list(dict.fromkeys(rows["layer"]))
    lines = DEPTHS if len(names) <= len(DEPTHS) else _SEVEN
    return [(name, lines[depth % len(lines)]) for depth, name in enumerate(names)]


def baseline(axis: Axes, rows: DataFrame) -> None:
    """Draw the mean error of the unpruned nets."""
    axis.axhline(rows["baseline_error_percent"].mean(), color=MUTED, linewidth=0.9, linestyle=":")


def percent_axis(axis: Axes, rows: DataFrame | None = None, *, along: Sequence[str] = ()) -> None:
    """Show all errors from 0 to 100 %, and beyond where inserted words take a mean there, however wide its interval.

    Args:
        axis: where.
        rows: what is drawn there; errors stay within 100 % without them.
        along: columns that name a setting.
    """
    highest = 0.0 if rows is None else float(rows.groupby(list(along))["error_percent"].mean().max())
    axis.set_ylim(0, 1.03 * max(100.0, highest))
    axis.set_xlim(left=0)


def spread(values: "pd.Series[float]") -> tuple[float, float, float]:
    """Give lower end, mean and upper end of the 95 % t interval."""
    interval = t_interval(values.to_numpy())
    return interval.low, interval.value, interval.high


def negative_minus_positive(table: DataFrame, key: Sequence[str], column: str) -> DataFrame:
    """Subtract positive from negative rows that share `key`."""
    signs = {sign: table[table["method"] == sign].set_index(list(key))[column] for sign in ("positive", "negative")}
    return (signs["negative"] - signs["positive"]).dropna().rename("difference").reset_index()
