"""Study 0, on recognisers: what pruning each sign does to a net's layers, its outputs and its posteriors."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
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
from prunelab.records import Value, quote, to_frame
from prunelab.speech import Corpus
from prunelab.stats import Array, Interval, paired, t_interval
from prunelab.studies.common.curves import knees_of, named
from prunelab.studies.common.nets import Net
from prunelab.studies.common.prunings import Pruning, by_sign
from prunelab.studies.common.recognisers import Heard, Listener
from prunelab.studies.outputs.tables import (
    CORRECTION_COLUMNS,
    CORRECTION_GAIN_COLUMNS,
    CORRECTION_KEY,
    CORRECTION_KNEE_COLUMNS,
    HISTOGRAMS_COLUMNS,
    HISTOGRAMS_KEY,
    LAYERS_COLUMNS,
    LAYERS_KEY,
    POSTERIORS_COLUMNS,
    POSTERIORS_KEY,
    SHIFTS_COLUMNS,
    SHIFTS_KEY,
    CorrectionRow,
    HistogramsRow,
    LayersRow,
    PosteriorsRow,
    ShiftsRow,
)

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


def correction_table(
    nets: Sequence[Net],
    corpus: Corpus,
    thresholds: Mapping[str, Mapping[float, float]],
    *,
    plain: DataFrame | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> DataFrame:
    """Prune every net below every threshold, each sign and both, with its own and with corrected biases.

    Args:
        nets: trained recognisers, on the device.
        corpus: what they were trained on; mean inputs are taken on all its training frames.
        thresholds: model -> threshold -> scale, see `prunings.thresholds_of`.
        plain: a threshold sweep of the same nets at these thresholds among others, which then is not repeated.
        device: where to measure.
        progress: show progress bars.

    Returns:
        One row a net, sign, threshold and correction; columns as `CORRECTION_COLUMNS` says.

    Raises:
        ValueError: `plain` is of other nets, or lacks a setting.
    """
    listener, training = Listener(corpus, device=device), corpus.frames(corpus.train)[0].to(device)
    rows: list[CorrectionRow] = []
    for net in tqdm(nets, desc="bias correction", unit="net", leave=False, disable=not progress):
        means = mean_inputs(net.module, training)
        prunings = list(by_sign(net, thresholds[net.model]))
        cases = [
            (pruning, corrected)
            for corrected in ([True] if plain is not None else [False, True])
            for pruning in prunings
        ]
        settings = (_setting(net, pruning, means if corrected else None) for pruning, corrected in cases)
        heard = listener.hear(net.module, settings, label=f"{net.model}, seed {net.seed}" if progress else None)
        if plain is not None:
            rows += [_swept(net, pruning, plain) for pruning in prunings]
        for (pruning, corrected), one in zip(cases, heard[1:], strict=True):
            rows.append(_row(net, pruning, corrected=corrected, baseline=heard[0], heard=one))
    return to_frame(rows, CORRECTION_KEY)[list(CORRECTION_COLUMNS)]


def knee_table(table: DataFrame) -> DataFrame:
    """Find the knees with and without correction and what each net gains.

    Args:
        table: as `correction_table` makes it.

    Returns:
        One row a model and sign; columns as `CORRECTION_KNEE_COLUMNS` says. A mean, or a gain, stands only where all
        nets have what it is made of.
    """
    rows = []
    for (data, model, method), part in table.groupby(["data", "model", "method"], sort=False):
        plain, corrected = knees(part, str(method))
        both = [*plain, *corrected]
        gain = paired(corrected, plain) if np.isfinite(both).all() else None
        rows.append(
            {
                "data": data,
                "model": model,
                "method": method,
                "seeds": len(plain),
                "seeds_with_knee": int(np.isfinite(plain).sum()),
                "seeds_with_corrected_knee": int(np.isfinite(corrected).sum()),
                **_ends(_mean(plain), "knee_percent", "knee"),
                **_ends(_mean(corrected), "corrected_knee_percent", "corrected_knee"),
                **_ends(gain, "gain", "gain"),
                "largest_sparsity_percent": float(100 * part.groupby("seed")["sparsity"].max().mean()),
            }
        )
    return DataFrame(rows)[list(CORRECTION_KNEE_COLUMNS)]


def gain_table(table: DataFrame) -> DataFrame:
    """Give the word error that the correction saves at each threshold, paired by net.

    Args:
        table: as `correction_table` makes it.

    Returns:
        One row a model, sign and threshold; columns as `CORRECTION_GAIN_COLUMNS` says.
    """
    rows = []
    for (data, model, method, threshold), part in table.groupby(["data", "model", "method", "threshold"], sort=False):
        plain, corrected = _errors(part)
        rows.append(
            {
                "data": data,
                "model": model,
                "method": method,
                "threshold": threshold,
                "scale": float(part["scale"].iloc[0]),
                "seeds": len(plain),
                "sparsity": float(part["sparsity"].mean()),
                "error_percent": float(plain.mean()),
                "corrected_error_percent": float(corrected.mean()),
                **_ends(paired(plain, corrected), "saved", "saved"),
            }
        )
    return DataFrame(rows)[list(CORRECTION_GAIN_COLUMNS)]


def correction_values(table: DataFrame) -> dict[str, Value]:
    """Quote the knees, the gains and the largest saving.

    Returns:
        Per net and sign `<sign>-knee-<net>`, `<sign>-corrected-knee-<net>`, `<sign>-knee-gain-<net>` where every seed
        has them; `<sign>-saved-<net>`, the mean of error without - with correction at the threshold that saves most
        on average, with `<sign>-saved-at-<net>` (root mean square weights), `<sign>-error-there-<net>` and
        `<sign>-corrected-error-there-<net>`.
    """
    values: dict[str, Value] = {}
    for name, rows in named(table):
        for sign in dict.fromkeys(rows["method"]):
            part = rows[rows["method"] == sign]
            plain, corrected = knees(part, sign)
            for kind, found in (("knee", plain), ("corrected-knee", corrected)):
                if (mean := _mean(found)) is not None:
                    values[f"{sign}-{kind}-{name}"] = quote(mean, "%", 1)
            if np.isfinite([*plain, *corrected]).all():
                values[f"{sign}-knee-gain-{name}"] = quote(paired(corrected, plain), "points", 1)
            gains = gain_table(part)
            best = part[part["threshold"] == gains["threshold"].iloc[int(gains["saved"].argmax())]]
            errors = _errors(best)
            values[f"{sign}-saved-{name}"] = quote(paired(*errors), "points", 1)
            values[f"{sign}-saved-at-{name}"] = Value(
                value=float(best["scale"].iloc[0]), unit="root mean square weights"
            )
            values[f"{sign}-error-there-{name}"] = quote(t_interval(errors[0]), "%", 1)
            values[f"{sign}-corrected-error-there-{name}"] = quote(t_interval(errors[1]), "%", 1)
    return values


def knees(rows: DataFrame, method: str) -> tuple[list[float], list[float]]:
    """Give each net's knee in percent sparsity, without and with correction; NaN where its error never rises so far.

    Args:
        rows: of one model.
        method: abs, positive or negative.
    """
    plain, corrected = (knees_of(rows[rows["corrected"] == flag], method) for flag in (False, True))
    return plain, corrected


def _setting(net: Net, pruning: Pruning, means: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    biases = corrected_biases(net.module, pruning.masks, means) if means is not None else {}
    return pruning.replaced() | biases


def _row(net: Net, pruning: Pruning, *, corrected: bool, baseline: Heard, heard: Heard) -> CorrectionRow:
    return CorrectionRow(
        data=net.data,
        data_id=net.data_id,
        model=net.model,
        seed=net.seed,
        sparsity=pruning.sparsity,
        error_percent=heard.error_percent,
        baseline_error_percent=baseline.error_percent,
        best_wer_percent=heard.best_wer_percent,
        baseline_best_wer_percent=baseline.best_wer_percent,
        substitutions_percent=heard.substitutions_percent,
        deletions_percent=heard.deletions_percent,
        insertions_percent=heard.insertions_percent,
        wer_low=heard.wer_low,
        wer_high=heard.wer_high,
        **pruning.fields,
        corrected=corrected,
    )


def _swept(net: Net, pruning: Pruning, plain: DataFrame) -> CorrectionRow:
    """Take the row of one net and setting out of a threshold sweep."""
    names = {"data_id": net.data_id, "model": net.model, "seed": net.seed}
    names |= {name: pruning.fields[name] for name in ("method", "threshold")}
    chosen = plain
    for name, value in names.items():
        chosen = chosen[chosen[name] == value]
    if len(chosen) != 1:
        said = ", ".join(f"{name} {value}" for name, value in names.items())
        raise ValueError(
            f"a threshold sweep to compare with has every net and setting once; {said} is there {len(chosen)} times: "
            "sweep these nets at these scales too, or name no sweep"
        )
    row = chosen.iloc[0].to_dict()
    own = {field.name: row[field.name] for field in fields(CorrectionRow) if field.name in row}
    return CorrectionRow(**{**own, **pruning.fields}, corrected=False)


def _errors(rows: DataFrame) -> tuple[Array, Array]:
    """Give the errors of one setting without and with correction, seed by seed."""
    ordered = rows.sort_values("seed")
    plain, corrected = (
        ordered[ordered["corrected"] == flag]["error_percent"].to_numpy(dtype=float) for flag in (False, True)
    )
    return plain, corrected


def _mean(values: Sequence[float]) -> Interval | None:
    """Average what every seed has."""
    return t_interval(values) if np.isfinite(values).all() else None


def _ends(interval: Interval | None, value: str, stem: str) -> dict[str, float]:
    found = (math.nan,) * 3 if interval is None else (interval.value, interval.low, interval.high)
    return dict(zip((value, f"{stem}_low", f"{stem}_high"), found, strict=True))
