"""The family that removes whole units, and makes the net physically smaller."""

import copy
import math

import torch
from torch import Tensor, nn

from prunelab.choosing.families import Family, Pruned, Scores, checked
from prunelab.measure.modes import evaluating
from prunelab.pruning.shrink import shrink
from prunelab.pruning.thresholds import kept_at, order, smallest_kept
from prunelab.pruning.unit_removal import remove, shift
from prunelab.pruning.unit_scores import SCORES, Measured, measure_units
from prunelab.pruning.units import Site, layer_of, sites


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
    if score not in SCORES:
        raise ValueError(f"units are scored by one of {', '.join(SCORES)}; got {score!r}")
    if x is not None and y is not None:
        measured = measure_units(module, x, y, generator=torch.Generator().manual_seed(seed))
        return {name: one.scores[score] for name, one in measured.items()}
    if score != "norm":
        raise ValueError(f'without examples units are scored by "norm"; got {score!r}')
    weights = {name: layer_of(module, name).weight.detach() for name in sites(module)}
    return {name: weight.double().flatten(1).square().mean(1).cpu() for name, weight in weights.items()}


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
