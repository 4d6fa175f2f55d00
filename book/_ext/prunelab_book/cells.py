"""Cells of result tables as prose and tables quote them: `run/table[column=cell, ...].column; format`.

Knows nothing of Sphinx. The row is named by as many cells as leave one row. A format is made, with commas between, of
`.1` (decimals: 2 without it, none for whole numbers), `interval` or `compact` (the interval in words, or in brackets
alone), `bare` or `unit U` (no unit, or another than the column's), `times X` or `per X` (another scale), `ends P` (the
interval stands in the columns P_low and P_high) and `seeds C` (their number stands in column C; none: is not said).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prunelab_book import results, text

SHAPE = "run/table[column=cell, ...].column; format"
_REFERENCE = re.compile(r"(?:([\w-]+/[\w-]+))?(?:\[([^\]]*)\])?(?:\.(\w+))?(?:\s*;\s*(.+))?")
_FORMS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "value": text.quantity,
    "interval": text.estimate,
    "compact": text.compact,
}
_SEEDS = ("seeds", "n_seeds", "nets")
_NO_UNITS = {"1", "count", "fraction", "ratio"}  # in brackets in descriptions, and not printed


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a number is printed; the parts of a format, see above."""

    said: Callable[[Mapping[str, Any]], str] = text.quantity
    digits: int | None = None
    unit: str | None = None
    times: float = 1.0
    per: float = 1.0
    ends: str | None = None
    seeds: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What names a cell, or, for a row or column of a pivot, a part of that."""

    table: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    column: str = ""
    form: str = ""

    def within(self, whole: "Reference") -> "Reference":
        """This reference, with what it leaves open taken from another."""
        return Reference(
            table=self.table or whole.table,
            where={**whole.where, **self.where},
            column=self.column or whole.column,
            form=self.form or whole.form,
        )


def reference(written: str) -> Reference:
    """Read a reference; ResultError saying its shape when it is none."""
    found = _REFERENCE.fullmatch(written.strip())
    if found is None:
        raise results.ResultError(f"wants {SHAPE}, got {written!r}")
    table, where, column, form = (part or "" for part in found.groups())
    return Reference(table=table, where=conditions(where), column=column, form=form)


def split(option: str) -> list[str]:
    """Entries of an option written with commas."""
    return [entry.strip() for entry in option.split(",") if entry.strip()]


def conditions(option: str) -> dict[str, str]:
    """Column -> text out of an option such as "method=abs, seed=0"."""
    pairs = [entry.partition("=") for entry in split(option)]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise results.ResultError(f"where wants column=text, got {wrong[0]!r}")
    return {name.strip(): cell.strip() for name, _, cell in pairs}


def form(written: str) -> Form:
    """Read a format; ResultError naming its parts when it has another."""
    parts: dict[str, Any] = {}
    for part in split(written):
        word, _, rest = part.partition(" ")
        if re.fullmatch(r"\.\d", part):
            parts["digits"] = int(part[1])
        elif part in _FORMS:
            parts["said"] = _FORMS[part]
        elif part == "bare":
            parts["unit"] = ""
        elif word in ("unit", "ends", "seeds") and rest:
            parts[word] = rest
        elif word in ("times", "per") and re.fullmatch(r"\d+(\.\d+)?", rest):
            parts[word] = float(rest)
        else:
            raise results.ResultError(
                f"a format is made of .1 (decimals), {', '.join(_FORMS)}, bare, unit U, times X, per X, ends P, "
                f"seeds C; got {part!r}"
            )
    return Form(**parts)


def path(source: Path, place: str, table: str) -> Path:
    """The CSV of a table "run/name"; ResultError when there is no such run."""
    run, _, name = table.partition("/")
    return results.run_folder(source, place, run) / "tables" / f"{name}.csv"


def said(file: Path, wanted: Reference) -> str:
    """A cell as it is printed; text as it is."""
    full = results.table(file)
    cells = row(full, wanted.where, wanted.table)
    if wanted.column not in cells:
        raise results.ResultError(
            f"no column {wanted.column!r} in {wanted.table}.csv{results.nearest(wanted.column, cells)}"
        )
    if full.types.get(wanted.column) in ("text", "boolean"):
        if not cells[wanted.column]:
            raise results.AbsentError(f"{wanted.column} of {wanted.table}.csv is empty where {_said(wanted.where)}")
        return cells[wanted.column]
    return form(wanted.form).said(entry(file, wanted))


def entry(file: Path, wanted: Reference) -> Mapping[str, Any]:
    """A cell with what is known of it: {"value", "low", "high", "unit", "digits", "n"}.

    Raises:
        ResultError: there is not one such cell, it is empty or no number, or an interval is asked of a column that has
            none beside it.
    """
    full, how = results.table(file), form(wanted.form)
    cells, column, source = row(full, wanted.where, wanted.table), wanted.column, f"{wanted.table}.csv"
    named = [column, *(_ends(full, column) if how.ends is None else [f"{how.ends}_low", f"{how.ends}_high"])]
    if how.seeds not in (None, "none"):
        named.append(how.seeds)
    for name in named:
        if name not in cells:
            raise results.ResultError(f"no column {name!r} in {source}{results.nearest(name, cells)}")
    if how.said is not text.quantity and len(named) == 1:
        raise results.ResultError(f"no interval beside {column} in {source}; name its columns, as in ends {column}")
    if not cells[column]:
        raise results.AbsentError(f"{column} of {source} is empty where {_said(wanted.where)}")
    value, low, high = (_number(cells[name], name, source, how) for name in [*named, column, column][:3])
    known = len(named) > 2 and low is not None and high is not None
    count = how.seeds or next((name for name in _SEEDS if name in cells), "none")
    digits = 0 if full.types.get(column) == "integer" and how.times == how.per else 2
    return {
        "value": value,
        "low": low if known else None,
        "high": high if known else None,
        "unit": _unit(full.descriptions[column], cells) if how.unit is None else how.unit,
        "digits": digits if how.digits is None else how.digits,
        "n": None if count == "none" else int(float(cells[count])),
    }


def row(table: results.Table, where: Mapping[str, str], source: str) -> Mapping[str, str]:
    """The one row of a table that has the cells asked for.

    Raises:
        ResultError: there is no such column or row, or there are several.
    """
    left, given = [dict(zip(table.columns, cells, strict=True)) for cells in table.rows], {}
    for name, wanted in where.items():
        if name not in table.columns:
            raise results.ResultError(f"no column {name!r} in {source}.csv{results.nearest(name, table.columns)}")
        there, given[name] = {cells[name] for cells in left}, wanted
        left = [cells for cells in left if results.same(cells[name], wanted)]
        if not left:
            raise results.AbsentError(f"no row of {source}.csv has {_said(given)}{results.nearest(wanted, there)}")
    if len(left) > 1:
        names = [name for name in table.key or table.columns if len({cells[name] for cells in left}) > 1]
        apart = "; ".join(f"{name} ({', '.join(dict.fromkeys(cells[name] for cells in left))})" for name in names)
        raise results.ResultError(f"{len(left)} rows of {source}.csv have {_said(given)}; name one by {apart}")
    return left[0]


def _ends(table: results.Table, column: str) -> list[str]:
    """The two columns behind a column that hold its interval: low and high, or named as it begins; none if not so."""
    after = table.columns.index(column) + 1 if column in table.columns else len(table.columns)
    low, high = (*table.columns[after : after + 2], "", "")[:2]
    begin = low.removesuffix("low")
    own = low == f"{begin}low" and high == f"{begin}high" and column.startswith(begin.removesuffix("_"))
    return [low, high] if own else []


def _number(cell: str, column: str, source: str, how: Form) -> float | None:
    """A number on the scale asked for; None where the cell is empty."""
    try:
        return float(cell) * how.times / how.per if cell else None
    except ValueError:
        raise results.ResultError(f"{column} of {source} holds text, {cell!r}, which has no format") from None


def _unit(description: str, cells: Mapping[str, str]) -> str:
    """The unit that a description has in brackets, or that stands beside; empty where it has none to print."""
    units = re.findall(r"\[([^\[\]]+)\]", description)
    if units and units[-1].startswith("unit "):
        return cells.get("unit", "")
    return units[-1] if units and units[-1] not in _NO_UNITS else ""


def _said(where: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={cell}" for name, cell in where.items()) or "no condition"
