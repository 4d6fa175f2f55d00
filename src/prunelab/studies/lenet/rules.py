"""The rules that decide the claims of the LeNet study, as worded in `claims.yml`, and those on its dense nets.

A subject is a net under one training recipe on one data set, or a comparison of such nets. Subjects are nets of two
hidden ReLU layers at least as wide as the narrowest of the source; others in the tables, such as dense controls with
as few weights as a pruned net has left, are passed over.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import claims, decisions, models, stats
from prunelab.decisions import (
    TOLERANCE,
    NotCoveredError,
    Outcome,
    all_of,
    decide,
    describe,
    joint,
    per_seed,
    undecided,
    worst,
)
from prunelab.studies.common.runs import table_of

LAYERS = ("fc1", "fc2", "fc3")


def weights_centred(rows: pd.DataFrame, *, target: str) -> Outcome:
    """Hold every layer's mode before pruning to 0.1 standard deviations of 0, and the centre after it to be empty.

    Empty is a density around 0 below half of that at the peak, over the surviving weights of all layers.

    Args:
        rows: one net under one recipe in "modes".
        target: label of the budget pruned to.

    Raises:
        NotCoveredError: the dense net lacks a layer, or the net was not pruned to the target.
    """
    dense = rows[rows["mode"] == "dense"]
    if missing := [layer for layer in LAYERS if layer not in set(dense["layer"])]:
        raise NotCoveredError(f"the modes of the dense net's layers were not measured: {', '.join(missing)}")
    offsets = {layer: by_seed(dense[dense["layer"] == layer], "mode_in_sd").abs() for layer in LAYERS}
    unit = "standard deviations from 0"
    before = {
        layer: decide(stats.t_interval(offset), side="at most", bound=0.1, unit=unit)
        for layer, offset in offsets.items()
    }
    after = pruned(rows, target)
    whole = by_seed(after[after["layer"] == "all"], "centre_to_peak")
    if whole.empty:
        raise NotCoveredError(f"the net pruned to {target} has no mode over all layers; measure it")
    centre = decide(stats.t_interval(whole), side="below", bound=0.5, unit="of the density at the peak")
    return joint({"before": worst(before), "after": centre})


def more_units_same_budget(rows: pd.DataFrame, *, target: str, narrow: str, wider: Sequence[str]) -> Outcome:
    """Hold each wider start's mean accuracy above the narrow one's, with intervals that do not overlap.

    Each net's interval is Student's t over seeds; the effect is the smaller of the differences that decide, paired
    over seeds. Intervals apart in the claimed order reproduce the claim. A paired interval wholly at or below 0
    refutes it. All else leaves it open: the rule claims a difference and sets no bound below which one would count as
    none, so intervals that overlap fail to show it and show nothing against it, however many the seeds.

    Args:
        rows: all nets under one recipe in "pruned".
        target: label of the budget compared at.
        narrow: widths of the net said to be worse, "300-100".
        wider: widths of the nets said to be better.

    Raises:
        NotCoveredError: a net is missing, its seeds are others, or the steps or weights left differ.
    """
    nets = (narrow, *wider)
    compared = pruned(rows, target)
    if missing := [net for net in nets if net not in set(compared["net"])]:
        raise NotCoveredError(f"not pruned to {target}: {', '.join(missing)}; the rule compares {', '.join(nets)}")
    compared = compared[compared["net"].isin(nets)]
    _check_alike(compared)
    accuracy = {net: 100 - by_seed(compared[compared["net"] == net], "error_percent") for net in nets}
    parts = {f"{net} - {narrow}": _lead(accuracy[net], accuracy[narrow]) for net in wider}
    return joint(dict(sorted(parts.items(), key=lambda part: part[1].margin)))


def regrow_helps(rows: pd.DataFrame) -> Outcome:
    """Hold the gain in accuracy from training zeroed weights again, over masking them, above 0, paired over seeds.

    Args:
        rows: one net under one recipe, one target and one budget in "pruned".

    Raises:
        NotCoveredError: either way is missing, its seeds are others, or the steps or weights left differ.
    """
    ways = {mode: rows[rows["mode"] == mode] for mode in ("masked", "regrown")}
    if missing := [mode for mode, way in ways.items() if way.empty]:
        raise NotCoveredError(f"no {missing[0]} net at this budget; prune both ways")
    _check_alike(pd.concat(ways.values()))
    masked, regrown = (by_seed(way, "error_percent") for way in ways.values())
    _check_paired(masked, regrown)
    gain = stats.paired(masked, regrown)  # errors: masked - regrown is the accuracy gained by regrowing
    return decide(gain, side="above", bound=0.0, unit="points of accuracy")


def last_activation_idle(rows: pd.DataFrame) -> Outcome:
    """Hold the drop in accuracy without the last activation below 1 point, without the first above 10.

    Args:
        rows: one net, dense or pruned, under one recipe and treatment in "removal".

    Raises:
        NotCoveredError: the removal of either was not measured.
    """
    drops = {removed: by_seed(rows[rows["removed"] == removed], "drop_points") for removed in ("last", "first")}
    if missing := [removed for removed, drop in drops.items() if drop.empty]:
        raise NotCoveredError(f"not removed: the {' and the '.join(missing)} activation")
    last, first = (stats.t_interval(drop) for drop in drops.values())
    return joint(
        {
            "last": decide(last, side="below", bound=1.0, unit="points of accuracy lost"),
            "first": decide(first, side="above", bound=10.0, unit="points of accuracy lost"),
        }
    )


def global_starves_shallow(rows: pd.DataFrame) -> Outcome:
    """Hold the smallest growth of the kept share from a layer to the next, over all rounds, above 0.

    Args:
        rows: one net under one recipe in "layers", every round of pruning to every target.

    Raises:
        NotCoveredError: a round lacks a layer.
    """

    def growth(own: pd.DataFrame) -> float:
        kept = own.pivot_table("kept_fraction", index=["target", "round"], columns="layer").reindex(columns=LAYERS)
        if kept.isna().any(axis=None):
            target, number = kept.index[kept.isna().any(axis=1)][0]
            raise NotCoveredError(f"round {number} to {target} lacks the kept share of a layer of {', '.join(LAYERS)}")
        return 100 * float(np.diff(kept.to_numpy(dtype=float), axis=1).min())

    smallest = stats.t_interval(per_seed(rows, growth))
    return decide(smallest, side="above", bound=0.0, unit="percentage points of kept share from layer to layer")


def fewer_active_after(rows: pd.DataFrame, *, target: str) -> Outcome:
    """Hold the relative fall of the first layer's active share, from dense to pruned, to at least a third.

    Args:
        rows: one net under one recipe in "active".
        target: label of the budget pruned to.

    Raises:
        NotCoveredError: the dense or the pruned net is missing, its seeds are others, or no unit of it was active.
    """
    first = rows[rows["layer"] == LAYERS[0]]
    before = by_seed(first[first["mode"] == "dense"], "active_fraction")
    if before.empty:
        raise NotCoveredError(f"the active share of the dense net's {LAYERS[0]} was not measured")
    after = by_seed(pruned(first, target), "active_fraction")
    _check_paired(before, after)
    if (before == 0).any():
        raise NotCoveredError(f"no unit of the dense net's {LAYERS[0]} is ever active; a share of nothing cannot fall")
    fall = stats.t_interval(100 * (before - after) / before)
    return decide(fall, side="at least", bound=100 / 3, unit="percent of the dense share")


def by_seed(rows: pd.DataFrame, column: str) -> "pd.Series[float]":
    """Return one value a seed, by ascending seed."""
    return rows.set_index("seed")[column].astype(float).sort_index()


def pruned(rows: pd.DataFrame, target: str) -> pd.DataFrame:
    """Return the rows of nets pruned to a target.

    Raises:
        NotCoveredError: there are none.
    """
    chosen = rows[(rows["mode"] == "masked") & (rows["budget"] == "global") & (rows["target"] == target)]
    if chosen.empty:
        raise NotCoveredError(f"no net pruned to {target} by one global threshold, masked; prune to it")
    return chosen


def _lead(wide: "pd.Series[float]", narrow: "pd.Series[float]") -> Outcome:
    """Decide whether one net's accuracies lie above another's, by intervals that do not overlap."""
    _check_paired(wide, narrow)
    outcome = decide(stats.paired(wide, narrow), side="above", bound=0.0, unit="points of accuracy")
    if len(wide) < 2:
        return outcome
    above, below = stats.t_interval(wide), stats.t_interval(narrow)
    # Intervals apart imply a paired interval on the same side: its half-width is at most the sum of theirs.
    overlap = above.low <= below.high and below.low <= above.high
    verdict = "inconclusive" if overlap and outcome.verdict == "reproduced" else outcome.verdict
    own = f"{describe(above, '%')} against {describe(below, '%')}"
    reason = f"{outcome.reason}; {own}: intervals {'overlap' if overlap else 'apart'}, claimed apart"
    return replace(outcome, verdict=verdict, reason=reason)


def _check_paired(first: "pd.Series[float]", second: "pd.Series[float]") -> None:
    if list(first.index) != list(second.index):
        raise NotCoveredError(f"nets are paired over the same seeds; got {list(first.index)} and {list(second.index)}")


def _check_alike(rows: pd.DataFrame) -> None:
    """Refuse to compare nets trained for other numbers of steps, or left with other numbers of weights."""
    for column, what in (("steps", "training steps"), ("kept", "weights left")):
        low, high = float(rows[column].min()), float(rows[column].max())
        if high - low > TOLERANCE * high:
            raise NotCoveredError(f"nets compared have the same {what}, within 5 %; got {low:g} to {high:g}; run alike")


STUDY = "lenet"


_TREATMENTS = ("as trained", "retrained")  # what the rule names; nets trained without it from scratch are no subject


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


_NET = ("data", "recipe", "model", "seed")


_PRUNING = ("mode", "budget", "target")


# Of each table what tells its rows apart, and what is measured.
_COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dense": (_NET, ("error_percent",)),
    "modes": ((*_NET, *_PRUNING, "layer"), ("mode_in_sd", "centre_to_peak")),
    "pruned": ((*_NET, *_PRUNING), ("kept", "steps", "error_percent")),
    "layers": ((*_NET, *_PRUNING, "round", "layer"), ("kept_fraction",)),
    "active": ((*_NET, *_PRUNING, "layer"), ("active_fraction",)),
    "removal": ((*_NET, *_PRUNING, "removed", "treatment"), ("drop_points",)),
}


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """How a table is cut into the subjects of a claim, and how one of them is decided."""

    table: str
    decide: Callable[[pd.DataFrame], Outcome]
    by: tuple[str, ...]  # columns that tell subjects apart, beyond data and recipe
    case: Callable[[pd.DataFrame], str]  # names a subject by what comes before its recipe and data
    only: Callable[[pd.DataFrame], "pd.Series[bool]"] | None = None  # the rows that matter; all when absent
    matter: str = ""  # those rows in words


def verdicts(
    tables: Mapping[str, pd.DataFrame],
    *,
    where: Mapping[str, str],
    target: str = "2660",
    targets: Sequence[str] = ("2660", "1641"),
    narrow: str = "300-100",
    wider: Sequence[str] = ("600-100", "300-200"),
    narrowest: str = "150-100",
    known: Sequence[claims.Claim] | None = None,
) -> list[claims.Verdict]:
    """Decide every claim of the study whose table is given, subject by subject.

    Args:
        tables: "dense", "modes", "pruned", "layers", "active", "removal" -> its rows, of all runs; the claims on a
            table that is missing are left out. Rows that say the same twice count once.
        where: the same names -> the path verdicts point to, "<run>/tables/<name>.csv".
        target: label of the budget at which pruned nets are looked at.
        targets: labels of the budgets at which masked and regrown nets are compared.
        narrow: hidden widths of the net said to be less accurate than wider ones at the same budget.
        wider: hidden widths of those.
        narrowest: hidden widths below which a net is no subject.
        known: the claims; those published when absent.

    Returns:
        A verdict per claim, in the order of `claims.yml`. Row order plays no part.

    Raises:
        ValueError: a table is unknown, has no place in `where`, no rows, lacks columns, has no net that is a subject,
            or says two things about the same net; or a claim has no rule.
    """
    rules = _rules(target=target, targets=targets, narrow=narrow, wider=wider)
    read = {name: _read(name, table, narrowest=narrowest) for name, table in tables.items()}
    return claims.decided(STUDY, rules, read, _outcomes, where=where, known=known)


def width_hardly_matters_dense(rows: pd.DataFrame) -> Outcome:
    """Hold every width's mean accuracy to at least 97 % and their spread within a seed below 1 point.

    Args:
        rows: all dense nets under one recipe.

    Raises:
        NotCoveredError: there is one width only, or a seed lacks a width.
    """
    nets = list(rows["net"].unique())
    if len(nets) < 2:
        raise decisions.NotCoveredError(f"widths are compared; only {nets[0]} was trained; train others")
    errors = rows.pivot_table("error_percent", index="seed", columns="net")
    if errors.isna().any(axis=None):
        lacking = [f"{net} with seed {seed}" for net in nets for seed in errors.index[errors[net].isna()]]
        raise decisions.NotCoveredError(
            f"the spread over widths needs every width of every seed; no {', '.join(lacking)}"
        )
    widths = {
        net: decide(stats.t_interval(100 - errors[net]), side="at least", bound=97.0, unit="percent accuracy")
        for net in nets
    }
    spread = stats.t_interval(errors.max(axis=1) - errors.min(axis=1))
    return decisions.joint(
        {
            "accuracy": decisions.worst(widths),
            "spread": decide(spread, side="below", bound=1.0, unit="points of accuracy between widths"),
        }
    )


def half_active(rows: pd.DataFrame) -> Outcome:
    """Hold the share of the first hidden layer's units active on an image, mean over the test set, to 0.4 to 0.6.

    Args:
        rows: one dense net under one recipe in "active".

    Raises:
        NotCoveredError: the first layer was not measured.
    """
    shares = by_seed(rows[rows["layer"] == "fc1"], "active_fraction")
    if shares.empty:
        raise decisions.NotCoveredError("the active share of fc1 was not measured")
    share, unit = stats.t_interval(shares), "of the units"
    low, high = (
        decide(share, side="at least", bound=0.4, unit=unit),
        decide(share, side="at most", bound=0.6, unit=unit),
    )
    nearest, verdict = min(low, high, key=lambda side: side.margin), all_of(low.verdict, high.verdict)
    return replace(nearest, verdict=verdict, reason=f"{nearest.reason}; the claim is 0.4 to 0.6")


def _rules(*, target: str, targets: Sequence[str], narrow: str, wider: Sequence[str]) -> dict[str, _Rule]:
    """Return the rule of every claim."""
    one_net = partial(_Rule, by=("net",), case=lambda rows: f"{rows['net'].iloc[0]}, ")
    all_nets = partial(_Rule, by=())
    compare = partial(more_units_same_budget, target=target, narrow=narrow, wider=wider)
    return {
        "width-hardly-matters-dense": all_nets(table="dense", decide=width_hardly_matters_dense, case=_widths),
        "half-active": one_net(
            table="active", decide=half_active, only=lambda table: table["mode"] == "dense", matter="dense nets"
        ),
        "weights-centred": one_net(table="modes", decide=partial(weights_centred, target=target)),
        "more-units-same-budget": all_nets(table="pruned", decide=compare, case=lambda _: ""),
        "regrow-helps": _Rule(
            table="pruned",
            decide=regrow_helps,
            by=("net", "target"),
            case=lambda rows: f"{rows['net'].iloc[0]} to {rows['target'].iloc[0]}, ",
            only=partial(_regrown, targets=targets),
            matter=f"regrown nets with a global budget and a target among {list(targets)}",
        ),
        "last-activation-idle": _Rule(
            table="removal",
            decide=last_activation_idle,
            by=("net", *_PRUNING, "treatment"),
            case=_treated,
            only=lambda table: table["treatment"].isin(_TREATMENTS),
            matter=f"treatments among {list(_TREATMENTS)}",
        ),
        "global-starves-shallow": one_net(
            table="layers",
            decide=global_starves_shallow,
            only=lambda table: (table["mode"] == "masked") & (table["budget"] == "global"),
            matter="masked nets with a global budget",
        ),
        "fewer-active-after": one_net(table="active", decide=partial(fewer_active_after, target=target)),
    }


def _outcomes(rule: _Rule, table: pd.DataFrame) -> dict[str, Outcome]:
    """Decide each subject; data that do not cover what the rule needs leave it open."""
    rows = table if rule.only is None else table[rule.only(table)]
    if rows.empty:
        return {"no subject": undecided(f"{rule.table} has no {rule.matter}; measure some", unit="", n=0)}
    outcomes = {}
    for _, own in rows.groupby(["data", "recipe", *rule.by], sort=False):
        case = f"{rule.case(own)}{own['recipe'].iloc[0]} recipe, {own['data'].iloc[0]}"
        try:
            outcomes[case] = rule.decide(own)
        except decisions.NotCoveredError as gap:
            outcomes[case] = undecided(str(gap), unit="", n=own["seed"].nunique())
    return outcomes


def _regrown(table: pd.DataFrame, *, targets: Sequence[str]) -> "pd.Series[bool]":
    """Tell the rows of globally pruned nets of which some were regrown, at the given targets."""
    named = (table["budget"] == "global") & table["target"].isin(targets)
    subjects = [table[name] for name in ("data", "recipe", "net", "target")]
    return named & (named & (table["mode"] == "regrown")).groupby(subjects).transform("any")


def _widths(rows: pd.DataFrame) -> str:
    count = rows["net"].nunique()
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} width{'s' if count > 1 else ''}, "


def _treated(rows: pd.DataFrame) -> str:
    one = rows.iloc[0]
    budget = "" if one["budget"] == "global" else f" ({one['budget']})"
    state = "dense" if one["mode"] == "dense" else f"{one['mode']}{budget} to {one['target']}"
    return f"{one['net']}, {state}, {one['treatment']}, "


def _read(name: str, table: pd.DataFrame, *, narrowest: str) -> pd.DataFrame:
    """Return a table's rows on the nets that are subjects, with their `net`, each once and in one order."""
    if name not in _COLUMNS:
        raise ValueError(f"the rules read the tables {list(_COLUMNS)}; got {name!r}; is it misspelt?")
    key, measured = (list(columns) for columns in _COLUMNS[name])
    if missing := [column for column in (*key, *measured) if column not in table.columns]:
        raise ValueError(f"the rules on {name} need the columns {key + measured}; missing: {missing}")
    if table.empty:
        raise ValueError(f"a claim is decided on measurements; {name} has no rows; did its run measure anything?")
    least = [int(width) for width in narrowest.split("-")]
    specs = {model: models.parse(model) for model in table["model"].unique()}
    subjects = {
        model: spec.widths
        for model, spec in specs.items()
        if spec.family == "lenet" and len(spec.widths) == len(least) == 2 and set(spec.activations) == {"relu"}
        if all(width >= bound for width, bound in zip(spec.widths, least, strict=True))
    }
    if not subjects:
        rule = f"subjects are ReLU nets of two hidden layers, {narrowest} units or more"
        raise ValueError(f"{rule}; {name} has {list(specs)}; name another narrowest")
    rows = table.loc[table["model"].isin(subjects), [*key, *measured]]
    # A column of labels that all look like numbers is read as numbers: "2660" is a label here.
    rows = rows.astype({column: str for column in _PRUNING if column in key})
    rows = rows.assign(widths=rows["model"].map(lambda model: subjects[model]))
    rows = rows.assign(net=rows["widths"].map(lambda widths: "-".join(map(str, widths))))
    # Widths are numbers: 150-100 comes before 1200-100.
    identity = ["widths" if column == "model" else column for column in key]
    rows = rows.drop(columns="model").drop_duplicates()
    for _, odd in rows[rows.duplicated(identity)].head(1).iterrows():
        named = ", ".join(f"{column}={odd[column]!s}" for column in identity)
        raise ValueError(f"{name} has one row a net and setting; it says two things about {named}; of two schedules?")
    return rows.sort_values(identity, ignore_index=True)


# The tables that decide the claims, and what the notebooks call the runs that leave them.
TABLES = {
    "dense": "lenet-dense",
    "modes": "lenet-dense",
    "pruned": "lenet-pruned",
    "layers": "lenet-pruned",
    "active": "lenet-active",
    "removal": "lenet-removal",
}


def decide_runs(runs: Mapping[str, Sequence[str]], *, target: str, targets: Sequence[str]) -> list[claims.Verdict]:
    """Decide every claim of the study.

    Args:
        runs: table ("dense", "modes", "pruned", "layers", "active", "removal") -> folders of the runs that hold it.
        target: label of the weights left at which pruned nets are looked at.
        targets: labels at which masked and regrown nets are compared.

    Returns:
        One verdict a claim, in the order of `claims.yml`.

    Raises:
        FileNotFoundError: a table has no run, or a run lacks it.
        ValueError: what the rules refuse.
    """
    tables: dict[str, DataFrame] = {}
    for name, run in TABLES.items():
        folders = [folder for folder in runs.get(name, ()) if folder] or [""]
        tables[name] = pd.concat([table_of(folder, name, run=run) for folder in folders], ignore_index=True)
    where = {name: f"{Path(next(folder for folder in runs[name] if folder)).name}/tables/{name}.csv" for name in TABLES}
    return verdicts(tables, where=where, target=target, targets=targets)
