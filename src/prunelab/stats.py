"""Intervals over seeds, paired tests, and what is read off one curve of error against sparsity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
SIGNIFICANCE = 0.05

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its confidence interval; `low` and `high` are NaN where one value gives none."""

    value: float
    low: float
    high: float
    n: int  # values behind the estimate, seeds as a rule
    level: float  # confidence, (0, 1)
    method: str


def t_interval(values: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Give the mean and its Student t interval, mean ± t · s / √n with n − 1 degrees of freedom.

    Args:
        values: shape (n,), n >= 1, independent (one per seed).
        level: confidence, (0, 1).

    Returns:
        The interval; with one value its bounds are NaN.

    Raises:
        ValueError: there is no value, one is not finite, or the level is out of range.
    """
    sample = _sample(values)
    _check_level(level)
    mean, n = float(sample.mean()), len(sample)
    if n == 1:
        return Interval(value=mean, low=np.nan, high=np.nan, n=1, level=level, method="t")
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * float(sample.std(ddof=1)) / np.sqrt(n)
    return Interval(value=mean, low=float(mean - half), high=float(mean + half), n=n, level=level, method="t")


def paired(a: ArrayLike, b: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Give the mean of the paired differences a − b, with its t interval.

    Args:
        a: shape (n,), one value per seed.
        b: shape (n,), of the same seeds in the same order.
        level: confidence, (0, 1).

    Raises:
        ValueError: the lengths differ, or as `t_interval`.
    """
    first, second = _sample(a), _sample(b)
    if len(first) != len(second):
        raise ValueError(f"paired values come from the same seeds; got {len(first)} and {len(second)}")
    return t_interval(first - second, level=level)


def sign_test(differences: ArrayLike) -> float:
    """Test whether differences tend to be positive: one-sided p of a fair coin giving as many or more.

    Args:
        differences: shape (n,); zeros carry no sign and are left out.

    Returns:
        p in (0, 1]; 1 where every difference is zero.

    Raises:
        ValueError: there is no difference, or one is not finite.
    """
    sample = _sample(differences)
    signed = sample[sample != 0]
    if len(signed) == 0:
        return 1.0
    return float(stats.binomtest(int((signed > 0).sum()), len(signed), 0.5, alternative="greater").pvalue)


def sign_test_minimum(significance: float = SIGNIFICANCE) -> int:
    """Return the fewest differences with which the one-sided sign test can fall below `significance`.

    Raises:
        ValueError: `significance` is not in (0, 1).
    """
    if not 0 < significance < 1:
        raise ValueError(f"significance is a probability in (0, 1); got {significance!r}")
    n = 1
    while 0.5**n >= significance:
        n += 1
    return n


def kendall_tau(a: ArrayLike, b: ArrayLike) -> float:
    """Return Kendall's rank correlation tau-b of two orders, in [−1, 1]; NaN where one of them is all ties.

    Args:
        a: shape (n,), n >= 2.
        b: shape (n,).

    Raises:
        ValueError: the lengths differ, are below 2, or a value is not finite.
    """
    first, second = _sample(a), _sample(b)
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"two orders of the same two or more things; got {len(first)} and {len(second)} values")
    return float(stats.kendalltau(first, second).statistic)


def crossing(x: ArrayLike, y: ArrayLike, level: float) -> float:
    """Return where the piecewise-linear curve through (x, y) first exceeds a level; NaN if it never does.

    Args:
        x: shape (n,), non-decreasing.
        y: shape (n,).
        level: in units of y.

    Raises:
        ValueError: x decreases, lengths differ, or a value is not finite.
    """
    xs, ys = _curve(x, y)
    above = np.flatnonzero(ys > level)
    if len(above) == 0:
        return float("nan")
    i = int(above[0])
    if i == 0:
        return float(xs[0])
    return float(xs[i - 1] + (level - ys[i - 1]) / (ys[i] - ys[i - 1]) * (xs[i] - xs[i - 1]))


def area(x: ArrayLike, y: ArrayLike, upto: float) -> float:
    """Integrate the piecewise-linear curve through (x, y) from its first x to `upto` (trapezoids).

    Args:
        x: shape (n,), non-decreasing.
        y: shape (n,).
        upto: within the range of x; the curve is interpolated there.

    Raises:
        ValueError: `upto` is outside the curve, or as `crossing`.
    """
    xs, ys = _curve(x, y)
    end = at(xs, ys, upto)
    inside = xs <= upto
    return float(np.trapezoid(np.append(ys[inside], end), np.append(xs[inside], upto)))


def at(x: ArrayLike, y: ArrayLike, x0: float) -> float:
    """Interpolate the curve through (x, y) linearly at `x0`; where x repeats, the later point counts.

    Args:
        x: shape (points,), non-decreasing.
        y: shape (points,).
        x0: within the range of x.

    Raises:
        ValueError: `x0` is outside the curve, or as `crossing`.
    """
    xs, ys = _curve(x, y)
    if not xs[0] <= x0 <= xs[-1]:
        raise ValueError(f"a curve is not extended beyond its points, {xs[0]:g} to {xs[-1]:g}; got {x0!r}")
    return float(np.interp(x0, xs, ys))


def _sample(values: ArrayLike) -> Array:
    """Return values as a checked one-dimensional float array."""
    sample: Array = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) == 0:
        raise ValueError(f"statistics need a flat list of at least one value; got shape {sample.shape}")
    if not np.isfinite(sample).all():
        raise ValueError(
            f"statistics need finite values; got {sample[~np.isfinite(sample)][0]}; drop failed runs first"
        )
    return sample


def _curve(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return a checked curve."""
    xs, ys = _sample(x), _sample(y)
    if len(xs) != len(ys):
        raise ValueError(f"a curve has one y for each x; got {len(xs)} and {len(ys)}")
    if (np.diff(xs) < 0).any():
        raise ValueError(f"the x of a curve do not decrease; got {xs[:-1][np.diff(xs) < 0][0]:g} too early; sort them")
    return xs, ys


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        hint = f"; did you mean {level / 100:g}?" if 1 < level < 100 else ""
        raise ValueError(f"the level of an interval is a probability in (0, 1); got {level!r}{hint}")
