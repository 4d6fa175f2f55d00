"""How much memory a call takes at the most, on the CPU of a fresh process.

On the CPU torch, scipy and ONNX Runtime each allocate in their own way, and none of them counts what the others take.
What all of them share is the process, so a call is made in a child process of its own, and the operating system says
how many bytes it held at the most. Before anything is measured the child prepares and calls once and drops it all
again, so that pages of libraries and buffers that they keep for any net are no part of the answer.
"""

import ctypes
import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # what makes Linux forget the most that a process held so far (proc(5))
_CHILD = "from prunelab.measure.memory import answer; answer()"
# What is freed goes back to the system at once, page by page, and does not linger in the C library's heap (mallopt(3)).
_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "4096", "MALLOC_TOP_PAD_": "0", "MALLOC_ARENA_MAX": "1"}


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Bytes that a process held beyond what it held before; whole pages, so small nets come out rounded."""

    held: int  # once what is called was prepared
    peak: int  # at the most while it was called, what was prepared included


def measurable() -> bool:
    """Say whether this system keeps the most that a process held, and forgets it when told, as Linux does."""
    return _RESET.exists() and _STATUS.is_file() and "VmHWM:" in _STATUS.read_text(encoding="ascii", errors="replace")


def child_peak(prepare: str, arguments: Mapping[str, object]) -> Peak:
    """Measure a call in a fresh process.

    Args:
        prepare: "module:function". The function takes the arguments and gives what is called, without arguments; what
            it makes and no longer needs by then is no part of what is measured.
        arguments: of that function, by name; what JSON can hold.

    Returns:
        Bytes, of one call after one to warm up.

    Raises:
        OSError: the system keeps no such record, see `measurable`.
        ValueError: the child failed; its last line is in the message.
    """
    if not measurable():
        raise OSError("peak memory is read from /proc/self, which Linux has and this system has not; leave it out")
    request = json.dumps({"prepare": prepare, "arguments": dict(arguments)})
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=request,
        env={**os.environ, **_AT_ONCE},
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise ValueError(f"memory is measured of a call that can be made in a process of its own; {prepare}: {last}")
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


def answer() -> None:
    """Measure what the standard input asks for, and print it as JSON: what the child process does."""
    request = json.load(sys.stdin)
    module, _, name = request["prepare"].partition(":")
    prepare = getattr(importlib.import_module(module), name)
    prepare(**request["arguments"])()
    before = _settled()
    call = prepare(**request["arguments"])
    held = _settled()
    _RESET.write_text(_RESET_PEAK, encoding="ascii")
    call()
    print(json.dumps({"held": held - before, "peak": _kept("VmHWM:") - before}))


def _settled() -> int:
    """Give what this process holds, in bytes, once everything dropped has gone back to the system."""
    gc.collect()
    with suppress(OSError, AttributeError):  # a C library without it keeps what was freed
        ctypes.CDLL(None).malloc_trim(0)
    return _kept("VmRSS:")


def _kept(name: str) -> int:
    lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
