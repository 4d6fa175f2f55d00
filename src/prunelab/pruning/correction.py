"""Biases that make up for the mean of what pruning removes, without retraining."""

from collections.abc import Mapping

from torch import Tensor, nn

from prunelab.pruning.application import refuse_misfits


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
