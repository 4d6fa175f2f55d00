"""Which files of a folder or zip archive are images, of which class and part; nothing is opened here."""

import os
import re
import stat
import zipfile
from collections.abc import Mapping
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
