"""Times of forms summed up: medians with intervals, ratios to the unpruned net, and where a form becomes faster.

What is resampled are nets and, within each net, rounds. All forms of a net were timed in turn in every round, so a
resample takes the same nets and rounds of all of them, and a ratio is that of two times of one round. Everything is
computed in logarithms: a ratio of 2 and one of 1/2 are as far from 1.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame

from prunelab.deploy.forms import MASKED, ONNX
from prunelab.records import Value, quote
from prunelab.stats import LEVEL, t_interval
from prunelab.studies.common.runs import framed
from prunelab.studies.hardware.tables import CROSSOVER_COLUMNS, DENSE, LATENCY_COLUMNS, NONE, TIME_COLUMNS

_RESAMPLES = 1999


_SETTING = ("data", "data_id", "model", "batch", "threads")


_CONTENDER = ("pruning", "sparsity_asked", "form")


_REFERENCE = (NONE, 0.0, DENSE)


Array = NDArray[np.float64]


_Contender = tuple[str, float, str]


def time_table(rounds: DataFrame) -> DataFrame:
    """Sum up the times of each net.

    Args:
        rounds: as `hardware_forms.time_forms` gives them.

    Returns:
        Columns `TIME_COLUMNS`; intervals are bootstraps over rounds.

    Raises:
        ValueError: a form lacks rounds that others have, or there is no unpruned net by torch.
    """
    found = []
    for place, own in _settings(rounds):
        for seed, one in own.groupby("seed", sort=False):
            timed = _timed(one)
            for key, rows in _contenders(one):
                numbers = {"kept": int(rows["kept"].iloc[0]), "difference": float(rows["difference"].max())}
                found.append({**place, "seed": seed, **_row(key), **numbers, **timed.summed(key)})
    return framed(found, TIME_COLUMNS, "times of forms")


def latency_table(rounds: DataFrame) -> DataFrame:
    """Sum up the times over nets.

    Args:
        rounds: as `hardware_forms.time_forms` gives them.

    Returns:
        Columns `LATENCY_COLUMNS`; intervals are bootstraps over nets and rounds, over rounds alone with one net.

    Raises:
        ValueError: as `time_table`.
    """
    found = []
    for place, own in _settings(rounds):
        timed = _timed(own)
        for key, rows in _contenders(own):
            numbers = {"kept": float(rows.groupby("seed")["kept"].first().mean()), "nets": rows["seed"].nunique()}
            found.append({**place, **_row(key), **numbers, **timed.summed(key)})
    return framed(found, LATENCY_COLUMNS, "times of forms")


def crossover_table(rounds: DataFrame, references: Sequence[str] = (DENSE, ONNX)) -> DataFrame:
    """Find the sparsity from which on each form of a pruned net is faster than the unpruned one.

    The masked form is left out: it computes what the unpruned net does, and where noise crosses 1 says nothing.

    Args:
        rounds: as `hardware_forms.time_forms` gives them.
        references: forms of the unpruned net; one that was not timed is left out.

    Returns:
        Columns `CROSSOVER_COLUMNS`; intervals as in `latency_table`.

    Raises:
        ValueError: as `time_table`, or there is no other form of a pruned net.
    """
    found = []
    for place, own in _settings(rounds):
        timed = _timed(own)
        pruned = own[(own["pruning"] != NONE) & (own["form"] != MASKED)]
        kinds = pruned[["pruning", "form"]].drop_duplicates().itertuples(index=False, name=None)
        for pruning, form in kinds:
            keys = sorted(key for key in timed.logs if key[0] == pruning and key[2] == form)
            sparsities = [float(own[_is(own, key)]["sparsity"].mean()) for key in keys]
            for reference in references:
                if (NONE, 0.0, reference) not in timed.logs:
                    continue
                whole, resampled = timed.ratios(keys, (NONE, 0.0, reference))
                each = np.array([crossover(sparsities, ratios) for ratios in resampled])
                low, high = _bounds(each)
                row = {
                    **place,
                    "pruning": pruning,
                    "form": form,
                    "reference": reference,
                    "nets": own["seed"].nunique(),
                    "crossover_percent": _percent(crossover(sparsities, whole)),
                    "low": _percent(low),
                    "high": _percent(high),
                    "reached_percent": 100 * float(np.isfinite(each).mean()),
                    "smallest_percent": _percent(sparsities[0]),
                    "largest_percent": _percent(sparsities[-1]),
                }
                found.append(row)
    return framed(found, CROSSOVER_COLUMNS, "crossovers")


def crossover(sparsities: Sequence[float], log_ratios: ArrayLike) -> float:
    """Find the sparsity from which on a ratio of times stays below 1.

    Interpolated linearly between the logarithms of ratio and weights left, at the last place where the ratio falls
    below 1.

    Args:
        sparsities: fractions removed, [0, 1), ascending.
        log_ratios: logarithm of the ratio at each.

    Returns:
        A fraction; the first where the ratio is below 1 at all of them, infinity where it is not at the last.
    """
    ratios = np.asarray(log_ratios, dtype=float)
    slower = np.flatnonzero(ratios >= 0)
    if not len(slower):
        return float(sparsities[0])
    last = int(slower[-1])
    if last == len(ratios) - 1:
        return math.inf
    left = np.log1p(-np.asarray(sparsities, dtype=float))  # logarithms of the share of the weights left
    share = ratios[last] / (ratios[last] - ratios[last + 1])
    return float(-np.expm1(left[last] + share * (left[last + 1] - left[last])))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Timed:
    """The times of one setting: logarithms of seconds, and how they are resampled."""

    logs: dict[_Contender, Array]  # contender -> (nets, rounds)
    nets: NDArray[np.int64]  # (resamples, nets)
    rounds: NDArray[np.int64]  # (resamples, nets, rounds)

    def summed(self, key: _Contender) -> dict[str, float | int]:
        """Give the columns that times are summed up in."""
        logs, reference = self.logs[key], self.logs[_REFERENCE]
        time, times = self._medians(logs)
        ratio, ratios = self._medians(logs - reference)
        (low, high), (ratio_low, ratio_high) = _bounds(times), _bounds(ratios)
        names = ("milliseconds", "low", "high", "ratio", "ratio_low", "ratio_high")
        values = np.exp([time, low, high, ratio, ratio_low, ratio_high]) * [1e3, 1e3, 1e3, 1, 1, 1]
        return {"rounds": logs.shape[1], **dict(zip(names, values.tolist(), strict=True))}

    def ratios(self, keys: Sequence[_Contender], reference: _Contender) -> tuple[Array, Array]:
        """Give logarithms of ratios to a reference, (contenders,), and of each resample, (resamples, contenders)."""
        each = [self._medians(self.logs[key] - self.logs[reference]) for key in keys]
        return np.array([whole for whole, _ in each]), np.stack([resampled for _, resampled in each], axis=1)

    def _medians(self, values: Array) -> tuple[float, Array]:
        """Give the mean over nets of the medians over rounds, and that of each resample."""
        drawn = values[self.nets[:, :, None], self.rounds]  # (resamples, nets, rounds)
        return float(np.median(values, axis=1).mean()), np.median(drawn, axis=2).mean(axis=1)


def _timed(rows: DataFrame) -> _Timed:
    seeds = list(dict.fromkeys(rows["seed"]))
    wide = rows.pivot_table("seconds", index=list(_CONTENDER), columns=["seed", "round"], sort=False)
    if wide.isna().any(axis=None) or _REFERENCE not in wide.index:
        raise ValueError(
            "times are compared round by round with the unpruned net's by torch; a form or it lacks some: time them "
            "together, by time_forms"
        )
    logs = {key: np.log(wide.loc[key].to_numpy(dtype=float).reshape(len(seeds), -1)) for key in wide.index}
    count, each = len(seeds), wide.shape[1] // len(seeds)
    generator = np.random.default_rng(0)
    nets = generator.integers(count, size=(_RESAMPLES, count))
    return _Timed(logs=logs, nets=nets, rounds=generator.integers(each, size=(_RESAMPLES, count, each)))


def _bounds(values: Array) -> tuple[float, float]:
    """Give the ends of the percentile interval; an end among infinite values is infinite."""
    # Nearest values: between a number and infinity there is none to interpolate.
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return float(low), float(high)


def _percent(fraction: float) -> float | None:
    return 100 * fraction if math.isfinite(fraction) else None


def _settings(rounds: DataFrame) -> Iterator[tuple[dict[str, Any], DataFrame]]:
    for names, rows in rounds.groupby(list(_SETTING), sort=False):
        yield dict(zip(_SETTING, names, strict=True)), rows


def _contenders(rows: DataFrame) -> Iterator[tuple[_Contender, DataFrame]]:
    for names, own in rows.groupby(list(_CONTENDER), sort=False):
        pruning, sparsity, form = names
        yield (str(pruning), float(str(sparsity)), str(form)), own


def _row(key: _Contender) -> dict[str, Any]:
    return dict(zip(_CONTENDER, key, strict=True))


def _is(rows: DataFrame, key: _Contender) -> "Any":
    pruning, sparsity, form = key
    return (rows["pruning"] == pruning) & (rows["sparsity_asked"] == sparsity) & (rows["form"] == form)


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
