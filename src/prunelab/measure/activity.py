"""Which units of a ReLU net put something out: counted image by image, among all units and among the live ones."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prunelab.measure.perceptron import Layer, inputs_of, layers_of
from prunelab.models.modes import evaluating
from prunelab.pruning.paths import live

# Examples in one block: all outputs of 1200 units for them are 5 MB.
_BLOCK = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class Activity:
    """The units of one hidden layer over the examples; tensors on the CPU."""

    live: Tensor  # (units,) bool, on a path of nonzero weights from an input to an output
    active: Tensor  # (N,) int64, units with output above 0
    live_active: Tensor  # (N,) int64, the live ones among them

    @property
    def units(self) -> int:
        """All units of the layer."""
        return len(self.live)

    @property
    def fraction(self) -> Tensor:
        """Fraction of all units with output above 0, (N,) float64, [0, 1]."""
        return self.active.double() / self.units


def activity(model: nn.Sequential, x: Tensor, lit: Tensor | None = None) -> dict[str, Activity]:
    """Count, for each example, the units of each hidden layer whose output is above 0.

    A unit that pruning left without inputs still puts its bias out, on every example alike: it is active, but not live.

    Args:
        model: see `perceptron.layers_of`, ReLU behind every hidden layer; a removed weight is exactly 0; not changed.
        x: examples, (N, ...) on the model's device.
        lit: (inputs,) bool, inputs that are ever nonzero; all of them when absent.

    Returns:
        Hidden layer -> its activity, first to last.

    Raises:
        ValueError: a hidden layer has another activation, or what `perceptron.layers_of` or
            `prunelab.pruning.paths.live` refuses.
    """
    layers = layers_of(model)
    hidden = _hidden(layers)
    paths = live({layer.name: layer.weight != 0 for layer in layers}, lit)
    # A live weight that enters a unit lies on a path, so another leaves it.
    groups = {layer.name: paths[layer.name].any(1) for layer in hidden}
    # One product counts all units and the live ones, exactly: a sum of bools takes several times as long.
    sums = {name: torch.stack([torch.ones_like(group), group]).to(x.dtype) for name, group in groups.items()}
    counts: dict[str, list[Tensor]] = {layer.name: [] for layer in hidden}
    with evaluating(model):
        for block in x.split(_BLOCK):
            _, *outputs = inputs_of(layers, block)  # the first is the examples themselves
            for layer, h in zip(hidden, outputs, strict=True):
                counts[layer.name].append(sums[layer.name] @ torch.gt(h, 0, out=torch.empty_like(h)))  # (2, B)
    found = {}
    for name, group in groups.items():
        active, live_active = (torch.cat(counts[name], dim=1) if counts[name] else torch.empty(2, 0)).long().cpu()
        found[name] = Activity(live=group.cpu(), active=active, live_active=live_active)
    return found


def _hidden(layers: list[Layer]) -> list[Layer]:
    """Give the layers before the last, all of them ReLU."""
    for layer in layers[:-1]:
        if layer.activation != "relu":
            raise ValueError(
                f"a unit is active where its ReLU puts out more than 0; {layer.name} has {layer.activation!r}: "
                "measure a ReLU net"
            )
    return layers[:-1]
