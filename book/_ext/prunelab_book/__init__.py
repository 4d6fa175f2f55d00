"""Sphinx extension of the Prunelab book: numbers, figures, tables, verdicts, read from files when it is built."""

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import FilenameUniqDict

from prunelab_book import (
    accessibility,
    charts,
    details,
    docstrings,
    figures,
    findings,
    headline,
    mathml,
    notebooks,
    pages,
    roles,
    runs,
    tables,
    tally,
)


def setup(app: Sphinx) -> dict[str, object]:
    """Register every role, directive, node and hook of the book."""
    for part in (
        accessibility,
        charts,
        details,
        docstrings,
        figures,
        findings,
        headline,
        mathml,
        notebooks,
        pages,
        roles,
        runs,
        tables,
        tally,
    ):
        part.setup(app)
    app.connect("config-inited", _side_by_side)
    app.connect("env-updated", _images_in_order)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}


def _side_by_side(app: Sphinx, _: object) -> None:
    """Let pages be read side by side: the one extension that does not say whether they may is off in this book."""
    if "sphinx_multitoc_numbering" in app.extensions:
        app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True


def _images_in_order(_: Sphinx, env: BuildEnvironment) -> None:
    """Number images of one name by their paths: else they are numbered as pages happen to be read."""
    images = FilenameUniqDict()
    for path in sorted(env.images):
        for page in sorted(env.images[path][0]):
            images.add_file(page, path)
    env.images = images
