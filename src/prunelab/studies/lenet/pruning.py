"""Experiments 3 to 6 of the LeNet study: nets pruned in rounds and retrained, measured at every round."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from pandas import DataFrame
from tqdm import tqdm

from prunelab.data import Images, Split
from prunelab.measure import evaluate
from prunelab.pruning import prunable
from prunelab.pruning.paths import lit, live
from prunelab.records import Value, load_table, to_frame
from prunelab.studies.common.nets import Net, error_percent
from prunelab.studies.lenet.settings import SETTING_COLUMNS, milestones_of, parse_target, recipe_of, setting_of
from prunelab.studies.lenet.tables import (
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
from prunelab.train import Recipe
from prunelab.train.retraining import Schedule, Stage, prune_and_retrain


@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """The finished nets, and the tables on them and on the rounds that led there."""

    nets: list[Net]
    pruned: DataFrame
    rounds: DataFrame
    layers: DataFrame


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


TUNING_KEY = ("data", "recipe", "learning_rate", "l1")


TUNING_COLUMNS = {
    **{name: SETTING_COLUMNS[name] for name in ("data", "data_id", "recipe", "target")},
    "learning_rate": "of every retraining, at its peak or constant",
    "l1": "penalty per unit of summed |w|",
    "nets": "nets pruned and retrained with it",
    "validation_error_percent": "their mean error on the validation part, last epoch [%]",
    "worst_percent": "the largest of these errors [%]",
    "chosen": "whether it has the lowest mean error",
}


def tuning_table(
    nets: Sequence[Net],
    images: Images,
    *,
    recipe: str,
    learning_rates: Sequence[float],
    penalties: Sequence[float],
    target: str,
    schedule: Schedule,
    input_dropout: float = 0.0,
) -> DataFrame:
    """Prune the nets to one target with every learning rate and penalty, and choose the pair of lowest mean error.

    The nets' test errors are not looked at: what is measured as the test part here is the validation part.

    Args:
        nets: dense nets to choose with.
        images: what they were trained on.
        recipe: "strong" or "source".
        learning_rates: to choose from.
        penalties: to choose from.
        target: weights to keep, or a share to remove.
        schedule: rounds and epochs.
        input_dropout: part of the pixels zeroed in each example.

    Returns:
        One row a pair; columns as `TUNING_COLUMNS` says.

    Raises:
        ValueError: nothing to choose from, or what pruning refuses.
    """
    pairs = list(product(dict.fromkeys(learning_rates), dict.fromkeys(penalties)))
    if not pairs:
        raise ValueError("tuning needs at least one learning rate and one penalty; one of the two lists is empty")
    blind = replace(images, test=images.validation)
    rows = []
    for rate, l1 in pairs:
        spelt = recipe_of(recipe, epochs=schedule.final_epochs, learning_rate=rate, l1=l1, input_dropout=input_dropout)
        pruned = prune_nets(
            nets,
            blind,
            recipe_name=recipe,
            recipe=spelt,
            schedule=schedule,
            budgets=[schedule.budget],
            targets=[target],
        ).pruned
        errors = pruned["validation_error_percent"]
        rows.append(
            {
                "data": images.name,
                "data_id": images.content_id,
                "recipe": recipe,
                "target": target,
                "learning_rate": float(rate),
                "l1": float(l1),
                "nets": len(errors),
                "validation_error_percent": float(errors.mean()),
                "worst_percent": float(errors.max()),
            }
        )
    table = DataFrame(rows)
    table["chosen"] = table.index == table["validation_error_percent"].idxmin()
    return table[list(TUNING_COLUMNS)]


def tuning_values(table: DataFrame) -> dict[str, Value]:
    """Quote the pair chosen: `learning-rate`, `l1` and its `validation-error`, and the pairs tried."""
    best = table[table["chosen"]].iloc[0]
    return {
        "learning-rate": Value(value=float(best["learning_rate"]), digits=2),
        "l1": Value(value=float(best["l1"]), digits=5),
        "validation-error": Value(value=float(best["validation_error_percent"]), unit="%", n=int(best["nets"])),
        "pairs": Value(value=float(len(table)), digits=0),
    }


def chosen(run: str, *, learning_rate: float, l1: float) -> tuple[float, float]:
    """Read the pair that a run of the tuning chose, or pass the given one on where no run is named.

    Raises:
        FileNotFoundError: the run has no such table.
    """
    if not run:
        return learning_rate, l1
    table = load_table(Path(run) / "tables" / "tuning.csv")
    best = table[table["chosen"]].iloc[0]
    return float(best["learning_rate"]), float(best["l1"])
