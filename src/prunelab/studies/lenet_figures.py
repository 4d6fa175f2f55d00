"""The figures of the dense LeNets, and of what pruning does to their weights: accuracy by width, weights, pixels."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.figures import METHODS, Saved, legend, panels, save, style
from prunelab.studies import lenet_panels as drawn
from prunelab.studies.lenet_rows import accuracy, net_name, nets, only, recipes

_DENSE = "#a6a6a6"
_AFTER = (METHODS["abs"], METHODS["positive"], METHODS["negative"], METHODS["percentile"])
_TAILS = 0.1  # % of the weights left out at either end of a histogram
_BESIDE = 3  # images in a row


def dense_accuracy(dense: DataFrame, variants: DataFrame) -> Saved:
    """Draw the accuracy of the dense nets by width under every recipe, the source's accuracies as stars.

    Args:
        dense: one row a dense net.
        variants: the source's printed nets.
    """
    models = nets(dense)
    with style():
        figure, [axis] = panels([f"dense nets on {dense['data'].iloc[0]}"])
        figure.set_size_inches(6.2, 3.6)
        drawn.by_net(axis, models, ylabel="test accuracy (%)")
        words = []
        for recipe, shift in zip(recipes(dense), drawn.shifts(dense["recipe"].nunique()), strict=True):
            line = drawn.RECIPE_LINES.get(recipe, drawn.RECIPE_LINES["strong"])
            found = {
                str(model): accuracy(part) for model, part in only(dense, recipe=recipe).groupby("model", sort=False)
            }
            drawn.spots(axis, models, line, found, shift=shift, label=line.label)
            words.append(f"{line.label}: {drawn.each_in_words(models, found)}")
        starred = drawn.stars(axis, models, only(variants, stage="dense"))
        legend(figure, [axis])
        return save(
            figure,
            "dense-accuracy",
            alt=f"Test accuracy (%) of dense nets by their hidden units, mean with 95 % interval. {'; '.join(words)}.",
            caption=f"Test accuracy of dense nets after the last epoch. {drawn.BARS} {drawn.STARS if starred else ''}",
            table="dense",
        )


def weight_histograms(histograms: DataFrame, recipe: str) -> Saved:
    """Draw the weights of the dense nets of one recipe, all together and by layer.

    Args:
        histograms: one row a bin, as fractions of the nonzero weights.
        recipe: whose nets.

    Raises:
        ValueError: there is no dense net of this recipe.
    """
    rows = _of(histograms, recipe, target="dense")
    models, layers = nets(rows), _layers(rows)
    with style():
        figure, axes = drawn.grid([net_name(model) for model in models], [*map(drawn.layer_name, layers)], height=1.25)
        for column, layer in enumerate(layers):
            for row, model in enumerate(models):
                part = only(rows, layer=layer, model=model)
                if len(part):
                    axes[row][column].stairs(*_relative(part), fill=True, color=METHODS["abs"].colour)
            _one_range([row[column] for row in axes], only(rows, layer=layer))
        fullest = ", ".join(
            f"{net_name(model)} {_mode(only(rows, model=model, layer=layers[0])):.3f}" for model in models
        )
        return save(
            figure,
            f"weights-dense-{recipe}",
            alt=f"Histograms of the weights of dense nets, {drawn.who(recipe)}, one row a net and one column each for "
            f"{', '.join(map(drawn.layer_name, layers))}. Middle of the fullest bin of {drawn.layer_name(layers[0])}: "
            f"{fullest} weight units.",
            caption=f"Weights of dense nets, {drawn.who(recipe)}, counts relative to the fullest bin, mean over seeds. "
            f"Nets in rows; the outermost {_TAILS:g} % of the weights at either end are beyond the axes.",
            table="histograms",
        )


def pruned_histograms(histograms: DataFrame, recipe: str, mode: str = "masked") -> Saved:
    """Draw the weights left after pruning and training again over the weights before, all together and by layer.

    Args:
        histograms: one row a bin, of dense nets and of nets pruned by one global threshold.
        recipe: whose nets.
        mode: masked or regrown.

    Raises:
        ValueError: there is no such net.
    """
    before = _of(histograms, recipe, target="dense")
    after = only(_of(histograms, recipe, mode=mode), budget="global")
    models, layers, targets = nets(after), _layers(after), list(dict.fromkeys(after["target"]))
    with style():
        figure, axes = drawn.grid([net_name(model) for model in models], [*map(drawn.layer_name, layers)], height=1.25)
        for column, layer in enumerate(layers):
            for row, model in enumerate(models):
                axis = axes[row][column]
                dense = only(before, layer=layer, model=model)
                if len(dense):
                    axis.stairs(*_relative(dense), fill=True, color=_DENSE, label="dense")
                for target, line in zip(targets, _AFTER, strict=False):
                    part = only(after, layer=layer, model=model, target=target)
                    if len(part):
                        axis.stairs(*_relative(part), color=line.colour, label=drawn.left(target), linewidth=1.1)
            _one_range([row[column] for row in axes], only(after, layer=layer))
        legend(figure, [axis for row in axes for axis in row])
        centre = "; ".join(
            f"{net_name(model)} {', '.join(_centre_in_words(only(after, model=model, layer=layers[0]), targets))}"
            for model in models
        )
        return save(
            figure,
            f"weights-pruned-{recipe}" if mode == "masked" else f"weights-{mode}-{recipe}",
            alt=f"Histograms of the weights left after pruning ({mode}, {drawn.who(recipe)}) over those of the dense "
            f"nets, one row a net and one column each for {', '.join(map(drawn.layer_name, layers))}. Height at 0 "
            f"relative to the fullest bin, {drawn.layer_name(layers[0])}: {centre}.",
            caption=f"Weights before pruning (filled) and after pruning by one global threshold and training again "
            f"(lines), {drawn.who(recipe)}, {mode}; weights at 0 not counted, each relative to its fullest bin, "
            "mean over seeds. Nets in rows.",
            table="histograms",
        )


def pixel_weights(pixels: DataFrame, recipe: str) -> Saved:
    """Draw the mean magnitude of the first layer's weights from every pixel, one image a dense net.

    Args:
        pixels: one row a net and pixel.
        recipe: whose nets.

    Raises:
        ValueError: there is no net of this recipe.
    """
    rows = _of(pixels, recipe)
    models, top = nets(rows), float(rows["mean_magnitude"].max())
    beside = min(_BESIDE, len(models))
    down = -(-len(models) // beside)
    with style():
        layout = ConstrainedLayoutEngine(h_pad=0.05, w_pad=0.05)
        figure, every = plt.subplots(
            down, beside, figsize=(2.3 * beside + 0.8, 2.4 * down), squeeze=False, layout=layout
        )
        for extra in every.flat[len(models) :]:
            extra.remove()
        axes = list(every.flat[: len(models)])
        for axis, model in zip(axes, models, strict=True):
            square = only(rows, model=model).pivot_table("mean_magnitude", index="row", columns="column")
            image = axis.imshow(square.to_numpy(), cmap="cividis", vmin=0, vmax=top, interpolation="nearest")
            axis.set_title(net_name(model), loc="left")
            axis.grid(False)
            axis.set_xlabel("column (pixels)")
            axis.set_ylabel("row (pixels)")
        figure.colorbar(image, ax=axes, label="mean |weight| (weight units)", aspect=30)
        return save(
            figure,
            f"pixel-weights-{recipe}",
            alt=f"Images of the mean magnitude of the first layer's weights from each pixel of {rows['data'].iloc[0]}, "
            f"one a dense net, {drawn.who(recipe)}. Mean over pixels that some training image lights, and over the "
            f"others: {'; '.join(_lit_in_words(only(rows, model=model)) for model in models)}.",
            caption=f"Mean magnitude of the weights that leave each pixel for the first hidden layer, dense nets, "
            f"{drawn.who(recipe)}, mean over seeds.",
            table="pixels",
        )


def _of(table: DataFrame, recipe: str, **wanted: str) -> DataFrame:
    named = ", ".join([f"recipe {recipe!r}", *(f"{name} {value!r}" for name, value in wanted.items())])
    return drawn.some(only(table, recipe=recipe, **wanted), named)


def _layers(rows: DataFrame) -> list[str]:
    found = set(rows["layer"])
    return [name for name in ("all", *sorted(found - {"all"})) if name in found]


def _density(rows: DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the share per weight unit of each bin, and the bins' edges."""
    rows = rows.sort_values("left")
    edges = np.append(rows["left"].to_numpy(dtype=float), float(rows["right"].iloc[-1]))
    return rows["share_percent"].to_numpy(dtype=float) / np.diff(edges), edges


def _relative(rows: DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give heights relative to the fullest bin, since nets and layers differ in their bins, and the bins' edges."""
    density, edges = _density(rows)
    return density / (density.max() or 1.0), edges


def _mode(rows: DataFrame) -> float:
    density, edges = _density(rows)
    fullest = int(density.argmax())
    return round(float(edges[fullest] + edges[fullest + 1]) / 2, 3) + 0.0  # no negative zero


def _centre_in_words(rows: DataFrame, targets: list[str]) -> list[str]:
    words = []
    for target in targets:
        part = only(rows, target=target)
        if len(part):
            heights, edges = _relative(part)
            at = int(np.clip(np.searchsorted(edges, 0.0, side="right") - 1, 0, len(heights) - 1))
            words.append(f"{heights[at]:.2f} at {target}")
    return words


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


def _lit_in_words(rows: DataFrame) -> str:
    means = rows.groupby(rows["ever_lit"].astype(bool))["mean_magnitude"].mean()
    each = " and ".join(f"{means[lit]:.4f}" if lit in means.index else "no such pixel" for lit in (True, False))
    return f"{net_name(str(rows['model'].iloc[0]))} {each}"
