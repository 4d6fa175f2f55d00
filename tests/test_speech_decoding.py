"""Decoding: the best path of all, whatever it is searched with."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from drawn import random_scores
from properties import tries
from prunelab.speech import Topology
from prunelab.speech.decoding import Setting, decode

PLAIN = Setting(scale=1.0, penalty=0.0)


def random_transitions(topology: Topology, seed: int) -> Tensor:
    stay = torch.rand(topology.states, generator=torch.Generator().manual_seed(seed)) * 0.8 + 0.1
    return torch.stack([stay, 1 - stay], 1).log()


def all_paths(frames: int, topology: Topology) -> Iterator[tuple[list[int], list[int], tuple[int, ...]]]:
    """Every legal state path, whether each frame's state is left after it (1) or stayed in (0), the words entered."""
    silence, last = topology.silence, topology.states_per_word - 1

    def onwards(
        path: list[int], left: list[int], words: tuple[int, ...]
    ) -> Iterator[tuple[list[int], list[int], tuple[int, ...]]]:
        state = path[-1] if path else None
        may_end = state in (None, silence) or state % topology.states_per_word == last
        if len(path) == frames:
            if may_end:
                yield path, [*left[1:], 1], words
            return
        if state is not None:
            yield from onwards([*path, state], [*left, 0], words)
        if state is not None and not may_end:
            yield from onwards([*path, state + 1], [*left, 1], words)
        if may_end:
            if state != silence:
                yield from onwards([*path, silence], [*left, 1], words)
            for word in range(topology.words):
                yield from onwards([*path, topology.word_states(word)[0]], [*left, 1], (*words, word))

    yield from onwards([], [], ())


def dense_viterbi(scores: np.ndarray, topology: Topology, setting: Setting, transitions: np.ndarray) -> tuple[int, ...]:
    """The textbook recursion in float64 over an explicit matrix of transitions; words of at least two states."""
    size, silence = topology.states, topology.silence
    stay, leave = transitions.T
    move = np.full((size, size), -np.inf)
    np.fill_diagonal(move, stay)
    firsts = [topology.word_states(word)[0] for word in range(topology.words)]
    exits = [topology.word_states(word)[-1] for word in range(topology.words)] + [silence]
    for first in firsts:
        for state in range(first, first + topology.states_per_word - 1):
            move[state, state + 1] = leave[state]
    for state in exits:
        if state != silence:
            move[state, silence] = leave[state]
        move[state, firsts] = leave[state] + setting.penalty
    best = np.full(size, -np.inf)
    best[silence], best[firsts] = 0, setting.penalty
    best = best + setting.scale * scores[0]
    origin = []
    for frame in scores[1:]:
        reach = best[:, None] + move
        origin.append(reach.argmax(0))
        best = reach.max(0) + setting.scale * frame
    path = [max(exits, key=lambda state: best[state] + leave[state])]
    for came_from in reversed(origin):
        path.append(int(came_from[path[-1]]))
    path.reverse()
    starts = [
        state for before, state in zip([silence, *path], path, strict=False) if state in firsts and before != state
    ]
    return tuple(firsts.index(state) for state in starts)


@tries(60)
@given(
    frames=st.integers(1, 7),
    states_per_word=st.integers(1, 3),
    penalty=st.floats(-3, 3),
    scale=st.floats(0.1, 3),
    seed=st.integers(0, 10_000),
)
def test_no_path_through_a_small_graph_scores_higher_than_the_words_decoded(
    frames: int, states_per_word: int, penalty: float, scale: float, seed: int
) -> None:
    topology = Topology(words=2, states_per_word=states_per_word)
    frames = min(frames, 5) if states_per_word == 1 else frames  # one state a word makes many more paths
    scores, transitions = random_scores(frames, topology.states, seed), random_transitions(topology, seed)
    best: dict[tuple[int, ...], float] = {}
    values, costs = scores.double().numpy(), transitions.double().numpy()
    for path, left, words in all_paths(frames, topology):
        total = scale * values[np.arange(frames), path].sum() + costs[path, left].sum() + penalty * len(words)
        best[words] = max(best.get(words, -np.inf), total)

    [[found]] = decode(scores, torch.tensor([frames]), topology, [Setting(scale=scale, penalty=penalty)], transitions)

    assert best[found] == pytest.approx(max(best.values()), abs=1e-4)


@pytest.mark.parametrize(
    "setting", [PLAIN, Setting(scale=0.3, penalty=-2.0), Setting(scale=1.0, penalty=4.0)], ids=["plain", "few", "many"]
)
def test_decoding_agrees_with_the_textbook_recursion_over_an_explicit_matrix(setting: Setting) -> None:
    topology = Topology()
    lengths = torch.tensor([90, 41, 120, 7])
    scores = 2 * random_scores(int(lengths.sum()), topology.states, seed=3)
    transitions = random_transitions(topology, seed=4)

    [found] = decode(scores, lengths, topology, [setting], transitions)

    costs = transitions.double().numpy()
    expected = [
        dense_viterbi(part.double().numpy(), topology, setting, costs) for part in scores.split(lengths.tolist())
    ]
    assert found == expected
    assert any(expected)


def test_many_settings_and_utterances_at_once_decode_as_one_at_a_time() -> None:
    topology = Topology(words=4, states_per_word=3)
    lengths = torch.randint(1, 40, (150,), generator=torch.Generator().manual_seed(1))
    scores = random_scores(int(lengths.sum()), topology.states, seed=2)
    grid = [Setting(scale=scale, penalty=penalty) for scale in (0.5, 1.0, 2.0) for penalty in (-4.0, 0.0, 1.0)]

    together = decode(scores, lengths, topology, grid)

    parts = scores.split(lengths.tolist())
    for setting, found in zip(grid, together, strict=True):
        alone = [decode(part, torch.tensor([len(part)]), topology, [setting])[0][0] for part in parts]
        assert found == alone
    # Without transitions and penalty the scale changes nothing: 3 · 2 results with one, and one without.
    assert len({str(found) for found in together}) == 7


def test_the_words_of_a_clear_path_are_heard_with_and_without_silence_between_them() -> None:
    topology = Topology(words=3, states_per_word=2)
    path = [6, 4, 4, 5, 0, 1, 0, 1, 1, 6, 6, 2, 3]  # silence, word 2, word 0 twice, silence, word 1
    scores = torch.full((len(path), topology.states), -10.0)
    scores[torch.arange(len(path)), torch.tensor(path)] = 0

    assert decode(scores, torch.tensor([len(path)]), topology, [PLAIN]) == [[(2, 0, 0, 1)]]


def test_a_constant_added_to_a_frame_changes_nothing() -> None:
    topology = Topology(words=3, states_per_word=2)
    scores = random_scores(60, topology.states, seed=5)
    shifted = scores + 100 * random_scores(60, 1, seed=6)

    assert decode(shifted, torch.tensor([60]), topology, [PLAIN]) == decode(
        scores, torch.tensor([60]), topology, [PLAIN]
    )


def test_a_strong_penalty_leaves_silence_and_a_strong_reward_as_many_words_as_fit() -> None:
    topology = Topology(words=3, states_per_word=2)
    scores = random_scores(20, topology.states, seed=7)
    few, many = Setting(scale=1.0, penalty=-1e4), Setting(scale=1.0, penalty=1e4)

    [[silent], [full]] = decode(scores, torch.tensor([20]), topology, [few, many])

    assert silent == ()
    assert len(full) == 10


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_an_utterance_too_short_for_a_word_has_none_and_does_not_disturb_its_neighbours(frames: int) -> None:
    topology = Topology()
    scores = random_scores(frames + 80, topology.states, seed=8)

    [found] = decode(scores, torch.tensor([frames, 80]), topology, [PLAIN])

    assert found == [(), *decode(scores[frames:], torch.tensor([80]), topology, [PLAIN])[0]]


def test_of_equal_paths_the_first_word_is_taken_and_every_time() -> None:
    topology = Topology(words=3, states_per_word=2)
    scores = torch.zeros(6, topology.states)
    scores[:, topology.silence] = -1

    found = [decode(scores, torch.tensor([6]), topology, [PLAIN])[0][0] for _ in range(3)]

    assert len(set(found)) == 1
    assert set(found[0]) == {0}


def test_no_utterance_at_all_decodes_to_nothing() -> None:
    assert decode(torch.zeros(0, 61), torch.zeros(0, dtype=torch.int64), Topology(), [PLAIN]) == [[]]


def test_what_does_not_fit_is_refused_by_name() -> None:
    topology, lengths = Topology(words=2, states_per_word=2), torch.tensor([4])
    scores = torch.zeros(4, 5)

    with pytest.raises(ValueError, match=r"\(frames, 5\) float32.*\(4, 6\)"):
        decode(torch.zeros(4, 6), lengths, topology, [PLAIN])
    with pytest.raises(ValueError, match=r"add up to the 4 rows.*sum 9"):
        decode(scores, torch.tensor([9]), topology, [PLAIN])
    with pytest.raises(ValueError, match="NaN or infinite"):
        decode(scores.index_fill(0, torch.tensor([1]), torch.nan), lengths, topology, [PLAIN])
    with pytest.raises(ValueError, match="at least one setting"):
        decode(scores, lengths, topology, [])
    with pytest.raises(ValueError, match=r"scale .* above 0; got 0\.0"):
        Setting(scale=0.0, penalty=0.0)
    with pytest.raises(ValueError, match=r"penalty .* finite number; got -inf"):
        Setting(scale=1.0, penalty=-float("inf"))
    with pytest.raises(ValueError, match="states_per_word is a count of at least 1; got 0"):
        Topology(states_per_word=0)
    with pytest.raises(ValueError, match="index from 0 to 1; got 2"):
        topology.word_states(2)


def test_free_transitions_are_no_transitions_and_others_than_two_a_state_are_refused() -> None:
    topology = Topology(words=3, states_per_word=2)
    scores, lengths = random_scores(60, topology.states, seed=8), torch.tensor([25, 35])

    assert decode(scores, lengths, topology, [PLAIN], torch.zeros(7, 2)) == decode(scores, lengths, topology, [PLAIN])
    with pytest.raises(ValueError, match=r"transitions are \(7, 2\) finite log probabilities; got \(6, 2\)"):
        decode(scores, lengths, topology, [PLAIN], torch.zeros(6, 2))
    with pytest.raises(ValueError, match="transitions are"):
        decode(scores, lengths, topology, [PLAIN], torch.full((7, 2), -torch.inf))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param([[0, 0, -1], [0, 0, -1], [0, 0, -1]], (0,), id="the first word stays, it is not said again"),
        pytest.param([[0, 0, 0], [0, 0, 0]], (0,), id="a word ends before silence"),
        pytest.param([[0, -1, 0], [-1, -1, 0]], (), id="silence stays, it is not entered from a word"),
    ],
)
def test_ties_are_settled_in_the_order_documented(rows: list[list[int]], words: tuple[int, ...]) -> None:
    topology = Topology(words=2, states_per_word=1)  # columns: word 0, word 1, silence

    assert decode(torch.tensor(rows).float(), torch.tensor([len(rows)]), topology, [PLAIN]) == [[words]]


def test_a_large_constant_in_every_frame_of_a_long_utterance_costs_no_digits() -> None:
    topology = Topology(words=3, states_per_word=2)
    # Multiples of 1/64: exact in float32 beside 2^14, but not beside the 2^25 that 2000 such frames add up to.
    scores = (random_scores(2000, topology.states, seed=10) * 64).round() / 64

    [plain], [shifted] = (decode(own, torch.tensor([2000]), topology, [PLAIN]) for own in (scores, scores + 2**14))

    assert shifted == plain


def test_a_grid_larger_than_a_batch_decodes_as_its_settings_alone() -> None:
    topology, lengths = Topology(words=2, states_per_word=1), torch.tensor([3, 2])
    scores = random_scores(5, topology.states, seed=11)
    grid = [Setting(scale=1.0, penalty=0.01 * step - 6) for step in range(1200)]

    together = decode(scores, lengths, topology, grid)

    assert together[::200] == [decode(scores, lengths, topology, [setting])[0] for setting in grid[::200]]
    assert together[0] != together[-1]


def test_negative_lengths_other_precisions_and_endless_scales_are_refused() -> None:
    topology, scores = Topology(words=2, states_per_word=2), torch.zeros(4, 5)

    with pytest.raises(ValueError, match="add up to the 4 rows"):
        decode(scores, torch.tensor([-1, 5]), topology, [PLAIN])
    with pytest.raises(ValueError, match=r"float32, one column a state; got \(4, 5\) torch\.float64"):
        decode(scores.double(), torch.tensor([4]), topology, [PLAIN])
    with pytest.raises(ValueError, match=r"scale .* finite number above 0; got inf"):
        Setting(scale=float("inf"), penalty=0.0)
