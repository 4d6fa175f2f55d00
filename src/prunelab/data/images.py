"""Images by name or path, as tensors: one fixed training, validation and test part."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunelab.data import cifar, idx, own_images, published
from prunelab.data.published import DataSet, is_path
from prunelab.data.raw import Part, Raw, content_id

KNOWN: dict[str, DataSet[Raw]] = {
    one.name: one for one in (idx.MNIST, idx.FASHION_MNIST, cifar.CIFAR10, cifar.CIFAR10_JPEG)
}
NAMES = ("digits", *KNOWN)
TEST_SHARE = 1 / 5  # of every class, where a source has no test part of its own


def read(source: str, *, download: bool = True) -> Raw:
    """Read a source as it is.

    Args:
        source: see `load_images`.
        download: False asks for what is on this machine alone.
    """
    if is_path(source):
        return _read_path(published.path_of(source, what="folder or archive", exists=Path.exists))
    if source == "digits":
        return _digits()
    if source in KNOWN:
        return published.load(KNOWN[source], download=download)
    raise published.unknown(source, NAMES, what="data set")


def _digits() -> Raw:
    from sklearn.datasets import load_digits  # 1.4 s to import, which only this source should cost

    digits = load_digits()
    pixels = digits.images.astype(np.uint8)[:, None]  # (N, 8, 8) floats 0 … 16 -> (N, 1, 8, 8)
    labels = digits.target.astype(np.int64)
    return Raw(
        name="digits",
        classes=tuple(str(name) for name in digits.target_names),
        scale=16,
        train=Part(pixels=pixels, labels=labels),
        test=None,
    )


def _read_path(path: Path) -> Raw:
    for known in KNOWN.values():
        if known.is_at(path):
            return published.load_from(known, path)
    if idx.holds_idx(path):
        return idx.load(path)
    return own_images.load(path)


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Images and their classes, in memory."""

    x: Tensor  # (N, C, H, W) float32, [0, 1]
    y: Tensor  # (N,) int64, index into the classes

    def __post_init__(self) -> None:
        """Refuse shapes and types that a network would take silently and learn nonsense from."""
        if self.x.ndim != 4 or self.x.dtype != torch.float32:
            raise ValueError(f"images are (N, C, H, W) float32; got {tuple(self.x.shape)} {self.x.dtype}")
        if self.y.shape != self.x.shape[:1] or self.y.dtype != torch.int64:
            raise ValueError(
                f"{len(self.x)} images need as many int64 labels; got {tuple(self.y.shape)} {self.y.dtype}"
            )
        if self.x.is_meta:  # shapes without values
            return
        # Cross-entropy passes over the label -100 in silence, and blames nobody for a pixel that is not a number.
        if len(self.y) and int(self.y.min()) < 0:
            raise ValueError(f"a label is the index of a class, at least 0; got {int(self.y.min())}")
        # The extremes, since NaN is one wherever it occurs: `isfinite` of all pixels takes twice their memory.
        if self.x.numel() and not all(bool(torch.isfinite(extreme)) for extreme in torch.aminmax(self.x)):
            raise ValueError("a pixel is a finite number; some are NaN or infinite: check how the images were scaled")

    def __len__(self) -> int:
        """Count the images."""
        return len(self.y)

    def to(self, device: str | torch.device) -> Self:
        """Return the same images on another device."""
        return replace(self, x=self.x.to(device), y=self.y.to(device))


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """A data set of images: three parts that are the same in every run."""

    name: str
    content_id: str  # 12 hexadecimal digits, see `raw.content_id`
    classes: tuple[str, ...]
    train: Split
    validation: Split  # carved from the training images of the source, never from its test images
    test: Split

    @property
    def inputs(self) -> int:
        """Count the numbers that make up one image, C · H · W."""
        return self.train.x[0].numel()

    @property
    def shape(self) -> tuple[int, ...]:
        """Give the shape of one image, (C, H, W)."""
        return tuple(self.train.x.shape[1:])

    def to(self, device: str | torch.device) -> Self:
        """Return the same data set on another device."""
        parts = {name: getattr(self, name).to(device) for name in ("train", "validation", "test")}
        return replace(self, **parts)


def load_images(source: str = "digits", *, validation: float = 1 / 6, device: str | torch.device = "cpu") -> Images:
    """Load a data set of images by name or path.

    The parts do not depend on any seed: the validation images are taken evenly from each class's order in the
    source, and so is a test part (a fifth) where the source has none.

    Args:
        source: "digits" (scikit-learn's 1,797 images of 8×8, embedded), "mnist", "fashion-mnist", "cifar10",
            "cifar10-jpeg" (CIFAR-10 kept as JPEG, whose pixels are not CIFAR-10's), or a path that starts with ".",
            "/" or "~": a folder or .zip archive of images by class, or a folder with the four IDX files. A named
            set is looked for in `$PRUNELAB_DATA` (its archive, or the folder of its name), then in the user's cache,
            then downloaded.
        validation: fraction of the training images to set aside, (0, 1); of MNIST's 60,000 the default is 10,000.
        device: where the tensors are put.

    Raises:
        ValueError: unknown name, `validation` out of range, a device that torch cannot use here, or files that are
            not what they should be.
        FileNotFoundError: nothing at the path, or a named set that is neither on this machine nor to be had.
    """
    _check_device(device)
    if not 0 < validation < 1:
        hint = f"; did you mean {validation / 100:g}?" if 1 < validation < 100 else ""
        raise ValueError(
            f"validation is the fraction of the training images to set aside, in (0, 1); got {validation!r}{hint}"
        )
    raw = read(source)
    train, test = raw.train, raw.test
    if test is None:
        train, test = _carve(raw, train, TEST_SHARE)
    train, held_out = _carve(raw, train, validation)
    images = Images(
        name=raw.name,
        content_id=content_id(raw),
        classes=raw.classes,
        train=_split(train, raw.scale),
        validation=_split(held_out, raw.scale),
        test=_split(test, raw.scale),
    )
    return images.to(device)


def stratified(labels: NDArray[np.int64], fraction: float) -> NDArray[np.bool_]:
    """Choose a fraction of every class, evenly spaced over its order; the same choice each time.

    Evenly, because sources are often ordered (by writer, by time): a block would hold another population.
    The counts follow the largest remainders, so that together they come to round(fraction · N) wherever each class
    can keep and give at least one.

    Args:
        labels: (N,), each class at least twice.
        fraction: (0, 1).

    Returns:
        (N,), True = chosen; of n images of a class fraction · n, rounded up or down, at least 1, at most n - 1.

    Raises:
        ValueError: a class has a single image, which cannot be on both sides.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < 2:
        raise ValueError(f"class {classes[sizes.argmin()]} has 1 image to divide, and each class needs at least 2")
    wanted = sizes * fraction
    least = np.clip(np.floor(wanted), 1, sizes - 1).astype(np.int64)
    most = np.clip(np.ceil(wanted), 1, sizes - 1).astype(np.int64)
    missing = round(len(labels) * fraction) - int(least.sum())
    open_to_more = np.flatnonzero(most > least)
    by_remainder = open_to_more[np.argsort(-(wanted - least)[open_to_more], kind="stable")]
    counts = least.copy()
    counts[by_remainder[: max(missing, 0)]] += 1

    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label, size, count in zip(classes, sizes, counts, strict=True):
        places = (2 * np.arange(count) + 1) * size // (2 * count)  # the middles of `count` equal stretches
        chosen[np.flatnonzero(labels == label)[places]] = True
    return chosen


def _check_device(device: str | torch.device) -> None:
    """Refuse a device that is none or is not there: torch's own messages name neither the setting nor a fix."""
    try:
        asked = torch.device(device)
    except RuntimeError:
        raise ValueError(f"a device is 'cpu', 'cuda' or one GPU of several, as 'cuda:1'; got {device!r}") from None
    found = torch.cuda.device_count() if asked.type == "cuda" else 0
    if asked.type == "cuda" and (asked.index or 0) >= found:
        raise ValueError(
            f"device {str(device)!r} needs a GPU that torch can use, and there are {found}; take 'cpu', "
            "or install a CUDA build of torch and its driver"
        )


def _carve(raw: Raw, part: Part, fraction: float) -> tuple[Part, Part]:
    counts = np.bincount(part.labels, minlength=len(raw.classes))
    if counts.min() < 2:
        needed = 2 if raw.test is not None else 3
        raise ValueError(
            f"{raw.name}: class {raw.classes[int(counts.argmin())]!r} has too few images for parts of its own to "
            f"train and validate{'' if raw.test is not None else ' and test'} on; at least {needed} are needed"
        )
    chosen = stratified(part.labels, fraction)
    rest, taken = (Part(pixels=part.pixels[side], labels=part.labels[side]) for side in (~chosen, chosen))
    return rest, taken


def _split(part: Part, scale: int) -> Split:
    return Split(
        x=torch.from_numpy(part.pixels.astype(np.float32)).div_(scale),  # (N, C, H, W)
        y=torch.from_numpy(part.labels),
    )


def standardised(images: Images) -> Images:
    """Shift and scale each channel of all parts alike, by its mean and standard deviation over the training part.

    The content id stays that of the images as they are stored.

    Args:
        images: parts of shape (N, C, H, W).
    """
    deviation, mean = torch.std_mean(images.train.x, dim=(0, 2, 3), keepdim=True, correction=0)
    parts: dict[str, Any] = {
        name: Split(x=(part.x - mean) / deviation.clamp_min(1e-6), y=part.y)
        for name, part in (("train", images.train), ("validation", images.validation), ("test", images.test))
    }
    return replace(images, **parts)
