"""Sphinx extension of the Prunelab book: numbers, figures, tables, verdicts, read from files when it is built."""

from sphinx.application import Sphinx

from prunelab_book import (
    accessibility,
    charts,
    details,
    docstrings,
    figures,
    findings,
    headline,
    listings,
    mathml,
    notebooks,
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
        listings,
        mathml,
        notebooks,
        roles,
        runs,
        tables,
        tally,
    ):
        part.setup(app)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
