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


_HEARD_COLUMNS = {
    "sparsity": "fraction of all prunable weights removed, counted",
    "error_percent": "word error on the test part, decoder chosen on the development part for this very setting [%]",
    "baseline_error_percent": "error_percent of the same net unpruned [%]",
    "best_wer_percent": "word error on the test part with the decoder that is best there, as the source reports [%]",
    "baseline_best_wer_percent": "best_wer_percent of the same net unpruned [%]",
    "fixed_wer_percent": "word error on the test part with the decoder chosen for the net unpruned [%]",
    "substitutions_percent": "substituted words, of those spoken, within error_percent [%]",
    "deletions_percent": "missed words, of those spoken, within error_percent [%]",
    "insertions_percent": "inserted words, of those spoken, within error_percent [%]",
    "wer_low": "lower end of the 95 % bootstrap interval of error_percent over utterances [%]",
    "wer_high": "its upper end [%]",
    "decoder_scale": "acoustic scale of the decoder that error_percent belongs to",
    "decoder_penalty": "word insertion penalty of that decoder",
}


SPEECH_THRESHOLD_COLUMNS = {**NET_COLUMNS, **THRESHOLD_SETTING, **_HEARD_COLUMNS}


SPEECH_LAYER_COLUMNS = {**NET_COLUMNS, **LAYER_SETTING, **_HEARD_COLUMNS}


SPEECH_PERCENTILE_COLUMNS = {
    **NET_COLUMNS,
    **PERCENTILE_SETTING,
    "threshold": "smallest magnitude that is kept under abs; may be empty (percentile has no such threshold) "
    "[weight units]",
    **_HEARD_COLUMNS,
}


@dataclass(frozen=True, kw_only=True)
class HeardRow(NetRow):
    """What every row holds that is measured by listening."""

    best_wer_percent: float
    baseline_best_wer_percent: float
    fixed_wer_percent: float
    substitutions_percent: float
    deletions_percent: float
    insertions_percent: float
    wer_low: float
    wer_high: float
    decoder_scale: float
    decoder_penalty: float


@dataclass(frozen=True, kw_only=True)
class SpeechThresholdRow(ThresholdSetting, HeardRow):
    """One recogniser pruned below one threshold, one sign or both."""


@dataclass(frozen=True, kw_only=True)
class SpeechLayerRow(LayerSetting, HeardRow):
    """One recogniser with one layer pruned."""


@dataclass(frozen=True, kw_only=True)
class SpeechPercentileRow(PercentileSetting, HeardRow):
    """One recogniser pruned by one global threshold, or by the same fraction of each layer and sign."""

    threshold: float | None


EXPERIMENT_KEY = ("data", "model", "group")


EXPERIMENT_COLUMNS = {
    "data": "source of the recordings",
    "model": "spec of the net",
    "group": "experiment that pruned these nets first, and its running number within the model",
    "pruned_layer": "all, or the one layer pruned",
    "pruning_method": "abs, + (positive only), - (negative only) or pct (percentile), as the source writes them",
    "pruning_threshold": "weights of smaller magnitude are removed; of pct the fraction asked [weight units]",
    "sparse_rate": "weights removed, of all prunable ones, mean over seeds [%]",
    "best_wer": "word error with the decoder that is best on the test part, mean over seeds [%]",
    "best_wer_low": "lower end of its 95 % t interval; may be empty with one seed [%]",
    "best_wer_high": "upper end of its 95 % t interval; may be empty with one seed [%]",
    "wer": "word error with the decoder chosen on the development part, mean over seeds [%]",
    "seeds": "nets measured",
}


@dataclass(frozen=True, kw_only=True)
class ExperimentRow:
    """One row of an experiment, in the source's own columns and with what a reader needs to judge it."""

    data: str
    model: str
    group: str
    pruned_layer: str
    pruning_method: str
    pruning_threshold: float
    sparse_rate: float
    best_wer: float
    best_wer_low: float | None
    best_wer_high: float | None
    wer: float
    seeds: int


CRITERIA_KEY = ("claim", "case", "criterion", "threshold_scale")


CRITERIA_COLUMNS = {
    "claim": "id of the claim",
    "case": "net and data it is decided on",
    "criterion": "how decoders are chosen: dev (on the development part, for every setting: this is the verdict), "
    "best (the best on the test part, as the source does), fixed (on the development part, for the unpruned net)",
    "threshold_scale": "threshold at which layers are compared; may be empty (other claims) [root mean square weights]",
    "verdict": "reproduced, partly, not-reproduced or inconclusive",
    "effect": "what the rule measures; may be empty where the data do not reach [unit beside]",
    "low": "lower end of its 95 % interval over seeds; may be empty [unit beside]",
    "high": "upper end of its 95 % interval over seeds; may be empty [unit beside]",
    "unit": "of effect, low and high; may be empty where there is no effect",
    "n_seeds": "nets behind it",
    "reason": "the effect held against the rule's bound",
}
