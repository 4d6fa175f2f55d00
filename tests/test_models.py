"""Networks built from specs."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from made_nets import parameters_of
from properties import tries
from prunelab import models
from prunelab.models import build, is_conv, parse_conv
from prunelab.models.conv import Convolution
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


# Convolutional nets.


def built_conv(spec: str, *, shape: tuple[int, ...] = (3, 32, 32), classes: int = 10, seed: int = 0) -> nn.Sequential:
    return build(spec, inputs=shape, classes=classes, generator=torch.Generator().manual_seed(seed))


def test_medium_conv_has_the_parameters_of_its_source() -> None:
    # 32 -5-> 28 -> 14 -3-> 12 -> 6 -3-> 4 -> 2: 256 · 2 · 2 inputs of the first linear layer.
    layers = {
        "conv1": 3 * 64 * 25 + 64,
        "conv2": 64 * 128 * 9 + 128,
        "conv3": 128 * 256 * 9 + 256,
        "fc1": 1024 * 1024 + 1024,
        "fc2": 1024 * 256 + 256,
        "fc3": 256 * 10 + 10,
    }
    model = built_conv("medium-conv")

    assert {name: parameters_of(module) for name, module in model.named_children() if name in layers} == layers
    assert parameters_of(model) == sum(layers.values()) == 1_688_458


def test_vgg_11_has_eight_convolutions_and_the_outputs_straight_behind() -> None:
    widths = [3, 64, 128, 256, 256, 512, 512, 512, 512]
    convolutions = sum(9 * a * b + b for a, b in pairwise(widths))
    model = built_conv("vgg-11")

    # 1,792 + 73,856 + 295,168 + 590,080 + 1,180,160 + 3 · 2,359,808, as in torchvision's vgg11; then 512 · 10 + 10,
    # as five poolings leave one position of 32×32.
    assert convolutions == 9_220_480
    assert parameters_of(model) == convolutions + 5_130
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_layers_stand_in_order_under_their_names() -> None:
    plain, normal = built_conv("conv-4k3p-5k3-6-tanh"), built_conv("conv-4k3p-5k3-6-bn")

    assert list(dict(plain.named_children())) == (
        ["conv1", "act1", "pool1", "conv2", "act2", "flatten", "fc1", "act3", "fc2"]
    )
    assert list(dict(normal.named_children())) == (
        ["conv1", "bn1", "act1", "pool1", "conv2", "bn2", "act2", "flatten", "fc1", "act3", "fc2"]
    )
    assert [type(plain.get_submodule(name)) for name in ("act1", "act2", "act3")] == [nn.Tanh] * 3


def test_a_scale_multiplies_all_widths() -> None:
    net = parse_conv("medium-conv-x0.3125")

    assert [layer.channels for layer in net.convolutions] == [20, 40, 80]
    assert net.widths == (320, 80)
    assert [layer.kernel for layer in net.convolutions] == [5, 3, 3]
    assert parse_conv("conv-10k3-6-x0.5-x0.5").convolutions[0].channels == 2  # 2.5, to the even neighbour
    assert parse_conv("medium-conv-x1") == parse_conv("medium-conv")


def test_words_behind_a_named_net_or_among_the_layers_hold_for_all_of_it() -> None:
    net = parse_conv("medium-conv-bn-sigmoid-same")

    assert (net.same, net.batch_norm, net.activation) == (True, True, "sigmoid")
    assert net.convolutions == parse_conv("medium-conv").convolutions
    assert parse_conv("conv-same-8k3p").convolutions == (Convolution(channels=8, kernel=3, pool=True),)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("conv", "at least one convolution"),
        ("conv-64", "at least one convolution"),
        ("conv-same-bn", "at least one convolution"),
        ("conv-8k3-16-8k3", "convolutions stand before the linear layers"),
        ("medium-conv-8k3", "convolutions stand before the linear layers"),
        ("conv-0k3", "from 1 to 65536"),
        ("conv-8k3-0", "from 1 to 65536"),
        ("conv-8k3-70000", "from 1 to 65536"),
        ("medium-conv-x0.001", "from 1 to 65536"),
        ("medium-conv-x0", "from 1 to 65536"),
        ("conv-8k3-x" + 400 * "9", "from 1 to 65536"),
        ("conv-8k0", "at least 1 row and column"),
        ("conv-8x3", "has '8x3'"),
        ("conv-8k3pp", "has '8k3pp'"),
        ("conv-8k3-gelu", "has 'gelu'"),
        ("conv-8k3-", "has ''"),
        ("conv--8k3", "has ''"),
        ("conv-8k3-x-1", "has 'x'"),
        ("vgg-16", "starts with conv, medium-conv or vgg-11"),
        ("vgg-110", "starts with conv, medium-conv or vgg-11"),
        ("medium", "starts with conv, medium-conv or vgg-11"),
        ("lenet-300-100", "starts with conv, medium-conv or vgg-11"),
        ("", "starts with conv, medium-conv or vgg-11"),
    ],
)
def test_a_convolutional_spec_that_cannot_be_read_is_refused_in_one_line(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        parse_conv(spec)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("spec", "layer"), [("conv-2k9", 1), ("conv-2k3p-2k3p-2k3", 2)])
def test_images_too_small_for_the_layers_are_refused_by_layer(spec: str, layer: int) -> None:
    with pytest.raises(ValueError, match=f"6×8 are too small for '{spec}': nothing is left at conv{layer}"):
        built_conv(spec, shape=(1, 6, 8))


def test_a_kernel_far_too_large_is_refused_before_its_weights_are_laid_out() -> None:
    with pytest.raises(ValueError, match="too small"):
        built_conv("conv-60000k60000")


@pytest.mark.parametrize(("inputs", "classes"), [((3, 32), 10), (3072, 10), ((0, 8, 8), 10), ((3, 8, 8), 1)])
def test_a_convolutional_net_sees_images_of_two_classes_or_more(inputs: int | tuple[int, ...], classes: int) -> None:
    with pytest.raises(ValueError, match=r"shape \(C, H, W\)"):
        build("conv-2k3", inputs=inputs, classes=classes, generator=torch.Generator())


def test_build_tells_the_families_apart() -> None:
    assert not is_conv("lenet-300-100")
    assert not is_conv("convex-8")
    assert is_conv("conv-8k3")
    assert is_conv("medium-conv-x0.5")
    assert list(dict(built_conv("mlp-8").named_children())) == ["flatten", "fc1", "act1", "fc2"]
    with pytest.raises(ValueError, match="a model spec starts with lenet"):
        built_conv("convex-8")
    with pytest.raises(ValueError, match="vgg-11"):
        built_conv("vgg-19")


def test_the_seed_alone_decides_the_initial_weights_of_convolutions() -> None:
    torch.manual_seed(1)
    one = built_conv("conv-4k3p-8-bn", seed=3).state_dict()
    torch.manual_seed(2)
    same, other = built_conv("conv-4k3p-8-bn", seed=3).state_dict(), built_conv("conv-4k3p-8-bn", seed=4).state_dict()

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


@pytest.mark.parametrize(("activation", "gain"), [("relu", math.sqrt(2)), ("tanh", 1.0), ("sigmoid", 4.0)])
def test_initial_weights_have_the_gain_of_the_activation_over_the_root_of_the_fan_in(
    activation: str, gain: float
) -> None:
    model = built_conv(f"conv-100k3-100k5p-300-{activation}", shape=(9, 12, 12), classes=100)
    fan_ins = {"conv1": 81, "conv2": 2500, "fc1": 900, "fc2": 300}

    for name, fan_in in fan_ins.items():
        weight = model.get_parameter(f"{name}.weight").detach()
        wanted = (1.0 if name == "fc2" else gain) / math.sqrt(fan_in)
        # 8,100 draws or more: the sample deviation is within 4 % of the true one, 5 standard errors.
        assert float(weight.std()) == pytest.approx(wanted, rel=0.04)
    assert not any(bool(bias.any()) for name, bias in model.named_parameters() if name.endswith("bias"))


@tries(40)
@given(
    side=st.integers(1, 20),
    kernels=st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=3),
    same=st.booleans(),
)
def test_a_net_is_built_exactly_where_torch_itself_leaves_positions(
    side: int, kernels: list[tuple[int, bool]], same: bool
) -> None:
    kernels = [(kernel - (kernel + 1) % 2 if same else kernel, pool) for kernel, pool in kernels]  # same: odd ones
    spec = "-".join(["conv", *(f"2k{kernel}{'p' * pool}" for kernel, pool in kernels), *(["same"] if same else [])])
    left = side
    for kernel, pool in kernels:  # the textbook's size: n + 2 · padding - k + 1, halved and rounded down
        left = left + (kernel - 1 if same else 0) - kernel + 1
        left = left // 2 if pool else left
        if left < 1:
            break
    if left < 1:
        with pytest.raises(ValueError, match="too small"):
            built_conv(spec, shape=(1, side, side))
    else:
        assert built_conv(spec, shape=(1, side, side))(torch.zeros(2, 1, side, side)).shape == (2, 10)
