"""One net in every form: equal outputs, and bytes and operations as counted by hand."""

import copy
import json
import struct
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load
from scipy.sparse import csr_array
from torch import Tensor, nn

from made_nets import SHAPE, examples, net, randomised, specs
from properties import tries
from prunelab.deploy import FORMS, make
from prunelab.deploy.export import refuse_other_outputs
from prunelab.deploy.forms import operations, stored
from prunelab.deploy.sparse import sparse_state
from test_deploy_dead_units import sparse_net

SPARSE = ("csr-torch", "csr-scipy")


def header_bytes(content: bytes) -> int:
    """The length of a safetensors header, its own eight bytes included."""
    return 8 + struct.unpack("<Q", content[:8])[0]


def three_left() -> nn.Sequential:
    """A perceptron 162-4-3 with weights (0, 5), (2, 7) and (1, 2) left, and all biases."""
    model = net("mlp-4-relu", double=False)
    with torch.no_grad():
        for layer, places in ((model.fc1, [(0, 5), (2, 7)]), (model.fc2, [(1, 2)])):
            left = torch.zeros_like(layer.weight)
            for row, column in places:
                left[row, column] = row + column
            layer.weight.copy_(left)
    return model


@tries(40)
@given(spec=specs(), seed=st.integers(0, 2**31), density=st.sampled_from([0.0, 0.1, 0.5, 1.0]), count=st.integers(1, 4))
def test_all_forms_of_any_net_put_out_what_the_masked_net_does(
    spec: str, seed: int, density: float, count: int
) -> None:
    model, x = sparse_net(spec, seed, density, double=False), examples(count, seed=seed, double=False).x
    with torch.no_grad():
        wanted = model(x)
    for name in FORMS:
        form = make(name, model, SHAPE)
        found = form.outputs(x)

        assert refuse_other_outputs(found, wanted, what=name) <= 1e-4 * float(wanted.abs().max())
        assert found.shape == wanted.shape
        assert form.name == name


@pytest.mark.parametrize("name", FORMS)
def test_a_net_in_training_mode_is_run_as_in_evaluation_and_left_as_it_is(name: str) -> None:
    model = sparse_net("conv-4k3p-6k3-8-bn", 3, 0.5, double=False)
    x = examples(4, seed=3, double=False).x
    with torch.no_grad():
        wanted = model.eval()(x)
    before = {key: tensor.clone() for key, tensor in model.train().state_dict().items()}
    found = make(name, model, SHAPE).outputs(x)

    torch.testing.assert_close(torch.as_tensor(found), wanted, rtol=1e-4, atol=1e-5)
    assert model.training
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", FORMS)
def test_the_order_of_channels_in_memory_changes_nothing(name: str) -> None:
    model, x = sparse_net("conv-4k3p-3k3-5-same-bn", 3, 0.5, double=False), examples(double=False).x
    wanted = make(name, model, SHAPE).outputs(x)
    turned = make(name, model.to(memory_format=torch.channels_last), SHAPE)

    torch.testing.assert_close(turned.outputs(x.to(memory_format=torch.channels_last)), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # torch's own convolution copies
@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize(
    ("kernel", "settings_"),
    [
        ((3, 2), {"stride": (2, 1), "padding": (1, 0)}),
        ((2, 2), {"padding": "same"}),  # one more at the right and at the bottom
        ((2, 3), {"dilation": (2, 1), "bias": False}),
        ((1, 1), {"stride": 3}),
    ],
)
def test_sparse_convolutions_of_any_geometry_are_convolutions(name: str, kernel: object, settings_: dict) -> None:
    conv = nn.Conv2d(2, 3, kernel, **settings_)
    model = nn.Sequential(conv, nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2, bias=False))
    randomised(model, torch.Generator().manual_seed(0)).double()
    x = examples().x
    form = make(name, model, SHAPE)

    for part in (x, x[:1]):
        torch.testing.assert_close(form.outputs(part), model(part))


def test_bytes_of_the_dense_forms_are_four_a_value() -> None:
    model = three_left()
    values = (162 * 4 + 4) + (4 * 3 + 3)
    masked = stored("masked", model, SHAPE)

    assert len(masked) - header_bytes(masked) == 4 * values == 2668
    assert make("masked", model, SHAPE).file_bytes == len(masked)
    assert {name: tuple(tensor.shape) for name, tensor in load(masked).items()} == {
        name: tuple(tensor.shape) for name, tensor in model.state_dict().items()
    }


def test_bytes_of_sparse_rows_are_eight_a_value_left_and_four_a_row() -> None:
    model = three_left()
    content = stored("csr-torch", model, SHAPE)

    # Two and one values with their columns, 5 and 4 row starts, 4 and 3 biases.
    assert len(content) - header_bytes(content) == 8 * 3 + 4 * (5 + 4) + 4 * (4 + 3)
    assert stored("csr-scipy", model, SHAPE) == content
    assert [make(name, model, SHAPE).file_bytes for name in SPARSE] == [len(content)] * 2


def test_sparse_rows_are_stored_as_their_values_columns_and_starts() -> None:
    state = load(stored("csr-torch", three_left(), SHAPE))

    assert state["fc1.weight.values"].tolist() == [5.0, 9.0]
    assert state["fc1.weight.columns"].tolist() == [5, 7]
    assert state["fc1.weight.rows"].tolist() == [0, 1, 1, 2, 2]
    assert {tensor.dtype for name, tensor in state.items() if name.endswith(("columns", "rows"))} == {torch.int32}
    assert state["fc2.bias"].shape == (3,)


def test_shrunk_files_hold_what_the_live_units_need() -> None:
    model = three_left()  # only unit 2 lies on a path: what enters it leaves to an output
    content = stored("shrunk", model, SHAPE)

    assert len(content) - header_bytes(content) == 4 * ((162 * 1 + 1) + (1 * 3 + 3))
    assert make("shrunk", model, SHAPE).file_bytes == len(content)
    assert make("onnx", model, SHAPE).file_bytes == len(stored("onnx", model, SHAPE))


def test_operations_are_two_a_weight_that_the_form_multiplies() -> None:
    model = three_left()

    assert make("masked", model, SHAPE).flops == 2 * (162 * 4 + 4 * 3)
    assert [make(name, model, SHAPE).flops for name in SPARSE] == [2 * 3] * 2
    assert [make(name, model, SHAPE).flops for name in ("shrunk", "onnx")] == [2 * (162 + 3)] * 2


def test_operations_of_a_convolution_count_at_every_position_and_normalisation_nowhere() -> None:
    model = net("conv-4k3p-5-bn", double=False)  # 9×9 to 7×7, pooled to 3×3
    with torch.no_grad():
        model.conv1.weight.view(-1)[10:] = 0

    dense = 2 * (4 * 2 * 9 * 49) + 2 * (4 * 9 * 5) + 2 * (5 * 3)
    assert operations(model, SHAPE) == dense
    assert operations(model, SHAPE, kept=True) == dense - 2 * (4 * 2 * 9 - 10) * 49
    assert isinstance(model.bn1, nn.BatchNorm2d)  # the net itself keeps it


@tries(30)
@given(spec=specs(), seed=st.integers(0, 2**31), density=st.sampled_from([0.0, 0.2, 1.0]))
def test_scipy_reads_a_net_back_from_its_sparse_rows_as_it_was(spec: str, seed: int, density: float) -> None:
    model = sparse_net(spec, seed, density)
    state = sparse_state(model)

    for name, tensor in model.state_dict().items():
        if name in state:
            assert torch.equal(state.pop(name), tensor)
            continue
        values, columns, rows = (state.pop(f"{name}.{part}").numpy() for part in ("values", "columns", "rows"))
        matrix = csr_array((values, columns, rows), shape=tensor.flatten(1).shape)
        matrix.check_format(full_check=True)
        assert torch.equal(torch.from_numpy(matrix.toarray()), tensor.flatten(1))
    assert not state


def test_a_form_does_not_follow_the_net_when_it_changes() -> None:
    model, x = sparse_net("mlp-6-tanh", 0, 0.5, double=False), examples(double=False).x
    forms = [make(name, model, SHAPE) for name in FORMS]
    wanted = copy.deepcopy(model)(x).detach()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7.0)

    for form in forms:
        torch.testing.assert_close(form.outputs(x), wanted, rtol=1e-4, atol=1e-5)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="one of masked, csr-torch, csr-scipy, shrunk, onnx; got 'coo'"):
        make("coo", three_left(), SHAPE)


@pytest.mark.parametrize("name", SPARSE)
def test_a_convolution_that_is_no_single_matrix_is_refused(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(196, 2))

    with pytest.raises(ValueError, match="0 has 2 groups and padding 'zeros'"):
        make(name, model, SHAPE)


def test_without_its_packages_onnx_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "prunelab.deploy.export", raising=False)
    monkeypatch.delattr("prunelab.deploy.export", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(ValueError, match=r"onnxruntime is not installed; pip install -e '\.\[onnx\]'"):
        make("onnx", three_left(), SHAPE)
    assert make("shrunk", three_left(), SHAPE).flops == 2 * 165


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (torch.tensor([[1.0, 2.1]]), "within 0.01 of the largest, 2; they differ by 0.1"),
        (torch.tensor([[1.0, float("nan")]]), "they differ by nan"),
        (torch.tensor([1.0, 2.0]), r"shape \(1, 2\) are wanted; got \(2,\)"),
    ],
)
def test_outputs_that_are_not_equal_are_refused(found: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=f"the net: .*{message}"):
        refuse_other_outputs(found, torch.tensor([[1.0, 2.0]]), what="the net", tolerance=0.01)


def test_outputs_within_the_tolerance_give_their_largest_difference() -> None:
    found = refuse_other_outputs(torch.tensor([[1.0, -4.01]]), torch.tensor([[1.0, -4.0]]), what="", tolerance=0.01)

    assert found == pytest.approx(0.01, rel=1e-4)


def test_the_header_says_nothing_of_the_machine() -> None:
    content = stored("csr-torch", three_left(), SHAPE)

    assert "__metadata__" not in json.loads(content[8 : header_bytes(content)])
