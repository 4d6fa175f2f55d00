"""Live paths: which kept weights lie on a way from an input to an output, and which only look kept."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor


def lit(x: Tensor) -> Tensor:
    """Mark the inputs that are nonzero in some example.

    Args:
        x: (N, ...).

    Returns:
        (inputs,) bool, the axes behind the first multiplied out.
    """
    return x.flatten(1).count_nonzero(0) > 0


def live(masks: Mapping[str, Tensor], lit: Tensor | None = None) -> dict[str, Tensor]:
    """Mark the kept weights that lie on a path of kept weights from an input to an output.

    The others change nothing that the inputs change: behind a unit that no kept weight enters, whose output is
    constant, or before one that no kept weight leaves, or on an input that is always zero.

    Args:
        masks: the weights of consecutive linear layers, first to last, each (units, inputs), bool, True = kept.
        lit: (inputs of the first layer,) bool, inputs that are ever nonzero; all of them when absent.

    Returns:
        Same names, shapes and devices; True for the kept weights on a live path.

    Raises:
        ValueError: there is no layer, one does not feed the next, or `lit` does not fit the first.
    """
    layers = list(masks.values())
    _check_chain(masks, lit)
    # Which inputs of each layer something reaches, first to last; which units reach an output, last to first.
    reached = [torch.ones_like(layers[0][0]) if lit is None else lit.to(layers[0].device)]
    for mask in layers[:-1]:
        reached.append((mask & reached[-1]).any(1))
    reaching = [torch.ones_like(layers[-1][:, 0])]
    for mask in reversed(layers[1:]):
        reaching.append((mask & reaching[-1][:, None]).any(0))
    return {
        name: mask & inputs & units[:, None]
        for (name, mask), inputs, units in zip(masks.items(), reached, reversed(reaching), strict=True)
    }


def _check_chain(masks: Mapping[str, Tensor], lit: Tensor | None) -> None:
    if not masks or any(mask.ndim != 2 for mask in masks.values()):
        shapes = [tuple(mask.shape) for mask in masks.values()]
        raise ValueError(f"paths lead through linear layers, each (units, inputs); got {shapes or 'none'}")
    for (before, first), (after, second) in pairwise(masks.items()):
        if second.shape[1] != first.shape[0]:
            raise ValueError(
                f"each layer feeds the next; {before!r} has {first.shape[0]} units, {after!r} {second.shape[1]} "
                "inputs: give the layers first to last"
            )
    inputs = next(iter(masks.values())).shape[1]
    if lit is not None and lit.shape != (inputs,):
        raise ValueError(f"lit marks the {inputs} inputs of the first layer; got shape {tuple(lit.shape)}")
