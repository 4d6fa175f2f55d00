"""The comparisons of kinds of pruning function on several nets, put together for their chapter."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from pandas import DataFrame

from prunelab.records import Value
from prunelab.studies.kinds_summary import NET, quoted
from prunelab.studies.lenet_rows import only
from prunelab.studies.sparseness_summary import table_of

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
