import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from prunelab import pruning


def net():
    model = nn.Sequential()
    model.add_module("conv", nn.Conv2d(1, 2, 3, padding=1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("block", nn.Sequential(nn.Linear(32, 6), nn.ReLU(), nn.Linear(6, 3)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    return model


IMAGES = torch.randn(5, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def masks_of(model, sparsity=0.6):
    return pruning.keep_largest(pruning.magnitude(pruning.prunable(model)), sparsity)


def assert_same(one, other):
    assert set(one) == set(other)
    for name in one:
        assert torch.equal(one[name], other[name]), name


@given(st.floats(0, 1, exclude_max=True))
def test_masks_come_back_from_torchs_form_unchanged(sparsity):
    model = net()
    masks = masks_of(model, sparsity)
    pruning.to_torch(model, masks)

    assert prune.is_pruned(model)
    assert_same(pruning.from_torch(model), masks)


def test_torchs_form_computes_what_applied_masks_compute_and_keeps_every_value():
    model, zeroed = net(), net()
    masks = masks_of(model)
    originals = {f"{name}_orig": weight.clone() for name, weight in pruning.prunable(model).items()}
    pruning.to_torch(model, masks)
    pruning.apply(zeroed, masks)

    assert torch.equal(model(IMAGES), zeroed(IMAGES))
    assert_same({name: value for name, value in model.state_dict().items() if name in originals}, originals)


def test_unwrapping_brings_back_the_plain_network_bit_for_bit():
    model, plain = net(), net()
    masks = masks_of(model)
    pruning.to_torch(model, masks)
    wrapped = {name: value.clone() for name, value in model.state_dict().items()}
    pruning.unwrap(model)

    assert not prune.is_pruned(model)
    assert_same(dict(model.state_dict()), dict(plain.state_dict()))
    assert all(isinstance(parameter, nn.Parameter) for parameter in model.parameters())
    pruning.to_torch(model, masks)
    assert_same(dict(model.state_dict()), wrapped)


def test_a_network_pruned_by_torch_in_several_ways_is_readable():
    model = net()
    prune.l1_unstructured(model.block[0], "weight", amount=0.3)
    prune.random_unstructured(model.block[0], "weight", amount=0.3)
    prune.ln_structured(model.conv, "weight", amount=1, n=2, dim=0)
    prune.random_unstructured(model.block[2], "bias", amount=1)
    masks = pruning.from_torch(model)

    assert list(masks) == ["conv.weight", "block.0.weight", "block.2.bias"]
    assert torch.equal(masks["block.0.weight"], model.block[0].weight_mask.bool())
    assert int((~masks["conv.weight"]).sum()) == 9  # one of two filters of 3 x 3
    assert int((~masks["block.2.bias"]).sum()) == 1
    model(IMAGES)


def test_reading_leaves_the_network_alone_and_gives_masks_of_its_own():
    model = net()
    pruning.to_torch(model, masks_of(model))
    before = copy.deepcopy(dict(model.state_dict()))
    for mask in pruning.from_torch(model).values():
        mask.fill_(False)

    assert_same(dict(model.state_dict()), before)


def test_a_network_without_masks_reads_as_none_and_unwraps_to_itself():
    model = net()
    pruning.unwrap(model)

    assert pruning.from_torch(model) == {}
    assert_same(dict(model.state_dict()), dict(net().state_dict()))


def test_a_shared_parameter_stays_shared_and_is_masked_wherever_it_is_used():
    model = nn.ModuleDict({"one": nn.Linear(4, 4, bias=False), "two": nn.Linear(4, 4, bias=False)})
    model["two"].weight = model["one"].weight
    original = model["one"].weight.detach().clone()
    mask = torch.eye(4, dtype=torch.bool)
    pruning.to_torch(model, {"one.weight": mask})

    assert model["one"].weight_orig is model["two"].weight_orig
    assert torch.equal(model["two"](torch.eye(4)), (original * mask).T)
    assert_same(pruning.from_torch(model), {"one.weight": mask})
    pruning.unwrap(model)
    assert model["one"].weight is model["two"].weight
    assert torch.equal(model["one"].weight, original)


def test_a_shared_parameter_that_is_masked_differently_is_refused():
    model = nn.ModuleDict({"one": nn.Linear(4, 4), "two": nn.Linear(4, 4)})
    model["two"].weight = model["one"].weight
    prune.custom_from_mask(model["one"], "weight", torch.eye(4))
    prune.custom_from_mask(model["two"], "weight", torch.ones(4, 4))

    with pytest.raises(ValueError, match=r"'one.weight' and 'two.weight' are one parameter but are masked differently"):
        pruning.from_torch(model)


def test_a_mask_of_other_values_than_0_and_1_is_refused():
    model = net()
    prune.custom_from_mask(model.block[0], "weight", torch.full((6, 32), 0.5))

    with pytest.raises(ValueError, match=r"that of 'block.0.weight' holds other values"):
        pruning.from_torch(model)
