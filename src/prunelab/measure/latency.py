"""How long calls take: seconds by the clock, after warm-up, contenders in turn, with a stated number of threads."""

import gc
import os
import statistics
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch

_K = TypeVar("_K", bound=Hashable)

Call = Callable[[], object]


def call_seconds(call: Call, *, repeats: int, warm_up: int) -> tuple[float, ...]:
    """Time a call, again and again.

    Where this process uses a GPU, its work is waited for before the clock starts and before it stops, since torch gives
    tensors back that are still being computed. Python's garbage collector waits too.

    Args:
        call: what is timed; what it gives is dropped.
        repeats: timed calls, at least 1.
        warm_up: calls before them, at least 0: the first ones fill caches, pick kernels and start threads.

    Returns:
        Seconds of each timed call, in order.

    Raises:
        ValueError: `repeats` is below 1, or `warm_up` below 0.
    """
    if repeats < 1 or warm_up < 0:
        raise ValueError(
            f"a call is timed 1 time or more, after 0 or more to warm up; got repeats={repeats!r}, warm_up={warm_up!r}"
        )
    seconds = []
    with _undisturbed():
        for number in range(warm_up + repeats):
            _wait_for_gpu()
            start = time.perf_counter_ns()
            call()
            _wait_for_gpu()
            if number >= warm_up:
                seconds.append((time.perf_counter_ns() - start) / 1e9)
    return tuple(seconds)


def interleaved(calls: Mapping[_K, Call], *, rounds: int, repeats: int, warm_up: int) -> dict[_K, tuple[float, ...]]:
    """Time several contenders in turn, round by round, so that what slows the machine for a while slows them all.

    In each round every contender warms up again, for those before it have emptied the caches, and is timed; the round's
    time is the median of its calls. The order is turned by one place from round to round, so that nobody always comes
    behind the same one. Times of one round may be compared with each other, as pairs.

    Args:
        calls: contender -> what is timed, at least one.
        rounds: at least 1.
        repeats: timed calls of each in a round, at least 1.
        warm_up: calls before them, at least 0.

    Returns:
        Contender -> seconds of each round, in the order of the rounds.

    Raises:
        ValueError: no contender, or a number out of range.
    """
    if not calls or rounds < 1:
        raise ValueError(f"contenders are timed in 1 round or more; got {len(calls)} of them and rounds={rounds!r}")
    names = list(calls)
    seconds: dict[_K, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            timed = call_seconds(calls[name], repeats=repeats, warm_up=warm_up)
            seconds[name].append(statistics.median(timed))
    return {name: tuple(each) for name, each in seconds.items()}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute with so many threads inside the block, and with as many as before after it.

    Args:
        count: threads within an operation, at least 1; more than the machine has cores only slows it.

    Raises:
        ValueError: `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"an operation runs in 1 thread or more; got {count!r}")
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def all_threads() -> int:
    """Count the processors that this process may use, what "all threads" means."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the garbage collector from running inside the block."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _wait_for_gpu() -> None:
    # Asking whether a GPU is in use costs nothing, and starts none.
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
