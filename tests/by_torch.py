"""The independent reference of the sweeps: a copy of a net, pruned by torch's own functions."""

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils import prune

from prunelab.studies.common.nets import Net


def pruned(net: Net, removes: Callable[[str, torch.Tensor], torch.Tensor]) -> tuple[nn.Sequential, float]:
    """Prune a copy of the weights that `removes` names, layer by layer; the sparsity is counted in it."""
    clone = copy.deepcopy(net.module)
    removed = total = 0
    for name, module in clone.named_children():
        if isinstance(module, nn.Linear):
            prune.custom_from_mask(module, "weight", ~removes(name, module.weight.detach()))
            removed += int((module.weight_mask == 0).sum())
            total += module.weight_mask.numel()
            prune.remove(module, "weight")
    return clone, removed / total


def small(method: str, threshold: float, _: str, weight: torch.Tensor) -> torch.Tensor:
    """Which weights a threshold removes, written out from the source's definitions."""
    return {
        "abs": weight.abs() < threshold,
        "positive": (weight > 0) & (weight < threshold),
        "negative": (weight < 0) & (weight > -threshold),
    }[method]
