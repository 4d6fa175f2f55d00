import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from prunelab import pruning
from prunelab.pruning import selection

AMOUNTS = [0.0, 0.004, 0.3, 0.5, 0.9, 0.97]


def net(levels, dtype=torch.float32):
    """Build a convolution and two linear layers; whole weights from -levels to levels make as many ties as wanted."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(200, 30), nn.Linear(30, 10)).to(dtype)
    generator = torch.Generator().manual_seed(levels)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-levels, levels + 1, parameter.shape, generator=generator))
    return model


def torch_masks(model):
    """Read the masks that torch made, without our own reader."""
    return {
        name.removesuffix("_mask"): buffer.bool() for name, buffer in model.named_buffers() if name.endswith("_mask")
    }


def assert_same(ours, theirs):
    assert list(ours) == list(theirs)
    for name, mask in ours.items():
        assert torch.equal(mask, theirs[name]), name


def parameters_of(model):
    return [(module, "weight") for module in model if hasattr(module, "weight")]


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("levels", [0, 1, 5, 10**6], ids=["all tied", "three values", "eleven", "hardly tied"])
def test_global_magnitude_masks_are_those_of_torch(levels, amount):
    model = net(levels)
    ours = pruning.keep_largest(pruning.magnitude(pruning.prunable(model)), amount)
    prune.global_unstructured(parameters_of(model), pruning_method=prune.L1Unstructured, amount=amount)

    assert_same(ours, torch_masks(model))


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("levels", [0, 1, 5, 10**6], ids=["all tied", "three values", "eleven", "hardly tied"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_layer_magnitude_masks_are_those_of_torch(levels, amount, dtype):
    model = net(min(levels, 50) if dtype == torch.float16 else levels, dtype)
    ours = pruning.keep_largest(pruning.magnitude(pruning.prunable(model)), amount, scope="layer")
    for module, name in parameters_of(model):
        prune.l1_unstructured(module, name, amount=amount)

    assert_same(ours, torch_masks(model))


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_random_masks_are_those_of_torch_at_the_same_seed(amount, dtype):
    model = net(5, dtype)
    scores = pruning.random(pruning.prunable(model), torch.Generator().manual_seed(11))
    by_layer = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        for module, name in parameters_of(by_layer):
            prune.random_unstructured(module, name, amount=amount)
        torch.manual_seed(11)
        prune.global_unstructured(parameters_of(model), pruning_method=prune.RandomUnstructured, amount=amount)

    assert_same(pruning.keep_largest(scores, amount, scope="layer"), torch_masks(by_layer))
    if dtype == torch.float32:  # bfloat16 draws are grouped, so torch's one long draw is not three short ones
        assert_same(pruning.keep_largest(scores, amount), torch_masks(model))


def test_random_scores_use_their_generator_alone():
    weights = {"fc1.weight": torch.zeros(4, 5), "fc2.weight": torch.zeros(0, 3)}
    state = torch.get_rng_state()
    generator = torch.Generator().manual_seed(0)
    first, second = pruning.random(weights, generator), pruning.random(weights, generator)

    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first["fc1.weight"], second["fc1.weight"])
    assert ((first["fc1.weight"] > -1) & (first["fc1.weight"] <= 0)).all()


def test_magnitude_is_the_absolute_value_without_a_gradient():
    weight = nn.Parameter(torch.tensor([-2.0, 0.0, 1.5]))
    scores = pruning.magnitude({"fc1.weight": weight})["fc1.weight"]

    assert scores.tolist() == [2.0, 0.0, 1.5]
    assert not scores.requires_grad


def lamp_by_definition(numbers):
    """Score each number by equation 1 of Lee et al. (2021), one double loop; equal ones stand in their order."""
    ranks = [(abs(number), i) for i, number in enumerate(numbers)]
    sums = [math.fsum(v * v for v, other in zip(numbers, ranks, strict=True) if other >= rank) for rank in ranks]
    return [number * number / total if number else 0.0 for number, total in zip(numbers, sums, strict=True)]


@given(st.lists(st.one_of(st.integers(-3, 3), st.floats(-100, 100, width=32)), max_size=40))
def test_lamp_scores_are_those_of_a_double_loop_over_the_definition(numbers):
    numbers = [0.0 if abs(number) < 1e-20 else float(number) for number in numbers]
    scores = pruning.lamp({"fc1.weight": torch.tensor(numbers, dtype=torch.float64)})["fc1.weight"]

    np.testing.assert_allclose(scores.numpy(), lamp_by_definition(numbers), rtol=1e-12)


def test_lamp_scores_of_three_weights_are_those_computed_by_hand():
    scores = pruning.lamp({"fc1.weight": torch.tensor([[3.0, -1.0], [2.0, 0.0]])})["fc1.weight"]

    torch.testing.assert_close(scores, torch.tensor([[1.0, 1 / 14], [4 / 13, 0.0]]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_one_weight_of_each_layer_scores_one_and_the_others_at_most_a_half(dtype):
    model = net(5, dtype)
    for name, scores in pruning.lamp(pruning.prunable(model)).items():
        assert scores.dtype == dtype
        assert int((scores == 1).sum()) == 1
        assert int((scores > 0.5).sum()) == 1
        weight = model.get_parameter(name)
        assert not scores.requires_grad
        assert weight.abs()[scores == 1] == weight.abs().max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_lamp_sums_narrow_types_in_float64(dtype):
    weight = torch.randn(300, 400, generator=torch.Generator().manual_seed(0)).to(dtype)

    assert torch.equal(pruning.lamp({"w": weight})["w"], pruning.lamp({"w": weight.double()})["w"].to(dtype))


def test_lamp_orders_a_layer_as_magnitude_does():
    weight = torch.randn(50, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scores = pruning.lamp({"fc1.weight": weight})["fc1.weight"]

    assert torch.equal(scores.flatten().argsort(), weight.abs().flatten().argsort())


@pytest.mark.parametrize("scale", [2.0**-600, 0.25, 2.0**600])
def test_lamp_does_not_depend_on_the_scale_of_a_layer(scale):
    weight = torch.randn(30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    assert torch.equal(pruning.lamp({"w": weight * scale})["w"], pruning.lamp({"w": weight})["w"])


def test_lamp_scores_of_layers_without_a_nonzero_weight_are_zeros():
    scores = pruning.lamp({"fc1.weight": torch.zeros(4, 5), "fc2.weight": torch.zeros(0, 3)})

    assert torch.equal(scores["fc1.weight"], torch.zeros(4, 5))
    assert scores["fc2.weight"].shape == (0, 3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_lamp_refuses_weights_without_a_finite_square_sum_and_names_the_layer(bad):
    with pytest.raises(ValueError, match=r"'fc1\.weight'.*diverged"):
        pruning.lamp({"fc1.weight": torch.tensor([1.0, bad])})


@pytest.fixture(params=[10**9, 0], ids=["every origin kept", "tied ones followed"])
def either_way(request, monkeypatch):
    if not selection._replay_agrees():
        pytest.skip("another C++ library: torch.topk is asked instead")
    monkeypatch.setattr(selection, "_FOLLOWED_SHARE", request.param)
    monkeypatch.setattr(selection, "_BLOCK", 7)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("seed", range(60))
def test_the_replayed_choice_among_equal_scores_is_that_of_topk(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, rng.integers(1, 30), rng.integers(1, 400)).astype(np.float32)
    count = int(rng.integers(len(scores) // 64 + 1, len(scores) + 1))
    cut = float(np.sort(scores)[count - 1])
    chosen = torch.topk(torch.from_numpy(scores), count, largest=False).indices.numpy()

    assert set(selection._replayed(scores.copy(), count, cut).tolist()) == set(chosen[scores[chosen] == cut].tolist())


def test_the_replay_agrees_with_topk_on_many_blocks_of_scores():
    scores = torch.randn(300_000, generator=torch.Generator().manual_seed(0)).mul(100).round().abs().numpy()
    for count in (30_000, 200_000, 299_000):
        cut = float(np.sort(scores)[count - 1])
        halves = [scores[:1000], scores[1000:]]

        np.testing.assert_array_equal(
            selection.removed_at_cut(halves, count, cut), selection._asked_of_torch(scores, count, cut)
        )


def slow_scores(n, nth):
    """Let an adversary choose the scores while introselect compares them, so that each round gets rid of a few only.

    Source: McIlroy, "A Killer Adversary for Quicksort", 1999.
    """
    gas = n
    values = [gas] * n
    order = list(range(n))
    solid, candidate = 0, 0

    def below(one, other):
        nonlocal solid, candidate
        x, y = order[one], order[other]
        if values[x] == values[y] == gas:
            values[x if x == candidate else y] = solid
            solid += 1
        candidate = x if values[x] == gas else y if values[y] == gas else candidate
        return values[x] < values[y]

    first, last = 0, n
    for _ in range(2 * (n.bit_length() - 1)):
        a, b, c = first + 1, first + (last - first) // 2, last - 1
        if below(a, b):
            median = b if below(b, c) else c if below(a, c) else a
        else:
            median = a if below(a, c) else c if below(b, c) else b
        order[first], order[median] = order[median], order[first]
        up, down = first + 1, last
        while True:
            while below(up, first):
                up += 1
            down -= 1
            while below(first, down):
                down -= 1
            if up >= down:
                break
            order[up], order[down] = order[down], order[up]
            up += 1
        first, last = (up, last) if up <= nth else (first, up)
    return np.array(values, dtype=np.float32)


def test_scores_built_to_be_slow_are_left_to_torch_and_still_chosen_as_torch_does():
    count = 1800
    scores = slow_scores(2000, count - 1)
    cut = float(np.sort(scores)[count - 1])

    assert selection._replayed(scores.copy(), count, cut) is None
    chosen = torch.topk(torch.from_numpy(scores), count, largest=False).indices.numpy()
    np.testing.assert_array_equal(
        selection.removed_at_cut([scores], count, cut), np.sort(chosen[scores[chosen] == cut])
    )


@given(st.lists(st.integers(0, 6), min_size=1, max_size=200), st.floats(0, 1, exclude_max=True))
def test_single_layer_masks_are_those_of_torch_whatever_the_ties(numbers, amount):
    scores = torch.tensor(numbers, dtype=torch.float32)
    module = nn.Module()
    module.weight = nn.Parameter(scores.clone())
    ours = pruning.keep_largest(pruning.magnitude({"weight": scores}), amount)
    prune.l1_unstructured(module, "weight", amount=amount)

    assert_same(ours, torch_masks(module))
