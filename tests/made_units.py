"""Tables of the mean-replacement study as its runs leave them, made up: shapes as measured, numbers chosen."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import records

DATA, MODEL = "cifar10", "medium-conv-x0.25"
SCORES = ("random", "norm", "activation", "taylor", "taylor-abs", "mrs", "mrs-abs")
LAYERS = ("conv1", "conv2", "conv3", "fc1", "fc2", "all")
STEPS = tuple(range(0, 3001, 300))
UNITS = {"conv1": 16, "conv2": 32, "conv3": 64, "fc1": 256, "fc2": 64, "all": 432}
SCHEDULES = ("iterative", "one shot", "one shot, tuned")
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
_IDENTITY = {"data": DATA, "data_id": "0123456789ab"}


def penalties(
    scores: Sequence[str] = SCORES,
    layers: Sequence[str] = LAYERS,
    steps: Sequence[int] = STEPS,
    seeds: int = 3,
    model: str = MODEL,
) -> DataFrame:
    """Penalties that grow along training; replacement halves most; signed scores come out below zero in places."""
    noise, rows = np.random.default_rng(4), []
    for seed in range(seeds):
        for step in steps:
            for depth, layer in enumerate(layers):
                for score in scores:
                    level = LEVELS.get(score, 0.005) * (0.4 + step / 3000) * (3 if layer == "all" else 0.7**depth)
                    zeroed = level * np.exp(0.8 * noise.normal())
                    if score in ("taylor", "mrs") and noise.random() < 0.3:
                        zeroed = -zeroed / 8
                    replaced = zeroed * np.exp(-0.6 + 0.6 * noise.normal())
                    for replacement, penalty in (("none", zeroed), ("mean", replaced)):
                        for part in ("train", "test"):
                            rows.append(
                                {
                                    **_IDENTITY,
                                    "model": model,
                                    "seed": seed,
                                    "step": step,
                                    "layer": layer,
                                    "score": score,
                                    "replacement": replacement,
                                    "part": part,
                                    "units": UNITS[layer],
                                    "removed": max(1, round(UNITS[layer] / 10)),
                                    "loss": 2.3 - step / 2000,
                                    "penalty": penalty * (1 if part == "train" else 1.1),
                                }
                            )
    return DataFrame(rows)


def curves(steps: Sequence[int] = STEPS, seeds: int = 3, model: str = MODEL) -> DataFrame:
    """Training loss falls to .8 nats, validation and test loss to 1; accuracies rise to 60, 50 and 50 + seed %."""
    rows = []
    for seed in range(seeds):
        for step in steps:
            done = step / max(steps) if max(steps) else 1.0
            for part, loss, accuracy in (("train", 0.8, 60), ("validation", 1.0, 50), ("test", 1.0, 50)):
                rows.append(
                    {
                        **_IDENTITY,
                        "model": model,
                        "seed": seed,
                        "step": step,
                        "part": part,
                        "loss": 2.3 + (loss - 2.3) * done**0.5 + 0.02 * seed,
                        "accuracy_percent": 10 + (accuracy + seed - 10) * done**0.5,
                    }
                )
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
    for seed in range(seeds):
        for k, step in enumerate(steps, start=1):
            late = sum(step / 3 <= other <= step for other in steps) if 3 * step >= max(steps) else 0
            for layer in layers:
                for place, score in enumerate(scores):
                    reach = {n: 1 - 0.9**n if place == 0 else 0.1 + 0.03 * place * (1 - 0.8**n) for n in (k, late)}
                    rows.append(
                        {
                            **_IDENTITY,
                            "model": model,
                            "seed": seed,
                            "step": step,
                            "layer": layer,
                            "score": score,
                            "units": UNITS[layer],
                            "chosen_fraction": reach[k] + 0.01 * seed,
                            "late_fraction": 0.8 * reach[late] if late else np.nan,
                        }
                    )
    return DataFrame(rows)


def squares(scores: Sequence[str] = SCORES, steps: Sequence[int] = STEPS, seeds: int = 3) -> DataFrame:
    """Log-normal squares of the second convolution, larger for mrs; of norm's units every third is silent."""
    noise, rows = np.random.default_rng(5), []
    for seed in range(seeds):
        for step in steps:
            for score in scores:
                for unit in range(3):
                    square = np.exp((1 if score.startswith("mrs") else -2) + 1.2 * noise.normal())
                    rows.append(
                        {
                            **_IDENTITY,
                            "model": MODEL,
                            "seed": seed,
                            "step": step,
                            "layer": "conv2",
                            "score": score,
                            "unit": unit,
                            "mean_square": 0.0 if score == "norm" and unit == 0 else square,
                        }
                    )
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
    rows = []
    for seed in range(seeds):
        for schedule, fast in zip(SCHEDULES, (0.3, 1.0, 0.5), strict=True):
            for place, score in enumerate(scores):
                for replacement in ("none", "mean"):
                    for percent in percents:
                        worse = (1 + place) * (0.6 if replacement == "mean" else 1.0) * fast * (percent / 40) ** 2
                        for part in ("train", "test"):
                            rows.append(
                                {
                                    **_IDENTITY,
                                    "model": MODEL,
                                    "seed": seed,
                                    "schedule": schedule,
                                    "score": score,
                                    "replacement": replacement,
                                    "removed_percent": float(percent),
                                    "part": part,
                                    "loss": (0.8 if part == "train" else 1.0) + worse + 0.02 * seed,
                                    "accuracy_percent": max(10.0, 62 - 8 * worse - seed),
                                }
                            )
    return DataFrame(rows)


def corrections(
    layers: Sequence[str] = LAYERS, scores: Sequence[str] = ("random", "norm", "mrs-abs"), seeds: int = 3
) -> DataFrame:
    """Penalties of each correction as a share of those of setting units to zero, .05 nats in the first layer.

    Training on lowers the loss of unpruned nets too, by 1e-4 nats a step.
    """
    rows = []
    for seed in range(seeds):
        for depth, layer in enumerate(layers):
            for place, score in enumerate(scores):
                for correction, (share, operations) in CORRECTIONS.items():
                    penalty = 0.05 * share / (1 + depth) / (1 + place) + 0.0005 * seed
                    for part in ("train", "test"):
                        rows.append(
                            {
                                **_IDENTITY,
                                "model": MODEL,
                                "seed": seed,
                                "layer": layer,
                                "score": score,
                                "correction": correction,
                                "part": part,
                                "penalty": penalty,
                                "control": -1e-4 * operations if "steps" in correction else 0.0,
                                "operations": operations,
                            }
                        )
    return DataFrame(rows)


_PLACE = ["data", "model", "seed", "step", "layer", "score"]
KEYS = {
    "penalties": [*_PLACE, "replacement", "part"],
    "curves": ["data", "model", "seed", "step", "part"],
    "choices": _PLACE,
    "squares": [*_PLACE, "unit"],
    "fine-tuned": [*_PLACE, "replacement", "tuning_steps", "part"],
    "iterative": ["data", "model", "seed", "schedule", "score", "replacement", "removed_percent", "part"],
    "corrections": ["data", "model", "seed", "layer", "score", "correction", "part"],
}


def save_run(folder: Path, **tables: DataFrame) -> str:
    """Write tables as a run leaves them, and give its folder; names are spelt with underscores."""
    for name, table in tables.items():
        spelt = name.replace("_", "-")
        columns = dict.fromkeys(table.columns, "made up; may be empty")
        records.save_table(table, spelt, key=KEYS[spelt], columns=columns, folder=folder / "tables")
    return str(folder)
