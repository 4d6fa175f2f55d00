"""Performance profiles of the scores with and without mean replacement, as tables."""

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.rules import profiles
from prunelab.stats import t_interval
from prunelab.studies.units_labels import REFERENCE, scores_of

PROFILES_KEY = ("data", "model", "score", "replacement", "t")
_METHOD = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "score": "what chose the units",
    "replacement": "none (units set to zero) or mean",
}
PROFILES_COLUMNS = {
    **_METHOD,
    "t": "interpolation constant T, from the worst method's penalty (0) to the best's (1)",
    "share_percent": "share of the measurements whose penalty is at most min T + max (1 - T) [%]",
}
AREAS_KEY = ("data", "model", "score", "replacement")
AREAS_COLUMNS = {
    **_METHOD,
    "area": "under the profile, mean over seeds [0, 1]",
    "low": "lower end of its 95 % t interval over seeds; may be empty",
    "high": "upper end of its 95 % t interval over seeds; may be empty",
    "measurements": "nets, steps and layers in which every method was measured",
    "seeds": "nets behind them",
}
_SIDES = {"none": "zeroed", "mean": "replaced"}
_POINTS = 101


def profile_tables(pairs: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Give the profile of every method, a score with or without replacement, and the areas under them.

    A measurement is a net at a step with one layer pruned, or all at once. Those in which a method is missing are left
    out, as is the exact loss change, which is no score.

    Args:
        pairs: as `units_pairs.paired` gives them.

    Returns:
        The profiles, at 101 values of T, columns `PROFILES_COLUMNS`; the areas, columns `AREAS_COLUMNS`.

    Raises:
        ValueError: no measurement has every method.
    """
    curves, areas = [], []
    constants = np.linspace(0, 1, _POINTS)
    for (data, data_id, model), rows in pairs[pairs["score"] != REFERENCE].groupby(
        ["data", "data_id", "model"], sort=False
    ):
        methods, values, seeds = _methods(rows)
        shares = 100 * profiles.profile(values, constants)
        reached = profiles.reached(values)
        for place, (score, replacement) in enumerate(methods):
            named = {
                "data": data,
                "data_id": data_id,
                "model": model,
                "score": score,
                "replacement": replacement,
            }
            curves += [
                {**named, "t": t, "share_percent": share[place]} for t, share in zip(constants, shares, strict=True)
            ]
            area = t_interval([float(reached[seeds == seed, place].mean()) for seed in np.unique(seeds)])
            areas.append(
                {
                    **named,
                    "area": area.value,
                    "low": area.low,
                    "high": area.high,
                    "measurements": len(values),
                    "seeds": area.n,
                }
            )
    return DataFrame(curves, columns=list(PROFILES_COLUMNS)), DataFrame(areas, columns=list(AREAS_COLUMNS))


def _methods(rows: DataFrame) -> tuple[list[tuple[str, str]], NDArray[np.float64], NDArray[np.int64]]:
    """Give a net's methods, their penalties of shape (measurements, methods), and each measurement's seed."""
    scores = scores_of(rows)
    wide = rows.pivot_table(list(_SIDES.values()), index=["seed", "step", "layer"], columns="score").dropna()
    if wide.empty:
        raise ValueError(
            f"a profile compares methods on the same measurements; none has all of {', '.join(scores)}: measure alike"
        )
    methods = [(score, replacement) for score in scores for replacement in _SIDES]
    ordered = [wide[(_SIDES[replacement], score)].to_numpy(dtype=float) for score, replacement in methods]
    return methods, np.stack(ordered, axis=1), wide.index.get_level_values("seed").to_numpy(dtype=np.int64)
