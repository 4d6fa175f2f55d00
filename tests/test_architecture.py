"""One direction, no way back: what each room of the package may import."""

import ast
import sys
from pathlib import Path

import pytest

from prunelab.report.notebooks import modules_used

SOURCE = Path(__file__).parents[1] / "src" / "prunelab"

# Each room may import itself and the rooms before it; `project` and `files` are tools that import no room.
ROOMS = (
    "files",
    "project",
    "data",
    "models",
    "pruning",
    "train",
    "measure",
    "speech",
    "stats",
    "tables",
    "parts",
    "summaries",
    "deploy",
    "choosing",
    "decisions",
    "claims",
    "audit",
    "figures",
    "studies",
    "report",
    "cli",
)
# Third-party packages a room may use, beyond the standard library; rooms not named are free.
LIBRARIES = {
    "files": set(),
    "project": set(),
    "data": {"torch", "numpy", "scipy", "PIL", "sklearn", "pooch", "tqdm", "espeakng_loader"},
    "models": {"torch"},
    "pruning": {"torch", "numpy"},
    "train": {"torch", "tqdm"},
    "measure": {"torch"},
    "speech": {"torch", "numpy", "scipy", "jiwer", "kaldi_native_fbank", "safetensors"},
    "tables": {"pandas", "numpy"},
    "parts": {"torch", "pandas", "numpy", "tqdm"},
    "summaries": {"pandas", "numpy"},
    "stats": {"scipy", "numpy"},
    "deploy": {"torch", "numpy", "scipy", "safetensors", "onnx", "onnxruntime"},
    "choosing": {"torch", "numpy", "scipy", "safetensors"},
    "claims": {"pandas", "numpy", "yaml"},
    "audit": {"pandas", "numpy"},
    "figures": {"matplotlib", "pandas", "numpy", "altair"},
}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full dotted names of everything a module imports, wherever in it."""
    names = set()
    package = ["prunelab", *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_rooms_before_its_own(path: Path) -> None:
    own = ROOMS.index(room_of(path))
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("prunelab.")} - {"__version__"}
    later = {room for room in rooms if ROOMS.index(room) > own}

    assert not later, f"{room_of(path)} may import {ROOMS[: own + 1]}, not {sorted(later)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_uses_only_the_libraries_of_its_room(path: Path) -> None:
    allowed = LIBRARIES.get(room_of(path))
    used = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names) - {"prunelab"}

    assert allowed is None or used <= allowed, f"{room_of(path)} uses {sorted(used - allowed)}"


WINGS = {path.name for path in (SOURCE / "studies").iterdir() if path.is_dir()} - {"common", "__pycache__"}


@pytest.mark.parametrize("wing", [*sorted(WINGS), "common"])
def test_a_wing_imports_no_other_wing(wing: str) -> None:
    for path in sorted((SOURCE / "studies" / wing).glob("*.py")):
        wings = {name.split(".")[2] for name in imported(path) if name.startswith("prunelab.studies.")}

        assert not wings & WINGS - {wing}, path.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_stays_readable_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 450


NOTEBOOKS = sorted((SOURCE.parents[1] / "notebooks").glob("*.py"))
# One study of three wings, and what puts their runs side by side.
OF_SEVERAL_WINGS = {
    "functions-report": {"choices", "hardware", "kinds"},
    "functions-verdicts": {"choices", "hardware", "kinds"},
}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_trains_draws_nothing(notebook: Path) -> None:
    """So an edit of figures makes no run stale that trains, prunes or sweeps: a run is made again for its modules."""
    rooms = {room_of(path) for path in modules_used(notebook) if path != SOURCE / "__init__.py"}

    assert not {"train", "figures"} <= rooms


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_edit_of_a_wing_makes_only_its_own_runs_stale(notebook: Path) -> None:
    folders = {path.parent for path in modules_used(notebook)}
    wings = {folder.name for folder in folders if folder.parent == SOURCE / "studies"} & WINGS

    assert len(wings) <= 1 or wings <= OF_SEVERAL_WINGS.get(notebook.stem, set())


def test_notebooks_define_nothing_and_import_no_torch() -> None:
    notebooks = sorted((SOURCE.parents[1] / "notebooks").glob("*.py"))
    assert notebooks
    for path in notebooks:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        definitions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)]
        imports = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for name in [node.names[0].name]
        }

        assert not definitions, path.name
        assert "torch" not in imports, path.name
