"""Study 0 and the correction summed up over seeds, from their tables."""

import functools
import math
import re
from collections.abc import Mapping

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

    `output-...` is of the output layer; `hidden-shift`, `saturated` and `fixed` are of the last hidden layer.
    """
    layers, posteriors = _with_references(layers, posteriors, layers, posteriors)
    parts = []
    for table, depth, quantities in (
        (layers, 0, _OUTPUT),
        (layers, 1, _LAST_HIDDEN),
        (posteriors, None, _FRAMES),
    ):
        if depth is not None:
            table = table[table["depth"] == table.groupby(_NETS)["depth"].transform("max") - depth]
        columns = {quantity: (column, factor) for quantity, (column, factor, _) in quantities.items()}
        found = by_seed(table, _SIGN, functools.partial(_at, columns=columns))
        parts.append(means(found, _SIGN, {quantity: unit for quantity, (*_, unit) in quantities.items()}))
    return AtReference.frame(pd.concat(parts))


def net_means(layers: DataFrame, posteriors: DataFrame, shifts: DataFrame) -> DataFrame:
    """Give what prose says of each kind of net: the table `MeanOfNets`.

    `baseline-entropy` is that of the unpruned nets' posteriors, `reference-scale` the reference threshold. Over all
    layers, signs and thresholds up to there, `local-fit` and `cascade-fit` correlate predicted with measured mean
    shifts, and `local-slope` and `cascade-slope` are what is measured for each standard deviation predicted.
    """
    frames, shifts = _with_references(layers, posteriors, posteriors, shifts)

    def nets(rows: DataFrame) -> dict[str, float]:
        return {"baseline-entropy": rows["baseline_entropy"].iloc[0], **_at(rows, {"reference-scale": ("scale", 1)})}

    fits = {f"{kind}-{what}": "" for kind in ("local", "cascade") for what in ("fit", "slope")}
    units = {"baseline-entropy": "nats", "reference-scale": "root mean square weights"}
    parts = [means(by_seed(frames, _NETS, nets), _NETS, units), means(by_seed(shifts, _NETS, _fits), _NETS, fits)]
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


def _with_references(layers: DataFrame, posteriors: DataFrame, *tables: DataFrame) -> list[DataFrame]:
    """Put each net's reference threshold beside its rows; NaN where it has none."""

    def reference(rows: DataFrame) -> dict[str, float]:
        try:
            return {"reference": rules.reference_threshold(rows)}
        except NotCoveredError:
            return {"reference": math.nan}

    found = by_seed(rules.joined({"layers": layers, "posteriors": posteriors}), _NETS, reference)
    return [table.merge(found, on=[*_NETS, "seed"]) for table in tables]


def _at(rows: DataFrame, columns: Mapping[str, tuple[str, float]]) -> dict[str, float]:
    """Give what one net shows at its reference threshold, NaN where it has none: name -> factor times a column."""
    here = rows[rows["threshold"] == rows["reference"]]
    return {
        name: factor * here[column].iloc[0] if len(here) else math.nan for name, (column, factor) in columns.items()
    }


def _fits(rows: DataFrame) -> dict[str, float]:
    """Correlate predicted with measured shifts up to the reference threshold; give the slopes through the origin."""
    short, found = rows[rows["threshold"] <= rows["reference"]], {}
    measured = short["measured"].to_numpy()
    for kind in ("local", "cascade"):
        predicted = short[f"predicted_{kind}"].to_numpy()
        found[f"{kind}-fit"] = _correlation(predicted, measured)
        found[f"{kind}-slope"] = _ratio(float((predicted * measured).sum()), float((predicted**2).sum()))
    return found


def _correlation(a: Array, b: Array) -> float:
    return math.nan if not len(a) or a.std() == 0 or b.std() == 0 else float(np.corrcoef(a, b)[0, 1])


def _ratio(above: float, below: float) -> float:
    return above / below if below else math.nan
