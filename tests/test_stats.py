import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from prunelab import stats

SAMPLE = [8.33, 8.13, 8.33, 8.5, 7.9]
finite = st.floats(-1e3, 1e3)


def test_the_t_interval_is_scipys():
    expected = scipy.stats.ttest_1samp(SAMPLE, 0).confidence_interval(0.95)

    interval = stats.t_interval(SAMPLE)

    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert (interval.value, interval.n, interval.level) == (pytest.approx(np.mean(SAMPLE)), 5, 0.95)


def test_two_seeds_have_the_tabulated_interval():
    # t(0.975, 1 degree of freedom) = 12.706; mean 1, s = sqrt(2), half width 12.706 * sqrt(2) / sqrt(2)
    interval = stats.t_interval([0.0, 2.0])

    assert (interval.low, interval.high) == pytest.approx((1 - 12.7062, 1 + 12.7062), abs=1e-4)


def test_one_value_has_no_interval():
    single = stats.t_interval([3.0])

    assert (single.value, single.n) == (3.0, 1)
    assert np.isnan([single.low, single.high]).all()


def test_equal_values_have_an_interval_without_width():
    interval = stats.t_interval([2.0] * 3)

    assert (interval.low, interval.value, interval.high) == (2.0, 2.0, 2.0)


def test_paired_is_the_interval_of_the_differences():
    expected = scipy.stats.ttest_rel([1.0, 2.0, 4.0], [0.5, 1.0, 1.0]).confidence_interval(0.95)

    interval = stats.paired([1.0, 2.0, 4.0], [0.5, 1.0, 1.0])

    assert interval.value == pytest.approx(1.5)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("differences", "p"), [([1] * 5, 1 / 32), ([1, 1, 1, 1, -1], 6 / 32), ([0, 1, 1], 1 / 4), ([0, 0], 1), ([-1], 1)]
)
def test_the_sign_test_counts_coin_tosses_and_drops_zeros(differences, p):
    assert stats.sign_test(differences) == pytest.approx(p)


def test_five_seeds_are_the_fewest_a_sign_test_decides_with():
    assert stats.sign_test_minimum() == 5
    assert stats.sign_test_minimum(0.25) == 3  # two differences reach 1/4 and do not fall below it
    assert stats.sign_test([1] * 5) < stats.SIGNIFICANCE <= stats.sign_test([1] * 4)


def test_kendall_tau_is_scipys():
    assert stats.kendall_tau([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)  # 5 pairs agree, 1 does not
    assert np.isnan(stats.kendall_tau([1, 1], [1, 2]))


@pytest.mark.parametrize(("level", "expected"), [(5, 1.5), (-1, 0.0), (0, 1.0), (10, 2.5), (20, float("nan"))])
def test_a_crossing_is_where_the_line_first_exceeds_the_level(level, expected):
    # 0 up to x = 1, then up to 10 at 2, flat, up to 20 at 3.5, which it reaches and does not exceed
    x, y = [0, 1, 2, 2.5, 3.5], [0, 0, 10, 10, 20]

    assert stats.crossing(x, y, level) == pytest.approx(expected, nan_ok=True)


def test_a_curve_that_jumps_crosses_at_the_jump():
    assert stats.crossing([0, 1, 1, 2], [0, 0, 8, 9], 4) == 1


@given(st.lists(finite, min_size=2, max_size=8), finite)
def test_at_a_crossing_the_curve_has_the_level(y, level):
    x = np.arange(len(y))
    found = stats.crossing(x, y, level)

    if np.isnan(found):
        assert max(y) <= level
    elif y[0] <= level:
        assert stats.at(x, y, found) == pytest.approx(level, abs=1e-6)


def test_area_and_at_by_hand():
    x, y = [0, 1, 3], [0, 2, 4]

    assert stats.at(x, y, 2) == 3
    assert stats.area(x, y, 3) == 1 + 6
    assert stats.area(x, y, 2) == 1 + 2.5
    assert stats.area(x, y, 0) == 0


def test_at_a_repeated_x_the_later_point_counts():
    assert stats.at([0, 1, 1, 2], [0, 5, 8, 9], 1) == 8
    assert stats.area([0, 1, 1, 2], [0, 0, 8, 8], 2) == 8
    assert stats.area([0, 1, 1, 2], [0, 0, 8, 8], 1) == 0  # the jump itself has no width


@given(st.lists(finite, min_size=2, max_size=8), st.floats(0, 1))
def test_areas_of_two_parts_add_up(y, share):
    x = np.arange(len(y), dtype=float)
    cut = share * x[-1]
    rest = np.append(cut, x[x > cut]), np.append(stats.at(x, y, cut), np.asarray(y)[x > cut])

    assert stats.area(x, y, cut) + stats.area(*rest, x[-1]) == pytest.approx(stats.area(x, y, x[-1]), abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.t_interval([]), "at least one value"),
        (lambda: stats.t_interval([1.0, np.nan]), "finite"),
        (lambda: stats.t_interval([1.0, 2.0], level=95), r"did you mean 0\.95"),
        (lambda: stats.t_interval([np.inf]), "finite"),
        (lambda: stats.paired([1.0], [1.0, 2.0]), "same seeds"),
        (lambda: stats.sign_test([[1.0]]), "flat list"),
        (lambda: stats.sign_test_minimum(0), "probability"),
        (lambda: stats.kendall_tau([1], [1]), "two or more"),
        (lambda: stats.crossing([0, 2, 1], [0, 0, 0], 0), "do not decrease"),
        (lambda: stats.crossing([0, 1], [0], 0), "one y for each x"),
        (lambda: stats.at([0, 1], [0, 1], 2), "not extended"),
        (lambda: stats.area([0, 1], [0, 1], -1), "not extended"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()

    assert "\n" not in str(error.value)
