import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

import made_nets
from properties import tries
from prunelab import pruning
from prunelab.pruning import prunable, selection
from prunelab.pruning.criteria import accumulate, gradient, saliency, unit_norm
from prunelab.pruning.thresholds import in_deviations

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

    torch.testing.assert_close(scores, torch.tensor([[1.0, 1 / 14], [4 / 13, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_one_weight_of_each_layer_scores_one_and_the_others_at_most_a_half(dtype):
    model = net(5, dtype)
    for name, scores in pruning.lamp(pruning.prunable(model)).items():
        assert int((scores == 1).sum()) == 1
        assert int((scores > 0.5).sum()) == 1
        weight = model.get_parameter(name)
        assert not scores.requires_grad
        assert weight.abs()[scores == 1] == weight.abs().max()


CRITERIA = {
    "magnitude": lambda weight, slope: pruning.magnitude({"w": weight}),
    "lamp": lambda weight, slope: pruning.lamp({"w": weight}),
    "gradient": lambda weight, slope: gradient({"w": slope}),
    "saliency": lambda weight, slope: saliency({"w": weight}, {"w": slope}),
    "deviations": lambda weight, slope: in_deviations({"w": weight}),
    "unit norm": lambda weight, slope: {"w": unit_norm(weight)},
}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_narrow_types_are_ranked_as_the_same_numbers_in_float64(criterion, dtype):
    generator = torch.Generator().manual_seed(0)
    weight, slope = ((1e-3 * torch.randn(300, 400, generator=generator)).to(dtype) for _ in range(2))
    scores, wide = (CRITERIA[criterion](*pair)["w"] for pair in ((weight, slope), (weight.double(), slope.double())))

    assert torch.equal(scores.double(), wide)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_lamp_of_one_layer_removes_no_larger_weight_than_it_keeps(dtype):
    weight = (0.02 * torch.randn(300, 400, generator=torch.Generator().manual_seed(0))).to(dtype)
    kept = pruning.keep_within({"w": weight}, 114_000, "lamp")["w"]

    assert weight[~kept].abs().max() <= weight[kept].abs().min()


def test_mean_gradients_in_half_precision_are_not_rounded_to_what_it_holds():
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.weight.zero_(), model.bias.zero_()
    x, y = torch.full((100, 4), 2.0**-20), torch.zeros(100, dtype=torch.int64)
    found = accumulate(model.half(), x.half(), y)["weight"]

    # Each class has a third of the probability: (1/3 - 1) x for the right one, x / 3 for the others.
    expected = 2.0**-20 * torch.tensor([[-2 / 3], [1 / 3], [1 / 3]]).expand(3, 4)
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=0)


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


@pytest.mark.parametrize("seed", range(60))
def test_the_choice_among_equal_scores_is_that_of_topk(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, rng.integers(1, 30), rng.integers(2, 400)).astype(np.float32)
    count = int(rng.integers(1, len(scores)))
    kept = selection.kept_after_removing(
        [torch.from_numpy(part) for part in np.split(scores, [len(scores) // 3])], count
    )
    removed = torch.topk(torch.from_numpy(scores), count, largest=False).indices

    assert set(torch.cat(kept).logical_not().nonzero().flatten().tolist()) == set(removed.tolist())


@given(st.lists(st.integers(0, 6), min_size=1, max_size=200), st.floats(0, 1, exclude_max=True))
def test_single_layer_masks_are_those_of_torch_whatever_the_ties(numbers, amount):
    scores = torch.tensor(numbers, dtype=torch.float32)
    module = nn.Module()
    module.weight = nn.Parameter(scores.clone())
    ours = pruning.keep_largest(pruning.magnitude({"weight": scores}), amount)
    prune.l1_unstructured(module, "weight", amount=amount)

    assert_same(ours, torch_masks(module))


# Gradients accumulated over batches, and the criteria made of them.


def by_torch(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    """The gradient of the mean loss, by backward() on a copy."""
    clone = copy.deepcopy(model).eval().requires_grad_()
    nn.functional.cross_entropy(clone(x), y).backward()
    return {name: clone.get_parameter(name).grad for name in prunable(model)}


def blank() -> tuple[nn.Linear, torch.Tensor, torch.Tensor]:
    """All weights 0: both classes have probability 1/2, and the gradient of an example is (1/2 - one-hot) xᵀ."""
    layer = nn.Linear(2, 2)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer, torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([0, 1])


def test_gradients_of_two_examples_by_hand() -> None:
    # Example one: -1/2 (1, 2) in the first row; example two: +1/2 (3, -1). The second row is the negative of the first.
    model, x, y = blank()

    assert accumulate(model, x, y)["weight"].tolist() == [[0.5, -0.75], [-0.5, 0.75]]
    assert accumulate(model, x, y, batch_size=1, absolute=True)["weight"].tolist() == [[1.0, 0.75], [1.0, 0.75]]


def test_a_smaller_last_batch_counts_by_its_examples() -> None:
    # Batches {1, 2} and {3}, where example three is the first again: |2 · (.5, -.75)| and |1 · (-.5, -1)|, over 3.
    model, x, y = blank()
    found = accumulate(model, torch.cat([x, x[:1]]), torch.cat([y, y[:1]]), batch_size=2, absolute=True)

    torch.testing.assert_close(found["weight"][0], torch.tensor([1.5, 2.5]) / 3)


@given(spec=made_nets.specs(), seed=st.integers(0, 99), batch_size=st.integers(1, 25))
@tries(15)
def test_the_mean_is_the_gradient_of_the_mean_loss_whatever_the_batches(spec: str, seed: int, batch_size: int) -> None:
    model, split = made_nets.net(spec, seed=seed), made_nets.examples(20, seed=seed)
    found, expected = accumulate(model, split.x, split.y, batch_size=batch_size), by_torch(model, split.x, split.y)

    assert list(found) == list(prunable(model))
    for name, own in found.items():
        torch.testing.assert_close(own, expected[name], rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 99), batch_size=st.integers(1, 20))
@tries(15)
def test_magnitudes_do_not_cancel(seed: int, batch_size: int) -> None:
    model, split = made_nets.net("mlp-4-tanh", seed=seed), made_nets.examples(20, seed=seed)
    means = accumulate(model, split.x, split.y)
    sizes = accumulate(model, split.x, split.y, batch_size=batch_size, absolute=True)
    whole = accumulate(model, split.x, split.y, batch_size=20, absolute=True)

    for name in means:
        assert bool((sizes[name] >= means[name].abs() - 1e-12).all())
        torch.testing.assert_close(whole[name], means[name].abs())


def test_a_net_is_left_as_it_was_frozen_training_or_with_gradients_of_its_own() -> None:
    model, split = made_nets.net("conv-3k3p-4-bn"), made_nets.examples(12)
    frozen = copy.deepcopy(model).requires_grad_(False)
    model.train()
    weight = model.get_parameter("conv1.weight")
    weight.grad = torch.full_like(weight, 7.0)
    before = copy.deepcopy(model.state_dict())
    found = accumulate(model, split.x, split.y)

    assert model.training
    assert all(bool((model.state_dict()[name] == own).all()) for name, own in before.items())  # statistics too
    assert bool((weight.grad == 7).all())
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    for name, own in accumulate(frozen, split.x, split.y).items():
        torch.testing.assert_close(own, found[name], rtol=0, atol=0)


def test_gradients_are_had_where_none_are_recorded() -> None:
    model, x, y = blank()
    with torch.no_grad():
        assert bool(accumulate(model, x, y)["weight"].any())


def test_a_weight_from_an_input_that_is_always_zero_goes_first() -> None:
    model, split = made_nets.net("mlp-5-relu"), made_nets.examples(10)
    split.x[:, :, 0, 0] = 0
    scores = gradient(accumulate(model, split.x, split.y))["fc1.weight"].view(5, 2, 81)

    assert not bool(scores[:, :, 0].any())
    assert bool(scores[:, :, 1].any())


def test_saliency_is_the_derivative_by_a_factor_on_each_weight() -> None:
    model, split = made_nets.net("conv-3k3p-4-tanh"), made_nets.examples(15)
    weights = prunable(model)
    factors = {name: torch.ones_like(own, requires_grad=True) for name, own in weights.items()}
    scaled = {name: own * factors[name] for name, own in weights.items()}
    loss = nn.functional.cross_entropy(torch.func.functional_call(model, scaled, (split.x,)), split.y)
    expected = torch.autograd.grad(loss, list(factors.values()))
    found = saliency(weights, accumulate(model, split.x, split.y))

    for own, derivative in zip(found.values(), expected, strict=True):
        torch.testing.assert_close(own, derivative.abs())


def test_criteria_by_hand_are_plain_new_tensors() -> None:
    weights, slopes = {"w": torch.tensor([[2.0, -3.0]])}, {"w": torch.tensor([[-0.5, 0.0]])}

    assert gradient(slopes)["w"].tolist() == [[0.5, 0.0]]
    assert saliency(weights, slopes)["w"].tolist() == [[1.0, 0.0]]
    assert slopes["w"].tolist() == [[-0.5, 0.0]]


@pytest.mark.parametrize(
    ("gradients", "named"),
    [({}, "'a'"), ({"a": torch.ones(3)}, "'a'"), ({"a": torch.ones(2), "b": torch.ones(2)}, "'b'")],
    ids=["missing", "another shape", "one too many"],
)
def test_a_weight_without_a_gradient_of_its_shape_is_refused(gradients: dict[str, torch.Tensor], named: str) -> None:
    with pytest.raises(ValueError, match=f"every weight has a gradient of its shape; for {named}"):
        saliency({"a": torch.ones(2)}, gradients)


def test_what_is_no_number_is_refused() -> None:
    odd, fine = {"w": torch.tensor([1.0, float("nan")])}, {"w": torch.ones(2)}
    with pytest.raises(ValueError, match="gradients"):
        gradient(odd)
    with pytest.raises(ValueError, match="weights"):
        saliency(odd, fine)
    with pytest.raises(ValueError, match="gradients"):
        saliency(fine, odd)


@pytest.mark.parametrize(("x", "y", "batch_size"), [(0, 0, 5), (2, 1, 5), (2, 2, 0)])
def test_examples_that_cannot_be_measured_on_are_refused(x: int, y: int, batch_size: int) -> None:
    model, inputs, classes = blank()
    with pytest.raises(ValueError, match="examples with their classes"):
        accumulate(model, inputs[:x], classes[:y], batch_size=batch_size)


def test_a_net_that_has_diverged_is_named() -> None:
    model, x, y = blank()
    nn.init.constant_(model.weight, float("inf"))
    with pytest.raises(ValueError, match="'weight' are not: did the training diverge"):
        accumulate(model, x, y)
