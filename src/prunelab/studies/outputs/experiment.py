"""Study 0, on recognisers: what pruning each sign does to a net's layers, its outputs and its posteriors."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from pandas import DataFrame
from torch import Tensor
from tqdm import tqdm

from prunelab import parts
from prunelab.measure.activations import (
    Moments,
    Trace,
    input_moments,
    last_outputs,
    mean_inputs,
    mean_shift,
    spread,
    trace,
)
from prunelab.measure.perceptron import layers_of
from prunelab.measure.posteriors import compare, entropies, reference
from prunelab.measure.shift import cascade_shift, local_shift
from prunelab.measure.sweep import logits
from prunelab.pruning.reconstruction import corrected_biases
from prunelab.speech import Corpus
from prunelab.studies.common.nets import Net
from prunelab.studies.common.prunings import Pruning, by_sign
from prunelab.studies.common.recognisers import Heard, Listener
from prunelab.studies.outputs.tables import Correction, Histograms, Layers, Posteriors, PredictedShifts
from prunelab.summaries import only

_BINS = 40
# Frames the moments of a layer's inputs are taken on, evenly spread over the training part: their means are then
# known to a hundredth of their spread.
_TRAINING_FRAMES = 20_000
# The histogram of a ReLU reaches to twice what 999 of 1000 outputs of the unpruned nets stay below.
_QUANTILE, _ROOM = 0.999, 2.0


def measure(
    nets: Sequence[Net],
    corpus: Corpus,
    thresholds: Mapping[str, Mapping[float, float]],
    *,
    device: str = "cpu",
) -> parts.Found:
    """Prune every net below every threshold, each sign and both, and look at its outputs over the test frames.

    Args:
        nets: trained recognisers, on the device.
        corpus: what they were trained on; predictions take its training frames, all else its test frames.
        thresholds: model -> threshold -> scale, see `prunings.thresholds_of`.
        device: where to measure.

    Returns:
        The rows of `Layers`, `Posteriors`, `Histograms` and `PredictedShifts`.
    """
    listener = Listener(corpus, device=device)
    training = corpus.frames(corpus.train)[0]
    training = training[:: max(1, len(training) // _TRAINING_FRAMES)].to(device)
    edges = _edges(nets, listener.test)
    given: dict[str, Any] = {"listener": listener, "training": training, "edges": edges, "thresholds": thresholds}
    found = parts.each(_measure_one, nets, label="outputs", **given)
    return replace(found, rows={**found.rows, Histograms.__name__: _over_seeds(found.rows[Histograms.__name__])})


def _measure_one(
    net: Net,
    listener: Listener,
    training: Tensor,
    edges: Mapping[str, Tensor],
    thresholds: Mapping[str, Mapping[float, float]],
) -> Iterator[Layers | PredictedShifts | Histograms | Posteriors]:
    prunings = list(by_sign(net, thresholds[net.model]))
    bins = edges[net.model]
    unpruned = trace(net.module, listener.test, edges=bins)
    kept = reference(unpruned.logits)
    baseline_entropy = float(entropies(unpruned.logits).double().mean())
    moments = input_moments(net.module, training)
    yield from _histogram(net, {"method": "baseline", "threshold": 0.0, "scale": 0.0}, unpruned, bins)
    compared, on_test = [], [unpruned.logits]
    for pruning in tqdm(prunings, desc=f"{net.model}, seed {net.seed}", unit="setting", leave=False):
        weights = pruning.replaced()
        pruned = trace(net.module, listener.test, weights, edges=bins)
        compared.append(compare(kept, pruned.logits))
        on_test.append(pruned.logits)
        for both in _by_layer(_naming(net, pruning), unpruned, pruned, _predictions(net, weights, moments)):
            yield from both
        yield from _histogram(net, pruning.fields, pruned, bins)
    # The test part is computed already; the decoders still have to be chosen on the development part.
    on_dev = logits(net.module, listener.dev, [{}, *(pruning.replaced() for pruning in prunings)])
    heard = listener.judge(torch.cat(both) for both in zip(on_dev, on_test, strict=True))
    for pruning, own, error in zip(prunings, compared, heard[1:], strict=True):
        yield Posteriors(
            **_naming(net, pruning),
            sparsity=pruning.sparsity,
            rank_correlation=own.rank_correlation,
            top1_agreement=own.top1_agreement,
            entropy=own.entropy,
            baseline_entropy=baseline_entropy,
            error_percent=error.error_percent,
            baseline_error_percent=heard[0].error_percent,
        )


def correction_table(
    nets: Sequence[Net],
    corpus: Corpus,
    thresholds: Mapping[str, Mapping[float, float]],
    *,
    plain: DataFrame | None = None,
    device: str = "cpu",
) -> DataFrame:
    """Prune every net below every threshold, each sign and both, with its own and with corrected biases.

    Args:
        nets: trained recognisers, on the device.
        corpus: what they were trained on; mean inputs are taken on all its training frames.
        thresholds: model -> threshold -> scale, see `prunings.thresholds_of`.
        plain: a threshold sweep of the same nets at these thresholds among others, which then is not repeated;
            an error where it is of other nets or lacks a setting.
        device: where to measure.
    """
    return parts.each(
        _correct_one,
        nets,
        label="bias correction",
        listener=Listener(corpus, device=device),
        training=corpus.frames(corpus.train)[0].to(device),
        thresholds=thresholds,
        plain=plain,
    )[Correction]


def _correct_one(
    net: Net,
    listener: Listener,
    training: Tensor,
    thresholds: Mapping[str, Mapping[float, float]],
    plain: DataFrame | None,
) -> Iterator[Correction]:
    means = mean_inputs(net.module, training)
    prunings = list(by_sign(net, thresholds[net.model]))
    both = [True] if plain is not None else [False, True]
    cases = [(pruning, corrected) for corrected in both for pruning in prunings]
    settings = (_setting(net, pruning, means if corrected else None) for pruning, corrected in cases)
    heard = listener.hear(net.module, settings, label=f"{net.model}, seed {net.seed}")
    if plain is not None:
        for pruning in prunings:
            yield _swept(net, pruning, plain)
    for (pruning, corrected), one in zip(cases, heard[1:], strict=True):
        yield _row(net, pruning, corrected=corrected, baseline=heard[0], heard=one)


def _naming(net: Net, pruning: Pruning) -> dict[str, Any]:
    """Give the fields that name a row."""
    return {**net.names, **pruning.fields}


def _predictions(
    net: Net, weights: Mapping[str, Tensor], moments: Mapping[str, Moments]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Predict every layer's shift, from its own pruning and with the layers before carried through."""
    means = {layer: moment.mean for layer, moment in moments.items()}
    return local_shift(net.module, weights, means), cascade_shift(net.module, weights, moments)


def _by_layer(
    naming: Mapping[str, Any], unpruned: Trace, pruned: Trace, predictions: Sequence[Mapping[str, Tensor]]
) -> Iterator[tuple[Layers, PredictedShifts]]:
    for depth, (before, after) in enumerate(zip(unpruned.layers, pruned.layers, strict=True), start=1):
        place = {**naming, "layer": before.layer, "depth": depth}
        shift = mean_shift(before, after.mean - before.mean)
        local, cascade = (mean_shift(before, predicted[before.layer]) for predicted in predictions)
        yield (
            Layers(
                **place,
                mean_shift=float(shift.mean()),
                mean_shift_abs=float(shift.abs().mean()),
                spread=float(spread(before, after).mean()),
                saturated=after.saturated,
                fixed=after.fixed,
            ),
            PredictedShifts(
                **place,
                measured=float(shift.mean()),
                predicted_local=float(local.mean()),
                predicted_cascade=float(cascade.mean()),
                correlation=_pearson(local, shift),
                correlation_cascade=_pearson(cascade, shift),
            ),
        )


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


def _histogram(net: Net, setting: Mapping[str, Any], traced: Trace, edges: Tensor) -> Iterator[Histograms]:
    """Give the bins of one net's outputs."""
    bounds = [round(float(edge), 9) for edge in edges]
    for low, high, share in zip(bounds, bounds[1:], traced.histogram.tolist(), strict=False):
        yield Histograms(data=net.data, model=net.model, **setting, bin_low=low, bin_high=high, share=share)


def _over_seeds(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Average the shares of each bin over the nets of a model."""
    shares: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        shares.setdefault(tuple(row[name] for name in row if name != "share"), []).append(row["share"])
    names = [name for name in rows[0] if name != "share"]
    return [dict(zip(names, place, strict=True), share=sum(own) / len(own)) for place, own in shares.items()]


def _pearson(a: Tensor, b: Tensor) -> float:
    """Correlate over units; NaN where one of them does not vary."""
    both = torch.stack([a, b])
    return math.nan if len(a) < 2 or bool((both.std(1) == 0).any()) else float(torch.corrcoef(both)[0, 1])


def _setting(net: Net, pruning: Pruning, means: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    biases = corrected_biases(net.module, pruning.masks, means) if means is not None else {}
    return pruning.replaced() | biases


def _row(net: Net, pruning: Pruning, *, corrected: bool, baseline: Heard, heard: Heard) -> Correction:
    cells: dict[str, Any] = {name: cell for name, cell in vars(heard).items() if name in Correction.columns()}
    return Correction(
        **_naming(net, pruning),
        **cells,
        sparsity=pruning.sparsity,
        baseline_error_percent=baseline.error_percent,
        baseline_best_wer_percent=baseline.best_wer_percent,
        corrected=corrected,
    )


def _swept(net: Net, pruning: Pruning, plain: DataFrame) -> Correction:
    """Take the row of one net and setting out of a threshold sweep."""
    names = {"data_id": net.data_id, "model": net.model, "seed": net.seed}
    names |= {name: pruning.fields[name] for name in ("method", "threshold")}
    chosen = only(plain, **names)
    if len(chosen) != 1:
        said = ", ".join(f"{name} {value}" for name, value in names.items())
        raise ValueError(
            f"a threshold sweep to compare with has every net and setting once; {said} is there {len(chosen)} times: "
            "sweep these nets at these scales too, or name no sweep"
        )
    own = {name: cell for name, cell in chosen.iloc[0].to_dict().items() if name in Correction.columns()}
    return Correction(**{**own, **pruning.fields}, corrected=False)
