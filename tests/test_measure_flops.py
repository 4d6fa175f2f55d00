from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from properties import tries
from prunelab import pruning
from prunelab.measure import Flops, flops


def counted_by_torch(model, input_shape):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *input_shape))
    return counter.get_total_flops()


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 2]))
    options = {
        "kernel_size": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "stride": draw(st.tuples(st.integers(1, 3), st.integers(1, 2))),
        "padding": draw(st.tuples(st.integers(0, 2), st.integers(0, 3))),
        "dilation": draw(st.tuples(st.integers(1, 2), st.integers(1, 3))),
    }
    shape = (groups * draw(st.integers(1, 2)), draw(st.integers(5, 9)), draw(st.integers(7, 10)))
    return nn.Conv2d(shape[0], groups * draw(st.integers(1, 3)), groups=groups, **options), shape


@given(convolutions())
@tries(50)
def test_a_convolution_takes_what_torch_counts_and_what_the_closed_form_says(drawn):
    conv, shape = drawn
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(shape[1:], conv.padding, conv.dilation, conv.kernel_size, conv.stride, strict=True)
    )
    k_h, k_w = conv.kernel_size
    expected = 2 * conv.out_channels * (conv.in_channels // conv.groups) * k_h * k_w * height * width

    assert flops(conv, shape)[-1].dense == expected == counted_by_torch(conv, shape)


@given(st.lists(st.integers(1, 20), min_size=2, max_size=5), st.integers(1, 4))
@tries(25)
def test_linear_layers_take_what_torch_counts_at_every_position(widths, positions):
    model = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(widths)))
    shape = (positions, widths[0])

    assert flops(model, shape)[-1].dense == counted_by_torch(model, shape)


def small_net(padding_mode="zeros"):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding="same", padding_mode=padding_mode),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 6, 3, stride=2, groups=2),
        nn.Flatten(),
        nn.Linear(54, 10),
    )


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
def test_a_whole_network_takes_what_torch_counts_whatever_its_padding_mode(padding_mode):
    model = small_net(padding_mode)
    rows = flops(model, (3, 16, 16))

    assert rows[-1].dense == counted_by_torch(model, (3, 16, 16)) == sum(row.dense for row in rows[:-1])
    assert [row.layer for row in rows] == ["0", "3", "5", "all"]


def test_lenet_300_100_takes_two_operations_a_weight():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.Linear(100, 10))

    assert flops(model, (1, 28, 28))[-1] == Flops(layer="all", dense=2 * 266_200, kept=2 * 266_200)


def test_kept_operations_are_those_of_a_network_without_the_removed_weights():
    model = small_net()
    masks = pruning.keep_largest(pruning.magnitude(pruning.prunable(model)), 0.8)
    # Kept weights by layer, times 16 * 16, 3 * 3 and 1 positions.
    expected = [2 * int(mask.sum()) * positions for mask, positions in zip(masks.values(), (256, 9, 1), strict=True)]
    pruning.apply(model, masks)
    rows = flops(model, (3, 16, 16))

    assert [row.kept for row in rows] == [*expected, sum(expected)]
    assert [row.dense for row in rows] == [row.dense for row in flops(small_net(), (3, 16, 16))]


def test_a_network_in_torchs_pruned_form_counts_its_masked_weights():
    model = small_net()
    masks = pruning.keep_largest(pruning.magnitude(pruning.prunable(model)), 0.8)
    pruning.to_torch(model, masks)
    in_torchs_form = flops(model, (3, 16, 16))
    pruning.unwrap(model)
    pruning.apply(model, masks)

    assert in_torchs_form == flops(model, (3, 16, 16))


def test_a_layer_called_twice_counts_twice():
    layer = nn.Linear(5, 5)

    assert flops(nn.Sequential(layer, nn.ReLU(), layer), (5,))[-1].dense == 2 * 50


def test_counting_leaves_modes_hooks_and_statistics_as_they_were():
    model = small_net()
    model.add_module("drop", nn.Dropout())
    model[0].eval()
    flops(model, (3, 16, 16))

    assert [module.training for module in model] == [False, *[True] * 6]
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(4), nn.Conv1d(4, 4, 1), nn.LSTM(4, 4)])
def test_a_layer_with_parameters_of_another_type_is_refused_by_name(layer):
    model = nn.ModuleDict({"fc1": nn.Linear(4, 4), "extra": layer})

    with pytest.raises(TypeError, match=f"'extra' has parameters and is {type(layer).__name__}"):
        flops(model, (4,))
