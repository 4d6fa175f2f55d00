"""What the layers of a multilayer perceptron put out, unit by unit, with its own parameters or with others."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prunelab.measure.perceptron import ACTIVATE, Layer, inputs_of, layers_of
from prunelab.models.modes import evaluating

# Examples in one block: a layer's outputs for them, 1 MB at width 256, are read several times while in the cache.
_BLOCK = 1000
# Of the last activation's outputs every fourth example enters the histogram: binning costs as much as half a layer.
_EVERY = 4
# A unit on one side in this share of the examples is fixed there.
FIXED = 0.99
# Below and above these outputs lie the outer 5 % of an activation's range at either end.
_ZONES = {"sigmoid": (0.05, 0.95), "tanh": (-0.9, 0.9)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """One layer over the examples; all tensors (units,) float64 on the CPU."""

    layer: str
    activation: str
    mean: Tensor  # of the pre-activation
    sd: Tensor  # of the pre-activation, divided by the number of examples
    low: Tensor  # share of examples at the lower end: sigmoid < 0.05, tanh < -0.9, ReLU 0; NaN without activation
    high: Tensor  # share of examples at the upper end: sigmoid > 0.95, tanh > 0.9, ReLU > 0; NaN without activation

    @property
    def saturated(self) -> float:
        """Share of outputs in the outer 5 % of the range at either end, of a ReLU's at 0; NaN without activation."""
        ends = self.low if self.activation == "relu" else self.low + self.high
        return float(ends.mean())

    @property
    def fixed(self) -> float:
        """Share of units at one end in at least 99 % of the examples; of a ReLU's, those dead or linear only."""
        ends = torch.maximum(self.low, self.high)
        # A double may lie a rounding below 0.99 where the count is exactly that.
        return float(torch.where(ends.isnan(), torch.nan, (ends >= FIXED - 1e-12).double()).mean())


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """One pass over the examples."""

    layers: tuple[Statistics, ...]
    histogram: Tensor  # (bins,) float64, shares of the last activation's outputs; empty where no edges were given
    logits: Tensor  # (N, classes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """The inputs of one layer over the examples, float64 on the CPU."""

    mean: Tensor  # (inputs,)
    covariance: Tensor  # (inputs, inputs), divided by the number of examples


def trace(
    model: nn.Sequential, x: Tensor, setting: Mapping[str, Tensor] | None = None, *, edges: Tensor | None = None
) -> Trace:
    """Measure every layer in one pass, block by block, at little more than the cost of the pass.

    Means and squared deviations of a block are joined with those before it in float64 (Chan et al.), so that a unit
    whose pre-activations hardly vary far from zero keeps its spread.

    Args:
        model: see `perceptron.layers_of`; not changed.
        x: examples, (N, ...) on the model's device, at least one.
        setting: see `perceptron.layers_of`.
        edges: (bins + 1,) evenly spaced, to bin the last activation's outputs; values beyond count in the outer bins.

    Raises:
        ValueError: no example, or what `perceptron.layers_of` refuses.

    Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician, 1983.
    """
    layers = layers_of(model, setting)
    _not_empty(x)
    tallies = [_Tally(len(layer.bias), x.device) for layer in layers]
    bins = 0 if edges is None else len(edges) - 1
    histogram = torch.zeros(bins, dtype=torch.float64, device=x.device)
    rows = []
    with evaluating(model):
        for block in x.flatten(1).split(_BLOCK):
            h = block.T  # (inputs, B): a unit's outputs lie in a row, which is what its sums run along
            for layer, tally in zip(layers, tallies, strict=True):
                h = torch.addmm(layer.bias[:, None], layer.weight, h)  # (units, B)
                tally.add(h)
                if layer is layers[-1]:
                    break
                ACTIVATE[layer.activation](h)
                tally.count_ends(h, layer.activation)
                if edges is not None and layer is layers[-2]:
                    first, last = float(edges[0]), float(edges[-1])
                    histogram += torch.histc(h[:, ::_EVERY].clamp(first, last), bins, first, last)
            rows.append(h.T)
    return Trace(
        layers=tuple(tally.finish(layer, len(x)) for layer, tally in zip(layers, tallies, strict=True)),
        histogram=(histogram / histogram.sum()).cpu() if bins else histogram.cpu(),
        logits=torch.cat(rows),
    )


def mean_shift(unpruned: Statistics, change: Tensor) -> Tensor:
    """Give changes of the units' mean pre-activations in standard deviations of the unpruned net.

    Units whose pre-activation does not vary in the unpruned net have no such unit of measure and are left out.

    Args:
        unpruned: the layer in the unpruned net.
        change: (units,), measured or predicted.

    Returns:
        (units that vary,).
    """
    varies = unpruned.sd > 0
    return change[varies] / unpruned.sd[varies]


def spread(unpruned: Statistics, pruned: Statistics) -> Tensor:
    """Give the ratio of the units' standard deviations, pruned to unpruned, (units that vary in the unpruned net,)."""
    varies = unpruned.sd > 0
    return pruned.sd[varies] / unpruned.sd[varies]


def last_outputs(model: nn.Sequential, x: Tensor) -> Tensor:
    """Return what the last activation puts out, (N, units).

    Args:
        model: see `perceptron.layers_of`, with at least one hidden layer.
        x: examples, (N, ...).
    """
    with evaluating(model):
        *_, h = inputs_of(layers_of(model), x)
    return h.T


def mean_inputs(model: nn.Sequential, x: Tensor) -> dict[str, Tensor]:
    """Return the mean input of every linear layer over the examples, layer -> (inputs,) float64 on the CPU.

    Args:
        model: see `perceptron.layers_of`; with its own parameters.
        x: examples, (N, ...), at least one.
    """
    layers = layers_of(model)
    _not_empty(x)
    sums = [torch.zeros(layer.weight.shape[1], dtype=torch.float64, device=x.device) for layer in layers]
    with evaluating(model):
        for block in x.split(_BLOCK):
            for total, h in zip(sums, inputs_of(layers, block), strict=True):
                total += h.sum(1)
    return {layer.name: (total / len(x)).cpu() for layer, total in zip(layers, sums, strict=True)}


def input_moments(model: nn.Sequential, x: Tensor) -> dict[str, Moments]:
    """Return mean and covariance of every linear layer's inputs over the examples, layer -> moments.

    Args:
        model: see `perceptron.layers_of`; with its own parameters.
        x: examples, (N, ...), at least one.
    """
    layers, means = layers_of(model), mean_inputs(model, x)
    squares = [torch.zeros(2 * [layer.weight.shape[1]], dtype=torch.float64, device=x.device) for layer in layers]
    with evaluating(model):
        for block in x.split(_BLOCK):
            for layer, total, h in zip(layers, squares, inputs_of(layers, block), strict=True):
                centred = h - means[layer.name].to(h)[:, None]
                total += centred @ centred.T
    return {
        layer.name: Moments(mean=means[layer.name], covariance=(total / len(x)).cpu())
        for layer, total in zip(layers, squares, strict=True)
    }


class _Tally:
    """Running sums of one layer, kept where the examples are until the pass is over."""

    def __init__(self, units: int, device: torch.device) -> None:
        self.examples = 0
        # mean, sum of squared deviations, count at the low end, count at the high end
        self.sums = torch.zeros(4, units, dtype=torch.float64, device=device)

    def add(self, z: Tensor) -> None:
        """Join the pre-activations of a block, (units, B)."""
        count, total = z.shape[1], self.examples + z.shape[1]
        centre = z.mean(1)
        centred = z - centre[:, None]
        # `centre` is rounded to float32: what it misses of the block's mean is taken into account.
        missed = centred.sum(1).double() / count
        spread = torch.linalg.vector_norm(centred, dim=1).double().square() - count * missed.square()
        difference = centre.double() + missed - self.sums[0]
        self.sums[0] += difference * (count / total)
        self.sums[1] += spread.clamp(min=0) + difference.square() * (self.examples * count / total)
        self.examples = total

    def count_ends(self, h: Tensor, activation: str) -> None:
        """Count the outputs of a block at either end, (units, B)."""
        if activation == "none":
            return
        # A comparison written as numbers sums four times as fast as one written as bools; counts to 2**24 are exact.
        flags = torch.empty_like(h)
        if activation == "relu":
            above = torch.gt(h, 0, out=flags).sum(1).double()
            self.sums[2] += h.shape[1] - above
            self.sums[3] += above
            return
        low, high = _ZONES[activation]
        self.sums[2] += torch.lt(h, low, out=flags).sum(1)
        self.sums[3] += torch.gt(h, high, out=flags).sum(1)

    def finish(self, layer: Layer, examples: int) -> Statistics:
        """Turn sums into statistics."""
        mean, squares, low, high = self.sums.cpu()
        # Without an activation there are no ends to be at.
        ends = examples if layer.activation != "none" else torch.nan
        return Statistics(
            layer=layer.name,
            activation=layer.activation,
            mean=mean,
            sd=(squares / examples).sqrt(),
            low=low / ends,
            high=high / ends,
        )


def _not_empty(x: Tensor) -> None:
    if len(x) == 0:
        raise ValueError("a mean over examples needs at least one; got none")
