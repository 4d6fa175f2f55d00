"""Tables of the LeNet study as its runs leave them, made up: shapes as measured, numbers chosen."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import models

NETS = tuple(f"lenet-{name}-relu" for name in ("150-100", "300-100", "600-100", "1200-100", "300-200", "300-300"))
RECIPES = ("source", "strong")
TARGETS = {"2660": 2660, "1641": 1641}
FRONTIER = ("90%", "91.7%", "92%", "95%", "95.6%", "97.5%", "98%", "98.2%", "98.5%", "99%", "99.5%", "99.7%")
BUDGETS = ("global", "layer", "erk", "lamp")
LAYERS = ("fc1", "fc2", "fc3")
ROUNDS = 8
_DATA_ID = "0123456789ab"
_IDENTITY = ["data", "recipe", "mode", "budget", "model", "target"]


def sizes(model: str, inputs: int = 784, classes: int = 10) -> list[int]:
    """Weights of every layer: products of neighbouring widths."""
    widths = [inputs, *models.parse(model).widths, classes]
    return [a * b for a, b in pairwise(widths)]


def dense(
    nets: Sequence[str] = NETS, recipes: Sequence[str] = RECIPES, seeds: int = 5, data: str = "mnist"
) -> DataFrame:
    """Errors of 1.6 % (strong) and 3 % (source), less where wider, .05 points a seed."""
    return DataFrame(
        {
            "data": data,
            "data_id": _DATA_ID,
            "recipe": recipe,
            "model": model,
            "seed": seed,
            "learning_rate": 0.2,
            "epochs": 10,
            "weights": sum(sizes(model)),
            "biases": sum(models.parse(model).widths) + 10,
            "weight_rms": 0.04,
            "validation_error_percent": 1.7,
            "error_percent": (1.6 if recipe == "strong" else 3.0) - 0.1 * place + 0.05 * seed,
            "loss": 0.05,
        }
        for recipe in recipes
        for place, model in enumerate(nets)
        for seed in range(seeds)
    )


def small(seeds: int = 5, data: str = "mnist") -> DataFrame:
    """Dense nets of about 2,400 (784-3-3-10: 2,391) weights."""
    return dense(["lenet-3-3-relu"], seeds=seeds, data=data).assign(error_percent=lambda rows: 30 + rows["seed"])


def kept_of(model: str, target: str) -> int:
    """Whole weights left at a target: its number, or its percentage of the net's."""
    if target.endswith("%"):
        return round(sum(sizes(model)) * (1 - float(target[:-1]) / 100))
    return int(target)


def pruned(
    nets: Sequence[str] = NETS,
    recipes: Sequence[str] = RECIPES,
    targets: Sequence[str] = tuple(TARGETS),
    *,
    mode: str = "masked",
    budgets: Sequence[str] = ("global",),
    seeds: int = 5,
    data: str = "mnist",
) -> DataFrame:
    """Errors that grow with the weights removed; regrown nets err .1 less a seed number in the end, 8 more before."""
    rows = []
    for recipe in recipes:
        for budget in budgets:
            for model in nets:
                for target in targets:
                    weights, kept = sum(sizes(model)), kept_of(model, target)
                    for seed in range(seeds):
                        lost = 1 + math.log10(weights / kept) ** 3 / 10 + 0.06 * seed + 0.1 * BUDGETS.index(budget)
                        factor = 4 if recipe == "source" else 1
                        error = factor * lost - (0.1 * seed if mode == "regrown" else 0)
                        rows.append(
                            {
                                "data": data,
                                "data_id": _DATA_ID,
                                "recipe": recipe,
                                "mode": mode,
                                "budget": budget,
                                "model": model,
                                "seed": seed,
                                "target": target,
                                "kept_asked": kept,
                                "kept": kept,
                                "weights": weights,
                                "sparsity": 1 - kept / weights,
                                "effective_kept": round(0.95 * kept),
                                "effective_sparsity": 1 - round(0.95 * kept) / weights,
                                "threshold": 0.1 + 0.01 * seed if budget == "global" else np.nan,
                                "error_pruned_percent": 3 * error + (8 if mode == "regrown" else 0),
                                "error_percent": error,
                                "validation_error_percent": error,
                                "baseline_error_percent": 1.6,
                                "steps": 10000,
                            }
                        )
    return DataFrame(rows)


def _path(table: DataFrame) -> list[tuple[dict[str, Any], int, str, int, int]]:
    """Every net's rounds: its identity, seed, target or path, round and weights asked to be left."""
    found = []
    for names, part in table.groupby([*_IDENTITY[:-1], "seed"], sort=False):
        identity = dict(zip([*_IDENTITY[:-1], "seed"], names, strict=True))
        weights, last = int(part["weights"].iloc[0]), int(part["kept"].min())
        for turn in range(1, ROUNDS):
            kept = round(weights * (last / weights) ** (turn / ROUNDS))
            found.append((identity, int(identity["seed"]), "path", turn, kept))
        for target, kept in zip(part["target"], part["kept"], strict=True):
            turn = round(ROUNDS * math.log(weights / kept) / math.log(weights / last))
            found.append((identity, int(identity["seed"]), str(target), turn, int(kept)))
    return found


def rounds(table: DataFrame) -> DataFrame:
    """Errors of every round: tripled by a pruning, and falling again."""
    return DataFrame(
        {
            **{name: identity[name] for name in ("data", "recipe", "mode", "budget", "model")},
            "data_id": _DATA_ID,
            "target": target,
            "round": turn,
            "seed": seed,
            "kept_asked": kept,
            "kept": kept,
            "threshold": 0.01 * turn,
            "error_pruned_percent": 1.8 + 0.05 * turn**3 + 0.1 * seed,
            "error_percent": 1.6 + 0.01 * turn**2 + 0.05 * seed,
            "validation_error_percent": 1.6,
        }
        for identity, seed, target, turn, kept in _path(table)
    )


def layers(table: DataFrame, inputs: int = 784) -> DataFrame:
    """Kept weights of every layer and round, shared out as the budget says."""
    shares = {"global": (0.3, 0.5, 0.2), "layer": (0.85, 0.1, 0.05), "erk": (0.6, 0.3, 0.1), "lamp": (0.5, 0.35, 0.15)}
    rows = []
    for identity, seed, target, turn, kept in _path(table):
        weights = sizes(str(identity["model"]), inputs)
        for layer, share, size in zip(LAYERS, shares[str(identity["budget"])], weights, strict=True):
            left = min(size, round(share * kept))
            rows.append(
                {
                    **{name: identity[name] for name in ("data", "recipe", "mode", "budget", "model")},
                    "data_id": _DATA_ID,
                    "target": target,
                    "round": turn,
                    "layer": layer,
                    "seed": seed,
                    "weights": size,
                    "kept": left,
                    "kept_fraction": left / size,
                    "live_inputs": 300 + seed if layer == "fc1" else 80,
                    "live_units": 60,
                }
            )
    return DataFrame(rows)


def histograms(
    nets: Sequence[str] = NETS, targets: Sequence[str] = tuple(TARGETS), recipe: str = "strong"
) -> DataFrame:
    """Dense: a bell around 0. Pruned: a bell four times as wide with an empty centre."""
    rows = []
    for model in nets:
        for mode, budget, target in (
            ("dense", "dense", "dense"),
            *((mode, "global", target) for mode in ("masked", "regrown") for target in targets),
        ):
            for place, layer in enumerate(("all", *LAYERS)):
                sd = 0.04 * (1 + place) * (1 if target == "dense" else 4)
                edges = np.linspace(-4 * sd, 4 * sd, 62)
                middles = (edges[1:] + edges[:-1]) / 2
                heights = np.exp(-((middles / sd) ** 2) / 2)
                if target != "dense":
                    heights[np.abs(middles) < 0.5 * sd] = 0
                for left, right, share in zip(edges, edges[1:], 100 * heights / heights.sum(), strict=False):
                    rows.append(
                        {
                            "data": "mnist",
                            "data_id": _DATA_ID,
                            "recipe": recipe,
                            "mode": mode,
                            "budget": budget,
                            "model": model,
                            "target": target,
                            "layer": layer,
                            "left": left,
                            "right": right,
                            "share_percent": share,
                            "nonzero": 1000.0,
                        }
                    )
    return DataFrame(rows)


def pixels(nets: Sequence[str] = NETS, recipe: str = "strong", side: int = 28) -> DataFrame:
    """Mean weights of .05 where images are ever lit, in the middle half, and of .02 elsewhere."""
    rows = []
    for model in nets:
        for row in range(side):
            for column in range(side):
                lit = max(abs(row - side / 2), abs(column - side / 2)) < 0.4 * side
                rows.append(
                    {
                        "data": "mnist",
                        "data_id": _DATA_ID,
                        "recipe": recipe,
                        "model": model,
                        "row": row,
                        "column": column,
                        "mean_magnitude": 0.05 if lit else 0.02,
                        "ever_lit": lit,
                    }
                )
    return DataFrame(rows)


def joined(*tables: DataFrame) -> DataFrame:
    return pd.concat(tables, ignore_index=True)
