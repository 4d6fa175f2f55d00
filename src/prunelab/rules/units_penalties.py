"""The rules of the mean-replacement study on pruning penalties, as worded in `claims.yml`.

Each takes the rows of one subject (all seeds) in one table. Where the data do not reach what a rule needs, it raises
`curves.NotCoveredError`, which says what is missing and leaves the claim open.

A net's checkpoints and layers are no independent samples: they are averaged within a seed, and every interval is
Student's t over the seeds' means.
"""

import itertools
from dataclasses import replace

import pandas as pd

from prunelab import stats
from prunelab.decisions import Outcome, decide, describe
from prunelab.rules import profiles
from prunelab.rules.curves import NotCoveredError
from prunelab.rules.lenet_pruned import joint
from prunelab.rules.units_settings import WAYS, every, scores, side_by_side

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
    reached = pd.DataFrame(profiles.reached(wide), index=wide.index, columns=wide.columns)
    areas = reached.groupby(level="seed").mean()  # (seeds, methods)
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
