"""Three problems whose search trees can be pruned: placing queens, filling a knapsack, and a sliding puzzle."""

import heapq
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

Bound = Literal["none", "fractional", "greedy"]
State = tuple[int, ...]  # tiles row by row, 0 = the gap

GOAL: State = (1, 2, 3, 4, 5, 6, 7, 8, 0)
WIDTH = 3  # tiles of a row

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

    Checks are pairs of queens, or of a queen and a free column.

    Args:
        size: rows and columns of the board, at least 1.
        feasibility: cut a branch where the queen placed last attacks one before.
        propagation: take from the rows to come the columns that the queen placed last attacks, and cut the branch
            where one of them has none left; forward checking of Haralick and Elliott (1980).
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

    Checks are items gone through for an estimate.

    Args:
        problem: the items and the capacity.
        feasibility: cut a branch whose items weigh more than the capacity.
        bound: cut a branch that is estimated to hold nothing better than the best found so far. "fractional": by the
            value with the next item cut to fit, Dantzig (1957), which no completion exceeds (branch and bound, Land
            and Doig 1960). "greedy": by the value of the next items that fit whole; an estimate that a completion may
            exceed, so that the optimum may be lost.
        best_first: look at the branch with the highest estimate first, instead of the one that took the last item.
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


def breadth_first(start: State, goal: State = GOAL) -> Found:
    """Find the fewest moves between two states by looking at all states in the order of their distance from one.

    Nodes are states looked at, checks those compared with the goal. Two states hold each number from 0 (the gap) once.
    """
    _check(start, goal)
    seen, edge, moves, met = {start}, [start], 0, start == goal
    while edge and not met:
        edge, met = _spread(edge, seen, {goal})
        moves += 1
    if not met:
        raise _unreachable(start, goal)
    return Found(answer=moves, nodes=len(seen), checks=len(seen) - 1)


def bidirectional(start: State, goal: State = GOAL) -> Found:
    """Find the fewest moves by breadth-first searches from both ends that meet, Pohl (1971).

    Whole rings of one distance are added, each on the side whose last ring is smaller. While the two balls of radius a
    and b are disjoint the distance is above a + b; so the first state in both lies on a shortest path. Nodes are states
    looked at from either end, checks those looked up on the other side.
    """
    _check(start, goal)
    seen, edges, moves, met = ({start}, {goal}), [[start], [goal]], 0, start == goal
    while all(edges) and not met:
        side = int(len(edges[1]) < len(edges[0]))
        edges[side], met = _spread(edges[side], seen[side], seen[1 - side])
        moves += 1
    if not met:
        raise _unreachable(start, goal)
    nodes = len(seen[0]) + len(seen[1])
    return Found(answer=moves, nodes=nodes, checks=nodes - 2)


def a_star(start: State, goal: State = GOAL, *, weight: int = 1) -> Found:
    """Find few moves by looking first where moves made plus distance estimated are least (A*, Hart et al. 1968).

    The estimate is the sum over tiles of rows and columns between a tile and its place, times the weight. With weight
    1 it never exceeds the moves left, and the path is a shortest one; 0 is uniform-cost search. With a larger weight
    it may exceed them, and the path may be longer, at most by that factor (Pohl 1970). Nodes are states looked at,
    checks tiles whose distance was taken.
    """
    _check(start, goal)
    if weight < 0:
        raise ValueError(f"the weight of an estimate is at least 0; got {weight!r}")
    places = {tile: divmod(place, WIDTH) for place, tile in enumerate(goal)}
    least, checks = {start: 0}, len(start) - 1
    frontier = [(weight * _distance(start, places), 0, start)]
    while frontier:
        _, minus_moves, state = heapq.heappop(frontier)  # of equal estimates, the one furthest from the start
        moves = -minus_moves
        if state == goal:
            return Found(answer=moves, nodes=len(least), checks=checks)
        if moves > least[state]:  # a shorter way there was found since
            continue
        for other in neighbours(state):
            if moves + 1 < least.get(other, moves + 2):
                least[other] = moves + 1
                checks += len(other) - 1
                estimate = moves + 1 + weight * _distance(other, places)
                heapq.heappush(frontier, (estimate, -moves - 1, other))
    raise _unreachable(start, goal)


def neighbours(state: State) -> Iterator[State]:
    """Give the states one move away: the gap changes places with the tile above, left, right or below."""
    gap = state.index(0)
    column = gap % WIDTH
    for other, there in (
        (gap - WIDTH, gap >= WIDTH),
        (gap - 1, column > 0),
        (gap + 1, column < WIDTH - 1),
        (gap + WIDTH, gap + WIDTH < len(state)),
    ):
        if there:
            tiles = list(state)
            tiles[gap], tiles[other] = tiles[other], 0
            yield tuple(tiles)


def rings(goal: State = GOAL, *, upto: int) -> list[list[State]]:
    """List the states at each distance from a state, from 0 to the largest; none beyond the furthest state."""
    _check(goal, goal)
    found, seen = [[goal]], {goal}
    for _ in range(upto):
        found.append(_spread(found[-1], seen, ())[0])
    return found


def draw_starts(moves: Sequence[int], seeds: Sequence[int]) -> dict[tuple[int, int], State]:
    """Draw one state of the eight-puzzle at each distance from the goal, 0 to 31 moves, for each seed."""
    found = rings(upto=max(moves))
    if missing := [distance for distance in moves if distance < 0 or not found[distance]]:
        raise ValueError(f"states of the eight-puzzle are 0 to 31 moves away from the goal; got {missing[0]}")
    return {
        (distance, seed): found[distance][np.random.default_rng((seed, distance)).integers(len(found[distance]))]
        for distance in moves
        for seed in seeds
    }


def _spread(edge: Sequence[State], seen: set[State], targets: Container[State]) -> tuple[list[State], bool]:
    """Add the states one move further to those seen, up to the first that is a target; say whether there was one."""
    fresh = []
    for state in edge:
        for other in neighbours(state):
            if other not in seen:
                seen.add(other)
                fresh.append(other)
                if other in targets:
                    return fresh, True
    return fresh, False


def _distance(state: State, places: dict[int, tuple[int, int]]) -> int:
    """Sum rows and columns between tiles and their places, the gap left out."""
    total = 0
    for place, tile in enumerate(state):
        if tile:
            row, column = places[tile]
            total += abs(place // WIDTH - row) + abs(place % WIDTH - column)
    return total


def _check(start: State, goal: State) -> None:
    """Refuse what are no two states of one puzzle."""
    every = list(range(len(goal)))
    if not goal or sorted(start) != every or sorted(goal) != every or len(goal) % WIDTH:
        raise ValueError(
            f"two states of a puzzle hold each number from 0 once, in rows of {WIDTH}; got {start} and {goal}"
        )


def _unreachable(start: State, goal: State) -> ValueError:
    return ValueError(
        f"half of all states can be reached from a state by moves; {goal} cannot from {start}: exchange two tiles"
    )
