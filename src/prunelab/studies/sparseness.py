"""Study 1, on image nets: what threshold pruning without retraining costs in error."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame
from torch import Tensor
from tqdm import tqdm

from prunelab.data import Images
from prunelab.measure import Evaluation
from prunelab.measure.sweep import SIGNS, sweep, threshold_sweep
from prunelab.pruning import below_threshold, keep_largest, magnitude, masked, percentile, prunable
from prunelab.records import to_frame
from prunelab.studies.nets import error_percent
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


def thresholds_of(
    nets: Sequence[Net], thresholds: Sequence[float], scales: Sequence[float]
) -> dict[str, dict[float, float]]:
    """Fix the thresholds each model is pruned at: as given, or in units of its own weights.

    Args:
        nets: trained nets.
        thresholds: absolute weight values for every model; empty to use `scales`.
        scales: thresholds in units of the root mean square weight, averaged over a model's nets, so that its seeds
            share their thresholds and nets of different weight scale compare.

    Returns:
        Model -> threshold -> scale.

    Raises:
        ValueError: neither is given, or a value is negative or not finite.
    """
    given = list(thresholds) or list(scales)
    if not given:
        raise ValueError(
            "a sweep needs thresholds (weight units) or scales (in root mean square weights); both are empty"
        )
    if not all(np.isfinite(value) and value >= 0 for value in given):
        raise ValueError(f"a threshold is a finite weight magnitude, at least 0; got {given}")
    fixed = {}
    for model, rms in _rms(nets).items():
        # Four significant figures: a threshold that a reader can type again.
        absolute = list(thresholds) or [float(f"{scale * rms:.4g}") for scale in scales]
        fixed[model] = {threshold: threshold / rms for threshold in sorted(set(absolute))}
    return fixed


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
        scores = threshold_sweep(net.module, images.test, list(thresholds[net.model]))
        weights = prunable(net.module)
        baseline = _baseline(net, images)
        rows += [
            ThresholdRow(
                **_common(net, baseline, score, _removed(below_threshold(weights, threshold, sign))),
                method=sign,
                threshold=threshold,
                scale=thresholds[net.model][threshold],
            )
            for (sign, threshold), score in sorted(
                scores.items(), key=lambda item: (SIGNS.index(item[0][0]), item[0][1])
            )
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
        weights = prunable(net.module)
        total = sum(weight.numel() for weight in weights.values())
        baseline = _baseline(net, images)
        settings = [(name, threshold) for name in weights for threshold in thresholds[net.model]]
        masks = [below_threshold({name: weights[name]}, threshold) for name, threshold in settings]
        scores = sweep(
            net.module,
            images.test,
            (masked({name: weights[name]}, mask) for (name, _), mask in zip(settings, masks, strict=True)),
        )
        for (name, threshold), mask, score in zip(settings, masks, scores, strict=True):
            layer_sparsity = _removed(mask)
            rows.append(
                LayerRow(
                    **_common(net, baseline, score, layer_sparsity * weights[name].numel() / total),
                    layer=name.removesuffix(".weight"),
                    threshold=threshold,
                    scale=thresholds[net.model][threshold],
                    layer_sparsity=layer_sparsity,
                )
            )
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
    if not fractions:
        raise ValueError("a comparison needs at least one fraction of weights to remove; fractions is empty")
    rows = []
    for net in tqdm(nets, desc="percentile against global", unit="net", leave=False):
        weights = prunable(net.module)
        baseline = _baseline(net, images)
        scores_of = magnitude(weights)
        ways = {
            "percentile": [percentile(weights, fraction) for fraction in fractions],
            "abs": [keep_largest(scores_of, fraction) for fraction in fractions],
        }
        for method, masks in ways.items():
            scores = sweep(net.module, images.test, (masked(weights, mask) for mask in masks))
            rows += [
                PercentileRow(
                    **_common(net, baseline, score, _removed(mask)),
                    method=method,
                    setting=fraction,
                    sparsity_asked=fraction,
                )
                for fraction, mask, score in zip(fractions, masks, scores, strict=True)
            ]
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


def _rms(nets: Sequence[Net]) -> dict[str, float]:
    """Average the root mean square weight over the nets of each model."""
    ordered = sorted(nets, key=lambda net: net.model)
    return {
        model: float(np.mean([net.weight_rms for net in group]))
        for model, group in groupby(ordered, key=lambda net: net.model)
    }


def _baseline(net: Net, images: Images) -> float:
    return error_percent(sweep(net.module, images.test, [{}])[0].accuracy)


def _removed(masks: Mapping[str, Tensor]) -> float:
    total = sum(mask.numel() for mask in masks.values())
    return sum(int((~mask).sum()) for mask in masks.values()) / total


def _common(net: Net, baseline: float, score: Evaluation, sparsity: float) -> dict[str, Any]:
    return {
        "data": net.data,
        "data_id": net.data_id,
        "model": net.model,
        "seed": net.seed,
        "sparsity": sparsity,
        "error_percent": error_percent(score.accuracy),
        "baseline_error_percent": baseline,
        "loss": score.loss,
    }
