"""The claims of the sources and how they fare: tables decided by a rule, subject by subject, into one verdict.

The rules themselves are one module a study (`prunelab.rules`), on top of `decisions`.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated as A
from typing import Any

import pandas as pd
import yaml
from pandas import DataFrame

from prunelab import files, project
from prunelab.decisions import Decision, NotCoveredError, Outcome, undecided
from prunelab.tables import Table, of_runs

NOT_YET = "not yet decided"

# From least to most in favour of a claim; which of its subjects a verdict quotes follows this order.
_FAVOUR: tuple[Decision, ...] = ("not-reproduced", "inconclusive", "partly", "reproduced")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of a source, with the rule that decides it, as published in `claims.yml`."""

    study: str
    id: str
    statement: str
    published: dict[str, Any] | None  # the figures the source gives for it
    rule: str
    figure: str = ""  # "run/figure" that shows what decides it
    translated: Mapping[str, str] = field(default_factory=dict)  # language -> statement


@dataclass(frozen=True, kw_only=True)
class Case:
    """The verdict on one subject, a network on a data set."""

    case: str
    verdict: Decision
    effect: float | None
    low: float | None
    high: float | None
    unit: str
    n_seeds: int
    table: str
    margin: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on a claim over all its subjects; effect, table and reason are those of the least favourable one."""

    study: str
    id: str
    verdict: Decision
    effect: float | None
    low: float | None
    high: float | None
    unit: str
    n_seeds: int
    published: dict[str, Any] | None
    table: str
    case: str
    reason: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the rules read of a table: the columns that tell its rows apart, and those that were measured."""

    key: tuple[str, ...]
    measured: tuple[str, ...] = ()


def _net(rows: DataFrame) -> str:
    return f"{rows['model'].iloc[0]} on {rows['data'].iloc[0]}"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a table is cut into the subjects of a claim, and what is decided of each."""

    table: str
    decide: (
        Callable[[DataFrame], Outcome] | Mapping[str, Callable[[DataFrame], Outcome]]
    )  # or by what ends a case's name
    by: tuple[str, ...] = ("data", "model")  # columns that tell subjects apart
    case: Callable[[DataFrame], str] = _net  # names a subject, from its rows
    only: Callable[[DataFrame], "pd.Series[bool]"] | None = None  # the rows that matter; all when absent
    matter: str = ""  # those rows in words


class Decided(Table, key="claim case", name="verdicts"):
    """One claim, decided on one subject."""

    claim: A[str, "id of the claim"]
    case: A[str, "net and data it is decided on"]
    verdict: A[Decision, "reproduced, partly, not-reproduced or inconclusive"]
    effect: A[float | None, "what the rule measures; may be empty where the data do not reach [unit beside]"]
    low: A[float | None, "lower end of its 95 % interval over seeds; may be empty [unit beside]"]
    high: A[float | None, "upper end of its 95 % interval over seeds; may be empty [unit beside]"]
    unit: A[str, "of effect, low and high; may be empty where there is no effect"]
    n_seeds: A[int, "nets behind it"]
    reason: A[str, "the effect held against the rule's bound"]


class DecidedByTimes(Decided, varies=True, name="verdicts"):
    """The same, where some rest on measured times."""


def load(path: Path | None = None) -> list[Claim]:
    """Read the claims of every study, in the order written, and those held against other networks right behind theirs.

    Args:
        path: a `claims.yml`, study -> list of claims; the published one when absent. A `transfers.yml` beside it,
            name -> study, repeats a study's claims under another name, without the source's figures.

    Raises:
        ValueError: a claim lacks a field or has an unknown one, two of one study share an id, or a transfer is of no
            study.
    """
    path = path or project.published() / "claims.yml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    transfers = _transfers(path.with_name("transfers.yml"), content)
    claims = []
    for study, entries in content.items():
        claims += [_claim(study, entry, path) for entry in entries]
        names = [name for name, of in transfers.items() if of == study]
        claims += [replace(_claim(name, entry, path), published=None) for name in names for entry in entries]
    seen: set[tuple[str, str]] = set()
    for claim in claims:
        if (claim.study, claim.id) in seen:
            raise ValueError(f"the ids of a study's claims differ; {claim.study}: {claim.id} is twice in {path}")
        seen.add((claim.study, claim.id))
    return claims


def combine(decisions: Sequence[Decision]) -> Decision:
    """Join the verdicts on a claim's subjects into one.

    All alike: that one. Some for and some against, or some partly: partly, whatever the open ones would say.
    Otherwise, with some open: inconclusive.

    Raises:
        ValueError: there is no verdict to join.
    """
    if not decisions:
        raise ValueError("a claim is decided on at least one subject; got none; is the table empty?")
    decided = set(decisions) - {"inconclusive"}
    if len(decided) > 1 or "partly" in decided:
        return "partly"
    return "inconclusive" if "inconclusive" in decisions else decisions[0]


def verdict(claim: Claim, outcomes: Mapping[str, Outcome], *, table: str) -> Verdict:
    """Join what the claim's rule says about each subject.

    Args:
        claim: the claim.
        outcomes: subject -> outcome.
        table: where the numbers are, "<run>/tables/<name>.csv".
    """
    return _join(claim, [_case(subject, outcome, table) for subject, outcome in outcomes.items()])


def decide(
    study: str,
    rules: Mapping[str, Rule],
    tables: Mapping[str, DataFrame],
    *,
    where: Mapping[str, str],
    read: Callable[[str, DataFrame], DataFrame] = lambda _, table: table,
    sort: bool = True,
    known: Sequence[Claim] | None = None,
) -> list[Verdict]:
    """Decide every claim of a study whose table is given, subject by subject.

    Args:
        study: its name in `claims.yml`.
        rules: claim id -> its rule.
        tables: name -> rows; the claims on a table that is missing are left out.
        where: the same names -> the path verdicts point to, "<run>/tables/<name>.csv".
        read: what each table goes through first, name and rows: see `checked` and `settings`.
        sort: subjects in the order of what tells them apart; else in that of their rows.
        known: the claims; those published when absent.

    Returns:
        A verdict per claim, in the order of `claims.yml`.

    Raises:
        ValueError: a table has no place in `where`, or a claim has no rule; or as `read`.
    """
    if missing := [name for name in tables if name not in where]:
        raise ValueError(f"a verdict says where its numbers are; no place given for {missing}; add it to where")
    rows = {name: read(name, table) for name, table in tables.items()}
    found = []
    for claim in load() if known is None else known:
        if claim.study != study:
            continue
        if claim.id not in rules:
            raise ValueError(f"every claim of {study} has a rule; {claim.id!r} has none; known: {sorted(rules)}")
        rule = rules[claim.id]
        if rule.table in rows:
            found.append(verdict(claim, _outcomes(rule, rows[rule.table], sort=sort), table=where[rule.table]))
    return found


def deciding(
    folders: Mapping[str, Sequence[str]], runs: Mapping[str, str]
) -> tuple[dict[str, DataFrame], dict[str, str]]:
    """Read the tables that decide a study's claims.

    Args:
        folders: table -> the runs that hold it; one with none is left out.
        runs: table -> a run that leaves it, for the hint in the error.

    Returns:
        The tables, of all runs each; and the paths that verdicts point to, "<run>/tables/<name>.csv".

    Raises:
        FileNotFoundError: a folder is empty, or its run lacks the table.
    """
    found = {name: of_runs(own, name, run=runs[name]) for name, own in folders.items() if own}
    return found, {name: f"{Path(folders[name][0]).name}/tables/{name}.csv" for name in found}


def checked(name: str, table: DataFrame, columns: Mapping[str, Columns]) -> DataFrame:
    """Return a table that the rules read, which has rows and the columns they need.

    Raises:
        ValueError: it is none of those, lacks a column, or has no rows.
    """
    if name not in columns:
        raise ValueError(f"the rules read the tables {list(columns)}; got {name!r}; is it misspelt?")
    needed = [*columns[name].key, *columns[name].measured]
    if missing := [column for column in needed if column not in table.columns]:
        raise ValueError(f"the rules on {name} need the columns {needed}; missing: {missing}")
    if table.empty:
        raise ValueError(f"a claim is decided on measurements; {name} has no rows; did its run measure anything?")
    return table


def settings(name: str, rows: DataFrame, key: Sequence[str]) -> DataFrame:
    """Return rows each once and in one order, so that neither repeats nor the order of runs play a part.

    Raises:
        ValueError: two rows say different things about one setting.
    """
    rows = rows.drop_duplicates()
    for _, odd in rows[rows.duplicated(list(key))].head(1).iterrows():
        named = ", ".join(f"{column}={odd[column]!s}" for column in key)
        raise ValueError(
            f"{name} has one row a net and setting; it says two things about {named}; of two runs, or two schedules?"
        )
    return rows.sort_values(list(key), ignore_index=True)


def verdict_table(verdicts: Sequence[Verdict]) -> DataFrame:
    """Lay the verdicts out, one row a claim and subject."""
    rows = [{"claim": verdict.id} | vars(case) for verdict in verdicts for case in verdict.cases]
    return Decided.frame(DataFrame(rows))


def publish(verdicts: Sequence[Verdict], name: str = "verdicts", *, varies: bool = False) -> DataFrame:
    """Save a run's verdicts, to `claims.json` and as a table, and give the table.

    Args:
        verdicts: of all the study's claims.
        name: the table's.
        varies: some rest on measured times, which another run will not repeat.
    """
    save(verdicts)
    return (DecidedByTimes if varies else Decided).save(verdict_table(verdicts), name)


def save(verdicts: Sequence[Verdict], folder: Path = Path()) -> Path:
    """Write the verdicts of a run to `claims.json` in its folder.

    Raises:
        ValueError: a claim has two verdicts.
    """
    names = [(entry.study, entry.id) for entry in verdicts]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"a run decides a claim once; got two verdicts on {sorted(twice)}; give it all the subjects")
    return files.write_json(folder / "claims.json", [asdict(entry) for entry in verdicts])


def read(path: Path) -> list[Verdict]:
    """Read the verdicts of a run from its `claims.json`.

    Raises:
        ValueError: an entry is no verdict.
    """
    entries = json.loads(path.read_text(encoding="utf-8"))
    try:
        return [Verdict(**{**entry, "cases": tuple(Case(**case) for case in entry["cases"])}) for entry in entries]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} holds an entry that is no verdict ({error}); run its notebook again") from error


def findings(published: Path, build: Path, claims: Sequence[Claim] | None = None) -> pd.DataFrame:
    """Lay out every claim with what the published results and those of this build say about it.

    A claim that several runs decide is joined over their subjects.

    Args:
        published: folder of runs, `<run>/claims.json`; may be missing.
        build: folder of runs of the profile being built; may be missing.
        claims: all claims; those published when absent.

    Returns:
        A row per claim: study, id, statement, rule, source (the figures the source gives, empty if none), then
        verdict, effect, low, high, unit, n_seeds, case, table and reason, each as `<name>_published` and
        `<name>_build`; verdicts of claims nobody decided are "not yet decided".

    Raises:
        ValueError: a run decides a claim that `claims` lacks.
    """
    claims = load() if claims is None else claims
    decided = {name: _gather(folder, claims) for name, folder in (("published", published), ("build", build))}
    shown = ("verdict", "effect", "low", "high", "unit", "n_seeds", "case", "table", "reason")
    rows = []
    for claim in claims:
        source = "" if claim.published is None else json.dumps(claim.published, ensure_ascii=False)
        row: dict[str, Any] = {
            "study": claim.study,
            "id": claim.id,
            "statement": claim.statement,
            "rule": claim.rule,
            "source": source,
        }
        for name, verdicts in decided.items():
            entry = verdicts.get((claim.study, claim.id))
            row |= {f"{field}_{name}": getattr(entry, field, None) for field in shown}
            row[f"verdict_{name}"] = NOT_YET if entry is None else entry.verdict
        rows.append(row)
    return pd.DataFrame(rows)


def _transfers(path: Path, studies: Mapping[str, Any]) -> dict[str, str]:
    """Read which names repeat which study's claims; none where there is no such file."""
    if not path.is_file():
        return {}
    transfers: dict[str, str] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    for name, study in transfers.items():
        if study not in studies or name in studies:
            raise ValueError(f"a transfer gives a new name to a study of {sorted(studies)}; {path} has {name}: {study}")
    return transfers


def _gather(folder: Path, claims: Sequence[Claim]) -> dict[tuple[str, str], Verdict]:
    """Join the verdicts of all runs in a folder, claim by claim."""
    known = {(claim.study, claim.id): claim for claim in claims}
    cases: dict[tuple[str, str], list[Case]] = {}
    for path in sorted(folder.glob("*/claims.json")):
        for entry in read(path):
            name = (entry.study, entry.id)
            if name not in known:
                raise ValueError(f"{path} decides {entry.study}: {entry.id}, which claims.yml lacks; renamed since?")
            cases.setdefault(name, []).extend(entry.cases)
    return {name: _join(known[name], list(found)) for name, found in cases.items()}


def _outcomes(rule: Rule, table: DataFrame, *, sort: bool) -> dict[str, Outcome]:
    """Decide each subject; data that do not cover what the rule needs leave it open."""
    rows = table if rule.only is None else table[rule.only(table)]
    if rows.empty:
        return {"no subject": undecided(f"{rule.table} has no {rule.matter}; measure some", unit="", n=0)}
    outcomes = {}
    for _, own in rows.groupby(list(rule.by), sort=sort):
        for ending, decides in (rule.decide if isinstance(rule.decide, Mapping) else {"": rule.decide}).items():
            case = f"{rule.case(own)}, {ending}" if ending else rule.case(own)
            try:
                outcomes[case] = decides(own)
            except NotCoveredError as gap:
                outcomes[case] = undecided(str(gap), unit="", n=own["seed"].nunique())
    return outcomes


def _join(claim: Claim, cases: Sequence[Case]) -> Verdict:
    decision = combine([case.verdict for case in cases])
    # An unmeasured margin is the least favourable of its kind.
    least = min(
        cases, key=lambda case: (_FAVOUR.index(case.verdict), -math.inf if case.margin is None else case.margin)
    )
    shown = {name: getattr(least, name) for name in ("effect", "low", "high", "unit", "n_seeds", "table", "case")}
    return Verdict(
        study=claim.study,
        id=claim.id,
        verdict=decision,
        published=claim.published,
        reason=least.reason,
        cases=tuple(cases),
        **shown,
    )


def _case(subject: str, outcome: Outcome, table: str) -> Case:
    """Write an outcome in what JSON can hold: a number that was not had is None."""
    effect = outcome.effect
    numbers = {"effect": effect.value, "low": effect.low, "high": effect.high, "margin": outcome.margin}
    return Case(
        case=subject,
        verdict=outcome.verdict,
        unit=outcome.unit,
        n_seeds=effect.n,
        table=table,
        reason=outcome.reason,
        **{name: number if math.isfinite(number) else None for name, number in numbers.items()},
    )


def _claim(study: str, entry: Mapping[str, Any], path: Path) -> Claim:
    needed, others = {"id", "statement", "rule"}, {"published", "figure"}
    languages = {name for name in entry if re.fullmatch("[a-z]{2}", name)}
    if not needed <= set(entry) <= needed | others | languages:
        odd = sorted((needed - set(entry)) | (set(entry) - needed - others - languages))
        raise ValueError(
            f"a claim has {sorted(needed)} and may have published, figure and languages of two letters; {study} in "
            f"{path} is off by {odd}"
        )
    published = entry.get("published")
    # A key like 150 is a number in YAML and text in JSON; text is what both sides of a file agree on.
    facts = None if published is None else {str(key): value for key, value in published.items()}
    figure = entry.get("figure", "")
    return Claim(
        **{name: entry[name] for name in sorted(needed)},
        study=study,
        published=facts,
        figure=figure if isinstance(figure, str) else figure.get(study, ""),
        translated={name: entry[name] for name in languages},
    )
