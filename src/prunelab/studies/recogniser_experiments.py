"""The source's six experiments in its own columns, read off our sweeps: one block of rows a model, means over seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas import DataFrame

from prunelab.records import save_table, to_frame
from prunelab.stats import t_interval
from prunelab.studies.recogniser_tables import EXPERIMENT_COLUMNS, EXPERIMENT_KEY, ExperimentRow
from prunelab.studies.sparseness import at_scale

# As the source writes them, and the experiment that prunes this way first.
_WRITTEN = {"abs": "abs", "positive": "+", "negative": "-", "percentile": "pct"}
_FIRST = {"abs": 1, "positive": 2, "negative": 3}

# Beyond this the source's experiment 4 stops: both signs are lost.
_LOST = 60.0


def sign_experiments(table: DataFrame) -> dict[str, DataFrame]:
    """Lay a threshold sweep out as experiments 1 (both signs), 2 (positive), 3 (negative) and 4 (positive, negative).

    Experiment 4 repeats rows of 2 and 3, under their groups, up to the first threshold at which both signs err more
    than 60 points above the unpruned nets.

    Args:
        table: "threshold-sweep" of recognisers.

    Returns:
        "experiment-1" to "experiment-4" -> rows; columns as `EXPERIMENT_COLUMNS` says.
    """
    settings = ["method", "threshold"]
    experiments = {
        f"experiment-{number}": _experiment(table[table["method"] == method], number, settings)
        for method, number in _FIRST.items()
    }
    parts = []
    for (data, model), rows in table.groupby(["data", "model"], sort=False):
        until = _lost_from(rows)
        for name in ("experiment-2", "experiment-3"):
            block = experiments[name]
            block = block[(block["data"] == data) & (block["model"] == model)]
            parts.append(block[block["pruning_threshold"] <= until])
    return experiments | {"experiment-4": pd.concat(parts, ignore_index=True)}


def layer_experiment(table: DataFrame, threshold_scale: float) -> dict[str, DataFrame]:
    """Lay a one-layer sweep out as experiment 5: every layer at one threshold.

    Args:
        table: "layer-sensitivity" of recognisers.
        threshold_scale: root mean square weights; each model is shown at its nearest threshold.
    """
    return {"experiment-5": _experiment(at_scale(table, threshold_scale), 5, ["layer", "threshold"])}


def percentile_experiment(table: DataFrame) -> dict[str, DataFrame]:
    """Lay a comparison with percentiles out as experiment 6: percentiles first, then one threshold for the whole net.

    The seeds of a model share the fraction; the threshold shown for the whole net is the mean of theirs.

    Args:
        table: "percentile" of recognisers.
    """
    shown = table.assign(threshold=table["threshold"].fillna(table["setting"]))
    return {"experiment-6": _experiment(shown, 6, ["method", "setting"])}


def save(experiments: Mapping[str, DataFrame], folder: Path = Path("tables")) -> list[Path]:
    """Write each experiment's table."""
    return [
        save_table(rows, name, key=EXPERIMENT_KEY, columns=EXPERIMENT_COLUMNS, folder=folder)
        for name, rows in experiments.items()
    ]


def _experiment(table: DataFrame, number: int, settings: Sequence[str]) -> DataFrame:
    """Average over seeds, setting by setting in the order measured, and number the groups within each model."""
    rows = []
    for (data, model), part in table.groupby(["data", "model"], sort=False):
        for running, (_, seeds) in enumerate(part.groupby(list(settings), sort=False), start=1):
            rows.append(_row(seeds, data=data, model=model, group=f"{number}.{running}"))
    return to_frame(rows, EXPERIMENT_KEY)


def _row(seeds: DataFrame, **names: Any) -> ExperimentRow:
    best = t_interval(seeds["best_wer_percent"].to_numpy())
    several = best.n > 1
    return ExperimentRow(
        **names,
        pruned_layer=seeds["layer"].iloc[0] if "layer" in seeds else "all",
        pruning_method=_WRITTEN[seeds["method"].iloc[0]] if "method" in seeds else "abs",
        pruning_threshold=_short(float(seeds["threshold"].mean())),
        sparse_rate=round(100 * float(seeds["sparsity"].mean()), 2),
        best_wer=round(best.value, 2),
        best_wer_low=round(best.low, 2) if several else None,
        best_wer_high=round(best.high, 2) if several else None,
        wer=round(float(seeds["error_percent"].mean()), 2),
        seeds=best.n,
    )


def _lost_from(rows: DataFrame) -> float:
    """Give the first threshold at which both signs err more than the bound, on average over seeds; else the last."""
    means = rows.pivot_table("error_percent", index="threshold", columns="method")
    lost = means[["positive", "negative"]].min(axis=1) > rows["baseline_error_percent"].mean() + _LOST
    return _short(float(means.index[lost].min() if lost.any() else means.index.max()))


def _short(threshold: float) -> float:
    """Round to four significant figures, as thresholds in units of the weights are."""
    return float(f"{threshold:.4g}")
