"""IDX files, MNIST's format: read whole, checked to the last byte."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prunelab.data.raw import PIXEL_LIMIT, Part, Raw

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

_UNSIGNED_BYTE = 0x08  # the only one of the format's element types that images and labels come in
_LARGEST_HEADER = 4 + 4 * 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Unpacked:
    """One IDX file's bytes, uncompressed, and where they came from."""

    path: Path
    content: bytes


def find(folder: Path, file: str) -> Path | None:
    """Return the path of an IDX file in a folder, compressed (`.gz`) or plain; None where it has neither.

    The compressed one is preferred: downloads are stored so, and a plain copy beside it may be a leftover.
    """
    candidates = (folder / f"{file}.gz", folder / file)
    return next((path for path in candidates if path.is_file()), None)


def locate(folder: Path) -> list[Path]:
    """Return the paths of a data set's four IDX files, in the order of `FILES`.

    Raises:
        FileNotFoundError: one of the four is missing.
    """
    paths = []
    for file in FILES:
        path = find(folder, file)
        if path is None:
            raise FileNotFoundError(
                f"{folder} has no {file}.gz (nor {file}); a data set of IDX files needs all four: "
                "add it, or remove the folder"
            )
        paths.append(path)
    return paths


def unpack(path: Path) -> Unpacked:
    """Read a file, uncompressed where it is gzip by its first bytes, whatever its name says.

    Raises:
        ValueError: the gzip stream is damaged, truncated, followed by other bytes or absurdly large.
    """
    if path.stat().st_size > PIXEL_LIMIT:
        raise ValueError(f"{path}: {path.stat().st_size} bytes, more than the {PIXEL_LIMIT} that are read")
    packed = path.read_bytes()
    if not packed.startswith(b"\x1f\x8b"):
        return Unpacked(path=path, content=packed)
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
    return Unpacked(path=path, content=content)


def parse(file: Unpacked, *, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes: two zeros, type, rank, the sizes as big-endian int32, the elements.

    Args:
        file: the uncompressed bytes.
        dimensions: the rank asked for; 1 for labels (N,), 3 for images (N, H, W).

    Returns:
        A read-only array of that rank, no size 0.

    Raises:
        ValueError: other magic number, an empty dimension, or a byte count that differs from the sizes' product.

    Source: LeCun, Cortes, Burges, "The MNIST database", the section on file formats.
    """
    start = 4 + 4 * dimensions
    magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if file.content[:4] != magic:
        found = file.content[:4].hex() or "nothing"
        raise ValueError(
            f"{file.path}: starts with {found}, an IDX file of {dimensions}-dimensional unsigned bytes with "
            f"{magic.hex()}; is it another kind of file, or images and labels mixed up?"
        )
    if len(file.content) < start:
        raise ValueError(f"{file.path}: ends within its {start}-byte header; replace it with a fresh copy")
    sizes = [int(size) for size in np.frombuffer(file.content, dtype=">u4", count=dimensions, offset=4)]
    shape = "×".join(map(str, sizes))
    if 0 in sizes:
        raise ValueError(f"{file.path}: holds {shape} elements, that is none")
    # Python integers: the product of three sizes can exceed 64 bits, and a wrapped one could match by chance.
    expected = math.prod(sizes)
    if len(file.content) - start != expected:
        raise ValueError(
            f"{file.path}: {len(file.content) - start} bytes follow the header, which promises "
            f"{shape} = {expected}; the file is truncated or damaged: replace it with a fresh copy"
        )
    return np.frombuffer(file.content, dtype=np.uint8, offset=start).reshape(sizes)


def assemble(files: Sequence[Unpacked], *, name: str, classes: tuple[str, ...] | None = None) -> Raw:
    """Put a data set together from its four IDX files.

    Args:
        files: in the order of `FILES`.
        name: what the set is called.
        classes: names of the labels 0, 1, …; None takes the numbers up to the largest training label.

    Raises:
        ValueError: a file is not what its place asks for, images and labels differ in number, training and test
            images in size, or a label is out of range or never used.
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


def _part(images: Unpacked, labels: Unpacked) -> Part:
    pixels = parse(images, dimensions=3)[:, None]  # (N, 1, H, W)
    numbers = parse(labels, dimensions=1)
    if len(pixels) != len(numbers):
        raise ValueError(
            f"{labels.path}: {len(numbers)} labels for the {len(pixels)} images of {images.path.name}; "
            "the two files belong to different sets"
        )
    return Part(pixels=pixels, labels=numbers.astype(np.int64))


def _size(part: Part) -> str:
    return f"{part.pixels.shape[3]}×{part.pixels.shape[2]} pixels"
