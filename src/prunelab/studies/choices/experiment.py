"""How a threshold is chosen: bounds of every kind, met by search on validation data and measured again on test data."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from pandas import DataFrame
from torch import Tensor
from tqdm import tqdm

from prunelab import parts
from prunelab.choosing import (
    FAMILIES,
    Bench,
    Bounds,
    Choice,
    ImpossibleError,
    Tested,
    by_name,
    classification,
    search,
    verify,
)
from prunelab.choosing.bench import Timer, counted, median, milliseconds, timed
from prunelab.choosing.bisection import TESTS
from prunelab.choosing.bounds import MEASURED
from prunelab.data import Images, Split
from prunelab.measure.latency import threads
from prunelab.stats import LEVEL
from prunelab.studies.choices.tables import (
    COUNT,
    LATENCY,
    NO,
    SEVERAL,
    UPPER,
    VALUE,
    YES,
    ThresholdChoices,
    ThresholdLatencies,
    ThresholdTests,
)
from prunelab.studies.common.nets import Net, dense_nets

SHARES = ("max_parameters", "max_bytes", "max_flops")  # limited to a percentage of the dense net's

_SMALL = ("lenet-64-32-relu",)  # trained where neither runs nor models are named


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The bounds searched for, each in a search of its own but for the last."""

    drops: Sequence[float]  # points of accuracy, at least one
    keep_percent: Sequence[float]  # of the dense net's parameters, bytes and operations
    pruned_percent: Sequence[float]  # of the weights, at least and at most
    several_percent: Sequence[float] = ()  # the largest drop and all three counts at once, these in percent


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How it is searched."""

    confidence: float = LEVEL  # of an upper bound, see `prunelab.choosing.choose`
    tests: int = TESTS  # evaluations of a measured bound in one search, at most
    scoring: int = 1000  # training examples for sensitivities, units' scores and means


_DEFAULTS = Settings()


def nets_of(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    epochs: int,
    device: str = "cpu",
) -> list[Net]:
    """Open the dense nets of other runs, each as it was last stored, or train small ones where no run is named.

    Args:
        runs: folders of runs that hold nets; empty to train here.
        images: what the nets were trained on.
        models: specs of the runs' nets to take, all of them when empty; without runs, specs to train.
        seeds: of the runs' nets to take, all of them when empty; without runs, seeds to train.
        epochs: without runs, how long to train.
        device: where the nets go.
    """
    taken = dense_nets(
        runs,
        images,
        models=models or (() if runs else _SMALL),
        seeds=seeds,
        epochs=epochs,
        only_seeds=seeds if runs else (),
        device=device,
    )
    dense = [net for net in taken if not net.pruning]
    if not dense:
        raise ValueError("thresholds are chosen for dense nets; the runs hold pruned ones only: name other runs")
    last = dict.fromkeys((net.model, net.seed) for net in dense)
    by_step = sorted(dense, key=lambda net: (net.step is None, net.step or 0))  # without a step it is that of the end
    ends = {(net.model, net.seed): net for net in by_step}
    return [ends[key] for key in last]


def choose_thresholds(
    nets: Sequence[Net],
    images: Images,
    ask: Ask,
    *,
    families: Sequence[str] = FAMILIES,
    settings: Settings = _DEFAULTS,
) -> tuple[DataFrame, DataFrame]:
    """Search for every bound in every family on the validation part, and measure what is found on the test part.

    A drop is decided by its upper confidence bound and, to compare, by the value measured alone.

    Returns:
        A row a bound of a search, `ThresholdChoices`; and a row a pruning measured, `ThresholdTests`.
    """
    if not ask.drops:
        raise ValueError("a threshold is chosen by at least one drop in accuracy; got none")
    given: dict[str, Any] = {"images": images, "ask": ask, "settings": settings}
    found = parts.each(_choose_one, _each(nets, families), label="choose thresholds", **given)
    return found[ThresholdChoices], found[ThresholdTests]


def _choose_one(
    item: tuple[Net, str], images: Images, ask: Ask, settings: Settings
) -> Iterator[ThresholdChoices | ThresholdTests]:
    net, family = item
    inputs = images.validation.x[:1]
    stand = _prepared(net, family, images, inputs, settings)
    for kind, asked, bounds in _requests(net, ask, inputs):
        measured = (UPPER,) if kind == SEVERAL else (UPPER, VALUE)
        for decided_by in (COUNT,) if bounds.max_drop is None else measured:
            found, seen = _searched(stand, kind, asked, bounds, decided_by)
            yield from found
            yield from seen


def choose_by_latency(
    nets: Sequence[Net],
    images: Images,
    percent: Sequence[float],
    *,
    families: Sequence[str] = FAMILIES,
    batch_size: int = 256,
    torch_threads: int = 1,
    timer: Timer = timed,
    settings: Settings = _DEFAULTS,
) -> DataFrame:
    """Search for the least pruning with which a call takes no more than a percentage of the dense net's time.

    What is timed is the pruned net as torch runs it, on a batch of the training part: single weights that are zero cost
    as much as others. Gives `ThresholdLatencies`, a row a search.
    """
    if not percent or not 1 <= batch_size <= len(images.train):
        raise ValueError(
            f"latencies are bounded by at least one percentage, in calls on 1 to {len(images.train)} examples; "
            f"got {list(percent)} and {batch_size!r}"
        )
    rows: list[ThresholdChoices] = []
    inputs = images.train.x[:batch_size]
    with threads(torch_threads):
        for net, family in tqdm(_each(nets, families), desc="latencies", unit="family", leave=False):
            stand = _prepared(net, family, images, inputs, settings, timer)
            dense = median(milliseconds(net.module, inputs, timer, None), None).value
            for one in percent:
                bounds = Bounds(max_latency_ms=one / 100 * dense)
                rows += _searched(stand, LATENCY, f"{one:g} %", bounds, UPPER)[0]
    return ThresholdLatencies.frame(ThresholdChoices.frame(rows))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stand:
    """A net and a family of its prunings, ready to be searched."""

    net: Net
    images: Images
    bench: Bench  # on the validation part
    inputs: Tensor  # (B, C, H, W), a batch as operations are counted and calls are timed on
    timer: Timer
    settings: Settings


def _prepared(
    net: Net, family: str, images: Images, inputs: Tensor, settings: Settings, timer: Timer = timed
) -> _Stand:
    """Make a family of a net's prunings with training examples, to be measured on the validation part."""
    if settings.scoring < 1:
        raise ValueError(f"scores are taken from at least 1 training example; got {settings.scoring!r}")
    # Drawn: the training part may lie in the order of its classes.
    drawn = torch.randperm(len(images.train), generator=torch.Generator().manual_seed(net.seed))
    drawn = drawn[: settings.scoring].to(images.train.y.device)
    prunings = by_name(family, net.module, Split(x=images.train.x[drawn], y=images.train.y[drawn]), seed=net.seed)
    metric = classification(images.validation)
    bench = Bench(net.module, prunings, metric=metric, inputs=inputs, timer=timer, seed=net.seed)
    return _Stand(net=net, images=images, bench=bench, inputs=inputs, timer=timer, settings=settings)


def _searched(
    stand: _Stand, kind: str, asked: str, bounds: Bounds, decided_by: str
) -> tuple[list[ThresholdChoices], list[ThresholdTests]]:
    """Search once, and measure on the test part what was found: a row a bound, and a row a pruning on the way."""
    net, bench, confidence = stand.net, stand.bench, stand.settings.confidence if decided_by == UPPER else None
    named: dict[str, Any] = {
        **{name: getattr(net, name) for name in ("data", "data_id", "model", "seed")},
        "family": bench.family.name,
        "kind": kind,
        "asked": asked,
        "decided_by": decided_by,
    }

    def row(bound: str, tested: Sequence[Tested], **own: Any) -> ThresholdChoices:
        sure = confidence if bound in MEASURED else None
        return ThresholdChoices(
            **named, bound=bound, confidence=sure, levels=bench.family.levels, measurements=len(tested), **own
        )

    try:
        choice = search(bench, bounds, confidence=confidence, tests=stand.settings.tests)
    except ImpossibleError as error:
        missed = [
            row(
                bound,
                error.tested,
                limit=limit,
                found=False,
                reason=str(error),
                reached=error.value if bound == error.bound else None,
            )
            for bound, limit in bounds.given.items()
        ]
        return missed, _tested(named, error.tested)
    final, pruned = classification(stand.images.test), choice.pruned.net
    again = verify(pruned, net.module, bounds, metric=final, inputs=stand.inputs, timer=stand.timer, seed=net.seed)
    drops = [one for one in again if one.bound == "max_drop"]
    (drop,) = drops or verify(pruned, net.module, Bounds(max_drop=0), metric=final, seed=net.seed)
    rows = [
        row(
            kept.bound,
            choice.tested,
            limit=kept.limit,
            found=True,
            level=choice.level,
            sparsity_percent=100 * choice.sparsity,
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


def _beside(bench: Bench, choice: Choice, bound: str) -> float | None:
    """Give what a bound limits at the nearest level on the other side of it, if there is one."""
    if bound in MEASURED:
        refused = [one for one in choice.tested if not one.held]
        nearest = min(refused, key=lambda one: abs(one.level - choice.level), default=None)
        return None if nearest is None else nearest.upper
    level = choice.level + (1 if bound == "max_pruned" else -1)
    return bench.count(level, bound) if 0 <= level <= choice.levels else None


def _tested(named: dict[str, Any], tested: Sequence[Tested]) -> list[ThresholdTests]:
    return [
        ThresholdTests(
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


def _requests(net: Net, ask: Ask, inputs: Tensor) -> Iterator[tuple[str, str, Bounds]]:
    """Give the bounds asked of a net, each with its kind and the limit in words."""
    for drop in ask.drops:
        yield "max_drop", f"{drop:g} points", Bounds(max_drop=drop)
    dense = {bound: counted(bound, net.module, net.module, inputs) for bound in SHARES}
    for percent in ask.keep_percent:
        for bound, limit in _part(dense, percent).items():
            yield bound, f"{percent:g} %", Bounds(**{bound: limit})
    for percent in ask.pruned_percent:
        yield "min_pruned", f"{percent:g} %", Bounds(min_pruned=percent / 100)
        yield "max_pruned", f"{percent:g} %", Bounds(max_pruned=percent / 100)
    for percent in ask.several_percent:
        largest = max(ask.drops)
        yield SEVERAL, f"{largest:g} points, {percent:g} %", Bounds(max_drop=largest, **_part(dense, percent))


def _part(whole: Mapping[str, float], percent: float) -> dict[str, Any]:
    return {bound: math.floor(percent / 100 * value) for bound, value in whole.items()}


def _each(nets: Sequence[Net], families: Sequence[str]) -> list[tuple[Net, str]]:
    if not nets or not families:
        raise ValueError(f"thresholds are chosen for at least one net and family; got {len(nets)}, {list(families)}")
    return list(product(nets, families))
