"""Nets as ONNX, written node by node, and run by ONNX Runtime.

torch's own exporter was measured first. It takes 3.5 s of processor time for a first small net, prints what it does,
warns, and writes the paths of the machine's Python files into the model (torch 2.13, onnxscript 0.7). The nets here are
chains of a dozen kinds of steps, and one node each says them exactly; the same net gives the same bytes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, checker, helper, numpy_helper
from torch import Tensor, nn

import prunelab
from prunelab.models.modes import evaluating
from prunelab.pruning.units import Step, steps_of

TOLERANCE = 1e-4  # of the largest output: what is to be equal is summed in another order


def refuse_other_outputs(found: Tensor, expected: Tensor, *, what: str, tolerance: float = TOLERANCE) -> float:
    """Compare outputs that are to be equal; give the largest difference.

    Args:
        found: (N, classes).
        expected: the same shape.
        what: whose outputs these are, for the error.
        tolerance: largest difference, as a share of the largest expected output in magnitude.

    Raises:
        ValueError: they differ by more, are no numbers, or are of other shapes.
    """
    found, expected = found.detach().cpu().double(), expected.detach().cpu().double()
    if found.shape != expected.shape or not expected.numel():
        raise ValueError(f"{what}: outputs of shape {tuple(expected.shape)} are wanted; got {tuple(found.shape)}")
    largest = float(expected.abs().max())
    difference = float((found - expected).abs().max())
    if not difference <= tolerance * largest:  # so also where one of them is NaN
        raise ValueError(
            f"{what}: outputs are to be equal within {tolerance:g} of the largest, {largest:.4g}; "
            f"they differ by {difference:.4g}"
        )
    return difference


OPSET = 17  # of 2022: runtimes of any age in use know it, and it has every operator that is needed here
IR_VERSION = 8  # the file format that came with it
INPUT, OUTPUT = "input", "logits"
_EXAMPLES = 3  # the exported net is run on, once
_Made = tuple[str, list[Tensor], dict[str, Any]]  # operator, parameters behind its input, attributes


def export(model: nn.Module, shape: Sequence[int]) -> bytes:
    """Write a net as an ONNX model, check it, and run it once beside torch.

    The first axis of input and output is left open, for any number of examples. Parameters keep their names.

    Args:
        model: see `prunelab.pruning.units.steps_of`, in float32; exported as in evaluation.
        shape: of one example.

    Returns:
        The model as in an .onnx file, of opset `OPSET`; its input is "input" (N, *shape), its output "logits".

    Raises:
        ValueError: a step that is not known here, parameters of another type, or outputs that differ from torch's by
            more than rounding.
    """
    names = {id(tensor): name for name, tensor in model.state_dict(keep_vars=True).items()}
    if odd := [name for name, parameter in model.named_parameters() if parameter.dtype != torch.float32]:
        raise ValueError(f"a net is exported in float32; {odd[0]!r} is of another type: convert it by model.float()")
    x = torch.randn(_EXAMPLES, *shape, generator=torch.Generator().manual_seed(0))
    nodes, parameters = [], dict[str, Tensor]()
    with evaluating(model):
        y, before = x.to(next(model.parameters(), x).device), INPUT
        for step in steps_of(model):
            if (made := _node(step, y)) is not None:
                operator, given, attributes = made
                called = [names.get(id(tensor), f"{step.name}.{place}") for place, tensor in enumerate(given)]
                parameters |= dict(zip(called, given, strict=True))
                after = f"{step.name}.output"
                nodes.append(helper.make_node(operator, [before, *called], [after], step.name, **attributes))
                before = after
            y = step.run(y)
    if not nodes:
        raise ValueError("a net is exported where it computes something; this one has no step that does")
    nodes[-1].output[:] = [OUTPUT]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", *y.shape[1:]])],
        [numpy_helper.from_array(_array(tensor), name) for name, tensor in parameters.items()],
    )
    whole = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="prunelab",
        producer_version=prunelab.__version__,
    )
    checker.check_model(whole, full_check=True)
    content = bytes(whole.SerializeToString())
    refuse_other_outputs(run(session(content), x), y, what="the exported net")
    return content


def session(content: bytes, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Open an ONNX model to run it on the CPU.

    Args:
        content: of an .onnx file.
        threads: within an operator, at least 1.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; what it warns of concerns its own choice of kernels
    # Threads that wait in a loop would take the processor from whatever is measured next to it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run(opened: onnxruntime.InferenceSession, x: Tensor) -> Tensor:
    """Run an opened model on examples, (N, ...); its logits, (N, classes), on the CPU."""
    return torch.from_numpy(opened.run([OUTPUT], {INPUT: _array(x)})[0])


def _array(tensor: Tensor) -> Any:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())


def _node(step: Step, x: Tensor) -> _Made | None:
    """Say what a step is in ONNX; None where it does nothing."""
    module = step.module
    if module is None or isinstance(module, nn.Flatten):
        return "Flatten", [], {"axis": 1}
    if isinstance(module, nn.Identity | nn.Dropout | nn.Dropout2d):
        return None
    for kind, made in _KINDS.items():
        if type(module) is kind:
            return made(module, x)
    known = ", ".join(kind.__name__ for kind in _KINDS)
    raise ValueError(f"a step of a net to export is {known}, flattening or dropout; {step.name} is {module}")


def _linear(layer: Any, x: Tensor) -> _Made:
    if x.ndim != 2:
        raise ValueError(f"a linear layer is exported for flat examples, (N, inputs); {layer} gets {tuple(x.shape)}")
    bias = [] if layer.bias is None else [layer.bias]
    return "Gemm", [layer.weight, *bias], {"transB": 1}


def _convolution(layer: Any, _: Tensor) -> _Made:
    if layer.padding_mode != "zeros":
        raise ValueError(f"a convolution is exported with zeros around the image; {layer} has others")
    left, right, top, bottom = layer._reversed_padding_repeated_twice  # also of "same"
    bias = [] if layer.bias is None else [layer.bias]
    attributes = {
        "kernel_shape": list(layer.kernel_size),
        "strides": list(layer.stride),
        "pads": [top, left, bottom, right],
        "dilations": list(layer.dilation),
        "group": layer.groups,
    }
    return "Conv", [layer.weight, *bias], attributes


def _norm(layer: Any, _: Tensor) -> _Made:
    if layer.running_mean is None:
        raise ValueError(f"batch normalisation is exported with running statistics; {layer} has none")
    like = layer.running_mean
    scale = torch.ones_like(like) if layer.weight is None else layer.weight
    shift = torch.zeros_like(like) if layer.bias is None else layer.bias
    return "BatchNormalization", [scale, shift, layer.running_mean, layer.running_var], {"epsilon": layer.eps}


def _pool(layer: Any, _: Tensor) -> _Made:
    def both(value: Any) -> list[int]:
        return [value, value] if isinstance(value, int) else list(value)

    attributes: dict[str, Any] = {
        "kernel_shape": both(layer.kernel_size),
        "strides": both(layer.stride),
        "pads": [*both(layer.padding), *both(layer.padding)],
        "ceil_mode": int(layer.ceil_mode),
    }
    if isinstance(layer, nn.MaxPool2d):
        return "MaxPool", [], attributes | {"dilations": both(layer.dilation)}
    if layer.divisor_override is not None:
        raise ValueError(f"mean pooling is exported as the mean; {layer} divides by {layer.divisor_override}")
    return "AveragePool", [], attributes | {"count_include_pad": int(layer.count_include_pad)}


def _plain(operator: str, **attributes: str) -> Callable[[Any, Tensor], _Made]:
    """Give what makes a node without parameters, with attributes read off the module."""
    return lambda module, _: (operator, [], {name: getattr(module, own) for name, own in attributes.items()})


_KINDS: dict[type[nn.Module], Callable[[Any, Tensor], _Made]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.MaxPool2d: _pool,
    nn.AvgPool2d: _pool,
    nn.ReLU: _plain("Relu"),
    nn.Sigmoid: _plain("Sigmoid"),
    nn.Tanh: _plain("Tanh"),
    nn.LeakyReLU: _plain("LeakyRelu", alpha="negative_slope"),
    nn.ELU: _plain("Elu", alpha="alpha"),
}
