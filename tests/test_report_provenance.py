import json
import os
import re
import subprocess

import pytest

from prunelab.report import provenance


@pytest.fixture
def folder(bare):
    (bare / "results/quick/.sweep.tmp/tables").mkdir(parents=True)
    (bare / "notebooks/sweep.py").write_text("# %%\n1\n", encoding="utf-8")
    return bare / "results/quick/.sweep.tmp"


def collected(folder, parameters):
    """The record of a run of two threads."""
    return provenance.collect(
        run="sweep",
        notebook="sweep",
        profile="quick",
        parameters=parameters,
        command="prunelab run sweep",
        threads=2,
        wall_seconds=1.23456,
        peak_memory_bytes=1000,
        inputs={"nets": "abc"},
        folder=folder,
    )


def test_the_record_has_every_field_and_none_that_tells_of_host_user_or_date(folder):
    (folder / "tables/a.csv").write_text("data,data_id,x\nmnist,b2,1\ndigits,a1,2\ndigits,a1,3\n", encoding="utf-8")
    (folder / "tables/b.csv").write_text("model,data\nx,mnist\n", encoding="utf-8")
    (folder / "tables/c.csv").write_text("", encoding="utf-8")

    record = collected(folder, {"seeds": [0, 1], "rate": 0.1})

    fields = "run notebook profile parameters code data seeds packages python cpu threads wall_seconds"
    assert list(record) == [*fields.split(), "peak_memory_bytes", "inputs", "command"]
    assert record["data"] == [{"name": "digits", "content_id": "a1"}, {"name": "mnist", "content_id": "b2"}]
    assert record["seeds"] == [0, 1]
    assert record["wall_seconds"] == 1.23
    assert re.fullmatch("[0-9a-f]{64}", record["code"]["sources"])
    assert str(folder.parents[2]) not in json.dumps(record)


@pytest.mark.parametrize(("parameters", "seeds"), [({"seed": 3}, [3]), ({}, []), ({"seeds": []}, [])])
def test_seeds_come_from_either_parameter(folder, parameters, seeds):
    assert collected(folder, parameters)["seeds"] == seeds


def test_seeds_that_the_tables_name_count_more_than_a_parameter_that_was_not_used(folder):
    (folder / "tables" / "nets.csv").write_text("model,seed\na,4\na,10\nb,4\n", encoding="utf-8")

    assert collected(folder, {"seeds": [0, 1, 2]})["seeds"] == [4, 10]


def test_paths_out_of_the_project_are_shown_by_their_last_name_and_others_as_they_are(folder):
    values = {
        "a": "/home/ann/data",
        "b": ["~/mine/", "../nets"],
        "c": "../../../../elsewhere/x",
        "d": "digits",
        "e": {"k": "C:\\Users\\ann\\set"},
        "f": "../../../published/full/nets",
        "g": 1,
    }

    shown = provenance.to_show(values, provenance.outside_paths(values, folder))

    assert shown == {
        "a": "…/data",
        "b": ["…/mine", "../nets"],
        "c": "…/x",
        "d": "digits",
        "e": {"k": "…/set"},
        "f": "../../../published/full/nets",
        "g": 1,
    }


def test_the_digest_of_results_ignores_provenance_and_nothing_else(folder):
    (folder / "claims.json").write_text("{}", encoding="utf-8")
    before = provenance.results_digest(folder)

    (folder / "provenance.json").write_text("{}", encoding="utf-8")
    assert provenance.results_digest(folder) == before
    (folder / "tables/a.csv").write_text("x\n", encoding="utf-8")
    assert provenance.results_digest(folder) != before


def test_a_missing_input_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="the input 'nets' has no results"):
        provenance.results_digest(tmp_path / "nets")


def test_packages_are_the_direct_dependencies_without_extras():
    found = provenance.packages()

    assert {"torch", "papermill", "pandas"} <= set(found)
    assert not {"pytest", "snakemake"} & set(found)


def test_the_processor_has_a_name():
    assert provenance.cpu()


def test_a_dependency_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(
        provenance.metadata, "requires", lambda _: ["torch>=2", "no-such-package>=1", "x; extra == 't'"]
    )

    assert provenance.packages().keys() == {"torch"}


def test_the_commit_time_is_that_of_the_last_commit_and_1980_without_any(bare, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(bare.parent))

    assert provenance.commit_time() == 315532800
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "init", "-q"], cwd=bare, check=True)
    assert provenance.commit_time() == 315532800
    environment = {**os.environ, "GIT_COMMITTER_DATE": "1234567890 +0000"}
    command = ["git", *who, "commit", "-q", "--allow-empty", "-m", "first"]
    subprocess.run(command, cwd=bare, env=environment, check=True)
    assert provenance.commit_time() == 1234567890
