"""A build whose runs are jobs of Slurm: `pytest -m slurm`, on a machine where one answers.

One node is enough: Debian's slurm-wlm and munge, and in /etc/slurm/slurm.conf besides the names of cluster, host and
partition `ProctrackType=proctrack/linuxproc`, `TaskPlugin=task/none`, `SelectType=select/cons_tres`,
`SelectTypeParameters=CR_Core_Memory`, `AccountingStorageType=accounting_storage/none`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny

pytestmark = pytest.mark.slurm

# Eight runs: five, two that read some of them, one that reads all.
RUNS = "description: eight runs\nruns:\n" + "".join(
    [
        *(f"  n{k}: {{notebook: count, parameters: {{numbers: [{k}], seconds: 3.0}}}}\n" for k in range(5)),
        "  few: {notebook: total, parameters: {sums: ['@n0', '@n1']}}\n",
        "  more: {notebook: total, parameters: {sums: ['@n2', '@n3', '@n4']}}\n",
        "  all: {notebook: total, parameters: {sums: ['@n0', '@n1', '@n2', '@n3', '@n4']}}\n",
    ]
)
COMMAND = [sys.executable, "-m", "prunelab.cli", "build", "--executor", "slurm", "all", "few", "more"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    if (
        shutil.which("sinfo") is None
        or subprocess.run(["sinfo", "-h", "-t", "idle,mixed"], capture_output=True).stdout == b""
    ):
        pytest.skip("no Slurm answers here: sinfo is missing, or knows no node that takes jobs")
    root = tiny.make(tmp_path / "project")
    shutil.copytree(tiny.REPOSITORY / "profiles" / "slurm", root / "profiles" / "slurm")
    (root / "profiles" / "quick.yml").write_text(RUNS)
    monkeypatch.setenv("PRUNELAB_ROOT", str(root))
    yield root
    subprocess.run(["scancel", "--user", str(os.getuid())], check=True)


def total(root: Path, name: str) -> str:
    return (root / "results" / "quick" / name / "tables" / "total.txt").read_text()


def test_eight_runs_that_depend_on_each_other_are_made_in_order_each_once(project: Path) -> None:
    subprocess.run(COMMAND, cwd=project, check=True, timeout=1200)

    assert sorted(tiny.executed(project)) == ["count"] * 5 + ["total"] * 3
    assert [total(project, name) for name in ("few", "more", "all")] == ["1\n", "9\n", "10\n"]


def test_after_a_kill_of_the_driver_the_next_call_repeats_nothing(project: Path) -> None:
    driver = subprocess.Popen(COMMAND, cwd=project, start_new_session=True)
    while not tiny.executed(project):
        assert driver.poll() is None
        time.sleep(0.2)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()

    subprocess.run(COMMAND, cwd=project, check=True, timeout=1200)

    assert sorted(tiny.executed(project)) == ["count"] * 5 + ["total"] * 3
    assert total(project, "all") == "10\n"


def test_a_run_that_fails_on_its_node_is_told_here(project: Path) -> None:
    with (project / "notebooks" / "recount.py").open("a") as notebook:
        notebook.write('raise ValueError("no more numbers")\n')
    (project / "profiles" / "quick.yml").write_text("runs:\n  one: {notebook: recount}\n")

    done = subprocess.run([*COMMAND[:-3], "one"], cwd=project, capture_output=True, text=True, timeout=1200)

    assert done.returncode == 1
    assert "1 of 1 runs of profile 'quick' failed: one: " in done.stderr
    assert "no more numbers" in done.stderr.splitlines()[-1]
