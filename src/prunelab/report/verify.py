"""Verification: every table, value and verdict of a run held against those published, or against another folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from prunelab import project
from prunelab.report import profiles, runs
from prunelab.report.comparing import CLOSE, Comparison, Tolerance, agree, compare, compared, one_side
from prunelab.report.profiles import Run


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
        One comparison per table, value and verdict, and per run that one side lacks. The scratch folder,
        `results/<profile>/.verify`, stays when they do not all agree.

    Raises:
        ValueError: an unknown profile or run, or nothing to compare with.
        RunError: a run failed.
    """
    plan = profiles.read(profile)
    chosen = plan.measured if run is None else (plan.run(run),)
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
