"""Curves with bands, points with bars, and how an interval is said: in captions and to who does not see the figure."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame

from prunelab.figures.lines import Line
from prunelab.stats import LEVEL, Interval, t_interval

BAND = "Line: mean over seeds; band: 95 % t interval."
BARS = "Bars: 95 % t interval over seeds."
CUT = "Bands are cut off at the edges."

ALPHA = 0.15  # of a band
_MARKERS = 12  # along a curve; of a dense sweep, as many as can be told apart


def band(
    axis: Axes,
    rows: DataFrame,
    x: str,
    y: str,
    *,
    line: Line,
    along: str | None = None,
    level: float = LEVEL,
    label: str | None = None,
) -> list[float]:
    """Draw the mean of a column over seeds with its t interval as a band.

    Args:
        axis: where.
        rows: columns `x`, `y`, `along` and `seed`; rows that share a setting are averaged, within a seed first.
        x: column of the horizontal axis; where seeds differ in it slightly, their mean is drawn.
        y: column of the vertical axis; rows without a value are left out.
        line: colour, marker and dash.
        along: column that names a setting; `x` without one.
        level: of the interval, (0, 1).
        label: legend entry; the line's without one.

    Returns:
        The means drawn.
    """
    points = []
    for _, setting in rows.dropna(subset=[y]).groupby(along or x):
        points.append((float(setting[x].mean()), t_interval(setting.groupby("seed")[y].mean(), level=level)))
    points.sort(key=lambda point: point[0])
    found = [interval for _, interval in points]
    means = [interval.value for interval in found]
    lows, highs = [interval.low for interval in found], [interval.high for interval in found]
    ribbon(axis, [at for at, _ in points], means, lows, highs, line=line, label=label)
    return means


def ribbon(
    axis: Axes,
    x: ArrayLike,
    values: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    line: Line,
    label: str | None = None,
) -> None:
    """Draw a curve whose band is known; without one where no end is."""
    xs, lows, highs = (np.asarray(part, dtype=float) for part in (x, low, high))
    if not len(xs):
        return
    if not np.isnan(lows).all():  # one seed has no interval
        axis.fill_between(xs, lows, highs, color=line.colour, alpha=ALPHA, linewidth=0)
    shown = line.look(markevery=-(-len(xs) // _MARKERS))
    axis.plot(xs, np.asarray(values, dtype=float), **(shown if label is None else {**shown, "label": label}))


def bars(
    axis: Axes,
    points: Sequence[tuple[float | Interval, float | Interval]],
    *,
    line: Line,
    label: str | None = None,
    joined: bool = False,
) -> None:
    """Draw points whose intervals are bars: upright, across or both, as x, y or both are intervals.

    Args:
        axis: where.
        points: (x, y); an interval of one seed is drawn as its value alone.
        line: colour and marker.
        label: legend entry; the line's without one.
        joined: by the line, from point to point.
    """
    if not points:
        return
    (x, xerr), (y, yerr) = (_ends(list(side)) for side in zip(*points, strict=True))
    looks = line.look(markersize=5, label=line.label if label is None else label)
    if not joined:
        looks["linestyle"] = "none"
    axis.errorbar(x, y, xerr=xerr, yerr=yerr, elinewidth=1, capsize=2.5, **looks)


def places(
    names: Sequence[str], found: Mapping[str, Interval], shift: float = 0.0
) -> list[tuple[float | Interval, float | Interval]]:
    """Place each name's interval at its category, for `bars`; a name without one stays empty."""
    return [(place + shift, found[name]) for place, name in enumerate(names) if name in found]


def _ends(values: Sequence[float | Interval]) -> tuple[list[float], list[list[float]] | None]:
    """Give the middles, and how far the bars reach below and above them."""
    middles = [value.value if isinstance(value, Interval) else value for value in values]
    if not any(isinstance(value, Interval) for value in values):
        return middles, None
    reach = [
        # Of one seed the ends are NaN, which is not above 0.
        [max(0.0, value.value - value.low), max(0.0, value.high - value.value)] if isinstance(value, Interval) else []
        for value in values
    ]
    below, above = zip(*(both or (0.0, 0.0) for both in reach), strict=True)
    return middles, [list(below), list(above)]


def edges(rows: DataFrame, left: str = "left", right: str = "right") -> NDArray[np.float64]:
    """Give the edges of adjoining bins, one more than rows, for `axis.stairs`; rows from left to right."""
    return np.append(rows[left].to_numpy(dtype=float), rows[right].to_numpy(dtype=float)[-1:])


def interval_of(row: Mapping[Hashable, Any], column: str) -> Interval:
    """Read a mean with its interval out of a summary's row, with columns `low`, `high` and `seeds`."""
    value, low, high = (float(row[name]) for name in (column, "low", "high"))
    return Interval(value=value, low=low, high=high, n=int(row["seeds"]), level=LEVEL, method="t")


def said(interval: Interval, digits: int = 2) -> str:
    """Say a mean with its interval in words."""
    if interval.n < 2:
        return f"{interval.value:.{digits}f}"
    return f"{interval.value:.{digits}f} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def listed(names: Sequence[str]) -> str:
    """Join names for a sentence: "a, b and c"."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
