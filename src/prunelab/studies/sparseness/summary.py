"""Study 1 summed up over seeds, from the tables of its sweeps: the source's columns, prose, other decoders."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import claims, decisions
from prunelab.stats import crossing, t_interval
from prunelab.studies.common import curves
from prunelab.studies.common.curves import MeanOfNets, at_scale, by_seed, knee_table, knees_by_seed, means
from prunelab.studies.sparseness import rules
from prunelab.studies.sparseness.tables import (
    Criteria,
    CriteriaChanges,
    DecoderKnees,
    Experiment,
    KneeGains,
    LayerCosts,
    RescaledGains,
)
from prunelab.summaries import contrast, over_seeds

# How the decoder of a pruned net is chosen -> the columns that hold its error and the unpruned net's. The first one
# decides the claims: it looks at the test part once.
CRITERIA = {
    "dev": ("error_percent", "baseline_error_percent"),
    "best": ("best_wer_percent", "baseline_best_wer_percent"),
    "fixed": ("fixed_wer_percent", "baseline_error_percent"),
}

_NET = ("data", "model")
# What prose says of unpruned nets, where they have it.
_UNPRUNED = (
    "accuracy_percent",
    "error_percent",
    "best_wer_percent",
    "substitutions_percent",
    "deletions_percent",
    "insertions_percent",
)
# As the source writes them, and the experiment that prunes this way first.
_WRITTEN = {"abs": "abs", "positive": "+", "negative": "-", "percentile": "pct"}
_FIRST = {"abs": 1, "positive": 2, "negative": 3}
_LOST = 60.0  # points; beyond this the source's experiment 4 stops: both signs are lost


def net_means(dense: DataFrame, sweep: DataFrame, layers: DataFrame, threshold_scale: float) -> DataFrame:
    """Give what prose says of each kind of net: the table `MeanOfNets`.

    Of the unpruned nets their errors in percent, and the accuracy of image nets. `free-lunch` is the largest error
    increase at 33 to 37 % sparsity; `abs-loses-from` the smallest sparsity at which pruning both signs errs no less
    than a sign that costs over 5 points at the same threshold; `layer-spread` the largest minus the smallest error
    with one layer pruned.

    Args:
        dense: of the runs that trained the nets.
        sweep: "threshold-sweep".
        layers: "layer-sensitivity".
        threshold_scale: root mean square weights; where the layers are compared.
    """

    def pruned(net: DataFrame) -> dict[str, float]:
        return {"free-lunch": _increase(net), "abs-loses-from": _abs_loses_from(net)}

    def spread(net: DataFrame) -> dict[str, float]:
        return {"layer-spread": float(np.ptp(net["error_percent"]))}

    if "best_wer_percent" not in dense:
        dense = dense.assign(accuracy_percent=100 - dense["error_percent"])
    parts = [
        means(dense, _NET, {column: "%" for column in _UNPRUNED if column in dense}),
        means(by_seed(sweep, _NET, pruned), _NET, {"free-lunch": "points", "abs-loses-from": "%"}),
        means(by_seed(at_scale(layers, threshold_scale), _NET, spread), _NET, {"layer-spread": "points"}),
    ]
    return MeanOfNets.frame(pd.concat(parts))


def layer_costs(table: DataFrame, threshold_scale: float) -> DataFrame:
    """Give each layer's error and sparsity at one threshold, and the threshold at its knee: the table `LayerCosts`."""
    layer = (*_NET, "layer")
    near = at_scale(table, threshold_scale)
    near = near.assign(threshold_scale=threshold_scale, sparsity_percent=100 * near["sparsity"])
    costs = over_seeds(near, layer, "error_percent", means=["threshold_scale", "sparsity_percent"])
    knees = over_seeds(
        by_seed(table, layer, lambda rows: {"knee_scale": _layer_knee(rows)}), layer, "knee_scale", gaps=True
    )
    return LayerCosts.frame(costs.merge(knees[[*layer, "knee_scale"]], on=layer))


def knee_gains(table: DataFrame) -> DataFrame:
    """Give the knees of one global threshold and of percentiles, and their difference: the table `KneeGains`."""
    knees = knees_by_seed(table)
    whole, layered = (knees[knees["method"] == method] for method in ("abs", "percentile"))
    names = ("global_knee", "percentile_knee", "knee_gain")
    gains = contrast(whole, layered, _NET, "knee_percent", names=names, gaps=True)
    return KneeGains.frame(gains.rename(columns={"low": "knee_gain_low", "high": "knee_gain_high"}))


def decoder_knees(table: DataFrame) -> DataFrame:
    """Find the knees of a threshold sweep under each way of choosing decoders: the table `DecoderKnees`."""
    return DecoderKnees.frame(
        pd.concat([knee_table(under(table, criterion)).assign(criterion=criterion) for criterion in CRITERIA])
    )


def rescaled_gains(table: DataFrame) -> DataFrame:
    """Find both knees on each rescaling, what the global threshold gains, and what becomes of the claim."""
    rows = []
    for _, part in table.groupby(list(_NET), sort=False):
        for rescaling in dict.fromkeys(part["rescaling"]):
            pair = compared(part, rescaling)
            (verdict,) = rules.verdicts({"percentile": pair}, where={"percentile": ""})
            spread = float(pair["layer_spread"][pair["method"] == "abs"].mean())
            decided = {"verdict": verdict.verdict, "reason": verdict.reason}
            rows.append(knee_gains(pair).assign(rescaling=rescaling, layer_spread=spread, **decided))
    return RescaledGains.frame(pd.concat(rows))


def compared(table: DataFrame, rescaling: str) -> DataFrame:
    """Put one rescaling's global threshold beside the percentiles, which are the trained nets', in the rules' columns.

    The unpruned errors, which differ by rounding if at all, are the trained nets' too.
    """
    trained = table[(table["rescaling"] == "trained") & (table["method"] == "percentile")]
    unpruned = ["baseline_error_percent", "baseline_best_wer_percent"]
    baselines = trained.drop_duplicates(["model", "seed"])[["model", "seed", *unpruned]]
    own = table[(table["rescaling"] == rescaling) & (table["method"] == "abs")]
    return pd.concat([trained, own.drop(columns=unpruned).merge(baselines, on=["model", "seed"])], ignore_index=True)


def sign_experiments(table: DataFrame) -> dict[str, DataFrame]:
    """Lay a threshold sweep out as experiments 1 (both signs), 2 (positive), 3 (negative) and 4 (positive, negative).

    Experiment 4 repeats rows of 2 and 3, under their groups, up to the first threshold at which both signs err more
    than 60 points above the unpruned nets.

    Returns:
        "experiment-1" to "experiment-4" -> the table `Experiment`.
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


def layer_experiment(table: DataFrame, threshold_scale: float) -> DataFrame:
    """Lay a one-layer sweep out as experiment 5: every layer at one threshold."""
    return _experiment(at_scale(table, threshold_scale), 5, ["layer", "threshold"])


def percentile_experiment(table: DataFrame) -> DataFrame:
    """Lay a comparison with percentiles out as experiment 6: percentiles first, then one threshold for the whole net.

    The seeds of a model share the fraction; the threshold shown for the whole net is the mean of theirs.
    """
    shown = table.assign(threshold=table["threshold"].fillna(table["setting"]))
    return _experiment(shown, 6, ["method", "setting"])


def under(table: DataFrame, criterion: str) -> DataFrame:
    """Put the errors of one way of choosing decoders where the rules look for them.

    Args:
        table: a sweep of recognisers.
        criterion: "dev", "best" or "fixed".
    """
    if criterion not in CRITERIA:
        raise ValueError(f"a decoder is chosen by one of {', '.join(CRITERIA)}; got {criterion!r}")
    error, baseline = CRITERIA[criterion]
    if missing := {error, baseline} - set(table):
        raise ValueError(
            f"a sweep of recognisers has word errors; {', '.join(sorted(missing))} is missing: is it of images?"
        )
    return table.assign(error_percent=table[error], baseline_error_percent=table[baseline])


def criteria(tables: Mapping[str, DataFrame], threshold_scale: float, layer_scales: Sequence[float] = ()) -> DataFrame:
    """Decide the study's claims under each way of choosing decoders: the table `Criteria`.

    The rows of criterion "dev" at `threshold_scale` are the verdicts.

    Args:
        tables: as `rules.verdicts` takes them, of recognisers.
        threshold_scale: root mean square weights; where the layers' claim is decided.
        layer_scales: where it is decided besides.
    """
    parts = []
    for criterion in CRITERIA:
        for name, table in tables.items():
            scales = dict.fromkeys([threshold_scale, *layer_scales] if name == "layer-sensitivity" else [math.nan])
            for scale in scales:
                rows = {name: under(table, criterion)}
                decided = rules.verdicts(rows, where={name: ""}, threshold_scale=scale)
                parts.append(claims.verdict_table(decided).assign(criterion=criterion, threshold_scale=scale))
    ranks = {claim.id: rank for rank, claim in enumerate(claims.load()) if claim.study == rules.STUDY}
    joined = pd.concat(parts).sort_values("claim", key=lambda ids: ids.map(ranks), kind="stable", ignore_index=True)
    return Criteria.frame(joined)


def criteria_changes(table: DataFrame, threshold_scale: float) -> DataFrame:
    """Count the claims, net by net, whose verdict depends on how decoders are chosen: the table `CriteriaChanges`."""
    here = table[table["threshold_scale"].isna() | (table["threshold_scale"] == threshold_scale)]
    wide = here.set_index(["claim", "case", "criterion"])["verdict"].unstack()  # noqa: PD010 (text is not aggregated)
    return CriteriaChanges.frame(
        [
            CriteriaChanges(criterion=name, decided=len(wide), changed=int((wide[name] != wide["dev"]).sum()))
            for name in CRITERIA
        ]
    )


def _increase(net: DataFrame) -> float:
    """Give the largest error increase at 33 to 37 % sparsity, NaN where a net was not measured that far."""
    try:
        return curves.largest_increase(net, 33, 37)
    except decisions.NotCoveredError:
        return math.nan


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


def _experiment(table: DataFrame, number: int, settings: Sequence[str]) -> DataFrame:
    """Average over seeds, setting by setting in the order measured, and number the groups within each model."""
    rows = []
    for (data, model), part in table.groupby(["data", "model"], sort=False):
        for running, (_, seeds) in enumerate(part.groupby(list(settings), sort=False), start=1):
            rows.append(_row(seeds, data=data, model=model, group=f"{number}.{running}"))
    return Experiment.frame(rows)


def _row(seeds: DataFrame, **names: Any) -> Experiment:
    best = t_interval(seeds["best_wer_percent"].to_numpy())
    several = best.n > 1
    return Experiment(
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
