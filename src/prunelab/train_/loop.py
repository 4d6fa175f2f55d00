"""Training in memory: tensors, index batches, one schedule, masks kept exactly."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from prunelab.data import Images
from prunelab.models import build, parse
from prunelab.pruning import apply, check


class Examples(Protocol):
    """What a net is trained on: a split of images, or the frames of recordings."""

    @property
    def x(self) -> Tensor:
        """Inputs, (N, ...) float32."""

    @property
    def y(self) -> Tensor:
        """Classes, (N,) int64."""

    def __len__(self) -> int:
        """Count the examples."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a net is trained: which optimizer, and how the learning rate moves.

    A triangular rate rises linearly over the first `warmup` part of the steps and falls linearly to zero over the rest;
    a constant one stays at its peak. The defaults, stochastic gradient descent with Nesterov momentum, bring
    LeNet-300-100 to 98 % on MNIST in 10 epochs. Six hidden layers, of sigmoids above all, train with Adam and clipped
    gradients.
    """

    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 0.2  # at its peak
    optimizer: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.9  # Nesterov's, none at 0; of Adam, the decay of the mean gradient
    clip: float | None = None  # largest norm of a step's whole gradient; None leaves it as it is
    schedule: Literal["triangular", "constant"] = "triangular"
    warmup: float = 0.15  # part of a triangular schedule's steps, [0, 1)
    l1: float = 0.0  # penalty per unit of summed |w|, weights only
    input_dropout: float = 0.0  # part of the inputs zeroed in each example, the others scaled up, [0, 1)

    def __post_init__(self) -> None:
        """Refuse what cannot train."""
        rules = {
            "epochs is a whole number, at least 1": _is_whole(self.epochs) and self.epochs >= 1,
            "batch_size is a whole number, at least 1": _is_whole(self.batch_size) and self.batch_size >= 1,
            "learning_rate is positive and finite": 0 < self.learning_rate < math.inf,
            "optimizer is sgd or adam": self.optimizer in ("sgd", "adam"),
            "momentum lies in [0, 1)": 0 <= self.momentum < 1,
            "clip is positive and finite, or None": self.clip is None or 0 < self.clip < math.inf,
            "schedule is triangular or constant": self.schedule in ("triangular", "constant"),
            "warmup is a part of the steps, in [0, 1)": 0 <= self.warmup < 1,
            "l1 is at least 0 and finite": 0 <= self.l1 < math.inf,
            "input_dropout is a part of the inputs, in [0, 1)": 0 <= self.input_dropout < 1,
        }
        for rule, holds in rules.items():
            if not holds:
                name = rule.split(maxsplit=1)[0]
                raise ValueError(f"{rule}; got {getattr(self, name)!r}")

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of one step, counted from 0 to `steps` - 1."""
        if self.schedule == "constant":
            return self.learning_rate
        done = (step + 0.5) / steps  # mid-step, so that neither end trains at a rate of exactly zero
        if done < self.warmup:
            return self.learning_rate * done / self.warmup
        return self.learning_rate * (1 - done) / (1 - self.warmup)


def train(
    model: nn.Module,
    split: Examples,
    recipe: Recipe,
    *,
    generator: torch.Generator,
    masks: Mapping[str, Tensor] | None = None,
    within: tuple[int, int] | None = None,
    label: str | None = None,
) -> list[float]:
    """Train a classifier in place on a split held in memory.

    Removed weights are zeroed before the first step and get no gradient, so that neither momentum nor its look-ahead
    moves them; that all of them are zero still is asserted after every step.

    Args:
        model: maps `split.x` to logits; trained in place, on the split's device.
        split: training examples; the order of each epoch is drawn anew.
        recipe: schedule and optimizer settings.
        generator: a CPU generator, draws the order of the examples and the inputs that drop out.
        masks: parameter name -> bool mask on any device, True = kept; an absent name is never pruned.
        within: where these steps lie in a longer schedule of the rate, as (steps before them, steps of the whole);
            the schedule begins and ends with this training when absent.
        label: what a progress bar calls this training; none is shown without it.

    Returns:
        Mean training loss (cross-entropy with the penalty) of each epoch, as trained.

    Raises:
        TypeError: a mask is not bool.
        ValueError: an empty split, masks that do not fit the model, steps beyond the longer schedule, a removed weight
            that came back, or a loss that is no longer finite.
    """
    if len(split) == 0:
        raise ValueError("training needs at least one example; the split is empty")
    masks = masks or {}
    apply(model, masks)  # before anything else: it refuses masks that do not fit
    parameters = dict(model.named_parameters())
    removed = {name: ~mask.to(split.x.device) for name, mask in masks.items()}
    weights = [parameter for parameter in parameters.values() if parameter.ndim >= 2]
    optimizer = _optimizer(model, recipe)
    batches = math.ceil(len(split) / recipe.batch_size)
    step, steps = within or (0, batches * recipe.epochs)
    if not 0 <= step <= step + batches * recipe.epochs <= steps:
        raise ValueError(
            f"training lies within its longer schedule; {batches * recipe.epochs} steps after {step} exceed {steps}"
        )
    losses = []
    model.train()
    with tqdm(total=batches * recipe.epochs, desc=label, disable=label is None, unit="step", leave=False) as bar:
        for epoch in range(recipe.epochs):
            order = torch.randperm(len(split), generator=generator).to(split.x.device)
            total = torch.zeros((), dtype=torch.float64, device=split.x.device)
            revived = torch.zeros((), dtype=torch.bool, device=split.x.device)
            for batch in order.split(recipe.batch_size):
                for group in optimizer.param_groups:
                    group["lr"] = recipe.rate(step, steps)
                logits = model(_dropped(split.x.index_select(0, batch), recipe.input_dropout, generator))
                loss = nn.functional.cross_entropy(logits, split.y.index_select(0, batch))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                with torch.no_grad():
                    penalty = _penalise(weights, recipe.l1)
                    for name, gone in removed.items():
                        if (gradient := parameters[name].grad) is not None:
                            gradient.masked_fill_(gone, 0)
                    if recipe.clip:
                        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
                    optimizer.step()
                    for name, gone in removed.items():
                        revived |= ((parameters[name] != 0) & gone).any()
                    total += (loss.double() + penalty) * len(batch)
                step += 1
                bar.update()
            if revived:  # gathered over the epoch's steps: looking at each would wait for the device
                check(model, masks)
                raise ValueError(
                    f"a removed weight came back in epoch {epoch + 1} and went again: no such net is sparse"
                )
            losses.append(float(total) / len(split))
            if not math.isfinite(losses[-1]):
                raise ValueError(
                    f"training diverged: the loss of epoch {epoch + 1} is {losses[-1]}; "
                    f"lower learning_rate ({recipe.learning_rate:g})"
                )
    model.eval()
    return losses


def train_seeds(
    spec: str, images: Images, recipe: Recipe, seeds: Sequence[int], *, progress: bool = False
) -> dict[int, nn.Sequential]:
    """Train one net a seed from scratch; the seed decides initialisation and the order of the examples.

    Each net draws from its own generator, so a seed's net is the same whichever other seeds run beside it.

    Args:
        spec: see `prunelab.models.parse`.
        images: data; only `images.train` is seen.
        recipe: how to train.
        seeds: distinct whole numbers, each at least 0.
        progress: show a progress bar a net.

    Returns:
        Seed -> trained net in evaluation mode, on the device of the images.

    Raises:
        ValueError: no seed, a repeated or a negative one, or what `build` and `train` refuse.
    """
    check_seeds(seeds)
    if parse(spec).family == "acoustic":
        raise ValueError(
            f"an acoustic net takes frames of speech; {spec!r} cannot see images: take a lenet or mlp spec"
        )
    nets = {}
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        model = build(spec, inputs=images.inputs, classes=len(images.classes), generator=generator)
        model.to(images.train.x.device)
        label = f"{spec}, seed {seed}" if progress else None
        train(model, images.train, recipe, generator=generator, label=label)
        nets[seed] = model
    return nets


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "adam":
        # 0.999 is Adam's own default (Kingma and Ba, 2015).
        betas = (recipe.momentum, 0.999)
        return torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, betas=betas, fused=True)
    return torch.optim.SGD(
        model.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        fused=True,
    )


def _dropped(x: Tensor, part: float, generator: torch.Generator) -> Tensor:
    """Zero a part of the inputs at random, rounded to a 256th, and scale the others so that their mean stays.

    Eight bytes of each 64-bit number decide about as many inputs: a draw for each would take as long as the step.
    """
    bound = min(round(256 * part), 255)
    if bound == 0:
        return x
    drawn = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 8),), generator=generator)
    kept = drawn.view(torch.uint8)[: x.numel()].view(x.shape) >= bound
    return x * kept.to(x.device) / (1 - bound / 256)


def _penalise(weights: Sequence[Tensor], l1: float) -> Tensor | float:
    """Add the penalty's gradient, l1 · sign(w), to the weights' own; return the penalty."""
    if not l1:
        return 0.0
    for weight in weights:
        if weight.grad is not None:
            weight.grad.add_(weight.sign(), alpha=l1)
    return l1 * torch.stack([weight.abs().sum() for weight in weights]).sum().double()


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that do not each name one net.

    Raises:
        ValueError: no seed, a repeated one, or one that is negative or beyond 63 bits.
    """
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0 or max(seeds) >= 2**63:
        raise ValueError(
            f"seeds are distinct whole numbers from 0 to 2**63 - 1, at least one of them; got {list(seeds)}"
        )
