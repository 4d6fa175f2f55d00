import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from prunelab import files
from prunelab.report import cells, execute, warm
from prunelab.report.execute import RunError

SWEEP = """\
# %% [markdown]
# # How sparse?

# %% tags=["parameters"]
seeds = [0, 1]
data = "digits"
mode = "quiet"

# %%
import os, sys, time, warnings
from pathlib import Path

print(os.getcwd(), object())
for seed in seeds:
    print(seed, flush=True)
    print("progress", file=sys.stderr, flush=True)
Path("tables").mkdir()
Path("tables/sweep.csv").write_text("data,data_id\\ndigits,a1\\n");
names = ["OMP_NUM_THREADS", "PYTHONHASHSEED", "MPLBACKEND"]
Path("kernel.txt").write_text("\\n".join([sys.executable, *(os.environ[name] for name in names)]));
Path("data.txt").write_text(f"{os.environ.get('PRUNELAB_DATA')} {os.path.realpath(data)}");

# %%
if mode == "raise":
    raise ValueError("two\\nlines")
if mode == "warn":
    warnings.warn("careful")
if mode == "leave":
    sys.exit(0)
if mode == "die":
    os.kill(os.getpid(), 9)
if mode == "allocate":
    len(b"x" * 300_000_000)
if mode == "wait":
    Path("../waiting").write_text(str(os.getpid()))
    time.sleep(600)
if mode == "nap":
    time.sleep(0.1)
"""
# A process that nobody ends is still there after that: it waits for twice as long.
HANGS = 300  # seconds


@pytest.fixture(scope="module")
def kernels():
    """What a job's environment needs for its kernel to be forked."""
    with warm.started(execute.environment(1)) as found:
        assert found, "kernels are forked on Linux alone"
        yield found


@pytest.fixture(params=["started anew", "forked"])
def project(request, kernels, bare, monkeypatch):
    if request.param == "forked":
        monkeypatch.setenv(warm.SOCKET, kernels[warm.SOCKET])
    (bare / "notebooks/sweep.py").write_text(SWEEP, encoding="utf-8")
    monkeypatch.chdir(bare)
    return bare


def run(mode="quiet", **parameters):
    out = Path("results/quick/sweep")
    return execute.execute("sweep", {"mode": mode, **parameters}, out=out, run="sweep", command="prunelab run sweep")


def rest_of(results):
    """Return what is left beside the run, locks aside."""
    return sorted(path.name for path in results.iterdir() if path.name not in ("sweep", ".sweep.lock"))


def test_two_executions_give_the_same_bytes_and_a_record(project, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    # A kernel of that name that somebody registered must not be started.
    spec = project / "jupyter/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "X", "language": "R"}), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(project / "jupyter"))

    out = run("nap", seeds=[3])
    first = {path.name: files.digest(path) for path in out.rglob("*") if path.is_file()}
    started = time.perf_counter()
    run("nap", seeds=[3])
    ended = time.perf_counter()
    second = {path.name: files.digest(path) for path in out.rglob("*") if path.is_file()}

    assert {*first} == {"notebook.ipynb", "provenance.json", "sweep.csv", "kernel.txt", "data.txt"}
    assert {name for name in first if first[name] != second[name]} <= {"provenance.json"}
    assert rest_of(out.parent) == []

    nb = nbformat.read(out / "notebook.ipynb", as_version=4)
    assert [cell.execution_count for cell in nb.cells if cell.cell_type == "code"] == [1, 2, 3, 4]
    assert nb.cells[2].metadata.tags == ["injected-parameters"]
    assert nb.cells[2].source == "# Parameters\nseeds = [3]\nmode = 'nap'"
    assert [output.text for output in nb.cells[3].outputs] == [". <object object>\n3\n"]

    executable, threads, hash_seed, backend = (out / "kernel.txt").read_text(encoding="utf-8").splitlines()
    assert (executable, threads, hash_seed) == (sys.executable, "1", "0")
    assert backend == "module://matplotlib_inline.backend_inline"

    record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert record["parameters"] == {"seeds": [3], "data": "digits", "mode": "nap"}
    assert record["seeds"] == [3]
    assert record["data"] == [{"name": "digits", "content_id": "a1"}]
    assert 0.1 <= record["wall_seconds"] <= round(ended - started, 2)
    assert str(project) not in (out / "provenance.json").read_text(encoding="utf-8")


def test_paths_of_the_caller_reach_the_notebook_and_are_not_published(project, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("PRUNELAB_DATA", "my/data")
    staging = execute.staging_of(project / "results/quick/sweep", "sweep")
    given = execute.from_caller({"data": f"../{elsewhere.name}", "n": ["./a", "b"]}, project, staging)

    assert given["n"] == ["../../../a", "b"]
    out = run(data=given["data"])

    assert (out / "data.txt").read_text(encoding="utf-8") == f"{project / 'my/data'} {elsewhere.resolve()}"
    record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert record["parameters"]["data"] == f"…/{elsewhere.name}"
    assert f"data = '…/{elsewhere.name}'" in nbformat.read(out / "notebook.ipynb", as_version=4).cells[2].source


def test_relative_paths_lead_to_their_place_past_symbolic_links(tmp_path):
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "results").symlink_to(tmp_path / "far/away")
    staging = execute.staging_of(tmp_path / "results/sweep", "sweep")

    given = execute.from_caller({"data": {"a": "./mine"}}, tmp_path, staging)

    assert given == {"data": {"a": "../../../mine"}}


def test_a_path_stays_one_where_it_starts_from_the_caller(tmp_path):
    assert execute.from_caller({"data": "./mine"}, tmp_path, tmp_path) == {"data": "./mine"}


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("raise", "sweep: ValueError: two lines (cell 4); "),
        ("warn", "sweep: UserWarning: careful (cell 4); "),
        ("leave", "sweep: SystemExit: "),
        ("die", "sweep: Kernel died (SIGKILL"),
    ],
)
def test_a_failed_run_keeps_its_notebook_and_log_and_the_earlier_results(project, mode, said):
    earlier = project / "results/quick/sweep/claims.json"
    files.write_text(earlier, "{}")

    with pytest.raises(RunError) as caught:
        run(mode)

    message = str(caught.value)
    assert message.startswith(said)
    assert message.endswith("; the notebook as far as it got: results/quick/.failed/sweep/notebook.ipynb")
    assert "\n" not in message
    assert [path.name for path in earlier.parent.iterdir()] == ["claims.json"]
    failed = project / "results/quick/.failed/sweep"
    assert any(cell.get("outputs") for cell in nbformat.read(failed / "notebook.ipynb", as_version=4).cells)
    assert (failed / "log.txt").stat().st_size > 0
    assert rest_of(project / "results/quick") == [".failed"]


def test_a_failed_run_names_paths_as_they_lead_from_the_current_folder(project):
    text = SWEEP + "\n# %%\nraise ValueError(f'{data}: unreadable')\n"
    (project / "notebooks/sweep.py").write_text(text, encoding="utf-8")

    with pytest.raises(RunError, match=r"^sweep: ValueError: my/images: unreadable \(cell 5\); "):
        run(data="../../../my/images")


def test_a_good_run_clears_the_traces_of_a_failed_one(project):
    with pytest.raises(RunError):
        run("raise")

    out = run("allocate")

    assert not (project / "results/quick/.failed/sweep").exists()
    record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    # The kernel alone takes about 70 MB, a forked one 250 MB, and this one wrote 300 MB.
    assert 300e6 < record["peak_memory_bytes"] < 650e6


@pytest.mark.parametrize(
    ("notebook", "given", "error", "said"),
    [
        ("sweeps", {}, FileNotFoundError, "did you mean 'sweep'"),
        ("sweep", {"sed": 1}, ValueError, "no parameter 'sed'"),
        ("sweep", {"seeds": 1}, ValueError, "must be a list"),
        ("bare", {}, ValueError, "tagged"),
    ],
)
def test_nothing_is_written_when_the_request_is_wrong(project, notebook, given, error, said):
    (project / "notebooks/bare.py").write_text("# %%\n1\n", encoding="utf-8")

    with pytest.raises(error, match=said):
        execute.execute(notebook, given, out=project / "results/quick/x", run="x", command="c")

    assert not (project / "results").exists()


@pytest.mark.parametrize(("name", "inputs"), [("a/b", {}), (".x", {}), ("x", {"nets": Path("results/nets")})])
def test_a_bad_name_and_a_missing_input_are_refused(project, name, inputs):
    with pytest.raises((ValueError, FileNotFoundError), match=r"a run's name|'nets' has no results"):
        execute.execute("sweep", {}, out=project / "results/quick/x", run=name, command="c", inputs=inputs)


def started(project):
    """Start a run that waits in its last cell, in a process of its own; return that and its kernel's process."""
    code = "from tests_run import run; run('wait')"
    (project / "tests_run.py").write_text(
        "from pathlib import Path\n"
        "from prunelab.report import execute\n"
        "def run(mode):\n"
        "    execute.execute('sweep', {'mode': mode}, out=Path('results/quick/sweep'), run='sweep', command='c')\n",
        encoding="utf-8",
    )
    driver = subprocess.Popen([sys.executable, "-W", "error", "-c", code], cwd=project, stderr=subprocess.PIPE)
    waiting = project / "results/quick/waiting"
    while not (waiting.exists() and waiting.read_text()):
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)
    kernel = psutil.Process(int(waiting.read_text()))
    waiting.unlink()
    return driver, [kernel]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_a_stopped_run_ends_its_kernel_and_leaves_nothing(project, number, code):
    driver, kernels = started(project)

    driver.send_signal(number)
    driver.communicate(timeout=HANGS)
    _, alive = psutil.wait_procs(kernels, timeout=HANGS)

    assert driver.returncode == code
    assert kernels
    assert not alive
    assert [path.name for path in (project / "results/quick").iterdir()] == [".sweep.lock"]


def test_after_a_kill_the_kernel_goes_and_the_run_works_again(project):
    driver, kernels = started(project)

    driver.kill()
    driver.communicate(timeout=HANGS)
    out = run()

    assert (out / "notebook.ipynb").is_file()
    assert rest_of(out.parent) == []
    _, alive = psutil.wait_procs(kernels, timeout=HANGS)
    assert kernels
    assert not alive


def test_a_long_message_keeps_its_beginning_and_its_end_where_the_fix_stands():
    words = [f"word-{number}" for number in range(200)]
    line = cells._one_line("  ".join(words))

    assert line.startswith("word-0 word-1 ")
    assert line.endswith(" word-198 word-199")
    assert len(line) < 620
    assert cells._one_line(" ".join(words[:60])) == " ".join(words[:60])


def test_a_second_process_waits_for_the_first(project):
    driver, _ = started(project)
    script = [sys.executable, "-c", "from tests_run import run; run('quiet')"]
    second = subprocess.Popen(script, cwd=project, stderr=subprocess.PIPE)
    told = second.stderr.readline().decode()

    assert re.fullmatch(
        r"sweep: another process is at it; waiting for that to end "
        rf"\(process {driver.pid}, since \d\d:\d\d:\d\d; to end it: kill {driver.pid}\)\n",
        told,
    )
    assert second.poll() is None
    driver.terminate()
    driver.communicate(timeout=HANGS)
    _, said = second.communicate(timeout=HANGS)
    assert second.returncode == 0, said
    assert (project / "results/quick/sweep/notebook.ipynb").is_file()


PARTS = """\
# %% tags=["parameters"]
seeds = [0, 1]
epochs = 1
mode = "quiet"

# %%
from prunelab.data import load_images
from prunelab.studies.common.nets import open_nets, save_nets

save_nets(open_nets([], load_images("digits"), models=["mlp-3"], seeds=seeds, epochs=epochs))
if mode == "raise":
    raise ValueError("too late")
"""


@pytest.fixture
def in_parts(kernels, bare, monkeypatch):
    monkeypatch.setenv(warm.SOCKET, kernels[warm.SOCKET])
    (bare / "notebooks/parts.py").write_text(PARTS, encoding="utf-8")
    monkeypatch.chdir(bare)
    return bare


def made(at_once=1, **parameters):
    """Run it, and give the parts that stand kept, each with when it was made."""
    out = Path("results/custom/parts")
    execute.execute("parts", parameters, out=out, run="parts", command="prunelab run parts", at_once=at_once)
    return {path.parent.name: path.stat().st_mtime_ns for path in Path("results/custom/.kept").rglob("part.json")}


def test_more_seeds_make_the_new_ones_alone_and_the_same_run_again_makes_all(in_parts):
    two = made(seeds=[0, 1])
    three = made(seeds=[0, 1, 2], at_once=2)
    again = made(seeds=[0, 1, 2])

    assert len(two) == 2
    assert len(three) == 3
    assert two.items() <= three.items()
    assert again.keys() == three.keys()
    assert not again.items() & three.items()


def test_what_a_finished_run_did_not_use_is_kept_no_longer(in_parts):
    before = made(seeds=[0, 1])
    one = made(seeds=[1])
    other = made(seeds=[1], epochs=2)
    (in_parts / "notebooks/parts.py").write_text(f"{PARTS}print('changed')\n", encoding="utf-8")
    changed = made(seeds=[1], epochs=2)

    assert one.items() < before.items()
    assert len(other) == 1
    assert not other.keys() & one.keys()
    assert changed.keys() == other.keys()
    assert not changed.items() & other.items()


def test_a_run_that_failed_goes_on_with_the_parts_it_made(in_parts):
    with pytest.raises(RunError, match="too late"):
        made(mode="raise")
    before = {path.parent.name: path.stat().st_mtime_ns for path in Path("results/custom/.kept").rglob("part.json")}

    assert len(before) == 2
    assert made() == before


def test_nets_trained_side_by_side_are_those_trained_one_after_another(in_parts):
    made()
    alone = files.digest(Path("results/custom/parts/nets"))
    made(at_once=2)

    assert files.digest(Path("results/custom/parts/nets")) == alone
