"""Rows that must agree: a net printed twice, the layers and their whole, nets that must not share a number."""

import itertools
from collections.abc import Sequence

from prunelab.audit.identities import Finding, check
from prunelab.audit.nets import SPARSITY, TABLE, THRESHOLD, WORD_ERROR, Net, by_method, distinct

# A net this many points above the best word error is on the steep part of its curve. On the flat part nets share
# their two decimals as a matter of course.
_STEEP = 1.0
_OWN_SPARSITY = "each layer has a sparsity of its own"
_OWN_WORD_ERROR = "each net has a word error of its own where the curve is steep"


def repeated_rows(rows: Sequence[Net]) -> list[Finding]:
    """Hold a row printed for a second experiment to the first: one net repeats its numbers within rounding."""
    first = {net.group: net for net in distinct(rows)}
    found = []
    for row in rows:
        origin = first[row.group]
        if row is origin:
            continue
        numbers = {
            THRESHOLD: (row.threshold, origin.threshold, 0.0),
            SPARSITY: (row.sparsity, origin.sparsity, max(row.sparsity_rounding, origin.sparsity_rounding)),
            WORD_ERROR: (row.word_error, origin.word_error, max(row.word_error_rounding, origin.word_error_rounding)),
        }
        found += [
            check(
                table=TABLE,
                row=f"{row.name} in experiment {row.experiment}",
                identity="a repeated row repeats its numbers",
                quantity=quantity,
                printed=printed,
                implied=implied,
                tolerance=tolerance,
                how=f"printed for experiment {origin.experiment}",
            )
            for quantity, (printed, implied, tolerance) in numbers.items()
        ]
    return found


def one_net_one_row(nets: Sequence[Net]) -> list[Finding]:
    """Hold nets with one sparsity to all digits, under one method in the whole net, to one word error.

    The same weights are gone then, so it is one net; the row printed later is the one held.
    """
    return [
        check(
            table=TABLE,
            row=second.name,
            identity="one sparsity, one word error",
            quantity=WORD_ERROR,
            printed=second.word_error,
            implied=first.word_error,
            tolerance=max(first.word_error_rounding, second.word_error_rounding),
            how=f"{first.name} has this sparsity: it was copied from there, or one net was decoded twice",
        )
        for first, second in itertools.combinations(nets, 2)
        if first.layer == second.layer == "all" and first.method == second.method and first.sparsity == second.sparsity
    ]


def layers(nets: Sequence[Net]) -> list[Finding]:
    """Hold the layers' shares at one threshold to adding up to the whole net's, and to being each its own."""
    single = [net for net in nets if net.layer != "all"]
    found = []
    for threshold in sorted({net.threshold for net in single}):
        parts = [net for net in single if net.threshold == threshold]
        whole = next((net for net in by_method(nets).get("abs", []) if net.threshold == threshold), None)
        pairs = [pair for pair in itertools.combinations(parts, 2) if pair[0].sparsity == pair[1].sparsity]
        total = None
        if whole is not None:
            total = check(
                table=TABLE,
                row=_joined(pairs[0]) if len(pairs) == 1 else f"layers at {threshold:g}",
                identity="the layers add up to the whole",
                quantity="sum of sparsities [%]",
                printed=sum(net.sparsity for net in parts),
                implied=whole.sparsity,
                tolerance=sum(net.sparsity_rounding for net in [*parts, whole]),
                how=f"{whole.name} is the whole net at threshold {threshold:g}",
            )
        # The pair comes first: it says which row is in doubt, the sum only that one is.
        found += [_shared(pair, total, alone=len(pairs) == 1) for pair in pairs]
        found += [] if total is None else [total]
        paired = {net.group for pair in pairs for net in pair}
        found += [_own(net, _OWN_SPARSITY, SPARSITY, net.sparsity) for net in parts if net.group not in paired]
    return found


def shared_word_errors(nets: Sequence[Net]) -> list[Finding]:
    """Doubt word errors that different nets share to all digits on the steep part of their curves.

    A coincidence cannot be excluded, so such rows are doubtful, never failing.
    """
    best = min((net.word_error for net in nets), default=0.0)
    steep = [net for net in nets if best + _STEEP < net.word_error < 100]
    found = []
    for net in steep:
        same = [other for other in steep if other.word_error == net.word_error]
        if len(same) == 1:
            found.append(_own(net, _OWN_WORD_ERROR, WORD_ERROR, net.word_error))
        elif net is same[0]:
            how = "different nets agree in all digits: a coincidence, or copied from one to the other"
            found.append(
                Finding(
                    table=TABLE,
                    row=_joined(same),
                    identity=_OWN_WORD_ERROR,
                    quantity=WORD_ERROR,
                    printed=net.word_error,
                    status="doubtful",
                    how=how,
                )
            )
    return found


def _shared(pair: Sequence[Net], total: Finding | None, *, alone: bool) -> Finding:
    """Judge two layers with one sparsity by what the whole leaves; with several such pairs it names no value."""
    printed = pair[0].sparsity
    short = total.deviation if total is not None and alone else None
    return Finding(
        table=TABLE,
        row=_joined(pair),
        identity=_OWN_SPARSITY,
        quantity=SPARSITY,
        printed=printed,
        implied=None if short is None else printed - short,
        deviation=short,
        tolerance=total.tolerance if total is not None and alone else None,
        status="fails" if total is not None and total.status == "fails" else "doubtful",
        how="two layers agree in all digits; the whole less all other layers is implied for one of the two",
    )


def _own(net: Net, identity: str, quantity: str, printed: float) -> Finding:
    return Finding(
        table=TABLE,
        row=net.name,
        identity=identity,
        quantity=quantity,
        printed=printed,
        status="holds",
        how="no other has it",
    )


def _joined(nets: Sequence[Net]) -> str:
    return " and ".join(net.name for net in nets)
