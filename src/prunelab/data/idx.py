"""IDX files, MNIST's format: read whole, checked to the last byte."""

import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prunelab.data.archive import Contents, md5, read_bytes, whole
from prunelab.data.published import DataSet, File, find, locate
from prunelab.data.raw import PIXEL_LIMIT, Part, Raw

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

_UNSIGNED_BYTE = 0x08  # the only one of the format's element types that images and labels come in
_LARGEST_HEADER = 4 + 4 * 3


_NAMES = tuple((f"{file}.gz", file) for file in FILES)  # compressed first: a plain copy beside it may be a leftover
_LACKING = "a data set of IDX files needs all four: add it, or remove the folder"


def holds_idx(folder: Path) -> bool:
    """Tell a folder with at least one of the four files."""
    return any(find(folder, names) for names in _NAMES)


def load(folder: Path) -> Raw:
    """Read a user's folder of four IDX files, compressed or plain."""
    return assemble([unpack(path) for path in locate(folder, _NAMES, _LACKING)], name=folder.resolve().name)


def unpack(path: Path) -> Contents:
    """Read a file, uncompressed where it is gzip by its first bytes, whatever its name says.

    Returns:
        The uncompressed bytes, and their MD5 as identity.
    """
    content = _unpacked(path, read_bytes(path))
    return Contents(path=path, files={path.name: content}, identity=md5(content))


def _unpacked(path: Path, packed: bytes) -> bytes:
    if not packed.startswith(b"\x1f\x8b"):
        return packed
    # Bounded, unlike gzip.decompress: a small file can unpack to any size. 31 = gzip header, CRC checked.
    stream = zlib.decompressobj(wbits=31)
    try:
        content = stream.decompress(packed, PIXEL_LIMIT + _LARGEST_HEADER)
    except zlib.error as error:
        raise ValueError(f"{path}: damaged gzip file ({error}); replace it with a fresh copy") from None
    if not stream.eof:
        why = "unpacks to more than is read" if stream.unconsumed_tail else "gzip file ends too early"
        raise ValueError(f"{path}: {why}; replace it with a fresh copy")
    if stream.unused_data:
        raise ValueError(
            f"{path}: {len(stream.unused_data)} bytes follow the gzip stream; replace it with a fresh copy"
        )
    return content


def parse(path: Path, content: bytes, *, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes: two zeros, type, rank, the sizes as big-endian int32, the elements.

    Args:
        path: of the file, for the messages.
        content: its uncompressed bytes.
        dimensions: the rank asked for; 1 for labels (N,), 3 for images (N, H, W).

    Returns:
        A read-only array of that rank, no size 0.

    Source: LeCun, Cortes, Burges, "The MNIST database", the section on file formats.
    """
    start = 4 + 4 * dimensions
    magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if content[:4] != magic:
        found = content[:4].hex() or "nothing"
        raise ValueError(
            f"{path}: starts with {found}, an IDX file of {dimensions}-dimensional unsigned bytes with "
            f"{magic.hex()}; is it another kind of file, or images and labels mixed up?"
        )
    if len(content) < start:
        raise ValueError(f"{path}: ends within its {start}-byte header; replace it with a fresh copy")
    sizes = [int(size) for size in np.frombuffer(content, dtype=">u4", count=dimensions, offset=4)]
    shape = "×".join(map(str, sizes))
    if 0 in sizes:
        raise ValueError(f"{path}: holds {shape} elements, that is none")
    # Python integers: the product of three sizes can exceed 64 bits, and a wrapped one could match by chance.
    expected = math.prod(sizes)
    if len(content) - start != expected:
        raise ValueError(
            f"{path}: {len(content) - start} bytes follow the header, which promises "
            f"{shape} = {expected}; the file is truncated or damaged: replace it with a fresh copy"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(sizes)


def assemble(files: Sequence[Contents], *, name: str, classes: tuple[str, ...] | None = None) -> Raw:
    """Put a data set together from its four IDX files.

    Args:
        files: in the order of `FILES`, compressed or not.
        name: what the set is called.
        classes: names of the labels 0, 1, …; None takes the numbers up to the largest training label.
    """
    train = _part(files[0], files[1])
    test = _part(files[2], files[3])
    if train.pixels.shape[1:] != test.pixels.shape[1:]:
        raise ValueError(
            f"{files[2].path}: images of {_size(test)}, the training images have {_size(train)}; "
            "both parts of a set need one size"
        )
    if classes is None:
        classes = tuple(str(label) for label in range(int(train.labels.max()) + 1))
    if len(classes) < 2:
        raise ValueError(f"{files[1].path}: every label is 0; a set of images needs at least 2 classes")
    for part, file in ((train, files[1]), (test, files[3])):
        counts = np.bincount(part.labels, minlength=len(classes))
        if len(counts) > len(classes):
            raise ValueError(f"{file.path}: label {len(counts) - 1}, but labels run from 0 to {len(classes) - 1}")
        if not counts.all():
            raise ValueError(
                f"{file.path}: label {int(np.argmin(counts))} never occurs; "
                f"each of 0 to {len(classes) - 1} must, in the training and the test part"
            )
    return Raw(name=name, classes=classes, scale=255, train=train, test=test)


def _part(images: Contents, labels: Contents) -> Part:
    pixels = _array(images, dimensions=3)[:, None]  # (N, 1, H, W)
    numbers = _array(labels, dimensions=1)
    if len(pixels) != len(numbers):
        raise ValueError(
            f"{labels.path}: {len(numbers)} labels for the {len(pixels)} images of {images.path.name}; "
            "the two files belong to different sets"
        )
    return Part(pixels=pixels, labels=numbers.astype(np.int64))


def _array(file: Contents, *, dimensions: int) -> NDArray[np.uint8]:
    (content,) = file.files.values()
    return parse(file.path, _unpacked(file.path, content), dimensions=dimensions)


def _size(part: Part) -> str:
    return f"{part.pixels.shape[3]}×{part.pixels.shape[2]} pixels"


def _read(known: DataSet[Raw], files: Sequence[Contents]) -> Raw:
    return assemble(files, name=known.name, classes=known.classes)


def _files(*identities: str) -> tuple[File, ...]:
    return tuple(File(names=names, identity=one) for names, one in zip(_NAMES, identities, strict=True))


MNIST = DataSet(
    name="mnist",
    title="MNIST",
    holds="60,000 + 10,000 handwritten digits, 28×28 grey",
    licence="CC BY-SA 3.0",
    home="http://yann.lecun.com/exdb/mnist/",
    size=11_594_722,
    classes=tuple("0123456789"),
    usual="mnist/ with the four .gz files",
    lacking=_LACKING,
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    files=_files(
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    identity="MD5 of the uncompressed bytes",  # many copies in circulation are recompressed
    open=unpack,
    read=_read,
)

_CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

FASHION_MNIST = DataSet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    holds="60,000 + 10,000 pieces of clothing, 28×28 grey",
    licence="MIT",
    home="https://github.com/zalandoresearch/fashion-mnist",
    size=30_878_645,
    classes=_CLOTHES,
    usual="fashion-mnist/ with the four .gz files",
    lacking=_LACKING,
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    # As torchvision lists them; both mirrors serve the same files.
    files=_files(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    identity="MD5 of the .gz file as published",
    open=whole,
    read=_read,
)
