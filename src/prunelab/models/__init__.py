"""The few networks of the report, each built from a spec string."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from prunelab.models.conv import ConvNet, Convolution, build_conv, is_conv, parse_conv
from prunelab.models.perceptron import ACTIVATIONS, Perceptron, build_perceptron, linear_layers, parse, weight_rms

__all__ = [
    "ACTIVATIONS",
    "ConvNet",
    "Convolution",
    "Perceptron",
    "build",
    "build_conv",
    "build_perceptron",
    "is_conv",
    "linear_layers",
    "parse",
    "parse_conv",
    "weight_rms",
]


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
