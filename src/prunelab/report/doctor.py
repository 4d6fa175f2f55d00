"""What this machine has of what Prunelab needs, and how to get the rest."""

import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from prunelab import project
from prunelab.report import provenance, publish, verify
from prunelab.report.verify import Comparison

OK, MISSING = "ok", "missing"
_PYTHONS = ((3, 11), (3, 14))  # from, up to but not including
_SPARE_DISK = 2 << 30  # bytes: MNIST, the nets of profile full, and the book come to less
_SPARE_MEMORY = 1 << 30  # bytes: one kernel with torch and a net
_ONE_LINE = 100_000  # columns that no cell fills
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


def _check(part: str, name: str, found: str, *, fix: str = "", required: bool = True) -> Check:
    """Write one finding down; with a fix, what was looked for is missing."""
    return Check(part=part, name=name, state=MISSING if fix else OK, found=found, fix=fix, required=required)


def _python() -> Check:
    right = _PYTHONS[0] <= sys.version_info[:2] < _PYTHONS[1]
    fix = "" if right else "make a new environment with Python 3.11, 3.12 or 3.13"
    return _check("Python", "version", platform.python_version(), fix=fix)


def _packages() -> Iterator[Check]:
    """Look for the packages that Prunelab and its extras name."""
    for group, names in provenance.requirements().items():
        absent = [name for name in names if not provenance.version(name)]
        found = f"{len(names) - len(absent)} of {len(names)}" + (f", without {', '.join(absent)}" if absent else "")
        fix = f"pip install -c constraints.txt -e '.[{group}]'" if group else "pip install -c constraints.txt -e ."
        name = f"extra {group!r}" if group else "required"
        yield _check("packages", name, found, fix=fix if absent else "", required=not group)


def _torch() -> Check:
    import torch  # takes a second, which `prunelab --help` need not wait for

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return _check("packages", "torch", f"{torch.__version__}, {torch.get_num_threads()} threads, {device}")


def _data() -> Iterator[Check]:
    from prunelab import data

    for row in data.status():
        absent = row.problem or f"not on this machine, {row.size / 1e6:.0f} MB to get"
        yield _check("data", row.name, str(row.where or absent), fix="" if row.where else row.get, required=False)


def _machine() -> Iterator[Check]:
    disk = shutil.disk_usage(project.root()).free
    memory = psutil.virtual_memory().available
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield _check("machine", "cores", str(cores))
    yield _room("free disk", disk, _SPARE_DISK, "make room where the project stands")
    yield _room("free memory", memory, _SPARE_MEMORY, "close other programs, or build with --cores 1")


def _room(name: str, found: int, needed: int, fix: str) -> Check:
    enough = found >= needed
    text = _gibibytes(found) + ("" if enough else f", {_gibibytes(needed)} needed")
    return _check("machine", name, text, fix="" if enough else fix)


def _browser() -> Check:
    """Look for a Chromium, in the search path and where playwright installs its own; tests of the pages need one."""
    home = Path.home()
    own = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    caches = [Path(own)] if own else [home / ".cache" / "ms-playwright", home / "Library" / "Caches" / "ms-playwright"]
    places = [shutil.which(name) for name in _BROWSERS]
    places += [str(path) for folder in caches for path in folder.glob("chrom*")]
    found = next((place for place in places if place), None)
    fix = "" if found else "python -m playwright install chromium"
    return _check("browser", "Chromium", found or "none", fix=fix, required=False)


def _full_run() -> Iterator[Check]:
    """Say what profile full took when its published results were made."""
    runs = publish.provenances("full").values()
    if not runs:
        return
    seconds = sum(float(str(run["wall_seconds"])) for run in runs)
    memory = max(int(str(run["peak_memory_bytes"])) for run in runs)
    cpu = " and ".join(sorted({str(run["cpu"]) for run in runs}))
    yield _check("full run", "time", f"{_duration(seconds)} one run after the other, on {cpu}")
    fix = "" if psutil.virtual_memory().total >= memory else "use a machine with more memory"
    yield _check("full run", "memory of a run", f"at most {_gibibytes(memory)}", fix=fix, required=False)


def _gibibytes(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"


def _duration(seconds: float) -> str:
    """Write a number of seconds as a reader would say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


_COLOURS = dict.fromkeys((*verify.AGREEING, OK), "green")
_COLOURS |= dict.fromkeys((verify.DIFFERENT, verify.MISSING, verify.EXTRA), "red")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print rows of text under their headings; on a terminal, long cells go on in the next line."""
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        # As text: square brackets in values are no markup.
        shown.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in row))
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _ONE_LINE  # for programs, and for paths that are to be copied
    console.print(shown)


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
