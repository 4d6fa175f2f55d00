"""What the experiments on units share: how nets are trained, and the examples that losses are measured on."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from prunelab.data import Images, Split, load_images
from prunelab.data.images import standardised
from prunelab.pruning.kinds import check_names
from prunelab.train import Recipe

REPLACEMENTS = ("none", "mean")
ALL = "all"  # every site at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Subsets:
    """Fixed examples: to score units on, and to measure losses on."""

    scoring: Split  # of the training part
    parts: dict[str, Split]  # "train": of the training part, none of them scored on; "test": of the test part
    validation: Split


def load(data: str, *, device: str | torch.device = "cpu") -> Images:
    """Load images as every experiment on units sees them: standardised, laid out channels last.

    Each channel gets mean 0 and standard deviation 1 over the training part. Pixels from 0 to 1 would leave the units
    of the first layer whose weights sum to less than zero without a single activation, and a score would have nothing
    to do but to find them.

    Args:
        data: see `prunelab.data.load_images`.
        device: where the tensors are put.
    """
    images = standardised(load_images(data, device=device))
    parts: dict[str, Any] = {
        name: laid_out(part)
        for name, part in (("train", images.train), ("validation", images.validation), ("test", images.test))
    }
    return replace(images, **parts)


def recipe_of(learning_rate: float, *, batch_size: int = 64) -> Recipe:
    """Give the source's training: stochastic gradient descent, momentum 0.9, batches of 64, a constant rate.

    The momentum is Nesterov's, as everywhere in this package; the source's optimizer is not said to be.
    """
    return Recipe(batch_size=batch_size, learning_rate=learning_rate, schedule="constant")


def subsets(images: Images, *, scoring: int, examples: int) -> Subsets:
    """Take fixed examples of a data set, the same for every seed.

    The training part's order is shuffled once, by a seed of its own, since sources are often sorted by class.

    Args:
        images: in the memory format that nets will see them in.
        scoring: examples to score units on.
        examples: examples of each part to measure losses on; of a smaller test part all.

    Raises:
        ValueError: fewer than one, or more than the training part has.
    """
    if scoring < 1 or examples < 1 or scoring + examples > len(images.train):
        raise ValueError(
            f"examples to score on and to measure on are at least 1 each and together at most the {len(images.train)} "
            f"of the training part; got {scoring} and {examples}"
        )
    order = _shuffled(images.train)
    parts = {
        "train": take(images.train, order[scoring : scoring + examples]),
        "test": take(images.test, _shuffled(images.test)[:examples]),
    }
    validation = take(images.validation, _shuffled(images.validation)[:examples])
    return Subsets(scoring=take(images.train, order[:scoring]), parts=parts, validation=validation)


def take(split: Split, which: Tensor) -> Split:
    """Take some examples of a split, in its memory format."""
    which = which.to(split.x.device)
    return laid_out(Split(x=split.x.index_select(0, which), y=split.y.index_select(0, which)))


def laid_out(split: Split) -> Split:
    """Lay images out channels last, as convolutions run fastest; the numbers are the same."""
    return Split(x=split.x.contiguous(memory_format=torch.channels_last), y=split.y)


check_scores = partial(check_names, "score")


def _shuffled(split: Split) -> Tensor:
    return torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
