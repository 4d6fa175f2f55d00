"""Any net of the report from its spec string."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from prunelab.models.conv import build_conv, is_conv
from prunelab.models.perceptron import build_perceptron


def build(spec: str, *, inputs: int | Sequence[int], classes: int, generator: torch.Generator) -> nn.Sequential:
    """Build a freshly initialised net.

    Args:
        spec: see `prunelab.models.parse` for perceptrons, `prunelab.models.parse_conv` for convolutional nets.
        inputs: values of one example, or its shape; a convolutional net needs the shape (C, H, W).
        classes: outputs (logits), at least 2.
        generator: on the CPU, the only source of randomness; the same state gives the same weights.

    Returns:
        As `build_perceptron` or `build_conv` make it.

    Raises:
        ValueError: the spec cannot be read, a size is out of range, or a convolutional net is to see no images.
    """
    shape = [inputs] if isinstance(inputs, int) else list(inputs)
    if not is_conv(spec):
        return build_perceptron(spec, inputs=math.prod(shape), classes=classes, generator=generator)
    if len(shape) != 3:
        raise ValueError(f"a convolutional net takes images of shape (C, H, W); {spec!r} cannot see {shape} values")
    return build_conv(spec, shape=shape, classes=classes, generator=generator)
