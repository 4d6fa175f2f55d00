"""Choosing a threshold: the pruning of a family that meets bounds, found by few evaluations."""

from torch import Tensor, nn

from prunelab.choosing.bench import Bench, Deploy, Timer, timed
from prunelab.choosing.bisection import Choice, Search
from prunelab.choosing.bounds import Bounds
from prunelab.choosing.families import Family
from prunelab.choosing.metrics import Metric
from prunelab.stats import LEVEL

TESTS = 10  # of a measured bound: a family is searched to 1 / 1,023 of its levels


def choose(
    module: nn.Module,
    family: Family,
    bounds: Bounds,
    *,
    metric: Metric | None = None,
    inputs: Tensor | None = None,
    timer: Timer = timed,
    deploy: Deploy | None = None,
    confidence: float | None = LEVEL,
    tests: int = TESTS,
    seed: int = 0,
) -> Choice:
    """Find the pruning of a family that meets bounds.

    `max_drop` and `max_pruned` say how far pruning may go, the others how far it must. With `max_drop`, or with
    `max_pruned` alone, the largest pruning that is allowed is chosen and then held against the others. Otherwise the
    least pruning that meets all the others is chosen, as the most accurate; it is optimal among the family's levels
    for what is counted. So is the largest for `max_pruned`.

    What is measured (a drop, a latency) is searched by bisection, among at most 2^tests - 1 levels spread evenly over
    the family. It is decided by an upper confidence bound, see `confidence.rise` and `confidence.median_upper`, of
    confidence 1 - alpha / T for each of the T tests, T = ceil(log2(levels searched + 1)). Then the pruning found meets
    its bound on all examples of this kind with probability `confidence` at least, although the search looks at the
    examples again and again, if the true drop never falls from a level searched to the next: Call a level bad whose
    true drop exceeds the limit. Once a level that is not bad is refused, only lower ones are searched, none of them
    bad. So before a first bad level is accepted, every decision was right, and it lies on the one path of at most T
    levels that bisection takes when all are; that path is fixed before any example is looked at, and a union bound
    over it is enough. (Of a latency, which falls with the level, the same holds from the other side, for repeated calls
    on this machine in its present state.) It holds for examples that neither the family's order nor the net was made
    with. Where the true drop is not monotone in the level, it is no more than a guide, and `verify` on other examples
    tells.

    Args:
        module: unpruned; left as it is.
        family: of its prunings.
        bounds: what to meet; each is met with its confidence by itself.
        metric: on validation examples, for `max_drop`; see `Bench` for this and what follows.
        inputs: a batch (B, ...), for `max_flops` and `max_latency_ms`.
        timer: of calls, for `max_latency_ms`.
        deploy: what is timed of a net.
        confidence: (0, 1); None to decide by the values measured, half of which a new measurement will exceed.
        tests: evaluations of each measured bound, at most; at least 1.
        seed: of resampling.

    Raises:
        ImpossibleError: no pruning meets a bound, or two bounds together; a ValueError.
        ValueError: something that a bound needs is missing, or a setting out of range.
    """
    bench = Bench(module, family, metric=metric, inputs=inputs, timer=timer, deploy=deploy, seed=seed)
    return search(bench, bounds, confidence=confidence, tests=tests)


def search(bench: Bench, bounds: Bounds, *, confidence: float | None = LEVEL, tests: int = TESTS) -> Choice:
    """Find the pruning that meets bounds, with a bench that may have measured levels before; see `choose`."""
    if confidence is not None and not 0 < confidence < 1:
        hint = f"; did you mean {confidence / 100:g}?" if 1 < confidence < 100 else ""
        raise ValueError(f"confidence is a probability in (0, 1); got {confidence!r}{hint}")
    if tests < 1:
        raise ValueError(f"a measured bound takes at least 1 test; got {tests!r}")
    return Search(bench, bounds.given, None if confidence is None else 1 - confidence, tests).run()
