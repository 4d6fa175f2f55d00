"""The tables of the penalties along training: records, keys, and what each column means."""

from dataclasses import dataclass

_NET = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of initialisation and order",
    "step": "training iterations done",
}
PENALTY_KEY = ("data", "model", "seed", "step", "layer", "score", "replacement", "part")
PENALTY_COLUMNS = {
    **_NET,
    "layer": "layer whose units were removed, or all",
    "score": "how the units were chosen; of each layer those with the lowest scores",
    "replacement": "none: zeroed; mean: their mean activation carried to the next biases",
    "part": "train: a fixed subset of the training part, none of it scored on; test: a fixed subset of the test part",
    "units": "units of the layer or layers",
    "removed": "units removed",
    "loss": "mean cross-entropy of the unpruned net [nats]",
    "penalty": "rise of the mean cross-entropy right after removal [nats]",
}
CURVE_KEY = ("data", "model", "seed", "step", "part")
CURVE_COLUMNS = {
    **_NET,
    "part": "train, validation or test: a fixed subset of it",
    "loss": "mean cross-entropy [nats]",
    "accuracy_percent": "accuracy [%]",
}
CHOICE_KEY = ("data", "model", "seed", "step", "layer", "score")
CHOICE_COLUMNS = {
    **_NET,
    "layer": "layer whose units were scored",
    "score": "how units were chosen",
    "units": "units of the layer",
    "chosen_fraction": "units chosen at least once since the first look, as a fraction of all [1]",
    "late_fraction": "the same since the first third of the training, may be empty before [1]",
}
SQUARE_KEY = ("data", "model", "seed", "step", "layer", "score", "unit")
SQUARE_COLUMNS = {
    **_NET,
    "layer": "layer whose units were chosen",
    "score": "how units were chosen",
    "unit": "place of the chosen unit in its layer",
    "mean_square": "its squared activation, mean over the examples scored on and positions",
}


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """One row: one removal of one net, measured on one part."""

    data: str
    data_id: str
    model: str
    seed: int
    step: int
    layer: str
    score: str
    replacement: str
    part: str
    units: int
    removed: int
    loss: float
    penalty: float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One row: a net in training, measured on one part."""

    data: str
    data_id: str
    model: str
    seed: int
    step: int
    part: str
    loss: float
    accuracy_percent: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One row: how many units one score has chosen so far."""

    data: str
    data_id: str
    model: str
    seed: int
    step: int
    layer: str
    score: str
    units: int
    chosen_fraction: float
    late_fraction: float | None


@dataclass(frozen=True, kw_only=True)
class Square:
    """One row: one unit chosen for removal."""

    data: str
    data_id: str
    model: str
    seed: int
    step: int
    layer: str
    score: str
    unit: int
    mean_square: float
