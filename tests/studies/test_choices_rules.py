"""The rule on choosing a threshold, on hand-made rows: every way it can come out, and why."""

import math
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from prunelab.decisions import NotCoveredError
from prunelab.studies.choices.rules import threshold_choice


def searches(count: int, *, kind: str = "max_parameters", seeds: int = 5, **cells: Any) -> pd.DataFrame:
    """Rows of so many searches that found 90 parameters left where at most 100 may be, and 110 a level before."""
    usual = {
        "data": "digits",
        "model": "tiny",
        "kind": kind,
        "decided_by": "count",
        "bound": kind,
        "confidence": math.nan,
        "limit": 100.0,
        "found": True,
        "again": 90.0,
        "beside": 110.0,
    }
    rows = [{**usual, "seed": n % seeds, "family": "global", "asked": str(n)} for n in range(count)]
    return pd.DataFrame(rows).assign(**cells)


def drops(count: int, failing: int = 0, **cells: Any) -> pd.DataFrame:
    """Rows of so many searches for a drop of at most 1 point, of which some exceed it on test examples."""
    own = searches(count, kind="max_drop", decided_by="upper bound", confidence=0.95, limit=1.0, beside=1.2)
    return own.assign(again=[1.5] * failing + [0.4] * (count - failing)).assign(**cells)


# --- counts ---


def test_counts_that_hold_in_every_search_and_fail_a_level_beside_are_reproduced() -> None:
    outcome = threshold_choice(searches(10))

    assert outcome.verdict == "reproduced"
    assert outcome.effect.value == 100
    assert outcome.effect.n == 5
    assert outcome.margin == 0
    assert outcome.reason == (
        "10 of 10 searches that found a pruning held when measured again (5 seeds); 10 of 10 bounds fail at the level "
        "beside"
    )


@pytest.mark.parametrize("column", ["again", "beside"])
def test_one_search_that_misses_its_count_or_stops_short_of_it_refutes(column: str) -> None:
    rows = searches(10)
    rows.loc[3, column] = {"again": 101.0, "beside": 100.0}[column]
    outcome = threshold_choice(rows)

    assert outcome.verdict == "not-reproduced"
    assert ("counts over their limits: 1" in outcome.reason) == (column == "again")
    assert ("9 of 10 bounds fail at the level beside" in outcome.reason) == (column == "beside")


def test_a_share_pruned_at_least_is_held_from_the_other_side() -> None:
    rows = searches(4, kind="min_pruned", limit=0.8, again=0.8, beside=0.79)

    assert threshold_choice(rows).verdict == "reproduced"
    assert threshold_choice(rows.assign(again=0.79)).verdict == "not-reproduced"
    assert threshold_choice(rows.assign(beside=0.81)).verdict == "not-reproduced"


def test_a_bound_that_no_level_exceeds_has_none_beside_it() -> None:
    outcome = threshold_choice(searches(4, beside=math.nan))

    assert outcome.verdict == "reproduced"
    assert "beside" not in outcome.reason


def test_what_was_noted_as_held_does_not_count_but_what_was_measured() -> None:
    assert threshold_choice(searches(4, again=120.0).assign(held="yes")).verdict == "not-reproduced"


# --- what is known up to chance ---


def exact(held: int, n: int) -> tuple[float, float]:
    interval = stats.binomtest(held, n).proportion_ci(0.95, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


@pytest.mark.parametrize(
    ("count", "failing", "verdict"),
    [
        (20, 0, "reproduced"),  # interval from 83 %
        (20, 1, "reproduced"),  # 95 %, from 75 %
        (20, 2, "inconclusive"),  # 90 %, from 68 to 99 %
        (20, 6, "not-reproduced"),  # 70 %, up to 88 %
        (5, 0, "inconclusive"),  # all, but from 48 %
        (6, 0, "reproduced"),  # all, from 54 %
    ],
)
def test_a_drop_holds_as_often_as_its_confidence_as_far_as_the_searches_can_tell(
    count: int, failing: int, verdict: str
) -> None:
    outcome = threshold_choice(drops(count, failing))

    assert outcome.verdict == verdict
    assert outcome.effect.value == pytest.approx(100 * (count - failing) / count)
    assert (outcome.effect.low, outcome.effect.high) == pytest.approx(exact(count - failing, count))
    assert outcome.margin == pytest.approx(outcome.effect.value - 95)
    assert "claimed at least 95 %" in outcome.reason


def test_searches_decided_by_the_value_alone_do_not_count() -> None:
    by_value = drops(30, 15, decided_by="value")

    assert threshold_choice(pd.concat([drops(20), by_value])).effect.value == 100
    with pytest.raises(NotCoveredError, match="none of 0 searches"):
        threshold_choice(by_value)


def test_a_latency_is_known_up_to_chance_too() -> None:
    rows = drops(20, 1).assign(bound="max_latency_ms", kind="max_latency_ms")

    assert threshold_choice(rows).verdict == "reproduced"


# --- several at once ---


def several(drop: float = 0.4, parameters: float = 90.0, count: int = 10) -> pd.DataFrame:
    counts = searches(count, kind="several", bound="max_parameters", decided_by="upper bound", again=parameters)
    chance = drops(count, kind="several", again=drop)
    return pd.concat([chance, counts.assign(beside=math.nan)], ignore_index=True)


def test_of_several_bounds_a_search_holds_all_or_none() -> None:
    assert threshold_choice(several()).verdict == "reproduced"
    assert threshold_choice(several()).effect.value == 100
    assert threshold_choice(several(drop=1.5)).effect.value == 0
    assert threshold_choice(several(drop=1.5)).verdict == "not-reproduced"


def test_of_several_bounds_one_count_that_is_not_met_refutes_though_the_drops_hold() -> None:
    rows = several(count=40)
    rows.loc[(rows["bound"] == "max_parameters") & (rows["asked"] == "7"), "again"] = 101.0
    outcome = threshold_choice(rows)

    assert outcome.verdict == "not-reproduced"
    assert "39 of 40" in outcome.reason
    assert "counts over their limits: 1" in outcome.reason


# --- what the data do not reach ---


def test_searches_that_found_nothing_are_counted_and_decide_nothing() -> None:
    missed = searches(3, found=False, again=math.nan, beside=math.nan).assign(family="units")
    outcome = threshold_choice(pd.concat([searches(10), missed], ignore_index=True))

    assert outcome.verdict == "reproduced"
    assert outcome.reason.endswith("3 more searches found none and say why")
    with pytest.raises(NotCoveredError, match="none of 3 searches found a pruning that meets its bounds; loosen them"):
        threshold_choice(missed)


@pytest.mark.parametrize("rows", [searches(8, seeds=1), drops(8, seed=0)], ids=["counts", "drops"])
def test_one_net_is_not_enough(rows: pd.DataFrame) -> None:
    outcome = threshold_choice(rows)

    assert outcome.verdict == "inconclusive"
    assert "needs at least two seeds" in outcome.reason
