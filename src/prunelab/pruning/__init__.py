"""Pruning in four pieces that combine freely: criteria, selection, masks, and their application to networks."""

from prunelab.pruning.application import apply, check, masked, prunable
from prunelab.pruning.criteria import magnitude, random
from prunelab.pruning.interop import from_torch, to_torch, unwrap
from prunelab.pruning.masks import below_threshold, keep_largest, percentile

__all__ = [
    "apply",
    "below_threshold",
    "check",
    "from_torch",
    "keep_largest",
    "magnitude",
    "masked",
    "percentile",
    "prunable",
    "random",
    "to_torch",
    "unwrap",
]
