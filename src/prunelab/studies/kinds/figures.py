"""The figures that compare kinds of pruning function: error against sparsity, ranks by area, and a published shape."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.patches import Patch
from pandas import DataFrame

from prunelab import figures as draw
from prunelab.pruning.kinds import KINDS
from prunelab.stats import t_interval
from prunelab.studies.kinds.ranking import NET, PLAIN, RANDOM, SUBJECT, kinds_in
from prunelab.summaries import only

WAYS = {False: "one-shot", True: "with retraining"}

_LINES = draw.lines("kind")
_PENALTIES = {kind.name: kind.label for kind in KINDS["kind"] if kind.penalty != "none"} | {PLAIN: "no penalty"}
_DEEPEST = -12.0  # points of accuracy; what falls further leaves the figure
_DODGE = 1.035  # of the weights left, between the first and the middle kind
_REMOVED, _KEPT = (
    Patch(color=draw.ORANGE, alpha=0.75, label="removed"),
    Patch(color=draw.BLUE, alpha=0.45, label="kept"),
)
_AFTER = draw.Line(label="kept, after retraining", colour=draw.INK, marker="")


@draw.drawing()
def error_by_kind(kinds: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw error against sparsity of every kind, one-shot and retrained side by side; `kinds` are rows of one net."""
    net, ways, drawn = one_net(kinds), ways_in(kinds), with_dense(kinds)
    measured, found = metric(net), kinds_in(drawn)
    # Points of one budget stand side by side: bands of so many kinds would hide each other.
    dodges = dict(zip(found, np.geomspace(_DODGE, 1 / _DODGE, len(found)), strict=True))
    figure, axes = draw.grid(
        [WAYS[way] for way in ways], height=3.2, same=True, xlabel="weights removed (%)", ylabel=f"{measured} (%)"
    )
    for axis, way in zip(axes, ways, strict=True):
        for kind, dodge in dodges.items():
            own = only(drawn, kind=kind, retrained=way)
            points = [
                (100 * (1 - rows["sparsity"].mean()) * (dodge if asked else 1), t_interval(rows["error_percent"]))
                for asked, rows in own.groupby("sparsity_asked")
            ]
            draw.bars(axis, points, line=_LINES[kind], joined=True)
    means = drawn.groupby(["kind", "retrained", "sparsity_asked"])["error_percent"].mean()
    above = means[means > 0]
    for axis in axes:
        draw.sparsity_axis(axis, 100 * drawn["sparsity"])
        if len(above):
            axis.set_ylim(above.min() / 1.3, above.max() * 1.3)
            draw.log_axis(axis)
    draw.legend(figure)
    words = " ".join(_at_most(kinds, way, "error_percent", ", in %, mean with 95 % interval:") for way in ways)
    return draw.save(
        figure,
        f"error-by-kind{suffix}",
        alt=f"{measured.capitalize()} against the share of weights removed by kind of pruning function, {net}. {words}",
        caption=f"{measured.capitalize()} on the test part against sparsity, {net}, on an axis logarithmic in "
        f"the weights left and one logarithmic in the error; points of one budget stand side by side. {draw.BARS}",
        table="kinds",
    )


@draw.drawing()
def ranking(summary: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw the area of each kind with its interval, best at the top; a row of panels a net, a column a way.

    Args:
        summary: as `ranking.summary_table` gives it.
        suffix: behind the figure's name.
    """
    subjects = list(dict.fromkeys(summary[list(SUBJECT)].itertuples(index=False, name=None)))
    # Panels are narrow beside the names of the kinds.
    titles = [f"{named(net)},\n{WAYS[way]}".replace(" on ", "\non ") for *net, way in subjects]
    tall = max(1.6, 0.8 + 0.2 * summary.groupby(list(SUBJECT)).size().max())
    figure, axes = draw.grid(
        titles, columns=len(ways_in(summary)), height=tall, xlabel="accuracy averaged\nover sparsity (%)"
    )
    words = []
    for axis, subject, title in zip(axes, subjects, titles, strict=True):
        own = only(summary, **dict(zip(SUBJECT, subject, strict=True))).sort_values("rank")
        for area in only(own, kind=RANDOM)["area"]:
            draw.rule(axis, x=area, colour=draw.INK, dash=draw.DOTTED)
        for place, row in enumerate(own.to_dict("records")):
            draw.bars(axis, [(draw.interval_of(row, "area"), place)], line=_LINES[row["kind"]])
        draw.categories(axis, [_LINES[kind].label for kind in own["kind"]], upright=True)
        order = ", ".join(
            f"{_LINES[kind].label} {area:.1f}" for kind, area in zip(own["kind"], own["area"], strict=True)
        )
        words.append(f"{' '.join(title.split())}, best first: {order}")
    return draw.save(
        figure,
        f"kinds-ranking{suffix}",
        alt=f"Area under accuracy against sparsity by kind of pruning function, in % of the best possible. "
        f"{'; '.join(words)}.",
        caption=f"Accuracy averaged over sparsity, from 0 to the largest budget, by kind, best at the top. {draw.BARS} "
        "Dotted: random removal. Of speech, accuracy is 100 minus the word error rate.",
        table="kinds-summary",
    )


@draw.drawing()
def penalties_and_retraining(kinds: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw accuracy lost against the share removed for L1, L2 and no penalty, with and without retraining.

    It is the shape of figure 5 of Han et al., "Learning both Weights and Connections", NeurIPS 2015, there of AlexNet.

    Args:
        kinds: rows of one net and scope in the table of kinds.
        suffix: behind the figure's name.
    """
    net, found = one_net(kinds), [kind for kind in _PENALTIES if kind in set(kinds["kind"])]
    if not set(found) - {PLAIN}:
        raise ValueError(f"penalties are compared; the table of {net} has neither l1 nor l2: measure them")
    drawn = with_dense(kinds[kinds["kind"].isin(found)])
    drawn = drawn.assign(
        change=drawn["dense_error_percent"] - drawn["error_percent"], removed=100 * drawn["sparsity_asked"]
    )
    ways, reached = ways_in(drawn), [0.0]
    figure, [axis] = draw.grid(
        [""], height=3.4, width=7.8, xlabel="weights removed (%)", ylabel="accuracy gained (points)"
    )
    draw.rule(axis, y=0, colour=draw.INK)
    for kind in found:
        for way in ways:
            line = _LINES[kind] if way else _LINES[kind].dashed()
            reached += draw.band(axis, only(drawn, kind=kind, retrained=way), "removed", "change", line=line, label="")
    axis.set_ylim(max(_DEEPEST, 1.1 * min(reached) - 0.1), max(0.5, 1.2 * max(reached)))
    of_ways = {way: draw.Line(label=WAYS[way], colour=draw.INK, marker="o") for way in ways}
    entries = [
        draw.Line(label=_PENALTIES[kind], colour=_LINES[kind].colour, marker=_LINES[kind].marker) for kind in found
    ]
    draw.legend(figure, [*entries, *(line if way else line.dashed() for way, line in of_ways.items())], columns=5)
    return draw.save(
        figure,
        f"penalties-and-retraining{suffix}",
        alt=f"Accuracy of pruned nets minus that of the same net unpruned, in points, against the share of weights "
        f"removed, by penalty of the training, {net}. {' '.join(_at_most(drawn, way, 'change') for way in ways)}",
        caption=f"Accuracy gained (below zero: lost) against the share of weights removed, {net}, trained with an "
        "L1 or L2 penalty or without, each held against the same net unpruned; retraining goes on without the "
        f"penalty. {draw.BAND} Curves below {_DEEPEST:g} points leave the figure. The shape to compare with is figure "
        "5 of Han et al. (2015), of AlexNet: without retraining L1 is better, with it L2.",
        table="kinds",
    )


@draw.drawing()
def weight_distributions(weights: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw the weights each kind removes and keeps at one budget, and those kept after retraining; a panel a kind.

    Args:
        weights: rows of one net and scope in the table of weights.
        suffix: behind the figure's name.
    """
    net, kinds, budget = one_net(weights), kinds_in(weights), float(weights["sparsity_asked"].max())
    rows = only(weights, sparsity_asked=budget)
    shares = rows.loc[rows["share_percent"] > 0, "share_percent"]
    floor, columns = float(shares.min()) / 2, 3 if len(kinds) % 3 == 0 else draw.columns_for(len(kinds))
    retrained = bool((rows["which"] == "retrained").any())
    figure, axes = draw.grid(
        [_LINES[kind].label for kind in kinds],
        columns=columns,
        height=1.7,
        same=True,
        xlabel="weight",
        ylabel="of all weights (%)",
    )
    words = []
    for axis, kind in zip(axes, kinds, strict=True):
        axis.set_yscale("log")
        told = []
        for which, patch in (("removed", _REMOVED), ("kept", _KEPT)):
            own = only(rows, kind=kind, which=which).sort_values("left")
            heights, colour = own["share_percent"], patch.get_facecolor()
            axis.stairs(heights, draw.edges(own), baseline=floor, fill=True, color=colour)
            centres, whole = (own["left"] + own["right"]).abs() / 2, heights.sum()
            told.append(f"{(centres * heights).sum() / whole:.4f}" if whole > 0 else "none")
        after = only(rows, kind=kind, which="retrained").sort_values("left")
        if len(after):
            axis.stairs(after["share_percent"], draw.edges(after), baseline=floor, color=draw.INK, linewidth=0.9)
        axis.set_ylim(floor, 2 * float(shares.max()))
        words.append(f"{_LINES[kind].label} {' and '.join(told)}")
    draw.legend(figure, [_REMOVED, _KEPT, *([_AFTER] if retrained else [])])
    return draw.save(
        figure,
        f"weights-by-kind{suffix}",
        alt=f"Histograms of the weights that each kind of pruning function removes and keeps at {100 * budget:g} % "
        f"removed, {net}. Mean magnitude of the weights removed and kept: {', '.join(words)}.",
        caption=f"Weights removed and kept at {100 * budget:g} % removed, as they were before, "
        f"{'and those kept as they are after retraining, ' if retrained else ''}{net}; shares of all weights in "
        "bins of one width, mean over seeds, on a logarithmic axis.",
        table="weights",
    )


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


def named(net: Sequence[str]) -> str:
    """Name a net given by its data, model and scope."""
    data, model, scope = net
    return f"{model} on {data}" + (", the same fraction of each layer" if scope == "layer" else "")


def metric(net: str) -> str:
    """Say what is measured of a net: an error, or of a recogniser a word error rate."""
    return "word error rate" if net.startswith("acoustic") else "error"


def ways_in(table: DataFrame) -> list[bool]:
    """List one-shot and retrained, as far as the table has them."""
    return [way for way in WAYS if bool((table["retrained"] == way).any())]


def with_dense(rows: DataFrame) -> DataFrame:
    """Put the unpruned nets before the pruned ones, at sparsity 0, kind by kind and seed by seed."""
    dense = rows.drop_duplicates(["kind", "retrained", "seed"]).assign(sparsity_asked=0.0, sparsity=0.0)
    return pd.concat([dense.assign(error_percent=dense["dense_error_percent"]), rows], ignore_index=True)


def _at_most(rows: DataFrame, way: bool, column: str, unit: str = ":") -> str:
    """Say a column of every kind at the largest budget."""
    own = only(rows, retrained=way)
    own = only(own, sparsity_asked=own["sparsity_asked"].max())
    labels = _PENALTIES if column == "change" else {kind: _LINES[kind].label for kind in kinds_in(own)}
    told = [
        f"{label} {draw.said(t_interval(only(own, kind=kind)[column]))}"
        for kind, label in labels.items()
        if kind in set(own["kind"])
    ]
    return f"{WAYS[way].capitalize()} at {100 * own['sparsity_asked'].iloc[0]:g} % removed{unit} {', '.join(told)}."
