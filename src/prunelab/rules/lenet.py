"""The rules that decide the claims of the LeNet study, as worded in `claims.yml`, and those on its dense nets.

A subject is a net under one training recipe on one data set, or a comparison of such nets. Subjects are nets of two
hidden ReLU layers at least as wide as the narrowest of the source; others in the tables, such as dense controls with
as few weights as a pruned net has left, are passed over.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from prunelab import claims, models, stats
from prunelab.decisions import Outcome, all_of, decide, undecided
from prunelab.rules import curves, lenet_pruned, walk

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
    return walk.decided(STUDY, rules, read, _outcomes, where=where, known=known)


def width_hardly_matters_dense(rows: pd.DataFrame) -> Outcome:
    """Hold every width's mean accuracy to at least 97 % and their spread within a seed below 1 point.

    Args:
        rows: all dense nets under one recipe.

    Raises:
        NotCoveredError: there is one width only, or a seed lacks a width.
    """
    nets = list(rows["net"].unique())
    if len(nets) < 2:
        raise curves.NotCoveredError(f"widths are compared; only {nets[0]} was trained; train others")
    errors = rows.pivot_table("error_percent", index="seed", columns="net")
    if errors.isna().any(axis=None):
        lacking = [f"{net} with seed {seed}" for net in nets for seed in errors.index[errors[net].isna()]]
        raise curves.NotCoveredError(f"the spread over widths needs every width of every seed; no {', '.join(lacking)}")
    widths = {
        net: decide(stats.t_interval(100 - errors[net]), side="at least", bound=97.0, unit="percent accuracy")
        for net in nets
    }
    spread = stats.t_interval(errors.max(axis=1) - errors.min(axis=1))
    return lenet_pruned.joint(
        {
            "accuracy": lenet_pruned.worst(widths),
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
    shares = lenet_pruned.by_seed(rows[rows["layer"] == "fc1"], "active_fraction")
    if shares.empty:
        raise curves.NotCoveredError("the active share of fc1 was not measured")
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
    compare = partial(lenet_pruned.more_units_same_budget, target=target, narrow=narrow, wider=wider)
    return {
        "width-hardly-matters-dense": all_nets(table="dense", decide=width_hardly_matters_dense, case=_widths),
        "half-active": one_net(
            table="active", decide=half_active, only=lambda table: table["mode"] == "dense", matter="dense nets"
        ),
        "weights-centred": one_net(table="modes", decide=partial(lenet_pruned.weights_centred, target=target)),
        "more-units-same-budget": all_nets(table="pruned", decide=compare, case=lambda _: ""),
        "regrow-helps": _Rule(
            table="pruned",
            decide=lenet_pruned.regrow_helps,
            by=("net", "target"),
            case=lambda rows: f"{rows['net'].iloc[0]} to {rows['target'].iloc[0]}, ",
            only=partial(_regrown, targets=targets),
            matter=f"regrown nets with a global budget and a target among {list(targets)}",
        ),
        "last-activation-idle": _Rule(
            table="removal",
            decide=lenet_pruned.last_activation_idle,
            by=("net", *_PRUNING, "treatment"),
            case=_treated,
            only=lambda table: table["treatment"].isin(_TREATMENTS),
            matter=f"treatments among {list(_TREATMENTS)}",
        ),
        "global-starves-shallow": one_net(
            table="layers",
            decide=lenet_pruned.global_starves_shallow,
            only=lambda table: (table["mode"] == "masked") & (table["budget"] == "global"),
            matter="masked nets with a global budget",
        ),
        "fewer-active-after": one_net(table="active", decide=partial(lenet_pruned.fewer_active_after, target=target)),
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
        except curves.NotCoveredError as gap:
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
