"""What this machine has of what Prunelab needs, and how to get the rest."""

import os
import platform
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from prunelab import project
from prunelab.report import publish, verify
from prunelab.report.verify import Comparison

OK, MISSING = "ok", "missing"
_PYTHONS = ((3, 11), (3, 14))  # from, up to but not including
_SPARE_DISK = 2 << 30  # bytes: MNIST, the nets of profile full, and the book come to less
_SPARE_MEMORY = 1 << 30  # bytes: one kernel with torch and a net
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked for."""

    part: str  # "Python", "packages", "data", "machine", "browser" or "full run"
    name: str
    state: str  # OK or MISSING
    found: str
    fix: str = ""  # what to do about it, "" when nothing is to be done
    required: bool = True  # False: only some of what Prunelab does needs it


def examine() -> list[Check]:
    """Look for everything that Prunelab may need, without downloading or changing anything."""
    return [_python(), *_packages(), _torch(), *_data(), *_machine(), _browser(), *_full_run()]


def _python() -> Check:
    version = platform.python_version()
    if _PYTHONS[0] <= sys.version_info[:2] < _PYTHONS[1]:
        return Check(part="Python", name="version", state=OK, found=version)
    fix = "make a new environment with Python 3.11, 3.12 or 3.13"
    return Check(part="Python", name="version", state=MISSING, found=version, fix=fix)


def _packages() -> Iterator[Check]:
    """Look for the packages that Prunelab and its extras name."""
    wanted: dict[str, list[str]] = {}
    for requirement in metadata.requires("prunelab") or []:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        name = re.match(r"[\w.-]+", requirement)
        if name:
            wanted.setdefault(extra.group(1) if extra else "", []).append(name.group())
    for group, names in wanted.items():
        absent = [name for name in names if not _installed(name)]
        found = f"{len(names) - len(absent)} of {len(names)}" + (f", without {', '.join(absent)}" if absent else "")
        fix = f"pip install -c constraints.txt -e '.[{group}]'" if group else "pip install -c constraints.txt -e ."
        yield Check(
            part="packages",
            name=f"extra {group!r}" if group else "required",
            state=MISSING if absent else OK,
            found=found,
            fix=fix if absent else "",
            required=not group,
        )


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _torch() -> Check:
    import torch  # takes a second, which `prunelab --help` need not wait for

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    found = f"{torch.__version__}, {torch.get_num_threads()} threads, {device}"
    return Check(part="packages", name="torch", state=OK, found=found)


def _data() -> Iterator[Check]:
    from prunelab import data

    for row in data.status():
        absent = row.problem or f"not on this machine, {row.size / 1e6:.0f} MB to get"
        found = str(row.where) if row.where else absent
        state = OK if row.where else MISSING
        yield Check(
            part="data", name=row.name, state=state, found=found, fix="" if row.where else row.get, required=False
        )


def _machine() -> Iterator[Check]:
    disk = shutil.disk_usage(project.root()).free
    memory = psutil.virtual_memory().available
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Check(part="machine", name="cores", state=OK, found=str(cores))
    yield _room("free disk", disk, _SPARE_DISK, "make room where the project stands")
    yield _room("free memory", memory, _SPARE_MEMORY, "close other programs, or build with --cores 1")


def _room(name: str, found: int, needed: int, fix: str) -> Check:
    enough = found >= needed
    text = gibibytes(found) + ("" if enough else f", {gibibytes(needed)} needed")
    return Check(part="machine", name=name, state=OK if enough else MISSING, found=text, fix="" if enough else fix)


def _browser() -> Check:
    """Look for a Chromium, in the search path and where playwright installs its own; tests of the pages need one."""
    home = Path.home()
    own = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    caches = [Path(own)] if own else [home / ".cache" / "ms-playwright", home / "Library" / "Caches" / "ms-playwright"]
    places = [shutil.which(name) for name in _BROWSERS]
    places += [str(path) for folder in caches for path in folder.glob("chrom*")]
    found = next((place for place in places if place), None)
    if found:
        return Check(part="browser", name="Chromium", state=OK, found=found, required=False)
    fix = "python -m playwright install chromium"
    return Check(part="browser", name="Chromium", state=MISSING, found="none", fix=fix, required=False)


def _full_run() -> Iterator[Check]:
    """Say what profile full took when its published results were made."""
    runs = publish.provenances("full").values()
    if not runs:
        return
    seconds = sum(float(str(run["wall_seconds"])) for run in runs)
    memory = max(int(str(run["peak_memory_bytes"])) for run in runs)
    cpu = " and ".join(sorted({str(run["cpu"]) for run in runs}))
    enough = psutil.virtual_memory().total >= memory
    yield Check(part="full run", name="time", state=OK, found=f"{duration(seconds)} one run after the other, on {cpu}")
    yield Check(
        part="full run",
        name="memory of a run",
        state=OK if enough else MISSING,
        found=f"at most {gibibytes(memory)}",
        fix="" if enough else "use a machine with more memory",
        required=False,
    )


def gibibytes(size: int) -> str:
    """Write a number of bytes in GiB."""
    return f"{size / (1 << 30):.1f} GiB"


def duration(seconds: float) -> str:
    """Write a number of seconds as a reader would say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


_COLOURS = {
    verify.IDENTICAL: "green",
    verify.WITHIN: "green",
    verify.VARIES: "green",
    verify.DIFFERENT: "red",
    verify.MISSING: "red",
    verify.EXTRA: "red",
    OK: "green",
}


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print rows of text under their headings; long cells go on in the next line."""
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        # As text: square brackets in values are no markup.
        shown.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in row))
    Console().print(shown)


def comparisons(found: Sequence[Comparison]) -> None:
    """Print what `verify` found: what is not identical, one by one, then the counts of each run and of all."""
    columns = ("run", "what", "name", "outcome", "where", "published", "now")
    unlike = [one for one in found if one.outcome != verify.IDENTICAL]
    if unlike:
        table(columns, [(one.run, one.kind, one.name, one.outcome, one.where, one.old, one.new) for one in unlike])
    for run in dict.fromkeys(one.run for one in found):
        print(f"{run}: {_counted([one for one in found if one.run == run])}")
    print(f"in all: {_counted(found)}" if found else "nothing to compare")


def _counted(found: Sequence[Comparison]) -> str:
    counts = Counter(one.outcome for one in found)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def checks(found: Sequence[Check]) -> None:
    """Print what `doctor` found and, for what is missing, the fix."""
    columns = ("part", "name", "state", "found", "fix")
    table(columns, [(one.part, one.name, one.state, one.found, one.fix) for one in found])
