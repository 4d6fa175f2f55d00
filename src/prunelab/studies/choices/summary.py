"""The choice of a threshold summed up: what prose quotes."""

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from pandas import DataFrame

from prunelab.choosing.bounds import clopper_pearson
from prunelab.figures.panels import BARS, said, shifts, spots
from prunelab.figures.style import Line, Saved, legend, lines, panels, save, style
from prunelab.records import Value, quote
from prunelab.stats import LEVEL, Interval, t_interval
from prunelab.studies.choices.tables import COUNT, SEVERAL, UPPER, VALUE, YES
from prunelab.studies.common.runs import slug


def decided(choices: DataFrame) -> DataFrame:
    """Keep one row a search: those decided as they should be, not by a measured value alone."""
    rows = choices[choices["decided_by"].isin([UPPER, COUNT])]
    kept: DataFrame = rows.drop_duplicates(["data", "model", "seed", "family", "kind", "asked"])
    return kept


def choice_values(choices: DataFrame) -> dict[str, Value]:
    """Quote how far each bound lets each family prune, and how often what was found held on test examples.

    Args:
        choices: as `threshold_choices.choose_thresholds` gives them.

    Returns:
        `pruned-<family>-<kind>-<limit>` (% of the weights, over the seeds that found a pruning; "-<model>" behind it
        where there are several nets); `searches` and `found`, how many; `counts-held` and `counts-found`, of the bounds
        that are counted; of drops searched alone `measurements` in the mean, and how often the drop held on test
        examples when decided by the upper bound, `held-upper-bound`, and by the value measured, `held-value` (%, with
        the exact interval as if all searches were independent).
    """
    values: dict[str, Value] = {}
    once, several = decided(choices), len(set(choices["model"])) > 1
    for (model, family, kind, asked), rows in once[once["found"]].groupby(["model", "family", "kind", "asked"]):
        name = "-".join(["pruned", slug(f"{family}-{kind}-{asked}"), *([slug(str(model))] if several else [])])
        values[name] = quote(t_interval(rows["sparsity_percent"].to_numpy()), "%", 1)
    counts = choices[(choices["decided_by"] == COUNT) & choices["found"]]
    values |= {
        "searches": Value(value=len(once), digits=0),
        "found": Value(value=int(once["found"].sum()), digits=0),
        "counts-found": Value(value=len(counts), digits=0),
        "counts-held": Value(value=int((counts["held"] == YES).sum()), digits=0),
    }
    drops = choices[(choices["kind"] != SEVERAL) & (choices["bound"] == "max_drop")]
    if len(drops):
        values["measurements"] = Value(value=float(drops["measurements"].mean()), digits=1)
    for way in (UPPER, VALUE):
        found = drops[(drops["decided_by"] == way) & drops["found"]]
        if len(found):
            held = int((found["held"] == YES).sum())
            low, high = clopper_pearson(held, len(found), alpha=(1 - LEVEL) / 2)
            share = 100 * held / len(found)
            values[f"held-{slug(way)}"] = Value(value=share, low=100 * low, high=100 * high, unit="%", digits=0)
            values[f"found-{slug(way)}"] = Value(value=len(found), digits=0)
    return values


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
