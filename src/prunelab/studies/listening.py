"""What a pruned recogniser hears: word error rates, the decoder tuned on the development part each time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm import tqdm

from prunelab.measure.sweep import logits
from prunelab.speech import Corpus, Setting, WordErrors, decode, utterance_interval, word_errors

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
