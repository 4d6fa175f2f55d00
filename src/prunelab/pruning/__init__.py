"""Pruning in four pieces that combine freely: criteria, selection, masks, and their application to networks."""

from prunelab.pruning.application import apply, check, from_torch, masked, prunable, to_torch, unwrap
from prunelab.pruning.budgets import keep_counts, keep_within, kept_counts, layer_counts
from prunelab.pruning.criteria import lamp, magnitude, random
from prunelab.pruning.masks import below_threshold, keep_largest, percentile

__all__ = [
    "apply",
    "below_threshold",
    "check",
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
