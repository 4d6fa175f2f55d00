"""From recordings to a corpus: digit strings in noise, their features, and the states they are aligned to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated as A
from typing import Any

import torch
from pandas import DataFrame
from torch import Tensor

from prunelab.data.recordings import load_recordings
from prunelab.data.spoken import WORDS, Recording, Recordings
from prunelab.models import build
from prunelab.speech import (
    Corpus,
    Part,
    Stringing,
    Topology,
    Utterance,
    forced,
    join,
    log_mel,
    log_priors,
    log_transitions,
    open_corpus,
    splice,
    uniform,
    whole,
)
from prunelab.tables import Table
from prunelab.train import Frames, Recipe, train

# Smallest and largest value of each whole number. The largest are far beyond use, and below what memory cannot hold.
_RANGES = {
    "train_words": (1, 100_000),
    "dev_words": (1, 100_000),
    "test_words": (1, 100_000),
    "bins": (1, 80),
    "context": (0, 100),
    "step": (1, 100),
    "states_per_word": (1, 100),
    "realignments": (1, 100),
    "seed": (0, 2**63 - 1),
}

_LOUDEST = 100.0  # dB; beyond it 16 bit hold either the speech or the noise alone


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse sizes and settings of a `Shape` that cannot be, by the names they are given under."""
    for name, (least, most) in _RANGES.items():
        if not least <= settings[name] <= most:
            raise ValueError(f"{name} is a whole number from {least} to {most}; got {settings[name]!r}")
    for name in ("train_snr_db", "test_snr_db"):
        ends = settings[name]
        if ends is not None and not (len(ends) == 2 and -_LOUDEST <= ends[0] <= ends[1] <= _LOUDEST):
            raise ValueError(
                f"{name} is a lower and an upper end in dB, the lower first, within {_LOUDEST:g} of 0, or empty for "
                f"no noise; got {list(ends)}"
            )


def check_alignable(utterances: Sequence[Utterance], frames: Tensor, topology: Topology) -> None:
    """Refuse training utterances too short for a frame in each state of their words; `frames` counts each's."""
    for utterance, found in zip(utterances, frames.tolist(), strict=True):
        needed = len(utterance.words) * topology.states_per_word
        if found < needed:
            raise ValueError(
                f"every state of a word takes a scored frame; {utterance.name} has {found} frames for "
                f"{len(utterance.words)} word(s) of {topology.states_per_word} states: check what is said in it, or "
                "lower step or states_per_word"
            )


def check_trained(heard: Mapping[str, Sequence[Utterance]]) -> None:
    """Refuse words that are listened for and were never trained: they could not be recognised."""
    said = {part: {word for one in own for word in one.words} for part, own in heard.items()}
    for part in ("dev", "test"):
        for word in sorted(said[part] - said["train"]):
            raise ValueError(
                f"what is said in part {part} is said in training too; {WORDS[word]!r} is not: raise train_words, or "
                "put recordings of it into part train"
            )


CORPUS_FILE = "corpus.safetensors"


class CorpusPart(Table, key="data part", name="corpus"):
    """One part of a corpus."""

    data: A[str, "source of the recordings"]
    data_id: A[str, "content id of the corpus"]
    part: A[str, "train, dev (where decoders and rates are chosen) or test"]
    utterances: A[int, "digit strings"]
    words: A[int, "words in them"]
    recordings: A[int, "recordings at hand for this part"]
    speakers: A[int, "speakers"]
    minutes: A[float, "duration [min]"]
    frames: A[int, "frames scored by the net"]
    snr_low: A[float | None, "lowest signal-to-noise ratio; may be empty where no noise was added [dB]"]
    snr_high: A[float | None, "highest signal-to-noise ratio; may be empty where no noise was added [dB]"]


class Alignment(Table, key="data round"):
    """One realignment of the training part."""

    data: A[str, "source of the recordings"]
    data_id: A[str, "content id of the corpus"]
    round: A[int, "realignment, counted from 1"]
    changed_percent: A[float, "training frames that got another state than before [%]"]


# The net that aligns: small, trained for one pass each round; what it aligns trains the nets that are measured.
_ALIGNER = "acoustic-2x256-relu"
_SHIFT_SECONDS = 0.01  # of the features


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a corpus is made of."""

    train_words: int = 5400
    dev_words: int = 500
    test_words: int = 1500
    train_snr_db: tuple[float, float] | None = (-6.0, 9.0)  # drawn evenly for each string; None adds no noise
    test_snr_db: tuple[float, float] | None = (-1.0, -1.0)  # of the development part too
    bins: int = 24  # mel bands
    context: int = 5  # neighbours on either side, in 10-ms frames
    step: int = 2  # a frame is scored every so many 10-ms frames
    states_per_word: int = 6
    realignments: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(vars(self))


def make_corpus(
    recordings: Recordings, shape: Shape, *, device: str = "cpu", progress: bool = True
) -> tuple[Corpus, DataFrame, DataFrame]:
    """Make digit strings of the recordings, compute their features, align the training part to states.

    Recordings of single words are joined into strings, part by part; recordings of several words are taken as they
    are. Labels start from a uniform segmentation of every word and are refined by Viterbi realignment with a small
    net trained on the labels before.

    Returns:
        The corpus, its parts as a table, the realignments as a table.
    """
    topology = Topology(states_per_word=shape.states_per_word)
    heard = {name: _utterances(recordings, name, shape) for name in ("train", "dev", "test")}
    check_trained(heard)
    features = {name: log_mel(utterances, bins=shape.bins) for name, utterances in heard.items()}
    x, frames = splice(*features["train"], context=shape.context, step=shape.step)
    check_alignable(heard["train"], frames, topology)
    labels = uniform(heard["train"], frames, topology, step=shape.step)
    words = [utterance.words for utterance in heard["train"]]
    rounds = []
    for number in range(1, shape.realignments + 1):
        label = f"aligning, round {number}" if progress else None
        aligned = _realigned(x, frames, words, labels, topology, device=device, label=label)
        rounds.append({"round": number, "changed_percent": 100 * float((aligned != labels).double().mean())})
        labels = aligned
    parts = {
        name: Part(
            features=features[name][0],
            lengths=features[name][1],
            words=tuple(utterance.words for utterance in utterances),
            speakers=tuple(utterance.speaker for utterance in utterances),
            snr_db=torch.tensor([utterance.snr_db for utterance in utterances]),
            labels=labels if name == "train" else None,
        )
        for name, utterances in heard.items()
    }
    corpus = Corpus(
        name=recordings.name,
        synthetic=recordings.synthetic,
        topology=topology,
        context=shape.context,
        step=shape.step,
        log_priors=log_priors(labels, topology),
        transitions=log_transitions(labels, frames, topology),
        **parts,
    )
    identity = {"data": corpus.name, "data_id": corpus.content_id}
    rows = [{**identity, "part": name, **_facts(corpus, name, recordings)} for name in parts]
    return corpus, CorpusPart.frame(rows), Alignment.frame([identity | row for row in rounds], may_be_empty=True)


def open_or_make(run: str, *, device: str = "cpu") -> Corpus:
    """Open the corpus that a run left in its folder, or make a small synthetic one where none is named."""
    if run:
        return open_corpus(Path(run) / CORPUS_FILE)
    small = Shape(train_words=600, dev_words=100, test_words=200)
    return make_corpus(load_recordings(), small, device=device)[0]


def _utterances(recordings: Recordings, part: str, shape: Shape) -> list[Utterance]:
    own: Sequence[Recording] = recordings.part(part)
    # Parts draw independently: another number of training words leaves the test strings as they are.
    seed = shape.seed * 3 + ("train", "dev", "test").index(part)
    snr = shape.train_snr_db if part == "train" else shape.test_snr_db
    if not recordings.isolated:
        return whole(own, snr_db=snr, seed=seed)
    words = {"train": shape.train_words, "dev": shape.dev_words, "test": shape.test_words}[part]
    return join(own, Stringing(words=words, snr_db=snr), seed=seed)


def _realigned(
    x: Tensor,
    frames: Tensor,
    words: Sequence[tuple[int, ...]],
    labels: Tensor,
    topology: Topology,
    *,
    device: str,
    label: str | None,
) -> Tensor:
    """Train the aligning net on the labels, and find the best path through the known words with it."""
    generator = torch.Generator().manual_seed(0)
    net = build(_ALIGNER, inputs=x.shape[1], classes=topology.states, generator=generator).to(device)
    examples = Frames(x=x.to(device), y=labels.to(device))
    recipe = Recipe(epochs=1, optimizer="adam", learning_rate=1e-3, warmup=0.1, clip=1.0)
    train(net, examples, recipe, generator=generator, label=label)
    with torch.no_grad():
        scores = net(examples.x).log_softmax(1).cpu() - log_priors(labels, topology)
    return forced(scores, frames, words, topology)


def _facts(corpus: Corpus, name: str, recordings: Recordings) -> dict[str, object]:
    part: Part = getattr(corpus, name)
    noisy = part.snr_db[torch.isfinite(part.snr_db)]
    return {
        "utterances": len(part),
        "words": sum(map(len, part.words)),
        "recordings": len(recordings.part(name)),
        "speakers": len(set(part.speakers)),
        "minutes": int(part.lengths.sum()) * _SHIFT_SECONDS / 60,
        "frames": int(sum(math.ceil(length / corpus.step) for length in part.lengths.tolist())),
        "snr_low": float(noisy.min()) if len(noisy) else math.nan,
        "snr_high": float(noisy.max()) if len(noisy) else math.nan,
    }
