"""The figures of study 2, experiment 2: active units on the chosen image, over the test set, by width and by class."""

from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab.figures import INK, Saved, legend, panels, save, style
from prunelab.studies.lenet_activity_panels import (
    BAND,
    FRACTION,
    categories,
    extremes_in_words,
    histogram,
    joined_words,
    label_of,
    layer_grid,
    lines_of,
    means_in_words,
    models_of,
    nets_in_words,
    of_recipe,
    offsets,
    only,
    recipe_panels,
    shade,
    spots,
    top,
)

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
