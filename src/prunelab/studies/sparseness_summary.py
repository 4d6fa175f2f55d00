"""Study 1 summed up: knees for tables and prose, and the verdicts on its claims."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pandas import DataFrame

from prunelab import claims, models
from prunelab.records import Value, load_table, to_frame
from prunelab.rules import curves, sparseness
from prunelab.stats import Interval, crossing, paired, t_interval
from prunelab.studies.sparseness import at_scale
from prunelab.studies.sparseness_tables import KNEE_KEY, VERDICT_COLUMNS, Knee


def knee_table(table: DataFrame) -> DataFrame:
    """Find the knee of every curve of error against sparsity, per model and method.

    The knee is the smallest sparsity at which the error exceeds the unpruned one by 20 points, interpolated linearly
    between measured settings.

    Args:
        table: a threshold sweep or a comparison with percentiles, as `prunelab.studies.sparseness` makes them.

    Returns:
        One row a model and method; columns as `KNEE_COLUMNS` says.
    """
    rows = []
    for names, part in table.groupby(["data", "model", "method"], sort=False):
        data, model, method = map(str, names)
        knees = np.asarray(knees_of(part, method), dtype=float)
        whole = t_interval(knees) if np.isfinite(knees).all() else None
        rows.append(
            Knee(
                data=data,
                model=model,
                method=method,
                seeds=len(knees),
                seeds_with_knee=int(np.isfinite(knees).sum()),
                knee_percent=whole.value if whole else None,
                knee_low=whole.low if whole else None,
                knee_high=whole.high if whole else None,
                largest_sparsity_percent=float(100 * part.groupby("seed")["sparsity"].max().mean()),
            )
        )
    return to_frame(rows, KNEE_KEY)


def threshold_values(table: DataFrame) -> dict[str, Value]:
    """Quote a threshold sweep: unpruned error, the knees, and the error added at 33 to 37 % sparsity.

    Returns:
        `baseline-<net>`, `abs-knee-<net>`, `positive-knee-<net>`, `negative-knee-<net>`, `free-lunch-<net>` and
        `abs-loses-from-<net>` (the sparsity from which abs errs no less than one sign at the same threshold), where
        <net> is the activation (or the whole spec, where two specs share one); what a seed lacks is left out.
    """
    values: dict[str, Value] = {}
    for name, rows in named(table):
        baselines = rows.groupby("seed")["baseline_error_percent"].first()
        values[f"baseline-{name}"] = quote(t_interval(baselines), "%")
        for sign in ("abs", "positive", "negative"):
            values |= finite(f"{sign}-knee-{name}", knees_of(rows, sign), t_interval, "%", 1)
        values |= finite(f"free-lunch-{name}", _increases(rows), t_interval, "points")
        values |= finite(f"abs-loses-from-{name}", curves.per_seed(rows, _abs_loses_from), t_interval, "%", 1)
    return values


def layer_values(table: DataFrame, threshold_scale: float) -> dict[str, Value]:
    """Quote the one-layer sweep: at one threshold the error and sparsity of each layer, and where each layer's knee is.

    Returns:
        `threshold-scale`; per net `layer-spread-<net>` (largest minus smallest error of its layers there); per net and
        layer `error-<layer>-<net>`, `sparsity-<layer>-<net>` (of all weights) and `layer-knee-<layer>-<net>` (the
        threshold at which that layer alone costs 20 points, left out where a seed has none).
    """
    unit = "root mean square weights"
    values = {"threshold-scale": Value(value=threshold_scale, unit=unit)}
    for name, rows in named(table):
        for layer, part in rows.groupby("layer", sort=False):
            values |= finite(f"layer-knee-{layer}-{name}", curves.per_seed(part, _layer_knee), t_interval, unit)
    for name, rows in named(at_scale(table, threshold_scale)):
        spreads = curves.per_seed(rows, lambda net: float(np.ptp(net["error_percent"])))
        values[f"layer-spread-{name}"] = quote(t_interval(spreads), "points")
        for layer, part in rows.groupby("layer", sort=False):
            values[f"error-{layer}-{name}"] = quote(t_interval(part["error_percent"]), "%")
            values[f"sparsity-{layer}-{name}"] = quote(t_interval(100 * part["sparsity"]), "%", 1)
    return values


def percentile_values(table: DataFrame) -> dict[str, Value]:
    """Quote the comparison of one global threshold with percentiles: both knees and their paired difference.

    Returns:
        `global-knee-<net>`, `percentile-knee-<net>` and `knee-gain-<net>` (global minus percentile), where reached.
    """
    values: dict[str, Value] = {}
    for name, rows in named(table):
        whole, layered = knees_of(rows, "abs"), knees_of(rows, "percentile")
        values |= finite(f"global-knee-{name}", whole, t_interval, "%", 1)
        values |= finite(f"percentile-knee-{name}", layered, t_interval, "%", 1)
        if np.isfinite([*whole, *layered]).all():
            values[f"knee-gain-{name}"] = quote(paired(whole, layered), "points", 1)
    return values


def decide(
    threshold_sweep: str,
    layer_sensitivity: str,
    percentile: str,
    threshold_scale: float,
    *,
    study: str = sparseness.STUDY,
    runs: str = "",
) -> list[claims.Verdict]:
    """Decide the study's claims from the tables of three runs.

    Args:
        threshold_sweep: folder of the run with `tables/threshold-sweep.csv`.
        layer_sensitivity: folder of the run with `tables/layer-sensitivity.csv`.
        percentile: folder of the run with `tables/percentile.csv`.
        threshold_scale: root mean square weights; each model's layers are compared at its nearest threshold.
        study: the name under which the claims are decided, see `prunelab.rules.sparseness.verdicts`.
        runs: what the runs that leave the tables are called before the table's name, for the hint where none is given.

    Returns:
        One verdict a claim, in the order of `claims.yml`.

    Raises:
        FileNotFoundError: a run is not named, or lacks its table.
    """
    verdicts = []
    for folder, name in (
        (threshold_sweep, "threshold-sweep"),
        (layer_sensitivity, "layer-sensitivity"),
        (percentile, "percentile"),
    ):
        table = table_of(folder, name, run=f"{runs}{name}")
        if name == "layer-sensitivity":
            table = at_scale(table, threshold_scale)
        verdicts += sparseness.verdicts({name: table}, run=Path(folder).name, study=study)
    return verdicts


def table_of(folder: str, name: str, *, run: str | None = None) -> DataFrame:
    """Read a table that another run left.

    Args:
        folder: the run's folder.
        name: the table's name.
        run: a run that leaves it, for the hint in the error; named as the table when absent.

    Raises:
        FileNotFoundError: no folder is given, or the run lacks the table.
    """
    if not folder:
        raise FileNotFoundError(
            f"table {name!r} comes from another run, and no folder is given; name one, as in "
            f"-p {name.replace('-', '_')}=./results/quick/{run or name}, or use --profile quick"
        )
    return load_table(Path(folder) / "tables" / f"{name}.csv")


def verdict_table(verdicts: Sequence[claims.Verdict]) -> DataFrame:
    """Lay the verdicts out, one row a claim and net; columns as `VERDICT_COLUMNS` says."""
    rows = [
        {"claim": verdict.id, **{name: getattr(case, name) for name in list(VERDICT_COLUMNS)[1:]}}
        for verdict in verdicts
        for case in verdict.cases
    ]
    return DataFrame(rows).astype({"effect": float, "low": float, "high": float})


def named(table: DataFrame) -> list[tuple[str, DataFrame]]:
    """Give each model's rows under a short name: its activation, or its spec where activations repeat."""
    specs = list(dict.fromkeys(table["model"]))
    short = {spec: "-".join(dict.fromkeys(models.parse(spec).activations)) for spec in specs}
    names = short if len(set(short.values())) == len(specs) else {spec: spec for spec in specs}
    return [(names[spec], table[table["model"] == spec]) for spec in specs]


def knees_of(rows: DataFrame, method: str) -> list[float]:
    """Give the knee of each seed in percent sparsity, NaN where its error never rises that far."""
    return curves.per_seed(rows, lambda part: curves.curve(part, method).rise(curves.KNEE))


def _increases(rows: DataFrame) -> list[float]:
    """Give each seed's largest error increase at 33 to 37 % sparsity, NaN where a seed was not measured that far."""
    try:
        return curves.per_seed(rows, lambda part: curves.largest_increase(part, 33, 37))
    except curves.NotCoveredError:
        return [math.nan]


def _abs_loses_from(rows: DataFrame) -> float:
    """Give the smallest sparsity (%) at which abs errs no less than a sign that costs over 5 points; NaN if none."""
    both = rows[rows["method"] == "abs"][["threshold", "sparsity", "error_percent"]]
    one = rows[rows["method"] != "abs"]
    costly = one[one["error_percent"] > curves.baseline(rows) + 5]
    cases = costly.merge(both, on="threshold", suffixes=("_one", "_abs"))
    return 100 * float(cases[cases["error_percent_abs"] >= cases["error_percent_one"]]["sparsity_abs"].min())


def _layer_knee(part: DataFrame) -> float:
    """Give the threshold, in root mean square weights, at which one layer alone costs 20 points; NaN if none."""
    part, start = part.sort_values("scale"), curves.baseline(part)
    errors = np.append(start, part["error_percent"].to_numpy())
    return crossing(np.append(0.0, part["scale"].to_numpy()), errors, start + curves.KNEE)


def finite(
    key: str, values: Sequence[float], interval: Callable[[Sequence[float]], Interval], unit: str, digits: int = 2
) -> dict[str, Value]:
    """Quote an interval over seeds under a key; nothing where a seed lacks a value."""
    return {key: quote(interval(values), unit, digits)} if all(map(math.isfinite, values)) else {}


def quote(interval: Interval, unit: str, digits: int = 2) -> Value:
    """Make an interval a value to quote."""
    return Value(value=interval.value, low=interval.low, high=interval.high, unit=unit, digits=digits, n=interval.n)
