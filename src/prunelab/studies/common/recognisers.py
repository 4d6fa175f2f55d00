"""The dense acoustic nets that the speech studies prune, trained over seeds at a rate chosen on the dev part."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Annotated as A

import torch
from pandas import DataFrame
from torch import Tensor, nn
from tqdm import tqdm

from prunelab import parts
from prunelab.measure.sweep import logits
from prunelab.models import build
from prunelab.speech import Corpus, Setting, WordErrors, decode, utterance_interval, word_errors
from prunelab.studies.common.nets import (
    Counted,
    Fit,
    Net,
    OfNet,
    at_best_rate,
    check_models,
    counts,
    open_one,
    open_stored,
)
from prunelab.train import Frames, Recipe, check_seeds, train

# Chosen so that the best on the development part lies inside for nets that still hear something.
SCALES = (0.2, 0.5, 1.0)
PENALTIES = (-20.0, -10.0, -5.0, 0.0, 5.0)
GRID = tuple(Setting(scale=scale, penalty=penalty) for scale in SCALES for penalty in PENALTIES)
_BOOTSTRAP_SEED = 0  # every setting of every net is measured on the same draws of utterances


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Word error rates of one net under one setting, in percent of the words spoken in the test part."""

    error_percent: float  # the decoder chosen on the development part, for this very setting
    best_wer_percent: float  # the best of all decoders on the test part, as the source reports
    fixed_wer_percent: float  # the decoder chosen on the development part for the unpruned net
    substitutions_percent: float  # these three add up to error_percent
    deletions_percent: float
    insertions_percent: float
    wer_low: float  # 95 % bootstrap interval of error_percent over utterances
    wer_high: float
    decoder_scale: float  # the decoder that error_percent belongs to
    decoder_penalty: float
    dev_error_percent: float


class Listener:
    """The development and test part of a corpus, laid out once for many nets and settings."""

    def __init__(self, corpus: Corpus, *, grid: Sequence[Setting] = GRID, device: str = "cpu") -> None:
        """Splice both parts.

        Args:
            corpus: what is heard.
            grid: decoders to choose from, in the order in which ties are settled.
            device: where the nets are.

        Raises:
            ValueError: an empty grid.
        """
        if not grid:
            raise ValueError("a decoder is chosen from a grid of settings; got an empty one")
        (dev, dev_frames), (test, test_frames) = corpus.frames(corpus.dev), corpus.frames(corpus.test)
        self._grid = tuple(grid)
        self._x = torch.cat([dev, test]).to(device)
        self._of_dev = len(dev)
        self._frames = torch.cat([dev_frames, test_frames])
        self._references = [*corpus.dev.words, *corpus.test.words]
        self._utterances = {"dev": slice(0, len(corpus.dev)), "test": slice(len(corpus.dev), None)}
        self._corpus = corpus
        self._log_priors = corpus.log_priors.to(device)

    @property
    def dev(self) -> Tensor:
        """Scored frames of the development part, (G, inputs)."""
        return self._x[: self._of_dev]

    @property
    def test(self) -> Tensor:
        """Scored frames of the test part, (G, inputs)."""
        return self._x[self._of_dev :]

    def hear(
        self, module: nn.Sequential, settings: Iterable[Mapping[str, Tensor]], *, label: str | None = None
    ) -> list[Heard]:
        """Measure one net unpruned and under many replacements of its parameters.

        Args:
            module: the acoustic net, on the listener's device.
            settings: see `prunelab.measure.sweep.sweep`.
            label: what a progress bar calls this net; none is shown without it.

        Returns:
            The unpruned net first, then each setting, in order.
        """
        every = [{}, *settings]
        bar = tqdm(logits(module, self._x, every), desc=label, total=len(every), disable=label is None, leave=False)
        return self.judge(bar)

    def judge(self, logits: Iterable[Tensor]) -> list[Heard]:
        """Measure what a net puts out, whoever computed it.

        Args:
            logits: of the unpruned net first, then of each setting; (frames of `dev`, then of `test`, states).

        Returns:
            One entry a setting, in order.
        """
        dev, test = [], []
        for rows in logits:
            errors = self._errors(rows)
            dev.append([_part(found, self._utterances["dev"]).wer_percent for found in errors])
            test.append([_part(found, self._utterances["test"]) for found in errors])
        chosen = [min(range(len(self._grid)), key=wers.__getitem__) for wers in dev]
        found = [errors[best] for errors, best in zip(test, chosen, strict=True)]
        lows, highs = utterance_interval([part.errors for part in found], found[0].reference, _BOOTSTRAP_SEED)
        return [
            Heard(
                error_percent=found[i].wer_percent,
                best_wer_percent=min(part.wer_percent for part in test[i]),
                fixed_wer_percent=test[i][chosen[0]].wer_percent,
                substitutions_percent=found[i].substitutions_percent,
                deletions_percent=found[i].deletions_percent,
                insertions_percent=found[i].insertions_percent,
                wer_low=float(lows[i]),
                wer_high=float(highs[i]),
                decoder_scale=self._grid[chosen[i]].scale,
                decoder_penalty=self._grid[chosen[i]].penalty,
                dev_error_percent=dev[i][chosen[i]],
            )
            for i in range(len(found))
        ]

    def _errors(self, rows: Tensor) -> list[WordErrors]:
        """Decode all utterances under every setting of the grid; count their errors."""
        # The posterior over the prior is the likelihood up to a factor per frame (Bourlard and Morgan, 1994).
        scores = rows.log_softmax(1) - self._log_priors
        sequences = decode(scores, self._frames, self._corpus.topology, self._grid, self._corpus.transitions)
        return [word_errors(self._references, words) for words in sequences]


def _part(errors: WordErrors, utterances: slice) -> WordErrors:
    return WordErrors(
        substitutions=errors.substitutions[utterances],
        deletions=errors.deletions[utterances],
        insertions=errors.insertions[utterances],
        reference=errors.reference[utterances],
    )


class OfRecogniser(OfNet):
    """The columns that name a recogniser."""

    data: A[str, "source of the recordings"]
    data_id: A[str, "content id of the corpus"]


class Dense(Counted, OfRecogniser, key="data model seed"):
    """One dense recogniser, trained and measured once."""

    learning_rate: A[float, "peak learning rate, chosen on the development part"]
    dev_error_percent: A[float, "word error rate on the development part, last epoch [%]"]
    error_percent: A[float, "word error rate on the test part, decoder chosen on the development part [%]"]
    best_wer_percent: A[float, "word error rate on the test part with the decoder that is best there [%]"]
    substitutions_percent: A[float, "substituted words, of those spoken [%]"]
    deletions_percent: A[float, "missed words, of those spoken [%]"]
    insertions_percent: A[float, "inserted words, of those spoken [%]"]
    wer_low: A[float, "lower end of the 95 % bootstrap interval of error_percent over utterances [%]"]
    wer_high: A[float, "its upper end [%]"]
    decoder_scale: A[float, "acoustic scale of the decoder chosen"]
    decoder_penalty: A[float, "word insertion penalty of the decoder chosen"]


class Rate(OfRecogniser, key="data model learning_rate", name="rates"):
    """One learning rate tried on one recogniser."""

    seed: A[int, "seed of the one net tried"]
    learning_rate: A[float, "peak learning rate tried"]
    dev_error_percent: A[float, "word error rate on the development part, last epoch [%]; the lowest is chosen"]


def recipe_of(epochs: int, learning_rate: float = 1e-3) -> Recipe:
    """Give the recipe of an acoustic net: Adam, a triangular rate with a tenth of warm-up, gradients clipped to 1."""
    return Recipe(epochs=epochs, optimizer="adam", learning_rate=learning_rate, warmup=0.1, clip=1.0)


def train_recognisers(
    corpus: Corpus,
    model: str,
    seeds: Sequence[int],
    *,
    epochs: int,
    learning_rates: Sequence[float],
    device: str = "cpu",
) -> tuple[list[Net], DataFrame, DataFrame]:
    """Train one kind of acoustic net from several seeds, at the rate that does best on the development part.

    Each rate is tried with the first seed; the net trained at the chosen one is kept, the other seeds follow.

    Returns:
        The nets, the table of dense nets (one row a seed) and the table of rates tried.
    """
    check_seeds(seeds)
    nets, dense, rates = at_best_rate(
        _train_one,
        learning_rates,
        seeds,
        score=lambda row: float(row["dev_error_percent"]),
        label=f"train {model}",
        opened=partial(open_one, fit=fit_to(corpus), device=device),
        corpus=corpus,
        frames=_frames(corpus, device),
        listener=Listener(corpus, device=device),
        model=model,
        epochs=epochs,
    )
    return nets, Dense.frame(dense), Rate.frame([{name: row[name] for name in Rate.columns()} for row in rates])


def _train_one(
    item: tuple[int, float], corpus: Corpus, frames: Frames, listener: Listener, model: str, epochs: int
) -> Iterator[Net | Dense]:
    seed, rate = item
    [net] = _train_plain((model, seed), corpus, frames, recipe_of(epochs, rate))
    yield net
    heard = {name: cell for name, cell in vars(listener.hear(net.module, [])[0]).items() if name in Dense.columns()}
    yield Dense(**net.names, **counts(net, rate), **heard)


def fit_to(corpus: Corpus) -> Fit:
    """Give what nets that are trained on a corpus fit."""
    return Fit(data=corpus.name, data_id=corpus.content_id, inputs=corpus.inputs, classes=corpus.topology.states)


def open_recognisers(
    runs: Sequence[str],
    corpus: Corpus,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    epochs: int,
    device: str = "cpu",
) -> list[Net]:
    """Open the acoustic nets that other runs trained, or train small ones where no run is named.

    As `open_nets`, on a corpus.
    """
    if runs:
        return open_stored(runs, fit_to(corpus), device=device)
    check_models(models)
    check_seeds(seeds)
    return parts.each(
        _train_plain,
        list(product(models, seeds)),
        label="train",
        opened=partial(open_one, fit=fit_to(corpus), device=device),
        corpus=corpus,
        frames=_frames(corpus, device),
        recipe=recipe_of(epochs),
    ).nets


def _frames(corpus: Corpus, device: str) -> Frames:
    if corpus.train.labels is None:
        raise ValueError(
            f"training needs the state of every frame; the corpus {corpus.name} is not aligned: make it again"
        )
    x, _ = corpus.frames(corpus.train)
    return Frames(x=x.to(device), y=corpus.train.labels.to(device))


def _train_plain(item: tuple[str, int], corpus: Corpus, frames: Frames, recipe: Recipe) -> Iterator[Net]:
    model, seed = item
    generator = torch.Generator().manual_seed(seed)
    module = build(model, inputs=corpus.inputs, classes=corpus.topology.states, generator=generator)
    module.to(frames.x.device)
    train(module, frames, recipe, generator=generator, label=f"{model}, seed {seed}, rate {recipe.learning_rate:g}")
    yield Net(data=corpus.name, data_id=corpus.content_id, model=model, seed=seed, module=module)
