"""Kinds ranked, put together for the chapter, and drawn, on made-up tables: numbers, words and lines agree."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import made_kinds as made
from prunelab.figures import Saved, save
from prunelab.studies.kinds import figures, summary
from prunelab.studies.kinds.experiment import KINDS
from prunelab.studies.kinds.ranking import summary_table
from prunelab.studies.kinds.summary import guide_table
from prunelab.studies.kinds.tables import KindsGuide, KindsSummary

SPEECH = "acoustic-6x256-relu"
FIGURES: dict[str, Callable[[pd.DataFrame], Saved]] = {
    "error-by-kind": figures.error_by_kind,
    "kinds-ranking": lambda table: figures.ranking(summary_table(table)),
    "penalties-and-retraining": figures.penalties_and_retraining,
    "weights-by-kind": lambda table: figures.weight_distributions(made.weights(table)),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures as drawn, before they are closed."""
    found: list[Figure] = []

    def keep(figure: Figure, name: str, **words: str) -> Saved:
        found.append(figure)
        return save(figure, name, **words)

    monkeypatch.setattr(figures.draw, "save", keep)
    return found


def area(first: float, second: float) -> float:
    return 100 - (0.25 * (made.DENSE + first) + 0.2 * (first + second)) / 0.9


# Numbers


def test_kinds_are_ranked_by_area_with_paired_differences_to_random_and_magnitude() -> None:
    table = summary_table(made.kinds(ways=(False,))).set_index("kind")
    # The errors of all kinds but random move by half a point from seed to seed, and the area by 0.65 / 0.9 of that.
    half = 2.4841 * 0.5 * 0.65 / 0.9

    assert list(table["rank"]) == list(range(1, 11))
    assert list(table.index[:3]) == ["l1", "l2", "magnitude"]
    assert table.loc["saliency", "area"] == pytest.approx(area(6, 40))
    assert table.loc["saliency", "to_random"] == pytest.approx(area(6, 40) - area(40, 90))
    assert table.loc["saliency", "to_random_high"] - table.loc["saliency", "to_random"] == pytest.approx(half, abs=1e-3)
    assert table.loc["saliency", "to_magnitude"] == pytest.approx(area(6, 40) - area(4, 20))
    # Seed by seed the difference is the same, and its interval has no width.
    assert table.loc["saliency", "to_magnitude_low"] == pytest.approx(table.loc["saliency", "to_magnitude_high"])
    assert np.isnan([table.loc["random", "to_random"], table.loc["magnitude", "to_magnitude"]]).all()
    assert (table.loc["l1", "error_percent"], table.loc["l1", "dense_error_percent"]) == pytest.approx((16, made.DENSE))


def test_one_seed_is_ranked_without_intervals_and_the_tables_can_be_saved() -> None:
    for table in (made.kinds(seeds=1), made.two_nets(), made.kinds({"l2": (4.0, 20.0)})):
        ranked = KindsSummary.save(summary_table(table))
        names = dict.fromkeys(ranked[["data", "model", "scope"]].itertuples(index=False, name=None), "net")
        guide = KindsGuide.save(guide_table(ranked, made.costs(table), names))
        assert set(guide["kind"]) == set(table["kind"])


def test_the_guide_says_what_a_kind_needs_what_it_costs_and_where_it_won() -> None:
    table = made.two_nets()
    names = {(made.DATA, made.MODEL, "global"): "lenet", ("fsdd", SPEECH, "global"): "acoustic"}
    costs = made.costs(table)
    guide = guide_table(summary_table(table), costs, names).set_index("kind")
    longer = costs["training_passes"].where(costs["model"] != SPEECH, 3 * costs["training_passes"])
    dear = guide_table(summary_table(table), costs.assign(training_passes=longer), names).set_index("kind")

    assert list(guide.index) == [kind for kind in KINDS if kind in made.ERRORS]
    assert guide.loc["l1", ["needs", "cost"]].tolist() == ["training with the penalty, and its strength", "20"]
    assert guide.loc["saliency", ["needs", "cost"]].tolist() == [
        "examples with their classes, and gradients",
        "0.1",
    ]
    assert guide.loc[["magnitude", "random"], "needs"].tolist() == ["nothing", "nothing"]
    assert guide.loc["magnitude", "cost"] == "0"
    assert dear.loc["l2", "cost"] == "20 to 40"
    assert guide.loc["l1", ["best_one_shot", "best_retrained"]].tolist() == ["lenet, acoustic", "lenet, acoustic"]
    assert guide.loc["l2", "best_one_shot"] == ""
    assert guide.loc["gradient", "above_random"] == "4 of 4"
    assert guide.loc["random", "above_random"] == "not compared"


# Runs put together


def test_runs_of_one_net_are_joined_and_nets_kept_apart(tmp_path: Path) -> None:
    whole = made.kinds(seeds=4)
    first = made.run(tmp_path / "first", whole[whole["seed"] < 2])
    second = made.run(tmp_path / "second", whole[whole["seed"] >= 2])
    speech = made.run(tmp_path / "speech", made.kinds(model=SPEECH, data="fsdd"), optional=False)
    nets = summary.read([first, speech, second], ["lenet", "acoustic", "lenet"])
    ranked = summary_table(summary.together(nets, "kinds")).set_index(["model", "retrained", "kind"])

    assert [net.name for net in nets] == ["lenet", "acoustic"]
    assert sorted(nets[0].kinds["seed"].unique()) == [0, 1, 2, 3]
    assert ranked.loc[(made.MODEL, False, "l1"), "seeds"] == 4
    assert ranked.loc[(SPEECH, True, "l1"), "seeds"] == 3
    assert len(summary.together(nets, "weights")) == len(made.weights(made.kinds()))
    assert len(summary.together(nets, "tried")) == 4  # both runs of lenet tried the same, and say so once
    assert {net.net for net in nets} == {(made.DATA, made.MODEL, "global"), ("fsdd", SPEECH, "global")}


def test_runs_that_do_not_fit_their_names_are_refused(tmp_path: Path) -> None:
    run = made.run(tmp_path / "run", made.kinds())
    other = made.run(tmp_path / "other", made.kinds(model=SPEECH))
    for runs, names in (([run], []), ([run], ["LeNet"]), ([run], [""])):
        with pytest.raises(ValueError, match="lower-case words joined by hyphens"):
            summary.read(runs, names)
    with pytest.raises(ValueError, match="those of 'net' measured several"):
        summary.read([run, other], ["net", "net"])
    with pytest.raises(FileNotFoundError, match="pruning-kinds"):
        summary.read([], [])


# Figures


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_twice_alike_with_words_a_caption_and_its_table(name: str) -> None:
    saved = FIGURES[name](made.kinds())
    once, about = saved.path.read_bytes(), json.loads(saved.path.with_suffix(".json").read_text("utf-8"))

    assert saved.path == Path(f"figures/{name}.svg")
    assert FIGURES[name](made.kinds()).path.read_bytes() == once
    assert about["table"] in ("kinds", "kinds-summary", "weights")
    assert about["caption"].endswith(".")
    assert "lenet-300-100-relu on mnist" in saved.alt


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_one_seed_one_shot_is_drawn_too(name: str) -> None:
    saved = FIGURES[name](made.kinds({"l1": (0.0, 0.0), "units-norm": (4.0, 9.0)}, seeds=1, ways=(False,)))

    assert ET.parse(saved.path).getroot().tag.endswith("svg")
    assert "nan" not in saved.alt
    assert "retraining at" not in saved.alt


def test_every_kind_is_drawn_at_its_mean_errors_with_its_interval(kept: list[Figure]) -> None:
    figures.error_by_kind(made.kinds())
    drawn = {bars.get_label(): bars for bars in kept[0].axes[0].containers}
    left, errors = drawn["saliency (mean)"].lines[0].get_data()
    ends = drawn["saliency (mean)"].lines[2][0].get_segments()[1][:, 1]

    assert set(drawn) == {KINDS[kind].label for kind in made.ERRORS}
    assert sorted(errors) == pytest.approx([2, 6, 40])
    assert sorted(left) == pytest.approx([10, 50, 100], rel=0.04)  # moved aside
    assert ends.tolist() == pytest.approx([6 - 2.4841 * 0.5, 6 + 2.4841 * 0.5], abs=1e-3)
    assert [axis.get_title(loc="left") for axis in kept[0].axes] == ["one-shot", "with retraining"]


def test_words_on_errors_say_the_largest_budget_with_intervals() -> None:
    said = figures.error_by_kind(made.kinds()).alt

    assert "One-shot at 90 % removed, in %, mean with 95 % interval: magnitude 20.00 (18.76 to 21.24)" in said
    assert "With retraining at 90 % removed" in said
    assert "random 45.00 (45.00 to 45.00)" in said


def test_errors_of_zero_and_of_speech_are_drawn(kept: list[Figure]) -> None:
    perfect = made.kinds({"magnitude": (0.0, 0.0)}, sway=0.0).assign(dense_error_percent=0.0)
    figures.error_by_kind(perfect)
    speech = figures.error_by_kind(made.kinds({"random": (90.0, 120.0)}, model=SPEECH))

    assert kept[0].axes[0].get_yscale() == "linear"
    assert kept[1].axes[0].get_yscale() == "log"
    assert "Word error rate against" in speech.alt
    assert kept[1].axes[0].get_ylim()[1] > 120


def test_areas_are_drawn_best_at_the_top_beside_random(kept: list[Figure]) -> None:
    saved = figures.ranking(summary_table(made.two_nets()))
    panel = kept[0].axes[0]
    names = [label.get_text() for label in panel.get_yticklabels()]
    areas = [float(bars.lines[0].get_xdata()[0]) for bars in panel.containers]

    assert len(kept[0].axes) == 4
    assert (names[0], names[-1]) == ("L1 penalty", "random")
    assert panel.yaxis_inverted()
    assert areas == sorted(areas, reverse=True)
    assert areas[0] == pytest.approx(area(4, 16))
    assert panel.lines[0].get_xdata()[0] == pytest.approx(area(40, 90))
    assert f"{SPEECH} on fsdd, with retraining, best first: L1 penalty" in saved.alt


def test_penalties_are_held_against_the_same_net_unpruned(kept: list[Figure]) -> None:
    saved = figures.penalties_and_retraining(made.kinds())
    curves = [line for line in kept[0].axes[0].lines if len(line.get_xdata()) == 3]
    ends = sorted(float(line.get_ydata()[-1]) for line in curves)

    assert len(curves) == 6  # L1, L2 and none, with and without retraining
    assert ends == pytest.approx([2 - 20, 2 - 18, 2 - 16, 2 - 10, 2 - 9, 2 - 8])
    assert all(line.get_ydata()[0] == 0 for line in curves)
    assert kept[0].axes[0].get_ylim()[0] == -12
    assert "With retraining at 90 % removed: L1 penalty -6.00 (-7.24 to -4.76), L2 penalty -7.00" in saved.alt


def test_penalties_that_were_not_measured_are_not_compared() -> None:
    with pytest.raises(ValueError, match="neither l1 nor l2"):
        figures.penalties_and_retraining(made.kinds({"magnitude": (4.0, 20.0)}))


def test_weights_are_drawn_bin_by_bin(kept: list[Figure]) -> None:
    saved = figures.weight_distributions(made.weights(made.kinds()))
    removed, left, after = kept[0].axes[0].patches
    counts, edges, _ = removed.get_data()

    assert len(kept[0].axes) == 10
    assert counts.tolist() == pytest.approx([0, 0, 0, 22.5, 22.5, 22.5, 22.5, 0, 0, 0])
    assert edges.tolist() == pytest.approx(np.linspace(-0.5, 0.5, 11))
    assert left.get_data()[0].tolist() == after.get_data()[0].tolist()
    # Centres .05 and .15 of the weights removed; .25, .35 and .45 of those kept.
    assert "magnitude 0.1000 and 0.3500" in saved.alt


@pytest.mark.parametrize("draw", [figures.error_by_kind, figures.penalties_and_retraining])
def test_a_figure_of_several_nets_is_refused(draw: Callable[[pd.DataFrame], Saved]) -> None:
    with pytest.raises(ValueError, match="shows one net under one scope"):
        draw(made.two_nets())


def test_a_net_pruned_layer_by_layer_says_so() -> None:
    assert "the same fraction of each layer" in figures.error_by_kind(made.kinds(scope="layer")).alt
