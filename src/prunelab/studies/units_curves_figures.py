"""Curves along training: penalties with and without mean replacement, losses of the unpruned nets, units chosen."""

import numpy as np
from pandas import DataFrame

from prunelab.figures import Saved, legend, save, style
from prunelab.stats import t_interval
from prunelab.studies.lenet_panels import said
from prunelab.studies.units_figure_axes import (
    BAND,
    CUT,
    columns_for,
    grid,
    mean_curve,
    outer,
    penalty_axis,
    score_legend,
    step_axis,
)
from prunelab.studies.units_labels import (
    ALL,
    PART_LINES,
    PARTS,
    layer_name,
    layers_of,
    line_of,
    one_net,
    scores_of,
    second_convolution,
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
