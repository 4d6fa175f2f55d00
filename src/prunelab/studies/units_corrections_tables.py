"""The tables on what may be done about removed units: names, records, keys, and what each column means."""

from collections.abc import Mapping
from dataclasses import dataclass

from prunelab.pruning.unit_removal import Bias, Mean

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


_NET = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the net, of random scores and of the order of the examples it is tuned on",
}
_SCORE = "how the units were chosen; of each layer those with the lowest scores"
CORRECTION_KEY = ("data", "model", "seed", "layer", "score", "correction", "part")
CORRECTION_COLUMNS = {
    **_NET,
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
    **_NET,
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
