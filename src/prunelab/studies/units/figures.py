"""The figures of the mean-replacement study."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from pandas import DataFrame

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
from prunelab.figures.style import INK, Line, Saved, legend, save, style
from prunelab.pruning import kinds
from prunelab.stats import t_interval
from prunelab.studies.common.runs import one_net
from prunelab.studies.units.rules import NOTHING, REFERENCE
from prunelab.studies.units.summary import ALL, HALVES, ONE, SIDES, layers_of, place_of, scores_of, second_convolution

# Dash and filling of the marker are kept for the replacement: solid and filled with it, dashed and open without.
SCORE_LINES: Mapping[str, Line] = {
    **{
        name: Line(label=kind.label, colour=kind.look.colour, marker=kind.look.marker)
        for name, kind in kinds.named("score").items()
    },
    REFERENCE: Line(label="exact loss change", colour="#7a7a7a", marker="*"),
    NOTHING: Line(label="nothing removed", colour="#7a7a7a", marker="", dash=(0, (1, 2))),
}
PART_LINES: Mapping[str, Line] = {
    "train": Line(label="training", colour="#0072b2", marker="o"),
    "validation": Line(label="validation", colour="#e69f00", marker="s", dash=(0, (5, 2))),
    "test": Line(label="test", colour="#d55e00", marker="^", dash=(0, (2, 1))),
}
PARTS = {part: f"{line.label} examples" for part, line in PART_LINES.items()}
WAYS = {"none": "set to zero", "mean": "replaced by their mean"}
COMPARISONS = (("norm", "random"), ("mrs-abs", "taylor-abs"))

_OTHERWISE = (("mrs-abs", "norm"),)  # where those were not measured
_PAIR_LINES = (Line(label="", colour="#0072b2", marker="o"), Line(label="", colour="#e69f00", marker="^"))
_LAYERS = {ALL: "all layers at once", ONE: "one layer at a time"}
_KINDS = {"conv": "convolution", "fc": "linear layer"}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_LEVEL = 0.8  # the source's, in its figure 2
_SOURCES = "Line: mean over seeds; band: 80 % t interval, the level the source draws here."
_ALL_SHOWN = "Every measurement is a point (points are pixels, the rest is drawn as lines)."
_PENALTY = "penalty (nats)"
_EVERY = 12  # points between two markers of a profile
_CLEAR = 0.25  # of an axis, between "silent" and the first number
_MOST = 4  # layers in one figure
_POINTS = 22  # along a curve, one of many; checkpoints lie closer than can be told apart
_DPI = 200  # of the points, which are drawn as pixels: thousands of them as shapes would make pages slow
_TURNS = 8
_MANY = 600  # points in a panel


def label_of(score: str) -> str:
    """Name a score."""
    return line_of(score).label


def line_of(score: str) -> Line:
    """Give a score's line; one that is not known is drawn in the reference's colour, under its own name."""
    return SCORE_LINES.get(score, Line(label=score, colour=SCORE_LINES[REFERENCE].colour, marker="p"))


def layer_name(layer: str) -> str:
    """Say a layer's name in words: "conv2" is the second convolution."""
    word, number = place_of(layer)
    if word not in _KINDS or not 1 <= number <= len(_ORDINALS):
        return _LAYERS.get(layer, layer)
    return f"{_ORDINALS[number - 1]} {_KINDS[word]}"


def penalties_along_training(pairs: DataFrame, part: str, *, suffix: str = "") -> Saved:
    """Draw the penalty along training, a row a layer, without replacement at the left and with it at the right.

    Of more than four layers, four are drawn: evenly spaced ones, and all at once.
    """
    net, layers, scores = one_net(pairs), _some(layers_of(pairs)), scores_of(pairs)
    words, most = [], 1
    with style():
        titles = [f"{layer_name(layer)}, {way}" for layer in layers for way in WAYS.values()]
        figure, axes = grid(titles, columns=2, height=1.95, same=False)
        for row, layer in enumerate(layers):
            rows, beside = pairs[pairs["layer"] == layer], axes[2 * row : 2 * row + 2]
            drawn, together = _neighbours(rows)
            most, means = max(most, together), []
            for axis, side in zip(beside, SIDES.values(), strict=True):
                for score in scores:
                    own = drawn[drawn["score"] == score]
                    looks: dict[str, Any] = {"line": line_of(score), "replaced": side == SIDES["mean"]}
                    means += mean_curve(axis, own, "step", side, level=_LEVEL, **looks)
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
    """Draw loss and accuracy of the unpruned nets along training."""
    net, words = one_net(curves), []
    with style():
        figure, axes = grid(["loss", "accuracy"], columns=2, height=2.7, same=False)
        for part in [name for name in PART_LINES if name in set(curves["part"])]:
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


def one_layer(pairs: DataFrame, part: str) -> Saved:
    """Draw the penalty along training of the second convolution alone, both ways, a panel a score."""
    net, layer = one_net(pairs), second_convolution(pairs)
    rows = pairs[pairs["layer"] == layer]
    scores, (drawn, most) = scores_of(rows), _neighbours(rows)
    columns, means = columns_for(len(scores)), []
    with style():
        figure, axes = grid(list(map(label_of, scores)), columns=columns, height=1.95)
        for axis, score in zip(axes, scores, strict=True):
            for replacement, side in SIDES.items():
                own = drawn[drawn["score"] == score]
                means += mean_curve(axis, own, "step", side, line=line_of(score), replaced=replacement == "mean")
            step_axis(axis, 5 - columns)
        penalty_axis(axes, means, inches=1.4)
        outer(axes, columns=columns, xlabel="training step", ylabel=_PENALTY)
        score_legend(figure, (), ways=True)
        return save(
            figure,
            "one-layer",
            alt=f"Penalty of removing units of the {layer_name(layer)} along training, {net}, {PARTS[part]}, a panel a "
            f"score. Mean over training in nats, set to zero then replaced: {_means_in_words(rows, scores)}.",
            caption=f"Penalty of removing units of the {layer_name(layer)} alone, with and without mean replacement, "
            f"{net}, {PARTS[part]}. {BAND} {_together(most)} {CUT}",
            table="pairs",
        )


def choices_figure(choices: DataFrame) -> Saved:
    """Draw the share of the second convolution's units that each score chose at least once."""
    net, layer = one_net(choices), second_convolution(choices)
    rows = choices[choices["layer"] == layer]
    rows = rows.assign(ever=100 * rows["chosen_fraction"], late=100 * rows["late_fraction"])
    scores, last = scores_of(rows), rows[rows["step"] == rows["step"].max()]
    titles, words = ["since the first checkpoint", "since the first third of the training"], []
    with style():
        figure, axes = grid(titles, columns=2, height=3.1)
        for axis, column, since in zip(axes, ("ever", "late"), ("the start", "the first third"), strict=True):
            ends = []
            for score in scores:
                mean_curve(axis, rows[rows["score"] == score], "step", column, line=line_of(score))
                values = last.loc[last["score"] == score, column].dropna()
                if len(values):
                    ends.append(f"{label_of(score)} {said(t_interval(values.to_numpy()), 1)}")
            words.append(f"since {since}: {', '.join(ends) or 'not measured'}")
            step_axis(axis)
            axis.set_ylim(0, 103)
        outer(axes, columns=2, xlabel="training step", ylabel="units chosen at least once (%)")
        score_legend(figure, scores)
        return save(
            figure,
            "choices",
            alt=f"Share of the units of the {layer_name(layer)} that a score chose for removal at least once, {net}. "
            f"At step {int(rows['step'].max()):,}, mean with 95 % interval in %, {'; '.join(words)}.",
            caption=f"Units of the {layer_name(layer)} chosen for removal at least once, from the first checkpoint on "
            f"and from after the first third of the training on, {net}. {BAND}",
            table="choices",
        )


def scatter_replacement(pairs: DataFrame, *, suffix: str = "") -> Saved:
    """Draw every penalty with replacement against the one without, a panel a score."""
    net, parts = one_net(pairs), {label_of(score): pairs[pairs["score"] == score] for score in scores_of(pairs)}
    return _scatter(
        parts,
        f"scatter-replacement{suffix}",
        what=f"{net}, a panel a score",
        caption=f"Pruning penalties of the same removal without (across) and with mean replacement (up), {net}, all "
        "layers, checkpoints and seeds. Below the diagonal, replacement is better; on it, nothing changes, as where "
        "silent units go.",
        table=f"pairs{suffix}",
        by_score=False,
    )


def scatter_by_layer(pairs: DataFrame, *, suffix: str = "") -> Saved:
    """Draw every penalty with replacement against the one without, a panel a layer pruned, coloured by score."""
    net, parts = one_net(pairs), {layer_name(layer): pairs[pairs["layer"] == layer] for layer in layers_of(pairs)}
    return _scatter(
        parts,
        f"scatter-by-layer{suffix}",
        what=f"{net}, a panel a layer pruned",
        caption=f"Pruning penalties without (across) and with mean replacement (up) by the layer pruned, {net}, all "
        "checkpoints and seeds. Below the diagonal, replacement is better.",
        table=f"pairs{suffix}",
    )


def scatter_tuned(tuned: DataFrame, half: str) -> Saved:
    """Draw penalties after tuning with replacement against those without, a panel a number of tuning steps.

    The units were removed in one half of the training, "early" or "late".
    """
    net, rows = one_net(tuned), tuned[tuned["half"] == half]
    if rows.empty:
        raise ValueError(f"the halves of a training are {list(HALVES)}; no unit was removed in half {half!r}")
    counts = sorted(set(rows["tuning_steps"]))
    parts = {after_steps(count): rows[rows["tuning_steps"] == count] for count in counts}
    means = ", ".join(f"{name} {(part['replaced'] - part['zeroed']).mean():.4f}" for name, part in parts.items())
    return _scatter(
        parts,
        f"scatter-tuned-{half}",
        when=" after tuning",
        what=f"{net}, {HALVES[half]}, a panel a number of tuning steps",
        more=f" Mean difference, replaced minus zeroed, in nats: {means}.",
        caption=f"Penalties after removal and tuning, without (across) and with mean replacement (up), {net}, "
        f"{HALVES[half]}. Below the diagonal, replacement is better.",
        table="tuned",
    )


def comparisons_in(tuned: DataFrame) -> list[tuple[str, str]]:
    """List up to two comparisons of scores that a table has: `COMPARISONS`, others where they were not measured."""
    scores = scores_of(tuned)
    if len(scores) < 2:
        raise ValueError(f"scores are compared with each other; only {scores} was measured: measure another")
    found = [pair for pair in (*COMPARISONS, *_OTHERWISE) if set(pair) <= set(scores)]
    return found[: len(_PAIR_LINES)] or [(scores[1], scores[0])]


def methods_by_tuning(tuned: DataFrame, comparisons: Sequence[tuple[str, str]] = COMPARISONS) -> Saved:
    """Draw the penalty of one score against that of another, both with replacement, a panel a number of tuning steps.

    Comparisons are up to two pairs of scores, (up, across), each in its own colour.
    """
    net, counts = one_net(tuned), sorted(set(tuned["tuning_steps"]))
    if not 1 <= len(comparisons) <= len(_PAIR_LINES):
        raise ValueError(f"one or two comparisons are told apart by colour; got {len(comparisons)}: draw two figures")
    if missing := sorted({score for pair in comparisons for score in pair} - set(tuned["score"])):
        raise ValueError(f"scores are compared that were measured; {missing[0]!r} is none of {scores_of(tuned)}")
    wide = tuned.pivot_table("replaced", index=["seed", "step", "layer", "tuning_steps"], columns="score").reset_index()
    names = [after_steps(count) for count in counts]
    labels = [f"{label_of(up)} (up) against {label_of(across)} (across)" for up, across in comparisons]
    drawn, words = [], []
    for count, name in zip(counts, names, strict=True):
        for (up, across), label in zip(comparisons, labels, strict=True):
            own = wide[wide["tuning_steps"] == count].dropna(subset=[up, across])
            drawn.append(own.rename(columns={across: "zeroed", up: "replaced"}))
            words.append(f"{name}, {label}: {sides_in_words(drawn[-1])}")
    with style():
        figure, axes = _squares(names, drawn, "penalty of one score (nats)", "penalty of the other (nats)")
        for place, part in enumerate(drawn):
            panel, which = divmod(place, len(comparisons))
            _points(axes[panel], part, _PAIR_LINES[which], label="" if panel else labels[which])
        figure.legend(loc="outside lower center", ncols=1, markerscale=1.8)
        return save(
            figure,
            "methods-by-tuning",
            alt=f"Penalty by one score against penalty by another, units replaced by their mean, {net}, a panel a "
            f"number of tuning steps. Points below the diagonal, where the score drawn upwards is better, and above: "
            f"{'; '.join(words)}.",
            caption=f"Penalties of two scores at the same net, checkpoint and layer, with mean replacement, after "
            f"tuning, {net}. Below the diagonal, the score drawn upwards is better. {_ALL_SHOWN}",
            table="tuned",
        )


def profiles_figure(profiles: DataFrame, areas: DataFrame, *, suffix: str = "") -> Saved:
    """Draw the performance profile of every score with and without replacement, the areas in the legend."""
    net, scores = one_net(profiles), scores_of(profiles)
    found = areas.set_index(["score", "replacement"])["area"]
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 5.6), layout=ConstrainedLayoutEngine())
        for replacement, side in SIDES.items():  # the columns of the legend
            for place, score in enumerate(scores):
                rows = profiles[(profiles["score"] == score) & (profiles["replacement"] == replacement)]
                line, filled = line_of(score), replacement == "mean"
                axis.plot(
                    rows["t"],
                    rows["share_percent"],
                    color=line.colour,
                    linestyle="-" if filled else _DASHED,
                    linewidth=1.4,
                    marker=line.marker,
                    markersize=4.5,
                    markerfacecolor=line.colour if filled else "white",
                    markevery=(place, _EVERY),
                    label=f"{line.label}, {side}: {found[(score, replacement)]:.3f}",
                )
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 102)
        axis.set_xlabel("T: threshold from the worst method's penalty (0) to the best's (1)")
        axis.set_ylabel("measurements within the threshold (%)")
        figure.legend(loc="outside lower center", ncols=2, title="area under the profile", title_fontsize=9)
        words = [f"{label_of(name)} {found[(name, 'none')]:.3f} and {found[(name, 'mean')]:.3f}" for name in scores]
        n = int(areas["measurements"].max())
        return save(
            figure,
            f"profiles{suffix}",
            alt=f"Performance profiles of scores with and without mean replacement, {net}, over {n:,} measurements. "
            f"Area under the profile, set to zero then replaced: {', '.join(words)}.",
            caption=f"Share of {n:,} measurements in which a method's penalty is within the threshold t = min T + "
            f"max (1 − T) of all methods in that measurement, {net}. Dashed, open: units set to zero; solid, filled: "
            "replaced by their mean. A larger area is better.",
            table=f"profiles{suffix}",
        )


def squares_figure(bins: DataFrame, deciles: DataFrame) -> Saved:
    """Draw the histogram of the mean squared activations of one layer's units that each score chose."""
    net, scores, layer = one_net(bins), scores_of(bins), layer_name(str(bins["layer"].iloc[0]))
    upper = {str(score): float(value) for score, value in zip(deciles["score"], deciles["decile"], strict=True)}
    mean = bins.groupby("left")["share_percent"].mean()
    silent = bins[bins["left"] == 0].set_index("score")["share_percent"]
    heard = bins[bins["left"] > 0]
    edges = np.log10(np.append(np.unique(heard["left"]), heard["right"].max()))
    gap = 1.5 * (edges[1] - edges[0])  # between the silent units and the others
    columns = columns_for(len(scores))
    powers = range(int(np.ceil(edges[0])), int(np.floor(edges[-1])) + 1)
    shown = [power for power in powers if power - edges[0] > _CLEAR * (edges[-1] - edges[0])]
    shown = shown[:: -(-len(shown) // (6 - columns))] if shown else []
    with style():
        figure, axes = grid(list(map(label_of, scores)), columns=columns, height=1.9)
        for axis, score in zip(axes, scores, strict=True):
            own = heard[heard["score"] == score].sort_values("left")["share_percent"].to_numpy()
            colour = line_of(score).colour
            axis.stairs(own, edges, fill=True, color=colour, alpha=0.75)
            axis.stairs(mean[mean.index > 0].to_numpy(), edges, color=INK, linewidth=0.8)
            axis.bar(edges[0] - gap, silent[score], width=edges[1] - edges[0], color=colour, alpha=0.75)
            if upper[score] > 10 ** edges[0]:
                axis.axvline(np.log10(upper[score]), color=INK, linewidth=1, linestyle=(0, (2, 1.5)))
            axis.set_xticks([edges[0] - gap, *shown], ["silent", *(number(10.0**power) for power in shown)])
            axis.set_axisbelow(True)
        axes[0].set_ylim(0, 1.05 * float(bins["share_percent"].max()))  # of all: they share it
        outer(axes, columns=columns, xlabel="mean square", ylabel="chosen units (%)")
        words = [f"{label_of(score)} {upper[score]:.3g} ({silent[score]:.0f} % silent)" for score in scores]
        return save(
            figure,
            "squared-activations",
            alt=f"Histograms of the mean squared activation of the units of the {layer} that each score chose, {net}. "
            f"Upper decile, and share of silent units: {', '.join(words)}.",
            caption=f"Mean squared activation of the units of the {layer} chosen for removal, all checkpoints and "
            f"seeds, {net}. Filled: the score's; outline: mean of all scores; dashed: the score's upper decile, mean "
            "over seeds. Silent units, whose mean square is 0 or nearly, stand apart at the left.",
            table="squares",
        )


def iterative_figure(iterative: DataFrame, part: str = "test") -> Saved:
    """Draw loss and accuracy against the share of units removed, a column a schedule."""
    net, rows = one_net(iterative), of_part(iterative, part)
    schedules, many = list(dict.fromkeys(rows["schedule"])), rows["schedule"].nunique()
    controlled = NOTHING in set(rows["score"])
    scores = [*scores_of(rows), *([NOTHING] if controlled else [])]
    with style():
        figure, axes = grid([*schedules, *[""] * many], columns=many, height=2.6, same=False)
        losses: list[float] = []
        for place, schedule in enumerate(schedules):
            own = rows[rows["schedule"] == schedule]
            losses += _lines(axes[place], own, scores, "loss")
            _lines(axes[many + place], own, scores, "accuracy_percent")
        penalty_axis(axes[:many], losses, inches=2)
        for axis in axes:
            axis.set_xlim(0, 1.03 * float(rows["removed_percent"].max()))
        for axis in axes[many:]:
            axis.set_ylim(0, 103)
            axis.set_xlabel("units removed (%)")
        axes[0].set_ylabel(f"{PART_LINES[part].label} loss (nats)")
        axes[many].set_ylabel(f"{PART_LINES[part].label} accuracy (%)")
        score_legend(figure, scores, ways=True)
        words = "; ".join(_ends_in_words(rows[rows["schedule"] == schedule], schedule) for schedule in schedules)
        return save(
            figure,
            "iterative",
            alt=f"Loss and accuracy on {PARTS[part]} against the share of units removed, {net}, a column a schedule. "
            f"{words}.",
            caption=f"Loss (logarithmic scale) and accuracy on {PARTS[part]} by the share of the units of every layer "
            f"removed, {net}. {BAND} {CUT} {'Dotted: nets tuned as often with nothing removed.' * controlled}",
            table="iterative",
        )


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
    labels = list(map(label_of, scores))
    if ways:
        for replacement, dash, filling in (("mean", "-", INK), ("none", _DASHED, "white")):
            looks.append({"color": INK, "marker": "o", "markerfacecolor": filling, "linestyle": dash})
            labels.append(WAYS[replacement])
    handles = [Line2D([], [], **look) for look in looks]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(handles)))


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


def _means_in_words(rows: DataFrame, scores: Sequence[str]) -> str:
    means = rows.groupby("score")[list(SIDES.values())].mean()
    each = [(label_of(score), means.loc[score]) for score in scores if score in means.index]
    return ", ".join(f"{label} {mean['zeroed']:.4f} and {mean['replaced']:.4f}" for label, mean in each)


def _scatter(
    parts: Mapping[str, DataFrame],
    name: str,
    *,
    what: str,
    caption: str,
    table: str,
    when: str = "",
    more: str = "",
    by_score: bool = True,
) -> Saved:
    """Draw pairs with against without replacement, a panel a set of them, and say how many lie below the diagonal."""
    below = ", ".join(f"{title} {sides_in_words(rows)} of {len(rows):,}" for title, rows in parts.items())
    every = pd.concat(parts.values())
    turns = _TURNS if by_score else 1  # in turns, no score lies on top of all others
    with style():
        titles = [f"{title}\n{sides_in_words(rows)}" for title, rows in parts.items()]
        figure, axes = _squares(titles, list(parts.values()), "set to zero (nats)", "replaced (nats)")
        for axis, rows in zip(axes, parts.values(), strict=True):
            for turn in range(turns):
                for score in scores_of(rows):
                    drawn = rows[rows["score"] == score].iloc[turn::turns]
                    _points(axis, drawn, line_of(score), many=len(rows) > _MANY)
        if by_score:
            score_legend(figure, scores_of(every), dots=True)
        return save(
            figure,
            name,
            alt=f"Penalty{when} with removed units replaced by their mean against penalty with them set to zero, "
            f"{what}. Points below the diagonal, where replacement is better, and above: {below}.{more}",
            caption=f"{caption} {_ALL_SHOWN}",
            table=table,
        )


def _squares(titles: Sequence[str], parts: Sequence[DataFrame], xlabel: str, ylabel: str) -> tuple[Figure, list[Axes]]:
    """Lay out square panels for penalties, all on one scale, with the line where both sides are alike."""
    columns = columns_for(len(titles))
    side = min(WIDTH / columns - 0.45, 4.0)  # about, inches
    figure, axes = grid(titles, columns=columns, height=side + 0.75)
    values = np.concatenate([part[list(SIDES.values())].to_numpy().ravel() for part in parts])
    penalty_axis(axes, values, inches=side, both=True)
    for axis in axes:
        low, high = axis.get_xlim()
        # A straight line in a scale that bends around 0 alike on both axes.
        axis.plot([low, high], [low, high], color=INK, linewidth=0.8, zorder=3)
        axis.set_xlim(low, high)
        axis.set_ylim(low, high)
        axis.set_box_aspect(1)
    outer(axes, columns=columns, xlabel=xlabel, ylabel=ylabel)
    figure.set_dpi(_DPI)
    return figure, axes


def _points(axis: Axes, rows: DataFrame, line: Line, *, many: bool | None = None, label: str = "") -> None:
    """Draw pairs, columns zeroed (across) and replaced (up), as points; smaller where there are many."""
    many = len(rows) > _MANY if many is None else many
    looks: dict[str, Any] = {"s": 7.0 if many else 12.0, "marker": line.marker, "color": line.colour, "alpha": 0.55}
    axis.scatter(rows["zeroed"], rows["replaced"], linewidth=0, rasterized=True, label=label, zorder=2, **looks)


def after_steps(count: int) -> str:
    """Name a panel by the number of tuning steps."""
    return f"after {count:,} tuning steps" if count else "before tuning"


def sides_in_words(rows: DataFrame) -> str:
    """Say how many points lie on either side of the diagonal; silent units lie on it."""
    below, above = rows["replaced"] < rows["zeroed"], rows["replaced"] > rows["zeroed"]
    return f"{100 * float(below.mean()):.0f} % below, {100 * float(above.mean()):.0f} % above"


def _lines(axis: Axes, rows: DataFrame, scores: Sequence[str], column: str) -> list[float]:
    """Draw a line for every score with and without replacement, and for the control; give the means drawn."""
    means: list[float] = []
    for score in scores:
        for replacement in SIDES:
            own = rows[(rows["score"] == score) & (rows["replacement"] == replacement)]
            replaced = replacement == "mean" or score == NOTHING
            means += mean_curve(axis, own, "removed_percent", column, line=line_of(score), replaced=replaced)
    return means


def _ends_in_words(rows: DataFrame, schedule: str) -> str:
    """Say the lowest and the highest mean loss of the methods at the largest share removed."""
    share = rows["removed_percent"].max()
    methods = rows[(rows["score"] != NOTHING) & (rows["removed_percent"] == share)].groupby(["score", "replacement"])
    ends = methods[["loss", "accuracy_percent"]].mean().sort_values("loss", kind="stable")
    words = [
        f"{label_of(score)} {'replaced' if replacement == 'mean' else 'set to zero'} {row['loss']:.3f} nats and "
        f"{row['accuracy_percent']:.1f} %"
        for (score, replacement), row in (*ends.head(1).iterrows(), *ends.tail(1).iterrows())
    ]
    return f"{schedule}, at {share:g} % removed: lowest loss {words[0]}, highest {words[-1]}"


def of_part(table: DataFrame, part: str) -> DataFrame:
    """Leave the rows of one part."""
    rows = table[table["part"] == part]
    if rows.empty:
        raise ValueError(f"the table has {', '.join(dict.fromkeys(table['part']))}; got part {part!r}: name one")
    return rows
