"""The rows and columns of the tables on pruned and retrained nets."""

from dataclasses import dataclass

from prunelab.studies.lenet.settings import SETTING_COLUMNS, SETTING_KEY, Setting

_SEED = {"seed": "seed of the net, of the order of its examples and of nothing else"}


_COUNTS = {
    "kept_asked": "weights asked to be kept",
    "kept": "weights kept, counted in the masks",
}


_THRESHOLD = {
    "threshold": "smallest magnitude kept; may be empty unless one threshold holds for the whole net [weight units]"
}


_ERRORS = {
    "error_pruned_percent": "error on the test part right after the round's pruning [%]",
    "error_percent": "error on the test part after the round's training, last epoch [%]",
    "validation_error_percent": "error on the validation part then, of examples trained on where both parts train [%]",
}


PRUNED_KEY = (*SETTING_KEY, "seed")


PRUNED_COLUMNS = {
    **SETTING_COLUMNS,
    **_SEED,
    **_COUNTS,
    "weights": "prunable weights of the net",
    "sparsity": "fraction of them removed, counted",
    "effective_kept": "kept weights on a path from an input that is ever lit to an output",
    "effective_sparsity": "fraction of the prunable weights that are on no such path",
    **_THRESHOLD,
    **_ERRORS,
    "baseline_error_percent": "error of the dense net on the test part [%]",
    "steps": "training steps since the dense net",
}


ROUND_KEY = (*SETTING_KEY, "round", "seed")


ROUND_COLUMNS = {
    **SETTING_COLUMNS,
    "target": "the target whose last round it is, or path, for the rounds that all targets share",
    "round": "rounds of pruning so far",
    **_SEED,
    **_COUNTS,
    **_THRESHOLD,
    **_ERRORS,
}


LAYER_KEY = (*SETTING_KEY, "round", "layer", "seed")


LAYER_COLUMNS = {
    **SETTING_COLUMNS,
    "target": ROUND_COLUMNS["target"],
    "round": ROUND_COLUMNS["round"],
    "layer": "layer",
    **_SEED,
    "weights": "weights of the layer",
    "kept": "weights of the layer kept",
    "kept_fraction": "fraction of the layer's weights kept",
    "live_inputs": "inputs of the layer that a live path leads through",
    "live_units": "units of the layer that a live path leads through",
}


@dataclass(frozen=True, kw_only=True)
class Measured(Setting):
    """What the rows on rounds and on finished nets hold."""

    seed: int
    kept_asked: int
    kept: int
    threshold: float | None
    error_pruned_percent: float
    error_percent: float
    validation_error_percent: float


@dataclass(frozen=True, kw_only=True)
class Round(Measured):
    """One round of one net's pruning."""

    round: int


@dataclass(frozen=True, kw_only=True)
class Pruned(Measured):
    """One finished net."""

    weights: int
    sparsity: float
    effective_kept: int
    effective_sparsity: float
    baseline_error_percent: float
    steps: int


@dataclass(frozen=True, kw_only=True)
class Layer(Setting):
    """One layer in one round."""

    seed: int
    round: int
    layer: str
    weights: int
    kept: int
    kept_fraction: float
    live_inputs: int
    live_units: int


REMOVAL_KEY = (*SETTING_KEY, "removed", "treatment", "seed")


REMOVAL_COLUMNS = {
    **SETTING_COLUMNS,
    "seed": "seed of the net, and of the order of the examples when it is trained here",
    "removed": "hidden activation replaced by the identity: none, first, last or both",
    "treatment": "as trained (weights kept), retrained (trained on after the removal) or from scratch (without it)",
    "error_percent": "error on the test part [%]",
    "baseline_error_percent": "error of the same net with nothing removed, as trained [%]",
    "drop_points": "error minus that with nothing removed under the same treatment [points]",
}


DROP_KEY = (*SETTING_KEY, "treatment", "removed")


DROP_COLUMNS = {
    **{name: SETTING_COLUMNS[name] for name in SETTING_KEY},
    "treatment": "as trained, retrained or from scratch",
    "removed": "hidden activation replaced by the identity: first, last or both",
    "seeds": "nets measured",
    "error_percent": "error on the test part, mean over seeds [%]",
    "drop_points": "error minus that with nothing removed under the same treatment, mean over seeds [points]",
    "drop_low": "lower end of its 95 % t interval; may be empty [points]",
    "drop_high": "upper end of its 95 % t interval; may be empty [points]",
}


@dataclass(frozen=True, kw_only=True)
class RemovalRow(Setting):
    """One net without one of its activations, or two, after one treatment."""

    seed: int
    removed: str
    treatment: str
    error_percent: float
    baseline_error_percent: float
    drop_points: float


@dataclass(frozen=True, kw_only=True)
class Drop:
    """What one removal costs one kind of net after one treatment."""

    data: str
    recipe: str
    mode: str
    budget: str
    model: str
    target: str
    treatment: str
    removed: str
    seeds: int
    error_percent: float
    drop_points: float
    drop_low: float
    drop_high: float


_LAYER = "hidden layer"


_ACTIVITY_SEED = "seed of the net"


ACTIVE_KEY = (*SETTING_KEY, "layer", "seed")


ACTIVE_COLUMNS = {
    **SETTING_COLUMNS,
    "layer": _LAYER,
    "seed": _ACTIVITY_SEED,
    "units": "units of the layer",
    "live_units": "units on a path of nonzero weights from an input that is ever lit to an output",
    "active_fraction": "fraction of all units of the layer with output above 0, mean over the test images",
    "active_units": "the same as a count",
    "live_active_units": "those of them that are live; the others put out their bias, on every image alike",
    "chosen_active": "units with output above 0 on the one chosen image",
    "chosen_prediction": "class the net gives the chosen image",
}


CLASS_KEY = (*SETTING_KEY, "layer", "class_name", "seed")


CLASS_COLUMNS = {
    **SETTING_COLUMNS,
    "layer": _LAYER,
    "class_name": "class of the test images",
    "seed": _ACTIVITY_SEED,
    "active_fraction": "fraction of all units of the layer with output above 0, mean over the class's test images",
}


IMAGE_KEY = (*SETTING_KEY, "layer", "bin_left")


IMAGE_COLUMNS = {
    **SETTING_COLUMNS,
    "layer": _LAYER,
    "bin_left": "lower edge of the bin, fraction of the layer's units active on one image",
    "bin_right": "upper edge of the bin; it belongs to the next bin, that of the last to the last",
    "share_percent": "test images in the bin, mean over seeds [%]",
}


CHOSEN_KEY = ("data", "row", "column")


CHOSEN_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "index": "place of the chosen image among the test images, from 0",
    "class_name": "class of the chosen image",
    "row": "row of the pixel, from 0 at the top",
    "column": "column of the pixel, from 0 at the left",
    "value": "pixel value, mean over channels, 0 to 1",
}


ACTIVE_SOURCE_KEY = ("data", "recipe", "net", "target", "layer")


SOURCE_COLUMNS = {
    "data": "data set of our nets; the source's is MNIST",
    "recipe": "how our nets were trained",
    "net": "hidden widths",
    "target": "dense, or the weights left, as ours were asked for",
    "layer": _LAYER,
    "units": "units of the layer",
    "source_active": "units active on one image of a 6, as the source prints them",
    "chosen_active": "units active on the chosen image in ours, mean over seeds; may be empty (no such net)",
    "chosen_low": "lower end of its 95 % t interval; may be empty",
    "chosen_high": "upper end of its 95 % t interval; may be empty",
    "active_units": "units active in ours, mean over test images and seeds; may be empty",
    "seeds": "our nets behind it",
    "note": "what the source says beside its numbers; may be empty",
}


@dataclass(frozen=True, kw_only=True)
class ActiveRow(Setting):
    """One hidden layer of one net."""

    layer: str
    seed: int
    units: int
    live_units: int
    active_fraction: float  # [0, 1]
    active_units: float
    live_active_units: float
    chosen_active: int
    chosen_prediction: str


@dataclass(frozen=True, kw_only=True)
class ClassRow(Setting):
    """One hidden layer of one net on the test images of one class."""

    layer: str
    class_name: str
    seed: int
    active_fraction: float  # [0, 1]


@dataclass(frozen=True, kw_only=True)
class ImageRow(Setting):
    """One bin of the distribution over test images, mean over seeds."""

    layer: str
    bin_left: float
    bin_right: float
    share_percent: float


@dataclass(frozen=True, kw_only=True)
class PixelRow:
    """One pixel of the chosen image."""

    data: str
    data_id: str
    index: int
    class_name: str
    row: int
    column: int
    value: float  # [0, 1]


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """One number of the source beside ours."""

    data: str
    recipe: str
    net: str
    target: str
    layer: str
    units: int
    source_active: int
    chosen_active: float | None
    chosen_low: float | None
    chosen_high: float | None
    active_units: float | None
    seeds: int
    note: str
