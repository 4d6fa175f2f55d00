"""The built book in a browser, opened from file:// as a reader opens it who has no network."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

HTML = Path(__file__).parents[2] / "_build" / "html"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    # The page at the top only leads to the book's own first page.
    if not path.relative_to(HTML).parts[0].startswith(("_", ".")) and path != HTML / "index.html"
)
CHARTS = [page for page in PAGES if "data-chart=" in (HTML / page).read_text("utf-8")]
STUDIES = [
    "book/index.html",
    "book/findings.html",
    "book/learned.html",
    "book/limits.html",
    "book/zh.html",
    "book/sparseness.html",
    "book/images.html",
    "book/outputs.html",
    "book/why-abs.html",
    "book/lenet.html",
    "book/mean-replacement.html",
    "book/words.html",
    "book/runs.html",
    "book/methods.html",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH"),
    pytest.mark.skipif(not PAGES, reason="no built book in _build/html; run prunelab build first"),
]

CONTENT = """
async () => {
  const all = selector => [...document.querySelectorAll(selector)];
  for (const picture of all("img")) picture.loading = "eager";
  await Promise.all(all("img").map(picture => picture.decode().catch(() => null)));
  return {
    language: document.documentElement.lang,
    images: all("img").map(picture => [picture.src, picture.naturalWidth, picture.alt]),
    headings: all("article :is(h1, h2, h3, h4, h5, h6)").map(heading => +heading.tagName[1]),
    bare_headers: all("article th:not([scope])").length,
    links: all("a[href]").map(link => link.href),
  };
}
"""

# The contrast of each visible text with what is painted behind it, as WCAG 2 defines it.
CONTRAST = """
() => {
  const parse = text => { const v = text.match(/[\\d.]+/g).map(Number); return v.length < 4 ? [...v, 1] : v; };
  const over = (top, bottom) => top.slice(0, 3).map((c, i) => c * top[3] + bottom[i] * (1 - top[3]));
  const behind = node => {
    if (!node) return [255, 255, 255];
    const own = parse(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(node.parentElement));
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const node of document.querySelectorAll("article p, article li, article a, article th, article td, article dt," +
       "article h1, article h2, article h3, article code span, article summary, article .pl-badge, article math")) {
    const box = node.getBoundingClientRect();
    if (!box.width || !node.textContent.trim() || getComputedStyle(node).visibility === "hidden") continue;
    if (node.classList.contains("headerlink")) continue;
    const back = behind(node);
    const [a, b] = [light(over(parse(getComputedStyle(node).color), back)), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.tagName} ${node.textContent.trim().slice(0, 40)}`);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with tempfile.TemporaryDirectory() as profile, playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=FLAGS, viewport={"width": 1200, "height": 900}
        )
        yield context
        context.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    page = browser.new_page()
    page.set_default_timeout(300_000)  # ms; a busy machine is no failure
    page.set_viewport_size({"width": 1200, "height": 900})
    yield page
    page.close()


def address(page: str) -> str:
    return (HTML / page).as_uri()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a browser finds on one page."""

    complaints: list[str]  # errors on the console, and requests to anything but files
    language: str
    images: list[tuple[str, int, str]]  # source, natural width, alternative text
    headings: list[int]  # levels in order
    bare_headers: int  # table headers without a scope
    links: list[str]
    width: int  # of the content on a screen of 360 pixels


@pytest.fixture(scope="module")
def look(browser: Any) -> Callable[[str], Seen]:
    """Open a page once for all the tests that ask about it."""

    @cache
    def look(page: str) -> Seen:
        tab = browser.new_page()
        complaints = listen(tab)
        tab.goto(address(page), wait_until="networkidle")
        found = tab.evaluate(CONTENT)
        tab.set_viewport_size({"width": 360, "height": 800})
        width = tab.evaluate("document.documentElement.scrollWidth")
        tab.close()
        return Seen(complaints=complaints, width=width, **found)

    return look


def listen(tab: Any) -> list[str]:
    """Gather what goes wrong in a tab."""
    complaints: list[str] = []
    tab.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))

    def asked(request: Any) -> None:
        if not request.url.startswith(("file://", "data:")):
            complaints.append(f"asks for {request.url}")

    tab.on("request", asked)
    return complaints


@cache
def anchors(path: Path) -> frozenset[str]:
    """The ids of a page."""
    return frozenset(re.findall(r'\bid="([^"]+)"', path.read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_without_a_complaint_or_a_request_to_the_network(look: Callable[[str], Seen], page: str) -> None:
    assert look(page).complaints == []
    assert look(page).language == "en"


@pytest.mark.parametrize("page", PAGES)
def test_every_image_loads_and_says_what_it_shows(look: Callable[[str], Seen], page: str) -> None:
    for source, width, words in look(page).images:
        assert width > 0, source
        assert len(words.split()) > 3, source
        assert not words.endswith((".png", ".svg")), source


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_no_wider_than_a_phone(look: Callable[[str], Seen], page: str) -> None:
    assert look(page).width <= 360


@pytest.mark.parametrize("page", PAGES)
def test_headings_descend_one_level_at_a_time_and_table_headers_have_a_scope(
    look: Callable[[str], Seen], page: str
) -> None:
    levels = look(page).headings

    assert levels.count(1) == 1 or not levels
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    assert look(page).bare_headers == 0


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_the_book_leads_somewhere(look: Callable[[str], Seen], page: str) -> None:
    for target in look(page).links:
        parts = urlsplit(target)
        if parts.scheme != "file":
            continue
        path = Path(os.path.normpath(unquote(parts.path)))
        assert path.is_file(), target
        if parts.fragment and path.suffix == ".html":
            assert unquote(parts.fragment) in anchors(path), target


@pytest.mark.parametrize("width", [1200, 400])
def test_the_figures_of_the_landing_page_lead_to_their_chapters(tab: Any, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(address("book/index.html"))
    target = "node => document.elementFromPoint(...(box => [box.x + box.width / 2, box.y + box.height / 2])"
    target += "(node.getBoundingClientRect())).closest('a')?.getAttribute('href')"
    for picture in tab.locator("figure.pl-headline img").all():
        picture.scroll_into_view_if_needed()
        chapter = picture.evaluate(target)
        assert chapter is not None
        assert (HTML / "book" / chapter).is_file()


def test_the_landing_page_tells_its_story_in_one_screen(tab: Any) -> None:
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(address("book/index.html"))
    bottoms = tab.locator("figure.pl-headline").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().bottom)"
    )

    assert len(bottoms) == 4
    assert max(bottoms) <= 900


def test_the_chinese_page_says_that_it_is_chinese(tab: Any) -> None:
    tab.goto(address("book/zh.html"))

    assert tab.locator("article h1").evaluate("node => node.closest('[lang]').lang") == "zh"


def test_the_first_page_leads_to_the_book(tab: Any) -> None:
    tab.goto(address("index.html"))
    tab.wait_for_url("**/book/index.html")

    assert tab.locator("article h1").is_visible()


def test_the_search_finds_pages_without_a_server(tab: Any) -> None:
    complaints = listen(tab)
    tab.goto(f"{address('search.html')}?q=pruning")
    tab.wait_for_selector("ul.search li a")

    assert tab.locator("ul.search li a").count() >= 3
    assert complaints == []


def test_formulas_are_mathml_and_none_is_left_as_latex(tab: Any) -> None:
    tab.goto(address("book/methods.html"))

    assert tab.locator("article math").count() > 10
    assert tab.locator("article math[display=block]").count() >= 5
    assert "\\frac" not in tab.inner_text("article")


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("page", STUDIES)
def test_text_stands_out_from_its_background(tab: Any, page: str, mode: str) -> None:
    tab.emulate_media(color_scheme=mode)
    tab.goto(address(page))
    tab.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")

    assert tab.evaluate("document.documentElement.dataset.theme") == mode
    assert tab.evaluate(CONTRAST) == []


def test_the_focus_of_the_keyboard_is_visible(tab: Any) -> None:
    tab.goto(address("book/findings.html"))
    tab.evaluate("document.querySelector('article summary').previousElementSibling?.scrollIntoView()")

    for selector in ("article summary", "article a.reference"):
        tab.evaluate(f"document.querySelector('{selector}').focus({{focusVisible: true}})")
        style = tab.evaluate(
            "(style => [style.outlineStyle, style.boxShadow])(getComputedStyle(document.activeElement))"
        )
        assert style[0] != "none" or style[1] != "none", selector


# What a reader sees of the first chart of a page: its words, and the outlines of its marks.
SEEN = """
() => {
  const chart = document.querySelector(".pl-chart-card svg");
  const all = (selector, name) => [...chart.querySelectorAll(selector)].map(node => node.getAttribute(name));
  return {words: all("[aria-label]", "aria-label"), marks: all(".mark-rect path, .mark-symbol path", "d"),
          places: all(".mark-symbol path", "transform")};
}
"""
MOVE = """
value => {
  const slider = document.querySelector(".pl-chart-card input[type=range]");
  slider.value = slider[value];
  slider.dispatchEvent(new Event("input", {bubbles: true}));
}
"""


def chart(tab: Any, page: str) -> None:
    tab.goto(address(page))
    tab.wait_for_selector(".pl-chart-card svg")


@pytest.mark.parametrize("page", CHARTS)
def test_the_marks_and_the_numbers_of_a_chart_follow_its_slider(tab: Any, page: str) -> None:
    complaints = listen(tab)
    chart(tab, page)
    seen = []
    for end in ("min", "max"):
        shown = json.dumps(tab.evaluate(SEEN)["places"])
        tab.evaluate(MOVE, end)
        tab.wait_for_function(
            f"shown => JSON.stringify(({SEEN})().places) != JSON.stringify(JSON.parse(shown))", arg=shown
        )
        seen.append(tab.evaluate(SEEN))
    before, after = seen

    assert all(old != new for old, new in zip(before["words"], after["words"], strict=True))
    assert before["marks"] != after["marks"]
    assert before["places"] != after["places"]
    assert complaints == []


@pytest.mark.parametrize("page", CHARTS)
def test_the_slider_of_a_chart_moves_by_keyboard_and_each_control_has_a_name(tab: Any, page: str) -> None:
    chart(tab, page)
    slider = tab.locator(".pl-chart-card input[type=range]").first
    before = slider.input_value()
    slider.focus()
    tab.keyboard.press("ArrowLeft")

    assert float(slider.input_value()) < float(before)
    names = "nodes => nodes.map(node => [...node.labels].map(label => label.textContent.trim()).join(' '))"
    assert all(tab.locator(".pl-chart-card input").evaluate_all(names))


@pytest.mark.parametrize("page", CHARTS)
def test_a_chart_of_several_networks_shows_the_one_that_is_chosen(tab: Any, page: str) -> None:
    chart(tab, page)
    networks = tab.locator(".pl-chart-card input[type=radio]")
    if networks.count() < 2:
        pytest.skip("one network")
    before = json.dumps(tab.evaluate(SEEN)["marks"])
    networks.nth(1).check()

    tab.wait_for_function(f"shown => JSON.stringify(({SEEN})().marks) != JSON.stringify(JSON.parse(shown))", arg=before)


@pytest.mark.parametrize("width", [360, 800, 1200])
@pytest.mark.parametrize("page", CHARTS)
def test_a_chart_is_as_wide_as_its_card_and_no_wider(tab: Any, page: str, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    chart(tab, page)
    card, inner, drawn = tab.evaluate(
        "(card => [card.clientWidth, card.scrollWidth, card.querySelector('svg').getBoundingClientRect().width])"
        "(document.querySelector('.pl-chart-card'))"
    )

    assert inner <= card
    assert card - 60 <= drawn <= card


def test_pages_without_a_chart_do_not_load_vega() -> None:
    loading = {page for page in PAGES if "charts/vega.js" in (HTML / page).read_text("utf-8")}

    assert loading == set(CHARTS)
