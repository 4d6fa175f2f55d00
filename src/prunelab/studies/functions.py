"""What pruned nets gain on hardware, put together from the runs of several nets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas import DataFrame

from prunelab import claims, decisions
from prunelab.decisions import Outcome, undecided
from prunelab.records import Value
from prunelab.studies.choices import rules
from prunelab.studies.common.runs import keep, table_of
from prunelab.studies.hardware import rules as hardware_rules
from prunelab.studies.hardware.summary import counted_values, timed_values
from prunelab.studies.kinds import rules as kinds_rules
from prunelab.studies.kinds.summary import NAME

TABLES = ("forms", "times", "latency", "crossovers", "memory")


_RUN = "hardware"


@dataclass(frozen=True, kw_only=True, eq=False)
class Timed:
    """What the run of one net measured."""

    name: str  # in the names of values and figures
    folder: str
    tables: dict[str, DataFrame]  # each of `TABLES`

    @property
    def suffix(self) -> str:
        """Give what stands behind the names of its figures."""
        return f"-{self.name}"


def read(runs: Sequence[str], names: Sequence[str]) -> list[Timed]:
    """Read the tables of the runs that timed pruned nets.

    Args:
        runs: folders, one a net.
        names: of each run, what its net is called; lower-case words joined by hyphens, each once.

    Raises:
        FileNotFoundError: no run is given, or one lacks a table.
        ValueError: not one name a run, one that is badly formed, or one twice.
    """
    whole = all(NAME.fullmatch(name) for name in names) and len(set(names)) == len(names)
    if len(runs) != len(names) or not whole:
        raise ValueError(
            f"each run has a name of its own, lower-case words joined by hyphens, as lenet; {len(runs)} runs have "
            f"{list(names)}"
        )
    found = zip(runs or [""], names or [""], strict=True)
    return [
        Timed(name=name, folder=run, tables={table: table_of(run, table, run=_RUN) for table in TABLES})
        for run, name in found
    ]


def keep_joined(nets: Sequence[Timed]) -> None:
    """Save each table of all nets together with this run, described as in theirs."""
    for table in TABLES:
        joined = pd.concat([net.tables[table] for net in nets], ignore_index=True)
        keep(joined, table, folder=nets[0].folder, of=table)


def hardware_values_of(nets: Sequence[Timed]) -> dict[str, Value]:
    """Quote the numbers of every net, its name before theirs; see `hardware_values` for these."""
    values: dict[str, Value] = {}
    for net in nets:
        own = counted_values(net.tables["forms"])
        own |= timed_values(*(net.tables[table] for table in ("latency", "crossovers", "memory")))
        values |= {f"{net.name}-{name}": value for name, value in own.items()}
    return values


STUDY = "functions"


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """How a table is cut into the subjects of a claim, and what is decided of each."""

    table: str
    by: tuple[str, ...]  # columns that tell subjects apart, beyond net and data
    words: Callable[..., str]  # what a subject is called, from these columns
    decide: Callable[[pd.DataFrame], Outcome]


def verdicts(
    tables: Mapping[str, pd.DataFrame],
    *,
    where: Mapping[str, str],
    known: Sequence[claims.Claim] | None = None,
) -> list[claims.Verdict]:
    """Decide every claim of the study whose table is given, subject by subject.

    Args:
        tables: "kinds", "threshold-choices", "times" -> its rows, of all nets; the claims on a table that is missing
            are left out.
        where: the same names -> the path verdicts point to, "<run>/tables/<name>.csv".
        known: the claims; those published when absent.

    Returns:
        A verdict per claim, in the order of `claims.yml`. Row order plays no part.

    Raises:
        ValueError: a table is unknown, has no place in `where`, no rows or lacks columns; or a claim has no rule.
    """
    known_tables = {rule.table for rule in _RULES.values()}
    if odd := sorted(set(tables) - known_tables):
        raise ValueError(f"the rules read the tables {sorted(known_tables)}; got {odd[0]!r}; is it misspelt?")
    return claims.decided(STUDY, _RULES, tables, _outcomes, where=where, known=known)


def _kinds_words(scope: str, retrained: bool) -> str:
    ways = "retrained" if retrained else "one-shot"
    return ways if scope == "global" else f"{ways}, {scope}"


def _times_words(batch: int, threads: int) -> str:
    return f"batch {batch}, {threads} thread{'' if threads == 1 else 's'}"


_RULES = {
    "kinds": _Rule(table="kinds", by=("scope", "retrained"), words=_kinds_words, decide=kinds_rules.kinds),
    "threshold-choice": _Rule(table="threshold-choices", by=("kind",), words=str, decide=rules.threshold_choice),
    "structured-or-not": _Rule(
        table="times", by=("batch", "threads"), words=_times_words, decide=hardware_rules.structured_or_not
    ),
}


def _outcomes(rule: _Rule, table: pd.DataFrame) -> dict[str, Outcome]:
    """Decide each subject; data that do not cover what the rule needs leave it open."""
    named = ["data", "model", *rule.by]
    if missing := [column for column in (*named, "seed") if column not in table.columns]:
        raise ValueError(f"the rules on {rule.table} need the columns {[*named, 'seed']}; missing: {missing}")
    if table.empty:
        raise ValueError(f"a claim is decided on measurements; {rule.table} has no rows; did its run measure anything?")
    outcomes = {}
    for names, own in table.groupby(named):
        data, model, *looked_at = names
        case = f"{model} on {data}, {rule.words(*looked_at)}"
        try:
            outcomes[case] = rule.decide(own)
        except decisions.NotCoveredError as gap:
            outcomes[case] = undecided(str(gap), unit="", n=own["seed"].nunique())
    return outcomes


# What the notebooks call the runs that leave the tables that decide the claims.
RUNS = {"kinds": "kinds-report", "threshold-choices": "functions-report", "times": "functions-report"}


def decide(*, kinds: str = "", choices: str = "", hardware: str = "") -> list[claims.Verdict]:
    """Decide the claims of the study.

    Args:
        kinds: folder of the run with the table "kinds" of all nets; the claim on it is left out where there is none.
        choices: folder of the run with "threshold-choices"; likewise.
        hardware: folder of the run with "times"; likewise.

    Returns:
        One verdict a claim, in the order of `claims.yml`.

    Raises:
        FileNotFoundError: a run lacks its table.
        ValueError: no run is given, or what the rules refuse.
    """
    given = {"kinds": kinds, "threshold-choices": choices, "times": hardware}
    folders = {name: folder for name, folder in given.items() if folder}
    if not folders:
        raise ValueError("claims are decided from the tables of runs; kinds, choices and hardware are all empty")
    tables = {name: table_of(folder, name, run=RUNS[name]) for name, folder in folders.items()}
    where = {name: f"{Path(folder).name}/tables/{name}.csv" for name, folder in folders.items()}
    return verdicts(tables, where=where)
