"""Exchange with `torch.nn.utils.prune`, which keeps a pruned weight as `weight_orig` times `weight_mask`."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from prunelab.pruning.application import refuse_misfits


def to_torch(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Put masks on a network in torch's own form, in place, with `prune.custom_from_mask`.

    The network then computes with masked weights, while `weight_orig` keeps every value. A parameter that several
    layers share stays shared and is masked in each of them.

    Args:
        model: a network whose masked parameters are plain, not pruned by torch already.
        masks: parameter name -> bool, of the parameter's shape, on any device; True = kept.

    Raises:
        TypeError: a mask is not bool.
        ValueError: a mask names no plain parameter of the network or has another shape.
    """
    refuse_misfits(dict(model.named_parameters()), masks)
    aliases = list(model.named_parameters(remove_duplicate=False))
    for name, mask in masks.items():
        parameter = model.get_parameter(name)
        for alias, candidate in aliases:
            if candidate is parameter:
                owner, _, attribute = alias.rpartition(".")
                prune.custom_from_mask(model.get_submodule(owner), attribute, mask.to(parameter.device))


def from_torch(model: nn.Module) -> dict[str, Tensor]:
    """Read the masks of a network pruned by torch, by whichever method; the network stays as it is.

    Args:
        model: pruned with `torch.nn.utils.prune`, or by `to_torch`.

    Returns:
        Parameter name ("fc1.weight", without torch's "_orig") -> new bool tensor, True = kept; empty for a network
        without masks. A shared parameter is named once, by its first name.

    Raises:
        ValueError: a mask holds a value other than 0 or 1, or layers that share a parameter mask it differently.
    """
    masks: dict[str, Tensor] = {}
    first_name: dict[int, str] = {}
    for name, owner, attribute in _pruned(model):
        stored = owner.get_buffer(f"{attribute}_mask")
        if not bool(((stored == 0) | (stored == 1)).all()):
            raise ValueError(f"a mask holds 0 and 1 alone; that of {name!r} holds other values")
        mask = stored != 0
        first = first_name.setdefault(id(owner.get_parameter(f"{attribute}_orig")), name)
        if not torch.equal(masks.setdefault(first, mask), mask):
            raise ValueError(f"{first!r} and {name!r} are one parameter but are masked differently")
    return masks


def unwrap(model: nn.Module) -> None:
    """Bring a network pruned by torch back to plain parameters with their original values, in place.

    Unlike `prune.remove` this keeps the values under the mask, so nothing is lost: `from_torch` before and `to_torch`
    after give the same network again, and `apply` sets the removed weights to zero.

    Args:
        model: pruned with `torch.nn.utils.prune`, or by `to_torch`; one without masks is left as it is.
    """
    for _, owner, attribute in list(_pruned(model)):
        # torch leaves orig times mask behind: under a mask of ones that is the original values.
        owner.get_buffer(f"{attribute}_mask").fill_(1)
        prune.remove(owner, attribute)


def _pruned(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Go through the pruned parameters: full name, the module that holds it, its name there."""
    for alias, _ in model.named_parameters(remove_duplicate=False):
        owner_name, _, attribute = alias.removesuffix("_orig").rpartition(".")
        owner = model.get_submodule(owner_name)
        if alias.endswith("_orig") and f"{attribute}_mask" in dict(owner.named_buffers(recurse=False)):
            yield alias.removesuffix("_orig"), owner, attribute
