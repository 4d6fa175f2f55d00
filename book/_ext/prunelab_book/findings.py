"""Directive {findings}: every claim, its verdict in the published run and in this build, and the cases behind it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from prunelab import claims
from prunelab_book import links, results, tables, text, verdicts
from prunelab_book.details import details
from prunelab_book.listings import note_listing

WORDS = {
    "reproduced": "reproduced",
    "partly": "partly reproduced",
    "not-reproduced": "not reproduced",
    "inconclusive": "inconclusive",
    claims.NOT_YET: claims.NOT_YET,
}
HEADERS = {"published": "Published run", "build": "This build"}


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
        for file in verdicts.files(source):
            self.env.note_dependency(str(file))
        study = self.options.get("study")
        found = verdicts.findings(source, study)
        if study is not None:
            return self._study(found)
        parts: list[nodes.Node] = []
        for name in dict.fromkeys(finding.claim.study for finding in found):
            own = [finding for finding in found if finding.claim.study == name]
            decided = any(any(finding.decided.values()) for finding in own)
            listed = self._study(own)
            folded = details(f"{_claims(len(own))}, {claims.NOT_YET}", *listed)
            parts += [self._chapter(name), *(listed if decided else [folded])]
        return parts

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

    def _study(self, found: Sequence[verdicts.Finding]) -> list[nodes.Node]:
        """The claims of one study, beneath a line that says on what they were decided."""
        if not any(any(finding.decided.values()) for finding in found):
            rows = [[nodes.paragraph("", text.tight(finding.claim.statement)), _facts(finding)] for finding in found]
            return [tables.build(["Claim of the source", "Source and rule"], rows, classes=["pl-announced"])]
        rows = [
            [
                [nodes.paragraph("", text.tight(finding.claim.statement)), *_facts(finding)],
                *(self._verdict(finding.decided[place], place) for place in HEADERS),
            ]
            for finding in found
        ]
        header = ["Claim of the source, and the rule that decides", *HEADERS.values()]
        return [*_lead(found), tables.build(header, rows, classes=["pl-findings"])]

    def _verdict(self, decided: verdicts.Decided | None, place: str) -> list[nodes.Node]:
        """The badge, the effect of the case least in favour, and every case folded away."""
        if decided is None:
            return [nodes.paragraph("", "", badge(claims.NOT_YET))]
        least = decided.least
        effect = text.effect(least) if least.effect is not None else text.tight(least.reason)
        several = [f"least in favour, {least.case}: {effect}", f"{least.case}: {effect}"][len(decided.cases) == 1]
        each = [WORDS[case.verdict] for case in decided.cases]
        summary = f"{len(each)} case{'' if len(each) == 1 else 's'}" + (
            f": {', '.join(each)}" if len(set(each)) > 1 else ""
        )
        return [
            nodes.paragraph("", "", badge(decided.verdict)),
            nodes.paragraph("", several, classes=["pl-effect"]),
            details(summary, nodes.bullet_list("", *(self._case(case, place) for case in decided.cases))),
        ]

    def _case(self, case: claims.Case, place: str) -> nodes.list_item:
        """One subject: its verdict, why, and the table it was decided from."""
        table = Path(self.env.srcdir) / results.PLACES[place] / case.table
        if not table.is_file():
            raise results.ResultError(f"a verdict of the {place} results rests on {case.table}, which is not there")
        line = [nodes.Text(f" {case.case}: {text.tight(case.reason)}. "), links.download(table, table.name, self.env)]
        return nodes.list_item("", nodes.paragraph("", "", badge(case.verdict), *line))


def _facts(finding: verdicts.Finding) -> list[nodes.Node]:
    """What the source reports, and the rule, in small print."""
    claim = finding.claim
    facts = [("Source: ", text.fact(claim.study, claim.published))] if claim.published else []
    return [
        nodes.paragraph("", "", nodes.strong("", term), nodes.Text(text.tight(meaning)), classes=["pl-fact"])
        for term, meaning in [*facts, ("Rule: ", claim.rule), ("Name: ", claim.id)]
    ]


def _lead(found: Sequence[verdicts.Finding]) -> list[nodes.Node]:
    """How the verdicts fell, on which networks and data, and what the source measured instead."""
    task = verdicts.SOURCE_TASKS.get(found[0].claim.study)
    lines = (
        [f"The source measured {task}; the verdicts come from other networks, data and a test error:"] if task else []
    )
    items = []
    for place, name in HEADERS.items():
        decided = [finding.decided[place] for finding in found]
        if who := verdicts.subjects(entry.cases for entry in decided if entry):
            counts = Counter(entry.verdict if entry else claims.NOT_YET for entry in decided)
            fell = ", ".join(f"{counts[verdict]} {word}" for verdict, word in WORDS.items() if counts[verdict])
            line = [nodes.strong("", f"{name}: "), nodes.Text(f"{who}; {fell}.")]
            items.append(nodes.list_item("", nodes.paragraph("", "", *line)))
    return [*(nodes.paragraph("", line, classes=["pl-twin"]) for line in lines), nodes.bullet_list("", *items)]


def _claims(count: int) -> str:
    return f"{count} claim{'' if count == 1 else 's'}"


def setup(app: Sphinx) -> None:
    """Register {findings}."""
    app.add_directive("findings", Findings)
