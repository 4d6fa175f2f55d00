"""The Free Spoken Digit Dataset, read in place from an archive or a folder and recognised by its content."""

import re
from collections.abc import Iterator, Sequence

from prunelab.data import wav
from prunelab.data.archive import Contents, Wanted
from prunelab.data.published import DataSet, File
from prunelab.data.spoken import RATE, WORDS, PartName, Recording, Recordings, gather


def read(known: DataSet[Recordings], files: Sequence[Contents]) -> Recordings:
    """Give the recordings by digit, speaker and index; the index decides the part."""
    (found,) = files
    return gather(known.name, _recordings(found), synthetic=False)


def _recordings(found: Contents) -> Iterator[Recording]:
    named = ((name, name.removesuffix(".wav").split("_")) for name in found.files)
    order = sorted((int(digit), speaker, int(index), name) for name, (digit, speaker, index) in named)
    for digit, speaker, index, name in order:
        try:
            rate, samples = wav.decode(found.files[name])
        except ValueError as error:
            raise ValueError(f"{name} in {found.path}: {error}; replace the archive with a fresh copy") from None
        if rate != RATE:
            raise ValueError(f"{name} in {found.path}: {rate} Hz, {RATE} needed; replace it with a fresh copy")
        yield Recording(
            name=name.removesuffix(".wav"),
            samples=wav.at_rate(samples, rate),
            words=(digit,),
            speaker=speaker,
            part=part_of(index),
        )


def part_of(index: int) -> PartName:
    """Return the part that a recording's index, 0 to 49, puts it into.

    The data set's own test part is index 0 to 4. The development part, 5 to 9, comes out of its training part.
    """
    if index < 5:
        return "test"
    return "dev" if index < 10 else "train"


# Archives of a tag put a folder around everything; code and documentation beside the recordings are passed over.
RECORDINGS = Wanted(
    below="recordings/",
    member=re.compile(r"(?P<around>[^/]+/)?recordings/(?P<file>[0-9]_[a-z]+_[0-9]+\.wav)"),
    layout="recordings/{digit}_{speaker}_{index}.wav",
    things="recordings",
    thing="a recording of a digit",
    each=2**20,  # bytes; the longest of the data set has 37 kB
    total=2**28,  # bytes; those of the data set come to 22 MB
)

FSDD = DataSet(
    name="fsdd",
    title="Free Spoken Digit Dataset v1.0.10",
    holds="3,000 recordings of digit words, 6 speakers, 8 kHz",
    licence="CC BY-SA 4.0",
    home="https://github.com/Jakobovski/free-spoken-digit-dataset",
    size=16_200_000,
    classes=WORDS,
    usual="fsdd.zip, or fsdd/recordings/ with the wav files",
    lacking=None,
    # The second is where the first leads to; networks that block one often let the other pass.
    mirrors=(
        "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
        "https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/zip/refs/tags/v1.0.10",
    ),
    files=(File(names=("fsdd.zip",), identity="04e1baae96c6a26e39c623f2b01d0182ddae627ba0ac02a3cdc17ba2af99fd9b"),),
    identity="SHA-256 of the manifest of its 3,000 recordings",
    open=RECORDINGS.open,
    read=read,
)
