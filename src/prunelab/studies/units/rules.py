"""The rules that decide the claims of the mean-replacement study, as worded in `claims.yml`.

A subject is a net on a data set, looked at in one way: on training or test examples, with one layer pruned at a time
or all at once, in one half of its training.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pandas import DataFrame

from prunelab import claims, stats
from prunelab.claims import Columns, Rule, deciding
from prunelab.decisions import NotCoveredError, Outcome, Side, decide, describe, every, joint, side_by_side
from prunelab.pruning import kinds
from prunelab.stats import Array, Interval

STUDY = "mean-replacement"
ALL = "all"  # in `layer`: the units of every site removed at once
WAYS = ("none", "mean")  # what stands in for a removed unit: nothing, or its mean activation
RIVALS = ("one shot", "one shot, tuned")  # schedules that iterative pruning is held against
RANDOM = "random"
MRS = ("mrs", "mrs-abs")  # mean-replacement saliency, signed and with absolute values per example
GOOD = ("norm", "activation", "taylor-abs", "mrs-abs")  # named good before anything was measured
# What tables list among the scores and is none: the measured loss change itself, and nets that nothing is removed from.
NO_SCORES = REFERENCE, NOTHING = "exact", "nothing"
NEARLY_ALL = 0.95  # of the units: what "all" is held to, since a draw may miss a few for long
UPPER_DECILE = 0.9

# What the notebooks call the runs that leave the tables that decide the claims.
RUNS = {
    "penalties": "units-penalties",
    "choices": "units-penalties",
    "squares": "units-penalties",
    "fine-tuned": "units-fine-tuning",
    "iterative": "units-iterative",
}

_NATS = "nats"
_NET = ("data", "model", "seed")
_CHECKPOINT = (*_NET, "step", "layer", "score")
_COLUMNS = {
    "penalties": Columns(key=(*_CHECKPOINT, "replacement", "part"), measured=("penalty",)),
    "choices": Columns(key=_CHECKPOINT, measured=("chosen_fraction", "late_fraction")),
    "squares": Columns(key=(*_CHECKPOINT, "unit"), measured=("mean_square",)),
    "fine-tuned": Columns(key=(*_CHECKPOINT, "replacement", "tuning_steps", "part"), measured=("penalty",)),
    "iterative": Columns(
        key=(*_NET, "schedule", "score", "replacement", "removed_percent", "part"), measured=("loss",)
    ),
}


def decide_runs(
    penalties: Sequence[str], *, fine_tuning: Sequence[str] = (), iterative: Sequence[str] = ()
) -> list[claims.Verdict]:
    """Decide the claims of the study.

    Args:
        penalties: folders of the runs with "penalties" and "choices", and some with "squares".
        fine_tuning: folders of the runs with "fine-tuned"; the claim on it is left out where there is none.
        iterative: folders of the runs with "iterative"; likewise.
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
    tables, where = deciding(folders, RUNS)
    return verdicts(tables, where=where)


def verdicts(
    tables: Mapping[str, DataFrame], *, where: Mapping[str, str], known: Sequence[claims.Claim] | None = None
) -> list[claims.Verdict]:
    """Decide every claim whose table is given, of all runs; see `claims.decide`. Row order plays no part."""
    return claims.decide(STUDY, RULES, tables, where=where, read=_read, known=known)


def scores(rows: DataFrame) -> list[str]:
    """List the scoring functions in a table, in alphabetical order; a table without is not decided."""
    found = sorted(set(rows["score"]) - set(NO_SCORES))
    if not found:
        raise NotCoveredError(f"no scoring function was measured, only {', '.join(sorted(set(rows['score'])))}")
    return found


def scores_of(table: DataFrame) -> list[str]:
    """List a table's scores in the order of the list of kinds, others behind; without what is no removal."""
    found = [str(score) for score in dict.fromkeys(table["score"]) if score != NOTHING]
    known = [name for name in (*kinds.named("score"), REFERENCE) if name in found]
    return known + sorted(set(found) - set(known))


def layers_of(table: DataFrame, column: str = "layer") -> list[str]:
    """List a table's layers from the input on, all at once last."""
    return sorted(map(str, dict.fromkeys(table[column])), key=lambda name: (name == ALL, *place_of(name)))


def place_of(layer: str) -> tuple[str, int]:
    """Split a layer's name into its kind and its number, 0 without one."""
    word = layer.rstrip("0123456789")
    return word, int(layer[len(word) :] or 0)


def second_convolution(table: DataFrame) -> str:
    """Name the layer the source looks at closely: the second convolution, or the last layer of a net without one."""
    layers = [name for name in layers_of(table) if name != ALL]
    if not layers:
        raise ValueError("a layer is looked at by itself; the table has all layers at once only: prune some alone")
    convolutions = [name for name in layers if name.startswith("conv")]
    return (convolutions or layers)[:2][-1]


def lowers_penalty(rows: DataFrame) -> Outcome:
    """Hold the difference of penalties, with mean replacement minus without, below 0 for each score.

    Paired setting by setting and averaged over steps and layers within a seed. The effect is that of the least
    favourable score.
    """
    sides = {"replacement": WAYS}
    own = rows[rows["score"].isin(scores(rows))]
    wide = side_by_side(own, "penalty", settings=["score", "step", "layer"], sides=sides)
    means = (wide["mean"] - wide["none"]).groupby(level=["score", "seed"]).mean()
    return every({str(score): _held(stats.t_interval(own), "below") for score, own in means.groupby(level="score")})


def survives_fine_tuning(rows: DataFrame) -> Outcome:
    """Hold the difference of penalties below 0 after the most tuning steps, and the nearer to 0 the more of them.

    The difference is with mean replacement minus without, averaged over scores, layers and checkpoints within a seed.
    Its decrease in magnitude is tested as a rise of the signed difference from each number of tuning steps to the next:
    below 0 that is the same, and the magnitudes of differences that are noise around 0 would be biased upwards.
    """
    counts = sorted(int(count) for count in rows["tuning_steps"].unique() if count > 0)
    if len(counts) < 2:
        raise NotCoveredError(f"two or more numbers of tuning steps are compared; got {counts}; tune for others too")
    own = rows[rows["score"].isin(scores(rows))]
    sides = {"replacement": WAYS, "tuning_steps": counts}
    wide = side_by_side(own, "penalty", settings=["score", "step", "layer"], sides=sides)
    means = (wide["mean"] - wide["none"]).groupby(level="seed").mean()  # (seeds, numbers of tuning steps)
    parts = {f"after {counts[-1]} steps": _held(stats.t_interval(means[counts[-1]]), "below")}
    for fewer, more in itertools.pairwise(counts):
        parts[f"rise from {fewer} to {more} steps"] = _held(stats.paired(means[more], means[fewer]), "above")
    first = stats.t_interval(means[counts[0]])
    start = describe(first, _NATS) if first.n > 1 else f"{first.value:.4g} {_NATS}"
    outcome = joint(parts)
    return replace(outcome, reason=f"{outcome.reason}; after {counts[0]} steps: {start}")


def profiles_improve(rows: DataFrame) -> Outcome:
    """Hold the gain in area under each score's performance profile, from mean replacement, above 0.

    A measurement is one net, checkpoint and layer (or all layers at once); its methods are all scores with and without
    mean replacement. The profile of a seed is that over its measurements; areas are paired over seeds.
    """
    found = scores(rows)
    sides = {"score": found, "replacement": WAYS}
    wide = side_by_side(rows, "penalty", settings=["step", "layer"], sides=sides)  # (measurements, methods)
    by_seed = DataFrame(reached(wide), index=wide.index, columns=wide.columns)
    areas = by_seed.groupby(level="seed").mean()  # (seeds, methods)
    parts = {}
    for score in found:
        gain = stats.paired(areas[(score, "mean")], areas[(score, "none")])
        parts[score] = _held(gain, "above", "of area under the profile")
    return every(parts)


def mrs_large_activations(rows: DataFrame, *, score: str) -> Outcome:
    """Hold the upper decile of the mean squared activations of units chosen by mrs above that of each other score.

    The decile is over all units chosen in a seed, of every checkpoint, as in the source's histogram: a checkpoint alone
    chooses too few to have one. Deciles a and b are compared by their contrast (a − b) / (a + b), which is 0 where they
    are alike, 1/3 where a is twice b, and 1 where b is 0. Like the logarithm of their ratio it takes no account of the
    scale of a seed's activations; unlike it, it exists where a score chooses dead units only, and units a hundred times
    as active in one seed do not outweigh the others. Two deciles of 0 are alike. Signed and absolute mrs are one
    criterion, and not held against each other.
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
        parts[other] = _held(stats.t_interval(contrast), "above", unit)
    outcome = every(parts)
    means = ", ".join(f"{name} {deciles[name].mean():.3g}" for name in (score, *others))
    return replace(outcome, reason=f"{outcome.reason}; mean upper deciles: {means}")


def consistent_choices(rows: DataFrame) -> Outcome:
    """Hold the share of units good scores ever chose below random's, and from a third on lower; random's near to 1.

    At the last checkpoint, averaged over layers within a seed: each good score's share is below that of random; its
    share from after the first third below that from the start; and random's is at least 0.95. The second can hardly
    fail: units chosen later are among those chosen ever, and the shares are equal only where nothing was ever dropped.
    The third is a matter of counting: k draws of a share f are expected to choose 1 − (1 − f)^k. Where that is below
    0.95 for the checkpoints at hand, they are too few to refute it and it stays open.
    """
    first, last = int(rows["step"].min()), int(rows["step"].max())
    chosen = _shares(rows, "chosen_fraction", step=last, scores=(RANDOM, *GOOD)).groupby(level="seed").mean()
    late = _shares(rows, "late_fraction", step=last, scores=GOOD).groupby(level="seed").mean()
    unit = "of the units"
    fewer = {score: _held(stats.paired(chosen[score], chosen[RANDOM]), "below", unit) for score in GOOD}
    later = {score: _held(stats.paired(late[score], chosen[score]), "below", unit) for score in GOOD}
    nearly_all = decide(stats.t_interval(chosen[RANDOM]), side="at least", bound=NEARLY_ALL, unit=unit)
    draws, share = rows["step"].nunique(), _shares(rows, "chosen_fraction", step=first, scores=(RANDOM,))
    expected = float((1 - (1 - share) ** draws).to_numpy().mean())
    if nearly_all.verdict != "reproduced" and expected < NEARLY_ALL:
        note = f"{draws} draws are expected to choose {expected:.3g} and cannot show it; measure more checkpoints"
        nearly_all = replace(nearly_all, verdict="inconclusive", reason=f"{nearly_all.reason}; {note}")
    return joint({"fewer than random": every(fewer), "fewer later": every(later), "random": nearly_all})


def layers_differ(rows: DataFrame) -> Outcome:
    """Hold the difference between two layers above 0, both of the penalty and of what mean replacement takes off it.

    Both are averaged over scores and checkpoints within a seed and paired over seeds. The claim is that *some* layers
    differ: the effect is that of the pair surest to, whose interval lies furthest above 0, each pair turned so that its
    mean is not negative; where none is above 0, that of the pair furthest apart. Bonferroni's level over all pairs pays
    for choosing among them. A difference that is not shown leaves the claim open; only layers alike in every seed
    refute it.
    """
    layers = sorted(rows["layer"].unique())
    if len(layers) < 2:
        raise NotCoveredError(f"layers are compared; only {layers[0]} was pruned; prune others")
    own = rows[rows["score"].isin(scores(rows))]
    sides = {"replacement": WAYS, "layer": layers}
    wide = side_by_side(own, "penalty", settings=["score", "step"], sides=sides)
    means = wide.groupby(level="seed").mean()  # (seeds, replacements and layers)
    penalty = DataFrame({layer: means[("none", layer)] for layer in layers})
    gain = DataFrame({layer: means[("none", layer)] - means[("mean", layer)] for layer in layers})
    return joint(dict(_furthest(by_layer, name) for name, by_layer in (("penalty", penalty), ("gain", gain))))


def iterative(rows: DataFrame, *, rival: str) -> Outcome:
    """Hold the spread of the loss between methods under iterative pruning below that in one shot.

    A method is a score with or without mean replacement. The spread is the standard deviation over the methods, which
    weighs all of them, where the range is the two extremes' alone and grows with the number of methods. It is taken at
    each share removed that both schedules have, and averaged over these within a seed: shares at which losses are high
    weigh most.
    """
    schedules = ("iterative", rival)
    own = rows[rows["score"].isin(scores(rows)) & (rows["removed_percent"] > 0)]
    fractions = [set(own[own["schedule"] == schedule]["removed_percent"]) for schedule in schedules]
    if not (common := fractions[0] & fractions[1]):
        raise NotCoveredError(f"no share of units was removed both by {schedules[0]} pruning and in {rival}")
    own = own[own["removed_percent"].isin(common) & own["schedule"].isin(schedules)]
    settings = ["removed_percent", "score", "replacement"]
    if (methods := len(own[["score", "replacement"]].drop_duplicates())) < 2:
        raise NotCoveredError("a spread needs two methods; one was measured; prune by other scores or replacements too")
    wide = side_by_side(own, "loss", settings=settings, sides={"schedule": schedules})
    spreads = wide.groupby(level=["removed_percent", "seed"]).std(ddof=0).groupby(level="seed").mean()
    outcome = _held(stats.paired(spreads["iterative"], spreads[rival]), "below")
    means = ", ".join(f"{schedule} {spreads[schedule].mean():.3g}" for schedule in schedules)
    return replace(outcome, reason=f"{outcome.reason}; mean standard deviation over {methods} methods: {means}")


def reached(penalties: ArrayLike) -> Array:
    """Return the largest T at which each penalty is within its threshold, (max_i − penalty) / (max_i − min_i).

    Args:
        penalties: shape (measurements, methods), at least one of each, in any unit.
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
    """
    constants: Array = np.asarray(t, dtype=np.float64)
    if constants.ndim != 1 or not ((constants >= 0) & (constants <= 1)).all():
        raise ValueError(f"a profile is read at a flat list of T in [0, 1]; got {t!r}")
    within = reached(penalties)[None] >= constants[:, None, None]  # (points, measurements, methods)
    shares: Array = within.mean(axis=1)
    return shares


def _upper_decile(values: "pd.Series[float]") -> float:
    return float(values.quantile(UPPER_DECILE))


def _held(effect: Interval, side: Side, unit: str = _NATS) -> Outcome:
    return decide(effect, side=side, bound=0.0, unit=unit)


def _shares(rows: DataFrame, column: str, *, step: int, scores: Sequence[str]) -> DataFrame:
    """Return the shares at one checkpoint, shape (layers × seeds, scores)."""
    # The checkpoint is one of the sides, so that a seed without it is missed.
    wide = side_by_side(rows, column, settings=["layer"], sides={"step": (step,), "score": scores})
    return DataFrame({score: wide[(step, score)] for score in scores})


def _furthest(means: DataFrame, name: str) -> tuple[str, Outcome]:
    """Decide the pair of layers that differs most surely; `means` is of shape (seeds, layers)."""
    whole = means.mean()
    pairs = [sorted(pair, key=lambda layer: -whole[layer]) for pair in itertools.combinations(means.columns, 2)]
    level = 1 - stats.SIGNIFICANCE / len(pairs)
    found = [(f"{name}, {high} - {low}", stats.paired(means[high], means[low], level=level)) for high, low in pairs]
    # With one seed, low is NaN and no pair is shown to differ.
    shown = [pair for pair in found if pair[1].low > 0]
    label, effect = max(shown, key=lambda pair: pair[1].low) if shown else max(found, key=lambda pair: pair[1].value)
    return label, _held(effect, "above")


def _read(name: str, table: DataFrame) -> DataFrame:
    """Return a table's rows, each once and in one order, with what was `pruned` and in which `half` of training."""
    columns = claims.checked(name, table, _COLUMNS)[[*_COLUMNS[name].key, *_COLUMNS[name].measured]]
    rows = claims.settings(name, columns, _COLUMNS[name].key)
    if "layer" in rows:
        rows["pruned"] = np.where(rows["layer"] == ALL, "all layers at once", "one layer at a time")
    if "step" in rows:
        middle = rows.groupby(["data", "model"])["step"].transform("max") / 2
        rows["half"] = np.where(rows["step"] > middle, "second half of training", "first half of training")
    return rows


def _subject(*columns: str) -> dict[str, Any]:
    """Say of a rule that its subjects are nets on data, each looked at by the values of some columns."""

    def case(rows: DataFrame) -> str:
        first = rows.iloc[0]
        return ", ".join([f"{first['model']} on {first['data']}", *(first[column] for column in columns)])

    return {"by": ("data", "model", *columns), "case": case}


_ONE_LAYER: dict[str, Any] = {
    "only": lambda table: table["layer"] != ALL,
    "matter": "layers pruned one at a time",
}

RULES = {
    "lowers-penalty": Rule(table="penalties", decide=lowers_penalty, **_subject("part", "pruned")),
    "survives-fine-tuning": Rule(
        table="fine-tuned",
        decide=survives_fine_tuning,
        only=lambda table: table["score"] != NOTHING,
        matter="nets that lost units",
        **_subject("part", "pruned", "half"),
    ),
    # Over all settings: one layer and all layers pruned are measurements of one profile.
    "profiles-improve": Rule(table="penalties", decide=profiles_improve, **_subject("part")),
    "mrs-large-activations": Rule(
        table="squares",
        decide={score: partial(mrs_large_activations, score=score) for score in MRS},
        **_subject("layer"),
    ),
    "consistent-choices": Rule(table="choices", decide=consistent_choices, **_ONE_LAYER),
    "layers-differ": Rule(table="penalties", decide=layers_differ, **_ONE_LAYER, **_subject("part")),
    "iterative": Rule(
        table="iterative",
        decide={f"against {rival}": partial(iterative, rival=rival) for rival in RIVALS},
        **_subject("part"),
    ),
}
