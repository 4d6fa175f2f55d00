"""The rows and columns of the tables on what pruning does to a recogniser's outputs, and on correcting for it."""

from dataclasses import dataclass

_MODEL_COLUMNS = {"data": "data set", "model": "spec of the net"}
_NET_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the net",
}
_SETTING_COLUMNS = {
    "method": "abs, positive or negative: the sign of the weights removed",
    "threshold": "weights of smaller magnitude are removed [weight units]",
    "scale": "the threshold in units of the root mean square weight, mean over the nets of this model",
}
_LAYER_COLUMNS = {
    "layer": "linear layer whose outputs (pre-activations) are measured",
    "depth": "its place, from 1",
}
_SPARSITY = "fraction of all prunable weights removed, counted"
_ERROR = "word error on the test part, decoder chosen on the development part [%]"
_BASELINE = "word error of the same net unpruned [%]"

LAYERS_KEY = ("data", "model", "method", "threshold", "seed", "layer")
LAYERS_COLUMNS = {
    **_NET_COLUMNS,
    **_SETTING_COLUMNS,
    **_LAYER_COLUMNS,
    "mean_shift": "change of a unit's mean over test frames, mean over units [standard deviations, unpruned]",
    "mean_shift_abs": "mean over units of that change's magnitude [standard deviations, unpruned]",
    "spread": "standard deviation over test frames, pruned to unpruned, mean over units [ratio]",
    "saturated": "share of unit outputs in the outer 5 % of the activation's range, of ReLU at 0; "
    "may be empty (no activation)",
    "fixed": "share of units at one end of the activation in 99 % of the frames, of ReLU dead or linear only; "
    "may be empty (no activation)",
}

POSTERIORS_KEY = ("data", "model", "method", "threshold", "seed")
POSTERIORS_COLUMNS = {
    **_NET_COLUMNS,
    **_SETTING_COLUMNS,
    "sparsity": _SPARSITY,
    "rank_correlation": "Spearman of a frame's posteriors with the unpruned net's, mean over every fourth test frame",
    "top1_agreement": "share of test frames whose best state is the unpruned net's",
    "entropy": "entropy of the posteriors, mean over test frames [nats]",
    "baseline_entropy": "the same of the net unpruned [nats]",
    "error_percent": _ERROR,
    "baseline_error_percent": _BASELINE,
}

HISTOGRAMS_KEY = ("data", "model", "method", "threshold", "bin_low")
HISTOGRAMS_COLUMNS = {
    **_MODEL_COLUMNS,
    "method": "baseline (the unpruned net, threshold 0), abs, positive or negative",
    "threshold": _SETTING_COLUMNS["threshold"],
    "scale": _SETTING_COLUMNS["scale"],
    "bin_low": "lower edge of the bin, output of the last activation",
    "bin_high": "upper edge of the bin; the last bin of a ReLU holds all larger outputs too",
    "share": "share of the outputs, of all units in every fourth test frame, mean over seeds",
}

SHIFTS_KEY = ("data", "model", "method", "threshold", "seed", "layer")
SHIFTS_COLUMNS = {
    **_NET_COLUMNS,
    **_SETTING_COLUMNS,
    **_LAYER_COLUMNS,
    "measured": LAYERS_COLUMNS["mean_shift"],
    "predicted_local": "the same from removed weights and mean training inputs of this layer [standard deviations]",
    "predicted_cascade": "the same with the shifts of the layers before carried through [standard deviations]",
    "correlation": "Pearson over units, predicted_local with measured; may be empty (no unit shifts)",
    "correlation_cascade": "Pearson over units, predicted_cascade with measured; may be empty (no unit shifts)",
}

CORRECTION_KEY = ("data", "model", "method", "threshold", "corrected", "seed")
CORRECTION_COLUMNS = {
    **_NET_COLUMNS,
    "sparsity": _SPARSITY,
    "error_percent": _ERROR,
    "baseline_error_percent": _BASELINE,
    "best_wer_percent": "smallest word error over the decoder grid, on the test part itself [%]",
    "baseline_best_wer_percent": "the same of the net unpruned [%]",
    "substitutions_percent": "substituted words, of the reference's [%]",
    "deletions_percent": "deleted words, of the reference's [%]",
    "insertions_percent": "inserted words, of the reference's [%]",
    "wer_low": "lower end of error_percent's 95 % bootstrap interval over utterances [%]",
    "wer_high": "upper end of error_percent's 95 % bootstrap interval over utterances [%]",
    **_SETTING_COLUMNS,
    "corrected": "whether biases make up for the mean of the removed weights' contribution",
}

CORRECTION_KNEE_KEY = ("data", "model", "method")
CORRECTION_KNEE_COLUMNS = {
    **_MODEL_COLUMNS,
    "method": _SETTING_COLUMNS["method"],
    "seeds": "nets measured",
    "seeds_with_knee": "nets whose error ever exceeds the unpruned error by 20 points, biases as they were",
    "seeds_with_corrected_knee": "the same with corrected biases",
    "knee_percent": "sparsity at the knee, biases as they were, mean over seeds; may be empty [%]",
    "knee_low": "lower end of its 95 % t interval; may be empty [%]",
    "knee_high": "upper end of its 95 % t interval; may be empty [%]",
    "corrected_knee_percent": "sparsity at the knee with corrected biases, mean over seeds; may be empty [%]",
    "corrected_knee_low": "lower end of its 95 % t interval; may be empty [%]",
    "corrected_knee_high": "upper end of its 95 % t interval; may be empty [%]",
    "gain": "corrected knee - knee, paired by net; may be empty where a net lacks one [points of sparsity]",
    "gain_low": "lower end of its 95 % t interval; may be empty [points of sparsity]",
    "gain_high": "upper end of its 95 % t interval; may be empty [points of sparsity]",
    "largest_sparsity_percent": "largest sparsity measured, mean over seeds [%]",
}

CORRECTION_GAIN_KEY = ("data", "model", "method", "threshold")
CORRECTION_GAIN_COLUMNS = {
    **_MODEL_COLUMNS,
    **_SETTING_COLUMNS,
    "seeds": "nets measured",
    "sparsity": f"{_SPARSITY}, mean over seeds",
    "error_percent": f"{_ERROR}, biases as they were, mean over seeds",
    "corrected_error_percent": f"{_ERROR}, biases corrected, mean over seeds",
    "saved": "error without - with correction, paired by net, mean over seeds [points]",
    "saved_low": "lower end of its 95 % t interval; may be empty with one seed [points]",
    "saved_high": "upper end of its 95 % t interval; may be empty with one seed [points]",
}


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """One net pruned below one threshold, as every row by seed names it."""

    data: str
    data_id: str
    model: str
    seed: int
    method: str
    threshold: float
    scale: float


@dataclass(frozen=True, kw_only=True)
class LayersRow(_Setting):
    """One layer's pre-activations and outputs against those of the unpruned net."""

    layer: str
    depth: int
    mean_shift: float
    mean_shift_abs: float
    spread: float
    saturated: float
    fixed: float


@dataclass(frozen=True, kw_only=True)
class PosteriorsRow(_Setting):
    """One net's posteriors against those of the unpruned net."""

    sparsity: float
    rank_correlation: float
    top1_agreement: float
    entropy: float
    baseline_entropy: float
    error_percent: float
    baseline_error_percent: float


@dataclass(frozen=True, kw_only=True)
class ShiftsRow(_Setting):
    """One layer's mean shift, measured and predicted."""

    layer: str
    depth: int
    measured: float
    predicted_local: float
    predicted_cascade: float
    correlation: float
    correlation_cascade: float


@dataclass(frozen=True, kw_only=True)
class HistogramsRow:
    """One bin of the last activation's outputs, mean over the nets of a model."""

    data: str
    model: str
    method: str
    threshold: float
    scale: float
    bin_low: float
    bin_high: float
    share: float


@dataclass(frozen=True, kw_only=True)
class CorrectionRow:
    """One net pruned below one threshold, with or without corrected biases; fields in the table's order."""

    data: str
    data_id: str
    model: str
    seed: int
    sparsity: float
    error_percent: float
    baseline_error_percent: float
    best_wer_percent: float
    baseline_best_wer_percent: float
    substitutions_percent: float
    deletions_percent: float
    insertions_percent: float
    wer_low: float
    wer_high: float
    method: str
    threshold: float
    scale: float
    corrected: bool
