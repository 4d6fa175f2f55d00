"""Kernels forked from one process that has their imports done: ready in half a second, where a new one takes five.

A build starts that process, `python -m prunelab.report.warm`, and names its socket to its jobs. It imports what
notebooks import of other packages, nothing of Prunelab's own, so that no kernel runs code older than its files; and it
runs nothing of any notebook, so that nothing of one reaches another.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

SOCKET = "PRUNELAB_KERNELS"  # the environment variable that names the socket
# What is read when a package is imported, or a process starts: a kernel that asks for another value starts anew.
_READ_AT_START = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTHONPATH",
    "PYTHONWARNINGS",
    "MPLBACKEND",
    "MPLCONFIGDIR",
    "TQDM_DISABLE",
)
_IMPORTS = (
    "pooch",  # before IPython: its progress bar complains where there are no widgets
    "IPython.core.completerlib",
    "IPython.extensions.storemagic",
    "altair",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "pandas",
    "safetensors.torch",
    "scipy.stats",
    "sklearn.datasets",
    "torch",
)
LONGEST_SOCKET_NAME = 90  # characters; the operating systems' own limits start at 104
_LOOKING_SECONDS = 0.05  # between two looks at whether a kernel has ended


@contextlib.contextmanager
def started(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Start the process that kernels are forked from; it leaves when the block ends, or this process does.

    It imports nothing before the first kernel is asked for.

    Args:
        environment: of the kernels.

    Yields:
        What the environment of jobs has to hold so that their kernels are forked; nothing where they cannot be.
    """
    with tempfile.TemporaryDirectory(prefix="prunelab-", ignore_cleanup_errors=True) as folder:
        address = str(Path(folder, "kernels"))
        # Elsewhere than on Linux, system libraries do not survive a fork.
        if sys.platform != "linux" or len(address) > LONGEST_SOCKET_NAME:
            yield {}
            return
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(64)
            process = subprocess.Popen(
                [sys.executable, "-m", "prunelab.report.warm", str(listener.fileno())],
                stdin=subprocess.PIPE,
                env=dict(environment),
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C in a terminal is for the jobs, which stop their kernels
            )
        try:
            yield {SOCKET: address}
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


class Forked:
    """A kernel's process, child of another than this one: what `subprocess.Popen` is to a child of its own."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection = connection

    def poll(self) -> int | None:
        """Give the exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                # Closed without a word: the process that forks is gone, and its kernels leave with it.
                self.returncode = int(self._connection.recv(16, socket.MSG_DONTWAIT) or b"1")
                self._connection.close()
        return self.returncode

    def wait(self) -> int:
        """Wait for the end, and give the exit code."""
        while self.poll() is None:
            time.sleep(_LOOKING_SECONDS)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, number)


class Provisioner(LocalProvisioner):
    """Start a kernel by a fork where that is to be had, else as any other."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start `python -m ipykernel_launcher ARGUMENT ...`, in a folder, with an environment and a log."""
        process = _fork(cmd[3:], folder=kwargs["cwd"], environment=kwargs["env"], log=kwargs["stdout"].name)
        if process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process  # type: ignore[assignment]  # it does what the manager asks of one
        self.pid, self.pgid, self.cwd = process.pid, process.pid, kwargs["cwd"]
        return self.connection_info


def _fork(arguments: list[str], *, folder: str, environment: Mapping[str, str], log: str) -> Forked | None:
    """Ask for a kernel; None where nobody forks one, or not such a one."""
    address = environment.get(SOCKET)
    if not address:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
        asked = {"arguments": arguments, "folder": folder, "environment": dict(environment), "log": log}
        connection.sendall(json.dumps(asked).encode() + b"\n")
        answer = connection.recv(16)
    except OSError:  # its process is gone, or going
        answer = b""
    if not answer.strip().isdigit():
        connection.close()
        return None
    return Forked(connection, int(answer))


def main() -> None:
    """Fork kernels for whoever asks at a socket, until who started this process closes its standard input."""
    # As `ipykernel_launcher` does: IPython puts the kernel's own folder there.
    if Path(sys.path[0]) == Path.cwd():
        del sys.path[0]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    inherited = set(os.environ)
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            for module in _IMPORTS:  # at the first kernel: a build that has nothing to do does not pay for them
                importlib.import_module(module)
            gc.freeze()  # what was imported is not searched again by every fork, which would copy it all
            if os.fork() == 0:
                listener.close()
                imported = {name: value for name, value in os.environ.items() if name not in inherited}
                _do_and_leave(partial(_keep, connection, imported))
            connection.close()


def _do_and_leave(work: Callable[[], None]) -> NoReturn:
    """Do the work of a forked process, and end it as Python does, but for one thing.

    What the process it was forked from has imported is not taken down piece by piece, which takes a second.
    """
    code = 1
    try:
        work()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # both as at any interpreter's end
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _keep(connection: socket.socket, imported: Mapping[str, str]) -> None:
    """Fork the kernel asked for, end it when nobody listens any more, and tell how it ended.

    Args:
        connection: to who asks.
        imported: variables that packages set in the environment when they were imported.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked = json.loads(connection.makefile("rb").readline())
    alike = all(os.environ.get(name) == asked["environment"].get(name) for name in _READ_AT_START)
    alone = len(list(Path("/proc/self/task").iterdir())) == 1  # other threads do not survive a fork, but their locks do
    if not (alike and alone):
        connection.sendall(b"no")
        return
    pid = os.fork()
    if pid == 0:
        connection.close()
        environment = {**imported, **asked["environment"]}
        _do_and_leave(partial(_become_kernel, **{**asked, "environment": environment}))
    connection.sendall(str(pid).encode())
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        closed, _, _ = select.select([connection], [], [], _LOOKING_SECONDS)
        if closed:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        connection.sendall(str(os.waitstatus_to_exitcode(ended[1])).encode())


def _become_kernel(arguments: list[str], folder: str, environment: Mapping[str, str], log: str) -> None:
    """Do what a kernel finds done that is started anew, and run it."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment, JPY_PARENT_PID=str(os.getppid()))
    with Path(os.devnull).open("rb") as nothing, Path(log).open("ab") as said:
        for number, file in enumerate((nothing, said, said)):
            os.dup2(file.fileno(), number)
    for name in [name for name in sys.modules if name.partition(".")[0] == "prunelab"]:
        del sys.modules[name]
    for drawn in ("random", "numpy.random", "torch"):
        importlib.import_module(drawn).seed()  # anew: what was drawn at import is the same in every fork
    # What pandas chooses at its import, by whether it finds a kernel around itself.
    importlib.import_module("pandas").options.display.max_columns = 20
    sys.argv = ["ipykernel_launcher", *arguments]
    importlib.import_module("ipykernel.kernelapp").launch_new_instance()


if __name__ == "__main__":
    main()
