"""Study 0, on recognisers: what pruning each sign does to a net's layers, its outputs and its posteriors."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pandas import DataFrame
from torch import Tensor
from tqdm import tqdm

from prunelab.measure.activations import (
    Moments,
    Trace,
    input_moments,
    last_outputs,
    mean_shift,
    spread,
    trace,
)
from prunelab.measure.perceptron import layers_of
from prunelab.measure.posteriors import compare, entropies, reference
from prunelab.measure.shift import cascade_shift, local_shift
from prunelab.measure.sweep import logits
from prunelab.records import to_frame
from prunelab.speech import Corpus
from prunelab.studies.listening import Listener
from prunelab.studies.outputs_tables import (
    HISTOGRAMS_COLUMNS,
    HISTOGRAMS_KEY,
    LAYERS_COLUMNS,
    LAYERS_KEY,
    POSTERIORS_COLUMNS,
    POSTERIORS_KEY,
    SHIFTS_COLUMNS,
    SHIFTS_KEY,
    HistogramsRow,
    LayersRow,
    PosteriorsRow,
    ShiftsRow,
)
from prunelab.studies.prunings import Pruning, by_sign
from prunelab.studies.stored_nets import Net

_BINS = 40
# Frames the moments of a layer's inputs are taken on, evenly spread over the training part: their means are then
# known to a hundredth of their spread.
_TRAINING_FRAMES = 20_000
# The histogram of a ReLU reaches to twice what 999 of 1000 outputs of the unpruned nets stay below.
_QUANTILE, _ROOM = 0.999, 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs:
    """The four tables of the study; columns as `outputs_tables` says."""

    layers: DataFrame
    posteriors: DataFrame
    histograms: DataFrame
    shifts: DataFrame


def measure(
    nets: Sequence[Net],
    corpus: Corpus,
    thresholds: Mapping[str, Mapping[float, float]],
    *,
    device: str = "cpu",
    progress: bool = True,
) -> Outputs:
    """Prune every net below every threshold, each sign and both, and look at its outputs over the test frames.

    Args:
        nets: trained recognisers, on the device.
        corpus: what they were trained on; predictions take its training frames, all else its test frames.
        thresholds: model -> threshold -> scale, see `prunings.thresholds_of`.
        device: where to measure.
        progress: show progress bars.
    """
    listener = Listener(corpus, device=device)
    test = listener.test
    training = corpus.frames(corpus.train)[0]
    training = training[:: max(1, len(training) // _TRAINING_FRAMES)].to(device)
    edges = _edges(nets, test)
    layers: list[LayersRow] = []
    posteriors: list[PosteriorsRow] = []
    shifts: list[ShiftsRow] = []
    binned: dict[tuple[Any, ...], list[Tensor]] = {}
    for net in tqdm(nets, desc="outputs", unit="net", leave=False, disable=not progress):
        prunings = list(by_sign(net, thresholds[net.model]))
        unpruned = trace(net.module, test, edges=edges[net.model])
        kept = reference(unpruned.logits)
        baseline_entropy = float(entropies(unpruned.logits).double().mean())
        moments = input_moments(net.module, training)
        binned.setdefault((net.model, "baseline", 0.0, 0.0), []).append(unpruned.histogram)
        compared, on_test = [], [unpruned.logits]
        label = f"{net.model}, seed {net.seed}"
        for pruning in tqdm(prunings, desc=label, unit="setting", leave=False, disable=not progress):
            weights = pruning.replaced()
            pruned = trace(net.module, test, weights, edges=edges[net.model])
            compared.append(compare(kept, pruned.logits))
            on_test.append(pruned.logits)
            layers += _layers(_naming(net, pruning), unpruned, pruned)
            predictions = _predictions(net, weights, moments)
            shifts += _shifts(_naming(net, pruning), unpruned, pruned, predictions)
            place = (net.model, *(pruning.fields[name] for name in ("method", "threshold", "scale")))
            binned.setdefault(place, []).append(pruned.histogram)
        # The test part is computed already; the decoders still have to be chosen on the development part.
        on_dev = logits(net.module, listener.dev, [{}, *(pruning.replaced() for pruning in prunings)])
        heard = listener.judge(torch.cat(both) for both in zip(on_dev, on_test, strict=True))
        posteriors += [
            PosteriorsRow(
                **_naming(net, pruning),
                sparsity=pruning.sparsity,
                rank_correlation=own.rank_correlation,
                top1_agreement=own.top1_agreement,
                entropy=own.entropy,
                baseline_entropy=baseline_entropy,
                error_percent=error.error_percent,
                baseline_error_percent=heard[0].error_percent,
            )
            for pruning, own, error in zip(prunings, compared, heard[1:], strict=True)
        ]
    return Outputs(
        layers=to_frame(layers, LAYERS_KEY)[list(LAYERS_COLUMNS)],
        posteriors=to_frame(posteriors, POSTERIORS_KEY)[list(POSTERIORS_COLUMNS)],
        histograms=to_frame(list(_histograms(corpus.name, binned, edges)), HISTOGRAMS_KEY)[list(HISTOGRAMS_COLUMNS)],
        shifts=to_frame(shifts, SHIFTS_KEY)[list(SHIFTS_COLUMNS)],
    )


def _naming(net: Net, pruning: Pruning) -> dict[str, Any]:
    """Give the fields that name a row."""
    return {"data": net.data, "data_id": net.data_id, "model": net.model, "seed": net.seed, **pruning.fields}


def _layers(naming: Mapping[str, Any], unpruned: Trace, pruned: Trace) -> list[LayersRow]:
    rows = []
    for depth, (before, after) in enumerate(zip(unpruned.layers, pruned.layers, strict=True), start=1):
        shift = mean_shift(before, after.mean - before.mean)
        rows.append(
            LayersRow(
                **naming,
                layer=before.layer,
                depth=depth,
                mean_shift=float(shift.mean()),
                mean_shift_abs=float(shift.abs().mean()),
                spread=float(spread(before, after).mean()),
                saturated=after.saturated,
                fixed=after.fixed,
            )
        )
    return rows


def _predictions(
    net: Net, weights: Mapping[str, Tensor], moments: Mapping[str, Moments]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Predict every layer's shift, from its own pruning and with the layers before carried through."""
    means = {layer: moment.mean for layer, moment in moments.items()}
    return local_shift(net.module, weights, means), cascade_shift(net.module, weights, moments)


def _shifts(
    naming: Mapping[str, Any], unpruned: Trace, pruned: Trace, predictions: tuple[Mapping[str, Tensor], ...]
) -> list[ShiftsRow]:
    rows = []
    for depth, (before, after) in enumerate(zip(unpruned.layers, pruned.layers, strict=True), start=1):
        measured = mean_shift(before, after.mean - before.mean)
        predicted = [mean_shift(before, shift[before.layer]) for shift in predictions]
        rows.append(
            ShiftsRow(
                **naming,
                layer=before.layer,
                depth=depth,
                measured=float(measured.mean()),
                predicted_local=float(predicted[0].mean()),
                predicted_cascade=float(predicted[1].mean()),
                correlation=_pearson(predicted[0], measured),
                correlation_cascade=_pearson(predicted[1], measured),
            )
        )
    return rows


def _edges(nets: Sequence[Net], x: Tensor) -> dict[str, Tensor]:
    """Fix each model's bins, the same for all its nets and settings: the activation's range, or what it takes up."""
    spans: dict[str, tuple[float, float]] = {}
    for net in nets:
        activation = layers_of(net.module)[-2].activation
        if activation in ("sigmoid", "tanh"):
            spans[net.model] = (0.0 if activation == "sigmoid" else -1.0, 1.0)
            continue
        outputs = last_outputs(net.module, x[::16]).abs().flatten()
        top = _ROOM * float(outputs.kthvalue(max(1, round(_QUANTILE * len(outputs)))).values)
        top = max(float(f"{top:.2g}"), spans.get(net.model, (0.0, 0.0))[1])
        spans[net.model] = (0.0 if activation == "relu" else -top, top)
    return {model: torch.linspace(*span, _BINS + 1, dtype=torch.float64) for model, span in spans.items()}


def _histograms(
    data: str, binned: Mapping[tuple[Any, ...], Sequence[Tensor]], edges: Mapping[str, Tensor]
) -> Iterator[HistogramsRow]:
    for (model, method, threshold, scale), shares in binned.items():
        bounds = [round(float(edge), 9) for edge in edges[model]]
        for place, share in enumerate(torch.stack(list(shares)).mean(0).tolist()):
            low, high = bounds[place : place + 2]
            yield HistogramsRow(
                data=data,
                model=model,
                method=method,
                threshold=threshold,
                scale=scale,
                bin_low=low,
                bin_high=high,
                share=share,
            )


def _pearson(a: Tensor, b: Tensor) -> float:
    """Correlate over units; NaN where one of them does not vary."""
    both = torch.stack([a, b])
    return math.nan if len(a) < 2 or bool((both.std(1) == 0).any()) else float(torch.corrcoef(both)[0, 1])
