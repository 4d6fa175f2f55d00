"""Word errors: what jiwer counts, at the edges too, and how sure they are."""

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from prunelab.speech.scoring import utterance_interval, word_errors

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SEQUENCES = st.lists(st.integers(0, 9), max_size=8).map(tuple)


@pytest.mark.parametrize(
    ("spoken", "heard", "substitutions", "deletions", "insertions"),
    [
        ((1, 2, 3), (1, 2, 3), 0, 0, 0),
        ((1, 2, 3), (1, 9, 3), 1, 0, 0),
        ((1, 2, 3), (1, 3), 0, 1, 0),
        ((1, 3), (1, 2, 3), 0, 0, 1),
        ((1, 2, 3, 4), (), 0, 4, 0),
        ((), (5, 6), 0, 0, 2),
        ((), (), 0, 0, 0),
        ((7, 7, 7), (7, 7, 7, 7, 7), 0, 0, 2),
    ],
    ids=["right", "wrong", "missed", "added", "nothing heard", "nothing said", "neither", "repeats"],
)
def test_errors_of_one_utterance_are_those_counted_by_hand(
    spoken: tuple[int, ...], heard: tuple[int, ...], substitutions: int, deletions: int, insertions: int
) -> None:
    found = word_errors([spoken], [heard])

    assert (found.substitutions[0], found.deletions[0], found.insertions[0]) == (substitutions, deletions, insertions)
    assert found.reference.tolist() == [len(spoken)]
    assert found.errors.tolist() == [substitutions + deletions + insertions]


@given(pairs=st.lists(st.tuples(SEQUENCES, SEQUENCES), min_size=1, max_size=12))
def test_the_rate_of_all_utterances_is_the_one_jiwer_gives_for_their_words(
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]],
) -> None:
    spoken, heard = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = word_errors(spoken, heard)
    if not any(spoken):
        return
    whole = jiwer.process_words(
        [" ".join(WORDS[word] for word in words) for words in spoken],
        [" ".join(WORDS[word] for word in words) for words in heard],
    )

    assert found.wer_percent == pytest.approx(100 * whole.wer)
    assert found.substitutions_percent + found.deletions_percent + found.insertions_percent == pytest.approx(
        found.wer_percent
    )
    assert int(found.substitutions.sum()) == whole.substitutions
    assert int(found.deletions.sum()) == whole.deletions
    assert int(found.insertions.sum()) == whole.insertions


def test_words_said_weigh_the_rate_and_not_utterances() -> None:
    # 1 error in 1 word, 1 error in 4: 2 of 5 words.
    assert word_errors([(1,), (1, 2, 3, 4)], [(2,), (1, 2, 3)]).wer_percent == pytest.approx(40)


def test_a_rate_over_no_words_is_refused() -> None:
    found = word_errors([(), ()], [(1,), ()])

    assert found.insertions.tolist() == [1, 0]
    with pytest.raises(ValueError, match="at least one spoken word; 2 utterances have none"):
        _ = found.wer_percent
    with pytest.raises(ValueError, match="at least one spoken word"):
        utterance_interval([[1, 0]], [0, 0], seed=0)


def test_utterances_and_hypotheses_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="2 references and 1 hypotheses"):
        word_errors([(1,), (2,)], [(1,)])


def test_the_interval_is_scipys_percentile_bootstrap_of_the_ratio() -> None:
    rng = np.random.default_rng(0)
    reference = rng.geometric(0.1, size=313)  # of very different lengths: the words drawn vary as well
    errors = rng.binomial(reference, [[0.05], [0.3]])

    low, high = utterance_interval(errors, reference, seed=1, resamples=20_000)

    for row in range(2):
        expected = stats.bootstrap(
            (errors[row], reference),
            lambda made, spoken, axis: 100 * made.sum(axis) / spoken.sum(axis),
            paired=True,
            vectorized=True,
            method="percentile",
            n_resamples=20_000,
            rng=np.random.default_rng(2),
        ).confidence_interval
        # Two draws of 20,000: the ends of such an interval differ by about 1 % of its width.
        assert low[row] == pytest.approx(expected.low, abs=0.05 * (expected.high - expected.low))
        assert high[row] == pytest.approx(expected.high, abs=0.05 * (expected.high - expected.low))


def test_the_interval_is_the_same_for_the_same_seed_and_holds_the_rate() -> None:
    rng = np.random.default_rng(3)
    reference = rng.integers(3, 8, size=60)
    errors = rng.binomial(reference, [[0.1], [0.5], [0.0]])

    first, second = utterance_interval(errors, reference, seed=4), utterance_interval(errors, reference, seed=4)
    rate = 100 * errors.sum(1) / reference.sum()

    assert np.array_equal(first, second)
    assert (first[0] <= rate).all()
    assert (rate <= first[1]).all()
    assert first[0][2] == first[1][2] == 0
    assert (first[0][:2] < first[1][:2]).all()


def test_what_cannot_be_an_interval_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(settings, U\) over reference \(U,\); got \(1, 3\) over \(2,\)"):
        utterance_interval([[1, 0, 0]], [3, 3], seed=0)
    with pytest.raises(ValueError, match=r"got 95; did you mean 0\.95\?"):
        utterance_interval([[1, 0]], [3, 3], seed=0, level=95)
    with pytest.raises(ValueError, match="resamples is a count of at least 1; got 0"):
        utterance_interval([[1, 0]], [3, 3], seed=0, resamples=0)
