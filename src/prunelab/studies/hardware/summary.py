"""The numbers on hardware that prose quotes."""

import math
from typing import Any

from pandas import DataFrame

from prunelab.records import Value, quote
from prunelab.stats import t_interval
from prunelab.studies.hardware.tables import NONE


def counted_values(forms: DataFrame) -> dict[str, Value]:
    """Quote what is counted of one net, the same in every run on one machine.

    Args:
        forms: as `hardware_forms.form_table` gives it, of one net.

    Returns:
        `weights`; `accuracy-none` and `accuracy-<pruning>-<sparsity>` (%, over seeds), as "accuracy-units-90";
        `file-<pruning>-<form>[-<sparsity>]` (KiB) and `flops-...` (thousands a call on one example), means over seeds.

    Raises:
        ValueError: no net, or several.
    """
    _refuse_several(forms)
    values = {"weights": Value(value=int(forms["weights"].iloc[0]), digits=0)}
    for names, rows in forms.groupby(["pruning", "sparsity_asked", "form"], sort=False):
        pruning, sparsity, form = names
        at = _at(str(pruning), float(str(sparsity)))
        place = f"{pruning}-{form}{at}"
        accuracy = rows.drop_duplicates("seed")["accuracy_percent"].to_numpy()
        values[f"accuracy-{pruning}{at}"] = quote(t_interval(accuracy), "%")
        for name, column, unit, size in (("file", "file_bytes", "KiB", 1024), ("flops", "flops", "thousands", 1000)):
            values[f"{name}-{place}"] = Value(value=float(rows[column].mean()) / size, unit=unit, digits=1)
    return values


def timed_values(latency: DataFrame, crossovers: DataFrame, memory: DataFrame) -> dict[str, Value]:
    """Quote what is measured of one net, another number in every run.

    Args:
        latency: as `hardware_times.latency_table` gives it, of one net.
        crossovers: as `hardware_times.crossover_table` gives it, of the same.
        memory: as `hardware_memory.memory_table` gives it, of the same.

    Returns:
        Where <run> is "<batch>-<threads>": `time-<pruning>-<form>[-<sparsity>]-<run>` (ms) and `ratio-...` (of the
        unpruned net's time by torch); `crossover-<pruning>-<form>-<reference>-<run>` (%, left out where the form never
        becomes faster; its interval is given where both ends were reached); `memory-<pruning>-<form>[-<sparsity>]`
        (KiB at the most). All are marked as varying.

    Raises:
        ValueError: no net, or several.
    """
    _refuse_several(latency)
    values: dict[str, Value] = {}
    for row in latency.to_dict("records"):
        run = f"{row['batch']}-{row['threads']}"
        place = f"{row['pruning']}-{row['form']}{_at(row['pruning'], row['sparsity_asked'])}-{run}"
        ends = {"low": row["low"], "high": row["high"], "n": row["nets"]}
        values[f"time-{place}"] = Value(value=row["milliseconds"], unit="ms", digits=3, varies=True, **ends)
        ends = {"low": row["ratio_low"], "high": row["ratio_high"], "n": row["nets"]}
        values[f"ratio-{place}"] = Value(value=row["ratio"], digits=2, varies=True, **ends)
    for row in crossovers.to_dict("records"):
        value, low, high = (float(row[name]) for name in ("crossover_percent", "low", "high"))
        if math.isnan(value):
            continue
        bounds: dict[str, Any] = {} if math.isnan(low) or math.isnan(high) else {"low": low, "high": high}
        name = f"{row['pruning']}-{row['form']}-{row['reference']}-{row['batch']}-{row['threads']}"
        values[f"crossover-{name}"] = Value(value=value, unit="%", digits=1, n=row["nets"], varies=True, **bounds)
    for row in memory.dropna(subset=["peak_bytes"]).to_dict("records"):
        name = f"{row['pruning']}-{row['form']}{_at(row['pruning'], row['sparsity_asked'])}"
        values[f"memory-{name}"] = Value(value=row["peak_bytes"] / 1024, unit="KiB", digits=0, varies=True)
    return values


def _at(pruning: str, sparsity: float) -> str:
    """Write a sparsity as part of a name: "-99-5"; nothing for an unpruned net."""
    return "" if pruning == NONE else f"-{100 * sparsity:.10g}".replace(".", "-")


def _refuse_several(table: DataFrame) -> None:
    found = table[["data", "model"]].drop_duplicates()
    if len(found) != 1:
        raise ValueError(f"numbers are quoted of one net on one data set; the table has {len(found)}: give it one's")
