"""What the hidden units of a LeNet do: which put something out, and what a net loses without its activations."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from pandas import DataFrame
from torch import Tensor, nn

from prunelab import models, parts
from prunelab.data import Images, Split
from prunelab.measure import evaluate
from prunelab.measure.activity import Activity, activity
from prunelab.pruning import prunable
from prunelab.pruning.paths import lit
from prunelab.studies.common.nets import Net, error_percent, open_nets
from prunelab.studies.lenet.tables import REMOVED, TREATMENTS, Active, ActiveClasses, ActiveImages, Chosen, Removal
from prunelab.studies.lenet.training import setting_of
from prunelab.train import Recipe, train, train_seeds
from prunelab.train.retraining import train_masked

T = TypeVar("T")

BINS = 50  # of the fraction active, over [0, 1]: every width of the study is a multiple of it
STRONG = "strong"  # the recipe of this module's own trainings: a triangular rate and Nesterov momentum


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """One net and how many units of each hidden layer are active on each test image."""

    recipe: str
    net: Net
    layers: dict[str, Activity]  # over the test images

    @property
    def setting(self) -> dict[str, str]:
        """The columns that nets share which differ in their seed alone."""
        return setting_of(self.net, self.recipe)


def nets_of(
    strong: Sequence[str],
    source: Sequence[str],
    images: Images,
    *,
    prunings: Sequence[str],
    models: Sequence[str],
    seeds: Sequence[int],
    epochs: int,
    device: str = "cpu",
) -> dict[str, list[Net]]:
    """Open the nets of both recipes, or train small dense ones of the strong recipe where no run is named.

    Args:
        strong: folders of runs with nets of the strong recipe.
        source: folders of runs with nets of the source's recipe.
        images: the data to be measured on.
        prunings: labels of the prunings to measure, "" for dense nets; nets of others are left out.
        models: specs to train, used only without runs, as are seeds and epochs.
        seeds: of these.
        epochs: of these.
        device: where the nets go.

    Returns:
        Recipe -> its nets, each in the order of its runs; a recipe without nets is left out.
    """
    opened = {
        recipe: open_nets(runs, images, models=models, seeds=seeds, epochs=epochs, device=device)
        for recipe, runs in ((STRONG, strong), ("source", source))
        if runs or (recipe == STRONG and not source)
    }
    nets = {recipe: [net for net in found if net.pruning in prunings] for recipe, found in opened.items()}
    if not any(nets.values()):
        known = sorted({net.pruning for found in opened.values() for net in found})
        raise ValueError(f"`prunings` names nets to measure; none is one of {list(prunings)}: the runs hold {known}")
    return {recipe: kept for recipe, kept in nets.items() if kept}


def take(nets_by_recipe: Mapping[str, Sequence[Net]], models: Sequence[str]) -> dict[str, list[Net]]:
    """Keep the nets of some specs; of all if none is named."""
    found = sorted({net.model for nets in nets_by_recipe.values() for net in nets})
    if missing := [model for model in models if model not in found]:
        raise ValueError(f"nets are taken by their specs; {missing[0]!r} is none of {', '.join(found)}")
    return {
        recipe: [net for net in nets if not models or net.model in models] for recipe, nets in nets_by_recipe.items()
    }


def count_active(nets: Mapping[str, Sequence[Net]], images: Images) -> list[Counted]:
    """Count the active units of every net on every test image; inputs 0 in all training images start no live path."""
    reached = lit(images.train.x)
    return [
        Counted(recipe=recipe, net=net, layers=activity(net.module, images.test.x, reached))
        for recipe, found in nets.items()
        for net in found
    ]


def chosen_image(images: Images, class_name: str = "6", lit_pixels: int = 155) -> int:
    """Find the place of the one image that stands for a class: the first test image of it with so many pixels above 0.

    Where none has as many, as on other data than the source's, it is the first whose count is nearest to the median
    of the class.
    """
    if class_name not in images.classes:
        raise ValueError(f"class_name is one of {', '.join(images.classes)}; got {class_name!r}")
    places = (images.test.y == images.classes.index(class_name)).nonzero().flatten().cpu()  # (M,)
    if len(places) == 0:
        raise ValueError(f"the chosen image is a test image; {images.name} has none of class {class_name!r}")
    counts = images.test.x.ne(0).any(1).flatten(1).sum(1).cpu()[places].double()  # (M,)
    wanted = lit_pixels if bool((counts == lit_pixels).any()) else float(counts.quantile(0.5))
    return int(places[int((counts - wanted).abs().argmin())])


def chosen_table(images: Images, chosen: int) -> DataFrame:
    """Write the chosen test image down, one row a pixel, so that it can be drawn from a table alone."""
    pixels = images.test.x[chosen].mean(0).cpu()  # (H, W)
    rows = [
        Chosen(
            data=images.name,
            data_id=images.content_id,
            index=chosen,
            class_name=images.classes[int(images.test.y[chosen])],
            row=row,
            column=column,
            value=value,
        )
        for row, line in enumerate(pixels.tolist())
        for column, value in enumerate(line)
    ]
    return Chosen.frame(rows)


def active_table(counted: Sequence[Counted], images: Images, chosen: int) -> DataFrame:
    """Sum up the active units, one row a net and hidden layer."""
    rows = []
    for one in counted:
        with torch.no_grad():
            prediction = images.classes[int(one.net.module(images.test.x[chosen : chosen + 1]).argmax())]
        rows += [
            Active(
                **one.setting,
                layer=layer,
                seed=one.net.seed,
                units=measured.units,
                live_units=int(measured.live.sum()),
                active_fraction=float(measured.fraction.mean()),
                active_units=float(measured.active.double().mean()),
                live_active_units=float(measured.live_active.double().mean()),
                chosen_active=int(measured.active[chosen]),
                chosen_prediction=prediction,
            )
            for layer, measured in one.layers.items()
        ]
    return Active.frame(rows)


def class_table(counted: Sequence[Counted], images: Images) -> DataFrame:
    """Give the mean fraction active on each class, one row a net, hidden layer and class with test images."""
    labels = images.test.y.cpu()
    rows = [
        ActiveClasses(
            **one.setting,
            layer=layer,
            class_name=name,
            seed=one.net.seed,
            active_fraction=float(measured.fraction[labels == index].mean()),
        )
        for one in counted
        for layer, measured in one.layers.items()
        for index, name in enumerate(images.classes)
        if bool((labels == index).any())
    ]
    return ActiveClasses.frame(rows)


def image_table(counted: Sequence[Counted]) -> DataFrame:
    """Bin the fraction active on an image, mean over seeds; one row a setting, hidden layer and bin."""
    groups: dict[tuple[str, ...], list[Counted]] = {}
    for one in counted:
        groups.setdefault(tuple(one.setting.values()), []).append(one)
    rows = [
        ActiveImages(
            **nets[0].setting,
            layer=layer,
            bin_left=place / BINS,
            bin_right=(place + 1) / BINS,
            share_percent=100 * share,
        )
        for nets in groups.values()
        for layer in nets[0].layers
        for place, share in enumerate(torch.stack([_shares(one.layers[layer]) for one in nets]).mean(0).tolist())
    ]
    return ActiveImages.frame(rows)


def without(model: nn.Sequential, removed: str) -> nn.Sequential:
    """Copy a net with the identity in place of an activation: "none", "first", "last" or "both" of the hidden ones.

    Of more than two, these are the outer ones. The copy has memory of its own, and the parameters' names.
    """
    clone = copy.deepcopy(model)
    activations = [name for name, layer in clone.named_children() if _is_activation(layer)]
    for name in _chosen(activations, removed):
        clone.set_submodule(name, nn.Identity())
    return clone


def spec_without(spec: str, removed: str) -> str:
    """Name the net that lacks an activation from the start, as in "lenet-300-100-relu-none"."""
    net = models.parse(spec)
    gone = _chosen(range(len(net.activations)), removed)
    activations = ["none" if depth in gone else name for depth, name in enumerate(net.activations)]
    return "-".join([net.family, *map(str, net.widths), *activations])


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
        treatments: of `TREATMENTS`.
        retrain_epochs: passes over the training part after the removal.
        retrain_rate: peak learning rate of these.
        scratch_epochs: passes over the training part from scratch.
        scratch_rate: peak learning rate of these.
        retrained_models: specs of the nets to retrain and to train from scratch; all if empty.
    """
    if not treatments or len(set(treatments)) < len(treatments) or set(treatments) - set(TREATMENTS):
        raise ValueError(f"treatments are different ones of {', '.join(TREATMENTS)}; got {list(treatments)}")
    recipes = {
        "retrained": Recipe(epochs=retrain_epochs, learning_rate=retrain_rate),
        "from scratch": Recipe(epochs=scratch_epochs, learning_rate=scratch_rate),
    }
    trainable = {net.model for nets in take(nets_by_recipe, retrained_models).values() for net in nets}
    nets = [(recipe, net) for recipe, nets in nets_by_recipe.items() for net in nets]
    given: dict[str, Any] = {"images": images, "treatments": treatments, "recipes": recipes}
    return parts.each(_remove_one, nets, label="activation removal", trainable=sorted(trainable), **given)[Removal]


def _remove_one(
    item: tuple[str, Net],
    images: Images,
    treatments: Sequence[str],
    recipes: Mapping[str, Recipe],
    trainable: Sequence[str],
) -> Iterator[Removal]:
    recipe, net = item
    measured = _as_trained(net, images)
    for treatment in treatments:
        if treatment == "as trained":
            errors = measured
        elif net.model in trainable and (treatment == "retrained" or (not net.pruning and recipe == STRONG)):
            errors = dict(_trained(net, images, recipes[treatment], treatment))
        else:
            continue
        for removed, error in errors.items():
            yield Removal(
                **setting_of(net, recipe),
                seed=net.seed,
                removed=removed,
                treatment=treatment,
                error_percent=error,
                baseline_error_percent=measured["none"],
                drop_points=round(error - errors["none"], 10),  # both errors are rounded there
            )


def retrained(net: Net, removed: str, split: Split, recipe: Recipe, *, label: str | None = None) -> nn.Sequential:
    """Train a copy of a net on without an activation, in an order that its seed decides.

    The weights of a pruned net that are 0 are the removed ones, and stay zero.
    """
    model = without(net.module, removed)
    generator = torch.Generator().manual_seed(net.seed)
    if not net.pruning:
        train(model, split, recipe, generator=generator, label=label)
        return model
    masks = {name: weight != 0 for name, weight in prunable(model).items()}
    train_masked(model, split, recipe, masks, generator=generator, label=label)
    return model


def _shares(measured: Activity) -> Tensor:
    """Give the share of images in each bin; in whole numbers, for k / units may round to either side of an edge."""
    places = (measured.active * BINS // measured.units).clamp(max=BINS - 1)
    return torch.bincount(places, minlength=BINS).double() / len(places)


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
