"""The rows and columns of the tables on active units."""

from dataclasses import dataclass

from prunelab.studies.lenet_settings import SETTING_COLUMNS, SETTING_KEY, Setting

_LAYER = "hidden layer"
_SEED = "seed of the net"

ACTIVE_KEY = (*SETTING_KEY, "layer", "seed")
ACTIVE_COLUMNS = {
    **SETTING_COLUMNS,
    "layer": _LAYER,
    "seed": _SEED,
    "units": "units of the layer",
    "live_units": "units on a path of nonzero weights from an input that is ever lit to an output",
    "active_fraction": "fraction of all units of the layer with output above 0, mean over the test images",
    "active_units": "the same as a count",
    "live_active_units": "those of them that are live; the others put out their bias, on every image alike",
    "chosen_active": "units with output above 0 on the one chosen image",
    "chosen_prediction": "class the net gives the chosen image",
}

CLASS_KEY = (*SETTING_KEY, "layer", "class_name", "seed")
CLASS_COLUMNS = {
    **SETTING_COLUMNS,
    "layer": _LAYER,
    "class_name": "class of the test images",
    "seed": _SEED,
    "active_fraction": "fraction of all units of the layer with output above 0, mean over the class's test images",
}

IMAGE_KEY = (*SETTING_KEY, "layer", "bin_left")
IMAGE_COLUMNS = {
    **SETTING_COLUMNS,
    "layer": _LAYER,
    "bin_left": "lower edge of the bin, fraction of the layer's units active on one image",
    "bin_right": "upper edge of the bin; it belongs to the next bin, that of the last to the last",
    "share_percent": "test images in the bin, mean over seeds [%]",
}

CHOSEN_KEY = ("data", "row", "column")
CHOSEN_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "index": "place of the chosen image among the test images, from 0",
    "class_name": "class of the chosen image",
    "row": "row of the pixel, from 0 at the top",
    "column": "column of the pixel, from 0 at the left",
    "value": "pixel value, mean over channels, 0 to 1",
}

SOURCE_KEY = ("data", "recipe", "net", "target", "layer")
SOURCE_COLUMNS = {
    "data": "data set of our nets; the source's is MNIST",
    "recipe": "how our nets were trained",
    "net": "hidden widths",
    "target": "dense, or the weights left, as ours were asked for",
    "layer": _LAYER,
    "units": "units of the layer",
    "source_active": "units active on one image of a 6, as the source prints them",
    "chosen_active": "units active on the chosen image in ours, mean over seeds; may be empty (no such net)",
    "chosen_low": "lower end of its 95 % t interval; may be empty",
    "chosen_high": "upper end of its 95 % t interval; may be empty",
    "active_units": "units active in ours, mean over test images and seeds; may be empty",
    "seeds": "our nets behind it",
    "note": "what the source says beside its numbers; may be empty",
}


@dataclass(frozen=True, kw_only=True)
class ActiveRow(Setting):
    """One hidden layer of one net."""

    layer: str
    seed: int
    units: int
    live_units: int
    active_fraction: float  # [0, 1]
    active_units: float
    live_active_units: float
    chosen_active: int
    chosen_prediction: str


@dataclass(frozen=True, kw_only=True)
class ClassRow(Setting):
    """One hidden layer of one net on the test images of one class."""

    layer: str
    class_name: str
    seed: int
    active_fraction: float  # [0, 1]


@dataclass(frozen=True, kw_only=True)
class ImageRow(Setting):
    """One bin of the distribution over test images, mean over seeds."""

    layer: str
    bin_left: float
    bin_right: float
    share_percent: float


@dataclass(frozen=True, kw_only=True)
class PixelRow:
    """One pixel of the chosen image."""

    data: str
    data_id: str
    index: int
    class_name: str
    row: int
    column: int
    value: float  # [0, 1]


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """One number of the source beside ours."""

    data: str
    recipe: str
    net: str
    target: str
    layer: str
    units: int
    source_active: int
    chosen_active: float | None
    chosen_low: float | None
    chosen_high: float | None
    active_units: float | None
    seeds: int
    note: str
