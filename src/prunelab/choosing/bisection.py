"""The search itself: which levels of a family are measured, and what follows from what they show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from prunelab.choosing.bench import Bench, Deploy, Metric, Timer, timed
from prunelab.choosing.bounds import (
    ASKING,
    MEASURED,
    Bounds,
    ImpossibleError,
    Kept,
    Rise,
    Tested,
    examples_needed,
    meets,
    worded,
)
from prunelab.choosing.families import Family, Pruned
from prunelab.stats import LEVEL


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """A pruning that meets its bounds, and how it was found."""

    family: str
    step: str  # what one level more removes
    level: int
    levels: int
    pruned: Pruned
    sparsity: float  # fraction of the prunable weights that is gone, [0, 1)
    kept: tuple[Kept, ...]  # every bound, in order, as the search found it
    tested: tuple[Tested, ...]  # measured bounds, in the order they were tested


class Search:
    """One search: what is asked, and what was tested so far."""

    def __init__(self, bench: Bench, limits: Mapping[str, float], alpha: float | None, tests: int) -> None:
        self.bench, self.limits, self.alpha, self.tests = bench, limits, alpha, tests
        self.top = bench.family.levels
        self.splits = dict.fromkeys(MEASURED, 1)  # tests that share the probability of an error
        self.tested: list[Tested] = []

    def run(self) -> Choice:
        """Find the level.

        Raises:
            ImpossibleError: there is none.
        """
        asked = {bound: self._least(bound) for bound in self.limits if bound in ASKING}
        needed = max(asked.values(), default=0)
        if "max_pruned" in self.limits:
            allowed = _last(range(self.top + 1), self._counted("max_pruned"))
            if allowed < 0:
                share = self.bench.count(0, "max_pruned")
                reason = f"the net as given has {self._worded('max_pruned', share)} already"
                raise self._impossible("max_pruned", reason, share, 0)
            self.top = allowed
            if needed > self.top:
                raise self._contradiction("max_pruned", self.bench.count(needed, "max_pruned"), asked, self.top)
        level = needed if asked else self.top
        if "max_drop" in self.limits:
            level = self._largest()
            if needed > level:
                raise self._contradiction("max_drop", self._measured("max_drop", needed).upper, asked, level)
        reached = tuple(self._kept(bound, level) for bound in self.limits)
        for kept in reached:
            if not kept.held:  # a latency at the level that the drop allows, measured there for the first time
                value = kept.value if kept.upper is None else kept.upper
                reason = (
                    f"at {self._where(level)}, which the other bounds allow, it is {self._worded(kept.bound, value)}"
                )
                raise self._impossible(kept.bound, reason, value, level)
        return Choice(
            family=self.bench.family.name,
            step=self.bench.family.step,
            level=level,
            levels=self.bench.family.levels,
            pruned=self.bench.family.at(level),
            sparsity=self.bench.count(level, "min_pruned"),
            kept=reached,
            tested=tuple(self.tested),
        )

    def _least(self, bound: str) -> int:
        """Find the lowest level that meets a bound which asks for pruning."""
        measured = bound in MEASURED
        levels = [0, *spread(self.top, self.tests)][::-1] if measured else range(self.top, -1, -1)
        self.splits[bound] = len(levels).bit_length()
        found = _last(levels, self._tested(bound) if measured else self._counted(bound))
        if found < 0:  # the last one refused is the highest
            value = self.tested[-1].upper if measured else self.bench.count(self.top, bound)
            reason = f"pruned as far as it goes, it comes to {self._worded(bound, value)}"
            raise self._impossible(bound, reason, value, self.top)
        return levels[found]

    def _largest(self) -> int:
        """Find the highest level whose drop is shown to be small enough."""
        levels = spread(self.top, self.tests)
        if not levels:  # nothing may be pruned, which costs nothing
            return 0
        self.splits["max_drop"] = len(levels).bit_length()
        found = _last(levels, self._tested("max_drop"))
        if found < 0:
            first, metric = self.tested[-1], self.bench.metric
            reason = (
                f"at the lowest level tried, {self._where(first.level)}, the {metric.name if metric else 'drop'} is "
                f"{self._worded('max_drop', first.value)}, at most {self._worded('max_drop', first.upper)}"
            )
            raise self._impossible("max_drop", reason + self._too_few(), first.upper, first.level)
        return levels[found]

    def _tested(self, bound: str) -> Callable[[int], bool]:
        """Make the test of a measured bound, which notes what it measured."""

        def holds(level: int) -> bool:
            found, limit = self._measured(bound, level), self.limits[bound]
            self.tested.append(
                Tested(
                    bound=bound,
                    level=level,
                    pruned=self.bench.count(level, "min_pruned"),
                    value=found.value,
                    upper=found.upper,
                    held=found.upper <= limit,
                )
            )
            return self.tested[-1].held

        return holds

    def _measured(self, bound: str, level: int) -> Rise:
        """Measure a drop or a latency, with the upper bound of one of several tests."""
        if bound == "max_drop" and level == 0:
            return Rise(value=0.0, upper=0.0)
        alpha = None if self.alpha is None else self.alpha / self.splits[bound]
        return (self.bench.rise if bound == "max_drop" else self.bench.latency)(level, alpha)

    def _counted(self, bound: str) -> Callable[[int], bool]:
        return lambda level: meets(bound, self.limits[bound], self.bench.count(level, bound))

    def _kept(self, bound: str, level: int) -> Kept:
        limit = self.limits[bound]
        if bound not in MEASURED:
            value = self.bench.count(level, bound)
            return Kept(bound=bound, limit=limit, value=value, upper=None, held=meets(bound, limit, value))
        found = self._measured(bound, level)
        return Kept(bound=bound, limit=limit, value=found.value, upper=found.upper, held=found.upper <= limit)

    def _contradiction(self, allowing: str, value: float, asked: Mapping[str, int], level: int) -> ImpossibleError:
        """Say that what one bound asks is more than another allows, and by how much each would have to give."""
        bound = max(asked, key=lambda name: asked[name])
        reached = self._kept(bound, level)
        nearest = reached.value if reached.upper is None else reached.upper
        cost = ""
        if allowing == "max_drop" and self.bench.metric:
            sure = "" if self.alpha is None else "at most "
            cost = f", with {self.bench.metric.name} {sure}{self._worded(allowing, value)}"
        reason = (
            f"it takes {self._where(asked[bound])}{cost}; {allowing} {self._worded(allowing, self.limits[allowing])} "
            f"allows no more than {self._where(level)}, with {self._worded(bound, nearest)}"
        )
        return self._impossible(bound, reason, nearest, level)

    def _impossible(self, bound: str, reason: str, value: float, level: int) -> ImpossibleError:
        limit, family = self.limits[bound], self.bench.family.name
        message = f"no {family} pruning meets {bound} {self._worded(bound, limit)}: {reason}"
        tested = tuple(self.tested)
        return ImpossibleError(message, bound=bound, limit=limit, value=value, level=level, tested=tested)

    def _too_few(self) -> str:
        """Say how many examples it would take at least, where there are fewer."""
        metric, limit = self.bench.metric, self.limits["max_drop"]
        if metric is None or self.alpha is None or not 0 < limit / metric.scale < 1 or metric.sizes is not None:
            return ""
        alpha = self.alpha / self.splits["max_drop"]
        needed, given = examples_needed(limit / metric.scale, alpha=alpha), self.bench.examples
        return (
            f"; {given} examples, none made wrong or right, cannot show less: give {needed:,} or more"
            if given < needed
            else ""
        )

    def _where(self, level: int) -> str:
        share = worded("min_pruned", self.bench.count(level, "min_pruned"))
        return f"level {level:,} of {self.bench.family.levels:,} ({share})"

    def _worded(self, bound: str, value: float) -> str:
        return worded(bound, value, self.bench.metric.unit if self.bench.metric else "points")


def spread(top: int, tests: int) -> list[int]:
    """Spread as many levels evenly from 1 to the highest as so many tests of a bisection can tell apart."""
    count = min(top, 2**tests - 1)
    return [round(place * top / count) for place in range(1, count + 1)]


def _last(levels: Sequence[int], holds: Callable[[int], bool]) -> int:
    """Find the place of the last level that holds, by bisection; -1 where none does.

    Args:
        levels: in an order in which those that hold come first.
        holds: asked of at most ceil(log2(levels + 1)) of them, among these the first one refused.
    """
    low, high = -1, len(levels)
    while high - low > 1:
        middle = (low + high) // 2
        if holds(levels[middle]):
            low = middle
        else:
            high = middle
    return low


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
