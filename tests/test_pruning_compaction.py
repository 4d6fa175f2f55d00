"""A pruned net without the units it does not use: the same outputs, the same training, and the way back."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from made_nets import biased
from properties import tries
from prunelab.data import Images, Split
from prunelab.models import ACTIVATIONS
from prunelab.pruning import apply, keep_within, prunable
from prunelab.pruning.compaction import compact, fold_constants
from prunelab.train import Recipe, train

Masks = dict[str, Tensor]


def net(spec: str = "mlp-16-12", seed: int = 0, inputs: int = 64) -> nn.Sequential:
    return biased(spec, inputs=inputs, classes=10, seed=seed)


def smallest_removed(model: nn.Sequential, kept: int) -> Masks:
    return keep_within(prunable(model), kept)


def random_masks(model: nn.Sequential, density: float, seed: int) -> Masks:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(weight.shape, generator=generator) < density for name, weight in prunable(model).items()}


def sizes_of(model: nn.Sequential) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in model if isinstance(layer, nn.Linear)]


@tries(60)
@given(
    density=st.sampled_from([0.0, 0.01, 0.05, 0.2, 0.7, 1.0]),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    seed=st.integers(0, 2**31),
)
def test_the_smaller_net_puts_out_what_the_masked_one_does(density: float, activation: str, seed: int) -> None:
    model = net(f"mlp-9-7-5-{activation}", seed, inputs=12)
    masks = random_masks(model, density, seed)
    x = torch.randn(20, 1, 3, 4, generator=torch.Generator().manual_seed(seed))
    small = compact(model, masks)
    reference = copy.deepcopy(model)
    apply(reference, masks)

    torch.testing.assert_close(small.model(x.flatten(1)[:, small.inputs]), reference(x), rtol=1e-4, atol=1e-5)
    for name, parameter in model.named_parameters():  # the net given is the masked one now
        assert torch.equal(parameter, reference.get_parameter(name))


def test_units_and_inputs_that_no_kept_weight_touches_are_left_out() -> None:
    model = net("mlp-4-3", inputs=5)
    masks = {name: torch.zeros(weight.shape, dtype=torch.bool) for name, weight in prunable(model).items()}
    masks["fc1.weight"][1, [0, 3]] = True  # unit 1 reads inputs 0 and 3
    masks["fc1.weight"][2, 3] = True  # unit 2 reads input 3, and leads nowhere
    masks["fc2.weight"][0, 1] = True
    masks["fc2.weight"][2, 3] = True  # unit 2 of the second layer reads unit 3, which reads nothing: a constant
    masks["fc3.weight"][:, 2] = True
    small = compact(model, masks)

    assert small.inputs.tolist() == [0, 3]
    assert {name: rows.tolist() for name, rows in small.units.items()} == {
        "fc1": [1, 2, 3],
        "fc2": [0, 2],
        "fc3": list(range(10)),
    }
    assert sizes_of(small.model) == [(2, 3), (3, 2), (2, 10)]
    assert sum(int(mask.sum()) for mask in small.masks.values()) == sum(int(mask.sum()) for mask in masks.values())


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(epochs=3, learning_rate=0.1, momentum=0.0, schedule="constant"),
        Recipe(epochs=3, learning_rate=0.1, momentum=0.9, l1=1e-3),
        Recipe(epochs=3, learning_rate=0.003, optimizer="adam", l1=1e-4, clip=0.5),
    ],
    ids=["plain", "nesterov with penalty", "adam, clipped"],
)
@pytest.mark.parametrize("kept", [300, 40])
def test_training_the_smaller_net_is_training_the_masked_one(recipe: Recipe, kept: int, digits: Images) -> None:
    whole = net()
    masks = smallest_removed(whole, kept)
    back = copy.deepcopy(whole)
    losses = train(whole, digits.train, recipe, generator=torch.Generator().manual_seed(5), masks=masks)
    small = compact(back, masks)
    assert len(small.inputs) < 64 or kept > 40
    columns = Split(x=digits.train.x.flatten(1)[:, small.inputs][:, None, None], y=digits.train.y)
    flat = nn.Sequential(nn.Flatten(), small.model)
    prefixed = {f"1.{name}": mask for name, mask in small.masks.items()}
    found = train(flat, columns, recipe, generator=torch.Generator().manual_seed(5), masks=prefixed)
    small.write_back(back)

    assert found == pytest.approx(losses, rel=1e-4)
    for name, parameter in whole.named_parameters():
        torch.testing.assert_close(back.get_parameter(name), parameter, rtol=1e-3, atol=1e-5, msg=name)
    for name, mask in masks.items():
        assert not back.get_parameter(name)[~mask].any()


def test_the_way_back_leaves_all_else_untouched() -> None:
    model = net()
    masks = smallest_removed(model, 30)
    small = compact(model, masks)
    before = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in small.model.parameters():
            parameter.fill_(7.0)
    small.write_back(model)

    columns = small.inputs
    for name, rows in small.units.items():
        touched = torch.zeros(model.get_parameter(f"{name}.weight").shape, dtype=torch.bool)
        for row in rows.tolist():
            touched[row, columns] = True
        weight, bias = model.get_parameter(f"{name}.weight"), model.get_parameter(f"{name}.bias")
        assert bool((weight[touched] == 7).all())
        assert torch.equal(weight[~touched], before.get_parameter(f"{name}.weight")[~touched])
        assert sorted((bias == 7).nonzero().flatten().tolist()) == rows.tolist()
        out = torch.ones(len(bias), dtype=torch.bool)
        out[rows] = False
        assert torch.equal(bias[out], before.get_parameter(f"{name}.bias")[out])
        columns = rows


@pytest.mark.parametrize("gone", ["fc1.weight", "fc2.weight", "fc3.weight"])
def test_a_layer_that_is_pruned_away_leaves_a_net_that_trains(gone: str, digits: Images) -> None:
    model = net()
    masks = {name: torch.full(weight.shape, name != gone) for name, weight in prunable(model).items()}
    reference = copy.deepcopy(model)
    small = compact(model, masks)
    recipe = Recipe(epochs=1, momentum=0.5, learning_rate=0.05)
    columns = Split(x=digits.train.x.flatten(1)[:, small.inputs][:, None, None], y=digits.train.y)
    train(
        nn.Sequential(nn.Flatten(), small.model),
        columns,
        recipe,
        generator=torch.Generator().manual_seed(0),
        masks={f"1.{name}": mask for name, mask in small.masks.items()},
    )
    small.write_back(model)
    train(reference, digits.train, recipe, generator=torch.Generator().manual_seed(0), masks=masks)

    torch.testing.assert_close(model(digits.test.x), reference(digits.test.x), rtol=1e-3, atol=1e-4)


def test_a_net_pruned_away_whole_is_its_last_biases() -> None:
    model = net()
    masks = {name: torch.zeros(weight.shape, dtype=torch.bool) for name, weight in prunable(model).items()}
    small = compact(model, masks)

    assert sizes_of(small.model) == [(1, 1), (1, 1), (1, 10)]
    assert torch.equal(small.model(torch.rand(3, 1)), model.get_parameter("fc3.bias").expand(3, 10))


def test_a_weight_without_a_mask_is_kept_whole() -> None:
    model = net()
    before = copy.deepcopy(model)
    small = compact(model, {})

    assert sizes_of(small.model) == sizes_of(before)
    assert all(bool(mask.all()) for mask in small.masks.values())
    assert set(small.masks) == set(prunable(model))


def test_activations_keep_their_settings() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.LeakyReLU(0.5), nn.Linear(3, 2))
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(compact(model, {}).model(x), model(x))


def test_the_smaller_net_is_in_the_mode_of_the_whole() -> None:
    model = net()

    assert compact(model.train(), {}).model.training
    assert not compact(model.eval(), {}).model.training


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)),
        nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)),
        nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(4, 3, bias=False), nn.ReLU(), nn.Linear(3, 2)),
        nn.Sequential(nn.ReLU()),
    ],
    ids=["convolution", "normalisation", "nested", "no bias", "no layer"],
)
def test_what_is_no_perceptron_is_refused_in_one_line(model: nn.Sequential) -> None:
    masks = {name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in prunable(model).items()}
    for given_masks in ({}, masks):
        with pytest.raises(ValueError, match="a net is compacted if it is linear layers with biases") as refused:
            compact(model, given_masks)
        assert "\n" not in str(refused.value)


def test_masks_that_fit_no_weight_are_refused() -> None:
    with pytest.raises(ValueError, match="fc9"):
        compact(net(), {"fc9.weight": torch.ones(1, 1, dtype=torch.bool)})
    with pytest.raises(TypeError):
        compact(net(), {"fc1.weight": torch.ones(16, 64)})


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_folded_units_leave_the_outputs_of_the_net_without_their_incoming_weights(activation: str) -> None:
    model = net(f"mlp-16-12-{activation}")
    masks = random_masks(model, 0.5, seed=3)
    masks["fc1.weight"][[2, 5, 11]] = False
    masks["fc2.weight"][[0, 7]] = False
    x = torch.randn(30, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        # By hand: what the first layer's three units put out is what their biases do; the second layer's two then put
        # out what their biases and these constants do, and nothing of what varies.
        weights = {name: parameter.clone() for name, parameter in model.named_parameters()}
        act = ACTIVATIONS[activation]()
        first = x @ weights["fc1.weight"].T + weights["fc1.bias"]
        first[:, [2, 5, 11]] = weights["fc1.bias"][[2, 5, 11]]
        first = act(first)
        constant = torch.zeros_like(first)
        constant[:, [2, 5, 11]] = first[:, [2, 5, 11]]
        second = first @ weights["fc2.weight"].T + weights["fc2.bias"]
        second[:, [0, 7]] = (constant @ weights["fc2.weight"].T + weights["fc2.bias"])[:, [0, 7]]
        expected = act(second) @ weights["fc3.weight"].T + weights["fc3.bias"]
        fold_constants(model, masks)
        for name, rows in (("fc1", [2, 5, 11]), ("fc2", [0, 7])):
            model.get_parameter(f"{name}.weight")[rows] = 0  # as applying the masks does

        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)
        for name, rows, after in (("fc1", [2, 5, 11], "fc2"), ("fc2", [0, 7], "fc3")):
            assert not model.get_parameter(f"{name}.bias")[rows].any()
            assert not model.get_parameter(f"{after}.weight")[:, rows].any()


def test_folding_changes_nothing_where_every_unit_has_an_incoming_weight() -> None:
    model = net()
    before = copy.deepcopy(model)
    fold_constants(model, {name: weight != 0 for name, weight in prunable(model).items()})

    assert all(torch.equal(before.get_parameter(name), value) for name, value in model.named_parameters())


def test_folding_needs_a_mask_of_every_layer() -> None:
    model = net()
    masks = {"fc1.weight": torch.ones(16, 64, dtype=torch.bool)}
    with pytest.raises(ValueError, match="'fc2' has none"):
        fold_constants(model, masks)
