"""One process at a time for a folder of results, and signals that leave nothing half done."""

import contextlib
import fcntl
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold a lock that other processes wait for; the operating system lets go of it when this process ends.

    Two drivers, or a driver and the run that a killed driver left behind, thus never write one folder together.

    Args:
        path: the lock's file, made where missing and left behind: removing it would let two processes hold it.
        waiting: what to print when another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
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
