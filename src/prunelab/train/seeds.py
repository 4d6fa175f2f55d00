"""One net a seed, trained from scratch."""

from collections.abc import Sequence

import torch
from torch import nn

from prunelab.data import Images
from prunelab.models import build
from prunelab.train.loop import train
from prunelab.train.recipe import Recipe


def train_seeds(
    spec: str, images: Images, recipe: Recipe, seeds: Sequence[int], *, progress: bool = False
) -> dict[int, nn.Sequential]:
    """Train one net a seed from scratch; the seed decides initialisation and the order of the examples.

    Each net draws from its own generator, so a seed's net is the same whichever other seeds run beside it.

    Args:
        spec: see `prunelab.models.build`.
        images: data; only `images.train` is seen.
        recipe: how to train.
        seeds: distinct whole numbers, each at least 0.
        progress: show a progress bar a net.

    Returns:
        Seed -> trained net in evaluation mode, on the device of the images.

    Raises:
        ValueError: no seed, a repeated or a negative one, or what `build` and `train` refuse.
    """
    check_seeds(seeds)
    if spec.startswith("acoustic"):
        raise ValueError(
            f"an acoustic net takes frames of speech; {spec!r} cannot see images: take a lenet or mlp spec"
        )
    nets = {}
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        model = build(spec, inputs=images.shape, classes=len(images.classes), generator=generator)
        model.to(images.train.x.device)
        label = f"{spec}, seed {seed}" if progress else None
        train(model, images.train, recipe, generator=generator, label=label)
        nets[seed] = model
    return nets


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that do not each name one net.

    Raises:
        ValueError: no seed, a repeated one, or one that is negative or beyond 63 bits.
    """
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0 or max(seeds) >= 2**63:
        raise ValueError(
            f"seeds are distinct whole numbers from 0 to 2**63 - 1, at least one of them; got {list(seeds)}"
        )
