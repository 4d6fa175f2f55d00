"""The figures of study 0, on made-up tables: each draws its rows, and its words hold the numbers drawn."""

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prunelab.figures import Saved
from prunelab.studies.outputs import explorer, figures

ACTIVATIONS = ("sigmoid", "tanh", "relu")
MODELS = [f"acoustic-6x8-{activation}" for activation in ACTIVATIONS]
SIGNS = {"abs": 0, "positive": -1, "negative": 1}
SCALES = [0.0, 0.5, 1.0, 1.5, 2.0]
RMS = {model: 0.05 + 0.01 * place for place, model in enumerate(MODELS)}
LAYERS = [*(f"affine{layer}" for layer in range(1, 7)), "final-affine"]
EDGES = [0.0, 0.25, 0.5, 0.75, 1.0]


def net_rows(seeds: int = 3) -> list[dict[str, Any]]:
    """One row a net, method and threshold; abs removes twice what one sign does, and its error rises later."""
    rows = []
    for model in MODELS:
        for method in SIGNS:
            for scale in SCALES:
                for seed in range(seeds):
                    sparsity = math.erf(scale / math.sqrt(2)) / (1 if method == "abs" else 2)
                    knee = 0.8 if method == "abs" else 0.3
                    rows.append(
                        {
                            "data": "spoken",
                            "data_id": "0123456789ab",
                            "model": model,
                            "seed": seed,
                            "method": method,
                            "threshold": round(scale * RMS[model], 4),
                            "scale": scale,
                            "sparsity": sparsity,
                            "error_percent": 5.0 + seed + 90 / (1 + math.exp(-20 * (sparsity - knee))),
                            "baseline_error_percent": 5.0 + seed,
                            "rank_correlation": 1 - sparsity,
                        }
                    )
    return rows


def posteriors(seeds: int = 3) -> pd.DataFrame:
    return pd.DataFrame(net_rows(seeds))


def histograms() -> pd.DataFrame:
    """Four bins; one sign moves the outputs to one end, more with the threshold."""
    rows = []
    for model in MODELS:
        for method, scale in [("baseline", 0.0), *((sign, scale) for sign in SIGNS for scale in SCALES)]:
            weights = np.array([1 + SIGNS.get(method, 0) * scale * (place - 1.5) / 4 for place in range(4)])
            for low, high, share in zip(EDGES, EDGES[1:], weights / weights.sum(), strict=False):
                setting = {"method": method, "threshold": round(scale * RMS[model], 4), "scale": scale}
                rows.append(
                    {"data": "spoken", "model": model, **setting, "bin_low": low, "bin_high": high, "share": share}
                )
    return pd.DataFrame(rows)


def layers() -> pd.DataFrame:
    return pd.DataFrame(
        {**row, "layer": layer, "depth": depth, "mean_shift": SIGNS[row["method"]] * row["scale"] * depth / 10}
        for row in net_rows()
        for depth, layer in enumerate(LAYERS, 1)
    )


def shifts() -> pd.DataFrame:
    drawn = layers().rename(columns={"mean_shift": "measured"})
    return drawn.assign(predicted_local=drawn["measured"] / 2, predicted_cascade=drawn["measured"], correlation=0.9)


def correction() -> pd.DataFrame:
    corrected = posteriors().assign(corrected=True, error_percent=lambda rows: rows["baseline_error_percent"])
    return pd.concat([posteriors().assign(corrected=False), corrected], ignore_index=True)


FIGURES: dict[str, Callable[[], Saved]] = {
    "four-panels": lambda: figures.four_panels(histograms(), 1.0),
    "evolution": lambda: figures.evolution(histograms()),
    "layer-shift": lambda: figures.layer_shift(layers(), 1.0),
    "order-and-wer": lambda: figures.order_and_wer(posteriors()),
    "predicted-against-measured": lambda: figures.predicted_against_measured(shifts()),
    "correction-curves": lambda: figures.correction_curves(correction()),
}
TABLES = ["histograms", "histograms", "layers", "posteriors", "predicted-shifts", "correction"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "table"), [*zip(FIGURES, TABLES, strict=True)])
def test_a_figure_is_drawn_twice_alike_and_names_its_nets_and_its_table(name: str, table: str) -> None:
    saved = FIGURES[name]()
    once = saved.path.read_bytes()

    assert saved.path == Path(f"figures/{name}.svg")
    assert FIGURES[name]().path.read_bytes() == once
    assert all(f"{model} on spoken" in saved.alt for model in MODELS)
    assert json.loads(saved.path.with_suffix(".json").read_text("utf-8"))["table"] == table


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_one_seed_is_drawn_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    every = net_rows
    monkeypatch.setitem(globals(), "net_rows", lambda seeds=1: every(1))

    assert ET.parse(FIGURES[name]().path).getroot().tag.endswith("svg")


def test_words_of_the_four_panels_say_the_mean_outputs() -> None:
    # By hand: weights 1 + s·(place - 1.5)/4 at s = ±1 are (0.625, 0.875, 1.125, 1.375)/4 and their mirror image.
    mean = sum(
        middle * weight / 4
        for middle, weight in zip((0.125, 0.375, 0.625, 0.875), (0.625, 0.875, 1.125, 1.375), strict=True)
    )

    said = FIGURES["four-panels"]().alt
    assert (
        f"acoustic-6x8-tanh: unpruned 0.50, both signs 0.50, positive only {1 - mean:.2f}, negative only {mean:.2f}"
        in said
    )


def test_words_of_the_layers_say_the_shift_of_the_first_and_the_last() -> None:
    said = FIGURES["layer-shift"]().alt

    assert (
        "acoustic-6x8-relu: both signs 0.00 to 0.00, positive only -0.10 to -0.70, negative only 0.10 to 0.70" in said
    )


def test_words_of_the_prediction_say_how_well_it_correlates() -> None:
    assert (
        "acoustic-6x8-sigmoid, local: 1.00; acoustic-6x8-sigmoid, cascade: 1.00"
        in FIGURES["predicted-against-measured"]().alt
    )


def test_words_of_the_correction_say_the_knees_without_and_with_it() -> None:
    without, corrected = FIGURES["correction-curves"]().alt.split(" With: ")

    assert "never" not in without
    assert corrected.count("never") == len(MODELS)  # the corrected error stays where it was


def test_histograms_without_the_unpruned_nets_are_refused() -> None:
    table = histograms()

    with pytest.raises(ValueError, match=r"'baseline'; acoustic-6x8-sigmoid lacks them"):
        figures.four_panels(table[table["method"] != "baseline"], 1.0)


def test_unpruned_bins_repeated_at_every_threshold_are_kept_once() -> None:
    rows = histograms().query("model == 'acoustic-6x8-tanh'")
    base = rows[rows["method"] == "baseline"]
    repeated = pd.concat([base.assign(threshold=0.1), rows])

    assert figures.unpruned_bins(repeated)["bin_low"].tolist() == EDGES[:-1]


def explored() -> dict[str, Any]:
    saved = explorer.output_explorer(histograms(), posteriors(), start=1.0)
    specification: dict[str, Any] = json.loads(saved.path.read_text("utf-8"))
    return specification


def settings_of(specification: dict[str, Any]) -> list[dict[str, Any]]:
    (rows,) = specification["datasets"].values()  # the views share one
    return list(rows)


def parameter(specification: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (entry for entry in specification["params"] if entry["name"] == name)
    return dict(found)


def test_the_explorer_holds_each_threshold_with_its_numbers() -> None:
    heard = posteriors().groupby(["model", "method", "scale"])[["sparsity", "error_percent"]].mean()
    rows = settings_of(explored())

    assert len(rows) == len(MODELS) * len(SIGNS) * len(SCALES)
    for row in rows:
        model = row["net"].removesuffix(" on spoken")
        wanted = heard.loc[
            model, row["method"], min(SCALES, key=lambda scale: abs(row["threshold"] / RMS[model] - scale))
        ]
        assert row["removed"] == pytest.approx(100 * wanted["sparsity"], abs=0.06)
        assert row["wer"] == pytest.approx(wanted["error_percent"], abs=0.06)
        assert sum(row["share"]) == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize("slider", [0.0, 0.2, 0.3, 1.0, 1.74, 2.0, 7.0])
def test_every_place_of_the_slider_shows_the_nearest_threshold_of_each_net_and_method(slider: float) -> None:
    shown = [row for row in settings_of(explored()) if row["from"] <= slider < row["to"]]
    nearest = min(SCALES, key=lambda scale: abs(scale - slider))

    assert [(row["net"], row["method"]) for row in shown] == [
        (f"{model} on spoken", method) for model in MODELS for method in SIGNS
    ]
    assert all(row["threshold"] == round(nearest * RMS[row["net"].split(" on ")[0]], 4) for row in shown)


def test_the_slider_spans_the_thresholds_and_the_nets_are_named_by_activation() -> None:
    specification = explored()
    slider, nets = (parameter(specification, name)["bind"] for name in ("threshold", "net"))

    assert (slider["min"], slider["max"], slider["step"]) == (0, 2.0, 0.5)
    assert nets["labels"] == list(ACTIVATIONS)
    assert parameter(specification, "edges")["value"][f"{MODELS[0]} on spoken"] == EDGES


def test_every_view_is_as_wide_as_its_place_and_no_axis_moves_with_the_threshold() -> None:
    specification = explored()
    tops = parameter(specification, "tops")["value"]
    largest = 100 * histograms().groupby("model")["share"].max()

    assert [view["width"] for view in specification["vconcat"]] == ["container"] * 4
    assert all(tops[f"{model} on spoken"] == pytest.approx(largest[model], abs=0.01) for model in MODELS)


def test_a_real_number_of_bins_and_thresholds_fits_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SCALES", [round(0.05 * place, 2) for place in range(50)])
    table = histograms()
    fine = pd.concat(
        [table.assign(**{c: (table[c] + part) / 10 for c in ("bin_low", "bin_high")}) for part in range(10)]
    )

    saved = explorer.output_explorer(fine.assign(share=fine["share"] / 10), posteriors())

    assert saved.path.stat().st_size < 600_000  # 50 thresholds, 40 bins, 3 methods, 3 nets


def test_a_threshold_without_its_word_error_is_refused() -> None:
    heard = posteriors().query("not (model == 'acoustic-6x8-relu' and scale == 1.5)")

    with pytest.raises(
        ValueError, match=r"acoustic-6x8-relu, (abs|positive|negative) at 0\.105 has none: measure both at the same"
    ):
        explorer.output_explorer(histograms(), heard)


def test_bins_that_differ_between_thresholds_are_refused() -> None:
    table = histograms()
    table.loc[(table["scale"] == 1.0) & (table["bin_high"] == 0.5), "bin_high"] = 0.6

    with pytest.raises(ValueError, match="share one row of adjoining bins; those of acoustic-6x8-sigmoid on spoken"):
        explorer.output_explorer(table, posteriors())


@pytest.mark.parametrize(
    ("scales", "step"),
    [([0, 0.5, 1], 0.5), ([0, 0.3, 0.9], 0.2), ([0, 0.1, 0.2], 0.1), ([0, 0.2501, 0.5], 0.2), ([1], 1)],
)
def test_the_slider_steps_by_no_more_than_the_smallest_gap(scales: list[float], step: float) -> None:
    assert explorer._step(pd.Series(scales, dtype=float)) == step


@pytest.mark.parametrize(("largest", "far"), [(9.9, False), (10.0, False), (-10.1, True), (1000.0, True)])
def test_only_shifts_beyond_ten_standard_deviations_call_for_a_logarithmic_axis(largest: float, far: bool) -> None:
    parts = [pd.Series([0.1, -0.3]), pd.Series([largest, 0.0])]

    assert figures.burst(parts) is far
