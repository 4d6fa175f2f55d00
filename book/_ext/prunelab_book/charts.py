"""Directive {run-chart}: an interactive chart of a run, drawn by Vega out of an installed package, offline."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vl_convert
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.osutil import relative_uri
from sphinx.writers.html5 import HTML5Translator

from prunelab import files
from prunelab_book import links, pages, results
from prunelab_book.figures import Shown

# In the built book. Sphinx empties and fills _static by itself, on a schedule of its own.
FOLDER = "charts"
_SOURCES = Path(__file__).parent / "charts_files"


class Chart(nodes.General, nodes.Element):
    """The chart itself: attributes "id_", "specification" (JSON) and "alt"; children are shown without scripts."""


class RunChart(Shown):
    """{run-chart} run/name: figures/<name>.vl.json of a run."""

    looks = "pl-chart"

    def shown(self, folder: Path, name: str, about: Mapping[str, Any]) -> nodes.Node:
        """The chart, and what stands in its place without scripts."""
        path = folder / "figures" / f"{name}.vl.json"
        pages.note(self.env, path)
        compact = json.dumps(results.read_json(path), ensure_ascii=False, separators=(",", ":"))
        chart = Chart("", id_=f"chart-{folder.name}-{name}", specification=compact, alt=about["alt"])
        data = links.download(folder / "tables" / f"{about['table']}.csv", f"{about['table']}.csv", self.env)
        chart += nodes.paragraph("", "", nodes.Text("Scripts are off, so this figure stands still. Its data: "), data)
        return chart


def still(specification: str, width: int = 600) -> str:
    """The chart as SVG, as it first shows.

    Args:
        specification: Vega-Lite as JSON; what is as wide as its container gets `width`.
        width: pixels.
    """
    return vl_convert.vegalite_to_svg(json.dumps(_sized(json.loads(specification), width)))


def _sized(part: Any, width: int) -> Any:
    """The specification with a number where it says "width": "container"."""
    if isinstance(part, list):
        return [_sized(entry, width) for entry in part]
    if not isinstance(part, dict):
        return part
    return {
        key: width if (key, entry) == ("width", "container") else _sized(entry, width) for key, entry in part.items()
    }


def _visit(self: HTML5Translator, node: Chart) -> None:
    """The place of the chart, its specification, and what stands there without scripts."""
    name = node["id_"]
    files.write_text(Path(self.builder.outdir) / FOLDER / f"{name}.svg", still(node["specification"]))
    folder = relative_uri(self.builder.get_target_uri(self.builder.current_docname), f"{FOLDER}/")
    if next(iter(node.document.findall(Chart))) is node:  # once a page
        self.body.append(f'<link rel="stylesheet" href="{folder}charts.css"/>\n')
        self.body += [f'<script defer src="{folder}{script}"></script>\n' for script in ("vega.js", "charts.js")]
    alt = self.attval(node["alt"])
    specification = node["specification"].replace("</", "<\\/")  # "</" would end the script element
    self.body.append(
        f'<div class="pl-chart-card"><div id="{name}" role="group" aria-label="{alt}"></div></div>\n'
        f'<script type="application/json" data-chart="{name}">{specification}</script>\n'
        f'<noscript><img src="{folder}{name}.svg" alt="{alt}"/>\n'
    )


def _depart(self: HTML5Translator, node: Chart) -> None:
    """Close what stands there without scripts."""
    self.body.append("</noscript>\n")


def _write_scripts(app: Sphinx, error: Exception | None) -> None:
    """Put the scripts beside the charts, where the book has any: also when no page was written again."""
    home = Path(app.outdir) / FOLDER
    if error is None and home.is_dir():
        # In a function of its own: the bundle's names, "_" among them, would clash with those of Sphinx's scripts.
        files.write_text(home / "vega.js", f"(() => {{\n{vl_convert.javascript_bundle()}\n}})();\n")
        for source in sorted(_SOURCES.iterdir()):
            files.write_text(home / source.name, source.read_text("utf-8"))


def setup(app: Sphinx) -> None:
    """Register {run-chart}, its node for HTML, and the hook that writes the scripts."""
    app.add_directive("run-chart", RunChart)
    app.add_node(Chart, html=(_visit, _depart))
    app.connect("build-finished", _write_scripts)
