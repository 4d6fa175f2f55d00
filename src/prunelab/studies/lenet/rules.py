"""The rules that decide the claims of the LeNet study, as worded in `claims.yml`.

A subject is a net under one training recipe on one data set, or a comparison of such nets. Subjects are nets of two
hidden ReLU layers at least as wide as the narrowest of the source; others in the tables, such as dense controls with
as few weights as a pruned net has left, are passed over. Each rule takes the rows of one subject, and raises
`NotCoveredError` where they lack what it needs, which leaves the claim open and says what is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from pandas import DataFrame

from prunelab import claims, models, stats
from prunelab.claims import Columns, Rule
from prunelab.decisions import TOLERANCE, NotCoveredError, Outcome, all_of, decide, describe, joint, per_seed, worst

LAYERS = ("fc1", "fc2", "fc3")
STUDY = "lenet"
# The tables that decide the claims, and what the notebooks call the runs that leave them.
RUNS = {
    "dense": "lenet-dense",
    "modes": "lenet-dense",
    "pruned": "lenet-pruned",
    "layers": "lenet-pruned",
    "active": "lenet-active",
    "removal": "lenet-removal",
}

_TREATMENTS = ("as trained", "retrained")  # what the rule names; nets trained without it from scratch are no subject
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NET = ("data", "recipe", "model", "seed")
_PRUNING = ("mode", "budget", "target")
_COLUMNS = {
    "dense": Columns(key=_NET, measured=("error_percent",)),
    "modes": Columns(key=(*_NET, *_PRUNING, "layer"), measured=("mode_in_sd", "centre_to_peak")),
    "pruned": Columns(key=(*_NET, *_PRUNING), measured=("kept", "steps", "error_percent")),
    "layers": Columns(key=(*_NET, *_PRUNING, "round", "layer"), measured=("kept_fraction",)),
    "active": Columns(key=(*_NET, *_PRUNING, "layer"), measured=("active_fraction",)),
    "removal": Columns(key=(*_NET, *_PRUNING, "removed", "treatment"), measured=("drop_points",)),
}


def verdicts(
    tables: Mapping[str, DataFrame],
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
        tables: of `RUNS` -> their rows, of all runs; rows that say the same twice count once, their order plays no
            part.
        where: the same names -> the path verdicts point to, "<run>/tables/<name>.csv".
        target: label of the budget at which pruned nets are looked at.
        targets: labels of the budgets at which masked and regrown nets are compared.
        narrow: hidden widths of the net said to be less accurate than wider ones at the same budget.
        wider: hidden widths of those.
        narrowest: hidden widths below which a net is no subject.
        known: the claims; those published when absent.

    Raises:
        ValueError: as `claims.decide`; or a table has no net that is a subject, or says two things about one.
    """
    net = ("data", "recipe", "net")
    compare = partial(more_units_same_budget, target=target, narrow=narrow, wider=wider)
    rules = {
        "width-hardly-matters-dense": Rule(
            table="dense", decide=width_hardly_matters_dense, by=("data", "recipe"), case=_widths
        ),
        "half-active": Rule(
            table="active",
            decide=half_active,
            by=net,
            case=_one_net,
            only=lambda table: table["mode"] == "dense",
            matter="dense nets",
        ),
        "weights-centred": Rule(table="modes", decide=partial(weights_centred, target=target), by=net, case=_one_net),
        "more-units-same-budget": Rule(table="pruned", decide=compare, by=("data", "recipe"), case=_on),
        "regrow-helps": Rule(
            table="pruned",
            decide=regrow_helps,
            by=(*net, "target"),
            case=lambda rows: f"{rows['net'].iloc[0]} to {rows['target'].iloc[0]}, {_on(rows)}",
            only=partial(_regrown, targets=targets),
            matter=f"regrown nets with a global budget and a target among {list(targets)}",
        ),
        "last-activation-idle": Rule(
            table="removal",
            decide=last_activation_idle,
            by=(*net, *_PRUNING, "treatment"),
            case=_treated,
            only=lambda table: table["treatment"].isin(_TREATMENTS),
            matter=f"treatments among {list(_TREATMENTS)}",
        ),
        "global-starves-shallow": Rule(
            table="layers",
            decide=global_starves_shallow,
            by=net,
            case=_one_net,
            only=lambda table: (table["mode"] == "masked") & (table["budget"] == "global"),
            matter="masked nets with a global budget",
        ),
        "fewer-active-after": Rule(
            table="active", decide=partial(fewer_active_after, target=target), by=net, case=_one_net
        ),
    }
    read = partial(_read, narrowest=narrowest)
    return claims.decide(STUDY, rules, tables, where=where, read=read, sort=False, known=known)


def width_hardly_matters_dense(rows: DataFrame) -> Outcome:
    """Hold every width's mean accuracy to at least 97 % and their spread within a seed below 1 point."""
    nets = list(rows["net"].unique())
    if len(nets) < 2:
        raise NotCoveredError(f"widths are compared; only {nets[0]} was trained; train others")
    errors = rows.pivot_table("error_percent", index="seed", columns="net")
    if errors.isna().any(axis=None):
        lacking = [f"{net} with seed {seed}" for net in nets for seed in errors.index[errors[net].isna()]]
        raise NotCoveredError(f"the spread over widths needs every width of every seed; no {', '.join(lacking)}")
    widths = {
        net: decide(stats.t_interval(100 - errors[net]), side="at least", bound=97.0, unit="percent accuracy")
        for net in nets
    }
    spread = stats.t_interval(errors.max(axis=1) - errors.min(axis=1))
    apart = decide(spread, side="below", bound=1.0, unit="points of accuracy between widths")
    return joint({"accuracy": worst(widths), "spread": apart})


def half_active(rows: DataFrame) -> Outcome:
    """Hold the share of the first hidden layer's units active on an image, mean over the test set, to 0.4 to 0.6."""
    shares = _by_seed(rows[rows["layer"] == LAYERS[0]], "active_fraction")
    if shares.empty:
        raise NotCoveredError(f"the active share of {LAYERS[0]} was not measured")
    share, unit = stats.t_interval(shares), "of the units"
    low = decide(share, side="at least", bound=0.4, unit=unit)
    high = decide(share, side="at most", bound=0.6, unit=unit)
    nearest, verdict = min(low, high, key=lambda side: side.margin), all_of(low.verdict, high.verdict)
    return replace(nearest, verdict=verdict, reason=f"{nearest.reason}; the claim is 0.4 to 0.6")


def weights_centred(rows: DataFrame, *, target: str) -> Outcome:
    """Hold every layer's mode before pruning to 0.1 standard deviations of 0, and the centre after it to be empty.

    Empty is a density around 0 below half of that at the peak, over the surviving weights of all layers.
    """
    dense = rows[rows["mode"] == "dense"]
    if missing := [layer for layer in LAYERS if layer not in set(dense["layer"])]:
        raise NotCoveredError(f"the modes of the dense net's layers were not measured: {', '.join(missing)}")
    offsets = {layer: _by_seed(dense[dense["layer"] == layer], "mode_in_sd").abs() for layer in LAYERS}
    unit = "standard deviations from 0"
    before = {
        layer: decide(stats.t_interval(offset), side="at most", bound=0.1, unit=unit)
        for layer, offset in offsets.items()
    }
    after = _pruned(rows, target)
    whole = _by_seed(after[after["layer"] == "all"], "centre_to_peak")
    if whole.empty:
        raise NotCoveredError(f"the net pruned to {target} has no mode over all layers; measure it")
    centre = decide(stats.t_interval(whole), side="below", bound=0.5, unit="of the density at the peak")
    return joint({"before": worst(before), "after": centre})


def more_units_same_budget(rows: DataFrame, *, target: str, narrow: str, wider: Sequence[str]) -> Outcome:
    """Hold each wider start's mean accuracy above the narrow one's, with intervals that do not overlap.

    Each net's interval is Student's t over seeds; the effect is the smaller of the differences that decide, paired
    over seeds. Intervals apart in the claimed order reproduce the claim. A paired interval wholly at or below 0
    refutes it. All else leaves it open: the rule claims a difference and sets no bound below which one would count as
    none, so intervals that overlap fail to show it and show nothing against it, however many the seeds.
    """
    nets = (narrow, *wider)
    compared = _pruned(rows, target)
    if missing := [net for net in nets if net not in set(compared["net"])]:
        raise NotCoveredError(f"not pruned to {target}: {', '.join(missing)}; the rule compares {', '.join(nets)}")
    compared = compared[compared["net"].isin(nets)]
    _check_alike(compared)
    accuracy = {net: 100 - _by_seed(compared[compared["net"] == net], "error_percent") for net in nets}
    parts = {f"{net} - {narrow}": _lead(accuracy[net], accuracy[narrow]) for net in wider}
    return joint(dict(sorted(parts.items(), key=lambda part: part[1].margin)))


def regrow_helps(rows: DataFrame) -> Outcome:
    """Hold the gain in accuracy from training zeroed weights again, over masking them, above 0, paired over seeds."""
    ways = {mode: rows[rows["mode"] == mode] for mode in ("masked", "regrown")}
    if missing := [mode for mode, way in ways.items() if way.empty]:
        raise NotCoveredError(f"no {missing[0]} net at this budget; prune both ways")
    _check_alike(pd.concat(ways.values()))
    masked, regrown = (_by_seed(way, "error_percent") for way in ways.values())
    _check_paired(masked, regrown)
    gain = stats.paired(masked, regrown)  # errors: masked - regrown is the accuracy gained by regrowing
    return decide(gain, side="above", bound=0.0, unit="points of accuracy")


def last_activation_idle(rows: DataFrame) -> Outcome:
    """Hold the drop in accuracy without the last activation below 1 point, without the first above 10."""
    drops = {removed: _by_seed(rows[rows["removed"] == removed], "drop_points") for removed in ("last", "first")}
    if missing := [removed for removed, drop in drops.items() if drop.empty]:
        raise NotCoveredError(f"not removed: the {' and the '.join(missing)} activation")
    last, first = (stats.t_interval(drop) for drop in drops.values())
    unit = "points of accuracy lost"
    return joint(
        {
            "last": decide(last, side="below", bound=1.0, unit=unit),
            "first": decide(first, side="above", bound=10.0, unit=unit),
        }
    )


def global_starves_shallow(rows: DataFrame) -> Outcome:
    """Hold the smallest growth of the kept share from a layer to the next, over all rounds to all targets, above 0."""

    def growth(own: DataFrame) -> float:
        kept = own.pivot_table("kept_fraction", index=["target", "round"], columns="layer").reindex(columns=LAYERS)
        if kept.isna().any(axis=None):
            target, number = kept.index[kept.isna().any(axis=1)][0]
            raise NotCoveredError(f"round {number} to {target} lacks the kept share of a layer of {', '.join(LAYERS)}")
        return 100 * float(np.diff(kept.to_numpy(dtype=float), axis=1).min())

    smallest = stats.t_interval(per_seed(rows, growth))
    return decide(smallest, side="above", bound=0.0, unit="percentage points of kept share from layer to layer")


def fewer_active_after(rows: DataFrame, *, target: str) -> Outcome:
    """Hold the relative fall of the first layer's active share, from dense to pruned, to at least a third."""
    first = rows[rows["layer"] == LAYERS[0]]
    before = _by_seed(first[first["mode"] == "dense"], "active_fraction")
    if before.empty:
        raise NotCoveredError(f"the active share of the dense net's {LAYERS[0]} was not measured")
    after = _by_seed(_pruned(first, target), "active_fraction")
    _check_paired(before, after)
    if (before == 0).any():
        raise NotCoveredError(f"no unit of the dense net's {LAYERS[0]} is ever active; a share of nothing cannot fall")
    fall = stats.t_interval(100 * (before - after) / before)
    return decide(fall, side="at least", bound=100 / 3, unit="percent of the dense share")


def _by_seed(rows: DataFrame, column: str) -> "pd.Series[float]":
    """Return one value a seed, by ascending seed."""
    return rows.set_index("seed")[column].astype(float).sort_index()


def _pruned(rows: DataFrame, target: str) -> DataFrame:
    """Return the rows of nets pruned to a target; there must be some."""
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


def _check_alike(rows: DataFrame) -> None:
    """Refuse to compare nets trained for other numbers of steps, or left with other numbers of weights."""
    for column, what in (("steps", "training steps"), ("kept", "weights left")):
        low, high = float(rows[column].min()), float(rows[column].max())
        if high - low > TOLERANCE * high:
            raise NotCoveredError(f"nets compared have the same {what}, within 5 %; got {low:g} to {high:g}; run alike")


def _regrown(table: DataFrame, *, targets: Sequence[str]) -> "pd.Series[bool]":
    """Tell the rows of globally pruned nets of which some were regrown, at the given targets."""
    named = (table["budget"] == "global") & table["target"].isin(targets)
    subjects = [table[name] for name in ("data", "recipe", "net", "target")]
    return named & (named & (table["mode"] == "regrown")).groupby(subjects).transform("any")


def _on(rows: DataFrame) -> str:
    return f"{rows['recipe'].iloc[0]} recipe, {rows['data'].iloc[0]}"


def _one_net(rows: DataFrame) -> str:
    return f"{rows['net'].iloc[0]}, {_on(rows)}"


def _widths(rows: DataFrame) -> str:
    count = rows["net"].nunique()
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} width{'s' if count > 1 else ''}, {_on(rows)}"


def _treated(rows: DataFrame) -> str:
    one = rows.iloc[0]
    budget = "" if one["budget"] == "global" else f" ({one['budget']})"
    state = "dense" if one["mode"] == "dense" else f"{one['mode']}{budget} to {one['target']}"
    return f"{one['net']}, {state}, {one['treatment']}, {_on(rows)}"


def _read(name: str, table: DataFrame, *, narrowest: str) -> DataFrame:
    """Return a table's rows on the nets that are subjects, with their `net`, each once and in one order."""
    table = claims.checked(name, table, _COLUMNS)
    key, measured = list(_COLUMNS[name].key), _COLUMNS[name].measured
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
    return claims.settings(name, rows.drop(columns="model"), identity)
