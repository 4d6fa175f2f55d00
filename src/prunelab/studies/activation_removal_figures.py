"""The figures of the removal of activations: the error by what is removed, treatment by treatment and net by net."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator
from pandas import DataFrame

from prunelab.figures import INK, METHODS, Line, Saved, legend, panels, save, style
from prunelab.stats import t_interval
from prunelab.studies.activation_removal import REMOVED, TREATMENTS
from prunelab.studies.lenet_activity_summary import short_names

BOUNDS = {"last": 1.0, "first": 10.0}  # points; the claim: the last costs less, the first more

_STAGE = ["recipe", "mode", "budget", "target"]
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_WIDE = 8.0  # largest to smallest mean error from which an axis is logarithmic
_BARS = "Bars: 95 % t interval over seeds."
_BOUND = "bound of the claim"

_TREATED = dict(
    zip(
        TREATMENTS,
        (
            Line(label="as trained", colour=METHODS["abs"].colour, marker="o"),
            Line(label="retrained", colour=METHODS["positive"].colour, marker="^"),
            Line(label="from scratch", colour=METHODS["negative"].colour, marker="s"),
        ),
        strict=True,
    )
)
_CHANGED = dict(
    zip(
        REMOVED,
        (
            Line(label="nothing removed", colour=INK, marker="o"),
            Line(label="first removed", colour=METHODS["positive"].colour, marker="^"),
            Line(label="last removed", colour=METHODS["abs"].colour, marker="v"),
            Line(label="both removed", colour=METHODS["percentile"].colour, marker="s"),
        ),
        strict=True,
    )
)


def removal_drops(table: DataFrame) -> Saved:
    """Draw the error by what is removed, one colour a treatment, one panel a net and pruning.

    Where some nets got more treatments than others, these alone are drawn; `removal_by_net` has the others.
    """
    treatments = table.groupby("model")["treatment"].nunique()
    table = table[table["model"].isin(treatments[treatments == treatments.max()].index)]
    parts = _parts(table, ["data", "model", *_STAGE])
    drawn = [name for name in TREATMENTS if name in set(table["treatment"])]
    with style():
        figure, axes = _panels([_title(part, part["model"].iloc[0]) for part in parts])
        for axis, part in zip(axes, parts, strict=True):
            for place, treatment in enumerate(drawn):
                rows = part[part["treatment"] == treatment]
                if len(rows):
                    shift = 0.24 * (place - (len(drawn) - 1) / 2)
                    _points(axis, [rows[rows["removed"] == name] for name in REMOVED], shift, _TREATED[treatment])
                    _bounds(axis, rows, shift)
            axis.set_xticks(range(len(REMOVED)), REMOVED)
            axis.set_xlim(-0.5, len(REMOVED) - 0.5)
            axis.set_xlabel("hidden activation removed")
        _error_axes(axes, table, [*_STAGE, "model", "treatment", "removed"])
        legend(figure, axes)
        return save(
            figure,
            "removal-drops",
            alt=f"Test error by the hidden activation removed, in {_count(axes)}. {_in_words(parts)}",
            caption=f"Test error with none, the first, the last and both hidden activations replaced by the identity. "
            f"{_BARS} Black dashes stand 1 point (last) and 10 points (first) above the same treatment with nothing "
            "removed: the claim puts the last below its dash and the first above.",
            table="removal",
        )


def removal_by_net(table: DataFrame) -> Saved:
    """Draw the error of every net as trained, one colour a removal, one panel a recipe and pruning.

    A table without nets as trained is drawn by the first treatment it has.
    """
    treatment = next(name for name in TREATMENTS if name in set(table["treatment"]))
    table = table[table["treatment"] == treatment]
    parts = _parts(table, ["data", *_STAGE])
    models = list(dict.fromkeys(table["model"]))
    with style():
        figure, axes = _panels([_title(part, "all nets") for part in parts])
        for axis, part in zip(axes, parts, strict=True):
            for place, removed in enumerate(REMOVED):
                rows = part[part["removed"] == removed]
                shift = 0.16 * (place - (len(REMOVED) - 1) / 2)
                _points(axis, [rows[rows["model"] == model] for model in models], shift, _CHANGED[removed])
            axis.set_xticks(
                range(len(models)), list(short_names(table["model"]).values()), rotation=25 if len(models) > 3 else 0
            )
            axis.set_xlim(-0.6, len(models) - 0.4)
        _error_axes(axes, table, [*_STAGE, "model", "removed"])
        legend(figure, axes)
        return save(
            figure,
            "removal-by-net",
            alt=f"Test error of each net, {treatment}, with none, the first, the last and both hidden activations "
            f"removed, in {_count(axes)}. {_ranges_in_words(parts)}",
            caption=f"Test error with hidden activations replaced by the identity, nets {treatment}, by their hidden "
            f"widths. {_BARS}",
            table="removal",
        )


def _panels(titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Lay out panels; a single one is widened to hold the legend beneath it."""
    figure, axes = panels(titles)
    if len(axes) == 1:
        figure.set_size_inches(5.6, 3.1)
    return figure, axes


def _count(axes: Sequence[Axes]) -> str:
    return "one panel" if len(axes) == 1 else f"{len(axes)} panels"


def _points(axis: Axes, groups: Sequence[DataFrame], shift: float, line: Line) -> None:
    """Draw a mean and its interval a group, side by side."""
    for place, rows in enumerate(groups):
        if rows.empty:
            continue
        error = t_interval(rows["error_percent"].to_numpy())
        axis.errorbar(
            place + shift,
            error.value,
            yerr=[[error.value - error.low], [error.high - error.value]],
            color=line.colour,
            marker=line.marker,
            markersize=5,
            linestyle="none",
            capsize=2.5,
            label=line.label,
        )


def _bounds(axis: Axes, rows: DataFrame, shift: float) -> None:
    start = float(rows[rows["removed"] == "none"]["error_percent"].mean())
    for removed, points in BOUNDS.items():
        x = REMOVED.index(removed) + shift
        axis.plot([x - 0.1, x + 0.1], [start + points] * 2, color=INK, linewidth=1.8, label=_BOUND)


def _error_axes(axes: Sequence[Axes], table: DataFrame, setting: list[str]) -> None:
    """Give all panels one axis of errors, logarithmic where they span orders of magnitude."""
    drawn = [t_interval(rows["error_percent"].to_numpy()) for _, rows in table.groupby(setting)]
    low, high = min(error.value for error in drawn), max(error.value for error in drawn)
    top = min(100.0, max([high, *(error.high for error in drawn if math.isfinite(error.high))]))
    for axis in axes:
        axis.set_ylabel("test error (%)")
        axis.grid(visible=False, axis="x")
        if low > 0 and high > _WIDE * low:
            axis.set_yscale("log")
            axis.set_ylim(low / 1.6, max(100.0, high * 1.1))
            axis.yaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if tick >= low / 1.6]))
            axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            axis.yaxis.set_minor_locator(NullLocator())
        else:
            axis.set_ylim(0, 1.05 * max(top, high + 1, 1.0))


def _parts(table: DataFrame, by: list[str]) -> list[DataFrame]:
    return [part for _, part in table.groupby(by, sort=False)]


def _title(part: DataFrame, nets: str) -> str:
    row = part.iloc[0]
    return f"{nets} on {row['data']}: {_stage(row)}"


def _stage(row: "pd.Series[str]") -> str:
    if row["mode"] == "dense":
        return f"{row['recipe']} recipe, dense"
    target = str(row["target"])
    kept = f"{int(target):,} weights left" if target.isdigit() else f"{target} removed"
    return f"{row['recipe']} recipe, {kept} ({row['mode']}, {row['budget']})"


def _in_words(parts: Sequence[DataFrame]) -> str:
    """Say each panel's mean errors."""
    sentences = []
    for part in parts:
        said = []
        for treatment, rows in part.groupby("treatment", sort=False):
            errors = rows.groupby("removed", sort=False)["error_percent"].mean()
            said.append(f"{treatment} " + ", ".join(f"{name} {error:.1f} %" for name, error in errors.items()))
        sentences.append(f"{_title(part, part['model'].iloc[0])}: {'; '.join(said)}.")
    return " ".join(sentences)


def _ranges_in_words(parts: Sequence[DataFrame]) -> str:
    """Say, for each panel, between which errors its nets lie."""
    sentences = []
    for part in parts:
        means = part.groupby(["removed", "model"], sort=False)["error_percent"].mean().groupby("removed", sort=False)
        ends = ((name, f"{errors.min():.1f}", f"{errors.max():.1f}") for name, errors in means)
        said = [f"{name} {low} %" if low == high else f"{name} {low} to {high} %" for name, low, high in ends]
        sentences.append(f"{_title(part, 'all nets')}: {', '.join(said)}.")
    return " ".join(sentences)
