"""Units chosen and taken out: how many, what their mean is worth to the next layer, and that they stay out."""

import copy
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from made_nets import Examples, examples, flags, loss_of, measured, net, parameters_of, randomised, specs
from properties import tries
from prunelab.pruning import check
from prunelab.pruning.unit_removal import BIASES, MEANS, lowest, remove, shift, shrink
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import Site, layer_of, outputs, sites
from prunelab.train import Recipe, train


def without(model: nn.Module, removed: Mapping[str, Tensor], shifts: Mapping[str, Tensor] | None = None) -> nn.Module:
    pruned = copy.deepcopy(model)
    remove(pruned, removed, shifts=shifts)
    return pruned


def seen_by(model: nn.Module, site: Site, x: Tensor) -> tuple[Tensor, Tensor]:
    """Give what a consumer gets and what it makes of it."""
    seen = []
    handle = model.get_submodule(site.consumer).register_forward_hook(lambda _, got, made: seen.append((got[0], made)))
    with torch.no_grad():
        model(x)
    handle.remove()
    return seen[0]


def constant_units(spec: str, constants: list[float], double: bool = True) -> nn.Sequential:
    """Build a net whose first units ignore the input: relu of their bias, the same in every example and position."""
    model = net(spec, double=double)
    layer = model.get_submodule(next(iter(sites(model))))
    with torch.no_grad():
        layer.weight[: len(constants)] = 0
        layer.bias[: len(constants)] = torch.tensor(constants)
    return model


def first(model: nn.Module, count: int) -> tuple[Site, Tensor]:
    site = next(iter(sites(model).values()))
    return site, torch.arange(site.units) < count


# Choosing


@pytest.mark.parametrize(
    ("fraction", "count"), [(0, 0), (1e-9, 1), (0.04, 1), (0.1, 1), (0.16, 2), (0.5, 5), (0.96, 9), (0.9999, 9)]
)
def test_the_lowest_tenth_is_rounded_but_never_none_and_never_all(fraction: float, count: int) -> None:
    scores = torch.tensor([5.0, 3, 9, -1, 7, 0, 2, 8, 6, 4])
    chosen = lowest(scores, fraction)

    assert chosen.dtype == torch.bool
    assert sorted(scores[chosen].tolist()) == sorted(scores.tolist())[:count]


@pytest.mark.parametrize("scores", [torch.zeros(7), torch.tensor([0.0, -0.0] * 3 + [0.0]), torch.full((7,), torch.inf)])
def test_of_equal_scores_the_first_are_chosen(scores: Tensor) -> None:
    assert lowest(scores, 0.4).nonzero().flatten().tolist() == [0, 1, 2]


def test_ties_at_the_border_are_settled_by_place() -> None:
    assert lowest(torch.tensor([1.0, 2, 0, 1, 1]), 0.4).tolist() == [True, False, True, False, False]


def test_a_single_unit_is_never_chosen() -> None:
    assert not bool(lowest(torch.tensor([3.0]), 0.9).any())


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.0, 10, 100, float("nan"), float("inf")])
def test_a_fraction_out_of_range_is_refused_and_a_percentage_recognised(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\); got") as refused:
        lowest(torch.arange(10.0), fraction)

    assert ("did you mean 0.1?" in str(refused.value)) == (fraction == 10)


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="did the training diverge"):
        lowest(torch.tensor([1.0, float("nan")]), 0.5)


@given(scores=st.lists(st.integers(-3, 3), min_size=1, max_size=30), fraction=st.floats(0, 1, exclude_max=True))
def test_no_unit_that_stays_scores_less_than_one_that_goes(scores: list[int], fraction: float) -> None:
    drawn = torch.tensor(scores, dtype=torch.float64)
    chosen = lowest(drawn, fraction)

    assert abs(int(chosen.sum()) - fraction * len(scores)) <= 1
    assert not bool(chosen.all())
    if bool(chosen.any()):
        assert float(drawn[chosen].max()) <= float(drawn[~chosen].min())


# What the removed units were worth


def two_units() -> tuple[nn.Sequential, Examples]:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
        model[0].bias.zero_()
        model[2].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        model[2].bias.copy_(torch.tensor([0.5, -0.5]))
    return model, Examples(x=torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, -6.0]]), y=torch.tensor([0, 1, 1]))


def test_bias_propagation_of_two_units_by_hand() -> None:
    model, split = two_units()
    site, removed = sites(model)["0"], torch.tensor([False, True])
    units = measured(model, split)["0"]
    value = shift(model, site, removed, units)
    masks = remove(model, {"0": removed}, shifts={"0": value})

    assert units.mean.tolist() == [3.0, 2.0]  # of 1, 3, 5 and of 2, 4, 0
    assert value.tolist() == [4.0, 8.0]  # 2 · (2, 4)
    assert model[2].bias.tolist() == [4.5, 7.5]
    assert model[2].weight.tolist() == [[1.0, 0.0], [3.0, 0.0]]
    assert model[0].weight.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "0.weight": [[True, True], [False, False]],
        "0.bias": [True, False],
        "2.weight": [[True, False], [True, False]],
    }
    # Unit 0 as it was and unit 1 at its mean of 2: 1 + 4 + .5 and 3 + 8 - .5, and so on.
    assert model(split.x).tolist() == [[5.5, 10.5], [7.5, 16.5], [9.5, 22.5]]


@pytest.mark.parametrize(
    ("padding", "bias", "value"),
    [
        (1, "average", 49 / 9),  # corners see 4 of the 9 weights, edges 6, the middle all: (4 · 4 + 4 · 6 + 9) / 9
        (1, "interior", 9.0),
        (1, "map", [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]),
        ("same", "average", 49 / 9),
        ("same", "map", [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]),
        (0, "average", 9.0),
        (0, "interior", 9.0),
        (0, "map", [[9.0]]),
    ],
)
def test_zero_padding_lowers_the_response_to_a_constant_towards_the_border(
    padding: int | str, bias: str, value: float | list[list[float]]
) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 1, 3, padding=padding)).double()
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.copy_(torch.tensor([1.0, 5.0]))
        model[2].weight.fill_(1)
    split = Examples(x=torch.randn(2, 1, 3, 3, dtype=torch.float64), y=torch.tensor([0, 0]))
    head = nn.Sequential(model, nn.Flatten(), nn.Linear(9 if padding else 1, 2)).double()
    site = sites(head)["0.0"]
    got = shift(head, site, torch.tensor([True, False]), measured(head, split)["0.0"], bias=bias)

    torch.testing.assert_close(got[0], torch.tensor(value, dtype=torch.float64))


def test_the_mean_behind_pooling_is_that_of_the_largest_values() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[0].bias.zero_()
        model[4].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 10.0]]))
    x = torch.tensor([[[[1.0, 2.0, 0.0, 0.0], [3.0, 4.0, 0.0, 2.0]]]])
    units, site, removed = (
        measured(model, Examples(x=x, y=torch.tensor([0])))["0"],
        sites(model)["0"],
        torch.tensor([True]),
    )

    # The mean of all eight is 1.5, of the largest of each square, 4 and 2, it is 3.
    assert shift(model, site, removed, units, mean="before pooling").tolist() == [1.5, 15.0]
    assert shift(model, site, removed, units, mean="after pooling").tolist() == [3.0, 30.0]
    assert shift(model, site, removed, units, mean="per position").tolist() == [4.0, 20.0]


@pytest.mark.parametrize("pool", [nn.AvgPool2d(2), nn.AvgPool2d(3, 2), nn.AdaptiveAvgPool2d((3, 3))])
def test_behind_average_pooling_without_overlap_or_rest_both_means_are_one(pool: nn.Module) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 4), nn.Tanh(), pool, nn.Conv2d(3, 4, 2), nn.Flatten(), nn.LazyLinear(3))
    split = examples(double=False)
    model(split.x)
    units, (site, removed) = measured(model, split)["0"], first(model, 2)
    before, after = (shift(model, site, removed, units, mean=mean) for mean in ("before pooling", "after pooling"))

    if isinstance(pool, nn.AvgPool2d) and pool.kernel_size == 3:  # windows overlap: some positions count twice
        assert float((before - after).abs().max()) > 1e-4
    else:
        torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-6)


@tries(12)
@given(spec=specs().filter(lambda spec: "same" not in spec), seed=st.integers(0, 1000), mean=st.sampled_from(MEANS))
def test_without_padding_the_whole_kernel_counts_everywhere(spec: str, seed: int, mean: str) -> None:
    model, split = net(spec, seed=seed), examples()
    units, removed = measured(model, split), flags(model, seed)
    for name, site in sites(model).items():
        average, interior, every = (
            shift(model, site, removed[name], units[name], mean=mean, bias=bias)
            for bias in ("average", "interior", "map")
        )
        if mean != "per position" or every.ndim == 1:  # else positions near the middle are seen more often
            torch.testing.assert_close(average, interior)
            torch.testing.assert_close(every, average.view(-1, *[1] * (every.ndim - 1)).expand_as(every))
        torch.testing.assert_close(every.flatten(1).mean(1) if every.ndim > 1 else every, average)


@tries(12)
@given(spec=specs(), seed=st.integers(0, 1000))
def test_means_per_position_keep_the_mean_of_every_pre_activation(spec: str, seed: int) -> None:
    model, split = net(spec, seed=seed), examples()
    units, removed = measured(model, split), flags(model, seed)
    for name, site in sites(model).items():
        value = shift(model, site, removed[name], units[name], mean="per position")
        _, before = seen_by(model, site, split.x)
        _, after = seen_by(without(model, {name: removed[name]}, {name: value}), site, split.x)
        axes = [0, *range(2, before.ndim)]

        torch.testing.assert_close(after.mean(axes), before.mean(axes), rtol=1e-9, atol=1e-10)


@tries(12)
@given(spec=specs(), seed=st.integers(0, 1000))
def test_the_map_of_means_per_position_keeps_the_mean_of_every_pre_activation_in_its_place(
    spec: str, seed: int
) -> None:
    model, split = net(spec, seed=seed), examples()
    units, removed = measured(model, split), flags(model, seed)
    for name, site in sites(model).items():
        value = shift(model, site, removed[name], units[name], mean="per position", bias="map")
        _, before = seen_by(model, site, split.x)
        _, after = seen_by(without(model, {name: removed[name]}), site, split.x)

        torch.testing.assert_close(after.mean(0) + value, before.mean(0), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize(
    "spec", ["conv-5k3p-4k3-6", "conv-5k3-4k3p-6-same", "conv-5k3p-4k3p-same-bn", "conv-5k3p-4", "mlp-6-5"]
)
def test_the_map_of_truly_constant_units_gives_the_consumers_pre_activations_back(spec: str, mean: str) -> None:
    model, split = constant_units(spec, [0.7, 2.0]), examples()
    site, removed = first(model, 2)
    value = shift(model, site, removed, measured(model, split)[site.name], mean=mean, bias="map")
    _, before = seen_by(model, site, split.x)
    _, after = seen_by(without(model, {site.name: removed}), site, split.x)

    assert float(value.abs().max()) > 0.01
    torch.testing.assert_close(after + value, before, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("bias", ["average", "interior"])
@pytest.mark.parametrize("spec", ["conv-6k3p-4k3-6", "conv-6k3-4k3p", "conv-6k3p-5-bn", "conv-6k3p-5-same", "mlp-6-5"])
def test_a_unit_without_variance_goes_unnoticed_when_its_mean_stays(spec: str, bias: str, mean: str) -> None:
    model, split = constant_units(spec, [0.7, 2.0], double=False), examples(200, double=False)
    site, removed = first(model, 2)
    value = shift(model, site, removed, measured(model, split)[site.name], mean=mean, bias=bias)

    kept = loss_of(without(model, {site.name: removed}, {site.name: value}), split)
    assert abs(kept - loss_of(model, split)) < 1e-6
    assert abs(loss_of(without(model, {site.name: removed}), split) - loss_of(model, split)) > 1e-3


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("spec", ["conv-5k3p-4k3-6-same", "conv-5k3-4", "mlp-5"])
def test_no_removed_unit_was_worth_nothing(spec: str, bias: str) -> None:
    model = net(spec)
    site, removed = first(model, 0)
    value = shift(model, site, removed, measured(model, examples())[site.name], bias=bias)

    assert len(value) == len(layer_of(model, site.consumer).weight)
    assert not bool(value.any())


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("bias", BIASES)
def test_what_units_are_worth_adds_up(mean: str, bias: str) -> None:
    model = net("conv-5k3p-4k3-6-same-bn")
    units = measured(model, examples())
    for name, site in sites(model).items():
        each = [
            shift(model, site, torch.arange(site.units) == unit, units[name], mean=mean, bias=bias)
            for unit in range(site.units)
        ]
        every = shift(model, site, torch.ones(site.units, dtype=torch.bool), units[name], mean=mean, bias=bias)

        torch.testing.assert_close(torch.stack(each).sum(0), every)


def test_strides_and_dilation_and_uneven_padding_are_those_of_the_consumer() -> None:
    torch.manual_seed(0)
    consumer = nn.Conv2d(4, 3, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(1, 2))
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), consumer, nn.Flatten(), nn.Linear(3 * 5 * 7, 3)).double()
    split = examples()
    site, removed = first(model, 2)
    units = measured(model, split)["0"]
    _, before = seen_by(model, site, split.x)
    _, after = seen_by(without(model, {"0": removed}), site, split.x)
    value = shift(model, site, removed, units, mean="per position", bias="map")

    torch.testing.assert_close(after.mean(0) + value, before.mean(0))


def test_the_worth_of_units_has_the_type_of_the_weights_and_leaves_the_net_alone() -> None:
    model = net("conv-4k3p-3k3-5", double=False)
    state = copy.deepcopy(model.state_dict())
    site, removed = first(model, 2)
    value = shift(model, site, removed, measured(model, examples(double=False))[site.name])

    assert (value.dtype, value.shape, value.requires_grad) == (torch.float32, (3,), False)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_an_unknown_mean_or_bias_or_means_of_another_site_are_refused() -> None:
    model = net("conv-4k3p-3k3-5")
    units, (site, removed) = measured(model, examples()), first(model, 2)

    with pytest.raises(ValueError, match="got 'median' and 'average'"):
        shift(model, site, removed, units["conv1"], mean="median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got 'before pooling' and 'centre'"):
        shift(model, site, removed, units["conv1"], bias="centre")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="conv1 has 4 units; the means are of 3"):
        shift(model, site, removed, units["conv2"])
    with pytest.raises(ValueError, match=r"flagged, \(4,\) bool; got \(3,\) torch.bool"):
        shift(model, site, removed[:3], units["conv1"])
    with pytest.raises(ValueError, match=r"\(4,\) bool; got \(4,\) torch.int64"):
        shift(model, site, removed.long(), units["conv1"])


# Taking them out


@tries(12)
@given(spec=specs(), seed=st.integers(0, 1000))
def test_a_net_without_units_is_one_whose_consumers_get_zeros_for_them(spec: str, seed: int) -> None:
    model, split, removed = net(spec, seed=seed), examples(), flags(net(spec), seed)
    silenced = copy.deepcopy(model)
    for name, site in sites(silenced).items():

        def silence(_: nn.Module, inputs: tuple[Tensor, ...], gone: Tensor = removed[name]) -> tuple[Tensor, ...]:
            units = inputs[0].unflatten(1, (len(gone), -1)).clone()
            units[:, gone] = 0
            return (units.flatten(1, 2),)

        silenced.get_submodule(site.consumer).register_forward_pre_hook(silence)

    torch.testing.assert_close(without(model, removed)(split.x), silenced(split.x))


@tries(12)
@given(spec=specs(), seed=st.integers(0, 1000))
def test_masks_are_of_what_was_zeroed_and_nothing_else_changes(spec: str, seed: int) -> None:
    model, removed = net(spec, seed=seed), flags(net(spec), seed)
    before = copy.deepcopy(model.state_dict())
    masks = remove(model, removed)

    for name, tensor in model.state_dict().items():
        mask = masks.get(name, torch.ones(tensor.shape, dtype=torch.bool))
        assert torch.equal(tensor, before[name] * mask), name
    for name, gone in removed.items():
        rows, columns = masks[f"{name}.weight"], masks[f"{sites(model)[name].consumer}.weight"]
        assert not bool(rows[gone].any())
        assert not bool(masks[f"{name}.bias"][gone].any())
        assert not bool(columns.unflatten(1, (len(gone), -1))[:, gone].any())
    assert [tuple(mask.shape) for mask in masks.values()] == [tuple(before[name].shape) for name in masks]


def test_shifts_go_to_the_bias_of_the_units_that_stay() -> None:
    model = net("conv-4k3-3k3-5")
    before = model.conv2.bias.detach().clone()
    gone = {"conv1": torch.tensor([True, False, False, True]), "conv2": torch.tensor([False, True, False])}
    remove(model, gone, shifts={"conv1": torch.tensor([1.0, 2.0, 3.0]), "conv2": torch.zeros(5)})

    torch.testing.assert_close(model.conv2.bias, before * torch.tensor([1, 0, 1]) + torch.tensor([1.0, 0.0, 3.0]))


def test_batch_normalisation_holds_the_mean_where_the_consumer_has_no_bias() -> None:
    layers = [
        *(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.Conv2d(4, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(75, 3)),
    ]
    model = randomised(nn.Sequential(*layers), torch.Generator().manual_seed(0)).double()
    split = examples()
    with torch.no_grad():
        model[0].weight[:2] = 0  # constant behind the normalisation
        model[1].bias[:2] = torch.tensor([3.0, 4.0])
    site, removed = first(model, 2)
    value = shift(model, site, removed, measured(model, split)["0"])

    assert float(value.abs().max()) > 0.01
    torch.testing.assert_close(without(model, {"0": removed}, {"0": value})(split.x), model(split.x))
    assert "0.bias" not in remove(model, {"0": removed})


def test_a_mean_that_nothing_can_hold_is_refused_before_anything_is_changed() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))
    before = copy.deepcopy(model.state_dict())
    gone = {"0": torch.arange(5) < 2, "2": torch.arange(3) < 1}

    with pytest.raises(ValueError, match="carried by a bias, and 4 has none: give it one"):
        remove(model, gone, shifts={"0": torch.ones(3), "2": torch.ones(2)})
    with pytest.raises(ValueError, match=r"one number an output of 2, \(3,\); got \(2,\)"):
        remove(model, gone, shifts={"0": torch.ones(2)})
    with pytest.raises(ValueError, match=r"units are removed at 0, 2; got 'fc1'"):
        remove(model, gone | {"fc1": torch.arange(5) < 2})
    with pytest.raises(ValueError, match=r"units are removed at 0, 2; got '4'"):
        remove(model, gone, shifts={"4": torch.ones(2)})
    with pytest.raises(ValueError, match=r"removed units of 2 are flagged, \(3,\) bool"):
        remove(model, {"0": gone["0"], "2": gone["0"]})
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_removed_units_stay_out_while_the_others_train_on() -> None:
    model, split = net("conv-6k3p-5k3-8-bn", double=False), examples(64, double=False)
    recipe = Recipe(epochs=2, batch_size=16, learning_rate=0.05, schedule="constant", l1=1e-3)
    train(model, split, recipe, generator=torch.Generator().manual_seed(0))  # momentum and statistics have moved
    removed = flags(model, 3)
    units = measured(model, split)
    shifts = {name: shift(model, site, removed[name], units[name]) for name, site in sites(model).items()}
    masks = remove(model, removed, shifts=shifts)
    start = copy.deepcopy(model.state_dict())
    train(model, split, recipe, generator=torch.Generator().manual_seed(0), masks=masks)

    check(model, masks)
    assert sum(int((~mask).sum()) for mask in masks.values()) > 100
    for name, mask in masks.items():
        assert not bool(model.get_parameter(name)[~mask].any())
        assert mask.ndim == 1 or not torch.equal(model.state_dict()[name], start[name])  # the others did move
    for name, site in sites(model).items():  # the consumers see nothing of them
        got, made = seen_by(model, site, split.x)
        hidden = got.unflatten(1, (site.units, -1)).clone()
        hidden[:, removed[name]] = 100.0
        torch.testing.assert_close(layer_of(model, site.consumer)(hidden.flatten(1, 2)), made)


def test_removing_nothing_changes_nothing() -> None:
    model = net("conv-4k3p-3k3-5")
    before = copy.deepcopy(model.state_dict())
    none = {name: torch.zeros(site.units, dtype=torch.bool) for name, site in sites(model).items()}

    assert all(bool(mask.all()) for mask in remove(model, none).values())
    assert remove(model, {}) == {}
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_order_of_channels_in_memory_does_not_matter() -> None:
    model, split = net("conv-4k3p-3k3-5-same"), examples()
    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    x = split.x.to(memory_format=torch.channels_last)
    removed, units, others = flags(model, 1), measured(model, split), measured(last, Examples(x=x, y=split.y))
    shifts = {name: shift(model, site, removed[name], units[name]) for name, site in sites(model).items()}
    same = {name: shift(last, site, removed[name], others[name]) for name, site in sites(last).items()}

    for name, value in shifts.items():
        torch.testing.assert_close(same[name], value)
    torch.testing.assert_close(without(last, removed, same)(x), without(model, removed, shifts)(split.x))


# Nets physically without their removed units: the same outputs with fewer parameters.


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


def test_the_order_of_channels_does_not_matter_to_a_smaller_net() -> None:
    model = net("conv-4k3p-3k3-5-same-bn")
    x, removed = examples().x, flags(model, 1)
    wanted = shrink(model, removed)(x)
    small = shrink(model.to(memory_format=torch.channels_last), removed)

    torch.testing.assert_close(small(x.to(memory_format=torch.channels_last)), wanted)


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ({"fc1": torch.ones(5, dtype=torch.bool)}, "keeps at least one unit; all 5 of fc1"),
        ({"fc1": torch.ones(4, dtype=torch.bool)}, r"fc1 are flagged, \(5,\) bool; got \(4,\) torch.bool"),
        ({"fc1": torch.zeros(5)}, r"fc1 are flagged, \(5,\) bool; got \(5,\) torch.float32"),
        ({"fc2": torch.zeros(3, dtype=torch.bool)}, "at conv1, fc1; got 'fc2'"),
        ({"act1": torch.zeros(4, dtype=torch.bool)}, "got 'act1'"),
    ],
)
def test_flags_that_do_not_fit_are_refused(removed: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        shrink(net("conv-4k3-5"), removed)

    assert "\n" not in str(refused.value)
