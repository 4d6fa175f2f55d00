"""The figures of study 0: what pruning does to a recogniser's outputs, one row or panel a net."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.figures import INK, METHODS, MUTED, Saved, curve, legend, panels, save, style
from prunelab.stats import t_interval
from prunelab.studies import sparseness_words as words
from prunelab.studies.outputs_words import LAST_BIN, SIGNS, means_in_words, named, shifts_in_words, unpruned_bins
from prunelab.studies.sparseness import at_scale

_SCALE = "threshold (root mean square weights)"
_BAND = "Line: mean over seeds; band: 95 % t interval."
_IN_BIN = "outputs in the bin (%), logarithmic scale"
_FAR = 10  # standard deviations


def four_panels(histograms: DataFrame, at: float) -> Saved:
    """Draw the outputs of the last activation unpruned and under each method, at one threshold.

    Args:
        histograms: shares by bin; method "baseline" is the unpruned nets.
        at: threshold in root mean square weights; each net is drawn at its nearest.

    Raises:
        ValueError: a scale that is negative or not finite.
    """
    pruned = at_scale(histograms[histograms["method"] != "baseline"], at)
    with style():
        figure, grid = _grid(words.titles(histograms), ["unpruned", *map(named, SIGNS)], height=2.0)
        for row, (model, rows) in zip(grid, words.by_model(histograms), strict=True):
            unpruned = unpruned_bins(rows)
            for axis, method in zip(row, ("baseline", *SIGNS), strict=True):
                part = unpruned if method == "baseline" else only(pruned, model, method).sort_values("bin_low")
                colour = "#a6a6a6" if method == "baseline" else METHODS[method].colour
                axis.stairs(100 * part["share"], _edges(part), fill=True, color=colour)
                axis.stairs(100 * unpruned["share"], _edges(unpruned), color=INK, linewidth=0.9)
                axis.set_yscale("function", functions=(_root, np.square))
            _one_scale(row)
            row[0].set_ylabel("outputs (%)")
        for axis in grid[-1]:
            axis.set_xlabel("output")
        return save(
            figure,
            "four-panels",
            alt=f"Histograms of the last activation's outputs, one row each for {words.names(histograms)}: unpruned, "
            f"both signs, positive only and negative only pruned at {at:g} root mean square weights. "
            f"{means_in_words(histograms, pruned)}",
            caption=f"Outputs of the last activation at a threshold of {at:g} root mean square weights, means over "
            f"seeds, on a square-root scale. The line repeats the unpruned outputs. {LAST_BIN}",
            table="histograms",
        )


def evolution(histograms: DataFrame) -> Saved:
    """Draw how the distribution of the last activation's outputs changes with the threshold, one image a method."""
    top = 100 * float(histograms["share"].max())
    pruned = histograms[histograms["method"] != "baseline"]
    largest = at_scale(pruned, float(histograms["scale"].max()))
    with style():
        figure, grid = _grid(words.titles(histograms), [*map(named, SIGNS)], height=2.3)
        figure.set_dpi(200)  # of the images within the drawing
        for row, (model, rows) in zip(grid, words.by_model(histograms), strict=True):
            edges = _edges(unpruned_bins(rows))
            for axis, method in zip(row, SIGNS, strict=True):
                shares = only(pruned, model, method).pivot_table("share", index="bin_low", columns="scale")
                image = axis.pcolormesh(
                    _around(shares.columns.to_numpy(dtype=float)),
                    edges,
                    100 * shares.to_numpy(),
                    cmap="cividis",
                    norm=LogNorm(0.1, top, clip=True),
                    rasterized=True,  # as paths, thousands of cells would be a drawing of megabytes
                )
                axis.grid(False)
                axis.set_xlim(left=0)
            row[0].set_ylabel("output")
        for axis in grid[-1]:
            axis.set_xlabel("threshold (RMS weights)")
        every = [axis for row in grid for axis in row]
        figure.colorbar(image, ax=every, label=_IN_BIN, aspect=40, extend="min", format="%g")
        return save(
            figure,
            "evolution",
            alt="Images of the distribution of the last activation's outputs against the threshold, one row each for "
            f"{words.names(histograms)}, one column each for pruning both signs, positive only and negative only. "
            f"At the largest threshold. {means_in_words(histograms, largest)}",
            caption="Distribution of the last activation's outputs (vertical) as the threshold grows (horizontal, root "
            "mean square weights), means over seeds. Lighter: more of the outputs; 0.1 % and less are one colour. "
            f"{LAST_BIN}",
            table="histograms",
        )


def layer_shift(layers: DataFrame, at: float) -> Saved:
    """Draw the mean shift of each layer at one threshold, and that of the last layer against the threshold.

    Args:
        layers: mean shift by layer, one row a net, method, threshold and layer.
        at: threshold in root mean square weights; each net is drawn at its nearest.

    Raises:
        ValueError: a scale that is negative or not finite.
    """
    chosen = at_scale(layers, at)
    final = layers[layers["depth"] == layers.groupby("model")["depth"].transform("max")]
    nets = words.titles(layers)
    with style():
        figure, axes = panels([f"{net}, {what}" for net in nets for what in (f"at {at:g} RMS", "last layer")])
        for index, (model, _) in enumerate(words.by_model(layers)):
            by_depth, by_scale = axes[2 * index : 2 * index + 2]
            for method in SIGNS:
                depths = only(chosen, model, method)
                curve(by_depth, depths, "depth", "mean_shift", along="depth", line=METHODS[method])
                grown = only(final, model, method)
                curve(by_scale, grown, "scale", "mean_shift", along="threshold", line=METHODS[method])
            by_depth.set_xlabel("layer, from the input")
            by_depth.set_ylabel("mean shift (standard deviations)")
            by_scale.set_xlabel(_SCALE)
            if burst([final[final["model"] == model]["mean_shift"]]):
                by_scale.set_yscale("symlog", linthresh=1.0)
            for axis in (by_depth, by_scale):
                axis.axhline(0, color=MUTED, linewidth=0.9)
        legend(figure, axes)
        return save(
            figure,
            "layer-shift",
            alt=f"Mean shift of the pre-activations against the layer's depth at {at:g} root mean square weights, and "
            f"of the last layer against the threshold, for {words.names(layers)}, with three curves: pruning both "
            f"signs, positive only, negative only. {shifts_in_words(chosen)}",
            caption="Change of a unit's mean pre-activation, in standard deviations of the unpruned unit, mean over "
            f"units. Left: every layer at {at:g} root mean square weights; right: the last layer, where shifts beyond "
            f"{_FAR:g} occur on an axis that is logarithmic from 1 on. {_BAND}",
            table="layers",
        )


def order_and_wer(posteriors: DataFrame) -> Saved:
    """Draw word error against how well the order of the posteriors is kept, a point a threshold."""
    with style():
        figure, axes = panels(words.titles(posteriors))
        for axis, (_, rows) in zip(axes, words.by_model(posteriors), strict=True):
            for method in SIGNS:
                part = rows[rows["method"] == method].groupby("threshold")[["rank_correlation", "error_percent"]]
                middle, line = part.mean(), METHODS[method]
                half = part.agg(_half_width).fillna(0)  # one seed has no interval
                axis.errorbar(
                    *(middle["rank_correlation"], middle["error_percent"]),
                    xerr=half["rank_correlation"],
                    yerr=half["error_percent"],
                    elinewidth=0.6,
                    color=line.colour,
                    marker=line.marker,
                    linestyle=line.dash,
                    label=line.label,
                )
            axis.set_xlim(min(-0.05, axis.get_xlim()[0]), 1.03)
            wer_axis(axis, rows)
            axis.set_xlabel("rank correlation with the unpruned net")
        legend(figure, axes)
        said = "; ".join(
            f"{model}: {rows['rank_correlation'].corr(rows['error_percent'], method='spearman'):.2f}"
            for model, rows in words.by_model(posteriors)
        )
        return save(
            figure,
            "order-and-wer",
            alt="Word error against the rank correlation of a frame's posteriors with the unpruned net's, a point a "
            f"threshold, joined from small to large thresholds, in one panel each for {words.names(posteriors)}, with "
            "three curves: pruning both signs, positive only, negative only. Spearman correlation of the two over all "
            f"rows: {said}.",
            caption="Word error against the mean rank correlation of a frame's posteriors with those of the unpruned "
            "net, a point a threshold. Bars: 95 % t interval over seeds. Dotted: the unpruned nets.",
            table="posteriors",
        )


def burst(shifts: Iterable["pd.Series[float]"]) -> bool:
    """Say whether mean shifts go so far beyond one standard deviation that a linear axis shows nothing else."""
    return max(float(part.abs().max()) for part in shifts) > _FAR


def wer_axis(axis: Axes, rows: DataFrame) -> None:
    """Show word error from 0 to 100 %, and beyond where insertions make more errors than there are words.

    Args:
        axis: where.
        rows: the net's rows, whose mean unpruned error is drawn dotted.
    """
    axis.axhline(rows["baseline_error_percent"].mean(), color=MUTED, linewidth=0.9, linestyle=":")
    axis.set_ylim(0, max(103, 1.03 * rows["error_percent"].max()))
    axis.set_ylabel("word error (%)")


def only(table: DataFrame, model: str, method: str) -> DataFrame:
    """Keep one method's rows of one net."""
    part: DataFrame = table[(table["model"] == model) & (table["method"] == method)]
    return part


def _grid(nets: Sequence[str], titles: Sequence[str], *, height: float) -> tuple[Figure, list[list[Axes]]]:
    """One row of titled panels a net, named above the first, as wide as a page of the book; `height` in inches."""
    layout = ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.04)
    size = (7.8, height * len(nets))
    figure, grid = plt.subplots(len(nets), len(titles), figsize=size, squeeze=False, layout=layout)
    for row, net in zip(grid, nets, strict=True):
        for axis, title, above in zip(row, titles, [net, *[""] * len(titles)], strict=False):
            axis.set_title(f"{above}\n{title}", loc="left")
    return figure, [list(row) for row in grid]


def _one_scale(row: Sequence[Axes]) -> None:
    """Give the panels of a row one vertical axis, labelled once."""
    top = max(axis.get_ylim()[1] for axis in row)
    for axis in row:
        axis.set_ylim(0, top)
        axis.set_axisbelow(True)
        axis.set_yticks([0, *(float(f"{top * part:.1g}") for part in (0.1, 0.35, 0.8))])
    for axis in row[1:]:
        axis.tick_params(labelleft=False)


def _edges(bins: DataFrame) -> NDArray[np.float64]:
    return np.append(bins["bin_low"].to_numpy(dtype=float), float(bins["bin_high"].iloc[-1]))


def _around(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges halfway between values, the outer ones as far out as the next."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    between = (centres[1:] + centres[:-1]) / 2
    return np.array([2 * centres[0] - between[0], *between, 2 * centres[-1] - between[-1]])


def _root(values: Any) -> Any:
    """Square root that takes the slightly negative ends of an axis for 0."""
    return np.sqrt(np.clip(values, 0, None))


def _half_width(values: "pd.Series[float]") -> float:
    interval = t_interval(values.to_numpy())
    return interval.high - interval.value
