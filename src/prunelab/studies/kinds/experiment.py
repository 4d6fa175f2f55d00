"""Every kind of pruning function on the same nets at the same budgets, one-shot and retrained."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from pandas import DataFrame
from torch import Tensor, nn
from tqdm import tqdm

from prunelab.data import Images, load_images
from prunelab.measure import evaluate
from prunelab.measure.sparsity import count
from prunelab.models import build, is_conv
from prunelab.pruning import check, prunable
from prunelab.pruning.kinds import Penalty, check_names
from prunelab.records import to_frame
from prunelab.speech import Corpus
from prunelab.studies.common import nets as common_nets
from prunelab.studies.common import recognisers, units
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.nets import Fit, Net, error_percent, open_stored
from prunelab.studies.common.recognisers import Listener
from prunelab.studies.kinds.kinds import KINDS, Pruned, drawing, pruned
from prunelab.studies.kinds.tables import (
    COSTS_COLUMNS,
    COSTS_KEY,
    KINDS_COLUMNS,
    KINDS_KEY,
    TRIED_KEY,
    WEIGHTS_COLUMNS,
    WEIGHTS_KEY,
    Cost,
    KindRow,
    Tried,
)
from prunelab.train import Examples, Frames, Recipe, check_seeds, training


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What one net gets wrong, in percent of the examples, or of the words spoken."""

    validation: float
    test: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Nets of one spec on one data set: how they are made, trained and measured."""

    model: str
    fit: Fit  # the data, and what a net takes and gives
    train: Examples
    scoring: Examples  # of the training part, where gradients and activations are measured
    recipe: Recipe  # of the dense nets, without a penalty
    steps: int  # of their training
    retraining: Recipe
    measure: Callable[[nn.Sequential], Errors]

    @property
    def pass_steps(self) -> int:
        """Count the training steps of one pass over the training part."""
        return -(-len(self.train) // self.recipe.batch_size)

    def build(self, generator: torch.Generator) -> nn.Sequential:
        """Build a fresh net, on the device of the examples."""
        module = build(self.model, inputs=self.fit.inputs, classes=self.fit.classes, generator=generator)
        return common_nets.lay_out(module).to(self.train.x.device)

    def net(self, seed: int, module: nn.Sequential) -> Net:
        """Name a net of this task."""
        return Net(data=self.fit.data, data_id=self.fit.data_id, model=self.model, seed=seed, module=module)


def open_task(model: str, *, data: str = "", corpus: str = "", device: str = "cpu", **settings: Any) -> Task:
    """Open the data that a net is trained on: speech for an acoustic net, else images.

    Args:
        model: see `prunelab.models.build`.
        data: of images, see `prunelab.data.load_images`.
        corpus: of speech: folder of the run that left it; empty to make a small one.
        device: where to train and measure.
        settings: of `images_task` or `speech_task`; `examples` is left out for speech, which is heard whole.
    """
    if model.startswith("acoustic"):
        settings.pop("examples", None)
        return speech_task(open_or_make(corpus, device=device), model, device=device, **settings)
    load = units.load if is_conv(model) else load_images
    return images_task(load(data, device=device), model, **settings)


def images_task(
    images: Images,
    model: str,
    *,
    learning_rate: float,
    epochs: int,
    steps: int = 0,
    retraining_rate: float,
    scoring: int,
    examples: int,
) -> Task:
    """Compare kinds on images, by the error on fixed examples of the validation and the test part.

    Args:
        images: for a convolutional net as `units_settings.load` gives them.
        model: "lenet-300-100-relu", "medium-conv-x0.3125", ...
        learning_rate: of the dense nets, at its peak; constant for a convolutional net.
        epochs: passes over the training part, used without `steps`.
        steps: training steps of the dense nets instead; 0 for whole passes.
        retraining_rate: at the peak of a triangular rate.
        scoring: examples of the training part to measure gradients and activations on.
        examples: of the validation and of the test part to measure errors on; all where there are fewer.

    Raises:
        ValueError: examples out of range, or what `Recipe` refuses.
    """
    conv = is_conv(model)
    recipe = units.recipe_of(learning_rate) if conv else Recipe(learning_rate=learning_rate)
    fixed = units.subsets(images, scoring=scoring, examples=examples)
    train = units.laid_out(images.train)

    def measure(module: nn.Sequential) -> Errors:
        parts = (fixed.validation, fixed.parts["test"])
        validation, test = (error_percent(evaluate(module, part).accuracy) for part in parts)
        return Errors(validation=validation, test=test)

    fit = Fit(data=images.name, data_id=images.content_id, inputs=images.shape, classes=len(images.classes))
    recipe, count = _length(recipe, train, epochs=epochs, steps=steps)
    return Task(
        model=model,
        fit=fit,
        train=train,
        scoring=fixed.scoring,
        recipe=recipe,
        steps=count,
        retraining=replace(recipe, learning_rate=retraining_rate, schedule="triangular"),
        measure=measure,
    )


def speech_task(
    corpus: Corpus,
    model: str,
    *,
    learning_rate: float,
    epochs: int,
    steps: int = 0,
    retraining_rate: float,
    scoring: int,
    device: str = "cpu",
) -> Task:
    """Compare kinds on speech, by word error rates, the decoder chosen on the development part each time.

    Args:
        corpus: with labels of its training part.
        model: "acoustic-6x256-relu", ...
        learning_rate: of the dense nets, at its peak.
        epochs: passes over the training frames, used without `steps`.
        steps: training steps of the dense nets instead; 0 for whole passes.
        retraining_rate: at the peak of a triangular rate.
        scoring: frames of the training part to measure gradients and activations on.
        device: where to train and measure.

    Raises:
        ValueError: a corpus without labels, more frames asked for than there are, or what `Recipe` refuses.
    """
    if corpus.train.labels is None:
        raise ValueError(f"training needs the state of every frame; the corpus {corpus.name} is not aligned")
    x, _ = corpus.frames(corpus.train)
    train, listener = Frames(x=x.to(device), y=corpus.train.labels.to(device)), Listener(corpus, device=device)
    if not 1 <= scoring <= len(train):
        raise ValueError(f"scoring is a number of training frames, 1 to {len(train)}; got {scoring!r}")
    which = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:scoring].to(device)

    def measure(module: nn.Sequential) -> Errors:
        heard = listener.hear(module, [])[0]
        return Errors(validation=heard.dev_error_percent, test=heard.error_percent)

    recipe, count = _length(recognisers.recipe_of(1, learning_rate), train, epochs=epochs, steps=steps)
    fit = Fit(data=corpus.name, data_id=corpus.content_id, inputs=corpus.inputs, classes=corpus.topology.states)
    return Task(
        model=model,
        fit=fit,
        train=train,
        scoring=Frames(x=train.x[which], y=train.y[which]),
        recipe=recipe,
        steps=count,
        retraining=replace(recipe, learning_rate=retraining_rate),
        measure=measure,
    )


def stored(task: Task, runs: Sequence[str], seeds: Sequence[int], *, steps: int = 0) -> list[Net]:
    """Open the unpruned nets of a task that other runs trained without a penalty.

    Args:
        task: what they were trained on.
        runs: folders that hold `nets/*.safetensors`, at least one.
        seeds: those to take; all that the runs hold when empty.
        steps: training steps done of the nets to take; 0 takes those stored at the end of whole passes.

    Raises:
        FileNotFoundError: a run without nets.
        ValueError: a seed that the runs lack or hold twice, or nets of other data.
    """
    device = str(task.train.x.device)
    found = [
        net
        for net in open_stored(runs, task.fit, device=device)
        if net.model == task.model and not net.pruning and net.step == (steps or None)
    ]
    held = [net.seed for net in found]
    wanted = list(seeds) or held
    if len(set(held)) < len(held) or not set(wanted) <= set(held) or not wanted:
        at = f" after {steps} steps" if steps else ""
        raise ValueError(
            f"the runs in `nets` hold each seed of {task.model}{at} once; they hold {held or 'none'}, "
            f"and {wanted or 'any'} are asked for: name other runs, or train here"
        )
    check_seeds(wanted)
    by_seed = {net.seed: net for net in found}
    return [task.net(seed, common_nets.lay_out(by_seed[seed].module)) for seed in wanted]


def _length(recipe: Recipe, train: Examples, *, epochs: int, steps: int) -> tuple[Recipe, int]:
    """Fix how long dense nets are trained."""
    if steps < 0:
        raise ValueError(f"steps is a number of training steps, or 0 for whole passes; got {steps!r}")
    recipe = replace(recipe, epochs=epochs)
    return recipe, steps or epochs * -(-len(train) // recipe.batch_size)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """To which budgets nets are pruned, and after which they are retrained."""

    sparsities: tuple[float, ...]  # fractions of the weights to remove, measured one-shot
    retrained_sparsities: tuple[float, ...] = ()  # those retrained at
    retraining_steps: int = 0  # the same for all kinds
    scope: str = "global"
    scoring_batch: int = 50  # examples in a batch of gradients

    def __post_init__(self) -> None:
        """Refuse what is no plan."""
        for name in ("sparsities", "retrained_sparsities"):
            asked = getattr(self, name)
            if len(set(asked)) < len(asked) or not all(0 < one < 1 for one in asked):
                raise ValueError(
                    f"{name} are distinct fractions of the weights to remove, in (0, 1); got {list(asked)}"
                )
        if not self.sparsities and not self.retrained_sparsities:
            raise ValueError("kinds are compared at one budget or more; sparsities is empty")
        if self.retrained_sparsities and self.retraining_steps < 1:
            raise ValueError(f"retraining_steps is at least 1 where nets are retrained; got {self.retraining_steps!r}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """One measurement, with the weights behind it."""

    row: KindRow
    before: Mapping[str, Tensor]  # the unpruned net's
    masks: Mapping[str, Tensor]  # of weights, True = kept
    after: Mapping[str, Tensor]  # those of the net measured


def measured(
    task: Task,
    module: nn.Sequential,
    kinds: Sequence[str],
    plan: Plan,
    *,
    seed: int,
    strength: float = 0.0,
    progress: bool = False,
) -> Iterator[Seen]:
    """Prune one net by several kinds to every budget, measure it, retrain it where the plan says so, measure again.

    Retraining goes on without a penalty, the same steps on the same batches whatever the kind; what was removed stays
    so, which is asserted.

    Args:
        task: what the net was trained on.
        module: unpruned; not changed.
        kinds: those that prune a net trained like this one.
        plan: the budgets.
        seed: of the net.
        strength: of the penalty it was trained with.
        progress: show a progress bar.

    Yields:
        One measurement a kind and budget, and one more where it was retrained.

    Raises:
        ValueError: a retraining that diverged, or what pruning refuses.
    """
    dense, before = task.measure(module), prunable(module)
    named: dict[str, Any] = {"data": task.fit.data, "data_id": task.fit.data_id, "model": task.model, "seed": seed}
    named |= {"scope": plan.scope, "strength": strength}
    named |= {"dense_validation_error_percent": dense.validation, "dense_error_percent": dense.test}
    budgets = sorted({*plan.sparsities, *plan.retrained_sparsities})
    every = pruned(
        module,
        kinds,
        budgets,
        scoring=task.scoring,
        seed=seed,
        scope=plan.scope,
        batch_size=plan.scoring_batch,
    )
    bar = tqdm(
        every, total=len(kinds) * len(budgets), desc=f"{task.model}, seed {seed}", leave=False, disable=not progress
    )
    for one in bar:
        if one.sparsity_asked in plan.sparsities:
            yield _seen(task, one, before, named, retrained=False)
        if one.sparsity_asked in plan.retrained_sparsities:
            retrain(task, one, steps=plan.retraining_steps, seed=seed)
            yield _seen(task, one, before, named, retrained=True)


def retrain(task: Task, one: Pruned, *, steps: int, seed: int) -> None:
    """Train what is left of a pruned net, in place; what was removed stays so.

    Raises:
        ValueError: it diverged, or a removed weight came back.
    """
    batches = drawing(seed, "retraining")
    every = training(one.module, task.train, task.retraining, generator=batches, masks=one.masks, steps=steps)
    last = deque(every, maxlen=1).pop()
    if not math.isfinite(last):
        at = f"{one.kind} at {one.sparsity_asked:g}"
        raise ValueError(f"retraining diverged after pruning by {at}: lower the retraining rate")
    check(one.module, one.masks)


def one_shot(plan: Plan) -> Plan:
    """Leave the retraining out."""
    return replace(plan, retrained_sparsities=())


def retraining_alone(plan: Plan) -> Plan | None:
    """Leave what is measured one-shot out; None where nothing is left."""
    return replace(plan, sparsities=()) if plan.retrained_sparsities else None


def _seen(task: Task, one: Pruned, before: Mapping[str, Tensor], named: Mapping[str, Any], *, retrained: bool) -> Seen:
    masks = {name: one.masks[name] for name in before if name in one.masks}
    whole = count(before, masks)[-1]
    squares = {name: weight.double().square() for name, weight in before.items()}
    total = sum(float(square.sum()) for square in squares.values())
    removed = sum(float(squares[name][~mask.to(squares[name].device)].sum()) for name, mask in masks.items())
    errors = task.measure(one.module)
    row = KindRow(
        **named,
        kind=one.kind,
        retrained=retrained,
        sparsity_asked=one.sparsity_asked,
        weights=whole.weights,
        kept=whole.kept,
        sparsity=whole.sparsity,
        removed_squares_percent=100 * removed / total if total else 0.0,
        validation_error_percent=errors.validation,
        error_percent=errors.test,
    )
    after = {name: weight.clone() for name, weight in prunable(one.module).items()}
    return Seen(row=row, before=before, masks=masks, after=after)


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """The strength of a penalty, chosen by one net."""

    strength: float
    module: nn.Sequential  # trained with it
    seen: list[Seen]  # what was measured of it, one-shot
    tried: list[Tried]


def trained(
    task: Task, seed: int, *, penalty: Penalty = "none", strength: float = 0.0, progress: bool = True
) -> nn.Sequential:
    """Train one net from scratch; nets of one seed start alike and see the same batches, whatever their penalty.

    Args:
        task: data, spec and recipe.
        seed: of initialisation and order.
        penalty: "l1", "l2" or "none".
        strength: of the penalty, see `prunelab.train.Recipe`.
        progress: show a progress bar.

    Raises:
        ValueError: a training that diverged, or what training refuses.
    """
    settings: dict[str, Any] = {} if penalty == "none" else {penalty: strength}
    recipe = replace(task.recipe, **settings)
    generator = torch.Generator().manual_seed(seed)
    module = task.build(generator)
    steps = training(module, task.train, recipe, generator=generator, steps=task.steps)
    label = f"{task.model}, seed {seed}, {penalty} {strength:g}"
    bar = tqdm(steps, total=task.steps, desc=label, unit="step", leave=False, disable=not progress)
    last = deque(bar, maxlen=1).pop()
    if not math.isfinite(last):
        raise ValueError(f"training with {penalty} = {strength:g} diverged: lower it, or the learning rate")
    return module


def choose(
    task: Task, penalty: Penalty, strengths: Sequence[float], *, seed: int, plan: Plan, progress: bool = True
) -> Choice:
    """Choose the strength of a penalty by what its net still does when pruned, on the validation part.

    Each strength is tried with one seed. The net is pruned one-shot to every budget by magnitude; the mean error over
    the budgets decides, the weaker penalty where two are equal.

    Args:
        task: data, spec and recipe.
        penalty: "l1" or "l2".
        strengths: to choose from, each above 0.
        seed: of the nets tried.
        plan: the budgets.
        progress: show progress bars.

    Raises:
        ValueError: no strength, or one that is not above 0.
    """
    ordered = sorted(set(strengths))
    if not ordered or ordered[0] <= 0:
        raise ValueError(f"strengths of {penalty} to choose from are above 0; got {list(strengths)}")
    tries: list[tuple[float, nn.Sequential, list[Seen]]] = []
    for strength in ordered:
        module = trained(task, seed, penalty=penalty, strength=strength, progress=progress)
        seen = list(measured(task, module, [penalty], one_shot(plan), seed=seed, strength=strength, progress=progress))
        tries.append((float(np.mean([each.row.validation_error_percent for each in seen])), module, seen))
    best = min(range(len(tries)), key=lambda place: tries[place][0])
    tried = [
        Tried(
            data=task.fit.data,
            data_id=task.fit.data_id,
            model=task.model,
            penalty=penalty,
            strength=strength,
            seed=seed,
            validation_error_percent=error,
            dense_validation_error_percent=seen[0].row.dense_validation_error_percent,
            chosen=place == best,
        )
        for place, (strength, (error, _, seen)) in enumerate(zip(ordered, tries, strict=True))
    ]
    _, module, seen = tries[best]
    return Choice(strength=ordered[best], module=module, seen=seen, tried=tried)


WHICH = ("removed", "kept", "retrained")


BINS = 61  # an odd number: one bin is centred at zero


RANGE = 4.0  # root mean square weights on either side


def edges_of(weight_rms: float) -> NDArray[np.float64]:
    """Lay out bins for the weights of all kinds.

    Args:
        weight_rms: root mean square weight of the net trained without a penalty.
    """
    return np.linspace(-RANGE * weight_rms, RANGE * weight_rms, BINS + 1)


def counted(seen: Seen, edges: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Count the weights of one measurement bin by bin; those beyond the bins are left out.

    Args:
        seen: one-shot gives the weights removed and those kept, retrained those kept as they are afterwards.
        edges: of the bins, see `edges_of`.

    Returns:
        Rows with the columns of `WEIGHTS_COLUMNS`, and the seed.
    """
    row = seen.row
    kept = {name: seen.masks.get(name, torch.ones_like(own, dtype=torch.bool)) for name, own in seen.before.items()}
    if row.retrained:
        sides = {"retrained": [own[kept[name].to(own.device)] for name, own in seen.after.items()]}
    else:
        sides = {
            "removed": [own[~kept[name].to(own.device)] for name, own in seen.before.items()],
            "kept": [own[kept[name].to(own.device)] for name, own in seen.before.items()],
        }
    place = {
        name: getattr(row, name) for name in ("data", "data_id", "model", "kind", "scope", "sparsity_asked", "seed")
    }
    return [
        {**place, "which": which, "left": left, "right": right, "share_percent": 100 * int(number) / row.weights}
        for which, parts in sides.items()
        for left, right, number in zip(edges[:-1], edges[1:], _histogram(parts, edges), strict=True)
    ]


def weight_table(rows: Sequence[dict[str, Any]]) -> DataFrame:
    """Average the shares of `counted` over seeds; columns as `WEIGHTS_COLUMNS` says."""
    frame = DataFrame(rows)
    means = frame.groupby(["data_id", "right", *WEIGHTS_KEY], sort=False)["share_percent"].mean().reset_index()
    return means[list(WEIGHTS_COLUMNS)]


def _histogram(parts: Sequence[Tensor], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    values = torch.cat([part.flatten() for part in parts]).double().cpu().numpy()
    counts: NDArray[np.int64] = np.histogram(values, edges)[0]
    return counts


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What was measured of one net on one data set."""

    kinds: DataFrame
    tried: DataFrame | None  # strengths of penalties; None where no kind trains with one
    weights: DataFrame | None  # None where the budget to draw was not measured
    costs: DataFrame


def plain_nets(
    task: Task, runs: Sequence[str], seeds: Sequence[int], *, steps: int = 0, progress: bool = True
) -> list[Net]:
    """Open the nets trained without a penalty, or train them where no run is named.

    Args:
        task: what they are trained on.
        runs: folders of runs that stored them; empty to train here.
        seeds: those to take (all that the runs hold when empty), or to train.
        steps: of stored nets, training steps done; 0 for those stored at the end of whole passes.
        progress: show progress bars.

    Raises:
        ValueError: what `stored` and `check_seeds` refuse.
    """
    if runs:
        return stored(task, runs, seeds, steps=steps)
    check_seeds(seeds)
    return [task.net(seed, trained(task, seed, progress=progress)) for seed in seeds]


def compare(
    task: Task,
    nets: Sequence[Net],
    *,
    kinds: Sequence[str],
    plan: Plan,
    strengths: Mapping[str, Sequence[float]],
    drawn: float,
    progress: bool = True,
) -> Comparison:
    """Prune nets by every kind to every budget; measure them one-shot and, where the plan says so, retrained.

    Kinds that penalise train nets of their own from the same seeds; the strength is chosen with the first.

    Args:
        task: what the nets were trained on.
        nets: trained without a penalty, one a seed.
        kinds: of `KINDS`.
        plan: budgets, retraining and scope.
        strengths: "l1" and "l2" -> strengths to choose from.
        drawn: the budget at which weights are counted in bins.
        progress: show progress bars.

    Raises:
        ValueError: an unknown kind, no net, a diverged training, or what pruning refuses.
    """
    check_names("kind", kinds)
    check_seeds([net.seed for net in nets])
    gathered = _Gathered(drawn=drawn, edges=edges_of(nets[0].weight_rms))
    plain = [kind for kind in kinds if KINDS[kind].penalty == "none"]
    for net in nets if plain else []:
        gathered.add(measured(task, net.module, plain, plan, seed=net.seed, progress=progress))
    tried: list[Tried] = []
    for penalty in _penalties(kinds):
        choice = choose(task, penalty, strengths.get(penalty, ()), seed=nets[0].seed, plan=plan, progress=progress)
        tried += choice.tried
        gathered.add(choice.seen)
        settings: dict[str, Any] = {"strength": choice.strength, "progress": progress}
        for place, net in enumerate(nets):
            module = trained(task, net.seed, penalty=penalty, **settings) if place else choice.module
            # What is left of the net tried: it has been measured one-shot.
            if left := plan if place else retraining_alone(plan):
                gathered.add(measured(task, module, [penalty], left, seed=net.seed, **settings))
    return Comparison(
        kinds=_sorted(to_frame(gathered.rows, KINDS_KEY), kinds),
        tried=to_frame(tried, TRIED_KEY) if tried else None,
        weights=weight_table(gathered.bins) if gathered.bins else None,
        costs=costs(task, kinds, plan, tried),
    )


def costs(task: Task, kinds: Sequence[str], plan: Plan, tried: Sequence[Tried]) -> DataFrame:
    """Count what each kind needs, in passes over the training part; columns as `COSTS_COLUMNS` says."""
    share, training = len(task.scoring) / len(task.train), task.steps / task.pass_steps
    rows = []
    for name in kinds:
        kind = KINDS[name]
        others = sum(one.penalty == kind.penalty for one in tried) - 1
        penalised = kind.penalty != "none"
        rows.append(
            Cost(
                data=task.fit.data,
                data_id=task.fit.data_id,
                model=task.model,
                kind=name,
                removes="whole units" if kind.units else "single weights",
                ranks_by=kind.ranks_by,
                forward_passes=share if kind.forward and not kind.backward else 0.0,
                gradient_passes=share if kind.backward else 0.0,
                training_passes=training if penalised else 0.0,
                choosing_passes=others * training if penalised else 0.0,
                retraining_passes=plan.retraining_steps / task.pass_steps if plan.retrained_sparsities else 0.0,
            )
        )
    return to_frame(rows, COSTS_KEY)[list(COSTS_COLUMNS)]


class _Gathered:
    """Rows and weights in bins, as nets are measured one after another."""

    def __init__(self, *, drawn: float, edges: Any) -> None:
        self.rows: list[KindRow] = []
        self.bins: list[dict[str, Any]] = []
        self._drawn, self._edges = drawn, edges

    def add(self, every: Iterable[Seen]) -> None:
        for seen in every:
            self.rows.append(seen.row)
            if seen.row.sparsity_asked == self._drawn:
                self.bins += counted(seen, self._edges)


def _penalties(kinds: Sequence[str]) -> list[Penalty]:
    wanted = {KINDS[kind].penalty for kind in kinds}
    return [penalty for penalty in get_args(Penalty) if penalty in wanted and penalty != "none"]


def _sorted(rows: DataFrame, kinds: Sequence[str]) -> DataFrame:
    """Order the rows by kind as asked, then one-shot before retrained, by budget and by seed."""
    places = {kind: place for place, kind in enumerate(kinds)}
    order = ["kind", "retrained", "sparsity_asked", "seed"]
    ordered = rows.sort_values(order, key=lambda own: own.map(places) if own.name == "kind" else own, kind="stable")
    return ordered[list(KINDS_COLUMNS)].reset_index(drop=True)
