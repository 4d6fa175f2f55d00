"""One net pruned by weights and by units, in one shot, to the same numbers of weights."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from prunelab.data import Images, Split, load_images
from prunelab.measure import count
from prunelab.measure.latency import threads
from prunelab.pruning import apply, keep_within, prunable
from prunelab.pruning.selection import removed_count
from prunelab.pruning.unit_removal import lowest, take_out
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import layer_of, sites
from prunelab.studies.common import units as common_units
from prunelab.studies.common.nets import Net, copied, draws
from prunelab.studies.hardware.tables import NONE, UNITS, WEIGHTS


@dataclass(frozen=True, kw_only=True, eq=False)
class PrunedNet:
    """One net pruned in one way; its removed weights are zeros."""

    pruning: str  # none, weights or units
    sparsity_asked: float
    module: nn.Sequential
    weights: int  # prunable ones of the unpruned net
    kept: int  # of these, left

    @property
    def sparsity(self) -> float:
        """Fraction of the prunable weights removed."""
        return 1 - self.kept / self.weights


def load(data: str, *, standardised: bool) -> Images:
    """Load images as the nets were trained on them: as the study on units has them, or with pixels from 0 to 1."""
    return common_units.load(data) if standardised else load_images(data)


def one_shot(
    net: Net,
    images: Images,
    *,
    sparsities: Sequence[float],
    prunings: Sequence[str] = (WEIGHTS, UNITS),
    score: str = "mrs-abs",
    scoring: int = 250,
) -> list[PrunedNet]:
    """Prune a net in several ways and to several sparsities, each time from the unpruned one, without training on.

    Single weights are those smallest in magnitude, by one threshold for all layers. Units are those with the lowest
    scores, layer by layer from the first, each replaced by its mean, which is measured anew on the net as it is by then
    and carried to the next bias; how many each layer keeps is `widths_within`.

    Args:
        net: unpruned; not changed.
        images: what it was trained on.
        sparsities: fractions of its prunable weights to remove, in (0, 1), ascending.
        prunings: "weights", "units" or both.
        score: what units are chosen by, see `prunelab.pruning.unit_scores.SCORES`.
        scoring: examples of the training part to score units on and take means from.

    Returns:
        The unpruned net, and each pruning at each sparsity, laid out as it runs fastest.
    """
    if net.pruning:
        raise ValueError(f"nets are pruned from the whole; {net.model}, seed {net.seed}, is {net.pruning!r} already")
    ascending = list(sparsities) == sorted(set(sparsities))
    if not sparsities or not ascending or not 0 < sparsities[0] <= sparsities[-1] < 1:
        raise ValueError(f"sparsities are fractions in (0, 1), ascending; got {list(sparsities)}")
    if not prunings or not set(prunings) <= {WEIGHTS, UNITS}:
        raise ValueError(f"what is removed is {WEIGHTS} or {UNITS}; got {list(prunings)}")
    common_units.check_scores([score])
    whole = copied(net, images.train).eval()
    total = count(whole)[-1].weights
    found = [PrunedNet(pruning=NONE, sparsity_asked=0.0, module=whole, weights=total, kept=_kept(whole))]
    with threads(1):  # sums, and so the choice of units, do not depend on how many there are
        scored = common_units.subsets(images, scoring=scoring, examples=1).scoring
        for pruning in prunings:
            for sparsity in sparsities:
                kept = total - removed_count(sparsity, total, name="sparsity")
                module = copy.deepcopy(whole)
                if pruning == WEIGHTS:
                    apply(module, keep_within(prunable(module), kept))
                else:
                    _remove_units(module, kept, scored, score, draws(net))
                own = PrunedNet(
                    pruning=pruning, sparsity_asked=sparsity, module=module, weights=total, kept=_kept(module)
                )
                found.append(own)
    return found


def widths_within(model: nn.Module, kept: int) -> dict[str, int]:
    """Say how many units, at least 1, each site keeps so that no more weights are left than a number.

    From one unit a layer, units are given one by one to the layer that keeps the smallest share of its own, among
    those where another one fits. So layers keep about the same share, and a last layer or two fill up what is left.
    """
    found = sites(model)
    units = {name: site.units for name, site in found.items()}
    chain = [*found, next(reversed(found.values())).consumer]
    outputs = [*units.values(), len(layer_of(model, chain[-1]).weight)]
    inputs = [1, *units.values()]  # the first layer's inputs all stay
    each = [  # weights from one unit to one unit
        layer_of(model, name).weight.numel() // (before * after)
        for name, before, after in zip(chain, inputs, outputs, strict=True)
    ]

    def weights(widths: Mapping[str, int]) -> int:
        left = [1, *widths.values(), outputs[-1]]
        return sum(size * before * after for size, (before, after) in zip(each, pairwise(left), strict=True))

    widths = dict.fromkeys(units, 1)
    if weights(widths) > kept:
        raise ValueError(f"one unit a layer has {weights(widths)} weights; got {kept} to keep: ask for less sparsity")
    while True:
        wider = [
            name for name in units if widths[name] < units[name] and weights(widths | {name: widths[name] + 1}) <= kept
        ]
        if not wider:
            return widths
        widths[min(wider, key=lambda name: widths[name] / units[name])] += 1


def _remove_units(module: nn.Module, kept: int, scored: Split, score: str, generator: torch.Generator) -> None:
    """Take units out in place, each replaced by its mean."""
    widths = widths_within(module, kept)
    measured = measure_units(module, scored.x, scored.y, generator=generator)
    gone = {name: lowest(one.scores[score], 1 - widths[name] / len(one.mean)) for name, one in measured.items()}
    take_out(module, gone, measured, replacement="mean", again=scored)


def _kept(module: nn.Module) -> int:
    return count(module)[-1].kept
