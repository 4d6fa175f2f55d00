"""The figures of study 0: what pruning does to a recogniser's outputs, one row or panel a net."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab import figures as draw
from prunelab.stats import t_interval
from prunelab.studies.common import figures as captions
from prunelab.studies.common.curves import at_scale
from prunelab.studies.common.figures import by_model
from prunelab.summaries import only

SIGNS = ("abs", "positive", "negative")
LAST_BIN = "The last bin of a ReLU holds all larger outputs too."

NAMES = {method: draw.METHODS[method].label.split(" (")[0] for method in SIGNS}  # where there is no room for more
_FAR = 10  # standard deviations
_PREDICTED = {"predicted_local": "local", "predicted_cascade": "cascade"}


def unpruned_bins(rows: DataFrame) -> DataFrame:
    """Keep one row a bin of the unpruned net, whose rows may be repeated at every threshold.

    Raises:
        ValueError: the net has no rows of method "baseline".
    """
    base: DataFrame = only(rows, method="baseline").drop_duplicates("bin_low").sort_values("bin_low")
    if base.empty:
        net = rows["model"].iloc[0]
        raise ValueError(f"a net's histograms hold its unpruned outputs as method 'baseline'; {net} lacks them")
    return base


@draw.drawing()
def four_panels(histograms: DataFrame, at: float) -> draw.Saved:
    """Draw the outputs of the last activation unpruned and under each method, at one threshold.

    Args:
        histograms: shares by bin; method "baseline" is the unpruned nets.
        at: threshold in root mean square weights; each net is drawn at its nearest.

    Raises:
        ValueError: a scale that is negative or not finite, or a net without baseline rows.
    """
    pruned = at_scale(histograms[histograms["method"] != "baseline"], at)
    nets, columns = captions.titles(histograms), ["unpruned", *NAMES.values()]
    figure, grid_rows = draw.matrix(nets, columns, xlabel="output", ylabel="outputs (%)")
    for axes, (model, rows) in zip(grid_rows, by_model(histograms), strict=True):
        unpruned = unpruned_bins(rows)
        parts = [only(pruned, model=model, method=method).sort_values("bin_low") for method in SIGNS]
        colours = ["#a6a6a6", *(draw.METHODS[method].colour for method in SIGNS)]
        for axis, part, colour in zip(axes, [unpruned, *parts], colours, strict=True):
            axis.stairs(100 * part["share"], _edges(part), fill=True, color=colour)
            axis.stairs(100 * unpruned["share"], _edges(unpruned), color=draw.INK, linewidth=0.9)
            axis.set_yscale("function", functions=(_root, np.square))
        top = max(axis.get_ylim()[1] for axis in axes)
        for axis in axes:  # one scale, numbered once
            axis.set_ylim(0, top)
            axis.set_yticks([0, *(float(f"{top * part:.1g}") for part in (0.1, 0.35, 0.8))])
            axis.tick_params(labelleft=axis is axes[0])
    return draw.save(
        figure,
        "four-panels",
        alt=f"Histograms of the last activation's outputs, one row each for {captions.names(histograms)}: "
        f"unpruned, both signs, positive only and negative only pruned at {at:g} root mean square weights. "
        f"{_means_in_words(histograms, pruned)}",
        caption=f"Outputs of the last activation at a threshold of {at:g} root mean square weights, means over "
        f"seeds, on a square-root scale. The line repeats the unpruned outputs. {LAST_BIN}",
        table="histograms",
    )


@draw.drawing()
def evolution(histograms: DataFrame) -> draw.Saved:
    """Draw how the distribution of the last activation's outputs changes with the threshold, one image a method."""
    pruned = histograms[histograms["method"] != "baseline"]
    largest = at_scale(pruned, float(histograms["scale"].max()))
    colours = LogNorm(0.1, 100 * float(histograms["share"].max()), clip=True)
    nets = captions.titles(histograms)
    figure, grid_rows = draw.matrix(
        nets, list(NAMES.values()), height=2.3, xlabel="threshold (RMS weights)", ylabel="output"
    )
    for axes, (model, rows) in zip(grid_rows, by_model(histograms), strict=True):
        cut = _edges(unpruned_bins(rows))
        for axis, method in zip(axes, SIGNS, strict=True):
            shares = only(pruned, model=model, method=method).pivot_table("share", index="bin_low", columns="scale")
            image = axis.pcolormesh(
                _around(shares.columns.to_numpy(dtype=float)),
                cut,
                100 * shares.to_numpy(),
                cmap="cividis",
                norm=colours,
                rasterized=True,  # as paths, thousands of cells would be a drawing of megabytes
            )
            axis.grid(visible=False)
            axis.set_xlim(left=0)
    every = [axis for axes in grid_rows for axis in axes]
    words = "outputs in the bin (%), logarithmic scale"
    figure.colorbar(image, ax=every, label=words, aspect=40, extend="min", format="%g")
    return draw.save(
        figure,
        "evolution",
        alt="Images of the distribution of the last activation's outputs against the threshold, one row each for "
        f"{captions.names(histograms)}, one column each for pruning both signs, positive only and negative only. "
        f"At the largest threshold. {_means_in_words(histograms, largest)}",
        caption="Distribution of the last activation's outputs (vertical) as the threshold grows (horizontal, root "
        "mean square weights), means over seeds. Lighter: more of the outputs; 0.1 % and less are one colour. "
        f"{LAST_BIN}",
        table="histograms",
    )


@draw.drawing()
def layer_shift(layers: DataFrame, at: float) -> draw.Saved:
    """Draw the mean shift of each layer at one threshold, and that of the last layer against the threshold.

    Args:
        layers: one row a net, method, threshold and layer.
        at: threshold in root mean square weights; each net is drawn at its nearest.

    Raises:
        ValueError: a scale that is negative or not finite.
    """
    chosen = at_scale(layers, at)
    final = layers[layers["depth"] == layers.groupby("model")["depth"].transform("max")]
    titles = [f"{net}, {what}" for net in captions.titles(layers) for what in (f"at {at:g} RMS", "last layer")]
    figure, axes = draw.grid(titles, ylabel="mean shift (standard deviations)")
    for (model, rows), by_depth, by_scale in zip(by_model(final), axes[::2], axes[1::2], strict=True):
        for method in SIGNS:
            here = only(chosen, model=model, method=method)
            draw.band(by_depth, here, "depth", "mean_shift", line=draw.METHODS[method])
            draw.band(
                by_scale, only(rows, method=method), "scale", "mean_shift", along="threshold", line=draw.METHODS[method]
            )
        by_depth.set_xlabel("layer, from the input")
        by_scale.set_xlabel("threshold (root mean square weights)")
        if burst([rows["mean_shift"]]):
            by_scale.set_yscale("symlog", linthresh=1.0)
    for axis in axes:
        draw.rule(axis, y=0)
    draw.legend(figure)
    words = []
    for model, rows in by_model(chosen):
        means = rows.pivot_table("mean_shift", index="method", columns="depth").loc[list(SIGNS)]
        ends = (f"{NAMES[sign]} {means.loc[sign].iloc[0]:.2f} to {means.loc[sign].iloc[-1]:.2f}" for sign in SIGNS)
        words.append(f"{model}: {', '.join(ends)}")
    return draw.save(
        figure,
        "layer-shift",
        alt=f"Mean shift of the pre-activations against the layer's depth at {at:g} root mean square weights, and "
        f"of the last layer against the threshold, for {captions.names(layers)}, with three curves: pruning both "
        f"signs, positive only, negative only. From the first layer to the last: {'; '.join(words)}.",
        caption="Change of a unit's mean pre-activation, in standard deviations of the unpruned unit, mean over "
        f"units. Left: every layer at {at:g} root mean square weights; right: the last layer, where shifts beyond "
        f"{_FAR:g} occur on an axis that is logarithmic from 1 on. {draw.BAND}",
        table="layers",
    )


@draw.drawing()
def order_and_wer(posteriors: DataFrame) -> draw.Saved:
    """Draw word error against how well the order of the posteriors is kept, a point a threshold."""
    figure, axes = draw.grid(
        captions.titles(posteriors), xlabel="rank correlation with the unpruned net", ylabel="word error (%)"
    )
    words = []
    for axis, (model, rows) in zip(axes, by_model(posteriors), strict=True):
        for method in SIGNS:
            points = [
                (t_interval(own["rank_correlation"]), t_interval(own["error_percent"]))
                for _, own in only(rows, method=method).groupby("threshold")
            ]
            draw.bars(axis, points, line=draw.METHODS[method], joined=True)
        axis.set_xlim(min(-0.05, axis.get_xlim()[0]), 1.03)
        _error_axis(axis, rows)
        words.append(f"{model}: {rows['rank_correlation'].corr(rows['error_percent'], method='spearman'):.2f}")
    draw.legend(figure)
    return draw.save(
        figure,
        "order-and-wer",
        alt="Word error against the rank correlation of a frame's posteriors with the unpruned net's, a point a "
        f"threshold, joined from small to large thresholds, in one panel each for {captions.names(posteriors)}, "
        "with three curves: pruning both signs, positive only, negative only. Spearman correlation of the two over "
        f"all rows: {'; '.join(words)}.",
        caption="Word error against the mean rank correlation of a frame's posteriors with those of the unpruned "
        f"net, a point a threshold. {draw.BARS} Dotted: the unpruned nets.",
        table="posteriors",
    )


@draw.drawing()
def predicted_against_measured(shifts: DataFrame) -> draw.Saved:
    """Draw the mean shift measured in each layer against the one predicted from the weights removed."""
    columns = ["measured", *_PREDICTED]
    setting = ["data", "model", "method", "threshold", "layer"]
    spots = shifts.groupby(setting, sort=False)[columns].mean().reset_index()
    figure, axes = draw.grid(
        [f"{net}: {label}" for net in captions.titles(shifts) for label in _PREDICTED.values()],
        xlabel="predicted mean shift (standard deviations)",
        ylabel="measured (standard deviations)",
    )
    words = []
    nets = [(model, rows, kind) for model, rows in by_model(spots) for kind in _PREDICTED]
    for axis, (model, rows, kind) in zip(axes, nets, strict=True):
        reach = 1.08 * float(rows[columns].abs().to_numpy().max()) or 1.0
        # Drawn from end to end, since a line given by its slope needs linear axes.
        axis.plot([-reach, reach], [-reach, reach], color=draw.MUTED, linewidth=0.9)
        for method in SIGNS:
            part = only(rows, method=method)
            axis.plot(part[kind], part["measured"], **draw.METHODS[method].look(linestyle="none", alpha=0.7))
        if burst(rows[column] for column in columns):
            axis.set_xscale("symlog", linthresh=1.0)
            axis.set_yscale("symlog", linthresh=1.0)
        axis.set_xlim(-reach, reach)
        axis.set_ylim(-reach, reach)
        words.append(f"{model}, {_PREDICTED[kind]}: {rows[kind].corr(rows['measured']):.2f}")
    draw.legend(figure)
    return draw.save(
        figure,
        "predicted-against-measured",
        alt="Measured against predicted mean shift of the pre-activations, a point a layer, method and threshold, "
        f"with the line where both are equal, for {captions.names(shifts)}: predicted for each layer by itself "
        f"(local), and with the shifts of the layers before carried on (cascade). Correlation of the two: "
        f"{'; '.join(words)}.",
        caption="Mean shift of each layer's pre-activations, measured against predicted from the removed weights "
        "and the mean inputs, means over seeds: of each layer by itself (local), and with the shifts of the layers "
        "before carried on (cascade). Line: measured as predicted. Axes of large shifts are logarithmic from 1 on.",
        table="predicted-shifts",
    )


@draw.drawing()
def correction_curves(correction: DataFrame) -> draw.Saved:
    """Draw word error against sparsity with and without the biases corrected for the predicted mean shift."""
    drawn = correction.assign(removed=100 * correction["sparsity"])
    figure, axes = draw.grid(captions.titles(correction), xlabel="weights removed (%)", ylabel="word error (%)")
    for axis, (_, rows) in zip(axes, by_model(drawn), strict=True):
        for method, name in NAMES.items():
            line = draw.METHODS[method]
            for corrected, look in (
                (True, replace(line, dash="-", label=f"{name}, corrected")),
                (False, line.dashed(name)),
            ):
                own = only(rows, method=method, corrected=corrected)
                draw.band(axis, own, "removed", "error_percent", along="threshold", line=look)
        _error_axis(axis, rows)
        axis.set_xlim(left=0)
    draw.legend(figure, columns=3)  # column by column: each method's two curves above each other
    before, after = (captions.knees_in_words(only(correction, corrected=corrected)) for corrected in (False, True))
    return draw.save(
        figure,
        "correction-curves",
        alt=f"Word error against the share of weights removed in one panel each for {captions.names(correction)}, "
        "for pruning both signs, positive only and negative only, each without and with corrected biases. Without: "
        f"{before} With: {after}",
        caption="Word error against sparsity with (solid) and without (dashed) biases that make up for the "
        f"predicted mean shift, nothing trained again. {draw.BAND} Dotted: the unpruned nets.",
        table="correction",
    )


def burst(shifts: Iterable["pd.Series[float]"]) -> bool:
    """Say whether mean shifts go so far beyond one standard deviation that a linear axis shows nothing else."""
    return max(float(part.abs().max()) for part in shifts) > _FAR


def _means_in_words(histograms: DataFrame, pruned: DataFrame) -> str:
    """Say each net's mean output, unpruned and under each method; `pruned` are rows of one threshold a net."""
    parts = []
    for model, rows in by_model(histograms):
        means = {"unpruned": unpruned_bins(rows)}
        means |= {name: only(pruned, model=model, method=method) for method, name in NAMES.items()}
        parts.append(f"{model}: {', '.join(f'{name} {_mean(bins):.2f}' for name, bins in means.items())}")
    return f"Means of the binned outputs: {'; '.join(parts)}."


def _mean(bins: DataFrame) -> float:
    """Give the mean of binned outputs, each taken at the middle of its bin."""
    return float(((bins["bin_low"] + bins["bin_high"]) / 2 * bins["share"]).sum() / bins["share"].sum())


def _error_axis(axis: Axes, rows: DataFrame) -> None:
    """Show all word errors, and dotted that of the unpruned nets."""
    draw.rule(axis, y=float(rows["baseline_error_percent"].mean()), dash=draw.DOTTED)
    draw.percent_axis(axis, float(rows["error_percent"].max()))


def _edges(bins: DataFrame) -> NDArray[np.float64]:
    return draw.edges(bins, "bin_low", "bin_high")


def _around(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges halfway between values, the outer ones as far out as the next."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    between = (centres[1:] + centres[:-1]) / 2
    return np.array([2 * centres[0] - between[0], *between, 2 * centres[-1] - between[-1]])


def _root(values: Any) -> Any:
    """Square root that takes the slightly negative ends of an axis for 0."""
    return np.sqrt(np.clip(values, 0, None))
