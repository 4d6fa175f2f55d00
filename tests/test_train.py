"""Training: deterministic, masked exactly, refused when it cannot work."""

import json
import math
from dataclasses import replace
from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from properties import tries
from prunelab.data import Images, Split
from prunelab.measure import evaluate
from prunelab.models import build
from prunelab.pruning import check, keep_largest, magnitude, prunable
from prunelab.train import Recipe, products, train, train_seeds, training


def small(seed: int = 0) -> nn.Sequential:
    return build("mlp-16", inputs=64, classes=10, generator=torch.Generator().manual_seed(seed))


def weights_of(model: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in model.parameters()]


def test_a_net_learns_digits_far_above_chance(digits: Images) -> None:
    model = train_seeds("mlp-64", digits, Recipe(epochs=10), [0])[0]
    accuracy = (model(digits.test.x).argmax(1) == digits.test.y).float().mean()

    # A support vector machine reaches 97 % on scikit-learn's own half split of these images; chance is 10 %.
    assert accuracy > 0.9


def test_a_seeds_net_is_the_same_whichever_seeds_run_beside_it(digits: Images) -> None:
    recipe = Recipe(epochs=1)
    alone = train_seeds("mlp-16", digits, recipe, [1])[1]
    beside = train_seeds("mlp-16", digits, recipe, [0, 1])[1]

    assert all(torch.equal(a, b) for a, b in zip(weights_of(alone), weights_of(beside), strict=True))


def test_seeds_differ_in_weights_and_in_the_order_of_examples(digits: Images) -> None:
    same_start = [small(), small()]
    for seed, model in enumerate(same_start):
        train(model, digits.train, Recipe(epochs=1), generator=torch.Generator().manual_seed(seed))

    assert not torch.equal(weights_of(same_start[0])[0], weights_of(same_start[1])[0])


def test_training_does_not_touch_the_global_random_state(digits: Images) -> None:
    before = torch.get_rng_state()
    train_seeds("mlp-16", digits, Recipe(epochs=1), [0])

    assert torch.equal(before, torch.get_rng_state())


@tries(10)
@given(sparsity=st.floats(0, 0.99), momentum=st.floats(0.1, 0.95), l1=st.sampled_from([0.0, 1e-3]))
def test_removed_weights_stay_exactly_zero_through_momentum(sparsity: float, momentum: float, l1: float) -> None:
    generator = torch.Generator().manual_seed(0)
    split = Split(x=torch.rand(40, 1, 8, 8, generator=generator), y=torch.arange(40) % 10)
    model = small()
    # One epoch unmasked first: the weights to be removed are then far from zero.
    train(model, split, Recipe(epochs=1, batch_size=8), generator=generator)
    masks = keep_largest(magnitude(prunable(model)), sparsity)
    train(model, split, Recipe(epochs=2, batch_size=8, momentum=momentum, l1=l1), generator=generator, masks=masks)

    for name, mask in masks.items():
        weight = model.get_parameter(name)
        assert bool((weight[~mask] == 0).all())
        assert bool((weight[mask] != 0).any()) or not bool(mask.any())


def test_a_step_equals_torchs_own_nesterov_step(digits: Images) -> None:
    model, reference = small(), small()
    recipe = Recipe(epochs=1, batch_size=len(digits.train), warmup=0.0, learning_rate=0.1)
    train(model, digits.train, recipe, generator=torch.Generator().manual_seed(0))
    rate = recipe.rate(0, 1)
    loss = nn.functional.cross_entropy(reference(digits.train.x), digits.train.y)
    gradients = torch.autograd.grad(loss, list(reference.parameters()))

    # First step of Nesterov's method from rest: the buffer is the gradient, the step rate * (1 + momentum) * gradient.
    for moved, start, gradient in zip(model.parameters(), reference.parameters(), gradients, strict=True):
        torch.testing.assert_close(moved, start - rate * 1.9 * gradient, rtol=1e-4, atol=1e-6)


def test_the_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    recipe = Recipe(learning_rate=0.4, warmup=0.25)
    rates = [recipe.rate(step, 400) for step in range(400)]

    assert max(rates) == pytest.approx(0.4, rel=0.01)
    assert rates.index(max(rates)) in (99, 100)
    assert rates == sorted(rates[:100]) + sorted(rates[100:], reverse=True)
    assert 0 < rates[-1] < 0.001


def test_reported_losses_are_the_mean_over_all_examples(digits: Images) -> None:
    model = small()
    with torch.no_grad():
        start = float(nn.functional.cross_entropy(model(digits.train.x), digits.train.y))
    losses = train(
        model, digits.train, Recipe(epochs=1, learning_rate=1e-12), generator=torch.Generator().manual_seed(0)
    )

    assert losses == [pytest.approx(start, rel=1e-5)]


def test_later_steps_are_those_of_torchs_unfused_optimizer_with_the_penalty_in_the_loss(digits: Images) -> None:
    model, reference = small(), small()
    recipe = Recipe(epochs=5, batch_size=len(digits.train), learning_rate=0.1, momentum=0.7, l1=1e-3)
    losses = train(model, digits.train, recipe, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(reference.parameters(), lr=1.0, momentum=0.7, nesterov=True, foreach=False)
    expected = []
    for step in range(5):
        optimizer.param_groups[0]["lr"] = recipe.rate(step, 5)
        loss = nn.functional.cross_entropy(reference(digits.train.x), digits.train.y)
        loss = loss + 1e-3 * sum(weight.abs().sum() for weight in prunable_parameters(reference))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())

    assert losses == pytest.approx(expected, rel=1e-4)
    for moved, wanted in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(moved, wanted, rtol=1e-3, atol=1e-5)


def prunable_parameters(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for name, parameter in model.named_parameters() if name.endswith("weight")]


def test_no_forward_pass_sees_a_removed_weight(digits: Images) -> None:
    model = small()
    mask = torch.rand(16, 64, generator=torch.Generator().manual_seed(1)) < 0.5
    seen = []
    model.get_submodule("fc1").register_forward_pre_hook(
        lambda layer, _: seen.append(int(layer.weight[~mask].count_nonzero()))
    )
    recipe = Recipe(epochs=2, batch_size=200, l1=1e-3)
    train(model, digits.train, recipe, generator=torch.Generator().manual_seed(0), masks={"fc1.weight": mask})

    assert len(seen) == 2 * math.ceil(len(digits.train) / 200)
    assert set(seen) == {0}


def test_a_net_trains_in_training_mode_and_is_given_back_in_evaluation_mode(digits: Images) -> None:
    model, modes = small().eval(), []
    model.register_forward_pre_hook(lambda net, _: modes.append(net.training))
    train(model, digits.train, Recipe(epochs=1, batch_size=600), generator=torch.Generator().manual_seed(0))

    assert set(modes) == {True}
    assert not model.training


def test_training_that_would_revive_a_removed_weight_ends_in_an_error(
    digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prunelab.train.loop.apply", lambda model, masks: None)
    masks = {"fc1.weight": torch.zeros(16, 64, dtype=torch.bool)}

    with pytest.raises(ValueError, match="removed weights must be 0"):
        train(small(), digits.train, Recipe(epochs=1), generator=torch.Generator().manual_seed(0), masks=masks)


def test_every_epoch_sees_every_example_once_in_an_order_of_its_own(digits: Images) -> None:
    model, batches = small(), []
    model.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]))
    train(model, digits.train, Recipe(epochs=2, batch_size=500), generator=torch.Generator().manual_seed(0))
    half = len(batches) // 2
    first, second = torch.cat(batches[:half]), torch.cat(batches[half:])

    assert not torch.equal(first, second)
    for epoch in (first, second):
        assert sorted(map(tuple, epoch.flatten(1).tolist())) == sorted(map(tuple, digits.train.x.flatten(1).tolist()))


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        (torch.ones(16, 64), TypeError),
        (torch.ones(64, 16, dtype=torch.bool), ValueError),
    ],
)
def test_masks_that_do_not_fit_are_refused_before_training(
    digits: Images, mask: torch.Tensor, error: type[Exception]
) -> None:
    model = small()
    before = [weight.clone() for weight in weights_of(model)]
    with pytest.raises(error):
        train(model, digits.train, Recipe(epochs=1), generator=torch.Generator(), masks={"fc1.weight": mask})

    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(model), strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_a_cuda_device_takes_a_cpu_generator_and_cpu_masks(digits: Images) -> None:
    model = small().cuda()
    mask = torch.rand(16, 64) < 0.5
    losses = train(
        model,
        digits.train.to("cuda"),
        Recipe(epochs=2),
        generator=torch.Generator().manual_seed(0),
        masks={"fc1.weight": mask},
    )

    assert losses[1] < losses[0]
    assert not bool(model.get_parameter("fc1.weight").detach().cpu()[~mask].any())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("batch_size", 2.0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("warmup", 1.0),
        ("l1", -1.0),
        ("l2", -1.0),
        ("l2", math.inf),
        ("input_dropout", 1.0),
    ],
)
def test_a_recipe_that_cannot_train_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{field} .*got {value}"):
        Recipe(**{field: value})


@pytest.mark.parametrize("seeds", [[], [0, 0], [-1], [2**63]])
def test_seeds_are_distinct_and_not_negative(digits: Images, seeds: list[int]) -> None:
    with pytest.raises(ValueError, match="seeds are distinct whole numbers"):
        train_seeds("mlp-16", digits, Recipe(epochs=1), seeds)


def test_an_empty_split_is_refused() -> None:
    empty = Split(x=torch.zeros(0, 1, 8, 8), y=torch.zeros(0, dtype=torch.int64))
    with pytest.raises(ValueError, match="at least one example"):
        train(small(), empty, Recipe(), generator=torch.Generator())


def test_a_loss_that_diverges_is_named_with_the_rate_to_lower(digits: Images) -> None:
    with pytest.raises(ValueError, match=r"training diverged.*lower learning_rate"):
        train(small(), digits.train, Recipe(epochs=2, learning_rate=1e20), generator=torch.Generator().manual_seed(0))


def test_an_acoustic_net_is_not_trained_on_images(digits: Images) -> None:
    with pytest.raises(ValueError, match="an acoustic net takes frames of speech; 'acoustic-2x16-relu' cannot see"):
        train_seeds("acoustic-2x16-relu", digits, Recipe(epochs=1), [0])


def stepped(reference: nn.Module, split: Split, rates: list[float], l1: float = 0.0, l2: float = 0.0) -> nn.Module:
    """Take plain gradient steps on the whole split, by hand."""
    parameters = list(reference.parameters())
    for rate in rates:
        loss = nn.functional.cross_entropy(reference(split.x), split.y)
        for strength, penalty in ((l1, magnitudes), (l2, half_squares)):
            if strength:
                loss = loss + strength * penalty(reference)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= rate * gradient
    return reference


def magnitudes(model: nn.Module) -> torch.Tensor:
    return torch.stack([weight.abs().sum() for weight in prunable_parameters(model)]).sum()


def half_squares(model: nn.Module) -> torch.Tensor:
    return torch.stack([weight.square().sum() for weight in prunable_parameters(model)]).sum() / 2


def assert_close(model: nn.Module, reference: nn.Module) -> None:
    for (name, moved), wanted in zip(model.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(moved, wanted, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (1e-2, 0.0), (0.0, 0.1), (1e-2, 0.1)])
def test_without_momentum_a_constant_rate_steps_down_the_gradient(digits: Images, l1: float, l2: float) -> None:
    model = small()
    plain = Recipe(epochs=4, batch_size=len(digits.train), learning_rate=0.3, momentum=0.0, schedule="constant")
    losses = train(model, digits.train, replace(plain, l1=l1, l2=l2), generator=torch.Generator().manual_seed(0))

    assert_close(model, stepped(small(), digits.train, [0.3] * 4, l1, l2))
    with torch.no_grad():
        start = nn.functional.cross_entropy(small()(digits.train.x), digits.train.y)
        expected = float(start + l1 * magnitudes(small()) + l2 * half_squares(small()))
    assert losses[0] == pytest.approx(expected, rel=1e-5)


def test_an_l2_penalty_is_the_weight_decay_of_torchs_sgd_on_the_weights_alone(digits: Images) -> None:
    model, reference = small(), small()
    recipe = Recipe(epochs=3, batch_size=len(digits.train), learning_rate=0.2, schedule="constant", l2=0.05)
    train(model, digits.train, recipe, generator=torch.Generator().manual_seed(0))
    weights = prunable_parameters(reference)
    biases = [parameter for name, parameter in reference.named_parameters() if name.endswith("bias")]
    groups = [{"params": weights, "weight_decay": 0.05}, {"params": biases}]
    optimizer = torch.optim.SGD(groups, lr=0.2, momentum=0.9, nesterov=True)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(reference(digits.train.x), digits.train.y).backward()
        optimizer.step()

    assert_close(model, reference)


def test_without_momentum_the_steps_are_those_of_torchs_sgd_batch_by_batch(digits: Images) -> None:
    model, reference = small(), small()
    recipe = Recipe(epochs=2, batch_size=300, learning_rate=0.2, momentum=0.0, schedule="constant")
    train(model, digits.train, recipe, generator=torch.Generator().manual_seed(4))
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.2)
    order = torch.Generator().manual_seed(4)
    for _ in range(2):
        for batch in torch.randperm(len(digits.train), generator=order).split(300):
            optimizer.zero_grad()
            nn.functional.cross_entropy(reference(digits.train.x[batch]), digits.train.y[batch]).backward()
            optimizer.step()

    assert_close(model, reference)


def test_a_constant_rate_is_the_same_at_every_step() -> None:
    recipe = Recipe(learning_rate=0.4, schedule="constant", warmup=0.25)

    assert {recipe.rate(step, 400) for step in range(400)} == {0.4}


@pytest.mark.parametrize("before", [0, 3, 6])
def test_within_a_longer_schedule_the_rates_are_that_schedules(digits: Images, before: int) -> None:
    model = small()
    recipe = Recipe(epochs=4, batch_size=len(digits.train), learning_rate=0.5, momentum=0.0)
    train(model, digits.train, recipe, generator=torch.Generator().manual_seed(0), within=(before, 10))

    # Ten steps that rise for 1.5 and fall for 8.5, each taken in its middle.
    rates = [0.5 * ((k + 0.5) / 1.5 if k < 1 else (9.5 - k) / 8.5) for k in range(before, before + 4)]
    assert_close(model, stepped(small(), digits.train, rates))


@pytest.mark.parametrize("within", [(7, 10), (-1, 10), (0, 3), (4, 4)])
def test_steps_beyond_the_longer_schedule_are_refused(digits: Images, within: tuple[int, int]) -> None:
    recipe = Recipe(epochs=4, batch_size=len(digits.train))
    with pytest.raises(ValueError, match=f"4 steps after {within[0]} exceed {within[1]}"):
        train(small(), digits.train, recipe, generator=torch.Generator(), within=within)


def reviving(monkeypatch: pytest.MonkeyPatch, steps: set[int]) -> None:
    """Set one removed weight after these steps, counted from 0, and clear it to -0.0, a zero too, after all others."""
    step = torch.optim.SGD.step
    taken = []

    def noisy(self: torch.optim.SGD, *arguments: object) -> None:
        step(self, *arguments)
        with torch.no_grad():
            self.param_groups[0]["params"][0][3, 5] = 1e-3 if len(taken) in steps else -0.0
        taken.append(len(taken))

    monkeypatch.setattr(torch.optim.SGD, "step", noisy)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({4}, "removed weights must be 0; nonzero are 1 in 'fc1.weight'"),  # the last of the first epoch
        ({2}, "a removed weight came back in epoch 1 and went again"),
        ({7}, "a removed weight came back in epoch 2 and went again"),
        ({14}, "removed weights must be 0"),
        (set(), None),
    ],
)
def test_a_weight_that_comes_back_after_any_single_step_ends_the_training(
    digits: Images, monkeypatch: pytest.MonkeyPatch, steps: set[int], message: str | None
) -> None:
    reviving(monkeypatch, steps)
    mask = torch.ones(16, 64, dtype=torch.bool)
    mask[3, 5] = False
    recipe = Recipe(epochs=3, batch_size=math.ceil(len(digits.train) / 5))  # five steps an epoch
    generator = torch.Generator().manual_seed(0)
    if message is None:
        train(small(), digits.train, recipe, generator=generator, masks={"fc1.weight": mask})
        return
    with pytest.raises(ValueError, match=message) as refused:
        train(small(), digits.train, recipe, generator=generator, masks={"fc1.weight": mask})

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_masked_steps_are_those_of_the_loss_of_the_kept_weights(digits: Images, optimizer: str) -> None:
    model, reference = small(), small()
    mask = torch.rand(16, 64, generator=torch.Generator().manual_seed(1)) < 0.3
    recipe = Recipe(
        epochs=4,
        batch_size=len(digits.train),
        learning_rate=0.01,
        momentum=0.5,
        schedule="constant",
        l1=1e-3,
        clip=0.3,
        optimizer=optimizer,
    )
    train(model, digits.train, recipe, generator=torch.Generator(), masks={"fc1.weight": mask})
    # The same with the removed weights taken out of the function itself, as torch.nn.utils.prune does it.
    nn.utils.prune.custom_from_mask(reference.get_submodule("fc1"), "weight", mask)
    settings = {"lr": 0.01, "foreach": False}
    torchs = (
        torch.optim.Adam(reference.parameters(), betas=(0.5, 0.999), **settings)
        if optimizer == "adam"
        else torch.optim.SGD(reference.parameters(), momentum=0.5, nesterov=True, **settings)
    )
    for _ in range(4):
        loss = nn.functional.cross_entropy(reference(digits.train.x), digits.train.y)
        weights = [layer.weight for layer in reference if isinstance(layer, nn.Linear)]
        torchs.zero_grad()
        (loss + 1e-3 * sum(weight.abs().sum() for weight in weights)).backward()
        nn.utils.clip_grad_norm_(reference.parameters(), 0.3)
        torchs.step()

    kept = reference.get_parameter("fc1.weight_orig") * mask
    torch.testing.assert_close(model.get_parameter("fc1.weight"), kept, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(model(digits.test.x), reference(digits.test.x), rtol=1e-3, atol=1e-4)


def test_dropped_inputs_are_so_many_of_each_and_the_mean_stays() -> None:
    class Seeing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(64, 10)
            self.seen: list[torch.Tensor] = []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen.append(x.detach().clone())
            return self.layer(x.flatten(1))

    split = Split(x=torch.ones(1000, 1, 8, 8), y=torch.arange(1000) % 10)
    model, again, whole = Seeing(), Seeing(), Seeing()
    recipe = Recipe(epochs=1, batch_size=500, input_dropout=0.25)
    for net in (model, again):
        train(net, split, recipe, generator=torch.Generator().manual_seed(0))
    train(whole, split, Recipe(epochs=1), generator=torch.Generator().manual_seed(0))
    seen = torch.cat(model.seen)

    assert seen.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    # 64,000 draws: the share dropped lies within five standard deviations, 5 · √(.25 · .75 / 64000), of a quarter.
    assert float((seen == 0).float().mean()) == pytest.approx(0.25, abs=0.009)
    for axis in (0, 1):  # no pixel and no image is spared
        assert (seen.flatten(1) == 0).any(axis).all()
    assert torch.equal(seen, torch.cat(again.seen))
    assert bool((torch.cat(whole.seen) == 1).all())


def test_the_largest_dropout_still_leaves_inputs(digits: Images) -> None:
    recipe = Recipe(epochs=1, learning_rate=1e-3, input_dropout=0.9999)
    losses = train(small(), digits.train, recipe, generator=torch.Generator().manual_seed(0))

    assert math.isfinite(losses[0])


@pytest.mark.parametrize("field", ["optimizer", "schedule"])
def test_a_recipe_of_an_unknown_kind_is_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} is .* or .*; got 'cosine'"):
        Recipe(**{field: "cosine"})


def convolutional(seed: int = 0) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    return build("conv-3k3p-4k2-8-bn", inputs=(1, 8, 8), classes=10, generator=generator)


@pytest.mark.parametrize("count", [1, 4, 5, 6, 11])
def test_so_many_steps_are_the_first_ones_of_a_longer_training(digits: Images, count: int) -> None:
    recipe = Recipe(epochs=1, batch_size=math.ceil(len(digits.train) / 5), schedule="constant")  # five steps an epoch
    model, longer = small(), small()
    losses = list(training(model, digits.train, recipe, generator=torch.Generator().manual_seed(3), steps=count))
    whole = training(longer, digits.train, replace(recipe, epochs=3), generator=torch.Generator().manual_seed(3))
    wanted = list(islice(whole, count))

    assert losses == wanted
    assert all(torch.equal(a, b) for a, b in zip(weights_of(model), weights_of(longer), strict=True))


def test_without_a_number_of_steps_the_epochs_decide(digits: Images) -> None:
    recipe = Recipe(epochs=3, batch_size=math.ceil(len(digits.train) / 5))
    model, whole = small(), small()
    losses = list(training(model, digits.train, recipe, generator=torch.Generator().manual_seed(0)))
    means = train(whole, digits.train, recipe, generator=torch.Generator().manual_seed(0))
    sizes = [recipe.batch_size] * 4 + [len(digits.train) - 4 * recipe.batch_size]

    assert len(losses) == 15
    for epoch, mean in enumerate(means):
        steps = losses[5 * epoch : 5 * epoch + 5]
        total = sum(float(loss) * size for loss, size in zip(steps, sizes, strict=True))
        assert mean == pytest.approx(total / len(digits.train), rel=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(weights_of(model), weights_of(whole), strict=True))


@pytest.mark.parametrize("schedule", ["constant", "triangular"])
def test_the_schedule_spans_the_steps_asked_for(digits: Images, schedule: str) -> None:
    model, recipe = small(), Recipe(epochs=9, batch_size=len(digits.train), learning_rate=0.4, momentum=0.0)
    recipe = replace(recipe, schedule=schedule, warmup=0.5)
    list(training(model, digits.train, recipe, generator=torch.Generator().manual_seed(0), steps=4))

    # Four steps, two up and two down, each in its middle: a quarter and three quarters of the way.
    rates = [0.4] * 4 if schedule == "constant" else [0.1, 0.3, 0.3, 0.1]
    assert_close(model, stepped(small(), digits.train, rates))


def test_steps_in_pieces_of_a_longer_schedule_have_its_rates(digits: Images) -> None:
    recipe = Recipe(batch_size=len(digits.train), learning_rate=0.4, momentum=0.0, warmup=0.5)
    pieces, whole = small(), small()
    generator = torch.Generator().manual_seed(0)
    for first, count in [(0, 3), (3, 1), (4, 4)]:
        list(training(pieces, digits.train, recipe, generator=generator, within=(first, 8), steps=count))
    list(training(whole, digits.train, recipe, generator=torch.Generator().manual_seed(0), steps=8))

    assert_close(pieces, whole)
    with pytest.raises(ValueError, match="5 steps after 4 exceed 8"):
        next(iter(training(pieces, digits.train, recipe, generator=generator, within=(4, 8), steps=5)))


@pytest.mark.parametrize("measure", ["evaluating", "eval() left behind"])
def test_a_net_can_be_measured_between_two_steps(digits: Images, measure: str) -> None:
    recipe = Recipe(batch_size=100, schedule="constant")
    undisturbed, measured = convolutional(), convolutional()
    wanted = list(training(undisturbed, digits.train, recipe, generator=torch.Generator().manual_seed(0), steps=12))
    losses, accuracies = [], []
    for loss in training(measured, digits.train, recipe, generator=torch.Generator().manual_seed(0), steps=12):
        losses.append(loss)
        if measure == "evaluating":
            accuracies.append(evaluate(measured, digits.test).accuracy)
        else:
            measured.eval()
            with torch.no_grad():
                accuracies.append(float((measured(digits.test.x).argmax(1) == digits.test.y).float().mean()))

    assert losses == wanted
    assert len(set(accuracies)) > 6  # it was trained on meanwhile
    for name, tensor in measured.state_dict().items():  # running statistics too
        assert torch.equal(tensor, undisturbed.state_dict()[name]), name
    assert not any(module.training for module in measured.modules())


def test_a_training_that_is_left_early_has_taken_the_steps_asked_for_and_keeps_its_masks(digits: Images) -> None:
    model, wanted = small(), small()
    masks = {"fc1.weight": torch.rand(16, 64, generator=torch.Generator().manual_seed(1)) < 0.5}
    recipe = Recipe(batch_size=100, schedule="constant")
    for step, _ in enumerate(
        training(model, digits.train, recipe, generator=torch.Generator().manual_seed(0), masks=masks, steps=10**9)
    ):
        if step == 6:
            break
    list(training(wanted, digits.train, recipe, generator=torch.Generator().manual_seed(0), masks=masks, steps=7))

    assert all(torch.equal(a, b) for a, b in zip(weights_of(model), weights_of(wanted), strict=True))
    check(model, masks)
    assert not model.training  # given back as after the last step


def test_nothing_happens_before_the_first_step_is_asked_for(digits: Images) -> None:
    model = small()
    masks = {"fc1.weight": torch.zeros(16, 64, dtype=torch.bool)}
    steps = training(model, digits.train, Recipe(), generator=torch.Generator().manual_seed(0), masks=masks)

    assert all(torch.equal(a, b) for a, b in zip(weights_of(model), weights_of(small()), strict=True))
    next(steps)
    check(model, masks)


@pytest.mark.parametrize("steps", [0, -3])
def test_a_training_of_no_step_is_refused(digits: Images, steps: int) -> None:
    with pytest.raises(ValueError, match=f"at least one step; got steps={steps}"):
        list(training(small(), digits.train, Recipe(), generator=torch.Generator(), steps=steps))


@pytest.mark.parametrize("step", [2, 7])
def test_a_weight_that_comes_back_ends_a_training_of_so_many_steps(
    digits: Images, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    reviving(monkeypatch, {step})
    mask = torch.ones(16, 64, dtype=torch.bool)
    mask[3, 5] = False
    recipe = Recipe(batch_size=math.ceil(len(digits.train) / 5))
    with pytest.raises(ValueError, match="removed weight"):
        list(
            training(
                *(small(), digits.train, recipe),
                generator=torch.Generator().manual_seed(0),
                masks={"fc1.weight": mask},
                steps=8,  # the last of the second epoch is never reached
            )
        )


def test_every_step_is_counted_by_what_it_multiplies(digits: Images) -> None:
    before = products.taken.copy()
    recipe = Recipe(epochs=3, batch_size=math.ceil(len(digits.train) / 5))  # five steps an epoch
    train(small(), digits.train, recipe, generator=torch.Generator().manual_seed(0))
    [(step, count)] = (products.taken - before).items()

    assert count == 15
    # Of both layers the outputs and the gradients of the weights, and between them the gradient of the inputs.
    assert sorted(product[0] for product in step) == ["aten::addmm"] * 2 + ["aten::mm"] * 3
    shapes = {tuple(multiply().shape) for multiply in products.replayed(json.loads(json.dumps(step)))}
    assert shapes == {(recipe.batch_size, 16), (recipe.batch_size, 10), (10, 16), (16, 64)}


def test_the_products_of_a_convolutional_net_can_be_computed_again(digits: Images) -> None:
    before = products.taken.copy()
    model = build("conv-2k3-3", inputs=(1, 8, 8), classes=10, generator=torch.Generator().manual_seed(0))
    train(model, digits.train, Recipe(epochs=1), generator=torch.Generator().manual_seed(0))
    [step] = products.taken - before
    forward, backward = (product for product in step if "convolution" in product[0])
    results = {product[0]: multiply() for product, multiply in zip(step, products.replayed(step), strict=True)}

    assert results[forward[0]].shape == (256, 2, 6, 6)
    assert results[backward[0]][1].shape == (2, 1, 3, 3)  # the gradient of the weights
