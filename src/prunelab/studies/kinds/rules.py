"""The rule on the kinds of pruning function, as worded in `claims.yml`."""

from dataclasses import replace

from pandas import DataFrame

from prunelab import stats
from prunelab.decisions import Outcome, decide, describe, every
from prunelab.studies.kinds.ranking import RANDOM, alike, areas

# What the source lists: threshold, L1, L2 and gradient-based pruning, the last by the gradient itself.
CLAIMED = ("magnitude", "l1", "l2", "gradient")
BESIDE = ("gradient-abs", "saliency", "saliency-abs")  # other readings of gradient-based; they decide nothing
UNIT = "points of accuracy, averaged over sparsity"


def kinds(rows: DataFrame) -> Outcome:
    """Hold each listed kind's area under accuracy against sparsity above that of random removal.

    Paired over seeds; the effect is the least favourable kind's. A penalised net is compared as it is, with what the
    penalty cost it before anything was pruned.

    Args:
        rows: one net, scope and way (one-shot or retrained) in "kinds".

    Raises:
        NotCoveredError: a listed kind or random lacks a budget or a seed.
    """
    needed = (*CLAIMED, RANDOM)
    areas(rows, needed)  # refuses what is missing of these; others that lack something are left out
    budgets = rows.loc[rows["kind"].isin(needed), "sparsity_asked"]
    rows = rows[rows["sparsity_asked"].isin(budgets)]
    found = areas(rows, alike(rows))
    gains = {kind: stats.paired(found[kind], found[RANDOM]) for kind in (*CLAIMED, *BESIDE) if kind in found}
    outcome = every({kind: decide(gains[kind], side="above", bound=0.0, unit=UNIT) for kind in CLAIMED})
    means = found.mean().sort_values(ascending=False, kind="stable")
    ranking = ", ".join(f"{kind} {mean:.4g}" for kind, mean in means.items())
    beside = "".join(
        f"; beside them {kind} - {RANDOM}: {describe(gain, UNIT) if gain.n > 1 else f'{gain.value:.4g} {UNIT}'}"
        for kind, gain in gains.items()
        if kind in BESIDE
    )
    return replace(outcome, reason=f"{outcome.reason}{beside}; mean accuracy (%) by kind: {ranking}")
