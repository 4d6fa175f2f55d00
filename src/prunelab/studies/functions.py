"""The claims on pruning functions: what decides each, and from which table."""

from collections.abc import Mapping, Sequence

from pandas import DataFrame

from prunelab import claims
from prunelab.claims import Columns, Rule, deciding
from prunelab.studies.choices.rules import threshold_choice
from prunelab.studies.hardware.rules import structured_or_not
from prunelab.studies.kinds.rules import kinds as kinds_rule

STUDY = "functions"
# What the notebooks call the runs that leave the tables.
RUNS = {"kinds": "kinds-report", "threshold-choices": "functions-report", "times": "functions-report"}


def decide(*, kinds: str = "", choices: str = "", hardware: str = "") -> list[claims.Verdict]:
    """Decide the claims of the study, in the order of `claims.yml`.

    Args:
        kinds: folder of the run with the table "kinds" of all nets; the claim on it is left out where there is none.
        choices: folder of the run with "threshold-choices"; likewise.
        hardware: folder of the run with "times"; likewise.
    """
    given = {"kinds": kinds, "threshold-choices": choices, "times": hardware}
    if not any(given.values()):
        raise ValueError("claims are decided from the tables of runs; kinds, choices and hardware are all empty")
    tables, where = deciding({name: [folder] if folder else [] for name, folder in given.items()}, RUNS)
    return verdicts(tables, where=where)


def verdicts(
    tables: Mapping[str, DataFrame], *, where: Mapping[str, str], known: Sequence[claims.Claim] | None = None
) -> list[claims.Verdict]:
    """Decide every claim whose table is given, subject by subject; see `claims.decide`."""
    return claims.decide(STUDY, _RULES, tables, where=where, read=_read, known=known)


def _read(name: str, table: DataFrame) -> DataFrame:
    return claims.checked(name, table, _COLUMNS)


def _case(rows: DataFrame, words: str) -> str:
    return f"{rows['model'].iloc[0]} on {rows['data'].iloc[0]}, {words}"


def _ways_case(rows: DataFrame) -> str:
    words, scope = "retrained" if rows["retrained"].iloc[0] else "one-shot", rows["scope"].iloc[0]
    return _case(rows, words if scope == "global" else f"{words}, {scope}")


def _bound_case(rows: DataFrame) -> str:
    return _case(rows, rows["kind"].iloc[0])


def _call_case(rows: DataFrame) -> str:
    batch, threads = rows["batch"].iloc[0], rows["threads"].iloc[0]
    return _case(rows, f"batch {batch}, {threads} thread{'' if threads == 1 else 's'}")


_RULES = {
    "kinds": Rule(table="kinds", decide=kinds_rule, by=("data", "model", "scope", "retrained"), case=_ways_case),
    "threshold-choice": Rule(
        table="threshold-choices", decide=threshold_choice, by=("data", "model", "kind"), case=_bound_case
    ),
    "structured-or-not": Rule(
        table="times", decide=structured_or_not, by=("data", "model", "batch", "threads"), case=_call_case
    ),
}
_COLUMNS = {rule.table: Columns(key=(*rule.by, "seed")) for rule in _RULES.values()}
