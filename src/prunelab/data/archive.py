"""The files of a published data set, read in place from a zip archive or folder, and the identity of their content."""

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
from statistics import mode

Tree = dict[str, dict[str, list[str]]]  # "train" and maybe "test" -> class -> names, all in natural order


SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


_IMAGE_LIMIT = 64 * 2**20  # bytes of one file, stored uncompressed; a 4000×4000 RGB bitmap has 48 MB


_TOTAL_LIMIT = 4 * 2**30  # bytes of all files together


_LEFT_BY_SYSTEMS = ("__macosx", "thumbs.db", "desktop.ini")


def folder_sizes(path: Path) -> dict[str, int]:
    """List a folder: name below it -> size in bytes; folders end in "/" and have size 0.

    Raises:
        ValueError: a folder below it is a link, which could lead out of it or in a circle, or a file a link to nothing.
        OSError: a folder cannot be listed.
    """
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
            sizes[(here / name).relative_to(path).as_posix()] = (here / name).stat().st_size
    return sizes


def _raise(error: OSError) -> None:
    """Stop at a folder that cannot be listed, which os.walk would pass over."""
    raise error


def zip_sizes(path: Path, archive: zipfile.ZipFile) -> dict[str, int]:
    """List a zip archive like `folder_sizes`, refusing what an honest archive of files does not hold.

    Raises:
        ValueError: a member has an absolute or backslashed name or one with "..", is a link, is encrypted, or
            stands in the archive twice.
    """
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


def by_class(path: Path, sizes: Mapping[str, int]) -> Tree:
    """Sort image files by part and class.

    Args:
        path: the folder or archive, for the messages.
        sizes: its listing, see `folder_sizes`.

    Returns:
        Part -> class -> names. Every part has the same classes, at least two, each with at least one name.

    Raises:
        ValueError: files too large, an image or another file where none belongs, or a class that is empty or
            missing in one part.
    """
    entries = {name: PurePosixPath(name).parts for name in sizes if not _is_left_over(name)}
    files = {name: parts for name, parts in entries.items() if not name.endswith("/")}
    images = {name: parts for name, parts in files.items() if name.lower().endswith(SUFFIXES)}
    if not images:
        raise ValueError(f"{path}: no images (*{', *'.join(SUFFIXES)}); one folder of them for each class is needed")
    depth = mode(len(parts) for parts in images.values())
    _check_files(path, files, images, depth)
    _check_sizes(path, {name: sizes[name] for name in images})
    folders = {parts for name, parts in entries.items() if name.endswith("/")} | {p[:-1] for p in files.values()}
    _check_folders(path, folders, {parts[:-1] for parts in images.values()})

    outer = {parts[:-2] for parts in images.values()}  # the folders around the class folders
    if len(outer) > 1 and ({parts[-1] for parts in outer} != {"train", "test"} or len(outer) > 2):
        raise ValueError(
            f"{path}: the class folders stand in {', '.join(sorted('/'.join(parts) for parts in outer))}; only train "
            "and test are read (the validation part is carved from train)"
        )
    tree: Tree = {part: {} for part in ("train", "test")[: len(outer)]}
    for name, parts in sorted(images.items(), key=lambda item: [natural(part) for part in item[1]]):
        tree["train" if len(outer) == 1 else parts[-3]].setdefault(parts[-2], []).append(name)
    _check_classes(path, tree)
    return tree


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts the numbers in names by value: 2 before 10."""
    pieces = re.split(r"([0-9]+)", name)  # text at even places, digits at odd ones
    return [(int(piece), "") if place % 2 else (-1, piece) for place, piece in enumerate(pieces)], name


def _is_left_over(name: str) -> bool:
    """Tell hidden files and what operating systems leave in folders and archives."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part.lower() in _LEFT_BY_SYSTEMS for part in parts)


def _check_files(
    path: Path, files: Mapping[str, tuple[str, ...]], images: Mapping[str, tuple[str, ...]], depth: int
) -> None:
    for name, parts in images.items():
        if len(parts) != depth or depth < 2:
            raise ValueError(
                f"{name} in {path}: an image outside the class folders; "
                "the layout is {class}/image or {train,test}/{class}/image"
            )
    for name, parts in files.items():
        # Loose files elsewhere are read-me files; among the images one may be an image that would go missing.
        if name not in images and len(parts) >= depth:
            raise ValueError(f"{name} in {path}: not an image file (*{', *'.join(SUFFIXES)}); convert or remove it")


def _check_sizes(path: Path, sizes: Mapping[str, int]) -> None:
    for name, size in sizes.items():
        if size > _IMAGE_LIMIT:
            raise ValueError(f"{name} in {path}: {size} bytes; an image file may have {_IMAGE_LIMIT}")
    if sum(sizes.values()) > _TOTAL_LIMIT:
        raise ValueError(f"{path}: {sum(sizes.values())} bytes of image files; a set may have {_TOTAL_LIMIT}")


def _check_folders(path: Path, folders: set[tuple[str, ...]], filled: set[tuple[str, ...]]) -> None:
    """Refuse folders down to the class folders' level that have no image below them."""
    depth = len(next(iter(filled)))
    above = {parts[:level] for parts in filled for level in range(depth + 1)}
    empty = sorted(parts for parts in folders - above if len(parts) <= depth)
    if empty:
        raise ValueError(f"{'/'.join(empty[0])} in {path}: a folder without images; fill or remove it")


def _check_classes(path: Path, tree: Tree) -> None:
    for part, other in (("train", "test"), ("test", "train")) if len(tree) == 2 else ():
        for name in tree[part]:
            if name not in tree[other]:
                raise ValueError(f"{path}: {other}/{name} is missing, though {part}/{name} has images")
    classes = list(tree["train"])
    if len(classes) < 2:
        raise ValueError(f"{path}: found one class, {classes[0]!r}; at least 2 are needed, each a folder of images")


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
