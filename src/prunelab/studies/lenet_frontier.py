"""Error against sparsity up to the sparsest nets, and held against the points others published."""

from pathlib import Path

import pandas as pd
from pandas import DataFrame

from prunelab.studies.lenet_rows import bounds, error, framed, groups, net_name, only

# What the published points were measured on.
_NET, _DATA = "300-100", "mnist"
# Percentage points of sparsity: whole weights meet a percentage only nearly.
_WHOLE = 0.005
_EPOCHS = ("final", "best", "unstated")

FRONTIER_KEY = ("data", "recipe", "model", "target")
FRONTIER_COLUMNS = {
    "data": "data set",
    "recipe": "how the nets were trained: source or strong",
    "model": "spec of the net",
    "target": "label of the weights asked to be left",
    "kept": "weights left, mean over seeds",
    "sparsity_percent": "prunable weights removed, counted, mean over seeds [%]",
    "effective_sparsity_percent": "the same, weights off every live path counted as removed, mean over seeds [%]",
    "error_percent": "test error after the last epoch, mean over seeds [%]",
    "low": "lower end of its 95 % t interval; may be empty with one seed [%]",
    "high": "upper end of its 95 % t interval; may be empty with one seed [%]",
    "seeds": "nets behind the mean",
}

PUBLISHED_KEY = ("data", "recipe", "model", "method", "their_sparsity_percent", "epoch")
PUBLISHED_COLUMNS = {
    **{name: FRONTIER_COLUMNS[name] for name in ("data", "recipe", "model")},
    "method": "method of the published point",
    "source": "key of its publication in the bibliography",
    "epoch": "final (last epoch), best (best epoch on the test part) or unstated",
    "their_sparsity_percent": "published sparsity [%]",
    "their_error_percent": "published test error [%]",
    "sparsity_percent": "our smallest measured sparsity that is no smaller [%]",
    "error_percent": "our test error there after the last epoch, mean over seeds [%]",
    "low": "lower end of its 95 % t interval; may be empty with one seed [%]",
    "high": "upper end of its 95 % t interval; may be empty with one seed [%]",
    "seeds": "nets behind the mean",
    "difference": "our error - theirs [points]",
    "met": "whether our mean error is at or below theirs",
}


def published_points(path: Path) -> DataFrame:
    """Read the points others published for LeNet-300-100, as `published/lenet-300-100-frontier.csv` holds them.

    Raises:
        FileNotFoundError: the table is not there.
        ValueError: a point's epoch is not final, best or unstated.
    """
    if not path.exists():
        raise FileNotFoundError(f"the published points are in published/lenet-300-100-frontier.csv; {path} is missing")
    points = pd.read_csv(path)
    if odd := sorted(set(points["epoch"]) - set(_EPOCHS)):
        raise ValueError(f"a published point is of epoch {', '.join(_EPOCHS)}; {path.name} has {odd}")
    return points


def frontier_table(pruned: DataFrame) -> DataFrame:
    """Give the error of masked nets pruned by one global threshold at every target, sparsest last.

    Args:
        pruned: one row a pruned net.

    Returns:
        One row a net and target; columns as `FRONTIER_COLUMNS` says.

    Raises:
        ValueError: there is no such net.
    """
    rows = []
    for where, part in groups(only(pruned, mode="masked", budget="global"), FRONTIER_KEY):
        interval = error(part)
        means = {
            "kept": float(part["kept"].mean()),
            "sparsity_percent": 100 * float(part["sparsity"].mean()),
            "effective_sparsity_percent": 100 * float(part["effective_sparsity"].mean()),
        }
        rows.append({**where, **means, "error_percent": interval.value, **bounds(interval)})
    table = framed(rows, FRONTIER_COLUMNS, "the frontier")
    return table.sort_values([*FRONTIER_KEY[:3], "sparsity_percent"], ignore_index=True)


def comparable(frontier: DataFrame) -> DataFrame:
    """Keep the rows that the published points can stand beside: LeNet-300-100 on MNIST."""
    kept: DataFrame = frontier[(frontier["data"] == _DATA) & (frontier["model"].map(net_name) == _NET)]
    return kept


def against_published(frontier: DataFrame, published: DataFrame) -> DataFrame:
    """Hold each published point against our error at the smallest sparsity measured that is no smaller.

    Nothing is interpolated, so ours is never the denser net (beyond half a hundredth of a point, since weights are
    whole). Points sparser than all of ours are left out.

    Args:
        frontier: as `frontier_table` gives it; nets other than LeNet-300-100 on MNIST are left out.
        published: as `published_points` gives it.

    Returns:
        One row a point; columns as `PUBLISHED_COLUMNS` says. No row where there is no such net.
    """
    rows = []
    for where, part in groups(comparable(frontier), ("data", "recipe", "model")):
        for point in published.to_dict("records"):
            theirs, their_error = float(point["sparsity_percent"]), float(point["error_percent"])
            reached = part[part["sparsity_percent"] >= theirs - _WHOLE].sort_values("sparsity_percent")
            if reached.empty:
                continue
            own = reached.iloc[0]
            said = {name: point[name] for name in ("method", "source", "epoch")}
            numbers = {name: own[name] for name in ("sparsity_percent", "error_percent", "low", "high", "seeds")}
            difference = float(own["error_percent"]) - their_error
            they = {"their_sparsity_percent": theirs, "their_error_percent": their_error}
            rows.append({**where, **said, **they, **numbers, "difference": difference, "met": difference <= 0})
    if not rows:
        return DataFrame(columns=list(PUBLISHED_COLUMNS))
    return framed(rows, PUBLISHED_COLUMNS, "the published points")
