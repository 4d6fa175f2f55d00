"""The rows and columns of study 1's tables."""

from dataclasses import dataclass

NET_COLUMNS = {
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

# What names a setting, whatever the net is measured by.
THRESHOLD_SETTING = {
    "method": "abs, positive or negative: the sign of the weights removed",
    "threshold": "weights of smaller magnitude are removed [weight units]",
    "scale": "the threshold in units of the root mean square weight, mean over the nets of this model",
}
LAYER_SETTING = {
    "layer": "the one layer pruned",
    "threshold": THRESHOLD_SETTING["threshold"],
    "scale": THRESHOLD_SETTING["scale"],
    "layer_sparsity": "fraction of that layer's weights removed, counted",
}
PERCENTILE_SETTING = {
    "method": "percentile (the same fraction of each layer and sign) or abs (one threshold for the whole net)",
    "setting": "fraction of the weights asked to be removed",
    "sparsity_asked": "the same fraction, as asked",
}

THRESHOLD_KEY = ("data", "model", "method", "threshold", "seed")
THRESHOLD_COLUMNS = {
    **NET_COLUMNS,
    **THRESHOLD_SETTING,
    **_ERROR_COLUMNS,
}
LAYER_KEY = ("data", "model", "layer", "threshold", "seed")
LAYER_COLUMNS = {
    **NET_COLUMNS,
    **LAYER_SETTING,
    **_ERROR_COLUMNS,
}
PERCENTILE_KEY = ("data", "model", "method", "setting", "seed")
PERCENTILE_COLUMNS = {
    **NET_COLUMNS,
    **PERCENTILE_SETTING,
    **_ERROR_COLUMNS,
}


@dataclass(frozen=True, kw_only=True)
class NetRow:
    """What every row of the study's tables holds."""

    data: str
    data_id: str
    model: str
    seed: int
    sparsity: float
    error_percent: float
    baseline_error_percent: float


@dataclass(frozen=True, kw_only=True)
class ThresholdSetting:
    """One threshold, one sign or both."""

    method: str
    threshold: float
    scale: float


@dataclass(frozen=True, kw_only=True)
class LayerSetting:
    """One layer pruned, both signs."""

    layer: str
    threshold: float
    scale: float
    layer_sparsity: float


@dataclass(frozen=True, kw_only=True)
class PercentileSetting:
    """One global threshold, or the same fraction of each layer and sign."""

    method: str
    setting: float
    sparsity_asked: float


@dataclass(frozen=True, kw_only=True)
class ThresholdRow(ThresholdSetting, NetRow):
    """One image net pruned below one threshold."""

    loss: float


@dataclass(frozen=True, kw_only=True)
class LayerRow(LayerSetting, NetRow):
    """One image net with one layer pruned."""

    loss: float


@dataclass(frozen=True, kw_only=True)
class PercentileRow(PercentileSetting, NetRow):
    """One image net pruned to one fraction."""

    loss: float


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
