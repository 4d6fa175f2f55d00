"""Directive {findings}: every claim, its verdict in the published run and in this build, and the cases behind it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from prunelab import claims
from prunelab_book import links, results, tables, text
from prunelab_book.details import details
from prunelab_book.listings import note_listing

WORDS = {
    "reproduced": "reproduced",
    "partly": "partly reproduced",
    "not-reproduced": "not reproduced",
    "inconclusive": "inconclusive",
    claims.NOT_YET: claims.NOT_YET,
}


def badge(verdict: str) -> nodes.inline:
    """A verdict as a word on a colour; the word alone says it."""
    return nodes.inline("", WORDS[verdict], classes=["pl-badge", f"pl-{nodes.make_id(verdict)}"])


class Findings(SphinxDirective):
    """{findings}: a table of claims for each study, or for one (option study)."""

    option_spec: ClassVar = {"study": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """The tables, each beneath a link to its chapter unless only one study is asked for."""
        note_listing(self.env)
        try:
            return self._nodes()
        except (results.ResultError, ValueError) as error:
            raise self.error(f"findings: {error}") from error

    def _nodes(self) -> list[nodes.Node]:
        """Read the claims and both sets of verdicts."""
        source = Path(self.env.srcdir)
        path = source / "published" / "claims.yml"
        self.env.note_dependency(str(path))
        for file in (file for place in results.PLACES.values() for file in (source / place).glob("*/claims.json")):
            self.env.note_dependency(str(file))
        stated = claims.load(path)
        frame = claims.findings(*(source / results.PLACES[place] for place in ("published", "build")), stated)
        studies = list(dict.fromkeys(frame["study"]))
        study = self.options.get("study")
        if study is None:
            return [part for name in studies for part in (self._chapter(name), self._table(stated, frame, name))]
        if study not in studies:
            raise results.ResultError(f"no study {study!r} in claims.yml{results.nearest(study, studies)}")
        return [self._table(stated, frame, study)]

    def _chapter(self, study: str) -> nodes.paragraph:
        """A line that names a study by its chapter's title."""
        link = addnodes.pending_xref(
            "",
            nodes.inline("", study),
            refdomain="std",
            reftype="doc",
            reftarget=f"/book/{study}",
            refdoc=self.env.docname,
            refexplicit=False,
            refwarn=True,
        )
        return nodes.paragraph("", "", link, classes=["pl-study"])

    def _table(self, stated: Sequence[claims.Claim], frame: Any, study: str) -> nodes.table:
        """The claims of one study."""
        rows = [
            [self._claim(claim), self._verdict(row, "published"), self._verdict(row, "build")]
            for claim, row in zip(stated, frame.to_dict("records"), strict=True)
            if claim.study == study
        ]
        return tables.build(["Claim of the source", "Published run", "This build"], rows, classes=["pl-findings"])

    def _claim(self, claim: claims.Claim) -> list[nodes.Node]:
        """The statement, what the source reports, and the rule."""
        facts = nodes.definition_list()
        if claim.published:
            facts += _item("The source reports", text.plain(claim.published))
        facts += _item("Decided by", claim.rule)
        return [nodes.paragraph("", claim.statement), details(claim.id, facts)]

    def _verdict(self, row: dict[str, Any], place: str) -> list[nodes.Node]:
        """The badge, why for the case least in favour, and every case folded away."""
        verdict = row[f"verdict_{place}"]
        head = nodes.paragraph("", "", badge(verdict))
        if verdict == claims.NOT_YET:
            return [head]
        why = nodes.paragraph("", f"{row[f'case_{place}']}: {row[f'reason_{place}']}.", classes=["pl-effect"])
        cases = [self._case(case, place) for case in self._cases(row["study"], row["id"], place)]
        folded = details(f"{len(cases)} case{'' if len(cases) == 1 else 's'}", nodes.bullet_list("", *cases))
        return [head, why, folded]

    def _case(self, case: claims.Case, place: str) -> nodes.list_item:
        """One subject: its verdict, why, and the table it was decided from."""
        table = Path(self.env.srcdir) / results.PLACES[place] / case.table
        if not table.is_file():
            raise results.ResultError(f"a verdict of the {place} results rests on {case.table}, which is not there")
        line = [nodes.Text(f" {case.case}: {case.reason}. "), links.download(table, table.name, self.env)]
        return nodes.list_item("", nodes.paragraph("", "", badge(case.verdict), *line))

    def _cases(self, study: str, name: str, place: str) -> Iterator[claims.Case]:
        """Every case of a claim, over the runs that decide it."""
        for path in sorted((Path(self.env.srcdir) / results.PLACES[place]).glob("*/claims.json")):
            for entry in claims.read(path):
                if (entry.study, entry.id) == (study, name):
                    yield from entry.cases


def _item(term: str, meaning: str) -> nodes.definition_list_item:
    """One entry of a definition list."""
    return nodes.definition_list_item("", nodes.term("", term), nodes.definition("", nodes.paragraph("", meaning)))


def setup(app: Sphinx) -> None:
    """Register {findings}."""
    app.add_directive("findings", Findings)
