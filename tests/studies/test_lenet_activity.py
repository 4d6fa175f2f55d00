"""Active units of image nets: the tables hold what hooks count, and the figures say the numbers they draw."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from prunelab import project
from prunelab.data import Images, Split, load_images
from prunelab.figures import Saved
from prunelab.pruning import keep_largest, prunable
from prunelab.studies.common.nets import Net, open_nets, save_nets
from prunelab.studies.lenet import activations, figures, summary, unit_figures
from prunelab.studies.lenet import tables as lenet_tables
from prunelab.studies.lenet.activations import Counted
from prunelab.studies.lenet.tables import SETTING, Active, ActiveClasses, ActiveImages, Chosen
from prunelab.tables import load

MODELS = ["lenet-20-10-relu", "lenet-10-30-relu"]
PRUNED = "masked-global-100"


@pytest.fixture(scope="module")
def digits() -> Images:
    return load_images("digits")


@pytest.fixture(scope="module")
def nets(digits: Images) -> dict[str, list[Net]]:
    """Dense nets of two models and seeds under both recipes, and each of them with its 100 largest weights kept."""
    dense = open_nets([], digits, models=MODELS, seeds=[0, 1], epochs=4)
    briefly = open_nets([], digits, models=MODELS, seeds=[0, 1], epochs=1)
    return {"strong": dense + [pruned(net) for net in dense], "source": briefly + [pruned(net) for net in briefly]}


def pruned(net: Net, label: str = PRUNED) -> Net:
    module = copy.deepcopy(net.module)
    weights = prunable(module)
    count = sum(weight.numel() for weight in weights.values())
    masks = keep_largest({name: weight.detach().abs() for name, weight in weights.items()}, sparsity=1 - 100 / count)
    with torch.no_grad():
        for name, mask in masks.items():
            module.get_parameter(name).mul_(mask)
    return replace(net, module=module, pruning=label)


@pytest.fixture(scope="module")
def counted(nets: dict[str, list[Net]], digits: Images) -> list[Counted]:
    return activations.count_active(nets, digits)


@pytest.fixture(scope="module")
def active(counted: list[Counted], digits: Images) -> pd.DataFrame:
    return activations.active_table(counted, digits, activations.chosen_image(digits))


@pytest.fixture(scope="module")
def by_class(counted: list[Counted], digits: Images) -> pd.DataFrame:
    return activations.class_table(counted, digits)


@pytest.fixture(scope="module")
def by_image(counted: list[Counted]) -> pd.DataFrame:
    return activations.image_table(counted)


@pytest.fixture(scope="module")
def chosen(digits: Images) -> pd.DataFrame:
    return activations.chosen_table(digits, activations.chosen_image(digits))


@pytest.fixture
def source() -> pd.DataFrame:
    return lenet_tables.printed_nets(project.published() / "lenet-variants.csv")


def fractions(module: nn.Sequential, x: Tensor) -> dict[str, np.ndarray]:
    """The independent reference: the share of positive outputs of every ReLU, one pass of torch's own, (N,)."""
    found = {}
    with torch.no_grad():
        for name, child in module.named_children():
            x = child(x)
            if isinstance(child, nn.ReLU):
                found[name.replace("act", "fc")] = (x > 0).double().mean(1).numpy()
    return found


def drawn(counts: list[int], labels: list[int], test: bool = True) -> Images:
    """Images of 4 by 4 pixels, each with so many of them lit."""
    x = torch.zeros(len(counts), 1, 16)
    for image, count in enumerate(counts):
        x[image, 0, :count] = 0.5
    split = Split(x=x.view(-1, 1, 4, 4), y=torch.tensor(labels))
    empty = Split(x=torch.zeros(0, 1, 4, 4), y=torch.zeros(0, dtype=torch.int64))
    return Images(
        name="drawn", content_id="0123456789ab", classes=("3", "6"), train=split, validation=split,
        test=split if test else empty,
    )  # fmt: skip


def test_the_chosen_image_is_the_first_of_its_class_with_that_many_pixels() -> None:
    images = drawn([5, 4, 5, 7, 5], [0, 1, 1, 1, 1])

    assert activations.chosen_image(images, "6", 5) == 2
    assert activations.chosen_image(images, "3", 5) == 0


def test_without_that_many_pixels_the_first_nearest_to_the_classs_median_is_chosen() -> None:
    # Counts of the class: 9, 2, 4, 6, 4 with the median 4; of the two at it the first.
    assert activations.chosen_image(drawn([9, 2, 4, 6, 4], [1] * 5), "6", 155) == 2
    # 2 and 8 lie equally far from their median 5.
    assert activations.chosen_image(drawn([8, 2], [1, 1]), "6", 155) == 0


def test_a_pixel_counts_once_whatever_its_channels() -> None:
    grey = drawn([3, 4], [1, 1])
    coloured = replace(grey, test=Split(x=grey.test.x.repeat(1, 3, 1, 1), y=grey.test.y))

    assert activations.chosen_image(coloured, "6", 4) == 1


@pytest.mark.parametrize(
    ("images", "name", "message"),
    [
        (drawn([1], [1]), "7", "class_name is one of 3, 6; got '7'"),
        (drawn([1], [0]), "6", "drawn has none of class '6'"),
        (drawn([1], [1], test=False), "6", "drawn has none of class '6'"),
    ],
)
def test_a_class_without_test_images_is_refused(images: Images, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        activations.chosen_image(images, name)


def test_the_chosen_table_holds_the_image(digits: Images, chosen: pd.DataFrame) -> None:
    index = activations.chosen_image(digits)
    pixels = chosen.pivot_table("value", index="row", columns="column").to_numpy()

    assert digits.classes[int(digits.test.y[index])] == "6"
    np.testing.assert_array_equal(pixels, digits.test.x[index, 0].numpy())
    assert set(chosen["index"]) == {index}


def test_every_row_is_what_the_nets_own_activations_give(
    nets: dict[str, list[Net]], digits: Images, active: pd.DataFrame
) -> None:
    index = activations.chosen_image(digits)
    rows = active.set_index(["recipe", "model", "target", "seed", "layer"])
    assert len(rows) == 2 * len(MODELS) * 2 * 2 * 2  # recipes, models, prunings, seeds, layers
    for recipe, found in nets.items():
        for net in found:
            target = "100" if net.pruning else "dense"
            guess = digits.classes[int(net.module(digits.test.x[index : index + 1]).argmax())]
            for layer, reference in fractions(net.module, digits.test.x).items():
                row = rows.loc[recipe, net.model, target, net.seed, layer]
                assert row["active_fraction"] == pytest.approx(reference.mean())
                assert row["active_units"] == pytest.approx(reference.mean() * row["units"])
                assert row["chosen_active"] == round(reference[index] * row["units"])
                assert row["chosen_prediction"] == guess


def test_dense_units_are_all_live_and_pruned_ones_fewer(active: pd.DataFrame) -> None:
    dense = active["target"] == "dense"

    assert (active["live_units"] == active["units"])[dense].all()
    assert (active["live_units"] < active["units"])[~dense].any()
    assert (active["live_active_units"] <= active[["live_units", "active_units"]].min(axis=1) + 1e-9).all()
    assert set(active[dense]["mode"]) == set(active[dense]["budget"]) == {"dense"}
    assert set(zip(active[~dense]["mode"], active[~dense]["budget"], strict=True)) == {("masked", "global")}


def test_class_means_weighted_by_their_images_average_back_to_the_whole(
    digits: Images, active: pd.DataFrame, by_class: pd.DataFrame
) -> None:
    sizes = {name: int((digits.test.y == place).sum()) for place, name in enumerate(digits.classes)}
    key = [*SETTING.split(), "layer", "seed"]
    weighted = by_class.assign(
        weight=by_class["class_name"].map(sizes), part=by_class["active_fraction"] * by_class["class_name"].map(sizes)
    )
    sums = weighted.groupby(key)[["part", "weight"]].sum()

    assert (sums["weight"] == len(digits.test)).all()
    np.testing.assert_allclose(sums["part"] / sums["weight"], active.set_index(key)["active_fraction"][sums.index])


def test_one_classs_mean_is_that_of_its_images(
    nets: dict[str, list[Net]], digits: Images, by_class: pd.DataFrame
) -> None:
    net = nets["source"][0]
    reference = fractions(net.module, digits.test.x[digits.test.y == 4])["fc2"]
    rows = by_class.set_index(["recipe", "model", "target", "seed", "layer", "class_name"])["active_fraction"]

    assert rows.loc["source", net.model, "dense", net.seed, "fc2", "4"] == pytest.approx(reference.mean())


def test_the_bins_hold_every_image_once(nets: dict[str, list[Net]], digits: Images, by_image: pd.DataFrame) -> None:
    totals = by_image.groupby([*SETTING.split(), "layer"])["share_percent"]
    seeds = [net for net in nets["strong"] if net.model == MODELS[0] and not net.pruning]
    # Edges a hair below the multiples of 0.02, so that a fraction exactly at one falls into the bin it opens.
    edges = np.append(np.arange(50) / 50 - 1e-9, 1.0)
    counts = [np.histogram(fractions(net.module, digits.test.x)["fc1"], edges)[0] for net in seeds]
    rows = by_image[(by_image["recipe"] == "strong") & (by_image["model"] == MODELS[0])]
    rows = rows[(rows["layer"] == "fc1") & (rows["target"] == "dense")]

    assert (totals.count() == 50).all()
    np.testing.assert_allclose(totals.sum(), 100)
    np.testing.assert_allclose(rows["share_percent"], 100 * np.mean(counts, axis=0) / len(digits.test))
    np.testing.assert_array_equal(rows["bin_right"].iloc[:-1], rows["bin_left"].iloc[1:])
    assert (rows["bin_left"].iloc[0], rows["bin_right"].iloc[-1]) == (0, 1)


def test_an_image_on_which_all_units_are_active_falls_into_the_last_bin(digits: Images) -> None:
    (net,) = open_nets([], digits, models=["mlp-4"], seeds=[0], epochs=1)
    with torch.no_grad():
        net.module.get_parameter("fc1.bias").fill_(1000.0)
    table = activations.image_table(activations.count_active({"strong": [net]}, digits))

    assert table["share_percent"].tolist() == [0.0] * 49 + [100.0]


def test_nets_of_both_recipes_are_opened_and_other_prunings_left_out(
    nets: dict[str, list[Net]], digits: Images, tmp_path: Path
) -> None:
    for recipe, found in nets.items():
        others = [replace(net, pruning="regrown-global-100") for net in found if net.pruning]
        save_nets([*found, *others], tmp_path / recipe / "nets")
    strong, source = ([str(tmp_path / recipe)] for recipe in ("strong", "source"))
    training = {"models": [], "seeds": [], "epochs": 0}
    both = activations.nets_of(strong, source, digits, prunings=["", PRUNED], **training)
    dense = activations.nets_of([], source, digits, prunings=[""], **training)

    assert {recipe: len(found) for recipe, found in both.items()} == {"strong": 8, "source": 8}
    assert {net.pruning for found in both.values() for net in found} == {"", PRUNED}
    assert {recipe: len(found) for recipe, found in dense.items()} == {"source": 4}
    with pytest.raises(ValueError, match=r"none is one of \['masked-erk-7'\]: the runs hold \['', 'masked-global-100'"):
        activations.nets_of(strong, source, digits, prunings=["masked-erk-7"], **training)


def test_without_runs_small_nets_are_trained_as_the_strong_recipe(digits: Images) -> None:
    found = activations.nets_of([], [], digits, prunings=[""], models=["mlp-4"], seeds=[0, 1], epochs=1)

    assert {recipe: [net.seed for net in kept] for recipe, kept in found.items()} == {"strong": [0, 1]}


def named(active: pd.DataFrame) -> pd.DataFrame:
    """The measured rows under the names of nets that the source has."""
    names = dict(zip(MODELS, ["lenet-600-100-relu", "lenet-300-200-relu"], strict=True))
    targets = {"dense": "dense", "100": "2660"}
    return active.assign(model=active["model"].map(names), target=active["target"].map(targets))


def test_the_sources_counts_stand_beside_ours_as_its_text_prints_them(
    active: pd.DataFrame, source: pd.DataFrame
) -> None:
    compared = summary.source_comparison(named(active), source)
    rows = compared.set_index(["recipe", "net", "target", "layer"])
    ours = active[(active["recipe"] == "strong") & (active["model"] == MODELS[0]) & (active["layer"] == "fc1")]
    counts = ours[ours["target"] == "100"]["chosen_active"]

    # 600-100: 303 and 76 units active dense, 78 and 71 with 2657 weights left, as the source's text says.
    for target, layer, active_units in [
        ("dense", "fc1", 303),
        ("dense", "fc2", 76),
        ("2660", "fc1", 78),
        ("2660", "fc2", 71),
    ]:
        assert rows.loc[("strong", "600-100", target, layer), "source_active"] == active_units
    row = rows.loc["strong", "600-100", "2660", "fc1"]
    assert (row["units"], row["seeds"]) == (600, 2)
    assert row["chosen_active"] == pytest.approx(counts.mean())
    # Student's t with one degree of freedom: 12.706 standard errors.
    assert row["chosen_high"] - row["chosen_active"] == pytest.approx(12.7062 * counts.std() / 2**0.5, rel=1e-5)
    assert rows.loc[("source", "300-300", "1641", "fc1"), "seeds"] == 0  # none of ours
    assert pd.isna(rows.loc[("source", "300-300", "1641", "fc1"), "chosen_active"])


def test_only_nets_masked_under_one_global_threshold_stand_beside_the_source(
    active: pd.DataFrame, source: pd.DataFrame
) -> None:
    renamed = named(active)
    others = renamed.assign(budget=renamed["budget"].replace("global", "erk"))
    compared = summary.source_comparison(others, source)

    assert (compared[compared["target"] != "dense"]["seeds"] == 0).all()
    assert (
        compared[(compared["target"] == "dense") & compared["net"].isin(["600-100", "300-200"])]["seeds"] == 2
    ).all()


def test_means_over_seeds_are_those_of_the_rows(active: pd.DataFrame) -> None:
    rows = active[(active["recipe"] == "source") & (active["model"] == MODELS[1]) & (active["layer"] == "fc2")]
    rows = rows[rows["target"] == "100"]
    means = summary.active_means(active).set_index(["recipe", "model", "target", "layer"])
    mean = means.loc["source", MODELS[1], "100", "fc2"]

    assert mean["active_fraction"] == pytest.approx(rows["active_fraction"].mean())
    assert mean["live_active_units"] == pytest.approx(rows["live_active_units"].mean())
    # Student's t with one degree of freedom: 12.706 standard errors.
    half = 12.7062 * rows[["live_active_units"]].std().item() / 2**0.5
    assert mean["live_active_high"] - mean["live_active_units"] == pytest.approx(half, rel=1e-5)
    assert (mean["units"], mean["seeds"]) == (30, 2)


def test_nets_that_share_their_widths_go_by_their_whole_spec() -> None:
    names = lenet_tables.short_names(pd.Series(["lenet-3-2", "mlp-3-2-relu", "lenet-4", "lenet-4"]))

    assert names == {"lenet-3-2": "lenet-3-2", "mlp-3-2-relu": "mlp-3-2-relu", "lenet-4": "4"}


def test_tables_fit_their_declared_columns(
    tmp_path: Path,
    active: pd.DataFrame,
    by_class: pd.DataFrame,
    by_image: pd.DataFrame,
    chosen: pd.DataFrame,
    source: pd.DataFrame,
) -> None:
    for table, frame in (
        (Active, active),
        (ActiveClasses, by_class),
        (ActiveImages, by_image),
        (Chosen, chosen),
        (summary.ActiveSource, summary.source_comparison(active, source)),
        (summary.ActiveMeans, summary.active_means(active)),
    ):
        table.save(frame, folder=tmp_path)
        assert len(load(tmp_path / f"{table.table_name}.csv")) == len(frame)


def test_every_figure_is_drawn_from_tables_alone_with_its_numbers_in_the_alt_text(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    active: pd.DataFrame,
    by_class: pd.DataFrame,
    by_image: pd.DataFrame,
    chosen: pd.DataFrame,
    source: pd.DataFrame,
) -> None:
    monkeypatch.chdir(tmp_path)
    compared = summary.source_comparison(named(active), source)
    drawn_figures: list[Saved] = [
        unit_figures.chosen_image(chosen),
        unit_figures.active_by_width(summary.active_means(named(active)), compared),
        *[
            unit_figures.active_distribution(by_image, summary.active_means(active), recipe)
            for recipe in ("strong", "source")
        ],
        *[unit_figures.active_by_class(by_class, recipe) for recipe in ("strong", "source")],
    ]
    image, width, strong, _, classes, _ = (figure.alt for figure in drawn_figures)
    rows = active[(active["recipe"] == "strong") & (active["layer"] == "fc2") & (active["target"] == "100")]
    means = rows.groupby("model")["active_fraction"].mean()
    parts = by_class[(by_class["recipe"] == "strong") & (by_class["layer"] == "fc1") & (by_class["target"] == "dense")]
    spread = parts.pivot_table("active_fraction", index="model", columns="class_name").T
    widest = spread[(spread.max() - spread.min()).idxmax()]

    assert f"{int((chosen['value'] > 0).sum())} pixels are nonzero" in image
    assert "600-100 fc1, dense 0.51; " in width  # the source's 303 of 600
    assert "600-100 fc1, 2,660 weights left 0.13" in width  # and 78
    ends = f"{means.min():.2f} ({means.idxmin()[6:11]}) to {means.max():.2f} ({means.idxmax()[6:11]})"
    assert f"fc2, 100 weights left: {ends}" in strong
    ends = f"{widest.min():.2f} (class {widest.idxmin()}) to {widest.max():.2f} (class {widest.idxmax()})"
    assert f"fc1, dense: {ends} in {widest.name[6:11]}" in classes
    assert sorted(path.stem for path in Path("figures").glob("*.svg")) == sorted(
        figure.path.stem for figure in drawn_figures
    )
    for figure in drawn_figures:
        assert json.loads(figure.path.with_suffix(".json").read_text())["table"] in (
            "chosen",
            "active-means",
            "active-images",
            "active-classes",
        )


def test_nets_that_the_source_lacks_are_drawn_without_stars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, active: pd.DataFrame, source: pd.DataFrame
) -> None:
    monkeypatch.chdir(tmp_path)
    compared = summary.source_comparison(active, source)
    one = active[(active["seed"] == 0) & (active["recipe"] == "strong") & (active["target"] == "dense")]

    for table in (active, one):  # and one seed, which has no interval
        assert (
            "The source measured none of these nets."
            in unit_figures.active_by_width(summary.active_means(table), compared).alt
        )


def test_a_recipe_that_was_not_measured_is_refused(by_image: pd.DataFrame, active: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="the table has none of recipe 'weak'; it has strong, source: is it"):
        unit_figures.active_distribution(by_image, summary.active_means(active), "weak")


@pytest.mark.parametrize(("units", "bins"), [(1200, 50), (150, 50), (149, 25), (100, 25), (32, 10), (16, 5), (3, 1)])
def test_bins_are_joined_until_each_holds_three_attainable_fractions(units: int, bins: int) -> None:
    left = np.arange(50) / 50
    part = pd.DataFrame({"bin_left": left, "bin_right": left + 0.02, "share_percent": np.arange(50.0)})
    shares, edges = unit_figures.joined_bins(part.sample(frac=1, random_state=0), units)

    assert (len(shares), len(edges)) == (bins, bins + 1)
    assert shares.sum() * 50 / bins == pytest.approx(np.arange(50).sum())  # the area stays
    assert (edges[0], edges[-1]) == (0, pytest.approx(1))


def test_nets_are_drawn_by_the_width_of_their_last_layer_then_of_the_first() -> None:
    specs = ["lenet-1200-100", "lenet-150-100", "lenet-300-200", "lenet-300-100"]

    names = figures.by_net(pd.DataFrame({"model": specs}))

    assert list(names) == ["150-100", "300-100", "1200-100", "300-200"]


@pytest.mark.parametrize(
    ("pruning", "label"),
    [
        ("dense-dense-dense", "dense"),
        ("masked-global-2660", "2,660 weights left"),
        ("masked-global-99.5%", "99.5% removed"),
        ("regrown-erk-1641", "1,641 weights left (regrown, erk)"),
    ],
)
def test_prunings_are_spelled_out(pruning: str, label: str) -> None:
    assert lenet_tables.label_of(*pruning.split("-")) == label
