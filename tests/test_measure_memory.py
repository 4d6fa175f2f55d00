"""Peak memory: bytes known by hand are found in a fresh process, and on a GPU by torch's own counts."""

from pathlib import Path

import pytest
import torch

from prunelab.measure import memory
from prunelab.measure.memory import child_peak, cuda_peak, measurable

MIB = 2**20
linux = pytest.mark.skipif(not measurable(), reason="the system keeps no record of the most a process held")


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@linux
@pytest.mark.usefixtures("reachable")
def test_what_a_call_holds_and_what_it_takes_at_the_most_are_told_apart() -> None:
    found = child_peak("measured_in_child:filling", {"held": 24 * MIB, "working": 40 * MIB})

    assert found.held == pytest.approx(24 * MIB, abs=MIB)
    assert found.peak == pytest.approx(64 * MIB, abs=MIB)  # 40 taken twice, one after the other


@linux
@pytest.mark.usefixtures("reachable")
def test_a_failure_in_the_child_is_one_line_that_says_why() -> None:
    with pytest.raises(ValueError, match=r"measured_in_child:failing: ValueError: no such net$") as refused:
        child_peak("measured_in_child:failing", {})

    assert "\n" not in str(refused.value)


def test_a_system_without_the_record_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_RESET", tmp_path / "clear_refs")

    assert not measurable()
    with pytest.raises(OSError, match="which Linux has and this system has not"):
        child_peak("measured_in_child:filling", {})


def test_on_a_gpu_the_peak_is_what_torch_held_beyond_what_it_held_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now, most, calls = [100], [0], []

    def call() -> None:
        calls.append(1)
        most[0] = max(most[0], now[0] + 50)  # and gives it back

    def reset(_: object) -> None:
        most[0] = now[0]

    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: now[0])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: most[0])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)

    assert cuda_peak(call) == 50
    assert len(calls) == 2


def test_the_gpus_count_is_not_asked_for_a_cpu() -> None:
    with pytest.raises(ValueError, match="got device 'cpu': take child_peak"):
        cuda_peak(lambda: None, "cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_tensor_made_on_a_gpu_is_counted() -> None:
    assert cuda_peak(lambda: torch.ones(MIB, device="cuda")) == 4 * MIB
