"""The sources' own tables, held against the identities their numbers must satisfy.

Nothing is corrected: each number is shown as printed, beside the value an identity implies for it.
"""

from pathlib import Path

import pandas as pd

from prunelab import project, records
from prunelab.audit import lenet, speech
from prunelab.audit.speech import Finding

__all__ = [
    "COLUMNS",
    "KEY",
    "SLIP_COLUMNS",
    "SUMMARY_COLUMNS",
    "Finding",
    "findings",
    "read",
    "slips",
    "summary",
    "values",
]

KEY = ("table", "row", "identity", "quantity")
COLUMNS = {
    "table": "the source's table",
    "row": "its row",
    "identity": "what must hold",
    "quantity": "which number of the row [its unit]",
    "printed": "the number as printed [unit of quantity]",
    "implied": "what the identity makes of the other numbers; may be empty where it names no number [unit of quantity]",
    "deviation": "printed - implied; may be empty [unit of quantity]",
    "tolerance": "what rounding and interpolation can explain; may be empty [unit of quantity]",
    "status": "holds, fails, or doubtful (a coincidence is possible)",
    "how": "how the value is implied",
}
SUMMARY_COLUMNS = {
    "table": "the source's table",
    "identity": "what must hold",
    "rows": "rows checked [count]",
    "holds": "rows where it holds [count]",
    "fails": "rows where it fails [count]",
    "doubtful": "rows where a coincidence is possible [count]",
}
SLIP_COLUMNS = {
    "table": "the source's table",
    "row": "its row",
    "identities": "every identity that fails or is in doubt there",
    **{name: COLUMNS[name] for name in ("quantity", "printed", "implied", "deviation", "tolerance", "status", "how")},
}


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
    """Hold both tables against every identity.

    Args:
        sparseness: the table "connection-sparseness", cells as text; the published one when absent.
        variants: the table "lenet-variants", likewise.

    Returns:
        A row per printed number and identity, with the columns of `COLUMNS` and the key `KEY`.
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
    return records.to_frame(found, KEY)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Count, identity by identity, the rows where it holds, fails and is in doubt.

    Args:
        found: what `findings` returns.

    Returns:
        The columns of `SUMMARY_COLUMNS`, in the order the identities were checked; key: table, identity.
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
    return counts.reset_index()


def slips(found: pd.DataFrame) -> pd.DataFrame:
    """List the rows where an identity fails or is in doubt, each once, the failing ones first.

    Args:
        found: what `findings` returns.

    Returns:
        The columns of `SLIP_COLUMNS`; key: table, row. The numbers are those of the first identity that failed.
    """
    bad = found[found["status"] != "holds"]
    # Stable, so that rows and identities keep the order in which they were checked.
    bad = bad.sort_values("status", key=lambda status: status != "fails", kind="stable")
    by = ["table", "row"]
    identities = bad.groupby(by, sort=False)["identity"].agg("; ".join).rename("identities")
    first = bad.drop_duplicates(by).drop(columns="identity")
    return first.merge(identities.reset_index(), on=by)[list(SLIP_COLUMNS)]


def values(found: pd.DataFrame) -> dict[str, records.Value]:
    """Count for prose: rows with a slip, doubtful rows, numbers checked, numbers that hold, identities.

    Args:
        found: what `findings` returns.
    """
    status = slips(found)["status"]
    counts = {
        "slips": (status == "fails").sum(),
        "doubtful-rows": (status == "doubtful").sum(),
        "checks": len(found),
        "checks-that-hold": (found["status"] == "holds").sum(),
        "identities": len(found[["table", "identity"]].drop_duplicates()),
    }
    return {name: records.Value(value=int(count), digits=0) for name, count in counts.items()}
