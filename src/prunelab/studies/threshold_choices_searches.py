"""One search for a threshold after another on one net, each a row a bound and a row a pruning measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prunelab.choosing import Bench, Bounds, Choice, ImpossibleError, Tested, by_name, classification, search, verify
from prunelab.choosing.bench import Timer, timed
from prunelab.choosing.bounds import MEASURED
from prunelab.choosing.search import TESTS
from prunelab.data import Images, Split
from prunelab.stats import LEVEL
from prunelab.studies.stored_nets import Net
from prunelab.studies.threshold_choices_tables import NO, SEVERAL, UPPER, YES, ChoiceRow, TestedRow


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How it is searched."""

    confidence: float = LEVEL  # of an upper bound, see `prunelab.choosing.choose`
    tests: int = TESTS  # evaluations of a measured bound in one search, at most
    scoring: int = 1000  # training examples for sensitivities, units' scores and means


DEFAULTS = Settings()


@dataclass(frozen=True, kw_only=True, eq=False)
class Stand:
    """A net and a family of its prunings, ready to be searched."""

    net: Net
    images: Images
    bench: Bench  # on the validation part
    inputs: Tensor  # (B, C, H, W), a batch as operations are counted and calls are timed on
    timer: Timer
    settings: Settings


def prepared(net: Net, family: str, images: Images, inputs: Tensor, settings: Settings, timer: Timer = timed) -> Stand:
    """Make a family of a net's prunings with training examples, to be measured on the validation part.

    Raises:
        ValueError: no example to score on, an unknown family, or a net that it cannot prune.
    """
    if settings.scoring < 1:
        raise ValueError(f"scores are taken from at least 1 training example; got {settings.scoring!r}")
    # Drawn: the training part may lie in the order of its classes.
    drawn = torch.randperm(len(images.train), generator=torch.Generator().manual_seed(net.seed))
    drawn = drawn[: settings.scoring].to(images.train.y.device)
    prunings = by_name(family, net.module, Split(x=images.train.x[drawn], y=images.train.y[drawn]), seed=net.seed)
    metric = classification(images.validation)
    bench = Bench(net.module, prunings, metric=metric, inputs=inputs, timer=timer, seed=net.seed)
    return Stand(net=net, images=images, bench=bench, inputs=inputs, timer=timer, settings=settings)


def searched(
    stand: Stand, kind: str, asked: str, bounds: Bounds, decided_by: str
) -> tuple[list[ChoiceRow], list[TestedRow]]:
    """Search once, and measure on the test part what was found.

    Args:
        stand: where.
        kind: what kind of bounds these are.
        asked: their limits in words.
        bounds: what is searched for.
        decided_by: `UPPER` to decide what is measured by upper confidence bounds, else by the values.

    Returns:
        A row a bound, and a row a pruning measured on the way.
    """
    net, bench, confidence = stand.net, stand.bench, stand.settings.confidence if decided_by == UPPER else None
    named: dict[str, Any] = {
        "data": net.data,
        "data_id": net.data_id,
        "model": net.model,
        "seed": net.seed,
        "family": bench.family.name,
        "kind": kind,
        "asked": asked,
        "decided_by": decided_by,
    }
    try:
        choice = search(bench, bounds, confidence=confidence, tests=stand.settings.tests)
    except ImpossibleError as error:
        return _missed(named, stand, bounds, error, confidence), _tested(named, error.tested)
    final, pruned = classification(stand.images.test), choice.pruned.net
    again = verify(pruned, net.module, bounds, metric=final, inputs=stand.inputs, timer=stand.timer, seed=net.seed)
    drops = [one for one in again if one.bound == "max_drop"]
    (drop,) = drops or verify(pruned, net.module, Bounds(max_drop=0), metric=final, seed=net.seed)
    rows = [
        ChoiceRow(
            **named,
            bound=kept.bound,
            confidence=confidence if kept.bound in MEASURED else None,
            limit=kept.limit,
            found=True,
            level=choice.level,
            levels=choice.levels,
            sparsity_percent=100 * choice.sparsity,
            measurements=len(choice.tested),
            reached=kept.value,
            upper=kept.upper if confidence is not None else None,
            beside=None if kind == SEVERAL else _beside(bench, choice, kept.bound),
            again=after.value,
            held=YES if after.held else NO,
            test_drop_points=drop.value,
        )
        for kept, after in zip(choice.kept, again, strict=True)
    ]
    return rows, _tested(named, choice.tested)


def _missed(
    named: dict[str, Any], stand: Stand, bounds: Bounds, error: ImpossibleError, confidence: float | None
) -> list[ChoiceRow]:
    return [
        ChoiceRow(
            **named,
            bound=bound,
            confidence=confidence if bound in MEASURED else None,
            limit=limit,
            found=False,
            reason=str(error),
            levels=stand.bench.family.levels,
            measurements=len(error.tested),
            reached=error.value if bound == error.bound else None,
        )
        for bound, limit in bounds.given.items()
    ]


def _beside(bench: Bench, choice: Choice, bound: str) -> float | None:
    """Give what a bound limits at the nearest level on the other side of it, if there is one."""
    if bound in MEASURED:
        refused = [one for one in choice.tested if not one.held]
        nearest = min(refused, key=lambda one: abs(one.level - choice.level), default=None)
        return None if nearest is None else nearest.upper
    level = choice.level + (1 if bound == "max_pruned" else -1)
    return bench.count(level, bound) if 0 <= level <= choice.levels else None


def _tested(named: dict[str, Any], tested: Sequence[Tested]) -> list[TestedRow]:
    return [
        TestedRow(
            **named,
            test=place,
            level=one.level,
            sparsity_percent=100 * one.pruned,
            value=one.value,
            upper=one.upper,
            held=YES if one.held else NO,
        )
        for place, one in enumerate(tested, start=1)
    ]
