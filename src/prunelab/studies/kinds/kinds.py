"""Nets pruned by every kind of pruning function that is compared, each to the same budgets."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from zlib import crc32

import torch
from pandas import DataFrame
from torch import Tensor, nn

from prunelab.pruning import apply, check, keep_largest, prunable
from prunelab.pruning.criteria import accumulate
from prunelab.pruning.kinds import Need, check_names, named
from prunelab.pruning.masks import SCOPES
from prunelab.pruning.selection import removed_count
from prunelab.pruning.unit_removal import take_out
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import Site, sites
from prunelab.train import Examples

REFERENCE = "random"


PLAIN = "magnitude"


KINDS = named("kind")


RETRAINED_NAMES = {False: "one-shot", True: "retrained"}


def kinds_in(table: DataFrame) -> list[str]:
    """List the kinds of a table in the order of `KINDS`."""
    found = set(table["kind"])
    return [kind for kind in KINDS if kind in found]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pruned:
    """A copy of a net, pruned."""

    kind: str
    sparsity_asked: float
    module: nn.Sequential
    masks: dict[str, Tensor]  # of weights, and where units went of biases too; True = kept


def pruned(
    module: nn.Sequential,
    kinds: Sequence[str],
    sparsities: Sequence[float],
    *,
    scoring: Examples,
    seed: int,
    scope: str = "global",
    batch_size: int = 50,
) -> Iterator[Pruned]:
    """Prune copies of one net, each kind to each budget.

    Single weights are removed to the very number, units to the number that leaves the weights nearest to it. Means of
    removed units are carried by the next layer's bias.

    Args:
        module: trained as the kinds want it; not changed.
        kinds: of `KINDS`; the ranking of each is made once.
        sparsities: fractions of the weights to remove, [0, 1).
        scoring: examples of the training part that gradients and activations are measured on.
        seed: of the random scores.
        scope: "global" ranks all layers together; "layer" removes the same fraction of each layer.
        batch_size: examples in a batch of gradients.

    Yields:
        One pruned copy a kind and budget, in their order.

    Raises:
        ValueError: an unknown kind or scope, a sparsity out of range, or what measuring refuses.
    """
    check_names("kind", kinds)
    if scope not in SCOPES:
        raise ValueError(f"scope is one of {', '.join(SCOPES)}; got {scope!r}")
    weights = prunable(module)

    @cache  # made only where a kind wants them, and once for all that do
    def gradients(absolute: bool) -> dict[str, Tensor]:
        return accumulate(module, scoring.x, scoring.y, batch_size=batch_size, absolute=absolute)

    @cache
    def measured() -> dict[str, Measured]:
        return measure_units(module, scoring.x, scoring.y, generator=drawing(seed, "units"))

    evidence: dict[Need, Callable[[], Any]] = {
        "weights": lambda: weights,
        "gradients": lambda: gradients(False),
        "gradient sizes": lambda: gradients(True),
        "chance": lambda: drawing(seed, "weights"),
    }
    for kind in map(KINDS.__getitem__, kinds):
        ranking = {} if kind.units else kind.scores(evidence)
        for sparsity in sparsities:
            smaller = copy.deepcopy(module)
            if kind.units:
                own = {name: site.scores[kind.units] for name, site in measured().items()}
                total = sum(weight.numel() for weight in weights.values())
                kept = total - removed_count(sparsity, total, name="sparsity")
                gone = units_within(module, own, kept, scope=scope)
                masks = take_out(smaller, gone, measured(), replacement="mean")
            else:
                masks = keep_largest(ranking, sparsity, scope)
                apply(smaller, masks)
            check(smaller, masks)
            yield Pruned(kind=kind.name, sparsity_asked=sparsity, module=smaller, masks=masks)


def units_within(
    module: nn.Module, scores: Mapping[str, Tensor], kept: int, *, scope: str = "global"
) -> dict[str, Tensor]:
    """Choose the units to remove so that the weights left come nearest to a number.

    Units go one after another, lowest score first; the last one of a layer always stays. Of two counts as near, that
    with more weights left is taken.

    Args:
        module: see `prunelab.pruning.units.sites`.
        scores: site -> (U,), higher = kept.
        kept: weights to be left, of all prunable ones.
        scope: "global" orders the units of all layers by score; "layer" by their rank within the layer, so that the
            layers lose about the same fraction.

    Returns:
        Site -> (U,) bool, True = removed.
    """
    found = sites(module)
    order = sorted(
        (place, depth, unit, name)
        for depth, name in enumerate(found)
        for unit, place in enumerate(_places(scores[name], scope))
    )
    gone = {name: torch.zeros(site.units, dtype=torch.bool) for name, site in found.items()}
    left = {name: site.units for name, site in found.items()}
    shapes = {name: tuple(weight.shape) for name, weight in prunable(module).items()}
    best, count, nearest = 0, 0, abs(_count(shapes, found, left) - kept)
    removed: list[tuple[str, int]] = []
    for _, _, unit, name in order:
        if left[name] == 1:
            continue
        left[name] -= 1
        removed.append((name, unit))
        count += 1
        distance = abs(_count(shapes, found, left) - kept)
        if distance < nearest:
            best, nearest = count, distance
    for name, unit in removed[:best]:
        gone[name][unit] = True
    return gone


def drawing(seed: int, use: str) -> torch.Generator:
    """Give a generator that depends on a net's seed and on what it is used for alone."""
    return torch.Generator().manual_seed((seed * 1_000_003 ^ crc32(use.encode())) % 2**63)


def _places(scores: Tensor, scope: str) -> list[float]:
    """Give each unit its place in the order of all: its score, or its rank in its layer from 0 to 1."""
    if scope == "global":
        return [float(score) for score in scores]
    ranks = scores.argsort(stable=True).argsort(stable=True)
    return [(int(rank) + 0.5) / len(scores) for rank in ranks]


def _count(shapes: Mapping[str, tuple[int, ...]], found: Mapping[str, Site], left: Mapping[str, int]) -> int:
    """Count the weights that are left where each site has so many units."""
    fed_by = {site.consumer: site for site in found.values()}
    total = 0
    for name, shape in shapes.items():
        layer = name.removesuffix(".weight")
        whole = torch.Size(shape).numel()
        if layer in found:
            whole = whole // shape[0] * left[layer]
        if layer in fed_by:
            site = fed_by[layer]
            whole = whole // site.units * left[site.name]
        total += whole
    return total
