"""The pins: everything that gets installed is pinned, once, and the same by pip and by conda."""

import re
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pins() -> dict[str, str]:
    """Return distribution -> version, as constraints.txt pins them."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def installed(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> set[str]:
    """List the distributions that installing one with its extras brings along, here."""
    if (name, extras) in seen:
        return set()
    seen.add((name, extras))
    found = {name}
    for requirement in map(Requirement, metadata.requires(name) or []):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            found |= installed(canonicalize_name(requirement.name), frozenset(requirement.extras), seen)
    return found


def test_every_distribution_that_the_project_and_its_extras_install_is_pinned():
    needed = installed("prunelab", frozenset({"book", "test"}), set()) - {"prunelab"}

    assert needed - pins().keys() == set()
    assert len(needed) > 100  # the walk did walk


def test_the_pins_meet_the_requirements_of_the_project():
    pinned = pins()
    wrong = [
        str(requirement)
        for requirement in map(Requirement, metadata.requires("prunelab") or [])
        if pinned[canonicalize_name(requirement.name)] not in requirement.specifier
    ]

    assert wrong == []


def test_the_pins_are_sorted_and_name_no_build_of_one_machine():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]

    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert lines == sorted(lines, key=str.upper)
    assert "prunelab" not in pins()


def test_conda_installs_the_package_itself_under_the_same_pins():
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))

    assert "-c constraints.txt" in pip
    assert "-e .[book,test]" in pip
    assert f"torch=={pins()['torch']}" in pip
    assert "python >=3.11,<3.14" in content["dependencies"]


def test_the_makefile_installs_the_package_under_the_same_pins():
    recipe = (ROOT / "Makefile").read_text()

    assert "-c constraints.txt -e '.[book,test]'" in recipe
    assert "$(READY): pyproject.toml constraints.txt" in recipe
