"""Strings: every recording used alike, gaps, levels and noise as stated, the same for the same seed."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from prunelab.data.spoken import Recording
from prunelab.speech.strings import Stringing, Utterance, join, pink, whole

QUIET = 200.0  # dB: noise far below what is looked at


def recording(name: str, word: int, speaker: str, samples: int = 1600) -> Recording:
    rng = np.random.default_rng(1000 * word + samples)
    own = 0.015 * rng.standard_normal(samples) * (1 + word)
    return Recording(name=name, samples=own.astype(np.float32), words=(word,), speaker=speaker, part="train")


def recordings(speakers: Sequence[str] = ("ann", "bob"), each: int = 15) -> list[Recording]:
    return [
        recording(f"{speaker}-{index}", index % 10, speaker, 1000 + 10 * index)
        for speaker in speakers
        for index in range(each)
    ]


def sources(strings: Sequence[Utterance], given: Sequence[Recording]) -> Counter[str]:
    """Which recordings the strings are made of, told by speaker, word and duration."""
    names = {(one.speaker, one.words[0], len(one.samples)): one.name for one in given}
    assert len(names) == len(given)
    return Counter(
        names[string.speaker, word, end - start]
        for string in strings
        for word, (start, end) in zip(string.words, string.spans or (), strict=True)
    )


@pytest.mark.parametrize("words", [7, 30, 75, 200])
def test_every_recording_is_used_equally_often_up_to_one(words: int) -> None:
    given = recordings()
    strings = join(given, Stringing(words=words, snr_db=(QUIET, QUIET)), seed=0)
    used = sources(strings, given)

    assert sum(used.values()) == words
    assert {used[one.name] for one in given} <= {words // 30, words // 30 + 1}


def test_strings_have_the_lengths_asked_for_and_come_in_no_order_of_speakers() -> None:
    strings = join(recordings(), Stringing(words=600, snr_db=(QUIET, QUIET), lengths=(3, 7)), seed=1)
    sizes = Counter(len(string.words) for string in strings)
    speakers = [string.speaker for string in strings]

    assert set(sizes) == {3, 4, 5, 6, 7}
    assert min(sizes.values()) > 10  # of about 120 strings, a fifth each
    assert sum(a != b for a, b in pairwise(speakers)) > len(speakers) / 4
    assert len({string.name for string in strings}) == len(strings)


def test_what_is_left_of_the_count_falls_on_recordings_at_random() -> None:
    given = recordings()
    stringing = Stringing(words=6, snr_db=(QUIET, QUIET))
    chosen = [frozenset(sources(join(given, stringing, seed=seed), given)) for seed in range(10)]

    assert len(set(chosen)) == 10
    assert len(frozenset.union(*chosen)) > 20  # of 30; 60 draws miss one in eight


@pytest.mark.parametrize("seed", range(10))
def test_no_string_is_shorter_than_asked_for_where_it_can_be_helped(seed: int) -> None:
    strings = join(recordings(), Stringing(words=60, snr_db=(QUIET, QUIET), lengths=(3, 7)), seed=seed)

    assert {len(string.words) for string in strings} <= {3, 4, 5, 6, 7}


def test_a_count_that_leaves_a_rest_ends_in_one_shorter_string() -> None:
    strings = join(recordings(["ann"], 8), Stringing(words=8, snr_db=(QUIET, QUIET), lengths=(5, 5)), seed=0)

    assert sorted(len(string.words) for string in strings) == [3, 5]


def test_words_stand_in_their_spans_at_their_levels_with_silence_of_the_stated_length_between() -> None:
    given = recordings()
    stringing = Stringing(words=90, snr_db=(QUIET, QUIET), gap_ms=(50, 250), level_db=2.0)
    levels, gaps = [], []
    for string in join(given, stringing, seed=2):
        edges = [0, *(edge for span in string.spans or () for edge in span), len(string.samples)]
        for place, (start, end) in enumerate(pairwise(edges)):
            piece = string.samples[start:end].astype(np.float64)
            if place % 2:
                levels.append(10 * np.log10(np.mean(piece**2)))
                original = next(
                    one for one in given if one.speaker == string.speaker and len(one.samples) == end - start
                )
                assert np.corrcoef(piece, original.samples)[0, 1] > 0.9999
            else:
                gaps.append(1000 * (end - start) / 8000)
                assert np.abs(piece).max() < 1e-6

    assert 50 <= min(gaps) < 60
    assert 240 < max(gaps) <= 250
    # Recordings differ by up to 20 dB; their levels in the strings by at most ± 2.
    assert 3 < max(levels) - min(levels) <= 4.001


def test_the_noise_is_as_far_below_the_speech_as_stated() -> None:
    given = recordings()
    clean = join(given, Stringing(words=300, snr_db=(QUIET, QUIET)), seed=3)
    noisy = join(given, Stringing(words=300, snr_db=(-6.0, 9.0)), seed=3)
    ratios = []
    for quiet, loud in zip(clean, noisy, strict=True):
        assert quiet.spans == loud.spans
        speech = np.concatenate([quiet.samples[start:end] for start, end in quiet.spans or ()]).astype(np.float64)
        added = loud.samples.astype(np.float64) - quiet.samples
        ratios.append(10 * np.log10(np.mean(speech**2) / np.mean(added**2)))
        assert ratios[-1] == pytest.approx(loud.snr_db, abs=0.01)

    assert -6 <= min(ratios) < -3
    assert 6 < max(ratios) <= 9


def test_the_noise_falls_by_three_decibels_an_octave() -> None:
    noise = pink(2**18, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(2**18, 1 / 8000)
    octaves = [power[(hertz >= low) & (hertz < 2 * low)].sum() for low in (31.25, 125, 500, 2000)]

    assert np.mean(noise**2) == pytest.approx(1)
    # 1/f: every octave carries the same power; some 1,000 bins in the lowest give 3 % either way.
    assert np.allclose(octaves, np.mean(octaves), rtol=0.12)
    assert power[hertz < 19.9].sum() < 1e-12 * power.sum()
    with pytest.raises(ValueError, match="at least 2 samples; got 1"):
        pink(1, np.random.default_rng(0))


def test_the_same_seed_gives_the_same_strings_and_another_seed_others() -> None:
    stringing = Stringing(words=40, snr_db=(0.0, 5.0))
    first, again, other = (join(recordings(), stringing, seed=seed) for seed in (5, 5, 6))

    assert [string.words for string in first] == [string.words for string in again]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first, again, strict=True))
    assert [string.words for string in first] != [string.words for string in other]


def test_whole_recordings_keep_their_words_and_samples_and_take_noise_where_asked() -> None:
    given = [replace(recording("a", 3, "ann"), words=(3, 1, 4)), recording("b", 5, "bob")]

    clean = whole(given, snr_db=None, seed=0)
    noisy = whole(given, snr_db=(3.0, 3.0), seed=0)

    assert [(one.name, one.words, one.speaker, one.spans) for one in clean] == [
        ("a", (3, 1, 4), "ann", None),
        ("b", (5,), "bob", None),
    ]
    for one, plain, loud in zip(given, clean, noisy, strict=True):
        assert np.array_equal(plain.samples, one.samples)
        assert math.isinf(plain.snr_db)
        added = loud.samples.astype(np.float64) - one.samples
        assert 10 * np.log10(np.mean(one.samples.astype(np.float64) ** 2) / np.mean(added**2)) == pytest.approx(
            3, abs=0.01
        )


def test_recordings_that_cannot_be_strung_together_are_named() -> None:
    stringing = Stringing(words=10, snr_db=(0.0, 0.0))
    silent = replace(recording("hush", 1, "ann"), samples=np.zeros(1600, np.float32))

    with pytest.raises(ValueError, match="got none"):
        join([], stringing, seed=0)
    with pytest.raises(ValueError, match=r"pair has 2: take .* whole\(\)"):
        join([replace(recording("pair", 1, "ann"), words=(1, 2))], stringing, seed=0)
    with pytest.raises(ValueError, match="hush is all zeros"):
        join([silent], stringing, seed=0)
    with pytest.raises(ValueError, match="hush is all zeros"):
        whole([silent], snr_db=(0.0, 0.0), seed=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"words": 0}, "at least 1; got 0"),
        ({"lengths": (7, 3)}, r"lower end first, at least 1; got \(7, 3\)"),
        ({"lengths": (0, 3)}, r"at least 1; got \(0, 3\)"),
        ({"gap_ms": (-1, 50)}, r"gap_ms .* at least 0; got \(-1, 50\)"),
        ({"snr_db": (5.0, -5.0)}, r"snr_db is a range, the lower end first; got \(5\.0, -5\.0\)"),
        ({"snr_db": (0.0, math.inf)}, r"got \(0\.0, inf\)"),
        ({"level_db": -1.0}, "level_db .* at least 0; got -1"),
    ],
)
def test_a_stringing_that_means_nothing_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stringing(**{"words": 10, "snr_db": (0.0, 0.0), **wrong})  # type: ignore[arg-type]


def test_without_noise_the_gaps_are_silent_and_the_words_as_they_were_recorded() -> None:
    given = recordings()
    by_word = {(one.speaker, one.words[0], len(one.samples)): one for one in given}
    for string in join(given, Stringing(words=60, snr_db=None), seed=4):
        outside = np.ones(len(string.samples), dtype=bool)
        for word, (start, end) in zip(string.words, string.spans or (), strict=True):
            source = by_word[string.speaker, word, end - start].samples
            ratio = string.samples[start:end] / source
            outside[start:end] = False

            assert np.allclose(ratio, ratio[0], rtol=1e-4)
        assert string.snr_db == math.inf
        assert outside.any()
        assert not string.samples[outside].any()


def test_a_range_has_two_ends() -> None:
    with pytest.raises(ValueError, match=r"snr_db is a range, its lower and its upper end; got \[3\.0\]"):
        Stringing(words=3, snr_db=(3.0,))  # type: ignore[arg-type]
