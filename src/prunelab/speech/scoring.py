"""Word errors of recognised against spoken words, and how far they may be from those of other utterances."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import jiwer
import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 1000

Words = tuple[int, ...]
Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class WordErrors:
    """Errors of each utterance, from one cheapest alignment of its words."""

    substitutions: Counts  # (U,)
    deletions: Counts  # (U,)
    insertions: Counts  # (U,)
    reference: Counts  # (U,) words spoken

    @property
    def errors(self) -> Counts:
        """Add the three kinds of errors, (U,)."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def wer_percent(self) -> float:
        """Give all errors as a share of all words spoken, in percent; over 100 where many are inserted."""
        return self._percent(self.errors)

    @property
    def substitutions_percent(self) -> float:
        """Give the substituted words as a share of all words spoken, in percent."""
        return self._percent(self.substitutions)

    @property
    def deletions_percent(self) -> float:
        """Give the missed words as a share of all words spoken, in percent."""
        return self._percent(self.deletions)

    @property
    def insertions_percent(self) -> float:
        """Give the inserted words as a share of all words spoken, in percent."""
        return self._percent(self.insertions)

    def _percent(self, counts: Counts) -> float:
        spoken = int(self.reference.sum())
        if spoken == 0:
            raise ValueError(
                f"a word error rate needs at least one spoken word; {len(self.reference)} utterances have none"
            )
        return 100 * int(counts.sum()) / spoken


def word_errors(references: Sequence[Words], hypotheses: Sequence[Words]) -> WordErrors:
    """Count substituted, missed and inserted words utterance by utterance.

    Args:
        references: words spoken, U sequences; may be empty, then all words heard are insertions.
        hypotheses: words heard, U sequences; may be empty, then all words spoken are missed.

    Raises:
        ValueError: not as many hypotheses as references.
    """
    if len(references) != len(hypotheses):
        raise ValueError(
            f"each reference has one hypothesis; got {len(references)} references and {len(hypotheses)} hypotheses"
        )
    pairs = zip(references, hypotheses, strict=True)
    counts = np.array([_aligned(tuple(spoken), tuple(heard)) for spoken, heard in pairs], dtype=np.int64)
    substitutions, deletions, insertions = counts.reshape(-1, 3).T
    reference = np.array([len(spoken) for spoken in references], dtype=np.int64)
    return WordErrors(substitutions=substitutions, deletions=deletions, insertions=insertions, reference=reference)


# The settings of a sweep hear most utterances alike; an entry is some 300 bytes.
@lru_cache(maxsize=200_000)
def _aligned(spoken: Words, heard: Words) -> tuple[int, int, int]:
    found = jiwer.process_words([" ".join(map(str, spoken))], [" ".join(map(str, heard))])
    return found.substitutions, found.deletions, found.insertions


def utterance_interval(
    errors: ArrayLike, reference: ArrayLike, seed: int, *, level: float = LEVEL, resamples: int = RESAMPLES
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the percentile bootstrap interval of word error rates, drawing utterances again.

    Words of one utterance share its noise and speaker, so utterances are drawn, not words. All settings are measured
    on the same draws.

    Args:
        errors: (settings, U), errors of each utterance under each setting.
        reference: (U,), words spoken in each, at least one in all.
        seed: of the drawing.
        level: confidence, (0, 1).
        resamples: how often the utterances are drawn again, at least 1.

    Returns:
        (low, high), each (settings,), percent of the words spoken.

    Raises:
        ValueError: shapes that do not fit, no spoken word, or a level or count out of range.
    """
    made, spoken = np.asarray(errors, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if spoken.ndim != 1 or made.ndim != 2 or made.shape[1] != len(spoken):
        raise ValueError(f"errors are (settings, U) over reference (U,); got {made.shape} over {spoken.shape}")
    if spoken.sum() == 0:
        raise ValueError(f"a word error rate needs at least one spoken word; {len(spoken)} utterances have none")
    if not 0 < level < 1:
        hint = f"; did you mean {level / 100:g}?" if 1 < level < 100 else ""
        raise ValueError(f"level is a confidence in (0, 1); got {level!r}{hint}")
    if resamples < 1:
        raise ValueError(f"resamples is a count of at least 1; got {resamples!r}")
    drawn = np.random.default_rng(seed).multinomial(
        len(spoken), np.full(len(spoken), 1 / len(spoken)), size=resamples
    )  # (R, U) how often each utterance was drawn
    times = drawn[drawn @ spoken > 0].astype(np.float64)  # a draw of wordless utterances alone has no rate
    rates = 100 * (made @ times.T) / (times @ spoken)  # (settings, R)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return low, high
