"""Pruned searches find what brute force finds, look at what their definitions say, and only estimates go wrong."""

import json
from collections.abc import Callable
from itertools import chain, combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from prunelab.studies.words import problems
from prunelab.studies.words.figures import nodes_figure
from prunelab.studies.words.problems import Bound, Found, Knapsack, draw_knapsack, knapsack, queens
from prunelab.studies.words.search import largest, search_table, summary_table
from prunelab.studies.words.tables import Searches, SearchSummary
from prunelab.tables import load

# Ways to place n queens, n from 1 (OEIS A000170).
PLACEMENTS = [1, 0, 0, 2, 10, 4, 40, 92]
# States of the eight-puzzle at 0, 1, 2, … moves from the one with the gap in a corner (OEIS A089473).
RINGS = [1, 2, 4, 8, 16, 20, 39, 62, 116, 152, 286, 396, 748, 1024]
SMALL = (1, 2, 3, 4, 5, 0)  # two rows of three: 360 of its 720 states can be reached


@pytest.fixture(scope="module")
def small_states() -> list[tuple[int, ...]]:
    return [state for ring in problems.rings(SMALL, upto=21) for state in ring]


@pytest.fixture(scope="module")
def small_distances(small_states: list[tuple[int, ...]]) -> np.ndarray:
    """All distances of the small puzzle, by scipy."""
    places = {state: place for place, state in enumerate(small_states)}
    pairs = [(places[a], places[b]) for a in small_states for b in problems.neighbours(a)]
    rows, columns = np.array(pairs).T
    graph = csr_array((np.ones(len(pairs)), (rows, columns)), shape=(len(places), len(places)))
    return np.asarray(shortest_path(graph, unweighted=True))


@pytest.fixture(scope="module")
def searches() -> pd.DataFrame:
    return search_table(boards=[4, 5], items=[3, 8], moves=[6, 14], seeds=[0, 1, 2], weight=3)


def attacked(placed: tuple[int, ...]) -> bool:
    return any(b == a or abs(b - a) == j - i for (i, a), (j, b) in combinations(enumerate(placed), 2))


@st.composite
def knapsacks(draw: st.DrawFn) -> Knapsack:
    items = draw(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20)), min_size=1, max_size=7))
    weights, worths = zip(*items, strict=True)
    return Knapsack(weights=weights, worths=worths, capacity=draw(st.integers(0, sum(weights) + 1)))


def best_of_all(problem: Knapsack) -> int:
    items = range(len(problem.weights))
    return max(
        sum(problem.worths[item] for item in taken)
        for taken in chain.from_iterable(combinations(items, count) for count in range(len(items) + 1))
        if sum(problem.weights[item] for item in taken) <= problem.capacity
    )


@pytest.mark.parametrize(("feasibility", "propagation"), [(True, False), (False, True), (True, True)])
def test_pruned_searches_find_the_published_number_of_placements_of_queens(
    feasibility: bool, propagation: bool
) -> None:
    found = [queens(size, feasibility=feasibility, propagation=propagation).answer for size in range(1, 9)]

    assert found == PLACEMENTS


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_without_pruning_every_placement_of_queens_is_completed_and_the_same_ones_stand(size: int) -> None:
    found = queens(size)

    assert found.answer == PLACEMENTS[size - 1]
    assert found.nodes == sum(size**rows for rows in range(size + 1))


def test_backtracking_on_eight_queens_tries_15720_squares() -> None:
    # A published count: 2,057 placements without attack, 92 of them complete (Knuth 1975); the others have 8 each.
    assert queens(8, feasibility=True).nodes == 1 + 8 * (2057 - 92)


@pytest.mark.parametrize("size", [4, 5])
def test_propagation_looks_at_a_placement_if_each_one_before_left_every_later_row_a_column(size: int) -> None:
    def leaves_all(placed: tuple[int, ...]) -> bool:
        later = range(len(placed), size)
        return all(
            any(all(column != b and abs(column - b) != row - j for j, b in enumerate(placed)) for column in range(size))
            for row in later
        )

    wanted = 0
    for rows in range(size + 1):
        for placed in product(range(size), repeat=rows):
            before = [placed[:upto] for upto in range(rows)]
            wanted += not attacked(placed) and all(map(leaves_all, before))

    assert queens(size, propagation=True).nodes == wanted


@given(knapsacks(), st.booleans(), st.sampled_from(["none", "fractional"]), st.booleans())
def test_no_exact_pruning_of_a_knapsack_changes_its_best_value(
    problem: Knapsack, feasibility: bool, bound: Bound, best_first: bool
) -> None:
    found = knapsack(problem, feasibility=feasibility, bound=bound, best_first=best_first and bound != "none")

    assert found.answer == best_of_all(problem)


@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize("best_first", [False, True])
def test_branch_and_bound_agrees_with_an_integer_program(loose: bool, best_first: bool) -> None:
    problem = draw_knapsack(13, seed=5, loose=loose)
    program = milp(
        -np.array(problem.worths),
        integrality=np.ones(13),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(np.array([problem.weights]), ub=problem.capacity),
    )

    found = knapsack(problem, feasibility=True, bound="fractional", best_first=best_first)

    assert found.answer == round(-program.fun)


@given(knapsacks())
def test_each_pruning_of_a_knapsack_added_to_another_looks_at_no_more(problem: Knapsack) -> None:
    none, feasible = knapsack(problem), knapsack(problem, feasibility=True)
    bounded = knapsack(problem, feasibility=True, bound="fractional")

    assert bounded.nodes <= feasible.nodes <= none.nodes == 2 ** (len(problem.weights) + 1) - 1


@given(knapsacks())
def test_an_estimate_that_is_no_bound_never_finds_more_than_there_is(problem: Knapsack) -> None:
    assert knapsack(problem, feasibility=True, bound="greedy").answer <= best_of_all(problem)


def test_an_estimate_that_is_no_bound_loses_an_optimum_that_the_bound_keeps() -> None:
    # Densities 7/3, 2, 2, 2. Taking the first gives 7. Without it, the next to fit is 6 and nothing more, so the
    # branch is cut at 6 <= 7; the optimum, the last two, is 8. The bound there is 6 + 4 / 2 = 8 > 7.
    problem = Knapsack(weights=(3, 3, 2, 2), worths=(7, 6, 4, 4), capacity=4)

    assert knapsack(problem, feasibility=True, bound="greedy").answer == 7
    assert knapsack(problem, feasibility=True, bound="fractional").answer == 8


def test_feasibility_cuts_what_overflows_and_nothing_else() -> None:
    # Of equal density, items stay in the order given; each set of the first items that fits has two branches.
    problem = draw_knapsack(7, seed=3, loose=True)
    inner = sum(
        sum(weight * bit for weight, bit in zip(problem.weights, bits, strict=False)) <= problem.capacity
        for decided in range(7)
        for bits in product((0, 1), repeat=decided)
    )

    assert knapsack(problem, feasibility=True).nodes == 1 + 2 * inner


def test_whole_items_never_fill_a_loose_knapsack() -> None:
    problem = draw_knapsack(10, seed=1, loose=True)

    assert problem.worths == problem.weights
    assert all(weight % 2 == 0 for weight in problem.weights)
    assert problem.capacity % 2 == 1
    assert problem.capacity - sum(problem.weights) // 2 in (0, 1)


def test_items_that_do_not_fit_leave_an_empty_knapsack() -> None:
    problem = Knapsack(weights=(5, 6), worths=(9, 9), capacity=4)

    assert {knapsack(problem, bound=bound).answer for bound in ("none", "fractional", "greedy")} == {0}


def test_rings_of_the_eight_puzzle_have_the_published_sizes() -> None:
    assert [len(ring) for ring in problems.rings(upto=len(RINGS) - 1)] == RINGS


def test_the_small_puzzle_has_360_states_at_up_to_21_moves(small_states: list[tuple[int, ...]]) -> None:
    # Half of 6!, and the published longest distance.
    assert len(set(small_states)) == 360
    assert [bool(ring) for ring in problems.rings(SMALL, upto=22)] == [True] * 22 + [False]


@given(st.integers(0, 359), st.integers(0, 359))
def test_every_search_finds_the_length_of_a_shortest_path(
    small_states: list[tuple[int, ...]], small_distances: np.ndarray, a: int, b: int
) -> None:
    start, goal, moves = small_states[a], small_states[b], small_distances[a, b]

    assert problems.breadth_first(start, goal).answer == moves
    assert problems.bidirectional(start, goal).answer == moves
    assert problems.a_star(start, goal).answer == moves
    assert problems.a_star(start, goal, weight=0).answer == moves


@given(st.integers(0, 359), st.integers(2, 5))
def test_a_path_by_too_high_an_estimate_is_longer_by_at_most_its_weight(
    small_states: list[tuple[int, ...]], small_distances: np.ndarray, a: int, weight: int
) -> None:
    moves = small_distances[a, 0]

    assert moves <= problems.a_star(small_states[a], SMALL, weight=weight).answer <= weight * moves


def test_too_high_an_estimate_does_find_longer_paths(
    small_states: list[tuple[int, ...]], small_distances: np.ndarray
) -> None:
    found = np.array([problems.a_star(state, SMALL, weight=3).answer for state in small_states])

    assert (found > small_distances[:, 0]).any()


def test_a_start_that_is_the_goal_is_the_only_state_looked_at() -> None:
    for search, nodes in ((problems.breadth_first, 1), (problems.bidirectional, 2), (problems.a_star, 1)):
        found = search(problems.GOAL)

        assert (found.answer, found.nodes) == (0, nodes)


@pytest.mark.parametrize("search", [problems.breadth_first, problems.bidirectional, problems.a_star])
def test_two_states_with_a_pair_of_tiles_exchanged_are_on_no_path(search: Callable[..., Found]) -> None:
    with pytest.raises(ValueError, match="exchange two tiles"):
        search((2, 1, 3, 4, 5, 0), SMALL)


def test_starts_are_drawn_at_their_distance_and_again_the_same() -> None:
    starts = problems.draw_starts([3, 9], [0, 1])

    assert {problems.breadth_first(start).answer - moves for (moves, _), start in starts.items()} == {0}
    assert starts == problems.draw_starts([9, 3], [1, 0])


def test_only_the_estimate_changes_an_answer(searches: pd.DataFrame) -> None:
    off = searches.groupby("pruning")["off_percent"].max()

    assert off.drop("estimate").eq(0).all()
    assert off["estimate"] > 0
    assert searches["nodes_percent"].max() == 100


def test_the_tables_can_be_saved(searches: pd.DataFrame, tmp_path: Path) -> None:
    for table, rows in ((Searches, searches), (SearchSummary, summary_table(searches))):
        table.save(rows, folder=tmp_path)
        assert len(load(tmp_path / f"{table.table_name}.csv")) == len(rows)


def made(nodes: list[int], off: list[float], *, pruning: str = "estimate", size: int = 8) -> pd.DataFrame:
    rows = [
        Searches(
            problem="knapsack",
            size=size,
            seed=seed,
            pruning=pruning,
            answer=1,
            off_percent=own_off,
            nodes=own,
            nodes_percent=own / 100,
            checks=2 * own,
        )
        for seed, (own, own_off) in enumerate(zip(nodes, off, strict=True))
    ]
    return Searches.frame(rows)


def test_a_summary_holds_geometric_means_and_counts_the_answers_that_are_the_same() -> None:
    [row] = summary_table(made([10, 1000], [0.0, 4.0])).to_dict("records")

    assert row["nodes"] == pytest.approx(100)
    assert row["nodes_percent"] == pytest.approx(1)
    # Logarithms to base 10 are -1 and 1: s / √2 = 1, t(.975, 1) = 12.7062.
    assert np.log10([row["low"], row["high"]]) == pytest.approx([-12.7062, 12.7062], abs=1e-4)
    assert (row["instances"], row["same_answers"], row["worst_percent"], row["checks"]) == (2, 1, 4.0, 1010.0)


def test_of_a_problem_the_largest_size_is_kept() -> None:
    searches = pd.concat([made([10], [0.0], size=4), made([20, 20], [0.0, 3.0])])

    assert largest(summary_table(searches))["size"].tolist() == [8]


def test_the_figure_says_in_words_what_it_draws(
    searches: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    summary = summary_table(searches)
    saved = nodes_figure(summary)
    once = saved.path.read_bytes()

    assert "5 rows of the board, no pruning 3,906, feasibility 221, constraint propagation 54" in saved.alt
    assert "with another answer in" in saved.alt
    assert json.loads(saved.path.with_suffix(".json").read_text("utf-8"))["table"] == "search-summary"
    assert nodes_figure(summary).path.read_bytes() == once


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: queens(0), "at least 1 row"),
        (lambda: draw_knapsack(0, seed=0), "at least 1 item"),
        (lambda: Knapsack(weights=(1, 2), worths=(1,), capacity=1), "2 weights and 1 worths"),
        (lambda: Knapsack(weights=(0,), worths=(1,), capacity=1), "always taken"),
        (lambda: knapsack(draw_knapsack(2, seed=0), best_first=True), "name a bound"),
        (lambda: knapsack(draw_knapsack(2, seed=0), bound="upper"), "none, fractional or greedy"),  # type: ignore[arg-type]
        (lambda: problems.breadth_first((1, 1, 0)), "each number from 0 once"),
        (lambda: problems.rings((0, 1, 2, 3), upto=1), "in rows of 3"),
        (lambda: problems.a_star(problems.GOAL, weight=-1), "at least 0"),
        (lambda: problems.draw_starts([32], [0]), "0 to 31"),
        (
            lambda: search_table(boards=[2], items=[2], moves=[2], seeds=[0], weight=1),
            "at least 2; got 1",
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
