"""Live paths: the weights that a way from input to output uses, counted by walking every way there is."""

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from prunelab.pruning import keep_within
from prunelab.pruning.budgets import BUDGETS, keep_live
from prunelab.pruning.paths import live

Layers = dict[str, Tensor]
BITS = st.booleans()
WHOLE = st.integers(-4, 4).map(float)


@st.composite
def layers(draw: Callable, values: st.SearchStrategy = BITS, largest: int = 4) -> Layers:
    """Draw one to four small layers, each feeding the next."""
    sides = draw(st.lists(st.integers(1, largest), min_size=2, max_size=5))
    shapes = [(units, inputs) for inputs, units in itertools.pairwise(sides)]
    return {
        f"fc{depth}.weight": torch.tensor(draw(st.lists(values, min_size=a * b, max_size=a * b))).reshape(a, b)
        for depth, (a, b) in enumerate(shapes, start=1)
    }


def drawn_lit(data: st.DataObject, masks: Layers) -> Tensor:
    inputs = next(iter(masks.values())).shape[1]
    return torch.tensor(data.draw(st.lists(st.booleans(), min_size=inputs, max_size=inputs)), dtype=torch.bool)


def walked(masks: Layers, lit: Tensor | None = None) -> Layers:
    """Mark the weights of every way through the net: one unit a layer, tried one after the other."""
    found = {name: torch.zeros_like(mask) for name, mask in masks.items()}
    first = next(iter(masks.values()))
    starts = range(first.shape[1]) if lit is None else lit.nonzero().flatten().tolist()
    for way in itertools.product(starts, *(range(len(mask)) for mask in masks.values())):
        steps = list(itertools.pairwise(way))
        if all(mask[unit, source] for mask, (source, unit) in zip(masks.values(), steps, strict=True)):
            for name, (source, unit) in zip(masks, steps, strict=True):
                found[name][unit, source] = True
    return found


def same(left: Layers, right: Layers) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def count(masks: Layers) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def random_layers(sizes: tuple[int, ...], seed: int = 0) -> Layers:
    generator = torch.Generator().manual_seed(seed)
    return {
        f"fc{depth}.weight": torch.randn(units, inputs, generator=generator) / inputs**0.5
        for depth, (inputs, units) in enumerate(itertools.pairwise(sizes), start=1)
    }


@given(layers(), st.data())
def test_a_weight_is_live_if_some_way_from_a_lit_input_to_an_output_uses_it(masks: Layers, data: st.DataObject) -> None:
    lit = drawn_lit(data, masks)

    assert same(live(masks), walked(masks))
    assert same(live(masks, lit), walked(masks, lit))


@given(layers(largest=6))
def test_a_weight_is_live_if_the_number_of_ways_through_it_is_above_zero(masks: Layers) -> None:
    counts = [mask.double() for mask in masks.values()]
    into = [torch.ones(counts[0].shape[1], dtype=torch.float64)]  # ways from any input to each input of a layer
    for matrix in counts:
        into.append(matrix @ into[-1])
    out = [torch.ones(len(counts[-1]), dtype=torch.float64)]  # ways from each unit of a layer to any output
    for matrix in reversed(counts):
        out.insert(0, matrix.T @ out[0])
    alive = live(masks)

    for depth, name in enumerate(masks):
        assert torch.equal(alive[name], torch.outer(out[depth + 1], into[depth]) * counts[depth] > 0)


@given(layers(), st.data())
def test_what_is_live_stays_live_without_the_rest(masks: Layers, data: st.DataObject) -> None:
    lit = drawn_lit(data, masks)
    alive = live(masks, lit)

    assert same(live(alive, lit), alive)
    assert all(bool((alive[name] <= masks[name]).all()) for name in masks)


def test_by_hand_only_the_way_through_the_second_unit_is_live() -> None:
    masks = {
        "fc1": torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, 0]]).bool(),  # unit 0 leads nowhere, none enters unit 2
        "fc2": torch.tensor([[0, 1, 1]]).bool(),
    }
    alive = live(masks, torch.tensor([True, True, False]))

    assert alive["fc1"].tolist() == [[False, False, False], [False, True, False], [False, False, False]]
    assert alive["fc2"].tolist() == [[False, True, False]]


@given(layers(WHOLE), st.sampled_from(BUDGETS), st.data())
def test_what_is_kept_is_live_lit_and_never_zero_whatever_the_ties(
    weights: Layers, budget: str, data: st.DataObject
) -> None:
    lit = drawn_lit(data, weights)
    kept = data.draw(st.integers(1, sum(weight.numel() for weight in weights.values())))
    before = {name: weight.clone() for name, weight in weights.items()}
    masks = keep_live(weights, kept, budget, lit)

    assert count(masks) <= kept
    assert same(walked(masks, lit), masks)
    assert not any(bool((weights[name][mask] == 0).any()) for name, mask in masks.items())
    assert same(before, weights)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("kept", [60, 200, 1000, 2080])
def test_of_a_dense_net_exactly_so_many_weights_are_kept(budget: str, kept: int) -> None:
    weights = random_layers((64, 24, 16, 10))  # 2,080 weights
    masks = keep_live(weights, kept, budget)

    assert count(masks) == kept
    assert same(live(masks), masks)


@pytest.mark.parametrize("budget", BUDGETS)
def test_unlit_inputs_give_their_places_to_others(budget: str) -> None:
    weights = random_layers((64, 24, 16, 10))
    lit = torch.arange(64) % 3 > 0
    masks = keep_live(weights, 200, budget, lit)

    assert count(masks) == 200
    assert not masks["fc1.weight"][:, ~lit].any()
    assert keep_within(weights, 200, budget)["fc1.weight"][:, ~lit].any()


@given(layers(WHOLE), st.sampled_from(BUDGETS), st.data())
def test_where_every_choice_of_the_budget_is_live_it_is_the_budgets(
    weights: Layers, budget: str, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(1, sum(weight.numel() for weight in weights.values())))
    wanted = keep_within(weights, kept, budget)
    nonzero = all(bool(weights[name][mask].all()) for name, mask in wanted.items())
    if nonzero and same(walked(wanted), wanted):
        assert same(keep_live(weights, kept, budget), wanted)
    else:
        assert not same(keep_live(weights, kept, budget), wanted)


def test_a_dead_weight_gives_its_place_to_the_next_largest() -> None:
    weights = {"fc1": torch.tensor([[9.0, 3.0], [8.0, 1.0]]), "fc2": torch.tensor([[7.0, 0.5]])}
    # The three largest are 9, 8 and 7; the 8 leads nowhere, and 3 is the next.
    masks = keep_live(weights, 3)

    assert masks["fc1"].tolist() == [[True, True], [False, False]]
    assert masks["fc2"].tolist() == [[True, False]]


def test_a_weight_that_led_nowhere_comes_back_when_its_way_opens() -> None:
    weights = {"fc1": torch.tensor([[9.0, 3.0], [8.0, 1.0]]), "fc2": torch.tensor([[7.0, 0.5]])}
    # Of the two largest, 9 and 8, neither leads to an output; with 7 there is a way for the 9.
    masks = keep_live(weights, 2)

    assert masks["fc1"].tolist() == [[True, False], [False, False]]
    assert masks["fc2"].tolist() == [[True, False]]


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("kept", [20, 95, 117])
def test_a_tight_budget_is_spent_to_the_last_weight(budget: str, kept: int) -> None:
    weights = random_layers((784, 30, 10, 10))  # 23,920 weights: most of the largest lead nowhere
    masks = keep_live(weights, kept, budget)

    assert count(masks) == kept
    assert same(live(masks), masks)


def test_no_more_than_the_budget_is_kept_where_a_path_needs_more() -> None:
    weights = {"fc1": torch.ones(2, 2), "fc2": torch.ones(1, 2)}  # a path takes two weights

    assert count(keep_live(weights, 1)) == 0


@pytest.mark.parametrize(
    ("masks", "lit", "message"),
    [
        ({}, None, "paths lead through linear layers, each .units, inputs.; got none"),
        ({"conv": torch.ones(2, 1, 3, 3, dtype=torch.bool)}, None, r"got \[\(2, 1, 3, 3\)\]"),
        (
            {"fc1": torch.ones(3, 2, dtype=torch.bool), "fc2": torch.ones(2, 4, dtype=torch.bool)},
            None,
            "'fc1' has 3 units, 'fc2' 4 inputs: give the layers first to last",
        ),
        ({"fc1": torch.ones(3, 2, dtype=torch.bool)}, torch.ones(3, dtype=torch.bool), "lit marks the 2 inputs"),
    ],
)
def test_layers_that_are_no_chain_are_refused_in_one_line(masks: Layers, lit: Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        live(masks, lit)

    assert "\n" not in str(refused.value)
    if masks:
        with pytest.raises(ValueError, match=message):
            keep_live({name: mask.float() for name, mask in masks.items()}, 1, lit=lit)


@pytest.mark.parametrize("kept", [0, 2081])
def test_more_weights_than_there_are_or_none_are_refused(kept: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 2080; got {kept}"):
        keep_live(random_layers((64, 24, 16, 10)), kept)
