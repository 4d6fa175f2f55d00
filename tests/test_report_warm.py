"""Kernels forked from a warm process: each as if it had been started anew, and gone when it should be."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from prunelab.report import execute, warm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux alone")

MESS = """\
# %% tags=["parameters"]
unused = 0

# %%
import os, random, warnings
import zipapp
import numpy, pandas, torch
from matplotlib import pyplot
from prunelab import stats

random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
os.environ["LEFT"] = "behind"
left = open("left.txt", "w")
stats.LEVEL = 0.5
pandas.options.display.max_rows = 7
pyplot.rcParams["figure.dpi"] = 7
pyplot.figure()
warnings.simplefilter("error")
torch.set_default_dtype(torch.float64)
os.chdir("/")
"""
LOOK = """\
# %% tags=["parameters"]
unused = 0

# %%
import json, os, random, sys, threading, warnings
from pathlib import Path

files = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
seen = {
    "loaded": sorted(name for name in sys.modules if name == "zipapp" or name.startswith("prunelab")),
    "defined": [name for name in ("left", "stats", "torch") if name in globals()],
}
import numpy, pandas, torch
from matplotlib import pyplot
from prunelab import stats
seen |= {
    "folder": Path.cwd().name,
    "environment": {name: value for name, value in os.environ.items() if not name.startswith(("JPY_", "IPY", "KMP"))},
    "files": sorted(file for file in files if os.path.isfile(file) and not file.endswith("kernel.log")),
    "level": stats.LEVEL,
    "shown": [pandas.options.display.max_rows, pandas.options.display.max_columns],
    "dpi": pyplot.rcParams["figure.dpi"],
    "drawn": pyplot.get_fignums(),
    "strict": [str(each) for each in warnings.filters if each[0] == "error" and each[2] is Warning],
    "type": str(torch.get_default_dtype()),
    "threads": torch.get_num_threads(),
    "path": sys.path,
    "session": os.getsid(0) == os.getpid(),
    "argument": sys.argv[1],
}
Path("seen.json").write_text(json.dumps(seen))
Path("drawn.json").write_text(json.dumps([random.random(), numpy.random.random(), torch.initial_seed()]));
"""


@pytest.fixture
def project(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("mess", MESS), ("look", LOOK)):
        (bare / "notebooks" / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(bare)
    return bare


@pytest.fixture
def forked(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with warm.started(execute.environment(1)) as kernels:
        for name, value in kernels.items():
            monkeypatch.setenv(name, value)
        yield project


def run(notebook: str, threads: int = 1) -> Path:
    return execute.execute(notebook, {}, out=Path("results", notebook), run=notebook, command="c", threads=threads)


def seen() -> dict[str, object]:
    found: dict[str, object] = json.loads((run("look") / "seen.json").read_text(encoding="utf-8"))
    del found["argument"]
    return found


def test_a_forked_kernel_sees_what_one_started_anew_sees_whatever_others_left(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew = seen()
    with warm.started(execute.environment(1)) as kernels:
        for name, value in kernels.items():
            monkeypatch.setenv(name, value)
        run("mess")
        forked = seen()
    environment = forked["environment"]

    assert isinstance(environment, dict)
    assert environment.pop(warm.SOCKET)
    assert forked == anew


def test_forked_kernels_draw_other_random_numbers(forked: Path) -> None:
    first, second = (json.loads((run("look") / "drawn.json").read_text(encoding="utf-8")) for _ in range(2))

    assert not set(first) & set(second)


def forks(environment: dict[str, str]) -> warm.Forked | None:
    return warm._fork(["--version"], folder=".", environment=environment, log="log.txt")


def test_a_kernel_with_other_settings_at_its_start_is_not_forked(forked: Path) -> None:
    assert forks(execute.environment(2)) is None
    kernel = forks(execute.environment(1))
    assert kernel is not None
    assert kernel.wait() == 0


def test_without_the_process_that_forks_kernels_start_anew(forked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(warm.SOCKET, str(forked / "nobody"))

    assert (run("look") / "seen.json").is_file()


def test_the_process_that_forks_leaves_with_its_builder_however_that_ends(project: Path) -> None:
    code = (
        "import time\n"
        "from prunelab.report import execute, warm\n"
        "with warm.started(execute.environment(1)):\n"
        "    print('started', flush=True)\n"
        "    time.sleep(600)\n"
    )
    builder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert builder.stdout is not None
    assert builder.stdout.readline() == b"started\n"
    others = psutil.Process(builder.pid).children()

    builder.kill()
    builder.communicate()
    _, alive = psutil.wait_procs(others, timeout=300)

    assert others
    assert not alive
