"""Tables in, figures out: one style for every figure of the report."""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from pandas import DataFrame

from prunelab import files
from prunelab.pruning.kinds import Role, named
from prunelab.stats import t_interval

INK = "#222222"
MUTED = "#6b6b6b"


@dataclass(frozen=True, kw_only=True)
class Line:
    """How one kind of curve is drawn, the same in every figure."""

    label: str
    colour: str
    marker: str
    dash: str | tuple[int, tuple[int, ...]] = "-"


def lines(role: Role) -> dict[str, Line]:
    """Give the line of each kind that a parameter may name, in the order of the list of kinds."""
    return {
        name: Line(label=kind.label, colour=kind.look.colour, marker=kind.look.marker, dash=kind.look.dash)
        for name, kind in named(role).items()
    }


METHODS: Mapping[str, Line] = lines("sign") | lines("method")

# Layers are ordered, so their colours are too: dark to light, still apart in grey.
DEPTHS = (
    Line(label="", colour="#00204d", marker="o"),
    Line(label="", colour="#7c2d6b", marker="s", dash=(0, (5, 2))),
    Line(label="", colour="#e07b39", marker="^", dash=(0, (2, 1))),
)

_STYLE: dict[Any, Any] = {
    # An opaque card: the same figure is readable on a light and on a dark page.
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "font.family": "DejaVu Sans",  # ships with matplotlib, so every machine draws the same letters
    "lines.linewidth": 1.6,
    "lines.markersize": 3.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "prunelab",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw everything inside the block in the report's style."""
    with mpl.rc_context(_STYLE):
        yield


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A figure on disk; as a notebook cell's result it shows itself, alt text included."""

    path: Path
    alt: str

    def _repr_markdown_(self) -> str:
        return f"![{self.alt}]({self.path.as_posix()})"


def save(figure: Figure, name: str, *, alt: str, caption: str, table: str, folder: Path = Path("figures")) -> Saved:
    """Save a figure as SVG beside what a page needs to show it, then close it.

    Args:
        figure: drawn in the report's `style`.
        name: file name without ending; lower-case letters, digits and hyphens.
        alt: what the figure shows, in words, for who does not see it; at least 40 characters, no file name.
        caption: one or two sentences beneath the figure.
        table: name of the table, in the same run, that holds the figure's data.
        folder: where to.

    Returns:
        The saved figure; the same drawing gives the same bytes.

    Raises:
        ValueError: an alt text that says too little, or an empty caption.
    """
    alt, caption = " ".join(alt.split()), " ".join(caption.split())
    if len(alt) < 40 or alt.endswith((".svg", ".png")):
        raise ValueError(f"alt text says in words what figure {name!r} shows (at least 40 characters); got {alt!r}")
    if not caption:
        raise ValueError(f"figure {name!r} needs a caption; got an empty one")
    path = folder / f"{name}.svg"
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="svg", bbox_inches="tight", metadata={"Date": None, "Title": alt})
    plt.close(figure)
    files.write_json(path.with_suffix(".json"), {"alt": alt, "caption": caption, "table": table})
    return Saved(path=path, alt=alt)


def panels(titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Lay out one titled panel a subject, two in a row, as wide as a page of the book; an unused place is left out.

    Args:
        titles: one a panel, in order.

    Raises:
        ValueError: no title.
    """
    if not titles:
        raise ValueError("a figure needs at least one panel; got no titles")
    columns = min(2, len(titles))
    rows = -(-len(titles) // columns)
    layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.08)  # inches: a title keeps clear of the label above it
    figure, grid = plt.subplots(rows, columns, figsize=(3.9 * columns, 2.9 * rows), squeeze=False, layout=layout)
    axes = list(grid.flat)
    for extra in axes[len(titles) :]:
        extra.remove()
    for axis, title in zip(axes, titles, strict=False):
        axis.set_title("\n".join(textwrap.wrap(title, 44)), loc="left")
    return figure, axes[: len(titles)]


def curve(axis: Axes, rows: DataFrame, x: str, y: str, *, along: str, line: Line, label: str | None = None) -> None:
    """Draw the mean of `y` over seeds, with its 95 % t interval as a band.

    Args:
        axis: where.
        rows: one row a setting and seed; columns `x`, `y`, `along` and `seed`.
        x: column of the horizontal axis; seeds differ in it slightly, their mean is drawn.
        y: column of the vertical axis.
        along: column that names a setting; rows that share it are averaged.
        line: colour, marker and dash.
        label: legend entry; `line.label` without one.
    """
    points = []
    for _, group in rows.groupby(along, sort=True):
        interval = t_interval(group[y].to_numpy())
        points.append((float(group[x].mean()), interval.value, interval.low, interval.high))
    points.sort()
    xs, means, lows, highs = (list(part) for part in zip(*points, strict=True))
    if not all(map(math.isnan, lows)):  # one seed has no interval
        axis.fill_between(xs, lows, highs, color=line.colour, alpha=0.2, linewidth=0)
    axis.plot(
        xs,
        means,
        color=line.colour,
        marker=line.marker,
        markevery=-(-len(xs) // 18),  # of a dense sweep, as many as can be told apart
        linestyle=line.dash,
        label=label or line.label,
    )


def legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """Place one legend beneath the panels, each entry once."""
    entries: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=min(4, max(1, len(entries))))
