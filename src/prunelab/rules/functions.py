"""The rules that decide the claims on pruning functions, as worded in `claims.yml`: which decides what.

A subject is a net on a data set, looked at in one way: one-shot or retrained, for one kind of bound, or called with one
batch size and number of threads. How a subject is decided is in `functions_kinds`, `functions_choice` and
`functions_hardware`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from prunelab import claims
from prunelab.decisions import Outcome, undecided
from prunelab.rules import curves, functions_choice, functions_hardware, functions_kinds, walk

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
    return walk.decided(STUDY, _RULES, tables, _outcomes, where=where, known=known)


def _kinds_words(scope: str, retrained: bool) -> str:
    ways = "retrained" if retrained else "one-shot"
    return ways if scope == "global" else f"{ways}, {scope}"


def _times_words(batch: int, threads: int) -> str:
    return f"batch {batch}, {threads} thread{'' if threads == 1 else 's'}"


_RULES = {
    "kinds": _Rule(table="kinds", by=("scope", "retrained"), words=_kinds_words, decide=functions_kinds.kinds),
    "threshold-choice": _Rule(
        table="threshold-choices", by=("kind",), words=str, decide=functions_choice.threshold_choice
    ),
    "structured-or-not": _Rule(
        table="times", by=("batch", "threads"), words=_times_words, decide=functions_hardware.structured_or_not
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
        except curves.NotCoveredError as gap:
            outcomes[case] = undecided(str(gap), unit="", n=own["seed"].nunique())
    return outcomes
