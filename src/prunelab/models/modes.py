"""A network put into evaluation mode for the length of a measurement."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module, *, gradients: bool = False) -> Iterator[None]:
    """Evaluate, and give each module back its own mode afterwards, also after an error.

    Args:
        model: its modules may be in different modes, as where a frozen layer stays in evaluation.
        gradients: whether they can be taken inside.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.set_grad_enabled(gradients):
            yield
    finally:
        for module in training:
            module.training = True
