"""The mean shift of a pruned net's pre-activations in closed form, from its weights and the unpruned net's inputs.

With W the weights of a layer, W' those left and h its input, the pre-activation z = W h + b changes in the mean by
-(W - W') E[h] as long as the input is the unpruned one: the *local* shift. In a net pruned throughout, the inputs have
shifted too; the *cascade* carries that through, layer by layer.
"""

import math
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from prunelab.measure.activations import Moments
from prunelab.measure.perceptron import layers_of

# Trapezoids over a standard normal, 0.025 apart out to 6: for smooth functions their error falls exponentially with the
# spacing, and the slope of a tanh stays resolved up to s = 20, where Gauss-Hermite's nodes lie too far apart.
_STEP = 0.025
_REACH = 240

_T = TypeVar("_T")


def local_shift(model: nn.Sequential, setting: Mapping[str, Tensor], means: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Predict each layer's mean shift from its own replaced parameters alone, (W' - W) E[h] + b' - b.

    Args:
        model: unpruned, see `perceptron.layers_of`.
        setting: parameter name -> tensor in its place; an absent name keeps the model's.
        means: layer -> E[h], (inputs,), its mean input in the unpruned net.

    Returns:
        Layer -> (units,) float64, in units of the pre-activation.

    Raises:
        ValueError: a layer without a mean, or what `perceptron.layers_of` refuses.
    """
    shifts = {}
    for old, new in zip(layers_of(model), layers_of(model, setting), strict=True):
        change = new.weight.cpu().double() - old.weight.cpu().double()
        bias = new.bias.cpu().double() - old.bias.cpu().double()
        shifts[old.name] = change @ _of(means, old.name) + bias
    return shifts


def cascade_shift(
    model: nn.Sequential, setting: Mapping[str, Tensor], moments: Mapping[str, Moments]
) -> dict[str, Tensor]:
    """Predict each layer's mean shift in a net replaced throughout, by mean-field propagation.

    A unit's pre-activation is taken as Gaussian, z' ~ N(μ', s'²), with

        μ' = W' m' + b',   s'² = diag(W' Σ' W'ᵀ),   Σ'_ij = ρ_ij σ'_i σ'_j,

    m' and σ' the predicted means and standard deviations of the layer's inputs and ρ their correlations in the
    unpruned net. From layer to layer,

        m' = m + E[φ(z')] - E[φ(z)],   σ' = max(0, σ + sd[φ(z')] - sd[φ(z)]),

    where m, σ are measured in the unpruned net and z ~ N(μ, s²) is its own Gaussian. Only the *change* of the moments
    is the Gaussian's, so that a net with nothing replaced is predicted exactly, and so is its first layer always.

    Args:
        model: unpruned, see `perceptron.layers_of`.
        setting: parameter name -> tensor in its place; an absent name keeps the model's.
        moments: layer -> moments of its inputs in the unpruned net, as `activations.input_moments` measures them.

    Returns:
        Layer -> μ' - μ, (units,) float64, in units of the pre-activation.

    Raises:
        ValueError: a layer without moments, or what `perceptron.layers_of` refuses.
    """
    shifts = {}
    change: tuple[Tensor, Tensor] | None = None  # of the means and standard deviations of the next layer's inputs
    for old, new in zip(layers_of(model), layers_of(model, setting), strict=True):
        inputs = _of(moments, old.name)
        sd = inputs.covariance.diagonal().clamp(min=0).sqrt()
        inverse = torch.where(sd > 0, 1 / sd.clamp(min=1e-300), 0.0)
        correlation = (inputs.covariance * inverse[:, None] * inverse).fill_diagonal_(1.0)
        mean_change, sd_change = change or (torch.zeros_like(sd), torch.zeros_like(sd))
        before = _gaussian(old.weight, old.bias, inputs.mean, sd, correlation)
        after = _gaussian(new.weight, new.bias, inputs.mean + mean_change, (sd + sd_change).clamp(min=0), correlation)
        shifts[old.name] = after[0] - before[0]
        mean, spread = activated(*before, old.activation)
        new_mean, new_spread = activated(*after, old.activation)
        change = (new_mean - mean, new_spread - spread)
    return shifts


def activated(mean: Tensor, sd: Tensor, activation: str) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of an activation's output for Gaussian pre-activations.

    Of a ReLU in closed form, E[φ] = μ Φ(μ/s) + s ϕ(μ/s) and E[φ²] = (μ² + s²) Φ(μ/s) + μ s ϕ(μ/s); of sigmoid and
    tanh by quadrature.

    Args:
        mean: μ, (units,) float64.
        sd: s, (units,) float64, at least 0.
        activation: relu, sigmoid, tanh, or none.
    """
    if activation == "none":
        return mean, sd
    if activation == "relu":
        t = mean / sd.clamp(min=1e-300)
        below = torch.special.ndtr(t)
        density = torch.exp(-t.square() / 2) / math.sqrt(2 * math.pi)
        first = mean * below + sd * density
        second = (mean.square() + sd.square()) * below + mean * sd * density
        return first, (second - first.square()).clamp(min=0).sqrt()
    nodes = _STEP * torch.arange(-_REACH, _REACH + 1, dtype=torch.float64)
    weights = torch.exp(-nodes.square() / 2)
    weights /= weights.sum()
    z = mean[:, None] + sd[:, None] * nodes  # (units, nodes)
    outputs = z.tanh() if activation == "tanh" else z.sigmoid()
    first = outputs @ weights
    return first, ((outputs - first[:, None]).square() @ weights).sqrt()


def _gaussian(weight: Tensor, bias: Tensor, mean: Tensor, sd: Tensor, correlation: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of pre-activations, (units,) each, from the moments of the inputs."""
    weight = weight.cpu().double()
    scaled = weight * sd
    variance = ((scaled @ correlation) * scaled).sum(1)
    return weight @ mean + bias.cpu().double(), variance.clamp(min=0).sqrt()


def _of(measured: Mapping[str, _T], layer: str) -> _T:
    if layer not in measured:
        raise ValueError(f"a prediction needs the inputs of every layer; there is nothing on {layer!r}: measure it")
    return measured[layer]
