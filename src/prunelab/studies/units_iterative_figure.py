"""The figure of pruning in rounds beside pruning in one shot: loss and accuracy by share of units removed."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from pandas import DataFrame

from prunelab.figures import Saved, save, style
from prunelab.studies.units_figure_axes import BAND, CUT, grid, mean_curve, penalty_axis, score_legend
from prunelab.studies.units_labels import NO_SCORE, PART_LINES, PARTS, line_of, one_net, scores_of


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
