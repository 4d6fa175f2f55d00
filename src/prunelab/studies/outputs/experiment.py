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


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs:
    """The four tables of the study."""

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
) -> Outputs:
    """Prune every net below every threshold, each sign and both, and look at its outputs over the test frames.

    Args:
        nets: trained recognisers, on the device.
        corpus: what they were trained on; predictions take its training frames, all else its test frames.
        thresholds: model -> threshold -> scale, see `prunings.thresholds_of`.
        device: where to measure.
    """
    listener = Listener(corpus, device=device)
    test = listener.test
    training = corpus.frames(corpus.train)[0]
    training = training[:: max(1, len(training) // _TRAINING_FRAMES)].to(device)
    edges = _edges(nets, test)
    layers: list[Layers] = []
    posteriors: list[Posteriors] = []
    shifts: list[PredictedShifts] = []
    binned: dict[tuple[Any, ...], list[Tensor]] = {}
    for net in tqdm(nets, desc="outputs", unit="net", leave=False):
        prunings = list(by_sign(net, thresholds[net.model]))
        unpruned = trace(net.module, test, edges=edges[net.model])
        kept = reference(unpruned.logits)
        baseline_entropy = float(entropies(unpruned.logits).double().mean())
        moments = input_moments(net.module, training)
        binned.setdefault((net.model, "baseline", 0.0, 0.0), []).append(unpruned.histogram)
        compared, on_test = [], [unpruned.logits]
        label = f"{net.model}, seed {net.seed}"
        for pruning in tqdm(prunings, desc=label, unit="setting", leave=False):
            weights = pruning.replaced()
            pruned = trace(net.module, test, weights, edges=edges[net.model])
            compared.append(compare(kept, pruned.logits))
            on_test.append(pruned.logits)
            for layer, shift in _by_layer(_naming(net, pruning), unpruned, pruned, _predictions(net, weights, moments)):
                layers.append(layer)
                shifts.append(shift)
            place = (net.model, *(pruning.fields[name] for name in ("method", "threshold", "scale")))
            binned.setdefault(place, []).append(pruned.histogram)
        # The test part is computed already; the decoders still have to be chosen on the development part.
        on_dev = logits(net.module, listener.dev, [{}, *(pruning.replaced() for pruning in prunings)])
        heard = listener.judge(torch.cat(both) for both in zip(on_dev, on_test, strict=True))
        posteriors += [
            Posteriors(
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
        layers=Layers.frame(layers),
        posteriors=Posteriors.frame(posteriors),
        histograms=Histograms.frame(list(_histograms(corpus.name, binned, edges))),
        shifts=PredictedShifts.frame(shifts),
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
    listener, training = Listener(corpus, device=device), corpus.frames(corpus.train)[0].to(device)
    rows: list[Correction] = []
    for net in tqdm(nets, desc="bias correction", unit="net", leave=False):
        means = mean_inputs(net.module, training)
        prunings = list(by_sign(net, thresholds[net.model]))
        cases = [
            (pruning, corrected)
            for corrected in ([True] if plain is not None else [False, True])
            for pruning in prunings
        ]
        settings = (_setting(net, pruning, means if corrected else None) for pruning, corrected in cases)
        heard = listener.hear(net.module, settings, label=f"{net.model}, seed {net.seed}")
        if plain is not None:
            rows += [_swept(net, pruning, plain) for pruning in prunings]
        for (pruning, corrected), one in zip(cases, heard[1:], strict=True):
            rows.append(_row(net, pruning, corrected=corrected, baseline=heard[0], heard=one))
    return Correction.frame(rows)


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


def _histograms(
    data: str, binned: Mapping[tuple[Any, ...], Sequence[Tensor]], edges: Mapping[str, Tensor]
) -> Iterator[Histograms]:
    for (model, method, threshold, scale), shares in binned.items():
        bounds = [round(float(edge), 9) for edge in edges[model]]
        for place, share in enumerate(torch.stack(list(shares)).mean(0).tolist()):
            low, high = bounds[place : place + 2]
            yield Histograms(
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
