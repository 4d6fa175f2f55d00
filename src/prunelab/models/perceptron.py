"""Multilayer perceptrons, each built from a spec string."""

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "none": nn.Identity,
}

# Standard deviation of a weight as gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010). The logistic
# function has slope 1/4 at zero: without the gain of 4 each layer would shrink its signal fourfold.
GAIN = {"relu": math.sqrt(2), "tanh": 1.0, "sigmoid": 4.0, "none": 1.0}

_FAMILIES = ("lenet", "mlp", "acoustic")
_DEEPEST = 1000  # hidden layers; more is a slip, and building them would take hours

# With the gain of 4, hidden biases of zero start half of the logistic units saturated on either side. Biases below
# zero start most of them off, as sparse features, and six such layers train (Glorot and Bengio saw the opposite case).
_SIGMOID_BIASES = (-4.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Perceptron:
    """A parsed spec: its family, its hidden widths and the activation after each of them."""

    family: str
    widths: tuple[int, ...]
    activations: tuple[str, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """Name the linear layers, first to last: `fc1`, `fc2`, ...; of an acoustic net as its source does."""
        hidden = range(1, len(self.widths) + 1)
        if self.family == "acoustic":
            return (*(f"affine{depth}" for depth in hidden), "final-affine")
        return tuple(f"fc{depth}" for depth in (*hidden, len(self.widths) + 1))


def parse(spec: str) -> Perceptron:
    """Read a multilayer perceptron's spec.

    `lenet-300-100` and `mlp-300-100` name the same net: hidden layers of 300 and 100 units, ReLU. Behind the
    widths stands one activation for all hidden layers, or one for each: `lenet-300-100-tanh`,
    `mlp-300-100-relu-none` (the second activation removed). `acoustic-6x256-sigmoid` has six hidden layers of 256.

    Args:
        spec: family, widths and activations joined by `-`.

    Raises:
        ValueError: an unknown family or activation, no width, a width of 0, or the wrong number of activations.
    """
    family, *rest = spec.split("-")
    if family not in _FAMILIES:
        raise ValueError(f"a model spec starts with {' or '.join(_FAMILIES)}, as in 'lenet-300-100-relu'; got {spec!r}")
    widths: list[int] = []
    while rest and (size := re.fullmatch(r"(?:(\d+)x)?(\d+)", rest[0])):
        widths += [int(size[2])] * min(int(size[1] or 1), _DEEPEST + 1)
        rest.pop(0)
    if not widths or min(widths) < 1:
        raise ValueError(
            "a model spec names hidden widths of at least 1, as in 'lenet-300-100' or 'acoustic-6x256-relu'; "
            f"got {spec!r}"
        )
    if len(widths) > _DEEPEST:
        raise ValueError(f"a model spec has at most {_DEEPEST} hidden layers; {spec!r} has more")
    if unknown := [name for name in rest if name not in ACTIVATIONS]:
        raise ValueError(f"an activation is one of {', '.join(ACTIVATIONS)}; {spec!r} names {unknown[0]!r}")
    activations = rest or ["relu"]
    if len(activations) == 1:
        activations = activations * len(widths)
    if len(activations) != len(widths):
        raise ValueError(
            f"a model spec names one activation, or one for each of its {len(widths)} hidden layers; "
            f"{spec!r} names {len(activations)}"
        )
    return Perceptron(family=family, widths=tuple(widths), activations=tuple(activations))


def build_perceptron(spec: str, *, inputs: int, classes: int, generator: torch.Generator) -> nn.Sequential:
    """Build a freshly initialised multilayer perceptron.

    Weights are normal with standard deviation gain · √(2 / (fan_in + fan_out)), the gain fitting the activation
    that follows (√2 ReLU, 4 sigmoid, 1 tanh, none and the logits). Biases are zero, but those before the sigmoids of
    an acoustic net uniform in [-4, 0].

    Args:
        spec: see `parse`.
        inputs: values of one example, all axes multiplied, at least 1.
        classes: outputs (logits), at least 2.
        generator: on the CPU, the only source of randomness; the same state gives the same weights.

    Returns:
        Children `flatten`, `fc1`, `act1`, ..., `fcN` (logits), on the CPU in float32; parameters are named
        `fc1.weight`, `fc1.bias`, ... An acoustic net: `affine1`, `act1`, ..., `final-affine`, of frames (N, inputs).

    Raises:
        ValueError: the spec cannot be read, or a size is out of range.

    Source: LeCun et al. (1998) for LeNet-300-100; Glorot and Bengio (2010) for the initialisation.
    """
    if inputs < 1 or classes < 2:
        raise ValueError(f"a classifier has at least 1 input and 2 classes; got inputs={inputs}, classes={classes}")
    net = parse(spec)
    sizes = [inputs, *net.widths, classes]
    gains = [GAIN[name] for name in net.activations] + [1.0]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if net.family != "acoustic":
        layers["flatten"] = nn.Flatten()
    for depth, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        linear = nn.utils.skip_init(nn.Linear, fan_in, fan_out)
        fill(linear, gains[depth - 1] * math.sqrt(2 / (fan_in + fan_out)), generator)
        layers[net.layers[depth - 1]] = linear
        if depth <= len(net.widths):
            activation = net.activations[depth - 1]
            if net.family == "acoustic" and activation == "sigmoid":
                with torch.no_grad():
                    linear.bias.uniform_(*_SIGMOID_BIASES, generator=generator)
            layers[f"act{depth}"] = ACTIVATIONS[activation]()
    return nn.Sequential(layers)


def fill(layer: nn.Linear | nn.Conv2d, deviation: float, generator: torch.Generator) -> None:
    """Draw a layer's weights from a normal distribution around 0, and set its biases to zero, in place."""
    with torch.no_grad():
        layer.weight.normal_(0.0, deviation, generator=generator)
        if layer.bias is not None:
            layer.bias.zero_()


def linear_layers(model: nn.Module) -> list[str]:
    """Name the model's linear layers, first to last."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]


def weight_rms(weights: Sequence[torch.Tensor]) -> float:
    """Return the root mean square of all weights pooled, √(Σw² / n): the net's own scale for a threshold.

    Args:
        weights: tensors of any shape, at least one weight in all.

    Raises:
        ValueError: there is no weight.
    """
    count = sum(weight.numel() for weight in weights)
    if count == 0:
        raise ValueError("a root mean square needs at least one weight; got none")
    total = sum(float(weight.detach().double().square().sum()) for weight in weights)
    return math.sqrt(total / count)
