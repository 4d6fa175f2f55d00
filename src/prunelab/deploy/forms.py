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

from prunelab.deploy.sparse import Library, sparse_state, sparse_steps
from prunelab.measure import flops
from prunelab.measure.sparsity import WHOLE
from prunelab.models.modes import evaluating
from prunelab.pruning.application import refuse_hidden
from prunelab.pruning.unit_removal import remove, shrink
from prunelab.pruning.units import Site, flattened, layer_of, norm_of, sites, steps_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Smaller:
    """A physically smaller net, and what was left out of the one it was made from."""

    model: nn.Module
    removed: dict[str, Tensor]  # site -> (U,) bool, True = left out


def without_dead_units(model: nn.Module) -> Smaller:
    """Leave out the units without any incoming or without any outgoing weight other than 0.

    A unit that no weight enters puts out a constant: what the next layer makes of it goes into that layer's bias, or
    into its batch normalisation where it has no bias. From the first layer to the last, since a constant may have been
    all that entered a unit behind it; then units that no weight leaves, from the last to the first. Inputs all stay.

    A unit that puts out a constant other than 0 into a convolution with zero padding stays, since the response to a
    constant differs at the border and no bias holds it; so does one whose consumer has nothing to hold a constant, and
    one unit of a layer of which none is left.

    Args:
        model: see `prunelab.pruning.units.sites`; as in evaluation; not changed.

    Returns:
        A net of the same kind with the outputs of the whole one, up to rounding.

    Raises:
        ValueError: a weight or bias that is not finite, or what `sites` refuses.
    """
    refuse_hidden(model)
    _refuse_infinite(model)
    whole = copy.deepcopy(model)
    found = sites(whole)
    with evaluating(whole):
        for name, site in found.items():
            silent = ~layer_of(whole, name).weight.flatten(1).any(1)
            constant = _constant(whole, site)
            held = _held(whole, site, found)
            gone = silent if held else silent & (constant == 0)
            if bool(gone.any()):
                shift = _response(whole, site, constant * gone)
                remove(whole, {name: gone.cpu()}, shifts={name: shift} if bool(shift.any()) else None)
        for name in reversed(found):
            idle = ~_outgoing(whole, found[name]).any(1)
            if bool(idle.any()):
                remove(whole, {name: idle.cpu()})
    removed = {}
    for name, site in found.items():
        entered = layer_of(whole, name).weight.flatten(1).any(1)
        flags = (~entered & ~_outgoing(whole, site).any(1)).cpu()
        flags[:1] &= ~flags.all()  # a layer keeps a place: torch has no layers of no units
        removed[name] = flags
    return Smaller(model=shrink(whole, removed), removed=removed)


def _outgoing(model: nn.Module, site: Site) -> Tensor:
    """Give the weights that leave each unit, (U, outgoing)."""
    weight: Tensor = layer_of(model, site.consumer).weight.detach()
    each: Tensor = weight.unflatten(1, (site.units, -1))
    return each.movedim(1, 0).flatten(1)


def _constant(model: nn.Module, site: Site) -> Tensor:
    """Give what each unit would put out if nothing entered it, (U,)."""
    steps = {step.name: step for step in steps_of(model)}
    names = list(steps)
    layer = layer_of(model, site.name)
    bias = layer.weight.new_zeros(site.units) if layer.bias is None else layer.bias.detach()
    x = bias.view(1, -1, *[1] * (layer.weight.ndim - 2))
    for name in names[names.index(site.name) + 1 : names.index(site.tap) + 1]:
        x = steps[name].run(x)
    return x.flatten()


def _response(model: nn.Module, site: Site, constant: Tensor) -> Tensor:
    """Give what the consumer makes of constants in place of its units, (outputs,); the same at every position."""
    consumer = layer_of(model, site.consumer)
    weight = consumer.weight.detach().double()
    if isinstance(consumer, nn.Linear):
        flattened(consumer, site.units)  # refuses what does not divide
        weight = weight.unflatten(1, (site.units, -1))
    response: Tensor = weight.flatten(2).sum(2) @ constant.double()
    return response.to(consumer.weight.dtype)


def _held(model: nn.Module, site: Site, found: dict[str, Site]) -> bool:
    """Say whether a bias can hold what the consumer makes of a constant."""
    consumer = layer_of(model, site.consumer)
    normed = site.consumer in found and norm_of(model, found[site.consumer]) is not None
    modules = dict(model.named_modules())
    for name in site.between:
        step = modules.get(name)
        if isinstance(step, nn.AvgPool2d) and (step.padding not in (0, (0, 0)) or step.divisor_override is not None):
            return False  # zeros around the image take part in its means; or these are no means
    padded = isinstance(consumer, nn.Conv2d) and any(consumer._reversed_padding_repeated_twice)
    return (consumer.bias is not None or normed) and not padded


def _refuse_infinite(model: nn.Module) -> None:
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"a net is made smaller where all its numbers are finite; {name!r} holds others")


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
    refuse_hidden(model)
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
            "pip install -e '.[onnx]' in the project's folder, or do without ONNX"
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
