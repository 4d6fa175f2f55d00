"""Networks built from specs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from prunelab import models
from prunelab.pruning import prunable


def built(spec: str, *, inputs: int = 784, classes: int = 10, seed: int = 0) -> nn.Sequential:
    return models.build(spec, inputs=inputs, classes=classes, generator=torch.Generator().manual_seed(seed))


def test_lenet_300_100_has_the_published_266200_weights_and_410_biases() -> None:
    # 784*300 + 300*100 + 100*10 and 300 + 100 + 10, as in Han et al. (2015), table 3: 267K parameters.
    model = built("lenet-300-100")
    weights = prunable(model)

    assert sum(weight.numel() for weight in weights.values()) == 266_200
    assert sum(p.numel() for name, p in model.named_parameters() if name not in weights) == 410


@pytest.mark.parametrize(
    ("spec", "activations"),
    [
        ("lenet-300-100", ("relu", "relu")),
        ("lenet-300-100-tanh", ("tanh", "tanh")),
        ("mlp-64-relu", ("relu",)),
        ("mlp-5-6-7-sigmoid-none-relu", ("sigmoid", "none", "relu")),
    ],
)
def test_a_spec_names_one_activation_for_all_layers_or_one_each(spec: str, activations: tuple[str, ...]) -> None:
    assert models.parse(spec).activations == activations


@pytest.mark.parametrize(
    "spec", ["", "vgg-16", "lenet", "lenet-relu", "lenet-300-0", "lenet-300-gelu", "mlp-8-relu-tanh"]
)
def test_a_spec_that_cannot_be_read_is_refused_in_one_line(spec: str) -> None:
    with pytest.raises(ValueError, match=r"model spec|activation") as refused:
        models.parse(spec)

    assert "\n" not in str(refused.value)


def test_a_removed_activation_makes_two_layers_one_linear_map() -> None:
    model = built("mlp-6-5-none", inputs=4, classes=3).double()
    x = torch.randn(7, 4, dtype=torch.float64)
    layers = [model.get_submodule(name) for name in models.linear_layers(model)]
    product = layers[2].weight @ layers[1].weight @ layers[0].weight

    torch.testing.assert_close(model(x), x @ product.T)  # biases start at zero


@given(
    widths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    activation=st.sampled_from(["relu", "tanh", "sigmoid", "none"]),
)
def test_every_spec_maps_images_to_one_logit_a_class(widths: list[int], activation: str) -> None:
    model = built("-".join(["mlp", *map(str, widths), activation]), inputs=12, classes=3)

    assert model(torch.zeros(5, 3, 2, 2)).shape == (5, 3)
    assert models.linear_layers(model) == [f"fc{depth}" for depth in range(1, len(widths) + 2)]


def test_the_seed_alone_decides_the_initial_weights() -> None:
    torch.manual_seed(1)
    one = built("mlp-8", seed=3).state_dict()
    torch.manual_seed(2)
    same, other = built("mlp-8", seed=3).state_dict(), built("mlp-8", seed=4).state_dict()

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["fc1.weight"], other["fc1.weight"])


def test_initial_weights_have_glorots_standard_deviation_times_the_activations_gain() -> None:
    for activation, gain in {"relu": math.sqrt(2), "tanh": 1.0, "sigmoid": 4.0}.items():
        weight = built(f"mlp-300-{activation}").get_parameter("fc1.weight").detach()

        # 235,200 draws: the sample deviation is within 1 % of the true one, 6 standard errors.
        assert float(weight.std()) == pytest.approx(gain * math.sqrt(2 / 1084), rel=0.01)


def test_each_layer_has_the_gain_of_its_own_activation_and_the_logits_have_none() -> None:
    model = built("mlp-300-300-sigmoid-relu", inputs=300, classes=300)

    for name, gain in {"fc1": 4.0, "fc2": math.sqrt(2), "fc3": 1.0}.items():
        # 90,000 draws: the sample deviation is within 1.5 % of the true one, 6 standard errors.
        deviation = float(model.get_parameter(f"{name}.weight").detach().std())
        assert deviation == pytest.approx(gain * math.sqrt(2 / 600), rel=0.015)
    assert not any(bool(bias.any()) for name, bias in model.named_parameters() if name.endswith("bias"))


def test_weight_rms_pools_all_weights() -> None:
    assert models.weight_rms([torch.tensor([3.0]), torch.tensor([[4.0, 0.0], [0.0, 0.0]])]) == math.sqrt(25 / 5)


def test_no_weights_have_no_scale() -> None:
    with pytest.raises(ValueError, match="at least one weight"):
        models.weight_rms([torch.zeros(0, 3)])


def test_a_spec_of_a_million_layers_is_refused_before_it_is_laid_out() -> None:
    with pytest.raises(ValueError, match="at most 1000 hidden layers"):
        models.parse("acoustic-1000000x16")
