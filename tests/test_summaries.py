from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prunelab import tables
from prunelab.stats import paired, t_interval
from prunelab.summaries import contrast, over_seeds

FULL = Path(__file__).parents[1] / "published" / "results" / "full"
NETS = pd.DataFrame(
    {
        "net": ["b"] * 3 + ["a"] * 3,
        "seed": [0, 1, 2] * 2,
        "error": [3.0, 4.0, 8.0, 1.0, 2.0, 3.0],
        "kept": [10, 10, 13, 7, 7, 7],
    }
)


def test_a_group_has_its_mean_interval_and_number_of_seeds_in_the_order_of_the_rows():
    found = over_seeds(NETS, ["net"], "error", means=["kept"])

    expected = t_interval([3.0, 4.0, 8.0])
    assert list(found["net"]) == ["b", "a"]
    assert found.loc[0].to_dict() == {
        "net": "b",
        "error": expected.value,
        "low": expected.low,
        "high": expected.high,
        "kept": 11.0,
        "seeds": 3,
    }


def test_one_seed_has_a_mean_and_no_interval():
    row = over_seeds(NETS[:1], ["net"], "error").loc[0]

    assert (row["error"], row["seeds"]) == (3.0, 1)
    assert np.isnan([row["low"], row["high"]]).all()


def test_several_columns_name_their_ends():
    found = over_seeds(NETS, ["net"], {"error": "", "kept": "kept_"})

    assert list(found) == ["net", "error", "low", "high", "kept", "kept_low", "kept_high", "seeds"]


def test_rows_of_one_seed_become_one_value_first_or_are_refused():
    twice = pd.concat([NETS, NETS.assign(error=NETS["error"] + 2)])

    with pytest.raises(ValueError, match=r'one value a seed; error has several of seed 0: .* within="mean"'):
        over_seeds(twice, ["net"], "error")
    for within, value, seeds in (("mean", 6.0, 3), ("max", 7.0, 3), (lambda own: own.std(ddof=0), 1.0, 3)):
        row = over_seeds(twice, ["net"], "error", within=within).loc[0]
        assert (row["error"], row["seeds"]) == (value, seeds)


def test_a_seed_without_a_value_is_an_error_or_leaves_the_mean_empty():
    lost = NETS.assign(error=NETS["error"].where(NETS["error"] < 8))

    with pytest.raises(ValueError, match="finite"):
        over_seeds(lost, ["net"], "error")
    rows = over_seeds(lost, ["net"], "error", gaps=True)
    assert np.isnan(rows.loc[0, ["error", "low", "high"]].astype(float)).all()
    assert (rows.loc[0, "seeds"], rows.loc[1, "error"]) == (3, 2.0)


def test_no_row_is_the_wrong_run():
    with pytest.raises(ValueError, match=r"at least one row; error has none: is it the right run\?"):
        over_seeds(NETS[:0], ["net"], "error")


def test_a_contrast_pairs_the_rows_of_a_seed_and_leaves_out_what_one_side_lacks():
    first, second = NETS[NETS["net"] == "b"], NETS[NETS["net"] == "a"].assign(net="b").iloc[[1, 0]]

    row = contrast(first, second, ["net"], "error", names=("with", "without", "gain")).loc[0]

    gain = paired([3.0, 4.0], [1.0, 2.0])
    assert (row["with"], row["without"], row["seeds"]) == (3.5, 1.5, 2)
    assert (row["gain"], row["low"], row["high"]) == (gain.value, gain.low, gain.high)


def test_a_contrast_without_partners_is_refused():
    with pytest.raises(ValueError, match="a contrast of error pairs rows of the same net, seed; none is on both sides"):
        contrast(NETS[:3], NETS[3:], ["net"], "error")


def published(run, name, where="index >= 0"):
    return tables.load(FULL / run / "tables" / f"{name}.csv").query(where)


def written(frame):
    """Write cells as a table's file has them."""
    return frame.to_csv(index=False, float_format="%.10g")


def test_published_means_over_seeds_come_out_again():
    removed = published("lenet-removal", "removal", "removed != 'none'")
    drops = published("lenet-report", "removal-drops")
    key = ["data", "recipe", "mode", "budget", "model", "target", "treatment", "removed"]

    found = over_seeds(removed, key, {"drop_points": "drop_"}, means=["error_percent"])

    assert written(found[list(drops)]) == written(drops)


def test_published_contrasts_of_two_runs_come_out_again():
    key = ["data", "recipe", "budget", "model", "target"]
    regrow = published("lenet-report", "regrow", "stage == 'trained'")[
        [*key, "masked_percent", "regrown_percent", "gain", "low", "high", "seeds"]
    ]
    masked, regrown = (
        pd.concat([published(f"lenet-{mode}{source}", "pruned", "budget == 'global'") for source in ("", "-source")])
        for mode in ("pruned", "regrown")
    )
    sides = [nets.assign(accuracy=100 - nets["error_percent"]) for nets in (regrown, masked)]

    found = contrast(*sides, key, "accuracy", names=("regrown_percent", "masked_percent", "gain"))

    assert written(found[list(regrow)].sort_values(key)) == written(regrow.sort_values(key))


def test_published_contrasts_of_several_rows_a_seed_come_out_again():
    means = published("units-report", "means", "part == 'train' and layers == 'one at a time'")
    pairs = published("units-report", "pairs", "layer != 'all'")
    key = ["data", "data_id", "model", "score"]
    sides = [pairs.assign(penalty=pairs[side]) for side in ("replaced", "zeroed")]

    found = contrast(
        *sides,
        key,
        "penalty",
        names=("replaced", "zeroed", "difference"),
        pairs=["seed", "step", "layer"],
        within="mean",
    )

    shared = [column for column in means if column in found]
    assert len(shared) == len(key) + 10
    assert written(found[shared]) == written(means[shared])
