"""Formulas as MathML, made when the book is built: nothing to load when it is read, and screen readers read it.

latex2mathml passes over most mistakes (an unknown command becomes its own name in the formula), so what it
returns is checked, and a formula that fails is a build warning.
"""

import html
import re
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml import converter
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

ENVIRONMENTS = {"align", "align*", "split", "cases", "matrix", "pmatrix", "bmatrix", "vmatrix", "array"}
# Number of children that MathML demands; a missing LaTeX argument shows up as one child too few.
ARITY = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "mroot": 2, "msubsup": 3, "munderover": 3}


class FormulaError(ValueError):
    """LaTeX that does not become the formula it stands for."""


def convert(latex: str, *, display: bool) -> str:
    """MathML of a LaTeX formula.

    Args:
        latex: formula without its dollar signs.
        display: a block of its own, or inline in the text.

    Raises:
        FormulaError: unknown command or environment, unbalanced braces, a missing argument.
    """
    unknown = set(re.findall(r"\\begin\{([^}]*)\}", latex)) - ENVIRONMENTS
    if unknown:
        raise FormulaError(f"unknown environment {sorted(unknown)[0]!r}; known are {', '.join(sorted(ENVIRONMENTS))}")
    bare = re.sub(r"\\[{}\\]", "", latex)
    if bare.count("{") != bare.count("}"):
        raise FormulaError("unbalanced braces")
    try:
        text = converter.convert(latex, display="block" if display else "inline")
        root = ElementTree.fromstring(text)
    except Exception as error:  # latex2mathml has no common base for its errors
        raise FormulaError(f"{type(error).__name__} {error}".strip()) from error
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        leaf = (element.text or "").strip()
        if leaf.startswith("\\"):
            raise FormulaError(f"unknown command {leaf}")
        if leaf in {"&", "{", "}"} and tag == "mi":
            raise FormulaError(f"stray {leaf!r}")
        if tag in ARITY and len(element) != ARITY[tag]:
            raise FormulaError(f"an argument is missing in <{tag}>")
    return text


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write an inline formula."""
    self.body.append(_checked(node, display=False))
    raise nodes.SkipNode


def visit_display(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a display formula, with its number when it has a label."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:  # first, because the theme lays formulas out from right to left
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append(_checked(node, display=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def _checked(node: nodes.math | nodes.math_block, *, display: bool) -> str:
    """MathML, or the source text and a warning."""
    latex = node.astext()
    try:
        return convert(latex, display=display)
    except FormulaError as error:
        logger.warning("formula %r: %s", latex, error, location=node, type="prunelab", subtype="formula")
        return f"<code>{html.escape(latex)}</code>"


def setup(app: Sphinx) -> None:
    """Register the renderer; the book chooses it by ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
