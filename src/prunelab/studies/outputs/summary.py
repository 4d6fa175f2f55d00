"""Study 0 summed up: the numbers prose quotes at each net's reference threshold, and the verdicts on its claims."""

import math
from pathlib import Path

import numpy as np
from pandas import DataFrame

from prunelab import claims, decisions
from prunelab.records import Value, finite, quote
from prunelab.stats import Array, t_interval
from prunelab.studies.common.curves import named
from prunelab.studies.common.runs import table_of
from prunelab.studies.outputs import rules

_SIGNS = ("abs", *rules.DIRECTIONS)
# What is quoted of each sign at the reference threshold: name -> (column, unit, factor, digits).
_LAST_HIDDEN = {
    "hidden-shift": ("mean_shift", "standard deviations", 1, 2),
    "saturated": ("saturated", "%", 100, 1),
    "fixed": ("fixed", "%", 100, 1),
}
_OUTPUT = {"output-shift": ("mean_shift", "standard deviations", 1, 2), "output-spread": ("spread", "", 1, 2)}
_FRAMES = {
    "rank-correlation": ("rank_correlation", "", 1, 2),
    "agreement": ("top1_agreement", "%", 100, 1),
    "entropy": ("entropy", "nats", 1, 2),
    "wer": ("error_percent", "%", 1, 1),
    "sparsity": ("sparsity", "%", 100, 1),
}


def outputs_values(layers: DataFrame, posteriors: DataFrame, shifts: DataFrame) -> dict[str, Value]:
    """Quote the study's tables.

    Returns:
        Per net `baseline-<net>` and `baseline-entropy-<net>`; where every seed has a reference threshold,
        `reference-scale-<net>` and at that threshold `<what>-<sign>-<net>` for each sign: output-shift and
        output-spread (the output layer), hidden-shift, saturated and fixed (the last hidden layer), rank-correlation,
        agreement, entropy, wer and sparsity. `largest-shift-<net>` is the output layer's largest under abs up to
        there. `local-fit-<net>` and `cascade-fit-<net>` correlate predicted with measured mean shifts over all
        layers, signs and thresholds up to there; `local-slope-<net>` and `cascade-slope-<net>` are what is measured
        for each predicted standard deviation.
    """
    values: dict[str, Value] = {}
    joined = rules.joined({"layers": layers, "posteriors": posteriors})
    for name, rows in named(joined):
        own = posteriors[posteriors["model"] == rows["model"].iloc[0]]
        for key, column, unit in (("", "baseline_error_percent", "%"), ("-entropy", "baseline_entropy", "nats")):
            values[f"baseline{key}-{name}"] = quote(t_interval(own.groupby("seed")[column].first()), unit)
        try:
            at = dict(
                zip(sorted(rows["seed"].unique()), decisions.per_seed(rows, rules.reference_threshold), strict=True)
            )
        except decisions.NotCoveredError:
            continue
        values |= _at_reference(name, rows, own, at)
        values |= _predictions(name, shifts[shifts["model"] == rows["model"].iloc[0]], at)
    return values


def decide(speech_outputs: str) -> list[claims.Verdict]:
    """Decide the study's claims from the tables of one run.

    Args:
        speech_outputs: folder of the run with `tables/layers.csv` and `tables/posteriors.csv`.

    Returns:
        One verdict a claim, in the order of `claims.yml`.

    Raises:
        FileNotFoundError: no run is named, or it lacks a table.
    """
    if not speech_outputs:
        raise FileNotFoundError(
            "the claims are decided on the tables of another run, and no folder is given; name one, as in "
            "-p speech_outputs=./results/quick/speech-outputs, or use --profile quick"
        )
    tables = {name: table_of(speech_outputs, name) for name in ("layers", "posteriors")}
    return rules.verdicts(tables, run=Path(speech_outputs).name)


def _at_reference(name: str, rows: DataFrame, frames: DataFrame, at: dict[int, float]) -> dict[str, Value]:
    here, last = rows[rows["threshold"] == rows["seed"].map(at)], rows["depth"].max()
    scales = here.groupby("seed")["scale"].first()
    values = {f"reference-scale-{name}": quote(t_interval(scales), "root mean square weights")}
    short = rows[(rows["threshold"] <= rows["seed"].map(at)) & (rows["method"] == "abs") & (rows["depth"] == last)]
    largest = short.assign(size=short["mean_shift"].abs()).groupby("seed")["size"].max()
    values[f"largest-shift-{name}"] = quote(t_interval(largest), "standard deviations")
    parts = (
        (here[here["depth"] == last], _OUTPUT),
        (here[here["depth"] == last - 1], _LAST_HIDDEN),
        (frames[frames["threshold"] == frames["seed"].map(at)], _FRAMES),
    )
    for part, wanted in parts:
        for sign in _SIGNS:
            for what, (column, unit, factor, digits) in wanted.items():
                found = part[part["method"] == sign].sort_values("seed")[column]
                if len(found) and np.isfinite(found).all():
                    values[f"{what}-{sign}-{name}"] = quote(t_interval(factor * found), unit, digits)
    return values


def _predictions(name: str, shifts: DataFrame, at: dict[int, float]) -> dict[str, Value]:
    """Correlate predicted with measured shifts and give the slope through the origin, seed by seed."""
    moderate = shifts[shifts["threshold"] <= shifts["seed"].map(at)]
    values: dict[str, Value] = {}
    for kind in ("local", "cascade"):
        fits, slopes = [], []
        for _, rows in moderate.groupby("seed", sort=True):
            predicted, measured = rows[f"predicted_{kind}"].to_numpy(), rows["measured"].to_numpy()
            fits.append(_correlation(predicted, measured))
            slopes.append(_ratio(float((predicted * measured).sum()), float((predicted**2).sum())))
        for what, found in (("fit", fits), ("slope", slopes)):
            values |= finite(f"{kind}-{what}-{name}", found, t_interval, "")
    return values


def _correlation(a: Array, b: Array) -> float:
    return math.nan if a.std() == 0 or b.std() == 0 else float(np.corrcoef(a, b)[0, 1])


def _ratio(above: float, below: float) -> float:
    return above / below if below else math.nan
