"""What the command line prints: tables for a terminal of any width."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from prunelab.report import comparing, doctor
from prunelab.report.comparing import Comparison
from prunelab.report.doctor import Check

_COLOURS = {
    comparing.IDENTICAL: "green",
    comparing.WITHIN: "green",
    comparing.VARIES: "green",
    comparing.DIFFERENT: "red",
    comparing.MISSING: "red",
    comparing.EXTRA: "red",
    doctor.OK: "green",
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
    unlike = [one for one in found if one.outcome != comparing.IDENTICAL]
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
