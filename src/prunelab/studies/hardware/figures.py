"""The figures of what pruning gains on hardware: times, accuracy, and what is stored and computed."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from pandas import DataFrame

from prunelab import figures as draw
from prunelab.deploy.forms import CSR_SCIPY, CSR_TORCH, MASKED, ONNX, SHRUNK
from prunelab.stats import t_interval
from prunelab.studies.hardware.tables import DENSE, NONE, UNITS, WEIGHTS
from prunelab.summaries import only

Kind = tuple[str, str]  # what was removed, and the form

# Cold colours are nets without single weights, warm ones nets without units; lines without markers the unpruned net.
LINES: Mapping[Kind, draw.Line] = {
    (NONE, DENSE): draw.Line(label="unpruned, torch", colour=draw.INK, marker="", dash=draw.DASHED),
    (NONE, ONNX): draw.Line(label="unpruned, ONNX Runtime", colour=draw.MUTED, marker="", dash=(0, (1, 1))),
    (WEIGHTS, MASKED): draw.Line(label="weights: masked", colour=draw.BLACK, marker="X", dash=draw.DOTTED),
    (WEIGHTS, CSR_TORCH): draw.Line(label="weights: sparse rows, torch", colour=draw.BLUE, marker="o"),
    (WEIGHTS, CSR_SCIPY): draw.Line(label="weights: sparse rows, scipy", colour=draw.SKY, marker="v", dash=draw.LONG),
    (WEIGHTS, SHRUNK): draw.Line(label="weights: dead units left out", colour=draw.GREEN, marker="D", dash=draw.SHORT),
    (WEIGHTS, ONNX): draw.Line(label="weights: same, ONNX Runtime", colour=draw.GREY, marker="p", dash=(0, (3, 1))),
    (UNITS, MASKED): draw.Line(label="units: masked", colour=draw.PURPLE, marker="P", dash=draw.DOTTED),
    (UNITS, CSR_TORCH): draw.Line(label="units: sparse rows, torch", colour="#882255", marker="<", dash=draw.LONG),
    (UNITS, CSR_SCIPY): draw.Line(label="units: sparse rows, scipy", colour="#aa4499", marker=">", dash=draw.SHORT),
    (UNITS, SHRUNK): draw.Line(label="units: shrunk, torch", colour=draw.VERMILION, marker="^"),
    (UNITS, ONNX): draw.Line(label="units: shrunk, ONNX Runtime", colour=draw.ORANGE, marker="s"),
}
_PRUNINGS = draw.palette({WEIGHTS: "single weights", UNITS: "whole units, means propagated"})
_SPARSE = {(WEIGHTS, CSR_TORCH): "sparse rows by torch", (WEIGHTS, CSR_SCIPY): "sparse rows by scipy"}
_MASKED_TWICE = (UNITS, MASKED)  # computes what the masked net without single weights does: not drawn again


@draw.drawing()
def latency_figure(latency: DataFrame, crossovers: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw the time of a call against the weights removed, a panel a batch size and number of threads.

    Where sparse rows become faster than the unpruned net by torch, a line with its interval is drawn; sparse rows by
    torch, or by scipy where these were not timed.

    Args:
        latency: of one net.
        crossovers: of the same.
        suffix: behind the name of the figure, where nets have one each.

    Raises:
        ValueError: no net, or several.
    """
    net, kinds = draw.one_net(latency), [kind for kind in _kinds_of(latency) if kind != _MASKED_TWICE]
    marked = next((kind for kind in _SPARSE if kind in kinds), None)
    runs = [(int(batch), int(count)) for batch, count in latency[["batch", "threads"]].drop_duplicates().to_numpy()]
    titles = [f"{_counted(batch, 'example')}, {_counted(count, 'thread')}" for batch, count in runs]
    figure, axes = draw.grid(titles, xlabel="weights removed (%)", ylabel="time of a call (ms)")
    words = []
    for axis, (batch, count), title in zip(axes, runs, titles, strict=True):
        own = only(latency, batch=batch, threads=count).sort_values("sparsity_asked")
        for kind in kinds:
            _draw(axis, own, kind, "milliseconds", low="low", high="high")
        draw.log_axis(axis)
        draw.sparsity_axis(axis, removed := _removed(own), ticks=removed)
        crossed = only(crossovers, batch=batch, threads=count, pruning=WEIGHTS, reference=DENSE)
        if marked:
            _mark(axis, only(crossed, form=marked[1]), LINES[marked].colour)
        words.append(f"{title}: {_times_in_words(own, kinds)}; {_crossed_in_words(crossed)}")
    draw.legend(figure, [LINES[kind] for kind in kinds], columns=3)
    return draw.save(
        figure,
        f"latency{suffix}",
        alt=f"Time of a call against the weights removed, {net}, both axes logarithmic, a panel a batch size and "
        f"number of threads. At the largest sparsity: {'. '.join(words)}.",
        caption=f"Time of a call, {net}, nets pruned in one shot to the same number of weights; the axis is "
        "logarithmic in the weights left. Line: median over rounds, geometric mean over nets; band: 95 % bootstrap "
        "interval."
        + (f" Upright: from where on {_SPARSE[marked]} are faster than the unpruned net by torch." if marked else ""),
        table="latency",
    )


@draw.drawing()
def accuracy_figure(forms: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw test accuracy of one net against the weights removed, by what was removed.

    Raises:
        ValueError: no net, or several.
    """
    net, each = draw.one_net(forms), forms.drop_duplicates(["pruning", "sparsity_asked", "seed"])
    each = each.assign(left=100 - 100 * each["sparsity"])
    whole = t_interval(only(each, pruning=NONE)["accuracy_percent"].to_numpy())
    figure, [axis] = draw.grid([net], height=3.6, xlabel="weights removed (%)", ylabel="test accuracy (%)")
    draw.rule(axis, y=whole.value, dash=draw.DASHED, colour=draw.INK, label="unpruned")
    words = [f"unpruned {draw.said(whole)}"]
    for pruning, line in _PRUNINGS.items():
        own = only(each, pruning=pruning)
        if own.empty:
            continue
        draw.band(axis, own, "left", "accuracy_percent", along="sparsity_asked", line=line)
        listed = ", ".join(
            f"{draw.said(t_interval(rows['accuracy_percent'].to_numpy()), 1)} at {100 * float(str(at)):.4g} %"
            for at, rows in own.groupby("sparsity_asked")
        )
        words.append(f"{line.label}: {listed}")
    draw.by_error(axis)
    draw.sparsity_axis(axis, removed := _removed(each), ticks=removed)
    draw.legend(figure)
    return draw.save(
        figure,
        f"accuracy-by-pruning{suffix}",
        alt=f"Test accuracy against the weights removed in one shot, {net}, mean over seeds with 95 % interval, in "
        f"percent. {'; '.join(words)}.",
        caption=f"Test accuracy of nets pruned in one shot to the same number of weights, {net}, logarithmic in "
        f"the error and in the weights left. {draw.BAND}",
        table="forms",
    )


@draw.drawing()
def size_figure(forms: DataFrame, *, suffix: str = "") -> draw.Saved:
    """Draw the size of the file and the operations of each form of one net against the weights removed.

    Raises:
        ValueError: no net, or several.
    """
    net = draw.one_net(forms)
    kinds = [kind for kind in _kinds_of(forms) if kind != _MASKED_TWICE and kind[1] != CSR_SCIPY]
    means = forms.groupby(["pruning", "sparsity_asked", "form"])[["file_bytes", "flops"]].mean().reset_index()
    means = means.assign(**{"KiB": means["file_bytes"] / 1024, "million operations": means["flops"] / 1e6})
    figure, axes = draw.grid(["file", "operations on one example"], xlabel="weights removed (%)")
    words = []
    for axis, unit in zip(axes, ("KiB", "million operations"), strict=True):
        for kind in kinds:
            _draw(axis, means, kind, unit)
        draw.log_axis(axis)
        draw.sparsity_axis(axis, removed := _removed(means), ticks=removed)
        axis.set_ylabel(unit)
        ends = ", ".join(f"{LINES[kind].label} {_of(means, kind)[unit].iloc[-1]:.3g}" for kind in kinds)
        words.append(f"{unit}: {ends}")
    draw.legend(figure, [LINES[kind] for kind in kinds], columns=3)
    return draw.save(
        figure,
        f"stored-and-computed{suffix}",
        alt=f"Size of the file and operations on one example against the weights removed, {net}, by form. At the "
        f"largest sparsity, {'; '.join(words)}.",
        caption=f"Size of the file that holds each form, and floating-point operations on one example, {net}; "
        "both axes logarithmic. Sparse rows hold values, columns and row starts, and take the same file and the "
        "same operations by either library.",
        table="forms",
    )


def _kinds_of(table: DataFrame) -> list[Kind]:
    found = set(table[["pruning", "form"]].itertuples(index=False, name=None))
    return [kind for kind in LINES if kind in found]


def _of(rows: DataFrame, kind: Kind) -> DataFrame:
    return only(rows, pruning=kind[0], form=kind[1])


def _removed(rows: DataFrame) -> list[float]:
    """List the shares of the weights removed [%]."""
    asked = rows.loc[rows["pruning"] != NONE, "sparsity_asked"]
    return [100 * float(share) for share in sorted(set(asked))]


def _draw(axis: Axes, every: DataFrame, kind: Kind, column: str, *, low: str = "", high: str = "") -> None:
    """Draw a form against the weights left [%], with its interval where it has one; the unpruned net all along."""
    rows, removed = _of(every, kind), _removed(every)
    if rows.empty:
        return
    if kind[0] == NONE:
        rows = rows.iloc[[0, 0]].assign(sparsity_asked=[removed[0] / 100, removed[-1] / 100])
    nothing = np.full(len(rows), np.nan)
    ends = [rows[name] if name else nothing for name in (low, high)]
    draw.ribbon(axis, 100 - 100 * rows["sparsity_asked"], rows[column], *ends, line=LINES[kind])


def _mark(axis: Axes, crossed: DataFrame, colour: str) -> None:
    """Draw where a form becomes faster, with its interval as far as it was reached."""
    end, start = axis.get_xlim()
    for row in crossed.to_dict("records"):
        value, low, high = (100 - float(row[name]) for name in ("crossover_percent", "low", "high"))
        if not math.isnan(low):
            axis.axvspan(start if math.isnan(high) else high, low, color=colour, alpha=draw.ALPHA, linewidth=0)
        if not math.isnan(value):
            draw.rule(axis, x=value, dash=draw.SHORT, colour=colour)
    axis.set_xlim(end, start)


def _times_in_words(own: DataFrame, kinds: Sequence[Kind]) -> str:
    last = [(LINES[kind].label, _of(own, kind).iloc[-1]) for kind in kinds if len(_of(own, kind))]
    return ", ".join(
        f"{label} {row['milliseconds']:.3g} ms ({row['low']:.3g} to {row['high']:.3g})" for label, row in last
    )


def _crossed_in_words(crossed: DataFrame) -> str:
    parts = []
    for row in crossed[crossed["form"].isin([CSR_TORCH, CSR_SCIPY])].to_dict("records"):
        value, low, high = (float(row[name]) for name in ("crossover_percent", "low", "high"))
        ends = [f"beyond {row['largest_percent']:.4g}" if math.isnan(end) else f"{end:.1f}" for end in (low, high)]
        at = "at no sparsity measured" if math.isnan(value) else f"from {value:.1f} % on"
        label = LINES[WEIGHTS, str(row["form"])].label
        parts.append(f"{label} faster than unpruned by torch {at} ({' to '.join(ends)})")
    return ", ".join(parts) or "no sparse rows"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count > 1 else ''}"
