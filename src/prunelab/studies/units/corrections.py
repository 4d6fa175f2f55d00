"""Which mean, and is a mean enough? What can be done about removed units without training on, and what that costs."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Annotated as A
from typing import Any

import torch
from pandas import DataFrame
from torch import Tensor, nn
from tqdm import tqdm

from prunelab import parts
from prunelab.data import Images, Split
from prunelab.measure import evaluate
from prunelab.measure.flops import counted
from prunelab.measure.penalty import Probe
from prunelab.pruning.reconstruction import NORMS, gather, reestimate, refit, squared_error
from prunelab.pruning.unit_removal import Bias, Mean, lowest, remove, shift
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import Site, layer_of, sites, steps_of
from prunelab.stats import kendall_tau
from prunelab.studies.common.nets import Net, OfNet, copied, draws
from prunelab.studies.common.units import Subsets, check_scores, checkpoints, laid_out, subsets
from prunelab.train import Recipe, training

ZEROED, FITTED, STATISTICS = "zeroed", "least squares", "statistics"
# Constants in the units' place: which mean, and how the next bias holds what the consumer makes of it.
MEAN_CORRECTIONS: Mapping[str, tuple[Mean, Bias]] = {
    "mean before pooling": ("before pooling", "average"),
    "mean after pooling": ("after pooling", "average"),
    "mean per position": ("per position", "average"),
    "mean before pooling, interior": ("before pooling", "interior"),
    "mean before pooling, map": ("before pooling", "map"),
    "mean per position, map": ("per position", "map"),
}


class _Corrected(OfNet):
    """A net that is corrected."""

    seed: A[int, "seed of the net, of random scores and of the order of the examples it is tuned on"]


class Correction(_Corrected, key="data model seed layer score correction part", name="corrections"):
    """One removal from one net, corrected in one way, measured on one part."""

    layer: A[str, "layer whose units were removed"]
    score: A[str, "how the units were chosen; of each layer those with the lowest scores"]
    correction: A[
        str,
        f"what was done about it. {ZEROED}: nothing; mean: their mean activation in their place (before or after "
        "pooling, or at each position its own), carried to the next bias as the response averaged over positions, or "
        f"away from the border (interior), or left as a map, which no bias holds; {FITTED}: all weights and the bias "
        f"of the next layer fitted anew; {STATISTICS}: running statistics of all batch normalisation measured again; "
        "steps: trained on, with the units kept out",
    ]
    part: A[
        str,
        "train: a fixed subset of the training part, none of it scored on or fitted to; test: a fixed subset of the "
        "test part",
    ]
    units: A[int, "units of the layer"]
    removed: A[int, "units removed"]
    loss: A[float, "mean cross-entropy of the net before the removal [nats]"]
    penalty: A[float, "mean cross-entropy after removal and correction minus that before both [nats]"]
    control: A[float, "the same where no unit was removed; 0 where the correction then changes nothing [nats]"]
    left_percent: A[
        float | None,
        "mean squared distance of the next layer's pre-activations from the unpruned net's, in the mean over the "
        "examples fitted to and positions, in that of zeroed units; may be empty: where zeroing changes nothing, and "
        "where more than this layer is corrected [%]",
    ]
    operations: A[
        float,
        "floating-point operations that the correction costs beyond zeroing, in those of one training step: the "
        "passes over the examples that means, moments or statistics are taken from, what is computed of them, and "
        "training steps",
    ]


class Agreement(_Corrected, key="data model seed layer score replacement"):
    """How one score orders the units of one layer, against the exact loss change."""

    layer: A[str, "layer whose units were scored"]
    score: A[str, "what they were scored by"]
    replacement: A[
        str,
        "of the exact loss change. none: each unit zeroed alone; mean: replaced by its mean alone (before pooling, "
        "carried to the next bias)",
    ]
    units: A[int, "units of the layer"]
    examples: A[int, "training examples the exact loss change was measured on, none of them scored on"]
    tau: A[
        float | None,
        "Kendall's rank correlation (tau-b) of the score with the exact loss change over the units; may be empty where "
        "all units tie [-1 to 1]",
    ]


class _OneLayer(OfNet):
    """A net of which one layer is pruned."""

    layer: A[str, "layer whose units are removed"]


class Step(_OneLayer, key="data model seed layer unit next_unit", name="steps"):
    """One weight from a unit to a unit of the next layer, and what mean replacement makes of it."""

    unit: A[int, "place of the unit in its layer, from 0"]
    next_unit: A[int, "place of a unit in the next layer, from 0"]
    score: A[str, "what chose the units"]
    score_value: A[float, "the unit's score; those with the lowest are removed"]
    removed: A[bool, "whether the unit is removed"]
    mean_activation: A[float, "mean of the unit's activation over the examples scored on"]
    weight: A[float, "weight from the unit to the next one"]
    product: A[float, "mean activation times weight"]
    bias: A[float, "bias of the next unit before"]
    shift: A[float, "what is added to it: the products of the removed units, summed"]
    bias_after: A[float, "bias of the next unit after"]


class StepLoss(_OneLayer, key="data model seed layer state part", name="step-losses"):
    """The loss before, in between or after."""

    state: A[str, "unpruned; zeroed: the units removed; replaced: and their mean carried to the next biases"]
    part: A[str, "train: a fixed subset of the training part, none of it scored on; test: of the test part"]
    loss: A[float, "mean cross-entropy [nats]"]


class Operations:
    """Counts for one net; nothing is computed, so they cost nothing and do not depend on any number in it."""

    def __init__(self, model: nn.Module, x: Tensor, *, batch_size: int) -> None:
        """Count a training step."""
        self._model = copy.deepcopy(model).to("meta")
        self._shape = tuple(x.shape[1:])
        self._examples = len(x)
        self._known: dict[str, int] = {}
        inputs, classes = self._inputs(batch_size), torch.empty(batch_size, dtype=torch.int64, device="meta")
        loss = nn.functional.cross_entropy
        _, self.step = counted(lambda: loss(self._model(inputs), classes).backward())  # one training step

    def upto(self, name: str) -> int:
        """Count a pass forward over the examples that ends with the step of this name."""

        def run() -> None:
            x = self._inputs(self._examples)
            with torch.no_grad():
                for step in steps_of(self._model):
                    x = step.run(x)
                    if step.name == name:
                        return

        return self._once(f"up to {name}", run)

    def moments(self, site: str) -> int:
        """Count a pass over the examples as far as a site's consumer, and gathering its inputs' products."""
        return self._once(f"moments {site}", lambda: gather(self._model, self._inputs(self._examples), only=[site]))

    def _once(self, what: str, work: Callable[[], object]) -> int:
        if what not in self._known:
            self._known[what] = counted(work)[1]
        return self._known[what]

    def _inputs(self, count: int) -> Tensor:
        return torch.empty(count, *self._shape, device="meta")


def solving(inputs: int, outputs: int) -> float:
    """Count the solution of symmetric equations, n³/3 for Cholesky's factors and 2 n² a right-hand side."""
    return inputs**3 / 3 + 2 * inputs**2 * outputs


@dataclass(frozen=True, kw_only=True)
class Made:
    """What one correction makes of one removal."""

    penalties: dict[str, float]  # part -> nats
    left_percent: float | None
    operations: float


class Bench:
    """One net with all that is measured once for its corrections."""

    def __init__(self, net: Net, fixed: Subsets, train: Split, recipe: Recipe, tuning_steps: Sequence[int]) -> None:
        """Score the units, gather the moments of the consumers' inputs, and run the net over the parts."""
        if net.pruning:
            raise ValueError(f"corrections start from unpruned nets; {net.model}, seed {net.seed}, is {net.pruning!r}")
        self._net, self._scoring, self._train, self._recipe = net, fixed.scoring.x, train, recipe
        self._tuning_steps = sorted(tuning_steps)
        self._model = copied(net, train).eval()
        self.measured = measure_units(self._model, self._scoring, fixed.scoring.y, generator=draws(net))
        self.probes = {part: Probe(self._model, split) for part, split in fixed.parts.items()}
        self.sites = next(iter(self.probes.values())).sites
        self.operations = Operations(self._model, self._scoring, batch_size=recipe.batch_size)
        self._moments = gather(self._model, self._scoring)
        self._norms = [name for name, module in self._model.named_modules() if isinstance(module, NORMS)]

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
            reestimate(pruned, self._scoring)
            yield STATISTICS, made(pruned, self.operations.upto(self._norms[-1]))
        if not self._tuning_steps:
            return
        pruned = copy.deepcopy(self._model)
        masks = remove(pruned, removed)
        settings: dict[str, Any] = {"generator": draws(self._net, "tuning"), "masks": masks}
        steps = training(pruned, self._train, self._recipe, steps=max(self._tuning_steps), **settings)
        for done, _ in enumerate(steps, start=1):
            if done in self._tuning_steps:
                yield f"{done} steps", made(pruned, done * self.operations.step)

    def _measure(self, penalty: Callable[[Probe], float]) -> dict[str, float]:
        found = {part: penalty(probe) for part, probe in self.probes.items()}
        if odd := [part for part, value in found.items() if not math.isfinite(value)]:
            raise ValueError(f"a loss on {odd[0]} examples is not finite; did the tuning diverge? lower learning_rate")
        return found


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
) -> DataFrame:
    """Remove units from every net, one layer at a time, and measure what each correction leaves of the penalty.

    Every correction starts from the unpruned net and looks at the examples scored on, but for training on, which draws
    from the whole training part, starts with new momentum and is measured after `tuning_steps`; costs are in its steps.
    Where two scores choose the same units, what was measured once counts for both. Empty `layers` are all of a net's.
    """
    check_scores(scores)
    if not nets or not 0 < fraction < 1:
        raise ValueError(
            f"units are removed from one net or more, a fraction in (0, 1) of each layer; got {fraction!r}"
        )
    if (tuning_steps and min(tuning_steps) < 1) or len(set(tuning_steps)) != len(tuning_steps):
        raise ValueError(f"tuning_steps are distinct and each at least 1; got {list(tuning_steps)}")
    return parts.each(
        _correct_one,
        nets,
        label="correct",
        fixed=subsets(images, scoring=scoring, examples=examples),
        train=laid_out(images.train),
        scores=scores,
        layers=layers,
        fraction=fraction,
        recipe=recipe,
        tuning_steps=tuning_steps,
    )[Correction]


def _correct_one(
    net: Net,
    fixed: Subsets,
    train: Split,
    scores: Sequence[str],
    layers: Sequence[str],
    fraction: float,
    recipe: Recipe,
    tuning_steps: Sequence[int],
) -> Iterator[Correction]:
    bench = Bench(net, fixed, train, recipe, tuning_steps)
    controls = {name: made.penalties for name, made in bench.whole_net({})}
    found: dict[tuple[object, ...], dict[str, Made]] = {}
    places = [(layer, score) for layer in sites_named(bench.sites, layers, net.model) for score in scores]
    for layer, score in tqdm(places, desc=f"{net.model}, seed {net.seed}", unit="removal", leave=False):
        gone = lowest(bench.measured[layer].scores[score], fraction)
        key = (layer, *gone.tolist())
        if key not in found:
            site = bench.sites[layer]
            found[key] = dict([*bench.next_layer(site, gone), *bench.whole_net({layer: gone})])
        removal: dict[str, Any] = {"layer": layer, "score": score, "units": len(gone), "removed": int(gone.sum())}
        for (correction, made), part in product(found[key].items(), fixed.parts):
            yield Correction(
                **net.names,
                **removal,
                correction=correction,
                part=part,
                loss=bench.probes[part].loss,
                penalty=made.penalties[part],
                control=controls.get(correction, {}).get(part, 0.0),
                left_percent=made.left_percent,
                operations=made.operations / bench.operations.step,
            )


def sites_named(found: Mapping[str, Site], layers: Sequence[str], model: str) -> list[str]:
    """List a net's sites of some names, or all of them where none is named."""
    if len(set(layers)) != len(layers) or not set(layers) <= set(found):
        raise ValueError(f"layers of {model} whose units can be removed are {', '.join(found)}; got {list(layers)}")
    return list(layers or found)


def agree(
    nets: Sequence[Net],
    images: Images,
    *,
    scores: Sequence[str],
    layers: Sequence[str],
    scoring: int,
    examples: int,
) -> DataFrame:
    """Correlate the scores of the units of each layer with the loss change when each is removed alone.

    All is given as for `correct`. Losses are measured on examples of the training part; every unit takes two passes
    over them behind its layer.
    """
    check_scores(scores)
    return parts.each(
        _agree_one,
        nets,
        label="exact loss changes",
        fixed=subsets(images, scoring=scoring, examples=examples),
        like=laid_out(images.train),
        scores=scores,
        layers=layers,
    )[Agreement]


def _agree_one(
    net: Net, fixed: Subsets, like: Split, scores: Sequence[str], layers: Sequence[str]
) -> Iterator[Agreement]:
    whole = copied(net, like).eval()
    measured = measure_units(whole, fixed.scoring.x, fixed.scoring.y, generator=draws(net))
    probe = Probe(whole, fixed.parts["train"])
    for layer in sites_named(probe.sites, layers, net.model):
        site, units = probe.sites[layer], probe.sites[layer].units
        shifts = [shift(whole, site, torch.arange(units) == unit, measured[layer]) for unit in range(units)]
        exact = {"none": probe.exact(layer), "mean": probe.exact(layer, shifts)}
        looked: dict[str, Any] = {"layer": layer, "units": units, "examples": len(fixed.parts["train"])}
        for score, (replacement, change) in product(scores, exact.items()):
            tau = kendall_tau(measured[layer].scores[score], change) if units > 1 else math.nan
            yield Agreement(**net.names, **looked, score=score, replacement=replacement, tau=tau)


def three_steps(
    images: Images,
    *,
    model: str,
    seed: int,
    iterations: int,
    recipe: Recipe,
    layer: str,
    score: str,
    fraction: float,
    scoring: int,
    examples: int,
) -> tuple[DataFrame, DataFrame]:
    """Train a net, remove units of one layer and replace them by their mean, keeping every number on the way.

    The layer's units go to a linear layer by one weight each. Gives the tables `Step` and `StepLoss`.
    """
    check_scores([score])
    fixed = subsets(images, scoring=scoring, examples=examples)
    [net] = checkpoints((), images, models=[model], seeds=[seed], steps=[iterations], recipe=recipe)
    whole = copied(net, images.train).eval()
    found = sites(whole)
    consumer = layer_of(whole, found[layer].consumer) if layer in found else None
    if not isinstance(consumer, nn.Linear) or consumer.in_features != found[layer].units:
        raise ValueError(
            f"the three steps are shown where each unit goes to a linear layer by one weight; {model} has "
            f"{', '.join(found)} to remove units from; got {layer!r}"
        )
    measured = measure_units(whole, fixed.scoring.x, fixed.scoring.y, generator=draws(net))[layer]
    gone = lowest(measured.scores[score], fraction)
    added = shift(whole, found[layer], gone, measured)
    zeroed, replaced = copy.deepcopy(whole), copy.deepcopy(whole)
    remove(zeroed, {layer: gone})
    remove(replaced, {layer: gone}, shifts={layer: added})
    weight, before = consumer.weight.detach().double().cpu(), consumer.bias.detach()
    after = layer_of(replaced, found[layer].consumer).bias
    assert after is not None  # linear layers of this package have one
    rows = [
        Step(
            **net.names,
            layer=layer,
            unit=unit,
            next_unit=place,
            score=score,
            score_value=float(measured.scores[score][unit]),
            removed=bool(gone[unit]),
            mean_activation=float(measured.mean[unit]),
            weight=float(weight[place, unit]),
            product=float(measured.mean[unit] * weight[place, unit]),
            bias=float(before[place]),
            shift=float(added[place]),
            bias_after=float(after.detach()[place]),
        )
        for unit, place in product(range(found[layer].units), range(len(weight)))
    ]
    states = {"unpruned": whole, "zeroed": zeroed, "replaced": replaced}
    losses = [
        StepLoss(**net.names, layer=layer, state=state, part=part, loss=evaluate(module, split).loss)
        for (state, module), (part, split) in product(states.items(), fixed.parts.items())
    ]
    return Step.frame(rows), StepLoss.frame(losses)
