"""The line beneath a figure or a table: its data, its notebook, and the command that makes it again."""

from collections.abc import Sequence
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.environment import BuildEnvironment

from prunelab_book import pages, results


def download(path: Path, text: str, env: BuildEnvironment) -> addnodes.download_reference:
    """A link to a copy of a file inside the built book, so that it works from file:// as well."""
    target = "/" + path.relative_to(env.srcdir).as_posix()
    return addnodes.download_reference("", "", nodes.Text(text), reftarget=target, refdoc=env.docname)


def page(docname: str, text: str, env: BuildEnvironment, *, explicit: bool = True) -> addnodes.pending_xref:
    """A link to another page of the book, by its title where the text is not `explicit`."""
    return reference("doc", f"/{docname}", text, env, explicit=explicit)


def reference(kind: str, target: str, text: str, env: BuildEnvironment, *, explicit: bool) -> addnodes.pending_xref:
    """A link within the book, "doc" or "ref"; a target that is not there is a build warning."""
    about = {"refdomain": "std", "refdoc": env.docname, "refwarn": True}
    return addnodes.pending_xref(
        "", nodes.inline("", text), reftype=kind, reftarget=target, refexplicit=explicit, **about
    )


def notebook_page(run: str) -> str:
    """Name of the page of a run's executed notebook."""
    return f"{results.PLACES['build']}/{run}/notebook"


def provenance(env: BuildEnvironment, place: str, run: str, table: str | None) -> nodes.paragraph:
    """Write "Data: threshold-sweep.csv · Notebook: threshold-sweep · Again: prunelab run …".

    Where the table is a copy of a published one, the command that measured it stands beside the one that drew it.

    Args:
        env: the build.
        place: "build" or "published".
        run: the run's name.
        table: name of the table behind what is shown, None when there is none.

    Raises:
        ResultError: the run or its provenance.json is missing.
    """
    source = Path(env.srcdir)
    folder = results.run_folder(source, place, run)
    parts: list[list[nodes.Node]] = []
    if table is not None:
        parts.append([nodes.Text("Data: "), download(folder / "tables" / f"{table}.csv", f"{table}.csv", env)])
    if place == "build":
        parts.append([nodes.Text("Notebook: "), page(notebook_page(run), run, env)])
    measured = results.published_twin(source, folder, table) if place == "build" and table is not None else None
    if measured is None:
        return line([*parts, again(folder, env)])
    return line([*parts, again(measured, env, "Measured by: "), again(folder, env, "Drawn by: ")])


def again(folder: Path, env: BuildEnvironment, label: str = "Again: ") -> list[nodes.Node]:
    """The command that makes a run again."""
    source = folder / "provenance.json"
    pages.note(env, source)
    return [nodes.Text(label), nodes.literal("", results.read_json(source)["command"])]


def line(parts: Sequence[Sequence[nodes.Node]]) -> nodes.paragraph:
    """Parts joined by dots, in small print."""
    joined = nodes.paragraph(classes=["pl-provenance"])
    for index, part in enumerate(parts):
        joined += [nodes.Text(" · ")] if index else []
        joined += part
    return joined
