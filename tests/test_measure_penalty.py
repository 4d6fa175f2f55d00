"""Penalties from cached passes against nets really pruned and run whole."""

import copy
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from made_nets import Examples, examples, flags, loss_of, measured, net, randomised, specs
from properties import tries
from prunelab.measure.penalty import Probe
from prunelab.pruning.unit_removal import BIASES, MEANS, remove, shift, shrink
from prunelab.pruning.unit_scores import SCORES
from prunelab.pruning.units import sites


class Added(nn.Module):
    """A layer and a map added to what it puts out."""

    def __init__(self, layer: nn.Module, level: Tensor) -> None:
        super().__init__()
        self.layer, self.level = layer, level

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.level


def rise(model: nn.Module, split: Examples, removed: Mapping[str, Tensor], shifts: Mapping[str, Tensor]) -> float:
    """Prune a copy, run it whole, and compare."""
    pruned = copy.deepcopy(model)
    remove(pruned, removed, shifts=shifts)
    return loss_of(pruned, split) - loss_of(model, split)


@tries(15)
@given(spec=specs(), seed=st.integers(0, 1000), batch_size=st.integers(1, 25))
def test_a_penalty_is_that_of_a_pruned_copy_at_every_site(spec: str, seed: int, batch_size: int) -> None:
    model, split = net(spec, seed=seed), examples()
    probe, removed, units = Probe(model, split, batch_size=batch_size), flags(model, seed), measured(model, split)

    assert probe.loss == pytest.approx(loss_of(model, split), rel=1e-12)
    assert list(probe.sites) == list(sites(model))
    for name, site in sites(model).items():
        gone = {name: removed[name]}
        value = shift(model, site, removed[name], units[name])
        assert probe.penalty(name, removed[name]) == pytest.approx(rise(model, split, gone, {}), rel=1e-8, abs=1e-11)
        wanted = rise(model, split, gone, {name: value})
        assert probe.penalty(name, removed[name], value) == pytest.approx(wanted, rel=1e-8, abs=1e-11)


@pytest.mark.parametrize("spec", ["conv-5k3p-4k3p-6-same-bn", "conv-5k3-4k3p-6-tanh", "conv-5k1-4k3-same-sigmoid"])
@pytest.mark.parametrize("mean", MEANS)
def test_a_map_is_added_position_by_position(spec: str, mean: str) -> None:
    model, split = net(spec), examples()
    site, removed = sites(model)["conv1"], torch.tensor([True, False, True, False, False])
    value = shift(model, site, removed, measured(model, split)["conv1"], mean=mean, bias="map")
    pruned = copy.deepcopy(model)
    remove(pruned, {"conv1": removed})
    pruned.conv2 = Added(pruned.conv2, value)
    wanted = loss_of(pruned, split) - loss_of(model, split)

    assert value.ndim == 3
    assert Probe(model, split).penalty("conv1", removed, value) == pytest.approx(wanted, rel=1e-9)


def test_penalties_of_an_evaluation_in_float32_agree_to_its_precision() -> None:
    model, split = net("conv-8k3p-6k3-8-bn", double=False), examples(100, double=False)
    probe, removed, units = Probe(model, split, batch_size=30), flags(model, 0), measured(model, split)
    for name, site in sites(model).items():
        value = shift(model, site, removed[name], units[name])
        wanted = rise(model, split, {name: removed[name]}, {name: value})
        assert probe.penalty(name, removed[name], value) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("spec", ["conv-4k3p-3k3-5-same-bn", "mlp-5-4"])
def test_where_nothing_is_removed_the_penalty_is_exactly_zero(spec: str, layout: torch.memory_format) -> None:
    split = examples(33, double=False)
    split = Examples(x=split.x.to(memory_format=layout), y=split.y)
    model = net(spec, double=False).to(memory_format=layout)
    probe, units = Probe(model, split, batch_size=10), measured(model, split)
    for name, site in sites(model).items():
        none = torch.zeros(site.units, dtype=torch.bool)
        assert probe.penalty(name, none) == 0.0
        assert probe.penalty(name, none, shift(model, site, none, units[name])) == 0.0
    assert probe.penalty_of(model) == 0.0
    assert probe.penalty_of(copy.deepcopy(model)) == 0.0


def test_a_shift_counts_also_where_no_unit_is_removed() -> None:
    model, split = net("conv-4k3p-3k3-5"), examples()
    none, value = torch.zeros(4, dtype=torch.bool), torch.tensor([1.0, -2.0, 0.5])

    assert Probe(model, split).penalty("conv1", none, value) == pytest.approx(
        rise(model, split, {"conv1": none}, {"conv1": value})
    )


def test_the_penalty_of_another_version_is_that_of_the_net_whole() -> None:
    model, split = net("conv-4k3p-3k3-5-bn"), examples()
    probe, removed = Probe(model, split, batch_size=7), flags(model, 3)
    pruned = copy.deepcopy(model)
    remove(pruned, removed)
    wanted = loss_of(pruned, split) - loss_of(model, split)

    assert probe.penalty_of(pruned.train()) == pytest.approx(wanted, rel=1e-9)
    assert probe.penalty_of(shrink(pruned, removed).train()) == pytest.approx(wanted, rel=1e-9)
    assert pruned.training


def test_exact_scores_are_the_penalties_of_single_units() -> None:
    model, split = net("conv-4k3p-3k3-5-same-bn"), examples()
    probe, units = Probe(model, split), measured(model, split)
    for name, site in sites(model).items():
        single = [torch.arange(site.units) == unit for unit in range(site.units)]
        shifts = [shift(model, site, removed, units[name]) for removed in single]
        zeroed, replaced = probe.exact(name), probe.exact(name, shifts)

        assert zeroed.dtype == replaced.dtype == torch.float64
        assert zeroed.tolist() == pytest.approx([rise(model, split, {name: one}, {}) for one in single])
        wanted = [rise(model, split, {name: one}, {name: value}) for one, value in zip(single, shifts, strict=True)]
        assert replaced.tolist() == pytest.approx(wanted)


def test_a_small_units_taylor_score_is_nearly_its_exact_one() -> None:
    model, split = net("conv-4k3p-3k3-5-tanh"), examples()
    with torch.no_grad():
        model.conv2.weight[:, :] *= 1e-4  # hardly any effect on what follows: the loss is linear in it
    probe, units = Probe(model, split), measured(model, split)

    torch.testing.assert_close(probe.exact("conv1"), units["conv1"].scores["taylor"], rtol=1e-2, atol=1e-8)


@pytest.mark.parametrize("batch_size", [1, 7, 20, 500])
def test_the_size_of_the_batches_does_not_matter(batch_size: int) -> None:
    model, split = net("conv-4k3p-3k3-5-bn"), examples()
    removed = flags(model, 0)["conv1"]
    one, other = Probe(model, split), Probe(model, split, batch_size=batch_size)

    assert other.loss == pytest.approx(one.loss, rel=1e-12)
    assert other.penalty("conv1", removed) == pytest.approx(one.penalty("conv1", removed), rel=1e-10)


def test_the_order_of_channels_in_memory_does_not_matter() -> None:
    model, split = net("conv-4k3p-3k3-5-same-bn"), examples()
    wanted = Probe(model, split)
    last = Examples(x=split.x.to(memory_format=torch.channels_last), y=split.y)
    got = Probe(copy.deepcopy(model).to(memory_format=torch.channels_last), last)
    for name, removed in flags(model, 4).items():
        assert got.penalty(name, removed) == pytest.approx(wanted.penalty(name, removed), rel=1e-9)


def test_activations_in_place_write_over_nothing_that_is_kept() -> None:
    torch.manual_seed(0)
    blocks = nn.Sequential(
        nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Conv2d(4, 3, 3), nn.ReLU(inplace=True), nn.Dropout(inplace=True), nn.Flatten()),
        nn.Sequential(nn.Linear(75, 5), nn.Hardtanh(inplace=True), nn.Linear(5, 3)),
    )
    model, split = randomised(blocks, torch.Generator().manual_seed(0)).double(), examples()
    x = split.x.clone()
    probe = Probe(model, split)

    assert torch.equal(split.x, x)
    for name, removed in flags(model, 1, 0.6).items():
        fresh = Examples(x=x.clone(), y=split.y)
        before = loss_of(model, Examples(x=x.clone(), y=split.y))
        pruned = copy.deepcopy(model)
        remove(pruned, {name: removed})
        wanted = loss_of(pruned, fresh) - before
        for _ in range(2):  # the second time as the first
            assert probe.penalty(name, removed) == pytest.approx(wanted, rel=1e-9)
    assert probe.penalty_of(model) == 0.0
    assert torch.equal(split.x, x)


def test_measuring_changes_neither_weights_nor_modes() -> None:
    model, split = net("conv-4k3p-3k3-5-bn").train(), examples()
    model.bn1.eval()
    model.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    probe = Probe(model, split)
    evaluated = Probe(copy.deepcopy(model).eval(), split)
    for name, removed in flags(model, 0).items():
        assert probe.penalty(name, removed) == evaluated.penalty(name, removed)

    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model] == [name != "bn1" for name, _ in model.named_children()]
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in model.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("spec", ["conv-4k3p-3k3-5-same-bn", "mlp-6-5"])
def test_units_are_scored_removed_and_probed_on_a_cuda_device_as_on_the_cpu(spec: str) -> None:
    model, split = net(spec), examples()
    cuda, there = copy.deepcopy(model).cuda(), Examples(x=split.x.cuda(), y=split.y.cuda())
    probe, distant = Probe(model, split), Probe(cuda, there)
    removed, units, others = flags(model, 2), measured(model, split), measured(cuda, there)
    shifts = {}
    for name, site in sites(model).items():
        for score in SCORES:
            torch.testing.assert_close(others[name].scores[score], units[name].scores[score])
        for bias in BIASES:
            value = shift(model, site, removed[name], units[name], bias=bias)
            moved = shift(cuda, site, removed[name], others[name], bias=bias)
            torch.testing.assert_close(moved.cpu(), value)
            wanted = probe.penalty(name, removed[name], value)
            assert distant.penalty(name, removed[name].cuda(), moved) == pytest.approx(wanted)
            assert distant.penalty(name, removed[name], value) == pytest.approx(wanted)
        shifts[name] = shift(model, site, removed[name], units[name])
    masks = remove(model, removed, shifts=shifts)
    there_masks = remove(cuda, {name: gone.cuda() for name, gone in removed.items()}, shifts=shifts)

    assert all(torch.equal(there_masks[name].cpu(), mask) for name, mask in masks.items())
    torch.testing.assert_close(cuda(there.x).cpu(), model(split.x))
    torch.testing.assert_close(shrink(cuda, removed)(there.x).cpu(), model(split.x))


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    model, split = net("conv-4k3p-3k3-5"), examples()
    probe, removed = Probe(model, split), torch.tensor([True, False, False, True])

    with pytest.raises(ValueError, match="conv1, conv2, fc1; got 'fc2'"):
        probe.penalty("fc2", removed)
    with pytest.raises(ValueError, match=r"conv2 are flagged, \(3,\) bool; got \(4,\)"):
        probe.penalty("conv2", removed)
    with pytest.raises(ValueError, match=r"conv1 are flagged, \(4,\) bool; got \(4,\) torch.float32"):
        probe.penalty("conv1", removed.float())
    for shape in [(4,), (3, 1), (3, 5, 7), (1, 3, 1, 1)]:  # conv2 sees 3×3 positions, and makes one of them
        with pytest.raises(ValueError, match=r"an output of conv2, \(3,\), or of each position, \(3, 1, 1\); got"):
            probe.penalty("conv1", removed, torch.ones(shape))
    with pytest.raises(ValueError, match=r"an output of fc2, \(3,\)"):
        probe.penalty("fc1", torch.arange(5) < 2, torch.ones(3, 1, 1))
    with pytest.raises(ValueError, match="the split is empty"):
        Probe(model, Examples(x=split.x[:0], y=split.y[:0]))
