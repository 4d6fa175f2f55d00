"""Where the book finds result files, and what they say; knows nothing of Sphinx.

Two places hold results: ``book/executed/<run>`` the runs of the profile being built ("build"),
``published/results/full/<run>`` the frozen tables and verdicts of the full profile ("published").
"""

import csv
import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from prunelab.report import book

PLACES = {"build": "book/executed", "published": "published/results/full"}


class ResultError(Exception):
    """A result that the page asks for is not there; the message says which file and what is nearest."""


class AbsentError(ResultError):
    """A row or cell that a table of the page may lack."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A result table as text cells, with what its sidecar says of each column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    descriptions: Mapping[str, str]
    key: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)


def nearest(name: str, names: Iterable[str]) -> str:
    """End of an error message: the name that was probably meant, or all there are."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; nearest is {close[0]!r}"
    return f"; there are {', '.join(map(repr, known))}" if known else "; there are none"


def run_folder(source: Path, place: str, run: str) -> Path:
    """Folder of a run's results.

    Args:
        source: the book's source folder (the project's root).
        place: "build" or "published".
        run: the run's name in its profile.

    Raises:
        ResultError: no such place, or no such run in it.
    """
    if place not in PLACES:
        raise ResultError(f"results are of 'build' or 'published', not {place!r}")
    parent = source / PLACES[place]
    folder = parent / run
    if not folder.is_dir():
        raise ResultError(f"no run {run!r} in {PLACES[place]}{nearest(run, run_names(source, place))}")
    return folder


def executed(source: Path) -> bool:
    """Whether this build executed experiments; one of profile "published" shows the published results alone."""
    about = source / PLACES["build"] / "build.json"
    return not about.is_file() or bool(read_json(about)["profile"] != book.FROZEN)


def run_names(source: Path, place: str) -> list[str]:
    """Names of the runs that have results in a place, sorted."""
    return sorted(path.parent.name for path in (source / PLACES[place]).glob("*/provenance.json"))


def published_twin(source: Path, folder: Path, table: str) -> Path | None:
    """Folder of the published run whose table a run of the build holds a copy of; None where it has its own."""
    own = folder / "tables" / f"{table}.csv"
    for run in run_names(source, "published"):
        other = source / PLACES["published"] / run / "tables" / own.name
        if own.is_file() and other.is_file() and own.read_bytes() == other.read_bytes():
            return other.parents[1]
    return None


def read_json(path: Path) -> Any:
    """Content of a JSON file; ResultError naming the file when it is absent or no JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ResultError(f"no file {_short(path)}{nearest(path.name, _siblings(path))}") from None
    except json.JSONDecodeError as error:
        raise ResultError(f"{_short(path)} is not JSON: {error}") from None


def table(path: Path) -> Table:
    """A CSV table with what its sidecar says of it; cells stay the text they are in the file."""
    described = path.with_suffix(".json")
    read_json(described)  # first, since a table without its sidecar is none
    if not path.is_file():
        raise ResultError(f"no file {_short(path)}{nearest(path.name, _siblings(path))}")
    return _table(path, *(file.stat().st_mtime_ns for file in (path, described)))


@lru_cache(maxsize=256)
def _table(path: Path, *changed: int) -> Table:
    """Read a table once for all cells that are quoted of it, and again when it has changed."""
    sidecar = read_json(path.with_suffix(".json"))
    with path.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    return Table(
        columns=tuple(header),
        rows=tuple(map(tuple, rows)),
        descriptions=sidecar["columns"],
        key=tuple(sidecar.get("key", ())),
        types=sidecar.get("types", {}),
    )


def select(full: Table, *, columns: list[str], where: Mapping[str, str], limit: int | None, source: str) -> Table:
    """The asked columns and rows of a table.

    Args:
        full: the table.
        columns: names in the order to show; empty for all.
        where: column -> the text its cell must have.
        limit: at most this many rows, None for all.
        source: the table's name for error messages.

    Raises:
        ResultError: a column that the table has not, or no row left.
    """
    for name in [*columns, *where]:
        if name not in full.columns:
            raise ResultError(f"no column {name!r} in {source}{nearest(name, full.columns)}")
    rows = [row for row in full.rows if all(same(row[full.columns.index(name)], text) for name, text in where.items())]
    if where and not rows:
        wanted = ", ".join(f"{name}={text}" for name, text in where.items())
        raise ResultError(f"no row of {source} has {wanted}")
    shown = columns or list(full.columns)
    picks = [full.columns.index(name) for name in shown]
    cells = tuple(tuple(row[pick] for pick in picks) for row in rows[:limit])
    return replace(full, columns=tuple(shown), rows=cells)


def same(cell: str, wanted: str) -> bool:
    """Whether a cell is the one named: the same text, or the same number."""
    try:
        return cell == wanted or float(cell) == float(wanted)
    except ValueError:
        return False


def _short(path: Path) -> str:
    """The last three parts of a path: run, folder and file, the same on every machine."""
    return "/".join(path.parts[-3:])


def _siblings(path: Path) -> list[str]:
    """Names of the files beside a path, for the hint."""
    return [other.name for other in path.parent.glob(f"*{path.suffix}")]
