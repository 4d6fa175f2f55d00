"""Cost-complexity pruning of decision trees: the nested trees of one path, and the one that held-out data choose."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from prunelab.data import Images, Split, load_images
from prunelab.stats import Array
from prunelab.studies.words.tables import Chosen, ChosenSummary, TreePath
from prunelab.summaries import over_seeds

UNPRUNED, BEST, ONE_SE = CHOICES = ("unpruned", "best", "one-se")

_ROUNDING = 1e-9  # of the largest alpha: nearer ones are the same


def prune_trees(data: str, *, seeds: Sequence[int], points: int) -> tuple[DataFrame, DataFrame]:
    """Grow a tree per seed, prune it by cost and complexity, and choose from the path by the validation part.

    Gives `TreePath` and `Chosen`.
    The test part is the same for all seeds; training and validation part are divided anew by each.

    Args:
        data: name or path of a set of images.
        seeds: one tree each.
        points: trees of each path to measure, evenly spaced on it, the whole tree and its root among them; at least 2.
    """
    if points < 2:
        raise ValueError(f"of a path the whole tree and its root are measured at least; got points={points!r}")
    images = load_images(data)
    path, chosen = [], []
    for seed in seeds:
        steps = _path(images, seed=seed, points=points)
        path += steps
        held_out = len(images.validation)
        for choice in CHOICES:
            step = choose(steps, choice, held_out=held_out)
            chosen.append({name: cell for name, cell in asdict(step).items() if name != "step"} | {"choice": choice})
    return TreePath.frame(path), Chosen.frame(chosen)


def choose(steps: Sequence[TreePath], choice: str, *, held_out: int) -> TreePath:
    """Choose a tree of a path by its validation accuracy.

    Args:
        steps: of one path, the unpruned tree among them.
        choice: one of `CHOICES`; "one-se" is the rule of Breiman et al. (1984), with the standard error of a share.
        held_out: validation examples.
    """
    if choice not in CHOICES:
        raise ValueError(f"a tree is chosen by one of {', '.join(CHOICES)}; got {choice!r}")
    if choice == UNPRUNED:
        return max(steps, key=lambda step: step.leaves)
    enough = max(step.validation_percent for step in steps)
    if choice == ONE_SE:
        enough -= float(np.sqrt(enough * (100 - enough) / held_out))
    return min((step for step in steps if step.validation_percent >= enough), key=lambda step: step.leaves)


def summary_table(chosen: DataFrame) -> DataFrame:
    """Average the chosen trees over seeds, as `ChosenSummary`."""
    whole = chosen[chosen["choice"] == UNPRUNED].set_index("seed")["test_percent"]
    gains = chosen.assign(gain=chosen["test_percent"] - chosen["seed"].map(whole))
    columns = {"leaves": "leaves_", "train_percent": "train_", "test_percent": "test_", "gain": "gain_"}
    return ChosenSummary.frame(over_seeds(gains, ["choice"], columns))


def leaf_impurity(tree: DecisionTreeClassifier) -> float:
    """Return what a tree is grown and pruned to lower: the impurity of its leaves, weighted by training examples."""
    nodes = tree.tree_
    leaves = nodes.children_left == -1
    weights = nodes.weighted_n_node_samples
    return float((weights * nodes.impurity)[leaves].sum() / weights[0])


def _path(images: Images, *, seed: int, points: int) -> list[TreePath]:
    """Measure trees of one path, from the whole tree to its root."""
    x, y = (np.concatenate(both) for both in zip(_flat(images.train), _flat(images.validation), strict=True))
    grow_x, hold_x, grow_y, hold_y = train_test_split(
        x, y, test_size=len(images.validation), random_state=seed, stratify=y
    )
    test_x, test_y = _flat(images.test)
    alphas = _alphas(DecisionTreeClassifier(random_state=seed).cost_complexity_pruning_path(grow_x, grow_y).ccp_alphas)
    steps = []
    for step, place in enumerate(np.unique(np.linspace(0, len(alphas) - 1, points).round().astype(int))):
        alpha = float(alphas[place])
        tree = DecisionTreeClassifier(random_state=seed, ccp_alpha=alpha).fit(grow_x, grow_y)
        steps.append(
            TreePath(
                data=images.name,
                data_id=images.content_id,
                seed=seed,
                alpha=alpha,
                leaves=int(tree.get_n_leaves()),
                impurity=leaf_impurity(tree),
                train_percent=100 * float(tree.score(grow_x, grow_y)),
                validation_percent=100 * float(tree.score(hold_x, hold_y)),
                test_percent=100 * float(tree.score(test_x, test_y)),
                step=step,
            )
        )
    return steps


def _alphas(path: Array) -> Array:
    """Keep one alpha for each tree of a path: 0 for the whole one, then each positive alpha once.

    A path has an entry for every split that is taken back. Splits that fall at one alpha repeat it, but for rounding,
    and only its last entry takes back all of them.
    """
    last = np.diff(path, append=np.inf) > _ROUNDING * path.max()
    return np.append(0.0, path[last & (path > 0)])


def _flat(split: Split) -> tuple[Array, NDArray[np.int64]]:
    """Give images as rows of pixels, (N, C · H · W), and their classes."""
    return split.x.flatten(1).double().numpy(), split.y.numpy()
