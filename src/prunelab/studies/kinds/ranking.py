"""The kinds of pruning function ranked: the area under accuracy against sparsity, net by net."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import stats
from prunelab.decisions import side_by_side
from prunelab.pruning.kinds import named
from prunelab.studies.kinds.tables import KindsSummary

NET = ("data", "model", "scope")
SUBJECT = (*NET, "retrained")
RIVALS = RANDOM, PLAIN = ("random", "magnitude")  # what every kind is held against


def summary_table(kinds: DataFrame) -> DataFrame:
    """Rank the kinds of each net by area, best first, as `KindsSummary`.

    Args:
        kinds: as `experiment.compare` gives it, of one net or more. A kind that lacks a budget or a seed is left out.
    """
    rows = []
    for subject, own in kinds.groupby(list(SUBJECT), sort=False):
        place = dict(zip(SUBJECT, subject, strict=True)) | {"data_id": own["data_id"].iloc[0]}
        found = areas(own, alike(own))
        largest = float(own["sparsity_asked"].max())
        order = found.mean().sort_values(ascending=False, kind="stable").index
        for rank, kind in enumerate(order, start=1):
            area, each = stats.t_interval(found[kind]), own[own["kind"] == kind]
            row = {**place, "kind": kind, "rank": rank, "area": area.value, "low": area.low, "high": area.high}
            for rival in RIVALS:
                held = rival in found and rival != kind
                gain = stats.paired(found[kind], found[rival]) if held else None
                ends = (math.nan,) * 3 if gain is None else (gain.value, gain.low, gain.high)
                row |= dict(zip((f"to_{rival}", f"to_{rival}_low", f"to_{rival}_high"), ends, strict=True))
            row["largest_sparsity"] = largest
            row["error_percent"] = each.loc[each["sparsity_asked"] == largest, "error_percent"].mean()
            row["dense_error_percent"] = each.groupby("seed")["dense_error_percent"].first().mean()
            rows.append(row | {"seeds": area.n})
    return KindsSummary.frame(rows)


def kinds_in(table: DataFrame) -> list[str]:
    """List the kinds of a table in the order of the list of kinds."""
    found = set(table["kind"])
    return [kind for kind in named("kind") if kind in found]


def areas(rows: DataFrame, compared: Sequence[str]) -> DataFrame:
    """Average the accuracy over sparsity, from 0 to the largest budget: the area under the curve over its width.

    A curve begins at sparsity 0 with the net's own accuracy unpruned and is linear between budgets. A budget is the
    sparsity asked for, which single weights meet exactly and whole units as nearly as they can.

    Args:
        rows: one net, scope and way in "kinds".
        compared: kinds, all of them measured at the same budgets with the same seeds.

    Returns:
        Shape (seeds, kinds), percent; 100 for a net that never errs. Of speech, accuracy is 100 - word error rate.

    Raises:
        NotCoveredError: a kind lacks a budget or a seed.
        ValueError: rows of several nets, scopes or ways, or two that say different things of the same setting.
    """
    if len(rows[list(SUBJECT)].drop_duplicates()) > 1:
        raise ValueError("an area is that of one net, scope and way, one-shot or retrained; the rows hold several")
    own = rows[["kind", "seed", "sparsity_asked", "error_percent", "dense_error_percent"]].drop_duplicates()
    if own.duplicated(["kind", "seed", "sparsity_asked"]).any():
        raise ValueError("kinds has one row a kind, seed and budget; some say different things: tables of two runs?")
    sides = {"kind": list(compared)}
    error, dense = (
        side_by_side(own, column, settings=["sparsity_asked"], sides=sides)
        for column in ("error_percent", "dense_error_percent")
    )
    found = {}
    for seed in sorted(own["seed"].unique()):
        errors, starts = (wide.xs(seed, level="seed").sort_index() for wide in (error, dense))
        budgets = np.append(0.0, errors.index.to_numpy(dtype=float))
        found[seed] = {
            kind: stats.area(budgets, 100 - np.append(starts[kind].iloc[0], errors[kind]), budgets[-1]) / budgets[-1]
            for kind in compared
        }
    return pd.DataFrame.from_dict(found, orient="index")[list(compared)].rename_axis("seed")


def alike(rows: DataFrame) -> list[str]:
    """List the kinds measured at every budget with every seed, in the order of the rows."""
    budgets, seeds = rows["sparsity_asked"].nunique(), rows["seed"].nunique()
    settings = rows[["kind", "seed", "sparsity_asked"]].drop_duplicates()
    return [str(kind) for kind, own in settings.groupby("kind", sort=False) if len(own) == budgets * seeds]
