"""Units that nothing enters or nothing leaves: left out, with the outputs as they were."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from made_nets import examples, flags, net, randomised, specs
from properties import tries
from prunelab.deploy import without_dead_units
from prunelab.pruning import apply
from prunelab.pruning.compaction import compact, fold_constants
from prunelab.pruning.paths import live
from prunelab.pruning.unit_removal import remove
from prunelab.pruning.units import layer_of, sites


def sparse_net(spec: str, seed: int, density: float, *, double: bool = True) -> nn.Sequential:
    """A net that keeps a share of its weights, chosen at random."""
    model = net(spec, seed=seed, double=double)
    generator = torch.Generator().manual_seed(seed)
    weights = {name: each for name, each in model.named_parameters() if each.ndim > 1}
    apply(model, {name: torch.rand(each.shape, generator=generator) < density for name, each in weights.items()})
    return model


@tries(60)
@given(spec=specs(), seed=st.integers(0, 2**31), density=st.sampled_from([0.0, 0.05, 0.2, 0.6, 1.0]))
def test_any_net_with_any_weights_left_puts_out_the_same_without_its_dead_units(
    spec: str, seed: int, density: float
) -> None:
    model, x = sparse_net(spec, seed, density), examples(10, seed=seed).x
    before = copy.deepcopy(model.state_dict())
    small = without_dead_units(model)

    torch.testing.assert_close(small.model(x), model(x), rtol=1e-9, atol=1e-9)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    left = {name: int((~gone).sum()) for name, gone in small.removed.items()}
    assert left == {name: site.units for name, site in sites(small.model).items()}


@tries(20)
@given(spec=specs(), seed=st.integers(0, 2**31))
def test_units_that_were_removed_are_found_again_from_the_zeros_alone(spec: str, seed: int) -> None:
    model = net(spec, seed=seed)
    removed = flags(model, seed)
    remove(model, removed)
    found = without_dead_units(model).removed

    assert all(bool((found[name] | ~gone).all()) for name, gone in removed.items())
    again = without_dead_units(without_dead_units(model).model).removed
    assert not any(bool(gone.any()) for gone in again.values() if len(gone) > 1)


@tries(20)
@given(seed=st.integers(0, 2**31), density=st.sampled_from([0.1, 0.3, 0.6]))
def test_of_a_perceptron_those_units_stay_that_lie_on_a_live_path(seed: int, density: float) -> None:
    # The independent reference: constants folded as `compaction` does it, weights off every path dropped.
    model = sparse_net("mlp-7-6-5-tanh", seed, density)
    folded = copy.deepcopy(model)
    masks = live({name: weight != 0 for name, weight in model.named_parameters() if weight.ndim > 1})
    fold_constants(folded, masks)
    kept = compact(folded, masks).units
    small = without_dead_units(model)

    wanted = {name: kept[name].tolist() for name in small.removed}
    assert {name: (~gone).nonzero().flatten().tolist() for name, gone in small.removed.items()} == wanted


def test_a_constant_unit_goes_into_the_next_bias_and_what_it_fed_alone_after_it() -> None:
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).double().eval()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.0], [1.0]]))  # the first unit puts out 2, always
        model[0].bias.copy_(torch.tensor([2.0, 0.0]))
        model[2].weight.copy_(torch.tensor([[3.0, 0.0], [10.0, 1.0]]))  # so the first one here puts out 7
        model[2].bias.copy_(torch.tensor([1.0, 0.0]))
        model[4].weight.copy_(torch.tensor([[5.0, 1.0]]))
        model[4].bias.copy_(torch.tensor([0.5]))
    small = without_dead_units(model).model

    assert [layer_of(small, name).weight.tolist() for name in ("0", "2", "4")] == [[[1.0]], [[1.0]], [[1.0]]]
    assert [layer_of(small, name).bias.tolist() for name in ("0", "2", "4")] == [[0.0], [20.0], [35.5]]


def test_units_that_nothing_leaves_go_backwards_through_the_layers() -> None:
    model = net("mlp-4-3-relu")
    with torch.no_grad():
        model.fc3.weight[:, 1] = 0  # of the second layer's second unit nothing is left over
        model.fc2.weight[[0, 2], 3] = 0  # and it was all that the first layer's last one fed
    removed = without_dead_units(model).removed

    assert {name: gone.tolist() for name, gone in removed.items()} == {
        "fc1": [False, False, False, True],
        "fc2": [False, True, False],
    }


def test_a_constant_channel_before_zero_padding_stays_unless_it_is_silent() -> None:
    model, x = net("conv-3k3-2k3-same"), examples().x
    with torch.no_grad():
        model.conv1.weight[:2] = 0
        model.conv1.bias.copy_(torch.tensor([1.0, -1.0, 0.5]))  # behind ReLU: 1, 0, and whatever it sees
    small = without_dead_units(model)

    assert small.removed["conv1"].tolist() == [False, True, False]
    torch.testing.assert_close(small.model(x), model(x))


def test_the_same_channel_before_valid_padding_goes() -> None:
    model = net("conv-3k3-2k3")
    with torch.no_grad():
        model.conv1.weight[:2] = 0

    assert without_dead_units(model).removed["conv1"].tolist() == [True, True, False]


@pytest.mark.parametrize("padding", [0, 1])
def test_means_over_a_border_of_zeros_hold_a_constant_channel_back(padding: int) -> None:
    layers = [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.AvgPool2d(3, 2, padding), nn.Flatten()]
    size = 3 * (4 if padding else 3) ** 2
    model = randomised(nn.Sequential(*layers, nn.Linear(size, 2)), torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        model[0].weight[0] = 0
        model[0].bias[0] = 1
    small, x = without_dead_units(model), examples().x

    assert small.removed["0"].tolist() == [padding == 0, False, False]
    torch.testing.assert_close(small.model(x), model(x))


@pytest.mark.parametrize("normed", [True, False])
def test_without_a_bias_batch_normalisation_holds_the_constant_or_the_unit_stays(normed: bool) -> None:
    norm = [nn.BatchNorm1d(4)] if normed else []
    layers = [nn.Flatten(), nn.Linear(162, 3), nn.Sigmoid(), nn.Linear(3, 4, bias=False), *norm, nn.ReLU()]
    model = randomised(nn.Sequential(*layers, nn.Linear(4, 2)), torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        model[1].weight[1] = 0
    small, x = without_dead_units(model), examples().x

    assert small.removed["1"].tolist() == [False, normed, False]
    torch.testing.assert_close(small.model(x), model(x))


def test_a_layer_that_lost_everything_keeps_one_unit() -> None:
    model, x = net("mlp-4-3-tanh"), examples().x
    with torch.no_grad():
        model.fc2.weight.zero_()
    small = without_dead_units(model)

    assert [site.units for site in sites(small.model).values()] == [1, 1]
    torch.testing.assert_close(small.model(x), model(x))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["fc1.weight", "fc2.bias"])
def test_numbers_that_are_not_finite_are_refused(name: str, value: float) -> None:
    model = net("mlp-4-3-tanh")
    with torch.no_grad():
        model.get_parameter(name).view(-1)[0] = value

    with pytest.raises(ValueError, match=f"all its numbers are finite; '{name}' holds others$"):
        without_dead_units(model)


@pytest.mark.parametrize(
    "pool",
    [
        nn.AvgPool2d(2, divisor_override=3),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.AvgPool2d(4, stride=3, ceil_mode=True),
        nn.AvgPool2d(3, padding=1),
        nn.AvgPool2d(3, padding=1, count_include_pad=False),
        nn.AvgPool2d(3, padding=1, ceil_mode=True, divisor_override=2),
        nn.MaxPool2d(3, padding=1),
        nn.MaxPool2d(2, ceil_mode=True, dilation=2),
        nn.AdaptiveAvgPool2d(4),
    ],
    ids=str,
)
def test_a_constant_unit_goes_through_any_pooling_as_it_does_in_the_net(pool: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    body = nn.Sequential(nn.Conv2d(1, 3, 2), nn.ReLU(), pool, nn.Flatten()).double()
    x = torch.randn(5, 1, 8, 8, generator=generator, dtype=torch.float64)
    model = randomised(nn.Sequential(*body, nn.Linear(body(x).shape[1], 4)).double(), generator).eval()
    with torch.no_grad():
        model[0].weight[1] = 0
        model[0].bias[1] = 0.7

    torch.testing.assert_close(without_dead_units(model).model(x), model(x), rtol=1e-9, atol=1e-9)
