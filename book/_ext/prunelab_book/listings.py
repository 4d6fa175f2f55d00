"""Pages that list whatever runs there are: they are read again at every build, because a new run is no changed file."""

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

KEY = "prunelab-listing"


def note_listing(env: BuildEnvironment) -> None:
    """Mark the page being read as one that lists runs."""
    env.metadata[env.docname][KEY] = True


def _outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Pages to read again although none of their files changed."""
    return [page for page, fields in env.metadata.items() if KEY in fields and page not in removed]


def setup(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("env-get-outdated", _outdated)
