"""Nets read as chains of steps, their units found, and what is no such chain refused."""

from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.nn import functional

from made_nets import examples, net, randomised, specs
from properties import tries
from prunelab.pruning.units import Site, flattened, layer_of, norm_of, outputs, sites, steps_of


class Vgg(nn.Module):
    """As torchvision writes it: two blocks, flattened by a function in between."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(4, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(nn.Linear(20, 6), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(6, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        return self.classifier(x)


class BasicBlock(nn.Module):
    """A residual block as torchvision writes it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class Two(nn.Module):
    """Two linear layers, to be called in some order by a subclass."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.act, self.drop = nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU(), nn.Dropout(0.5)


class ByShape(Two):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            x = self.fc1(x)
        return self.fc2(x)


class ByFunction(Two):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.relu(self.fc1(x)))


class ByView(Two):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x.view(x.size(0), -1))))


class Named(Two):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": self.fc2(self.act(self.fc1(x)))}


class Scaled(Two):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.scale * self.fc1(x))


class Again(Two):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(self.act(self.fc1(x)))))


class OnlyWhileTraining(Two):
    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.fc1(x))
        if self.training:
            x = functional.dropout(x, 0.5)
        return self.fc2(x)


def convolutions(*between: nn.Module, consumer: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2, 4, 3), *between, consumer or nn.Conv2d(4, 3, 3))


def test_every_layer_but_the_last_has_a_site() -> None:
    assert sites(net("conv-4k3p-5k3-6-bn-tanh")) == {
        "conv1": Site(name="conv1", units=4, norm="bn1", tap="act1", between=("pool1",), consumer="conv2"),
        "conv2": Site(name="conv2", units=5, norm="bn2", tap="act2", between=("flatten",), consumer="fc1"),
        "fc1": Site(name="fc1", units=6, tap="act3", between=(), consumer="fc2"),
    }


def test_units_without_an_activation_are_taken_behind_the_layer_itself_or_its_normalisation() -> None:
    plain, normal = sites(net("conv-4k3p-5-none")), sites(net("conv-4k3p-5-bn-none"))

    assert (plain["conv1"].tap, plain["conv1"].between) == ("conv1", ("act1", "pool1", "flatten"))
    assert (normal["conv1"].tap, normal["conv1"].between) == ("bn1", ("act1", "pool1", "flatten"))
    assert (plain["fc1"].tap, plain["fc1"].consumer) == ("fc1", "fc2")


@tries(40)
@given(spec=specs())
def test_running_the_steps_is_running_the_net(spec: str) -> None:
    model, split = net(spec), examples(4)
    x = split.x
    for step in steps_of(model):
        x = step.run(x)

    assert torch.equal(x, model(split.x))


def test_a_net_in_blocks_flattened_by_a_function_has_its_units_by_their_full_names() -> None:
    model = randomised(Vgg(), torch.Generator().manual_seed(0))
    found = sites(model)

    assert list(found) == ["features.0", "features.4", "classifier.0"]
    assert found["features.4"] == Site(
        name="features.4",
        units=5,
        norm="features.5",
        tap="features.6",
        between=("features.7", "avgpool", "flatten"),
        consumer="classifier.0",
    )
    assert norm_of(model, found["features.4"]) is model.features[5]
    assert norm_of(model, found["classifier.0"]) is None
    x = examples(3, double=False).x
    reached = x
    for step in steps_of(model):
        reached = step.run(reached)
    assert torch.equal(reached, model(x))


@pytest.mark.parametrize("flatten", ["torch.flatten(x, 1)", "x.flatten(1)", "torch.flatten(x, start_dim=1)"])
def test_flattening_is_understood_however_it_is_written(flatten: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act, self.fc = nn.Conv2d(2, 4, 9), nn.ReLU(), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.conv(x))
            if flatten == "torch.flatten(x, 1)":
                x = torch.flatten(x, 1)
            elif flatten == "x.flatten(1)":
                x = x.flatten(1)
            else:
                x = torch.flatten(x, start_dim=1)
            return self.fc(x)

    assert sites(Net())["conv"] == Site(name="conv", units=4, tap="act", between=("flatten",), consumer="fc")


def test_nested_blocks_are_one_chain() -> None:
    inner = nn.Sequential(OrderedDict(a=nn.Linear(4, 5), act=nn.Sequential(nn.Identity(), nn.Tanh())))
    model = nn.Sequential(nn.Sequential(nn.Flatten(), inner), nn.Sequential(nn.Linear(5, 2)))

    assert sites(model) == {
        "0.1.a": Site(name="0.1.a", units=5, tap="0.1.act.1", between=(), consumer="1.0"),
    }


def test_activations_in_place_do_not_write_over_what_is_given_to_them() -> None:
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    x = -torch.ones(2, 3)
    first = steps_of(model)[0].run(x)

    assert bool((x == -1).all())
    assert bool((first == 0).all())


@pytest.mark.parametrize("training", [True, False])
def test_a_net_is_read_as_in_evaluation_and_keeps_its_mode(training: bool) -> None:
    model = OnlyWhileTraining().train(training)
    model.act.eval()

    assert [step.name for step in steps_of(model)] == ["fc1", "act", "fc2"]
    assert (model.training, model.fc1.training, model.act.training) == (training, training, False)


def test_modes_are_kept_also_where_a_net_is_refused() -> None:
    model = ByShape().train()
    with pytest.raises(ValueError, match="cannot be"):
        steps_of(model)

    assert model.training


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Conv2d(2, 4, 3), BasicBlock(4)), r"residual or branching"),
        (Again(), r"applied once; \['act', 'fc1'\] are applied again"),
        (ByShape(), "torch.fx can trace; this one cannot be: symbolically traced variables cannot be used"),
        (ByFunction(), "got call_function 'relu'; activations, pooling and dropout are to be modules"),
        (ByView(), r"the output of 'x' goes to 2 \(.*size.*\).*flattening torch.flatten\(x, 1\)"),
        (Named(), "one tensor of logits; 'output' does not take the output of 'fc2' alone"),
        (Scaled(), "does not take the output of"),
        (nn.Linear(3, 2), "does not take the output of"),
        (nn.Sequential(nn.Linear(3, 2)), "between two layers with weights; the net has 1 such"),
        (nn.Sequential(nn.ReLU()), "between two layers with weights; the net has 0 such"),
        (convolutions(consumer=nn.Conv2d(4, 4, 3, groups=2)), "1 has 2 groups"),
        (
            convolutions(consumer=nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")),
            "1 has 1 groups and padding 'circ",
        ),
        (nn.Sequential(nn.Conv2d(2, 2, 3, groups=2), nn.Conv2d(2, 2, 3)), "0 has 2 groups"),
        (convolutions(nn.ReLU(), nn.BatchNorm2d(4)), "normalisation stands before the activation; 2 stands behind it"),
        (convolutions(nn.MaxPool2d(2), nn.ReLU()), "before pooling and flattening; 2 stands behind 1"),
        (convolutions(nn.MaxPool2d(2), nn.BatchNorm2d(4)), "before pooling and flattening; 2 stands behind 1"),
        (convolutions(nn.Flatten(), nn.ReLU(), consumer=nn.Linear(36, 2)), "flattening; 2 stands behind 1"),
        (convolutions(nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()), "running statistics, .*; 1 has none"),
        (convolutions(nn.GroupNorm(2, 4)), "behind 0 stands 1, a GroupNorm"),
        (convolutions(nn.Softmax(1)), "behind 0 stands 1, a Softmax"),
        (convolutions(nn.ConvTranspose2d(4, 4, 3)), "behind 0 stands 1, a ConvTranspose2d"),
        (
            convolutions(nn.Flatten(2), consumer=nn.Linear(49, 2)),
            r"flattening leaves the examples apart .*; 1 is Flatten",
        ),
        (convolutions(nn.ReLU(), consumer=nn.Linear(7, 2)), "flattened before a linear layer; 2 follows 0 directly"),
        (nn.Sequential(nn.Linear(9, 4), nn.ReLU(), nn.Conv2d(2, 2, 3)), "channels of another; 2 takes flat units"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_is_no_chain_of_whole_units_is_refused_in_one_clear_line(model: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        sites(model)

    assert "\n" not in str(refused.value)
    assert "0x" not in str(refused.value)  # no address in memory


def test_the_units_of_other_layers_are_no_units() -> None:
    model = net("conv-4k3-5")

    assert (outputs(layer_of(model, "conv1")), outputs(layer_of(model, "fc1"))) == (4, 5)
    with pytest.raises(ValueError, match="'act1' is ReLU"):
        layer_of(model, "act1")
    with pytest.raises(ValueError, match="got ReLU"):
        outputs(model.get_submodule("act1"))


def test_a_flattened_channel_gives_the_next_layer_all_its_positions() -> None:
    model = net("conv-4k3-5")  # 9×9 images, so 7×7 positions

    assert flattened(layer_of(model, "fc1"), 4) == 49
    assert flattened(layer_of(model, "fc2"), 5) == 1
    assert flattened(nn.Conv2d(4, 3, 3), 4) == 1
    with pytest.raises(ValueError, match="196 inputs from 5 units"):
        flattened(layer_of(model, "fc1"), 5)
