"""The figures that compare kinds of pruning function: error against sparsity, ranks by area, and a published shape."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from pandas import DataFrame

from prunelab.figures.panels import BAND, WIDTH, columns_for, grid, mean_curve, outer, said
from prunelab.figures.style import INK, Line, Saved, legend, lines, save, style
from prunelab.pruning.kinds import KINDS
from prunelab.stats import Interval, t_interval
from prunelab.studies.common.runs import only
from prunelab.studies.kinds.ranking import NET, PLAIN, RANDOM, SUBJECT, kinds_in

_LINES = lines("kind")


BARS = "Bars: 95 % t interval over seeds."


WAYS = {False: "one-shot", True: "with retraining"}


_TICKS = (0, 30, 50, 70, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)


_WIDE = 12  # largest over smallest error from which an axis names one, two and five only


def one_net(table: DataFrame) -> str:
    """Say which net a table is of.

    Raises:
        ValueError: it has no rows, or those of several nets or scopes.
    """
    found = list(dict.fromkeys(table[list(NET)].itertuples(index=False, name=None)))
    if len(found) != 1:
        has = "; ".join(", ".join(map(str, one)) for one in found) or "none"
        raise ValueError(f"a figure on kinds shows one net under one scope; the table has {has}: give it one's rows")
    return named(found[0])


def named(net: tuple[str, str, str]) -> str:
    """Name a net given by its data, model and scope."""
    data, model, scope = net
    return f"{model} on {data}" + (", the same fraction of each layer" if scope == "layer" else "")


def ways_in(table: DataFrame) -> list[bool]:
    """List one-shot and retrained, as far as the table has them."""
    return [way for way in WAYS if bool((table["retrained"] == way).any())]


def with_dense(rows: DataFrame) -> DataFrame:
    """Put the unpruned nets before the pruned ones, at sparsity 0, kind by kind and seed by seed."""
    dense = rows.drop_duplicates(["kind", "retrained", "seed"]).assign(sparsity_asked=0.0, sparsity=0.0)
    dense = dense.assign(error_percent=dense["dense_error_percent"])
    return pd.concat([dense, rows], ignore_index=True)


def bars(axis: Axes, rows: DataFrame, *, line: Line, dodge: float) -> None:
    """Draw the mean error of one kind against the weights left, with its t interval over seeds as bars.

    Bands of so many kinds would hide each other.

    Args:
        axis: where.
        rows: one row a budget and seed; columns `left` [%], `sparsity_asked` and `error_percent`.
        line: colour, marker and dash.
        dodge: factor that moves the points aside, so that bars of several kinds stand next to each other.
    """
    points = [
        (
            float(own["left"].mean()) * (1 if own["sparsity_asked"].iloc[0] == 0 else dodge),
            t_interval(own["error_percent"]),
        )
        for _, own in rows.groupby("sparsity_asked")
    ]
    half = [interval.high - interval.value if interval.n > 1 else 0.0 for _, interval in points]
    axis.errorbar(
        [left for left, _ in points],
        [interval.value for _, interval in points],
        yerr=half,
        color=line.colour,
        marker=line.marker,
        linestyle=line.dash,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=1.5,
        label=line.label,
    )


def sparsity_axis(axes: Sequence[Axes], sparsities: Sequence[float]) -> None:
    """Show the weights left on logarithmic axes, fewest on the right, numbered by the share removed.

    Args:
        axes: with the weights left [%] drawn across.
        sparsities: fractions removed that are drawn, the largest below 1.
    """
    few = 100 * (1 - max(sparsities))
    for axis in axes:
        axis.set_xscale("log")
        axis.set_xlim(112, few / 1.12)
        ticks = _apart([tick for tick in _TICKS if 100 - tick >= few * 0.99], np.log(100 / few))
        axis.xaxis.set_major_locator(FixedLocator([100 - tick for tick in ticks]))
        axis.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
        axis.xaxis.set_minor_locator(NullLocator())


def error_axis(axes: Sequence[Axes], errors: Sequence[float]) -> None:
    """Make axes of errors logarithmic where some error is above 0; those of 0 lie below the edge.

    Args:
        axes: with errors [%] drawn upwards.
        errors: all means drawn.
    """
    above = [error for error in errors if error > 0]
    if not above:
        return
    few = max(above) / min(above) > _WIDE
    for axis in axes:
        axis.set_yscale("log", nonpositive="clip")
        axis.set_ylim(min(above) / 1.3, max(above) * 1.3)
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())


def _apart(ticks: Sequence[float], span: float) -> list[float]:
    """Leave out ticks whose numbers would touch, from the sparsest on."""
    chosen: list[float] = []
    for tick in reversed(ticks):
        if not chosen or np.log((100 - tick) / (100 - chosen[0])) > 0.07 * span:
            chosen.insert(0, tick)
    return chosen


_PENALTIES = {kind.name: kind.label for kind in KINDS["kind"] if kind.penalty != "none"} | {PLAIN: "no penalty"}


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
                    bars(axis, own, line=_LINES[kind], dodge=float(dodge))
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
                axis.set_yticks(range(len(best)), [_LINES[kind].label for kind in best["kind"]], fontsize=8)
                axis.set_ylim(-0.7, len(best) - 0.3)
                axis.grid(False, axis="y")
                chance = own.loc[own["kind"] == RANDOM, "area"]
                if len(chance):
                    axis.axvline(float(chance.iloc[0]), color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
                for place, area in enumerate(best.to_dict("records")):
                    line = _LINES[area["kind"]]
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
                order = ", ".join(f"{_LINES[kind].label} {area:.1f}" for kind, area in _best_first(own))
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
                lowest += mean_curve(axis, own, "removed", "change", line=_LINES[kind], replaced=way)
        axis.set_ylim(max(_DEEPEST, 1.1 * min(lowest) - 0.1), max(0.5, 1.2 * max(lowest)))
        axis.set_xlabel("weights removed (%)")
        axis.set_ylabel("accuracy gained (points)")
        handles = [Line2D([], [], color=_LINES[kind].colour, marker=_LINES[kind].marker) for kind in found]
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
    said_of = (f"{_LINES[kind].label} {said(_mean(each, kind, 'error_percent'))}" for kind in kinds_in(each))
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


_LOOKS = {"removed": ("removed", "#e69f00", 0.75), "kept": ("kept", "#0072b2", 0.45)}


_AFTER = "kept, after retraining"


def weight_distributions(weights: DataFrame, *, suffix: str = "", table: str = "weights") -> Saved:
    """Draw the weights each kind removes and keeps at one budget, and those kept after retraining; a panel a kind.

    Args:
        weights: rows of one net and scope in the table of weights.
        suffix: behind the figure's name.
        table: the table of the run that holds the rows.
    """
    net, kinds, budget = one_net(weights), kinds_in(weights), float(weights["sparsity_asked"].max())
    rows = weights[weights["sparsity_asked"] == budget]
    shares = rows.loc[rows["share_percent"] > 0, "share_percent"]
    floor, columns = float(shares.min()) / 2, 3 if len(kinds) % 3 == 0 else columns_for(len(kinds))
    retrained = bool((rows["which"] == "retrained").any())
    with style():
        figure, axes = grid([_LINES[kind].label for kind in kinds], columns=columns, height=1.8)
        for axis, kind in zip(axes, kinds, strict=True):
            axis.set_yscale("log")
            for which, (_, colour, alpha) in _LOOKS.items():
                edges, heights = _steps(rows, kind, which)
                axis.stairs(heights, edges, baseline=floor, fill=True, color=colour, alpha=alpha)
            edges, heights = _steps(rows, kind, "retrained")
            if heights:
                axis.stairs(heights, edges, baseline=floor, color=INK, linewidth=0.9)
            axis.set_ylim(floor, 2 * float(shares.max()))
        outer(axes, columns=columns, xlabel="weight", ylabel="of all weights (%)")
        handles: list[Patch | Line2D] = [Patch(color=colour, alpha=alpha) for _, colour, alpha in _LOOKS.values()]
        labels = [label for label, _, _ in _LOOKS.values()]
        if retrained:
            handles.append(Line2D([], [], color=INK, linewidth=0.9))
            labels.append(_AFTER)
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
        return save(
            figure,
            f"weights-by-kind{suffix}",
            alt=f"Histograms of the weights that each kind of pruning function removes and keeps at {100 * budget:g} % "
            f"removed, {net}. Mean magnitude of the weights removed and kept: "
            f"{', '.join(_in_words(rows, kind) for kind in kinds)}.",
            caption=f"Weights removed and kept at {100 * budget:g} % removed, as they were before, "
            f"{'and those kept as they are after retraining, ' if retrained else ''}{net}; shares of all weights in "
            "bins of one width, mean over seeds, on a logarithmic axis.",
            table=table,
        )


def _steps(rows: DataFrame, kind: str, which: str) -> tuple[list[float], list[float]]:
    """Give the edges of the bins, one more than the shares in them; nothing where nothing was counted."""
    own = only(rows, kind=kind, which=which).sort_values("left")
    return [*own["left"], *own["right"].iloc[-1:]], own["share_percent"].tolist()


def _in_words(rows: DataFrame, kind: str) -> str:
    means = []
    for which in _LOOKS:
        own = only(rows, kind=kind, which=which)
        centres, whole = (own["left"] + own["right"]).abs() / 2, own["share_percent"].sum()
        means.append(f"{(centres * own['share_percent']).sum() / whole:.4f}" if whole > 0 else "none")
    return f"{_LINES[kind].label} {means[0]} and {means[1]}"
