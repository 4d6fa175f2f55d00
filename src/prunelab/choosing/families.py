"""Families: nested prunings of one net by level, a higher level removing more."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from prunelab.data import Split
from prunelab.measure import evaluate
from prunelab.models.modes import evaluating
from prunelab.pruning import apply, magnitude, prunable
from prunelab.pruning.kinds import find, named
from prunelab.pruning.thresholds import Curve, by_sensitivity, cut, kept_at, order, smallest_kept
from prunelab.pruning.unit_removal import remove, shift, shrink
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import Site, layer_of, sites

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
    return _scored(module, "global")


def by_quality(module: nn.Module) -> Family:
    """Prune by a threshold of each layer, quality × standard deviation of its weights (Han et al., 2015).

    A level is a weight, its threshold the quality: see `prunelab.pruning.thresholds.in_deviations`.
    """
    return _scored(module, "quality")


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


def _scored(module: nn.Module, name: str) -> Family:
    """Make a family of the list that ranks weights by themselves; its levels have a threshold on the scores."""
    scores = find("family", name).scores({"weights": lambda: prunable(module)})
    return _ranked(module, order(scores), name, scores)


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


def by_units(module: nn.Module, scores: Scores, x: Tensor | None = None) -> Family:
    """Remove whole units, lowest score of all layers first; each layer keeps its best one. A level is a unit.

    With examples, a removed unit is replaced by its mean, which the next layer's bias then carries. Layers are pruned
    first to last, and each one's means are measured with those before it pruned already: means of the unpruned net
    would be wrong there, and many layers at once may lose by them. What is measured and deployed is physically smaller.

    Args:
        module: see `prunelab.pruning.units.sites`; left as it is.
        scores: layer -> (units,), higher = kept, comparable between layers; as `unit_scores` gives them.
        x: (N, ...) examples for the means, other than those a bound is tested on; without them units are zeroed.

    Raises:
        ValueError: the net's units cannot be removed one by one, scores that do not fit or are NaN, or no layer has
            more than one unit.
    """
    found = sites(module)
    if {name: len(score) for name, score in scores.items()} != {name: site.units for name, site in found.items()}:
        sizes = ", ".join(f"{name} ({site.units})" for name, site in found.items())
        raise ValueError(f"units are scored layer by layer, {sizes}; got {', '.join(scores) or 'none'}")
    safe = {name: scores[name].double().clone() for name in found}
    for score in safe.values():
        if not bool(score.isnan().any()):  # `order` refuses those
            score[int(score.argmax())] = math.inf  # goes behind all levels
    ranks, levels = order(safe), sum(site.units - 1 for site in found.values())

    def flags(level: int) -> dict[str, Tensor]:
        return {name: ~kept for name, kept in kept_at(ranks, level).items()}

    def at(level: int) -> Pruned:
        gone = flags(level)
        smallest = smallest_kept(scores, {name: ~removed for name, removed in gone.items()})
        pruned = copy.deepcopy(module)
        for name, site in sites(pruned).items():
            if bool(gone[name].any()):
                moved = None if x is None else {name: _mean_shift(pruned, site, gone[name], x)}
                remove(pruned, {name: gone[name]}, shifts=moved)
        return Pruned(net=shrink(pruned, gone), removed=gone, threshold=min(smallest.values()), thresholds=smallest)

    return Family(
        name="units", step="unit", levels=checked(levels), at=at, sketch=lambda level: shrink(module, flags(level))
    )


def unit_scores(
    module: nn.Module, x: Tensor | None = None, y: Tensor | None = None, *, score: str = "mrs-abs", seed: int = 0
) -> dict[str, Tensor]:
    """Score the units of every layer, on examples or, without any, by the norm of their weights.

    Args:
        module: see `prunelab.pruning.units.sites`.
        x: (N, ...) examples other than those a bound is tested on; None to score by `norm`.
        y: (N,) their classes.
        score: of `prunelab.pruning.unit_scores.SCORES`; the absolute mean-replacement saliency compares layers by loss.
        seed: of random scores.

    Returns:
        Layer -> (units,), higher = kept.

    Raises:
        ValueError: an unknown score, or one that needs examples without any.
    """
    kind = find("score", score)
    if x is not None and y is not None:
        measured = measure_units(module, x, y, generator=torch.Generator().manual_seed(seed))
        return {name: one.scores[score] for name, one in measured.items()}
    if kind.needs != ("weights",):
        raise ValueError(f'without examples units are scored by "norm"; got {score!r}')
    weights = {name: layer_of(module, name).weight.detach() for name in sites(module)}
    return {name: kind.score(weight) for name, weight in weights.items()}


def _mean_shift(net: nn.Module, site: Site, gone: Tensor, x: Tensor, batch_size: int = 250) -> Tensor:
    """Give what removed units contribute on average to the layer behind them, in the net as it is."""
    total = torch.zeros((), dtype=torch.float64)

    def add(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        nonlocal total
        total = total + given[0].double().sum(0).cpu()

    hook = layer_of(net, site.consumer).register_forward_pre_hook(add)
    try:
        with evaluating(net):
            for part in x.split(batch_size):
                net(part)
    finally:
        hook.remove()
    inputs = (total / len(x)).view(site.units, -1) if total.ndim == 1 else total / len(x)
    nothing = torch.zeros(site.units, dtype=torch.float64)
    means = Measured(scores={}, mean=nothing, mean_square=nothing, shape=(), inputs=inputs)
    # Per position: the mean of what the next layer gets, which it then gets on average still.
    return shift(net, site, gone, means, mean="per position")


FAMILIES = tuple(named("family"))


def by_name(name: str, module: nn.Module, examples: Split, *, seed: int = 0) -> Family:
    """Make a family of prunings of a classifier.

    Args:
        name: "global", "quality", "sensitivity" (by cross-entropy) or "units" (absolute mean-replacement saliency).
        module: left as it is.
        examples: for sensitivities, units' scores and means; none of those a bound is tested on.
        seed: of what is drawn.

    Raises:
        ValueError: an unknown family, or a net that it cannot prune.
    """
    family = find("family", name)
    if family.units:
        scores = unit_scores(module, examples.x, examples.y, score=family.units, seed=seed)
        return by_units(module, scores, examples.x)
    if "curves" in family.needs:
        return by_sensitivities(module, lambda net: evaluate(net, examples).loss)
    return _scored(module, name)
