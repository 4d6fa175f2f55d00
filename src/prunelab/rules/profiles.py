"""Performance profiles of methods over many measurements: how often a method comes how close to the best.

A measurement i has one penalty a method. Its threshold t_i(T) = min_i · T + max_i · (1 − T) goes from the penalty of
its worst method (T = 0) to that of its best (T = 1); the profile of a method at T is the share of measurements in which
its penalty is at most t_i(T).

The source counts penalties *smaller* than the threshold. At most is taken here, so that the best method reaches 1 at
T = 1, where none is smaller; but for measurements in which all methods tie, the two differ at single points T only and
have the same area. Where all tie, every method is the best and counts at every T; smaller would count none.

Source: "Mean Replacement Pruning" (OpenReview BJxRVnC5Fm), caption of figure 5.
"""

import numpy as np
from numpy.typing import ArrayLike

from prunelab.stats import Array


def reached(penalties: ArrayLike) -> Array:
    """Return the largest T at which each penalty is within its threshold, (max_i − penalty) / (max_i − min_i).

    Args:
        penalties: shape (measurements, methods), at least one of each, in any unit.

    Returns:
        The same shape, in [0, 1]: 1 for the best method of a measurement, 0 for the worst; all 1 where all tie.

    Raises:
        ValueError: the shape is another, or a penalty is not finite.
    """
    values: Array = np.asarray(penalties, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a profile needs penalties of shape (measurements, methods); got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"a profile needs finite penalties; got {values[~np.isfinite(values)][0]}; drop failed runs")
    worst, best = values.max(axis=1, keepdims=True), values.min(axis=1, keepdims=True)
    tied = worst == best
    return np.where(tied, 1.0, (worst - values) / np.where(tied, 1.0, worst - best))


def profile(penalties: ArrayLike, t: ArrayLike) -> Array:
    """Return the profile of each method: the share of measurements in which it is within the threshold.

    Args:
        penalties: as for `reached`.
        t: shape (points,), the interpolation constants T in [0, 1].

    Returns:
        Shape (points, methods), in [0, 1]: 1 at T = 0, not increasing in T.

    Raises:
        ValueError: a constant is outside [0, 1], or as `reached`.
    """
    constants: Array = np.asarray(t, dtype=np.float64)
    if constants.ndim != 1 or not ((constants >= 0) & (constants <= 1)).all():
        raise ValueError(f"a profile is read at a flat list of T in [0, 1]; got {t!r}")
    within = reached(penalties)[None] >= constants[:, None, None]  # (points, measurements, methods)
    shares: Array = within.mean(axis=1)
    return shares


def areas(penalties: ArrayLike) -> Array:
    """Return the area under the profile of each method over T in [0, 1], exactly.

    A measurement is within the threshold up to the T that `reached` gives and adds that to the area, so the area is
    the mean of it over measurements.

    Args:
        penalties: as for `reached`.

    Returns:
        Shape (methods,), in [0, 1].
    """
    means: Array = reached(penalties).mean(axis=0)
    return means
