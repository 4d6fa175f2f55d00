"""Times of calls: how often a call is made, in which order, and with how many threads. No time is asserted."""

import gc
import os
import time

import pytest
import torch

from prunelab.measure import latency
from prunelab.measure.latency import all_threads, call_seconds, interleaved, threads


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock that stands still but where it is told to go on, nanoseconds."""
    now = [0]
    monkeypatch.setattr(time, "perf_counter_ns", lambda: now[0])
    return now


def test_only_the_calls_behind_the_warm_up_are_timed(clock: list[int]) -> None:
    takes = iter([900, 800, 1, 2, 3])

    def call() -> None:
        clock[0] += next(takes) * 1_000_000

    assert call_seconds(call, repeats=3, warm_up=2) == (0.001, 0.002, 0.003)
    assert next(takes, None) is None  # five calls, no more


def test_a_call_needs_no_warm_up(clock: list[int]) -> None:
    made = []

    assert call_seconds(lambda: made.append(1), repeats=1, warm_up=0) == (0.0,)
    assert made == [1]


@pytest.mark.parametrize(("repeats", "warm_up"), [(0, 1), (-1, 0), (1, -1)])
def test_numbers_of_calls_out_of_range_are_refused(repeats: int, warm_up: int) -> None:
    with pytest.raises(ValueError, match=f"got repeats={repeats}, warm_up={warm_up}$"):
        call_seconds(lambda: None, repeats=repeats, warm_up=warm_up)


def test_the_garbage_collector_waits_and_comes_back_also_after_an_error() -> None:
    collecting = []

    def fail() -> None:
        collecting.append(gc.isenabled())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        call_seconds(fail, repeats=1, warm_up=0)

    assert collecting == [False]
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        call_seconds(lambda: None, repeats=1, warm_up=0)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_work_on_a_gpu_is_waited_for_before_and_after_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: done.append("wait"))
    call_seconds(lambda: done.append("call"), repeats=1, warm_up=1)

    assert done == ["wait", "call", "wait", "wait", "call", "wait"]


def test_contenders_take_turns_and_another_begins_each_round() -> None:
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in "abc"}
    timed = interleaved(calls, rounds=4, repeats=2, warm_up=1)

    assert "".join(order) == "".join(3 * name for name in "abc" + "bca" + "cab" + "abc")
    assert {name: len(seconds) for name, seconds in timed.items()} == {"a": 4, "b": 4, "c": 4}


def test_a_round_gives_the_median_of_its_calls(clock: list[int]) -> None:
    takes = iter([50, 1, 2, 90, 60, 7, 9, 8])  # the first of each round warms up

    def call() -> None:
        clock[0] += next(takes) * 1_000_000_000

    assert interleaved({"only": call}, rounds=2, repeats=3, warm_up=1) == {"only": (2.0, 8.0)}


@pytest.mark.parametrize(("calls", "rounds"), [({}, 1), ({"a": int}, 0)])
def test_no_contender_and_no_round_are_refused(calls: dict[str, type], rounds: int) -> None:
    with pytest.raises(ValueError, match=f"got {len(calls)} of them and rounds={rounds}$"):
        interleaved(calls, rounds=rounds, repeats=1, warm_up=0)


def test_threads_are_set_inside_and_given_back_also_after_an_error() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before

    with pytest.raises(RuntimeError), threads(before + 2):
        raise RuntimeError
    assert torch.get_num_threads() == before


def test_no_thread_is_refused_before_anything_changes() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="1 thread or more; got 0"), threads(0):
        pass

    assert torch.get_num_threads() == before


def test_all_threads_are_the_processors_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency.os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert all_threads() == 3

    monkeypatch.delattr(latency.os, "sched_getaffinity")
    assert all_threads() == (os.cpu_count() or 1)
