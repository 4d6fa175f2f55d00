"""The tables on search trees and on decision trees."""

from typing import Annotated as A

from prunelab.tables import Table


class Problem(Table):
    """What is searched."""

    problem: A[
        str,
        "queens: all ways to place n on a board; knapsack: the largest value, of items whose values do not depend on "
        "their weights; knapsack-loose: of items that even cut never fill it as whole ones do; puzzle: the fewest "
        "moves of a sliding puzzle of 3×3",
    ]
    size: A[int, "rows of the board, items, or moves to the goal"]


class Seed(Table):
    """One instance."""

    seed: A[int, "seed of the instance; 0 where there is only one"]


class Pruning(Table):
    """How it is searched."""

    pruning: A[
        str,
        "none; feasibility: what breaks a constraint is cut; propagation: so is what leaves a later row no choice; "
        "optimality: feasibility, and what no completion makes better than the best so far; best-first: the same, the "
        "highest bound first; bidirectional: from both ends; heuristic: A*; estimate: as optimality or heuristic, but "
        "by an estimate that is no bound",
    ]


class Searches(Pruning, Seed, Problem, key="problem size seed pruning"):
    """One search of one instance."""

    answer: A[int, "solutions found, largest value found, or moves of the path found"]
    off_percent: A[float, "how far it is from the answer without pruning, 0 if they are the same [%]"]
    nodes: A[int, "partial solutions or states looked at, those cut among them"]
    nodes_percent: A[float, "of those without pruning [%]"]
    checks: A[int, "tests made: pairs of queens, items summed for a bound, states compared, or tiles measured"]


class SearchSummary(Pruning, Problem, key="problem size pruning"):
    """All searches of one problem, size and pruning."""

    instances: A[int, "instances searched"]
    nodes: A[float, "partial solutions or states looked at, geometric mean over instances"]
    nodes_percent: A[float, "of those without pruning, geometric mean over instances [%]"]
    low: A[float | None, "its 95 % interval from, over logarithms; may be empty with one instance [%]"]
    high: A[float | None, "to; may be empty with one instance [%]"]
    checks: A[float, "tests made, mean over instances"]
    same_answers: A[int, "instances with the answer that no pruning gives"]
    worst_percent: A[float, "how far an answer is from that at most [%]"]


class Tree(Table):
    """A pruned decision tree."""

    data: A[str, "data set"]
    data_id: A[str, "content id of the data set"]
    seed: A[int, "seed that divides examples into training and validation, and breaks ties between splits"]
    alpha: A[float, "what a leaf costs [impurity]"]
    leaves: A[int, "leaves of the tree"]
    impurity: A[float, "Gini impurity of the leaves, weighted by their training examples"]
    train_percent: A[float, "accuracy on the examples that the tree was grown on [%]"]
    validation_percent: A[float, "accuracy on the validation part [%]"]
    test_percent: A[float, "accuracy on the test part, by which nothing is chosen [%]"]


class TreePath(Tree, key="data seed step", name="path"):
    """A tree of a path of prunings."""

    step: A[int, "place among the trees measured, from 0, the unpruned one"]


class Choice(Table):
    """By what a tree is chosen."""

    choice: A[
        str,
        "unpruned: the whole tree; best: of those with the highest validation accuracy the smallest; one-se: the "
        "smallest whose validation accuracy is at most one standard error below the highest",
    ]


class Chosen(Choice, Tree, key="data seed choice"):
    """A tree chosen from a path."""


class ChosenSummary(Choice, key="choice"):
    """The chosen trees over seeds."""

    leaves: A[float, "leaves of the tree, mean over seeds"]
    leaves_low: A[float, "lower end of its 95 % t interval; may be empty"]
    leaves_high: A[float, "upper end of its 95 % t interval; may be empty"]
    train_percent: A[float, "accuracy on the examples that the trees were grown on, mean over seeds [%]"]
    train_low: A[float, "lower end of its 95 % t interval; may be empty"]
    train_high: A[float, "upper end of its 95 % t interval; may be empty"]
    test_percent: A[float, "accuracy on the test part, mean over seeds [%]"]
    test_low: A[float, "lower end of its 95 % t interval; may be empty"]
    test_high: A[float, "upper end of its 95 % t interval; may be empty"]
    gain: A[float, "test accuracy above the unpruned tree's, mean of paired differences [points]"]
    gain_low: A[float, "lower end of its 95 % t interval; may be empty"]
    gain_high: A[float, "upper end of its 95 % t interval; may be empty"]
    seeds: A[int, "trees behind it, one a seed"]
