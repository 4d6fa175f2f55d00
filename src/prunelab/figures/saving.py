"""Tables in, figures out: one style for every figure of the report, and what a page needs beside a drawing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from pandas import DataFrame

from prunelab import files
from prunelab.figures.lines import INK, MUTED

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
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "font.family": "DejaVu Sans",  # ships with matplotlib, so every machine draws the same letters
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "savefig.dpi": 150,  # of images and of points drawn as pixels, within a drawing of lines
    "svg.fonttype": "path",
    "svg.hashsalt": "prunelab",
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw everything inside the block, or the function decorated with `@drawing()`, in the report's style."""
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
        figure: of `grid` or `matrix`, whose layout keeps all within its edges; any other is cut to what is drawn.
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
    words = checked_words(name, "figure", alt=alt, caption=caption)
    path = folder / f"{name}.svg"
    with drawing(), files.replacing(path) as temporary:
        engine = figure.get_layout_engine()
        if engine:
            # Laid out here, at the resolution that SVG has, all lies within the figure and it is drawn once: matplotlib
            # draws a figure with an engine twice, and a tight bounding box would measure all of it once more.
            FigureCanvasSVG(figure)
            figure.set_dpi(FigureCanvasSVG.fixed_dpi)
            engine.execute(figure)
            figure.set_layout_engine(None)
        figure.savefig(
            temporary,
            format="svg",
            bbox_inches=None if engine else "tight",
            metadata={"Date": None, "Title": words["alt"]},
        )
    plt.close(figure)
    files.write_json(path.with_suffix(".json"), {**words, "table": table})
    return Saved(path=path, alt=words["alt"])


def checked_words(name: str, what: str, *, alt: str, caption: str) -> dict[str, str]:
    """Give alt text and caption, each on one line.

    Raises:
        ValueError: an alt text that says too little, or an empty caption.
    """
    alt, caption = " ".join(alt.split()), " ".join(caption.split())
    if len(alt) < 40 or alt.endswith((".json", ".svg", ".png")):
        raise ValueError(f"alt text says in words what {what} {name!r} shows (at least 40 characters); got {alt!r}")
    if not caption:
        raise ValueError(f"{what} {name!r} needs a caption; got an empty one")
    return {"alt": alt, "caption": caption}


def slug(name: str) -> str:
    """Write a name as part of a file's name: "per position, map" is "per-position-map"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def suffix_of(folder: str, first: str) -> str:
    """Tell the figures of several runs of one notebook apart by how their folders' names go on from the first's.

    Args:
        folder: of a run, as ".../units-corrections-vgg".
        first: of the first run, as ".../units-corrections".

    Returns:
        "-vgg"; empty for the first itself.
    """
    name, start = Path(folder).name, Path(first).name
    return "" if folder == first else name[len(start) :] if name.startswith(f"{start}-") else f"-{slug(name)}"


def one_net(table: DataFrame) -> str:
    """Say which net a table is of.

    Raises:
        ValueError: it has no rows, or those of several nets.
    """
    found = list(dict.fromkeys(zip(table["model"], table["data"], strict=True)))
    if len(found) != 1:
        named = ", ".join(f"{model} on {data}" for model, data in found) or "none"
        raise ValueError(f"a figure on units shows one net on one data set; the table has {named}: give it one's rows")
    return "{} on {}".format(*found[0])
