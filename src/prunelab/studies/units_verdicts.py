"""The verdicts on the mean-replacement study's claims, from the tables of its runs."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from prunelab import claims
from prunelab.rules import units
from prunelab.studies.sparseness_summary import table_of

# What the notebooks call the runs that leave the tables that decide the claims.
RUNS = {
    "penalties": "units-penalties",
    "choices": "units-penalties",
    "squares": "units-penalties",
    "fine-tuned": "units-fine-tuning",
    "iterative": "units-iterative",
}


def decide(
    penalties: Sequence[str], *, fine_tuning: Sequence[str] = (), iterative: Sequence[str] = ()
) -> list[claims.Verdict]:
    """Decide the claims of the study.

    Args:
        penalties: folders of the runs with the tables "penalties" and "choices", and some with "squares"; the claim on
            these is left out where none has them.
        fine_tuning: folders of the runs with "fine-tuned"; the claim on it is left out where there is none.
        iterative: folders of the runs with "iterative"; likewise.

    Returns:
        One verdict a claim, in the order of `claims.yml`.

    Raises:
        FileNotFoundError: no run measured penalties, or a run lacks its table.
        ValueError: what the rules refuse.
    """
    measured = list(penalties) or [""]
    folders = {
        "penalties": measured,
        "choices": measured,
        # A run may keep no activations: its net has no such layer, or none was named.
        "squares": [folder for folder in measured if (Path(folder) / "tables" / "squares.csv").is_file()],
        "fine-tuned": list(fine_tuning),
        "iterative": list(iterative),
    }
    tables = {
        name: pd.concat([table_of(folder, name, run=RUNS[name]) for folder in own], ignore_index=True)
        for name, own in folders.items()
        if own
    }
    where = {name: f"{Path(folders[name][0]).name}/tables/{name}.csv" for name in tables}
    return units.verdicts(tables, where=where)
