"""The figures of LeNets dense, pruned and trained again: accuracies, rounds, layers, the frontier."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab import figures as draw
from prunelab.models import parse
from prunelab.studies.lenet.summary import against_published, comparable
from prunelab.studies.lenet.tables import left, short_names
from prunelab.summaries import only

STARS = "Stars: what the source printed, one run each."
RECIPE_LINES: Mapping[str, draw.Line] = {
    "source": draw.Line(label="source's recipe", colour=draw.VERMILION, marker="s", dash=draw.LONG),
    "strong": draw.Line(label="strong recipe", colour=draw.BLUE, marker="o"),
}
BUDGET_LINES = draw.lines("budget")
LAYER_NAMES = {"all": "all layers", "fc1": "first layer", "fc2": "second layer", "fc3": "third layer"}

_KINDS = {
    "pruned": draw.Line(label="started wider, pruned", colour=draw.BLUE, marker="o"),
    "dense": draw.Line(label="dense net of about as many weights", colour=draw.GREEN, marker="D"),
}
_ROUNDS = {
    "error_pruned_percent": draw.Line(label="right after pruning", colour=draw.VERMILION, marker="^", dash=draw.LONG),
    "error_percent": draw.Line(label="after training again", colour=draw.BLUE, marker="o"),
}
_STAGES = {"pruned": "right after the last pruning", "trained": "after the final training"}
_OURS = draw.Line(label="ours, last epoch", colour=draw.BLUE, marker="o")
_EPOCHS = {
    "final": draw.Line(label="published, last epoch", colour=draw.INK, marker="s"),
    "best": draw.Line(label="published, best epoch on the test part", colour=draw.VERMILION, marker="^"),
    "unstated": draw.Line(label="published, epoch not stated", colour=draw.GREEN, marker="D"),
}
_LABELS = {  # column -> what an axis says
    "net": "hidden units of the net",
    "removed": "hidden activation removed",
    "accuracy_percent": "test accuracy (%)",
    "error_percent": "test error (%)",
    "gain": "regrown − masked (points)",
    "active_fraction": "fraction of units active",
}
_MARKERS = "osD^v"
_DIFFERS = 0.01  # of the weights left; less is not drawn twice
_MANY = 3  # points of one method that each get its name


@draw.drawing()
def dense_accuracy(accuracies: DataFrame, variants: DataFrame) -> draw.Saved:
    """Draw the accuracy of the dense nets by width under every recipe, the source's accuracies as stars."""
    rows = named(accuracies)
    kinds = {recipe: RECIPE_LINES.get(recipe, RECIPE_LINES["strong"]) for recipe in recipes(rows)}
    parts = {f"dense nets on {rows['data'].iloc[0]}": rows}
    figure, [axis], words = compare(parts, "accuracy_percent", "recipe", kinds)
    starred = stars(axis, rows, only(variants, stage="dense"))
    draw.legend(figure)
    return draw.save(
        figure,
        "dense-accuracy",
        alt=f"Test accuracy (%) of dense nets by their hidden units, mean with 95 % interval. {words}",
        caption=f"Test accuracy of dense nets after the last epoch. {draw.BARS} {STARS if starred else ''}",
        table="accuracies",
    )


@draw.drawing()
def round_by_round(rounds: DataFrame, recipe: str) -> draw.Saved:
    """Draw the error of every round of one threshold with masks, before and after training again, one panel a net."""
    nets = by_net(of_recipe(rounds, recipe, mode="masked", budget="global"))
    titles = [f"{net} on {part['data'].iloc[0]}" for net, part in nets.items()]
    figure, axes = draw.grid(titles, xlabel="weights left", ylabel="test error (%)")
    for axis, part in zip(axes, nets.values(), strict=True):
        for column, line in _ROUNDS.items():
            draw.band(axis, part, "kept", column, along="kept_asked", line=line)
        draw.log_axis(axis, "xy")
        axis.invert_xaxis()
    draw.legend(figure)
    return draw.save(
        figure,
        f"rounds-{recipe}",
        alt=f"Test error against the weights left in every round, {who(recipe)}, one panel a net, two "
        f"curves: right after pruning and after training again. In the sparsest round: "
        f"{'; '.join(f'{net} {_sparsest_in_words(part)}' for net, part in nets.items())}.",
        caption=f"Test error of every round of pruning by one global threshold, {who(recipe)}, both axes "
        f"logarithmic, fewer weights to the right. {draw.BAND}",
        table="rounds",
    )


@draw.drawing()
def kept_by_layer(layers: DataFrame) -> draw.Saved:
    """Draw the share of each layer's weights that every round with masks keeps, one panel a net and budget."""
    rows = some(only(layers, mode="masked"), "mode 'masked'")
    key = ["recipe", "budget", "model", "target", "round", "seed"]
    whole = rows.groupby(key)["kept"].transform("sum") / rows.groupby(key)["weights"].transform("sum")
    # A layer may lose all its weights, which no logarithmic axis shows: half a weight stands for none.
    percent = (100 * rows["kept_fraction"]).clip(lower=50 / rows["weights"])
    rows = rows.assign(whole=100 * whole, percent=percent, step=rows["target"] + rows["round"].astype(str))
    every = {
        f"{net}, {who(recipe)}: {BUDGET_LINES[budget].label}": part
        for recipe in recipes(rows)
        for net, own in by_net(rows).items()
        for budget in BUDGET_LINES
        if len(part := only(own, recipe=recipe, budget=budget))
    }
    kinds = draw.depths({layer: layer_name(layer) for layer in sorted(set(rows["layer"]))})
    figure, axes = draw.grid(list(every), xlabel="weights left in the whole net (%)", ylabel="left in the layer (%)")
    for axis, part in zip(axes, every.values(), strict=True):
        for layer, line in kinds.items():
            draw.band(axis, only(part, layer=layer), "whole", "percent", along="step", line=line)
        draw.log_axis(axis, "xy")
        axis.invert_xaxis()
    draw.legend(figure)
    return draw.save(
        figure,
        "kept-by-layer",
        alt=f"Share of each layer's weights left against the share left in the whole net in every round, "
        f"one panel a net and way of sharing out the weights. In the sparsest round: "
        f"{'; '.join(f'{title}: {_layers_in_words(part)}' for title, part in every.items())}.",
        caption=f"Weights left by layer in every round, masked, both axes logarithmic, fewer weights "
        f"to the right. {draw.BAND}",
        table="layers",
    )


@draw.drawing()
def width_question(budget: DataFrame, variants: DataFrame, target: str) -> draw.Saved:
    """Draw the accuracy at one number of weights left by the width the net started with, one panel a recipe.

    The source's accuracies at this number of weights are drawn in the first.
    """
    wanted = f"target {target!r}; it has {', '.join(dict.fromkeys(budget['target']))}"
    rows = named(some(only(budget, target=target), wanted)).sort_values("kind", ascending=False, kind="stable")
    pruned, printed = only(rows, kind="pruned"), only(variants, stage="pruned")
    printed = printed[(printed["weights_left"] / float(pruned["kept"].mean()) - 1).abs() <= 0.01]
    parts = {who(recipe): only(rows, recipe=recipe) for recipe in recipes(rows)}
    figure, axes, words = compare(parts, "accuracy_percent", "kind", _KINDS)
    starred = stars(axes[0], pruned, printed)
    for axis in axes:
        draw.by_error(axis)
    draw.legend(figure)
    return draw.save(
        figure,
        f"width-{draw.slug(target)}",
        alt=f"Test accuracy (%) by the hidden units the net started with, at {left(target)}, mean with "
        f"95 % interval. {words}",
        caption=f"Test accuracy at {left(target)}, masked, one global threshold; "
        f"each recipe on its own scale, logarithmic in the error. {draw.BARS} {STARS if starred else ''}",
        table="budget",
    )


@draw.drawing()
def masked_against_regrown(regrow: DataFrame) -> draw.Saved:
    """Draw what training removed weights again gains over masks, right after the last pruning and in the end."""
    rows = named(some(regrow, "regrown nets"))
    rows = rows.assign(series=rows["recipe"] + rows["target"])
    kinds = {
        recipe + target: draw.Line(label=f"{who(recipe)}, {target}", colour=RECIPE_LINES[recipe].colour, marker=marker)
        for recipe in recipes(rows)
        for target, marker in zip(dict.fromkeys(rows["target"]), _MARKERS, strict=False)
    }
    parts = {time: only(rows, stage=stage) for stage, time in _STAGES.items()}
    figure, axes, _ = compare(parts, "gain", "series", kinds)
    for axis in axes:
        draw.rule(axis, y=0)
    draw.legend(figure)
    words = "; ".join(
        f"{time}, {line.label}: {_gains_in_words(only(part, series=name))}"
        for time, part in parts.items()
        for name, line in kinds.items()
    )
    return draw.save(
        figure,
        "masked-against-regrown",
        alt="Accuracy of nets whose removed weights were trained again minus that of masked nets, in points, "
        f"paired by seed, by net. {words}.",
        caption="What training removed weights again between prunings gains over masks at the same number of "
        "weights, paired by seed. Bars: 95 % t interval. Above zero, regrowing is better.",
        table="regrow",
    )


@draw.drawing()
def accuracy_by_budget(allocation: DataFrame) -> draw.Saved:
    """Draw the accuracy each way of sharing out the weights comes to with masks, one panel a recipe and target."""
    rows = named(some(only(allocation, mode="masked"), "mode 'masked'"))
    rows = rows.drop_duplicates(["recipe", "budget", "model", "target"])
    parts = {
        f"{left(target)}, {who(recipe)}": only(rows, recipe=recipe, target=target)
        for recipe in recipes(rows)
        for target in dict.fromkeys(rows["target"])
    }
    figure, axes, words = compare(parts, "accuracy_percent", "budget", BUDGET_LINES)
    for axis in axes:
        draw.by_error(axis)
    draw.legend(figure)
    return draw.save(
        figure,
        "accuracy-by-budget",
        alt=f"Test accuracy (%) by net and by how the weights left are shared out over the layers. {words}",
        caption=f"Test accuracy by how the weights left are shared out over the layers, on a scale logarithmic in "
        f"the error. {draw.BARS}",
        table="allocation",
    )


@draw.drawing()
def frontier_figure(frontier: DataFrame, published: DataFrame) -> draw.Saved:
    """Draw error against sparsity, logarithmic in the weights left, beside the published points of the same net."""
    curves = by_net(frontier)
    theirs = published if len(comparable(frontier)) else published.iloc[:0]
    figure, [axis] = draw.grid([""], height=4.8, width=7.8, xlabel="weights removed (%)", ylabel="test error (%)")
    for net, rows in curves.items():
        _ours(axis, rows, f"{net}, " if len(curves) > 1 else "")
    _theirs(axis, theirs)
    columns = ("sparsity_percent", "effective_sparsity_percent")
    draw.sparsity_axis(axis, [*frontier[columns[0]], *frontier[columns[1]], *theirs[columns[0]]])
    draw.legend(figure, columns=2)
    draw.place_labels(axis, _methods(theirs), keep_clear=[spot for rows in curves.values() for spot in _along(rows)])
    return draw.save(
        figure,
        "frontier",
        alt=f"Test error against the share of weights removed. "
        f"{' '.join(_curve_in_words(net, rows) for net, rows in curves.items())} {_met_in_words(frontier, theirs)}",
        caption="Test error after the last epoch against sparsity, on an axis logarithmic in the weights left. "
        f"{draw.BAND} Dashed: the same errors against the effective sparsity, "
        "which counts weights off every live path as removed, where it differs. "
        + ("Others' points as published, one run each unless they say otherwise." if len(theirs) else ""),
        table="frontier",
    )


def who(recipe: str) -> str:
    """Say a recipe in words."""
    return RECIPE_LINES[recipe].label if recipe in RECIPE_LINES else f"recipe {recipe}"


def layer_name(layer: str) -> str:
    """Say a layer's name in words."""
    return LAYER_NAMES.get(layer, layer)


def recipes(table: DataFrame) -> list[str]:
    """List a table's recipes, the source's first, others as they come."""
    return list(dict.fromkeys([*(name for name in RECIPE_LINES if name in set(table["recipe"])), *table["recipe"]]))


def by_net(table: DataFrame) -> dict[str, DataFrame]:
    """Give each net's rows by its name, ordered by the width of the last hidden layer, then of those before it."""
    names = short_names(table["model"])
    return {
        names[model]: only(table, model=model) for model in sorted(names, key=lambda spec: parse(spec).widths[::-1])
    }


def named(table: DataFrame) -> DataFrame:
    """Name each row's net in the column `net`, and put the nets in the order of `by_net`."""
    order = {net: place for place, net in enumerate(by_net(table))}
    table = table.assign(net=table["model"].map(short_names(table["model"])))
    return table.sort_values("net", key=lambda nets: nets.map(order), kind="stable")


def ends_in_words(rows: DataFrame, column: str, of: str = "net") -> str:
    """Say a column's lowest and highest value, and of which net, or what else, they are."""
    ends = rows.sort_values(column, kind="stable").iloc[[0, -1]]
    return " to ".join(
        dict.fromkeys(f"{value:.2f} ({name})" for value, name in zip(ends[column], ends[of], strict=True))
    )


def some(rows: DataFrame, wanted: str) -> DataFrame:
    """Give the rows back, or say in one line that there are none."""
    if rows.empty:
        raise ValueError(f"a figure draws at least one net; the table has none of {wanted}: is it the right run?")
    return rows


def of_recipe(table: DataFrame, recipe: str, **wanted: str) -> DataFrame:
    """Keep one recipe's rows, and of these some."""
    listed = ", ".join([f"recipe {recipe!r}", *(f"{name} {value!r}" for name, value in wanted.items())])
    there = ", ".join(dict.fromkeys(table["recipe"]))
    return some(only(table, recipe=recipe, **wanted), f"{listed}; it has {there}")


def compare(
    parts: Mapping[str, DataFrame], column: str, series: str, kinds: Mapping[str, draw.Line], *, x: str = "net"
) -> tuple[Figure, list[Axes], str]:
    """Draw a panel of `points` a title and its rows; give the figure, its panels, and all of it in words."""
    figure, axes = draw.grid(list(parts), xlabel=_LABELS[x], ylabel=_LABELS[column])
    there = {name for rows in parts.values() for name in rows[series]}
    drawn = {name: line for name, line in kinds.items() if name in there}
    words = [
        f"{title}: {points(axis, rows, column, series, drawn, x=x)}."
        for axis, (title, rows) in zip(axes, parts.items(), strict=True)
    ]
    return figure, axes, " ".join(words)


def points(axis: Axes, rows: DataFrame, column: str, series: str, kinds: Mapping[str, draw.Line], *, x: str) -> str:
    """Draw a mean with its interval at each place, series side by side, and say them in words.

    Args:
        axis: where.
        rows: one row a place and series, places in order: the column, `low`, `high` and `seeds`.
        column: what is drawn.
        series: the column that names a series.
        kinds: series -> its colour, marker and label.
        x: the column that names a place.
    """
    names = list(dict.fromkeys(rows[x]))
    words = []
    for (name, line), shift in zip(kinds.items(), draw.shifts(len(kinds)), strict=True):
        found = {str(row[x]): draw.interval_of(row, column) for row in only(rows, **{series: name}).to_dict("records")}
        draw.bars(axis, draw.places(names, found, shift), line=line)
        if found:
            words.append(f"{line.label}: {', '.join(f'{at} {draw.said(found[at])}' for at in names if at in found)}")
    draw.categories(axis, names)
    return "; ".join(words)


def stars(axis: Axes, rows: DataFrame, printed: DataFrame) -> int:
    """Draw the source's accuracies at the places of its nets, as many as are on the axis; give their number."""
    names = list(dict.fromkeys(rows["net"]))
    here = printed[printed["net"].isin(names)]
    if len(here):
        at = [names.index(net) for net in here["net"]]
        axis.plot(at, here["test_accuracy_percent"], "*", color=draw.INK, markersize=9, label="source, one run")
    return len(here)


def _ours(axis: Axes, rows: DataFrame, name: str) -> None:
    kept, effective = (100 - rows[column] for column in ("sparsity_percent", "effective_sparsity_percent"))
    draw.ribbon(axis, kept, rows["error_percent"], rows["low"], rows["high"], line=_OURS, label=f"{name}{_OURS.label}")
    if ((kept - effective) > _DIFFERS * kept).any():
        line = _OURS.dashed("ours, by effective sparsity")
        axis.plot(effective, rows["error_percent"], **line.look(marker="", linewidth=1))


def _theirs(axis: Axes, published: DataFrame) -> None:
    for epoch, line in _EPOCHS.items():
        part = only(published, epoch=epoch)
        if len(part):
            at = 100 - part["sparsity_percent"]
            axis.plot(at, part["error_percent"], **line.look(linestyle="none", markersize=5))
    for _, part in published.groupby(["method", "epoch"]):
        if len(part) > _MANY:  # not each of these has its name beside it
            axis.plot(100 - part["sparsity_percent"], part["error_percent"], color=draw.MUTED, linewidth=0.5, zorder=1)


def _methods(published: DataFrame) -> list[tuple[float, float, str]]:
    """Give weights left (%), error (%) and label of each point; of a method with many, of the first and last only."""
    found = []
    for method, part in published.groupby("method", sort=False):
        part = part.sort_values("sparsity_percent")
        shown = part.iloc[[0, -1]] if len(part) > _MANY else part
        found += [
            (100 - x, y, str(method)) for x, y in shown[["sparsity_percent", "error_percent"]].to_numpy().tolist()
        ]
    return found


def _along(rows: DataFrame) -> list[tuple[float, float]]:
    """Give places along the drawn curve, close enough that no label fits between two."""
    rows = rows.sort_values("sparsity_percent", ascending=False)
    at = np.log(100 - rows["sparsity_percent"].to_numpy(dtype=float))
    every = np.linspace(at[0], at[-1], 80)
    errors = np.interp(every, at, rows["error_percent"].to_numpy(dtype=float))
    return list(zip(np.exp(every).tolist(), errors.tolist(), strict=True))


def _curve_in_words(net: str, rows: DataFrame) -> str:
    pairs = zip(rows["error_percent"], rows["sparsity_percent"], strict=True)
    listed = ", ".join(f"{error:.2f} % at {sparsity:.4g} %" for error, sparsity in pairs)
    sparsest = f"{rows['effective_sparsity_percent'].max():.5g} %"
    return (
        f"Ours, {net} on {rows['data'].iloc[0]}, error at sparsity: {listed}; the sparsest is {sparsest} sparse "
        "effectively."
    )


def _met_in_words(frontier: DataFrame, published: DataFrame) -> str:
    beside = against_published(frontier, published)
    if beside.empty:
        return ""
    missed = beside[~beside["met"]]
    listed = ", ".join(f"{row.method} at {row.their_sparsity_percent:g} %" for row in missed.itertuples())
    return (
        f"Ours is at or below {len(beside) - len(missed)} of {len(beside)} published points; above: {listed or 'none'}."
    )


def _sparsest_in_words(rows: DataFrame) -> str:
    last = only(rows, kept_asked=rows["kept_asked"].min())
    before, after = (last[column].mean() for column in _ROUNDS)
    return f"{before:.1f} % before and {after:.1f} % after at {last['kept'].mean():,.0f} weights"


def _layers_in_words(rows: DataFrame) -> str:
    last = only(rows, whole=rows["whole"].min()).groupby("layer")["kept_fraction"].mean()
    return ", ".join(f"{layer_name(str(layer))} {100 * kept:.2f} %" for layer, kept in last.items())


def _gains_in_words(rows: DataFrame) -> str:
    """Say the smallest and the largest gain of a set of nets, and in how many its interval leaves zero out."""
    if rows.empty:
        return "not measured"
    clear = int(((rows["low"] > 0) | (rows["high"] < 0)).sum())
    return f"{ends_in_words(rows, 'gain')}, interval off zero in {clear} of {len(rows)} nets"
