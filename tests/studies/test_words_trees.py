"""Cost-complexity pruning does what it promises: nested trees, each the best for its alpha, chosen without the test."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from properties import tries
from prunelab import project
from prunelab.studies.words.figures import leaves_figure
from prunelab.studies.words.tables import Chosen, ChosenSummary, TreePath
from prunelab.studies.words.trees import CHOICES, choose, leaf_impurity, prune_trees, summary_table
from prunelab.tables import load

HELD_OUT = 100


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return prune_trees("digits", seeds=[0, 1], points=4)


def grown(seed: int, alpha: float = 0.0) -> tuple[DecisionTreeClassifier, np.ndarray, np.ndarray]:
    """A small tree on labels that follow one of three inputs but for noise."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(60, 3))
    y = (x[:, 0] + generator.normal(size=60) > 0).astype(int) + (x[:, 1] > 1)
    return DecisionTreeClassifier(max_depth=4, random_state=0, ccp_alpha=alpha).fit(x, y), x, y


def all_subtrees(tree: Any, node: int = 0) -> list[tuple[float, int]]:
    """Impurity and leaves of every way to take back splits below a node."""
    alone = float(tree.impurity[node] * tree.weighted_n_node_samples[node] / tree.weighted_n_node_samples[0])
    found = [(alone, 1)]
    if tree.children_left[node] != -1:
        left, right = (all_subtrees(tree, int(side[node])) for side in (tree.children_left, tree.children_right))
        found += [(a + b, m + n) for a, m in left for b, n in right]
    return found


def splits(tree: Any, node: int = 0, way: str = "") -> set[tuple[str, int, float]]:
    """Every split by its way from the root, with its feature and threshold."""
    if tree.children_left[node] == -1:
        return set()
    sides = (("l", tree.children_left), ("r", tree.children_right))
    below = [splits(tree, int(side[node]), way + letter) for letter, side in sides]
    return {(way, int(tree.feature[node]), float(tree.threshold[node]))}.union(*below)


def step(place: int, leaves: int, validation: float, test: float = 50.0, seed: int = 0) -> TreePath:
    return TreePath(
        data="made",
        data_id="0",
        seed=seed,
        alpha=place / 10,
        leaves=leaves,
        impurity=0.1,
        train_percent=100.0,
        validation_percent=validation,
        test_percent=test,
        step=place,
    )


# The highest validation accuracy is 80 %, whose standard error is √(80 · 20 / 100) = 4 points.
STEPS = [step(0, 40, 75.0), step(1, 30, 80.0), step(2, 20, 80.0), step(3, 10, 76.0), step(4, 5, 75.9)]


@tries(25)
@given(st.integers(0, 10_000), st.floats(0.0005, 0.2))
def test_no_other_subtree_has_less_impurity_plus_cost(seed: int, alpha: float) -> None:
    every = all_subtrees(grown(seed)[0].tree_)
    tree = grown(seed, alpha)[0]

    assert leaf_impurity(tree) + alpha * tree.get_n_leaves() == pytest.approx(
        min(impurity + alpha * leaves for impurity, leaves in every), abs=1e-12
    )


@tries(25)
@given(st.integers(0, 10_000))
def test_trees_for_a_higher_alpha_are_subtrees_of_those_for_a_lower(seed: int) -> None:
    whole, x, y = grown(seed)
    path = whole.cost_complexity_pruning_path(x, y).ccp_alphas
    trees = [splits(grown(seed, alpha)[0].tree_) for alpha in path]

    assert trees[0] == splits(whole.tree_)
    assert all(smaller <= larger for larger, smaller in pairwise(trees))
    assert trees[-1] == set()


def test_a_tree_is_impure_by_what_its_leaves_mix() -> None:
    # Half of the examples are in a pure leaf, half in one of 3 to 1: Gini 1 - .75² - .25² = .375.
    x, y = np.repeat([[0.0], [1.0]], 4, axis=0), np.array([0, 0, 0, 0, 1, 1, 1, 0])

    assert leaf_impurity(DecisionTreeClassifier(random_state=0).fit(x, y)) == pytest.approx(0.1875)


def test_a_path_leads_from_the_whole_tree_to_its_root_through_ever_smaller_ones(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    for _, rows in tables[0].groupby("seed"):
        assert rows["train_percent"].iloc[0] == 100
        assert rows["leaves"].iloc[-1] == 1
        assert (rows["leaves"].diff().iloc[1:] < 0).all()
        assert (rows[["alpha", "impurity"]].diff().iloc[1:] > 0).all(axis=None)
        assert (rows["train_percent"].diff().iloc[1:] < 0).all()


def test_impurity_and_leaves_of_a_path_do_not_pay_for_another_tree_of_it(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    for _, rows in tables[0].groupby("seed"):
        costs = rows["impurity"].to_numpy() + np.outer(rows["alpha"], rows["leaves"])

        assert (costs.diagonal() <= costs.min(axis=1) + 1e-12).all()


@pytest.mark.parametrize(("choice", "place"), [("unpruned", 0), ("best", 2), ("one-se", 3)])
def test_of_a_path_the_smallest_tree_that_is_good_enough_is_chosen(choice: str, place: int) -> None:
    assert choose(STEPS, choice, held_out=HELD_OUT) == STEPS[place]


@given(st.lists(st.floats(0, 100), min_size=len(STEPS), max_size=len(STEPS)))
def test_the_test_part_chooses_nothing(accuracies: list[float]) -> None:
    others = [replace(one, test_percent=accuracy) for one, accuracy in zip(STEPS, accuracies, strict=True)]

    for choice in CHOICES:
        assert choose(others, choice, held_out=HELD_OUT).step == choose(STEPS, choice, held_out=HELD_OUT).step


def test_chosen_trees_are_trees_of_the_path(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    path, chosen = tables
    columns = [name for name in chosen.columns if name != "choice"]

    assert len(chosen) == 2 * len(CHOICES)
    assert len(chosen.merge(path, on=columns)) == len(chosen)


def test_a_gain_is_paired_by_seed() -> None:
    tests = {"unpruned": (70.0, 80.0), "best": (71.0, 83.0), "one-se": (69.0, 79.0)}
    rows = [
        {**vars(step(0, 10 + seed, 50.0, test, seed)), "choice": choice}
        for choice, accuracies in tests.items()
        for seed, test in enumerate(accuracies)
    ]
    found = summary_table(pd.DataFrame(rows)).set_index("choice")

    # Differences 1 and 3: mean 2, t(.975, 1) · √2 / √2 = 12.706; both -1: no spread.
    ends = ["gain", "gain_low", "gain_high"]
    assert found.loc["best", ends].tolist() == pytest.approx([2, 2 - 12.7062, 2 + 12.7062], abs=1e-4)
    assert found.loc["one-se", ends].tolist() == [-1, -1, -1]
    assert found.loc["best", ["leaves", "test_percent"]].tolist() == [10.5, 77]


def test_the_tables_can_be_saved(tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    path, chosen = tables
    for table, rows in ((TreePath, path), (Chosen, chosen), (ChosenSummary, summary_table(chosen))):
        table.save(rows, folder=tmp_path)
        assert len(load(tmp_path / f"{table.table_name}.csv")) == len(rows)


def test_the_figure_says_in_words_what_it_draws(
    tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved = leaves_figure(*tables)
    once = saved.path.read_bytes()
    whole = tables[1][tables[1]["choice"] == "unpruned"]

    assert f"unpruned {whole['leaves'].mean():.0f} leaves, training part 100.0 %" in saved.alt
    assert json.loads(saved.path.with_suffix(".json").read_text("utf-8"))["table"] == "path"
    assert leaves_figure(*tables).path.read_bytes() == once


def test_the_example_in_the_book_runs_and_prunes() -> None:
    page = (project.root() / "book" / "words.md").read_text("utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)

    assert names["chosen"].get_n_leaves() < names["trees"][0].get_n_leaves()
    assert names["chosen"].score(names["test_x"], names["test_y"]) > 0.7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prune_trees("digits", seeds=[0], points=1), "points=1"),
        (lambda: choose(STEPS, "widest", held_out=HELD_OUT), "unpruned, best, one-se"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
