"""The project's text notebooks, read into memory as Jupyter notebooks."""

import ast
import difflib
import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbformat import NotebookNode

from prunelab import files, project

PACKAGE = Path(__file__).parents[1]


def names() -> list[str]:
    """Return the names of the project's notebooks, `notebooks/<name>.py`, in alphabetical order."""
    return sorted(path.stem for path in (project.root() / "notebooks").glob("*.py"))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message about an unknown name: the nearest known one, or all of them."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(choices)}" if choices else "; there are none"


def path(name_or_path: str | Path) -> Path:
    """Find a notebook by its name in the project, or by a path to a `.py` file anywhere, from the current folder.

    Raises:
        FileNotFoundError: there is none; the message gives the nearest name.
        ValueError: a path to something other than a text notebook.
    """
    text = str(name_or_path)
    if "/" not in text and not text.endswith((".py", ".ipynb")):
        if text in names():
            return project.root() / "notebooks" / f"{text}.py"
        place = f"{project.root().name}/notebooks"
        raise FileNotFoundError(f"no notebook named {text!r} in {place}{nearest(text, names())}")
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

    Raises:
        FileNotFoundError, ValueError: as `path`, or it is not a text notebook in UTF-8.
    """
    # Here and not above: jupytext takes a quarter of a second to import, which `prunelab --help` need not wait for.
    import jupytext

    file = path(name_or_path)
    try:
        nb: NotebookNode = jupytext.reads(file.read_text(encoding="utf-8-sig"), fmt="py:percent")
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


def modules_used(notebook: str | Path, *, package: Path = PACKAGE) -> list[Path]:
    """List the modules of a package that a notebook imports, and those that these import in turn, sorted.

    Imports are read from the text, wherever they stand (in functions and conditions too), and nothing is run. The
    `__init__.py` of every package on the way counts. A module whose name is put together at run time is not seen.

    Raises:
        FileNotFoundError, ValueError: as `path`, or the notebook or one of the modules is not Python.
    """
    found: set[Path] = set()
    waiting = list(_imported(path(notebook), package))
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imported(module, package)
    return sorted(found)


def identity(notebook: str | Path, *, package: Path = PACKAGE) -> str:
    """Return the SHA-256 over a notebook's text and `modules_used`, by their place in the package."""
    named = {"notebook": path(notebook)}
    named |= {module.relative_to(package).as_posix(): module for module in modules_used(notebook, package=package)}
    lines = (f"{files.digest(file)}  {name}\n" for name, file in named.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _imported(file: Path, package: Path) -> tuple[Path, ...]:
    """List the package's modules that one file imports."""
    about = file.stat()
    return _read_imports(file, package, (about.st_mtime_ns, about.st_size))


@functools.cache  # every run of a profile asks for most of the modules
def _read_imports(file: Path, package: Path, _: tuple[int, int]) -> tuple[Path, ...]:
    return tuple(_imports(file, package))


def _imports(file: Path, package: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8-sig"))
    except SyntaxError as error:
        raise ValueError(f"{file.name} is not Python: {error.msg} (line {error.lineno})") from None
    # The parts of the package that `file` lies in: what a relative import starts from. A notebook lies in none.
    home = (package.name, *file.relative_to(package).parts[:-1]) if file.is_relative_to(package) else ()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(tuple(alias.name.split(".")), package)
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                # `from a import b` means the module a/b.py, or a name in a.
                yield from _files((*module, alias.name), package)


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield every statement, wherever it stands; most of a tree is expressions, which import nothing."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, field, ())


def _files(module: tuple[str, ...], package: Path) -> Iterator[Path]:
    """Yield the files that importing a dotted name runs: the `__init__.py` on the way, then the module."""
    if module[:1] != (package.name,):
        return
    for length in range(1, len(module) + 1):
        place = package.joinpath(*module[1:length])
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                yield file
                break
