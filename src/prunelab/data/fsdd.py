"""The Free Spoken Digit Dataset, read in place from an archive or a folder and recognised by its content."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from prunelab.data import archive, wav
from prunelab.data.archive import Archive, Wanted
from prunelab.data.known import KnownRecordings
from prunelab.data.spoken import RATE, PartName, Recording

# Archives of a tag put a folder around everything; code and documentation beside the recordings are passed over.
_MEMBER = re.compile(r"(?P<around>[^/]+/)?recordings/(?P<file>[0-9]_[a-z]+_[0-9]+\.wav)")
_RECORDING_LIMIT = 2**20  # bytes of one recording; the longest of the data set has 37 kB
_TOTAL_LIMIT = 2**28  # bytes of all recordings; those of the data set come to 22 MB
_LAYOUT = "recordings/{digit}_{speaker}_{index}.wav"


def read(known: KnownRecordings, path: Path) -> Archive:
    """Read the recordings of an archive or a folder, and check that they are the published ones.

    Args:
        known: what they are checked against.
        path: a zip archive with `recordings/*.wav`, in a folder of its own or not, which is read without being
            unpacked; or a folder with `recordings/*.wav`.

    Returns:
        The wav files by their name, "{digit}_{speaker}_{index}.wav".

    Raises:
        ValueError: a member that an honest archive does not hold, damage, or other content than the published.
        FileNotFoundError: a folder without recordings.
    """
    files = _folder(path) if path.is_dir() else archive.unzipped(path, _wanted())
    found = manifest(files)
    if found != known.manifest:
        raise ValueError(
            f"{path}: not {known.title}: the manifest of its {len(files)} recordings must be {known.manifest} "
            f"({known.recordings} recordings), is {found}; delete it and run `prunelab data get {known.name}`, or put "
            "the published archive there"
        )
    return Archive(path=path, files=files)


def manifest(files: Mapping[str, bytes]) -> str:
    r"""Return the identity of a set of recordings, whatever archive holds them.

    Args:
        files: name below `recordings/` -> content.

    Returns:
        SHA-256, hexadecimal, of the lines `sha256(content)  recordings/name\n` in the order of the names.
    """
    return archive.manifest(files, below="recordings/")


def recordings(found: Archive) -> Iterator[Recording]:
    """Give the recordings by digit, speaker and index; the index decides the part.

    The data set's own test part is index 0 to 4. The development part, index 5 to 9, comes out of its training part.

    Raises:
        ValueError: a recording that is not 8 kHz.
    """
    named = ((name, name.removesuffix(".wav").split("_")) for name in found.files)
    order = sorted((int(digit), speaker, int(index), name) for name, (digit, speaker, index) in named)
    for digit, speaker, index, name in order:
        try:
            rate, samples = wav.decode(found.files[name])
        except ValueError as error:
            raise ValueError(f"{name} in {found.path}: {error}; replace the archive with a fresh copy") from None
        if rate != RATE:
            raise ValueError(f"{name} in {found.path}: {rate} Hz, {RATE} needed; replace it with a fresh copy")
        yield Recording(
            name=name.removesuffix(".wav"),
            samples=wav.at_rate(samples, rate),
            words=(digit,),
            speaker=speaker,
            part=part_of(index),
        )


def part_of(index: int) -> PartName:
    """Return the part that a recording's index, 0 to 49, puts it into."""
    if index < 5:
        return "test"
    return "dev" if index < 10 else "train"


def _folder(path: Path) -> dict[str, bytes]:
    below = path / "recordings"
    files = [file for file in sorted(below.glob("*.wav")) if _MEMBER.fullmatch(f"recordings/{file.name}")]
    if not files:
        raise FileNotFoundError(f"{path} has no {_LAYOUT}; put the data set's recordings there, or remove the folder")
    archive.check_sizes(path, {file.name: file.stat().st_size for file in files}, _wanted())
    return {file.name: file.read_bytes() for file in files}


def _wanted() -> Wanted:
    return Wanted(
        member=_MEMBER,
        layout=_LAYOUT,
        things="recordings",
        thing="a recording of a digit",
        each=_RECORDING_LIMIT,
        total=_TOTAL_LIMIT,
    )
