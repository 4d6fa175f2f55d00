"""Study 1 summed up: knees, the source's experiments and the choice of decoders, on tables made by hand."""

import numpy as np
import pandas as pd
import pytest

from prunelab.claims import deciding
from prunelab.studies.common import curves
from prunelab.studies.sparseness import summary


def sweep_by_hand() -> pd.DataFrame:
    """Two seeds, two thresholds, three methods, with errors to be averaged by eye."""
    rows = []
    for seed in (0, 1):
        for method, errors in (("abs", (9.0, 31.0)), ("positive", (20.0, 96.0)), ("negative", (12.0, 91.0))):
            for threshold, error in zip((0.05, 0.1), errors, strict=True):
                rows.append(
                    {
                        "data": "d",
                        "model": "acoustic-2x4-relu",
                        "seed": seed,
                        "method": method,
                        "threshold": threshold,
                        "scale": 10 * threshold,
                        "sparsity": threshold * (4 if method == "abs" else 2),
                        "error_percent": error + seed,
                        "baseline_error_percent": 8.0,
                        "best_wer_percent": error - 2 * seed,
                        "baseline_best_wer_percent": 7.0,
                        "fixed_wer_percent": error + 5,
                    }
                )
    return pd.DataFrame(rows)


def test_an_experiment_is_in_the_sources_columns_with_intervals_of_the_best_word_error() -> None:
    experiments = summary.sign_experiments(sweep_by_hand())
    first = experiments["experiment-1"].iloc[0]

    assert (first["group"], first["pruned_layer"], first["pruning_method"]) == ("1.1", "all", "abs")
    assert (first["pruning_threshold"], first["sparse_rate"], first["best_wer"], first["wer"]) == (0.05, 20, 8.0, 9.5)
    # Student's t with one degree of freedom is 12.706 (tables); 9 and 7 have a standard error of 1.
    assert (first["best_wer_low"], first["best_wer_high"]) == (-4.71, 20.71)
    assert list(experiments["experiment-3"]["pruning_method"]) == ["-", "-"]
    assert list(experiments["experiment-2"]["group"]) == ["2.1", "2.2"]


def test_experiment_four_repeats_both_signs_until_both_are_lost() -> None:
    table = sweep_by_hand()
    further = table[table["threshold"] == 0.1].assign(threshold=0.2, scale=2.0, sparsity=0.5)
    fourth = summary.sign_experiments(pd.concat([table, further]))["experiment-4"]

    # At 0.1 both signs err more than 68 %, 60 points above the unpruned nets; 0.2 says nothing new.
    assert list(fourth["group"]) == ["2.1", "2.2", "3.1", "3.2"]
    assert list(fourth["pruning_threshold"]) == [0.05, 0.1, 0.05, 0.1]


def test_one_seed_has_no_interval_and_no_error() -> None:
    alone = sweep_by_hand().query("seed == 0")
    first = summary.sign_experiments(alone)["experiment-1"].iloc[0]

    assert first["seeds"] == 1
    assert np.isnan([first["best_wer_low"], first["best_wer_high"]]).all()


def test_the_decoders_knees_and_the_error_a_third_of_the_weights_costs_are_found_by_hand() -> None:
    table = sweep_by_hand()
    found = summary.decoder_knees(table).set_index(["criterion", "method"])["knee_percent"]

    # Errors pass 28 % on the way from 9 to 31 at 20 to 40 % sparsity (seed 1: from 10 to 32); positive from 20 to 96
    # at 10 to 20 %.
    assert found["dev", "abs"] == pytest.approx(np.mean([20 + 20 * 19 / 22, 20 + 20 * 18 / 22]))
    assert found["dev", "positive"] == pytest.approx(np.mean([10 + 10 * 8 / 76, 10 + 10 * 7 / 76]))
    # With the decoder kept all errors are 5 points higher, the unpruned one as it was.
    assert found["fixed", "abs"] == pytest.approx(20 + 20 * 14 / 22)


def test_a_knee_is_where_the_error_passes_twenty_points_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "data": "d",
            "model": "mlp-4",
            "method": ["abs"] * 3 + ["positive"] * 3,
            "seed": 0,
            "sparsity": [0.2, 0.4, 0.6, 0.1, 0.2, 0.3],
            "error_percent": [5.0, 15.0, 55.0, 5.0, 6.0, 7.0],
            "baseline_error_percent": 5.0,
        }
    )
    knees = curves.knee_table(rows).set_index("method")

    # 25 % lies a quarter of the way from 15 at 40 % to 55 at 60 %.
    assert knees.loc["abs", "knee_percent"] == pytest.approx(45)
    assert (knees.loc["positive", "seeds_with_knee"], knees.loc["positive", "largest_sparsity_percent"]) == (0, 30)
    assert pd.isna(knees.loc["positive", "knee_percent"])


def test_a_layers_knee_and_the_sparsity_where_abs_loses_are_found_by_hand() -> None:
    layer = pd.DataFrame(
        {
            "data": "d",
            "model": "mlp-4",
            "layer": "fc1",
            "seed": [0, 0, 1, 1],
            "threshold": [0.1, 0.2, 0.1, 0.2],
            "scale": [1.0, 2.0, 1.0, 2.0],
            "sparsity": 0.5,
            "error_percent": [10.0, 50.0, 10.0, 50.0],
            "baseline_error_percent": 10.0,
        }
    )
    sweep = pd.DataFrame(
        {
            "data": "d",
            "model": "mlp-4",
            "method": ["abs", "abs", "positive", "positive", "negative", "negative"],
            "seed": 0,
            "threshold": [0.1, 0.2] * 3,
            "sparsity": [0.4, 0.9, 0.2, 0.5, 0.2, 0.4],
            "error_percent": [11.0, 80.0, 40.0, 70.0, 12.0, 90.0],
            "baseline_error_percent": 10.0,
        }
    )
    # 30 % lies half way from 10 at a scale of 1 to 50 at 2; at 0.2 abs errs more than positive, at 0.1 less.
    assert summary.layer_costs(layer, 1.0)["knee_scale"].tolist() == pytest.approx([1.5])
    one = layer[layer["seed"] == 0]
    found = summary.net_means(one[:1], sweep, one, 1.0).set_index("quantity")["value"]
    assert found["abs-loses-from"] == pytest.approx(90)


def test_a_criterion_puts_its_errors_where_the_rules_look() -> None:
    table = sweep_by_hand()
    best, fixed = (summary.under(table, criterion) for criterion in ("best", "fixed"))

    assert (best["error_percent"] == table["best_wer_percent"]).all()
    assert (best["baseline_error_percent"] == 7).all()
    assert (fixed["error_percent"] == table["fixed_wer_percent"]).all()
    assert (fixed["baseline_error_percent"] == 8).all()
    with pytest.raises(ValueError, match="one of dev, best, fixed; got 'test'"):
        summary.under(table, "test")


def test_a_changed_verdict_is_counted() -> None:
    rows = [
        ("abs-knee", "one", "dev", np.nan, "reproduced"),
        ("abs-knee", "one", "best", np.nan, "reproduced"),
        ("abs-knee", "one", "fixed", np.nan, "inconclusive"),
        ("layers-differ", "one", "dev", 1.0, "reproduced"),
        ("layers-differ", "one", "best", 1.0, "inconclusive"),
        ("layers-differ", "one", "fixed", 1.0, "inconclusive"),
        ("layers-differ", "one", "dev", 2.0, "not-reproduced"),
    ]
    table = pd.DataFrame(rows, columns=["claim", "case", "criterion", "threshold_scale", "verdict"])
    changes = summary.criteria_changes(table, 1.0)

    assert (changes["decided"] == 2).all()
    assert dict(zip(changes["criterion"], changes["changed"], strict=True)) == {"dev": 0, "best": 1, "fixed": 2}


def test_a_sweep_of_images_has_no_word_errors_to_decide_by() -> None:
    table = pd.DataFrame({"error_percent": [1.0], "baseline_error_percent": [1.0]})

    with pytest.raises(ValueError, match="best_wer_percent is missing: is it of images"):
        summary.under(table, "best")


@pytest.mark.parametrize("scale", [-1.0, float("nan")])
def test_a_scale_that_cannot_be_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="threshold_scale is a finite number"):
        curves.at_scale(sweep_by_hand(), scale)


@pytest.mark.parametrize("run", ["layer-sensitivity", "speech-layer-sensitivity"])
def test_a_run_that_is_not_named_is_asked_for_by_its_own_name(run: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"-p layer_sensitivity=./results/quick/{run}"):
        deciding({"layer-sensitivity": [""]}, {"layer-sensitivity": run})
