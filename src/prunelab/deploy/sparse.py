"""Nets whose weights are stored as compressed sparse rows, and run so: by torch, or by scipy."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn
from torch.nn import functional

from prunelab.pruning.application import refuse_hidden
from prunelab.pruning.units import Step, steps_of

Library = Literal["torch", "scipy"]
Product = Callable[[Tensor], Tensor]  # (inputs,) or (inputs, columns) -> (outputs,) or (outputs, columns)

_PARTS = ("values", "columns", "rows")


def sparse_state(model: nn.Module) -> dict[str, Tensor]:
    """Lay the parameters of a net out as they are stored sparsely.

    A weight becomes three tensors: its values other than 0, row by row of its matrix (one row an output, of a
    convolution C_in · k_h · k_w columns); their columns; and where each row starts, both int32. Others (biases,
    normalisation) stay as they are.

    Args:
        model: its linear layers and convolutions hold the weights.

    Returns:
        Name of the tensor in the file -> tensor on the CPU: `fc1.weight.values`, `fc1.weight.columns`,
        `fc1.weight.rows`, `fc1.bias`, ...

    Raises:
        ValueError: the weights are not what the net computes with, see `prunelab.pruning.application.refuse_hidden`.
    """
    refuse_hidden(model)
    weights = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if name in weights:
            state |= {f"{name}.{part}": each for part, each in zip(_PARTS, _rows(tensor), strict=True)}
        else:
            state[name] = tensor.detach().cpu().contiguous()
    return state


def sparse_steps(model: nn.Module, library: Library) -> list[Callable[[Tensor], Tensor]]:
    """Give what computes a net with sparse weights, one step after the other.

    A linear layer is the product of its sparse matrix with the examples as columns. A convolution is that of its
    matrix (outputs, C_in · k_h · k_w) with all patches of the image as columns (im2col); unfolding them is part of the
    step, and takes k_h · k_w times the room of the image.

    Args:
        model: see `prunelab.pruning.units.steps_of`; read as it is now, in evaluation.
        library: whose products: "torch" (on the net's device) or "scipy" (on the CPU, in one thread).

    Raises:
        ValueError: a convolution with groups or padded otherwise than by zeros, or what `steps_of` refuses.
    """
    steps: Sequence[Step] = steps_of(model)
    return [_sparse(step, library) for step in steps]


def _sparse(step: Step, library: Library) -> Callable[[Tensor], Tensor]:
    layer = step.module
    if isinstance(layer, nn.Linear):
        return _linear(_matrix(layer.weight.detach(), library), _bias(layer))
    if isinstance(layer, nn.Conv2d):
        if layer.groups != 1 or layer.padding_mode != "zeros":
            raise ValueError(
                "a convolution is one sparse matrix where it has no groups and is padded with zeros if at all; "
                f"{step.name} has {layer.groups} groups and padding {layer.padding_mode!r}"
            )
        return _convolution(_matrix(layer.weight.detach(), library), _bias(layer), layer)
    return step.run


def _linear(product: Product, bias: Tensor) -> Callable[[Tensor], Tensor]:
    columns = bias[:, None]

    def run(x: Tensor) -> Tensor:
        if len(x) == 1:  # a product with a vector takes half the time of one with a matrix of one column
            return product(x[0]).add_(bias)[None]
        # Columns side by side: MKL takes a fifth of the time for them that it takes for a matrix turned on the fly.
        return product(x.T.contiguous()).add_(columns).T

    return run


def _convolution(product: Product, bias: Tensor, layer: nn.Conv2d) -> Callable[[Tensor], Tensor]:
    columns = bias[:, None]
    padding = list(layer._reversed_padding_repeated_twice)  # left, right, top, bottom, also of "same"
    kernel, stride, dilation = layer.kernel_size, layer.stride, layer.dilation

    def run(x: Tensor) -> Tensor:
        if any(padding):
            x = functional.pad(x, padding)
        size = [(x.shape[2 + i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in (0, 1)]
        planes = x.transpose(0, 1).contiguous()  # (C_in, N, H, W)
        channel, example, row, column = planes.stride()
        # All patches as a view, and then one copy; unfold takes two of them, and up to seven times as long.
        patches = planes.as_strided(
            (x.shape[1], *kernel, len(x), *size),
            (channel, dilation[0] * row, dilation[1] * column, example, stride[0] * row, stride[1] * column),
        )
        y = product(patches.reshape(x.shape[1] * kernel[0] * kernel[1], -1)).add_(columns)  # (C_out, N · H · W)
        return y.view(len(y), len(x), *size).transpose(0, 1)  # (N, C_out, H, W)

    return run


def _matrix(weight: Tensor, library: Library) -> Product:
    values, columns, rows = _rows(weight)
    shape = (len(weight), math.prod(weight.shape[1:]))
    if library == "scipy":
        array = scipy.sparse.csr_array((values.numpy(), columns.numpy(), rows.numpy()), shape=shape)
        return lambda h: torch.from_numpy(array @ h.numpy())
    with warnings.catch_warnings():
        # Said once a process, of every use of these tensors; what they compute is compared with the dense net.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state", UserWarning)
        sparse = torch.sparse_csr_tensor(rows, columns, values, shape, device=weight.device, check_invariants=True)
    return lambda h: sparse @ h


def _bias(layer: nn.Linear | nn.Conv2d) -> Tensor:
    return layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias.detach().clone()


def _rows(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give the values, columns and row starts of a weight's matrix, on the CPU."""
    array = scipy.sparse.csr_array(weight.detach().cpu().contiguous().flatten(1).numpy())
    starts = array.indptr.astype(np.int32)
    return torch.from_numpy(array.data), torch.from_numpy(array.indices.astype(np.int32)), torch.from_numpy(starts)
