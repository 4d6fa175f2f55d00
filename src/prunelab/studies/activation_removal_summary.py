"""The removal of activations summed up: what each removal costs, over seeds, for tables and prose."""

import re

from pandas import DataFrame

from prunelab.records import Value, to_frame
from prunelab.stats import t_interval
from prunelab.studies.activation_removal_tables import DROP_KEY, Drop
from prunelab.studies.lenet_activity_summary import short_names, short_pruning
from prunelab.studies.sparseness_summary import quote


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
