"""Nets as ONNX: every known step beside torch, open batches, the same bytes again, and what is refused."""

import hashlib
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from made_nets import SHAPE, examples, net, randomised
from prunelab.deploy import export as module
from prunelab.deploy.export import INPUT, OPSET, OUTPUT, export, run, session

# Of the even kernels below, which pad one more on one side than on the other, torch says that it copies the image.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")

HERE = Path(__file__).parent
STEPS = [
    nn.ReLU(),
    nn.ReLU(inplace=True),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.LeakyReLU(0.2),
    nn.ELU(0.7),
    nn.Identity(),
    nn.Dropout2d(),
    nn.BatchNorm2d(3),
    nn.BatchNorm2d(3, affine=False, eps=0.1),
    nn.MaxPool2d(2),
    nn.MaxPool2d((3, 2), (1, 2), (1, 0), dilation=(2, 1)),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.AvgPool2d(3, 2, 1),
    nn.AvgPool2d(3, 2, 1, count_include_pad=False),
]


def around(step: nn.Module) -> nn.Module:
    """A net with this step in its middle."""
    conv, tail = nn.Conv2d(2, 3, (3, 2), (1, 2), (1, 0)), nn.Conv2d(3, 2, 2, padding="same", bias=False)
    body = nn.Sequential(conv, step, tail, nn.Flatten())
    size = body.eval()(torch.zeros(1, *SHAPE)).shape[1]
    return randomised(nn.Sequential(*body, nn.Linear(size, 4, bias=False)), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_every_known_step_is_what_torch_makes_of_it(step: nn.Module) -> None:
    model, x = around(step), examples(7, double=False).x
    opened = session(export(model, SHAPE))

    torch.testing.assert_close(run(opened, x), model(x).detach(), rtol=1e-4, atol=1e-5)


def test_flattening_as_a_function_and_flat_normalisation_are_known_too() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.last = nn.Linear(162, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.norm(self.first(torch.flatten(x, 1))))

    model, x = randomised(Net(), torch.Generator().manual_seed(0)), examples(double=False).x

    torch.testing.assert_close(run(session(export(model, SHAPE)), x), model(x).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 100])
@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_examples_can_be_run(count: int, threads: int) -> None:
    model, x = net("conv-4k3p-5", double=False), examples(count, double=False).x
    opened = session(export(model, SHAPE), threads=threads)

    torch.testing.assert_close(run(opened, x), model(x).detach(), rtol=1e-4, atol=1e-5)
    assert opened.get_inputs()[0].shape == ["batch", *SHAPE]
    assert opened.get_outputs()[0].shape == ["batch", 3]


def test_the_model_says_its_opset_and_names_everything_as_torch_does() -> None:
    model = net("conv-4k3p-5-bn", double=False)
    whole = onnx.load_from_string(export(model, SHAPE))
    values = {one.name: numpy_helper.to_array(one) for one in whole.graph.initializer}

    assert [(one.domain, one.version) for one in whole.opset_import] == [("", OPSET)]
    assert [node.op_type for node in whole.graph.node] == [
        *("Conv", "BatchNormalization", "Relu", "MaxPool", "Flatten", "Gemm", "Relu", "Gemm")
    ]
    assert [node.name for node in whole.graph.node] == [
        "conv1",
        "bn1",
        "act1",
        "pool1",
        "flatten",
        "fc1",
        "act2",
        "fc2",
    ]
    state = {name: tensor for name, tensor in model.state_dict().items() if tensor.ndim}
    assert set(values) == set(state)
    assert all((values[name] == tensor.numpy()).all() for name, tensor in state.items())
    assert (whole.graph.input[0].name, whole.graph.output[0].name) == (INPUT, OUTPUT)


def test_the_same_net_gives_the_same_bytes_in_another_process_and_names_no_file_of_this_machine() -> None:
    script = (
        "import hashlib; from made_nets import *; from prunelab.deploy.export import export; "
        "print(hashlib.sha256(export(net('conv-4k3p-5-bn', double=False), SHAPE)).hexdigest())"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=HERE, capture_output=True, text=True, check=True).stdout
    content = export(net("conv-4k3p-5-bn", double=False), SHAPE)

    assert hashlib.sha256(content).hexdigest() == told.strip()
    assert b".py" not in content


def test_the_net_is_left_in_its_mode() -> None:
    model = net("conv-4k3p-5-bn", double=False).train()
    model.bn1.eval()
    export(model, SHAPE)

    assert [one.training for one in model.modules()] == [name != "bn1" for name, _ in model.named_modules()]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: net("mlp-4-relu"), "float32; 'fc1.weight' is of another type"),
        (lambda: around(nn.GELU()), "a step of a net to export is Linear, .*; 1 is GELU"),
        (lambda: around(nn.AvgPool2d(2, divisor_override=3)), "divides by 3"),
        (lambda: nn.Sequential(nn.Linear(9, 4), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2)), r"gets \(3, 2, 9, 9\)"),
        (lambda: nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")), "has others"),
        (lambda: nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False)), "has none"),
        (lambda: nn.Sequential(nn.Dropout()), "this one has no step that does"),
    ],
)
def test_what_cannot_be_said_in_one_node_is_refused(model: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        export(model(), SHAPE)

    assert "\n" not in str(refused.value)


def test_a_model_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {**module._KINDS, nn.ReLU: module._plain("Sigmoid")}
    monkeypatch.setattr(module, "_KINDS", kinds)

    with pytest.raises(ValueError, match="the exported net: outputs are to be equal"):
        export(net("mlp-4-relu", double=False), SHAPE)
