"""What a pruning is held to: how much it may cost, how small it must be, how fast."""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

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


RESAMPLES = 2000
_TAIL = 20  # resamples beyond a quantile, at least: fewer leave it to chance
_CELLS = 1 << 22  # numbers drawn at a time
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Rise:
    """By how much a loss rose: on the examples at hand, and at most as far as they can tell."""

    value: float
    upper: float  # one-sided upper confidence bound of the rise on all examples of this kind


def clopper_pearson(count: int, n: int, *, alpha: float) -> tuple[float, float]:
    """Bound the probability behind `count` successes in `n` trials, exactly, from below and from above.

    Each side by itself is wrong with a probability of at most `alpha`; both together at most twice that. So an
    interval of confidence 0.95 has alpha = 0.025.

    Args:
        count: successes, 0 to n.
        n: independent trials, at least 1.
        alpha: of each side, (0, 1).

    Returns:
        (lower, upper), [0, 1].

    Raises:
        ValueError: counts or alpha out of range.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 1934.
    """
    if not 0 <= count <= n or n < 1:
        raise ValueError(f"a share is of 0 to n successes in n trials, n >= 1; got {count} of {n}")
    _check_alpha(alpha)
    low = 0.0 if count == 0 else float(stats.beta.ppf(alpha, count, n - count + 1))
    high = 1.0 if count == n else float(stats.beta.ppf(1 - alpha, count + 1, n - count))
    return low, high


def rise(before: ArrayLike, after: ArrayLike, sizes: ArrayLike | None = None, *, alpha: float, seed: int = 0) -> Rise:
    """Bound the rise of a mean loss, measured before and after on the same examples.

    The rise is (Σ after − Σ before) / Σ sizes. Where every example is right (0) or wrong (1) and counts once, it is the
    share that became wrong less the share that became right, and the bound is exact: the Clopper-Pearson upper bound of
    the first less the lower bound of the second, each at alpha / 2, so that both hold with probability 1 − alpha
    whatever the two shares are. Otherwise (word errors of utterances of different lengths, a loss in nats) the
    examples are drawn again, with replacement, and the bound is the 1 − alpha quantile of the rises: approximate, and
    blind to what no example shows; where not one example changed, it is 0.

    Args:
        before: (N,), N >= 1, losses or errors of each example, independent of each other; finite.
        after: (N,), of the same examples.
        sizes: (N,), what each counts for, as the words of an utterance, above 0; 1 when absent.
        alpha: probability at which the bound may lie below the true rise, (0, 1).
        seed: of the drawing.

    Raises:
        ValueError: shapes that differ, no example, a number that is not finite, a size not above 0, or alpha out of
            range.
    """
    first, second = _examples(before), _examples(after)
    weights = np.ones(len(first)) if sizes is None else _examples(sizes)
    if not len(first) == len(second) == len(weights) or not (weights > 0).all():
        raise ValueError(
            "a rise is of the same examples before and after, each of a size above 0; got "
            f"{len(first)}, {len(second)} and {len(weights)} of sizes from {weights.min():g}"
        )
    _check_alpha(alpha)
    value = float((second - first).sum() / weights.sum())
    if sizes is None and np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all():
        n = len(first)
        _, worse = clopper_pearson(int((second > first).sum()), n, alpha=alpha / 2)
        better, _ = clopper_pearson(int((second < first).sum()), n, alpha=alpha / 2)
        return Rise(value=value, upper=worse - better)
    return Rise(value=value, upper=_drawn_again(second - first, weights, alpha, seed))


def examples_needed(drop: float, *, alpha: float) -> int:
    """Count the examples without which no drop of this size can be ruled out where none becomes wrong or right.

    Args:
        drop: of a share, (0, 1).
        alpha: as `rise` takes it.
    """
    return math.ceil(math.log(alpha / 2) / math.log1p(-drop))


def median_upper(values: ArrayLike, *, alpha: float) -> float:
    """Bound the median from above by an order statistic; inf where the values are too few for any.

    The k-th smallest of n independent values lies below their median with probability P(Binomial(n, 1/2) ≥ k).

    Args:
        values: (n,), n >= 1, finite.
        alpha: probability at which the bound may lie below the median, (0, 1).

    Raises:
        ValueError: no value, one that is not finite, or alpha out of range.
    """
    ordered = np.sort(_examples(values))
    _check_alpha(alpha)
    enough = np.flatnonzero(stats.binom.sf(np.arange(len(ordered)), len(ordered), 0.5) <= alpha)
    return float(ordered[enough[0]]) if len(enough) else math.inf


def _drawn_again(differences: Array, sizes: Array, alpha: float, seed: int) -> float:
    """Return a quantile of the rise over resampled examples.

    Examples that agree in difference and size are drawn as one kind, which is the same draw: most do not change.
    """
    kinds, counts = np.unique(np.stack([differences, sizes]), axis=1, return_counts=True)
    resamples = max(RESAMPLES, math.ceil(_TAIL / alpha))
    generator, shares, n = np.random.default_rng(seed), counts / counts.sum(), int(counts.sum())
    rises, block = [], max(1, _CELLS // len(counts))
    for done in range(0, resamples, block):
        drawn = generator.multinomial(n, shares, size=min(block, resamples - done))  # (R, kinds)
        rises.append((drawn @ kinds[0]) / (drawn @ kinds[1]))
    return float(np.quantile(np.concatenate(rises), 1 - alpha, method="higher"))


def _examples(values: ArrayLike) -> Array:
    found: Array = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all():
        raise ValueError(f"a bound needs one finite number an example, (N,), N >= 1; got shape {found.shape}")
    return found


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is the probability that a bound fails, in (0, 1); got {alpha!r}")
