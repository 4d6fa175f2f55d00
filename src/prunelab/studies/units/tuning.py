"""Experiments 4, 9 and 11 of the mean-replacement study: what is left of a penalty after some steps of tuning."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

from pandas import DataFrame
from torch import Tensor, nn
from tqdm import tqdm

from prunelab.data import Images, Split
from prunelab.measure import Evaluation, evaluate
from prunelab.pruning import check
from prunelab.pruning.unit_removal import lowest, shrink, take_out
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import sites
from prunelab.records import to_frame
from prunelab.studies.common.nets import Net, copied, draws, lay_out, open_nets
from prunelab.studies.common.units import ALL, REPLACEMENTS, Subsets, check_scores, subsets
from prunelab.studies.units.tables import (
    FINE_TUNED_COLUMNS,
    FINE_TUNED_KEY,
    ITERATIVE_COLUMNS,
    ITERATIVE_KEY,
    NOTHING,
    NOWHERE,
    FineTuned,
    Iterative,
)
from prunelab.studies.units.trajectory import Plan, trajectories
from prunelab.train import Recipe, training

_SMALL = ("conv-10k3p-20k3-40",)  # trained where neither runs nor models are named


_NAMES = ("model", "seed", "step")  # what tells stored nets apart


def checkpoints(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    steps: Sequence[int],
    recipe: Recipe,
    device: str = "cpu",
    progress: bool = True,
) -> list[Net]:
    """Open nets that other runs stored along their training, or train small ones where no run is named.

    Args:
        runs: folders of runs that hold nets with the iterations they had done; empty to train here.
        images: what the nets were trained on, as `units_settings.load` gives it.
        models: specs to take, all that the runs hold when empty; without runs, specs to train.
        seeds: seeds to take, all when empty; without runs, seeds to train, at least one.
        steps: iterations done of the nets to take, all when empty; without runs, when to store, at least one.
        recipe: without runs, how to train.
        device: where the nets go.
        progress: show progress bars.

    Returns:
        One net a model, seed and step.

    Raises:
        ValueError: a model, seed or step that the runs lack, one net stored twice, nothing to train, a training that
            diverged, or what `open_nets` refuses.
    """
    if not runs:
        if not steps or min(steps) < 1:
            raise ValueError(f"nets are stored along their training after 1 step or more; got steps={list(steps)}")
        last = max(steps)
        # What a trajectory measures on its way is not wanted here: one look at the end, on one example.
        idle: dict[str, Any] = {"all_every": 0, "fraction": 0.1, "scores": ("random",), "squares_layer": ""}
        plan = Plan(iterations=last, every=last, choose_every=last, store=tuple(steps), **idle)
        settings: dict[str, Any] = {"seeds": seeds, "recipe": recipe, "plan": plan, "progress": progress}
        return [
            net
            for model in dict.fromkeys(models or _SMALL)
            for net in trajectories(images, model=model, scoring=1, examples=1, **settings).nets
        ]
    stored = open_nets(runs, images, models=(), seeds=(), epochs=1, device=device)
    unpruned = [net for net in stored if net.step is not None and not net.pruning]
    found = [(net.model, net.seed, net.step) for net in unpruned]
    if len(set(found)) < len(found):
        raise ValueError(f"a model, seed and step name one net; {list(runs)} hold some twice: name one run of them")
    # None stands for any; every model is to have the seeds and steps that are asked for.
    given: list[Sequence[object]] = [models or list(dict.fromkeys(net.model for net in unpruned)), seeds, steps]
    asked = list(product(*(values or [None] for values in given)))
    for wanted in asked:
        if not any(_fits(key, wanted) for key in found):
            named = ", ".join(f"{what} {one}" for what, one in zip(_NAMES, wanted, strict=True) if one is not None)
            raise ValueError(
                "units are removed from unpruned nets stored along their training, and the runs hold (model, seed, "
                f"step) {found or 'none'}; got none of {named or 'any model'}: store it, or leave it out"
            )
    return [net for net, key in zip(unpruned, found, strict=True) if any(_fits(key, wanted) for wanted in asked)]


def fine_tune(
    nets: Sequence[Net],
    images: Images,
    *,
    scores: Sequence[str],
    layers: Sequence[str],
    fraction: float,
    recipe: Recipe,
    tuning_steps: Sequence[int] = (10, 100, 500),
    scoring: int,
    examples: int,
    sequential: bool = False,
    progress: bool = True,
) -> DataFrame:
    """Remove units from every net, zeroed and replaced by their mean, and measure the loss as the rest is tuned.

    Every variant of a net sees the same batches. Where two scores choose the same units they are tuned once.

    Args:
        nets: unpruned, with the iterations they have done; left as they are.
        images: what they were trained on, as `units_settings.load` gives it.
        scores: of `prunelab.pruning.unit_scores.SCORES`; measured once a net.
        layers: sites whose units are removed, one at a time; "all" for every site at once.
        fraction: of each layer's units, (0, 1); see `lowest`.
        recipe: optimizer and rate of the tuning, which starts with new momentum.
        tuning_steps: when to measure, besides right after the removal (0).
        scoring: examples of the training part to score units on.
        examples: examples of the training and of the test part to measure losses on.
        sequential: as in `take_out`, for "all".
        progress: show a progress bar.

    Returns:
        Columns `FINE_TUNED_COLUMNS`: for every net each layer, score and replacement, and the control, the unpruned
        net tuned alike, whose score is "nothing" and whose layer and replacement are "none".

    Raises:
        ValueError: a net that is pruned or does not say its step, a layer it does not have, settings out of range, or
            a tuning that diverged.
    """
    check_scores(scores)
    _check(nets, layers, fraction, tuning_steps)
    fixed, train = subsets(images, scoring=scoring, examples=examples), images.train
    variants = [(NOWHERE, NOTHING, "none"), *product(layers, scores, REPLACEMENTS)]
    rows: list[FineTuned] = []
    for net in nets:
        whole = copied(net, train)
        named: dict[str, Any] = {name: getattr(net, name) for name in ("data", "data_id", "model", "seed", "step")}
        measured = measure_units(whole, fixed.scoring.x, fixed.scoring.y, generator=draws(net))
        before = evaluated(whole, fixed.parts)
        tuned: dict[tuple[object, ...], dict[int, dict[str, Evaluation]]] = {}
        label = f"fine-tune {net.model}, seed {net.seed}, step {net.step}"
        for layer, score, replacement in tqdm(variants, desc=label, unit="net", leave=False, disable=not progress):
            chosen = list(measured) if layer == ALL else [layer] if layer in measured else []
            gone = {name: lowest(measured[name].scores[score], fraction) for name in chosen}
            key = (replacement, *((name, *flags.tolist()) for name, flags in gone.items()))
            if key not in tuned:
                pruned = copy.deepcopy(whole)
                again = fixed.scoring if sequential else None
                masks = take_out(pruned, gone, measured, replacement=replacement, again=again)
                tuned[key] = {0: evaluated(pruned, fixed.parts)}
                batches = draws(net, "tuning")
                steps = training(pruned, train, recipe, generator=batches, masks=masks, steps=max(tuning_steps))
                for done, _ in enumerate(steps, start=1):
                    if done in tuning_steps:
                        tuned[key][done] = evaluated(pruned, fixed.parts)
                check(pruned, masks)
            removal: dict[str, Any] = {"layer": layer, "score": score, "replacement": replacement}
            for (done, parts), part in product(tuned[key].items(), fixed.parts):
                loss = before[part].loss
                measurement: dict[str, Any] = {"part": part, "loss": loss, "penalty": parts[part].loss - loss}
                rows.append(FineTuned(**named, **removal, tuning_steps=done, **measurement))
    return to_frame(rows, FINE_TUNED_KEY)[list(FINE_TUNED_COLUMNS)]


def evaluated(model: nn.Module, parts: Mapping[str, Split]) -> dict[str, Evaluation]:
    """Measure a net on every part.

    Raises:
        ValueError: a loss is not finite.
    """
    found = {part: evaluate(model, split) for part, split in parts.items()}
    if odd := [f"{one.loss} on {part}" for part, one in found.items() if not math.isfinite(one.loss)]:
        raise ValueError(f"tuning diverged: the loss is {odd[0]} examples; lower learning_rate")
    return found


def _fits(key: tuple[object, ...], wanted: tuple[object, ...]) -> bool:
    return all(one is None or one == held for one, held in zip(wanted, key, strict=True))


def _check(nets: Sequence[Net], layers: Sequence[str], fraction: float, tuning_steps: Sequence[int]) -> None:
    if not nets or not layers or len(set(layers)) != len(layers):
        raise ValueError(f"units are removed from nets, in layers named once; got {len(nets)} nets, {list(layers)}")
    for net in nets:
        if net.pruning or net.step is None:
            raise ValueError(
                f"fine-tuning starts from unpruned nets that say how long they were trained; {net.model}, seed "
                f"{net.seed}, has pruning {net.pruning!r} and step {net.step}"
            )
        known = [*sites(net.module), ALL]
        if odd := [layer for layer in layers if layer not in known]:
            raise ValueError(f"layers of {net.model} whose units can be removed are {', '.join(known)}; got {odd[0]!r}")
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is the part of a layer's units to remove, in (0, 1); got {fraction!r}")
    if not tuning_steps or min(tuning_steps) < 1 or len(set(tuning_steps)) != len(tuning_steps):
        raise ValueError(f"tuning_steps are distinct and each at least 1; got {list(tuning_steps)}")


IN_ROUNDS, ONE_SHOT, ONE_SHOT_TUNED = SCHEDULES = ("iterative", "one shot", "one shot, tuned")


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How much is removed when, and how long is trained between."""

    fraction: float  # of each layer's original units, removed in a round, (0, 1)
    measured: tuple[float, ...]  # fractions removed at which nets are measured, whole numbers of rounds, [0, 1)
    tuning_steps: int  # training iterations behind each round

    def __post_init__(self) -> None:
        """Refuse what is no whole number of rounds."""
        if not 0 < self.fraction < 1:
            raise ValueError(f"fraction is the part of a layer's units that a round removes, in (0, 1); got {self!r}")
        for part in self.measured:
            if not 0 <= part < 1 or abs(round(part / self.fraction) * self.fraction - part) > 1e-9:
                raise ValueError(
                    f"measured are fractions removed after a whole number of rounds of {self.fraction:g}, in [0, 1); "
                    f"got {part!r}"
                )
        if not self.measured or len(set(self.places)) < len(self.measured):
            raise ValueError(f"measured names fractions of the units, each once; got {list(self.measured)}")
        if self.tuning_steps < 1:
            raise ValueError(f"tuning_steps is at least 1, behind each round; got {self.tuning_steps!r}")

    @property
    def places(self) -> list[int]:
        """Rounds after which nets are measured, in ascending order."""
        return sorted(round(part / self.fraction) for part in self.measured)

    def left(self, units: Mapping[str, int], rounds: int) -> dict[str, int]:
        """Count each layer's units left after some rounds: the removed ones are rounded, and one is always left."""
        return {name: max(count - round(rounds * self.fraction * count), 1) for name, count in units.items()}

    def percent(self, rounds: int) -> float:
        """Give the share of the units removed by some rounds."""
        return round(100 * rounds * self.fraction, 8)


def iterate(
    nets: Sequence[Net],
    images: Images,
    *,
    scores: Sequence[str],
    replacements: Sequence[str] = REPLACEMENTS,
    rounds: Rounds,
    recipe: Recipe,
    scoring: int,
    examples: int,
    sequential: bool = False,
    progress: bool = True,
) -> DataFrame:
    """Remove units of all layers in rounds, and in one shot, and measure what the nets then lose.

    In rounds the units are scored anew each time on the net as it is. Removed units are gone: the net shrinks, which
    trains as the net with masks would, and faster. Every method of a net sees the same batches, and one shot of one
    round, tuned, is the first round.

    Args:
        nets: unpruned, one a model and seed; left as they are.
        images: what they were trained on, as `units_settings.load` gives it.
        scores: of `prunelab.pruning.unit_scores.SCORES`; also "nothing", a control that is tuned as often and loses no
            unit.
        replacements: of "none" (zeroed) and "mean" (their mean activation carried to the next biases).
        rounds: how much is removed when.
        recipe: optimizer and rate of the tuning, which starts with new momentum in every round.
        scoring: examples of the training part to score units on.
        examples: examples of the training and of the test part to measure on.
        sequential: as in `take_out`.
        progress: show a progress bar.

    Returns:
        Columns `ITERATIVE_COLUMNS`.

    Raises:
        ValueError: a net that is pruned, two of a model and seed, settings out of range, or a tuning that diverged.
    """
    check_scores(scores, also=(NOTHING,))
    _iterative_check(nets, replacements)
    bench = _Bench(
        fixed=subsets(images, scoring=scoring, examples=examples),
        train=images.train,
        rounds=rounds,
        recipe=recipe,
        sequential=sequential,
    )
    methods = [pair for pair in product(scores, replacements) if pair[0] != NOTHING]
    methods += [(NOTHING, "none")] if NOTHING in scores else []
    rows: list[Iterative] = []
    for net in nets:
        named: dict[str, Any] = {"data": net.data, "data_id": net.data_id, "model": net.model, "seed": net.seed}
        whole = copied(net, bench.train)
        measured = measure_units(whole, bench.fixed.scoring.x, bench.fixed.scoring.y, generator=draws(net))
        units = {name: len(site.mean) for name, site in measured.items()}
        tuned: dict[tuple[object, ...], tuple[_Found, _Found]] = {}  # where two scores choose alike, they are one net
        for score, replacement in methods:
            steps = _in_rounds(net, whole, measured, score, replacement, bench)
            label = f"{net.model}, seed {net.seed}, {score}, {replacement}"
            bar = tqdm(steps, total=rounds.places[-1] + 1, desc=label, unit="round", leave=False, disable=not progress)
            found = {
                (IN_ROUNDS, done): evaluated(each, bench.fixed.parts) for done, each in bar if done in rounds.places
            }
            for done in rounds.places:
                gone = _chosen(measured, score, rounds.left(units, done))
                key = (replacement if gone else "", *((name, *flags.tolist()) for name, flags in gone.items()))
                if key not in tuned:
                    tuned[key] = _at_once(net, whole, measured, gone, replacement, bench)
                found[ONE_SHOT, done], found[ONE_SHOT_TUNED, done] = tuned[key]
            for schedule, done, part in product(SCHEDULES, rounds.places, bench.fixed.parts):
                rows.append(
                    Iterative(
                        **named,
                        schedule=schedule,
                        score=score,
                        replacement=replacement,
                        removed_percent=rounds.percent(done),
                        part=part,
                        loss=found[schedule, done][part].loss,
                        accuracy_percent=100 * found[schedule, done][part].accuracy,
                    )
                )
    return to_frame(rows, ITERATIVE_KEY)[list(ITERATIVE_COLUMNS)]


_Found = dict[str, Evaluation]  # part -> what was measured on it


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bench:
    """What all nets of a study are pruned, tuned and measured with."""

    fixed: Subsets
    train: Split
    rounds: Rounds
    recipe: Recipe
    sequential: bool


def _in_rounds(
    net: Net, module: nn.Sequential, measured: Mapping[str, Measured], score: str, replacement: str, bench: _Bench
) -> Iterator[tuple[int, nn.Sequential]]:
    """Prune and tune a net round by round; give it after each, with the number of rounds done, and first as it is."""
    yield 0, module
    units = {name: len(site.mean) for name, site in measured.items()}
    now = units
    for done in range(1, bench.rounds.places[-1] + 1):
        left = bench.rounds.left(units, done)
        gone: dict[str, Tensor] = {}
        if left != now and score != NOTHING:  # else no unit is due, and scores would be measured for nothing
            if done > 1:
                scoring, random = bench.fixed.scoring, draws(net, f"round {done}")
                measured = measure_units(module, scoring.x, scoring.y, generator=random)
            gone, now = _chosen(measured, score, left), left
        module = _without(module, measured, gone, replacement, bench)
        _tune(net, module, done, bench)
        yield done, module


def _at_once(
    net: Net,
    module: nn.Sequential,
    measured: Mapping[str, Measured],
    gone: Mapping[str, Tensor],
    replacement: str,
    bench: _Bench,
) -> tuple[_Found, _Found]:
    """Measure a net right after units are removed, and after the tuning of one round."""
    pruned = _without(module, measured, gone, replacement, bench)
    before = evaluated(pruned, bench.fixed.parts)
    _tune(net, pruned, 1, bench)
    return before, evaluated(pruned, bench.fixed.parts)


def _chosen(measured: Mapping[str, Measured], score: str, left: Mapping[str, int]) -> dict[str, Tensor]:
    """Choose the units to remove so that so many are left, site -> (U,) bool; sites that lose none are absent."""
    if score == NOTHING:
        return {}
    due = {name: len(site.mean) - left[name] for name, site in measured.items()}
    return {
        name: lowest(site.scores[score], due[name] / len(site.mean)) for name, site in measured.items() if due[name]
    }


def _without(
    module: nn.Sequential,
    measured: Mapping[str, Measured],
    gone: Mapping[str, Tensor],
    replacement: str,
    bench: _Bench,
) -> nn.Sequential:
    """Copy a net without some units; with none to remove the copy is whole."""
    pruned = copy.deepcopy(module)
    take_out(pruned, gone, measured, replacement=replacement, again=bench.fixed.scoring if bench.sequential else None)
    return lay_out(cast(nn.Sequential, shrink(pruned, gone)))


def _tune(net: Net, module: nn.Sequential, done: int, bench: _Bench) -> None:
    """Train on in place, as behind one round; the batches depend on the net and the number of the round alone."""
    batches = draws(net, f"tuning {done}")
    for _ in training(module, bench.train, bench.recipe, generator=batches, steps=bench.rounds.tuning_steps):
        pass


def _iterative_check(nets: Sequence[Net], replacements: Sequence[str]) -> None:
    named = [(net.data_id, net.model, net.seed) for net in nets]
    if not nets or len(set(named)) < len(named) or any(net.pruning for net in nets):
        found = ", ".join(
            f"{net.model} of seed {net.seed} after {net.step} steps {net.pruning}".strip() for net in nets
        )
        raise ValueError(f"rounds start from unpruned nets, one a model and seed; got {found or 'none'}")
    if not replacements or len(set(replacements)) < len(replacements) or not set(replacements) <= set(REPLACEMENTS):
        raise ValueError(f"replacements are some of {', '.join(REPLACEMENTS)}, each once; got {list(replacements)}")
