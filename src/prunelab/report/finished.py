"""Finished runs: what a run was made from, what it left, and whether both still stand."""

import hashlib
import json
from pathlib import Path

from prunelab import files, project
from prunelab.report import profiles, provenance, sources
from prunelab.report.profiles import Run


def sources_of(run: Run) -> list[Path]:
    """List the files a run is made from: its notebook, the modules that uses, published files, a user's data."""
    notebook = project.root() / "notebooks" / f"{run.notebook}.py"
    read = [*run.published, *profiles.paths(run)]
    inside = (path for folder in read for path in sorted(folder.rglob("*")) if path.is_file())
    return [notebook, *sources.modules_used(notebook), *inside, *(path for path in read if path.is_file())]


def identity(run: Run) -> str:
    """Return the SHA-256 of all that a run is made from: code, parameters, threads, and the results it reads.

    Raises:
        FileNotFoundError: a run it needs is not finished.
    """
    inputs = needed(run, profiles.results(run.profile))
    parts = {
        "notebook": run.notebook,
        "parameters": dict(run.parameters),
        "threads": run.threads,
        "sources": sources.identity(run.notebook),
        "inputs": {name: provenance.results_digest(folder) for name, folder in inputs.items()},
        "read": [files.digest(path) for path in (*run.published, *profiles.paths(run))],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def needed(run: Run, folder: Path) -> dict[str, Path]:
    """Return name -> folder of the runs that a run reads.

    Args:
        run: the run.
        folder: the folder that holds them.

    Raises:
        FileNotFoundError: one of them is not finished, or published results that it reads are not there.
    """
    found = {name: folder / name for name in run.inputs}
    for name, place in found.items():
        if not (place / "provenance.json").is_file():
            fix = f"prunelab run {name} --profile {run.profile}"
            raise FileNotFoundError(f"run {run.name!r} needs {name!r}, which is not finished; run it with: {fix}")
    for place in run.published:
        if not place.is_dir():
            profile, name = place.parts[-2:]
            fix = f"prunelab publish --profile {profile} --run {name}"
            raise FileNotFoundError(f"run {run.name!r} reads results not published yet; publish them with: {fix}")
    return found


def stamp(run: Run) -> Path:
    """Return the file that holds the digest of a finished run's results: what the graph sees of it."""
    return profiles.results(run.profile) / ".done" / run.name


def record(run: Run, identity: str) -> None:
    """Note that a run is finished, and what it was made from."""
    results, described = _left(run)
    files.write_json(_record(run), {"identity": identity, "results": results, "provenance": described})
    # Durations are not in it: a run repeated with the same results leaves those that read them untouched.
    files.write_text(stamp(run), f"{results}\n")


def stands(run: Run, identity: str | None = None) -> bool:
    """Say whether a run's folder is still as it was left and, where given, made from what `identity` says."""
    try:
        noted = json.loads(_record(run).read_text(encoding="utf-8"))
        left = _left(run)
    except FileNotFoundError:
        return False
    return (noted["results"], noted["provenance"]) == left and identity in (None, noted["identity"])


def error(run: Run) -> Path:
    """Return the file that holds the one-line error of a run that failed since the last build began."""
    return stamp(run).with_name(f"{run.name}.error")


def drop_stale_stamps(profile: profiles.Profile) -> None:
    """Remove the stamps of runs whose folder has since been deleted or changed, so that the graph runs them again.

    With them go the stamps of the runs that read those: Snakemake does not miss an input of something that it takes
    for finished. A run that then turns out to have nothing to do says so and keeps its results.
    """
    for run in profile.runs:
        whole = all(stamp(profile.run(name)).is_file() for name in run.inputs)
        if stamp(run).is_file() and not (whole and stands(run)):
            stamp(run).unlink()


def _left(run: Run) -> tuple[str, str]:
    """Return the digests of a run's results and of its provenance."""
    return provenance.results_digest(run.folder), files.digest(run.folder / "provenance.json")


def _record(run: Run) -> Path:
    """Return the file that outlives the stamp, which the graph removes before it starts a run."""
    return stamp(run).with_name(f"{run.name}.json")
