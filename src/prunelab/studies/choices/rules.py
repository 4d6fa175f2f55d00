"""The rule on choosing a threshold, as worded in `claims.yml`: found by search, and verified by measuring again.

It takes the rows of one subject in the table "threshold-choices": one net and one kind of bound, all seeds, families
and limits. Where the data do not reach what it needs, it raises `NotCoveredError`, which says what is missing
and leaves the claim open.
"""

import numpy as np
import pandas as pd

from prunelab.choosing.bounds import MEASURED, clopper_pearson, meets
from prunelab.decisions import Decision, NotCoveredError, Outcome
from prunelab.stats import LEVEL, Interval

BY_CHANCE = 0.5  # share of searches that would hold on new data if what was measured itself decided, no margin for luck
UNIT = "% of the searches that found a pruning held when measured again"

_SEARCH = ["data", "model", "seed", "family", "kind", "asked"]
_ON = ("upper bound", "count")  # what decides; rows decided by a measured value alone are there to compare


def threshold_choice(rows: pd.DataFrame) -> Outcome:
    """Hold every search to the bounds it was given, measured again on what it found.

    A bound that is counted (parameters, bytes, operations, share pruned) must hold in every search, and be tight: at
    the level beside it, on the other side of the limit, it must not. One miss refutes the claim.

    A bound that is measured (a drop in accuracy, a latency, also where asked together with counts) is met up to chance:
    the share of searches in which it holds on new data is claimed to be at least their confidence. The interval of the
    share is the exact binomial one. The claim is refuted where the interval lies below the confidence, and reproduced
    where the share reaches the confidence and the interval lies above one half, which is what deciding by the value
    measured comes to, without any margin for luck; else it stays open. Searches of one seed share a net, and all share
    the examples, so that the interval is narrower than independent searches would make it.

    A search that finds no pruning and says so meets no bound and breaks none: it is counted in the reason alone. The
    searches of one seed alone leave the claim open.

    Args:
        rows: one net and kind in "threshold-choices"; of several bounds at once all rows.

    Raises:
        NotCoveredError: no search, or none that found a pruning.
    """
    rows = rows[rows["decided_by"].isin(_ON)]
    total = len(rows[_SEARCH].drop_duplicates())
    found = rows[rows["found"]]
    if found.empty:
        raise NotCoveredError(f"none of {total} searches found a pruning that meets its bounds; loosen them")
    of_chance = found["bound"].isin(MEASURED)
    met = _held(found)
    held = met.groupby([found[name] for name in _SEARCH]).all()
    tight = _tight(found[~of_chance])
    missed, loose = int((~met[~of_chance]).sum()), int((~tight).sum())
    share = _share(held, found["seed"].nunique())
    least = 100 * float(found.loc[of_chance, "confidence"].max()) if of_chance.any() else 100.0
    verdict: Decision = "inconclusive"
    if missed or loose or share.high < least:
        verdict = "not-reproduced"
    elif share.n > 1 and (not of_chance.any() or (share.value >= least and share.low > 100 * BY_CHANCE)):
        verdict = "reproduced"
    parts = [
        f"{int(held.sum())} of {len(held)} searches that found a pruning held when measured again ({share.n} seeds)"
    ]
    if of_chance.any():
        parts.append(f"interval {share.low:.3g} to {share.high:.3g} %, claimed at least {least:g} %")
    if missed:
        parts.append(f"counts over their limits: {missed}")
    if len(tight):
        parts.append(f"{int(tight.sum())} of {len(tight)} bounds fail at the level beside")
    if share.n < 2:
        parts.append("all of one net, and a claim needs at least two seeds")
    if total > len(held):
        parts.append(f"{total - len(held)} more searches found none and say why")
    return Outcome(verdict=verdict, effect=share, unit=UNIT, margin=share.value - least, reason="; ".join(parts))


def _held(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Say of every row whether what was measured again is within the limit, whatever its own `held` says."""
    return pd.Series(
        [
            meets(bound, limit, again)
            for bound, limit, again in rows[["bound", "limit", "again"]].itertuples(index=False)
        ],
        index=rows.index,
        dtype=bool,
    )


def _tight(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Say of every row that has a level beside whether the bound fails there."""
    beside = rows[rows["beside"].notna()]
    return pd.Series(
        [not meets(bound, limit, value) for bound, limit, value in beside[["bound", "limit", "beside"]].to_numpy()],
        index=beside.index,
        dtype=bool,
    )


def _share(held: "pd.Series[bool]", seeds: int) -> Interval:
    low, high = clopper_pearson(int(np.count_nonzero(held)), len(held), alpha=(1 - LEVEL) / 2)
    return Interval(
        value=100 * float(held.mean()), low=100 * low, high=100 * high, n=seeds, level=LEVEL, method="exact binomial"
    )
