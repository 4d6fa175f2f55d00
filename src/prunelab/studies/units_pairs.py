"""Penalties with and without mean replacement side by side: what the figures and numbers of the study are made of."""

from collections.abc import Iterator, Sequence

import numpy as np
from pandas import DataFrame

from prunelab.stats import t_interval
from prunelab.studies.units_labels import ALL, NO_SCORE, ONE, layers_of

NET = ("data", "data_id", "model")
PAIRS_KEY = ("data", "model", "seed", "step", "layer", "score")
PAIRS_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "of the net",
    "step": "training iterations done",
    "layer": 'layer whose units were removed; "all" is all at once',
    "score": "what chose the units",
    "zeroed": "loss right after setting the units to zero, minus that of the unpruned net [nats]",
    "replaced": "the same with the units replaced by their mean activations [nats]",
}
TUNED_KEY = (*PAIRS_KEY, "tuning_steps")
TUNED_COLUMNS = {
    **{name: PAIRS_COLUMNS[name] for name in (*NET, "seed", "step", "layer", "score")},
    "half": "of the training, that the step lies in: early or late",
    "tuning_steps": "training iterations done after the removal",
    "zeroed": "loss after setting the units to zero and tuning, minus that of the net before [nats]",
    "replaced": "the same with the units replaced by their mean activations [nats]",
}
HALVES = {"early": "first half of training", "late": "second half of training"}
_SIDES = {"none": "zeroed", "mean": "replaced"}


def paired(penalties: DataFrame, part: str) -> DataFrame:
    """Lay the penalties of one part with and without replacement side by side.

    Args:
        penalties: one row a net, step, layer, score, replacement and part.
        part: the examples the penalties were measured on.

    Returns:
        One row a net, step, layer and score, columns as `PAIRS_COLUMNS`. Removals measured in one way only are left
        out: what is compared is measured alike.

    Raises:
        ValueError: nothing was measured both ways on this part.
    """
    return _side_by_side(penalties, part, PAIRS_KEY)[list(PAIRS_COLUMNS)]


def tuned_pairs(fine_tuned: DataFrame, part: str) -> DataFrame:
    """Lay the penalties after tuning with and without replacement side by side.

    Args:
        fine_tuned: one row a net, step, layer, score, replacement, number of tuning steps and part.
        part: the examples the penalties were measured on.

    Returns:
        As `paired`, columns as `TUNED_COLUMNS`. The late half is what lies behind the middle of the net's last step.

    Raises:
        ValueError: nothing was measured both ways on this part.
    """
    wide = _side_by_side(fine_tuned, part, TUNED_KEY)
    middle = wide.groupby(["data", "model"])["step"].transform("max") / 2
    return wide.assign(half=np.where(wide["step"] > middle, "late", "early"))[list(TUNED_COLUMNS)]


def wins_percent(pairs: DataFrame) -> float:
    """Give the share (%) of measurements whose penalty replacement lowers; silent units leave it as it is."""
    return 100 * float((pairs["replaced"] < pairs["zeroed"]).mean())


def losses_percent(pairs: DataFrame) -> float:
    """Give the share (%) of measurements whose penalty replacement raises."""
    return 100 * float((pairs["replaced"] > pairs["zeroed"]).mean())


def layer_groups(pairs: DataFrame) -> Iterator[tuple[str, DataFrame]]:
    """Split pairs by what was pruned: layers one at a time together, each layer alone, all at once."""
    one = pairs[pairs["layer"] != ALL]
    if len(one):
        yield ONE, one
    for layer in layers_of(pairs):
        yield layer, pairs[pairs["layer"] == layer]


def contrast(pairs: DataFrame) -> dict[str, float | int]:
    """Compare both sides, averaged within a seed first, since the checkpoints of a net are no independent samples.

    Args:
        pairs: at least one row of `paired` or `tuned_pairs`.

    Returns:
        The columns of `CONTRAST_COLUMNS`; ends of intervals are NaN with one seed.
    """
    seeds = pairs.assign(difference=pairs["replaced"] - pairs["zeroed"]).groupby("seed")
    found: dict[str, float | int] = {}
    for name, ends in (("zeroed", "zeroed_"), ("replaced", "replaced_"), ("difference", "")):
        interval = t_interval(seeds[name].mean().to_numpy())
        found |= {name: interval.value, f"{ends}low": interval.low, f"{ends}high": interval.high}
    found |= {"wins_percent": wins_percent(pairs), "losses_percent": losses_percent(pairs)}
    return found | {"measurements": len(pairs), "seeds": seeds.ngroups}


_END = "end of its 95 % t interval over seeds [nats]; may be empty"
CONTRAST_COLUMNS = {
    "zeroed": "mean penalty with the units set to zero [nats]",
    "zeroed_low": f"lower {_END}",
    "zeroed_high": f"upper {_END}",
    "replaced": "mean penalty with the units replaced by their means [nats]",
    "replaced_low": f"lower {_END}",
    "replaced_high": f"upper {_END}",
    "difference": "mean of replaced - zeroed [nats]; below 0, replacement is better",
    "low": f"lower {_END}",
    "high": f"upper {_END}",
    "wins_percent": "share of the measurements whose penalty replacement lowers [%]",
    "losses_percent": "share whose penalty it raises [%]",
    "measurements": "pairs compared",
    "seeds": "nets behind them",
}


def _side_by_side(table: DataFrame, part: str, key: Sequence[str]) -> DataFrame:
    rows = table[(table["part"] == part) & table["replacement"].isin(list(_SIDES)) & (table["score"] != NO_SCORE)]
    index = [*NET, *(name for name in key if name not in NET)]
    ways = rows.pivot_table("penalty", index=index, columns="replacement", sort=False).reindex(columns=list(_SIDES))
    wide = ways.dropna().rename(columns=_SIDES).reset_index()
    if wide.empty:
        parts = ", ".join(map(str, dict.fromkeys(table["part"])))
        raise ValueError(
            f"penalties are compared with and without replacement; no removal was measured both ways on part {part!r}; "
            f"the table has {parts}"
        )
    wide.columns.name = None
    return wide
