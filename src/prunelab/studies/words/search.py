"""What the prunings of search trees save and what they cost: nodes looked at, and whether the answer is the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from pandas import DataFrame

from prunelab.stats import Array, Interval, t_interval
from prunelab.studies.words.problems import (
    Found,
    a_star,
    bidirectional,
    breadth_first,
    draw_knapsack,
    draw_starts,
    knapsack,
    queens,
)
from prunelab.studies.words.tables import Searches, SearchSummary
from prunelab.summaries import over_seeds

NONE = "none"
ESTIMATE = "estimate"  # what alone may change the answer

_Instance = TypeVar("_Instance")
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


def search_table(
    *, boards: Sequence[int], items: Sequence[int], moves: Sequence[int], seeds: Sequence[int], weight: int
) -> DataFrame:
    """Search every instance of three problems with each pruning that applies to it, as `Searches`.

    Args:
        boards: rows of the boards for queens; without pruning a board of n rows has more than n^n nodes.
        items: numbers of items; without pruning n items have 2^(n + 1) - 1 nodes.
        moves: distances from the goal of the eight-puzzle, 0 to 31.
        seeds: of the instances of all but the boards.
        weight: of the estimate in the search for paths that is not exact, at least 2.
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
    return Searches.frame(rows)


def summary_table(searches: DataFrame) -> DataFrame:
    """Summarise over instances, in the order of the searches, as `SearchSummary`."""
    by, means = list(SearchSummary.key), {"nodes": "nodes_", "nodes_percent": ""}
    found = over_seeds(searches, by, means, means=["checks"], interval=_geometric)
    off = searches.groupby(by, sort=False)["off_percent"]
    found = found.assign(
        same_answers=off.agg(lambda own: (own == 0).sum()).to_numpy(), worst_percent=off.max().to_numpy()
    )
    return SearchSummary.frame(found.rename(columns={"seeds": "instances"}))


def largest(summary: DataFrame) -> DataFrame:
    """Keep of each problem its largest size."""
    return summary[summary["size"] == summary.groupby("problem")["size"].transform("max")].reset_index(drop=True)


def _searches(
    problem: str, size: int, seed: int, ways: Mapping[str, Callable[[_Instance], Found]], instance: _Instance
) -> list[Searches]:
    """Search one instance in every way; the first is without pruning."""
    found = {pruning: search(instance) for pruning, search in ways.items()}
    exact = found[NONE].answer
    return [
        Searches(
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


def _geometric(values: Array) -> Interval:
    """Give the geometric mean and its interval, the t interval of the logarithms."""
    logs = t_interval(np.log(values))
    value, low, high = np.exp([logs.value, logs.low, logs.high]).tolist()
    return replace(logs, value=value, low=low, high=high, method="t of logarithms")
