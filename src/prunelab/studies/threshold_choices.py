"""How a threshold is chosen: bounds of every kind, met by search on validation data and measured again on test data."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pandas import DataFrame
from torch import Tensor
from tqdm import tqdm

from prunelab.choosing import FAMILIES, Bounds
from prunelab.choosing.bench import Timer, counted, median, milliseconds, timed
from prunelab.data import Images
from prunelab.measure.latency import threads
from prunelab.records import to_frame
from prunelab.studies.lenet_pruning import dense_nets
from prunelab.studies.stored_nets import Net
from prunelab.studies.threshold_choices_searches import DEFAULTS, Settings, prepared, searched
from prunelab.studies.threshold_choices_tables import (
    CHOICE_COLUMNS,
    CHOICE_KEY,
    COUNT,
    LATENCY,
    SEVERAL,
    TESTED_COLUMNS,
    TESTED_KEY,
    UPPER,
    VALUE,
    ChoiceRow,
    TestedRow,
)

_SMALL = ("lenet-64-32-relu",)  # trained where neither runs nor models are named
SHARES = ("max_parameters", "max_bytes", "max_flops")  # limited to a percentage of the dense net's


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The bounds searched for, each in a search of its own but for the last."""

    drops: Sequence[float]  # points of accuracy, at least one
    keep_percent: Sequence[float]  # of the dense net's parameters, bytes and operations
    pruned_percent: Sequence[float]  # of the weights, at least and at most
    several_percent: Sequence[float] = ()  # the largest drop and all three counts at once, these in percent


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

    Raises:
        ValueError: the runs lack a model, all the seeds or dense nets, or as `open_nets`.
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
    settings: Settings = DEFAULTS,
    progress: bool = True,
) -> tuple[DataFrame, DataFrame]:
    """Search for every bound in every family on the validation part, and measure what is found on the test part.

    A drop is decided by its upper confidence bound and, to compare, by the value measured alone.

    Args:
        nets: trained on the images; left as they are.
        images: their validation part is searched on, their test part verified on.
        ask: what to search for.
        families: of `FAMILIES`.
        settings: how to search.
        progress: show a progress bar.

    Returns:
        A row a bound of a search, columns `CHOICE_COLUMNS`; and a row a pruning measured, columns `TESTED_COLUMNS`.

    Raises:
        ValueError: no net, family or drop, a setting out of range, or a net that a family cannot prune.
    """
    if not ask.drops:
        raise ValueError("a threshold is chosen by at least one drop in accuracy; got none")
    rows: list[ChoiceRow] = []
    tested: list[TestedRow] = []
    inputs = images.validation.x[:1]
    for net, family in _each(nets, families, progress):
        stand = prepared(net, family, images, inputs, settings)
        for kind, asked, bounds in requests(net, ask, inputs):
            measured = (UPPER,) if kind == SEVERAL else (UPPER, VALUE)
            for decided_by in (COUNT,) if bounds.max_drop is None else measured:
                found, seen = searched(stand, kind, asked, bounds, decided_by)
                rows += found
                tested += seen
    return (
        to_frame(rows, CHOICE_KEY)[list(CHOICE_COLUMNS)],
        to_frame(tested, TESTED_KEY)[list(TESTED_COLUMNS)],
    )


def choose_by_latency(
    nets: Sequence[Net],
    images: Images,
    percent: Sequence[float],
    *,
    families: Sequence[str] = FAMILIES,
    batch_size: int = 256,
    torch_threads: int = 1,
    timer: Timer = timed,
    settings: Settings = DEFAULTS,
    progress: bool = True,
) -> DataFrame:
    """Search for the least pruning with which a call takes no more than a percentage of the dense net's time.

    What is timed is the pruned net as torch runs it: single weights that are zero cost as much as others.

    Args:
        nets: trained on the images.
        images: a batch of their training part is timed; the test part tells what accuracy is left.
        percent: of the dense net's median, at least one.
        families: of `FAMILIES`.
        batch_size: examples in a call.
        torch_threads: of a call.
        timer: of calls.
        settings: how to search.
        progress: show a progress bar.

    Returns:
        A row a search, columns `CHOICE_COLUMNS`; what is measured varies from run to run.

    Raises:
        ValueError: nothing to search for or in, or a batch that is larger than the training part.
    """
    if not percent or not 1 <= batch_size <= len(images.train):
        raise ValueError(
            f"latencies are bounded by at least one percentage, in calls on 1 to {len(images.train)} examples; "
            f"got {list(percent)} and {batch_size!r}"
        )
    rows: list[ChoiceRow] = []
    inputs = images.train.x[:batch_size]
    with threads(torch_threads):
        for net, family in _each(nets, families, progress):
            stand = prepared(net, family, images, inputs, settings, timer)
            dense = median(milliseconds(net.module, inputs, timer, None), None).value
            for one in percent:
                bounds = Bounds(max_latency_ms=one / 100 * dense)
                rows += searched(stand, LATENCY, f"{one:g} %", bounds, UPPER)[0]
    return to_frame(rows, CHOICE_KEY)[list(CHOICE_COLUMNS)]


def requests(net: Net, ask: Ask, inputs: Tensor) -> Iterator[tuple[str, str, Bounds]]:
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


def _each(nets: Sequence[Net], families: Sequence[str], progress: bool) -> Iterator[tuple[Net, str]]:
    if not nets or not families:
        raise ValueError(f"thresholds are chosen for at least one net and family; got {len(nets)}, {list(families)}")
    whole = [(net, family) for net in nets for family in families]
    yield from tqdm(whole, desc="choose thresholds", unit="family", leave=False, disable=not progress)
