"""TODO."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import decisions, models, stats
from prunelab.decisions import NotCoveredError
from prunelab.records import to_frame
from prunelab.stats import t_interval

KNEE_KEY = ("data", "model", "method")

KNEE_COLUMNS = {
    "data": "data set",
    "model": "spec of the net",
    "method": "which weights are removed, and how",
    "seeds": "nets measured",
    "seeds_with_knee": "nets whose error ever exceeds the unpruned error by 20 points",
    "knee_percent": "sparsity at the knee, mean over seeds; may be empty where a seed has none [%]",
    "knee_low": "lower end of its 95 % t interval; may be empty [%]",
    "knee_high": "upper end of its 95 % t interval; may be empty [%]",
    "largest_sparsity_percent": "largest sparsity measured, mean over seeds [%]",
}


@dataclass(frozen=True, kw_only=True)
class Knee:
    """Where the error of one model leaves the unpruned error behind under one method."""

    data: str
    model: str
    method: str
    seeds: int
    seeds_with_knee: int
    knee_percent: float | None
    knee_low: float | None
    knee_high: float | None
    largest_sparsity_percent: float


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


KNEE = 20.0  # points of error above the baseline, "knee" in claims.yml


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


def knee_table(table: DataFrame) -> DataFrame:
    """Find the knee of every curve of error against sparsity, per model and method.

    The knee is the smallest sparsity at which the error exceeds the unpruned one by 20 points, interpolated linearly
    between measured settings.

    Args:
        table: a threshold sweep or a comparison with percentiles, as `prunelab.studies.sparseness` makes them.

    Returns:
        One row a model and method; columns as `KNEE_COLUMNS` says.
    """
    rows = []
    for names, part in table.groupby(["data", "model", "method"], sort=False):
        data, model, method = map(str, names)
        knees = np.asarray(knees_of(part, method), dtype=float)
        whole = t_interval(knees) if np.isfinite(knees).all() else None
        rows.append(
            Knee(
                data=data,
                model=model,
                method=method,
                seeds=len(knees),
                seeds_with_knee=int(np.isfinite(knees).sum()),
                knee_percent=whole.value if whole else None,
                knee_low=whole.low if whole else None,
                knee_high=whole.high if whole else None,
                largest_sparsity_percent=float(100 * part.groupby("seed")["sparsity"].max().mean()),
            )
        )
    return to_frame(rows, KNEE_KEY)


def named(table: DataFrame) -> list[tuple[str, DataFrame]]:
    """Give each model's rows under a short name: its activation, or its spec where activations repeat."""
    specs = list(dict.fromkeys(table["model"]))
    short = {spec: "-".join(dict.fromkeys(models.parse(spec).activations)) for spec in specs}
    names = short if len(set(short.values())) == len(specs) else {spec: spec for spec in specs}
    return [(names[spec], table[table["model"] == spec]) for spec in specs]


def knees_of(rows: DataFrame, method: str) -> list[float]:
    """Give the knee of each seed in percent sparsity, NaN where its error never rises that far."""
    return decisions.per_seed(rows, lambda part: curve(part, method).rise(KNEE))
