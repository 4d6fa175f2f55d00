"""Study 1: what threshold pruning without retraining costs, in error on image nets and in words on recognisers."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from pandas import DataFrame

from prunelab import models, parts
from prunelab.data import Images
from prunelab.measure import Evaluation
from prunelab.measure.sweep import sweep, threshold_sweep
from prunelab.models import linear_layers, weight_rms
from prunelab.speech import Corpus
from prunelab.studies.common.curves import KNEE
from prunelab.studies.common.nets import Net, error_percent
from prunelab.studies.common.prunings import METHODS, Pruning, by_fraction, by_layer, by_sign
from prunelab.studies.common.recognisers import Listener
from prunelab.studies.sparseness.tables import (
    LayerSensitivity,
    Percentile,
    Rescaled,
    SpeechLayerSensitivity,
    SpeechPercentile,
    SpeechThresholdSweep,
    ThresholdSweep,
)
from prunelab.tables import Table

RESCALINGS = ("trained", "equal", "rising", "falling")

_Thresholds = Mapping[str, Mapping[float, float]]  # model -> threshold -> scale, see `prunings.thresholds_of`


def threshold_table(nets: Sequence[Net], measured_on: Images | Corpus, thresholds: _Thresholds) -> DataFrame:
    """Prune every net below every threshold: both signs, positive only, negative only (experiments 1 to 4)."""
    tables = ThresholdSweep, SpeechThresholdSweep
    return _swept(nets, measured_on, tables, _of_thresholds, by=by_sign, thresholds=thresholds)


def layer_table(nets: Sequence[Net], measured_on: Images | Corpus, thresholds: _Thresholds) -> DataFrame:
    """Prune one layer at a time below every threshold, both signs (experiment 5).

    `sparsity` counts all the net's weights, as the source does.
    """
    tables = LayerSensitivity, SpeechLayerSensitivity
    return _swept(nets, measured_on, tables, _of_thresholds, by=by_layer, thresholds=thresholds)


def percentile_table(
    nets: Sequence[Net], measured_on: Images | Corpus, fractions: Sequence[float], methods: Sequence[str] = METHODS
) -> DataFrame:
    """Prune the same fraction of each layer and sign, against one threshold for the whole net (experiment 6).

    Args:
        nets: trained nets.
        measured_on: images, or the corpus that they were trained on.
        fractions: parts of the weights to remove, [0, 1), for every method.
        methods: of "percentile" and "abs".
    """
    tables = Percentile, SpeechPercentile
    return _swept(nets, measured_on, tables, by_fraction, fractions=fractions, methods=methods)


def rescaled(net: Net, rescaling: str, *, spread: float = 2.0) -> Net:
    """Give a ReLU net's layers other scales without changing what it computes.

    A ReLU passes a positive factor on. So the weights and biases of a hidden layer can be multiplied by it and the
    weights of the next layer divided: the logits stay the same up to rounding, and so does what percentiles remove.
    The product of all layers' scales is fixed by that; "equal" gives each their geometric mean.

    Args:
        net: hidden layers with ReLU only; not changed.
        rescaling: "trained" (as it is), "equal" (one root mean square weight for all layers), "rising" (it grows from
            layer to layer by equal factors) or "falling" (it shrinks).
        spread: root mean square weight of the last layer to the first of a rising net, above 0.

    Raises:
        ValueError: another activation than ReLU, an unknown rescaling, a spread that is no positive number, or a
            layer whose weights are all 0.
    """
    activations = set(models.parse(net.model).activations)
    if activations != {"relu"}:
        raise ValueError(
            f"a factor passes through a ReLU alone; {net.model} has {', '.join(sorted(activations - {'relu'}))}: "
            "take ReLU nets"
        )
    if rescaling not in RESCALINGS:
        raise ValueError(f"a rescaling is one of {', '.join(RESCALINGS)}; got {rescaling!r}")
    if not (math.isfinite(spread) and spread > 0):
        raise ValueError(f"spread is the ratio of two root mean squares, above 0; got {spread!r}")
    module = copy.deepcopy(net.module)
    sizes = np.array(layer_rms(net))
    if not sizes.all():
        raise ValueError(f"a layer of zeros has no scale to change; {net.model}, seed {net.seed}, has one")
    if rescaling != "trained":
        steps = {"equal": 0.0, "rising": math.log(spread), "falling": -math.log(spread)}[rescaling]
        places = np.linspace(-0.5, 0.5, len(sizes))
        wanted = np.exp(np.log(sizes).mean() + steps * places)
        carried = 1.0  # what the layers before have multiplied this layer's inputs by
        with torch.no_grad():
            for name, factor in zip(linear_layers(module), wanted / sizes, strict=True):
                carried *= float(factor)
                module.get_parameter(f"{name}.weight").mul_(float(factor))
                module.get_parameter(f"{name}.bias").mul_(carried)
    return Net(**net.names, module=module)


def rescaled_table(
    nets: Sequence[Net], corpus: Corpus, fractions: Sequence[float], *, spread: float = 2.0
) -> DataFrame:
    """Compare one global threshold with percentiles on ReLU nets that compute the same with layers of other scale.

    Percentiles are measured at every fraction on the trained nets, and on the rescaled ones at the fraction nearest
    to their knee, where a change would show.
    """
    parts = []
    for rescaling in RESCALINGS:
        changed = [rescaled(net, rescaling, spread=spread) for net in nets]
        parts.append(percentile_table(changed, corpus, fractions, ["abs"]))
        if rescaling == "trained":
            whole = percentile_table(changed, corpus, fractions, ["percentile"])
            parts.append(whole)
        else:
            parts.append(percentile_table(changed, corpus, [_at_knee(whole)], ["percentile"]))
        spreads = {(net.model, net.seed): max(sizes) / min(sizes) for net in changed for sizes in [layer_rms(net)]}
        for place in (-2, -1):
            names = zip(parts[place]["model"], parts[place]["seed"], strict=True)
            parts[place] = parts[place].assign(rescaling=rescaling, layer_spread=[spreads[name] for name in names])
    return Rescaled.frame(pd.concat(parts, ignore_index=True))


def layer_rms(net: Net) -> list[float]:
    """Give the root mean square weight of each layer, first to last."""
    return [weight_rms([net.module.get_parameter(f"{name}.weight")]) for name in linear_layers(net.module)]


def _swept(
    nets: Sequence[Net],
    measured_on: Images | Corpus,
    tables: tuple[type[Table], type[Table]],
    prunings_of: Callable[..., Iterable[Pruning]],
    **settings: Any,
) -> DataFrame:
    """Measure every net under its prunings, by error on images or by words on a corpus: first or second table."""
    table = tables[isinstance(measured_on, Corpus)]
    on: Images | Listener = measured_on if isinstance(measured_on, Images) else _listener(nets, measured_on)
    given: dict[str, Any] = {"table": table, "on": on, "prunings_of": prunings_of, "settings": settings}
    return parts.each(_sweep_one, nets, label="pruning", **given)[table]


def _sweep_one(
    net: Net,
    table: type[Table],
    on: Images | Listener,
    prunings_of: Callable[..., Iterable[Pruning]],
    settings: Mapping[str, Any],
) -> Iterator[Table]:
    prunings = list(prunings_of(net, **settings))
    measured = _heard(on, net, prunings) if isinstance(on, Listener) else _seen(net, on, _scores(net, on, prunings))
    for pruning, cells in zip(prunings, measured, strict=True):
        row = {**net.names, **pruning.fields, "sparsity": pruning.sparsity, **cells}
        if table is SpeechPercentile:
            row["threshold"] = pruning.threshold if row["method"] == "abs" else None
        yield table(**row)


def _of_thresholds(net: Net, by: Callable[..., Iterable[Pruning]], thresholds: _Thresholds) -> Iterable[Pruning]:
    return by(net, thresholds[net.model])


def _listener(nets: Sequence[Net], corpus: Corpus) -> Listener:
    """Listen where the nets are, which all are on one device."""
    return Listener(corpus, device=str(next(nets[0].module.parameters()).device))


def _scores(net: Net, images: Images, prunings: Sequence[Pruning]) -> Iterable[Evaluation]:
    if not {"method", "threshold"} <= set(prunings[0].fields):
        return sweep(net.module, images.test, (pruning.replaced() for pruning in prunings))
    # Quicker: the three signs share the products of the first layer, the largest one.
    settings = [(pruning.fields["method"], pruning.fields["threshold"]) for pruning in prunings]
    scores = threshold_sweep(net.module, images.test, list(dict.fromkeys(threshold for _, threshold in settings)))
    return (scores[setting] for setting in settings)


def _seen(net: Net, images: Images, scores: Iterable[Evaluation]) -> Iterator[dict[str, Any]]:
    baseline = error_percent(sweep(net.module, images.test, [{}])[0].accuracy)
    for score in scores:
        error = error_percent(score.accuracy)
        yield {"error_percent": error, "baseline_error_percent": baseline, "loss": score.loss}


def _heard(listener: Listener, net: Net, prunings: Sequence[Pruning]) -> Iterator[dict[str, Any]]:
    settings = (pruning.replaced() for pruning in prunings)
    unpruned, *pruned = listener.hear(net.module, settings, label=f"{net.model}, seed {net.seed}")
    for heard in pruned:
        cells = {**vars(heard), "baseline_error_percent": unpruned.error_percent}
        del cells["dev_error_percent"]  # what a decoder is chosen by is no result
        yield cells | {"baseline_best_wer_percent": unpruned.best_wer_percent}


def _at_knee(table: DataFrame) -> float:
    """Give the fraction at which the mean error under percentiles is nearest to the knee's."""
    means = table.groupby("setting")[["error_percent", "baseline_error_percent"]].mean()
    distance = (means["error_percent"] - means["baseline_error_percent"] - KNEE).abs()
    return float(means.index[int(distance.argmin())])
