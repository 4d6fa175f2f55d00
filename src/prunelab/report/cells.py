"""The cells of a notebook, executed by papermill in a kernel of ours."""

import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from nbformat import NotebookNode

from prunelab.report import warm
from prunelab.report.normalise import complaints

_SAMPLING_SECONDS = 0.5  # a look at the process tree costs some milliseconds
_LEAVING_SECONDS = 1.0  # until a kernel asked to leave is sent SIGTERM, and as long again until SIGKILL


class Kernel(KernelManager):
    """A kernel manager that papermill takes: asynchronous client, fixed command, memory watched."""

    log_file: Path  # what the process wrote past the notebook: a fatal error's last words
    peak_memory: int = 0  # bytes; of the kernel and its children together

    def client(self, **settings: Any) -> Any:
        """Return a client as the manager's own method does, and remember it, for papermill does not close it."""
        self._last_client = super().client(**settings)
        return self._last_client

    def look_at_memory(self, *, with_children: bool) -> None:
        """Raise `peak_memory` to what the process has used so far."""
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(getattr(self.provisioner, "pid", None))
            self.peak_memory = max(self.peak_memory, _high_water_mark(process))
            if with_children:
                family = [process, *process.children(recursive=True)]
                if len(family) > 1:
                    self.peak_memory = max(self.peak_memory, sum(map(_share, family)))

    def fate(self) -> str:
        """Return how a dead kernel's process ended, as a remark to append to a message; "" where that is not known."""
        code = getattr(getattr(self.provisioner, "process", None), "returncode", None)
        if code is None:
            return ""
        if code >= 0:
            return f" (exit status {code})"
        return f" ({signal.Signals(-code).name}{', out of memory?' if -code == signal.SIGKILL else ''})"

    def stop(self, *, at_once: bool) -> None:
        """Shut the kernel down, and close what papermill's client holds open.

        At once, where a cell may still be running, means to kill the process group; else the kernel leaves by itself.
        """
        try:
            self.look_at_memory(with_children=False)
            if self.is_alive():
                self.shutdown_kernel(now=at_once)
        finally:
            client = getattr(self, "_last_client", None)
            if client is not None:
                client.stop_channels()
            self.cleanup_resources()


@contextlib.contextmanager
def running(*, folder: Path, environment: Mapping[str, str]) -> Iterator[Kernel]:
    """Start a kernel in a folder, with these environment variables alone, and stop it however the block ends.

    The kernel is `sys.executable`, whether or not a kernelspec is installed, and whatever others are registered. It
    reads no IPython configuration or start-up file of the user's. If this process is killed, ipykernel's watch over
    its parent ends the kernel within a second or so.
    """
    with tempfile.TemporaryDirectory(prefix="prunelab-", ignore_cleanup_errors=True) as scratch:
        kernel = Kernel(
            client_class="jupyter_client.asynchronous.AsyncKernelClient",
            connection_file=str(Path(scratch, "kernel.json")),
            # One ipykernel in twenty waits in vain for its own output thread when it leaves, with nothing left to do.
            shutdown_wait_time=2 * _LEAVING_SECONDS,
            # Ports are chosen before the kernel takes them, and notebooks that start together would race for them.
            transport="ipc" if len(scratch) < warm.LONGEST_SOCKET_NAME and os.name == "posix" else "tcp",
        )
        kernel._kernel_spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
            name="python3",
        )
        kernel.provisioner = warm.Provisioner(kernel_id="", kernel_spec=kernel.kernel_spec, parent=kernel)
        kernel.log_file = Path(scratch, "kernel.log")
        done = threading.Event()
        watch = threading.Thread(target=_watch, args=(kernel, done), daemon=True)
        with kernel.log_file.open("wb") as log:
            kernel.start_kernel(
                cwd=str(folder),
                env={**environment, "IPYTHONDIR": scratch, "PYTHONSTARTUP": ""},
                extra_arguments=["--HistoryManager.hist_file=:memory:"],
                stdout=log,
                stderr=log,
            )
        finished = False
        try:
            watch.start()
            yield kernel
            finished = True
        finally:
            done.set()
            kernel.stop(at_once=not finished)


def _watch(kernel: Kernel, done: threading.Event) -> None:
    """Sample the memory of the kernel's process tree until told that it is done."""
    while not done.wait(_SAMPLING_SECONDS):
        kernel.look_at_memory(with_children=True)


def _share(process: psutil.Process) -> int:
    """Return the memory that a process takes up, in bytes; of pages that it shares, as forks do, its part."""
    about = process.memory_full_info()
    return int(getattr(about, "pss", about.rss))


def _high_water_mark(process: psutil.Process) -> int:
    """Return the most memory a process has had at once, in bytes; what it has now, where no record is kept.

    Linux keeps it for each process. `ru_maxrss` would not do: a child starts with what its parent had.
    """
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return int(process.memory_info().rss)
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


class CellError(Exception):
    """What went wrong in a notebook, in one line, and at length in `log`."""

    def __init__(self, message: str, log: str) -> None:
        super().__init__(message)
        self.log = log


def executed(
    nb: NotebookNode,
    parameters: Mapping[str, object],
    *,
    folder: Path,
    environment: Mapping[str, str],
    progress: str | None = None,
) -> tuple[NotebookNode, int]:
    """Execute a notebook's cells in order, with the checked parameters in a cell of their own behind the defaults.

    `notebook.ipynb` in the folder follows the execution cell by cell, and so does a bar on stderr, if that is a
    terminal, behind the name that `progress` gives.

    Returns:
        A new notebook, executed, and the most memory that the kernel and its children had at once, in bytes.

    Raises:
        CellError: a cell failed, the kernel died, or a warning was written to stderr.
    """
    with running(folder=folder, environment=environment) as kernel:
        try:
            done = _papermill(nb, parameters, folder, kernel, progress)
        except CellError as error:
            error.log += kernel.log_file.read_text(encoding="utf-8", errors="replace")
            raise
    said = complaints(done)
    if said:
        message = f"{_one_line(said[0])}; mend its cause, or filter it in the notebook and say why"
        raise CellError(message, "Written to stderr:\n" + "\n".join(said) + "\n")
    return done, kernel.peak_memory


def _papermill(
    nb: NotebookNode, parameters: Mapping[str, object], folder: Path, kernel: Kernel, progress: str | None
) -> NotebookNode:
    """Let papermill execute the notebook in a kernel that runs already."""
    # Here and not above: papermill takes a third of a second to import.
    import papermill
    from papermill.exceptions import PapermillExecutionError, strip_color

    # It would warn of parameters that its own inspection misses, which ours has checked, and repeat our errors.
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    # tqdm's `disable=None` draws on terminals alone.
    shape = "{desc} |{bar}| {n}/{total} cells {elapsed}"
    bar = {"desc": progress, "disable": None, "leave": False, "bar_format": shape}
    target = str(folder / "notebook.ipynb")
    try:
        done: NotebookNode = papermill.execute_notebook(
            nb,
            # Papermill fills in parameters where a path holds braces.
            target.replace("{", "{{").replace("}", "}}"),
            parameters=dict(parameters),
            km=kernel,
            progress_bar=bar if progress else False,
        )
    except PapermillExecutionError as error:
        said = f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename)
        raise CellError(f"{_one_line(said)} (cell {error.exec_count})", strip_color(str(error))) from None
    except RuntimeError as error:
        # nbclient's DeadKernelError, and what jupyter_client raises where the kernel does not come up.
        raise CellError(f"{_one_line(str(error))}{kernel.fate()}", f"{error!r}\n") from None
    if any(output.output_type == "error" for cell in done.cells for output in cell.get("outputs", [])):
        # Papermill takes sys.exit(0) for an end, and leaves the cells behind it unexecuted.
        raise CellError("SystemExit: the notebook stopped itself before its last cell", "sys.exit\n")
    return done


def _one_line(text: str) -> str:
    """Fold a message into one line of a readable length: its end, where the fix stands, is kept."""
    line = " ".join(text.split())
    return line if len(line) <= 600 else f"{line[:300]} … {line[-300:]}"
