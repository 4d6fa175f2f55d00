"""Units of a pruned net that nothing enters or nothing leaves: left out, and the net computes what it did."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prunelab.measure.modes import evaluating
from prunelab.pruning.shrink import shrink
from prunelab.pruning.unit_removal import remove
from prunelab.pruning.units import Site, flattened, layer_of, norm_of, sites, steps_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Smaller:
    """A physically smaller net, and what was left out of the one it was made from."""

    model: nn.Module
    removed: dict[str, Tensor]  # site -> (U,) bool, True = left out


def without_dead_units(model: nn.Module) -> Smaller:
    """Leave out the units without any incoming or without any outgoing weight other than 0.

    A unit that no weight enters puts out a constant: what the next layer makes of it goes into that layer's bias, or
    into its batch normalisation where it has no bias. From the first layer to the last, since a constant may have been
    all that entered a unit behind it; then units that no weight leaves, from the last to the first. Inputs all stay.

    A unit that puts out a constant other than 0 into a convolution with zero padding stays, since the response to a
    constant differs at the border and no bias holds it; so does one whose consumer has nothing to hold a constant, and
    one unit of a layer of which none is left.

    Args:
        model: see `prunelab.pruning.units.sites`; as in evaluation; not changed.

    Returns:
        A net of the same kind with the outputs of the whole one, up to rounding.

    Raises:
        ValueError: a weight or bias that is not finite, or what `sites` refuses.
    """
    _refuse_infinite(model)
    whole = copy.deepcopy(model)
    found = sites(whole)
    with evaluating(whole):
        for name, site in found.items():
            silent = ~layer_of(whole, name).weight.flatten(1).any(1)
            constant = _constant(whole, site)
            held = _held(whole, site, found)
            gone = silent if held else silent & (constant == 0)
            if bool(gone.any()):
                shift = _response(whole, site, constant * gone)
                remove(whole, {name: gone.cpu()}, shifts={name: shift} if bool(shift.any()) else None)
        for name in reversed(found):
            idle = ~_outgoing(whole, found[name]).any(1)
            if bool(idle.any()):
                remove(whole, {name: idle.cpu()})
    removed = {}
    for name, site in found.items():
        entered = layer_of(whole, name).weight.flatten(1).any(1)
        flags = (~entered & ~_outgoing(whole, site).any(1)).cpu()
        flags[:1] &= ~flags.all()  # a layer keeps a place: torch has no layers of no units
        removed[name] = flags
    return Smaller(model=shrink(whole, removed), removed=removed)


def _outgoing(model: nn.Module, site: Site) -> Tensor:
    """Give the weights that leave each unit, (U, outgoing)."""
    weight: Tensor = layer_of(model, site.consumer).weight.detach()
    each: Tensor = weight.unflatten(1, (site.units, -1))
    return each.movedim(1, 0).flatten(1)


def _constant(model: nn.Module, site: Site) -> Tensor:
    """Give what each unit would put out if nothing entered it, (U,)."""
    steps = {step.name: step for step in steps_of(model)}
    names = list(steps)
    layer = layer_of(model, site.name)
    bias = layer.weight.new_zeros(site.units) if layer.bias is None else layer.bias.detach()
    x = bias.view(1, -1, *[1] * (layer.weight.ndim - 2))
    for name in names[names.index(site.name) + 1 : names.index(site.tap) + 1]:
        x = steps[name].run(x)
    return x.flatten()


def _response(model: nn.Module, site: Site, constant: Tensor) -> Tensor:
    """Give what the consumer makes of constants in place of its units, (outputs,); the same at every position."""
    consumer = layer_of(model, site.consumer)
    weight = consumer.weight.detach().double()
    if isinstance(consumer, nn.Linear):
        flattened(consumer, site.units)  # refuses what does not divide
        weight = weight.unflatten(1, (site.units, -1))
    response: Tensor = weight.flatten(2).sum(2) @ constant.double()
    return response.to(consumer.weight.dtype)


def _held(model: nn.Module, site: Site, found: dict[str, Site]) -> bool:
    """Say whether a bias can hold what the consumer makes of a constant."""
    consumer = layer_of(model, site.consumer)
    normed = site.consumer in found and norm_of(model, found[site.consumer]) is not None
    modules = dict(model.named_modules())
    for name in site.between:
        step = modules.get(name)
        if isinstance(step, nn.AvgPool2d) and step.padding not in (0, (0, 0)):
            return False  # zeros around the image take part in its means
    padded = isinstance(consumer, nn.Conv2d) and any(consumer._reversed_padding_repeated_twice)
    return (consumer.bias is not None or normed) and not padded


def _refuse_infinite(model: nn.Module) -> None:
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"a net is made smaller where all its numbers are finite; {name!r} holds others")
