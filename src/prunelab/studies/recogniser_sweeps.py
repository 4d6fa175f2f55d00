"""Study 1, on recognisers: what threshold pruning without retraining costs in word errors."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pandas import DataFrame

from prunelab.records import to_frame
from prunelab.speech import Corpus
from prunelab.studies.listening import Heard, Listener
from prunelab.studies.prunings import METHODS, Pruning, by_fraction, by_layer, by_sign
from prunelab.studies.recogniser_tables import (
    LAYER_COLUMNS,
    PERCENTILE_COLUMNS,
    THRESHOLD_COLUMNS,
    LayerRow,
    PercentileRow,
    ThresholdRow,
)
from prunelab.studies.sparseness_tables import LAYER_KEY, PERCENTILE_KEY, THRESHOLD_KEY
from prunelab.studies.stored_nets import Net


def threshold_table(nets: Sequence[Net], corpus: Corpus, thresholds: Mapping[str, Mapping[float, float]]) -> DataFrame:
    """Prune every recogniser below every threshold: both signs, positive only, negative only (experiments 1 to 4).

    Args:
        nets: trained on the corpus.
        corpus: measured on the test part, decoders chosen on the development part.
        thresholds: see `prunelab.studies.prunings.thresholds_of`.

    Returns:
        One row a net, sign and threshold; columns as `recogniser_tables.THRESHOLD_COLUMNS` says.
    """
    heard = _heard(nets, corpus, lambda net: by_sign(net, thresholds[net.model]))
    rows = [ThresholdRow(**common) for common, _ in heard]
    return to_frame(rows, THRESHOLD_KEY)[list(THRESHOLD_COLUMNS)]


def layer_table(nets: Sequence[Net], corpus: Corpus, thresholds: Mapping[str, Mapping[float, float]]) -> DataFrame:
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
    rows = [LayerRow(**common) for common, _ in heard]
    return to_frame(rows, LAYER_KEY)[list(LAYER_COLUMNS)]


def percentile_table(
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
        PercentileRow(**common, threshold=pruning.threshold if pruning.fields["method"] == "abs" else None)
        for common, pruning in heard
    ]
    return to_frame(rows, PERCENTILE_KEY)[list(PERCENTILE_COLUMNS)]


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
            yield _common(net, unpruned, heard, pruning), pruning


def _common(net: Net, unpruned: Heard, heard: Heard, pruning: Pruning) -> dict[str, Any]:
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
