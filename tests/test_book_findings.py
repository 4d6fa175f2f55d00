"""What the book says of claims: their tables, the figures that show them, how they fell, and all that in Chinese."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from made_book import CASE, CLAIMS, ROOT, WITHOUT_DEPRECATIONS, Book, words
from prunelab import claims
from prunelab_book import results, translations, verdicts

pytestmark = WITHOUT_DEPRECATIONS

FINDINGS = "```{findings}\n:study: sparseness\n```"
IN_CHINESE = "```{findings}\n:study: sparseness\n:language: zh\n```"
TALLY = "```{tally}\n```"
CHINESE: dict[str, Any] = {
    "words": {
        "claim": "结论",
        "published": "正式运行",
        "build": "本次构建",
        "figure": "图：",
        "cases": "{n} 例之一，",
        "colon": "：",
        "interval": "95 % 区间 {low} 至 {high}",
        "seeds": "{n} 个种子",
        "aside": "（{parts}）",
        "comma": "，",
        "unmeasured": "无效应量",
    },
    "verdicts": {"reproduced": "可复现", "not-reproduced": "不可复现", "not yet decided": "尚未判定"},
    "units": {"%": "%", "points": "个百分点", "of the units": "；占全部单元", "contrast": "；对比度"},
}

OTHER_STUDY = """
outputs:
  - id: abs-concentrates
    statement: Outputs go to the centre.
    rule: the spread shrinks.
"""


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


@pytest.fixture
def chinese(book: Book) -> Book:
    book.write("book/claims-zh.yml", yaml.safe_dump(CHINESE, allow_unicode=True))
    book.claims("    rule:", "    zh: 三分之一的权重没有代价。\n    rule:")
    book.decide(CASE)
    return book


def without(part: str, name: str) -> str:
    """The Chinese file without one of its entries."""
    return yaml.safe_dump(
        CHINESE | {part: {key: entry for key, entry in CHINESE[part].items() if key != name}}, allow_unicode=True
    )


def test_every_claim_is_listed_with_its_verdict_and_its_cases(book: Book) -> None:
    book.decide(CASE)

    html = book.built(FINDINGS)

    assert html.count("pl-not-yet-decided") == 3  # two claims, published; one, this build
    assert '<span class="pl-badge pl-not-reproduced">not reproduced</span>' in html
    assert "mlp on digits: 3.00\N{NO-BREAK SPACE}points (95\N{NO-BREAK SPACE}% interval 2.50 to 3.50, 3 seeds)" in html
    assert "Source: sparsity 35.74\N{NO-BREAK SPACE}%" in words(html)
    assert "Rule: the increase is at most 1 point." in words(html)


def test_findings_name_the_networks_and_data_that_decide_and_the_task_that_the_source_measured(book: Book) -> None:
    book.write("published/transfers.yml", "images: sparseness")
    book.decide(CASE, study="images")

    html, _ = book.build("```{findings}\n:study: images\n```")

    assert "The source measured the word error of a speech recogniser" in html
    assert "This build: mlp on digits; 1 not reproduced, 1 not yet decided." in words(html)
    assert "Published run:" not in words(html)


def test_a_study_without_a_verdict_shows_its_rules(book: Book) -> None:
    html = book.built(FINDINGS)

    assert "within 15 points of sparsity." in html
    assert "Published run" not in html


def test_cases_that_disagree_say_so_before_they_are_unfolded(book: Book) -> None:
    book.decide(CASE, CASE | {"case": "wide on digits", "verdict": "reproduced"})

    html, _ = book.build(FINDINGS)

    assert "<summary>2 cases: not reproduced, reproduced</summary>" in html
    assert "least in favour, mlp on digits" in html


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "findings: wants a study in its option of that name"),
        (":study: sparsness\n", "no study 'sparsness' in claims.yml; nearest is 'sparseness'"),
        (":study: sparseness\n:language: zh\n", "no translation into 'zh'; there are none"),
    ],
)
def test_findings_of_no_study_or_in_no_language_are_an_error(book: Book, options: str, message: str) -> None:
    assert message in book.refusal(f"```{{findings}}\n{options}```")


@pytest.mark.parametrize("directive", [FINDINGS, TALLY])
def test_a_verdict_on_a_claim_that_is_not_listed_is_an_error(book: Book, directive: str) -> None:
    verdict = {"study": "sparseness", "id": "gone", "published": None, **CASE, "cases": [CASE]}
    verdict.pop("margin")
    book.write("book/executed/sweep/claims.json", [verdict])

    assert "gone" in book.refusal(directive)


def test_a_decided_claim_leads_to_the_place_in_its_chapter_where_its_figure_stands(book: Book) -> None:
    book.decide(CASE)

    html = book.built(FINDINGS)
    chapter = (book.html / "book" / "sparseness.html").read_text("utf-8")

    assert html.count('href="book/sparseness.html#sweep-knees"') == 2
    assert re.search(r'<figure [^>]*id="sweep-knees"', chapter)
    assert "Figure: knees" in words(html)


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ("{}", "no figure for sparseness: abs-free-lunch in published/claims.yml"),
        ("sweep/knee", "no file sweep/figures/knee.json; nearest is 'knees"),
        ("sweeep/knees", "no run 'sweeep' in book/executed; nearest is 'sweep'"),
        ("sweep/curve", "undefined label: 'sweep-curve'"),
    ],
    ids=["none", "no such figure", "no such run", "on no page"],
)
def test_the_figure_of_a_decided_claim_exists_and_stands_on_a_page(book: Book, figure: str, message: str) -> None:
    book.claims("{sparseness: sweep/knees, images: sweep/knees}", figure)
    book.decide(CASE)

    assert message in book.build(FINDINGS)[1]


def test_a_study_without_a_verdict_needs_no_figures(book: Book) -> None:
    book.claims("{sparseness: sweep/knees, images: sweep/knees}", "{}")

    book.built(FINDINGS)


def test_a_tally_counts_the_verdicts_of_each_study_and_of_all(book: Book) -> None:
    book.write("published/claims.yml", (book.root / "published" / "claims.yml").read_text("utf-8") + OTHER_STUDY)
    book.write("book/outputs.md", "---\norphan: true\n---\n# What it does to the outputs")
    book.decide(CASE)

    html = book.built(TALLY)
    rows = [" ".join(words(row).split()) for row in re.findall(r"<tr.*?</tr>", html, re.DOTALL)]

    assert rows[1:] == [
        "Threshold pruning 2 2 × not yet decided 1 × not reproduced 1 × not yet decided",
        "What it does to the outputs 1 1 × not yet decided 1 × not yet decided",
        "All 3 3 × not yet decided 1 × not reproduced 2 × not yet decided",
    ]
    assert 'href="book/outputs.html"' in html


def test_a_tally_is_of_the_sources_own_claims(book: Book) -> None:
    book.write("published/transfers.yml", "images: sparseness")
    book.decide(CASE, study="images")

    html = book.built(TALLY)

    assert "reproduced" not in words(html)


def test_a_tally_counts_a_new_verdict_on_a_warm_build(book: Book) -> None:
    html, _ = book.build(TALLY)
    assert "not reproduced" not in html
    book.decide(CASE)

    html, _ = book.build()

    assert "not reproduced" in html


def test_findings_in_another_language_have_their_statements_verdicts_and_effects_in_it(chinese: Book) -> None:
    chinese.decide(CASE, CASE | {"case": "wide on digits"})

    html = chinese.built(IN_CHINESE)

    assert "三分之一的权重没有代价。" in html
    assert '<span class="pl-badge pl-not-reproduced">不可复现</span>' in html
    assert html.count(">尚未判定<") == 3
    assert "2 例之一，mlp on digits：3.00\N{NO-BREAK SPACE}个百分点" in words(html)
    assert "（95\N{NO-BREAK SPACE}% 区间 2.50 至 3.50，3 个种子）" in html
    assert "within 15 points" not in html


def test_what_stays_english_in_another_language_is_marked_as_english(chinese: Book) -> None:
    html, _ = chinese.build(IN_CHINESE)

    assert '<span lang="en">mlp on digits</span>' in html
    assert re.search(r'<span lang="en"><a [^>]*href="book/sparseness.html#sweep-knees"><span [^>]*>knees<', html)


def test_a_page_is_marked_with_its_language(book: Book) -> None:
    book.write("zh.md", "```{rst-class} language-zh\n```\n\n# 摘要\n\n一段话。")

    book.build("text")

    assert re.search(r'<section [^>]*lang="zh"', (book.html / "zh.html").read_text("utf-8"))


@pytest.mark.parametrize(
    ("part", "name", "message"),
    [
        ("verdicts", "not-reproduced", "no verdict 'not-reproduced' in claims-zh.yml"),
        ("units", "points", "no unit 'points' in claims-zh.yml"),
        ("words", "interval", "no word 'interval' in claims-zh.yml"),
    ],
)
def test_a_missing_translation_is_an_error(chinese: Book, part: str, name: str, message: str) -> None:
    chinese.write("book/claims-zh.yml", without(part, name))

    assert message in chinese.refusal(IN_CHINESE)


def test_a_file_of_translations_has_all_its_parts(chinese: Book) -> None:
    chinese.write("book/claims-zh.yml", "words: {}\nverdict: {}\n")

    with pytest.raises(results.ResultError, match=r"it is off by \['units', 'verdict', 'verdicts'\]"):
        translations.load(chinese.root, "zh")


def test_a_claim_that_is_not_translated_is_an_error(chinese: Book) -> None:
    chinese.write("published/claims.yml", CLAIMS)

    assert "no zh of sparseness: abs-free-lunch in published/claims.yml" in chinese.refusal(IN_CHINESE)


def test_an_effect_that_was_not_measured_says_so_in_another_language(chinese: Book) -> None:
    chinese.decide(CASE | {"effect": None, "low": None, "high": None})

    html = chinese.built(IN_CHINESE)

    assert "mlp on digits：无效应量" in words(html)


@pytest.mark.parametrize(
    ("entry", "printed"),
    [
        (
            {"value": 47.312, "low": 46.1, "high": 48.5, "unit": "%", "digits": 1, "n": 5},
            "47.3_%（95_% 区间 46.1 至 48.5，5 个种子）",
        ),
        ({"value": 47.312, "unit": "%", "digits": 1}, "47.3_%"),
        ({"value": 0.5, "unit": "of the units", "digits": 2, "n": 3}, "0.50（占全部单元，3 个种子）"),
        ({"value": 0.5, "unit": "contrast, mrs to taylor", "digits": 1}, "0.5（对比度，mrs to taylor）"),
    ],
)
def test_an_estimate_in_another_language_has_what_is_known_of_it(
    chinese: Book, entry: dict[str, object], printed: str
) -> None:
    assert translations.load(chinese.root, "zh").estimate(entry) == printed.replace("_", "\N{NO-BREAK SPACE}")


def test_a_cell_in_another_language_stands_in_the_prose_with_all_that_is_known_of_it(chinese: Book) -> None:
    columns = {"net": "n", "error_percent": "error [%]", "low": "its low", "high": "its high", "seeds": "nets"}
    chinese.write("book/executed/sweep/tables/means.csv", "net,error_percent,low,high,seeds\na,47.312,46.1,48.5,5\n")
    chinese.write("book/executed/sweep/tables/means.json", {"columns": columns})

    html = chinese.built("{translated}`zh:build:sweep/means[net=a].error_percent; .1`")

    assert "47.3\N{NO-BREAK SPACE}%（95\N{NO-BREAK SPACE}% 区间 46.1 至 48.5，5 个种子）</span>" in html


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("zh:build:sweep/errors[model=a].error_percent", "no row of sweep/errors.csv has model=a"),
        ("zh:build:sweep/errors", "wants run/table[column=cell, ...].column; format, got 'sweep/errors'"),
        (
            "zh:sweep/errors.error_percent",
            "wants language:place:run/table[column=cell, ...].column; format, got 'zh:sw",
        ),
        (
            "zh:build:sweep/errors[model=mlp].eror_percent",
            "no column 'eror_percent' in sweep/errors.csv; nearest is 'error_percent'",
        ),
        ("fr:build:sweep/errors[model=mlp].error_percent", "no translation into 'fr'; there are 'zh'"),
        ("zh:build:sweep:knee", "wants run/table[column=cell, ...].column; format, got 'sweep:knee'"),
    ],
)
def test_a_number_that_is_not_there_in_another_language_is_an_error(chinese: Book, role: str, message: str) -> None:
    assert message in chinese.refusal(f"{{translated}}`{role}`")


def test_a_headline_is_a_picture_with_its_words_over_one_sentence(book: Book) -> None:
    html = book.built(
        "```{headline} sweep/curve\n"
        "The error: {cell}`build:sweep/errors[model=mlp].error_percent`, {doc}`book/sparseness`\n```"
    )
    figure = re.findall(r"<figure.*?</figure>", html, re.DOTALL)[0]

    assert 'alt="Error rises with the threshold"' in figure
    assert 'class="pl-headline' in figure
    assert "The error: 1.25\N{NO-BREAK SPACE}%, Threshold pruning" in words(figure)
    assert 'href="book/sparseness.html"' in figure
    assert "Again:" not in words(html)


@pytest.mark.parametrize(
    ("figure", "content", "message"),
    [
        ("sweep/curv", "One sentence.", "no file sweep/figures/curv.json; nearest is 'curve.json'"),
        ("sweep/silent", "One sentence.", "sweep/figures/silent.json has no alternative text"),
        ("sweep", "One sentence.", "wants run/name, got 'sweep'"),
        ("sweep/curve", "", "wants one paragraph beneath sweep/curve, got 0 parts"),
        ("sweep/curve", "One.\n\nTwo.", "wants one paragraph beneath sweep/curve, got 2 parts"),
    ],
)
def test_a_headline_without_picture_words_or_sentence_is_an_error(
    book: Book, figure: str, content: str, message: str
) -> None:
    book.figure("silent", alt=" ")

    _, warnings = book.build(f"```{{headline}} {figure}\n{content}\n```")

    assert f"headline: {message}" in warnings


# The book itself.


def studies() -> set[str]:
    return set(verdicts.by_study(ROOT))


def test_claims_held_against_other_networks_are_none_of_the_sources() -> None:
    content = yaml.safe_load((ROOT / "published" / "claims.yml").read_text("utf-8"))

    counted = {study: len(found) for study, found in verdicts.by_study(ROOT).items()}
    assert counted == {study: len(entries) for study, entries in content.items()}


@pytest.mark.parametrize("page", ["findings", "zh"])
def test_every_study_has_its_table_on_the_pages_of_findings(page: str) -> None:
    listed = re.findall(r"^:study: (.+)$", (ROOT / "book" / f"{page}.md").read_text("utf-8"), re.MULTILINE)

    assert studies() <= set(listed)
    assert len(listed) == len(set(listed))


def test_every_claim_has_a_statement_in_chinese() -> None:
    assert all(claim.translated["zh"] for claim in claims.load(ROOT / "published" / "claims.yml"))


def test_every_published_verdict_and_unit_has_a_word_in_chinese() -> None:
    chinese = translations.load(ROOT, "zh")
    decided = [entry for path in ROOT.glob("published/results/full/*/claims.json") for entry in claims.read(path)]

    assert decided
    for entry in decided:
        assert chinese.verdict(entry.verdict)
        assert all(chinese.effect(case) for case in entry.cases)
