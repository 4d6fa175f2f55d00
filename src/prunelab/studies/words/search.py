"""What the prunings of search trees save and what they cost: nodes looked at, and whether the answer is the same."""

import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from pandas import DataFrame

from prunelab.figures.style import Line, Saved, legend, panels, save, style
from prunelab.records import Value, to_frame
from prunelab.stats import Interval, t_interval

Bound = Literal["none", "fractional", "greedy"]


_MOST = 100  # drawn weights and values are 1 to this


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found, and what it took."""

    answer: int  # number of solutions, optimum, or length of the path
    nodes: int  # partial solutions or states looked at, those that were cut among them
    checks: int  # elementary tests made at them, say of two queens


@dataclass(frozen=True, kw_only=True)
class Knapsack:
    """Items to choose from so that their value is largest and their weight within the capacity."""

    weights: tuple[int, ...]
    worths: tuple[int, ...]
    capacity: int

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.worths) or not self.weights:
            raise ValueError(
                f"each item has a weight and a worth; got {len(self.weights)} weights and {len(self.worths)} worths"
            )
        if min(self.weights) < 1 or min(self.worths) < 0 or self.capacity < 0:
            raise ValueError(
                f"weights are at least 1, worths and capacity at least 0; got {self.weights}, {self.worths} and "
                f"{self.capacity}: leave out items that weigh nothing, they are always taken"
            )


def queens(size: int, *, feasibility: bool = False, propagation: bool = False) -> Found:
    """Count the ways to place queens, one a row, of which none attacks another.

    Without pruning every placement is completed before it is tested.

    Args:
        size: rows and columns of the board, at least 1.
        feasibility: cut a branch where the queen placed last attacks one before.
        propagation: take from the rows to come the columns that the queen placed last attacks, and cut the branch
            where one of them has none left; forward checking of Haralick and Elliott (1980).

    Returns:
        The number of solutions; checks are pairs of queens, or of a queen and a free column.

    Raises:
        ValueError: `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"a board has at least 1 row; got size {size!r}")
    solutions = nodes = checks = 0
    every = tuple(range(size))
    # Columns of the queens placed, from the first row on; columns free in each of the other rows.
    stack: list[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]] = [((), (every,) * size)]
    while stack:
        placed, free = stack.pop()
        nodes += 1
        last = len(placed) - 1
        complete = len(placed) == size
        if feasibility:
            clash, made = _clash(placed, [last])
        elif complete and not propagation:  # which leaves nothing to clash
            clash, made = _clash(placed, every)
        else:
            clash, made = False, 0
        checks += made
        if clash:
            continue
        if complete:
            solutions += 1
            continue
        if propagation and placed:
            checks += sum(map(len, free))
            free = tuple(
                tuple(column for column in columns if not _attack(last, placed[-1], row, column))
                for row, columns in enumerate(free, start=last + 1)
            )
            if not all(free):
                continue
        stack += [((*placed, column), free[1:]) for column in reversed(free[0])]
    return Found(answer=solutions, nodes=nodes, checks=checks)


def knapsack(problem: Knapsack, *, feasibility: bool = False, bound: Bound = "none", best_first: bool = False) -> Found:
    """Find the largest value of items that fit, by taking or leaving one after another, the densest first.

    Args:
        problem: the items and the capacity.
        feasibility: cut a branch whose items weigh more than the capacity.
        bound: cut a branch that is estimated to hold nothing better than the best found so far. "fractional": by the
            value with the next item cut to fit, Dantzig (1957), which no completion exceeds (branch and bound, Land
            and Doig 1960). "greedy": by the value of the next items that fit whole; an estimate that a completion may
            exceed, so that the optimum may be lost.
        best_first: look at the branch with the highest estimate first, instead of the one that took the last item.

    Returns:
        The largest value found; checks are items gone through for an estimate.

    Raises:
        ValueError: `best_first` without a bound to go by, or an unknown bound.
    """
    if bound not in ("none", "fractional", "greedy"):
        raise ValueError(f"a bound is none, fractional or greedy; got {bound!r}")
    if best_first and bound == "none":
        raise ValueError("best first goes by the bound; got best_first with bound 'none': name a bound")
    items = list(zip(problem.weights, problem.worths, strict=True))
    items.sort(key=lambda item: Fraction(item[1], item[0]), reverse=True)  # stable: ties stay in the order given
    best, nodes, checks = 0, 1, 0
    # Minus the estimate if that gives the order, minus the number of arrivals so far, then the branch: items decided,
    # value, room, estimate. Without a bound nothing is estimated, and with one the first branch is never cut.
    frontier = [(0, 0, (0, 0, problem.capacity, 1))]
    while frontier:
        _, _, (decided, value, room, estimate) = heapq.heappop(frontier)
        if decided == len(items) or (bound != "none" and decided and estimate <= best):
            continue
        weight, worth = items[decided]
        for taken in (False, True):
            value_then, room_then, estimate = value + worth * taken, room - weight * taken, 0
            nodes += 1
            if room_then >= 0:
                best = max(best, value_then)
            elif feasibility:
                continue
            if bound != "none":
                estimate, made = _estimate(items[decided + 1 :], value_then, room_then, cut_one=bound == "fractional")
                checks += made
                if estimate <= best:
                    continue
            branch = (decided + 1, value_then, room_then, estimate)
            heapq.heappush(frontier, (-estimate if best_first else 0, -nodes, branch))
    return Found(answer=best, nodes=nodes, checks=checks)


def draw_knapsack(items: int, *, seed: int, loose: bool = False) -> Knapsack:
    """Draw a knapsack that holds half of what the items weigh.

    Args:
        items: at least 1.
        seed: of the draw.
        loose: items are worth what they weigh, an even number, and the capacity is odd: cut items always fill it, whole
            ones never do, so that the fractional bound stays above the optimum almost everywhere. Else values do not
            depend on weights.

    Raises:
        ValueError: `items` is below 1.
    """
    if items < 1:
        raise ValueError(f"a knapsack is chosen for from at least 1 item; got {items!r}")
    generator = np.random.default_rng(seed)
    weights = tuple(map(int, generator.integers(1, _MOST, items, endpoint=True)))
    if loose:
        weights = tuple(2 * weight for weight in weights)
        return Knapsack(weights=weights, worths=weights, capacity=sum(weights) // 2 | 1)
    worths = tuple(map(int, generator.integers(1, _MOST, items, endpoint=True)))
    return Knapsack(weights=weights, worths=worths, capacity=sum(weights) // 2)


def _attack(row: int, column: int, other_row: int, other_column: int) -> bool:
    """Say whether queens in two rows share a column or a diagonal."""
    return column == other_column or abs(column - other_column) == other_row - row


def _clash(placed: tuple[int, ...], rows: Iterable[int]) -> tuple[bool, int]:
    """Compare the queens of these rows with all before them, up to the first attack; count the pairs compared."""
    checks = 0
    for row in rows:
        for other in range(row):
            checks += 1
            if _attack(other, placed[other], row, placed[row]):
                return True, checks
    return False, checks


def _estimate(items: Sequence[tuple[int, int]], value: int, room: int, *, cut_one: bool) -> tuple[int, int]:
    """Estimate what a branch comes to, as (value, items gone through).

    Args:
        items: (weight, value) of those not decided, the densest first.
        value: of what is taken.
        room: left for the others; negative where nothing may be.
        cut_one: fill the room with a part of the first item that does not fit, which no choice can better. Values are
            whole, so the part's is rounded down.
    """
    for gone_through, (weight, worth) in enumerate(items, start=1):
        if weight <= room:
            value, room = value + worth, room - weight
        elif cut_one:
            return value + worth * max(room, 0) // weight, gone_through
    return value, len(items)


State = tuple[int, ...]  # tiles row by row, 0 = the gap


WIDTH = 3


GOAL: State = (1, 2, 3, 4, 5, 6, 7, 8, 0)


def breadth_first(start: State, goal: State = GOAL, *, width: int = WIDTH) -> Found:
    """Find the fewest moves between two states by looking at all states in the order of their distance from one.

    Args:
        start: tiles row by row, each number from 0 (the gap) once.
        goal: of the same tiles.
        width: columns of the puzzle.

    Returns:
        The number of moves; nodes are states looked at, checks those compared with the goal.

    Raises:
        ValueError: these are no two states of one puzzle, or no moves lead from one to the other.
    """
    _check(start, goal, width)
    seen, edge, moves, met = {start}, [start], 0, start == goal
    while edge and not met:
        edge, met = _spread(edge, seen, {goal}, width)
        moves += 1
    if not met:
        raise _unreachable(start, goal)
    return Found(answer=moves, nodes=len(seen), checks=len(seen) - 1)


def bidirectional(start: State, goal: State = GOAL, *, width: int = WIDTH) -> Found:
    """Find the fewest moves by breadth-first searches from both ends that meet, Pohl (1971).

    Whole rings of one distance are added, each on the side whose last ring is smaller. While the two balls of radius a
    and b are disjoint the distance is above a + b; so the first state in both lies on a shortest path.

    Args:
        start: as `breadth_first`.
        goal: likewise.
        width: columns of the puzzle.

    Returns:
        The number of moves; nodes are states looked at from either end, checks those looked up on the other side.

    Raises:
        ValueError: as `breadth_first`.
    """
    _check(start, goal, width)
    seen, edges, moves, met = ({start}, {goal}), [[start], [goal]], 0, start == goal
    while all(edges) and not met:
        side = int(len(edges[1]) < len(edges[0]))
        edges[side], met = _spread(edges[side], seen[side], seen[1 - side], width)
        moves += 1
    if not met:
        raise _unreachable(start, goal)
    nodes = len(seen[0]) + len(seen[1])
    return Found(answer=moves, nodes=nodes, checks=nodes - 2)


def a_star(start: State, goal: State = GOAL, *, width: int = WIDTH, weight: int = 1) -> Found:
    """Find few moves by looking first where moves made plus distance estimated are least (A*, Hart et al. 1968).

    The estimate is the sum over tiles of rows and columns between a tile and its place, times the weight. With weight
    1 it never exceeds the moves left, and the path is a shortest one; 0 is uniform-cost search. With a larger weight
    it may exceed them, and the path may be longer, at most by that factor (Pohl 1970).

    Args:
        start: as `breadth_first`.
        goal: likewise.
        width: columns of the puzzle.
        weight: of the estimate, at least 0.

    Returns:
        The number of moves; nodes are states looked at, checks tiles whose distance was taken.

    Raises:
        ValueError: as `breadth_first`, or a negative weight.
    """
    _check(start, goal, width)
    if weight < 0:
        raise ValueError(f"the weight of an estimate is at least 0; got {weight!r}")
    places = {tile: divmod(place, width) for place, tile in enumerate(goal)}
    least, checks = {start: 0}, len(start) - 1
    frontier = [(weight * _distance(start, places, width), 0, start)]
    while frontier:
        _, minus_moves, state = heapq.heappop(frontier)  # of equal estimates, the one furthest from the start
        moves = -minus_moves
        if state == goal:
            return Found(answer=moves, nodes=len(least), checks=checks)
        if moves > least[state]:  # a shorter way there was found since
            continue
        for other in neighbours(state, width):
            if moves + 1 < least.get(other, moves + 2):
                least[other] = moves + 1
                checks += len(other) - 1
                estimate = moves + 1 + weight * _distance(other, places, width)
                heapq.heappush(frontier, (estimate, -moves - 1, other))
    raise _unreachable(start, goal)


def neighbours(state: State, width: int = WIDTH) -> Iterator[State]:
    """Give the states one move away: the gap changes places with the tile above, left, right or below.

    Args:
        state: tiles row by row, 0 = the gap.
        width: columns of the puzzle.
    """
    gap = state.index(0)
    column = gap % width
    for other, there in (
        (gap - width, gap >= width),
        (gap - 1, column > 0),
        (gap + 1, column < width - 1),
        (gap + width, gap + width < len(state)),
    ):
        if there:
            tiles = list(state)
            tiles[gap], tiles[other] = tiles[other], 0
            yield tuple(tiles)


def rings(goal: State = GOAL, *, upto: int, width: int = WIDTH) -> list[list[State]]:
    """List the states at each distance from a state.

    Args:
        goal: from where distances are measured.
        upto: the largest distance, at least 0.
        width: columns of the puzzle.

    Returns:
        One list a distance, from 0; empty beyond the furthest state.

    Raises:
        ValueError: the goal is no state.
    """
    _check(goal, goal, width)
    found, seen = [[goal]], {goal}
    for _ in range(upto):
        found.append(_spread(found[-1], seen, (), width)[0])
    return found


def draw_starts(moves: Sequence[int], seeds: Sequence[int]) -> dict[tuple[int, int], State]:
    """Draw one state of the eight-puzzle at each distance from the goal for each seed.

    Args:
        moves: distances, 0 to 31.
        seeds: of the draws.

    Returns:
        (distance, seed) -> state.

    Raises:
        ValueError: no state is as far away as that.
    """
    found = rings(upto=max(moves))
    if missing := [distance for distance in moves if distance < 0 or not found[distance]]:
        raise ValueError(f"states of the eight-puzzle are 0 to 31 moves away from the goal; got {missing[0]}")
    return {
        (distance, seed): found[distance][np.random.default_rng((seed, distance)).integers(len(found[distance]))]
        for distance in moves
        for seed in seeds
    }


def _spread(edge: Sequence[State], seen: set[State], targets: Container[State], width: int) -> tuple[list[State], bool]:
    """Add the states one move further to those seen, up to the first that is a target; say whether there was one."""
    fresh = []
    for state in edge:
        for other in neighbours(state, width):
            if other not in seen:
                seen.add(other)
                fresh.append(other)
                if other in targets:
                    return fresh, True
    return fresh, False


def _distance(state: State, places: dict[int, tuple[int, int]], width: int) -> int:
    """Sum rows and columns between tiles and their places, the gap left out."""
    total = 0
    for place, tile in enumerate(state):
        if tile:
            row, column = places[tile]
            total += abs(place // width - row) + abs(place % width - column)
    return total


def _check(start: State, goal: State, width: int) -> None:
    """Refuse what are no two states of one puzzle."""
    every = list(range(len(goal)))
    if not goal or sorted(start) != every or sorted(goal) != every or width < 1 or len(goal) % width:
        raise ValueError(
            f"two states of a puzzle hold each number from 0 once, in rows of one width; got {start}, {goal} and "
            f"width {width!r}"
        )


def _unreachable(start: State, goal: State) -> ValueError:
    return ValueError(
        f"half of all states can be reached from a state by moves; {goal} cannot from {start}: exchange two tiles"
    )


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
