"""Pages of executed notebooks: the run's name in the title, how to get and repeat it, the data of each figure."""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from prunelab_book import links, pages, results

# Before Sphinx collects titles and downloads (priority 500), so that sidebar and file links know of them.
EARLY = 400


def _complete(app: Sphinx, doctree: nodes.document) -> None:
    """Tell runs of one notebook apart: three networks trained by one notebook have one title in the source."""
    env = app.env
    parts = Path(env.docname).parts
    if "/".join(parts[:2]) != results.PLACES["build"] or len(parts) != 4:
        return
    folder = Path(env.srcdir).joinpath(*parts[:3])
    for title in list(doctree.findall(nodes.title))[:1]:
        title += [nodes.Text(": "), nodes.literal("", parts[2])]
        notebook = links.download(folder / "notebook.ipynb", "Notebook", env)
        title.parent.insert(1, links.line([[notebook], links.again(folder, env)]))
    for image in list(doctree.findall(nodes.image)):
        picture = Path(image["uri"])
        if picture.parent.name == "figures":
            sidecar = folder / picture.with_suffix(".json")
            pages.note(env, sidecar)
            place = image.parent.parent
            beneath = links.provenance(env, "build", parts[2], results.read_json(sidecar)["table"])
            place.insert(place.index(image.parent) + 1, beneath)


def setup(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("doctree-read", _complete, priority=EARLY)
