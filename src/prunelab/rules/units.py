"""The rules that decide the claims of the mean-replacement study, as worded in `claims.yml`: which decides what.

A subject is a net on a data set, looked at in one way: on training or test examples, with one layer pruned at a time
or all at once, in one half of its training. How a subject is decided is in `units_penalties` and `units_choices`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from prunelab import claims
from prunelab.decisions import Outcome, undecided
from prunelab.rules import curves, units_choices, units_penalties, walk

STUDY = "mean-replacement"
ALL_LAYERS = "all"  # in `layer`: the units of every site removed at once
RIVALS = ("one shot", "one shot, tuned")  # schedules that iterative pruning is held against

_CHECKPOINT = ("data", "model", "seed", "step", "layer", "score")
# Of each table what tells its rows apart, and what is measured.
_COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "penalties": ((*_CHECKPOINT, "replacement", "part"), ("penalty",)),
    "choices": (_CHECKPOINT, ("chosen_fraction", "late_fraction")),
    "squares": ((*_CHECKPOINT, "unit"), ("mean_square",)),
    "fine-tuned": ((*_CHECKPOINT, "replacement", "tuning_steps", "part"), ("penalty",)),
    "iterative": (("data", "model", "seed", "schedule", "score", "replacement", "removed_percent", "part"), ("loss",)),
}


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """How a table is cut into the subjects of a claim, and what is decided of each."""

    table: str
    by: tuple[str, ...]  # columns that tell subjects apart, beyond net and data
    decide: Mapping[str, Callable[[pd.DataFrame], Outcome]]  # what ends a case's name -> how it is decided
    only: Callable[[pd.DataFrame], "pd.Series[bool]"] | None = None  # the rows that matter; all when absent
    matter: str = ""  # those rows in words


def verdicts(
    tables: Mapping[str, pd.DataFrame],
    *,
    where: Mapping[str, str],
    known: Sequence[claims.Claim] | None = None,
) -> list[claims.Verdict]:
    """Decide every claim of the study whose table is given, subject by subject.

    Args:
        tables: "penalties", "choices", "squares", "fine-tuned", "iterative" -> its rows, of all runs; the claims on a
            table that is missing are left out. Rows that say the same twice count once.
        where: the same names -> the path verdicts point to, "<run>/tables/<name>.csv".
        known: the claims; those published when absent.

    Returns:
        A verdict per claim, in the order of `claims.yml`. Row order plays no part.

    Raises:
        ValueError: a table is unknown, has no place in `where`, no rows, lacks columns, or says two things about the
            same setting; or a claim has no rule.
    """
    walk.check_places(tables, where)  # before the tables are read: it is the simpler thing to mend
    read = {name: _read(name, table) for name, table in tables.items()}
    return walk.decided(STUDY, _RULES, read, _outcomes, where=where, known=known)


def _one_layer(table: pd.DataFrame) -> "pd.Series[bool]":
    return table["layer"] != ALL_LAYERS


def _pruned(table: pd.DataFrame) -> "pd.Series[bool]":
    """Leave out the control, which lost no units."""
    return table["score"] != "nothing"


_RULES = {
    "lowers-penalty": _Rule(table="penalties", by=("part", "pruned"), decide={"": units_penalties.lowers_penalty}),
    "survives-fine-tuning": _Rule(
        table="fine-tuned",
        by=("part", "pruned", "half"),
        decide={"": units_penalties.survives_fine_tuning},
        only=_pruned,
        matter="nets that lost units",
    ),
    # Over all settings: one layer and all layers pruned are measurements of one profile.
    "profiles-improve": _Rule(table="penalties", by=("part",), decide={"": units_penalties.profiles_improve}),
    "mrs-large-activations": _Rule(
        table="squares",
        by=("layer",),
        decide={score: partial(units_choices.mrs_large_activations, score=score) for score in units_choices.MRS},
    ),
    "consistent-choices": _Rule(
        table="choices",
        by=(),
        decide={"": units_choices.consistent_choices},
        only=_one_layer,
        matter="layers pruned one at a time",
    ),
    "layers-differ": _Rule(
        table="penalties",
        by=("part",),
        decide={"": units_penalties.layers_differ},
        only=_one_layer,
        matter="layers pruned one at a time",
    ),
    "iterative": _Rule(
        table="iterative",
        by=("part",),
        decide={f"against {rival}": partial(units_penalties.iterative, rival=rival) for rival in RIVALS},
    ),
}


def _outcomes(rule: _Rule, table: pd.DataFrame) -> dict[str, Outcome]:
    """Decide each subject; data that do not cover what the rule needs leave it open."""
    rows = table if rule.only is None else table[rule.only(table)]
    if rows.empty:
        return {"no subject": undecided(f"{rule.table} has no {rule.matter}; measure some", unit="", n=0)}
    outcomes = {}
    for names, own in rows.groupby(["data", "model", *rule.by]):
        data, model, *looked_at = map(str, names)
        for ending, decide in rule.decide.items():
            case = ", ".join([f"{model} on {data}", *looked_at, *([ending] if ending else [])])
            try:
                outcomes[case] = decide(own)
            except curves.NotCoveredError as gap:
                outcomes[case] = undecided(str(gap), unit="", n=own["seed"].nunique())
    return outcomes


def _read(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table's rows, each once and in one order, with what was `pruned` and in which `half` of training."""
    if name not in _COLUMNS:
        raise ValueError(f"the rules read the tables {list(_COLUMNS)}; got {name!r}; is it misspelt?")
    key, measured = (list(columns) for columns in _COLUMNS[name])
    if missing := [column for column in (*key, *measured) if column not in table.columns]:
        raise ValueError(f"the rules on {name} need the columns {key + measured}; missing: {missing}")
    if table.empty:
        raise ValueError(f"a claim is decided on measurements; {name} has no rows; did its run measure anything?")
    rows = table[[*key, *measured]].drop_duplicates()
    for _, odd in rows[rows.duplicated(key)].head(1).iterrows():
        named = ", ".join(f"{column}={odd[column]!s}" for column in key)
        raise ValueError(f"{name} has one row a setting; it says two things about {named}; of two runs?")
    rows = rows.sort_values(key, ignore_index=True)
    if "layer" in key:
        whole = rows["layer"] == ALL_LAYERS
        rows["pruned"] = np.where(whole, "all layers at once", "one layer at a time")
    if "step" in key:
        middle = rows.groupby(["data", "model"])["step"].transform("max") / 2
        rows["half"] = np.where(rows["step"] > middle, "second half of training", "first half of training")
    return rows
