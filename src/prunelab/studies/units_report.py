"""The mean-replacement study summed up: mean penalties by score, and the numbers its chapter quotes."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from pandas import DataFrame

from prunelab.records import Value
from prunelab.stats import LEVEL, Interval, t_interval
from prunelab.studies.sparseness_summary import quote
from prunelab.studies.units_derived import framed, shared_spread
from prunelab.studies.units_labels import ALL, NO_SCORE, ONE, REFERENCE, second_convolution, slug
from prunelab.studies.units_pairs import CONTRAST_COLUMNS, NET, contrast, layer_groups, paired, tuned_pairs

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
