"""The figures of what is inside LeNets: their weights, their active units, and what their activations are worth."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.figures.panels import BARS, shifts
from prunelab.figures.style import DEPTHS, INK, METHODS, Line, Saved, legend, panels, save, style
from prunelab.studies.common.runs import only
from prunelab.studies.lenet.figures import by_net, label_nets, layer_name, left, named, names_of, of_recipe, points, who
from prunelab.studies.lenet.tables import DENSE, REMOVED, TREATMENTS
from prunelab.summaries import over_seeds

HALF = (0.4, 0.6)  # "about half", as the claim is decided
BAND = f"about half, {HALF[0]} to {HALF[1]}"
BOUNDS = {"last": 1.0, "first": 10.0}  # points; the claim: the last costs less, the first more

_AFTER = tuple(METHODS.values())
_TREATED = {
    name: Line(label=name, colour=line.colour, marker=marker)
    for name, line, marker in zip(TREATMENTS, _AFTER, "o^s", strict=False)
}
_CHANGED = {
    "none": Line(label="nothing removed", colour=INK, marker="o"),
    "first": Line(label="first removed", colour=METHODS["positive"].colour, marker="^"),
    "last": Line(label="last removed", colour=METHODS["abs"].colour, marker="v"),
    "both": Line(label="both removed", colour=METHODS["percentile"].colour, marker="s"),
}
_STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 10,
    "markeredgecolor": INK,
    "markeredgewidth": 0.7,
    "linestyle": "none",
}
_STAGE = ["data", "recipe", "mode", "budget", "target"]
_DENSE = "#a6a6a6"
_GREY = "#ececec"
_TAILS = 0.1  # % of the weights left out at either end of a histogram
_BESIDE = 3  # images in a row
_FEWEST = 3  # attainable fractions in a drawn bin: with fewer, some bins would hold twice as many as their neighbours
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_WIDE = 8.0  # largest to smallest mean error from which an axis is logarithmic


def weight_histograms(histograms: DataFrame, recipe: str) -> Saved:
    """Draw the weights of the dense nets of one recipe, all together and by layer."""
    rows = of_recipe(histograms, recipe, target="dense")
    with style():
        figure, layers = _histograms(rows, rows.iloc[:0])
        fullest = ", ".join(f"{net} {_mode_in_words(only(part, layer=layers[0]))}" for net, part in by_net(rows))
        return save(
            figure,
            f"weights-dense-{recipe}",
            alt=f"Histograms of the weights of dense nets, {who(recipe)}, one row a net and one column each for "
            f"{', '.join(map(layer_name, layers))}. Middle of the fullest bin of {layer_name(layers[0])}: "
            f"{fullest} weight units.",
            caption=f"Weights of dense nets, {who(recipe)}, counts relative to the fullest bin, mean over seeds. "
            f"Nets in rows; the outermost {_TAILS:g} % of the weights at either end are beyond the axes.",
            table="histograms",
        )


def pruned_histograms(histograms: DataFrame, recipe: str, mode: str = "masked") -> Saved:
    """Draw the weights left by one global threshold and training again over the weights before, by layer."""
    before = of_recipe(histograms, recipe, target="dense")
    after = only(of_recipe(histograms, recipe, mode=mode), budget="global")
    with style():
        figure, layers = _histograms(before, after)
        centre = "; ".join(f"{net} {_centre_in_words(only(part, layer=layers[0]))}" for net, part in by_net(after))
        return save(
            figure,
            f"weights-pruned-{recipe}" if mode == "masked" else f"weights-{mode}-{recipe}",
            alt=f"Histograms of the weights left after pruning ({mode}, {who(recipe)}) over those of the dense "
            f"nets, one row a net and one column each for {', '.join(map(layer_name, layers))}. Height at 0 "
            f"relative to the fullest bin, {layer_name(layers[0])}: {centre}.",
            caption=f"Weights before pruning (filled) and after pruning by one global threshold and training again "
            f"(lines), {who(recipe)}, {mode}; weights at 0 not counted, each relative to its fullest bin, "
            "mean over seeds. Nets in rows.",
            table="histograms",
        )


def pixel_weights(pixels: DataFrame, recipe: str) -> Saved:
    """Draw the mean magnitude of the first layer's weights from every pixel, one image a dense net."""
    rows = of_recipe(pixels, recipe)
    images, top = by_net(rows), float(rows["mean_magnitude"].max())
    beside = min(_BESIDE, len(images))
    down = -(-len(images) // beside)
    with style():
        layout = ConstrainedLayoutEngine(h_pad=0.05, w_pad=0.05)
        size = (2.3 * beside + 0.8, 2.4 * down)
        figure, every = plt.subplots(down, beside, figsize=size, squeeze=False, layout=layout)
        for extra in every.flat[len(images) :]:
            extra.remove()
        axes = list(every.flat[: len(images)])
        for axis, (net, part) in zip(axes, images, strict=True):
            square = part.pivot_table("mean_magnitude", index="row", columns="column")
            image = axis.imshow(square.to_numpy(), cmap="cividis", vmin=0, vmax=top, interpolation="nearest")
            axis.set_title(net, loc="left")
            _pixels(axis)
        figure.colorbar(image, ax=axes, label="mean |weight| (weight units)", aspect=30)
        return save(
            figure,
            f"pixel-weights-{recipe}",
            alt=f"Images of the mean magnitude of the first layer's weights from each pixel of {rows['data'].iloc[0]}, "
            f"one a dense net, {who(recipe)}. Mean over pixels that some training image lights, and over the "
            f"others: {'; '.join(f'{net} {_lit_in_words(part)}' for net, part in images)}.",
            caption=f"Mean magnitude of the weights that leave each pixel for the first hidden layer, dense nets, "
            f"{who(recipe)}, mean over seeds.",
            table="pixels",
        )


def chosen_image(chosen: DataFrame) -> Saved:
    """Draw the chosen test image."""
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
        axis.invert_yaxis()
        _pixels(axis)
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


def active_by_width(means: DataFrame, compared: DataFrame) -> Saved:
    """Draw the mean fraction active of each net, a panel a recipe and hidden layer, the source's counts beside it."""
    rows = _fractions(means)
    names, lines = names_of(rows), _lines(rows)
    beside = compared.assign(pruning=[DENSE if name == DENSE else left(name) for name in compared["target"]])
    beside = beside[beside["net"].isin(names) & beside["pruning"].isin(list(lines))]
    shift = dict(zip(lines, shifts(len(lines)), strict=True))
    places = [(recipe, layer) for recipe in dict.fromkeys(rows["recipe"]) for layer in dict.fromkeys(rows["layer"])]
    top = np.nanmax([*rows["active_fraction"], *rows["high"], *(beside["source_active"] / beside["units"])])
    with style():
        figure, axes = panels([f"{layer}, {recipe} recipe" for recipe, layer in places])
        for axis, (recipe, layer) in zip(axes, places, strict=True):
            _half(axis, top)
            own, theirs = (only(table, recipe=recipe, layer=layer) for table in (rows, beside))
            points(axis, own, "active_fraction", x="net", places=names, series="pruning", lines=lines)
            for net, name, count, units in theirs[["net", "pruning", "source_active", "units"]].itertuples(index=False):
                axis.plot(names.index(net) + shift[name], count / units, color=lines[name].colour, **_STAR)
            label_nets(axis, "fraction of units active")
        if len(beside):  # one entry for stars of every colour
            axes[0].plot([], [], color="white", label="source, one image", **_STAR)
        legend(figure, axes)
        said = (f"{str(recipe).capitalize()} recipe. {_means_in_words(own)}" for recipe, own in rows.groupby("recipe"))
        return save(
            figure,
            "active-by-width",
            alt=f"Mean fraction of units active against the net ({_nets_in_words(rows)}), a panel a recipe and "
            f"layer. {' '.join(said)} {_source_in_words(beside)}",
            caption="Fraction of all units of a layer with output above 0, mean over the test images and seeds. "
            f"{BARS} Stars: the source's count on its one image of a 6 from MNIST. Shaded: {BAND}.",
            table="active-means",
        )


def active_distribution(images: DataFrame, means: DataFrame, recipe: str = "strong") -> Saved:
    """Draw how the fraction active spreads over the test images, a row a net and a column a hidden layer."""
    images, means = _stages(of_recipe(images, recipe)), _fractions(of_recipe(means, recipe))
    units, lines = means.groupby(["net", "layer"])["units"].first(), _lines(images)
    with style():
        figure, grid = _layer_grid(images, "images (%)", "fraction of units active")
        for (net, layer), axis in grid.items():
            axis.axvspan(*HALF, color=_GREY, zorder=0, label=BAND)
            for name, line in lines.items():
                part = only(images, net=net, layer=layer, pruning=name)
                if len(part):
                    shares, edges = joined_bins(part, int(units[net, layer]))
                    axis.stairs(shares, edges, color=line.colour, linestyle=line.dash, linewidth=1.6, label=line.label)
            axis.set_xlim(0, 1)
            axis.set_ylim(bottom=0)
        legend(figure, list(grid.values()))
        return save(
            figure,
            f"active-distribution-{recipe}",
            alt=f"Histograms of the fraction of a hidden layer's units active on a test image, {recipe} recipe, a row "
            f"a net ({_nets_in_words(images)}), a column a layer, one curve each for "
            f"{_listed([line.label for line in lines.values()])}. {_means_in_words(means)}",
            caption=f"Fraction of all units of a layer with output above 0: share of the test images per 0.02, mean "
            f"over seeds, {recipe} recipe. Shaded: {BAND}.",
            table="active-images",
        )


def active_by_class(classes: DataFrame, recipe: str = "strong") -> Saved:
    """Draw the mean fraction active on each class, a row a net and a column a hidden layer."""
    classes = _stages(of_recipe(classes, recipe))
    names, lines = list(dict.fromkeys(classes["class_name"])), _lines(classes)
    rows = over_seeds(classes, ["layer", "net", "pruning", "class_name"], "active_fraction")
    with style():
        figure, grid = _layer_grid(classes, "fraction active", "class of the image")
        for (net, layer), axis in grid.items():
            _half(axis, classes["active_fraction"].max())
            own = only(rows, net=net, layer=layer)
            points(axis, own, "active_fraction", x="class_name", places=names, series="pruning", lines=lines)
        legend(figure, list(grid.values()))
        return save(
            figure,
            f"active-by-class-{recipe}",
            alt=f"Mean fraction of units active on the test images of each class, {recipe} recipe, a row a net "
            f"({_nets_in_words(classes)}), a column a layer, one series each for "
            f"{_listed([line.label for line in lines.values()])}. {_extremes_in_words(rows)}",
            caption="Fraction of all units of a layer with output above 0, mean over a class's test images and seeds, "
            f"{recipe} recipe. {BARS} Shaded: {BAND}.",
            table="active-classes",
        )


def removal_drops(removal: DataFrame) -> Saved:
    """Draw the error by what is removed, one colour a treatment, one panel a net and pruning.

    Where some nets got more treatments than others, these alone are drawn; `removal_by_net` has the others.
    """
    treatments = removal.groupby("model")["treatment"].nunique()
    removal = removal[removal["model"].isin(treatments[treatments == treatments.max()].index)]
    rows = over_seeds(removal, [*_STAGE, "model", "treatment", "removed"], "error_percent")
    parts = {_title(part, part["model"].iloc[0]): part for _, part in rows.groupby(["model", *_STAGE], sort=False)}
    lines = {name: _TREATED[name] for name in TREATMENTS if name in set(rows["treatment"])}
    with style():
        figure, axes = _panels(list(parts))
        words = []
        for axis, (title, part) in zip(axes, parts.items(), strict=True):
            told = points(axis, part, "error_percent", x="removed", places=REMOVED, series="treatment", lines=lines)
            words.append(f"{title}: {told}.")
            for treatment, shift in zip(lines, shifts(len(lines)), strict=True):
                start = only(part, treatment=treatment, removed="none")["error_percent"]
                for removed, more in BOUNDS.items() if len(start) else ():
                    x = REMOVED.index(removed) + shift
                    ends = [x - 0.08, x + 0.08], [start.item() + more] * 2
                    axis.plot(*ends, color=INK, linewidth=1.8, label="bound of the claim")
            axis.set_xlabel("hidden activation removed")
        _error_axes(axes, rows)
        legend(figure, axes)
        return save(
            figure,
            "removal-drops",
            alt=f"Test error by the hidden activation removed, in {_count(axes)}. {' '.join(words)}",
            caption=f"Test error with none, the first, the last and both hidden activations replaced by the identity. "
            f"{BARS} Black dashes stand 1 point (last) and 10 points (first) above the same treatment with "
            "nothing removed: the claim puts the last below its dash and the first above.",
            table="removal",
        )


def removal_by_net(removal: DataFrame) -> Saved:
    """Draw the error of every net as trained, one colour a removal, one panel a recipe and pruning.

    A table without nets as trained is drawn by the first treatment it has.
    """
    treatment = next(name for name in TREATMENTS if name in set(removal["treatment"]))
    rows = named(over_seeds(only(removal, treatment=treatment), [*_STAGE, "model", "removed"], "error_percent"))
    parts = {_title(part, "all nets"): part for _, part in rows.groupby(_STAGE, sort=False)}
    places = list(dict.fromkeys(rows["net"]))
    with style():
        figure, axes = _panels(list(parts))
        for axis, part in zip(axes, parts.values(), strict=True):
            points(axis, part, "error_percent", x="net", places=places, series="removed", lines=_CHANGED)
        _error_axes(axes, rows)
        legend(figure, axes)
        ranges = " ".join(
            f"{title}: {', '.join(_range_in_words(part, name) for name in REMOVED)}." for title, part in parts.items()
        )
        return save(
            figure,
            "removal-by-net",
            alt=f"Test error of each net, {treatment}, with none, the first, the last and both hidden activations "
            f"removed, in {_count(axes)}. {ranges}",
            caption=f"Test error with hidden activations replaced by the identity, nets {treatment}, by their hidden "
            f"widths. {BARS}",
            table="removal",
        )


def label_of(mode: str, budget: str, target: str) -> str:
    """Spell a pruning out: "2,660 weights left", and how, where it is not by the usual masks and one threshold."""
    if mode == DENSE:
        return DENSE
    return left(target) if (mode, budget) == ("masked", "global") else f"{left(target)} ({mode}, {budget})"


def joined_bins(part: DataFrame, units: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the mean share of one curve's bins within each drawn bin, and the drawn bins' edges.

    A layer of few units has few attainable fractions; bins are then joined until each holds at least three of them.
    """
    part = part.sort_values("bin_left")
    bins = len(part)
    whole = [count for count in range(1, bins + 1) if bins % count == 0]
    joined = next((count for count in whole if units * count >= _FEWEST * bins), bins)
    shares = part["share_percent"].to_numpy(dtype=float).reshape(-1, joined).mean(1)  # (bins / joined,)
    return shares, np.append(part["bin_left"].to_numpy(dtype=float)[::joined], float(part["bin_right"].iloc[-1]))


def _stages(table: DataFrame) -> DataFrame:
    """Name each row's net and pruning."""
    prunings = [label_of(*map(str, stage)) for stage in table[["mode", "budget", "target"]].itertuples(index=False)]
    return named(table).assign(pruning=prunings)


def _fractions(means: DataFrame) -> DataFrame:
    """Name each row's net and pruning, and give its mean as a fraction."""
    ends = {"active_fraction": means["active_percent"] / 100, "low": means["low"] / 100, "high": means["high"] / 100}
    return _stages(means.assign(**ends))


def _lines(rows: DataFrame) -> dict[str, Line]:
    """Give each pruning in a table its line, dense nets first."""
    prunings = sorted(dict.fromkeys(rows["pruning"]), key=lambda name: name != DENSE)  # stable
    lines = zip(prunings, cycle([*DEPTHS, *METHODS.values()]), strict=False)
    return {name: replace(line, label=name) for name, line in lines}


def _layer_grid(rows: DataFrame, ylabel: str, xlabel: str) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """Lay out a row a net and a column a hidden layer; (net, layer) -> its panel."""
    names, layers = names_of(rows), list(dict.fromkeys(rows["layer"]))
    figure, axes = _grid(names, len(layers), height=1.5)
    there = set(zip(rows["net"], rows["layer"], strict=True))
    grid = {}
    for net, line in zip(names, axes, strict=True):
        for layer, axis in zip(layers, line, strict=True):
            if (net, layer) not in there:  # a net with fewer layers
                axis.remove()
                continue
            axis.set_title(f"{net}, {layer}", loc="left")
            axis.set_ylabel(ylabel)
            axis.set_xlabel(xlabel if net == names[-1] else "")
            grid[net, layer] = axis
    return figure, grid


def _grid(rows: Sequence[str], columns: int, *, height: float) -> tuple[Figure, list[list[Axes]]]:
    layout = ConstrainedLayoutEngine(h_pad=0.05, w_pad=0.05)
    size = (7.8, height * len(rows) + 0.6)
    figure, every = plt.subplots(len(rows), columns, figsize=size, squeeze=False, layout=layout)
    return figure, [list(row) for row in every]


def _histograms(filled: DataFrame, lines: DataFrame) -> tuple[Figure, list[str]]:
    """Draw dense nets' weights, filled, and those of pruned ones over them: a row a net, a column a layer."""
    drawn = lines if len(lines) else filled
    found = set(drawn["layer"])
    layers = [layer for layer in ("all", *sorted(found - {"all"})) if layer in found]
    targets = list(dict.fromkeys(lines["target"]))
    figure, axes = _grid(names_of(drawn), len(layers), height=1.25)
    for column, layer in enumerate(layers):
        for row, (net, part) in zip(axes, by_net(only(drawn, layer=layer)), strict=True):
            axis = row[column]
            axis.set_title(layer_name(layer) if row is axes[0] else "", loc="left")
            if axis is row[0]:
                axis.set_ylabel(net)
            dense = only(filled, layer=layer, model=part["model"].iloc[0])
            if len(dense):
                colour, label = (_DENSE, "dense") if len(lines) else (METHODS["abs"].colour, "")
                axis.stairs(*_relative(dense), fill=True, color=colour, label=label)
            for target, line in zip(targets, _AFTER, strict=False):
                own = only(part, target=target)
                if len(own):
                    axis.stairs(*_relative(own), color=line.colour, label=left(target), linewidth=1.1)
        _one_range([row[column] for row in axes], only(drawn, layer=layer))
    if len(lines):
        legend(figure, [axis for row in axes for axis in row])
    return figure, layers


def _relative(rows: DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give heights relative to the fullest bin, since nets and layers differ in their bins, and the bins' edges."""
    rows = rows.sort_values("left")
    edges = np.append(rows["left"].to_numpy(dtype=float), float(rows["right"].iloc[-1]))
    density = rows["share_percent"].to_numpy(dtype=float) / np.diff(edges)
    return density / (density.max() or 1.0), edges


def _one_range(column: list[Axes], rows: DataFrame) -> None:
    """Give the panels of a column one horizontal range, without the tails, and label it once."""
    reach = 0.0
    for _, part in rows.groupby(["model", "target"]):
        part = part.sort_values("left")
        below = part["share_percent"].cumsum()
        inside = part[(below > _TAILS) & (below < 100 - _TAILS)]
        if len(inside):
            reach = max(reach, -float(inside["left"].min()), float(inside["right"].max()))
    for axis in column:
        if reach:
            axis.set_xlim(-reach, reach)
        axis.set_ylim(0, 1.08)
        axis.set_yticks([0, 1])
        axis.set_axisbelow(True)
        axis.tick_params(labelbottom=axis is column[-1])
    column[-1].set_xlabel("weight")


def _pixels(axis: Axes) -> None:
    axis.grid(False)
    axis.set_xlabel("column (pixels)")
    axis.set_ylabel("row (pixels)")


def _half(axis: Axes, top: float) -> None:
    """Shade what counts as about half of the units, and end the axis above it and above all that is drawn."""
    axis.axhspan(*HALF, color=_GREY, zorder=0, label=BAND)
    axis.set_ylim(0, min(1.0, max(HALF[1], top) + 0.08))


def _panels(titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Lay out panels; a single one is widened to hold the legend beneath it."""
    figure, axes = panels(titles)
    if len(axes) == 1:
        figure.set_size_inches(5.6, 3.1)
    return figure, axes


def _error_axes(axes: Sequence[Axes], rows: DataFrame) -> None:
    """Give all panels one axis of errors, logarithmic where they span orders of magnitude."""
    low, high = rows["error_percent"].min(), rows["error_percent"].max()
    top = min(100.0, float(np.nanmax([high, *rows["high"]])))
    for axis in axes:
        axis.set_ylabel("test error (%)")
        if low > 0 and high > _WIDE * low:
            axis.set_yscale("log")
            axis.set_ylim(low / 1.6, max(100.0, high * 1.1))
            axis.yaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if tick >= low / 1.6]))
            axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            axis.yaxis.set_minor_locator(NullLocator())
        else:
            axis.set_ylim(0, 1.05 * max(top, high + 1, 1.0))


def _count(axes: Sequence[Axes]) -> str:
    return "one panel" if len(axes) == 1 else f"{len(axes)} panels"


def _title(rows: DataFrame, what: str) -> str:
    row = rows.iloc[0]
    return f"{what} on {row['data']}: {row['recipe']} recipe, {label_of(row['mode'], row['budget'], row['target'])}"


def _mode_in_words(rows: DataFrame) -> str:
    """Say the middle of the fullest bin."""
    density, edges = _relative(rows)
    fullest = int(density.argmax())
    return f"{round(float(edges[fullest] + edges[fullest + 1]) / 2, 3) + 0.0:.3f}"  # no negative zero


def _centre_in_words(rows: DataFrame) -> str:
    words = []
    for target, part in rows.groupby("target", sort=False):
        heights, edges = _relative(part)
        at = int(np.clip(np.searchsorted(edges, 0.0, side="right") - 1, 0, len(heights) - 1))
        words.append(f"{heights[at]:.2f} at {target}")
    return ", ".join(words)


def _lit_in_words(rows: DataFrame) -> str:
    means = rows.groupby("ever_lit")["mean_magnitude"].mean()
    return " and ".join(f"{means[lit]:.4f}" if lit in means.index else "no such pixel" for lit in (True, False))


def _listed(names: Sequence[str]) -> str:
    """Join names for a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _nets_in_words(rows: DataFrame) -> str:
    return f"{_listed(names_of(rows))} on {rows['data'].iloc[0]}"


def _curves(rows: DataFrame) -> Iterator[tuple[str, DataFrame]]:
    """Give the rows of each layer and pruning, and what these are called."""
    for layer in dict.fromkeys(rows["layer"]):
        for name in _lines(rows):
            part = only(rows, layer=layer, pruning=name)
            if len(part):
                yield f"{layer}, {name}", part


def _means_in_words(rows: DataFrame) -> str:
    """Say, by layer and pruning, in which nets the fewest and the most units are active on average."""
    said = []
    for name, part in _curves(rows):
        part = part.sort_values("active_fraction", kind="stable")
        ends = dict.fromkeys(f"{part['active_fraction'].iloc[at]:.2f} ({part['net'].iloc[at]})" for at in (0, -1))
        said.append(f"{name}: {' to '.join(ends)}")
    return f"Mean fractions, lowest to highest net: {'; '.join(said)}."


def _extremes_in_words(rows: DataFrame) -> str:
    """Say, by layer and pruning, of which net the classes differ most, and between which."""
    said = []
    for name, part in _curves(rows):
        means = part.pivot_table("active_fraction", index="net", columns="class_name")
        widest = str((means.max(axis=1) - means.min(axis=1)).idxmax())
        of = means.T[widest].sort_values(kind="stable")
        low, high = (f"{of.iloc[at]:.2f} (class {of.index[at]})" for at in (0, -1))
        said.append(f"{name}: {low} to {high} in {widest}")
    return f"Where classes differ most: {'; '.join(said)}."


def _source_in_words(beside: DataFrame) -> str:
    """Say the source's fractions once, whatever the recipes beside it."""
    once = beside.drop_duplicates(["net", "pruning", "layer"])
    told = [
        f"{row['net']} {row['layer']}, {row['pruning']} {row['source_active'] / row['units']:.2f}"
        for row in once.to_dict("records")
    ]
    return f"Stars, the source on one image: {'; '.join(told)}." if told else "The source measured none of these nets."


def _range_in_words(rows: DataFrame, removed: str) -> str:
    """Say between which errors the nets of a panel lie."""
    errors = only(rows, removed=removed)["error_percent"]
    ends = dict.fromkeys((f"{errors.min():.1f}", f"{errors.max():.1f}"))
    return f"{removed} {' to '.join(ends)} %"
