"""A net physically without its removed units: fewer rows and columns, the same outputs."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from prunelab.pruning.units import flattened, layer_of, norm_of, sites


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
        if name not in found or flags.dtype != torch.bool or flags.shape != (found[name].units,):
            known = ", ".join(f"{site.name} ({site.units})" for site in found.values())
            given = f"{name!r} {tuple(flags.shape)} {flags.dtype}"
            raise ValueError(f"removed units are flagged site by site, bool, {known}; got {given}")
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
