"""Peak memory: bytes known by hand are found in a fresh process."""

from pathlib import Path

import pytest

from prunelab.measure import memory
from prunelab.measure.memory import child_peak, measurable

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
