import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from prunelab import pruning
from prunelab.pruning import below_threshold, keep_largest, magnitude, percentile


@st.composite
def layers(draw):
    """Draw a few layers of small whole numbers, so that ties, zeros, empty and single-element layers are common."""
    shapes = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=4))
    drawn = [draw(st.lists(st.integers(-4, 4), min_size=a * b, max_size=a * b)) for a, b in shapes]
    return {
        f"fc{i}.weight": torch.tensor(numbers, dtype=torch.float32).reshape(shape)
        for i, (shape, numbers) in enumerate(zip(shapes, drawn, strict=True))
    }


def removed(masks):
    return sum(int((~mask).sum()) for mask in masks.values())


sparsities = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize("scores", [torch.arange(900.0), torch.zeros(900)], ids=["distinct", "all tied"])
def test_ninety_percent_sparsity_keeps_exactly_one_weight_in_ten(scores):
    masks = keep_largest({"fc1": scores[:600].view(30, 20), "fc2": scores[600:].view(10, 30)}, sparsity=0.9)

    assert sum(int(mask.sum()) for mask in masks.values()) == 90


@given(layers(), sparsities)
def test_a_global_sparsity_removes_exactly_the_rounded_count_and_nothing_above_what_it_keeps(scores, sparsity):
    masks = keep_largest(scores, sparsity)

    joined = torch.cat([score.flatten() for score in scores.values()])
    mask = torch.cat([mask.flatten() for mask in masks.values()])
    assert removed(masks) == round(sparsity * len(joined))
    if mask.any() and not mask.all():
        assert joined[mask].min() >= joined[~mask].max()


@given(layers(), sparsities)
def test_a_layer_sparsity_removes_exactly_the_rounded_count_of_every_layer(scores, sparsity):
    masks = keep_largest(scores, sparsity, scope="layer")

    assert {name: int((~mask).sum()) for name, mask in masks.items()} == {
        name: round(sparsity * score.numel()) for name, score in scores.items()
    }


@given(layers(), sparsities)
def test_scores_are_left_as_they_were_and_the_same_call_gives_the_same_masks(scores, sparsity):
    before = {name: score.clone() for name, score in scores.items()}
    once, twice = keep_largest(scores, sparsity), keep_largest(scores, sparsity)

    for name in scores:
        assert torch.equal(scores[name], before[name])
        assert torch.equal(once[name], twice[name])
        assert once[name].dtype == torch.bool
        assert once[name].shape == scores[name].shape


@given(st.permutations(range(40)), sparsities)
def test_without_ties_a_permutation_of_the_scores_permutes_the_mask(order, sparsity):
    scores = torch.arange(40.0).roll(13)
    mask = keep_largest({"fc1": scores}, sparsity)["fc1"]

    assert torch.equal(keep_largest({"fc1": scores[list(order)]}, sparsity)["fc1"], mask[list(order)])


def test_a_half_rounds_to_the_even_count():
    assert removed(keep_largest({"fc1": torch.arange(5.0)}, 0.5)) == 2  # 2.5 -> 2
    assert removed(keep_largest({"fc1": torch.arange(7.0)}, 0.5)) == 4  # 3.5 -> 4


def test_infinite_scores_go_first_or_last():
    inf = float("inf")
    mask = keep_largest({"fc1": torch.tensor([inf, -inf, 1.0, 2.0, inf, -inf])}, sparsity=0.5)["fc1"]

    assert mask.tolist() == [True, False, False, True, True, False]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_float_type_is_ranked_by_its_own_values(dtype):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(40, 30, generator=generator, dtype=torch.float64).to(dtype)
    mask = keep_largest({"fc1": scores}, 0.7)["fc1"]

    kept = sorted(scores.flatten().double().tolist())[840:]  # Python's own sort as the reference
    assert sorted(scores[mask].double().tolist()) == kept


def test_layers_of_different_types_are_compared_exactly():
    above = 1.0 + 2**-20  # rounds to 1 in float16: comparing there would call the two equal
    masks = keep_largest({"fc1": torch.ones(3, dtype=torch.float16), "fc2": torch.full((3,), above)}, 0.5)

    assert not masks["fc1"].any()
    assert masks["fc2"].all()


def test_scores_that_lie_scattered_in_memory_are_ranked_in_place():
    scores = torch.arange(12.0).view(3, 4).T
    mask = keep_largest({"fc1": scores}, 0.5)["fc1"]
    tied = keep_largest(
        {"fc1": torch.ones(3, 4).T, "fc2": torch.ones(2, 1, 3, 3).to(memory_format=torch.channels_last)}, 0.5
    )

    assert torch.equal(mask, scores >= 6)
    assert removed(tied) == 15


def test_nothing_to_prune_gives_no_masks_and_a_single_weight_is_kept_or_removed():
    assert keep_largest({}, 0.5) == {}
    assert keep_largest({"fc1": torch.zeros(0, 3)}, 0.5)["fc1"].shape == (0, 3)
    assert keep_largest({"fc1": torch.tensor(2.0)}, 0.5)["fc1"].item() is True  # round(0.5) is 0
    assert keep_largest({"fc1": torch.ones(1, 1)}, 0.6)["fc1"].tolist() == [[False]]


def test_scores_whose_order_misleads_the_sample_are_still_cut_exactly(monkeypatch):
    monkeypatch.setattr("prunelab.pruning.selection._SAMPLE", 100)
    scores = torch.arange(10_000.0)
    scores[::100] = -1.0  # every sampled score is the smallest

    mask = keep_largest({"fc1": scores}, 0.5)["fc1"]

    assert int(mask.sum()) == 5000
    assert scores[mask].min() > scores[~mask].max()


def test_a_sample_whose_bracket_begins_right_above_the_cut_still_cuts_exactly(monkeypatch):
    monkeypatch.setattr("prunelab.pruning.selection._SAMPLE", 100)
    sampled = torch.arange(10_000) % 100 == 0
    scores = torch.empty(10_000)
    scores[sampled] = torch.linspace(1, 2, 100)
    # Half of the sample is ranked 50th; the bracket begins at its 31st, and 4,970 + 30 scores lie below that.
    scores[~sampled] = torch.cat([-torch.arange(4970.0), 3 + torch.arange(4930.0)])

    mask = keep_largest({"fc1": scores}, 0.5)["fc1"]

    assert int(mask.sum()) == 5000
    assert scores[mask].min() > scores[~mask].max()


def test_float64_scores_that_float32_cannot_tell_apart_are_ranked():
    scores = 1 + torch.arange(6, dtype=torch.float64).flip(0) * 2**-40
    mask = keep_largest({"fc1": scores, "fc2": torch.zeros(2)}, 0.625)["fc1"]

    assert mask.tolist() == [True, True, True, False, False, False]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_masks_of_scores_on_a_cuda_device_are_those_of_the_cpu_and_stay_there():
    scores = torch.randint(0, 9, (50, 40), generator=torch.Generator().manual_seed(0)).float()
    mask = keep_largest({"fc1": scores.cuda()}, 0.6)["fc1"]

    assert mask.is_cuda
    assert torch.equal(mask.cpu(), keep_largest({"fc1": scores}, 0.6)["fc1"])


@pytest.mark.parametrize(
    ("sparsity", "said"),
    [
        (95, r"in \[0, 1\); got 95; did you mean 0.95\?$"),
        (1, r"in \[0, 1\); got 1$"),
        (-0.1, r"got -0.1$"),
        (float("nan"), "got nan$"),
        ("0.9", "got '0.9'$"),
        (True, "got True$"),
    ],
)
def test_a_sparsity_outside_its_range_is_refused_in_one_line(sparsity, said):
    with pytest.raises(ValueError, match=said) as error:
        keep_largest({"fc1": torch.ones(3)}, sparsity)

    assert "\n" not in str(error.value)


def test_nan_is_refused_with_the_layer_and_the_count():
    weights = {"fc1": torch.ones(3), "fc2": torch.tensor([1.0, float("nan"), float("nan")])}
    for call in (
        lambda: keep_largest(weights, 0.5),
        lambda: magnitude(weights),
        lambda: below_threshold(weights, 0.5),
        lambda: percentile(weights, 0.5),
    ):
        with pytest.raises(ValueError, match="2 of 3 of 'fc2' are NaN"):
            call()


def test_whole_numbers_and_unknown_words_are_refused():
    with pytest.raises(TypeError, match=r"floating-point.*'fc1' are torch.int64"):
        keep_largest({"fc1": torch.arange(3)}, 0.5)
    with pytest.raises(ValueError, match='scope is "global" or "layer"; got \'local\''):
        keep_largest({"fc1": torch.ones(3)}, 0.5, scope="local")
    with pytest.raises(ValueError, match=r"sign is .*; got '\+'"):
        below_threshold({"fc1": torch.ones(3)}, 0.5, sign="+")


@given(layers(), st.integers(0, 5))
def test_positive_negative_and_zero_weights_make_up_what_abs_removes(weights, threshold):
    masks = {sign: below_threshold(weights, threshold, sign) for sign in ("abs", "positive", "negative")}
    zeros = sum(int((weight == 0).sum()) for weight in weights.values()) if threshold else 0

    assert removed(masks["abs"]) == removed(masks["positive"]) + removed(masks["negative"]) + zeros
    for name in weights:
        assert (masks["positive"][name] | masks["negative"][name]).all()


@given(layers(), st.integers(0, 4), st.integers(0, 4), st.sampled_from(["abs", "positive", "negative"]))
def test_masks_are_nested_as_the_threshold_grows(weights, one, other, sign):
    low, high = sorted((one, other))
    wide, narrow = below_threshold(weights, low, sign), below_threshold(weights, high, sign)

    assert all((wide[name] | ~narrow[name]).all() for name in weights)


def test_each_sign_removes_the_weights_strictly_inside_its_interval():
    weight = {"fc1": torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])}

    assert below_threshold(weight, 1.0)["fc1"].tolist() == [True, True, False, False, False, True, True]
    assert below_threshold(weight, 1.0, "positive")["fc1"].tolist() == [True, True, True, True, False, True, True]
    assert below_threshold(weight, 1.0, "negative")["fc1"].tolist() == [True, True, False, True, True, True, True]
    assert not below_threshold(weight, float("inf"))["fc1"].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("threshold", [0.05, 0.06, 0.07])
def test_a_weight_written_as_the_threshold_is_not_below_it(dtype, threshold):
    weights = {"fc1": torch.tensor([threshold, -threshold], dtype=dtype)}

    assert all(below_threshold(weights, threshold, sign)["fc1"].all() for sign in ("abs", "positive", "negative"))


@pytest.mark.parametrize("threshold", [-0.1, float("nan")])
def test_a_negative_or_nan_threshold_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold is a magnitude, a number >= 0; got"):
        below_threshold({"fc1": torch.ones(3)}, threshold)


@given(layers(), sparsities)
def test_a_percentile_removes_the_same_fraction_of_each_sign_of_each_layer(weights, fraction):
    masks = percentile(weights, fraction)

    for name, weight in weights.items():
        for of_sign in (weight > 0, weight < 0):
            kept, gone = weight[of_sign & masks[name]].abs(), weight[of_sign & ~masks[name]].abs()
            assert len(gone) == round(fraction * int(of_sign.sum()))
            assert not len(gone) or not len(kept) or gone.max() <= kept.min()
        assert masks[name][weight == 0].all()


def two_layers():
    model = nn.Sequential()
    model.add_module("fc1", nn.Linear(6, 5))
    model.add_module("fc2", nn.Linear(5, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    return model


def test_prunable_weights_are_the_matrices_in_order_and_follow_the_network():
    model = two_layers()
    weights = pruning.prunable(model)
    with torch.no_grad():
        model.get_parameter("fc1.weight").fill_(7)

    assert list(weights) == ["fc1.weight", "fc2.weight"]
    assert not any(weight.requires_grad for weight in weights.values())
    assert (weights["fc1.weight"] == 7).all()


def test_layers_are_chosen_by_parameter_or_module_and_come_in_the_networks_order():
    model = nn.ModuleDict({"encoder": two_layers(), "conv": nn.Conv2d(2, 3, 3), "norm": nn.BatchNorm1d(4)})

    assert list(pruning.prunable(model)) == ["encoder.fc1.weight", "encoder.fc2.weight", "conv.weight"]
    assert list(pruning.prunable(model, ["conv", "encoder"])) == list(pruning.prunable(model))
    assert list(pruning.prunable(model, ["encoder.fc2"])) == ["encoder.fc2.weight"]
    assert list(pruning.prunable(model, ["conv.bias"])) == ["conv.bias"]
    assert pruning.prunable(model, []) == {}


def test_a_parameter_that_layers_share_is_named_once():
    model = two_layers()
    model.add_module("tied", nn.Linear(6, 5, bias=False))
    model.get_submodule("tied").weight = model.get_parameter("fc1.weight")

    assert list(pruning.prunable(model)) == ["fc1.weight", "fc2.weight"]


@pytest.mark.parametrize(
    ("layer", "hint"), [("fc3", "did you mean 'fc"), ("norm", "there are fc1, fc2"), ("fc", "fc[12]")]
)
def test_an_unknown_layer_is_refused_with_the_nearest_name(layer, hint):
    with pytest.raises(ValueError, match=f"named '{layer}'; .*{hint}"):
        pruning.prunable(two_layers(), [layer])


@given(sparsities)
def test_applying_masks_zeroes_what_they_remove_and_applying_again_changes_nothing(sparsity):
    model = two_layers()
    before = {name: weight.clone() for name, weight in pruning.prunable(model).items()}
    masks = keep_largest(magnitude(before), sparsity)
    pruning.apply(model, masks)
    once = {name: value.clone() for name, value in model.state_dict().items()}
    pruning.apply(model, masks)

    assert all(torch.equal(once[name], value) for name, value in model.state_dict().items())
    for name, weight in pruning.prunable(model).items():
        assert torch.equal(weight, torch.where(masks[name], before[name], 0))
        assert torch.equal(weight, pruning.masked(before, masks)[name])
    pruning.check(model, masks)


def test_an_infinite_weight_that_is_removed_becomes_zero():
    model = two_layers()
    with torch.no_grad():
        model.get_parameter("fc2.weight").fill_(float("inf"))
    masks = {"fc2.weight": torch.zeros(4, 5, dtype=torch.bool)}
    pruning.apply(model, masks)

    pruning.check(model, masks)
    assert bool((model.get_parameter("fc2.weight") == 0).all())  # inf times a mask of 0 would be NaN


def test_check_names_the_layers_and_counts_of_removed_weights_that_live():
    model = two_layers()
    masks = {name: torch.zeros_like(weight, dtype=torch.bool) for name, weight in pruning.prunable(model).items()}
    pruning.apply(model, masks)
    with torch.no_grad():
        model.get_parameter("fc1.weight")[0, :2] = 1
        model.get_parameter("fc2.weight")[3, 3] = -1

    with pytest.raises(ValueError, match=r"nonzero are 2 in 'fc1.weight', 1 in 'fc2.weight'"):
        pruning.check(model, masks)


def test_masks_that_do_not_fit_are_refused_before_anything_changes():
    model = two_layers()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    good = {"fc1.weight": torch.zeros(5, 6, dtype=torch.bool)}
    for mask, error, said in (
        ({"fc2.wieght": torch.ones(4, 5, dtype=torch.bool)}, ValueError, "did you mean 'fc2.weight'"),
        ({"fc2.weight": torch.ones(4, 5)}, TypeError, "'fc2.weight' is torch.float32: use mask != 0"),
        ({"fc2.weight": torch.ones(5, 4, dtype=torch.bool)}, ValueError, r"\(5, 4\), the weight \(4, 5\)"),
    ):
        for verb in (pruning.apply, pruning.check, pruning.to_torch):
            with pytest.raises(error, match=said):
                verb(model, {**good, **mask})
        with pytest.raises(error, match=said):
            pruning.masked(pruning.prunable(model), mask)

    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_masked_leaves_weights_without_a_mask_and_the_given_ones_alone():
    weights = {"fc1": torch.ones(3), "fc2": torch.ones(2)}
    result = pruning.masked(weights, {"fc1": torch.tensor([True, False, True])})

    assert result["fc1"].tolist() == [1, 0, 1]
    assert result["fc2"] is weights["fc2"]
    assert weights["fc1"].tolist() == [1, 1, 1]


# Exchange with torch.


def mixed_net():
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
    model = mixed_net()
    masks = masks_of(model, sparsity)
    pruning.to_torch(model, masks)

    assert prune.is_pruned(model)
    assert_same(pruning.from_torch(model), masks)


def test_torchs_form_computes_what_applied_masks_compute_and_keeps_every_value():
    model, zeroed = mixed_net(), mixed_net()
    masks = masks_of(model)
    originals = {f"{name}_orig": weight.clone() for name, weight in pruning.prunable(model).items()}
    pruning.to_torch(model, masks)
    pruning.apply(zeroed, masks)

    assert torch.equal(model(IMAGES), zeroed(IMAGES))
    assert_same({name: value for name, value in model.state_dict().items() if name in originals}, originals)


def test_unwrapping_brings_back_the_plain_network_bit_for_bit():
    model, plain = mixed_net(), mixed_net()
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
    model = mixed_net()
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
    model = mixed_net()
    pruning.to_torch(model, masks_of(model))
    before = copy.deepcopy(dict(model.state_dict()))
    for mask in pruning.from_torch(model).values():
        mask.fill_(False)

    assert_same(dict(model.state_dict()), before)


def test_a_network_without_masks_reads_as_none_and_unwraps_to_itself():
    model = mixed_net()
    pruning.unwrap(model)

    assert pruning.from_torch(model) == {}
    assert_same(dict(model.state_dict()), dict(mixed_net().state_dict()))


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
    model = mixed_net()
    prune.custom_from_mask(model.block[0], "weight", torch.full((6, 32), 0.5))

    with pytest.raises(ValueError, match=r"that of 'block.0.weight' holds other values"):
        pruning.from_torch(model)
