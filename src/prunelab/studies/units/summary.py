"""The mean-replacement study summed up: what is compared, over seeds, and what its chapter quotes."""

from collections.abc import Sequence
from itertools import product
from typing import Annotated as A
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab.studies.units import rules
from prunelab.studies.units.rules import ALL, NO_SCORES, NOTHING, REFERENCE, UPPER_DECILE, layers_of, scores_of
from prunelab.summaries import over_seeds
from prunelab.tables import Table

ONE = "one at a time"  # in `layers`: each layer alone, all of them together
POOLED = "every"  # in `score`: all scores together
NET = ["data", "data_id", "model"]
SIDES = {"none": "zeroed", "mean": "replaced"}
HALVES = {"early": "first half of training", "late": "second half of training"}

_POINTS = 101  # of a profile
_BINS = 24
_DECADES = 8  # below the largest; what is smaller counts as silent

Low = A[float, "lower end of its 95 % t interval over seeds; may be empty"]
High = A[float, "upper end of its 95 % t interval over seeds; may be empty"]
_LowNats = A[float, "lower end of its 95 % t interval over seeds [nats]; may be empty"]
_HighNats = A[float, "upper end of its 95 % t interval over seeds [nats]; may be empty"]
_Seeds = A[int, "nets behind it"]
_Layers = A[str, "what was pruned: a layer, one layer at a time (all of them together), or all at once"]
_Score = A[str, "what chose the units"]
_TuningSteps = A[int, "training iterations done after the removal"]
_Schedule = A[str, "how the units were removed"]


class _Net(Table):
    data: A[str, "data set"]
    data_id: A[str, "content id of the data set"]
    model: A[str, "spec of the net"]


class _Removal(_Net):
    seed: A[int, "of the net"]
    step: A[int, "training iterations done"]
    layer: A[str, 'layer whose units were removed; "all" is all at once']
    score: _Score


class Pair(_Removal, key="data model seed step layer score", name="pairs"):
    """One removal, with and without replacement."""

    zeroed: A[float, "loss right after setting the units to zero, minus that of the unpruned net [nats]"]
    replaced: A[float, "the same with the units replaced by their mean activations [nats]"]


class Tuned(_Removal, key="data model seed step layer score tuning_steps"):
    """One removal and what is left of it after tuning, with and without replacement."""

    half: A[str, "of the training, that the step lies in: early or late"]
    tuning_steps: _TuningSteps
    zeroed: A[float, "loss after setting the units to zero and tuning, minus that of the net before [nats]"]
    replaced: A[float, "the same with the units replaced by their mean activations [nats]"]


class _Contrast(Table):
    zeroed: A[float, "mean penalty with the units set to zero [nats]"]
    zeroed_low: _LowNats
    zeroed_high: _HighNats
    replaced: A[float, "mean penalty with the units replaced by their means [nats]"]
    replaced_low: _LowNats
    replaced_high: _HighNats
    difference: A[float, "mean of replaced - zeroed [nats]; below 0, replacement is better"]
    low: _LowNats
    high: _HighNats
    wins_percent: A[float, "share of the measurements whose penalty replacement lowers [%]"]
    losses_percent: A[float, "share whose penalty it raises [%]"]
    measurements: A[int, "pairs compared"]
    seeds: A[int, "nets behind them"]


class _Penalized(_Net):
    part: A[str, "examples the penalties were measured on"]


class _Removals(_Penalized):
    layers: _Layers
    score: _Score


class Mean(_Contrast, _Removals, key="data model part layers score", name="means"):
    """Mean penalties right after removal."""


class _TunedRemovals(_Penalized):
    half: A[str, "of the training, in which the units were removed: early or late"]
    layers: A[str, "what was pruned: one layer at a time, or all at once"]
    score: A[str, f"what chose the units; {POOLED} is all scores together"]
    tuning_steps: _TuningSteps


class TunedMean(_Contrast, _TunedRemovals, key="data model part half layers score tuning_steps", name="tuned-means"):
    """Mean penalties after tuning."""

    control: A[float, "mean change of the loss by the same tuning where nothing was removed [nats]; may be empty"]


class _OnPart(_Net):
    part: A[str, "examples the loss was measured on"]


class Spread(_OnPart, key="data model part schedule removed_percent", name="spreads"):
    """How far methods lie apart at one share removed."""

    schedule: _Schedule
    removed_percent: A[float, "share of the units of every layer removed [%]"]
    spread: A[float, "standard deviation of the loss over the methods, mean over seeds [nats]"]
    low: Low
    high: High
    seeds: _Seeds
    methods: A[int, "scores with or without replacement"]


class SharedSpread(_OnPart, key="data model part schedule", name="shared-spreads"):
    """How far methods lie apart at the shares removed under every schedule."""

    schedule: _Schedule
    spread: A[float, "standard deviation of the loss over the methods, mean over the shares, then over seeds [nats]"]
    low: Low
    high: High
    seeds: _Seeds


class RoundMean(_OnPart, key="data model part schedule score replacement removed_percent", name="rounds"):
    """The loss of one method at one share removed."""

    schedule: _Schedule
    score: _Score
    replacement: A[str, "none (units set to zero) or mean"]
    removed_percent: A[float, "share of the units of every layer removed [%]"]
    loss: A[float, "mean over seeds [nats]"]
    low: Low
    high: High
    seeds: _Seeds


class CorrectionMean(_OnPart, key="data model part layers correction", name="corrections"):
    """What one correction leaves of the penalty, and what it costs."""

    layers: _Layers
    correction: A[str, "what was done about the removed units"]
    penalty: A[
        float,
        "loss after that minus loss of the unpruned net, less the control where there is one, mean over scores and "
        "layers, then over seeds [nats]",
    ]
    low: Low
    high: High
    seeds: _Seeds
    control: A[float, "what the same does to the loss where no unit was removed [nats]; may be empty"]
    operations: A[float, "floating-point operations it costs beyond zeroing, in those of one training step"]
    scores: A[int, "scores behind it"]


class _Chosen(_Net):
    layer: A[str, "layer whose units were chosen"]
    score: _Score


class Bin(_Chosen, key="data model layer score left", name="squares"):
    """How many of the units chosen are so active."""

    left: A[float, "lower end of the bin, mean squared activation; the bin from 0 on holds silent units"]
    right: A[float, "upper end of the bin"]
    share_percent: A[float, "share of the chosen units [%]"]


class Decile(_Chosen, key="data model layer score", name="deciles"):
    """How active the most active of the units chosen are."""

    decile: A[float, "upper decile of the mean squared activation of chosen units, mean over seeds"]
    low: Low
    high: High
    seeds: _Seeds
    units: A[int, "choices behind it"]


class ChosenShare(_Chosen, key="data model layer score", name="chosen"):
    """How many units were chosen at least once by the end of the training."""

    chosen_percent: A[float, "share of the layer's units chosen since the first look, mean over seeds [%]"]
    chosen_low: Low
    chosen_high: High
    late_percent: A[float, "share chosen since the first third of the training, mean over seeds [%]; may be empty"]
    late_low: Low
    late_high: High
    seeds: _Seeds


class Unpruned(_Net, key="data model part"):
    """The unpruned nets at the end of their training."""

    part: A[str, "train, validation or test: a fixed subset of it"]
    loss: A[float, "mean cross-entropy, mean over seeds [nats]"]
    loss_low: Low
    loss_high: High
    accuracy_percent: A[float, "accuracy, mean over seeds [%]"]
    accuracy_low: Low
    accuracy_high: High
    seeds: _Seeds


class _Method(_Net):
    score: _Score
    replacement: A[str, "none (units set to zero) or mean"]


class Profile(_Method, key="data model score replacement t", name="profiles"):
    """A point of the performance profile of one method."""

    t: A[float, "interpolation constant T, from the worst method's penalty (0) to the best's (1)"]
    share_percent: A[float, "share of the measurements whose penalty is at most min T + max (1 - T) [%]"]


class Area(_Method, key="data model score replacement", name="areas"):
    """The area under the profile of one method."""

    area: A[float, "under the profile, mean over seeds [0, 1]"]
    low: Low
    high: High
    measurements: A[int, "nets, steps and layers in which every method was measured"]
    seeds: A[int, "nets behind them"]


class AgreementMean(_Method, key="data model score replacement", name="agreement"):
    """How far one score agrees with the exact loss change of each unit."""

    tau: A[float, "Kendall's rank correlation, mean over layers, then over seeds [-1 to 1]"]
    low: Low
    high: High
    seeds: _Seeds


def paired(penalties: DataFrame, part: str) -> DataFrame:
    """Lay the penalties of one part side by side, as `Pair`; removals measured in one way only are left out."""
    return Pair.frame(_side_by_side(penalties, part, Pair.key))


def tuned_pairs(fine_tuned: DataFrame, part: str) -> DataFrame:
    """Lay the penalties of one part after tuning side by side, as `Tuned`."""
    return Tuned.frame(_halved(_side_by_side(fine_tuned, part, Tuned.key)))


def contrasts(pairs: DataFrame, by: Sequence[str]) -> DataFrame:
    """Compare both sides, averaged within a seed first, since the checkpoints of a net are no independent samples."""
    wins, losses = pairs["replaced"] < pairs["zeroed"], pairs["replaced"] > pairs["zeroed"]
    rows = pairs.assign(
        difference=pairs["replaced"] - pairs["zeroed"], wins_percent=100.0 * wins, losses_percent=100.0 * losses
    )
    ends = {"zeroed": "zeroed_", "replaced": "replaced_", "difference": ""}
    found = over_seeds(rows, by, ends, within="mean", means=["wins_percent", "losses_percent"])
    return found.assign(measurements=rows.groupby(list(by), sort=False).size().to_numpy())


def mean_penalties(penalties: DataFrame) -> DataFrame:
    """Compare mean penalties with and without replacement, by score, part and what was pruned, as `Mean`."""
    found = [
        contrasts(_by_layers(paired(penalties, part)), [*NET, "layers", "score"]).assign(part=part)
        for part in dict.fromkeys(penalties["part"])
    ]
    return Mean.frame(pd.concat(found, ignore_index=True))


def tuned_means(fine_tuned: DataFrame) -> DataFrame:
    """Compare mean penalties after tuning, by half of the training and tuning steps, as `TunedMean`."""
    found = []
    for part in dict.fromkeys(fine_tuned["part"]):
        own = _halved(fine_tuned[fine_tuned["part"] == part])
        at = ["data", "model", "half", "tuning_steps"]
        controls = own[own["score"] == NOTHING].groupby(at)["penalty"].mean().rename("control").reset_index()
        pairs = _by_layers(tuned_pairs(fine_tuned, part))
        groups = [pairs[pairs["layers"] == layers] for layers in (ONE, ALL)]
        rows = [part for rows in groups for part in (rows[rows["score"] != REFERENCE].assign(score=POOLED), rows)]
        means = contrasts(pd.concat(rows), [*NET, "half", "tuning_steps", "layers", "score"])
        means = means.sort_values(["half", "tuning_steps"], kind="stable")
        found.append(means.merge(controls, on=at, how="left").assign(part=part))
    return TunedMean.frame(pd.concat(found, ignore_index=True))


def spreads(iterative: DataFrame) -> DataFrame:
    """Say how far the methods' losses lie apart at each share removed, by schedule, as `Spread`."""
    by, rows = [*NET, "part", "schedule", "removed_percent"], _methods_in_rounds(iterative)
    found = over_seeds(rows, by, {"loss": ""}, within=lambda own: own.std(ddof=0))
    methods = rows.groupby(by, sort=False)["method"].nunique().to_numpy()
    return Spread.frame(found.rename(columns={"loss": "spread"}).assign(methods=methods))


def shared_spreads(iterative: DataFrame) -> DataFrame:
    """Average the spreads over the shares removed under every schedule, seed by seed, as `SharedSpread`."""
    by, rows = [*NET, "part", "schedule"], _methods_in_rounds(iterative)
    schedules = rows.groupby("removed_percent")["schedule"].transform("nunique")
    shared = rows[schedules == rows["schedule"].nunique()].groupby([*by, "seed", "removed_percent"], sort=False)
    at_each = shared["loss"].std(ddof=0).reset_index(name="spread")
    return SharedSpread.frame(over_seeds(at_each, by, "spread", within="mean"))


def round_means(iterative: DataFrame) -> DataFrame:
    """Average each method's loss at each share removed over seeds, as `RoundMean`."""
    by = [*NET, "part", "schedule", "score", "replacement", "removed_percent"]
    return RoundMean.frame(over_seeds(iterative[iterative["score"] != NOTHING], by, "loss"))


def correction_means(corrections: DataFrame) -> DataFrame:
    """Average the penalty of each correction over scores within a seed, by what was pruned, as `CorrectionMean`.

    A correction that trains on, or measures statistics again, changes an unpruned net as well. What it does to that
    one is no merit of its dealing with removed units, and is subtracted.
    """
    own = corrections.assign(penalty=corrections["penalty"] - corrections["control"])
    rows = pd.concat([_by_layers(own[own["part"] == part]) for part in dict.fromkeys(own["part"])])
    by = [*NET, "part", "layers", "correction"]
    found = over_seeds(rows, by, "penalty", within="mean", means=["control", "operations"])
    return CorrectionMean.frame(found.assign(scores=rows.groupby(by, sort=False)["score"].nunique().to_numpy()))


def squares_histogram(squares: DataFrame) -> DataFrame:
    """Count the chosen units by their mean squared activation, in bins equal in its logarithm, as `Bin`.

    The bins are the same for every score of a net and layer. The first holds the silent units, whose mean square is 0
    or below a hundred millionth of the largest.
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
            place = dict(zip([*NET, "layer"], names, strict=True)) | {"score": score}
            found += [
                {**place, "left": left, "right": right, "share_percent": share}
                for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True)
            ]
    return Bin.frame(found)


def squares_deciles(squares: DataFrame) -> DataFrame:
    """Give the upper decile of the mean squared activations of the units each score chose, as `Decile`."""
    by, rows = [*NET, "layer", "score"], squares[squares["score"] != NOTHING]
    found = over_seeds(rows, by, {"mean_square": ""}, within=lambda own: own.quantile(UPPER_DECILE))
    found = found.assign(units=rows.groupby(by, sort=False).size().to_numpy())
    order = {score: place for place, score in enumerate(scores_of(rows))}
    found = found.rename(columns={"mean_square": "decile"})
    return Decile.frame(found.sort_values("score", key=lambda scores: scores.map(order), kind="stable"))


def chosen_shares(choices: DataFrame) -> DataFrame:
    """Give the share of the units that each score chose by the last checkpoint, as `ChosenShare`."""
    last = choices[choices["step"] == choices["step"].max()]
    rows = last.assign(chosen_percent=100 * last["chosen_fraction"], late_percent=100 * last["late_fraction"])
    ends = {"chosen_percent": "chosen_", "late_percent": "late_"}
    return ChosenShare.frame(over_seeds(rows, [*NET, "layer", "score"], ends, gaps=True))


def unpruned(curves: DataFrame) -> DataFrame:
    """Give loss and accuracy of the unpruned nets at the end of their training, as `Unpruned`."""
    last = curves[curves["step"] == curves["step"].max()]
    return Unpruned.frame(over_seeds(last, [*NET, "part"], {"loss": "loss_", "accuracy_percent": "accuracy_"}))


def agreement_means(agreement: DataFrame) -> DataFrame:
    """Average each score's agreement with the exact loss change over layers, then over seeds, as `AgreementMean`.

    Layers of which a score is alike for all units have none and are left out.
    """
    found = agreement.dropna(subset=["tau"])
    return AgreementMean.frame(over_seeds(found, [*NET, "score", "replacement"], "tau", within="mean"))


def profile_tables(pairs: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Give the profile of every method, as `Profile`, and the areas under them, as `Area`.

    A measurement is a net at a step with one layer pruned, or all at once. Those in which a method is missing are left
    out, as is the exact loss change, which is no score.
    """
    curves, areas = [], []
    constants = np.linspace(0, 1, _POINTS)
    for net, rows in pairs[pairs["score"] != REFERENCE].groupby(NET, sort=False):
        scores = scores_of(rows)
        wide = rows.pivot_table(list(SIDES.values()), index=["seed", "step", "layer"], columns="score").dropna()
        if wide.empty:
            raise ValueError(
                f"a profile compares methods on the same measurements; none has all of {', '.join(scores)}: measure "
                "alike"
            )
        methods = list(product(scores, SIDES))
        values = wide[[(SIDES[replacement], score) for score, replacement in methods]].to_numpy(dtype=float)
        shares, reached = 100 * rules.profile(values, constants), rules.reached(values)
        for place, (score, replacement) in enumerate(methods):
            named: dict[str, Any] = {**dict(zip(NET, net, strict=True)), "score": score, "replacement": replacement}
            points = zip(constants, shares[:, place], strict=True)
            curves += [{**named, "t": t, "share_percent": share} for t, share in points]
            areas.append(DataFrame({"seed": wide.index.get_level_values("seed"), "area": reached[:, place], **named}))
    by = [*NET, "score", "replacement"]
    rows = pd.concat(areas)
    found = over_seeds(rows, by, "area", within="mean")
    return Profile.frame(curves), Area.frame(found.assign(measurements=rows.groupby(by, sort=False).size().to_numpy()))


def _side_by_side(table: DataFrame, part: str, key: Sequence[str]) -> DataFrame:
    rows = table[(table["part"] == part) & table["replacement"].isin(list(SIDES)) & (table["score"] != NOTHING)]
    index = [*NET, *(name for name in key if name not in NET)]
    ways = rows.pivot_table("penalty", index=index, columns="replacement", sort=False).reindex(columns=list(SIDES))
    wide = ways.dropna().rename(columns=SIDES).reset_index()
    if wide.empty:
        parts = ", ".join(map(str, dict.fromkeys(table["part"])))
        raise ValueError(
            f"penalties are compared with and without replacement; no removal was measured both ways on part {part!r}; "
            f"the table has {parts}"
        )
    wide.columns.name = None
    return wide


def _halved(rows: DataFrame) -> DataFrame:
    """Say which half of a net's training each row lies in; the late one is behind the middle of its last step."""
    middle = rows.groupby(["data", "model"])["step"].transform("max") / 2
    return rows.assign(half=np.where(rows["step"] > middle, "late", "early"))


def _by_layers(rows: DataFrame) -> DataFrame:
    """Put rows under what was pruned: layers one at a time together, each layer alone, all at once."""
    each = [rows[rows["layer"] == layer].assign(layers=layer) for layer in layers_of(rows)]
    return pd.concat([rows[rows["layer"] != ALL].assign(layers=ONE), *each])


def _methods_in_rounds(iterative: DataFrame) -> DataFrame:
    """Leave the rows of units removed by a score; each says its method, a score with or without replacement."""
    rows = iterative[(iterative["removed_percent"] > 0) & ~iterative["score"].isin(NO_SCORES)]
    return rows.assign(method=rows["score"] + ", " + rows["replacement"])
