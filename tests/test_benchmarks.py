"""Every benchmark starts: what it imports exists, and it says how it is called."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_starts(path: Path) -> None:
    called = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=False)

    assert called.returncode == 0, called.stderr
    assert "usage:" in called.stdout
