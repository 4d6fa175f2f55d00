"""The book: executed runs collected beside its sources, and its pages built anew, strictly and reproducibly."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from prunelab import files, project
from prunelab.report import notebooks, profiles, provenance, runs
from prunelab.report.execute import locked

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TROUBLE = re.compile(r"WARNING|ERROR|CRITICAL|[Ee]rror:")
SHOWN = "quick"  # the profile whose runs the pages are written for
FROZEN = "published"  # the profile that makes none of them: the published ones stand in
# Trained networks are large, and no page shows them.
_NOT_EXECUTED = (
    "*This build shows published results and executed no experiment: the cells stand without their outputs.*"
)
_LEFT_OUT = shutil.ignore_patterns("nets")


class BookError(RuntimeError):
    """The book could not be built; the message is one line that says where the log lies."""


def pages() -> Path:
    """Return the folder of the built pages."""
    return project.root() / "_build" / "html"


def first_page() -> Path:
    """Return the page that the table of contents names as its root."""
    toc = yaml.safe_load((project.root() / "_toc.yml").read_text(encoding="utf-8"))
    return pages() / f"{toc['root']}.html"


def sources() -> list[Path]:
    """List the files the pages are made from, apart from the runs: prose, extensions, settings, published facts."""
    root = project.root()
    generated = root / "book" / "executed"
    found = [path for folder in ("book", "published") for path in sorted((root / folder).rglob("*")) if path.is_file()]
    kept = [path for path in found if generated not in path.parents and "__pycache__" not in path.parts]
    # The book's extensions read runs and tables through the package.
    readers = [path for path in kept if path.suffix == ".py"]
    code = {Path(__file__)}.union(*(notebooks.modules_used(path) for path in readers))
    return [root / "_config.yml", root / "_toc.yml", *kept, *sorted(code)]


def stamp(profile: str) -> Path:
    """Return the file that holds the digest of the pages built from a profile: what the graph sees of them."""
    # No run can be called so: their names begin with a letter or a digit.
    return profiles.results(profile) / ".done" / ".book"


def error(profile: str) -> Path:
    """Return the file that holds the one-line error of the last build that failed."""
    return stamp(profile).with_name(".book.error")


def drop_stale_stamp(profile: profiles.Profile) -> None:
    """Remove the stamp when the pages are no longer those it vouches for: deleted, edited, or of another profile.

    Also when a run has lost its stamp, see `runs.drop_stale_stamps`.
    """
    mine = stamp(profile.name)
    whole = all(runs.stamp(run).is_file() for run in profile.runs)
    if mine.is_file() and not (whole and mine.read_text(encoding="utf-8").strip() == _digest()):
        mine.unlink()


def lacking(profile: profiles.Profile) -> list[profiles.Run]:
    """List the runs that the pages show and a profile does not make."""
    made = {run.name for run in profile.runs}
    shown = profiles.read(SHOWN).runs if SHOWN in profiles.names() else ()
    return [run for run in shown if run.name not in made]


def collect(profile: profiles.Profile) -> Path:
    """Copy the finished runs of a profile into `book/executed/`, where the book's sources refer to them.

    Profile "published" makes figures alone: what it lacks are the published tables and verdicts, with the figures
    that it drew of them and the notebooks without their outputs.

    Returns:
        The folder: `<run>/` with everything but the nets, and `build.json` with the profile's name.

    Raises:
        FileNotFoundError: a run is not finished, or not published.
    """
    target = project.root() / "book" / "executed"
    fresh = _emptied(target.with_name(".executed.tmp"))
    for run in profile.runs:
        if not (run.folder / "provenance.json").is_file():
            fix = f"prunelab build {run.name} --profile {profile.name}"
            raise FileNotFoundError(f"run {run.name!r} of profile {profile.name!r} is not finished; run it with: {fix}")
        shutil.copytree(run.folder, fresh / run.name, ignore=_LEFT_OUT)
    if profile.name == FROZEN:
        drawn = {run.notebook: run.folder / "figures" for run in profile.runs}
        for run in lacking(profile):
            _stand_in(run, fresh / run.name, drawn.get(run.notebook))
    files.write_json(fresh / "build.json", {"profile": profile.name})
    files.replace_folder(fresh, target)
    return target


def build(profile: profiles.Profile, cores: int = 1) -> Path:
    """Build the pages from a profile's finished runs; the pages built before stand until the new ones are complete.

    Always from nothing: a warm build keeps stale sidebars and numbers.

    Args:
        profile: whose runs the pages show.
        cores: pages at a time, >= 1; they are the same for any number.

    Returns:
        The first page.

    Raises:
        BookError: jupyter-book failed or warned; its output is in `_build/book.log`.
    """
    root = project.root()
    with locked(root / "_build" / ".lock", "waiting for another build of the book to end"):
        collect(profile)
        fresh = _emptied(root / "_build" / ".new")
        log = root / "_build" / "book.log"
        command = [sys.executable, "-m", "prunelab.report.sphinx", str(root), str(fresh / "html"), str(cores)]
        # Sphinx writes some sets in the order of their hashes.
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(provenance.commit_time()), "PYTHONHASHSEED": "0"}
        with log.open("w", encoding="utf-8") as output:
            done = subprocess.run(command, cwd=root, env=environment, stdout=output, stderr=output)
        if done.returncode != 0:
            raise BookError(f"the book was not built: {_complaint(log)}; all of it in {log.relative_to(root)}")
        files.replace_folder(fresh / "html", pages())
        shutil.rmtree(fresh)
        files.write_text(stamp(profile.name), f"{_digest()}\n")
    return first_page()


def main() -> None:
    """Build the pages of the profile named on the command line on so many cores, as the graph's job.

    An error is told in one line.
    """
    profile, cores = sys.argv[1:]
    error(profile).unlink(missing_ok=True)
    try:
        build(profiles.read(profile), int(cores))
    except (BookError, ValueError, OSError) as failure:
        files.write_text(error(profile), f"{failure}\n")
        raise SystemExit(f"error: {failure}") from None


def _stand_in(run: profiles.Run, folder: Path, figures: Path | None) -> None:
    """Put the published results of a run in the place of those that this build does not make."""
    published = project.published() / "results" / "full" / run.name
    if not published.is_dir():
        fix = f"prunelab publish --run {run.name}"
        raise FileNotFoundError(f"run {run.name!r} stands in no published results; publish it with: {fix}")
    shutil.copytree(published, folder)
    if figures is not None:
        shutil.copytree(figures, folder / "figures")
    nb = notebooks.read(run.notebook)
    nb.cells.insert(1, {"cell_type": "markdown", "metadata": {}, "source": _NOT_EXECUTED})
    files.write_json(folder / "notebook.ipynb", notebooks.with_numbered_cells(nb))


def _emptied(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _digest() -> str:
    return files.digest(pages()) if pages().is_dir() else "none"


def _complaint(log: Path) -> str:
    """Return the first warning or error of a build, with the line after it where it ends in a colon."""
    text = _COLOUR.sub("", log.read_text(encoding="utf-8")).replace(f"{project.root()}/", "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((index for index, line in enumerate(lines) if _TROUBLE.search(line)), len(lines) - 1)
    return " ".join(lines[first : first + (2 if lines[first].endswith(":") else 1)]) if lines else "no output"
