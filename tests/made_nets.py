"""Small convolutional and linear nets with nothing at its default, and examples for them."""

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from prunelab.models import build
from prunelab.pruning.unit_scores import Measured, measure_units
from prunelab.pruning.units import sites
from prunelab.train import Frames as Examples

SHAPE = (2, 9, 9)
CLASSES = 3


def net(
    spec: str, *, shape: tuple[int, int, int] = SHAPE, classes: int = CLASSES, seed: int = 0, double: bool = True
) -> nn.Sequential:
    """Build a net with random biases and batch normalisation, in evaluation mode, in float64 unless told."""
    generator = torch.Generator().manual_seed(seed)
    model = build(spec, inputs=shape, classes=classes, generator=generator)
    randomised(model, generator)
    return model.double() if double else model


def randomised(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Draw biases, and scales and statistics of batch normalisation, in place."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith(("running_var", "weight")) and tensor.ndim == 1:
                tensor.uniform_(0.5, 2.0, generator=generator)
            elif name.endswith(("bias", "running_mean")):
                tensor.normal_(0.0, 0.5, generator=generator)
    return model.eval()


def examples(
    count: int = 20,
    *,
    shape: tuple[int, ...] = SHAPE,
    classes: int = CLASSES,
    seed: int = 1,
    double: bool = True,
) -> Examples:
    """Draw inputs of standard deviation 1 and classes."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, *shape, generator=generator, dtype=torch.float64 if double else torch.float32)
    return Examples(x=x, y=torch.randint(classes, (count,), generator=generator))


def biased(spec: str, *, inputs: int, classes: int, seed: int = 0) -> nn.Sequential:
    """Build a net whose biases are not zero."""
    generator = torch.Generator().manual_seed(seed)
    model = build(spec, inputs=inputs, classes=classes, generator=generator)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(generator=generator)
    return model


def measured(model: nn.Module, split: Examples, batch_size: int = 250, seed: int = 0) -> dict[str, Measured]:
    """Measure the units of every site."""
    generator = torch.Generator().manual_seed(seed)
    return measure_units(model, split.x, split.y, generator=generator, batch_size=batch_size)


def loss_of(model: nn.Module, split: Examples) -> float:
    """Give the mean cross-entropy."""
    with torch.no_grad():
        return float(nn.functional.cross_entropy(model(split.x), split.y))


def parameters_of(model: nn.Module) -> int:
    """Count the parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def flags(model: nn.Module, seed: int, density: float = 0.5) -> dict[str, Tensor]:
    """Flag units of every site at random, never all of one."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: torch.rand(site.units, generator=generator) < density for name, site in sites(model).items()}
    for removed in drawn.values():
        removed[int(torch.randint(len(removed), (), generator=generator))] = False
    return drawn


@st.composite
def specs(draw: st.DrawFn) -> str:
    """Draw convolutional specs that images of 9×9 are large enough for, and linear ones."""
    activation = draw(st.sampled_from(["relu", "tanh", "sigmoid", "none"]))
    widths = draw(st.lists(st.integers(1, 5), max_size=2))
    if draw(st.integers(0, 4)) == 0:
        return "-".join(["mlp", *map(str, widths or [4]), activation])
    same = draw(st.booleans())
    words, side = ["conv"], 9
    for _ in range(draw(st.integers(1, 3))):
        kernels = [1, 3] if same else [size for size in (1, 2, 3) if size <= side]
        kernel = draw(st.sampled_from(kernels))
        side = side if same else side - kernel + 1
        pool = side >= 2 and draw(st.booleans())
        side = side // 2 if pool else side
        words.append(f"{draw(st.integers(1, 4))}k{kernel}{'p' if pool else ''}")
    words += map(str, widths)
    words += ["same"] if same else []
    words += ["bn"] if draw(st.booleans()) else []
    return "-".join([*words, activation])
