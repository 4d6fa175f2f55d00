"""Choosing a threshold for a recogniser: the bound is on the rise of its word error rate."""

import numpy as np
import pytest
from torch import nn

import drawn
from prunelab.choosing import Bounds, Metric, by_global, by_sensitivities, by_units, choose, unit_scores, verify
from prunelab.choosing.bench import errors_of
from prunelab.models.modes import evaluating
from prunelab.speech import Corpus, Part, Setting, decode, word_errors
from prunelab.studies.common.recognisers import open_recognisers

SETTING = Setting(scale=0.5, penalty=0.0)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return drawn.corpus()


@pytest.fixture(scope="module")
def module(corpus: Corpus) -> nn.Sequential:
    return open_recognisers([], corpus, models=["acoustic-3x16-relu"], seeds=[0], epochs=12)[0].module


def heard(corpus: Corpus, part: Part) -> Metric:
    """The word errors of every utterance, and the words spoken in each."""
    frames, lengths = corpus.frames(part)

    def errors(net: nn.Module) -> np.ndarray:
        with evaluating(net):
            scores = net(frames).log_softmax(1) - corpus.log_priors
        (words,) = decode(scores, lengths, corpus.topology, [SETTING], corpus.transitions)
        return word_errors(part.words, words).errors

    return Metric(errors=errors, sizes=[len(words) for words in part.words], name="WER rise")


@pytest.mark.parametrize("kind", ["global", "sensitivity", "units"])
def test_the_largest_pruning_within_a_rise_of_word_errors_is_found_and_heard_again(
    kind: str, corpus: Corpus, module: nn.Sequential
) -> None:
    (frames, _), labels = corpus.frames(corpus.train), corpus.train.labels
    metric, bounds = heard(corpus, corpus.test), Bounds(max_drop=10)
    if kind == "global":
        family = by_global(module)
    elif kind == "sensitivity":
        family = by_sensitivities(module, lambda net: float(np.mean(errors_of(net, heard(corpus, corpus.dev)))))
    else:
        assert labels is not None
        family = by_units(module, unit_scores(module, frames, labels), frames)
    choice = choose(module, family, bounds, metric=metric, tests=6)
    (kept,), (again,) = choice.kept, verify(choice.pruned.net, module, bounds, metric=heard(corpus, corpus.dev))
    nets = (module, choice.pruned.net)
    rises = [
        np.diff([100 * errors_of(net, heard(corpus, part)).sum() / words for net in nets])
        for part, words in ((corpus.test, 80), (corpus.dev, 20))
    ]

    assert kept.value == pytest.approx(rises[0][0])
    assert kept.upper is not None
    assert kept.value <= kept.upper <= 10
    assert choice.level > 0
    assert len(choice.tested) <= 6
    assert again.value == pytest.approx(rises[1][0])
