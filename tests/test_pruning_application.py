"""What is a weight of a net, and nets whose parameters are not what they compute with."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.ao.pruning import WeightNormSparsifier
from torch.nn.utils import parametrizations, parametrize, prune

from prunelab.deploy import stored
from prunelab.deploy.forms import make, without_dead_units
from prunelab.deploy.sparse import sparse_state
from prunelab.measure.sparsity import count, sizes
from prunelab.models import build
from prunelab.pruning import apply, prunable
from prunelab.pruning.application import plain_state
from prunelab.pruning.unit_removal import shrink
from prunelab.train import Frames, Recipe, train


class Own(nn.Module):
    """A module of one's own: two weights, a token, positions and a matrix of biases."""

    def __init__(self) -> None:
        super().__init__()
        self.weight_in, self.out_weight = nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(2, 3))
        self.token, self.positions = nn.Parameter(torch.ones(1, 1, 4)), nn.Parameter(torch.ones(7, 4))
        self.bias = nn.Parameter(torch.ones(2, 2))


WEIGHTS: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "layer normalisation of three dimensions": (lambda: nn.LayerNorm([2, 6, 6]), []),
    "normalisations": (lambda: nn.Sequential(nn.BatchNorm2d(3), nn.GroupNorm(1, 3), nn.RMSNorm([3, 2])), []),
    "linear": (lambda: nn.Linear(4, 3), ["weight"]),
    "bilinear": (lambda: nn.Bilinear(4, 3, 2), ["weight"]),
    "convolutions": (lambda: nn.Sequential(nn.Conv1d(1, 2, 3), nn.ConvTranspose2d(2, 1, 3)), ["0.weight", "1.weight"]),
    "embeddings": (lambda: nn.Sequential(nn.Embedding(5, 2), nn.EmbeddingBag(5, 2)), ["0.weight", "1.weight"]),
    "recurrent": (lambda: nn.LSTM(3, 4, proj_size=2), ["weight_ih_l0", "weight_hh_l0", "weight_hr_l0"]),
    "attention": (lambda: nn.MultiheadAttention(4, 1, add_bias_kv=True), ["in_proj_weight", "out_proj.weight"]),
    "attention to others": (
        lambda: nn.MultiheadAttention(4, 1, kdim=3, vdim=2),
        ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"],
    ),
    "weight normalisation": (
        lambda: parametrizations.weight_norm(nn.Linear(4, 3)),
        ["parametrizations.weight.original1"],
    ),
    "spectral normalisation": (
        lambda: parametrizations.spectral_norm(nn.Linear(4, 3)),
        ["parametrizations.weight.original"],
    ),
    "of one's own": (Own, ["weight_in", "out_weight"]),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_a_weight_is_what_multiplies_the_input_of_its_module(case: str) -> None:
    make_net, names = WEIGHTS[case]

    assert list(prunable(make_net())) == names


def test_penalties_are_those_of_the_weights() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.fc = nn.LayerNorm([2, 3]), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.norm(x).flatten(1))

    examples = Frames(x=torch.randn(8, 2, 3, generator=torch.Generator().manual_seed(0)), y=torch.arange(8) % 2)
    plain, penalised = Net(), Net()
    penalised.load_state_dict(plain.state_dict())
    losses = [
        train(net, examples, Recipe(epochs=1, learning_rate=1e-9, l1=l1), generator=torch.Generator().manual_seed(0))
        for net, l1 in ((plain, 0.0), (penalised, 0.5))
    ]

    difference = losses[1][0] - losses[0][0]
    assert difference == pytest.approx(0.5 * float(plain.fc.weight.detach().abs().sum()), rel=1e-4)


def test_under_weight_normalisation_a_removed_weight_computes_as_zero_and_no_row_may_go() -> None:
    layer = parametrizations.weight_norm(nn.Linear(4, 3))
    [name] = prunable(layer)
    mask = torch.rand(3, 4, generator=torch.Generator().manual_seed(0)) < 0.6
    mask[:, 0] = True
    apply(layer, {name: mask})

    assert torch.equal(layer.weight.detach() != 0, mask)
    mask[1] = False
    with pytest.raises(ValueError, match="every row keeps a weight") as refused:
        apply(layer, {name: mask})
    assert "\n" not in str(refused.value)
    assert bool(layer.weight.isfinite().all())


def by_torch() -> nn.Module:
    net = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    prune.ln_structured(net[0], "weight", amount=2, n=2, dim=0)
    prune.l1_unstructured(net[2], "weight", amount=0.5)
    return net


def by_a_sparsifier() -> nn.Module:
    net = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    sparsifier = WeightNormSparsifier(sparsity_level=0.5, sparse_block_shape=(1, 1), zeros_per_block=1)
    sparsifier.prepare(net, [{"tensor_fqn": "0.weight"}])
    sparsifier.step()
    return net


def orthogonal() -> nn.Module:
    return nn.Sequential(parametrizations.orthogonal(nn.Linear(8, 6)), nn.ReLU(), nn.Linear(6, 3))


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight + 1


def parametrized() -> nn.Module:
    net = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    parametrize.register_parametrization(net[2], "weight", Doubled())
    return net


HIDDEN: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "torch.nn.utils.prune": (by_torch, "torch's pruned form"),
    "torch.ao.pruning": (by_a_sparsifier, "FakeSparsity; make them plain with the sparsifier's squash_mask"),
    "orthogonal": (orthogonal, "computed from others, by _Orthogonal"),
    "parametrized": (parametrized, "computed from others, by Doubled; make them plain with torch.nn.utils.parametrize"),
    "script": (
        lambda: torch.jit.trace(nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 3)), torch.ones(1, 8)),
        "compiled to a script",
    ),
    "quantised": (
        lambda: nn.Sequential(torch.ao.nn.quantized.dynamic.Linear(8, 6)),
        "the weights of '0' are quantised",
    ),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(6), nn.ReLU(), nn.Linear(6, 3)), "lazy parameter '0.weight'"),
    "meta": (lambda: nn.Sequential(nn.Linear(8, 6, device="meta"), nn.ReLU(), nn.Linear(6, 3)), "no values"),
}
READERS: dict[str, Callable[[nn.Module], object]] = {
    "prunable": prunable,
    "count": count,
    "sizes": sizes,
    "shrink": lambda net: shrink(net, {"0": torch.zeros(6, dtype=torch.bool)}),
    "without dead units": without_dead_units,
    "sparse state": sparse_state,
    "masked form": lambda net: make("masked", net, (8,)),
}


# Shrinking reads the structure alone, which a net without memory has.
@pytest.mark.parametrize(("case", "reader"), [pair for pair in product(HIDDEN, READERS) if pair != ("meta", "shrink")])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_net_that_computes_with_other_weights_than_its_parameters_is_refused_in_one_line(
    case: str, reader: str
) -> None:
    make_net, why = HIDDEN[case]
    with pytest.raises(ValueError, match=why) as refused:
        READERS[reader](make_net())

    assert "\n" not in str(refused.value)


def test_a_state_pruned_by_torch_is_read_as_the_net_computes() -> None:
    net = by_torch()
    with torch.no_grad():
        net[0].weight_orig[net[0].weight_mask == 0] = torch.inf  # what was removed may be anything
    plain = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    state = plain_state(net.state_dict())
    plain.load_state_dict(state)
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))

    assert sorted(state) == sorted(plain.state_dict())
    for own, other in ((plain[0], net[0]), (plain[2], net[2])):
        assert torch.equal(own.weight.isfinite(), torch.ones_like(own.weight, dtype=torch.bool))
        assert torch.equal(own.weight != 0, other.weight_mask.bool())
    assert plain(x).isfinite().all()


def test_any_other_state_is_left_as_it_is() -> None:
    state = {"fc.weight": torch.ones(2), "fc.weight_mask": torch.ones(2), "a_orig": torch.ones(1)}

    assert plain_state(state).keys() == state.keys()


def test_a_file_of_a_state_pruned_by_torch_is_opened_as_the_net_computes(tmp_path: Path) -> None:
    net = build("lenet-300-100", inputs=64, classes=10, generator=torch.Generator().manual_seed(0))
    prune.l1_unstructured(net.fc1, "weight", amount=0.8)
    save_file(net.state_dict(), tmp_path / "pruned.safetensors")
    opened = stored.open_net(
        stored.read(tmp_path / "pruned.safetensors"), "lenet-300-100", data="digits", inputs=64, classes=10
    )
    x = torch.rand(5, 64, generator=torch.Generator().manual_seed(0))

    assert torch.equal(opened(x), net(x))
    assert count(opened)[0].sparsity == pytest.approx(0.8, abs=1e-4)
