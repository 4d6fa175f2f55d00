"""Where things stand in a figure: grids of panels, one legend beneath them, places side by side."""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from prunelab.figures.lines import MUTED, Dash, Line

WIDTH = 7.8  # inches, as wide as a page of the book
_ALONE = 6.2  # inches, a single panel
_ROOM = 40  # letters beneath a panel that stand side by side


def grid(
    titles: Sequence[str],
    *,
    columns: int = 2,
    height: float = 2.7,
    width: float | None = None,
    same: bool = False,
    xlabel: str = "",
    ylabel: str = "",
) -> tuple[Figure, list[Axes]]:
    """Lay out one titled panel a subject, row by row.

    Args:
        titles: one a panel, in order, wrapped to its width.
        columns: panels in a row.
        height: of a row, inches.
        width: of the figure, inches; as wide as a page of the book, or narrower with one column.
        same: whether all panels share their axes, which are then numbered at the left and at the bottom only.
        xlabel: beneath the panels that have none beneath them.
        ylabel: beside the panels at the left.

    Returns:
        The figure and its panels, in order.

    Raises:
        ValueError: no title.
    """
    if not titles:
        raise ValueError("a figure needs at least one panel; got no titles")
    columns = min(columns, len(titles))
    width = width or (WIDTH if columns > 1 else _ALONE)
    figure, axes = _panels(-(-len(titles) // columns), columns, width, height, same)
    for extra in axes[len(titles) :]:
        extra.remove()
    axes = axes[: len(titles)]
    size = 9 if columns > 3 else 10
    wide = int(72 * width / columns / (0.62 * size))  # letters of about this width
    for place, (axis, title) in enumerate(zip(axes, titles, strict=True)):
        lines = [line for part in title.split("\n") for line in textwrap.wrap(part, wide)]
        axis.set_title("\n".join(lines), fontsize=size)
        if place % columns == 0:
            axis.set_ylabel(ylabel)
        if place + columns >= len(titles):  # the last of its column, though a place beneath may be left out
            axis.set_xlabel(xlabel)
            axis.tick_params(labelbottom=True)
    return figure, axes


def matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    height: float = 2.0,
    same: bool = False,
    xlabel: str = "",
    ylabel: str = "",
) -> tuple[Figure, list[list[Axes]]]:
    """Lay out a row of panels a subject and a column a way to look at it, named above the first of each.

    Args:
        rows: names of the rows.
        columns: names of the columns.
        height: of a row, inches.
        same: as in `grid`.
        xlabel: beneath the last row.
        ylabel: beside the first column.

    Returns:
        The figure and its panels, row by row.

    Raises:
        ValueError: no row, or no column.
    """
    if not rows or not columns:
        raise ValueError(f"a figure needs at least one panel; got {len(rows)} rows and {len(columns)} columns")
    figure, axes = _panels(len(rows), len(columns), WIDTH, height, same)
    every = [axes[start : start + len(columns)] for start in range(0, len(axes), len(columns))]
    for axis, column in zip(every[0], columns, strict=True):
        axis.set_title(column)
    for row, name in zip(every, rows, strict=True):
        row[0].set_title("\n".join(part for part in (name, row[0].get_title(loc="left")) if part))
        row[0].set_ylabel(ylabel)
    for axis in every[-1]:
        axis.set_xlabel(xlabel)
    return figure, every


def _panels(rows: int, columns: int, width: float, height: float, same: bool) -> tuple[Figure, list[Axes]]:
    layout = ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.06)  # inches: a title keeps clear of the label above it
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height * rows), squeeze=False, layout=layout, sharex=same, sharey=same
    )
    return figure, list(axes.flat)


def columns_for(panels: int) -> int:
    """Say how many panels stand in a row, so that few places stay empty: three, four where there are many."""
    return {1: 1, 2: 2, 4: 2}.get(panels, 4 if panels > 6 else 3)


def legend(
    figure: Figure,
    entries: Sequence[Axes | Line | Artist] | None = None,
    *,
    columns: int = 4,
    title: str = "",
    dots: bool = False,
    beside: bool = False,
) -> None:
    """Place one legend beneath the panels, each entry once, in as many columns as the figure is wide.

    The figure grows by the legend's height, so that the panels keep theirs.

    Args:
        figure: whose panels are drawn.
        entries: panels, for what is labelled in them; lines; or artists with labels. All panels without them.
        columns: at most.
        title: of the legend.
        dots: show lines as their markers alone.
        beside: place it at the right of the panels instead, in one column.
    """
    handles: dict[str, Artist] = {}
    for entry in figure.axes if entries is None else entries:
        if isinstance(entry, Line):
            shown = entry.look(linestyle="none") if dots else entry.look()
            handles.setdefault(entry.label, Line2D([], [], **shown))
        elif isinstance(entry, Axes):
            for handle, label in zip(*entry.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        else:
            handles.setdefault(str(entry.get_label()), entry)
    if not handles:
        return
    for count in range(1 if beside else min(columns, len(handles)), 0, -1):
        drawn = figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside right center" if beside else "outside lower center",
            ncols=count,
            title=title or None,
            title_fontsize=9,
        )
        size = drawn.get_window_extent()
        if count == 1 or size.width < figure.bbox.width:
            break
        drawn.remove()
    if not beside:
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + size.height / figure.dpi)


def rule(
    axis: Axes,
    *,
    x: float | None = None,
    y: float | None = None,
    dash: Dash = "-",
    colour: str = MUTED,
    label: str = "",
) -> None:
    """Draw a line across at `y`, or upright at `x`, that curves are held against: zero, or the unpruned net."""
    looks: dict[str, Any] = {"color": colour, "linewidth": 0.9, "linestyle": dash, "zorder": 1, "label": label}
    if y is not None:
        axis.axhline(y, **looks)
    if x is not None:
        axis.axvline(x, **looks)


def categories(axis: Axes, names: Sequence[str], *, upright: bool = False) -> None:
    """Name places along the horizontal axis, aslant where there is no room; or down the vertical one, first on top.

    Args:
        axis: where; the first name is at 0, the next at 1.
        names: in order.
        upright: along the vertical axis.
    """
    if upright:
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.4, -0.6)
    else:
        aslant = len(names) * (max(map(len, names)) + 1) > _ROOM
        slant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if aslant else {}
        axis.set_xticks(range(len(names)), names, **slant)
        axis.set_xlim(-0.6, len(names) - 0.4)
    axis.grid(visible=False, axis="y" if upright else "x")


def shifts(n: int) -> list[float]:
    """Give places side by side around the middle for n things drawn of one category."""
    return [min(0.18, 0.8 / n) * (place - (n - 1) / 2) for place in range(n)]
