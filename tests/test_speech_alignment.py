"""Alignment: even cuts where the words are known, the best path where only their order is."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from drawn import random_scores
from properties import tries
from prunelab.speech import Topology
from prunelab.speech.alignment import forced, uniform
from prunelab.speech.strings import Utterance

SMALL = Topology(words=3, states_per_word=2)  # silence is state 6


def spoken(samples: int, words: tuple[int, ...], spans: tuple[tuple[int, int], ...] | None) -> Utterance:
    return Utterance(name="u", samples=np.zeros(samples, np.float32), words=words, spans=spans, speaker="s", snr_db=0.0)


def arrangements(words: tuple[int, ...], topology: Topology) -> Iterator[list[int]]:
    """All chains of the words with each silence there or not."""
    if not words:
        yield from ([], [topology.silence])
        return
    for rest in arrangements(words[1:], topology):
        yield [*topology.word_states(words[0]), *rest]
        yield [topology.silence, *topology.word_states(words[0]), *rest]


def cuts(frames: int, parts: int) -> Iterator[list[int]]:
    """All ways to share frames out over parts, at least one each."""
    if parts == 1:
        yield [frames]
        return
    for first in range(1, frames - parts + 2):
        yield from ([first, *rest] for rest in cuts(frames - first, parts - 1))


@tries(60)
@given(
    words=st.lists(st.integers(0, 2), min_size=0, max_size=2).map(tuple),
    extra=st.integers(0, 5),
    seed=st.integers(0, 10_000),
)
def test_no_other_way_through_the_words_scores_higher(words: tuple[int, ...], extra: int, seed: int) -> None:
    frames = max(1, 2 * len(words) + extra)
    scores = random_scores(frames, SMALL.states, seed)
    best: tuple[float, list[int]] = (-np.inf, [])
    for chain in arrangements(words, SMALL):
        if 0 < len(chain) <= frames:
            for shares in cuts(frames, len(chain)):
                path = np.repeat(chain, shares).tolist()
                best = max(best, (float(scores.double()[torch.arange(frames), path].sum()), path))

    assert forced(scores, torch.tensor([frames]), [words], SMALL).tolist() == best[1]


def test_many_utterances_at_once_align_as_one_at_a_time() -> None:
    topology = Topology()
    generator = torch.Generator().manual_seed(0)
    words = [
        tuple(torch.randint(0, 10, (int(count),), generator=generator).tolist())
        for count in torch.randint(0, 6, (200,), generator=generator)
    ]
    lengths = torch.tensor([6 * len(own) + 40 * (place % 3) for place, own in enumerate(words)])
    scores = random_scores(int(lengths.sum()), topology.states, seed=1)

    together = forced(scores, lengths, words, topology)

    parts = scores.split(lengths.tolist())
    alone = [forced(part, torch.tensor([len(part)]), [own], topology) for part, own in zip(parts, words, strict=True)]
    assert together.tolist() == torch.cat(alone).tolist()


def test_an_utterance_with_just_as_many_frames_as_states_has_one_frame_each() -> None:
    labels = forced(random_scores(4, SMALL.states, 0), torch.tensor([4]), [(2, 0)], SMALL)

    assert labels.tolist() == [4, 5, 0, 1]


def test_of_equal_ways_into_a_word_the_one_through_silence_is_taken() -> None:
    scores = torch.zeros(5, SMALL.states)
    scores[2, 2] = -5  # the second word cannot begin at once: silence or a longer first word score the same

    assert forced(scores, torch.tensor([5]), [(0, 1)], SMALL).tolist() == [0, 1, SMALL.silence, 2, 3]


def test_an_utterance_with_fewer_frames_than_states_is_named() -> None:
    with pytest.raises(ValueError, match="utterance 1 has 3 for 2 words of 2"):
        forced(torch.zeros(8, 7), torch.tensor([5, 3]), [(0,), (1, 1)], SMALL)
    with pytest.raises(ValueError, match="got 1 for 2"):
        forced(torch.zeros(8, 7), torch.tensor([5, 3]), [(0,)], SMALL)
    with pytest.raises(ValueError, match="index from 0 to 2; got 3"):
        forced(torch.zeros(8, 7), torch.tensor([8]), [(3,)], SMALL)


def test_each_words_span_is_cut_evenly_and_the_rest_is_silence() -> None:
    # Frames of 25 ms every 10 ms at 8 kHz: the middle of frame i is sample 100 + 80 i.
    # Word 1 spans the middles of frames 2-7 (260 ... 660), word 0 those of 10 and 11 (900, 980).
    utterance = spoken(1400, (1, 0), ((260, 740), (880, 1040)))
    expected = [6, 6, 2, 2, 2, 3, 3, 3, 6, 6, 0, 1, 6, 6, 6, 6]

    every = uniform([utterance], torch.tensor([16]), SMALL, step=1)
    second = uniform([utterance, utterance], torch.tensor([8, 8]), SMALL, step=2)

    assert every.tolist() == expected
    assert second.tolist() == 2 * expected[::2]


def test_words_without_spans_share_the_utterance_evenly() -> None:
    # 1,640 samples: 19 frames with middles 100 ... 1540; each of the four states lasts 410 samples.
    labels = uniform([spoken(1640, (2, 1), None)], torch.tensor([19]), SMALL, step=1)

    assert labels.tolist() == [4] * 4 + [5] * 5 + [2] * 6 + [3] * 4


def test_lengths_that_are_not_those_of_the_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"utterance 0 \(u\) has 8, lengths says 16"):
        uniform([spoken(1400, (1,), None)], torch.tensor([16]), SMALL, step=2)
    with pytest.raises(ValueError, match="one entry an utterance; got 2 for 1"):
        uniform([spoken(1400, (1,), None)], torch.tensor([8, 8]), SMALL, step=2)
