"""Nets physically without their removed units: the same outputs with fewer parameters."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from made_nets import examples, flags, net, randomised, specs
from properties import tries
from prunelab.pruning.unit_removal import remove, shift, shrink
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import layer_of, outputs, sites


def parameters_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def units_of(model: nn.Module) -> list[int]:
    return [site.units for site in sites(model).values()]


@tries(30)
@given(spec=specs(), seed=st.integers(0, 2**31), density=st.sampled_from([0.0, 0.3, 0.6, 1.0]))
def test_the_smaller_net_puts_out_what_the_masked_one_does(spec: str, seed: int, density: float) -> None:
    model, x = net(spec, seed=seed, double=False), examples(10, seed=seed, double=False).x
    removed = flags(model, seed, density)
    small = shrink(model, removed)
    remove(model, removed)

    torch.testing.assert_close(small(x), model(x), rtol=1e-4, atol=1e-5)
    assert units_of(small) == [int((~removed[name]).sum()) for name in sites(model)]


@tries(10)
@given(spec=specs(), seed=st.integers(0, 2**31))
def test_what_was_shifted_into_the_biases_stays_in_the_smaller_net(spec: str, seed: int) -> None:
    model, split = net(spec, seed=seed), examples(10, seed=seed)
    removed = flags(model, seed)
    units = measure_units(model, split.x, split.y, generator=torch.Generator())
    shifts = {name: shift(model, site, removed[name], units[name]) for name, site in sites(model).items()}
    remove(model, removed, shifts=shifts)

    torch.testing.assert_close(shrink(model, removed)(split.x), model(split.x), rtol=1e-10, atol=1e-12)


def test_parameters_are_left_out_that_many_as_by_hand() -> None:
    model = net("conv-6k3p-5k2-8-7-bn")  # 9×9 -> 7×7 -> 3×3 -> 2×2
    removed = {
        "conv1": torch.tensor([True, True, False, False, False, False]),
        "conv2": torch.tensor([False, True, False, True, True]),
        "fc1": torch.arange(8) < 5,
    }
    small = shrink(model, removed)

    before = (2 * 6 * 9 + 6) + 2 * 6 + (6 * 5 * 4 + 5) + 2 * 5 + (5 * 4 * 8 + 8) + (8 * 7 + 7) + (7 * 3 + 3)
    after = (2 * 4 * 9 + 4) + 2 * 4 + (4 * 2 * 4 + 2) + 2 * 2 + (2 * 4 * 3 + 3) + (3 * 7 + 7) + (7 * 3 + 3)
    assert parameters_of(model) == before == 516
    assert parameters_of(small) == after == 201
    assert [outputs(layer_of(small, name)) for name in ("conv1", "conv2", "fc1", "fc2", "fc3")] == [4, 2, 3, 7, 3]
    assert repr(small.conv2) == "Conv2d(4, 2, kernel_size=(2, 2), stride=(1, 1), padding=valid)"
    assert repr(small.fc1) == "Linear(in_features=8, out_features=3, bias=True)"
    assert repr(small.bn2).startswith("BatchNorm2d(2,")
    assert small.bn2.running_var.shape == (2,)


def test_the_rows_and_columns_that_stay_are_those_of_the_units_that_stay() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Flatten(), nn.Linear(6, 2))  # two positions
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1))
        model[2].weight.copy_(torch.arange(12.0).view(2, 6))
    small = shrink(model, {"0": torch.tensor([False, True, False])})

    assert small[0].weight.flatten().tolist() == [1.0, 3.0]
    assert small[2].weight.tolist() == [[0.0, 1.0, 4.0, 5.0], [6.0, 7.0, 10.0, 11.0]]


def test_the_copy_shares_nothing_and_keeps_modes_types_and_what_is_frozen() -> None:
    model = net("conv-4k3p-3k3-5-bn").train()
    model.bn1.eval()
    model.conv1.requires_grad_(False)
    model.fc1.bias.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    small = shrink(model, flags(model, 0))
    with torch.no_grad():
        for tensor in small.state_dict().values():
            tensor.zero_()

    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in small.modules()] == [module.training for module in model.modules()]
    assert {tensor.dtype for tensor in small.parameters()} == {torch.float64}
    assert {name: parameter.requires_grad for name, parameter in small.named_parameters()} == {
        name: parameter.requires_grad for name, parameter in model.named_parameters()
    }


def test_a_smaller_net_trains_and_shrinks_again() -> None:
    model, split = net("conv-6k3p-5k3-8-bn-tanh"), examples()
    once = shrink(model, flags(model, 0, 0.3))
    optimizer = torch.optim.SGD(once.parameters(), lr=0.1)
    nn.functional.cross_entropy(once.train()(split.x), split.y).backward()
    optimizer.step()
    once.eval()
    removed = flags(once, 1, 0.3)
    twice = shrink(once, removed)
    remove(once, removed)

    torch.testing.assert_close(twice(split.x), once(split.x))
    assert parameters_of(twice) < parameters_of(once) < parameters_of(model)


def test_nothing_removed_is_a_copy() -> None:
    model, x = net("conv-4k3p-3k3-5-same-bn"), examples().x

    assert torch.equal(shrink(model, {})(x), model(x))
    assert torch.equal(shrink(model, flags(model, 0, 0.0))(x), model(x))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_layers_without_biases_and_normalisation_without_scales_shrink_too(affine: bool, bias: bool) -> None:
    torch.manual_seed(0)
    blocks = nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 6, 3, 2, 1, bias=bias), nn.BatchNorm2d(6, affine=affine), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Conv2d(6, 4, 3, dilation=2, bias=bias), nn.Tanh(), nn.Flatten()),
        nn.Sequential(nn.Linear(4, 5, bias=bias), nn.BatchNorm1d(5, affine=affine), nn.Sigmoid(), nn.Linear(5, 3)),
    )
    model = randomised(blocks, torch.Generator().manual_seed(0)).double()
    x, removed = examples().x, flags(model, 2)
    small = shrink(model, removed)
    remove(model, removed)

    torch.testing.assert_close(small(x), model(x))
    assert parameters_of(small) < parameters_of(model)


def test_the_order_of_channels_in_memory_does_not_matter() -> None:
    model = net("conv-4k3p-3k3-5-same-bn")
    x, removed = examples().x, flags(model, 1)
    wanted = shrink(model, removed)(x)
    small = shrink(model.to(memory_format=torch.channels_last), removed)

    torch.testing.assert_close(small(x.to(memory_format=torch.channels_last)), wanted)


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ({"fc1": torch.ones(5, dtype=torch.bool)}, "keeps at least one unit; all 5 of fc1"),
        ({"fc1": torch.ones(4, dtype=torch.bool)}, r"conv1 \(4\), fc1 \(5\); got 'fc1' \(4,\)"),
        ({"fc1": torch.zeros(5)}, r"flagged site by site, .*; got 'fc1' \(5,\) torch.float32"),
        ({"fc2": torch.zeros(3, dtype=torch.bool)}, "got 'fc2'"),
        ({"act1": torch.zeros(4, dtype=torch.bool)}, "got 'act1'"),
    ],
)
def test_flags_that_do_not_fit_are_refused(removed: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        shrink(net("conv-4k3-5"), removed)

    assert "\n" not in str(refused.value)
