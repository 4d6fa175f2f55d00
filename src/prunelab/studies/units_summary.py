"""The numbers that a run of penalties along training leaves for prose."""

from pandas import DataFrame

from prunelab.records import Value
from prunelab.stats import t_interval
from prunelab.studies.sparseness_summary import quote


def trajectory_values(curves: DataFrame, penalties: DataFrame) -> dict[str, Value]:
    """Quote the nets at the end of their training, and how many removals were measured.

    Args:
        curves: one net's, rows of several seeds.
        penalties: the same net's.

    Returns:
        `accuracy-<part>` (%) and `loss-<part>` (nats) after the last iteration, on the fixed subsets, `iterations` and
        `measurements` (removals measured, each on one part).
    """
    values: dict[str, Value] = {}
    last = curves[curves["step"] == curves["step"].max()]
    for part, rows in last.groupby("part", sort=False):
        values[f"accuracy-{part}"] = quote(t_interval(rows["accuracy_percent"].to_numpy()), "%")
        values[f"loss-{part}"] = quote(t_interval(rows["loss"].to_numpy()), "nats")
    values["iterations"] = Value(value=int(curves["step"].max()), digits=0)
    values["measurements"] = Value(value=len(penalties), digits=0)
    return values
