"""The figures of study 1: our tables on image nets, the source's table on its speech recogniser beside them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab.figures import DEPTHS, INK, METHODS, MUTED, Line, Saved, curve, legend, panels, save, style
from prunelab.stats import t_interval
from prunelab.studies import sparseness_words as words
from prunelab.studies.sparseness import at_scale

_SOURCE_TITLE = "source: speech recogniser (Kaldi)"
_ONE_SIGN_OR_BOTH = ("abs", "positive", "negative")
_SPARSITY = ("sparsity_percent", "sparsity_percent")
_ONE_RUN = "The source printed one run, without intervals."
_BAND = "Line: mean over seeds; band: 95 % t interval."


def source_table(path: Path) -> DataFrame:
    """Read the source's printed table, percentages and all, as `published/connection-sparseness.csv` holds it.

    Raises:
        FileNotFoundError: the table is not there.
    """
    if not path.exists():
        raise FileNotFoundError(f"the source's printed table is published/connection-sparseness.csv; {path} is missing")
    return pd.read_csv(path)


def error_against_threshold(table: DataFrame, source: DataFrame) -> Saved:
    """Draw test error against threshold for both signs and for each alone, beside the source's curves."""
    with style():
        figure, axes = _error_panels(table, source, _ONE_SIGN_OR_BOTH, ("threshold", "threshold"), along="threshold")
        for axis in axes:
            axis.set_xlabel("threshold (weight units)")
        return save(
            figure,
            "error-against-threshold",
            alt=f"Error against pruning threshold in {len(axes)} panels: the source's word error and the test error of "
            f"{words.names(table)}, each with three curves: pruning both signs, positive weights only, negative "
            f"weights only. {words.knees_in_words(table)}",
            caption=f"Error against the pruning threshold. {_BAND} Dotted: the unpruned nets. {_ONE_RUN}",
            table="threshold-sweep",
        )


def error_against_sparsity(table: DataFrame, source: DataFrame) -> Saved:
    """Draw test error against the sparsity that each threshold gives, beside the source's curves."""
    with style():
        figure, axes = _error_panels(table, source, _ONE_SIGN_OR_BOTH, _SPARSITY, along="threshold")
        return save(
            figure,
            "error-against-sparsity",
            alt=f"Error against the share of weights removed in {len(axes)} panels: the source's word error and the "
            f"test error of {words.names(table)}, each with three curves: pruning both signs, positive weights only, "
            f"negative weights only. {words.knees_in_words(table)}",
            caption=f"Error against sparsity, each task on its own scale. {_BAND} Dotted: the unpruned nets. "
            f"{_ONE_RUN}",
            table="threshold-sweep",
        )


def positive_against_negative(table: DataFrame, source: DataFrame) -> Saved:
    """Draw the error of negative-only minus positive-only pruning at the same threshold, beside the source's."""
    paired = _paired(table, ["data", "model", "seed", "threshold"], "error_percent")
    printed = _paired(source[source["experiment"].isin([2, 3])], ["threshold"], "wer_percent")
    with style():
        figure, axes = panels([_SOURCE_TITLE, *words.titles(table)])
        axes[0].plot(printed["threshold"], printed["difference"], color=INK, marker="o")
        axes[0].set_ylabel("negative − positive (points)")
        for axis, (_, rows) in zip(axes[1:], words.by_model(paired), strict=True):
            line = Line(label="negative − positive", colour=METHODS["abs"].colour, marker="o")
            curve(axis, rows, "threshold", "difference", along="threshold", line=line)
            axis.set_ylabel("negative − positive (points)")
        for axis in axes:
            axis.axhline(0, color=MUTED, linewidth=0.9)
            axis.set_xlabel("threshold (weight units)")
        return save(
            figure,
            "positive-against-negative",
            alt=f"Difference in error between removing only negative and only positive weights, against the threshold, "
            f"for the source's recogniser and for {words.names(table)}. "
            "Below the zero line negative pruning does better.",
            caption=f"Word error (source) and test error (ours) of pruning negatives minus that of pruning positives "
            f"at one threshold, paired by net. {_BAND} Below zero, pruning negatives costs less. {_ONE_RUN}",
            table="threshold-sweep",
        )


def layer_error(table: DataFrame) -> Saved:
    """Draw test error against threshold when one layer alone is pruned."""
    with style():
        figure, axes = panels(words.titles(table))
        for axis, (_, rows) in zip(axes, words.by_model(table), strict=True):
            for name, line in _layers(rows):
                part = rows[rows["layer"] == name]
                curve(axis, part, "scale", "error_percent", along="threshold", line=line, label=name)
            _baseline(axis, rows)
            axis.set_xlabel("threshold (root mean square weights)")
            axis.set_ylabel("test error (%)")
            _percent_axis(axis)
        legend(figure, axes)
        return save(
            figure,
            "layer-error",
            alt=f"Test error against threshold with one layer pruned at a time, one panel each for "
            f"{words.names(table)}. At the largest threshold: {words.ends_in_words(table)}.",
            caption="One layer pruned at a time, the threshold in units of the whole net's root mean square weight. "
            f"{_BAND}",
            table="layer-sensitivity",
        )


def layer_sparsity(table: DataFrame, source: DataFrame, threshold_scale: float) -> Saved:
    """Draw, at one threshold, the error each layer costs against the sparsity it gains, beside the source's layers.

    Args:
        table: the one-layer sweep, all thresholds.
        source: the source's printed table.
        threshold_scale: root mean square weights; each model is drawn at its nearest threshold.
    """
    printed = source[source["experiment"] == 5]
    with style():
        figure, axes = panels([_SOURCE_TITLE, *words.titles(table)])
        axes[0].scatter(printed["sparsity_percent"], printed["wer_percent"], color=INK, s=20)
        for (x, y), (label, above) in _labels(printed).items():
            side = "bottom" if above else "top"
            offset = (0, 5 if above else -5)
            axes[0].annotate(label, (x, y), offset, textcoords="offset points", ha="center", va=side, fontsize=8)
        axes[0].set_ylabel("word error (%)")
        for axis, (_, rows) in zip(axes[1:], words.by_model(_percent(at_scale(table, threshold_scale))), strict=True):
            for name, line in _layers(rows):
                part = rows[rows["layer"] == name]
                low, mean, high = _spread(part["error_percent"])
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
            axis.set_ylabel("test error (%)")
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
            f"square weights in our nets. Bars: 95 % t interval over seeds. {_ONE_RUN}",
            table="layer-sensitivity",
        )


def global_against_percentile(table: DataFrame, source: DataFrame) -> Saved:
    """Draw error against sparsity for one global threshold and for the same fraction of each layer and sign."""
    with style():
        compared = source[source["experiment"] == 6]
        figure, _ = _error_panels(table, compared, ("abs", "percentile"), _SPARSITY, along="setting")
        return save(
            figure,
            "global-against-percentile",
            alt=f"Error against the share of weights removed, for one global threshold and for the same percentile of "
            f"every layer and sign, in the source's recogniser and in {words.names(table)}. "
            f"{words.knees_in_words(table)}",
            caption=f"One global threshold against the same fraction of each layer's positive and negative weights. "
            f"{_BAND} Dotted: the unpruned nets. {_ONE_RUN}",
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


def _percent(table: DataFrame) -> DataFrame:
    return table.assign(sparsity_percent=100 * table["sparsity"])


def _layers(rows: DataFrame) -> list[tuple[str, Line]]:
    names = list(dict.fromkeys(rows["layer"]))
    return [(name, DEPTHS[depth % len(DEPTHS)]) for depth, name in enumerate(names)]


def _baseline(axis: Axes, rows: DataFrame) -> None:
    axis.axhline(rows["baseline_error_percent"].mean(), color=MUTED, linewidth=0.9, linestyle=":")


def _percent_axis(axis: Axes) -> None:
    """Show all errors there can be: an error is a percentage, however wide its interval."""
    axis.set_ylim(0, 103)
    axis.set_xlim(left=0)


def _spread(values: "pd.Series[float]") -> tuple[float, float, float]:
    interval = t_interval(values.to_numpy())
    return interval.low, interval.value, interval.high


def _error_panels(
    table: DataFrame, source: DataFrame, methods: Sequence[str], columns: tuple[str, str], *, along: str
) -> tuple[Figure, list[Axes]]:
    """Draw error curves, the source's in the first panel and one panel a model after it.

    Args:
        table: our rows, sparsity as a fraction.
        source: the source's rows, drawn once each though experiments 4 and 6 print some of 1 to 3 again.
        methods: the curves of a panel.
        columns: horizontal axis in the source's table and in ours.
        along: column of ours that names a setting.
    """
    figure, axes = panels([_SOURCE_TITLE, *words.titles(table)])
    printed = source[source["layer"] == "all"].drop_duplicates(["method", "threshold"])
    for method in methods:
        part = printed[printed["method"] == method].sort_values(columns[0])
        line = METHODS[method]
        axes[0].plot(part[columns[0]], part["wer_percent"], color=line.colour, marker=line.marker, linestyle=line.dash)
    axes[0].set_ylabel("word error (%)")
    for axis, (_, rows) in zip(axes[1:], words.by_model(_percent(table)), strict=True):
        for method in methods:
            part = rows[rows["method"] == method]
            curve(axis, part, columns[1], "error_percent", along=along, line=METHODS[method])
        _baseline(axis, rows)
        axis.set_ylabel("test error (%)")
    for axis in axes:
        axis.set_xlabel("weights removed (%)")
        _percent_axis(axis)
    legend(figure, axes[1:])
    return figure, axes


def _paired(table: DataFrame, key: Sequence[str], column: str) -> DataFrame:
    """Subtract positive from negative rows that share `key`."""
    signs = {sign: table[table["method"] == sign].set_index(list(key))[column] for sign in ("positive", "negative")}
    return (signs["negative"] - signs["positive"]).dropna().rename("difference").reset_index()
