"""What the runs decided: claims and verdicts read from the project's files; knows nothing of Sphinx."""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from prunelab import claims
from prunelab_book import results

# What a source measured, where our networks do another task: whoever reads a verdict must know.
SOURCE_TASKS = {"images": "the word error of a speech recogniser"}


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What one place of results says of a claim."""

    verdict: str
    least: claims.Case  # the case least in favour of the claim
    cases: tuple[claims.Case, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A claim, and by place of results what is decided there; None where nothing is yet."""

    claim: claims.Claim
    decided: Mapping[str, Decided | None]


def files(source: Path) -> list[Path]:
    """Every file that the findings are read from: the claims, and the verdicts of both places."""
    return [
        *sorted((source / "published").glob("*.yml")),
        *(file for place in results.PLACES for file in _decided(source, place)),
    ]


def findings(source: Path, study: str | None = None) -> list[Finding]:
    """All claims, or those of one study, each with what is decided on it.

    Raises:
        ResultError: no claim is of that study.
        ValueError: a file does not hold what it should, or a run decides a claim that is not listed.
    """
    found = _findings(source, tuple((file, file.stat().st_mtime_ns) for file in files(source)))
    studies = {finding.claim.study for finding in found}
    if study not in (None, *studies):
        raise results.ResultError(f"no study {study!r} in claims.yml{results.nearest(str(study), studies)}")
    return [finding for finding in found if study in (None, finding.claim.study)]


@functools.lru_cache(maxsize=1)  # every quote of a verdict asks for them
def _findings(source: Path, _files: tuple[tuple[Path, int], ...]) -> list[Finding]:
    stated = claims.load(source / "published" / "claims.yml")
    frame = claims.findings(source / results.PLACES["published"], source / results.PLACES["build"], stated)
    return [
        Finding(claim=claim, decided={place: _one(source, place, row) for place in results.PLACES})
        for claim, row in zip(stated, frame.to_dict("records"), strict=True)
    ]


def by_study(source: Path) -> dict[str, list[Finding]]:
    """The claims of each source, in the order written; not those held against other networks under another name."""
    file = source / "published" / "transfers.yml"
    transfers = (yaml.safe_load(file.read_text("utf-8")) or {}) if file.is_file() else {}
    studies: dict[str, list[Finding]] = {}
    for finding in findings(source):
        if finding.claim.study not in transfers:
            studies.setdefault(finding.claim.study, []).append(finding)
    return studies


def counts(found: Iterable[Finding], place: str) -> Counter[str]:
    """How many claims of a study have which verdict in one place of results."""
    decided = (finding.decided[place] for finding in found)
    return Counter(entry.verdict if entry else claims.NOT_YET for entry in decided)


def find(source: Path, place: str, study: str, name: str) -> Decided:
    """What is decided on one claim in one place.

    Raises:
        ResultError: no such place, study or claim, or the claim is not decided there.
    """
    if place not in results.PLACES:
        raise results.ResultError(f"results are of 'build' or 'published', not {place!r}")
    listed = {finding.claim.id: finding for finding in findings(source, study)}
    if name not in listed:
        raise results.ResultError(f"no claim {name!r} of {study}{results.nearest(name, listed)}")
    decided = listed[name].decided[place]
    if decided is None:
        raise results.ResultError(f"claim {name!r} of {study} is not decided in {results.PLACES[place]}")
    return decided


def case(decided: Decided, subject: str) -> claims.Case:
    """One subject's part of a verdict; ResultError naming the nearest when it has none."""
    cases = {entry.case: entry for entry in decided.cases}
    if subject not in cases:
        raise results.ResultError(f"no case {subject!r}{results.nearest(subject, cases)}")
    return cases[subject]


def subjects(decided: Iterable[Iterable[claims.Case]]) -> str:
    """Networks and data that decide: "lenet-300-100-relu, lenet-300-100-tanh on mnist"; empty where none does.

    Args:
        decided: the cases of each verdict.
    """
    networks: dict[str, list[str]] = {}
    for entry in (entry for cases in decided for entry in cases):
        network, _, data = entry.case.partition(" on ")
        known = networks.setdefault(data, [])
        known += [] if network in known else [network]
    return "; ".join(f"{', '.join(known)}{f' on {data}' if data else ''}" for data, known in networks.items())


def _decided(source: Path, place: str) -> list[Path]:
    """The files of verdicts in one place."""
    return sorted((source / results.PLACES[place]).glob("*/claims.json"))


def _one(source: Path, place: str, row: Mapping[str, Any]) -> Decided | None:
    """Complete a row of `prunelab.claims.findings`, where the runs are joined, by all its cases."""
    if row[f"verdict_{place}"] == claims.NOT_YET:
        return None
    cases = tuple(
        case
        for path in _decided(source, place)
        for entry in claims.read(path)
        if (entry.study, entry.id) == (row["study"], row["id"])
        for case in entry.cases
    )
    least = next(case for case in cases if case.case == row[f"case_{place}"])
    return Decided(verdict=row[f"verdict_{place}"], least=least, cases=cases)
