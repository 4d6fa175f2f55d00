"""Refitted consumers against scipy on patches cut by hand, and what a fit may never do."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import linalg
from torch import Tensor, nn

from properties import tries
from prunelab.measure.activations import mean_inputs, trace
from prunelab.models import build
from prunelab.pruning import below_threshold, keep_largest, magnitude, masked, percentile, prunable
from prunelab.pruning.reconstruction import FITS, InputMoments, corrected_biases, gather, refit, squared_error
from prunelab.pruning.unit_removal import lowest, remove, shift
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import layer_of, sites, steps_of

IMAGE = (2, 8, 8)
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # meant to be uneven

SPECS = ("conv-6k3p-5k3-8", "conv-6k3-5k2p-8-same", "conv-6k2p-5k3-8-same-bn-tanh")


def net(spec: str = SPECS[0], seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    model = build(spec, inputs=IMAGE, classes=3, generator=generator)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # that of a built net is 0
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def examples(count: int, seed: int = 1) -> Tensor:
    return torch.rand(count, *IMAGE, generator=torch.Generator().manual_seed(seed))


def consumed(model: nn.Module, x: Tensor, consumer: str) -> tuple[Tensor, Tensor]:
    """Inputs and pre-activations of a layer."""
    with torch.no_grad():
        for step in steps_of(model):
            before, x = x, step.run(x)
            if step.name == consumer:
                return before, x
    raise AssertionError(consumer)


def patches(inputs: Tensor, layer: nn.Module) -> NDArray[np.float64]:
    """Cut out by hand what a layer's weights meet at every position, (N · P, I)."""
    x = inputs.numpy().astype(np.float64)
    if isinstance(layer, nn.Linear):
        return x
    assert isinstance(layer, nn.Conv2d)
    rows, columns = layer.kernel_size
    if layer.padding == "same":
        before = ((rows - 1) // 2, (columns - 1) // 2)
        behind = (rows - 1 - before[0], columns - 1 - before[1])
    else:
        before = behind = (0, 0) if layer.padding == "valid" else (int(layer.padding[0]), int(layer.padding[1]))
    x = np.pad(x, [(0, 0), (0, 0), (before[0], behind[0]), (before[1], behind[1])])
    down, across = layer.stride
    places = product(range(0, x.shape[2] - rows + 1, down), range(0, x.shape[3] - columns + 1, across))
    cut = [x[:, :, row : row + rows, column : column + columns].reshape(len(x), -1) for row, column in places]
    return np.stack(cut, axis=1).reshape(-1, cut[0].shape[1])


def mean_square_left(model: nn.Module, site: str, removed: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> float:
    """Run both consumers and compare what they give: mean over rows, summed over outputs."""
    layer = layer_of(model, sites(model)[site].consumer)
    before, wanted = consumed(model, x, sites(model)[site].consumer)
    made = patches(before, layer) @ weight.flatten(1).numpy().astype(np.float64).T + bias.numpy().astype(np.float64)
    target = wanted.flatten(2).transpose(1, 2).flatten(0, 1) if wanted.ndim == 4 else wanted
    return float(np.square(target.numpy().astype(np.float64) - made).sum(1).mean())


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("site", ["conv1", "conv2", "fc1"])
def test_the_fit_is_that_of_scipy_on_patches_cut_by_hand(spec: str, site: str) -> None:
    model, x = net(spec), examples(300)
    place = sites(model)[site]
    removed = torch.arange(place.units) % 3 == 1
    layer = layer_of(model, place.consumer)
    fitted = refit(model, place, removed, gather(model, x)[site], ridge=1e-12)

    rows = patches(consumed(model, x, place.consumer)[0], layer)
    gone = removed.repeat_interleave(rows.shape[1] // place.units).numpy()
    weight = layer.weight.detach().flatten(1).double().numpy()
    known = np.column_stack([rows[:, ~gone], np.ones(len(rows))])
    answer = linalg.lstsq(known, rows[:, gone] @ weight[:, gone].T)[0]
    changed = fitted.weight.flatten(1).double().numpy()[:, ~gone] - weight[:, ~gone]
    assert not fitted.weight.flatten(1).numpy()[:, gone].any()
    assert (known[:, :-1] @ changed.T + fitted.shift.numpy()) == pytest.approx(known @ answer, abs=1e-4)


def test_strided_and_unevenly_padded_convolutions_are_laid_out_as_torch_runs_them() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, (3, 2), stride=(2, 1), padding=(1, 0)), nn.ReLU(), nn.Flatten(),
        nn.Linear(5 * 3 * 5, 3),
    ).eval()  # fmt: skip
    place, x = sites(model)["0"], examples(50)
    removed = torch.tensor([True, False, False, False])
    moments = gather(model, x)["0"]
    layer = layer_of(model, "2")
    fitted = refit(model, place, removed, moments)
    assert layer.bias is not None

    assert moments.count == 50 * 3 * 5
    assert squared_error(model, place, removed, moments, fitted) == pytest.approx(
        mean_square_left(model, "0", removed, x, fitted.weight, layer.bias.detach() + fitted.shift), rel=1e-4
    )


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("site", ["conv1", "conv2", "fc1"])
def test_the_bias_alone_is_mean_replacement_with_means_per_position(spec: str, site: str) -> None:
    model, x = net(spec), examples(40)
    y = torch.zeros(40, dtype=torch.int64)
    place = sites(model)[site]
    removed = torch.arange(place.units) < 2
    measured = measure_units(model, x, y, generator=torch.Generator())[site]
    fitted = refit(model, place, removed, gather(model, x)[site], fit="bias")
    weight = layer_of(model, place.consumer).weight

    assert fitted.shift.numpy() == pytest.approx(shift(model, place, removed, measured, mean="per position").numpy())
    each = removed.repeat_interleave(weight.shape[1] // place.units)
    assert torch.equal(fitted.weight[:, ~each], weight.detach()[:, ~each])
    assert not fitted.weight[:, each].any()


@given(
    spec=st.sampled_from(SPECS),
    site=st.sampled_from(["conv1", "conv2", "fc1"]),
    fraction=st.floats(0.05, 0.9),
    count=st.integers(1, 30),  # from fewer rows than inputs on
    seed=st.integers(0, 9),
)
def test_on_the_examples_fitted_to_a_fit_is_never_worse_than_the_mean_nor_that_than_nothing(
    spec: str, site: str, fraction: float, count: int, seed: int
) -> None:
    model, x = net(spec, seed), examples(count, seed)
    place = sites(model)[site]
    removed = lowest(torch.rand(place.units, generator=torch.Generator().manual_seed(seed)), fraction)
    moments = gather(model, x, only=[site], batch_size=7)[site]
    layer = layer_of(model, place.consumer)
    assert layer.bias is not None
    each = removed.repeat_interleave(layer.weight.shape[1] // place.units)
    cut = layer.weight.detach().clone()
    cut[:, each] = 0
    left = [mean_square_left(model, site, removed, x, cut, layer.bias.detach())]
    told = [squared_error(model, place, removed, moments)]
    for fit in ("bias", "weights and bias"):
        fitted = refit(model, place, removed, moments, fit=fit)
        left.append(mean_square_left(model, site, removed, x, fitted.weight, layer.bias.detach() + fitted.shift))
        told.append(squared_error(model, place, removed, moments, fitted))

    slack = 1e-6 * left[0] + 1e-9  # the runs are in float32
    assert left[2] <= left[1] + slack <= left[0] + 2 * slack
    assert told == pytest.approx(left, rel=1e-3, abs=1e-3 * left[0] + 1e-9)


def test_a_unit_that_is_a_mix_of_others_leaves_no_trace() -> None:
    model, x = net("conv-6k3p-5k3-8"), examples(60)
    with torch.no_grad():
        for name in ("weight", "bias"):
            parameter = model.get_parameter(f"conv1.{name}")
            parameter[0] = 2 * parameter[3]  # ReLU and pooling keep the factor
        wanted = model(x)
    place = sites(model)["conv1"]
    removed = torch.arange(6) == 0
    fitted = refit(model, place, removed, gather(model, x)["conv1"])
    remove(model, {"conv1": removed}, shifts={"conv1": fitted.shift})
    with torch.no_grad():
        zeroed = model(x)
        layer_of(model, "conv2").weight.copy_(fitted.weight)
        refitted = model(x)

    assert not torch.allclose(zeroed, wanted, atol=0.01)
    assert torch.allclose(refitted, wanted, atol=1e-4)


def test_inputs_that_are_never_lit_keep_their_weights() -> None:
    model, x = net("conv-6k3p-5k3-8"), examples(60)
    with torch.no_grad():
        model.get_parameter("fc1.bias")[2:4] = -100.0
        model.get_parameter("fc1.bias")[4:] = 3.0  # always lit
    place = sites(model)["fc1"]
    removed = torch.arange(8) == 7
    fitted = refit(model, place, removed, gather(model, x)["fc1"])
    weight = layer_of(model, "fc2").weight.detach()

    assert torch.equal(fitted.weight[:, 2:4], weight[:, 2:4])
    assert not torch.equal(fitted.weight[:, 4:6], weight[:, 4:6])


def test_where_nothing_is_ever_lit_nothing_changes_but_the_removed_weights() -> None:
    model, x = net("conv-6k3p-5k3-8"), examples(10)
    with torch.no_grad():
        model.get_parameter("fc1.bias").fill_(-100.0)
    place = sites(model)["fc1"]
    fitted = refit(model, place, torch.arange(8) < 2, gather(model, x)["fc1"])

    assert torch.equal(fitted.weight[:, 2:], layer_of(model, "fc2").weight.detach()[:, 2:])
    assert not fitted.weight[:, :2].any()
    assert not fitted.shift.any()


@pytest.mark.parametrize("fit", FITS)
def test_no_unit_removed_is_no_change_and_all_removed_leaves_the_mean(fit: str) -> None:
    model, x = net(), examples(20)
    place, moments = sites(model)["fc1"], gather(model, x)["fc1"]
    none = refit(model, place, torch.zeros(8, dtype=torch.bool), moments, fit=fit)  # type: ignore[arg-type]
    every = refit(model, place, torch.ones(8, dtype=torch.bool), moments, fit=fit)  # type: ignore[arg-type]
    layer = layer_of(model, "fc2")
    _, outputs = consumed(model, x, "fc2")
    assert layer.bias is not None

    assert torch.equal(none.weight, layer.weight.detach())
    assert not none.shift.any()
    assert not every.weight.any()
    assert (layer.bias.detach() + every.shift).numpy() == pytest.approx(outputs.mean(0).numpy(), abs=1e-5)


def test_batches_do_not_matter_and_the_net_stays_as_it_is() -> None:
    model = net(SPECS[2]).train()
    model.get_submodule("bn1").eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one, many = gather(model, examples(21)), gather(model, examples(21), only=["conv1", "fc1"], batch_size=4)

    assert list(one) == ["conv1", "conv2", "fc1"]
    assert list(many) == ["conv1", "fc1"]
    assert torch.allclose(one["conv1"].covariance, many["conv1"].covariance)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert not model.get_submodule("bn1").training


def test_bad_input_is_refused_in_one_line() -> None:
    model, x = net(), examples(5)
    place, moments = sites(model)["fc1"], gather(model, x)["fc1"]
    removed = torch.arange(8) < 2
    twins = InputMoments(mean=torch.zeros(8).double(), covariance=torch.ones(8, 8).double(), count=5)
    calls: dict[str, Callable[[], object]] = {
        "behind the sites conv1, conv2, fc1; got 'fc2'": lambda: gather(model, x, only=["fc2"]),
        "over examples; got none": lambda: gather(model, x[:0]),
        r"flagged, \(8,\) bool; got \(7,\)": lambda: refit(model, place, removed[:7], moments),
        "the moments are of 8: gather": lambda: refit(model, sites(model)["conv1"], torch.arange(6) < 1, moments),
        "got 'weights' and 1e-06": lambda: refit(model, place, removed, moments, fit="weights"),  # type: ignore[arg-type]
        "a ridge at least 0; got": lambda: refit(model, place, removed, moments, ridge=-1.0),
        "0.0 is too small: take 1e-06": lambda: refit(model, place, removed, twins, ridge=0.0),
    }
    for message, call in calls.items():
        with pytest.raises(ValueError, match=message) as refused:
            call()
        assert "\n" not in str(refused.value)


# Corrected biases: what a layer lost in the mean comes back, exactly where that can be.


LAYERS = ["affine1", "affine2", "final-affine"]


def acoustic(seed: int = 0) -> nn.Sequential:
    return build("acoustic-20-12-sigmoid", inputs=30, classes=7, generator=torch.Generator().manual_seed(seed))


def frames(count: int = 400) -> Tensor:
    return 0.5 + torch.randn(count, 30, generator=torch.Generator().manual_seed(5))


def kept(model: nn.Sequential, sign: str = "positive", layers: list[str] | None = None) -> dict[str, Tensor]:
    return below_threshold(prunable(model, layers), 0.4, sign)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("sign", ["abs", "positive", "negative"])
def test_a_pruned_layer_gets_its_mean_pre_activations_back(layer: str, sign: str) -> None:
    model, x = acoustic(), frames()
    masks = kept(model, sign, [layer])
    weights = masked(prunable(model, [layer]), masks)
    before, pruned, corrected = (
        {one.layer: one.mean for one in trace(model, x, setting).layers}
        for setting in ({}, weights, {**weights, **corrected_biases(model, masks, mean_inputs(model, x))})
    )

    assert float((pruned[layer] - before[layer]).abs().max()) > 0.05
    np.testing.assert_allclose(corrected[layer], before[layer], atol=2e-6)


def test_the_bias_takes_up_the_removed_weights_times_the_mean_input() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        model[0].bias.copy_(torch.tensor([10.0, 20.0]))
    masks = {"0.weight": torch.tensor([[True, False, False], [True, True, True]])}
    found = corrected_biases(model, masks, {"0": torch.tensor([7.0, 0.5, -1.0])})

    assert list(found) == ["0.bias"]
    assert found["0.bias"].tolist() == [10 + 2 * 0.5 - 3, 20]
    assert model[0].bias.tolist() == [10, 20]  # nothing is written


@pytest.mark.parametrize(
    "choose",
    [
        lambda weights: keep_largest(magnitude(weights), 0.5),
        lambda weights: percentile(weights, 0.5),
        lambda weights: below_threshold(weights, float("inf")),
    ],
    ids=["global", "percentile", "everything"],
)
def test_any_masks_do_and_the_first_layers_means_are_always_kept(choose) -> None:  # type: ignore[no-untyped-def]
    model, x = acoustic(), frames()
    masks = choose(prunable(model))
    setting = masked(prunable(model), masks) | corrected_biases(model, masks, mean_inputs(model, x))
    before, after = trace(model, x).layers, trace(model, x, setting).layers

    np.testing.assert_allclose(after[0].mean, before[0].mean, atol=2e-6)
    assert set(corrected_biases(model, masks, mean_inputs(model, x))) == {f"{layer}.bias" for layer in LAYERS}


@pytest.mark.parametrize("sign", ["positive", "negative"])
def test_in_a_net_pruned_throughout_the_shifts_are_smaller_with_correction(sign: str) -> None:
    model, x = acoustic(), frames()
    masks = kept(model, sign)
    weights = masked(prunable(model), masks)
    biases = corrected_biases(model, masks, mean_inputs(model, x))
    before, pruned, corrected = (trace(model, x, setting).layers for setting in ({}, weights, weights | biases))

    for one, without, with_ in zip(before, pruned, corrected, strict=True):
        assert (with_.mean - one.mean).norm() < 0.5 * (without.mean - one.mean).norm()


@tries(20)
@given(seed=st.integers(0, 30), sign=st.sampled_from(["abs", "positive", "negative"]))
def test_a_threshold_of_zero_moves_no_bias(seed: int, sign: str) -> None:
    model = acoustic(seed)
    masks = below_threshold(prunable(model), 0.0, sign)
    for name, bias in corrected_biases(model, masks, mean_inputs(model, frames(20))).items():
        assert torch.equal(bias, model.get_parameter(name))


def test_biases_keep_their_type_and_layers_without_a_mask_their_bias() -> None:
    model = acoustic().double()
    found = corrected_biases(model, kept(model, layers=["affine2"]), mean_inputs(acoustic(), frames()))

    assert {name: bias.dtype for name, bias in found.items()} == {"affine2.bias": torch.float64}


@pytest.mark.parametrize(
    ("means", "found"),
    [({}, "got nothing"), ({"affine1": torch.zeros(29)}, r"has 30 inputs, got \(29,\)")],
)
def test_a_missing_or_misfit_mean_is_named(means: dict[str, Tensor], found: str) -> None:
    with pytest.raises(ValueError, match=f"'affine1'.*{found}"):
        corrected_biases(acoustic(), kept(acoustic(), layers=["affine1"]), means)


@pytest.mark.parametrize(
    "model",
    [nn.Sequential(nn.Linear(3, 2, bias=False)), nn.Sequential(nn.Conv2d(1, 1, 2))],
    ids=["no bias", "convolution"],
)
def test_only_linear_layers_with_a_bias_are_corrected(model: nn.Sequential) -> None:
    with pytest.raises(ValueError, match=r"linear layer with a bias; '0.weight' is none"):
        corrected_biases(model, below_threshold(prunable(model), 0.1), {"0": torch.zeros(3)})


def test_masks_are_checked() -> None:
    with pytest.raises(TypeError, match="bool"):
        corrected_biases(acoustic(), {"affine1.weight": torch.ones(20, 30)}, mean_inputs(acoustic(), frames()))
    with pytest.raises(ValueError, match=r"no 'affine9\.weight'"):
        corrected_biases(acoustic(), {"affine9.weight": torch.ones(2, 2, dtype=torch.bool)}, {})
