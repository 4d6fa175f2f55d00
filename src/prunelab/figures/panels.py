"""The kit under its former names."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab.figures import curves, layout
from prunelab.figures.curves import BAND, BARS, CUT, said
from prunelab.figures.layout import WIDTH, columns_for, shifts
from prunelab.figures.lines import DASHED as _DASHED
from prunelab.figures.lines import Line
from prunelab.figures.scales import by_error, log_axis, number, penalty_axis, step_axis
from prunelab.stats import LEVEL, Interval

__all__ = [
    "BAND", "BARS", "CUT", "WIDTH", "_DASHED", "by_error", "columns_for", "grid", "mean_curve", "number", "outer",
    "penalty_axis", "plain", "said", "shifts", "spots", "step_axis",
]  # fmt: skip


def grid(titles: Sequence[str], *, columns: int, height: float, same: bool = True) -> tuple[Figure, list[Axes]]:
    """Lay out panels that share their axes."""
    return layout.grid(titles, columns=columns, height=height, width=WIDTH, same=same)


def outer(axes: Sequence[Axes], *, columns: int, xlabel: str, ylabel: str) -> None:
    """Label the panels at the left and those with none beneath."""
    columns = min(columns, len(axes))
    for place, axis in enumerate(axes):
        if place % columns == 0:
            axis.set_ylabel(ylabel)
        if place + columns >= len(axes):
            axis.set_xlabel(xlabel)


def mean_curve(
    axis: Axes, rows: DataFrame, x: str, y: str, *, line: Line, replaced: bool = True, level: float = LEVEL
) -> list[float]:
    """Draw a mean with its band, dashed where nothing was replaced."""
    return curves.band(axis, rows, x, y, line=line if replaced else line.dashed(), level=level, label="")


def plain(axis: Axes) -> None:
    """Make both axes logarithmic."""
    log_axis(axis, "xy")


def spots(
    axis: Axes, models: Sequence[str], line: Line, means: Mapping[str, Interval], *, shift: float, label: str
) -> None:
    """Draw each net's mean with its bar."""
    curves.bars(axis, curves.places(models, means, shift), line=line, label=label)
