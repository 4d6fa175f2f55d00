"""Sweeps: shared work, same numbers."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

from made_nets import biased
from properties import tries
from prunelab.data import Split
from prunelab.measure import evaluate
from prunelab.measure.sweep import sweep, threshold_sweep
from prunelab.pruning import apply, below_threshold, masked, prunable
from prunelab.pruning.masks import SIGNS


def net(spec: str = "mlp-20-12-tanh", seed: int = 0) -> nn.Sequential:
    return biased(spec, inputs=30, classes=4, seed=seed)


def examples(count: int = 60) -> Split:
    generator = torch.Generator().manual_seed(9)
    return Split(x=torch.rand(count, 1, 5, 6, generator=generator), y=torch.arange(count) % 4)


def alone(model: nn.Sequential, sign: str, threshold: float, split: Split) -> tuple[float, float]:
    """The independent reference: a copy, pruned in place, evaluated whole."""
    clone = copy.deepcopy(model)
    apply(clone, below_threshold(prunable(clone), threshold, sign))
    with torch.no_grad():
        logits = clone(split.x)
    return float(nn.functional.cross_entropy(logits, split.y)), float((logits.argmax(1) == split.y).double().mean())


@tries(30)
@given(
    spec=st.sampled_from(["mlp-20", "mlp-20-12-relu", "mlp-20-12-8-sigmoid", "mlp-20-12-tanh-none"]),
    thresholds=st.lists(st.floats(0, 2), min_size=1, max_size=6),
    seed=st.integers(0, 5),
)
def test_a_shared_threshold_sweep_equals_pruning_and_evaluating_each_setting_alone(
    spec: str, thresholds: list[float], seed: int
) -> None:
    model, split = net(spec, seed), examples()
    scores = threshold_sweep(model, split, thresholds)

    assert set(scores) == {(sign, threshold) for sign in SIGNS for threshold in thresholds}
    for (sign, threshold), score in scores.items():
        loss, accuracy = alone(model, sign, threshold, split)
        assert score.loss == pytest.approx(loss, rel=1e-4, abs=1e-5)
        # A float rounding may turn one of 60 examples whose two best logits tie.
        assert score.accuracy == pytest.approx(accuracy, abs=1.01 / 60)


def test_a_threshold_above_every_weight_leaves_exactly_the_biases_to_speak() -> None:
    model, split = net("mlp-20-relu"), examples()
    score = threshold_sweep(model, split, [100.0], ["abs"])["abs", 100.0]
    logits = model.get_parameter("fc2.bias").detach().expand(len(split), -1)

    assert score.loss == pytest.approx(float(nn.functional.cross_entropy(logits, split.y)), rel=1e-6)


def test_a_sparse_band_and_a_dense_one_give_the_same_scores() -> None:
    model, split = net(), examples()
    coarse = threshold_sweep(model, split, [0.0, 0.5])  # wide bands, dense products
    fine = threshold_sweep(model, split, [step / 200 for step in range(101)])  # narrow bands, sparse products

    for sign in SIGNS:
        assert fine[sign, 0.5].loss == pytest.approx(coarse[sign, 0.5].loss, rel=1e-4)


@pytest.mark.parametrize("layers", [["fc1"], ["fc2"], ["fc3"], ["fc1", "fc3"], []])
def test_a_sweep_gives_each_setting_the_scores_of_a_pruned_copy(layers: list[str]) -> None:
    model, split = net(), examples(2500)  # more than two blocks
    weights = prunable(model, layers) if layers else {}
    settings = [masked(weights, below_threshold(weights, threshold)) for threshold in (0.0, 0.1, 0.4)]
    scores = sweep(model, split, settings)

    for setting, score in zip(settings, scores, strict=True):
        clone = copy.deepcopy(model)
        clone.load_state_dict({**clone.state_dict(), **setting})
        reference = evaluate(clone, split)
        assert (score.loss, score.accuracy) == (pytest.approx(reference.loss, rel=1e-5), reference.accuracy)


def test_a_sweep_leaves_the_model_as_it_was() -> None:
    model, split = net(), examples()
    before = copy.deepcopy(model.state_dict())
    threshold_sweep(model, split, [0.3])
    sweep(model, split, [{"fc2.weight": torch.zeros(12, 20)}])

    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_layers_before_the_first_replaced_one_run_once() -> None:
    model, split = net(), examples()
    calls = []
    model.get_submodule("act1").register_forward_hook(lambda *_: calls.append(1))
    sweep(model, split, [{"fc3.weight": torch.zeros(4, 12)}] * 5)

    assert len(calls) == 1


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ValueError, match=r"fc1.weight.*got 'fc9.weight'"):
        sweep(net(), examples(), [{"fc9.weight": torch.zeros(1)}])


@pytest.mark.parametrize(
    ("thresholds", "signs", "message"),
    [([], ["abs"], "at least one threshold"), ([0.1], ["both"], "got 'both'")],
)
def test_a_sweep_without_thresholds_or_with_an_unknown_sign_is_refused(
    thresholds: list[float], signs: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        threshold_sweep(net(), examples(), thresholds, signs)


def test_an_empty_split_is_refused() -> None:
    empty = Split(x=torch.zeros(0, 1, 5, 6), y=torch.zeros(0, dtype=torch.int64))
    with pytest.raises(ValueError, match="at least one example"):
        sweep(net(), empty, [{}])


def test_a_weight_of_exactly_a_threshold_is_kept_in_a_shared_sweep_too() -> None:
    model, split = net(), examples()
    with torch.no_grad():
        for weight in prunable(model).values():
            weight.mul_(8).round_().div_(8)  # eighths: every threshold below meets many weights
    scores = threshold_sweep(model, split, [0.125, 0.25, 0.5])

    for (sign, threshold), score in scores.items():
        assert score.loss == pytest.approx(alone(model, sign, threshold, split)[0], rel=1e-5)


def test_a_sweep_measures_in_evaluation_mode_and_gives_each_module_its_mode_back() -> None:
    model, split = net(), examples()
    model.add_module("drop", nn.Dropout(0.9))
    model.train()
    scores = sweep(model, split, [{}, {}])

    assert model.training
    assert scores[0] == scores[1]
    assert scores[0].loss == pytest.approx(evaluate(model, split).loss, rel=1e-5)


@pytest.mark.parametrize("threshold", [-0.1, float("nan")])
def test_a_threshold_that_is_no_magnitude_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold is a magnitude"):
        threshold_sweep(net(), examples(), [0.1, threshold])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_sweep_on_a_cuda_device_gives_the_scores_of_the_cpu() -> None:
    model, split = net(), examples()
    thresholds = [step / 50 for step in range(20)]
    here = threshold_sweep(model, split, thresholds)
    there = threshold_sweep(model.cuda(), split.to("cuda"), thresholds)

    assert {setting: score.loss for setting, score in there.items()} == pytest.approx(
        {setting: score.loss for setting, score in here.items()}, rel=1e-3
    )


# One net, measured whole.


def drawn_images(n=37, classes=4):
    generator = torch.Generator().manual_seed(n)
    return Split(x=torch.rand(n, 1, 3, 3, generator=generator), y=torch.randint(0, classes, (n,), generator=generator))


def classifier(classes=4):
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 8), nn.Dropout(0.5), nn.Linear(8, classes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    return model


def test_loss_and_accuracy_are_those_of_scikit_learn():
    model, images = classifier().eval(), drawn_images()
    with torch.no_grad():
        probabilities = model(images.x).double().softmax(dim=1).numpy()
    loss, accuracy = evaluate(model, images)

    assert accuracy == accuracy_score(images.y, probabilities.argmax(axis=1))
    assert loss == pytest.approx(log_loss(images.y, probabilities, labels=range(4)), rel=1e-6)


@pytest.mark.parametrize("batch_size", [1, 5, 36, 37, 38])
def test_the_batch_size_does_not_matter(batch_size):
    whole, parts = (
        evaluate(classifier(), drawn_images(), batch_size=1000),
        evaluate(classifier(), drawn_images(), batch_size=batch_size),
    )

    assert parts.accuracy == whole.accuracy
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)


def test_equal_outputs_count_as_the_first_class_at_the_loss_of_a_guess():
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 4))
    nn.init.zeros_(model[1].weight)
    nn.init.zeros_(model[1].bias)
    images = drawn_images()
    loss, accuracy = evaluate(model, images)

    assert accuracy == int((images.y == 0).sum()) / 37
    assert loss == pytest.approx(math.log(4), rel=1e-6)


def test_each_module_keeps_its_own_mode_and_no_gradient_is_recorded():
    model = classifier()
    model[2].eval()
    outputs = []
    model[3].register_forward_hook(lambda module, inputs, output: outputs.append(output))
    evaluate(model, drawn_images())

    assert model.training
    assert [module.training for module in model] == [True, True, False, True]
    assert not any(output.requires_grad for output in outputs)


def test_modes_are_restored_after_an_error():
    model = classifier()
    with pytest.raises(RuntimeError):
        evaluate(model, Split(x=torch.zeros(2, 1, 4, 4), y=torch.zeros(2, dtype=torch.int64)))

    assert all(module.training for module in model.modules())


def test_diverged_networks_have_a_nan_loss():
    model = classifier()
    nn.init.constant_(model[1].weight, float("nan"))

    assert math.isnan(evaluate(model, drawn_images()).loss)


def test_nothing_to_measure_on_is_refused():
    with pytest.raises(ValueError, match="the split is empty"):
        evaluate(classifier(), Split(x=torch.zeros(0, 1, 3, 3), y=torch.zeros(0, dtype=torch.int64)))
    with pytest.raises(ValueError, match="at least 1; got 0"):
        evaluate(classifier(), drawn_images(), batch_size=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_network_on_a_cuda_device_is_measured_there():
    there = evaluate(classifier().cuda(), drawn_images().to("cuda"))

    assert there.accuracy == evaluate(classifier(), drawn_images()).accuracy
