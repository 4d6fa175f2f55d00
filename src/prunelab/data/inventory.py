"""Which data sets there are, which of them are on this machine, and whether they are what they should be."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from prunelab.data import cifar, espeak, fetch, idx, recordings
from prunelab.data import images as data_images
from prunelab.data import spoken as data_spoken
from prunelab.data.fetch import is_path, own_archive, own_folder, unknown
from prunelab.data.known import (
    KNOWN,
    KNOWN_ARCHIVES,
    KNOWN_RECORDINGS,
    InOneArchive,
    Known,
    KnownBatches,
    KnownRecordings,
)
from prunelab.data.raw import content_id


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
    cache = cache or fetch.cache_folder()
    images = (_archive(known, cache) for known in KNOWN_ARCHIVES.values())
    spoken = (_archive(known, cache) for known in KNOWN_RECORDINGS.values())
    return [_digits(), *(_known(known, cache) for known in KNOWN.values()), *images, _espeak(), *spoken]


def verify(source: str) -> Verified:
    """Read a data set that is on this machine whole, and check it against its published identity or its format.

    Args:
        source: a name or a path, as for `load_images` and `load_recordings`. A folder that holds wav files is one of
            recordings.

    Raises:
        ValueError: a file is not what it should be, or no data set has this name.
        FileNotFoundError: it is not on this machine.
    """
    if is_path(source):
        spoken = recordings.holds_recordings(Path(source).expanduser())
    else:
        names = (*data_images.NAMES, *recordings.NAMES)
        if source not in names:
            raise unknown(source, names, what="data set")
        spoken = source in recordings.NAMES
    return _verified_recordings(source) if spoken else _verified_images(source)


def _verified_recordings(source: str) -> Verified:
    found = recordings.read(source, download=False)
    train, dev, test = (len(found.part(part)) for part in data_spoken.PARTS)
    made = "synthetic recordings" if found.synthetic else "recordings"
    speakers = f"{len(found.speakers)} speaker{'s' if len(found.speakers) > 1 else ''}"
    return Verified(
        name=found.name,
        content_id=found.content_id,
        holds=f"{train} training, {dev} development and {test} test {made} of {speakers}",
        classes=data_spoken.WORDS,
        shape=(),
        train=train + dev,
        test=test,
    )


def _verified_images(source: str) -> Verified:
    raw = data_images.read(source, download=False)
    train, test = len(raw.train.labels), None if raw.test is None else len(raw.test.labels)
    _, channels, height, width = raw.train.pixels.shape
    return Verified(
        name=raw.name,
        content_id=content_id(raw),
        holds=f"{train} training and {test or 'no'} test images of {len(raw.classes)} classes",
        classes=raw.classes,
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


def _known(known: Known, cache: Path) -> Status:
    where, problem = None, None
    try:
        folder = own_folder(known.name) or cache / known.name
        if folder.is_dir():
            idx.locate(folder)
            where = folder
    except FileNotFoundError as error:
        problem = str(error)
    of = "uncompressed bytes of each file" if known.md5_of == "content" else "published .gz files"
    return Status(
        name=known.name,
        title=known.title,
        holds=known.images,
        where=where,
        problem=problem,
        size=known.size,
        licence=known.licence,
        identity=f"MD5 of the {of}: " + ", ".join(f"{file} {md5}" for file, md5 in known.md5.items()),
        home=known.home,
        get=f"prunelab data get {known.name}",
    )


def _espeak() -> Status:
    where = espeak.installed()
    count = len(data_spoken.WORDS) * len(espeak.VOICES) * espeak.VARIANTS
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


def _archive(known: InOneArchive, cache: Path) -> Status:
    where, problem = None, None
    try:
        place = own_archive(known) or cache / known.archive
        where = place if place.exists() else None
        if isinstance(known, KnownBatches) and place.is_dir():
            where, problem = None, cifar.lacking(known, place)
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
        identity=_identity(known),
        home=known.home,
        get=f"prunelab data get {known.name}",
    )


def _identity(known: InOneArchive) -> str:
    if isinstance(known, KnownBatches):
        return f"MD5 of the published archive: {known.md5}"
    files = f"{known.recordings} recordings" if isinstance(known, KnownRecordings) else f"{known.pictures} images"
    return f"SHA-256 of the manifest of its {files}: {known.manifest}"
