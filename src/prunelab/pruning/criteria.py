"""Criteria: how much each weight is worth. Pure functions, weights -> scores, higher = kept."""

import math
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


def lamp(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Score each weight by its square over the squares of its layer's weights that are at least as large, itself too.

    It is the part of what the layer still has at the moment when everything smaller is gone, so one order of all
    scores gives each layer a density of its own. The largest weight of a layer scores 1 and all others at most 1/2.
    Where magnitudes of a layer are equal, the one stored later counts as the larger. Multiplying a layer by a number
    leaves its scores as they are, up to rounding.

    Args:
        weights: parameter name -> weight, floating-point and finite, any shape and device.

    Returns:
        Same names, shapes, types and devices, in [0, 1]; higher is kept. Weights that are 0 score 0. The sums are
        taken in float64, and scores too small for the weights' type become 0.

    Raises:
        TypeError: a weight is not floating-point.
        ValueError: a weight is NaN or infinite.

    Source: Lee et al., "Layer-adaptive sparsity for the Magnitude-based Pruning", ICLR 2021, equation 1.
    """
    refuse_nan(weights, what="weights")
    return {name: _lamp_of_layer(weight.detach(), name) for name, weight in weights.items()}


def _lamp_of_layer(weight: Tensor, name: str) -> Tensor:
    """Score one layer."""
    magnitudes = weight.abs().double().flatten()
    largest = float(magnitudes.max()) if len(magnitudes) else 0.0
    if math.isinf(largest):
        raise ValueError(f"weights must be finite for LAMP; {name!r} holds an infinite one: has the training diverged?")
    if largest == 0:
        return torch.zeros_like(weight)
    # The scale cancels; without it squares of weights near the limits of float64 would be 0 or infinite.
    ascending, order = (magnitudes / largest).sort(stable=True)
    squares = ascending.square()
    scores = torch.empty_like(squares)
    scores[order] = squares / squares.flip(0).cumsum(0).flip(0)
    return scores.to(weight.dtype).view(weight.shape)


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
