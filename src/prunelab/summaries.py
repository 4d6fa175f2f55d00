"""Rows kept and grouped by key; means over seeds with their interval, and paired contrasts."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pandas import DataFrame
from pandas.api.typing import SeriesGroupBy

from prunelab.stats import LEVEL, Array, Interval, t_interval

# Columns that a summary adds are named as here, after a prefix where there are several intervals.
LOW, HIGH, SEEDS = "low", "high", "seeds"


def only(table: DataFrame, **wanted: object) -> DataFrame:
    """Keep the rows whose columns have the wanted values."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def groups(table: DataFrame, key: Sequence[str]) -> Iterator[tuple[dict[str, str], DataFrame]]:
    """Split a table by text columns, in the order of its rows."""
    for names, rows in table.groupby(list(key), sort=False):
        yield dict(zip(key, map(str, names), strict=True)), rows


def over_seeds(
    rows: DataFrame,
    by: Sequence[str],
    columns: str | Mapping[str, str],
    *,
    within: str | Callable[["SeriesGroupBy[Any, Any]"], Any] | None = None,
    means: Sequence[str] = (),
    gaps: bool = False,
    interval: Callable[[Array], Interval] = t_interval,
    seed: str = "seed",
) -> DataFrame:
    """Give the mean over seeds of a column or several, with its 95 % interval and the number of seeds.

    Args:
        rows: one row a seed and group, or more, see `within`.
        by: columns that make the groups; they keep the order of the rows.
        columns: the column; or several, each with the prefix of its ends, as `{"area": "", "gain": "gain_"}`.
        within: how several rows of one seed, which are no independent samples, become one value first: what a pandas
            group of them is asked for ("mean", "first", "max" ...), or a function of the grouped column. Values are
            then in the order of the seeds. None: a seed has one row.
        means: columns of which the mean over all rows is given beside, without an interval.
        gaps: where a seed has no value, mean and ends are empty; otherwise that is an error.
        interval: from the values, shape (seeds,), to their interval.
        seed: the column that names the independent samples.

    Returns:
        One row a group: `by`, for each column itself, `<prefix>low` and `<prefix>high` (NaN with one seed), then
        `means` and `seeds`.

    Raises:
        ValueError: there is no row, a seed has several rows and `within` is None, or a value is missing.
    """
    prefixes = {columns: ""} if isinstance(columns, str) else columns
    found = []
    for names, part in rows.groupby(list(by), sort=False):
        row: dict[str, object] = dict(zip(by, names, strict=True))
        for column, prefix in prefixes.items():
            values = _one_a_seed(part, column, within, seed)
            whole = _EMPTY if gaps and not np.isfinite(values).all() else interval(values)
            row |= {column: whole.value, f"{prefix}{LOW}": whole.low, f"{prefix}{HIGH}": whole.high}
        row |= {column: float(part[column].mean()) for column in means}
        found.append(row | {SEEDS: part[seed].nunique()})
    if not found:
        raise ValueError(
            f"a mean over seeds has at least one row; {', '.join(prefixes)} has none: is it the right run?"
        )
    return DataFrame(found)


def contrast(
    first: DataFrame,
    second: DataFrame,
    by: Sequence[str],
    column: str,
    *,
    names: tuple[str, str, str] = ("first", "second", "difference"),
    pairs: Sequence[str] = ("seed",),
    within: str | None = None,
    gaps: bool = False,
    seed: str = "seed",
) -> DataFrame:
    """Give the mean over seeds of the paired differences first - second, with its 95 % interval.

    Args:
        first: rows of the one side; groups and pairs stand in their order.
        second: rows of the other.
        by: columns that make the groups.
        column: what is compared.
        names: what the two means and the difference are called.
        pairs: columns that pair the rows of a group, the seed among them. What one side lacks is left out.
        within: as in `over_seeds`.
        gaps: as there.
        seed: as there.

    Returns:
        One row a group: `by`, the columns `names`, `low` and `high` of the difference, `<name>_low` and `<name>_high`
        of each side, and `seeds`.

    Raises:
        ValueError: no row of one side has a partner, or as `over_seeds`.
    """
    on = list(dict.fromkeys([*by, *pairs]))
    one, other, difference = names
    both = (
        first[[*on, column]]
        .rename(columns={column: one})
        .merge(second[[*on, column]].rename(columns={column: other}), on=on)
    )
    if both.empty:
        raise ValueError(f"a contrast of {column} pairs rows of the same {', '.join(on)}; none is on both sides")
    both[difference] = both[one] - both[other]
    prefixes = {one: f"{one}_", other: f"{other}_", difference: ""}
    return over_seeds(both, by, prefixes, within=within, gaps=gaps, seed=seed)


def _one_a_seed(
    rows: DataFrame, column: str, within: str | Callable[["SeriesGroupBy[Any, Any]"], Any] | None, seed: str
) -> Array:
    """Give one value a seed."""
    if within is not None:
        grouped = rows.groupby(seed)[column]
        summed = within(grouped) if callable(within) else grouped.agg(within)
        return np.asarray(summed, dtype=float)
    if rows[seed].duplicated().any():
        twice = rows.loc[rows[seed].duplicated(), seed].iloc[0]
        raise ValueError(
            f"a mean over seeds has one value a seed; {column} has several of {seed} {twice}: say how they become one, "
            'as in within="mean", or group by what tells them apart'
        )
    return rows[column].to_numpy(dtype=float)


_EMPTY = Interval(value=math.nan, low=math.nan, high=math.nan, n=0, level=LEVEL, method="none")
