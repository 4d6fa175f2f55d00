"""Books of one page, built by Sphinx with the book's own extension; the results they quote are made up."""

import json
import re
import sys
from io import StringIO
from pathlib import Path

import pytest

pytest.importorskip("sphinx.application", reason="the book extra is not installed")
pytest.importorskip("latex2mathml", reason="the book extra is not installed")
pytest.importorskip("vl_convert", reason="the book extra is not installed")

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "book" / "_ext"))

# Sphinx and docutils 0.21 warn of each other's next versions; nothing of ours.
WITHOUT_DEPRECATIONS = [
    pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("DeprecationWarning", "PendingDeprecationWarning")
]
PROVENANCE = {
    "run": "sweep",
    "notebook": "threshold-sweep",
    "profile": "quick",
    "parameters": {"seeds": [0, 1, 2]},
    "code": {"version": "0.1.0", "sources": "0"},
    "data": [{"name": "digits", "content_id": "0123456789ab"}],
    "packages": {"torch": "2.13.0"},
    "python": "3.11.9",
    "cpu": "x86_64",
    "threads": 1,
    "wall_seconds": 83.2,
    "peak_memory_bytes": 734003200,
    "command": "prunelab run sweep --profile quick",
}
CASE = {
    "case": "mlp on digits",
    "verdict": "not-reproduced",
    "effect": 3.0,
    "low": 2.5,
    "high": 3.5,
    "unit": "points",
    "n_seeds": 3,
    "table": "sweep/tables/errors.csv",
    "margin": -2.0,
    "reason": "3 points (95 % interval 2.5 to 3.5, 3 seeds), claimed at most 1",
}
CLAIMS = """
sparseness:
  - id: abs-free-lunch
    statement: A third of the weights goes for nothing.
    published: {sparsity_percent: 35.74}
    rule: the increase is at most 1 point.
    figure: {sparseness: sweep/knees, images: sweep/knees}
  - id: abs-knee
    statement: Past the knee it collapses.
    rule: within 15 points of sparsity.
    figure: {sparseness: sweep/knees, images: sweep/knees}
"""


class Book:
    """A project with one run and one page."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run = root / "book" / "executed" / "sweep"
        self.html = root / "_build" / "html"
        self.write("book/executed/sweep/provenance.json", PROVENANCE)
        self.write("book/executed/sweep/tables/errors.csv", "model,error_percent\nmlp,1.25\nlenet,-3.5\n")
        columns = {"model": "spec of the net", "error_percent": "error [%]"}
        self.write("book/executed/sweep/tables/errors.json", {"columns": columns})
        self.figure("curve", alt="Error rises with the threshold")
        self.figure("knees", alt="The knee of one sign lies below that of both")
        self.write("book/executed/sweep/notebook.md", "---\norphan: true\n---\n# Notebook")
        self.write("book/executed/sweep/notebook.ipynb", "{}")
        self.write("published/claims.yml", CLAIMS)
        chapter = "---\norphan: true\n---\n# Threshold pruning\n\n```{run-figure} sweep/knees\n```\n"
        self.write("book/sparseness.md", chapter)

    def write(self, path: str, content: object) -> None:
        """Write a text as it is, anything else as JSON."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")

    def figure(self, name: str, *, alt: str) -> None:
        """Write a figure of the run."""
        self._shown(f"{name}.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>', alt)

    def chart(self, name: str, *, alt: str = "Bars that grow from left to right", title: str = "a </script> b") -> str:
        """Write a chart of two bars; the directive that shows it."""
        specification = {
            "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
            "data": {"values": [{"a": "one", "b": 1}, {"a": "two", "b": 2}]},
            "mark": "bar",
            "width": "container",
            "encoding": {
                "x": {"field": "a", "type": "nominal", "title": title},
                "y": {"field": "b", "type": "quantitative"},
            },
        }
        self._shown(f"{name}.vl.json", specification, alt)
        return f"```{{run-chart}} sweep/{name}\n```\n"

    def _shown(self, file: str, content: object, alt: str) -> None:
        """Write what the run shows, and its words."""
        self.write(f"book/executed/sweep/figures/{file}", content)
        sidecar = {"alt": alt, "caption": "Error.", "table": "errors"}
        self.write(f"book/executed/sweep/figures/{file.partition('.')[0]}.json", sidecar)

    def claims(self, old: str, new: str) -> None:
        """Write the claims with a part of them changed."""
        assert old in CLAIMS
        self.write("published/claims.yml", CLAIMS.replace(old, new))

    def decide(self, *cases: dict[str, object], study: str = "sparseness") -> None:
        """Write the verdict on the first claim, the first case the one least in favour."""
        head = {key: value for key, value in cases[0].items() if key != "margin"}
        verdict = {"study": study, "id": "abs-free-lunch", "published": None, **head, "cases": cases}
        self.write("book/executed/sweep/claims.json", [verdict])

    def build(self, page: str | None = None) -> tuple[str, str]:
        """Build, warm after the first time; the page's HTML and the warnings."""
        if page is not None:
            self.write("index.md", f"# Page\n\n{page}\n")
        warnings = StringIO()
        with patch_docutils(), docutils_namespace():
            app = Sphinx(
                self.root,
                None,
                self.html,
                self.html.with_name("doctrees"),
                "html",
                confoverrides={
                    "extensions": ["myst_parser", "prunelab_book"],
                    "myst_enable_extensions": ["dollarmath"],
                    "html_math_renderer": "mathml",
                    "html_theme": "basic",
                    "exclude_patterns": ["_build"],
                },
                status=None,
                warning=warnings,
            )
            app.build()
        return (self.html / "index.html").read_text("utf-8"), warnings.getvalue()

    def built(self, page: str | None = None) -> str:
        """Build a page that nothing is wrong with; its HTML."""
        html, warnings = self.build(page)
        assert not warnings
        return html

    def refusal(self, page: str | None = None) -> str:
        """Build a page with an error; what is said of it."""
        warnings = self.build(page)[1]
        assert "ERROR" in warnings
        return warnings


def words(html: str) -> str:
    """The text of a page without its tags."""
    return re.sub(r"<[^>]*>", "", html)
