"""A pruned net on disk made physically smaller: read, shrunk, proved equal on data, written."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from prunelab import files
from prunelab.data import Images, Split
from prunelab.deploy.export import TOLERANCE, refuse_other_outputs
from prunelab.deploy.forms import exporter, operations, without_dead_units
from prunelab.deploy.stored import open_net, read, refuse_other_data, refuse_other_net
from prunelab.models import is_conv, parse, parse_conv
from prunelab.models.modes import evaluating
from prunelab.pruning.units import outputs


def smaller_spec(spec: str, model: nn.Module) -> str:
    """Write the spec of a net with fewer units in its layers.

    Args:
        spec: of the whole net.
        model: the smaller one, built from that spec before it lost units: its hidden layers under their names.

    Returns:
        A spec that builds nets of the smaller one's shapes, with its activations.

    Raises:
        ValueError: the spec cannot be read.
    """
    layers = dict(model.named_children())
    if not is_conv(spec):
        net = parse(spec)
        widths = [outputs(layers[name]) for name in net.layers[:-1]]
        activations = net.activations if len(set(net.activations)) > 1 else net.activations[:1]
        return "-".join([net.family, *map(str, widths), *activations])
    whole = parse_conv(spec)
    convolutions = [
        f"{outputs(layers[f'conv{depth}'])}k{layer.kernel}{'p' if layer.pool else ''}"
        for depth, layer in enumerate(whole.convolutions, start=1)
    ]
    widths = [outputs(layers[f"fc{depth}"]) for depth in range(1, len(whole.widths) + 1)]
    words = [word for word, said in (("same", whole.same), ("bn", whole.batch_norm)) if said]
    return "-".join(["conv", *convolutions, *map(str, widths), *words, whole.activation])


_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Shrunk:
    """What became of a net, and how equal the smaller one is."""

    model: Path  # the smaller net, safetensors
    onnx: Path | None  # the same exported; None where it was not asked for
    spec: str  # of the smaller net
    units: dict[str, tuple[int, int]]  # layer -> units left, units before
    parameters: tuple[int, int]  # left, before
    file_bytes: tuple[int, int]  # of the safetensors, left and before
    flops: tuple[int, int]  # on one example, left and before
    examples: int  # that the outputs were compared on
    difference: float  # largest of an output of the smaller net from the whole one's
    onnx_difference: float | None  # the same of the exported one
    agreement: float  # share of the examples with the same prediction, the least of both, [0, 1]


def shrink_stored(
    path: Path,
    *,
    arch: str | None,
    images: Images,
    out: Path,
    onnx: bool = True,
    tolerance: float = TOLERANCE,
) -> Shrunk:
    """Write the physically smaller net that a pruned one is, and prove that both compute the same.

    Units without any incoming or without any outgoing weight are left out, see `without_dead_units`. The outputs of the
    smaller net, and of its export by ONNX Runtime, are compared with the whole one's on every test example before
    anything is written.

    Args:
        path: parameters as safetensors: a net stored by a run, which says what it is in its metadata, or a plain state
            of a net.
        arch: spec of the net, see `prunelab.models.build`; may be left out where the file says it.
        images: what the net sees, scaled as it was trained on.
        out: folder to write `<name>-shrunk.safetensors` to, with the smaller net's spec in the metadata, and
            `<name>-shrunk.onnx`; made where missing.
        onnx: whether to export too.
        tolerance: largest difference of outputs, as a share of the largest one in magnitude.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file that is no such net or of another net than `arch` says, one trained on other data, numbers
            that are not finite, or outputs that differ by more than the tolerance; nothing is written then.
    """
    file = read(Path(path))
    if file.odd:
        raise ValueError(f"a stored net says what it is by name, as JSON; {path} says {file.odd!r}: store it again")
    refuse_other_net(path, file.identity.get("model"), arch)
    spec = file.identity.get("model", arch)
    if spec is None:
        raise ValueError(f"{path} does not say what net it holds; name it, as in --arch lenet-300-100")
    refuse_other_data(file, images.name, images.content_id)
    whole = open_net(file, str(spec), data=images.name, inputs=images.shape, classes=len(images.classes))
    small = without_dead_units(whole)
    expected = _outputs(whole, images.test)
    found = _outputs(small.model, images.test)
    what = f"{path} without its dead units"
    difference = refuse_other_outputs(found, expected, what=what, tolerance=tolerance)
    agreement, exported, onnx_difference = _agreement(found, expected), None, None
    if onnx:
        exported = exporter().export(small.model, images.shape)
        opened = exporter().session(exported)
        found = torch.cat([exporter().run(opened, x) for x in images.test.x.split(_BATCH)])
        onnx_difference = refuse_other_outputs(found, expected, what=f"{what}, exported", tolerance=tolerance)
        agreement = min(agreement, _agreement(found, expected))
    own = smaller_spec(spec, small.model)
    named = {"data": images.name, "data_id": images.content_id, **file.identity, "model": own, "shrunk_from": spec}
    tensors = {name: tensor.contiguous() for name, tensor in small.model.state_dict().items()}
    # One key: safetensors writes several in an order that differs from run to run.
    written = save(tensors, metadata={"net": json.dumps(named)})
    places = [out / f"{Path(path).stem}-shrunk.{kind}" for kind in ("safetensors", "onnx")]
    _write({places[0]: written} | ({} if exported is None else {places[1]: bytes(exported)}))
    return Shrunk(
        model=places[0],
        onnx=places[1] if onnx else None,
        spec=own,
        units={name: (int((~flags).sum()), len(flags)) for name, flags in small.removed.items()},
        parameters=(_parameters(small.model), _parameters(whole)),
        file_bytes=(len(written), file.path.stat().st_size),
        flops=(operations(small.model, images.shape), operations(whole, images.shape)),
        examples=len(images.test),
        difference=difference,
        onnx_difference=onnx_difference,
        agreement=agreement,
    )


def _outputs(model: nn.Module, split: Split) -> Tensor:
    with evaluating(model):
        return torch.cat([model(x) for x in split.x.split(_BATCH)])


def _agreement(found: Tensor, expected: Tensor) -> float:
    return float((found.argmax(1) == expected.argmax(1)).double().mean())


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _write(contents: Mapping[Path, bytes]) -> None:
    """Write files so that none of them takes its place before all of them are whole."""
    with ExitStack() as written:
        for path, content in contents.items():
            written.enter_context(files.replacing(path)).write_bytes(content)
