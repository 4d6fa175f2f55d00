"""Scales of axes and their numbers: penalties of either sign, weights removed, accuracies near 100 %, steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
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

from prunelab.figures.lines import INK

# Weights removed that an axis may name, %, as far as there is room.
_REMOVED = (0, 30, 50, 70, 80, 90, 95, 98, 99, 99.5, 99.7, 99.8, 99.9, 99.95, 99.99)
_BETWEEN = 0.08  # of the axis, between two of them

_DECADES = 4  # shown of values above 0
_APART = {"x": 0.5, "y": 0.21}  # inches between the middles of two numbers
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

# Accuracies an axis may name, those that matter most first: the others only where there is room.
_ACCURACIES = (90, 99, 98, 95, 80, 97, 50, 70, 96, 60, 85, 93, 20, 97.5, 98.5, 99.5, 0, 40)
_ENOUGH = 3  # numbers on an axis, without naming tenths
_TENTHS = tuple(tenth / 10 for tenth in range(900, 999))
_TOP = 99.9  # % accuracy; the scale has no end at 100


def log_axis(axis: Axes, sides: str = "y") -> None:
    """Make axes logarithmic, their numbers written out, a few to each decade; values at 0 lie below the edge.

    Args:
        axis: with everything drawn and its limits, if any, set.
        sides: "x", "y" or both, "xy".
    """
    for side in sides:
        getattr(axis, f"set_{side}scale")("log", nonpositive="clip")
        one = getattr(axis, f"{side}axis")
        low, high = sorted(one.get_view_interval())
        one.set_major_locator(LogLocator(subs=_subs(high / low)))
        one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        one.set_minor_formatter(NullFormatter())


def _subs(ratio: float) -> tuple[float, ...]:
    """Say which numbers of each decade an axis names, the fewer the more decades it spans."""
    if ratio > 200:
        return (1.0,)
    if ratio > 60:
        return (1.0, 3.0)
    return (1.0, 2.0, 5.0) if ratio > 12 else (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


def sparsity_axis(axis: Axes, removed: ArrayLike, *, ticks: Sequence[float] = _REMOVED) -> None:
    """Show the weights left on a logarithmic axis, fewest on the right, numbered by the share removed.

    Args:
        axis: with the weights left across, 100 - removed [%].
        removed: all shares of the weights that are drawn [%], below 100.
        ticks: shares that may be named, as far as they stand apart.
    """
    left = 100 - np.asarray(removed, dtype=float).ravel()
    high, low = 1.12 * float(left.max()), float(left.min()) / 1.12
    shown: list[float] = []
    for tick in sorted(set(ticks)):
        inside = low <= 100 - tick <= high
        if inside and (not shown or np.log((100 - shown[-1]) / (100 - tick)) > _BETWEEN * np.log(high / low)):
            shown.append(tick)
    axis.set_xscale("log")
    axis.set_xlim(high, low)
    axis.xaxis.set_major_locator(FixedLocator([100 - tick for tick in shown]))
    axis.xaxis.set_major_formatter(FixedFormatter([f"{tick:.4g}" for tick in shown]))
    axis.xaxis.set_minor_locator(NullLocator())


def percent_axis(axis: Axes, highest: float = 0.0) -> None:
    """Show errors from 0 to 100 %, and beyond where inserted words make more errors than there are words."""
    axis.set_ylim(0, 1.03 * max(100.0, highest))


def step_axis(axis: Axes, ticks: int = 4) -> None:
    """Number training steps, a few only."""
    axis.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, min_n_ticks=2))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


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
