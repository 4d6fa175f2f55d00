"""The project's text notebooks, read into memory as Jupyter notebooks."""

import difflib
from pathlib import Path

from nbformat import NotebookNode

from prunelab import project


def names() -> list[str]:
    """Return the names of the project's notebooks, `notebooks/<name>.py`, in alphabetical order."""
    return sorted(path.stem for path in (project.root() / "notebooks").glob("*.py"))


def path(name_or_path: str | Path) -> Path:
    """Find a notebook by its name in the project, or by a path to a `.py` file anywhere.

    Args:
        name_or_path: "threshold-sweep", or a path that ends in .py, relative to the current folder.

    Raises:
        FileNotFoundError: there is none; the message gives the nearest name.
        ValueError: a path to something other than a text notebook.
    """
    text = str(name_or_path)
    if "/" not in text and not text.endswith((".py", ".ipynb")):
        if text in names():
            return project.root() / "notebooks" / f"{text}.py"
        nearest = difflib.get_close_matches(text, names(), n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(names()) or 'none'}"
        raise FileNotFoundError(f"no notebook named {text!r} in {project.root().name}/notebooks; {hint}")
    found = Path(name_or_path).expanduser()
    if found.suffix != ".py":
        raise ValueError(
            f"a notebook is a text notebook, a .py file with '# %%' cells; got {text!r}"
            + (" (convert it with 'jupytext --to py:percent')" if found.suffix == ".ipynb" else "")
        )
    if not found.is_file():
        raise FileNotFoundError(f"no notebook at {text!r}; a name without .py and '/' means one of the project's")
    return found


def read(name_or_path: str | Path) -> NotebookNode:
    """Read a text notebook as a notebook in memory, the same each time it is read.

    Cell ids are numbered, since drawn ids would make two runs differ, and the kernelspec is always that of plain
    Python: the kernel is the interpreter that runs Prunelab, whatever the file's header names.

    Args:
        name_or_path: a name of `names()`, or a path to a .py file.

    Raises:
        FileNotFoundError: there is no such notebook.
        ValueError: it is not a text notebook in UTF-8.
    """
    # Here and not above: jupytext takes a quarter of a second to import, which `prunelab --help` need not wait for.
    import jupytext

    file = path(name_or_path)
    try:
        nb: NotebookNode = jupytext.reads(file.read_text(encoding="utf-8"), fmt="py:percent")
    except Exception as error:  # a broken header makes jupytext raise errors of many kinds
        raise ValueError(f"{file.name} is no text notebook: {(str(error) or repr(error)).splitlines()[0]}") from None
    nb.metadata.pop("jupytext", None)
    nb.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nb.nbformat, nb.nbformat_minor = 4, 5
    return with_numbered_cells(nb)


def with_numbered_cells(nb: NotebookNode) -> NotebookNode:
    """Give the cells the ids cell-0, cell-1, … in place, and return the notebook."""
    for index, cell in enumerate(nb.cells):
        cell["id"] = f"cell-{index}"
    return nb


def title(nb: NotebookNode) -> str:
    """Return the first heading of the notebook's text cells, or "" where there is none."""
    lines = (line for cell in nb.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
    return next((line.lstrip("#").strip() for line in lines if line.startswith("#")), "")
