"""The figures on search trees and on decision trees."""

import numpy as np
from matplotlib.ticker import LogLocator, StrMethodFormatter
from pandas import DataFrame

from prunelab.figures.style import MUTED, Line, Saved, curve, legend, panels, save, style
from prunelab.stats import t_interval
from prunelab.studies.words.search import largest
from prunelab.studies.words.trees import BEST, ONE_SE, UNPRUNED

# Okabe and Ito (2008); the dash sets what is no bound apart.
_LINES = {
    "none": Line(label="no pruning", colour="#222222", marker="o"),
    "feasibility": Line(label="feasibility", colour="#0072b2", marker="s"),
    "propagation": Line(label="constraint propagation", colour="#009e73", marker="^"),
    "optimality": Line(label="optimality (bound)", colour="#e69f00", marker="D"),
    "best-first": Line(label="heuristic (bound, best first)", colour="#cc79a7", marker="v", dash=(0, (4, 1, 1, 1))),
    "bidirectional": Line(label="bidirectional", colour="#56b4e9", marker="P"),
    "heuristic": Line(label="heuristic (A*)", colour="#cc79a7", marker="X"),
    "estimate": Line(label="estimate, no bound", colour="#d55e00", marker="*", dash=(0, (2, 1))),
}
_PROBLEMS = {
    "queens": ("n queens, all solutions", "rows of the board"),
    "knapsack": ("knapsack, optimum", "items"),
    "knapsack-loose": ("knapsack with a loose bound, optimum", "items"),
    "puzzle": ("eight-puzzle, shortest path", "moves to the goal"),
}
_PARTS = {
    "train": Line(label="training part", colour="#0072b2", marker="o"),
    "validation": Line(label="validation part, which chooses", colour="#e69f00", marker="s", dash=(0, (5, 2))),
    "test": Line(label="test part", colour="#009e73", marker="^", dash=(0, (2, 1))),
}
_CHOICES = {UNPRUNED: "unpruned", BEST: "best", ONE_SE: "one standard error"}


def nodes_figure(summary: DataFrame) -> Saved:
    """Draw the nodes of each search by the size of the problem, one panel a problem."""
    problems = list(dict.fromkeys(summary["problem"]))
    with style():
        figure, axes = panels([_PROBLEMS[problem][0] for problem in problems])
        for axis, problem in zip(axes, problems, strict=True):
            own = summary[summary["problem"] == problem]
            for pruning, line in _LINES.items():
                rows = own[own["pruning"] == pruning].sort_values("size")
                if len(rows):
                    axis.plot(
                        rows["size"],
                        rows["nodes"],
                        color=line.colour,
                        marker=line.marker,
                        markersize=7 if line.marker == "*" else 4.5,
                        linestyle=line.dash,
                        label=line.label,
                    )
            axis.set_yscale("log")
            axis.set_xticks(np.unique(own["size"]))
            axis.set_xlabel(_PROBLEMS[problem][1])
            axis.set_ylabel("nodes looked at")
        legend(figure, axes)
        instances = int(summary["instances"].max())
        return save(
            figure,
            "nodes",
            alt="Nodes looked at by searches with and without pruning, on a logarithmic scale, by the size of the "
            f"problem. At the largest size: {'; '.join(_nodes_in_words(summary, problem) for problem in problems)}.",
            caption=f"Partial solutions or states looked at, geometric mean over {instances} instances of a size; of "
            "queens there is one. All but the dashed line with stars give the answer that no pruning gives.",
            table="search-summary",
        )


def leaves_figure(path: DataFrame, chosen: DataFrame) -> Saved:
    """Draw the accuracy on each part by the leaves left, the trees chosen marked."""
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
            words.append(_tree_in_words(own, label))
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


def _nodes_in_words(summary: DataFrame, problem: str) -> str:
    """Say the nodes of each pruning at a problem's largest size."""
    rows = largest(summary)
    rows = rows[rows["problem"] == problem]
    nodes = ", ".join(
        f"{_LINES[row['pruning']].label} {row['nodes']:,.0f}"
        + (
            f" with another answer in {lost} of {row['instances']}"
            if (lost := row["instances"] - row["same_answers"])
            else ""
        )
        for row in rows.to_dict("records")
    )
    return f"{_PROBLEMS[problem][0]}, {rows['size'].iloc[0]} {_PROBLEMS[problem][1]}, {nodes}"


def _tree_in_words(rows: DataFrame, label: str) -> str:
    """Say leaves and accuracies of the trees of one choice."""
    train, test = (t_interval(rows[f"{part}_percent"].to_numpy()).value for part in ("train", "test"))
    return f"{label} {rows['leaves'].mean():.0f} leaves, training part {train:.1f} %, test part {test:.1f} %"
