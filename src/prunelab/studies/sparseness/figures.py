"""The figures of study 1: our tables on image nets or recognisers, the source's table on its recogniser beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab.figures.style import DEPTHS, INK, METHODS, MUTED, Line, Saved, curve, legend, panels, save, style
from prunelab.stats import t_interval
from prunelab.studies.common.captions import by_model, ends_in_words, knees_in_words, names, titles
from prunelab.studies.common.curves import at_scale
from prunelab.studies.sparseness.summary import rescaled_gains

SOURCE_TITLE = "source: speech recogniser (Kaldi)"


ONE_RUN = "The source printed one run, without intervals."


BAND = "Line: mean over seeds; band: 95 % t interval."


@dataclass(frozen=True, kw_only=True)
class Task:
    """How one kind of net's tables are drawn."""

    error: str  # what the nets are measured by
    threshold: str  # column of the thresholds drawn
    unit: str  # of that column


IMAGES = Task(error="test error", threshold="threshold", unit="weight units")


# Recognisers of different activation differ in the scale of their weights; in its unit they share an axis.
SPEECH = Task(error="word error", threshold="scale", unit="root mean square weights")


# Seven layers: dark to light, and where neighbours come close, another marker and another dash.
_SEVEN = tuple(
    Line(label="", colour=colour, marker=marker, dash=dash)
    for colour, marker, dash in (
        ("#00204d", "o", "-"),
        ("#1f4e9c", "s", (0, (5, 2))),
        ("#0f8a8a", "^", (0, (2, 1))),
        ("#7c2d6b", "D", "-"),
        ("#c2477f", "v", (0, (5, 2))),
        ("#e07b39", "P", (0, (2, 1))),
        ("#d9a400", "X", "-"),
    )
)


def source_panels(
    table: DataFrame,
    source: DataFrame,
    methods: Sequence[str],
    columns: tuple[str, str],
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
    figure, axes = panels([SOURCE_TITLE, *titles(table)])
    printed = source[source["layer"] == "all"].drop_duplicates(["method", "threshold"])
    for method in methods:
        part = printed[printed["method"] == method].sort_values(columns[0])
        line = METHODS[method]
        axes[0].plot(part[columns[0]], part["wer_percent"], color=line.colour, marker=line.marker, linestyle=line.dash)
    axes[0].set_ylabel("word error (%)")
    percent_axis(axes[0])
    for axis, (_, rows) in zip(axes[1:], by_model(percent(table)), strict=True):
        for method in methods:
            part = rows[rows["method"] == method]
            curve(axis, part, columns[1], "error_percent", along=along, line=METHODS[method])
        baseline(axis, rows)
        axis.set_ylabel(f"{task.error} (%)")
        percent_axis(axis, rows, along=["method", along])
    for axis in axes:
        axis.set_xlabel("weights removed (%)")
    legend(figure, axes[1:])
    return figure, axes


def percent(table: DataFrame) -> DataFrame:
    """Give the sparsity in percent."""
    return table.assign(sparsity_percent=100 * table["sparsity"])


def layers_of(rows: DataFrame) -> list[tuple[str, Line]]:
    """Name the layers of a table in the net's order, each with its line."""
    names = list(dict.fromkeys(rows["layer"]))
    lines = DEPTHS if len(names) <= len(DEPTHS) else _SEVEN
    return [(name, lines[depth % len(lines)]) for depth, name in enumerate(names)]


def baseline(axis: Axes, rows: DataFrame) -> None:
    """Draw the mean error of the unpruned nets."""
    axis.axhline(rows["baseline_error_percent"].mean(), color=MUTED, linewidth=0.9, linestyle=":")


def percent_axis(axis: Axes, rows: DataFrame | None = None, *, along: Sequence[str] = ()) -> None:
    """Show all errors from 0 to 100 %, and beyond where inserted words take a mean there, however wide its interval.

    Args:
        axis: where.
        rows: what is drawn there; errors stay within 100 % without them.
        along: columns that name a setting.
    """
    highest = 0.0 if rows is None else float(rows.groupby(list(along))["error_percent"].mean().max())
    axis.set_ylim(0, 1.03 * max(100.0, highest))
    axis.set_xlim(left=0)


def spread(values: "pd.Series[float]") -> tuple[float, float, float]:
    """Give lower end, mean and upper end of the 95 % t interval."""
    interval = t_interval(values.to_numpy())
    return interval.low, interval.value, interval.high


def negative_minus_positive(table: DataFrame, key: Sequence[str], column: str) -> DataFrame:
    """Subtract positive from negative rows that share `key`."""
    signs = {sign: table[table["method"] == sign].set_index(list(key))[column] for sign in ("positive", "negative")}
    return (signs["negative"] - signs["positive"]).dropna().rename("difference").reset_index()


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
            f"{task.error} of {names(table)}, each with three curves: pruning both signs, positive weights "
            f"only, negative weights only. {knees_in_words(table)}",
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
            f"{task.error} of {names(table)}, each with three curves: pruning both signs, positive weights only, "
            f"negative weights only. {knees_in_words(table)}",
            caption=f"Error against sparsity, each task on its own scale. {BAND} Dotted: the unpruned nets. {ONE_RUN}",
            table="threshold-sweep",
        )


def positive_against_negative(table: DataFrame, source: DataFrame, task: Task = IMAGES) -> Saved:
    """Draw the error of negative-only minus positive-only pruning at the same threshold, beside the source's."""
    paired = negative_minus_positive(table, ["data", "model", "seed", "threshold", "scale"], "error_percent")
    printed = negative_minus_positive(source[source["experiment"].isin([2, 3])], ["threshold"], "wer_percent")
    with style():
        figure, axes = panels([SOURCE_TITLE, *titles(table)])
        axes[0].plot(printed["threshold"], printed["difference"], color=INK, marker="o")
        axes[0].set_ylabel("negative − positive (points)")
        for axis, (_, rows) in zip(axes[1:], by_model(paired), strict=True):
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
            f"for the source's recogniser and for {names(table)}. "
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
        figure, axes = panels(titles(table))
        for axis, (_, rows) in zip(axes, by_model(table), strict=True):
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
            f"{names(table)}. At the largest threshold: {ends_in_words(table)}.",
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
        figure, axes = panels([SOURCE_TITLE, *titles(table)])
        axes[0].scatter(printed["sparsity_percent"], printed["wer_percent"], color=INK, s=20)
        for (x, y), (label, above) in _labels(printed).items():
            side = "bottom" if above else "top"
            offset = (0, 5 if above else -5)
            axes[0].annotate(label, (x, y), offset, textcoords="offset points", ha="center", va=side, fontsize=8)
        axes[0].set_ylabel("word error (%)")
        for axis, (_, rows) in zip(axes[1:], by_model(percent(at_scale(table, threshold_scale))), strict=True):
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
            f"layers, and the layers of {names(table)}. {ends_in_words(at_scale(table, threshold_scale))}.",
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
            f"every layer and sign, in the source's recogniser and in {names(table)}. "
            f"{knees_in_words(table)}",
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
        figure, axes = panels([SOURCE_TITLE, *titles(table)])
        layers = list(printed["layer"])
        axes[0].plot(range(len(layers)), printed["wer_percent"], color=INK, marker="o", markersize=6, linestyle="none")
        _layer_axis(axes[0], layers, float(printed["wer_percent"].max()))
        for axis, (_, rows) in zip(axes[1:], by_model(nearest), strict=True):
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
            f"layers, and those of {names(table)}. {ends_in_words(nearest)}.",
            caption=f"One layer pruned at a time at one threshold: 0.15 in the source, {threshold_scale:g} root mean "
            f"square weights in our nets. Bars: 95 % t interval over seeds. Dotted: the unpruned nets. {ONE_RUN}",
            table="layer-sensitivity",
        )


def two_intervals(table: DataFrame) -> Saved:
    """Draw word error against sparsity under abs with both kinds of interval: over seeds, and over utterances."""
    both = percent(table[table["method"] == "abs"])
    with style():
        figure, axes = panels(titles(table))
        for axis, (_, rows) in zip(axes, by_model(both), strict=True):
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
            alt=f"Word error against the share of weights removed, both signs, for {names(table)}: the mean over "
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
        figure, axes = panels(titles(table))
        for axis, (_, rows) in zip(axes, by_model(drawn), strict=True):
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
            alt=f"Word error against the share of weights removed for {names(table)}: the same percentile of "
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
    for model, rows in by_model(rescaled_gains(table)):
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
    for model, rows in by_model(table):
        one = rows[rows["seed"] == rows["seed"].min()]
        half = (one["wer_high"] - one["wer_low"]) / 2
        parts.append(f"{model}: {half.min():.1f} to {half.max():.1f} points")
    return f"Half the width of the interval over utterances: {'; '.join(parts)}."
