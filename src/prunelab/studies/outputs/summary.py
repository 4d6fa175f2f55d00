"""Study 0 and the correction summed up over seeds, from their tables."""

import math
import re

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab.decisions import NotCoveredError
from prunelab.stats import Array
from prunelab.studies.common.curves import MeanOfNets, by_seed, knees_by_seed, means
from prunelab.studies.outputs import rules
from prunelab.studies.outputs.tables import AtReference, CorrectionGains, CorrectionKnees, LargestSavings
from prunelab.summaries import contrast

_NETS = ["data", "model"]
_SIGN = [*_NETS, "method"]
# What is said of each sign at the reference threshold: quantity -> (column, factor, unit).
_OUTPUT = {"output-shift": ("mean_shift", 1, "standard deviations"), "output-spread": ("spread", 1, "")}
_LAST_HIDDEN = {
    "hidden-shift": ("mean_shift", 1, "standard deviations"),
    "saturated": ("saturated", 100, "%"),
    "fixed": ("fixed", 100, "%"),
}
_FRAMES = {
    "rank-correlation": ("rank_correlation", 1, ""),
    "agreement": ("top1_agreement", 100, "%"),
    "entropy": ("entropy", 1, "nats"),
    "wer": ("error_percent", 1, "%"),
}


def at_reference(layers: DataFrame, posteriors: DataFrame) -> DataFrame:
    """Give what each sign does at the nets' reference thresholds: the table `AtReference`.

    `output-...` is of the output layer; `hidden-shift`, `saturated` and `fixed` are of the last hidden layer. Nets of a
    model of which one has no reference threshold are left out.
    """
    references = _references(rules.joined({"layers": layers, "posteriors": posteriors}))
    here, frames = (_at(table, references) for table in (layers, posteriors))
    last = here.groupby(_NETS)["depth"].transform("max")
    parts = []
    for rows, quantities in (
        (here[here["depth"] == last], _OUTPUT),
        (here[here["depth"] == last - 1], _LAST_HIDDEN),
        (frames, _FRAMES),
    ):
        scaled = {quantity: factor * rows[column] for quantity, (column, factor, _) in quantities.items()}
        parts.append(means(rows.assign(**scaled), _SIGN, {name: unit for name, (*_, unit) in quantities.items()}))
    return AtReference.frame(pd.concat(parts))


def net_means(layers: DataFrame, posteriors: DataFrame, shifts: DataFrame) -> DataFrame:
    """Give what prose says of each kind of net: the table `MeanOfNets`.

    `baseline-entropy` is that of the unpruned nets' posteriors, `reference-scale` the reference threshold. Over all
    layers, signs and thresholds up to there, `local-fit` and `cascade-fit` correlate predicted with measured mean
    shifts, and `local-slope` and `cascade-slope` are what is measured for each standard deviation predicted.
    """
    references = _references(rules.joined({"layers": layers, "posteriors": posteriors}))
    unpruned = by_seed(posteriors, _NETS, lambda rows: {"baseline-entropy": rows["baseline_entropy"].iloc[0]})
    scales = _at(posteriors[posteriors["method"] == "abs"], references).rename(columns={"scale": "reference-scale"})
    short = shifts.merge(references, on=[*_NETS, "seed"])
    short = short[short["threshold"] <= short["reference"]]
    fits = {f"{kind}-{what}": "" for kind in ("local", "cascade") for what in ("fit", "slope")}
    parts = [
        means(unpruned, _NETS, {"baseline-entropy": "nats"}),
        means(scales, _NETS, {"reference-scale": "root mean square weights"}),
        means(by_seed(short, _NETS, _fits), _NETS, fits),
    ]
    return MeanOfNets.frame(pd.concat(parts))


def correction_knees(table: DataFrame) -> DataFrame:
    """Find the knees with and without correction and what each net gains: the table `CorrectionKnees`.

    A mean, or a gain, stands only where all nets have what it is made of.
    """
    knees = knees_by_seed(table, [*_SIGN, "corrected"])
    plain, corrected = (knees[knees["corrected"] == flag] for flag in (False, True))
    names = ("corrected_knee_percent", "knee_percent", "gain")
    found = contrast(corrected, plain, _SIGN, "knee_percent", names=names, gaps=True)
    for side, column in ((plain, "seeds_with_knee"), (corrected, "seeds_with_corrected_knee")):
        found[column] = side.groupby(_SIGN, sort=False)["knee_percent"].count().to_numpy()
    largest = plain.groupby(_SIGN, sort=False)["largest_sparsity_percent"].mean()
    return CorrectionKnees.frame(_ends(found, "gain").assign(largest_sparsity_percent=largest.to_numpy()))


def savings(table: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Give the word error that the correction saves, paired by net, at each threshold and where it saves most.

    The tables `CorrectionGains` and `LargestSavings`.
    """
    key = [*_SIGN, "threshold"]
    plain, corrected = (table[table["corrected"] == flag] for flag in (False, True))
    names = ("error_percent", "corrected_error_percent", "saved")
    found = contrast(plain, corrected, key, "error_percent", names=names)
    settings = plain.groupby(key, sort=False).agg(scale=("scale", "first"), sparsity=("sparsity", "mean"))
    found = _ends(found, "saved").merge(settings.reset_index(), on=key)
    largest = found.loc[found.groupby(_SIGN, sort=False)["saved"].idxmax()]
    return CorrectionGains.frame(found), LargestSavings.frame(largest)


def _ends(found: DataFrame, difference: str) -> DataFrame:
    """Call the ends of a contrast's intervals as the tables do: knee_percent has knee_low, the difference its own."""
    own = {"low": f"{difference}_low", "high": f"{difference}_high"}
    return found.rename(columns=own).rename(columns=lambda column: re.sub("_percent_(low|high)$", r"_\1", column))


def _references(joined: DataFrame) -> DataFrame:
    """Give each net's reference threshold; only models of which every net has one."""

    def reference(rows: DataFrame) -> dict[str, float]:
        try:
            return {"reference": rules.reference_threshold(rows)}
        except NotCoveredError:
            return {"reference": math.nan}

    found = by_seed(joined, _NETS, reference)
    return found[~found.groupby(_NETS)["reference"].transform(lambda own: own.isna().any())]


def _at(table: DataFrame, references: DataFrame) -> DataFrame:
    """Keep each net's rows at its reference threshold."""
    rows = table.merge(references, on=[*_NETS, "seed"])
    return rows[rows["threshold"] == rows["reference"]]


def _fits(rows: DataFrame) -> dict[str, float]:
    """Correlate predicted with measured shifts and give the slope through the origin."""
    found, measured = {}, rows["measured"].to_numpy()
    for kind in ("local", "cascade"):
        predicted = rows[f"predicted_{kind}"].to_numpy()
        found[f"{kind}-fit"] = _correlation(predicted, measured)
        found[f"{kind}-slope"] = _ratio(float((predicted * measured).sum()), float((predicted**2).sum()))
    return found


def _correlation(a: Array, b: Array) -> float:
    return math.nan if a.std() == 0 or b.std() == 0 else float(np.corrcoef(a, b)[0, 1])


def _ratio(above: float, below: float) -> float:
    return above / below if below else math.nan
