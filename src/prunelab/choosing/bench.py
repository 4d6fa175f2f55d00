"""One net and one family of its prunings, measured level by level, each level once."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from prunelab.choosing.bounds import Array, Bounds, Kept, Rise, median_upper, meets, rise, worded
from prunelab.choosing.families import Family
from prunelab.data import Split
from prunelab.measure import WHOLE, flops, sizes
from prunelab.measure.latency import Call, call_seconds
from prunelab.models.modes import evaluating
from prunelab.pruning import prunable
from prunelab.stats import LEVEL


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """A loss on fixed examples.

    Of accuracy, `errors` is 1 for each example that a net gets wrong; of word error rate, the wrong words of each
    utterance, with the words spoken as `sizes`; of cross-entropy, its value, with scale 1 and unit "nats". Examples are
    independent of each other: where they are not (the frames of an utterance), sum them up first.
    """

    errors: Callable[[nn.Module], ArrayLike]  # net -> (N,) losses, finite, lower is better
    sizes: ArrayLike | None = None  # (N,) what each example counts for, above 0; 1 when absent
    name: str = "accuracy drop"  # of the rise
    unit: str = "points"
    scale: float = 100.0  # from the mean loss to the unit


def classification(split: Split, *, batch_size: int = 1000) -> Metric:
    """Count a classifier's wrong answers.

    Args:
        split: examples that neither the net nor its pruning was made with.
        batch_size: examples in one pass.

    Returns:
        A metric whose rise is the drop in accuracy, in points of 100.

    Raises:
        ValueError: the split is empty.
    """
    if not len(split):
        raise ValueError("accuracy is measured on examples; the split is empty")

    def wrong(net: nn.Module) -> ArrayLike:
        with evaluating(net):
            answers = torch.cat([net(x).argmax(1) for x in split.x.split(batch_size)])
        return (answers != split.y).cpu().numpy().astype(np.float64)

    return Metric(errors=wrong)


Timer = Callable[[Call], Sequence[float]]  # seconds of each of several calls
Deploy = Callable[[nn.Module], Callable[[Tensor], object]]  # net -> what is called on a batch where it is used


def timed(call: Call) -> Sequence[float]:
    """Time a call 100 times, after 10 to warm up: seconds of each."""
    return call_seconds(call, repeats=100, warm_up=10)


def counted(bound: str, net: nn.Module, dense: nn.Module, inputs: Tensor | None = None) -> float:
    """Count what a bound limits in a pruned net.

    A weight counts where it is not 0, whatever removed it. Bytes are those of the values: a tensor of weights takes
    what `prunelab.measure.sizes` gives for dense rows or for compressed sparse ones (CSR, int32 indices), whichever is
    less; all else is dense. A file adds its header, and holds as many bytes only if it stores them so.

    Args:
        bound: of `Bounds`, none that is measured.
        net: pruned, its removed weights zero or its removed units gone.
        dense: unpruned; its prunable weights are what the fraction pruned is of.
        inputs: (B, ...), a batch, whose shape tells at how many places each weight is used; for `max_flops`.

    Raises:
        ValueError: operations without a batch, or of a net with layers other than linear ones and convolutions.
    """
    if bound == "max_flops":
        if inputs is None:
            raise ValueError("max_flops needs the shape of an example; give `inputs`, one batch (B, ...)")
        try:
            return flops(net, tuple(inputs.shape[1:]))[-1].kept
        except TypeError as error:
            raise ValueError(f"max_flops cannot be told of this net: {error}") from error
    weights = prunable(net)
    rows = [row for row in sizes(net) if row.layer != WHOLE]
    if bound == "max_bytes":
        return sum(min(row.dense_bytes, row.csr_bytes) for row in rows)
    kept = sum(row.nonzero for row in rows if row.layer in weights)
    if bound == "max_parameters":
        return kept + sum(row.parameters for row in rows if row.layer not in weights)
    total = sum(weight.numel() for weight in prunable(dense).values())
    return (total - kept) / total


class Bench:
    """Measures the prunings of one family; searches that share a bench share what it measured."""

    def __init__(
        self,
        module: nn.Module,
        family: Family,
        *,
        metric: Metric | None = None,
        inputs: Tensor | None = None,
        timer: Timer = timed,
        deploy: Deploy | None = None,
        seed: int = 0,
    ) -> None:
        """Prepare to measure.

        Args:
            module: unpruned; copied.
            family: prunings of it.
            metric: what a bound on quality is about, on validation examples; needed for `max_drop`.
            inputs: (B, ...), a batch as deployed, on the net's device; needed for `max_flops` and `max_latency_ms`.
            timer: times calls.
            deploy: makes of a pruned net what is called on a batch in use; the net itself when absent, in which a zero
                costs as much as another number.
            seed: of resampling.
        """
        self.dense, self.family, self.metric = copy.deepcopy(module), family, metric
        self._inputs, self._timer, self._deploy, self._seed = inputs, timer, deploy, seed
        self._counts: dict[str, dict[int, float]] = {}
        self._errors: dict[int, Array] = {}
        self._latencies: dict[int, list[float]] = {}

    def count(self, level: int, bound: str) -> float:
        """Count what a bound limits at a level.

        Raises:
            ValueError: one of the levels counted so far keeps more than a lower one: the prunings are not nested.
        """
        own = self._counts.setdefault(bound, {})
        if level not in own:
            found = counted(bound, self.family.sketch(level), self.dense, self._inputs)
            sign = -1 if bound.endswith("pruned") else 1
            for other, known in own.items():
                if sign * (found - known) * (level - other) > 0:
                    raise ValueError(
                        f"a higher level of a family removes more; {self.family.name} has "
                        f"{worded(bound, found)} at level {level} and {worded(bound, known)} at level {other}: "
                        "put its prunings in order"
                    )
            own[level] = found
        return own[level]

    def rise(self, level: int, alpha: float | None) -> Rise:
        """Measure the metric's rise, in its unit; without `alpha` its upper bound is the rise itself."""
        if self.metric is None:
            raise ValueError("max_drop needs a metric, as `classification(images.validation)`")
        for one in (0, level):
            if one not in self._errors:
                self._errors[one] = errors_of(self.family.at(one).net if one else self.dense, self.metric)
        return risen(self._errors[0], self._errors[level], self.metric, alpha, self._seed)

    @property
    def examples(self) -> int:
        """Count the examples of the metric; 0 before the first measurement."""
        return len(self._errors.get(0, ()))

    def latency(self, level: int, alpha: float | None) -> Rise:
        """Measure the median latency, in ms; without `alpha` its upper bound is the median itself."""
        if level not in self._latencies:
            net = self.family.at(level).net if level else self.dense
            self._latencies[level] = milliseconds(net, self._inputs, self._timer, self._deploy)
        return median(self._latencies[level], alpha)


def verify(
    net: nn.Module,
    dense: nn.Module,
    bounds: Bounds,
    *,
    metric: Metric | None = None,
    inputs: Tensor | None = None,
    timer: Timer = timed,
    deploy: Deploy | None = None,
    confidence: float = LEVEL,
    seed: int = 0,
) -> tuple[Kept, ...]:
    """Measure again what a pruning was chosen for, on new examples.

    Args:
        net: pruned, as `Pruned.net`, or as read back from where it was stored.
        dense: unpruned.
        bounds: what it was chosen for.
        metric: on examples that no part of the choice has seen; needed for `max_drop`.
        inputs: as `Bench` takes it, as well as the rest.
        timer: see there.
        deploy: see there.
        confidence: of the upper bounds that are given beside what is measured, (0, 1).
        seed: of resampling.

    Returns:
        Each bound in order; held where the value measured is within the limit, whatever its upper bound.

    Raises:
        ValueError: something that a bound needs is missing.
    """
    found, alpha = [], 1 - confidence
    for bound, limit in bounds.given.items():
        seen: Rise | None = None
        if bound == "max_drop":
            if metric is None:
                raise ValueError("max_drop needs a metric, as `classification(images.test)`")
            seen = risen(errors_of(dense, metric), errors_of(net, metric), metric, alpha, seed)
        elif bound == "max_latency_ms":
            seen = median(milliseconds(net, inputs, timer, deploy), alpha)
        value = counted(bound, net, dense, inputs) if seen is None else seen.value
        upper = None if seen is None else seen.upper
        found.append(Kept(bound=bound, limit=limit, value=value, upper=upper, held=meets(bound, limit, value)))
    return tuple(found)


def errors_of(net: nn.Module, metric: Metric) -> Array:
    """Measure a net's loss on each example, (N,)."""
    errors: Array = np.asarray(metric.errors(net), dtype=np.float64)
    return errors


def risen(before: Array, after: Array, metric: Metric, alpha: float | None, seed: int) -> Rise:
    """Bound a rise in the metric's unit; without `alpha` by the rise itself."""
    found = rise(before, after, metric.sizes, alpha=alpha or 0.5, seed=seed)
    value, upper = metric.scale * found.value, metric.scale * found.upper
    return Rise(value=value, upper=value if alpha is None else upper)


def milliseconds(net: nn.Module, inputs: Tensor | None, timer: Timer, deploy: Deploy | None) -> list[float]:
    """Time a net on a batch.

    Raises:
        ValueError: no batch.
    """
    if inputs is None:
        raise ValueError("max_latency_ms needs `inputs`, one batch as deployed")
    batch = inputs
    with evaluating(net):
        call = net if deploy is None else deploy(net)
        return [1000 * seconds for seconds in timer(lambda: call(batch))]


def median(values: Sequence[float], alpha: float | None) -> Rise:
    """Bound the median of repeated measurements; without `alpha` by itself."""
    value = float(np.median(values))
    return Rise(value=value, upper=value if alpha is None else median_upper(values, alpha=alpha))
