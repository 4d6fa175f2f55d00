"""Removed activations: each variant computes what is written out by hand, and the tables say what its error costs."""

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from prunelab.data import Images, load_images
from prunelab.measure import evaluate
from prunelab.pruning import apply, keep_largest, magnitude, prunable
from prunelab.studies.common.nets import Net, open_nets
from prunelab.studies.lenet import activations, summary, unit_figures
from prunelab.studies.lenet.tables import REMOVED, TREATMENTS, Removal
from prunelab.tables import load
from prunelab.train import Recipe, train, train_seeds

MODEL = "lenet-24-12-relu"
PRUNING = "masked-global-300"
SETTINGS = {"retrain_epochs": 2, "retrain_rate": 0.1, "scratch_epochs": 3, "scratch_rate": 0.2}


@pytest.fixture(scope="module")
def digits() -> Images:
    return load_images("digits")


@pytest.fixture(scope="module")
def dense(digits: Images) -> list[Net]:
    return open_nets([], digits, models=[MODEL], seeds=[0, 1], epochs=6)


@pytest.fixture(scope="module")
def pruned(dense: list[Net]) -> list[Net]:
    nets = []
    for net in dense:
        module = activations.without(net.module, "none")
        apply(module, keep_largest(magnitude(prunable(module)), 1 - 300 / (64 * 24 + 24 * 12 + 12 * 10)))
        nets.append(Net(data=net.data, data_id=net.data_id, model=MODEL, seed=net.seed, module=module, pruning=PRUNING))
    return nets


@pytest.fixture(scope="module")
def measured(dense: list[Net], pruned: list[Net], digits: Images) -> pd.DataFrame:
    nets = {"strong": [*dense, *pruned], "source": dense[:1]}
    return activations.removal_table(nets, digits, treatments=TREATMENTS, **SETTINGS)


def by_hand(module: nn.Sequential, x: torch.Tensor, first: Callable, last: Callable) -> torch.Tensor:
    """The net's formula, layer by layer, with the two hidden functions given."""
    p = dict(module.named_parameters())
    hidden = first(x.flatten(1) @ p["fc1.weight"].T + p["fc1.bias"])
    hidden = last(hidden @ p["fc2.weight"].T + p["fc2.bias"])
    return hidden @ p["fc3.weight"].T + p["fc3.bias"]


def same(x: torch.Tensor) -> torch.Tensor:
    return x


def relu(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x > 0, x, 0.0)


FUNCTIONS = {"none": (relu, relu), "first": (same, relu), "last": (relu, same), "both": (same, same)}


@pytest.mark.parametrize("removed", REMOVED)
def test_a_net_without_an_activation_computes_the_formula_without_it(
    dense: list[Net], digits: Images, removed: str
) -> None:
    clone = activations.without(dense[0].module, removed)
    x = digits.test.x

    torch.testing.assert_close(clone(x), by_hand(dense[0].module, x, *FUNCTIONS[removed]))


@pytest.mark.parametrize("removed", REMOVED)
def test_the_copy_shares_no_memory_and_the_original_keeps_its_activations(dense: list[Net], removed: str) -> None:
    original = dense[0].module
    clone = activations.without(original, removed)
    theirs = {parameter.data_ptr() for parameter in original.parameters()}

    assert not theirs & {parameter.data_ptr() for parameter in clone.parameters()}
    assert [name for name, _ in clone.named_parameters()] == [name for name, _ in original.named_parameters()]
    assert isinstance(original.act1, nn.ReLU)
    assert isinstance(original.act2, nn.ReLU)


def test_of_three_activations_both_means_the_outer_two() -> None:
    module = nn.Sequential(
        OrderedDict(a=nn.Linear(2, 2), f=nn.ReLU(), b=nn.Linear(2, 2), g=nn.ReLU(), c=nn.Linear(2, 2), h=nn.ReLU())
    )

    assert [type(layer).__name__ for layer in activations.without(module, "both")][1::2] == [
        "Identity",
        "ReLU",
        "Identity",
    ]
    assert activations.spec_without("mlp-3x8-tanh", "both") == "mlp-8-8-8-none-tanh-none"


def test_specs_name_the_net_that_never_had_the_activation() -> None:
    assert activations.spec_without("lenet-300-100", "last") == "lenet-300-100-relu-none"
    assert activations.spec_without("lenet-300-100-relu", "first") == "lenet-300-100-none-relu"
    assert activations.spec_without("lenet-300-100-relu", "none") == "lenet-300-100-relu-relu"


def test_as_trained_each_row_is_the_error_of_the_formula_by_hand(
    dense: list[Net], pruned: list[Net], digits: Images, measured: pd.DataFrame
) -> None:
    rows = measured[(measured["treatment"] == "as trained") & (measured["recipe"] == "strong")]
    rows = rows.set_index(["target", "seed", "removed"])
    assert len(rows) == 2 * 2 * 4
    for net in [*dense, *pruned]:
        for removed, functions in FUNCTIONS.items():
            answers = by_hand(net.module, digits.test.x, *functions).argmax(1)
            wrong = float(100 * (answers != digits.test.y).double().mean())
            row = rows.loc[("300" if net.pruning else "dense", net.seed, removed)]

            # One of 359 images may sit on a tie that rounding decides.
            assert row["error_percent"] == pytest.approx(wrong, abs=100 / 359 + 1e-6)


def test_removing_nothing_as_trained_costs_exactly_nothing_and_is_the_baseline(
    dense: list[Net], digits: Images, measured: pd.DataFrame
) -> None:
    nothing = measured[(measured["removed"] == "none") & (measured["treatment"] == "as trained")]

    assert (nothing["drop_points"] == 0).all()
    assert (nothing["error_percent"] == nothing["baseline_error_percent"]).all()
    wanted = [100 * (1 - evaluate(net.module, digits.test).accuracy) for net in dense]
    whole = nothing[(nothing["mode"] == "dense") & (nothing["recipe"] == "strong")]
    assert whole["baseline_error_percent"].tolist() == pytest.approx(wanted, abs=1e-9)


def test_a_drop_is_the_error_above_that_of_removing_nothing_under_the_same_treatment(measured: pd.DataFrame) -> None:
    net = ["recipe", "mode", "budget", "target", "seed", "treatment"]
    nothing = measured[measured["removed"] == "none"].set_index(net)["error_percent"]
    for row in measured.to_dict("records"):
        assert row["drop_points"] == pytest.approx(row["error_percent"] - nothing[tuple(row[name] for name in net)])


def test_a_net_whose_units_are_always_on_loses_nothing_by_any_removal(digits: Images) -> None:
    draw = torch.Generator().manual_seed(0)
    net = train_seeds(MODEL, digits, Recipe(epochs=1), [0])[0]
    with torch.no_grad():
        for name in ("fc1", "fc2"):
            # Pixels are at least 0: with these weights and biases every pre-activation is above 0.
            net.get_submodule(name).weight.uniform_(0, 1, generator=draw)
            net.get_submodule(name).bias.fill_(0.5)
    always = Net(data=digits.name, data_id=digits.content_id, model=MODEL, seed=0, module=net)
    table = activations.removal_table({"strong": [always]}, digits, treatments=["as trained"], **SETTINGS)

    assert list(table["removed"]) == list(REMOVED)
    assert (table["drop_points"] == 0).all()


@pytest.mark.parametrize("removed", REMOVED)
def test_retraining_a_pruned_net_keeps_its_removed_weights_at_zero_and_moves_the_others(
    pruned: list[Net], digits: Images, removed: str
) -> None:
    before = prunable(pruned[0].module)
    after = prunable(activations.retrained(pruned[0], removed, digits.train, Recipe(epochs=1, learning_rate=0.1)))

    for name, weight in before.items():
        assert (weight == 0).any()
        assert (after[name][weight == 0] == 0).all()
    assert not all(torch.equal(after[name], weight) for name, weight in before.items())


@pytest.mark.parametrize("removed", ["none", "first"])
def test_retraining_is_plain_training_of_the_changed_net_under_its_masks(
    dense: list[Net], pruned: list[Net], digits: Images, removed: str
) -> None:
    recipe = Recipe(epochs=1, learning_rate=0.05)
    for net in (dense[1], pruned[1]):
        plain = activations.without(net.module, removed)
        masks = {name: weight != 0 for name, weight in prunable(plain).items()} if net.pruning else None
        train(plain, digits.train, recipe, generator=torch.Generator().manual_seed(net.seed), masks=masks)
        ours = activations.retrained(net, removed, digits.train, recipe)

        # Inputs and units without weights are left out of the sums: rounding may differ, nothing else.
        torch.testing.assert_close(ours(digits.test.x), plain(digits.test.x), rtol=1e-3, atol=1e-3)
        assert not ours.training


def test_from_scratch_each_net_is_the_spec_trained_from_its_seed(digits: Images, measured: pd.DataFrame) -> None:
    recipe = Recipe(epochs=SETTINGS["scratch_epochs"], learning_rate=SETTINGS["scratch_rate"])
    net = train_seeds("lenet-24-12-relu-none", digits, recipe, [1])[1]
    row = measured[
        (measured["treatment"] == "from scratch") & (measured["removed"] == "last") & (measured["seed"] == 1)
    ]

    wanted = 100 * (1 - evaluate(net, digits.test).accuracy)
    assert row["error_percent"].tolist() == pytest.approx([wanted])


def test_only_dense_nets_of_the_strong_recipe_are_trained_from_scratch(measured: pd.DataFrame) -> None:
    scratch = measured[measured["treatment"] == "from scratch"]

    assert set(zip(scratch["recipe"], scratch["mode"], scratch["seed"], strict=True)) == {
        ("strong", "dense", 0),
        ("strong", "dense", 1),
    }
    assert set(measured[measured["recipe"] == "source"]["treatment"]) == {"as trained", "retrained"}


def test_the_same_nets_give_the_same_table_and_stay_as_they_were(
    dense: list[Net], pruned: list[Net], digits: Images, measured: pd.DataFrame
) -> None:
    before = [{name: value.clone() for name, value in net.module.state_dict().items()} for net in (*dense, *pruned)]
    again = activations.removal_table(
        {"strong": [*dense, *pruned], "source": dense[:1]}, digits, treatments=TREATMENTS, **SETTINGS
    )

    pd.testing.assert_frame_equal(again, measured, check_exact=True)
    for net, state in zip((*dense, *pruned), before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in net.module.state_dict().items())


def test_nets_that_are_not_named_for_it_are_neither_retrained_nor_trained_from_scratch(
    dense: list[Net], digits: Images
) -> None:
    other = open_nets([], digits, models=["lenet-8-6-relu"], seeds=[0], epochs=1)
    table = activations.removal_table(
        {"strong": [*dense[:1], *other]},
        digits,
        treatments=TREATMENTS,
        retrained_models=["lenet-8-6-relu"],
        **SETTINGS,
    )

    assert set(table[table["model"] == MODEL]["treatment"]) == {"as trained"}
    assert set(table[table["model"] == "lenet-8-6-relu"]["treatment"]) == set(TREATMENTS)


@pytest.mark.parametrize("treatments", [[], ["as-trained"], ["retrained", "retrained"]])
def test_treatments_that_cannot_be_are_refused_in_one_line(
    dense: list[Net], digits: Images, treatments: list[str]
) -> None:
    with pytest.raises(ValueError, match="treatments are different ones of as trained, retrained") as caught:
        activations.removal_table({"strong": dense}, digits, treatments=treatments, **SETTINGS)

    assert "\n" not in str(caught.value)


def test_what_cannot_be_removed_or_taken_is_refused(dense: list[Net], digits: Images) -> None:
    shallow = train_seeds("lenet-8-relu", digits, Recipe(epochs=1), [0])[0]
    with pytest.raises(ValueError, match="one of none, first, last, both; got 'second'"):
        activations.without(dense[0].module, "second")
    with pytest.raises(ValueError, match="from two hidden layers on; the net has 1"):
        activations.without(shallow, "last")
    with pytest.raises(ValueError, match="'lenet-9-9' is none of lenet-24-12-relu"):
        activations.take({"strong": dense}, ["lenet-9-9"])
    with pytest.raises(ValueError, match="'lenet-9-9' is none of"):
        activations.removal_table(
            {"strong": dense}, digits, treatments=["retrained"], retrained_models=["lenet-9-9"], **SETTINGS
        )


def test_nets_are_taken_by_their_specs_and_all_where_none_is_named(dense: list[Net], digits: Images) -> None:
    other = open_nets([], digits, models=["lenet-8-6-relu"], seeds=[0], epochs=1)
    nets = {"strong": [*dense, *other], "source": other}

    assert activations.take(nets, []) == nets
    assert activations.take(nets, [MODEL]) == {"strong": dense, "source": []}


def test_tables_fit_their_declared_columns(tmp_path: Path, measured: pd.DataFrame) -> None:
    for table, rows in ((Removal, measured), (summary.RemovalDrops, summary.drop_summary(measured))):
        table.save(rows, folder=tmp_path)
        assert len(load(tmp_path / f"{table.table_name}.csv")) == len(rows)


def test_drops_are_averaged_over_seeds_with_students_interval() -> None:
    net = {"data": "d", "recipe": "strong", "mode": "masked", "budget": "lamp", "target": "99.5%"}
    rows = [
        {
            **net,
            "model": "lenet-4-3-relu",
            "seed": seed,
            "treatment": "as trained",
            "removed": removed,
            "error_percent": 2.0 + seed + drop,
            "drop_points": drop,
        }
        for seed, last in enumerate((1.0, 2.0, 3.0))
        for removed, drop in (("none", 0.0), ("last", last))
    ]
    table = summary.drop_summary(pd.DataFrame(rows))

    # Three values 1, 2, 3: mean 2, deviation 1, and t(0.975, 2) = 4.302653 from the printed tables.
    assert table[["removed", "seeds", "drop_points"]].to_numpy().tolist() == [["last", 3, 2.0]]
    assert table.loc[0, "drop_low"] == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-6)
    assert table.loc[0, "drop_high"] == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-6)
    assert table.loc[0, "error_percent"] == 5.0


def test_both_figures_say_in_words_the_errors_they_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: pd.DataFrame
) -> None:
    monkeypatch.chdir(tmp_path)
    drops, nets = unit_figures.removal_drops(measured), unit_figures.removal_by_net(measured)
    strong = measured[(measured["recipe"] == "strong") & (measured["mode"] == "dense")]
    first = strong[(strong["removed"] == "first") & (strong["treatment"] == "as trained")]["error_percent"].mean()

    assert f"{MODEL} on digits: strong recipe, dense: as trained: none " in drops.alt
    assert f"first {first:.2f} (" in drops.alt
    assert "of each net, as trained, with none" in nets.alt
    assert "strong recipe, 300 weights left: none " in nets.alt
    assert "in 3 panels" in drops.alt
    for drawn in (drops, nets):
        assert json.loads(drawn.path.with_suffix(".json").read_text())["table"] == "removal"


def test_figures_of_one_treatment_of_errors_of_zero_and_of_one_seed_are_drawn_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: pd.DataFrame
) -> None:
    monkeypatch.chdir(tmp_path)

    retrained = measured[measured["treatment"] == "retrained"]

    assert "of each net, retrained, with none" in unit_figures.removal_by_net(retrained).alt
    assert unit_figures.removal_drops(measured.assign(error_percent=0.0)).path.exists()
    assert unit_figures.removal_drops(measured[measured["seed"] == 0]).path.exists()  # one seed has no interval
