"""What the removal of chosen units costs a net, site by site and all at once, zeroed and replaced."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from prunelab.measure.penalty import Probe
from prunelab.pruning.unit_removal import remove, shift
from prunelab.pruning.unit_scores import Measured
from prunelab.pruning.units import sites
from prunelab.studies.units_settings import ALL, REPLACEMENTS, Subsets
from prunelab.studies.units_tables import Penalty


def penalty_rows(
    net: nn.Sequential,
    measured: Mapping[str, Measured],
    chosen: Mapping[tuple[str, str], Tensor],
    fixed: Subsets,
    named: Mapping[str, Any],
    scores: Sequence[str],
    *,
    together: bool,
) -> list[Penalty]:
    """Measure what the chosen units' removal costs, site by site, and of all sites at once.

    Args:
        net: not changed.
        measured: site -> its units.
        chosen: (site, score) -> (U,) bool, True = removed.
        fixed: examples to measure on.
        named: data, data_id, model, seed and step.
        scores: in the order of the rows.
        together: whether to remove the chosen units of all sites at once as well, with the means of the unpruned net.
    """
    found = sites(net)
    shifts = {key: shift(net, found[key[0]], flags, measured[key[0]]) for key, flags in chosen.items()}
    rows = []
    for part, split in fixed.parts.items():
        probe = Probe(net, split)
        common: dict[str, Any] = {**named, "part": part, "loss": probe.loss}
        for (name, score), flags in chosen.items():
            counts: dict[str, Any] = {"layer": name, "score": score, "units": len(flags), "removed": int(flags.sum())}
            for replacement in REPLACEMENTS:
                added = shifts[name, score] if replacement == "mean" else None
                penalty = probe.penalty(name, flags, added)
                rows.append(Penalty(**common, **counts, replacement=replacement, penalty=penalty))
        for score in scores if together else ():
            gone = {name: chosen[name, score] for name in found}
            units, removed = sum(map(len, gone.values())), sum(int(flags.sum()) for flags in gone.values())
            counts = {"layer": ALL, "score": score, "units": units, "removed": removed}
            for replacement in REPLACEMENTS:
                pruned = copy.deepcopy(net)
                added_to = {name: shifts[name, score] for name in found} if replacement == "mean" else None
                remove(pruned, gone, shifts=added_to)
                rows.append(Penalty(**common, **counts, replacement=replacement, penalty=probe.penalty_of(pruned)))
    return rows
