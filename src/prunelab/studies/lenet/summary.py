"""Study 2's questions as comparison tables: budget and width, masked or regrown, whose budget, beside the source."""

import math
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pandas import DataFrame

from prunelab.models import parse
from prunelab.records import Value, quote, to_frame
from prunelab.stats import LEVEL, Interval, paired, t_interval
from prunelab.studies.common.runs import framed, groups, only
from prunelab.studies.lenet.settings import accuracy, bounds, error, last_rounds, net_name, slug
from prunelab.studies.lenet.tables import ACTIVE_SOURCE_KEY, DROP_KEY, Drop, SourceRow

_SEEDS = "nets behind the mean"


_LOW = "lower end of its 95 % t interval; may be empty with one seed"


_HIGH = "upper end of its 95 % t interval; may be empty with one seed"


_WHERE = {
    "data": "data set",
    "recipe": "how the nets were trained: source or strong",
}


_WHO = {
    **_WHERE,
    "mode": "masked or regrown",
    "budget": "how the weights are shared out: global, layer, erk or lamp",
    "model": "spec of the net",
    "target": "label of the weights asked to be left",
}


# Control nets have whole units, so they meet a number of weights only nearly.
_AS_MANY = 0.25


BUDGET_KEY = ("data", "recipe", "target", "kind", "model")


BUDGET_COLUMNS = {
    **_WHERE,
    "target": _WHO["target"],
    "kind": "pruned (masked, one global threshold) or dense (a small net with about as many weights)",
    "model": _WHO["model"],
    "start_weights": "prunable weights of the net before pruning",
    "kept": "weights left, mean over seeds",
    "effective_kept": "of these on a live path from a live input to an output, mean; may be empty for dense nets",
    "live_inputs": "inputs with a kept weight on a live path, mean; may be empty for dense nets",
    "accuracy_percent": "test accuracy after the last epoch, mean over seeds [%]",
    "low": f"{_LOW} [%]",
    "high": f"{_HIGH} [%]",
    "seeds": _SEEDS,
}


REGROW_KEY = ("data", "recipe", "budget", "model", "target", "stage")


REGROW_COLUMNS = {
    **{name: text for name, text in _WHO.items() if name != "mode"},
    "stage": "pruned (right after the last pruning) or trained (after the final training)",
    "masked_percent": "test accuracy with masks, mean over seeds [%]",
    "regrown_percent": "test accuracy with removed weights trained again between prunings, mean over seeds [%]",
    "gain": "regrown - masked, paired by seed, mean [points]",
    "low": f"{_LOW} [points]",
    "high": f"{_HIGH} [points]",
    "seeds": _SEEDS,
    "masked_steps": "training steps since the dense net with masks, mean",
    "regrown_steps": "the same of the regrown nets, mean",
}


ALLOCATION_KEY = ("data", "recipe", "mode", "budget", "model", "target", "layer")


ALLOCATION_COLUMNS = {
    **_WHO,
    "layer": "layer, from the input",
    "weights": "prunable weights of the layer",
    "kept": "weights left in the layer, mean over seeds",
    "kept_fraction": "kept / weights, mean over seeds",
    "accuracy_percent": "test accuracy of the whole net after the last epoch, mean over seeds [%]",
    "low": f"{_LOW} [%]",
    "high": f"{_HIGH} [%]",
    "seeds": _SEEDS,
}


SOURCE_KEY = ("data", "recipe", "mode", "model", "target", "quantity", "source_mode")


SOURCE_COLUMNS = {
    **{name: text for name, text in _WHO.items() if name != "budget"},
    "quantity": "accuracy_percent, kept (all layers or fc1 ...) or threshold (smallest magnitude kept)",
    "source": "what the source prints, one run",
    "source_mode": "masked, or regrown where the source says that zeroed weights were trained again",
    "value": "ours, one global threshold, mean over seeds",
    "low": _LOW,
    "high": _HIGH,
    "seeds": _SEEDS,
}


def budget_question(pruned: DataFrame, small: DataFrame, layers: DataFrame) -> DataFrame:
    """Compare nets of every width at the same number of weights left, and dense nets that have no more to begin with.

    Args:
        pruned: one row a pruned net; masked nets with one global threshold are compared.
        small: one row a dense control net. Beside a target stands the one whose number of weights is nearest to the
            weights left there, where it is within a quarter of it.
        layers: one row a layer and round of the pruned nets.

    Returns:
        One row a recipe, target and net; columns as `BUDGET_COLUMNS` says.

    Raises:
        ValueError: there is no such net.
    """
    inputs = only(last_rounds(layers), mode="masked", budget="global", layer="fc1")
    rows: list[dict[str, object]] = []
    for where, every in groups(only(pruned, mode="masked", budget="global"), ("data", "recipe", "target")):
        for model, part in every.groupby("model", sort=False):
            live = only(inputs, **where, model=model)["live_inputs"]
            means = {
                "start_weights": int(part["weights"].iloc[0]),
                "kept": float(part["kept"].mean()),
                "effective_kept": float(part["effective_kept"].mean()),
                "live_inputs": float(live.mean()) if len(live) else float("nan"),
            }
            rows.append({**where, "kind": "pruned", "model": model, **means, **_accuracy(part)})
        controls = only(small, data=where["data"], recipe=where["recipe"])
        # A target in percent leaves every width another number of weights, which no one control has.
        away = (controls["weights"] / every["kept"].min() - 1).abs()
        one_budget = every["kept"].max() <= (1 + _AS_MANY) * every["kept"].min()
        near = controls[(away == away.min()) & (away <= _AS_MANY) & one_budget]
        for model, part in near.groupby("model", sort=False):
            weights = int(part["weights"].iloc[0])
            means = {"start_weights": weights, "kept": float(weights)}
            rows.append({**where, "kind": "dense", "model": model, **means, **_accuracy(part)})
    return framed(rows, BUDGET_COLUMNS, "the question of width")


def regrow_table(masked: DataFrame, regrown: DataFrame) -> DataFrame:
    """Pair regrown with masked nets of the same seed, right after the last pruning and after the final training.

    Args:
        masked: one row a net pruned with masks (rows of other modes are left out).
        regrown: one row a net whose removed weights were trained again between prunings.

    Returns:
        One row a net, target and stage; columns as `REGROW_COLUMNS` says.

    Raises:
        ValueError: no net is in both tables.
    """
    key = ["data", "recipe", "budget", "model", "target"]
    pairs = only(masked, mode="masked").merge(
        only(regrown, mode="regrown"), on=[*key, "seed"], suffixes=("_masked", "_regrown")
    )
    rows: list[dict[str, object]] = []
    for where, part in groups(pairs, key):
        for stage, column in (("pruned", "error_pruned_percent"), ("trained", "error_percent")):
            with_masks, again = (100 - part[f"{column}_{mode}"].to_numpy(dtype=float) for mode in ("masked", "regrown"))
            gain = paired(again, with_masks)
            means = {"masked_percent": float(with_masks.mean()), "regrown_percent": float(again.mean())}
            steps = {f"{mode}_steps": float(part[f"steps_{mode}"].mean()) for mode in ("masked", "regrown")}
            rows.append({**where, "stage": stage, **means, "gain": gain.value, **bounds(gain), **steps})
    return framed(rows, REGROW_COLUMNS, "masked against regrown")


def allocation_table(pruned: DataFrame, layers: DataFrame) -> DataFrame:
    """Say what each way of sharing out the weights keeps of every layer, and the accuracy it comes to.

    Args:
        pruned: one row a pruned net.
        layers: one row a layer and round of the same nets; each target's last round is taken.

    Returns:
        One row a net, budget, target and layer; columns as `ALLOCATION_COLUMNS` says.

    Raises:
        ValueError: there is no such net.
    """
    ends = last_rounds(layers)
    rows: list[dict[str, object]] = []
    for where, part in groups(pruned, tuple(_WHO)):
        for layer, kept in only(ends, **where).groupby("layer", sort=False):
            means = {"kept": float(kept["kept"].mean()), "kept_fraction": float(kept["kept_fraction"].mean())}
            weights = int(kept["weights"].iloc[0])
            rows.append({**where, "layer": layer, "weights": weights, **means, **_accuracy(part)})
    return framed(rows, ALLOCATION_COLUMNS, "who gets the budget")


def source_table(pruned: DataFrame, layers: DataFrame, variants: DataFrame) -> DataFrame:
    """Put what the source prints of its pruned nets beside ours of the same widths and number of weights.

    Args:
        pruned: one row a pruned net; those with one global threshold are compared, masked and regrown.
        layers: one row a layer and round of the same nets.
        variants: the source's printed nets, as `published/lenet-variants.csv` holds them.

    Returns:
        One row a net, recipe, mode, target and quantity; columns as `SOURCE_COLUMNS` says. No row where ours has
        neither of the source's nets: small data have other widths.
    """
    ends, rows = last_rounds(layers), []
    named = only(pruned, budget="global").assign(net=lambda table: table["model"].map(net_name))
    for printed in only(variants, stage="pruned").to_dict("records"):
        same = named[
            (named["net"] == printed["net"]) & _same_budget(named, printed["weights_left"], str(printed["note"]))
        ]
        again = "regrown" if "zeroed weights" in str(printed["note"]) else "masked"
        for where, part in groups(same, tuple(name for name in _WHO if name != "budget")):
            own = only(ends, **where, budget="global")
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
                    interval = t_interval(values.to_numpy(dtype=float))
                    beside = {"source": float(source), "source_mode": again, "value": interval.value}
                    rows.append({**where, "quantity": quantity, **beside, **bounds(interval)})
    return framed(rows, SOURCE_COLUMNS, "the source beside ours") if rows else DataFrame(columns=list(SOURCE_COLUMNS))


def _same_budget(pruned: DataFrame, left: float, note: str) -> "pd.Series[bool]":
    """Find our nets with as many weights left as a printed one, to 1 %: it counts them, or names the percentage."""
    if not math.isnan(left):
        return (pruned["kept_asked"] / left - 1).abs() <= 0.01
    percent = re.match(r"([\d.]+) percent pruned", note)
    return pruned["target"] == (f"{percent[1]}%" if percent else "")


def _accuracy(rows: DataFrame) -> dict[str, object]:
    interval = accuracy(rows)
    return {"accuracy_percent": interval.value, **bounds(interval)}


_NEAR = 0.01  # a net of the source stands beside ours where its weights left differ by less than this part


def source_comparison(table: DataFrame, source: DataFrame) -> DataFrame:
    """Put the source's active units, counted on one image of a 6, beside ours on the chosen image.

    Args:
        table: as `active_table` gives it; of pruned nets those masked under one global threshold are compared.
        source: the source's nets, as `lenet_rows.printed_nets` reads them.

    Returns:
        One row a recipe of ours and number of the source; columns as `SOURCE_COLUMNS` says.
    """
    rows = []
    for (data, recipe), ours in table.groupby(["data", "recipe"], sort=False):
        nets = ours["model"].map(short_names(ours["model"]))
        usual = ours["mode"].isin(["dense", "masked"]) & ours["budget"].isin(["dense", "global"])
        for printed in source.dropna(subset=["fc1_active", "fc2_active"]).fillna({"note": ""}).to_dict("records"):
            target = _target(printed, ours["target"])
            for layer, units in enumerate(map(int, str(printed["net"]).split("-")), start=1):
                here = (nets == printed["net"]) & (ours["target"] == target) & (ours["layer"] == f"fc{layer}")
                same = ours[here & usual]
                chosen = t_interval(same["chosen_active"]) if len(same) else None
                rows.append(
                    SourceRow(
                        data=str(data),
                        recipe=str(recipe),
                        net=str(printed["net"]),
                        target=target,
                        layer=f"fc{layer}",
                        units=units,
                        source_active=int(printed[f"fc{layer}_active"]),
                        chosen_active=chosen.value if chosen else None,
                        chosen_low=chosen.low if chosen else None,
                        chosen_high=chosen.high if chosen else None,
                        active_units=float(same["active_units"].mean()) if chosen else None,
                        seeds=len(same),
                        note=str(printed["note"]),
                    )
                )
    return to_frame(rows, ACTIVE_SOURCE_KEY)


def activity_values(table: DataFrame, chosen: DataFrame) -> dict[str, Value]:
    """Quote the active units for prose, each with its t interval over seeds.

    Args:
        table: as `active_table` gives it, of one data set.
        chosen: as `chosen_table` gives it.

    Returns:
        `chosen-pixels`, `chosen-index`; per layer, net, recipe and pruning, as in `active-fc1-300-100-strong-2660`:
        `active-...` (mean share of units active on a test image), `chosen-active-...` (units active on the chosen
        image) and, of pruned nets, `live-...` (units on a live path) and `live-active-...` (those of them active on a
        test image).
    """
    values = {
        "chosen-pixels": Value(value=float((chosen["value"] > 0).sum()), digits=0),
        "chosen-index": Value(value=float(chosen["index"].iloc[0]), digits=0),
    }
    nets = short_names(table["model"])
    for names, rows in table.groupby(["layer", "model", "recipe", "mode", "budget", "target"], sort=False):
        layer, model, recipe, *pruning = map(str, names)
        key = f"{layer}-{nets[model]}-{recipe}-{_slug(short_pruning(*pruning))}"
        values[f"active-{key}"] = quote(t_interval(100 * rows["active_fraction"]), "%", 1)
        values[f"chosen-active-{key}"] = quote(t_interval(rows["chosen_active"]), "units", 1)
        if pruning[-1] != "dense":
            values[f"live-{key}"] = quote(t_interval(rows["live_units"]), "units", 1)
            values[f"live-active-{key}"] = quote(t_interval(rows["live_active_units"]), "units", 1)
    return values


def short_names(models: "pd.Series[str]") -> dict[str, str]:
    """Name each spec by its hidden widths, as "300-100", or in full where two specs share them."""
    specs = list(dict.fromkeys(models))
    widths = {spec: "-".join(map(str, parse(spec).widths)) for spec in specs}
    return {spec: name if list(widths.values()).count(name) == 1 else spec for spec, name in widths.items()}


def short_pruning(mode: str, budget: str, target: str) -> str:
    """Name a pruning by its target alone where it is the usual one: masked, under one global threshold."""
    return target if (mode, budget) in (("masked", "global"), ("dense", "dense")) else f"{mode}-{budget}-{target}"


def _target(printed: Mapping[Any, Any], ours: "pd.Series[str]") -> str:
    """Name a net of the source as the nearest of ours, or else by its own count."""
    if printed["stage"] == "dense":
        return "dense"
    left = printed["weights_left"]
    near = (name for name in dict.fromkeys(ours) if name.isdigit() and abs(int(name) - left) < _NEAR * left)
    return next(near, f"{left:.0f}")


def _slug(text: str) -> str:
    """Spell a label in lower-case words joined by hyphens: "99.5%" as "99-5-percent"."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("%", "-percent")).strip("-")


def drop_summary(table: DataFrame) -> DataFrame:
    """Average what each removal costs over the seeds of a net.

    Args:
        table: see `prunelab.studies.activation_removal.removal_table`.

    Returns:
        One row a net, treatment and removal; columns as `DROP_COLUMNS` says.
    """
    rows = []
    for names, part in table[table["removed"] != "none"].groupby(list(DROP_KEY), sort=False):
        drop = t_interval(part["drop_points"])
        rows.append(
            Drop(
                **dict(zip(DROP_KEY, map(str, names), strict=True)),
                seeds=drop.n,
                error_percent=float(part["error_percent"].mean()),
                drop_points=drop.value,
                drop_low=drop.low,
                drop_high=drop.high,
            )
        )
    return to_frame(rows, DROP_KEY)


def removal_values(table: DataFrame) -> dict[str, Value]:
    """Quote every error and every drop, each with its t interval over seeds.

    Args:
        table: as for `drop_summary`, of one data set.

    Returns:
        `error-<removed>-<net>` (in percent) and, but for "none", `drop-<removed>-<net>` (in points), where <net> is
        hidden widths, recipe, pruning and treatment, as in `drop-last-300-100-strong-dense-as-trained` or
        `drop-first-300-100-strong-2660-retrained`.
    """
    short = short_names(table["model"])
    values: dict[str, Value] = {}
    for names, part in table.groupby(list(DROP_KEY), sort=False):
        _, recipe, mode, budget, model, target, treatment, removed = map(str, names)
        words = f"{removed}-{short[model]}-{recipe}-{short_pruning(mode, budget, target)}-{treatment}"
        name = re.sub(r"[^a-z0-9]+", "-", words.lower().replace("%", "-percent"))
        values[f"error-{name}"] = quote(t_interval(part["error_percent"]), "%")
        if removed != "none":
            values[f"drop-{name}"] = quote(t_interval(part["drop_points"]), "points")
    return values


# What the published points were measured on.
_NET, _DATA = "300-100", "mnist"


# Percentage points of sparsity: whole weights meet a percentage only nearly.
_WHOLE = 0.005


_EPOCHS = ("final", "best", "unstated")


FRONTIER_KEY = ("data", "recipe", "model", "target")


FRONTIER_COLUMNS = {
    "data": "data set",
    "recipe": "how the nets were trained: source or strong",
    "model": "spec of the net",
    "target": "label of the weights asked to be left",
    "kept": "weights left, mean over seeds",
    "sparsity_percent": "prunable weights removed, counted, mean over seeds [%]",
    "effective_sparsity_percent": "the same, weights off every live path counted as removed, mean over seeds [%]",
    "error_percent": "test error after the last epoch, mean over seeds [%]",
    "low": "lower end of its 95 % t interval; may be empty with one seed [%]",
    "high": "upper end of its 95 % t interval; may be empty with one seed [%]",
    "seeds": "nets behind the mean",
}


PUBLISHED_KEY = ("data", "recipe", "model", "method", "their_sparsity_percent", "epoch")


PUBLISHED_COLUMNS = {
    **{name: FRONTIER_COLUMNS[name] for name in ("data", "recipe", "model")},
    "method": "method of the published point",
    "source": "key of its publication in the bibliography",
    "epoch": "final (last epoch), best (best epoch on the test part) or unstated",
    "their_sparsity_percent": "published sparsity [%]",
    "their_error_percent": "published test error [%]",
    "sparsity_percent": "our smallest measured sparsity that is no smaller [%]",
    "error_percent": "our test error there after the last epoch, mean over seeds [%]",
    "low": "lower end of its 95 % t interval; may be empty with one seed [%]",
    "high": "upper end of its 95 % t interval; may be empty with one seed [%]",
    "seeds": "nets behind the mean",
    "difference": "our error - theirs [points]",
    "met": "whether our mean error is at or below theirs",
}


def published_points(path: Path) -> DataFrame:
    """Read the points others published for LeNet-300-100, as `published/lenet-300-100-frontier.csv` holds them.

    Raises:
        FileNotFoundError: the table is not there.
        ValueError: a point's epoch is not final, best or unstated.
    """
    if not path.exists():
        raise FileNotFoundError(f"the published points are in published/lenet-300-100-frontier.csv; {path} is missing")
    points = pd.read_csv(path)
    if odd := sorted(set(points["epoch"]) - set(_EPOCHS)):
        raise ValueError(f"a published point is of epoch {', '.join(_EPOCHS)}; {path.name} has {odd}")
    return points


def frontier_table(pruned: DataFrame) -> DataFrame:
    """Give the error of masked nets pruned by one global threshold at every target, sparsest last.

    Args:
        pruned: one row a pruned net.

    Returns:
        One row a net and target; columns as `FRONTIER_COLUMNS` says.

    Raises:
        ValueError: there is no such net.
    """
    rows = []
    for where, part in groups(only(pruned, mode="masked", budget="global"), FRONTIER_KEY):
        interval = error(part)
        means = {
            "kept": float(part["kept"].mean()),
            "sparsity_percent": 100 * float(part["sparsity"].mean()),
            "effective_sparsity_percent": 100 * float(part["effective_sparsity"].mean()),
        }
        rows.append({**where, **means, "error_percent": interval.value, **bounds(interval)})
    table = framed(rows, FRONTIER_COLUMNS, "the frontier")
    return table.sort_values([*FRONTIER_KEY[:3], "sparsity_percent"], ignore_index=True)


def comparable(frontier: DataFrame) -> DataFrame:
    """Keep the rows that the published points can stand beside: LeNet-300-100 on MNIST."""
    kept: DataFrame = frontier[(frontier["data"] == _DATA) & (frontier["model"].map(net_name) == _NET)]
    return kept


def against_published(frontier: DataFrame, published: DataFrame) -> DataFrame:
    """Hold each published point against our error at the smallest sparsity measured that is no smaller.

    Nothing is interpolated, so ours is never the denser net (beyond half a hundredth of a point, since weights are
    whole). Points sparser than all of ours are left out.

    Args:
        frontier: as `frontier_table` gives it; nets other than LeNet-300-100 on MNIST are left out.
        published: as `published_points` gives it.

    Returns:
        One row a point; columns as `PUBLISHED_COLUMNS` says. No row where there is no such net.
    """
    rows = []
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
    if not rows:
        return DataFrame(columns=list(PUBLISHED_COLUMNS))
    return framed(rows, PUBLISHED_COLUMNS, "the published points")


def pruned_values(table: DataFrame) -> dict[str, Value]:
    """Quote a table of pruned nets: accuracy over seeds for each net, budget and target.

    Returns:
        `accuracy-<widths>-<target>-<budget>`, as `accuracy-300-100-2660-global`; `99.5%` is written `99-5-percent`.
    """
    values = {}
    for names, rows in table.groupby(["model", "target", "budget"], sort=False):
        model, target, budget = map(str, names)
        accuracy = t_interval(100 - rows["error_percent"].to_numpy(dtype=float))
        name = f"accuracy-{net_name(model)}-{target.replace('%', '-percent').replace('.', '-')}-{budget}"
        values[name] = Value(value=accuracy.value, low=accuracy.low, high=accuracy.high, unit="%", n=accuracy.n)
    return values


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
