"""The mean shift in closed form: exact where nothing is approximated, near the measured one elsewhere."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from torch import Tensor, nn

from properties import tries
from prunelab.measure.activations import input_moments, mean_inputs, trace
from prunelab.measure.shift import activated, cascade_shift, local_shift
from prunelab.models import build
from prunelab.pruning import below_threshold, masked, prunable

ACTIVATIONS = ["relu", "sigmoid", "tanh"]


def net(activation: str, widths: str = "4x40", seed: int = 0, gain: float = 1.0) -> nn.Sequential:
    model = build(
        f"acoustic-{widths}-{activation}", inputs=30, classes=7, generator=torch.Generator().manual_seed(seed)
    )
    with torch.no_grad():
        for weight in prunable(model).values():
            weight.mul_(gain)
    return model


def frames(count: int = 1500) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    mixed = torch.randn(30, 30, generator=generator) / 30**0.5  # correlated inputs, as spliced features are
    return torch.randn(count, 30, generator=generator) @ mixed + 0.3


def pruned(model: nn.Sequential, threshold: float, sign: str, layers: list[str] | None = None) -> dict[str, Tensor]:
    weights = prunable(model, layers)
    return masked(weights, below_threshold(weights, threshold, sign))


def measured(model: nn.Sequential, x: Tensor, setting: dict[str, Tensor]) -> dict[str, Tensor]:
    before, after = trace(model, x), trace(model, x, setting)
    return {one.layer: two.mean - one.mean for one, two in zip(before.layers, after.layers, strict=True)}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layer", ["affine1", "affine3", "final-affine"])
def test_both_predictions_are_exact_in_the_one_layer_that_is_pruned(activation: str, layer: str) -> None:
    model, x = net(activation), frames()
    setting = pruned(model, 0.2, "positive", [layer])
    truth = measured(model, x, setting)[layer]
    local = local_shift(model, setting, mean_inputs(model, x))
    cascade = cascade_shift(model, setting, input_moments(model, x))

    assert float(truth.abs().max()) > 0.02
    np.testing.assert_allclose(local[layer], truth, atol=1e-4)
    np.testing.assert_allclose(cascade[layer], truth, atol=1e-4)
    others = [name for name in local if name != layer]
    assert all(not local[name].any() for name in others)  # a layer's own weights are all that counts


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sign", ["positive", "negative"])
def test_the_cascade_follows_the_measured_shift_through_the_net(activation: str, sign: str) -> None:
    model, x = net(activation, gain=1.5), frames()
    setting = pruned(model, 0.2, sign)
    truth = measured(model, x, setting)
    local = local_shift(model, setting, mean_inputs(model, x))
    cascade = cascade_shift(model, setting, input_moments(model, x))

    for layer in ("affine2", "affine3", "affine4", "final-affine"):
        off = {name: float((shift[layer] - truth[layer]).norm()) for name, shift in (("l", local), ("c", cascade))}
        assert off["c"] < off["l"], layer
        assert float(torch.corrcoef(torch.stack([cascade[layer], truth[layer]]))[0, 1]) > 0.9


@pytest.mark.parametrize("predict", [lambda m, s, x: local_shift(m, s, mean_inputs(m, x)), None])
def test_a_moved_bias_is_part_of_the_prediction(predict) -> None:  # type: ignore[no-untyped-def]
    model, x = net("tanh"), frames(50)
    setting = {"affine1.bias": model.get_parameter("affine1.bias") + 0.5}
    shift = predict(model, setting, x) if predict else cascade_shift(model, setting, input_moments(model, x))

    np.testing.assert_allclose(shift["affine1"], 0.5, rtol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (-2.0, 0.5), (3.0, 8.0), (0.3, 20.0), (1.0, 0.0), (-1.0, 0.0)])
def test_gaussian_moments_are_those_of_numerical_integration(activation: str, mean: float, sd: float) -> None:
    phi = {"relu": lambda z: max(z, 0.0), "tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}[activation]

    def expected(power: int) -> float:
        if sd == 0:
            return float(phi(mean) ** power)
        found, _ = integrate.quad(
            lambda t: phi(mean + sd * t) ** power * stats.norm.pdf(t), -12, 12, points=[-mean / sd, 0], limit=500
        )
        return float(found)

    first, spread = activated(torch.tensor([mean], dtype=torch.float64), torch.tensor([sd]).double(), activation)
    assert float(first) == pytest.approx(expected(1), abs=1e-6)
    assert float(spread) == pytest.approx(max(expected(2) - expected(1) ** 2, 0) ** 0.5, abs=1e-4)


def test_without_an_activation_the_cascade_is_exact_in_every_layer() -> None:
    model, x = net("none"), frames()
    setting = pruned(model, 0.2, "negative")
    truth = measured(model, x, setting)
    for layer, shift in cascade_shift(model, setting, input_moments(model, x)).items():
        np.testing.assert_allclose(shift, truth[layer], atol=2e-4)


@tries(20)
@given(activation=st.sampled_from(ACTIVATIONS), seed=st.integers(0, 30), sign=st.sampled_from(["abs", "negative"]))
def test_nothing_pruned_nothing_shifts(activation: str, seed: int, sign: str) -> None:
    model, x = net(activation, "2x8", seed), frames(30)
    setting = pruned(model, 0.0, sign)
    predictions = [local_shift(model, setting, mean_inputs(model, x))]
    predictions.append(cascade_shift(model, setting, input_moments(model, x)))

    assert all(not shift.any() for prediction in predictions for shift in prediction.values())


@tries(20)
@given(threshold=st.floats(0.01, 1), seed=st.integers(0, 30))
def test_the_signs_shifts_add_up_to_that_of_both(threshold: float, seed: int) -> None:
    model, x = net("sigmoid", "2x8", seed), frames(30)
    means = mean_inputs(model, x)
    one, other, both = (
        local_shift(model, pruned(model, threshold, sign), means) for sign in ("positive", "negative", "abs")
    )
    for layer, shift in both.items():
        np.testing.assert_allclose(one[layer] + other[layer], shift, atol=1e-9)


def test_dead_units_are_no_obstacle() -> None:
    model, x = net("relu"), frames()
    with torch.no_grad():
        model.get_parameter("affine1.bias")[:5] = -1e3
        model.get_parameter("affine2.weight")[:5] = 0
    shifts = cascade_shift(model, pruned(model, 0.3, "positive"), input_moments(model, x))

    assert all(bool(shift.isfinite().all()) for shift in shifts.values())


def test_a_layer_that_was_not_measured_is_named() -> None:
    model, x = net("tanh"), frames(30)
    means, moments = mean_inputs(model, x), input_moments(model, x)
    del means["affine2"], moments["affine3"]

    with pytest.raises(ValueError, match="nothing on 'affine2'"):
        local_shift(model, {}, means)
    with pytest.raises(ValueError, match="nothing on 'affine3'"):
        cascade_shift(model, {}, moments)
