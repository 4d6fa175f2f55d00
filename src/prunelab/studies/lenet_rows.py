"""What the LeNet comparisons share: short names of nets, rows of a target, means with their intervals."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas import DataFrame

from prunelab import models
from prunelab.records import load_table, save_table
from prunelab.stats import Interval, t_interval

RECIPES = ("source", "strong")
_FLOATS = ("low", "high")


def net_name(model: str) -> str:
    """Name a net as the source does, by its hidden widths: `lenet-300-100-relu` is `300-100`.

    Raises:
        ValueError: the spec cannot be read.
    """
    return "-".join(map(str, models.parse(model).widths))


def nets(table: DataFrame) -> list[str]:
    """List a table's specs, narrow first layers first."""
    return sorted(dict.fromkeys(table["model"]), key=lambda model: (models.parse(model).widths, model))


def recipes(table: DataFrame) -> list[str]:
    """List a table's recipes, the source's first, others as they come."""
    found = list(dict.fromkeys(table["recipe"]))
    return [name for name in RECIPES if name in found] + [name for name in found if name not in RECIPES]


def slug(target: str) -> str:
    """Write a target as part of a name: `99.5%` is `99-5`."""
    return target.removesuffix("%").replace(".", "-")


def only(table: DataFrame, **wanted: object) -> DataFrame:
    """Keep the rows whose columns have the wanted values."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def groups(table: DataFrame, key: Sequence[str]) -> Iterator[tuple[dict[str, str], DataFrame]]:
    """Split a table by text columns, in the order of its rows."""
    for names, rows in table.groupby(list(key), sort=False):
        yield dict(zip(key, map(str, names), strict=True)), rows


def accuracy(rows: DataFrame, column: str = "error_percent") -> Interval:
    """Give the mean accuracy (%) over seeds with its 95 % t interval, from a column of errors."""
    return t_interval(100 - rows[column].to_numpy(dtype=float))


def error(rows: DataFrame) -> Interval:
    """Give the mean error (%) over seeds with its 95 % t interval."""
    return t_interval(rows["error_percent"].to_numpy(dtype=float))


def bounds(interval: Interval) -> dict[str, float | int]:
    """Give an interval's ends and its number of seeds, as columns of a table."""
    return {"low": interval.low, "high": interval.high, "seeds": interval.n}


def last_rounds(layers: DataFrame) -> DataFrame:
    """Keep the layers of finished nets: of every target its last round, none of the rounds all targets share."""
    ends = layers[layers["target"] != "path"]
    key = ["data", "recipe", "mode", "budget", "model", "target"]
    kept: DataFrame = ends[ends["round"] == ends.groupby(key)["round"].transform("max")]
    return kept


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


def joined(*tables: DataFrame) -> DataFrame:
    """Put tables with the same columns one below the other."""
    return pd.concat(tables, ignore_index=True)


def at_targets(table: DataFrame, targets: Sequence[str]) -> DataFrame:
    """Keep the rows of the targets named, and of dense nets.

    Raises:
        ValueError: a target has no rows.
    """
    there = list(dict.fromkeys(table["target"]))
    if missing := [target for target in targets if target not in there]:
        raise ValueError(f"targets are labels of the runs' nets; {missing[0]!r} is none of {', '.join(there)}")
    kept: DataFrame = table[table["target"].isin([*targets, "dense"])]
    return kept


def printed_nets(path: Path) -> DataFrame:
    """Read the source's printed nets, as `published/lenet-variants.csv` holds them.

    Raises:
        FileNotFoundError: the table is not there.
    """
    if not path.exists():
        raise FileNotFoundError(f"the source's printed nets are published/lenet-variants.csv; {path} is missing")
    return pd.read_csv(path)
