"""How well a classifier does on a split: mean loss and accuracy."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from prunelab.data import Split
from prunelab.measure.modes import evaluating


class Evaluation(NamedTuple):
    """What one pass over a split found."""

    loss: float  # mean cross-entropy in nats; NaN where the network's outputs are
    accuracy: float  # fraction of examples whose largest output is the label's, [0, 1]


def evaluate(model: nn.Module, split: Split, *, batch_size: int = 1000) -> Evaluation:
    """Measure a classifier in one pass without gradients; its training modes are as before afterwards.

    Of several largest outputs the first counts as the answer. The losses are summed in float64, so the batch size
    changes the mean by no more than the forward pass itself depends on it.

    Args:
        model: maps inputs (B, C, H, W) to outputs (B, classes), read as logits; on the split's device.
        split: examples to measure on, at least one.
        batch_size: examples in one pass, at least 1.

    Returns:
        (loss, accuracy), also by name.

    Raises:
        ValueError: the split is empty, or `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is the number of examples in one pass, at least 1; got {batch_size!r}")
    if not len(split.y):
        raise ValueError("a mean needs an example; the split is empty")
    loss = torch.zeros((), dtype=torch.float64, device=split.y.device)
    correct = torch.zeros((), dtype=torch.int64, device=split.y.device)
    with evaluating(model):
        for x, y in zip(torch.split(split.x, batch_size), torch.split(split.y, batch_size), strict=True):
            outputs = model(x)  # (B, classes)
            loss += cross_entropy(outputs, y, reduction="none").sum(dtype=torch.float64)
            correct += (outputs.argmax(dim=1) == y).sum()
    return Evaluation(loss=float(loss) / len(split.y), accuracy=int(correct) / len(split.y))
