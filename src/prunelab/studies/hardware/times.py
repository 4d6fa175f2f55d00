"""Times of forms summed up: medians with intervals, ratios to the unpruned net, and where a form becomes faster.

What is resampled are nets and, within each net, rounds. All forms of a net were timed in turn in every round, so a
resample takes the same nets and rounds of all of them, and a ratio is that of two times of one round. Everything is
computed in logarithms: a ratio of 2 and one of 1/2 are as far from 1.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame

from prunelab.deploy.forms import MASKED, ONNX
from prunelab.stats import LEVEL
from prunelab.studies.hardware.tables import DENSE, NONE, Crossovers, Latency, Times

Array = NDArray[np.float64]
_Contender = tuple[str, float, str]

_RESAMPLES = 1999
_SETTING = ("data", "data_id", "model", "batch", "threads")
_CONTENDER = ("pruning", "sparsity_asked", "form")
_REFERENCE = (NONE, 0.0, DENSE)


def time_table(rounds: DataFrame) -> DataFrame:
    """Sum up the times of each net, as `Times`; intervals are bootstraps over rounds."""
    found = [
        {**place, "seed": seed, "kept": int(rows["kept"].iloc[0]), "difference": rows["difference"].max(), **times}
        for place, own in _settings(rounds)
        for seed, one in own.groupby("seed", sort=False)
        for times, rows in _summed(one)
    ]
    return Times.frame(found)


def latency_table(rounds: DataFrame) -> DataFrame:
    """Sum up the times over nets, as `Latency`.

    Intervals are bootstraps over nets and rounds, over rounds alone with one net.
    """
    found = [
        {**place, "kept": rows.groupby("seed")["kept"].first().mean(), "nets": rows["seed"].nunique(), **times}
        for place, own in _settings(rounds)
        for times, rows in _summed(own)
    ]
    return Latency.frame(found)


def crossover_table(rounds: DataFrame, references: Sequence[str] = (DENSE, ONNX)) -> DataFrame:
    """Find the sparsity from which on each form of a pruned net is faster than the unpruned one, as `Crossovers`.

    The masked form is left out: it computes what the unpruned net does, and where noise crosses 1 says nothing.
    Intervals are made as in `latency_table`.

    Args:
        rounds: as `forms.time_forms` gives them.
        references: forms of the unpruned net; one that was not timed is left out.
    """
    found = []
    for place, own in _settings(rounds):
        timed = _timed(own)
        pruned = own[(own["pruning"] != NONE) & (own["form"] != MASKED)]
        for pruning, form in pruned[["pruning", "form"]].drop_duplicates().itertuples(index=False, name=None):
            keys = sorted(key for key in timed.logs if key[0] == pruning and key[2] == form)
            mine = own[(own["pruning"] == pruning) & (own["form"] == form)]
            sparsities = mine.groupby("sparsity_asked")["sparsity"].mean().tolist()
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
    return Crossovers.frame(found)


def crossover(sparsities: Sequence[float], log_ratios: ArrayLike) -> float:
    """Find the sparsity from which on a ratio of times stays below 1; infinity where it is not at the last measured.

    Interpolated linearly between the logarithms of ratio and weights left, at the last place where the ratio falls
    below 1; the first sparsity where it is below at all of them.

    Args:
        sparsities: fractions removed, [0, 1), ascending.
        log_ratios: logarithm of the ratio at each.
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


def _summed(rows: DataFrame) -> Iterator[tuple[dict[str, Any], DataFrame]]:
    """Give the columns that each form's times are summed up in, and its rows."""
    timed = _timed(rows)
    for names, own in rows.groupby(list(_CONTENDER), sort=False):
        yield {**dict(zip(_CONTENDER, names, strict=True)), **timed.summed(cast(_Contender, names))}, own
