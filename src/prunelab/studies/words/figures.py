"""The figures on search trees and on decision trees."""

import numpy as np
from matplotlib.ticker import LogLocator, StrMethodFormatter
from pandas import DataFrame

from prunelab.figures import (
    BLUE,
    DOTTED,
    GREEN,
    INK,
    LONG,
    MIXED,
    MUTED,
    ORANGE,
    PURPLE,
    SHORT,
    SKY,
    VERMILION,
    Line,
    Saved,
    band,
    drawing,
    grid,
    legend,
    log_axis,
    rule,
    save,
)
from prunelab.studies.words.search import largest
from prunelab.studies.words.trees import BEST, ONE_SE, UNPRUNED
from prunelab.summaries import only

# The dash sets what is no bound apart.
_LINES = {
    "none": Line(label="no pruning", colour=INK, marker="o"),
    "feasibility": Line(label="feasibility", colour=BLUE, marker="s"),
    "propagation": Line(label="constraint propagation", colour=GREEN, marker="^"),
    "optimality": Line(label="optimality (bound)", colour=ORANGE, marker="D"),
    "best-first": Line(label="heuristic (bound, best first)", colour=PURPLE, marker="v", dash=MIXED),
    "bidirectional": Line(label="bidirectional", colour=SKY, marker="P"),
    "heuristic": Line(label="heuristic (A*)", colour=PURPLE, marker="X"),
    "estimate": Line(label="estimate, no bound", colour=VERMILION, marker="*", dash=SHORT),
}
_PROBLEMS = {
    "queens": ("n queens, all solutions", "rows of the board"),
    "knapsack": ("knapsack, optimum", "items"),
    "knapsack-loose": ("knapsack with a loose bound, optimum", "items"),
    "puzzle": ("eight-puzzle, shortest path", "moves to the goal"),
}
_PARTS = {
    "train": Line(label="training part", colour=BLUE, marker="o"),
    "validation": Line(label="validation part, which chooses", colour=ORANGE, marker="s", dash=LONG),
    "test": Line(label="test part", colour=GREEN, marker="^", dash=SHORT),
}
_CHOICES = {UNPRUNED: "unpruned", BEST: "best", ONE_SE: "one standard error"}


@drawing()
def nodes_figure(summary: DataFrame) -> Saved:
    """Draw the nodes of each search by the size of the problem, one panel a problem."""
    problems = list(dict.fromkeys(summary["problem"]))
    figure, axes = grid([_PROBLEMS[problem][0] for problem in problems])
    words = []
    for axis, problem in zip(axes, problems, strict=True):
        own, (title, size) = only(summary, problem=problem), _PROBLEMS[problem]
        for pruning, line in _LINES.items():
            rows = only(own, pruning=pruning).sort_values("size")
            if len(rows):
                axis.plot(rows["size"], rows["nodes"], **line.look(markersize=7 if line.marker == "*" else 4.5))
        axis.set_xticks(np.unique(own["size"]))
        axis.set_xlabel(size)
        axis.set_ylabel("nodes looked at")
        log_axis(axis)
        told = []
        for row in only(largest(summary), problem=problem).to_dict("records"):
            lost = row["instances"] - row["same_answers"]
            other = f" with another answer in {lost} of {row['instances']}" if lost else ""
            told.append(f"{_LINES[row['pruning']].label} {row['nodes']:,.0f}{other}")
        words.append(f"{title}, {own['size'].max()} {size}, {', '.join(told)}")
    legend(figure)
    return save(
        figure,
        "nodes",
        alt="Nodes looked at by searches with and without pruning, on a logarithmic scale, by the size of the "
        f"problem. At the largest size: {'; '.join(words)}.",
        caption=f"Partial solutions or states looked at, geometric mean over {summary['instances'].max()} instances of "
        "a size; of queens there is one. All but the dashed line with stars give the answer that no pruning gives.",
        table="search-summary",
    )


@drawing()
def leaves_figure(path: DataFrame, chosen: DataFrame) -> Saved:
    """Draw the accuracy on each part by the leaves left, the trees chosen marked."""
    data, seeds, words = path["data"].iloc[0], path["seed"].nunique(), []
    figure, [axis] = grid([f"decision trees on {data}"], height=3.2, xlabel="leaves left", ylabel="accuracy (%)")
    for part, line in _PARTS.items():
        band(axis, path, "leaves", f"{part}_percent", along="step", line=line)
    for choice, label in _CHOICES.items():
        own = only(chosen, choice=choice).mean(numeric_only=True)
        rule(axis, x=own["leaves"], dash=DOTTED, colour=MUTED)
        axis.annotate(
            label,
            (own["leaves"], 0),
            (-3, 6),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            rotation=90,
            ha="right",
            fontsize=8.5,
        )
        parts = f"training part {own['train_percent']:.1f} %, test part {own['test_percent']:.1f} %"
        words.append(f"{label} {own['leaves']:.0f} leaves, {parts}")
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    legend(figure)
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
