"""The rules that decide the claims on what pruning does to a net's outputs, as worded in `claims.yml`.

Each takes the rows of one subject (one model on one data set, all seeds), those of "layers" with the columns of
"posteriors" beside them. Where the data do not reach what a rule needs, the outcome is inconclusive and says why.

"Short of the abs knee" are the thresholds below the first at which abs pruning errs more than baseline + 20 points.
The largest of them is a net's *reference threshold*, at which the three signs are compared.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import claims, decisions, models, stats
from prunelab.claims import Columns, Rule
from prunelab.decisions import Decision, Outcome, all_of, decide, joint
from prunelab.studies.common import curves

STUDY = "outputs"
# Where one-sign pruning moves pre-activations: without positive weights down, without negative ones up.
DIRECTIONS = {"positive": -1, "negative": 1}

_SETTING = ("data", "model", "seed", "method", "threshold")
_POSTERIORS = ("rank_correlation", "top1_agreement", "error_percent", "baseline_error_percent")
_COLUMNS = {
    "layers": Columns(key=(*_SETTING, "layer"), measured=("depth", "mean_shift", "spread", "saturated", "fixed")),
    "posteriors": Columns(key=_SETTING, measured=_POSTERIORS),
}


def verdicts(
    tables: Mapping[str, DataFrame], *, where: Mapping[str, str], known: Sequence[claims.Claim] | None = None
) -> list[claims.Verdict]:
    """Decide every claim of the study, subject by subject.

    Args:
        tables: "layers" and "posteriors", of the same nets and settings.
        where: the same names -> the path verdicts point to.
        known: the claims; those published when absent.
    """
    both = joined(tables)
    return claims.decide(STUDY, _RULES, dict.fromkeys(_COLUMNS, both), where=where, sort=False, known=known)


def joined(tables: Mapping[str, DataFrame]) -> DataFrame:
    """Put each setting's posteriors beside its layers.

    Raises:
        ValueError: a table is missing, empty or lacks columns, or the two are not of the same settings.
    """
    if missing := [name for name in _COLUMNS if name not in tables]:
        raise ValueError(f"the rules read the tables {list(_COLUMNS)}; {missing[0]} is missing")
    layers, posteriors = (claims.checked(name, tables[name], _COLUMNS) for name in _COLUMNS)
    setting = list(_SETTING)
    both = layers.merge(
        posteriors[[*setting, *_POSTERIORS]], on=setting, how="outer", validate="many_to_one", indicator="found"
    )
    if (both["found"] != "both").any():
        odd = both[both["found"] != "both"].iloc[0]
        named = ", ".join(f"{column}={odd[column]!s}" for column in _SETTING)
        raise ValueError(f"layers and posteriors hold the same settings; {named} is in one of them; of two runs?")
    return both.drop(columns="found")


def reference_threshold(rows: DataFrame) -> float:
    """Return one seed's largest threshold short of the abs knee.

    Raises:
        NotCoveredError: no threshold lies short of the knee, or none beyond it.
    """
    return _short_of_knee(rows)[-1]


def abs_concentrates(table: DataFrame) -> Outcome:
    """Hold the output layer under abs pruning, at every threshold short of the knee, to a small shift and spread.

    The largest absolute mean shift stays below 0.25 standard deviations, the largest ratio of spreads below 1.
    """

    def largest(rows: DataFrame) -> tuple[float, float]:
        at = pd.concat([_at(rows, "abs", threshold) for threshold in _short_of_knee(rows)])
        last = at[at["depth"] == rows["depth"].max()]
        return float(last["mean_shift"].abs().max()), float(last["spread"].max())

    found = np.array(decisions.per_seed(table, largest))  # (seeds, 2)
    return joint(
        {
            "shift": decide(stats.t_interval(found[:, 0]), side="below", bound=0.25, unit="standard deviations"),
            "spread": decide(stats.t_interval(found[:, 1]), side="below", bound=1.0, unit="of the unpruned spread"),
        }
    )


def one_sign_shifts(table: DataFrame) -> Outcome:
    """Hold the hidden layers' mean shifts at the reference threshold to the sign's direction, growing with depth.

    Of each sign: the smallest shift over the hidden layers, counted in the sign's direction, is above 0, and
    Spearman's correlation of its magnitude with depth above 0.7.
    """
    parts, least = {}, []
    for sign, direction in DIRECTIONS.items():
        found = decisions.per_seed(table, functools.partial(_shifts, sign=sign, direction=direction))
        smallest, growth = (stats.t_interval([one[place] for one in found]) for place in (0, 1))
        unit = "standard deviations"
        parts[f"direction of {sign}"] = decide(smallest, side="above", bound=0.0, unit=unit)
        parts[f"growth of {sign}"] = decide(growth, side="above", bound=0.7, unit="Spearman over layers")
        least.append(f"{' or '.join(sorted({layer for _, _, layer in found}))} under {sign}")
    outcome = joint(parts)
    return replace(outcome, reason=f"{outcome.reason}; smallest shift: {', '.join(least)}")


def saturation(table: DataFrame) -> Outcome:
    """Hold the saturated share of the last hidden layer under each sign to at least twice that under abs.

    At the reference threshold; for ReLU the share of units that are dead or linear only. The ratio's interval is that
    of its logarithm over seeds. A share below half a unit counts as half a unit, so that there is a ratio.
    """
    spec = models.parse(str(table["model"].iloc[0]))
    relu = spec.activations[-1] == "relu"
    column, floor = "fixed" if relu else "saturated", 0.5 / spec.widths[-1]

    def shares(rows: DataFrame) -> tuple[float, ...]:
        last_hidden = rows[rows["depth"] == rows["depth"].max() - 1]
        if len(last_hidden) == 0:
            raise decisions.NotCoveredError("the net has no hidden layer")
        at = reference_threshold(rows)
        return tuple(float(_at(last_hidden, method, at)[column].iloc[0]) for method in ("abs", *DIRECTIONS))

    found = np.array(decisions.per_seed(table, shares))  # (seeds, 3)
    counted = np.maximum(found, floor)
    unit = "times the abs share of " + ("dead or linear-only units" if relu else "saturated outputs")
    parts = {}
    for place, sign in enumerate(DIRECTIONS, start=1):
        logs = stats.t_interval(np.log(counted[:, place] / counted[:, 0]))
        value, low, high = (float(np.exp(end)) for end in (logs.value, logs.low, logs.high))
        ratio = replace(logs, value=value, low=low, high=high, method="t of the logarithm")
        parts[sign] = decide(ratio, side="at least", bound=2.0, unit=unit)
    outcome = joint(parts)
    means = ", ".join(f"{100 * share:.3g} %" for share in found.mean(0))
    note = f"; shares below half a unit ({100 * floor:.2g} %) count as that" if (found < floor).any() else ""
    return replace(outcome, reason=f"{outcome.reason}; shares under abs, {', '.join(DIRECTIONS)}: {means}{note}")


def order_destroyed(table: DataFrame) -> Outcome:
    """Hold the posteriors' rank correlation to at least 0.8 under abs and below 0.5 under each sign.

    At the reference threshold; the share of frames with the unpruned net's best state is larger under abs.
    """

    def kept(rows: DataFrame) -> list[tuple[float, float]]:
        at = reference_threshold(rows)
        settings = [_at(rows, method, at).iloc[0] for method in ("abs", *DIRECTIONS)]
        return [(float(one["rank_correlation"]), float(one["top1_agreement"])) for one in settings]

    found = np.array(decisions.per_seed(table, kept))  # (seeds, 3, 2)
    unit = "rank correlation"
    parts = {"abs": decide(stats.t_interval(found[:, 0, 0]), side="at least", bound=0.8, unit=unit)}
    for place, sign in enumerate(DIRECTIONS, start=1):
        parts[sign] = decide(stats.t_interval(found[:, place, 0]), side="below", bound=0.5, unit=unit)
    for place, sign in enumerate(DIRECTIONS, start=1):
        lead = stats.paired(found[:, 0, 1], found[:, place, 1])
        parts[f"agreement, abs - {sign}"] = decide(lead, side="above", bound=0.0, unit="of the frames")
    return joint(parts)


def every_activation(table: DataFrame) -> Outcome:
    """Count which of the four claims above hold for this net; the rule wants all of them."""
    four = {name: _decision(rule, table) for name, rule in _FOUR.items()}
    holding = [name for name, verdict in four.items() if verdict == "reproduced"]
    count, seeds = float(len(holding)), table["seed"].nunique()
    effect = stats.Interval(value=count, low=np.nan, high=np.nan, n=seeds, level=stats.LEVEL, method="count")
    others = ", ".join(f"{name} is {verdict}" for name, verdict in four.items() if name not in holding)
    reason = f"{len(holding)} of {len(four)} claims hold" + (f"; {others}" if others else "")
    return Outcome(
        verdict=all_of(*four.values()), effect=effect, unit="of 4 claims", margin=count - len(four), reason=reason
    )


_FOUR = {
    "abs-concentrates": abs_concentrates,
    "one-sign-shifts": one_sign_shifts,
    "saturation": saturation,
    "order-destroyed": order_destroyed,
}
_RULES = {
    name: Rule(table="posteriors" if name == "order-destroyed" else "layers", decide=rule)
    for name, rule in {**_FOUR, "every-activation": every_activation}.items()
}


def _short_of_knee(rows: DataFrame) -> list[float]:
    """Return one seed's thresholds above 0 short of the abs knee, ascending; there are some, and some beyond."""
    both = rows[rows["method"] == "abs"].drop_duplicates("threshold").sort_values("threshold")
    beyond = both["error_percent"].to_numpy() > curves.baseline(rows) + curves.KNEE
    if not beyond.any():
        raise decisions.NotCoveredError(
            f"the error under abs pruning never exceeds baseline + {curves.KNEE:g} points; measure higher thresholds"
        )
    short = both["threshold"].to_numpy()[: int(beyond.argmax())]
    if not (short > 0).any():
        raise decisions.NotCoveredError("no threshold was measured short of the abs knee; measure lower thresholds")
    return [float(threshold) for threshold in short if threshold > 0]


def _at(rows: DataFrame, method: str, threshold: float) -> DataFrame:
    """Return one method's rows at one threshold; there must be some."""
    chosen = rows[(rows["method"] == method) & (rows["threshold"] == threshold)]
    if len(chosen) == 0:
        raise decisions.NotCoveredError(f"{method} pruning was not measured at threshold {threshold:g}")
    return chosen


def _shifts(rows: DataFrame, *, sign: str, direction: int) -> tuple[float, float, str]:
    """Return one seed's smallest shift in the direction over hidden layers, its growth with depth, and that layer."""
    at = _at(rows, sign, reference_threshold(rows))
    hidden = at[at["depth"] < rows["depth"].max()]
    if len(hidden) < 2:
        raise decisions.NotCoveredError(
            f"growth over layers needs at least two hidden layers; the net has {len(hidden)}"
        )
    growth = hidden["mean_shift"].abs().rank().corr(hidden["depth"].rank())
    # Magnitudes that are all alike have no order: they do not grow.
    shifts = (direction * hidden["mean_shift"]).to_numpy()
    layer = str(hidden["layer"].iloc[int(shifts.argmin())])
    return float(shifts.min()), 0.0 if np.isnan(growth) else float(growth), layer


def _decision(rule: Callable[[DataFrame], Outcome], rows: DataFrame) -> Decision:
    """Apply a rule to one subject; data that do not cover what it needs leave the claim open."""
    try:
        return rule(rows).verdict
    except decisions.NotCoveredError:
        return "inconclusive"
