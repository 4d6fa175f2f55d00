"""The rule on the kinds of pruning function, as worded in `claims.yml`, and the area it is decided by.

It takes the rows of one subject in the table "kinds": one net on one data set, one scope, one-shot or retrained, all
seeds. Where the data do not reach what it needs, it raises `curves.NotCoveredError`, which says what is missing and
leaves the claim open.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from prunelab import stats
from prunelab.decisions import Outcome, decide, describe, every, side_by_side

RANDOM = "random"
# What the source lists: threshold, L1, L2 and gradient-based pruning, the last by the gradient itself.
CLAIMED = ("magnitude", "l1", "l2", "gradient")
BESIDE = ("gradient-abs", "saliency", "saliency-abs")  # other readings of gradient-based; they decide nothing
UNIT = "points of accuracy, averaged over sparsity"


def kinds(rows: pd.DataFrame) -> Outcome:
    """Hold each listed kind's area under accuracy against sparsity above that of random removal.

    Paired over seeds; the effect is the least favourable kind's. A penalised net is compared as it is, with what the
    penalty cost it before anything was pruned.

    Args:
        rows: one net, scope and way (one-shot or retrained) in "kinds".

    Raises:
        NotCoveredError: a listed kind or random lacks a budget or a seed.
        ValueError: what `areas` refuses.
    """
    needed = (*CLAIMED, RANDOM)
    areas(rows, needed)  # refuses what is missing of these; others that lack something are left out
    budgets = rows.loc[rows["kind"].isin(needed), "sparsity_asked"]
    rows = rows[rows["sparsity_asked"].isin(budgets)]
    found = areas(rows, alike(rows))
    parts = {
        kind: decide(stats.paired(found[kind], found[RANDOM]), side="above", bound=0.0, unit=UNIT) for kind in CLAIMED
    }
    outcome = every(parts)
    means = found.mean().sort_values(ascending=False, kind="stable")
    ranking = ", ".join(f"{kind} {mean:.4g}" for kind, mean in means.items())
    beside = "".join(
        f"; beside them {kind} - {RANDOM}: {describe(gain, UNIT) if gain.n > 1 else f'{gain.value:.4g} {UNIT}'}"
        for kind in BESIDE
        if kind in found
        for gain in [stats.paired(found[kind], found[RANDOM])]
    )
    return replace(outcome, reason=f"{outcome.reason}{beside}; mean accuracy (%) by kind: {ranking}")


def areas(rows: pd.DataFrame, compared: Sequence[str]) -> pd.DataFrame:
    """Average the accuracy over sparsity, from 0 to the largest budget: the area under the curve over its width.

    A curve begins at sparsity 0 with the net's own accuracy unpruned and is linear between budgets. A budget is the
    sparsity asked for, which single weights meet exactly and whole units as nearly as they can.

    Args:
        rows: one net, scope and way in "kinds".
        compared: kinds, all of them measured at the same budgets with the same seeds.

    Returns:
        Shape (seeds, kinds), percent; 100 for a net that never errs. Of speech, accuracy is 100 - word error rate.

    Raises:
        NotCoveredError: a kind lacks a budget or a seed.
        ValueError: rows of several nets, scopes or ways, or two that say different things of the same setting.
    """
    subject = ["data", "model", "scope", "retrained"]
    if len(rows[subject].drop_duplicates()) > 1:
        raise ValueError("an area is that of one net, scope and way, one-shot or retrained; the rows hold several")
    own = rows[["kind", "seed", "sparsity_asked", "error_percent", "dense_error_percent"]].drop_duplicates()
    if own.duplicated(["kind", "seed", "sparsity_asked"]).any():
        raise ValueError("kinds has one row a kind, seed and budget; some say different things: tables of two runs?")
    sides = {"kind": list(compared)}
    error = side_by_side(own, "error_percent", settings=["sparsity_asked"], sides=sides)
    dense = side_by_side(own, "dense_error_percent", settings=["sparsity_asked"], sides=sides)
    found = {}
    for seed in sorted(own["seed"].unique()):
        errors, starts = (wide.xs(seed, level="seed").sort_index() for wide in (error, dense))
        budgets = np.append(0.0, errors.index.to_numpy(dtype=float))
        found[seed] = {
            kind: stats.area(budgets, 100 - np.append(starts[kind].iloc[0], errors[kind]), budgets[-1]) / budgets[-1]
            for kind in compared
        }
    return pd.DataFrame.from_dict(found, orient="index")[list(compared)].rename_axis("seed")


def alike(rows: pd.DataFrame) -> list[str]:
    """List the kinds measured at every budget with every seed, in the order of the rows."""
    budgets, seeds = rows["sparsity_asked"].nunique(), rows["seed"].nunique()
    settings = rows[["kind", "seed", "sparsity_asked"]].drop_duplicates()
    return [str(kind) for kind, own in settings.groupby("kind", sort=False) if len(own) == budgets * seeds]
