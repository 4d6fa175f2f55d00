"""The figures of performance profiles and of the activations of chosen units."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.layout_engine import ConstrainedLayoutEngine
from pandas import DataFrame

from prunelab.figures import INK, Saved, save, style
from prunelab.studies.units_figure_axes import WIDTH, columns_for, grid, number, outer
from prunelab.studies.units_labels import layer_name, line_of, one_net, scores_of

_SHORT = {"none": "zeroed", "mean": "replaced"}
_EVERY = 12  # points between two markers of a profile
_CLEAR = 0.25  # of an axis, between "silent" and the first number


def profiles_figure(profiles: DataFrame, areas: DataFrame, *, suffix: str = "") -> Saved:
    """Draw the performance profile of every score with and without replacement, the areas in the legend.

    Args:
        profiles: as `units_profiles.profile_tables` gives them, of one net.
        areas: likewise.
        suffix: behind the names of the figure and its table.
    """
    net, scores = one_net(profiles), scores_of(profiles)
    found = areas.set_index(["score", "replacement"])["area"]
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 5.6), layout=ConstrainedLayoutEngine())
        for replacement in ("none", "mean"):  # the columns of the legend
            for place, score in enumerate(scores):
                rows = profiles[(profiles["score"] == score) & (profiles["replacement"] == replacement)]
                line, filled = line_of(score), replacement == "mean"
                axis.plot(
                    rows["t"],
                    rows["share_percent"],
                    color=line.colour,
                    linestyle="-" if filled else (0, (4, 2)),
                    linewidth=1.4,
                    marker=line.marker,
                    markersize=4.5,
                    markerfacecolor=line.colour if filled else "white",
                    markevery=(place, _EVERY),
                    label=f"{line.label}, {_SHORT[replacement]}: {found[(score, replacement)]:.3f}",
                )
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 102)
        axis.set_xlabel("T: threshold from the worst method's penalty (0) to the best's (1)")
        axis.set_ylabel("measurements within the threshold (%)")
        figure.legend(loc="outside lower center", ncols=2, title="area under the profile", title_fontsize=9)
        said = ", ".join(
            f"{line_of(score).label} {found[(score, 'none')]:.3f} and {found[(score, 'mean')]:.3f}" for score in scores
        )
        n = int(areas["measurements"].max())
        return save(
            figure,
            f"profiles{suffix}",
            alt=f"Performance profiles of scores with and without mean replacement, {net}, over {n:,} measurements. "
            f"Area under the profile, set to zero then replaced: {said}.",
            caption=f"Share of {n:,} measurements in which a method's penalty is within the threshold t = min T + "
            f"max (1 − T) of all methods in that measurement, {net}. Dashed, open: units set to zero; solid, filled: "
            "replaced by their mean. A larger area is better.",
            table=f"profiles{suffix}",
        )


def squares_figure(bins: DataFrame, deciles: DataFrame, *, suffix: str = "") -> Saved:
    """Draw the histogram of the mean squared activations of the units each score chose, a panel a score.

    Args:
        bins: as `units_derived.squares_histogram` gives them, of one layer of one net.
        deciles: as `units_derived.squares_deciles` gives them, of the same.
        suffix: behind the names of the figure and its table.
    """
    net, scores, layer = one_net(bins), scores_of(bins), str(bins["layer"].iloc[0])
    upper = {str(score): float(value) for score, value in zip(deciles["score"], deciles["decile"], strict=True)}
    mean = bins.groupby("left")["share_percent"].mean()
    silent = bins[bins["left"] == 0].set_index("score")["share_percent"]
    heard = bins[bins["left"] > 0]
    edges = np.log10(np.append(np.unique(heard["left"]), heard["right"].max()))
    gap = 1.5 * (edges[1] - edges[0])  # between the silent units and the others
    columns = columns_for(len(scores))
    with style():
        figure, axes = grid([line_of(score).label for score in scores], columns=columns, height=1.9)
        for axis, score in zip(axes, scores, strict=True):
            own = heard[heard["score"] == score].sort_values("left")["share_percent"].to_numpy()
            colour = line_of(score).colour
            axis.stairs(own, edges, fill=True, color=colour, alpha=0.75)
            axis.stairs(mean[mean.index > 0].to_numpy(), edges, color=INK, linewidth=0.8)
            axis.bar(edges[0] - gap, silent[score], width=edges[1] - edges[0], color=colour, alpha=0.75)
            if upper[score] > 10 ** edges[0]:
                axis.axvline(np.log10(upper[score]), color=INK, linewidth=1, linestyle=(0, (2, 1.5)))
            powers = range(int(np.ceil(edges[0])), int(np.floor(edges[-1])) + 1)
            shown = [power for power in powers if power - edges[0] > _CLEAR * (edges[-1] - edges[0])]
            shown = shown[:: -(-len(shown) // (6 - columns))] if shown else []
            axis.set_xticks([edges[0] - gap, *shown], ["silent", *(number(10.0**power) for power in shown)])
            axis.set_axisbelow(True)
        axes[0].set_ylim(0, 1.05 * float(bins["share_percent"].max()))  # of all: they share it
        outer(axes, columns=columns, xlabel="mean square", ylabel="chosen units (%)")
        words = ", ".join(
            f"{line_of(score).label} {upper[score]:.3g} ({silent[score]:.0f} % silent)" for score in scores
        )
        return save(
            figure,
            f"squared-activations{suffix}",
            alt=f"Histograms of the mean squared activation of the units of the {layer_name(layer)} that each score "
            f"chose, {net}. Upper decile, and share of silent units: {words}.",
            caption=f"Mean squared activation of the units of the {layer_name(layer)} chosen for removal, all "
            f"checkpoints and seeds, {net}. Filled: the score's; outline: mean of all scores; dashed: the score's "
            "upper decile, mean over seeds. Silent units, whose mean square is 0 or nearly, stand apart at the left.",
            table=f"squares{suffix}",
        )
