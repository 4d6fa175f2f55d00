"""The figures of what the LeNet study asks: does width win, does regrowing help, who should get the budget."""

from pandas import DataFrame

from prunelab.figures import INK, METHODS, Line, Saved, legend, panels, save, style
from prunelab.studies import lenet_panels as drawn
from prunelab.studies.lenet_rows import net_name, nets, only, recipes, slug

_TIMES = {"pruned": "right after the last pruning", "trained": "after the final training"}
_CONTROL = Line(label="dense net of about as many weights", colour="#009e73", marker="D")
_MARKERS = "osD^v"


def width_question(budget: DataFrame, variants: DataFrame, target: str) -> Saved:
    """Draw the accuracy at one number of weights left by the width the net started with, one panel a recipe.

    Args:
        budget: as `lenet_comparisons.budget_question` gives it.
        variants: the source's printed nets; its accuracies at this number of weights are drawn in the first panel.
        target: label of the weights left.

    Raises:
        ValueError: no net was pruned to this target.
    """
    rows = drawn.some(
        only(budget, target=target), f"target {target!r}; it has {', '.join(dict.fromkeys(budget['target']))}"
    )
    pruned, models = only(rows, kind="pruned"), nets(only(rows, kind="pruned"))
    printed = only(variants, stage="pruned")
    printed = printed[(printed["weights_left"] / float(pruned["kept"].mean()) - 1).abs() <= 0.01]
    with style():
        figure, axes = panels([drawn.who(recipe) for recipe in recipes(rows)])
        starred = drawn.stars(axes[0], models, printed)
        words = []
        for axis, recipe in zip(axes, recipes(rows), strict=True):
            own, controls = only(pruned, recipe=recipe), only(rows, kind="dense", recipe=recipe)
            names = [*models, *controls["model"]]
            wider, as_many = drawn.means(own), drawn.means(controls)
            drawn.by_net(axis, names, ylabel="test accuracy (%)")
            drawn.spots(axis, models, METHODS["abs"], wider, shift=0, label="started wider, pruned")
            drawn.spots(axis, names, _CONTROL, as_many, shift=0, label=_CONTROL.label)
            drawn.by_error(axis)
            beside = f", dense {drawn.each_in_words(names, as_many)}" if as_many else ""
            words.append(f"{drawn.who(recipe)}: {drawn.each_in_words(models, wider)}{beside}")
        legend(figure, axes)
        return save(
            figure,
            f"width-{slug(target)}",
            alt=f"Test accuracy (%) by the hidden units the net started with, at {drawn.left(target)}, mean with "
            f"95 % interval. {'; '.join(words)}.",
            caption=f"Test accuracy at {drawn.left(target)}, masked, one global threshold; "
            f"each recipe on its own scale, logarithmic in the error. "
            f"{drawn.BARS} {drawn.STARS if starred else ''}",
            table="budget",
        )


def masked_against_regrown(regrow: DataFrame) -> Saved:
    """Draw what training removed weights again gains over masks, right after the last pruning and in the end.

    Args:
        regrow: as `lenet_comparisons.regrow_table` gives it.
    """
    rows, models = drawn.some(regrow, "regrown nets"), nets(regrow)
    sets = [(recipe, target) for recipe in recipes(rows) for target in dict.fromkeys(rows["target"])]
    with style():
        figure, axes = panels([_TIMES[stage] for stage in _TIMES])
        words = []
        for axis, stage in zip(axes, _TIMES, strict=True):
            drawn.by_net(axis, models, ylabel="regrown − masked (points)")
            axis.axhline(0, color=INK, linewidth=0.9)
            for (recipe, target), shift in zip(sets, drawn.shifts(len(sets)), strict=True):
                part = only(rows, recipe=recipe, target=target, stage=stage)
                marker = _MARKERS[list(dict.fromkeys(rows["target"])).index(target) % len(_MARKERS)]
                line = Line(label="", colour=drawn.RECIPE_LINES[recipe].colour, marker=marker)
                label = f"{drawn.who(recipe)}, {target}"
                drawn.spots(axis, models, line, drawn.means(part, "gain"), shift=shift, label=label)
                words.append(f"{_TIMES[stage]}, {label}: {_gains_in_words(part)}")
        legend(figure, axes)
        return save(
            figure,
            "masked-against-regrown",
            alt="Accuracy of nets whose removed weights were trained again minus that of masked nets, in points, "
            f"paired by seed, by net. {'; '.join(words)}.",
            caption="What training removed weights again between prunings gains over masks at the same number of "
            "weights, paired by seed. Bars: 95 % t interval. Above zero, regrowing is better.",
            table="regrow",
        )


def accuracy_by_budget(allocation: DataFrame) -> Saved:
    """Draw the accuracy each way of sharing out the weights comes to, one panel a recipe and target.

    Args:
        allocation: as `lenet_comparisons.allocation_table` gives it; masked nets are drawn.

    Raises:
        ValueError: there is no such net.
    """
    rows = drawn.some(only(allocation, mode="masked"), "mode 'masked'")
    rows = rows.drop_duplicates(["recipe", "budget", "model", "target"])
    models = nets(rows)
    budgets = [name for name in drawn.BUDGET_LINES if name in set(rows["budget"])]
    every = [(recipe, target) for recipe in recipes(rows) for target in dict.fromkeys(rows["target"])]
    with style():
        figure, axes = panels([f"{drawn.left(target)}, {drawn.who(recipe)}" for recipe, target in every])
        words = []
        for axis, (recipe, target) in zip(axes, every, strict=True):
            drawn.by_net(axis, models, ylabel="test accuracy (%)")
            for budget, shift in zip(budgets, drawn.shifts(len(budgets)), strict=True):
                part, line = only(rows, recipe=recipe, target=target, budget=budget), drawn.BUDGET_LINES[budget]
                found = drawn.means(part)
                drawn.spots(axis, models, line, found, shift=shift, label=line.label)
                at = f"{drawn.left(target)}, {drawn.who(recipe)}, {line.label}"
                words.append(f"{at}: {drawn.each_in_words(models, found)}")
            drawn.by_error(axis)
        legend(figure, axes)
        return save(
            figure,
            "accuracy-by-budget",
            alt=f"Test accuracy (%) by net and by how the weights left are shared out over the layers. "
            f"{'; '.join(words)}.",
            caption=f"Test accuracy by how the weights left are shared out over the layers, on a scale logarithmic in "
            f"the error. {drawn.BARS}",
            table="allocation",
        )


def _gains_in_words(rows: DataFrame) -> str:
    """Say the smallest and the largest gain of a set of nets, and in how many its interval leaves zero out."""
    if rows.empty:
        return "not measured"
    gains = rows.sort_values("gain", kind="stable")
    low, high = ((float(gains["gain"].iloc[at]), net_name(str(gains["model"].iloc[at]))) for at in (0, -1))
    clear = int(((rows["low"] > 0) | (rows["high"] < 0)).sum())
    ends = " to ".join(f"{gain:.2f} ({net})" for gain, net in (low, high))
    return f"{ends}, interval off zero in {clear} of {len(rows)} nets"
