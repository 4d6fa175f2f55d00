"""The tables on what pruning does to a recogniser's outputs, and on correcting for it."""

from typing import Annotated as A

from prunelab.studies.common.curves import Knees, MeanOfNets, Nets, PrunedNet, Setting
from prunelab.tables import Table

_SPARSITY = "fraction of all prunable weights removed, counted"
_ERROR = "word error on the test part, decoder chosen on the development part [%]"


class _Layer(Table):
    layer: A[str, "linear layer whose outputs (pre-activations) are measured"]
    depth: A[int, "its place, from 1"]


class Layers(_Layer, Setting, PrunedNet, key="data model method threshold seed layer"):
    """One layer's pre-activations and outputs against those of the unpruned net."""

    mean_shift: A[float, "change of a unit's mean over test frames, mean over units [standard deviations, unpruned]"]
    mean_shift_abs: A[float, "mean over units of that change's magnitude [standard deviations, unpruned]"]
    spread: A[float, "standard deviation over test frames, pruned to unpruned, mean over units [ratio]"]
    saturated: A[
        float | None,
        "share of unit outputs in the outer 5 % of the activation's range, of ReLU at 0; may be empty (no activation)",
    ]
    fixed: A[
        float | None,
        "share of units at one end of the activation in 99 % of the frames, of ReLU dead or linear only; "
        "may be empty (no activation)",
    ]


class Posteriors(Setting, PrunedNet, key="data model method threshold seed"):
    """One net's posteriors against those of the unpruned net."""

    sparsity: A[float, _SPARSITY]
    rank_correlation: A[
        float, "Spearman of a frame's posteriors with the unpruned net's, mean over every fourth test frame"
    ]
    top1_agreement: A[float, "share of test frames whose best state is the unpruned net's"]
    entropy: A[float, "entropy of the posteriors, mean over test frames [nats]"]
    baseline_entropy: A[float, "the same of the net unpruned [nats]"]
    error_percent: A[float, _ERROR]
    baseline_error_percent: A[float, "word error of the same net unpruned [%]"]


class Histograms(Setting, Nets, key="data model method threshold bin_low"):
    """One bin of the last activation's outputs, mean over the nets of a model."""

    method: A[str, "baseline (the unpruned net, threshold 0), abs, positive or negative"]
    bin_low: A[float, "lower edge of the bin, output of the last activation"]
    bin_high: A[float, "upper edge of the bin; the last bin of a ReLU holds all larger outputs too"]
    share: A[float, "share of the outputs, of all units in every fourth test frame, mean over seeds"]


class PredictedShifts(_Layer, Setting, PrunedNet, key="data model method threshold seed layer"):
    """One layer's mean shift, measured and predicted."""

    measured: A[float, Layers.columns()["mean_shift"]]
    predicted_local: A[
        float, "the same from removed weights and mean training inputs of this layer [standard deviations]"
    ]
    predicted_cascade: A[float, "the same with the shifts of the layers before carried through [standard deviations]"]
    correlation: A[float | None, "Pearson over units, predicted_local with measured; may be empty (no unit shifts)"]
    correlation_cascade: A[
        float | None, "Pearson over units, predicted_cascade with measured; may be empty (no unit shifts)"
    ]


class _WordErrors(Table):
    sparsity: A[float, _SPARSITY]
    error_percent: A[float, _ERROR]
    baseline_error_percent: A[float, "word error of the same net unpruned [%]"]
    best_wer_percent: A[float, "smallest word error over the decoder grid, on the test part itself [%]"]
    baseline_best_wer_percent: A[float, "the same of the net unpruned [%]"]
    substitutions_percent: A[float, "substituted words, of the reference's [%]"]
    deletions_percent: A[float, "deleted words, of the reference's [%]"]
    insertions_percent: A[float, "inserted words, of the reference's [%]"]
    wer_low: A[float, "lower end of error_percent's 95 % bootstrap interval over utterances [%]"]
    wer_high: A[float, "upper end of error_percent's 95 % bootstrap interval over utterances [%]"]


class Correction(Setting, _WordErrors, PrunedNet, key="data model method threshold corrected seed"):
    """One net pruned below one threshold, with or without corrected biases."""

    corrected: A[bool, "whether biases make up for the mean of the removed weights' contribution"]


class _Sign(Nets):
    method: A[str, Setting.columns()["method"]]


class CorrectionKnees(_Sign, key="data model method"):
    """The knees of one model under one sign, without and with correction."""

    seeds: A[int, "nets measured"]
    seeds_with_knee: A[int, "nets whose error ever exceeds the unpruned error by 20 points, biases as they were"]
    seeds_with_corrected_knee: A[int, "the same with corrected biases"]
    knee_percent: A[float | None, "sparsity at the knee, biases as they were, mean over seeds; may be empty [%]"]
    knee_low: A[float | None, Knees.columns()["knee_low"]]
    knee_high: A[float | None, Knees.columns()["knee_high"]]
    corrected_knee_percent: A[
        float | None, "sparsity at the knee with corrected biases, mean over seeds; may be empty [%]"
    ]
    corrected_knee_low: A[float | None, Knees.columns()["knee_low"]]
    corrected_knee_high: A[float | None, Knees.columns()["knee_high"]]
    gain: A[
        float | None,
        "corrected knee - knee, paired by net; may be empty where a net lacks one [points of sparsity]",
    ]
    gain_low: A[float | None, "lower end of its 95 % t interval; may be empty [points of sparsity]"]
    gain_high: A[float | None, "upper end of its 95 % t interval; may be empty [points of sparsity]"]
    largest_sparsity_percent: A[float, Knees.columns()["largest_sparsity_percent"]]


class CorrectionGains(Setting, Nets, key="data model method threshold"):
    """The word error that the correction saves at one threshold."""

    seeds: A[int, "nets measured"]
    sparsity: A[float, f"{_SPARSITY}, mean over seeds"]
    error_percent: A[float, f"{_ERROR}, biases as they were, mean over seeds"]
    corrected_error_percent: A[float, f"{_ERROR}, biases corrected, mean over seeds"]
    saved: A[float, "error without - with correction, paired by net, mean over seeds [points]"]
    saved_low: A[float | None, "lower end of its 95 % t interval; may be empty with one seed [points]"]
    saved_high: A[float | None, "upper end of its 95 % t interval; may be empty with one seed [points]"]


class LargestSavings(CorrectionGains, key="data model method"):
    """The same at the threshold at which the correction saves most."""

    error_low: A[float | None, "lower end of error_percent's 95 % t interval; may be empty with one seed [%]"]
    error_high: A[float | None, "upper end of error_percent's 95 % t interval; may be empty with one seed [%]"]
    corrected_error_low: A[
        float | None, "lower end of corrected_error_percent's 95 % t interval; may be empty with one seed [%]"
    ]
    corrected_error_high: A[
        float | None, "upper end of corrected_error_percent's 95 % t interval; may be empty with one seed [%]"
    ]


class AtReference(MeanOfNets, _Sign, key="data model method quantity"):
    """What pruning does at each net's reference threshold, the largest short of the abs knee."""
