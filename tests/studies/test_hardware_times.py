"""Times summed up: medians and ratios known by hand, intervals, and where sparse rows become faster."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

import made_hardware as made
from properties import tries
from prunelab.studies.hardware.tables import Crossovers, Latency, Times
from prunelab.studies.hardware.times import crossover, crossover_table, latency_table, time_table
from prunelab.summaries import only


def test_times_without_noise_are_what_they_are_with_intervals_of_no_width() -> None:
    found = time_table(made.rounds(seeds=2))
    row = only(found, seed=1, pruning="weights", form="csr-torch", sparsity_asked=0.9, batch=1, threads=2).iloc[0]

    # (0.01 + 0.06 · 0.1 · 5) / 2 = 0.02 ms, of 0.06 / 2.
    assert row["milliseconds"] == pytest.approx(0.02)
    assert (row["low"], row["high"]) == (pytest.approx(0.02), pytest.approx(0.02))
    assert [row[name] for name in ("ratio", "ratio_low", "ratio_high")] == [pytest.approx(2 / 3)] * 3
    assert (row["rounds"], row["kept"]) == (7, 26620)
    assert row["difference"] == pytest.approx(7e-6)  # the largest of all rounds
    assert len(found) == 2 * 2 * 2 * (2 + 3 * (4 + 3))


def test_a_median_is_over_rounds_and_a_ratio_within_them() -> None:
    rows = made.rounds(seeds=1, sparsities=(0.5,), batches=(1,), threads=(1,), count=3)
    rows = rows[rows["form"].isin(["dense", "masked"])]
    dense, masked = rows["form"] == "dense", (rows["form"] == "masked") & (rows["pruning"] == "weights")
    rows.loc[dense, "seconds"] = [0.001, 0.002, 0.004]  # the machine slows down
    rows.loc[masked, "seconds"] = [0.003, 0.004, 0.006]  # 3, 2 and 1.5 times as slow in each round
    row = only(time_table(rows), pruning="weights", form="masked").iloc[0]

    assert row["milliseconds"] == pytest.approx(4.0)
    assert row["ratio"] == pytest.approx(2.0)
    assert (row["low"], row["high"]) == (pytest.approx(3.0), pytest.approx(6.0))
    assert (row["ratio_low"], row["ratio_high"]) == (pytest.approx(1.5), pytest.approx(3.0))


def test_over_nets_the_mean_is_geometric() -> None:
    rows = made.rounds(seeds=2, sparsities=(0.5,), batches=(1,), threads=(1,))
    rows.loc[(rows["seed"] == 1) & (rows["pruning"] == "units") & (rows["form"] == "onnx"), "seconds"] *= 4
    row = only(latency_table(rows), pruning="units", form="onnx").iloc[0]

    # 0.4 · 0.06 · 0.5 = 0.012 ms and four times as much: 0.024 on the average.
    assert row["milliseconds"] == pytest.approx(0.024)
    assert (row["low"], row["high"]) == (pytest.approx(0.012), pytest.approx(0.048))
    assert row["ratio"] == pytest.approx(0.4)
    assert row["nets"] == 2


def test_the_interval_of_one_net_is_the_bootstrap_of_the_median() -> None:
    rows = made.rounds(seeds=1, sparsities=(0.5,), batches=(1,), threads=(1,), count=25, noise=0.2)
    row = only(time_table(rows), pruning="none", form="onnx").iloc[0]
    own = 1000 * only(rows, pruning="none", form="onnx")["seconds"].to_numpy()
    wanted = bootstrap((own,), np.median, method="percentile", rng=np.random.default_rng(5)).confidence_interval

    assert row["milliseconds"] == pytest.approx(float(np.median(own)))
    assert row["low"] == pytest.approx(wanted.low, rel=0.03)
    assert row["high"] == pytest.approx(wanted.high, rel=0.03)


def test_the_tables_are_the_same_again_and_can_be_saved(tmp_path: Path) -> None:
    rows = made.rounds(noise=0.1, threads=(1,))
    for table, make in ((Times, time_table), (Latency, latency_table), (Crossovers, crossover_table)):
        for side in "ab":
            table.save(make(rows), folder=tmp_path / side)
        first, second = (tmp_path / side / f"{table.table_name}.csv" for side in "ab")

        assert first.read_bytes() == second.read_bytes()


def test_sparse_rows_cross_where_the_line_between_two_sparsities_does() -> None:
    found = only(crossover_table(made.rounds()), form="csr-torch", reference="dense", batch=1, threads=1)
    row = found.iloc[0]
    # Ratios 0.16 / 0.06 at 50 %, 0.04 / 0.06 at 90 %: the logarithm falls from .981 to -.405 while that of the weights
    # left falls by log 5.
    share = math.log(0.16 / 0.06) / math.log(0.16 / 0.04)
    wanted = 100 * (1 - 0.5 * math.exp(-share * math.log(5)))

    assert row["crossover_percent"] == pytest.approx(wanted)
    assert (row["low"], row["high"]) == (pytest.approx(wanted), pytest.approx(wanted))
    assert row["reached_percent"] == 100
    assert (row["smallest_percent"], row["largest_percent"]) == (50, pytest.approx(98))


def test_what_is_always_faster_crosses_at_the_smallest_sparsity_and_what_never_is_nowhere() -> None:
    found = crossover_table(made.rounds(batches=(1,), threads=(1,)))
    always = only(found, pruning="units", form="onnx", reference="onnx").iloc[0]
    never = only(found, pruning="weights", form="shrunk", reference="onnx").iloc[0]

    assert (always["crossover_percent"], always["low"], always["high"]) == (50, 50, 50)
    assert np.isnan([never["crossover_percent"], never["low"], never["high"]]).all()
    assert (always["reached_percent"], never["reached_percent"]) == (100, 0)
    assert "masked" not in set(found["form"])


def test_an_interval_may_reach_beyond_what_was_measured() -> None:
    rows = made.rounds(seeds=1, batches=(1,), threads=(1,), count=4)
    mine = (rows["form"] == "csr-torch") & (rows["sparsity_asked"] == 0.98)
    rows.loc[mine, "seconds"] = [1e-6, 1e-6, 1e-6, 1.0]
    rows.loc[(rows["form"] == "csr-torch") & (rows["sparsity_asked"] != 0.98), "seconds"] = 0.001
    row = only(crossover_table(rows, ["dense"]), form="csr-torch").iloc[0]

    assert 90 < row["low"] <= row["crossover_percent"] < 98
    assert math.isnan(row["high"])  # resamples of which half the rounds are the slow one
    assert 50 < row["reached_percent"] < 100


def test_a_reference_that_was_not_timed_is_left_out() -> None:
    rows = made.rounds(seeds=1, batches=(1,), threads=(1,))
    found = crossover_table(rows[(rows["pruning"] != "none") | (rows["form"] == "dense")])

    assert set(found["reference"]) == {"dense"}


@pytest.mark.parametrize("drop", [{"form": "dense"}, {"form": "csr-torch", "round": 3}])
def test_rounds_that_are_missing_are_refused(drop: dict[str, object]) -> None:
    rows = made.rounds(seeds=1, batches=(1,), threads=(1,))
    gone = np.logical_and.reduce([rows[column] == value for column, value in drop.items()])

    with pytest.raises(ValueError, match="a form or it lacks some: time them together"):
        time_table(rows[~gone])


@pytest.mark.parametrize(
    ("ratios", "where"),
    [
        ([-0.1, -0.2, -0.3], 0.5),
        ([0.1, 0.2, 0.3], math.inf),
        ([-0.1, -0.2, 0.0], math.inf),  # not faster at the last
        ([1.0, -1.0, -1.0], 1 - math.sqrt(0.5 * 0.25)),  # halfway from 50 to 75 %, in logarithms of what is left
        ([-1.0, 1.0, -1.0], 1 - math.sqrt(0.25 * 0.01)),  # faster at first, but not from there on
    ],
)
def test_a_crossing_is_the_last_and_interpolated_in_logarithms(ratios: list[float], where: float) -> None:
    assert crossover([0.5, 0.75, 0.99], ratios) == pytest.approx(where)


@tries(50)
@given(
    ratios=st.lists(st.floats(-3, 3), min_size=2, max_size=6),
    faster=st.floats(0.01, 1.0),
)
def test_a_form_that_is_faster_everywhere_crosses_no_later(ratios: list[float], faster: float) -> None:
    sparsities = [1 - 0.5 ** (place + 1) for place in range(len(ratios))]

    assert crossover(sparsities, [ratio - faster for ratio in ratios]) <= crossover(sparsities, ratios)


def test_resampling_does_not_depend_on_the_other_settings_in_the_table() -> None:
    rows = made.rounds(noise=0.1)
    one = rows[(rows["batch"] == 256) & (rows["threads"] == 2)]
    whole = only(latency_table(rows), batch=256, threads=2).reset_index(drop=True)

    assert whole.equals(latency_table(one))
