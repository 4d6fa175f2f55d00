"""What a pruning is held to: how much it may cost, how small it must be, how fast."""

import math
from dataclasses import dataclass, fields

# A bound that allows says how far pruning may go; one that asks says how far it must.
ASKING = ("max_parameters", "max_bytes", "max_flops", "min_pruned", "max_latency_ms")
MEASURED = ("max_drop", "max_latency_ms")  # known up to chance; the others are counted


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Limits on one pruning, any of them, at least one.

    With c the weights that are kept (those of a shrunk net, without zeros):
    """

    max_drop: float | None = None  # rise of the metric's loss; accuracy: points lost, of 100
    max_parameters: int | None = None  # c and all biases and normalisation
    max_bytes: int | None = None  # values of all parameters, each tensor dense or in CSR, whichever is smaller
    max_flops: int | None = None  # operations of one example, 2 for each kept weight at each place it is used
    min_pruned: float | None = None  # 1 - c / weights of the dense net, [0, 1)
    max_pruned: float | None = None  # the same, [0, 1)
    max_latency_ms: float | None = None  # median of one call on one batch, of the form deployed

    def __post_init__(self) -> None:
        """Refuse limits that say nothing, or contradict each other."""
        given = self.given
        if not given:
            raise ValueError(f"a pruning is chosen by at least one bound of {', '.join(_names())}; got none")
        for name, limit in given.items():
            if name.endswith("pruned"):
                hint = f"; did you mean {limit / 100:g}?" if 1 < limit < 100 else ""
                if not 0 <= limit < 1:
                    raise ValueError(f"{name} is a fraction of the prunable weights, in [0, 1); got {limit!r}{hint}")
            elif not (math.isfinite(limit) and limit >= 0):
                raise ValueError(f"{name} is a finite number, at least 0; got {limit!r}")
        if self.min_pruned is not None and self.max_pruned is not None and self.min_pruned > self.max_pruned:
            raise ValueError(
                f"min_pruned is at most max_pruned; got {self.min_pruned!r} and {self.max_pruned!r}: swap them"
            )

    @property
    def given(self) -> dict[str, float]:
        """Give the limits that are set, by name, in the order of their declaration."""
        return {name: limit for name in _names() if (limit := getattr(self, name)) is not None}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One bound and what a pruning makes of it."""

    bound: str  # name of the limit, as in `Bounds`
    limit: float
    value: float  # measured
    upper: float | None  # one-sided upper confidence bound; None of what is counted
    held: bool


@dataclass(frozen=True, kw_only=True)
class Tested:
    """One pruning that was measured on the way to a decision."""

    bound: str
    level: int
    pruned: float  # fraction of the prunable weights, [0, 1)
    value: float
    upper: float  # what was held against the limit
    held: bool


class ImpossibleError(ValueError):
    """No pruning of a family meets a bound; the message says which one and how close it came."""

    def __init__(
        self, message: str, *, bound: str, limit: float, value: float, level: int, tested: tuple[Tested, ...]
    ) -> None:
        super().__init__(message)
        self.bound = bound
        self.limit = limit
        self.value = value  # the nearest to the limit that was reached; of a drop or latency its upper bound
        self.level = level  # where
        self.tested = tested  # all that was measured before


def meets(bound: str, limit: float, value: float) -> bool:
    """Say whether a value is on the right side of a limit, which itself is."""
    return value >= limit if bound.startswith("min_") else value <= limit


def worded(bound: str, value: float, unit: str = "points") -> str:
    """Write a value with its unit: "2,660 parameters", "98.0 % of the weights pruned".

    Args:
        bound: whose value it is.
        value: in the unit of the bound.
        unit: of `max_drop`, as its metric says.
    """
    if bound.endswith("pruned"):
        return f"{100 * value:.4g} % of the weights pruned"
    if bound in MEASURED:
        return f"{value:.3g} {unit if bound == 'max_drop' else 'ms'}"
    return f"{value:,.0f} {'operations' if bound == 'max_flops' else bound.removeprefix('max_')}"


def _names() -> list[str]:
    return [field.name for field in fields(Bounds)]
