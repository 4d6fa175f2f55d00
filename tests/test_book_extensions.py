"""The book's Sphinx extension, on books of one page; the results they quote are made up."""

import json
import re
import shutil
from pathlib import Path

import pytest

from made_book import CASE, PROVENANCE, ROOT, WITHOUT_DEPRECATIONS, Book, words
from prunelab_book import accessibility, docstrings, mathml, results, tables, text

pytestmark = WITHOUT_DEPRECATIONS


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```{run-figure} sweep/curv\n```", "no file sweep/figures/curv.json; nearest is 'curve.json'"),
        ("```{run-table} sweep/error\n```", "no file sweep/tables/error.json; nearest is 'errors.json'"),
        ("```{run-table} sweep/errors\n:columns: eror_percent\n```", "no column 'eror_percent' in sweep/errors.csv"),
        ("```{run-table} sweep/errors\n:where: model=vgg\n```", "no row of sweep/errors.csv has model=vgg"),
        ("```{run-table} sweep/errors\n:where: lenet\n```", "where wants column=text, got 'lenet'"),
    ],
)
def test_what_is_missing_is_an_error_that_names_the_file_and_the_nearest_name(
    book: Book, page: str, message: str
) -> None:
    assert message in book.refusal(page)


def test_a_figure_has_its_alternative_text_its_data_its_notebook_and_its_command(book: Book) -> None:
    html = book.built("```{run-figure} sweep/curve\n```")

    assert 'alt="Error rises with the threshold"' in html
    assert "errors.csv" in html
    assert 'href="book/executed/sweep/notebook.html"' in html
    assert "prunelab run sweep --profile quick" in words(html)
    assert list((book.html / "_downloads").rglob("errors.csv"))


def test_a_figure_without_alternative_text_is_an_error(book: Book) -> None:
    book.write("book/executed/sweep/figures/curve.json", {"alt": " ", "caption": "", "table": "errors"})

    assert "sweep/figures/curve.json has no alternative text" in book.refusal("```{run-figure} sweep/curve\n```")


def test_a_table_shows_the_asked_columns_and_rows_with_scoped_headers(book: Book) -> None:
    html = book.built("```{run-table} sweep/errors\n:columns: error_percent\n:where: model=lenet\n:digits: 0\n```")

    assert '<th scope="col" class="head"><p>error (%)</p></th>' in html
    assert "\N{MINUS SIGN}4" in html
    assert "1.25" not in html
    assert "1 of 2 rows shown." in html


def test_a_verdict_and_its_effect_stand_in_the_prose(book: Book) -> None:
    book.decide(CASE)

    html = book.built(
        "{verdict}`build:sparseness:abs-free-lunch` {effect}`build:sparseness:abs-free-lunch:mlp on digits`"
    )

    assert '<span class="pl-badge pl-not-reproduced">not reproduced</span>' in html
    assert "3.00\N{NO-BREAK SPACE}points (95\N{NO-BREAK SPACE}% interval 2.50 to 3.50, 3 seeds)" in html


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("{verdict}`build:sparseness:abs-free-lunc`", "no claim 'abs-free-lunc' of sparseness; nearest is 'abs-free-"),
        ("{verdict}`build:sparseness:abs-knee`", "claim 'abs-knee' of sparseness is not decided in book/executed"),
        ("{verdict}`build:sparsness:abs-knee`", "no study 'sparsness' in claims.yml; nearest is 'sparseness'"),
        ("{verdict}`full:sparseness:abs-knee`", "results are of 'build' or 'published', not 'full'"),
        (
            "{effect}`build:sparseness:abs-free-lunch:mlp on digit`",
            "no case 'mlp on digit'; nearest is 'mlp on digits'",
        ),
        ("{effect}`build:sparseness:abs-free-lunch`", "wants place:study:claim:case, got"),
    ],
)
def test_a_verdict_that_is_not_there_is_an_error(book: Book, page: str, message: str) -> None:
    book.decide(CASE)

    assert message in book.refusal(page)


def test_an_effect_that_was_not_measured_is_an_error(book: Book) -> None:
    book.decide(CASE | {"verdict": "inconclusive", "effect": None, "low": None, "high": None, "reason": "measure on"})

    html, warnings = book.build(
        "{effect}`build:sparseness:abs-free-lunch:mlp on digits`\n\n```{findings}\n:study: sparseness\n```"
    )

    assert "has no effect for 'mlp on digits': measure on" in warnings
    assert "mlp on digits: measure on" in html


def test_a_figure_of_published_numbers_names_the_command_that_measured_them(book: Book) -> None:
    published = {**PROVENANCE, "profile": "full", "command": "prunelab run sweep --profile full"}
    book.write("published/results/full/sweep/provenance.json", published)
    book.write("published/results/full/sweep/tables/errors.csv", "model,error_percent\nmlp,1.25\nlenet,-3.5\n")

    html, _ = book.build("```{run-figure} sweep/curve\n```")

    assert "Measured by: prunelab run sweep --profile full" in words(html)
    assert "Drawn by: prunelab run sweep --profile quick" in words(html)


def test_a_new_run_appears_on_a_warm_build(book: Book) -> None:
    html = book.built("```{runs}\n```")
    assert "sweep" in html
    assert "1\N{NO-BREAK SPACE}min 23\N{NO-BREAK SPACE}s" in html
    assert "700\N{NO-BREAK SPACE}MiB" in html
    shutil.copytree(book.run, book.run.with_name("later"))

    html, _ = book.build()

    assert ">later<" in html


def test_runs_of_a_place_without_any_say_so(book: Book) -> None:
    html = book.built("```{runs}\n:profile: published\n```")

    assert "No run here yet." in html


def test_the_page_of_a_notebook_names_its_run(book: Book) -> None:
    book.build("text")

    page = (book.html / "book" / "executed" / "sweep" / "notebook.html").read_text("utf-8")
    assert "<title>Notebook: sweep" in page
    assert "prunelab run sweep --profile quick" in words(page)


def test_a_figure_on_the_page_of_a_notebook_has_its_data_and_command_beneath_it(book: Book) -> None:
    book.write(
        "book/executed/sweep/notebook.md", "---\norphan: true\n---\n# Notebook\n\n![Error rises](figures/curve.svg)"
    )
    book.built("text")

    page = (book.html / "book" / "executed" / "sweep" / "notebook.html").read_text("utf-8")
    beneath = page.split("curve.svg")[1]
    assert "errors.csv" in beneath
    assert "prunelab run sweep --profile quick" in words(beneath)


def test_formulas_become_mathml_inline_displayed_and_numbered(book: Book) -> None:
    html = book.built("$w < t$\n\n$$s = 1 - \\frac{k}{n}$$ (sparsity)\n\nsee {eq}`sparsity`")

    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline">' in html
    assert 'display="block"' in html
    assert '<span class="eqno">(1)' in html
    assert 'href="#equation-sparsity"' in html


@pytest.mark.parametrize(
    "latex",
    [r"\foo x", r"\frac{1}", r"{a", r"a}", r"\left( x", r"x_1_2", r"\begin{foo}x\end{foo}", r"\begin{split}a", "a & b"],
)
def test_bad_latex_is_a_build_warning(book: Book, latex: str) -> None:
    with pytest.raises(mathml.FormulaError):
        mathml.convert(latex, display=False)

    assert "WARNING: formula" in book.build(f"${latex}$")[1]


@pytest.mark.parametrize("latex", [r"\{ w : \lvert w \rvert < t \}", r"\bar{x} \pm t_{n-1} \frac{s}{\sqrt{n}}"])
def test_good_latex_is_not_refused(latex: str) -> None:
    assert mathml.convert(latex, display=True).startswith("<math")


def test_header_cells_get_a_scope_and_empty_ones_are_no_headers() -> None:
    html = "<table><thead><tr><th></th><th>a</th></tr></thead><tbody><tr><th>0</th><td>1</td></tr></tbody></table>"

    assert accessibility.scoped(html) == (
        '<table><thead><tr><td></td><th scope="col">a</th></tr></thead>'
        '<tbody><tr><th scope="row">0</th><td>1</td></tr></tbody></table>'
    )


@pytest.mark.parametrize(
    ("value", "digits", "printed"),
    [(-0.04, 1, "0.0"), (-0.06, 1, "\N{MINUS SIGN}0.1"), (266200, 0, "266,200"), (0, 2, "0.00")],
)
def test_numbers_have_a_minus_sign_and_no_negative_zero(value: float, digits: int, printed: str) -> None:
    assert text.number(value, digits) == printed


@pytest.mark.parametrize(
    ("value", "low", "high", "digits"),
    [
        (0.0591, 0.016, 0.102, 3),
        (22.76, 19.1, 26.5, 1),
        (0.6, -12.9, 14.1, 1),
        (0.4151, 0.4114, 0.4188, 4),
        (1234.0, 900, 1500, 0),
        (0.123, None, None, 3),
        (0.0, 0.0, 0.0, 0),
        (1.0, 1.0, 1.0, 2),
    ],
)
def test_an_effect_has_the_decimals_that_its_interval_warrants(
    value: float, low: float | None, high: float | None, digits: int
) -> None:
    assert text.decimals(value, low, high) == digits


def test_prose_of_a_file_is_set_with_minus_signs_and_no_break_before_percent() -> None:
    assert text.tight("-0.05 to 9.5 % at 33-37 %, negative - positive, lenet-300-100, 1e-5") == (
        "\N{MINUS SIGN}0.05 to 9.5\N{NO-BREAK SPACE}% at 33-37\N{NO-BREAK SPACE}%, negative \N{MINUS SIGN} positive, "
        "lenet-300-100, 1e-5"
    )


def test_a_published_fact_names_its_units() -> None:
    facts = {"sparsity_percent": 26.9, "global_wer": 8.33, "affine1": [11.44, 8.99]}

    assert text.fact("sparseness", facts).replace("\N{NO-BREAK SPACE}", " ") == (
        "sparsity 26.9 %; global word error 8.33; affine1 11.44 % sparsity, 8.99 % word error"
    )
    assert text.fact("lenet", {"600-100": [303, 78]}) == "600-100 303, 78"


def test_the_head_of_a_column_has_its_unit() -> None:
    assert tables.heading("knee_percent", "sparsity at the knee [%]") == "knee (%)"
    assert tables.heading("loss", "mean cross-entropy [nats]") == "loss (nats)"
    assert tables.heading("n_seeds", "nets behind it") == "n seeds"


def test_an_estimate_of_one_seed_says_that_it_has_no_interval() -> None:
    entry = {"value": 3.0, "low": None, "high": None, "unit": "points", "digits": 0, "n": 1}

    assert text.estimate(entry) == "3\N{NO-BREAK SPACE}points (no interval, 1 seed)"


def test_bars_and_stars_in_docstrings_are_no_markup() -> None:
    assert docstrings.escaped("removes |w| < t, m * w; keeps ``a|b`` and `c*d`") == (
        r"removes \|w\| < t, m \* w; keeps ``a|b`` and `c*d`"
    )


def test_signatures_are_printed_as_written() -> None:
    from prunelab import stats

    assert docstrings.written_signature(stats.paired) == (
        "(a: ArrayLike, b: ArrayLike, *, level: float=LEVEL)",
        "Interval",
    )


def test_every_public_module_of_the_api_page_exists() -> None:
    import importlib

    lines = (ROOT / "book" / "api.md").read_text("utf-8").splitlines()
    modules = [line.split()[-1] for line in lines if line.startswith(".. automodule::")]

    assert modules
    for module in modules:
        assert importlib.import_module(module).__doc__


def test_the_nearest_name_is_given_only_when_one_is_near() -> None:
    assert results.nearest("kne", ["knee", "area"]) == "; nearest is 'knee'"
    assert results.nearest("zzz", ["knee", "area"]) == "; there are 'area', 'knee'"
    assert results.nearest("zzz", []) == "; there are none"


def test_a_chart_has_its_words_its_data_its_command_and_a_picture_where_scripts_are_off(book: Book) -> None:
    html = book.built(book.chart("bars"))
    without_scripts = html.split("<noscript>")[1].split("</noscript>")[0]

    assert 'id="chart-sweep-bars" role="group" aria-label="Bars that grow from left to right"' in html
    assert '<img src="charts/chart-sweep-bars.svg" alt="Bars that grow from left to right"/>' in without_scripts
    assert re.search(r'href="_downloads/\w+/errors\.csv"', without_scripts)
    assert "prunelab run sweep --profile quick" in words(html)
    assert "<svg" in (book.html / "charts" / "chart-sweep-bars.svg").read_text("utf-8")


def test_the_specification_of_a_chart_stands_in_the_page_and_cannot_end_its_script(book: Book) -> None:
    html, _ = book.build(book.chart("bars"))
    inside = re.findall(r'<script type="application/json" data-chart="chart-sweep-bars">(.*?)</script>', html)

    assert len(inside) == 1
    assert json.loads(inside[0]) == json.loads((book.run / "figures" / "bars.vl.json").read_text("utf-8"))


def test_the_scripts_of_charts_are_files_of_the_book_loaded_once_and_only_where_a_chart_is(book: Book) -> None:
    chart = book.chart("bars")
    book.write("book/deep/page.md", f"---\norphan: true\n---\n# Deep\n\n{chart}\n{book.chart('more')}")
    html, _ = book.build("no chart here")
    deep = (book.html / "book" / "deep" / "page.html").read_text("utf-8")
    loaded = re.findall(r'<script defer src="([^"]+)"', deep)

    assert loaded == ["../../charts/vega.js", "../../charts/charts.js"]
    assert all((book.html / "book" / "deep" / source).resolve().is_file() for source in loaded)
    assert "charts/" not in html


def test_a_book_without_charts_carries_no_vega(book: Book) -> None:
    book.build("no chart here")

    assert not (book.html / "charts").exists()


def test_the_names_within_the_bundle_of_vega_stay_its_own(book: Book) -> None:
    book.build(book.chart("bars"))
    bundle = (book.html / "charts" / "vega.js").read_text("utf-8")

    assert bundle.startswith("(() => {\n")
    assert bundle.endswith("\n})();\n")
    assert "window.vegaEmbed=" in bundle


def test_a_warm_build_draws_a_changed_chart_again(book: Book) -> None:
    book.build(book.chart("bars", title="before"))
    book.chart("bars", title="after")

    html, _ = book.build()

    assert '"title":"after"' in html
    assert ">after<" in (book.html / "charts" / "chart-sweep-bars.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("asked", "alt", "message"),
    [
        ("bar", "Bars that grow", "no file sweep/figures/bar.json; nearest is"),
        ("curve", "Bars that grow", "no file sweep/figures/curve.vl.json; nearest is"),
        ("bars", " ", "sweep/figures/bars.json has no alternative text"),
        ("", "Bars that grow", "wants run/name"),
    ],
)
def test_a_chart_that_is_missing_or_without_words_is_an_error(book: Book, asked: str, alt: str, message: str) -> None:
    book.chart("bars", alt=alt)

    assert message in book.refusal(f"```{{run-chart}} sweep/{asked}\n```")


MEANS = """net,recipe,target,accuracy_percent,low,high,kept_fraction,weights,seeds,note
a,source,99%,95.5,94.25,96.75,0.0125,266200,5,
a,strong,99%,98.25,,,0.01,266200,1,once
b,source,99%,-1234.5,-1300,-1200,0.5,1000,5,
b,strong,99%,97,96.5,97.5,,1000,5,
"""
DESCRIBED = {
    "net": "spec of the net",
    "recipe": "source or strong",
    "target": "weights left",
    "accuracy_percent": "test accuracy, mean over seeds [%]",
    "low": "lower end of its 95 % t interval; may be empty [%]",
    "high": "upper end of its 95 % t interval; may be empty [%]",
    "kept_fraction": "kept / weights; may be empty [fraction]",
    "weights": "prunable weights",
    "seeds": "nets behind the mean",
    "note": "a remark; may be empty",
}
TYPES = dict.fromkeys(("accuracy_percent", "low", "high", "kept_fraction"), "number")
TYPES |= dict.fromkeys(("weights", "seeds"), "integer") | dict.fromkeys(("net", "recipe", "target", "note"), "text")


@pytest.fixture
def means(book: Book) -> Book:
    """A book whose run has means over seeds, with their interval beside."""
    book.write("book/executed/sweep/tables/means.csv", MEANS)
    sidecar = {"key": ["net", "recipe", "target"], "columns": DESCRIBED, "types": TYPES}
    book.write("book/executed/sweep/tables/means.json", sidecar)
    return book


def spaced(printed: str) -> str:
    """What a page prints, with no-break spaces where "_" stands."""
    return printed.replace("_", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("cell", "printed"),
    [
        ("[net=a, recipe=source].accuracy_percent", "95.50_%"),
        ("[net=a,recipe=source].accuracy_percent; .1", "95.5_%"),
        ("[net=a,recipe=source].accuracy_percent; interval", "95.50_% (95_% interval 94.25 to 96.75, 5 seeds)"),
        ("[net=a,recipe=source].accuracy_percent; .0, compact", "96_% (94 to 97)"),
        ("[net=a,recipe=strong].accuracy_percent; interval", "98.25_% (no interval, 1 seed)"),
        ("[net=a,recipe=strong].accuracy_percent; compact", "98.25_% (no interval)"),
        ("[net=a,recipe=source].accuracy_percent; interval, seeds none", "95.50_% (95_% interval 94.25 to 96.75)"),
        ("[net=b,recipe=source].accuracy_percent; .0, bare", "\N{MINUS SIGN}1,234"),
        ("[accuracy_percent=97.0].accuracy_percent; unit points", "97.00_points"),
        ("[net=a,recipe=source].kept_fraction; times 100, unit %", "1.25_%"),
        ("[net=a,recipe=source].kept_fraction; .3", "0.013"),
        ("[net=a,recipe=source].weights", "266,200"),
        ("[net=a,recipe=source].weights; per 1000, .1, unit thousands", "266.2_thousands"),
        ("[net=a,recipe=strong].note", "once"),
    ],
)
def test_a_cell_is_printed_with_its_unit_and_as_its_format_says(means: Book, cell: str, printed: str) -> None:
    html = means.built(f"{{cell}}`build:sweep/means{cell}`")

    assert f'<span class="pl-value">{spaced(printed)}</span>' in html


def test_the_interval_of_a_cell_stands_in_the_columns_behind_it_or_in_those_named(means: Book) -> None:
    sidecar = {
        "columns": {"seed": "s", "error": "e [%]", "loss": "l", "wer_low": "low", "wer_high": "high", "nets": "n"}
    }
    means.write("book/executed/sweep/tables/heard.csv", "seed,error,loss,wer_low,wer_high,nets\n0,3,1,2,4,7\n")
    means.write("book/executed/sweep/tables/heard.json", sidecar)

    html, warnings = means.build(
        "{cell}`build:sweep/heard.error; .0, interval, ends wer` {cell}`build:sweep/heard.loss; interval`"
    )

    assert spaced("3_% (95_% interval 2 to 4, 7 seeds)") in html
    assert "no interval beside loss in sweep/heard.csv; name its columns, as in ends loss" in warnings


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("full:sweep/means[net=a].note", "results are of 'build' or 'published', not 'full'"),
        ("published:sweep/means[net=a].note", "no run 'sweep' in published/results/full; there are none"),
        ("build:sweeep/means[net=a].note", "no run 'sweeep' in book/executed; nearest is 'sweep'"),
        ("build:sweep/mean[net=a].note", "no file sweep/tables/mean.json; nearest is 'means.json'"),
        ("build:sweep/means[net=a,recipe=strong].accuracy", "no column 'accuracy' in sweep/means.csv; nearest is 'acc"),
        ("build:sweep/means[nett=a].note", "no column 'nett' in sweep/means.csv; nearest is 'net'"),
        (
            "build:sweep/means[net=a,recipe=strongg].note",
            "no row of sweep/means.csv has net=a, recipe=strongg; nearest",
        ),
        ("build:sweep/means[net=c].note", "no row of sweep/means.csv has net=c; there are 'a', 'b'"),
        ("build:sweep/means[net=a].note", "2 rows of sweep/means.csv have net=a; name one by recipe (source, strong)"),
        (
            "build:sweep/means.note",
            "4 rows of sweep/means.csv have no condition; name one by net (a, b); recipe (source, strong)",
        ),
        (
            "build:sweep/means[net=b,recipe=strong].kept_fraction",
            "kept_fraction of sweep/means.csv is empty where net=b, recipe=strong",
        ),
        ("build:sweep/means[net=b,recipe=strong].note", "note of sweep/means.csv is empty"),
        (
            "build:sweep/means[net=a,recipe=source].kept_fraction; compact",
            "no interval beside kept_fraction in sweep/me",
        ),
        ("build:sweep/means[net=a,recipe=source].weights; ends w", "no column 'w_low' in sweep/means.csv"),
        ("build:sweep/means[net=a,recipe=source].weights; short", "a format is made of .1 (decimals), value, interval"),
        ("build:sweep/means[net=a,recipe=source]", "wants run/table[column=cell, ...].column; format, got"),
        ("build:sweep/means[net].note", "where wants column=text, got 'net'"),
        ("sweep/means[net=a].note", "wants place:run/table[column=cell, ...].column; format, got"),
    ],
)
def test_a_cell_that_is_not_there_once_is_an_error_that_says_what_there_is(
    means: Book, cell: str, message: str
) -> None:
    assert message in means.refusal(f"{{cell}}`{cell}`")


def test_a_warm_build_reads_a_changed_cell_again(means: Book) -> None:
    means.build("{cell}`build:sweep/means[net=a,recipe=source].accuracy_percent`")
    means.write("book/executed/sweep/tables/means.csv", MEANS.replace("95.5", "91.5"))

    html, _ = means.build()

    assert "91.50\N{NO-BREAK SPACE}%" in html


def test_a_cell_that_disappears_fails_a_warm_build(means: Book) -> None:
    means.build("{cell}`build:sweep/means[net=a,recipe=source].accuracy_percent`")
    means.write("book/executed/sweep/tables/means.csv", MEANS.replace("source", "other"))

    assert "no row of sweep/means.csv has net=a, recipe=source" in means.refusal()


def grid(html: str) -> list[list[str]]:
    """The cells of a page's table, row by row."""
    rows = re.findall(r"<tr\b.*?</tr>", html, re.DOTALL)
    return [[words(cell).strip() for cell in re.findall(r"<t[hd]\b.*?</t[hd]>", row, re.DOTALL)] for row in rows]


def test_a_pivot_has_a_row_and_a_column_for_every_cell_that_their_columns_have(means: Book) -> None:
    html = means.built(
        "```{run-table} sweep/means\n:rows: net\n:columns: recipe\n:values: accuracy_percent\n:format: .1, compact\n"
        ":labels: a = net *A* | source = source's recipe\n:head: Accuracy\n```"
    )

    assert grid(html) == [
        ["Accuracy", "source’s recipe", "strong"],
        ["net A", spaced("95.5_% (94.2 to 96.8)"), spaced("98.2_% (no interval)")],
        [
            "b",
            spaced("\N{MINUS SIGN}1,234.5_% (\N{MINUS SIGN}1,300.0 to \N{MINUS SIGN}1,200.0)"),
            spaced("97.0_% (96.5 to 97.5)"),
        ],
    ]
    assert re.findall(r'<th scope="(\w+)"', html) == ["col"] * 3 + ["row"] * 2
    assert "<em>A</em>" in html
    assert "prunelab run sweep --profile quick" in words(html)


def test_a_pivot_of_several_values_has_a_column_for_each(means: Book) -> None:
    html = means.built(
        "```{run-table} sweep/means\n:rows: net, target\n:where: recipe=source\n:values: accuracy_percent, weights\n"
        ":labels: weights = start\n:format: .0, bare\n:bare:\n```"
    )

    assert grid(html) == [
        ["", "accuracy (%)", "start"],
        ["a, 99%", "96", "266,200"],
        ["b, 99%", "\N{MINUS SIGN}1,234", "1,000"],
    ]
    assert "prunelab run" not in html


def test_rows_and_columns_of_a_pivot_may_be_listed_and_come_of_several_tables(means: Book) -> None:
    means.write("book/executed/sweep/tables/more.csv", "net,size\na,1\nb,2.5\n")
    means.write("book/executed/sweep/tables/more.json", {"columns": {"net": "n", "size": "size [MiB]"}})
    options = """rows: |
  the second: strongly = [net=b]
  the first = [net=a]
columns: |
  accuracy = [recipe=strong].accuracy_percent; .1, compact
  kept = [recipe=strong].kept_fraction; times 100, unit %
  size = sweep/more.size
empty: none"""

    html = means.built(f"```{{run-table}} sweep/means\n---\n{options}\n---\n```")

    assert grid(html) == [
        ["", "accuracy", "kept", "size"],
        ["the second: strongly", spaced("97.0_% (96.5 to 97.5)"), "none", spaced("2.50_MiB")],
        ["the first", spaced("98.2_% (no interval)"), spaced("1.00_%"), spaced("1.00_MiB")],
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (":rows: nett\n:values: weights", "no column 'nett' in sweep/means.csv; nearest is 'net'"),
        (":rows: net\n:values: weights", "2 rows of sweep/means.csv have net=a; name one by recipe (source, strong)"),
        (":rows: net\n:where: recipe=weak\n:values: weights", "no row of sweep/means.csv has recipe=weak"),
        (
            ":rows: net\n:where: recipe=strong\n:values: kept_fraction",
            "kept_fraction of sweep/means.csv is empty where",
        ),
        (":rows: a = net", "wants run/table[column=cell, ...].column; format, got 'net'"),
        (":rows: net\n:columns: recipe\n:labels: a\n:values: weights", "labels wants entries as in one = another, got"),
        (":rows: net\n:where: recipe=strong", "no column '' in sweep/means.csv"),
    ],
)
def test_a_pivot_that_lacks_a_cell_is_an_error(means: Book, options: str, message: str) -> None:
    assert message in means.refusal(f"```{{run-table}} sweep/means\n{options}\n```")


def test_a_table_shows_at_most_as_many_rows_as_asked_for(means: Book) -> None:
    html, _ = means.build("```{run-table} sweep/means\n:columns: net\n:limit: 3\n```")

    assert grid(html) == [["net"], ["a"], ["a"], ["b"]]
    assert "3 of 4 rows shown." in html
