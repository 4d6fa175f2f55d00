import pytest

from prunelab.report import notebooks
from refusals import refused

TEXT = """\
# ---
# jupyter:
#   kernelspec:
#     name: elsewhere
#     display_name: R
#     language: R
# ---

# %% [markdown]
# Some words.
#
# # How sparse?

# %% tags=["parameters"]
seeds = [0, 1]

# %%
print(seeds)
"""


@pytest.fixture
def folder(bare):
    (bare / "notebooks/sweep.py").write_text(TEXT, encoding="utf-8")
    (bare / "notebooks/nets.py").write_text("# %%\n1\n", encoding="utf-8")
    return bare


def test_names_are_those_of_the_text_notebooks_in_order(folder):
    (folder / "notebooks/notes.txt").touch()

    assert notebooks.names() == ["nets", "sweep"]


def test_a_notebook_reads_the_same_twice_with_numbered_cells_and_tags(folder):
    first, second = notebooks.read("sweep"), notebooks.read(folder / "notebooks/sweep.py")

    assert first == second
    assert [cell.id for cell in first.cells] == ["cell-0", "cell-1", "cell-2"]
    assert first.cells[1].metadata.tags == ["parameters"]


def test_a_mark_of_the_byte_order_is_no_part_of_a_notebook(folder):
    plain = notebooks.read("sweep")
    (folder / "notebooks/sweep.py").write_text(TEXT, encoding="utf-8-sig")

    assert notebooks.read("sweep") == plain
    assert notebooks.identity("sweep")


def test_the_kernel_is_plain_python_whatever_the_header_names(folder):
    kernelspec = notebooks.read("sweep").metadata.kernelspec

    assert (kernelspec["name"], kernelspec["language"]) == ("python3", "python")


def test_the_title_is_the_first_heading_and_empty_without_one(folder):
    assert notebooks.title(notebooks.read("sweep")) == "How sparse?"
    assert notebooks.title(notebooks.read("nets")) == ""


def test_an_unknown_name_is_refused_with_the_nearest_one(folder):
    with pytest.raises(FileNotFoundError, match=r"no notebook named 'sweeep'.*did you mean 'sweep'"):
        notebooks.read("sweeep")


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [("x/other.py", FileNotFoundError, "no notebook at"), ("other.ipynb", ValueError, "jupytext --to py:percent")],
)
def test_a_path_to_no_text_notebook_is_refused(folder, path, error, said):
    with pytest.raises(error, match=said):
        notebooks.read(path)


def test_a_broken_header_is_told_in_one_line(folder):
    (folder / "notebooks/broken.py").write_text("# ---\n# jupyter:\n#   kernelspec: 3\n# ---\n", encoding="utf-8")

    with refused(r"broken\.py is no text notebook: "):
        notebooks.read("broken")
