"""A user's own images by class, one file an image, in a folder or a zip archive that is read in place."""

import io
import re
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from statistics import mode

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from prunelab.data.archive import check_sizes, folder_sizes, name_of, zip_sizes
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


SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_IMAGE_LIMIT = 64 * 2**20  # bytes of one file, stored uncompressed; a 4000×4000 RGB bitmap has 48 MB
_TOTAL_LIMIT = 4 * 2**30  # bytes of all files together
_LEFT_BY_SYSTEMS = ("__macosx", "thumbs.db", "desktop.ini")

Tree = dict[str, dict[str, list[str]]]  # "train" and maybe "test" -> class -> names, all in natural order


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
    name = name_of(path)
    if path.is_dir():
        tree = by_class(path, folder_sizes(path))
        return assemble(path, tree, lambda file: (path / file).read_bytes(), name=name)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(
            f"{path}: neither a folder nor a readable zip archive ({error}); "
            "give a folder or a .zip archive that holds one folder of images for each class"
        ) from None
    with archive:
        return assemble(path, by_class(path, zip_sizes(path, archive)), archive.read, name=name)


def assemble(path: Path, tree: Tree, read: Callable[[str], bytes], *, name: str) -> Raw:
    """Decode the files of a tree, whose contents `read` returns by their names, and put them together in its order."""
    parts = {part: [file for files in classes.values() for file in files] for part, classes in tree.items()}
    pixels = _decode(path, [file for files in parts.values() for file in files], read)
    cut = len(parts["train"])
    return Raw(
        name=name,
        classes=tuple(tree["train"]),
        scale=255,
        train=Part(pixels=pixels[:cut], labels=_labels(tree["train"])),
        test=Part(pixels=pixels[cut:], labels=_labels(tree["test"])) if "test" in tree else None,
    )


def _decode(path: Path, names: Sequence[str], read: Callable[[str], bytes]) -> NDArray[np.uint8]:
    """Decode images of one size, as viewers show them, to (N, C, H, W), C = 3 as soon as one of them has colour."""
    pixels = np.empty((0, 3, 0, 0), dtype=np.uint8)
    width, height = 0, 0
    colour = False
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for place, name in enumerate(names):
            with _named(path, name):
                image = _opened(read(name))
            # Before any pixel is decoded: a header can claim every size at no cost.
            if place == 0 and 3 * len(names) * image.width * image.height > PIXEL_LIMIT:
                raise ValueError(
                    f"{path}: {len(names)} images of {image.width}×{image.height} pixels (the size of {name}) are more "
                    f"than the {PIXEL_LIMIT} bytes that are held in memory; make them smaller or fewer"
                )
            if place and sorted(image.size) != sorted((width, height)):
                raise _of_another_size(path, name, image.size, names[0], (width, height))
            with _named(path, name):
                decoded = _pixels(ImageOps.exif_transpose(image))  # as cameras note how they were held
            if place == 0:
                height, width = decoded.shape[1:]
                pixels = np.empty((len(names), 3, height, width), dtype=np.uint8)
            if decoded.shape[1:] != (height, width):
                raise _of_another_size(path, name, decoded.shape[:0:-1], names[0], (width, height))
            colour |= len(decoded) == 3
            pixels[place] = decoded  # grey is the same three times
    return pixels if colour else pixels[:, :1].copy()


def _of_another_size(path: Path, name: str, size: Sequence[int], first: str, wanted: Sequence[int]) -> ValueError:
    """Say that an image has another size, (width, height), than the first of the set."""
    return ValueError(
        f"{name} in {path}: {size[0]}×{size[1]} pixels, {first} has {wanted[0]}×{wanted[1]}; "
        "all images of a set need one size: resize it"
    )


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
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    colour = np.asarray(rgb).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    if mode in (*_GREY, *_EITHER) and (colour == colour[:1]).all():
        return colour[:1]
    return colour


def _labels(classes: Mapping[str, list[str]]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(classes), dtype=np.int64), [len(files) for files in classes.values()])


def _one_line(error: BaseException) -> str:
    """Say what went wrong without the in-memory buffer's address that Pillow puts into its messages."""
    if isinstance(error, UnidentifiedImageError):
        return "its content is of no known image format"
    return " ".join(str(error).split()) or type(error).__name__


def by_class(path: Path, sizes: Mapping[str, int]) -> Tree:
    """Sort image files by part and class.

    Args:
        path: the folder or archive, for the messages.
        sizes: its listing, see `archive.folder_sizes`.

    Returns:
        Part -> class -> names. Every part has the same classes, at least two, each with at least one name.
    """
    # Accents apart or together (é as e and ´), a class has one name.
    entries = {
        name: PurePosixPath(unicodedata.normalize("NFC", name)).parts for name in sizes if not _is_left_over(name)
    }
    files = {name: parts for name, parts in entries.items() if not name.endswith("/")}
    images = {name: parts for name, parts in files.items() if name.lower().endswith(SUFFIXES)}
    if not images:
        raise ValueError(f"{path}: no images (*{', *'.join(SUFFIXES)}); one folder of them for each class is needed")
    depth = mode(len(parts) for parts in images.values())
    _check_files(path, files, images, depth)
    found = {name: sizes[name] for name in images}
    check_sizes(path, found, each=_IMAGE_LIMIT, total=_TOTAL_LIMIT, thing="an image file", things="image files")
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
