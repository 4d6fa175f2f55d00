"""Choosing for a net on disk: what is read, what is refused in one line, what is written and verified."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from prunelab.choosing import FAMILIES, Bounds, ImpossibleError
from prunelab.choosing.bench import counted
from prunelab.choosing.stored import SUMMARY, Stored, choose_stored, said, summary
from prunelab.data import load_images
from prunelab.data.images import standardised
from prunelab.deploy.stored import open_net, read
from prunelab.measure import evaluate
from prunelab.studies.common.nets import Net, save_nets
from prunelab.train import Recipe, train_seeds

IMAGES = load_images("digits")
ARCH = "mlp-16-12"
WEIGHTS = 64 * 16 + 16 * 12 + 12 * 10


@pytest.fixture(scope="module")
def trained() -> nn.Sequential:
    return train_seeds(ARCH, IMAGES, Recipe(epochs=15, batch_size=64), [0])[0]


@pytest.fixture
def plain(trained: nn.Sequential, tmp_path: Path) -> Path:
    """A state_dict as a user would save it, without our metadata."""
    path = tmp_path / "mine.safetensors"
    save_file(trained.state_dict(), path)
    return path


@pytest.fixture
def ours(trained: nn.Sequential, tmp_path: Path) -> Path:
    net = Net(data=IMAGES.name, data_id=IMAGES.content_id, model=ARCH, seed=7, module=trained)
    return save_nets([net], tmp_path)[0]


def chosen(path: Path, bounds: Bounds | None = None, **settings: Any) -> Stored:
    given = {"arch": ARCH, "data": "digits", "scoring": 300, **settings}
    return choose_stored(path, bounds=bounds or Bounds(min_pruned=0.5), **given)


def identity(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as stored:
        told = stored.metadata()
    assert set(told) == {"net"}
    found: dict[str, Any] = json.loads(told["net"])
    return found


# --- what is done ---


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plain_state_dict_is_pruned_written_and_verified_from_the_file(
    family: str, plain: Path, tmp_path: Path, trained: nn.Sequential
) -> None:
    out = tmp_path / "made" / "pruned.safetensors"
    found = chosen(plain, Bounds(max_drop=15, max_parameters=1000), family=family, out=out)
    dense, pruned = (
        open_net(read(path), arch, data=IMAGES.name, inputs=IMAGES.shape, classes=len(IMAGES.classes))
        for path, arch in ((plain, ARCH), (out, found.arch))
    )
    drop, parameters = found.verified

    assert found.out == out
    assert drop.value == pytest.approx(
        100 * (evaluate(dense, IMAGES.test).accuracy - evaluate(pruned, IMAGES.test).accuracy), abs=1e-9
    )
    assert parameters.value == counted("max_parameters", pruned, dense) <= 1000
    assert parameters.held
    assert found.choice.kept[0].upper is not None
    assert found.choice.kept[0].upper <= 15
    assert all(torch.equal(trained.state_dict()[name], tensor) for name, tensor in load_file(plain).items())


def test_a_net_with_fewer_units_is_written_under_a_spec_of_its_own(plain: Path, tmp_path: Path) -> None:
    found = chosen(plain, Bounds(max_flops=1000), family="units", out=tmp_path / "small.safetensors")
    shapes = {name: tuple(tensor.shape) for name, tensor in load_file(tmp_path / "small.safetensors").items()}
    first, second = (int((~gone).sum()) for gone in found.choice.pruned.removed.values())

    assert found.arch == f"mlp-{first}-{second}-relu"
    assert shapes["fc2.weight"] == (second, first)
    assert 2 * (64 * first + first * second + second * 10) == found.verified[0].value <= 1000


def test_what_our_own_runs_stored_needs_neither_spec_nor_data_and_passes_its_identity_on(
    ours: Path, tmp_path: Path
) -> None:
    found = choose_stored(ours, bounds=Bounds(min_pruned=0.5), out=tmp_path / "out.safetensors")

    assert identity(tmp_path / "out.safetensors") == {
        "data": "digits",
        "data_id": IMAGES.content_id,
        "model": ARCH,
        "seed": 7,
        "pruning": "global-50",
    }
    assert found.choice.level == WEIGHTS / 2


def test_the_same_choice_writes_the_same_bytes(plain: Path, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.safetensors", "two.safetensors")]
    for path in paths:
        chosen(plain, Bounds(max_drop=15), family="sensitivity", out=path)

    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_nothing_is_written_where_no_pruning_meets_the_bounds(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(ImpossibleError, match="max_parameters"):
        chosen(plain, Bounds(max_parameters=5), out=tmp_path / "out.safetensors")

    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]


def test_a_pruned_net_replaces_nothing(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"before")
    with pytest.raises(ValueError, match=r"replaces nothing; .*out.safetensors is there already"):
        chosen(plain, out=out)

    assert out.read_bytes() == b"before"


def test_a_folder_is_no_file_to_write_to(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"out names a file; .* is a folder: name one in it, as .*pruned.safetensors"):
        chosen(plain, out=tmp_path)


def test_a_file_below_another_file_cannot_be_written(plain: Path) -> None:
    with pytest.raises(ValueError, match="is no folder that may be written to"):
        chosen(plain, out=plain / "out.safetensors")


def test_a_net_that_says_what_it_is_is_not_taken_for_another(ours: Path) -> None:
    with pytest.raises(ValueError, match=r"holds a net 'mlp-16-12' by its own account; got arch 'mlp-16-12-sigmoid'"):
        chosen(ours, arch="mlp-16-12-sigmoid")


def test_a_net_of_standardised_images_is_measured_on_them_and_says_so_when_written(tmp_path: Path) -> None:
    images = standardised(IMAGES)
    module = train_seeds(ARCH, images, Recipe(epochs=5, batch_size=64), [0])[0]
    path, out = tmp_path / "mine.safetensors", tmp_path / "out.safetensors"
    save_file(module.state_dict(), path)
    found = chosen(path, standardised=True, out=out)

    assert found.accuracies[0] == 100 * evaluate(module, images.test).accuracy
    assert identity(out)["standardised"] is True
    # What was written knows of it by itself.
    assert chosen(out, Bounds(min_pruned=0.6), arch=None, data=None).accuracies[0] == found.accuracies[1]


def test_images_are_standardised_by_the_training_part_alone() -> None:
    images = standardised(IMAGES)

    assert float(images.train.x.mean()) == pytest.approx(0, abs=1e-5)
    assert float(images.train.x.std(correction=0)) == pytest.approx(1, rel=1e-4)
    scale = float(IMAGES.train.x.std(correction=0))
    torch.testing.assert_close(images.test.x, (IMAGES.test.x - IMAGES.train.x.mean()) / scale, rtol=1e-4, atol=1e-5)


def test_a_net_that_saw_the_validation_part_is_searched_on_half_of_the_test_part(plain: Path) -> None:
    found = chosen(plain, Bounds(max_drop=30), search_on="test")
    sizes = [int(words.split()[0]) for words in (found.searched, found.checked)]

    assert sum(sizes) == len(IMAGES.test)
    assert abs(sizes[0] - sizes[1]) <= 1
    assert "test, one half" in found.searched


def test_latency_is_timed_with_the_threads_asked_for(plain: Path) -> None:
    seen = []

    def timer(call: Callable[[], object]) -> list[float]:
        seen.append(torch.get_num_threads())
        call()
        return [0.001] * 30

    before = torch.get_num_threads()
    found = chosen(plain, Bounds(max_latency_ms=2), timer=timer, torch_threads=2, batch_size=3)

    assert set(seen) == {2}
    assert torch.get_num_threads() == before
    assert found.verified[0].value == pytest.approx(1.0)


def test_half_precision_is_measured_and_written_in_single(plain: Path, tmp_path: Path) -> None:
    half = {name: tensor.half() for name, tensor in load_file(plain).items()}
    save_file(half, tmp_path / "half.safetensors")
    chosen(tmp_path / "half.safetensors", out=tmp_path / "out.safetensors")
    written = load_file(tmp_path / "out.safetensors")

    assert {tensor.dtype for tensor in written.values()} == {torch.float32}
    assert torch.equal(written["fc1.bias"], half["fc1.bias"].float())


# --- what is said ---


def test_a_choice_is_laid_out_a_row_a_bound_and_said_in_sentences(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    found = chosen(plain, Bounds(max_drop=15, max_parameters=1000), out=out)
    rows = [dict(zip(SUMMARY, row, strict=True)) for row in summary(found)]
    lines = said(found)

    assert [row["bound"] for row in rows] == ["max_drop", "max_parameters"]
    assert rows[0]["limit"] == "15 points"
    assert rows[0]["at most"].endswith(" points")
    assert rows[1]["at most"] == ""
    assert rows[1]["held"] == "yes"
    assert lines[0].startswith(f"global: {found.choice.level:,} of {WEIGHTS - 1:,} weights removed")
    assert lines[1].startswith("fc1.weight: smallest magnitude kept 0.")
    assert lines[-3] == "searched on 240 examples (validation), verified on 359 examples (test)"
    unpruned, pruned = found.accuracies
    assert lines[-2] == f"accuracy on 359 examples (test): {unpruned:.2f} % unpruned, {pruned:.2f} % pruned"
    assert lines[-1] == f"{out}: {ARCH} on digits"


# --- what is refused ---


def changed(path: Path, change: Callable[[dict[str, Tensor]], Mapping[str, Tensor]]) -> Path:
    other = path.with_name("changed.safetensors")
    save_file(dict(change(load_file(path))), other)
    return other


REFUSED: dict[str, tuple[Callable[[dict[str, Tensor]], dict[str, Tensor]], str]] = {
    "other names": (
        lambda state: {name.replace("fc", "layers."): tensor for name, tensor in state.items()},
        r"has the tensors fc1.weight, .* lacks fc1.weight, .* and has besides layers.1.bias, .*: rename them",
    ),
    "a layer less": (
        lambda state: {name: tensor for name, tensor in state.items() if not name.startswith("fc2")},
        "lacks fc2.weight, fc2.bias and has besides none",
    ),
    "other shape": (
        lambda state: state | {"fc1.weight": torch.zeros(16, 784)},
        r"'fc1.weight' has shape \(16, 64\); in .* it has \(16, 784\): is it another architecture",
    ),
    "not a number": (
        lambda state: state | {"fc2.bias": torch.full((12,), torch.nan)},
        r"12 of 12 of 'fc2.bias' in .* are NaN or infinite: did its training diverge\?",
    ),
    "infinite": (
        lambda state: state | {"fc2.bias": torch.arange(12.0).log()},
        "1 of 12 of 'fc2.bias'",
    ),
    "whole numbers": (
        lambda state: state | {"fc2.bias": torch.zeros(12, dtype=torch.int32)},
        r"'fc2.bias' is torch.float32 in a net; in .* it is torch.int32",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_does_not_fit_its_spec_is_refused_with_what_does_not_fit(case: str, plain: Path) -> None:
    change, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as refused:
        chosen(changed(plain, change))

    assert "\n" not in str(refused.value)


def test_a_file_that_is_none_or_no_safetensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is none at"):
        chosen(tmp_path / "absent.safetensors")
    (tmp_path / "text.safetensors").write_text("weights")
    with pytest.raises(ValueError, match="save_file writes one of a state_dict"):
        chosen(tmp_path / "text.safetensors")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"arch": None}, "does not say its model: give its arch, as in lenet-300-100"),
        ({"data": None}, "does not say its data: give its data, as in mnist"),
        ({"arch": "lenet-16-12-8"}, "lacks fc4.weight, fc4.bias"),
        ({"arch": "resnet-18"}, "a model spec starts with"),
        ({"family": "random"}, "a family is one of global, quality, sensitivity, units; got 'random'"),
        ({"search_on": "train"}, "got 'train'"),
        ({"batch_size": 0}, "a batch is of 1 to 1198 examples"),
        ({"batch_size": 1199}, "got 1199"),
        ({"scoring": 0}, "at least 1 training example; got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], said: str, plain: Path) -> None:
    with pytest.raises(ValueError, match=said):
        chosen(plain, **settings)


def test_a_net_of_other_data_is_refused(trained: nn.Sequential, tmp_path: Path) -> None:
    net = Net(data="mnist", data_id="0123456789ab", model=ARCH, seed=0, module=trained)
    (path,) = save_nets([net], tmp_path)
    with pytest.raises(ValueError, match=r"was trained on mnist \(0123456789ab\), this is digits"):
        chosen(path)


def test_the_net_itself_is_not_written_over(plain: Path, tmp_path: Path) -> None:
    before = plain.read_bytes()
    with pytest.raises(ValueError, match="name another"):
        chosen(plain, out=tmp_path / "." / plain.name)

    assert plain.read_bytes() == before


def test_metadata_of_somebody_else_are_passed_over(trained: nn.Sequential, tmp_path: Path) -> None:
    for number, told in enumerate(("resnet", "[1]", '"text"')):
        path = tmp_path / f"{number}.safetensors"
        save_file(trained.state_dict(), path, metadata={"net": told, "format": "pt"})

        assert chosen(path).choice.level == WEIGHTS / 2
