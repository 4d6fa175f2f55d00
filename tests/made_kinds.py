"""Tables on kinds of pruning function as their runs leave them, made up: shapes as measured, numbers chosen."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab.studies.kinds.experiment import KINDS
from prunelab.studies.kinds.tables import Kinds, KindsCosts, Tried, Weights

DATA, MODEL = "mnist", "lenet-300-100-relu"
BUDGETS = (0.5, 0.9)
WEIGHTS = 1000
# Error (%) at the first and the second budget, one-shot; retraining halves them.
ERRORS: Mapping[str, tuple[float, float]] = {
    "magnitude": (4.0, 20.0),
    "l1": (4.0, 16.0),
    "l2": (4.0, 18.0),
    "gradient": (10.0, 60.0),
    "gradient-abs": (8.0, 50.0),
    "saliency": (6.0, 40.0),
    "saliency-abs": (5.0, 30.0),
    "random": (40.0, 90.0),
    "units-norm": (12.0, 80.0),
    "units-mrs-abs": (9.0, 44.0),
}
DENSE = 2.0


def kinds(
    errors: Mapping[str, tuple[float, float]] = ERRORS,
    *,
    seeds: int = 3,
    sway: float = 0.5,
    ways: Sequence[bool] = (False, True),
    model: str = MODEL,
    data: str = DATA,
    scope: str = "global",
) -> DataFrame:
    """Errors that move by -sway, 0, +sway, ... from seed to seed, all kinds alike but random, which stays."""
    rows = []
    for (kind, levels), way, seed in itertools.product(errors.items(), ways, range(seeds)):
        off = 0.0 if kind == "random" else sway * (seed - (seeds - 1) / 2)
        for budget, level in zip(BUDGETS, levels, strict=True):
            kept = round((1 - budget) * WEIGHTS) + (3 if KINDS[kind].units else 0)
            error = level / (2 if way else 1) + off
            rows.append(
                {
                    "data": data,
                    "data_id": "0123456789ab",
                    "model": model,
                    "kind": kind,
                    "scope": scope,
                    "retrained": way,
                    "sparsity_asked": budget,
                    "seed": seed,
                    "strength": 1e-4 if KINDS[kind].penalty != "none" else 0.0,
                    "weights": WEIGHTS,
                    "kept": kept,
                    "sparsity": 1 - kept / WEIGHTS,
                    "removed_squares_percent": 100 * budget,
                    "validation_error_percent": error + 0.5,
                    "error_percent": error,
                    "dense_validation_error_percent": DENSE + 0.5,
                    "dense_error_percent": DENSE,
                }
            )
    return Kinds.frame(rows)


def costs(table: DataFrame) -> DataFrame:
    """A tenth of the training part to score on, ten passes to train on, two strengths tried."""
    found = table.drop_duplicates(["data", "model", "kind"])
    rows = [
        {
            **{name: row[name] for name in ("data", "data_id", "model", "kind")},
            "removes": "whole units" if KINDS[row["kind"]].units else "single weights",
            "ranks_by": KINDS[row["kind"]].ranks_by,
            "forward_passes": 0.1 if row["kind"] == "units-norm" else 0.0,
            "gradient_passes": 0.1 if KINDS[row["kind"]].backward else 0.0,
            "training_passes": 10.0 if row["kind"] in ("l1", "l2") else 0.0,
            "choosing_passes": 10.0 if row["kind"] in ("l1", "l2") else 0.0,
            "retraining_passes": 2.0,
        }
        for row in found.to_dict("records")
    ]
    return KindsCosts.frame(rows)


def weights(table: DataFrame) -> DataFrame:
    """Ten bins from -.5 to .5: what is removed lies in the four inner ones, what is kept in the others."""
    edges = np.linspace(-0.5, 0.5, 11).round(3)
    rows = [
        {
            **{name: row[name] for name in ("data", "data_id", "model", "kind", "scope")},
            "sparsity_asked": 0.9,
            "which": which,
            "left": left,
            "right": right,
            "share_percent": 22.5 * inner if which == "removed" else 10 / 6 * (not inner),
        }
        for row in table.drop_duplicates(["data", "model", "kind"]).to_dict("records")
        for which in ("removed", "kept", "retrained")
        for left, right in itertools.pairwise(edges)
        for inner in [abs(left + right) < 0.4]
    ]
    return Weights.frame(rows)


def tried(table: DataFrame) -> DataFrame:
    """Two strengths of each penalty, the weaker chosen."""
    first = table.iloc[0]
    rows = [
        {
            **{name: first[name] for name in ("data", "data_id", "model")},
            "penalty": penalty,
            "strength": strength,
            "seed": 0,
            "validation_error_percent": 10.0 + 1000 * strength,
            "dense_validation_error_percent": 2.0,
            "chosen": strength == 1e-4,
        }
        for penalty in ("l1", "l2")
        for strength in (1e-4, 1e-3)
    ]
    return Tried.frame(rows)


def run(folder: Path, table: DataFrame, *, optional: bool = True) -> str:
    """Leave what a run of the notebook leaves; give its folder."""
    made = {Kinds: table, KindsCosts: costs(table)}
    if optional:
        made |= {Weights: weights(table), Tried: tried(table)}
    for kind, rows in made.items():
        kind.save(rows, folder=folder / "tables")
    return str(folder)


def two_nets() -> DataFrame:
    """The same kinds on images and on speech, where single weights fare worse."""
    worse = {kind: (first, min(second + 10, 95.0)) for kind, (first, second) in ERRORS.items()}
    return pd.concat([kinds(), kinds(worse, model="acoustic-6x256-relu", data="fsdd")], ignore_index=True)
