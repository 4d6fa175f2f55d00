"""Penalties along training: at every checkpoint each layer is pruned on the side, and the training goes on unpruned."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pandas import DataFrame
from torch import Tensor, nn
from tqdm import tqdm

from prunelab.data import Images
from prunelab.measure import evaluate
from prunelab.measure.penalty import Probe
from prunelab.models import build
from prunelab.pruning.unit_removal import lowest, remove, shift
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import Site, sites
from prunelab.records import Value, quote, save_table, to_frame
from prunelab.stats import t_interval
from prunelab.studies.common.nets import Net, lay_out
from prunelab.studies.common.units import ALL, REPLACEMENTS, Subsets, check_scores, subsets
from prunelab.studies.units.tables import (
    CHOICE_KEY,
    CURVE_KEY,
    PENALTY_KEY,
    SQUARE_COLUMNS,
    SQUARE_KEY,
    Choice,
    Curve,
    Penalty,
    Square,
)
from prunelab.train import Recipe, check_rules, check_seeds, training


def penalty_rows(
    net: nn.Sequential,
    measured: Mapping[str, Measured],
    chosen: Mapping[tuple[str, str], Tensor],
    fixed: Subsets,
    named: Mapping[str, Any],
    scores: Sequence[str],
    *,
    together: bool,
) -> list[Penalty]:
    """Measure what the chosen units' removal costs, site by site, and of all sites at once.

    Args:
        net: not changed.
        measured: site -> its units.
        chosen: (site, score) -> (U,) bool, True = removed.
        fixed: examples to measure on.
        named: data, data_id, model, seed and step.
        scores: in the order of the rows.
        together: whether to remove the chosen units of all sites at once as well, with the means of the unpruned net.
    """
    found = sites(net)
    shifts = {key: shift(net, found[key[0]], flags, measured[key[0]]) for key, flags in chosen.items()}
    rows = []
    for part, split in fixed.parts.items():
        probe = Probe(net, split)
        common: dict[str, Any] = {**named, "part": part, "loss": probe.loss}
        for (name, score), flags in chosen.items():
            counts: dict[str, Any] = {"layer": name, "score": score, "units": len(flags), "removed": int(flags.sum())}
            for replacement in REPLACEMENTS:
                added = shifts[name, score] if replacement == "mean" else None
                penalty = probe.penalty(name, flags, added)
                rows.append(Penalty(**common, **counts, replacement=replacement, penalty=penalty))
        for score in scores if together else ():
            gone = {name: chosen[name, score] for name in found}
            units, removed = sum(map(len, gone.values())), sum(int(flags.sum()) for flags in gone.values())
            counts = {"layer": ALL, "score": score, "units": units, "removed": removed}
            for replacement in REPLACEMENTS:
                pruned = copy.deepcopy(net)
                added_to = {name: shifts[name, score] for name in found} if replacement == "mean" else None
                remove(pruned, gone, shifts=added_to)
                rows.append(Penalty(**common, **counts, replacement=replacement, penalty=probe.penalty_of(pruned)))
    return rows


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectories:
    """The nets stored, and what was measured along their training."""

    nets: list[Net]
    penalties: DataFrame
    curves: DataFrame
    choices: DataFrame
    squares: DataFrame | None


def trajectories(
    images: Images,
    *,
    model: str,
    seeds: Sequence[int],
    recipe: Recipe,
    plan: Plan,
    scoring: int,
    examples: int,
    progress: bool = True,
) -> Trajectories:
    """Train one net a seed and measure, along the way, what removing units would cost.

    Every removal is measured on the side, on the net as it is at that iteration; the training itself never sees it.

    Args:
        images: as `units_settings.load` gives them; trained on the training part.
        model: see `prunelab.models.build`.
        seeds: distinct whole numbers; a seed decides initialisation, order and random scores.
        recipe: optimizer and rate.
        plan: what is measured, and when.
        scoring: examples of the training part to score units on.
        examples: examples of the training and the test part to measure losses on.
        progress: show progress bars.

    Raises:
        ValueError: a layer that the net does not have, a training that diverged, or what building, training and
            measuring refuse.
    """
    check_seeds(seeds)
    fixed = subsets(images, scoring=scoring, examples=examples)
    train = images.train
    log = _Log(plan=plan)
    nets = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        net = lay_out(build(model, inputs=images.shape, classes=len(images.classes), generator=generator))
        net.to(train.x.device)
        found = sites(net)
        if plan.squares_layer and plan.squares_layer not in found:
            raise ValueError(f"squares_layer is one of {', '.join(found)}; got {plan.squares_layer!r}")
        named: dict[str, Any] = {"data": images.name, "data_id": images.content_id, "model": model, "seed": seed}
        seen = Seen(found)
        steps = training(net, train, recipe, generator=generator, steps=plan.iterations)
        bar = tqdm(steps, total=plan.iterations, desc=f"{model}, seed {seed}", leave=False, disable=not progress)
        for step, loss in enumerate(bar, start=1):
            if step % plan.choose_every == 0 or step % plan.every == 0:
                if not bool(torch.isfinite(loss)):
                    raise ValueError(f"training diverged at iteration {step}: lower learning_rate")
                log.look(net, {**named, "step": step}, fixed, seen)
            if step in plan.store or step == plan.iterations:
                nets.append(Net(**named, module=copy.deepcopy(net).eval(), step=step))
    return log.tables(nets)


class Seen:
    """Which units each score has chosen so far, in one net."""

    def __init__(self, found: Mapping[str, Site]) -> None:
        """Start with none chosen."""
        self._found = found
        self._start: dict[tuple[str, str], Tensor] = {}
        self._late: dict[tuple[str, str], Tensor] = {}

    def add(self, site: str, score: str, chosen: Tensor, *, late: bool) -> tuple[float, float | None]:
        """Count one choice in; return the fractions chosen at least once, from the start and in the late part."""
        key = (site, score)
        self._start[key] = self._start.get(key, torch.zeros_like(chosen)) | chosen
        if late:
            self._late[key] = self._late.get(key, torch.zeros_like(chosen)) | chosen
        units = self._found[site].units
        return int(self._start[key].sum()) / units, int(self._late[key].sum()) / units if late else None


class _Log:
    """Rows gathered over nets and iterations."""

    def __init__(self, *, plan: Plan) -> None:
        self._plan = plan
        self._penalties: list[Penalty] = []
        self._curves: list[Curve] = []
        self._choices: list[Choice] = []
        self._squares: list[Square] = []

    def look(self, net: nn.Sequential, named: dict[str, Any], fixed: Subsets, seen: Seen) -> None:
        """Score the units; note which are chosen, and at a checkpoint what removing them costs."""
        plan, step = self._plan, int(named["step"])
        # By seed and iteration, so that the random choice is the same whatever else is measured.
        draws = torch.Generator().manual_seed(int(named["seed"]) * 1_000_003 + step)
        measured = measure_units(net, fixed.scoring.x, fixed.scoring.y, generator=draws)
        chosen = {
            (name, score): lowest(units.scores[score], plan.fraction)
            for name, units in measured.items()
            for score in plan.scores
        }
        if step % plan.choose_every == 0:
            late = 3 * step > plan.iterations
            for (name, score), flags in chosen.items():
                start, since = seen.add(name, score, flags, late=late)
                fractions: dict[str, Any] = {"units": len(flags), "chosen_fraction": start, "late_fraction": since}
                self._choices.append(Choice(**named, layer=name, score=score, **fractions))
        if step % plan.every:
            return
        self._squares += [
            Square(**named, layer=name, score=score, unit=unit, mean_square=float(measured[name].mean_square[unit]))
            for (name, score), flags in chosen.items()
            if name == plan.squares_layer
            for unit in flags.nonzero().flatten().tolist()
        ]
        for part, split in {**fixed.parts, "validation": fixed.validation}.items():
            found = evaluate(net, split)
            self._curves.append(Curve(**named, part=part, loss=found.loss, accuracy_percent=100 * found.accuracy))
        self._penalties += penalty_rows(
            net,
            measured,
            chosen,
            fixed,
            named,
            plan.scores,
            together=bool(plan.all_every) and not step % plan.all_every,
        )

    def tables(self, nets: list[Net]) -> Trajectories:
        return Trajectories(
            nets=nets,
            penalties=to_frame(self._penalties, PENALTY_KEY),
            curves=to_frame(self._curves, CURVE_KEY),
            choices=to_frame(self._choices, CHOICE_KEY),
            squares=to_frame(self._squares, SQUARE_KEY) if self._squares else None,
        )


def save_squares(found: Trajectories) -> None:
    """Write the table of chosen units' activations, where one was kept."""
    if found.squares is not None:
        save_table(found.squares, "squares", key=SQUARE_KEY, columns=SQUARE_COLUMNS)


def trajectory_values(curves: DataFrame, penalties: DataFrame) -> dict[str, Value]:
    """Quote the nets at the end of their training, and how many removals were measured.

    Args:
        curves: one net's, rows of several seeds.
        penalties: the same net's.

    Returns:
        `accuracy-<part>` (%) and `loss-<part>` (nats) after the last iteration, on the fixed subsets, `iterations` and
        `measurements` (removals measured, each on one part).
    """
    values: dict[str, Value] = {}
    last = curves[curves["step"] == curves["step"].max()]
    for part, rows in last.groupby("part", sort=False):
        values[f"accuracy-{part}"] = quote(t_interval(rows["accuracy_percent"].to_numpy()), "%")
        values[f"loss-{part}"] = quote(t_interval(rows["loss"].to_numpy()), "nats")
    values["iterations"] = Value(value=int(curves["step"].max()), digits=0)
    values["measurements"] = Value(value=len(penalties), digits=0)
    return values
