"""Study 1: what threshold pruning without retraining costs, in error on image nets and in words on recognisers."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from pandas import DataFrame
from tqdm import tqdm

from prunelab import models
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

RESCALINGS = ("trained", "equal", "rising", "falling")

_Thresholds = Mapping[str, Mapping[float, float]]  # model -> threshold -> scale, see `prunings.thresholds_of`
_Scores = Callable[[Net, Images, Sequence[Pruning]], Iterable[Evaluation]]


def threshold_table(nets: Sequence[Net], measured_on: Images | Corpus, thresholds: _Thresholds) -> DataFrame:
    """Prune every net below every threshold: both signs, positive only, negative only (experiments 1 to 4)."""
    found = _pruned(nets, measured_on, lambda net: by_sign(net, thresholds[net.model]), _scores_by_sign)
    table = SpeechThresholdSweep if isinstance(measured_on, Corpus) else ThresholdSweep
    return table.frame([row for _, row in found])


def layer_table(nets: Sequence[Net], measured_on: Images | Corpus, thresholds: _Thresholds) -> DataFrame:
    """Prune one layer at a time below every threshold, both signs (experiment 5).

    `sparsity` counts all the net's weights, as the source does.
    """
    found = _pruned(nets, measured_on, lambda net: by_layer(net, thresholds[net.model]))
    table = SpeechLayerSensitivity if isinstance(measured_on, Corpus) else LayerSensitivity
    return table.frame([row for _, row in found])


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
    found = _pruned(nets, measured_on, lambda net: by_fraction(net, fractions, methods))
    if not isinstance(measured_on, Corpus):
        return Percentile.frame([row for _, row in found])
    return SpeechPercentile.frame(
        [row | {"threshold": pruning.threshold if row["method"] == "abs" else None} for pruning, row in found]
    )


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


def _pruned(
    nets: Sequence[Net],
    measured_on: Images | Corpus,
    prunings_of: Callable[[Net], Iterable[Pruning]],
    scores_of: _Scores | None = None,
) -> Iterator[tuple[Pruning, dict[str, Any]]]:
    """Measure every net under its prunings; give each with the cells of its row."""
    listener: Listener | None = None
    for net in tqdm(nets, desc="pruning", unit="net", leave=False):
        prunings = list(prunings_of(net))
        if isinstance(measured_on, Corpus):
            if listener is None:  # all nets are on one device
                listener = Listener(measured_on, device=str(next(net.module.parameters()).device))
            measured = _heard(listener, net, prunings)
        else:
            measured = _seen(net, measured_on, (scores_of or _scores)(net, measured_on, prunings))
        for pruning, cells in zip(prunings, measured, strict=True):
            yield pruning, {**net.names, **pruning.fields, "sparsity": pruning.sparsity, **cells}


def _scores(net: Net, images: Images, prunings: Sequence[Pruning]) -> list[Evaluation]:
    return sweep(net.module, images.test, (pruning.replaced() for pruning in prunings))


def _scores_by_sign(net: Net, images: Images, prunings: Sequence[Pruning]) -> Iterator[Evaluation]:
    """Quicker: the three signs share the products of the first layer, the largest one."""
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
