"""Roles for results in the prose, which are never typed: cells of a run's tables, verdicts and their effects."""

from abc import ABC, abstractmethod
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from prunelab_book import cells, pages, results, text, translations, verdicts
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
        """The target's parts, as many as the shape has; a cell's reference, which comes last, may have colons."""
        count = self.shape.count(":")
        parts = self.text.split(":", count if self.shape.endswith(cells.SHAPE) else -1)
        if len(parts) != count + 1:
            raise results.ResultError(f"wants {self.shape}, got {self.text!r}")
        return parts

    def cell(self, place: str, written: str) -> tuple[Path, cells.Reference]:
        """The file of a cell and what names it there; the page is read again when the table changes."""
        wanted = cells.reference(written)
        if not wanted.table or not wanted.column:
            raise results.ResultError(f"wants {cells.SHAPE}, got {written!r}")
        path = cells.path(Path(self.env.srcdir), place, wanted.table)
        pages.note(self.env, path, path.with_suffix(".json"))
        return path, wanted

    @abstractmethod
    def node(self, *parts: str) -> nodes.Node:
        """The result as a node."""

    def decided(self, place: str, study: str, claim: str) -> verdicts.Decided:
        """What is decided on a claim; the page is read again when it changes."""
        source = Path(self.env.srcdir)
        pages.note(self.env, *verdicts.files(source))
        return verdicts.find(source, place, study, claim)


class CellRole(ResultRole):
    """{cell}`place:run/table[column=cell, ...].column; format`: a cell of a table; `prunelab_book.cells` says how.

    For example {cell}`published:lenet-report/budget[model=lenet-300-100-relu, target=2660].accuracy_percent; interval`.
    """

    shape = f"place:{cells.SHAPE}"

    def node(self, place: str, written: str) -> nodes.Node:
        """The cell as text."""
        return nodes.inline(self.rawtext, cells.said(*self.cell(place, written)), classes=["pl-value"])


class TranslatedRole(ResultRole):
    """{translated}`language:place:run/table[...].column; format`: a cell with all known of it in another language."""

    shape = f"language:place:{cells.SHAPE}"

    def node(self, language: str, place: str, written: str) -> nodes.Node:
        """The estimate as text."""
        source = Path(self.env.srcdir)
        pages.note(self.env, translations.path(source, language))
        entry = cells.entry(*self.cell(place, written))
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
    app.add_role("cell", CellRole())
    app.add_role("translated", TranslatedRole())
    app.add_role("verdict", VerdictRole())
    app.add_role("effect", EffectRole())
