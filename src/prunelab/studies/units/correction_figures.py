"""The figures on corrections: mean replacement in three steps, which mean, and what each costs."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Circle
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from pandas import DataFrame

from prunelab.figures.labels import place_labels
from prunelab.figures.panels import _DASHED, BARS, WIDTH, grid, number, outer, penalty_axis, said
from prunelab.figures.style import INK, MUTED, Saved, save, style
from prunelab.stats import LEVEL, Interval
from prunelab.studies.common.runs import one_net
from prunelab.studies.units.figures import PARTS, label_of, layer_name, of_part
from prunelab.studies.units.summary import ALL, ONE, layers_of

_BAR_LOOKS: Mapping[str, Any] = {
    "color": "#0072b2",
    "marker": "o",
    "markersize": 5,
    "linestyle": "none",
    "capsize": 3,
}
_NEAR = 0.1  # costs that differ by less share a place
_FINE = 300.0  # ratio of costs up to which an axis has numbers within decades

# Of the three steps:
_REMOVED = "#d55e00"  # vermilion of Okabe and Ito (2008); a heavy outline, and later a dashed one, say it again
_CHANGED = "#0072b2"
_PALE = "#c9c9c9"
_TITLES = ("(1) choose units", "(2) multiply", "(3) add to the next biases")
_WIDTHS = (2.4, 2.9, 2.5)  # of the panels, inches
_LEFT, _RIGHT = 0.68, 1.6  # places of the two layers, inches from a panel's left edge
_PITCH, _RADIUS = 0.56, 0.15  # inches: between units of the larger layer, and of a unit
_HEAD, _FOOT = 0.68, 0.42  # room above and below the units, inches
_GAP = 0.23  # from the middle of a unit to the words beside it, inches
_MOST, _MOST_REMOVED = 8, 2  # units of a layer that can be told apart, and that can be written out


def which_mean(means: DataFrame, part: str, *, suffix: str = "") -> Saved:
    """Draw the mean penalty of each correction, a panel a layer."""
    rows = of_part(means, part)
    net, corrections = one_net(rows), list(dict.fromkeys(rows["correction"]))
    layers, words = [layer for layer in layers_of(rows, "layers") if layer != ONE], []
    with style():
        titles = [layer_name(layer) for layer in layers]
        figure, axes = grid(titles, columns=2, height=0.55 + 0.2 * len(corrections), same=False)
        for place, (axis, layer) in enumerate(zip(axes, layers, strict=True)):
            own = rows[rows["layers"] == layer]
            axis.errorbar(own["penalty"], own["correction"].map(corrections.index), xerr=_reach(own), **_BAR_LOOKS)
            axis.set_yticks(range(len(corrections)), corrections)
            axis.set_ylim(len(corrections) - 0.5, -0.5)
            axis.grid(False, axis="y")
            axis.locator_params(axis="x", nbins=4)
            axis.axvline(0, color=INK, linewidth=0.6, zorder=1)
            axis.tick_params(labelleft=place % 2 == 0)
            said_so = [f"{row['correction']} {_penalty_in_words(row)}" for row in own.to_dict("records")]
            words.append(f"{layer_name(layer)}: {said_so[0]}, lowest {said_so[int(own['penalty'].argmin())]}")
        outer(axes, columns=2, xlabel="mean penalty (nats)", ylabel="")
        return save(
            figure,
            f"which-mean{suffix}",
            alt=f"Mean penalty by what is done about the removed units, {net}, {PARTS[part]}, a panel a layer; nats "
            f"with 95 % interval. {'; '.join(words)}.",
            caption=f"Mean penalty by what is done about the removed units, {net}, {PARTS[part]}, over scores; each "
            f"panel on its own scale. {BARS}{_controls_in_words(rows)}",
            table=f"corrections{suffix}",
        )


def penalty_against_cost(means: DataFrame, part: str, *, suffix: str = "") -> Saved:
    """Draw the mean penalty of each correction against the operations it costs, points named.

    What costs nothing is a line across. Layers pruned one at a time are averaged; where all were pruned at once only,
    that is drawn.
    """
    rows = of_part(means, part)
    net, group = one_net(rows), ONE if ONE in set(rows["layers"]) else ALL
    rows = rows[rows["layers"] == group]
    paid, free = rows[rows["operations"] > 0], rows[rows["operations"] <= 0]
    if paid.empty:
        raise ValueError("a cost is drawn on a logarithmic axis; no correction of the table costs any operation")
    least, most = float(paid["operations"].min()), float(paid["operations"].max())
    room = max((most / least) ** 0.12, 1.5)
    low, high = least / room, most * room
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 4.6), layout=ConstrainedLayoutEngine())
        axis.set_xscale("log")
        axis.set_xlim(low, high)
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if most / least < _FINE else (1.0,)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axis.xaxis.set_minor_locator(NullLocator())
        penalty_axis([axis], rows[["penalty", "low", "high"]], inches=3.6)
        axis.errorbar(paid["operations"], paid["penalty"], yerr=_reach(paid), **_BAR_LOOKS)
        for row in free.to_dict("records"):
            axis.axhline(row["penalty"], color=MUTED, linewidth=1, linestyle=_DASHED)
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
        clear = [(float(at), float(y)) for y in free["penalty"] for at in np.geomspace(low, high, 60)]
        for row in paid.dropna(subset=["low", "high"]).to_dict("records"):
            clear += [(float(row["operations"]), float(end)) for end in np.linspace(row["low"], row["high"], 9)]
        named = [(row["operations"], row["penalty"], str(row["correction"])) for row in _named(paid).to_dict("records")]
        place_labels(axis, named, keep_clear=clear)
        words = "; ".join(
            f"{row['correction']} {row['operations']:.3g} training steps, {_penalty_in_words(row)} nats"
            for row in rows.to_dict("records")
        )
        return save(
            figure,
            f"penalty-against-cost{suffix}",
            alt=f"Mean penalty against the cost of what is done about the removed units, {net}, {PARTS[part]}, "
            f"{layer_name(group)}: {words}.",
            caption=f"Mean penalty against what lowering it costs, {net}, {PARTS[part]}, {layer_name(group)}, over "
            f"scores. {BARS} Dashed: what costs nothing beyond setting units to zero. Of several at one cost the best "
            f"and the worst are named.{_controls_in_words(rows)}",
            table=f"corrections{suffix}",
        )


def steps_figure(steps: DataFrame, losses: DataFrame, part: str = "test") -> Saved:
    """Draw the units and weights of both layers three times: chosen, multiplied, added."""
    units = steps.drop_duplicates("unit").sort_values("unit")
    following = steps.drop_duplicates("next_unit").sort_values("next_unit")
    removed = units.loc[units["removed"], "unit"].tolist()
    if max(len(units), len(following)) > _MOST or len(removed) > _MOST_REMOVED:
        raise ValueError(
            f"the three steps are drawn for up to {_MOST} units in a layer, of which up to {_MOST_REMOVED} are "
            f"removed; got {len(units)} and {len(following)}, {len(removed)} removed: take a smaller net or fraction"
        )
    loss = losses[losses["part"] == part].set_index("state")["loss"]
    if loss.empty:
        raise ValueError(f"losses are of {', '.join(dict.fromkeys(losses['part']))}; got part {part!r}")
    height = _HEAD + _FOOT + _PITCH * (max(len(units), len(following)) - 1) + 2 * _RADIUS
    left = dict(zip(units["unit"], _places(len(units), height), strict=True))
    right = dict(zip(following["next_unit"], _places(len(following), height), strict=True))
    with style():
        figure = plt.figure(figsize=(sum(_WIDTHS), height))
        axes = [_panel(figure, place, height) for place in range(len(_TITLES))]
        _chosen(axes[0], steps, left, right)
        _multiplied(axes[1], steps, left, right)
        _added(axes[2], steps, left, right)
        for axis, state, words in zip(
            axes,
            ("unpruned", "zeroed", "replaced"),
            ("unpruned", "units set to zero", "replaced by their mean"),
            strict=True,
        ):
            axis.text(0.06, 0.06, f"loss {loss[state]:.2f} nats, {words}", fontsize=9, va="bottom")
        score = label_of(str(steps["score"].iloc[0]))
        model, data = steps["model"].iloc[0], steps["data"].iloc[0]
        return save(
            figure,
            "three-steps",
            alt=f"Two layers of {model} on {data}, {len(units)} units that lead to {len(following)}, drawn three "
            f"times. First: the units with the lowest scores are marked, {_in_words(units, removed)}. Second: "
            f"{_products_in_words(steps, removed)}. Third: the marked units are gone and the next biases become "
            f"{', '.join(f'{row.bias_after:.2f} (from {row.bias:.2f})' for row in following.itertuples())}. Loss in "
            f"nats: unpruned {loss['unpruned']:.2f}, units set to zero {loss['zeroed']:.2f}, replaced by their mean "
            f"{loss['replaced']:.2f}.",
            caption=f"Mean replacement in three steps, on two layers of {model} trained on {data}: choose the units "
            f"with the lowest scores ({score}), multiply their mean activations with their outgoing weights, add the "
            f"products to the next biases. The numbers are the net's own, rounded; losses on {PARTS[part]}.",
            table="steps",
        )


def _named(paid: DataFrame) -> DataFrame:
    """Choose the points to name: of several at nearly one cost the lowest and the highest, of others all."""
    rows = paid.sort_values(["operations", "penalty"], kind="stable")
    near = (rows["operations"].pct_change().fillna(math.inf) > _NEAR).cumsum()
    place = rows.groupby(near)["penalty"].rank(method="first")
    return rows[(place == 1) | (place == rows.groupby(near)["penalty"].transform("size"))]


def _controls_in_words(rows: DataFrame) -> str:
    changed = dict.fromkeys(rows["correction"][rows["control"].fillna(0) != 0])
    said_so = f" Of {', '.join(changed)}, what the same does to a net that lost nothing is subtracted."
    return said_so if changed else ""


def _reach(rows: DataFrame) -> list[list[float]]:
    """Give how far the intervals reach below and above the means; 0 with one seed."""
    return [(rows["penalty"] - rows["low"]).fillna(0).tolist(), (rows["high"] - rows["penalty"]).fillna(0).tolist()]


def _penalty_in_words(row: Mapping[Hashable, Any]) -> str:
    value, low, high = (float(row[name]) for name in ("penalty", "low", "high"))
    return said(Interval(value=value, low=low, high=high, n=int(row["seeds"]), level=LEVEL, method="t"), 4)


def _panel(figure: Figure, place: int, height: float) -> Axes:
    """Make one panel, measured in inches, so that units are round."""
    start, whole = sum(_WIDTHS[:place]), sum(_WIDTHS)
    axis = figure.add_axes((start / whole, 0, _WIDTHS[place] / whole, 1), xlim=(0, _WIDTHS[place]), ylim=(0, height))
    axis.axis("off")
    axis.text(0.06, height - 0.06, _TITLES[place], fontsize=10.5, weight="bold", va="top")
    return axis


def _chosen(axis: Axes, steps: DataFrame, left: dict[int, float], right: dict[int, float]) -> None:
    _heading(axis, "score", "bias")
    for row in steps.to_dict("records"):
        _edge(axis, left[row["unit"]], right[row["next_unit"]], removed=row["removed"])
    for row in steps.drop_duplicates("unit").to_dict("records"):
        _unit(axis, _LEFT, left[row["unit"]], "removed" if row["removed"] else "kept")
        _before(axis, left[row["unit"]], _short(row["score_value"]), removed=row["removed"])
    for row in steps.drop_duplicates("next_unit").to_dict("records"):
        _unit(axis, _RIGHT, right[row["next_unit"]], "kept")
        _behind(axis, right[row["next_unit"]], [_short(row["bias"])])


def _multiplied(axis: Axes, steps: DataFrame, left: dict[int, float], right: dict[int, float]) -> None:
    _heading(axis, "mean", "mean × weight")
    chosen = steps[steps["removed"]]
    for unit, y in left.items():
        _unit(axis, _LEFT, y, "removed" if unit in set(chosen["unit"]) else "pale")
    for row in chosen.to_dict("records"):
        _edge(axis, left[row["unit"]], right[row["next_unit"]], removed=True)
    for row in chosen.drop_duplicates("unit").to_dict("records"):
        _before(axis, left[row["unit"]], _short(row["mean_activation"]), removed=True)
    for following, own in chosen.groupby("next_unit"):
        y = right[int(str(following))]
        _unit(axis, _RIGHT, y, "kept")
        terms = [f"{_short(row['mean_activation'])} × {_short(row['weight'])}" for row in own.to_dict("records")]
        _behind(axis, y, [terms[0], *(f"+ {term}" for term in terms[1:])], result=_short(own["shift"].iloc[0]))


def _added(axis: Axes, steps: DataFrame, left: dict[int, float], right: dict[int, float]) -> None:
    _heading(axis, "", "bias")
    for row in steps[~steps["removed"]].to_dict("records"):
        _edge(axis, left[row["unit"]], right[row["next_unit"]], removed=False)
    for row in steps.drop_duplicates("unit").to_dict("records"):
        _unit(axis, _LEFT, left[row["unit"]], "gone" if row["removed"] else "kept")
    for row in steps.drop_duplicates("next_unit").to_dict("records"):
        y, sign = right[row["next_unit"]], "−" if row["shift"] < 0 else "+"
        _unit(axis, _RIGHT, y, "changed")
        _behind(axis, y, [f"{_short(row['bias'])} {sign} {abs(row['shift']):.2f}"], result=_short(row["bias_after"]))


def _places(count: int, height: float) -> list[float]:
    """Spread a layer's units over the height of the panel, the first on top."""
    low, high = _FOOT + _RADIUS, height - _HEAD - _RADIUS
    if count == 1:
        return [(low + high) / 2]
    inset = (high - low) / (2 * count)  # so that the ends of a smaller layer do not stand level with a larger one's
    inset *= _PITCH * (count - 1) < high - low - 1e-9
    return [high - inset - place * (high - low - 2 * inset) / (count - 1) for place in range(count)]


def _unit(axis: Axes, x: float, y: float, kind: str) -> None:
    looks: dict[str, dict[str, Any]] = {
        "kept": {"facecolor": "white", "edgecolor": INK, "linewidth": 1.1},
        "pale": {"facecolor": "white", "edgecolor": _PALE, "linewidth": 1.1},
        "removed": {"facecolor": _REMOVED, "edgecolor": INK, "linewidth": 2.0},
        "gone": {"facecolor": "white", "edgecolor": MUTED, "linewidth": 1.0, "linestyle": (0, (2, 2))},
        "changed": {"facecolor": "#d6e8f5", "edgecolor": _CHANGED, "linewidth": 1.8},
    }
    axis.add_patch(Circle((x, y), _RADIUS, zorder=3, **looks[kind]))


def _edge(axis: Axes, start: float, end: float, *, removed: bool) -> None:
    colour, width, order = (_REMOVED, 1.2, 2) if removed else (_PALE, 0.7, 1)
    axis.plot([_LEFT, _RIGHT], [start, end], color=colour, linewidth=width, zorder=order, solid_capstyle="butt")


def _heading(axis: Axes, before: str, behind: str) -> None:
    """Name the numbers beside the units."""
    y = axis.get_ylim()[1] - 0.5
    axis.text(_LEFT - _GAP, y, before, ha="right", va="center", fontsize=8.5, color=MUTED)
    axis.text(_RIGHT + _GAP, y, behind, va="center", fontsize=8.5, color=MUTED)


def _before(axis: Axes, y: float, words: str, *, removed: bool) -> None:
    colour, weight = (_REMOVED, "bold") if removed else (INK, "normal")
    axis.text(_LEFT - _GAP, y, words, ha="right", va="center", fontsize=9, color=colour, weight=weight)


def _behind(axis: Axes, y: float, words: Sequence[str], *, result: str = "") -> None:
    """Write lines at a unit's right, what they come to last."""
    lines = [*((line, INK, "normal") for line in words), *([(f"= {result}", _CHANGED, "bold")] if result else [])]
    for place, (line, colour, weight) in enumerate(lines):
        height = y + 0.145 * ((len(lines) - 1) / 2 - place)
        axis.text(_RIGHT + _GAP, height, line, va="center", fontsize=8.5, color=colour, weight=weight)


def _short(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # no negative zero


def _in_words(units: DataFrame, removed: Sequence[int]) -> str:
    chosen = units[units["unit"].isin(removed)]
    scores = ", ".join(f"{value:.2f}" for value in chosen["score_value"])
    return f"{len(removed)} of {len(units)}, with scores {scores}"


def _products_in_words(steps: DataFrame, removed: Sequence[int]) -> str:
    words = []
    for unit in removed:
        own = steps[steps["unit"] == unit].sort_values("next_unit")
        weights = ", ".join(f"{value:.2f}" for value in own["weight"])
        words.append(f"mean activation {own['mean_activation'].iloc[0]:.2f} times weights {weights}")
    return "; ".join(words)
