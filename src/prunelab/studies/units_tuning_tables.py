"""The tables on nets trained on after units were removed: records, keys, and what each column means."""

from dataclasses import dataclass

NOTHING = "nothing"  # in `score`: the control, nets tuned alike with all their units
NOWHERE = "none"  # in `layer`: of the control

_NET = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the net, and of the order of the examples it is tuned on",
}
_REPLACEMENT = "none: set to zero; mean: their mean activation carried to the next biases"
_PART = "train: a fixed subset of the training part, none of it scored on; test: a fixed subset of the test part"

FINE_TUNED_KEY = ("data", "model", "seed", "step", "layer", "score", "replacement", "tuning_steps", "part")
FINE_TUNED_COLUMNS = {
    **_NET,
    "step": "training iterations done before the removal",
    "layer": f"layer whose units were removed; all: every one at once; {NOWHERE}: of the control",
    "score": f"how the units were chosen; {NOTHING}: the control, none removed and tuned alike",
    "replacement": f"what stands for the removed units. {_REPLACEMENT}",
    "tuning_steps": "training iterations done since the removal, with the units kept out",
    "part": _PART,
    "loss": "mean cross-entropy of the net before the removal [nats]",
    "penalty": "mean cross-entropy after removal and tuning minus that before both [nats]",
}
ITERATIVE_KEY = ("data", "model", "seed", "schedule", "score", "replacement", "removed_percent", "part")
ITERATIVE_COLUMNS = {
    **_NET,
    "schedule": "iterative: removed in rounds with tuning behind each, scored anew; one shot: removed at once, no "
    "tuning; one shot, tuned: removed at once, then the tuning of one round",
    "score": f"how the units were chosen; {NOTHING}: the control, tuned as often with none removed",
    "replacement": f"what stands for the removed units. {_REPLACEMENT}",
    "removed_percent": "share of each layer's units removed, to the nearest unit; of the control that of the nets it "
    "stands beside [%]",
    "part": _PART,
    "loss": "mean cross-entropy [nats]",
    "accuracy_percent": "accuracy [%]",
}


@dataclass(frozen=True, kw_only=True)
class FineTuned:
    """One row: one removal from one net, after some steps of tuning, measured on one part."""

    data: str
    data_id: str
    model: str
    seed: int
    step: int
    layer: str
    score: str
    replacement: str
    tuning_steps: int
    part: str
    loss: float
    penalty: float


@dataclass(frozen=True, kw_only=True)
class Iterative:
    """One row: one net with some share of its units removed in one way, measured on one part."""

    data: str
    data_id: str
    model: str
    seed: int
    schedule: str
    score: str
    replacement: str
    removed_percent: float
    part: str
    loss: float
    accuracy_percent: float
