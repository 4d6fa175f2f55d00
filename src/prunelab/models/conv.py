"""Convolutional classifiers in a row: convolutions with pooling, then linear layers."""

import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from prunelab.models.perceptron import ACTIVATIONS, GAIN, fill

# What a name stands for. The first is MEDIUM_CONV of Evci et al. (2018); the second the convolutions of VGG's
# configuration A (Simonyan and Zisserman, 2015), with the outputs straight behind them, as is usual on small images.
NAMED = {
    "medium-conv": "conv-64k5p-128k3p-256k3p-1024-256",
    "vgg-11": "conv-64k3p-128k3p-256k3-256k3p-512k3-512k3p-512k3-512k3p-same",
}

_CONVOLUTION = re.compile(r"(?P<channels>\d+)k(?P<kernel>\d+)(?P<pool>p?)")
_SCALE = re.compile(r"x(?P<scale>\d+(?:\.\d+)?)")
_WIDEST = 2**16  # channels or units; more is a slip


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """One convolution and whether 2×2 maximum pooling follows."""

    channels: int
    kernel: int  # rows and columns
    pool: bool


@dataclass(frozen=True, kw_only=True)
class ConvNet:
    """A parsed spec: its convolutions, the widths of its hidden linear layers, and what holds for all of them."""

    convolutions: tuple[Convolution, ...]
    widths: tuple[int, ...]
    same: bool = False  # zero padding that keeps the size; none otherwise
    batch_norm: bool = False  # behind every convolution
    activation: str = "relu"


def is_conv(spec: str) -> bool:
    """Say whether a spec is of this family, from its first word."""
    return spec.split("-")[0] in {name.split("-")[0] for name in ("conv", *NAMED)}


def parse_conv(spec: str) -> ConvNet:
    """Read the spec of a convolutional net.

    `conv-64k5p-128k3-256` is a convolution of 64 channels and 5×5 weights with 2×2 maximum pooling behind it, one of
    128 channels and 3×3 weights, and a hidden linear layer of 256. Then may follow, in any order, `same` (zero
    padding), `bn` (batch normalisation behind every convolution), an activation (ReLU without one), and `x0.25`
    (all widths times 0.25, to the nearest whole number). `medium-conv` and `vgg-11` name nets of the literature:
    `medium-conv-x0.25-bn`.

    Raises:
        ValueError: no convolution, one behind a linear layer, an unknown word, a width or kernel out of range.
    """
    name = next((name for name in NAMED if spec == name or spec.startswith(f"{name}-")), None)
    if name is None and spec.split("-")[0] != "conv":
        raise ValueError(f"a convolutional spec starts with conv, {' or '.join(NAMED)}; got {spec!r}")
    tokens = (NAMED[name] + spec.removeprefix(name) if name else spec).split("-")[1:]
    convolutions: list[Convolution] = []
    widths: list[int] = []
    net = ConvNet(convolutions=(), widths=())
    scale = 1.0
    for token in tokens:
        if layer := _CONVOLUTION.fullmatch(token):
            if widths:
                raise ValueError(f"convolutions stand before the linear layers; {spec!r} has {token!r} behind one")
            channels, kernel = int(layer["channels"]), int(layer["kernel"])
            convolutions.append(Convolution(channels=channels, kernel=kernel, pool=bool(layer["pool"])))
        elif token.isdecimal():
            widths.append(int(token))
        elif token == "same":
            net = replace(net, same=True)
        elif token == "bn":
            net = replace(net, batch_norm=True)
        elif token in ACTIVATIONS:
            net = replace(net, activation=token)
        elif size := _SCALE.fullmatch(token):
            scale = min(scale * float(size["scale"]), _WIDEST)
        else:
            raise ValueError(
                f"a convolutional spec is made of layers (64k5p, 128k3, 256), same, bn, an activation "
                f"({', '.join(ACTIVATIONS)}) and a scale (x0.25); {spec!r} has {token!r}"
            )
    if not convolutions:
        raise ValueError(f"a convolutional spec names at least one convolution, as in 'conv-8k3p-32'; got {spec!r}")
    net = replace(
        net,
        convolutions=tuple(replace(layer, channels=round(scale * layer.channels)) for layer in convolutions),
        widths=tuple(round(scale * width) for width in widths),
    )
    _check(net, spec)
    return net


def build_conv(spec: str, *, shape: Sequence[int], classes: int, generator: torch.Generator) -> nn.Sequential:
    """Build a freshly initialised convolutional classifier.

    Weights are normal with standard deviation gain / √fan_in, the gain fitting the activation that follows (√2 ReLU,
    4 sigmoid, 1 tanh, none and the logits), biases zero. Batch normalisation starts as the identity.

    Args:
        spec: see `parse_conv`.
        shape: of one image, (C, H, W), each at least 1.
        classes: outputs (logits), at least 2.
        generator: on the CPU, the only source of randomness.

    Returns:
        Children `conv1`, (`bn1`,) `act1`, (`pool1`,) `conv2`, ..., `flatten`, `fc1`, `act<n>`, ..., `fcN` (logits),
        on the CPU in float32.

    Raises:
        ValueError: the spec cannot be read, a size is out of range, or the images are too small for the layers.

    Source: He et al. (2015) for the initialisation.
    """
    if len(shape) != 3 or min(shape) < 1 or classes < 2:
        raise ValueError(f"a classifier of images has a shape (C, H, W) and 2 classes or more; got {shape}, {classes}")
    net = parse_conv(spec)
    channels, *size = shape
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for depth, layer in enumerate(net.convolutions, start=1):
        size = [side if net.same else side - layer.kernel + 1 for side in size]
        if layer.pool:
            size = [side // 2 for side in size]
        if min(size) < 1:
            raise ValueError(
                f"images of {shape[1]}×{shape[2]} are too small for {spec!r}: nothing is left at conv{depth}"
            )
        padding = "same" if net.same else "valid"
        conv = nn.utils.skip_init(nn.Conv2d, channels, layer.channels, layer.kernel, padding=padding)
        fill(conv, GAIN[net.activation] / math.sqrt(channels * layer.kernel**2), generator)
        layers[f"conv{depth}"] = conv
        if net.batch_norm:
            layers[f"bn{depth}"] = nn.BatchNorm2d(layer.channels)
        layers[f"act{depth}"] = ACTIVATIONS[net.activation]()
        channels = layer.channels
        if layer.pool:
            layers[f"pool{depth}"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    fan_in = channels * math.prod(size)
    for depth, width in enumerate((*net.widths, classes), start=1):
        linear = nn.utils.skip_init(nn.Linear, fan_in, width)
        last = depth > len(net.widths)
        fill(linear, (1.0 if last else GAIN[net.activation]) / math.sqrt(fan_in), generator)
        layers[f"fc{depth}"] = linear
        if not last:
            layers[f"act{len(net.convolutions) + depth}"] = ACTIVATIONS[net.activation]()
        fan_in = width
    return nn.Sequential(layers)


def _check(net: ConvNet, spec: str) -> None:
    sizes = [*(layer.channels for layer in net.convolutions), *net.widths]
    if not 1 <= min(sizes) <= max(sizes) <= _WIDEST:
        raise ValueError(f"a layer has from 1 to {_WIDEST} channels or units, after scaling; {spec!r} has {sizes}")
    if min(layer.kernel for layer in net.convolutions) < 1:
        raise ValueError(f"a kernel has at least 1 row and column; got {spec!r}")
