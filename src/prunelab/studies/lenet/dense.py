"""Experiment 1 of the LeNet study: dense nets of several widths, trained by one recipe."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated as A

import torch
from pandas import DataFrame

from prunelab.data import load_images
from prunelab.measure import evaluate
from prunelab.models import build
from prunelab.records import Value
from prunelab.stats import t_interval
from prunelab.studies.common.nets import (
    Dense,
    Net,
    Rate,
    check_models,
    dense_row,
    error_percent,
)
from prunelab.studies.lenet.settings import SETTING_COLUMNS, check_recipe, recipe_of, training_part
from prunelab.tables import Table
from prunelab.train import check_seeds, train


class OfRecipe(Table):
    """The column that names a recipe."""

    recipe: A[str, SETTING_COLUMNS["recipe"]]


class DenseLenet(Dense, OfRecipe, key="data recipe model seed", name="dense"):
    """One dense net, trained by one recipe."""

    epochs: A[int, "passes over the training part"]


class LenetRate(Rate, OfRecipe, key="data recipe model learning_rate", name="rates"):
    """One learning rate tried on one net."""

    validation_error_percent: A[float, "error on the validation part, last epoch [%]"]
    chosen: A[bool, "whether all nets are trained at this rate"]


def train_dense(
    data: str,
    models: Sequence[str],
    seeds: Sequence[int],
    *,
    recipe: str,
    epochs: int,
    learning_rates: Sequence[float],
    l1: float = 0.0,
    input_dropout: float = 0.0,
    aim_percent: float | None = None,
    train_on: str = "train",
    device: str = "cpu",
    progress: bool = True,
) -> tuple[list[Net], DataFrame, DataFrame]:
    """Train nets of several widths from several seeds, all at one learning rate.

    Where several rates are named, each is tried on the first model with the first seed, and the validation part
    chooses: the lowest error, or the accuracy nearest to `aim_percent`.

    Args:
        data: see `prunelab.data.load_images`.
        models: see `prunelab.models.parse`.
        seeds: distinct whole numbers; a seed decides initialisation and order.
        recipe: "strong" or "source".
        epochs: passes over the training part.
        learning_rates: rates to choose from.
        l1: penalty per unit of summed |w|.
        input_dropout: part of the pixels zeroed in each example.
        aim_percent: validation accuracy to come near to; the best when absent.
        train_on: "train", or "train+validation", with a single rate chosen elsewhere.
        device: where to train.
        progress: show progress bars.

    Returns:
        The nets, model by model; the table of dense nets (one row a net) and the table of rates tried.

    Raises:
        ValueError: no model, no rate, seeds that are not distinct, a rate to be chosen on examples that are trained
            on, or what loading and training refuse.
    """
    check_recipe(recipe)
    check_models(models)
    check_seeds(seeds)
    rates = list(dict.fromkeys(learning_rates))
    if not rates:
        raise ValueError("training needs at least one learning rate to try; learning_rates is empty")
    if train_on != "train" and len(rates) > 1:
        raise ValueError(
            f"a rate is chosen on examples that no net trains on; {train_on!r} leaves none for {rates}: name one rate"
        )
    images = load_images(data, device=device)
    split = training_part(images, train_on)

    def trained(model: str, seed: int, rate: float) -> Net:
        generator = torch.Generator().manual_seed(seed)
        module = build(model, inputs=images.shape, classes=len(images.classes), generator=generator)
        module.to(images.train.x.device)
        label = f"{model}, seed {seed}, rate {rate:g}" if progress else None
        spelt = recipe_of(recipe, epochs=epochs, learning_rate=rate, l1=l1, input_dropout=input_dropout)
        train(module, split, spelt, generator=generator, label=label)
        return Net(data=images.name, data_id=images.content_id, model=model, seed=seed, module=module)

    tried = {rate: trained(models[0], seeds[0], rate) for rate in rates}
    errors = {rate: error_percent(evaluate(net.module, images.validation).accuracy) for rate, net in tried.items()}
    best = min(rates, key=lambda rate: errors[rate] if aim_percent is None else abs(100 - errors[rate] - aim_percent))
    tries = [
        LenetRate(
            recipe=recipe,
            data=images.name,
            data_id=images.content_id,
            model=models[0],
            seed=seeds[0],
            learning_rate=rate,
            validation_error_percent=errors[rate],
            chosen=rate == best,
        )
        for rate in rates
    ]
    nets = [
        tried[best] if (model, seed) == (models[0], seeds[0]) else trained(model, seed, best)
        for model in dict.fromkeys(models)
        for seed in seeds
    ]
    rows = [DenseLenet(**asdict(dense_row(net, images, best)), recipe=recipe, epochs=epochs) for net in nets]
    return nets, DenseLenet.frame(rows), LenetRate.frame(tries)


def dense_values(dense: DataFrame) -> dict[str, Value]:
    """Quote the accuracy of each width over seeds, the gap between the best and the worst, and the rate.

    Returns:
        `accuracy-<widths>` per net, as `accuracy-300-100`; `accuracy-spread`, `learning-rate`, `epochs`.
    """
    values = {}
    means = []
    for model, rows in dense.groupby("model", sort=False):
        accuracy = t_interval(100 - rows["error_percent"].to_numpy(dtype=float))
        means.append(accuracy.value)
        values[f"accuracy-{'-'.join(part for part in str(model).split('-') if part.isdigit())}"] = Value(
            value=accuracy.value, low=accuracy.low, high=accuracy.high, unit="%", n=accuracy.n
        )
    values["accuracy-spread"] = Value(value=max(means) - min(means), unit="points")
    values["learning-rate"] = Value(value=float(dense["learning_rate"].iloc[0]), digits=2)
    values["epochs"] = Value(value=float(dense["epochs"].iloc[0]), digits=0)
    return values
