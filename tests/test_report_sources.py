import pytest

from prunelab.report import notebooks

FILES = {
    "__init__.py": "",
    "a.py": "from . import b\n",
    "b.py": "def f():\n    from .sub.c import thing\n",
    "alone.py": "import os\n",
    "d.py": "",
    "sub/__init__.py": "from ..d import x\n",
    "sub/c.py": "from . import e as other\nimport numpy\n",
    "sub/e.py": "import pkg.a\n",
}


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "pkg"


def used(package, text):
    notebook = package.parent / "nb.py"
    notebook.write_text(text, encoding="utf-8")
    return [path.relative_to(package).as_posix() for path in notebooks.modules_used(notebook, package=package)]


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("import numpy, pkgother", []),
        ("import pkg", ["__init__.py"]),
        ("from pkg import nothing", ["__init__.py"]),
        ("from pkg import d", ["__init__.py", "d.py"]),
        ("import pkg.d as x", ["__init__.py", "d.py"]),
        ("from pkg.d import x", ["__init__.py", "d.py"]),
        ("if 0:\n    from pkg import sub", ["__init__.py", "d.py", "sub/__init__.py"]),
    ],
)
def test_each_way_to_import_is_seen(package, text, modules):
    assert used(package, text) == modules


def test_imports_are_followed_through_functions_relative_names_and_circles(package):
    found = used(package, "# %% [markdown]\n# # Title\n# %%\nfrom pkg.a import f\n")

    assert found == ["__init__.py", "a.py", "b.py", "d.py", "sub/__init__.py", "sub/c.py", "sub/e.py"]


def test_the_identity_changes_with_a_used_module_and_the_notebook_alone(package):
    used(package, "from pkg import b")
    notebook = package.parent / "nb.py"
    before = notebooks.identity(notebook, package=package)

    (package / "alone.py").write_text("1\n", encoding="utf-8")
    assert notebooks.identity(notebook, package=package) == before
    (package / "d.py").write_text("1\n", encoding="utf-8")
    changed = notebooks.identity(notebook, package=package)
    assert changed != before
    notebook.write_text("from pkg import b, a", encoding="utf-8")
    assert notebooks.identity(notebook, package=package) not in (before, changed)


def test_a_module_that_is_not_python_is_named(package):
    (package / "d.py").write_text("def (", encoding="utf-8")

    with pytest.raises(ValueError, match=r"d\.py is not Python"):
        used(package, "import pkg.d")


def test_the_projects_own_modules_are_found(tmp_path):
    notebook = tmp_path / "nb.py"
    notebook.write_text("from prunelab import files", encoding="utf-8")

    assert [path.name for path in notebooks.modules_used(notebook)] == ["__init__.py", "files.py"]
