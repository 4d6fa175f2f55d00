"""What makes one global threshold beat percentiles: the scale of the layers, changed here without changing the net."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from pandas import DataFrame

from prunelab import models, records
from prunelab.models import linear_layers, weight_rms
from prunelab.records import Value, to_frame
from prunelab.speech import Corpus
from prunelab.stats import paired, t_interval
from prunelab.studies.common import curves
from prunelab.studies.common.nets import Net
from prunelab.studies.sparseness import experiment, rules
from prunelab.studies.sparseness.summary import speech_percentile_values
from prunelab.studies.sparseness.tables import PERCENTILE_KEY, SPEECH_PERCENTILE_COLUMNS

RESCALINGS = ("trained", "equal", "rising", "falling")

RESCALED_KEY = ("rescaling", *PERCENTILE_KEY)
RESCALED_COLUMNS = {
    "rescaling": "root mean square weights of the layers: trained (as they are), equal, rising or falling with depth",
    "layer_spread": "largest to smallest root mean square weight of the layers [ratio]",
    **SPEECH_PERCENTILE_COLUMNS,
}
GAIN_KEY = ("data", "model", "rescaling")
GAIN_COLUMNS = {
    "data": "source of the recordings",
    "model": "spec of the net",
    "rescaling": RESCALED_COLUMNS["rescaling"],
    "layer_spread": "largest to smallest root mean square weight of the layers, mean over seeds [ratio]",
    "global_knee": "sparsity at the knee of one global threshold, mean over seeds; may be empty [%]",
    "percentile_knee": "the same of percentiles, which rescaling leaves as they are; may be empty [%]",
    "knee_gain": "global minus percentile, paired by net; may be empty where a seed has no knee [points]",
    "knee_gain_low": "lower end of its 95 % t interval; may be empty [points]",
    "knee_gain_high": "upper end of its 95 % t interval; may be empty [points]",
    "seeds": "nets measured",
    "verdict": "on the claim that one global threshold beats percentiles",
    "reason": "the effect held against the rule's bound",
}


@dataclass(frozen=True, kw_only=True)
class _Gain:
    data: str
    model: str
    rescaling: str
    layer_spread: float
    global_knee: float | None
    percentile_knee: float | None
    knee_gain: float | None
    knee_gain_low: float | None
    knee_gain_high: float | None
    seeds: int
    verdict: str
    reason: str


def layer_rms(net: Net) -> list[float]:
    """Give the root mean square weight of each layer, first to last."""
    return [weight_rms([net.module.get_parameter(f"{name}.weight")]) for name in linear_layers(net.module)]


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

    Returns:
        A net of the same name and seed.

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
    return Net(data=net.data, data_id=net.data_id, model=net.model, seed=net.seed, module=module)


def rescaled_table(
    nets: Sequence[Net], corpus: Corpus, fractions: Sequence[float], *, spread: float = 2.0
) -> DataFrame:
    """Compare one global threshold with percentiles on nets that compute the same with layers of other scale.

    Percentiles are measured at every fraction on the trained nets, and on the rescaled ones at the fraction nearest
    to their knee, where a change would show.

    Args:
        nets: ReLU nets, trained on the corpus.
        corpus: measured on the test part.
        fractions: parts of the weights to remove, [0, 1).
        spread: see `rescaled`.

    Returns:
        One row a rescaling, net, method and fraction; columns as `RESCALED_COLUMNS` says.

    Raises:
        ValueError: as `rescaled`, or no fraction.
    """
    parts = []
    for rescaling in RESCALINGS:
        changed = [rescaled(net, rescaling, spread=spread) for net in nets]
        tables = [experiment.speech_percentile_table(changed, corpus, fractions, methods=["abs"])]
        if rescaling == "trained":
            whole = experiment.speech_percentile_table(changed, corpus, fractions, methods=["percentile"])
            tables.append(whole)
        else:
            tables.append(
                experiment.speech_percentile_table(changed, corpus, [_at_knee(whole)], methods=["percentile"])
            )
        spreads = {(net.model, net.seed): max(sizes) / min(sizes) for net in changed for sizes in [layer_rms(net)]}
        for table in tables:
            keys = zip(table["model"], table["seed"], strict=True)
            parts.append(table.assign(rescaling=rescaling, layer_spread=[spreads[key] for key in keys]))
    return pd.concat(parts, ignore_index=True)[list(RESCALED_COLUMNS)]


def gain_table(table: DataFrame) -> DataFrame:
    """Find both knees on each rescaling, what the global threshold gains, and what becomes of the claim.

    Args:
        table: see `rescaled_table`.

    Returns:
        One row a model and rescaling; columns as `GAIN_COLUMNS` says.
    """
    rows = []
    for names, part in table.groupby(["data", "model"], sort=False):
        data, model = map(str, names)
        for rescaling in dict.fromkeys(part["rescaling"]):
            pair = compared(part, rescaling)
            whole, layered = curves.knees_of(pair, "abs"), curves.knees_of(pair, "percentile")
            gain = paired(whole, layered) if np.isfinite([*whole, *layered]).all() else None
            (verdict,) = rules.verdicts({"percentile": pair}, run="")
            rows.append(
                _Gain(
                    data=data,
                    model=model,
                    rescaling=rescaling,
                    layer_spread=float(pair["layer_spread"][pair["method"] == "abs"].mean()),
                    global_knee=_mean(whole),
                    percentile_knee=_mean(layered),
                    knee_gain=gain.value if gain else None,
                    knee_gain_low=gain.low if gain else None,
                    knee_gain_high=gain.high if gain else None,
                    seeds=len(whole),
                    verdict=verdict.verdict,
                    reason=verdict.reason,
                )
            )
    return to_frame(rows, GAIN_KEY)


def rescaled_values(table: DataFrame) -> dict[str, Value]:
    """Quote the experiment: knees and gains by rescaling, and what rescaling changes that it should not.

    Returns:
        Per rescaling all of `recogniser_summary.percentile_values` with "<rescaling>-" before it, and
        `<rescaling>-layer-spread-<net>`; per net `baseline-change-<net>` and `percentile-change-<net>`, the largest
        difference to the trained net's word error, unpruned and under percentiles.
    """
    values: dict[str, Value] = {}
    for rescaling in dict.fromkeys(table["rescaling"]):
        pair = compared(table, rescaling)
        values |= {f"{rescaling}-{name}": value for name, value in speech_percentile_values(pair).items()}
        for name, rows in curves.named(pair[pair["method"] == "abs"]):
            spreads = rows.groupby("seed")["layer_spread"].first()
            values[f"{rescaling}-layer-spread-{name}"] = records.quote(t_interval(spreads), "times")
    for name, rows in curves.named(table[table["method"] == "percentile"]):
        for kind, column in (("baseline", "baseline_error_percent"), ("percentile", "error_percent")):
            values[f"{kind}-change-{name}"] = Value(value=_change(rows, column), unit="points")
    return values


def compared(table: DataFrame, rescaling: str) -> DataFrame:
    """Put one rescaling's global threshold beside the percentiles, which are the trained nets', in the rules' columns.

    The unpruned errors, which differ by rounding if at all, are the trained nets' too.
    """
    trained = table[(table["rescaling"] == "trained") & (table["method"] == "percentile")]
    unpruned = ["baseline_error_percent", "baseline_best_wer_percent"]
    baselines = trained.drop_duplicates(["model", "seed"])[["model", "seed", *unpruned]]
    own = table[(table["rescaling"] == rescaling) & (table["method"] == "abs")]
    return pd.concat([trained, own.drop(columns=unpruned).merge(baselines, on=["model", "seed"])], ignore_index=True)


def _at_knee(table: DataFrame) -> float:
    """Give the fraction at which the mean error under percentiles is nearest to the knee's."""
    means = table.groupby("setting")[["error_percent", "baseline_error_percent"]].mean()
    distance = (means["error_percent"] - means["baseline_error_percent"] - curves.KNEE).abs()
    return float(means.index[int(distance.argmin())])


def _change(rows: DataFrame, column: str) -> float:
    """Give the largest difference of a column between the trained and a rescaled net, at one setting and seed."""
    wide = rows.set_index(["seed", "setting", "rescaling"])[column].unstack().dropna()  # noqa: PD010 (one value a cell)
    return float(wide.drop(columns="trained").sub(wide["trained"], axis=0).abs().to_numpy().max())


def _mean(knees: Sequence[float]) -> float | None:
    return float(np.mean(knees)) if np.isfinite(knees).all() else None
