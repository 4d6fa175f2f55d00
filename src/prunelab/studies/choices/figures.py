"""The figure on choosing a threshold: the weights left by bound and family."""

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from pandas import DataFrame

from prunelab.figures.panels import BARS, said, shifts, spots
from prunelab.figures.style import Line, Saved, legend, lines, panels, save, style
from prunelab.stats import Interval, t_interval
from prunelab.studies.choices.summary import decided
from prunelab.studies.choices.tables import SEVERAL

FAMILY_LINES = lines("family")


_OTHER = Line(label="", colour="#7a7a7a", marker="p")


_KINDS = {
    "max_drop": "accuracy lost ≤ {}",
    "max_parameters": "parameters ≤ {}",
    "max_bytes": "bytes ≤ {}",
    "max_flops": "operations ≤ {}",
    "min_pruned": "pruned ≥ {}",
    "max_pruned": "pruned ≤ {}",
    SEVERAL: "all at once: {}",
}


_TICKS = (1, 2, 5, 10, 20, 50, 100)  # % of the weights left


_LOWEST = 0.1  # % of the weights left, drawn


def search_name(kind: str, asked: str) -> str:
    """Say a search in a few words: "bytes ≤ 10 %"."""
    return _KINDS.get(kind, f"{kind} {{}}").format(asked)


def found_by_bound(choices: DataFrame) -> Saved:
    """Draw the weights left by bound and family, mean and interval over seeds, one panel a net.

    Args:
        choices: as `threshold_choices.choose_thresholds` gives them.

    Raises:
        ValueError: no search found a pruning.
    """
    rows = decided(choices)
    if not rows["found"].any():
        raise ValueError("a figure draws at least one pruning; no search found one: loosen the bounds")
    nets = list(dict.fromkeys(zip(rows["model"], rows["data"], strict=True)))
    families = [*FAMILY_LINES, *sorted(set(rows["family"]) - set(FAMILY_LINES))]
    families = [name for name in families if name in set(rows["family"])]
    with style():
        figure, axes = panels([f"{model} on {data}" for model, data in nets])
        figure.set_size_inches(7.8, 4.3 * -(-len(nets) // 2))
        words = []
        for axis, (model, data) in zip(axes, nets, strict=True):
            own = rows[(rows["model"] == model) & (rows["data"] == data)]
            names = list(dict.fromkeys(search_name(*pair) for pair in zip(own["kind"], own["asked"], strict=True)))
            drawn = {}
            for family, shift in zip(families, shifts(len(families)), strict=True):
                line = FAMILY_LINES.get(family, _OTHER)
                drawn[family] = _left(own[own["family"] == family])
                spots(axis, names, line, drawn[family], shift=shift, label=line.label or family)
                told = ", ".join(f"{name} {said(drawn[family][name], 1)}" for name in names if name in drawn[family])
                words.append(f"{model}, {FAMILY_LINES.get(family, _OTHER).label or family}: {told or 'none found'}")
            _axes(axis, names, min(value.value for found in drawn.values() for value in found.values()))
        legend(figure, axes)
        return save(
            figure,
            "found-by-bound",
            alt=f"Weights left (%) by bound and family of prunings, mean and 95 % interval over seeds. "
            f"{'; '.join(words)}.",
            caption="Weights left by the pruning that each search found, of the bound named beneath, on a logarithmic "
            f"scale: lower is pruned further. {BARS} A mark is missing where no pruning of the family meets the bound.",
            table="threshold-choices",
        )


def _left(rows: DataFrame) -> dict[str, Interval]:
    """Give the weights left in percent by search, over the seeds that found a pruning."""
    found = rows[rows["found"]]
    named = found.assign(name=[search_name(*pair) for pair in zip(found["kind"], found["asked"], strict=True)])
    return {
        str(name): t_interval(100 - own["sparsity_percent"].to_numpy(dtype=float))
        for name, own in named.groupby("name", sort=False)
    }


def _axes(axis: Axes, names: list[str], lowest: float) -> None:
    """Make the horizontal axis one place a search, and the vertical one logarithmic."""
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.grid(False, axis="x")
    axis.set_yscale("log")
    axis.set_ylim(max(_LOWEST, 0.7 * lowest), 120)
    axis.yaxis.set_major_locator(FixedLocator(_TICKS))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.set_ylabel("weights left (%)")
