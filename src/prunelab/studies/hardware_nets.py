"""Nets pruned in one shot to the same number of weights: single weights by magnitude, or whole units."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from prunelab.data import Images, Split, load_images
from prunelab.measure import WHOLE, count
from prunelab.measure.latency import threads
from prunelab.pruning import apply, keep_within, prunable
from prunelab.pruning.selection import removed_count
from prunelab.pruning.unit_removal import lowest
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import layer_of, sites
from prunelab.studies import units_settings
from prunelab.studies.hardware_forms_tables import NONE, UNITS, WEIGHTS
from prunelab.studies.stored_nets import Net
from prunelab.studies.units_fine_tuning import copied, draws, take_out


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
    """Load images as the nets saw them when they were trained.

    Args:
        data: see `prunelab.data.load_images`.
        standardised: whether channels were brought to mean 0 and deviation 1, as for the study on units; pixels from 0
            to 1 otherwise.
    """
    return units_settings.load(data) if standardised else load_images(data)


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

    Raises:
        ValueError: sparsities or prunings out of range, a net that is pruned already, or a sparsity that leaves fewer
            weights than one unit a layer has.
    """
    if net.pruning:
        raise ValueError(f"nets are pruned from the whole; {net.model}, seed {net.seed}, is {net.pruning!r} already")
    ascending = list(sparsities) == sorted(set(sparsities))
    if not sparsities or not ascending or not 0 < sparsities[0] <= sparsities[-1] < 1:
        raise ValueError(f"sparsities are fractions in (0, 1), ascending; got {list(sparsities)}")
    if not prunings or not set(prunings) <= {WEIGHTS, UNITS}:
        raise ValueError(f"what is removed is {WEIGHTS} or {UNITS}; got {list(prunings)}")
    units_settings.check_scores([score])
    with threads(1):  # sums, and so the choice of units, do not depend on how many there are
        return _each(net, images, sparsities, prunings, score, scoring)


def all_one_shot(
    nets: Sequence[Net],
    images: Images,
    *,
    sparsities: Sequence[float],
    prunings: Sequence[str] = (WEIGHTS, UNITS),
    score: str = "mrs-abs",
    scoring: int = 250,
) -> list[tuple[Net, list[PrunedNet]]]:
    """Prune every net as `one_shot` does, and keep each beside its prunings."""
    settings: dict[str, Any] = {"sparsities": sparsities, "prunings": prunings, "score": score, "scoring": scoring}
    return [(net, one_shot(net, images, **settings)) for net in nets]


def widths_within(model: nn.Module, kept: int) -> dict[str, int]:
    """Say how many units each layer keeps so that no more weights are left than a number.

    From one unit a layer, units are given one by one to the layer that keeps the smallest share of its own, among
    those where another one fits. So layers keep about the same share, and a last layer or two fill up what is left.

    Args:
        model: see `prunelab.pruning.units.sites`.
        kept: weights to keep at the most.

    Returns:
        Site -> units to keep, at least 1.

    Raises:
        ValueError: one unit a layer has more weights.
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


def _each(
    net: Net, images: Images, sparsities: Sequence[float], prunings: Sequence[str], score: str, scoring: int
) -> list[PrunedNet]:
    whole = copied(net, images.train).eval()
    total = count(whole)[-1].weights
    found = [PrunedNet(pruning=NONE, sparsity_asked=0.0, module=whole, weights=total, kept=_kept(whole))]
    scored = units_settings.subsets(images, scoring=scoring, examples=1).scoring
    for pruning in prunings:
        for sparsity in sparsities:
            kept = total - removed_count(sparsity, total, name="sparsity")
            module = copy.deepcopy(whole)
            if pruning == WEIGHTS:
                apply(module, keep_within(prunable(module), kept))
            else:
                _remove_units(module, kept, scored, score, draws(net))
            found.append(
                PrunedNet(pruning=pruning, sparsity_asked=sparsity, module=module, weights=total, kept=_kept(module))
            )
    return found


def _remove_units(module: nn.Module, kept: int, scored: Split, score: str, generator: torch.Generator) -> None:
    """Take units out in place, each replaced by its mean."""
    widths = widths_within(module, kept)
    measured = measure_units(module, scored.x, scored.y, generator=generator)
    gone = {name: lowest(one.scores[score], 1 - widths[name] / len(one.mean)) for name, one in measured.items()}
    take_out(module, gone, measured, replacement="mean", again=scored)


def _kept(module: nn.Module) -> int:
    return next(row.kept for row in count(module) if row.layer == WHOLE)
