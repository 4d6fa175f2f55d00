"""Pruning in rounds: how many weights each keeps, which of them come back, and what every target shares."""

import copy
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from prunelab.data import Images, Split
from prunelab.models import build
from prunelab.pruning import kept_counts, layer_counts, prunable
from prunelab.pruning.budgets import BUDGETS
from prunelab.pruning.paths import lit, live
from prunelab.train import Recipe, train
from prunelab.train.retraining import PATH, Schedule, Stage, prune_and_retrain, train_masked

RECIPE = Recipe(learning_rate=0.1, batch_size=256)
WEIGHTS = 64 * 16 + 16 * 12 + 12 * 10  # mlp-16-12 on 8 x 8 pixels


@pytest.fixture(scope="module")
def dense(digits: Images) -> nn.Sequential:
    return trained("mlp-16-12", digits)


def trained(spec: str, digits: Images) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    model = build(spec, inputs=64, classes=10, generator=generator)
    train(model, digits.train, Recipe(epochs=4), generator=generator)
    return model


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A stage, and its net's weights at that moment."""

    stage: Stage
    weights: dict[str, Tensor]
    biases: dict[str, Tensor]

    @property
    def nonzero(self) -> int:
        return sum(int(weight.count_nonzero()) for weight in self.weights.values())


def run(
    dense: nn.Sequential,
    split: Split,
    schedule: Schedule,
    *,
    milestones: Sequence[int],
    targets: Mapping[str, int],
    recipe: Recipe = RECIPE,
    seed: int = 0,
) -> list[Seen]:
    model = copy.deepcopy(dense)
    seen = []
    for stage in prune_and_retrain(
        model,
        split,
        recipe,
        schedule,
        milestones=milestones,
        targets=targets,
        generator=torch.Generator().manual_seed(seed),
    ):
        weights = {name: weight.clone() for name, weight in prunable(stage.model).items()}
        biases = {name: value.detach().clone() for name, value in stage.model.named_parameters() if "bias" in name}
        seen.append(Seen(stage=stage, weights=weights, biases=biases))
    return seen


def count(masks: Mapping[str, Tensor]) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def of_target(seen: Sequence[Seen], target: str) -> list[Seen]:
    return [one for one in seen if one.stage.target == target]


def same_weights(left: Seen, right: Seen) -> bool:
    return all(torch.equal(left.weights[name], right.weights[name]) for name in left.weights | right.weights) and all(
        torch.equal(left.biases[name], right.biases[name]) for name in left.biases | right.biases
    )


@pytest.mark.parametrize("shape", ["geometric", "cubic"])
@pytest.mark.parametrize("regrow", [False, True], ids=["masked", "regrown"])
def test_every_round_keeps_what_the_schedule_says(
    regrow: bool, shape: str, dense: nn.Sequential, digits: Images
) -> None:
    schedule = Schedule(rounds=(3, 2), final_epochs=2, shape=shape, regrow=regrow)
    seen = run(dense, digits.train, schedule, milestones=[300, 150], targets={"a": 300, "b": 150, "c": 100})
    path = kept_counts(WEIGHTS, 300, 3, shape) + kept_counts(300, 150, 2, shape)

    assert [(one.stage.round, one.stage.asked, one.stage.trained) for one in of_target(seen, PATH)] == [
        (number, kept, trained) for number, kept in enumerate(path, start=1) for trained in (False, True)
    ]
    # A target at a milestone takes the place of the round that would reach it; one below follows the last.
    assert [(one.stage.target, one.stage.round) for one in seen if one.stage.trained and one.stage.target != PATH] == [
        ("a", 3),
        ("b", 5),
        ("c", 6),
    ]
    assert all(count(one.stage.masks) == one.stage.asked for one in seen)


def test_removed_weights_are_gone_for_good_and_zero_at_every_stage(dense: nn.Sequential, digits: Images) -> None:
    schedule = Schedule(rounds=(5,), final_epochs=2)
    seen = run(dense, digits.train, schedule, milestones=[120], targets={"a": 400, "b": 120})
    path = of_target(seen, PATH)
    for one in seen:
        for name, mask in one.stage.masks.items():
            assert not one.weights[name][~mask].any()
            assert bool(one.weights[name][mask].all())
    for before, after in itertools.pairwise(path):
        assert all(bool((after.stage.masks[n] <= before.stage.masks[n]).all()) for n in after.stage.masks)
    for target in ("a", "b"):
        last = of_target(seen, target)[-1]
        before = [one for one in path if one.stage.round < last.stage.round][-1]
        assert all(bool((last.stage.masks[n] <= before.stage.masks[n]).all()) for n in last.stage.masks)


@pytest.mark.parametrize("live_paths", [True, False])
@pytest.mark.parametrize("budget", BUDGETS)
def test_masks_are_nested_under_every_budget(
    budget: str, live_paths: bool, dense: nn.Sequential, digits: Images
) -> None:
    schedule = Schedule(rounds=(6,), final_epochs=1, budget=budget, live_paths=live_paths)
    seen = run(dense, digits.train, schedule, milestones=[130], targets={"a": 130})
    pruned = [one for one in seen if not one.stage.trained]
    for before, after in itertools.pairwise(pruned):
        assert all(bool((after.stage.masks[n] <= before.stage.masks[n]).all()) for n in after.stage.masks)
    assert all(count(one.stage.masks) <= one.stage.asked for one in seen)
    assert all((one.stage.threshold is None) == (budget != "global") for one in seen)


def test_regrown_weights_are_trained_again_between_prunings_and_not_in_the_end(
    dense: nn.Sequential, digits: Images
) -> None:
    schedule = Schedule(rounds=(4,), final_epochs=2, regrow=True)
    seen = run(dense, digits.train, schedule, milestones=[150], targets={"a": 150})
    path = of_target(seen, PATH)
    for pruned, after in zip(path[::2], path[1::2], strict=True):
        assert pruned.nonzero == pruned.stage.asked
        grown = sum(int((after.weights[n] != 0)[~mask].sum()) for n, mask in pruned.stage.masks.items())
        # Pixels that are dark in every image get no gradient; most other weights do.
        assert grown > (WEIGHTS - pruned.stage.asked) / 2
    for final in of_target(seen, "a"):
        assert final.nonzero == 150
        assert not any(bool(final.weights[n][~mask].any()) for n, mask in final.stage.masks.items())


def test_regrown_weights_can_take_the_places_of_others(dense: nn.Sequential, digits: Images) -> None:
    schedule = Schedule(rounds=(4,), epochs=2, final_epochs=1, regrow=True)
    recipe = Recipe(learning_rate=0.4)
    seen = run(dense, digits.train, schedule, milestones=[400], targets={"a": 400}, recipe=recipe)
    pruned = [one.stage.masks for one in seen if not one.stage.trained]

    assert any(bool((after[n] & ~before[n]).any()) for before, after in itertools.pairwise(pruned) for n in before)


@pytest.mark.parametrize("regrow", [False, True], ids=["masked", "regrown"])
def test_every_finished_weight_is_on_a_live_path(regrow: bool, dense: nn.Sequential, digits: Images) -> None:
    seen = run(
        dense, digits.train, Schedule(rounds=(4,), final_epochs=1, regrow=regrow), milestones=[100], targets={"a": 100}
    )
    final = seen[-1].stage
    alive = live(final.masks, lit(digits.train.x))

    assert count(alive) == count(final.masks) == 100


def test_nets_of_any_size_take_the_same_steps_to_a_milestone(dense: nn.Sequential, digits: Images) -> None:
    schedule = Schedule(rounds=(3, 2), epochs=2, final_epochs=3)
    batches = math.ceil(len(digits.train) / 256)
    ends = []
    for model in (dense, trained("mlp-30-12", digits)):
        seen = run(model, digits.train, schedule, milestones=[300, 150], targets={"a": 300, "b": 150})
        ends.append({one.stage.target: one.stage.steps for one in seen if one.stage.target != PATH})

    # Two rounds of two epochs before a's three, four before b's.
    assert ends == [{"a": (2 * 2 + 3) * batches, "b": (4 * 2 + 3) * batches}] * 2


def test_the_steps_counted_are_those_taken(
    dense: nn.Sequential, digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    class Counting(torch.optim.SGD):
        def step(self, closure: None = None) -> None:
            taken.append(1)
            super().step(closure)

    monkeypatch.setattr(torch.optim, "SGD", Counting)
    model = copy.deepcopy(dense)
    counted = []
    for stage in prune_and_retrain(
        model,
        digits.train,
        RECIPE,
        Schedule(rounds=(3,), epochs=2, final_epochs=3),
        milestones=[200],
        targets={"a": 200},
        generator=torch.Generator(),
    ):
        counted.append((stage.steps, len(taken)))

    assert counted[-1][0] > 0
    assert all(said == done for said, done in counted)


@pytest.mark.parametrize("regrow", [False, True], ids=["masked", "regrown"])
def test_the_same_seed_gives_the_same_net_and_another_another(
    regrow: bool, dense: nn.Sequential, digits: Images
) -> None:
    schedule = Schedule(rounds=(3,), final_epochs=1, regrow=regrow)
    first, again, other = (
        run(dense, digits.train, schedule, milestones=[200], targets={"a": 200}, seed=seed)[-1] for seed in (1, 1, 2)
    )

    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_a_targets_net_is_the_same_bit_for_bit_whichever_targets_stand_beside_it(
    dense: nn.Sequential, digits: Images
) -> None:
    schedule = Schedule(rounds=(4,), final_epochs=1)
    alone = run(dense, digits.train, schedule, milestones=[150], targets={"b": 150})
    beside = run(dense, digits.train, schedule, milestones=[150], targets={"a": 800, "c": 90, "b": 150, "d": 150})

    assert same_weights(alone[-1], of_target(beside, "b")[-1])
    for one, two in zip(of_target(alone, PATH), of_target(beside, PATH), strict=False):
        assert same_weights(one, two)
    # Two targets of as many weights start from the same pruned net, and see the examples in orders of their own.
    assert same_weights(of_target(beside, "b")[0], of_target(beside, "d")[0])
    assert not same_weights(of_target(beside, "b")[-1], of_target(beside, "d")[-1])


def test_what_follows_does_not_change_a_finished_net(dense: nn.Sequential, digits: Images) -> None:
    stages = [
        (stage, copy.deepcopy(stage.model))
        for stage in prune_and_retrain(
            copy.deepcopy(dense),
            digits.train,
            RECIPE,
            Schedule(rounds=(3,), final_epochs=1),
            milestones=[150],
            targets={"a": 800, "b": 150},
            generator=torch.Generator(),
        )
        if stage.trained and stage.target != PATH
    ]
    for stage, then in stages:
        assert all(torch.equal(then.get_parameter(name), value) for name, value in stage.model.named_parameters())
        assert not stage.model.training


def test_the_net_before_training_is_the_one_just_pruned(dense: nn.Sequential, digits: Images) -> None:
    seen = run(
        dense, digits.train, Schedule(rounds=(1,), final_epochs=1, live_paths=False), milestones=[200], targets={"a": 9}
    )
    reference = copy.deepcopy(dense)
    layers = [(layer, "weight") for layer in reference if isinstance(layer, nn.Linear)]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=WEIGHTS - 200)
    for (layer, _), weight in zip(layers, seen[0].weights.values(), strict=True):
        assert torch.equal(layer.weight, weight)
    magnitudes = torch.cat([weight.abs().flatten() for weight in prunable(dense).values()])
    assert seen[0].stage.threshold == pytest.approx(float(magnitudes.sort(descending=True).values[199]))


@pytest.mark.parametrize("rewind", [True, False])
def test_one_round_is_torchs_pruning_and_a_plain_loop(rewind: bool, dense: nn.Sequential, digits: Images) -> None:
    # One batch an epoch: whatever order the examples come in, the steps are the same.
    recipe = Recipe(learning_rate=0.2, batch_size=len(digits.train), momentum=0.0, schedule="constant")
    schedule = Schedule(rounds=(1,), final_epochs=5, live_paths=False, rewind=rewind)
    (_, final) = run(dense, digits.train, schedule, milestones=[300], targets={"a": 300}, recipe=recipe)
    reference = copy.deepcopy(dense)
    layers = {name: layer for name, layer in reference.named_children() if isinstance(layer, nn.Linear)}
    prune.global_unstructured(
        [(layer, "weight") for layer in layers.values()],
        pruning_method=prune.L1Unstructured,
        amount=WEIGHTS - 300,
    )
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.2)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(reference(digits.train.x), digits.train.y).backward()
        optimizer.step()

    for name, layer in layers.items():
        assert torch.equal(layer.weight_mask.bool(), final.stage.masks[f"{name}.weight"])
        moved = layer.weight_orig * layer.weight_mask
        torch.testing.assert_close(final.weights[f"{name}.weight"], moved, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(final.biases[f"{name}.bias"], layer.bias, rtol=1e-4, atol=1e-6)


def rates_of(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Write down the rate of every step."""
    rates: list[float] = []

    class Noting(torch.optim.SGD):
        def step(self, closure: None = None) -> None:
            rates.append(self.param_groups[0]["lr"])
            super().step(closure)

    monkeypatch.setattr(torch.optim, "SGD", Noting)
    return rates


def test_a_rewound_rate_rises_and_falls_in_every_training(
    dense: nn.Sequential, digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = rates_of(monkeypatch)
    batches = math.ceil(len(digits.train) / 256)
    run(dense, digits.train, Schedule(rounds=(3,), epochs=2, final_epochs=3), milestones=[200], targets={"a": 200})
    path, final = 2 * batches, 3 * batches

    wanted = [RECIPE.rate(step, path) for step in range(path)] * 2 + [RECIPE.rate(step, final) for step in range(final)]
    assert rates == pytest.approx(wanted)


def test_a_rate_that_is_shared_rises_once_and_then_only_falls(
    dense: nn.Sequential, digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = rates_of(monkeypatch)
    schedule = Schedule(rounds=(3,), epochs=2, final_epochs=3, rewind=False)
    run(dense, digits.train, schedule, milestones=[200], targets={"a": 200})
    top = rates.index(max(rates))

    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)
    assert max(rates) > 0.9 * RECIPE.learning_rate
    assert rates[-1] < max(rates) / 2


def test_masked_training_of_a_smaller_net_is_that_of_the_whole(dense: nn.Sequential, digits: Images) -> None:
    seen = run(dense, digits.train, Schedule(rounds=(1,), final_epochs=1), milestones=[100], targets={"a": 100})
    masks = seen[0].stage.masks
    small, whole = copy.deepcopy(dense), copy.deepcopy(dense)
    recipe = Recipe(epochs=2, l1=1e-3)
    losses = train_masked(small, digits.train, recipe, masks, generator=torch.Generator().manual_seed(3))
    wanted = train(whole, digits.train, recipe, generator=torch.Generator().manual_seed(3), masks=masks)

    assert losses == pytest.approx(wanted, rel=1e-4)
    assert not small.training
    for name, parameter in whole.named_parameters():
        torch.testing.assert_close(small.get_parameter(name), parameter, rtol=1e-3, atol=1e-5, msg=name)


def test_folding_keeps_what_constant_units_put_out(digits: Images) -> None:
    # Sigmoids put out a half and more where nothing enters: without folding, the output would lose it.
    model = trained("mlp-16-12-sigmoid", digits)
    schedule = Schedule(rounds=(1,), final_epochs=1)
    folded, plain = (
        run(model, digits.train, schedule, milestones=[60], targets={"a": 60})[0],
        run(model, digits.train, Schedule(rounds=(1,), live_paths=False), milestones=[60], targets={"a": 60})[0],
    )
    empty = ~folded.stage.masks["fc1.weight"].any(1)

    assert empty.any()
    assert not folded.biases["fc1.bias"][empty].any()
    assert not torch.equal(folded.biases["fc2.bias"], plain.biases["fc2.bias"])


def test_the_path_of_regrown_weights_folds_nothing(digits: Images) -> None:
    model = trained("mlp-16-12-sigmoid", digits)
    schedule = Schedule(rounds=(1, 1), final_epochs=1, regrow=True)
    just_pruned, *_ = run(model, digits.train, schedule, milestones=[60, 50], targets={"a": 50})

    assert not just_pruned.stage.masks["fc1.weight"].any(1).all()
    for name, bias in just_pruned.biases.items():
        assert torch.equal(bias, model.get_parameter(name))


@pytest.mark.parametrize(("budget", "spec", "more"), [("layer", "mlp-14-6", 390), ("erk", "mlp-14-8", 384)])
def test_a_weight_that_is_gone_stays_gone_where_a_layers_share_rises(
    budget: str, spec: str, more: int, digits: Images
) -> None:
    # By largest remainders the last layer of these nets gets one weight more of one weight less in all.
    model = trained(spec, digits)
    shapes = {name: tuple(weight.shape) for name, weight in prunable(model).items()}
    shares = [layer_counts(shapes, kept, budget)["fc3.weight"] for kept in (more, more - 1)]
    assert shares[1] > shares[0]
    schedule = Schedule(rounds=(1, 1), final_epochs=1, budget=budget, live_paths=False)
    seen = run(model, digits.train, schedule, milestones=[more, more - 1], targets={"a": more - 1})
    first, last = seen[0].stage.masks, seen[-1].stage.masks

    assert all(bool((last[name] <= first[name]).all()) for name in last)
    assert count(last) == more - 2


@pytest.mark.parametrize(
    ("milestones", "targets", "message"),
    [
        ([300], {"a": 0}, "a target keeps from 1 to all but one of the net's 1336 weights; got {'a': 0}"),
        ([300], {"a": WEIGHTS}, "got {'a': 1336}"),
        ([300, 200], {"a": 200}, "each milestone has its rounds; got 2 milestones and 1 in rounds"),
        ([WEIGHTS], {"a": 200}, "milestones fall, from below the net's 1336 weights; got .1336."),
        ([0], {"a": 200}, "milestones fall"),
    ],
)
def test_what_cannot_be_reached_is_refused_before_anything_is_pruned(
    milestones: list[int], targets: dict[str, int], message: str, dense: nn.Sequential, digits: Images
) -> None:
    model = copy.deepcopy(dense)
    with pytest.raises(ValueError, match=message) as refused:
        next(
            prune_and_retrain(
                model,
                digits.train,
                RECIPE,
                Schedule(rounds=(2,)),
                milestones=milestones,
                targets=targets,
                generator=torch.Generator(),
            )
        )

    assert "\n" not in str(refused.value)
    assert all(torch.equal(dense.get_parameter(name), value) for name, value in model.named_parameters())


def test_milestones_that_rise_are_refused(dense: nn.Sequential, digits: Images) -> None:
    with pytest.raises(ValueError, match="milestones fall"):
        run(dense, digits.train, Schedule(rounds=(1, 1)), milestones=[200, 300], targets={"a": 200})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rounds", ()),
        ("rounds", (3, 0)),
        ("epochs", 0),
        ("final_epochs", 0),
        ("shape", "linear"),
        ("budget", "uniform"),
    ],
)
def test_a_schedule_that_is_none_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field} .*got ") as refused:
        Schedule(**{field: value})

    assert str(refused.value).endswith(f"got {value!r}")


def test_the_mode_says_whether_weights_grow_again() -> None:
    assert (Schedule().mode, Schedule(regrow=True).mode) == ("masked", "regrown")


def test_inputs_are_lit_that_are_nonzero_in_some_example() -> None:
    x = torch.zeros(3, 1, 2, 2)
    x[2, 0, 1, 0] = -0.5

    assert lit(x).tolist() == [False, False, True, False]
