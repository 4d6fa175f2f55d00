"""Study 1, on image nets: what threshold pruning without retraining costs in error."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pandas import DataFrame
from tqdm import tqdm

from prunelab.data import Images
from prunelab.measure import Evaluation
from prunelab.measure.sweep import sweep, threshold_sweep
from prunelab.records import to_frame
from prunelab.speech import Corpus
from prunelab.studies.common.nets import Net, error_percent
from prunelab.studies.common.prunings import METHODS, Pruning, by_fraction, by_layer, by_sign
from prunelab.studies.common.recognisers import Heard, Listener
from prunelab.studies.sparseness.tables import (
    LAYER_COLUMNS,
    LAYER_KEY,
    PERCENTILE_COLUMNS,
    PERCENTILE_KEY,
    SPEECH_LAYER_COLUMNS,
    SPEECH_PERCENTILE_COLUMNS,
    SPEECH_THRESHOLD_COLUMNS,
    THRESHOLD_COLUMNS,
    THRESHOLD_KEY,
    LayerRow,
    PercentileRow,
    SpeechLayerRow,
    SpeechPercentileRow,
    SpeechThresholdRow,
    ThresholdRow,
)


def threshold_table(nets: Sequence[Net], images: Images, thresholds: Mapping[str, Mapping[float, float]]) -> DataFrame:
    """Prune every net below every threshold: both signs, positive only, negative only (experiments 1 to 4).

    Args:
        nets: trained nets.
        images: measured on the test part.
        thresholds: see `thresholds_of`.

    Returns:
        One row a net, sign and threshold; columns as `THRESHOLD_COLUMNS` says.
    """
    rows = []
    for net in tqdm(nets, desc="threshold sweep", unit="net", leave=False):
        # Quicker than `sweep`: the three signs share the products of the first layer, the largest one.
        scores = threshold_sweep(net.module, images.test, list(thresholds[net.model]))
        baseline = _baseline(net, images)
        rows += [
            ThresholdRow(
                **_common(net, baseline, scores[pruning.fields["method"], pruning.fields["threshold"]], pruning)
            )
            for pruning in by_sign(net, thresholds[net.model])
        ]
    return to_frame(rows, THRESHOLD_KEY)[list(THRESHOLD_COLUMNS)]


def layer_table(nets: Sequence[Net], images: Images, thresholds: Mapping[str, Mapping[float, float]]) -> DataFrame:
    """Prune one layer at a time below every threshold, both signs (experiment 5).

    Args:
        nets: trained nets.
        images: measured on the test part.
        thresholds: see `thresholds_of`.

    Returns:
        One row a net, layer and threshold; columns as `LAYER_COLUMNS` says. `sparsity` counts all the net's weights,
        as the source does.
    """
    rows = []
    for net in tqdm(nets, desc="one layer at a time", unit="net", leave=False):
        prunings = list(by_layer(net, thresholds[net.model]))
        rows += [LayerRow(**row) for row in _measured(net, images, prunings)]
    return to_frame(rows, LAYER_KEY)[list(LAYER_COLUMNS)]


def percentile_table(nets: Sequence[Net], images: Images, fractions: Sequence[float]) -> DataFrame:
    """Prune the same fraction of each layer and sign, against one threshold for the whole net (experiment 6).

    Args:
        nets: trained nets.
        images: measured on the test part.
        fractions: parts of the weights to remove, [0, 1), for both methods.

    Returns:
        One row a net, method and fraction; columns as `PERCENTILE_COLUMNS` says.

    Raises:
        ValueError: no fraction, or one outside [0, 1).
    """
    rows = []
    for net in tqdm(nets, desc="percentile against global", unit="net", leave=False):
        prunings = list(by_fraction(net, fractions))
        rows += [PercentileRow(**row) for row in _measured(net, images, prunings)]
    return to_frame(rows, PERCENTILE_KEY)[list(PERCENTILE_COLUMNS)]


def _measured(net: Net, images: Images, prunings: Sequence[Pruning]) -> list[dict[str, Any]]:
    baseline = _baseline(net, images)
    scores = sweep(net.module, images.test, (pruning.replaced() for pruning in prunings))
    return [_common(net, baseline, score, pruning) for pruning, score in zip(prunings, scores, strict=True)]


def _baseline(net: Net, images: Images) -> float:
    return error_percent(sweep(net.module, images.test, [{}])[0].accuracy)


def _common(net: Net, baseline: float, score: Evaluation, pruning: Pruning) -> dict[str, Any]:
    return {
        "data": net.data,
        "data_id": net.data_id,
        "model": net.model,
        "seed": net.seed,
        **pruning.fields,
        "sparsity": pruning.sparsity,
        "error_percent": error_percent(score.accuracy),
        "baseline_error_percent": baseline,
        "loss": score.loss,
    }


def speech_threshold_table(
    nets: Sequence[Net], corpus: Corpus, thresholds: Mapping[str, Mapping[float, float]]
) -> DataFrame:
    """Prune every recogniser below every threshold: both signs, positive only, negative only (experiments 1 to 4).

    Args:
        nets: trained on the corpus.
        corpus: measured on the test part, decoders chosen on the development part.
        thresholds: see `prunelab.studies.prunings.thresholds_of`.

    Returns:
        One row a net, sign and threshold; columns as `recogniser_tables.THRESHOLD_COLUMNS` says.
    """
    heard = _heard(nets, corpus, lambda net: by_sign(net, thresholds[net.model]))
    rows = [SpeechThresholdRow(**common) for common, _ in heard]
    return to_frame(rows, THRESHOLD_KEY)[list(SPEECH_THRESHOLD_COLUMNS)]


def speech_layer_table(
    nets: Sequence[Net], corpus: Corpus, thresholds: Mapping[str, Mapping[float, float]]
) -> DataFrame:
    """Prune one layer at a time below every threshold, both signs (experiment 5).

    Args:
        nets: trained on the corpus.
        corpus: measured on the test part, decoders chosen on the development part.
        thresholds: see `prunelab.studies.prunings.thresholds_of`.

    Returns:
        One row a net, layer and threshold; columns as `recogniser_tables.LAYER_COLUMNS` says. `sparsity` counts all
        the net's weights, as the source does.
    """
    heard = _heard(nets, corpus, lambda net: by_layer(net, thresholds[net.model]))
    rows = [SpeechLayerRow(**common) for common, _ in heard]
    return to_frame(rows, LAYER_KEY)[list(SPEECH_LAYER_COLUMNS)]


def speech_percentile_table(
    nets: Sequence[Net], corpus: Corpus, fractions: Sequence[float], methods: Sequence[str] = METHODS
) -> DataFrame:
    """Prune the same fraction of each layer and sign, against one threshold for the whole net (experiment 6).

    Args:
        nets: trained on the corpus.
        corpus: measured on the test part, decoders chosen on the development part.
        fractions: parts of the weights to remove, [0, 1), for every method.
        methods: of "percentile" and "abs".

    Returns:
        One row a net, method and fraction; columns as `recogniser_tables.PERCENTILE_COLUMNS` says.

    Raises:
        ValueError: no fraction, or one outside [0, 1).
    """
    heard = _heard(nets, corpus, lambda net: by_fraction(net, fractions, methods))
    rows = [
        SpeechPercentileRow(**common, threshold=pruning.threshold if pruning.fields["method"] == "abs" else None)
        for common, pruning in heard
    ]
    return to_frame(rows, PERCENTILE_KEY)[list(SPEECH_PERCENTILE_COLUMNS)]


def _heard(
    nets: Sequence[Net], corpus: Corpus, prunings_of: Callable[[Net], Iterable[Pruning]]
) -> Iterator[tuple[dict[str, Any], Pruning]]:
    """Measure every net under its prunings; give what all rows hold, and the pruning it belongs to."""
    listener: Listener | None = None
    for net in nets:
        if listener is None:  # all nets are on one device
            listener = Listener(corpus, device=str(next(net.module.parameters()).device))
        prunings = list(prunings_of(net))
        unpruned, *pruned = listener.hear(
            net.module, (pruning.replaced() for pruning in prunings), label=f"{net.model}, seed {net.seed}"
        )
        for pruning, heard in zip(prunings, pruned, strict=True):
            yield _speech_common(net, unpruned, heard, pruning), pruning


def _speech_common(net: Net, unpruned: Heard, heard: Heard, pruning: Pruning) -> dict[str, Any]:
    measured = asdict(heard)
    del measured["dev_error_percent"]  # what a decoder is chosen by is no result
    return {
        "data": net.data,
        "data_id": net.data_id,
        "model": net.model,
        "seed": net.seed,
        **pruning.fields,
        "sparsity": pruning.sparsity,
        "baseline_error_percent": unpruned.error_percent,
        "baseline_best_wer_percent": unpruned.best_wer_percent,
        **measured,
    }
