"""What the runs on several nets measured of the kinds of pruning function, put together, and what each kind needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from pandas import DataFrame

from prunelab import tables
from prunelab.pruning.kinds import find
from prunelab.studies.kinds.ranking import NET, RANDOM, kinds_in
from prunelab.studies.kinds.tables import KindsGuide
from prunelab.tables import by_name

_RUN = "pruning-kinds"


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """What the runs of one net measured."""

    name: str  # in the names of figures
    kinds: DataFrame
    costs: DataFrame
    weights: DataFrame  # of the first run; empty where it has none
    tried: DataFrame  # empty where no kind trains with a penalty

    @property
    def suffix(self) -> str:
        """Give what stands behind the names of its figures."""
        return f"-{self.name}"

    @property
    def net(self) -> tuple[str, str, str]:
        """Give its data, model and scope."""
        data, model, scope = (str(self.kinds[column].iloc[0]) for column in NET)
        return data, model, scope


def read(runs: Sequence[str], names: Sequence[str]) -> list[Compared]:
    """Read the tables of the runs that compared kinds, net by net.

    Args:
        runs: folders; several of one net measured other seeds of it.
        names: of each run, what its net is called; lower-case words joined by hyphens.
    """
    found = []
    for name, own in by_name(runs, names).items():
        kinds = tables.of_runs(own, "kinds", run=_RUN)
        if len(kinds[list(NET)].drop_duplicates()) > 1:
            raise ValueError(f"runs of one name measured one net under one scope; those of {name!r} measured several")
        if kinds[["kind", "strength"]].drop_duplicates()["kind"].duplicated().any():
            raise ValueError(
                f"seeds of one net are trained with one strength of a penalty; the runs of {name!r} chose several: "
                "give each run the same one strength"
            )
        tried = pd.concat([_if_there(run, "tried") for run in own], ignore_index=True)
        costs, weights = tables.of_run(own[0], "kinds-costs", run=_RUN), _if_there(own[0], "weights")
        found.append(Compared(name=name, kinds=kinds, costs=costs, weights=weights, tried=tried))
    return found


def together(nets: Sequence[Compared], table: Literal["kinds", "costs", "weights", "tried"]) -> DataFrame:
    """Put a table of all nets beneath each other, rows that say the same once; empty where no net has it."""
    parts: list[DataFrame] = [getattr(net, table) for net in nets]
    whole = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return whole.drop_duplicates(ignore_index=True)


def guide_table(summary: DataFrame, costs: DataFrame, names: Mapping[tuple[str, str, str], str]) -> DataFrame:
    """Say of each kind what it prunes, what it needs, what that costs, and where it won, as `KindsGuide`.

    Args:
        summary: as `ranking.summary_table` gives it.
        costs: as `experiment.compare` gives it, of the same nets.
        names: (data, model, scope) -> what the net is called.
    """
    rows = []
    for kind in kinds_in(costs):
        own, cost = summary[summary["kind"] == kind], costs[costs["kind"] == kind]
        passes = cost[["forward_passes", "gradient_passes", "training_passes", "choosing_passes"]].sum(axis=1)
        first = own[own["rank"] == 1]
        one_shot, retrained = (
            ", ".join(
                names[net] for net in first.loc[first["retrained"] == way, list(NET)].itertuples(index=False, name=None)
            )
            for way in (False, True)
        )
        above = f"{int((own['to_random_low'] > 0).sum())} of {len(own)}"
        rows.append(
            KindsGuide(
                kind=kind,
                name=find("kind", kind).label,
                removes=cost["removes"].iloc[0],
                ranks_by=cost["ranks_by"].iloc[0],
                needs=needs(kind),
                cost=" to ".join(dict.fromkeys(f"{ends:.3g}" for ends in (passes.min(), passes.max()))),
                best_one_shot=one_shot,
                best_retrained=retrained,
                above_random="not compared" if kind == RANDOM else above,
            )
        )
    return KindsGuide.frame(rows)


def needs(kind: str) -> str:
    """Say what a kind needs beside the trained net."""
    own = find("kind", kind)
    if own.penalty != "none":
        return "training with the penalty, and its strength"
    if own.backward:
        return "examples with their classes, and gradients"
    return "examples" if own.forward else "nothing"


def _if_there(run: str, table: str) -> DataFrame:
    there = (Path(run) / "tables" / f"{table}.csv").is_file()
    return tables.of_run(run, table) if there else DataFrame()
