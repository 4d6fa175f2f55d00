"""The rules of the mean-replacement study on which units are chosen, as worded in `claims.yml`.

Each takes the rows of one subject (all seeds) in one table. Where the data do not reach what a rule needs, it raises
`curves.NotCoveredError`, which says what is missing and leaves the claim open. Intervals are Student's t over seeds.
"""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from prunelab import stats
from prunelab.decisions import Outcome, decide
from prunelab.rules.curves import NotCoveredError
from prunelab.rules.lenet_pruned import joint
from prunelab.rules.units_settings import RANDOM, every, scores, side_by_side

MRS = ("mrs", "mrs-abs")  # mean-replacement saliency, signed and with absolute values per example
GOOD = ("norm", "activation", "taylor-abs", "mrs-abs")  # named good before anything was measured
NEARLY_ALL = 0.95  # of the units: what "all" is held to, since a draw may miss a few for long
UPPER_DECILE = 0.9


def mrs_large_activations(rows: pd.DataFrame, *, score: str) -> Outcome:
    """Hold the upper decile of the mean squared activations of units chosen by mrs above that of each other score.

    The decile is over all units chosen in a seed, of every checkpoint, as in the source's histogram: a checkpoint alone
    chooses too few to have one. Deciles a and b are compared by their contrast (a − b) / (a + b), which is 0 where they
    are alike, 1/3 where a is twice b, and 1 where b is 0. Like the logarithm of their ratio it takes no account of the
    scale of a seed's activations; unlike it, it exists where a score chooses dead units only, and units a hundred times
    as active in one seed do not outweigh the others. Two deciles of 0 are alike. Signed and absolute mrs are one
    criterion, and not held against each other.

    Args:
        rows: one net and layer in "squares".
        score: "mrs" or "mrs-abs".

    Raises:
        NotCoveredError: it or every other score is missing, or one lacks a checkpoint or a seed.
    """
    others = [name for name in scores(rows) if name not in MRS]
    if not others:
        raise NotCoveredError(f"the units that {score} chooses are held against those of other scores; measure some")
    sides = {"score": [score, *others]}
    counts = rows.groupby(["step", "score", "seed"])["mean_square"].count().reset_index()
    side_by_side(counts, "mean_square", settings=["step"], sides=sides)
    deciles = rows.pivot_table("mean_square", index="seed", columns="score", aggfunc=_upper_decile)
    own, parts = deciles[score], {}
    for other in others:
        total = own + deciles[other]
        contrast = (own - deciles[other]) / total.mask(total == 0, 1.0)
        unit = f"contrast of upper deciles, {score} to {other}"
        parts[other] = decide(stats.t_interval(contrast), side="above", bound=0.0, unit=unit)
    outcome = every(parts)
    means = ", ".join(f"{name} {deciles[name].mean():.3g}" for name in (score, *others))
    return replace(outcome, reason=f"{outcome.reason}; mean upper deciles: {means}")


def consistent_choices(rows: pd.DataFrame) -> Outcome:
    """Hold the share of units good scores ever chose below random's, and from a third on lower; random's near to 1.

    At the last checkpoint, averaged over layers within a seed: each good score's share is below that of random; its
    share from after the first third below that from the start; and random's is at least 0.95. The second can hardly
    fail: units chosen later are among those chosen ever, and the shares are equal only where nothing was ever dropped.
    The third is a matter of counting: k draws of a share f are expected to choose 1 − (1 − f)^k. Where that is below
    0.95 for the checkpoints at hand, they are too few to refute it and it stays open.

    Args:
        rows: one net in "choices", one layer pruned at a time, at every checkpoint.

    Raises:
        NotCoveredError: random or a good score was not measured, or lacks a layer or a seed.
    """
    first, last = int(rows["step"].min()), int(rows["step"].max())
    chosen = _shares(rows, "chosen_fraction", step=last, scores=(RANDOM, *GOOD)).groupby(level="seed").mean()
    late = _shares(rows, "late_fraction", step=last, scores=GOOD).groupby(level="seed").mean()
    unit = "of the units"
    fewer = {
        score: decide(stats.paired(chosen[score], chosen[RANDOM]), side="below", bound=0.0, unit=unit) for score in GOOD
    }
    later = {
        score: decide(stats.paired(late[score], chosen[score]), side="below", bound=0.0, unit=unit) for score in GOOD
    }
    nearly_all = decide(stats.t_interval(chosen[RANDOM]), side="at least", bound=NEARLY_ALL, unit=unit)
    draws, share = rows["step"].nunique(), _shares(rows, "chosen_fraction", step=first, scores=(RANDOM,))
    expected = float((1 - (1 - share) ** draws).to_numpy().mean())
    if nearly_all.verdict != "reproduced" and expected < NEARLY_ALL:
        note = f"{draws} draws are expected to choose {expected:.3g} and cannot show it; measure more checkpoints"
        nearly_all = replace(nearly_all, verdict="inconclusive", reason=f"{nearly_all.reason}; {note}")
    return joint({"fewer than random": every(fewer), "fewer later": every(later), "random": nearly_all})


def _shares(rows: pd.DataFrame, column: str, *, step: int, scores: Sequence[str]) -> pd.DataFrame:
    """Return the shares at one checkpoint, shape (layers × seeds, scores)."""
    # The checkpoint is one of the sides, so that a seed without it is missed.
    wide = side_by_side(rows, column, settings=["layer"], sides={"step": (step,), "score": scores})
    return pd.DataFrame({score: wide[(step, score)] for score in scores})


def _upper_decile(values: "pd.Series[float]") -> float:
    return float(values.quantile(UPPER_DECILE))
