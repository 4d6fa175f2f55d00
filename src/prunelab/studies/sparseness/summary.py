"""Study 1 summed up: knees for tables and prose, and the verdicts on its claims."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import claims, decisions, records
from prunelab.records import Value, finite, quote, save_table, to_frame
from prunelab.stats import crossing, kendall_tau, paired, t_interval
from prunelab.studies.common import curves
from prunelab.studies.common import runs as common_runs
from prunelab.studies.common.curves import at_scale, knees_of, named
from prunelab.studies.common.runs import table_of
from prunelab.studies.sparseness import rules
from prunelab.studies.sparseness.tables import CRITERIA_COLUMNS, EXPERIMENT_COLUMNS, EXPERIMENT_KEY, ExperimentRow


def threshold_values(table: DataFrame) -> dict[str, Value]:
    """Quote a threshold sweep: unpruned error, the knees, and the error added at 33 to 37 % sparsity.

    Returns:
        `baseline-<net>`, `abs-knee-<net>`, `positive-knee-<net>`, `negative-knee-<net>`, `free-lunch-<net>` and
        `abs-loses-from-<net>` (the sparsity from which abs errs no less than one sign at the same threshold), where
        <net> is the activation (or the whole spec, where two specs share one); what a seed lacks is left out.
    """
    values: dict[str, Value] = {}
    for name, rows in named(table):
        baselines = rows.groupby("seed")["baseline_error_percent"].first()
        values[f"baseline-{name}"] = quote(t_interval(baselines), "%")
        for sign in ("abs", "positive", "negative"):
            values |= finite(f"{sign}-knee-{name}", knees_of(rows, sign), t_interval, "%", 1)
        values |= finite(f"free-lunch-{name}", _increases(rows), t_interval, "points")
        values |= finite(f"abs-loses-from-{name}", decisions.per_seed(rows, _abs_loses_from), t_interval, "%", 1)
    return values


def layer_values(table: DataFrame, threshold_scale: float) -> dict[str, Value]:
    """Quote the one-layer sweep: at one threshold the error and sparsity of each layer, and where each layer's knee is.

    Returns:
        `threshold-scale`; per net `layer-spread-<net>` (largest minus smallest error of its layers there); per net and
        layer `error-<layer>-<net>`, `sparsity-<layer>-<net>` (of all weights) and `layer-knee-<layer>-<net>` (the
        threshold at which that layer alone costs 20 points, left out where a seed has none).
    """
    unit = "root mean square weights"
    values = {"threshold-scale": Value(value=threshold_scale, unit=unit)}
    for name, rows in named(table):
        for layer, part in rows.groupby("layer", sort=False):
            values |= finite(f"layer-knee-{layer}-{name}", decisions.per_seed(part, _layer_knee), t_interval, unit)
    for name, rows in named(at_scale(table, threshold_scale)):
        spreads = decisions.per_seed(rows, lambda net: float(np.ptp(net["error_percent"])))
        values[f"layer-spread-{name}"] = quote(t_interval(spreads), "points")
        for layer, part in rows.groupby("layer", sort=False):
            values[f"error-{layer}-{name}"] = quote(t_interval(part["error_percent"]), "%")
            values[f"sparsity-{layer}-{name}"] = quote(t_interval(100 * part["sparsity"]), "%", 1)
    return values


def percentile_values(table: DataFrame) -> dict[str, Value]:
    """Quote the comparison of one global threshold with percentiles: both knees and their paired difference.

    Returns:
        `global-knee-<net>`, `percentile-knee-<net>` and `knee-gain-<net>` (global minus percentile), where reached.
    """
    values: dict[str, Value] = {}
    for name, rows in named(table):
        whole, layered = knees_of(rows, "abs"), knees_of(rows, "percentile")
        values |= finite(f"global-knee-{name}", whole, t_interval, "%", 1)
        values |= finite(f"percentile-knee-{name}", layered, t_interval, "%", 1)
        if np.isfinite([*whole, *layered]).all():
            values[f"knee-gain-{name}"] = quote(paired(whole, layered), "points", 1)
    return values


def decide(
    threshold_sweep: str,
    layer_sensitivity: str,
    percentile: str,
    threshold_scale: float,
    *,
    study: str = rules.STUDY,
    runs: str = "",
) -> list[claims.Verdict]:
    """Decide the study's claims from the tables of three runs.

    Args:
        threshold_sweep: folder of the run with `tables/threshold-sweep.csv`.
        layer_sensitivity: folder of the run with `tables/layer-sensitivity.csv`.
        percentile: folder of the run with `tables/percentile.csv`.
        threshold_scale: root mean square weights; each model's layers are compared at its nearest threshold.
        study: the name under which the claims are decided, see `prunelab.rules.sparseness.verdicts`.
        runs: what the runs that leave the tables are called before the table's name, for the hint where none is given.

    Returns:
        One verdict a claim, in the order of `claims.yml`.

    Raises:
        FileNotFoundError: a run is not named, or lacks its table.
    """
    verdicts = []
    for folder, name in (
        (threshold_sweep, "threshold-sweep"),
        (layer_sensitivity, "layer-sensitivity"),
        (percentile, "percentile"),
    ):
        table = table_of(folder, name, run=f"{runs}{name}")
        if name == "layer-sensitivity":
            table = at_scale(table, threshold_scale)
        verdicts += rules.verdicts({name: table}, run=Path(folder).name, study=study)
    return verdicts


def _increases(rows: DataFrame) -> list[float]:
    """Give each seed's largest error increase at 33 to 37 % sparsity, NaN where a seed was not measured that far."""
    try:
        return decisions.per_seed(rows, lambda part: curves.largest_increase(part, 33, 37))
    except decisions.NotCoveredError:
        return [math.nan]


def _abs_loses_from(rows: DataFrame) -> float:
    """Give the smallest sparsity (%) at which abs errs no less than a sign that costs over 5 points; NaN if none."""
    both = rows[rows["method"] == "abs"][["threshold", "sparsity", "error_percent"]]
    one = rows[rows["method"] != "abs"]
    costly = one[one["error_percent"] > curves.baseline(rows) + 5]
    cases = costly.merge(both, on="threshold", suffixes=("_one", "_abs"))
    return 100 * float(cases[cases["error_percent_abs"] >= cases["error_percent_one"]]["sparsity_abs"].min())


def _layer_knee(part: DataFrame) -> float:
    """Give the threshold, in root mean square weights, at which one layer alone costs 20 points; NaN if none."""
    part, start = part.sort_values("scale"), curves.baseline(part)
    errors = np.append(start, part["error_percent"].to_numpy())
    return crossing(np.append(0.0, part["scale"].to_numpy()), errors, start + curves.KNEE)


# As the source writes them, and the experiment that prunes this way first.
_WRITTEN = {"abs": "abs", "positive": "+", "negative": "-", "percentile": "pct"}


_FIRST = {"abs": 1, "positive": 2, "negative": 3}


# Beyond this the source's experiment 4 stops: both signs are lost.
_LOST = 60.0


def sign_experiments(table: DataFrame) -> dict[str, DataFrame]:
    """Lay a threshold sweep out as experiments 1 (both signs), 2 (positive), 3 (negative) and 4 (positive, negative).

    Experiment 4 repeats rows of 2 and 3, under their groups, up to the first threshold at which both signs err more
    than 60 points above the unpruned nets.

    Args:
        table: "threshold-sweep" of recognisers.

    Returns:
        "experiment-1" to "experiment-4" -> rows; columns as `EXPERIMENT_COLUMNS` says.
    """
    settings = ["method", "threshold"]
    experiments = {
        f"experiment-{number}": _experiment(table[table["method"] == method], number, settings)
        for method, number in _FIRST.items()
    }
    parts = []
    for (data, model), rows in table.groupby(["data", "model"], sort=False):
        until = _lost_from(rows)
        for name in ("experiment-2", "experiment-3"):
            block = experiments[name]
            block = block[(block["data"] == data) & (block["model"] == model)]
            parts.append(block[block["pruning_threshold"] <= until])
    return experiments | {"experiment-4": pd.concat(parts, ignore_index=True)}


def layer_experiment(table: DataFrame, threshold_scale: float) -> dict[str, DataFrame]:
    """Lay a one-layer sweep out as experiment 5: every layer at one threshold.

    Args:
        table: "layer-sensitivity" of recognisers.
        threshold_scale: root mean square weights; each model is shown at its nearest threshold.
    """
    return {"experiment-5": _experiment(at_scale(table, threshold_scale), 5, ["layer", "threshold"])}


def percentile_experiment(table: DataFrame) -> dict[str, DataFrame]:
    """Lay a comparison with percentiles out as experiment 6: percentiles first, then one threshold for the whole net.

    The seeds of a model share the fraction; the threshold shown for the whole net is the mean of theirs.

    Args:
        table: "percentile" of recognisers.
    """
    shown = table.assign(threshold=table["threshold"].fillna(table["setting"]))
    return {"experiment-6": _experiment(shown, 6, ["method", "setting"])}


def save(experiments: Mapping[str, DataFrame], folder: Path = Path("tables")) -> list[Path]:
    """Write each experiment's table."""
    return [
        save_table(rows, name, key=EXPERIMENT_KEY, columns=EXPERIMENT_COLUMNS, folder=folder)
        for name, rows in experiments.items()
    ]


def _experiment(table: DataFrame, number: int, settings: Sequence[str]) -> DataFrame:
    """Average over seeds, setting by setting in the order measured, and number the groups within each model."""
    rows = []
    for (data, model), part in table.groupby(["data", "model"], sort=False):
        for running, (_, seeds) in enumerate(part.groupby(list(settings), sort=False), start=1):
            rows.append(_row(seeds, data=data, model=model, group=f"{number}.{running}"))
    return to_frame(rows, EXPERIMENT_KEY)


def _row(seeds: DataFrame, **names: Any) -> ExperimentRow:
    best = t_interval(seeds["best_wer_percent"].to_numpy())
    several = best.n > 1
    return ExperimentRow(
        **names,
        pruned_layer=seeds["layer"].iloc[0] if "layer" in seeds else "all",
        pruning_method=_WRITTEN[seeds["method"].iloc[0]] if "method" in seeds else "abs",
        pruning_threshold=_short(float(seeds["threshold"].mean())),
        sparse_rate=round(100 * float(seeds["sparsity"].mean()), 2),
        best_wer=round(best.value, 2),
        best_wer_low=round(best.low, 2) if several else None,
        best_wer_high=round(best.high, 2) if several else None,
        wer=round(float(seeds["error_percent"].mean()), 2),
        seeds=best.n,
    )


def _lost_from(rows: DataFrame) -> float:
    """Give the first threshold at which both signs err more than the bound, on average over seeds; else the last."""
    means = rows.pivot_table("error_percent", index="threshold", columns="method")
    lost = means[["positive", "negative"]].min(axis=1) > rows["baseline_error_percent"].mean() + _LOST
    return _short(float(means.index[lost].min() if lost.any() else means.index.max()))


def _short(threshold: float) -> float:
    """Round to four significant figures, as thresholds in units of the weights are."""
    return float(f"{threshold:.4g}")


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


def speech_threshold_values(table: DataFrame) -> dict[str, Value]:
    """Quote a threshold sweep of recognisers.

    Returns:
        All of `sparseness_summary.threshold_values`, and `collapse-<net>` (sparsity from baseline + 3 to + 50 points
        under abs), `positive-knee-ratio-<net>`, `negative-knee-ratio-<net>` (to the abs knee), `error-lead-<net>`,
        `sparsity-lead-<net>` (negative minus positive while the error rises); all of it again with `-best` and
        `-fixed` behind, as `CRITERIA` says. What a seed lacks is left out.
    """
    return _under_each(table, _threshold_values)


def speech_layer_values(table: DataFrame, threshold_scale: float) -> dict[str, Value]:
    """Quote a one-layer sweep of recognisers.

    Returns:
        All of `sparseness_summary.layer_values`, and `layer-tau-<net>` (Kendall's tau of the layers' errors and
        sparsities); all of it again with `-best` and `-fixed` behind.
    """
    values = _under_each(table, lambda rows: _layer_values(rows, threshold_scale))
    return {name: value for name, value in values.items() if not name.startswith("threshold-scale-")}


def speech_percentile_values(table: DataFrame) -> dict[str, Value]:
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
    tables = {name: common_runs.table_of(folder, name, run=f"speech-{name}") for name, folder in folders.items()}
    parts = []
    for criterion in CRITERIA:
        for name, table in tables.items():
            layered = name == "layer-sensitivity"
            scales = list(dict.fromkeys([threshold_scale, *layer_scales])) if layered else [math.nan]
            for scale in scales:
                rows = under(at_scale(table, scale) if layered else table, criterion)
                decided = rules.verdicts({name: rows}, run=Path(folders[name]).name)
                parts.append(claims.verdict_table(decided).assign(criterion=criterion, threshold_scale=scale))
    joined = pd.concat(parts, ignore_index=True)[list(CRITERIA_COLUMNS)]
    ranks = {claim.id: rank for rank, claim in enumerate(claims.load()) if claim.study == rules.STUDY}
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
    values = threshold_values(table)
    for name, rows in named(table):
        values |= records.finite(f"collapse-{name}", decisions.per_seed(rows, _collapse), t_interval, "points", 1)
        both = np.array(knees_of(rows, "abs"))
        for sign in ("positive", "negative"):
            ratios = np.array(knees_of(rows, sign)) / both
            values |= records.finite(f"{sign}-knee-ratio-{name}", list(ratios), t_interval, "of the abs knee")
        leads = decisions.per_seed(rows, _lead)
        for kind, seeds in zip(("error", "sparsity"), zip(*leads, strict=True), strict=True):
            values |= records.finite(f"{kind}-lead-{name}", seeds, t_interval, "points")
    return values


def _layer_values(table: DataFrame, threshold_scale: float) -> dict[str, Value]:
    values = layer_values(table, threshold_scale)
    for name, rows in named(at_scale(table, threshold_scale)):
        taus = decisions.per_seed(rows, lambda net: kendall_tau(net["error_percent"], net["sparsity"]))
        values |= records.finite(f"layer-tau-{name}", taus, t_interval, "Kendall tau")
    return values


def _percentile_values(table: DataFrame) -> dict[str, Value]:
    values = percentile_values(table)
    for name, rows in named(table):
        values |= records.finite(f"mean-gap-{name}", decisions.per_seed(rows, _mean_gap), t_interval, "points")
    return values


def _collapse(rows: DataFrame) -> float:
    whole = curves.curve(rows, "abs")
    return whole.rise(50) - whole.rise(3)


def _lead(rows: DataFrame) -> tuple[float, float]:
    """Give the lead of negative pruning, NaN where no threshold lies on the slope."""
    try:
        return curves.negative_lead(rows)
    except decisions.NotCoveredError:
        return math.nan, math.nan


def _mean_gap(rows: DataFrame) -> float:
    return curves.mean_gap(curves.curve(rows, "abs"), curves.curve(rows, "percentile"))
