"""Budgets: how a number of kept weights is shared among the layers, and the masks that keep exactly that many."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from torch import Tensor

from prunelab.pruning.criteria import lamp, magnitude
from prunelab.pruning.selection import kept_after_removing, refuse_nan

BUDGETS = ("global", "layer", "erk", "lamp")
_FIXED = ("layer", "erk")  # the shapes of the layers alone decide how many weights each keeps


def erk_densities(shapes: Mapping[str, Sequence[int]], density: float) -> dict[str, float]:
    """Give each layer a density in proportion to the sum of its dimensions over their product (Erdős-Rényi-Kernel).

    A layer of n weights whose dimensions add up to d so keeps a number of weights in proportion to d: the larger
    the layer, the sparser. Layers that would come above 1 are kept whole, and the others share what is left.

    Args:
        shapes: parameter name -> shape of the weights; (outputs, inputs) gives Erdős-Rényi, and with the two sides
            of a convolution's kernel behind them its extension to kernels.
        density: fraction of all weights to keep, in (0, 1].

    Returns:
        Same names; the fraction of each layer's weights to keep, in (0, 1]. Weighted by the layers' sizes they
        average `density`, up to the rounding of floats.

    Raises:
        ValueError: `density` is outside (0, 1], there is no layer, or a shape is empty or holds a number below 1.

    Source: Evci et al., "Rigging the Lottery: Making All Tickets Winners", ICML 2020; without the kernels Mocanu et
    al., "Scalable training of artificial neural networks with adaptive sparse connectivity", 2018.
    """
    if not 0 < density <= 1:
        raise ValueError(f"density is the fraction of weights to keep, in (0, 1]; got {density!r}")
    sizes = _sizes(shapes)
    shares = _erk_shares(shapes, sizes, Fraction(density) * sum(sizes.values()))
    return {name: float(share / sizes[name]) for name, share in shares.items()}


def layer_counts(shapes: Mapping[str, Sequence[int]], kept: int, budget: str) -> dict[str, int]:
    """Share a number of kept weights among layers by their shapes alone.

    The shares are rounded down, and the weights this leaves over go one each to the layers with the largest
    remainders, the earlier layer where two are equal. At a small `kept` a layer may get none. One weight more in all
    may be one less for a layer, as in every method of largest remainders.

    Args:
        shapes: parameter name -> shape of the weights.
        kept: how many weights to keep in all, 1 to their number.
        budget: "layer" keeps the same fraction of each, "erk" the densities of `erk_densities`.

    Returns:
        Same names; whole numbers that add up to `kept`, none above the number of its layer's weights.

    Raises:
        ValueError: `kept` is out of range, `budget` is neither of the two, there is no layer, or a shape is empty or
            holds a number below 1.
    """
    if budget not in _FIXED:
        raise ValueError(f'a budget that shapes alone decide is "layer" or "erk"; got {budget!r}')
    sizes = _sizes(shapes)
    total = sum(sizes.values())
    _check_kept(kept, total)
    if budget == "erk":
        shares = _erk_shares(shapes, sizes, Fraction(kept))
    else:
        shares = {name: Fraction(kept * size, total) for name, size in sizes.items()}
    counts = {name: math.floor(share) for name, share in shares.items()}
    by_remainder = sorted(counts, key=lambda name: counts[name] - shares[name])
    for name in by_remainder[: kept - sum(counts.values())]:
        counts[name] += 1
    return counts


def keep_counts(scores: Mapping[str, Tensor], counts: Mapping[str, int]) -> dict[str, Tensor]:
    """Keep exactly so many weights of each layer, those with the largest scores.

    Among equal scores at the cut, those go that `keep_largest` removes.

    Args:
        scores: parameter name -> score, floating-point, any shape and device; higher is kept.
        counts: parameter name -> how many to keep, 0 to the number of scores; the names of `scores`.

    Returns:
        Names, order, shapes and devices of `scores`, bool, True = kept.

    Raises:
        TypeError: scores are not floating-point.
        ValueError: a score is NaN, a count is out of range, or the names differ.
    """
    if counts.keys() != scores.keys():
        odd = sorted(counts.keys() ^ scores.keys())
        raise ValueError(f"scores and counts name the same layers; only one of them has {', '.join(odd)}")
    refuse_nan(scores, what="scores")
    masks = {}
    for name, score in scores.items():
        if not 0 <= counts[name] <= score.numel():
            raise ValueError(f"a count is 0 to {score.numel()}, the scores of {name!r}; got {counts[name]!r}")
        (masks[name],) = kept_after_removing([score], score.numel() - counts[name])
    return masks


def keep_within(weights: Mapping[str, Tensor], kept: int, budget: str = "global") -> dict[str, Tensor]:
    """Keep exactly so many weights in all, the largest in magnitude that the budget of their layer allows.

    "global" has one threshold for all layers, and may empty a layer of small weights. "layer" keeps the same fraction
    of each layer and "erk" the fractions of `erk_densities`, both in the whole numbers of `layer_counts`. "lamp"
    keeps the largest scores of `criteria.lamp` in all layers together; with `kept` at least the number of layers it
    leaves at least one weight in each that is not all zero.

    Args:
        weights: parameter name -> weight, floating-point, any shape and device. Weights that are 0 already count
            like others, and are the first to go.
        kept: how many to keep in all, 1 to the number of weights.
        budget: "global", "layer", "erk" or "lamp".

    Returns:
        Same names, shapes and devices, bool, True = kept, with `kept` times True in all; ties as in `keep_largest`.

    Raises:
        TypeError: a weight is not floating-point.
        ValueError: a weight is NaN, or infinite with "lamp"; `kept` is out of range; `budget` is none of the four;
            or a layer has no weights, with "layer" or "erk".
    """
    if budget not in BUDGETS:
        raise ValueError(f'budget is "global", "layer", "erk" or "lamp"; got {budget!r}')
    total = sum(weight.numel() for weight in weights.values())
    _check_kept(kept, total)
    if budget in _FIXED:
        shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
        return keep_counts(magnitude(weights), layer_counts(shapes, kept, budget))
    scores = lamp(weights) if budget == "lamp" else magnitude(weights)
    return dict(zip(scores, kept_after_removing(list(scores.values()), total - kept), strict=True))


def _erk_shares(shapes: Mapping[str, Sequence[int]], sizes: Mapping[str, int], kept: Fraction) -> dict[str, Fraction]:
    """Return how many weights each layer keeps, as exact fractions that add up to `kept`."""
    whole: set[str] = set()
    while True:
        rest = [name for name in sizes if name not in whole]  # at least one: all layers whole are all weights
        left = kept - sum(sizes[name] for name in whole)
        scale = left / sum(sum(shapes[name]) for name in rest)
        above = {name for name in rest if scale * sum(shapes[name]) > sizes[name]}
        if not above:
            return {
                name: Fraction(size) if name in whole else scale * sum(shapes[name]) for name, size in sizes.items()
            }
        # Keeping these whole takes less than their share, so the scale grows and none of them would come back.
        whole |= above


def _sizes(shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Count the weights of each layer."""
    if not shapes:
        raise ValueError("a budget is shared among at least one layer; got none: has the network prunable weights?")
    for name, shape in shapes.items():
        if not shape or min(shape) < 1:
            raise ValueError(f"a layer's shape is one or more numbers >= 1; {name!r} has {tuple(shape)}")
    return {name: math.prod(shape) for name, shape in shapes.items()}


def _check_kept(kept: int, total: int) -> None:
    """Raise where so many weights cannot be kept."""
    if not 1 <= kept <= total:
        raise ValueError(f"kept is how many of the {total} weights stay, 1 to {total}; got {kept!r}")
