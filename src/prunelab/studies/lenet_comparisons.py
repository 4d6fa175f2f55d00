"""Study 2's questions as comparison tables: budget and width, masked or regrown, whose budget, beside the source."""

import math
import re

import pandas as pd
from pandas import DataFrame

from prunelab.stats import paired, t_interval
from prunelab.studies.lenet_rows import accuracy, bounds, framed, groups, last_rounds, net_name, only

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
