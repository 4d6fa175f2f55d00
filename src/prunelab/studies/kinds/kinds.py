"""The kinds of pruning function that are compared: what each is, what it needs, and how it is drawn everywhere."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal
from zlib import crc32

import torch
from pandas import DataFrame
from torch import Tensor, nn

from prunelab.figures.style import Line
from prunelab.pruning import apply, check, keep_largest, magnitude, prunable, random
from prunelab.pruning.criteria import accumulate, gradient, saliency
from prunelab.pruning.masks import SCOPES
from prunelab.pruning.selection import removed_count
from prunelab.pruning.unit_removal import take_out
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import Site, sites
from prunelab.train import Examples

Penalty = Literal["none", "l1", "l2"]


UNITS = "units-"  # before the name of a score in `prunelab.pruning.unit_scores`


REFERENCE = "random"


PLAIN = "magnitude"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of pruning function."""

    line: Line
    ranks_by: str  # what is smallest in what goes first
    penalty: Penalty = "none"  # the net is trained with
    forward: bool = False  # examples are passed through the net to rank or to replace
    backward: bool = False  # gradients are needed

    @property
    def label(self) -> str:
        """Say the kind in a few words."""
        return self.line.label


def _line(label: str, colour: str, marker: str, *, dashed: bool = False) -> Line:
    return Line(label=label, colour=colour, marker=marker, dash=(0, (4, 2)) if dashed else "-")


# Okabe and Ito (2008): told apart with every common colour vision. Kinds that differ in how they sum up share a colour.
KINDS: Mapping[str, Kind] = {
    "magnitude": Kind(line=_line("magnitude", "#0072b2", "o"), ranks_by="|w|"),
    "l1": Kind(line=_line("L1 penalty", "#d55e00", "s"), ranks_by="|w|", penalty="l1"),
    "l2": Kind(line=_line("L2 penalty", "#e69f00", "D"), ranks_by="|w|", penalty="l2"),
    "gradient": Kind(line=_line("gradient (mean)", "#cc79a7", "v"), ranks_by="|mean g|", forward=True, backward=True),
    "gradient-abs": Kind(
        line=_line("gradient (mean size)", "#cc79a7", "<", dashed=True),
        ranks_by="mean |g| of batches",
        forward=True,
        backward=True,
    ),
    "saliency": Kind(
        line=_line("saliency (mean)", "#009e73", "^"), ranks_by="|w · mean g|", forward=True, backward=True
    ),
    "saliency-abs": Kind(
        line=_line("saliency (mean size)", "#009e73", ">", dashed=True),
        ranks_by="|w| · mean |g| of batches",
        forward=True,
        backward=True,
    ),
    "random": Kind(line=_line("random", "#000000", "X"), ranks_by="a random number"),
    "units-norm": Kind(line=_line("units by norm", "#7a7a7a", "p"), ranks_by="‖w‖² / fan-in of a unit", forward=True),
    "units-mrs-abs": Kind(
        line=_line("units by mean replacement", "#56b4e9", "P"),
        ranks_by="mean |(ā − a) · g| of a unit",
        forward=True,
        backward=True,
    ),
    "units-random": Kind(
        line=_line("units at random", "#000000", "x", dashed=True), ranks_by="a random number of a unit", forward=True
    ),
}


RETRAINED_NAMES = {False: "one-shot", True: "retrained"}


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse kinds that are not known.

    Raises:
        ValueError: none, one twice, or an unknown one.
    """
    if not kinds or len(set(kinds)) != len(kinds) or not set(kinds) <= set(KINDS):
        odd = [kind for kind in kinds if kind not in KINDS] or list(kinds)
        raise ValueError(f"kinds are some of {', '.join(KINDS)}, each once; got {odd}")


def kinds_in(table: DataFrame) -> list[str]:
    """List the kinds of a table in the order of `KINDS`."""
    found = set(table["kind"])
    return [kind for kind in KINDS if kind in found]


def whole_units(kind: str) -> bool:
    """Say whether a kind removes units rather than single weights."""
    return kind.startswith(UNITS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pruned:
    """A copy of a net, pruned."""

    kind: str
    sparsity_asked: float
    module: nn.Sequential
    masks: dict[str, Tensor]  # of weights, and where units went of biases too; True = kept


def pruned(
    module: nn.Sequential,
    kinds: Sequence[str],
    sparsities: Sequence[float],
    *,
    scoring: Examples,
    seed: int,
    scope: str = "global",
    batch_size: int = 50,
) -> Iterator[Pruned]:
    """Prune copies of one net, each kind to each budget.

    Single weights are removed to the very number, units to the number that leaves the weights nearest to it. Means of
    removed units are carried by the next layer's bias.

    Args:
        module: trained as the kinds want it; not changed.
        kinds: of `KINDS`; the ranking of each is made once.
        sparsities: fractions of the weights to remove, [0, 1).
        scoring: examples of the training part that gradients and activations are measured on.
        seed: of the random scores.
        scope: "global" ranks all layers together; "layer" removes the same fraction of each layer.
        batch_size: examples in a batch of gradients.

    Yields:
        One pruned copy a kind and budget, in their order.

    Raises:
        ValueError: an unknown kind or scope, a sparsity out of range, or what measuring refuses.
    """
    check_kinds(kinds)
    if scope not in SCOPES:
        raise ValueError(f"scope is one of {', '.join(SCOPES)}; got {scope!r}")
    weights = prunable(module)

    @cache  # made only where a kind wants them, and once for all that do
    def gradients(absolute: bool) -> dict[str, Tensor]:
        return accumulate(module, scoring.x, scoring.y, batch_size=batch_size, absolute=absolute)

    @cache
    def measured() -> dict[str, Measured]:
        return measure_units(module, scoring.x, scoring.y, generator=drawing(seed, "units"))

    def scores(kind: str) -> dict[str, Tensor]:
        name, _, absolute = kind.partition("-")
        if name == "random":
            return random(weights, drawing(seed, "weights"))
        if name == "gradient":
            return gradient(gradients(bool(absolute)))
        if name == "saliency":
            return saliency(weights, gradients(bool(absolute)))
        return magnitude(weights)

    for kind in kinds:
        ranking = {} if whole_units(kind) else scores(kind)
        for sparsity in sparsities:
            smaller = copy.deepcopy(module)
            if whole_units(kind):
                own = {name: units.scores[kind.removeprefix(UNITS)] for name, units in measured().items()}
                total = sum(weight.numel() for weight in weights.values())
                kept = total - removed_count(sparsity, total, name="sparsity")
                gone = units_within(module, own, kept, scope=scope)
                masks = take_out(smaller, gone, measured(), replacement="mean")
            else:
                masks = keep_largest(ranking, sparsity, scope)
                apply(smaller, masks)
            check(smaller, masks)
            yield Pruned(kind=kind, sparsity_asked=sparsity, module=smaller, masks=masks)


def units_within(
    module: nn.Module, scores: Mapping[str, Tensor], kept: int, *, scope: str = "global"
) -> dict[str, Tensor]:
    """Choose the units to remove so that the weights left come nearest to a number.

    Units go one after another, lowest score first; the last one of a layer always stays. Of two counts as near, that
    with more weights left is taken.

    Args:
        module: see `prunelab.pruning.units.sites`.
        scores: site -> (U,), higher = kept.
        kept: weights to be left, of all prunable ones.
        scope: "global" orders the units of all layers by score; "layer" by their rank within the layer, so that the
            layers lose about the same fraction.

    Returns:
        Site -> (U,) bool, True = removed.
    """
    found = sites(module)
    order = sorted(
        (place, depth, unit, name)
        for depth, name in enumerate(found)
        for unit, place in enumerate(_places(scores[name], scope))
    )
    gone = {name: torch.zeros(site.units, dtype=torch.bool) for name, site in found.items()}
    left = {name: site.units for name, site in found.items()}
    shapes = {name: tuple(weight.shape) for name, weight in prunable(module).items()}
    best, count, nearest = 0, 0, abs(_count(shapes, found, left) - kept)
    removed: list[tuple[str, int]] = []
    for _, _, unit, name in order:
        if left[name] == 1:
            continue
        left[name] -= 1
        removed.append((name, unit))
        count += 1
        distance = abs(_count(shapes, found, left) - kept)
        if distance < nearest:
            best, nearest = count, distance
    for name, unit in removed[:best]:
        gone[name][unit] = True
    return gone


def drawing(seed: int, use: str) -> torch.Generator:
    """Give a generator that depends on a net's seed and on what it is used for alone."""
    return torch.Generator().manual_seed((seed * 1_000_003 ^ crc32(use.encode())) % 2**63)


def _places(scores: Tensor, scope: str) -> list[float]:
    """Give each unit its place in the order of all: its score, or its rank in its layer from 0 to 1."""
    if scope == "global":
        return [float(score) for score in scores]
    ranks = scores.argsort(stable=True).argsort(stable=True)
    return [(int(rank) + 0.5) / len(scores) for rank in ranks]


def _count(shapes: Mapping[str, tuple[int, ...]], found: Mapping[str, Site], left: Mapping[str, int]) -> int:
    """Count the weights that are left where each site has so many units."""
    fed_by = {site.consumer: site for site in found.values()}
    total = 0
    for name, shape in shapes.items():
        layer = name.removesuffix(".weight")
        whole = torch.Size(shape).numel()
        if layer in found:
            whole = whole // shape[0] * left[layer]
        if layer in fed_by:
            site = fed_by[layer]
            whole = whole // site.units * left[site.name]
        total += whole
    return total
