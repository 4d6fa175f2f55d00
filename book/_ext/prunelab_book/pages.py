"""What the book's directives share: an error for what is missing, and when a page is read again."""

from abc import ABC, abstractmethod
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from prunelab_book import results

KEY = "prunelab-listing"


class ResultDirective(SphinxDirective, ABC):
    """A directive that shows results."""

    def run(self) -> list[nodes.Node]:
        """What is shown, or an error naming what is missing."""
        try:
            return self.laid_out()
        except (results.ResultError, ValueError) as error:
            raise self.error(f"{self.name}: {error}") from error

    @abstractmethod
    def laid_out(self) -> list[nodes.Node]:
        """What is shown."""


def note(env: BuildEnvironment, *files: Path) -> None:
    """Have the page that is being read read again when one of these files changes."""
    for file in files:
        env.note_dependency(str(file))


def note_listing(env: BuildEnvironment) -> None:
    """Have the page that is being read read again at every build: it lists runs, and a new one is no changed file."""
    env.metadata[env.docname][KEY] = True


def _outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Pages to read again although none of their files changed."""
    return [page for page, fields in env.metadata.items() if KEY in fields and page not in removed]


def setup(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("env-get-outdated", _outdated)
