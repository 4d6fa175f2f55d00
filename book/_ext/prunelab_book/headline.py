"""Directive {headline}: a small figure over the one sentence that it stands for."""

from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx

from prunelab_book import figures, pages, results
from prunelab_book.tables import target


class Headline(pages.ResultDirective):
    """{headline} run/name: figures/<name>.svg of a run; the content is one paragraph with a link to where it stands.

    The style sheet makes that link as large as the figure.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {}

    def laid_out(self) -> list[nodes.Node]:
        """The figure with the paragraph as its caption."""
        place, run, name = target(self.arguments[0], {})
        folder = results.run_folder(Path(self.env.srcdir), place, run)
        about = figures.sidecar(self.env, folder, name)
        said = self.parse_content_to_nodes()
        if len(said) != 1 or not isinstance(said[0], nodes.paragraph):
            raise results.ResultError(f"wants one paragraph beneath {run}/{name}, got {len(said)} parts")
        image = figures.picture(self.env, folder, name, about)
        return [nodes.figure("", image, nodes.caption("", "", *said[0].children), classes=["pl-headline"])]


def setup(app: Sphinx) -> None:
    """Register {headline}."""
    app.add_directive("headline", Headline)
