"""Where a published data set is found on this machine, and how it gets there, verified by content."""

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pooch

from prunelab.data import cifar_binary, cifar_jpeg, fsdd, idx
from prunelab.data.archive import Archive
from prunelab.data.download import Report, deliver, to_stderr
from prunelab.data.known import (
    KNOWN,
    KNOWN_ARCHIVES,
    KNOWN_RECORDINGS,
    InOneArchive,
    Known,
    KnownBatches,
    KnownPictures,
    KnownRecordings,
)
from prunelab.data.place import looked, own_archive, own_folder, within

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
            return cifar_jpeg.read(known, place)
        case KnownBatches():
            return cifar_binary.read(known, place)


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
