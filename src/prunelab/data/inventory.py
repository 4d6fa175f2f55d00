"""Which data sets there are, which of them are on this machine, and whether they are what they should be."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from prunelab.data import espeak, images, published, raw, recordings
from prunelab.data.published import DataSet, Report, to_stderr
from prunelab.data.spoken import PARTS, WORDS


@dataclass(frozen=True, kw_only=True)
class Status:
    """A data set and where this machine has it."""

    name: str
    title: str
    holds: str  # how many images and of which size, or how many recordings and of whom
    where: Path | None  # its folder or file; None = not (or not completely) on this machine
    problem: str | None  # one line, when what is there cannot be used as it is
    size: int  # bytes to download
    licence: str
    identity: str  # how a copy is recognised
    home: str  # the page that describes it
    get: str  # what to do to have it


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A data set that was read whole and found to be what it should be."""

    name: str
    content_id: str
    holds: str  # its parts, as a reader would say them
    classes: tuple[str, ...]
    shape: tuple[int, ...]  # C, H, W of images; () for recordings
    train: int  # images or recordings of the source's training part, those to validate or tune on among them
    test: int | None  # of its test part; None = it has none, and one is carved from the training part


def status(cache: Path | None = None) -> list[Status]:
    """List the data sets that have a name, without reading or downloading any.

    Args:
        cache: folder of downloads; None takes the user's.
    """
    cache = cache or published.cache_folder()
    shown = [_published(known, cache) for known in images.KNOWN.values()]
    heard = [_published(known, cache) for known in recordings.KNOWN.values()]
    return [_digits(), *shown, _espeak(), *heard]


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
        mirrors: addresses to try in turn, each the whole one of a file, or ending in "/", where a file's name is
            appended; None takes the data set's own.
        cache: folder of downloads; None takes the user's.
        progress: draw a bar for each download; None does so on a terminal.
        report: receives one line for each mirror that failed and each file fetched again.

    Returns:
        The folder that holds the four IDX files, or the archive (or folder) of the others.

    Raises:
        ValueError: no downloadable data set has this name, or a file in `$PRUNELAB_DATA` is not the published one.
        FileNotFoundError: no mirror delivered it.
    """
    known: dict[str, DataSet[Any]] = {**images.KNOWN, **recordings.KNOWN}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        embedded = name in (*images.NAMES, *recordings.NAMES)
        hint = f"; {name} is embedded" if embedded else f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no data set {name!r} to get; there are {', '.join(known)}{hint}")
    found = published.fetch(known[name], mirrors=mirrors, cache=cache, progress=progress, report=report)
    return found[0].path if len(found) == 1 else found[0].path.parent


def verify(source: str) -> Verified:
    """Read a data set that is on this machine whole, and check it against its published identity or its format.

    Args:
        source: a name or a path, as for `load_images` and `load_recordings`. A folder that holds wav files is one of
            recordings.

    Raises:
        ValueError: a file is not what it should be, or no data set has this name.
        FileNotFoundError: it is not on this machine.
    """
    if published.is_path(source):
        spoken = recordings.holds_recordings(Path(source).expanduser())
    else:
        names = (*images.NAMES, *recordings.NAMES)
        if source not in names:
            raise published.unknown(source, names, what="data set")
        spoken = source in recordings.NAMES
    return _verified_recordings(source) if spoken else _verified_images(source)


def _verified_recordings(source: str) -> Verified:
    found = recordings.read(source, download=False)
    train, dev, test = (len(found.part(part)) for part in PARTS)
    made = "synthetic recordings" if found.synthetic else "recordings"
    speakers = f"{len(found.speakers)} speaker{'s' if len(found.speakers) > 1 else ''}"
    return Verified(
        name=found.name,
        content_id=found.content_id,
        holds=f"{train} training, {dev} development and {test} test {made} of {speakers}",
        classes=WORDS,
        shape=(),
        train=train + dev,
        test=test,
    )


def _verified_images(source: str) -> Verified:
    found = images.read(source, download=False)
    train, test = len(found.train.labels), None if found.test is None else len(found.test.labels)
    _, channels, height, width = found.train.pixels.shape
    return Verified(
        name=found.name,
        content_id=raw.content_id(found),
        holds=f"{train} training and {test or 'no'} test images of {len(found.classes)} classes",
        classes=found.classes,
        shape=(channels, height, width),
        train=train,
        test=test,
    )


def _digits() -> Status:
    spec = find_spec("sklearn")  # its place, without the second that importing it takes
    if spec is None or spec.origin is None:
        raise FileNotFoundError("scikit-learn is not installed, though Prunelab requires it; install Prunelab again")
    return Status(
        name="digits",
        title="Optical recognition of handwritten digits (test part)",
        holds="1,797 handwritten digits, 8×8 grey",
        where=Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz",
        problem=None,
        size=0,
        licence="CC BY 4.0",
        identity="as shipped with scikit-learn",
        home="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        get="nothing to do: ships with scikit-learn",
    )


def _espeak() -> Status:
    where = espeak.installed()
    count = len(WORDS) * len(espeak.VOICES) * espeak.VARIANTS
    return Status(
        name=espeak.NAME,
        title="Digit words spoken on the spot by eSpeak NG",
        holds=f"{count:,} synthetic recordings of digit words, {len(espeak.VOICES)} voices, 8 kHz",
        where=where,
        problem=None if where else f"espeakng-loader is not installed: {espeak.INSTALL}",
        size=0,
        licence="eSpeak NG: GPL-3.0-or-later",
        identity="as spoken by the installed version of espeakng-loader",
        home="https://github.com/espeak-ng/espeak-ng",
        get=f"{espeak.INSTALL} brings espeakng-loader",
    )


def _published(known: DataSet[Any], cache: Path) -> Status:
    where, problem = None, None
    try:
        place = published.own_place(known) or known.home_in(cache)
        if place.exists():
            found = published.located(known, place)
            where = found[0] if len(found) == 1 else place
    except FileNotFoundError as error:
        problem = str(error)
    return Status(
        name=known.name,
        title=known.title,
        holds=known.holds,
        where=where,
        problem=problem,
        size=known.size,
        licence=known.licence,
        identity=f"{known.identity}: " + ", ".join(f"{file.name} {file.identity}" for file in known.files),
        home=known.home,
        get=f"prunelab data get {known.name}",
    )
