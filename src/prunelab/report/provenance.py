"""Where a run's results come from: code, parameters, data, inputs, packages, machine. No host, user or date."""

import csv
import hashlib
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath, PureWindowsPath

import prunelab
from prunelab import files, project
from prunelab.report import notebooks
from prunelab.report.parameters import RELATIVE, texts, with_texts

# Outside of a git checkout: 1980-01-01, the earliest that archives of every kind can hold.
_NO_COMMIT = 315532800


def collect(
    *,
    run: str,
    notebook: str,
    profile: str | None,
    parameters: Mapping[str, object],
    command: str,
    threads: int,
    wall_seconds: float,
    peak_memory_bytes: int,
    inputs: Mapping[str, str],
    folder: Path,
) -> dict[str, object]:
    """Return the record that `provenance.json` holds.

    `parameters` are all those in effect, those given and the defaults of the others, fit `to_show`; `command` makes
    the run again; `inputs` has the `results_digest` of each run that this one reads; `folder` has the run's tables.
    """
    return {
        "run": run,
        "notebook": Path(notebook).stem,
        "profile": profile,
        "parameters": dict(parameters),
        "code": {"version": prunelab.__version__, "sources": notebooks.identity(notebook)},
        "data": data_used(folder),
        "seeds": _seeds(folder, parameters),
        "packages": packages(),
        "python": platform.python_version(),
        "cpu": cpu(),
        "threads": threads,
        "wall_seconds": round(wall_seconds, 2),
        "peak_memory_bytes": peak_memory_bytes,
        "inputs": dict(inputs),
        "command": command,
    }


def outside_paths(parameters: Mapping[str, object], folder: Path) -> dict[str, str]:
    """Map the parameters' texts that are paths to places outside the project to "…/name".

    They are of one machine, and may name its user. Relative paths start from `folder`.
    """
    return {
        text: f"…/{PureWindowsPath(text).name}"
        for value in parameters.values()
        for text in texts(value)
        if _is_outside(text, folder)
    }


def to_show(parameters: Mapping[str, object], outside: Mapping[str, str]) -> dict[str, object]:
    """Return parameters with the paths of `outside_paths` replaced, also inside lists and mappings."""
    return {name: with_texts(value, lambda text: outside.get(text, text)) for name, value in parameters.items()}


def results_digest(folder: Path) -> str:
    """Return the SHA-256 over a run's results: all of its files but `provenance.json`, which holds durations.

    Raises:
        FileNotFoundError: there is no such folder, or it is empty.
    """
    found = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "provenance.json"]
    if not found:
        raise FileNotFoundError(f"the input {folder.name!r} has no results; run it first")
    lines = (f"{files.digest(file)}  {file.relative_to(folder).as_posix()}\n" for file in found)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def data_used(folder: Path) -> list[dict[str, str]]:
    """List the data sets that a run's tables name in their columns `data` and `data_id`, sorted."""
    pairs = sorted(_cells(folder, "data", "data_id"))
    return [{"name": name, "content_id": content_id} for name, content_id in pairs]


def packages() -> dict[str, str]:
    """Return the installed version of every package that Prunelab needs directly or exports nets with, by name.

    One that is not installed is left out: the run went well without it, and must not be lost at its very end.
    """
    wanted = requirements()
    found = ((name, version(name)) for name in sorted([*wanted.get("", []), *wanted.get("onnx", [])]))
    return {name: installed for name, installed in found if installed}


def requirements() -> dict[str, list[str]]:
    """Return the packages that Prunelab requires, under "", and those of each extra, under its name."""
    wanted: dict[str, list[str]] = {}
    for requirement in metadata.requires("prunelab") or []:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if name := re.match(r"[\w.-]+", requirement):
            wanted.setdefault(extra[1] if extra else "", []).append(name.group())
    return wanted


def version(name: str) -> str:
    """Return the installed version of a package, "" where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def commit_time() -> int:
    """Return when the project's last commit was made, in seconds since 1970: the only date that results may know."""
    command = ["git", "log", "-1", "--format=%ct"]
    try:
        answer = subprocess.run(command, cwd=project.root(), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return _NO_COMMIT
    return int(answer.stdout or _NO_COMMIT)


def cpu() -> str:
    """Return the processor's model as the system names it, else its architecture."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return " ".join(value.split())
    return platform.processor() or platform.machine()


def _seeds(folder: Path, parameters: Mapping[str, object]) -> list[int]:
    """Return the seeds that the tables' column `seed` names; without one, those of the parameter `seeds` or `seed`.

    A run that reads the nets of others has their seeds in its tables, and a parameter that it did not use.
    """
    measured = sorted(int(seed) for (seed,) in _cells(folder, "seed") if re.fullmatch(r"\d+", seed))
    if measured:
        return measured
    given = parameters.get("seeds", parameters.get("seed"))
    listed = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return [seed for seed in listed if isinstance(seed, int)]


def _cells(folder: Path, *columns: str) -> set[tuple[str, ...]]:
    """List what the rows of a run's tables hold in some columns, over the tables that have them all."""
    found: set[tuple[str, ...]] = set()
    for table in folder.glob("tables/*.csv"):
        with table.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            if set(columns) <= set(rows.fieldnames or ()):
                found |= {tuple(row[column] for column in columns) for row in rows}
    return found


def _is_outside(text: str, folder: Path) -> bool:
    """Tell whether a text is a path to somewhere outside the project."""
    if text.startswith(RELATIVE):
        return not (folder / text).resolve().is_relative_to(project.root())
    return text.startswith("~") or PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()
