"""The rules on what pruning does to outputs, on hand-made tables: each verdict, and why."""

import math

import numpy as np
import pandas as pd
import pytest

from prunelab import claims, decisions
from prunelab.studies.outputs import rules

THRESHOLDS = (0.1, 0.2, 0.3)
ERRORS = {0.1: 11.0, 0.2: 25.0, 0.3: 80.0}  # under abs; the knee, baseline 10 % + 20 points, lies beyond 0.2
# The source's account: abs neither shifts nor spreads, one sign shifts each layer more, saturates, reorders.
SHIFTS = {"abs": (0.0, 0.0, 0.0), "positive": (-0.5, -1.0, -2.0), "negative": (0.5, 1.0, 2.0)}
ENDS = {"abs": 0.1, "positive": 0.8, "negative": 0.9}
ORDER = {"abs": (0.9, 0.8), "positive": (0.1, 0.05), "negative": (0.2, 0.05)}


def layers(
    *,
    shifts=None,
    final=0.1,
    spread=0.9,
    ends=None,
    seeds=(0, 1, 2),
    model="acoustic-3x8-tanh",
    thresholds=THRESHOLDS,
    jitter=0.0,
):
    """Three hidden layers and the output, the same at every threshold."""
    shifts, ends = {**SHIFTS, **(shifts or {})}, {**ENDS, **(ends or {})}
    return pd.DataFrame(
        [
            {
                "data": "spoken",
                "model": model,
                "seed": seed,
                "method": method,
                "threshold": threshold,
                "layer": f"affine{depth}" if depth < 4 else "final-affine",
                "depth": depth,
                "mean_shift": (*shifts[method], final)[depth - 1] + jitter * number,
                "spread": spread,
                "saturated": math.nan if depth == 4 else ends[method],
                "fixed": math.nan if depth == 4 else ends[method] / 2,
            }
            for number, seed in enumerate(seeds)
            for method in shifts
            for threshold in thresholds
            for depth in (1, 2, 3, 4)
        ]
    )


def posteriors(
    *, order=None, errors=None, seeds=(0, 1, 2), model="acoustic-3x8-tanh", thresholds=THRESHOLDS, jitter=0.0
):
    order, errors = {**ORDER, **(order or {})}, errors or ERRORS
    return pd.DataFrame(
        [
            {
                "data": "spoken",
                "model": model,
                "seed": seed,
                "method": method,
                "threshold": threshold,
                "rank_correlation": order[method][0] + jitter * number,
                "top1_agreement": order[method][1],
                "error_percent": errors[threshold] if method == "abs" else 99.0,
                "baseline_error_percent": 10.0,
            }
            for number, seed in enumerate(seeds)
            for method in order
            for threshold in thresholds
        ]
    )


def verdicts(tables, **options):
    where = {name: f"run/tables/{name}.csv" for name in ("layers", "posteriors")}
    return rules.verdicts(tables, where=where, **options)


def both(left=None, right=None):
    return rules.joined(
        {"layers": layers() if left is None else left, "posteriors": posteriors() if right is None else right}
    )


def test_the_sources_account_reproduces_every_claim() -> None:
    decided = verdicts({"layers": layers(), "posteriors": posteriors()})

    assert [verdict.id for verdict in decided] == [claim.id for claim in claims.load() if claim.study == "outputs"]
    assert {verdict.verdict for verdict in decided} == {"reproduced"}
    assert {verdict.case for verdict in decided} == {"acoustic-3x8-tanh on spoken"}
    assert {verdict.id: verdict.table for verdict in decided} == {
        "abs-concentrates": "run/tables/layers.csv",
        "one-sign-shifts": "run/tables/layers.csv",
        "saturation": "run/tables/layers.csv",
        "order-destroyed": "run/tables/posteriors.csv",
        "every-activation": "run/tables/layers.csv",
    }


def test_one_seed_decides_nothing() -> None:
    decided = verdicts({"layers": layers(seeds=[0]), "posteriors": posteriors(seeds=[0])})

    assert {verdict.verdict for verdict in decided} == {"inconclusive"}


def test_the_reference_threshold_is_the_largest_short_of_the_abs_knee() -> None:
    rows = both()
    assert rules.reference_threshold(rows[rows["seed"] == 0]) == 0.2
    # An error of exactly baseline + 20 is not beyond it, and what comes after the knee is not short of it again.
    for errors, expected in (({0.1: 11.0, 0.2: 30.0, 0.3: 30.1}, 0.2), ({0.1: 11.0, 0.2: 31.0, 0.3: 12.0}, 0.1)):
        rows = both(right=posteriors(errors=errors))
        assert rules.reference_threshold(rows[rows["seed"] == 0]) == expected


@pytest.mark.parametrize(
    ("errors", "thresholds", "message"),
    [
        ({0.1: 11.0, 0.2: 12.0, 0.3: 30.0}, THRESHOLDS, "seed 0: .*never exceeds baseline \\+ 20 points"),
        ({0.1: 40.0, 0.2: 50.0, 0.3: 60.0}, THRESHOLDS, "short of the abs knee; measure lower"),
        ({0.0: 10.0, 0.2: 50.0, 0.3: 60.0}, (0.0, 0.2, 0.3), "short of the abs knee; measure lower"),
    ],
)
def test_without_the_knee_in_range_every_claim_stays_open_and_says_so(errors, thresholds, message) -> None:
    tables = {
        "layers": layers(thresholds=thresholds),
        "posteriors": posteriors(errors=errors, thresholds=thresholds),
    }
    *four, last = verdicts(tables)

    assert {verdict.verdict for verdict in (*four, last)} == {"inconclusive"}
    for verdict in four:
        assert pd.Series([verdict.reason]).str.contains(message).all()
        assert verdict.effect is None
    assert (last.effect, "saturation is inconclusive" in last.reason) == (0, True)


@pytest.mark.parametrize(
    ("final", "spread", "verdict", "effect"),
    [
        (0.24, 0.99, "reproduced", 0.24),
        (-0.24, 0.99, "reproduced", 0.24),
        (0.3, 0.9, "not-reproduced", 0.3),
        (-0.25, 0.9, "not-reproduced", 0.25),
        (0.1, 1.0, "not-reproduced", 1.0),  # the effect quoted is that of the part that decides
    ],
)
def test_abs_must_neither_shift_the_output_layer_nor_widen_it(final, spread, verdict, effect) -> None:
    decided = rules.abs_concentrates(both(layers(final=final, spread=spread)))

    assert (decided.verdict, decided.effect.value) == (verdict, pytest.approx(effect))
    assert ("fails" in decided.reason) == (verdict != "reproduced")


def test_abs_is_judged_at_every_threshold_short_of_the_knee_and_at_none_beyond() -> None:
    rows = layers()
    output = (rows["layer"] == "final-affine") & (rows["method"] == "abs")
    beyond, short = rows.copy(), rows.copy()
    beyond.loc[output & (rows["threshold"] == 0.3), "mean_shift"] = 5.0
    short.loc[output & (rows["threshold"] == 0.1), "mean_shift"] = -5.0

    assert rules.abs_concentrates(both(beyond)).verdict == "reproduced"
    assert rules.abs_concentrates(both(short)).effect.value == pytest.approx(5.0)


def test_seeds_that_disagree_leave_abs_open() -> None:
    assert rules.abs_concentrates(both(layers(final=0.15, jitter=0.1))).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("shifts", "verdict", "fails"),
    [
        ({}, "reproduced", None),
        ({"positive": (-0.5, 0.1, -2.0)}, "not-reproduced", "direction of positive, growth of positive"),
        ({"negative": (0.0, 1.0, 2.0)}, "not-reproduced", "direction of negative"),  # no shift is none upwards
        ({"positive": (-2.0, -1.0, -0.5)}, "not-reproduced", "growth of positive"),
        ({"positive": (-1.0, -1.0, -1.0)}, "not-reproduced", "growth of positive"),  # all alike do not grow
        # Magnitudes 0.5, 2, 1 rank 1, 3, 2: Spearman 1 - 6 * 2 / (3 * 8) = 0.5
        ({"negative": (0.5, 2.0, 1.0)}, "not-reproduced", "growth of negative"),
    ],
)
def test_one_sign_must_shift_every_hidden_layer_its_way_and_deeper_ones_more(shifts, verdict, fails) -> None:
    decided = rules.one_sign_shifts(both(layers(shifts=shifts, final=-9.0)))

    assert decided.verdict == verdict
    assert (f"; fails: {fails}; smallest" in decided.reason) == (fails is not None)


def test_the_output_layer_is_no_hidden_layer() -> None:
    # -9 at the output, the wrong way for negative: it does not count.
    assert rules.one_sign_shifts(both(layers(final=-9.0))).verdict == "reproduced"


def test_shifts_that_some_seeds_lack_are_open_and_named() -> None:
    decided = rules.one_sign_shifts(both(layers(shifts={"negative": (0.05, 1.0, 2.0)}, jitter=-0.05)))

    assert decided.verdict == "inconclusive"
    assert decided.reason.endswith(
        "; open: direction of negative; smallest shift: affine1 under positive, affine1 under negative"
    )
    assert decided.effect.value == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("ends", "ratio", "verdict"),
    [
        ({}, 8.0, "reproduced"),
        ({"positive": 0.2, "negative": 0.2}, 2.0, "reproduced"),  # at least twice
        ({"negative": 0.15}, 1.5, "not-reproduced"),
        ({"positive": 0.15}, 1.5, "not-reproduced"),
        ({"abs": 0.5}, 1.6, "not-reproduced"),
    ],
)
def test_saturation_must_be_twice_that_of_abs_under_either_sign(ends, ratio, verdict) -> None:
    decided = rules.saturation(both(layers(ends=ends)))

    assert (decided.verdict, decided.effect.value) == (verdict, pytest.approx(ratio))


def test_relu_units_count_when_they_are_fixed() -> None:
    rows, frames = layers(model="acoustic-3x8-relu"), posteriors(model="acoustic-3x8-relu")
    halved = rows.assign(fixed=rows["fixed"].where(rows["method"] == "abs", rows["fixed"] / 10))
    saturated = rows.assign(saturated=0.1)

    assert rules.saturation(both(rows, frames)).verdict == "reproduced"
    assert "dead or linear-only" in rules.saturation(both(rows, frames)).reason
    assert rules.saturation(both(halved, frames)).verdict == "not-reproduced"
    assert rules.saturation(both(saturated, frames)).verdict == "reproduced"  # not what counts for a ReLU


def test_a_share_of_zero_counts_as_half_a_unit() -> None:
    # Eight units: half of one is 1/16.
    some = rules.saturation(both(layers(ends={"abs": 0.0, "positive": 0.5, "negative": 0.25})))
    none = rules.saturation(both(layers(ends={"abs": 0.0, "positive": 0.0, "negative": 0.5})))

    assert (some.verdict, some.effect.value) == ("reproduced", pytest.approx(0.5 * 16))
    assert "count as that" in some.reason
    assert (none.verdict, none.effect.value) == ("not-reproduced", pytest.approx(1.0))


def test_the_saturation_ratios_interval_is_that_of_its_logarithm() -> None:
    rows = layers()
    last = (rows["depth"] == 3) & (rows["method"] == "positive")
    for seed, share in enumerate((0.2, 0.4, 0.8)):
        rows.loc[last & (rows["seed"] == seed), "saturated"] = share
    effect = rules.saturation(both(rows)).effect

    assert effect.value == pytest.approx(4.0)  # geometric mean of 2, 4, 8
    # log2 of the ratios: 1, 2, 3; mean 2, standard error 1 / sqrt(3), t of 2 degrees of freedom 4.3027
    assert effect.high == pytest.approx(2 ** (2 + 4.3027 / np.sqrt(3)), rel=1e-4)


@pytest.mark.parametrize(
    ("order", "verdict", "fails"),
    [
        ({}, "reproduced", None),
        ({"abs": (0.81, 0.8), "negative": (0.49, 0.79)}, "reproduced", None),
        ({"abs": (0.79, 0.8)}, "not-reproduced", "abs"),
        ({"positive": (0.5, 0.05)}, "not-reproduced", "positive"),
        ({"negative": (0.6, 0.05)}, "not-reproduced", "negative"),
        ({"negative": (0.2, 0.9)}, "not-reproduced", "agreement, abs - negative"),
    ],
)
def test_order_must_be_kept_by_abs_and_lost_under_either_sign(order, verdict, fails) -> None:
    decided = rules.order_destroyed(both(right=posteriors(order=order)))

    assert decided.verdict == verdict
    assert decided.reason.endswith(f"fails: {fails}") == (fails is not None)


def test_correlations_across_the_bound_are_open() -> None:
    assert (
        rules.order_destroyed(both(right=posteriors(order={"abs": (0.7, 0.8)}, jitter=0.1))).verdict == "inconclusive"
    )


def test_the_claims_that_do_not_hold_for_an_activation_are_named() -> None:
    decided = rules.every_activation(
        both(
            layers(shifts={"positive": (0.5, 1.0, 2.0)}, final=0.2, jitter=0.05, seeds=[0, 1]), posteriors(seeds=[0, 1])
        )
    )

    assert (decided.verdict, decided.effect.value, decided.margin) == ("not-reproduced", 2.0, -2.0)
    assert decided.reason == ("2 of 4 claims hold; abs-concentrates is inconclusive, one-sign-shifts is not-reproduced")


def test_nets_that_differ_make_a_claim_hold_in_part() -> None:
    relu = "acoustic-3x8-relu"
    tables = {
        "layers": pd.concat([layers(), layers(model=relu, final=1.0)]),
        "posteriors": pd.concat([posteriors(), posteriors(model=relu)]),
    }
    found = {verdict.id: verdict for verdict in verdicts(tables)}

    assert (found["abs-concentrates"].verdict, found["every-activation"].verdict) == ("partly", "partly")
    assert found["abs-concentrates"].case == f"{relu} on spoken"
    assert found["saturation"].verdict == "reproduced"


def test_a_sign_not_measured_at_the_reference_threshold_leaves_its_claims_open() -> None:
    rows, frames = (
        table[(table["method"] != "negative") | (table["threshold"] != 0.2)] for table in (layers(), posteriors())
    )
    found = {verdict.id: verdict for verdict in verdicts({"layers": rows, "posteriors": frames})}

    assert found["abs-concentrates"].verdict == "reproduced"
    assert "negative pruning was not measured at threshold 0.2" in found["order-destroyed"].reason


def test_a_net_of_one_hidden_layer_has_no_growth() -> None:
    rows = layers()
    with pytest.raises(decisions.NotCoveredError, match="at least two hidden layers; the net has 1"):
        rules.one_sign_shifts(both(rows[rows["depth"] >= 3]))


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="posteriors is missing"):
        verdicts({"layers": layers()})
    with pytest.raises(ValueError, match="posteriors has no rows"):
        verdicts({"layers": layers(), "posteriors": posteriors().iloc[:0]})
    with pytest.raises(ValueError, match=r"missing: \['spread'\]"):
        verdicts({"layers": layers().drop(columns="spread"), "posteriors": posteriors()})
    with pytest.raises(ValueError, match=r"seed=2.*of two runs"):
        verdicts({"layers": layers(), "posteriors": posteriors(seeds=[0, 1])})


def test_a_claim_without_a_rule_is_named() -> None:
    odd = claims.Claim(study="outputs", id="odd", statement="", published=None, rule="")
    with pytest.raises(ValueError, match="'odd' has none"):
        verdicts({"layers": layers(), "posteriors": posteriors()}, known=[odd])
