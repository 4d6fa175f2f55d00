"""Experiments 3 to 6 of the LeNet study: nets pruned in rounds and retrained, measured at every round."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from pandas import DataFrame
from tqdm import tqdm

from prunelab.data import Images, Split
from prunelab.measure import evaluate
from prunelab.pruning import prunable
from prunelab.pruning.paths import lit, live
from prunelab.records import to_frame
from prunelab.retraining import Schedule, Stage, prune_and_retrain
from prunelab.studies.lenet_pruning_tables import (
    LAYER_COLUMNS,
    LAYER_KEY,
    PRUNED_COLUMNS,
    PRUNED_KEY,
    ROUND_COLUMNS,
    ROUND_KEY,
    Layer,
    Pruned,
    Round,
)
from prunelab.studies.lenet_settings import milestones_of, parse_target, setting_of
from prunelab.studies.nets import error_percent
from prunelab.studies.stored_nets import Net, open_nets
from prunelab.train import Recipe

_SMALL = ("lenet-32-16-relu",)  # trained where neither runs nor models are named


@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """The finished nets, and the tables on them and on the rounds that led there."""

    nets: list[Net]
    pruned: DataFrame
    rounds: DataFrame
    layers: DataFrame


def dense_nets(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    epochs: int,
    only_seeds: Sequence[int] = (),
    device: str = "cpu",
) -> list[Net]:
    """Open the dense nets of other runs, of some models and seeds, or train small ones where no run is named.

    Args:
        runs: folders of runs that hold nets; empty to train here.
        images: what the nets were trained on.
        models: specs of the runs' nets to take, all of them when empty; without runs, specs to train.
        seeds: without runs, seeds to train.
        epochs: without runs, how long to train.
        only_seeds: seeds to take, all of them when empty.
        device: where the nets go.

    Raises:
        ValueError: the runs lack a model or all the seeds, or as `open_nets`.
    """
    nets = open_nets(runs, images, models=models or _SMALL, seeds=seeds, epochs=epochs, device=device)
    found = dict.fromkeys(net.model for net in nets)
    if missing := [model for model in models if model not in found]:
        raise ValueError(f"the runs hold nets of {', '.join(found)}; got no {missing[0]!r}: train it, or leave it out")
    taken = [net for net in nets if (not models or net.model in models) and (not only_seeds or net.seed in only_seeds)]
    if not taken:
        raise ValueError(f"the runs hold seeds {sorted({net.seed for net in nets})}; got none of {list(only_seeds)}")
    return taken


def by_model(nets: Sequence[Net]) -> list[Net]:
    """Put nets of one model and pruning in a row, whichever order they were made in."""
    return sorted(nets, key=lambda net: (net.model, net.pruning, net.seed))


def prune_nets(
    nets: Sequence[Net],
    images: Images,
    *,
    recipe_name: str,
    recipe: Recipe,
    schedule: Schedule,
    budgets: Sequence[str],
    targets: Sequence[str],
    split: Split | None = None,
    progress: bool = True,
) -> Experiment:
    """Prune every net in rounds to every target under every budget, and measure it before and after each retraining.

    Args:
        nets: dense nets; left as they are.
        images: what they were trained on; the test part is measured and decides nothing.
        recipe_name: "strong" or "source", for the tables.
        recipe: optimizer and rate of every retraining.
        schedule: rounds and epochs; its budget is replaced by each of `budgets`.
        budgets: of `prunelab.pruning.budgets.BUDGETS`.
        targets: weights to keep, as "2660", or shares to remove, as "99%".
        split: examples to train on; `images.train` when absent.
        progress: show progress bars.

    Returns:
        Nets labelled mode-budget-target, and three tables: a row a finished net, a round, and a round and layer.

    Raises:
        ValueError: no net, budget or target, one that is pruned already, or what pruning and training refuse.
    """
    for what, given in (("nets", nets), ("budgets", budgets), ("targets", targets)):
        if not given:
            raise ValueError(f"pruning needs at least one of its {what}; got none")
    split = split or images.train
    reached = lit(split.x)
    finished: list[tuple[Net, Pruned]] = []
    rounds: list[Round] = []
    layers: list[Layer] = []
    todo = [(budget, net) for budget in dict.fromkeys(budgets) for net in nets]
    for budget, net in tqdm(todo, desc=f"prune, {schedule.mode}", unit="net", leave=False, disable=not progress):
        if net.pruning:
            raise ValueError(f"pruning starts from dense nets; {net.model}, seed {net.seed}, is {net.pruning!r}")
        plan = replace(schedule, budget=budget)
        total = sum(weight.numel() for weight in prunable(net.module).values())
        wanted = {target: parse_target(target, total) for target in targets}
        dense_error = _error(net, images.test)
        just_pruned = dense_error
        for stage in prune_and_retrain(
            copy.deepcopy(net.module),
            split,
            recipe,
            plan,
            milestones=milestones_of(targets, total, plan.rounds),
            targets=wanted,
            generator=torch.Generator().manual_seed(net.seed),
        ):
            made = replace(net, module=stage.model, pruning=f"{plan.mode}-{budget}-{stage.target}")
            if not stage.trained:
                just_pruned = _error(made, images.test)
                continue
            alive = live(stage.masks, reached)
            common = {
                **setting_of(made, recipe_name),
                "seed": net.seed,
                "kept_asked": stage.asked,
                "kept": _count(stage.masks),
                "threshold": stage.threshold,
                "error_pruned_percent": just_pruned,
                "error_percent": _error(made, images.test),
                "validation_error_percent": _error(made, images.validation),
            }
            rounds.append(Round(**common, round=stage.round))
            layers += _layers(common, stage, alive)
            if stage.target in wanted:
                row = Pruned(
                    **common,
                    weights=total,
                    sparsity=1 - common["kept"] / total,
                    effective_kept=_count(alive),
                    effective_sparsity=1 - _count(alive) / total,
                    baseline_error_percent=dense_error,
                    steps=stage.steps,
                )
                finished.append((made, row))
    return Experiment(
        nets=[made for made, _ in finished],
        pruned=to_frame([row for _, row in finished], PRUNED_KEY)[list(PRUNED_COLUMNS)],
        rounds=to_frame(rounds, ROUND_KEY)[list(ROUND_COLUMNS)],
        layers=to_frame(layers, LAYER_KEY)[list(LAYER_COLUMNS)],
    )


def _layers(common: dict[str, Any], stage: Stage, alive: dict[str, torch.Tensor]) -> list[Layer]:
    named = {name: common[name] for name in ("data", "data_id", "recipe", "mode", "budget", "model", "target", "seed")}
    return [
        Layer(
            **named,
            round=stage.round,
            layer=name.removesuffix(".weight"),
            weights=mask.numel(),
            kept=int(mask.sum()),
            kept_fraction=int(mask.sum()) / mask.numel(),
            live_inputs=int(alive[name].any(0).sum()),
            live_units=int(alive[name].any(1).sum()),
        )
        for name, mask in stage.masks.items()
    ]


def _error(net: Net, split: Split) -> float:
    return error_percent(evaluate(net.module, split).accuracy)


def _count(masks: dict[str, torch.Tensor]) -> int:
    return sum(int(mask.sum()) for mask in masks.values())
