"""Upper bounds of a rise: exact where they say so, against scipy, by hand, and in how many draws they hold."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from prunelab.choosing.bounds import clopper_pearson, examples_needed, median_upper, rise


def outcomes(both: int, broken: int, mended: int, neither: int) -> tuple[list[int], list[int]]:
    """Wrong answers before and after, of so many examples right in both, broken, mended, wrong in both."""
    before = [0] * (both + broken) + [1] * (mended + neither)
    after = [0] * both + [1] * broken + [0] * mended + [1] * neither
    return before, after


# --- shares ---


@given(n=st.integers(1, 400), share=st.floats(0, 1), level=st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_a_share_is_bounded_as_scipy_bounds_it(n: int, share: float, level: float) -> None:
    count = round(share * n)
    expected = stats.binomtest(count, n).proportion_ci(confidence_level=level, method="exact")

    assert clopper_pearson(count, n, alpha=(1 - level) / 2) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_of_no_successes_the_upper_bound_solves_by_hand() -> None:
    # (1 - p)^n = alpha: with n = 10 and alpha = 0.05, p = 1 - 0.05^(1/10) = 0.25887.
    assert clopper_pearson(0, 10, alpha=0.05) == pytest.approx((0.0, 0.258866), abs=1e-6)
    assert clopper_pearson(10, 10, alpha=0.05) == pytest.approx((0.741134, 1.0), abs=1e-6)


@pytest.mark.parametrize(("count", "n", "alpha"), [(-1, 5, 0.1), (6, 5, 0.1), (0, 0, 0.1), (1, 5, 0.0), (1, 5, 1.0)])
def test_counts_and_probabilities_out_of_range_are_refused(count: int, n: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="got"):
        clopper_pearson(count, n, alpha=alpha)


# --- rises of right and wrong ---


def test_a_drop_is_what_broke_less_what_was_mended_each_bounded_at_half_the_probability() -> None:
    found = rise(*outcomes(80, 7, 3, 10), alpha=0.05)
    broken = stats.binomtest(7, 100, alternative="less").proportion_ci(confidence_level=0.975, method="exact").high
    mended = stats.binomtest(3, 100, alternative="greater").proportion_ci(confidence_level=0.975, method="exact").low

    assert found.value == pytest.approx(0.04)
    assert found.upper == pytest.approx(broken - mended)


def test_a_net_that_answers_alike_may_still_be_worse_by_what_the_examples_cannot_show() -> None:
    found = rise(*outcomes(90, 0, 0, 10), alpha=0.05)

    assert found.value == 0
    assert found.upper == pytest.approx(1 - 0.025 ** (1 / 100))


@pytest.mark.parametrize("drop", [0.005, 0.01, 0.3])
def test_the_examples_needed_are_the_fewest_that_can_show_a_drop_to_be_no_larger(drop: float) -> None:
    n = examples_needed(drop, alpha=0.01)

    assert rise([0] * n, [0] * n, alpha=0.01).upper <= drop
    assert rise([0] * (n - 1), [0] * (n - 1), alpha=0.01).upper > drop


@given(
    counts=st.tuples(*[st.integers(0, 60)] * 4).filter(lambda four: sum(four) > 0),
    alpha=st.floats(0.001, 0.4),
)
@example(counts=(0, 1, 0, 0), alpha=0.05)
@example(counts=(0, 60, 0, 0), alpha=0.4)
@example(counts=(0, 59, 1, 0), alpha=0.4)
@example(counts=(0, 0, 1, 0), alpha=0.4)
def test_the_upper_bound_lies_above_the_rise_and_falls_with_confidence_unless_every_example_broke(
    counts: tuple[int, int, int, int], alpha: float
) -> None:
    before, after = outcomes(*counts)
    strict, loose = (rise(before, after, alpha=value).upper for value in (alpha / 2, alpha))
    value = rise(before, after, alpha=alpha).value

    if counts[1] == sum(counts):  # no net can be worse
        assert value == loose == strict == 1
    else:
        assert value < loose < strict < 1


@pytest.mark.parametrize(
    "shares", [(0.9, 0.02, 0.01, 0.07), (0.97, 0.004, 0.001, 0.025), (0.5, 0.2, 0.2, 0.1)], ids=str
)
def test_the_bound_of_a_drop_fails_no_more_often_than_it_says(shares: tuple[float, ...]) -> None:
    alpha, trials = 0.1, 2000
    drawn = np.random.default_rng(0).multinomial(500, shares, size=trials)
    failures = sum(rise(*outcomes(*map(int, row)), alpha=alpha).upper < shares[1] - shares[2] for row in drawn)

    # Were its chance more than alpha, so few failures would be seen once in a thousand times.
    assert failures <= stats.binom.ppf(0.999, trials, alpha)
    assert failures / trials <= alpha


# --- rises of anything else ---


def test_word_errors_rise_by_their_sum_over_all_words() -> None:
    found = rise([1, 0, 2], [2, 0, 2], [4, 2, 4], alpha=0.05)

    assert found.value == pytest.approx(1 / 10)


def test_drawing_utterances_again_gives_the_quantile_of_all_draws_there_are() -> None:
    # Two utterances of 1 and 3 words, one error more in the second. Draws: (1,1) 1/4: 0, (1,2) 1/2: 1/4, (2,2) 1/4:
    # 2/6. So up to a probability of 1/4 the bound is 1/3, from there to 3/4 it is 1/4, and beyond 0.
    before, after, words = [0, 0], [0, 1], [1, 3]

    assert rise(before, after, words, alpha=0.2).upper == pytest.approx(1 / 3)
    assert rise(before, after, words, alpha=0.5).upper == pytest.approx(1 / 4)
    assert rise(before, after, words, alpha=0.8).upper == 0


def test_losses_that_are_no_counts_are_bounded_near_the_normal_approximation() -> None:
    generator = np.random.default_rng(1)
    before = generator.exponential(size=3000)
    after = before + generator.normal(0.1, 0.5, size=3000)
    found = rise(before, after, alpha=0.01)
    differences = after - before

    assert found.value == pytest.approx(differences.mean())
    standard_error = differences.std() / math.sqrt(3000)
    assert found.upper == pytest.approx(found.value + 2.326 * standard_error, abs=0.3 * standard_error)


def test_the_bound_by_drawing_again_holds_about_as_often_as_it_says() -> None:
    generator, alpha, trials, held = np.random.default_rng(2), 0.1, 300, 0
    for _ in range(trials):
        words = generator.integers(3, 8, size=200)
        more = generator.binomial(words, 0.1) - generator.binomial(words, 0.05)
        held += rise(np.zeros(200), more, words, alpha=alpha).upper >= 0.05

    # Exactly 1 - alpha of them would be 270 with a standard deviation of 5.2; the percentile method comes near.
    assert 250 <= held <= 290


def test_the_same_seed_draws_the_same_bound() -> None:
    before, after = np.zeros(50), np.arange(50) / 50

    assert rise(before, after, alpha=0.05, seed=3) == rise(before, after, alpha=0.05, seed=3)


@pytest.mark.parametrize(
    ("before", "after", "sizes"),
    [([], [], None), ([0, 1], [0], None), ([0.5, 0.5], [1, 2], [1, 0]), ([math.nan, 0], [0, 0], None)],
    ids=["none", "other examples", "no size", "not a number"],
)
def test_what_is_no_rise_is_refused(before: list[float], after: list[float], sizes: list[float] | None) -> None:
    with pytest.raises(ValueError, match="got"):
        rise(before, after, sizes, alpha=0.05)


# --- medians ---


def test_a_median_is_bounded_by_the_order_statistic_that_hand_gives() -> None:
    # Of 10 values P(Binomial(10, 1/2) >= 8) = 56 / 1024 and >= 9: 11 / 1024; so the 9th bounds it at 0.05.
    values = [5, 1, 9, 3, 7, 2, 8, 4, 6, 10]

    assert median_upper(values, alpha=0.05) == 9
    assert median_upper(values, alpha=56 / 1024) == 8


def test_too_few_values_bound_no_median() -> None:
    assert median_upper([1.0, 2.0, 3.0, 4.0], alpha=0.05) == math.inf
    assert median_upper([1.0, 2.0, 3.0, 4.0, 5.0], alpha=0.05) == 5.0


def test_the_bound_of_a_median_fails_no_more_often_than_it_says() -> None:
    drawn = np.random.default_rng(4).exponential(size=(2000, 25))
    failures = sum(median_upper(row, alpha=0.1) < math.log(2) for row in drawn)

    assert failures <= stats.binom.ppf(0.999, 2000, 0.1)
