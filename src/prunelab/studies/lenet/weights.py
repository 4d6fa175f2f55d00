"""How a net's weights are distributed: layer by layer, before and after pruning, and over the pixels they read."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.data import Images
from prunelab.pruning import prunable
from prunelab.pruning.paths import lit
from prunelab.records import to_frame
from prunelab.studies.common.nets import Net
from prunelab.studies.lenet.settings import SETTING_COLUMNS, SETTING_KEY, Setting, setting_of

WHOLE = "all"
BINS = 60
FEWEST = 20  # weights of a layer that make a histogram
RANGE = 5.0  # standard deviations drawn on either side of zero

MODE_KEY = (*SETTING_KEY, "layer", "seed")
MODE_COLUMNS = {
    **SETTING_COLUMNS,
    "seed": "seed of the net",
    "layer": "layer, or all of them together",
    "weights": "weights that are not zero",
    "sd": "standard deviation of these weights [weight units]",
    "mode_in_sd": "centre of the fullest bin of their histogram, from 0 [standard deviations]",
    "centre_to_peak": "their density within 0.1 standard deviations of 0 over that of the fullest bin as wide",
}
HISTOGRAM_KEY = (*SETTING_KEY, "layer", "left")
HISTOGRAM_COLUMNS = {
    **SETTING_COLUMNS,
    "layer": MODE_COLUMNS["layer"],
    "left": "lower end of the bin [weight units]",
    "right": "upper end of the bin [weight units]",
    "share_percent": "nonzero weights in the bin, mean over seeds [%]",
    "nonzero": "nonzero weights of the layer, mean over seeds",
}
PIXEL_KEY = ("data", "recipe", "model", "row", "column")
PIXEL_COLUMNS = {
    **{name: SETTING_COLUMNS[name] for name in ("data", "data_id", "recipe", "model")},
    "row": "row of the pixel, from 0 at the top",
    "column": "column of the pixel, from 0 at the left",
    "mean_magnitude": "mean |w| of the first layer's weights on the pixel, over units and seeds [weight units]",
    "ever_lit": "whether the pixel is nonzero in some training image",
}


@dataclass(frozen=True, kw_only=True)
class Mode(Setting):
    """One row on the shape of one layer's weights."""

    seed: int
    layer: str
    weights: int
    sd: float
    mode_in_sd: float
    centre_to_peak: float


def mode_table(nets: Sequence[Net], recipe: str) -> DataFrame:
    """Say of each net and layer where its weights are densest, and how empty their centre is.

    The mode is that of a histogram with bins as wide as Freedman and Diaconis choose them, one of them centred at zero.

    Args:
        nets: trained nets; weights of exactly zero are removed ones and do not count.
        recipe: how they were trained.

    Returns:
        One row a net and layer, and one for all layers; columns as `MODE_COLUMNS` says. A layer left with fewer than
        20 weights, or half of them equal, has no row.

    Source: Freedman and Diaconis (1981) for the width of the bins.
    """
    rows = []
    for net in nets:
        for layer, weights in nonzero(net).items():
            if len(weights) < FEWEST:
                continue
            sd = float(weights.std())
            first, third = np.quantile(weights, [0.25, 0.75])
            width = 2 * float(third - first) / len(weights) ** (1 / 3)
            if width == 0:  # half of the weights are equal: bins of no width have no fullest
                continue
            rows.append(
                Mode(
                    **setting_of(net, recipe),
                    seed=net.seed,
                    layer=layer,
                    weights=len(weights),
                    sd=sd,
                    mode_in_sd=_fullest(weights, width)[0] * width / sd,
                    centre_to_peak=_centre_to_peak(weights / sd),
                )
            )
    return to_frame(rows, MODE_KEY)[list(MODE_COLUMNS)]


def histogram_table(nets: Sequence[Net], recipe: str) -> DataFrame:
    """Count each model's weights in bins, layer by layer, as shares averaged over its seeds.

    The bins reach to 5 standard deviations of the seeds' weights together; what lies beyond is left out.

    Args:
        nets: trained nets, those of a model and pruning in a row; zero weights do not count.
        recipe: how they were trained.

    Returns:
        One row a model, pruning, layer and bin; columns as `HISTOGRAM_COLUMNS` says. A layer left with fewer than
        20 weights in some seed has no rows.
    """
    rows: list[dict[str, Any]] = []
    for _, group in groupby(nets, key=lambda net: (net.model, net.pruning)):
        seeds = list(group)
        weights = [nonzero(net) for net in seeds]
        for layer in weights[0]:
            if min(len(of_seed[layer]) for of_seed in weights) < FEWEST:
                continue
            reach = RANGE * float(np.concatenate([of_seed[layer] for of_seed in weights]).std())
            edges = np.linspace(-reach, reach, BINS + 1)
            shares = [100 * np.histogram(of_seed[layer], edges)[0] / len(of_seed[layer]) for of_seed in weights]
            count = float(np.mean([len(of_seed[layer]) for of_seed in weights]))
            rows += [
                {
                    **setting_of(seeds[0], recipe),
                    "layer": layer,
                    "left": float(left),
                    "right": float(right),
                    "share_percent": float(share),
                    "nonzero": count,
                }
                for left, right, share in zip(edges, edges[1:], np.mean(shares, axis=0), strict=False)
            ]
    return DataFrame(rows, columns=list(HISTOGRAM_COLUMNS))


def pixel_table(nets: Sequence[Net], images: Images, recipe: str) -> DataFrame:
    """Average the magnitude of the first layer's weights over the units that read a pixel.

    Args:
        nets: dense nets, those of a model in a row.
        images: what they were trained on.
        recipe: how they were trained.

    Returns:
        One row a model and pixel (channels averaged); columns as `PIXEL_COLUMNS` says.
    """
    _, channels, height, width = images.train.x.shape
    seen = lit(images.train.x).view(channels, height, width).any(0)  # (H, W)
    rows: list[dict[str, Any]] = []
    for _, group in groupby(nets, key=lambda net: net.model):
        seeds = list(group)
        first = [next(iter(prunable(net.module).values())).abs().mean(0) for net in seeds]  # each (C · H · W,)
        depth = sum(first).view(channels, height, width).mean(0) / len(first)  # type: ignore[union-attr]
        setting = {name: value for name, value in setting_of(seeds[0], recipe).items() if name in PIXEL_COLUMNS}
        rows += [
            {
                **setting,
                "row": row,
                "column": column,
                "mean_magnitude": float(depth[row, column]),
                "ever_lit": bool(seen[row, column]),
            }
            for row in range(height)
            for column in range(width)
        ]
    return DataFrame(rows, columns=list(PIXEL_COLUMNS))


def nonzero(net: Net) -> dict[str, NDArray[np.float64]]:
    """Give the weights that are not zero: of all layers together, then of each."""
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
