"""Which state each frame of a known word sequence belongs to: even cuts to start with, then Viterbi."""

from collections.abc import Sequence

import torch
from torch import Tensor

from prunelab.speech.decoding import Topology, batches, check_scores, padded
from prunelab.speech.features import frame_times
from prunelab.speech.strings import Utterance

# Utterances in one batch: their scores along the chains of a long batch stay below a few megabytes.
_UTTERANCES = 128


def uniform(utterances: Sequence[Utterance], lengths: Tensor, topology: Topology, *, step: int) -> Tensor:
    """Cut each word's span evenly into its states; what lies outside the spans is silence.

    A frame belongs to what its middle lies in. Without spans the words share the utterance evenly.

    Args:
        utterances: with their words, and the sample ranges of these where known.
        lengths: (U,) int64, scored frames of each as `splice` gives them; their sum is G.
        topology: the states.
        step: distance between scored frames in 10-ms frames, at least 1.

    Returns:
        (G,) int64, a state a scored frame.

    Raises:
        ValueError: lengths that are not those of the utterances, or a word the topology does not have.
    """
    if len(lengths) != len(utterances):
        raise ValueError(f"lengths has one entry an utterance; got {len(lengths)} for {len(utterances)}")
    labels = []
    for index, (utterance, length) in enumerate(zip(utterances, lengths.tolist(), strict=True)):
        middles = frame_times(len(utterance.samples), step=step)  # (g,) samples
        if len(middles) != length:
            raise ValueError(
                f"lengths are scored frames, every {step} of 10 ms; utterance {index} ({utterance.name}) has "
                f"{len(middles)}, lengths says {length}: were they spliced with another step?"
            )
        spans = utterance.spans if utterance.spans is not None else _even(len(utterance.samples), len(utterance.words))
        states = torch.full((length,), topology.silence)
        for word, (start, end) in zip(utterance.words, spans, strict=True):
            inside = (middles >= start) & (middles < end)
            part = (middles[inside] - start) * topology.states_per_word // (end - start)
            states[inside] = topology.word_states(word)[0] + part
        labels.append(states)
    return torch.cat(labels) if labels else torch.zeros(0, dtype=torch.int64)


def forced(scores: Tensor, lengths: Tensor, words: Sequence[tuple[int, ...]], topology: Topology) -> Tensor:
    """Find the best path through each utterance's known words, silence before, between and after them optional.

    Of equal scores, staying in a state comes before moving on, and moving on from silence before passing it over.

    Args:
        scores: (G, states) float32, as for `decode`, already scaled.
        lengths: (U,) int64, frames of each utterance; their sum is G.
        words: of each utterance, in order; an utterance without words is all silence.
        topology: the states.

    Returns:
        (G,) int64, a state a frame.

    Raises:
        ValueError: shapes that do not fit, scores that are not finite, an unknown word, or an utterance that has
            fewer frames than its words have states.
    """
    check_scores(scores, lengths, topology)
    if len(words) != len(lengths):
        raise ValueError(f"words has one entry an utterance; got {len(words)} for {len(lengths)}")
    for index, (spoken, length) in enumerate(zip(words, lengths.tolist(), strict=True)):
        if length < len(spoken) * topology.states_per_word:
            raise ValueError(
                f"an utterance has at least one frame for each state of its words; utterance {index} has {length} "
                f"for {len(spoken)} words of {topology.states_per_word}: leave it out, or score frames more densely"
            )
    chains = [_chain(spoken, topology) for spoken in words]
    starts = lengths.cpu().cumsum(0) - lengths.cpu()
    labels = torch.zeros(len(scores), dtype=torch.int64)
    for batch in batches(lengths, _UTTERANCES):
        own = [chains[utterance] for utterance in batch.tolist()]
        paths = _paths(padded(scores, lengths, batch), lengths.cpu()[batch], own, topology)  # (T, B)
        inside = torch.arange(len(paths))[:, None] < lengths.cpu()[batch]
        labels[(starts[batch] + torch.arange(len(paths))[:, None])[inside]] = paths[inside]
    return labels.to(scores.device)


def _even(samples: int, words: int) -> list[tuple[int, int]]:
    return [(samples * place // words, samples * (place + 1) // words) for place in range(words)]


def _chain(words: tuple[int, ...], topology: Topology) -> list[int]:
    """List the states an utterance may pass through, with each optional silence."""
    chain = [topology.silence]
    for word in words:
        chain += [*topology.word_states(word), topology.silence]
    return chain


def _paths(emissions: Tensor, lengths: Tensor, chains: Sequence[list[int]], topology: Topology) -> Tensor:
    """Search all chains of a batch together.

    Args:
        emissions: (T, states, B).
        lengths: (B,) on the CPU, at least the states of the words.
        chains: B of them, of different lengths.
        topology: the states.

    Returns:
        (T, B) states on the CPU; past an utterance's end without meaning.
    """
    frames, _, utterances = emissions.shape
    device = emissions.device
    sizes = torch.tensor([len(chain) for chain in chains], device=device)  # (B,)
    longest, block = int(sizes.max()), topology.states_per_word + 1
    # Past the end of a shorter chain stands silence; no path leads back from there, so its scores never matter.
    fill = [topology.silence] * longest
    states = torch.tensor([[*chain, *fill][:longest] for chain in chains], device=device).T  # (L, B)
    barred = (torch.arange(longest, device=device) % block != 1)[:, None]  # only a word's first state passes silence
    # Row 0 fills up and row 1 is the start: what stands before a chain, so that place p is row p + 2.
    score = emissions.new_full((longest + 2, utterances), -torch.inf)
    score[1] = 0
    moves = torch.zeros((frames, longest, utterances), dtype=torch.uint8, device=device)
    ends_in_word = torch.zeros((frames, utterances), dtype=torch.int64, device=device)
    for frame in range(frames):
        stay, onward, skip = score[2:], score[1:-1], score[:-2].masked_fill(barred, -torch.inf)
        best = torch.maximum(stay, onward)
        moves[frame] = torch.where(skip > best, 2, (onward > stay).long())
        score[2:] = torch.maximum(best, skip) + emissions[frame].gather(0, states)
        score[1] = -torch.inf
        ends_in_word[frame] = score.gather(0, sizes[None])[0] > score.gather(0, sizes[None] + 1)[0]

    paths = torch.full((frames, utterances), topology.silence, device=device)
    own = lengths.to(device)
    place = sizes - 1
    for frame in reversed(range(frames)):
        place = torch.where(own == frame + 1, sizes - 1 - ends_in_word[frame], place)
        paths[frame] = states.gather(0, place[None])[0]
        place = torch.where(frame < own, place - moves[frame].gather(0, place[None])[0], place)
        place = place.clamp(min=0)  # before the first frame
    return paths.cpu()
