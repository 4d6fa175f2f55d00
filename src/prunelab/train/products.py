"""The matrix products of training steps: what a run cannot do without, counted for its record."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Step = tuple[tuple[Any, ...], ...]  # of each product the operation and its arguments; a tensor is "tensor", its shape

taken: Counter[Step] = Counter()  # training steps of this process, by what they multiply

_OPERATIONS = {
    operation.name(): operation
    for operation in (
        torch.ops.aten.mm.default,
        torch.ops.aten.addmm.default,
        torch.ops.aten.bmm.default,
        torch.ops.aten.convolution.default,
        torch.ops.aten.convolution_backward.default,
    )
}


class Listing(TorchDispatchMode):
    """Lists the products of what is computed inside; each takes a little longer there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products: list[tuple[Any, ...]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Note a product, and compute it."""
        if func.name() in _OPERATIONS:
            self.products.append((func.name(), *map(_spelt, args)))
        return func(*args, **(kwargs or {}))


def replayed(step: Sequence[Sequence[Any]]) -> list[Callable[[], Any]]:
    """Give a step's products as functions, on tensors of their own: as counted, or as read back from JSON."""

    def one(name: str, *spelt: Any) -> Callable[[], Any]:
        arguments = [torch.rand(arg[1]) if _is_tensor(arg) else arg for arg in spelt]
        return lambda: _OPERATIONS[name](*arguments)

    return [one(*product) for product in step]


def _is_tensor(spelt: Any) -> bool:
    return isinstance(spelt, list | tuple) and len(spelt) == 2 and spelt[0] == "tensor"


def _spelt(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return ("tensor", tuple(argument.shape))
    return tuple(argument) if isinstance(argument, list) else argument
