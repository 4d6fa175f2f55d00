"""What the figures on kinds of pruning function share: an axis of sparsity, an axis of errors, a net's name."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from pandas import DataFrame

from prunelab.figures import Line
from prunelab.stats import t_interval
from prunelab.studies.kinds_summary import NET

BARS = "Bars: 95 % t interval over seeds."
WAYS = {False: "one-shot", True: "with retraining"}
_TICKS = (0, 30, 50, 70, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)
_WIDE = 12  # largest over smallest error from which an axis names one, two and five only


def one_net(table: DataFrame) -> str:
    """Say which net a table is of.

    Raises:
        ValueError: it has no rows, or those of several nets or scopes.
    """
    found = list(dict.fromkeys(table[list(NET)].itertuples(index=False, name=None)))
    if len(found) != 1:
        has = "; ".join(", ".join(map(str, one)) for one in found) or "none"
        raise ValueError(f"a figure on kinds shows one net under one scope; the table has {has}: give it one's rows")
    return named(found[0])


def named(net: tuple[str, str, str]) -> str:
    """Name a net given by its data, model and scope."""
    data, model, scope = net
    return f"{model} on {data}" + (", the same fraction of each layer" if scope == "layer" else "")


def ways_in(table: DataFrame) -> list[bool]:
    """List one-shot and retrained, as far as the table has them."""
    return [way for way in WAYS if bool((table["retrained"] == way).any())]


def with_dense(rows: DataFrame) -> DataFrame:
    """Put the unpruned nets before the pruned ones, at sparsity 0, kind by kind and seed by seed."""
    dense = rows.drop_duplicates(["kind", "retrained", "seed"]).assign(sparsity_asked=0.0, sparsity=0.0)
    dense = dense.assign(error_percent=dense["dense_error_percent"])
    return pd.concat([dense, rows], ignore_index=True)


def bars(axis: Axes, rows: DataFrame, *, line: Line, dodge: float) -> None:
    """Draw the mean error of one kind against the weights left, with its t interval over seeds as bars.

    Bands of so many kinds would hide each other.

    Args:
        axis: where.
        rows: one row a budget and seed; columns `left` [%], `sparsity_asked` and `error_percent`.
        line: colour, marker and dash.
        dodge: factor that moves the points aside, so that bars of several kinds stand next to each other.
    """
    points = [
        (
            float(own["left"].mean()) * (1 if own["sparsity_asked"].iloc[0] == 0 else dodge),
            t_interval(own["error_percent"]),
        )
        for _, own in rows.groupby("sparsity_asked")
    ]
    half = [interval.high - interval.value if interval.n > 1 else 0.0 for _, interval in points]
    axis.errorbar(
        [left for left, _ in points],
        [interval.value for _, interval in points],
        yerr=half,
        color=line.colour,
        marker=line.marker,
        linestyle=line.dash,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=1.5,
        label=line.label,
    )


def sparsity_axis(axes: Sequence[Axes], sparsities: Sequence[float]) -> None:
    """Show the weights left on logarithmic axes, fewest on the right, numbered by the share removed.

    Args:
        axes: with the weights left [%] drawn across.
        sparsities: fractions removed that are drawn, the largest below 1.
    """
    few = 100 * (1 - max(sparsities))
    for axis in axes:
        axis.set_xscale("log")
        axis.set_xlim(112, few / 1.12)
        ticks = _apart([tick for tick in _TICKS if 100 - tick >= few * 0.99], np.log(100 / few))
        axis.xaxis.set_major_locator(FixedLocator([100 - tick for tick in ticks]))
        axis.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
        axis.xaxis.set_minor_locator(NullLocator())


def error_axis(axes: Sequence[Axes], errors: Sequence[float]) -> None:
    """Make axes of errors logarithmic where some error is above 0; those of 0 lie below the edge.

    Args:
        axes: with errors [%] drawn upwards.
        errors: all means drawn.
    """
    above = [error for error in errors if error > 0]
    if not above:
        return
    few = max(above) / min(above) > _WIDE
    for axis in axes:
        axis.set_yscale("log", nonpositive="clip")
        axis.set_ylim(min(above) / 1.3, max(above) * 1.3)
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())


def _apart(ticks: Sequence[float], span: float) -> list[float]:
    """Leave out ticks whose numbers would touch, from the sparsest on."""
    chosen: list[float] = []
    for tick in reversed(ticks):
        if not chosen or np.log((100 - tick) / (100 - chosen[0])) > 0.07 * span:
            chosen.insert(0, tick)
    return chosen
