"""The figures of study 1: our tables on image nets or recognisers, the source's table on its recogniser beside them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from pandas import DataFrame

from prunelab.figures import INK, METHODS, MUTED, Line, Saved, curve, legend, panels, save, style
from prunelab.studies import sparseness_words as words
from prunelab.studies.sparseness import at_scale
from prunelab.studies.sparseness_panels import (
    BAND,
    IMAGES,
    ONE_RUN,
    SOURCE_TITLE,
    Task,
    baseline,
    layers_of,
    negative_minus_positive,
    percent,
    percent_axis,
    source_panels,
    spread,
)

_ONE_SIGN_OR_BOTH = ("abs", "positive", "negative")
_SPARSITY = ("sparsity_percent", "sparsity_percent")
_FEW = 3  # layers whose bands can be told apart in one panel; of more the means alone are drawn


def source_table(path: Path) -> DataFrame:
    """Read the source's printed table, percentages and all, as `published/connection-sparseness.csv` holds it.

    Raises:
        FileNotFoundError: the table is not there.
    """
    if not path.exists():
        raise FileNotFoundError(f"the source's printed table is published/connection-sparseness.csv; {path} is missing")
    return pd.read_csv(path)


def error_against_threshold(table: DataFrame, source: DataFrame, task: Task = IMAGES) -> Saved:
    """Draw error against threshold for both signs and for each alone, beside the source's curves."""
    with style():
        figure, axes = source_panels(
            table, source, _ONE_SIGN_OR_BOTH, ("threshold", task.threshold), along="threshold", task=task
        )
        _threshold_labels(axes, task)
        return save(
            figure,
            "error-against-threshold",
            alt=f"Error against pruning threshold in {len(axes)} panels: the source's word error and the "
            f"{task.error} of {words.names(table)}, each with three curves: pruning both signs, positive weights "
            f"only, negative weights only. {words.knees_in_words(table)}",
            caption=f"Error against the pruning threshold. {BAND} Dotted: the unpruned nets. {ONE_RUN}",
            table="threshold-sweep",
        )


def error_against_sparsity(table: DataFrame, source: DataFrame, task: Task = IMAGES) -> Saved:
    """Draw error against the sparsity that each threshold gives, beside the source's curves."""
    with style():
        figure, axes = source_panels(table, source, _ONE_SIGN_OR_BOTH, _SPARSITY, along="threshold", task=task)
        return save(
            figure,
            "error-against-sparsity",
            alt=f"Error against the share of weights removed in {len(axes)} panels: the source's word error and the "
            f"{task.error} of {words.names(table)}, each with three curves: pruning both signs, positive weights only, "
            f"negative weights only. {words.knees_in_words(table)}",
            caption=f"Error against sparsity, each task on its own scale. {BAND} Dotted: the unpruned nets. {ONE_RUN}",
            table="threshold-sweep",
        )


def positive_against_negative(table: DataFrame, source: DataFrame, task: Task = IMAGES) -> Saved:
    """Draw the error of negative-only minus positive-only pruning at the same threshold, beside the source's."""
    paired = negative_minus_positive(table, ["data", "model", "seed", "threshold", "scale"], "error_percent")
    printed = negative_minus_positive(source[source["experiment"].isin([2, 3])], ["threshold"], "wer_percent")
    with style():
        figure, axes = panels([SOURCE_TITLE, *words.titles(table)])
        axes[0].plot(printed["threshold"], printed["difference"], color=INK, marker="o")
        axes[0].set_ylabel("negative − positive (points)")
        for axis, (_, rows) in zip(axes[1:], words.by_model(paired), strict=True):
            line = Line(label="negative − positive", colour=METHODS["abs"].colour, marker="o")
            curve(axis, rows, task.threshold, "difference", along="threshold", line=line)
            axis.set_ylabel("negative − positive (points)")
        for axis in axes:
            axis.axhline(0, color=MUTED, linewidth=0.9)
        _threshold_labels(axes, task)
        return save(
            figure,
            "positive-against-negative",
            alt=f"Difference in error between removing only negative and only positive weights, against the threshold, "
            f"for the source's recogniser and for {words.names(table)}. "
            "Below the zero line negative pruning does better.",
            caption=f"Word error (source) and {task.error} (ours) of pruning negatives minus that of pruning positives "
            f"at one threshold, paired by net. {BAND} Below zero, pruning negatives costs less. {ONE_RUN}",
            table="threshold-sweep",
        )


def layer_error(table: DataFrame, task: Task = IMAGES) -> Saved:
    """Draw error against threshold when one layer alone is pruned."""
    few = table.groupby("model")["layer"].nunique().max() <= _FEW
    drawn = BAND if few else "Lines: means over seeds; dotted: the unpruned nets."
    with style():
        figure, axes = panels(words.titles(table))
        for axis, (_, rows) in zip(axes, words.by_model(table), strict=True):
            lines = layers_of(rows)
            for name, line in lines:
                part = rows[rows["layer"] == name]
                if len(lines) > _FEW:
                    part = part.groupby("threshold")[["scale", "error_percent"]].mean().reset_index().assign(seed=0)
                curve(axis, part, "scale", "error_percent", along="threshold", line=line, label=name)
            baseline(axis, rows)
            axis.set_xlabel("threshold (root mean square weights)")
            axis.set_ylabel(f"{task.error} (%)")
            percent_axis(axis, rows, along=["layer", "threshold"])
        legend(figure, axes)
        return save(
            figure,
            "layer-error",
            alt=f"{task.error.capitalize()} against threshold with one layer pruned at a time, one panel each for "
            f"{words.names(table)}. At the largest threshold: {words.ends_in_words(table)}.",
            caption="One layer pruned at a time, the threshold in units of the whole net's root mean square weight. "
            f"{drawn}",
            table="layer-sensitivity",
        )


def layer_sparsity(table: DataFrame, source: DataFrame, threshold_scale: float, task: Task = IMAGES) -> Saved:
    """Draw, at one threshold, the error each layer costs against the sparsity it gains, beside the source's layers.

    Args:
        table: the one-layer sweep, all thresholds.
        source: the source's printed table.
        threshold_scale: root mean square weights; each model is drawn at its nearest threshold.
        task: what ours measure.
    """
    printed = source[source["experiment"] == 5]
    with style():
        figure, axes = panels([SOURCE_TITLE, *words.titles(table)])
        axes[0].scatter(printed["sparsity_percent"], printed["wer_percent"], color=INK, s=20)
        for (x, y), (label, above) in _labels(printed).items():
            side = "bottom" if above else "top"
            offset = (0, 5 if above else -5)
            axes[0].annotate(label, (x, y), offset, textcoords="offset points", ha="center", va=side, fontsize=8)
        axes[0].set_ylabel("word error (%)")
        for axis, (_, rows) in zip(axes[1:], words.by_model(percent(at_scale(table, threshold_scale))), strict=True):
            for name, line in layers_of(rows):
                part = rows[rows["layer"] == name]
                low, mean, high = spread(part["error_percent"])
                x = float(part["sparsity_percent"].mean())
                axis.errorbar(
                    x,
                    mean,
                    yerr=[[mean - low], [high - mean]],
                    color=line.colour,
                    marker=line.marker,
                    markersize=6,
                    linestyle="none",
                    capsize=3,
                    label=name,
                )
            axis.set_ylabel(f"{task.error} (%)")
        for axis in axes:
            axis.set_xlabel("weights removed, of the whole net (%)")
            axis.margins(0.18)
        legend(figure, axes[1:])
        return save(
            figure,
            "layer-sparsity",
            alt=f"Error paid against sparsity gained by pruning each layer alone at one threshold: the source's seven "
            f"layers, and the layers of {words.names(table)}. {words.ends_in_words(at_scale(table, threshold_scale))}.",
            caption=f"One layer pruned at a time at one threshold: 0.15 in the source, {threshold_scale:g} root mean "
            f"square weights in our nets. Bars: 95 % t interval over seeds. {ONE_RUN}",
            table="layer-sensitivity",
        )


def global_against_percentile(table: DataFrame, source: DataFrame, task: Task = IMAGES) -> Saved:
    """Draw error against sparsity for one global threshold and for the same fraction of each layer and sign."""
    with style():
        compared = source[source["experiment"] == 6]
        figure, _ = source_panels(table, compared, ("abs", "percentile"), _SPARSITY, along="setting", task=task)
        return save(
            figure,
            "global-against-percentile",
            alt=f"Error against the share of weights removed, for one global threshold and for the same percentile of "
            f"every layer and sign, in the source's recogniser and in {words.names(table)}. "
            f"{words.knees_in_words(table)}",
            caption=f"One global threshold against the same fraction of each layer's positive and negative weights. "
            f"{BAND} Dotted: the unpruned nets. {ONE_RUN}",
            table="percentile",
        )


def _labels(printed: DataFrame) -> dict[tuple[float, float], tuple[str, bool]]:
    """Label each spot of the source's layers: all layers drawn there, and whether the label goes above it.

    Layers that share a spot, to a tenth of a percent, share a label. It goes to the side away from the nearest other
    spot along the axis, so that neighbours' labels do not meet.
    """
    spots: dict[tuple[float, float], list[str]] = {}
    for layer, x, y in printed[["layer", "sparsity_percent", "wer_percent"]].itertuples(index=False):
        spots.setdefault((round(x, 1), round(y, 1)), []).append(layer)
    labels = {}
    for (x, y), layers in spots.items():
        nearest = min((spot for spot in spots if spot != (x, y)), key=lambda spot: abs(spot[0] - x), default=(x, y))
        labels[x, y] = (",\n".join(layers), y >= nearest[1])
    return labels


def _threshold_labels(axes: Sequence[Axes], task: Task) -> None:
    """Name the horizontal axis: the source's thresholds are magnitudes of its own weights."""
    axes[0].set_xlabel("threshold (weight units)")
    for axis in axes[1:]:
        axis.set_xlabel(f"threshold ({task.unit})")
