"""How the rules on units compare like with like: every setting measured on both sides, with every seed."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from prunelab.decisions import Outcome
from prunelab.rules import lenet_pruned
from prunelab.rules.curves import NotCoveredError

WAYS = ("none", "mean")  # what stands in for a removed unit: nothing, or its mean activation
RANDOM = "random"
# What tables list among the scores and is none: the measured loss change itself, and nets that nothing is removed from.
_NO_SCORES = ("exact", "nothing")


def scores(rows: pd.DataFrame) -> list[str]:
    """Return the scoring functions in a table, in alphabetical order.

    Raises:
        NotCoveredError: there is none.
    """
    found = sorted(set(rows["score"]) - set(_NO_SCORES))
    if not found:
        raise NotCoveredError(f"no scoring function was measured, only {', '.join(sorted(set(rows['score'])))}")
    return found


def side_by_side(
    rows: pd.DataFrame, column: str, *, settings: Sequence[str], sides: Mapping[str, Sequence[object]]
) -> pd.DataFrame:
    """Lay out what was measured, the sides that are compared next to each other.

    Args:
        rows: one subject, all seeds; one row for each setting, seed and side.
        column: what was measured.
        settings: columns that say at which setting.
        sides: column -> its values that are compared; rows with others are left out.

    Returns:
        Shape (settings × seeds, sides): the settings that occur, sorted, each with every seed of `rows`; the columns
        are labelled by `sides`, in their order. Every cell is filled.

    Raises:
        NotCoveredError: a setting lacks a side or a seed; or no row is of these sides.
    """
    compared = {name: list(values) for name, values in sides.items()}
    chosen = rows[rows[list(sides)].isin(compared).all(axis=1)]
    if chosen.empty:
        named = " and ".join(f"{name} {', '.join(map(str, values))}" for name, values in sides.items())
        raise NotCoveredError(f"nothing was measured with {named}; the rule compares these")
    places, seeds = chosen[list(settings)].drop_duplicates(), sorted(rows["seed"].unique())
    every_place = sorted((*place, seed) for place in places.itertuples(index=False, name=None) for seed in seeds)
    every_side = list(itertools.product(*compared.values()))
    # What is missing becomes an empty cell.
    wide = chosen.pivot_table(column, index=[*settings, "seed"], columns=list(sides)).reindex(
        index=pd.MultiIndex.from_tuples(every_place, names=[*settings, "seed"]),
        columns=pd.MultiIndex.from_tuples(every_side) if len(sides) > 1 else [side for (side,) in every_side],
    )
    empty = np.argwhere(wide.isna().to_numpy())
    if len(empty):
        values = (*every_place[empty[0, 0]], *every_side[empty[0, 1]])
        labels = zip((*settings, "seed", *sides), values, strict=True)
        named = ", ".join(f"{name} {value}" for name, value in labels)
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise NotCoveredError(f"what is compared is measured alike, seed by seed; no {column} for {named}{more}")
    return wide


def every(parts: Mapping[str, Outcome]) -> Outcome:
    """Decide what is claimed of every score alike: the effect is that of the least favourable one that decides.

    Args:
        parts: score -> outcome, all in one unit and measured.

    Returns:
        The outcome; its reason names the scores for which the claim fails or stays open.
    """
    outcome = lenet_pruned.worst(parts)
    reason = outcome.reason
    for word, kind in (("fails", "not-reproduced"), ("open", "inconclusive")):
        named = ", ".join(name for name, part in parts.items() if part.verdict == kind)
        reason += f"; {word}: {named}" if named else ""
    return replace(outcome, reason=reason)
