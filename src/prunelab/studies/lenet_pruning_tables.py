"""The rows and columns of the tables on pruned and retrained nets."""

from dataclasses import dataclass

from prunelab.studies.lenet_settings import SETTING_COLUMNS, SETTING_KEY, Setting

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
