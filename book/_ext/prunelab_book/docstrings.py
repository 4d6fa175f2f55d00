"""The API reference out of the sources: docstrings as the plain text they are, signatures as they are written."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any, Literal, get_origin

from sphinx.application import Sphinx

# Literals, and roles such as :func:`x`, stay; outside them the characters that open markup are escaped.
_KEPT = re.compile(r"(``.*?``|:[\w:]+:`[^`]*`|`[^`]+`)")
_MARKUP = re.compile(r"([|\\])|(?<!\*)(\*)(?!\*)|(?<=\w)(_)(?=\W|$)")


def escaped(line: str) -> str:
    """One docstring line in which `|w| < t` and `*` are formulas, not reStructuredText markup."""
    parts = _KEPT.split(line)
    return "".join(
        part if index % 2 else _MARKUP.sub(lambda match: f"\\{match[0]}", part) for index, part in enumerate(parts)
    )


def written_signature(function: Any) -> tuple[str, str]:
    """Arguments and return annotation as the source has them, with the package's own aliases spelt out.

    Python evaluates annotations, which turns a name such as `ArrayLike` into the ten types it stands for; a name
    such as `Sign` says less than `Literal['abs', 'positive', 'negative']`.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    tree = _SpeltOut(function.__globals__).visit(tree)
    if tree.args.args and tree.args.args[0].arg in {"self", "cls"}:
        del tree.args.args[0]
    return f"({ast.unparse(tree.args)})", ast.unparse(tree.returns) if tree.returns else ""


class _SpeltOut(ast.NodeTransformer):
    """Replace names that stand for a choice of words or for a function by what they stand for."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Spell out one name."""
        value = self.names.get(node.id)
        if get_origin(value) not in {Literal, Callable}:
            return node
        return ast.parse(str(value).replace("typing.", ""), mode="eval").body


def _escape(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape a docstring in place, before napoleon turns its sections into markup."""
    lines[:] = [escaped(line) for line in lines]
    if what in {"attribute", "property"}:
        # Napoleon takes what stands before a colon in the first line for a type; an empty comment goes first.
        lines[:0] = ["..", ""]


def _sign(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str, str] | None:
    """Give functions and methods their written signature."""
    return written_signature(obj) if what in {"function", "method"} else None


def setup(app: Sphinx) -> None:
    """Register the hooks, if the book has an API reference."""
    if "sphinx.ext.autodoc" in app.extensions:
        app.connect("autodoc-process-docstring", _escape, priority=400)
        app.connect("autodoc-process-signature", _sign)
