"""The figures of study 2, experiment 2: active units on the chosen image, over the test set, by width and by class."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.figures.style import DEPTHS, INK, METHODS, Line, Saved, legend, panels, save, style
from prunelab.models import parse
from prunelab.stats import t_interval
from prunelab.studies.lenet.removal import REMOVED, TREATMENTS
from prunelab.studies.lenet.summary import short_names, short_pruning

HALF = (0.4, 0.6)  # "about half", as the claim is decided


BAND = f"about half, {HALF[0]} to {HALF[1]}"


FRACTION = "fraction of units active"


_GREY = "#ececec"


_FEWEST = 3  # attainable fractions in a drawn bin: with fewer, some bins would hold twice as many as their neighbours


def of_recipe(table: DataFrame, recipe: str) -> DataFrame:
    """Keep one recipe's rows, each with the short name of its pruning in the column `pruning`.

    Raises:
        ValueError: there are none.
    """
    part = table[table["recipe"] == recipe]
    if part.empty:
        known = ", ".join(dict.fromkeys(table["recipe"]))
        raise ValueError(f"a figure is drawn of a recipe that was measured, {known}; got {recipe!r}")
    settings = part[["mode", "budget", "target"]].itertuples(index=False)
    return part.assign(pruning=[short_pruning(*map(str, setting)) for setting in settings])


def models_of(table: DataFrame) -> list[tuple[str, str]]:
    """Give each model and its short name, ordered by the width of the last hidden layer, then of those before it."""
    return sorted(short_names(table["model"]).items(), key=lambda pair: parse(pair[0]).widths[::-1])


def lines_of(rows: DataFrame) -> dict[str, Line]:
    """Give each pruning in a table its line, dense nets first."""
    prunings = sorted(dict.fromkeys(rows["pruning"]), key=lambda name: name != "dense")  # stable
    return {
        name: Line(label=label_of(name), colour=line.colour, marker=line.marker, dash=line.dash)
        for name, line in zip(prunings, cycle([*DEPTHS, *METHODS.values()]), strict=False)
    }


def label_of(pruning: str) -> str:
    """Spell a pruning out: "2660 weights left", "99% pruned"."""
    way, _, target = pruning.rpartition("-")
    ends = f"{target} weights left" if target.isdigit() else f"{target} pruned"
    return pruning if pruning == "dense" else f"{way}, {ends}" if way else ends


def only(rows: DataFrame, model: str, layer: str, pruning: str) -> DataFrame:
    """Keep one layer of one model under one pruning."""
    part: DataFrame = rows[(rows["model"] == model) & (rows["layer"] == layer) & (rows["pruning"] == pruning)]
    return part


def layer_grid(rows: DataFrame, x: str, y: str) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """Lay out a row a net and a column a hidden layer, as wide as a page of the book; axes are labelled once.

    Args:
        rows: a table with the columns `model` and `layer`.
        x: label beneath each column.
        y: label beside each row.

    Returns:
        The figure, and (model, layer) -> its panel.
    """
    layers, models = list(dict.fromkeys(rows["layer"])), models_of(rows)
    size = (3.9 * len(layers), 0.6 + 1.5 * len(models))
    layout = ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.08)
    figure, axes = plt.subplots(len(models), len(layers), figsize=size, squeeze=False, layout=layout)
    grid = {}
    for line, (model, net) in zip(axes, models, strict=True):
        for axis, layer in zip(line, layers, strict=True):
            if rows[(rows["model"] == model) & (rows["layer"] == layer)].empty:  # a net with fewer layers
                axis.remove()
                continue
            axis.set_title(f"{net}, {layer}", loc="left")
            axis.set_ylabel(y)
            if model == models[-1][0]:
                axis.set_xlabel(x)
            grid[model, layer] = axis
    return figure, grid


def histogram(part: DataFrame, units: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the mean share of the table's bins within each drawn bin, and the drawn bins' edges.

    A layer of few units has few attainable fractions; bins are then joined until each holds at least three of them.

    Args:
        part: bins of one curve.
        units: of the layer.
    """
    part = part.sort_values("bin_left")
    bins = len(part)
    whole = [count for count in range(1, bins + 1) if bins % count == 0]
    joined = next((count for count in whole if units * count >= _FEWEST * bins), bins)
    shares = part["share_percent"].to_numpy(dtype=float).reshape(-1, joined).mean(1)  # (bins / joined,)
    return shares, np.append(part["bin_left"].to_numpy(dtype=float)[::joined], float(part["bin_right"].iloc[-1]))


def shade(axis: Axes, along: str) -> None:
    """Shade what counts as about half of the units, on the axis "x" or "y"."""
    (axis.axvspan if along == "x" else axis.axhspan)(*HALF, color=_GREY, zorder=0, label=BAND)


def spots(axis: Axes, values: Mapping[float, "pd.Series[float]"], line: Line) -> None:
    """Draw means over seeds and their 95 % t intervals, place -> values; nothing where there is no net."""
    intervals = {x: t_interval(nets.to_numpy()) for x, nets in values.items() if len(nets)}
    if not intervals:
        return
    axis.errorbar(
        list(intervals),
        [one.value for one in intervals.values()],
        yerr=[np.nan_to_num(one.high - one.value) for one in intervals.values()],  # one seed has no interval
        color=line.colour,
        marker=line.marker,
        markersize=4.5,
        linestyle="none",
        capsize=2.5,
        elinewidth=1.2,
        label=line.label,
    )


def offsets(names: Iterable[str]) -> dict[str, float]:
    """Place series side by side within a category one wide."""
    listed = list(names)
    return {name: 0.22 * (place - (len(listed) - 1) / 2) for place, name in enumerate(listed)}


def categories(axis: Axes, names: Sequence[str]) -> None:
    """Name the places of the horizontal axis, aslant where the names are long."""
    long = max(map(len, names)) > 4
    axis.set_xticks(range(len(names)), names, rotation=30 if long else 0, ha="right" if long else "center")
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.grid(False, axis="x")


def top(fractions: "pd.Series[float]") -> float:
    """End an axis of fractions above all of them and above the band."""
    return min(1.0, max(HALF[1], float(fractions.max())) + 0.08)


def nets_in_words(rows: DataFrame) -> str:
    """List the nets and the data they are measured on."""
    return f"{joined_words([net for _, net in models_of(rows)])} on {rows['data'].iloc[0]}"


def means_in_words(rows: DataFrame) -> str:
    """Say, by layer and pruning, in which nets the fewest and the most units are active on average."""
    nets, said = dict(models_of(rows)), []
    for layer in dict.fromkeys(rows["layer"]):
        for name, line in lines_of(rows).items():
            part = rows[(rows["layer"] == layer) & (rows["pruning"] == name)]
            if len(part):
                means = part.groupby("model")["active_fraction"].mean()
                ends = dict.fromkeys((means.idxmin(), means.idxmax()))
                said.append(f"{layer}, {line.label}: {' to '.join(f'{means[end]:.2f} ({nets[end]})' for end in ends)}")
    return f"Mean fractions, lowest to highest net: {'; '.join(said)}."


def extremes_in_words(rows: DataFrame) -> str:
    """Say, by layer and pruning, of which net the classes differ most, and between which."""
    nets, said = dict(models_of(rows)), []
    for layer in dict.fromkeys(rows["layer"]):
        for name, line in lines_of(rows).items():
            part = rows[(rows["layer"] == layer) & (rows["pruning"] == name)]
            if len(part):
                means = part.pivot_table("active_fraction", index="model", columns="class_name")
                widest = means.loc[(means.max(axis=1) - means.min(axis=1)).idxmax()]
                low, high = (f"{widest[end]:.2f} (class {end})" for end in (widest.idxmin(), widest.idxmax()))
                said.append(f"{layer}, {line.label}: {low} to {high} in {nets[str(widest.name)]}")
    return f"Where classes differ most: {'; '.join(said)}."


def joined_words(names: Sequence[str]) -> str:
    """Join names for a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def recipe_panels(rows: DataFrame) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """Lay out a panel a recipe and hidden layer; (recipe, layer) -> its panel."""
    places = [(recipe, layer) for recipe in dict.fromkeys(rows["recipe"]) for layer in dict.fromkeys(rows["layer"])]
    figure, axes = panels([f"{layer}, {recipe} recipe" for recipe, layer in places])
    return figure, dict(zip(places, axes, strict=True))


_BARS = "bars: 95 % t interval over seeds"


_STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 10,
    "markeredgecolor": INK,
    "markeredgewidth": 0.7,
    "linestyle": "none",
}


def chosen_image(chosen: DataFrame) -> Saved:
    """Draw the chosen test image.

    Args:
        chosen: its pixels, as `lenet_activity.chosen_table` gives them.
    """
    values = chosen.pivot_table("value", index="row", columns="column")
    name, index, lit = chosen["class_name"].iloc[0], chosen["index"].iloc[0], int((chosen["value"] > 0).sum())
    height, width = values.shape
    rows, columns = (np.flatnonzero((values > 0).any(axis=along).to_numpy()) for along in (1, 0))
    with style():
        figure, (axis,) = panels([f"class {name}, image {index}: {lit} nonzero pixels"])
        figure.set_dpi(200)  # of the image within the drawing
        edges = [np.arange(size + 1) - 0.5 for size in (width, height)]
        drawn = axis.pcolormesh(*edges, values.to_numpy(), cmap="gray_r", vmin=0, vmax=1, rasterized=True)
        axis.set_aspect("equal")
        axis.grid(False)
        axis.invert_yaxis()
        axis.set_xlabel("column (pixels)")
        axis.set_ylabel("row (pixels)")
        figure.colorbar(drawn, ax=axis, label="pixel value")
        return save(
            figure,
            "chosen-image",
            alt=f"Image of {height} by {width} pixels in shades of grey, of class {name}. {lit} pixels are nonzero; "
            f"they lie in rows {rows.min()} to {rows.max()} and columns {columns.min()} to {columns.max()}.",
            caption=f"The one image on which active units are counted: number {index} (from 0) of the test images of "
            f"{chosen['data'].iloc[0]}, of class {name}, with {lit} nonzero pixels.",
            table="chosen",
        )


def distribution(images: DataFrame, table: DataFrame, recipe: str = "strong") -> Saved:
    """Draw how the fraction active spreads over the test images, a row a net and a column a hidden layer.

    Args:
        images: the binned fractions, as `lenet_activity.image_table` gives them.
        table: as `lenet_activity.active_table` gives it, for the layers' units.
        recipe: whose nets are drawn.

    Raises:
        ValueError: the tables hold no net of the recipe.
    """
    images, table = of_recipe(images, recipe), of_recipe(table, recipe)
    units, lines = table.groupby(["model", "layer"])["units"].first(), lines_of(images)
    with style():
        figure, grid = layer_grid(images, FRACTION, "images (%)")
        for (model, layer), axis in grid.items():
            shade(axis, along="x")
            for name, line in lines.items():
                part = only(images, model, layer, name)
                if len(part):
                    shares, edges = histogram(part, int(units[model, layer]))
                    axis.stairs(shares, edges, color=line.colour, linestyle=line.dash, linewidth=1.6, label=line.label)
            axis.set_xlim(0, 1)
            axis.set_ylim(bottom=0)
        legend(figure, list(grid.values()))
        return save(
            figure,
            f"active-distribution-{recipe}",
            alt=f"Histograms of the fraction of a hidden layer's units active on a test image, {recipe} recipe, a row "
            f"a net ({nets_in_words(images)}), a column a layer, one curve each for "
            f"{joined_words([line.label for line in lines.values()])}. {means_in_words(table)}",
            caption=f"Fraction of all units of a layer with output above 0: share of the test images per 0.02, mean "
            f"over seeds, {recipe} recipe. Shaded: {BAND}.",
            table="active-images",
        )


def by_width(table: DataFrame, compared: DataFrame) -> Saved:
    """Draw the mean fraction active of each net, a panel a recipe and hidden layer, the source's counts beside it.

    Args:
        table: as `lenet_activity.active_table` gives it.
        compared: as `lenet_activity_summary.source_comparison` gives it; nets that `table` lacks are left out.
    """
    table = pd.concat([of_recipe(table, recipe) for recipe in dict.fromkeys(table["recipe"])])
    models, lines, beside = models_of(table), lines_of(table), offsets(lines_of(table))
    nets = [net for _, net in models]
    stars = compared[compared["net"].isin(nets) & compared["target"].isin(list(lines))]
    with style():
        figure, grid = recipe_panels(table)
        for (recipe, layer), axis in grid.items():
            shade(axis, along="y")
            ours = table[table["recipe"] == recipe]
            for name, line in lines.items():
                rows = [only(ours, model, layer, name)["active_fraction"] for model, _ in models]
                spots(axis, {place + beside[name]: values for place, values in enumerate(rows)}, line)
            theirs = stars[(stars["recipe"] == recipe) & (stars["layer"] == layer)]
            for net, name, active, units in theirs[["net", "target", "source_active", "units"]].itertuples(index=False):
                axis.plot(nets.index(net) + beside[name], active / units, color=lines[name].colour, **_STAR)
            categories(axis, nets)
            axis.set_ylim(0, top(pd.concat([table["active_fraction"], stars["source_active"] / stars["units"]])))
            axis.set_xlabel("hidden units")
            axis.set_ylabel(FRACTION)
        if len(stars):  # one entry for stars of every colour
            next(iter(grid.values())).plot([], [], color="white", label="source, one image", **_STAR)
        legend(figure, list(grid.values()))
        means = (
            f"{str(recipe).capitalize()} recipe. {means_in_words(rows)}" for recipe, rows in table.groupby("recipe")
        )
        return save(
            figure,
            "active-by-width",
            alt=f"Mean fraction of units active against the net ({nets_in_words(table)}), a panel a recipe and layer. "
            f"{' '.join(means)} {_source_in_words(stars)}",
            caption="Fraction of all units of a layer with output above 0, mean over the test images and seeds; "
            f"{_BARS}. Stars: the source's count on its one image of a 6 from MNIST. Shaded: {BAND}.",
            table="active",
        )


def by_class(classes: DataFrame, recipe: str = "strong") -> Saved:
    """Draw the mean fraction active on each class, a row a net and a column a hidden layer.

    Args:
        classes: as `lenet_activity.class_table` gives it.
        recipe: whose nets are drawn.

    Raises:
        ValueError: the table holds no net of the recipe.
    """
    classes = of_recipe(classes, recipe)
    names, lines = list(dict.fromkeys(classes["class_name"])), lines_of(classes)
    beside = offsets(lines)
    with style():
        figure, grid = layer_grid(classes, "class of the image", "fraction active")
        for (model, layer), axis in grid.items():
            shade(axis, along="y")
            for name, line in lines.items():
                rows = only(classes, model, layer, name)
                by_name = {str(one): part["active_fraction"] for one, part in rows.groupby("class_name")}
                spots(axis, {names.index(one) + beside[name]: values for one, values in by_name.items()}, line)
            categories(axis, names)
            axis.set_ylim(0, top(classes["active_fraction"]))
        legend(figure, list(grid.values()))
        return save(
            figure,
            f"active-by-class-{recipe}",
            alt=f"Mean fraction of units active on the test images of each class, {recipe} recipe, a row a net "
            f"({nets_in_words(classes)}), a column a layer, one series each for "
            f"{joined_words([line.label for line in lines.values()])}. {extremes_in_words(classes)}",
            caption="Fraction of all units of a layer with output above 0, mean over a class's test images and seeds, "
            f"{recipe} recipe; {_BARS}. Shaded: {BAND}.",
            table="active-classes",
        )


def _source_in_words(stars: DataFrame) -> str:
    """Say the source's fractions once, whatever the recipes beside it."""
    once = stars.drop_duplicates(["net", "target", "layer"])
    told = [
        f"{net} {layer}, {label_of(target)} {active / units:.2f}"
        for net, layer, target, active, units in once[["net", "layer", "target", "source_active", "units"]].itertuples(
            index=False
        )
    ]
    return f"Stars, the source on one image: {'; '.join(told)}." if told else "The source measured none of these nets."


BOUNDS = {"last": 1.0, "first": 10.0}  # points; the claim: the last costs less, the first more


_STAGE = ["recipe", "mode", "budget", "target"]


_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


_WIDE = 8.0  # largest to smallest mean error from which an axis is logarithmic


_REMOVAL_BARS = "Bars: 95 % t interval over seeds."


_BOUND = "bound of the claim"


_TREATED = dict(
    zip(
        TREATMENTS,
        (
            Line(label="as trained", colour=METHODS["abs"].colour, marker="o"),
            Line(label="retrained", colour=METHODS["positive"].colour, marker="^"),
            Line(label="from scratch", colour=METHODS["negative"].colour, marker="s"),
        ),
        strict=True,
    )
)


_CHANGED = dict(
    zip(
        REMOVED,
        (
            Line(label="nothing removed", colour=INK, marker="o"),
            Line(label="first removed", colour=METHODS["positive"].colour, marker="^"),
            Line(label="last removed", colour=METHODS["abs"].colour, marker="v"),
            Line(label="both removed", colour=METHODS["percentile"].colour, marker="s"),
        ),
        strict=True,
    )
)


def removal_drops(table: DataFrame) -> Saved:
    """Draw the error by what is removed, one colour a treatment, one panel a net and pruning.

    Where some nets got more treatments than others, these alone are drawn; `removal_by_net` has the others.
    """
    treatments = table.groupby("model")["treatment"].nunique()
    table = table[table["model"].isin(treatments[treatments == treatments.max()].index)]
    parts = _parts(table, ["data", "model", *_STAGE])
    drawn = [name for name in TREATMENTS if name in set(table["treatment"])]
    with style():
        figure, axes = _panels([_title(part, part["model"].iloc[0]) for part in parts])
        for axis, part in zip(axes, parts, strict=True):
            for place, treatment in enumerate(drawn):
                rows = part[part["treatment"] == treatment]
                if len(rows):
                    shift = 0.24 * (place - (len(drawn) - 1) / 2)
                    _points(axis, [rows[rows["removed"] == name] for name in REMOVED], shift, _TREATED[treatment])
                    _bounds(axis, rows, shift)
            axis.set_xticks(range(len(REMOVED)), REMOVED)
            axis.set_xlim(-0.5, len(REMOVED) - 0.5)
            axis.set_xlabel("hidden activation removed")
        _error_axes(axes, table, [*_STAGE, "model", "treatment", "removed"])
        legend(figure, axes)
        return save(
            figure,
            "removal-drops",
            alt=f"Test error by the hidden activation removed, in {_count(axes)}. {_in_words(parts)}",
            caption=f"Test error with none, the first, the last and both hidden activations replaced by the identity. "
            f"{_REMOVAL_BARS} Black dashes stand 1 point (last) and 10 points (first) above the same treatment with "
            "nothing removed: the claim puts the last below its dash and the first above.",
            table="removal",
        )


def removal_by_net(table: DataFrame) -> Saved:
    """Draw the error of every net as trained, one colour a removal, one panel a recipe and pruning.

    A table without nets as trained is drawn by the first treatment it has.
    """
    treatment = next(name for name in TREATMENTS if name in set(table["treatment"]))
    table = table[table["treatment"] == treatment]
    parts = _parts(table, ["data", *_STAGE])
    models = list(dict.fromkeys(table["model"]))
    with style():
        figure, axes = _panels([_title(part, "all nets") for part in parts])
        for axis, part in zip(axes, parts, strict=True):
            for place, removed in enumerate(REMOVED):
                rows = part[part["removed"] == removed]
                shift = 0.16 * (place - (len(REMOVED) - 1) / 2)
                _points(axis, [rows[rows["model"] == model] for model in models], shift, _CHANGED[removed])
            axis.set_xticks(
                range(len(models)), list(short_names(table["model"]).values()), rotation=25 if len(models) > 3 else 0
            )
            axis.set_xlim(-0.6, len(models) - 0.4)
        _error_axes(axes, table, [*_STAGE, "model", "removed"])
        legend(figure, axes)
        return save(
            figure,
            "removal-by-net",
            alt=f"Test error of each net, {treatment}, with none, the first, the last and both hidden activations "
            f"removed, in {_count(axes)}. {_ranges_in_words(parts)}",
            caption=f"Test error with hidden activations replaced by the identity, nets {treatment}, by their hidden "
            f"widths. {_REMOVAL_BARS}",
            table="removal",
        )


def _panels(titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Lay out panels; a single one is widened to hold the legend beneath it."""
    figure, axes = panels(titles)
    if len(axes) == 1:
        figure.set_size_inches(5.6, 3.1)
    return figure, axes


def _count(axes: Sequence[Axes]) -> str:
    return "one panel" if len(axes) == 1 else f"{len(axes)} panels"


def _points(axis: Axes, groups: Sequence[DataFrame], shift: float, line: Line) -> None:
    """Draw a mean and its interval a group, side by side."""
    for place, rows in enumerate(groups):
        if rows.empty:
            continue
        error = t_interval(rows["error_percent"].to_numpy())
        axis.errorbar(
            place + shift,
            error.value,
            yerr=[[error.value - error.low], [error.high - error.value]],
            color=line.colour,
            marker=line.marker,
            markersize=5,
            linestyle="none",
            capsize=2.5,
            label=line.label,
        )


def _bounds(axis: Axes, rows: DataFrame, shift: float) -> None:
    start = float(rows[rows["removed"] == "none"]["error_percent"].mean())
    for removed, points in BOUNDS.items():
        x = REMOVED.index(removed) + shift
        axis.plot([x - 0.1, x + 0.1], [start + points] * 2, color=INK, linewidth=1.8, label=_BOUND)


def _error_axes(axes: Sequence[Axes], table: DataFrame, setting: list[str]) -> None:
    """Give all panels one axis of errors, logarithmic where they span orders of magnitude."""
    drawn = [t_interval(rows["error_percent"].to_numpy()) for _, rows in table.groupby(setting)]
    low, high = min(error.value for error in drawn), max(error.value for error in drawn)
    top = min(100.0, max([high, *(error.high for error in drawn if math.isfinite(error.high))]))
    for axis in axes:
        axis.set_ylabel("test error (%)")
        axis.grid(visible=False, axis="x")
        if low > 0 and high > _WIDE * low:
            axis.set_yscale("log")
            axis.set_ylim(low / 1.6, max(100.0, high * 1.1))
            axis.yaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if tick >= low / 1.6]))
            axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            axis.yaxis.set_minor_locator(NullLocator())
        else:
            axis.set_ylim(0, 1.05 * max(top, high + 1, 1.0))


def _parts(table: DataFrame, by: list[str]) -> list[DataFrame]:
    return [part for _, part in table.groupby(by, sort=False)]


def _title(part: DataFrame, nets: str) -> str:
    row = part.iloc[0]
    return f"{nets} on {row['data']}: {_stage(row)}"


def _stage(row: "pd.Series[str]") -> str:
    if row["mode"] == "dense":
        return f"{row['recipe']} recipe, dense"
    target = str(row["target"])
    kept = f"{int(target):,} weights left" if target.isdigit() else f"{target} removed"
    return f"{row['recipe']} recipe, {kept} ({row['mode']}, {row['budget']})"


def _in_words(parts: Sequence[DataFrame]) -> str:
    """Say each panel's mean errors."""
    sentences = []
    for part in parts:
        said = []
        for treatment, rows in part.groupby("treatment", sort=False):
            errors = rows.groupby("removed", sort=False)["error_percent"].mean()
            said.append(f"{treatment} " + ", ".join(f"{name} {error:.1f} %" for name, error in errors.items()))
        sentences.append(f"{_title(part, part['model'].iloc[0])}: {'; '.join(said)}.")
    return " ".join(sentences)


def _ranges_in_words(parts: Sequence[DataFrame]) -> str:
    """Say, for each panel, between which errors its nets lie."""
    sentences = []
    for part in parts:
        means = part.groupby(["removed", "model"], sort=False)["error_percent"].mean().groupby("removed", sort=False)
        ends = ((name, f"{errors.min():.1f}", f"{errors.max():.1f}") for name, errors in means)
        said = [f"{name} {low} %" if low == high else f"{name} {low} to {high} %" for name, low, high in ends]
        sentences.append(f"{_title(part, 'all nets')}: {', '.join(said)}.")
    return " ".join(sentences)
