"""Pruning in rounds with training between them: one path down to few weights, and finished nets that branch off it."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from zlib import crc32

import torch
from torch import Tensor, nn

from prunelab.data import Split
from prunelab.pruning import apply, check, keep_within, kept_counts, prunable
from prunelab.pruning.budgets import BUDGETS, SHAPES, keep_live
from prunelab.pruning.compaction import compact, fold_constants
from prunelab.pruning.paths import lit
from prunelab.train import Examples, Frames, Recipe, check_rules, train

PATH = "path"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """In how many rounds a net is pruned, and how it is trained between them."""

    rounds: tuple[int, ...] = (16,)  # to the first milestone, from there to the second, ...
    epochs: int = 1  # after each round on the path
    final_epochs: int = 12  # after a target's last round
    shape: str = "geometric"  # see `prunelab.pruning.kept_counts`
    rewind: bool = True  # each training runs through the recipe's whole schedule; else they share one
    budget: str = "global"  # see `prunelab.pruning.keep_within`
    regrow: bool = False  # between rounds removed weights are trained again; only the final training keeps them at zero
    live_paths: bool = True  # choose weights that lie on a path from an input to an output, and fold constant units

    def __post_init__(self) -> None:
        """Refuse what is no schedule."""
        rules = {
            "rounds holds one whole number a milestone, each at least 1": bool(self.rounds) and min(self.rounds) >= 1,
            "epochs is at least 1": self.epochs >= 1,
            "final_epochs is at least 1": self.final_epochs >= 1,
            f"shape is one of {', '.join(SHAPES)}": self.shape in SHAPES,
            f"budget is one of {', '.join(BUDGETS)}": self.budget in BUDGETS,
        }
        check_rules(self, rules)

    @property
    def mode(self) -> Literal["masked", "regrown"]:
        """Say whether removed weights stay removed between the rounds."""
        return "regrown" if self.regrow else "masked"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """A net just pruned, or trained after that."""

    target: str  # name of the target whose last round it is, or PATH
    round: int  # counted from 1
    asked: int  # weights to be kept
    masks: dict[str, Tensor]  # True = kept in this round's pruning
    threshold: float | None  # smallest magnitude kept, where one threshold holds for the whole net
    trained: bool  # False: just pruned
    steps: int  # training steps since the dense net
    model: nn.Sequential  # valid until the next stage is asked for, unless the target's last


def parse_target(target: str, weights: int) -> int:
    """Count the weights that a target keeps: "2660" is that many, "99%" all but 99 % of a net's, rounded."""
    try:
        kept = round(weights * (1 - float(target[:-1]) / 100)) if target.endswith("%") else int(target)
    except (ValueError, OverflowError):
        raise ValueError(
            f'a target is weights to keep, as "2660", or a share to remove, as "99%"; got {target!r}'
        ) from None
    if not 1 <= kept < weights:
        raise ValueError(f"a target keeps from 1 to all but one of a net's {weights} weights; {target!r} keeps {kept}")
    return kept


def milestones_of(targets: Sequence[str], weights: int, rounds: Sequence[int]) -> list[int]:
    """Choose where a net's path of prunings leads: to each target in weights, or else to the smallest of all.

    Every net then takes the same number of rounds to a target in weights, whatever its size.
    """
    counted = sorted({parse_target(target, weights) for target in targets if not target.endswith("%")}, reverse=True)
    milestones = counted or [min(parse_target(target, weights) for target in targets)]
    if len(milestones) != len(rounds):
        raise ValueError(
            f"rounds names one number a target in weights (or one alone, where all are shares); got {list(rounds)} "
            f"for {milestones}"
        )
    return milestones


def prune_and_retrain(
    model: nn.Sequential,
    split: Split,
    recipe: Recipe,
    schedule: Schedule,
    *,
    milestones: Sequence[int],
    targets: Mapping[str, int],
    generator: torch.Generator,
    label: str | None = None,
) -> Iterator[Stage]:
    """Prune a trained net in rounds along a path of milestones, retraining after each, and finish a net a target.

    The path prunes to every milestone in turn, in the schedule's rounds, each followed by `epochs` of training. A
    target branches off the last net of the path that has more weights: that one is pruned to the target and trained
    for `final_epochs`; the path goes on without it. Nets of any size that share milestones and rounds thus reach a
    target that is a milestone with the same number of training steps.

    Args:
        model: a trained multilayer perceptron, as `prunelab.models.build` makes it; changed in place along the path.
        split: training examples.
        recipe: optimizer and learning rate of every training; its own `epochs` is not used.
        schedule: rounds, epochs, and what is done between them.
        milestones: kept weights the path leads to, falling, one for each of `schedule.rounds`.
        targets: name -> kept weights of the nets to finish, fewer than the net has.
        generator: draws the order of the examples; the path and each target draw from their own, made from it.
        label: what a progress bar calls the training; none is shown without it.

    Yields:
        Two stages a round, just pruned and trained.

    Raises:
        ValueError: milestones that do not fall or do not fit the rounds, a target outside the net, or what pruning and
            training refuse.

    Source: iterative pruning and retraining: Han et al., NeurIPS 2015; learning-rate rewinding: Renda, Frankle and
    Carbin, ICLR 2020.
    """
    total = sum(weight.numel() for weight in prunable(model).values())
    counts = _counts(total, milestones, schedule)
    if odd := {name: kept for name, kept in targets.items() if not 1 <= kept < total}:
        raise ValueError(f"a target keeps from 1 to all but one of the net's {total} weights; got {odd}")
    if not targets or PATH in targets:
        raise ValueError(
            f"pruning leads to at least one target, and {PATH!r} names the rounds before; got {[*targets]}"
        )
    reached = lit(split.x) if schedule.live_paths else None
    shared = sum(kept > min(targets.values()) for kept in counts)  # rounds of the path before the last target's
    run = _Run(split=split, reached=reached, recipe=recipe, schedule=schedule, label=label, shared=shared)
    drawn = int(torch.randint(2**62, (), generator=generator))
    # By name, so that a target's net is the same whichever other targets are finished beside it.
    draws = {name: torch.Generator().manual_seed(drawn ^ crc32(name.encode())) for name in (PATH, *targets)}
    waiting = sorted(targets, key=lambda name: -targets[name])
    for number, kept in enumerate([*counts, 0], start=1):
        while waiting and targets[waiting[0]] >= kept:
            name = waiting.pop(0)
            yield from run.round(copy.deepcopy(model), name, number, targets[name], draws[name])
        if not waiting:
            return
        yield from run.round(model, PATH, number, kept, draws[PATH])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """What every round of one net's pruning shares."""

    split: Split
    reached: Tensor | None  # inputs that are ever nonzero
    recipe: Recipe
    schedule: Schedule
    label: str | None
    shared: int  # rounds of the path that are trained

    def round(
        self, model: nn.Sequential, target: str, number: int, kept: int, generator: torch.Generator
    ) -> Iterator[Stage]:
        """Prune once and train."""
        last = target != PATH
        masks = self._prune(model, kept, last=last)
        sizes = [
            float(weight[masks[name]].abs().min()) for name, weight in prunable(model).items() if masks[name].any()
        ]
        epochs = self.schedule.final_epochs if last else self.schedule.epochs
        batches = math.ceil(len(self.split) / self.recipe.batch_size)
        before = (number - 1) * self.schedule.epochs * batches
        stage = Stage(
            target=target,
            round=number,
            asked=kept,
            masks=masks,
            threshold=min(sizes, default=None) if self.schedule.budget == "global" else None,
            trained=False,
            steps=before,
            model=model,
        )
        yield stage
        self._train(model, masks, before, epochs, generator, last=last)
        yield replace(stage, trained=True, steps=before + epochs * batches)

    def _prune(self, model: nn.Sequential, kept: int, *, last: bool) -> dict[str, Tensor]:
        weights = prunable(model)
        # Weights that are to grow again need units that still move: those folded away would stay at zero for good.
        if self.schedule.live_paths and (last or not self.schedule.regrow):
            masks = keep_live(weights, kept, self.schedule.budget, self.reached)
            fold_constants(model, masks)
        else:
            masks = keep_within(weights, kept, self.schedule.budget)
            if not self.schedule.regrow:
                # A layer's share of a smaller budget can be larger by a weight: one that is gone stays gone.
                masks = {name: mask & (weights[name] != 0) for name, mask in masks.items()}
        apply(model, masks)
        return masks

    def _train(
        self,
        model: nn.Sequential,
        masks: Mapping[str, Tensor],
        before: int,
        epochs: int,
        generator: torch.Generator,
        *,
        last: bool,
    ) -> None:
        batches = math.ceil(len(self.split) / self.recipe.batch_size)
        recipe = replace(self.recipe, epochs=epochs)
        whole = self.shared * self.schedule.epochs * batches + self.schedule.final_epochs * batches
        within = None if self.schedule.rewind else (before, max(whole, before + epochs * batches))
        if self.schedule.regrow and not last:
            train(model, self.split, recipe, generator=generator, within=within, label=self.label)
            return
        train_masked(model, self.split, recipe, masks, generator=generator, within=within, label=self.label)


def train_masked(
    model: nn.Sequential,
    split: Examples,
    recipe: Recipe,
    masks: Mapping[str, Tensor],
    *,
    generator: torch.Generator,
    within: tuple[int, int] | None = None,
    label: str | None = None,
) -> list[float]:
    """Train a pruned perceptron in place without computing what no kept weight touches, see `pruning.compaction`.

    Args:
        model: as `prunelab.models.build` makes it.
        split: training examples.
        recipe: see `prunelab.train.train`, as for `generator`, `within` and `label`.
        masks: weight name -> bool mask, True = kept.
        generator: draws the order of the examples.
        within: where these steps lie in a longer schedule.
        label: what a progress bar calls this training.

    Returns:
        Mean training loss of each epoch.

    Raises:
        ValueError: what `compact` and `train` refuse, or a removed weight that is not zero in the end.
    """
    small = compact(model, masks)
    used = Frames(x=split.x.flatten(1).index_select(1, small.inputs), y=split.y)
    losses = train(small.model, used, recipe, generator=generator, masks=small.masks, within=within, label=label)
    small.write_back(model)
    model.eval()
    check(model, masks)
    return losses


def _counts(total: int, milestones: Sequence[int], schedule: Schedule) -> list[int]:
    """List the kept weights of every round of the path."""
    if len(milestones) != len(schedule.rounds):
        raise ValueError(
            f"each milestone has its rounds; got {len(milestones)} milestones and {len(schedule.rounds)} in rounds"
        )
    counts = []
    start = total
    for milestone, rounds in zip(milestones, schedule.rounds, strict=True):
        if not 1 <= milestone < start:
            raise ValueError(f"milestones fall, from below the net's {total} weights; got {list(milestones)}")
        counts += kept_counts(start, milestone, rounds, schedule.shape)
        start = milestone
    return counts
