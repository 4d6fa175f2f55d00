"""Penalties along training: complete, measured on the side, and the nets stored as they were."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from prunelab.data import Images
from prunelab.measure.penalty import Probe
from prunelab.models import build
from prunelab.parts import Found
from prunelab.pruning.unit_removal import lowest, shift
from prunelab.pruning.unit_scores import SCORES, measure_units
from prunelab.pruning.units import sites
from prunelab.studies.common import nets, units
from prunelab.studies.units import trajectory
from prunelab.studies.units.trajectory import Choice, Penalty, Plan, Square
from prunelab.train import training

MODEL = "conv-6k3p-8k3-12"
RECIPE = units.recipe_of(0.02)
PLAN = Plan(
    iterations=12,
    every=4,
    all_every=8,
    choose_every=2,
    fraction=0.2,
    scores=SCORES,
    squares_layer="conv2",
    store=(4,),
)


@pytest.fixture(scope="module")
def images() -> Images:
    return units.load("digits")


@pytest.fixture(scope="module")
def found(images: Images) -> Found:
    return trajectory.trajectories(
        images, model=MODEL, seeds=[3, 4], recipe=RECIPE, plan=PLAN, scoring=100, examples=80
    )


def test_every_channel_is_standardised_over_the_training_part(images: Images) -> None:
    assert images.train.x.mean() == pytest.approx(0, abs=1e-5)
    assert images.train.x.std(correction=0) == pytest.approx(1, abs=1e-5)


def test_examples_scored_on_are_not_those_measured_on(images: Images) -> None:
    fixed = units.subsets(images, scoring=200, examples=100)

    scored = {tuple(row.tolist()) for row in fixed.scoring.x.flatten(1)}
    measured = {tuple(row.tolist()) for row in fixed.parts["train"].x.flatten(1)}
    assert len(scored) == 200  # no two digits of the set are alike here
    assert not scored & measured


def test_subsets_hold_every_class_of_a_source_sorted_by_class(images: Images) -> None:
    fixed = units.subsets(images, scoring=200, examples=200)

    assert all(len(part.y.unique()) == 10 for part in (fixed.scoring, *fixed.parts.values(), fixed.validation))


def test_every_removal_is_measured_at_every_checkpoint(found: Found) -> None:
    rows = found[Penalty]
    single = rows[rows["layer"] != "all"]

    assert len(single) == 2 * 3 * 3 * len(SCORES) * 2 * 2  # seeds, checkpoints, layers, scores, replacements, parts
    assert sorted(rows[rows["layer"] == "all"]["step"].unique()) == [8]
    assert set(zip(single["layer"], single["units"], single["removed"], strict=True)) == {
        ("conv1", 6, 1),
        ("conv2", 8, 2),
        ("fc1", 12, 2),
    }


def test_the_penalties_are_those_of_the_stored_net(images: Images, found: Found) -> None:
    net = next(net for net in found.nets if net.step == 4 and net.seed == 3)
    fixed = units.subsets(images, scoring=100, examples=80)
    measured = measure_units(net.module, fixed.scoring.x, fixed.scoring.y, generator=torch.Generator())
    gone = lowest(measured["conv1"].scores["norm"], 0.2)
    added = shift(net.module, sites(net.module)["conv1"], gone, measured["conv1"])

    expected = Probe(net.module, fixed.parts["test"]).penalty("conv1", gone, added)
    row = found[Penalty].query(
        "seed == 3 and step == 4 and layer == 'conv1' and score == 'norm' and replacement == 'mean' and part == 'test'"
    )
    assert row["penalty"].item() == pytest.approx(expected, abs=1e-6)


def test_measuring_leaves_the_training_as_it_is(images: Images, found: Found) -> None:
    generator = torch.Generator().manual_seed(4)
    alone = nets.lay_out(build(MODEL, inputs=images.shape, classes=10, generator=generator))
    for _ in training(alone, images.train, RECIPE, generator=generator, steps=PLAN.iterations):
        pass

    net = next(net for net in found.nets if net.step == 12 and net.seed == 4)
    for name, value in net.module.state_dict().items():
        torch.testing.assert_close(value, alone.state_dict()[name], rtol=0, atol=0)


def test_a_seed_gives_the_same_rows_whichever_other_seeds_run(images: Images, found: Found) -> None:
    alone = trajectory.trajectories(images, model=MODEL, seeds=[4], recipe=RECIPE, plan=PLAN, scoring=100, examples=80)

    pd.testing.assert_frame_equal(alone[Penalty], found[Penalty].query("seed == 4").reset_index(drop=True))
    pd.testing.assert_frame_equal(alone[Choice], found[Choice].query("seed == 4").reset_index(drop=True))


def test_units_chosen_at_least_once_only_grow_in_number_and_the_late_ones_are_among_them(found: Found) -> None:
    for _, rows in found[Choice].groupby(["seed", "layer", "score"]):
        rows = rows.sort_values("step")
        assert rows["chosen_fraction"].is_monotonic_increasing
        assert rows["late_fraction"].isna().tolist() == [3 * step <= 12 for step in rows["step"]]
        late = rows.dropna()
        assert (late["late_fraction"] <= late["chosen_fraction"]).all()
        assert rows["chosen_fraction"].iloc[0] == round(0.2 * rows["units"].iloc[0]) / rows["units"].iloc[0]


def test_the_units_kept_with_their_squares_are_the_chosen_ones(found: Found) -> None:
    counts = found[Square].groupby(["seed", "step", "score"])["unit"].nunique()

    assert (counts == 2).all()
    assert len(counts) == 2 * 3 * len(SCORES)
    assert (found[Square]["mean_square"] >= 0).all()


def test_stored_nets_say_at_which_iteration_they_were(images: Images, found: Found, tmp_path: Path) -> None:
    nets.save_nets(found.nets, tmp_path / "nets")

    opened = nets.open_nets([str(tmp_path)], images, models=[], seeds=[], epochs=1)
    assert [(net.seed, net.step) for net in opened] == [(3, 4), (3, 12), (4, 4), (4, 12)]
    for net in opened:
        same = next(other for other in found.nets if (other.seed, other.step) == (net.seed, net.step))
        for name, value in net.module.state_dict().items():
            assert torch.equal(value, same.module.state_dict()[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": 0}, "iterations is at least 1; got 0"),
        ({"every": 13}, "every is at least 1 and at most the iterations; got 13"),
        ({"all_every": 6}, "all_every is 0 or a multiple of every; got 6"),
        ({"fraction": 0.0}, "fraction is the part of a layer's units to remove, in .0, 1.; got 0.0"),
        ({"store": (13,)}, "store holds iterations of the training; got .13,."),
        ({"scores": ("norm", "size")}, "scores are some of random, norm.*; got .'size'."),
        ({"scores": ("norm", "norm")}, "each once; got .'norm', 'norm'."),
    ],
)
def test_what_is_no_plan_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(**{**vars(PLAN), **change})  # type: ignore[arg-type]


def test_a_layer_the_net_lacks_is_refused_before_training(images: Images) -> None:
    plan = Plan(**{**vars(PLAN), "squares_layer": "conv9"})

    with pytest.raises(ValueError, match="squares_layer is one of conv1, conv2, fc1; got 'conv9'"):
        trajectory.trajectories(images, model=MODEL, seeds=[0], recipe=RECIPE, plan=plan, scoring=100, examples=80)


@pytest.mark.parametrize(("scoring", "examples"), [(0, 10), (10, 0), (1000, 1000)])
def test_subsets_that_the_training_part_cannot_give_are_refused(images: Images, scoring: int, examples: int) -> None:
    with pytest.raises(ValueError, match=f"got {scoring} and {examples}"):
        units.subsets(images, scoring=scoring, examples=examples)
