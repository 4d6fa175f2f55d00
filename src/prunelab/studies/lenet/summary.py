"""The questions of the LeNet study as tables, each derived from what its runs measured and the source printed."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated as A
from typing import Any

import pandas as pd
from pandas import DataFrame

from prunelab.stats import Interval, paired, t_interval
from prunelab.studies.lenet import tables
from prunelab.studies.lenet.tables import net_name, short_names
from prunelab.summaries import groups, only, over_seeds
from prunelab.tables import Table

_NET, _DATA = "300-100", "mnist"  # what the published points were measured on
_WHOLE = 0.005  # percentage points of sparsity: whole weights meet a percentage only nearly
_AS_MANY = 0.25  # control nets have whole units, so they meet a number of weights only nearly
_NEAR = 0.01  # a net of the source stands beside ours where its weights left differ by less than this part

Recipe = A[str, "how the nets were trained: source or strong"]
Target = A[str, "label of the weights asked to be left"]
Mode = A[str, "masked or regrown"]
Budget = A[str, "how the weights are shared out: global, layer, erk or lamp"]
Low = A[float | None, "lower end of its 95 % t interval; may be empty with one seed [%]"]
High = A[float | None, "upper end of its 95 % t interval; may be empty with one seed [%]"]
Seeds = A[int, "nets behind the mean"]


class OfNet(Table, key="data recipe model"):
    """What names a net of the report."""

    data: tables.Data
    recipe: Recipe
    model: tables.Model


class OfSetting(Table):
    """What names a setting of the report."""

    data: tables.Data
    recipe: tables.Recipe
    mode: tables.Mode
    budget: tables.Budget
    model: tables.Model
    target: tables.Target


class Accuracies(OfNet):
    """The accuracy of a dense net."""

    accuracy_percent: A[float, "test accuracy after the last epoch, mean over seeds [%]"]
    low: Low
    high: High
    seeds: Seeds
    spread: A[float, "best minus worst of the means by this recipe [points]"]


class ActiveMeans(OfSetting, key=f"{tables.SETTING} layer"):
    """The units of one hidden layer that are active."""

    layer: tables.HiddenLayer
    units: A[int, "units of the layer"]
    active_fraction: A[float, "fraction of them with output above 0, mean over the test images and seeds"]
    low: A[float | None, "lower end of its 95 % t interval; may be empty with one seed"]
    high: A[float | None, "upper end of its 95 % t interval; may be empty with one seed"]
    live_active_units: A[float, "units on a live path with output above 0, mean over the test images and seeds [units]"]
    live_active_low: A[float | None, "lower end of its 95 % t interval; may be empty with one seed [units]"]
    live_active_high: A[float | None, "upper end of its 95 % t interval; may be empty with one seed [units]"]
    seeds: Seeds


class Budgets(Table, key="data recipe target kind model", name="budget"):
    """A net of some width at a number of weights left."""

    data: tables.Data
    recipe: Recipe
    target: Target
    kind: A[str, "pruned (masked, one global threshold) or dense (a small net with about as many weights)"]
    model: tables.Model
    start_weights: A[int, "prunable weights of the net before pruning"]
    kept: A[float, "weights left, mean over seeds"]
    effective_kept: A[
        float | None, "of these on a live path from a live input to an output, mean; may be empty for dense nets"
    ]
    live_inputs: A[float | None, "inputs with a kept weight on a live path, mean; may be empty for dense nets"]
    accuracy_percent: A[float, "test accuracy after the last epoch, mean over seeds [%]"]
    low: Low
    high: High
    seeds: Seeds


class Regrow(Table, key="data recipe budget model target stage"):
    """What training removed weights again does to a net."""

    data: tables.Data
    recipe: Recipe
    budget: Budget
    model: tables.Model
    target: Target
    stage: A[str, "pruned (right after the last pruning) or trained (after the final training)"]
    masked_percent: A[float, "test accuracy with masks, mean over seeds [%]"]
    regrown_percent: A[float, "test accuracy with removed weights trained again between prunings, mean over seeds [%]"]
    gain: A[float, "regrown - masked, paired by seed, mean [points]"]
    low: A[float | None, "lower end of its 95 % t interval; may be empty with one seed [points]"]
    high: A[float | None, "upper end of its 95 % t interval; may be empty with one seed [points]"]
    seeds: Seeds
    masked_steps: A[float, "training steps since the dense net with masks, mean"]
    regrown_steps: A[float, "the same of the regrown nets, mean"]


class Allocation(Table, key="data recipe mode budget model target layer"):
    """What one way of sharing the weights out keeps of a layer."""

    data: tables.Data
    recipe: Recipe
    mode: Mode
    budget: Budget
    model: tables.Model
    target: Target
    layer: A[str, "layer, from the input"]
    weights: A[int, "prunable weights of the layer"]
    kept: A[float, "weights left in the layer, mean over seeds"]
    kept_fraction: A[float, "kept / weights, mean over seeds"]
    accuracy_percent: A[float, "test accuracy of the whole net after the last epoch, mean over seeds [%]"]
    low: Low
    high: High
    seeds: Seeds


class Source(Table, key="data recipe mode model target quantity source_mode"):
    """A number the source prints of a pruned net, and ours."""

    data: tables.Data
    recipe: Recipe
    mode: Mode
    model: tables.Model
    target: Target
    quantity: A[str, "accuracy_percent, kept (all layers or fc1 ...) or threshold (smallest magnitude kept)"]
    source: A[float, "what the source prints, one run"]
    source_mode: A[str, "masked, or regrown where the source says that zeroed weights were trained again"]
    value: A[float, "ours, one global threshold, mean over seeds"]
    low: A[float | None, "lower end of its 95 % t interval; may be empty with one seed"]
    high: A[float | None, "upper end of its 95 % t interval; may be empty with one seed"]
    seeds: Seeds


class ActiveSource(Table, key="data recipe net target layer"):
    """A number of active units the source prints, and ours."""

    data: A[str, "data set of our nets; the source's is MNIST"]
    recipe: A[str, "how our nets were trained"]
    net: A[str, "hidden widths"]
    target: A[str, "dense, or the weights left, as ours were asked for"]
    layer: tables.HiddenLayer
    units: A[int, "units of the layer"]
    source_active: A[int, "units active on one image of a 6, as the source prints them"]
    chosen_active: A[
        float | None, "units active on the chosen image in ours, mean over seeds; may be empty (no such net)"
    ]
    chosen_low: A[float | None, "lower end of its 95 % t interval; may be empty"]
    chosen_high: A[float | None, "upper end of its 95 % t interval; may be empty"]
    active_units: A[float | None, "units active in ours, mean over test images and seeds; may be empty"]
    seeds: A[int, "our nets behind it"]
    note: A[str, "what the source says beside its numbers; may be empty"]


class RemovalDrops(OfSetting, key="data recipe mode budget model target treatment removed"):
    """What one removal costs one kind of net after one treatment."""

    treatment: A[str, "as trained, retrained or from scratch"]
    removed: A[str, "hidden activation replaced by the identity: first, last or both"]
    seeds: A[int, "nets measured"]
    error_percent: A[float, "error on the test part, mean over seeds [%]"]
    drop_points: A[float, "error minus that with nothing removed under the same treatment, mean over seeds [points]"]
    drop_low: A[float | None, "lower end of its 95 % t interval; may be empty [points]"]
    drop_high: A[float | None, "upper end of its 95 % t interval; may be empty [points]"]


class Frontier(OfNet, key="data recipe model target"):
    """The error of a net at a sparsity."""

    target: Target
    kept: A[float, "weights left, mean over seeds"]
    sparsity_percent: A[float, "prunable weights removed, counted, mean over seeds [%]"]
    effective_sparsity_percent: A[
        float, "the same, weights off every live path counted as removed, mean over seeds [%]"
    ]
    error_percent: A[float, "test error after the last epoch, mean over seeds [%]"]
    low: Low
    high: High
    seeds: Seeds


class Published(OfNet, key="data recipe model method their_sparsity_percent epoch"):
    """A published point, and ours at no smaller a sparsity."""

    method: A[str, "method of the published point"]
    source: A[str, "key of its publication in the bibliography"]
    epoch: A[str, "final (last epoch), best (best epoch on the test part) or unstated"]
    their_sparsity_percent: A[float, "published sparsity [%]"]
    their_error_percent: A[float, "published test error [%]"]
    sparsity_percent: A[float, "our smallest measured sparsity that is no smaller [%]"]
    error_percent: A[float, "our test error there after the last epoch, mean over seeds [%]"]
    low: Low
    high: High
    seeds: Seeds
    difference: A[float, "our error - theirs [points]"]
    met: A[bool, "whether our mean error is at or below theirs"]


class PointsMet(OfNet):
    """How many of the published points ours is at or below."""

    points: A[int, "published points that ours can stand beside"]
    met: A[int, "those at or above ours"]


def at_targets(table: DataFrame, targets: Sequence[str]) -> DataFrame:
    """Keep the rows of the targets named, and of dense nets."""
    there = list(dict.fromkeys(table["target"]))
    if missing := [target for target in targets if target not in there]:
        raise ValueError(f"targets are labels of the runs' nets; {missing[0]!r} is none of {', '.join(there)}")
    kept: DataFrame = table[table["target"].isin([*targets, tables.DENSE])]
    return kept


def with_global(budgets: DataFrame, pruned: DataFrame) -> DataFrame:
    """Put the masked nets with one global threshold beside the same nets under other budgets, unless they are there.

    Where both tables name targets, those of the same target, or of the rounds shared.
    """
    if (budgets["budget"] == "global").any():
        return budgets
    key = ["data", "recipe", "model"]
    added = _masked(pruned).merge(budgets[key].drop_duplicates(), on=key)
    added = added[added["target"].isin({*budgets["target"], "path"})]
    return pd.concat([budgets, added[list(budgets.columns)]], ignore_index=True)


def accuracies(dense: DataFrame) -> DataFrame:
    """Average the accuracy of dense nets over their seeds."""
    table = over_seeds(_accurate(dense), Accuracies.key, "accuracy_percent")
    means = table.groupby(["data", "recipe"])["accuracy_percent"]
    return Accuracies.frame(table.assign(spread=means.transform("max") - means.transform("min")))


def active_means(active: DataFrame) -> DataFrame:
    """Average the active units over the seeds of a net."""
    columns = {"active_fraction": "", "live_active_units": "live_active_"}
    table = over_seeds(active, ActiveMeans.key, columns, means=["units"])
    return ActiveMeans.frame(table.astype({"units": int}))


def budget_question(pruned: DataFrame, small: DataFrame, layers: DataFrame) -> DataFrame:
    """Compare nets of every width at the same number of weights left, and dense nets that have no more to begin with.

    Masked nets with one global threshold are compared. Beside a target stands the dense net whose number of weights is
    nearest to the weights left there, where it is within a quarter of it.
    """
    inputs = only(_masked(_last_rounds(layers)), layer="fc1").assign(kind="pruned")
    rows: list[dict[str, object]] = []
    for where, every in groups(_masked(_accurate(pruned)), ("data", "recipe", "target")):
        controls = only(_accurate(small), data=where["data"], recipe=where["recipe"])
        # A target in percent leaves every width another number of weights, which no one control has.
        away = (controls["weights"] / every["kept"].min() - 1).abs()
        one_budget = every["kept"].max() <= (1 + _AS_MANY) * every["kept"].min()
        near = controls[(away == away.min()) & (away <= _AS_MANY) & one_budget]
        near = near.assign(kept=near["weights"], effective_kept=math.nan)
        for kind, compared in (("pruned", every), (tables.DENSE, near)):
            for model, part in compared.groupby("model", sort=False):
                means = {
                    "start_weights": int(part["weights"].iloc[0]),
                    "kept": part["kept"].mean(),
                    "effective_kept": part["effective_kept"].mean(),
                    "live_inputs": only(inputs, **where, kind=kind, model=model)["live_inputs"].mean(),
                }
                accuracy = t_interval(part["accuracy_percent"].to_numpy())
                rows.append({**where, "kind": kind, "model": model, **means, **_ends("accuracy_percent", accuracy)})
    return Budgets.frame(rows)


def regrow_table(masked: DataFrame, regrown: DataFrame) -> DataFrame:
    """Pair regrown with masked nets of the same seed, right after the last pruning and after the final training."""
    key = ["data", "recipe", "budget", "model", "target"]
    pairs = only(masked, mode="masked").merge(
        only(regrown, mode="regrown"), on=[*key, "seed"], suffixes=("_masked", "_regrown")
    )
    rows: list[dict[str, object]] = []
    for where, part in groups(pairs, key):
        for stage, column in (("pruned", "error_pruned_percent"), ("trained", "error_percent")):
            row: dict[str, object] = {**where, "stage": stage}
            for mode in ("masked", "regrown"):
                row[f"{mode}_percent"] = 100 - part[f"{column}_{mode}"].mean()
                row[f"{mode}_steps"] = part[f"steps_{mode}"].mean()
            rows.append(row | _ends("gain", paired(part[f"{column}_masked"], part[f"{column}_regrown"])))
    return Regrow.frame(rows)


def allocation_table(pruned: DataFrame, layers: DataFrame) -> DataFrame:
    """Say what each way of sharing out the weights keeps of every layer, and the accuracy it comes to."""
    setting = tables.SETTING.split()
    kept = _last_rounds(layers).groupby([*setting, "layer"], sort=False)[["weights", "kept", "kept_fraction"]].mean()
    table = over_seeds(_accurate(pruned), setting, "accuracy_percent").merge(kept.reset_index(), on=setting)
    return Allocation.frame(table.astype({"weights": int}))


def source_table(pruned: DataFrame, layers: DataFrame, variants: DataFrame) -> DataFrame:
    """Put what the source prints of its pruned nets beside ours of the same widths and number of weights.

    Nets with one global threshold are compared, masked and regrown. No row where ours has none of the source's nets:
    small data have other widths.
    """
    ends = only(_last_rounds(layers), budget="global")
    named = only(pruned, budget="global").assign(net=lambda table: table["model"].map(net_name))
    rows: list[dict[str, object]] = []
    for printed in only(variants, stage="pruned").to_dict("records"):
        note = str(printed["note"])
        same = named[(named["net"] == printed["net"]) & _same_budget(named, printed["weights_left"], note)]
        again = "regrown" if "zeroed weights" in note else "masked"
        for where, part in groups(same, ("data", "recipe", "mode", "model", "target")):
            own = only(ends, **where)
            measured = {
                "accuracy_percent": (printed["test_accuracy_percent"], 100 - part["error_percent"]),
                "kept": (printed["weights_left"], part["kept"]),
                "threshold": (printed["threshold"], part["threshold"].dropna()),
                **{
                    f"kept-{layer}": (printed[f"{layer}_left"], only(own, layer=layer)["kept"])
                    for layer in ("fc1", "fc2", "fc3")
                },
            }
            for quantity, (source, values) in measured.items():
                if pd.notna(source) and len(values):
                    beside = {"quantity": quantity, "source": source, "source_mode": again}
                    rows.append({**where, **beside, **_ends("value", t_interval(values.to_numpy(dtype=float)))})
    return Source.frame(rows, may_be_empty=True)


def source_comparison(table: DataFrame, source: DataFrame) -> DataFrame:
    """Put the source's active units, counted on one image of a 6, beside ours on the chosen image.

    Of pruned nets in `Active` those masked under one global threshold are compared.
    """
    rows = []
    for where, ours in groups(table, ("data", "recipe")):
        nets = ours["model"].map(short_names(ours["model"]))
        usual = ours["mode"].isin(["dense", "masked"]) & ours["budget"].isin(["dense", "global"])
        for printed in source.dropna(subset=["fc1_active", "fc2_active"]).fillna({"note": ""}).to_dict("records"):
            target = _target(printed, ours["target"])
            for layer, units in enumerate(map(int, str(printed["net"]).split("-")), start=1):
                here = (nets == printed["net"]) & (ours["target"] == target) & (ours["layer"] == f"fc{layer}")
                same = ours[here & usual]
                named = {"net": printed["net"], "target": target, "layer": f"fc{layer}", "units": units}
                row = {**where, **named, "source_active": int(printed[f"fc{layer}_active"]), "note": printed["note"]}
                if len(same):
                    row |= _ends("chosen_active", t_interval(same["chosen_active"]), "chosen_")
                    row |= {"active_units": same["active_units"].mean()}
                rows.append({**row, "seeds": len(same)})
    return ActiveSource.frame(rows)


def drop_summary(removal: DataFrame) -> DataFrame:
    """Average what each removal costs over the seeds of a net."""
    removed = removal[removal["removed"] != "none"]
    drops = over_seeds(removed, RemovalDrops.key, {"drop_points": "drop_"}, means=["error_percent"])
    return RemovalDrops.frame(drops)


def frontier_table(pruned: DataFrame) -> DataFrame:
    """Give the error of masked nets pruned by one global threshold at every target, sparsest last."""
    percent = {f"{name}_percent": 100 * pruned[name] for name in ("sparsity", "effective_sparsity")}
    means = ["kept", *percent]
    table = Frontier.frame(over_seeds(_masked(pruned.assign(**percent)), Frontier.key, "error_percent", means=means))
    return table.sort_values(["data", "recipe", "model", "sparsity_percent"], ignore_index=True)


def comparable(frontier: DataFrame) -> DataFrame:
    """Keep the rows that the published points can stand beside: LeNet-300-100 on MNIST."""
    kept: DataFrame = frontier[(frontier["data"] == _DATA) & (frontier["model"].map(net_name) == _NET)]
    return kept


def against_published(frontier: DataFrame, published: DataFrame) -> DataFrame:
    """Hold each published point against our error at the smallest sparsity measured that is no smaller.

    Nothing is interpolated, so ours is never the denser net (beyond half a hundredth of a point, since weights are
    whole). Points sparser than all of ours are left out, and so are other nets than LeNet-300-100 on MNIST.
    """
    rows: list[dict[str, object]] = []
    for where, part in groups(comparable(frontier), ("data", "recipe", "model")):
        for point in published.to_dict("records"):
            theirs, their_error = float(point["sparsity_percent"]), float(point["error_percent"])
            reached = part[part["sparsity_percent"] >= theirs - _WHOLE].sort_values("sparsity_percent")
            if reached.empty:
                continue
            own = reached.iloc[0]
            said = {name: point[name] for name in ("method", "source", "epoch")}
            numbers = {name: own[name] for name in ("sparsity_percent", "error_percent", "low", "high", "seeds")}
            difference = float(own["error_percent"]) - their_error
            they = {"their_sparsity_percent": theirs, "their_error_percent": their_error}
            rows.append({**where, **said, **they, **numbers, "difference": difference, "met": difference <= 0})
    return Published.frame(rows, may_be_empty=True)


def points_met(beside: DataFrame) -> DataFrame:
    """Count the published points, and those that ours is at or below."""
    met = beside.groupby(["data", "recipe", "model"], sort=False)["met"]
    return PointsMet.frame(met.agg(points="size", met="sum").reset_index())


def _accurate(table: DataFrame) -> DataFrame:
    return table.assign(accuracy_percent=100 - table["error_percent"])


def _masked(table: DataFrame) -> DataFrame:
    return only(table, mode="masked", budget="global")


def _last_rounds(layers: DataFrame) -> DataFrame:
    """Keep the layers of finished nets: of every target its last round, none of the rounds all targets share."""
    ends = layers[layers["target"] != "path"]
    kept: DataFrame = ends[ends["round"] == ends.groupby(tables.SETTING.split())["round"].transform("max")]
    return kept


def _ends(name: str, interval: Interval, prefix: str = "") -> dict[str, Any]:
    """Give an interval as columns of a table."""
    ends = {f"{prefix}low": interval.low, f"{prefix}high": interval.high}
    return {name: interval.value, **ends, "seeds": interval.n}


def _same_budget(pruned: DataFrame, left: float, note: str) -> "pd.Series[bool]":
    """Find our nets with as many weights left as a printed one, to 1 %: it counts them, or names the percentage."""
    if not math.isnan(left):
        return (pruned["kept_asked"] / left - 1).abs() <= _NEAR
    percent = re.match(r"([\d.]+) percent pruned", note)
    return pruned["target"] == (f"{percent[1]}%" if percent else "")


def _target(printed: Mapping[Any, Any], ours: "pd.Series[str]") -> str:
    """Name a net of the source as the nearest of ours, or else by its own count."""
    if printed["stage"] == tables.DENSE:
        return tables.DENSE
    left = printed["weights_left"]
    near = (name for name in dict.fromkeys(ours) if name.isdigit() and abs(int(name) - left) < _NEAR * left)
    return next(near, f"{left:.0f}")
