"""The rules of the LeNet study on what pruning does, as worded in `claims.yml`, and how their parts are joined.

Each takes the rows of one subject (all seeds) in one table. Where the data do not reach what a rule needs, it raises
`curves.NotCoveredError`, which says what is missing and leaves the claim open.

A *pruned net* without further words is one pruned by one global threshold, its removed weights masked ever after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from prunelab import stats
from prunelab.decisions import Outcome, all_of, decide, describe
from prunelab.rules.curves import NotCoveredError, per_seed

LAYERS = ("fc1", "fc2", "fc3")
TOLERANCE = 0.05  # by which what should be equal between nets compared may differ, relative to the larger


def weights_centred(rows: pd.DataFrame, *, target: str) -> Outcome:
    """Hold every layer's mode before pruning to 0.1 standard deviations of 0, and the centre after it to be empty.

    Empty is a density around 0 below half of that at the peak, over the surviving weights of all layers.

    Args:
        rows: one net under one recipe in "modes".
        target: label of the budget pruned to.

    Raises:
        NotCoveredError: the dense net lacks a layer, or the net was not pruned to the target.
    """
    dense = rows[rows["mode"] == "dense"]
    if missing := [layer for layer in LAYERS if layer not in set(dense["layer"])]:
        raise NotCoveredError(f"the modes of the dense net's layers were not measured: {', '.join(missing)}")
    offsets = {layer: by_seed(dense[dense["layer"] == layer], "mode_in_sd").abs() for layer in LAYERS}
    unit = "standard deviations from 0"
    before = {
        layer: decide(stats.t_interval(offset), side="at most", bound=0.1, unit=unit)
        for layer, offset in offsets.items()
    }
    after = pruned(rows, target)
    whole = by_seed(after[after["layer"] == "all"], "centre_to_peak")
    if whole.empty:
        raise NotCoveredError(f"the net pruned to {target} has no mode over all layers; measure it")
    centre = decide(stats.t_interval(whole), side="below", bound=0.5, unit="of the density at the peak")
    return joint({"before": worst(before), "after": centre})


def more_units_same_budget(rows: pd.DataFrame, *, target: str, narrow: str, wider: Sequence[str]) -> Outcome:
    """Hold each wider start's mean accuracy above the narrow one's, with intervals that do not overlap.

    Each net's interval is Student's t over seeds; the effect is the smaller of the differences that decide, paired
    over seeds. Intervals apart in the claimed order reproduce the claim. A paired interval wholly at or below 0
    refutes it. All else leaves it open: the rule claims a difference and sets no bound below which one would count as
    none, so intervals that overlap fail to show it and show nothing against it, however many the seeds.

    Args:
        rows: all nets under one recipe in "pruned".
        target: label of the budget compared at.
        narrow: widths of the net said to be worse, "300-100".
        wider: widths of the nets said to be better.

    Raises:
        NotCoveredError: a net is missing, its seeds are others, or the steps or weights left differ.
    """
    nets = (narrow, *wider)
    compared = pruned(rows, target)
    if missing := [net for net in nets if net not in set(compared["net"])]:
        raise NotCoveredError(f"not pruned to {target}: {', '.join(missing)}; the rule compares {', '.join(nets)}")
    compared = compared[compared["net"].isin(nets)]
    _check_alike(compared)
    accuracy = {net: 100 - by_seed(compared[compared["net"] == net], "error_percent") for net in nets}
    parts = {f"{net} - {narrow}": _lead(accuracy[net], accuracy[narrow]) for net in wider}
    return joint(dict(sorted(parts.items(), key=lambda part: part[1].margin)))


def regrow_helps(rows: pd.DataFrame) -> Outcome:
    """Hold the gain in accuracy from training zeroed weights again, over masking them, above 0, paired over seeds.

    Args:
        rows: one net under one recipe, one target and one budget in "pruned".

    Raises:
        NotCoveredError: either way is missing, its seeds are others, or the steps or weights left differ.
    """
    ways = {mode: rows[rows["mode"] == mode] for mode in ("masked", "regrown")}
    if missing := [mode for mode, way in ways.items() if way.empty]:
        raise NotCoveredError(f"no {missing[0]} net at this budget; prune both ways")
    _check_alike(pd.concat(ways.values()))
    masked, regrown = (by_seed(way, "error_percent") for way in ways.values())
    _check_paired(masked, regrown)
    gain = stats.paired(masked, regrown)  # errors: masked - regrown is the accuracy gained by regrowing
    return decide(gain, side="above", bound=0.0, unit="points of accuracy")


def last_activation_idle(rows: pd.DataFrame) -> Outcome:
    """Hold the drop in accuracy without the last activation below 1 point, without the first above 10.

    Args:
        rows: one net, dense or pruned, under one recipe and treatment in "removal".

    Raises:
        NotCoveredError: the removal of either was not measured.
    """
    drops = {removed: by_seed(rows[rows["removed"] == removed], "drop_points") for removed in ("last", "first")}
    if missing := [removed for removed, drop in drops.items() if drop.empty]:
        raise NotCoveredError(f"not removed: the {' and the '.join(missing)} activation")
    last, first = (stats.t_interval(drop) for drop in drops.values())
    return joint(
        {
            "last": decide(last, side="below", bound=1.0, unit="points of accuracy lost"),
            "first": decide(first, side="above", bound=10.0, unit="points of accuracy lost"),
        }
    )


def global_starves_shallow(rows: pd.DataFrame) -> Outcome:
    """Hold the smallest growth of the kept share from a layer to the next, over all rounds, above 0.

    Args:
        rows: one net under one recipe in "layers", every round of pruning to every target.

    Raises:
        NotCoveredError: a round lacks a layer.
    """

    def growth(own: pd.DataFrame) -> float:
        kept = own.pivot_table("kept_fraction", index=["target", "round"], columns="layer").reindex(columns=LAYERS)
        if kept.isna().any(axis=None):
            target, number = kept.index[kept.isna().any(axis=1)][0]
            raise NotCoveredError(f"round {number} to {target} lacks the kept share of a layer of {', '.join(LAYERS)}")
        return 100 * float(np.diff(kept.to_numpy(dtype=float), axis=1).min())

    smallest = stats.t_interval(per_seed(rows, growth))
    return decide(smallest, side="above", bound=0.0, unit="percentage points of kept share from layer to layer")


def fewer_active_after(rows: pd.DataFrame, *, target: str) -> Outcome:
    """Hold the relative fall of the first layer's active share, from dense to pruned, to at least a third.

    Args:
        rows: one net under one recipe in "active".
        target: label of the budget pruned to.

    Raises:
        NotCoveredError: the dense or the pruned net is missing, its seeds are others, or no unit of it was active.
    """
    first = rows[rows["layer"] == LAYERS[0]]
    before = by_seed(first[first["mode"] == "dense"], "active_fraction")
    if before.empty:
        raise NotCoveredError(f"the active share of the dense net's {LAYERS[0]} was not measured")
    after = by_seed(pruned(first, target), "active_fraction")
    _check_paired(before, after)
    if (before == 0).any():
        raise NotCoveredError(f"no unit of the dense net's {LAYERS[0]} is ever active; a share of nothing cannot fall")
    fall = stats.t_interval(100 * (before - after) / before)
    return decide(fall, side="at least", bound=100 / 3, unit="percent of the dense share")


def worst(parts: Mapping[str, Outcome]) -> Outcome:
    """Decide what is claimed of every layer or width alike; effect and reason are those of the worst that decides.

    Args:
        parts: name -> outcome, all in one unit.
    """
    verdict = all_of(*(part.verdict for part in parts.values()))
    deciding = {name: part for name, part in parts.items() if part.verdict == verdict}
    name = min(deciding, key=lambda name: deciding[name].margin)
    return replace(deciding[name], reason=f"worst of {len(parts)}, {name}: {deciding[name].reason}")


def joint(parts: Mapping[str, Outcome]) -> Outcome:
    """Decide a claim of several parts; the effect quoted is that of the first part that decides."""
    verdict = all_of(*(part.verdict for part in parts.values()))
    decisive = next(part for part in parts.values() if part.verdict == verdict)
    reason = "; ".join(f"{name}: {part.reason}" for name, part in parts.items())
    for word, kind in (("fails", "not-reproduced"), ("open", "inconclusive")):
        named = ", ".join(name for name, part in parts.items() if part.verdict == kind)
        reason += f"; {word}: {named}" if named else ""
    return replace(decisive, verdict=verdict, reason=reason)


def by_seed(rows: pd.DataFrame, column: str) -> "pd.Series[float]":
    """Return one value a seed, by ascending seed."""
    return rows.set_index("seed")[column].astype(float).sort_index()


def pruned(rows: pd.DataFrame, target: str) -> pd.DataFrame:
    """Return the rows of nets pruned to a target.

    Raises:
        NotCoveredError: there are none.
    """
    chosen = rows[(rows["mode"] == "masked") & (rows["budget"] == "global") & (rows["target"] == target)]
    if chosen.empty:
        raise NotCoveredError(f"no net pruned to {target} by one global threshold, masked; prune to it")
    return chosen


def _lead(wide: "pd.Series[float]", narrow: "pd.Series[float]") -> Outcome:
    """Decide whether one net's accuracies lie above another's, by intervals that do not overlap."""
    _check_paired(wide, narrow)
    outcome = decide(stats.paired(wide, narrow), side="above", bound=0.0, unit="points of accuracy")
    if len(wide) < 2:
        return outcome
    above, below = stats.t_interval(wide), stats.t_interval(narrow)
    # Intervals apart imply a paired interval on the same side: its half-width is at most the sum of theirs.
    overlap = above.low <= below.high and below.low <= above.high
    verdict = "inconclusive" if overlap and outcome.verdict == "reproduced" else outcome.verdict
    own = f"{describe(above, '%')} against {describe(below, '%')}"
    reason = f"{outcome.reason}; {own}: intervals {'overlap' if overlap else 'apart'}, claimed apart"
    return replace(outcome, verdict=verdict, reason=reason)


def _check_paired(first: "pd.Series[float]", second: "pd.Series[float]") -> None:
    if list(first.index) != list(second.index):
        raise NotCoveredError(f"nets are paired over the same seeds; got {list(first.index)} and {list(second.index)}")


def _check_alike(rows: pd.DataFrame) -> None:
    """Refuse to compare nets trained for other numbers of steps, or left with other numbers of weights."""
    for column, what in (("steps", "training steps"), ("kept", "weights left")):
        low, high = float(rows[column].min()), float(rows[column].max())
        if high - low > TOLERANCE * high:
            raise NotCoveredError(f"nets compared have the same {what}, within 5 %; got {low:g} to {high:g}; run alike")
