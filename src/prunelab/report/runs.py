"""Runs as they are asked for: one of a profile, one of a profile with other parameters, or a notebook alone."""

import os
import shlex
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from prunelab import files, project
from prunelab.report import execute, finished, notebooks, parameters, profiles
from prunelab.report.guards import locked
from prunelab.report.nested import texts
from prunelab.report.profiles import Run


def of_profile(profile: str, name: str) -> Path:
    """Make a run of a profile, as the profile states it, and note for the graph that it is finished.

    Args:
        profile: name of the profile.
        name: name of the run; the runs it needs must be finished.

    Returns:
        The run's folder, `results/<profile>/<name>`.

    Raises:
        ValueError: an unknown profile or run, or parameters that its notebook does not declare.
        FileNotFoundError: a run it needs is not finished.
        RunError: the notebook failed.
    """
    run = profiles.read(profile).run(name)
    _make(run, unless_finished=False)
    return run.folder


def of_graph(profile: str, name: str) -> str:
    """Make a run of a profile unless its results, from the same code, parameters and inputs, stand already.

    The graph asks for such a run when its driver was killed before it heard of the end, or after a run it needs was
    made again with the same results.

    Returns:
        One line that tells what was done and how far the profile is.

    Raises:
        ValueError, FileNotFoundError, RunError: as `of_profile`; the message is also left for the graph to sum up.
    """
    plan = profiles.read(profile)
    run = plan.run(name)
    finished.error(run).unlink(missing_ok=True)
    started = time.perf_counter()
    try:
        made = _make(run, unless_finished=True)
    except (execute.RunError, ValueError, OSError) as error:
        files.write_text(finished.error(run), f"{error}\n")
        raise
    what = (
        f"finished in {time.perf_counter() - started:.0f} s" if made else "stands as it was, nothing it reads changed"
    )
    done = sum(finished.stamp(each).is_file() for each in plan.runs)
    return f"{name}: {what} ({done} of {len(plan.runs)} runs)"


def changed(profile: str, name: str, given: Mapping[str, object], *, out: Path | None = None) -> Path:
    """Make a run of a profile with some parameters changed, apart from the profile's results.

    Args:
        profile: name of the profile.
        name: name of the run.
        given: parameter name -> value, in place of the profile's; relative paths start from the current folder.
        out: the folder of its results; default: `results/custom/<name>`.

    Returns:
        The folder of its results.

    Raises:
        ValueError: an unknown profile or run, parameters that the notebook does not declare, or a place for the
            results that holds something else.
        FileNotFoundError: a run it needs is not finished, or there is nothing at a path given.
        RunError: the notebook failed.
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
    return execute_run(run, target, given=given)


def of_notebook(notebook: str, given: Mapping[str, object], *, out: Path | None = None, threads: int = 1) -> Path:
    """Execute a notebook with its own defaults but for the parameters given.

    Args:
        notebook: a notebook's name, or a path to a text notebook.
        given: parameter name -> value; relative paths start from the current folder.
        out: the folder of its results; default: `results/custom/<notebook>`.
        threads: of the numerical libraries, >= 1.

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
    command = _command(["run", notebook], given)
    return execute.execute(notebook, values, out=target, run=name, command=command, threads=threads)


def execute_run(
    run: Run,
    out: Path,
    *,
    given: Mapping[str, object] | None = None,
    inputs: Path | None = None,
    progress: bool = True,
) -> Path:
    """Execute a run of a profile into a folder.

    Args:
        run: the run, with the parameters to use.
        out: the folder of its results.
        given: those of its parameters that are not the profile's, as the user wrote them; for the command that
            makes the run again.
        inputs: the folder that holds the runs it needs; default: the results of its profile.
        progress: show a bar of cells.

    Returns:
        `out`.

    Raises:
        ValueError: parameters that the notebook does not declare.
        FileNotFoundError: a run it needs is not finished.
        RunError: the notebook failed.
    """
    siblings = profiles.results(run.profile) if inputs is None else inputs
    return execute.execute(
        run.notebook,
        profiles.resolve(run, out, inputs=siblings),
        out=out,
        run=run.name,
        profile=run.profile,
        command=_command(["run", run.name, "--profile", run.profile], given or {}),
        inputs=finished.needed(run, siblings),
        threads=run.threads,
        progress=progress,
    )


def _make(run: Run, *, unless_finished: bool) -> bool:
    """Execute a run in its own folder and note that it is finished; return whether it had to be executed."""
    # The run that a killed driver left behind may still be at it: wait for it, then find its results finished.
    lock = finished.stamp(run).with_name(f"{run.name}.lock")
    with locked(lock, f"waiting for another process that makes run {run.name!r}"):
        asked = finished.identity(run)
        stands = unless_finished and finished.stands(run, asked)
        if not stands:
            execute_run(run, run.folder, progress=not unless_finished)
        finished.record(run, asked)
    return not stands


def _check(notebook: str, given: Mapping[str, object]) -> None:
    """Check parameters as they were typed: later on, their paths start from another folder."""
    parameters.checked(notebooks.read(notebook), given)
    for name, value in given.items():
        for text in texts(value):
            if text.startswith(("./", "../", "/", "~")) and not Path(text).expanduser().exists():
                place = "" if text.startswith(("/", "~")) else f" from {Path.cwd()}"
                raise FileNotFoundError(f"the parameter {name!r}: nothing at {text!r}{place}; check the path")


def _target(out: Path | None, name: str) -> Path:
    """Return the folder of a run's results. One that a user names is new, empty or an earlier run's: it is replaced."""
    if out is None:
        return project.root() / "results" / "custom" / name
    target = out.resolve()
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
