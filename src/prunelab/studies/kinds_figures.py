"""The figures that compare kinds of pruning function: error against sparsity, ranks by area, and a published shape."""

import math
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from pandas import DataFrame

from prunelab.figures import INK, Saved, legend, save, style
from prunelab.stats import Interval, t_interval
from prunelab.studies.kinds_labels import KINDS, PLAIN, REFERENCE, kinds_in
from prunelab.studies.kinds_panels import (
    BARS,
    WAYS,
    bars,
    error_axis,
    named,
    one_net,
    sparsity_axis,
    ways_in,
    with_dense,
)
from prunelab.studies.kinds_summary import NET, SUBJECT
from prunelab.studies.lenet_panels import said
from prunelab.studies.lenet_rows import only
from prunelab.studies.units_figure_axes import BAND, WIDTH, grid, mean_curve, outer

_PENALTIES = {"l1": "L1 penalty", "l2": "L2 penalty", PLAIN: "no penalty"}
_DEEPEST = -12.0  # points of accuracy; what falls further leaves the figure
_DODGE = 1.035  # of the weights left, between the first and the middle kind
_SPEECH = "acoustic"  # what the specs of recognisers begin with


def error_by_kind(kinds: DataFrame, *, suffix: str = "", table: str = "kinds") -> Saved:
    """Draw error against sparsity of every kind, one-shot and retrained side by side.

    Args:
        kinds: rows of one net and scope in the table of kinds.
        suffix: behind the figure's name.
        table: the table of the run that holds the rows.
    """
    net, ways, drawn = one_net(kinds), ways_in(kinds), with_dense(kinds)
    drawn = drawn.assign(left=100 * (1 - drawn["sparsity"]))
    means = drawn.groupby(["kind", "retrained", "sparsity_asked"])["error_percent"].mean()
    found = kinds_in(drawn)
    with style():
        figure, axes = grid([WAYS[way] for way in ways], columns=2, height=3.6)
        for axis, way in zip(axes, ways, strict=True):
            for kind, dodge in zip(found, np.geomspace(_DODGE, 1 / _DODGE, len(found)), strict=True):
                own = only(drawn, kind=kind, retrained=way)
                if len(own):
                    bars(axis, own, line=KINDS[kind].line, dodge=float(dodge))
        sparsity_axis(axes, drawn["sparsity"].tolist())
        error_axis(axes, means.tolist())
        outer(axes, columns=2, xlabel="weights removed (%)", ylabel=f"{metric(net)} (%)")
        legend(figure, axes)
        return save(
            figure,
            f"error-by-kind{suffix}",
            alt=f"{metric(net).capitalize()} against the share of weights removed by kind of pruning function, {net}. "
            f"{' '.join(_ends_in_words(kinds, way) for way in ways)}",
            caption=f"{metric(net).capitalize()} on the test part against sparsity, {net}, on an axis logarithmic in "
            f"the weights left and one logarithmic in the error; points of one budget stand side by side. {BARS}",
            table=table,
        )


def ranking(summary: DataFrame, *, suffix: str = "", table: str = "kinds-summary") -> Saved:
    """Draw the area of each kind with its interval, best at the top; a row of panels a net, a column a way.

    Args:
        summary: as `kinds_summary.summary_table` gives it.
        suffix: behind the figure's name.
        table: the table of the run that holds the rows.
    """
    nets, ways = list(dict.fromkeys(summary[list(NET)].itertuples(index=False, name=None))), ways_in(summary)
    words = []
    tall = 0.55 + 0.2 * summary.groupby(list(SUBJECT)).size().max()
    with style():
        figure, every = plt.subplots(
            len(nets),
            len(ways),
            figsize=(WIDTH, tall * len(nets) + 0.3),
            squeeze=False,
            layout=ConstrainedLayoutEngine(h_pad=0.05, w_pad=0.05),
        )
        for net, row in zip(nets, every, strict=True):
            for way, axis in zip(ways, row, strict=True):
                own = only(summary, **dict(zip(SUBJECT, (*net, way), strict=True)))
                axis.set_title(f"{named(net)},\n{WAYS[way]}", loc="left", fontsize=9)
                best = own.sort_values("rank", ascending=False)  # from the bottom up
                axis.set_yticks(range(len(best)), [KINDS[kind].label for kind in best["kind"]], fontsize=8)
                axis.set_ylim(-0.7, len(best) - 0.3)
                axis.grid(False, axis="y")
                chance = own.loc[own["kind"] == REFERENCE, "area"]
                if len(chance):
                    axis.axvline(float(chance.iloc[0]), color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
                for place, area in enumerate(best.to_dict("records")):
                    line = KINDS[area["kind"]].line
                    ends = [0.0 if math.isnan(end) else abs(end - area["area"]) for end in (area["low"], area["high"])]
                    bar = [[end] for end in ends]
                    axis.errorbar(
                        [area["area"]],
                        [place],
                        xerr=bar,
                        color=line.colour,
                        marker=line.marker,
                        markersize=5,
                        capsize=3,
                    )
                order = ", ".join(f"{KINDS[kind].label} {area:.1f}" for kind, area in _best_first(own))
                words.append(f"{named(net)}, {WAYS[way]}, best first: {order}")
        for axis in every[-1]:
            axis.set_xlabel("accuracy averaged over sparsity (%)")
        return save(
            figure,
            f"kinds-ranking{suffix}",
            alt=f"Area under accuracy against sparsity by kind of pruning function, in % of the best possible. "
            f"{'; '.join(words)}.",
            caption=f"Accuracy averaged over sparsity, from 0 to the largest budget, by kind, best at the top. {BARS} "
            "Dotted: random removal. Of speech, accuracy is 100 minus the word error rate.",
            table=table,
        )


def penalties_and_retraining(kinds: DataFrame, *, suffix: str = "", table: str = "kinds") -> Saved:
    """Draw accuracy lost against the share removed for L1, L2 and no penalty, with and without retraining.

    It is the shape of figure 5 of Han et al., "Learning both Weights and Connections", NeurIPS 2015, there of AlexNet.

    Args:
        kinds: rows of one net and scope in the table of kinds.
        suffix: behind the figure's name.
        table: the table of the run that holds the rows.

    Raises:
        ValueError: neither penalty was measured.
    """
    net, found = one_net(kinds), [kind for kind in _PENALTIES if kind in set(kinds["kind"])]
    if not set(found) - {PLAIN}:
        raise ValueError(f"penalties are compared; the table of {net} has neither l1 nor l2: measure them")
    drawn = with_dense(kinds[kinds["kind"].isin(found)])
    drawn = drawn.assign(
        change=drawn["dense_error_percent"] - drawn["error_percent"], removed=100 * drawn["sparsity_asked"]
    )
    ways = ways_in(drawn)
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 3.8), layout=ConstrainedLayoutEngine())
        axis.axhline(0, color=INK, linewidth=0.7)
        lowest = [0.0]
        for kind in found:
            for way in ways:
                own = only(drawn, kind=kind, retrained=way)
                lowest += mean_curve(axis, own, "removed", "change", line=KINDS[kind].line, replaced=way)
        axis.set_ylim(max(_DEEPEST, 1.1 * min(lowest) - 0.1), max(0.5, 1.2 * max(lowest)))
        axis.set_xlabel("weights removed (%)")
        axis.set_ylabel("accuracy gained (points)")
        lines = [KINDS[kind].line for kind in found]
        handles = [Line2D([], [], color=line.colour, marker=line.marker) for line in lines]
        for way in ways:
            looks: dict[str, Any] = {} if way else {"linestyle": (0, (4, 2)), "markerfacecolor": "white"}
            handles.append(Line2D([], [], color=INK, marker="o", **looks))
        labels = [*(_PENALTIES[kind] for kind in found), *(WAYS[way] for way in ways)]
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        return save(
            figure,
            f"penalties-and-retraining{suffix}",
            alt=f"Accuracy of pruned nets minus that of the same net unpruned, in points, against the share of weights "
            f"removed, by penalty of the training, {net}. {' '.join(_changes_in_words(drawn, way) for way in ways)}",
            caption=f"Accuracy gained (below zero: lost) against the share of weights removed, {net}, trained with an "
            "L1 or L2 penalty or without, each held against the same net unpruned; retraining goes on without the "
            f"penalty. {BAND} Curves below {_DEEPEST:g} points leave the figure. The shape to compare with is figure 5 "
            "of Han et al. (2015), of AlexNet: without retraining L1 is better, with it L2.",
            table=table,
        )


def metric(net: str) -> str:
    """Say what is measured of a net: an error, or a word error rate."""
    return "word error rate" if net.startswith(_SPEECH) else "error"


def _best_first(own: DataFrame) -> list[tuple[str, float]]:
    ordered = own.sort_values("rank")
    return list(zip(ordered["kind"], ordered["area"], strict=True))


def _ends_in_words(kinds: DataFrame, way: bool) -> str:
    """Say the error of every kind at the largest budget."""
    own = kinds[kinds["retrained"] == way]
    most = own["sparsity_asked"].max()
    each = own[own["sparsity_asked"] == most]
    said_of = (f"{KINDS[kind].label} {said(_mean(each, kind, 'error_percent'))}" for kind in kinds_in(each))
    return f"{WAYS[way].capitalize()} at {100 * most:g} % removed, in %, mean with 95 % interval: {', '.join(said_of)}."


def _changes_in_words(drawn: DataFrame, way: bool) -> str:
    own = drawn[drawn["retrained"] == way]
    most = own["sparsity_asked"].max()
    each = own[own["sparsity_asked"] == most]
    said_of = (
        f"{_PENALTIES[kind]} {said(_mean(each, kind, 'change'))}" for kind in _PENALTIES if kind in set(each["kind"])
    )
    return f"{WAYS[way].capitalize()} at {100 * most:g} % removed: {', '.join(said_of)}."


def _mean(rows: DataFrame, kind: str, column: str) -> Interval:
    return t_interval(rows.loc[rows["kind"] == kind, column].to_numpy())
