"""Families: nested prunings of one net by level, a higher level removing more."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from prunelab.pruning import apply, magnitude, prunable
from prunelab.pruning.thresholds import (
    Curve,
    by_sensitivity,
    cut,
    in_deviations,
    kept_at,
    order,
    smallest_kept,
)

SPARSITIES = (0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)  # of one layer alone, at which its sensitivity is measured

Scores = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pruned:
    """A net that was pruned, and what was taken out of it."""

    net: nn.Module  # as it is deployed: its removed weights zero, or physically without its removed units
    masks: Mapping[str, Tensor] = field(default_factory=dict)  # parameter name -> bool, True = kept; of single weights
    removed: Mapping[str, Tensor] = field(default_factory=dict)  # layer -> (units,) bool, True = removed
    threshold: float = math.nan  # in the unit of the family; NaN where it has no single one
    thresholds: Mapping[str, float] = field(default_factory=dict)  # layer -> smallest magnitude (units: score) kept


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """A family of nested prunings of one net.

    To search a family of your own, give its masks by level to `by_masks`.
    """

    name: str
    step: str  # what one level more removes: "weight", "unit", or what the levels are of a family of your own
    levels: int  # the highest level, at least 1; level 0 removes nothing
    at: Callable[[int], Pruned]  # level -> the net pruned so far
    sketch: Callable[[int], nn.Module]  # level -> a net of as many weights, for counting; may compute something else


def by_masks(
    module: nn.Module, masks: Callable[[int], Mapping[str, Tensor]], levels: int, *, name: str = "masks"
) -> Family:
    """Make a family of masks by level.

    Args:
        module: left as it is.
        masks: level -> parameter name -> bool mask, True = kept; what a level removes, every higher one removes too.
        levels: the highest level, at least 1.
        name: what to call it.

    Raises:
        ValueError: no level.
    """
    return _single(module, masks, levels, name=name, step="level", scores=None)


def by_global(module: nn.Module) -> Family:
    """Prune the smallest magnitudes of all layers: one threshold. A level is a weight."""
    scores = magnitude(prunable(module))
    return _ranked(module, order(scores), "global", scores)


def by_quality(module: nn.Module) -> Family:
    """Prune by a threshold of each layer, quality × standard deviation of its weights (Han et al., 2015).

    A level is a weight, its threshold the quality: see `prunelab.pruning.thresholds.in_deviations`.
    """
    scores = in_deviations(prunable(module))
    return _ranked(module, order(scores), "quality", scores)


def by_sensitivities(
    module: nn.Module, loss: Callable[[nn.Module], float], sparsities: Sequence[float] = SPARSITIES
) -> Family:
    """Prune next where the loss rises least per weight, as each layer's own curve of loss against sparsity tells.

    Costs one measurement for each layer and sparsity, and one unpruned. A level is a weight. See
    `prunelab.pruning.thresholds.by_sensitivity`.

    Args:
        module: left as it is.
        loss: of a net, on examples other than those a bound is tested on: the order must not depend on these.
        sparsities: of one layer pruned by magnitude with the others whole, rising, in (0, 1].

    Raises:
        ValueError: sparsities out of range or order, or a loss that is not finite.
    """
    if not sparsities or list(sparsities) != sorted(set(sparsities)) or not 0 < sparsities[0] <= sparsities[-1] <= 1:
        raise ValueError(f"sensitivities are measured at rising sparsities in (0, 1]; got {list(sparsities)}")
    weights, own = prunable(module), copy.deepcopy(module)
    curves, unpruned = {}, loss(own)
    for name, weight in weights.items():
        counts = sorted({max(1, round(sparsity * weight.numel())) for sparsity in sparsities})
        ranks, losses = order(magnitude({name: weight})), []
        for count in counts:
            apply(own, kept_at(ranks, count))  # in turn: a higher count removes what a lower one did
            losses.append(loss(own))
        with torch.no_grad():
            own.get_parameter(name).copy_(weight)
        curves[name] = Curve(removed=tuple(counts), loss=tuple(losses))
    return _ranked(module, by_sensitivity(weights, curves, unpruned), "sensitivity", None)


def _ranked(module: nn.Module, ranks: Mapping[str, Tensor], name: str, scores: Scores | None) -> Family:
    """Make a family of ranks, which leaves one weight at its highest level."""
    levels = sum(rank.numel() for rank in ranks.values()) - 1
    return _single(module, lambda level: kept_at(ranks, level), levels, name=name, step="weight", scores=scores)


def _single(
    module: nn.Module,
    masks: Callable[[int], Mapping[str, Tensor]],
    levels: int,
    *,
    name: str,
    step: str,
    scores: Scores | None,
) -> Family:
    sizes = magnitude(prunable(module))

    def at(level: int) -> Pruned:
        kept = masks(level)
        threshold = math.nan if scores is None else cut(scores, kept)
        thresholds = smallest_kept({name: sizes[name] for name in kept if name in sizes}, kept)
        return Pruned(net=net(kept), masks=kept, threshold=threshold, thresholds=thresholds)

    def net(kept: Mapping[str, Tensor]) -> nn.Module:
        pruned = copy.deepcopy(module)
        apply(pruned, kept)
        return pruned

    return Family(name=name, step=step, levels=checked(levels), at=at, sketch=lambda level: net(masks(level)))


def checked(levels: int) -> int:
    """Refuse a family without a level."""
    if levels < 1:
        raise ValueError(f"a family has at least one pruning beside the whole net; got {levels} levels")
    return levels
