"""What study 1 removes from a net: the settings of its sweeps, with their masks, whatever the net is measured by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from torch import Tensor

from prunelab.pruning import below_threshold, keep_largest, masked, percentile, prunable
from prunelab.pruning.kinds import find, named
from prunelab.pruning.masks import SIGNS
from prunelab.studies.common.nets import Net

METHODS = tuple(named("method"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Pruning:
    """One setting of a sweep, on one net."""

    fields: Mapping[str, Any]  # what names the setting in its table
    sparsity: float  # fraction of all prunable weights of the net, counted
    weights: Mapping[str, Tensor]  # those the masks are for
    masks: Mapping[str, Tensor]

    def replaced(self) -> dict[str, Tensor]:
        """Give the weights that the masks leave, by name."""
        return masked(self.weights, self.masks)

    @property
    def threshold(self) -> float:
        """Smallest magnitude that is kept: the threshold this setting amounts to."""
        kept = [weight[self.masks[name]].abs() for name, weight in self.weights.items()]
        return min(float(magnitudes.min()) for magnitudes in kept if magnitudes.numel())


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


def by_sign(net: Net, thresholds: Mapping[float, float]) -> Iterator[Pruning]:
    """Prune below every threshold: both signs, positive only, negative only (experiments 1 to 4).

    Args:
        net: a trained net.
        thresholds: threshold -> scale, one model's of `thresholds_of`.
    """
    weights = prunable(net.module)
    for sign in SIGNS:
        for threshold, scale in sorted(thresholds.items()):
            masks = below_threshold(weights, threshold, sign)
            fields = {"method": sign, "threshold": threshold, "scale": scale}
            yield Pruning(fields=fields, sparsity=_removed(masks), weights=weights, masks=masks)


def by_layer(net: Net, thresholds: Mapping[float, float]) -> Iterator[Pruning]:
    """Prune one layer at a time below every threshold, both signs (experiment 5).

    Args:
        net: a trained net.
        thresholds: threshold -> scale, one model's of `thresholds_of`.
    """
    weights = prunable(net.module)
    total = sum(weight.numel() for weight in weights.values())
    for name, weight in weights.items():
        for threshold, scale in thresholds.items():
            masks = below_threshold({name: weight}, threshold)
            layer_sparsity = _removed(masks)
            fields = {
                "layer": name.removesuffix(".weight"),
                "threshold": threshold,
                "scale": scale,
                "layer_sparsity": layer_sparsity,
            }
            sparsity = layer_sparsity * weight.numel() / total
            yield Pruning(fields=fields, sparsity=sparsity, weights={name: weight}, masks=masks)


def by_fraction(net: Net, fractions: Sequence[float], methods: Sequence[str] = METHODS) -> Iterator[Pruning]:
    """Prune the same fraction of each layer and sign, or of the whole net by one threshold (experiment 6).

    Args:
        net: a trained net.
        fractions: parts of the weights to remove, [0, 1), for every method.
        methods: of `METHODS`.

    Raises:
        ValueError: no fraction, one outside [0, 1), one that rounds to all weights, or an unknown method.
    """
    if not fractions:
        raise ValueError("a comparison needs at least one fraction of weights to remove; fractions is empty")
    weights = prunable(net.module)
    for method in methods:
        kind = find("method", method)
        scores = {} if kind.share == "each sign" else kind.scores({"weights": lambda: weights})
        for fraction in fractions:
            masks = keep_largest(scores, fraction) if scores else percentile(weights, fraction)
            if not any(bool(mask.any()) for mask in masks.values()):
                raise ValueError(f"fractions leave some weights; {fraction!r} takes all from {net.model}: lower it")
            fields = {"method": method, "setting": fraction, "sparsity_asked": fraction}
            yield Pruning(fields=fields, sparsity=_removed(masks), weights=weights, masks=masks)


def _rms(nets: Sequence[Net]) -> dict[str, float]:
    """Average the root mean square weight over the nets of each model."""
    ordered = sorted(nets, key=lambda net: net.model)
    return {
        model: float(np.mean([net.weight_rms for net in group]))
        for model, group in groupby(ordered, key=lambda net: net.model)
    }


def _removed(masks: Mapping[str, Tensor]) -> float:
    total = sum(mask.numel() for mask in masks.values())
    return sum(int((~mask).sum()) for mask in masks.values()) / total
