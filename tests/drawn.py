"""A corpus in miniature: utterances drawn around one centre a state, which small nets learn in a second."""

from functools import cache

import torch
from torch import Tensor

from prunelab.speech import Corpus, Part, Topology, log_priors, log_transitions
from prunelab.studies.common.nets import Net
from prunelab.studies.common.recognisers import open_recognisers

_FRAMES = 5  # of every state


@cache
def corpus() -> Corpus:
    """Make 120 utterances to train on, 10 to choose decoders with and 40 to test, of two words out of three each."""
    topology = Topology(words=3, states_per_word=2)
    centres = torch.randn(topology.states, 6, generator=torch.Generator().manual_seed(1))
    sizes = {"train": (120, 2), "dev": (10, 3), "test": (40, 4)}
    parts = {name: _part(utterances, seed, topology, centres) for name, (utterances, seed) in sizes.items()}
    labels = parts["train"].labels
    assert labels is not None
    return Corpus(
        name="drawn",
        synthetic=True,
        topology=topology,
        context=1,
        step=1,
        log_priors=log_priors(labels, topology),
        transitions=log_transitions(labels, parts["train"].lengths, topology),
        **parts,
    )


@cache
def nets(*models: str) -> list[Net]:
    """Train two seeds of each model on the corpus."""
    return open_recognisers([], corpus(), models=models, seeds=[0, 1], epochs=12)


def random_scores(frames: int, states: int, seed: int) -> Tensor:
    """Draw scores of frames, (frames, states)."""
    return torch.randn(frames, states, generator=torch.Generator().manual_seed(seed))


def _part(utterances: int, seed: int, topology: Topology, centres: Tensor) -> Part:
    """Silence, then every state of two words, then silence."""
    generator = torch.Generator().manual_seed(seed)
    words = [tuple(torch.randint(topology.words, (2,), generator=generator).tolist()) for _ in range(utterances)]
    states = [
        [topology.silence, *(state for word in said for state in topology.word_states(word)), topology.silence]
        for said in words
    ]
    labels = torch.tensor(states).repeat_interleave(_FRAMES, dim=1).flatten()
    noise = 0.7 * torch.randn(len(labels), centres.shape[1], generator=generator)
    return Part(
        features=centres[labels] + noise,
        lengths=torch.tensor([_FRAMES * len(utterance) for utterance in states]),
        words=tuple(words),
        speakers=("one",) * utterances,
        snr_db=torch.zeros(utterances),
        labels=labels,
    )
