"""One run: a notebook executed with checked parameters, and its folder put in place only when all went well."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

import nbformat
from nbformat import NotebookNode

from prunelab import files, project
from prunelab.report import notebooks, provenance
from prunelab.report import parameters as checking
from prunelab.report.cells import CellError, executed
from prunelab.report.normalise import normalise, without_paths
from prunelab.report.parameters import RELATIVE, texts, with_texts

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_RUN_NAME = re.compile(r"[\w-][\w.-]*")


@contextlib.contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold a lock that other processes wait for; the operating system lets go of it when this process ends.

    Two drivers, or a driver and the run that a killed driver left behind, thus never write one folder together. The
    lock's file is made where missing and left behind: removing it would let two processes hold it. It says who holds
    it, for who waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder, _, since = handle.read().partition(" since ")
            told = f" (process {holder}, since {since}; to end it: kill {holder})" if holder.isdigit() else ""
            print(f"{waiting}{told}", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(f"{os.getpid()} since {time.strftime('%H:%M:%S')}")
        handle.flush()
        yield


@contextlib.contextmanager
def stops_raised() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, and SIGINT into KeyboardInterrupt, so that `finally` clauses run.

    Those that follow the first are ignored until the block is left: schedulers and terminals send several, and the
    second would cut the cleaning up short. Signals that were ignored before (nohup) stay so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {number: signal.getsignal(number) for number in _STOPS}
    heard = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if stopped:
            return
        stopped = True
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


class RunError(Exception):
    """A run that failed: one line that names the run, the error and the notebook as far as it got."""


def execute(
    notebook: str,
    parameters: Mapping[str, object],
    *,
    out: Path,
    run: str,
    profile: str | None = None,
    command: str,
    inputs: Mapping[str, Path] | None = None,
    threads: int = 1,
    at_once: int = 1,
    progress: bool = True,
) -> Path:
    """Execute a notebook, and put its folder of results in the place of an earlier one.

    The notebook runs in a folder beside `out`, with that as its current folder, and writes tables/, figures/, … there.
    `notebook.ipynb` (normalised) and `provenance.json` are added. When anything fails, or the process is stopped, what
    stood at `out` stays; the notebook as far as it got and the traceback are left in `.failed/<run>/` beside it.
    Processes that make the same run at one time wait for each other.

    Parts of an experiment that do not depend on each other (see `prunelab.parts`) are kept in `.kept/<run>/` beside it
    as they are made: a run that was stopped goes on with those it lacks, and one that differs in its seeds alone
    makes the new ones. A run that is finished and asked for again as it is makes all of them again.

    Args:
        notebook: a name of `notebooks.names()`, or a path to a .py file.
        parameters: name -> value; relative paths in them start from the notebook's folder (see `from_caller`).
        out: the run's folder.
        run: the run's name: letters, digits, "-", "_" and ".".
        profile: the name of the profile that the run belongs to.
        command: what a reader types to make the run again, for its provenance.
        inputs: name -> folder of each run that this one reads.
        threads: threads of the numerical libraries, 1 or more.
        at_once: parts made at a time, each by a process of one thread, 1 or more.
        progress: show a bar of cells on stderr, if that is a terminal.

    Returns:
        `out`.

    Raises:
        FileNotFoundError: there is no such notebook, or an input is missing.
        ValueError: a parameter does not fit, or the notebook has no cell of parameters; nothing was run.
        RunError: a cell failed, or wrote a warning to stderr.
    """
    if not _RUN_NAME.fullmatch(run):
        raise ValueError(f"a run's name is made of letters, digits, '-', '_' and '.'; got {run!r}")
    nb = notebooks.read(notebook)
    given = checking.checked(nb, parameters)
    in_effect = {parameter.name: given.get(parameter.name, parameter.default) for parameter in checking.declared(nb)}
    digests = {name: provenance.results_digest(folder) for name, folder in (inputs or {}).items()}
    staging = staging_of(out, run)
    results = staging.parent
    results.mkdir(parents=True, exist_ok=True)
    lock = locked(results / f".{run}.lock", f"{run}: another process is at it; waiting for that to end")
    with lock, stops_raised():
        _remove(staging)
        staging.mkdir()
        made = _Kept(results / ".kept" / run, notebook, in_effect, digests)
        surrounding = environment(threads) | {project.KEPT: str(made.folder), project.AT_ONCE: str(at_once)}
        try:
            started = time.perf_counter()
            nb, peak_memory = executed(
                nb, given, folder=staging, environment=surrounding, progress=run if progress else None
            )
            seconds = time.perf_counter() - started
            outside = provenance.outside_paths(in_effect, staging)
            paths = {**outside, str(staging): ".", str(project.root()): "…", str(Path.home()): "~"}
            _show_parameters(nb, provenance.to_show(given, outside))
            kept = normalise(nb, paths=paths)
            files.write_text(staging / "notebook.ipynb", nbformat.writes(kept) + "\n")  # type: ignore[no-untyped-call]
            record = provenance.collect(
                run=run,
                notebook=notebook,
                profile=profile,
                parameters=provenance.to_show(in_effect, outside),
                command=without_paths(command, paths),
                threads=threads,
                wall_seconds=seconds,
                peak_memory_bytes=peak_memory,
                inputs=digests,
                folder=staging,
            )
            files.write_json(staging / "provenance.json", record)
            files.replace_folder(staging, results / out.name)
            _remove(results / ".failed" / run)
            made.finish()
        except CellError as error:
            failed = _keep_failure(staging, results / ".failed" / run, error.log)
            said = without_paths(str(error), _from_here(in_effect, staging))
            raise RunError(f"{run}: {said}; the notebook as far as it got: {failed}") from None
        finally:
            _remove(staging)
    return out


class _Kept:
    """Where a run keeps the parts it has made, apart for every state of its code."""

    def __init__(self, top: Path, notebook: str, parameters: Mapping[str, object], inputs: Mapping[str, str]) -> None:
        """Find the place; empty it where a run finished that was asked for as this one is."""
        self._top, self._began = top, time.time()
        self.folder = top / notebooks.identity(notebook)[:16]
        asked = [self.folder.name, dict(parameters), dict(inputs)]
        self._asked = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
        self._finished = top / "finished"
        if self._finished.is_file() and self._finished.read_text(encoding="utf-8").strip() == self._asked:
            _remove(top)

    def finish(self) -> None:
        """Remove what the run that has finished did not use."""
        if not self._top.is_dir():
            return
        others = (folder for folder in self._top.iterdir() if folder.is_dir() and folder != self.folder)
        parts = self.folder.iterdir() if self.folder.is_dir() else ()
        for folder in (*others, *(part for part in parts if part.stat().st_mtime < self._began)):
            _remove(folder)
        files.write_text(self._finished, f"{self._asked}\n")


def staging_of(out: Path, run: str) -> Path:
    """Return the folder in which a run's notebook executes: beside `out`, without symbolic links."""
    return out.absolute().parent.resolve() / f".{run}.tmp"


def from_caller(parameters: Mapping[str, object], caller: Path, staging: Path) -> dict[str, object]:
    """Rewrite relative paths, texts that start with "./" or "../", for the folder that the notebook runs in.

    They start from the caller's current folder, and shall start from `staging_of(out, run)`.
    """

    def rewritten(text: str) -> str:
        if not text.startswith(RELATIVE):
            return text
        # Without symbolic links: ".." leads to the parent of where a link points to.
        path = os.path.relpath(caller.resolve() / text, staging.parent.resolve() / staging.name)
        return path if path.startswith("..") else f"./{path}"

    return {name: with_texts(value, rewritten) for name, value in parameters.items()}


def environment(threads: int) -> dict[str, str]:
    """Return a kernel's environment: the caller's, less what would make runs differ.

    Args:
        threads: of the numerical libraries, 1 or more.
    """
    found = {
        **os.environ,
        "PRUNELAB_ROOT": str(project.root()),
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)),
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "",
        "SOURCE_DATE_EPOCH": str(provenance.commit_time()),
        # A backend set for scripts (Agg, in CI) would leave the notebook without its figures.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "TQDM_DISABLE": "1",
        # The debugger, which nobody attaches, otherwise writes of frozen modules to stderr.
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    data = os.environ.get("PRUNELAB_DATA")
    if data:
        found["PRUNELAB_DATA"] = str(Path(data).expanduser().absolute())
    return found


def _from_here(parameters: Mapping[str, object], staging: Path) -> dict[str, str]:
    """Map relative paths among the parameters, which start from the notebook's folder, to those from the user's."""
    found = [text for value in parameters.values() for text in texts(value)]
    return {text: os.path.relpath(staging / text) for text in found if text.startswith(RELATIVE)}


def _show_parameters(nb: NotebookNode, parameters: Mapping[str, object]) -> None:
    """Rewrite the cell of injected parameters, in place, as readers may see it."""
    for cell in nb.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in parameters.items())])


def _keep_failure(staging: Path, failed: Path, log: str) -> str:
    """Keep a failed run's notebook and log, in the place of those before; return where, from the current folder."""
    failed.parent.mkdir(exist_ok=True)
    kept = Path(tempfile.mkdtemp(prefix=f".{failed.name}.", dir=failed.parent))
    kept.chmod(0o755)
    if (staging / "notebook.ipynb").is_file():
        (staging / "notebook.ipynb").replace(kept / "notebook.ipynb")
    files.write_text(kept / "log.txt", log)
    files.replace_folder(kept, failed)
    return os.path.relpath(failed / "notebook.ipynb")


def _remove(folder: Path) -> None:
    """Remove a folder, if it is there.

    It is renamed first: a kernel outlives a killed driver for a second, and must not write into the folder's successor.
    """
    if folder.exists():
        trash = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        folder.rename(trash / folder.name)
        shutil.rmtree(trash, ignore_errors=True)
