"""Where a published data set is found on this machine, and how it gets there, verified by content."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pooch

from prunelab.data import idx
from prunelab.data.known import KNOWN, Known

Report = Callable[[str], None]


def to_stderr(line: str) -> None:
    """Write a line beside a program's output."""
    print(line, file=sys.stderr)


def own_folder(name: str) -> Path | None:
    """Return `$PRUNELAB_DATA/<name>` where the variable is set and the folder exists, else None.

    Raises:
        FileNotFoundError: PRUNELAB_DATA is set to something that is not a folder.
    """
    setting = os.environ.get("PRUNELAB_DATA")
    if not setting:
        return None
    top = Path(setting).expanduser()
    if not top.is_dir():
        raise FileNotFoundError(
            f"PRUNELAB_DATA must name a folder of data sets; {setting!r} is none: set it or unset it"
        )
    return top / name if (top / name).is_dir() else None


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
            raise FileNotFoundError(f"{known.title} is not complete on this machine: {_looked(known, cache, name)}")
        if path is not None:
            try:
                found.append(check(known, idx.unpack(path)))
                continue
            except ValueError as error:
                if not download:
                    raise
                report(f"{error} (fetching it again)")
        found.append(_download(known, name, mirrors or known.mirrors, cache, progress, report))
    return found


def get(
    name: str,
    *,
    mirrors: Sequence[str] | None = None,
    cache: Path | None = None,
    progress: bool | None = None,
    report: Report = to_stderr,
) -> Path:
    """Make sure a data set is on this machine, complete and verified, and return its folder.

    Args:
        name: "mnist" or "fashion-mnist"; the embedded "digits" needs no getting.
        mirrors: see `files`, as the other arguments.
        cache: folder of downloads; None takes the user's.
        progress: draw a bar for each download; None does so on a terminal.
        report: receives one line for each mirror that failed and each file fetched again.

    Returns:
        The folder that holds the four IDX files.

    Raises:
        ValueError: no downloadable data set has this name, or a file in `$PRUNELAB_DATA` is not the published one.
        FileNotFoundError: no mirror delivered it.
    """
    known = KNOWN.get(name)
    if known is None:
        hint = ", digits is embedded" if name == "digits" else ""
        raise ValueError(f"no data set {name!r} to get; there are {', '.join(KNOWN)}{hint}")
    return files(known, mirrors=mirrors, cache=cache, progress=progress, report=report)[0].path.parent


def _download(
    known: Known, name: str, mirrors: Sequence[str], cache: Path, progress: bool | None, report: Report
) -> idx.Unpacked:
    """Fetch one file from the first mirror that delivers it, verified, and rename it into the cache."""
    bar = sys.stderr.isatty() if progress is None else progress
    # pooch writes 1 KiB at a time unless told otherwise, which costs more than the network does.
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=(10, 30))
    target = cache / known.name / f"{name}.gz"
    failures = []
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{known.name}-") as staging:
        arrived = Path(staging) / target.name
        for mirror in mirrors:
            url = f"{mirror}{target.name}"
            try:
                downloader(url, str(arrived), None)
                content = check(known, idx.unpack(arrived)).content
            except (OSError, ValueError) as error:  # requests' exceptions are OSErrors
                failures.append(f"{url} ({_reason(error, arrived)})")
                report(f"failed, trying the next mirror if there is one: {failures[-1]}")
                continue
            target.parent.mkdir(exist_ok=True)
            arrived.replace(target)
            return idx.Unpacked(path=target, content=content)
    raise FileNotFoundError(
        f"{known.title} could not be downloaded: {_looked(known, cache, name)}; tried {', '.join(failures)}"
    )


def _looked(known: Known, cache: Path, name: str) -> str:
    setting = os.environ.get("PRUNELAB_DATA")
    own = f"{Path(setting) / known.name} (PRUNELAB_DATA)" if setting else "PRUNELAB_DATA (not set)"
    return (
        f"no usable {name}.gz in {own} or {cache / known.name}; run `prunelab data get {known.name}` with a network, "
        f"or set PRUNELAB_DATA to a folder that holds {known.name}/ with the four .gz files"
    )


def _reason(error: Exception, arrived: Path) -> str:
    """Say in a few words why a mirror did not deliver; requests' own messages run over several lines."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    if isinstance(error, ValueError):
        return str(error).removeprefix(f"{arrived}: ").split(";")[0]
    return getattr(error, "strerror", None) or type(error).__name__
