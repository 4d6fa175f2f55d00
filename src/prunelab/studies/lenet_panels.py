"""What the figures of the LeNet study share: lines of recipes, layers and budgets, grids of small panels, stars."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from pandas import DataFrame

from prunelab.figures import DEPTHS, INK, Line
from prunelab.stats import LEVEL, Interval
from prunelab.studies.lenet_rows import net_name

BAND = "Line: mean over seeds; band: 95 % t interval."
BARS = "Bars: 95 % t interval over seeds."
STARS = "Stars: what the source printed, one run each."

RECIPE_LINES: Mapping[str, Line] = {
    "source": Line(label="source's recipe", colour="#d55e00", marker="s", dash=(0, (5, 2))),
    "strong": Line(label="strong recipe", colour="#0072b2", marker="o"),
}
BUDGET_LINES: Mapping[str, Line] = {
    "global": Line(label="one global threshold", colour="#0072b2", marker="o"),
    "layer": Line(label="the same fraction of each layer", colour="#d55e00", marker="^", dash=(0, (5, 2))),
    "erk": Line(label="ERK", colour="#009e73", marker="v", dash=(0, (2, 1))),
    "lamp": Line(label="LAMP", colour="#cc79a7", marker="D", dash=(0, (4, 1, 1, 1))),
}
# Accuracies an axis may name, those that matter most first: the others only where there is room.
_ACCURACIES = (90, 99, 98, 95, 80, 97, 50, 70, 96, 60, 85, 93, 20, 97.5, 98.5, 99.5, 0, 40)
_ENOUGH = 3  # numbers on an axis, without naming tenths
_TENTHS = tuple(tenth / 10 for tenth in range(900, 999))
_TOP = 99.9  # % accuracy; the scale has no end at 100
LAYER_NAMES = {"all": "all layers", "fc1": "first layer", "fc2": "second layer", "fc3": "third layer"}


def layer_lines(table: DataFrame) -> list[tuple[str, Line]]:
    """Name the layers of a table from the input on, each with its line."""
    names = sorted(dict.fromkeys(table["layer"]))
    return [(name, DEPTHS[depth % len(DEPTHS)]) for depth, name in enumerate(names)]


def layer_name(layer: str) -> str:
    """Say a layer's name in words."""
    return LAYER_NAMES.get(layer, layer)


def grid(
    rows: Sequence[str], columns: Sequence[str], *, height: float, width: float = 7.8
) -> tuple[Figure, list[list[Axes]]]:
    """Lay out one row of panels a net and one column a subject, named above and at the left; sizes in inches."""
    layout = ConstrainedLayoutEngine(h_pad=0.04, w_pad=0.04)
    size = (width, height * len(rows) + 0.6)
    figure, every = plt.subplots(len(rows), len(columns), figsize=size, squeeze=False, layout=layout)
    for axis, title in zip(every[0], columns, strict=True):
        axis.set_title(title, loc="left")
    for row, name in zip(every, rows, strict=True):
        row[0].set_ylabel(name)
    return figure, [list(row) for row in every]


def by_net(axis: Axes, models: Sequence[str], *, ylabel: str) -> None:
    """Make the horizontal axis one place a net."""
    axis.set_xticks(range(len(models)), [net_name(model) for model in models], rotation=30, ha="right")
    axis.set_xlim(-0.6, len(models) - 0.4)
    axis.grid(False, axis="x")
    axis.set_xlabel("hidden units of the net")
    axis.set_ylabel(ylabel)


def spots(
    axis: Axes, models: Sequence[str], line: Line, means: Mapping[str, Interval], *, shift: float, label: str
) -> None:
    """Draw a mean with its interval at each net's place; a net without one stays empty.

    Args:
        axis: made by `by_net`.
        models: the nets, in the order of the axis.
        line: colour and marker.
        means: net -> what is drawn of it.
        shift: how far from the middle of a net's place, so that several stand side by side.
        label: legend entry.
    """
    found = [(place + shift, means[model]) for place, model in enumerate(models) if model in means]
    if not found:
        return
    below = [max(0.0, value.value - value.low) if value.n > 1 else 0.0 for _, value in found]
    above = [max(0.0, value.high - value.value) if value.n > 1 else 0.0 for _, value in found]
    axis.errorbar(
        [place for place, _ in found],
        [value.value for _, value in found],
        yerr=[below, above],
        color=line.colour,
        marker=line.marker,
        markersize=5,
        linestyle="none",
        capsize=3,
        label=label,
    )


def stars(axis: Axes, models: Sequence[str], printed: DataFrame) -> int:
    """Draw the source's accuracies at the places of its nets, as many as are on the axis; give their number."""
    places = {net_name(model): place for place, model in enumerate(models)}
    here = printed[printed["net"].isin(list(places))]
    if len(here):
        at = [places[net] for net in here["net"]]
        axis.plot(at, here["test_accuracy_percent"], "*", color=INK, markersize=9, label="source, one run")
    return len(here)


def shifts(n: int) -> list[float]:
    """Give places side by side around the middle for n things drawn of one net."""
    return [0.16 * (place - (n - 1) / 2) for place in range(n)]


def said(interval: Interval, digits: int = 2) -> str:
    """Say a mean with its interval in words."""
    if interval.n < 2:
        return f"{interval.value:.{digits}f}"
    return f"{interval.value:.{digits}f} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def means(table: DataFrame, column: str = "accuracy_percent") -> dict[str, Interval]:
    """Give each net's mean and interval out of a comparison table's rows, one row a net."""
    ends = table[["model", column, "low", "high", "seeds"]].itertuples(index=False)
    return {
        model: Interval(value=value, low=low, high=high, n=int(n), level=LEVEL, method="t")
        for model, value, low, high, n in ends
    }


def each_in_words(models: Sequence[str], found: Mapping[str, Interval]) -> str:
    """Say every net's mean with its interval."""
    return ", ".join(f"{net_name(model)} {said(found[model])}" for model in models if model in found)


def some(rows: DataFrame, wanted: str) -> DataFrame:
    """Give the rows back, or say in one line that there are none.

    Raises:
        ValueError: no row.
    """
    if rows.empty:
        raise ValueError(f"a figure draws at least one net; the table has none of {wanted}: is it the right run?")
    return rows


def who(recipe: str) -> str:
    """Say a recipe in words."""
    return RECIPE_LINES[recipe].label if recipe in RECIPE_LINES else f"recipe {recipe}"


def left(target: str) -> str:
    """Say a target in words: a number of weights left, or a percentage removed."""
    return f"{target} removed" if target.endswith("%") else f"{int(target):,} weights left"


def plain(axis: Axes) -> None:
    """Write the numbers of two logarithmic axes out, a few to each decade."""
    for one in (axis.xaxis, axis.yaxis):
        low, high = sorted(one.get_view_interval())
        one.set_major_locator(LogLocator(subs=_subs(high / low)))
        one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        one.set_minor_formatter(NullFormatter())


def by_error(axis: Axes) -> None:
    """Make an axis of accuracies logarithmic in the error, so that 97 and 98 % stand as far apart as 70 and 80 %.

    Args:
        axis: with everything drawn; its accuracies (%) lie below 100.
    """
    ends = _to_error(np.array([max(0.0, axis.dataLim.y0), axis.dataLim.y1]))
    room = max(float(np.ptp(ends)), 0.02)  # decades of error
    low, high = ends[0] - 0.07 * room, ends[1] + 0.07 * room
    axis.set_yscale("function", functions=(_to_error, _from_error))
    axis.set_ylim(*_from_error(np.array([low, high])))
    ticks: list[float] = []
    for tick in (*_ACCURACIES, *_TENTHS):
        near = [abs(_to_error(tick) - _to_error(other)) for other in ticks]
        if tick == _TENTHS[0] and len(ticks) > _ENOUGH:
            break
        if low <= _to_error(tick) <= high and min(near, default=1.0) > 0.11 * (high - low):
            ticks.append(tick)
    axis.set_yticks(sorted(ticks), [f"{tick:g}" for tick in sorted(ticks)])
    axis.minorticks_off()


def _to_error(accuracies: Any) -> Any:
    return -np.log10(100 - np.minimum(accuracies, _TOP))


def _from_error(values: Any) -> Any:
    return 100 - 10 ** -np.asarray(values, dtype=float)


def _subs(ratio: float) -> tuple[float, ...]:
    """Say which numbers of each decade an axis names, the fewer the more decades it spans."""
    return (1.0,) if ratio > 200 else (1.0, 3.0) if ratio > 30 else (1.0, 2.0, 5.0)
