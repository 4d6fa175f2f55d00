"""The kinds of pruning function ranked by area, what each needs, and the numbers that the chapter quotes."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from pandas import DataFrame

from prunelab.records import Value, quote
from prunelab.stats import Interval, paired, t_interval
from prunelab.studies.common.runs import only, table_of
from prunelab.studies.kinds.kinds import KINDS, PLAIN, REFERENCE, RETRAINED_NAMES, kinds_in
from prunelab.studies.kinds.rules import alike, areas
from prunelab.studies.kinds.tables import COSTS_COLUMNS, ENDS, KINDS_COLUMNS

NET = ("data", "model", "scope")


SUBJECT = (*NET, "retrained")


SUMMARY_KEY = (*SUBJECT, "kind")


_RIVALS = {"random": REFERENCE, "magnitude": PLAIN}


SUMMARY_COLUMNS = {
    **{name: KINDS_COLUMNS[name] for name in ("data", "data_id", "model", "scope", "retrained", "kind")},
    "rank": "by area, 1 is best",
    "area": "accuracy averaged over sparsity from 0 to the largest budget, mean over seeds [%]",
    **ENDS,
    **{
        name: description
        for rival in _RIVALS
        for name, description in {
            f"to_{rival}": f"area minus that of {rival}, mean of paired differences; may be empty [points]",
            f"to_{rival}_low": ENDS["low"],
            f"to_{rival}_high": ENDS["high"],
        }.items()
    },
    "largest_sparsity": "the largest budget, where the area ends",
    "error_percent": "test error at the largest budget, mean over seeds [%]",
    "dense_error_percent": "test error of the same nets unpruned, mean over seeds [%]",
    "seeds": "nets behind it",
}


GUIDE_KEY = ("kind",)


GUIDE_COLUMNS = {
    "kind": COSTS_COLUMNS["kind"],
    "name": "the kind in words",
    "removes": COSTS_COLUMNS["removes"],
    "ranks_by": COSTS_COLUMNS["ranks_by"],
    "needs": "what must be at hand beside the trained net",
    "cost": "passes over the training part to rank or to train with its penalty, smallest to largest of the nets; "
    "retraining is not counted, it is the same for all",
    "best_one_shot": "nets where its area is the largest, one-shot; may be empty",
    "best_retrained": "nets where its area is the largest, retrained; may be empty",
    "above_random": "of the nets compared one-shot and retrained, those with an interval of its area above random's",
}


def summary_table(kinds: DataFrame) -> DataFrame:
    """Rank the kinds of each net by area, one-shot and retrained, with paired differences to random and magnitude.

    Args:
        kinds: as `kinds_comparison.compare` gives it, of one net or more. A kind that lacks a budget or a seed is left
            out.

    Returns:
        One row a net, scope, way and kind, best first; columns as `SUMMARY_COLUMNS` says.
    """
    rows = []
    for subject, own in kinds.groupby(list(SUBJECT), sort=False):
        named = dict(zip(SUBJECT, subject, strict=True)) | {"data_id": own["data_id"].iloc[0]}
        found = areas(own, alike(own))
        order = list(found.mean().sort_values(ascending=False, kind="stable").index)
        largest = float(own["sparsity_asked"].max())
        for rank, kind in enumerate(order, start=1):
            area, each = t_interval(found[kind]), own[own["kind"] == kind]
            row = {**named, "kind": kind, "rank": rank, "area": area.value, "low": area.low, "high": area.high}
            for rival, name in _RIVALS.items():
                gain = paired(found[kind], found[name]) if name in found and name != kind else _NONE
                row |= {f"to_{rival}": gain.value, f"to_{rival}_low": gain.low, f"to_{rival}_high": gain.high}
            row["largest_sparsity"] = largest
            row["error_percent"] = float(each.loc[each["sparsity_asked"] == largest, "error_percent"].mean())
            row["dense_error_percent"] = float(each.groupby("seed")["dense_error_percent"].first().mean())
            rows.append(row | {"seeds": area.n})
    return DataFrame(rows)[list(SUMMARY_COLUMNS)]


def guide_table(summary: DataFrame, costs: DataFrame, names: Mapping[tuple[str, str, str], str]) -> DataFrame:
    """Say of each kind what it prunes, what it needs, what that costs, and where it won.

    Args:
        summary: as `summary_table` gives it.
        costs: as `kinds_comparison.compare` gives it, of the same nets.
        names: (data, model, scope) -> what the net is called.

    Returns:
        One row a kind; columns as `GUIDE_COLUMNS` says.
    """
    rows = []
    for kind in kinds_in(costs):
        own, cost = summary[summary["kind"] == kind], costs[costs["kind"] == kind]
        passes = cost[["forward_passes", "gradient_passes", "training_passes", "choosing_passes"]].sum(axis=1)
        first = own[own["rank"] == 1]
        best = {
            way: ", ".join(
                names[net] for net in first.loc[first["retrained"] == way, list(NET)].itertuples(index=False, name=None)
            )
            for way in RETRAINED_NAMES
        }
        above = int((own["to_random_low"] > 0).sum())
        rows.append(
            {
                "kind": kind,
                "name": KINDS[kind].label,
                "removes": cost["removes"].iloc[0],
                "ranks_by": cost["ranks_by"].iloc[0],
                "needs": needs(kind),
                "cost": " to ".join(dict.fromkeys(f"{ends:.3g}" for ends in (passes.min(), passes.max()))),
                "best_one_shot": best[False],
                "best_retrained": best[True],
                "above_random": f"{above} of {len(own)}" if kind != REFERENCE else "not compared",
            }
        )
    return DataFrame(rows, columns=list(GUIDE_COLUMNS))


def needs(kind: str) -> str:
    """Say what a kind needs beside the trained net."""
    own = KINDS[kind]
    if own.penalty != "none":
        return "training with the penalty, and its strength"
    if own.backward:
        return "examples with their classes, and gradients"
    return "examples" if own.forward else "nothing"


def quoted(summary: DataFrame, tried: DataFrame, name: str) -> dict[str, Value]:
    """Quote the numbers of one net.

    Args:
        summary: its rows, of one scope.
        tried: its strengths of penalties; may be empty.
        name: what the net is called in the values' names.

    Returns:
        Where <way> is "one-shot" or "retrained": `area-<kind>-<name>-<way>` (accuracy averaged over sparsity, %),
        `rank-...`, `to-random-...` and `to-magnitude-...` (paired differences of areas, points), `error-...` (at the
        largest budget, %); `kinds-<name>-<way>` (how many are ranked), `largest-sparsity-<name>-<way>` (%),
        `dense-error-<kind>-<name>` (%) and `strength-<penalty>-<name>`.
    """
    values: dict[str, Value] = {}
    for way, ranked in summary.groupby("retrained", sort=False):
        at = f"{name}-{RETRAINED_NAMES[bool(way)]}"
        for row in ranked.to_dict("records"):
            seeds, where = int(row["seeds"]), f"{row['kind']}-{at}"
            for what, column, ends in (
                ("area", "area", ""),
                ("to-random", "to_random", "to_random_"),
                ("to-magnitude", "to_magnitude", "to_magnitude_"),
            ):
                if not math.isnan(row[column]):
                    interval = Interval(
                        value=row[column],
                        low=row[f"{ends}low"],
                        high=row[f"{ends}high"],
                        n=seeds,
                        level=_NONE.level,
                        method="t",
                    )
                    values[f"{what}-{where}"] = quote(interval, "points" if ends else "%")
            values[f"rank-{where}"] = Value(value=row["rank"], digits=0, n=seeds)
            values[f"error-{where}"] = Value(value=row["error_percent"], unit="%", n=seeds)
            values[f"dense-error-{row['kind']}-{name}"] = Value(value=row["dense_error_percent"], unit="%", n=seeds)
        values[f"kinds-{at}"] = Value(value=len(ranked), digits=0)
        values[f"largest-sparsity-{at}"] = Value(value=100 * ranked["largest_sparsity"].max(), unit="%", digits=1)
    if len(tried):
        for penalty, strength in tried.loc[tried["chosen"], ["penalty", "strength"]].itertuples(index=False, name=None):
            values[f"strength-{penalty}-{name}"] = Value(value=strength, digits=7)
    return values


_NONE = Interval(value=math.nan, low=math.nan, high=math.nan, n=0, level=0.95, method="none")


_RUN = "pruning-kinds"


_OPTIONAL = ("weights", "tried")


NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """What the runs of one net measured."""

    name: str  # in the names of values and figures
    kinds: DataFrame
    costs: DataFrame
    weights: DataFrame  # of the first run; empty where it has none
    tried: DataFrame  # empty where no kind trains with a penalty

    @property
    def suffix(self) -> str:
        """Give what stands behind the names of its figures."""
        return f"-{self.name}"

    @property
    def net(self) -> tuple[str, str, str]:
        """Give its data, model and scope."""
        data, model, scope = (str(self.kinds[column].iloc[0]) for column in NET)
        return data, model, scope


def read(runs: Sequence[str], names: Sequence[str]) -> list[Compared]:
    """Read the tables of the runs that compared kinds, net by net.

    Args:
        runs: folders; several of one net measured other seeds of it.
        names: of each run, what its net is called; lower-case words joined by hyphens.

    Raises:
        FileNotFoundError: no run is given, or one lacks a table.
        ValueError: not one name a run, one that is badly formed, or runs of one name that measured different nets.
    """
    if len(runs) != len(names) or not all(NAME.fullmatch(name) for name in names):
        raise ValueError(
            f"each run has a name, lower-case words joined by hyphens, as lenet; {len(runs)} runs have {list(names)}"
        )
    found = []
    for name in dict.fromkeys(names or [""]):
        own = [run for run, called in zip(runs, names, strict=True) if called == name] or [""]
        kinds = pd.concat([table_of(run, "kinds", run=_RUN) for run in own], ignore_index=True)
        if len(kinds[list(NET)].drop_duplicates()) > 1:
            raise ValueError(f"runs of one name measured one net under one scope; those of {name!r} measured several")
        if kinds[["kind", "strength"]].drop_duplicates()["kind"].duplicated().any():
            raise ValueError(
                f"seeds of one net are trained with one strength of a penalty; the runs of {name!r} chose several: "
                "give each run the same one strength"
            )
        optional = {table: [_if_there(run, table) for run in own] for table in _OPTIONAL}
        found.append(
            Compared(
                name=name,
                kinds=kinds,
                costs=table_of(own[0], "kinds-costs", run=_RUN),
                weights=optional["weights"][0],
                tried=pd.concat(optional["tried"], ignore_index=True),
            )
        )
    return found


def together(nets: Sequence[Compared], table: Literal["kinds", "costs", "weights", "tried"]) -> DataFrame:
    """Put a table of all nets beneath each other, rows that say the same once; empty where no net has it."""
    parts: list[DataFrame] = [getattr(net, table) for net in nets]
    whole = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return whole.drop_duplicates(ignore_index=True)


def called(nets: Sequence[Compared]) -> dict[tuple[str, str, str], str]:
    """Give each net's name by its data, model and scope."""
    return {net.net: net.name for net in nets}


def report_values(nets: Sequence[Compared], summary: DataFrame) -> dict[str, Value]:
    """Quote the numbers of every net; see `kinds_summary.quoted` for their names.

    Args:
        nets: as `read` gives them.
        summary: of all of them.
    """
    values: dict[str, Value] = {}
    for net in nets:
        own = only(summary, **dict(zip(NET, net.net, strict=True)))
        values |= quoted(own, net.tried, net.name)
    return values


def _if_there(run: str, table: str) -> DataFrame:
    there = (Path(run) / "tables" / f"{table}.csv").is_file()
    return table_of(run, table, run=_RUN) if there else DataFrame()
