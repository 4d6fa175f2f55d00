"""What a corpus cannot be made of is refused by the name it was given under, before anything is drawn or trained."""

import numpy as np
import pytest
import torch

from prunelab.speech import Topology, Utterance
from prunelab.studies.common.corpora import Shape, check_alignable, check_trained


def utterance(name: str, words: tuple[int, ...]) -> Utterance:
    return Utterance(
        name=name, samples=np.zeros(8000, np.float32), words=words, spans=None, speaker="one", snr_db=float("inf")
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train_words", 0),
        ("dev_words", -5),
        ("test_words", 10**9),
        ("bins", 100_000),
        ("context", -1),
        ("step", 0),
        ("states_per_word", 10**9),
        ("realignments", 0),
        ("seed", -1),
    ],
)
def test_a_number_out_of_its_range_is_refused_by_its_own_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} is a whole number from .*; got {value}$"):
        Shape(**{name: value})


@pytest.mark.parametrize("ends", [(1.0,), (9.0, -6.0), (1.0, 2.0, 3.0), (-500.0, -500.0), (float("nan"), 1.0)])
def test_a_noise_range_that_is_none_is_refused_by_its_own_name(ends):
    with pytest.raises(ValueError, match=r"^test_snr_db is a lower and an upper end in dB"):
        Shape(test_snr_db=ends)


def test_a_training_utterance_too_short_for_its_states_is_named():
    utterances = [utterance("long.wav", (1,)), utterance("short.wav", (1, 2))]

    check_alignable(utterances, torch.tensor([6, 12]), Topology())
    with pytest.raises(ValueError, match=r"short\.wav has 11 frames for 2 word\(s\) of 6 states"):
        check_alignable(utterances, torch.tensor([6, 11]), Topology())


@pytest.mark.parametrize("part", ["dev", "test"])
def test_a_word_that_is_tested_and_never_trained_is_refused(part):
    heard = {name: [utterance("a", (1, 2))] for name in ("train", "dev", "test")}

    check_trained(heard)
    with pytest.raises(ValueError, match=f"part {part} .*'seven' is not: raise train_words"):
        check_trained(heard | {part: [utterance("b", (7,))]})
