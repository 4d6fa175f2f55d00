"""The rule on what pruning gains on hardware, as worded in `claims.yml`.

It takes the rows of one subject (a net on a data set, one batch size and one number of threads; all seeds) in the table
"times". Where the data do not reach what the rule needs, it raises `NotCoveredError`, which says what is missing
and leaves the claim open.

Ratios of times are averaged over nets in logarithms, which their intervals are symmetric in: Student's t over seeds.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from prunelab import stats
from prunelab.decisions import TOLERANCE, NotCoveredError, Outcome, decide, joint, side_by_side, worst
from prunelab.stats import Interval

MASKED, SHRUNK = ("weights", "masked"), ("units", "shrunk")
SPARSE = ("csr-torch", "csr-scipy")
NO_GAIN = 0.95  # of the unpruned net's time: what masking is not to fall below


def structured_or_not(rows: pd.DataFrame) -> Outcome:
    """Hold that leaving units out makes a net faster, and masking as many single weights does not.

    With equal numbers of weights left (within 5 %), both by torch. First: at every sparsity measured, the time of the
    net physically without units, in that of the net whose removed weights are masked, lies below 1; the effect is that
    of the least favourable sparsity. Second: the time of the masked net, in that of the unpruned one of the same
    rounds, is at least 0.95, averaged over the sparsities within a seed, since a masked net computes the same at all of
    them. A part holds where the interval of the ratio over nets lies wholly on its side; the claim holds where both do.

    From which measured sparsity on stored sparse rows are faster than the unpruned net is said, and decides nothing: it
    is what masking has to become to gain.

    Args:
        rows: one net, batch size and number of threads in "times".

    Raises:
        NotCoveredError: a form lacks a sparsity or a seed, or the numbers of weights left differ.
    """
    asked = sorted({float(each) for each in rows.loc[rows["pruning"] == MASKED[0], "sparsity_asked"]})
    if not asked:
        raise NotCoveredError("no net without single weights was timed; time some, masked")
    _check_weights(rows, asked)
    masked, shrunk = (_logs(rows, kind, "milliseconds", asked) for kind in (MASKED, SHRUNK))
    faster = {
        _removed(sparsity): decide(
            _ratio(shrunk[sparsity] - masked[sparsity]), side="below", bound=1.0, unit="of the masked net's time"
        )
        for sparsity in asked
    }
    whole = _logs(rows, MASKED, "ratio", asked)
    same = decide(_ratio(whole.mean(axis=1)), side="at least", bound=NO_GAIN, unit="of the unpruned net's time")
    least, at = min((_ratio(whole[sparsity]).value, sparsity) for sparsity in asked)
    same = replace(same, reason=f"{same.reason}, the least {least:.4g} at {_removed(at)}")
    outcome = joint({"units left out": worst(faster), "weights masked": same})
    beside = "".join(f"; {_from_when(rows, form)}" for form in SPARSE if form in set(rows["form"]))
    return replace(outcome, reason=f"{outcome.reason}{beside}")


def _logs(rows: pd.DataFrame, kind: tuple[str, str], column: str, sparsities: Sequence[float]) -> pd.DataFrame:
    """Return logarithms of a column, (seeds, sparsities), every seed of the rows at every sparsity."""
    own = rows.assign(form=rows["pruning"] + " " + rows["form"])
    wide = side_by_side(own, column, settings=["data"], sides={"form": [" ".join(kind)], "sparsity_asked": sparsities})
    logs = {sparsity: np.log(wide[" ".join(kind), sparsity].to_numpy()) for sparsity in sparsities}
    return pd.DataFrame(logs, index=wide.index.get_level_values("seed"))


def _ratio(logs: "pd.Series[float]") -> Interval:
    """Return the geometric mean of ratios over seeds from their logarithms."""
    mean = stats.t_interval(logs)
    value, low, high = (float(np.exp(each)) for each in (mean.value, mean.low, mean.high))
    return replace(mean, value=value, low=low, high=high)


def _from_when(rows: pd.DataFrame, form: str) -> str:
    """Say from which measured sparsity on a sparse form is surely faster than the unpruned net."""
    own = rows[(rows["pruning"] == MASKED[0]) & (rows["form"] == form)]
    asked = sorted({float(each) for each in own["sparsity_asked"]}, reverse=True)
    logs = _logs(rows, (MASKED[0], form), "ratio", asked)
    ratios = {sparsity: _ratio(logs[sparsity]) for sparsity in asked}
    # From the sparsest on, as far as it lasts; with one seed there is no interval, and nothing is sure.
    sure = list(itertools.takewhile(lambda sparsity: ratios[sparsity].high < 1, asked))
    at = sure[-1] if sure else asked[0]
    said = f"from {_removed(at)} on" if sure else f"up to {_removed(at)}"
    shown = "is" if sure else "is not shown to be"
    return f"{form} {shown} faster than the unpruned net {said} ({ratios[at].value:.3g} of its time)"


def _removed(sparsity: float) -> str:
    return f"{100 * sparsity:.4g} % removed"


def _check_weights(rows: pd.DataFrame, sparsities: Sequence[float]) -> None:
    """Refuse to compare nets left with other numbers of weights."""
    for sparsity in sparsities:
        kept = rows.loc[(rows["sparsity_asked"] == sparsity), "kept"].astype(float)
        if kept.max() - kept.min() > TOLERANCE * kept.max():
            raise NotCoveredError(
                f"nets compared have the same number of weights left, within 5 %; got {kept.min():g} to "
                f"{kept.max():g} at {_removed(sparsity)}: prune alike"
            )
