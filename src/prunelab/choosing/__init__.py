"""Choosing a threshold: families of prunings, bounds on what they cost and keep, and the search that meets them."""

from prunelab.choosing.bench import Bench, Metric, classification, verify
from prunelab.choosing.bisection import Choice, choose, search
from prunelab.choosing.bounds import Bounds, ImpossibleError, Kept, Tested
from prunelab.choosing.families import (
    FAMILIES,
    Family,
    Pruned,
    by_global,
    by_masks,
    by_name,
    by_quality,
    by_sensitivities,
    by_units,
    unit_scores,
)

__all__ = [
    "FAMILIES",
    "Bench",
    "Bounds",
    "Choice",
    "Family",
    "ImpossibleError",
    "Kept",
    "Metric",
    "Pruned",
    "Tested",
    "by_global",
    "by_masks",
    "by_name",
    "by_quality",
    "by_sensitivities",
    "by_units",
    "choose",
    "classification",
    "search",
    "unit_scores",
    "verify",
]
