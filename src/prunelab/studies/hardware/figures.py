"""The figures of what pruning gains on hardware: times, accuracy, and what is stored and computed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from pandas import DataFrame

from prunelab.deploy.forms import CSR_SCIPY, CSR_TORCH, MASKED, ONNX, SHRUNK
from prunelab.figures.panels import by_error, grid, said
from prunelab.figures.style import INK, MUTED, Line, Saved, curve, legend, panels, save, style
from prunelab.stats import t_interval
from prunelab.studies.common.runs import one_net
from prunelab.studies.hardware.tables import DENSE, NONE, UNITS, WEIGHTS

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


_PRUNINGS = {
    WEIGHTS: Line(label="single weights", colour="#0072b2", marker="o"),
    UNITS: Line(label="whole units, means propagated", colour="#d55e00", marker="^", dash=(0, (5, 2))),
}


_SPARSE = {(WEIGHTS, CSR_TORCH): "sparse rows by torch", (WEIGHTS, CSR_SCIPY): "sparse rows by scipy"}


_MASKED_TWICE = (UNITS, MASKED)  # computes what the masked net without single weights does: not drawn again


def latency_figure(latency: DataFrame, crossovers: DataFrame, *, suffix: str = "") -> Saved:
    """Draw the time of a call against the weights removed, a panel a batch size and number of threads.

    Where sparse rows become faster than the unpruned net by torch, a line with its interval is drawn; sparse rows by
    torch, or by scipy where these were not timed.

    Args:
        latency: as `hardware_times.latency_table` gives it, of one net.
        crossovers: as `hardware_times.crossover_table` gives it, of the same.
        suffix: behind the name of the figure, where nets have one each; its table is "latency".

    Raises:
        ValueError: no net, or several.
    """
    net = one_net(latency)
    runs = list(latency[["batch", "threads"]].drop_duplicates().itertuples(index=False, name=None))
    kinds = [kind for kind in kinds_of(latency) if kind != _MASKED_TWICE]
    marked = next((kind for kind in _SPARSE if kind in kinds), None)
    with style():
        titles = [_run(int(batch), int(count)) for batch, count in runs]
        figure, axes = grid(titles, columns=2, height=3.0, same=False)
        words = []
        for axis, (batch, count), title in zip(axes, runs, titles, strict=True):
            own = latency[(latency["batch"] == batch) & (latency["threads"] == count)]
            for kind in kinds:
                _times(axis, _of(own, kind), own, kind)
            sparsity_axis(axis, own[own["pruning"] != NONE]["sparsity_asked"])
            numbered(axis)
            crossed = crossovers[(crossovers["batch"] == batch) & (crossovers["threads"] == count)]
            crossed = crossed[(crossed["pruning"] == WEIGHTS) & (crossed["reference"] == DENSE)]
            if marked:
                _mark(axis, crossed[crossed["form"] == marked[1]], marked)
            words.append(f"{title}: {_times_in_words(own, kinds)}; {_crossed_in_words(crossed)}")
        for axis in axes[::2]:
            axis.set_ylabel("time of a call (ms)")
        form_legend(figure, kinds)
        return save(
            figure,
            f"latency{suffix}",
            alt=f"Time of a call against the weights removed, {net}, both axes logarithmic, a panel a batch size and "
            f"number of threads. At the largest sparsity: {'. '.join(words)}.",
            caption=f"Time of a call, {net}, nets pruned in one shot to the same number of weights; the axis is "
            "logarithmic in the weights left. Line: median over rounds, geometric mean over nets; band: 95 % bootstrap "
            "interval."
            + (
                f" Upright: from where on {_SPARSE[marked]} are faster than the unpruned net by torch."
                if marked
                else ""
            ),
            table="latency",
        )


def accuracy_figure(forms: DataFrame, *, suffix: str = "") -> Saved:
    """Draw test accuracy against the weights removed, by what was removed.

    Args:
        forms: as `hardware_forms.form_table` gives it, of one net.
        suffix: behind the name of the figure; its table is "forms".

    Raises:
        ValueError: no net, or several.
    """
    net = one_net(forms)
    each = forms.drop_duplicates(["pruning", "sparsity_asked", "seed"]).assign(left=lambda own: 1 - own["sparsity"])
    whole = t_interval(each[each["pruning"] == NONE]["accuracy_percent"].to_numpy())
    with style():
        figure, axes = panels([net])
        axis, words = axes[0], [f"unpruned {said(whole)}"]
        axis.axhline(whole.value, color=INK, linewidth=1, linestyle=(0, (4, 2)), label="unpruned")
        for pruning, line in _PRUNINGS.items():
            own = each[each["pruning"] == pruning]
            if own.empty:
                continue
            curve(axis, own, "left", "accuracy_percent", along="sparsity_asked", line=line)
            listed = ", ".join(
                f"{said(t_interval(rows['accuracy_percent'].to_numpy()), 1)} at {100 * float(str(at)):.4g} %"
                for at, rows in own.groupby("sparsity_asked")
            )
            words.append(f"{line.label}: {listed}")
        by_error(axis)
        sparsity_axis(axis, each[each["pruning"] != NONE]["sparsity_asked"])
        axis.set_ylabel("test accuracy (%)")
        figure.set_size_inches(6.4, 3.9)
        legend(figure, axes)
        return save(
            figure,
            f"accuracy-by-pruning{suffix}",
            alt=f"Test accuracy against the weights removed in one shot, {net}, mean over seeds with 95 % interval, in "
            f"percent. {'; '.join(words)}.",
            caption=f"Test accuracy of nets pruned in one shot to the same number of weights, {net}, logarithmic in "
            "the error and in the weights left. Line: mean over seeds; band: 95 % t interval.",
            table="forms",
        )


def size_figure(forms: DataFrame, *, suffix: str = "") -> Saved:
    """Draw the size of the file and the operations of each form against the weights removed.

    Args:
        forms: as `hardware_forms.form_table` gives it, of one net.
        suffix: behind the name of the figure; its table is "forms".

    Raises:
        ValueError: no net, or several.
    """
    net = one_net(forms)
    kinds = [kind for kind in kinds_of(forms) if kind != _MASKED_TWICE and kind[1] != CSR_SCIPY]
    with style():
        figure, axes = grid(["file", "operations on one example"], columns=2, height=3.0, same=False)
        words = []
        for axis, column, size, unit in zip(
            axes, ("file_bytes", "flops"), (1024, 1e6), ("KiB", "million operations"), strict=True
        ):
            means = forms.groupby(["pruning", "sparsity_asked", "form"])[column].mean() / size
            for kind in kinds:
                own = means.loc[kind[0], :, kind[1]]
                if kind[0] == NONE:
                    axis.axhline(own.iloc[0], **looks(kind, marked=False))
                else:
                    axis.plot(1 - own.index.to_numpy(dtype=float), own.to_numpy(), **looks(kind))
            numbered(axis)
            sparsity_axis(axis, forms[forms["pruning"] != NONE]["sparsity_asked"])
            axis.set_ylabel(unit)
            ends = ", ".join(f"{_label(kind)} {means.loc[kind[0], :, kind[1]].iloc[-1]:.3g}" for kind in kinds)
            words.append(f"{unit}: {ends}")
        form_legend(figure, kinds)
        return save(
            figure,
            f"stored-and-computed{suffix}",
            alt=f"Size of the file and operations on one example against the weights removed, {net}, by form. At the "
            f"largest sparsity, {'; '.join(words)}.",
            caption=f"Size of the file that holds each form, and floating-point operations on one example, {net}; "
            "both axes logarithmic. Sparse rows hold values, columns and row starts, and take the same file and the "
            "same operations by either library.",
            table="forms",
        )


def _times(axis: Axes, rows: DataFrame, every: DataFrame, kind: Kind) -> None:
    if rows.empty:
        return
    if kind[0] == NONE:
        left = 1 - every[every["pruning"] != NONE]["sparsity_asked"].to_numpy(dtype=float)
        ends = np.array([left.max(), left.min()])
        low, value, high = (np.full(2, float(rows[name].iloc[0])) for name in ("low", "milliseconds", "high"))
    else:
        rows = rows.sort_values("sparsity_asked")
        ends = 1 - rows["sparsity_asked"].to_numpy(dtype=float)
        low, value, high = (rows[name].to_numpy(dtype=float) for name in ("low", "milliseconds", "high"))
    axis.fill_between(ends, low, high, color=LINES[kind].colour, alpha=0.15, linewidth=0)
    axis.plot(ends, value, **looks(kind))


def _mark(axis: Axes, crossed: DataFrame, kind: Kind) -> None:
    """Draw where a form becomes faster, with its interval as far as it was reached."""
    line, (start, end) = LINES[kind], sorted(axis.get_xlim())
    for row in crossed.to_dict("records"):
        value, low, high = (float(row[name]) / 100 for name in ("crossover_percent", "low", "high"))
        if not math.isnan(low):
            axis.axvspan(start if math.isnan(high) else 1 - high, 1 - low, color=line.colour, alpha=0.08, linewidth=0)
        if not math.isnan(value):
            axis.axvline(1 - value, color=line.colour, linewidth=1, linestyle=(0, (2, 1.5)))
    axis.set_xlim(end, start)


def _times_in_words(own: DataFrame, kinds: Sequence[Kind]) -> str:
    parts = []
    for kind in kinds:
        rows = _of(own, kind)
        if len(rows):
            row = rows.sort_values("sparsity_asked").iloc[-1]
            parts.append(f"{_label(kind)} {row['milliseconds']:.3g} ms ({row['low']:.3g} to {row['high']:.3g})")
    return ", ".join(parts)


def _crossed_in_words(crossed: DataFrame) -> str:
    parts = []
    for row in crossed[crossed["form"].isin([CSR_TORCH, CSR_SCIPY])].to_dict("records"):
        value, low, high = (float(row[name]) for name in ("crossover_percent", "low", "high"))
        ends = [f"beyond {row['largest_percent']:.4g}" if math.isnan(end) else f"{end:.1f}" for end in (low, high)]
        at = "at no sparsity measured" if math.isnan(value) else f"from {value:.1f} % on"
        parts.append(f"{_label((WEIGHTS, str(row['form'])))} faster than unpruned by torch {at} ({' to '.join(ends)})")
    return ", ".join(parts) or "no sparse rows"


def _of(rows: DataFrame, kind: Kind) -> DataFrame:
    return rows[(rows["pruning"] == kind[0]) & (rows["form"] == kind[1])]


def _run(batch: int, count: int) -> str:
    return f"{batch:,} example{'s' if batch > 1 else ''}, {count} thread{'s' if count > 1 else ''}"


def _label(kind: Kind) -> str:
    return LINES[kind].label
