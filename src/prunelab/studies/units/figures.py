"""The figures of performance profiles and of the activations of chosen units."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from pandas import DataFrame

from prunelab.figures.labels import place_labels
from prunelab.figures.panels import (
    _DASHED,
    BAND,
    CUT,
    WIDTH,
    columns_for,
    grid,
    mean_curve,
    number,
    outer,
    penalty_axis,
    said,
    step_axis,
)
from prunelab.figures.style import INK, MUTED, Line, Saved, legend, save, style
from prunelab.stats import LEVEL, Interval, t_interval
from prunelab.studies.common.runs import one_net
from prunelab.studies.units.labels import (
    ALL,
    NO_SCORE,
    ONE,
    PART_LINES,
    PARTS,
    REPLACEMENTS,
    layer_name,
    layers_of,
    line_of,
    scores_of,
    second_convolution,
)
from prunelab.studies.units.summary import HALVES, losses_percent, wins_percent


def score_legend(figure: Figure, scores: Sequence[str], *, ways: bool = False, dots: bool = False) -> None:
    """Place one legend beneath the panels: a score an entry, and what solid and dashed lines say.

    Args:
        figure: whose panels are drawn.
        scores: those drawn.
        ways: whether lines with and without replacement are drawn.
        dots: whether scores are drawn as points.
    """
    looks: list[dict[str, Any]] = [
        {"color": line.colour, "marker": line.marker, "markersize": 5, "linestyle": "none" if dots else line.dash}
        for line in map(line_of, scores)
    ]
    labels = [line_of(score).label for score in scores]
    if ways:
        for replacement, dash, filling in (("mean", "-", INK), ("none", _DASHED, "white")):
            looks.append({"color": INK, "marker": "o", "markerfacecolor": filling, "linestyle": dash})
            labels.append(REPLACEMENTS[replacement])
    handles = [Line2D([], [], **look) for look in looks]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(handles)))


_SHORT = {"none": "zeroed", "mean": "replaced"}


_EVERY = 12  # points between two markers of a profile


_CLEAR = 0.25  # of an axis, between "silent" and the first number


def profiles_figure(profiles: DataFrame, areas: DataFrame, *, suffix: str = "") -> Saved:
    """Draw the performance profile of every score with and without replacement, the areas in the legend.

    Args:
        profiles: as `units_profiles.profile_tables` gives them, of one net.
        areas: likewise.
        suffix: behind the names of the figure and its table.
    """
    net, scores = one_net(profiles), scores_of(profiles)
    found = areas.set_index(["score", "replacement"])["area"]
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 5.6), layout=ConstrainedLayoutEngine())
        for replacement in ("none", "mean"):  # the columns of the legend
            for place, score in enumerate(scores):
                rows = profiles[(profiles["score"] == score) & (profiles["replacement"] == replacement)]
                line, filled = line_of(score), replacement == "mean"
                axis.plot(
                    rows["t"],
                    rows["share_percent"],
                    color=line.colour,
                    linestyle="-" if filled else (0, (4, 2)),
                    linewidth=1.4,
                    marker=line.marker,
                    markersize=4.5,
                    markerfacecolor=line.colour if filled else "white",
                    markevery=(place, _EVERY),
                    label=f"{line.label}, {_SHORT[replacement]}: {found[(score, replacement)]:.3f}",
                )
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 102)
        axis.set_xlabel("T: threshold from the worst method's penalty (0) to the best's (1)")
        axis.set_ylabel("measurements within the threshold (%)")
        figure.legend(loc="outside lower center", ncols=2, title="area under the profile", title_fontsize=9)
        said = ", ".join(
            f"{line_of(score).label} {found[(score, 'none')]:.3f} and {found[(score, 'mean')]:.3f}" for score in scores
        )
        n = int(areas["measurements"].max())
        return save(
            figure,
            f"profiles{suffix}",
            alt=f"Performance profiles of scores with and without mean replacement, {net}, over {n:,} measurements. "
            f"Area under the profile, set to zero then replaced: {said}.",
            caption=f"Share of {n:,} measurements in which a method's penalty is within the threshold t = min T + "
            f"max (1 − T) of all methods in that measurement, {net}. Dashed, open: units set to zero; solid, filled: "
            "replaced by their mean. A larger area is better.",
            table=f"profiles{suffix}",
        )


def squares_figure(bins: DataFrame, deciles: DataFrame, *, suffix: str = "") -> Saved:
    """Draw the histogram of the mean squared activations of the units each score chose, a panel a score.

    Args:
        bins: as `units_derived.squares_histogram` gives them, of one layer of one net.
        deciles: as `units_derived.squares_deciles` gives them, of the same.
        suffix: behind the names of the figure and its table.
    """
    net, scores, layer = one_net(bins), scores_of(bins), str(bins["layer"].iloc[0])
    upper = {str(score): float(value) for score, value in zip(deciles["score"], deciles["decile"], strict=True)}
    mean = bins.groupby("left")["share_percent"].mean()
    silent = bins[bins["left"] == 0].set_index("score")["share_percent"]
    heard = bins[bins["left"] > 0]
    edges = np.log10(np.append(np.unique(heard["left"]), heard["right"].max()))
    gap = 1.5 * (edges[1] - edges[0])  # between the silent units and the others
    columns = columns_for(len(scores))
    with style():
        figure, axes = grid([line_of(score).label for score in scores], columns=columns, height=1.9)
        for axis, score in zip(axes, scores, strict=True):
            own = heard[heard["score"] == score].sort_values("left")["share_percent"].to_numpy()
            colour = line_of(score).colour
            axis.stairs(own, edges, fill=True, color=colour, alpha=0.75)
            axis.stairs(mean[mean.index > 0].to_numpy(), edges, color=INK, linewidth=0.8)
            axis.bar(edges[0] - gap, silent[score], width=edges[1] - edges[0], color=colour, alpha=0.75)
            if upper[score] > 10 ** edges[0]:
                axis.axvline(np.log10(upper[score]), color=INK, linewidth=1, linestyle=(0, (2, 1.5)))
            powers = range(int(np.ceil(edges[0])), int(np.floor(edges[-1])) + 1)
            shown = [power for power in powers if power - edges[0] > _CLEAR * (edges[-1] - edges[0])]
            shown = shown[:: -(-len(shown) // (6 - columns))] if shown else []
            axis.set_xticks([edges[0] - gap, *shown], ["silent", *(number(10.0**power) for power in shown)])
            axis.set_axisbelow(True)
        axes[0].set_ylim(0, 1.05 * float(bins["share_percent"].max()))  # of all: they share it
        outer(axes, columns=columns, xlabel="mean square", ylabel="chosen units (%)")
        words = ", ".join(
            f"{line_of(score).label} {upper[score]:.3g} ({silent[score]:.0f} % silent)" for score in scores
        )
        return save(
            figure,
            f"squared-activations{suffix}",
            alt=f"Histograms of the mean squared activation of the units of the {layer_name(layer)} that each score "
            f"chose, {net}. Upper decile, and share of silent units: {words}.",
            caption=f"Mean squared activation of the units of the {layer_name(layer)} chosen for removal, all "
            f"checkpoints and seeds, {net}. Filled: the score's; outline: mean of all scores; dashed: the score's "
            "upper decile, mean over seeds. Silent units, whose mean square is 0 or nearly, stand apart at the left.",
            table=f"squares{suffix}",
        )


_LEVEL = 0.8  # the source's, in its figure 2


_SIDES = {"zeroed": "set to zero", "replaced": "replaced by their mean"}


_SOURCES = "Line: mean over seeds; band: 80 % t interval, the level the source draws here."


_PENALTY = "penalty (nats)"


_MOST = 4  # layers in one figure


_POINTS = 22  # along a curve, one of many; checkpoints lie closer than can be told apart


def penalties_along_training(pairs: DataFrame, part: str, *, suffix: str = "") -> Saved:
    """Draw the penalty along training, a row a layer, without replacement at the left and with it at the right.

    Of more than four layers, four are drawn: evenly spaced ones, and all at once.

    Args:
        pairs: as `units_pairs.paired` gives them, of one net.
        part: the examples they were measured on.
        suffix: behind the names of the figure and its table.
    """
    net, layers, scores = one_net(pairs), _some(layers_of(pairs)), scores_of(pairs)
    words, most = [], 1
    with style():
        titles = [f"{layer_name(layer)}, {way}" for layer in layers for way in _SIDES.values()]
        figure, axes = grid(titles, columns=2, height=1.95, same=False)
        for row, layer in enumerate(layers):
            rows, beside = pairs[pairs["layer"] == layer], axes[2 * row : 2 * row + 2]
            drawn, together = _neighbours(rows)
            most, means = max(most, together), []
            for axis, side in zip(beside, _SIDES, strict=True):
                for score in scores:
                    own = drawn[drawn["score"] == score]
                    means += mean_curve(
                        axis, own, "step", side, line=line_of(score), replaced=side == "replaced", level=_LEVEL
                    )
                step_axis(axis)
                axis.tick_params(labelbottom=layer == layers[-1])
            penalty_axis(beside, means, inches=1.4)
            words.append(f"{layer_name(layer)}: {_means_in_words(rows, scores)}")
        outer(axes, columns=2, xlabel="training step", ylabel=_PENALTY)
        score_legend(figure, scores, ways=True)
        left = len(layers_of(pairs)) - len(layers)
        return save(
            figure,
            f"penalties-along-training{suffix}",
            alt=f"Penalty of removing units along training, {net}, {PARTS[part]}, a row a layer, without mean "
            f"replacement at the left and with it at the right. Mean over training in nats, set to zero then "
            f"replaced. {'; '.join(words)}.",
            caption=f"Penalty right after the removal along training, {net}, {PARTS[part]}; both panels of a row have "
            f"one scale. {_SOURCES} {_together(most)} {CUT}"
            + (f" {left} further layers are in the table." if left else ""),
            table=f"pairs{suffix}",
        )


def training_curves(curves: DataFrame, *, suffix: str = "") -> Saved:
    """Draw loss and accuracy of the unpruned nets along training.

    Args:
        curves: one row a net, step and part, of one net.
        suffix: behind the names of the figure and its table.
    """
    net = one_net(curves)
    parts = [name for name in PART_LINES if name in set(curves["part"])]
    with style():
        figure, axes = grid(["loss", "accuracy"], columns=2, height=2.7, same=False)
        words = []
        for part in parts:
            rows = curves[curves["part"] == part]
            for axis, column in zip(axes, ("loss", "accuracy_percent"), strict=True):
                mean_curve(axis, rows, "step", column, line=PART_LINES[part], level=_LEVEL)
                axis.lines[-1].set_label(PART_LINES[part].label)
            last = rows[rows["step"] == rows["step"].max()]
            loss, accuracy = (t_interval(last[column].to_numpy()) for column in ("loss", "accuracy_percent"))
            words.append(f"{PARTS[part]} loss {said(loss, 3)} nats, accuracy {said(accuracy)} %")
        for axis, label in zip(axes, ("cross-entropy (nats)", "accuracy (%)"), strict=True):
            axis.set_xlabel("training step")
            axis.set_ylabel(label)
            step_axis(axis, 5)
        axes[0].set_ylim(bottom=0)
        legend(figure, axes)
        return save(
            figure,
            f"curves{suffix}",
            alt=f"Loss and accuracy of the unpruned nets along training, {net}. At step {curves['step'].max():,}, mean "
            f"with 95 % interval: {'; '.join(words)}.",
            caption=f"Loss and accuracy of the unpruned nets along training, {net}. {_SOURCES}",
            table=f"curves{suffix}",
        )


def one_layer(pairs: DataFrame, part: str, *, suffix: str = "") -> Saved:
    """Draw the penalty along training of the second convolution alone, a panel a score, with and without replacement.

    Args:
        pairs: as `units_pairs.paired` gives them, of one net.
        part: the examples they were measured on.
        suffix: behind the names of the figure and its table.
    """
    net, layer = one_net(pairs), second_convolution(pairs)
    rows = pairs[pairs["layer"] == layer]
    scores, (drawn, most) = scores_of(rows), _neighbours(rows)
    columns = columns_for(len(scores))
    with style():
        figure, axes = grid([line_of(score).label for score in scores], columns=columns, height=1.95)
        means = []
        for axis, score in zip(axes, scores, strict=True):
            for side in _SIDES:
                own = drawn[drawn["score"] == score]
                means += mean_curve(axis, own, "step", side, line=line_of(score), replaced=side == "replaced")
            step_axis(axis, 5 - columns)
        penalty_axis(axes, means, inches=1.4)
        outer(axes, columns=columns, xlabel="training step", ylabel=_PENALTY)
        score_legend(figure, (), ways=True)
        return save(
            figure,
            f"one-layer{suffix}",
            alt=f"Penalty of removing units of the {layer_name(layer)} along training, {net}, {PARTS[part]}, a panel a "
            f"score. Mean over training in nats, set to zero then replaced: {_means_in_words(rows, scores)}.",
            caption=f"Penalty of removing units of the {layer_name(layer)} alone, with and without mean replacement, "
            f"{net}, {PARTS[part]}. {BAND} {_together(most)} {CUT}",
            table=f"pairs{suffix}",
        )


def choices_figure(choices: DataFrame, *, suffix: str = "") -> Saved:
    """Draw the share of the second convolution's units that each score chose at least once.

    Args:
        choices: one row a net, step, layer and score, of one net.
        suffix: behind the names of the figure and its table.
    """
    net, layer = one_net(choices), second_convolution(choices)
    rows = choices[choices["layer"] == layer].assign(
        ever=lambda table: 100 * table["chosen_fraction"], late=lambda table: 100 * table["late_fraction"]
    )
    scores, last = scores_of(rows), rows[rows["step"] == rows["step"].max()]
    with style():
        figure, axes = grid(
            ["since the first checkpoint", "since the first third of the training"], columns=2, height=3.1
        )
        words = []
        for axis, column, since in zip(axes, ("ever", "late"), ("the start", "the first third"), strict=True):
            ends = []
            for score in scores:
                mean_curve(axis, rows[rows["score"] == score], "step", column, line=line_of(score))
                values = last.loc[last["score"] == score, column].dropna()
                if len(values):
                    ends.append(f"{line_of(score).label} {said(t_interval(values.to_numpy()), 1)}")
            words.append(f"since {since}: {', '.join(ends) or 'not measured'}")
            step_axis(axis)
            axis.set_ylim(0, 103)
        outer(axes, columns=2, xlabel="training step", ylabel="units chosen at least once (%)")
        score_legend(figure, scores)
        return save(
            figure,
            f"choices{suffix}",
            alt=f"Share of the units of the {layer_name(layer)} that a score chose for removal at least once, {net}. "
            f"At step {int(rows['step'].max()):,}, mean with 95 % interval in %, {'; '.join(words)}.",
            caption=f"Units of the {layer_name(layer)} chosen for removal at least once, from the first checkpoint on "
            f"and from after the first third of the training on, {net}. {BAND}",
            table=f"choices{suffix}",
        )


def _some(layers: list[str]) -> list[str]:
    """Choose layers to draw: all, or evenly spaced ones and all at once."""
    if len(layers) <= _MOST:
        return layers
    single = [layer for layer in layers if layer != ALL]
    room = _MOST - (ALL in layers)
    chosen = [single[round(place * (len(single) - 1) / (room - 1))] for place in range(room)]
    return [*chosen, *([ALL] if ALL in layers else [])]


def _neighbours(rows: DataFrame) -> tuple[DataFrame, int]:
    """Move checkpoints to the mean of their neighbourhood, so that a curve has few points; say how many to a point."""
    steps = np.unique(rows["step"])
    together = -(-len(steps) // _POINTS)
    middles = {
        step: float(steps[start : start + together].mean())
        for start in range(0, len(steps), together)
        for step in steps[start : start + together]
    }
    return rows.assign(step=rows["step"].map(middles)), together


def _together(most: int) -> str:
    return f"A point averages up to {most} neighbouring checkpoints." if most > 1 else ""


def _means_in_words(rows: DataFrame, scores: list[str]) -> str:
    means = rows.groupby("score")[list(_SIDES)].mean()
    each = [(line_of(score).label, means.loc[score]) for score in scores if score in means.index]
    return ", ".join(f"{label} {mean['zeroed']:.4f} and {mean['replaced']:.4f}" for label, mean in each)


def iterative_figure(iterative: DataFrame, part: str = "test", *, suffix: str = "") -> Saved:
    """Draw loss and accuracy against the share of units removed, a column a schedule.

    Args:
        iterative: one row a net, schedule, score, replacement, share removed and part, of one net.
        part: whose losses.
        suffix: behind the names of the figure and its table.

    Raises:
        ValueError: the table has no such part.
    """
    net, rows = one_net(iterative), iterative[iterative["part"] == part]
    if rows.empty:
        raise ValueError(f"the table has {', '.join(dict.fromkeys(iterative['part']))}; got part {part!r}: name one")
    schedules, many = list(dict.fromkeys(rows["schedule"])), rows["schedule"].nunique()
    controlled = NO_SCORE in set(rows["score"])
    scores = [*scores_of(rows), *([NO_SCORE] if controlled else [])]
    with style():
        figure, axes = grid([*schedules, *[""] * many], columns=many, height=2.6, same=False)
        losses: list[float] = []
        for place, schedule in enumerate(schedules):
            own = rows[rows["schedule"] == schedule]
            losses += _lines(axes[place], own, scores, "loss")
            _lines(axes[many + place], own, scores, "accuracy_percent")
        penalty_axis(axes[:many], losses, inches=2)
        for upper, lower in zip(axes[:many], axes[many:], strict=True):
            lower.set_ylim(0, 103)
            lower.set_xlabel("units removed (%)")
            for axis in (upper, lower):
                axis.set_xlim(0, 1.03 * float(rows["removed_percent"].max()))
        axes[0].set_ylabel(f"{PART_LINES[part].label} loss (nats)")
        axes[many].set_ylabel(f"{PART_LINES[part].label} accuracy (%)")
        score_legend(figure, scores, ways=True)
        words = "; ".join(_ends_in_words(rows[rows["schedule"] == schedule], schedule) for schedule in schedules)
        return save(
            figure,
            f"iterative{suffix}",
            alt=f"Loss and accuracy on {PARTS[part]} against the share of units removed, {net}, a column a schedule. "
            f"{words}.",
            caption=f"Loss (logarithmic scale) and accuracy on {PARTS[part]} by the share of the units of every layer "
            f"removed, {net}. {BAND} {CUT} {'Dotted: nets tuned as often with nothing removed.' * controlled}",
            table=f"iterative{suffix}",
        )


def _lines(axis: Axes, rows: DataFrame, scores: Sequence[str], column: str) -> list[float]:
    """Draw a line for every score with and without replacement, and for the control; give the means drawn."""
    means: list[float] = []
    for score in scores:
        for replacement in ("none", "mean"):
            own = rows[(rows["score"] == score) & (rows["replacement"] == replacement)]
            replaced = replacement == "mean" or score == NO_SCORE
            means += mean_curve(axis, own, "removed_percent", column, line=line_of(score), replaced=replaced)
    return means


def _ends_in_words(rows: DataFrame, schedule: str) -> str:
    """Say the lowest and the highest mean loss of the methods at the largest share removed."""
    rows = rows[rows["score"] != NO_SCORE]
    share = rows["removed_percent"].max()
    ends = rows[rows["removed_percent"] == share].groupby(["score", "replacement"])[["loss", "accuracy_percent"]].mean()
    ends = ends.sort_values("loss", kind="stable")
    words = [
        f"{line_of(score).label} {'replaced' if replacement == 'mean' else 'set to zero'} {row['loss']:.3f} nats and "
        f"{row['accuracy_percent']:.1f} %"
        for (score, replacement), row in (*ends.head(1).iterrows(), *ends.tail(1).iterrows())
    ]
    return f"{schedule}, at {share:g} % removed: lowest loss {words[0]}, highest {words[-1]}"


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


DPI = 200  # of the points, which are drawn as pixels: thousands of them as shapes would make pages slow


_TURNS = 8


_MANY = 600  # points in a panel


ALL_SHOWN = "Every measurement is a point (points are pixels, the rest is drawn as lines)."


_X, _Y = "set to zero (nats)", "replaced (nats)"


def scatter_replacement(pairs: DataFrame, *, suffix: str = "") -> Saved:
    """Draw every penalty with replacement against the one without, a panel a score.

    Args:
        pairs: as `units_pairs.paired` gives them, of one net.
        suffix: behind the names of the figure and its table, as "-vgg".
    """
    net, scores = one_net(pairs), scores_of(pairs)
    parts = [pairs[pairs["score"] == score] for score in scores]
    with style():
        figure, axes = _panels(parts, [line_of(score).label for score in scores], columns=columns_for(len(scores)))
        for axis, score, rows in zip(axes, scores, parts, strict=True):
            points(axis, rows, line_of(score), size=dot_size(rows))
        return save(
            figure,
            f"scatter-replacement{suffix}",
            alt=f"Penalty with removed units replaced by their mean against penalty with them set to zero, {net}, a "
            f"panel a score. Points below the diagonal, where replacement is better, and above: "
            f"{_below(parts, [line_of(score).label for score in scores])}.",
            caption=f"Pruning penalties of the same removal without (across) and with mean replacement (up), {net}, "
            f"all layers, checkpoints and seeds. Below the diagonal, replacement is better; on it, nothing "
            f"changes, as where silent units go. {ALL_SHOWN}",
            table=f"pairs{suffix}",
        )


def scatter_by_layer(pairs: DataFrame, *, suffix: str = "") -> Saved:
    """Draw every penalty with replacement against the one without, a panel a layer pruned, coloured by score.

    Args:
        pairs: as `units_pairs.paired` gives them, of one net.
        suffix: behind the names of the figure and its table.
    """
    net, layers = one_net(pairs), layers_of(pairs)
    names = [layer_name(layer) for layer in layers]
    parts = [pairs[pairs["layer"] == layer] for layer in layers]
    with style():
        figure, axes = _panels(parts, names, columns=columns_for(len(layers)))
        _by_score(figure, axes, parts)
        return save(
            figure,
            f"scatter-by-layer{suffix}",
            alt=f"Penalty with removed units replaced by their mean against penalty with them set to zero, {net}, a "
            f"panel a layer pruned. Points below the diagonal, where replacement is better, and above: "
            f"{_below(parts, names)}.",
            caption=f"Pruning penalties without (across) and with mean replacement (up) by the layer pruned, {net}, "
            f"all checkpoints and seeds. Below the diagonal, replacement is better. {ALL_SHOWN}",
            table=f"pairs{suffix}",
        )


def scatter_tuned(tuned: DataFrame, half: str, *, suffix: str = "") -> Saved:
    """Draw penalties after tuning with replacement against those without, a panel a number of tuning steps.

    Args:
        tuned: as `units_pairs.tuned_pairs` gives them, of one net.
        half: of the training, in which the units were removed: "early" or "late".
        suffix: behind the names of the figure and its table.

    Raises:
        ValueError: nothing was removed in this half.
    """
    net, rows = one_net(tuned), tuned[tuned["half"] == half]
    if rows.empty:
        raise ValueError(f"the halves of a training are {list(HALVES)}; no unit was removed in half {half!r}")
    counts = sorted(set(rows["tuning_steps"]))
    names = [after_steps(count) for count in counts]
    parts = [rows[rows["tuning_steps"] == count] for count in counts]
    means = ", ".join(
        f"{name} {(part['replaced'] - part['zeroed']).mean():.4f}" for name, part in zip(names, parts, strict=True)
    )
    with style():
        figure, axes = _panels(parts, names, columns=columns_for(len(counts)))
        _by_score(figure, axes, parts)
        return save(
            figure,
            f"scatter-tuned-{half}{suffix}",
            alt=f"Penalty after tuning with removed units replaced by their mean against penalty with them set to "
            f"zero, {net}, {HALVES[half]}, a panel a number of tuning steps. Points below the diagonal, where "
            f"replacement is better, and above: {_below(parts, names)}. Mean difference, replaced minus zeroed, in "
            f"nats: {means}.",
            caption=f"Penalties after removal and tuning, without (across) and with mean replacement (up), {net}, "
            f"{HALVES[half]}. Below the diagonal, replacement is better. {ALL_SHOWN}",
            table=f"tuned{suffix}",
        )


def _panels(parts: Sequence[DataFrame], names: Sequence[str], *, columns: int) -> tuple[Figure, list[Axes]]:
    """Lay out a panel a set of pairs, all on one scale, with their diagonals and what lies below these."""
    titles = [f"{name}\n{sides_in_words(part)}" for name, part in zip(names, parts, strict=True)]
    figure, axes = grid(titles, columns=columns, height=height(min(columns, len(titles))))
    penalty_axis(
        axes,
        np.concatenate([part[["zeroed", "replaced"]].to_numpy().ravel() for part in parts]),
        inches=side_inches(columns),
        both=True,
    )
    for axis in axes:
        diagonal(axis)
    outer(axes, columns=columns, xlabel=_X, ylabel=_Y)
    figure.set_dpi(DPI)
    return figure, axes


def _by_score(figure: Figure, axes: Sequence[Axes], parts: Sequence[DataFrame]) -> None:
    for axis, rows in zip(axes, parts, strict=True):
        for turn in range(_TURNS):  # in turns, so that no score lies on top of all others
            for score in scores_of(rows):
                points(axis, rows[rows["score"] == score].iloc[turn::_TURNS], line_of(score), size=dot_size(rows))
    score_legend(figure, scores_of(pd.concat(parts)), dots=True)


def dot_size(rows: DataFrame) -> float:
    """Give the area of a point, smaller where there are many (square typographic points)."""
    return 12.0 if len(rows) <= _MANY else 7.0


def points(axis: Axes, rows: DataFrame, line: Line, *, size: float, label: str = "") -> None:
    """Draw pairs, columns zeroed (across) and replaced (up), as points."""
    axis.scatter(
        rows["zeroed"],
        rows["replaced"],
        s=size,
        marker=line.marker,
        color=line.colour,
        alpha=0.55,
        linewidth=0,
        rasterized=True,
        label=label,
        zorder=2,
    )


def diagonal(axis: Axes) -> None:
    """Draw where both penalties are alike, on a square panel with one scale on both axes."""
    low, high = axis.get_xlim()
    # A straight line in a scale that bends around 0 alike on both axes.
    axis.plot([low, high], [low, high], color=INK, linewidth=0.8, zorder=3)
    axis.set_xlim(low, high)
    axis.set_ylim(low, high)
    axis.set_box_aspect(1)


def side_inches(columns: int) -> float:
    """Give about how long the side of a square panel is, inches."""
    return min(WIDTH / columns - 0.45, 4.0)


def height(columns: int) -> float:
    """Give the height of a row of square panels, inches."""
    return side_inches(columns) + 0.75


def after_steps(count: int) -> str:
    """Name a panel by the number of tuning steps."""
    return f"after {count:,} tuning steps" if count else "before tuning"


def sides_in_words(part: DataFrame) -> str:
    """Say how many points lie on either side of the diagonal."""
    return f"{wins_percent(part):.0f} % below, {losses_percent(part):.0f} % above"


def _below(parts: Sequence[DataFrame], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {sides_in_words(part)} of {len(part):,}" for name, part in zip(names, parts, strict=True))


COMPARISONS = (("norm", "random"), ("mrs-abs", "taylor-abs"))


_OTHERWISE = (("mrs-abs", "norm"),)  # where those were not measured


_PAIR_LINES = (
    Line(label="", colour="#0072b2", marker="o"),
    Line(label="", colour="#e69f00", marker="^"),
)


def comparisons_in(tuned: DataFrame) -> list[tuple[str, str]]:
    """List up to two comparisons of scores that a table has: `COMPARISONS`, others where they were not measured.

    Raises:
        ValueError: fewer than two scores were measured.
    """
    scores = scores_of(tuned)
    if len(scores) < 2:
        raise ValueError(f"scores are compared with each other; only {scores} was measured: measure another")
    found = [pair for pair in (*COMPARISONS, *_OTHERWISE) if set(pair) <= set(scores)]
    return found[: len(_PAIR_LINES)] or [(scores[1], scores[0])]


def methods_by_tuning(
    tuned: DataFrame, comparisons: Sequence[tuple[str, str]] = COMPARISONS, *, suffix: str = ""
) -> Saved:
    """Draw the penalty of one score against that of another, both with replacement, a panel a number of tuning steps.

    Args:
        tuned: as `units_pairs.tuned_pairs` gives them, of one net.
        comparisons: up to two pairs of scores, (up, across), each in its own colour.
        suffix: behind the names of the figure and its table.

    Raises:
        ValueError: more comparisons than colours, or a score that was not measured.
    """
    net, counts = one_net(tuned), sorted(set(tuned["tuning_steps"]))
    if not 1 <= len(comparisons) <= len(_PAIR_LINES):
        raise ValueError(f"one or two comparisons are told apart by colour; got {len(comparisons)}: draw two figures")
    if missing := sorted({score for pair in comparisons for score in pair} - set(tuned["score"])):
        raise ValueError(f"scores are compared that were measured; {missing[0]!r} is none of {scores_of(tuned)}")
    wide = tuned.pivot_table("replaced", index=["seed", "step", "layer", "tuning_steps"], columns="score").reset_index()
    names = [after_steps(count) for count in counts]
    labels = [f"{line_of(up).label} (up) against {line_of(across).label} (across)" for up, across in comparisons]
    drawn, words = [], []
    for count, name in zip(counts, names, strict=True):
        for (up, across), label in zip(comparisons, labels, strict=True):
            own = wide[wide["tuning_steps"] == count].dropna(subset=[up, across])
            own = own.rename(columns={across: "zeroed", up: "replaced"})
            drawn.append(own)
            words.append(f"{name}, {label}: {sides_in_words(own)}")
    with style():
        columns = columns_for(len(counts))
        figure, axes = grid(names, columns=columns, height=height(columns))
        values = np.concatenate([part[["zeroed", "replaced"]].to_numpy().ravel() for part in drawn])
        penalty_axis(axes, values, inches=side_inches(columns), both=True)
        for place, part in enumerate(drawn):
            axis, line = axes[place // len(comparisons)], _PAIR_LINES[place % len(comparisons)]
            label = labels[place] if place < len(comparisons) else ""
            points(axis, part, line, size=dot_size(part), label=label)
        for axis in axes:
            diagonal(axis)
        outer(axes, columns=columns, xlabel="penalty of one score (nats)", ylabel="penalty of the other (nats)")
        figure.set_dpi(DPI)
        figure.legend(loc="outside lower center", ncols=1, markerscale=1.8)
        return save(
            figure,
            f"methods-by-tuning{suffix}",
            alt=f"Penalty by one score against penalty by another, units replaced by their mean, {net}, a panel a "
            f"number of tuning steps. Points below the diagonal, where the score drawn upwards is better, and above: "
            f"{'; '.join(words)}.",
            caption=f"Penalties of two scores at the same net, checkpoint and layer, with mean replacement, after "
            f"tuning, {net}. Below the diagonal, the score drawn upwards is better. {ALL_SHOWN}",
            table=f"tuned{suffix}",
        )
