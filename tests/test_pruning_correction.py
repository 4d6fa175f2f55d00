"""Corrected biases: what a layer lost in the mean comes back, exactly where that can be."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from properties import tries
from prunelab.measure.activations import mean_inputs, trace
from prunelab.models import build
from prunelab.pruning import below_threshold, keep_largest, magnitude, masked, percentile, prunable
from prunelab.pruning.reconstruction import corrected_biases

LAYERS = ["affine1", "affine2", "final-affine"]


def net(seed: int = 0) -> nn.Sequential:
    return build("acoustic-20-12-sigmoid", inputs=30, classes=7, generator=torch.Generator().manual_seed(seed))


def frames(count: int = 400) -> Tensor:
    return 0.5 + torch.randn(count, 30, generator=torch.Generator().manual_seed(5))


def kept(model: nn.Sequential, sign: str = "positive", layers: list[str] | None = None) -> dict[str, Tensor]:
    return below_threshold(prunable(model, layers), 0.4, sign)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("sign", ["abs", "positive", "negative"])
def test_a_pruned_layer_gets_its_mean_pre_activations_back(layer: str, sign: str) -> None:
    model, x = net(), frames()
    masks = kept(model, sign, [layer])
    weights = masked(prunable(model, [layer]), masks)
    before, pruned, corrected = (
        {one.layer: one.mean for one in trace(model, x, setting).layers}
        for setting in ({}, weights, {**weights, **corrected_biases(model, masks, mean_inputs(model, x))})
    )

    assert float((pruned[layer] - before[layer]).abs().max()) > 0.05
    np.testing.assert_allclose(corrected[layer], before[layer], atol=2e-6)


def test_the_bias_takes_up_the_removed_weights_times_the_mean_input() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        model[0].bias.copy_(torch.tensor([10.0, 20.0]))
    masks = {"0.weight": torch.tensor([[True, False, False], [True, True, True]])}
    found = corrected_biases(model, masks, {"0": torch.tensor([7.0, 0.5, -1.0])})

    assert list(found) == ["0.bias"]
    assert found["0.bias"].tolist() == [10 + 2 * 0.5 - 3, 20]
    assert model[0].bias.tolist() == [10, 20]  # nothing is written


@pytest.mark.parametrize(
    "choose",
    [
        lambda weights: keep_largest(magnitude(weights), 0.5),
        lambda weights: percentile(weights, 0.5),
        lambda weights: below_threshold(weights, float("inf")),
    ],
    ids=["global", "percentile", "everything"],
)
def test_any_masks_do_and_the_first_layers_means_are_always_kept(choose) -> None:  # type: ignore[no-untyped-def]
    model, x = net(), frames()
    masks = choose(prunable(model))
    setting = masked(prunable(model), masks) | corrected_biases(model, masks, mean_inputs(model, x))
    before, after = trace(model, x).layers, trace(model, x, setting).layers

    np.testing.assert_allclose(after[0].mean, before[0].mean, atol=2e-6)
    assert set(corrected_biases(model, masks, mean_inputs(model, x))) == {f"{layer}.bias" for layer in LAYERS}


@pytest.mark.parametrize("sign", ["positive", "negative"])
def test_in_a_net_pruned_throughout_the_shifts_are_smaller_with_correction(sign: str) -> None:
    model, x = net(), frames()
    masks = kept(model, sign)
    weights = masked(prunable(model), masks)
    biases = corrected_biases(model, masks, mean_inputs(model, x))
    before, pruned, corrected = (trace(model, x, setting).layers for setting in ({}, weights, weights | biases))

    for one, without, with_ in zip(before, pruned, corrected, strict=True):
        assert (with_.mean - one.mean).norm() < 0.5 * (without.mean - one.mean).norm()


@tries(20)
@given(seed=st.integers(0, 30), sign=st.sampled_from(["abs", "positive", "negative"]))
def test_a_threshold_of_zero_moves_no_bias(seed: int, sign: str) -> None:
    model = net(seed)
    masks = below_threshold(prunable(model), 0.0, sign)
    for name, bias in corrected_biases(model, masks, mean_inputs(model, frames(20))).items():
        assert torch.equal(bias, model.get_parameter(name))


def test_biases_keep_their_type_and_layers_without_a_mask_their_bias() -> None:
    model = net().double()
    found = corrected_biases(model, kept(model, layers=["affine2"]), mean_inputs(net(), frames()))

    assert {name: bias.dtype for name, bias in found.items()} == {"affine2.bias": torch.float64}


@pytest.mark.parametrize(
    ("means", "found"),
    [({}, "got nothing"), ({"affine1": torch.zeros(29)}, r"has 30 inputs, got \(29,\)")],
)
def test_a_missing_or_misfit_mean_is_named(means: dict[str, Tensor], found: str) -> None:
    with pytest.raises(ValueError, match=f"'affine1'.*{found}"):
        corrected_biases(net(), kept(net(), layers=["affine1"]), means)


@pytest.mark.parametrize(
    "model",
    [nn.Sequential(nn.Linear(3, 2, bias=False)), nn.Sequential(nn.Conv2d(1, 1, 2))],
    ids=["no bias", "convolution"],
)
def test_only_linear_layers_with_a_bias_are_corrected(model: nn.Sequential) -> None:
    with pytest.raises(ValueError, match=r"linear layer with a bias; '0.weight' is none"):
        corrected_biases(model, below_threshold(prunable(model), 0.1), {"0": torch.zeros(3)})


def test_masks_are_checked() -> None:
    with pytest.raises(TypeError, match="bool"):
        corrected_biases(net(), {"affine1.weight": torch.ones(20, 30)}, mean_inputs(net(), frames()))
    with pytest.raises(ValueError, match=r"no 'affine9\.weight'"):
        corrected_biases(net(), {"affine9.weight": torch.ones(2, 2, dtype=torch.bool)}, {})
