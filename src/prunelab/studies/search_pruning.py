"""What the prunings of search trees save and what they cost: nodes looked at, and whether the answer is the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from pandas import DataFrame

from prunelab.records import Value, to_frame
from prunelab.stats import Interval, t_interval
from prunelab.studies.search_backtracking import Found, draw_knapsack, knapsack, queens
from prunelab.studies.search_paths import a_star, bidirectional, breadth_first, draw_starts

Instance = TypeVar("Instance")

NONE = "none"
ESTIMATE = "estimate"  # what alone may change the answer

SEARCH_KEY = ("problem", "size", "seed", "pruning")
SEARCH_COLUMNS = {
    "problem": "queens: all ways to place n on a board; knapsack: the largest value, of items whose values do not "
    "depend on their weights; knapsack-loose: of items that even cut never fill it as whole ones do; puzzle: the "
    "fewest moves of a sliding puzzle of 3×3",
    "size": "rows of the board, items, or moves to the goal",
    "seed": "seed of the instance; 0 where there is only one",
    "pruning": "none; feasibility: what breaks a constraint is cut; propagation: so is what leaves a later row no "
    "choice; optimality: feasibility, and what no completion makes better than the best so far; best-first: the same, "
    "the highest bound first; bidirectional: from both ends; heuristic: A*; estimate: as optimality or heuristic, but "
    "by an estimate that is no bound",
    "answer": "solutions found, largest value found, or moves of the path found",
    "off_percent": "how far it is from the answer without pruning, 0 if they are the same [%]",
    "nodes": "partial solutions or states looked at, those cut among them",
    "nodes_percent": "of those without pruning [%]",
    "checks": "tests made: pairs of queens, items summed for a bound, states compared, or tiles measured",
}
SUMMARY_KEY = ("problem", "size", "pruning")
SUMMARY_COLUMNS = {
    **{name: SEARCH_COLUMNS[name] for name in SUMMARY_KEY},
    "instances": "instances searched",
    "nodes": "partial solutions or states looked at, geometric mean over instances",
    "nodes_percent": "of those without pruning, geometric mean over instances [%]",
    "low": "its 95 % interval from, over logarithms; may be empty with one instance [%]",
    "high": "to; may be empty with one instance [%]",
    "checks": "tests made, mean over instances",
    "same_answers": "instances with the answer that no pruning gives",
    "worst_percent": "how far an answer is from that at most [%]",
}


@dataclass(frozen=True, kw_only=True)
class Search:
    """One search of one instance."""

    problem: str
    size: int
    seed: int
    pruning: str
    answer: int
    off_percent: float
    nodes: int
    nodes_percent: float
    checks: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All searches of one problem, size and pruning."""

    problem: str
    size: int
    pruning: str
    instances: int
    nodes: float
    nodes_percent: float
    low: float | None
    high: float | None
    checks: float
    same_answers: int
    worst_percent: float


def search_table(
    *, boards: Sequence[int], items: Sequence[int], moves: Sequence[int], seeds: Sequence[int], weight: int
) -> DataFrame:
    """Search every instance of three problems with each pruning that applies to it.

    Args:
        boards: rows of the boards for queens; without pruning a board of n rows has more than n^n nodes.
        items: numbers of items; without pruning n items have 2^(n + 1) - 1 nodes.
        moves: distances from the goal of the eight-puzzle, 0 to 31.
        seeds: of the instances of all but the boards.
        weight: of the estimate in the search for paths that is not exact, at least 2.

    Returns:
        A table of `SEARCH_COLUMNS`.

    Raises:
        ValueError: a size out of range, or a weight that leaves the estimate a bound.
    """
    if weight < 2:
        raise ValueError(f"an estimate that is no bound has a weight of at least 2; got {weight!r}")
    rows = []
    for size in boards:
        rows += _searches("queens", size, 0, _QUEENS, size)
    for problem, loose in (("knapsack", False), ("knapsack-loose", True)):
        for size in items:
            for seed in seeds:
                rows += _searches(problem, size, seed, _KNAPSACK, draw_knapsack(size, seed=seed, loose=loose))
    paths = {**_PATHS, ESTIMATE: lambda start: a_star(start, weight=weight)}
    for (size, seed), start in draw_starts(moves, seeds).items():
        rows += _searches("puzzle", size, seed, paths, start)
    return to_frame(rows, SEARCH_KEY)


def summary_table(searches: DataFrame) -> DataFrame:
    """Summarise over instances.

    Args:
        searches: as `search_table` gives them.

    Returns:
        A table of `SUMMARY_COLUMNS`, in the order of the searches.
    """
    rows = []
    for _, own in searches.groupby(list(SUMMARY_KEY), sort=False):
        share = _geometric(own["nodes_percent"])
        alone = bool(np.isnan(share.low))
        rows.append(
            Summary(
                problem=str(own["problem"].iloc[0]),
                size=int(own["size"].iloc[0]),
                pruning=str(own["pruning"].iloc[0]),
                instances=len(own),
                nodes=_geometric(own["nodes"]).value,
                nodes_percent=share.value,
                low=None if alone else share.low,
                high=None if alone else share.high,
                checks=float(own["checks"].mean()),
                same_answers=int((own["off_percent"] == 0).sum()),
                worst_percent=float(own["off_percent"].max()),
            )
        )
    return to_frame(rows, SUMMARY_KEY)


def largest(summary: DataFrame) -> DataFrame:
    """Keep of each problem its largest size.

    Args:
        summary: as `summary_table` gives it.
    """
    return summary[summary["size"] == summary.groupby("problem")["size"].transform("max")].reset_index(drop=True)


def search_values(summary: DataFrame) -> dict[str, Value]:
    """Quote the searches of each problem's largest size.

    Args:
        summary: as `summary_table` gives it.

    Returns:
        `<problem>-size`; with `-<pruning>` behind the problem, `-nodes`, `-share` of those without pruning,
        `-different`, the instances with another answer, and `-worst`, how far off it is at most; and `instances` of the
        problems that have several.
    """
    rows = largest(summary)
    values = {"instances": Value(value=int(rows["instances"].max()), digits=0)}
    for row in rows.to_dict("records"):
        problem, name = row["problem"], f"{row['problem']}-{row['pruning']}"
        values[f"{problem}-size"] = Value(value=row["size"], digits=0)
        values[f"{name}-nodes"] = Value(value=row["nodes"], digits=0, n=row["instances"])
        values[f"{name}-share"] = Value(
            value=row["nodes_percent"],
            low=row["low"],
            high=row["high"],
            unit="%",
            digits=_digits(row["nodes_percent"]),
            n=row["instances"],
        )
        different = row["instances"] - row["same_answers"]
        values[f"{name}-different"] = Value(value=different, digits=0, n=row["instances"])
        values[f"{name}-worst"] = Value(value=row["worst_percent"], unit="%", digits=1, n=row["instances"])
    return values


_QUEENS: Mapping[str, Callable[[int], Found]] = {
    NONE: queens,
    "feasibility": lambda size: queens(size, feasibility=True),
    "propagation": lambda size: queens(size, propagation=True),
}
_KNAPSACK = {
    NONE: knapsack,
    "feasibility": lambda problem: knapsack(problem, feasibility=True),
    "optimality": lambda problem: knapsack(problem, feasibility=True, bound="fractional"),
    "best-first": lambda problem: knapsack(problem, feasibility=True, bound="fractional", best_first=True),
    ESTIMATE: lambda problem: knapsack(problem, feasibility=True, bound="greedy"),
}
_PATHS = {NONE: breadth_first, "bidirectional": bidirectional, "heuristic": a_star}


def _searches(
    problem: str, size: int, seed: int, ways: Mapping[str, Callable[[Instance], Found]], instance: Instance
) -> list[Search]:
    """Search one instance in every way; the first is without pruning."""
    found = {pruning: search(instance) for pruning, search in ways.items()}
    exact = found[NONE].answer
    return [
        Search(
            problem=problem,
            size=size,
            seed=seed,
            pruning=pruning,
            answer=one.answer,
            off_percent=100 * abs(one.answer - exact) / max(exact, 1),
            nodes=one.nodes,
            nodes_percent=100 * one.nodes / found[NONE].nodes,
            checks=one.checks,
        )
        for pruning, one in found.items()
    ]


def _geometric(values: ArrayLike) -> Interval:
    """Give the geometric mean and its interval, the t interval of the logarithms."""
    logs = t_interval(np.log(np.asarray(values, dtype=float)))
    return Interval(
        value=float(np.exp(logs.value)),
        low=float(np.exp(logs.low)),
        high=float(np.exp(logs.high)),
        n=logs.n,
        level=logs.level,
        method="t of logarithms",
    )


def _digits(percent: float) -> int:
    """Count the decimals that show two digits of a share."""
    return max(0, 1 - int(np.floor(np.log10(percent))))
