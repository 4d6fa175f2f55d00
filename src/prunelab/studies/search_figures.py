"""The figure of the prunings of search trees: nodes looked at by the size of the problem."""

import numpy as np
from pandas import DataFrame

from prunelab.figures import Line, Saved, legend, panels, save, style
from prunelab.studies.search_pruning import largest

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


def nodes_figure(summary: DataFrame) -> Saved:
    """Draw the nodes of each search by the size of the problem, one panel a problem.

    Args:
        summary: as `search_pruning.summary_table` gives it.
    """
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
            f"problem. At the largest size: {'; '.join(_in_words(summary, problem) for problem in problems)}.",
            caption=f"Partial solutions or states looked at, geometric mean over {instances} instances of a size; of "
            "queens there is one. All but the dashed line with stars give the answer that no pruning gives.",
            table="search-summary",
        )


def _in_words(summary: DataFrame, problem: str) -> str:
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
