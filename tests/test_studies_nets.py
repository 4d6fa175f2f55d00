"""Trained nets: the rate chosen on validation data, stored without pickle, opened only where they fit."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pandas import DataFrame
from safetensors.torch import save_file

from prunelab import pruning
from prunelab.data import Images, load_images
from prunelab.measure import evaluate
from prunelab.studies.common import nets

Trained = tuple[list[nets.Net], DataFrame, DataFrame]


@pytest.fixture(scope="module")
def digits() -> Images:
    return load_images("digits")


@pytest.fixture(scope="module")
def trained() -> Trained:
    return nets.train_nets("digits", "mlp-12-tanh", [4, 2], epochs=2, learning_rates=[0.001, 0.4])


def opened(run: Path, digits: Images) -> list[nets.Net]:
    return nets.open_nets([str(run)], digits, models=[], seeds=[], epochs=1)


def test_the_rate_with_the_lowest_validation_error_trains_every_seed(
    trained: Trained,
) -> None:
    _, dense, rates = trained
    best = rates.loc[rates["validation_error_percent"].idxmin(), "learning_rate"]

    assert best == 0.4  # at 0.001 two epochs hardly move the weights
    assert list(dense["learning_rate"]) == [best, best]
    assert list(dense["seed"]) == [4, 2]


def test_the_dense_table_holds_what_its_nets_measure(trained: Trained, digits: Images) -> None:
    trained_nets, dense, _ = trained
    for net, row in zip(trained_nets, dense.itertuples(), strict=True):
        assert row.error_percent == pytest.approx(100 * (1 - evaluate(net.module, digits.test).accuracy))
        assert row.validation_error_percent == pytest.approx(
            100 * (1 - evaluate(net.module, digits.validation).accuracy)
        )
        assert (row.weights, row.biases) == (64 * 12 + 12 * 10, 12 + 10)


def test_nets_come_back_from_disk_as_they_were(tmp_path: Path, trained: Trained, digits: Images) -> None:
    nets.save_nets(trained[0], tmp_path / "nets")
    back = opened(tmp_path, digits)

    assert [net.seed for net in back] == [2, 4]
    stored = {net.seed: net.module.state_dict() for net in trained[0]}
    for net in back:
        assert net.model == "mlp-12-tanh"
        assert all(torch.equal(stored[net.seed][name], value) for name, value in net.module.state_dict().items())


def test_the_same_nets_are_the_same_bytes(tmp_path: Path, trained: Trained) -> None:
    # safetensors writes several metadata keys in random order: 20 saves then gave 11 different files.
    saves = [nets.save_nets(trained[0], tmp_path / str(number))[0].read_bytes() for number in range(8)]

    assert len(set(saves)) == 1


def test_nets_neither_stored_nor_to_be_trained_are_refused(digits: Images) -> None:
    with pytest.raises(ValueError, match="both `nets` and `models` are empty"):
        nets.open_nets([], digits, models=[], seeds=[0], epochs=1)


def test_without_runs_nets_are_trained_on_the_spot(digits: Images) -> None:
    here = nets.open_nets([], digits, models=["mlp-4", "mlp-5"], seeds=[0, 1], epochs=1)

    assert [(net.model, net.seed) for net in here] == [("mlp-4", 0), ("mlp-4", 1), ("mlp-5", 0), ("mlp-5", 1)]


def test_a_run_without_nets_is_named(tmp_path: Path, digits: Images) -> None:
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}.*run it first"):
        opened(tmp_path, digits)


def test_nets_trained_on_other_data_are_refused(tmp_path: Path, trained: Trained, digits: Images) -> None:
    nets.save_nets(trained[0], tmp_path / "nets")
    with pytest.raises(ValueError, match=r"measured on the data it was trained on.*000000000000"):
        opened(tmp_path, replace(digits, content_id="000000000000"))


def test_a_pickle_or_a_torn_file_is_refused(tmp_path: Path, digits: Images) -> None:
    (tmp_path / "nets").mkdir()
    torch.save({"fc1.weight": torch.zeros(1)}, tmp_path / "nets" / "net.safetensors")
    with pytest.raises(ValueError, match="a stored net is a safetensors file"):
        opened(tmp_path, digits)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "a stored net names its data"),
        ({"seed": 0}, "a stored net names its data"),
        ({"model": "mlp-12", "seed": 0}, "a net 'mlp-12' has the tensors .* lacks fc1.bias"),
    ],
)
def test_a_file_that_is_no_such_net_is_refused(
    tmp_path: Path, digits: Images, metadata: dict[str, object], message: str
) -> None:
    (tmp_path / "nets").mkdir()
    identity = {"data": digits.name, "data_id": digits.content_id, **metadata} if metadata else {}
    path = tmp_path / "nets" / "net.safetensors"
    save_file({"fc1.weight": torch.zeros(3, 3)}, path, metadata={"net": json.dumps(identity)} if identity else None)
    with pytest.raises(ValueError, match=message) as refused:
        opened(tmp_path, digits)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("seeds", [[], [1, 1]])
def test_seeds_that_do_not_each_name_a_net_are_refused(seeds: list[int]) -> None:
    with pytest.raises(ValueError, match="seeds are distinct whole numbers"):
        nets.train_nets("digits", "mlp-4", seeds, epochs=1, learning_rates=[0.1])


def test_training_without_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one learning rate"):
        nets.train_nets("digits", "mlp-4", [0], epochs=1, learning_rates=[])


def pruned(net: nets.Net, label: str, kept: int) -> nets.Net:
    """Prune a copy by magnitude."""
    module = copy.deepcopy(net.module)
    pruning.apply(module, pruning.keep_within(pruning.prunable(module), kept))
    return replace(net, module=module, pruning=label)


def test_a_pruned_net_comes_back_under_its_label_beside_the_dense_ones(
    tmp_path: Path, trained: Trained, digits: Images
) -> None:
    labels = ["masked-global-99.5%", "masked-global-100", "regrown-erk-100"]
    made = [*trained[0], *(pruned(net, label, 100) for label in labels for net in trained[0])]
    paths = nets.save_nets(made, tmp_path / "nets")
    back = opened(tmp_path, digits)

    assert {path.name for path in paths} == {
        f"mlp-12-tanh{label}-seed{seed}.safetensors"
        for label in ("", "-masked-global-99.5%", "-masked-global-100", "-regrown-erk-100")
        for seed in (2, 4)
    }
    assert [(net.pruning, net.seed) for net in back] == [
        (label, seed) for label in ("", *sorted(labels)) for seed in (2, 4)
    ]
    saved = {(net.pruning, net.seed): net.module.state_dict() for net in made}
    for net in back:
        state = net.module.state_dict()
        assert all(torch.equal(saved[net.pruning, net.seed][name], value) for name, value in state.items())
        weights = sum(int(weight.count_nonzero()) for weight in pruning.prunable(net.module).values())
        assert weights == (100 if net.pruning else 64 * 12 + 12 * 10)


def test_the_same_net_saved_again_takes_the_place_of_the_first(
    tmp_path: Path, trained: Trained, digits: Images
) -> None:
    first, _ = trained[0]
    nets.save_nets([pruned(first, "masked-global-100", 100)], tmp_path / "nets")
    nets.save_nets([pruned(first, "masked-global-100", 90)], tmp_path / "nets")
    (back,) = opened(tmp_path, digits)

    assert sum(int(weight.count_nonzero()) for weight in pruning.prunable(back.module).values()) == 90


def test_a_file_of_before_there_were_labels_holds_a_dense_net(tmp_path: Path, trained: Trained, digits: Images) -> None:
    net = trained[0][0]
    identity = {"data": net.data, "data_id": net.data_id, "model": net.model, "seed": net.seed}
    (tmp_path / "nets").mkdir()
    save_file(net.module.state_dict(), tmp_path / "nets" / "net.safetensors", metadata={"net": json.dumps(identity)})
    (back,) = opened(tmp_path, digits)

    assert back.pruning == ""
    # Nor does a dense net say anything of pruning: its file is, byte for byte, what it was.
    (written,) = nets.save_nets([net], tmp_path / "again")
    assert written.read_bytes() == (tmp_path / "nets" / "net.safetensors").read_bytes()
