"""Publishing: what is frozen, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Annotated as A

import pytest

from prunelab import files
from prunelab.report import profiles, publish, runs
from prunelab.tables import Table


class Dense(Table, key="seed"):
    """One net, trained."""

    seed: A[int, "seed"]
    error: A[float, "test error [percent]"]


def finish(run: profiles.Run) -> None:
    """Write what an execution of the run would leave, without executing it."""
    Dense.save([Dense(seed=0, error=1.5), Dense(seed=1, error=2.5)], folder=run.folder / "tables")
    files.write_json(run.folder / "claims.json", [])
    files.write_text(run.folder / "notebook.ipynb", "{}")
    files.write_text(run.folder / "nets" / "net.safetensors", "weights")
    provenance = {"run": run.name, "wall_seconds": 1.0, "peak_memory_bytes": 1, "cpu": "a processor"}
    files.write_json(run.folder / "provenance.json", provenance)
    runs.record(run, runs.identity(run))


@pytest.fixture
def root(root: Path) -> Path:
    """A project whose runs are all finished."""
    for run in profiles.read("quick").runs:
        finish(run)
    return root


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_tables_verdicts_and_provenance_are_published_but_no_nets_and_notebooks(root: Path):
    folders = publish.publish("quick")

    assert folders == [root / "published/results/quick" / name for name in ("one", "two", "total")]
    assert names(folders[0]) == [
        "claims.json",
        "provenance.json",
        "tables/dense.csv",
        "tables/dense.json",
    ]
    assert publish.provenances("quick").keys() == {"one", "two", "total"}


def test_one_run_is_published_alone_and_takes_the_place_of_its_older_results(root: Path):
    stale = root / "published/results/quick/one/tables/gone.csv"
    files.write_text(stale, "")

    publish.publish("quick", "one")

    assert not stale.exists()
    assert names(root / "published/results") == [f"quick/one/{name}" for name in names(publish.folder("quick", "one"))]


def damage(run: profiles.Run, how: str) -> None:
    """Bring a finished run into a state that must not be published."""
    if how == "missing":
        shutil.rmtree(run.folder)
    elif how == "failed":
        (run.folder.parent / ".failed" / run.name).mkdir(parents=True)
    elif how == "edited":
        (run.folder / "claims.json").write_text("{}")
    elif how == "other code":
        path = run.folder.parents[2] / "notebooks" / f"{run.notebook}.py"
        path.write_text(path.read_text() + "\n# more\n")
    elif how == "large":
        (run.folder / "claims.json").write_text(json.dumps("x" * (publish.LARGEST + 1)))
        runs.record(run, runs.identity(run))
    elif how == "table":
        (run.folder / "tables/dense.csv").write_text("seed,error\n0,1.5\n1,0.1\n")
        runs.record(run, runs.identity(run))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            "missing",
            "run 'two' of profile 'quick' is not finished; run it again with: prunelab run two --profile quick",
        ),
        ("failed", "run 'two' failed when it was last tried, see results/quick/.failed/two"),
        ("edited", "results of run 'two' were changed since it finished"),
        ("other code", "run 'two' was made from other code, parameters or inputs than stand now"),
        ("large", "published files are at most 1 MiB; results/quick/two/claims.json has 1.0 MiB"),
        ("table", "its sha256 differs"),
    ],
)
def test_what_must_not_be_published_is_refused_before_anything_is_written(root: Path, how: str, message: str):
    damage(profiles.read("quick").run("two"), how)

    with pytest.raises(ValueError, match=message):
        publish.publish("quick")

    assert names(root / "published") == []
