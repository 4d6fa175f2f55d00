"""Masks: bool tensors by parameter name, True = kept, made from scores or from thresholds.

A name without a mask is never pruned. Nothing here changes a network; `application` does.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from prunelab.pruning.kinds import find, named
from prunelab.pruning.selection import kept_after_removing, refuse_nan, removed_count

SCOPES = ("global", "layer")
SIGNS = tuple(named("sign"))


def keep_largest(scores: Mapping[str, Tensor], sparsity: float, scope: str = "global") -> dict[str, Tensor]:
    """Remove exactly round(sparsity · n) weights, those with the smallest scores.

    n counts all scores together (`scope="global"`) or those of each layer (`"layer"`); halves round to the even
    number, as in Python. Ties are broken the same way every time: among equal scores at the cut, those go that
    `torch.nn.utils.prune` removes on the CPU, whose masks these are wherever the two overlap.

    Args:
        scores: parameter name -> score, floating-point, any shape and device; higher is kept. An infinite score is
            the first to go (-inf) or the last (inf).
        sparsity: fraction of the weights to remove, in [0, 1).
        scope: "global" ranks all layers together, "layer" removes the same fraction of each.

    Returns:
        Same names, shapes and devices, bool, True = kept.

    Raises:
        TypeError: scores are not floating-point.
        ValueError: a score is NaN, `sparsity` is outside [0, 1), or `scope` is neither of the two.
    """
    if scope not in SCOPES:
        raise ValueError(f'scope is "global" or "layer"; got {scope!r}')
    removed_count(sparsity, 0, name="sparsity")
    refuse_nan(scores, what="scores")
    groups = [list(scores)] if scope == "global" else [[name] for name in scores]
    masks: dict[str, Tensor] = {}
    for names in groups:
        group = [scores[name] for name in names]
        count = removed_count(sparsity, sum(score.numel() for score in group), name="sparsity")
        masks.update(zip(names, kept_after_removing(group, count), strict=True))
    return masks


def below_threshold(weights: Mapping[str, Tensor], threshold: float, sign: str = "abs") -> dict[str, Tensor]:
    """Remove the weights whose magnitude is strictly below a threshold t.

    "abs" removes |w| < t, "positive" 0 < w < t, "negative" -t < w < 0. Zero has no sign, so that at every t > 0
    what "abs" removes is what "positive" and "negative" remove plus the weights that are 0 already; t = 0 removes
    nothing. t is first rounded to the type of the weights: a float32 weight written as 0.07 is not below 0.07.

    Args:
        weights: parameter name -> weight, floating-point, any shape and device.
        threshold: t >= 0, in units of the weights; inf removes every finite weight of the sign.
        sign: "abs", "positive" or "negative".

    Returns:
        Same names, shapes and devices, bool, True = kept.

    Raises:
        TypeError: a weight is not floating-point.
        ValueError: a weight is NaN, `threshold` is NaN or negative, or `sign` is none of the three.
    """
    kind = find("sign", sign)
    if not threshold >= 0:
        hint = '; for the weights below zero use sign="negative"' if threshold < 0 else ""
        raise ValueError(f"threshold is a magnitude, a number >= 0; got {threshold!r}{hint}")
    scores = kind.scores({"weights": lambda: weights})
    return {
        name: score >= torch.tensor(threshold, dtype=score.dtype, device=score.device) for name, score in scores.items()
    }


def percentile(weights: Mapping[str, Tensor], fraction: float) -> dict[str, Tensor]:
    """Remove the same fraction of each layer's positive and of each layer's negative weights, smallest first.

    Of the p positive weights of a layer exactly round(fraction · p) go, and of its negative ones likewise; ties as
    in `keep_largest`. Weights that are 0 already belong to neither sign and stay in the mask.

    Args:
        weights: parameter name -> weight, floating-point, any shape and device.
        fraction: share of each layer's weights of each sign, in [0, 1).

    Returns:
        Same names, shapes and devices, bool, True = kept.

    Raises:
        TypeError: a weight is not floating-point.
        ValueError: a weight is NaN, or `fraction` is outside [0, 1).
    """
    removed_count(fraction, 0, name="fraction")
    refuse_nan(weights, what="weights")
    masks = {}
    for name, parameter in weights.items():
        weight = parameter.detach()
        mask = torch.ones_like(weight, dtype=torch.bool)
        for of_sign in (weight > 0, weight < 0):
            magnitudes = weight[of_sign].abs()  # (number of this sign,)
            count = removed_count(fraction, magnitudes.numel(), name="fraction")
            (mask[of_sign],) = kept_after_removing([magnitudes], count)
        masks[name] = mask
    return masks
