"""A pruned perceptron without the units and inputs that no kept weight touches: the same function, less to compute."""

import copy
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from prunelab.pruning.application import apply, refuse_misfits


@dataclass(frozen=True, kw_only=True, eq=False)
class Compact:
    """A smaller net, and where each of its units and inputs stands in the one it was made from."""

    model: nn.Sequential  # of flat inputs (N, len(inputs)); layers under their old names
    masks: dict[str, Tensor]  # of its weights
    inputs: Tensor  # places of its inputs among the whole net's, int64
    units: dict[str, Tensor]  # linear layer -> places of its units among the whole net's, int64

    def write_back(self, model: nn.Sequential) -> None:
        """Set the parameters of the whole net, in place, to those of the smaller one; the rest stays as it is.

        Args:
            model: the net that `compact` was given.
        """
        columns = self.inputs
        with torch.no_grad():
            for name, rows in self.units.items():
                weight, bias = (model.get_parameter(f"{name}.{kind}") for kind in ("weight", "bias"))
                weight[rows[:, None], columns] = self.model.get_parameter(f"{name}.weight")
                bias[rows] = self.model.get_parameter(f"{name}.bias")
                columns = rows


def compact(model: nn.Sequential, masks: Mapping[str, Tensor]) -> Compact:
    """Leave out the inputs that no kept weight leaves, and the hidden units that none enters and none leaves.

    What remains trains as the whole net does under the masks: the units left out neither change an output nor get a
    gradient.

    Args:
        model: linear layers with biases, any elementwise activation between two, perhaps a flattening first; as
            `prunelab.models.build` makes it. Its removed weights are set to zero.
        masks: parameter name -> bool mask, True = kept; a weight without one is kept whole.

    Returns:
        A net of its own, in training mode as the model is, and the way back.

    Raises:
        TypeError: a mask is not bool.
        ValueError: a mask fits no weight, or the model is built otherwise.
    """
    parameters = dict(model.named_parameters())
    refuse_misfits(parameters, masks)
    children = [(name, child) for name, child in model.named_children() if not isinstance(child, nn.Flatten)]
    linear = {name: child for name, child in children if isinstance(child, nn.Linear)}
    if (
        not linear
        or any(child.bias is None for child in linear.values())
        or any(list(child.parameters()) for _, child in children if not isinstance(child, nn.Linear))
        or set(masks) - {f"{n}.weight" for n in linear}
    ):
        kinds = ", ".join(type(child).__name__ for _, child in children)
        raise ValueError(
            f"a net is compacted if it is linear layers with biases, with masks of their weights; got {kinds}"
        )
    apply(model, masks)
    kept = [
        masks.get(f"{name}.weight", torch.ones_like(child.weight, dtype=torch.bool)) for name, child in linear.items()
    ]
    kept = [mask.to(child.weight.device) for mask, child in zip(kept, linear.values(), strict=True)]
    used = [kept[0].any(0)]
    used += [before.any(1) | after.any(0) for before, after in pairwise(kept)]
    used.append(torch.ones_like(kept[-1][:, 0]))  # the outputs, all of them
    for flags in used:
        flags[:1] |= ~flags.any()  # a layer that is pruned away keeps a place: torch has no layers of no units
    places = [flags.nonzero().flatten() for flags in used]

    layers: OrderedDict[str, nn.Module] = OrderedDict()
    small_masks = {}
    depth = 0
    for name, child in children:
        if not isinstance(child, nn.Linear):
            layers[name] = copy.deepcopy(child)
            continue
        columns, rows = places[depth], places[depth + 1]
        layer = nn.utils.skip_init(nn.Linear, len(columns), len(rows), device=child.weight.device)
        with torch.no_grad():
            layer.weight.copy_(child.weight[rows[:, None], columns])
            layer.bias.copy_(child.bias[rows])
        layers[name] = layer
        small_masks[f"{name}.weight"] = kept[depth][rows[:, None], columns]
        depth += 1
    small = nn.Sequential(layers).train(model.training)
    return Compact(model=small, masks=small_masks, inputs=places[0], units=dict(zip(linear, places[1:], strict=True)))


def fold_constants(model: nn.Sequential, masks: Mapping[str, Tensor]) -> None:
    """Put into the next biases what units will put out that lose all their incoming weights: a constant. In place.

    To be called before the masks are applied: outgoing weights count whether they are kept or not, and they and the
    units' own biases are zero afterwards. The outputs are then those of the net without the units' incoming weights; of
    a unit that loses the inputs from such a unit, what they carried is part of its own constant.

    Args:
        model: as for `compact`.
        masks: weight name -> bool mask, True = kept, one for each linear layer.

    Raises:
        ValueError: a linear layer has no mask.
    """
    children = list(model.named_children())
    linear = [(name, child) for name, child in children if isinstance(child, nn.Linear)]
    if missing := [name for name, _ in linear if f"{name}.weight" not in masks]:
        raise ValueError(f"constants are folded where every layer has a mask; {missing[0]!r} has none")
    activations = {name: after for (name, child), (_, after) in pairwise(children) if isinstance(child, nn.Linear)}
    with torch.no_grad():
        for (name, layer), (_, after) in pairwise(linear):
            constant = ~masks[f"{name}.weight"].to(layer.weight.device).any(1)
            value = activations[name](layer.bias) * constant
            after.bias.add_(after.weight @ value)
            after.weight.masked_fill_(constant, 0)
            layer.bias.masked_fill_(constant, 0)
