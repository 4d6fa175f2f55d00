"""What the tables on kinds of pruning function hold, row by row and column by column."""

from dataclasses import dataclass

_NET = {
    "data": "data set, or source of the recordings",
    "data_id": "content id of the data",
    "model": "spec of the net",
}
_KIND = {
    "kind": "pruning function: what the net is trained with, and what is ranked",
    "scope": "global (all layers are ranked together) or layer (the same fraction of each layer)",
}
ENDS = {
    "low": "lower end of its 95 % t interval over seeds; may be empty",
    "high": "upper end of its 95 % t interval over seeds; may be empty",
}

KINDS_KEY = ("data", "model", "kind", "retrained", "scope", "sparsity_asked", "seed")
KINDS_COLUMNS = {
    **_NET,
    **_KIND,
    "retrained": "whether the weights left were trained on after the pruning",
    "sparsity_asked": "fraction of the weights to be removed",
    "seed": "seed of the net, of its retraining and of random scores",
    "strength": "of the penalty that the net was trained with, chosen on the validation part; 0 without one",
    "weights": "prunable weights",
    "kept": "of these, left",
    "sparsity": "fraction removed, counted; of whole units as near to that asked as they allow",
    "removed_squares_percent": "what the removed weights had of the sum of all squared weights [%]",
    "validation_error_percent": "error on the validation part; of speech, word error rate [%]",
    "error_percent": "the same on the test part [%]",
    "dense_validation_error_percent": "error of the same net unpruned on the validation part [%]",
    "dense_error_percent": "error of the same net unpruned on the test part [%]",
}

TRIED_KEY = ("data", "model", "penalty", "strength", "seed")
TRIED_COLUMNS = {
    **_NET,
    "penalty": "l1 (per unit of summed |w|) or l2 (per unit of half the summed w²), weights only",
    "strength": "strength tried",
    "seed": "seed of the one net tried",
    "validation_error_percent": "error on the validation part, one-shot, mean over budgets; the lowest is chosen [%]",
    "dense_validation_error_percent": "error of the same net unpruned on the validation part [%]",
    "chosen": "whether all nets with this penalty are trained at this strength",
}

WEIGHTS_KEY = ("data", "model", "kind", "scope", "sparsity_asked", "which", "left")
WEIGHTS_COLUMNS = {
    **_NET,
    **_KIND,
    "sparsity_asked": KINDS_COLUMNS["sparsity_asked"],
    "which": "removed, kept (both as they were before), or retrained (those kept, afterwards)",
    "left": "lower end of the bin [weight units]",
    "right": "upper end of the bin [weight units]",
    "share_percent": "weights in the bin, of all weights of the net, mean over seeds [%]",
}

COSTS_KEY = ("data", "model", "kind")
COSTS_COLUMNS = {
    **_NET,
    "kind": _KIND["kind"],
    "removes": "single weights, or whole units",
    "ranks_by": "what is smallest in what goes first: w weight, g gradient of the loss, a activation, ā its mean",
    "forward_passes": "passes over the training part without gradients, to rank or to replace",
    "gradient_passes": "passes over the training part with gradients, to rank",
    "training_passes": "passes of training with its penalty; 0 where a net trained without one is pruned",
    "choosing_passes": "passes of training more, to choose the strength of the penalty",
    "retraining_passes": "passes of training after the pruning, where nets are retrained",
}


@dataclass(frozen=True, kw_only=True)
class KindRow:
    """One row of the table of kinds: one net, pruned and measured once."""

    data: str
    data_id: str
    model: str
    kind: str
    scope: str
    retrained: bool
    sparsity_asked: float
    seed: int
    strength: float
    weights: int
    kept: int
    sparsity: float
    removed_squares_percent: float
    validation_error_percent: float
    error_percent: float
    dense_validation_error_percent: float
    dense_error_percent: float


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One row of the search for the strength of a penalty."""

    data: str
    data_id: str
    model: str
    penalty: str
    strength: float
    seed: int
    validation_error_percent: float
    dense_validation_error_percent: float
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One row of what a kind costs, in passes over the training part."""

    data: str
    data_id: str
    model: str
    kind: str
    removes: str
    ranks_by: str
    forward_passes: float
    gradient_passes: float
    training_passes: float
    choosing_passes: float
    retraining_passes: float
