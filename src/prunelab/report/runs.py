"""Runs as they are asked for: one of a profile, one of a profile with other parameters, or a notebook alone."""

import hashlib
import json
import math
import os
import shlex
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from prunelab import files, project
from prunelab.report import execute, notebooks, parameters, profiles, provenance
from prunelab.report.execute import locked
from prunelab.report.parameters import RELATIVE, texts
from prunelab.report.profiles import Run

_USUAL_MEMORY, _USUAL_SECONDS = 2**31, 1800.0  # of a run that nothing is published of


def sources_of(run: Run) -> list[Path]:
    """List the files a run is made from: its notebook, the modules that uses, published files, a user's data."""
    notebook = project.root() / "notebooks" / f"{run.notebook}.py"
    read = [*run.published, *profiles.paths(run)]
    inside = (path for folder in read for path in sorted(folder.rglob("*")) if path.is_file())
    return [notebook, *notebooks.modules_used(notebook), *inside, *(path for path in read if path.is_file())]


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
        "sources": notebooks.identity(run.notebook),
        "inputs": {name: provenance.results_digest(folder) for name, folder in inputs.items()},
        "read": [files.digest(path) for path in (*run.published, *profiles.paths(run))],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def needed(run: Run, folder: Path) -> dict[str, Path]:
    """Return name -> place of the runs that a run reads, in the folder that holds them.

    Raises:
        FileNotFoundError: one of them is not finished, or published results that it reads are not there.
    """
    found = {name: folder / name for name in run.inputs}
    for name, place in found.items():
        if not (place / "provenance.json").is_file():
            fix = f"prunelab build {name} --profile {run.profile}"
            raise FileNotFoundError(f"run {run.name!r} needs {name!r}, which is not finished; run it with: {fix}")
    for place in run.published:
        if not place.is_dir():
            profile, name = place.parts[-2:]
            fix = f"prunelab publish --profile {profile} --run {name}"
            raise FileNotFoundError(f"run {run.name!r} reads results not published yet; publish them with: {fix}")
    return found


def resources(run: Run, cores: int) -> dict[str, int | str]:
    """Say what a run asks of a cluster: memory, time, a GPU, a node of its own.

    Memory and time are those of its published record with a margin, for a slower machine and for parts that are made at
    a time; without a record what most runs are content with.

    Args:
        run: the run.
        cores: it is given, >= 1.

    Returns:
        mem_mb, runtime (minutes), gpu where it computes on one, and options of Slurm where it is to be alone.
    """
    published = project.published() / "results" / run.profile / run.name / "provenance.json"
    known = json.loads(published.read_text(encoding="utf-8")) if published.is_file() else {}
    megabytes = known.get("peak_memory_bytes", _USUAL_MEMORY) / 2**20
    minutes = known.get("wall_seconds", _USUAL_SECONDS) / 60
    asked: dict[str, int | str] = {
        "mem_mb": math.ceil(500 + megabytes * (1 + cores / 2)),
        "runtime": math.ceil(5 + 3 * minutes),
    }
    if str(run.parameters.get("device", "cpu")).startswith("cuda"):
        asked["gpu"] = 1
    return asked | ({"slurm_extra": "--exclusive"} if run.alone else {})


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
        same = (noted["results"], noted["provenance"]) == _left(run) and identity in (None, noted["identity"])
    except (FileNotFoundError, ValueError, LookupError, TypeError):  # also a record that is empty or cut off
        return False
    return same


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


def of_profile(profile: str, name: str, *, at_once: int = 1) -> Path:
    """Make a run of a profile as that states it, note for the graph that it is finished, and return its folder.

    Args:
        profile: its name.
        name: the run's.
        at_once: parts made at a time, see `execute.execute`; one where the run has several threads.

    Raises:
        ValueError: an unknown profile or run, or parameters that its notebook does not declare.
        FileNotFoundError: a run it needs is not finished.
        RunError: the notebook failed.
    """
    run = profiles.read(profile).run(name)
    _make(run, at_once, unless_finished=False)
    return run.folder


def of_graph(profile: str, name: str, *, at_once: int = 1) -> str:
    """Make a run of a profile unless its results, from the same code, parameters and inputs, stand already.

    The graph asks for such a run when its driver was killed before it heard of the end, or after a run it needs was
    made again with the same results. Errors are those of `of_profile`, left in `error` too for the graph to sum up.

    Returns:
        One line that tells what was done and how far the profile is.
    """
    plan = profiles.read(profile)
    run = plan.run(name)
    error(run).unlink(missing_ok=True)
    started = time.perf_counter()
    try:
        made = _make(run, at_once, unless_finished=True)
    except (execute.RunError, ValueError, OSError) as failure:
        files.write_text(error(run), f"{failure}\n")
        raise
    seconds = time.perf_counter() - started
    what = f"finished in {seconds:.0f} s" if made else "stands as it was, nothing it reads changed"
    done = sum(stamp(each).is_file() for each in plan.runs)
    return f"{name}: {what} ({done} of {len(plan.runs)} runs of {profile})"


def changed(profile: str, name: str, given: Mapping[str, object], *, out: Path | None = None, at_once: int = 1) -> Path:
    """Make a run of a profile with some parameters changed, apart from the profile's results.

    Args, result and errors are those of `of_notebook`; and a run it needs may not be finished.
    """
    plan = profiles.read(profile)
    run = plan.run(name)
    _check(run.notebook, given)
    target = _target(out, name)
    # As the profile's own paths, which start from the project's top folder.
    mended = execute.from_caller(given, Path.cwd(), project.root())
    run = replace(run, parameters={**run.parameters, **mended})
    for needed in run.inputs:
        plan.run(needed)
    return execute_run(run, target, given=given, at_once=at_once)


def of_notebook(
    notebook: str, given: Mapping[str, object], *, out: Path | None = None, threads: int = 1, at_once: int = 1
) -> Path:
    """Execute a notebook with its own defaults but for the parameters given.

    Args:
        notebook: a notebook's name, or a path to a text notebook.
        given: parameter name -> value; relative paths start from the current folder.
        out: the folder of its results; default: `results/custom/<name>`.
        threads: of the numerical libraries, >= 1.
        at_once: parts made at a time, see `execute.execute`.

    Returns:
        The folder of its results.

    Raises:
        ValueError: parameters that the notebook does not declare, or a place for the results that holds something
            else.
        FileNotFoundError: no such notebook, or nothing at a path given.
        RunError: the notebook failed.
    """
    _check(notebook, given)
    name = Path(notebook).stem
    target = _target(out, name)
    values = execute.from_caller(given, Path.cwd(), execute.staging_of(target, name))
    command = _command(["run", notebook, *(["--threads", str(threads)] if threads > 1 else [])], given)
    at_once = at_once if threads == 1 else 1
    return execute.execute(notebook, values, out=target, run=name, command=command, threads=threads, at_once=at_once)


def execute_run(
    run: Run,
    out: Path,
    *,
    given: Mapping[str, object] | None = None,
    inputs: Path | None = None,
    at_once: int = 1,
    progress: bool = True,
) -> Path:
    """Execute a run of a profile into the folder `out`, as `execute.execute` does; a run it needs may be unfinished.

    Args:
        run: the run, with the parameters to use.
        out: the folder of its results.
        given: those of its parameters that are not the profile's, as the user wrote them; for the command that
            makes the run again.
        inputs: the folder that holds the runs it needs; default: the results of its profile.
        at_once: parts made at a time; one where the run has several threads.
        progress: show a bar of cells.
    """
    siblings = profiles.results(run.profile) if inputs is None else inputs
    # A build makes what the run reads too; with other parameters, the run alone goes to a folder of its own.
    words = ["run" if given else "build", run.name, "--profile", run.profile]
    return execute.execute(
        run.notebook,
        profiles.resolve(run, out, inputs=siblings),
        out=out,
        run=run.name,
        profile=run.profile,
        command=_command(words, given or {}),
        inputs=needed(run, siblings),
        threads=run.threads,
        at_once=at_once if run.threads == 1 else 1,
        progress=progress,
    )


def _make(run: Run, at_once: int, *, unless_finished: bool) -> bool:
    """Execute a run in its own folder and note that it is finished; return whether it had to be executed."""
    # The run that a killed driver left behind may still be at it: wait for it, then find its results finished.
    lock = stamp(run).with_name(f"{run.name}.lock")
    with locked(lock, f"waiting for another process that makes run {run.name!r}"):
        asked = identity(run)
        made = not (unless_finished and stands(run, asked))
        if made:
            execute_run(run, run.folder, at_once=at_once, progress=not unless_finished)
        record(run, asked)
    return made


def _check(notebook: str, given: Mapping[str, object]) -> None:
    """Check parameters as they were typed: later on, their paths start from another folder."""
    parameters.checked(notebooks.read(notebook), given)
    for name, value in given.items():
        for text in texts(value):
            if text.startswith((*RELATIVE, "/", "~")) and not Path(text).expanduser().exists():
                place = "" if text.startswith(("/", "~")) else f" from {Path.cwd()}"
                raise FileNotFoundError(f"the parameter {name!r}: nothing at {text!r}{place}; check the path")


def _target(out: Path | None, name: str) -> Path:
    """Return the folder of a run's results. One that a user names is new, empty or an earlier run's: it is replaced."""
    if out is None:
        return project.root() / "results" / "custom" / name
    target = out.expanduser().resolve()
    standing = next(path for path in (target, *target.parents) if path.exists())
    if not standing.is_dir():
        raise ValueError(f"results go into a folder; {str(standing)!r} is a file: give --out another folder")
    if Path.cwd().resolve().is_relative_to(target):
        raise ValueError(f"a run replaces its folder whole, and {str(out)!r} holds the current one; name a new folder")
    if standing == target and any(target.iterdir()) and not (target / "provenance.json").is_file():
        raise ValueError(f"a run replaces its folder whole, and {str(out)!r} holds no earlier run; name a new folder")
    place = target.parent if standing == target else standing
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"results cannot be written below {str(place)!r}; give --out another folder")
    return target


def _command(words: list[str], given: Mapping[str, object]) -> str:
    """Write the command that makes a run again."""
    settings = [word for name, value in given.items() for word in ("-p", parameters.assignment(name, value))]
    return shlex.join(["prunelab", *words, *settings])
