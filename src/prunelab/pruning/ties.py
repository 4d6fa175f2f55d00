"""Which of several equal scores go first: the choice that torch's own pruning makes, in a fraction of its memory.

`torch.topk` on the CPU copies the scores into (value, position) pairs and runs the C++ library's `nth_element` on
them, so which of the scores tied at the cut are removed follows from how that algorithm swaps. Agreeing with
`torch.nn.utils.prune` means making the same swaps. This module replays them in blocks with numpy, once it has found
that the replay makes the choices of `torch.topk` on this machine; where the C++ library is another one, it asks torch.

Source: libstdc++'s `std::nth_element` (introselect); `topk_impl_loop` in PyTorch's ATen/native/TopKImpl.h.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_BLOCK = 1 << 15  # scores in one step of the partition: its few arrays stay in the processor's cache
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
    scores = np.random.default_rng(0).integers(0, 50, 3 * _BLOCK).astype(np.float32)
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
        blocks = range(0, len(values), _BLOCK)
        tied = np.concatenate([start + np.flatnonzero(values[start : start + _BLOCK] == cut) for start in blocks])
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
            end = min(low + _BLOCK, high)
            left = low + np.flatnonzero(values[low:end] >= pivot)
            low = end
        if not len(right):
            start = max(high - _BLOCK, low)
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
