"""Active units: the same counts as hooks on the activations give, and live units as paths walked by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from properties import tries
from prunelab.measure.activity import activity
from prunelab.models import build


def net(spec: str = "lenet-20-12", seed: int = 0, kept: float = 1.0) -> nn.Sequential:
    """A net with random biases, of whose weights a share is kept, chosen at random."""
    generator = torch.Generator().manual_seed(seed)
    model = build(spec, inputs=9, classes=4, generator=generator)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.3, generator=generator)
            else:
                parameter.mul_(torch.rand(parameter.shape, generator=generator) < kept)
    return model


def images(count: int, seed: int = 3) -> Tensor:
    return torch.rand(count, 1, 3, 3, generator=torch.Generator().manual_seed(seed))


def hooked(model: nn.Sequential, x: Tensor) -> dict[str, Tensor]:
    """The independent reference: what every nn.ReLU puts out in one forward pass of torch's own, (N, units)."""
    found: dict[str, Tensor] = {}
    handles = [
        child.register_forward_hook(lambda _, __, output, name=name: found.update({name.replace("act", "fc"): output}))
        for name, child in model.named_children()
        if isinstance(child, nn.ReLU)
    ]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return found


def tiny() -> nn.Sequential:
    """Two inputs, three hidden units, two outputs; every number below is worked out from these weights by hand."""
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0], [0.0, 2.0]]))
        model[0].bias.copy_(torch.tensor([0.0, 0.5, -1.0]))
        model[2].weight.copy_(torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))
        model[2].bias.zero_()
    return model


def test_units_active_on_each_example_are_those_worked_out_by_hand() -> None:
    # Pre-activations x1 - x2, 0.5 and 2 x2 - 1; an output of exactly 0 (first unit, second and third example) is off.
    x = torch.tensor([[2.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.5]])
    (hidden,) = activity(tiny(), x).values()

    assert hidden.active.tolist() == [3, 1, 2, 1]
    assert hidden.fraction.tolist() == pytest.approx([1, 1 / 3, 2 / 3, 1 / 3])


def test_a_unit_without_inputs_or_without_outputs_is_active_but_not_live() -> None:
    # The second unit has a bias but no inputs, the third inputs but no outputs: the first alone is on a path.
    (hidden,) = activity(tiny(), torch.tensor([[2.0, 1.0], [0.0, 0.0]])).values()

    assert hidden.live.tolist() == [True, False, False]
    assert hidden.active.tolist() == [3, 1]
    assert hidden.live_active.tolist() == [1, 0]


def test_an_input_that_is_never_lit_starts_no_live_path() -> None:
    (hidden,) = activity(tiny(), torch.ones(1, 2), lit=torch.tensor([False, False])).values()

    assert hidden.live.tolist() == [False, False, False]


@pytest.mark.parametrize("spec", ["lenet-20-12", "mlp-7", "mlp-9-8-7"])
@pytest.mark.parametrize("count", [1, 999, 2300])  # less than a block, and two blocks and a part of one
def test_counts_are_those_of_hooks_on_the_activations(spec: str, count: int) -> None:
    model, x = net(spec, kept=0.5), images(count)
    outputs, measured = hooked(model, x), activity(model, x)

    assert list(measured) == list(outputs)
    for layer, hidden in measured.items():
        on = outputs[layer] > 0
        # A pre-activation at 0 may round to either side of it; none of these lies there.
        assert torch.equal(hidden.active, on.sum(1))
        assert torch.equal(hidden.live_active, on[:, hidden.live].sum(1))
        assert torch.equal(hidden.fraction, on.double().mean(1))
        assert hidden.units == on.shape[1]


@tries(30)
@given(kept=st.floats(0, 1), seed=st.integers(0, 1000))
def test_live_units_are_those_that_change_an_output_when_all_weights_are_positive(kept: float, seed: int) -> None:
    model = net("mlp-6-5-4", seed=seed, kept=kept)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    measured = activity(model, images(3))
    # With positive weights nothing cancels, so a path shows as a derivative: the outputs' with respect to the inputs
    # through one unit is nonzero where a path leads through that unit.
    x = torch.ones(1, 9, dtype=torch.double, requires_grad=True)
    h, kept_outputs = x, {}
    for name, child in model.double().named_children():
        h = child(h)
        if isinstance(child, nn.ReLU):
            kept_outputs[name.replace("act", "fc")] = h
    for layer, outputs in kept_outputs.items():
        (reaches,) = torch.autograd.grad(h.sum(), outputs, retain_graph=True)
        reached = [float(torch.autograd.grad(unit, x, retain_graph=True)[0].abs().sum()) for unit in outputs[0]]
        assert measured[layer].live.tolist() == [
            entering > 0 and leaving > 0 for entering, leaving in zip(reached, reaches[0].tolist(), strict=True)
        ]


@pytest.mark.parametrize(("bias", "active"), [(-0.1, 0), (0.0, 0), (0.1, 50)])
def test_a_unit_with_all_its_inputs_removed_is_as_active_as_its_bias_says(bias: float, active: int) -> None:
    model = net("mlp-1")
    with torch.no_grad():
        model.get_parameter("fc1.weight").zero_()
        model.get_parameter("fc1.bias").fill_(bias)
    hidden = activity(model, images(50))["fc1"]

    assert int(hidden.active.sum()) == active
    assert not hidden.live.any()


def test_all_units_of_a_dense_net_are_live_and_counts_stay_within_the_layer() -> None:
    for hidden in activity(net(), images(200)).values():
        assert hidden.live.all()
        assert torch.equal(hidden.active, hidden.live_active)
        assert 0 <= int(hidden.active.min()) <= int(hidden.active.max()) <= hidden.units


def test_no_example_gives_no_count_and_the_models_mode_comes_back() -> None:
    model = net().train()
    measured = activity(model, images(0))

    assert model.training
    assert {layer: tuple(hidden.active.shape) for layer, hidden in measured.items()} == {"fc1": (0,), "fc2": (0,)}


@pytest.mark.parametrize("spec", ["mlp-5-tanh", "mlp-5-4-relu-sigmoid", "mlp-5-4-relu-none"])
def test_a_net_whose_units_are_never_off_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=r"its ReLU puts out more than 0; fc\d has '(tanh|sigmoid|none)'"):
        activity(net(spec), images(2))
