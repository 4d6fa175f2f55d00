"""The figure on choosing a threshold: the weights left by bound and family."""

from pandas import DataFrame

from prunelab import figures as draw
from prunelab.stats import t_interval
from prunelab.studies.choices.summary import decided
from prunelab.studies.choices.tables import SEVERAL
from prunelab.summaries import only

_KINDS = {
    "max_drop": "accuracy lost ≤ {}",
    "max_parameters": "parameters ≤ {}",
    "max_bytes": "bytes ≤ {}",
    "max_flops": "operations ≤ {}",
    "min_pruned": "pruned ≥ {}",
    "max_pruned": "pruned ≤ {}",
    SEVERAL: "all at once: {}",
}
_LOWEST = 0.1  # % of the weights left, drawn


@draw.drawing()
def found_by_bound(choices: DataFrame) -> draw.Saved:
    """Draw the weights left by bound and family, mean and interval over seeds, one panel a net."""
    rows = decided(choices)
    if not rows["found"].any():
        raise ValueError("a figure draws at least one pruning; no search found one: loosen the bounds")
    rows = rows.assign(
        left=100 - rows["sparsity_percent"],
        search=[_KINDS.get(kind, f"{kind} {{}}").format(asked) for kind, asked in rows[["kind", "asked"]].to_numpy()],
    )
    known = draw.lines("family")
    unknown = sorted(set(rows["family"]) - set(known))
    others = {name: draw.Line(label=name, colour=draw.GREY, marker="p") for name in unknown}
    families = {name: line for name, line in (known | others).items() if name in set(rows["family"])}
    nets = list(rows[["model", "data"]].drop_duplicates().itertuples(index=False, name=None))
    figure, axes = draw.grid(
        [f"{model} on {data}" for model, data in nets], height=3.8, width=7.8, ylabel="weights left (%)"
    )
    words = []
    for axis, (model, data) in zip(axes, nets, strict=True):
        own = only(rows, model=model, data=data)
        names, lowest = list(dict.fromkeys(own["search"])), 100.0
        for (family, line), shift in zip(families.items(), draw.shifts(len(families)), strict=True):
            found = own[own["found"] & (own["family"] == family)]
            left = {str(name): t_interval(each) for name, each in found.groupby("search", sort=False)["left"]}
            draw.bars(axis, draw.places(names, left, shift), line=line)
            told = ", ".join(f"{name} {draw.said(left[name], 1)}" for name in names if name in left)
            words.append(f"{model}, {line.label}: {told or 'none found'}")
            lowest = min([lowest, *(interval.value for interval in left.values())])
        draw.categories(axis, names)
        axis.set_ylim(max(_LOWEST, 0.7 * lowest), 120)
        draw.log_axis(axis)
    draw.legend(figure)
    return draw.save(
        figure,
        "found-by-bound",
        alt=f"Weights left (%) by bound and family of prunings, mean and 95 % interval over seeds. {'; '.join(words)}.",
        caption="Weights left by the pruning that each search found, of the bound named beneath, on a logarithmic "
        f"scale: lower is pruned further. {draw.BARS} A mark is missing where no pruning of the family meets the "
        "bound.",
        table="threshold-choices",
    )
