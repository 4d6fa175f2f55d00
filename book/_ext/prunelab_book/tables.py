"""Result tables in the pages: docutils tables out of cells, and the directive {run-table}."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx

from prunelab_book import cells, links, pages, results, text
from prunelab_book.cells import Reference, conditions, split
from prunelab_book.details import details

Cell = str | nodes.Node | Sequence[nodes.Node]


def build(
    header: Sequence[Cell], rows: Iterable[Sequence[Cell]], *, classes: Sequence[str] = (), stub: bool = False
) -> nodes.table:
    """A table with one header row; every row has as many cells as the header, the first its header where `stub`."""
    group = nodes.tgroup(cols=len(header))
    group += [
        nodes.colspec(colwidth=1, **({"stub": 1} if stub and not place else {})) for place, _ in enumerate(header)
    ]
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


class RunTable(pages.ResultDirective):
    """{run-table} run/name: a table of a run, with its download and the command that makes it again.

    Options: profile (build or published), where (column=text by commas), columns (names by commas), limit (at most so
    many rows), digits (decimals to round numbers with a fraction to).

    With the option rows it is a pivot, whose cells are printed as {cell} prints them. Its options: rows and columns,
    each either names of columns by commas, for every cell that these have, or a list `label = reference`, in lines or
    with | between, whose references are parts of a cell's ([column=cell], .column, ; format, even another run/table);
    values (the column shown, or several), format, labels (a list `cell or column = how it is called`), head (over the
    first column), empty (what stands where there is no row or an empty cell, otherwise an error), bare (the table
    alone, without its provenance). Labels and head may have markup.
    """

    required_arguments = 1
    option_spec: ClassVar = {
        "profile": directives.unchanged,
        "columns": directives.unchanged,
        "where": directives.unchanged,
        "limit": directives.nonnegative_int,
        "digits": directives.nonnegative_int,
        **dict.fromkeys(["rows", "values", "format", "labels", "head", "empty"], directives.unchanged_required),
        "bare": directives.flag,
    }

    def laid_out(self) -> list[nodes.Node]:
        """The table, the meaning of its columns, and its provenance."""
        if "rows" in self.options:
            return self._pivot()
        place, run, name = target(self.arguments[0], self.options)
        folder = results.run_folder(Path(self.env.srcdir), place, run)
        full = self._read(folder / "tables" / f"{name}.csv")
        shown = results.select(
            full,
            columns=split(self.options.get("columns", "")),
            where=conditions(self.options.get("where", "")),
            limit=self.options.get("limit"),
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

    def _read(self, path: Path) -> results.Table:
        """A table; the page is read again when it changes."""
        pages.note(self.env, path, path.with_suffix(".json"))
        return results.table(path)

    def _pivot(self) -> list[nodes.Node]:
        """Lay the cells out by what names their row and their column."""
        place, run, name = target(self.arguments[0], self.options)
        source = Path(self.env.srcdir)
        whole = Reference(
            table=f"{run}/{name}",
            where=conditions(self.options.get("where", "")),
            form=self.options.get("format", ""),
        )
        table = self._read(cells.path(source, place, whole.table))
        values = [Reference(column=column) for column in split(self.options.get("values", ""))]
        columns = self._axis("columns", table, whole) if "columns" in self.options else [("", Reference())]
        if len(values) == 1:
            columns = [(label, own.within(values[0])) for label, own in columns]
        elif values:
            columns = [
                (", ".join(part for part in (label, self._named(table, value.column)) if part), own.within(value))
                for label, own in columns
                for value in values
            ]
        rows = [
            [self._inline(label), *(self._printed(place, column.within(row).within(whole)) for _, column in columns)]
            for label, row in self._axis("rows", table, whole)
        ]
        header = [self._inline(label) for label in (self.options.get("head", ""), *(label for label, _ in columns))]
        body = build(header, rows, stub=True)
        return [body] if "bare" in self.options else [body, links.provenance(self.env, place, run, name)]

    def _axis(self, option: str, table: results.Table, whole: Reference) -> list[tuple[str, Reference]]:
        """The rows or columns of a pivot: what each is called, and what names its cells."""
        written = self.options[option]
        if " = " in written:
            return [(label, cells.reference(own)) for label, own in _listed(written, option)]
        names = split(written)
        shown = results.select(table, columns=names, where=whole.where, limit=None, source=f"{whole.table}.csv")
        return [
            (", ".join(self._named(table, cell) for cell in row), Reference(where=dict(zip(names, row, strict=True))))
            for row in dict.fromkeys(shown.rows)
        ]

    def _named(self, table: results.Table, name: str) -> str:
        """What a cell or a column is called."""
        labels = dict(_listed(self.options["labels"], "labels")) if "labels" in self.options else {}
        return labels.get(name) or (heading(name, table.descriptions[name]) if name in table.descriptions else name)

    def _printed(self, place: str, wanted: Reference) -> nodes.paragraph:
        """A cell of a pivot; numbers are set to the right."""
        path = cells.path(Path(self.env.srcdir), place, wanted.table)
        self._read(path)
        try:
            printed = cells.said(path, wanted)
        except results.AbsentError:
            if "empty" not in self.options:
                raise
            printed = self.options["empty"]
        number = printed[0].isdigit() or printed[0] == "\N{MINUS SIGN}"
        return nodes.paragraph("", printed, classes=["pl-number"] if number else [])

    def _inline(self, label: str) -> nodes.paragraph:
        """A label with its markup."""
        return nodes.paragraph("", "", *self.parse_inline(label, lineno=self.lineno)[0])


def _listed(option: str, name: str) -> list[tuple[str, str]]:
    """Entries of an option that is a list "label = ...", in lines or with | between."""
    pairs = [entry.partition(" = ") for entry in re.split(r"\||\n", option) if entry.strip()]
    if wrong := [label for label, equals, _ in pairs if not equals]:
        raise results.ResultError(f"{name} wants entries as in one = another, got {wrong[0].strip()!r}")
    return [(label.strip(), own.strip()) for label, _, own in pairs]


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
