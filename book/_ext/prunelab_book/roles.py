"""Roles {value} and {estimate}: a number out of a run's values.json, never typed into the prose."""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from prunelab_book import results, text


class ValueRole(SphinxRole):
    """{value}`place:run:key`, for example {value}`published:threshold-sweep:abs-knee-relu`."""

    form = staticmethod(text.quantity)

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The number as text, or an error naming the file and the nearest key."""
        try:
            place, run, key = self._target()
            path = results.run_folder(Path(self.env.srcdir), place, run) / "values.json"
            self.env.note_dependency(str(path))
            entry = results.value(path, key)
        except results.ResultError as error:
            message = self.inliner.reporter.error(f"{self.name}: {error}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        return [nodes.inline(self.rawtext, self.form(entry), classes=["pl-value"])], []

    def _target(self) -> tuple[str, str, str]:
        """Split "place:run:key"."""
        parts = self.text.split(":")
        if len(parts) != 3:
            raise results.ResultError(f"wants place:run:key, got {self.text!r}")
        return parts[0], parts[1], parts[2]


class EstimateRole(ValueRole):
    """{estimate}`place:run:key`: the same number with its interval and number of seeds."""

    form = staticmethod(text.estimate)


def setup(app: Sphinx) -> None:
    """Register the roles."""
    app.add_role("value", ValueRole())
    app.add_role("estimate", EstimateRole())
