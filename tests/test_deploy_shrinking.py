"""A pruned net on disk made smaller: what is written, that it is equal, and that nothing is written where it is not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from made_nets import CLASSES, SHAPE, examples, flags, net, specs
from properties import tries
from prunelab.data import Images, Split
from prunelab.deploy import forms, shrink_stored, shrinking
from prunelab.deploy.export import run, session
from prunelab.deploy.shrinking import smaller_spec
from prunelab.deploy.stored import same_net
from prunelab.models import build
from prunelab.pruning.unit_removal import remove, shrink
from prunelab.pruning.units import sites
from prunelab.studies.common.nets import Net, open_nets, save_nets

SPEC = "conv-6k3p-4k3-8-bn-tanh"
GONE = {"conv1": [0, 2, 3], "conv2": [1], "fc1": [0, 7]}


def images(shape: tuple[int, ...] = SHAPE) -> Images:
    drawn = [examples(40, shape=shape, seed=seed, double=False) for seed in (1, 2, 3)]
    parts = {name: Split(x=each.x, y=each.y) for name, each in zip(("train", "validation", "test"), drawn, strict=True)}
    return Images(name="drawn", content_id="0123456789ab", classes=("a", "b", "c"), **parts)


def pruned(spec: str = SPEC, gone: dict[str, list[int]] | None = None) -> nn.Sequential:
    """A net that lost the named units of each layer."""
    model = net(spec, double=False)
    chosen = GONE if gone is None else gone
    removed = {name: torch.zeros(site.units, dtype=torch.bool) for name, site in sites(model).items()}
    for name, units in chosen.items():
        removed[name][units] = True
    remove(model, removed)
    return model


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A pruned net as a run stores it."""
    one = Net(data="drawn", data_id="0123456789ab", model=SPEC, seed=3, module=pruned(), pruning="units-50", step=70)
    return save_nets([one], tmp_path / "run" / "nets")[0]


def plain(model: nn.Module, path: Path) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)
    return path


def named(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as content:
        return dict(json.loads(content.metadata()["net"]))


def test_a_stored_net_becomes_a_smaller_one_that_says_what_it_is(stored: Path, tmp_path: Path) -> None:
    found = shrink_stored(stored, arch=None, images=images(), out=tmp_path / "out")

    assert found.spec == "conv-3k3p-3k3-6-bn-tanh"
    assert found.units == {"conv1": (3, 6), "conv2": (3, 4), "fc1": (6, 8)}
    assert found.model == tmp_path / "out" / f"{stored.stem}-shrunk.safetensors"
    assert named(found.model) == {
        "data": "drawn",
        "data_id": "0123456789ab",
        "model": found.spec,
        "seed": 3,
        "pruning": "units-50",
        "step": 70,
        "shrunk_from": SPEC,
    }
    # Convolutions with biases, normalisation of two each, and linear layers behind one position a channel.
    assert found.parameters[0] == (3 * 2 * 9 + 3) + 6 + (3 * 3 * 9 + 3) + 6 + (3 * 6 + 6) + (6 * 3 + 3)
    assert found.parameters[1] == sum(parameter.numel() for parameter in pruned().parameters())
    assert found.file_bytes == (found.model.stat().st_size, stored.stat().st_size)
    assert found.flops[0] == 2 * (3 * 2 * 9 * 49 + 3 * 3 * 9 + 3 * 6 + 6 * 3)
    assert found.examples == 40
    assert found.agreement == 1.0


def test_what_is_written_computes_what_the_whole_net_did(stored: Path, tmp_path: Path) -> None:
    found, x = shrink_stored(stored, arch=SPEC, images=images(), out=tmp_path), images().test.x
    small = build(found.spec, inputs=SHAPE, classes=CLASSES, generator=torch.Generator()).eval()
    small.load_state_dict(load_file(found.model))
    wanted = pruned()(x).detach()
    assert found.onnx is not None

    torch.testing.assert_close(small(x), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(run(session(found.onnx.read_bytes()), x), wanted, rtol=1e-4, atol=1e-5)
    assert found.difference == pytest.approx(float((small(x).detach() - wanted).abs().max()), abs=1e-6)
    assert found.onnx_difference is not None
    assert max(found.difference, found.onnx_difference) <= 1e-4 * float(wanted.abs().max())


def test_the_runs_that_open_stored_nets_open_the_smaller_one(stored: Path, tmp_path: Path) -> None:
    found = shrink_stored(stored, arch=None, images=images(), out=tmp_path / "smaller" / "nets")
    (opened,) = open_nets([str(tmp_path / "smaller")], images(), models=(), seeds=(), epochs=1)

    assert (opened.model, opened.seed, opened.pruning, opened.step) == (found.spec, 3, "units-50", 70)


def test_a_plain_state_is_shrunk_by_the_net_that_is_named(tmp_path: Path) -> None:
    path = plain(pruned("mlp-6-4-relu", {"fc1": [1, 2], "fc2": [0]}), tmp_path / "mine.safetensors")
    found = shrink_stored(path, arch="mlp-6-4-relu", images=images(), out=tmp_path, onnx=False)

    assert found.spec == "mlp-4-3-relu"
    assert (found.onnx, found.onnx_difference) == (None, None)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine-shrunk.safetensors", "mine.safetensors"]
    assert named(found.model)["shrunk_from"] == "mlp-6-4-relu"


def test_a_constant_unit_of_a_perceptron_is_folded(tmp_path: Path) -> None:
    model = net("mlp-6-4-relu", double=False)
    with torch.no_grad():
        model.fc1.weight[2] = 0
        model.fc1.bias[2] = 1.5  # puts out 1.5 for every example
    path = plain(model, tmp_path / "mine.safetensors")
    found = shrink_stored(path, arch="mlp-6-4", images=images(), out=tmp_path)
    moved = load_file(found.model)["fc2.bias"] - model.fc2.bias

    assert found.units["fc1"] == (5, 6)
    torch.testing.assert_close(moved, 1.5 * model.fc2.weight[:, 2].detach())


def test_the_same_net_gives_the_same_files(stored: Path, tmp_path: Path) -> None:
    first, second = (shrink_stored(stored, arch=None, images=images(), out=tmp_path / name) for name in "ab")

    assert first.model.read_bytes() == second.model.read_bytes()
    assert first.onnx is not None
    assert second.onnx is not None
    assert first.onnx.read_bytes() == second.onnx.read_bytes()


def test_a_net_without_dead_units_stays_as_large(tmp_path: Path) -> None:
    path = plain(net(SPEC, double=False), tmp_path / "whole.safetensors")
    found = shrink_stored(path, arch=SPEC, images=images(), out=tmp_path)

    assert found.spec == SPEC
    assert found.parameters[0] == found.parameters[1]
    assert found.difference == 0.0


def test_outputs_beyond_the_tolerance_are_refused_and_nothing_is_written(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = forms.without_dead_units

    def off(model: nn.Module) -> Any:
        small = whole(model)
        with torch.no_grad():
            small.model.get_parameter("fc2.bias")[0] += 0.5
        return small

    monkeypatch.setattr(shrinking, "without_dead_units", off)
    with pytest.raises(ValueError, match=r"without its dead units: outputs are to be equal within 0\.0001 .* by 0\.5"):
        shrink_stored(stored, arch=None, images=images(), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()

    assert shrink_stored(stored, arch=None, images=images(), out=tmp_path / "out", tolerance=1.0).difference > 0.4


def test_an_export_that_differs_is_refused_and_nothing_is_written(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = forms.exporter()
    real = module.run
    monkeypatch.setattr(module, "run", lambda opened, x: real(opened, x) + (len(x) > 3))  # not the exporter's own check

    with pytest.raises(ValueError, match="without its dead units, exported: outputs are to be equal"):
        shrink_stored(stored, arch=None, images=images(), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failure_while_writing_leaves_neither_file_nor_remains(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "out", Path.write_bytes
    out.mkdir()
    (out / f"{stored.stem}-shrunk.onnx").write_bytes(b"older")

    def full(path: Path, content: bytes) -> int:
        if ".onnx" in path.name:
            raise OSError("no space left")
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        shrink_stored(stored, arch=None, images=images(), out=out)
    assert [(file.name, file.read_bytes()) for file in out.iterdir()] == [(f"{stored.stem}-shrunk.onnx", b"older")]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"arch": "mlp-6-4"}, "holds a net 'conv-6k3p-4k3-8-bn-tanh' by its own account; got arch 'mlp-6-4'"),
        ({"arch": "conv-6k3p-4k3-8-bn"}, "by its own account"),  # ReLU instead of tanh, which no shape would tell
        ({"images": replace(images(), content_id="ffffffffffff")}, r"trained on drawn \(0123456789ab\), this is drawn"),
        ({"images": images((2, 12, 12))}, "in a net '.*' of drawn, '.*' has shape"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    stored: Path, tmp_path: Path, settings_: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        shrink_stored(stored, **({"arch": None, "images": images(), "out": tmp_path / "out"} | settings_))

    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "arch", "message"),
    [
        ({"fc1.weight": torch.ones(4, 162)}, None, "does not say what net it holds; name it"),
        ({"fc1.weight": torch.ones(4, 162)}, "mlp-4", "a net 'mlp-4' has the tensors .* lacks fc1.bias"),
        ({"fc1.weight": torch.ones(4, 162)}, "resnet", "a model spec starts with"),
        (None, "mlp-4", "is a safetensors file, .* is not one"),
    ],
)
def test_files_that_are_no_such_net_are_refused(tmp_path: Path, content: Any, arch: str | None, message: str) -> None:
    path = tmp_path / "mine.safetensors"
    if content is None:
        path.write_bytes(b"{}")
    else:
        save_file(content, path)

    with pytest.raises(ValueError, match=message) as refused:
        shrink_stored(path, arch=arch, images=images(), out=tmp_path / "out")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("said", ["[1]", "{"])
def test_an_account_that_is_none_is_refused(tmp_path: Path, said: str) -> None:
    save_file({"fc1.weight": torch.ones(4, 162)}, tmp_path / "mine.safetensors", metadata={"net": said})

    with pytest.raises(ValueError, match="a stored net says what it is"):
        shrink_stored(tmp_path / "mine.safetensors", arch="mlp-4", images=images(), out=tmp_path)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = net("mlp-4", double=False)
    with torch.no_grad():
        model.fc1.weight[0, 0] = float("nan")

    with pytest.raises(ValueError, match=r"'fc1\.weight' in .* are NaN or infinite"):
        shrink_stored(plain(model, tmp_path / "mine.safetensors"), arch="mlp-4", images=images(), out=tmp_path)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        shrink_stored(tmp_path / "none.safetensors", arch="mlp-4", images=images(), out=tmp_path)


@tries(30)
@given(spec=specs(), seed=st.integers(0, 2**31))
def test_the_smaller_spec_builds_the_smaller_net(spec: str, seed: int) -> None:
    model = net(spec, seed=seed)
    small = shrink(model, flags(model, seed))
    built = build(smaller_spec(spec, small), inputs=SHAPE, classes=CLASSES, generator=torch.Generator())

    assert {name: tensor.shape for name, tensor in built.state_dict().items()} == {
        name: tensor.shape for name, tensor in small.state_dict().items()
    }
    assert [type(module) for module in built.modules()] == [type(module) for module in small.modules()]
    assert same_net(smaller_spec(spec, model), spec)


@pytest.mark.parametrize(
    ("spec", "smaller"),
    [
        ("acoustic-2x3-sigmoid", "acoustic-3-3-sigmoid"),
        ("lenet-3-3-relu-none", "lenet-3-3-relu-none"),
        ("conv-8k3p-4-x0.5", "conv-4k3p-2-relu"),
    ],
)
def test_families_shorthands_and_scales_are_written_out(spec: str, smaller: str) -> None:
    inputs = 5 if spec.startswith("acoustic") else SHAPE
    model = build(spec, inputs=inputs, classes=3, generator=torch.Generator())

    assert smaller_spec(spec, model) == smaller


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("lenet-300-100", "mlp-300-100-relu", True),
        ("lenet-300-100", "lenet-300-100-tanh", False),
        ("mlp-300-100", "acoustic-300-100", False),  # layers of other names
        ("medium-conv", "conv-64k5p-128k3p-256k3p-1024-256-relu", True),
        ("medium-conv", "medium-conv-x0.5", False),
        ("conv-8k3-relu", "mlp-8", False),
    ],
)
def test_specs_of_one_net_in_other_words_are_told_from_those_of_others(one: str, other: str, same: bool) -> None:
    assert same_net(one, other) is same
    assert same_net(other, one) is same
