"""Families of prunings of a net: nested, counted exactly, and the net itself left alone."""

import copy
import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from made_nets import examples, net, specs
from properties import tries
from prunelab.choosing import (
    FAMILIES,
    Family,
    by_global,
    by_masks,
    by_name,
    by_quality,
    by_sensitivities,
    by_units,
    unit_scores,
)
from prunelab.data import Split
from prunelab.measure import evaluate
from prunelab.pruning import check, keep_largest, magnitude, prunable
from prunelab.pruning.unit_removal import remove
from prunelab.pruning.units import sites


def split(count: int = 40) -> Split:
    drawn = examples(count, double=False)
    return Split(x=drawn.x, y=drawn.y)


def made(name: str, module: nn.Module) -> Family:
    return by_name(name, module, split())


def gone(family: Family, level: int) -> dict[str, Tensor]:
    """What a level removes: weights by mask, or units by flag; True = removed."""
    pruned = family.at(level)
    return dict(pruned.removed) or {name: ~mask for name, mask in pruned.masks.items()}


def counted(flags: dict[str, Tensor]) -> int:
    return sum(int(flag.sum()) for flag in flags.values())


# --- every family ---


@pytest.mark.parametrize("name", FAMILIES)
@given(spec=specs())
@tries(8)
def test_each_level_removes_one_more_and_everything_the_one_below_it_removes(name: str, spec: str) -> None:
    module = net(spec, double=False)
    if name == "units" and not any(site.units > 1 for site in sites(module).values()):
        return
    family = made(name, module)
    levels = sorted({round(part * family.levels) for part in (0, 0.1, 0.5, 0.9, 1)} | {1})
    found = [gone(family, level) for level in levels]

    assert [counted(flags) for flags in found] == levels
    for lower, higher in pairwise(found):
        assert not any(bool((lower[layer] & ~higher[layer]).any()) for layer in lower)


@pytest.mark.parametrize("name", FAMILIES)
def test_pruning_leaves_the_net_itself_alone_and_at_level_0_computes_the_same(name: str) -> None:
    module = net("conv-4k3p-3k3-6-bn", double=False)
    before, x = copy.deepcopy(module.state_dict()), split().x
    family = made(name, module)
    family.at(family.levels // 2)

    assert all(torch.equal(tensor, before[key]) for key, tensor in module.state_dict().items())
    torch.testing.assert_close(family.at(0).net(x), module(x))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_highest_level_leaves_something_in_the_net(name: str) -> None:
    family = made(name, net("mlp-5-4", double=False))
    left = prunable(family.at(family.levels).net)

    assert sum(int(weight.count_nonzero()) for weight in left.values()) >= 1


@pytest.mark.parametrize("name", FAMILIES)
def test_a_sketch_has_the_weights_of_the_pruned_net(name: str) -> None:
    family = made(name, net("conv-4k3p-3k3-6", double=False))
    for level in (0, 1, family.levels // 3, family.levels):
        real, sketch = family.at(level).net, family.sketch(level)
        counts = [
            {key: int(tensor.count_nonzero()) for key, tensor in one.state_dict().items() if tensor.ndim > 1}
            for one in (real, sketch)
        ]

        assert counts[0] == counts[1]


@pytest.mark.parametrize("name", ["global", "quality", "sensitivity"])
def test_a_net_without_single_weights_has_exactly_these_at_zero(name: str) -> None:
    family = made(name, net("mlp-5-4", double=False))
    pruned = family.at(family.levels // 2)
    check(pruned.net, pruned.masks)

    assert sum(int(weight.count_nonzero()) for weight in prunable(pruned.net).values()) == (
        sum(mask.numel() for mask in pruned.masks.values()) - family.levels // 2
    )


def test_a_family_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="global, quality, sensitivity, units; got 'random'"):
        made("random", net("mlp-5-4"))


# --- one threshold, and one of each layer ---


def test_the_global_family_prunes_the_smallest_magnitudes_and_names_the_threshold() -> None:
    module = net("mlp-8-6")
    weights = prunable(module)
    pruned = by_global(module).at(100)
    expected = keep_largest(magnitude(weights), 100 / sum(weight.numel() for weight in weights.values()))

    assert all(torch.equal(pruned.masks[name], expected[name]) for name in weights)
    assert pruned.threshold == min(pruned.thresholds.values())
    assert pruned.threshold == min(float(weights[name][expected[name]].abs().min()) for name in weights)


def test_the_quality_family_removes_what_lies_below_quality_times_each_layers_deviation() -> None:
    module = net("mlp-8-6")
    pruned, weights = by_quality(module).at(200), prunable(module)

    assert counted({name: ~mask for name, mask in pruned.masks.items()}) == 200
    for name, weight in weights.items():
        # The one weight that is the threshold itself is kept; its layer's product may round to just above it.
        threshold = pruned.threshold * float(weight.double().std(correction=0))
        below = weight.abs() < threshold * (1 - 1e-12)
        assert torch.equal(below, ~pruned.masks[name])


# --- sensitivities ---


def test_a_layer_that_nothing_depends_on_goes_before_all_others() -> None:
    module = net("mlp-5-4")
    family = by_sensitivities(module, lambda one: -float(one.get_parameter("fc2.weight").count_nonzero()))
    masks = family.at(5 * 162 + 4 * 3).masks  # all weights of the first and the last layer

    assert not bool(masks["fc1.weight"].any())
    assert not bool(masks["fc3.weight"].any())
    assert bool(masks["fc2.weight"].all())


def test_sensitivities_take_one_measurement_a_layer_and_sparsity_and_one_unpruned() -> None:
    module, seen = net("mlp-5-4", double=False), []

    def loss(one: nn.Module) -> float:
        seen.append([int(weight.count_nonzero()) for weight in prunable(one).values()])
        return evaluate(one, split()).loss

    by_sensitivities(module, loss, [0.5, 1.0])

    assert seen == [[810, 20, 12], [405, 20, 12], [0, 20, 12], [810, 10, 12], [810, 0, 12], [810, 20, 6], [810, 20, 0]]


@pytest.mark.parametrize("sparsities", [[], [0.0, 0.5], [0.5, 0.2], [0.5, 1.1]])
def test_sparsities_out_of_order_or_range_are_refused(sparsities: list[float]) -> None:
    with pytest.raises(ValueError, match=r"rising sparsities in \(0, 1\]"):
        by_sensitivities(net("mlp-5-4"), lambda _: 0.0, sparsities)


# --- units ---


def scores(**by_layer: list[float]) -> dict[str, Tensor]:
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in by_layer.items()}


def test_units_go_by_score_over_all_layers_but_the_best_of_each_stays() -> None:
    family = by_units(net("mlp-3-2"), scores(fc1=[1.0, 5.0, 3.0], fc2=[2.0, 0.5]))

    assert family.levels == 3
    assert {name: flags.tolist() for name, flags in family.at(2).removed.items()} == {
        "fc1": [True, False, False],
        "fc2": [False, True],
    }
    assert {name: flags.tolist() for name, flags in family.at(3).removed.items()} == {
        "fc1": [True, False, True],
        "fc2": [False, True],
    }
    assert family.at(2).threshold == 2.0
    assert family.at(3).thresholds == {"fc1": 5.0, "fc2": 2.0}


@pytest.mark.parametrize("spec", ["mlp-6-5-tanh", "conv-5k3p-4k3-6-sigmoid", "conv-5k3p-4k3-6-same-bn-relu"])
@pytest.mark.parametrize("layer", [0, -1])
def test_what_the_next_layer_gets_on_average_stays_as_it_was(spec: str, layer: int) -> None:
    module, data = net(spec), examples(60)
    found = sites(module)
    name = list(found)[layer]
    own = {site.name: torch.arange(site.units) + (0.0 if site.name == name else 100.0) for site in found.values()}
    family = by_units(module, own, data.x)
    pruned = family.at(found[name].units - 1).net  # of this layer all but one are gone, of the others none

    def seen(one: nn.Module) -> Tensor:
        outputs: list[Tensor] = []
        layer = one.get_submodule(found[name].consumer)
        hook = layer.register_forward_hook(lambda _, __, made: outputs.append(made.detach()))
        one(data.x)
        hook.remove()
        return outputs[0].transpose(0, 1).flatten(1).mean(1)  # of each output, over examples and positions

    torch.testing.assert_close(seen(pruned), seen(module))


def test_without_examples_units_are_zeroed_and_with_them_they_are_not() -> None:
    module, data = net("mlp-6-5-sigmoid"), examples(50)
    own = unit_scores(module, score="norm")
    zeroed, replaced = by_units(module, own).at(4), by_units(module, own, data.x).at(4)
    by_hand = copy.deepcopy(module)
    remove(by_hand, zeroed.removed)

    with torch.no_grad():
        whole, without, kept = module(data.x), zeroed.net(data.x), replaced.net(data.x)
        torch.testing.assert_close(without, by_hand(data.x))
        assert float((kept - whole).square().mean()) < float((without - whole).square().mean())


def test_means_are_taken_of_the_net_with_earlier_layers_pruned() -> None:
    module, data = net("mlp-6-5-sigmoid"), examples(50)
    own = {name: torch.arange(site.units, dtype=torch.float64) for name, site in sites(module).items()}
    pruned = by_units(module, own, data.x).at(6).net

    # The mean output of the last layer is what it would be with the first layer pruned alone, then the second.
    first = by_units(module, {"fc1": own["fc1"], "fc2": own["fc2"] + 100}, data.x).at(3).net
    second = by_units(first, {"fc1": torch.arange(3.0) + 100, "fc2": own["fc2"]}, data.x).at(3).net
    torch.testing.assert_close(pruned(data.x), second(data.x))


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (scores(fc1=[1.0, 2.0]), r"fc1 \(3\), fc2 \(2\); got fc1"),
        (scores(fc1=[1.0, 2.0, 3.0], fc2=[math.nan, 1.0]), "NaN"),
    ],
)
def test_scores_that_do_not_fit_are_refused(own: dict[str, Tensor], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        by_units(net("mlp-3-2"), own)


def test_a_net_of_single_units_has_none_to_spare() -> None:
    with pytest.raises(ValueError, match="at least one pruning"):
        by_units(net("mlp-1-1"), scores(fc1=[1.0], fc2=[1.0]))


def test_without_examples_only_the_norm_scores_units() -> None:
    module = net("conv-2k3-4")
    norms, weight = unit_scores(module, score="norm"), module.get_parameter("conv1.weight").detach()

    assert norms["conv1"][0] == pytest.approx(float(weight[0].square().mean()))
    with pytest.raises(ValueError, match="scored by \"norm\"; got 'mrs-abs'"):
        unit_scores(module)
    with pytest.raises(ValueError, match="got 'size'"):
        unit_scores(module, score="size")


# --- a family of one's own ---


def test_masks_by_level_make_a_family() -> None:
    module = net("mlp-4-3")
    rows: Callable[[int], dict[str, Tensor]] = lambda level: {  # noqa: E731
        "fc1.weight": (torch.arange(4) >= level)[:, None].expand(4, module.get_parameter("fc1.weight").shape[1])
    }
    family = by_masks(module, rows, 3, name="rows")

    assert family.name == "rows"
    assert int(family.at(2).net.get_parameter("fc1.weight").count_nonzero()) == 2 * 162
    assert bool(family.at(2).net.get_parameter("fc2.weight").all())
    with pytest.raises(ValueError, match="got 0 levels"):
        by_masks(module, rows, 0)
