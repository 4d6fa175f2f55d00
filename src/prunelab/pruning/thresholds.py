"""Families of prunings with one threshold: the order in which weights go as it rises, and what is left at a level.

A family ranks every weight of a net once. Level k removes the k weights of the lowest ranks, so that the prunings of
one family are nested, level by level one weight more. How a level reads as a threshold is in `cut` and `smallest_kept`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunelab.pruning.criteria import magnitude
from prunelab.pruning.selection import refuse_nan


def order(scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rank the scores of all layers together, lowest first.

    Equal scores are ranked by their place, the earlier layer and in it the earlier weight first. Where no two scores
    are equal, what a level removes is what `prunelab.pruning.keep_largest` removes; among equal ones that function
    goes by `torch.topk`, whose choices for two counts need not contain one another.

    Args:
        scores: parameter name -> score, floating-point, any shape and device; higher is kept.

    Returns:
        Same names, shapes and devices, int64: how many weights go before this one, each of 0 to n - 1 once.

    Raises:
        TypeError: scores are not floating-point.
        ValueError: a score is NaN, or there is none.
    """
    refuse_nan(scores, what="scores")
    if not sum(score.numel() for score in scores.values()):
        raise ValueError("an order needs at least one weight to prune; got none")
    flat = torch.cat([score.detach().flatten().to("cpu", torch.float64) for score in scores.values()])
    return _split(flat.argsort(stable=True), scores)


def kept_at(ranks: Mapping[str, Tensor], level: int) -> dict[str, Tensor]:
    """Keep the weights of rank `level` and above.

    Args:
        ranks: as `order` gives them.
        level: how many weights to remove, 0 to their number.

    Returns:
        Same names, shapes and devices, bool, True = kept, with `level` times False in all.

    Raises:
        ValueError: `level` is out of range.
    """
    total = sum(rank.numel() for rank in ranks.values())
    if not 0 <= level <= total:
        raise ValueError(f"a level is the number of weights to remove, 0 to {total}; got {level!r}")
    return {name: rank >= level for name, rank in ranks.items()}


def cut(scores: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> float:
    """Give the threshold that a pruning amounts to: the smallest score that is kept; inf where none is.

    Args:
        scores: parameter name -> score.
        masks: bool of the scores' shapes, True = kept; a name without a mask is kept whole.
    """
    return min(smallest_kept(scores, masks).values(), default=math.inf)


def smallest_kept(scores: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> dict[str, float]:
    """Give each layer's own threshold: the smallest score that is kept in it; inf where none is.

    Of scores that are magnitudes, `below_threshold` of one layer at this number removes what the masks remove, but for
    weights that equal it.

    Args:
        scores: parameter name -> score.
        masks: bool of the scores' shapes, True = kept; a name without a mask is kept whole.
    """
    smallest = {}
    for name, score in scores.items():
        left = score.detach()[masks[name].to(score.device)] if name in masks else score.detach().flatten()
        smallest[name] = float(left.min()) if left.numel() else math.inf
    return smallest


def in_deviations(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Score each weight by its magnitude in standard deviations of its layer's weights, |w| / σ.

    A threshold q on these scores is the threshold q · σ on the magnitudes of each layer: Han's *quality parameter*.
    σ = √(Σ(w − w̄)² / n) of the layer as given, its zeros included.

    Args:
        weights: parameter name -> weight, floating-point and finite, any shape and device.

    Returns:
        Same names, shapes and devices, float64; higher is kept. Weights of a layer that are all equal have no spread,
        stay below any threshold, and score inf.

    Raises:
        TypeError: a weight is not floating-point.
        ValueError: a weight is NaN or infinite.

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015, section 3.
    """
    scores = {}
    for name, size in magnitude(weights).items():
        deviation = _deviation(name, weights[name])
        spread = size.double() / deviation if deviation else torch.full_like(size, torch.inf, dtype=torch.float64)
        scores[name] = spread
    return scores


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What pruning one layer alone costs."""

    removed: tuple[int, ...]  # weights of the layer removed, rising, above 0
    loss: tuple[float, ...]  # the net's loss at each, in any one unit


def by_sensitivity(weights: Mapping[str, Tensor], curves: Mapping[str, Curve], loss: float) -> dict[str, Tensor]:
    """Rank all weights so that the next to go is always of the layer where the loss rises least per weight.

    Within a layer the smallest magnitudes go first. How fast the loss rises there is read off the layer's curve: its
    largest convex curve from below, so that a layer costs ever more per weight, with the slope of each piece taken at
    the middle of the piece and in between by interpolation. If what layers cost added up, no other order would lose
    less at any number of removed weights, up to the coarseness of the curves.

    Args:
        weights: parameter name -> weight, floating-point, any shape and device.
        curves: same names; the losses from pruning that layer by magnitude, alone.
        loss: of the net unpruned, in the same unit.

    Returns:
        Same names, shapes and devices, int64 ranks as `order` gives them; of equal slopes the earlier layer goes first.

    Raises:
        TypeError: a weight is not floating-point.
        ValueError: a weight is NaN, the names differ, a curve is empty, falls back or leaves its layer, or a loss is
            not finite.
    """
    if curves.keys() != weights.keys():
        odd = sorted(curves.keys() ^ weights.keys())
        raise ValueError(f"every layer has one curve of its sensitivity; only one of both names {', '.join(odd)}")
    parts: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []
    for name, size in magnitude(weights).items():
        place = order({name: size})[name].cpu().flatten().numpy() if size.numel() else np.zeros(0, dtype=np.int64)
        parts.append((_slopes(name, curves[name], loss, size.numel())[place], place))
    slope, place = (np.concatenate(part) for part in zip(*parts, strict=True))
    layer = np.repeat(np.arange(len(parts)), [len(part) for part, _ in parts])
    return _split(torch.from_numpy(np.lexsort((place, layer, slope))), weights)


def _slopes(name: str, curve: Curve, loss: float, weights: int) -> NDArray[np.float64]:
    """Return by how much the loss rises with each further weight of a layer, (weights,), never falling."""
    at = np.array([0, *curve.removed], dtype=float)
    rises = np.array([loss, *curve.loss], dtype=float) - loss
    if len(at) < 2 or len(at) != len(rises) or (np.diff(at) <= 0).any() or at[-1] > weights:
        raise ValueError(
            f"a curve has a loss at rising numbers of removed weights, 1 to {weights} of {name}; got "
            f"{list(curve.removed)} with {len(curve.loss)} losses"
        )
    if not np.isfinite(rises).all():
        raise ValueError(f"a loss is a finite number; the curve of {name} has {list(curve.loss)} above {loss!r}")
    corners = _lower_hull(at, rises)
    x, y = at[corners], rises[corners]
    slopes = np.interp(np.arange(weights) + 0.5, (x[1:] + x[:-1]) / 2, np.diff(y) / np.diff(x))
    never_falling: NDArray[np.float64] = np.maximum.accumulate(slopes)  # not even by rounding: magnitudes go in order
    return never_falling


def _lower_hull(x: Sequence[float] | NDArray[np.float64], y: Sequence[float] | NDArray[np.float64]) -> list[int]:
    """Pick the points of a curve that its largest convex minorant goes through, first and last among them."""
    corners: list[int] = []
    for point in range(len(x)):
        while len(corners) > 1:
            a, b = corners[-2:]
            if (y[b] - y[a]) * (x[point] - x[b]) <= (y[point] - y[b]) * (x[b] - x[a]):
                break
            corners.pop()
        corners.append(point)
    return corners


def _split(places: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn weights in the order they go, as places in all layers in a row, into each layer's ranks."""
    ranks = torch.empty_like(places)
    ranks[places] = torch.arange(len(places))
    parts = ranks.split([tensor.numel() for tensor in like.values()])
    return {
        name: part.view(tensor.shape).to(tensor.device)
        for (name, tensor), part in zip(like.items(), parts, strict=True)
    }


def _deviation(name: str, weight: Tensor) -> float:
    # Weights that are all equal would get a deviation just above 0 from the rounding of their mean.
    spread = bool(weight.numel()) and not bool(weight.max() == weight.min())
    deviation = float(weight.detach().double().std(correction=0)) if spread else 0.0
    if not math.isfinite(deviation):
        raise ValueError(f"weights must be finite for a standard deviation; {name!r} holds NaN or an infinite one")
    return deviation
