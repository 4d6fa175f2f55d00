"""The build of a profile: Snakemake over the run graph, and what to tell of its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from prunelab import project
from prunelab.report import book, finished, notebooks, parameters, profiles
from prunelab.report.execute import RunError

# Seconds after Ctrl-C in which Snakemake leaves when the terminal told it too, and when it is told again.
_OWN_ACCORD, _GRACE = 3, 20


def build(profile: str, cores: int, targets: Sequence[str] = (), *, keep_going: bool = True) -> Path:
    """Run what is not finished of a profile, then build the book.

    Args:
        profile: name of the profile.
        cores: notebooks at a time, times the threads of each, >= 1.
        targets: names of runs; these, and those they need, are run and no book is built. Default: all, and the book.
        keep_going: finish the runs that do not depend on a failed one.

    Returns:
        The first page of the book; with targets, the folder of the profile's results.

    Raises:
        ValueError: an unknown profile or target, or parameters that a notebook does not declare.
        RunError: a run or the book failed; the others are finished where `keep_going`.
    """
    plan = profiles.read(profile)
    for run in plan.runs:
        # Before the first notebook starts: a misspelt parameter of the last run must not cost hours.
        try:
            parameters.checked(notebooks.read(run.notebook), profiles.resolve(run))
        except ValueError as error:
            raise ValueError(f"profiles/{profile}.yml, run {run.name!r}: {error}") from None
        finished.error(run).unlink(missing_ok=True)
    book.error(profile).unlink(missing_ok=True)
    stamps = [finished.stamp(plan.run(name)) for name in targets] or [book.stamp(profile)]
    code = _snakemake(profile, cores, stamps, keep_going=keep_going)
    failed = [run for run in plan.runs if finished.error(run).is_file()]
    if failed:
        reasons = "; ".join(finished.error(run).read_text(encoding="utf-8").strip() for run in failed)
        raise RunError(f"{len(failed)} of {len(plan.runs)} runs of profile {profile!r} failed: {reasons}")
    if book.error(profile).is_file():
        raise RunError(book.error(profile).read_text(encoding="utf-8").strip())
    if code != 0:
        see = f"snakemake --cores {cores} --config profile={profile}"
        raise RunError(f"profile {profile!r} was not finished: Snakemake ended with {code}; see why with: {see}")
    return profiles.results(profile) if targets else book.first_page()


def _snakemake(profile: str, cores: int, stamps: Sequence[Path], *, keep_going: bool) -> int:
    """Call Snakemake in this terminal and return its exit code."""
    root = project.root()
    targets = [os.path.relpath(path, root) for path in stamps]
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--config", f"profile={profile}"]
    # The jobs tell of themselves. The workflow's settings say keep-going: to stop early, do without them.
    settings = ["--quiet", "all"] if keep_going else ["--workflow-profile", "none", "--nolock", "--rerun-incomplete"]
    driver = subprocess.Popen([*command, *settings, "--", *targets], cwd=root)
    try:
        return driver.wait()
    except KeyboardInterrupt:
        # A terminal interrupts Snakemake too, and it stops its jobs and leaves by itself; a lone signal has to be
        # passed on. Whatever is left after that finishes its run, and the next build waits for it.
        for patience in (_OWN_ACCORD, _GRACE):
            try:
                driver.wait(timeout=patience)
                break
            except subprocess.TimeoutExpired:
                driver.send_signal(signal.SIGINT)
        print("interrupted: the same command goes on from here", file=sys.stderr)
        raise
