"""Where a published data set is found on this machine, and how it gets there, verified by content."""

import difflib
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pooch

from prunelab.data import cifar, fsdd, idx
from prunelab.data.archive import Archive
from prunelab.data.known import (
    KNOWN,
    KNOWN_ARCHIVES,
    KNOWN_RECORDINGS,
    InOneArchive,
    Known,
    KnownArchive,
    KnownBatches,
    KnownPictures,
    KnownRecordings,
)

Report = Callable[[str], None]


_Content = TypeVar("_Content")


def to_stderr(line: str) -> None:
    """Write a line beside a program's output."""
    print(line, file=sys.stderr)


def deliver(
    urls: Sequence[str],
    target: Path,
    read: Callable[[Path], _Content],
    *,
    cache: Path,
    progress: bool | None,
    report: Report,
    missing: str,
) -> _Content:
    """Fetch a file from the first address that delivers it, verified, and only then put it in its place.

    Args:
        urls: addresses to try in turn.
        target: where the file is to stand, in `cache` or a folder of it.
        read: reads and verifies the file that arrived; a ValueError says that it is not the one asked for.
        cache: folder of downloads, made where missing; the file arrives in a temporary folder of it.
        progress: draw a bar; None does so on a terminal.
        report: receives one line for each address that failed.
        missing: what the error says before the addresses that failed.

    Returns:
        What `read` returned, with the temporary path where it holds one.

    Raises:
        FileNotFoundError: no address delivered the file.
    """
    bar = sys.stderr.isatty() if progress is None else progress
    # pooch writes 1 KiB at a time unless told otherwise, which costs more than the network does.
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=(10, 30))
    failures = []
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{target.name}-") as staging:
        arrived = Path(staging) / target.name
        for url in urls:
            try:
                downloader(url, str(arrived), None)
                content = read(arrived)
            except (OSError, ValueError) as error:  # requests' exceptions are OSErrors
                failures.append(f"{url} ({_reason(error, arrived)})")
                report(f"failed, trying the next mirror if there is one: {failures[-1]}")
                continue
            target.parent.mkdir(exist_ok=True)
            arrived.replace(target)
            return content
    raise FileNotFoundError(f"{missing}; tried {', '.join(failures)}")


def _reason(error: Exception, arrived: Path) -> str:
    """Say in a few words why a mirror did not deliver; requests' own messages run over several lines."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    if isinstance(error, ValueError):
        return str(error).removeprefix(f"{arrived}: ").split(";")[0]
    return getattr(error, "strerror", None) or type(error).__name__


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


_EMBEDDED = ("digits", "espeak")  # names that need no getting


def cache_folder() -> Path:
    """Return the user's cache of downloads, which need not exist yet."""
    return Path(pooch.os_cache("prunelab"))


def check(known: Known, file: idx.Unpacked) -> idx.Unpacked:
    """Return the file if it is the published one, by its MD5.

    Raises:
        ValueError: it is not.
    """
    name = file.path.name.removesuffix(".gz")
    content = file.content if known.md5_of == "content" else file.path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != known.md5[name]:
        of = "uncompressed bytes" if known.md5_of == "content" else ".gz file as published"
        raise ValueError(
            f"{file.path}: not {known.title}'s {name}: MD5 of the {of} must be {known.md5[name]}, is {found}; "
            f"delete it and run `prunelab data get {known.name}`, or put the published file there"
        )
    return file


def files(
    known: Known,
    *,
    download: bool = True,
    mirrors: Sequence[str] | None = None,
    cache: Path | None = None,
    progress: bool | None = None,
    report: Report = to_stderr,
) -> list[idx.Unpacked]:
    """Return a published data set's four files, verified; downloaded into the cache where they are missing.

    `$PRUNELAB_DATA/<name>` comes first and is only read. In the cache, a file that is not the published one is
    reported and fetched again.

    Args:
        known: the data set.
        download: False asks for what is on this machine alone.
        mirrors: addresses to try in turn, each ending in "/"; None takes the data set's own.
        cache: folder of downloads; None takes the user's.
        progress: draw a bar for each download; None does so on a terminal.
        report: receives one line for each mirror that failed and each file fetched again.

    Returns:
        The files in the order of `idx.FILES`.

    Raises:
        FileNotFoundError: not on this machine, and not to be downloaded or no mirror delivered it.
        ValueError: a file on this machine is not the published one.
    """
    own = own_folder(known.name)
    if own is not None:
        return [check(known, idx.unpack(path)) for path in idx.locate(own)]
    cache = cache_folder() if cache is None else cache
    found = []
    for name in idx.FILES:
        path = idx.find(cache / known.name, name)
        if path is None and not download:
            raise FileNotFoundError(
                f"{known.title} is not complete on this machine: {_looked_for_idx(known, cache, name)}"
            )
        if path is not None:
            try:
                found.append(check(known, idx.unpack(path)))
                continue
            except ValueError as error:
                if not download:
                    raise
                report(f"{error} (fetching it again)")
        found.append(_idx(known, name, mirrors or known.mirrors, cache, progress, report))
    return found


def archive(
    known: InOneArchive,
    *,
    download: bool = True,
    mirrors: Sequence[str] | None = None,
    cache: Path | None = None,
    progress: bool | None = None,
    report: Report = to_stderr,
) -> Archive:
    """Return a published data set in one archive, verified; downloaded into the cache where it is missing.

    The archive in `$PRUNELAB_DATA`, or the folder `<name>` there, comes first and is only read.

    Args:
        known: the data set.
        download: False asks for what is on this machine alone.
        mirrors: whole addresses of the archive to try in turn; None takes the data set's own.
        cache: see `files`, as the other arguments.
        progress: draw a bar for the download; None does so on a terminal.
        report: receives one line for each mirror that failed, and one if the cached archive is fetched again.

    Raises:
        FileNotFoundError: not on this machine, and not to be downloaded or no mirror delivered it.
        ValueError: what is on this machine is not the published data set.
    """
    own = own_archive(known)
    if own is not None:
        return verified(known, own)
    cache = cache_folder() if cache is None else cache
    path = cache / known.archive
    nowhere = looked(known.name, path.name, cache, known.usual)
    if path.is_file():
        try:
            return verified(known, path)
        except ValueError as error:
            if not download:
                raise
            report(f"{error} (fetching it again)")
    elif not download:
        raise FileNotFoundError(f"{known.title} is not on this machine: {nowhere}")
    urls = known.mirrors if mirrors is None else mirrors
    fetched = deliver(
        urls,
        path,
        lambda arrived: verified(known, arrived),
        cache=cache,
        progress=progress,
        report=report,
        missing=f"{known.title} could not be downloaded: {nowhere}",
    )
    return replace(fetched, path=path)


def verified(known: InOneArchive, path: Path) -> Archive:
    """Return the files of a data set's archive or folder, if they are the published ones.

    Raises:
        ValueError: they are not.
        FileNotFoundError: a folder that does not hold the data set.
    """
    place = within(path, known)
    match known:
        case KnownRecordings():
            return fsdd.read(known, place)
        case KnownPictures():
            return cifar.read_jpeg(known, place)
        case KnownBatches():
            return cifar.read(known, place)


def get(
    name: str,
    *,
    mirrors: Sequence[str] | None = None,
    cache: Path | None = None,
    progress: bool | None = None,
    report: Report = to_stderr,
) -> Path:
    """Make sure a data set is on this machine, complete and verified, and return its place.

    Args:
        name: "mnist", "fashion-mnist", "cifar10", "cifar10-jpeg" or "fsdd"; the embedded "digits" and "espeak" need
            no getting.
        mirrors: see `files` and `archive`, as the other arguments.
        cache: folder of downloads; None takes the user's.
        progress: draw a bar for each download; None does so on a terminal.
        report: receives one line for each mirror that failed and each file fetched again.

    Returns:
        The folder that holds the four IDX files, or the archive (or folder) of the others.

    Raises:
        ValueError: no downloadable data set has this name, or a file in `$PRUNELAB_DATA` is not the published one.
        FileNotFoundError: no mirror delivered it.
    """
    known = KNOWN_RECORDINGS.get(name) or KNOWN_ARCHIVES.get(name)
    if known is not None:
        return archive(known, mirrors=mirrors, cache=cache, progress=progress, report=report).path
    if name not in KNOWN:
        names = (*KNOWN, *KNOWN_ARCHIVES, *KNOWN_RECORDINGS)
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"; {name} is embedded" if name in _EMBEDDED else f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no data set {name!r} to get; there are {', '.join(names)}{hint}")
    return files(KNOWN[name], mirrors=mirrors, cache=cache, progress=progress, report=report)[0].path.parent


def _idx(
    known: Known, name: str, mirrors: Sequence[str], cache: Path, progress: bool | None, report: Report
) -> idx.Unpacked:
    """Fetch one IDX file."""
    target = cache / known.name / f"{name}.gz"
    fetched = deliver(
        [f"{mirror}{target.name}" for mirror in mirrors],
        target,
        lambda arrived: check(known, idx.unpack(arrived)),
        cache=cache,
        progress=progress,
        report=report,
        missing=f"{known.title} could not be downloaded: {_looked_for_idx(known, cache, name)}",
    )
    return replace(fetched, path=target)


def _looked_for_idx(known: Known, cache: Path, name: str) -> str:
    usual = f"{known.name}/ with the four .gz files"
    return looked(known.name, f"{known.name}/{name}.gz", cache, usual)
