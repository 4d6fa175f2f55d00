"""Units removed and the rest trained on: penalties after tuning, and pruning in rounds against one shot."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame
from pandas.testing import assert_frame_equal
from torch import nn

from prunelab.data import Images
from prunelab.measure import evaluate
from prunelab.measure.penalty import Probe
from prunelab.models import build
from prunelab.pruning import unit_removal
from prunelab.pruning.unit_removal import lowest, remove, shift
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import sites
from prunelab.studies.common import nets as common_nets
from prunelab.studies.common.nets import Net, lay_out, save_nets
from prunelab.studies.common.units import checkpoints, load, recipe_of, subsets
from prunelab.studies.units import rules, tuning
from prunelab.studies.units.tuning import SCHEDULES, FineTuned, Iterative, Rounds
from prunelab.train import training

SPEC = "conv-6k3p-8k3-10"
STEPS = [60, 120]
SIZES: dict[str, Any] = {"scoring": 100, "examples": 120}
TUNING = recipe_of(0.01)
SCORES = ["random", "norm", "mrs-abs"]
ROUNDS = Rounds(fraction=0.25, measured=(0.0, 0.25, 0.5), tuning_steps=5)


@pytest.fixture(scope="module")
def digits() -> Images:
    return load("digits")


@pytest.fixture(scope="module")
def nets(digits: Images) -> list[Net]:
    return opened([], digits, seeds=[0, 3])


@pytest.fixture(scope="module")
def tuned(nets: list[Net], digits: Images) -> DataFrame:
    return tune(nets, digits)


@pytest.fixture(scope="module")
def pruned(nets: list[Net], digits: Images) -> DataFrame:
    return in_rounds(nets[1:2], digits, scores=["random", "mrs-abs", "nothing"])


def opened(
    runs: Sequence[Path], images: Images, *, seeds: Sequence[int] = (), steps: Sequence[int] = STEPS, **changes: Any
) -> list[Net]:
    settings: dict[str, Any] = {"models": [SPEC], "recipe": recipe_of(0.05), **changes}
    return checkpoints([str(run) for run in runs], images, seeds=seeds, steps=steps, **settings)


def tune(nets: list[Net], images: Images, **changes: Any) -> DataFrame:
    settings = {"scores": SCORES, "layers": ["conv2", "all"], "fraction": 0.3, "tuning_steps": [2, 5], **SIZES}
    return tuning.fine_tune(nets, images, **{**settings, "recipe": TUNING, **changes})


def in_rounds(nets: list[Net], images: Images, **changes: Any) -> DataFrame:
    settings = {"scores": SCORES, "rounds": ROUNDS, "recipe": TUNING, **SIZES}
    return tuning.iterate(nets, images, **{**settings, **changes})


def each(table: DataFrame) -> list[Any]:
    return list(table.itertuples())


def trained_on(
    module: nn.Module, images: Images, generator: torch.Generator, *, steps: int, masks: Any = None
) -> nn.Module:
    """Tune by hand."""
    for _ in training(module, images.train, TUNING, generator=generator, steps=steps, masks=masks):
        pass
    return module


# Nets to start from


def test_a_net_trained_here_is_that_of_its_seed_as_it_was_after_so_many_steps(nets: list[Net], digits: Images) -> None:
    assert [(net.seed, net.step) for net in nets] == [(0, 60), (0, 120), (3, 60), (3, 120)]
    generator = torch.Generator().manual_seed(3)
    module = lay_out(build(SPEC, inputs=digits.shape, classes=10, generator=generator))
    steps = training(module, digits.train, recipe_of(0.05), generator=generator, steps=120)
    for done, _ in enumerate(steps, start=1):
        if done in STEPS:
            net = next(net for net in nets if (net.seed, net.step) == (3, done))
            assert all(torch.equal(net.module.get_parameter(name), value) for name, value in module.named_parameters())


def test_stored_nets_are_taken_by_model_seed_and_step(nets: list[Net], digits: Images, tmp_path: Path) -> None:
    save_nets([*nets, replace(nets[0], step=None), replace(nets[0], pruning="masked")], tmp_path / "nets")

    everything = opened([tmp_path], digits, steps=[], models=[])
    assert [(net.seed, net.step) for net in everything] == [(0, 60), (0, 120), (3, 60), (3, 120)]
    assert all(net.pruning == "" for net in everything)
    assert [net.seed for net in opened([tmp_path], digits, seeds=[3], steps=[])] == [3, 3]
    (one,) = opened([tmp_path], digits, seeds=[3], steps=[120])
    assert torch.equal(one.module.get_parameter("fc1.weight"), nets[3].module.get_parameter("fc1.weight"))
    for changes, missing in (
        ({"seeds": [0, 1]}, "model conv-6k3p-8k3-10, seed 1, step 60"),
        ({"steps": [60, 90], "models": []}, "model conv-6k3p-8k3-10, step 90"),
        ({"models": ["lenet-8-6-relu"], "steps": []}, "model lenet-8-6-relu"),
    ):
        with pytest.raises(ValueError, match=rf"3, 120\)\]; got none of {missing}: store it"):
            opened([tmp_path], digits, **changes)
    with pytest.raises(ValueError, match="hold some twice"):
        opened([tmp_path, tmp_path], digits)


def test_runs_without_nets_along_the_training_are_refused(nets: list[Net], digits: Images, tmp_path: Path) -> None:
    save_nets([replace(nets[0], step=None)], tmp_path / "nets")

    with pytest.raises(ValueError, match=r"\) none; got none of any model"):
        opened([tmp_path], digits, models=[], steps=[])
    with pytest.raises(ValueError, match="after 1 step or more; got steps="):
        opened([], digits, seeds=[0], steps=[])


# Fine-tuning


def test_every_removal_of_every_net_is_measured_at_every_number_of_steps(tuned: DataFrame, tmp_path: Path) -> None:
    FineTuned.save(tuned, folder=tmp_path)

    variants = 1 + 2 * len(SCORES) * 2  # the control; layers, scores, replacements
    assert len(tuned) == 4 * variants * 3 * 2  # nets; numbers of steps; parts
    assert set(tuned["tuning_steps"]) == {0, 2, 5}
    assert len(tuned[["seed", "step", "part", "loss"]].drop_duplicates()) == 4 * 2  # of the net before


def test_penalties_before_tuning_are_those_of_a_probe(tuned: DataFrame, nets: list[Net], digits: Images) -> None:
    fixed, net = subsets(digits, **SIZES), nets[1]
    module, found = net.module, sites(net.module)
    generator = torch.Generator().manual_seed(net.seed * 1_000_003 + STEPS[1])
    measured = measure_units(module, fixed.scoring.x, fixed.scoring.y, generator=generator)
    rows = tuned.query("seed == @net.seed and step == @net.step and tuning_steps == 0 and score != 'nothing'")
    for part, split in fixed.parts.items():
        probe = Probe(module, split)
        for row in each(rows[rows["part"] == part]):
            gone = {name: lowest(site.scores[row.score], 0.3) for name, site in measured.items()}
            shifts = {name: shift(module, found[name], gone[name], measured[name]) for name in gone}
            added = row.replacement == "mean"
            if row.layer == "all":
                remove(whole := copy.deepcopy(module), gone, shifts=shifts if added else None)
                penalty = probe.penalty_of(whole)
            else:
                penalty = probe.penalty(row.layer, gone[row.layer], shifts[row.layer] if added else None)
            assert row.penalty == pytest.approx(penalty, rel=1e-4, abs=1e-6)
            assert row.loss == pytest.approx(probe.loss, rel=1e-6)
    assert len(rows) == 2 * 2 * len(SCORES) * 2


def test_the_control_is_the_same_tuning_of_the_unpruned_net(tuned: DataFrame, nets: list[Net], digits: Images) -> None:
    net, parts = nets[0], subsets(digits, **SIZES).parts
    rows = tuned.query("score == 'nothing' and seed == 0 and step == 60").set_index(["tuning_steps", "part"])
    module = trained_on(common_nets.copied(net, digits.train), digits, common_nets.draws(net, "tuning"), steps=5)

    assert set(rows["layer"]) == set(rows["replacement"]) == {"none"}
    assert len(rows) == 6
    for part, split in parts.items():
        assert rows.loc[(0, part), "penalty"] == 0
        before, after = evaluate(net.module, split).loss, evaluate(module, split).loss
        assert rows.loc[(5, part), "penalty"] == pytest.approx(after - before, abs=1e-6)


def test_a_variant_is_tuned_on_the_same_batches_whatever_else_is_measured(
    tuned: DataFrame, nets: list[Net], digits: Images
) -> None:
    alone = tune(nets[3:], digits, scores=["mrs-abs"], layers=["conv2"])
    among = tuned.query("seed == 3 and step == 120 and (layer == 'none' or (layer == 'conv2' and score == 'mrs-abs'))")

    assert_frame_equal(alone, among.reset_index(drop=True), check_exact=True)


def test_removed_units_stay_out_while_the_rest_is_tuned(
    nets: list[Net], digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []

    def check(model: nn.Module, masks: dict[str, torch.Tensor]) -> None:
        checked.append((model, masks))

    monkeypatch.setattr(tuning, "check", check)
    tune(nets[:1], digits, scores=["norm"], layers=["conv2", "fc1"])

    assert len(checked) == 5
    assert checked[0][1] == {}  # the control
    for model, masks in checked[1:]:
        layer = "conv2" if "conv2.weight" in masks else "fc1"
        removed = ~masks[f"{layer}.bias"]
        assert int(removed.sum()) == {"conv2": 2, "fc1": 3}[layer]  # 30 % of 8 and of 10
        assert all(not model.get_parameter(name)[~mask].any() for name, mask in masks.items())
        kept = model.get_parameter(f"{layer}.weight")[~removed]
        assert (kept != nets[0].module.get_parameter(f"{layer}.weight")[~removed]).any()


def test_scores_that_choose_the_same_units_are_tuned_once(
    nets: list[Net], digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = []

    def counted(*arguments: Any, **settings: Any) -> Any:
        trainings.append(settings["masks"])
        return training(*arguments, **settings)

    monkeypatch.setattr(tuning, "training", counted)
    net = replace(nets[0], module=copy.deepcopy(nets[0].module))
    with torch.no_grad():
        net.module.get_parameter("fc1.bias")[:3] = -100.0  # silent units, which both scores put at 0
    table = tune([net], digits, scores=["taylor-abs", "mrs-abs"], layers=["fc1"])

    assert len(trainings) == 1 + 2
    first, second = (table.query("score == @score")["penalty"].tolist() for score in ("taylor-abs", "mrs-abs"))
    assert first == second
    assert len(first) == 2 * 3 * 2


def test_means_measured_anew_hold_the_next_layers_mean_whatever_went_before(digits: Images) -> None:
    module = build("mlp-12-10", inputs=digits.shape, classes=10, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        module.get_parameter("fc1.bias").uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(1))
    split = subsets(digits, **SIZES).scoring
    measured = measure_units(module, split.x, split.y, generator=torch.Generator())
    gone = {"fc2": torch.arange(10) < 4, "fc1": torch.arange(12) < 5}
    first, anew, before = (copy.deepcopy(module) for _ in range(3))
    unit_removal.take_out(first, {"fc1": gone["fc1"]}, measured, replacement="mean")
    masks = unit_removal.take_out(anew, gone, measured, replacement="mean", again=split)
    others = unit_removal.take_out(before, gone, measured, replacement="mean")

    means = [model(split.x).mean(0) for model in (first, anew, before)]
    torch.testing.assert_close(means[1], means[0], rtol=1e-4, atol=1e-5)
    assert (means[2] - means[0]).abs().max() > 1e-3
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        name: mask.tolist() for name, mask in others.items()
    }


def test_only_mean_replacement_of_all_layers_depends_on_the_order_of_measuring(
    tuned: DataFrame, nets: list[Net], digits: Images
) -> None:
    own = tuned.query("seed == 0 and step == 120").reset_index(drop=True)
    sequential = tune(nets[1:2], digits, sequential=True)
    moved = (own["layer"] == "all") & (own["replacement"] == "mean")
    random = moved & (own["score"] == "random")  # other scores may choose silent units, with means of 0 either way

    assert_frame_equal(sequential[~moved], own[~moved], check_exact=True)
    assert (sequential.loc[random, "penalty"] != own.loc[random, "penalty"]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": ["size"]}, r"scores are some of .*; got \['size'\]"),
        ({"scores": ["exact"]}, "scores are some of"),
        ({"layers": []}, r"in layers named once; got 1 nets, \[\]"),
        ({"layers": ["all", "all"]}, "in layers named once"),
        ({"layers": ["conv3"]}, "conv1, conv2, fc1, all; got 'conv3'"),
        ({"layers": ["fc2"]}, "got 'fc2'"),  # its outputs are the net's own
        ({"fraction": 0.0}, r"in \(0, 1\); got 0.0"),
        ({"fraction": 10}, r"in \(0, 1\); got 10"),
        ({"tuning_steps": []}, r"tuning_steps are distinct and each at least 1; got \[\]"),
        ({"tuning_steps": [0, 10]}, r"got \[0, 10\]"),
        ({"tuning_steps": [10, 10]}, r"got \[10, 10\]"),
        ({"examples": 0}, "at least 1 each"),
        ({"recipe": recipe_of(1e30)}, "diverged: the loss is (nan|inf) on train examples; lower learning_rate"),
    ],
)
def test_what_cannot_be_tuned_is_refused_in_one_line(
    changes: dict[str, Any], message: str, nets: list[Net], digits: Images
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        tune(nets[:1], digits, **changes)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("changes", [{"step": None}, {"pruning": "masked-global-5"}])
def test_tuning_starts_from_unpruned_nets_with_a_step(changes: dict[str, Any], nets: list[Net], digits: Images) -> None:
    with pytest.raises(ValueError, match="starts from unpruned nets that say how long they were trained"):
        tune([replace(nets[0], **changes)], digits)


# How rounds add up


@pytest.mark.parametrize(
    ("fraction", "rounds", "left"),
    [
        (0.01, 0, {"conv1": 10, "fc1": 80}),
        (0.01, 1, {"conv1": 10, "fc1": 79}),  # of 0.1 and 0.8 units
        (0.01, 6, {"conv1": 9, "fc1": 75}),  # of 0.6 and 4.8
        (0.01, 29, {"conv1": 7, "fc1": 57}),
        (0.01, 99, {"conv1": 1, "fc1": 1}),  # 9.9 would be all ten
        (0.5, 1, {"conv1": 5, "fc1": 40}),
    ],
)
def test_what_is_removed_adds_up_over_rounds_before_it_is_rounded(
    fraction: float, rounds: int, left: dict[str, int]
) -> None:
    plan = Rounds(fraction=fraction, measured=(fraction,), tuning_steps=1)

    assert plan.left({"conv1": 10, "fc1": 80}, rounds) == left


@given(units=st.integers(1, 300), percent=st.integers(1, 99))
def test_no_round_brings_a_unit_back_or_takes_the_last(units: int, percent: int) -> None:
    plan = Rounds(fraction=percent / 100, measured=(0.0,), tuning_steps=1)
    left = [plan.left({"fc1": units}, rounds)["fc1"] for rounds in range(100 // percent + 1)]

    assert left[0] == units
    assert left == sorted(left, reverse=True)
    assert left[-1] >= 1


@given(rounds=st.sets(st.integers(0, 19), min_size=1))
def test_shares_are_said_in_whole_percent_where_rounds_are(rounds: set[int]) -> None:
    plan = Rounds(fraction=0.05, measured=tuple(5 * done / 100 for done in rounds), tuning_steps=1)

    assert plan.places == sorted(rounds)
    assert [plan.percent(done) for done in plan.places] == [5 * done for done in sorted(rounds)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fraction": 0.0}, "that a round removes"),
        ({"fraction": 5}, "that a round removes"),
        ({"measured": ()}, "each once; got"),
        ({"measured": (0.25, 0.25)}, "each once; got"),
        ({"measured": (0.3,)}, r"whole number of rounds of 0.25, in \[0, 1\); got 0.3"),
        ({"measured": (25.0,)}, "got 25.0"),
        ({"measured": (1.0,)}, "got 1.0"),
        ({"measured": (float("nan"),)}, "got nan"),
        ({"tuning_steps": 0}, "tuning_steps is at least 1"),
    ],
)
def test_rounds_that_do_not_add_up_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ROUNDS, **changes)


# Pruning in rounds


def test_every_method_is_measured_at_every_share_under_every_schedule(pruned: DataFrame, tmp_path: Path) -> None:
    Iterative.save(pruned, folder=tmp_path)

    assert len(pruned) == (2 * 2 + 1) * len(SCHEDULES) * 3 * 2  # methods and the control; shares; parts
    assert set(pruned["removed_percent"]) == {0, 25, 50}
    assert set(pruned.query("score == 'nothing'")["replacement"]) == {"none"}
    assert pruned["accuracy_percent"].between(0, 100).all()


def test_rounds_of_a_shrunk_net_are_those_of_a_net_with_masks(
    pruned: DataFrame, nets: list[Net], digits: Images
) -> None:
    net, fixed = nets[1], subsets(digits, **SIZES)
    module = common_nets.copied(net, digits.train)
    found, masks = sites(module), dict[str, torch.Tensor]()
    removed = {name: torch.zeros(site.units, dtype=torch.bool) for name, site in found.items()}
    for done in (1, 2):
        measured = measure_units(module, fixed.scoring.x, fixed.scoring.y, generator=torch.Generator())
        for name, flags in removed.items():
            scores = measured[name].scores["mrs-abs"].masked_fill(flags, torch.inf)
            more = round(0.25 * done * len(flags)) - int(flags.sum())
            flags |= lowest(scores, more / len(flags))
        shifts = {name: shift(module, found[name], flags, measured[name]) for name, flags in removed.items()}
        masks = remove(module, removed, shifts=shifts)
        trained_on(module, digits, common_nets.draws(net, f"tuning {done}"), steps=5, masks=masks)
        rows = pruned.query(
            "schedule == 'iterative' and score == 'mrs-abs' and replacement == 'mean' and removed_percent == 25 * @done"
        ).set_index("part")
        for part, split in fixed.parts.items():
            assert rows.loc[part, "loss"] == pytest.approx(evaluate(module, split).loss, rel=1e-4)
            assert rows.loc[part, "accuracy_percent"] == pytest.approx(100 * evaluate(module, split).accuracy)
    assert {name: int(flags.sum()) for name, flags in removed.items()} == {"conv1": 3, "conv2": 4, "fc1": 5}


def test_one_shot_is_the_removal_alone_of_the_unpruned_nets_lowest_scores(
    pruned: DataFrame, nets: list[Net], digits: Images
) -> None:
    net, fixed = nets[1], subsets(digits, **SIZES)
    generator = torch.Generator().manual_seed(net.seed * 1_000_003 + STEPS[1])
    measured = measure_units(net.module, fixed.scoring.x, fixed.scoring.y, generator=generator)
    rows = pruned.query("schedule == 'one shot' and score != 'nothing'")
    assert len(rows) == 2 * 2 * 3 * 2
    for row in each(rows):
        module, found = copy.deepcopy(net.module), sites(net.module)
        gone = {name: lowest(site.scores[row.score], row.removed_percent / 100) for name, site in measured.items()}
        shifts = {name: shift(module, found[name], flags, measured[name]) for name, flags in gone.items()}
        if row.removed_percent:
            remove(module, gone, shifts=shifts if row.replacement == "mean" else None)
        assert row.loss == pytest.approx(evaluate(module, fixed.parts[row.part]).loss, rel=1e-5)


def test_the_first_round_is_one_shot_with_the_tuning_of_one_round(pruned: DataFrame) -> None:
    at = pruned.query("removed_percent == 25 and score != 'nothing'").drop(columns="removed_percent")
    first, tuned = (
        at[at["schedule"] == schedule].drop(columns="schedule").reset_index(drop=True)
        for schedule in ("iterative", "one shot, tuned")
    )

    assert len(first) == 2 * 2 * 2
    assert_frame_equal(first, tuned, check_exact=True)


def test_before_the_first_round_all_methods_are_the_unpruned_net(
    pruned: DataFrame, nets: list[Net], digits: Images
) -> None:
    losses = {part: evaluate(nets[1].module, split).loss for part, split in subsets(digits, **SIZES).parts.items()}
    rows = pruned.query("removed_percent == 0 and schedule != 'one shot, tuned'")

    assert rows["loss"].to_numpy() == pytest.approx(rows["part"].map(losses).to_numpy(), rel=1e-6)
    tuned = pruned.query("removed_percent == 0 and schedule == 'one shot, tuned'")
    assert len(tuned[["part", "loss"]].drop_duplicates()) == 2


def test_the_control_is_tuned_as_often_and_loses_no_unit(pruned: DataFrame, nets: list[Net], digits: Images) -> None:
    net, parts = nets[1], subsets(digits, **SIZES).parts
    rows = pruned.query("score == 'nothing'").set_index(["schedule", "removed_percent", "part"])["loss"]
    module = common_nets.copied(net, digits.train)
    for done in (1, 2):
        trained_on(module, digits, common_nets.draws(net, f"tuning {done}"), steps=5)
        for part, split in parts.items():
            loss = evaluate(module, split).loss
            assert rows["iterative", 25 * done, part] == pytest.approx(loss, rel=1e-5)
            assert rows["one shot", 25 * done, part] == rows["iterative", 0, part]
            if done == 1:
                assert rows["one shot, tuned", 50, part] == pytest.approx(loss, rel=1e-5)


def test_a_method_is_the_same_again_and_whatever_else_is_measured(
    pruned: DataFrame, nets: list[Net], digits: Images
) -> None:
    alone = in_rounds(nets[1:2], digits, scores=["random"], replacements=["mean"])
    among = pruned.query("score == 'random' and replacement == 'mean'").reset_index(drop=True)

    assert_frame_equal(alone, among, check_exact=True)


def test_rounds_in_which_no_unit_is_due_measure_no_scores(
    nets: list[Net], digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(*arguments: Any, **settings: Any) -> Any:
        calls.append(1)
        return measure_units(*arguments, **settings)

    monkeypatch.setattr(tuning, "measure_units", counted)
    rounds = Rounds(fraction=0.01, measured=(0.12,), tuning_steps=1)
    in_rounds(nets[:1], digits, scores=["norm"], replacements=["mean"], rounds=rounds)

    # Of 10, 8 and 6 units: round(0.06 * 10), round(0.07 * 8) and round(0.09 * 6) are the first to be 1.
    assert len(calls) == 1 + 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": []}, "scores are some of"),
        ({"scores": ["size"]}, r"nothing, each once; got \['size'\]"),
        ({"replacements": []}, r"replacements are some of none, mean, each once; got \[\]"),
        ({"replacements": ["zero"]}, r"got \['zero'\]"),
        ({"replacements": ["mean", "mean"]}, r"got \['mean', 'mean'\]"),
        ({"examples": 10**6}, "together at most the 1198"),
        ({"recipe": recipe_of(1e30)}, "diverged: the loss is (nan|inf) on train examples; lower learning_rate"),
    ],
)
def test_what_cannot_be_pruned_in_rounds_is_refused_in_one_line(
    changes: dict[str, Any], message: str, nets: list[Net], digits: Images
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        in_rounds(nets[:1], digits, **changes)

    assert "\n" not in str(refused.value)


def test_rounds_start_from_one_unpruned_net_a_seed(nets: list[Net], digits: Images) -> None:
    for some in ([], nets[:2], [replace(nets[0], pruning="masked-global-5")]):
        with pytest.raises(ValueError, match="rounds start from unpruned nets, one a model and seed; got"):
            in_rounds(some, digits)


# What the rules read


def test_the_rules_decide_on_these_tables(tuned: DataFrame, pruned: DataFrame) -> None:
    verdicts = rules.verdicts({"fine-tuned": tuned, "iterative": pruned}, where={"fine-tuned": "a", "iterative": "b"})

    assert [verdict.id for verdict in verdicts] == ["survives-fine-tuning", "iterative"]
    assert all(case.effect is not None for verdict in verdicts for case in verdict.cases)
