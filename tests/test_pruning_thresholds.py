"""Families of thresholds: nested, of exact counts, and at the thresholds that hand and literature give."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from prunelab.pruning import below_threshold, keep_largest, magnitude
from prunelab.pruning.thresholds import (
    Curve,
    by_sensitivity,
    cut,
    in_deviations,
    kept_at,
    order,
    smallest_kept,
)

TWO = {"a": torch.tensor([[3.0, -1.0], [0.5, -4.0]]), "b": torch.tensor([2.0, -0.25])}


@st.composite
def layers(draw: st.DrawFn, largest: int = 4) -> dict[str, Tensor]:
    """Whole numbers as weights of one to three layers: the smaller the largest, the more ties."""
    values = st.integers(-largest, largest).map(float)
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3))
    return {f"fc{i}": torch.tensor(draw(st.lists(values, min_size=n, max_size=n))) for i, n in enumerate(sizes)}


def removed(masks: dict[str, Tensor]) -> int:
    return sum(int((~mask).sum()) for mask in masks.values())


# --- orders and levels ---


def test_an_order_ranks_all_layers_together_from_the_lowest_score() -> None:
    ranks = order(magnitude(TWO))

    assert ranks["a"].tolist() == [[4, 2], [1, 5]]
    assert ranks["b"].tolist() == [3, 0]


def test_of_equal_scores_the_earlier_layer_and_the_earlier_weight_go_first() -> None:
    ranks = order({"b": torch.ones(2), "a": torch.ones(2)})

    assert {name: rank.tolist() for name, rank in ranks.items()} == {"b": [0, 1], "a": [2, 3]}


@given(weights=layers())
def test_levels_remove_exactly_their_number_and_contain_one_another_ties_or_not(weights: dict[str, Tensor]) -> None:
    ranks = order(magnitude(weights))
    total = sum(weight.numel() for weight in weights.values())
    masks = [kept_at(ranks, level) for level in range(total + 1)]

    assert [removed(mask) for mask in masks] == list(range(total + 1))
    for lower, higher in pairwise(masks):
        assert not any(bool((higher[name] & ~lower[name]).any()) for name in weights)


@given(weights=layers())
def test_nothing_kept_scores_less_than_something_removed(weights: dict[str, Tensor]) -> None:
    scores = magnitude(weights)
    ranks = order(scores)
    for level in range(1, sum(weight.numel() for weight in weights.values())):
        masks = kept_at(ranks, level)
        gone = max(float(scores[n][~masks[n]].max()) for n in scores if bool((~masks[n]).any()))

        assert gone <= cut(scores, masks)


@given(permutation=st.permutations(range(30)), level=st.integers(0, 29))
def test_where_no_scores_are_equal_a_level_is_what_keep_largest_keeps(permutation: list[int], level: int) -> None:
    flat = torch.tensor(permutation, dtype=torch.float32)
    scores = {"a": flat[:18].view(3, 6), "b": flat[18:]}
    level_masks, largest = kept_at(order(scores), level), keep_largest(scores, level / 30)

    assert all(torch.equal(level_masks[name], largest[name]) for name in scores)


@pytest.mark.parametrize("level", [-1, 7])
def test_a_level_beyond_the_weights_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=f"0 to 6; got {level}"):
        kept_at(order(TWO), level)


@pytest.mark.parametrize(
    ("scores", "said"), [({"a": torch.tensor([1.0, math.nan])}, "1 of 2 of 'a' are NaN"), ({}, "at least one weight")]
)
def test_what_has_no_order_is_refused(scores: dict[str, Tensor], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        order(scores)


def test_a_level_reads_as_the_smallest_score_kept_in_all_and_in_each_layer() -> None:
    masks = kept_at(order(magnitude(TWO)), 3)  # 0.25, 0.5 and 1 are gone

    assert cut(magnitude(TWO), masks) == 2.0
    assert smallest_kept(magnitude(TWO), masks) == {"a": 3.0, "b": 2.0}
    assert smallest_kept(magnitude(TWO), {"b": torch.zeros(2, dtype=torch.bool)}) == {"a": 0.5, "b": math.inf}


@given(weights=layers(50), level=st.integers(0, 40))
def test_pruning_below_the_threshold_a_level_reads_as_removes_no_more_and_the_same_up_to_ties(
    weights: dict[str, Tensor], level: int
) -> None:
    masks = kept_at(order(magnitude(weights)), min(level, sum(w.numel() for w in weights.values()) - 1))
    threshold = cut(magnitude(weights), masks)
    below = below_threshold(weights, threshold)

    for name, weight in weights.items():
        differ = below[name] != masks[name]
        assert bool((weight[differ].abs() == threshold).all())


# --- Han's quality parameter ---


def test_quality_is_counted_in_standard_deviations_of_each_layer() -> None:
    # fc1: mean 0, variance (1 + 1 + 9 + 9) / 4 = 5. fc2: mean 2, variance (1 + 1) / 2 = 1.
    weights = {"fc1": torch.tensor([1.0, -1.0, 3.0, -3.0]), "fc2": torch.tensor([1.0, 3.0])}
    scores = in_deviations(weights)

    assert scores["fc1"].tolist() == pytest.approx([size / math.sqrt(5) for size in (1, 1, 3, 3)])
    assert scores["fc2"].tolist() == [1.0, 3.0]


@given(seed=st.integers(0, 10**6), level=st.integers(0, 39))
def test_a_level_of_quality_removes_what_lies_below_quality_times_deviation(seed: int, level: int) -> None:
    drawn = torch.randn(40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    weights = {"fc1": drawn[:25] * 3 + 1, "fc2": drawn[25:]}
    scores = in_deviations(weights)
    masks = kept_at(order(scores), level)
    thresholds = {name: cut(scores, masks) * float(np.std(weight.numpy())) for name, weight in weights.items()}

    for name, weight in weights.items():
        smallest = float(weight[masks[name]].abs().min()) if bool(masks[name].any()) else math.inf
        largest = float(weight[~masks[name]].abs().max()) if not bool(masks[name].all()) else 0.0
        assert largest < thresholds[name] * (1 + 1e-12)
        assert smallest >= thresholds[name] * (1 - 1e-12)


def test_a_layer_without_spread_goes_last() -> None:
    scores = in_deviations({"flat": torch.full((3,), 0.1), "fc": torch.tensor([5.0, -5.0])})

    assert scores["flat"].tolist() == [math.inf] * 3
    assert kept_at(order(scores), 2)["flat"].all()


def test_weights_that_are_not_finite_have_no_deviation() -> None:
    with pytest.raises(ValueError, match="'a' holds NaN or an infinite one"):
        in_deviations({"a": torch.tensor([1.0, math.inf])})


# --- sensitivities ---


def test_the_layer_whose_loss_rises_less_per_weight_goes_first_smallest_weights_first() -> None:
    weights = {"dear": torch.tensor([1.0, 3.0, 2.0]), "cheap": torch.tensor([9.0, 7.0])}
    curves = {"dear": Curve(removed=(3,), loss=(4.0,)), "cheap": Curve(removed=(2,), loss=(1.5,))}
    ranks = by_sensitivity(weights, curves, loss=1.0)  # 1 nat a weight against 0.25

    assert ranks["cheap"].tolist() == [1, 0]
    assert ranks["dear"].tolist() == [2, 4, 3]


def test_layers_take_turns_where_their_curves_cross() -> None:
    # Slopes per weight: a 0 up to 2 and then 4, b always 1; halfway between pieces they are interpolated.
    weights = {"a": torch.arange(1.0, 5.0), "b": torch.arange(1.0, 4.0)}
    curves = {"a": Curve(removed=(2, 4), loss=(0.0, 8.0)), "b": Curve(removed=(3,), loss=(3.0,))}
    ranks = by_sensitivity(weights, curves, loss=0.0)

    # a's weights cost 0, 0 + (1.5 - 1) / 2 * 4 = 1, 3 and 4: the second equals b's 1 and stands before, as a does.
    assert ranks["a"].tolist() == [0, 1, 5, 6]
    assert ranks["b"].tolist() == [2, 3, 4]


def test_a_bump_of_a_curve_is_bridged_from_below() -> None:
    # A layer whose loss jumps at once and then stays costs the same for all its weights: 2 / 4 each.
    weights = {"a": torch.arange(1.0, 5.0), "b": torch.arange(1.0, 3.0)}
    bumpy = {"a": Curve(removed=(1, 4), loss=(2.0, 2.0)), "b": Curve(removed=(2,), loss=(1.2,))}
    ranks = by_sensitivity(weights, bumpy, loss=0.0)

    assert ranks["a"].tolist() == [0, 1, 2, 3]  # 0.5 against 0.6


@given(weights=layers(9), data=st.data())
def test_any_curves_give_one_order_that_respects_magnitudes_within_a_layer(
    weights: dict[str, Tensor], data: st.DataObject
) -> None:
    curves = {}
    for name, weight in weights.items():
        at = sorted(data.draw(st.sets(st.integers(1, weight.numel()), min_size=1)))
        losses = data.draw(st.lists(st.floats(-10, 10), min_size=len(at), max_size=len(at)))
        curves[name] = Curve(removed=tuple(at), loss=tuple(losses))
    ranks = by_sensitivity(weights, curves, loss=0.5)

    assert sorted(rank for part in ranks.values() for rank in part.tolist()) == list(
        range(sum(weight.numel() for weight in weights.values()))
    )
    for name, weight in weights.items():
        by_size = sorted(zip(weight.abs().tolist(), ranks[name].tolist(), strict=True), key=lambda pair: pair[1])
        assert [size for size, _ in by_size] == sorted(weight.abs().tolist())


@given(data=st.data())
def test_no_other_split_of_the_removed_weights_loses_less_if_convex_costs_add_up(data: st.DataObject) -> None:
    slopes = {
        name: sorted(data.draw(st.lists(st.integers(0, 9), min_size=4, max_size=4))) for name in ("a", "b")
    }  # cost of a layer's next weight, rising: known at every number of weights, so that nothing is interpolated
    weights = {name: torch.arange(1.0, 5.0) for name in slopes}
    curves = {
        name: Curve(removed=(1, 2, 3, 4), loss=tuple(float(sum(own[: k + 1])) for k in range(4)))
        for name, own in slopes.items()
    }
    ranks = by_sensitivity(weights, curves, loss=0.0)
    for level in range(9):
        split = [int((~mask).sum()) for mask in kept_at(ranks, level).values()]
        cost = sum(sum(own[:count]) for own, count in zip(slopes.values(), split, strict=True))
        best = min(sum(slopes["a"][:k]) + sum(slopes["b"][: level - k]) for k in range(5) if 0 <= level - k <= 4)
        assert cost == best


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        ({"a": Curve(removed=(1,), loss=(1.0,))}, "only one of both names b"),
        ({"a": Curve(removed=(), loss=()), "b": Curve(removed=(1,), loss=(1.0,))}, "1 to 4 of a"),
        ({"a": Curve(removed=(2, 2), loss=(1.0, 2.0)), "b": Curve(removed=(1,), loss=(1.0,))}, r"got \[2, 2\]"),
        ({"a": Curve(removed=(5,), loss=(1.0,)), "b": Curve(removed=(1,), loss=(1.0,))}, r"got \[5\]"),
        ({"a": Curve(removed=(4,), loss=(math.nan,)), "b": Curve(removed=(1,), loss=(1.0,))}, "finite number"),
    ],
)
def test_curves_that_do_not_describe_the_layers_are_refused(curves: dict[str, Curve], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        by_sensitivity(TWO, curves, loss=0.0)
