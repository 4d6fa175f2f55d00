"""Utterances from recordings: single digits strung together, or a user's own as they are, in noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from prunelab.data.spoken import RATE, Recording

Samples = NDArray[np.float32]
Span = tuple[int, int]

_RMS = 0.05  # of a recording before its own level; keeps peaks of speech well inside [-1, 1]
_LOWEST_HZ = 20  # of the noise: what lies lower the features do not see, and it would grow with the duration


@dataclass(frozen=True, kw_only=True, eq=False)
class Utterance:
    """What a recogniser is given to hear."""

    name: str
    samples: Samples  # (n,) at RATE; full scale is 1, noise may exceed it
    words: tuple[int, ...]
    spans: tuple[Span, ...] | None  # first sample and the one after the last of each word; None: unknown
    speaker: str
    snr_db: float  # speech over added noise; infinite where none was added


@dataclass(frozen=True, kw_only=True)
class Stringing:
    """How recordings are strung together."""

    words: int  # in all strings together
    snr_db: tuple[float, float] | None  # drawn evenly between them for each string; None adds no noise
    lengths: tuple[int, int] = (3, 7)  # words in a string, both included
    gap_ms: tuple[float, float] = (50, 250)  # silence before, between and after the words
    level_db: float = 2.0  # a recording is up to this much louder or softer than the common level

    def __post_init__(self) -> None:
        """Refuse ranges that are none."""
        if self.words < 1:
            raise ValueError(f"words is the number of words in all strings together, at least 1; got {self.words!r}")
        _check_range("lengths", self.lengths, 1)
        _check_range("gap_ms", self.gap_ms, 0)
        if self.snr_db is not None:
            _check_range("snr_db", self.snr_db, -math.inf)
        if not 0 <= self.level_db < math.inf:
            raise ValueError(f"level_db is how far levels differ from the common one, at least 0; got {self.level_db}")


def join(recordings: Sequence[Recording], stringing: Stringing, *, seed: int) -> list[Utterance]:
    """String recordings of single words together, each string of one speaker, in 1/f noise.

    Every recording is used equally often up to one: each speaker's are shuffled anew for every pass, and what is
    left of the count falls on recordings drawn at random. A speaker's last string may be shorter than the rest. The
    signal-to-noise ratio compares mean powers: of the speech over the samples inside the words, of the noise over
    the whole string, between 20 Hz and half the rate.

    Args:
        recordings: of one word each, not silent.
        stringing: how many words, how long the strings, which gaps, levels and noise.
        seed: of everything drawn; the same seed gives the same strings.

    Returns:
        Strings in random order, with the span of each word.

    Raises:
        ValueError: no recording, one of several words, or a silent one.
    """
    if not recordings:
        raise ValueError("strings are made of recordings; got none")
    for recording in recordings:
        if len(recording.words) != 1:
            raise ValueError(
                f"strings are joined from recordings of one word; {recording.name} has {len(recording.words)}: "
                "take utterances of several words as they are, with whole()"
            )
    rng = np.random.default_rng(seed)
    strings = [
        string for own in _passes(recordings, stringing.words, rng) for string in _cut(own, stringing.lengths, rng)
    ]
    return [
        _string(f"string-{place:05d}", strings[chosen], stringing, rng)
        for place, chosen in enumerate(rng.permutation(len(strings)).tolist())
    ]


def whole(recordings: Sequence[Recording], *, snr_db: tuple[float, float] | None, seed: int) -> list[Utterance]:
    """Take recordings as they are, each one utterance, with 1/f noise where asked for.

    Args:
        recordings: of any number of words.
        snr_db: range of the signal-to-noise ratio, drawn evenly for each; its speech is the whole recording. None
            adds no noise.
        seed: of the noise.

    Returns:
        As many utterances, in the order given; where their words lie is unknown.

    Raises:
        ValueError: a range that is none, or a silent recording that noise is to be added to.
    """
    if snr_db is not None:
        _check_range("snr_db", snr_db, -math.inf)
    rng = np.random.default_rng(seed)
    utterances = []
    for recording in recordings:
        samples, snr = recording.samples.astype(np.float64), math.inf
        if snr_db is not None:
            snr = float(rng.uniform(*snr_db))
            samples = samples + _noise(len(samples), _rms(recording) ** 2, snr, rng)
        utterances.append(
            Utterance(
                name=recording.name,
                samples=samples.astype(np.float32),
                words=recording.words,
                spans=None,
                speaker=recording.speaker,
                snr_db=snr,
            )
        )
    return utterances


def pink(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw noise whose power per hertz falls as 1/f, from 20 Hz to half the rate, of mean power 1.

    Args:
        count: samples, at least 2.
        rng: what it is drawn from.

    Raises:
        ValueError: too few samples to hold any frequency.
    """
    if count < 2:
        raise ValueError(f"noise needs at least 2 samples; got {count!r}")
    size = next_fast_len(count, real=True)  # a prime length would take ten times as long
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    shape = np.where(frequencies >= _LOWEST_HZ, 1 / np.sqrt(np.maximum(frequencies, _LOWEST_HZ)), 0)
    noise: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(rng.standard_normal(size)) * shape, size)[:count]
    return noise / float(np.sqrt(np.mean(noise**2)))


def _check_range(name: str, between: tuple[float, float], lowest: float) -> None:
    if len(between) != 2:
        raise ValueError(f"{name} is a range, its lower and its upper end; got {list(between)}")
    low, high = between
    if not (lowest <= low <= high < math.inf and low > -math.inf):
        least = "" if lowest == -math.inf else f", at least {lowest}"
        raise ValueError(f"{name} is a range, the lower end first{least}; got ({low}, {high})")


def _passes(recordings: Sequence[Recording], words: int, rng: np.random.Generator) -> list[list[Recording]]:
    """Give each speaker's recordings in the order they are used, all passes one after another."""
    full, rest = divmod(words, len(recordings))
    extra = set(rng.choice(len(recordings), rest, replace=False).tolist())
    speakers: dict[str, list[int]] = {}
    for index, recording in enumerate(recordings):
        speakers.setdefault(recording.speaker, []).append(index)
    orders = []
    for own in speakers.values():
        passes = [own] * full + [[index for index in own if index in extra]]
        orders.append([recordings[index] for part in passes for index in rng.permutation(part).tolist()])
    return orders


def _cut(order: list[Recording], lengths: tuple[int, int], rng: np.random.Generator) -> list[list[Recording]]:
    """Cut one speaker's recordings into strings, the last ones so that no short one is left where it can be helped."""
    low, high = lengths
    strings, begin = [], 0
    while (left := len(order) - begin) > 0:
        size = int(rng.integers(low, high + 1))
        if left <= high:
            size = left
        elif left - size < low:
            size = max(low, left - low)
        strings.append(order[begin : begin + size])
        begin += size
    return strings


def _string(name: str, chosen: list[Recording], stringing: Stringing, rng: np.random.Generator) -> Utterance:
    gaps = (rng.uniform(*stringing.gap_ms, size=len(chosen) + 1) * RATE / 1000).round().astype(int).tolist()
    levels = _RMS * 10 ** (rng.uniform(-stringing.level_db, stringing.level_db, size=len(chosen)) / 20)
    pieces, spans, at = [np.zeros(gaps[0])], [], gaps[0]
    for recording, level, gap in zip(chosen, levels.tolist(), gaps[1:], strict=True):
        pieces += [recording.samples.astype(np.float64) * (level / _rms(recording)), np.zeros(gap)]
        spans.append((at, at + len(recording.samples)))
        at += len(recording.samples) + gap
    speech = np.concatenate(pieces)
    power = float(np.sum(speech**2)) / sum(end - start for start, end in spans)
    snr = math.inf
    if stringing.snr_db is not None:
        snr = float(rng.uniform(*stringing.snr_db))
        speech = speech + _noise(len(speech), power, snr, rng)
    return Utterance(
        name=name,
        samples=speech.astype(np.float32),
        words=tuple(recording.words[0] for recording in chosen),
        spans=tuple(spans),
        speaker=chosen[0].speaker,
        snr_db=snr,
    )


def _rms(recording: Recording) -> float:
    rms = float(np.sqrt(np.mean(recording.samples.astype(np.float64) ** 2))) if len(recording.samples) else 0.0
    if rms == 0:
        raise ValueError(f"speech is louder than silence; {recording.name} is all zeros: take it out of the data")
    return rms


def _noise(count: int, speech_power: float, snr_db: float, rng: np.random.Generator) -> NDArray[np.float64]:
    return pink(count, rng) * math.sqrt(speech_power / 10 ** (snr_db / 10))
