"""The verdicts on the LeNet study's claims, from the tables of its runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from pandas import DataFrame

from prunelab import claims
from prunelab.rules import lenet
from prunelab.studies.sparseness_summary import table_of

# The tables that decide the claims, and what the notebooks call the runs that leave them.
TABLES = {
    "dense": "lenet-dense",
    "modes": "lenet-dense",
    "pruned": "lenet-pruned",
    "layers": "lenet-pruned",
    "active": "lenet-active",
    "removal": "lenet-removal",
}


def decide(runs: Mapping[str, Sequence[str]], *, target: str, targets: Sequence[str]) -> list[claims.Verdict]:
    """Decide every claim of the study.

    Args:
        runs: table ("dense", "modes", "pruned", "layers", "active", "removal") -> folders of the runs that hold it.
        target: label of the weights left at which pruned nets are looked at.
        targets: labels at which masked and regrown nets are compared.

    Returns:
        One verdict a claim, in the order of `claims.yml`.

    Raises:
        FileNotFoundError: a table has no run, or a run lacks it.
        ValueError: what the rules refuse.
    """
    tables: dict[str, DataFrame] = {}
    for name, run in TABLES.items():
        folders = [folder for folder in runs.get(name, ()) if folder] or [""]
        tables[name] = pd.concat([table_of(folder, name, run=run) for folder in folders], ignore_index=True)
    where = {name: f"{Path(next(folder for folder in runs[name] if folder)).name}/tables/{name}.csv" for name in TABLES}
    return lenet.verdicts(tables, where=where, target=target, targets=targets)
