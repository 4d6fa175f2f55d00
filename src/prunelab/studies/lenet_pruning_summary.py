"""The pruned nets of one run in numbers that prose quotes."""

from pandas import DataFrame

from prunelab.records import Value
from prunelab.stats import t_interval
from prunelab.studies.lenet_rows import net_name


def pruned_values(table: DataFrame) -> dict[str, Value]:
    """Quote a table of pruned nets: accuracy over seeds for each net, budget and target.

    Returns:
        `accuracy-<widths>-<target>-<budget>`, as `accuracy-300-100-2660-global`; `99.5%` is written `99-5-percent`.
    """
    values = {}
    for names, rows in table.groupby(["model", "target", "budget"], sort=False):
        model, target, budget = map(str, names)
        accuracy = t_interval(100 - rows["error_percent"].to_numpy(dtype=float))
        name = f"accuracy-{net_name(model)}-{target.replace('%', '-percent').replace('.', '-')}-{budget}"
        values[name] = Value(value=accuracy.value, low=accuracy.low, high=accuracy.high, unit="%", n=accuracy.n)
    return values
