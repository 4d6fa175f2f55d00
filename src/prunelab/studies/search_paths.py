"""Shortest paths through the states of a sliding puzzle: one-sided, from both ends at once, and by a heuristic."""

import heapq
from collections.abc import Container, Iterator, Sequence

import numpy as np

from prunelab.studies.search_backtracking import Found

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
