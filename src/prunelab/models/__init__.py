"""The few networks of the report, each built from a spec string."""

from prunelab.models.conv import ConvNet, Convolution, build_conv, is_conv, parse_conv
from prunelab.models.perceptron import ACTIVATIONS, Perceptron, build_perceptron, linear_layers, parse, weight_rms
from prunelab.models.spec import build

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
