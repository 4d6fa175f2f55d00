"""Result tables in the pages: docutils tables out of cells, and the directive {run-table}."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from prunelab_book import links, results, text
from prunelab_book.details import details

Cell = str | nodes.Node | Sequence[nodes.Node]


def build(header: Sequence[str], rows: Iterable[Sequence[Cell]], *, classes: Sequence[str] = ()) -> nodes.table:
    """A table with one header row; every row has as many cells as the header."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=["pl-table", *classes])


def is_number(cell: str) -> bool:
    """Whether a cell is a number, which is set to the right."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


class RunTable(SphinxDirective):
    """{run-table} run/name: a table of a run, with its download and the command that makes it again.

    Options: profile (build or published), columns (names by commas), where (column=text by commas),
    rows (at most so many), digits (decimals to round numbers with a fraction to).
    """

    required_arguments = 1
    option_spec: ClassVar = {
        "profile": directives.unchanged,
        "columns": directives.unchanged,
        "where": directives.unchanged,
        "rows": directives.nonnegative_int,
        "digits": directives.nonnegative_int,
    }

    def run(self) -> list[nodes.Node]:
        """The table, the meaning of its columns, and its provenance."""
        try:
            return self._nodes()
        except results.ResultError as error:
            raise self.error(f"run-table: {error}") from error

    def _nodes(self) -> list[nodes.Node]:
        """Read, select and lay out."""
        place, run, name = target(self.arguments[0], self.options)
        folder = results.run_folder(Path(self.env.srcdir), place, run)
        path = folder / "tables" / f"{name}.csv"
        for file in (path, path.with_suffix(".json")):
            self.env.note_dependency(str(file))
        full = results.table(path)
        shown = results.select(
            full,
            columns=split(self.options.get("columns", "")),
            where=conditions(self.options.get("where", "")),
            limit=self.options.get("rows"),
            source=f"{run}/{name}.csv",
        )
        digits = self.options.get("digits")
        rows = [[_cell(cell, digits) for cell in row] for row in shown.rows]
        body = build([heading(column, shown.descriptions[column]) for column in shown.columns], rows)
        left_out = len(full.rows) - len(shown.rows)
        parts: list[nodes.Node] = [body]
        if left_out:
            parts.append(nodes.paragraph("", f"{len(shown.rows)} of {len(full.rows)} rows shown.", classes=["pl-note"]))
        meanings = nodes.definition_list(
            "",
            *(
                nodes.definition_list_item(
                    "",
                    nodes.term("", "", nodes.literal("", column)),
                    nodes.definition("", nodes.paragraph("", shown.descriptions[column])),
                )
                for column in shown.columns
            ),
        )
        return [*parts, details("What the columns mean", meanings), links.provenance(self.env, place, run, name)]


def heading(column: str, description: str) -> str:
    """A column's name as a table heads it, with the unit that ends its description: "knee (%)"."""
    unit = re.search(r"\[([^\[\]]+)\]$", description)
    if unit is None:
        return column.replace("_", " ")
    named = column.removesuffix("_percent" if unit[1] == "%" else "")
    return f"{named.replace('_', ' ')} ({unit[1]})"


def target(argument: str, options: dict[str, str]) -> tuple[str, str, str]:
    """(place, run, name) of a directive's "run/name" argument and its profile option."""
    run, slash, name = argument.partition("/")
    if not slash or not name:
        raise results.ResultError(f"wants run/name, got {argument!r}")
    return options.get("profile", "build"), run, name


def split(option: str) -> list[str]:
    """Entries of an option written with commas."""
    return [entry.strip() for entry in option.split(",") if entry.strip()]


def conditions(option: str) -> dict[str, str]:
    """Column -> text out of an option such as "method=abs, seed=0"."""
    pairs = [entry.partition("=") for entry in split(option)]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise results.ResultError(f"where wants column=text, got {wrong[0]!r}")
    return {name: cell for name, _, cell in pairs}


def _cell(cell: str, digits: int | None) -> nodes.Node:
    """A cell's paragraph; numbers are set to the right, and rounded when they have a fraction."""
    if not is_number(cell):
        return nodes.paragraph("", cell)
    rounded = text.number(float(cell), digits) if digits is not None and "." in cell else cell.replace("-", "\u2212")
    return nodes.paragraph("", rounded, classes=["pl-number"])


def _row(cells: Sequence[Cell]) -> nodes.row:
    """A table row; text becomes a paragraph."""
    return nodes.row("", *map(_entry, cells))


def _entry(cell: Cell) -> nodes.entry:
    """One cell of a row."""
    if isinstance(cell, str):
        return nodes.entry("", nodes.paragraph("", cell))
    return nodes.entry("", *([cell] if isinstance(cell, nodes.Node) else cell))


def setup(app: Sphinx) -> None:
    """Register {run-table}."""
    app.add_directive("run-table", RunTable)
