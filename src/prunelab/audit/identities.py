"""What an identity says about one printed number: the record an audit is made of."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["holds", "fails", "doubtful"]

# Sums of decimal numbers in binary are off by about 1e-14; the printed digits end at 1e-4.
_ARITHMETIC = 1e-9


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One printed number held against one identity."""

    table: str
    row: str  # as a reader finds it: "group 17", "300-200 pruned"
    identity: str
    quantity: str  # which number of the row, with its unit
    printed: float
    implied: float | None = None  # what the identity makes of the other numbers; None where it names no number
    deviation: float | None = None  # printed - implied
    tolerance: float | None = None  # what rounding, and interpolation where there is any, can explain
    status: Status
    how: str  # how the value is implied, and what a failing row may have been meant to say


def check(
    *, table: str, row: str, identity: str, quantity: str, printed: float, implied: float, tolerance: float, how: str
) -> Finding:
    """Hold a printed number against the value implied for it; beyond the tolerance the identity fails.

    Args:
        table: the source's table.
        row: its row.
        identity: what must hold.
        quantity: which number of the row, with its unit.
        printed: the number.
        implied: the number the identity asks for.
        tolerance: >= 0, how far rounding and interpolation can move the two apart.
        how: how `implied` comes about.
    """
    deviation = printed - implied
    return Finding(
        table=table,
        row=row,
        identity=identity,
        quantity=quantity,
        printed=printed,
        implied=implied,
        deviation=deviation,
        tolerance=tolerance,
        status="fails" if abs(deviation) > tolerance + _ARITHMETIC else "holds",
        how=how,
    )


def half_unit(text: str) -> float:
    """Return how far a printed decimal may be from the number it rounds.

    Half a unit of its last digit; where a two-decimal number was padded to four ("8.8600"), of its second.
    """
    decimals = text.partition(".")[2]
    if len(decimals) == 4 and decimals.endswith("00"):
        decimals = decimals[:2]
    return 0.5 * 10.0 ** -len(decimals)
