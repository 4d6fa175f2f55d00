"""What a corpus cannot be made of, said before anything is spoken, drawn or trained."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from prunelab.data.recordings import WORDS
from prunelab.speech import Topology, Utterance

# Smallest and largest value of each whole number. The largest are far beyond use, and below what memory cannot hold.
_RANGES = {
    "train_words": (1, 100_000),
    "dev_words": (1, 100_000),
    "test_words": (1, 100_000),
    "bins": (1, 80),
    "context": (0, 100),
    "step": (1, 100),
    "states_per_word": (1, 100),
    "realignments": (1, 100),
    "seed": (0, 2**63 - 1),
}
_LOUDEST = 100.0  # dB; beyond it 16 bit hold either the speech or the noise alone


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse sizes and settings that cannot be, by the names they are given under.

    Args:
        settings: the fields of `prunelab.studies.corpora.Shape`.

    Raises:
        ValueError: a number out of its range, or a signal-to-noise range that is none.
    """
    for name, (least, most) in _RANGES.items():
        if not least <= settings[name] <= most:
            raise ValueError(f"{name} is a whole number from {least} to {most}; got {settings[name]!r}")
    for name in ("train_snr_db", "test_snr_db"):
        ends = settings[name]
        if ends is not None and not (len(ends) == 2 and -_LOUDEST <= ends[0] <= ends[1] <= _LOUDEST):
            raise ValueError(
                f"{name} is a lower and an upper end in dB, the lower first, within {_LOUDEST:g} of 0, or empty for "
                f"no noise; got {list(ends)}"
            )


def check_alignable(utterances: Sequence[Utterance], frames: Tensor, topology: Topology) -> None:
    """Refuse training utterances too short for a frame in each state of their words.

    Args:
        utterances: of the training part.
        frames: (U,) int64, scored frames of each.
        topology: the states.

    Raises:
        ValueError: the first such utterance, by name.
    """
    for utterance, found in zip(utterances, frames.tolist(), strict=True):
        needed = len(utterance.words) * topology.states_per_word
        if found < needed:
            raise ValueError(
                f"every state of a word takes a scored frame; {utterance.name} has {found} frames for "
                f"{len(utterance.words)} word(s) of {topology.states_per_word} states: check what is said in it, or "
                "lower step or states_per_word"
            )


def check_trained(heard: Mapping[str, Sequence[Utterance]]) -> None:
    """Refuse words that are listened for and were never trained: they could not be recognised.

    Args:
        heard: part -> utterances.

    Raises:
        ValueError: the first such word.
    """
    said = {part: {word for one in own for word in one.words} for part, own in heard.items()}
    for part in ("dev", "test"):
        for word in sorted(said[part] - said["train"]):
            raise ValueError(
                f"what is said in part {part} is said in training too; {WORDS[word]!r} is not: raise train_words, or "
                "put recordings of it into part train"
            )
