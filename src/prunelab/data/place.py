"""Where data sets stand on this machine, and what a name or path that is none of them gets as an answer."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from prunelab.data.known import KnownArchive

PATH_STARTS = (".", "/", "~")


def own_folder(name: str) -> Path | None:
    """Return `$PRUNELAB_DATA/<name>` where the variable is set and the folder exists, else None.

    Raises:
        FileNotFoundError: PRUNELAB_DATA is set to something that is not a folder.
    """
    top = _own_top()
    return top / name if top and (top / name).is_dir() else None


def own_archive(known: KnownArchive) -> Path | None:
    """Return the data set's archive in `$PRUNELAB_DATA` or in the folder `<name>` there, else that folder, else None.

    Raises:
        FileNotFoundError: PRUNELAB_DATA is set to something that is not a folder.
    """
    top = _own_top()
    if top and (top / known.archive).is_file():
        return top / known.archive
    folder = own_folder(known.name)
    return within(folder, known) if folder else None


def within(folder: Path, known: KnownArchive) -> Path:
    """Return the data set's archive where the folder holds it, else the folder itself."""
    archive = folder / known.archive
    return archive if archive.is_file() else folder


def looked(name: str, file: str, cache: Path, usual: str) -> str:
    """Say where a data set's file was looked for in vain, and what to do.

    Args:
        name: of the data set.
        file: path of the file below the cache and below `$PRUNELAB_DATA`.
        cache: folder of downloads.
        usual: what a folder of data sets holds of this one.
    """
    setting = os.environ.get("PRUNELAB_DATA")
    own = f"{Path(setting) / file} (PRUNELAB_DATA)" if setting else "PRUNELAB_DATA (not set)"
    return (
        f"no usable {cache / file} nor {own}; run `prunelab data get {name}` with a network, "
        f"or set PRUNELAB_DATA to a folder that holds {usual}"
    )


def is_path(source: str) -> bool:
    """Tell paths from names, by the first character."""
    return source.startswith(PATH_STARTS)


def unknown(source: str, names: Sequence[str], *, what: str) -> ValueError:
    """Return the error for a name that none of the sources has, with the nearest of them."""
    close = difflib.get_close_matches(source, names, n=1)
    guess = f"./{source}" if Path(source).exists() else next(iter(close), "")
    hint = f"; did you mean {guess!r}?" if guess else ""
    return ValueError(f"no {what} {source!r}: there are {', '.join(names)}, and paths that start with ./, / or ~{hint}")


def _own_top() -> Path | None:
    setting = os.environ.get("PRUNELAB_DATA")
    if not setting:
        return None
    top = Path(setting).expanduser()
    if not top.is_dir():
        raise FileNotFoundError(
            f"PRUNELAB_DATA must name a folder of data sets; {setting!r} is none: set it or unset it"
        )
    return top
