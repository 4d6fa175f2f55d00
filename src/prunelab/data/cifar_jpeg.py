"""CIFAR-10's images as JPEG files, read in place from an archive or a folder and recognised by their content."""

import re
from collections.abc import Mapping
from pathlib import Path

from prunelab.data import archive, folder
from prunelab.data.archive import Archive, Wanted
from prunelab.data.known import KnownPictures
from prunelab.data.listing import Tree, natural
from prunelab.data.raw import Raw

# Archives of a branch put a folder around everything; the read-me and scripts beside the images are passed over.
_WANTED = Wanted(
    member=re.compile(r"(?P<around>[^/]+/)?(?P<file>(?:train|test)/[a-z]+/[0-9]+\.jpg)"),
    layout="{train,test}/{class}/{n}.jpg",
    things="images",
    thing="an image of 32×32 pixels",
    each=2**16,  # bytes; the largest of the data set has 1,124
    total=2**28,  # bytes; those of the data set come to 55 MB
)


def read(known: KnownPictures, path: Path) -> Archive:
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


def assemble(known: KnownPictures, found: Archive) -> Raw:
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
