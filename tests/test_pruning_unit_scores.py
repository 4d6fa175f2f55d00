"""Scores of units: what one pass gives against one example at a time, and against what really happens to the loss."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from made_nets import Examples, examples, measured, net, randomised, specs
from properties import tries
from prunelab.pruning.unit_scores import SCORES
from prunelab.pruning.units import sites

Change = Callable[[Tensor, float], Tensor]  # activations of one unit (B, ...), a small number -> changed ones


def halves(model: nn.Sequential, name: str) -> tuple[nn.Sequential, nn.Sequential]:
    """Cut a net in a row behind a child."""
    place = list(dict(model.named_children())).index(name) + 1
    return model[:place], model[place:]


def one_by_one(model: nn.Sequential, split: Examples, tap: str) -> dict[str, Tensor]:
    """Score the units behind a tap one example and one unit at a time, as the definitions read."""
    front, back = halves(model, tap)
    activations, slopes = [], []
    for x, y in zip(split.x, split.y, strict=True):
        a = front(x[None]).detach().requires_grad_()
        nn.functional.cross_entropy(back(a), y[None]).backward()
        assert a.grad is not None
        activations.append(a.detach()[0])
        slopes.append(a.grad[0])
    scores: dict[str, list[float]] = {name: [] for name in ("activation", "taylor", "taylor-abs", "mrs", "mrs-abs")}
    scores |= {"mean": [], "mean_square": []}
    for unit in range(len(activations[0])):
        every = torch.stack([a[unit].flatten() for a in activations])  # (N, P)
        mean = float(every.mean())
        taylor = [float((-a[unit] * g[unit]).sum()) for a, g in zip(activations, slopes, strict=True)]
        mrs = [float(((mean - a[unit]) * g[unit]).sum()) for a, g in zip(activations, slopes, strict=True)]
        found = {
            "activation": float(every.abs().mean()),
            "taylor": math.fsum(taylor) / len(split),
            "taylor-abs": math.fsum(map(abs, taylor)) / len(split),
            "mrs": math.fsum(mrs) / len(split),
            "mrs-abs": math.fsum(map(abs, mrs)) / len(split),
            "mean": mean,
            "mean_square": float((every**2).mean()),
        }
        for name, value in found.items():
            scores[name].append(value)
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in scores.items()}


def unit_losses(model: nn.Sequential, split: Examples, tap: str, unit: int, change: Change, by: float) -> Tensor:
    """Give the loss of each example, (N,), with one unit's activations changed by a hook."""

    def hook(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, unit] = change(output[:, unit], by)
        return changed

    handle = model.get_submodule(tap).register_forward_hook(hook)
    try:
        with torch.no_grad():
            return nn.functional.cross_entropy(model(split.x), split.y, reduction="none")
    finally:
        handle.remove()


def towards_zero(a: Tensor, by: float) -> Tensor:
    return (1 - by) * a


def towards_mean(a: Tensor, by: float) -> Tensor:
    return a + by * (a.mean() - a)


@tries(15)
@given(spec=specs(), seed=st.integers(0, 2**31))
def test_one_pass_gives_what_one_example_at_a_time_gives(spec: str, seed: int) -> None:
    model, split = net(spec, seed=seed), examples(7, seed=seed)
    for site, units in measured(model, split, batch_size=3).items():
        wanted = one_by_one(model, split, sites(model)[site].tap)
        got = {**units.scores, "mean": units.mean, "mean_square": units.mean_square}
        for name, values in wanted.items():
            torch.testing.assert_close(got[name], values, rtol=1e-9, atol=1e-12, msg=f"{site} {name}")


@pytest.mark.parametrize("spec", ["conv-4k3p-3k3-5-bn-tanh", "conv-4k3p-3k3-5-same", "mlp-6-5-sigmoid"])
@pytest.mark.parametrize(("scores", "change"), [("taylor", towards_zero), ("mrs", towards_mean)])
def test_a_score_is_the_slope_of_the_loss_towards_the_removal_of_the_unit(
    spec: str, scores: str, change: Change
) -> None:
    model, split, step = net(spec), examples(8), 1e-5
    for name, units in measured(model, split).items():
        for unit in range(len(units.mean)):
            ahead, behind = (
                unit_losses(model, split, sites(model)[name].tap, unit, change, by) for by in (step, -step)
            )
            slopes = (ahead - behind) / (2 * step)  # of each example
            assert float(units.scores[scores][unit]) == pytest.approx(float(slopes.mean()), rel=1e-5, abs=1e-9)
            wanted = float(slopes.abs().mean())
            assert float(units.scores[f"{scores}-abs"][unit]) == pytest.approx(wanted, rel=1e-5, abs=1e-9)


def test_norms_are_the_mean_squares_of_a_units_incoming_weights() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0], [-1.0, 1.0]]))
    split = examples(5, shape=(2,), classes=2, double=False)

    assert measured(model, split)["0"].scores["norm"].tolist() == [12.5, 0.0, 1.0]


def test_scores_of_a_unit_by_hand() -> None:
    # One input, units relu(x) and relu(-x), logits (a0, a1). Of class 0, ∂L/∂a0 = p0 - 1 and ∂L/∂a1 = p1.
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))
        model[0].bias.zero_()
        model[2].weight.copy_(torch.eye(2))
        model[2].bias.zero_()
    x = torch.tensor([[math.log(3)], [-math.log(3)]], dtype=torch.float64)  # p = (3/4, 1/4), (1/4, 3/4)
    units = measured(model, Examples(x=x, y=torch.tensor([0, 0])))["0"]
    level = math.log(3)

    assert units.mean.tolist() == pytest.approx([level / 2, level / 2])
    assert units.mean_square.tolist() == pytest.approx([level**2 / 2, level**2 / 2])
    # -a g: unit 0 in example 0, level/4, else 0; unit 1 in example 1, -3 level/4, else 0.
    assert units.scores["taylor"].tolist() == pytest.approx([level / 8, -3 * level / 8])
    assert units.scores["taylor-abs"].tolist() == pytest.approx([level / 8, 3 * level / 8])
    # (ā - a) g: unit 0: (-level/2)(-1/4) and (level/2)(-3/4); unit 1: (level/2)(1/4) and (-level/2)(3/4).
    assert units.scores["mrs"].tolist() == pytest.approx([-level / 8, -level / 8])
    assert units.scores["mrs-abs"].tolist() == pytest.approx([level / 4, level / 4])
    assert units.inputs.flatten().tolist() == pytest.approx([level / 2, level / 2])


@tries(15)
@given(spec=specs(), batch_size=st.integers(1, 12))
def test_the_size_of_the_batches_does_not_matter(spec: str, batch_size: int) -> None:
    model, split = net(spec), examples(11)
    whole, parts = measured(model, split), measured(model, split, batch_size)
    for site in whole:
        for name in SCORES:
            torch.testing.assert_close(parts[site].scores[name], whole[site].scores[name], rtol=1e-9, atol=1e-12)
        for name in ("mean", "mean_square", "inputs"):
            torch.testing.assert_close(getattr(parts[site], name), getattr(whole[site], name), rtol=1e-9, atol=1e-12)
        assert parts[site].shape == whole[site].shape


@pytest.mark.parametrize(
    ("spec", "shapes", "inputs"),
    [
        ("conv-4k3p-3k2-5", [(7, 7), (2, 2), ()], [(4, 3, 3), (3, 4), (5, 1)]),
        ("conv-4k3p-3k3p-same-bn", [(9, 9), (4, 4)], [(4, 4, 4), (3, 4)]),
        ("mlp-4-6", [(), ()], [(4, 1), (6, 1)]),
    ],
)
def test_the_consumers_mean_inputs_are_kept_position_by_position(
    spec: str, shapes: list[tuple[int, ...]], inputs: list[tuple[int, ...]]
) -> None:
    model, split = net(spec), examples()
    units = measured(model, split)

    assert [each.shape for each in units.values()] == shapes
    assert [tuple(each.inputs.shape) for each in units.values()] == inputs
    for name, each in units.items():
        site = sites(model)[name]
        front, _ = halves(model, [site.tap, *site.between][-1])
        torch.testing.assert_close(each.inputs.flatten(), front(split.x).detach().mean(0).flatten())


def test_every_score_is_given_for_every_unit_in_float64() -> None:
    for units in measured(net("conv-4k3p-3k3-5", double=False), examples(double=False)).values():
        assert tuple(units.scores) == SCORES
        assert {score.dtype for score in units.scores.values()} == {torch.float64}
        assert {score.shape for score in units.scores.values()} == {units.mean.shape}
        assert 0 <= float(units.scores["random"].min()) <= float(units.scores["random"].max()) < 1


def test_random_scores_come_from_the_generator_alone_whatever_the_batches() -> None:
    model, split = net("conv-4k3-5"), examples()
    one, same, other = measured(model, split), measured(model, split, batch_size=3), measured(model, split, seed=1)

    assert torch.equal(one["conv1"].scores["random"], same["conv1"].scores["random"])
    assert not torch.equal(one["conv1"].scores["random"], other["conv1"].scores["random"])
    assert not torch.equal(one["conv1"].scores["random"], one["fc1"].scores["random"][:4])


def test_measuring_changes_neither_weights_nor_modes_nor_gradients_nor_inputs() -> None:
    model, split = net("conv-4k3p-3k3-5-bn"), examples()
    model.train()
    model.bn1.eval()  # frozen, as some train
    state, x = copy.deepcopy(model.state_dict()), split.x.clone()
    before = torch.get_rng_state()
    measured(model, split)

    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model] == [name != "bn1" for name, _ in model.named_children()]
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(split.x, x)
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_and_batch_statistics_play_no_part() -> None:
    split = examples(shape=(6,))
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5, inplace=True), nn.Linear(8, 3))
    randomised(model.double(), torch.Generator().manual_seed(0))
    evaluated, trained = measured(model, split)["0"], measured(model.train(), split)["0"]

    for name in SCORES:
        assert torch.equal(evaluated.scores[name], trained.scores[name])


@pytest.mark.parametrize("frozen", ["all", "convolutions", "conv1.weight"])
@pytest.mark.parametrize("gradients", [True, False])
def test_frozen_nets_have_the_same_scores(frozen: str, gradients: bool) -> None:
    model, split = net("conv-4k3p-3k3-5-bn"), examples()
    wanted = measured(model, split)
    for name, parameter in model.named_parameters():
        if frozen == "all" or (frozen == "convolutions" and parameter.ndim == 4) or name == frozen:
            parameter.requires_grad_(False)
    with torch.set_grad_enabled(gradients):
        got = measured(model, split)

    for site in wanted:
        for name in SCORES:
            torch.testing.assert_close(got[site].scores[name], wanted[site].scores[name])
    assert sum(parameter.requires_grad for parameter in model.parameters()) < len(list(model.parameters()))


@pytest.mark.parametrize("frozen", [False, True])
def test_activations_in_place_change_nothing_the_inputs_included(frozen: bool) -> None:
    def made(inplace: bool) -> nn.Module:
        torch.manual_seed(0)
        layers = [
            *(nn.LeakyReLU(0.5, inplace), nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace)),
            *(nn.Dropout(0.5, inplace), nn.Conv2d(4, 3, 3), nn.ReLU(inplace), nn.Flatten()),
            *(nn.Linear(75, 5), nn.ELU(inplace=inplace), nn.Linear(5, 3)),
        ]
        model = randomised(nn.Sequential(*layers), torch.Generator().manual_seed(0)).double()
        return model.requires_grad_(not frozen)

    split = examples()
    x = split.x.clone()
    plain, inplace = measured(made(False), split), measured(made(True), split)

    for site in plain:
        for name in SCORES:
            # ELU in place has its slope from its result, which rounds otherwise.
            torch.testing.assert_close(inplace[site].scores[name], plain[site].scores[name], rtol=1e-12, atol=1e-15)
        assert torch.equal(plain[site].inputs, inplace[site].inputs)
    assert torch.equal(split.x, x)


def test_the_order_of_channels_in_memory_does_not_matter() -> None:
    model, split = net("conv-4k3p-3k3-5-bn"), examples()
    wanted = measured(model, split)
    got = measured(
        model.to(memory_format=torch.channels_last),
        Examples(x=split.x.to(memory_format=torch.channels_last), y=split.y),
    )

    for site in wanted:
        for name in SCORES:
            torch.testing.assert_close(got[site].scores[name], wanted[site].scores[name], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(got[site].inputs, wanted[site].inputs)


def test_a_unit_that_is_never_active_scores_nothing_and_a_constant_one_has_no_mean_replacement_saliency() -> None:
    model = net("conv-4k3-5")
    with torch.no_grad():
        model.conv1.weight[:2] = 0
        model.conv1.bias[0] = -1  # never active
        model.conv1.bias[1] = 2  # always 2
    scores, split = measured(model, examples())["conv1"].scores, examples()

    assert [float(scores[name][0]) for name in SCORES if name != "random"] == [0.0] * 6
    assert [float(scores[name][1]) for name in ("mrs", "mrs-abs")] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert float(scores["taylor-abs"][1]) > 1e-6
    assert float(measured(model, split)["conv1"].mean[1]) == pytest.approx(2)


@pytest.mark.parametrize("count", [0, 19])
def test_examples_without_classes_are_refused(count: int) -> None:
    split = examples()
    with pytest.raises(ValueError, match=f"got {count} and {20 if count else 0}"):
        measured(net("mlp-4"), Examples(x=split.x[:count], y=split.y if count else split.y[:0]))


@pytest.mark.parametrize(("value", "message"), [(math.nan, "finite losses"), (1e200, "finite activations")])
def test_a_net_that_diverged_is_refused(value: float, message: str) -> None:
    model = net("mlp-4")
    with torch.no_grad():
        model.fc1.weight[0, 0] = value
        model.fc2.weight[:, 0] = 0 if value == value else 1
    with pytest.raises(ValueError, match=f"{message}.*did the training diverge"):
        measured(model, examples())


def test_linear_layers_over_sequences_are_refused() -> None:
    model = nn.Sequential(nn.Linear(9, 4), nn.ReLU(), nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"flat examples \(B, U\) or images .*; 0 gives \(20, 5, 4\)"):
        measured(model, examples(shape=(5, 9), double=False))
