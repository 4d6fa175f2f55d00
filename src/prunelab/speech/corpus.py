"""A corpus as a recogniser is trained and tested on it: features, words and labels of three parts, in one file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from prunelab import files
from prunelab.speech.decoding import Topology
from prunelab.speech.features import splice

PARTS = ("train", "dev", "test")
_PLAIN = ("name", "synthetic", "context", "step")  # stored as they are


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Utterances of one part, their features one after another."""

    features: Tensor  # (F, M) float32
    lengths: Tensor  # (U,) int64, 10-ms frames
    words: tuple[tuple[int, ...], ...]  # U, what was said
    speakers: tuple[str, ...]  # U
    snr_db: Tensor  # (U,) float32; infinite where no noise was added
    labels: Tensor | None = None  # (G,) int64, a state a scored frame

    def __post_init__(self) -> None:
        """Refuse entries that are not of the same utterances."""
        if self.features.ndim != 2 or self.features.dtype != torch.float32:
            raise ValueError(f"features are (F, M) float32; got {tuple(self.features.shape)} {self.features.dtype}")
        if self.lengths.dtype != torch.int64 or int(self.lengths.sum()) != len(self.features):
            raise ValueError(
                f"lengths are int64 and add up to the {len(self.features)} frames; "
                f"got {self.lengths.dtype} with sum {int(self.lengths.sum())}"
            )
        counts = {name: len(getattr(self, name)) for name in ("lengths", "words", "speakers", "snr_db")}
        if len(set(counts.values())) != 1:
            raise ValueError(f"each utterance has a length, words, a speaker and an SNR; got {counts}")

    def __len__(self) -> int:
        """Count the utterances."""
        return len(self.lengths)


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """All that training and testing a recogniser needs, the same in every run."""

    name: str
    synthetic: bool
    topology: Topology
    context: int  # neighbours on either side, in 10-ms frames
    step: int  # distance between scored frames, in 10-ms frames
    log_priors: Tensor  # (states,) float32, log relative frequency of the training labels
    transitions: Tensor  # (states, 2) float32, log probability of staying in a state and of leaving it
    train: Part
    dev: Part
    test: Part

    @property
    def inputs(self) -> int:
        """Count the numbers a scored frame brings to the net."""
        return (2 * self.context + 1) * self.train.features.shape[1]

    @cached_property
    def content_id(self) -> str:
        """Identify the corpus by all that enters training and testing, whatever its name.

        Returns:
            12 hexadecimal digits of a SHA-256 over shapes, types, values, words and speakers.
        """
        hasher = hashlib.sha256(json.dumps([asdict(self.topology), self.context, self.step]).encode())
        for name, part in self.parts.items():
            hasher.update(json.dumps([name, part.words, part.speakers]).encode())
        for name, tensor in self.tensors().items():
            hasher.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            hasher.update(tensor.numpy().tobytes())
        return hasher.hexdigest()[:12]

    @property
    def parts(self) -> dict[str, Part]:
        """Give the parts by name."""
        return {name: getattr(self, name) for name in PARTS}

    def tensors(self) -> dict[str, Tensor]:
        """Give all that is stored as a tensor, under its name in the file, on the CPU."""
        every = {"log_priors": self.log_priors, "transitions": self.transitions} | {
            f"{name}/{field}": getattr(part, field)
            for name, part in self.parts.items()
            for field in ("features", "lengths", "snr_db", "labels")
        }
        return {name: value.detach().cpu().contiguous() for name, value in every.items() if value is not None}

    def frames(self, part: Part) -> tuple[Tensor, Tensor]:
        """Give a part's scored frames, (G, inputs), and how many each utterance has, (U,)."""
        return splice(part.features, part.lengths, context=self.context, step=self.step)


def log_priors(labels: Tensor, topology: Topology) -> Tensor:
    """Give the log relative frequency of each state, one frame added to each so that none is impossible.

    Args:
        labels: (G,) int64, states of the training frames.
        topology: the states.

    Returns:
        (states,) float32.
    """
    counts = torch.bincount(labels, minlength=topology.states).double() + 1
    return (counts / counts.sum()).log().float()


def log_transitions(labels: Tensor, lengths: Tensor, topology: Topology) -> Tensor:
    """Give the log probability of staying in each state and of leaving it, one of each added so that neither is zero.

    Args:
        labels: (G,) int64, states of the training frames.
        lengths: (U,) int64, scored frames of each utterance; a state is left where its utterance ends.
        topology: the states.

    Returns:
        (states, 2) float32.
    """
    left = torch.ones_like(labels, dtype=torch.bool)
    left[:-1] = labels[1:] != labels[:-1]
    left[lengths.cumsum(0)[lengths > 0] - 1] = True
    frames, leaves = (torch.bincount(own, minlength=topology.states).double() for own in (labels, labels[left]))
    counts = torch.stack([frames - leaves, leaves], 1) + 1
    return (counts / counts.sum(1, keepdim=True)).log().float()


def save_corpus(corpus: Corpus, path: Path = Path("corpus.safetensors")) -> Path:
    """Write a corpus as safetensors, what is not a tensor in the file's metadata; whole or not at all."""
    identity = {name: getattr(corpus, name) for name in ("content_id", *_PLAIN)} | {
        "topology": asdict(corpus.topology),
        "words": {name: part.words for name, part in corpus.parts.items()},
        "speakers": {name: part.speakers for name, part in corpus.parts.items()},
    }
    with files.replacing(path) as temporary:
        # One key: safetensors writes several in an order that differs from run to run.
        save_file(corpus.tensors(), temporary, metadata={"corpus": json.dumps(identity)})
    return path


def open_corpus(path: Path) -> Corpus:
    """Open what `save_corpus` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a corpus, its parts do not fit each other, or it is not what was saved.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"a corpus is a file that save_corpus wrote; there is no {path}: make it, or write ./ before its folder"
        )
    try:
        with safe_open(path, framework="pt") as stored:
            identity = json.loads((stored.metadata() or {})["corpus"])
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
        parts: dict[str, Any] = {name: _part(name, state, identity) for name in PARTS}
        corpus = Corpus(
            **{name: identity[name] for name in _PLAIN},
            topology=Topology(**identity["topology"]),
            log_priors=state["log_priors"],
            transitions=state["transitions"],
            **parts,
        )
        made_as = identity["content_id"]
    except SafetensorError as error:
        raise ValueError(f"a corpus is a safetensors file; {path} is not one ({error}): make it again") from error
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"a corpus holds the features and words of its three parts; {path} does not: make it again"
        ) from error
    if corpus.content_id != made_as:
        raise ValueError(
            f"a corpus is opened as it was made; {path} was {made_as} and holds {corpus.content_id}: make it again"
        )
    return corpus


def _part(name: str, state: Mapping[str, Tensor], identity: Mapping[str, Any]) -> Part:
    return Part(
        features=state[f"{name}/features"],
        lengths=state[f"{name}/lengths"],
        words=tuple(tuple(words) for words in identity["words"][name]),
        speakers=tuple(identity["speakers"][name]),
        snr_db=state[f"{name}/snr_db"],
        labels=state.get(f"{name}/labels"),
    )
