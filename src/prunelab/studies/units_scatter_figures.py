"""Scatter plots of penalties with replacement against penalties without, and of method against method."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab.figures import INK, Line, Saved, save, style
from prunelab.studies.units_figure_axes import WIDTH, columns_for, grid, outer, penalty_axis, score_legend
from prunelab.studies.units_labels import layer_name, layers_of, line_of, one_net, scores_of
from prunelab.studies.units_pairs import HALVES, losses_percent, wins_percent

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
