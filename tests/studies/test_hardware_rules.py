"""The rule on what the hardware gains, on hand-made tables: each verdict, and why.

Logarithms of ratios vary over three seeds by -sway, 0, +sway: their standard deviation is the sway, and Student's t
with two degrees of freedom, 4.3027 at 95 %, makes the half-width of their interval 4.3027 / sqrt(3) = 2.4841 sways.
"""

import math
from typing import Any

import pytest
from pandas import DataFrame

from prunelab.decisions import NotCoveredError
from prunelab.studies.hardware.rules import structured_or_not

HALF = 2.4841  # sways
SPARSITIES = (0.5, 0.9)
# Times in those of the unpruned net, by what was removed and form.
PLAIN = {("weights", "masked"): 1.0, ("units", "shrunk"): 0.6}


def times(
    ratios: dict[tuple[str, str], float | tuple[float, ...]] | None = None,
    *,
    sway: float = 0.01,
    seeds: int = 3,
    kept: dict[str, int] | None = None,
) -> DataFrame:
    """Rows of "times": the unpruned net takes 2 ms, others the given shares of it at each sparsity."""
    rows: list[dict[str, Any]] = []
    for seed in range(seeds):
        base: dict[str, Any] = {"data": "mnist", "model": "lenet", "seed": seed, "batch": 1, "threads": 1}
        unpruned = {"pruning": "none", "sparsity_asked": 0.0, "form": "dense", "kept": 1000}
        rows.append({**base, **unpruned, "milliseconds": 2.0, "ratio": 1.0})
        for (pruning, form), share in (ratios or PLAIN).items():
            for place, sparsity in enumerate(SPARSITIES):
                own = share[place] if isinstance(share, tuple) else share
                ratio = own * math.exp(sway * (seed - 1))
                left = (kept or {}).get(pruning, round(1000 * (1 - sparsity)))
                named = {"pruning": pruning, "sparsity_asked": sparsity, "form": form, "kept": left}
                rows.append({**base, **named, "milliseconds": 2.0 * ratio, "ratio": ratio})
    return DataFrame(rows)


def test_faster_when_shrunk_and_no_faster_when_masked_reproduces_the_claim() -> None:
    outcome = structured_or_not(times())

    assert outcome.verdict == "reproduced"
    # Both forms sway alike from seed to seed, so that their ratio does not.
    assert (outcome.effect.value, outcome.effect.n) == (pytest.approx(0.6), 3)
    assert (outcome.effect.low, outcome.effect.high) == (pytest.approx(0.6), pytest.approx(0.6))
    assert outcome.margin == pytest.approx(0.4)
    assert "units left out: worst of 2" in outcome.reason
    assert "weights masked: 1 of the unpruned net's time" in outcome.reason


def test_the_effect_is_that_of_the_sparsity_at_which_units_gain_least() -> None:
    outcome = structured_or_not(times({**PLAIN, ("units", "shrunk"): (0.9, 0.3)}))

    assert outcome.effect.value == pytest.approx(0.9)
    assert "50 % removed" in outcome.reason


def test_a_masked_net_that_is_faster_refutes_the_claim() -> None:
    outcome = structured_or_not(times({**PLAIN, ("weights", "masked"): 0.9}))

    assert outcome.verdict == "not-reproduced"
    assert outcome.effect.value == pytest.approx(0.9)
    # The interval is symmetric in logarithms.
    assert outcome.effect.low == pytest.approx(0.9 * math.exp(-HALF * 0.01), rel=1e-4)
    assert outcome.effect.high == pytest.approx(0.9 * math.exp(HALF * 0.01), rel=1e-4)
    assert "fails: weights masked" in outcome.reason


def test_a_masked_net_is_looked_at_over_all_sparsities_and_the_fastest_is_named() -> None:
    outcome = structured_or_not(times({**PLAIN, ("weights", "masked"): (0.94, 1.06)}))

    assert outcome.verdict == "reproduced"
    assert "the least 0.94 at 50 % removed" in outcome.reason


def test_masking_may_be_as_good_as_the_bound_but_its_interval_not_across_it() -> None:
    held = 0.95 * math.exp(HALF * 0.01)

    assert structured_or_not(times({**PLAIN, ("weights", "masked"): held * 1.001})).verdict == "reproduced"
    assert structured_or_not(times({**PLAIN, ("weights", "masked"): held * 0.999})).verdict == "inconclusive"


def test_a_shrunk_net_that_is_slower_at_one_sparsity_refutes_the_claim() -> None:
    outcome = structured_or_not(times({**PLAIN, ("units", "shrunk"): (1.2, 0.3)}))

    assert outcome.verdict == "not-reproduced"
    assert outcome.effect.value == pytest.approx(1.2)
    assert "fails: units left out" in outcome.reason


def test_times_that_scatter_across_the_bound_leave_the_claim_open() -> None:
    rows = times({**PLAIN, ("units", "shrunk"): 0.97})
    shrunk = rows["form"] == "shrunk"
    rows.loc[shrunk, "milliseconds"] *= rows.loc[shrunk, "seed"].map({0: 0.9, 1: 1.0, 2: 1.1})

    assert structured_or_not(rows).verdict == "inconclusive"


def test_one_net_leaves_the_claim_open() -> None:
    outcome = structured_or_not(times(seeds=1))

    assert outcome.verdict == "inconclusive"
    assert "an interval needs at least two seeds" in outcome.reason


def test_sparse_rows_are_said_to_be_faster_from_where_they_surely_stay_so_and_decide_nothing() -> None:
    outcome = structured_or_not(times({**PLAIN, ("weights", "csr-torch"): (1.3, 0.7), ("weights", "csr-scipy"): 1.4}))

    assert outcome.verdict == "reproduced"
    assert "csr-torch is faster than the unpruned net from 90 % removed on (0.7 of its time)" in outcome.reason
    assert "csr-scipy is not shown to be faster than the unpruned net up to 90 % removed (1.4 of its" in outcome.reason
    assert "csr" not in structured_or_not(times()).reason


def test_sparse_rows_that_are_faster_only_at_first_are_not_called_faster() -> None:
    outcome = structured_or_not(times({**PLAIN, ("weights", "csr-torch"): (0.5, 1.2)}))

    assert "csr-torch is not shown to be faster" in outcome.reason


def test_with_one_net_nothing_is_shown_of_sparse_rows() -> None:
    assert "is not shown" in structured_or_not(times({**PLAIN, ("weights", "csr-torch"): 0.1}, seeds=1)).reason


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (times({("units", "shrunk"): 0.5}), "no net without single weights was timed"),
        (times({("weights", "masked"): 1.0}), "nothing was measured with form units shrunk"),
        (times(kept={"weights": 500, "units": 470}), "within 5 %; got 470 to 500 at 50 % removed"),
        (times().query("seed != 1 or form != 'shrunk' or sparsity_asked != 0.9"), "seed 1, form units shrunk, .* 0.9"),
        (times().query("seed != 2 or form != 'masked'"), "seed 2, form weights masked"),
    ],
)
def test_data_that_do_not_cover_the_rule_are_said_to_be_missing(rows: DataFrame, message: str) -> None:
    with pytest.raises(NotCoveredError, match=message):
        structured_or_not(rows)


def test_weights_that_differ_by_less_are_as_many() -> None:
    assert structured_or_not(times(kept={"weights": 500, "units": 480})).verdict == "reproduced"
