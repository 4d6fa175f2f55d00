"""Images by name or path, whole, as their source holds them: before any part is carved."""

from pathlib import Path

import numpy as np

from prunelab.data import cifar_binary, cifar_jpeg, fetch, folder, idx
from prunelab.data.archive import Archive
from prunelab.data.known import KNOWN, KNOWN_ARCHIVES, KnownBatches, KnownPictures
from prunelab.data.place import is_path, unknown
from prunelab.data.raw import Part, Raw

NAMES = ("digits", *KNOWN, *KNOWN_ARCHIVES)


def read(source: str, *, download: bool = True) -> Raw:
    """Read a source as it is.

    Args:
        source: see `images.load_images`.
        download: False asks for what is on this machine alone.

    Raises:
        ValueError: as `images.load_images`.
        FileNotFoundError: likewise.
    """
    if is_path(source):
        return _read_path(Path(source).expanduser())
    if source == "digits":
        return _digits()
    if source in KNOWN:
        known = KNOWN[source]
        return idx.assemble(fetch.files(known, download=download), name=known.name, classes=known.classes)
    if source in KNOWN_ARCHIVES:
        return _assemble(KNOWN_ARCHIVES[source], fetch.archive(KNOWN_ARCHIVES[source], download=download))
    raise unknown(source, NAMES, what="data set")


def _assemble(known: KnownPictures | KnownBatches, found: Archive) -> Raw:
    if isinstance(known, KnownPictures):
        return cifar_jpeg.assemble(known, found)
    return cifar_binary.assemble(known, found)


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
    if not path.exists():
        hint = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise FileNotFoundError(f"{path}: no such folder or archive{hint}; check the path")
    # What is called mnist or cifar10 claims to be it, and results from it would be published under that name.
    name = folder.name_of(path)
    if path.is_dir() and any(idx.find(path, file) for file in idx.FILES):
        files = [idx.unpack(file) for file in idx.locate(path)]
        known = KNOWN.get(name)
        if known is None:
            return idx.assemble(files, name=name)
        return idx.assemble([fetch.check(known, file) for file in files], name=name, classes=known.classes)
    for claimed in KNOWN_ARCHIVES.values():
        if name == claimed.name or (path.is_file() and path.resolve().name == claimed.archive):
            return _assemble(claimed, fetch.verified(claimed, path))
    return folder.load(path)
