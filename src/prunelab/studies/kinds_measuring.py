"""One net pruned by several kinds to several budgets, measured right away and after a few steps of retraining."""

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from tqdm import tqdm

from prunelab.measure.sparsity import count
from prunelab.pruning import check, prunable
from prunelab.studies.kinds_pruning import Pruned, drawing, pruned
from prunelab.studies.kinds_tables import KindRow
from prunelab.studies.kinds_tasks import Task
from prunelab.train import training


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
