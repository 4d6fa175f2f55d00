"""How sparse a network is and how much room it takes, per layer and as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from prunelab.pruning import prunable
from prunelab.pruning.application import refuse_hidden, refuse_misfits

WHOLE = "all"  # the name of the row that sums the others up
_INDEX_BYTES = 4  # of a column index or a row pointer, int32


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many weights of one layer, or of all of them, are left."""

    layer: str  # parameter name, or "all"
    weights: int  # prunable weights
    kept: int  # of these, left in the network
    sparsity: float  # fraction removed, counted, [0, 1]; 0 where there are no weights


@dataclass(frozen=True, kw_only=True)
class Size:
    """The room that the values of one parameter, or of all of them, take."""

    layer: str  # parameter name, or "all"
    parameters: int  # values, removed ones included
    nonzero: int  # values other than 0
    dense_bytes: int  # all values in a row
    csr_bytes: int  # compressed sparse rows; parameters with fewer than two dimensions stay dense


def count(weights: nn.Module | Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None) -> list[Count]:
    """Count the weights that are left, layer by layer and then in the whole.

    Sparsity is 1 - kept / weights. With masks a weight is kept if its mask says so, or if it has none; without them
    if it is not 0, which is what a final network shows.

    Args:
        weights: a network, of which the prunable weights count, or parameter name -> weight.
        masks: parameter name -> bool, of the weight's shape, True = kept.

    Returns:
        One row per weight in the given order, and a last one named "all".

    Raises:
        TypeError: a mask is not bool.
        ValueError: a mask names none of the weights or has another shape, or the network is in torch's pruned form.
    """
    if isinstance(weights, nn.Module):
        weights = prunable(weights)
    refuse_misfits(weights, masks or {})
    rows = []
    for name, weight in weights.items():
        left = weight if masks is None else masks.get(name)
        kept = weight.numel() if left is None else int(left.count_nonzero())
        rows.append(_count(name, weight.numel(), kept))
    return [*rows, _count(WHOLE, sum(row.weights for row in rows), sum(row.kept for row in rows))]


def sizes(parameters: nn.Module | Mapping[str, Tensor]) -> list[Size]:
    """Measure the room that the parameters take, dense and in compressed sparse rows (CSR).

    A weight of r rows with k nonzero values of b bytes takes k (b + 4) + 4 (r + 1) bytes in CSR: the values, their
    column indices and the row pointers, both int32. Weights of more than two dimensions are stored as matrices of
    one row per output (conv: C_out rows of C_in / groups · k_h · k_w), others (biases) as they are.

    Args:
        parameters: a network, of which each parameter counts once even if layers share it, or name -> tensor.

    Returns:
        One row per parameter in the network's order, and a last one named "all".

    Raises:
        ValueError: a parameter has 2³¹ or more nonzero values, too many for int32 row pointers, or the network is in
            torch's pruned form.
    """
    if isinstance(parameters, nn.Module):
        refuse_hidden(parameters)
        parameters = {name: parameter.detach() for name, parameter in parameters.named_parameters()}
    rows = []
    for name, parameter in parameters.items():
        nonzero = int(parameter.count_nonzero())
        dense = parameter.numel() * parameter.element_size()
        rows.append(
            Size(
                layer=name,
                parameters=parameter.numel(),
                nonzero=nonzero,
                dense_bytes=dense,
                csr_bytes=_csr_bytes(name, parameter, nonzero) if parameter.ndim >= 2 else dense,
            )
        )
    whole = Size(
        layer=WHOLE,
        parameters=sum(row.parameters for row in rows),
        nonzero=sum(row.nonzero for row in rows),
        dense_bytes=sum(row.dense_bytes for row in rows),
        csr_bytes=sum(row.csr_bytes for row in rows),
    )
    return [*rows, whole]


def _count(layer: str, weights: int, kept: int) -> Count:
    """Make a row; a layer without weights has lost nothing."""
    return Count(layer=layer, weights=weights, kept=kept, sparsity=(weights - kept) / weights if weights else 0.0)


def _csr_bytes(name: str, weight: Tensor, nonzero: int) -> int:
    """Add up values, column indices and row pointers."""
    if nonzero >= 2**31:
        raise ValueError(
            f"CSR with int32 indices holds fewer than 2**31 values; {name!r} has {nonzero}: split the layer"
        )
    return nonzero * (weight.element_size() + _INDEX_BYTES) + (weight.shape[0] + 1) * _INDEX_BYTES
