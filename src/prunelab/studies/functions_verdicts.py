"""The verdicts on the claims about pruning functions, from the tables of its runs."""

from pathlib import Path

from prunelab import claims
from prunelab.rules import functions
from prunelab.studies.sparseness_summary import table_of

# What the notebooks call the runs that leave the tables that decide the claims.
RUNS = {"kinds": "kinds-report", "threshold-choices": "functions-report", "times": "functions-report"}


def decide(*, kinds: str = "", choices: str = "", hardware: str = "") -> list[claims.Verdict]:
    """Decide the claims of the study.

    Args:
        kinds: folder of the run with the table "kinds" of all nets; the claim on it is left out where there is none.
        choices: folder of the run with "threshold-choices"; likewise.
        hardware: folder of the run with "times"; likewise.

    Returns:
        One verdict a claim, in the order of `claims.yml`.

    Raises:
        FileNotFoundError: a run lacks its table.
        ValueError: no run is given, or what the rules refuse.
    """
    given = {"kinds": kinds, "threshold-choices": choices, "times": hardware}
    folders = {name: folder for name, folder in given.items() if folder}
    if not folders:
        raise ValueError("claims are decided from the tables of runs; kinds, choices and hardware are all empty")
    tables = {name: table_of(folder, name, run=RUNS[name]) for name, folder in folders.items()}
    where = {name: f"{Path(folder).name}/tables/{name}.csv" for name, folder in folders.items()}
    return functions.verdicts(tables, where=where)
