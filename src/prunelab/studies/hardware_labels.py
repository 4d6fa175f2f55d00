"""How the figures of what pruning gains on hardware draw forms and sparsities, the same in all of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from pandas import DataFrame

from prunelab.deploy.forms import CSR_SCIPY, CSR_TORCH, MASKED, ONNX, SHRUNK
from prunelab.figures import INK, MUTED, Line
from prunelab.studies.hardware_forms_tables import DENSE, NONE, UNITS, WEIGHTS

Kind = tuple[str, str]  # what was removed, and the form

# Okabe and Ito (2008): told apart with every common colour vision; marker and dash repeat what the colour says. Cold
# colours are nets without single weights, warm ones nets without units; lines without markers are the unpruned net.
LINES: Mapping[Kind, Line] = {
    (NONE, DENSE): Line(label="unpruned, torch", colour=INK, marker="", dash=(0, (4, 2))),
    (NONE, ONNX): Line(label="unpruned, ONNX Runtime", colour=MUTED, marker="", dash=(0, (1, 1))),
    (WEIGHTS, MASKED): Line(label="weights: masked", colour="#000000", marker="X", dash=(0, (1, 2))),
    (WEIGHTS, CSR_TORCH): Line(label="weights: sparse rows, torch", colour="#0072b2", marker="o"),
    (WEIGHTS, CSR_SCIPY): Line(label="weights: sparse rows, scipy", colour="#56b4e9", marker="v", dash=(0, (5, 2))),
    (WEIGHTS, SHRUNK): Line(label="weights: dead units left out", colour="#009e73", marker="D", dash=(0, (2, 1))),
    (WEIGHTS, ONNX): Line(label="weights: same, ONNX Runtime", colour="#7a7a7a", marker="p", dash=(0, (3, 1))),
    (UNITS, MASKED): Line(label="units: masked", colour="#cc79a7", marker="P", dash=(0, (1, 2))),
    (UNITS, CSR_TORCH): Line(label="units: sparse rows, torch", colour="#882255", marker="<", dash=(0, (5, 2))),
    (UNITS, CSR_SCIPY): Line(label="units: sparse rows, scipy", colour="#aa4499", marker=">", dash=(0, (2, 1))),
    (UNITS, SHRUNK): Line(label="units: shrunk, torch", colour="#d55e00", marker="^"),
    (UNITS, ONNX): Line(label="units: shrunk, ONNX Runtime", colour="#e69f00", marker="s"),
}
_APART = 0.08  # of the axis, between the numbers of two sparsities


def kinds_of(table: DataFrame) -> list[Kind]:
    """List what a table has of `LINES`, in their order."""
    found = set(table[["pruning", "form"]].itertuples(index=False, name=None))
    return [kind for kind in LINES if kind in found]


def sparsity_axis(axis: Axes, sparsities: Iterable[float]) -> None:
    """Show the weights left on a logarithmic axis, fewest on the right, labelled by the share removed."""
    removed = np.array(sorted(set(sparsities)))
    left = 1 - removed
    high, low = left.max() * 1.12, left.min() / 1.12
    axis.set_xscale("log")
    axis.set_xlim(high, low)
    places = np.log(high / left) / np.log(high / low)
    shown: list[int] = []
    for place in range(len(left)):
        if not shown or places[place] - places[shown[-1]] > _APART:
            shown.append(place)
    axis.xaxis.set_major_locator(FixedLocator(left[shown].tolist()))
    axis.xaxis.set_major_formatter(FixedFormatter([f"{100 * tick:.4g}" for tick in removed[shown]]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("weights removed (%)")


def numbered(axis: Axes) -> None:
    """Make the vertical axis logarithmic, with numbers written out."""
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 300 else (1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def form_legend(figure: Figure, kinds: Sequence[Kind]) -> None:
    """Place one legend of forms beneath the panels."""
    handles = [Line2D([], [], **looks(kind)) for kind in kinds]
    figure.legend(handles, [LINES[kind].label for kind in kinds], loc="outside lower center", ncols=3)


def looks(kind: Kind, *, marked: bool = True) -> dict[str, Any]:
    """Say how the line of a form is drawn, with its markers or without."""
    line = LINES[kind]
    drawn: dict[str, Any] = {"color": line.colour, "linestyle": line.dash, "linewidth": 1.4}
    return drawn | ({"marker": line.marker, "markersize": 4} if marked else {})
