"""Error against sparsity of pruned nets: what names their rows, the curves, and the knees of the curves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated as A

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import stats
from prunelab.decisions import NotCoveredError
from prunelab.summaries import over_seeds
from prunelab.tables import Table

KNEE = 20.0  # points of error above the baseline, "knee" in claims.yml


class PrunedNet(Table):
    """The columns that name a net that is pruned."""

    data: A[str, "data set"]
    data_id: A[str, "content id of the data set"]
    model: A[str, "spec of the net"]
    seed: A[int, "seed of the net"]


class Setting(Table):
    """One threshold, one sign or both."""

    method: A[str, "abs, positive or negative: the sign of the weights removed"]
    threshold: A[float, "weights of smaller magnitude are removed [weight units]"]
    scale: A[float, "the threshold in units of the root mean square weight, mean over the nets of this model"]


class Nets(Table):
    """The columns that name the nets of one model."""

    data: A[str, "data set"]
    model: A[str, "spec of the net"]


class Knees(Nets, key="data model method"):
    """Where the error of one model leaves the unpruned error behind under one method."""

    method: A[str, "which weights are removed, and how"]
    seeds: A[int, "nets measured"]
    seeds_with_knee: A[int, "nets whose error ever exceeds the unpruned error by 20 points"]
    knee_percent: A[float | None, "sparsity at the knee, mean over seeds; may be empty where a seed has none [%]"]
    knee_low: A[float | None, "lower end of its 95 % t interval; may be empty [%]"]
    knee_high: A[float | None, "upper end of its 95 % t interval; may be empty [%]"]
    largest_sparsity_percent: A[float, "largest sparsity measured, mean over seeds [%]"]


class Mean(Table):
    """A number of the nets of one model, over seeds."""

    value: A[float | None, "mean over seeds; may be empty where a seed has no such number [unit beside]"]
    low: A[float | None, "lower end of its 95 % t interval; may be empty [unit beside]"]
    high: A[float | None, "upper end of its 95 % t interval; may be empty [unit beside]"]
    unit: A[str, "of value, low and high; may be empty where it is a pure number"]
    seeds: A[int, "nets measured"]


class _Quantity(Nets):
    quantity: A[str, "what is measured"]


class MeanOfNets(Mean, _Quantity, key="data model quantity"):
    """What prose says of the nets of one model."""


def at_scale(table: DataFrame, threshold_scale: float) -> DataFrame:
    """Keep each model's rows at its threshold nearest to `threshold_scale` root mean square weights.

    Raises:
        ValueError: a scale that is negative or not finite.
    """
    if not (np.isfinite(threshold_scale) and threshold_scale >= 0):
        raise ValueError(
            f"threshold_scale is a finite number of root mean square weights, at least 0; got {threshold_scale}"
        )
    parts = []
    for _, rows in table.groupby(["data", "model"], sort=False):
        nearest = rows["threshold"].iloc[int((rows["scale"] - threshold_scale).abs().argmin())]
        parts.append(rows[rows["threshold"] == nearest])
    nearby: DataFrame = pd.concat(parts, ignore_index=True)
    return nearby


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


def curve(rows: DataFrame, method: str) -> Curve:
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


def baseline(rows: DataFrame) -> float:
    """Return the error of the unpruned net, in percent.

    Raises:
        ValueError: the rows of one seed name several.
    """
    named = rows["baseline_error_percent"].unique()
    if len(named) != 1:
        raise ValueError(f"the rows of one net and seed have one baseline; got {list(named)}; tables of two runs?")
    return float(named[0])


def largest_increase(rows: DataFrame, start: float, end: float) -> float:
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


def negative_lead(rows: DataFrame) -> tuple[float, float]:
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


def abs_wins(rows: DataFrame) -> float:
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


def by_seed(table: DataFrame, by: Sequence[str], measure: Callable[[DataFrame], Mapping[str, float]]) -> DataFrame:
    """Measure the rows of every group and seed: one row each, with the columns that `measure` gives."""
    names = [*by, "seed"]
    groups = table.groupby(names, sort=False)
    return DataFrame([dict(zip(names, of, strict=True)) | dict(measure(rows)) for of, rows in groups])


def means(rows: DataFrame, by: Sequence[str], units: Mapping[str, str]) -> DataFrame:
    """Give the columns named in `units` (quantity -> unit) as rows: `by`, the quantity and the cells of `Mean`."""
    parts = [
        over_seeds(rows, by, {quantity: ""}, gaps=True)
        .rename(columns={quantity: "value"})
        .assign(quantity=quantity, unit=unit)
        for quantity, unit in units.items()
    ]
    return pd.concat(parts, ignore_index=True)


def knees_by_seed(table: DataFrame, by: Sequence[str] = ("data", "model", "method")) -> DataFrame:
    """Give each net's knee under each method, empty where its error never rises that far, and its largest sparsity.

    The knee is the smallest sparsity at which the error exceeds the unpruned one by 20 points, interpolated linearly
    between measured settings.
    """

    def measure(rows: DataFrame) -> dict[str, float]:
        whole = curve(rows, str(rows["method"].iloc[0]))
        return {"knee_percent": whole.rise(KNEE), "largest_sparsity_percent": float(whole.sparsity.max())}

    return by_seed(table, by, measure)


def knee_table(table: DataFrame) -> DataFrame:
    """Find the knee of every curve of error against sparsity, per model and method: the table `Knees`."""
    key = ["data", "model", "method"]
    knees = knees_by_seed(table)
    found = over_seeds(knees, key, {"knee_percent": "knee_"}, means=["largest_sparsity_percent"], gaps=True)
    reached = knees.groupby(key, sort=False)["knee_percent"].count()
    return Knees.frame(found.assign(seeds_with_knee=reached.to_numpy()))


def _of(rows: DataFrame, method: str) -> DataFrame:
    """Return one method's rows; there must be some."""
    chosen = rows[rows["method"] == method]
    if len(chosen) == 0:
        raise NotCoveredError(f"{method} pruning was not measured")
    return chosen
