"""Tidy tables, one declaration each, to file and back.

A table is a CSV with a JSON sidecar that says its key, the meaning and type of its columns, and its SHA-256.
"""

import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Literal, Self, Union, dataclass_transform, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import files

# Ten digits give every float32 back exactly (nine would do) and hide the last-digit noise of another
# processor's sums; seventeen would print 1.7699999999999982 for an error of 1.77 %.
_FLOAT_FORMAT = "%.10g"
_MAY_BE_EMPTY = "may be empty"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "text"}
_DTYPES = {"boolean": "bool", "integer": "int64", "number": "float64", "text": "str"}


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Table:
    """A table, declared by a subclass: its fields are the columns, its instances the rows.

    A field is written `name: Annotated[type, "what it is [unit]"]`, where the type is bool, int, float, str or a
    Literal, with `| None` where a cell may be empty; "may be empty" in the text allows empty cells. Columns stand in
    the order of the fields: those of the base named last first, a class's own last. A class without a key is a part
    of others. Its keywords are

    - key: the columns that name a row, separated by spaces; a base's when left out;
    - name: of the file without suffix; the class's name in lower-case words joined by hyphens when left out;
    - varies: the table holds measured times and the like, which another run will not repeat; its sidecar says so.
    """

    key: ClassVar[tuple[str, ...]] = ()
    table_name: ClassVar[str]
    varies: ClassVar[bool] = False
    _types: ClassVar[Mapping[str, Any]]  # column -> (kind, description)

    def __init_subclass__(cls, *, key: str = "", name: str = "", varies: bool | None = None) -> None:
        super().__init_subclass__()
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        hints = get_type_hints(cls, include_extras=True)
        cls._types = {field.name: _declared(cls, field.name, hints[field.name]) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        cls.key = tuple(key.split()) or cls.key
        cls.table_name = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__.lstrip("_")).lower()
        cls.varies = cls.varies if varies is None else varies
        if unknown := [column for column in cls.key if column not in cls._types]:
            raise ValueError(f"the key of {cls.__name__} is made of its columns {list(cls._types)}; got {unknown}")

    @classmethod
    def columns(cls) -> dict[str, str]:
        """Give each column's description, in the table's order."""
        return {column: description for column, (_, description) in cls._types.items()}

    @classmethod
    def frame(cls, rows: "Sequence[Self | Mapping[str, Any]] | DataFrame", *, may_be_empty: bool = False) -> DataFrame:
        """Lay rows out as this table, in the order given.

        Args:
            rows: instances of the class; or mappings from column to cell, where what one lacks stays empty; or a frame
                that has all the columns, and others, which are left out. None is an empty cell.
            may_be_empty: no row at all is a table as well.

        Raises:
            ValueError: there are no rows, two rows have one key, a mapping has a column that the class has not, a
                frame lacks one, or a column holds another type than declared.
            TypeError: a row is neither an instance of this class nor a mapping.
        """
        own = list(cls._types)
        if isinstance(rows, DataFrame):
            if missing := [column for column in own if column not in rows]:
                raise ValueError(f"{cls.table_name} has the columns its class declares; the frame lacks {missing}")
            frame = rows[own].copy()
        else:
            if not len(rows) and not may_be_empty:
                raise ValueError(
                    f"a table has at least one row; {cls.table_name} got none: did the loops over settings and seeds "
                    "run, and is it the right run?"
                )
            cells = [cls._cells(row) for row in rows]
            frame = DataFrame({column: _without_none([row.get(column) for row in cells]) for column in own})
        for column, (kind, _) in cls._types.items():
            frame[column] = _typed(frame[column], kind, f"{cls.table_name}.{column}")
        _check_key(frame, cls.key, cls.table_name)
        return frame

    @classmethod
    def save(
        cls, rows: "Sequence[Self | Mapping[str, Any]] | DataFrame", name: str = "", *, folder: Path = Path("tables")
    ) -> DataFrame:
        """Write the table as `<name>.csv`, and beside it a JSON that describes it; give it back.

        Floats are written with ten significant digits: a float32 comes back bit for bit, a float64 to 5e-11 of itself,
        and a table loaded and saved again is the same bytes.

        Args:
            rows: as `frame` takes them; a frame has these columns alone, in this order.
            name: file name without suffix, lower-case words joined by hyphens; the class's when left out.
            folder: where both files go.

        Raises:
            ValueError: as `frame`; or a cell is infinite, or empty where it may not be.
        """
        name = name or cls.table_name
        if isinstance(rows, DataFrame):
            _check_columns(rows, cls.columns(), name)
        frame = cls.frame(rows)
        _write(frame, name, key=cls.key, columns=cls.columns(), folder=folder, varies=cls.varies)
        return frame

    @classmethod
    def load(cls, folder: str | Path, name: str = "", *, run: str = "") -> DataFrame:
        """Read the table that a run left; see `of_run`."""
        return of_run(folder, name or cls.table_name, run=run)

    @classmethod
    def _cells(cls, row: Any) -> Mapping[str, Any]:
        """Give a row as column -> cell."""
        if type(row) is cls:
            return {column: getattr(row, column) for column in cls._types}
        if not isinstance(row, Mapping):
            raise TypeError(
                f"the rows of {cls.table_name} are instances of {cls.__name__} or mappings; got {type(row)}"
            )
        if odd := sorted(set(row) - set(cls._types)):
            raise ValueError(f"the rows of {cls.table_name} have the columns it declares; got also {odd}: declare them")
        return row


def load(path: Path) -> DataFrame:
    """Read a table, with the same columns, types and order of rows as it was saved.

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


def of_run(folder: str | Path, name: str, *, run: str = "", parameter: str = "") -> DataFrame:
    """Read a table that another run left.

    Args:
        folder: the run's folder.
        name: the table's name.
        run: a run that leaves it, for the hint in the error; named as the table when left out.
        parameter: the notebook's parameter that names the folder, for the same; named as the table when left out.

    Raises:
        FileNotFoundError: no folder is given, or the run lacks the table.
    """
    if not folder:
        parameter = parameter or name.replace("-", "_")
        raise FileNotFoundError(
            f"table {name!r} comes from another run, and {parameter} names no folder; name one, as in "
            f"-p {parameter}=./results/quick/{run or name}, or use --profile quick"
        )
    return load(Path(folder) / "tables" / f"{name}.csv")


def of_runs(folders: Sequence[str], name: str, *, run: str = "", parameter: str = "") -> DataFrame:
    """Read a table that several runs share, each with other seeds or nets, one below the other; see `of_run`.

    Raises:
        ValueError: a run's table has no rows.
    """
    parts = [of_run(folder, name, run=run, parameter=parameter) for folder in folders or [""]]
    for folder, part in zip(folders, parts, strict=True):
        if part.empty:
            raise ValueError(f"a run leaves rows in its tables; {name} of {folder} has none: run it again")
    return pd.concat(parts, ignore_index=True)


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


def keep(frame: DataFrame, name: str, *, of: str | Path) -> DataFrame:
    """Save rows of another run's table with this run, described as there, and give them back.

    Args:
        frame: the rows, with all columns of the table.
        name: what it is called here.
        of: the other run's CSV.
    """
    about = json.loads(Path(of).with_suffix(".json").read_text(encoding="utf-8"))
    _check_columns(frame, about["columns"], name)
    _check_key(frame, about["key"], name)
    _write(frame, name, about["key"], about["columns"], Path("tables"), about.get("varies", False))
    return frame


def _declared(table: type, column: str, hint: Any) -> tuple[str, str]:
    """Read a field's annotation: its kind and its description."""
    held, *said = get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
    parts = [
        part
        for part in (get_args(held) if get_origin(held) in (Union, UnionType) else [held])
        if part is not type(None)
    ]
    types = {type(cell) for part in parts for cell in get_args(part)} if get_origin(parts[0]) is Literal else set(parts)
    kinds = [_KINDS[kind] for kind in types if kind in _KINDS]
    if len(said) != 1 or not isinstance(said[0], str) or len(kinds) != 1 or len(types) != 1:
        raise TypeError(
            f"a column is declared as {column}: Annotated[bool, int, float, str or a Literal, "
            f'"what it is [unit]"]; {table.__name__} has {hint!r}'
        )
    if hasattr(Table, column):
        raise TypeError(f"a column is not named as what every Table has; {table.__name__} has {column!r}: rename it")
    return kinds[0], said[0]


def _without_none(cells: list[Any]) -> list[Any]:
    """Replace None by NaN among numbers, so that a column of optional numbers stays a column of numbers."""
    others = [cell for cell in cells if cell is not None]
    if len(others) < len(cells) and all(isinstance(cell, (int, float)) for cell in others):
        return [math.nan if cell is None else float(cell) for cell in cells]
    return cells


def _typed(column: "pd.Series[Any]", kind: str, name: str) -> "pd.Series[Any]":
    """Hold a column to its declared type; of whole numbers and empty cells under `float` make floats."""
    found, filled = _kind(column), column.dropna()
    if (
        kind == "number"
        and found in ("integer", "text")
        and all(isinstance(cell, Real) and not isinstance(cell, bool) for cell in filled)
    ):
        return column.astype(float)
    gaps = kind == "integer" and found == "number" and len(filled) < len(column)  # whole numbers with empty cells
    if found != kind and not gaps and len(filled):
        raise ValueError(
            f"a column holds what its class declares; {name} is declared as {kind} and holds {found}, as "
            f"{filled.iloc[0]!r}: mend one of the two"
        )
    return column


def _kind(column: "pd.Series[Any]") -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(column.dtype):
        return "integer"
    return "number" if pd.api.types.is_float_dtype(column.dtype) else "text"


def _write(
    frame: DataFrame, name: str, key: Sequence[str], columns: Mapping[str, str], folder: Path, varies: bool
) -> None:
    """Write both files of a table whose key is checked."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f'a table is named in lower-case words joined by hyphens, as "threshold-sweep"; got {name!r}')
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
    files.write_json(path.with_suffix(".json"), sidecar | ({"varies": True} if varies else {}))


def _check_columns(frame: DataFrame, columns: Mapping[str, str], name: str) -> None:
    """Hold the frame to its columns and their order."""
    if list(columns) != list(frame.columns):
        odd = sorted({str(column) for column in frame.columns} ^ set(columns)) or "the order"
        raise ValueError(f"every column of {name} is described once, in the table's order; not so: {odd}")


def _check_key(frame: DataFrame, key: Sequence[str], name: str) -> None:
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
