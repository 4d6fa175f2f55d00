import itertools
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch import nn
from torch.nn.utils import prune

from prunelab.pruning import budgets, keep_counts, keep_largest, keep_within, kept_counts, lamp, layer_counts
from prunelab.pruning.budgets import BUDGETS, SHAPES


def erk_densities(shapes, density):
    """Give the fraction of each layer's weights that it keeps before counts are rounded."""
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    shares = budgets._erk_shares(shapes, sizes, Fraction(density) * sum(sizes.values()))
    return {name: float(share / sizes[name]) for name, share in shares.items()}


LENET = {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)}  # LeNet-300-100: 266,200 weights


@st.composite
def layers(draw, smallest=1):
    """Draw a few layers of small whole numbers, so that ties, zeros and single-element layers are common."""
    sides = st.integers(smallest, 6)
    shapes = draw(st.lists(st.tuples(sides, sides), min_size=1, max_size=4))
    drawn = [draw(st.lists(st.integers(-4, 4), min_size=a * b, max_size=a * b)) for a, b in shapes]
    return {
        f"fc{i}.weight": torch.tensor(numbers, dtype=torch.float32).reshape(shape)
        for i, (shape, numbers) in enumerate(zip(shapes, drawn, strict=True))
    }


shapes_of_layers = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4), min_size=1, max_size=6).map(
    lambda shapes: {f"layer{i}": shape for i, shape in enumerate(shapes)}
)


def total_of(weights):
    return sum(weight.numel() for weight in weights.values())


def counts_of(masks):
    return {name: int(mask.sum()) for name, mask in masks.items()}


def random_weights(levels=None):
    """Draw the weights of two layers, 900 in all; with whole numbers from -levels to levels most are tied."""
    generator = torch.Generator().manual_seed(0)
    weights = {"fc1": torch.randn(30, 20, generator=generator), "fc2": torch.randn(10, 30, generator=generator) / 3}
    return {name: weight.mul(levels).round() for name, weight in weights.items()} if levels else weights


def modules_of(weights):
    """Put each weight into a module of its own, for torch to prune."""
    modules = []
    for weight in weights.values():
        module = nn.Module()
        module.weight = nn.Parameter(weight.clone())
        modules.append((module, "weight"))
    return modules


def assert_pruned_alike(masks, modules):
    for (name, mask), (module, _) in zip(masks.items(), modules, strict=True):
        assert torch.equal(mask, module.weight_mask.bool()), name


@pytest.mark.parametrize("budget", BUDGETS)
@given(layers(), st.data())
def test_every_budget_keeps_exactly_the_number_asked_whatever_the_ties_and_zeros(budget, weights, data):
    kept = data.draw(st.integers(1, total_of(weights)))
    masks = keep_within(weights, kept, budget)

    assert sum(counts_of(masks).values()) == kept
    assert [(name, mask.shape, mask.dtype) for name, mask in masks.items()] == [
        (name, weight.shape, torch.bool) for name, weight in weights.items()
    ]
    for name, mask in masks.items():  # whatever the budget, a layer keeps its largest
        magnitudes = weights[name].abs()
        if mask.any() and not mask.all():
            assert magnitudes[mask].min() >= magnitudes[~mask].max()


@pytest.mark.parametrize("kept", [1, 90, 899, 900])
@pytest.mark.parametrize("levels", [None, 2], ids=["distinct", "tied"])
def test_the_global_budget_prunes_as_torch_does(levels, kept):
    weights = random_weights(levels)
    modules = modules_of(weights)
    prune.global_unstructured(modules, pruning_method=prune.L1Unstructured, amount=900 - kept)

    assert_pruned_alike(keep_within(weights, kept), modules)


@pytest.mark.parametrize("kept", [9, 90, 891])
@pytest.mark.parametrize("levels", [None, 2], ids=["distinct", "tied"])
def test_the_layer_budget_prunes_as_torch_does_layer_by_layer(levels, kept):
    weights = random_weights(levels)
    modules = modules_of(weights)
    for module, name in modules:  # 600 and 300 weights: a third of what is kept is a whole number
        prune.l1_unstructured(module, name, amount=1 - kept / 900)

    assert_pruned_alike(keep_within(weights, kept, "layer"), modules)


@pytest.mark.parametrize("levels", [None, 2], ids=["distinct", "tied"])
def test_the_erk_budget_prunes_as_torch_does_at_the_counts_computed_by_hand(levels):
    weights = random_weights(levels)
    modules = modules_of(weights)
    for (module, name), kept in zip(modules, (50, 40), strict=True):  # 30 + 20 to 10 + 30, of 90
        prune.l1_unstructured(module, name, amount=module.weight.numel() - kept)

    assert_pruned_alike(keep_within(weights, 90, "erk"), modules)


@given(layers(smallest=0), st.data())
def test_the_lamp_budget_has_one_threshold_of_scores(weights, data):
    kept = data.draw(st.integers(0, total_of(weights)))
    if kept == 0:
        with pytest.raises(ValueError, match="got 0"):
            keep_within(weights, kept, "lamp")
        return
    masks = keep_within(weights, kept, "lamp")
    scores = torch.cat([score.flatten() for score in lamp(weights).values()])
    mask = torch.cat([mask.flatten() for mask in masks.values()])

    assert int(mask.sum()) == kept
    assert mask.all() or scores[mask].min() >= scores[~mask].max()


@given(layers(), st.data())
def test_the_lamp_budget_empties_no_layer_while_there_are_weights_for_all(weights, data):
    nonzero = {name for name, weight in weights.items() if weight.any()}
    kept = data.draw(st.integers(max(1, len(nonzero)), total_of(weights)))
    masks = keep_within(weights, kept, "lamp")

    assert all(masks[name].any() for name in nonzero)


def test_the_global_budget_empties_a_layer_of_small_weights_and_the_lamp_budget_does_not():
    weights = {"fc1": torch.linspace(1, 2, 100), "fc2": torch.linspace(0.001, 0.002, 10)}

    assert counts_of(keep_within(weights, 20)) == {"fc1": 20, "fc2": 0}
    assert min(counts_of(keep_within(weights, 20, "lamp")).values()) > 0


@pytest.mark.parametrize("budget", BUDGETS)
def test_weights_that_are_gone_stay_gone(budget):
    weights = random_weights()
    once = keep_within(weights, 300, budget)
    twice = keep_within({name: weight * once[name] for name, weight in weights.items()}, 90, budget)

    assert all((once[name] | ~mask).all() for name, mask in twice.items())


@given(layers(smallest=0), st.data())
def test_counts_are_kept_exactly_and_as_torch_keeps_them(weights, data):
    counts = {name: data.draw(st.integers(0, weight.numel())) for name, weight in weights.items()}
    masks = keep_counts({name: weight.abs() for name, weight in weights.items()}, counts)

    assert counts_of(masks) == counts
    filled = {name: weight for name, weight in weights.items() if weight.numel()}
    modules = modules_of(filled)
    for (module, parameter), name in zip(modules, filled, strict=True):
        prune.l1_unstructured(module, parameter, amount=filled[name].numel() - counts[name])
    assert_pruned_alike({name: masks[name] for name in filled}, modules)


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9])
def test_equal_counts_of_equal_layers_are_a_layer_sparsity(sparsity):
    scores = {"fc1": torch.zeros(20, 10), "fc2": torch.arange(200.0).fmod(7)}
    masks = keep_counts(scores, {name: round(200 * (1 - sparsity)) for name in ("fc2", "fc1")})

    assert list(masks) == ["fc1", "fc2"]
    for name, mask in keep_largest(scores, sparsity, scope="layer").items():
        assert torch.equal(masks[name], mask)


@given(shapes_of_layers, st.floats(1e-4, 1))
def test_erk_densities_solve_the_equation_that_defines_them(shapes, density):
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    asked = density * sum(sizes.values())

    def kept_at(scale):
        return sum(min(size, scale * sum(shapes[name])) for name, size in sizes.items())

    scale = brentq(lambda scale: kept_at(scale) - asked * (1 - 1e-12), 0, max(sizes.values()))
    densities = erk_densities(shapes, density)

    assert densities == pytest.approx(
        {name: min(1, scale * sum(shapes[name]) / size) for name, size in sizes.items()}, rel=1e-6
    )
    assert all(0 < number <= 1 for number in densities.values())
    assert sum(densities[name] * size for name, size in sizes.items()) == pytest.approx(asked, rel=1e-12)


@pytest.mark.parametrize("density", [0.001, 0.01, 0.05])
def test_erk_densities_of_lenet_are_those_of_the_closed_form(density):
    # Dimensions add up to 1,084, 400 and 110; the last layer comes to 1 at a density of 1,594 / 110 · 1,000 / 266,200.
    scale = density * 266_200 / (1_084 + 400 + 110)

    assert erk_densities(LENET, density) == pytest.approx(
        {"fc1": scale * 1_084 / 235_200, "fc2": scale * 400 / 30_000, "fc3": scale * 110 / 1_000}, rel=1e-12
    )


def test_above_its_closed_form_lenet_keeps_its_last_layer_whole():
    densities = erk_densities(LENET, 0.1)  # 26,620 weights, of which the last layer takes its 1,000

    assert densities["fc3"] == 1
    assert densities["fc1"] == pytest.approx(25_620 * 1_084 / 1_484 / 235_200, rel=1e-12)


def test_a_kernel_counts_with_its_two_sides():
    # 4 + 2 + 3 + 3 = 12 of 72 weights, and 10 + 10 = 20 of 100: the 32 weights kept are shared 12 to 20.
    densities = erk_densities({"conv": (4, 2, 3, 3), "fc": (10, 10)}, 32 / 172)

    assert densities == pytest.approx({"conv": 12 / 72, "fc": 20 / 100}, rel=1e-12)


def test_a_layer_kept_whole_may_push_another_over_one():
    shapes = {"small": (2, 2), "middle": (3, 3), "large": (10, 10)}
    # 44 / 30 weights per unit of dimension: 5.9 of 4 and 8.8 of 9. Without the small layer 40 / 26, and 9.2 of 9.
    assert layer_counts(shapes, 44, "erk") == {"small": 4, "middle": 9, "large": 31}
    assert erk_densities(shapes, 44 / 113) == pytest.approx({"small": 1, "middle": 1, "large": 0.31}, rel=1e-12)


@pytest.mark.parametrize(("budget", "counts"), [("layer", (2352, 300, 10)), ("erk", (1810, 668, 184))])
def test_one_percent_of_lenet_is_shared_as_computed_by_hand(budget, counts):
    # "erk": 2,662 / 1,594 times 1,084, 400 and 110 = 1,810.30, 668.01 and 183.70: the last takes what is left over.
    assert tuple(layer_counts(LENET, 2662, budget).values()) == counts


@pytest.mark.parametrize("budget", ["layer", "erk"])
@given(shapes_of_layers, st.data())
def test_counts_add_up_and_are_the_shares_to_less_than_one_weight(budget, shapes, data):
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    total = sum(sizes.values())
    kept = data.draw(st.integers(1, total))
    counts = layer_counts(shapes, kept, budget)
    densities = erk_densities(shapes, kept / total) if budget == "erk" else dict.fromkeys(shapes, kept / total)

    assert list(counts) == list(shapes)
    assert sum(counts.values()) == kept
    remainders = {name: densities[name] * size - math.floor(densities[name] * size) for name, size in sizes.items()}
    for name, count in counts.items():
        assert 0 <= count <= sizes[name]
        assert abs(count - densities[name] * sizes[name]) < 1 + 1e-6
    up = [remainders[name] for name, count in counts.items() if count > densities[name] * sizes[name] + 1e-6]
    down = [remainders[name] for name, count in counts.items() if count < densities[name] * sizes[name] - 1e-6]
    assert not up or not down or min(up) >= max(down) - 1e-6


def test_weights_left_over_go_to_the_largest_remainders_and_among_equals_to_the_first():
    # 33 of 100: 3.3, 6.6 and 23.1.
    assert layer_counts({"a": (10,), "b": (4, 5), "c": (7, 10)}, 33, "layer") == {"a": 3, "b": 7, "c": 23}
    assert layer_counts({"a": (3,), "b": (3,), "c": (3,)}, 5, "layer") == {"a": 2, "b": 2, "c": 1}


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("kept", [0, 901, -1])
def test_a_number_of_weights_that_cannot_be_kept_is_refused(budget, kept):
    with pytest.raises(ValueError, match=f"900 weights stay, 1 to 900; got {kept}"):
        keep_within(random_weights(), kept, budget)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: keep_within(random_weights(), 9, "uniform"), "budget is .*; got 'uniform'"),
        (lambda: layer_counts(LENET, 9, "lamp"), "shapes alone decide .*; got 'lamp'"),
        (lambda: layer_counts({}, 9, "layer"), "at least one layer; got none"),
        (lambda: layer_counts({"fc1": (3, 0)}, 9, "erk"), r"'fc1' has \(3, 0\)"),
        (lambda: layer_counts({"fc1": ()}, 1, "erk"), r"'fc1' has \(\)"),
        (lambda: layer_counts(LENET, 0, "erk"), "1 to 266200; got 0"),
        (lambda: layer_counts(LENET, 399300, "erk"), "1 to 266200; got 399300"),
        (lambda: keep_counts(random_weights(), {"fc1": 3}), "only one of them has fc2"),
        (lambda: keep_counts(random_weights(), {"fc1": 3, "fc2": 301}), "0 to 300, the scores of 'fc2'; got 301"),
        (lambda: keep_counts(random_weights(), {"fc1": 3, "fc2": -1}), "0 to 300, the scores of 'fc2'; got -1"),
        (lambda: keep_counts({"fc1": torch.tensor([math.nan])}, {"fc1": 1}), "1 of 1 of 'fc1' are NaN"),
        (lambda: keep_within({"fc1": torch.tensor([math.nan])}, 1), "1 of 1 of 'fc1' are NaN"),
    ],
)
def test_what_cannot_be_shared_is_refused_in_one_line_with_its_value(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


# How many weights each round keeps.


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
