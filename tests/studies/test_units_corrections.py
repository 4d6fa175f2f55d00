"""What corrections leave of a penalty and what they cost, against direct measurements and counts by hand."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from pandas import DataFrame
from scipy import stats
from torch import nn

from prunelab.data import Images, Split
from prunelab.figures import Saved
from prunelab.measure import evaluate
from prunelab.measure.flops import counted
from prunelab.models import build
from prunelab.pruning.reconstruction import gather
from prunelab.pruning.unit_removal import lowest, remove, shift
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import sites
from prunelab.studies.common.nets import Net, draws, save_nets
from prunelab.studies.common.units import last_nets, load, recipe_of, subsets
from prunelab.studies.units import corrections as units_corrections
from prunelab.studies.units import unit_figures
from prunelab.studies.units.corrections import (
    FITTED,
    MEAN_CORRECTIONS,
    STATISTICS,
    ZEROED,
    Agreement,
    Correction,
    Operations,
    Step,
    StepLoss,
    solving,
)
from prunelab.train import training

PLAIN, NORMED, FLAT = "conv-6k3p-8k3-12", "conv-6k3p-8k3-12-same-bn", "mlp-8-6-relu"
RECIPE = recipe_of(0.001)
FIXED: dict[str, Any] = {"scoring": 120, "examples": 100}
COMMON: dict[str, Any] = {**FIXED}
SCORES = ("random", "mrs-abs")
STEPS: dict[str, Any] = {
    "model": "mlp-6-4-relu",
    "seed": 2,
    "iterations": 100,
    "recipe": recipe_of(0.01),
    "layer": "fc1",
    "score": "mrs-abs",
    "fraction": 0.3,
}
MEANS = tuple(MEAN_CORRECTIONS)


@pytest.fixture(scope="module")
def digits() -> Images:
    return load("digits")


@pytest.fixture(scope="module")
def nets(digits: Images) -> list[Net]:
    made: dict[str, Any] = {"iterations": 60, "recipe": recipe_of(0.02)}
    return last_nets((), digits, models=[PLAIN, NORMED], seeds=[0, 1], **made)


@pytest.fixture(scope="module")
def table(digits: Images, nets: list[Net]) -> DataFrame:
    chosen: dict[str, Any] = {"scores": SCORES, "layers": [], "fraction": 0.3, "tuning_steps": [5, 2]}
    return units_corrections.correct(nets, digits, recipe=RECIPE, **chosen, **COMMON)


def seen(net: Net, digits: Images) -> tuple[nn.Sequential, dict[str, Measured], dict[str, Split]]:
    """A net of the table, its units as scored, and the parts its losses are measured on."""
    fixed = subsets(digits, **FIXED)
    return net.module, measure_units(net.module, fixed.scoring.x, fixed.scoring.y, generator=draws(net)), fixed.parts


def in_folder(folder: Path, draw: Callable[[], Saved]) -> Saved:
    """Draw with this as the current folder, as a notebook does."""
    folder.mkdir(exist_ok=True)
    with contextlib.chdir(folder):
        return draw()


def dead(net: Net) -> Net:
    """A copy whose linear units are never lit."""
    same = copy.deepcopy(net)
    with torch.no_grad():
        same.module.get_parameter("fc1.bias").fill_(-100.0)
    return same


def row(table: DataFrame, net: Net, **wanted: str) -> dict[str, float]:
    rows = table[(table["model"] == net.model) & (table["seed"] == net.seed)]
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    assert len(rows) == 1
    return {str(name): value for name, value in rows.iloc[0].items()}


def test_every_removal_is_corrected_in_every_way_and_the_table_can_be_stored(table: DataFrame, tmp_path: Path) -> None:
    Correction.save(table, folder=tmp_path)
    plain = (ZEROED, *MEANS, FITTED, "2 steps", "5 steps")
    normed = (*plain[:-2], STATISTICS, *plain[-2:])

    for spec, corrections in ((PLAIN, plain), (NORMED, normed)):
        rows = table[table["model"] == spec]
        assert tuple(dict.fromkeys(rows["correction"])) == corrections
        assert len(rows) == 2 * 3 * 2 * len(corrections) * 2  # seeds, layers, scores, parts
    assert set(table["layer"]) == {"conv1", "conv2", "fc1"}
    assert set(table["removed"]) == {2, 4}  # of 6, 8 and 12: 1.8, 2.4 and 3.6


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("layer", ["conv1", "fc1"])
@pytest.mark.parametrize("correction", [ZEROED, "mean after pooling", "mean before pooling, interior"])
def test_penalties_are_those_of_the_net_itself_with_its_units_removed(
    digits: Images, nets: list[Net], table: DataFrame, correction: str, layer: str, part: str
) -> None:
    for net in (nets[1], nets[2]):
        model, measured, parts = seen(net, digits)
        gone = lowest(measured[layer].scores["mrs-abs"], 0.3)
        shifts = {}
        if correction != ZEROED:
            mean, bias = MEAN_CORRECTIONS[correction]
            shifts = {layer: shift(model, sites(model)[layer], gone, measured[layer], mean=mean, bias=bias)}
        pruned = copy.deepcopy(model)
        remove(pruned, {layer: gone}, shifts=shifts)
        before, after = (evaluate(module, parts[part]).loss for module in (model, pruned))
        found = row(table, net, layer=layer, score="mrs-abs", correction=correction, part=part)

        assert found["loss"] == pytest.approx(before, abs=1e-5)
        assert found["penalty"] == pytest.approx(after - before, abs=1e-5)
        assert found["control"] == 0


def test_training_on_is_measured_against_the_same_training_with_nothing_removed(
    digits: Images, nets: list[Net], table: DataFrame
) -> None:
    net = nets[0]
    model, measured, parts = seen(net, digits)
    gone = {"conv2": lowest(measured["conv2"].scores["random"], 0.3)}
    found = row(table, net, layer="conv2", score="random", correction="5 steps", part="test")
    for column, removed in (("penalty", gone), ("control", {})):
        tuned = copy.deepcopy(model)
        masks = remove(tuned, removed)
        list(training(tuned, digits.train, RECIPE, generator=draws(net, "tuning"), masks=masks, steps=5))
        rise = evaluate(tuned, parts["test"]).loss - evaluate(model, parts["test"]).loss

        assert found[column] == pytest.approx(rise, abs=1e-5)


def test_new_statistics_are_those_of_the_examples_scored_on_with_the_units_gone(
    digits: Images, nets: list[Net], table: DataFrame
) -> None:
    net = next(net for net in nets if net.model == NORMED)
    model, measured, parts = seen(net, digits)
    pruned = copy.deepcopy(model)
    remove(pruned, {"conv1": lowest(measured["conv1"].scores["random"], 0.3)})
    x = subsets(digits, **FIXED).scoring.x
    with torch.no_grad():  # by hand, one normalisation after the other
        reached = x
        for module in pruned:
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.copy_(reached.mean((0, 2, 3)))
                module.running_var.copy_(reached.var((0, 2, 3)))
                reached = nn.functional.batch_norm(reached, None, None, module.weight, module.bias, training=True)
            else:
                reached = module(reached)
    rise = evaluate(pruned, parts["test"]).loss - evaluate(model, parts["test"]).loss
    found = row(table, net, layer="conv1", score="random", correction=STATISTICS, part="test")

    assert found["penalty"] == pytest.approx(rise, abs=1e-5)
    assert found["control"] != 0


def test_statistics_taken_anew_leave_modes_and_momenta_as_they_were(nets: list[Net], digits: Images) -> None:
    module = copy.deepcopy(nets[-1].module).train()
    module.get_submodule("bn2").eval()
    units_corrections.reestimate(module, digits.train.x[:50])

    assert module.training
    assert not module.get_submodule("bn2").training
    assert [part.momentum for part in module if isinstance(part, nn.BatchNorm2d)] == [0.1, 0.1]


def test_what_is_left_shrinks_from_constants_to_maps_to_the_fit(table: DataFrame) -> None:
    wide = table[table["part"] == "test"].pivot_table(
        "left_percent", index=["model", "seed", "layer", "score"], columns="correction"
    )
    slack = 1e-6

    assert (wide[ZEROED] == 100).all()
    best = wide["mean per position"] + slack
    assert all((wide[name] >= wide["mean per position"] - slack).all() for name in MEANS if not name.endswith("map"))
    assert (wide["mean per position, map"] <= best).all()
    assert (wide[FITTED] <= best).all()
    assert table.loc[table["correction"].isin([STATISTICS, "2 steps"]), "left_percent"].isna().all()


def test_what_is_left_is_the_distance_measured_at_the_next_layer(
    digits: Images, nets: list[Net], table: DataFrame
) -> None:
    net = nets[2]
    model, measured, _ = seen(net, digits)
    site, gone = sites(model)["conv1"], lowest(measured["conv1"].scores["random"], 0.3)
    inputs, consumer = subsets(digits, **FIXED).scoring.x, model.get_submodule("conv2")
    with torch.no_grad():
        for module in list(model)[: list(model).index(consumer)]:
            inputs = module(inputs)
        flags = gone[None, :, None, None]
        lost = consumer(inputs) - consumer(inputs.masked_fill(flags, 0))
        for correction, (mean, bias) in MEAN_CORRECTIONS.items():
            added = shift(model, site, gone, measured["conv1"], mean=mean, bias=bias)
            left = lost - (added if added.ndim == 3 else added[:, None, None])
            found = row(table, net, layer="conv1", score="random", correction=correction, part="train")

            assert found["left_percent"] == pytest.approx(
                float(100 * left.square().sum() / lost.square().sum()), rel=1e-4
            )


def test_operations_are_those_counted_by_hand(digits: Images) -> None:
    module = build(FLAT, inputs=64, classes=10, generator=torch.Generator().manual_seed(0))
    net = Net(data=digits.name, data_id=digits.content_id, model=FLAT, seed=0, module=module)
    chosen: dict[str, Any] = {"scores": ["norm"], "layers": ["fc2"], "fraction": 0.5, "tuning_steps": [3]}
    table = units_corrections.correct([net], digits, recipe=RECIPE, **chosen, **COMMON)
    found = dict(zip(table["correction"], table["operations"], strict=True))
    # Forward, then gradients of weights, and of inputs but for the first layer's; batches of 64.
    step = 2 * 64 * (2 * (64 * 8 + 8 * 6 + 6 * 10) + (8 * 6 + 6 * 10))
    looked = 2 * 120 * (64 * 8 + 8 * 6)  # 120 examples, as far as the second layer

    assert found[ZEROED] == 0
    assert found["3 steps"] == 3
    # The products with a vector that give the shifts are not counted.
    assert found["mean before pooling"] == pytest.approx(looked / step)
    carried = 2 * 10 * 3 * 3  # W_R C_RK: 3 of 6 units, 10 outputs
    solved = 3**3 / 3 + 2 * 3**2 * 10
    assert found[FITTED] == pytest.approx((looked + 2 * 120 * 6 * 6 + carried + solved) / step)


def test_operations_of_passes_and_moments_grow_with_the_examples_looked_at() -> None:
    module = build(PLAIN, inputs=(1, 8, 8), classes=10, generator=torch.Generator().manual_seed(0))
    operations = Operations(module, torch.empty(50, 1, 8, 8), batch_size=64)
    conv1, conv2 = 2 * 6 * 9 * 36, 2 * 8 * 6 * 9 * 1  # 6x6 outputs, pooled to 3x3; 1x1

    assert operations.upto("act1") == 50 * conv1
    assert operations.upto("conv2") == 50 * (conv1 + conv2)
    assert operations.moments("conv1") == 50 * conv1 + 2 * 50 * 54 * 54
    assert solving(3, 2) == 9 + 36
    assert counted(lambda: torch.ones(2, 3) @ torch.ones(3, 5))[1] == 60


def test_scores_that_choose_the_same_units_share_what_was_measured(
    digits: Images, nets: list[Net], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []

    def counting(*given: Any, **settings: Any) -> Iterator[torch.Tensor]:
        trained.append(settings["masks"])
        return training(*given, **settings)

    monkeypatch.setattr(units_corrections, "training", counting)
    chosen: dict[str, Any] = {"scores": ["taylor", "mrs", "activation"], "layers": ["fc1"], "fraction": 0.3}
    table = units_corrections.correct(
        [dead(nets[0])], digits, recipe=RECIPE, tuning_steps=[1], **chosen, **COMMON
    )  # all units tie

    assert [len(masks) for masks in trained] == [0, 3]  # the control, and one for all three scores
    assert list(dict.fromkeys(table["score"])) == chosen["scores"]
    wide = table.pivot_table("penalty", index=["correction", "part"], columns="score")
    assert (wide.max(axis=1) == wide.min(axis=1)).all()


def test_the_last_checkpoint_of_every_net_is_taken(digits: Images, nets: list[Net], tmp_path: Path) -> None:
    made = [replace(net, step=step) for net in nets[:2] for step in (60, 7, 1000)]
    save_nets(made, tmp_path / "one" / "nets")
    save_nets([replace(nets[2], step=None)], tmp_path / "two" / "nets")
    runs = [str(tmp_path / name) for name in ("one", "two")]
    settings: dict[str, Any] = {"iterations": 0, "recipe": RECIPE}
    taken = last_nets(runs, digits, models=[], seeds=[], **settings)

    assert [(net.model, net.seed, net.step) for net in taken] == [(PLAIN, 0, 1000), (PLAIN, 1, 1000), (NORMED, 0, None)]
    assert len(last_nets(runs, digits, models=[PLAIN], seeds=[1], **settings)) == 1
    for odd, asked in (
        ("model 'vgg-11'", {"models": ["vgg-11"], "seeds": []}),
        ("seed 9", {"models": [], "seeds": [9]}),
    ):
        with pytest.raises(ValueError, match=f"got no {odd}: train it"):
            last_nets(runs, digits, **asked, **settings)
    with pytest.raises(ValueError, match="got none of"):
        last_nets(runs, digits, models=[NORMED], seeds=[1], **settings)


def test_agreement_is_scipys_with_the_loss_change_of_each_unit_alone(digits: Images, nets: list[Net]) -> None:
    chosen: dict[str, Any] = {"scores": ["norm", "taylor"], "layers": ["conv1"], "scoring": 120, "examples": 50}
    table = units_corrections.agree(nets[:1], digits, **chosen)
    model, measured, _ = seen(nets[0], digits)
    split = subsets(digits, scoring=120, examples=50).parts["train"]
    changes: dict[str, list[float]] = {"none": [], "mean": []}
    for unit in range(6):
        gone = torch.arange(6) == unit
        added = {"none": {}, "mean": {"conv1": shift(model, sites(model)["conv1"], gone, measured["conv1"])}}
        for replacement, shifts in added.items():
            pruned = copy.deepcopy(model)
            remove(pruned, {"conv1": gone}, shifts=shifts)
            changes[replacement].append(evaluate(pruned, split).loss)

    assert len(table) == 4
    for score, replacement, tau in zip(table["score"], table["replacement"], table["tau"], strict=True):
        expected = stats.kendalltau(measured["conv1"].scores[score].numpy(), changes[replacement]).statistic
        assert tau == pytest.approx(expected)


def test_a_layer_whose_units_are_all_dead_has_nothing_left_to_correct(
    digits: Images, nets: list[Net], tmp_path: Path
) -> None:
    without = dead(nets[0])
    chosen: dict[str, Any] = {"scores": ["random", "mrs"], "layers": ["fc1"]}
    table = units_corrections.correct(
        [without], digits, fraction=0.3, recipe=RECIPE, tuning_steps=[], **chosen, **COMMON
    )
    agreement = units_corrections.agree([without], digits, **chosen, **COMMON)
    Correction.save(table, folder=tmp_path)
    Agreement.save(agreement, folder=tmp_path)

    assert table["left_percent"].isna().all()
    assert table["penalty"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert agreement["tau"].isna().all()


def test_bad_settings_are_refused_in_one_line(digits: Images, nets: list[Net]) -> None:
    good: dict[str, Any] = {
        "scores": ["norm"],
        "layers": [],
        "fraction": 0.3,
        "tuning_steps": [1],
        "recipe": RECIPE,
        **COMMON,
    }
    pruned = replace(nets[0], pruning="masked-global-99%")
    for message, given, changed in (
        ("scores are some of", nets, {"scores": ["magnitude"]}),
        (r"a fraction in \(0, 1\) of each layer; got 1", nets, {"fraction": 1.0}),
        ("one net or more", [], {}),
        ("tuning_steps are distinct", nets, {"tuning_steps": [0]}),
        ("layers of conv-6k3p-8k3-12 whose units can be removed are conv1, conv2, fc1", nets, {"layers": ["fc2"]}),
        ("corrections start from unpruned nets", [pruned], {}),
        ("lower learning_rate", nets, {"recipe": recipe_of(1e9), "tuning_steps": [3]}),
    ):
        with pytest.raises(ValueError, match=message) as refused:
            units_corrections.correct(given, digits, **{**good, **changed})
        assert "\n" not in str(refused.value)


def test_moments_are_gathered_where_the_means_are(digits: Images, nets: list[Net]) -> None:
    model, measured, _ = seen(nets[0], digits)
    moments = gather(model, subsets(digits, **FIXED).scoring.x)["fc1"]

    assert moments.mean.numpy() == pytest.approx(measured["fc1"].inputs.flatten().numpy(), abs=1e-6)


@pytest.fixture(scope="module")
def three(digits: Images) -> tuple[DataFrame, DataFrame]:
    return units_corrections.three_steps(digits, **STEPS, **FIXED)


def test_each_step_is_made_of_the_one_before(three: tuple[DataFrame, DataFrame], tmp_path: Path) -> None:
    steps, losses = three
    Step.save(steps, folder=tmp_path)
    StepLoss.save(losses, folder=tmp_path)
    units, gone = steps.drop_duplicates("unit"), steps[steps["removed"]]
    biases = steps.drop_duplicates("next_unit").set_index("next_unit")

    assert len(steps) == 6 * 4
    assert set(units.nsmallest(2, "score_value")["unit"]) == set(gone["unit"])
    assert gone["product"].to_numpy() == pytest.approx((gone["mean_activation"] * gone["weight"]).to_numpy(), abs=1e-6)
    assert biases["shift"].to_numpy() == pytest.approx(gone.groupby("next_unit")["product"].sum().to_numpy(), abs=1e-5)
    assert biases["bias_after"].to_numpy() == pytest.approx((biases["bias"] + biases["shift"]).to_numpy(), abs=1e-5)


def test_the_losses_beside_the_steps_are_those_of_the_net_without_and_with_replacement(
    digits: Images, three: tuple[DataFrame, DataFrame]
) -> None:
    steps, losses = three
    own = {"models": [STEPS["model"]], "seeds": [STEPS["seed"]], "iterations": STEPS["iterations"]}
    [net] = last_nets((), digits, recipe=STEPS["recipe"], **own)
    flags = torch.tensor(steps.drop_duplicates("unit")["removed"].to_numpy())
    shifts = torch.tensor(steps.drop_duplicates("next_unit")["shift"].to_numpy()).float()
    test = subsets(digits, **FIXED).parts["test"]
    expected = {"unpruned": evaluate(net.module, test).loss}
    for state, added in (("zeroed", {}), ("replaced", {"fc1": shifts})):
        pruned = copy.deepcopy(net.module)
        remove(pruned, {"fc1": flags}, shifts=added)
        expected[state] = evaluate(pruned, test).loss

    found = losses[losses["part"] == "test"].set_index("state")["loss"]
    assert found.to_dict() == pytest.approx(expected, abs=1e-5)


def test_the_three_steps_are_drawn_with_their_numbers(three: tuple[DataFrame, DataFrame], tmp_path: Path) -> None:
    steps, losses = three
    saved = in_folder(tmp_path, lambda: unit_figures.steps_figure(steps, losses))
    again = in_folder(tmp_path / "again", lambda: unit_figures.steps_figure(steps, losses))
    replaced = losses[(losses["state"] == "replaced") & (losses["part"] == "test")]["loss"].iloc[0]

    assert saved.path.name == "three-steps.svg"
    assert (tmp_path / saved.path).read_bytes() == (tmp_path / "again" / again.path).read_bytes()
    assert "2 of 6" in saved.alt
    assert f"replaced by their mean {replaced:.2f}" in saved.alt
    for value in steps[steps["removed"]]["weight"]:
        assert f"{value:.2f}" in saved.alt


def test_what_cannot_be_drawn_or_shown_is_refused_in_one_line(
    digits: Images, three: tuple[DataFrame, DataFrame]
) -> None:
    steps, losses = three
    crowd = pd.concat([steps, steps.assign(unit=steps["unit"] + 6)])
    calls: dict[str, Callable[[], object]] = {
        "up to 8 units in a layer": lambda: unit_figures.steps_figure(crowd, losses),
        "got 6 and 4, 6 removed": lambda: unit_figures.steps_figure(steps.assign(removed=True), losses),
        "losses are of train, test; got part 'all'": lambda: unit_figures.steps_figure(steps, losses, "all"),
        "has fc1, fc2 to remove units from; got 'fc3'": lambda: units_corrections.three_steps(
            digits, **{**STEPS, "layer": "fc3", **FIXED}
        ),
        "to remove units from; got 'conv2'": lambda: units_corrections.three_steps(
            digits, **{**STEPS, "model": "conv-4k3p-4k2-6", "layer": "conv2", **FIXED}
        ),
    }
    for message, call in calls.items():
        with pytest.raises(ValueError, match=message) as refused:
            call()
        assert "\n" not in str(refused.value)
