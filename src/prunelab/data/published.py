"""What a published data set is, where it is found on this machine, and how it gets there, verified by content."""

import difflib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import pooch

from prunelab.data.archive import Contents, name_of

Read = TypeVar("Read")
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that a data set is published in."""

    names: tuple[str, ...]  # on this machine: the one it is stored under, then others it may have
    identity: str  # hexadecimal; what `DataSet.open` must find
    size: int | None = None  # bytes; None where copies are packed anew at times

    @property
    def name(self) -> str:
        """Give the name that it is stored under."""
        return self.names[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class DataSet(Generic[Read]):
    """A published data set: where it is published, under which licence, how a copy is recognised and read."""

    name: str
    title: str
    holds: str  # how many images or recordings, and of which kind
    licence: str
    home: str  # the page that describes it
    size: int  # bytes to download; about, where copies are packed anew at times
    classes: tuple[str, ...]
    usual: str  # what a folder of data sets holds of this one
    lacking: str | None  # what to do when a folder lacks a file; None: a folder of what the file packs serves as well
    mirrors: tuple[str, ...]  # addresses; one that ends in "/" gets a file's name appended
    files: tuple[File, ...]
    identity: str  # of what in a file `File.identity` is
    open: Callable[[Path], Contents]  # a file, not yet verified
    read: Callable[["DataSet[Read]", Sequence[Contents]], Read]  # from verified files, in their order

    def home_in(self, top: Path) -> Path:
        """Return where the set stands in a folder of sets: a single file by itself, several in a folder."""
        return top / (self.files[0].name if len(self.files) == 1 else self.name)

    def is_at(self, path: Path) -> bool:
        """Tell whether what stands at a path claims to be this set: results would be published under its name."""
        if len(self.files) > 1:
            return name_of(path) == self.name and any(find(path, file.names) for file in self.files)
        return name_of(path) == self.name or (path.is_file() and path.resolve().name == self.files[0].name)


def find(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first of a file's names that a folder has, None where it has none."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def locate(folder: Path, files: Sequence[Sequence[str]], lacking: str) -> list[Path]:
    """Return the paths of files in a folder, each known by one or more names."""
    paths = []
    for names in files:
        path = find(folder, names)
        if path is None:
            raise FileNotFoundError(f"{folder} has no {' nor '.join(names)}; {lacking}")
        paths.append(path)
    return paths


def located(known: DataSet[Read], place: Path) -> list[Path]:
    """Return the paths of a data set's files: the place itself, or those in it."""
    names = [file.names for file in known.files]
    if place.is_file() or (known.lacking is None and find(place, names[0]) is None):
        return [place]
    return locate(place, names, known.lacking or "")


def verified(known: DataSet[Read], file: File, path: Path) -> Contents:
    """Open a file, if it is the published one."""
    found = path.stat().st_size
    if file.size is not None and found != file.size:
        raise _other(known, file, path, f"must be {file.size} bytes, is {found}")
    opened = known.open(path)
    if opened.identity != file.identity:
        count = f" (of {len(opened.files)} files)" if len(opened.files) > 1 else ""
        raise _other(known, file, path, f"{known.identity} must be {file.identity}, is {opened.identity}{count}")
    return opened


def _other(known: DataSet[Read], file: File, path: Path, why: str) -> ValueError:
    return ValueError(
        f"{path}: not {known.title}'s {file.name}: {why}; delete it and run `prunelab data get {known.name}`, put the "
        "published file there, or give other data another name"
    )


def load(known: DataSet[Read], *, download: bool = True) -> Read:
    """Read a data set from wherever this machine has it, or else from the network; see `fetch`."""
    return known.read(known, fetch(known, download=download))


def load_from(known: DataSet[Read], place: Path) -> Read:
    """Read a data set from a folder or file, if it is the published one."""
    return known.read(known, _verified_at(known, place))


def _verified_at(known: DataSet[Read], place: Path) -> list[Contents]:
    return [verified(known, file, path) for file, path in zip(known.files, located(known, place), strict=True)]


def cache_folder() -> Path:
    """Return the user's cache of downloads, which need not exist yet."""
    return Path(pooch.os_cache("prunelab"))


def own_place(known: DataSet[Read]) -> Path | None:
    """Return the data set's archive in `$PRUNELAB_DATA`, else the folder `<name>` there, else None."""
    setting = os.environ.get("PRUNELAB_DATA")
    if not setting:
        return None
    top = Path(setting).expanduser()
    if not top.is_dir():
        raise FileNotFoundError(
            f"PRUNELAB_DATA must name a folder of data sets; {setting!r} is none: set it or unset it"
        )
    if known.home_in(top).is_file():
        return known.home_in(top)
    return top / known.name if (top / known.name).is_dir() else None


def to_stderr(line: str) -> None:
    """Write a line beside a program's output."""
    print(line, file=sys.stderr)


def fetch(
    known: DataSet[Read],
    *,
    download: bool = True,
    mirrors: Sequence[str] | None = None,
    cache: Path | None = None,
    progress: bool | None = None,
    report: Report = to_stderr,
) -> list[Contents]:
    """Return a published data set's files, verified; downloaded into the cache where they are missing.

    What is in `$PRUNELAB_DATA` comes first and is only read. In the cache, a file that is not the published one is
    reported and fetched again.

    The arguments are those of `prunelab.data.get`; `download=False` asks for what is on this machine alone.

    Raises:
        FileNotFoundError: not on this machine, and not to be downloaded or no mirror delivered it.
        ValueError: a file on this machine is not the published one.
    """
    own = own_place(known)
    if own is not None:
        return _verified_at(known, own)
    cache = cache_folder() if cache is None else cache
    home = known.home_in(cache)
    folder = home.parent if len(known.files) == 1 else home
    found = []
    for file in known.files:
        path = find(folder, file.names)
        if path is not None:
            try:
                found.append(verified(known, file, path))
                continue
            except ValueError as error:
                if not download:
                    raise
                report(f"{error} (fetching it again)")
        nowhere = _looked_for(known, (folder / file.name).relative_to(cache), cache)
        if not download:
            raise FileNotFoundError(f"{known.title}'s {file.name} is not on this machine: {nowhere}")
        delivered = _deliver(known, file, mirrors or known.mirrors, folder / file.name, cache, progress, report)
        if isinstance(delivered, Contents):
            found.append(delivered)
        else:
            tried = ", ".join(delivered)
            raise FileNotFoundError(f"{known.title}'s {file.name} could not be downloaded: {nowhere}; tried {tried}")
    return found


def _looked_for(known: DataSet[Read], file: Path, cache: Path) -> str:
    """Say where a data set's file was looked for in vain, and what to do."""
    setting = os.environ.get("PRUNELAB_DATA")
    own = f"{Path(setting) / file} (PRUNELAB_DATA)" if setting else "PRUNELAB_DATA (not set)"
    return (
        f"no usable {cache / file} nor {own}; run `prunelab data get {known.name}` with a network, "
        f"or set PRUNELAB_DATA to a folder that holds {known.usual}"
    )


def _deliver(
    known: DataSet[Read],
    file: File,
    mirrors: Sequence[str],
    target: Path,
    cache: Path,
    progress: bool | None,
    report: Report,
) -> Contents | list[str]:
    """Fetch a file from the first address that delivers it, verified, and only then put it in its place.

    pooch's own `fetch` would not do: it knows one address a file, recognises a file by its bytes as they are, and puts
    it in its place before a processor can look into it.

    Returns:
        The file, or, for each address, why it did not deliver.
    """
    bar = sys.stderr.isatty() if progress is None else progress
    # pooch writes 1 KiB at a time unless told otherwise, which costs more than the network does.
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=(10, 30))
    failures = []
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{target.name}-") as staging:
        arrived = Path(staging) / target.name
        for mirror in mirrors:
            url = f"{mirror}{file.name}" if mirror.endswith("/") else mirror
            try:
                downloader(url, str(arrived), None)
                content = verified(known, file, arrived)
            except (OSError, ValueError) as error:  # requests' exceptions are OSErrors
                failures.append(f"{url} ({_reason(error, arrived)})")
                report(f"failed, trying the next mirror if there is one: {failures[-1]}")
                continue
            target.parent.mkdir(exist_ok=True)
            arrived.replace(target)
            return replace(content, path=target)
    return failures


def _reason(error: Exception, arrived: Path) -> str:
    """Say in a few words why a mirror did not deliver; requests' own messages run over several lines."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    if isinstance(error, ValueError):
        return str(error).removeprefix(f"{arrived}: ").split(";")[0]
    return getattr(error, "strerror", None) or type(error).__name__


def is_path(source: str) -> bool:
    """Tell paths from names, by the first character."""
    return source.startswith((".", "/", "~"))


def path_of(source: str, *, what: str, exists: Callable[[Path], bool]) -> Path:
    """Return the path that a source is."""
    path = Path(source).expanduser()
    if not exists(path):
        hint = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise FileNotFoundError(f"{source}: no such {what}{hint}; check the path")
    return path


def unknown(source: str, names: Sequence[str], *, what: str) -> ValueError:
    """Return the error for a name that none of the sources has, with the nearest of them."""
    close = difflib.get_close_matches(source, names, n=1)
    guess = f"./{source}" if Path(source).exists() else next(iter(close), "")
    hint = f"; did you mean {guess!r}?" if guess else ""
    return ValueError(f"no {what} {source!r}: there are {', '.join(names)}, and paths that start with ./, / or ~{hint}")
