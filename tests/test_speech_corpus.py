"""A corpus on disk is the corpus in memory."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from prunelab.speech import Topology
from prunelab.speech.corpus import (
    PARTS,
    Corpus,
    Part,
    log_priors,
    log_transitions,
    open_corpus,
    save_corpus,
)

TOPOLOGY = Topology(words=2, states_per_word=2)


def part(seed: int, *, labels: bool = True) -> Part:
    generator = torch.Generator().manual_seed(seed)
    return Part(
        features=torch.randn(12, 3, generator=generator),
        lengths=torch.tensor([7, 5]),
        words=((0, 1), ()),
        speakers=("ann", "bøb"),
        snr_db=torch.tensor([-1.5, torch.inf]),
        labels=torch.randint(0, 5, (7,), generator=generator) if labels else None,  # 4 + 3 scored at step 2
    )


def corpus() -> Corpus:
    parts = {"train": part(0), "dev": part(1), "test": part(2, labels=False)}
    labels = parts["train"].labels
    assert labels is not None
    return Corpus(
        name="tiny",
        synthetic=True,
        topology=TOPOLOGY,
        context=1,
        step=2,
        log_priors=log_priors(labels, TOPOLOGY),
        transitions=log_transitions(labels, torch.tensor([4, 3]), TOPOLOGY),
        **parts,
    )


def test_a_corpus_comes_back_exactly_as_it_was_saved(tmp_path: Path) -> None:
    before = corpus()
    after = open_corpus(save_corpus(before, tmp_path / "corpus.safetensors"))

    for name in ("name", "content_id", "synthetic", "topology", "context", "step", "inputs"):
        assert getattr(after, name) == getattr(before, name), name
    assert torch.equal(after.log_priors, before.log_priors)
    assert torch.equal(after.transitions, before.transitions)
    for name in PARTS:
        old, new = getattr(before, name), getattr(after, name)
        assert (new.words, new.speakers, len(new)) == (old.words, old.speakers, 2)
        for tensor in ("features", "lengths", "snr_db"):
            assert torch.equal(getattr(new, tensor), getattr(old, tensor)), tensor
            assert getattr(new, tensor).dtype == getattr(old, tensor).dtype
        assert (new.labels is None) == (old.labels is None)
        assert old.labels is None or torch.equal(new.labels, old.labels)


def test_the_same_corpus_is_the_same_bytes(tmp_path: Path) -> None:
    first, second = (save_corpus(corpus(), tmp_path / name) for name in ("a", "b"))

    assert first.read_bytes() == second.read_bytes()


def test_frames_are_spliced_and_as_wide_as_the_net_is_told() -> None:
    own = corpus()
    frames, scored = own.frames(own.test)

    assert own.inputs == 9
    assert frames.shape == (7, 9)
    assert scored.tolist() == [4, 3]
    assert torch.equal(frames[1], own.test.features[1:4].flatten())


def test_the_id_tells_apart_whatever_enters_training_or_testing() -> None:
    own, train = corpus(), corpus().train
    assert train.labels is not None
    others = [
        {"train": replace(train, features=train.features + 1)},
        {"train": replace(train, labels=train.labels.flip(0))},
        {"train": replace(train, words=((1, 1), ()))},
        {"train": own.dev, "dev": train},
        {"context": 2},
        {"step": 1},
        {"topology": Topology(words=4, states_per_word=1)},
        {"log_priors": own.log_priors - 1},
        {"transitions": own.transitions - 1},
    ]
    ids = {replace(own, **change).content_id for change in others} | {own.content_id}

    assert replace(own, name="another").content_id == own.content_id == corpus().content_id
    assert len(ids) == 10
    assert all(len(one) == 12 and int(one, 16) >= 0 for one in ids)


def test_priors_are_relative_frequencies_and_no_state_is_impossible() -> None:
    # 5 states, 7 frames: counts 4, 0, 2, 0, 1 with one more each, of 12.
    priors = log_priors(torch.tensor([0, 0, 0, 0, 2, 2, 4]), TOPOLOGY)

    assert torch.allclose(priors.exp(), torch.tensor([5, 1, 3, 1, 2]) / 12)


def test_transitions_count_how_often_a_state_is_stayed_in_and_left() -> None:
    # Two utterances: 0 0 0 1 and 1 4 4. State 0 is stayed in twice and left once; state 1 left twice, once by the end
    # of its utterance; state 4 stayed in once and left once. One of each is added.
    transitions = log_transitions(torch.tensor([0, 0, 0, 1, 1, 4, 4]), torch.tensor([4, 3]), TOPOLOGY)

    expected = torch.tensor([[3 / 5, 2 / 5], [1 / 4, 3 / 4], [1 / 2, 1 / 2], [1 / 2, 1 / 2], [1 / 2, 1 / 2]])
    assert torch.allclose(transitions.exp(), expected)


def test_files_that_are_no_corpus_are_refused_by_name(tmp_path: Path) -> None:
    other, text, damaged = (tmp_path / name for name in ("net.safetensors", "text", "damaged.safetensors"))
    save_file({"w": torch.zeros(2)}, other)
    text.write_text("no tensors")
    save_file({"w": torch.zeros(2)}, damaged, metadata={"corpus": json.dumps({"words": {}})})

    with pytest.raises(FileNotFoundError, match=r"there is no .*nowhere"):
        open_corpus(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"net\.safetensors does not: make it again"):
        open_corpus(other)
    with pytest.raises(ValueError, match=r"is a safetensors file; .*text is not one"):
        open_corpus(text)
    with pytest.raises(ValueError, match=r"damaged\.safetensors does not"):
        open_corpus(damaged)


@pytest.mark.parametrize(("name", "value"), [("step", 3), ("topology", {"words": 10, "states_per_word": 3})])
def test_a_corpus_changed_after_it_was_made_is_refused(name: str, value: object, tmp_path: Path) -> None:
    path = save_corpus(corpus(), tmp_path / "corpus.safetensors")
    with safe_open(path, framework="pt") as stored:
        identity = json.loads(stored.metadata()["corpus"])
        state = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (not a mapping)
    assert identity[name] != value
    save_file(state, path, metadata={"corpus": json.dumps(identity | {name: value})})

    with pytest.raises(ValueError, match=r"a corpus is opened as it was made; .*: make it again"):
        open_corpus(path)


def test_entries_of_different_utterances_are_refused() -> None:
    own = part(0)

    with pytest.raises(ValueError, match=r"add up to the 12 frames; got torch\.int64 with sum 11"):
        replace(own, lengths=torch.tensor([7, 4]))
    with pytest.raises(ValueError, match="'speakers': 1"):
        replace(own, speakers=("ann",))
    with pytest.raises(ValueError, match=r"\(F, M\) float32; got \(12, 3\) torch.float64"):
        replace(own, features=own.features.double())
