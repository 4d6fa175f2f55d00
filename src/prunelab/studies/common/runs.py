"""Tables of other runs, read, kept and cut into groups."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas import DataFrame

from prunelab import tables

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def slug(name: str) -> str:
    """Write a name as part of a value's or file's name: "per position, map" is "per-position-map"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def deciding(
    folders: Mapping[str, Sequence[str]], runs: Mapping[str, str]
) -> tuple[dict[str, DataFrame], dict[str, str]]:
    """Read the tables that decide a study's claims.

    Args:
        folders: table -> the runs that hold it; one with none is left out.
        runs: table -> a run that leaves it, for the hint in the error.

    Returns:
        The tables, of all runs each; and the paths that verdicts point to, "<run>/tables/<name>.csv".

    Raises:
        FileNotFoundError: a folder is empty, or its run lacks the table.
    """
    found = {name: tables.of_runs(own, name, run=runs[name]) for name, own in folders.items() if own}
    return found, {name: f"{Path(folders[name][0]).name}/tables/{name}.csv" for name in found}


def by_name(runs: Sequence[str], names: Sequence[str], *, once: bool = False) -> dict[str, list[str]]:
    """Give the folders of each net's runs by what the net is called.

    Args:
        runs: folders.
        names: of each, what its net is called; lower-case words joined by hyphens.
        once: whether each net has one run.

    Returns:
        Name -> its runs, in the order given; without runs no folder of no name, which no table can be read from.
    """
    whole = all(_NAME.fullmatch(name) for name in names) and not (once and len(set(names)) < len(names))
    if len(runs) != len(names) or not whole:
        raise ValueError(
            f"each run has a name{' of its own' if once else ''}, lower-case words joined by hyphens, as lenet; "
            f"{len(runs)} runs have {list(names)}"
        )
    found: dict[str, list[str]] = {}
    for name, run in zip(names or [""], runs or [""], strict=True):
        found.setdefault(name, []).append(run)
    return found


def suffix_of(folder: str, first: str) -> str:
    """Tell the figures of several runs of one notebook apart by how their folders' names go on from the first's.

    Args:
        folder: of a run, as ".../units-corrections-vgg".
        first: of the first run, as ".../units-corrections".

    Returns:
        "-vgg"; empty for the first itself.
    """
    name, start = Path(folder).name, Path(first).name
    return "" if folder == first else name[len(start) :] if name.startswith(f"{start}-") else f"-{slug(name)}"


def only(table: DataFrame, **wanted: object) -> DataFrame:
    """Keep the rows whose columns have the wanted values."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def groups(table: DataFrame, key: Sequence[str]) -> Iterator[tuple[dict[str, str], DataFrame]]:
    """Split a table by text columns, in the order of its rows."""
    for names, rows in table.groupby(list(key), sort=False):
        yield dict(zip(key, map(str, names), strict=True)), rows


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The folders of the runs that one kind of table comes from, by the parameter that names each."""

    folders: Mapping[str, str]

    def table(self, name: str) -> DataFrame:
        """Read a table of all these runs, one below the other; a run that is not named or lacks it is an error."""
        parts = [
            tables.of_runs([folder], name, run=f"lenet-{parameter.replace('_', '-')}", parameter=parameter)
            for parameter, folder in self.folders.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def keep(self, name: str, table: DataFrame) -> DataFrame:
        """Save rows of a table of these runs with this run, described as those describe it, and give them back."""
        return tables.keep(table, name, of=Path(next(iter(self.folders.values()))) / "tables" / f"{name}.csv")


def stacked(*parts: DataFrame) -> DataFrame:
    """Put tables with the same columns one below the other."""
    return pd.concat(parts, ignore_index=True)


def one_net(table: DataFrame) -> str:
    """Say which net a table is of.

    Raises:
        ValueError: it has no rows, or those of several nets.
    """
    found = list(dict.fromkeys(zip(table["model"], table["data"], strict=True)))
    if len(found) != 1:
        named = ", ".join(f"{model} on {data}" for model, data in found) or "none"
        raise ValueError(f"a figure on units shows one net on one data set; the table has {named}: give it one's rows")
    return "{} on {}".format(*found[0])
