"""What names a net of the LeNet study: how it was trained, how it was pruned, and how far."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pandas import DataFrame

from prunelab import models
from prunelab.data import Images, Split
from prunelab.stats import Interval, t_interval
from prunelab.studies.common.nets import Net
from prunelab.train import Recipe

DENSE = "dense"


SETTING_KEY = ("data", "recipe", "mode", "budget", "model", "target")


SETTING_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "recipe": "how the nets were trained: strong, or as near to the source as its text allows",
    "mode": "masked (removed weights stay 0) or regrown (trained again between prunings); dense for unpruned nets",
    "budget": "how the weights left are shared among layers: global, layer, erk or lamp; dense for unpruned nets",
    "model": "spec of the net",
    "target": "weights left, or the share of weights removed, as asked; dense for unpruned nets",
}


RECIPES = ("strong", "source")


PARTS = ("train", "train+validation")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The columns that name a net, but for its seed."""

    data: str
    data_id: str
    recipe: str
    mode: str
    budget: str
    model: str
    target: str


def setting_of(net: Net, recipe: str) -> dict[str, Any]:
    """Give the columns that name a net, read off its label.

    Raises:
        ValueError: the label is not mode-budget-target, as in "masked-global-2660".
    """
    parts = net.pruning.split("-", 2) if net.pruning else [DENSE] * 3
    if len(parts) != 3 or not all(parts):
        raise ValueError(
            f'a pruned net is labelled mode-budget-target, as in "masked-global-2660"; {net.model} has {net.pruning!r}'
        )
    mode, budget, target = parts
    return {
        "data": net.data,
        "data_id": net.data_id,
        "recipe": recipe,
        "mode": mode,
        "budget": budget,
        "model": net.model,
        "target": target,
    }


def check_recipe(recipe: str) -> None:
    """Refuse a name that is no recipe's.

    Raises:
        ValueError: it is none.
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe is one of {', '.join(RECIPES)}; got {recipe!r}")


def training_part(images: Images, train_on: str) -> Split:
    """Give the examples that nets are trained on.

    Args:
        images: the data set.
        train_on: "train", or "train+validation" once every choice has been made on the validation part.

    Raises:
        ValueError: another name.
    """
    if train_on not in PARTS:
        raise ValueError(f"train_on is one of {', '.join(PARTS)}; got {train_on!r}")
    if train_on == "train":
        return images.train
    both = (images.train, images.validation)
    return Split(x=torch.cat([part.x for part in both]), y=torch.cat([part.y for part in both]))


def recipe_of(recipe: str, *, epochs: int, learning_rate: float, l1: float, input_dropout: float = 0.0) -> Recipe:
    """Spell a recipe out.

    The source names no optimizer. Its nets reach 97 % after 20 epochs and keep half of their units active on an image;
    plain gradient descent at a constant rate does both, which no quicker way of training does. Strong: Nesterov
    momentum, a triangular rate.

    Args:
        recipe: "strong" or "source".
        epochs: passes over the training part.
        learning_rate: constant, or at its peak.
        l1: penalty per unit of summed |w|.
        input_dropout: part of the pixels zeroed in each example.

    Raises:
        ValueError: another name, or what `Recipe` refuses.
    """
    check_recipe(recipe)
    plain = Recipe(epochs=epochs, learning_rate=learning_rate, l1=l1, input_dropout=input_dropout)
    return replace(plain, momentum=0.0, schedule="constant") if recipe == "source" else plain


def parse_target(target: str, weights: int) -> int:
    """Count the weights that a target keeps: "2660" is that many, "99%" all but 99 % of a net's, rounded.

    Args:
        target: a whole number of weights, or the share to be removed with a percent sign.
        weights: prunable weights of the net.

    Raises:
        ValueError: neither, or nothing or everything would be kept.
    """
    try:
        kept = round(weights * (1 - float(target[:-1]) / 100)) if target.endswith("%") else int(target)
    except (ValueError, OverflowError):
        raise ValueError(
            f'a target is weights to keep, as "2660", or a share to remove, as "99%"; got {target!r}'
        ) from None
    if not 1 <= kept < weights:
        raise ValueError(f"a target keeps from 1 to all but one of a net's {weights} weights; {target!r} keeps {kept}")
    return kept


def milestones_of(targets: Sequence[str], weights: int, rounds: Sequence[int]) -> list[int]:
    """Choose where a net's path of prunings leads: to each target in weights, or else to the smallest of all.

    Every net then takes the same number of rounds to a target in weights, whatever its size.

    Raises:
        ValueError: the numbers of rounds do not match, or what `parse_target` refuses.
    """
    counted = sorted({parse_target(target, weights) for target in targets if not target.endswith("%")}, reverse=True)
    milestones = counted or [min(parse_target(target, weights) for target in targets)]
    if len(milestones) != len(rounds):
        raise ValueError(
            f"rounds names one number a target in weights (or one alone, where all are shares); got {list(rounds)} "
            f"for {milestones}"
        )
    return milestones


RECIPE_NAMES = ("source", "strong")


def net_name(model: str) -> str:
    """Name a net as the source does, by its hidden widths: `lenet-300-100-relu` is `300-100`.

    Raises:
        ValueError: the spec cannot be read.
    """
    return "-".join(map(str, models.parse(model).widths))


def nets(table: DataFrame) -> list[str]:
    """List a table's specs, narrow first layers first."""
    return sorted(dict.fromkeys(table["model"]), key=lambda model: (models.parse(model).widths, model))


def recipes(table: DataFrame) -> list[str]:
    """List a table's recipes, the source's first, others as they come."""
    found = list(dict.fromkeys(table["recipe"]))
    return [name for name in RECIPE_NAMES if name in found] + [name for name in found if name not in RECIPE_NAMES]


def slug(target: str) -> str:
    """Write a target as part of a name: `99.5%` is `99-5`."""
    return target.removesuffix("%").replace(".", "-")


def accuracy(rows: DataFrame, column: str = "error_percent") -> Interval:
    """Give the mean accuracy (%) over seeds with its 95 % t interval, from a column of errors."""
    return t_interval(100 - rows[column].to_numpy(dtype=float))


def error(rows: DataFrame) -> Interval:
    """Give the mean error (%) over seeds with its 95 % t interval."""
    return t_interval(rows["error_percent"].to_numpy(dtype=float))


def bounds(interval: Interval) -> dict[str, float | int]:
    """Give an interval's ends and its number of seeds, as columns of a table."""
    return {"low": interval.low, "high": interval.high, "seeds": interval.n}


def last_rounds(layers: DataFrame) -> DataFrame:
    """Keep the layers of finished nets: of every target its last round, none of the rounds all targets share."""
    ends = layers[layers["target"] != "path"]
    key = ["data", "recipe", "mode", "budget", "model", "target"]
    kept: DataFrame = ends[ends["round"] == ends.groupby(key)["round"].transform("max")]
    return kept


def at_targets(table: DataFrame, targets: Sequence[str]) -> DataFrame:
    """Keep the rows of the targets named, and of dense nets.

    Raises:
        ValueError: a target has no rows.
    """
    there = list(dict.fromkeys(table["target"]))
    if missing := [target for target in targets if target not in there]:
        raise ValueError(f"targets are labels of the runs' nets; {missing[0]!r} is none of {', '.join(there)}")
    kept: DataFrame = table[table["target"].isin([*targets, "dense"])]
    return kept


def printed_nets(path: Path) -> DataFrame:
    """Read the source's printed nets, as `published/lenet-variants.csv` holds them.

    Raises:
        FileNotFoundError: the table is not there.
    """
    if not path.exists():
        raise FileNotFoundError(f"the source's printed nets are published/lenet-variants.csv; {path} is missing")
    return pd.read_csv(path)
