"""Directive {run-figure}: a figure of a run with its alternative text, caption, data and command."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from prunelab_book import links, pages, results, text
from prunelab_book.tables import target

_ABSENT = "A figure of networks that are not published stands here in a build that trains them."


class Shown(pages.ResultDirective):
    """What is common to the directives that show a figure of a run; its words come from figures/<name>.json.

    Figures are drawn by the build; the published ones by a run that reads the published tables, so that the only
    place is the build. Option: name, for references (default "<run>-<name>").
    """

    required_arguments = 1
    option_spec: ClassVar = {"name": directives.unchanged}
    looks: ClassVar[str]  # class of the figure

    def laid_out(self) -> list[nodes.Node]:
        """The figure and, beneath it, where it comes from."""
        place, run, name = target(self.arguments[0], self.options)
        folder = results.run_folder(Path(self.env.srcdir), place, run)
        self.options.setdefault("name", f"{run}-{name}")
        if not (folder / "figures" / f"{name}.json").is_file() and not results.executed(Path(self.env.srcdir)):
            absent = nodes.paragraph("", _ABSENT, classes=["pl-absent"])
            self.add_name(absent)
            return [absent]
        about = sidecar(self.env, folder, name)
        shown = self.shown(folder, name, about)
        figure = nodes.figure("", shown, nodes.caption("", text.tight(about["caption"])), classes=[self.looks])
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
        return picture(self.env, folder, name, about)


def sidecar(env: BuildEnvironment, folder: Path, name: str) -> Mapping[str, Any]:
    """What a run says of one of its figures; ResultError where it has no words for who cannot see it."""
    path = folder / "figures" / f"{name}.json"
    pages.note(env, path)
    about: Mapping[str, Any] = results.read_json(path)
    if not about["alt"].strip():
        raise results.ResultError(f"{folder.name}/figures/{name}.json has no alternative text")
    return about


def picture(env: BuildEnvironment, folder: Path, name: str, about: Mapping[str, Any]) -> nodes.image:
    """The picture of a figure."""
    path = folder / "figures" / f"{name}.svg"
    return nodes.image(uri=f"/{path.relative_to(env.srcdir).as_posix()}", alt=about["alt"])


def setup(app: Sphinx) -> None:
    """Register {run-figure}."""
    app.add_directive("run-figure", RunFigure)
