"""The rows of the connection-sparseness tables as numbers that know their rounding."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from prunelab.audit.identities import half_unit

TABLE = "connection-sparseness"
SPARSITY = "sparsity [%]"
WORD_ERROR = "word error [%]"
THRESHOLD = "threshold"


@dataclass(frozen=True, kw_only=True)
class Net:
    """One printed row: a pruned net. Sparsity in percent of all weights, word error in percent."""

    experiment: str
    group: str  # the source's number of the net; printed again, it is the same net
    layer: str  # "all" or the one that was pruned
    method: str  # "abs", "positive", "negative" or "percentile"
    threshold: float  # absolute weight, or the fraction of each layer for "percentile"
    sparsity: float
    word_error: float
    sparsity_rounding: float  # how far the printed number may be from the one it rounds
    word_error_rounding: float

    @property
    def name(self) -> str:
        """What a reader finds the row by."""
        return f"group {self.group}"


def read(table: pd.DataFrame) -> list[Net]:
    """Read every row of the published table.

    Args:
        table: its cells as text, for the printed digits say how they were rounded.
    """
    return [
        Net(
            experiment=cells["experiment"],
            group=cells["group"],
            layer=cells["layer"],
            method=cells["method"],
            threshold=float(cells["threshold"]),
            sparsity=float(cells["sparsity_percent"]),
            word_error=float(cells["wer_percent"]),
            sparsity_rounding=half_unit(cells["sparsity_percent"]),
            word_error_rounding=half_unit(cells["wer_percent"]),
        )
        for cells in table.to_dict("records")
    ]


def distinct(rows: Sequence[Net]) -> list[Net]:
    """Return each net once, as first printed."""
    first: dict[str, Net] = {}
    for row in rows:
        first.setdefault(row.group, row)
    return list(first.values())


def by_method(nets: Sequence[Net]) -> dict[str, list[Net]]:
    """Return the nets pruned as a whole: method -> nets by increasing threshold."""
    whole = sorted((net for net in nets if net.layer == "all"), key=lambda net: net.threshold)
    return {method: [net for net in whole if net.method == method] for method in dict.fromkeys(n.method for n in whole)}
