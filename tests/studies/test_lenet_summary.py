"""The LeNet study's comparison tables, held against numbers worked out by hand on made-up tables."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import made_lenet as made
from prunelab import project
from prunelab.studies.lenet import summary
from prunelab.studies.lenet import tables as lenet_tables
from prunelab.studies.lenet.tables import Dense

VARIANTS = lenet_tables.printed_nets(project.published() / "lenet-variants.csv")
POINTS = lenet_tables.published_points(project.published() / "lenet-300-100-frontier.csv")


def with_errors(table: pd.DataFrame, **columns: list[float]) -> pd.DataFrame:
    """The same rows, one a seed, with chosen numbers."""
    return table.assign(**columns)


def one_net(errors: list[float], target: str = "2660", **settings: str) -> pd.DataFrame:
    rows = made.pruned(["lenet-300-100-relu"], ["strong"], [target], seeds=len(errors), **settings)
    return with_errors(rows, error_percent=errors, error_pruned_percent=[10 * error for error in errors])


def test_a_mean_over_three_seeds_has_the_t_interval_of_the_textbook() -> None:
    # Errors 1, 2, 3: mean 2, s = 1, so half the width is t(.975, 2) / √3 = 4.30265 / 1.73205 = 2.48414.
    table = summary.frontier_table(one_net([1.0, 2.0, 3.0]))

    assert table.loc[0, "error_percent"] == pytest.approx(2.0)
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([2 - 2.48414, 2 + 2.48414], abs=1e-4)
    assert table.loc[0, "seeds"] == 3


def test_the_frontier_counts_sparsity_in_percent_and_keeps_masked_nets_under_one_global_threshold() -> None:
    rows = made.joined(one_net([1.0, 1.0]), one_net([9.0, 9.0], mode="regrown"), one_net([8.0, 8.0], budgets=["erk"]))
    table = summary.frontier_table(rows)

    # 784·300 + 300·100 + 100·10 = 266,200 weights, 2,660 and then 2,527 of them left.
    assert len(table) == 1
    assert table.loc[0, "sparsity_percent"] == pytest.approx(100 * (1 - 2660 / 266200))
    assert table.loc[0, "effective_sparsity_percent"] == pytest.approx(100 * (1 - 2527 / 266200))
    assert table.loc[0, "error_percent"] == pytest.approx(1.0)


def test_a_published_point_meets_our_smallest_sparsity_that_is_no_smaller() -> None:
    ours = summary.frontier_table(
        made.joined(*(one_net([error] * 2, target) for target, error in (("90%", 1.0), ("95%", 1.6), ("99%", 3.0))))
    )
    points = pd.DataFrame(
        [
            ("below", 90.0, 1.0, "final"),
            ("between", 92.0, 1.5, "best"),
            ("far", 99.0, 3.2, "unstated"),
            ("beyond", 99.5, 9.0, "final"),
        ],
        columns=["method", "sparsity_percent", "error_percent", "epoch"],
    ).assign(source="made", note="")
    beside = summary.against_published(ours, points).set_index("method")

    assert list(beside.index) == ["below", "between", "far"]  # nothing of ours is as sparse as 99.5 %
    assert beside["sparsity_percent"].tolist() == pytest.approx([90, 95, 99], abs=0.005)
    assert beside["difference"].tolist() == pytest.approx([0.0, 0.1, -0.2])
    assert beside["met"].tolist() == [True, False, True]


@given(st.lists(st.floats(50, 99.9), min_size=1, max_size=8, unique=True), st.floats(50, 99.9))
def test_a_published_point_is_never_held_against_a_denser_net_of_ours(sparsities: list[float], theirs: float) -> None:
    ours = pd.DataFrame(
        {
            "data": "mnist",
            "recipe": "strong",
            "model": "lenet-300-100",
            "sparsity_percent": sparsities,
            "error_percent": 2.0,
            "low": 1.9,
            "high": 2.1,
            "seeds": 5,
        }
    )
    point = POINTS.iloc[:1].assign(sparsity_percent=theirs)
    beside = summary.against_published(ours, point)

    assert beside.empty == (max(sparsities) < theirs - 0.005)
    assert (beside["sparsity_percent"] >= theirs - 0.005).all()


def test_published_points_name_their_source_in_range_and_each_once() -> None:
    assert POINTS["sparsity_percent"].between(90, 99.7).all()
    assert not POINTS.duplicated(["method", "sparsity_percent", "epoch"]).any()
    assert POINTS["source"].str.fullmatch(r"[a-z]+\d{4}[a-z]+").all()
    # RigL leaves 1 % of 784·300 and 11 % of 300·100 weights, and all 1,000 of the last layer: 6,652 of 266,200.
    rigl = POINTS.loc[POINTS["method"] == "RigL", "sparsity_percent"]
    assert rigl.tolist() == pytest.approx([100 * (1 - 6652 / 266200)] * 2, abs=0.01)


def test_other_nets_and_other_data_stand_beside_no_published_point() -> None:
    digits = made.pruned(["lenet-300-100-relu"], ["strong"], ["90%"], data="digits")
    wide = made.pruned(["lenet-600-100-relu"], ["strong"], ["90%"])

    for rows in (digits, wide):
        assert summary.against_published(summary.frontier_table(rows), POINTS).empty


def test_the_question_of_width_puts_the_control_with_as_many_weights_beside_the_target() -> None:
    pruned = made.pruned()
    table = summary.budget_question(pruned, made.small(), made.layers(pruned))
    control = table[table["kind"] == "dense"]

    # 784·3 + 3·3 + 3·10 = 2,391 weights: 10 % off 2,660, and 46 % off 1,641. Its errors are 30 to 34 %.
    assert control["target"].unique().tolist() == ["2660"]
    assert control["kept"].tolist() == [2391, 2391]
    assert control["accuracy_percent"].tolist() == pytest.approx([68, 68])
    assert control["live_inputs"].isna().all()
    wide = table[(table["kind"] == "pruned") & (table["model"] == "lenet-1200-100-relu")]
    assert wide["start_weights"].unique().tolist() == [784 * 1200 + 1200 * 100 + 100 * 10]
    assert wide["live_inputs"].tolist() == [302.0] * 4  # 300 to 304 over five seeds


def test_a_target_in_percent_has_no_control_since_each_width_keeps_another_number() -> None:
    pruned = made.pruned(targets=["99%"])
    table = summary.budget_question(pruned, made.small(), made.layers(pruned))

    assert set(table["kind"]) == {"pruned"}


def test_what_regrowing_gains_is_paired_by_seed() -> None:
    masked, regrown = one_net([2.0, 3.0, 4.0]), one_net([1.9, 2.8, 3.4], mode="regrown")
    shuffled = regrown.sample(frac=1, random_state=1)
    table = summary.regrow_table(masked, shuffled).set_index("stage")

    # Differences .1, .2, .6 of the errors, ten times as much right after pruning; scipy's paired test agrees.
    gains = np.array([0.1, 0.2, 0.6])
    low, high = stats.ttest_1samp(gains, 0).confidence_interval()
    assert table.loc["trained", ["gain", "low", "high"]].tolist() == pytest.approx([0.3, low, high])
    assert table.loc["pruned", ["gain", "low", "high"]].tolist() == pytest.approx([3.0, 10 * low, 10 * high])
    assert table.loc["trained", "masked_percent"] == pytest.approx(97.0)


def test_nets_without_a_regrown_partner_are_left_out_and_none_at_all_is_refused() -> None:
    masked = made.pruned(["lenet-300-100-relu", "lenet-600-100-relu"], ["strong"])
    regrown = made.pruned(["lenet-600-100-relu"], ["strong"], mode="regrown")

    assert set(summary.regrow_table(masked, regrown)["model"]) == {"lenet-600-100-relu"}
    with pytest.raises(ValueError, match=r"a table has at least one row; regrow got none: .* right run\?"):
        summary.regrow_table(masked[masked["model"] == "lenet-300-100-relu"], regrown)


def test_the_allocation_is_that_of_each_targets_last_round() -> None:
    pruned = made.pruned(["lenet-300-100-relu"], ["strong"], budgets=["global", "erk"])
    table = summary.allocation_table(pruned, made.layers(pruned))
    kept = table.set_index(["budget", "target", "layer"])["kept"].sort_index()

    # Shares of `made_lenet.layers`: .3, .5, .2 under one threshold, .6, .3, .1 under ERK.
    assert kept["global", "2660"].tolist() == [798, 1330, 532]
    assert kept["erk", "1641"].tolist() == [985, 492, 164]
    fc1 = table.query("budget == 'global' and target == '2660' and layer == 'fc1'")
    assert fc1["kept_fraction"].item() == pytest.approx(798 / 235200)


def test_the_source_stands_beside_our_nets_of_the_same_widths_and_number_of_weights() -> None:
    both = made.joined(made.pruned(), made.pruned(mode="regrown"))
    table = summary.source_table(both, made.layers(both), VARIANTS)
    accuracy = table[(table["quantity"] == "accuracy_percent") & (table["recipe"] == "strong")]
    said = accuracy.set_index(["model", "target", "mode"])

    # As printed: 65 % of 300-100 and 89 % of 600-100 at 2,657, 96 % of 300-200 at 2,663 and of 300-300 at 1,641.
    assert {key[:2]: value for key, value in said["source"].items()} == {
        ("lenet-300-100-relu", "2660"): 65,
        ("lenet-600-100-relu", "2660"): 89,
        ("lenet-300-200-relu", "2660"): 96,
        ("lenet-300-300-relu", "1641"): 96,
    }
    assert said.loc[("lenet-300-200-relu", "2660", "masked"), "source_mode"] == "regrown"
    assert said.loc[("lenet-600-100-relu", "2660", "masked"), "source_mode"] == "masked"
    first = table[(table["model"] == "lenet-600-100-relu") & (table["quantity"] == "kept-fc1")]
    assert first["source"].unique().tolist() == [652]
    assert first["value"].unique().tolist() == [798]


def test_the_sources_percentage_stands_beside_our_target_of_the_same_percentage() -> None:
    nets = made.pruned(["lenet-300-100-relu"], ["strong"], ["99%"], mode="regrown")
    table = summary.source_table(nets, made.layers(nets), VARIANTS)

    # 99 % of 266,200 leaves 2,662, so the net printed with 2,657 weights stands here too.
    assert table.loc[table["quantity"] == "accuracy_percent", "source"].tolist() == [65, 96]


def test_nets_the_source_has_not_are_no_rows() -> None:
    nets = made.pruned(["lenet-24-16-relu"], ["strong"], ["200"], data="digits")

    assert summary.source_table(nets, made.layers(nets), VARIANTS).empty


def test_nets_under_one_threshold_are_put_beside_the_same_nets_under_other_budgets() -> None:
    budgets = made.pruned(["lenet-300-100-relu"], ["strong"], ["2660"], budgets=["erk"])
    every = summary.with_global(budgets, made.pruned())

    assert every.groupby("budget").size().to_dict() == {"erk": 5, "global": 5}
    assert set(every["model"]) == {"lenet-300-100-relu"}
    assert summary.with_global(every, made.pruned()) is every


def test_what_prose_quotes_are_means_and_counts_of_the_tables() -> None:
    dense = summary.accuracies(made.dense()).set_index(["recipe", "model"])
    sparsities = summary.frontier_table(made.pruned(["lenet-300-100-relu"], ["strong"], made.FRONTIER))
    beside = summary.against_published(sparsities, POINTS)
    met = summary.points_met(beside)

    # 1.6 - .1 (second net) + .05 · (0 + 1 + 2 + 3 + 4) / 5 = 1.6 % error; the sixth net errs .5 less than the first.
    assert dense.loc["strong", "lenet-300-100-relu"]["accuracy_percent"] == pytest.approx(98.4)
    assert dense["spread"].tolist() == pytest.approx([0.5] * 12)
    lost = 1 + math.log10(266200 / 1331) ** 3 / 10 + 0.06 * 2
    sparse = sparsities.set_index("target").loc["99.5%"]
    assert sparse["error_percent"] == pytest.approx(lost)
    assert sparse["effective_sparsity_percent"] == pytest.approx(100 * (1 - 1264 / 266200))
    assert met[["points", "met"]].to_numpy().tolist() == [[len(POINTS), int(beside["met"].sum())]]


@pytest.mark.parametrize("seeds", [1, 5])
def test_every_table_is_saved_under_its_own_key_and_columns(tmp_path: Path, seeds: int) -> None:
    pruned, regrown = made.pruned(seeds=seeds), made.pruned(mode="regrown", seeds=seeds)
    layers, both = made.layers(pruned), made.joined(pruned, regrown)
    sparsities = summary.frontier_table(made.pruned(["lenet-300-100-relu"], ["strong"], ["95%"], seeds=seeds))
    for table, rows in (
        (summary.Accuracies, summary.accuracies(made.dense(seeds=seeds))),
        (summary.Budgets, summary.budget_question(pruned, made.small(seeds), layers)),
        (summary.Regrow, summary.regrow_table(pruned, regrown)),
        (summary.Allocation, summary.allocation_table(pruned, layers)),
        (summary.Source, summary.source_table(both, made.layers(both), VARIANTS)),
        (summary.Frontier, sparsities),
        (summary.Published, summary.against_published(sparsities, POINTS)),
    ):
        saved = table.save(rows, folder=tmp_path)
        assert len(saved) > 0
        assert saved["low"].isna().all() == (seeds == 1)


def dense_run(folder: Path, rows: pd.DataFrame) -> str:
    Dense.save(Dense.frame(rows), folder=folder / "tables")
    return str(folder)


def test_runs_are_read_one_below_the_other(tmp_path: Path) -> None:
    strong, source = (made.dense(recipes=[recipe], seeds=2) for recipe in ("strong", "source"))
    folders = {"dense": dense_run(tmp_path / "a", strong), "dense_source": dense_run(tmp_path / "b", source)}

    read = lenet_tables.measured(folders, "dense")["recipe"]
    assert read.tolist() == ["strong"] * 12 + ["source"] * 12


def test_a_run_not_named_and_a_run_without_rows_are_refused_in_one_line(tmp_path: Path) -> None:
    empty = dense_run(tmp_path / "empty", made.dense(seeds=1).iloc[:0])

    with pytest.raises(FileNotFoundError, match=r"table 'dense' .* dense_source names no folder; .*-p dense_source="):
        lenet_tables.measured({"dense_source": ""}, "dense")
    with pytest.raises(
        ValueError, match=r"a run leaves rows in its tables; dense of .*empty has none: run it again"
    ) as no:
        lenet_tables.measured({"dense": empty}, "dense")
    assert "\n" not in str(no.value)


def test_a_target_no_run_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'1000' is none of 2660, 1641"):
        summary.at_targets(made.pruned(), ["1000"])


def test_a_missing_table_of_facts_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lenet-variants.csv; .* is missing"):
        lenet_tables.printed_nets(tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError, match=r"lenet-300-100-frontier.csv; .* is missing"):
        lenet_tables.published_points(tmp_path / "none.csv")
    (tmp_path / "odd.csv").write_text("method,epoch\nX,last\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"of epoch final, best, unstated; odd.csv has \['last'\]"):
        lenet_tables.published_points(tmp_path / "odd.csv")
