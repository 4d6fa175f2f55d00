"""Which activation a LeNet needs: the last hidden one removed, the first, both; trained with it, or without it."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import torch
from pandas import DataFrame
from torch import nn
from tqdm import tqdm

from prunelab import models
from prunelab.data import Images, Split
from prunelab.measure import evaluate
from prunelab.pruning import prunable
from prunelab.records import to_frame
from prunelab.studies.common.nets import Net, error_percent
from prunelab.studies.lenet.settings import setting_of
from prunelab.studies.lenet.tables import REMOVAL_COLUMNS, REMOVAL_KEY, RemovalRow
from prunelab.train import Recipe, train, train_seeds
from prunelab.train.retraining import train_masked

T = TypeVar("T")

REMOVED = ("none", "first", "last", "both")
TREATMENTS = ("as trained", "retrained", "from scratch")
STRONG = "strong"  # the recipe of this module's own trainings: a triangular rate and Nesterov momentum


def without(model: nn.Sequential, removed: str) -> nn.Sequential:
    """Copy a net with the identity in place of an activation.

    Args:
        model: linear layers with an activation after each but the last, at least two activations; not changed.
        removed: "none", "first", "last" or "both" of the hidden activations; of more than two, the outer ones.

    Returns:
        A net of its own memory, with the same parameters under the same names.

    Raises:
        ValueError: an unknown `removed`, or fewer than two activations.
    """
    clone = copy.deepcopy(model)
    activations = [name for name, layer in clone.named_children() if _is_activation(layer)]
    for name in _chosen(activations, removed):
        clone.set_submodule(name, nn.Identity())
    return clone


def spec_without(spec: str, removed: str) -> str:
    """Name the net that lacks an activation from the start, as in "lenet-300-100-relu-none".

    Raises:
        ValueError: an unknown `removed`, fewer than two hidden layers, or a spec that cannot be read.
    """
    net = models.parse(spec)
    gone = _chosen(range(len(net.activations)), removed)
    activations = ["none" if depth in gone else name for depth, name in enumerate(net.activations)]
    return "-".join([net.family, *map(str, net.widths), *activations])


def take(nets_by_recipe: Mapping[str, Sequence[Net]], models: Sequence[str]) -> dict[str, list[Net]]:
    """Keep the nets of some specs; of all if none is named.

    Raises:
        ValueError: a spec that is no net's.
    """
    found = sorted({net.model for nets in nets_by_recipe.values() for net in nets})
    if missing := [model for model in models if model not in found]:
        raise ValueError(f"nets are taken by their specs; {missing[0]!r} is none of {', '.join(found)}")
    return {
        recipe: [net for net in nets if not models or net.model in models] for recipe, nets in nets_by_recipe.items()
    }


def removal_table(
    nets_by_recipe: Mapping[str, Sequence[Net]],
    images: Images,
    *,
    treatments: Sequence[str],
    retrain_epochs: int,
    retrain_rate: float,
    scratch_epochs: int,
    scratch_rate: float,
    retrained_models: Sequence[str] = (),
) -> DataFrame:
    """Remove the last hidden activation, the first, both and none, and measure the error on the test part.

    Retrained nets, the one that lost nothing among them, see the same examples in the same order; weights that pruning
    removed stay zero. From scratch only the dense nets of the strong recipe are trained, which is the recipe of
    these trainings: weights and order come from a generator seeded with the net's seed.

    Args:
        nets_by_recipe: recipe -> trained nets with at least two hidden layers; not changed.
        images: what they were trained on.
        treatments: of "as trained", "retrained" and "from scratch".
        retrain_epochs: passes over the training part after the removal.
        retrain_rate: peak learning rate of these.
        scratch_epochs: passes over the training part from scratch.
        scratch_rate: peak learning rate of these.
        retrained_models: specs of the nets to retrain and to train from scratch; all if empty.

    Returns:
        One row a net, treatment and removal; columns as `REMOVAL_COLUMNS` says.

    Raises:
        ValueError: no, an unknown or a repeated treatment, nets with fewer than two hidden layers, a spec
            that is no net's, no net that the treatments fit, or what training refuses.
    """
    if not treatments or len(set(treatments)) < len(treatments) or set(treatments) - set(TREATMENTS):
        raise ValueError(f"treatments are different ones of {', '.join(TREATMENTS)}; got {list(treatments)}")
    recipes = {
        "retrained": Recipe(epochs=retrain_epochs, learning_rate=retrain_rate),
        "from scratch": Recipe(epochs=scratch_epochs, learning_rate=scratch_rate),
    }
    trainable = {net.model for nets in take(nets_by_recipe, retrained_models).values() for net in nets}
    rows: list[RemovalRow] = []
    nets = [(recipe, net) for recipe, nets in nets_by_recipe.items() for net in nets]
    for recipe, net in tqdm(nets, desc="activation removal", unit="net", leave=False):
        measured = _as_trained(net, images)
        for treatment in treatments:
            if treatment == "as trained":
                errors = measured
            elif net.model in trainable and (treatment == "retrained" or (not net.pruning and recipe == STRONG)):
                errors = dict(_trained(net, images, recipes[treatment], treatment))
            else:
                continue
            rows += _rows(net, recipe, treatment, errors, measured["none"])
    return to_frame(rows, REMOVAL_KEY)[list(REMOVAL_COLUMNS)]


def retrained(net: Net, removed: str, split: Split, recipe: Recipe, *, label: str | None = None) -> nn.Sequential:
    """Train a net on without an activation; weights that pruning removed stay zero.

    Args:
        net: trained; not changed. The weights of a pruned net that are 0 are the removed ones.
        removed: see `without`.
        split: training examples, drawn in an order that the net's seed decides.
        recipe: how to train.
        label: what a progress bar calls this training; none is shown without it.

    Returns:
        A net of its own, in evaluation mode.

    Raises:
        ValueError: see `without` and `prunelab.train.train`.
    """
    model = without(net.module, removed)
    generator = torch.Generator().manual_seed(net.seed)
    if not net.pruning:
        train(model, split, recipe, generator=generator, label=label)
        return model
    masks = {name: weight != 0 for name, weight in prunable(model).items()}
    train_masked(model, split, recipe, masks, generator=generator, label=label)
    return model


def _rows(net: Net, recipe: str, treatment: str, errors: Mapping[str, float], baseline: float) -> Iterator[RemovalRow]:
    for removed, error in errors.items():
        yield RemovalRow(
            **setting_of(net, recipe),
            seed=net.seed,
            removed=removed,
            treatment=treatment,
            error_percent=error,
            baseline_error_percent=baseline,
            drop_points=round(error - errors["none"], 10),  # both errors are rounded there
        )


def _as_trained(net: Net, images: Images, batch_size: int = 1000) -> dict[str, float]:
    """Measure every removal; the layers before the first activation, most of the work, are passed once."""
    start = next(depth for depth, layer in enumerate(net.module) if _is_activation(layer))
    with torch.no_grad():
        hidden = torch.cat([net.module[:start](x) for x in images.test.x.split(batch_size)])  # (N, units)
    split = Split(x=hidden[:, :, None, None], y=images.test.y)
    errors = {}
    for removed in REMOVED:
        rest = nn.Sequential(nn.Flatten(), *list(without(net.module, removed))[start:])
        errors[removed] = error_percent(evaluate(rest, split, batch_size=batch_size).accuracy)
    return errors


def _trained(net: Net, images: Images, recipe: Recipe, treatment: str) -> Iterator[tuple[str, float]]:
    for removed in REMOVED:
        if treatment == "from scratch":
            spec = spec_without(net.model, removed)
            model = train_seeds(spec, images, recipe, [net.seed], progress=True)[net.seed]
        else:
            label = f"{net.model}, seed {net.seed}, without {removed}"
            model = retrained(net, removed, images.train, recipe, label=label)
        yield removed, error_percent(evaluate(model, images.test).accuracy)


def _is_activation(layer: nn.Module) -> bool:
    return not isinstance(layer, nn.Linear | nn.Flatten)


def _chosen(activations: Sequence[T], removed: str) -> Sequence[T]:
    """Pick the activations that a removal replaces."""
    if removed not in REMOVED:
        raise ValueError(f"what is removed is one of {', '.join(REMOVED)}; got {removed!r}")
    if len(activations) < 2:
        raise ValueError(
            f"the first and the last activation are told apart from two hidden layers on; the net has "
            f"{len(activations)}: take one such as 'lenet-300-100-relu'"
        )
    first, last = activations[:1], activations[-1:]
    return {"none": [], "first": first, "last": last, "both": [*first, *last]}[removed]
