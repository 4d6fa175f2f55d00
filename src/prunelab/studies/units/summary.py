"""The mean-replacement study summed up: mean penalties by score, and the numbers its chapter quotes."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.records import Value, quote
from prunelab.stats import LEVEL, Interval, t_interval
from prunelab.studies.common.runs import slug
from prunelab.studies.units import rules
from prunelab.studies.units.labels import ALL, NO_SCORE, ONE, REFERENCE, layers_of, scores_of, second_convolution

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


UPPER_DECILE = 0.9


_DERIVED_NET_COLUMNS = {"data": "data set", "data_id": "content id of the data set", "model": "spec of the net"}


_PART = {"part": "examples the loss was measured on"}


_ENDS = {
    "low": "lower end of its 95 % t interval over seeds; may be empty",
    "high": "upper end of its 95 % t interval over seeds; may be empty",
    "seeds": "nets behind it",
}


SPREADS_KEY = ("data", "model", "part", "schedule", "removed_percent")


SPREADS_COLUMNS = {
    **_DERIVED_NET_COLUMNS,
    **_PART,
    "schedule": "how the units were removed",
    "removed_percent": "share of the units of every layer removed [%]",
    "spread": "standard deviation of the loss over the methods, mean over seeds [nats]",
    **_ENDS,
    "methods": "scores with or without replacement",
}


MEANS_KEY = ("data", "model", "part", "layers", "correction")


MEANS_COLUMNS = {
    **_DERIVED_NET_COLUMNS,
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
    **_DERIVED_NET_COLUMNS,
    "layer": "layer whose units were chosen",
    "score": "what chose the units",
    "left": "lower end of the bin, mean squared activation; the bin from 0 on holds silent units",
    "right": "upper end of the bin",
    "share_percent": "share of the chosen units [%]",
}


DECILES_KEY = ("data", "model", "layer", "score")


DECILES_COLUMNS = {
    **_DERIVED_NET_COLUMNS,
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


POOLED = "every"  # in `score`: all scores together


_DIGITS = 4  # of a loss in nats: penalties are thousandths


_NATS = "nats"


_SIDES = {"none": "zeroed", "mean": "replaced"}


_NET_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "part": "examples the penalties were measured on",
}


MEAN_KEY = ("data", "model", "part", "layers", "score")


MEAN_COLUMNS = {
    **_NET_COLUMNS,
    "layers": "what was pruned: a layer, one layer at a time (all of them together), or all at once",
    "score": "what chose the units",
    **CONTRAST_COLUMNS,
}


TUNING_KEY = ("data", "model", "part", "half", "layers", "score", "tuning_steps")


TUNING_COLUMNS = {
    **_NET_COLUMNS,
    "half": "of the training, in which the units were removed: early or late",
    "layers": "what was pruned: one layer at a time, or all at once",
    "score": f"what chose the units; {POOLED} is all scores together",
    "tuning_steps": "training iterations done after the removal",
    **CONTRAST_COLUMNS,
    "control": "mean change of the loss by the same tuning where nothing was removed [nats]; may be empty",
}


def mean_penalties(penalties: DataFrame) -> DataFrame:
    """Compare mean penalties with and without replacement, by score, part and what was pruned.

    Args:
        penalties: one row a net, step, layer, score, replacement and part.

    Returns:
        Columns `MEAN_COLUMNS`. Steps and layers are averaged within a seed; intervals are Student's t over seeds.

    Raises:
        ValueError: nothing was measured both ways on a part.
    """
    found = []
    for part in dict.fromkeys(penalties["part"]):
        for net, own in paired(penalties, str(part)).groupby(list(NET), sort=False):
            for group, rows in layer_groups(own):
                for score, each in rows.groupby("score", sort=False):
                    place = {**dict(zip(NET, net, strict=True)), "part": part, "layers": group, "score": score}
                    found.append({**place, **contrast(each)})
    return framed(found, MEAN_COLUMNS, "mean penalties")


def tuned_means(fine_tuned: DataFrame, parts: list[str] | None = None) -> DataFrame:
    """Compare mean penalties after tuning with and without replacement, by half of the training and tuning steps.

    Args:
        fine_tuned: one row a net, step, layer, score, replacement, number of tuning steps and part.
        parts: those looked at; all when absent.

    Returns:
        Columns `TUNING_COLUMNS`: each score, and all of them together.

    Raises:
        ValueError: nothing was measured both ways on a part.
    """
    found = []
    for part in parts or list(dict.fromkeys(fine_tuned["part"])):
        pairs = tuned_pairs(fine_tuned, part)
        controls = fine_tuned[(fine_tuned["score"] == NO_SCORE) & (fine_tuned["part"] == part)]
        for names, own in pairs.groupby([*NET, "half", "tuning_steps"], sort=False):
            place = {**dict(zip([*NET, "half", "tuning_steps"], names, strict=True)), "part": part}
            same = (controls["model"] == place["model"]) & (controls["data"] == place["data"])
            same &= (controls["tuning_steps"] == place["tuning_steps"]) & controls["step"].isin(own["step"].unique())
            place["control"] = float(controls.loc[same, "penalty"].mean())
            for group, rows in layer_groups(own):
                if group not in (ONE, ALL):
                    continue
                scored = rows[rows["score"] != REFERENCE]
                found.append({**place, "layers": group, "score": POOLED, **contrast(scored)})
                for score, each in rows.groupby("score", sort=False):
                    found.append({**place, "layers": group, "score": score, **contrast(each)})
    return framed(found, TUNING_COLUMNS, "mean penalties after tuning")


def report_values(
    means: DataFrame,
    areas: DataFrame,
    curves: DataFrame,
    choices: DataFrame,
    *,
    deciles: DataFrame | None = None,
    tuned: DataFrame | None = None,
    iterative: DataFrame | None = None,
    prefix: str = "",
) -> dict[str, Value]:
    """Quote the study's numbers of one net: means over seeds with their 95 % t interval where there is one.

    Args:
        means: as `mean_penalties` gives it.
        areas: as `units_profiles.profile_tables` gives it.
        curves: one row a net, step and part.
        choices: one row a net, step, layer and score.
        deciles: as `units_derived.squares_deciles` gives it.
        tuned: as `tuned_means` gives it.
        iterative: one row a net, schedule, score, replacement, share removed and part.
        prefix: before every name, as "vgg-".

    Returns:
        Where <layers> is empty for one layer at a time, or as "-conv2", "-all":
        `penalty-<score>-zeroed<layers>-<part>`, `penalty-<score>-replaced<layers>-<part>`,
        `difference-<score><layers>-<part>` (replaced - zeroed, nats), `wins-<score><layers>-<part>` (% of the
        measurements whose penalty replacement lowers) and `losses-...` (raises);
        `area-<score>-zeroed`, `area-<score>-replaced`; `chosen-<score>`, `chosen-late-<score>` (% of the units of the
        second convolution, at the last step); `accuracy-<part>` (%) and `loss-<part>` of the dense nets at the end;
        `decile-<score>`, upper deciles of the squared activations;
        `tuned-<score><layers>-<N>-<early|late>-<part>` (replaced - zeroed after N steps, nats), with score "every" for
        all together, `tuned-wins-...` likewise and `control-<N>-<early|late>-<part>`;
        `spread-<schedule>-<part>` (standard deviation of the loss over methods, nats, mean over the shares that all
        schedules have) and `loss-<schedule>-<score>-<zeroed|replaced>-<part>`, `accuracy-<schedule>-...` at the largest
        share they have, which is `removed-percent`.
    """
    values: dict[str, Value] = {}
    for row in means.to_dict("records"):
        at = f"{_group(row['layers'])}-{row['part']}"
        for side in _SIDES.values():
            values[f"penalty-{row['score']}-{side}{at}"] = _quoted(row, side, f"{side}_")
        values[f"difference-{row['score']}{at}"] = _quoted(row, "difference")
        for name in ("wins", "losses"):
            share = float(row[f"{name}_percent"])
            values[f"{name}-{row['score']}{at}"] = Value(value=share, unit="%", digits=0, n=row["seeds"])
    for row in areas.to_dict("records"):
        values[f"area-{row['score']}-{_SIDES[str(row['replacement'])]}"] = _quoted(row, "area", unit="", digits=2)
    values |= _dense_values(curves) | _chosen_values(choices)
    for row in [] if deciles is None else deciles.to_dict("records"):
        values[f"decile-{row['score']}"] = _quoted(row, "decile", unit="")
    for row in [] if tuned is None else tuned.to_dict("records"):
        at = f"{row['tuning_steps']}-{row['half']}-{row['part']}"
        name = f"{row['score']}{_group(row['layers'])}-{at}"
        values[f"tuned-{name}"] = _quoted(row, "difference")
        values[f"tuned-wins-{name}"] = Value(value=row["wins_percent"], unit="%", digits=0, n=row["seeds"])
        if pd.notna(row["control"]):
            values[f"control-{at}"] = Value(value=row["control"], unit=_NATS, digits=_DIGITS, n=row["seeds"])
    if iterative is not None:
        values |= _iterative_values(iterative)
    return {f"{prefix}{name}": value for name, value in values.items()}


def correction_values(means: DataFrame, *, suffix: str = "") -> dict[str, Value]:
    """Quote what corrections of one net are worth, and what they cost.

    Args:
        means: as `units_derived.correction_means` gives it.
        suffix: before every name, as "-vgg"; see `suffix_of`.

    Returns:
        `correction-<name><layers>-<part>` (nats) and `operations-<name><layers>` (training steps), behind "vgg-" for
        the suffix "-vgg".
    """
    net = f"{suffix.removeprefix('-')}-" if suffix else ""
    values = {}
    for row in means.to_dict("records"):
        name = f"{slug(str(row['correction']))}{_group(row['layers'])}"
        values[f"{net}correction-{name}-{row['part']}"] = _quoted(row, "penalty")
        values[f"{net}operations-{name}"] = Value(value=row["operations"], unit="training steps", digits=4)
    return values


def _dense_values(curves: DataFrame) -> dict[str, Value]:
    last = curves[curves["step"] == curves["step"].max()]
    values = {}
    for part, rows in last.groupby("part", sort=False):
        values[f"accuracy-{part}"] = quote(t_interval(rows["accuracy_percent"].to_numpy()), "%")
        values[f"loss-{part}"] = quote(t_interval(rows["loss"].to_numpy()), _NATS, _DIGITS)
    return values


def _chosen_values(choices: DataFrame) -> dict[str, Value]:
    rows = choices[(choices["layer"] == second_convolution(choices)) & (choices["step"] == choices["step"].max())]
    values = {}
    for name, column in (("chosen", "chosen_fraction"), ("chosen-late", "late_fraction")):
        for score, each in rows.dropna(subset=[column]).groupby("score", sort=False):
            values[f"{name}-{score}"] = quote(t_interval(100 * each[column].to_numpy()), "%", 1)
    return values


def _iterative_values(iterative: DataFrame) -> dict[str, Value]:
    values: dict[str, Value] = {}
    iterative = iterative[iterative["score"] != NO_SCORE]
    by_schedule = iterative.groupby("schedule")["removed_percent"]
    common = set.intersection(*(set(shares) for _, shares in by_schedule))
    if not common:
        return values
    values["removed-percent"] = Value(value=max(common), unit="%", digits=0)
    for part in dict.fromkeys(iterative["part"]):
        for schedule, spread in shared_spread(iterative, str(part)).items():
            interval = t_interval(spread.to_numpy())
            values[f"spread-{slug(str(schedule))}-{part}"] = quote(interval, _NATS, _DIGITS)
    ends = iterative[iterative["removed_percent"] == max(common)]
    for names, rows in ends.groupby(["schedule", "score", "replacement", "part"], sort=False):
        schedule, score, replacement, part = map(str, names)
        name = f"{slug(schedule)}-{score}-{_SIDES[replacement]}-{part}"
        values[f"loss-{name}"] = quote(t_interval(rows["loss"].to_numpy()), _NATS, _DIGITS)
        values[f"accuracy-{name}"] = quote(t_interval(rows["accuracy_percent"].to_numpy()), "%")
    return values


def _group(layers: object) -> str:
    return "" if layers == ONE else f"-{layers}"


def _quoted(
    row: Mapping[Hashable, Any], column: str, ends: str = "", unit: str = _NATS, digits: int = _DIGITS
) -> Value:
    value, low, high = (float(row[name]) for name in (column, f"{ends}low", f"{ends}high"))
    interval = Interval(value=value, low=low, high=high, n=int(row["seeds"]), level=LEVEL, method="t")
    return quote(interval, unit, digits)


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
        shares = 100 * rules.profile(values, constants)
        reached = rules.reached(values)
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
