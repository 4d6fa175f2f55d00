"""What a correction costs: floating-point operations, counted by running it on tensors that have shapes only."""

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from prunelab.pruning.reconstruction import gather
from prunelab.pruning.units import steps_of

_T = TypeVar("_T")


def counted(work: Callable[[], _T]) -> tuple[_T, int]:
    """Do some work and count its floating-point operations, those of products of matrices and of convolutions.

    A multiply and an add are two operations. What `torch.utils.flop_counter` does not know is not counted: elementwise
    work, products of a matrix with a vector, factorisations.
    """
    with FlopCounterMode(display=False) as counter:
        done = work()
    return done, counter.get_total_flops()


class Operations:
    """Counts for one net; nothing is computed, so they cost nothing and do not depend on any number in it."""

    def __init__(self, model: nn.Module, x: Tensor, *, batch_size: int) -> None:
        """Count a training step.

        Args:
            model: not changed.
            x: the examples a correction may look at, (N, ...); only their shape is used.
            batch_size: examples of a training step.
        """
        self._model = copy.deepcopy(model).to("meta")
        self._shape = tuple(x.shape[1:])
        self._examples = len(x)
        self._known: dict[str, int] = {}
        inputs, classes = self._inputs(batch_size), torch.empty(batch_size, dtype=torch.int64, device="meta")
        loss = nn.functional.cross_entropy
        _, self.step = counted(lambda: loss(self._model(inputs), classes).backward())  # one training step

    def upto(self, name: str) -> int:
        """Count a pass forward over the examples that ends with the step of this name."""
        return self._once(f"up to {name}", lambda: self._run(name))

    def moments(self, site: str) -> int:
        """Count a pass over the examples as far as a site's consumer, and gathering its inputs' products."""
        return self._once(f"moments {site}", lambda: gather(self._model, self._inputs(self._examples), only=[site]))

    def _once(self, what: str, work: Callable[[], object]) -> int:
        if what not in self._known:
            self._known[what] = counted(work)[1]
        return self._known[what]

    def _run(self, last: str) -> None:
        x = self._inputs(self._examples)
        with torch.no_grad():
            for step in steps_of(self._model):
                x = step.run(x)
                if step.name == last:
                    return

    def _inputs(self, count: int) -> Tensor:
        return torch.empty(count, *self._shape, device="meta")


def solving(inputs: int, outputs: int) -> float:
    """Count the solution of symmetric equations, n³/3 for Cholesky's factors and 2 n² a right-hand side."""
    return inputs**3 / 3 + 2 * inputs**2 * outputs
