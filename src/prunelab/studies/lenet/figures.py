"""The figures of LeNets dense, pruned and trained again: accuracies, weights, rounds, layers, the frontier."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from pandas import DataFrame

from prunelab.figures.labels import place_labels
from prunelab.figures.panels import BAND, BARS, by_error, plain, said, shifts, spots
from prunelab.figures.style import DEPTHS, INK, MUTED, Line, Saved, curve, legend, lines, panels, save, style
from prunelab.stats import LEVEL, Interval
from prunelab.studies.common.runs import only, slug
from prunelab.studies.lenet.summary import against_published, comparable, nets, recipes, short_names

STARS = "Stars: what the source printed, one run each."
RECIPE_LINES: Mapping[str, Line] = {
    "source": Line(label="source's recipe", colour="#d55e00", marker="s", dash=(0, (5, 2))),
    "strong": Line(label="strong recipe", colour="#0072b2", marker="o"),
}
BUDGET_LINES = lines("budget")
LAYER_NAMES = {"all": "all layers", "fc1": "first layer", "fc2": "second layer", "fc3": "third layer"}

_KINDS = {
    "pruned": Line(label="started wider, pruned", colour="#0072b2", marker="o"),
    "dense": Line(label="dense net of about as many weights", colour="#009e73", marker="D"),
}
_ROUNDS = {
    "error_pruned_percent": Line(label="right after pruning", colour="#d55e00", marker="^", dash=(0, (5, 2))),
    "error_percent": Line(label="after training again", colour="#0072b2", marker="o"),
}
_STAGES = {"pruned": "right after the last pruning", "trained": "after the final training"}
_OURS = Line(label="ours, last epoch", colour="#0072b2", marker="o")
_EFFECTIVE = Line(label="ours, by effective sparsity", colour="#0072b2", marker="", dash=(0, (4, 2)))
_EPOCHS = {
    "final": Line(label="published, last epoch", colour=INK, marker="s"),
    "best": Line(label="published, best epoch on the test part", colour="#d55e00", marker="^"),
    "unstated": Line(label="published, epoch not stated", colour="#009e73", marker="D"),
}
_MARKERS = "osD^v"
_TICKS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.7, 99.9)  # % removed that an axis may name
_DIFFERS = 0.01  # of the weights left; less is not drawn twice
_MANY = 3  # points of one method that each get its name


def dense_accuracy(accuracies: DataFrame, variants: DataFrame) -> Saved:
    """Draw the accuracy of the dense nets by width under every recipe, the source's accuracies as stars."""
    rows, names = named(accuracies), names_of(accuracies)
    lines = {recipe: RECIPE_LINES.get(recipe, RECIPE_LINES["strong"]) for recipe in recipes(rows)}
    with style():
        figure, [axis] = panels([f"dense nets on {rows['data'].iloc[0]}"])
        figure.set_size_inches(6.2, 3.6)
        words = points(axis, rows, "accuracy_percent", x="net", places=names, series="recipe", lines=lines)
        label_nets(axis, "test accuracy (%)")
        starred = stars(axis, names, only(variants, stage="dense"))
        legend(figure, [axis])
        return save(
            figure,
            "dense-accuracy",
            alt=f"Test accuracy (%) of dense nets by their hidden units, mean with 95 % interval. {words}.",
            caption=f"Test accuracy of dense nets after the last epoch. {BARS} {STARS if starred else ''}",
            table="accuracies",
        )


def round_by_round(rounds: DataFrame, recipe: str) -> Saved:
    """Draw the error of every round of one threshold with masks, before and after training again, one panel a net."""
    rows = of_recipe(rounds, recipe, mode="masked", budget="global")
    with style():
        figure, axes = panels([f"{net} on {rows['data'].iloc[0]}" for net, _ in by_net(rows)])
        for axis, (_, part) in zip(axes, by_net(rows), strict=True):
            for column, line in _ROUNDS.items():
                curve(axis, part, "kept", column, along="kept_asked", line=line)
            _fewer(axis, "weights left", "test error (%)")
        legend(figure, axes)
        return save(
            figure,
            f"rounds-{recipe}",
            alt=f"Test error against the weights left in every round, {who(recipe)}, one panel a net, two "
            f"curves: right after pruning and after training again. In the sparsest round: "
            f"{'; '.join(f'{net} {_sparsest_in_words(part)}' for net, part in by_net(rows))}.",
            caption=f"Test error of every round of pruning by one global threshold, {who(recipe)}, both axes "
            f"logarithmic, fewer weights to the right. {BAND}",
            table="rounds",
        )


def kept_by_layer(layers: DataFrame) -> Saved:
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
        for net, own in by_net(rows)
        for budget in BUDGET_LINES
        if len(part := only(own, recipe=recipe, budget=budget))
    }
    with style():
        figure, axes = panels(list(every))
        for axis, part in zip(axes, every.values(), strict=True):
            for depth, layer in enumerate(sorted(set(part["layer"]))):
                own, line = only(part, layer=layer), DEPTHS[depth % len(DEPTHS)]
                curve(axis, own, "whole", "percent", along="step", line=line, label=layer_name(layer))
            _fewer(axis, "weights left in the whole net (%)", "left in the layer (%)")
        legend(figure, axes)
        ends = "; ".join(f"{title}: {_layers_in_words(part)}" for title, part in every.items())
        return save(
            figure,
            "kept-by-layer",
            alt=f"Share of each layer's weights left against the share left in the whole net in every round, "
            f"one panel a net and way of sharing out the weights. In the sparsest round: {ends}.",
            caption=f"Weights left by layer in every round, masked, both axes logarithmic, fewer weights "
            f"to the right. {BAND}",
            table="layers",
        )


def width_question(budget: DataFrame, variants: DataFrame, target: str) -> Saved:
    """Draw the accuracy at one number of weights left by the width the net started with, one panel a recipe.

    The source's accuracies at this number of weights are drawn in the first.
    """
    wanted = f"target {target!r}; it has {', '.join(dict.fromkeys(budget['target']))}"
    rows = named(some(only(budget, target=target), wanted))
    pruned, printed = only(rows, kind="pruned"), only(variants, stage="pruned")
    names = names_of(pruned)
    printed = printed[(printed["weights_left"] / float(pruned["kept"].mean()) - 1).abs() <= 0.01]
    with style():
        figure, axes = panels([who(recipe) for recipe in recipes(rows)])
        starred = stars(axes[0], names, printed)
        words = []
        for axis, recipe in zip(axes, recipes(rows), strict=True):
            own = only(rows, recipe=recipe)
            places = [*names, *only(own, kind="dense")["net"]]
            told = points(axis, own, "accuracy_percent", x="net", places=places, series="kind", lines=_KINDS)
            words.append(f"{who(recipe)}: {told}")
            label_nets(axis, "test accuracy (%)")
            by_error(axis)
        legend(figure, axes)
        return save(
            figure,
            f"width-{slug(target)}",
            alt=f"Test accuracy (%) by the hidden units the net started with, at {left(target)}, mean with "
            f"95 % interval. {'. '.join(words)}.",
            caption=f"Test accuracy at {left(target)}, masked, one global threshold; "
            f"each recipe on its own scale, logarithmic in the error. "
            f"{BARS} {STARS if starred else ''}",
            table="budget",
        )


def masked_against_regrown(regrow: DataFrame) -> Saved:
    """Draw what training removed weights again gains over masks, right after the last pruning and in the end."""
    rows = named(some(regrow, "regrown nets"))
    rows = rows.assign(series=rows["recipe"] + rows["target"])
    targets = list(dict.fromkeys(rows["target"]))
    lines = {
        recipe + target: Line(
            label=f"{who(recipe)}, {target}",
            colour=RECIPE_LINES[recipe].colour,
            marker=_MARKERS[place % len(_MARKERS)],
        )
        for recipe in recipes(rows)
        for place, target in enumerate(targets)
    }
    with style():
        figure, axes = panels(list(_STAGES.values()))
        words = []
        for axis, (stage, time) in zip(axes, _STAGES.items(), strict=True):
            own = only(rows, stage=stage)
            axis.axhline(0, color=INK, linewidth=0.9)
            points(axis, own, "gain", x="net", places=names_of(rows), series="series", lines=lines)
            label_nets(axis, "regrown − masked (points)")
            words += [
                f"{time}, {line.label}: {_gains_in_words(only(own, series=name))}" for name, line in lines.items()
            ]
        legend(figure, axes)
        return save(
            figure,
            "masked-against-regrown",
            alt="Accuracy of nets whose removed weights were trained again minus that of masked nets, in points, "
            f"paired by seed, by net. {'; '.join(words)}.",
            caption="What training removed weights again between prunings gains over masks at the same number of "
            "weights, paired by seed. Bars: 95 % t interval. Above zero, regrowing is better.",
            table="regrow",
        )


def accuracy_by_budget(allocation: DataFrame) -> Saved:
    """Draw the accuracy each way of sharing out the weights comes to with masks, one panel a recipe and target."""
    rows = named(some(only(allocation, mode="masked"), "mode 'masked'"))
    rows = rows.drop_duplicates(["recipe", "budget", "model", "target"])
    lines = {name: line for name, line in BUDGET_LINES.items() if name in set(rows["budget"])}
    every = [(recipe, target) for recipe in recipes(rows) for target in dict.fromkeys(rows["target"])]
    titles = [f"{left(target)}, {who(recipe)}" for recipe, target in every]
    with style():
        figure, axes = panels(titles)
        words = []
        for axis, title, (recipe, target) in zip(axes, titles, every, strict=True):
            own = only(rows, recipe=recipe, target=target)
            told = points(axis, own, "accuracy_percent", x="net", places=names_of(rows), series="budget", lines=lines)
            words.append(f"{title}: {told}")
            label_nets(axis, "test accuracy (%)")
            by_error(axis)
        legend(figure, axes)
        return save(
            figure,
            "accuracy-by-budget",
            alt=f"Test accuracy (%) by net and by how the weights left are shared out over the layers. "
            f"{'. '.join(words)}.",
            caption=f"Test accuracy by how the weights left are shared out over the layers, on a scale logarithmic in "
            f"the error. {BARS}",
            table="allocation",
        )


def frontier_figure(frontier: DataFrame, published: DataFrame) -> Saved:
    """Draw error against sparsity, logarithmic in the weights left, beside the published points of the same net."""
    curves = dict(by_net(frontier))
    points = published if len(comparable(frontier)) else published.iloc[:0]
    with style():
        figure, axis = plt.subplots(figsize=(7.8, 5.2), layout=ConstrainedLayoutEngine())
        for net, rows in curves.items():
            _ours(axis, rows, f"{net}, " if len(curves) > 1 else "")
        _theirs(axis, points)
        _removed(axis, frontier, points)
        handles, labels = axis.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        place_labels(axis, _methods(points), keep_clear=[spot for rows in curves.values() for spot in _along(rows)])
        return save(
            figure,
            "frontier",
            alt=f"Test error against the share of weights removed. "
            f"{' '.join(_curve_in_words(net, rows) for net, rows in curves.items())} "
            f"{_met_in_words(frontier, points)}",
            caption="Test error after the last epoch against sparsity, on an axis logarithmic in the weights left. "
            f"{BAND} Dashed: the same errors against the effective sparsity, "
            "which counts weights off every live path as removed, where it differs. "
            + ("Others' points as published, one run each unless they say otherwise." if len(points) else ""),
            table="frontier",
        )


def who(recipe: str) -> str:
    """Say a recipe in words."""
    return RECIPE_LINES[recipe].label if recipe in RECIPE_LINES else f"recipe {recipe}"


def left(target: str) -> str:
    """Say a target in words: a number of weights left, or a percentage removed."""
    return f"{target} removed" if target.endswith("%") else f"{int(target):,} weights left"


def layer_name(layer: str) -> str:
    """Say a layer's name in words."""
    return LAYER_NAMES.get(layer, layer)


def named(table: DataFrame) -> DataFrame:
    """Name each row's net by its hidden widths, in the column `net`."""
    return table.assign(net=table["model"].map(short_names(table["model"])))


def names_of(table: DataFrame) -> list[str]:
    """List the names of a table's nets in the order they are drawn."""
    return [name for name, _ in by_net(table)]


def by_net(rows: DataFrame) -> list[tuple[str, DataFrame]]:
    """Give each net's name and rows in the order they are drawn."""
    names = short_names(rows["model"])
    return [(names[model], only(rows, model=model)) for model in nets(rows)]


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


def points(
    axis: Axes, rows: DataFrame, column: str, *, x: str, places: Sequence[str], series: str, lines: Mapping[str, Line]
) -> str:
    """Draw a mean with its interval at each place, series side by side, and say them in words.

    Args:
        axis: where.
        rows: one row a place and series: the column, `low`, `high` and `seeds`.
        column: what is drawn.
        x: the column that names a place.
        places: the names, from left to right.
        series: the column that names a series.
        lines: series -> its colour, marker and label.
    """
    words = []
    for (name, line), shift in zip(lines.items(), shifts(len(lines)), strict=True):
        found = {
            str(row[x]): Interval(
                value=row[column], low=row["low"], high=row["high"], n=int(row["seeds"]), level=LEVEL, method="t"
            )
            for row in only(rows, **{series: name}).to_dict("records")
        }
        spots(axis, places, line, found, shift=shift, label=line.label)
        if found:
            listed = ", ".join(f"{place} {said(found[place])}" for place in places if place in found)
            words.append(f"{line.label}: {listed}")
    long = max(map(len, places)) > 5
    axis.set_xticks(range(len(places)), places, rotation=30 if long else 0, ha="right" if long else "center")
    axis.set_xlim(-0.6, len(places) - 0.4)
    axis.grid(False, axis="x")
    return "; ".join(words)


def label_nets(axis: Axes, ylabel: str) -> None:
    """Label an axis whose places are nets."""
    axis.set_xlabel("hidden units of the net")
    axis.set_ylabel(ylabel)


def stars(axis: Axes, names: Sequence[str], printed: DataFrame) -> int:
    """Draw the source's accuracies at the places of its nets, as many as are on the axis; give their number."""
    here = printed[printed["net"].isin(list(names))]
    if len(here):
        at = [names.index(net) for net in here["net"]]
        axis.plot(at, here["test_accuracy_percent"], "*", color=INK, markersize=9, label="source, one run")
    return len(here)


def _fewer(axis: Axes, xlabel: str, ylabel: str) -> None:
    """Make both axes logarithmic, fewer weights to the right."""
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.invert_xaxis()
    axis.set_xlabel(xlabel)
    axis.set_ylabel(ylabel)
    plain(axis)


def _ours(axis: Axes, rows: DataFrame, name: str) -> None:
    kept = 100 - rows["sparsity_percent"]
    if rows["low"].notna().all():
        axis.fill_between(kept, rows["low"], rows["high"], color=_OURS.colour, alpha=0.2, linewidth=0)
    axis.plot(kept, rows["error_percent"], color=_OURS.colour, marker="o", label=f"{name}{_OURS.label}", zorder=3)
    effective = 100 - rows["effective_sparsity_percent"]
    if ((kept - effective) > _DIFFERS * kept).any():
        line = _EFFECTIVE
        axis.plot(
            effective, rows["error_percent"], color=line.colour, linestyle=line.dash, linewidth=1, label=line.label
        )


def _theirs(axis: Axes, points: DataFrame) -> None:
    for epoch, line in _EPOCHS.items():
        part = only(points, epoch=epoch)
        if len(part):
            at = 100 - part["sparsity_percent"]
            axis.plot(at, part["error_percent"], line.marker, color=line.colour, markersize=5, label=line.label)
    for _, part in points.groupby(["method", "epoch"]):
        if len(part) > _MANY:  # not each of these has its name beside it
            axis.plot(100 - part["sparsity_percent"], part["error_percent"], color=MUTED, linewidth=0.5, zorder=1)


def _removed(axis: Axes, frontier: DataFrame, points: DataFrame) -> None:
    """Show the weights left on a logarithmic axis, fewest on the right, labelled by sparsity."""
    kept = [100 - x for part in (frontier, points) for x in part["sparsity_percent"]]
    few = min(*kept, *(100 - frontier["effective_sparsity_percent"]))
    axis.set_xscale("log")
    axis.set_xlim(max(kept) * 1.12, few / 1.12)
    ticks = [tick for tick in _TICKS if few / 1.12 <= 100 - tick <= max(kept) * 1.12]
    axis.xaxis.set_major_locator(FixedLocator([100 - tick for tick in ticks]))
    axis.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("weights removed (%)")
    axis.set_ylabel("test error (%)")


def _methods(points: DataFrame) -> list[tuple[float, float, str]]:
    """Give weights left (%), error (%) and label of each point; of a method with many, of the first and last only."""
    found = []
    for method, part in points.groupby("method", sort=False):
        part = part.sort_values("sparsity_percent")
        shown = part.iloc[[0, -1]] if len(part) > _MANY else part
        found += [
            (100 - x, y, str(method)) for x, y in zip(shown["sparsity_percent"], shown["error_percent"], strict=True)
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


def _met_in_words(frontier: DataFrame, points: DataFrame) -> str:
    beside = against_published(frontier, points)
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
    last = only(rows, whole=rows["whole"].min())
    return ", ".join(
        f"{layer_name(str(name))} {100 * part['kept_fraction'].mean():.2f} %" for name, part in last.groupby("layer")
    )


def _gains_in_words(rows: DataFrame) -> str:
    """Say the smallest and the largest gain of a set of nets, and in how many its interval leaves zero out."""
    if rows.empty:
        return "not measured"
    gains = rows.sort_values("gain", kind="stable")
    clear = int(((rows["low"] > 0) | (rows["high"] < 0)).sum())
    ends = " to ".join(f"{gains['gain'].iloc[at]:.2f} ({gains['net'].iloc[at]})" for at in (0, -1))
    return f"{ends}, interval off zero in {clear} of {len(rows)} nets"
