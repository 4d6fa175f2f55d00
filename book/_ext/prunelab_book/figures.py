"""Directive {run-figure}: a figure of a run with its alternative text, caption, data and command."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from prunelab_book import links, results, text
from prunelab_book.tables import target


class Shown(SphinxDirective, ABC):
    """What is common to the directives that show a figure of a run; its words come from figures/<name>.json.

    Figures are drawn by the build; the published ones by a run that reads the published tables, so that the only
    place is the build. Option: name, for references (default "<run>-<name>").
    """

    required_arguments = 1
    option_spec: ClassVar = {"name": directives.unchanged}
    looks: ClassVar[str]  # class of the figure

    def run(self) -> list[nodes.Node]:
        """The figure and, beneath it, where it comes from."""
        try:
            return self._nodes()
        except results.ResultError as error:
            raise self.error(f"{self.name}: {error}") from error

    def _nodes(self) -> list[nodes.Node]:
        """Read the sidecar and lay out."""
        place, run, name = target(self.arguments[0], self.options)
        folder = results.run_folder(Path(self.env.srcdir), place, run)
        sidecar = folder / "figures" / f"{name}.json"
        self.env.note_dependency(str(sidecar))
        about = results.read_json(sidecar)
        if not about["alt"].strip():
            raise results.ResultError(f"{run}/figures/{name}.json has no alternative text")
        shown = self.shown(folder, name, about)
        figure = nodes.figure("", shown, nodes.caption("", text.tight(about["caption"])), classes=[self.looks])
        self.options.setdefault("name", f"{run}-{name}")
        self.add_name(figure)
        return [figure, links.provenance(self.env, place, run, about.get("table"))]

    @abstractmethod
    def shown(self, folder: Path, name: str, about: Mapping[str, Any]) -> nodes.Node:
        """What stands above the caption, from the run's folder, the figure's name and its sidecar."""


class RunFigure(Shown):
    """{run-figure} run/name: figures/<name>.svg of a run."""

    looks = "pl-figure"

    def shown(self, folder: Path, name: str, about: Mapping[str, Any]) -> nodes.Node:
        """The picture."""
        picture = folder / "figures" / f"{name}.svg"
        return nodes.image(uri=f"/{picture.relative_to(self.env.srcdir).as_posix()}", alt=about["alt"])


def setup(app: Sphinx) -> None:
    """Register {run-figure}."""
    app.add_directive("run-figure", RunFigure)
