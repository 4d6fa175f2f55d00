"""Directive {tally}: how the claims of each study fell, in the published run and in this build."""

from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from prunelab_book import links, pages, tables, verdicts
from prunelab_book.findings import HEADERS, WORDS, badge


class Tally(pages.ResultDirective):
    """{tally}: a row for each study, named by its chapter, and one for all."""

    def laid_out(self) -> list[nodes.Node]:
        """The table, out of the claims and both sets of verdicts."""
        pages.note_listing(self.env)
        source = Path(self.env.srcdir)
        pages.note(self.env, *verdicts.files(source))
        studies = verdicts.by_study(source)
        every = [finding for found in studies.values() for finding in found]
        chapters = {study: links.page(f"book/{study}", study, self.env, explicit=False) for study in studies}
        rows = [_row(chapters[study], found) for study, found in studies.items()]
        rows.append(_row(nodes.strong("", "All"), every))
        return [tables.build(["Study", "Claims", *HEADERS.values()], rows, classes=["pl-tally"])]


def _row(name: nodes.Node, found: list[verdicts.Finding]) -> list[tables.Cell]:
    """A study's name, the number of its claims, and how they fell."""
    total = nodes.paragraph("", str(len(found)), classes=["pl-number"])
    return [nodes.paragraph("", "", name), total, *(_fell(verdicts.counts(found, place)) for place in HEADERS)]


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
