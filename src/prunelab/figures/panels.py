"""What the figures on mean replacement share: grids, axes for penalties of either sign, bands, and one legend."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)
from matplotlib.transforms import Transform
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame

from prunelab.figures.style import INK, Line
from prunelab.stats import LEVEL, Interval, t_interval

BAND = "Line: mean over seeds; band: 95 % t interval."


CUT = "Bands are cut off at the edges."


WIDTH = 7.8  # inches, as wide as a page of the book


_DECADES = 4  # shown of values above 0


_APART = {"x": 0.5, "y": 0.21}  # inches between the middles of two numbers


_DASHED = (0, (4, 2))  # without replacement


_MARKS = 9  # markers along a curve


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def grid(titles: Sequence[str], *, columns: int, height: float, same: bool = True) -> tuple[Figure, list[Axes]]:
    """Lay out one titled panel a subject, row by row, as wide as a page of the book.

    Args:
        titles: one a panel; an empty place is left out.
        columns: panels in a row.
        height: of a row, inches.
        same: whether all panels share their axes, which are then numbered at the left and at the bottom only.

    Returns:
        The figure and its panels, in order.
    """
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    layout = ConstrainedLayoutEngine(h_pad=0.05, w_pad=0.05)
    figure, every = plt.subplots(
        rows, columns, figsize=(WIDTH, height * rows + 0.5), squeeze=False, layout=layout, sharex=same, sharey=same
    )
    axes = list(every.flat)
    for extra in axes[len(titles) :]:
        extra.remove()
    for place, (axis, title) in enumerate(zip(axes, titles, strict=False)):
        size = 9 if columns > 3 else 10
        wide = int(72 * WIDTH / columns / (0.62 * size))  # letters of about this width
        lines = [line for part in title.split("\n") for line in textwrap.wrap(part, wide)]
        axis.set_title("\n".join(lines), loc="left", fontsize=size)
        if same and place + columns >= len(titles):  # the last of its column, though a place beneath may be left out
            axis.tick_params(labelbottom=True)
    return figure, axes[: len(titles)]


def columns_for(panels: int) -> int:
    """Say how many panels stand in a row, so that few places stay empty: three, four where there are many."""
    return {1: 1, 2: 2, 4: 2}.get(panels, 4 if panels > 6 else 3)


def outer(axes: Sequence[Axes], *, columns: int, xlabel: str, ylabel: str) -> None:
    """Label the panels at the left and those with none beneath."""
    columns = min(columns, len(axes))
    for place, axis in enumerate(axes):
        if place % columns == 0:
            axis.set_ylabel(ylabel)
        if place + columns >= len(axes):
            axis.set_xlabel(xlabel)


def penalty_axis(axes: Sequence[Axes], values: ArrayLike, *, inches: float, both: bool = False) -> None:
    """Scale panels alike for penalties that span orders and may be negative.

    The scale is logarithmic; where values at or below 0 occur it is so on both sides of a linear stretch around 0,
    which is marked by a line.

    Args:
        axes: the panels; their vertical axes, or both.
        values: all that is to be seen, any shape, at least one finite.
        inches: about how long the axes are, which says how many numbers they have room for.
        both: whether the horizontal axes show penalties too.
    """
    array: NDArray[np.float64] = np.asarray(values, dtype=float).ravel()
    array = array[np.isfinite(array)]
    threshold = _threshold(array) if array.min() <= 0 else None
    lowest, highest = float(array.min()), float(array.max() if threshold is None else max(array.max(), 0.0))
    for axis in axes:
        for side in ("x", "y") if both else ("y",):
            one = getattr(axis, f"{side}axis")
            if threshold is None:
                getattr(axis, f"set_{side}scale")("log")
            else:
                getattr(axis, f"set_{side}scale")("symlog", linthresh=threshold, linscale=0.7)
                (axis.axhline if side == "y" else axis.axvline)(0, color=INK, linewidth=0.6, zorder=1)
            to_scale = one.get_transform()
            low, high = to_scale.transform(np.array([lowest, highest]))
            # Where it is linear around 0, the scale counts in units of the threshold.
            room = 0.06 * max(high - low, 0.3 * (threshold or 1.0))
            ends = np.array([low - room, high + room])
            getattr(axis, f"set_{side}lim")(*to_scale.inverted().transform(ends))
            ticks = _ticks(ends, to_scale, threshold, gap=_APART[side] / inches)
            one.set_major_locator(FixedLocator(ticks))
            one.set_major_formatter(FixedFormatter([number(tick) for tick in ticks]))
            one.set_minor_locator(NullLocator())


def step_axis(axis: Axes, ticks: int = 4) -> None:
    """Number training steps, a few only."""
    axis.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, min_n_ticks=2))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def mean_curve(
    axis: Axes, rows: DataFrame, x: str, y: str, *, line: Line, replaced: bool = True, level: float = LEVEL
) -> list[float]:
    """Draw the mean of a column over seeds with its t interval as a band.

    Args:
        axis: where.
        rows: columns `x`, `y` and `seed`; rows that share `x` are averaged, within a seed first.
        x: column of the horizontal axis.
        y: column of the vertical axis.
        line: colour, marker and dash.
        replaced: drawn by the line's dash and filled markers, else dashed and with open ones.
        level: of the interval, (0, 1).

    Returns:
        The means drawn.
    """
    by_seed = rows.dropna(subset=[y]).groupby([x, "seed"])[y].mean()
    points = [(at, t_interval(own.to_numpy(), level=level)) for at, own in by_seed.groupby(level=x)]
    if not points:
        return []
    xs, intervals = [float(str(at)) for at, _ in points], [interval for _, interval in points]
    means = [interval.value for interval in intervals]
    lows, highs = [interval.low for interval in intervals], [interval.high for interval in intervals]
    if not np.isnan(lows).all():  # one seed has no interval
        axis.fill_between(xs, lows, highs, color=line.colour, alpha=0.11, linewidth=0)
    axis.plot(
        xs,
        means,
        color=line.colour,
        marker=line.marker,
        markersize=4,
        markevery=-(-len(xs) // _MARKS),
        markerfacecolor=line.colour if replaced else "white",
        linestyle=line.dash if replaced else _DASHED,
        linewidth=1.3,
    )
    return means


def number(value: float) -> str:
    """Write a power of ten, or its negative, as a label: 0.01, but 10⁻⁴."""
    if value == 0:
        return "0"
    exponent = round(float(np.log10(abs(value))))
    sign = "−" if value < 0 else ""
    if abs(value) >= 0.001 and exponent < 5:
        return f"{sign}{abs(value):,.10g}"
    leading = abs(value) / 10.0**exponent
    factor = "" if np.isclose(leading, 1) else f"{leading:g}·"
    return f"{sign}{factor}10{str(exponent).translate(_SUPERSCRIPTS)}"


def _threshold(array: NDArray[np.float64]) -> float:
    """Return the power of ten below which a scale is linear: few values lie there, and not too many decades above."""
    sizes = np.abs(array[array != 0])
    if not len(sizes):
        return 1.0
    least = max(float(np.quantile(sizes, 0.1)), float(sizes.max()) / 10**_DECADES)
    return float(10 ** np.floor(np.log10(least) + 1e-9))


def _ticks(ends: NDArray[np.float64], to_scale: Transform, threshold: float | None, *, gap: float) -> list[float]:
    """List powers of ten within the ends of an axis, as many as stay apart by a share of it, 0 among them.

    Args:
        ends: of the axis, in its scale.
        to_scale: takes a value to the scale.
        threshold: below which the scale is linear; absent where it is logarithmic throughout.
        gap: between two ticks, as a share of the axis.
    """
    low, high = to_scale.inverted().transform(ends)
    largest = int(np.floor(np.log10(max(abs(low), abs(high)))))
    if threshold is None:
        smallest = int(np.floor(np.log10(low)))
        one_sided = [[10.0**n for n in range(largest, smallest - 1, -every)] for every in range(1, 12)]
        finer = [[f * 10.0**n for n in range(smallest, largest + 1) for f in fine] for fine in ((1, 2, 5), (1, 3))]
        choices = [*finer, *one_sided]
    else:
        smallest = round(float(np.log10(threshold)))
        choices = []
        for every in range(1, 12):
            for first in range(largest, max(largest - every, smallest) - 1, -1):
                powers = [10.0**n for n in range(first, smallest - 1, -every)]
                choices.append(sorted([0.0, *powers, *(-power for power in powers)]))
    best: list[float] = [0.0] if threshold is not None else []
    for choice in choices:
        inside = sorted(tick for tick in choice if low <= tick <= high)
        steps = np.diff(to_scale.transform(np.array(inside))) / (ends[1] - ends[0])
        if len(inside) > len(best) and (len(steps) == 0 or steps.min() >= gap):
            best = inside
    return best


# Accuracies an axis may name, those that matter most first: the others only where there is room.
_ACCURACIES = (90, 99, 98, 95, 80, 97, 50, 70, 96, 60, 85, 93, 20, 97.5, 98.5, 99.5, 0, 40)


_ENOUGH = 3  # numbers on an axis, without naming tenths


_TENTHS = tuple(tenth / 10 for tenth in range(900, 999))


_TOP = 99.9  # % accuracy; the scale has no end at 100


def said(interval: Interval, digits: int = 2) -> str:
    """Say a mean with its interval in words."""
    if interval.n < 2:
        return f"{interval.value:.{digits}f}"
    return f"{interval.value:.{digits}f} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


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


BARS = "Bars: 95 % t interval over seeds."


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


def shifts(n: int) -> list[float]:
    """Give places side by side around the middle for n things drawn of one net."""
    return [0.16 * (place - (n - 1) / 2) for place in range(n)]
