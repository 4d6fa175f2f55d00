"""What a net does wrong, example by example: the loss that a bound on accuracy, or on another quality, is about."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from prunelab.data import Split
from prunelab.measure.modes import evaluating


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """A loss on fixed examples.

    Of accuracy, `errors` is 1 for each example that a net gets wrong; of word error rate, the wrong words of each
    utterance, with the words spoken as `sizes`; of cross-entropy, its value, with scale 1 and unit "nats". Examples are
    independent of each other: where they are not (the frames of an utterance), sum them up first.
    """

    errors: Callable[[nn.Module], ArrayLike]  # net -> (N,) losses, finite, lower is better
    sizes: ArrayLike | None = None  # (N,) what each example counts for, above 0; 1 when absent
    name: str = "accuracy drop"  # of the rise
    unit: str = "points"
    scale: float = 100.0  # from the mean loss to the unit


def classification(split: Split, *, batch_size: int = 1000) -> Metric:
    """Count a classifier's wrong answers.

    Args:
        split: examples that neither the net nor its pruning was made with.
        batch_size: examples in one pass.

    Returns:
        A metric whose rise is the drop in accuracy, in points of 100.

    Raises:
        ValueError: the split is empty.
    """
    if not len(split):
        raise ValueError("accuracy is measured on examples; the split is empty")

    def wrong(net: nn.Module) -> ArrayLike:
        with evaluating(net):
            answers = torch.cat([net(x).argmax(1) for x in split.x.split(batch_size)])
        return (answers != split.y).cpu().numpy().astype(np.float64)

    return Metric(errors=wrong)
