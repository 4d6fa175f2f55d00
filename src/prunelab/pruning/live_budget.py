"""A budget spent on live weights alone: none of the weights kept leads nowhere."""

from collections.abc import Mapping

import torch
from torch import Tensor

from prunelab.pruning.budgets import keep_within
from prunelab.pruning.paths import live


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
