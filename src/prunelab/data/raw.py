"""Images as their source holds them, before any is set aside, and the id of their content."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# As float32 the pixels take four times this, beside the networks; larger sets need a loader that streams.
PIXEL_LIMIT = 2 * 2**30  # bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The training or the test images of a source, in the source's order."""

    pixels: NDArray[np.uint8]  # (N, C, H, W), C = 1 grey or 3 RGB
    labels: NDArray[np.int64]  # (N,), index into the classes


@dataclass(frozen=True, kw_only=True, eq=False)
class Raw:
    """All images of a source."""

    name: str
    classes: tuple[str, ...]
    scale: int  # the pixel value that means 1.0
    train: Part
    test: Part | None  # None: the source has no test part of its own


def content_id(raw: Raw) -> str:
    """Identify images by what they show: the same pixels and labels give the same id.

    The archive, its compression, the file names and the class names do not enter. The order does, since
    training draws its batches by index: it is the source's own, for folders by class and file name.

    Args:
        raw: images as read; the validation part is not carved yet, so its size does not enter either.

    Returns:
        12 hexadecimal digits of a SHA-256 over, for the training and then the test part: the shape and the scale
        as int64, the pixels as uint8, the labels as int64, all little-endian.
    """
    hashed = hashlib.sha256()
    for part in (raw.train, raw.test):
        if part is not None:
            hashed.update(np.array([*part.pixels.shape, raw.scale], dtype="<i8").tobytes())
            hashed.update(np.ascontiguousarray(part.pixels).data)
            hashed.update(np.ascontiguousarray(part.labels, dtype="<i8").data)
    return hashed.hexdigest()[:12]
