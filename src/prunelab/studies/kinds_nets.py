"""Nets trained without a penalty, and with the one whose strength does best on the validation part."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from prunelab.studies.kinds_labels import Penalty
from prunelab.studies.kinds_measuring import Plan, Seen, measured, one_shot
from prunelab.studies.kinds_tables import Tried
from prunelab.studies.kinds_tasks import Task
from prunelab.train import training


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
