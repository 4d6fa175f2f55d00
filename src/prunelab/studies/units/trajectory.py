"""Penalties along training: at every checkpoint each layer is pruned on the side, and the training goes on unpruned."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated as A
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from prunelab import parts
from prunelab.data import Images
from prunelab.measure import evaluate
from prunelab.measure.penalty import Probe
from prunelab.pruning.unit_removal import lowest, remove, shift
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import sites
from prunelab.studies.common.nets import Fit, Net, OfNet, open_one
from prunelab.studies.common.units import ALL, REPLACEMENTS, Subsets, check_scores, fresh, refuse_divergence, subsets
from prunelab.tables import Table
from prunelab.train import Recipe, check_rules, check_seeds, training


class _Checkpoint(OfNet):
    """A net in training."""

    step: A[int, "training iterations done"]


class Penalty(_Checkpoint, key="data model seed step layer score replacement part", name="penalties"):
    """One removal from one net, measured on one part."""

    layer: A[str, "layer whose units were removed, or all"]
    score: A[str, "how the units were chosen; of each layer those with the lowest scores"]
    replacement: A[str, "none: zeroed; mean: their mean activation carried to the next biases"]
    part: A[
        str,
        "train: a fixed subset of the training part, none of it scored on; test: a fixed subset of the test part",
    ]
    units: A[int, "units of the layer or layers"]
    removed: A[int, "units removed"]
    loss: A[float, "mean cross-entropy of the unpruned net [nats]"]
    penalty: A[float, "rise of the mean cross-entropy right after removal [nats]"]


class Curve(_Checkpoint, key="data model seed step part", name="curves"):
    """A net measured on one part."""

    part: A[str, "train, validation or test: a fixed subset of it"]
    loss: A[float, "mean cross-entropy [nats]"]
    accuracy_percent: A[float, "accuracy [%]"]


class Choice(_Checkpoint, key="data model seed step layer score", name="choices"):
    """How many units one score has chosen so far."""

    layer: A[str, "layer whose units were scored"]
    score: A[str, "how units were chosen"]
    units: A[int, "units of the layer"]
    chosen_fraction: A[float, "units chosen at least once since the first look, as a fraction of all [1]"]
    late_fraction: A[float | None, "the same since the first third of the training, may be empty before [1]"]


class Square(_Checkpoint, key="data model seed step layer score unit", name="squares"):
    """One unit chosen for removal."""

    layer: A[str, "layer whose units were chosen"]
    score: A[str, "how units were chosen"]
    unit: A[int, "place of the chosen unit in its layer"]
    mean_square: A[float, "its squared activation, mean over the examples scored on and positions"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured along a training, and when."""

    iterations: int
    every: int  # iterations between two measurements of penalties
    all_every: int  # between two of the penalty of pruning all layers at once; 0: never
    choose_every: int  # between two looks at which units are chosen
    fraction: float  # of each layer's units that is removed
    scores: tuple[str, ...]
    squares_layer: str  # layer whose chosen units' activations are kept; empty: none
    store: tuple[int, ...] = ()  # iterations after which the net is stored; after the last always

    def __post_init__(self) -> None:
        """Refuse what is no plan."""
        check_scores(self.scores)
        rules = {
            "iterations is at least 1": self.iterations >= 1,
            "every is at least 1 and at most the iterations": 1 <= self.every <= self.iterations,
            "all_every is 0 or a multiple of every": self.all_every >= 0 and self.all_every % self.every == 0,
            "choose_every is at least 1": self.choose_every >= 1,
            "fraction is the part of a layer's units to remove, in (0, 1)": 0 < self.fraction < 1,
            "store holds iterations of the training": all(1 <= step <= self.iterations for step in self.store),
        }
        check_rules(self, rules)


def trajectories(
    images: Images, *, model: str, seeds: Sequence[int], recipe: Recipe, plan: Plan, scoring: int, examples: int
) -> parts.Found:
    """Train one net a seed and measure, along the way, what removing units would cost.

    Every removal is measured on the side, on the net as it is at that iteration; the training itself never sees it. A
    seed decides initialisation, order and random scores. Units are scored on `scoring` examples of the training part,
    losses are measured on `examples` of each part.

    Returns:
        The nets stored, and the rows of `Penalty`, `Curve`, `Choice`, and `Square` where some layer's were kept.
    """
    check_seeds(seeds)
    return parts.each(
        _follow,
        seeds,
        label=f"train {model}",
        opened=partial(open_one, fit=Fit.to(images), device=str(images.train.x.device)),
        images=images,
        model=model,
        recipe=recipe,
        plan=plan,
        fixed=subsets(images, scoring=scoring, examples=examples),
    )


def _follow(seed: int, images: Images, model: str, recipe: Recipe, plan: Plan, fixed: Subsets) -> Iterator[Net | Table]:
    net, generator = fresh(images, model, seed)
    if plan.squares_layer and plan.squares_layer not in (found := sites(net)):
        raise ValueError(f"squares_layer is one of {', '.join(found)}; got {plan.squares_layer!r}")
    log = _Log(plan, fixed)
    named: dict[str, Any] = {"data": images.name, "data_id": images.content_id, "model": model, "seed": seed}
    steps = training(net, images.train, recipe, generator=generator, steps=plan.iterations)
    for step, loss in enumerate(tqdm(steps, total=plan.iterations, desc=f"seed {seed}", leave=False), start=1):
        if step % plan.choose_every == 0 or step % plan.every == 0:
            refuse_divergence(loss, step)
            yield from log.look(net, {**named, "step": step})
        if step in plan.store or step == plan.iterations:
            yield Net(**named, module=copy.deepcopy(net).eval(), step=step)


class _Log:
    """Which units were chosen so far, along the training of one net."""

    def __init__(self, plan: Plan, fixed: Subsets) -> None:
        self._plan, self._fixed = plan, fixed
        self._seen: dict[tuple[str, ...], Tensor] = {}  # since, site and score -> units chosen so far

    def look(self, net: nn.Sequential, named: dict[str, Any]) -> Iterator[Table]:
        """Score the units; say which are chosen, and at a checkpoint what removing them costs."""
        plan, fixed, seed, step = self._plan, self._fixed, named["seed"], named["step"]
        # By seed and iteration, so that the random choice is the same whatever else is measured.
        draws = torch.Generator().manual_seed(seed * 1_000_003 + step)
        measured = measure_units(net, fixed.scoring.x, fixed.scoring.y, generator=draws)
        chosen = {
            (name, score): lowest(units.scores[score], plan.fraction)
            for name, units in measured.items()
            for score in plan.scores
        }
        if step % plan.choose_every == 0:
            for (name, score), flags in chosen.items():
                start = self._share("start", name, score, chosen=flags)
                late = self._share("late", name, score, chosen=flags) if 3 * step > plan.iterations else None
                fractions: dict[str, Any] = {"units": len(flags), "chosen_fraction": start, "late_fraction": late}
                yield Choice(**named, layer=name, score=score, **fractions)
        if step % plan.every:
            return
        for (name, score), flags in chosen.items():
            if name == plan.squares_layer:
                for unit in flags.nonzero().flatten().tolist():
                    square = float(measured[name].mean_square[unit])
                    yield Square(**named, layer=name, score=score, unit=unit, mean_square=square)
        for part, split in {**fixed.parts, "validation": fixed.validation}.items():
            found = evaluate(net, split)
            yield Curve(**named, part=part, loss=found.loss, accuracy_percent=100 * found.accuracy)
        together = plan.scores if plan.all_every and not step % plan.all_every else ()
        yield from _penalties(net, measured, chosen, fixed, named, together)

    def _share(self, *key: str, chosen: Tensor) -> float:
        """Count one choice in; give the fraction of the units chosen at least once."""
        self._seen[key] = self._seen.get(key, torch.zeros_like(chosen)) | chosen
        return int(self._seen[key].sum()) / len(chosen)


def _penalties(
    net: nn.Sequential,
    measured: Mapping[str, Measured],
    chosen: Mapping[tuple[str, str], Tensor],
    fixed: Subsets,
    named: Mapping[str, Any],
    together: Sequence[str],
) -> Iterator[Penalty]:
    """Measure what the removal of the units chosen, by site and score, costs.

    Scores in `together` remove their units of all sites at once as well, with the means of the unpruned net.
    """
    found = sites(net)
    shifts = {key: shift(net, found[key[0]], flags, measured[key[0]]) for key, flags in chosen.items()}
    for part, split in fixed.parts.items():
        probe = Probe(net, split)
        common: dict[str, Any] = {**named, "part": part, "loss": probe.loss}
        for (name, score), flags in chosen.items():
            counts: dict[str, Any] = {"layer": name, "score": score, "units": len(flags), "removed": int(flags.sum())}
            for replacement in REPLACEMENTS:
                penalty = probe.penalty(name, flags, shifts[name, score] if replacement == "mean" else None)
                yield Penalty(**common, **counts, replacement=replacement, penalty=penalty)
        for score in together:
            gone = {name: chosen[name, score] for name in found}
            units, removed = sum(map(len, gone.values())), sum(int(flags.sum()) for flags in gone.values())
            counts = {"layer": ALL, "score": score, "units": units, "removed": removed}
            for replacement in REPLACEMENTS:
                pruned = copy.deepcopy(net)
                added = {name: shifts[name, score] for name in found} if replacement == "mean" else None
                remove(pruned, gone, shifts=added)
                yield Penalty(**common, **counts, replacement=replacement, penalty=probe.penalty_of(pruned))
