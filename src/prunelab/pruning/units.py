"""Units as prunable things: outputs of linear layers and channels of convolutions, and the layers that consume them.

A net is read as a chain of steps (`torch.fx`), each of which takes what the step before gives. What is no chain, such
as a residual block, is refused: its units have several consumers, and removing them by one alone would be wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, fx, nn

from prunelab.models.modes import evaluating
from prunelab.pruning.application import refuse_hidden

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_IDLE = (nn.Identity, nn.Dropout, nn.Dropout2d)  # what changes nothing when a net is evaluated
_ACTIVATIONS = (nn.ReLU, nn.Sigmoid, nn.Tanh, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Hardtanh)
_FLATTENING = (torch.flatten, "flatten")  # as a function and as a method
_FLAT = ("(1,) {}", "(1, -1) {}", "() {'start_dim': 1}")  # what stands behind the tensor

_HINT = "; activations, pooling and dropout are to be modules, and flattening torch.flatten(x, 1)"

Layer = nn.Linear | nn.Conv2d


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One step of a net: a module, or a flattening written as a function."""

    name: str
    run: Callable[[Tensor], Tensor]
    module: nn.Module | None  # None for a function


@dataclass(frozen=True, kw_only=True)
class Site:
    """The units of one layer, and where they go."""

    name: str  # the layer that computes them
    units: int
    norm: str | None = None  # batch normalisation right behind the layer
    tap: str  # the step that gives their activations: the non-linearity behind the layer, before any pooling
    between: tuple[str, ...]  # steps from there to the consumer: pooling, flattening, dropout
    consumer: str  # the next linear layer or convolution


def steps_of(model: nn.Module) -> list[Step]:
    """Read a net as a chain of steps; running them one after another is running the net.

    Args:
        model: linear layers, convolutions, activations, pooling, flattening, dropout and batch normalisation, each as
            a module (flattening also as `torch.flatten(x, 1)`), every one applied once to what the one before gives;
            read as in evaluation.

    Returns:
        The steps, first to last; none writes over what it is given, as activations in place otherwise would.

    Raises:
        ValueError: the net cannot be traced or is no chain, and the line names the place; or what `refuse_hidden` says.
    """
    refuse_hidden(model, values=False)
    try:
        with evaluating(model):  # what a net does only while it trains is no step of it
            graph = fx.Tracer().trace(model)
    except Exception as error:  # whatever the net's own code runs into when it is traced
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"units are found in nets that torch.fx can trace; this one cannot be: {reason}") from error
    nodes = [node for node in graph.nodes if node.op != "placeholder" or node.users]
    for node in nodes:
        if len(node.users) > 1:
            users = ", ".join(_called(user) for user in node.users)
            raise ValueError(
                f"units are found in a chain of steps, and the output of {_called(node)!r} goes to "
                f"{len(node.users)} ({users}): a residual or branching net is not supported{_HINT}"
            )
    for before, node in pairwise(nodes):
        if node.all_input_nodes != [before] or (node.op == "output" and node.args != (before,)):
            raise ValueError(
                "units are found in a chain of steps from one input to one tensor of logits; "
                f"{_called(node)!r} does not take the output of {_called(before)!r} alone"
            )
    steps = [_step(model, node) for node in nodes if node.op not in ("placeholder", "output")]
    if twice := {step.name for step in steps if [other.name for other in steps].count(step.name) > 1}:
        raise ValueError(f"every step of the chain is applied once; {sorted(twice)} are applied again")
    return steps


def sites(model: nn.Module) -> dict[str, Site]:
    """Find the units of every layer but the last, whose outputs are the net's own.

    Between a layer and its activation there may be batch normalisation, which belongs to the unit; between activation
    and consumer pooling, flattening and dropout.

    Args:
        model: see `steps_of`.

    Returns:
        Layer -> its site, first to last.

    Raises:
        ValueError: no hidden layer, a grouped convolution, a step of another kind, steps in another order, channels
            that a linear layer takes unflattened, or as `steps_of`.
    """
    steps = steps_of(model)
    places = [place for place, step in enumerate(steps) if isinstance(step.module, Layer)]
    if len(places) < 2:
        raise ValueError(f"units are pruned between two layers with weights; the net has {len(places)} such layers")
    for step in steps:
        _refuse(step)
    found = {}
    for start, end in pairwise(places):
        layer, consumer = steps[start], steps[end]
        tap = _tap(layer, steps[start + 1 : end])
        norms = (step.name for step in steps[start + 1 : start + tap + 1] if isinstance(step.module, _NORMS))
        _refuse_unflattened(layer, steps[start + 1 : end], consumer)
        found[layer.name] = Site(
            name=layer.name,
            units=outputs(layer.module),
            norm=next(norms, None),
            tap=steps[start + tap].name,
            between=tuple(step.name for step in steps[start + tap + 1 : end]),
            consumer=consumer.name,
        )
    return found


def outputs(layer: nn.Module | None) -> int:
    """Count the outputs of a linear layer or the channels of a convolution."""
    if isinstance(layer, nn.Conv2d):
        return layer.out_channels
    if isinstance(layer, nn.Linear):
        return layer.out_features
    raise ValueError(f"units are outputs of linear layers and channels of convolutions; got {type(layer).__name__}")


def layer_of(model: nn.Module, name: str) -> Layer:
    """Return the linear layer or convolution of this name."""
    module = model.get_submodule(name)
    if not isinstance(module, Layer):
        raise ValueError(f"a layer of units is linear or a convolution; {name!r} is {type(module).__name__}")
    return module


def norm_of(model: nn.Module, site: Site) -> nn.BatchNorm1d | nn.BatchNorm2d | None:
    """Return the batch normalisation between a layer and its activation, if there is one."""
    module = None if site.norm is None else model.get_submodule(site.norm)
    assert module is None or isinstance(module, _NORMS)
    return module


def check_flags(site: Site, removed: Tensor) -> None:
    """Refuse what does not flag the units of a site.

    Raises:
        ValueError: no bool, or another number of flags than units.
    """
    if removed.dtype != torch.bool or removed.shape != (site.units,):
        raise ValueError(
            f"removed units of {site.name} are flagged, ({site.units},) bool; "
            f"got {tuple(removed.shape)} {removed.dtype}"
        )


def flattened(consumer: Layer, units: int) -> int:
    """Count the inputs of the consumer that each unit gives: 1, or the positions of a channel that was flattened.

    Raises:
        ValueError: the consumer's inputs are no multiple of the units.
    """
    inputs = consumer.in_channels if isinstance(consumer, nn.Conv2d) else consumer.in_features
    if inputs % units:
        raise ValueError(f"a consumer takes as many inputs of each unit; got {inputs} inputs from {units} units")
    return inputs // units


def _step(model: nn.Module, node: fx.Node) -> Step:
    if node.op == "call_module" and len(node.args) == 1 and not node.kwargs:
        module = model.get_submodule(str(node.target))
        return Step(name=str(node.target), run=_not_in_place(module), module=module)
    if node.target in _FLATTENING and f"{node.args[1:]} {dict(node.kwargs)}" in _FLAT:
        return Step(name=node.name, run=lambda x: x.flatten(1), module=None)
    raise ValueError(f"a step of a net is a module or a flattening; got {node.op} {_called(node)!r}{_HINT}")


def _not_in_place(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Keep a module from writing over its input, which may be somebody's data or be needed again."""
    return (lambda x: module(x.clone())) if getattr(module, "inplace", False) else module


def _called(node: fx.Node) -> str:
    """Name what a node calls, a function without its address in memory."""
    return str(getattr(node.target, "__name__", node.target))


def _tap(layer: Step, behind: Sequence[Step]) -> int:
    """Find, from 1 at the step behind the layer, the one that gives the activations; 0 where it is the layer itself."""
    tap, norm, pooled = 0, 0, ""
    for place, step in enumerate(behind, start=1):
        module = step.module
        if isinstance(module, (*_ACTIVATIONS, *_NORMS)):
            if pooled:
                raise ValueError(
                    "activations and batch normalisation stand before pooling and flattening; "
                    f"{step.name} stands behind {pooled}"
                )
            if isinstance(module, _ACTIVATIONS):
                tap = place
            elif tap:
                raise ValueError(f"batch normalisation stands before the activation; {step.name} stands behind it")
            else:
                norm = place
        elif isinstance(module, (*_POOLS, nn.Flatten)) or module is None:
            pooled = step.name
        elif not isinstance(module, _IDLE):
            raise ValueError(
                f"between two layers stand normalisation, activations, pooling, flattening and dropout; behind "
                f"{layer.name} stands {step.name}, a {type(module).__name__}"
            )
    return tap or norm


def _refuse(step: Step) -> None:
    """Raise where a step would make a unit something else than one output of one layer, in one example alone."""
    module = step.module
    if isinstance(module, nn.Conv2d) and (module.groups != 1 or module.padding_mode != "zeros"):
        raise ValueError(
            "a channel is one unit in a convolution without groups, padded with zeros if at all; "
            f"{step.name} has {module.groups} groups and padding {module.padding_mode!r}"
        )
    if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) != (1, -1):
        raise ValueError(f"flattening leaves the examples apart and nothing else; {step.name} is {module}")
    if isinstance(module, _NORMS) and module.running_mean is None:
        raise ValueError(
            f"batch normalisation needs running statistics, or an example depends on those beside it; {step.name} "
            "has none"
        )


def _refuse_unflattened(layer: Step, between: Sequence[Step], consumer: Step) -> None:
    """Raise where a linear layer would read rows of an image as examples, or a convolution flat units as an image."""
    flat = any(step.module is None or isinstance(step.module, nn.Flatten) for step in between)
    kinds = isinstance(layer.module, nn.Conv2d), isinstance(consumer.module, nn.Conv2d)
    if kinds == (True, False) and not flat:
        raise ValueError(f"channels are flattened before a linear layer; {consumer.name} follows {layer.name} directly")
    if kinds[1] and (flat or not kinds[0]):
        raise ValueError(f"a convolution takes the channels of another; {consumer.name} takes flat units")
