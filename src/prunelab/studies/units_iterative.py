"""Experiment 10 of the mean-replacement study: units removed in rounds with tuning between, and all in one shot."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

from pandas import DataFrame
from torch import Tensor, nn
from tqdm import tqdm

from prunelab.data import Images, Split
from prunelab.measure import Evaluation
from prunelab.pruning.shrink import shrink
from prunelab.pruning.unit_removal import lowest
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.records import to_frame
from prunelab.studies.stored_nets import Net
from prunelab.studies.units_fine_tuning import copied, draws, evaluated, take_out
from prunelab.studies.units_settings import REPLACEMENTS, Subsets, check_scores, lay_out, subsets
from prunelab.studies.units_tuning_tables import ITERATIVE_COLUMNS, ITERATIVE_KEY, NOTHING, Iterative
from prunelab.train import Recipe, training

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
    _check(nets, replacements)
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


def _check(nets: Sequence[Net], replacements: Sequence[str]) -> None:
    named = [(net.data_id, net.model, net.seed) for net in nets]
    if not nets or len(set(named)) < len(named) or any(net.pruning for net in nets):
        found = ", ".join(
            f"{net.model} of seed {net.seed} after {net.step} steps {net.pruning}".strip() for net in nets
        )
        raise ValueError(f"rounds start from unpruned nets, one a model and seed; got {found or 'none'}")
    if not replacements or len(set(replacements)) < len(replacements) or not set(replacements) <= set(REPLACEMENTS):
        raise ValueError(f"replacements are some of {', '.join(REPLACEMENTS)}, each once; got {list(replacements)}")
