"""Every kind of pruning function on the same nets at the same budgets, one-shot and retrained."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pandas import DataFrame

from prunelab.records import to_frame
from prunelab.studies.kinds_labels import KINDS, Penalty, check_kinds, whole_units
from prunelab.studies.kinds_measuring import Plan, Seen, measured, retraining_alone
from prunelab.studies.kinds_nets import choose, trained
from prunelab.studies.kinds_tables import (
    COSTS_COLUMNS,
    COSTS_KEY,
    KINDS_COLUMNS,
    KINDS_KEY,
    TRIED_KEY,
    Cost,
    KindRow,
    Tried,
)
from prunelab.studies.kinds_tasks import Task, stored
from prunelab.studies.kinds_weights import counted, edges_of, weight_table
from prunelab.studies.stored_nets import Net
from prunelab.train import check_seeds


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What was measured of one net on one data set."""

    kinds: DataFrame
    tried: DataFrame | None  # strengths of penalties; None where no kind trains with one
    weights: DataFrame | None  # None where the budget to draw was not measured
    costs: DataFrame


def plain_nets(
    task: Task, runs: Sequence[str], seeds: Sequence[int], *, steps: int = 0, progress: bool = True
) -> list[Net]:
    """Open the nets trained without a penalty, or train them where no run is named.

    Args:
        task: what they are trained on.
        runs: folders of runs that stored them; empty to train here.
        seeds: those to take (all that the runs hold when empty), or to train.
        steps: of stored nets, training steps done; 0 for those stored at the end of whole passes.
        progress: show progress bars.

    Raises:
        ValueError: what `stored` and `check_seeds` refuse.
    """
    if runs:
        return stored(task, runs, seeds, steps=steps)
    check_seeds(seeds)
    return [task.net(seed, trained(task, seed, progress=progress)) for seed in seeds]


def compare(
    task: Task,
    nets: Sequence[Net],
    *,
    kinds: Sequence[str],
    plan: Plan,
    strengths: Mapping[str, Sequence[float]],
    drawn: float,
    progress: bool = True,
) -> Comparison:
    """Prune nets by every kind to every budget; measure them one-shot and, where the plan says so, retrained.

    Kinds that penalise train nets of their own from the same seeds; the strength is chosen with the first.

    Args:
        task: what the nets were trained on.
        nets: trained without a penalty, one a seed.
        kinds: of `KINDS`.
        plan: budgets, retraining and scope.
        strengths: "l1" and "l2" -> strengths to choose from.
        drawn: the budget at which weights are counted in bins.
        progress: show progress bars.

    Raises:
        ValueError: an unknown kind, no net, a diverged training, or what pruning refuses.
    """
    check_kinds(kinds)
    check_seeds([net.seed for net in nets])
    gathered = _Gathered(drawn=drawn, edges=edges_of(nets[0].weight_rms))
    plain = [kind for kind in kinds if KINDS[kind].penalty == "none"]
    for net in nets if plain else []:
        gathered.add(measured(task, net.module, plain, plan, seed=net.seed, progress=progress))
    tried: list[Tried] = []
    for penalty in _penalties(kinds):
        choice = choose(task, penalty, strengths.get(penalty, ()), seed=nets[0].seed, plan=plan, progress=progress)
        tried += choice.tried
        gathered.add(choice.seen)
        settings: dict[str, Any] = {"strength": choice.strength, "progress": progress}
        for place, net in enumerate(nets):
            module = trained(task, net.seed, penalty=penalty, **settings) if place else choice.module
            # What is left of the net tried: it has been measured one-shot.
            if left := plan if place else retraining_alone(plan):
                gathered.add(measured(task, module, [penalty], left, seed=net.seed, **settings))
    return Comparison(
        kinds=_sorted(to_frame(gathered.rows, KINDS_KEY), kinds),
        tried=to_frame(tried, TRIED_KEY) if tried else None,
        weights=weight_table(gathered.bins) if gathered.bins else None,
        costs=costs(task, kinds, plan, tried),
    )


def costs(task: Task, kinds: Sequence[str], plan: Plan, tried: Sequence[Tried]) -> DataFrame:
    """Count what each kind needs, in passes over the training part; columns as `COSTS_COLUMNS` says."""
    share, training = len(task.scoring) / len(task.train), task.steps / task.pass_steps
    rows = []
    for name in kinds:
        kind = KINDS[name]
        others = sum(one.penalty == kind.penalty for one in tried) - 1
        penalised = kind.penalty != "none"
        rows.append(
            Cost(
                data=task.fit.data,
                data_id=task.fit.data_id,
                model=task.model,
                kind=name,
                removes="whole units" if whole_units(name) else "single weights",
                ranks_by=kind.ranks_by,
                forward_passes=share if kind.forward and not kind.backward else 0.0,
                gradient_passes=share if kind.backward else 0.0,
                training_passes=training if penalised else 0.0,
                choosing_passes=others * training if penalised else 0.0,
                retraining_passes=plan.retraining_steps / task.pass_steps if plan.retrained_sparsities else 0.0,
            )
        )
    return to_frame(rows, COSTS_KEY)[list(COSTS_COLUMNS)]


class _Gathered:
    """Rows and weights in bins, as nets are measured one after another."""

    def __init__(self, *, drawn: float, edges: Any) -> None:
        self.rows: list[KindRow] = []
        self.bins: list[dict[str, Any]] = []
        self._drawn, self._edges = drawn, edges

    def add(self, every: Iterable[Seen]) -> None:
        for seen in every:
            self.rows.append(seen.row)
            if seen.row.sparsity_asked == self._drawn:
                self.bins += counted(seen, self._edges)


def _penalties(kinds: Sequence[str]) -> list[Penalty]:
    wanted = {KINDS[kind].penalty for kind in kinds}
    return [penalty for penalty in get_args(Penalty) if penalty in wanted and penalty != "none"]


def _sorted(rows: DataFrame, kinds: Sequence[str]) -> DataFrame:
    """Order the rows by kind as asked, then one-shot before retrained, by budget and by seed."""
    places = {kind: place for place, kind in enumerate(kinds)}
    order = ["kind", "retrained", "sparsity_asked", "seed"]
    ordered = rows.sort_values(order, key=lambda own: own.map(places) if own.name == "kind" else own, kind="stable")
    return ordered[list(KINDS_COLUMNS)].reset_index(drop=True)
