"""Roles for results in the prose, which are never typed: numbers of a run's values.json, verdicts and their effects."""

from abc import ABC, abstractmethod
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from prunelab_book import cells, results, text, translations, verdicts
from prunelab_book.findings import badge


class ResultRole(SphinxRole, ABC):
    """What is common to the roles: the target's parts, and an error that names what is missing."""

    shape: str

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The result as text, or an error naming the file and the nearest key."""
        try:
            return [self.node(*self.parts())], []
        except (results.ResultError, ValueError) as error:
            message = self.inliner.reporter.error(f"{self.name}: {error}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]

    def parts(self) -> list[str]:
        """The target's parts, as many as the shape has."""
        parts = self.text.split(":")
        if len(parts) != self.shape.count(":") + 1:
            raise results.ResultError(f"wants {self.shape}, got {self.text!r}")
        return parts

    def cell(self, place: str, written: str) -> tuple[Path, cells.Reference]:
        """The file of a cell and what names it there; the page is read again when the table changes."""
        wanted = cells.reference(written)
        if not wanted.table or not wanted.column:
            raise results.ResultError(f"wants {cells.SHAPE}, got {written!r}")
        path = cells.path(Path(self.env.srcdir), place, wanted.table)
        for file in (path, path.with_suffix(".json")):
            self.env.note_dependency(str(file))
        return path, wanted

    @abstractmethod
    def node(self, *parts: str) -> nodes.Node:
        """The result as a node."""

    def decided(self, place: str, study: str, claim: str) -> verdicts.Decided:
        """What is decided on a claim; the page is read again when it changes."""
        source = Path(self.env.srcdir)
        for file in verdicts.files(source):
            self.env.note_dependency(str(file))
        return verdicts.find(source, place, study, claim)


class ValueRole(ResultRole):
    """{value}`place:run:key`, for example {value}`published:threshold-sweep:abs-knee-relu`."""

    shape = "place:run:key"
    form = staticmethod(text.quantity)

    def node(self, place: str, run: str, key: str) -> nodes.Node:
        """The number as text."""
        path = results.run_folder(Path(self.env.srcdir), place, run) / "values.json"
        self.env.note_dependency(str(path))
        return nodes.inline(self.rawtext, self.form(results.value(path, key)), classes=["pl-value"])


class EstimateRole(ValueRole):
    """{estimate}`place:run:key`: the same number with its interval and number of seeds."""

    form = staticmethod(text.estimate)


class CompactRole(ValueRole):
    """{compact}`place:run:key`: the same with its interval alone, for a table whose header says so."""

    form = staticmethod(text.compact)


class CellRole(ResultRole):
    """{cell}`place:run/table[column=cell, ...].column; format`: a cell of a table; `prunelab_book.cells` says how.

    For example {cell}`published:lenet-report/budget[model=lenet-300-100-relu, target=2660].accuracy_percent; interval`.
    """

    shape = f"place:{cells.SHAPE}"

    def parts(self) -> list[str]:
        """Place and reference; the latter may have colons."""
        parts = self.text.split(":", 1)
        return parts if len(parts) > 1 else super().parts()

    def node(self, place: str, written: str) -> nodes.Node:
        """The cell as text."""
        return nodes.inline(self.rawtext, cells.said(*self.cell(place, written)), classes=["pl-value"])


class TranslatedRole(ResultRole):
    """{translated}`language:place:run/table[...].column; format`: a cell with all known of it in another language.

    Or a number of a run's values.json, as {translated}`language:place:run:key`.
    """

    shape = "language:place:run:key"

    def parts(self) -> list[str]:
        """Language and place, and the run and key of a value or the reference to a cell."""
        parts = self.text.split(":", 2)
        return parts if len(parts) > 2 and "/" in parts[2] else super().parts()

    def node(self, language: str, place: str, run: str, key: str = "") -> nodes.Node:
        """The estimate as text."""
        source = Path(self.env.srcdir)
        self.env.note_dependency(str(translations.path(source, language)))
        if key:
            path = results.run_folder(source, place, run) / "values.json"
            self.env.note_dependency(str(path))
            entry = results.value(path, key)
        else:
            entry = cells.entry(*self.cell(place, run))
        return nodes.inline(self.rawtext, translations.load(source, language).estimate(entry), classes=["pl-value"])


class VerdictRole(ResultRole):
    """{verdict}`place:study:claim`: the badge of a claim's verdict."""

    shape = "place:study:claim"

    def node(self, place: str, study: str, claim: str) -> nodes.Node:
        """The badge."""
        return badge(self.decided(place, study, claim).verdict)


class EffectRole(ResultRole):
    """{effect}`place:study:claim:case`: what the rule measured in one case, with interval and number of seeds."""

    shape = "place:study:claim:case"

    def node(self, place: str, study: str, claim: str, subject: str) -> nodes.Node:
        """The effect as text; a case without one is an error."""
        entry = verdicts.case(self.decided(place, study, claim), subject)
        if entry.effect is None:
            raise results.ResultError(f"claim {claim!r} of {study} has no effect for {subject!r}: {entry.reason}")
        return nodes.inline(self.rawtext, text.effect(entry), classes=["pl-value"])


def setup(app: Sphinx) -> None:
    """Register the roles."""
    app.add_role("value", ValueRole())
    app.add_role("estimate", EstimateRole())
    app.add_role("compact", CompactRole())
    app.add_role("cell", CellRole())
    app.add_role("translated", TranslatedRole())
    app.add_role("verdict", VerdictRole())
    app.add_role("effect", EffectRole())
