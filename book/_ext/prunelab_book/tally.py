"""Directive {tally}: how the claims of each study fell, in the published run and in this build."""

from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from prunelab_book import results, tables, verdicts
from prunelab_book.findings import HEADERS, WORDS, badge
from prunelab_book.listings import note_listing


class Tally(SphinxDirective):
    """{tally}: a row for each study, named by its chapter, and one for all."""

    def run(self) -> list[nodes.Node]:
        """The table."""
        note_listing(self.env)
        try:
            return [self._table()]
        except (results.ResultError, ValueError) as error:
            raise self.error(f"tally: {error}") from error

    def _table(self) -> nodes.table:
        """Read the claims and both sets of verdicts."""
        source = Path(self.env.srcdir)
        for file in verdicts.files(source):
            self.env.note_dependency(str(file))
        studies = verdicts.by_study(source)
        every = [finding for found in studies.values() for finding in found]
        rows = [self._row(self._chapter(study), found) for study, found in studies.items()]
        rows.append(self._row(nodes.strong("", "All"), every))
        return tables.build(["Study", "Claims", *HEADERS.values()], rows, classes=["pl-tally"])

    def _row(self, name: nodes.Node, found: list[verdicts.Finding]) -> list[tables.Cell]:
        """A study's name, the number of its claims, and how they fell."""
        total = nodes.paragraph("", str(len(found)), classes=["pl-number"])
        return [nodes.paragraph("", "", name), total, *(_fell(verdicts.counts(found, place)) for place in HEADERS)]

    def _chapter(self, study: str) -> addnodes.pending_xref:
        """A link to a study's chapter, which names it by its title."""
        return addnodes.pending_xref(
            "",
            nodes.inline("", study),
            refdomain="std",
            reftype="doc",
            reftarget=f"/book/{study}",
            refdoc=self.env.docname,
            refexplicit=False,
            refwarn=True,
        )


def _fell(counts: Counter[str]) -> nodes.paragraph:
    """How many claims have which verdict, the most favourable first."""
    line = nodes.paragraph("", "", classes=["pl-counts"])
    for verdict in WORDS:
        if counts[verdict]:
            line += [nodes.inline("", "", nodes.Text(f"{counts[verdict]} × "), badge(verdict)), nodes.Text(" ")]
    return line


def setup(app: Sphinx) -> None:
    """Register {tally}."""
    app.add_directive("tally", Tally)
