"""The figures on hardware, on made-up tables: each draws its rows, and its words hold the numbers drawn."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib import pyplot as plt
from pandas import DataFrame

import made_hardware as made
from prunelab.deploy import FORMS
from prunelab.figures import Saved
from prunelab.studies.hardware import figures
from prunelab.studies.hardware.times import crossover_table, latency_table


def latency(rounds: DataFrame) -> Saved:
    return figures.latency_figure(latency_table(rounds), crossover_table(rounds))


DRAWN: dict[str, tuple[str, Callable[[int], Saved]]] = {
    "latency": ("latency", lambda seeds: latency(made.rounds(seeds, noise=0.1))),
    "accuracy-by-pruning": ("forms", lambda seeds: figures.accuracy_figure(made.forms(seeds))),
    "stored-and-computed": ("forms", lambda seeds: figures.size_figure(made.forms(seeds))),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(saved: Saved) -> str:
    return str(json.loads(saved.path.with_suffix(".json").read_text("utf-8"))["caption"])


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_drawn_twice_alike_with_words_a_caption_and_its_table(name: str) -> None:
    table, draw = DRAWN[name]
    saved = draw(3)
    once = saved.path.read_bytes()
    about = json.loads(saved.path.with_suffix(".json").read_text("utf-8"))

    assert saved.path == Path(f"figures/{name}.svg")
    assert draw(3).path.read_bytes() == once
    assert about["table"] == table
    assert about["caption"].endswith(".")
    assert "lenet-300-100-relu on mnist" in saved.alt
    assert "nan" not in saved.alt


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_of_one_net_is_drawn_too(name: str) -> None:
    saved = DRAWN[name][1](1)

    assert ET.parse(saved.path).getroot().tag.endswith("svg")
    assert "nan" not in saved.alt


def test_words_on_times_say_the_sparsest_and_where_sparse_rows_become_faster() -> None:
    said = latency(made.rounds(threads=(1,))).alt

    # At 98 %: 0.02 + 0.06 · 0.02 ms for units shrunk; 0.06 unpruned.
    assert "1 example, 1 thread: unpruned, torch 0.06 ms (0.06 to 0.06)" in said
    assert "units: shrunk, torch 0.0212 ms (0.0212 to 0.0212)" in said
    assert "sparse rows, torch faster than unpruned by torch from 84.0 % on (84.0 to 84.0)" in said
    assert "256 examples, 1 thread" in said


def test_words_say_where_nothing_becomes_faster() -> None:
    rounds = made.rounds(threads=(1,), batches=(1,))
    rounds.loc[rounds["form"] == "csr-torch", "seconds"] = 1.0

    assert "torch faster than unpruned by torch at no sparsity measured (beyond 98 to beyond 98)" in latency(rounds).alt


def test_the_crossover_is_marked_in_its_panel_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = made.rounds(threads=(1,))
    rounds.loc[(rounds["form"] == "csr-torch") & (rounds["batch"] == 256), "seconds"] = 1.0
    uprights = []

    def look(figure: plt.Figure, name: str, **_: object) -> None:
        for axis in figure.axes:
            own = [line.get_xdata() for line in axis.lines if len(set(line.get_xdata())) == 1]
            uprights.append([float(100 - x[0]) for x in own])
        plt.close(figure)

    monkeypatch.setattr(figures.draw, "save", look)
    latency(rounds)

    assert uprights == [[pytest.approx(84.0, abs=0.05)], []]


def test_sparse_rows_by_scipy_are_marked_where_there_are_none_by_torch() -> None:
    rounds = made.rounds(threads=(1,))
    caption = told(latency(rounds[rounds["form"] != "csr-torch"]))

    assert caption.endswith("Upright: from where on sparse rows by scipy are faster than the unpruned net by torch.")


def test_a_table_without_sparse_rows_is_drawn() -> None:
    rounds = made.rounds(threads=(1,))
    saved = latency(rounds[~rounds["form"].str.startswith("csr")])

    assert "no sparse rows" in saved.alt
    assert "Upright" not in told(saved)


def test_words_on_accuracy_say_mean_and_interval() -> None:
    # 98, 98.1 and 98.2 less 20 · .125 points: s = .1, half the width t(.975, 2) · .1 / √3 = .248.
    said = figures.accuracy_figure(made.forms()).alt

    assert "unpruned 98.10 (97.85 to 98.35)" in said
    assert "single weights: 95.6 (95.4 to 95.8) at 50 %" in said


def test_a_figure_of_one_pruning_is_drawn() -> None:
    forms = made.forms()
    said = figures.accuracy_figure(forms[forms["pruning"] != "units"]).alt

    assert "whole units" not in said


def test_words_on_sizes_say_the_sparsest() -> None:
    said = figures.size_figure(made.forms()).alt

    assert "KiB: unpruned, torch 1.04e+03" in said
    assert "units: shrunk, torch 20.8" in said  # 4 · 5324 / 1024


@pytest.mark.parametrize("draw", [figures.accuracy_figure, figures.size_figure])
def test_several_nets_are_refused(draw: Callable[[DataFrame], Saved]) -> None:
    two = made.forms()
    two.loc[two["seed"] == 1, "model"] = "lenet-600-100-relu"

    with pytest.raises(ValueError, match="shows one net on one data set"):
        draw(two)


def test_every_form_of_every_pruning_has_a_line_of_its_own() -> None:
    lines = figures.LINES

    assert set(lines) == {(pruning, form) for pruning in ("weights", "units") for form in FORMS} | {
        ("none", "dense"),
        ("none", "onnx"),
    }
    looks = {(line.colour, line.marker, str(line.dash)) for line in lines.values()}
    assert len(looks) == len({line.label for line in lines.values()}) == len(lines)
