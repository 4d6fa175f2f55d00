"""The walk over a study's claims that the rules of several studies share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import pandas as pd

from prunelab import claims
from prunelab.decisions import Outcome


class Ruled(Protocol):
    """What says which table decides a claim."""

    @property
    def table(self) -> str:
        """Name the table."""


_R = TypeVar("_R", bound=Ruled)


def decided(
    study: str,
    rules: Mapping[str, _R],
    tables: Mapping[str, pd.DataFrame],
    outcomes: Callable[[_R, pd.DataFrame], Mapping[str, Outcome]],
    *,
    where: Mapping[str, str],
    known: Sequence[claims.Claim] | None,
) -> list[claims.Verdict]:
    """Decide every claim of a study whose table is given.

    Args:
        study: its name in `claims.yml`.
        rules: claim id -> its rule.
        tables: name -> rows; the claims on a table that is missing are left out.
        outcomes: decides each subject in a rule's table.
        where: the same names -> the path verdicts point to, "<run>/tables/<name>.csv".
        known: the claims; those published when absent.

    Returns:
        A verdict per claim, in the order of `claims.yml`.

    Raises:
        ValueError: a table has no place in `where`, or a claim has no rule.
    """
    check_places(tables, where)
    found = []
    for claim in claims.load() if known is None else known:
        if claim.study != study:
            continue
        if claim.id not in rules:
            raise ValueError(f"every claim of {study} has a rule; {claim.id!r} has none; known: {sorted(rules)}")
        rule = rules[claim.id]
        if rule.table in tables:
            found.append(claims.verdict(claim, outcomes(rule, tables[rule.table]), table=where[rule.table]))
    return found


def check_places(tables: Mapping[str, pd.DataFrame], where: Mapping[str, str]) -> None:
    """Refuse tables that no verdict could point to.

    Raises:
        ValueError: a table has no place.
    """
    if missing := [name for name in tables if name not in where]:
        raise ValueError(f"a verdict says where its numbers are; no place given for {missing}; add it to where")
