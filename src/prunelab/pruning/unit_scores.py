"""Which units a net can spare: scores of all units from one pass forward and one back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prunelab.models.modes import evaluating
from prunelab.pruning.criteria import UnitActivations, UnitGradients
from prunelab.pruning.kinds import named
from prunelab.pruning.units import Site, Step, layer_of, sites, steps_of

SCORES = tuple(named("score"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """The units of one site as measured on examples; float64 on the CPU."""

    scores: dict[str, Tensor]  # of SCORES -> (U,), higher = kept
    mean: Tensor  # (U,) mean activation over examples and positions
    mean_square: Tensor  # (U,) mean of the squared activations
    shape: tuple[int, ...]  # rows and columns of an activation; empty behind a linear layer
    inputs: Tensor  # mean over examples of what the consumer gets of each unit: (U, h, w), or (U, P) where it is linear


def measure_units(
    model: nn.Module, x: Tensor, y: Tensor, *, generator: torch.Generator, batch_size: int = 250
) -> dict[str, Measured]:
    """Score the units of every layer in one pass over examples.

    With a the activation of a unit in one example, after the non-linearity and before pooling, at positions p (one for
    linear layers), g = ∂L/∂a of that example's cross-entropy L, ā its mean over examples and positions, and E the mean
    over examples:

    - `random`: uniform in [0, 1).
    - `norm`: ‖w‖² / fan-in of the unit's incoming weights.
    - `activation`: E[mean over p of |a|].
    - `taylor`: E[Σₚ −a g], the first-order change of the loss from zeroing the unit; `taylor-abs`: E[|Σₚ a g|].
    - `mrs`: E[Σₚ (ā − a) g], the same from replacing it by its mean (mean replacement saliency); `mrs-abs`: of its
      absolute value in each example.

    Args:
        model: see `prunelab.pruning.units.sites`; measured as in evaluation, not changed.
        x: examples, (N, ...), N >= 1, on the model's device.
        y: their classes, (N,).
        generator: a CPU generator, for the random scores.
        batch_size: examples in one pass.

    Returns:
        Site -> its units as measured.

    Raises:
        ValueError: no example, losses or activations that are not finite, activations that are neither flat nor images,
            or what `sites` refuses.

    Source: norm, Taylor and mean replacement saliency: Evci et al., "Mean Replacement Pruning", 2018, with the
        definitions of its released code; Molchanov et al., ICLR 2017, for the Taylor score. The means over positions of
        that code are sums here, which scales all scores of a layer alike.
    """
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(f"units are measured on examples with their classes; got {len(x)} and {len(y)}")
    found, steps = sites(model), steps_of(model)
    sums = {name: _Sums() for name in found}
    with evaluating(model, gradients=True):
        for part, classes in zip(x.split(batch_size), y.split(batch_size), strict=True):
            logits, tapped = _tapped(model, steps, found, part)
            loss = nn.functional.cross_entropy(logits, classes, reduction="sum")
            gradients = torch.autograd.grad(loss, [tapped[name].activations for name in found])
            if not bool(torch.isfinite(loss)):
                raise ValueError(f"scores need finite losses; got {float(loss.detach())}: did the training diverge?")
            for name, gradient in zip(found, gradients, strict=True):
                sums[name].add(tapped[name].activations.detach(), gradient, tapped[name].inputs)
    return {
        name: _measured(layer_of(model, name).weight.detach(), sums[name], site, generator)
        for name, site in found.items()
    }


@dataclass(kw_only=True, eq=False)
class _Tapped:
    """What one batch is at a site."""

    activations: Tensor  # (B, U, ...), in the graph
    inputs: Tensor  # what the consumer gets


class _Sums:
    """What is gathered of one site over batches."""

    def __init__(self) -> None:
        self.examples = 0
        self.total = torch.zeros((), dtype=torch.float64)  # (U,) Σ a
        self.sizes = torch.zeros((), dtype=torch.float64)  # (U,) Σ |a|
        self.squares = torch.zeros((), dtype=torch.float64)  # (U,) Σ a²
        self.inputs = torch.zeros((), dtype=torch.float64)  # consumer's input summed over examples
        self.slopes: list[Tensor] = []  # (B, U) Σₚ g
        self.products: list[Tensor] = []  # (B, U) Σₚ a g
        self.shape: tuple[int, ...] = ()

    def add(self, a: Tensor, g: Tensor, inputs: Tensor) -> None:
        self.examples += len(a)
        self.shape = tuple(a.shape[2:])
        a, g = (part[..., None].flatten(2) for part in (a, g))  # (B, U, P)
        self.total = self.total + a.sum(2).double().sum(0).cpu()
        self.sizes = self.sizes + a.abs().sum(2).double().sum(0).cpu()
        self.squares = self.squares + a.square().sum(2).double().sum(0).cpu()
        self.inputs = self.inputs + inputs.double().sum(0).cpu()
        self.slopes.append(g.sum(2).double().cpu())
        self.products.append((a * g).sum(2).double().cpu())


def _measured(weight: Tensor, sums: _Sums, site: Site, generator: torch.Generator) -> Measured:
    count = sums.examples * math.prod(sums.shape)
    mean = sums.total / count
    if not bool(torch.isfinite(sums.squares).all()):
        raise ValueError(f"scores need finite activations; those of {site.name} are not: did the training diverge?")
    activations = UnitActivations(mean=mean, size=sums.sizes / count)
    gradients = UnitGradients(slopes=torch.cat(sums.slopes), products=torch.cat(sums.products))
    scores = {
        name: kind.scores(
            {
                "weights": lambda: weight,
                "activations": lambda: activations,
                "gradients": lambda: gradients,
                "chance": lambda: generator,
            }
        )
        for name, kind in named("score").items()
    }
    inputs = sums.inputs / sums.examples
    if inputs.ndim == 1:
        inputs = inputs.view(site.units, -1)  # (U, P): flattening keeps a channel's positions together
    return Measured(scores=scores, mean=mean, mean_square=sums.squares / count, shape=sums.shape, inputs=inputs)


def _tapped(
    model: nn.Module, steps: Sequence[Step], found: Mapping[str, Site], x: Tensor
) -> tuple[Tensor, dict[str, _Tapped]]:
    """Run a net; give its logits, and each site's activations and its consumer's input."""
    taps = {site.tap: name for name, site in found.items()}
    consumers = {site.consumer: name for name, site in found.items()}
    tapped: dict[str, _Tapped] = {}
    for step in steps:
        if step.name in consumers:
            tapped[consumers[step.name]].inputs = x.detach()
        x = step.run(x)
        if step.name in taps:
            name = taps[step.name]
            if x.ndim != layer_of(model, name).weight.ndim:
                raise ValueError(
                    f"units are measured on flat examples (B, U) or images (B, U, H, W); {name} gives {tuple(x.shape)}"
                )
            # A net of frozen weights has no gradients unless asked for here.
            tapped[name] = _Tapped(activations=x if x.requires_grad else x.requires_grad_(), inputs=x)
    return x, tapped
