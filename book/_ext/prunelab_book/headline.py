"""Directive {headline}: a small figure over the one sentence that it stands for."""

from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from prunelab_book import results
from prunelab_book.tables import target


class Headline(SphinxDirective):
    """{headline} run/name: figures/<name>.svg of a run; the content is one paragraph with a link to where it stands.

    The style sheet makes that link as large as the figure.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """The figure with the paragraph as its caption."""
        try:
            return [self._figure()]
        except results.ResultError as error:
            raise self.error(f"headline: {error}") from error

    def _figure(self) -> nodes.figure:
        """Read the sidecar for the words of the picture."""
        place, run, name = target(self.arguments[0], {})
        picture = results.run_folder(Path(self.env.srcdir), place, run) / "figures" / f"{name}.svg"
        sidecar = picture.with_suffix(".json")
        self.env.note_dependency(str(sidecar))
        alt = results.read_json(sidecar)["alt"]
        if not alt.strip():
            raise results.ResultError(f"{run}/figures/{name}.json has no alternative text")
        said = self.parse_content_to_nodes()
        if len(said) != 1 or not isinstance(said[0], nodes.paragraph):
            raise results.ResultError(f"wants one paragraph beneath {run}/{name}, got {len(said)} parts")
        image = nodes.image(uri=f"/{picture.relative_to(self.env.srcdir).as_posix()}", alt=alt)
        return nodes.figure("", image, nodes.caption("", "", *said[0].children), classes=["pl-headline"])


def setup(app: Sphinx) -> None:
    """Register {headline}."""
    app.add_directive("headline", Headline)
