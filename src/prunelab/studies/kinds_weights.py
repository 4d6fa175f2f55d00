"""What each kind of pruning function does to the distribution of the weights: which go, which stay, how these move."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pandas import DataFrame
from torch import Tensor

from prunelab.studies.kinds_measuring import Seen
from prunelab.studies.kinds_tables import WEIGHTS_COLUMNS, WEIGHTS_KEY

WHICH = ("removed", "kept", "retrained")
BINS = 61  # an odd number: one bin is centred at zero
RANGE = 4.0  # root mean square weights on either side


def edges_of(weight_rms: float) -> NDArray[np.float64]:
    """Lay out bins for the weights of all kinds.

    Args:
        weight_rms: root mean square weight of the net trained without a penalty.
    """
    return np.linspace(-RANGE * weight_rms, RANGE * weight_rms, BINS + 1)


def counted(seen: Seen, edges: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Count the weights of one measurement bin by bin; those beyond the bins are left out.

    Args:
        seen: one-shot gives the weights removed and those kept, retrained those kept as they are afterwards.
        edges: of the bins, see `edges_of`.

    Returns:
        Rows with the columns of `WEIGHTS_COLUMNS`, and the seed.
    """
    row = seen.row
    kept = {name: seen.masks.get(name, torch.ones_like(own, dtype=torch.bool)) for name, own in seen.before.items()}
    if row.retrained:
        sides = {"retrained": [own[kept[name].to(own.device)] for name, own in seen.after.items()]}
    else:
        sides = {
            "removed": [own[~kept[name].to(own.device)] for name, own in seen.before.items()],
            "kept": [own[kept[name].to(own.device)] for name, own in seen.before.items()],
        }
    place = {
        name: getattr(row, name) for name in ("data", "data_id", "model", "kind", "scope", "sparsity_asked", "seed")
    }
    return [
        {**place, "which": which, "left": left, "right": right, "share_percent": 100 * int(number) / row.weights}
        for which, parts in sides.items()
        for left, right, number in zip(edges[:-1], edges[1:], _histogram(parts, edges), strict=True)
    ]


def weight_table(rows: Sequence[dict[str, Any]]) -> DataFrame:
    """Average the shares of `counted` over seeds; columns as `WEIGHTS_COLUMNS` says."""
    frame = DataFrame(rows)
    means = frame.groupby(["data_id", "right", *WEIGHTS_KEY], sort=False)["share_percent"].mean().reset_index()
    return means[list(WEIGHTS_COLUMNS)]


def _histogram(parts: Sequence[Tensor], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    values = torch.cat([part.flatten() for part in parts]).double().cpu().numpy()
    counts: NDArray[np.int64] = np.histogram(values, edges)[0]
    return counts
