"""Choosing a threshold: families of prunings, bounds on what they cost and keep, and the search that meets them."""

from prunelab.choosing.bench import Bench, verify
from prunelab.choosing.bisection import Choice
from prunelab.choosing.bounds import Bounds, ImpossibleError, Kept, Tested
from prunelab.choosing.families import Family, Pruned, by_global, by_masks, by_quality, by_sensitivities
from prunelab.choosing.metrics import Metric, classification
from prunelab.choosing.named_families import FAMILIES, by_name
from prunelab.choosing.search import choose, search
from prunelab.choosing.unit_family import by_units, unit_scores

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
