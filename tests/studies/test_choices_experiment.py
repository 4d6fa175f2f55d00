"""The study on choosing a threshold: what its tables say is so, and its figure and values say what they say."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from prunelab import tables
from prunelab.choosing import FAMILIES, Bounds, by_global, choose, classification
from prunelab.data import load_images
from prunelab.measure import evaluate
from prunelab.studies.choices import experiment
from prunelab.studies.choices.experiment import Ask, Settings
from prunelab.studies.choices.figures import found_by_bound
from prunelab.studies.choices.rules import threshold_choice
from prunelab.studies.choices.summary import found_table, held_table
from prunelab.studies.choices.tables import ThresholdChoices, ThresholdTests
from prunelab.studies.common.nets import Net, save_nets

IMAGES = load_images("digits")
MODEL = "mlp-12-10-relu"
WEIGHTS = 64 * 12 + 12 * 10 + 10 * 10
ASK = Ask(drops=[10.0, 20.0], keep_percent=[30.0], pruned_percent=[70.0], several_percent=[75.0])
SETTINGS = Settings(tests=5, scoring=200)
COUNTS = ("max_parameters", "max_bytes", "max_flops", "min_pruned", "max_pruned")


@pytest.fixture(scope="module")
def nets() -> list[Net]:
    return experiment.nets_of([], IMAGES, models=[MODEL], seeds=[0, 1], epochs=12)


@pytest.fixture(scope="module")
def made(nets: list[Net]) -> tuple[pd.DataFrame, pd.DataFrame]:
    return experiment.choose_thresholds(nets, IMAGES, ASK, settings=SETTINGS)


@pytest.fixture
def choices(made: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    return made[0]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- the tables ---


def test_every_bound_is_searched_for_in_every_family_and_net(choices: pd.DataFrame) -> None:
    searches = choices.groupby(["seed", "family"])[["kind", "decided_by"]].apply(
        lambda rows: sorted({(kind, by) for kind, by in rows.itertuples(index=False)})
    )

    assert len(searches) == 2 * len(FAMILIES)
    expected = [("max_drop", "upper bound"), ("max_drop", "value"), ("several", "upper bound")]
    assert all(found == sorted([*expected, *((kind, "count") for kind in COUNTS)]) for found in searches)
    assert set(choices.loc[choices["kind"] == "several", "bound"]) == {"max_drop", *COUNTS[:3]}


def test_tables_are_saved_described_and_come_back(made: tuple[pd.DataFrame, pd.DataFrame], here: Path) -> None:
    for table, kind in zip(made, (ThresholdChoices, ThresholdTests), strict=True):
        kind.save(table)
        loaded = tables.load(Path(f"tables/{kind.table_name}.csv"))

        pd.testing.assert_series_equal(loaded["level"], table["level"], check_dtype=False)
        assert loaded["held"].fillna("").tolist() == table["held"].tolist()


def test_counted_limits_are_parts_of_the_dense_net(choices: pd.DataFrame) -> None:
    limits = choices[choices["decided_by"] == "count"].groupby("bound")["limit"].unique()
    whole = {"max_parameters": WEIGHTS + 32, "max_bytes": 4 * (WEIGHTS + 32), "max_flops": 2 * WEIGHTS}

    assert {bound: list(values) for bound, values in limits.items()} == {
        **{bound: [math.floor(0.3 * value)] for bound, value in whole.items()},
        "min_pruned": [0.7],
        "max_pruned": [0.7],
    }


def test_every_count_holds_when_measured_again_and_fails_at_the_level_beside(choices: pd.DataFrame) -> None:
    counts = choices[choices["decided_by"] == "count"]

    assert counts["found"].all()
    assert (counts["held"] == "yes").all()
    assert (counts["again"] == counts["reached"]).all()
    assert (counts["measurements"] == 0).all()
    upwards = counts["bound"] == "min_pruned"
    assert (counts.loc[~upwards, "beside"] > counts.loc[~upwards, "limit"]).all()
    assert (counts.loc[upwards, "beside"] < counts.loc[upwards, "limit"]).all()


def test_the_rule_finds_the_claim_in_every_kind_of_count(choices: pd.DataFrame) -> None:
    verdicts = {kind: threshold_choice(choices[choices["kind"] == kind]).verdict for kind in COUNTS}

    assert verdicts == dict.fromkeys(COUNTS, "reproduced")


def test_a_drop_is_what_the_test_images_say_of_the_net_that_the_search_finds(
    nets: list[Net], choices: pd.DataFrame
) -> None:
    chosen = choose(
        nets[0].module,
        by_global(nets[0].module),
        Bounds(max_drop=20),
        metric=classification(IMAGES.validation),
        tests=5,
        seed=0,
    )
    rows = choices[(choices["kind"] == "max_drop") & (choices["asked"] == "20 points")]
    (row,) = rows[(rows["seed"] == 0) & (rows["family"] == "global") & (rows["decided_by"] == "upper bound")].to_dict(
        "records"
    )
    accuracies = [evaluate(one, IMAGES.test).accuracy for one in (nets[0].module, chosen.pruned.net)]

    assert row["level"] == chosen.level
    assert row["sparsity_percent"] == pytest.approx(100 * chosen.level / WEIGHTS)
    assert row["again"] == row["test_drop_points"] == pytest.approx(100 * (accuracies[0] - accuracies[1]))
    assert row["upper"] == chosen.kept[0].upper
    assert row["upper"] <= 20 < row["beside"]


def test_the_value_alone_prunes_at_least_as_far_as_its_upper_bound(choices: pd.DataFrame) -> None:
    drops = choices[(choices["kind"] == "max_drop") & choices["found"]]
    sides = drops.pivot_table("level", index=["seed", "family", "asked"], columns="decided_by").dropna()

    assert len(sides)
    assert (sides["value"] >= sides["upper bound"]).all()
    assert drops.loc[drops["decided_by"] == "value", "upper"].isna().all()


def test_every_measurement_is_listed_and_they_are_few(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    choices, tested = made
    key = ["seed", "family", "kind", "asked", "decided_by"]
    counted = tested.groupby(key).size()
    said = choices[choices["measurements"] > 0].drop_duplicates(key).set_index(key)["measurements"]

    assert counted.to_dict() == said.to_dict()
    assert counted.max() <= 5
    assert set(tested["held"]) == {"yes", "no"}
    assert not tested.duplicated([*key, "level"]).any()


def test_what_is_impossible_stands_in_the_table_with_its_reason(nets: list[Net]) -> None:
    ask = replace(ASK, drops=[0.1], keep_percent=[], pruned_percent=[], several_percent=[1.0])
    table, tested = experiment.choose_thresholds(nets[:1], IMAGES, ask, families=["global"], settings=SETTINGS)
    alone = table[(table["kind"] == "max_drop") & (table["decided_by"] == "upper bound")].iloc[0]
    several = table[table["kind"] == "several"].set_index("bound")

    assert not table[table["decided_by"] == "upper bound"]["found"].any()
    assert alone["reason"].startswith("no global pruning meets max_drop 0.1 points")
    assert "240 examples, none made wrong or right, cannot show less" in alone["reason"]
    assert alone["reached"] > 0.1
    assert len(set(several["reason"])) == 1
    assert several["reached"].notna().sum() == 1
    assert table["sparsity_percent"].isna().any()
    assert len(tested)


def test_the_same_nets_give_the_same_tables(nets: list[Net], made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    again = experiment.choose_thresholds(nets[:1], IMAGES, ASK, families=["units"], settings=SETTINGS)
    for before, after in zip(made, again, strict=True):
        rows = before[(before["seed"] == 0) & (before["family"] == "units")].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, after, check_dtype=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nets": []}, "at least one net and family; got 0"),
        ({"families": []}, "got 2"),
        ({"families": ["smallest"]}, "got 'smallest'"),
        ({"ask": replace(ASK, drops=[])}, "at least one drop"),
        ({"settings": Settings(scoring=0)}, "at least 1 training example; got 0"),
        ({"settings": Settings(confidence=95)}, r"did you mean 0.95\?"),
    ],
)
def test_studies_of_nothing_are_refused(nets: list[Net], change: dict[str, object], said: str) -> None:
    given = {"nets": nets, "ask": ASK, "families": ["global"], "settings": SETTINGS} | change
    with pytest.raises(ValueError, match=said):
        experiment.choose_thresholds(
            given["nets"],  # type: ignore[arg-type]
            IMAGES,
            given["ask"],  # type: ignore[arg-type]
            families=given["families"],  # type: ignore[arg-type]
            settings=given["settings"],  # type: ignore[arg-type]
        )


# --- latency ---


def operations(call: Callable[[], object]) -> list[float]:
    """Stand in for a clock: a nanosecond an operation, the same each time."""
    with FlopCounterMode(display=False) as counter:
        call()
    return [1e-9 * counter.get_total_flops()] * 30


def test_a_latency_is_met_by_smaller_nets_alone(nets: list[Net]) -> None:
    table = experiment.choose_by_latency(
        nets[:1],
        IMAGES,
        [50.0],
        families=["global", "units"],
        batch_size=10,
        timer=operations,
        settings=SETTINGS,
    )
    single, units = table.to_dict("records")
    dense = 10 * 2 * WEIGHTS * 1e-6  # ms

    assert table["limit"].tolist() == pytest.approx([dense / 2] * 2)
    assert table["found"].tolist() == [False, True]
    assert "comes to" in single["reason"]
    assert single["reached"] == pytest.approx(dense)
    assert units["again"] <= dense / 2 < units["beside"]
    assert units["held"] == "yes"


@pytest.mark.parametrize(("percent", "batch_size"), [([], 1), ([50.0], 0), ([50.0], 1199)])
def test_calls_that_cannot_be_timed_are_refused(nets: list[Net], percent: list[float], batch_size: int) -> None:
    with pytest.raises(ValueError, match="in calls on 1 to 1198 examples"):
        experiment.choose_by_latency(nets, IMAGES, percent, batch_size=batch_size)


# --- which nets ---


def test_of_other_runs_the_dense_nets_are_taken_each_as_it_was_last_stored(nets: list[Net], here: Path) -> None:
    early = replace(nets[0], step=50)
    save_nets([replace(early, step=100), early, nets[0], nets[1], replace(nets[1], pruning="masked-9")], Path("a/nets"))
    taken = experiment.nets_of(["./a"], IMAGES, models=[], seeds=[], epochs=0)

    assert [(net.model, net.seed, net.step, net.pruning) for net in taken] == [
        (MODEL, 0, None, ""),
        (MODEL, 1, None, ""),
    ]
    assert [net.seed for net in experiment.nets_of(["./a"], IMAGES, models=[MODEL], seeds=[1], epochs=0)] == [1]


def test_runs_of_pruned_nets_alone_and_models_they_lack_are_refused(nets: list[Net], here: Path) -> None:
    save_nets([replace(nets[0], pruning="masked-9")], Path("a/nets"))
    with pytest.raises(ValueError, match="the runs hold pruned ones only"):
        experiment.nets_of(["./a"], IMAGES, models=[], seeds=[], epochs=0)
    with pytest.raises(ValueError, match="got no 'mlp-3'"):
        experiment.nets_of(["./a"], IMAGES, models=["mlp-3"], seeds=[], epochs=0)


# --- the figure and the summaries ---


def rows(seeds: int = 3, models: tuple[str, ...] = ("lenet-8-6-relu",)) -> pd.DataFrame:
    """Two searches of two families: sparsities 90, 91, 92 % and 80 %, and none found of the second family's second."""
    made = []
    for model in models:
        for seed in range(seeds):
            for family, kind, asked, by, sparsity in (
                ("global", "max_drop", "1 points", "upper bound", 90.0 + seed),
                ("global", "max_drop", "1 points", "value", 95.0),
                ("global", "max_bytes", "10 %", "count", 80.0),
                ("units", "max_drop", "1 points", "upper bound", 70.0),
                ("units", "max_bytes", "10 %", "count", math.nan),
            ):
                found = not math.isnan(sparsity)
                made.append(
                    {
                        "data": "digits",
                        "data_id": "0123456789ab",
                        "model": model,
                        "seed": seed,
                        "family": family,
                        "kind": kind,
                        "asked": asked,
                        "decided_by": by,
                        "bound": kind,
                        "found": found,
                        "sparsity_percent": sparsity,
                        "measurements": 8 if kind == "max_drop" else 0,
                        "held": "" if not found else "no" if by == "value" and seed else "yes",
                    }
                )
    return pd.DataFrame(made)


def test_the_figure_says_the_weights_left_with_their_interval_and_what_found_none(here: Path) -> None:
    saved = found_by_bound(rows())
    about = json.loads(saved.path.with_suffix(".json").read_text("utf-8"))
    once = saved.path.read_bytes()

    # 10, 9 and 8 % left: s = 1, half the width t(.975, 2) / sqrt(3) = 2.484.
    assert "one threshold: accuracy lost ≤ 1 points 9.0 (6.5 to 11.5), bytes ≤ 10 % 20.0 (20.0 to 20.0)" in saved.alt
    assert "whole units, replaced by their means: accuracy lost ≤ 1 points 30.0 (30.0 to 30.0)." in saved.alt
    assert about["table"] == "threshold-choices"
    assert found_by_bound(rows()).path.read_bytes() == once


def test_the_figure_of_one_seed_two_nets_and_an_unknown_family_is_drawn_too(here: Path) -> None:
    table = rows(1, ("lenet-8-6-relu", "conv-4k3-8")).replace(
        {"family": {"units": "own"}, "kind": {"max_bytes": "odd"}}
    )
    saved = found_by_bound(table)

    assert "conv-4k3-8, own: accuracy lost ≤ 1 points 30.0." in saved.alt
    assert "odd 10 % 20.0" in saved.alt
    assert "nan" not in saved.alt


def test_a_figure_of_no_pruning_is_refused(here: Path) -> None:
    with pytest.raises(ValueError, match="no search found one: loosen the bounds"):
        found_by_bound(rows().assign(found=False))


def test_what_bounds_allow_is_averaged_over_the_seeds_that_found_a_pruning() -> None:
    found = found_table(rows()).set_index(["family", "kind"])

    # 90, 91 and 92 %: s = 1, half the width t(.975, 2) / sqrt(3) = 2.484.
    assert found.loc[("global", "max_drop"), ["sparsity_percent", "low", "seeds"]].tolist() == pytest.approx(
        [91, 91 - 2.484, 3], abs=1e-3
    )
    assert found.loc[("global", "max_bytes"), "sparsity_percent"] == 80
    assert ("units", "max_bytes") not in found.index


def test_how_often_a_bound_held_is_counted_by_what_decided() -> None:
    found = held_table(rows()).set_index("decided_by")

    assert found["found"].to_dict() == {"count": 3, "upper bound": 6, "value": 3}
    assert found["held"].to_dict() == {"count": 3, "upper bound": 6, "value": 1}
    assert found.loc["upper bound", ["held_percent", "low", "high"]].tolist() == pytest.approx(
        [100, 100 * 0.025 ** (1 / 6), 100]
    )
    assert found.loc["value", "held_percent"] == pytest.approx(100 / 3)
    assert found.loc[["upper bound", "value"], "measurements"].tolist() == [8, 8]


def test_calls_are_timed_with_the_threads_asked_for(nets: list[Net]) -> None:
    before = torch.get_num_threads()
    table = experiment.choose_by_latency(
        nets[:1],
        IMAGES,
        [100.0],
        families=["global"],
        torch_threads=2,
        batch_size=1,
        timer=lambda _: [float(torch.get_num_threads())] * 30,
        settings=SETTINGS,
    )

    assert table["reached"].tolist() == [2000.0]
    assert table["level"].tolist() == [0]
    assert torch.get_num_threads() == before
