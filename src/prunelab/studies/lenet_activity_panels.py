"""What the figures of active units share: a panel a net and layer, a curve a pruning, and their words."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.figures import DEPTHS, METHODS, Line, panels
from prunelab.models import parse
from prunelab.stats import t_interval
from prunelab.studies.lenet_activity_summary import short_names, short_pruning

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
