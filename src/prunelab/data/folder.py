"""Images by class, one file an image, in a folder or a zip archive that is read in place."""

import io
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from prunelab.data.listing import Tree, by_class, folder_sizes, zip_sizes
from prunelab.data.raw import PIXEL_LIMIT, Part, Raw

# Named, so that a file cannot choose a decoder that starts other programs (EPS) or is rarely exercised.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_GREY = ("1", "L")
_COLOUR = ("RGB", "CMYK", "YCbCr")
_EITHER = ("P", "PA", "LA")  # grey or colour, seen only from the pixels
_UNREADABLE = (
    OSError,  # among them Pillow's UnidentifiedImageError, and truncated files
    SyntaxError,  # Pillow's word for a broken PNG or TIFF
    ValueError,
    EOFError,
    NotImplementedError,  # a zip compression this Python lacks
    zipfile.BadZipFile,  # a member whose checksum is wrong
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def load(path: Path) -> Raw:
    """Read images laid out as `{class}/*.png` or `{train,test}/{class}/*.png`.

    Classes and files are taken in natural order (2 before 10). Grey images give one channel, colour images three;
    where a set has both, all give three. Transparent pixels are laid over white. A folder around everything is
    passed over. JPEG pixels depend on the decoder: sets kept as JPEG can get another
    content id with another version of Pillow.

    Args:
        path: an existing folder, or a zip archive, which is read without being unpacked.

    Returns:
        The images, test None where the layout has no test part. Pixels 0 to 255.

    Raises:
        ValueError: a layout, archive or image that cannot be used; the line names the file.
    """
    if path.is_dir():
        return _load(path, folder_sizes(path), lambda name: (path / name).read_bytes())
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(
            f"{path}: neither a folder nor a readable zip archive ({error}); "
            "give a folder or a .zip archive that holds one folder of images for each class"
        ) from None
    with archive:
        return _load(path, zip_sizes(path, archive), archive.read)


def _load(path: Path, sizes: Mapping[str, int], read: Callable[[str], bytes]) -> Raw:
    tree = by_class(path, sizes)
    classes = tuple(next(iter(tree.values())))
    images = _decode(path, tree, read)
    channels = max(len(image) for image in images.values())  # 3 as soon as one image has colour
    return Raw(
        name=path.resolve().stem if path.is_file() else path.resolve().name,
        classes=classes,
        scale=255,
        train=_part(tree["train"], images, channels),
        test=_part(tree["test"], images, channels) if "test" in tree else None,
    )


def _decode(path: Path, tree: Tree, read: Callable[[str], bytes]) -> dict[str, NDArray[np.uint8]]:
    """Decode every image of the tree to (1 or 3, H, W), all of one size."""
    names = [name for part in tree.values() for files in part.values() for name in files]
    images: dict[str, NDArray[np.uint8]] = {}
    width, height = 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for name in names:
            with _named(path, name):
                image = _opened(read(name))
            # Before any pixel is decoded: a header can claim every size at no cost.
            if name == names[0]:
                width, height = image.size
                if 3 * len(names) * width * height > PIXEL_LIMIT:
                    raise ValueError(
                        f"{path}: {len(names)} images of {width}×{height} pixels (the size of {name}) are more than "
                        f"the {PIXEL_LIMIT} bytes that are held in memory; make them smaller or fewer"
                    )
            if image.size != (width, height):
                raise ValueError(
                    f"{name} in {path}: {image.width}×{image.height} pixels, {names[0]} has {width}×{height}; "
                    "all images of a set need one size: resize it"
                )
            with _named(path, name):
                images[name] = _pixels(image)
    return images


def _opened(content: bytes) -> Image.Image:
    """Open an image without decoding it; of a PNG, check every chunk first."""
    image = Image.open(io.BytesIO(content), formats=_FORMATS)
    if image.format == "PNG":
        # Decoding alone passes over checksums and a missing end. An image that was verified cannot be read.
        image.verify()
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    return image


@contextmanager
def _named(path: Path, name: str) -> Iterator[None]:
    """Turn whatever reading and decoding raise into one line that names the file."""
    try:
        yield
    except _UNREADABLE as error:
        raise ValueError(f"{name} in {path}: not a readable image ({_one_line(error)}); repair or remove it") from None


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Convert an opened image to (1, H, W) when it is grey and (3, H, W) when it has colour."""
    mode = image.mode
    if mode not in (*_GREY, *_COLOUR, *_EITHER, "RGBA"):
        raise ValueError(f"pixels of type {mode}, but 8-bit grey or colour is needed")
    if mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    elif mode in _GREY:
        return np.asarray(image.convert("L"))[None]  # (1, H, W)
    colour = np.asarray(image.convert("RGB")).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    if mode in (*_GREY, *_EITHER) and (colour == colour[:1]).all():
        return colour[:1]
    return colour


def _part(part: Mapping[str, list[str]], images: Mapping[str, NDArray[np.uint8]], channels: int) -> Part:
    labels = [label for label, files in enumerate(part.values()) for _ in files]
    shape = (channels, *next(iter(images.values())).shape[1:])
    pixels = np.stack([np.broadcast_to(images[name], shape) for files in part.values() for name in files])
    return Part(pixels=pixels, labels=np.array(labels, dtype=np.int64))


def _one_line(error: BaseException) -> str:
    """Say what went wrong without the in-memory buffer's address that Pillow puts into its messages."""
    if isinstance(error, UnidentifiedImageError):
        return "its content is of no known image format"
    return " ".join(str(error).split()) or type(error).__name__
