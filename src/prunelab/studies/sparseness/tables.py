"""The tables of study 1, on image nets and on recognisers; both kinds of sweep have the same settings and keys."""

from typing import Annotated as A

from prunelab.claims import Decided
from prunelab.studies.common.curves import Knees, Nets, PrunedNet, Setting
from prunelab.tables import Table


class LayerSetting(Table):
    """One layer pruned, both signs."""

    layer: A[str, "the one layer pruned"]
    threshold: A[float, Setting.columns()["threshold"]]
    scale: A[float, Setting.columns()["scale"]]
    layer_sparsity: A[float, "fraction of that layer's weights removed, counted"]


class PercentileSetting(Table):
    """One threshold for the whole net, or the same fraction of each layer and sign."""

    method: A[str, "percentile (the same fraction of each layer and sign) or abs (one threshold for the whole net)"]
    setting: A[float, "fraction of the weights asked to be removed"]
    sparsity_asked: A[float, "the same fraction, as asked"]


class Errors(Table):
    """What an image net is measured by."""

    sparsity: A[float, "fraction of all prunable weights removed, counted"]
    error_percent: A[float, "error on the test part [%]"]
    baseline_error_percent: A[float, "error of the same net unpruned [%]"]
    loss: A[float, "mean cross-entropy on the test part [nats]"]


class WordErrors(Table):
    """What a recogniser is measured by."""

    sparsity: A[float, "fraction of all prunable weights removed, counted"]
    error_percent: A[
        float, "word error on the test part, decoder chosen on the development part for this very setting [%]"
    ]
    baseline_error_percent: A[float, "error_percent of the same net unpruned [%]"]
    best_wer_percent: A[
        float, "word error on the test part with the decoder that is best there, as the source reports [%]"
    ]
    baseline_best_wer_percent: A[float, "best_wer_percent of the same net unpruned [%]"]
    fixed_wer_percent: A[float, "word error on the test part with the decoder chosen for the net unpruned [%]"]
    substitutions_percent: A[float, "substituted words, of those spoken, within error_percent [%]"]
    deletions_percent: A[float, "missed words, of those spoken, within error_percent [%]"]
    insertions_percent: A[float, "inserted words, of those spoken, within error_percent [%]"]
    wer_low: A[float, "lower end of the 95 % bootstrap interval of error_percent over utterances [%]"]
    wer_high: A[float, "its upper end [%]"]
    decoder_scale: A[float, "acoustic scale of the decoder that error_percent belongs to"]
    decoder_penalty: A[float, "word insertion penalty of that decoder"]


class ThresholdSweep(Errors, Setting, PrunedNet, key="data model method threshold seed"):
    """One image net pruned below one threshold, one sign or both."""


class LayerSensitivity(Errors, LayerSetting, PrunedNet, key="data model layer threshold seed"):
    """One image net with one layer pruned."""


class Percentile(Errors, PercentileSetting, PrunedNet, key="data model method setting seed"):
    """One image net pruned by one threshold, or to one percentile."""


class SpeechThresholdSweep(
    WordErrors, Setting, PrunedNet, key="data model method threshold seed", name="threshold-sweep"
):
    """One recogniser pruned below one threshold, one sign or both."""


class SpeechLayerSensitivity(
    WordErrors, LayerSetting, PrunedNet, key="data model layer threshold seed", name="layer-sensitivity"
):
    """One recogniser with one layer pruned."""


class _OneThreshold(Table):
    threshold: A[
        float | None,
        "smallest magnitude that is kept under abs; may be empty (percentile has no such threshold) [weight units]",
    ]


class SpeechPercentile(
    WordErrors, _OneThreshold, PercentileSetting, PrunedNet, key="data model method setting seed", name="percentile"
):
    """One recogniser pruned by one threshold, or to one percentile."""


class Rescaling(Table):
    """A recogniser whose layers have other scales, and computes the same."""

    rescaling: A[
        str, "root mean square weights of the layers: trained (as they are), equal, rising or falling with depth"
    ]
    layer_spread: A[float, "largest to smallest root mean square weight of the layers [ratio]"]


class Rescaled(SpeechPercentile, Rescaling, key="rescaling data model method setting seed", name="rescaled"):
    """One recogniser rescaled, then pruned by one threshold or to one percentile."""


class _Recognisers(Nets):
    data: A[str, "source of the recordings"]


class _Gain(Table):
    knee_gain: A[float | None, "global minus percentile, paired by net; may be empty where a seed has no knee [points]"]
    knee_gain_low: A[float | None, "lower end of its 95 % t interval; may be empty [points]"]
    knee_gain_high: A[float | None, "upper end of its 95 % t interval; may be empty [points]"]
    seeds: A[int, "nets measured"]


class _Knees(Nets):
    global_knee: A[float | None, "sparsity at the knee of one global threshold, mean over seeds; may be empty [%]"]
    global_knee_low: A[float | None, "lower end of its 95 % t interval; may be empty [%]"]
    global_knee_high: A[float | None, "upper end of its 95 % t interval; may be empty [%]"]
    percentile_knee: A[float | None, "the same of percentiles; may be empty [%]"]
    percentile_knee_low: A[float | None, "lower end of its 95 % t interval; may be empty [%]"]
    percentile_knee_high: A[float | None, "upper end of its 95 % t interval; may be empty [%]"]


class KneeGains(_Gain, _Knees, key="data model"):
    """Both knees of one kind of net, and how far they lie apart."""


class _Rescaling(_Recognisers):
    rescaling: A[str, Rescaling.columns()["rescaling"]]
    layer_spread: A[float, "largest to smallest root mean square weight of the layers, mean over seeds [ratio]"]
    global_knee: A[float | None, "sparsity at the knee of one global threshold, mean over seeds; may be empty [%]"]
    percentile_knee: A[float | None, "the same of percentiles, which rescaling leaves as they are; may be empty [%]"]


class RescaledGains(_Gain, _Rescaling, key="data model rescaling"):
    """Both knees of one kind of net under one rescaling, and the verdict on the source's claim."""

    verdict: A[str, "on the claim that one global threshold beats percentiles"]
    reason: A[str, "the effect held against the rule's bound"]


class Experiment(_Recognisers, key="data model group"):
    """One row of an experiment, in the source's own columns and with what a reader needs to judge it."""

    group: A[str, "experiment that pruned these nets first, and its running number within the model"]
    pruned_layer: A[str, "all, or the one layer pruned"]
    pruning_method: A[str, "abs, + (positive only), - (negative only) or pct (percentile), as the source writes them"]
    pruning_threshold: A[float, "weights of smaller magnitude are removed; of pct the fraction asked [weight units]"]
    sparse_rate: A[float, "weights removed, of all prunable ones, mean over seeds [%]"]
    best_wer: A[float, "word error with the decoder that is best on the test part, mean over seeds [%]"]
    best_wer_low: A[float | None, "lower end of its 95 % t interval; may be empty with one seed [%]"]
    best_wer_high: A[float | None, "upper end of its 95 % t interval; may be empty with one seed [%]"]
    wer: A[float, "word error with the decoder chosen on the development part, mean over seeds [%]"]
    seeds: A[int, "nets measured"]


class Criterion(Table):
    """How decoders are chosen."""

    criterion: A[
        str,
        "how decoders are chosen: dev (on the development part, for every setting: this is the verdict), "
        "best (the best on the test part, as the source does), fixed (on the development part, for the unpruned net)",
    ]


class _Claim(Table):
    claim: A[str, "id of the claim"]
    case: A[str, "net and data it is decided on"]


class _At(Table):
    threshold_scale: A[
        float | None,
        "threshold at which layers are compared; may be empty (other claims) [root mean square weights]",
    ]


class Criteria(Decided, _At, Criterion, _Claim, key="claim case criterion threshold_scale", name="criteria"):
    """One claim decided on one kind of net, under one way of choosing decoders and at one threshold of the layers."""


class CriteriaChanges(Criterion, key="criterion"):
    """How many verdicts on single nets depend on the choice of decoders."""

    decided: A[int, "claims times nets"]
    changed: A[int, "those decided otherwise than on the development part"]


class DecoderKnees(Knees, Criterion, key="criterion data model method", name="decoder-knees"):
    """The knee of one model under one method, with decoders chosen in one way."""


class LayerCosts(Nets, key="data model layer"):
    """What pruning one layer costs and removes at one threshold, over seeds."""

    layer: A[str, LayerSetting.columns()["layer"]]
    threshold_scale: A[float, "where it is pruned; each model at its nearest threshold [root mean square weights]"]
    error_percent: A[float, "error on the test part, mean over seeds [%]"]
    low: A[float | None, "lower end of its 95 % t interval; may be empty with one seed [%]"]
    high: A[float | None, "upper end of its 95 % t interval; may be empty with one seed [%]"]
    sparsity_percent: A[float, "weights removed, of all prunable ones of the net, mean over seeds [%]"]
    knee_scale: A[
        float | None,
        "threshold at which that layer alone costs 20 points; may be empty where a seed has none "
        "[root mean square weights]",
    ]
    seeds: A[int, "nets measured"]
