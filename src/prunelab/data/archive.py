"""The files of a data set, read in place from a file, a zip archive or a folder, and the identity of their content."""

import hashlib
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from prunelab.data.raw import PIXEL_LIMIT

_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """What a file, archive or folder of a data set holds, in memory."""

    path: Path
    files: Mapping[str, bytes]  # name, as the data set's reader takes it -> content
    identity: str  # MD5 or SHA-256, hexadecimal; of what, the function says that read it


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which files of an archive are the data set's, and how many bytes they may have before any is read."""

    below: str  # the folder that all of them stand in, "recordings/"; "" = the top
    member: re.Pattern[str]  # of a whole path; its group "around" is a folder around everything, "file" the name
    layout: str  # the same in words
    things: str  # what the files hold, in the plural
    thing: str  # and one of them
    each: int  # bytes of one file
    total: int  # bytes of all together

    def open(self, path: Path) -> Contents:
        """Read the wanted files of a zip archive or a folder, unpacking none; others beside them are passed over.

        Returns:
            The member pattern's group "file" -> content, with their `manifest` as identity.
        """
        if path.is_dir():
            below = path / self.below
            sizes = folder_sizes(below) if below.is_dir() else {}
            listed = {f"{self.below}{name}": size for name, size in sizes.items()}
            files = self._read(path, listed, lambda name: (path / name).read_bytes())
        else:
            try:
                with zipfile.ZipFile(path) as archive:
                    files = self._read(path, zip_sizes(path, archive), archive.read)
            except _UNREADABLE as error:
                raise ValueError(
                    f"{path}: not a readable zip archive ({error}); replace it with a fresh copy"
                ) from None
        return Contents(path=path, files=files, identity=manifest(files, below=self.below))

    def _read(self, path: Path, sizes: Mapping[str, int], read: Callable[[str], bytes]) -> dict[str, bytes]:
        matches = [match for match in map(self.member.fullmatch, sizes) if match]
        if not matches and path.is_dir():
            raise FileNotFoundError(f"{path} has no {self.layout}; put the published ones there, or remove the folder")
        if not matches:
            raise ValueError(f"{path}: no {self.layout} in the archive; put the published one there")
        around = {match["around"] for match in matches}
        if len(around) > 1:
            raise ValueError(f"{path}: {self.things} in {len(around)} folders; the data set has one: pack it anew")
        found = {match.string: sizes[match.string] for match in matches}
        check_sizes(path, found, each=self.each, total=self.total, thing=self.thing, things=self.things)
        return {match["file"]: read(match.string) for match in matches}


def check_sizes(path: Path, sizes: Mapping[str, int], *, each: int, total: int, thing: str, things: str) -> None:
    """Refuse, before anything is read, what would unpack to more bytes than a data set's files can have."""
    largest = max(sizes, key=sizes.__getitem__)
    if sizes[largest] > each:
        raise ValueError(f"{largest} in {path}: {sizes[largest]} bytes; {thing} may have {each}")
    if sum(sizes.values()) > total:
        raise ValueError(f"{path}: {sum(sizes.values())} bytes of {things}; a data set may have {total}")


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


def md5(content: bytes) -> str:
    """Return the MD5, hexadecimal: what the publishers of most sets state."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def whole(path: Path) -> Contents:
    """Return a file as it is, under its name, with its MD5 as identity."""
    content = read_bytes(path)
    return Contents(path=path, files={path.name: content}, identity=md5(content))


def read_bytes(path: Path) -> bytes:
    """Read a file, unless it is absurdly large, or no file but a pipe or device, from which reading may never end."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: not a plain file; name the file itself")
    if path.stat().st_size > PIXEL_LIMIT:
        raise ValueError(f"{path}: {path.stat().st_size} bytes, more than the {PIXEL_LIMIT} that are read")
    return path.read_bytes()


def name_of(path: Path) -> str:
    """Return what a set at a path is called: the folder's name, or the archive's without its suffix."""
    return path.resolve().stem if path.is_file() else path.resolve().name


def folder_sizes(path: Path) -> dict[str, int]:
    """List a folder: name below it -> size in bytes; folders end in "/" and have size 0."""
    sizes: dict[str, int] = {}
    for place, folders, files in os.walk(path, onerror=_raise):
        here = Path(place)
        for name in folders:
            if (here / name).is_symlink():
                raise ValueError(f"{here / name}: a link to a folder is not followed; put the folder itself there")
            sizes[f"{(here / name).relative_to(path).as_posix()}/"] = 0
        for name in files:
            if not (here / name).exists():
                raise ValueError(f"{here / name}: a link to nothing; put the file itself there, or remove the link")
            if not (here / name).is_file():  # reading a pipe would wait for ever
                raise ValueError(f"{here / name}: not a plain file; put the file itself there, or remove it")
            sizes[(here / name).relative_to(path).as_posix()] = (here / name).stat().st_size
    return sizes


def _raise(error: OSError) -> None:
    """Stop at a folder that cannot be listed, which os.walk would pass over."""
    raise error


def zip_sizes(path: Path, archive: zipfile.ZipFile) -> dict[str, int]:
    """List a zip archive like `folder_sizes`, refusing what an honest archive of files does not hold."""
    sizes: dict[str, int] = {}
    for member in archive.infolist():
        name = member.filename
        wrong = None
        if name.startswith("/") or "\\" in name or re.match(r"[A-Za-z]:", name) or ".." in PurePosixPath(name).parts:
            wrong = "a name that leads out of the archive"
        elif stat.S_ISLNK(member.external_attr >> 16):
            wrong = "a symbolic link"
        elif member.flag_bits & 0x1:
            wrong = "encrypted"
        elif name in sizes:
            wrong = "there twice"
        if wrong is not None:
            raise ValueError(f"{name} in {path}: {wrong}, which is refused; pack the files anew")
        sizes[name] = member.file_size
    return sizes
