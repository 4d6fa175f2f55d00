"""Profiles: which notebook runs under which name, with which parameters, after which other runs."""

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from prunelab import project
from prunelab.report import notebooks
from prunelab.report.notebooks import nearest
from prunelab.report.parameters import RELATIVE, load, texts, with_texts

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PROFILE_KEYS = ("description", "threads", "at_once", "with", "runs")
_RUN_KEYS = ("notebook", "parameters", "threads", "alone")
_NETS = ("nets", "strong", "source")  # parameters that name runs whose nets are read
_PUBLISHED = "published/"
_PUBLISHED_RUN = re.compile(rf"{_PUBLISHED}{_NAME.pattern}/{_NAME.pattern}")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One notebook with its parameters, under a name of its own in one profile."""

    name: str
    profile: str  # the one that states it, and holds its results
    notebook: str  # notebooks/<notebook>.py
    parameters: Mapping[str, Any]  # as the profile states them: "@name" is the folder of another run
    threads: int  # of one notebook, >= 1
    alone: bool = False  # it measures time: nothing runs beside it

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the profile's runs that must be finished before this one, each once, in order of mention."""
        return tuple(name for name in _references(self.parameters) if not name.startswith(_PUBLISHED))

    @property
    def published(self) -> tuple[Path, ...]:
        """Folders of published results that this run reads, each once."""
        return tuple(_published(name) for name in _references(self.parameters) if name.startswith(_PUBLISHED))

    @property
    def folder(self) -> Path:
        """Where the run's results stand once it is finished."""
        return results(self.profile) / self.name


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A named set of runs, its own and those of the profiles it goes with, each after the runs it needs."""

    name: str
    description: str
    runs: tuple[Run, ...]
    at_once: int | None = None  # seeds that a run works on side by side, at most

    def cores(self, run: Run, cores: int) -> int:
        """Say how many of so many cores a run takes: one a thread, or one a part that it works on beside others.

        Parts are its nets (see `prunelab.parts`), or the settings that it tries where these are more.
        """
        if run.alone:
            return max(run.threads, cores)
        if run.threads > 1 or notebooks.PACKAGE / "parts.py" not in notebooks.modules_used(run.notebook):
            return run.threads
        return min(self.parts(run), cores, self.at_once or cores)

    def parts(self, run: Run) -> int:
        """Count what a run can work on side by side, as far as its parameters say; at least 1."""
        tried, asked = (
            math.prod(len(run.parameters.get(name) or [1]) for name in names)
            for names in (("learning_rates", "penalties"), ("models", "seeds"))
        )
        named = _references([run.parameters.get(name) for name in _NETS])
        read = sum(self.parts(self.run(name)) for name in named if name in run.inputs)
        nets = min(read, asked) if read and run.parameters.get("seeds") else read or asked
        return max(tried, nets)

    def measured(self, name: str | None = None) -> tuple[Run, ...]:
        """Return the run of that name, or all that are published and verified: its own, less those that show others.

        Raises:
            ValueError: the profile has no such run.
        """
        own = (run for run in self.runs if run.profile == self.name and not run.published)
        return tuple(own) if name is None else (self.run(name),)

    def run(self, name: str) -> Run:
        """Return the run called `name`.

        Raises:
            ValueError: the profile has no such run.
        """
        for run in self.runs:
            if run.name == name:
                return run
        raise ValueError(f"profile {self.name!r} has no run {name!r}{nearest(name, (run.name for run in self.runs))}")


def names() -> list[str]:
    """Return the names of the profiles of this project, sorted."""
    return sorted(path.stem for path in (project.root() / "profiles").glob("*.yml"))


def results(profile: str) -> Path:
    """Return the folder that holds one folder per finished run of a profile."""
    return project.root() / "results" / profile


def read(name: str) -> Profile:
    """Read and check `profiles/<name>.yml`.

    Returns:
        The profile, its runs in an order in which each comes after the runs it needs.

    Raises:
        ValueError: no such profile; an unknown key or notebook; a name with other characters than a-z, 0-9 and "-",
            or one that a profile it goes with uses too; a reference to a run that is not there; runs that need each
            other in a circle.
    """
    content, where = _content(name), f"profiles/{name}.yml"
    runs = _runs(name, content)
    for other in _names(content.get("with", []), f"{where}, with"):
        others = _content(other)
        if others.get("with"):
            raise ValueError(f"{where}: a profile that others go with stands alone; {other!r} goes with some itself")
        if twice := [run for run in _runs(other, others) if run in runs]:
            raise ValueError(f"{where}: the run {twice[0]!r} is one of profile {other!r} already; give it another name")
        runs |= _runs(other, others)
    for run in runs.values():
        _check_references(run, runs, f"profiles/{run.profile}.yml, run {run.name!r}")
    try:
        order = list(TopologicalSorter({run.name: run.inputs for run in runs.values()}).static_order())
    except CycleError as error:
        raise ValueError(f"{where}: runs need each other in a circle: {' → '.join(error.args[1])}") from None
    at_once = _count(content["at_once"], where, "at_once") if "at_once" in content else None
    description = str(content.get("description", ""))
    return Profile(name=name, description=description, runs=tuple(runs[key] for key in order), at_once=at_once)


def resolve(run: Run, folder: Path | None = None, *, inputs: Path | None = None) -> dict[str, Any]:
    """Return the run's parameters with each "@name", "./path" and "../path" as a path from the run's own folder.

    Args:
        run: the run.
        folder: where its results will stand; default: `run.folder`.
        inputs: the folder that holds the runs it needs; default: the results of its profile.

    Returns:
        Parameter name -> value; "@dense" has become "../dense" when both runs stand side by side. The profile's own
        relative paths start from the project's top folder.

    Raises:
        FileNotFoundError: there is nothing at one of the profile's paths.
    """
    target = run.folder if folder is None else folder.resolve()
    siblings = results(run.profile) if inputs is None else inputs.resolve()

    def resolved(text: str) -> str:
        if text.startswith("@"):
            name = text.removeprefix("@")
            return os.path.relpath(_published(name) if name.startswith(_PUBLISHED) else siblings / name, target)
        return os.path.relpath(_in_project(text), target) if text.startswith(RELATIVE) else text

    return {name: with_texts(value, resolved) for name, value in run.parameters.items()}


def paths(run: Run) -> list[Path]:
    """List what the run's own relative paths lead to, from the project's top folder: a user's data, mostly.

    Raises:
        FileNotFoundError: there is nothing at one of them.
    """
    return [_in_project(text) for text in dict.fromkeys(texts(run.parameters)) if text.startswith(RELATIVE)]


def _references(value: Any) -> tuple[str, ...]:
    """List the names after "@" anywhere in a value, each once."""
    return tuple(dict.fromkeys(text.removeprefix("@") for text in texts(value) if text.startswith("@")))


def _in_project(path: str) -> Path:
    """Follow a profile's relative path."""
    found = (project.root() / path).resolve()
    if not found.exists():
        raise FileNotFoundError(f"nothing at {path!r} from {project.root()}; relative paths of a profile start there")
    return found


def _published(reference: str) -> Path:
    return project.published() / "results" / reference.removeprefix(_PUBLISHED)


def _content(name: str) -> Mapping[Any, Any]:
    """Read the file of a profile."""
    if name not in names():
        raise ValueError(f"no profile {name!r} in profiles/{nearest(name, names())}")
    where = f"profiles/{name}.yml"
    try:
        content = load((project.root() / where).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{where} is not valid YAML: {error}") from None
    return _mapping(content, where, _PROFILE_KEYS)


def _runs(profile: str, content: Mapping[Any, Any]) -> dict[str, Run]:
    """Make the records of the runs that a profile states itself."""
    where = f"profiles/{profile}.yml"
    threads = _count(content.get("threads", 1), where)
    known = notebooks.names()
    entries = _mapping(content.get("runs"), f"{where}, runs").items()
    return {key: _run(key, entry, where, profile=profile, threads=threads, known=known) for key, entry in entries}


def _run(key: object, entry: object, where: str, *, profile: str, threads: int, known: Iterable[str]) -> Run:
    """Check one entry of `runs` and make its record."""
    if not isinstance(key, str) or not _NAME.fullmatch(key):
        raise ValueError(f"{where}: a run is named with a-z, 0-9 and single hyphens between them; got {key!r}")
    where = f"{where}, run {key!r}"
    settings = _mapping(entry, where, _RUN_KEYS)
    notebook = settings.get("notebook", key)
    if notebook not in known:
        raise ValueError(f"{where}: no notebook {notebook!r} in notebooks/{nearest(str(notebook), known)}")
    parameters = _mapping(settings.get("parameters", {}), f"{where}, parameters")
    own = _count(settings.get("threads", threads), where)
    if not isinstance(alone := settings.get("alone", False), bool):
        raise ValueError(f"{where}: alone is true where nothing may run beside it, else false; got {alone!r}")
    return Run(name=key, profile=profile, notebook=notebook, parameters=parameters, threads=own, alone=alone)


def _check_references(run: Run, runs: Mapping[str, Run], where: str) -> None:
    for name in run.inputs:
        if name not in runs:
            raise ValueError(f'{where}: "@{name}" names no run of this profile{nearest(name, runs)}')
    # Whether it is published is seen when the run is made: a profile publishes what its later runs read.
    for name in _references(run.parameters):
        if name.startswith(_PUBLISHED) and not _PUBLISHED_RUN.fullmatch(name):
            raise ValueError(f'{where}: a published run is named "@published/<profile>/<run>"; got "@{name}"')


def _names(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{where} must be a list of profiles, as [published]; got {value!r}")
    return value


def _mapping(value: object, where: str, keys: Iterable[str] | None = None) -> Mapping[Any, Any]:
    """Check that a YAML value is a mapping, with known keys where they are given."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must be a mapping of names to values; got {value!r}")
    for key in value:
        if keys is not None and key not in keys:
            raise ValueError(f"{where}: unknown key {key!r}{nearest(str(key), keys)}")
    return value


def _count(value: object, where: str, what: str = "threads") -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{where}: {what} is a whole number of at least 1; got {value!r}")
    return value
