"""A printed number held against an identity that it must satisfy."""

from typing import Annotated as A
from typing import Literal

from prunelab.tables import Table

Status = Literal["holds", "fails", "doubtful"]

# Sums of decimal numbers in binary are off by about 1e-14; the printed digits end at 1e-4.
_ARITHMETIC = 1e-9


class Number(Table):
    """A printed number, and what the others make of it."""

    quantity: A[str, "which number of the row [its unit]"]
    printed: A[float, "the number as printed [unit of quantity]"]
    implied: A[
        float | None,
        "what the identity makes of the other numbers; may be empty where it names no number [unit of quantity]",
    ] = None
    deviation: A[float | None, "printed - implied; may be empty [unit of quantity]"] = None
    tolerance: A[float | None, "what rounding and interpolation can explain; may be empty [unit of quantity]"] = None
    status: A[Status, "holds, fails, or doubtful (a coincidence is possible)"]
    how: A[str, "how the value is implied"]


class Row(Table):
    """A row of a source's table."""

    table: A[str, "the source's table"]
    row: A[str, "its row"]


class Checked(Row):
    """A row and what is checked of it."""

    identity: A[str, "what must hold"]


class Finding(Number, Checked, key="table row identity quantity", name="findings"):
    """One printed number held against one identity."""


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
