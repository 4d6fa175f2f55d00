"""Which mean, and is a mean enough? What can be done about removed units without training on, and what that costs."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from pandas import DataFrame
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from prunelab.data import Images, Split
from prunelab.measure.penalty import Probe
from prunelab.models.modes import evaluating
from prunelab.pruning.reconstruction import InputMoments, gather, refit, squared_error
from prunelab.pruning.unit_removal import lowest, remove, shift
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import Site, layer_of, steps_of
from prunelab.records import Value, quote, to_frame
from prunelab.stats import kendall_tau, t_interval
from prunelab.studies.common.nets import Fit, Net, copied, draws, open_stored
from prunelab.studies.common.units import check_scores, laid_out, subsets
from prunelab.studies.units.tables import (
    AGREEMENT_COLUMNS,
    AGREEMENT_KEY,
    CORRECTION_COLUMNS,
    CORRECTION_KEY,
    FITTED,
    MEAN_CORRECTIONS,
    STATISTICS,
    ZEROED,
    Agreement,
    Correction,
    tuned,
)
from prunelab.studies.units.tuning import checkpoints
from prunelab.train import Recipe, training

_T = TypeVar("_T")


def counted(work: Callable[[], _T]) -> tuple[_T, int]:
    """Do some work and count its floating-point operations, those of products of matrices and of convolutions.

    A multiply and an add are two operations. What `torch.utils.flop_counter` does not know is not counted: elementwise
    work, products of a matrix with a vector, factorisations.
    """
    with FlopCounterMode(display=False) as counter:
        done = work()
    return done, counter.get_total_flops()


class Operations:
    """Counts for one net; nothing is computed, so they cost nothing and do not depend on any number in it."""

    def __init__(self, model: nn.Module, x: Tensor, *, batch_size: int) -> None:
        """Count a training step.

        Args:
            model: not changed.
            x: the examples a correction may look at, (N, ...); only their shape is used.
            batch_size: examples of a training step.
        """
        self._model = copy.deepcopy(model).to("meta")
        self._shape = tuple(x.shape[1:])
        self._examples = len(x)
        self._known: dict[str, int] = {}
        inputs, classes = self._inputs(batch_size), torch.empty(batch_size, dtype=torch.int64, device="meta")
        loss = nn.functional.cross_entropy
        _, self.step = counted(lambda: loss(self._model(inputs), classes).backward())  # one training step

    def upto(self, name: str) -> int:
        """Count a pass forward over the examples that ends with the step of this name."""
        return self._once(f"up to {name}", lambda: self._run(name))

    def moments(self, site: str) -> int:
        """Count a pass over the examples as far as a site's consumer, and gathering its inputs' products."""
        return self._once(f"moments {site}", lambda: gather(self._model, self._inputs(self._examples), only=[site]))

    def _once(self, what: str, work: Callable[[], object]) -> int:
        if what not in self._known:
            self._known[what] = counted(work)[1]
        return self._known[what]

    def _run(self, last: str) -> None:
        x = self._inputs(self._examples)
        with torch.no_grad():
            for step in steps_of(self._model):
                x = step.run(x)
                if step.name == last:
                    return

    def _inputs(self, count: int) -> Tensor:
        return torch.empty(count, *self._shape, device="meta")


def solving(inputs: int, outputs: int) -> float:
    """Count the solution of symmetric equations, n³/3 for Cholesky's factors and 2 n² a right-hand side."""
    return inputs**3 / 3 + 2 * inputs**2 * outputs


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


_SMALL = ("conv-10k3p-20k3-40", "conv-10k3p-20k3-40-same-bn")  # trained where neither runs nor models are named


def last_nets(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    iterations: int,
    recipe: Recipe,
    device: str = "cpu",
    progress: bool = True,
) -> list[Net]:
    """Open the unpruned nets of other runs, each as it was last stored, or train small ones where no run is named.

    Args:
        runs: folders of runs that hold nets; empty to train here.
        images: what the nets were trained on.
        models: specs to take, all that the runs hold when empty; without runs, specs to train.
        seeds: seeds to take, all when empty; without runs, seeds to train, at least one.
        iterations: without runs, how long to train.
        recipe: without runs, how to train.
        device: where the nets go.
        progress: show progress bars.

    Returns:
        One net a model and seed, in the order of the runs.

    Raises:
        ValueError: a model or seed that the runs lack, or what opening and training refuse.
    """
    if not runs:
        return checkpoints(
            (), images, models=models or _SMALL, seeds=seeds, steps=[iterations], recipe=recipe, progress=progress
        )
    fit = Fit(data=images.name, data_id=images.content_id, inputs=images.shape, classes=len(images.classes))
    stored = [net for net in open_stored(runs, fit, device=device) if not net.pruning]
    held = {(net.model, net.seed) for net in stored}
    for what, place, asked in (("model", 0, models), ("seed", 1, seeds)):
        if missing := [name for name in asked if name not in {key[place] for key in held}]:
            raise ValueError(
                f"the runs hold nets {sorted(held)}; got no {what} {missing[0]!r}: train it, or leave it out"
            )
    last: dict[tuple[str, int], Net] = {}
    for net in stored:  # one stored without its iterations is that of the end
        key = (net.model, net.seed)
        if key not in last or _done(net) >= _done(last[key]):
            last[key] = net
    taken = [net for (model, seed), net in last.items() if model in (models or [model]) and seed in (seeds or [seed])]
    if not taken:
        raise ValueError(f"the runs hold nets {sorted(held)}; got none of {list(models)} with seeds {list(seeds)}")
    return taken


def correct(
    nets: Sequence[Net],
    images: Images,
    *,
    scores: Sequence[str],
    layers: Sequence[str],
    fraction: float,
    recipe: Recipe,
    tuning_steps: Sequence[int],
    scoring: int,
    examples: int,
    progress: bool = True,
) -> DataFrame:
    """Remove units from every net, one layer at a time, and measure what each correction leaves of the penalty.

    Every correction starts from the unpruned net and looks at the examples scored on, but for training on, which draws
    from the whole training part. Where two scores choose the same units, what was measured once counts for both.

    Args:
        nets: unpruned; left as they are.
        images: what they were trained on.
        scores: of `prunelab.pruning.unit_scores.SCORES`; measured once a net.
        layers: sites whose units are removed, one at a time; every one when empty.
        fraction: of each layer's units, (0, 1); see `lowest`.
        recipe: optimizer and rate of training on, which starts with new momentum; its batches are what costs are in.
        tuning_steps: numbers of steps to train on for; none when empty.
        scoring: examples of the training part to score units on, and to take means, moments and statistics from.
        examples: examples of the training and of the test part to measure losses on.
        progress: show a progress bar.

    Returns:
        Columns `CORRECTION_COLUMNS`: for every net each layer, score, correction and part.

    Raises:
        ValueError: no net, a net that is pruned, a layer it does not have, settings out of range, or a loss that is not
            finite.
    """
    check_scores(scores)
    if not nets or not 0 < fraction < 1:
        raise ValueError(
            f"units are removed from one net or more, a fraction in (0, 1) of each layer; got {fraction!r}"
        )
    if (tuning_steps and min(tuning_steps) < 1) or len(set(tuning_steps)) != len(tuning_steps):
        raise ValueError(f"tuning_steps are distinct and each at least 1; got {list(tuning_steps)}")
    fixed, train = subsets(images, scoring=scoring, examples=examples), laid_out(images.train)
    rows: list[Correction] = []
    for net in nets:
        bench = Bench(net, fixed.scoring, fixed.parts, train, recipe, tuning_steps)
        named: dict[str, Any] = {"data": net.data, "data_id": net.data_id, "model": net.model, "seed": net.seed}
        controls = {name: made.penalties for name, made in bench.whole_net({})}
        found: dict[tuple[object, ...], dict[str, Made]] = {}
        places = [(layer, score) for layer in sites_named(bench.sites, layers, net.model) for score in scores]
        label = f"correct {net.model}, seed {net.seed}"
        for layer, score in tqdm(places, desc=label, unit="removal", leave=False, disable=not progress):
            gone = lowest(bench.measured[layer].scores[score], fraction)
            key = (layer, *gone.tolist())
            if key not in found:
                site = bench.sites[layer]
                found[key] = dict([*bench.next_layer(site, gone), *bench.whole_net({layer: gone})])
            for correction, made in found[key].items():
                for part, probe in bench.probes.items():
                    rows.append(
                        Correction(
                            **named,
                            layer=layer,
                            score=score,
                            correction=correction,
                            part=part,
                            units=len(gone),
                            removed=int(gone.sum()),
                            loss=probe.loss,
                            penalty=made.penalties[part],
                            control=controls.get(correction, {}).get(part, 0.0),
                            left_percent=made.left_percent,
                            operations=made.operations / bench.operations.step,
                        )
                    )
    return to_frame(rows, CORRECTION_KEY)[list(CORRECTION_COLUMNS)]


def sites_named(found: Mapping[str, Site], layers: Sequence[str], model: str) -> list[str]:
    """List a net's sites of some names, or all of them where none is named.

    Raises:
        ValueError: a name is none of its sites', or stands twice.
    """
    if len(set(layers)) != len(layers) or not set(layers) <= set(found):
        raise ValueError(f"layers of {model} whose units can be removed are {', '.join(found)}; got {list(layers)}")
    return list(layers or found)


def _done(net: Net) -> float:
    return float("inf") if net.step is None else net.step


def agree(
    nets: Sequence[Net],
    images: Images,
    *,
    scores: Sequence[str],
    layers: Sequence[str],
    scoring: int,
    examples: int,
    progress: bool = True,
) -> DataFrame:
    """Correlate the scores of the units of each layer with the loss change when each is removed alone.

    Args:
        nets: unpruned; left as they are.
        images: what they were trained on.
        scores: of `prunelab.pruning.unit_scores.SCORES`; measured once a net.
        layers: sites looked at; every one when empty.
        scoring: examples of the training part to score units on.
        examples: others of the training part to measure losses on; every unit takes two passes over them behind its
            layer.
        progress: show a progress bar.

    Returns:
        Columns `AGREEMENT_COLUMNS`: for every net each layer, score and replacement.

    Raises:
        ValueError: no net, a layer it does not have, or settings out of range.
    """
    check_scores(scores)
    fixed, like = subsets(images, scoring=scoring, examples=examples), laid_out(images.train)
    rows = []
    for net in tqdm(nets, desc="exact loss changes", unit="net", leave=False, disable=not progress):
        whole = copied(net, like).eval()
        measured = measure_units(whole, fixed.scoring.x, fixed.scoring.y, generator=draws(net))
        probe = Probe(whole, fixed.parts["train"])
        for layer in sites_named(probe.sites, layers, net.model):
            site, units = probe.sites[layer], probe.sites[layer].units
            shifts = [shift(whole, site, torch.arange(units) == unit, measured[layer]) for unit in range(units)]
            exact = {"none": probe.exact(layer), "mean": probe.exact(layer, shifts)}
            for score in scores:
                for replacement, change in exact.items():
                    tau = kendall_tau(measured[layer].scores[score], change) if units > 1 else math.nan
                    rows.append(
                        Agreement(
                            data=net.data,
                            data_id=net.data_id,
                            model=net.model,
                            seed=net.seed,
                            layer=layer,
                            score=score,
                            replacement=replacement,
                            units=units,
                            examples=len(fixed.parts["train"]),
                            tau=None if math.isnan(tau) else tau,
                        )
                    )
    return to_frame(rows, AGREEMENT_KEY)[list(AGREEMENT_COLUMNS)]


def agreement_values(agreement: DataFrame) -> dict[str, Value]:
    """Quote how far each score agrees with the exact loss change: the mean over layers, over seeds with an interval.

    Args:
        agreement: as `agree` gives it, of one net or several.

    Returns:
        `tau-<score>-zeroed` and `tau-<score>-replaced` of the first net, in [-1, 1]; scores alike for all units of a
        layer have none.
    """
    values = {}
    rows = agreement[agreement["model"] == agreement["model"].iloc[0]].dropna(subset=["tau"])
    for (score, replacement), own in rows.groupby(["score", "replacement"], sort=False):
        found = quote(t_interval(own.groupby("seed")["tau"].mean().to_numpy()), "", 2)
        values[f"tau-{score}-{'zeroed' if replacement == 'none' else 'replaced'}"] = found
    return values
