"""Criteria: how much each weight is worth. Pure functions, weights -> scores, higher = kept."""

from collections.abc import Mapping

import torch
from torch import Tensor

from prunelab.pruning.selection import refuse_nan


def magnitude(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Score each weight by its absolute value, |w|.

    Args:
        weights: parameter name -> weight, floating-point, any shape and device.

    Returns:
        Same names, shapes, types and devices, all >= 0, in units of the weights; higher is kept.

    Raises:
        TypeError: a weight is not floating-point.
        ValueError: a weight is NaN.

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015.
    """
    refuse_nan(weights, what="weights")
    return {name: weight.detach().abs() for name, weight in weights.items()}


def random(weights: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Score each weight by a uniform random number, so that every choice of weights is equally likely.

    The numbers are drawn layer by layer in the mapping's order. The scores are their negatives, because
    `torch.nn.utils.prune.random_unstructured` removes the largest: on the CPU and at equal seeds the masks of each
    layer are equal, and in float32 those of `global_unstructured` too (it draws once for all layers).

    Args:
        weights: parameter name -> weight, floating-point, any shape and device; only shapes and types matter.
        generator: source of the numbers, used up by one draw per weight; it draws on its own device.

    Returns:
        Same names, shapes, types and devices, in (-1, 0]; higher is kept.

    Raises:
        RuntimeError: a weight is not floating-point.
    """
    return {
        name: -torch.rand(weight.shape, generator=generator, dtype=weight.dtype, device=generator.device).to(
            weight.device
        )
        for name, weight in weights.items()
    }
