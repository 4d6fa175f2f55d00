"""LeNets trained, pruned in rounds and retrained, and how their weights are distributed before and after."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby, product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pandas import DataFrame
from torch import Tensor

from prunelab import parts
from prunelab.data import Images, Split, load_images
from prunelab.measure import evaluate
from prunelab.pruning import prunable
from prunelab.pruning.paths import lit, live
from prunelab.studies.common.nets import (
    Fit,
    Net,
    at_best_rate,
    check_models,
    dense_row,
    error_percent,
    open_one,
    train_plain,
)
from prunelab.studies.lenet.tables import (
    DENSE,
    Dense,
    Histograms,
    Layers,
    Modes,
    Pixels,
    Pruned,
    Rates,
    Rounds,
    Tuning,
)
from prunelab.train import Recipe, check_seeds
from prunelab.train.retraining import Schedule, Stage, milestones_of, parse_target, prune_and_retrain

RECIPES = ("strong", "source")
PARTS = ("train", "train+validation")

WHOLE = "all"
BINS = 60
FEWEST = 20  # weights of a layer that make a histogram
RANGE = 5.0  # standard deviations drawn on either side of zero


def setting_of(net: Net, recipe: str) -> dict[str, Any]:
    """Give the columns that name a net but for its seed, read off its label."""
    parts = net.pruning.split("-", 2) if net.pruning else [DENSE] * 3
    if len(parts) != 3 or not all(parts):
        raise ValueError(
            f'a pruned net is labelled mode-budget-target, as in "masked-global-2660"; {net.model} has {net.pruning!r}'
        )
    mode, budget, target = parts
    named = {"data": net.data, "data_id": net.data_id, "recipe": recipe, "model": net.model}
    return {**named, "mode": mode, "budget": budget, "target": target}


def recipe_of(recipe: str, *, epochs: int, learning_rate: float, l1: float, input_dropout: float = 0.0) -> Recipe:
    """Spell a recipe out: "strong" or "source".

    The source names no optimizer. Its nets reach 97 % after 20 epochs and keep half of their units active on an image;
    plain gradient descent at a constant rate does both, which no quicker way of training does. Strong: Nesterov
    momentum, a triangular rate.
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe is one of {', '.join(RECIPES)}; got {recipe!r}")
    plain = Recipe(epochs=epochs, learning_rate=learning_rate, l1=l1, input_dropout=input_dropout)
    return replace(plain, momentum=0.0, schedule="constant") if recipe == "source" else plain


def training_part(images: Images, train_on: str) -> Split:
    """Give what nets train on: "train", or "train+validation" once every choice was made on the validation part."""
    if train_on not in PARTS:
        raise ValueError(f"train_on is one of {', '.join(PARTS)}; got {train_on!r}")
    if train_on == "train":
        return images.train
    both = (images.train, images.validation)
    return Split(x=torch.cat([part.x for part in both]), y=torch.cat([part.y for part in both]))


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
) -> tuple[list[Net], DataFrame, DataFrame]:
    """Train nets of several widths from several seeds at one learning rate: the nets, `Dense` and `Rates`.

    Of several rates each is tried on the first model with the first seed, and the validation part chooses: the lowest
    error, or the accuracy nearest to `aim_percent`.
    """
    check_models(models)
    check_seeds(seeds)
    if train_on != "train" and len(set(learning_rates)) > 1:
        raise ValueError(
            f"a rate is chosen on examples that no net trains on; {train_on!r} leaves none for "
            f"{list(dict.fromkeys(learning_rates))}: name one rate"
        )
    images = load_images(data, device=device)

    def distance(row: Mapping[str, Any]) -> float:
        error = float(row["validation_error_percent"])
        return error if aim_percent is None else abs(100 - error - aim_percent)

    nets, dense, tried = at_best_rate(
        _train_one,
        learning_rates,
        list(product(dict.fromkeys(models), seeds)),
        score=distance,
        label=f"train, {recipe}",
        opened=partial(open_one, fit=Fit.to(images), device=device),
        images=replace(images, train=training_part(images, train_on)),
        name=recipe,
        recipe=recipe_of(recipe, epochs=epochs, learning_rate=1.0, l1=l1, input_dropout=input_dropout),
    )
    rates = [
        {name: row[name] for name in Rates.columns() if name != "chosen"}
        | {"chosen": row["learning_rate"] == dense[0]["learning_rate"]}
        for row in tried
    ]
    return nets, Dense.frame(dense), Rates.frame(rates)


def _train_one(item: tuple[tuple[str, int], float], images: Images, name: str, recipe: Recipe) -> Iterator[Net | Dense]:
    (model, seed), rate = item
    [net] = train_plain((model, seed), images, replace(recipe, learning_rate=rate))
    yield net
    yield Dense(recipe=name, epochs=recipe.epochs, **vars(dense_row(net, images, rate)))


def prune_nets(
    nets: Sequence[Net],
    images: Images,
    *,
    recipe_name: str,
    recipe: Recipe,
    schedule: Schedule,
    budgets: Sequence[str],
    targets: Sequence[str],
    split: Split | None = None,
) -> parts.Found:
    """Prune dense nets in rounds to every target under every budget, and measure before and after each retraining.

    The nets are left as they are; the images' test part is measured and decides nothing. The schedule's budget is
    replaced by each of `budgets`; examples are those of `split`, or of the images' training part.

    Returns:
        The finished nets, and the rows of `Pruned`, and of `Rounds` and `Layers` on the way.
    """
    for what, given in (("nets", nets), ("budgets", budgets), ("targets", targets)):
        if not given:
            raise ValueError(f"pruning needs at least one of its {what}; got none")
    if pruned := [net for net in nets if net.pruning]:
        raise ValueError(
            f"pruning starts from dense nets; {pruned[0].model}, seed {pruned[0].seed}, is {pruned[0].pruning!r}"
        )
    split = split or images.train
    return parts.each(
        _prune_one,
        list(product(dict.fromkeys(budgets), nets)),
        label=f"prune, {schedule.mode}",
        opened=partial(open_one, fit=Fit.to(images), device=str(split.x.device)),
        images=images,
        split=split,
        reached=lit(split.x),
        recipe_name=recipe_name,
        recipe=recipe,
        schedule=schedule,
        targets=targets,
    )


def _prune_one(
    item: tuple[str, Net],
    images: Images,
    split: Split,
    reached: Tensor,
    recipe_name: str,
    recipe: Recipe,
    schedule: Schedule,
    targets: Sequence[str],
) -> Iterator[Net | Pruned | Rounds | Layers]:
    budget, net = item
    plan = replace(schedule, budget=budget)
    total = sum(weight.numel() for weight in prunable(net.module).values())
    wanted = {target: parse_target(target, total) for target in targets}
    dense_error = error_percent(evaluate(net.module, images.test).accuracy)
    just_pruned = dense_error
    for stage in prune_and_retrain(
        copy.deepcopy(net.module),
        split,
        recipe,
        plan,
        milestones=milestones_of(targets, total, plan.rounds),
        targets=wanted,
        generator=torch.Generator().manual_seed(net.seed),
    ):
        made = replace(net, module=stage.model, pruning=f"{plan.mode}-{budget}-{stage.target}")
        if not stage.trained:
            just_pruned = error_percent(evaluate(made.module, images.test).accuracy)
            continue
        alive = live(stage.masks, reached)
        named = {**setting_of(made, recipe_name), "seed": net.seed}
        measured = {
            **named,
            "kept_asked": stage.asked,
            "kept": _count(stage.masks),
            "threshold": stage.threshold,
            "error_pruned_percent": just_pruned,
            "error_percent": error_percent(evaluate(made.module, images.test).accuracy),
            "validation_error_percent": error_percent(evaluate(made.module, images.validation).accuracy),
        }
        yield Rounds(**measured, round=stage.round)
        yield from _layers(named, stage, alive)
        if stage.target in wanted:
            yield made
            yield Pruned(
                **measured,
                weights=total,
                sparsity=1 - measured["kept"] / total,
                effective_kept=_count(alive),
                effective_sparsity=1 - _count(alive) / total,
                baseline_error_percent=dense_error,
                steps=stage.steps,
            )


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
    """
    pairs = list(product(dict.fromkeys(learning_rates), dict.fromkeys(penalties)))
    if not pairs:
        raise ValueError("tuning needs at least one learning rate and one penalty; one of the two lists is empty")
    epochs = schedule.final_epochs
    table = parts.each(
        _tune_one,
        pairs,
        label=f"tune, {recipe}",
        nets=nets,
        images=replace(images, test=images.validation),
        name=recipe,
        recipe=recipe_of(recipe, epochs=epochs, learning_rate=1.0, l1=0.0, input_dropout=input_dropout),
        target=target,
        schedule=schedule,
    )[Tuning]
    return Tuning.frame(table.assign(chosen=table.index == table["validation_error_percent"].idxmin()))


def _tune_one(
    pair: tuple[float, float],
    nets: Sequence[Net],
    images: Images,
    name: str,
    recipe: Recipe,
    target: str,
    schedule: Schedule,
) -> Iterator[Tuning]:
    rate, l1 = (float(one) for one in pair)
    spelt, split = replace(recipe, learning_rate=rate, l1=l1), images.train
    made = (
        _prune_one((schedule.budget, net), images, split, lit(split.x), name, spelt, schedule, [target]) for net in nets
    )
    errors = [one.validation_error_percent for found in made for one in found if isinstance(one, Pruned)]
    yield Tuning(
        data=images.name,
        data_id=images.content_id,
        recipe=name,
        target=target,
        learning_rate=rate,
        l1=l1,
        nets=len(errors),
        validation_error_percent=float(np.mean(errors)),
        worst_percent=max(errors),
        chosen=False,
    )


def chosen(run: str, *, learning_rate: float, l1: float) -> tuple[float, float]:
    """Read the pair that a run of the tuning chose, or pass the given one on where no run is named."""
    if not run:
        return learning_rate, l1
    table = Tuning.load(run)
    best = table[table["chosen"]].iloc[0]
    return float(best["learning_rate"]), float(best["l1"])


def by_model(nets: Sequence[Net]) -> list[Net]:
    """Put nets of one model and pruning in a row, whichever order they were made in."""
    return sorted(nets, key=lambda net: (net.model, net.pruning, net.seed))


def mode_table(nets: Sequence[Net], recipe: str) -> DataFrame:
    """Say of each net and layer, and of all layers, where its weights are densest, and how empty their centre is.

    The mode is that of a histogram with bins as wide as Freedman and Diaconis (1981) choose them, one of them centred
    at zero. A layer left with fewer than 20 weights, or half of them equal, has no row.
    """
    rows = []
    for net in nets:
        for layer, weights in _nonzero(net).items():
            if len(weights) < FEWEST:
                continue
            sd = float(weights.std())
            first, third = np.quantile(weights, [0.25, 0.75])
            width = 2 * float(third - first) / len(weights) ** (1 / 3)
            if width == 0:  # half of the weights are equal: bins of no width have no fullest
                continue
            rows.append(
                Modes(
                    **setting_of(net, recipe),
                    seed=net.seed,
                    layer=layer,
                    weights=len(weights),
                    sd=sd,
                    mode_in_sd=_fullest(weights, width)[0] * width / sd,
                    centre_to_peak=_centre_to_peak(weights / sd),
                )
            )
    return Modes.frame(rows)


def histogram_table(nets: Sequence[Net], recipe: str) -> DataFrame:
    """Count weights in bins, layer by layer, as shares averaged over a model's seeds, whose nets stand in a row.

    The bins reach to 5 standard deviations of the seeds' weights together; what lies beyond is left out. A layer left
    with fewer than 20 weights in some seed has no rows.
    """
    rows = []
    for _, group in groupby(nets, key=lambda net: (net.model, net.pruning)):
        seeds = list(group)
        weights = [_nonzero(net) for net in seeds]
        for layer in weights[0]:
            if min(len(of_seed[layer]) for of_seed in weights) < FEWEST:
                continue
            reach = RANGE * float(np.concatenate([of_seed[layer] for of_seed in weights]).std())
            edges = np.linspace(-reach, reach, BINS + 1)
            shares = [100 * np.histogram(of_seed[layer], edges)[0] / len(of_seed[layer]) for of_seed in weights]
            count = float(np.mean([len(of_seed[layer]) for of_seed in weights]))
            rows += [
                Histograms(
                    **setting_of(seeds[0], recipe),
                    layer=layer,
                    left=float(left),
                    right=float(right),
                    share_percent=float(share),
                    nonzero=count,
                )
                for left, right, share in zip(edges, edges[1:], np.mean(shares, axis=0), strict=False)
            ]
    return Histograms.frame(rows, may_be_empty=True)


def pixel_table(nets: Sequence[Net], images: Images, recipe: str) -> DataFrame:
    """Average the magnitude of the first layer's weights over the units that read a pixel, and over channels."""
    _, channels, height, width = images.train.x.shape
    seen = lit(images.train.x).view(channels, height, width).any(0)  # (H, W)
    rows = []
    for model, group in groupby(nets, key=lambda net: net.model):
        first = [next(iter(prunable(net.module).values())).abs().mean(0) for net in group]  # each (C · H · W,)
        depth = sum(first).view(channels, height, width).mean(0) / len(first)  # type: ignore[union-attr]
        rows += [
            Pixels(
                data=images.name,
                data_id=images.content_id,
                recipe=recipe,
                model=model,
                row=row,
                column=column,
                mean_magnitude=float(depth[row, column]),
                ever_lit=bool(seen[row, column]),
            )
            for row in range(height)
            for column in range(width)
        ]
    return Pixels.frame(rows)


def _layers(named: dict[str, Any], stage: Stage, alive: dict[str, torch.Tensor]) -> list[Layers]:
    return [
        Layers(
            **named,
            round=stage.round,
            layer=name.removesuffix(".weight"),
            weights=mask.numel(),
            kept=int(mask.sum()),
            kept_fraction=int(mask.sum()) / mask.numel(),
            live_inputs=int(alive[name].any(0).sum()),
            live_units=int(alive[name].any(1).sum()),
        )
        for name, mask in stage.masks.items()
    ]


def _count(masks: dict[str, torch.Tensor]) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def _nonzero(net: Net) -> dict[str, NDArray[np.float64]]:
    """Give the weights that are not zero, which are the removed ones: of all layers together, then of each."""
    layers = {
        name.removesuffix(".weight"): weight[weight != 0].double().cpu().numpy()
        for name, weight in prunable(net.module).items()
    }
    return {WHOLE: np.concatenate(list(layers.values())), **layers}


def _fullest(weights: NDArray[np.float64], width: float) -> tuple[int, int]:
    """Find the fullest of bins centred at multiples of a width: its number, counted from zero's, and its weights."""
    numbers, counts = np.unique(np.round(weights / width).astype(np.int64), return_counts=True)
    most = counts.max()
    # Of equally full bins the one nearest to zero: it is the one the claim speaks of.
    number = min((int(number) for number in numbers[counts == most]), key=abs)
    return number, int(most)


def _centre_to_peak(standardised: NDArray[np.float64]) -> float:
    width = 0.2
    _, most = _fullest(standardised, width)
    return float((np.abs(standardised) < width / 2).sum() / most)
