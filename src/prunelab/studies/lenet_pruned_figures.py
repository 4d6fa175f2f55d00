"""The figures of pruning round by round: error before and after training again, and what each layer keeps."""

from pandas import DataFrame

from prunelab.figures import Line, Saved, curve, legend, panels, save, style
from prunelab.studies import lenet_panels as drawn
from prunelab.studies.lenet_rows import net_name, nets, only, recipes

_STAGES = {
    "error_pruned_percent": Line(label="right after pruning", colour="#d55e00", marker="^", dash=(0, (5, 2))),
    "error_percent": Line(label="after training again", colour="#0072b2", marker="o"),
}
_LOG = "logarithmic"


def round_by_round(rounds: DataFrame, recipe: str) -> Saved:
    """Draw the error of every round before and after training again, against the weights left, one panel a net.

    Args:
        rounds: one row a round of masked nets with one global threshold (other rows are left out).
        recipe: whose nets.

    Raises:
        ValueError: there is no such net.
    """
    rows = drawn.some(only(rounds, recipe=recipe, mode="masked", budget="global"), f"recipe {recipe!r}")
    models = nets(rows)
    with style():
        figure, axes = panels([f"{net_name(model)} on {rows['data'].iloc[0]}" for model in models])
        for axis, model in zip(axes, models, strict=True):
            for column, line in _STAGES.items():
                curve(axis, only(rows, model=model), "kept", column, along="kept_asked", line=line)
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.invert_xaxis()
            axis.set_xlabel("weights left")
            axis.set_ylabel("test error (%)")
            drawn.plain(axis)
        legend(figure, axes)
        return save(
            figure,
            f"rounds-{recipe}",
            alt=f"Test error against the weights left in every round, {drawn.who(recipe)}, one panel a net, two "
            f"curves: right after pruning and after training again. In the sparsest round: "
            f"{'; '.join(_sparsest_in_words(only(rows, model=model)) for model in models)}.",
            caption=f"Test error of every round of pruning by one global threshold, {drawn.who(recipe)}, both axes "
            f"{_LOG}, fewer weights to the right. {drawn.BAND}",
            table="rounds",
        )


def kept_by_layer(layers: DataFrame) -> Saved:
    """Draw the share of each layer's weights that every round keeps, one panel a net and way of sharing them out.

    Args:
        layers: one row a layer and round of masked nets (other rows are left out).

    Raises:
        ValueError: there is no such net.
    """
    rows = drawn.some(only(layers, mode="masked"), "mode 'masked'")
    budgets = [name for name in drawn.BUDGET_LINES if name in set(rows["budget"])]
    models, key = nets(rows), ["recipe", "budget", "model", "target", "round", "seed"]
    whole = rows.groupby(key)["kept"].transform("sum") / rows.groupby(key)["weights"].transform("sum")
    rows = rows.assign(whole=100 * whole, percent=100 * rows["kept_fraction"])
    # A layer may lose all its weights, which no logarithmic axis shows: half a weight stands for none.
    rows["percent"] = rows["percent"].clip(lower=50 / rows["weights"])
    every = [
        (recipe, model, budget, part)
        for recipe in recipes(rows)
        for model in models
        for budget in budgets
        if len(part := only(rows, recipe=recipe, model=model, budget=budget))
    ]
    with style():
        figure, axes = panels([_layers_title(*named) for *named, _ in every])
        for axis, (*_, part) in zip(axes, every, strict=True):
            for name, line in drawn.layer_lines(part):
                one = only(part, layer=name)
                along = one.assign(step=one["target"] + one["round"].astype(str))
                curve(axis, along, "whole", "percent", along="step", line=line, label=drawn.layer_name(name))
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.invert_xaxis()
            axis.set_xlabel("weights left in the whole net (%)")
            axis.set_ylabel("left in the layer (%)")
            drawn.plain(axis)
        legend(figure, axes)
        ends = "; ".join(f"{_layers_title(*named)}: {_layers_in_words(part)}" for *named, part in every)
        return save(
            figure,
            "kept-by-layer",
            alt=f"Share of each layer's weights left against the share left in the whole net in every round, "
            f"one panel a net and way of sharing out the weights. In the sparsest round: {ends}.",
            caption=f"Weights left by layer in every round, masked, both axes {_LOG}, fewer weights "
            f"to the right. {drawn.BAND}",
            table="layers",
        )


def _sparsest_in_words(rows: DataFrame) -> str:
    last = rows[rows["kept_asked"] == rows["kept_asked"].min()]
    before, after = (last[column].mean() for column in _STAGES)
    return (
        f"{net_name(str(rows['model'].iloc[0]))} {before:.1f} % before and {after:.1f} % after "
        f"at {last['kept'].mean():,.0f} weights"
    )


def _layers_title(recipe: str, model: str, budget: str) -> str:
    return f"{net_name(model)}, {drawn.who(recipe)}: {drawn.BUDGET_LINES[budget].label}"


def _layers_in_words(rows: DataFrame) -> str:
    last = rows[rows["whole"] == rows["whole"].min()]
    return ", ".join(
        f"{drawn.layer_name(str(name))} {100 * part['kept_fraction'].mean():.2f} %"
        for name, part in last.groupby("layer")
    )
