"""How a net's weights are distributed: layer by layer, before and after pruning, and over the pixels they read."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from prunelab.data import Images
from prunelab.pruning import prunable
from prunelab.pruning.paths import lit
from prunelab.studies.common.nets import Net
from prunelab.studies.lenet.tables import Histograms, Modes, Pixels
from prunelab.studies.lenet.training import setting_of

WHOLE = "all"
BINS = 60
FEWEST = 20  # weights of a layer that make a histogram
RANGE = 5.0  # standard deviations drawn on either side of zero


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
    """Count each model's weights in bins, layer by layer, as shares averaged over its seeds.

    The bins reach to 5 standard deviations of the seeds' weights together; what lies beyond is left out. A layer left
    with fewer than 20 weights in some seed has no rows.

    Args:
        nets: trained nets, those of a model and pruning in a row.
        recipe: how they were trained.
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
    """Average the magnitude of the first layer's weights over the units that read a pixel, and over channels.

    Args:
        nets: dense nets, those of a model in a row.
        images: what they were trained on.
        recipe: how they were trained.
    """
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
