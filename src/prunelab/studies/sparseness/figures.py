"""The figures of study 1: our tables on image nets or recognisers, the source's table on its recogniser beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab import figures as draw
from prunelab.stats import LEVEL, Interval, t_interval
from prunelab.studies.common.curves import at_scale
from prunelab.studies.common.figures import by_model, ends_in_words, knees_in_words, names, titles
from prunelab.studies.sparseness.summary import rescaled_gains

SOURCE_TITLE = "source: speech recogniser (Kaldi)"

_ONE_RUN = "The source printed one run, without intervals."
_UNPRUNED = "Dotted: the unpruned nets."
_REMOVED = "weights removed (%)"
_FEW = 3  # layers whose bands can be told apart in one panel; of more the means alone are drawn
_SIGNS = ("abs", "positive", "negative")
_PRINTED = draw.Line(label="", colour=draw.INK, marker="o")
_RESCALED = {
    "trained": draw.Line(label="one threshold, layers as trained", colour=draw.BLUE, marker="o"),
    "equal": draw.Line(label="one threshold, layers of equal scale", colour=draw.INK, marker="D", dash=draw.LONG),
    "rising": draw.Line(
        label="one threshold, scale rising with depth", colour=draw.ORANGE, marker="^", dash=draw.SHORT
    ),
    "falling": draw.Line(
        label="one threshold, scale falling with depth", colour=draw.GREEN, marker="v", dash=draw.MIXED
    ),
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """How one kind of net's tables are drawn."""

    error: str  # what the nets are measured by
    threshold: str  # column of the thresholds drawn
    unit: str  # of that column


IMAGES = Task(error="test error", threshold="threshold", unit="weight units")
# Recognisers of different activation differ in the scale of their weights; in its unit they share an axis.
SPEECH = Task(error="word error", threshold="scale", unit="root mean square weights")


def source_table(path: Path) -> DataFrame:
    """Read the source's printed table, percentages and all, as `published/connection-sparseness.csv` holds it."""
    if not path.exists():
        raise FileNotFoundError(f"the source's printed table is published/connection-sparseness.csv; {path} is missing")
    return pd.read_csv(path)


@draw.drawing()
def error_against_threshold(table: DataFrame, source: DataFrame, task: Task = IMAGES) -> draw.Saved:
    """Draw error against threshold for both signs and for each alone, beside the source's curves."""
    figure, axes = source_panels(table, source, _SIGNS, ("threshold", task.threshold), along="threshold", task=task)
    _threshold_labels(axes, task)
    return draw.save(
        figure,
        "error-against-threshold",
        alt=f"Error against pruning threshold in {len(axes)} panels: the source's word error and the {task.error} of "
        f"{names(table)}, each with three curves: pruning both signs, positive weights only, negative weights only. "
        f"{knees_in_words(table)}",
        caption=f"Error against the pruning threshold. {draw.BAND} {_UNPRUNED} {_ONE_RUN}",
        table="threshold-sweep",
    )


@draw.drawing()
def error_against_sparsity(table: DataFrame, source: DataFrame, task: Task = IMAGES) -> draw.Saved:
    """Draw error against the sparsity that each threshold gives, beside the source's curves."""
    figure, axes = source_panels(table, source, _SIGNS, along="threshold", task=task)
    return draw.save(
        figure,
        "error-against-sparsity",
        alt=f"Error against the share of weights removed in {len(axes)} panels: the source's word error and the "
        f"{task.error} of {names(table)}, each with three curves: pruning both signs, positive weights only, negative "
        f"weights only. {knees_in_words(table)}",
        caption=f"Error against sparsity, each task on its own scale. {draw.BAND} {_UNPRUNED} {_ONE_RUN}",
        table="threshold-sweep",
    )


@draw.drawing()
def positive_against_negative(table: DataFrame, source: DataFrame, task: Task = IMAGES) -> draw.Saved:
    """Draw the error of negative-only minus positive-only pruning at the same threshold, beside the source's."""
    paired = _negative_minus_positive(table, ["data", "model", "seed", "threshold", "scale"], "error_percent")
    printed = _negative_minus_positive(source[source["experiment"].isin([2, 3])], ["threshold"], "wer_percent")
    figure, axes = draw.grid([SOURCE_TITLE, *titles(table)], ylabel="negative − positive (points)")
    axes[0].plot(printed["threshold"], printed["difference"], **_PRINTED.look())
    for axis, (_, rows) in zip(axes[1:], by_model(paired), strict=True):
        draw.band(axis, rows, task.threshold, "difference", along="threshold", line=draw.METHODS["abs"])
    for axis in axes:
        draw.rule(axis, y=0)
    _threshold_labels(axes, task)
    return draw.save(
        figure,
        "positive-against-negative",
        alt="Difference in error between removing only negative and only positive weights, against the threshold, for "
        f"the source's recogniser and for {names(table)}. Below the zero line negative pruning does better.",
        caption=f"Word error (source) and {task.error} (ours) of pruning negatives minus that of pruning positives at "
        f"one threshold, paired by net. {draw.BAND} Below zero, pruning negatives costs less. {_ONE_RUN}",
        table="threshold-sweep",
    )


@draw.drawing()
def two_intervals(table: DataFrame) -> draw.Saved:
    """Draw word error against sparsity under abs with both kinds of interval: over seeds, and over utterances."""
    both = _percent(table[table["method"] == "abs"])
    over_seeds = "mean over seeds, 95 % t interval"
    over_utterances = draw.Line(label="one net, 95 % bootstrap over utterances", colour=draw.INK, marker="s")
    widths = []
    figure, axes = draw.grid(titles(table), xlabel=_REMOVED, ylabel="word error (%)")
    for axis, (model, rows) in zip(axes, by_model(both), strict=True):
        draw.band(
            axis,
            rows,
            "sparsity_percent",
            "error_percent",
            along="threshold",
            line=draw.METHODS["abs"],
            label=over_seeds,
        )
        one = rows[rows["seed"] == rows["seed"].min()]
        cells = one[["sparsity_percent", "error_percent", "wer_low", "wer_high"]].itertuples(index=False)
        points = [
            (at, Interval(value=error, low=low, high=high, n=1, level=LEVEL, method="bootstrap"))
            for at, error, low, high in cells
        ]
        draw.bars(axis, points, line=over_utterances)
        _error_axis(axis, rows, along=["threshold"])
        half = (one["wer_high"] - one["wer_low"]) / 2
        widths.append(f"{model}: {half.min():.1f} to {half.max():.1f} points")
    draw.legend(figure)
    return draw.save(
        figure,
        "two-intervals",
        alt=f"Word error against the share of weights removed, both signs, for {names(table)}: the mean over seeds "
        "with its interval, and one net with the interval over utterances. Half the width of the interval over "
        f"utterances: {'; '.join(widths)}.",
        caption="Two questions, two intervals. Band: would another net, trained anew, do the same? Bars: would this "
        f"net (the first seed) on other utterances? {_UNPRUNED}",
        table="threshold-sweep",
    )


@draw.drawing()
def layer_error(table: DataFrame, task: Task = IMAGES) -> draw.Saved:
    """Draw error against threshold when one layer alone is pruned."""
    few = table.groupby("model")["layer"].nunique().max() <= _FEW
    drawn = draw.BAND if few else "Lines: means over seeds; dotted: the unpruned nets."
    figure, axes = draw.grid(titles(table), xlabel="threshold (root mean square weights)", ylabel=f"{task.error} (%)")
    for axis, (_, rows) in zip(axes, by_model(table), strict=True):
        lines = layers_of(rows)
        for name, line in lines.items():
            part = rows[rows["layer"] == name]
            if len(lines) > _FEW:
                part = part.groupby("threshold")[["scale", "error_percent"]].mean().reset_index().assign(seed=0)
            draw.band(axis, part, "scale", "error_percent", along="threshold", line=line)
        _error_axis(axis, rows, along=["layer", "threshold"])
    draw.legend(figure)
    return draw.save(
        figure,
        "layer-error",
        alt=f"{task.error.capitalize()} against threshold with one layer pruned at a time, one panel each for "
        f"{names(table)}. At the largest threshold: {ends_in_words(table)}.",
        caption="One layer pruned at a time, the threshold in units of the whole net's root mean square weight. "
        f"{drawn}",
        table="layer-sensitivity",
    )


@draw.drawing()
def layer_sparsity(table: DataFrame, source: DataFrame, threshold_scale: float, task: Task = IMAGES) -> draw.Saved:
    """Draw, at one threshold, the error each layer costs against the sparsity it gains, beside the source's layers.

    Args:
        table: the one-layer sweep, all thresholds.
        source: the source's printed table.
        threshold_scale: root mean square weights; each model is drawn at its nearest threshold.
        task: what ours measure.
    """
    printed = source[source["experiment"] == 5]
    nearest = at_scale(table, threshold_scale)
    figure, axes = draw.grid([SOURCE_TITLE, *titles(table)], xlabel="weights removed, of the whole net (%)")
    axes[0].plot(printed["sparsity_percent"], printed["wer_percent"], **_PRINTED.look(linestyle="none"))
    _name_errors(axes, task)
    for axis, (_, rows) in zip(axes[1:], by_model(_percent(nearest)), strict=True):
        for name, line in layers_of(rows).items():
            part = rows[rows["layer"] == name]
            removed = float(part["sparsity_percent"].mean())
            draw.bars(axis, [(removed, t_interval(part["error_percent"].to_numpy()))], line=line)
    for axis in axes:
        axis.margins(0.18)
    draw.legend(figure)
    spots = printed[["sparsity_percent", "wer_percent", "layer"]].itertuples(index=False, name=None)
    draw.place_labels(axes[0], list(spots))
    return draw.save(
        figure,
        "layer-sparsity",
        alt="Error paid against sparsity gained by pruning each layer alone at one threshold: the source's seven "
        f"layers, and the layers of {names(table)}. {ends_in_words(nearest)}.",
        caption=f"{_at_one(threshold_scale)} {_ONE_RUN}",
        table="layer-sensitivity",
    )


@draw.drawing()
def layer_costs(table: DataFrame, source: DataFrame, threshold_scale: float) -> draw.Saved:
    """Draw the word error that pruning each layer alone costs at one threshold, the source's layers beside ours.

    Args:
        table: the one-layer sweep, all thresholds.
        source: the source's printed table.
        threshold_scale: root mean square weights; each model is drawn at its nearest threshold.
    """
    printed = source[source["experiment"] == 5]
    nearest = at_scale(table, threshold_scale)
    figure, axes = draw.grid([SOURCE_TITLE, *titles(table)], ylabel="word error (%)")
    draw.categories(axes[0], list(printed["layer"]))
    axes[0].plot(range(len(printed)), printed["wer_percent"], **_PRINTED.look(linestyle="none"))
    axes[0].set_ylim(0, 1.06 * float(printed["wer_percent"].max()))
    for axis, (_, rows) in zip(axes[1:], by_model(nearest), strict=True):
        lines = layers_of(rows)
        costs = {name: t_interval(own["error_percent"].to_numpy()) for name, own in rows.groupby("layer", sort=False)}
        for name, line in lines.items():
            draw.bars(axis, draw.places(list(lines), {name: costs[name]}), line=line)
        draw.categories(axis, list(lines))
        _unpruned(axis, rows)
        # A wide interval of few seeds does not press all layers to the floor.
        means = [cost.value for cost in costs.values()]
        axis.set_ylim(0, 1.06 * min(max([*means, *(cost.high for cost in costs.values())]), max(100.0, *means)))
    return draw.save(
        figure,
        "layer-costs",
        alt="Word error with one layer pruned, layer by layer from the first to the last: the source's seven layers, "
        f"and those of {names(table)}. {ends_in_words(nearest)}.",
        caption=f"{_at_one(threshold_scale)} {_UNPRUNED} {_ONE_RUN}",
        table="layer-sensitivity",
    )


@draw.drawing()
def global_against_percentile(table: DataFrame, source: DataFrame, task: Task = IMAGES) -> draw.Saved:
    """Draw error against sparsity for one global threshold and for the same fraction of each layer and sign."""
    compared = source[source["experiment"] == 6]
    figure, _ = source_panels(table, compared, ("abs", "percentile"), along="setting", task=task)
    return draw.save(
        figure,
        "global-against-percentile",
        alt="Error against the share of weights removed, for one global threshold and for the same percentile of "
        f"every layer and sign, in the source's recogniser and in {names(table)}. {knees_in_words(table)}",
        caption="One global threshold against the same fraction of each layer's positive and negative weights. "
        f"{draw.BAND} {_UNPRUNED} {_ONE_RUN}",
        table="percentile",
    )


@draw.drawing()
def rescaled_curves(table: DataFrame) -> draw.Saved:
    """Draw word error against sparsity for one global threshold on rescaled layers, and for percentiles."""
    figure, axes = draw.grid(titles(table), width=7.8, xlabel=_REMOVED, ylabel="word error (%)")
    for axis, (_, rows) in zip(axes, by_model(_percent(table)), strict=True):
        own = {name: rows[(rows["method"] == "abs") & (rows["rescaling"] == name)] for name in _RESCALED}
        layered = rows[(rows["method"] == "percentile") & (rows["rescaling"] == "trained")]
        for part, line in ((layered, draw.METHODS["percentile"]), *((own[name], _RESCALED[name]) for name in own)):
            draw.band(axis, part, "sparsity_percent", "error_percent", along="setting", line=line)
        _error_axis(axis, rows, along=["rescaling", "method", "setting"])
    draw.legend(figure, beside=True)
    return draw.save(
        figure,
        "rescaled",
        alt=f"Word error against the share of weights removed for {names(table)}: the same percentile of every layer "
        "and sign, and one global threshold on four versions of the nets that compute the same, with layers of other "
        f"scale. {_knees_by_rescaling(table)}",
        caption="The same nets, their layers given other scales without changing what they compute. Percentiles "
        f"remove the same weights from all of them; one global threshold does not. {draw.BAND} {_UNPRUNED}",
        table="rescaled",
    )


def source_panels(
    table: DataFrame,
    source: DataFrame,
    methods: Sequence[str],
    columns: tuple[str, str] = ("sparsity_percent", "sparsity_percent"),
    *,
    along: str,
    task: Task,
) -> tuple[Figure, list[Axes]]:
    """Draw error curves, the source's in the first panel and one panel a model after it.

    Args:
        table: our rows, sparsity as a fraction.
        source: the source's rows, drawn once each though experiments 4 and 6 print some of 1 to 3 again.
        methods: the curves of a panel.
        columns: horizontal axis in the source's table and in ours.
        along: column of ours that names a setting.
        task: what ours measure.
    """
    figure, axes = draw.grid([SOURCE_TITLE, *titles(table)], xlabel=_REMOVED)
    printed = source[source["layer"] == "all"].drop_duplicates(["method", "threshold"])
    for method in methods:
        part = printed[printed["method"] == method].sort_values(columns[0])
        axes[0].plot(part[columns[0]], part["wer_percent"], **draw.METHODS[method].look(label=""))
    draw.percent_axis(axes[0])
    axes[0].set_xlim(left=0)
    for axis, (_, rows) in zip(axes[1:], by_model(_percent(table)), strict=True):
        for method in methods:
            part = rows[rows["method"] == method]
            draw.band(axis, part, columns[1], "error_percent", along=along, line=draw.METHODS[method])
        _error_axis(axis, rows, along=["method", along])
    _name_errors(axes, task)
    draw.legend(figure)
    return figure, axes


def layers_of(rows: DataFrame) -> dict[str, draw.Line]:
    """Give the layers of a table in the net's order, each with its line."""
    return draw.depths({name: name for name in dict.fromkeys(rows["layer"])})


def _percent(table: DataFrame) -> DataFrame:
    return table.assign(sparsity_percent=100 * table["sparsity"])


def _unpruned(axis: Axes, rows: DataFrame) -> None:
    draw.rule(axis, y=rows["baseline_error_percent"].mean(), dash=draw.DOTTED)


def _error_axis(axis: Axes, rows: DataFrame, *, along: Sequence[str]) -> None:
    """Draw the unpruned error, and show errors up to the largest mean of a setting, however wide its interval."""
    _unpruned(axis, rows)
    draw.percent_axis(axis, float(rows.groupby(list(along))["error_percent"].mean().max()))
    axis.set_xlim(left=0)


def _name_errors(axes: Sequence[Axes], task: Task) -> None:
    """The source's errors are of words whatever ours are of."""
    axes[0].set_ylabel("word error (%)")
    for axis in axes[1:]:
        axis.set_ylabel(f"{task.error} (%)")


def _threshold_labels(axes: Sequence[Axes], task: Task) -> None:
    """The source's thresholds are magnitudes of its own weights."""
    axes[0].set_xlabel("threshold (weight units)")
    for axis in axes[1:]:
        axis.set_xlabel(f"threshold ({task.unit})")


def _at_one(threshold_scale: float) -> str:
    return (
        f"One layer pruned at a time at one threshold: 0.15 in the source, {threshold_scale:g} root mean square "
        f"weights in our nets. {draw.BARS}"
    )


def _negative_minus_positive(table: DataFrame, key: Sequence[str], column: str) -> DataFrame:
    """Subtract positive from negative rows that share `key`."""
    signs = {sign: table[table["method"] == sign].set_index(list(key))[column] for sign in ("positive", "negative")}
    return (signs["negative"] - signs["positive"]).dropna().rename("difference").reset_index()


def _knees_by_rescaling(table: DataFrame) -> str:
    """Say where each curve passes its knee."""
    parts = []
    for model, rows in by_model(rescaled_gains(table)):
        said = [f"{rows['percentile_knee'].iloc[0]:.0f} % (percentile)"]
        said += [
            f"{knee:.0f} % ({_RESCALED[name].label})" if knee == knee else f"not by every net ({_RESCALED[name].label})"
            for name, knee in zip(rows["rescaling"], rows["global_knee"], strict=True)
        ]
        parts.append(f"{model}: {', '.join(said)}")
    return f"The error exceeds the unpruned one by 20 points at these sparsities: {'; '.join(parts)}."
