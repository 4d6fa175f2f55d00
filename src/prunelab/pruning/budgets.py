"""Budgets: how a number of kept weights is shared among the layers, and the masks that keep exactly that many."""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from prunelab.pruning.kinds import find, named
from prunelab.pruning.paths import live
from prunelab.pruning.selection import kept_after_removing, refuse_nan

BUDGETS = tuple(named("budget"))


def layer_counts(shapes: Mapping[str, Sequence[int]], kept: int, budget: str) -> dict[str, int]:
    """Share a number of kept weights among layers by their shapes alone.

    The shares are rounded down, and the weights this leaves over go one each to the layers with the largest
    remainders, the earlier layer where two are equal. At a small `kept` a layer may get none. One weight more in all
    may be one less for a layer, as in every method of largest remainders.

    Args:
        shapes: parameter name -> shape of the weights.
        kept: how many weights to keep in all, 1 to their number.
        budget: "layer" keeps the same fraction of each. "erk" (Erdős-Rényi-Kernel) keeps a number in proportion to the
            sum of a layer's dimensions: the larger the layer, the sparser. Layers that would come above all their
            weights are kept whole, and the others share what is left.

    Returns:
        Same names; whole numbers that add up to `kept`, none above the number of its layer's weights.

    Raises:
        ValueError: `kept` is out of range, `budget` is neither of the two, there is no layer, or a shape is empty or
            holds a number below 1.

    Source: of "erk", Evci et al., "Rigging the Lottery: Making All Tickets Winners", ICML 2020; without the kernels
        Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity", 2018.
    """
    share = find("budget", budget).share
    if share not in _SHARES:
        fixed = " or ".join(f'"{name}"' for name, kind in named("budget").items() if kind.share in _SHARES)
        raise ValueError(f"a budget that shapes alone decide is {fixed}; got {budget!r}")
    sizes = _sizes(shapes)
    _check_kept(kept, sum(sizes.values()))
    shares = _SHARES[share](shapes, sizes, Fraction(kept))
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
    of each layer and "erk" numbers by its shape, see `layer_counts`. "lamp"
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
    chosen = find("budget", budget)
    total = sum(weight.numel() for weight in weights.values())
    _check_kept(kept, total)
    scores = chosen.scores({"weights": lambda: weights})
    if chosen.share != "all layers":
        return keep_counts(scores, layer_counts({name: weight.shape for name, weight in weights.items()}, kept, budget))
    return dict(zip(scores, kept_after_removing(list(scores.values()), total - kept), strict=True))


def _even_shares(shapes: Mapping[str, Sequence[int]], sizes: Mapping[str, int], kept: Fraction) -> dict[str, Fraction]:
    """Return the same fraction of each layer."""
    return {name: kept * size / sum(sizes.values()) for name, size in sizes.items()}


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


_SHARES: Mapping[str, Callable[[Mapping[str, Sequence[int]], Mapping[str, int], Fraction], dict[str, Fraction]]] = {
    "each layer": _even_shares,
    "erk": _erk_shares,
}


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


def keep_live(
    weights: Mapping[str, Tensor], kept: int, budget: str = "global", lit: Tensor | None = None
) -> dict[str, Tensor]:
    """Keep `kept` weights that all lie on live paths, the largest there are.

    Of a plain selection by magnitude some weights are on no path from an input to an output. So the selection is made
    larger until `kept` of its weights are live, and only those are kept. Where the last step brought more than one to
    life, the smallest that no other needs are left out again.

    Args:
        weights: consecutive linear layers, first to last, each (units, inputs); a weight of zero is never kept.
        kept: weights to keep, from 1 to all of them.
        budget: see `prunelab.pruning.keep_within`.
        lit: (inputs of the first layer,) bool, inputs that are ever nonzero; all of them when absent.

    Returns:
        Same names, shapes and devices, bool, True = kept; fewer than `kept` where not as many are live in the whole
        net, or where any step leaves out several at once.

    Raises:
        TypeError: a weight is not floating-point.
        ValueError: as `keep_within` and `prunelab.pruning.paths.live`.
    """
    candidates = {name: weight.detach() for name, weight in weights.items()}
    total = sum(weight.numel() for weight in candidates.values())

    def alive(count: int) -> dict[str, Tensor]:
        chosen = keep_within(candidates, count, budget)
        return live({name: mask & (candidates[name] != 0) for name, mask in chosen.items()}, lit)

    few, enough = kept - 1, kept
    found = alive(enough)
    while _count(found) < kept and enough < total:
        few, enough = enough, min(total, enough + max(enough // 8, 1))
        found = alive(enough)
    while enough - few > 1:
        middle = (few + enough) // 2
        tried = alive(middle)
        if _count(tried) >= kept:
            enough, found = middle, tried
        else:
            few = middle
    return _trimmed(found, candidates, kept, lit)


def _trimmed(
    masks: dict[str, Tensor], weights: Mapping[str, Tensor], kept: int, lit: Tensor | None
) -> dict[str, Tensor]:
    """Leave out the smallest weights, while as many as are to be kept stay live without them."""
    below = {name: torch.zeros_like(mask) for name, mask in masks.items()}
    while (excess := _count(masks) - kept) > 0:
        sizes = torch.cat([weights[name][mask].abs() for name, mask in masks.items()])
        order = sizes.argsort(stable=True)
        # As many of the smallest at once as go without taking too many others with them: one, mostly.
        for count in _halved(excess):
            without = live(_left_out(masks, order[:count]), lit)
            if _count(without) >= kept:
                break
        else:
            for place in order[1:]:
                below = max(below, without, key=_count)
                without = live(_left_out(masks, place[None]), lit)
                if _count(without) >= kept:
                    break
            else:
                return max(below, without, key=_count)
        masks = without
    return masks


def _halved(count: int) -> list[int]:
    """Count down from a number to 1 by halves."""
    counts = [count]
    while counts[-1] > 1:
        counts.append(counts[-1] // 2)
    return counts


def _left_out(masks: Mapping[str, Tensor], places: Tensor) -> dict[str, Tensor]:
    """Clear the kept weights at some places, counted over all kept ones in a row."""
    stays = torch.ones(_count(masks), dtype=torch.bool, device=places.device)
    stays[places] = False
    parts = stays.split([int(mask.sum()) for mask in masks.values()])
    left = {name: mask.clone() for name, mask in masks.items()}
    for mask, part in zip(left.values(), parts, strict=True):
        mask[mask.clone()] = part
    return left


def _count(masks: Mapping[str, Tensor]) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


SHAPES = ("geometric", "cubic")


def kept_counts(weights: int, target: int, rounds: int, shape: str = "geometric") -> list[int]:
    """Count the weights kept after each round of pruning, from all of them down to a target.

    With n weights, target m and T rounds, after round i = 1..T

    - "geometric" keeps n · (m / n)^(i / T): each round removes the same fraction, 1 - (m / n)^(1 / T), of the weights
      that the rounds before it left;
    - "cubic" has the sparsity s · (1 - (1 - i / T)³), with s = 1 - m / n in the end: it removes many weights while
      there are many, and few near the end.

    Counts are rounded, halves to the even number, as in Python.

    Args:
        weights: n, the number of weights before the first round.
        target: m, the number kept after the last round, 1 to n.
        rounds: T >= 1.
        shape: "geometric" or "cubic".

    Returns:
        `rounds` numbers, never increasing, the last of them `target`. Neighbours are equal where a round would
        remove less than one weight.

    Raises:
        ValueError: `target` or `rounds` is out of range, or `shape` is neither of the two.

    Source: geometric: Han et al., "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS
    2015, and Frankle & Carbin, "The Lottery Ticket Hypothesis", ICLR 2019; cubic: Zhu & Gupta, "To prune, or not to
    prune", 2017, equation 1 with initial sparsity 0.
    """
    if shape not in SHAPES:
        raise ValueError(f'shape is "geometric" or "cubic"; got {shape!r}')
    if not 1 <= target <= weights:
        raise ValueError(f"target is the number of weights kept in the end, 1 to {weights}; got {target!r}")
    if rounds < 1:
        raise ValueError(f"rounds is at least 1; got {rounds!r}")
    if shape == "geometric":
        kept = [round(weights * (target / weights) ** (i / rounds)) for i in range(1, rounds)]
    else:  # n - m are still to go at first, and (1 - i / T)^3 of those after round i
        kept = [target + round((weights - target) * Fraction(rounds - i, rounds) ** 3) for i in range(1, rounds)]
    return [*kept, target]
