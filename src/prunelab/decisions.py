"""How an effect over seeds decides a claim about one subject."""

import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import pandas as pd

from prunelab.stats import LEVEL, Interval

Decision = Literal["reproduced", "partly", "not-reproduced", "inconclusive"]
Side = Literal["at most", "below", "at least", "above"]

_HOLDS: dict[Side, Callable[[float, float], bool]] = {
    "at most": operator.le,
    "below": operator.lt,
    "at least": operator.ge,
    "above": operator.gt,
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a rule says about one subject."""

    verdict: Decision
    effect: Interval
    unit: str
    margin: float  # distance of the effect from its bound, positive on the claim's side; NaN where there is no effect
    reason: str


def decide(effect: Interval, *, side: Side, bound: float, unit: str) -> Outcome:
    """Hold an effect against the bound a claim puts on it.

    An interval wholly on the claim's side of the bound reproduces it, wholly on the other side refutes it,
    and across the bound, or with fewer than two seeds, leaves it open.

    Args:
        effect: with its interval over seeds.
        side: where the claim puts the effect; "at most" and "at least" include the bound.
        bound: in the unit of the effect.
        unit: what follows the number in print, as "points of error".
    """
    sign = 1 if side in ("at least", "above") else -1
    margin = sign * (effect.value - bound)
    claimed = f"claimed {side} {bound:g}"
    if effect.n < 2:
        reason = f"{effect.value:.4g} {unit} from one seed, {claimed}; an interval needs at least two seeds"
        return Outcome(verdict="inconclusive", effect=effect, unit=unit, margin=margin, reason=reason)
    ends = [_HOLDS[side](end, bound) for end in (effect.low, effect.high)]
    verdict: Decision = "reproduced" if all(ends) else "inconclusive" if any(ends) else "not-reproduced"
    reason = f"{describe(effect, unit)}, {claimed}"
    return Outcome(verdict=verdict, effect=effect, unit=unit, margin=margin, reason=reason)


def undecided(reason: str, *, unit: str, n: int) -> Outcome:
    """Leave a claim open because the data do not cover what its rule needs.

    Args:
        reason: what is missing, and how to get it.
        unit: of the effect that could not be had.
        n: seeds at hand.
    """
    effect = Interval(value=math.nan, low=math.nan, high=math.nan, n=n, level=LEVEL, method="none")
    return Outcome(verdict="inconclusive", effect=effect, unit=unit, margin=math.nan, reason=reason)


def describe(effect: Interval, unit: str) -> str:
    """Write an effect out: "6.29 points of sparsity (95 % interval 5.9 to 6.7, 5 seeds)"."""
    return (
        f"{effect.value:.4g} {unit} ({effect.level * 100:g} % interval "
        f"{effect.low:.4g} to {effect.high:.4g}, {effect.n} seeds)"
    )


def all_of(*parts: Decision) -> Decision:
    """Decide a claim that says several things at once: reproduced if all are, not reproduced if any is not."""
    if "not-reproduced" in parts:
        return "not-reproduced"
    return "reproduced" if set(parts) == {"reproduced"} else "inconclusive"


_T = TypeVar("_T")


class NotCoveredError(Exception):
    """The measured settings do not reach what a rule needs; the message says what is missing."""


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


TOLERANCE = 0.05  # by which what should be equal between nets compared may differ, relative to the larger


def worst(parts: Mapping[str, Outcome]) -> Outcome:
    """Decide what is claimed of every layer or width alike; effect and reason are those of the worst that decides.

    Args:
        parts: name -> outcome, all in one unit.
    """
    verdict = all_of(*(part.verdict for part in parts.values()))
    deciding = {name: part for name, part in parts.items() if part.verdict == verdict}
    name = min(deciding, key=lambda name: deciding[name].margin)
    return replace(deciding[name], reason=f"worst of {len(parts)}, {name}: {deciding[name].reason}")


def joint(parts: Mapping[str, Outcome]) -> Outcome:
    """Decide a claim of several parts; the effect quoted is that of the first part that decides."""
    verdict = all_of(*(part.verdict for part in parts.values()))
    decisive = next(part for part in parts.values() if part.verdict == verdict)
    reason = "; ".join(f"{name}: {part.reason}" for name, part in parts.items())
    for word, kind in (("fails", "not-reproduced"), ("open", "inconclusive")):
        named = ", ".join(name for name, part in parts.items() if part.verdict == kind)
        reason += f"; {word}: {named}" if named else ""
    return replace(decisive, verdict=verdict, reason=reason)


def side_by_side(
    rows: pd.DataFrame, column: str, *, settings: Sequence[str], sides: Mapping[str, Sequence[object]]
) -> pd.DataFrame:
    """Lay out what was measured, the sides that are compared next to each other.

    Args:
        rows: one subject, all seeds; one row for each setting, seed and side.
        column: what was measured.
        settings: columns that say at which setting.
        sides: column -> its values that are compared; rows with others are left out.

    Returns:
        Shape (settings × seeds, sides): the settings that occur, sorted, each with every seed of `rows`; the columns
        are labelled by `sides`, in their order. Every cell is filled.

    Raises:
        NotCoveredError: a setting lacks a side or a seed; or no row is of these sides.
    """
    compared = {name: list(values) for name, values in sides.items()}
    chosen = rows[rows[list(sides)].isin(compared).all(axis=1)]
    if chosen.empty:
        named = " and ".join(f"{name} {', '.join(map(str, values))}" for name, values in sides.items())
        raise NotCoveredError(f"nothing was measured with {named}; the rule compares these")
    places, seeds = chosen[list(settings)].drop_duplicates(), sorted(rows["seed"].unique())
    every_place = sorted((*place, seed) for place in places.itertuples(index=False, name=None) for seed in seeds)
    every_side = list(itertools.product(*compared.values()))
    # What is missing becomes an empty cell.
    wide = chosen.pivot_table(column, index=[*settings, "seed"], columns=list(sides)).reindex(
        index=pd.MultiIndex.from_tuples(every_place, names=[*settings, "seed"]),
        columns=pd.MultiIndex.from_tuples(every_side) if len(sides) > 1 else [side for (side,) in every_side],
    )
    empty = np.argwhere(wide.isna().to_numpy())
    if len(empty):
        values = (*every_place[empty[0, 0]], *every_side[empty[0, 1]])
        labels = zip((*settings, "seed", *sides), values, strict=True)
        named = ", ".join(f"{name} {value}" for name, value in labels)
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise NotCoveredError(f"what is compared is measured alike, seed by seed; no {column} for {named}{more}")
    return wide


def every(parts: Mapping[str, Outcome]) -> Outcome:
    """Decide what is claimed of every score alike: the effect is that of the least favourable one that decides.

    Args:
        parts: score -> outcome, all in one unit and measured.

    Returns:
        The outcome; its reason names the scores for which the claim fails or stays open.
    """
    outcome = worst(parts)
    reason = outcome.reason
    for word, kind in (("fails", "not-reproduced"), ("open", "inconclusive")):
        named = ", ".join(name for name, part in parts.items() if part.verdict == kind)
        reason += f"; {word}: {named}" if named else ""
    return replace(outcome, reason=reason)
