"""Tidy tables with a declared key, and the single numbers that prose quotes: memory to file and back.

A table is a CSV with a JSON sidecar that says its key, the meaning of its columns, and its SHA-256.
"""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prunelab import files

if TYPE_CHECKING:  # it loads scipy, which `prunelab list` need not wait for
    from prunelab.stats import Interval

# Ten digits give every float32 back exactly (nine would do) and hide the last-digit noise of another
# processor's sums; seventeen would print 1.7699999999999982 for an error of 1.77 %.
_FLOAT_FORMAT = "%.10g"


_MAY_BE_EMPTY = "may be empty"


_DTYPES = {"boolean": "bool", "integer": "int64", "number": "float64", "text": "str"}


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number that prose quotes, with what a reader needs to judge it.

    `low` and `high` bound its 95 % interval and are given together or not at all; NaN counts as not given.
    `n` is the number of seeds behind it, `digits` the decimals to print. `varies` says of a measured time and the like
    that another run will not repeat it.
    """

    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    digits: int = 2
    n: int | None = None
    varies: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            bound = getattr(self, name)
            if bound is not None and math.isnan(bound):
                object.__setattr__(self, name, None)
        if not all(math.isfinite(number) for number in (self.value, self.low, self.high) if number is not None):
            raise ValueError(f"a value to quote is finite; got {self!r}; leave out what was not measured")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"low and high of an interval come together; got {self!r}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low of an interval is at most high; got {self!r}; swap them")


def to_frame(rows: Sequence[Any], key: Sequence[str]) -> pd.DataFrame:
    """Lay measurement records out as a table, one row each, in the order given.

    Args:
        rows: frozen dataclass instances, all of one class; its fields become the columns. None becomes an empty cell.
        key: the fields that name a row; no two rows agree in all of them.

    Returns:
        A frame with the fields of the class as columns, in the order of their declaration.

    Raises:
        ValueError: there are no rows, or two rows have one key.
        TypeError: a row is no dataclass instance, or of another class than the first.
    """
    if not rows:
        raise ValueError("a table has at least one row; got none; did the loops over settings and seeds run?")
    kind = type(rows[0])
    for row in rows:
        if not dataclasses.is_dataclass(row) or type(row) is not kind:
            raise TypeError(f"the rows of a table are records of one dataclass; got {type(row)} beside {kind}")
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in dataclasses.fields(rows[0])}
    frame = pd.DataFrame({name: _without_none(cells) for name, cells in columns.items()})
    _check_key(frame, key, "the table")
    return frame


def save_table(
    frame: pd.DataFrame,
    name: str,
    *,
    key: Sequence[str],
    columns: Mapping[str, str],
    folder: Path = Path("tables"),
    varies: bool = False,
) -> Path:
    """Write a table as CSV, and beside it a JSON that describes it.

    Floats are written with ten significant digits: a float32 comes back bit for bit, a float64 to 5e-11 of itself,
    and a table loaded and saved again is the same bytes.

    Args:
        frame: one row per measurement; its index is not written.
        name: file name without suffix: lower-case words joined by hyphens.
        key: the columns that name a row.
        columns: column -> "what it is [unit]", for every column. "may be empty" in it allows empty cells.
        folder: where `<name>.csv` and `<name>.json` go.
        varies: the table holds measured times and the like, which another run will not repeat; its sidecar says so.

    Returns:
        The path of the CSV.

    Raises:
        ValueError: a column is not described, a description has no column, two rows have one key,
            or a cell is infinite, or empty where it may not be.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f'a table is named in lower-case words joined by hyphens, as "threshold-sweep"; got {name!r}')
    if list(columns) != list(frame.columns):
        odd = sorted({str(column) for column in frame.columns} ^ set(columns)) or "the order"
        raise ValueError(f"every column of {name} is described once, in the table's order; not so: {odd}")
    _check_key(frame, key, name)
    for column, description in columns.items():
        _check_cells(frame[column], description, f"{name}.{column}")
    path = folder / f"{name}.csv"
    files.write_text(path, frame.to_csv(index=False, float_format=_FLOAT_FORMAT, lineterminator="\n"))
    sidecar = {
        "key": list(key),
        "columns": dict(columns),
        "types": {column: _kind(frame[column]) for column in columns},
        "rows": len(frame),
        "sha256": files.digest(path),
    }
    if varies:
        sidecar["varies"] = True
    files.write_json(path.with_suffix(".json"), sidecar)
    return path


def load_table(path: Path) -> pd.DataFrame:
    """Read a table that `save_table` wrote, with the same columns, types and order of rows.

    Args:
        path: the CSV; its JSON stands beside it.

    Raises:
        FileNotFoundError: the CSV or its JSON is missing.
        ValueError: the CSV is not the one its JSON describes.
    """
    path = Path(path)
    described = path.with_suffix(".json")
    for file in (path, described):
        if not file.is_file():
            raise FileNotFoundError(f"a table is a .csv with its .json beside it; {file} is missing; run its notebook")
    sidecar = json.loads(described.read_text(encoding="utf-8"))
    types = {column: _DTYPES[kind] for column, kind in sidecar["types"].items()}
    present = path.read_text(encoding="utf-8").partition("\n")[0].split(",")
    if missing := [column for column in types if column not in present]:
        raise ValueError(f"{path} lacks the columns {missing} that {described.name} describes; run its notebook again")
    if files.digest(path) != sidecar["sha256"]:
        raise ValueError(
            f"{path} is not the file {described.name} describes (its sha256 differs): it was changed after the run; "
            "restore it or run its notebook again"
        )
    frame = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    _check_key(frame, sidecar["key"], str(path))
    return frame


def save_values(values: Mapping[str, Value], folder: Path = Path()) -> Path:
    """Write the numbers that prose quotes to `values.json`, all of a run at once.

    Args:
        values: name -> value; names are lower-case words joined by hyphens.
        folder: the run's folder.

    Raises:
        ValueError: a name is badly formed, or the folder already holds values under other names.
    """
    path = folder / "values.json"
    for name in values:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
            raise ValueError(f"a value is named in lower-case words joined by hyphens; got {name!r}")
    if path.is_file() and set(load_values(path)) != set(values):
        raise ValueError(
            f"a run writes its values once, all together; {path} already holds others; "
            "join the two calls into one, or remove the file of an earlier run"
        )
    return files.write_json(path, {name: _entry(value) for name, value in values.items()})


def load_values(path: Path) -> dict[str, Value]:
    """Read the numbers of a run from its `values.json`, in the order written.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an entry is no value.
    """
    entries = json.loads(Path(path).read_text(encoding="utf-8"))
    try:
        return {name: Value(**entry) for name, entry in entries.items()}
    except TypeError as error:
        raise ValueError(f"{path} holds an entry that is no value ({error}); write it through save_values") from error


def _entry(value: Value) -> dict[str, Any]:
    """Lay a value out for JSON; only what varies is marked."""
    entry = dataclasses.asdict(value)
    return entry if value.varies else {name: part for name, part in entry.items() if name != "varies"}


def _without_none(cells: list[Any]) -> list[Any]:
    """Replace None by NaN among numbers, so that a column of optional numbers stays a column of numbers."""
    others = [cell for cell in cells if cell is not None]
    if len(others) < len(cells) and all(isinstance(cell, (int, float)) for cell in others):
        return [math.nan if cell is None else float(cell) for cell in cells]
    return cells


def _kind(column: "pd.Series[Any]") -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(column.dtype):
        return "integer"
    return "number" if pd.api.types.is_float_dtype(column.dtype) else "text"


def _check_key(frame: pd.DataFrame, key: Sequence[str], name: str) -> None:
    """Hold the frame to its key."""
    if not key:
        raise ValueError(f"the key of {name} names at least one column; got none")
    if unknown := [column for column in key if column not in frame.columns]:
        raise ValueError(f"the key of {name} is made of its columns {list(frame.columns)}; got {unknown}")
    repeated = frame.duplicated(list(key))
    if repeated.any():
        row = frame.loc[repeated, list(key)].iloc[0]
        named = ", ".join(f"{column}={row[column]!s}" for column in key)
        raise ValueError(f"the rows of {name} have different keys; {named} is there twice; measured twice, or joined?")


def _check_cells(column: "pd.Series[Any]", description: str, name: str) -> None:
    """Hold one column to its description."""
    kind = _kind(column)
    empty = column.isna()
    if kind == "text":
        if odd := [cell for cell in column[~empty] if not isinstance(cell, str)]:
            raise ValueError(f"a column holds numbers or text, not both; {name} has {odd[0]!r}")
        empty |= column == ""
    if kind == "number" and np.isinf(column.to_numpy(dtype=float)).any():
        raise ValueError(f"a measured number is finite; {name} has an infinite one; leave it empty and say why")
    if empty.any() and _MAY_BE_EMPTY not in description:
        raise ValueError(
            f"{name} is empty in {int(empty.sum())} of {len(column)} rows; "
            f'fill them, or write "{_MAY_BE_EMPTY}" in its description'
        )


def finite(
    key: str, values: Sequence[float], interval: Callable[[Sequence[float]], "Interval"], unit: str, digits: int = 2
) -> dict[str, Value]:
    """Quote an interval over seeds under a key; nothing where a seed lacks a value."""
    return {key: quote(interval(values), unit, digits)} if all(map(math.isfinite, values)) else {}


def quote(interval: "Interval", unit: str, digits: int = 2) -> Value:
    """Make an interval a value to quote."""
    return Value(value=interval.value, low=interval.low, high=interval.high, unit=unit, digits=digits, n=interval.n)
