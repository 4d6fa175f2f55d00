"""The command line: what it prints, and the exit code it ends with."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tiny
from prunelab import cli, files
from prunelab.report import doctor, execute, graph
from prunelab.report import verify as verifying

Call = Callable[..., int]
Said = pytest.CaptureFixture[str]
Executions = list[dict[str, object]]


@pytest.fixture
def root(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def call(root: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call `prunelab` with arguments in the project, and return its exit code."""

    def call_(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["prunelab", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return call_


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> Executions:
    """Stand in for the execution of notebooks: note what would be executed."""
    noted: Executions = []

    def execute_(notebook: str, parameters: dict[str, object], *, out: Path, **settings: object) -> Path:
        noted.append({"notebook": notebook, "parameters": parameters, "out": out, **settings})
        files.write_text(out / "notebook.ipynb", "{}")
        files.write_json(out / "provenance.json", {"run": settings["run"]})
        return out

    monkeypatch.setattr(execute, "execute", execute_)
    return noted


@pytest.mark.parametrize("arguments", [["--help"], ["list"]], ids=["help", "list"])
def test_help_and_list_answer_without_loading_what_computes_draws_or_executes(root: Path, arguments: list[str]):
    code = "import sys; from prunelab import cli\ntry: cli.main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=os.environ)
    loaded = set(done.stderr.split())

    assert done.returncode == 0, done.stderr
    assert "prunelab.cli" in loaded
    assert loaded.isdisjoint(tiny.HEAVY)


def test_help_documents_the_exit_codes_and_every_command_gives_an_example(call: Call, capsys: Said):
    assert call("--help") == 0
    assert "Exit codes: 0" in capsys.readouterr().out
    for command in ("list", "params", "run", "build", "publish", "verify"):
        assert call(command, "--help") == 0
        assert "Example" in capsys.readouterr().out


def test_list_shows_the_notebooks_with_their_questions(call: Call, capsys: Said):
    assert call("list") == 0

    assert "What do both sums come to?" in capsys.readouterr().out


def test_list_shows_the_runs_of_a_profile_in_the_order_they_run(call: Call, capsys: Said):
    assert call("list", "--profile", "quick") == 0

    out = capsys.readouterr().out
    assert out.index("recount") < out.index("one, two")


def test_a_table_for_a_file_or_a_program_is_not_wrapped(monkeypatch: pytest.MonkeyPatch, capsys: Said):
    monkeypatch.delenv("COLUMNS", raising=False)
    place = f"/home/ann/{'long/' * 50}data.zip"
    doctor.table(("name", "where"), [("mine", place)])

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["name", "where"], ["mine", place]]


def test_params_shows_name_type_default_and_meaning(call: Call, capsys: Said):
    assert call("params", "count") == 0

    words = capsys.readouterr().out.split()
    assert {"numbers", "list[int]", "what", "seconds", "float", "0.0"} <= set(words)


def test_a_notebook_runs_with_parameters_of_its_own_into_custom(call: Call, root: Path, executions: Executions):
    (root / "mine.yml").write_text("numbers: [1]\nseconds: 1e-3\n")

    assert call("run", "count", "-f", "mine.yml", "-p", "numbers=[7, 8]") == 0

    assert executions[0]["parameters"] == {"numbers": [7, 8], "seconds": 0.001}
    assert executions[0]["out"] == root / "results/custom/count"
    assert executions[0]["command"] == "prunelab run count -p 'numbers=[7, 8]' -p seconds=0.001"


def test_a_run_of_a_profile_goes_to_the_profiles_results_and_is_noted_as_finished(
    call: Call, root: Path, executions: Executions
):
    assert call("run", "one", "--profile", "quick") == 0

    assert executions[0]["out"] == root / "results/quick/one"
    assert executions[0]["command"] == "prunelab build one --profile quick"  # which makes what it reads too
    assert (root / "results/quick/.done/one").is_file()


def test_a_run_of_a_profile_with_another_parameter_leaves_the_profiles_results_alone(
    call: Call, root: Path, executions: Executions
):
    for name in ("one", "two"):
        call("run", name, "--profile", "quick")
    (root / "here").mkdir()

    assert call("run", "total", "--profile", "quick", "-p", "sums=['@two', ./here]") == 0

    assert executions[2]["out"] == root / "results/custom/total"
    assert executions[2]["parameters"] == {"sums": ["../../quick/two", "../../../here"]}
    assert executions[2]["inputs"] == {"two": root / "results/quick/two"}
    assert not (root / "results/quick/.done/total").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "cuont"], "error: no notebook named 'cuont'"),
        (["run", "count", "-p", "nmbers=[1]"], "error: no parameter 'nmbers'; did you mean 'numbers'?"),
        (["run", "count", "-p", "seconds=soon"], "error: the parameter 'seconds' (float)"),
        (["run", "count", "-p", "n=1"], "error: no parameter 'n'; the notebook has numbers, seconds"),
        (
            ["run", "total", "-p", "sums=./one"],
            "error: the parameter 'sums' (list[str]): must be a list, list[str]; got \"./",
        ),
        (["run", "total", "-p", "sums=[./none]"], "error: the parameter 'sums': nothing at './none' from "),
        (["run", "count", "-f", "none.yml"], "error: no parameter file 'none.yml'"),
        (["run", "total", "--profile", "quick"], "error: run 'total' needs 'one', which is not finished"),
        (["build", "--profile", "qiuck"], "error: no profile 'qiuck' in profiles/; did you mean 'quick'?"),
        (["build", "thre"], "error: profile 'quick' has no run 'thre'"),
        (["publish", "--profile", "quick"], "error: run 'one' of profile 'quick' is not finished"),
        (["verify", "--profile", "quick"], "error: no results to compare with"),
        (["data", "verify", "nothing"], "error: "),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_exit_code_two(
    call: Call, capsys: Said, arguments: list[str], message: str
):
    assert call(*arguments) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (".", "error: a run replaces its folder whole, and '.' holds the current one; name a new folder"),
        ("..", "error: a run replaces its folder whole, and '..' holds the current one"),
        ("/", "error: a run replaces its folder whole, and '/' holds the current one"),
        (
            "notebooks",
            "error: a run replaces its folder whole, and 'notebooks' holds no earlier run; name a new folder",
        ),
        ("results", "error: a run replaces its folder whole, and 'results' holds no earlier run"),
        ("_toc.yml", "error: results go into a folder; "),
        ("_toc.yml/mine", "error: results go into a folder; "),
    ],
)
@pytest.mark.parametrize("profile", [[], ["--profile", "quick"]], ids=["notebook", "run of a profile"])
def test_results_never_take_the_place_of_anything_but_an_earlier_run(
    call: Call, root: Path, capsys: Said, executions: Executions, out: str, message: str, profile: list[str]
):
    files.write_text(root / "results/quick/two/provenance.json", "{}")

    assert call("run", "one" if profile else "count", *profile, "--out", out) == 2

    assert capsys.readouterr().err.startswith(message)
    assert executions == []


def test_a_folder_of_the_users_own_is_made_and_replaced_by_the_next_run(call: Call, root: Path, executions: Executions):
    for _ in range(2):
        assert call("run", "count", "--out", "my results/a b") == 0

    assert [one["out"] for one in executions] == [root / "my results/a b"] * 2


@pytest.mark.parametrize("rest", ["1 of 3 runs failed: one; reasons above", ""], ids=["runs", "book"])
def test_what_the_jobs_of_a_build_have_told_is_not_told_again(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: Said, rest: str
):
    def build(*_: object, **__: object) -> Path:
        raise graph.BuildError("1 of 3 runs failed: one: ValueError: a long story", rest)

    monkeypatch.setattr(graph, "build", build)

    assert call("build") == 1
    assert capsys.readouterr().err == (f"error: {rest}\n" if rest else "")


def test_wrong_usage_is_exit_code_two(call: Call):
    assert call("build", "--cores", "0") == 2
    assert call("biuld") == 2


@pytest.mark.parametrize(
    ("raised", "code"), [(execute.RunError("one: broke"), 1), (KeyboardInterrupt(), 130)], ids=["failed", "Ctrl-C"]
)
def test_a_failed_run_is_exit_code_one_and_ctrl_c_130(
    call: Call, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int
):
    def build(*_: object, **__: object) -> Path:
        raise raised

    monkeypatch.setattr(graph, "build", build)

    assert call("build") == code


@pytest.mark.parametrize(("outcome", "code"), [("identical", 0), ("within tolerance", 0), ("different", 1)])
def test_verify_ends_with_one_where_results_differ_and_prints_json(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: Said, outcome: str, code: int
):
    found = [verifying.Comparison(run="one", kind="table", name="sweep", outcome=outcome)]
    monkeypatch.setattr(verifying, "verify", lambda *_, **__: found)

    assert call("verify", "--json") == code
    assert json.loads(capsys.readouterr().out)[0]["outcome"] == outcome
    assert call("verify") == code
    assert f"1 {outcome}" in capsys.readouterr().out


def test_doctor_names_each_part_and_a_fix_for_what_is_missing(
    call: Call, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
):
    provenance = {"wall_seconds": 7200.0, "peak_memory_bytes": 1 << 30, "cpu": "a processor"}
    files.write_json(root / "published/results/full/one/provenance.json", provenance)
    monkeypatch.setenv("PRUNELAB_DATA", str(root))

    assert call("doctor", "--json") == 0

    checks = json.loads(capsys.readouterr().out)
    assert {check["part"] for check in checks} == {"Python", "packages", "data", "machine", "browser", "full run"}
    assert all(check["fix"] for check in checks if check["state"] == "missing")
    assert "2.0 h one run after the other, on a processor" in [check["found"] for check in checks]


def test_data_lists_what_there_is_and_where(call: Call, capsys: Said):
    assert call("data") == 0

    out = capsys.readouterr().out
    assert "digits" in out
    assert "mnist" in out
    assert "cifar10" in out
    assert "cifar10-jpeg" in out
    assert "fsdd" in out


def test_verifying_recordings_counts_recordings(call: Call, capsys: Said):
    assert call("data", "verify", "digits") == 0
    assert "1797 training and no test images of 10 classes" in capsys.readouterr().out

    pytest.importorskip("espeakng_loader")
    assert call("data", "verify", "espeak") == 0
    assert "1000 training, 200 development and 300 test synthetic recordings" in capsys.readouterr().out


def test_threads_of_a_profiles_run_are_the_profiles_to_state(call: Call, capsys: Said):
    assert call("run", "one", "--profile", "tiny", "--threads", "2") == 2
    assert "profiles/tiny.yml" in capsys.readouterr().err
