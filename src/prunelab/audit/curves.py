"""Sparsity against the threshold: its order, its two signs, and its proportion to a percentile."""

from collections.abc import Sequence

import numpy as np

from prunelab.audit.identities import Finding, check
from prunelab.audit.nets import SPARSITY, TABLE, Net, by_method


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
