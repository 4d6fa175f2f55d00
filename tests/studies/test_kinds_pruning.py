"""One net pruned by every kind: how many weights go, which, and what else changes."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from made_nets import Examples, examples, net, specs
from properties import tries
from prunelab.pruning import prunable
from prunelab.pruning.unit_removal import units_within
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import layer_of, sites
from prunelab.studies.kinds.experiment import KINDS, Pruned, drawing, pruned

SINGLE = [kind for kind in KINDS if not KINDS[kind].units]
UNITS = [kind for kind in KINDS if KINDS[kind].units]
BUDGETS = (0.3, 0.75, 0.9)


def small(double: bool = False) -> tuple[nn.Sequential, Examples]:
    return net("conv-4k3p-6k3-10", double=double), examples(30, double=double)


def every(
    kinds: list[str], model: nn.Sequential, split: Examples, **settings: object
) -> dict[tuple[str, float], Pruned]:
    found = pruned(model, kinds, BUDGETS, scoring=split, seed=3, **settings)  # type: ignore[arg-type]
    return {(one.kind, one.sparsity_asked): one for one in found}


def by_torch(model: nn.Sequential, method: type[prune.BasePruningMethod], amount: float) -> dict[str, torch.Tensor]:
    """The masks of `torch.nn.utils.prune.global_unstructured`."""
    clone = copy.deepcopy(model)
    layers = [name.removesuffix(".weight") for name in prunable(model)]
    prune.global_unstructured([(clone.get_submodule(name), "weight") for name in layers], method, amount=amount)
    return {f"{name}.weight": clone.get_buffer(f"{name}.weight_mask").bool() for name in layers}


def test_single_weights_go_to_the_very_number_and_stay_zero_in_the_copy() -> None:
    model, split = small()
    total = sum(weight.numel() for weight in prunable(model).values())
    before = copy.deepcopy(model.state_dict())
    for (_, budget), one in every(SINGLE, model, split).items():
        left = prunable(one.module)

        assert sum(int(mask.sum()) for mask in one.masks.values()) == total - round(budget * total)
        assert all(bool((left[name] == before[name] * mask).all()) for name, mask in one.masks.items())
        biases = [name for name in before if name.endswith("bias")]
        assert all(torch.equal(one.module.state_dict()[name], before[name]) for name in biases)
    assert all(bool((own == before[name]).all()) for name, own in model.state_dict().items())


@pytest.mark.parametrize("kind", ["magnitude", "l1", "l2"])
def test_ranking_by_magnitude_is_what_torch_prunes(kind: str) -> None:
    model, split = small()
    for (_, budget), one in every([kind], model, split).items():
        expected = by_torch(model, prune.L1Unstructured, budget)
        assert all(torch.equal(one.masks[name], own) for name, own in expected.items())


def test_random_removal_is_what_torch_draws_from_the_same_seed() -> None:
    model, split = small()
    for (_, budget), one in every(["random"], model, split).items():
        torch.manual_seed(drawing(3, "weights").initial_seed())
        expected = by_torch(model, prune.RandomUnstructured, budget)
        assert all(torch.equal(one.masks[name], own) for name, own in expected.items())


def test_gradients_keep_the_steepest_weights_and_saliency_the_steepest_by_their_size() -> None:
    model, split = small(double=True)
    clone = copy.deepcopy(model).requires_grad_()
    nn.functional.cross_entropy(clone(split.x), split.y).backward()
    names = list(prunable(model))
    slopes = torch.cat([clone.get_parameter(name).grad.abs().flatten() for name in names])
    sizes = torch.cat([prunable(model)[name].abs().flatten() for name in names])
    found = every(["gradient", "saliency"], model, split)
    for kind, scores in (("gradient", slopes), ("saliency", slopes * sizes)):
        for budget in BUDGETS:
            kept = torch.cat([found[kind, budget].masks[name].flatten() for name in names])
            assert float(scores[kept].min()) >= float(scores[~kept].max()) * (1 - 1e-9)


def test_the_same_fraction_of_each_layer_where_the_scope_says_so() -> None:
    model, split = small()
    for (kind, budget), one in every(["magnitude", "gradient-abs", "random"], model, split, scope="layer").items():
        assert [int((~mask).sum()) for mask in one.masks.values()] == [
            round(budget * mask.numel()) for mask in one.masks.values()
        ], kind


def test_a_seed_draws_the_same_weights_whatever_is_beside_it_and_the_more_the_sparser() -> None:
    model, split = small()
    alone, beside = every(["random"], model, split), every(["units-random", "magnitude", "random"], model, split)
    other = next(pruned(model, ["random"], [0.3], scoring=split, seed=4))
    for name in prunable(model):
        low, high = (beside["random", budget].masks[name] for budget in (0.3, 0.9))
        assert torch.equal(alone["random", 0.3].masks[name], low)
        assert not bool((high & ~low).any())
    assert not all(torch.equal(other.masks[name], alone["random", 0.3].masks[name]) for name in prunable(model))


def test_units_go_with_their_bias_and_are_replaced_by_their_mean() -> None:
    # Two hidden units of constant activations 2 and 3: removing one leaves the outputs as they were.
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.copy_(torch.tensor([2.0, 3.0]))
    split = Examples(x=torch.randn(6, 2), y=torch.tensor([0, 1] * 3))
    (one,) = pruned(model, ["units-mrs-abs"], [0.5], scoring=split, seed=0)

    assert sum(int(mask.sum()) for name, mask in one.masks.items() if name.endswith("weight")) == 4
    assert int(one.masks["0.bias"].sum()) == 1
    torch.testing.assert_close(one.module(split.x), model(split.x))
    assert not bool(one.module[0].bias[~one.masks["0.bias"]].any())


@given(
    spec=specs(),
    seed=st.integers(0, 99),
    share=st.floats(0, 1),
    kind=st.sampled_from(UNITS),
    scope=st.sampled_from(["global", "layer"]),
)
@tries(25)
def test_units_leave_the_weights_nearest_to_the_budget(
    spec: str, seed: int, share: float, kind: str, scope: str
) -> None:
    model, split = net(spec, seed=seed), examples(8, seed=seed)
    measured = measure_units(model, split.x, split.y, generator=torch.Generator().manual_seed(seed))
    scores = {name: own.scores[kind.removeprefix("units-")] for name, own in measured.items()}
    total = sum(weight.numel() for weight in prunable(model).values())
    kept = round(share * total)
    gone = units_within(model, scores, kept, scope=scope)

    # Every count that is met on the way down, counted from the shapes of the layers left.
    order = sorted(
        (
            float(own[unit])
            if scope == "global"
            else (int((own < own[unit]).sum()) + int((own[:unit] == own[unit]).sum()) + 0.5) / len(own),
            depth,
            unit,
        )
        for depth, own in enumerate(scores.values())
        for unit in range(len(own))
    )
    names, flags = list(scores), {name: torch.zeros(len(own), dtype=torch.bool) for name, own in scores.items()}
    states = [(abs(left(model, flags) - kept), 0, copy.deepcopy(flags))]
    for _, depth, unit in order:
        if int((~flags[names[depth]]).sum()) > 1:
            flags[names[depth]][unit] = True
            states.append((abs(left(model, flags) - kept), len(states), copy.deepcopy(flags)))
    _, _, expected = min(states, key=lambda state: state[:2])
    assert all(torch.equal(gone[name], own) for name, own in expected.items())
    assert not any(bool(own.all()) for own in gone.values())


def left(model: nn.Module, gone: dict[str, torch.Tensor]) -> int:
    """Count the weights of the layers without these units, by masking rows and columns."""
    masks = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in prunable(model).items()}
    for site in sites(model).values():
        masks[f"{site.name}.weight"][gone[site.name]] = False
        columns = masks[f"{site.consumer}.weight"]
        each = columns.shape[1] // site.units
        columns[:, gone[site.name].repeat_interleave(each)] = False
        assert layer_of(model, site.consumer).weight.shape == columns.shape
    return sum(int(mask.sum()) for mask in masks.values())


def test_a_budget_that_whole_units_cannot_reach_leaves_one_unit_a_layer() -> None:
    model, split = small()
    (one,) = pruned(model, ["units-norm"], [0.999], scoring=split, seed=0)

    assert [int(one.masks[f"{name}.bias"].sum()) for name in sites(model)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kinds": ["magnitude", "largest"]}, "kinds are some of magnitude, .*got \\['largest'\\]"),
        ({"kinds": ["random", "random"]}, "each once"),
        ({"kinds": []}, "each once"),
        ({"scope": "net"}, "scope is one of global, layer; got 'net'"),
        ({"sparsities": [90]}, "did you mean 0.9"),
    ],
    ids=["unknown", "twice", "none", "scope", "percent"],
)
def test_what_cannot_be_compared_is_refused(change: dict[str, object], message: str) -> None:
    model, split = small()
    asked = {"kinds": ["magnitude"], "sparsities": [0.5]} | change
    with pytest.raises(ValueError, match=message):
        list(pruned(model, asked.pop("kinds"), asked.pop("sparsities"), scoring=split, seed=0, **asked))  # type: ignore[arg-type]
