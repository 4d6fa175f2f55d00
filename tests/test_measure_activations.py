"""Layer statistics in one pass: the same numbers as keeping everything and asking numpy."""

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from made_nets import biased
from properties import tries
from prunelab.measure.activations import input_moments, last_outputs, mean_inputs, mean_shift, spread, trace
from prunelab.measure.perceptron import layers_of
from prunelab.pruning import below_threshold, masked, prunable

ACTIVATIONS = ["relu", "sigmoid", "tanh"]
# The outer 5 % at either end, from the definitions: (at the lower end, at the upper end).
ENDS = {
    "relu": (lambda h: h == 0, lambda h: h > 0),
    "sigmoid": (lambda h: h < 0.05, lambda h: h > 0.95),
    "tanh": (lambda h: h < -0.9, lambda h: h > 0.9),
}


def net(activation: str = "tanh", seed: int = 0, family: str = "acoustic") -> nn.Sequential:
    model = biased(f"{family}-20-16-12-{activation}", inputs=30, classes=7, seed=seed)
    for weight in prunable(model).values():
        weight.mul_(2)
    return model


def frames(count: int = 2300) -> Tensor:  # two blocks and a part of one
    return 1 + torch.randn(count, 30, generator=torch.Generator().manual_seed(5))


def outputs(model: nn.Sequential, x: Tensor) -> dict[str, np.ndarray]:
    """The independent reference: every child's output of every example, in float64."""
    x, found = x.double(), {}
    with torch.no_grad():
        for name, child in copy.deepcopy(model).double().named_children():
            x = child(x)
            found[name] = x.numpy()
    return found


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_statistics_are_those_of_all_outputs_kept(activation: str, threshold: float | None) -> None:
    model, x = net(activation), frames()
    weights = prunable(model)
    setting = {} if threshold is None else masked(weights, below_threshold(weights, threshold, "positive"))
    pruned = copy.deepcopy(model)
    pruned.load_state_dict({**pruned.state_dict(), **setting})
    kept = outputs(pruned, x)
    traced = trace(model, x, setting)

    assert [one.layer for one in traced.layers] == ["affine1", "affine2", "affine3", "final-affine"]
    for depth, one in enumerate(traced.layers, start=1):
        np.testing.assert_allclose(one.mean, kept[one.layer].mean(0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(one.sd, kept[one.layer].std(0), rtol=1e-4, atol=1e-5)
        if one.layer != "final-affine":
            h = kept[f"act{depth}"]
            low, high = (end(h) for end in ENDS[activation])
            # An output at the very edge may fall on either side of it in float32.
            np.testing.assert_allclose(one.low, low.mean(0), atol=1.01 / len(x))
            np.testing.assert_allclose(one.high, high.mean(0), atol=1.01 / len(x))
    np.testing.assert_allclose(traced.logits, kept["final-affine"], rtol=1e-3, atol=1e-4)


def test_saturated_and_fixed_shares_are_counted_by_hand() -> None:
    # One input, three units: z = 10 x, x, -10 x over 100 examples of which one is negative.
    model = nn.Sequential(nn.Linear(1, 3), nn.Sigmoid(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[10.0], [1.0], [-10.0]]))
        model[0].bias.zero_()
    x = torch.cat([torch.full((99, 1), 1.0), torch.full((1, 1), -1.0)])
    hidden, last = trace(model, x).layers

    assert hidden.saturated == pytest.approx(2 / 3)  # the steep units always, the other never
    assert hidden.fixed == pytest.approx(2 / 3)  # 99 of 100 on one side are 99 %
    assert trace(model, x[2:]).layers[0].fixed == 0  # 97 of 98 are not
    assert np.isnan([last.saturated, last.fixed]).all()  # no activation, no ends
    model[1] = nn.ReLU()
    relu = trace(model, x).layers[0]
    assert relu.saturated == pytest.approx((1 + 1 + 99) / 300)  # outputs of 0
    assert relu.fixed == 1  # the third is dead, the others linear only


def test_a_unit_far_from_zero_keeps_its_small_spread() -> None:
    model, x = net(), frames()
    with torch.no_grad():
        model.get_parameter("affine1.bias").fill_(3000.0)
        model.get_parameter("affine1.weight").mul_(0.01)
    exact = outputs(model, x)["affine1"].std(0)

    # Σz² - (Σz)² / n in float32 would be off by more than the variance itself.
    np.testing.assert_allclose(trace(model, x).layers[0].sd, exact, rtol=0.01)


def test_a_net_without_weights_has_no_spread() -> None:
    model = net()
    setting = {name: torch.zeros_like(weight) for name, weight in prunable(model).items()}

    assert all(float(one.sd.max()) < 1e-6 for one in trace(model, frames(), setting).layers)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_histogram_is_numpys_over_every_fourth_frame(activation: str) -> None:
    model, x = net(activation), frames(2000)
    edges = torch.linspace(-0.5, 0.5, 11, dtype=torch.float64)
    h = outputs(model, x)["act3"][::4].clip(-0.5, 0.5)
    counts, _ = np.histogram(h, bins=10, range=(-0.5, 0.5))
    found = trace(model, x, edges=edges).histogram

    assert float(found.sum()) == pytest.approx(1)
    np.testing.assert_allclose(found, counts / h.size, atol=2 / h.size)
    assert len(trace(model, x).histogram) == 0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_moments_of_inputs_are_numpys(activation: str) -> None:
    model, x = net(activation), frames()
    kept = outputs(model, x)
    inputs = dict(zip(["affine1", "affine2", "affine3", "final-affine"], [x, *kept_activations(kept)], strict=True))
    means, moments = mean_inputs(model, x), input_moments(model, x)

    for layer, values in inputs.items():
        np.testing.assert_allclose(means[layer], np.asarray(values, dtype=float).mean(0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(
            moments[layer].covariance, np.cov(values, rowvar=False, ddof=0), rtol=1e-4, atol=1e-3
        )
        assert torch.equal(moments[layer].mean, means[layer])
    np.testing.assert_allclose(last_outputs(model, x), kept["act3"], rtol=1e-4, atol=1e-4)


def kept_activations(kept: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [values for name, values in kept.items() if name.startswith("act")]


def test_shift_and_spread_leave_out_units_that_never_vary() -> None:
    model, x = net(), frames()
    with torch.no_grad():
        model.get_parameter("affine1.weight")[3] = 0
    before = trace(model, x).layers[0]

    assert mean_shift(before, before.sd * 2).tolist() == pytest.approx([2.0] * 19)
    assert spread(before, before).tolist() == [1.0] * 19


@tries(20)
@given(activation=st.sampled_from(ACTIVATIONS), seed=st.integers(0, 50), sign=st.sampled_from(["abs", "positive"]))
def test_a_threshold_of_zero_changes_nothing(activation: str, seed: int, sign: str) -> None:
    model, x = net(activation, seed), frames(40)
    weights = prunable(model)
    before, after = trace(model, x), trace(model, x, masked(weights, below_threshold(weights, 0.0, sign)))

    assert torch.equal(before.logits, after.logits)
    for one, other in zip(before.layers, after.layers, strict=True):
        assert torch.equal(one.mean, other.mean)
        assert torch.equal(one.sd, other.sd)


@tries(20)
@given(sizes=st.lists(st.integers(1, 40), min_size=2, max_size=4), seed=st.integers(0, 50))
def test_statistics_do_not_depend_on_the_order_of_the_frames(sizes: list[int], seed: int) -> None:
    parts = [1000 * torch.randn(size, 30, generator=torch.Generator().manual_seed(seed)) for size in sizes]
    model = net("relu", seed)
    for order in itertools.islice(itertools.permutations(parts), 3):
        one, other = trace(model, torch.cat(parts)), trace(model, torch.cat(order))
        for first, second in zip(one.layers, other.layers, strict=True):
            np.testing.assert_allclose(first.mean, second.mean, rtol=1e-4, atol=0.05)
            np.testing.assert_allclose(first.sd, second.sd, rtol=1e-3, atol=0.05)
            # A pre-activation near 0 may round to either side of it.
            np.testing.assert_allclose(first.high, second.high, atol=1.01 / len(torch.cat(parts)))


def test_images_are_flattened_and_the_models_own_modes_come_back() -> None:
    model = net("relu", family="mlp").train()
    x = frames(50)
    traced = trace(model, x.view(50, 5, 6))

    assert model.training
    torch.testing.assert_close(traced.logits, model(x).detach())


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(3, 3), nn.GELU(), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(3, 3), nn.ReLU()),
        nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2, bias=False)),
        nn.Sequential(),
    ],
    ids=["no activation", "unknown activation", "ends in an activation", "no bias", "empty"],
)
def test_what_is_no_multilayer_perceptron_is_refused(model: nn.Sequential) -> None:
    with pytest.raises(ValueError, match="one activation between any two"):
        layers_of(model)


@pytest.mark.parametrize("setting", [{"affine9.weight": torch.zeros(2)}, {"affine1.bias": torch.zeros(3)}])
def test_a_setting_that_does_not_fit_is_refused(setting: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"parameters of the model by others of their shape.*got 'affine"):
        trace(net(), frames(5), setting)


@pytest.mark.parametrize("measure", [trace, mean_inputs, input_moments])
def test_no_example_is_refused(measure) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="at least one"):
        measure(net(), frames(0))
