"""The figures of the mean-replacement study: penalties along training, with and without replacement, in rounds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab import figures as draw
from prunelab.stats import t_interval
from prunelab.studies.units.rules import ALL, NOTHING, REFERENCE, layers_of, place_of, scores_of, second_convolution
from prunelab.studies.units.summary import HALVES, ONE, SIDES

SCORE_LINES: Mapping[str, draw.Line] = {
    **draw.lines("score"),
    REFERENCE: draw.Line(label="exact loss change", colour=draw.GREY, marker="*"),
    NOTHING: draw.Line(label="nothing removed", colour=draw.GREY, marker="", dash=draw.DOTTED),
}
PART_LINES = draw.palette({"train": "training", "validation": "validation", "test": "test"})
PARTS = {part: f"{line.label} examples" for part, line in PART_LINES.items()}
# Dash and filling of the marker are kept for the replacement: solid and filled with it, dashed and open without.
WAYS = {"none": "set to zero", "mean": "replaced by their mean"}
COMPARISONS = (("norm", "random"), ("mrs-abs", "taylor-abs"))

_OTHERWISE = (("mrs-abs", "norm"),)  # where those were not measured
_PAIR_LINES = (draw.Line(label="", colour=draw.BLUE, marker="o"), draw.Line(label="", colour=draw.ORANGE, marker="^"))
_REPLACED = draw.Line(label=WAYS["mean"], colour=draw.INK, marker="o")
_WAY_LINES = (_REPLACED, _REPLACED.dashed(WAYS["none"]))
_LAYERS = {ALL: "all layers at once", ONE: "one layer at a time"}
_KINDS = {"conv": "convolution", "fc": "linear layer"}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_LEVEL = 0.8  # the source's, in its figure 2
_SOURCES = "Line: mean over seeds; band: 80 % t interval, the level the source draws here."
_ALL_SHOWN = "Every measurement is a point (points are pixels, the rest is drawn as lines)."
_PENALTY = "penalty (nats)"
_MOST = 4  # layers in one figure
_POINTS = 22  # along a curve, one of many; checkpoints lie closer than can be told apart
_TURNS = 8
_MANY = 600  # points in a panel


def label_of(score: str) -> str:
    """Name a score."""
    return line_of(score).label


def line_of(score: str, replacement: str = "mean") -> draw.Line:
    """Give a score's line; one that is not known is drawn in the reference's colour, under its own name."""
    line = SCORE_LINES.get(score, draw.Line(label=score, colour=draw.GREY, marker="p"))
    return line if replacement == "mean" or score == NOTHING else line.dashed()


def layer_name(layer: str) -> str:
    """Say a layer's name in words: "conv2" is the second convolution."""
    word, number = place_of(layer)
    if word not in _KINDS or not 1 <= number <= len(_ORDINALS):
        return _LAYERS.get(layer, layer)
    return f"{_ORDINALS[number - 1]} {_KINDS[word]}"


@draw.drawing()
def penalties_along_training(pairs: DataFrame, part: str, *, suffix: str = "") -> draw.Saved:
    """Draw the penalty along training, a row a layer, without replacement at the left and with it at the right.

    Of more than four layers, four are drawn: evenly spaced ones, and all at once.
    """
    net, layers, scores = draw.one_net(pairs), _some(layers_of(pairs)), scores_of(pairs)
    titles = [f"{layer_name(layer)}, {way}" for layer in layers for way in WAYS.values()]
    figure, axes = draw.grid(titles, height=1.95, xlabel="training step", ylabel=_PENALTY)
    words, most = [], 1
    for row, layer in enumerate(layers):
        rows, beside = pairs[pairs["layer"] == layer], axes[2 * row : 2 * row + 2]
        drawn, together = _neighbours(rows)
        most, means = max(most, together), []
        for axis, (replacement, side) in zip(beside, SIDES.items(), strict=True):
            for score in scores:
                own, line = drawn[drawn["score"] == score], line_of(score, replacement)
                means += draw.band(axis, own, "step", side, line=line, level=_LEVEL)
            draw.step_axis(axis)
            axis.tick_params(labelbottom=layer == layers[-1])
        draw.penalty_axis(beside, means, inches=1.4)
        words.append(f"{layer_name(layer)}: {_means_in_words(rows, scores)}")
    draw.legend(figure, [*map(line_of, scores), *_WAY_LINES])
    left = len(layers_of(pairs)) - len(layers)
    return draw.save(
        figure,
        f"penalties-along-training{suffix}",
        alt=f"Penalty of removing units along training, {net}, {PARTS[part]}, a row a layer, without mean replacement "
        f"at the left and with it at the right. Mean over training in nats, set to zero then replaced. "
        f"{'; '.join(words)}.",
        caption=f"Penalty right after the removal along training, {net}, {PARTS[part]}; both panels of a row have one "
        f"scale. {_SOURCES} {_together(most)} {draw.CUT}"
        + (f" {left} further layers are in the table." if left else ""),
        table=f"pairs{suffix}",
    )


@draw.drawing()
def training_curves(curves: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw loss and accuracy of the unpruned nets along training."""
    net, words = draw.one_net(curves), []
    figure, axes = draw.grid(["loss", "accuracy"], height=2.7, xlabel="training step")
    for part in [name for name in PART_LINES if name in set(curves["part"])]:
        rows = curves[curves["part"] == part]
        for axis, column in zip(axes, ("loss", "accuracy_percent"), strict=True):
            draw.band(axis, rows, "step", column, line=PART_LINES[part], level=_LEVEL)
        last = rows[rows["step"] == rows["step"].max()]
        loss, accuracy = (t_interval(last[column].to_numpy()) for column in ("loss", "accuracy_percent"))
        words.append(f"{PARTS[part]} loss {draw.said(loss, 3)} nats, accuracy {draw.said(accuracy)} %")
    for axis, label in zip(axes, ("cross-entropy (nats)", "accuracy (%)"), strict=True):
        axis.set_ylabel(label)
        draw.step_axis(axis, 5)
    axes[0].set_ylim(bottom=0)
    draw.legend(figure)
    return draw.save(
        figure,
        f"curves{suffix}",
        alt=f"Loss and accuracy of the unpruned nets along training, {net}. At step {curves['step'].max():,}, mean "
        f"with 95 % interval: {'; '.join(words)}.",
        caption=f"Loss and accuracy of the unpruned nets along training, {net}. {_SOURCES}",
        table=f"curves{suffix}",
    )


@draw.drawing()
def one_layer(pairs: DataFrame, part: str) -> draw.Saved:
    """Draw the penalty along training of the second convolution alone, both ways, a panel a score."""
    net, layer = draw.one_net(pairs), second_convolution(pairs)
    rows = pairs[pairs["layer"] == layer]
    scores, (drawn, most), means = scores_of(rows), _neighbours(rows), []
    titles, columns = list(map(label_of, scores)), draw.columns_for(len(scores))
    figure, axes = draw.grid(titles, columns=columns, height=2.1, same=True, xlabel="training step", ylabel=_PENALTY)
    for axis, score in zip(axes, scores, strict=True):
        for replacement, side in SIDES.items():
            means += draw.band(axis, drawn[drawn["score"] == score], "step", side, line=line_of(score, replacement))
        draw.step_axis(axis, 5 - columns)
    draw.penalty_axis(axes, means, inches=1.4)
    draw.legend(figure, _WAY_LINES)
    return draw.save(
        figure,
        "one-layer",
        alt=f"Penalty of removing units of the {layer_name(layer)} along training, {net}, {PARTS[part]}, a panel a "
        f"score. Mean over training in nats, set to zero then replaced: {_means_in_words(rows, scores)}.",
        caption=f"Penalty of removing units of the {layer_name(layer)} alone, with and without mean replacement, "
        f"{net}, {PARTS[part]}. {draw.BAND} {_together(most)} {draw.CUT}",
        table="pairs",
    )


def scatter_replacement(pairs: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw every penalty with replacement against the one without, a panel a score."""
    net, parts = draw.one_net(pairs), {label_of(score): pairs[pairs["score"] == score] for score in scores_of(pairs)}
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


def scatter_by_layer(pairs: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw every penalty with replacement against the one without, a panel a layer pruned, coloured by score."""
    net, parts = draw.one_net(pairs), {layer_name(layer): pairs[pairs["layer"] == layer] for layer in layers_of(pairs)}
    return _scatter(
        parts,
        f"scatter-by-layer{suffix}",
        what=f"{net}, a panel a layer pruned",
        caption=f"Pruning penalties without (across) and with mean replacement (up) by the layer pruned, {net}, all "
        "checkpoints and seeds. Below the diagonal, replacement is better.",
        table=f"pairs{suffix}",
    )


def scatter_tuned(tuned: DataFrame, half: str) -> draw.Saved:
    """Draw penalties after tuning with replacement against those without, a panel a number of tuning steps.

    The units were removed in one half of the training, "early" or "late".
    """
    net, rows = draw.one_net(tuned), tuned[tuned["half"] == half]
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


@draw.drawing()
def methods_by_tuning(tuned: DataFrame, comparisons: Sequence[tuple[str, str]] = COMPARISONS) -> draw.Saved:
    """Draw the penalty of one score against that of another, both with replacement, a panel a number of tuning steps.

    Comparisons are up to two pairs of scores, (up, across), each in its own colour.
    """
    net, counts = draw.one_net(tuned), sorted(set(tuned["tuning_steps"]))
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
    figure, axes = _squares(names, drawn, "penalty of one score (nats)", "penalty of the other (nats)")
    for place, rows in enumerate(drawn):
        panel, which = divmod(place, len(comparisons))
        _points(axes[panel], rows, _PAIR_LINES[which], many=len(rows) > _MANY)
    draw.legend(
        figure, [replace(line, label=label) for line, label in zip(_PAIR_LINES, labels, strict=False)], dots=True
    )
    return draw.save(
        figure,
        "methods-by-tuning",
        alt=f"Penalty by one score against penalty by another, units replaced by their mean, {net}, a panel a number "
        f"of tuning steps. Points below the diagonal, where the score drawn upwards is better, and above: "
        f"{'; '.join(words)}.",
        caption=f"Penalties of two scores at the same net, checkpoint and layer, with mean replacement, after tuning, "
        f"{net}. Below the diagonal, the score drawn upwards is better. {_ALL_SHOWN}",
        table="tuned",
    )


@draw.drawing()
def iterative_figure(iterative: DataFrame, part: str = "test") -> draw.Saved:
    """Draw loss and accuracy against the share of units removed, a column a schedule."""
    net, rows = draw.one_net(iterative), of_part(iterative, part)
    schedules, many = list(dict.fromkeys(rows["schedule"])), rows["schedule"].nunique()
    controlled = NOTHING in set(rows["score"])
    scores = [*scores_of(rows), *([NOTHING] if controlled else [])]
    figure, axes = draw.grid([*schedules, *[""] * many], columns=many, height=2.6, xlabel="units removed (%)")
    losses: list[float] = []
    for place, schedule in enumerate(schedules):
        own = rows[rows["schedule"] == schedule]
        losses += _by_share(axes[place], own, scores, "loss")
        _by_share(axes[many + place], own, scores, "accuracy_percent")
        axes[many + place].set_ylim(0, 103)
    draw.penalty_axis(axes[:many], losses, inches=2)
    for axis in axes:
        axis.set_xlim(0, 1.03 * float(rows["removed_percent"].max()))
    axes[0].set_ylabel(f"{PART_LINES[part].label} loss (nats)")
    axes[many].set_ylabel(f"{PART_LINES[part].label} accuracy (%)")
    draw.legend(figure, [*map(line_of, scores), *_WAY_LINES])
    words = "; ".join(_ends_in_words(rows[rows["schedule"] == schedule], schedule) for schedule in schedules)
    return draw.save(
        figure,
        "iterative",
        alt=f"Loss and accuracy on {PARTS[part]} against the share of units removed, {net}, a column a schedule. "
        f"{words}.",
        caption=f"Loss (logarithmic scale) and accuracy on {PARTS[part]} by the share of the units of every layer "
        f"removed, {net}. {draw.BAND} {draw.CUT} {'Dotted: nets tuned as often with nothing removed.' * controlled}",
        table="iterative",
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


def _means_in_words(rows: DataFrame, scores: Sequence[str]) -> str:
    means = rows.groupby("score")[list(SIDES.values())].mean()
    each = [(label_of(score), means.loc[score]) for score in scores if score in means.index]
    return ", ".join(f"{label} {mean['zeroed']:.4f} and {mean['replaced']:.4f}" for label, mean in each)


@draw.drawing()
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
) -> draw.Saved:
    """Draw pairs with against without replacement, a panel a set of them, and say how many lie below the diagonal."""
    below = ", ".join(f"{title} {sides_in_words(rows)} of {len(rows):,}" for title, rows in parts.items())
    titles = [f"{title}\n{sides_in_words(rows)}" for title, rows in parts.items()]
    figure, axes = _squares(titles, list(parts.values()), "set to zero (nats)", "replaced (nats)")
    turns = _TURNS if by_score else 1  # in turns, no score lies on top of all others
    for axis, rows in zip(axes, parts.values(), strict=True):
        for turn in range(turns):
            for score in scores_of(rows):
                drawn = rows[rows["score"] == score].iloc[turn::turns]
                _points(axis, drawn, line_of(score), many=len(rows) > _MANY)
    if by_score:
        draw.legend(figure, list(map(line_of, scores_of(pd.concat(parts.values())))), dots=True)
    return draw.save(
        figure,
        name,
        alt=f"Penalty{when} with removed units replaced by their mean against penalty with them set to zero, {what}. "
        f"Points below the diagonal, where replacement is better, and above: {below}.{more}",
        caption=f"{caption} {_ALL_SHOWN}",
        table=table,
    )


def _squares(titles: Sequence[str], parts: Sequence[DataFrame], xlabel: str, ylabel: str) -> tuple[Figure, list[Axes]]:
    """Lay out square panels for penalties, all on one scale, with the line where both sides are alike."""
    columns = draw.columns_for(len(titles))
    side = min(draw.WIDTH / columns - 0.45, 4.0)  # about, inches
    sizes: dict[str, Any] = {"columns": columns, "height": side + 0.75, "width": draw.WIDTH, "same": True}
    figure, axes = draw.grid(titles, **sizes, xlabel=xlabel, ylabel=ylabel)
    values = np.concatenate([part[list(SIDES.values())].to_numpy().ravel() for part in parts])
    draw.penalty_axis(axes, values, inches=side, both=True)
    for axis in axes:
        ends = axis.get_xlim()
        axis.plot(ends, ends, color=draw.INK, linewidth=0.8, zorder=3)  # straight: the scale bends alike on both axes
        axis.set_xlim(*ends)
        axis.set_ylim(*ends)
        axis.set_box_aspect(1)
    return figure, axes


def _points(axis: Axes, rows: DataFrame, line: draw.Line, *, many: bool) -> None:
    """Draw pairs, columns zeroed (across) and replaced (up), as points; smaller where there are many."""
    looks: dict[str, Any] = {"s": 7.0 if many else 12.0, "marker": line.marker, "color": line.colour, "alpha": 0.55}
    # As pixels: thousands of shapes would make pages slow.
    axis.scatter(rows["zeroed"], rows["replaced"], linewidth=0, rasterized=True, zorder=2, **looks)


def after_steps(count: int) -> str:
    """Name a panel by the number of tuning steps."""
    return f"after {count:,} tuning steps" if count else "before tuning"


def sides_in_words(rows: DataFrame) -> str:
    """Say how many points lie on either side of the diagonal; silent units lie on it."""
    below, above = rows["replaced"] < rows["zeroed"], rows["replaced"] > rows["zeroed"]
    return f"{100 * float(below.mean()):.0f} % below, {100 * float(above.mean()):.0f} % above"


def _by_share(axis: Axes, rows: DataFrame, scores: Sequence[str], column: str) -> list[float]:
    """Draw a line for every score with and without replacement, and for the control; give the means drawn."""
    means: list[float] = []
    for score in scores:
        for replacement in SIDES:
            own = rows[(rows["score"] == score) & (rows["replacement"] == replacement)]
            means += draw.band(axis, own, "removed_percent", column, line=line_of(score, replacement))
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
