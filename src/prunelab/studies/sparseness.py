"""Study 1, on image nets: what threshold pruning without retraining costs in error."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame
from tqdm import tqdm

from prunelab.data import Images
from prunelab.measure import Evaluation
from prunelab.measure.sweep import sweep, threshold_sweep
from prunelab.records import to_frame
from prunelab.studies.nets import error_percent
from prunelab.studies.prunings import Pruning, by_fraction, by_layer, by_sign, thresholds_of
from prunelab.studies.sparseness_tables import (
    LAYER_COLUMNS,
    LAYER_KEY,
    PERCENTILE_COLUMNS,
    PERCENTILE_KEY,
    THRESHOLD_COLUMNS,
    THRESHOLD_KEY,
    LayerRow,
    PercentileRow,
    ThresholdRow,
)
from prunelab.studies.stored_nets import Net

__all__ = ["at_scale", "layer_table", "percentile_table", "threshold_table", "thresholds_of"]


def threshold_table(nets: Sequence[Net], images: Images, thresholds: Mapping[str, Mapping[float, float]]) -> DataFrame:
    """Prune every net below every threshold: both signs, positive only, negative only (experiments 1 to 4).

    Args:
        nets: trained nets.
        images: measured on the test part.
        thresholds: see `thresholds_of`.

    Returns:
        One row a net, sign and threshold; columns as `THRESHOLD_COLUMNS` says.
    """
    rows = []
    for net in tqdm(nets, desc="threshold sweep", unit="net", leave=False):
        # Quicker than `sweep`: the three signs share the products of the first layer, the largest one.
        scores = threshold_sweep(net.module, images.test, list(thresholds[net.model]))
        baseline = _baseline(net, images)
        rows += [
            ThresholdRow(
                **_common(net, baseline, scores[pruning.fields["method"], pruning.fields["threshold"]], pruning)
            )
            for pruning in by_sign(net, thresholds[net.model])
        ]
    return to_frame(rows, THRESHOLD_KEY)[list(THRESHOLD_COLUMNS)]


def layer_table(nets: Sequence[Net], images: Images, thresholds: Mapping[str, Mapping[float, float]]) -> DataFrame:
    """Prune one layer at a time below every threshold, both signs (experiment 5).

    Args:
        nets: trained nets.
        images: measured on the test part.
        thresholds: see `thresholds_of`.

    Returns:
        One row a net, layer and threshold; columns as `LAYER_COLUMNS` says. `sparsity` counts all the net's weights,
        as the source does.
    """
    rows = []
    for net in tqdm(nets, desc="one layer at a time", unit="net", leave=False):
        prunings = list(by_layer(net, thresholds[net.model]))
        rows += [LayerRow(**row) for row in _measured(net, images, prunings)]
    return to_frame(rows, LAYER_KEY)[list(LAYER_COLUMNS)]


def percentile_table(nets: Sequence[Net], images: Images, fractions: Sequence[float]) -> DataFrame:
    """Prune the same fraction of each layer and sign, against one threshold for the whole net (experiment 6).

    Args:
        nets: trained nets.
        images: measured on the test part.
        fractions: parts of the weights to remove, [0, 1), for both methods.

    Returns:
        One row a net, method and fraction; columns as `PERCENTILE_COLUMNS` says.

    Raises:
        ValueError: no fraction, or one outside [0, 1).
    """
    rows = []
    for net in tqdm(nets, desc="percentile against global", unit="net", leave=False):
        prunings = list(by_fraction(net, fractions))
        rows += [PercentileRow(**row) for row in _measured(net, images, prunings)]
    return to_frame(rows, PERCENTILE_KEY)[list(PERCENTILE_COLUMNS)]


def at_scale(table: DataFrame, threshold_scale: float) -> DataFrame:
    """Keep each model's rows at its threshold nearest to `threshold_scale` root mean square weights.

    Raises:
        ValueError: a scale that is negative or not finite.
    """
    if not (np.isfinite(threshold_scale) and threshold_scale >= 0):
        raise ValueError(
            f"threshold_scale is a finite number of root mean square weights, at least 0; got {threshold_scale}"
        )
    parts = []
    for _, rows in table.groupby(["data", "model"], sort=False):
        nearest = rows["threshold"].iloc[int((rows["scale"] - threshold_scale).abs().argmin())]
        parts.append(rows[rows["threshold"] == nearest])
    nearby: DataFrame = pd.concat(parts, ignore_index=True)
    return nearby


def _measured(net: Net, images: Images, prunings: Sequence[Pruning]) -> list[dict[str, Any]]:
    baseline = _baseline(net, images)
    scores = sweep(net.module, images.test, (pruning.replaced() for pruning in prunings))
    return [_common(net, baseline, score, pruning) for pruning, score in zip(prunings, scores, strict=True)]


def _baseline(net: Net, images: Images) -> float:
    return error_percent(sweep(net.module, images.test, [{}])[0].accuracy)


def _common(net: Net, baseline: float, score: Evaluation, pruning: Pruning) -> dict[str, Any]:
    return {
        "data": net.data,
        "data_id": net.data_id,
        "model": net.model,
        "seed": net.seed,
        **pruning.fields,
        "sparsity": pruning.sparsity,
        "error_percent": error_percent(score.accuracy),
        "baseline_error_percent": baseline,
        "loss": score.loss,
    }
