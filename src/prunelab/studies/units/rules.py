"""The rules that decide the claims of the mean-replacement study, as worded in `claims.yml`: which decides what.

A subject is a net on a data set, looked at in one way: on training or test examples, with one layer pruned at a time
or all at once, in one half of its training. How a subject is decided is in `units_penalties` and `units_choices`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from prunelab import claims, decisions, stats
from prunelab.decisions import NotCoveredError, Outcome, decide, describe, every, joint, side_by_side, undecided
from prunelab.stats import Array
from prunelab.studies.common.runs import table_of

WAYS = ("none", "mean")  # what stands in for a removed unit: nothing, or its mean activation


RANDOM = "random"


# What tables list among the scores and is none: the measured loss change itself, and nets that nothing is removed from.
_NO_SCORES = ("exact", "nothing")


def scores(rows: pd.DataFrame) -> list[str]:
    """Return the scoring functions in a table, in alphabetical order.

    Raises:
        NotCoveredError: there is none.
    """
    found = sorted(set(rows["score"]) - set(_NO_SCORES))
    if not found:
        raise NotCoveredError(f"no scoring function was measured, only {', '.join(sorted(set(rows['score'])))}")
    return found


MRS = ("mrs", "mrs-abs")  # mean-replacement saliency, signed and with absolute values per example


GOOD = ("norm", "activation", "taylor-abs", "mrs-abs")  # named good before anything was measured


NEARLY_ALL = 0.95  # of the units: what "all" is held to, since a draw may miss a few for long


UPPER_DECILE = 0.9


def mrs_large_activations(rows: pd.DataFrame, *, score: str) -> Outcome:
    """Hold the upper decile of the mean squared activations of units chosen by mrs above that of each other score.

    The decile is over all units chosen in a seed, of every checkpoint, as in the source's histogram: a checkpoint alone
    chooses too few to have one. Deciles a and b are compared by their contrast (a − b) / (a + b), which is 0 where they
    are alike, 1/3 where a is twice b, and 1 where b is 0. Like the logarithm of their ratio it takes no account of the
    scale of a seed's activations; unlike it, it exists where a score chooses dead units only, and units a hundred times
    as active in one seed do not outweigh the others. Two deciles of 0 are alike. Signed and absolute mrs are one
    criterion, and not held against each other.

    Args:
        rows: one net and layer in "squares".
        score: "mrs" or "mrs-abs".

    Raises:
        NotCoveredError: it or every other score is missing, or one lacks a checkpoint or a seed.
    """
    others = [name for name in scores(rows) if name not in MRS]
    if not others:
        raise NotCoveredError(f"the units that {score} chooses are held against those of other scores; measure some")
    sides = {"score": [score, *others]}
    counts = rows.groupby(["step", "score", "seed"])["mean_square"].count().reset_index()
    side_by_side(counts, "mean_square", settings=["step"], sides=sides)
    deciles = rows.pivot_table("mean_square", index="seed", columns="score", aggfunc=_upper_decile)
    own, parts = deciles[score], {}
    for other in others:
        total = own + deciles[other]
        contrast = (own - deciles[other]) / total.mask(total == 0, 1.0)
        unit = f"contrast of upper deciles, {score} to {other}"
        parts[other] = decide(stats.t_interval(contrast), side="above", bound=0.0, unit=unit)
    outcome = every(parts)
    means = ", ".join(f"{name} {deciles[name].mean():.3g}" for name in (score, *others))
    return replace(outcome, reason=f"{outcome.reason}; mean upper deciles: {means}")


def consistent_choices(rows: pd.DataFrame) -> Outcome:
    """Hold the share of units good scores ever chose below random's, and from a third on lower; random's near to 1.

    At the last checkpoint, averaged over layers within a seed: each good score's share is below that of random; its
    share from after the first third below that from the start; and random's is at least 0.95. The second can hardly
    fail: units chosen later are among those chosen ever, and the shares are equal only where nothing was ever dropped.
    The third is a matter of counting: k draws of a share f are expected to choose 1 − (1 − f)^k. Where that is below
    0.95 for the checkpoints at hand, they are too few to refute it and it stays open.

    Args:
        rows: one net in "choices", one layer pruned at a time, at every checkpoint.

    Raises:
        NotCoveredError: random or a good score was not measured, or lacks a layer or a seed.
    """
    first, last = int(rows["step"].min()), int(rows["step"].max())
    chosen = _shares(rows, "chosen_fraction", step=last, scores=(RANDOM, *GOOD)).groupby(level="seed").mean()
    late = _shares(rows, "late_fraction", step=last, scores=GOOD).groupby(level="seed").mean()
    unit = "of the units"
    fewer = {
        score: decide(stats.paired(chosen[score], chosen[RANDOM]), side="below", bound=0.0, unit=unit) for score in GOOD
    }
    later = {
        score: decide(stats.paired(late[score], chosen[score]), side="below", bound=0.0, unit=unit) for score in GOOD
    }
    nearly_all = decide(stats.t_interval(chosen[RANDOM]), side="at least", bound=NEARLY_ALL, unit=unit)
    draws, share = rows["step"].nunique(), _shares(rows, "chosen_fraction", step=first, scores=(RANDOM,))
    expected = float((1 - (1 - share) ** draws).to_numpy().mean())
    if nearly_all.verdict != "reproduced" and expected < NEARLY_ALL:
        note = f"{draws} draws are expected to choose {expected:.3g} and cannot show it; measure more checkpoints"
        nearly_all = replace(nearly_all, verdict="inconclusive", reason=f"{nearly_all.reason}; {note}")
    return joint({"fewer than random": every(fewer), "fewer later": every(later), "random": nearly_all})


def _shares(rows: pd.DataFrame, column: str, *, step: int, scores: Sequence[str]) -> pd.DataFrame:
    """Return the shares at one checkpoint, shape (layers × seeds, scores)."""
    # The checkpoint is one of the sides, so that a seed without it is missed.
    wide = side_by_side(rows, column, settings=["layer"], sides={"step": (step,), "score": scores})
    return pd.DataFrame({score: wide[(step, score)] for score in scores})


def _upper_decile(values: "pd.Series[float]") -> float:
    return float(values.quantile(UPPER_DECILE))


def reached(penalties: ArrayLike) -> Array:
    """Return the largest T at which each penalty is within its threshold, (max_i − penalty) / (max_i − min_i).

    Args:
        penalties: shape (measurements, methods), at least one of each, in any unit.

    Returns:
        The same shape, in [0, 1]: 1 for the best method of a measurement, 0 for the worst; all 1 where all tie.

    Raises:
        ValueError: the shape is another, or a penalty is not finite.
    """
    values: Array = np.asarray(penalties, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a profile needs penalties of shape (measurements, methods); got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"a profile needs finite penalties; got {values[~np.isfinite(values)][0]}; drop failed runs")
    worst, best = values.max(axis=1, keepdims=True), values.min(axis=1, keepdims=True)
    tied = worst == best
    return np.where(tied, 1.0, (worst - values) / np.where(tied, 1.0, worst - best))


def profile(penalties: ArrayLike, t: ArrayLike) -> Array:
    """Return the profile of each method: the share of measurements in which it is within the threshold.

    Args:
        penalties: as for `reached`.
        t: shape (points,), the interpolation constants T in [0, 1].

    Returns:
        Shape (points, methods), in [0, 1]: 1 at T = 0, not increasing in T.

    Raises:
        ValueError: a constant is outside [0, 1], or as `reached`.
    """
    constants: Array = np.asarray(t, dtype=np.float64)
    if constants.ndim != 1 or not ((constants >= 0) & (constants <= 1)).all():
        raise ValueError(f"a profile is read at a flat list of T in [0, 1]; got {t!r}")
    within = reached(penalties)[None] >= constants[:, None, None]  # (points, measurements, methods)
    shares: Array = within.mean(axis=1)
    return shares


def areas(penalties: ArrayLike) -> Array:
    """Return the area under the profile of each method over T in [0, 1], exactly.

    A measurement is within the threshold up to the T that `reached` gives and adds that to the area, so the area is
    the mean of it over measurements.

    Args:
        penalties: as for `reached`.

    Returns:
        Shape (methods,), in [0, 1].
    """
    means: Array = reached(penalties).mean(axis=0)
    return means


_NATS = "nats"


def lowers_penalty(rows: pd.DataFrame) -> Outcome:
    """Hold the difference of penalties, with mean replacement minus without, below 0 for each score.

    Paired setting by setting and averaged over steps and layers within a seed. The effect is that of the least
    favourable score.

    Args:
        rows: one net, part and way of pruning in "penalties".

    Raises:
        NotCoveredError: a score lacks a replacement at a setting, or a seed lacks a setting.
    """
    sides = {"replacement": WAYS}
    own = rows[rows["score"].isin(scores(rows))]
    wide = side_by_side(own, "penalty", settings=["score", "step", "layer"], sides=sides)
    means = (wide["mean"] - wide["none"]).groupby(level=["score", "seed"]).mean()
    return every(
        {
            str(score): decide(stats.t_interval(own), side="below", bound=0.0, unit=_NATS)
            for score, own in means.groupby(level="score")
        }
    )


def survives_fine_tuning(rows: pd.DataFrame) -> Outcome:
    """Hold the difference of penalties below 0 after the most tuning steps, and the nearer to 0 the more of them.

    The difference is with mean replacement minus without, averaged over scores, layers and checkpoints within a seed.
    Its decrease in magnitude is tested as a rise of the signed difference from each number of tuning steps to the next:
    below 0 that is the same, and the magnitudes of differences that are noise around 0 would be biased upwards.

    Args:
        rows: one net, part, way of pruning and half of the training in "fine-tuned"; 0 tuning steps play no part.

    Raises:
        NotCoveredError: there is one number of tuning steps only, or a setting lacks a replacement or a seed.
    """
    counts = sorted(int(count) for count in rows["tuning_steps"].unique() if count > 0)
    if len(counts) < 2:
        raise NotCoveredError(f"two or more numbers of tuning steps are compared; got {counts}; tune for others too")
    own = rows[rows["score"].isin(scores(rows))]
    sides = {"replacement": WAYS, "tuning_steps": counts}
    wide = side_by_side(own, "penalty", settings=["score", "step", "layer"], sides=sides)
    means = (wide["mean"] - wide["none"]).groupby(level="seed").mean()  # (seeds, numbers of tuning steps)
    parts = {
        f"after {counts[-1]} steps": decide(stats.t_interval(means[counts[-1]]), side="below", bound=0.0, unit=_NATS)
    }
    for fewer, more in itertools.pairwise(counts):
        rise = stats.paired(means[more], means[fewer])
        parts[f"rise from {fewer} to {more} steps"] = decide(rise, side="above", bound=0.0, unit=_NATS)
    first = stats.t_interval(means[counts[0]])
    start = describe(first, _NATS) if first.n > 1 else f"{first.value:.4g} {_NATS}"
    outcome = joint(parts)
    return replace(outcome, reason=f"{outcome.reason}; after {counts[0]} steps: {start}")


def profiles_improve(rows: pd.DataFrame) -> Outcome:
    """Hold the gain in area under each score's performance profile, from mean replacement, above 0.

    A measurement is one net, checkpoint and layer (or all layers at once); its methods are all scores with and without
    mean replacement. The profile of a seed is that over its measurements; areas are paired over seeds.

    Args:
        rows: one net and part in "penalties".

    Raises:
        NotCoveredError: a measurement lacks a method, or a seed a measurement.
    """
    found = scores(rows)
    sides = {"score": found, "replacement": WAYS}
    wide = side_by_side(rows, "penalty", settings=["step", "layer"], sides=sides)  # (measurements, methods)
    by_seed = pd.DataFrame(reached(wide), index=wide.index, columns=wide.columns)
    areas = by_seed.groupby(level="seed").mean()  # (seeds, methods)
    parts = {}
    for score in found:
        gain = stats.paired(areas[(score, "mean")], areas[(score, "none")])
        parts[score] = decide(gain, side="above", bound=0.0, unit="of area under the profile")
    return every(parts)


def layers_differ(rows: pd.DataFrame) -> Outcome:
    """Hold the difference between two layers above 0, both of the penalty and of what mean replacement takes off it.

    Both are averaged over scores and checkpoints within a seed and paired over seeds. The claim is that *some* layers
    differ: the effect is that of the pair surest to, whose interval lies furthest above 0, each pair turned so that its
    mean is not negative; where none is above 0, that of the pair furthest apart. Bonferroni's level over all pairs pays
    for choosing among them. A difference that is not shown leaves the claim open; only layers alike in every seed
    refute it.

    Args:
        rows: one net and part in "penalties", one layer pruned at a time.

    Raises:
        NotCoveredError: there is one layer only, or a layer lacks a setting or a seed.
    """
    layers = sorted(rows["layer"].unique())
    if len(layers) < 2:
        raise NotCoveredError(f"layers are compared; only {layers[0]} was pruned; prune others")
    own = rows[rows["score"].isin(scores(rows))]
    sides = {"replacement": WAYS, "layer": layers}
    wide = side_by_side(own, "penalty", settings=["score", "step"], sides=sides)
    means = wide.groupby(level="seed").mean()  # (seeds, replacements and layers)
    penalty = pd.DataFrame({layer: means[("none", layer)] for layer in layers})
    gain = pd.DataFrame({layer: means[("none", layer)] - means[("mean", layer)] for layer in layers})
    return joint(dict(_furthest(by_layer, name) for name, by_layer in (("penalty", penalty), ("gain", gain))))


def iterative(rows: pd.DataFrame, *, rival: str) -> Outcome:
    """Hold the spread of the loss between methods under iterative pruning below that in one shot.

    A method is a score with or without mean replacement. The spread is the standard deviation over the methods, which
    weighs all of them, where the range is the two extremes' alone and grows with the number of methods. It is taken at
    each share removed that both schedules have, and averaged over these within a seed: shares at which losses are high
    weigh most.

    Args:
        rows: one net and part in "iterative".
        rival: the schedule iterative pruning is held against, "one shot" or "one shot, tuned".

    Raises:
        NotCoveredError: the schedules share no fraction, there is one method only, or one lacks a fraction or a seed.
    """
    schedules = ("iterative", rival)
    compared = rows["score"].isin(scores(rows)) & (rows["removed_percent"] > 0) & rows["schedule"].isin(schedules)
    own = rows[compared]
    fractions = [set(own[own["schedule"] == schedule]["removed_percent"]) for schedule in schedules]
    if not (common := fractions[0] & fractions[1]):
        raise NotCoveredError(f"no share of units was removed both by {schedules[0]} pruning and in {rival}")
    own = own[own["removed_percent"].isin(common)]
    settings = ["removed_percent", "score", "replacement"]
    if (methods := len(own[["score", "replacement"]].drop_duplicates())) < 2:
        raise NotCoveredError("a spread needs two methods; one was measured; prune by other scores or replacements too")
    wide = side_by_side(own, "loss", settings=settings, sides={"schedule": schedules})
    at_each = wide.groupby(level=["removed_percent", "seed"]).std(ddof=0)
    spreads = at_each.groupby(level="seed").mean()  # (seeds, schedules)
    less = stats.paired(spreads["iterative"], spreads[rival])
    outcome = decide(less, side="below", bound=0.0, unit=_NATS)
    means = ", ".join(f"{schedule} {spreads[schedule].mean():.3g}" for schedule in schedules)
    return replace(outcome, reason=f"{outcome.reason}; mean standard deviation over {methods} methods: {means}")


def _furthest(means: pd.DataFrame, name: str) -> tuple[str, Outcome]:
    """Decide the pair of layers that differs most surely; `means` is of shape (seeds, layers)."""
    whole = means.mean()
    pairs = [sorted(pair, key=lambda layer: -whole[layer]) for pair in itertools.combinations(means.columns, 2)]
    level = 1 - stats.SIGNIFICANCE / len(pairs)
    found = [(f"{name}, {high} - {low}", stats.paired(means[high], means[low], level=level)) for high, low in pairs]
    # With one seed, low is NaN and no pair is shown to differ.
    shown = [pair for pair in found if pair[1].low > 0]
    label, effect = max(shown, key=lambda pair: pair[1].low) if shown else max(found, key=lambda pair: pair[1].value)
    return label, decide(effect, side="above", bound=0.0, unit=_NATS)


STUDY = "mean-replacement"


ALL_LAYERS = "all"  # in `layer`: the units of every site removed at once


RIVALS = ("one shot", "one shot, tuned")  # schedules that iterative pruning is held against


_CHECKPOINT = ("data", "model", "seed", "step", "layer", "score")


# Of each table what tells its rows apart, and what is measured.
_COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "penalties": ((*_CHECKPOINT, "replacement", "part"), ("penalty",)),
    "choices": (_CHECKPOINT, ("chosen_fraction", "late_fraction")),
    "squares": ((*_CHECKPOINT, "unit"), ("mean_square",)),
    "fine-tuned": ((*_CHECKPOINT, "replacement", "tuning_steps", "part"), ("penalty",)),
    "iterative": (("data", "model", "seed", "schedule", "score", "replacement", "removed_percent", "part"), ("loss",)),
}


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """How a table is cut into the subjects of a claim, and what is decided of each."""

    table: str
    by: tuple[str, ...]  # columns that tell subjects apart, beyond net and data
    decide: Mapping[str, Callable[[pd.DataFrame], Outcome]]  # what ends a case's name -> how it is decided
    only: Callable[[pd.DataFrame], "pd.Series[bool]"] | None = None  # the rows that matter; all when absent
    matter: str = ""  # those rows in words


def verdicts(
    tables: Mapping[str, pd.DataFrame],
    *,
    where: Mapping[str, str],
    known: Sequence[claims.Claim] | None = None,
) -> list[claims.Verdict]:
    """Decide every claim of the study whose table is given, subject by subject.

    Args:
        tables: "penalties", "choices", "squares", "fine-tuned", "iterative" -> its rows, of all runs; the claims on a
            table that is missing are left out. Rows that say the same twice count once.
        where: the same names -> the path verdicts point to, "<run>/tables/<name>.csv".
        known: the claims; those published when absent.

    Returns:
        A verdict per claim, in the order of `claims.yml`. Row order plays no part.

    Raises:
        ValueError: a table is unknown, has no place in `where`, no rows, lacks columns, or says two things about the
            same setting; or a claim has no rule.
    """
    claims.check_places(tables, where)  # before the tables are read: it is the simpler thing to mend
    read = {name: _read(name, table) for name, table in tables.items()}
    return claims.decided(STUDY, _RULES, read, _outcomes, where=where, known=known)


def _one_layer(table: pd.DataFrame) -> "pd.Series[bool]":
    return table["layer"] != ALL_LAYERS


def _pruned(table: pd.DataFrame) -> "pd.Series[bool]":
    """Leave out the control, which lost no units."""
    return table["score"] != "nothing"


_RULES = {
    "lowers-penalty": _Rule(table="penalties", by=("part", "pruned"), decide={"": lowers_penalty}),
    "survives-fine-tuning": _Rule(
        table="fine-tuned",
        by=("part", "pruned", "half"),
        decide={"": survives_fine_tuning},
        only=_pruned,
        matter="nets that lost units",
    ),
    # Over all settings: one layer and all layers pruned are measurements of one profile.
    "profiles-improve": _Rule(table="penalties", by=("part",), decide={"": profiles_improve}),
    "mrs-large-activations": _Rule(
        table="squares",
        by=("layer",),
        decide={score: partial(mrs_large_activations, score=score) for score in MRS},
    ),
    "consistent-choices": _Rule(
        table="choices",
        by=(),
        decide={"": consistent_choices},
        only=_one_layer,
        matter="layers pruned one at a time",
    ),
    "layers-differ": _Rule(
        table="penalties",
        by=("part",),
        decide={"": layers_differ},
        only=_one_layer,
        matter="layers pruned one at a time",
    ),
    "iterative": _Rule(
        table="iterative",
        by=("part",),
        decide={f"against {rival}": partial(iterative, rival=rival) for rival in RIVALS},
    ),
}


def _outcomes(rule: _Rule, table: pd.DataFrame) -> dict[str, Outcome]:
    """Decide each subject; data that do not cover what the rule needs leave it open."""
    rows = table if rule.only is None else table[rule.only(table)]
    if rows.empty:
        return {"no subject": undecided(f"{rule.table} has no {rule.matter}; measure some", unit="", n=0)}
    outcomes = {}
    for names, own in rows.groupby(["data", "model", *rule.by]):
        data, model, *looked_at = map(str, names)
        for ending, decide_one in rule.decide.items():
            case = ", ".join([f"{model} on {data}", *looked_at, *([ending] if ending else [])])
            try:
                outcomes[case] = decide_one(own)
            except decisions.NotCoveredError as gap:
                outcomes[case] = undecided(str(gap), unit="", n=own["seed"].nunique())
    return outcomes


def _read(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table's rows, each once and in one order, with what was `pruned` and in which `half` of training."""
    if name not in _COLUMNS:
        raise ValueError(f"the rules read the tables {list(_COLUMNS)}; got {name!r}; is it misspelt?")
    key, measured = (list(columns) for columns in _COLUMNS[name])
    if missing := [column for column in (*key, *measured) if column not in table.columns]:
        raise ValueError(f"the rules on {name} need the columns {key + measured}; missing: {missing}")
    if table.empty:
        raise ValueError(f"a claim is decided on measurements; {name} has no rows; did its run measure anything?")
    rows = table[[*key, *measured]].drop_duplicates()
    for _, odd in rows[rows.duplicated(key)].head(1).iterrows():
        named = ", ".join(f"{column}={odd[column]!s}" for column in key)
        raise ValueError(f"{name} has one row a setting; it says two things about {named}; of two runs?")
    rows = rows.sort_values(key, ignore_index=True)
    if "layer" in key:
        whole = rows["layer"] == ALL_LAYERS
        rows["pruned"] = np.where(whole, "all layers at once", "one layer at a time")
    if "step" in key:
        middle = rows.groupby(["data", "model"])["step"].transform("max") / 2
        rows["half"] = np.where(rows["step"] > middle, "second half of training", "first half of training")
    return rows


# What the notebooks call the runs that leave the tables that decide the claims.
RUNS = {
    "penalties": "units-penalties",
    "choices": "units-penalties",
    "squares": "units-penalties",
    "fine-tuned": "units-fine-tuning",
    "iterative": "units-iterative",
}


def decide_runs(
    penalties: Sequence[str], *, fine_tuning: Sequence[str] = (), iterative: Sequence[str] = ()
) -> list[claims.Verdict]:
    """Decide the claims of the study.

    Args:
        penalties: folders of the runs with the tables "penalties" and "choices", and some with "squares"; the claim on
            these is left out where none has them.
        fine_tuning: folders of the runs with "fine-tuned"; the claim on it is left out where there is none.
        iterative: folders of the runs with "iterative"; likewise.

    Returns:
        One verdict a claim, in the order of `claims.yml`.

    Raises:
        FileNotFoundError: no run measured penalties, or a run lacks its table.
        ValueError: what the rules refuse.
    """
    measured = list(penalties) or [""]
    folders = {
        "penalties": measured,
        "choices": measured,
        # A run may keep no activations: its net has no such layer, or none was named.
        "squares": [folder for folder in measured if (Path(folder) / "tables" / "squares.csv").is_file()],
        "fine-tuned": list(fine_tuning),
        "iterative": list(iterative),
    }
    tables = {
        name: pd.concat([table_of(folder, name, run=RUNS[name]) for folder in own], ignore_index=True)
        for name, own in folders.items()
        if own
    }
    where = {name: f"{Path(folders[name][0]).name}/tables/{name}.csv" for name in tables}
    return verdicts(tables, where=where)
