"""What each correction makes of one removal of units from one net, and what it costs."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from prunelab.data import Split
from prunelab.measure.modes import evaluating
from prunelab.measure.penalty import Probe
from prunelab.pruning.reconstruction import InputMoments, gather, refit, squared_error
from prunelab.pruning.unit_removal import remove, shift
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import Site, layer_of
from prunelab.studies.stored_nets import Net
from prunelab.studies.units_corrections_operations import Operations, counted, solving
from prunelab.studies.units_corrections_tables import FITTED, MEAN_CORRECTIONS, STATISTICS, ZEROED, tuned
from prunelab.studies.units_fine_tuning import copied, draws
from prunelab.train import Recipe, training

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_BATCH = 500  # examples of which statistics are taken together


@dataclass(frozen=True, kw_only=True)
class Made:
    """What one correction makes of one removal."""

    penalties: dict[str, float]  # part -> nats
    left_percent: float | None
    operations: float


class Bench:
    """One net with all that is measured once for its corrections."""

    def __init__(
        self,
        net: Net,
        scoring: Split,
        parts: Mapping[str, Split],
        train: Split,
        recipe: Recipe,
        tuning_steps: Sequence[int],
    ) -> None:
        """Score the units, gather the moments of the consumers' inputs, and run the net over the parts.

        Args:
            net: unpruned; not changed.
            scoring: examples to score units on, and to take means, moments and statistics from.
            parts: examples to measure losses on.
            train: examples to train on.
            recipe: of training on.
            tuning_steps: after which to measure.

        Raises:
            ValueError: the net is pruned.
        """
        if net.pruning:
            raise ValueError(f"corrections start from unpruned nets; {net.model}, seed {net.seed}, is {net.pruning!r}")
        self._net, self._scoring, self._train, self._recipe = net, scoring, train, recipe
        self._tuning_steps = sorted(tuning_steps)
        self._model = copied(net, train).eval()
        self.measured: dict[str, Measured] = measure_units(self._model, scoring.x, scoring.y, generator=draws(net))
        self.probes = {part: Probe(self._model, split) for part, split in parts.items()}
        self.sites = next(iter(self.probes.values())).sites
        self.operations = Operations(self._model, scoring.x, batch_size=recipe.batch_size)
        self._moments: dict[str, InputMoments] = gather(self._model, scoring.x)
        names = dict(self._model.named_modules())
        self._norms = [name for name, module in names.items() if isinstance(module, _NORMS)]

    def next_layer(self, site: Site, gone: Tensor) -> Iterator[tuple[str, Made]]:
        """Yield what is made of a removal by zeroing alone, by constants in its place, and by fitting the consumer."""
        model, moments, measured = self._model, self._moments[site.name], self.measured[site.name]
        bare = squared_error(model, site, gone, moments)
        missing = shift(model, site, gone, measured, mean="per position", bias="map").double()

        def made(penalty: Callable[[Probe], float], left: float, operations: float) -> Made:
            percent = 100 * (max(left, 0.0) / bare) if bare else None
            return Made(penalties=self._measure(penalty), left_percent=percent, operations=operations)

        yield ZEROED, made(lambda probe: probe.penalty(site.name, gone), bare, 0)
        looked = self.operations.upto(site.tap)
        for name, (mean, bias) in MEAN_CORRECTIONS.items():
            added, work = counted(partial(shift, model, site, gone, measured, mean=mean, bias=bias))
            constant = added.double().view(*added.shape, *[1] * (missing.ndim - added.ndim))
            # |z - c|² = |z|² - 2 c·z + |c|² in the mean over examples, where z has the mean `missing`.
            change = (constant * (constant - 2 * missing)).sum() / missing[0].numel()  # over positions the mean
            left = bare + float(change)
            held = partial(Probe.penalty, site=site.name, removed=gone, shift=added)
            yield name, made(held, left, looked + work)
        fitted, work = counted(lambda: refit(model, site, gone, moments))
        pruned = copy.deepcopy(model)
        remove(pruned, {site.name: gone}, shifts={site.name: fitted.shift})
        consumer = layer_of(pruned, site.consumer)
        consumer.weight.data.copy_(fitted.weight)
        inputs = round(len(moments.mean) * (1 - float(gone.double().mean())))
        work += self.operations.moments(site.name)
        left = squared_error(model, site, gone, moments, fitted)
        yield FITTED, made(lambda probe: probe.penalty_of(pruned), left, work + solving(inputs, len(consumer.weight)))

    def whole_net(self, removed: Mapping[str, Tensor]) -> Iterator[tuple[str, Made]]:
        """Yield what is made of a removal, or of none, by new statistics of batch normalisation and by training on."""

        def made(model: nn.Module, operations: float) -> Made:
            penalties = self._measure(lambda probe: probe.penalty_of(model))
            return Made(penalties=penalties, left_percent=None, operations=operations)

        if self._norms:
            pruned = copy.deepcopy(self._model)
            remove(pruned, removed)
            reestimate(pruned, self._scoring.x)
            yield STATISTICS, made(pruned, self.operations.upto(self._norms[-1]))
        if not self._tuning_steps:
            return
        pruned = copy.deepcopy(self._model)
        masks = remove(pruned, removed)
        batches = draws(self._net, "tuning")
        steps = training(
            pruned, self._train, self._recipe, generator=batches, masks=masks, steps=max(self._tuning_steps)
        )
        for done, _ in enumerate(steps, start=1):
            if done in self._tuning_steps:
                yield tuned(done), made(pruned, done * self.operations.step)

    def _measure(self, penalty: Callable[[Probe], float]) -> dict[str, float]:
        found = {part: penalty(probe) for part, probe in self.probes.items()}
        if odd := [part for part, value in found.items() if not math.isfinite(value)]:
            raise ValueError(f"a loss on {odd[0]} examples is not finite; did the tuning diverge? lower learning_rate")
        return found


def reestimate(model: nn.Module, x: Tensor) -> None:
    """Measure the running statistics of all batch normalisation again, in place.

    They become the means, over batches of about equal size, of the means and variances within a batch.

    Args:
        model: in evaluation but for its normalisation; in its own modes again at the end.
        x: examples, (N, ...), N >= 1.
    """
    norms = [module for module in model.modules() if isinstance(module, _NORMS)]
    momenta = [norm.momentum for norm in norms]
    with evaluating(model):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's word for the mean over all batches
            norm.train()
        for batch in x.chunk(math.ceil(len(x) / _BATCH)):
            model(batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
