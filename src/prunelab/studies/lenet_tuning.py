"""Learning rate and penalty of the LeNet study's retraining, chosen on the validation part."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from pandas import DataFrame

from prunelab.data import Images
from prunelab.records import Value, load_table
from prunelab.retraining import Schedule
from prunelab.studies.lenet_pruning import prune_nets
from prunelab.studies.lenet_settings import SETTING_COLUMNS, recipe_of
from prunelab.studies.stored_nets import Net

TUNING_KEY = ("data", "recipe", "learning_rate", "l1")
TUNING_COLUMNS = {
    **{name: SETTING_COLUMNS[name] for name in ("data", "data_id", "recipe", "target")},
    "learning_rate": "of every retraining, at its peak or constant",
    "l1": "penalty per unit of summed |w|",
    "nets": "nets pruned and retrained with it",
    "validation_error_percent": "their mean error on the validation part, last epoch [%]",
    "worst_percent": "the largest of these errors [%]",
    "chosen": "whether it has the lowest mean error",
}


def tuning_table(
    nets: Sequence[Net],
    images: Images,
    *,
    recipe: str,
    learning_rates: Sequence[float],
    penalties: Sequence[float],
    target: str,
    schedule: Schedule,
    input_dropout: float = 0.0,
) -> DataFrame:
    """Prune the nets to one target with every learning rate and penalty, and choose the pair of lowest mean error.

    The nets' test errors are not looked at: what is measured as the test part here is the validation part.

    Args:
        nets: dense nets to choose with.
        images: what they were trained on.
        recipe: "strong" or "source".
        learning_rates: to choose from.
        penalties: to choose from.
        target: weights to keep, or a share to remove.
        schedule: rounds and epochs.
        input_dropout: part of the pixels zeroed in each example.

    Returns:
        One row a pair; columns as `TUNING_COLUMNS` says.

    Raises:
        ValueError: nothing to choose from, or what pruning refuses.
    """
    pairs = list(product(dict.fromkeys(learning_rates), dict.fromkeys(penalties)))
    if not pairs:
        raise ValueError("tuning needs at least one learning rate and one penalty; one of the two lists is empty")
    blind = replace(images, test=images.validation)
    rows = []
    for rate, l1 in pairs:
        spelt = recipe_of(recipe, epochs=schedule.final_epochs, learning_rate=rate, l1=l1, input_dropout=input_dropout)
        pruned = prune_nets(
            nets,
            blind,
            recipe_name=recipe,
            recipe=spelt,
            schedule=schedule,
            budgets=[schedule.budget],
            targets=[target],
        ).pruned
        errors = pruned["validation_error_percent"]
        rows.append(
            {
                "data": images.name,
                "data_id": images.content_id,
                "recipe": recipe,
                "target": target,
                "learning_rate": float(rate),
                "l1": float(l1),
                "nets": len(errors),
                "validation_error_percent": float(errors.mean()),
                "worst_percent": float(errors.max()),
            }
        )
    table = DataFrame(rows)
    table["chosen"] = table.index == table["validation_error_percent"].idxmin()
    return table[list(TUNING_COLUMNS)]


def tuning_values(table: DataFrame) -> dict[str, Value]:
    """Quote the pair chosen: `learning-rate`, `l1` and its `validation-error`, and the pairs tried."""
    best = table[table["chosen"]].iloc[0]
    return {
        "learning-rate": Value(value=float(best["learning_rate"]), digits=2),
        "l1": Value(value=float(best["l1"]), digits=5),
        "validation-error": Value(value=float(best["validation_error_percent"]), unit="%", n=int(best["nets"])),
        "pairs": Value(value=float(len(table)), digits=0),
    }


def chosen(run: str, *, learning_rate: float, l1: float) -> tuple[float, float]:
    """Read the pair that a run of the tuning chose, or pass the given one on where no run is named.

    Raises:
        FileNotFoundError: the run has no such table.
    """
    if not run:
        return learning_rate, l1
    table = load_table(Path(run) / "tables" / "tuning.csv")
    best = table[table["chosen"]].iloc[0]
    return float(best["learning_rate"]), float(best["l1"])
