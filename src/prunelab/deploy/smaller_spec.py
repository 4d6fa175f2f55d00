"""The spec of a net that lost units: the same words with smaller widths."""

from pathlib import Path

from torch import nn

from prunelab.models import is_conv, parse, parse_conv
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
