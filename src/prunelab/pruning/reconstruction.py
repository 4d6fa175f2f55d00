"""Biases and weights that make up for what pruning removes, without retraining.

Of removed weights the next bias carries the mean. The most a linear stand-in can win for removed units is the next
layer fitted anew by least squares.

The consumer makes W x + b of its inputs x. Without the removed ones x_R, weights and bias on the others, x_K, are
sought that give the same. Since W x is linear, that is to predict x_R linearly from x_K and a constant, and W_R carries
the prediction over: only means and covariances of x are needed, once for any number of removals. The constant alone is
the mean, and so bias propagation; all correlations with the units that stay is what is solved for here.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from prunelab.models.modes import evaluating
from prunelab.pruning.application import refuse_misfits
from prunelab.pruning.units import Layer, Site, check_flags, flattened, layer_of, sites, steps_of

Fit = Literal["weights and bias", "bias"]
FITS: tuple[Fit, ...] = get_args(Fit)

# Of the mean squared input. Directions that hardly vary in the examples say nothing about others: without it, fits to
# few examples take up huge weights along them. In those that matter it is far below what examples leave uncertain.
RIDGE = 1e-6

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_BATCH = 500  # examples of which statistics are taken together


@dataclass(frozen=True, kw_only=True, eq=False)
class InputMoments:
    """Inputs of a consumer over examples and the positions of its outputs; float64, on the model's device.

    A convolution has C · k · k inputs at each position, in the order of its weights, zeros of the padding among them.
    """

    mean: Tensor  # (I,)
    covariance: Tensor  # (I, I), divided by the count
    count: int  # examples times positions


@dataclass(frozen=True, kw_only=True, eq=False)
class Refit:
    """What a consumer is to be given so that it does without removed units."""

    weight: Tensor  # of the consumer's shape, in its dtype, on its device; 0 for the removed units
    shift: Tensor  # (outputs,), added to its bias


def gather(model: nn.Module, x: Tensor, *, only: Sequence[str] = (), batch_size: int = 100) -> dict[str, InputMoments]:
    """Gather the moments of what consumers see, in one pass forward, as far as the last of them.

    Args:
        model: see `prunelab.pruning.units.sites`; run as in evaluation, not changed.
        x: examples, (N, ...), N >= 1, on the model's device.
        only: sites whose consumers are looked at; all of them when empty.
        batch_size: examples in one pass; a convolution's inputs are laid out k · k times meanwhile.

    Returns:
        Site -> moments.

    Raises:
        ValueError: no example, an unknown site, or what `sites` refuses.
    """
    found = sites(model)
    if unknown := [name for name in only if name not in found]:
        raise ValueError(f"inputs are gathered behind the sites {', '.join(found)}; got {unknown[0]!r}")
    if len(x) == 0:
        raise ValueError("moments are gathered over examples; got none")
    consumers = {site.consumer: name for name, site in found.items() if not only or name in only}
    steps = steps_of(copy.deepcopy(model).eval())  # a copy: the net's modules keep their modes
    last = max(place for place, step in enumerate(steps) if step.name in consumers)
    sums: dict[str, tuple[Tensor, Tensor, int]] = {}
    with torch.no_grad():
        for inputs in x.split(batch_size):
            reached = inputs
            for step in steps[: last + 1]:
                if step.name in consumers:
                    rows = _rows(layer_of(model, step.name), reached)  # (N · P, I)
                    name = consumers[step.name]
                    total, products, count = sums.get(name, (rows.new_zeros(()), rows.new_zeros(()), 0))
                    sums[name] = (total + rows.sum(0), products + rows.T @ rows, count + len(rows))
                reached = step.run(reached) if step is not steps[last] else reached
    return {name: _moments(*sums[name]) for name in consumers.values()}


def refit(
    model: nn.Module,
    site: Site,
    removed: Tensor,
    moments: InputMoments,
    *,
    fit: Fit = "weights and bias",
    ridge: float = RIDGE,
) -> Refit:
    """Fit the consumer of a site without its removed units to what it makes of all of them.

    With C the covariance of the inputs and μ their mean, minimised over D, the change of the weights that stay, is the
    mean squared distance from the unpruned pre-activations, summed over outputs, plus λ ‖D‖²:
    D = W_R C_RK (C_KK + λ)⁻¹, and the bias moves by W_R μ_R − D μ_K. The ridge is on the change, not on the weights, so
    the squared error on these examples is never above that of the bias alone (D = 0); inputs that are always 0 keep
    their weights.

    Args:
        model: unpruned; not changed.
        site: whose units are removed.
        removed: (U,) bool, True = removed.
        moments: of this site, see `gather`.
        fit: "weights and bias", or "bias" alone: the mean of what is missing, as `prunelab.pruning.unit_removal.shift`
            gives it for means per position and the average bias.
        ridge: λ relative to the mean squared input, >= 0; at 0, inputs that depend on each other raise an error.

    Returns:
        Weights and shift; with the units removed, `shift` goes to the consumer's bias and `weight` into its place.

    Raises:
        ValueError: flags or moments that do not fit the site, an unknown fit, a negative ridge, or inputs that cannot
            be told apart without one.

    Source: least squares for the next layer after removing channels: He et al., "Channel Pruning for Accelerating Very
        Deep Neural Networks", ICCV 2017; Luo et al., "ThiNet", ICCV 2017. The ridge on the change is ours.
    """
    if fit not in FITS or not ridge >= 0:
        raise ValueError(f"a fit is one of {FITS} and a ridge at least 0; got {fit!r} and {ridge!r}")
    consumer = layer_of(model, site.consumer)
    weight, gone = _flat(consumer, site, removed, moments)
    change = torch.zeros_like(weight)
    if fit == "weights and bias" and bool(gone.any()) and not bool(gone.all()):
        change[:, ~gone] = _change(weight, gone, moments, ridge)
    shift = weight[:, gone] @ moments.mean[gone] - change @ moments.mean
    fitted = (weight + change).masked_fill(gone, 0).view_as(consumer.weight)
    return Refit(weight=fitted.to(consumer.weight.dtype), shift=shift.to(consumer.weight.dtype))


def squared_error(
    model: nn.Module, site: Site, removed: Tensor, moments: InputMoments, fitted: Refit | None = None
) -> float:
    """Give the mean squared distance of a consumer's pre-activations from those of the unpruned net.

    Args:
        model: unpruned.
        site: whose units are removed.
        removed: (U,) bool, True = removed.
        moments: of the examples it is taken over.
        fitted: what the consumer is given; the units are zeroed alone when absent.

    Returns:
        Mean over examples and positions, summed over outputs, >= 0.
    """
    consumer = layer_of(model, site.consumer)
    weight, gone = _flat(consumer, site, removed, moments)
    left = weight.masked_fill(~gone, 0)
    shift = left.new_zeros(len(left))
    if fitted is not None:
        left = weight - fitted.weight.double().flatten(1)
        shift = fitted.shift.double()
    offset = left @ moments.mean - shift
    return max(float(((left @ moments.covariance) * left).sum() + offset.square().sum()), 0.0)


def corrected_biases(
    model: nn.Module, masks: Mapping[str, Tensor], mean_inputs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Move each pruned linear layer's bias by the mean of what its removed weights contributed.

    b' = b + (W - W') E[h], W' the weights left and E[h] the layer's mean input in the unpruned net. As long as the
    layers before are unpruned, every pre-activation of the layer then has its old mean over the examples that E[h]
    was taken on. With all layers corrected that holds approximately, since the means of the inputs stay near theirs.

    Args:
        model: unpruned; its own weights and biases are read, nothing is written.
        masks: parameter name of a linear layer's weight -> bool of its shape, True = kept.
        mean_inputs: layer -> (inputs,), measured on training examples.

    Returns:
        Parameter name of the bias -> corrected bias, for every layer with a mask; to be used with the masked weights.

    Raises:
        TypeError: a mask is not bool.
        ValueError: a mask does not fit or is none of a linear layer with a bias; a layer's mean input is missing or
            of another length.

    Source: the unstructured sibling of bias propagation, Evci et al., "Mean Replacement Pruning", 2018.
    """
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    refuse_misfits(parameters, masks)
    biases = {}
    for name, mask in masks.items():
        layer, _, kind = name.rpartition(".")
        weight, bias = parameters[name], parameters.get(f"{layer}.bias")
        if kind != "weight" or bias is None or not isinstance(model.get_submodule(layer), nn.Linear):
            raise ValueError(f"a correction needs the weight of a linear layer with a bias; {name!r} is none")
        if layer not in mean_inputs or mean_inputs[layer].shape != weight.shape[1:]:
            found = tuple(mean_inputs[layer].shape) if layer in mean_inputs else "nothing"
            raise ValueError(
                f"a correction needs the mean input of every pruned layer; {layer!r} has {weight.shape[1]} inputs, "
                f"got {found}: measure the unpruned net on training examples"
            )
        removed = weight.double().masked_fill(mask.to(weight.device), 0)
        lost = removed @ mean_inputs[layer].to(removed)
        biases[f"{layer}.bias"] = (bias.double() + lost).to(bias.dtype)
    return biases


def _rows(consumer: Layer, inputs: Tensor) -> Tensor:
    """Lay out what the consumer's weights are multiplied with, (N · P, I) float64."""
    if isinstance(consumer, nn.Linear):
        return inputs.flatten(0, -2).double()
    reach = [span * (size - 1) for span, size in zip(consumer.dilation, consumer.kernel_size, strict=True)]
    if isinstance(consumer.padding, str):  # where "same" is uneven, torch, too, has more behind than in front
        sides = [(total // 2, total - total // 2) if consumer.padding == "same" else (0, 0) for total in reach]
    else:
        sides = [(size, size) for size in consumer.padding]
    padded = functional.pad(inputs, [*sides[1], *sides[0]])
    patches = functional.unfold(padded, consumer.kernel_size, dilation=consumer.dilation, stride=consumer.stride)
    return patches.transpose(1, 2).flatten(0, 1).double()  # (N, I, P) -> (N · P, I)


def _moments(total: Tensor, products: Tensor, count: int) -> InputMoments:
    mean = total / count
    return InputMoments(mean=mean, covariance=products / count - mean.outer(mean), count=count)


def _flat(consumer: Layer, site: Site, removed: Tensor, moments: InputMoments) -> tuple[Tensor, Tensor]:
    """Give the consumer's weights, (outputs, I) float64, and which of its inputs are removed, (I,) bool."""
    check_flags(site, removed)
    weight = consumer.weight.detach().flatten(1).double()
    if moments.mean.shape != weight.shape[1:]:
        raise ValueError(
            f"{site.consumer} has {weight.shape[1]} inputs; the moments are of {len(moments.mean)}: gather them behind "
            f"{site.name}"
        )
    each = flattened(consumer, site.units) * (weight.shape[1] // consumer.weight.shape[1])
    return weight, removed.to(weight.device).repeat_interleave(each)


def _change(weight: Tensor, gone: Tensor, moments: InputMoments, ridge: float) -> Tensor:
    """Solve for D, (outputs, inputs that stay)."""
    kept = ~gone
    missing = weight[:, gone] @ moments.covariance[gone][:, kept]  # (outputs, K)
    size = ridge * float((moments.covariance.diagonal() + moments.mean.square())[kept].mean())
    matrix = moments.covariance[kept][:, kept] + size * torch.eye(missing.shape[1]).to(missing)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if int(failed) == 0:
        return torch.cholesky_solve(missing.T, factor).T
    if size == 0 and ridge > 0:  # nothing that stays is ever lit, so nothing can stand in
        return torch.zeros_like(missing)
    raise ValueError(
        f"inputs that depend on each other are told apart by a ridge; {ridge!r} is too small: take {RIDGE:g}"
    )


def reestimate(model: nn.Module, x: Tensor) -> None:
    """Measure the running statistics of all batch normalisation again, in place.

    They become the means, over batches of about equal size, of the means and variances within a batch.
    """
    norms = [module for module in model.modules() if isinstance(module, NORMS)]
    momenta = [norm.momentum for norm in norms]
    with evaluating(model):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's word for the mean over all batches
            norm.train()
        for batch in x.chunk(math.ceil(len(x) / _BATCH)):
            model(batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
