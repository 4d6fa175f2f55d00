"""Kinds compared on small nets of images and of speech: what is trained, pruned, retrained, measured and counted."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import drawn
from prunelab.data import load_images
from prunelab.measure import evaluate
from prunelab.pruning import prunable
from prunelab.studies.common import nets as common_nets
from prunelab.studies.common.recognisers import Listener
from prunelab.studies.common.units import subsets
from prunelab.studies.kinds import experiment
from prunelab.studies.kinds.experiment import Plan, choose, counted, edges_of, measured, pruned, retrain, weight_table
from prunelab.studies.kinds.tables import Kinds, KindsCosts, Tried, Weights
from prunelab.studies.kinds.task import Task, Training, images_task, open_task, plain_nets, speech_task, trained
from prunelab.train import Recipe, train_seeds

DIGITS = load_images("digits")
SCHEDULE = Training(learning_rate=0.2, epochs=4, retraining_rate=0.05)
PLAN = Plan(sparsities=(0.5, 0.9), retrained_sparsities=(0.9,), retraining_steps=3)
ALL = [
    "magnitude",
    "l1",
    "gradient",
    "gradient-abs",
    "saliency",
    "saliency-abs",
    "random",
    "units-norm",
    "units-mrs-abs",
]


@pytest.fixture(scope="module")
def task() -> Task:
    return images_task(DIGITS, "mlp-16-8-relu", SCHEDULE, scoring=100, examples=200)


@pytest.fixture(scope="module")
def nets(task: Task) -> list[common_nets.Net]:
    return plain_nets(task, [], [0, 1])


@pytest.fixture(scope="module")
def compared(task: Task, nets: list[common_nets.Net]) -> experiment.Comparison:
    return experiment.compare(task, nets, kinds=ALL, plan=PLAN, strengths={"l1": [1e-5, 3e-3]}, drawn=0.9)


# Nets


def test_nets_are_those_that_training_by_seed_gives(task: Task, nets: list[common_nets.Net]) -> None:
    recipe = Recipe(epochs=4, learning_rate=0.2)
    for seed, module in train_seeds("mlp-16-8-relu", DIGITS, recipe, [0, 1]).items():
        assert all(torch.equal(nets[seed].module.state_dict()[name], own) for name, own in module.state_dict().items())


def test_an_l1_penalty_shrinks_the_mass_of_the_small_weights(task: Task, nets: list[common_nets.Net]) -> None:
    penalised = trained(task, 0, penalty="l1", strength=0.01)

    def small_share(module: nn.Module) -> float:
        sizes = torch.cat([weight.abs().flatten() for weight in prunable(module).values()]).sort().values
        return float(sizes[: len(sizes) // 2].sum() / sizes.sum())

    assert small_share(penalised) < 0.5 * small_share(nets[0].module)


def test_an_l2_penalty_shrinks_all_weights(task: Task, nets: list[common_nets.Net]) -> None:
    penalised = task.net(0, trained(task, 0, penalty="l2", strength=1e-2))

    assert penalised.weight_rms < 0.9 * nets[0].weight_rms


def test_both_penalties_are_compared_each_at_the_strength_chosen_for_it(
    task: Task, nets: list[common_nets.Net]
) -> None:
    strengths = {"l1": [1e-5], "l2": [1e-4, 1e-3]}
    plan = Plan(sparsities=(0.5,))
    kinds = ["l2", "l1", "random"]
    found = experiment.compare(task, nets, kinds=kinds, plan=plan, strengths=strengths, drawn=0.9)
    best = found.tried[found.tried["chosen"]].set_index("penalty")["strength"]

    assert list(dict.fromkeys(found.kinds["kind"])) == kinds
    assert found.tried.groupby("penalty").size().to_dict() == {"l1": 1, "l2": 2}
    assert found.kinds.groupby("kind")["strength"].unique().map(list).to_dict() == {
        "l1": [1e-5],
        "l2": [best["l2"]],
        "random": [0.0],
    }
    assert found.weights is None


def test_a_strength_is_chosen_by_the_mean_error_over_the_budgets(task: Task) -> None:
    choice = choose(task, "l1", [0.05, 1e-5], seed=0, plan=PLAN)
    weak, strong = choice.tried
    one_shot = replace(PLAN, retrained_sparsities=())
    seen = [each.row for each in measured(task, choice.net.module, ["l1"], one_shot, seed=0, strength=1e-5)]

    assert (weak.strength, strong.strength, choice.strength) == (1e-5, 0.05, 1e-5)
    assert weak.validation_error_percent < strong.validation_error_percent  # so strong that nothing is learnt
    assert (weak.chosen, strong.chosen) == (True, False)
    assert weak.validation_error_percent == pytest.approx(np.mean([row.validation_error_percent for row in seen]))
    assert [(row.retrained, row.sparsity_asked) for row in seen] == [(False, 0.5), (False, 0.9)]


def test_of_strengths_that_do_as_well_the_weaker_is_chosen(task: Task) -> None:
    blind = replace(task, measure=lambda module: replace(task.measure(module), validation=7.0))

    assert choose(blind, "l1", [3e-4, 1e-4], seed=0, plan=Plan(sparsities=(0.5,))).strength == 1e-4


@pytest.mark.parametrize("strengths", [[], [0.0, 1e-4], [-1e-4]])
def test_strengths_to_choose_from_are_above_zero(task: Task, strengths: list[float]) -> None:
    with pytest.raises(ValueError, match="strengths of l1 to choose from are above 0"):
        choose(task, "l1", strengths, seed=0, plan=PLAN)


def test_a_training_that_diverges_says_which(task: Task) -> None:
    wild = replace(task, recipe=replace(task.recipe, learning_rate=1e12))
    with pytest.raises(ValueError, match="training with none = 0 diverged"):
        trained(wild, 0)


def test_stored_nets_are_taken_by_seed_and_by_how_long_they_were_trained(
    task: Task, nets: list[common_nets.Net], tmp_path: Path
) -> None:
    folder = str(tmp_path / "run")
    own = [*nets, replace(nets[0], step=7), replace(nets[0], pruning="masked-global-20")]
    common_nets.save_nets(own, folder=Path(folder) / "nets")

    assert [net.seed for net in plain_nets(task, [folder], [])] == [0, 1]
    assert [net.seed for net in plain_nets(task, [folder], [1])] == [1]
    assert [net.seed for net in plain_nets(task, [folder], [], steps=7)] == [0]
    for wanted, steps in (([2], 0), ([1], 7), ([], 8)):
        with pytest.raises(ValueError, match="name other runs, or train here"):
            plain_nets(task, [folder], wanted, steps=steps)
    with pytest.raises(ValueError, match="each seed of mlp-16-8-relu once"):
        plain_nets(task, [folder, folder], [])


# Measuring


def test_every_kind_is_measured_at_every_budget_with_every_seed(compared: experiment.Comparison) -> None:
    table = compared.kinds
    assert list(dict.fromkeys(table["kind"])) == ALL
    assert len(table) == len(ALL) * 2 * 3  # seeds; two budgets one-shot and one retrained
    exact = table[~table["kind"].str.startswith("units-")]
    assert (exact["kept"] == (exact["weights"] * (1 - exact["sparsity_asked"])).round()).all()
    assert table.groupby(["kind", "seed"])["dense_error_percent"].nunique().max() == 1


def test_the_errors_are_those_of_the_net_that_torch_prunes(
    nets: list[common_nets.Net], compared: experiment.Comparison
) -> None:
    clone = copy.deepcopy(nets[1].module)
    layers = [(clone.get_submodule(name), "weight") for name in ("fc1", "fc2", "fc3")]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=0.5)
    asked = {"kind": "magnitude", "seed": 1, "sparsity_asked": 0.5}
    (row,) = compared.kinds[(compared.kinds[list(asked)] == list(asked.values())).all(axis=1)].to_dict("records")
    fixed = subsets(DIGITS, scoring=100, examples=200)
    validation, test = (100 * (1 - evaluate(clone, part).accuracy) for part in (fixed.validation, fixed.parts["test"]))

    assert (row["validation_error_percent"], row["error_percent"]) == pytest.approx((validation, test))


def test_the_squares_removed_are_counted_on_the_net_as_it_was(task: Task, nets: list[common_nets.Net]) -> None:
    (seen,) = measured(task, nets[0].module, ["magnitude"], Plan(sparsities=(0.5,)), seed=0)
    sizes = torch.cat([weight.flatten() for weight in prunable(nets[0].module).values()]).double().abs().sort().values
    removed = sizes[: round(0.5 * len(sizes))].square().sum() / sizes.square().sum()

    assert seen.row.removed_squares_percent == pytest.approx(100 * float(removed))


def test_removed_weights_stay_zero_through_retraining_and_the_others_move(
    task: Task, nets: list[common_nets.Net]
) -> None:
    kinds = [kind for kind in ALL if kind != "l1"]
    found = [seen for seen in measured(task, nets[0].module, kinds, PLAN, seed=0) if seen.row.retrained]

    assert len(found) == len(kinds)
    for seen in found:
        for name, mask in seen.masks.items():
            assert not bool(seen.after[name][~mask].any())
        moved = sum(int((seen.after[name] != seen.before[name])[mask].sum()) for name, mask in seen.masks.items())
        assert moved > 0


def test_kinds_are_retrained_on_the_same_batches(task: Task, nets: list[common_nets.Net]) -> None:
    # Both rank this net by magnitude: what they leave after retraining is one net.
    plan = Plan(sparsities=(), retrained_sparsities=(0.5,), retraining_steps=4)
    first, second = measured(task, nets[0].module, ["magnitude", "l1"], plan, seed=0)

    assert all(torch.equal(first.after[name], own) for name, own in second.after.items())
    assert first.row.error_percent == second.row.error_percent


def test_retraining_that_diverges_says_after_what(task: Task, nets: list[common_nets.Net]) -> None:
    wild = replace(task, retraining=replace(task.retraining, learning_rate=1e12))
    (one,) = pruned(nets[0].module, ["random"], [0.5], scoring=task.scoring, seed=0)
    with pytest.raises(ValueError, match=r"retraining diverged after pruning by random at 0\.5"):
        retrain(wild, one, steps=20, seed=0)


def test_the_same_comparison_is_the_same_tables(
    task: Task, nets: list[common_nets.Net], compared: experiment.Comparison
) -> None:
    few = ["random", "saliency", "units-mrs-abs"]
    again = experiment.compare(task, nets, kinds=few, plan=PLAN, strengths={}, drawn=0.9)
    before = compared.kinds[compared.kinds["kind"].isin(few)]
    key = list(Kinds.key)

    assert again.tried is None
    assert again.kinds.sort_values(key).to_csv(index=False) == before.sort_values(key).to_csv(index=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sparsities": (0.5, 0.5)}, "sparsities are distinct"),
        ({"sparsities": (0.0,)}, r"in \(0, 1\)"),
        ({"sparsities": (1.0,)}, r"in \(0, 1\)"),
        ({"sparsities": ()}, "one budget or more"),
        ({"retrained_sparsities": (0.9,)}, "retraining_steps is at least 1"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(**({"sparsities": (0.5,)} | change))  # type: ignore[arg-type]


# Weights and costs


def test_weights_removed_and_kept_are_all_weights_within_the_bins(compared: experiment.Comparison) -> None:
    assert compared.weights is not None
    sums = compared.weights.groupby(["kind", "which"])["share_percent"].sum().unstack()
    gap = compared.weights[(compared.weights["kind"] == "magnitude") & (compared.weights["which"] == "kept")]
    centre = gap[(gap["left"] < 0) & (gap["right"] > 0)]

    assert (sums["removed"] + sums["kept"]).max() <= 100 + 1e-9
    assert sums.loc["random", "removed"] == pytest.approx(90, abs=2)
    assert centre["share_percent"].tolist() == [0.0]


def test_bins_are_counted_by_hand(task: Task, nets: list[common_nets.Net]) -> None:
    (seen,) = measured(task, nets[0].module, ["random"], Plan(sparsities=(0.5,)), seed=0)
    edges = edges_of(0.1)
    rows = [vars(row) for row in counted(seen, edges)]
    weight = torch.cat([own.flatten() for own in seen.before.values()])
    mask = torch.cat([own.flatten() for own in seen.masks.values()])
    inside = (weight >= edges[30]) & (weight < edges[31])

    assert len(rows) == 2 * 61
    assert (edges[30], edges[31]) == pytest.approx((-0.4 / 61, 0.4 / 61))
    table = weight_table(rows).set_index(["which", "left"])["share_percent"]
    for which, flags in (("removed", ~mask), ("kept", mask)):
        assert table[which, edges[30]] == pytest.approx(100 * int((inside & flags).sum()) / len(weight))


def test_costs_are_counted_in_passes_over_the_training_part(compared: experiment.Comparison) -> None:
    costs = compared.costs.set_index("kind")
    share = 100 / len(DIGITS.train)

    assert costs.loc["magnitude", ["forward_passes", "gradient_passes", "training_passes"]].tolist() == [0, 0, 0]
    assert costs.loc["saliency", "gradient_passes"] == costs.loc["units-mrs-abs", "gradient_passes"] == share
    assert costs.loc["units-norm", "forward_passes"] == share
    assert costs.loc["l1", ["training_passes", "choosing_passes"]].tolist() == [4.0, 4.0]  # two strengths tried
    assert set(costs["retraining_passes"]) == {3 / 5}  # of 5 steps a pass: 1,198 examples by 256
    assert set(costs.index[costs["removes"] == "whole units"]) == {"units-norm", "units-mrs-abs"}


def test_the_tables_can_be_saved(compared: experiment.Comparison, tmp_path: Path) -> None:
    assert compared.tried is not None
    assert compared.weights is not None
    Kinds.save(compared.kinds, folder=tmp_path)
    Tried.save(compared.tried, folder=tmp_path)
    Weights.save(compared.weights, folder=tmp_path)
    KindsCosts.save(compared.costs, folder=tmp_path)


# Tasks


def test_a_convolutional_net_sees_standardised_images_at_a_constant_rate() -> None:
    schedule = replace(SCHEDULE, learning_rate=0.01, steps=5)
    task = open_task("conv-3k3p-4k3-8", schedule, data="digits", corpus="", scoring=100, examples=50)
    (net,) = plain_nets(task, [], [0])
    found = experiment.compare(task, [net], kinds=["magnitude", "units-norm"], plan=PLAN, strengths={}, drawn=0.9)

    assert (task.recipe.schedule, task.recipe.batch_size, task.steps) == ("constant", 64, 5)
    assert task.retraining.schedule == "triangular"
    assert float(task.train.x.mean()) == pytest.approx(0, abs=1e-5)
    assert set(found.kinds["weights"]) == {27 + 108 + 32 + 80}


def test_a_recogniser_is_measured_by_its_word_errors() -> None:
    corpus = drawn.corpus()
    task = speech_task(corpus, "acoustic-2x16-relu", replace(SCHEDULE, learning_rate=0.01, epochs=2), scoring=100)
    nets = plain_nets(task, [], [0])
    kinds = ["magnitude", "l1", "saliency", "random", "units-mrs-abs"]
    found = experiment.compare(task, nets, kinds=kinds, plan=PLAN, strengths={"l1": [1e-4]}, drawn=0.9).kinds
    heard = Listener(corpus).hear(nets[0].module, [])[0]
    plain = found[found["kind"] != "l1"]

    assert set(plain["dense_error_percent"]) == {heard.error_percent}
    assert set(plain["dense_validation_error_percent"]) == {heard.dev_error_percent}
    assert set(found["kind"]) == set(kinds)
    assert (task.recipe.optimizer, task.retraining.optimizer) == ("adam", "adam")
    assert heard.error_percent < 20 < found.loc[found["kind"] == "random", "error_percent"].max()


def test_a_task_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="steps is a number of training steps"):
        replace(SCHEDULE, steps=-1)
    with pytest.raises(ValueError, match="scoring is a number of training frames"):
        speech_task(drawn.corpus(), "acoustic-2x16-relu", SCHEDULE, scoring=0)
