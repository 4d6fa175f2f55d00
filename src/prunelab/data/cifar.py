"""CIFAR-10 as published for programs that are not Python: a tar archive of six files of fixed-length records.

The version for Python is not read: it is a pickle, which can start any program when it is loaded.
"""

import hashlib
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prunelab.data import archive, folder
from prunelab.data.archive import Archive, Tree, Wanted, natural
from prunelab.data.known import KnownBatches, KnownPictures
from prunelab.data.raw import Part, Raw

FOLDER = "cifar-10-batches-bin"  # in the archive


TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))


TEST = "test_batch.bin"


SHAPE = (3, 32, 32)  # red, green, blue; rows from the top


RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the pixels


_FILE_LIMIT = 2**25  # bytes of one file; each of the data set has 10,000 records, 31 MB


_UNREADABLE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError)


def read(known: KnownBatches, path: Path) -> Archive:
    """Read the six files of the published archive, in memory.

    Args:
        known: what the archive is checked against, by its MD5, before anything in it is looked at.
        path: the archive.

    Returns:
        The files by their name without the folder.

    Raises:
        ValueError: not the published archive, or one that does not hold the six files.
        FileNotFoundError: a folder, where the archive is needed.
    """
    if path.is_dir():
        raise FileNotFoundError(lacking(known, path))
    if path.stat().st_size != known.size:
        raise ValueError(_other(known, path, f"{known.size} bytes", f"{path.stat().st_size}"))
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != known.md5:
        raise ValueError(_other(known, path, f"MD5 {known.md5}", found))
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            return Archive(path=path, files=_members(path, archive))
    except _UNREADABLE as error:
        raise ValueError(f"{path}: not a readable tar archive ({error}); replace it with a fresh copy") from None


def assemble(known: KnownBatches, found: Archive) -> Raw:
    """Put the images together: the five training files in a row, and the test file.

    Raises:
        ValueError: a file that is not made of whole records, or a label that is none of the classes'.
    """
    parts = [parse(found, name, classes=len(known.classes)) for name in (*TRAIN, TEST)]
    train = Part(
        pixels=np.concatenate([part.pixels for part in parts[:-1]]),
        labels=np.concatenate([part.labels for part in parts[:-1]]),
    )
    return Raw(name=known.name, classes=known.classes, scale=255, train=train, test=parts[-1])


def parse(found: Archive, name: str, *, classes: int) -> Part:
    """Read one file of records: a byte for the label, then 1,024 each of red, green and blue, row by row.

    Args:
        found: holds the file.
        name: of the file.
        classes: how many there are.

    Returns:
        Read-only images (N, 3, 32, 32) and their labels (N,).

    Raises:
        ValueError: no whole number of records, none at all, or a label that is too large.

    Source: Krizhevsky, "The CIFAR-10 dataset", the section on the binary version.
    """
    content = found.files[name]
    if not content or len(content) % RECORD:
        raise ValueError(
            f"{name} in {found.path}: {len(content)} bytes, not a whole number of records of {RECORD} bytes; "
            "replace the archive with a fresh copy"
        )
    records: NDArray[np.uint8] = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= classes:
        raise ValueError(
            f"{name} in {found.path}: label {labels.max()}, but labels run from 0 to {classes - 1}; replace the "
            "archive with a fresh copy"
        )
    return Part(pixels=records[:, 1:].reshape(-1, *SHAPE), labels=labels)  # (N, 3072) -> (N, 3, 32, 32)


def lacking(known: KnownBatches, path: Path) -> str:
    """Say that a folder holds no archive; unpacked files are not taken, since no identity of theirs is published."""
    return (
        f"{path} has no {known.archive}, and files unpacked from it cannot be verified; put the published archive "
        f"there and run `prunelab data verify {known.name}`, or remove or rename the folder"
    )


def _other(known: KnownBatches, path: Path, wanted: str, found: str) -> str:
    return (
        f"{path}: not {known.title}'s {known.archive}: must be {wanted}, is {found}; delete it and run "
        f"`prunelab data get {known.name}`, or put the published archive there"
    )


def _members(path: Path, archive: tarfile.TarFile) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    wanted = {f"{FOLDER}/{name}": name for name in (*TRAIN, TEST)}
    for member in archive:
        name = wanted.get(member.name)
        if name is None:
            continue
        if not member.isreg() or member.size > _FILE_LIMIT or name in files:
            raise ValueError(
                f"{member.name} in {path}: there twice, not a plain file, or more than {_FILE_LIMIT} bytes; replace "
                "the archive with a fresh copy"
            )
        opened = archive.extractfile(member)
        files[name] = b"" if opened is None else opened.read(member.size)
    missing = [name for name in wanted.values() if name not in files]
    if missing:
        raise ValueError(f"{path}: no {FOLDER}/{missing[0]} in the archive; replace it with a fresh copy")
    return files


# Archives of a branch put a folder around everything; the read-me and scripts beside the images are passed over.
_WANTED = Wanted(
    member=re.compile(r"(?P<around>[^/]+/)?(?P<file>(?:train|test)/[a-z]+/[0-9]+\.jpg)"),
    layout="{train,test}/{class}/{n}.jpg",
    things="images",
    thing="an image of 32×32 pixels",
    each=2**16,  # bytes; the largest of the data set has 1,124
    total=2**28,  # bytes; those of the data set come to 55 MB
)


def read_jpeg(known: KnownPictures, path: Path) -> Archive:
    """Read the image files of an archive or a folder, and check that they are the published ones.

    Args:
        known: what they are checked against.
        path: a zip archive with `{train,test}/{class}/{n}.jpg`, in a folder of its own or not, which is read without
            being unpacked; or a folder that holds the same.

    Returns:
        The files by their path below the folder around everything, undecoded.

    Raises:
        ValueError: a member that an honest archive does not hold, damage, or other content than the published.
    """
    files = archive.from_folder(path, _WANTED) if path.is_dir() else archive.unzipped(path, _WANTED)
    found = archive.manifest(files)
    if found != known.manifest:
        raise ValueError(
            f"{path}: not {known.title}: the manifest of its {len(files)} images must be {known.manifest} "
            f"({known.pictures} images), is {found}; delete it and run `prunelab data get {known.name}`, put the "
            "published archive there, or give other images another name"
        )
    return Archive(path=path, files=files)


def assemble_jpeg(known: KnownPictures, found: Archive) -> Raw:
    """Decode the images, by part, class and number.

    Raises:
        ValueError: a file that cannot be decoded or is of another size or class than the others.
    """
    return folder.assemble(found.path, _tree(known, found.files), found.files.__getitem__, name=known.name)


def _tree(known: KnownPictures, files: Mapping[str, bytes]) -> Tree:
    """Sort the verified names by part and class as `listing.by_class` would, which takes a second for 60,000."""
    tree: Tree = {part: {name: [] for name in known.classes} for part in ("train", "test")}
    for file in sorted(files, key=natural):
        part, name, _ = file.split("/")
        tree[part][name].append(file)
    return tree
