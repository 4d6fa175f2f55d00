"""The files of a published data set, read in place from a zip archive or folder, and the identity of their content."""

import hashlib
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from prunelab.data.listing import folder_sizes, zip_sizes

_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)


@dataclass(frozen=True, kw_only=True, eq=False)
class Archive:
    """A data set's files, in memory."""

    path: Path  # the archive or folder that they come from
    files: Mapping[str, bytes]  # name, as the data set's own reader takes it -> content


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which files of an archive are the data set's, and how many bytes they may have before any is read."""

    member: re.Pattern[str]  # of a whole path; its group "around" is a folder around everything, "file" the name
    layout: str  # the same in words
    things: str  # what the files hold, in the plural
    thing: str  # and one of them
    each: int  # bytes of one file
    total: int  # bytes of all together


def unzipped(path: Path, wanted: Wanted) -> dict[str, bytes]:
    """Read the wanted files of a zip archive; others beside them are passed over.

    Returns:
        The member pattern's group "file" -> content.

    Raises:
        ValueError: no wanted file, wanted files in several folders or of absurd size, a damaged archive, or a member
            that an honest one does not hold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, zip_sizes(path, archive), wanted, archive.read)
    except _UNREADABLE as error:
        raise ValueError(f"{path}: not a readable zip archive ({error}); replace it with a fresh copy") from None


def from_folder(path: Path, wanted: Wanted) -> dict[str, bytes]:
    """Read the wanted files below a folder, like `unzipped`.

    Raises:
        ValueError: likewise, or a link to a folder.
    """
    return _read(path, folder_sizes(path), wanted, lambda name: (path / name).read_bytes())


def manifest(files: Mapping[str, bytes], *, below: str = "") -> str:
    r"""Return the identity of a set of files, whatever archive holds them.

    Args:
        files: name -> content.
        below: what stands before each name in the manifest, "recordings/".

    Returns:
        SHA-256, hexadecimal, of the lines `sha256(content)  below + name\n` in the order of the names.
    """
    lines = (f"{hashlib.sha256(content).hexdigest()}  {below}{name}\n" for name, content in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_sizes(path: Path, sizes: Mapping[str, int], wanted: Wanted) -> None:
    """Refuse, before anything is read, what would unpack to more than the data set's files can be.

    Raises:
        ValueError: one file, or all together, are larger than wanted.
    """
    name = max(sizes, key=lambda name: sizes[name])
    if sizes[name] > wanted.each:
        raise ValueError(f"{name} in {path}: {sizes[name]} bytes; {wanted.thing} may have {wanted.each}")
    if sum(sizes.values()) > wanted.total:
        raise ValueError(f"{path}: {sum(sizes.values())} bytes of {wanted.things}; a data set may have {wanted.total}")


def _read(path: Path, sizes: Mapping[str, int], wanted: Wanted, read: Callable[[str], bytes]) -> dict[str, bytes]:
    matches = [match for match in map(wanted.member.fullmatch, sizes) if match]
    if not matches:
        place = "folder" if path.is_dir() else "archive"
        raise ValueError(f"{path}: no {wanted.layout} in the {place}; put the published one there")
    around = {match["around"] for match in matches}
    if len(around) > 1:
        raise ValueError(f"{path}: {wanted.things} in {len(around)} folders; the data set has one: pack it anew")
    check_sizes(path, {match["file"]: sizes[match.string] for match in matches}, wanted)
    return {match["file"]: read(match.string) for match in matches}
