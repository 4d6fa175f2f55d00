"""Verification: every table and verdict of a run held against those published, or against another folder."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from prunelab import project, tables
from prunelab.report import profiles, runs
from prunelab.report.profiles import Run

IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"
VARIES = "measured anew"  # seconds and the like, which no run repeats: of these only what was measured is compared
MISSING, EXTRA = "missing", "extra"
AGREEING = (IDENTICAL, WITHIN, VARIES)


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far two numbers may lie apart: |new - old| <= atol + rtol * |old|."""

    rtol: float = 1e-6  # relative, >= 0
    atol: float = 0.0  # in the number's own unit, >= 0

    def excess(self, old: float, new: float) -> float:
        """Return the distance of two numbers over the distance allowed: 0 = equal, above 1 = too far apart."""
        if old == new or (math.isnan(old) and math.isnan(new)):
            return 0.0
        distance, allowed = abs(new - old), self.atol + self.rtol * abs(old)
        if not math.isfinite(distance):
            return math.inf
        return distance / allowed if allowed > 0 else math.inf


CLOSE = Tolerance()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came of holding one table or verdict against its counterpart."""

    run: str
    kind: str  # "run", "table" or "verdict"
    name: str
    outcome: str  # one of the constants above
    where: str = ""  # the worst place: column and key of the row, or the field
    old: str = ""  # what the published side says there
    new: str = ""


def agree(comparisons: Sequence[Comparison]) -> bool:
    """Say whether everything is identical or within tolerance."""
    return all(each.outcome in AGREEING for each in comparisons)


def compare(run: str, old: Path, new: Path, tolerance: Tolerance) -> list[Comparison]:
    """Compare two folders of one run, table by table, verdict by verdict.

    A table that disagrees with its sidecar is a difference. Of tables marked as varying from run to run only keys and
    columns are compared, and of verdicts that rest on such a table only the verdict itself.

    Returns:
        One comparison per table and verdict that either folder has; `old` is the published one.

    Raises:
        ValueError: verdicts that are not valid JSON.
    """
    found = []
    for name in sorted({path.stem for folder in (old, new) for path in (folder / "tables").glob("*.csv")}):
        paths = old / "tables" / f"{name}.csv", new / "tables" / f"{name}.csv"
        outcome, where, *values = one_side(*(path.is_file() for path in paths)) or _compare_tables(*paths, tolerance)
        found.append(compared(run, "table", name, outcome, where, *values))
    before, after = _verdicts(old), _verdicts(new)
    for name in sorted(before.keys() | after.keys()):
        outcome, where, *values = one_side(name in before, name in after) or _compare_verdicts(
            before[name], after[name], tolerance
        )
        found.append(compared(run, "verdict", name, outcome, where, *values))
    return found


# Every comparison below returns (outcome, where, old value, new value).
_Outcome = tuple[str, str, object, object]


def one_side(old: bool, new: bool) -> _Outcome | None:
    """Return the outcome for what one side alone has, as (outcome, where, old, new); None when both have it."""
    if old and new:
        return None
    return (EXTRA if new else MISSING), "", "there" if old else "", "there" if new else ""


def _compare_tables(old: Path, new: Path, tolerance: Tolerance) -> _Outcome:
    """Compare two tables row by row, rows matched by their key whatever their order."""
    described = [path.with_suffix(".json") for path in (old, new)]
    if all(path.is_file() for path in described) and all(
        first.read_bytes() == second.read_bytes() for first, second in ((old, new), described)
    ):
        return IDENTICAL, "", "", ""
    try:
        frames = [tables.load(path) for path in (old, new)]
    except (ValueError, OSError) as error:
        # One damaged table must not hide what came of the others, which may have taken hours to make.
        return DIFFERENT, str(error), "", ""
    sidecars = [json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) for path in (old, new)]
    keys = [sidecar["key"] for sidecar in sidecars]
    if keys[0] != keys[1]:
        return DIFFERENT, "key", ", ".join(keys[0]), ", ".join(keys[1])
    before, after = (frame.set_index(keys[0]).sort_index() for frame in frames)
    if set(before.columns) != set(after.columns):
        return DIFFERENT, "columns", ", ".join(before.columns), ", ".join(after.columns)
    for outcome, one, other in ((MISSING, before, after), (EXTRA, after, before)):
        alone = one.index.difference(other.index)
        if len(alone):
            place = f"{len(alone)} {outcome} row{'s' if len(alone) > 1 else ''}, first {_row(before.index, alone[0])}"
            return DIFFERENT, place, len(before), len(after)
    if all(sidecar.get("varies", False) for sidecar in sidecars):
        return VARIES, "", "", ""
    cells = (
        (_excess(before[column].iloc[row], after[column].iloc[row], tolerance), column, row)
        for column in before.columns
        for row in range(len(before))
    )
    excess, column, row = max(cells, key=lambda cell: cell[0], default=(0.0, "", 0))
    if excess == 0:
        return WITHIN, "order of rows or columns", "", ""
    where = f"{column} at {_row(before.index, before.index[row])}"
    return _judged(excess), where, before[column].iloc[row], after[column].iloc[row]


def _compare_verdicts(old: Mapping[str, Any], new: Mapping[str, Any], tolerance: Tolerance) -> _Outcome:
    """Compare two verdicts field by field; of those marked as varying the verdict itself alone."""
    if old == new:
        return IDENTICAL, "", "", ""
    if old.get("varies", False) and new.get("varies", False):
        before, after = old["verdict"], new["verdict"]
        return (VARIES, "", "", "") if before == after else (DIFFERENT, "verdict", before, after)
    leaves = ((_excess(one, other, tolerance), path, one, other) for path, one, other in _leaves(old, new))
    # A changed verdict is what a reader must see first, so equal excesses keep the order of the fields.
    excess, path, one, other = max(leaves, key=lambda leaf: leaf[0])
    return _judged(excess), path, one, other


def _excess(old: object, new: object, tolerance: Tolerance) -> float:
    """Return `Tolerance.excess` of two numbers; of anything else 0 when equal and infinity when not."""
    if _is_number(old) and _is_number(new):
        return tolerance.excess(float(old), float(new))  # type: ignore[arg-type]
    # An empty cell of text is NaN, which equals nothing.
    return 0.0 if old == new or (old != old and new != new) else math.inf


def _is_number(value: object) -> bool:
    return pd.api.types.is_number(value) and not isinstance(value, bool)


def _judged(excess: float) -> str:
    return WITHIN if excess <= 1 else DIFFERENT


def _leaves(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Walk two JSON values in step down to their leaves; where their shapes differ, give them whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _leaves(old.get(key), new.get(key), f"{path}.{key}".removeprefix("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _leaves(one, other, f"{path}[{index}]")
    else:
        yield path, old, new


def _row(index: pd.Index, key: object) -> str:
    values = key if isinstance(key, tuple) else (key,)
    return ", ".join(f"{name}={value}" for name, value in zip(index.names, values, strict=True))


def _verdicts(folder: Path) -> dict[str, Any]:
    """Return study/id -> verdict record, the verdict itself first, marked where it rests on a table that varies."""
    found = {}
    for claim in _json(folder / "claims.json") or []:
        sidecars = [(folder.parent / case["table"]).with_suffix(".json") for case in claim["cases"]]
        varies = any((_json(sidecar) or {}).get("varies", False) for sidecar in sidecars)
        mark = {"varies": True} if varies else {}
        found[f"{claim['study']}/{claim['id']}"] = {"verdict": claim["verdict"], **claim, **mark}
    return found


def _json(path: Path) -> Any:
    """Read a JSON file; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); restore it or make its run again") from None


def compared(run: str, kind: str, name: str, outcome: str, where: str, old: object, new: object) -> Comparison:
    """Write one comparison down, what both sides say as text."""
    return Comparison(run=run, kind=kind, name=name, outcome=outcome, where=where, old=str(old), new=str(new))


def verify(
    profile: str,
    run: str | None = None,
    *,
    against: Path | None = None,
    execute: bool = True,
    tolerance: Tolerance = CLOSE,
) -> list[Comparison]:
    """Run a profile or one of its runs again, and compare what comes out with what was published.

    Args:
        profile: name of the profile.
        run: name of one of its runs, which reads the runs it needs from the profile's results; default: every run but
            those that only show published results again.
        against: a folder with one folder per run; default: the published results of the profile.
        execute: run again in a scratch folder; otherwise compare the results that the profile has already.
        tolerance: how far numbers may lie apart.

    Returns:
        One comparison per table and verdict, and per run that one side lacks. The scratch folder,
        `results/<profile>/.verify`, stays when they do not all agree.

    Raises:
        ValueError: an unknown profile or run, or nothing to compare with.
        RunError: a run failed.
    """
    chosen = profiles.read(profile).measured(run)
    old = project.published() / "results" / profile if against is None else against
    if not old.is_dir():
        fix = f"; publish some with: prunelab publish --profile {profile}" if against is None else ""
        raise ValueError(f"no results to compare with in {old}{fix}")
    if not execute:
        return _compare_runs(old, profiles.results(profile), chosen, tolerance, whole=run is None)
    scratch = profiles.results(profile) / ".verify"
    shutil.rmtree(scratch, ignore_errors=True)
    for each in chosen:
        runs.execute_run(each, scratch / each.name, inputs=scratch if run is None else None)
    found = _compare_runs(old, scratch, chosen, tolerance, whole=run is None)
    if agree(found):
        shutil.rmtree(scratch)
    return found


def _compare_runs(
    old: Path, new: Path, chosen: Sequence[Run], tolerance: Tolerance, *, whole: bool
) -> list[Comparison]:
    """Compare the chosen runs and, when those are the whole profile, name the runs that only the old side has."""
    names = [run.name for run in chosen]
    if whole:
        names += sorted({path.parent.name for path in old.glob("*/provenance.json")} - set(names))
    found = []
    for name in names:
        sides = [(folder / name / "provenance.json").is_file() for folder in (old, new)]
        lacking = one_side(*sides)
        if lacking:
            found.append(compared(name, "run", name, *lacking))
        else:
            found.extend(compare(name, old / name, new / name, tolerance))
    return found
