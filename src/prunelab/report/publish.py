"""Publishing: a finished run's tables, verdicts and provenance, frozen in the project for others to cite."""

import json
import shutil
from pathlib import Path

from prunelab import files, project, tables
from prunelab.report import profiles, runs
from prunelab.report.profiles import Run

# Published files are read in reviews and kept for ever: small text only.
LARGEST = 1 << 20  # bytes


def publish(profile: str, run: str | None = None) -> list[Path]:
    """Freeze the results of a profile, or of one of its runs, in `published/results/`.

    All runs are checked before the first is written, and each takes the place of its older results in one step. A
    whole profile is every run but those that only show published results again.

    Returns:
        The folders written, `published/results/<profile>/<run>`.

    Raises:
        ValueError: an unknown profile or run; a run that is not finished, failed when last tried, or was made from
            other code, parameters or inputs than those that stand; a file above 1 MiB; a table that disagrees with
            its sidecar.
    """
    chosen = [(each, _checked(each)) for each in profiles.read(profile).measured(run)]
    return [_freeze(each, paths) for each, paths in chosen]


def folder(profile: str, run: str) -> Path:
    """Return where the published results of a run stand."""
    return project.published() / "results" / profile / run


def provenances(profile: str) -> dict[str, dict[str, object]]:
    """Return run -> its published provenance, for every published run of a profile; empty when none is."""
    found = sorted((project.published() / "results" / profile).glob("*/provenance.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in found}


def _checked(run: Run) -> list[Path]:
    """List the files of a run that are to be published, after making sure that they may be."""
    again = f"run it again with: prunelab run {run.name} --profile {run.profile}"
    if not (run.folder / "provenance.json").is_file():
        raise ValueError(f"run {run.name!r} of profile {run.profile!r} is not finished; {again}")
    failed = run.folder.parent / ".failed" / run.name
    if failed.is_dir() and failed.stat().st_mtime > (run.folder / "provenance.json").stat().st_mtime:
        raise ValueError(f"run {run.name!r} failed when it was last tried, see {_short(failed)}; {again}")
    if not runs.stands(run):
        raise ValueError(f"results of run {run.name!r} were changed since it finished; {again}")
    if not runs.stands(run, runs.identity(run)):
        raise ValueError(f"run {run.name!r} was made from other code, parameters or inputs than stand now; {again}")
    found = sorted((run.folder / "tables").glob("*.csv"))
    for path in found:
        tables.load(path)
    found += [path.with_suffix(".json") for path in found]
    found += [path for path in (run.folder / "provenance.json", run.folder / "claims.json") if path.is_file()]
    for path in found:
        if path.stat().st_size > LARGEST:
            size = f"{path.stat().st_size / LARGEST:.1f} MiB"
            raise ValueError(f"published files are at most 1 MiB; {_short(path)} has {size}: publish a summary of it")
    return found


def _freeze(run: Run, paths: list[Path]) -> Path:
    """Copy the files of one run, and put the copy in the place of what was published before."""
    target = folder(run.profile, run.name)
    fresh = target.with_name(f".{run.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    for path in paths:
        copy = fresh / path.relative_to(run.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    files.replace_folder(fresh, target)
    return target


def _short(path: Path) -> str:
    return path.relative_to(project.root()).as_posix()
