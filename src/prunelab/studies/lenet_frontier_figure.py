"""The figure of error against sparsity up to the sparsest nets, others' points drawn in."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from pandas import DataFrame

from prunelab.figures import INK, MUTED, Line, Saved, save, style
from prunelab.studies.lenet_frontier import against_published, comparable
from prunelab.studies.lenet_labels import place_labels
from prunelab.studies.lenet_rows import groups, net_name, only

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
