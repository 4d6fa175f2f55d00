"""The package's own modules that a notebook runs on: inputs of the run graph, and the code's identity in provenance."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from prunelab import files
from prunelab.report import notebooks

PACKAGE = Path(__file__).parents[1]


def modules_used(notebook: str | Path, *, package: Path = PACKAGE) -> list[Path]:
    """List the modules of a package that a notebook imports, and those that these import in turn.

    Imports are read from the text, wherever they stand (in functions and conditions too), and nothing is run. The
    `__init__.py` of every package on the way counts. A module whose name is put together at run time is not seen.

    Args:
        notebook: a name, or a path to a .py file.
        package: the package's folder; its name is that of the package.

    Returns:
        Absolute paths, sorted.

    Raises:
        FileNotFoundError: there is no such notebook.
        ValueError: the notebook or one of the modules is not Python.
    """
    found: set[Path] = set()
    waiting = list(_imported(notebooks.path(notebook), package))
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imported(module, package)
    return sorted(found)


def identity(notebook: str | Path, *, package: Path = PACKAGE) -> str:
    """Return the SHA-256 over a notebook's text and the modules it uses, by their place in the package.

    Raises:
        FileNotFoundError: there is no such notebook.
        ValueError: the notebook or one of the modules is not Python.
    """
    lines = [f"{files.digest(notebooks.path(notebook))}  notebook\n"]
    lines += [
        f"{files.digest(module)}  {module.relative_to(package).as_posix()}\n"
        for module in modules_used(notebook, package=package)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _imported(file: Path, package: Path) -> Iterator[Path]:
    """Yield the package's modules that one file imports."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ValueError(f"{file.name} is not Python: {error.msg} (line {error.lineno})") from None
    # The parts of the package that `file` lies in: what a relative import starts from. A notebook lies in none.
    home = (package.name, *file.relative_to(package).parts[:-1]) if file.is_relative_to(package) else ()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(tuple(alias.name.split(".")), package)
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                # `from a import b` means the module a/b.py, or a name in a.
                yield from _files((*module, alias.name), package)


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
