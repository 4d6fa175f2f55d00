"""Pruning in four pieces that combine freely: criteria, selection, masks, and their application to networks."""

from prunelab.pruning.application import apply, check, masked, prunable
from prunelab.pruning.budgets import erk_densities, keep_counts, keep_within, kept_counts, layer_counts
from prunelab.pruning.criteria import lamp, magnitude, random
from prunelab.pruning.interop import from_torch, to_torch, unwrap
from prunelab.pruning.masks import below_threshold, keep_largest, percentile

__all__ = [
    "apply",
    "below_threshold",
    "check",
    "erk_densities",
    "from_torch",
    "keep_counts",
    "keep_largest",
    "keep_within",
    "kept_counts",
    "lamp",
    "layer_counts",
    "magnitude",
    "masked",
    "percentile",
    "prunable",
    "random",
    "to_torch",
    "unwrap",
]
