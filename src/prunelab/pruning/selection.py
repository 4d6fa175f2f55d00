"""Exact selection: which scores are the `count` smallest of several tensors taken together."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SAMPLE = 1 << 18  # scores that bracket the cut


_BLOCK = 1 << 16  # scores in one step of the pass over all: its few arrays stay in the processor's cache


def kept_after_removing(scores: Sequence[Tensor], count: int) -> list[Tensor]:
    """Mark the `count` smallest of all scores for removal.

    Among scores equal to the cut, those go that `torch.topk` would take from all scores in a row, on the CPU; so the
    masks are the ones that `torch.nn.utils.prune` makes. The scores are compared in float32, or in float64 where one
    of the tensors is float64; both hold the narrower types exactly.

    Args:
        scores: floating-point tensors of any shape and device, without NaN; infinities are allowed.
        count: how many to remove in all, 0 to the number of scores.

    Returns:
        One bool tensor of each score tensor's shape and device, True = kept, with `count` times False in all.
    """
    common = torch.float64 if any(score.dtype == torch.float64 for score in scores) else torch.float32
    parts = [score.detach().to("cpu", common).contiguous() for score in scores]
    kept = _kept(parts, count) if count else [torch.ones_like(part, dtype=torch.bool) for part in parts]
    return [mask.to(score.device) for mask, score in zip(kept, scores, strict=True)]


def _kept(parts: Sequence[Tensor], count: int) -> list[Tensor]:
    """Select among contiguous tensors of one type on the CPU."""
    rows = [part.view(-1).numpy() for part in parts]
    cut = _cut(rows, count)
    kept = [part > cut for part in parts]
    if sum(mask.numel() - int(mask.count_nonzero()) for mask in kept) == count:
        return kept
    # Scores equal to the cut lie on both sides of it: keep them all, then remove the ones that torch would.
    removed = _removed_at_cut(rows, count, cut)
    start = 0
    for part, mask in zip(parts, kept, strict=True):
        torch.ge(part, cut, out=mask)
        end = start + mask.numel()
        inside = removed[np.searchsorted(removed, start) : np.searchsorted(removed, end)]
        mask.view(-1)[torch.from_numpy(inside - start).long()] = False
        start = end
    return kept


def _removed_at_cut(rows: Sequence[NDArray[Any]], count: int, cut: float) -> NDArray[Any]:
    """Give the places in all rows joined, ascending, of the scores equal to the cut that `torch.topk` would remove."""
    scores = np.concatenate(rows)
    # Unsorted: it saves half of the time and changes nothing about the choice.
    places = torch.topk(torch.from_numpy(scores), count, largest=False, sorted=False).indices.numpy()
    return np.sort(places[scores[places] == cut])


def _cut(rows: Sequence[NDArray[Any]], count: int) -> float:
    """Return the `count`-th smallest score, exactly.

    A sample brackets it, one pass counts the scores below the bracket and copies those inside: a percent of them,
    where a partition of all scores would need a copy of them all.
    """
    total = sum(len(row) for row in rows)
    sample = np.sort(np.concatenate([row[:: max(1, total // _SAMPLE)] for row in rows]))
    rank, margin = count / total * len(sample), 2 * math.sqrt(len(sample))  # four standard deviations at least
    low = sample[max(0, math.floor(rank - margin))]
    high = sample[min(len(sample) - 1, math.ceil(rank + margin))]
    below = 0
    inside = []
    for row in rows:
        for start in range(0, len(row), _BLOCK):
            block = row[start : start + _BLOCK]
            below += int(np.count_nonzero(block < low))
            inside.append(block[(block >= low) & (block <= high)])
    found = np.concatenate(inside)
    if not below < count <= below + len(found):  # the sample misled: the order of the scores follows its step
        below, found = 0, np.concatenate(rows)
    found.partition(count - below - 1)
    return float(found[count - below - 1])


def removed_count(fraction: object, total: int, *, name: str) -> int:
    """Turn a fraction into a count, rounded as Python and `torch.nn.utils.prune` round.

    Args:
        fraction: share to remove, in [0, 1).
        total: of how many.
        name: what the caller calls the fraction, for the error.

    Raises:
        ValueError: `fraction` is no number in [0, 1).
    """
    number = math.nan if isinstance(fraction, bool) or not isinstance(fraction, Real) else float(fraction)
    if not 0 <= number < 1:
        hint = f"; did you mean {number / 100:g}?" if 1 < number < 100 else ""
        raise ValueError(f"{name} is the fraction of prunable weights to remove, in [0, 1); got {fraction!r}{hint}")
    return round(number * total)


def refuse_nan(tensors: Mapping[str, Tensor], *, what: str) -> None:
    """Raise where a tensor cannot be put in order.

    Args:
        tensors: by parameter name.
        what: "scores" or "weights", for the error.

    Raises:
        TypeError: a tensor is not floating-point.
        ValueError: a tensor holds NaN.
    """
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise TypeError(f"{what} must be floating-point to be put in order; those of {name!r} are {tensor.dtype}")
        # The maximum of a tensor with a NaN is NaN, and finding it takes no memory, unlike isnan().
        if tensor.numel() and bool(tensor.detach().max().isnan()):
            count = int(tensor.isnan().sum())
            raise ValueError(
                f"{what} must be numbers; {count} of {tensor.numel()} of {name!r} are NaN: has the training diverged?"
            )
