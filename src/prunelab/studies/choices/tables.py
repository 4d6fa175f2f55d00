"""The tables on choosing a threshold: names, records, keys, and what each column means."""

from dataclasses import dataclass

SEVERAL = "several"  # in `kind`: bounds on a drop and on counts, all at once
LATENCY = "max_latency_ms"
UPPER, VALUE, COUNT = "upper bound", "value", "count"
YES, NO = "yes", "no"

_SEARCH = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the net, and of the training examples that sensitivities and units' scores are taken from",
    "family": "nested prunings searched. global: smallest magnitudes of all layers; quality: a threshold of each "
    "layer, quality times the standard deviation of its weights; sensitivity: next where the loss rises least per "
    "weight; units: whole units, lowest score of all layers first, replaced by their means, and the net made smaller",
    "kind": f"the bound, or {SEVERAL} at once. max_drop: accuracy lost; max_parameters: weights kept and all biases; "
    "max_bytes: of their values, each tensor dense or in compressed sparse rows, whichever is smaller; max_flops: "
    "operations of one example, 2 a kept weight; min_pruned, max_pruned: fraction of the weights removed; "
    "max_latency_ms: median of one call",
    "asked": "the limit in words; percentages are of the dense net",
    "decided_by": f"{UPPER}: of what is measured, an upper confidence bound is held against the limit; {VALUE}: the "
    f"value measured itself; {COUNT}: what is counted is known",
}
CHOICE_KEY = ("data", "model", "seed", "family", "kind", "asked", "decided_by", "bound")
CHOICE_COLUMNS = {
    **_SEARCH,
    "bound": f"the one of the bounds that this row is about; of {SEVERAL} there are as many rows",
    "confidence": "of the upper bound, over all tests of a search; may be empty [probability]",
    "limit": "of this bound [points of accuracy, counts, fraction of the weights, ms]",
    "found": "whether the search found a pruning that meets all bounds asked for; if not, the cells of the pruning may "
    "be empty",
    "reason": "why there is none: the bound not met, and how close it came; may be empty",
    "level": "of the family, counted in weights or units removed; may be empty",
    "levels": "the highest level of the family",
    "sparsity_percent": "prunable weights removed; may be empty [%]",
    "measurements": "prunings measured on validation examples in the search",
    "reached": "what the bound limits, as the search found it; may be empty where there is no pruning [as the limit]",
    "upper": "its upper bound, on validation examples; may be empty [as the limit]",
    "beside": "the same, or its upper bound, at the nearest level on the other side of the limit, of those the search "
    "tells apart; may be empty where there is none, and for several bounds [as the limit]",
    "again": "measured again on the pruned net, a drop on test examples; may be empty [as the limit]",
    "held": f"whether that is within the limit: {YES} or {NO}; may be empty",
    "test_drop_points": "accuracy lost on test examples, whatever was asked for; may be empty [points]",
}
TESTED_KEY = ("data", "model", "seed", "family", "kind", "asked", "decided_by", "test")
TESTED_COLUMNS = {
    **_SEARCH,
    "test": "place in the search, from 1",
    "level": "of the family, counted in weights or units removed",
    "sparsity_percent": "prunable weights removed [%]",
    "value": "measured on validation examples [points of accuracy]",
    "upper": "what was held against the limit [points of accuracy]",
    "held": f"whether it was within: {YES} or {NO}",
}


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What names a search."""

    data: str
    data_id: str
    model: str
    seed: int
    family: str
    kind: str
    asked: str
    decided_by: str


@dataclass(frozen=True, kw_only=True)
class ChoiceRow(Searched):
    """One bound of one search, and what became of it."""

    bound: str
    confidence: float | None
    limit: float
    found: bool
    reason: str = ""
    level: int | None = None
    levels: int
    sparsity_percent: float | None = None
    measurements: int
    reached: float | None = None
    upper: float | None = None
    beside: float | None = None
    again: float | None = None
    held: str = ""
    test_drop_points: float | None = None


@dataclass(frozen=True, kw_only=True)
class TestedRow(Searched):
    """One pruning measured in one search."""

    test: int
    level: int
    sparsity_percent: float
    value: float
    upper: float
    held: str
