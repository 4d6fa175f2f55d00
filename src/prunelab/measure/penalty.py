"""The pruning penalty: how much the loss rises when units are removed, measured from the removal on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from prunelab.models.modes import evaluating
from prunelab.pruning.units import Layer, Site, Step, check_flags, layer_of, sites, steps_of
from prunelab.train import Examples


class Probe:
    """One net on fixed examples, ready to tell what removing any of its units would cost.

    What reaches each consumer, and what it makes of it, is computed once. A removal takes the removed units' share away
    from that, which costs as much as those units, and runs only the steps behind.
    """

    def __init__(self, model: nn.Module, split: Examples, *, batch_size: int = 500) -> None:
        """Run the net over the examples once.

        Args:
            model: see `prunelab.pruning.units.sites`; not changed, and not to be changed while the probe is in use.
            split: examples, at least one, on the model's device.
            batch_size: examples in one pass.

        Raises:
            ValueError: no example, or what `sites` refuses.
        """
        if len(split) == 0:
            raise ValueError("a penalty is measured on examples; the split is empty")
        self._model, self._split, self._batch_size = model, split, batch_size
        self._steps = steps_of(model)
        self.sites = sites(model)
        self._places = {step.name: place for place, step in enumerate(self._steps)}
        self._reached: dict[str, list[_Reached]] = {name: [] for name in self.sites}
        consumers = {site.consumer: name for name, site in self.sites.items()}
        losses = []
        with evaluating(model):
            for x, y in self._batches():
                for step in self._steps:
                    before, x = x, step.run(x)
                    if step.name in consumers:
                        self._reached[consumers[step.name]].append(_Reached(inputs=before, outputs=x, y=y))
                losses.append(functional.cross_entropy(x, y, reduction="none").double().sum())
        self.loss = float(torch.stack(losses).sum()) / len(split)  # of the net as it is, nats

    def penalty(self, site: str, removed: Tensor, shift: Tensor | None = None) -> float:
        """Give the rise of the mean cross-entropy when units of one site are removed; exactly 0 when nothing changes.

        Args:
            site: whose units.
            removed: (U,) bool, True = removed.
            shift: added to the consumer's pre-activations, (outputs,) or for each position (outputs, H, W), see
                `prunelab.pruning.unit_removal.shift`; the units are zeroed alone when absent.

        Returns:
            Nats.

        Raises:
            ValueError: an unknown site, or flags or a shift that do not fit.
        """
        if site not in self.sites:
            raise ValueError(f"a penalty is of units at one of {', '.join(self.sites)}; got {site!r}")
        check_flags(self.sites[site], removed)
        if not bool(removed.any()) and (shift is None or not bool(shift.any())):
            return 0.0
        place = self.sites[site]
        consumer = layer_of(self._model, place.consumer)
        behind = self._steps[self._places[place.consumer] + 1 :]
        added = None if shift is None else _per_output(shift, place.consumer, self._reached[site][0].outputs)
        losses = []
        with evaluating(self._model):
            for reached in self._reached[site]:
                x = reached.outputs
                if bool(removed.any()):
                    x = x - _share(consumer, place, reached.inputs, removed)
                losses.append(_loss(behind, x if added is None else x + added, reached.y))
        return float(torch.stack(losses).sum()) / len(self._split) - self.loss

    def penalty_of(self, model: nn.Module) -> float:
        """Give the rise of the loss in another version of the net, run whole over the same examples; nats."""
        steps = steps_of(model)
        with evaluating(model):
            losses = [_loss(steps, x, y) for x, y in self._batches()]
        return float(torch.stack(losses).sum()) / len(self._split) - self.loss

    def exact(self, site: str, shifts: Sequence[Tensor] | None = None) -> Tensor:
        """Give the penalty of removing each unit of a site alone.

        Args:
            site: whose units.
            shifts: one for each unit, for its replacement by the mean; zeroed when absent.

        Returns:
            (U,) float64, nats; as a score the reference for all others, see `prunelab.pruning.unit_scores`.
        """
        units = self.sites[site].units
        return torch.tensor(
            [
                self.penalty(site, torch.arange(units) == unit, None if shifts is None else shifts[unit])
                for unit in range(units)
            ],
            dtype=torch.float64,
        )

    def _batches(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self._split.x.split(self._batch_size), self._split.y.split(self._batch_size), strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Reached:
    """What one batch is at a consumer."""

    inputs: Tensor
    outputs: Tensor
    y: Tensor


def _share(consumer: Layer, site: Site, inputs: Tensor, removed: Tensor) -> Tensor:
    """Compute what removed units contribute to the consumer's outputs."""
    flags = removed.to(inputs.device)
    weight = consumer.weight
    if isinstance(consumer, nn.Linear):
        columns = flags.repeat_interleave(weight.shape[1] // site.units)
        return inputs[:, columns] @ weight[:, columns].T
    return functional.conv2d(
        inputs[:, flags],
        weight[:, flags],
        stride=consumer.stride,
        padding=consumer.padding,
        dilation=consumer.dilation,
    )


def _per_output(shift: Tensor, consumer: str, outputs: Tensor) -> Tensor:
    """Lay a shift out along the consumer's outputs, (B, outputs, ...)."""
    each, *size = outputs.shape[1:]
    if tuple(shift.shape) not in {(each,), (each, *size)}:
        raise ValueError(
            f"a shift has one number an output of {consumer}, {(each,)}, or of each position, {(each, *size)}; "
            f"got {tuple(shift.shape)}"
        )
    return shift.to(outputs).view(*shift.shape, *[1] * (1 + len(size) - shift.ndim))


def _loss(steps: Sequence[Step], x: Tensor, y: Tensor) -> Tensor:
    for step in steps:
        x = step.run(x)
    return functional.cross_entropy(x, y, reduction="none").double().sum()
