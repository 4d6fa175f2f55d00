"""Every kind of pruning function on the same nets at the same budgets, one-shot and retrained."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, get_args
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from pandas import DataFrame
from torch import Tensor, nn
from tqdm import tqdm

from prunelab import parts
from prunelab.measure.sparsity import count
from prunelab.pruning import apply, check, keep_largest, prunable
from prunelab.pruning.criteria import accumulate
from prunelab.pruning.kinds import Need, Penalty, check_names, named
from prunelab.pruning.masks import SCOPES
from prunelab.pruning.selection import removed_count
from prunelab.pruning.unit_removal import take_out, units_within
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.studies.common.nets import Net
from prunelab.studies.kinds.tables import Kinds, KindsCosts, Tried, Weights
from prunelab.studies.kinds.task import Task, finish, reopened, trained
from prunelab.train import Examples, check_seeds, training

KINDS = named("kind")
BINS = 61  # of weights; an odd number: one is centred at zero
RANGE = 4.0  # of the bins, root mean square weights on either side


@dataclass(frozen=True, kw_only=True)
class Plan:
    """To which budgets nets are pruned, and after which they are retrained."""

    sparsities: tuple[float, ...]  # fractions of the weights to remove, measured one-shot
    retrained_sparsities: tuple[float, ...] = ()  # those retrained at
    retraining_steps: int = 0  # the same for all kinds
    scope: str = "global"
    scoring_batch: int = 50  # examples in a batch of gradients

    def __post_init__(self) -> None:
        for name in ("sparsities", "retrained_sparsities"):
            asked = getattr(self, name)
            if len(set(asked)) < len(asked) or not all(0 < one < 1 for one in asked):
                raise ValueError(
                    f"{name} are distinct fractions of the weights to remove, in (0, 1); got {list(asked)}"
                )
        if not self.sparsities and not self.retrained_sparsities:
            raise ValueError("kinds are compared at one budget or more; sparsities is empty")
        if self.retrained_sparsities and self.retraining_steps < 1:
            raise ValueError(f"retraining_steps is at least 1 where nets are retrained; got {self.retraining_steps!r}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What was measured of one net on one data set."""

    kinds: DataFrame
    tried: DataFrame | None  # strengths of penalties; None where no kind trains with one
    weights: DataFrame | None  # None where the budget to draw was not measured
    costs: DataFrame


def compare(
    task: Task,
    nets: Sequence[Net],
    *,
    kinds: Sequence[str],
    plan: Plan,
    strengths: Mapping[str, Sequence[float]],
    drawn: float,
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
    """
    check_names("kind", kinds)
    check_seeds([net.seed for net in nets])
    plain = tuple(kind for kind in kinds if KINDS[kind].penalty == "none")
    asked = [_Asked(kinds=plain, seed=net.seed, net=net) for net in nets] if plain else []
    tried: list[Tried] = []
    for penalty in _penalties(kinds):
        choice = choose(task, penalty, strengths.get(penalty, ()), seed=nets[0].seed, plan=plan)
        tried += choice.tried
        ready = {choice.net.seed: choice.net}
        asked += [
            _Asked(kinds=(penalty,), seed=net.seed, net=ready.get(net.seed), strength=choice.strength) for net in nets
        ]
    edges = edges_of(nets[0].weight_rms)
    found = parts.each(_measure_one, asked, label="compare kinds", task=task, plan=plan, drawn=drawn, edges=edges)
    return Comparison(
        kinds=_ordered(found[Kinds], kinds),
        tried=Tried.frame(tried) if tried else None,
        weights=weight_table(found.rows[Weights.__name__]) if Weights in found else None,
        costs=costs(task, kinds, plan, tried),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """A net, and what is measured of it."""

    kinds: tuple[str, ...]
    seed: int
    net: Net | None = None  # None: one is trained, with the penalty of its one kind
    strength: float = 0.0  # of that penalty


def _measure_one(
    asked: _Asked, task: Task, plan: Plan, drawn: float | None = None, edges: NDArray[np.float64] | None = None
) -> Iterator[Net | Kinds | Weights]:
    if asked.net is None:
        net = task.net(
            asked.seed, trained(task, asked.seed, penalty=KINDS[asked.kinds[0]].penalty, strength=asked.strength)
        )
        yield net
    else:
        net = asked.net
    for seen in measured(task, net.module, asked.kinds, plan, seed=asked.seed, strength=asked.strength):
        yield seen.row
        if edges is not None and seen.row.sparsity_asked == drawn:
            yield from counted(seen, edges)


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """One measurement, with the weights behind it."""

    row: Kinds
    before: Mapping[str, Tensor]  # the unpruned net's
    masks: Mapping[str, Tensor]  # of weights, True = kept
    after: Mapping[str, Tensor]  # those of the net measured


def measured(
    task: Task,
    module: nn.Sequential,
    kinds: Sequence[str],
    plan: Plan,
    *,
    seed: int,
    strength: float = 0.0,
) -> Iterator[Seen]:
    """Prune one net by several kinds to every budget, measure it, retrain it where the plan says so, measure again.

    The net is not changed. It was trained with a penalty of this strength; the kinds are those that prune such nets.
    """
    dense, before = task.measure(module), prunable(module)
    columns: dict[str, Any] = {**task.named, "seed": seed, "scope": plan.scope, "strength": strength}
    columns |= {"dense_validation_error_percent": dense.validation, "dense_error_percent": dense.test}
    budgets = sorted({*plan.sparsities, *plan.retrained_sparsities})
    every = pruned(
        module, kinds, budgets, scoring=task.scoring, seed=seed, scope=plan.scope, batch_size=plan.scoring_batch
    )
    total, label = len(kinds) * len(budgets), f"{task.model}, seed {seed}"
    for one in tqdm(every, total=total, desc=label, leave=False):
        if one.sparsity_asked in plan.sparsities:
            yield _seen(task, one, before, columns, retrained=False)
        if one.sparsity_asked in plan.retrained_sparsities:
            retrain(task, one, steps=plan.retraining_steps, seed=seed)
            yield _seen(task, one, before, columns, retrained=True)


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
    """
    check_names("kind", kinds)
    if scope not in SCOPES:
        raise ValueError(f"scope is one of {', '.join(SCOPES)}; got {scope!r}")
    weights = prunable(module)

    @cache  # made only where a kind wants them, and once for all that do
    def gradients(absolute: bool) -> dict[str, Tensor]:
        return accumulate(module, scoring.x, scoring.y, batch_size=batch_size, absolute=absolute)

    @cache
    def measured() -> dict[str, Measured]:
        return measure_units(module, scoring.x, scoring.y, generator=drawing(seed, "units"))

    evidence: dict[Need, Callable[[], Any]] = {
        "weights": lambda: weights,
        "gradients": lambda: gradients(False),
        "gradient sizes": lambda: gradients(True),
        "chance": lambda: drawing(seed, "weights"),
    }
    for kind in map(KINDS.__getitem__, kinds):
        ranking = {} if kind.units else kind.scores(evidence)
        for sparsity in sparsities:
            smaller = copy.deepcopy(module)
            if kind.units:
                own = {name: site.scores[kind.units] for name, site in measured().items()}
                total = sum(weight.numel() for weight in weights.values())
                kept = total - removed_count(sparsity, total, name="sparsity")
                gone = units_within(module, own, kept, scope=scope)
                masks = take_out(smaller, gone, measured(), replacement="mean")
            else:
                masks = keep_largest(ranking, sparsity, scope)
                apply(smaller, masks)
            check(smaller, masks)
            yield Pruned(kind=kind.name, sparsity_asked=sparsity, module=smaller, masks=masks)


def retrain(task: Task, one: Pruned, *, steps: int, seed: int) -> None:
    """Train what is left of a pruned net, in place, without a penalty; what was removed stays so, which is asserted.

    The batches are the same whatever the kind.
    """
    batches = drawing(seed, "retraining")
    every = training(one.module, task.train, task.retraining, generator=batches, masks=one.masks, steps=steps)
    at = f"{one.kind} at {one.sparsity_asked:g}"
    finish(every, f"retraining diverged after pruning by {at}: lower the retraining rate")
    check(one.module, one.masks)


def drawing(seed: int, use: str) -> torch.Generator:
    """Give a generator that depends on a net's seed and on what it is used for alone."""
    return torch.Generator().manual_seed((seed * 1_000_003 ^ crc32(use.encode())) % 2**63)


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """The strength of a penalty, chosen by one net."""

    strength: float
    net: Net  # trained with it
    tried: list[Tried]


def choose(task: Task, penalty: Penalty, strengths: Sequence[float], *, seed: int, plan: Plan) -> Choice:
    """Choose the strength of a penalty by what its net still does when pruned, on the validation part.

    Each strength is tried with one seed. The net is pruned one-shot to every budget by magnitude; the mean error over
    the budgets decides, the weaker penalty where two are equal.
    """
    ordered = sorted(set(strengths))
    if not ordered or ordered[0] <= 0:
        raise ValueError(f"strengths of {penalty} to choose from are above 0; got {list(strengths)}")
    found = parts.each(
        _measure_one,
        [_Asked(kinds=(penalty,), seed=seed, strength=strength) for strength in ordered],
        label=f"choose {penalty}",
        opened=partial(reopened, task=task),
        task=task,
        plan=replace(plan, retrained_sparsities=()),
    )
    rows = DataFrame(found.rows[Kinds.__name__]).groupby("strength")
    errors = {strength: (float(of["validation_error_percent"].mean()), of) for strength, of in rows}
    best = min(ordered, key=lambda strength: errors[strength][0])
    tried = [
        Tried(
            **task.named,
            penalty=penalty,
            strength=strength,
            seed=seed,
            validation_error_percent=errors[strength][0],
            dense_validation_error_percent=float(errors[strength][1]["dense_validation_error_percent"].iloc[0]),
            chosen=strength == best,
        )
        for strength in ordered
    ]
    return Choice(strength=best, net=found.nets[ordered.index(best)], tried=tried)


def edges_of(weight_rms: float) -> NDArray[np.float64]:
    """Lay out bins for the weights of all kinds, from the root mean square weight of a net without a penalty."""
    return np.linspace(-RANGE * weight_rms, RANGE * weight_rms, BINS + 1)


def counted(seen: Seen, edges: NDArray[np.float64]) -> Iterator[Weights]:
    """Count the weights of one measurement bin by bin; those beyond the bins are left out.

    One-shot gives the weights removed and those kept, retrained those kept as they are afterwards.
    """
    row = seen.row
    kept = {name: seen.masks.get(name, torch.ones_like(own, dtype=torch.bool)) for name, own in seen.before.items()}
    if row.retrained:
        sides = {"retrained": [own[kept[name].to(own.device)] for name, own in seen.after.items()]}
    else:
        sides = {
            "removed": [own[~kept[name].to(own.device)] for name, own in seen.before.items()],
            "kept": [own[kept[name].to(own.device)] for name, own in seen.before.items()],
        }
    place = {name: getattr(row, name) for name in ("data", "data_id", "model", "kind", "scope", "sparsity_asked")}
    for which, own in sides.items():
        values = torch.cat([part.flatten() for part in own]).double().cpu().numpy()
        numbers, _ = np.histogram(values, edges)
        for left, right, number in zip(edges[:-1], edges[1:], numbers, strict=True):
            share = 100 * int(number) / row.weights
            yield Weights(**place, which=which, left=float(left), right=float(right), share_percent=share)


def weight_table(rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Average the shares of bins over seeds."""
    by = [column for column in Weights.columns() if column != "share_percent"]
    return Weights.frame(DataFrame(rows).groupby(by, sort=False)["share_percent"].mean().reset_index())


def costs(task: Task, kinds: Sequence[str], plan: Plan, tried: Sequence[Tried]) -> DataFrame:
    """Count what each kind needs, in passes over the training part."""
    share, training = len(task.scoring) / len(task.train), task.steps / task.pass_steps
    rows = []
    for name in kinds:
        kind = KINDS[name]
        penalised = kind.penalty != "none"
        others = sum(one.penalty == kind.penalty for one in tried) - 1
        rows.append(
            KindsCosts(
                **task.named,
                kind=name,
                removes="whole units" if kind.units else "single weights",
                ranks_by=kind.ranks_by,
                forward_passes=share if kind.forward and not kind.backward else 0.0,
                gradient_passes=share if kind.backward else 0.0,
                training_passes=training if penalised else 0.0,
                choosing_passes=others * training if penalised else 0.0,
                retraining_passes=plan.retraining_steps / task.pass_steps if plan.retrained_sparsities else 0.0,
            )
        )
    return KindsCosts.frame(rows)


def _seen(
    task: Task, one: Pruned, before: Mapping[str, Tensor], columns: Mapping[str, Any], *, retrained: bool
) -> Seen:
    masks = {name: one.masks[name] for name in before if name in one.masks}
    whole = count(before, masks)[-1]
    squares = {name: weight.double().square() for name, weight in before.items()}
    total = sum(float(square.sum()) for square in squares.values())
    removed = sum(float(squares[name][~mask.to(squares[name].device)].sum()) for name, mask in masks.items())
    errors = task.measure(one.module)
    row = Kinds(
        **columns,
        kind=one.kind,
        retrained=retrained,
        sparsity_asked=one.sparsity_asked,
        weights=whole.weights,
        kept=whole.kept,
        sparsity=whole.sparsity,
        removed_squares_percent=100 * removed / total if total else 0.0,
        validation_error_percent=errors.validation,
        error_percent=errors.test,
    )
    after = {name: weight.clone() for name, weight in prunable(one.module).items()}
    return Seen(row=row, before=before, masks=masks, after=after)


def _penalties(kinds: Sequence[str]) -> list[Penalty]:
    wanted = {KINDS[kind].penalty for kind in kinds}
    return [penalty for penalty in get_args(Penalty) if penalty in wanted and penalty != "none"]


def _ordered(rows: DataFrame, kinds: Sequence[str]) -> DataFrame:
    """Order the rows by kind as asked, then one-shot before retrained, by budget and by seed."""
    places = {kind: place for place, kind in enumerate(kinds)}
    order = ["kind", "retrained", "sparsity_asked", "seed"]
    return rows.sort_values(
        order, key=lambda own: own.map(places) if own.name == "kind" else own, kind="stable", ignore_index=True
    )
