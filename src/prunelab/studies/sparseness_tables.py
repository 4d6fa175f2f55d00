"""The rows and columns of study 1's tables."""

from dataclasses import dataclass

_NET_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the net",
}
_ERROR_COLUMNS = {
    "sparsity": "fraction of all prunable weights removed, counted",
    "error_percent": "error on the test part [%]",
    "baseline_error_percent": "error of the same net unpruned [%]",
    "loss": "mean cross-entropy on the test part [nats]",
}

THRESHOLD_KEY = ("data", "model", "method", "threshold", "seed")
THRESHOLD_COLUMNS = {
    **_NET_COLUMNS,
    "method": "abs, positive or negative: the sign of the weights removed",
    "threshold": "weights of smaller magnitude are removed [weight units]",
    "scale": "the threshold in units of the root mean square weight, mean over the nets of this model",
    **_ERROR_COLUMNS,
}
LAYER_KEY = ("data", "model", "layer", "threshold", "seed")
LAYER_COLUMNS = {
    **_NET_COLUMNS,
    "layer": "the one layer pruned",
    "threshold": THRESHOLD_COLUMNS["threshold"],
    "scale": THRESHOLD_COLUMNS["scale"],
    "layer_sparsity": "fraction of that layer's weights removed, counted",
    **_ERROR_COLUMNS,
}
PERCENTILE_KEY = ("data", "model", "method", "setting", "seed")
PERCENTILE_COLUMNS = {
    **_NET_COLUMNS,
    "method": "percentile (the same fraction of each layer and sign) or abs (one threshold for the whole net)",
    "setting": "fraction of the weights asked to be removed",
    "sparsity_asked": "the same fraction, as asked",
    **_ERROR_COLUMNS,
}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What every row of the three tables holds."""

    data: str
    data_id: str
    model: str
    seed: int
    sparsity: float
    error_percent: float
    baseline_error_percent: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class ThresholdRow(_Row):
    """One net pruned below one threshold, one sign or both."""

    method: str
    threshold: float
    scale: float


@dataclass(frozen=True, kw_only=True)
class LayerRow(_Row):
    """One net with one layer pruned."""

    layer: str
    threshold: float
    scale: float
    layer_sparsity: float


@dataclass(frozen=True, kw_only=True)
class PercentileRow(_Row):
    """One net pruned by one global threshold, or by the same fraction of each layer and sign."""

    method: str
    setting: float
    sparsity_asked: float


KNEE_KEY = ("data", "model", "method")
KNEE_COLUMNS = {
    "data": "data set",
    "model": "spec of the net",
    "method": "which weights are removed, and how",
    "seeds": "nets measured",
    "seeds_with_knee": "nets whose error ever exceeds the unpruned error by 20 points",
    "knee_percent": "sparsity at the knee, mean over seeds; may be empty where a seed has none [%]",
    "knee_low": "lower end of its 95 % t interval; may be empty [%]",
    "knee_high": "upper end of its 95 % t interval; may be empty [%]",
    "largest_sparsity_percent": "largest sparsity measured, mean over seeds [%]",
}

VERDICT_KEY = ("claim", "case")
VERDICT_COLUMNS = {
    "claim": "id of the claim",
    "case": "net and data it is decided on",
    "verdict": "reproduced, partly, not-reproduced or inconclusive",
    "effect": "what the rule measures; may be empty where the data do not reach [unit beside]",
    "low": "lower end of its 95 % interval over seeds; may be empty [unit beside]",
    "high": "upper end of its 95 % interval over seeds; may be empty [unit beside]",
    "unit": "of effect, low and high; may be empty where there is no effect",
    "n_seeds": "nets behind it",
    "reason": "the effect held against the rule's bound",
}


@dataclass(frozen=True, kw_only=True)
class Knee:
    """Where the error of one model leaves the unpruned error behind under one method."""

    data: str
    model: str
    method: str
    seeds: int
    seeds_with_knee: int
    knee_percent: float | None
    knee_low: float | None
    knee_high: float | None
    largest_sparsity_percent: float
