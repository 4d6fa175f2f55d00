"""The figures of what may be done about removed units: which mean, what it costs, and what it gains."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from pandas import DataFrame

from prunelab.figures import INK, MUTED, Line, Saved, save, style
from prunelab.stats import LEVEL, Interval
from prunelab.studies.lenet_labels import place_labels
from prunelab.studies.lenet_panels import said
from prunelab.studies.units_figure_axes import WIDTH, grid, number, outer, penalty_axis
from prunelab.studies.units_labels import ALL, ONE, PARTS, layer_name, layers_of, one_net

_LINE = Line(label="", colour="#0072b2", marker="o")
_BARS = "Bars: 95 % t interval over seeds."
_NEAR = 0.1  # costs that differ by less share a place
_FINE = 300.0  # ratio of costs up to which an axis has numbers within decades


def which_mean(means: DataFrame, part: str, *, suffix: str = "") -> Saved:
    """Draw the mean penalty of each correction, a panel a layer.

    Args:
        means: as `units_derived.correction_means` gives them, of one net.
        part: the examples the penalties were measured on.
        suffix: behind the name of the figure, where nets have one each.

    Raises:
        ValueError: nothing was measured on this part.
    """
    rows = _of(means, part)
    net, corrections = one_net(rows), list(dict.fromkeys(rows["correction"]))
    layers = [layer for layer in layers_of(rows.rename(columns={"layers": "layer"})) if layer != ONE]
    with style():
        titles = [layer_name(layer) for layer in layers]
        figure, axes = grid(titles, columns=2, height=0.55 + 0.2 * len(corrections), same=False)
        words = []
        for place, (axis, layer) in enumerate(zip(axes, layers, strict=True)):
            own = rows[rows["layers"] == layer]
            _rows_of_points(axis, own, corrections)
            if place % 2:
                axis.tick_params(labelleft=False)
            words.append(f"{layer_name(layer)}: {_first_and_best(own)}")
        outer(axes, columns=2, xlabel="mean penalty (nats)", ylabel="")
        return save(
            figure,
            f"which-mean{suffix}",
            alt=f"Mean penalty by what is done about the removed units, {net}, {PARTS[part]}, a panel a layer; nats "
            f"with 95 % interval. {'; '.join(words)}.",
            caption=f"Mean penalty by what is done about the removed units, {net}, {PARTS[part]}, over scores; each "
            f"panel on its own scale. {_BARS}{_controls_in_words(rows)}",
            table=f"corrections{suffix}",
        )


def penalty_against_cost(means: DataFrame, part: str, *, suffix: str = "") -> Saved:
    """Draw the mean penalty of each correction against the operations it costs, points named.

    What costs nothing is a line across. Layers pruned one at a time are averaged; where all were pruned at once only,
    that is drawn.

    Args:
        means: as `units_derived.correction_means` gives them, of one net.
        part: the examples the penalties were measured on.
        suffix: behind the name of the figure, where nets have one each.

    Raises:
        ValueError: nothing was measured on this part, or nothing costs anything.
    """
    rows = _of(means, part)
    net, group = one_net(rows), ONE if ONE in set(rows["layers"]) else ALL
    rows = rows[rows["layers"] == group]
    paid, free = rows[rows["operations"] > 0], rows[rows["operations"] <= 0]
    if paid.empty:
        raise ValueError("a cost is drawn on a logarithmic axis; no correction of the table costs any operation")
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 4.6), layout=ConstrainedLayoutEngine())
        axis.set_xscale("log")
        least, most = float(paid["operations"].min()), float(paid["operations"].max())
        room = max((most / least) ** 0.12, 1.5)
        axis.set_xlim(least / room, most * room)
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if most / least < _FINE else (1.0,)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axis.xaxis.set_minor_locator(NullLocator())
        penalty_axis([axis], rows[["penalty", "low", "high"]], inches=3.6)
        axis.errorbar(paid["operations"], paid["penalty"], yerr=_bars(paid), **_drawn(_LINE))
        for row in free.to_dict("records"):
            axis.axhline(row["penalty"], color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
            axis.annotate(
                f"{row['correction']}, no cost",
                (1, row["penalty"]),
                (-4, 3),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                color=INK,
            )
        axis.set_xlabel("cost (floating-point operations, in those of one training step)")
        axis.set_ylabel("mean penalty (nats)")
        low, high = axis.get_xlim()
        lines = [(float(at), float(y)) for y in free["penalty"] for at in np.geomspace(low, high, 60)]
        bars = [
            (float(row["operations"]), float(end))
            for row in paid.dropna(subset=["low", "high"]).to_dict("records")
            for end in np.linspace(row["low"], row["high"], 9)
        ]
        place_labels(
            axis,
            [(row["operations"], row["penalty"], str(row["correction"])) for row in _named(paid).to_dict("records")],
            keep_clear=[*lines, *bars],
        )
        words = "; ".join(
            f"{row['correction']} {row['operations']:.3g} training steps, {said(_interval(row), 4)} nats"
            for row in rows.to_dict("records")
        )
        return save(
            figure,
            f"penalty-against-cost{suffix}",
            alt=f"Mean penalty against the cost of what is done about the removed units, {net}, {PARTS[part]}, "
            f"{layer_name(group)}: {words}.",
            caption=f"Mean penalty against what lowering it costs, {net}, {PARTS[part]}, {layer_name(group)}, over "
            f"scores. {_BARS} Dashed: what costs nothing beyond setting units to zero. Of several at one "
            f"cost the best and the worst are named.{_controls_in_words(rows)}",
            table=f"corrections{suffix}",
        )


def _of(means: DataFrame, part: str) -> DataFrame:
    rows = means[means["part"] == part]
    if rows.empty:
        raise ValueError(f"the table has {', '.join(dict.fromkeys(means['part']))}; got part {part!r}: name one")
    return rows


def _named(paid: DataFrame) -> DataFrame:
    """Choose the points to name: of several at nearly one cost the lowest and the highest, of others all."""
    rows = paid.sort_values(["operations", "penalty"], kind="stable")
    near = (rows["operations"].pct_change().fillna(math.inf) > _NEAR).cumsum()
    place = rows.groupby(near)["penalty"].rank(method="first")
    return rows[(place == 1) | (place == rows.groupby(near)["penalty"].transform("size"))]


def _first_and_best(own: DataFrame) -> str:
    """Say the mean of the first correction of a table and the lowest."""
    first, *_ = every = own.to_dict("records")
    best = min(every, key=lambda row: float(row["penalty"]))
    return ", ".join(
        f"{word}{row['correction']} {said(_interval(row), 4)}" for word, row in (("", first), ("lowest ", best))
    )


def _rows_of_points(axis: Axes, own: DataFrame, corrections: Sequence[str]) -> None:
    """Draw a mean with its interval a row, the first correction on top."""
    places = [corrections.index(name) for name in own["correction"]]
    axis.errorbar(own["penalty"], places, xerr=_bars(own), **_drawn(_LINE))
    axis.set_yticks(range(len(corrections)), corrections)
    axis.set_ylim(len(corrections) - 0.5, -0.5)
    axis.grid(False, axis="y")
    axis.locator_params(axis="x", nbins=4)
    axis.axvline(0, color=INK, linewidth=0.6, zorder=1)


def _controls_in_words(rows: DataFrame) -> str:
    changed = dict.fromkeys(rows["correction"][rows["control"].fillna(0) != 0])
    said_so = f" Of {', '.join(changed)}, what the same does to a net that lost nothing is subtracted."
    return said_so if changed else ""


def _bars(rows: DataFrame) -> list[list[float]]:
    """Give how far the intervals reach below and above the means; 0 with one seed."""
    return [(rows["penalty"] - rows["low"]).fillna(0).tolist(), (rows["high"] - rows["penalty"]).fillna(0).tolist()]


def _drawn(line: Line) -> dict[str, Any]:
    return {"color": line.colour, "marker": line.marker, "markersize": 5, "linestyle": "none", "capsize": 3}


def _interval(row: Mapping[Hashable, Any]) -> Interval:
    value, low, high = (float(row[name]) for name in ("penalty", "low", "high"))
    return Interval(value=value, low=low, high=high, n=int(row["seeds"]), level=LEVEL, method="t")
