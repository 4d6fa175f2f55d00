"""What is left of a penalty after some steps of tuning, and pruning in rounds against one shot."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated as A
from typing import Any, cast

from pandas import DataFrame
from torch import Tensor, nn
from tqdm import tqdm

from prunelab import parts
from prunelab.data import Images, Split
from prunelab.measure import Evaluation, evaluate
from prunelab.pruning import check
from prunelab.pruning.unit_removal import lowest, shrink, take_out
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import sites
from prunelab.studies.common.nets import Net, OfNet, copied, draws, lay_out
from prunelab.studies.common.units import ALL, REPLACEMENTS, Subsets, check_scores, subsets
from prunelab.train import Recipe, training

NOTHING = "nothing"  # in `score`: the control, nets tuned alike with all their units
NOWHERE = "none"  # in `layer`: of the control
IN_ROUNDS, ONE_SHOT, ONE_SHOT_TUNED = SCHEDULES = ("iterative", "one shot", "one shot, tuned")

_Found = dict[str, Evaluation]  # part -> what was measured on it

_Replacement = A[
    str,
    "what stands for the removed units. none: set to zero; mean: their mean activation carried to the next biases",
]
_Part = A[
    str,
    "train: a fixed subset of the training part, none of it scored on; test: a fixed subset of the test part",
]


class _Tuned(OfNet):
    """A net that is tuned."""

    seed: A[int, "seed of the net, and of the order of the examples it is tuned on"]


class FineTuned(_Tuned, key="data model seed step layer score replacement tuning_steps part"):
    """One removal from one net, after some steps of tuning, measured on one part."""

    step: A[int, "training iterations done before the removal"]
    layer: A[str, f"layer whose units were removed; all: every one at once; {NOWHERE}: of the control"]
    score: A[str, f"how the units were chosen; {NOTHING}: the control, none removed and tuned alike"]
    replacement: _Replacement
    tuning_steps: A[int, "training iterations done since the removal, with the units kept out"]
    part: _Part
    loss: A[float, "mean cross-entropy of the net before the removal [nats]"]
    penalty: A[float, "mean cross-entropy after removal and tuning minus that before both [nats]"]


class Iterative(_Tuned, key="data model seed schedule score replacement removed_percent part"):
    """One net with some share of its units removed in one way, measured on one part."""

    schedule: A[
        str,
        "iterative: removed in rounds with tuning behind each, scored anew; one shot: removed at once, no tuning; "
        "one shot, tuned: removed at once, then the tuning of one round",
    ]
    score: A[str, f"how the units were chosen; {NOTHING}: the control, tuned as often with none removed"]
    replacement: _Replacement
    removed_percent: A[
        float,
        "share of each layer's units removed, to the nearest unit; of the control that of the nets it stands beside "
        "[%]",
    ]
    part: _Part
    loss: A[float, "mean cross-entropy [nats]"]
    accuracy_percent: A[float, "accuracy [%]"]


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
) -> DataFrame:
    """Remove units from every net, zeroed and replaced by their mean, and measure the loss as the rest is tuned.

    Every variant of a net sees the same batches. Where two scores choose the same units they are tuned once.

    Args:
        nets: unpruned, with the iterations they have done; left as they are.
        images: what they were trained on.
        scores: that choose the units; measured once a net, on `scoring` examples of the training part.
        layers: sites whose units are removed, one at a time; "all" for every site at once.
        fraction: of each layer's units, (0, 1); see `lowest`.
        recipe: of the tuning, which starts with new momentum.
        tuning_steps: when to measure, besides right after the removal (0).
        scoring: see scores.
        examples: of each part to measure losses on.
        sequential: of "all", whether means are measured anew for each layer, as `again` in `take_out`.
    """
    check_scores(scores)
    _check(nets, layers, fraction, tuning_steps)
    return parts.each(
        _tune_one,
        nets,
        label="fine-tune",
        images=images,
        fixed=subsets(images, scoring=scoring, examples=examples),
        variants=[(NOWHERE, NOTHING, "none"), *product(layers, scores, REPLACEMENTS)],
        fraction=fraction,
        recipe=recipe,
        tuning_steps=tuning_steps,
        sequential=sequential,
    )[FineTuned]


def _tune_one(
    net: Net,
    images: Images,
    fixed: Subsets,
    variants: Sequence[tuple[str, str, str]],
    fraction: float,
    recipe: Recipe,
    tuning_steps: Sequence[int],
    sequential: bool,
) -> Iterator[FineTuned]:
    whole = copied(net, images.train)
    measured = measure_units(whole, fixed.scoring.x, fixed.scoring.y, generator=draws(net))
    before = evaluated(whole, fixed)
    tuned: dict[tuple[object, ...], dict[int, _Found]] = {}
    label = f"{net.model}, seed {net.seed}, step {net.step}"
    for layer, score, replacement in tqdm(variants, desc=label, unit="net", leave=False):
        chosen = list(measured) if layer == ALL else [layer] if layer in measured else []
        gone = {name: lowest(measured[name].scores[score], fraction) for name in chosen}
        if (key := _key(replacement, gone)) not in tuned:
            pruned = copy.deepcopy(whole)
            again = fixed.scoring if sequential else None
            masks = take_out(pruned, gone, measured, replacement=replacement, again=again)
            tuned[key] = {0: evaluated(pruned, fixed)}
            settings: dict[str, Any] = {"generator": draws(net, "tuning"), "masks": masks}
            steps = training(pruned, images.train, recipe, steps=max(tuning_steps), **settings)
            for done, _ in enumerate(steps, start=1):
                if done in tuning_steps:
                    tuned[key][done] = evaluated(pruned, fixed)
            check(pruned, masks)
        variant: dict[str, Any] = {"step": net.step, "layer": layer, "score": score, "replacement": replacement}
        for (done, found), part in product(tuned[key].items(), fixed.parts):
            loss = before[part].loss
            measured_at: dict[str, Any] = {"tuning_steps": done, "part": part, "loss": loss}
            yield FineTuned(**net.names, **variant, **measured_at, penalty=found[part].loss - loss)


def evaluated(model: nn.Module, fixed: Subsets) -> _Found:
    """Measure a net on every part, and refuse one that diverged."""
    found = {part: evaluate(model, split) for part, split in fixed.parts.items()}
    if odd := [f"{one.loss} on {part}" for part, one in found.items() if not math.isfinite(one.loss)]:
        raise ValueError(f"tuning diverged: the loss is {odd[0]} examples; lower learning_rate")
    return found


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
) -> DataFrame:
    """Remove units of all layers in rounds, and in one shot, and measure what the nets then lose.

    In rounds the units are scored anew each time on the net as it is. Removed units are gone: the net shrinks, which
    trains as the net with masks would, and faster. Every method of a net sees the same batches, and one shot of one
    round, tuned, is the first round. All is given as for `fine_tune`, one net a model and seed; the score "nothing" is
    a control that is tuned as often and loses no unit.
    """
    check_scores(scores, also=(NOTHING,))
    _check_iterative(nets, replacements)
    methods = [pair for pair in product(scores, replacements) if pair[0] != NOTHING]
    return parts.each(
        _iterate_one,
        nets,
        label="in rounds and at once",
        fixed=subsets(images, scoring=scoring, examples=examples),
        train=images.train,
        rounds=rounds,
        recipe=recipe,
        sequential=sequential,
        methods=[*methods, (NOTHING, "none")] if NOTHING in scores else methods,
    )[Iterative]


def _iterate_one(
    net: Net,
    fixed: Subsets,
    train: Split,
    rounds: Rounds,
    recipe: Recipe,
    sequential: bool,
    methods: Sequence[tuple[str, str]],
) -> Iterator[Iterative]:
    bench = _Bench(net=net, fixed=fixed, train=train, rounds=rounds, recipe=recipe, sequential=sequential)
    whole = copied(net, train)
    measured = bench.score(whole)
    units = {name: len(site.mean) for name, site in measured.items()}
    tuned: dict[tuple[object, ...], tuple[_Found, _Found]] = {}  # where two scores choose alike, they are one net
    for score, replacement in methods:
        steps = bench.in_rounds(whole, measured, score, replacement)
        label = f"{net.model}, seed {net.seed}, {score}, {replacement}"
        bar = tqdm(steps, total=rounds.places[-1] + 1, desc=label, unit="round", leave=False)
        found = {(IN_ROUNDS, done): evaluated(each, fixed) for done, each in bar if done in rounds.places}
        for done in rounds.places:
            gone = _chosen(measured, score, rounds.left(units, done))
            if (key := _key(replacement if gone else "", gone)) not in tuned:
                tuned[key] = bench.at_once(whole, measured, gone, replacement)
            found[ONE_SHOT, done], found[ONE_SHOT_TUNED, done] = tuned[key]
        method: dict[str, Any] = {**net.names, "score": score, "replacement": replacement}
        for schedule, done, part in product(SCHEDULES, rounds.places, fixed.parts):
            at: dict[str, Any] = {"schedule": schedule, "removed_percent": rounds.percent(done), "part": part}
            one = found[schedule, done][part]
            yield Iterative(**method, **at, loss=one.loss, accuracy_percent=100 * one.accuracy)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bench:
    """What one net is pruned, tuned and measured with."""

    net: Net
    fixed: Subsets
    train: Split
    rounds: Rounds
    recipe: Recipe
    sequential: bool

    def score(self, module: nn.Sequential, use: str = "") -> dict[str, Measured]:
        return measure_units(module, self.fixed.scoring.x, self.fixed.scoring.y, generator=draws(self.net, use))

    def in_rounds(
        self, module: nn.Sequential, measured: Mapping[str, Measured], score: str, replacement: str
    ) -> Iterator[tuple[int, nn.Sequential]]:
        """Prune and tune a net round by round; give it after each, with the rounds done, and first as it is."""
        yield 0, module
        now = units = {name: len(site.mean) for name, site in measured.items()}
        for done in range(1, self.rounds.places[-1] + 1):
            left = self.rounds.left(units, done)
            gone: dict[str, Tensor] = {}
            if left != now and score != NOTHING:  # else no unit is due, and scores would be measured for nothing
                measured = self.score(module, f"round {done}") if done > 1 else measured
                gone, now = _chosen(measured, score, left), left
            module = self.without(module, measured, gone, replacement)
            self.tune(module, done)
            yield done, module

    def at_once(
        self, module: nn.Sequential, measured: Mapping[str, Measured], gone: Mapping[str, Tensor], replacement: str
    ) -> tuple[_Found, _Found]:
        """Measure a net right after units are removed, and after the tuning of one round."""
        pruned = self.without(module, measured, gone, replacement)
        before = evaluated(pruned, self.fixed)
        self.tune(pruned, 1)
        return before, evaluated(pruned, self.fixed)

    def without(
        self, module: nn.Sequential, measured: Mapping[str, Measured], gone: Mapping[str, Tensor], replacement: str
    ) -> nn.Sequential:
        """Copy a net without some units; with none to remove the copy is whole."""
        pruned = copy.deepcopy(module)
        take_out(pruned, gone, measured, replacement=replacement, again=self.fixed.scoring if self.sequential else None)
        return lay_out(cast(nn.Sequential, shrink(pruned, gone)))

    def tune(self, module: nn.Sequential, done: int) -> None:
        """Train on in place, as behind a round; the batches depend on the net and the number of the round alone."""
        batches = draws(self.net, f"tuning {done}")
        for _ in training(module, self.train, self.recipe, generator=batches, steps=self.rounds.tuning_steps):
            pass


def _chosen(measured: Mapping[str, Measured], score: str, left: Mapping[str, int]) -> dict[str, Tensor]:
    """Choose the units to remove so that so many are left, site -> (U,) bool; sites that lose none are absent."""
    if score == NOTHING:
        return {}
    due = {name: len(site.mean) - left[name] for name, site in measured.items()}
    return {
        name: lowest(site.scores[score], due[name] / len(site.mean)) for name, site in measured.items() if due[name]
    }


def _key(replacement: str, gone: Mapping[str, Tensor]) -> tuple[object, ...]:
    return replacement, *((name, *flags.tolist()) for name, flags in gone.items())


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


def _check_iterative(nets: Sequence[Net], replacements: Sequence[str]) -> None:
    named = [(net.data_id, net.model, net.seed) for net in nets]
    if not nets or len(set(named)) < len(named) or any(net.pruning for net in nets):
        found = ", ".join(
            f"{net.model} of seed {net.seed} after {net.step} steps {net.pruning}".strip() for net in nets
        )
        raise ValueError(f"rounds start from unpruned nets, one a model and seed; got {found or 'none'}")
    if not replacements or len(set(replacements)) < len(replacements) or not set(replacements) <= set(REPLACEMENTS):
        raise ValueError(f"replacements are some of {', '.join(REPLACEMENTS)}, each once; got {list(replacements)}")
