"""How an effect over seeds decides a claim about one subject."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
