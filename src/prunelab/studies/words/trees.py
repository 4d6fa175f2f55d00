"""Cost-complexity pruning of decision trees: the nested trees of one path, and the one that held-out data choose."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.ticker import LogLocator, StrMethodFormatter
from numpy.typing import NDArray
from pandas import DataFrame
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from prunelab.data import Images, Split, load_images
from prunelab.figures.style import MUTED, Line, Saved, curve, legend, panels, save, style
from prunelab.records import Value, to_frame
from prunelab.stats import Interval, paired, t_interval

UNPRUNED, BEST, ONE_SE = "unpruned", "best", "one-se"


CHOICES = (UNPRUNED, BEST, ONE_SE)


_MEASURED = {
    "data": "data set",
    "data_id": "content id of the data set",
    "seed": "seed that divides examples into training and validation, and breaks ties between splits",
    "alpha": "what a leaf costs [impurity]",
    "leaves": "leaves of the tree",
    "impurity": "Gini impurity of the leaves, weighted by their training examples",
    "train_percent": "accuracy on the examples that the tree was grown on [%]",
    "validation_percent": "accuracy on the validation part [%]",
    "test_percent": "accuracy on the test part, by which nothing is chosen [%]",
}


PATH_KEY = ("data", "seed", "step")


PATH_COLUMNS = {**_MEASURED, "step": "place among the trees measured, from 0, the unpruned one"}


CHOICE_KEY = ("data", "seed", "choice")


CHOICE_COLUMNS = {
    **_MEASURED,
    "choice": "unpruned: the whole tree; best: of those with the highest validation accuracy the smallest; one-se: the "
    "smallest whose validation accuracy is at most one standard error below the highest",
}


_ROUNDING = 1e-9  # of the largest alpha: nearer ones are the same


Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A pruned tree."""

    data: str
    data_id: str
    seed: int
    alpha: float
    leaves: int
    impurity: float
    train_percent: float
    validation_percent: float
    test_percent: float


@dataclass(frozen=True, kw_only=True)
class Step(Tree):
    """A tree of the path."""

    step: int


@dataclass(frozen=True, kw_only=True)
class Choice(Tree):
    """A tree chosen from the path."""

    choice: str


def prune_trees(data: str, *, seeds: Sequence[int], points: int) -> tuple[DataFrame, DataFrame]:
    """Grow a tree per seed, prune it by cost and complexity, and choose from the path by the validation part.

    The test part is the same for all seeds; training and validation part are divided anew by each.

    Args:
        data: name or path of a set of images.
        seeds: one tree each.
        points: trees of each path to measure, evenly spaced on it, the whole tree and its root among them; at least 2.

    Returns:
        Tables of `PATH_COLUMNS` and of `CHOICE_COLUMNS`.

    Raises:
        ValueError: fewer than two points, or no such data.
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
            found = asdict(step)
            del found["step"]
            chosen.append(Choice(**found, choice=choice))
    return to_frame(path, PATH_KEY), to_frame(chosen, CHOICE_KEY)


def choose(steps: Sequence[Step], choice: str, *, held_out: int) -> Step:
    """Choose a tree of a path by its validation accuracy.

    Args:
        steps: of one path, the unpruned tree among them.
        choice: one of `CHOICES`; "one-se" is the rule of Breiman et al. (1984), with the standard error of a share.
        held_out: validation examples.

    Raises:
        ValueError: an unknown choice.
    """
    if choice not in CHOICES:
        raise ValueError(f"a tree is chosen by one of {', '.join(CHOICES)}; got {choice!r}")
    if choice == UNPRUNED:
        return max(steps, key=lambda step: step.leaves)
    enough = max(step.validation_percent for step in steps)
    if choice == ONE_SE:
        enough -= float(np.sqrt(enough * (100 - enough) / held_out))
    return min((step for step in steps if step.validation_percent >= enough), key=lambda step: step.leaves)


def tree_values(chosen: DataFrame) -> dict[str, Value]:
    """Quote the chosen trees over seeds.

    Args:
        chosen: the second table of `prune_trees`, of one data set.

    Returns:
        `leaves-<choice>`, `train-<choice>` and `test-<choice>` for each choice, and for the two that prune
        `gain-<choice>`, test accuracy above the unpruned tree's in points, paired by seed.
    """
    values = {}
    whole = chosen[chosen["choice"] == UNPRUNED].sort_values("seed")["test_percent"]
    for choice in CHOICES:
        rows = chosen[chosen["choice"] == choice].sort_values("seed")
        values[f"leaves-{choice}"] = _value(t_interval(rows["leaves"].to_numpy(dtype=float)), digits=0)
        for part in ("train", "test"):
            values[f"{part}-{choice}"] = _value(t_interval(rows[f"{part}_percent"].to_numpy()), unit="%")
        if choice != UNPRUNED:
            values[f"gain-{choice}"] = _value(paired(rows["test_percent"].to_numpy(), whole.to_numpy()), unit="points")
    return values


def leaf_impurity(tree: DecisionTreeClassifier) -> float:
    """Return what a tree is grown and pruned to lower: the impurity of its leaves, weighted by training examples."""
    nodes = tree.tree_
    leaves = nodes.children_left == -1
    weights = nodes.weighted_n_node_samples
    return float((weights * nodes.impurity)[leaves].sum() / weights[0])


def _path(images: Images, *, seed: int, points: int) -> list[Step]:
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
            Step(
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


def _value(interval: Interval, *, unit: str = "", digits: int = 1) -> Value:
    return Value(value=interval.value, low=interval.low, high=interval.high, unit=unit, digits=digits, n=interval.n)


_PARTS = {
    "train": Line(label="training part", colour="#0072b2", marker="o"),
    "validation": Line(label="validation part, which chooses", colour="#e69f00", marker="s", dash=(0, (5, 2))),
    "test": Line(label="test part", colour="#009e73", marker="^", dash=(0, (2, 1))),
}


_CHOICES = {UNPRUNED: "unpruned", BEST: "best", ONE_SE: "one standard error"}


def leaves_figure(path: DataFrame, chosen: DataFrame) -> Saved:
    """Draw the accuracy on each part by the leaves left, the trees chosen marked.

    Args:
        path: as `tree_pruning.prune_trees` gives it, of one data set.
        chosen: likewise.
    """
    data = str(path["data"].iloc[0])
    with style():
        figure, [axis] = panels([f"decision trees on {data}"])
        figure.set_size_inches(6.2, 3.8)
        for part, line in _PARTS.items():
            curve(axis, path, "leaves", f"{part}_percent", along="step", line=line)
        words = []
        for choice, label in _CHOICES.items():
            own = chosen[chosen["choice"] == choice]
            leaves = float(own["leaves"].mean())
            axis.axvline(leaves, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
            axis.annotate(
                label,
                (leaves, 0),
                (-3, 6),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                rotation=90,
                ha="right",
                fontsize=8.5,
            )
            words.append(_in_words(own, label))
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_xlabel("leaves left")
        axis.set_ylabel("accuracy (%)")
        legend(figure, [axis])
        seeds = path["seed"].nunique()
        return save(
            figure,
            "leaves",
            alt=f"Accuracy on training, validation and test part of decision trees on {data} by their leaves, from the "
            f"root alone to the whole tree. Chosen trees, mean over {seeds} seeds: {'; '.join(words)}.",
            caption=f"Accuracy of a decision tree on {data} along its path of cost-complexity pruning, mean over "
            f"{seeds} seeds with 95 % t interval. Dotted: mean leaves of the whole tree, of the one with the highest "
            "validation accuracy, and of the smallest within one standard error of it.",
            table="path",
        )


def _in_words(rows: DataFrame, label: str) -> str:
    """Say leaves and accuracies of the trees of one choice."""
    train, test = (t_interval(rows[f"{part}_percent"].to_numpy()).value for part in ("train", "test"))
    return f"{label} {rows['leaves'].mean():.0f} leaves, training part {train:.1f} %, test part {test:.1f} %"
