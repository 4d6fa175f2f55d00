"""The tables that the LeNet study's trainings, prunings and counts leave, and those that its sources printed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated as A

import pandas as pd
from pandas import DataFrame

from prunelab.models import parse
from prunelab.tables import Table, of_runs

DENSE = "dense"
REMOVED = ("none", "first", "last", "both")
EPOCHS = ("final", "best", "unstated")  # of a published point: last, best on the test part, or not said
TREATMENTS = ("as trained", "retrained", "from scratch")

SETTING = "data recipe mode budget model target"  # what tells nets apart, but for their seeds

Data = A[str, "data set"]
DataId = A[str, "content id of the data set"]
Recipe = A[str, "how the nets were trained: strong, or as near to the source as its text allows"]
Mode = A[str, "masked (removed weights stay 0) or regrown (trained again between prunings); dense for unpruned nets"]
Budget = A[str, "how the weights left are shared among layers: global, layer, erk or lamp; dense for unpruned nets"]
Model = A[str, "spec of the net"]
Target = A[str, "weights left, or the share of weights removed, as asked; dense for unpruned nets"]
Seed = A[int, "seed of the net"]
Chance = A[int, "seed of the net, of the order of its examples and of nothing else"]
Layer = A[str, "layer, or all of them together"]
HiddenLayer = A[str, "hidden layer"]
Row = A[int, "row of the pixel, from 0 at the top"]
Column = A[int, "column of the pixel, from 0 at the left"]


class Setting(Table):
    """What names a net, but for its seed."""

    data: Data
    data_id: DataId
    recipe: Recipe
    mode: Mode
    budget: Budget
    model: Model
    target: Target


class Dense(Table, key="data recipe model seed"):
    """A dense net."""

    recipe: Recipe
    data: Data
    data_id: DataId
    model: Model
    seed: A[int, "seed of initialisation and order"]
    learning_rate: A[float, "peak learning rate, chosen on the validation part"]
    weights: A[int, "prunable weights"]
    biases: A[int, "biases, never pruned"]
    weight_rms: A[float, "root mean square of all weights pooled"]
    validation_error_percent: A[float, "error on the validation part, last epoch [%]"]
    error_percent: A[float, "error on the test part, last epoch [%]"]
    loss: A[float, "mean cross-entropy on the test part, last epoch [nats]"]
    epochs: A[int, "passes over the training part"]


class Rates(Table, key="data recipe model learning_rate"):
    """A learning rate tried on one net."""

    recipe: Recipe
    data: Data
    data_id: DataId
    model: Model
    seed: A[int, "seed of the one net tried"]
    learning_rate: A[float, "peak learning rate tried"]
    validation_error_percent: A[float, "error on the validation part, last epoch [%]"]
    chosen: A[bool, "whether all nets are trained at this rate"]


class Modes(Setting, key=f"{SETTING} layer seed"):
    """The shape of one layer's weights."""

    seed: Seed
    layer: Layer
    weights: A[int, "weights that are not zero"]
    sd: A[float, "standard deviation of these weights [weight units]"]
    mode_in_sd: A[float, "centre of the fullest bin of their histogram, from 0 [standard deviations]"]
    centre_to_peak: A[float, "their density within 0.1 standard deviations of 0 over that of the fullest bin as wide"]


class Histograms(Setting, key=f"{SETTING} layer left"):
    """A bin of the weights of one layer, over the seeds."""

    layer: Layer
    left: A[float, "lower end of the bin [weight units]"]
    right: A[float, "upper end of the bin [weight units]"]
    share_percent: A[float, "nonzero weights in the bin, mean over seeds [%]"]
    nonzero: A[float, "nonzero weights of the layer, mean over seeds"]


class Pixels(Table, key="data recipe model row column"):
    """A pixel as the first layer reads it."""

    data: Data
    data_id: DataId
    recipe: Recipe
    model: Model
    row: Row
    column: Column
    mean_magnitude: A[float, "mean |w| of the first layer's weights on the pixel, over units and seeds [weight units]"]
    ever_lit: A[bool, "whether the pixel is nonzero in some training image"]


class Counts(Table):
    """Which net of a setting, and how many weights it has left."""

    seed: Chance
    kept_asked: A[int, "weights asked to be kept"]
    kept: A[int, "weights kept, counted in the masks"]


class Effective(Table):
    """How many of a net's weights are removed, and how many count."""

    weights: A[int, "prunable weights of the net"]
    sparsity: A[float, "fraction of them removed, counted"]
    effective_kept: A[int, "kept weights on a path from an input that is ever lit to an output"]
    effective_sparsity: A[float, "fraction of the prunable weights that are on no such path"]


class Errors(Table):
    """What a round removed, and what it cost."""

    threshold: A[
        float | None,
        "smallest magnitude kept; may be empty unless one threshold holds for the whole net [weight units]",
    ]
    error_pruned_percent: A[float, "error on the test part right after the round's pruning [%]"]
    error_percent: A[float, "error on the test part after the round's training, last epoch [%]"]
    validation_error_percent: A[
        float, "error on the validation part then, of examples trained on where both parts train [%]"
    ]


class Pruned(Errors, Effective, Counts, Setting, key=f"{SETTING} seed"):
    """A finished net."""

    baseline_error_percent: A[float, "error of the dense net on the test part [%]"]
    steps: A[int, "training steps since the dense net"]


class Stage(Setting):
    """A round of a setting's pruning."""

    target: A[str, "the target whose last round it is, or path, for the rounds that all targets share"]
    round: A[int, "rounds of pruning so far"]


class Rounds(Errors, Counts, Stage, key=f"{SETTING} round seed"):
    """One round of one net's pruning."""


class Layers(Stage, key=f"{SETTING} round layer seed"):
    """One layer in one round."""

    layer: A[str, "layer"]
    seed: Chance
    weights: A[int, "weights of the layer"]
    kept: A[int, "weights of the layer kept"]
    kept_fraction: A[float, "fraction of the layer's weights kept"]
    live_inputs: A[int, "inputs of the layer that a live path leads through"]
    live_units: A[int, "units of the layer that a live path leads through"]


class Tuning(Table, key="data recipe learning_rate l1"):
    """A learning rate and a penalty, tried on some nets."""

    data: Data
    data_id: DataId
    recipe: Recipe
    target: Target
    learning_rate: A[float, "of every retraining, at its peak or constant"]
    l1: A[float, "penalty per unit of summed |w|"]
    nets: A[int, "nets pruned and retrained with it"]
    validation_error_percent: A[float, "their mean error on the validation part, last epoch [%]"]
    worst_percent: A[float, "the largest of these errors [%]"]
    chosen: A[bool, "whether it has the lowest mean error"]


class Active(Setting, key=f"{SETTING} layer seed"):
    """One hidden layer of one net."""

    layer: HiddenLayer
    seed: Seed
    units: A[int, "units of the layer"]
    live_units: A[int, "units on a path of nonzero weights from an input that is ever lit to an output"]
    active_fraction: A[float, "fraction of all units of the layer with output above 0, mean over the test images"]
    active_units: A[float, "the same as a count"]
    live_active_units: A[float, "those of them that are live; the others put out their bias, on every image alike"]
    chosen_active: A[int, "units with output above 0 on the one chosen image"]
    chosen_prediction: A[str, "class the net gives the chosen image"]


class ActiveClasses(Setting, key=f"{SETTING} layer class_name seed"):
    """One hidden layer of one net on the test images of one class."""

    layer: HiddenLayer
    class_name: A[str, "class of the test images"]
    seed: Seed
    active_fraction: A[
        float, "fraction of all units of the layer with output above 0, mean over the class's test images"
    ]


class ActiveImages(Setting, key=f"{SETTING} layer bin_left"):
    """A bin of the fraction active on a test image, over the seeds."""

    layer: HiddenLayer
    bin_left: A[float, "lower edge of the bin, fraction of the layer's units active on one image"]
    bin_right: A[float, "upper edge of the bin; it belongs to the next bin, that of the last to the last"]
    share_percent: A[float, "test images in the bin, mean over seeds [%]"]


class Chosen(Table, key="data row column"):
    """A pixel of the chosen image."""

    data: Data
    data_id: DataId
    index: A[int, "place of the chosen image among the test images, from 0"]
    class_name: A[str, "class of the chosen image"]
    row: Row
    column: Column
    value: A[float, "pixel value, mean over channels, 0 to 1"]


class Removal(Setting, key=f"{SETTING} removed treatment seed"):
    """A net without one of its activations, or two, after one treatment."""

    seed: A[int, "seed of the net, and of the order of the examples when it is trained here"]
    removed: A[str, "hidden activation replaced by the identity: none, first, last or both"]
    treatment: A[
        str, "as trained (weights kept), retrained (trained on after the removal) or from scratch (without it)"
    ]
    error_percent: A[float, "error on the test part [%]"]
    baseline_error_percent: A[float, "error of the same net with nothing removed, as trained [%]"]
    drop_points: A[float, "error minus that with nothing removed under the same treatment [points]"]


def net_name(model: str) -> str:
    """Name a net as the source does, by its hidden widths: `lenet-300-100-relu` is `300-100`."""
    return "-".join(map(str, parse(model).widths))


def short_names(models: "pd.Series[str]") -> dict[str, str]:
    """Name each spec by its hidden widths, as "300-100", or in full where two specs share them."""
    widths = {spec: net_name(spec) for spec in dict.fromkeys(models)}
    return {spec: name if list(widths.values()).count(name) == 1 else spec for spec, name in widths.items()}


def left(target: str) -> str:
    """Say a target in words: a number of weights left, or a percentage removed."""
    return f"{target} removed" if target.endswith("%") else f"{int(target):,} weights left"


def label_of(mode: str, budget: str, target: str) -> str:
    """Spell a pruning out: "2,660 weights left", and how, where it is not by the usual masks and one threshold."""
    if mode == DENSE:
        return DENSE
    return left(target) if (mode, budget) == ("masked", "global") else f"{left(target)} ({mode}, {budget})"


def measured(folders: Mapping[str, str], name: str) -> DataFrame:
    """Read a table that runs left, one below the other; they are given by the parameters that name their folders."""
    parts = [
        of_runs([folder], name, run=f"lenet-{parameter.replace('_', '-')}", parameter=parameter)
        for parameter, folder in folders.items()
    ]
    return pd.concat(parts, ignore_index=True)


def printed_nets(path: Path) -> DataFrame:
    """Read the source's printed nets, as `published/lenet-variants.csv` holds them."""
    return _facts(path, "the source's printed nets are published/lenet-variants.csv")


def published_points(path: Path) -> DataFrame:
    """Read the points others published for LeNet-300-100, as `published/lenet-300-100-frontier.csv` holds them."""
    points = _facts(path, "the published points are in published/lenet-300-100-frontier.csv")
    if odd := sorted(set(points["epoch"]) - set(EPOCHS)):
        raise ValueError(f"a published point is of epoch {', '.join(EPOCHS)}; {path.name} has {odd}")
    return points


def _facts(path: Path, what: str) -> DataFrame:
    if not path.exists():
        raise FileNotFoundError(f"{what}; {path} is missing")
    return pd.read_csv(path)
