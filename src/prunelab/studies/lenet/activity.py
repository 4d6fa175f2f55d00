"""Study 2, experiment 2: which share of the units puts something out, over the test set, by class, on one image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from pandas import DataFrame
from torch import Tensor

from prunelab.data import Images
from prunelab.measure.activity import Activity, activity
from prunelab.pruning.paths import lit
from prunelab.records import to_frame
from prunelab.studies.common.nets import Net, open_nets
from prunelab.studies.lenet.settings import setting_of
from prunelab.studies.lenet.tables import (
    ACTIVE_KEY,
    CHOSEN_KEY,
    CLASS_KEY,
    IMAGE_KEY,
    ActiveRow,
    ClassRow,
    ImageRow,
    PixelRow,
)

BINS = 50  # of the fraction active, over [0, 1]: every width of the study is a multiple of it


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
        models: specs to train, used only without runs.
        seeds: seeds to train, used only without runs.
        epochs: how long to train, used only without runs.
        device: where the nets go.

    Returns:
        Recipe -> its nets, each in the order of its runs; a recipe without nets is left out.

    Raises:
        FileNotFoundError: a run without nets.
        ValueError: no net of these prunings, or what `stored_nets.open_nets` refuses.
    """
    opened = {
        recipe: open_nets(runs, images, models=models, seeds=seeds, epochs=epochs, device=device)
        for recipe, runs in (("strong", strong), ("source", source))
        if runs or (recipe == "strong" and not source)
    }
    nets = {recipe: [net for net in found if net.pruning in prunings] for recipe, found in opened.items()}
    if not any(nets.values()):
        known = sorted({net.pruning for found in opened.values() for net in found})
        raise ValueError(f"`prunings` names nets to measure; none is one of {list(prunings)}: the runs hold {known}")
    return {recipe: kept for recipe, kept in nets.items() if kept}


def count_active(nets: Mapping[str, Sequence[Net]], images: Images) -> list[Counted]:
    """Count the active units of every net on every test image.

    Args:
        nets: recipe -> ReLU nets, on the images' device.
        images: what they are measured on; inputs that are 0 in all training images start no live path.

    Raises:
        ValueError: what `prunelab.measure.activity` refuses.
    """
    reached = lit(images.train.x)
    return [
        Counted(recipe=recipe, net=net, layers=activity(net.module, images.test.x, reached))
        for recipe, found in nets.items()
        for net in found
    ]


def chosen_image(images: Images, class_name: str = "6", lit_pixels: int = 155) -> int:
    """Find the one image that stands for a class: the first test image of it with so many pixels above 0.

    Where none has as many, as on other data than the source's, it is the first whose count is nearest to the median
    of the class.

    Args:
        images: the data set.
        class_name: one of its classes.
        lit_pixels: pixels that are nonzero in some channel.

    Returns:
        Its place among the test images, from 0.

    Raises:
        ValueError: there is no such class, or no test image of it.
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
    name = images.classes[int(images.test.y[chosen])]
    rows = [
        PixelRow(
            data=images.name,
            data_id=images.content_id,
            index=chosen,
            class_name=name,
            row=row,
            column=column,
            value=value,
        )
        for row, line in enumerate(pixels.tolist())
        for column, value in enumerate(line)
    ]
    return to_frame(rows, CHOSEN_KEY)


def active_table(counted: Sequence[Counted], images: Images, chosen: int) -> DataFrame:
    """Sum up the active units, one row a net and hidden layer; columns as `ACTIVE_COLUMNS` says.

    Args:
        counted: what `count_active` gave on these images.
        images: the data set.
        chosen: place of the chosen image among the test images.
    """
    rows = []
    for one in counted:
        with torch.no_grad():
            prediction = images.classes[int(one.net.module(images.test.x[chosen : chosen + 1]).argmax())]
        rows += [
            ActiveRow(
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
    return to_frame(rows, ACTIVE_KEY)


def class_table(counted: Sequence[Counted], images: Images) -> DataFrame:
    """Give the mean fraction active on each class, one row a net, hidden layer and class with test images."""
    labels = images.test.y.cpu()
    rows = [
        ClassRow(
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
    return to_frame(rows, CLASS_KEY)


def image_table(counted: Sequence[Counted]) -> DataFrame:
    """Bin the fraction active on an image, mean over seeds; one row a setting, hidden layer and bin."""
    rows = []
    groups: dict[tuple[str, ...], list[Counted]] = {}
    for one in counted:
        groups.setdefault(tuple(one.setting.values()), []).append(one)
    for nets in groups.values():
        for layer in nets[0].layers:
            shares = torch.stack([_shares(one.layers[layer]) for one in nets]).mean(0)  # (BINS,)
            rows += [
                ImageRow(
                    **nets[0].setting,
                    layer=layer,
                    bin_left=place / BINS,
                    bin_right=(place + 1) / BINS,
                    share_percent=100 * share,
                )
                for place, share in enumerate(shares.tolist())
            ]
    return to_frame(rows, IMAGE_KEY)


def _shares(measured: Activity) -> Tensor:
    """Give the share of images in each bin; in whole numbers, for k / units may round to either side of an edge."""
    places = (measured.active * BINS // measured.units).clamp(max=BINS - 1)
    return torch.bincount(places, minlength=BINS).double() / len(places)
