"""Directive {runs}: every run with its parameters, cost, verdicts and files."""

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx

from prunelab import claims
from prunelab_book import links, pages, results, tables, text, verdicts
from prunelab_book.details import details
from prunelab_book.findings import WORDS, badge


class Runs(pages.ResultDirective):
    """{runs}: table of the runs of this build, or of the published ones (option profile)."""

    option_spec: ClassVar = {"profile": directives.unchanged}

    def laid_out(self) -> list[nodes.Node]:
        """One row a run, from its provenance."""
        pages.note_listing(self.env)
        place = self.options.get("profile", "build")
        names = results.run_names(Path(self.env.srcdir), place)
        if not names:
            return [nodes.paragraph("", "No run here yet.")]
        rows = [self._row(place, name) for name in names]
        return [tables.build(["Run", "Wall time", "Peak memory", "Verdicts", "Record"], rows, classes=["pl-runs"])]

    def _row(self, place: str, run: str) -> list[tables.Cell]:
        """Cells of one run."""
        folder = results.run_folder(Path(self.env.srcdir), place, run)
        source = folder / "provenance.json"
        pages.note(self.env, source)
        about = results.read_json(source)
        title = links.page(links.notebook_page(run), run, self.env) if place == "build" else nodes.Text(run)
        command = nodes.paragraph("", "", nodes.literal("", about["command"]))
        return [
            [nodes.paragraph("", "", title), nodes.paragraph("", _what(about), classes=["pl-fact"])],
            nodes.paragraph("", text.duration(about["wall_seconds"]), classes=["pl-number"]),
            nodes.paragraph("", text.memory(about["peak_memory_bytes"]), classes=["pl-number"]),
            self._verdicts(folder / "claims.json"),
            [
                details("Parameters", _pairs(about["parameters"])),
                details("Command and versions", command, _versions(about)),
                details("Files", self._files(folder)),
            ],
        ]

    def _verdicts(self, path: Path) -> list[nodes.Node]:
        """How many claims the run decided, by verdict."""
        if not path.is_file():
            return [nodes.paragraph("", "none")]
        pages.note(self.env, path)
        decided = claims.read(path)
        counts = Counter(entry.verdict for entry in decided)
        who = nodes.paragraph("", verdicts.subjects(entry.cases for entry in decided), classes=["pl-effect"])
        return [
            *(nodes.paragraph("", f"{counts[verdict]} × ", badge(verdict)) for verdict in WORDS if counts[verdict]),
            who,
        ]

    def _files(self, folder: Path) -> nodes.bullet_list:
        """Downloads: notebook, tables with their sidecars, verdicts, provenance."""
        paths = [*folder.glob("notebook.ipynb"), *sorted(folder.glob("tables/*.*")), *sorted(folder.glob("*.json"))]
        return nodes.bullet_list(
            "",
            *(
                nodes.list_item("", nodes.paragraph("", "", links.download(path, path.name, self.env)))
                for path in paths
            ),
        )


def _what(about: dict[str, Any]) -> str:
    """A run's notebook, and the data sets it read if any."""
    names = ", ".join(entry["name"] for entry in about["data"])
    return f"{about['notebook']} on {names}" if names else about["notebook"]


def _pairs(values: dict[str, Any]) -> nodes.bullet_list:
    """Lines of "name: value"."""
    items = (nodes.paragraph("", f"{name}: {text.plain(value)}") for name, value in values.items())
    return nodes.bullet_list("", *(nodes.list_item("", item) for item in items))


def _versions(about: dict[str, Any]) -> nodes.bullet_list:
    """Code, data and package versions of a run."""
    data = {f"data {entry['name']}": entry["content_id"] for entry in about["data"]}
    machine = {"python": about["python"], "cpu": about["cpu"], "threads": about["threads"]}
    return _pairs({"code": about["code"]["version"], **data, **machine, **about["packages"]})


def setup(app: Sphinx) -> None:
    """Register {runs}."""
    app.add_directive("runs", Runs)
