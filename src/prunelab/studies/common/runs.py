"""Tables of other runs, read, kept and cut into groups."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pandas import DataFrame

from prunelab import tables

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def slug(name: str) -> str:
    """Write a name as part of a file's name: "per position, map" is "per-position-map"."""
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
