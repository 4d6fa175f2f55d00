"""Tables of other runs of the study, read and kept."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas import DataFrame

from prunelab.records import load_table, save_table


def table_of(folder: str, name: str, *, run: str | None = None) -> DataFrame:
    """Read a table that another run left.

    Args:
        folder: the run's folder.
        name: the table's name.
        run: a run that leaves it, for the hint in the error; named as the table when absent.

    Raises:
        FileNotFoundError: no folder is given, or the run lacks the table.
    """
    if not folder:
        raise FileNotFoundError(
            f"table {name!r} comes from another run, and no folder is given; name one, as in "
            f"-p {name.replace('-', '_')}=./results/quick/{run or name}, or use --profile quick"
        )
    return load_table(Path(folder) / "tables" / f"{name}.csv")


def slug(name: str) -> str:
    """Write a name as part of a value's or file's name: "per position, map" is "per-position-map"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def joined(folders: Sequence[str], name: str, *, run: str) -> DataFrame:
    """Read a table that several runs share, each with other seeds or nets, into one.

    Args:
        folders: of the runs, at least one.
        name: the table's name.
        run: a run that leaves it, for the hint in the error.

    Raises:
        FileNotFoundError: no folder is given, or a run lacks the table.
    """
    return pd.concat([table_of(folder, name, run=run) for folder in folders or [""]], ignore_index=True)


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
    tables = {name: joined(own, name, run=runs[name]) for name, own in folders.items() if own}
    return tables, {name: f"{Path(folders[name][0]).name}/tables/{name}.csv" for name in tables}


def keep(table: DataFrame, name: str, *, folder: str, of: str) -> DataFrame:
    """Save rows of another run's table with this run, described as there, and give them back.

    Args:
        table: the rows, with all columns of the table.
        name: what it is called here.
        folder: the other run's.
        of: what it is called there.
    """
    about = json.loads((Path(folder) / "tables" / f"{of}.json").read_text(encoding="utf-8"))
    save_table(table, name, key=about["key"], columns=about["columns"], varies=about.get("varies", False))
    return table


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


_FLOATS = ("low", "high")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def only(table: DataFrame, **wanted: object) -> DataFrame:
    """Keep the rows whose columns have the wanted values."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def groups(table: DataFrame, key: Sequence[str]) -> Iterator[tuple[dict[str, str], DataFrame]]:
    """Split a table by text columns, in the order of its rows."""
    for names, rows in table.groupby(list(key), sort=False):
        yield dict(zip(key, map(str, names), strict=True)), rows


def framed(rows: Sequence[Mapping[str, object]], columns: Mapping[str, str], what: str) -> DataFrame:
    """Lay rows out as a table with the described columns, in their order.

    Args:
        rows: one mapping a row; what a row lacks stays empty.
        columns: column -> what it is.
        what: what the table compares, for the error.

    Raises:
        ValueError: there is no row, or one has a column that is not described.
    """
    if not rows:
        raise ValueError(f"{what} compares at least one net; the tables given hold none: is it the right run?")
    if odd := sorted({name for row in rows for name in row} - set(columns)):
        raise ValueError(f"the rows of {what} have the described columns; got also {odd}: describe them")
    frame = DataFrame(list(rows), columns=list(columns))
    return frame.astype({name: float for name in _FLOATS if name in columns})


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The folders of the runs that one kind of table comes from, by the parameter that names each."""

    folders: Mapping[str, str]

    def table(self, name: str) -> DataFrame:
        """Read a table of all these runs, one below the other.

        Raises:
            FileNotFoundError: a run is not named, or lacks the table.
            ValueError: a run's table has no rows.
        """
        parts = []
        for parameter, folder in self.folders.items():
            if not folder:
                raise FileNotFoundError(
                    f"table {name!r} comes from another run, and {parameter} names no folder; name one, as in "
                    f"-p {parameter}=./results/quick/lenet-{parameter.replace('_', '-')}, or use --profile quick"
                )
            part = load_table(Path(folder) / "tables" / f"{name}.csv")
            if part.empty:
                raise ValueError(f"a run leaves rows in its tables; {name} of {folder} has none: run it again")
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def keep(self, name: str, table: DataFrame) -> DataFrame:
        """Save rows of a table of these runs with this run, described as those describe it, and give them back."""
        folder = next(iter(self.folders.values()))
        about = json.loads((Path(folder) / "tables" / f"{name}.json").read_text(encoding="utf-8"))
        save_table(table, name, key=about["key"], columns=about["columns"])
        return table


def stacked(*tables: DataFrame) -> DataFrame:
    """Put tables with the same columns one below the other."""
    return pd.concat(tables, ignore_index=True)


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
