"""Units taken out of a net: zeroed, or replaced by their mean, which the next layer's bias then carries."""

import copy
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from prunelab.data import Split
from prunelab.pruning.application import apply, prunable
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import Site, check_flags, flattened, layer_of, norm_of, sites

Mean = Literal["before pooling", "after pooling", "per position"]


Bias = Literal["average", "interior", "map"]


MEANS: tuple[Mean, ...] = get_args(Mean)


BIASES: tuple[Bias, ...] = get_args(Bias)


def lowest(scores: Tensor, fraction: float) -> Tensor:
    """Choose the units with the lowest scores.

    Args:
        scores: (U,), higher = kept; of equal ones the first are chosen.
        fraction: of the units, [0, 1); the number is rounded, but at least one unit is chosen where the fraction is
            above 0, and one is always left.

    Returns:
        (U,) bool, True = chosen for removal.

    Raises:
        ValueError: a fraction out of range, or a score that is NaN.
    """
    if not 0 <= fraction < 1:
        hint = f"; did you mean {fraction / 100:g}?" if 1 < fraction < 100 else ""
        raise ValueError(f"fraction is the part of a layer's units to remove, in [0, 1); got {fraction!r}{hint}")
    if bool(scores.isnan().any()):
        raise ValueError("a unit's score is a number; some are NaN: did the training diverge?")
    count = min(max(round(fraction * len(scores)), 1 if fraction else 0), len(scores) - 1)
    chosen = torch.zeros(len(scores), dtype=torch.bool)
    chosen[scores.cpu().argsort(stable=True)[:count]] = True
    return chosen


def shift(
    model: nn.Module,
    site: Site,
    removed: Tensor,
    measured: Measured,
    *,
    mean: Mean = "before pooling",
    bias: Bias = "average",
) -> Tensor:
    """Give what removed units contributed on average to the pre-activations of the layer that consumes them.

    Each removed unit is a constant input in its place, and the consumer is linear. Without padding, and in a linear
    layer, its response to constants per channel is the same at every position and a bias holds it exactly. With zero
    padding it falls off towards the border, which no bias can follow; and constants per position differ at every place.

    Args:
        model: unpruned, or with other units removed already; not changed.
        site: whose units are removed.
        removed: (U,) bool, True = removed.
        measured: the units' means, see `measure_units`.
        mean: the constant: the unit's mean activation, taken through pooling as it is ("before pooling"; pooling of a
            constant gives the constant, but the maximum over varying values has a larger mean); the mean of what the
            consumer sees ("after pooling"); or that mean at each position of its own ("per position").
        bias: how it becomes one number an output: the mean over all positions ("average"), the response away from the
            border ("interior"), or left as it is ("map"), which no bias holds: a reference.

    Returns:
        (outputs of the consumer,) in its dtype, on its device; (outputs, H, W) for the map of a convolution.

    Raises:
        ValueError: flags or means that do not fit the site, or an unknown mean or bias.

    Source: bias propagation: Evci et al., "Mean Replacement Pruning", 2018, whose released code takes the mean before
        pooling and the average over positions; the other choices are ours.
    """
    if mean not in MEANS or bias not in BIASES:
        raise ValueError(f"a mean is one of {MEANS} and a bias one of {BIASES}; got {mean!r} and {bias!r}")
    check_flags(site, removed)
    consumer = layer_of(model, site.consumer)
    flags = removed.to(consumer.weight.device)
    constant = _constants(model, site, measured, mean).to(consumer.weight.device)  # (U, h, w) or (U, P), float64
    weight = consumer.weight.detach().double()
    if isinstance(consumer, nn.Linear):
        columns = weight.unflatten(1, (site.units, -1))[:, flags].flatten(1)  # (out, removed · P)
        response: Tensor = columns @ constant[flags].flatten()
        return response.to(consumer.weight.dtype)
    if bias == "interior":
        response = weight[:, flags].sum((2, 3)) @ constant[flags].mean((1, 2))
        return response.to(consumer.weight.dtype)
    chosen = flags if bool(flags.any()) else ~flags  # torch would convolve no channels to no outputs
    response = functional.conv2d(
        (constant * flags[:, None, None])[chosen][None],
        weight[:, chosen],
        stride=consumer.stride,
        padding=consumer.padding,
        dilation=consumer.dilation,
    )[0]  # (out, H, W)
    held: Tensor = response if bias == "map" else response.mean((1, 2))
    return held.to(consumer.weight.dtype)


def remove(
    model: nn.Module, removed: Mapping[str, Tensor], *, shifts: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Take units out in place: their incoming weights, bias and outgoing weights become zero.

    Args:
        model: see `prunelab.pruning.units.sites`.
        removed: site -> (U,) bool, True = removed; an absent site keeps all its units.
        shifts: site -> what is added to the bias of its consumer, (outputs,), see `shift`; the running mean of batch
            normalisation takes it up where the consumer has no bias.

    Returns:
        Parameter name -> bool mask, True = kept, of every weight and bias touched: for training on with the units gone.

    Raises:
        ValueError: an unknown site, flags or shifts that do not fit, or a shift for a consumer with neither bias nor
            batch normalisation.
    """
    found = sites(model)
    for names in (removed, shifts or {}):
        if unknown := [name for name in names if name not in found]:
            raise ValueError(f"units are removed at {', '.join(found)}; got {unknown[0]!r}")
    masks: dict[str, Tensor] = {}
    for name, flags in removed.items():
        site = found[name]
        check_flags(site, flags)
        layer, consumer = layer_of(model, name), layer_of(model, site.consumer)
        gone = flags.cpu()
        _mask(masks, f"{name}.weight", layer.weight)[gone] = False
        if layer.bias is not None:
            _mask(masks, f"{name}.bias", layer.bias)[gone] = False
        outgoing = gone.repeat_interleave(flattened(consumer, site.units))
        _mask(masks, f"{site.consumer}.weight", consumer.weight)[:, outgoing] = False
    carriers = [(_carrier(model, found, found[name], value), value) for name, value in (shifts or {}).items()]
    with torch.no_grad():  # all of them fit: nothing has been written so far
        for (carrier, sign), value in carriers:
            carrier += sign * value.to(carrier)
    apply(model, masks)
    return masks


def _constants(model: nn.Module, site: Site, measured: Measured, mean: Mean) -> Tensor:
    """Lay out the constants that stand for the units at the consumer's input: (U, h, w), or (U, P) flattened."""
    inputs = measured.inputs
    if len(measured.mean) != site.units or len(inputs) != site.units:
        raise ValueError(f"{site.name} has {site.units} units; the means are of {len(measured.mean)}")
    if mean == "per position":
        return inputs
    if mean == "after pooling":
        return inputs.flatten(1).mean(1).view(-1, *[1] * (inputs.ndim - 1)).expand_as(inputs)
    level = measured.mean.view(1, -1, *[1] * len(measured.shape)).expand(1, -1, *measured.shape)
    for name in site.between:
        step = dict(model.named_modules()).get(name)
        if isinstance(step, (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)):
            level = step(level)
    return level[0].reshape(inputs.shape)


def _carrier(model: nn.Module, found: Mapping[str, Site], site: Site, value: Tensor) -> tuple[Tensor, int]:
    """Find what can hold a constant before the activation of a site's consumer, and the sign it takes it with."""
    consumer = layer_of(model, site.consumer)
    outputs = len(consumer.weight)
    if value.shape != (outputs,):
        raise ValueError(f"a shift has one number an output of {site.consumer}, ({outputs},); got {tuple(value.shape)}")
    if consumer.bias is not None:
        return consumer.bias, 1
    norm = norm_of(model, found[site.consumer]) if site.consumer in found else None
    if norm is None or norm.running_mean is None:
        raise ValueError(f"a mean is carried by a bias, and {site.consumer} has none: give it one, of zeros")
    return norm.running_mean, -1


def _mask(masks: dict[str, Tensor], name: str, parameter: Tensor) -> Tensor:
    return masks.setdefault(name, torch.ones(parameter.shape, dtype=torch.bool))


def shrink(model: nn.Module, removed: Mapping[str, Tensor]) -> nn.Module:
    """Copy a net without some of its units.

    The copy computes what the net computes with the outgoing weights of these units at zero, as `remove` leaves it, up
    to the rounding of shorter sums.

    Args:
        model: see `prunelab.pruning.units.sites`; not changed. Shifts for the removed units are in its biases already.
        removed: site -> (U,) bool, True = removed, not all of them; an absent site keeps all its units.

    Returns:
        A module of the same kind, its parameters its own, on the same device.

    Raises:
        ValueError: an unknown site, flags that do not fit, or a layer that would keep no unit.
    """
    found = sites(model)
    small = copy.deepcopy(model)
    for name, flags in removed.items():
        if name not in found:
            raise ValueError(f"units are removed at {', '.join(found)}; got {name!r}")
        check_flags(found[name], flags)
        if bool(flags.all()):
            raise ValueError(f"a layer keeps at least one unit; all {len(flags)} of {name} are to be removed")
        site = found[name]
        layer, consumer, norm = layer_of(small, name), layer_of(small, site.consumer), norm_of(small, site)
        kept = (~flags).to(layer.weight.device).nonzero().flatten()
        _rows(layer, kept)
        if norm is not None:
            _rows(norm, kept)
        each = flattened(layer_of(model, site.consumer), site.units)
        columns = (kept[:, None] * each + torch.arange(each, device=kept.device)).flatten()
        consumer.weight = _selected(consumer.weight, 1, columns)
        _resize(consumer, "in_channels", "in_features", len(columns))
    return small


def _rows(layer: nn.Module, kept: Tensor) -> None:
    """Keep some of the outputs of a layer, or of the channels of a normalisation."""
    for name in ("weight", "bias"):
        if (parameter := getattr(layer, name)) is not None:
            setattr(layer, name, _selected(parameter, 0, kept))
    for name in ("running_mean", "running_var"):
        if (statistic := getattr(layer, name, None)) is not None:
            setattr(layer, name, statistic.index_select(0, kept))
    _resize(layer, "out_channels", "out_features", len(kept))
    _resize(layer, "num_features", "num_features", len(kept))


def _selected(parameter: Tensor, axis: int, kept: Tensor) -> nn.Parameter:
    """Copy part of a parameter, laid out in memory as it is; a frozen one stays frozen."""
    part = parameter.detach().index_select(axis, kept)
    if part.ndim == 4 and parameter.is_contiguous(memory_format=torch.channels_last):
        # Selecting gives rows and columns last, and convolutions then reorder at every call.
        part = part.contiguous(memory_format=torch.channels_last)
    return nn.Parameter(part, requires_grad=parameter.requires_grad)


def _resize(layer: nn.Module, convolution: str, linear: str, size: int) -> None:
    for name in (convolution, linear):
        if hasattr(layer, name):
            setattr(layer, name, size)


def take_out(
    model: nn.Module,
    gone: Mapping[str, Tensor],
    measured: Mapping[str, Measured],
    *,
    replacement: str,
    again: Split | None = None,
) -> dict[str, Tensor]:
    """Remove units in place, zeroed ("none") or replaced by their mean ("mean").

    Args:
        model: see `prunelab.pruning.units.sites`.
        gone: site -> (U,) bool, True = removed.
        measured: site -> its units, as measured on this net.
        replacement: "none" or "mean".
        again: examples on which the means are measured anew before each site but the first, from the first site to the
            last, with the sites before removed and replaced; all means are those of `measured` when absent.

    Returns:
        Parameter name -> bool mask, True = kept.
    """
    found = sites(model)
    gone = {name: gone[name] for name in found if name in gone and bool(gone[name].any())}
    if replacement == "none":
        return remove(model, gone)
    if again is None:
        shifts = {name: shift(model, found[name], flags, measured[name]) for name, flags in gone.items()}
        return remove(model, gone, shifts=shifts)
    masks: dict[str, Tensor] = {}
    for place, (name, flags) in enumerate(gone.items()):
        if place:
            measured = measure_units(model, again.x, again.y, generator=torch.Generator())
        added = shift(model, found[name], flags, measured[name])
        for parameter, mask in remove(model, {name: flags}, shifts={name: added}).items():
            masks[parameter] = mask & masks.get(parameter, mask)
    return masks


def units_within(
    module: nn.Module, scores: Mapping[str, Tensor], kept: int, *, scope: str = "global"
) -> dict[str, Tensor]:
    """Choose the units to remove so that the weights left come nearest to a number.

    Units go one after another, lowest score first; the last one of a layer always stays. Of two counts as near, that
    with more weights left is taken.

    Args:
        module: see `prunelab.pruning.units.sites`.
        scores: site -> (U,), higher = kept.
        kept: weights to be left, of all prunable ones.
        scope: "global" orders the units of all layers by score; "layer" by their rank within the layer, so that the
            layers lose about the same fraction.

    Returns:
        Site -> (U,) bool, True = removed.
    """
    found = sites(module)
    order = sorted(
        (place, depth, unit, name)
        for depth, name in enumerate(found)
        for unit, place in enumerate(_places(scores[name], scope))
    )
    gone = {name: torch.zeros(site.units, dtype=torch.bool) for name, site in found.items()}
    left = {name: site.units for name, site in found.items()}
    shapes = {name: tuple(weight.shape) for name, weight in prunable(module).items()}
    best, count, nearest = 0, 0, abs(_count(shapes, found, left) - kept)
    removed: list[tuple[str, int]] = []
    for _, _, unit, name in order:
        if left[name] == 1:
            continue
        left[name] -= 1
        removed.append((name, unit))
        count += 1
        distance = abs(_count(shapes, found, left) - kept)
        if distance < nearest:
            best, nearest = count, distance
    for name, unit in removed[:best]:
        gone[name][unit] = True
    return gone


def _places(scores: Tensor, scope: str) -> list[float]:
    """Give each unit its place in the order of all: its score, or its rank in its layer from 0 to 1."""
    if scope == "global":
        return [float(score) for score in scores]
    ranks = scores.argsort(stable=True).argsort(stable=True)
    return [(int(rank) + 0.5) / len(scores) for rank in ranks]


def _count(shapes: Mapping[str, tuple[int, ...]], found: Mapping[str, Site], left: Mapping[str, int]) -> int:
    """Count the weights that are left where each site has so many units."""
    fed_by = {site.consumer: site for site in found.values()}
    total = 0
    for name, shape in shapes.items():
        layer = name.removesuffix(".weight")
        whole = torch.Size(shape).numel()
        if layer in found:
            whole = whole // shape[0] * left[layer]
        if layer in fed_by:
            site = fed_by[layer]
            whole = whole // site.units * left[site.name]
        total += whole
    return total
