"""The run graph over a project in miniature: what is run, what is left alone, what survives a kill."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import tiny
from prunelab import files
from prunelab.report import book, execute, graph, profiles, runs
from refusals import refused

pytestmark = pytest.mark.graph

TOTAL = "results/quick/.done/total"


# What is not at its end by then never comes to it: nothing here takes a hundredth of that.
HANGS = 600  # seconds


def snakemake(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start Snakemake as a user would, in a process group of its own; what it says goes to a file."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    with said(root).open("w") as log:
        return subprocess.Popen(command, cwd=root, start_new_session=True, stderr=log)


def said(root: Path) -> Path:
    return root / "said.log"


def finish(root: Path, *arguments: str) -> None:
    """Let Snakemake run to its end."""
    assert snakemake(root, *arguments).wait(HANGS) == 0, said(root).read_text()


def wait_until(condition: Callable[[], bool], driver: subprocess.Popen[Any]) -> None:
    """Wait for what a process brings about before its end."""
    while not condition():
        assert driver.poll() is None, "it never came to that"
        time.sleep(0.05)


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def exchange(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def written(root: Path) -> dict[Path, int]:
    """When each file of the results and of the book was written, but for locks, which say who holds them."""
    folders = (root / "results", root / "_build", root / "book")
    files_in = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {path: path.stat().st_mtime_ns for path in files_in if not path.name.endswith(".lock")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose book was built once, by the command that a user types."""
    root = tiny.make(tmp_path_factory.mktemp("built") / "a project")
    environment = os.environ | {"PRUNELAB_ROOT": str(root)}
    command = [sys.executable, "-m", "prunelab.cli", "build", "--cores", "2"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "_build/html/book/index.html\n"
    return root


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the built project, for one test to change."""
    root = Path(shutil.copytree(built, tmp_path / "project", symlinks=True))
    monkeypatch.setenv("PRUNELAB_ROOT", str(root))
    monkeypatch.chdir(root)
    return root


def test_a_build_runs_every_notebook_once_after_those_it_reads(built: Path):
    assert sorted(tiny.executed(built)) == ["count", "recount", "total"]
    assert tiny.executed(built)[-1] == "total"
    assert (built / "results/quick/total/tables/total.txt").read_text() == "15\n"


def test_a_build_collects_the_runs_for_the_book_without_their_nets(project: Path):
    nets = project / "results/quick/one/nets"
    nets.mkdir()
    (nets / "net.safetensors").write_bytes(b"weights")

    folder = book.collect(profiles.read("quick"))

    assert (folder / "build.json").read_text() == '{\n "profile": "quick"\n}\n'
    assert sorted(path.name for path in folder.iterdir()) == ["build.json", "one", "total", "two"]
    assert sorted(path.name for path in (folder / "one").iterdir()) == ["notebook.ipynb", "provenance.json", "tables"]


def test_a_build_of_the_published_results_executes_what_draws_them_alone_and_shows_the_others_as_they_are(
    project: Path,
):
    frozen = project / "published/results/full"
    for name in ("one", "two", "total"):
        shutil.copytree(project / "results/quick" / name, frozen / name, ignore=shutil.ignore_patterns("*.ipynb"))
    (project / "profiles/published.yml").write_text(
        "runs:\n  drawn: {notebook: total, parameters: {sums: ['@published/full/one']}}\n"
    )
    append(project / "notebooks/total.py", 'Path("figures").mkdir()\nPath("figures/a.svg").touch()\n')
    (project / "published/results/full/total/tables/total.txt").write_text("16\n")

    page = graph.build("published", 2)

    shown = project / "book/executed"
    assert page == book.first_page()
    assert tiny.executed(project)[3:] == ["total"]
    assert (shown / "drawn/tables/total.txt").read_text() == "6\n"
    assert (shown / "total/tables/total.txt").read_text() == "16\n"
    assert (shown / "total/figures/a.svg").is_file()
    assert "executed no experiment" in (book.pages() / "book/executed/total/notebook.html").read_text()

    exchange(project / "profiles/quick.yml", "runs:", "with: [published]\nruns:")
    graph.build("quick", 2)

    assert tiny.executed(project)[4:] == ["total"]  # its notebook has changed; what was drawn stands
    assert (shown / "drawn/tables/total.txt").read_text() == "6\n"
    assert (shown / "total/tables/total.txt").read_text() == "15\n"

    shutil.rmtree(frozen / "two")
    with pytest.raises(FileNotFoundError, match=r"'two' stands in no published results; .*prunelab publish --run two"):
        book.collect(profiles.read("published"))


def test_a_second_build_executes_and_writes_nothing_and_loads_nothing_heavy(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # what is imported, by Snakemake too, is told on stderr
    before = written(project)

    page = graph.build("quick", 2)

    loaded = {line.rpartition("|")[2].strip() for line in capfd.readouterr().err.splitlines()}
    assert page == project / "_build/html/book/index.html"
    assert len(tiny.executed(project)) == 3
    assert written(project) == before
    assert "snakemake.workflow" in loaded
    assert loaded.isdisjoint(tiny.HEAVY - {"snakemake"})


def test_two_builds_of_the_book_are_the_same_bytes(project: Path):
    first = files.digest(book.pages())
    shutil.rmtree(book.pages())

    graph.build("quick", 2)

    assert files.digest(book.pages()) == first
    assert len(tiny.executed(project)) == 3


def test_a_changed_parameter_runs_its_run_and_those_that_read_it_alone(project: Path):
    exchange(project / "profiles/quick.yml", "[4, 5]", "[4, 5, 6]")

    finish(project, TOTAL)

    assert tiny.executed(project)[3:] == ["recount", "total"]
    assert (project / "results/quick/total/tables/total.txt").read_text() == "21\n"


def test_a_changed_module_of_the_package_is_an_input_of_the_run_that_imports_it(project: Path):
    append(project / "notebooks/total.py", "\nimport prunelab.files\n")

    sources = runs.sources_of(profiles.read("quick").run("total"))

    assert Path(files.__file__) in sources


@pytest.mark.parametrize("damage", ["deleted", "edited", "provenance edited", "record emptied", "record cut off"])
def test_damaged_results_are_made_again_and_what_reads_them_stays_when_they_come_out_the_same(
    project: Path, damage: str
):
    folder = project / "results/quick/one"
    record = project / "results/quick/.done/one.json"
    if damage == "deleted":
        shutil.rmtree(folder)
    elif damage.startswith("record"):
        record.write_text(record.read_text()[: 0 if damage == "record emptied" else 40])
    else:
        name = "tables/sum.txt" if damage == "edited" else "provenance.json"
        (folder / name).write_text("{}\n")

    finish(project, TOTAL)

    assert (folder / "tables/sum.txt").read_text() == "6\n"
    assert tiny.executed(project)[3:] == ["count"]


def test_a_failed_run_leaves_earlier_results_and_the_others_finish(project: Path):
    before = files.digest(project / "results/quick/one")
    append(project / "notebooks/count.py", 'raise ValueError("no more numbers")\n')
    append(project / "notebooks/recount.py", "print('changed')\n")

    with pytest.raises(
        execute.RunError, match=r"^1 of 3 runs of profile 'quick' failed: one: .*no more numbers.*failed"
    ):
        graph.build("quick", 1)

    assert files.digest(project / "results/quick/one") == before
    assert "changed" in (project / "results/quick/two/notebook.ipynb").read_text()
    assert (project / "results/quick/.failed/one/log.txt").is_file()


def test_a_book_that_warns_fails_in_one_line_and_leaves_the_pages_that_stand(project: Path):
    before = files.digest(book.pages())
    append(project / "book/index.md", "\n[nowhere](missing.md)\n")

    with pytest.raises(execute.RunError, match=r"^the book was not built: book/index\.md:3: WARNING: .*; all of it in"):
        graph.build("quick", 1)

    assert files.digest(book.pages()) == before


def test_a_build_tells_of_an_error_once(project: Path):
    append(project / "book/index.md", "\n[nowhere](missing.md)\n")
    command = [sys.executable, "-m", "prunelab.cli", "build"]

    done = subprocess.run(command, cwd=project, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.count("the book was not built") == 1


def test_a_profile_that_lacks_runs_of_the_book_is_refused_before_it_starts_unless_its_runs_are_named(project: Path):
    (project / "profiles/mine.yml").write_text("runs:\n  one: {notebook: count}\n")

    with pytest.raises(ValueError, match=r"profile 'mine' lacks two, total; .*: prunelab build --profile mine one$"):
        graph.build("mine", 1)
    assert not (project / "results/mine").exists()

    assert graph.build("mine", 1, ["one"]) == project / "results/mine"


def test_a_run_named_by_a_path_that_leads_nowhere_stops_a_build_before_it_starts(project: Path):
    exchange(project / "profiles/quick.yml", '"@two"', "./none")

    with pytest.raises(FileNotFoundError, match=r"profiles/quick\.yml, run 'total': nothing at '\./none'"):
        graph.build("quick", 1)


def test_ctrl_c_while_programs_are_still_being_imported_leaves_no_traceback(tmp_path: Path):
    (tmp_path / "slow.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    command = [sys.executable, "-m", "prunelab.report.start", "slow"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (130, "")


def test_a_parameter_that_a_notebook_does_not_declare_stops_a_build_before_it_starts(project: Path):
    exchange(project / "profiles/quick.yml", "numbers: [4, 5]", "nubmers: [4, 5]")

    with pytest.raises(ValueError, match=r"run 'two'.*no parameter 'nubmers'; did you mean 'numbers'\?"):
        graph.build("quick", 1)


@pytest.mark.parametrize("package", ["snakemake", "jupyter_book"])
def test_a_build_without_the_packages_it_takes_is_refused_in_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, package: str
):
    monkeypatch.setattr(graph, "find_spec", lambda name: None if name == package else object())

    with refused(r"a build takes more packages; get them with: pip install -e '.*\[book\]'"):
        graph.build("quick", 1)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A fresh project whose run `two` is at work until it is released."""
    root = tiny.make(tmp_path / "held")
    append(root / "notebooks/recount.py", "\nwhile not Path('../../../released').exists():\n    time.sleep(0.05)\n")
    yield root
    release(root)


def release(root: Path) -> None:
    (root / "released").touch()


def interrupted(root: Path, stop: Callable[[int], None]) -> subprocess.Popen[bytes]:
    """Start the graph, and stop it once run `one` is finished and run `two` is at work."""
    driver = snakemake(root, TOTAL)
    wait_until(lambda: "recount" in tiny.executed(root) and (root / "results/quick/.done/one").is_file(), driver)
    stop(driver.pid)
    driver.wait(HANGS)
    return driver


def test_after_a_kill_of_the_whole_group_the_next_call_repeats_the_unfinished_run_alone(held: Path):
    interrupted(held, lambda pid: os.killpg(pid, signal.SIGKILL))

    release(held)
    finish(held, TOTAL)

    assert sorted(tiny.executed(held)) == ["count", "recount", "recount", "total"]


def test_after_a_kill_of_the_driver_the_next_call_waits_for_the_run_it_left_and_repeats_nothing(held: Path):
    interrupted(held, lambda pid: os.kill(pid, signal.SIGKILL))

    driver = snakemake(held, TOTAL)
    wait_until(lambda: "waiting for another process that makes run 'two'" in said(held).read_text(), driver)
    release(held)

    assert driver.wait(HANGS) == 0, said(held).read_text()
    assert sorted(tiny.executed(held)) == ["count", "recount", "total"]


def test_a_killed_build_takes_snakemake_with_it_once_the_runs_at_work_are_finished(held: Path):
    with said(held).open("w") as log:
        command = [sys.executable, "-m", "prunelab.cli", "build", "total"]
        environment = os.environ | {"PRUNELAB_ROOT": str(held)}
        driver = subprocess.Popen(command, cwd=held, env=environment, stderr=log, start_new_session=True)
    wait_until(lambda: "recount" in tiny.executed(held), driver)
    [graph_process] = [
        process for process in psutil.Process(driver.pid).children() if "snakemake.cli" in process.cmdline()
    ]
    driver.kill()
    driver.wait(HANGS)
    while "no other begins" not in said(held).read_text():
        time.sleep(0.05)
    release(held)

    assert not psutil.wait_procs([graph_process], timeout=HANGS)[1]
    assert (held / "results/quick/.done/two").is_file()
    assert "total" not in tiny.executed(held)
    finish(held, TOTAL)
    assert sorted(tiny.executed(held)) == ["count", "recount", "total"]


def test_after_ctrl_c_the_next_call_goes_on_where_it_stopped(held: Path):
    driver = interrupted(held, lambda pid: os.killpg(pid, signal.SIGINT))
    assert driver.returncode != 0

    release(held)
    finish(held, TOTAL)

    assert sorted(tiny.executed(held)) == ["count", "recount", "recount", "total"]


# A shell lets what it starts in the background ignore what Ctrl-C sends.
@pytest.mark.parametrize(
    "start", [[], ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]], ids=["in front", "in the background"]
)
def test_a_terminated_build_takes_snakemake_and_its_jobs_with_it(held: Path, start: list[str]):
    command = [*start, sys.executable, "-m", "prunelab.cli", "build", "total"]
    environment = os.environ | {"PRUNELAB_ROOT": str(held)}
    driver = subprocess.Popen(command, cwd=held, env=environment, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: "recount" in tiny.executed(held), driver)
    family = psutil.Process(driver.pid).children(recursive=True)

    driver.terminate()
    told = driver.communicate(timeout=HANGS)[1]

    assert driver.returncode == 128 + signal.SIGTERM
    assert family
    assert not psutil.wait_procs(family, timeout=HANGS)[1]
    assert "interrupted: the same command goes on from here" in told
    assert "Traceback" not in told
