"""The tables of the penalties along training: records, keys, and what each column means."""

from collections.abc import Mapping
from dataclasses import dataclass

from prunelab.pruning.unit_removal import Bias, Mean

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


ZEROED = "zeroed"


# Constants in the units' place: which mean, and how the next bias holds what the consumer makes of it.
MEAN_CORRECTIONS: Mapping[str, tuple[Mean, Bias]] = {
    "mean before pooling": ("before pooling", "average"),
    "mean after pooling": ("after pooling", "average"),
    "mean per position": ("per position", "average"),
    "mean before pooling, interior": ("before pooling", "interior"),
    "mean before pooling, map": ("before pooling", "map"),
    "mean per position, map": ("per position", "map"),
}


FITTED = "least squares"


STATISTICS = "statistics"


def tuned(steps: int) -> str:
    """Name the correction that trains on for some steps."""
    return f"{steps} steps"


_CORRECTED_NET = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the net, of random scores and of the order of the examples it is tuned on",
}


_SCORE = "how the units were chosen; of each layer those with the lowest scores"


CORRECTION_KEY = ("data", "model", "seed", "layer", "score", "correction", "part")


CORRECTION_COLUMNS = {
    **_CORRECTED_NET,
    "layer": "layer whose units were removed",
    "score": _SCORE,
    "correction": f"what was done about it. {ZEROED}: nothing; mean: their mean activation in their place (before or "
    "after pooling, or at each position its own), carried to the next bias as the response averaged over positions, "
    "or away from the border (interior), or left as a map, which no bias holds; "
    f"{FITTED}: all weights and the bias of the next layer fitted anew; {STATISTICS}: running statistics of all batch "
    "normalisation measured again; steps: trained on, with the units kept out",
    "part": "train: a fixed subset of the training part, none of it scored on or fitted to; test: a fixed subset of "
    "the test part",
    "units": "units of the layer",
    "removed": "units removed",
    "loss": "mean cross-entropy of the net before the removal [nats]",
    "penalty": "mean cross-entropy after removal and correction minus that before both [nats]",
    "control": "the same where no unit was removed; 0 where the correction then changes nothing [nats]",
    "left_percent": "mean squared distance of the next layer's pre-activations from the unpruned net's, in the mean "
    "over the examples fitted to and positions, in that of zeroed units; may be empty: where zeroing changes nothing, "
    "and where more than this layer is corrected [%]",
    "operations": "floating-point operations that the correction costs beyond zeroing, in those of one training step: "
    "the passes over the examples that means, moments or statistics are taken from, what is computed of them, and "
    "training steps",
}


AGREEMENT_KEY = ("data", "model", "seed", "layer", "score", "replacement")


AGREEMENT_COLUMNS = {
    **_CORRECTED_NET,
    "layer": "layer whose units were scored",
    "score": "what they were scored by",
    "replacement": "of the exact loss change. none: each unit zeroed alone; mean: replaced by its mean alone (before "
    "pooling, carried to the next bias)",
    "units": "units of the layer",
    "examples": "training examples the exact loss change was measured on, none of them scored on",
    "tau": "Kendall's rank correlation (tau-b) of the score with the exact loss change over the units; may be empty "
    "where all units tie [-1 to 1]",
}


@dataclass(frozen=True, kw_only=True)
class Correction:
    """One row: one removal from one net, corrected in one way, measured on one part."""

    data: str
    data_id: str
    model: str
    seed: int
    layer: str
    score: str
    correction: str
    part: str
    units: int
    removed: int
    loss: float
    penalty: float
    control: float
    left_percent: float | None
    operations: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One row: how one score orders the units of one layer, against the exact loss change."""

    data: str
    data_id: str
    model: str
    seed: int
    layer: str
    score: str
    replacement: str
    units: int
    examples: int
    tau: float | None


NOTHING = "nothing"  # in `score`: the control, nets tuned alike with all their units


NOWHERE = "none"  # in `layer`: of the control


_TUNED_NET = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the net, and of the order of the examples it is tuned on",
}


_REPLACEMENT = "none: set to zero; mean: their mean activation carried to the next biases"


_PART = "train: a fixed subset of the training part, none of it scored on; test: a fixed subset of the test part"


FINE_TUNED_KEY = ("data", "model", "seed", "step", "layer", "score", "replacement", "tuning_steps", "part")


FINE_TUNED_COLUMNS = {
    **_TUNED_NET,
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
    **_TUNED_NET,
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
