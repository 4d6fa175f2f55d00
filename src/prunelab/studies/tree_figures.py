"""The figure of cost-complexity pruning: accuracy by the leaves that are left."""

from matplotlib.ticker import LogLocator, StrMethodFormatter
from pandas import DataFrame

from prunelab.figures import MUTED, Line, Saved, curve, legend, panels, save, style
from prunelab.stats import t_interval
from prunelab.studies.tree_pruning import BEST, ONE_SE, UNPRUNED

_PARTS = {
    "train": Line(label="training part", colour="#0072b2", marker="o"),
    "validation": Line(label="validation part, which chooses", colour="#e69f00", marker="s", dash=(0, (5, 2))),
    "test": Line(label="test part", colour="#009e73", marker="^", dash=(0, (2, 1))),
}
_CHOICES = {UNPRUNED: "unpruned", BEST: "best", ONE_SE: "one standard error"}


def leaves_figure(path: DataFrame, chosen: DataFrame) -> Saved:
    """Draw the accuracy on each part by the leaves left, the trees chosen marked.

    Args:
        path: as `tree_pruning.prune_trees` gives it, of one data set.
        chosen: likewise.
    """
    data = str(path["data"].iloc[0])
    with style():
        figure, [axis] = panels([f"decision trees on {data}"])
        figure.set_size_inches(6.2, 3.8)
        for part, line in _PARTS.items():
            curve(axis, path, "leaves", f"{part}_percent", along="step", line=line)
        words = []
        for choice, label in _CHOICES.items():
            own = chosen[chosen["choice"] == choice]
            leaves = float(own["leaves"].mean())
            axis.axvline(leaves, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
            axis.annotate(
                label,
                (leaves, 0),
                (-3, 6),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                rotation=90,
                ha="right",
                fontsize=8.5,
            )
            words.append(_in_words(own, label))
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_xlabel("leaves left")
        axis.set_ylabel("accuracy (%)")
        legend(figure, [axis])
        seeds = path["seed"].nunique()
        return save(
            figure,
            "leaves",
            alt=f"Accuracy on training, validation and test part of decision trees on {data} by their leaves, from the "
            f"root alone to the whole tree. Chosen trees, mean over {seeds} seeds: {'; '.join(words)}.",
            caption=f"Accuracy of a decision tree on {data} along its path of cost-complexity pruning, mean over "
            f"{seeds} seeds with 95 % t interval. Dotted: mean leaves of the whole tree, of the one with the highest "
            "validation accuracy, and of the smallest within one standard error of it.",
            table="path",
        )


def _in_words(rows: DataFrame, label: str) -> str:
    """Say leaves and accuracies of the trees of one choice."""
    train, test = (t_interval(rows[f"{part}_percent"].to_numpy()).value for part in ("train", "test"))
    return f"{label} {rows['leaves'].mean():.0f} leaves, training part {train:.1f} %, test part {test:.1f} %"
