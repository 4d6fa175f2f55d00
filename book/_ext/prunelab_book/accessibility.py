"""What the writers of HTML leave out: the scope of table headers, in our tables and in those of notebooks."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_SECTION = re.compile(r"<thead\b.*?</thead>|<tbody\b.*?</tbody>", re.DOTALL)
_EMPTY = re.compile(r"<th\b([^>]*)>\s*</th>")
_UNSCOPED = re.compile(r"<th\b(?![^>]*\bscope=)")


def scoped(body: str) -> str:
    """HTML with a scope on every table header, and header cells without text made plain cells.

    A `<th>` heads its column in `<thead>` and its row in `<tbody>`. pandas writes an empty `<th>` above an index
    without a name, which screen readers announce as a header of nothing.
    """

    def mend(section: re.Match[str]) -> str:
        scope = "col" if section[0].startswith("<thead") else "row"
        return _UNSCOPED.sub(f'<th scope="{scope}"', _EMPTY.sub(r"<td\1></td>", section[0]))

    return _SECTION.sub(mend, body)


def _mend_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.Node) -> None:
    """Mend the body of a page just before it is written."""
    if "body" in context:
        context["body"] = scoped(context["body"])


def setup(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("html-page-context", _mend_page)
