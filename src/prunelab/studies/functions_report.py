"""What pruned nets gain on hardware, put together from the runs of several nets."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pandas import DataFrame

from prunelab.records import Value
from prunelab.studies.hardware_values import counted_values, timed_values
from prunelab.studies.kinds_report import NAME
from prunelab.studies.sparseness_summary import table_of
from prunelab.studies.units_runs import keep

TABLES = ("forms", "times", "latency", "crossovers", "memory")
_RUN = "hardware"


@dataclass(frozen=True, kw_only=True, eq=False)
class Timed:
    """What the run of one net measured."""

    name: str  # in the names of values and figures
    folder: str
    tables: dict[str, DataFrame]  # each of `TABLES`

    @property
    def suffix(self) -> str:
        """Give what stands behind the names of its figures."""
        return f"-{self.name}"


def read(runs: Sequence[str], names: Sequence[str]) -> list[Timed]:
    """Read the tables of the runs that timed pruned nets.

    Args:
        runs: folders, one a net.
        names: of each run, what its net is called; lower-case words joined by hyphens, each once.

    Raises:
        FileNotFoundError: no run is given, or one lacks a table.
        ValueError: not one name a run, one that is badly formed, or one twice.
    """
    whole = all(NAME.fullmatch(name) for name in names) and len(set(names)) == len(names)
    if len(runs) != len(names) or not whole:
        raise ValueError(
            f"each run has a name of its own, lower-case words joined by hyphens, as lenet; {len(runs)} runs have "
            f"{list(names)}"
        )
    found = zip(runs or [""], names or [""], strict=True)
    return [
        Timed(name=name, folder=run, tables={table: table_of(run, table, run=_RUN) for table in TABLES})
        for run, name in found
    ]


def keep_joined(nets: Sequence[Timed]) -> None:
    """Save each table of all nets together with this run, described as in theirs."""
    for table in TABLES:
        joined = pd.concat([net.tables[table] for net in nets], ignore_index=True)
        keep(joined, table, folder=nets[0].folder, of=table)


def hardware_values_of(nets: Sequence[Timed]) -> dict[str, Value]:
    """Quote the numbers of every net, its name before theirs; see `hardware_values` for these."""
    values: dict[str, Value] = {}
    for net in nets:
        own = counted_values(net.tables["forms"])
        own |= timed_values(*(net.tables[table] for table in ("latency", "crossovers", "memory")))
        values |= {f"{net.name}-{name}": value for name, value in own.items()}
    return values
