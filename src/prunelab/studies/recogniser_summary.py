"""Study 1 on recognisers summed up for prose, under each way of choosing the decoder, and its claims under each."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import claims
from prunelab.records import Value
from prunelab.rules import curves, sparseness
from prunelab.stats import kendall_tau, t_interval
from prunelab.studies import sparseness_summary as summary
from prunelab.studies.recogniser_tables import CRITERIA_COLUMNS
from prunelab.studies.sparseness import at_scale

# How the decoder of a pruned net is chosen -> the columns that hold its error and the unpruned net's. The first one
# decides the claims: it looks at the test part once.
CRITERIA = {
    "dev": ("error_percent", "baseline_error_percent"),
    "best": ("best_wer_percent", "baseline_best_wer_percent"),
    "fixed": ("fixed_wer_percent", "baseline_error_percent"),
}
_TABLES = ("threshold-sweep", "layer-sensitivity", "percentile")


def under(table: DataFrame, criterion: str) -> DataFrame:
    """Put the errors of one way of choosing decoders where the rules look for them.

    Args:
        table: a sweep of recognisers.
        criterion: "dev", "best" or "fixed".

    Raises:
        ValueError: an unknown criterion.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"a decoder is chosen by one of {', '.join(CRITERIA)}; got {criterion!r}")
    error, baseline = CRITERIA[criterion]
    if missing := {error, baseline} - set(table):
        raise ValueError(
            f"a sweep of recognisers has word errors; {', '.join(sorted(missing))} is missing: is it of images?"
        )
    return table.assign(error_percent=table[error], baseline_error_percent=table[baseline])


def threshold_values(table: DataFrame) -> dict[str, Value]:
    """Quote a threshold sweep of recognisers.

    Returns:
        All of `sparseness_summary.threshold_values`, and `collapse-<net>` (sparsity from baseline + 3 to + 50 points
        under abs), `positive-knee-ratio-<net>`, `negative-knee-ratio-<net>` (to the abs knee), `error-lead-<net>`,
        `sparsity-lead-<net>` (negative minus positive while the error rises); all of it again with `-best` and
        `-fixed` behind, as `CRITERIA` says. What a seed lacks is left out.
    """
    return _under_each(table, _threshold_values)


def layer_values(table: DataFrame, threshold_scale: float) -> dict[str, Value]:
    """Quote a one-layer sweep of recognisers.

    Returns:
        All of `sparseness_summary.layer_values`, and `layer-tau-<net>` (Kendall's tau of the layers' errors and
        sparsities); all of it again with `-best` and `-fixed` behind.
    """
    values = _under_each(table, lambda rows: _layer_values(rows, threshold_scale))
    return {name: value for name, value in values.items() if not name.startswith("threshold-scale-")}


def percentile_values(table: DataFrame) -> dict[str, Value]:
    """Quote a comparison with percentiles on recognisers.

    Returns:
        All of `sparseness_summary.percentile_values`, and `mean-gap-<net>` (mean error of one global threshold minus
        that of percentiles, over the sparsities both cover); all of it again with `-best` and `-fixed` behind.
    """
    return _under_each(table, _percentile_values)


def criteria_table(
    threshold_sweep: str,
    layer_sensitivity: str,
    percentile: str,
    threshold_scale: float,
    layer_scales: Sequence[float] = (),
) -> DataFrame:
    """Decide the study's claims under each way of choosing decoders, and the layers' at several thresholds.

    Args:
        threshold_sweep: folder of the run with `tables/threshold-sweep.csv`.
        layer_sensitivity: folder of the run with `tables/layer-sensitivity.csv`.
        percentile: folder of the run with `tables/percentile.csv`.
        threshold_scale: root mean square weights; where the layers' claim is decided.
        layer_scales: where it is decided besides.

    Returns:
        One row a claim, net, criterion and threshold; columns as `CRITERIA_COLUMNS` says. The rows of criterion "dev"
        at `threshold_scale` are the verdicts.

    Raises:
        FileNotFoundError: a run is not named, or lacks its table.
    """
    folders = dict(zip(_TABLES, (threshold_sweep, layer_sensitivity, percentile), strict=True))
    tables = {name: summary.table_of(folder, name, run=f"speech-{name}") for name, folder in folders.items()}
    parts = []
    for criterion in CRITERIA:
        for name, table in tables.items():
            layered = name == "layer-sensitivity"
            scales = list(dict.fromkeys([threshold_scale, *layer_scales])) if layered else [math.nan]
            for scale in scales:
                rows = under(at_scale(table, scale) if layered else table, criterion)
                decided = sparseness.verdicts({name: rows}, run=Path(folders[name]).name)
                parts.append(summary.verdict_table(decided).assign(criterion=criterion, threshold_scale=scale))
    joined = pd.concat(parts, ignore_index=True)[list(CRITERIA_COLUMNS)]
    ranks = {claim.id: rank for rank, claim in enumerate(claims.load()) if claim.study == sparseness.STUDY}
    return joined.sort_values("claim", key=lambda ids: ids.map(ranks), kind="stable", ignore_index=True)


def criteria_values(table: DataFrame, threshold_scale: float) -> dict[str, Value]:
    """Count the claims, net by net, whose verdict depends on how decoders are chosen.

    Returns:
        `decisions` (claims times nets), and `changed-best`, `changed-fixed`: those decided otherwise than on the
        development part.
    """
    here = table[table["threshold_scale"].isna() | (table["threshold_scale"] == threshold_scale)]
    wide = here.set_index(["claim", "case", "criterion"])["verdict"].unstack()  # noqa: PD010 (text is not aggregated)
    values = {"decisions": Value(value=float(len(wide)), digits=0)}
    for criterion in ("best", "fixed"):
        changed = int((wide[criterion] != wide["dev"]).sum())
        values[f"changed-{criterion}"] = Value(value=float(changed), digits=0)
    return values


def _under_each(table: DataFrame, values_of: Callable[[DataFrame], dict[str, Value]]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for criterion in CRITERIA:
        suffix = "" if criterion == "dev" else f"-{criterion}"
        values |= {f"{name}{suffix}": value for name, value in values_of(under(table, criterion)).items()}
    return values


def _threshold_values(table: DataFrame) -> dict[str, Value]:
    values = summary.threshold_values(table)
    for name, rows in summary.named(table):
        values |= summary.finite(f"collapse-{name}", curves.per_seed(rows, _collapse), t_interval, "points", 1)
        both = np.array(summary.knees_of(rows, "abs"))
        for sign in ("positive", "negative"):
            ratios = np.array(summary.knees_of(rows, sign)) / both
            values |= summary.finite(f"{sign}-knee-ratio-{name}", list(ratios), t_interval, "of the abs knee")
        leads = curves.per_seed(rows, _lead)
        for kind, seeds in zip(("error", "sparsity"), zip(*leads, strict=True), strict=True):
            values |= summary.finite(f"{kind}-lead-{name}", seeds, t_interval, "points")
    return values


def _layer_values(table: DataFrame, threshold_scale: float) -> dict[str, Value]:
    values = summary.layer_values(table, threshold_scale)
    for name, rows in summary.named(at_scale(table, threshold_scale)):
        taus = curves.per_seed(rows, lambda net: kendall_tau(net["error_percent"], net["sparsity"]))
        values |= summary.finite(f"layer-tau-{name}", taus, t_interval, "Kendall tau")
    return values


def _percentile_values(table: DataFrame) -> dict[str, Value]:
    values = summary.percentile_values(table)
    for name, rows in summary.named(table):
        values |= summary.finite(f"mean-gap-{name}", curves.per_seed(rows, _mean_gap), t_interval, "points")
    return values


def _collapse(rows: DataFrame) -> float:
    whole = curves.curve(rows, "abs")
    return whole.rise(50) - whole.rise(3)


def _lead(rows: DataFrame) -> tuple[float, float]:
    """Give the lead of negative pruning, NaN where no threshold lies on the slope."""
    try:
        return curves.negative_lead(rows)
    except curves.NotCoveredError:
        return math.nan, math.nan


def _mean_gap(rows: DataFrame) -> float:
    return curves.mean_gap(curves.curve(rows, "abs"), curves.curve(rows, "percentile"))
