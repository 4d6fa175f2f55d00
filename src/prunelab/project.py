"""Where the project stands on this machine: its root and the facts published with it."""

import os
from pathlib import Path

# Variables of the run that a notebook is executed for: where finished parts are kept, and how many are made at a time.
KEPT, AT_ONCE = "PRUNELAB_KEPT", "PRUNELAB_AT_ONCE"

_MARKS = ("_config.yml", "profiles")


def root() -> Path:
    """Find the project's top folder, the one that holds `_config.yml` and `profiles/`.

    Looked for in `PRUNELAB_ROOT`, then from the current folder upwards, then from this file upwards
    (an editable install).

    Raises:
        FileNotFoundError: none of them leads to a project.
    """
    named = os.environ.get("PRUNELAB_ROOT")
    if named is not None and not _is_root(Path(named)):
        raise FileNotFoundError(
            f"PRUNELAB_ROOT must name a folder that holds {' and '.join(_MARKS)}; {named!r} does not"
        )
    starts = [Path(named)] if named is not None else [Path.cwd(), Path(__file__).parent]
    for start in starts:
        for folder in (start, *start.resolve().parents):
            if _is_root(folder):
                return folder.resolve()
    raise FileNotFoundError(
        f"no Prunelab project (a folder with {' and '.join(_MARKS)}) above {Path.cwd()}; "
        "change into a clone of the project or set PRUNELAB_ROOT to one"
    )


def published() -> Path:
    """Return the folder of published facts: the sources' tables, their claims, our frozen results."""
    return root() / "published"


def _is_root(folder: Path) -> bool:
    return all((folder / mark).exists() for mark in _MARKS)
