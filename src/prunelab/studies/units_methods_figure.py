"""The figure of one score's penalties against another's, before and after tuning."""

from collections.abc import Sequence

import numpy as np
from pandas import DataFrame

from prunelab.figures import Line, Saved, save, style
from prunelab.studies.units_figure_axes import columns_for, grid, outer, penalty_axis
from prunelab.studies.units_labels import line_of, one_net, scores_of
from prunelab.studies.units_scatter_figures import (
    ALL_SHOWN,
    DPI,
    after_steps,
    diagonal,
    dot_size,
    height,
    points,
    side_inches,
    sides_in_words,
)

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
