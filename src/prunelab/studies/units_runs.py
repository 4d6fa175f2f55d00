"""Tables of other runs of the study, read and kept."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pandas import DataFrame

from prunelab.records import save_table
from prunelab.studies.sparseness_summary import table_of
from prunelab.studies.units_labels import slug


def joined(folders: Sequence[str], name: str, *, run: str) -> DataFrame:
    """Read a table that several runs share, each with other seeds or nets, into one.

    Args:
        folders: of the runs, at least one.
        name: the table's name.
        run: a run that leaves it, for the hint in the error.

    Raises:
        FileNotFoundError: no folder is given, or a run lacks the table.
    """
    return pd.concat([table_of(folder, name, run=run) for folder in folders or [""]], ignore_index=True)


def keep(table: DataFrame, name: str, *, folder: str, of: str) -> DataFrame:
    """Save rows of another run's table with this run, described as there, and give them back.

    Args:
        table: the rows, with all columns of the table.
        name: what it is called here.
        folder: the other run's.
        of: what it is called there.
    """
    about = json.loads((Path(folder) / "tables" / f"{of}.json").read_text(encoding="utf-8"))
    save_table(table, name, key=about["key"], columns=about["columns"], varies=about.get("varies", False))
    return table


def suffix_of(folder: str, first: str) -> str:
    """Tell the figures of several runs of one notebook apart by how their folders' names go on from the first's.

    Args:
        folder: of a run, as ".../units-corrections-vgg".
        first: of the first run, as ".../units-corrections".

    Returns:
        "-vgg"; empty for the first itself.
    """
    name, start = Path(folder).name, Path(first).name
    return "" if folder == first else name[len(start) :] if name.startswith(f"{start}-") else f"-{slug(name)}"
