"""From state scores to words: Viterbi through a loop of words and silence, many utterances and settings at once.

The graph is (silence | word)+. Tokens carry the frame at which their word began, so that no back-pointer is kept for
a state: per frame it is enough to know which word ended best there and when it had begun.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Utterances times settings in one batch: larger ones leave the second-level cache, smaller ones pay for more calls.
_COLUMNS = 1024

Words = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The states of a recogniser of whole words, each word a left-to-right chain, and one silence, which is the last.

    Each state may repeat or go on to the next of its word; none is skipped.
    """

    words: int = 10
    states_per_word: int = 6

    def __post_init__(self) -> None:
        """Refuse a recogniser without words or a word without states."""
        for name in ("words", "states_per_word"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is a count of at least 1; got {getattr(self, name)!r}")

    @property
    def states(self) -> int:
        """Count all states, silence included."""
        return self.words * self.states_per_word + 1

    @property
    def silence(self) -> int:
        """Give the index of the silence state, the last."""
        return self.states - 1

    def word_states(self, word: int) -> range:
        """Give the states of one word in order.

        Raises:
            ValueError: there is no such word.
        """
        if not 0 <= word < self.words:
            raise ValueError(f"a word is an index from 0 to {self.words - 1}; got {word!r}")
        return range(word * self.states_per_word, (word + 1) * self.states_per_word)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a decoder weighs the scores against the number of words."""

    scale: float  # factor of the scores, > 0; transitions have none
    penalty: float  # added once for each word entered, in nats; negative makes words fewer

    def __post_init__(self) -> None:
        """Refuse numbers with which no path is best."""
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale multiplies the scores, a finite number above 0; got {self.scale!r}")
        if not math.isfinite(self.penalty):
            raise ValueError(f"penalty is added to a path's score for each word, a finite number; got {self.penalty!r}")


def decode(
    scores: Tensor,
    lengths: Tensor,
    topology: Topology,
    settings: Sequence[Setting],
    transitions: Tensor | None = None,
) -> list[list[Words]]:
    """Find the words on the best path of every utterance under every setting.

    A path enters any word at its first state or silence, leaves a word from its last state, and ends in silence or
    in a word's last state; its score is `scale` times the sum of its frames' scores, plus what its transitions cost,
    plus `penalty` for each word. Without transitions only the ratio of penalty and scale matters. Of equal scores,
    staying in a state comes before moving on, and a word that ends before silence, words by their index. An utterance
    too short for any word has none.

    Args:
        scores: (G, states) float32; log likelihood of each state in each frame up to a constant per frame, finite;
            utterances one after another.
        lengths: (U,) int64, frames of each utterance, at least 0; their sum is G.
        topology: the states.
        settings: at least one.
        transitions: (states, 2) float32, log probability of staying in a state and of leaving it; absent, both are
            free.

    Returns:
        For each setting, for each utterance, the words in order.

    Raises:
        ValueError: shapes that do not fit, scores that are not finite, or no setting.

    Source: token passing, Young, Russell and Thornton, Cambridge technical report 38, 1989.
    """
    check_scores(scores, lengths, topology)
    if not settings:
        raise ValueError("decoding needs at least one setting of scale and penalty; got none")
    if transitions is None:
        transitions = torch.zeros(topology.states, 2)
    if transitions.shape != (topology.states, 2) or not bool(torch.isfinite(transitions).all()):
        raise ValueError(
            f"transitions are ({topology.states}, 2) finite log probabilities; got {tuple(transitions.shape)}"
        )
    transitions = transitions.to(scores)
    scale = torch.tensor([setting.scale for setting in settings], device=scores.device)[:, None]  # (K, 1)
    penalty = torch.tensor([setting.penalty for setting in settings], device=scores.device)[:, None]
    heard: list[list[Words]] = [[()] * len(lengths) for _ in settings]
    for batch in batches(lengths, max(1, _COLUMNS // len(settings))):
        emissions = padded(scores, lengths, batch)  # (T, states, B)
        word, began = _best_ends(emissions, scale, penalty, transitions, topology)
        sequences = _words(word, began, lengths[batch].to(scores.device))
        for found, decoded in zip(heard, sequences, strict=True):
            for utterance, words in zip(batch.tolist(), decoded, strict=True):
                found[utterance] = words
    return heard


def check_scores(scores: Tensor, lengths: Tensor, topology: Topology) -> None:
    """Refuse scores and lengths that do not fit each other or the states.

    Raises:
        ValueError: as `decode`.
    """
    if scores.ndim != 2 or scores.shape[1] != topology.states or scores.dtype != torch.float32:
        raise ValueError(
            f"scores are (frames, {topology.states}) float32, one column a state; "
            f"got {tuple(scores.shape)} {scores.dtype}"
        )
    if lengths.ndim != 1 or (len(lengths) and int(lengths.min()) < 0) or int(lengths.sum()) != len(scores):
        raise ValueError(
            f"lengths are the frames of each utterance and add up to the {len(scores)} rows of scores; "
            f"got {tuple(lengths.shape)} with sum {int(lengths.sum())}: count the scored frames, not all"
        )
    if not bool(torch.isfinite(scores).all()):
        raise ValueError("a score is a finite number; some are NaN or infinite: look at the logits they come from")


def batches(lengths: Tensor, size: int) -> Iterator[Tensor]:
    """Group utterances of similar lengths, `size` at most, so that little is padded; yields indices on the CPU."""
    yield from torch.argsort(lengths.cpu(), stable=True).split(size)


def padded(scores: Tensor, lengths: Tensor, batch: Tensor) -> Tensor:
    """Lay some utterances side by side, each frame's best score at 0.

    Without its constant per frame a path's sum stays small, and float32 keeps more of its digits.

    Args:
        scores: (G, S), all utterances one after another.
        lengths: (U,) their frames.
        batch: (B,) the utterances wanted.

    Returns:
        (T, S, B), T the longest of the batch; 0 past an utterance's end.
    """
    own = lengths.cpu()
    starts = (own.cumsum(0) - own)[batch]
    longest = int(own[batch].max()) if len(batch) else 0
    frames = torch.arange(longest)[:, None]
    inside = frames < own[batch]  # (T, B)
    rows = (starts + frames)[inside].to(scores.device)
    own_scores = scores[rows]
    side_by_side = scores.new_zeros(longest, len(batch), scores.shape[1])
    side_by_side[inside.to(scores.device)] = own_scores - own_scores.amax(1, keepdim=True)
    return side_by_side.transpose(1, 2).contiguous()  # (T, S, B)


def _best_ends(
    emissions: Tensor, scale: Tensor, penalty: Tensor, transitions: Tensor, topology: Topology
) -> tuple[Tensor, Tensor]:
    """Follow all tokens through time; give the last word on the best path that could end at each frame.

    Returns:
        Two of (T, K, B): the last word (-1: none yet) and the frame at which it began.
    """
    frames, _, utterances = emissions.shape
    words, inner, columns = topology.words, topology.states_per_word, (len(scale), utterances)
    word = torch.full((frames, *columns), -1, dtype=torch.int64, device=emissions.device)
    began = torch.zeros((frames, *columns), dtype=torch.int32, device=emissions.device)
    # Row 0 is the way into every word, rows 1 to `inner` its states; old and new, because a row reads the one above.
    score, new_score = (emissions.new_full((inner + 1, words, *columns), -torch.inf) for _ in range(2))
    start, new_start = (torch.zeros_like(score, dtype=torch.int32) for _ in range(2))
    stay, leave = (
        transitions[:-1].unflatten(0, (words, inner)).permute(2, 1, 0)[..., None, None]
    )  # (inner, words, 1, 1)
    go = torch.cat([torch.zeros_like(leave[:1]), leave[:-1]])  # entering costs the penalty alone
    # (T, states of a word, words, 1, B)
    in_words = emissions[:, :-1].unflatten(1, (words, inner)).transpose(1, 2).contiguous().unsqueeze(3)
    in_silence = emissions[:, -1:] * scale  # (T, K, B)
    best = torch.zeros(columns, device=emissions.device)  # of the paths that may end before this frame
    ended = best  # the same, of those that end in a word; before the first frame, of the path without any
    which = torch.full(columns, -1, dtype=torch.int64, device=emissions.device)
    began_here = torch.zeros(columns, dtype=torch.int32, device=emissions.device)
    # Silence is a token of its own, with the last word before it.
    silent, silent_word, silent_began = torch.full_like(best, -torch.inf), which, began_here
    for frame in range(frames):
        score[0] = best + penalty
        start[0] = frame
        moved, stayed = score[:-1] + go, score[1:] + stay
        step = moved > stayed
        torch.maximum(moved, stayed, out=new_score[1:])
        torch.where(step, start[:-1], start[1:], out=new_start[1:])
        new_score[1:].addcmul_(in_words[frame], scale)
        stayed = silent + transitions[-1, 0]
        entered = ended > stayed
        silent_word = torch.where(entered, which, silent_word)
        silent_began = torch.where(entered, began_here, silent_began)
        silent = torch.maximum(stayed, ended) + in_silence[frame]
        ended, which = (new_score[-1] + leave[-1]).max(0)
        began_here = new_start[-1].gather(0, which[None])[0]
        left = silent + transitions[-1, 1]
        best = torch.maximum(ended, left)
        spoken = ended >= left
        word[frame] = torch.where(spoken, which, silent_word)
        began[frame] = torch.where(spoken, began_here, silent_began)
        score, new_score, start, new_start = new_score, score, new_start, start
    return word, began


def _words(word: Tensor, began: Tensor, lengths: Tensor) -> list[list[Words]]:
    """Read the words off from each utterance's last frame backwards."""
    _, settings, utterances = word.shape
    position = (lengths - 1).expand(settings, utterances)  # (K, B)
    found = []
    while bool((position >= 0).any()):
        at = position.clamp(min=0)[None]
        here = torch.where(position >= 0, word.gather(0, at)[0], -1)
        position = torch.where(here >= 0, began.gather(0, at)[0] - 1, -1)
        found.append(here)
    if not found:
        return [[()] * utterances for _ in range(settings)]
    # From the last word to the first; -1 fills up.
    backwards = torch.stack(found, 2).tolist()
    return [[tuple(w for w in reversed(row) if w >= 0) for row in rows] for rows in backwards]
