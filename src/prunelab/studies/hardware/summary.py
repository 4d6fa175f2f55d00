"""What the runs on several nets counted and timed, put together."""

from collections.abc import Mapping, Sequence

import pandas as pd
from pandas import DataFrame

from prunelab.studies.hardware.tables import Crossovers, Forms, FormsSummary, Latency, Memory, Times
from prunelab.summaries import over_seeds
from prunelab.tables import by_name

TABLES = (Forms, Times, Latency, Crossovers, Memory)


def read(runs: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, DataFrame]]:
    """Read the tables of the runs that timed pruned nets: what a net is called -> table -> rows.

    Args:
        runs: folders, one a net.
        names: of each run, what its net is called; lower-case words joined by hyphens, each once.
    """
    return {
        name: {table.table_name: table.load(run, run="hardware") for table in TABLES}
        for name, [run] in by_name(runs, names, once=True).items()
    }


def save(nets: Mapping[str, Mapping[str, DataFrame]]) -> None:
    """Save each table of all nets together, and what is counted over the nets of each spec."""
    for table in TABLES:
        table.save(pd.concat([net[table.table_name] for net in nets.values()], ignore_index=True))
    FormsSummary.save(pd.concat([forms_summary(net["forms"]) for net in nets.values()], ignore_index=True))


def forms_summary(forms: DataFrame) -> DataFrame:
    """Average what is counted over nets, as `FormsSummary`."""
    sizes = forms.assign(file_kib=forms["file_bytes"] / 1024, flops_thousand=forms["flops"] / 1000)
    by = ["data", "data_id", "model", "pruning", "sparsity_asked", "form"]
    found = over_seeds(sizes, by, "accuracy_percent", means=["file_kib", "flops_thousand"])
    return FormsSummary.frame(found.rename(columns={"seeds": "nets"}))
