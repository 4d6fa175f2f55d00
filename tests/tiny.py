"""A whole project in miniature: three notebooks that finish at once, a profile, a book of two pages."""

import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
# Libraries that take long to import, for what answers at once to do without.
HEAVY = {"torch", "scipy", "sklearn", "matplotlib", "altair", "nbclient", "papermill", "snakemake", "sphinx"}

_FIRST = """# %% [markdown]
# # What is counted?

# %% tags=["parameters"]
numbers = [1, 2, 3]  # what to sum
seconds = 0.0  # how long to take

# %%
import time
from pathlib import Path

with Path('../../../executed.log').open("a") as log:
    log.write("{name} ")
time.sleep(seconds)
Path("tables").mkdir()
Path("tables/sum.txt").write_text(f"{{sum(numbers)}}\\n")
"""
_LAST = """# %% [markdown]
# # What do both sums come to?

# %% tags=["parameters"]
sums: list[str] = []  # folders of runs that counted

# %%
from pathlib import Path

with Path('../../../executed.log').open("a") as log:
    log.write("total ")
total = sum(int((Path(folder) / "tables" / "sum.txt").read_text()) for folder in sums)
Path("tables").mkdir()
Path("tables/total.txt").write_text(f"{total}\\n")
"""
_PROFILE = """\
description: three runs that finish at once
runs:
  total:
    notebook: total
    parameters: {sums: ["@one", "@two"]}
  one:
    notebook: count
    parameters: {numbers: [1, 2, 3], seconds: 0.0}
  two:
    notebook: recount
    parameters: {numbers: [4, 5], seconds: 0.0}
"""
_CONFIG = """\
title: Tiny
author: Nobody
execute: {execute_notebooks: "off"}
only_build_toc_files: true
"""
_TOC = """\
format: jb-book
root: book/index
chapters:
  - file: book/executed/total/notebook
"""


def make(root: Path) -> Path:
    """Write the project below `root`."""
    for folder in ("notebooks", "book", "published", "profiles"):
        (root / folder).mkdir(parents=True)
    for name in ("count", "recount"):
        (root / "notebooks" / f"{name}.py").write_text(_FIRST.format(name=name))
    (root / "notebooks" / "total.py").write_text(_LAST)
    (root / "profiles" / "quick.yml").write_text(_PROFILE)
    (root / "_config.yml").write_text(_CONFIG)
    (root / "_toc.yml").write_text(_TOC)
    (root / "book" / "index.md").write_text("# A book of sums\n")
    shutil.copy(REPOSITORY / "Snakefile", root / "Snakefile")
    shutil.copytree(REPOSITORY / "profiles" / "default", root / "profiles" / "default")
    return root


def executed(root: Path) -> list[str]:
    """List the notebooks that were started, in order, each as often as it was."""
    log = root / "executed.log"
    return log.read_text().split() if log.exists() else []


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the project, and let it be the one that is meant."""
    monkeypatch.setenv("PRUNELAB_ROOT", str(tmp_path / "project"))
    return make(tmp_path / "project")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a project be meant that has nothing yet."""
    for folder in ("notebooks", "profiles"):
        (tmp_path / folder).mkdir()
    (tmp_path / "_config.yml").touch()
    monkeypatch.setenv("PRUNELAB_ROOT", str(tmp_path))
    return tmp_path
