from pathlib import Path

import pytest

from prunelab import project
from refusals import refused


@pytest.fixture(autouse=True)
def _unnamed(monkeypatch):
    monkeypatch.delenv("PRUNELAB_ROOT", raising=False)


def made(folder):
    (folder / "profiles").mkdir(parents=True)
    (folder / "_config.yml").touch()
    return folder


def test_the_root_is_found_from_any_folder_within(tmp_path, monkeypatch):
    top = made(tmp_path / "clone")
    (top / "book" / "parts").mkdir(parents=True)
    for folder in (top, top / "book" / "parts"):
        monkeypatch.chdir(folder)

        assert project.root() == top.resolve()
    assert project.published() == top.resolve() / "published"


def test_the_nearest_of_two_projects_is_meant(tmp_path, monkeypatch):
    inner = made(made(tmp_path / "outer") / "inner")
    monkeypatch.chdir(inner)

    assert project.root() == inner.resolve()


def test_a_folder_with_one_of_the_marks_is_no_project(tmp_path, monkeypatch):
    top = made(tmp_path / "clone")
    (top / "book").mkdir()
    (top / "book" / "_config.yml").touch()
    monkeypatch.chdir(top / "book")

    assert project.root() == top.resolve()


def test_the_named_root_comes_before_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(made(tmp_path / "here"))
    monkeypatch.setenv("PRUNELAB_ROOT", str(made(tmp_path / "there")))

    assert project.root() == (tmp_path / "there").resolve()


@pytest.mark.parametrize("named", ["", "missing", "here/profiles"])
def test_a_named_folder_that_is_no_project_is_refused_though_one_is_near(tmp_path, monkeypatch, named):
    monkeypatch.chdir(made(tmp_path / "here").parent)
    monkeypatch.setenv("PRUNELAB_ROOT", named)

    with pytest.raises(FileNotFoundError, match=r"PRUNELAB_ROOT must name a folder .*; '.*' does not"):
        project.root()


def test_outside_any_project_the_one_of_this_package_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert project.root() == Path(project.__file__).resolve().parents[2]


def test_without_any_project_the_way_out_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(project, "__file__", str(tmp_path / "site-packages" / "project.py"))

    with refused(r"no Prunelab project .* set PRUNELAB_ROOT", FileNotFoundError):
        project.root()
