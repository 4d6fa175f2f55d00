"""The Free Spoken Digit Dataset, read in place from an archive or a folder and recognised by its content."""

import hashlib
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from prunelab.data import pcm
from prunelab.data.known import KnownRecordings
from prunelab.data.listing import zip_sizes
from prunelab.data.spoken import RATE, PartName, Recording

# Archives of a tag put a folder around everything; code and documentation beside the recordings are passed over.
_MEMBER = re.compile(r"(?P<around>[^/]+/)?recordings/(?P<file>[0-9]_[a-z]+_[0-9]+\.wav)")
_RECORDING_LIMIT = 2**20  # bytes of one recording; the longest of the data set has 37 kB
_TOTAL_LIMIT = 2**28  # bytes of all recordings; those of the data set come to 22 MB
_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)


@dataclass(frozen=True, kw_only=True, eq=False)
class Archive:
    """The data set's files, in memory."""

    path: Path  # the zip archive or folder that they come from
    files: Mapping[str, bytes]  # "{digit}_{speaker}_{index}.wav" -> the wav file


def read(known: KnownRecordings, path: Path) -> Archive:
    """Read the recordings of an archive or a folder, and check that they are the published ones.

    Args:
        known: what they are checked against.
        path: a zip archive with `recordings/*.wav`, in a folder of its own or not, which is read without being
            unpacked; or a folder with `recordings/*.wav`.

    Raises:
        ValueError: a member that an honest archive does not hold, damage, or other content than the published.
        FileNotFoundError: a folder without recordings.
    """
    archive = Archive(path=path, files=_folder(path) if path.is_dir() else _unpacked(path))
    found = manifest(archive.files)
    if found != known.manifest:
        raise ValueError(
            f"{path}: not {known.title}: the manifest of its {len(archive.files)} recordings must be {known.manifest} "
            f"({known.recordings} recordings), is {found}; delete it and run `prunelab data get {known.name}`, or put "
            "the published archive there"
        )
    return archive


def manifest(files: Mapping[str, bytes]) -> str:
    r"""Return the identity of a set of recordings, whatever archive holds them.

    Args:
        files: name below `recordings/` -> content.

    Returns:
        SHA-256, hexadecimal, of the lines `sha256(content)  recordings/name\n` in the order of the names.
    """
    lines = (f"{hashlib.sha256(content).hexdigest()}  recordings/{name}\n" for name, content in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def recordings(archive: Archive) -> Iterator[Recording]:
    """Give the recordings by digit, speaker and index; the index decides the part.

    The data set's own test part is index 0 to 4. The development part, index 5 to 9, comes out of its training part.

    Raises:
        ValueError: a recording that is not 8 kHz.
    """
    named = ((name, name.removesuffix(".wav").split("_")) for name in archive.files)
    order = sorted((int(digit), speaker, int(index), name) for name, (digit, speaker, index) in named)
    for digit, speaker, index, name in order:
        try:
            rate, samples = pcm.decode(archive.files[name])
        except ValueError as error:
            raise ValueError(f"{name} in {archive.path}: {error}; replace the archive with a fresh copy") from None
        if rate != RATE:
            raise ValueError(f"{name} in {archive.path}: {rate} Hz, {RATE} needed; replace it with a fresh copy")
        yield Recording(
            name=name.removesuffix(".wav"),
            samples=pcm.at_rate(samples, rate),
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
        raise FileNotFoundError(
            f"{path} has no recordings/{{digit}}_{{speaker}}_{{index}}.wav; put the data set's recordings there, or "
            "remove the folder"
        )
    _check_sizes(path, {file.name: file.stat().st_size for file in files})
    return {file.name: file.read_bytes() for file in files}


def _unpacked(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            return _members(path, zip_sizes(path, archive), archive.read)
    except _UNREADABLE as error:
        raise ValueError(f"{path}: not a readable zip archive ({error}); replace it with a fresh copy") from None


def _members(path: Path, sizes: Mapping[str, int], read_member: Callable[[str], bytes]) -> dict[str, bytes]:
    matches = [match for match in map(_MEMBER.fullmatch, sizes) if match]
    if not matches:
        raise ValueError(
            f"{path}: no recordings/{{digit}}_{{speaker}}_{{index}}.wav in the archive; put the published one there"
        )
    around = {match["around"] for match in matches}
    if len(around) > 1:
        raise ValueError(f"{path}: recordings in {len(around)} folders; the data set has one: pack it anew")
    _check_sizes(path, {match["file"]: sizes[match.string] for match in matches})
    return {match["file"]: read_member(match.string) for match in matches}


def _check_sizes(path: Path, sizes: Mapping[str, int]) -> None:
    """Refuse, before anything is read, what would unpack to more than recordings of digits can be."""
    name = max(sizes, key=lambda name: sizes[name])
    if sizes[name] > _RECORDING_LIMIT:
        raise ValueError(f"{name} in {path}: {sizes[name]} bytes; a recording of a digit may have {_RECORDING_LIMIT}")
    if sum(sizes.values()) > _TOTAL_LIMIT:
        raise ValueError(f"{path}: {sum(sizes.values())} bytes of recordings; a data set may have {_TOTAL_LIMIT}")
