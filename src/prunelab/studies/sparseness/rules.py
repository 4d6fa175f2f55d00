"""The rules that decide the claims of the connection-sparseness study, as worded in `claims.yml`.

Each takes the rows of one subject (one model on one data set, all seeds) and returns an `Outcome`. Where the data do
not reach what a rule needs, the outcome is inconclusive and says what is missing.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from pandas import DataFrame

from prunelab import claims, decisions, stats
from prunelab.claims import Columns, Rule
from prunelab.decisions import Decision, Outcome, all_of, decide, describe
from prunelab.studies.common.curves import KNEE, abs_wins, at_scale, curve, largest_increase, mean_gap, negative_lead

STUDY = "sparseness"

_MEASURED = ("sparsity", "error_percent", "baseline_error_percent")
_COLUMNS = {
    "threshold-sweep": Columns(key=("data", "model", "seed", "method", "threshold"), measured=_MEASURED),
    "layer-sensitivity": Columns(key=("data", "model", "seed", "layer", "threshold"), measured=_MEASURED),
    "percentile": Columns(key=("data", "model", "seed", "method"), measured=_MEASURED),
}


def verdicts(
    tables: Mapping[str, DataFrame],
    *,
    where: Mapping[str, str],
    study: str = STUDY,
    threshold_scale: float | None = None,
    known: Sequence[claims.Claim] | None = None,
) -> list[claims.Verdict]:
    """Decide every claim whose table is given, subject by subject.

    Args:
        tables: table name ("threshold-sweep", "layer-sensitivity", "percentile") -> its rows.
        where: the same names -> the path verdicts point to.
        study: the name under which they are decided: the source's own study, or a transfer of its claims.
        threshold_scale: root mean square weights; layers are compared at each model's nearest threshold. May be absent
            where they were pruned at one.
        known: the claims; those published when absent.
    """

    def read(name: str, table: DataFrame) -> DataFrame:
        rows = claims.checked(name, table, _COLUMNS)
        if name == "layer-sensitivity" and threshold_scale is not None:
            return at_scale(rows, threshold_scale)
        return rows

    return claims.decide(study, _RULES, tables, where=where, read=read, sort=False, known=known)


def abs_free_lunch(table: DataFrame) -> Outcome:
    """Hold the largest error increase at 33 to 37 % sparsity under abs pruning to at most 1 point."""
    increases = decisions.per_seed(table, lambda rows: largest_increase(rows, 33, 37))
    return decide(stats.t_interval(increases), side="at most", bound=1.0, unit="points of error")


def abs_knee(table: DataFrame) -> Outcome:
    """Hold the sparsity from baseline + 3 to baseline + 50 points under abs pruning to at most 15 points."""
    nets = decisions.per_seed(table, lambda rows: curve(rows, "abs"))
    widths = [net.needed_rise(50) - net.needed_rise(3) for net in nets]
    return decide(stats.t_interval(widths), side="at most", bound=15.0, unit="points of sparsity")


def one_sign_knee(table: DataFrame, *, sign: str) -> Outcome:
    """Hold the knee of one-sign pruning to at most half the knee of abs pruning.

    A one-sign curve that never reaches its knee is censored: its largest sparsity stands in as a lower bound, which
    can refute the claim and never support it.

    Args:
        table: rows of one subject in "threshold-sweep".
        sign: "positive" or "negative".
    """
    nets = decisions.per_seed(table, lambda rows: (curve(rows, sign), curve(rows, "abs")))
    knees = np.array([one.rise(KNEE) for one, _ in nets])
    censored = np.isnan(knees)
    reached = np.where(censored, [one.sparsity[-1] for one, _ in nets], knees)
    ratios = reached / np.array([both.needed_rise(KNEE) for _, both in nets])
    outcome = decide(stats.t_interval(ratios), side="at most", bound=0.5, unit="of the abs knee")
    if not censored.any():
        return outcome
    verdict: Decision = "not-reproduced" if outcome.verdict == "not-reproduced" else "inconclusive"
    note = (
        f"a lower bound, for {sign} pruning never reaches its knee in {int(censored.sum())} of {len(knees)} seeds "
        "and its largest sparsity stands in"
    )
    return replace(outcome, verdict=verdict, reason=f"{outcome.reason}; {note}")


def negative_beats_positive(table: DataFrame) -> Outcome:
    """Test whether negative-only pruning errs less and prunes more than positive-only while the error rises.

    Paired over the thresholds where either error lies between baseline + 1 and baseline + 60 points; one-sided sign
    tests over the seeds' mean differences. The effect is the mean error difference, negative − positive.
    """
    leads = np.array(decisions.per_seed(table, negative_lead))  # (seeds, 2): of error, of sparsity
    effect, gain = stats.t_interval(leads[:, 0]), float(leads[:, 1].mean())
    needed, unit = stats.sign_test_minimum(), "points of error"
    if len(leads) < needed:
        verdict: Decision = "inconclusive"
        reason = (
            f"{effect.value:.4g} {unit} and {gain:.4g} points of sparsity, negative - positive; "
            f"a sign test needs {needed} seeds to decide, here are {len(leads)}"
        )
    else:
        favours = {"error": -leads[:, 0], "sparsity": leads[:, 1]}
        parts = [_sign_decision(differences) for differences in favours.values()]
        verdict = all_of(*parts)
        ps = ", ".join(f"p = {stats.sign_test(differences):.2g} by {name}" for name, differences in favours.items())
        reason = f"{describe(effect, unit)} and {gain:.4g} points of sparsity, negative - positive; sign test {ps}"
    return Outcome(verdict=verdict, effect=effect, unit=unit, margin=-effect.value, reason=reason)


def both_signs_beat_one(table: DataFrame) -> Outcome:
    """Hold abs pruning to the lower error wherever one-sign pruning at the same threshold costs over 5 points.

    The effect is the share of the cases where that is so; the rule wants all of them, in every seed.
    """
    shares = decisions.per_seed(table, abs_wins)
    return decide(stats.t_interval(shares), side="at least", bound=1.0, unit="of the cases")


def layers_differ(table: DataFrame) -> Outcome:
    """Hold Kendall's tau of the layers' errors and sparsities below 0.5 and the errors' spread to 2 points or more.

    Raises:
        ValueError: the table has several thresholds.
    """
    at, *others = sorted(float(value) for value in table["threshold"].unique())
    if others:
        raise ValueError(f"layers are compared at one threshold; the table has {[at, *others]}; give one of them")
    spreads = decisions.per_seed(table, lambda net: float(np.ptp(net["error_percent"].to_numpy(dtype=float))))
    spread = decide(stats.t_interval(spreads), side="at least", bound=2.0, unit="points of error")
    taus = decisions.per_seed(table, lambda net: stats.kendall_tau(net["error_percent"], net["sparsity"]))
    if np.isnan(taus).any():
        note = "no order to compare: in some seed all layers have one error or one sparsity"
        verdict = all_of(spread.verdict, "inconclusive")
        return replace(spread, verdict=verdict, reason=f"spread {spread.reason}; {note}; threshold {at:g}")
    order = decide(stats.t_interval(taus), side="below", bound=0.5, unit="Kendall tau")
    verdict = all_of(order.verdict, spread.verdict)
    decisive = order if order.verdict == verdict else spread  # the effect quoted is that of the part that decides
    return replace(decisive, verdict=verdict, reason=f"{order.reason}; spread {spread.reason}; threshold {at:g}")


def global_beats_percentile(table: DataFrame) -> Outcome:
    """Hold the knee of one global threshold above that of percentile pruning, and its mean error below.

    The mean error is the area under error against sparsity over the range both cover, divided by that range.
    """
    nets = decisions.per_seed(table, lambda rows: (curve(rows, "abs"), curve(rows, "percentile")))
    leads = [whole.needed_rise(KNEE) - layered.needed_rise(KNEE) for whole, layered in nets]
    gaps = [mean_gap(whole, layered) for whole, layered in nets]
    knee = decide(stats.t_interval(leads), side="above", bound=0.0, unit="points of sparsity")
    cost = decide(stats.t_interval(gaps), side="below", bound=0.0, unit="points of error")
    verdict = all_of(knee.verdict, cost.verdict)
    return replace(knee, verdict=verdict, reason=f"knee {knee.reason}; mean error {cost.reason}; global - percentile")


_RULES = {
    "abs-free-lunch": Rule(table="threshold-sweep", decide=abs_free_lunch),
    "abs-knee": Rule(table="threshold-sweep", decide=abs_knee),
    "positive-knee": Rule(table="threshold-sweep", decide=functools.partial(one_sign_knee, sign="positive")),
    "negative-knee": Rule(table="threshold-sweep", decide=functools.partial(one_sign_knee, sign="negative")),
    "negative-beats-positive": Rule(table="threshold-sweep", decide=negative_beats_positive),
    "both-signs-beat-one": Rule(table="threshold-sweep", decide=both_signs_beat_one),
    "layers-differ": Rule(table="layer-sensitivity", decide=layers_differ),
    "global-beats-percentile": Rule(table="percentile", decide=global_beats_percentile),
}


def _sign_decision(differences: stats.Array) -> Decision:
    """Decide by the sign test whether differences tend to be positive, negative, or neither."""
    if stats.sign_test(differences) < stats.SIGNIFICANCE:
        return "reproduced"
    return "not-reproduced" if stats.sign_test(-differences) < stats.SIGNIFICANCE else "inconclusive"
