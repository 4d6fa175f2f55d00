"""Criteria: how much each weight, or each unit, is worth. Pure functions, weights -> scores, higher = kept."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prunelab.models.modes import evaluating
from prunelab.pruning.application import prunable
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


def positive(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Score each positive weight by its value and every other inf, so that no threshold removes it; see `magnitude`."""
    return {name: size.where(weights[name] > 0, torch.inf) for name, size in magnitude(weights).items()}


def negative(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Score each negative weight by its magnitude and every other inf; see `positive`."""
    return {name: size.where(weights[name] < 0, torch.inf) for name, size in magnitude(weights).items()}


def lamp(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Score each weight by its square over the squares of its layer's weights that are at least as large, itself too.

    It is the part of what the layer still has at the moment when everything smaller is gone, so one order of all
    scores gives each layer a density of its own. The largest weight of a layer scores 1 and all others at most 1/2.
    Where magnitudes of a layer are equal, the one stored later counts as the larger. Multiplying a layer by a number
    leaves its scores as they are, up to rounding.

    Args:
        weights: parameter name -> weight, floating-point and finite, any shape and device.

    Returns:
        Same names, shapes and devices, float64, in [0, 1]; higher is kept. Weights that are 0 score 0. Narrower types
        would round the scores of a layer to one another, and most of them to 0.

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
        return torch.zeros_like(weight, dtype=torch.float64)
    # The scale cancels; without it squares of weights near the limits of float64 would be 0 or infinite.
    ascending, order = (magnitudes / largest).sort(stable=True)
    squares = ascending.square()
    scores = torch.empty_like(squares)
    scores[order] = squares / squares.flip(0).cumsum(0).flip(0)
    return scores.view(weight.shape)


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


def accumulate(
    model: nn.Module, x: Tensor, y: Tensor, *, batch_size: int = 250, absolute: bool = False
) -> dict[str, Tensor]:
    """Accumulate the gradient of the cross-entropy over batches, ∂L/∂w.

    As it stands, the mean over batches: the gradient of the mean loss L of all examples, whatever the batches are. At
    the end of training it is near 0, because what some batches ask of a weight others take back. `absolute` adds up the
    magnitudes of the batches' gradients instead, mean |∂L_b/∂w|, which cannot cancel and depends on the batches: the
    smaller they are, the larger it is. A smaller last batch counts by its examples.

    Args:
        model: maps `x` to logits; measured as in evaluation, not changed, its own gradients left alone.
        x: examples, (N, ...), N >= 1, on the model's device.
        y: their classes, (N,).
        batch_size: examples in one pass, at least 1.
        absolute: magnitudes are averaged instead of gradients.

    Returns:
        Name -> gradient of every prunable weight, in its shape and place, in nats per unit of weight; in its type, or
        in float32 where that is narrower.

    Raises:
        ValueError: no example, a batch of none, or a gradient that is not finite.
    """
    if len(x) == 0 or len(x) != len(y) or batch_size < 1:
        raise ValueError(
            "gradients are taken on examples with their classes, one or more at a time; "
            f"got {len(x)} and {len(y)}, batch_size {batch_size!r}"
        )
    leaves = {name: weight.requires_grad_() for name, weight in prunable(model).items()}  # also of a frozen net
    totals = {name: torch.zeros_like(weight, dtype=torch.float64) for name, weight in leaves.items()}
    with evaluating(model, gradients=True):
        for part, classes in zip(x.split(batch_size), y.split(batch_size), strict=True):
            outputs = torch.func.functional_call(model, leaves, (part,))
            loss = nn.functional.cross_entropy(outputs, classes, reduction="sum")
            for total, own in zip(totals.values(), torch.autograd.grad(loss, list(leaves.values())), strict=True):
                total += own.abs() if absolute else own
    for name, total in totals.items():
        if not bool(torch.isfinite(total).all()):
            raise ValueError(f"scores need finite gradients; those of {name!r} are not: did the training diverge?")
    # Half precision would round most gradients of a trained net to 0.
    return {
        name: (total / len(x)).to(torch.promote_types(leaves[name].dtype, torch.float32))
        for name, total in totals.items()
    }


def gradient(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Score each weight by the magnitude of its gradient, |∂L/∂w|: how fast the loss changes as the weight does.

    It says nothing of how far the weight is from 0. A large weight on a flat part of the loss goes before a small one
    on a steep part.

    Args:
        gradients: parameter name -> gradient, floating-point, any shape and device; see `accumulate`.

    Returns:
        Same names, shapes, types and devices, all >= 0, in units of the loss per unit of weight; higher is kept.

    Raises:
        TypeError: a gradient is not floating-point.
        ValueError: a gradient is NaN.

    Source: the derivative of the loss as a measure of relevance goes back to Mozer and Smolensky, "Skeletonization",
        NeurIPS 1988, who took it with respect to a gate on each unit; that of the weight itself is meant where a
        weight whose gradient is near 0 is said to be pruned.
    """
    refuse_nan(gradients, what="gradients")
    return {name: own.detach().abs() for name, own in gradients.items()}


def saliency(weights: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Score each weight by the first-order change of the loss from zeroing it, |w · ∂L/∂w|.

    It is the derivative with respect to a factor on the weight, taken at 1.

    Args:
        weights: parameter name -> weight, floating-point, any shape and device.
        gradients: same names and shapes; see `accumulate`.

    Returns:
        Same names, shapes and devices, float64, all >= 0, in units of the loss; higher is kept. Products of narrower
        types are exact in it.

    Raises:
        TypeError: a weight or a gradient is not floating-point.
        ValueError: one is NaN, or a weight has no gradient, or one of another shape.

    Source: Lee et al., "SNIP", ICLR 2019, without its normalisation; Molchanov et al., ICLR 2017, for the first-order
        Taylor expansion, there of activations. LeCun et al., "Optimal Brain Damage", NeurIPS 1989, drop this term
        because it vanishes at a minimum, and take the second.
    """
    refuse_nan(weights, what="weights")
    refuse_nan(gradients, what="gradients")
    shapes = [{name: tuple(own.shape) for name, own in side.items()} for side in (weights, gradients)]
    if shapes[0] != shapes[1]:
        odd = sorted(name for name in shapes[0].keys() | shapes[1].keys() if shapes[0].get(name) != shapes[1].get(name))
        raise ValueError(
            f"every weight has a gradient of its shape; for {odd[0]!r} the shapes are "
            f"{shapes[0].get(odd[0])} and {shapes[1].get(odd[0])}"
        )
    return {name: (weight.detach().double() * gradients[name].detach()).abs() for name, weight in weights.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitActivations:
    """What the units of one layer give on examples, averaged over examples and positions."""

    mean: Tensor  # (U,) ā
    size: Tensor  # (U,) mean |a|


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitGradients:
    """How the loss depends on the units of one layer, g = ∂L/∂a, example by example."""

    slopes: Tensor  # (N, U) Σₚ g over positions
    products: Tensor  # (N, U) Σₚ a g


def unit_random(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Score each unit of a layer by a random number, uniform in [0, 1); (U, ...) -> (U,) float64."""
    return torch.rand(len(weight), generator=generator, dtype=torch.float64)


def unit_norm(weight: Tensor) -> Tensor:
    """Score each unit by its incoming weights, ‖w‖² / fan-in; (U, ...) -> (U,) float64 on the CPU."""
    return weight.double().flatten(1).square().mean(1).cpu()


def unit_activation(activations: UnitActivations) -> Tensor:
    """Score each unit by its mean magnitude, E[mean over p of |a|]."""
    return activations.size


def unit_taylor(gradients: UnitGradients) -> Tensor:
    """Score each unit by the first-order change of the loss from zeroing it, E[Σₚ −a g]."""
    return -gradients.products.mean(0)


def unit_taylor_size(gradients: UnitGradients) -> Tensor:
    """Score each unit by the size of that change in each example, E[|Σₚ a g|]; see `unit_taylor`."""
    return gradients.products.abs().mean(0)


def unit_replacement(activations: UnitActivations, gradients: UnitGradients) -> Tensor:
    """Score each unit by the first-order change of the loss from replacing it by its mean, E[Σₚ (ā − a) g]."""
    return _replaced(activations, gradients).mean(0)


def unit_replacement_size(activations: UnitActivations, gradients: UnitGradients) -> Tensor:
    """Score each unit by the size of that change in each example, E[|Σₚ (ā − a) g|]; see `unit_replacement`."""
    return _replaced(activations, gradients).abs().mean(0)


def _replaced(activations: UnitActivations, gradients: UnitGradients) -> Tensor:
    """Give Σₚ (ā − a) g of each example, (N, U)."""
    return activations.mean * gradients.slopes - gradients.products
