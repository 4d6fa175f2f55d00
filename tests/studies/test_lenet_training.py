"""Experiments on dense and pruned LeNets: names, weights' shapes, the rate chosen, tables counted from the nets."""

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pandas.testing import assert_frame_equal
from scipy import stats
from torch import nn

from prunelab.data import Images, Split, load_images
from prunelab.measure import evaluate
from prunelab.models import build
from prunelab.parts import Found
from prunelab.pruning import prunable
from prunelab.pruning.paths import lit, live
from prunelab.studies.common import nets as common_nets
from prunelab.studies.common.nets import Net, save_nets
from prunelab.studies.lenet import training
from prunelab.studies.lenet.tables import (
    SETTING,
    Dense,
    Histograms,
    Layers,
    Modes,
    Pixels,
    Pruned,
    Rates,
    Rounds,
    Setting,
    Tuning,
)
from prunelab.train import Recipe, train
from prunelab.train.retraining import PATH, Schedule

SPEC = "lenet-24-16-relu"
WEIGHTS = 64 * 24 + 24 * 16 + 16 * 10
RECIPE = Recipe(learning_rate=0.1)
SCHEDULE = Schedule(rounds=(3, 1), final_epochs=2)
TARGETS = ["300", "95%", "60"]  # 104 weights are 5 % of 2,080


@pytest.fixture(scope="module")
def digits() -> Images:
    return load_images("digits")


@pytest.fixture(scope="module")
def dense(digits: Images) -> list[Net]:
    return [dense_net(digits, seed) for seed in (0, 3)]


def dense_net(digits: Images, seed: int, spec: str = SPEC) -> Net:
    generator = torch.Generator().manual_seed(seed)
    module = build(spec, inputs=64, classes=10, generator=generator)
    train(module, digits.train, Recipe(epochs=4), generator=generator)
    return Net(data=digits.name, data_id=digits.content_id, model=spec, seed=seed, module=module)


def made_net(values: np.ndarray, *, seed: int = 0, spec: str = "mlp-50", pruning: str = "") -> Net:
    """A net whose first layer, 50 x 64, holds these 3,200 weights or fewer, and whose second holds ten."""
    module = build(spec, inputs=64, classes=10, generator=torch.Generator().manual_seed(seed))
    flat = torch.zeros(50 * 64)
    flat[: len(values)] = torch.from_numpy(np.asarray(values, dtype=np.float32))
    with torch.no_grad():
        module.get_parameter("fc1.weight").copy_(flat.view(50, 64))
        module.get_parameter("fc2.weight").zero_()[:, 0] = 1.0
    return Net(data="digits", data_id="0" * 12, model=spec, seed=seed, module=module, pruning=pruning)


@pytest.fixture(scope="module")
def experiment(dense: list[Net], digits: Images) -> Found:
    return prune(dense, digits, budgets=["global", "layer"])


def prune(
    nets: list[Net],
    images: Images,
    *,
    budgets: list[str],
    targets: list[str] = TARGETS,
    schedule: Schedule = SCHEDULE,
    split: Split | None = None,
) -> Found:
    return training.prune_nets(
        nets,
        images,
        recipe_name="strong",
        recipe=RECIPE,
        schedule=schedule,
        budgets=budgets,
        targets=targets,
        split=split,
    )


# What names a net


def test_a_label_says_how_a_net_was_pruned(dense: list[Net]) -> None:
    setting = training.setting_of(replace(dense[0], pruning="regrown-lamp-99.5%"), "source")

    assert set(setting) == set(Setting.columns())
    assert [setting[name] for name in SETTING.split()] == [
        "digits",
        "source",
        "regrown",
        "lamp",
        SPEC,
        "99.5%",
    ]
    unpruned = training.setting_of(dense[0], "strong")
    assert (unpruned["mode"], unpruned["budget"], unpruned["target"]) == ("dense", "dense", "dense")


@pytest.mark.parametrize("label", ["masked", "masked-global", "masked--2660", "-global-2660", "masked-global-"])
def test_a_label_that_says_less_is_refused(label: str, dense: list[Net]) -> None:
    with pytest.raises(ValueError, match=f"labelled mode-budget-target.*has '{label}'"):
        training.setting_of(replace(dense[0], pruning=label), "strong")


def test_the_two_recipes_are_plain_descent_and_nesterov() -> None:
    common = {"epochs": 7, "learning_rate": 0.3, "l1": 1e-4, "input_dropout": 0.1}
    source, strong = (training.recipe_of(name, **common) for name in ("source", "strong"))

    assert (source.momentum, source.schedule) == (0.0, "constant")
    assert (strong.momentum, strong.schedule) == (0.9, "triangular")
    for recipe in (source, strong):
        assert {name: getattr(recipe, name) for name in common} == common
    with pytest.raises(ValueError, match="recipe is one of strong, source; got 'weak'"):
        training.recipe_of("weak", **common)


def test_both_parts_are_every_example_that_is_not_tested(digits: Images) -> None:
    both = training.training_part(digits, "train+validation")

    assert training.training_part(digits, "train") is digits.train
    assert len(both) == len(digits.train) + len(digits.validation)
    assert torch.equal(both.x[len(digits.train) :], digits.validation.x)
    assert torch.equal(both.y[: len(digits.train)], digits.train.y)
    with pytest.raises(ValueError, match=r"train_on is one of train, train\+validation; got 'test'"):
        training.training_part(digits, "test")


@pytest.mark.parametrize(
    ("target", "weights", "kept"),
    [
        ("2660", 266200, 2660),
        ("99%", 266200, 2662),  # the source counts 2,657 to 2,663 for its nets
        ("99.5%", 266200, 1331),
        ("0.001%", 266200, 266197),
        ("90%", 10, 1),
    ],
)
def test_a_target_counts_weights_or_the_share_removed(target: str, weights: int, kept: int) -> None:
    assert training.parse_target(target, weights) == kept


@pytest.mark.parametrize("target", ["", "%", "many", "1.5", "99", "0", "-5", "100%", "0%", "nan%", "inf%", "-inf%"])
def test_a_target_that_keeps_nothing_or_everything_or_is_none_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="a target ") as refused:
        training.parse_target(target, 99)

    assert repr(target) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_path_leads_to_the_targets_in_weights_or_to_the_smallest_share() -> None:
    milestones = training.milestones_of

    assert milestones(["99%", "1641", "2660", "99.9%"], 266200, [8, 2]) == [2660, 1641]
    assert milestones(["2660", "2660"], 266200, [8]) == [2660]
    assert milestones(["90%", "99.9%", "99%"], 266200, [8]) == [266]
    for targets, rounds in ((["2660", "1641"], [8]), (["90%"], [8, 8]), (["90%", "2660"], [])):
        with pytest.raises(ValueError, match="rounds names one number a target in weights"):
            milestones(targets, 266200, rounds)


# How weights are distributed


def test_the_densest_weights_of_a_bell_lie_at_zero() -> None:
    generator = np.random.default_rng(0)
    nets = [made_net(0.04 * generator.standard_normal(3200), seed=seed) for seed in range(5)]
    table = training.mode_table(nets, "strong")
    rows = table[table["layer"] == "fc1"]

    assert list(table.columns) == list(Modes.columns())
    assert not table.duplicated(list(Modes.key)).any()
    assert set(table["layer"]) == {"all", "fc1"}  # ten weights of the last layer make no histogram
    assert list(rows["weights"]) == [3200] * 5
    # Around its centre a bell is flat: at .5 standard deviations it still has 88 % of its height.
    assert rows["mode_in_sd"].abs().max() < 0.7
    # 255 weights are expected in a bin at the centre, give or take 15; the fullest of all is rarely 20 % above.
    assert rows["centre_to_peak"].between(0.75, 1).all()
    assert rows["sd"].to_numpy() == pytest.approx(0.04, rel=0.05)


@pytest.mark.parametrize("centre", [-1.0, 1.0])
def test_two_bumps_leave_the_centre_empty(centre: float) -> None:
    generator = np.random.default_rng(0)
    larger, smaller = centre + 0.1 * generator.standard_normal(2000), -centre + 0.1 * generator.standard_normal(1000)
    (row,) = (
        training.mode_table([made_net(np.concatenate([larger, smaller]))], "strong")
        .query("layer == 'fc1'")
        .itertuples()
    )

    sd = np.concatenate([larger, smaller]).std()
    assert row.centre_to_peak == 0
    assert row.mode_in_sd * sd == pytest.approx(centre, abs=0.15)
    assert row.sd == pytest.approx(sd, rel=1e-5)
    assert row.weights == 3000  # the 200 zeros are removed weights


def test_the_mode_is_that_of_numpys_histogram_with_a_bin_at_zero() -> None:
    values = stats.skewnorm(8).rvs(3200, random_state=1) - 0.3
    (row,) = training.mode_table([made_net(values)], "strong").query("layer == 'fc1'").itertuples()
    values = values.astype(np.float32).astype(float)
    width = np.diff(np.histogram_bin_edges(values, "fd"))[0]
    # numpy divides the range evenly, so its width is up to one bin in all narrower; ours is Freedman's and Diaconis'.
    exact = 2 * stats.iqr(values) / 3200 ** (1 / 3)
    assert width == pytest.approx(exact, rel=0.05)
    edges = (np.arange(-200, 200) + 0.5) * exact
    counts, _ = np.histogram(values, edges)
    middles = (edges[1:] + edges[:-1]) / 2

    assert row.mode_in_sd == pytest.approx(middles[counts.argmax()] / values.std(), rel=1e-6)
    fixed = np.histogram(values / values.std(), (np.arange(-60, 60) + 0.5) * 0.2)[0]
    assert row.centre_to_peak == pytest.approx(fixed[59] / fixed.max())


def test_histograms_share_out_what_lies_within_five_deviations() -> None:
    generator = np.random.default_rng(0)
    bell = 0.1 * generator.standard_normal(3000)
    outlying = np.concatenate([bell, np.full(30, 5.0)])
    nets = [made_net(values, seed=seed) for seed, values in enumerate([outlying, bell])]
    table = training.histogram_table(nets, "source")
    rows = table[table["layer"] == "fc1"]
    pooled = np.concatenate([outlying, bell]).astype(np.float32)

    assert list(table.columns) == list(Histograms.columns())
    assert not table.duplicated(list(Histograms.key)).any()
    assert rows["left"].iloc[0] == pytest.approx(-5 * pooled.std(), rel=1e-4)
    assert np.array_equal(rows["right"].to_numpy()[:-1], rows["left"].to_numpy()[1:])
    assert rows["nonzero"].unique() == pytest.approx([3015])
    beyond = 100 * np.mean([30 / 3030, 0])
    assert rows["share_percent"].sum() == pytest.approx(100 - beyond)
    counts = [np.histogram(values, np.append(rows["left"], rows["right"].iloc[-1]))[0] for values in (outlying, bell)]
    assert rows["share_percent"].to_numpy() == pytest.approx(50 * (counts[0] / 3030 + counts[1] / 3000), abs=1e-3)


def test_nets_are_put_together_by_model_and_pruning_only() -> None:
    values = np.random.default_rng(0).standard_normal(3000)
    nets = [made_net(values[:2000], pruning="masked-global-5"), made_net(values), made_net(values, seed=1)]
    shuffled = [nets[2], nets[0], nets[1]]
    table = training.histogram_table(training.by_model(shuffled), "strong")

    assert not table.duplicated(list(Histograms.key)).any()
    assert dict(table[table["layer"] == "fc1"].groupby("target")["nonzero"].first()) == {"5": 2000, "dense": 3000}


def test_a_layer_with_too_few_weights_in_one_seed_has_no_histogram() -> None:
    values = np.random.default_rng(0).standard_normal(3000)
    table = training.histogram_table([made_net(values), made_net(values[:19], seed=1)], "strong")

    assert set(table["layer"]) == {"all"}  # 19 and ten of the second layer


def test_pixels_are_means_over_units_and_seeds(digits: Images, dense: list[Net]) -> None:
    table = training.pixel_table(dense, digits, "strong")
    first = np.stack([net.module.get_parameter("fc1.weight").detach().numpy() for net in dense])  # (seeds, units, 64)

    assert list(table.columns) == list(Pixels.columns())
    assert not table.duplicated(list(Pixels.key)).any()
    grid = table.set_index(["row", "column"])
    for row, column in ((0, 0), (3, 4), (7, 1)):
        pixel = 8 * row + column
        assert grid.loc[(row, column), "mean_magnitude"] == pytest.approx(np.abs(first[:, :, pixel]).mean(), rel=1e-5)
        assert grid.loc[(row, column), "ever_lit"] == bool((digits.train.x[:, 0, row, column] != 0).any())
    assert not table["ever_lit"].all()  # digits leave corners dark


# Dense nets


def dense_run(**changes: object) -> tuple[list[Net], training.DataFrame, training.DataFrame]:
    settings = {"recipe": "source", "epochs": 2, "learning_rates": [0.01, 0.1, 0.6], **changes}
    return training.train_dense("digits", [SPEC, "lenet-10-8-relu"], [1, 0], **settings)


@pytest.fixture(scope="module")
def tried() -> dict[float, float]:
    rates = dense_run()[2]
    return dict(zip(rates["learning_rate"], rates["validation_error_percent"], strict=True))


@pytest.mark.parametrize("near", [0.01, 0.1, 0.6])
def test_the_rate_is_chosen_that_comes_nearest_to_the_aim(near: float, tried: dict[float, float]) -> None:
    assert len(set(tried.values())) == 3
    _, dense, rates = dense_run(aim_percent=100 - tried[near] + 0.1)

    assert list(rates["learning_rate"]) == [0.01, 0.1, 0.6]
    assert list(rates.loc[rates["chosen"], "learning_rate"]) == [near]
    assert set(dense["learning_rate"]) == {near}


def test_without_an_aim_the_lowest_validation_error_is_chosen(tried: dict[float, float], digits: Images) -> None:
    nets, dense, rates = dense_run()

    assert list(rates.loc[rates["chosen"], "learning_rate"]) == [min(tried, key=lambda rate: tried[rate])]
    assert list(dense.columns) == list(Dense.columns())
    assert list(rates.columns) == list(Rates.columns())
    assert [(net.model, net.seed) for net in nets] == [(m, s) for m in (SPEC, "lenet-10-8-relu") for s in (1, 0)]
    lowest = rates.loc[rates["chosen"], "validation_error_percent"].item()
    assert lowest == pytest.approx(100 * (1 - evaluate(nets[0].module, digits.validation).accuracy))
    for net, row in zip(nets, dense.itertuples(), strict=True):
        assert (row.model, row.seed, row.recipe, row.epochs) == (net.model, net.seed, "source", 2)
        assert row.error_percent == pytest.approx(100 * (1 - evaluate(net.module, digits.test).accuracy))


def test_a_dense_net_is_that_of_its_seed_and_recipe_alone(digits: Images) -> None:
    (net,), _, _ = training.train_dense("digits", [SPEC], [5], recipe="source", epochs=2, learning_rates=[0.2], l1=1e-4)
    generator = torch.Generator().manual_seed(5)
    module = build(SPEC, inputs=64, classes=10, generator=generator)
    recipe = Recipe(epochs=2, learning_rate=0.2, l1=1e-4, momentum=0.0, schedule="constant")
    train(module, digits.train, recipe, generator=generator)

    assert all(torch.equal(net.module.get_parameter(name), value) for name, value in module.named_parameters())


def test_a_rate_is_not_chosen_on_examples_that_are_trained_on() -> None:
    with pytest.raises(ValueError, match=r"a rate is chosen on examples that no net trains on.*name one rate"):
        dense_run(train_on="train+validation")
    nets, dense, rates = dense_run(train_on="train+validation", learning_rates=[0.1, 0.1])

    assert len(rates) == 1
    assert len(nets) == len(dense) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "weak"}, "recipe is one of"),
        ({"learning_rates": []}, "at least one learning rate"),
        ({"train_on": "test"}, "train_on is one of|a rate is chosen on"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dense_run(**changes)


# Pruned nets


def test_the_tables_hold_one_row_a_key_and_can_be_saved(experiment: Found, tmp_path: Path) -> None:
    for table in (Pruned, Rounds, Layers):
        table.save(experiment[table], folder=tmp_path)
    path = 3  # three rounds to 300 weights and one to 60; the targets take the places of the last
    assert len(experiment[Pruned]) == 2 * 2 * 3
    assert len(experiment[Rounds]) == 2 * 2 * (path + 3)
    assert len(experiment[Layers]) == 3 * len(experiment[Rounds])


def test_what_the_tables_say_is_counted_in_the_nets(experiment: Found, digits: Images) -> None:
    reached = lit(digits.train.x)
    for net, row in zip(experiment.nets, experiment[Pruned].itertuples(), strict=True):
        assert net.pruning == f"masked-{row.budget}-{row.target}"
        assert net.seed == row.seed
        masks = {name: weight != 0 for name, weight in prunable(net.module).items()}
        kept, effective = (sum(int(mask.sum()) for mask in one.values()) for one in (masks, live(masks, reached)))
        assert (row.kept, row.effective_kept, row.weights) == (kept, effective, WEIGHTS)
        assert row.effective_kept <= row.kept <= row.kept_asked
        assert row.sparsity == pytest.approx(1 - kept / WEIGHTS)
        assert row.effective_sparsity == pytest.approx(1 - effective / WEIGHTS)
        assert row.error_percent == pytest.approx(100 * (1 - evaluate(net.module, digits.test).accuracy))
        assert row.validation_error_percent == pytest.approx(
            100 * (1 - evaluate(net.module, digits.validation).accuracy)
        )
        of_layers = (
            experiment[Layers]
            .query("budget == @row.budget and target == @row.target and seed == @row.seed")
            .set_index("layer")
        )
        for name, mask in masks.items():
            layer = of_layers.loc[name.removesuffix(".weight")]
            alive = live(masks, reached)[name]
            assert (layer["weights"], layer["kept"]) == (mask.numel(), int(mask.sum()))
            assert layer["kept_fraction"] == pytest.approx(float(mask.float().mean()))
            assert (layer["live_inputs"], layer["live_units"]) == (int(alive.any(0).sum()), int(alive.any(1).sum()))
    exact = experiment[Pruned][experiment[Pruned]["budget"] == "global"]
    assert dict(zip(exact["target"], exact["kept"], strict=False)) == {"300": 300, "95%": 104, "60": 60}


def test_a_finished_net_is_its_last_round(experiment: Found, dense: list[Net], digits: Images) -> None:
    baseline = {net.seed: 100 * (1 - evaluate(net.module, digits.test).accuracy) for net in dense}
    batches = math.ceil(len(digits.train) / 256)
    last = {"300": 3, "95%": 4, "60": 4}
    for row in experiment[Pruned].itertuples():
        (found,) = (
            experiment[Rounds]
            .query("budget == @row.budget and target == @row.target and seed == @row.seed")
            .itertuples()
        )
        for name in ("kept", "kept_asked", "error_percent", "error_pruned_percent", "validation_error_percent"):
            assert getattr(found, name) == getattr(row, name)
        assert found.round == last[row.target]
        assert row.baseline_error_percent == pytest.approx(baseline[row.seed])
        assert row.steps == (last[row.target] - 1 + 2) * batches
    path = experiment[Rounds][experiment[Rounds]["target"] == PATH]
    assert (path.groupby(["budget", "seed"])["round"].apply(list)).tolist() == [[1, 2, 3]] * 4


def test_the_error_just_pruned_is_that_before_any_training(dense: list[Net], digits: Images) -> None:
    schedule = Schedule(rounds=(1,), final_epochs=1, live_paths=False)
    found = prune(dense[:1], digits, budgets=["global"], targets=["300"], schedule=schedule)[Pruned]
    module = copy.deepcopy(dense[0].module)
    layers = [(layer, "weight") for layer in module if isinstance(layer, nn.Linear)]
    nn.utils.prune.global_unstructured(layers, pruning_method=nn.utils.prune.L1Unstructured, amount=WEIGHTS - 300)
    cut = 100 * (1 - evaluate(module, digits.test).accuracy)

    assert found["error_pruned_percent"].item() == pytest.approx(cut)
    assert found["error_percent"].item() != pytest.approx(cut)
    assert found["threshold"].item() == pytest.approx(
        min(float(layer.weight[layer.weight != 0].abs().min()) for layer, _ in layers)
    )


def test_weights_on_no_live_path_are_kept_but_not_effective(dense: list[Net], digits: Images) -> None:
    schedule = Schedule(rounds=(1,), final_epochs=1, live_paths=False)
    found = prune(dense[:1], digits, budgets=["global"], targets=["60"], schedule=schedule)
    masks = {name: weight != 0 for name, weight in prunable(found.nets[0].module).items()}
    alive = sum(int(mask.sum()) for mask in live(masks, lit(digits.train.x)).values())

    assert found[Pruned]["kept"].item() == 60
    assert found[Pruned]["effective_kept"].item() == alive < 60


def test_the_order_of_the_examples_follows_the_nets_seed(dense: list[Net], digits: Images) -> None:
    schedule = Schedule(rounds=(1,), final_epochs=1)
    twins = [replace(dense[0], seed=seed) for seed in (0, 1)]
    first, second = prune(twins, digits, budgets=["global"], targets=["300"], schedule=schedule).nets

    assert not torch.equal(first.module.get_parameter("fc3.bias"), second.module.get_parameter("fc3.bias"))


def test_the_threshold_is_the_smallest_weight_kept_and_is_missing_where_layers_have_their_own(
    experiment: Found,
) -> None:
    thresholds = experiment[Pruned].set_index("budget")["threshold"]

    assert (thresholds["global"] > 0).all()
    assert thresholds["layer"].isna().all()


def test_the_dense_nets_are_left_as_they_were(dense: list[Net], digits: Images) -> None:
    before = copy.deepcopy(dense[0].module)
    prune(dense[:1], digits, budgets=["global"], targets=["300"], schedule=Schedule(rounds=(1,), final_epochs=1))

    assert all(torch.equal(before.get_parameter(name), value) for name, value in dense[0].module.named_parameters())


def test_a_budgets_nets_are_the_same_alone_and_beside_others(
    experiment: Found, dense: list[Net], digits: Images
) -> None:
    alone = prune(dense[1:], digits, budgets=["layer"])[Pruned]
    beside = experiment[Pruned].query("budget == 'layer' and seed == 3")

    assert_frame_equal(alone.reset_index(drop=True), beside.reset_index(drop=True))


def test_regrown_nets_are_labelled_so(dense: list[Net], digits: Images) -> None:
    schedule = Schedule(rounds=(2,), final_epochs=1, regrow=True)
    found = prune(dense[:1], digits, budgets=["erk"], targets=["200"], schedule=schedule)

    assert [net.pruning for net in found.nets] == ["regrown-erk-200"]
    assert list(found[Pruned]["mode"]) == ["regrown"]
    assert sum(int(weight.count_nonzero()) for weight in prunable(found.nets[0].module).values()) == 200


def test_both_parts_can_be_trained_on(dense: list[Net], digits: Images) -> None:
    schedule = Schedule(rounds=(1,), final_epochs=1)
    both = training.training_part(digits, "train+validation")
    found = prune(dense[:1], digits, budgets=["global"], targets=["300"], schedule=schedule, split=both)

    assert found[Pruned]["steps"].item() == math.ceil(len(both) / 256)


def test_what_cannot_be_pruned_is_refused_in_one_line(dense: list[Net], digits: Images) -> None:
    again = replace(dense[0], pruning="masked-global-300")
    with pytest.raises(
        ValueError, match=r"pruning starts from dense nets; .*seed 0, is 'masked-global-300'"
    ) as refused:
        prune([again], digits, budgets=["global"])
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match="at least one of its nets"):
        prune([], digits, budgets=["global"])
    with pytest.raises(ValueError, match="at least one of its budgets"):
        prune(dense, digits, budgets=[])
    with pytest.raises(ValueError, match="at least one of its targets"):
        prune(dense, digits, budgets=["global"], targets=[])
    with pytest.raises(ValueError, match="budget is one of"):
        prune(dense, digits, budgets=["uniform"])


def test_dense_nets_are_opened_by_model(dense: list[Net], digits: Images, tmp_path: Path) -> None:
    other = dense_net(digits, 0, "lenet-10-8-relu")
    save_nets([*dense, other], tmp_path / "nets")
    run = [str(tmp_path)]
    settings = {"seeds": [9], "epochs": 1}

    every = common_nets.dense_nets(run, digits, models=[], **settings)
    assert [(net.model, net.seed) for net in every] == [("lenet-10-8-relu", 0), (SPEC, 0), (SPEC, 3)]
    some = common_nets.dense_nets(run, digits, models=[SPEC], **settings)
    assert [(net.model, net.seed) for net in some] == [(SPEC, 0), (SPEC, 3)]
    with pytest.raises(ValueError, match="got no 'lenet-9-9'"):
        common_nets.dense_nets(run, digits, models=[SPEC, "lenet-9-9"], **settings)


def test_without_runs_small_nets_are_trained_on_the_spot(digits: Images) -> None:
    (net,) = common_nets.dense_nets([], digits, models=[], seeds=[9], epochs=1)

    assert (net.model, net.seed, net.pruning) == ("lenet-32-16-relu", 9, "")


# The rate and the penalty


def tuning(nets: list[Net], images: Images, **changes: object) -> training.DataFrame:
    settings = {
        "recipe": "strong",
        "learning_rates": [0.001, 0.2],
        "penalties": [0.0, 1e-4],
        "target": "200",
        "schedule": Schedule(rounds=(2,), final_epochs=2),
        **changes,
    }
    return training.tuning_table(nets, images, **settings)


def test_the_pair_of_lowest_mean_error_is_chosen(dense: list[Net], digits: Images, tmp_path: Path) -> None:
    table = tuning(dense, digits)
    Tuning.save(table, folder=tmp_path / "tables")

    assert list(zip(table["learning_rate"], table["l1"], strict=True)) == [
        (rate, l1) for rate in (0.001, 0.2) for l1 in (0.0, 1e-4)
    ]
    (best,) = table[table["chosen"]].itertuples()
    assert best.validation_error_percent == table["validation_error_percent"].min()
    assert best.learning_rate == 0.2  # at .001 two epochs bring nothing back
    assert (table["worst_percent"] >= table["validation_error_percent"]).all()
    assert set(table["nets"]) == {2}
    assert training.chosen(str(tmp_path), learning_rate=1.0, l1=1.0) == (0.2, best.l1)
    assert training.chosen("", learning_rate=1.0, l1=0.5) == (1.0, 0.5)
    with pytest.raises(FileNotFoundError):
        training.chosen(str(tmp_path / "none"), learning_rate=1.0, l1=0.5)


def test_a_pairs_errors_are_those_of_pruning_with_it(dense: list[Net], digits: Images) -> None:
    schedule = Schedule(rounds=(2,), final_epochs=2)
    (row,) = tuning(dense, digits, recipe="source", learning_rates=[0.1], penalties=[1e-4]).itertuples()
    recipe = Recipe(epochs=9, learning_rate=0.1, l1=1e-4, momentum=0.0, schedule="constant")
    errors = training.prune_nets(
        dense,
        digits,
        recipe_name="source",
        recipe=recipe,
        schedule=schedule,
        budgets=["global"],
        targets=["200"],
    )[Pruned]["validation_error_percent"]

    assert row.validation_error_percent == pytest.approx(errors.mean())
    assert row.worst_percent == errors.max()


def test_the_test_part_is_not_looked_at(dense: list[Net], digits: Images) -> None:
    class Sealed(Split):
        def __getattribute__(self, name: str) -> object:
            if name in ("x", "y", "to", "__len__"):
                raise AssertionError("the test part was looked at")
            return super().__getattribute__(name)

    sealed = object.__new__(Sealed)
    with pytest.raises(AssertionError, match="looked at"):
        evaluate(dense[0].module, sealed)
    settings = {"learning_rates": [0.2], "penalties": [0.0]}

    assert_frame_equal(tuning(dense, replace(digits, test=sealed), **settings), tuning(dense, digits, **settings))


@pytest.mark.parametrize("empty", ["learning_rates", "penalties"])
def test_nothing_to_choose_from_is_refused(empty: str, dense: list[Net], digits: Images) -> None:
    with pytest.raises(ValueError, match="tuning needs at least one learning rate and one penalty"):
        tuning(dense, digits, **{empty: []})
