"""Exact selection: which scores are the `count` smallest of several tensors taken together."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_TIE_BLOCK = 1 << 15  # scores in one step of the partition: its few arrays stay in the processor's cache


_HEAP_SHARE = 64  # topk takes a heap instead of nth_element for at most a 64th of the scores


_FOLLOWED_SHARE = 4096  # up to one tied score in so many is followed by name, without memory for all the others


def removed_at_cut(rows: Sequence[NDArray[Any]], count: int, cut: float) -> NDArray[Any]:
    """Return which of the scores equal to the cut are among the `count` smallest, as `torch.topk` decides.

    Args:
        rows: scores of one float type without NaN, n in all, taken one row after the other.
        count: how many scores are removed, 1 to n.
        cut: the `count`-th smallest score.

    Returns:
        Positions in the joined rows, in ascending order.
    """
    scores = np.concatenate(rows)
    if count * _HEAP_SHARE > len(scores) and _replay_agrees():
        removed = _replayed(scores, count, cut)
        if removed is not None:
            return removed
        scores = np.concatenate(rows)
    return _asked_of_torch(scores, count, cut)


def _asked_of_torch(scores: NDArray[Any], count: int, cut: float) -> NDArray[Any]:
    """Ask `torch.topk`; unsorted, which saves half of its time and changes nothing about the choice."""
    positions = torch.topk(torch.from_numpy(scores), count, largest=False, sorted=False).indices.numpy()
    return np.sort(positions[scores[positions] == cut])


@cache
def _replay_agrees() -> bool:
    """Tell whether the replay makes torch's choices on this machine, on scores with many ties."""
    scores = np.random.default_rng(0).integers(0, 50, 3 * _TIE_BLOCK).astype(np.float32)
    for count in (len(scores) // 50, len(scores) // 2, len(scores) - 7):
        cut = float(np.partition(scores, count - 1)[count - 1])
        replayed = _replayed(scores.copy(), count, cut)
        if replayed is None or not np.array_equal(replayed, _asked_of_torch(scores, count, cut)):
            return False
    return True


def _replayed(scores: NDArray[Any], count: int, cut: float) -> NDArray[Any] | None:
    """Replay introselect, after which the `count` smallest scores come first.

    None where it would turn to its heap, after more rounds than any but specially built scores need.
    """
    row = _Row(scores, cut)
    first, last = 0, len(scores)
    for _ in range(2 * (len(scores).bit_length() - 1)):
        if last - first <= 3:
            break
        _median_to_first(row, first, last)
        middle = _partition(row, first + 1, last, scores[first])
        if middle < count:
            first = middle
        else:
            last = middle
    if last - first > 3:
        return None
    for end in range(first + 1, last):  # the rest is an insertion sort
        for place in range(end, first, -1):
            if scores[place] < scores[place - 1]:
                row.swap(np.array([place - 1]), np.array([place]))
    return row.tied_before(count)


class _Row:
    """Scores that change places, and where those equal to the cut came from."""

    def __init__(self, values: NDArray[Any], cut: float) -> None:
        self.values = values
        self.cut = cut
        blocks = range(0, len(values), _TIE_BLOCK)
        tied = np.concatenate([start + np.flatnonzero(values[start : start + _TIE_BLOCK] == cut) for start in blocks])
        few = len(tied) * _FOLLOWED_SHARE <= len(values)
        kind = np.int32 if len(values) < 2**31 else np.int64
        self.origins = None if few else np.arange(len(values), dtype=kind)  # of each place
        self.followed = dict(zip(tied.tolist(), tied.tolist(), strict=True)) if few else {}  # place -> origin

    def swap(self, left: NDArray[Any], right: NDArray[Any]) -> None:
        """Exchange the scores at the places left[i] and right[i]."""
        lefts, rights = self.values[left], self.values[right]
        self.values[left], self.values[right] = rights, lefts
        if self.origins is not None:
            self.origins[left], self.origins[right] = self.origins[right], self.origins[left]
            return
        moved = np.flatnonzero((lefts == self.cut) | (rights == self.cut))
        for a, b in zip(left[moved].tolist(), right[moved].tolist(), strict=True):
            from_a, from_b = self.followed.pop(a, None), self.followed.pop(b, None)
            if from_a is not None:
                self.followed[b] = from_a
            if from_b is not None:
                self.followed[a] = from_b

    def tied_before(self, end: int) -> NDArray[Any]:
        """Return the origins of the scores equal to the cut at places before `end`, in ascending order."""
        if self.origins is not None:
            return np.sort(self.origins[:end][self.values[:end] == self.cut])
        return np.sort(np.array([origin for place, origin in self.followed.items() if place < end], dtype=np.int64))


def _median_to_first(row: _Row, first: int, last: int) -> None:
    """Swap the median of the second, middle and last score into the first place."""
    values = row.values
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    if values[a] < values[b]:
        median = b if values[b] < values[c] else c if values[a] < values[c] else a
    else:
        median = a if values[a] < values[c] else c if values[b] < values[c] else b
    row.swap(np.array([first]), np.array([median]))


def _partition(row: _Row, first: int, last: int, pivot: Any) -> int:
    """Hoare's partition of the places first to last; returns where the part not below the pivot begins.

    One scan runs up and stops at scores not below the pivot, one runs down and stops at scores not above it. The
    i-th stops of the two change places until the scans meet, so a block of stops can be exchanged at once.
    """
    values = row.values
    low, high = first, last  # values[low:high] is what neither scan has seen
    left = right = np.empty(0, dtype=np.intp)  # stops that wait for their partner
    while low < high:
        if not len(left):
            end = min(low + _TIE_BLOCK, high)
            left = low + np.flatnonzero(values[low:end] >= pivot)
            low = end
        if not len(right):
            start = max(high - _TIE_BLOCK, low)
            right = (start + np.flatnonzero(values[start:high] <= pivot))[::-1]
            high = start
        pairs = min(len(left), len(right))
        row.swap(left[:pairs], right[:pairs])
        left, right = left[pairs:], right[pairs:]
    # One side may still hold stops; the other scan runs on into their block to meet them.
    start = int(left[0]) if len(left) else low
    end = int(right[0]) + 1 if len(right) else low
    left = start + np.flatnonzero(values[start:end] >= pivot)
    right = (start + np.flatnonzero(values[start:end] <= pivot))[::-1]
    pairs = min(len(left), len(right))
    pairs = int(np.count_nonzero(left[:pairs] < right[:pairs]))
    row.swap(left[:pairs], right[:pairs])
    # The scan up ends at its next stop, or before it at a score that the last exchange has put in its way.
    end = int(right[pairs - 1]) if pairs else end
    return min(int(left[pairs]), end) if pairs < len(left) else end


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
    removed = removed_at_cut(rows, count, cut)
    start = 0
    for part, mask in zip(parts, kept, strict=True):
        torch.ge(part, cut, out=mask)
        end = start + mask.numel()
        inside = removed[np.searchsorted(removed, start) : np.searchsorted(removed, end)]
        mask.view(-1)[torch.from_numpy(inside - start).long()] = False
        start = end
    return kept


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
