"""The sources' own tables, held against the identities their numbers must satisfy.

Nothing is corrected: each number is shown as printed, beside the value an identity implies for it.
"""

from pathlib import Path
from typing import Annotated as A

import pandas as pd

from prunelab import project
from prunelab.audit import lenet, speech
from prunelab.audit.identities import Finding, Number, Row
from prunelab.tables import Table

__all__ = ["Answer", "Finding", "Identity", "Slip", "answer", "findings", "read", "slips", "summary"]


class Identity(Table, key="table identity", name="identities"):
    """One identity, over all rows that it is checked on."""

    table: A[str, "the source's table"]
    identity: A[str, "what must hold"]
    rows: A[int, "rows checked [count]"]
    holds: A[int, "rows where it holds [count]"]
    fails: A[int, "rows where it fails [count]"]
    doubtful: A[int, "rows where a coincidence is possible [count]"]


class Suspect(Row):
    """A row that fails or is in doubt."""

    identities: A[str, "every identity that fails or is in doubt there"]


class Slip(Number, Suspect, key="table row", name="slips"):
    """One row that fails or is in doubt, with the number that shows it."""


class Answer(Table, key="tables"):
    """The audit in numbers."""

    tables: A[int, "tables checked [count]"]
    identities: A[int, "identities [count]"]
    checks: A[int, "numbers held against one of them [count]"]
    checks_that_hold: A[int, "of these, those that hold [count]"]
    slips: A[int, "rows that fail [count]"]
    doubtful_rows: A[int, "rows in doubt [count]"]


def read(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Read a published table as it is printed: every cell as text, empty cells as "".

    Args:
        name: "connection-sparseness" or "lenet-variants".
        folder: where `<name>.csv` is; the project's published facts when absent.

    Raises:
        FileNotFoundError: there is no such table.
    """
    path = (folder or project.published()) / f"{name}.csv"
    if not path.is_file():
        raise FileNotFoundError(f"the sources' tables are {speech.TABLE} and {lenet.TABLE}; {path} is missing")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def findings(sparseness: pd.DataFrame | None = None, variants: pd.DataFrame | None = None) -> pd.DataFrame:
    """Hold both tables against every identity; one row a printed number and identity, as `Finding`.

    Args:
        sparseness: the table "connection-sparseness", cells as text; the published one when absent.
        variants: the table "lenet-variants", likewise.
    """
    rows = speech.read(read(speech.TABLE) if sparseness is None else sparseness)
    distinct = speech.distinct(rows)
    found = [
        *speech.repeated_rows(rows),
        *speech.one_threshold_one_sparsity(distinct),
        *speech.signs_add_up(distinct),
        *speech.one_net_one_row(distinct),
        *speech.proportional(distinct),
        *speech.layers(distinct),
        *speech.shared_word_errors(distinct),
        *lenet.findings(read(lenet.TABLE) if variants is None else variants),
    ]
    return Finding.frame(found)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Count, identity by identity, the rows where it holds, fails and is in doubt.

    Args:
        found: what `findings` returns.

    Returns:
        As `Identity`, in the order the identities were checked.
    """
    by = ["table", "identity"]
    # A row with several numbers counts once, by the worst of them.
    worst = found.assign(rank=found["status"].map({"holds": 0, "doubtful": 1, "fails": 2}))
    rows = worst.groupby([*by, "row"], sort=False)["rank"].max().reset_index()
    counts = rows.groupby(by, sort=False)["rank"].agg(
        rows="size",
        holds=lambda ranks: int((ranks == 0).sum()),
        fails=lambda ranks: int((ranks == 2).sum()),
        doubtful=lambda ranks: int((ranks == 1).sum()),
    )
    return Identity.frame(counts.reset_index())


def slips(found: pd.DataFrame) -> pd.DataFrame:
    """List the rows where an identity fails or is in doubt, each once, the failing ones first.

    Args:
        found: what `findings` returns.

    Returns:
        As `Slip`. The numbers are those of the first identity that failed.
    """
    bad = found[found["status"] != "holds"]
    # Stable, so that rows and identities keep the order in which they were checked.
    bad = bad.sort_values("status", key=lambda status: status != "fails", kind="stable")
    by = ["table", "row"]
    identities = bad.groupby(by, sort=False)["identity"].agg("; ".join).rename("identities")
    first = bad.drop_duplicates(by).drop(columns="identity")
    return Slip.frame(first.merge(identities.reset_index(), on=by))


def answer(found: pd.DataFrame) -> pd.DataFrame:
    """Sum up what `findings` returns in one row, as `Answer`."""
    status = slips(found)["status"]
    counts = {
        "tables": found["table"].nunique(),
        "identities": len(found[["table", "identity"]].drop_duplicates()),
        "checks": len(found),
        "checks_that_hold": int((found["status"] == "holds").sum()),
        "slips": int((status == "fails").sum()),
        "doubtful_rows": int((status == "doubtful").sum()),
    }
    return Answer.frame([counts])
