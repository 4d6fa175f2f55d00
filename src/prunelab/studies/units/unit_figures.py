"""The figures on units: which the scores choose and how well, how they are replaced, what other corrections cost."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from pandas import DataFrame

from prunelab import figures as draw
from prunelab.stats import t_interval
from prunelab.studies.units.figures import PARTS, label_of, layer_name, line_of, of_part
from prunelab.studies.units.rules import ALL, layers_of, scores_of, second_convolution
from prunelab.studies.units.summary import ONE, SIDES

_POINT = draw.Line(label="", colour=draw.BLUE, marker="o")
_EVERY = 12  # points between two markers of a profile
_CLEAR = 0.25  # of an axis, between "silent" and the first number
_NEAR = 0.1  # costs that differ by less share a place

# Of the three steps:
_REMOVED = draw.VERMILION  # a heavy outline, and later a dashed one, say it again
_CHANGED = draw.BLUE
_PALE = "#c9c9c9"
_TITLES = ("(1) choose units", "(2) multiply", "(3) add to the next biases")
_WIDTHS = (2.35, 2.75, 2.8)  # of the panels, inches
_LEFT, _RIGHT = 0.68, 1.6  # places of the two layers, inches from a panel's left edge
_PITCH, _RADIUS = 0.56, 0.15  # inches: between units of the larger layer, and of a unit
_HEAD, _FOOT = 0.68, 0.42  # room above and below the units, inches
_GAP = 0.23  # from the middle of a unit to the words beside it, inches
_MOST, _MOST_REMOVED = 8, 2  # units of a layer that can be told apart, and that can be written out


@draw.drawing()
def choices_figure(choices: DataFrame) -> draw.Saved:
    """Draw the share of the second convolution's units that each score chose at least once."""
    net, layer = draw.one_net(choices), second_convolution(choices)
    rows = choices[choices["layer"] == layer]
    rows = rows.assign(ever=100 * rows["chosen_fraction"], late=100 * rows["late_fraction"])
    scores, last = scores_of(rows), rows[rows["step"] == rows["step"].max()]
    titles, words = ["since the first checkpoint", "since the first third of the training"], []
    ylabel = "units chosen at least once (%)"
    figure, axes = draw.grid(titles, height=3.1, same=True, xlabel="training step", ylabel=ylabel)
    for axis, column, since in zip(axes, ("ever", "late"), ("the start", "the first third"), strict=True):
        ends = []
        for score in scores:
            draw.band(axis, rows[rows["score"] == score], "step", column, line=line_of(score))
            values = last.loc[last["score"] == score, column].dropna()
            if len(values):
                ends.append(f"{label_of(score)} {draw.said(t_interval(values.to_numpy()), 1)}")
        words.append(f"since {since}: {', '.join(ends) or 'not measured'}")
        draw.step_axis(axis)
        axis.set_ylim(0, 103)
    draw.legend(figure, list(map(line_of, scores)))
    return draw.save(
        figure,
        "choices",
        alt=f"Share of the units of the {layer_name(layer)} that a score chose for removal at least once, {net}. At "
        f"step {int(rows['step'].max()):,}, mean with 95 % interval in %, {'; '.join(words)}.",
        caption=f"Units of the {layer_name(layer)} chosen for removal at least once, from the first checkpoint on and "
        f"from after the first third of the training on, {net}. {draw.BAND}",
        table="choices",
    )


@draw.drawing()
def squares_figure(bins: DataFrame, deciles: DataFrame) -> draw.Saved:
    """Draw the histogram of the mean squared activations of one layer's units that each score chose."""
    net, scores, layer = draw.one_net(bins), scores_of(bins), layer_name(str(bins["layer"].iloc[0]))
    upper = {str(score): float(value) for score, value in zip(deciles["score"], deciles["decile"], strict=True)}
    silent = bins[bins["left"] == 0].set_index("score")["share_percent"]
    heard = bins[bins["left"] > 0].sort_values("left")
    mean = heard.groupby("left")["share_percent"].mean()
    ends = np.log10(draw.edges(heard[heard["score"] == scores[0]]))
    wide, gap = ends[1] - ends[0], 1.5 * (ends[1] - ends[0])  # between the silent units and the others
    columns = draw.columns_for(len(scores))
    powers = range(int(np.ceil(ends[0])), int(np.floor(ends[-1])) + 1)
    shown = [power for power in powers if power - ends[0] > _CLEAR * (ends[-1] - ends[0])]
    shown = shown[:: -(-len(shown) // (6 - columns))] if shown else []
    labels: dict[str, Any] = {"xlabel": "mean square", "ylabel": "chosen units (%)"}
    figure, axes = draw.grid(list(map(label_of, scores)), columns=columns, height=2.1, same=True, **labels)
    for axis, score in zip(axes, scores, strict=True):
        colour, own = line_of(score).colour, heard[heard["score"] == score]["share_percent"]
        axis.stairs(own.to_numpy(), ends, fill=True, color=colour, alpha=0.75)
        axis.stairs(mean.to_numpy(), ends, color=draw.INK, linewidth=0.8)
        axis.bar(ends[0] - gap, silent[score], width=wide, color=colour, alpha=0.75)
        if upper[score] > 10 ** ends[0]:
            draw.rule(axis, x=float(np.log10(upper[score])), dash=draw.SHORT, colour=draw.INK)
        axis.set_xticks([ends[0] - gap, *shown], ["silent", *(draw.number(10.0**power) for power in shown)])
    axes[0].set_ylim(0, 1.05 * float(bins["share_percent"].max()))  # of all: they share it
    words = [f"{label_of(score)} {upper[score]:.3g} ({silent[score]:.0f} % silent)" for score in scores]
    return draw.save(
        figure,
        "squared-activations",
        alt=f"Histograms of the mean squared activation of the units of the {layer} that each score chose, {net}. "
        f"Upper decile, and share of silent units: {', '.join(words)}.",
        caption=f"Mean squared activation of the units of the {layer} chosen for removal, all checkpoints and seeds, "
        f"{net}. Filled: the score's; outline: mean of all scores; dashed: the score's upper decile, mean over seeds. "
        "Silent units, whose mean square is 0 or nearly, stand apart at the left.",
        table="squares",
    )


@draw.drawing()
def profiles_figure(profiles: DataFrame, areas: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw the performance profile of every score with and without replacement, the areas in the legend."""
    net, scores = draw.one_net(profiles), scores_of(profiles)
    found = areas.set_index(["score", "replacement"])["area"]
    xlabel = "T: threshold from the worst method's penalty (0) to the best's (1)"
    ylabel = "measurements within the threshold (%)"
    figure, [axis] = draw.grid([""], columns=1, height=4.2, width=draw.WIDTH, xlabel=xlabel, ylabel=ylabel)
    for replacement, side in SIDES.items():  # the columns of the legend
        for place, score in enumerate(scores):
            rows = profiles[(profiles["score"] == score) & (profiles["replacement"] == replacement)]
            label = f"{label_of(score)}, {side}: {found[(score, replacement)]:.3f}"
            looks = line_of(score, replacement).look(label=label, markevery=(place, _EVERY))
            axis.plot(rows["t"], rows["share_percent"], **looks)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 102)
    draw.legend(figure, columns=2, title="area under the profile")
    words = [f"{label_of(name)} {found[(name, 'none')]:.3f} and {found[(name, 'mean')]:.3f}" for name in scores]
    n = int(areas["measurements"].max())
    return draw.save(
        figure,
        f"profiles{suffix}",
        alt=f"Performance profiles of scores with and without mean replacement, {net}, over {n:,} measurements. Area "
        f"under the profile, set to zero then replaced: {', '.join(words)}.",
        caption=f"Share of {n:,} measurements in which a method's penalty is within the threshold t = min T + max "
        f"(1 − T) of all methods in that measurement, {net}. Dashed, open: units set to zero; solid, filled: replaced "
        "by their mean. A larger area is better.",
        table=f"profiles{suffix}",
    )


@draw.drawing()
def which_mean(means: DataFrame, part: str, *, suffix: str = "") -> draw.Saved:
    """Draw the mean penalty of each correction, a panel a layer."""
    rows = of_part(means, part)
    net, corrections = draw.one_net(rows), list(dict.fromkeys(rows["correction"]))
    layers, words = [layer for layer in layers_of(rows, "layers") if layer != ONE], []
    titles, height = [layer_name(layer) for layer in layers], 0.75 + 0.2 * len(corrections)
    figure, axes = draw.grid(titles, height=height, width=draw.WIDTH, xlabel="mean penalty (nats)")
    for place, (axis, layer) in enumerate(zip(axes, layers, strict=True)):
        own = {
            str(row["correction"]): draw.interval_of(row, "penalty")
            for row in rows[rows["layers"] == layer].to_dict("records")
        }
        draw.bars(axis, [(found, float(corrections.index(name))) for name, found in own.items()], line=_POINT)
        draw.categories(axis, corrections, upright=True)
        axis.tick_params(labelleft=place % 2 == 0)
        axis.locator_params(axis="x", nbins=4)
        draw.rule(axis, x=0, colour=draw.INK)
        first, best = next(iter(own)), min(own, key=lambda name: own[name].value)
        ends = f"{first} {draw.said(own[first], 4)}, lowest {best} {draw.said(own[best], 4)}"
        words.append(f"{layer_name(layer)}: {ends}")
    return draw.save(
        figure,
        f"which-mean{suffix}",
        alt=f"Mean penalty by what is done about the removed units, {net}, {PARTS[part]}, a panel a layer; nats with "
        f"95 % interval. {'; '.join(words)}.",
        caption=f"Mean penalty by what is done about the removed units, {net}, {PARTS[part]}, over scores; each panel "
        f"on its own scale. {draw.BARS}{_controls_in_words(rows)}",
        table=f"corrections{suffix}",
    )


@draw.drawing()
def penalty_against_cost(means: DataFrame, part: str, *, suffix: str = "") -> draw.Saved:
    """Draw the mean penalty of each correction against the operations it costs, points named.

    What costs nothing is a line across. Layers pruned one at a time are averaged; where all were pruned at once only,
    that is drawn.
    """
    rows = of_part(means, part)
    net, group = draw.one_net(rows), ONE if ONE in set(rows["layers"]) else ALL
    rows = rows[rows["layers"] == group]
    paid, free = rows[rows["operations"] > 0], rows[rows["operations"] <= 0]
    if paid.empty:
        raise ValueError("a cost is drawn on a logarithmic axis; no correction of the table costs any operation")
    least, most = float(paid["operations"].min()), float(paid["operations"].max())
    room = max((most / least) ** 0.12, 1.5)
    xlabel = "cost (floating-point operations, in those of one training step)"
    figure, [axis] = draw.grid(
        [""], columns=1, height=4.6, width=draw.WIDTH, xlabel=xlabel, ylabel="mean penalty (nats)"
    )
    axis.set_xlim(least / room, most * room)
    draw.log_axis(axis, "x")
    draw.penalty_axis([axis], rows[["penalty", "low", "high"]], inches=3.6)
    points = [(float(row["operations"]), draw.interval_of(row, "penalty")) for row in paid.to_dict("records")]
    draw.bars(axis, points, line=_POINT)
    clear = []
    for row in free.to_dict("records"):
        draw.rule(axis, y=row["penalty"], dash=draw.DASHED)
        places: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        words = f"{row['correction']}, no cost"
        axis.annotate(words, (1, row["penalty"]), (-4, 3), ha="right", fontsize=8, color=draw.INK, **places)
        clear += [(float(at), float(row["penalty"])) for at in np.geomspace(*axis.get_xlim(), 60)]
    for cost, found in points:
        clear += [(cost, float(end)) for end in np.linspace(found.low, found.high, 9) if found.n > 1]
    named = [(row["operations"], row["penalty"], str(row["correction"])) for row in _named(paid).to_dict("records")]
    draw.place_labels(axis, named, keep_clear=clear)
    costs = "; ".join(
        f"{row['correction']} {row['operations']:.3g} training steps, "
        f"{draw.said(draw.interval_of(row, 'penalty'), 4)} nats"
        for row in rows.to_dict("records")
    )
    return draw.save(
        figure,
        f"penalty-against-cost{suffix}",
        alt=f"Mean penalty against the cost of what is done about the removed units, {net}, {PARTS[part]}, "
        f"{layer_name(group)}: {costs}.",
        caption=f"Mean penalty against what lowering it costs, {net}, {PARTS[part]}, {layer_name(group)}, over "
        f"scores. {draw.BARS} Dashed: what costs nothing beyond setting units to zero. Of several at one cost the best "
        f"and the worst are named.{_controls_in_words(rows)}",
        table=f"corrections{suffix}",
    )


@draw.drawing()
def steps_figure(steps: DataFrame, losses: DataFrame, part: str = "test") -> draw.Saved:
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
    return draw.save(
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
        "kept": {"facecolor": "white", "edgecolor": draw.INK, "linewidth": 1.1},
        "pale": {"facecolor": "white", "edgecolor": _PALE, "linewidth": 1.1},
        "removed": {"facecolor": _REMOVED, "edgecolor": draw.INK, "linewidth": 2.0},
        "gone": {"facecolor": "white", "edgecolor": draw.MUTED, "linewidth": 1.0, "linestyle": (0, (2, 2))},
        "changed": {"facecolor": "#d6e8f5", "edgecolor": _CHANGED, "linewidth": 1.8},
    }
    axis.add_patch(Circle((x, y), _RADIUS, zorder=3, **looks[kind]))


def _edge(axis: Axes, start: float, end: float, *, removed: bool) -> None:
    colour, width, order = (_REMOVED, 1.2, 2) if removed else (_PALE, 0.7, 1)
    axis.plot([_LEFT, _RIGHT], [start, end], color=colour, linewidth=width, zorder=order, solid_capstyle="butt")


def _heading(axis: Axes, before: str, behind: str) -> None:
    """Name the numbers beside the units."""
    y = axis.get_ylim()[1] - 0.5
    axis.text(_LEFT - _GAP, y, before, ha="right", va="center", fontsize=8.5, color=draw.MUTED)
    axis.text(_RIGHT + _GAP, y, behind, va="center", fontsize=8.5, color=draw.MUTED)


def _before(axis: Axes, y: float, words: str, *, removed: bool) -> None:
    colour, weight = (_REMOVED, "bold") if removed else (draw.INK, "normal")
    axis.text(_LEFT - _GAP, y, words, ha="right", va="center", fontsize=9, color=colour, weight=weight)


def _behind(axis: Axes, y: float, words: Sequence[str], *, result: str = "") -> None:
    """Write lines at a unit's right, what they come to last."""
    lines = [*((line, draw.INK, "normal") for line in words), *([(f"= {result}", _CHANGED, "bold")] if result else [])]
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
