"""Every benchmark starts: what it imports exists, and it says how it is called."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from prunelab.report.profiles import Run

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_starts(path: Path) -> None:
    called = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=False)

    assert called.returncode == 0, called.stderr
    assert "usage:" in called.stdout


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS[0].with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# `second` needs `first`; `wide` takes two cores where there are two.
@pytest.mark.parametrize(("cores", "wall"), [(1, 3 + 2 + 4 + 1), (2, 5 + 1), (3, 5)])
def test_runs_are_scheduled_after_those_they_need_the_longest_way_first(cores: int, wall: float) -> None:
    runs = [
        Run(name=name, profile="quick", notebook="audit", parameters=parameters, threads=threads)
        for name, parameters, threads in (
            ("first", {}, 1),
            ("second", {"of": "@first"}, 1),
            ("other", {}, 1),
            ("wide", {}, 2),
        )
    ]
    seconds = {"first": 3.0, "second": 2.0, "other": 4.0, "wide": 1.0}

    assert loaded("scaling").scheduled(runs, seconds, cores) == wall
