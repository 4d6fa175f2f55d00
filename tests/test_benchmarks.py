"""Every benchmark starts: what it imports exists, and it says how it is called."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from prunelab.report.profiles import Profile, Run

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
def test_runs_are_scheduled_after_those_they_need_the_longest_way_first(
    monkeypatch: pytest.MonkeyPatch, cores: int, wall: float
) -> None:
    runs = tuple(
        Run(name=name, profile="quick", notebook="audit", parameters=parameters, threads=threads)
        for name, parameters, threads in (
            ("first", {}, 1),
            ("second", {"of": "@first"}, 1),
            ("other", {}, 1),
            ("wide", {}, 2),
        )
    )
    plan = Profile(name="quick", description="", runs=runs)
    seconds = {"first": 3.0, "second": 2.0, "other": 4.0, "wide": 1.0}

    scaling = loaded("scaling")
    monkeypatch.setattr(scaling, "BETWEEN", 0.0)

    assert scaling.scheduled(plan, seconds, cores)[0] == wall


@pytest.mark.parametrize(("cores", "wall"), [(1, 8.0), (2, 4.0), (3, 4.0), (4, 2.0)])
def test_a_run_takes_less_time_with_more_cores_as_its_nets_share_out(cores: int, wall: float) -> None:
    parameters = {"models": ["lenet-3", "lenet-4"], "seeds": [0, 1]}
    runs = (Run(name="nets", profile="quick", notebook="dense-lenets", parameters=parameters, threads=1),)
    plan = Profile(name="quick", description="", runs=runs)

    scaling = loaded("scaling")
    wall += scaling.BETWEEN

    assert scaling.scheduled(plan, {"nets": 8.0}, cores) == (wall, wall * cores)


def test_the_cost_of_a_run_is_that_of_its_parts_beside_the_products_of_their_steps() -> None:
    full = loaded("full")
    step = [["aten::mm", ["tensor", [3, 4]], ["tensor", [4, 5]]]]
    records = [
        {"cpu_seconds": 2.0, "trained": [{"steps": 3, "products": step}]},
        {"cpu_seconds": 0.5, "trained": [{"steps": 4, "products": step}, {"steps": 0, "products": []}]},
    ]
    one = full.seconds_of(json.dumps(step), 0.001)

    assert one > 0
    assert full.cost_of("run", records, 0.001) == {
        "run": "run",
        "parts": 2,
        "steps": 7,
        "cpu_s": 2.5,
        "products_s": pytest.approx(7 * one),
    }
