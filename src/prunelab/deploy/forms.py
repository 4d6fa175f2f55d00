"""One pruned net in several forms: how each is stored, what it computes, and how it is run."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from prunelab.deploy.dead_units import without_dead_units
from prunelab.deploy.sparse import Library, sparse_state, sparse_steps
from prunelab.measure import flops
from prunelab.measure.sparsity import WHOLE
from prunelab.pruning.units import steps_of

MASKED, CSR_TORCH, CSR_SCIPY, SHRUNK, ONNX = FORMS = ("masked", "csr-torch", "csr-scipy", "shrunk", "onnx")
_LIBRARIES: dict[str, Library] = {CSR_TORCH: "torch", CSR_SCIPY: "scipy"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Form:
    """A net ready to run in one form."""

    name: str
    given: Callable[[Tensor], Any]  # examples (N, ...) -> what it takes them as; made before any clock starts
    run: Callable[[Any], Any]  # what it takes -> logits (N, classes), a tensor or an array
    file_bytes: int  # of the file that holds it
    flops: int  # on one example: 2 for each multiply and add that it does, zeros included where it does them

    def outputs(self, x: Tensor) -> Tensor:
        """Run it on examples, (N, ...); logits (N, classes)."""
        return torch.as_tensor(self.run(self.given(x)))


def make(name: str, model: nn.Module, shape: Sequence[int], *, threads: int = 1) -> Form:
    """Bring a net into a form; all of them compute the same, up to rounding.

    - "masked": the net as it is, run by torch. Its removed weights are zeros like any number.
    - "csr-torch", "csr-scipy": weights as compressed sparse rows, of convolutions too, whose images are unfolded into
      patches first; the products by torch or scipy, all between by torch.
    - "shrunk": without the units that nothing enters or nothing leaves, run by torch.
    - "onnx": the shrunk net exported, run by ONNX Runtime.

    Args:
        name: of `FORMS`.
        model: see `prunelab.pruning.units.sites`; run as in evaluation; not changed, and not to be changed while the
            form is in use.
        shape: of one example.
        threads: of ONNX Runtime, which fixes them when a model is opened; torch's are torch's own setting, and
            scipy's products run in one.

    Raises:
        ValueError: an unknown form, or what the form cannot take.
    """
    _check(name)
    if name == SHRUNK:
        model = without_dead_units(model).model
    if name in (MASKED, SHRUNK):
        size, run = len(stored(MASKED, model, shape)), _by_torch(copy.deepcopy(model).eval())
        return Form(name=name, given=_as_is, run=run, file_bytes=size, flops=operations(model, shape))
    if name == ONNX:
        small = without_dead_units(model).model
        content = exporter().export(small, shape)
        opened = exporter().session(content, threads=threads)
        outputs, (asked,) = None, opened.get_inputs()
        return Form(
            name=name,
            given=_as_array,
            run=lambda x: opened.run(outputs, {asked.name: x})[0],
            file_bytes=len(content),
            flops=operations(small, shape),
        )
    # A copy: the steps hold its modules, and have to run as in evaluation long after this returns.
    steps = sparse_steps(copy.deepcopy(model).eval(), _LIBRARIES[name])
    size = len(stored(name, model, shape))
    return Form(
        name=name, given=_as_is, run=_one_by_one(steps), file_bytes=size, flops=operations(model, shape, kept=True)
    )


def stored(name: str, model: nn.Module, shape: Sequence[int]) -> bytes:
    """Give the content of the file that holds a net in a form.

    Args:
        name: of `FORMS`. "masked" and "shrunk" are safetensors of all parameters, sparse forms of what `sparse_state`
            lays out, "onnx" an ONNX model.
        model: as for `make`.
        shape: of one example.

    Raises:
        ValueError: as `make`.
    """
    _check(name)
    if name in (SHRUNK, ONNX):
        model = without_dead_units(model).model
    if name == ONNX:
        return bytes(exporter().export(model, shape))
    if name in _LIBRARIES:
        return save(sparse_state(model))
    return save({key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()})


def operations(model: nn.Module, shape: Sequence[int], *, kept: bool = False) -> int:
    """Count what a net computes on one example, in its linear layers and convolutions; see `prunelab.measure.flops`.

    Args:
        model: batch normalisation, one multiply and add an activation, is not counted, like all that is elementwise.
        shape: of one example.
        kept: count weights other than 0 alone.
    """
    bare = copy.deepcopy(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            bare.set_submodule(name, nn.Identity())
    whole = next(row for row in flops(bare, shape) if row.layer == WHOLE)
    return whole.kept if kept else whole.dense


def exporter() -> ModuleType:
    """Import what writes and runs ONNX.

    Raises:
        ValueError: its packages are not installed.
    """
    try:
        from prunelab.deploy import export
    except ModuleNotFoundError as missing:
        raise ValueError(
            f"ONNX needs the packages onnx and onnxruntime, and {missing.name} is not installed; "
            "pip install 'prunelab[onnx]', or do without ONNX"
        ) from missing
    return export


def _check(name: str) -> None:
    if name not in FORMS:
        raise ValueError(f"a form is one of {', '.join(FORMS)}; got {name!r}")


def _by_torch(model: nn.Module) -> Callable[[Tensor], Tensor]:
    steps_of(model)  # the same nets in every form

    def run(x: Tensor) -> Tensor:
        with torch.inference_mode():
            return model(x)  # type: ignore[no-any-return]

    return run


def _one_by_one(steps: Sequence[Callable[[Tensor], Tensor]]) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        with torch.inference_mode():
            for step in steps:
                x = step(x)
        return x

    return run


def _as_is(x: Tensor) -> Tensor:
    return x


def _as_array(x: Tensor) -> Any:
    return np.ascontiguousarray(x.detach().cpu().numpy())
