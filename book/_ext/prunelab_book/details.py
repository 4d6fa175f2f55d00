"""A `<details>` element as a docutils node: text that opens on demand, without a script."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


class Details(nodes.General, nodes.Element):
    """A folded part of a page; its "summary" attribute is the line that is always shown."""


def details(summary: str, *children: nodes.Node) -> Details:
    """A folded part with its summary line and its content."""
    return Details("", *children, summary=summary)


def _visit(self: HTML5Translator, node: Details) -> None:
    """Open the element and write its summary."""
    self.body.append(f'<details class="pl-details"><summary>{self.encode(node["summary"])}</summary>\n')


def _depart(self: HTML5Translator, node: Details) -> None:
    """Close the element."""
    self.body.append("</details>\n")


def setup(app: Sphinx) -> None:
    """Register the node for HTML."""
    app.add_node(Details, html=(_visit, _depart))
