"""The tables on choosing a threshold."""

from typing import Annotated as A

from prunelab.tables import Table

SEVERAL = "several"  # in `kind`: bounds on a drop and on counts, all at once
LATENCY = "max_latency_ms"
UPPER, VALUE, COUNT = "upper bound", "value", "count"
YES, NO = "yes", "no"


class Net(Table):
    """The net that is pruned."""

    data: A[str, "data set"]
    data_id: A[str, "content id of the data set"]
    model: A[str, "spec of the net"]


class Seed(Table):
    """One of these nets."""

    seed: A[int, "seed of the net, and of the training examples that sensitivities and units' scores are taken from"]


class Asked(Table):
    """What is searched for."""

    family: A[
        str,
        "nested prunings searched. global: smallest magnitudes of all layers; quality: a threshold of each layer, "
        "quality times the standard deviation of its weights; sensitivity: next where the loss rises least per "
        "weight; units: whole units, lowest score of all layers first, replaced by their means, and the net made "
        "smaller",
    ]
    kind: A[
        str,
        f"the bound, or {SEVERAL} at once. max_drop: accuracy lost; max_parameters: weights kept and all biases; "
        "max_bytes: of their values, each tensor dense or in compressed sparse rows, whichever is smaller; max_flops: "
        "operations of one example, 2 a kept weight; min_pruned, max_pruned: fraction of the weights removed; "
        "max_latency_ms: median of one call",
    ]
    asked: A[str, "the limit in words; percentages are of the dense net"]


class DecidedBy(Table):
    """What is held against a limit."""

    decided_by: A[
        str,
        f"{UPPER}: of what is measured, an upper confidence bound is held against the limit; {VALUE}: the value "
        f"measured itself; {COUNT}: what is counted is known",
    ]


class ThresholdChoices(DecidedBy, Asked, Seed, Net, key="data model seed family kind asked decided_by bound"):
    """One bound of one search, and what became of it."""

    bound: A[str, f"the one of the bounds that this row is about; of {SEVERAL} there are as many rows"]
    confidence: A[float | None, "of the upper bound, over all tests of a search; may be empty [probability]"]
    limit: A[float, "of this bound [points of accuracy, counts, fraction of the weights, ms]"]
    found: A[
        bool,
        "whether the search found a pruning that meets all bounds asked for; if not, the cells of the pruning may be "
        "empty",
    ]
    reason: A[str, "why there is none: the bound not met, and how close it came; may be empty"] = ""
    level: A[int | None, "of the family, counted in weights or units removed; may be empty"] = None
    levels: A[int, "the highest level of the family"]
    sparsity_percent: A[float | None, "prunable weights removed; may be empty [%]"] = None
    measurements: A[int, "prunings measured on validation examples in the search"]
    reached: A[
        float | None,
        "what the bound limits, as the search found it; may be empty where there is no pruning [as the limit]",
    ]
    upper: A[float | None, "its upper bound, on validation examples; may be empty [as the limit]"] = None
    beside: A[
        float | None,
        "the same, or its upper bound, at the nearest level on the other side of the limit, of those the search tells "
        "apart; may be empty where there is none, and for several bounds [as the limit]",
    ] = None
    again: A[float | None, "measured again on the pruned net, a drop on test examples; may be empty [as the limit]"] = (
        None
    )
    held: A[str, f"whether that is within the limit: {YES} or {NO}; may be empty"] = ""
    test_drop_points: A[
        float | None, "accuracy lost on test examples, whatever was asked for; may be empty [points]"
    ] = None


class ThresholdLatencies(ThresholdChoices, varies=True):
    """One search for a latency, measured anew in every run."""


class ThresholdTests(DecidedBy, Asked, Seed, Net, key="data model seed family kind asked decided_by test"):
    """One pruning measured in one search."""

    test: A[int, "place in the search, from 1"]
    level: A[int, "of the family, counted in weights or units removed"]
    sparsity_percent: A[float, "prunable weights removed [%]"]
    value: A[float, "measured on validation examples [points of accuracy]"]
    upper: A[float, "what was held against the limit [points of accuracy]"]
    held: A[str, f"whether it was within: {YES} or {NO}"]


class ThresholdsFound(Asked, Net, key="data model family kind asked"):
    """How far a bound lets a family prune."""

    sparsity_percent: A[float, "prunable weights removed, mean over the seeds that found a pruning [%]"]
    low: A[float, "lower end of its 95 % t interval; may be empty"]
    high: A[float, "upper end of its 95 % t interval; may be empty"]
    seeds: A[int, "nets of which a pruning was found"]


class ThresholdsHeld(DecidedBy, key="decided_by"):
    """How often what was found held when measured again: of counts all, of what is measured the drops alone."""

    found: A[int, "prunings found"]
    held: A[int, "of these, within their bound when measured again"]
    held_percent: A[float, "the same [%]"]
    low: A[float, "lower end of its 95 % exact binomial interval, as if all searches were independent"]
    high: A[float, "upper end of the same"]
    measurements: A[float, "prunings measured on validation examples in a search, mean"]
