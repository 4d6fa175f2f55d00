"""Posteriors beside the unpruned net's, frame by frame: scipy is the reference."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from torch import Tensor

from prunelab.measure.posteriors import average_ranks, compare, entropies, reference


def logits(count: int = 50, classes: int = 61, seed: int = 0) -> Tensor:
    return 3 * torch.randn(count, classes, generator=torch.Generator().manual_seed(seed))


# Few distinct values, so that ties are the rule.
tied = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(2, 8)),
    elements=st.integers(-3, 3).map(float),
)


@given(values=tied)
def test_average_ranks_are_scipys(values: np.ndarray) -> None:
    np.testing.assert_array_equal(average_ranks(torch.from_numpy(values)), stats.rankdata(values, axis=1))


@given(values=tied, seed=st.integers(0, 100))
def test_rank_correlations_are_scipys_also_with_ties(values: np.ndarray, seed: int) -> None:
    other = np.random.default_rng(seed).integers(0, 3, values.shape).astype(np.float32)
    for row, other_row in zip(values[:, None], other[:, None], strict=True):
        found = compare(reference(torch.from_numpy(row)), torch.from_numpy(other_row)).rank_correlation
        if len(set(row[0])) == 1 or len(set(other_row[0])) == 1:
            assert found == 0  # no order to correlate with
        else:
            assert found == pytest.approx(stats.spearmanr(row[0], other_row[0]).statistic, abs=1e-5)


def test_the_mean_correlation_is_scipys_over_every_fourth_frame() -> None:
    before, after = logits(), logits() + logits(seed=1)
    posteriors = [rows.double().softmax(1).numpy()[::4] for rows in (before, after)]
    expected = np.mean([stats.spearmanr(a, b).statistic for a, b in zip(*posteriors, strict=True)])

    assert compare(reference(before), after).rank_correlation == pytest.approx(expected, abs=1e-6)


def test_agreement_and_entropy_are_counted_over_all_frames() -> None:
    before, after = logits(), logits() + logits(seed=1)
    found = compare(reference(before), after)
    entropy = stats.entropy(after.double().softmax(1).numpy(), axis=1)

    assert found.top1_agreement == np.mean(before.numpy().argmax(1) == after.numpy().argmax(1))
    assert found.entropy == pytest.approx(entropy.mean(), rel=1e-5)
    np.testing.assert_allclose(entropies(after), entropy, rtol=1e-4, atol=1e-6)


@given(seed=st.integers(0, 100), scale=st.floats(0.01, 10), offset=st.floats(-5, 5))
def test_a_net_that_only_rescales_its_logits_keeps_order_and_answers(seed: int, scale: float, offset: float) -> None:
    before = logits(9, 5, seed)
    found = compare(reference(before, every=1), before.double() * scale + offset)

    assert found.rank_correlation == pytest.approx(1)
    assert found.top1_agreement == 1


def test_reversed_logits_are_perfectly_anticorrelated() -> None:
    found = compare(reference(logits()), -logits())

    assert (found.rank_correlation, found.top1_agreement) == (pytest.approx(-1), 0)


def test_posteriors_that_underflow_are_still_told_apart() -> None:
    before = torch.tensor([[0.0, -300.0, -400.0, -500.0]])  # softmax in float32: 1, 0, 0, 0
    swapped = torch.tensor([[0.0, -500.0, -400.0, -300.0]])

    assert compare(reference(before), before).rank_correlation == pytest.approx(1)
    # 1 - 6 Σd² / (n (n² - 1)) with d = 0, 2, 0, 2 and n = 4
    assert compare(reference(before), swapped).rank_correlation == pytest.approx(1 - 6 * 8 / 60)


def test_uniform_posteriors_have_the_largest_entropy_and_no_order() -> None:
    found = compare(reference(logits()), torch.zeros(50, 61))

    assert found.entropy == pytest.approx(np.log(61))
    assert found.rank_correlation == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (torch.zeros(0, 3), "at least 1 and 2"),
        (torch.zeros(3, 1), "at least 1 and 2"),
        (torch.zeros(3), "at least 1 and 2"),
        (torch.tensor([[0.0, float("nan")]]), "without NaN"),
    ],
)
def test_what_has_no_posteriors_is_refused(rows: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reference(rows)


def test_other_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="same frames and classes"):
        compare(reference(logits(50)), logits(49))
    with pytest.raises(ValueError, match="at least 1; got 0"):
        reference(logits(), every=0)
