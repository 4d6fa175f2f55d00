"""Images brought to one scale: each channel with mean 0 and standard deviation 1 over the training part."""

from dataclasses import replace
from typing import Any

import torch

from prunelab.data.images import Images, Split


def standardised(images: Images) -> Images:
    """Shift and scale each channel of all parts alike, by its mean and standard deviation over the training part.

    The content id stays that of the images as they are stored.

    Args:
        images: parts of shape (N, C, H, W).
    """
    deviation, mean = torch.std_mean(images.train.x, dim=(0, 2, 3), keepdim=True, correction=0)
    parts: dict[str, Any] = {
        name: Split(x=(part.x - mean) / deviation.clamp_min(1e-6), y=part.y)
        for name, part in (("train", images.train), ("validation", images.validation), ("test", images.test))
    }
    return replace(images, **parts)
