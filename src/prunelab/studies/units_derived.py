"""Tables of the mean-replacement study put together for its report: means over seeds, spreads, histograms."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab.stats import Interval, t_interval
from prunelab.studies.units_labels import NO_SCORE, REFERENCE, scores_of
from prunelab.studies.units_pairs import NET, layer_groups

UPPER_DECILE = 0.9
_NET_COLUMNS = {"data": "data set", "data_id": "content id of the data set", "model": "spec of the net"}
_PART = {"part": "examples the loss was measured on"}
_ENDS = {
    "low": "lower end of its 95 % t interval over seeds; may be empty",
    "high": "upper end of its 95 % t interval over seeds; may be empty",
    "seeds": "nets behind it",
}
SPREADS_KEY = ("data", "model", "part", "schedule", "removed_percent")
SPREADS_COLUMNS = {
    **_NET_COLUMNS,
    **_PART,
    "schedule": "how the units were removed",
    "removed_percent": "share of the units of every layer removed [%]",
    "spread": "standard deviation of the loss over the methods, mean over seeds [nats]",
    **_ENDS,
    "methods": "scores with or without replacement",
}
MEANS_KEY = ("data", "model", "part", "layers", "correction")
MEANS_COLUMNS = {
    **_NET_COLUMNS,
    **_PART,
    "layers": "what was pruned: a layer, one layer at a time (all of them together), or all at once",
    "correction": "what was done about the removed units",
    "penalty": "loss after that minus loss of the unpruned net, less the control where there is one, mean over scores "
    "and layers, then over seeds [nats]",
    **_ENDS,
    "control": "what the same does to the loss where no unit was removed [nats]; may be empty",
    "operations": "floating-point operations it costs beyond zeroing, in those of one training step",
    "scores": "scores behind it",
}
BINS_KEY = ("data", "model", "layer", "score", "left")
BINS_COLUMNS = {
    **_NET_COLUMNS,
    "layer": "layer whose units were chosen",
    "score": "what chose the units",
    "left": "lower end of the bin, mean squared activation; the bin from 0 on holds silent units",
    "right": "upper end of the bin",
    "share_percent": "share of the chosen units [%]",
}
DECILES_KEY = ("data", "model", "layer", "score")
DECILES_COLUMNS = {
    **_NET_COLUMNS,
    "layer": "layer whose units were chosen",
    "score": "what chose the units",
    "decile": "upper decile of the mean squared activation of chosen units, mean over seeds",
    **_ENDS,
    "units": "choices behind it",
}
_BINS = 24
_DECADES = 8  # below the largest; what is smaller counts as silent


def spreads(iterative: DataFrame) -> DataFrame:
    """Say how far the methods' losses lie apart at each share removed, by schedule.

    Args:
        iterative: one row a net, schedule, score, replacement, share removed and part.

    Returns:
        Columns `SPREADS_COLUMNS`, of shares above 0 and without the exact loss change, which is no method.

    Raises:
        ValueError: there is no such row.
    """
    rows = iterative[(iterative["removed_percent"] > 0) & ~iterative["score"].isin([REFERENCE, NO_SCORE])]
    found = []
    for names, at in rows.groupby([*NET, "part", "schedule", "removed_percent"], sort=False):
        spread = t_interval(at.groupby("seed")["loss"].std(ddof=0).to_numpy())
        methods = len(at[["score", "replacement"]].drop_duplicates())
        place = dict(zip([*NET, "part", "schedule", "removed_percent"], names, strict=True))
        found.append({**place, "spread": spread.value, **_ends(spread), "methods": methods})
    return framed(found, SPREADS_COLUMNS, "the spread of losses")


def shared_spread(iterative: DataFrame, part: str) -> DataFrame:
    """Average the spreads over the shares that all schedules have, seed by seed.

    Args:
        iterative: as for `spreads`, of one net.
        part: whose losses.

    Returns:
        Shape (seeds, schedules) [nats]; no column where the schedules share none.
    """
    rows = iterative[(iterative["part"] == part) & (iterative["removed_percent"] > 0)]
    rows = rows[~rows["score"].isin([REFERENCE, NO_SCORE])]
    at_each = rows.groupby(["schedule", "seed", "removed_percent"])["loss"].std(ddof=0).reset_index()
    wide = at_each.pivot_table("loss", index=["seed", "removed_percent"], columns="schedule").dropna()
    return wide.groupby(level="seed").mean()


def correction_means(corrections: DataFrame) -> DataFrame:
    """Average the penalty of each correction over scores within a seed, by what was pruned.

    A correction that trains on, or measures statistics again, changes an unpruned net as well. What it does to that
    one is no merit of its dealing with removed units, and is subtracted.

    Args:
        corrections: one row a net, layer, score, correction and part; with a column `control` or without.

    Returns:
        Columns `MEANS_COLUMNS`, corrections in the order of the table.

    Raises:
        ValueError: there is no row.
    """
    found = []
    for names, own in corrections.groupby([*NET, "part"], sort=False):
        place = dict(zip([*NET, "part"], names, strict=True))
        for group, rows in layer_groups(own):
            for correction, each in rows.groupby("correction", sort=False):
                beside = each["control"] if "control" in each else pd.Series(0.0, index=each.index)
                own_share = (each["penalty"] - beside.fillna(0)).groupby(each["seed"]).mean()
                penalty = t_interval(own_share.to_numpy())
                control = float(each["control"].mean()) if "control" in each else math.nan
                found.append(
                    {
                        **place,
                        "layers": group,
                        "correction": correction,
                        "penalty": penalty.value,
                        **_ends(penalty),
                        "control": control,
                        "operations": float(each["operations"].mean()),
                        "scores": each["score"].nunique(),
                    }
                )
    return framed(found, MEANS_COLUMNS, "the corrections")


def squares_histogram(squares: DataFrame) -> DataFrame:
    """Count the chosen units by their mean squared activation, in bins equal in its logarithm.

    Args:
        squares: one row a net, step, layer, score and chosen unit.

    Returns:
        Columns `BINS_COLUMNS`; the same bins for every score of a net and layer, first the silent units, whose mean
        square is 0 or below a hundred millionth of the largest.

    Raises:
        ValueError: there is no row.
    """
    found = []
    for names, rows in squares.groupby([*NET, "layer"], sort=False):
        largest = float(rows["mean_square"].max()) or 1.0
        heard = rows["mean_square"][rows["mean_square"] > largest * 10**-_DECADES]
        top = np.log10(largest) + 1e-9  # the largest lies inside its bin
        lowest = min(float(np.log10(heard.min())) if len(heard) else top - 1, top - 0.5)
        edges = np.append(0.0, 10 ** np.linspace(lowest - 1e-9, top, _BINS + 1))
        for score in scores_of(rows):
            values = rows["mean_square"][rows["score"] == score].to_numpy(dtype=float)
            shares = 100 * np.histogram(values, edges)[0] / len(values)
            place = dict(zip([*NET, "layer"], names, strict=True))
            found += [
                {**place, "score": score, "left": left, "right": right, "share_percent": share}
                for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True)
            ]
    return framed(found, BINS_COLUMNS, "the squared activations")


def squares_deciles(squares: DataFrame) -> DataFrame:
    """Give the upper decile of the mean squared activations of the units each score chose, over all steps of a seed.

    Raises:
        ValueError: there is no row.
    """
    found = []
    for names, rows in squares.groupby([*NET, "layer"], sort=False):
        for score in scores_of(rows):
            own = rows[rows["score"] == score]
            decile = t_interval(own.groupby("seed")["mean_square"].quantile(UPPER_DECILE).to_numpy())
            place = dict(zip([*NET, "layer"], names, strict=True))
            found.append({**place, "score": score, "decile": decile.value, **_ends(decile), "units": len(own)})
    return framed(found, DECILES_COLUMNS, "the squared activations")


def framed(rows: Sequence[dict[str, object]], columns: dict[str, str], what: str) -> DataFrame:
    """Lay rows out as a table with the described columns, in their order.

    Raises:
        ValueError: there is no row.
    """
    if not rows:
        raise ValueError(f"{what}: a table holds at least one net; those given hold none: is it the right run?")
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype({name: float for name in columns if name in ("low", "high")})


def _ends(interval: Interval) -> dict[str, object]:
    return {"low": interval.low, "high": interval.high, "seeds": interval.n}
