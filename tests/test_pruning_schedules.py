import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunelab.pruning import kept_counts
from prunelab.pruning.budgets import SHAPES


@st.composite
def plans(draw):
    """Draw a number of weights, a target among them and a number of rounds."""
    weights = draw(st.integers(1, 10**8))
    return weights, draw(st.integers(1, weights)), draw(st.integers(1, 60))


@pytest.mark.parametrize("shape", SHAPES)
@given(plans())
def test_counts_never_increase_and_end_exactly_at_the_target(shape, plan):
    weights, target, rounds = plan
    counts = kept_counts(weights, target, rounds, shape)

    assert len(counts) == rounds
    assert counts[-1] == target
    assert counts == sorted(counts, reverse=True)
    assert counts[0] <= weights
    assert all(type(count) is int for count in counts)


@given(plans())
def test_each_geometric_round_removes_the_same_fraction_of_what_is_left(plan):
    weights, target, rounds = plan
    counts = [weights, *kept_counts(weights, target, rounds)]
    fraction = (target / weights) ** (1 / rounds)

    # Both counts are whole numbers: each is off by half a weight at most, and the floats by a few parts in 10^16.
    for before, after in itertools.pairwise(counts):
        assert abs(after - before * fraction) <= 1 + 1e-6


@given(plans())
def test_the_cubic_sparsity_is_that_of_zhu_and_gupta(plan):
    weights, target, rounds = plan
    final = 1 - target / weights
    # Equation 1 with initial sparsity 0, first round 0 and one round between two prunings.
    sparsities = [final + (0 - final) * (1 - i / rounds) ** 3 for i in range(1, rounds + 1)]

    for kept, sparsity in zip(kept_counts(weights, target, rounds, "cubic"), sparsities, strict=True):
        assert abs(kept - weights * (1 - sparsity)) <= 0.5 + 1e-6


def test_the_geometric_schedule_of_three_halvings_is_the_one_computed_by_hand():
    assert kept_counts(800, 100, 3) == [400, 200, 100]


def test_geometric_counts_are_rounded_to_the_nearest():
    assert kept_counts(100, 50, 2) == [71, 50]  # 100 / sqrt(2) = 70.71


def test_the_cubic_schedule_of_two_rounds_is_the_one_computed_by_hand():
    # After half the rounds 7/8 of the final sparsity is reached: 700 of the 800 weights to remove are gone.
    assert kept_counts(1000, 200, 2, "cubic") == [300, 200]


@pytest.mark.parametrize("shape", SHAPES)
def test_one_round_goes_straight_to_the_target_and_all_weights_may_be_the_target(shape):
    assert kept_counts(266200, 2660, 1, shape) == [2660]
    assert kept_counts(7, 7, 3, shape) == [7, 7, 7]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 0, 3), "1 to 10; got 0"),
        ((10, 11, 3), "1 to 10; got 11"),
        ((10, 5, 0), "rounds is at least 1; got 0"),
        ((10, 5, 3, "linear"), "shape is .*; got 'linear'"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused_with_the_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        kept_counts(*arguments)
