"""The derived tables of the mean-replacement study, on made-up tables."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame

import made_units as made
from prunelab import tables
from prunelab.studies.units import summary


def test_pairs_leave_out_what_was_measured_one_way_only() -> None:
    table = made.penalties(("random", "norm"), ("conv1",), (0,), seeds=1)
    one_way = table[(table["score"] == "norm") | (table["replacement"] == "none")]
    pairs = summary.paired(one_way, "train")

    assert list(pairs["score"]) == ["norm"]
    own = table[(table["score"] == "norm") & (table["part"] == "train")].set_index("replacement")["penalty"]
    assert (pairs["zeroed"].item(), pairs["replaced"].item()) == (own["none"], own["mean"])


def test_the_late_half_lies_behind_the_middle_of_a_nets_training() -> None:
    tuned = summary.tuned_pairs(made.fine_tuned(("random",), ("conv1",), (0, 50, 51, 100), 1), "train")

    assert dict(zip(tuned["step"], tuned["half"], strict=True)) == {0: "early", 50: "early", 51: "late", 100: "late"}
    assert "nothing" not in set(tuned["score"])


def test_means_weigh_seeds_alike_however_many_checkpoints_they_have() -> None:
    # Seeds' mean differences -.1, -.2 and -.3: mean -.2, half the interval t(.975, 2) · .1 / √3 = .24841.
    table = DataFrame(
        {
            "score": "norm",
            "seed": [0, 1, 2, 2],
            "zeroed": [0.4, 0.4, 0.3, 0.5],
            "replaced": [0.3, 0.2, 0.3, -0.1],
        }
    )
    (found,) = summary.contrasts(table, ["score"]).to_dict("records")

    assert found["difference"] == pytest.approx(-0.2)
    assert (found["low"], found["high"]) == pytest.approx((-0.44841, 0.04841), abs=1e-5)
    assert (found["wins_percent"], found["losses_percent"]) == (75, 0)  # one pair is alike
    assert (found["measurements"], found["seeds"]) == (4, 3)


def test_a_method_that_is_always_best_fills_its_profile() -> None:
    pairs = DataFrame(
        {
            "data": "cifar10",
            "data_id": "0123456789ab",
            "model": "medium-conv",
            "seed": [0, 0, 1, 1, 1],
            "step": 0,
            "layer": "conv1",
            "score": ["random", "norm", "random", "norm", "exact"],
            "zeroed": [1.0, 0.5, 3.0, 2.0, 9.0],
            "replaced": [0.75, 0.0, 2.5, 1.0, 0.0],  # of norm the best of all; exact plays no part
        }
    )
    profiles, areas = summary.profile_tables(pairs)
    found = areas.set_index(["score", "replacement"])["area"]

    assert found["norm", "mean"] == 1
    assert found["random", "none"] == 0
    assert found["norm", "none"] == pytest.approx((0.5 + 0.5) / 2)
    assert found["random", "mean"] == pytest.approx((0.25 + 0.25) / 2)
    best = profiles[(profiles["score"] == "norm") & (profiles["replacement"] == "mean")]
    assert set(best["share_percent"]) == {100.0}


def test_spreads_are_standard_deviations_over_methods() -> None:
    table = made.iterative(("random", "norm"), (0, 40), seeds=2)
    spreads = summary.spreads(table[table["part"] == "test"]).set_index("schedule")["spread"]

    # Losses above the dense net's: 1, 2 (zeroed) and .6, 1.2 (replaced), times .3 when iterative.
    spread = math.sqrt(sum((loss - 1.2) ** 2 for loss in (1, 2, 0.6, 1.2)) / 4)
    assert spreads["one shot"] == pytest.approx(spread)
    assert spreads["iterative"] == pytest.approx(0.3 * spread)
    shared = summary.shared_spreads(table[table["part"] == "test"]).set_index("schedule")["spread"]
    assert shared["iterative"] == pytest.approx(0.3 * spread)


@given(st.lists(st.sampled_from([0.0, 1e-30, 1e-3, 0.2, 1.0, 7.5, 1e4]), min_size=2, max_size=20))
def test_every_chosen_unit_is_counted_once_in_the_histogram(values: list[float]) -> None:
    table = made.squares(("norm",), (0,), 1).iloc[:1]
    table = table.loc[table.index.repeat(len(values))].assign(mean_square=values, unit=range(len(values)))
    bins = summary.squares_histogram(table)

    assert bins["share_percent"].sum() == pytest.approx(100)
    silent = [value for value in values if value <= 1e-8 * max(values)]
    assert bins["share_percent"].iloc[0] == pytest.approx(100 * len(silent) / len(values))


def test_numbers_at_the_end_of_training_are_means_over_seeds() -> None:
    nets = summary.unpruned(made.curves()).set_index("part")
    chosen = summary.chosen_shares(made.choices(layers=("conv2",))).set_index("score")

    assert nets.loc["test", "accuracy_percent"] == pytest.approx(51)  # 50, 51 and 52 %
    # Random after 11 checkpoints: 1 - .9^11 = .686, and .01 for each seed's number.
    assert chosen.loc["random", "chosen_percent"] == pytest.approx(100 * (1 - 0.9**11 + 0.01))
    assert (chosen["late_percent"] < chosen["chosen_percent"]).all()


def test_means_are_those_of_the_rows_they_stand_for() -> None:
    penalties = made.penalties()
    means = summary.mean_penalties(penalties).set_index(["score", "part", "layers"])
    own = penalties[(penalties["score"] == "norm") & (penalties["part"] == "test") & (penalties["layer"] != "all")]
    zeroed, replaced = (own[own["replacement"] == way]["penalty"].mean() for way in made.WAYS)

    row = means.loc[("norm", "test", "one at a time")]
    assert row["zeroed"] == pytest.approx(zeroed)
    assert row["difference"] == pytest.approx(replaced - zeroed)


def test_what_tuning_does_to_nets_that_lost_nothing_stands_beside() -> None:
    found = summary.tuned_means(made.fine_tuned())
    late = found[(found["half"] == "late") & (found["tuning_steps"] == 500) & (found["part"] == "test")]

    assert late["control"].tolist() == pytest.approx([-0.02 * (1 - 1 / 26)] * len(late))
    assert list(late["layers"].unique()) == ["one at a time", "all"]
    assert list(late["score"].unique()) == ["every", *made.SCORES]


def test_losses_in_rounds_leave_the_control_out() -> None:
    table = made.iterative(("random",), (0, 40), seeds=2)
    means = summary.round_means(DataFrame([*table.to_dict("records"), table.iloc[0].to_dict() | {"score": "nothing"}]))
    row = means.query("part == 'test' and schedule == 'iterative' and replacement == 'mean' and removed_percent == 40")

    assert set(means["score"]) == {"random"}
    assert row["loss"].item() == pytest.approx(1 + 0.6 * 0.3 + 0.01)


def test_agreement_is_the_mean_over_layers_of_each_seed() -> None:
    rows = [
        {"data": "a", "data_id": "a", "model": "a", "seed": seed, "score": "norm", "replacement": "none", "tau": tau}
        for seed, tau in ((0, 0.2), (0, 0.4), (1, 0.5), (1, None))  # None: all scores of a layer alike
    ]
    (row,) = summary.agreement_means(DataFrame(rows)).to_dict("records")

    assert (row["tau"], row["seeds"]) == (pytest.approx((0.3 + 0.5) / 2), 2)


def test_derived_tables_are_described_and_saved_whole(tmp_path: Path) -> None:
    pairs = summary.paired(made.penalties(), "train")
    profiles, areas = summary.profile_tables(pairs)
    for kind, table in (
        (summary.Pair, pairs),
        (summary.Tuned, summary.tuned_pairs(made.fine_tuned(), "train")),
        (summary.Mean, summary.mean_penalties(made.penalties())),
        (summary.TunedMean, summary.tuned_means(made.fine_tuned())),
        (summary.Profile, profiles),
        (summary.Area, areas),
        (summary.Bin, summary.squares_histogram(made.squares())),
        (summary.Decile, summary.squares_deciles(made.squares())),
        (summary.ChosenShare, summary.chosen_shares(made.choices())),
        (summary.Unpruned, summary.unpruned(made.curves())),
        (summary.Spread, summary.spreads(made.iterative())),
        (summary.SharedSpread, summary.shared_spreads(made.iterative())),
        (summary.RoundMean, summary.round_means(made.iterative())),
        (summary.CorrectionMean, summary.correction_means(made.corrections())),
    ):
        kind.save(table, folder=tmp_path)
        assert len(tables.load(tmp_path / f"{kind.table_name}.csv")) == len(table) > 0
