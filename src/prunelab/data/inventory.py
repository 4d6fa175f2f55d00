"""Which data sets there are, which of them are on this machine, and whether they are what they should be."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from prunelab.data import fetch, idx
from prunelab.data.images import read
from prunelab.data.known import KNOWN, Known
from prunelab.data.raw import content_id


@dataclass(frozen=True, kw_only=True)
class Status:
    """A data set and where this machine has it."""

    name: str
    title: str
    images: str  # how many and of which size
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
    classes: tuple[str, ...]
    shape: tuple[int, int, int]  # C, H, W
    train: int  # images of the source's training part, the validation images among them
    test: int | None  # images of its test part; None = it has none, and one is carved from the training part


def status(cache: Path | None = None) -> list[Status]:
    """List the data sets that have a name, without reading or downloading any.

    Args:
        cache: folder of downloads; None takes the user's.
    """
    return [_digits(), *(_known(known, cache or fetch.cache_folder()) for known in KNOWN.values())]


def verify(source: str) -> Verified:
    """Read a data set that is on this machine whole, and check it against its published identity or its format.

    Args:
        source: a name or a path, as for `load_images`.

    Raises:
        ValueError: a file is not what it should be, or no data set has this name.
        FileNotFoundError: it is not on this machine.
    """
    raw = read(source, download=False)
    _, channels, height, width = raw.train.pixels.shape
    return Verified(
        name=raw.name,
        content_id=content_id(raw),
        classes=raw.classes,
        shape=(channels, height, width),
        train=len(raw.train.labels),
        test=None if raw.test is None else len(raw.test.labels),
    )


def _digits() -> Status:
    spec = find_spec("sklearn")  # its place, without the second that importing it takes
    if spec is None or spec.origin is None:
        raise FileNotFoundError("scikit-learn is not installed, though Prunelab requires it; install Prunelab again")
    return Status(
        name="digits",
        title="Optical recognition of handwritten digits (test part)",
        images="1,797 handwritten digits, 8×8 grey",
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
        folder = fetch.own_folder(known.name) or cache / known.name
        if folder.is_dir():
            idx.locate(folder)
            where = folder
    except FileNotFoundError as error:
        problem = str(error)
    of = "uncompressed bytes of each file" if known.md5_of == "content" else "published .gz files"
    return Status(
        name=known.name,
        title=known.title,
        images=known.images,
        where=where,
        problem=problem,
        size=known.size,
        licence=known.licence,
        identity=f"MD5 of the {of}: " + ", ".join(f"{file} {md5}" for file, md5 in known.md5.items()),
        home=known.home,
        get=f"prunelab data get {known.name}",
    )
