"""Floating-point operations of one pass forward, for all weights and for those that are left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from prunelab.measure.sparsity import WHOLE
from prunelab.models.modes import evaluating

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Flops:
    """Operations of one layer, or of all of them, on one input."""

    layer: str  # module name, or "all"
    dense: int  # 2 per weight and position at which it is used
    kept: int  # the same for weights other than 0 alone


def flops(model: nn.Module, input_shape: Sequence[int]) -> list[Flops]:
    """Count the operations of a network on one input.

    A multiply and an add are two operations. A linear layer takes 2 · in · out at each position of its input, a
    convolution 2 · C_out · C_in / groups · k_h · k_w at each of its H_out · W_out output positions, where
    H_out = ⌊(H + 2 · padding - dilation · (k_h - 1) - 1) / stride⌋ + 1. Positions in the padding count; biases and
    activations do not, as in `torch.utils.flop_counter`. The number of positions is read off a pass with zeros.
    Operations outside the layers (`F.linear` or `@` in a forward method) are not seen.

    Args:
        model: layers with parameters are `nn.Linear` and `nn.Conv2d`; a layer called twice counts twice.
        input_shape: of one input without the batch dimension, e.g. (1, 28, 28).

    Returns:
        One row per layer with weights in the network's order, and a last one named "all".

    Raises:
        TypeError: a layer with parameters is of another type.
    """
    layers: dict[str, nn.Linear | nn.Conv2d] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            layers[name] = module
        elif any(True for _ in module.parameters(recurse=False)):
            raise TypeError(
                f"operations are counted for nn.Linear and nn.Conv2d; {name or 'the network itself'!r} has parameters "
                f"and is {type(module).__name__}: measure the network without it"
            )
    positions = _positions(model, layers, input_shape)
    rows = [
        Flops(
            layer=name,
            dense=2 * layer.weight.numel() * positions[name],
            kept=2 * int(layer.weight.detach().count_nonzero()) * positions[name],
        )
        for name, layer in layers.items()
    ]
    return [*rows, Flops(layer=WHOLE, dense=sum(row.dense for row in rows), kept=sum(row.kept for row in rows))]


def counted(work: Callable[[], _T]) -> tuple[_T, int]:
    """Do some work and count its floating-point operations, those of products of matrices and of convolutions.

    A multiply and an add are two operations. What `torch.utils.flop_counter` does not know is not counted: elementwise
    work, products of a matrix with a vector, factorisations.
    """
    with FlopCounterMode(display=False) as counter:
        done = work()
    return done, counter.get_total_flops()


def _positions(
    model: nn.Module, layers: Mapping[str, nn.Linear | nn.Conv2d], input_shape: Sequence[int]
) -> dict[str, int]:
    """Count at how many positions each layer uses its weights, over all its calls in one pass."""
    positions = dict.fromkeys(layers, 0)

    def counted(name: str, channels: int) -> Any:
        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            positions[name] += output.numel() // channels  # (1, ..., out) or (1, C_out, H_out, W_out)

        return hook

    hooks = [
        layer.register_forward_hook(
            counted(name, layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels)
        )
        for name, layer in layers.items()
    ]
    like = next(model.parameters(), torch.empty(0))
    try:
        with evaluating(model):
            model(torch.zeros(1, *input_shape, dtype=like.dtype, device=like.device))
    finally:
        for handle in hooks:
            handle.remove()
    return positions
