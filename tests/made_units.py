"""Tables of the mean-replacement study as its runs leave them, made up: shapes as measured, numbers chosen."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

MODEL = "medium-conv-x0.25"
SCORES = ("random", "norm", "activation", "taylor", "taylor-abs", "mrs", "mrs-abs")
LAYERS = ("conv1", "conv2", "conv3", "fc1", "fc2", "all")
STEPS = tuple(range(0, 3001, 300))
UNITS = {"conv1": 16, "conv2": 32, "conv3": 64, "fc1": 256, "fc2": 64, "all": 432}
SCHEDULES = ("iterative", "one shot", "one shot, tuned")
WAYS = ("none", "mean")
PARTS = ("train", "test")
# Share of the penalty that is left, and cost in training steps.
CORRECTIONS = {
    "zeroed": (1.0, 0.0),
    "mean before pooling": (0.58, 5.1),
    "mean after pooling": (0.57, 5.1),
    "mean per position": (0.53, 5.12),
    "mean before pooling, interior": (0.62, 5.1),
    "mean before pooling, map": (0.5, 5.15),
    "mean per position, map": (0.45, 5.2),
    "least squares": (0.3, 40.0),
    "10 steps": (0.2, 10.0),
    "100 steps": (-0.05, 100.0),
}
# Penalty of each score in the first convolution at the end of training, set to zero, in nats.
LEVELS = dict(zip(SCORES, (0.076, 0.021, 0.012, 0.09, 0.0071, 0.11, 0.0099), strict=True))


def cells(seeds: int, model: str = MODEL, **axes: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Go through all combinations of seeds and other columns, the last fastest."""
    named = {"data": "cifar10", "data_id": "0123456789ab", "model": model}
    for cell in itertools.product(range(seeds), *axes.values()):
        yield named | dict(zip(("seed", *axes), cell, strict=True))


def penalties(
    scores: Sequence[str] = SCORES,
    layers: Sequence[str] = LAYERS,
    steps: Sequence[int] = STEPS,
    seeds: int = 3,
    model: str = MODEL,
) -> DataFrame:
    """Penalties that grow along training; replacement halves most; signed scores come out below zero in places."""
    noise, rows = np.random.default_rng(4), []
    for cell in cells(seeds, model, step=steps, layer=layers, score=scores):
        layer, score, units = cell["layer"], cell["score"], UNITS[cell["layer"]]
        deeper = 3 if layer == "all" else 0.7 ** layers.index(layer)
        zeroed = LEVELS.get(score, 0.005) * (0.4 + cell["step"] / 3000) * deeper * np.exp(0.8 * noise.normal())
        if score in ("taylor", "mrs") and noise.random() < 0.3:
            zeroed = -zeroed / 8
        penalty = {"none": zeroed, "mean": zeroed * np.exp(-0.6 + 0.6 * noise.normal())}
        cell |= {"units": units, "removed": max(1, round(units / 10)), "loss": 2.3 - cell["step"] / 2000}
        for replacement, part in itertools.product(WAYS, PARTS):
            more = 1 if part == "train" else 1.1
            rows.append(cell | {"replacement": replacement, "part": part, "penalty": more * penalty[replacement]})
    return DataFrame(rows)


def curves(steps: Sequence[int] = STEPS, seeds: int = 3, model: str = MODEL) -> DataFrame:
    """Training loss falls to .8 nats, validation and test loss to 1; accuracies rise to 60, 50 and 50 + seed %."""
    ends = {"train": (0.8, 60), "validation": (1.0, 50), "test": (1.0, 50)}
    rows = []
    for cell in cells(seeds, model, step=steps, part=list(ends)):
        loss, accuracy = ends[cell["part"]]
        done, seed = (cell["step"] / max(steps)) ** 0.5 if max(steps) else 1.0, cell["seed"]
        accuracy_percent = 10 + (accuracy + seed - 10) * done
        rows.append(cell | {"loss": 2.3 + (loss - 2.3) * done + 0.02 * seed, "accuracy_percent": accuracy_percent})
    return DataFrame(rows)


def choices(
    scores: Sequence[str] = SCORES,
    layers: Sequence[str] = LAYERS,
    steps: Sequence[int] = STEPS,
    seeds: int = 3,
    model: str = MODEL,
) -> DataFrame:
    """Random chooses 1 - .9^k of the units in k checkpoints; the others a tenth, and slowly up to 16 % more."""
    rows = []
    for cell in cells(seeds, model, step=steps, layer=layers, score=scores):
        step, place = cell["step"], scores.index(cell["score"])
        late = sum(step / 3 <= other <= step for other in steps) if 3 * step >= max(steps) else 0

        def reach(n: int, place: int = place) -> float:
            return 1 - 0.9**n if place == 0 else 0.1 + 0.03 * place * (1 - 0.8**n)

        fractions = {
            "chosen_fraction": reach(1 + steps.index(step)) + 0.01 * cell["seed"],
            "late_fraction": 0.8 * reach(late) if late else np.nan,
        }
        rows.append(cell | {"units": UNITS[cell["layer"]]} | fractions)
    return DataFrame(rows)


def squares(scores: Sequence[str] = SCORES, steps: Sequence[int] = STEPS, seeds: int = 3) -> DataFrame:
    """Log-normal squares of the second convolution, larger for mrs; of norm's units every third is silent."""
    noise, rows = np.random.default_rng(5), []
    for cell in cells(seeds, step=steps, layer=("conv2",), score=scores, unit=range(3)):
        square = np.exp((1 if cell["score"].startswith("mrs") else -2) + 1.2 * noise.normal())
        silent = cell["score"] == "norm" and cell["unit"] == 0
        rows.append(cell | {"mean_square": 0.0 if silent else square})
    return DataFrame(rows)


def fine_tuned(
    scores: Sequence[str] = SCORES,
    layers: Sequence[str] = LAYERS,
    steps: Sequence[int] = STEPS[::2],
    seeds: int = 3,
    tuning: Sequence[int] = (0, 10, 100, 500),
) -> DataFrame:
    """Penalties that tuning shrinks and shifts below zero, and with them what replacement gains; nothing: -.02."""
    rows = []
    for count in tuning:
        left = 1 / (1 + count / 20)
        table = penalties(scores, layers, steps, seeds).drop(columns=["units", "removed"])
        noise = 0.004 * np.random.default_rng(count).normal(size=len(table)) if count else 0.0
        rows.append(table.assign(tuning_steps=count, penalty=table["penalty"] * left - 0.02 * (1 - left) + noise))
        control = table[(table["score"] == scores[0]) & (table["replacement"] == "none")]
        control = control[control["layer"] == layers[-1]].assign(score="nothing", layer="all")
        rows.append(control.assign(tuning_steps=count, penalty=-0.02 * (1 - left)))
    return pd.concat(rows, ignore_index=True)


def iterative(
    scores: Sequence[str] = SCORES, percents: Sequence[float] = (0, 5, 10, 20, 30, 40), seeds: int = 3
) -> DataFrame:
    """Losses that grow with the share removed, a third as fast and as far apart in rounds as in one shot."""
    fast, rows = dict(zip(SCHEDULES, (0.3, 1.0, 0.5), strict=True)), []
    shares = [float(percent) for percent in percents]
    axes = {"schedule": SCHEDULES, "score": scores, "replacement": WAYS, "removed_percent": shares, "part": PARTS}
    for cell in cells(seeds, **axes):
        worse = (1 + scores.index(cell["score"])) * (0.6 if cell["replacement"] == "mean" else 1.0)
        worse *= fast[cell["schedule"]] * (cell["removed_percent"] / 40) ** 2
        loss = (0.8 if cell["part"] == "train" else 1.0) + worse + 0.02 * cell["seed"]
        rows.append(cell | {"loss": loss, "accuracy_percent": max(10.0, 62 - 8 * worse - cell["seed"])})
    return DataFrame(rows)


def corrections(
    layers: Sequence[str] = LAYERS, scores: Sequence[str] = ("random", "norm", "mrs-abs"), seeds: int = 3
) -> DataFrame:
    """Penalties of each correction as a share of those of setting units to zero, .05 nats in the first layer.

    Training on lowers the loss of unpruned nets too, by 1e-4 nats a step.
    """
    rows = []
    for cell in cells(seeds, layer=layers, score=scores, correction=list(CORRECTIONS), part=PARTS):
        (share, operations), depth, place = (
            CORRECTIONS[cell["correction"]],
            layers.index(cell["layer"]),
            scores.index(cell["score"]),
        )
        penalty = 0.05 * share / (1 + depth) / (1 + place) + 0.0005 * cell["seed"]
        control = -1e-4 * operations if "steps" in cell["correction"] else 0.0
        rows.append(cell | {"penalty": penalty, "control": control, "operations": operations})
    return DataFrame(rows)
