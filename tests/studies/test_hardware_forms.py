"""The study on hardware: nets pruned alike, their forms counted by hand, and every form timed in turn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import made_hardware as made
from made_nets import net, specs
from properties import tries
from prunelab import deploy
from prunelab.deploy.export import refuse_other_outputs
from prunelab.measure import count
from prunelab.measure.memory import Peak, measurable
from prunelab.pruning import keep_largest, magnitude, prunable
from prunelab.pruning.unit_removal import remove, shrink
from prunelab.pruning.units import sites
from prunelab.studies.hardware import forms, nets
from prunelab.studies.hardware.nets import one_shot, widths_within
from prunelab.studies.hardware.tables import Forms, Memory

# 64 inputs, 12 and 8 units, 10 classes.
WEIGHTS = 64 * 12 + 12 * 8 + 8 * 10


def test_units_are_given_to_the_layer_with_the_smallest_share_that_has_room() -> None:
    model = made.untrained().module

    assert widths_within(model, WEIGHTS) == {"fc1": 12, "fc2": 8}
    assert widths_within(model, 64 + 1 + 10) == {"fc1": 1, "fc2": 1}
    # Half: 64 a + a b + 10 b at most 472; (6, 4) has 448, (6, 5) 464, (6, 6) 480, (7, 1) 465.
    assert widths_within(model, 472) == {"fc1": 6, "fc2": 5}


def test_fewer_weights_than_one_unit_a_layer_has_are_refused() -> None:
    with pytest.raises(ValueError, match="one unit a layer has 75 weights; got 74 to keep"):
        widths_within(made.untrained().module, 74)


@tries(30)
@given(spec=specs(), seed=st.integers(0, 2**31), share=st.floats(0.1, 1.0))
def test_widths_have_the_weights_that_a_net_of_them_has_and_no_unit_fits_on_top(
    spec: str, seed: int, share: float
) -> None:
    model = net(spec, seed=seed)
    units = {name: site.units for name, site in sites(model).items()}

    def weights(widths: dict[str, int]) -> int:
        gone = {name: torch.arange(units[name]) >= width for name, width in widths.items()}
        return count(shrink(model, gone))[-1].weights

    kept = max(int(share * count(model)[-1].weights), weights(dict.fromkeys(units, 1)))
    widths = widths_within(model, kept)

    assert weights(widths) <= kept
    for name, width in widths.items():
        assert width == units[name] or weights(widths | {name: width + 1}) > kept


def test_both_prunings_leave_the_same_number_of_weights_or_a_few_less_by_units() -> None:
    whole, *rest = one_shot(made.untrained(), made.digits(), sparsities=[0.5, 0.8], scoring=50)

    assert (whole.pruning, whole.kept, whole.sparsity) == ("none", WEIGHTS, 0.0)
    assert [(one.pruning, one.sparsity_asked) for one in rest] == [
        *(("weights", 0.5), ("weights", 0.8), ("units", 0.5), ("units", 0.8))
    ]
    # 472 and 189 left; of units 464, and 64 · 2 + 2 · 5 + 10 · 5 = 188.
    assert [one.kept for one in rest] == [472, 189, 464, 188]
    assert all(one.kept == count(one.module)[-1].kept for one in rest)


def test_single_weights_go_by_magnitude_over_the_whole_net() -> None:
    one = made.untrained()
    masks = keep_largest(magnitude(prunable(one.module)), 0.7)
    pruned = one_shot(one, made.digits(), sparsities=[0.7], prunings=["weights"], scoring=50)[1].module

    for name, weight in prunable(pruned).items():
        assert torch.equal(weight != 0, masks[name])


def test_units_are_replaced_by_their_means_which_zeroing_alone_does_not() -> None:
    one, images = made.untrained(), made.digits()
    pruned = one_shot(one, images, sparsities=[0.5], prunings=["units"], scoring=50)[1].module
    gone = {name: ~layer.weight.any(1) for name, layer in pruned.named_children() if name in ("fc1", "fc2")}
    zeroed = one_shot(one, images, sparsities=[0.5], prunings=["units"], scoring=50)[0].module
    remove(zeroed, gone)
    with torch.no_grad():
        wanted = one.module(images.train.x)
        errors = [float((each(images.train.x) - wanted).square().mean()) for each in (pruned, zeroed)]

    assert [int(each.sum()) for each in gone.values()] == [6, 3]
    assert errors[0] < errors[1]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"sparsities": []}, r"in \(0, 1\), ascending; got \[\]"),
        ({"sparsities": [0.9, 0.5]}, "ascending"),
        ({"sparsities": [0.5, 0.5]}, "ascending"),
        ({"sparsities": [50.0]}, r"in \(0, 1\)"),
        ({"prunings": ["channels"]}, "weights or units"),
        ({"prunings": []}, "weights or units"),
        ({"score": "magic"}, "got .*magic"),
        ({"sparsities": [0.95], "prunings": ["units"]}, "ask for less sparsity"),
    ],
)
def test_settings_out_of_range_are_refused(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one_shot(made.untrained(), made.digits(), **({"sparsities": [0.5], "scoring": 50} | settings_))


def test_a_net_that_is_pruned_already_is_refused() -> None:
    one = replace(made.untrained(), pruning="masked-2660")

    with pytest.raises(ValueError, match="is 'masked-2660' already"):
        one_shot(one, made.digits(), sparsities=[0.5])


def test_every_form_is_counted_and_the_table_can_be_saved(tmp_path: Path) -> None:
    found = forms.form_table(made.pruned(seeds=2), made.digits(), examples=100)
    Forms.save(found, folder=tmp_path)
    first = found[found["seed"] == 0].set_index(["pruning", "form"])

    assert len(found) == 2 * (2 + 4 + 3)
    assert (found["agreement_percent"] == 100).all()
    assert set(found["weights"]) == {WEIGHTS}
    assert first.loc[("none", "dense"), "flops"] == 2 * WEIGHTS
    assert first.loc[("weights", "masked"), "flops"] == 2 * WEIGHTS
    assert first.loc[("weights", "csr-torch"), "flops"] == 2 * 472
    assert first.loc[("units", "shrunk"), "flops"] == first.loc[("units", "onnx"), "flops"] == 2 * 464
    assert first.loc[("units", "shrunk"), "units"] == "6-5"
    assert first.loc[("units", "masked"), "units"] == first.loc[("weights", "csr-torch"), "units"] == "12-8"
    sizes = first["file_bytes"]
    assert sizes[("weights", "csr-torch")] == sizes[("weights", "csr-scipy")] > sizes[("units", "shrunk")]
    # 4 bytes for each weight and bias gone; the shapes in the header are a few bytes shorter too.
    assert 0 <= sizes[("none", "dense")] - sizes[("units", "shrunk")] - 4 * (WEIGHTS - 464 + 9) < 100
    accuracies = found.groupby(["seed", "pruning"])["accuracy_percent"].nunique()
    assert (accuracies == 1).all()


def test_a_form_that_puts_out_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = deploy.make

    def wrong(name: str, model: Any, shape: Any, **settings_: Any) -> Any:
        form = real(name, model, shape, **settings_)
        return form if name != "csr-scipy" else replace(form, run=lambda x: form.run(x) + 1)

    monkeypatch.setattr(forms, "make", wrong)
    with pytest.raises(ValueError, match=r"csr-scipy of mlp-12-8-relu, seed 0, weights pruned to 0\.5: outputs are"):
        forms.form_table(made.pruned(), made.digits(), examples=100)
    with pytest.raises(ValueError, match="csr-scipy of mlp-12-8-relu"):
        forms.time_forms(made.pruned(), made.digits(), batches=[2], calls=[1], rounds=1, counts=[1])


def test_every_form_is_timed_in_every_round_and_the_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    found = forms.time_forms(
        made.pruned(seeds=2), made.digits(), batches=[1, 9], calls=[2, 1], rounds=3, counts=[1, 2], progress=False
    )

    assert len(found) == 2 * (2 + 4 + 3) * 2 * 2 * 3
    assert set(found["round"]) == {0, 1, 2}
    assert set(found["threads"]) == {1, 2}
    assert (found["seconds"] > 0).all()
    assert (found["difference"] >= 0).all()
    assert (found.loc[found["form"].isin(["masked", "dense"]), "difference"] == 0).all()
    assert torch.get_num_threads() == before


def test_zero_stands_for_all_threads_and_the_same_number_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "all_threads", lambda: 2)
    found = forms.time_forms(
        made.pruned(), made.digits(), batches=[1], calls=[1], rounds=1, counts=[2, 0, 1], progress=False
    )

    assert list(dict.fromkeys(found["threads"])) == [2, 1]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"batches": []}, "1 to 359 examples of the test part, each size once"),
        ({"batches": [0]}, "1 to 359 examples"),
        ({"batches": [10_000]}, "1 to 359 examples"),
        ({"batches": [1, 1], "calls": [1, 1]}, "each size once"),
        ({"calls": [1, 2]}, r"a number a batch; got \[1, 2\] for \[1\]"),
        ({"calls": [0]}, "1 or more"),
        ({"counts": []}, "from 1 on, or 0 for all"),
        ({"counts": [-1]}, "from 1 on, or 0 for all"),
        ({"rounds": 0}, "1 round or more"),
        ({"forms": {"none": ["dense"], "weights": ["coo"], "units": ["shrunk"]}}, r"got weights: \['coo'\]"),
        (
            {"forms": {"none": ["onnx"], "weights": ["masked"], "units": ["shrunk"]}},
            "name 'dense' among those of 'none'",
        ),
        ({"forms": {**made.FORMS, "filters": ["masked"]}}, "got filters"),
        ({"forms": {"none": ["dense"], "weights": ["masked"]}}, "'units' has none: name some"),
    ],
)
def test_what_cannot_be_timed_is_refused(settings_: dict[str, Any], message: str) -> None:
    given_: dict[str, Any] = {"batches": [1], "calls": [1], "rounds": 1, "counts": [1], "progress": False}

    with pytest.raises(ValueError, match=message):
        forms.time_forms(made.pruned(), made.digits(), **(given_ | settings_))


def test_no_net_and_no_example_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one net; got none"):
        forms.form_table([], made.digits())
    with pytest.raises(ValueError, match="1 example or more; got 0"):
        forms.form_table(made.pruned(), made.digits(), examples=0)


@pytest.mark.parametrize("spec", [made.SPEC, "conv-4k3p-3k3-6-same"])
def test_what_a_child_process_makes_of_each_file_computes_what_the_form_does(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruned, images = made.pruned(spec, seeds=2), made.digits()
    made_of: list[torch.Tensor] = []

    def here(prepare: str, arguments: dict[str, Any]) -> Peak:
        module, name = prepare.split(":")
        assert getattr(__import__(module, fromlist=[name]), name) is forms.prepared
        made_of.append(torch.as_tensor(forms.prepared(**arguments)()))
        return Peak(held=len(made_of), peak=10)

    monkeypatch.setattr(forms, "child_peak", here)
    monkeypatch.setattr(forms, "measurable", lambda: True)
    found = forms.memory_table(pruned, images, sparsities=[0.5], batch=2, progress=False)

    assert list(found["seed"].unique()) == [0]  # it stands for the other
    assert list(found["held_bytes"]) == list(range(1, 2 + 4 + 3 + 1))
    every = {one.pruning: one.module for one in pruned[0][1]}
    for pruning, outputs in zip(found["pruning"], made_of, strict=True):
        wanted = every[pruning](torch.zeros(2, *images.shape)).detach()
        refuse_other_outputs(outputs, wanted, what=pruning)


@pytest.mark.skipif(not measurable(), reason="the system keeps no record of the most a process held")
def test_memory_is_measured_in_a_fresh_process(tmp_path: Path) -> None:
    asked = {"none": ["dense"], "weights": ["masked"], "units": ["masked"]}
    pruned = made.pruned("mlp-2000-1000", sparsities=(0.5,))
    found = forms.memory_table(pruned, made.digits(), forms=asked, sparsities=[], batch=256, progress=False)
    Memory.save(found, folder=tmp_path)
    held, peak = found.loc[0, ["held_bytes", "peak_bytes"]]

    weights = 4 * (64 * 2000 + 2000 + 2000 * 1000 + 1000 + 1000 * 10 + 10)
    batch, widest = 4 * 256 * 64, 4 * 256 * 2000
    assert list(found["form"]) == ["dense"]
    assert held == pytest.approx(weights + batch, abs=2**20)
    assert weights + batch + widest - 2**20 < peak < weights + batch + 3 * widest + 2**20


def test_where_the_system_keeps_no_peak_the_bytes_are_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "measurable", lambda: False)
    found = forms.memory_table(made.pruned(), made.digits(), sparsities=[0.5], batch=1, progress=False)
    Memory.save(found, folder=tmp_path)

    assert found[["held_bytes", "peak_bytes"]].isna().all(axis=None)


@pytest.mark.parametrize("settings_", [{"sparsities": [0.7]}, {"batch": 0}, {"pruned": []}])
def test_memory_of_what_is_not_there_is_refused(settings_: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"pruned": made.pruned(), "images": made.digits(), "sparsities": [0.5], "batch": 1}

    with pytest.raises(ValueError, match="memory is measured of nets pruned to"):
        forms.memory_table(**(asked | settings_))


def test_nets_of_the_study_on_units_see_standardised_images() -> None:
    raw, scaled = (nets.load("digits", standardised=flag).train.x for flag in (False, True))

    assert float(raw.min()) == 0.0
    assert float(scaled.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(scaled.std()) == pytest.approx(1.0, abs=1e-3)
