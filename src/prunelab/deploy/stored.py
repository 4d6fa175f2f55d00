"""Nets on disk: read with what their file says of them, held to a spec and to data, written whole."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from prunelab import files
from prunelab.models import build, is_conv, parse, parse_conv
from prunelab.pruning.application import plain_state


@dataclass(frozen=True, kw_only=True, eq=False)
class NetFile:
    """What a safetensors file holds."""

    path: Path
    state: Mapping[str, Tensor]  # parameters and buffers by name
    identity: Mapping[str, Any]  # of our metadata: model, data, data_id, seed, ... as far as given; may be empty
    odd: str = ""  # what the metadata say in the place of ours, where that is no account of a net


def read(path: Path) -> NetFile:
    """Read a net's parameters, and what the file's metadata say of it, if anything.

    Weights pruned by `torch.nn.utils.prune` are read as the net computes with them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no safetensors file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"a net is a .safetensors file; there is none at {path}")
    try:
        with safe_open(path, framework="pt") as stored:
            state = plain_state({name: stored.get_tensor(name) for name in stored.keys()})  # noqa: SIM118 (no mapping)
            told = (stored.metadata() or {}).get("net", "{}")
    except SafetensorError as error:
        raise ValueError(
            f"a stored net is a safetensors file, as safetensors.torch.save_file writes one of a state_dict; {path} is "
            f"not one ({error})"
        ) from error
    try:
        identity = json.loads(told)
    except json.JSONDecodeError:
        identity = None
    if not isinstance(identity, dict):
        return NetFile(path=path, state=state, identity={}, odd=told)
    return NetFile(path=path, state=state, identity=identity)


def open_net(
    file: NetFile, arch: str, *, data: str, inputs: int | Sequence[int], classes: int, device: str = "cpu"
) -> nn.Sequential:
    """Build the net of a spec with the parameters of a file.

    Args:
        file: as `read` gives it.
        arch: spec of the net, see `prunelab.models.build`.
        data: name of what it is measured on, for the errors.
        inputs: values of one example, or its shape.
        classes: outputs of the net.
        device: where the net goes.

    Returns:
        The net in evaluation mode, float32.

    Raises:
        ValueError: a tensor is missing, unknown, of another shape, not numbers, or not finite; or the spec is none.
    """
    module = build(arch, inputs=inputs, classes=classes, generator=torch.Generator())
    own = module.state_dict()
    hint = "rename them, name the right architecture, or prune the module itself with prunelab.choosing.choose"
    missing, unknown = ([n for n in one if n not in other] for one, other in ((own, file.state), (file.state, own)))
    if missing or unknown:
        raise ValueError(
            f"a net {arch!r} has the tensors {', '.join(own)}; {file.path} lacks {', '.join(missing) or 'none'} and "
            f"has besides {', '.join(unknown) or 'none'}: {hint}"
        )
    for name, tensor in file.state.items():
        if tensor.shape != own[name].shape:
            raise ValueError(
                f"in a net {arch!r} of {data}, {name!r} has shape {tuple(own[name].shape)}; in {file.path} it "
                f"has {tuple(tensor.shape)}: is it another architecture, or trained on other data?"
            )
        if tensor.is_floating_point() != own[name].is_floating_point():
            raise ValueError(f"{name!r} is {own[name].dtype} in a net; in {file.path} it is {tensor.dtype}")
        if odd := int((~torch.isfinite(tensor.float())).sum()):
            raise ValueError(
                f"the weights of a net are finite; {odd} of {tensor.numel()} of {name!r} in {file.path} are NaN or "
                "infinite: did its training diverge?"
            )
    module.load_state_dict(dict(file.state))
    return module.to(device).eval()


def refuse_other_data(file: NetFile, data: str, data_id: str) -> None:
    """Refuse to measure a net on other data than its file says it was trained on; it need not say.

    Args:
        file: as `read` gives it.
        data: name of the data.
        data_id: their content id.

    Raises:
        ValueError: the content ids differ.
    """
    if (trained := file.identity.get("data_id", data_id)) != data_id:
        raise ValueError(
            f"a net is measured on the data it was trained on; {file.path} was trained on {file.identity.get('data')} "
            f"({trained}), this is {data} ({data_id})"
        )


def write(path: Path, module: nn.Module, identity: Mapping[str, Any]) -> Path:
    """Write a net's parameters as safetensors, whole or not at all, its identity in the metadata.

    Args:
        path: the file; its folder is made where missing.
        module: the net.
        identity: model, data and what else is known, as JSON can hold it.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with files.replacing(path) as temporary:
        # One key: safetensors writes several in an order that differs from run to run.
        save_file(state, temporary, metadata={"net": json.dumps(dict(identity))})
    return path


def same_net(one: str, other: str) -> bool:
    """Say whether two specs name nets of one shape with the same activations, as lenet-300-100 and mlp-300-100-relu.

    Raises:
        ValueError: one of them cannot be read.
    """
    if is_conv(one) or is_conv(other):
        return is_conv(one) and is_conv(other) and parse_conv(one) == parse_conv(other)
    first, second = parse(one), parse(other)
    return (first.widths, first.activations, first.layers) == (second.widths, second.activations, second.layers)


def refuse_other_net(path: Path, own: object, arch: str | None) -> None:
    """Refuse to take a stored net for another than it says it is; without one of the two there is nothing to compare.

    Args:
        path: of its file.
        own: its spec as the file says it.
        arch: the spec it is to be.

    Raises:
        ValueError: they name different nets, or one of them cannot be read.
    """
    if own is not None and arch is not None and not same_net(str(own), arch):
        raise ValueError(f"{path} holds a net {own!r} by its own account; got arch {arch!r}: leave it out")
