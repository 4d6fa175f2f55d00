"""Study 2, experiment 2, summed up: the source's active units beside ours, and what prose quotes."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
from pandas import DataFrame

from prunelab.models import parse
from prunelab.records import Value, to_frame
from prunelab.stats import t_interval
from prunelab.studies.lenet_activity_tables import SOURCE_KEY, SourceRow
from prunelab.studies.sparseness_summary import quote

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
    return to_frame(rows, SOURCE_KEY)


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
