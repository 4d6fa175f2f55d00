"""How the posteriors of a pruned net relate to those of the unpruned one, frame by frame."""

from dataclasses import dataclass

import torch
from torch import Tensor

# Sorting every frame's posteriors costs as much as two layers; their mean correlation needs no more than these.
_EVERY = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """What is needed of the unpruned net's logits to compare others with them."""

    top: Tensor  # (N,) arg max of every frame
    ranks: Tensor  # (n, classes) centred average ranks of every `every`-th frame
    every: int


@dataclass(frozen=True, kw_only=True)
class Posteriors:
    """One net's posteriors beside the reference's, means over frames."""

    rank_correlation: float  # Spearman over the classes of a frame, [-1, 1]
    top1_agreement: float  # share of frames with the reference's arg max, [0, 1]
    entropy: float  # nats, [0, ln classes]


def reference(logits: Tensor, *, every: int = _EVERY) -> Reference:
    """Keep what comparisons need of the unpruned net.

    Args:
        logits: (N, classes), at least one frame and two classes, no NaN.
        every: rank every `every`-th frame, at least 1.

    Raises:
        ValueError: no frame, fewer than two classes, NaN, or `every` below 1.
    """
    _check(logits)
    if every < 1:
        raise ValueError(f"every counts frames from one ranked to the next, at least 1; got {every!r}")
    return Reference(top=logits.argmax(1), ranks=_centred_ranks(logits[::every]), every=every)


def compare(reference: Reference, logits: Tensor) -> Posteriors:
    """Compare a net's posteriors with the reference's.

    Args:
        reference: of the unpruned net, see `reference`.
        logits: (N, classes) of the same frames, no NaN.

    Raises:
        ValueError: another number of frames or classes, or what `reference` refuses.
    """
    _check(logits)
    if len(logits) != len(reference.top) or logits.shape[1] != reference.ranks.shape[1]:
        raise ValueError(
            f"two nets are compared on the same frames and classes; got {tuple(logits.shape)}, "
            f"the reference has {len(reference.top)} frames and {reference.ranks.shape[1]} classes"
        )
    correlations = _correlations(reference.ranks, _centred_ranks(logits[:: reference.every]))
    return Posteriors(
        rank_correlation=float(correlations.double().mean()),
        top1_agreement=float((logits.argmax(1) == reference.top).double().mean()),
        entropy=float(entropies(logits).double().mean()),
    )


def average_ranks(values: Tensor) -> Tensor:
    """Rank each row, 1 for the smallest; equal values share the mean of the ranks they take.

    Args:
        values: (N, classes).

    Returns:
        (N, classes) float32.
    """
    ordered, order = values.sort(dim=1)
    places = torch.arange(1, values.shape[1] + 1, device=values.device, dtype=torch.float32).expand_as(ordered)
    new = ordered[:, 1:] != ordered[:, :-1]  # (N, classes - 1): a run of equal values ends before this place
    edge = torch.ones_like(new[:, :1])
    # First place of a run: the last start so far. Last place: the first end from here on.
    first = torch.where(torch.cat([edge, new], 1), places, 0).cummax(1).values
    ends = torch.where(torch.cat([new, edge], 1), places, values.shape[1])
    last = ends.flip(1).cummin(1).values.flip(1)
    return torch.empty_like(first).scatter_(1, order, (first + last) / 2)


def entropies(logits: Tensor) -> Tensor:
    """Give the entropy of each row's posteriors, -Σ p ln p in nats.

    Args:
        logits: (N, classes).

    Returns:
        (N,) in [0, ln classes].
    """
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


def _centred_ranks(values: Tensor) -> Tensor:
    return average_ranks(values) - (values.shape[1] + 1) / 2


def _correlations(a: Tensor, b: Tensor) -> Tensor:
    """Correlate centred ranks row by row."""
    scale = (a.square().sum(1) * b.square().sum(1)).sqrt()
    return torch.where(scale > 0, (a * b).sum(1) / scale.clamp(min=1e-30), 0.0).clamp(-1, 1)


def _check(logits: Tensor) -> None:
    if logits.ndim != 2 or len(logits) == 0 or logits.shape[1] < 2:
        raise ValueError(f"posteriors are (frames, classes), at least 1 and 2; got shape {tuple(logits.shape)}")
    if logits.isnan().any():
        raise ValueError("posteriors have an order only without NaN; got one; did the net overflow?")
