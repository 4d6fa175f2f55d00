"""The build of a profile: Snakemake over the run graph, and what to tell of its end."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import psutil

from prunelab import project
from prunelab.report import book, notebooks, parameters, profiles, runs, warm
from prunelab.report.execute import RunError, environment, stops_raised

DRIVER = "PRUNELAB_DRIVER"  # the environment variable that names the process that Snakemake ends with
_LOOK_SECONDS = 1.0  # until Snakemake sees that its driver is gone

# Seconds after Ctrl-C in which Snakemake leaves when the terminal told it too, and when it is told again.
_OWN_ACCORD, _GRACE = 3, 20
# profiles/default without its keep-going, for which no option stands.
_STOP_EARLY = ["--workflow-profile", "none", "--nolock", "--rerun-incomplete"]
_STOP_EARLY += ["--rerun-triggers", "mtime", "params", "input"]


class BuildError(RunError):
    """A build whose jobs failed: one line with every reason, and `rest`, what the jobs have not told on stderr yet."""

    def __init__(self, message: str, rest: str = "") -> None:
        super().__init__(message)
        self.rest = rest


def build(
    profile: str,
    cores: int,
    targets: Sequence[str] = (),
    *,
    keep_going: bool = True,
    executor: str = "local",
    options: Sequence[str] = (),
) -> Path:
    """Run what is not finished of a profile, then build the book.

    Args:
        profile: name of the profile.
        cores: notebooks at a time, times the threads of each, >= 1; elsewhere than here, of one job at most.
        targets: names of runs; these, and those they need, are run and no book is built. Default: all, and the book.
        keep_going: finish the runs that do not depend on a failed one.
        executor: a plugin of Snakemake that runs the jobs, as slurm; it is given the settings of
            profiles/<executor>/config.yaml. This process stays until they are done.
        options: handed to Snakemake as they are.

    Returns:
        The first page of the book; with targets, the folder of the profile's results.

    Raises:
        ValueError: an unknown profile or target, or parameters that a notebook does not declare.
        FileNotFoundError: there is nothing at a path that the profile names.
        BuildError: a run or the book failed; the others are finished where `keep_going`.
    """
    if find_spec("snakemake") is None or find_spec("jupyter_book") is None:
        raise ValueError(f"a build takes more packages; get them with: pip install -e '{project.root()}[book]'")
    plan = profiles.read(profile)
    if not targets and plan.name != book.FROZEN:
        _check_book(plan)
    read = functools.cache(notebooks.read)  # several runs of one notebook
    for run in plan.runs:
        # Before the first notebook starts: a misspelt parameter of the last run must not cost hours.
        try:
            parameters.checked(read(run.notebook), profiles.resolve(run))
        except (ValueError, FileNotFoundError) as error:
            raise type(error)(f"profiles/{profile}.yml, run {run.name!r}: {error}") from None
        runs.error(run).unlink(missing_ok=True)
    book.error(profile).unlink(missing_ok=True)
    stamps = [runs.stamp(plan.run(name)) for name in targets] or [book.stamp(profile)]
    here = executor == "local"
    settings = _settings(profile, cores, executor, keep_going=keep_going)
    forked: contextlib.AbstractContextManager[Mapping[str, str]] = contextlib.nullcontext({})
    with warm.started(environment(threads=1)) if here else forked as kernels:
        code = _snakemake([*settings, *options], stamps, kernels)
    failed = [run for run in plan.runs if runs.error(run).is_file()]
    if failed:
        reasons = "; ".join(runs.error(run).read_text(encoding="utf-8").strip() for run in failed)
        said = f"{len(failed)} of {len(plan.runs)} runs of profile {profile!r} failed"
        rest = f"{', '.join(run.name for run in failed)}; reasons above" if here else reasons
        raise BuildError(f"{said}: {reasons}", f"{said}: {rest}")
    if book.error(profile).is_file():
        raise BuildError(book.error(profile).read_text(encoding="utf-8").strip())
    if code != 0:
        said = f"profile {profile!r} was not finished: Snakemake ended with {code}; see why with: "
        said += f"snakemake --cores {cores} --config profile={profile}"
        raise BuildError(said, said)
    return profiles.results(profile) if targets else book.first_page()


def _check_book(plan: profiles.Profile) -> None:
    """Refuse to build the book from a profile that lacks runs its pages show, before hours are spent on the others."""
    if lacking := [run.name for run in book.lacking(plan)]:
        raise ValueError(
            f"the book shows every run of profile {book.SHOWN!r}, and profile {plan.name!r} lacks "
            f"{', '.join(lacking)}; name the runs to make without a book, as in: "
            f"prunelab build --profile {plan.name} {plan.runs[-1].name if plan.runs else 'RUN'}"
        )


def _settings(profile: str, cores: int, executor: str, *, keep_going: bool) -> list[str]:
    """Give Snakemake's options; what profiles/default says holds besides."""
    settings = ["--config", f"profile={profile}", f"cores={cores}"]
    # The workflow's settings say keep-going: to stop early, do without them.
    settings += [] if keep_going else _STOP_EARLY
    if executor == "local":
        return [*settings, "--cores", str(cores), "--quiet", "all"]  # the jobs tell of themselves
    own = project.root() / "profiles" / executor
    return [*settings, "--executor", executor, *(["--profile", str(own)] if own.is_dir() else [])]


def _snakemake(settings: Sequence[str], stamps: Sequence[Path], found: Mapping[str, str]) -> int:
    """Call Snakemake in this terminal, with the variables `found` in its environment, and return its exit code."""
    root = project.root()
    targets = [os.path.relpath(path, root) for path in stamps]
    command = [sys.executable, "-m", "prunelab.report.start", "snakemake.cli", *settings, "--", *targets]
    driver = subprocess.Popen(command, cwd=root, env=os.environ | found | {DRIVER: str(os.getpid())})
    try:
        with stops_raised():
            return driver.wait()
    except (KeyboardInterrupt, SystemExit):
        # A terminal interrupts Snakemake and its jobs too, and they leave by themselves; a lone signal has to be
        # passed on. Whatever is left after that finishes its run, and the next build waits for it.
        for patience in (_OWN_ACCORD, _GRACE):
            try:
                driver.wait(timeout=patience)
                break
            except subprocess.TimeoutExpired:
                _interrupt(driver)
        else:
            driver.kill()  # told as its jobs ended, it may wait for ever for one that is gone
        print("interrupted: the same command goes on from here", file=sys.stderr)
        raise


def follow() -> None:
    """Watch the driver that started this Snakemake, if one did: where it is killed, no further job is started."""
    driver = os.environ.get(DRIVER)
    if driver is None:
        return

    def look() -> None:
        while os.getppid() == int(driver):
            time.sleep(_LOOK_SECONDS)
        print("the build was killed: runs at work are finished, and no other begins", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=look, daemon=True).start()


def _interrupt(driver: subprocess.Popen[bytes]) -> None:
    """Interrupt Snakemake and its jobs, as Ctrl-C does: told alone, it waits for its jobs, however long they take.

    Started in the background of a script, all of them ignore what Ctrl-C sends, and are asked to end.
    """
    number = signal.SIGTERM if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else signal.SIGINT
    family = psutil.Process(driver.pid).children(recursive=True)
    for process in (*family, psutil.Process(driver.pid)):
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == os.getpgrp():  # kernels have groups of their own, and end with their jobs
                process.send_signal(number)
