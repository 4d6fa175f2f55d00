"""Gradients accumulated over batches, and the criteria made of them."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from made_nets import examples, net, specs
from properties import tries
from prunelab.pruning import prunable
from prunelab.pruning.criteria import accumulate, gradient, saliency


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


@given(spec=specs(), seed=st.integers(0, 99), batch_size=st.integers(1, 25))
@tries(15)
def test_the_mean_is_the_gradient_of_the_mean_loss_whatever_the_batches(spec: str, seed: int, batch_size: int) -> None:
    model, split = net(spec, seed=seed), examples(20, seed=seed)
    found, expected = accumulate(model, split.x, split.y, batch_size=batch_size), by_torch(model, split.x, split.y)

    assert list(found) == list(prunable(model))
    for name, own in found.items():
        torch.testing.assert_close(own, expected[name], rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 99), batch_size=st.integers(1, 20))
@tries(15)
def test_magnitudes_do_not_cancel(seed: int, batch_size: int) -> None:
    model, split = net("mlp-4-tanh", seed=seed), examples(20, seed=seed)
    means = accumulate(model, split.x, split.y)
    sizes = accumulate(model, split.x, split.y, batch_size=batch_size, absolute=True)
    whole = accumulate(model, split.x, split.y, batch_size=20, absolute=True)

    for name in means:
        assert bool((sizes[name] >= means[name].abs() - 1e-12).all())
        torch.testing.assert_close(whole[name], means[name].abs())


def test_a_net_is_left_as_it_was_frozen_training_or_with_gradients_of_its_own() -> None:
    model, split = net("conv-3k3p-4-bn"), examples(12)
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
    model, split = net("mlp-5-relu"), examples(10)
    split.x[:, :, 0, 0] = 0
    scores = gradient(accumulate(model, split.x, split.y))["fc1.weight"].view(5, 2, 81)

    assert not bool(scores[:, :, 0].any())
    assert bool(scores[:, :, 1].any())


def test_saliency_is_the_derivative_by_a_factor_on_each_weight() -> None:
    model, split = net("conv-3k3p-4-tanh"), examples(15)
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
