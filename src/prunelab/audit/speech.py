"""Sparsity against the threshold: its order, its two signs, and its proportion to a percentile."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunelab.audit.identities import Finding, Status, check, half_unit

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


def one_threshold_one_sparsity(nets: Sequence[Net]) -> list[Finding]:
    """Hold sparsity to growing strictly with the threshold, method by method.

    The fewest rows that break the order are the failing ones. The implied value is interpolated linearly between the
    next thresholds, and everything between those two rows is within the tolerance.
    """
    found = []
    for method, rows in by_method(nets).items():
        fair = _in_order(rows)
        for net in rows:
            others = [other for other in fair if other is not net]
            low, implied, high = _between(others, net.threshold)
            hints = [
                f"; {other.name} has this sparsity at threshold {other.threshold:g}"
                for other in others
                if other.sparsity == net.sparsity
            ]
            found.append(
                Finding(
                    table=TABLE,
                    row=net.name,
                    identity=f"sparsity grows with the threshold ({method})",
                    quantity=SPARSITY,
                    printed=net.sparsity,
                    implied=implied,
                    deviation=None if implied is None else net.sparsity - implied,
                    tolerance=None if implied is None else _room(net.sparsity, low, implied, high),
                    status="holds" if net in fair else "fails",
                    how=f"the rows at the next thresholds allow {low:g} to {high:g}" + "".join(hints),
                )
            )
    return found


def signs_add_up(nets: Sequence[Net]) -> list[Finding]:
    """Hold abs pruning to removing what positive and negative pruning remove at the same threshold.

    Where a sign was not measured at the threshold, its rows at the next thresholds bound it. Rows of a sign that break
    its own order are left out: they would put the abs rows in the wrong.
    """
    methods = by_method(nets)
    pair = {sign: _in_order(methods.get(sign, [])) for sign in ("positive", "negative")}
    found = []
    for net in methods.get("abs", []):
        signs = [_at(rows, net.threshold) for rows in pair.values()]
        low, high = sum(sign[0] for sign in signs), sum(sign[2] for sign in signs)
        estimates = [sign[1] for sign in signs if sign[1] is not None]
        if len(estimates) < len(signs):  # beyond the last threshold of a sign nothing is implied
            continue
        implied = sum(estimates)
        names = [other.name for rows in pair.values() for other in rows if other.threshold == net.threshold]
        bounds = "" if low == high else f"; the rows at the next thresholds allow {low:g} to {high:g}"
        found.append(
            check(
                table=TABLE,
                row=net.name,
                identity="positive + negative = abs",
                quantity=SPARSITY,
                printed=net.sparsity,
                implied=implied,
                tolerance=3 * net.sparsity_rounding + _room(net.sparsity, low, implied, high),
                how=f"the sum of the two signs at threshold {net.threshold:g}{_listed(names)}{bounds}",
            )
        )
    return found


def proportional(nets: Sequence[Net]) -> list[Finding]:
    """Hold a percentile and the sparsity it gives to growing in proportion.

    Their ratio drifts a little over the table, so each row's ratio is held to that of its neighbours: interpolated
    between them, or carried on from the nearest two at an end, with their difference as the tolerance.
    """
    rows = by_method(nets).get("percentile", [])
    fair = list(rows)
    # The row that is furthest off leaves first, for it may be what puts its neighbours off.
    while len(fair) > 3:
        worst = max(fair, key=lambda net: _excess(net, fair))
        if _excess(worst, fair) <= 1:
            break
        fair.remove(worst)
    found = []
    for net in rows if len(fair) > 2 else []:
        others = [other for other in fair if other is not net]
        ratio, spread = _ratio(net, others)
        meant = float(np.interp(net.sparsity, [o.sparsity for o in others], [o.threshold for o in others]))
        found.append(
            check(
                table=TABLE,
                row=net.name,
                identity="percentile and sparsity in proportion",
                quantity=SPARSITY,
                printed=net.sparsity,
                implied=net.threshold * ratio,
                tolerance=net.threshold * spread + net.sparsity_rounding,
                how=f"{net.threshold:g} x {ratio:.2f}, the neighbours' ratio; they put this sparsity at {meant:.3f}",
            )
        )
    return found


def _in_order(rows: Sequence[Net]) -> list[Net]:
    """Return the rows less the fewest, found greedily, without which sparsity increases strictly with the threshold."""
    fair = list(rows)
    while fair:
        conflicts = [sum(_clash(net, other) for other in fair) for net in fair]
        if max(conflicts) == 0:
            break
        # Among equals the one that lies furthest from the line between its neighbours.
        fair.pop(max(range(len(fair)), key=lambda i: (conflicts[i], _off_line(fair, i))))
    return fair


def _clash(net: Net, other: Net) -> bool:
    return net is not other and (net.threshold - other.threshold) * (net.sparsity - other.sparsity) <= 0


def _off_line(rows: Sequence[Net], i: int) -> float:
    implied = _between([*rows[:i], *rows[i + 1 :]], rows[i].threshold)[1]
    return 0.0 if implied is None else abs(rows[i].sparsity - implied)


def _between(rows: Sequence[Net], threshold: float) -> tuple[float, float | None, float]:
    """Return bounds and linear estimate (low, implied, high) of the sparsity at a threshold, from ordered rows.

    Nothing is removed at threshold 0. Above the last threshold there is no estimate, and the whole net is the bound.
    """
    xs = [0.0, *(net.threshold for net in rows)]
    ys = [0.0, *(net.sparsity for net in rows)]
    low = max(y for x, y in zip(xs, ys, strict=True) if x < threshold)
    if threshold >= xs[-1]:
        return low, None, 100.0
    high = min(y for x, y in zip(xs, ys, strict=True) if x > threshold)
    return low, float(np.interp(threshold, xs, ys)), high


def _at(rows: Sequence[Net], threshold: float) -> tuple[float, float | None, float]:
    """Return (low, implied, high) of the sparsity at a threshold: what is printed there, else as `_between`."""
    exact = [net.sparsity for net in rows if net.threshold == threshold]
    return (exact[0], exact[0], exact[0]) if exact else _between(rows, threshold)


def _listed(names: Sequence[str]) -> str:
    return f" ({' and '.join(names)})" if names else ""


def _room(printed: float, low: float, implied: float, high: float) -> float:
    """Return how far the bounds let a number be from its estimate, on the side where it is."""
    return high - implied if printed > implied else implied - low


def _ratio(net: Net, others: Sequence[Net]) -> tuple[float, float]:
    """Return sparsity / percentile at a row as the others imply it, and how far it may be off."""
    near = sorted(others, key=lambda other: abs(other.threshold - net.threshold))
    below = [other for other in near if other.threshold < net.threshold]
    above = [other for other in near if other.threshold > net.threshold]
    pair = [below[0], above[0]] if below and above else near[:2]
    (x0, r0), (x1, r1) = ((other.threshold, other.sparsity / other.threshold) for other in pair)
    implied = r0 + (r1 - r0) * (net.threshold - x0) / (x1 - x0)
    return implied, max(abs(r1 - r0), abs(implied - r0))


def _excess(net: Net, rows: Sequence[Net]) -> float:
    """Return how many times its tolerance a row's ratio is off."""
    implied, tolerance = _ratio(net, [other for other in rows if other is not net])
    return abs(net.sparsity / net.threshold - implied) / (tolerance + net.sparsity_rounding / net.threshold)


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
        found += [_own(net.name, _OWN_SPARSITY, SPARSITY, net.sparsity) for net in parts if net.group not in paired]
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
            found.append(_own(net.name, _OWN_WORD_ERROR, WORD_ERROR, net.word_error))
        elif net is same[0]:
            doubt = "different nets agree in all digits: a coincidence, or copied from one to the other"
            found.append(_own(_joined(same), _OWN_WORD_ERROR, WORD_ERROR, net.word_error, doubt=doubt))
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


def _own(row: str, identity: str, quantity: str, printed: float, *, doubt: str = "") -> Finding:
    status: Status = "doubtful" if doubt else "holds"
    how = doubt or "no other has it"
    return Finding(table=TABLE, row=row, identity=identity, quantity=quantity, printed=printed, status=status, how=how)


def _joined(nets: Sequence[Net]) -> str:
    return " and ".join(net.name for net in nets)
