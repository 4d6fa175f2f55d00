"""Masks meet networks: the weights that can be pruned, masks put on them and checked, and exchanged with torch.

`torch.nn.utils.prune` keeps a pruned weight as `weight_orig` times `weight_mask`.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

_NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)
_ZEROS_STAY = ("_WeightNorm", "_SpectralNorm")  # parametrizations under which a weight of 0 computes as 0


def prunable(model: nn.Module, layers: Sequence[str] | None = None) -> dict[str, Tensor]:
    """Return the weights of a network that pruning may remove.

    By default every weight that multiplies what its module is given: of linear, convolution, embedding, recurrent and
    attention layers, and of modules of one's own what has two dimensions or more and is called a weight ("weight",
    "weight_in", "out_weight"). Not biases, normalisation, gains or tokens. A parameter that several layers share is
    named once, by its first name; of a weight under weight normalisation, its direction is.

    Args:
        model: any module, nested ones included.
        layers: restricts to these, each a parameter ("fc1.weight"; a bias too, if asked for) or a module ("fc1",
            "encoder"), which stands for all prunable parameters within.

    Returns:
        Parameter name -> weight in the network's order. The tensors are detached but share the network's memory, so
        they follow it as it trains.

    Raises:
        ValueError: a layer is unknown or holds nothing to prune, or what `refuse_hidden` refuses.
    """
    refuse_hidden(model)
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    default = weight_names(model)
    if layers is None:
        chosen = set(default)
    else:
        chosen = set()
        for layer in layers:
            within = [layer] if layer in parameters else [name for name in default if name.startswith(f"{layer}.")]
            if not within:
                modules = [name.rpartition(".")[0] for name in default]
                raise ValueError(
                    f"no prunable parameter or layer is named {layer!r}{_nearest(layer, [*modules, *parameters])}"
                )
            chosen.update(within)
    return {name: parameter for name, parameter in parameters.items() if name in chosen}


def weight_names(model: nn.Module) -> list[str]:
    """List the parameters that are weights, see `prunable`, by what each is to its module."""
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim >= 2 and _is_weight(model, *name.rpartition(".")[::2])
    ]


def _is_weight(model: nn.Module, owner: str, attribute: str) -> bool:
    module = model.get_submodule(owner)
    if isinstance(module, parametrize.ParametrizationList):
        if module.ntensors > 1 and attribute == "original0":  # of weight normalisation, the length of each row
            return False
        attribute = owner.rpartition(".")[2]
    named = attribute == "weight" or attribute.startswith("weight_") or attribute.endswith("_weight")
    return named and attribute != "weight_g" and not isinstance(module, _NORMS)


def apply(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set every removed weight of a network to zero, in place.

    Applying twice changes nothing more, and an infinite or NaN weight that is removed becomes 0 too. All masks are
    checked before the first weight is touched.

    Args:
        model: its parameters named in `masks` are written.
        masks: parameter name -> bool, of the parameter's shape, on any device; True = kept.

    Raises:
        TypeError: a mask is not bool.
        ValueError: a mask names no parameter of the network, has another shape, or leaves nothing of a row under weight
            normalisation.
    """
    parameters = dict(model.named_parameters())
    refuse_misfits(parameters, masks)
    for name, mask in masks.items():
        # The direction of a row without any weight is 0 / 0.
        if name.endswith(".original1") and not bool(mask.flatten(1).any(1).all()):
            raise ValueError(
                f"under weight normalisation every row keeps a weight; {name!r} would lose all of a row: make the "
                "weights plain first, with torch.nn.utils.parametrize.remove_parametrizations"
            )
    with torch.no_grad():
        for name, mask in masks.items():
            parameters[name].masked_fill_(~mask.to(parameters[name].device), 0)


def check(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Verify that every removed weight of a network is zero.

    Args:
        model: left as it is.
        masks: parameter name -> bool, of the parameter's shape, on any device; True = kept.

    Raises:
        TypeError: a mask is not bool.
        ValueError: a removed weight is not 0, or a mask does not fit the network.
    """
    parameters = dict(model.named_parameters())
    refuse_misfits(parameters, masks)
    alive = {}
    for name, mask in masks.items():
        parameter = parameters[name].detach()
        count = int(parameter[~mask.to(parameter.device)].count_nonzero())
        if count:
            alive[name] = count
    if alive:
        found = ", ".join(f"{count} in {name!r}" for name, count in alive.items())
        raise ValueError(f"removed weights must be 0; nonzero are {found}: apply the masks after each training step")


def masked(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with the removed ones at zero, leaving the given ones as they are.

    Args:
        weights: parameter name -> weight, any shape and device.
        masks: bool of the weights' shapes, True = kept; a weight without a mask is returned as it is.

    Returns:
        Same names in the same order; new tensors where there is a mask.

    Raises:
        TypeError: a mask is not bool.
        ValueError: a mask names none of the weights or has another shape.
    """
    refuse_misfits(weights, masks)
    return {
        name: weight.detach().masked_fill(~masks[name].to(weight.device), 0) if name in masks else weight
        for name, weight in weights.items()
    }


def refuse_hidden(model: nn.Module, *, values: bool = True) -> None:
    """Raise where the parameters of a network are not the weights that it computes with, or have no values.

    Args:
        model: any module.
        values: whether they are to be read; of the structure alone, a network without memory (device meta) tells too.

    Raises:
        ValueError: it is in the form of `torch.nn.utils.prune` or of `torch.ao.pruning`, parametrized otherwise than by
            weight or spectral normalisation, quantised, compiled to a script, lazy or without memory.
    """
    if prune.is_pruned(model):
        raise ValueError(
            "a network in torch's pruned form keeps its removed weights in its parameters; "
            "read its masks with from_torch, then unwrap it and apply them"
        )
    for name, module in model.named_modules():
        kind = type(module)
        if isinstance(module, parametrize.ParametrizationList):
            computed = next((type(one).__name__ for one in module if type(one).__name__ not in _ZEROS_STAY), None)
            if computed is not None:
                plain = "torch.nn.utils.parametrize.remove_parametrizations"
                way = "the sparsifier's squash_mask" if computed == "FakeSparsity" else plain
                said = f"the weights of {name!r} are computed from others, by {computed}"
                raise ValueError(f"{said}; make them plain with {way}")
        elif isinstance(module, torch.jit.ScriptModule):
            raise ValueError("a network compiled to a script hides its layers; take the module it was compiled from")
        elif ".quantized" in kind.__module__ and kind.__module__.startswith("torch."):
            raise ValueError(f"the weights of {name!r} are quantised ({kind.__name__}); prune the network before that")
    for name, parameter in model.named_parameters():
        if isinstance(parameter, nn.UninitializedParameter):
            raise ValueError(f"the lazy parameter {name!r} has no shape yet; call the network once on an example")
        if values and parameter.is_meta:
            raise ValueError(f"the parameter {name!r} has no values (device meta); load them, on a device, first")


def refuse_misfits(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Raise unless every mask is a bool tensor of the shape of the weight it names.

    Args:
        weights: parameter name -> weight.
        masks: what is to be put on them.

    Raises:
        TypeError: a mask is not bool.
        ValueError: a mask names none of the weights or has another shape.
    """
    for name, mask in masks.items():
        if name not in weights:
            raise ValueError(f"a mask must name a parameter; there is no {name!r}{_nearest(name, list(weights))}")
        if mask.dtype != torch.bool:
            raise TypeError(f"a mask is a bool tensor, True = kept; that of {name!r} is {mask.dtype}: use mask != 0")
        if mask.shape != weights[name].shape:
            raise ValueError(
                f"a mask has its weight's shape; that of {name!r} is {tuple(mask.shape)}, "
                f"the weight {tuple(weights[name].shape)}"
            )


def _nearest(name: str, known: Sequence[str]) -> str:
    """End an error about an unknown name: the nearest known one, or all there are."""
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(dict.fromkeys(known)) or 'none'}"


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


def plain_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put the weights of a state dict pruned by torch together: what `weight_orig` holds where `weight_mask` keeps it.

    Args:
        state: name -> tensor, of any net.

    Returns:
        The same, in the same order, with "fc1.weight" in the place of "fc1.weight_orig", and without its mask.
    """
    halves = {name[:-5] for name in state if name.endswith("_orig") and f"{name[:-5]}_mask" in state}
    found = {}
    for name, tensor in state.items():
        if (whole := name.removesuffix("_orig")) in halves and whole != name:
            found[whole] = tensor.masked_fill(state[f"{whole}_mask"] == 0, 0)
        elif name.removesuffix("_mask") not in halves:
            found[name] = tensor
    return found


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
