"""The figures of what is inside LeNets: their weights, their active units, and what their activations are worth."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab import figures as draw
from prunelab.studies.lenet.figures import by_net, compare, ends_in_words, layer_name, named, of_recipe, points, who
from prunelab.studies.lenet.tables import DENSE, REMOVED, TREATMENTS, label_of, left
from prunelab.summaries import only, over_seeds

HALF = (0.4, 0.6)  # "about half", as the claim is decided
SHADED = f"about half, {HALF[0]} to {HALF[1]}"
BOUNDS = {"last": 1.0, "first": 10.0}  # points; the claim: the last costs less, the first more

_TREATED = draw.palette({name: name for name in TREATMENTS})
_CHANGED = draw.palette({name: "nothing removed" if name == "none" else f"{name} removed" for name in REMOVED})
_STAR: dict[str, Any] = {"marker": "*", "markersize": 10, "markeredgecolor": draw.INK, "linestyle": "none"}
_STAGE = ["data", "recipe", "mode", "budget", "target"]
_DENSE = "#a6a6a6"
_GREY = "#ececec"
_TAILS = 0.1  # % of the weights left out at either end of a histogram
_FEWEST = 3  # attainable fractions in a drawn bin: with fewer, some bins would hold twice as many as their neighbours
_WIDE = 8.0  # largest to smallest mean error from which an axis is logarithmic


@draw.drawing()
def weight_histograms(histograms: DataFrame, recipe: str) -> draw.Saved:
    """Draw the weights of the dense nets of one recipe, all together and by layer."""
    rows = of_recipe(histograms, recipe, target=DENSE)
    figure, layers, words = _histograms(rows, rows.iloc[:0], _mode_in_words)
    return draw.save(
        figure,
        f"weights-dense-{recipe}",
        alt=f"Histograms of the weights of dense nets, {who(recipe)}, one row a net and one column each for {layers}. "
        f"Middle of the fullest bin in weight units, {words}.",
        caption=f"Weights of dense nets, {who(recipe)}, counts relative to the fullest bin, mean over seeds. "
        f"Nets in rows; the outermost {_TAILS:g} % of the weights at either end are beyond the axes.",
        table="histograms",
    )


@draw.drawing()
def pruned_histograms(histograms: DataFrame, recipe: str) -> draw.Saved:
    """Draw the weights left by masks under one threshold and training again over the weights before, by layer."""
    before = of_recipe(histograms, recipe, target=DENSE)
    after = of_recipe(histograms, recipe, mode="masked", budget="global")
    figure, layers, words = _histograms(before, after, _centre_in_words)
    return draw.save(
        figure,
        f"weights-pruned-{recipe}",
        alt=f"Histograms of the weights left after pruning (masked, {who(recipe)}) over those of the dense nets, one "
        f"row a net and one column each for {layers}. Height at 0 relative to the fullest bin, {words}.",
        caption=f"Weights before pruning (filled) and after pruning by one global threshold and training again "
        f"(lines), {who(recipe)}, masked; weights at 0 not counted, each relative to its fullest bin, "
        "mean over seeds. Nets in rows.",
        table="histograms",
    )


@draw.drawing()
def pixel_weights(pixels: DataFrame, recipe: str) -> draw.Saved:
    """Draw the mean magnitude of the first layer's weights from every pixel, one image a dense net."""
    rows = of_recipe(pixels, recipe)
    images, top = by_net(rows), float(rows["mean_magnitude"].max())
    figure, axes = draw.grid(list(images), columns=3, height=2.4, xlabel="column (pixels)", ylabel="row (pixels)")
    for axis, part in zip(axes, images.values(), strict=True):
        square = part.pivot_table("mean_magnitude", index="row", columns="column")
        image = axis.imshow(square.to_numpy(), cmap="cividis", vmin=0, vmax=top, interpolation="nearest")
        axis.grid(visible=False)
    figure.colorbar(image, ax=axes, label="mean |weight| (weight units)", aspect=30)
    return draw.save(
        figure,
        f"pixel-weights-{recipe}",
        alt=f"Images of the mean magnitude of the first layer's weights from each pixel of {rows['data'].iloc[0]}, "
        f"one a dense net, {who(recipe)}. Mean over pixels that some training image lights, and over the "
        f"others: {'; '.join(f'{net} {_lit_in_words(part)}' for net, part in images.items())}.",
        caption=f"Mean magnitude of the weights that leave each pixel for the first hidden layer, dense nets, "
        f"{who(recipe)}, mean over seeds.",
        table="pixels",
    )


@draw.drawing()
def chosen_image(chosen: DataFrame) -> draw.Saved:
    """Draw the chosen test image."""
    values = chosen.pivot_table("value", index="row", columns="column")
    name, index, lit = chosen["class_name"].iloc[0], chosen["index"].iloc[0], int((chosen["value"] > 0).sum())
    height, width = values.shape
    rows, columns = (np.flatnonzero((values > 0).any(axis=along).to_numpy()) for along in (1, 0))
    title = f"class {name}, image {index}: {lit} nonzero pixels"
    figure, (axis,) = draw.grid([title], width=4.2, height=3.1, xlabel="column (pixels)", ylabel="row (pixels)")
    drawn = axis.imshow(values.to_numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    axis.grid(visible=False)
    figure.colorbar(drawn, ax=axis, label="pixel value")
    return draw.save(
        figure,
        "chosen-image",
        alt=f"Image of {height} by {width} pixels in shades of grey, of class {name}. {lit} pixels are nonzero; "
        f"they lie in rows {rows.min()} to {rows.max()} and columns {columns.min()} to {columns.max()}.",
        caption=f"The one image on which active units are counted: number {index} (from 0) of the test images of "
        f"{chosen['data'].iloc[0]}, of class {name}, with {lit} nonzero pixels.",
        table="chosen",
    )


@draw.drawing()
def active_by_width(means: DataFrame, compared: DataFrame) -> draw.Saved:
    """Draw the mean fraction active of each net, a panel a recipe and hidden layer, the source's counts beside it."""
    rows = _stages(means)
    names, kinds = list(by_net(rows)), _lines(rows)
    beside = compared.assign(
        pruning=[DENSE if name == DENSE else left(name) for name in compared["target"]],
        fraction=compared["source_active"] / compared["units"],
    )
    beside = beside[beside["net"].isin(names) & beside["pruning"].isin(list(kinds))]
    parts = dict(iter(rows.groupby(["recipe", "layer"], sort=False)))
    titled = {f"{layer}, {recipe} recipe": part for (recipe, layer), part in parts.items()}
    figure, axes, _ = compare(titled, "active_fraction", "pruning", kinds)
    for axis, (recipe, layer) in zip(axes, parts, strict=True):
        _half(axis, np.nanmax([*rows["active_fraction"], *rows["high"], *beside["fraction"]]))
        for (name, line), shift in zip(kinds.items(), draw.shifts(len(kinds)), strict=True):
            theirs = only(beside, recipe=recipe, layer=layer, pruning=name)
            axis.plot(
                [names.index(net) + shift for net in theirs["net"]], theirs["fraction"], color=line.colour, **_STAR
            )
    if len(beside):  # one entry for stars of every colour
        axes[0].plot([], [], color="white", label="source, one image", **_STAR)
    draw.legend(figure)
    told = (f"{str(recipe).capitalize()} recipe. {_means_in_words(own)}" for recipe, own in rows.groupby("recipe"))
    return draw.save(
        figure,
        "active-by-width",
        alt=f"Mean fraction of units active against the net ({_nets_in_words(rows)}), a panel a recipe and "
        f"layer. {' '.join(told)} {_source_in_words(beside)}",
        caption="Fraction of all units of a layer with output above 0, mean over the test images and seeds. "
        f"{draw.BARS} Stars: the source's count on its one image of a 6 from MNIST. Shaded: {SHADED}.",
        table="active-means",
    )


@draw.drawing()
def active_distribution(images: DataFrame, means: DataFrame, recipe: str = "strong") -> draw.Saved:
    """Draw how the fraction active spreads over the test images, a row a net and a column a hidden layer."""
    images, means = (_stages(of_recipe(table, recipe)) for table in (images, means))
    units, kinds = means.groupby(["net", "layer"])["units"].first(), _lines(images)
    figure, panels = _by_layer(images, xlabel="fraction of units active", ylabel="images (%)")
    for (net, layer), axis in panels.items():
        axis.axvspan(*HALF, color=_GREY, zorder=0, label=SHADED)
        for name, line in kinds.items():
            part = only(images, net=net, layer=layer, pruning=name)
            if len(part):
                bins = joined_bins(part, int(units[net, layer]))
                axis.stairs(*bins, color=line.colour, linestyle=line.dash, linewidth=1.6, label=line.label)
        axis.set_xlim(0, 1)
        axis.set_ylim(bottom=0)
    draw.legend(figure)
    return draw.save(
        figure,
        f"active-distribution-{recipe}",
        alt=f"Histograms of the fraction of a hidden layer's units active on a test image, {recipe} recipe, a row "
        f"a net ({_nets_in_words(images)}), a column a layer, one curve each for {draw.listed(list(kinds))}. "
        f"{_means_in_words(means)}",
        caption=f"Fraction of all units of a layer with output above 0: share of the test images per 0.02, mean "
        f"over seeds, {recipe} recipe. Shaded: {SHADED}.",
        table="active-images",
    )


@draw.drawing()
def active_by_class(classes: DataFrame, recipe: str = "strong") -> draw.Saved:
    """Draw the mean fraction active on each class, a row a net and a column a hidden layer."""
    classes = _stages(of_recipe(classes, recipe))
    rows = over_seeds(classes, ["layer", "net", "pruning", "class_name"], "active_fraction")
    kinds = _lines(classes)
    figure, panels = _by_layer(classes, xlabel="class of the image", ylabel="fraction active")
    for (net, layer), axis in panels.items():
        _half(axis, classes["active_fraction"].max())
        points(axis, only(rows, net=net, layer=layer), "active_fraction", "pruning", kinds, x="class_name")
    draw.legend(figure)
    return draw.save(
        figure,
        f"active-by-class-{recipe}",
        alt=f"Mean fraction of units active on the test images of each class, {recipe} recipe, a row a net "
        f"({_nets_in_words(classes)}), a column a layer, one series each for {draw.listed(list(kinds))}. "
        f"{_extremes_in_words(rows)}",
        caption="Fraction of all units of a layer with output above 0, mean over a class's test images and seeds, "
        f"{recipe} recipe. {draw.BARS} Shaded: {SHADED}.",
        table="active-classes",
    )


@draw.drawing()
def removal_drops(removal: DataFrame) -> draw.Saved:
    """Draw the error by what is removed, one colour a treatment, one panel a net and pruning.

    Where some nets got more treatments than others, these alone are drawn; `removal_by_net` has the others.
    """
    treatments = removal.groupby("model")["treatment"].nunique()
    removal = removal[removal["model"].isin(treatments[treatments == treatments.max()].index)]
    rows = over_seeds(removal, [*_STAGE, "model", "treatment", "removed"], "error_percent")
    parts = {_title(part, part["model"].iloc[0]): part for _, part in rows.groupby(["model", *_STAGE], sort=False)}
    kinds = {name: line for name, line in _TREATED.items() if name in set(rows["treatment"])}
    figure, axes, words = compare(parts, "error_percent", "treatment", kinds, x="removed")
    for axis, part in zip(axes, parts.values(), strict=True):
        for treatment, shift in zip(kinds, draw.shifts(len(kinds)), strict=True):
            start = only(part, treatment=treatment, removed="none")["error_percent"]
            for removed, more in BOUNDS.items() if len(start) else ():
                x = REMOVED.index(removed) + shift
                ends = [x - 0.08, x + 0.08], [start.item() + more] * 2
                axis.plot(*ends, color=draw.INK, linewidth=1.8, label="bound of the claim")
    _error_axes(axes, rows)
    draw.legend(figure)
    return draw.save(
        figure,
        "removal-drops",
        alt=f"Test error by the hidden activation removed, in {_count(axes)}. {words}",
        caption=f"Test error with none, the first, the last and both hidden activations replaced by the identity. "
        f"{draw.BARS} Black dashes stand 1 point (last) and 10 points (first) above the same treatment with "
        "nothing removed: the claim puts the last below its dash and the first above.",
        table="removal",
    )


@draw.drawing()
def removal_by_net(removal: DataFrame) -> draw.Saved:
    """Draw the error of every net as trained, one colour a removal, one panel a recipe and pruning.

    A table without nets as trained is drawn by the first treatment it has.
    """
    treatment = next(name for name in TREATMENTS if name in set(removal["treatment"]))
    rows = over_seeds(only(removal, treatment=treatment), [*_STAGE, "model", "removed"], "error_percent")
    parts = {_title(part, "all nets"): named(part) for _, part in rows.groupby(_STAGE, sort=False)}
    figure, axes, _ = compare(parts, "error_percent", "removed", _CHANGED)
    _error_axes(axes, rows)
    draw.legend(figure)
    ranges = {
        title: ", ".join(f"{name} {ends_in_words(only(part, removed=name), 'error_percent')}" for name in REMOVED)
        for title, part in parts.items()
    }
    return draw.save(
        figure,
        "removal-by-net",
        alt=f"Test error of each net, {treatment}, with none, the first, the last and both hidden activations "
        f"removed (%), in {_count(axes)}. {' '.join(f'{title}: {said}.' for title, said in ranges.items())}",
        caption=f"Test error with hidden activations replaced by the identity, nets {treatment}, by their hidden "
        f"widths. {draw.BARS}",
        table="removal",
    )


def joined_bins(part: DataFrame, units: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the mean share of one curve's bins within each drawn bin, and the drawn bins' edges.

    A layer of few units has few attainable fractions; bins are then joined until each holds at least three of them.
    """
    part = part.sort_values("bin_left")
    bins = len(part)
    whole = [count for count in range(1, bins + 1) if bins % count == 0]
    joined = next((count for count in whole if units * count >= _FEWEST * bins), bins)
    shares = part["share_percent"].to_numpy(dtype=float).reshape(-1, joined).mean(1)  # (bins / joined,)
    return shares, draw.edges(part, "bin_left", "bin_right")[::joined]


def _stages(table: DataFrame) -> DataFrame:
    """Name each row's net and pruning."""
    stages = zip(*(table[name] for name in ("mode", "budget", "target")), strict=True)
    return named(table.assign(pruning=[label_of(*stage) for stage in stages]))


def _lines(rows: DataFrame) -> dict[str, draw.Line]:
    """Give each pruning in a table its line, dense nets first."""
    return draw.depths({name: name for name in sorted(dict.fromkeys(rows["pruning"]), key=lambda name: name != DENSE)})


def _by_layer(rows: DataFrame, *, xlabel: str, ylabel: str) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """Lay out a row a net and a column a hidden layer; (net, layer) -> its panel, where the net has it."""
    nets, layers = list(by_net(rows)), list(dict.fromkeys(rows["layer"]))
    figure, every = draw.matrix(nets, layers, height=1.5, xlabel=xlabel, ylabel=ylabel)
    there = set(zip(rows["net"], rows["layer"], strict=True))
    panels = dict(zip(product(nets, layers), chain.from_iterable(every), strict=True))
    for place in panels.keys() - there:
        panels.pop(place).remove()
    return figure, panels


def _histograms(filled: DataFrame, over: DataFrame, words: Callable[[DataFrame], str]) -> tuple[Figure, str, str]:
    """Draw dense nets' weights, filled, and those of pruned ones over them: a row a net, a column a layer.

    Gives the figure, its layers and, of the first of these, what a function says of each net's rows.
    """
    drawn = over if len(over) else filled
    nets, layers = by_net(drawn), sorted(dict.fromkeys(drawn["layer"]))  # all layers together come first
    colour, label = (_DENSE, DENSE) if len(over) else (draw.BLUE, "")
    figure, axes = draw.matrix(list(nets), list(map(layer_name, layers)), height=1.3, xlabel="weight")
    for row, part in zip(axes, nets.values(), strict=True):
        for axis, layer in zip(row, layers, strict=True):
            dense = only(filled, layer=layer, model=part["model"].iloc[0])
            if len(dense):
                axis.stairs(*_relative(dense), fill=True, color=colour, label=label)
            own = only(part, layer=layer).groupby("target", sort=False) if len(over) else ()
            for (target, bins), line in zip(own, draw.METHODS.values(), strict=False):
                axis.stairs(*_relative(bins), color=line.colour, label=left(str(target)), linewidth=1.1)
    for column, layer in enumerate(layers):
        _one_range([row[column] for row in axes], only(drawn, layer=layer))
    draw.legend(figure)
    of = "; ".join(f"{net} {words(only(part, layer=layers[0]))}" for net, part in nets.items())
    return figure, ", ".join(map(layer_name, layers)), f"{layer_name(layers[0])}: {of}"


def _relative(rows: DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give heights relative to the fullest bin, since nets and layers differ in their bins, and the bins' edges."""
    rows = rows.sort_values("left")
    ends = draw.edges(rows)
    density = rows["share_percent"].to_numpy(dtype=float) / np.diff(ends)
    return density / (density.max() or 1.0), ends


def _one_range(column: list[Axes], rows: DataFrame) -> None:
    """Give the panels of a column one horizontal range, without the tails, and number it once."""
    rows = rows.sort_values("left")
    below = rows.groupby(["model", "target"])["share_percent"].cumsum()
    inside = rows[(below > _TAILS) & (below < 100 - _TAILS)]
    reach = max(-inside["left"].min(), inside["right"].max()) if len(inside) else 0.0
    for axis in column:
        if reach > 0:
            axis.set_xlim(-reach, reach)
        axis.set_ylim(0, 1.08)
        axis.set_yticks([0, 1])
        axis.tick_params(labelbottom=axis is column[-1])


def _half(axis: Axes, top: float) -> None:
    """Shade what counts as about half of the units, and end the axis above it and above all that is drawn."""
    axis.axhspan(*HALF, color=_GREY, zorder=0, label=SHADED)
    axis.set_ylim(0, min(1.0, max(HALF[1], top) + 0.08))


def _error_axes(axes: Sequence[Axes], rows: DataFrame) -> None:
    """Give all panels one axis of errors, logarithmic where they span orders of magnitude."""
    low, high = rows["error_percent"].min(), rows["error_percent"].max()
    for axis in axes:
        if low > 0 and high > _WIDE * low:
            axis.set_ylim(low / 1.6, max(100.0, high * 1.1))
            draw.log_axis(axis)
        else:
            top = min(100.0, float(np.nanmax([high, *rows["high"]])))
            axis.set_ylim(0, 1.05 * max(top, high + 1, 1.0))


def _count(axes: Sequence[Axes]) -> str:
    return "one panel" if len(axes) == 1 else f"{len(axes)} panels"


def _title(rows: DataFrame, what: str) -> str:
    row = rows.iloc[0]
    return f"{what} on {row['data']}: {row['recipe']} recipe, {label_of(row['mode'], row['budget'], row['target'])}"


def _mode_in_words(rows: DataFrame) -> str:
    """Say the middle of the fullest bin."""
    density, ends = _relative(rows)
    fullest = int(density.argmax())
    return f"{round(float(ends[fullest] + ends[fullest + 1]) / 2, 3) + 0.0:.3f}"  # no negative zero


def _centre_in_words(rows: DataFrame) -> str:
    words = []
    for target, part in rows.groupby("target", sort=False):
        heights, ends = _relative(part)
        at = int(np.clip(np.searchsorted(ends, 0.0, side="right") - 1, 0, len(heights) - 1))
        words.append(f"{heights[at]:.2f} at {target}")
    return ", ".join(words)


def _lit_in_words(rows: DataFrame) -> str:
    means = rows.groupby("ever_lit")["mean_magnitude"].mean()
    return " and ".join(f"{means[lit]:.4f}" if lit in means.index else "no such pixel" for lit in (True, False))


def _nets_in_words(rows: DataFrame) -> str:
    return f"{draw.listed(list(by_net(rows)))} on {rows['data'].iloc[0]}"


def _curves(rows: DataFrame) -> Iterator[tuple[str, DataFrame]]:
    """Give the rows of each layer and pruning, and what these are called."""
    for layer in dict.fromkeys(rows["layer"]):
        for name in _lines(rows):
            part = only(rows, layer=layer, pruning=name)
            if len(part):
                yield f"{layer}, {name}", part


def _means_in_words(rows: DataFrame) -> str:
    """Say, by layer and pruning, in which nets the fewest and the most units are active on average."""
    told = [f"{name}: {ends_in_words(part, 'active_fraction')}" for name, part in _curves(rows)]
    return f"Mean fractions, lowest to highest net: {'; '.join(told)}."


def _extremes_in_words(rows: DataFrame) -> str:
    """Say, by layer and pruning, of which net the classes differ most, and between which."""
    told = []
    for name, part in _curves(rows):
        means = part.groupby("net")["active_fraction"]
        widest = str((means.max() - means.min()).idxmax())
        own = only(part, net=widest).assign(of="class " + part["class_name"])
        told.append(f"{name}: {ends_in_words(own, 'active_fraction', 'of')} in {widest}")
    return f"Where classes differ most: {'; '.join(told)}."


def _source_in_words(beside: DataFrame) -> str:
    """Say the source's fractions once, whatever the recipes beside it."""
    once = beside.drop_duplicates(["net", "pruning", "layer"])
    told = [f"{row.net} {row.layer}, {row.pruning} {row.fraction:.2f}" for row in once.itertuples()]
    return f"Stars, the source on one image: {'; '.join(told)}." if told else "The source measured none of these nets."
