"""What the rules of the connection-sparseness study read off one net: its curve of error against sparsity.

Sparsity is a fraction in the tables and a percentage here, so that differences of both are in points. A curve starts
at sparsity 0 with the error of the unpruned net and is linear between measured points.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from prunelab import stats

KNEE = 20.0  # points of error above the baseline, "knee" in claims.yml

_T = TypeVar("_T")


class NotCoveredError(Exception):
    """The measured settings do not reach what a rule needs; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Error against sparsity of one net under one method."""

    method: str
    sparsity: stats.Array  # (points,), percent, non-decreasing, from 0
    error: stats.Array  # (points,), percent
    baseline: float  # percent, the error at sparsity 0

    def rise(self, points: float) -> float:
        """Return the sparsity where the error first exceeds baseline + points; NaN if it never does."""
        return stats.crossing(self.sparsity, self.error, self.baseline + points)

    def needed_rise(self, points: float) -> float:
        """Return the same for a rule that cannot do without it.

        Raises:
            NotCoveredError: the error never gets there.
        """
        sparsity = self.rise(points)
        if np.isnan(sparsity):
            raise NotCoveredError(
                f"the error under {self.method} pruning never exceeds baseline + {points:g} points, measured up to "
                f"{self.sparsity[-1]:.1f} % sparsity; measure further"
            )
        return sparsity


def per_seed(table: pd.DataFrame, measure: Callable[[pd.DataFrame], _T]) -> list[_T]:
    """Measure each seed's rows, in the order of the seeds.

    Raises:
        NotCoveredError: a seed's rows do not reach what is measured; the message names the seed.
    """
    measured = []
    for seed, rows in table.groupby("seed", sort=True):
        try:
            measured.append(measure(rows))
        except NotCoveredError as gap:
            raise NotCoveredError(f"seed {seed}: {gap}") from None
    return measured


def curve(rows: pd.DataFrame, method: str) -> Curve:
    """Return the curve of one method from one seed's rows.

    Raises:
        NotCoveredError: the method was not measured.
    """
    points = _of(rows, method).sort_values("sparsity", kind="stable")
    start = baseline(rows)
    return Curve(
        method=method,
        sparsity=np.append(0.0, 100 * points["sparsity"].to_numpy(dtype=float)),
        error=np.append(start, points["error_percent"].to_numpy(dtype=float)),
        baseline=start,
    )


def baseline(rows: pd.DataFrame) -> float:
    """Return the error of the unpruned net, in percent.

    Raises:
        ValueError: the rows of one seed name several.
    """
    named = rows["baseline_error_percent"].unique()
    if len(named) != 1:
        raise ValueError(f"the rows of one net and seed have one baseline; got {list(named)}; tables of two runs?")
    return float(named[0])


def largest_increase(rows: pd.DataFrame, start: float, end: float) -> float:
    """Return the largest error above the baseline under abs pruning between two sparsities, in points.

    Taken at both ends and at the measured points between, where a piecewise-linear curve has its maximum.

    Args:
        rows: rows of one seed in "threshold-sweep".
        start: sparsity from which to look, percent.
        end: sparsity up to which to look, percent.

    Raises:
        NotCoveredError: the curve ends before `end`.
    """
    whole = curve(rows, "abs")
    if whole.sparsity[-1] < end:
        raise NotCoveredError(
            f"abs pruning was measured up to {whole.sparsity[-1]:.1f} % sparsity, short of {end:g} %; measure further"
        )
    inside = whole.error[(whole.sparsity >= start) & (whole.sparsity <= end)]
    ends = [stats.at(whole.sparsity, whole.error, sparsity) for sparsity in (start, end)]
    return float(max([*ends, *inside])) - whole.baseline


def negative_lead(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the mean differences negative − positive of error and of sparsity, in points, while the error rises.

    Paired over the thresholds where either error lies between baseline + 1 and baseline + 60 points.

    Raises:
        NotCoveredError: no threshold does.
    """
    both = _of(rows, "positive").merge(_of(rows, "negative"), on="threshold", suffixes=("_positive", "_negative"))
    low, high = baseline(rows) + 1, baseline(rows) + 60
    positive, negative = (both[f"error_percent_{sign}"] for sign in ("positive", "negative"))
    rising = positive.between(low, high) | negative.between(low, high)
    if not rising.any():
        raise NotCoveredError(
            f"no threshold at which both signs were measured has an error of {low:.1f} to {high:.1f} %; "
            "measure thresholds between"
        )
    sparsity = both["sparsity_negative"] - both["sparsity_positive"]
    return float((negative - positive)[rising].mean()), 100 * float(sparsity[rising].mean())


def abs_wins(rows: pd.DataFrame) -> float:
    """Return how often abs pruning errs less than one-sign pruning at one threshold, as a share of the cases.

    A case is a threshold and a sign whose error exceeds baseline + 5 points, with abs measured at that threshold.

    Raises:
        NotCoveredError: there is no case.
    """
    wins: list[bool] = []
    for sign in ("positive", "negative"):
        both = _of(rows, sign).merge(_of(rows, "abs"), on="threshold", suffixes=("_one", "_abs"))
        costly = both[both["error_percent_one"] > baseline(rows) + 5]
        wins += list(costly["error_percent_abs"] < costly["error_percent_one"])
    if not wins:
        raise NotCoveredError(
            "no threshold at which abs was measured too has a one-sign error above baseline + 5 points; "
            "measure higher thresholds"
        )
    return sum(wins) / len(wins)


def mean_gap(first: Curve, second: Curve) -> float:
    """Return the mean of first's error − second's over the sparsities both cover, in points of error.

    Raises:
        NotCoveredError: one of them has no sparsity above 0.
    """
    upto = float(min(first.sparsity[-1], second.sparsity[-1]))
    if upto <= 0:
        raise NotCoveredError(f"{first.method} and {second.method} pruning share no sparsity above 0; measure further")
    areas = [stats.area(side.sparsity, side.error, upto) for side in (first, second)]
    return (areas[0] - areas[1]) / upto


def _of(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return one method's rows; there must be some."""
    chosen = rows[rows["method"] == method]
    if len(chosen) == 0:
        raise NotCoveredError(f"{method} pruning was not measured")
    return chosen
