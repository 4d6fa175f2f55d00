"""Directive {findings}: a study's claims, their verdicts in the published run and in this build, and the cases."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx

from prunelab import claims
from prunelab_book import claim_figures, links, pages, results, tables, text, translations, verdicts
from prunelab_book.details import details

WORDS = {
    "reproduced": "reproduced",
    "partly": "partly reproduced",
    "not-reproduced": "not reproduced",
    "inconclusive": "inconclusive",
    claims.NOT_YET: claims.NOT_YET,
}
HEADERS = {"published": "Published run", "build": "This build"}


def badge(verdict: str, word: str | None = None) -> nodes.inline:
    """A verdict as a word on a colour; the word alone says it. In English unless `word` says it otherwise."""
    return nodes.inline("", word or WORDS[verdict], classes=["pl-badge", f"pl-{nodes.make_id(verdict)}"])


class Findings(pages.ResultDirective):
    """{findings}: a table of the claims of one study (option study), each with a link to the figure that shows it.

    Option: language, for the statements, verdicts and effects alone in another language (book/claims-<language>.yml).
    """

    option_spec: ClassVar = {"study": directives.unchanged_required, "language": directives.unchanged_required}

    def laid_out(self) -> list[nodes.Node]:
        """The table, beneath lines that say on what the claims were decided."""
        pages.note_listing(self.env)
        source = Path(self.env.srcdir)
        if "study" not in self.options:
            raise results.ResultError("wants a study in its option of that name")
        pages.note(self.env, *verdicts.files(source))
        found = verdicts.findings(source, self.options["study"])
        figures = claim_figures.named(found)
        if "language" in self.options:
            return [self._translated(found, figures, self.options["language"])]
        if not any(any(finding.decided.values()) for finding in found):
            rows = [[nodes.paragraph("", text.tight(finding.claim.statement)), _facts(finding)] for finding in found]
            return [tables.build(["Claim of the source", "Source and rule"], rows, classes=["pl-announced"])]
        rows = [
            [
                [
                    nodes.paragraph("", text.tight(finding.claim.statement)),
                    *_facts(finding),
                    _fact("Figure: ", claim_figures.link(self.env, figures[finding.claim.id])),
                ],
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

    def _translated(self, found: Sequence[verdicts.Finding], figures: Mapping[str, str], language: str) -> nodes.table:
        """The table in another language: statement, verdicts and effects; the rest is a link away."""
        source = Path(self.env.srcdir)
        pages.note(self.env, translations.path(source, language))
        words = translations.load(source, language)

        def verdict(decided: verdicts.Decided | None) -> list[nodes.Node]:
            if decided is None:
                return [nodes.paragraph("", "", badge(claims.NOT_YET, words.verdict(claims.NOT_YET)))]
            least = decided.least
            cases = [nodes.Text(words.word("cases", n=len(decided.cases)))] if len(decided.cases) > 1 else []
            who = nodes.inline("", least.case, classes=["language-en"])
            effect = nodes.Text(words.word("colon") + words.effect(least))
            return [
                nodes.paragraph("", "", badge(decided.verdict, words.verdict(decided.verdict))),
                nodes.paragraph("", "", *cases, who, effect, classes=["pl-effect"]),
            ]

        def claim(finding: verdicts.Finding) -> list[nodes.Node]:
            parts: list[nodes.Node] = [nodes.paragraph("", words.statement(finding.claim))]
            if figure := figures.get(finding.claim.id):
                link = nodes.inline("", "", claim_figures.link(self.env, figure), classes=["language-en"])
                parts.append(_fact(words.word("figure"), link))
            return parts

        rows = [[claim(finding), *(verdict(finding.decided[place]) for place in HEADERS)] for finding in found]
        return tables.build([words.word(name) for name in ("claim", *HEADERS)], rows, classes=["pl-findings"])

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
    facts += [("Rule: ", claim.rule), ("Name: ", claim.id)]
    return [_fact(term, nodes.Text(text.tight(meaning))) for term, meaning in facts]


def _fact(term: str, meaning: nodes.Node) -> nodes.paragraph:
    """A line of small print."""
    return nodes.paragraph("", "", nodes.strong("", term), meaning, classes=["pl-fact"])


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
            counts = verdicts.counts(found, place)
            fell = ", ".join(f"{counts[verdict]} {word}" for verdict, word in WORDS.items() if counts[verdict])
            line = [nodes.strong("", f"{name}: "), nodes.Text(f"{who}; {fell}.")]
            items.append(nodes.list_item("", nodes.paragraph("", "", *line)))
    return [*(nodes.paragraph("", line, classes=["pl-twin"]) for line in lines), nodes.bullet_list("", *items)]


def setup(app: Sphinx) -> None:
    """Register {findings}."""
    app.add_directive("findings", Findings)
