"""The figures on search trees and on decision trees."""

import numpy as np
from matplotlib.ticker import LogLocator, StrMethodFormatter
from pandas import DataFrame

from prunelab import figures as draw
from prunelab.studies.words.search import largest
from prunelab.studies.words.trees import BEST, ONE_SE, UNPRUNED
from prunelab.summaries import only

# The dash sets what is no bound apart.
_LINES = {
    "none": draw.Line(label="no pruning", colour=draw.INK, marker="o"),
    "feasibility": draw.Line(label="feasibility", colour=draw.BLUE, marker="s"),
    "propagation": draw.Line(label="constraint propagation", colour=draw.GREEN, marker="^"),
    "optimality": draw.Line(label="optimality (bound)", colour=draw.ORANGE, marker="D"),
    "best-first": draw.Line(label="heuristic (bound, best first)", colour=draw.PURPLE, marker="v", dash=draw.MIXED),
    "bidirectional": draw.Line(label="bidirectional", colour=draw.SKY, marker="P"),
    "heuristic": draw.Line(label="heuristic (A*)", colour=draw.PURPLE, marker="X"),
    "estimate": draw.Line(label="estimate, no bound", colour=draw.VERMILION, marker="*", dash=draw.SHORT),
}
_PROBLEMS = {
    "queens": ("n queens, all solutions", "rows of the board"),
    "knapsack": ("knapsack, optimum", "items"),
    "knapsack-loose": ("knapsack with a loose bound, optimum", "items"),
    "puzzle": ("eight-puzzle, shortest path", "moves to the goal"),
}
_PARTS = {
    "train": draw.Line(label="training part", colour=draw.BLUE, marker="o"),
    "validation": draw.Line(label="validation part, which chooses", colour=draw.ORANGE, marker="s", dash=draw.LONG),
    "test": draw.Line(label="test part", colour=draw.GREEN, marker="^", dash=draw.SHORT),
}
_CHOICES = {UNPRUNED: "unpruned", BEST: "best", ONE_SE: "one standard error"}


@draw.drawing()
def nodes_figure(summary: DataFrame) -> draw.Saved:
    """Draw the nodes of each search by the size of the problem, one panel a problem."""
    problems = list(dict.fromkeys(summary["problem"]))
    figure, axes = draw.grid([_PROBLEMS[problem][0] for problem in problems])
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
        draw.log_axis(axis)
        told = []
        for row in only(largest(summary), problem=problem).to_dict("records"):
            lost = row["instances"] - row["same_answers"]
            other = f" with another answer in {lost} of {row['instances']}" if lost else ""
            told.append(f"{_LINES[row['pruning']].label} {row['nodes']:,.0f}{other}")
        words.append(f"{title}, {own['size'].max()} {size}, {', '.join(told)}")
    draw.legend(figure)
    return draw.save(
        figure,
        "nodes",
        alt="Nodes looked at by searches with and without pruning, on a logarithmic scale, by the size of the "
        f"problem. At the largest size: {'; '.join(words)}.",
        caption=f"Partial solutions or states looked at, geometric mean over {summary['instances'].max()} instances of "
        "a size; of queens there is one. All but the dashed line with stars give the answer that no pruning gives.",
        table="search-summary",
    )


@draw.drawing()
def leaves_figure(path: DataFrame, chosen: DataFrame) -> draw.Saved:
    """Draw the accuracy on each part by the leaves left, the trees chosen marked."""
    data, seeds, words = path["data"].iloc[0], path["seed"].nunique(), []
    figure, [axis] = draw.grid([f"decision trees on {data}"], height=3.2, xlabel="leaves left", ylabel="accuracy (%)")
    for part, line in _PARTS.items():
        draw.band(axis, path, "leaves", f"{part}_percent", along="step", line=line)
    for choice, label in _CHOICES.items():
        own = only(chosen, choice=choice).mean(numeric_only=True)
        draw.rule(axis, x=own["leaves"], dash=draw.DOTTED, colour=draw.MUTED)
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
    draw.legend(figure)
    return draw.save(
        figure,
        "leaves",
        alt=f"Accuracy on training, validation and test part of decision trees on {data} by their leaves, from the "
        f"root alone to the whole tree. Chosen trees, mean over {seeds} seeds: {'; '.join(words)}.",
        caption=f"Accuracy of a decision tree on {data} along its path of cost-complexity pruning, mean over "
        f"{seeds} seeds with 95 % t interval. Dotted: mean leaves of the whole tree, of the one with the highest "
        "validation accuracy, and of the smallest within one standard error of it.",
        table="path",
    )
