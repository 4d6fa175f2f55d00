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
    if _count(masks) <= kept:
        return masks
    below: dict[str, Tensor] = {}
    sizes = torch.cat([weights[name][mask].abs() for name, mask in masks.items()])
    places = [(name, *place) for name, mask in masks.items() for place in mask.nonzero().tolist()]
    for smallest in sizes.argsort().tolist():
        name, unit, source = places[smallest]
        if not masks[name][unit, source]:
            continue  # gone with one before it
        without = {**masks, name: masks[name].clone()}
        without[name][unit, source] = False
        without = live(without, lit)
        if _count(without) >= kept:
            masks = without
        elif _count(without) >= _count(below):
            below = without
        if _count(masks) == kept:
            return masks
    return below


def _count(masks: Mapping[str, Tensor]) -> int:
    return sum(int(mask.sum()) for mask in masks.values())
