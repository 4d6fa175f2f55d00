"""The figures of study 1 that only recognisers need: what each layer costs, and two kinds of interval on one curve."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from pandas import DataFrame

from prunelab.figures import INK, METHODS, Line, Saved, curve, legend, panels, save, style
from prunelab.studies import sparseness_words as words
from prunelab.studies.rescaling import gain_table
from prunelab.studies.sparseness import at_scale
from prunelab.studies.sparseness_panels import (
    BAND,
    ONE_RUN,
    SOURCE_TITLE,
    baseline,
    layers_of,
    percent,
    percent_axis,
    spread,
)

_RESCALED = {
    "trained": Line(label="one threshold, layers as trained", colour="#0072b2", marker="o"),
    "equal": Line(label="one threshold, layers of equal scale", colour="#00204d", marker="D", dash=(0, (5, 2))),
    "rising": Line(label="one threshold, scale rising with depth", colour="#e07b39", marker="^", dash=(0, (2, 1))),
    "falling": Line(
        label="one threshold, scale falling with depth", colour="#009e73", marker="v", dash=(0, (4, 1, 1, 1))
    ),
}


def layer_costs(table: DataFrame, source: DataFrame, threshold_scale: float) -> Saved:
    """Draw the word error that pruning each layer alone costs at one threshold, the source's layers beside ours.

    Args:
        table: the one-layer sweep, all thresholds.
        source: the source's printed table.
        threshold_scale: root mean square weights; each model is drawn at its nearest threshold.
    """
    printed = source[source["experiment"] == 5]
    nearest = at_scale(table, threshold_scale)
    with style():
        figure, axes = panels([SOURCE_TITLE, *words.titles(table)])
        names = list(printed["layer"])
        axes[0].plot(range(len(names)), printed["wer_percent"], color=INK, marker="o", markersize=6, linestyle="none")
        _layer_axis(axes[0], names, float(printed["wer_percent"].max()))
        for axis, (_, rows) in zip(axes[1:], words.by_model(nearest), strict=True):
            lines = layers_of(rows)
            means, highest = [], 0.0
            for place, (name, line) in enumerate(lines):
                low, mean, high = spread(rows.loc[rows["layer"] == name, "error_percent"])
                axis.errorbar(
                    place,
                    mean,
                    yerr=[[mean - low], [high - mean]],
                    color=line.colour,
                    marker=line.marker,
                    markersize=6,
                    linestyle="none",
                    capsize=3,
                )
                means.append(mean)
                highest = max(highest, mean, high if high == high else mean)
            baseline(axis, rows)
            # A wide interval of few seeds does not press all layers to the floor.
            _layer_axis(axis, [name for name, _ in lines], min(highest, max(100.0, *means)))
        return save(
            figure,
            "layer-costs",
            alt=f"Word error with one layer pruned, layer by layer from the first to the last: the source's seven "
            f"layers, and those of {words.names(table)}. {words.ends_in_words(nearest)}.",
            caption=f"One layer pruned at a time at one threshold: 0.15 in the source, {threshold_scale:g} root mean "
            f"square weights in our nets. Bars: 95 % t interval over seeds. Dotted: the unpruned nets. {ONE_RUN}",
            table="layer-sensitivity",
        )


def two_intervals(table: DataFrame) -> Saved:
    """Draw word error against sparsity under abs with both kinds of interval: over seeds, and over utterances."""
    both = percent(table[table["method"] == "abs"])
    with style():
        figure, axes = panels(words.titles(table))
        for axis, (_, rows) in zip(axes, words.by_model(both), strict=True):
            curve(
                axis,
                rows,
                "sparsity_percent",
                "error_percent",
                along="threshold",
                line=METHODS["abs"],
                label="mean over seeds, 95 % t interval",
            )
            one = rows[rows["seed"] == rows["seed"].min()].sort_values("sparsity_percent")
            axis.errorbar(
                one["sparsity_percent"],
                one["error_percent"],
                yerr=[one["error_percent"] - one["wer_low"], one["wer_high"] - one["error_percent"]],
                color=INK,
                marker="s",
                markersize=3,
                linestyle="none",
                linewidth=1.1,
                capsize=2.5,
                label="one net, 95 % bootstrap over utterances",
            )
            baseline(axis, rows)
            axis.set_xlabel("weights removed (%)")
            axis.set_ylabel("word error (%)")
            percent_axis(axis, rows, along=["threshold"])
        legend(figure, axes)
        return save(
            figure,
            "two-intervals",
            alt=f"Word error against the share of weights removed, both signs, for {words.names(table)}: the mean over "
            f"seeds with its interval, and one net with the interval over utterances. {_widths_in_words(both)}",
            caption="Two questions, two intervals. Band: would another net, trained anew, do the same? Bars: would "
            "this net (the first seed) on other utterances? Dotted: the unpruned nets.",
            table="threshold-sweep",
        )


def rescaled_curves(table: DataFrame) -> Saved:
    """Draw word error against sparsity for one global threshold on rescaled layers, and for percentiles.

    Args:
        table: see `rescaling.rescaled_table`.
    """
    drawn = percent(table)
    with style():
        figure, axes = panels(words.titles(table))
        for axis, (_, rows) in zip(axes, words.by_model(drawn), strict=True):
            layered = rows[(rows["method"] == "percentile") & (rows["rescaling"] == "trained")]
            curve(axis, layered, "sparsity_percent", "error_percent", along="setting", line=METHODS["percentile"])
            for rescaling, line in _RESCALED.items():
                own = rows[(rows["method"] == "abs") & (rows["rescaling"] == rescaling)]
                curve(axis, own, "sparsity_percent", "error_percent", along="setting", line=line)
            baseline(axis, rows)
            axis.set_xlabel("weights removed (%)")
            axis.set_ylabel("word error (%)")
            percent_axis(axis, rows, along=["rescaling", "method", "setting"])
        figure.set_size_inches(7.8, figure.get_size_inches()[1])
        # Long entries: beside the panel, where beneath it they would be wider than the figure.
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
        return save(
            figure,
            "rescaled",
            alt=f"Word error against the share of weights removed for {words.names(table)}: the same percentile of "
            "every layer and sign, and one global threshold on four versions of the nets that compute the same, with "
            f"layers of other scale. {_knees_by_rescaling(table)}",
            caption="The same nets, their layers given other scales without changing what they compute. Percentiles "
            f"remove the same weights from all of them; one global threshold does not. {BAND} Dotted: the unpruned "
            "nets.",
            table="rescaled",
        )


def _knees_by_rescaling(table: DataFrame) -> str:
    """Say where each curve passes its knee."""
    parts = []
    for model, rows in words.by_model(gain_table(table)):
        said = [f"{rows['percentile_knee'].iloc[0]:.0f} % (percentile)"]
        said += [
            f"{knee:.0f} % ({_RESCALED[name].label})" if knee == knee else f"not by every net ({_RESCALED[name].label})"
            for name, knee in zip(rows["rescaling"], rows["global_knee"], strict=True)
        ]
        parts.append(f"{model}: {', '.join(said)}")
    return f"The error exceeds the unpruned one by 20 points at these sparsities: {'; '.join(parts)}."


def _layer_axis(axis: Axes, names: Sequence[str], highest: float) -> None:
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_ylim(0, 1.06 * highest)
    axis.set_ylabel("word error (%)")
    axis.grid(visible=False, axis="x")


def _widths_in_words(table: DataFrame) -> str:
    """Say how wide the interval over utterances is, from its narrowest to its widest."""
    parts = []
    for model, rows in words.by_model(table):
        one = rows[rows["seed"] == rows["seed"].min()]
        half = (one["wer_high"] - one["wer_low"]) / 2
        parts.append(f"{model}: {half.min():.1f} to {half.max():.1f} points")
    return f"Half the width of the interval over utterances: {'; '.join(parts)}."
