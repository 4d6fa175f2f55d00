"""Spoken digit words: one recording, a source's three parts, and the id of their content."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8000  # Hz, of every recording

PartName = Literal["train", "dev", "test"]
PARTS: tuple[PartName, ...] = ("train", "dev", "test")
FULL_SCALE = 2**15  # the 16-bit number that means 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """One speaker saying one digit word, or several in a row."""

    name: str  # unique in its source
    samples: NDArray[np.float32]  # (n,), [-1, 1], at RATE
    words: tuple[int, ...]  # at least one index into WORDS
    speaker: str
    part: PartName

    def __post_init__(self) -> None:
        """Refuse what every later step would turn into nonsense without a word."""
        if self.samples.ndim != 1 or self.samples.dtype != np.float32 or not len(self.samples):
            raise ValueError(
                f"samples are (n,) float32, n at least 1; {self.name} has {self.samples.shape} {self.samples.dtype}"
            )
        # NaN fails the comparison too.
        if not bool((np.abs(self.samples) <= 1).all()):
            raise ValueError(f"samples are numbers in [-1, 1]; {self.name} has others: divide by the largest value")
        if not self.words or not all(0 <= word < len(WORDS) for word in self.words):
            raise ValueError(f"words are indices 0 to 9, at least one; {self.name} has {self.words!r}")
        if self.part not in PARTS:
            raise ValueError(f"a part is {', '.join(PARTS)}; {self.name} is in {self.part!r}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Recordings:
    """All recordings of a source, in the source's order."""

    name: str
    content_id: str  # 12 hexadecimal digits, see `content_id`
    synthetic: bool  # spoken by a program; whatever is measured on it says so
    recordings: tuple[Recording, ...]

    def part(self, name: str) -> tuple[Recording, ...]:
        """Return the recordings of one part, "train", "dev" or "test", in the source's order.

        Raises:
            ValueError: no part has this name.
        """
        if name not in PARTS:
            raise ValueError(f"a part is {', '.join(PARTS)}; got {name!r}")
        return tuple(recording for recording in self.recordings if recording.part == name)

    @property
    def isolated(self) -> bool:
        """Say whether every recording is one word, which can be joined into strings."""
        return all(len(recording.words) == 1 for recording in self.recordings)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Name the speakers, sorted."""
        return tuple(sorted({recording.speaker for recording in self.recordings}))


def gather(name: str, recordings: Iterable[Recording], *, synthetic: bool) -> Recordings:
    """Put a source's recordings together under the id of their content.

    Raises:
        ValueError: a part has no recording, or two recordings have one name.
    """
    kept = tuple(recordings)
    sizes = {part: sum(recording.part == part for recording in kept) for part in PARTS}
    for part, size in sizes.items():
        if not size:
            raise ValueError(f"{name}: no recording in part {part!r} of {sizes}; each of the three needs some")
    names = [recording.name for recording in kept]
    if len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise ValueError(f"{name}: two recordings are called {twice!r}; a name stands for one: rename the other")
    return Recordings(name=name, content_id=content_id(kept), synthetic=synthetic, recordings=kept)


def content_id(recordings: Iterable[Recording]) -> str:
    """Identify recordings by what is heard and said: the same samples, words and parts in one order give one id.

    Names and speakers do not enter, nor do archives, file formats or sampling rates before resampling.

    Returns:
        12 hexadecimal digits of a SHA-256 over, for each recording: the numbers of samples and words and the part
        (0 train, 1 dev, 2 test) as int64, the samples as int16 (1.0 is 32768, clipped), the words as int64, all
        little-endian.
    """
    hashed = hashlib.sha256()
    for recording in recordings:
        sizes = (len(recording.samples), len(recording.words), PARTS.index(recording.part))
        hashed.update(np.array(sizes, dtype="<i8").tobytes())
        hashed.update(to_int16(recording.samples).astype("<i2").tobytes())
        hashed.update(np.array(recording.words, dtype="<i8").tobytes())
    return hashed.hexdigest()[:12]


def to_int16(samples: NDArray[np.floating]) -> NDArray[np.int16]:
    """Round samples in [-1, 1] to 16-bit numbers; 1.0 itself becomes the largest, 32767."""
    scaled = np.rint(np.asarray(samples, dtype=np.float64) * FULL_SCALE)
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def from_int16(numbers: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return 16-bit numbers as samples in [-1, 1), exactly."""
    return numbers.astype(np.float32) / np.float32(FULL_SCALE)
