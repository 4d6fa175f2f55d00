"""Study 2 summed up: the numbers its chapter quotes, and tables put together from several runs."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from pandas import DataFrame

from prunelab.records import Value
from prunelab.stats import LEVEL, Interval
from prunelab.studies.lenet_rows import accuracy, groups, net_name, only, slug
from prunelab.studies.sparseness_summary import quote

_STAGES = {"pruned": "regrow-gain-pruned", "trained": "regrow-gain"}


def with_global(budgets: DataFrame, pruned: DataFrame) -> DataFrame:
    """Put the masked nets with one global threshold beside the same nets under other budgets.

    Args:
        budgets: rows of nets pruned under other budgets; may hold nets under the global threshold too.
        pruned: rows of nets pruned under the global threshold; the same columns.

    Returns:
        The rows of `budgets`, then those of `pruned` with the same data, recipe and model that `budgets` lacks; where
        both tables name targets, of the same target or of the rounds shared.
    """
    have = budgets[budgets["budget"] == "global"]
    if len(have):
        return budgets
    key = ["data", "recipe", "model"]
    targets = {*budgets["target"], "path"}
    wanted = budgets[key].drop_duplicates()
    added = only(pruned, mode="masked", budget="global").merge(wanted, on=key)
    return pd.concat([budgets, added[added["target"].isin(targets)][list(budgets.columns)]], ignore_index=True)


def report_values(
    dense: DataFrame,
    budget: DataFrame,
    regrow: DataFrame,
    allocation: DataFrame,
    frontier: DataFrame,
    beside: DataFrame,
) -> dict[str, Value]:
    """Quote the study's numbers, all of them means over seeds after the last epoch with their 95 % t interval.

    Args:
        dense: one row a dense net.
        budget: as `lenet_comparisons.budget_question` gives it.
        regrow: as `lenet_comparisons.regrow_table` gives it.
        allocation: as `lenet_comparisons.allocation_table` gives it.
        frontier: as `lenet_frontier.frontier_table` gives it.
        beside: as `lenet_frontier.against_published` gives it; may be empty.

    Returns:
        `dense-accuracy-<net>-<recipe>`; `accuracy-<net>-<target>-<recipe>`, `live-inputs-...`, `effective-kept-...`
        and `control-accuracy-<target>-<recipe>`, `control-weights-...`; `regrow-gain-<net>-<target>-<recipe>` (points)
        and `regrow-gain-pruned-...` (before the final training); `budget-accuracy-<budget>-<net>-<target>-<recipe>`
        and `kept-<layer>-<budget>-<net>-<target>-<recipe>` (% of the layer); `frontier-error-<target>`,
        `frontier-sparsity-<target>` and `effective-sparsity-<target>` of the first net there; `points-met`,
        `points-all`. Targets are written as in `99-5` for 99.5 %.
    """
    values: dict[str, Value] = {}
    for who, rows in groups(dense, ("model", "recipe")):
        values[f"dense-accuracy-{net_name(who['model'])}-{who['recipe']}"] = quote(accuracy(rows), "%")
    values |= _budget_values(budget)
    for row in regrow.to_dict("records"):
        name = f"{_STAGES[str(row['stage'])]}-{net_name(str(row['model']))}-{slug(str(row['target']))}-{row['recipe']}"
        values[name] = quote(_interval(row, "gain"), "points")
    for row in only(allocation, mode="masked").to_dict("records"):
        named = f"{row['budget']}-{net_name(str(row['model']))}-{slug(str(row['target']))}-{row['recipe']}"
        values[f"budget-accuracy-{named}"] = quote(_interval(row, "accuracy_percent"), "%")
        values[f"kept-{row['layer']}-{named}"] = Value(
            value=100 * float(row["kept_fraction"]), unit="%", digits=2, n=int(row["seeds"])
        )
    for row in frontier[frontier["model"] == frontier["model"].iloc[0]].to_dict("records"):
        target = slug(str(row["target"]))
        values[f"frontier-error-{target}"] = quote(_interval(row, "error_percent"), "%")
        for name in ("sparsity", "effective_sparsity"):
            key = f"{'frontier-' if name == 'sparsity' else ''}{name.replace('_', '-')}-{target}"
            values[key] = Value(value=float(row[f"{name}_percent"]), unit="%", digits=2, n=int(row["seeds"]))
    if len(beside):
        values["points-met"] = Value(value=int(beside["met"].astype(bool).sum()), digits=0)
        values["points-all"] = Value(value=len(beside), digits=0)
    return values


def _budget_values(budget: DataFrame) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for row in budget.to_dict("records"):
        at, n = f"{slug(str(row['target']))}-{row['recipe']}", int(row["seeds"])
        found = quote(_interval(row, "accuracy_percent"), "%")
        if row["kind"] == "dense":
            values[f"control-accuracy-{at}"] = found
            values[f"control-weights-{at}"] = Value(value=float(row["kept"]), digits=0, n=n)
            continue
        net = net_name(str(row["model"]))
        values[f"accuracy-{net}-{at}"] = found
        for name in ("live_inputs", "effective_kept"):
            if pd.notna(row[name]):
                values[f"{name.replace('_', '-')}-{net}-{at}"] = Value(value=float(row[name]), digits=0, n=n)
    return values


def _interval(row: Mapping[Hashable, Any], column: str) -> Interval:
    value, low, high = (float(row[name]) for name in (column, "low", "high"))
    return Interval(value=value, low=low, high=high, n=int(row["seeds"]), level=LEVEL, method="t")
