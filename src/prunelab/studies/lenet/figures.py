"""The figures of the dense LeNets, and of what pruning does to their weights: accuracy by width, weights, pixels."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.figures import panels as figures_panels
from prunelab.figures.labels import place_labels
from prunelab.figures.panels import BARS, said, shifts, spots
from prunelab.figures.style import DEPTHS, INK, METHODS, MUTED, Line, Saved, curve, legend, lines, panels, save, style
from prunelab.stats import LEVEL, Interval
from prunelab.studies.common.runs import groups, only
from prunelab.studies.lenet.settings import accuracy, net_name, nets, recipes, slug
from prunelab.studies.lenet.summary import against_published, comparable

BAND = "Line: mean over seeds; band: 95 % t interval."


STARS = "Stars: what the source printed, one run each."


RECIPE_LINES: Mapping[str, Line] = {
    "source": Line(label="source's recipe", colour="#d55e00", marker="s", dash=(0, (5, 2))),
    "strong": Line(label="strong recipe", colour="#0072b2", marker="o"),
}


BUDGET_LINES = lines("budget")


LAYER_NAMES = {"all": "all layers", "fc1": "first layer", "fc2": "second layer", "fc3": "third layer"}


def layer_lines(table: DataFrame) -> list[tuple[str, Line]]:
    """Name the layers of a table from the input on, each with its line."""
    names = sorted(dict.fromkeys(table["layer"]))
    return [(name, DEPTHS[depth % len(DEPTHS)]) for depth, name in enumerate(names)]


def layer_name(layer: str) -> str:
    """Say a layer's name in words."""
    return LAYER_NAMES.get(layer, layer)


def grid(
    rows: Sequence[str], columns: Sequence[str], *, height: float, width: float = 7.8
) -> tuple[Figure, list[list[Axes]]]:
    """Lay out one row of panels a net and one column a subject, named above and at the left; sizes in inches."""
    layout = ConstrainedLayoutEngine(h_pad=0.04, w_pad=0.04)
    size = (width, height * len(rows) + 0.6)
    figure, every = plt.subplots(len(rows), len(columns), figsize=size, squeeze=False, layout=layout)
    for axis, title in zip(every[0], columns, strict=True):
        axis.set_title(title, loc="left")
    for row, name in zip(every, rows, strict=True):
        row[0].set_ylabel(name)
    return figure, [list(row) for row in every]


def by_net(axis: Axes, models: Sequence[str], *, ylabel: str) -> None:
    """Make the horizontal axis one place a net."""
    axis.set_xticks(range(len(models)), [net_name(model) for model in models], rotation=30, ha="right")
    axis.set_xlim(-0.6, len(models) - 0.4)
    axis.grid(False, axis="x")
    axis.set_xlabel("hidden units of the net")
    axis.set_ylabel(ylabel)


def stars(axis: Axes, models: Sequence[str], printed: DataFrame) -> int:
    """Draw the source's accuracies at the places of its nets, as many as are on the axis; give their number."""
    places = {net_name(model): place for place, model in enumerate(models)}
    here = printed[printed["net"].isin(list(places))]
    if len(here):
        at = [places[net] for net in here["net"]]
        axis.plot(at, here["test_accuracy_percent"], "*", color=INK, markersize=9, label="source, one run")
    return len(here)


def means(table: DataFrame, column: str = "accuracy_percent") -> dict[str, Interval]:
    """Give each net's mean and interval out of a comparison table's rows, one row a net."""
    ends = table[["model", column, "low", "high", "seeds"]].itertuples(index=False)
    return {
        model: Interval(value=value, low=low, high=high, n=int(n), level=LEVEL, method="t")
        for model, value, low, high, n in ends
    }


def each_in_words(models: Sequence[str], found: Mapping[str, Interval]) -> str:
    """Say every net's mean with its interval."""
    return ", ".join(f"{net_name(model)} {said(found[model])}" for model in models if model in found)


def some(rows: DataFrame, wanted: str) -> DataFrame:
    """Give the rows back, or say in one line that there are none.

    Raises:
        ValueError: no row.
    """
    if rows.empty:
        raise ValueError(f"a figure draws at least one net; the table has none of {wanted}: is it the right run?")
    return rows


def who(recipe: str) -> str:
    """Say a recipe in words."""
    return RECIPE_LINES[recipe].label if recipe in RECIPE_LINES else f"recipe {recipe}"


def left(target: str) -> str:
    """Say a target in words: a number of weights left, or a percentage removed."""
    return f"{target} removed" if target.endswith("%") else f"{int(target):,} weights left"


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
        by_net(axis, models, ylabel="test accuracy (%)")
        words = []
        for recipe, shift in zip(recipes(dense), shifts(dense["recipe"].nunique()), strict=True):
            line = RECIPE_LINES.get(recipe, RECIPE_LINES["strong"])
            found = {
                str(model): accuracy(part) for model, part in only(dense, recipe=recipe).groupby("model", sort=False)
            }
            spots(axis, models, line, found, shift=shift, label=line.label)
            words.append(f"{line.label}: {each_in_words(models, found)}")
        starred = stars(axis, models, only(variants, stage="dense"))
        legend(figure, [axis])
        return save(
            figure,
            "dense-accuracy",
            alt=f"Test accuracy (%) of dense nets by their hidden units, mean with 95 % interval. {'; '.join(words)}.",
            caption=f"Test accuracy of dense nets after the last epoch. {BARS} {STARS if starred else ''}",
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
        figure, axes = grid([net_name(model) for model in models], [*map(layer_name, layers)], height=1.25)
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
            alt=f"Histograms of the weights of dense nets, {who(recipe)}, one row a net and one column each for "
            f"{', '.join(map(layer_name, layers))}. Middle of the fullest bin of {layer_name(layers[0])}: "
            f"{fullest} weight units.",
            caption=f"Weights of dense nets, {who(recipe)}, counts relative to the fullest bin, mean over seeds. "
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
        figure, axes = grid([net_name(model) for model in models], [*map(layer_name, layers)], height=1.25)
        for column, layer in enumerate(layers):
            for row, model in enumerate(models):
                axis = axes[row][column]
                dense = only(before, layer=layer, model=model)
                if len(dense):
                    axis.stairs(*_relative(dense), fill=True, color=_DENSE, label="dense")
                for target, line in zip(targets, _AFTER, strict=False):
                    part = only(after, layer=layer, model=model, target=target)
                    if len(part):
                        axis.stairs(*_relative(part), color=line.colour, label=left(target), linewidth=1.1)
            _one_range([row[column] for row in axes], only(after, layer=layer))
        legend(figure, [axis for row in axes for axis in row])
        centre = "; ".join(
            f"{net_name(model)} {', '.join(_centre_in_words(only(after, model=model, layer=layers[0]), targets))}"
            for model in models
        )
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
            f"one a dense net, {who(recipe)}. Mean over pixels that some training image lights, and over the "
            f"others: {'; '.join(_lit_in_words(only(rows, model=model)) for model in models)}.",
            caption=f"Mean magnitude of the weights that leave each pixel for the first hidden layer, dense nets, "
            f"{who(recipe)}, mean over seeds.",
            table="pixels",
        )


def _of(table: DataFrame, recipe: str, **wanted: str) -> DataFrame:
    named = ", ".join([f"recipe {recipe!r}", *(f"{name} {value!r}" for name, value in wanted.items())])
    return some(only(table, recipe=recipe, **wanted), named)


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


_TICKS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.7, 99.9)


_OURS = Line(label="ours, last epoch", colour="#0072b2", marker="o")


_EFFECTIVE = Line(label="ours, by effective sparsity", colour="#0072b2", marker="", dash=(0, (4, 2)))


_EPOCHS = {
    "final": Line(label="published, last epoch", colour=INK, marker="s"),
    "best": Line(label="published, best epoch on the test part", colour="#d55e00", marker="^"),
    "unstated": Line(label="published, epoch not stated", colour="#009e73", marker="D"),
}


_DIFFERS = 0.01  # of the weights left; less is not drawn twice


_MANY = 3  # points of one method that each get its name


def frontier_figure(frontier: DataFrame, published: DataFrame) -> Saved:
    """Draw error against sparsity, logarithmic in the weights left, with the published points of the same net.

    Args:
        frontier: as `frontier_table` gives it.
        published: as `published_points` gives it, drawn only beside LeNet-300-100 on MNIST.
    """
    curves = list(groups(frontier, ("data", "recipe", "model")))
    points = published if len(comparable(frontier)) else published.iloc[:0]
    with style():
        figure, axis = plt.subplots(figsize=(7.8, 5.2), layout=ConstrainedLayoutEngine())
        names = [f"{net_name(where['model'])}, " if len(curves) > 1 else "" for where, _ in curves]
        for name, (_, rows) in zip(names, curves, strict=True):
            _ours(axis, rows.sort_values("kept"), name)
        _theirs(axis, points)
        _axis(axis, frontier, points)
        handles, labels = axis.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        place_labels(axis, _named(points), keep_clear=[spot for _, rows in curves for spot in _along(rows)])
        return save(
            figure,
            "frontier",
            alt=f"Test error against the share of weights removed. {_in_words(curves)} "
            f"{_met_in_words(frontier, points)}",
            caption="Test error after the last epoch against sparsity, on an axis logarithmic in the weights left. "
            "Line: mean over seeds; band: 95 % t interval. Dashed: the same errors against the effective sparsity, "
            "which counts weights off every live path as removed, where it differs. "
            + ("Others' points as published, one run each unless they say otherwise." if len(points) else ""),
            table="frontier",
        )


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


def _axis(axis: Axes, frontier: DataFrame, points: DataFrame) -> None:
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


def _named(points: DataFrame) -> list[tuple[float, float, str]]:
    """Give weights left (%), error (%) and label of each point; of a method with many, of the first and last only."""
    named = []
    for method, part in points.groupby("method", sort=False):
        part = part.sort_values("sparsity_percent")
        if len(part) > _MANY:
            part = part.iloc[[0, -1]]
        named += [
            (100 - x, y, str(method)) for x, y in zip(part["sparsity_percent"], part["error_percent"], strict=True)
        ]
    return named


def _along(rows: DataFrame) -> list[tuple[float, float]]:
    """Give places along the drawn curve, close enough that no label fits between two."""
    rows = rows.sort_values("sparsity_percent", ascending=False)
    at = np.log(100 - rows["sparsity_percent"].to_numpy(dtype=float))
    every = np.linspace(at[0], at[-1], 80)
    errors = np.interp(every, at, rows["error_percent"].to_numpy(dtype=float))
    return list(zip(np.exp(every).tolist(), errors.tolist(), strict=True))


def _in_words(curves: list[tuple[dict[str, str], DataFrame]]) -> str:
    said = []
    for where, rows in curves:
        pairs = zip(rows["error_percent"], rows["sparsity_percent"], strict=True)
        listed = ", ".join(f"{error:.2f} % at {sparsity:.4g} %" for error, sparsity in pairs)
        sparsest = f"{rows['effective_sparsity_percent'].max():.5g} %"
        name = f"{net_name(where['model'])} on {where['data']}"
        said.append(f"Ours, {name}, error at sparsity: {listed}; the sparsest is {sparsest} sparse effectively.")
    return " ".join(said)


def _met_in_words(frontier: DataFrame, points: DataFrame) -> str:
    beside = against_published(frontier, points)
    if beside.empty:
        return ""
    missed = beside[~beside["met"].astype(bool)]
    named = ", ".join(f"{row.method} at {row.their_sparsity_percent:g} %" for row in missed.itertuples())
    return (
        f"Ours is at or below {len(beside) - len(missed)} of {len(beside)} published points; above: {named or 'none'}."
    )


_STAGES = {
    "error_pruned_percent": Line(label="right after pruning", colour="#d55e00", marker="^", dash=(0, (5, 2))),
    "error_percent": Line(label="after training again", colour="#0072b2", marker="o"),
}


_LOG = "logarithmic"


def round_by_round(rounds: DataFrame, recipe: str) -> Saved:
    """Draw the error of every round before and after training again, against the weights left, one panel a net.

    Args:
        rounds: one row a round of masked nets with one global threshold (other rows are left out).
        recipe: whose nets.

    Raises:
        ValueError: there is no such net.
    """
    rows = some(only(rounds, recipe=recipe, mode="masked", budget="global"), f"recipe {recipe!r}")
    models = nets(rows)
    with style():
        figure, axes = panels([f"{net_name(model)} on {rows['data'].iloc[0]}" for model in models])
        for axis, model in zip(axes, models, strict=True):
            for column, line in _STAGES.items():
                curve(axis, only(rows, model=model), "kept", column, along="kept_asked", line=line)
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.invert_xaxis()
            axis.set_xlabel("weights left")
            axis.set_ylabel("test error (%)")
            figures_panels.plain(axis)
        legend(figure, axes)
        return save(
            figure,
            f"rounds-{recipe}",
            alt=f"Test error against the weights left in every round, {who(recipe)}, one panel a net, two "
            f"curves: right after pruning and after training again. In the sparsest round: "
            f"{'; '.join(_sparsest_in_words(only(rows, model=model)) for model in models)}.",
            caption=f"Test error of every round of pruning by one global threshold, {who(recipe)}, both axes "
            f"{_LOG}, fewer weights to the right. {BAND}",
            table="rounds",
        )


def kept_by_layer(layers: DataFrame) -> Saved:
    """Draw the share of each layer's weights that every round keeps, one panel a net and way of sharing them out.

    Args:
        layers: one row a layer and round of masked nets (other rows are left out).

    Raises:
        ValueError: there is no such net.
    """
    rows = some(only(layers, mode="masked"), "mode 'masked'")
    budgets = [name for name in BUDGET_LINES if name in set(rows["budget"])]
    models, key = nets(rows), ["recipe", "budget", "model", "target", "round", "seed"]
    whole = rows.groupby(key)["kept"].transform("sum") / rows.groupby(key)["weights"].transform("sum")
    rows = rows.assign(whole=100 * whole, percent=100 * rows["kept_fraction"])
    # A layer may lose all its weights, which no logarithmic axis shows: half a weight stands for none.
    rows["percent"] = rows["percent"].clip(lower=50 / rows["weights"])
    every = [
        (recipe, model, budget, part)
        for recipe in recipes(rows)
        for model in models
        for budget in budgets
        if len(part := only(rows, recipe=recipe, model=model, budget=budget))
    ]
    with style():
        figure, axes = panels([_layers_title(*named) for *named, _ in every])
        for axis, (*_, part) in zip(axes, every, strict=True):
            for name, line in layer_lines(part):
                one = only(part, layer=name)
                along = one.assign(step=one["target"] + one["round"].astype(str))
                curve(axis, along, "whole", "percent", along="step", line=line, label=layer_name(name))
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.invert_xaxis()
            axis.set_xlabel("weights left in the whole net (%)")
            axis.set_ylabel("left in the layer (%)")
            figures_panels.plain(axis)
        legend(figure, axes)
        ends = "; ".join(f"{_layers_title(*named)}: {_layers_in_words(part)}" for *named, part in every)
        return save(
            figure,
            "kept-by-layer",
            alt=f"Share of each layer's weights left against the share left in the whole net in every round, "
            f"one panel a net and way of sharing out the weights. In the sparsest round: {ends}.",
            caption=f"Weights left by layer in every round, masked, both axes {_LOG}, fewer weights "
            f"to the right. {BAND}",
            table="layers",
        )


def _sparsest_in_words(rows: DataFrame) -> str:
    last = rows[rows["kept_asked"] == rows["kept_asked"].min()]
    before, after = (last[column].mean() for column in _STAGES)
    return (
        f"{net_name(str(rows['model'].iloc[0]))} {before:.1f} % before and {after:.1f} % after "
        f"at {last['kept'].mean():,.0f} weights"
    )


def _layers_title(recipe: str, model: str, budget: str) -> str:
    return f"{net_name(model)}, {who(recipe)}: {BUDGET_LINES[budget].label}"


def _layers_in_words(rows: DataFrame) -> str:
    last = rows[rows["whole"] == rows["whole"].min()]
    return ", ".join(
        f"{layer_name(str(name))} {100 * part['kept_fraction'].mean():.2f} %" for name, part in last.groupby("layer")
    )


_TIMES = {"pruned": "right after the last pruning", "trained": "after the final training"}


_CONTROL = Line(label="dense net of about as many weights", colour="#009e73", marker="D")


_MARKERS = "osD^v"


def width_question(budget: DataFrame, variants: DataFrame, target: str) -> Saved:
    """Draw the accuracy at one number of weights left by the width the net started with, one panel a recipe.

    Args:
        budget: as `lenet_comparisons.budget_question` gives it.
        variants: the source's printed nets; its accuracies at this number of weights are drawn in the first panel.
        target: label of the weights left.

    Raises:
        ValueError: no net was pruned to this target.
    """
    rows = some(only(budget, target=target), f"target {target!r}; it has {', '.join(dict.fromkeys(budget['target']))}")
    pruned, models = only(rows, kind="pruned"), nets(only(rows, kind="pruned"))
    printed = only(variants, stage="pruned")
    printed = printed[(printed["weights_left"] / float(pruned["kept"].mean()) - 1).abs() <= 0.01]
    with style():
        figure, axes = panels([who(recipe) for recipe in recipes(rows)])
        starred = stars(axes[0], models, printed)
        words = []
        for axis, recipe in zip(axes, recipes(rows), strict=True):
            own, controls = only(pruned, recipe=recipe), only(rows, kind="dense", recipe=recipe)
            names = [*models, *controls["model"]]
            wider, as_many = means(own), means(controls)
            by_net(axis, names, ylabel="test accuracy (%)")
            spots(axis, models, METHODS["abs"], wider, shift=0, label="started wider, pruned")
            spots(axis, names, _CONTROL, as_many, shift=0, label=_CONTROL.label)
            figures_panels.by_error(axis)
            beside = f", dense {each_in_words(names, as_many)}" if as_many else ""
            words.append(f"{who(recipe)}: {each_in_words(models, wider)}{beside}")
        legend(figure, axes)
        return save(
            figure,
            f"width-{slug(target)}",
            alt=f"Test accuracy (%) by the hidden units the net started with, at {left(target)}, mean with "
            f"95 % interval. {'; '.join(words)}.",
            caption=f"Test accuracy at {left(target)}, masked, one global threshold; "
            f"each recipe on its own scale, logarithmic in the error. "
            f"{BARS} {STARS if starred else ''}",
            table="budget",
        )


def masked_against_regrown(regrow: DataFrame) -> Saved:
    """Draw what training removed weights again gains over masks, right after the last pruning and in the end.

    Args:
        regrow: as `lenet_comparisons.regrow_table` gives it.
    """
    rows, models = some(regrow, "regrown nets"), nets(regrow)
    sets = [(recipe, target) for recipe in recipes(rows) for target in dict.fromkeys(rows["target"])]
    with style():
        figure, axes = panels([_TIMES[stage] for stage in _TIMES])
        words = []
        for axis, stage in zip(axes, _TIMES, strict=True):
            by_net(axis, models, ylabel="regrown − masked (points)")
            axis.axhline(0, color=INK, linewidth=0.9)
            for (recipe, target), shift in zip(sets, shifts(len(sets)), strict=True):
                part = only(rows, recipe=recipe, target=target, stage=stage)
                marker = _MARKERS[list(dict.fromkeys(rows["target"])).index(target) % len(_MARKERS)]
                line = Line(label="", colour=RECIPE_LINES[recipe].colour, marker=marker)
                label = f"{who(recipe)}, {target}"
                spots(axis, models, line, means(part, "gain"), shift=shift, label=label)
                words.append(f"{_TIMES[stage]}, {label}: {_gains_in_words(part)}")
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
    """Draw the accuracy each way of sharing out the weights comes to, one panel a recipe and target.

    Args:
        allocation: as `lenet_comparisons.allocation_table` gives it; masked nets are drawn.

    Raises:
        ValueError: there is no such net.
    """
    rows = some(only(allocation, mode="masked"), "mode 'masked'")
    rows = rows.drop_duplicates(["recipe", "budget", "model", "target"])
    models = nets(rows)
    budgets = [name for name in BUDGET_LINES if name in set(rows["budget"])]
    every = [(recipe, target) for recipe in recipes(rows) for target in dict.fromkeys(rows["target"])]
    with style():
        figure, axes = panels([f"{left(target)}, {who(recipe)}" for recipe, target in every])
        words = []
        for axis, (recipe, target) in zip(axes, every, strict=True):
            by_net(axis, models, ylabel="test accuracy (%)")
            for budget, shift in zip(budgets, shifts(len(budgets)), strict=True):
                part, line = only(rows, recipe=recipe, target=target, budget=budget), BUDGET_LINES[budget]
                found = means(part)
                spots(axis, models, line, found, shift=shift, label=line.label)
                at = f"{left(target)}, {who(recipe)}, {line.label}"
                words.append(f"{at}: {each_in_words(models, found)}")
            figures_panels.by_error(axis)
        legend(figure, axes)
        return save(
            figure,
            "accuracy-by-budget",
            alt=f"Test accuracy (%) by net and by how the weights left are shared out over the layers. "
            f"{'; '.join(words)}.",
            caption=f"Test accuracy by how the weights left are shared out over the layers, on a scale logarithmic in "
            f"the error. {BARS}",
            table="allocation",
        )


def _gains_in_words(rows: DataFrame) -> str:
    """Say the smallest and the largest gain of a set of nets, and in how many its interval leaves zero out."""
    if rows.empty:
        return "not measured"
    gains = rows.sort_values("gain", kind="stable")
    low, high = ((float(gains["gain"].iloc[at]), net_name(str(gains["model"].iloc[at]))) for at in (0, -1))
    clear = int(((rows["low"] > 0) | (rows["high"] < 0)).sum())
    ends = " to ".join(f"{gain:.2f} ({net})" for gain, net in (low, high))
    return f"{ends}, interval off zero in {clear} of {len(rows)} nets"
