"""Training in memory: tensors, index batches, one schedule, masks kept exactly; one net, or one a seed."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from tqdm import tqdm

from prunelab.data import Images
from prunelab.models import build
from prunelab.pruning import apply, check
from prunelab.pruning.application import weight_names
from prunelab.train import products
from prunelab.train.recipe import Examples, Recipe


def training(
    model: nn.Module,
    split: Examples,
    recipe: Recipe,
    *,
    generator: torch.Generator,
    masks: Mapping[str, Tensor] | None = None,
    within: tuple[int, int] | None = None,
    steps: int | None = None,
) -> Iterator[Tensor]:
    """Train a classifier in place, one step each time the next item is asked for; between two it can be measured.

    Removed weights are zeroed before the first step and get no gradient, so that neither momentum nor its look-ahead
    moves them; that all of them are zero still is asserted after every step.

    Args:
        model: maps `split.x` to logits; trained in place, on the split's device; in evaluation mode at the end,
            also when no further step is asked for.
        split: training examples; the order of each epoch is drawn anew.
        recipe: schedule and optimizer settings.
        generator: a CPU generator, draws the order of the examples and the inputs that drop out.
        masks: parameter name -> bool mask on any device, True = kept; an absent name is never pruned.
        within: where these steps lie in a longer schedule of the rate, as (steps before them, steps of the whole);
            the schedule begins and ends with this training when absent.
        steps: ends after so many, within an epoch where it falls so; after the recipe's epochs when absent.

    Yields:
        The loss of each step (cross-entropy with the penalty), a scalar in float64 on the split's device.

    Raises:
        TypeError: a mask is not bool.
        ValueError: an empty split, masks that do not fit the model, fewer than one step, steps beyond the longer
            schedule, or a removed weight that came back.
    """
    if len(split) == 0:
        raise ValueError("training needs at least one example; the split is empty")
    masks = masks or {}
    apply(model, masks)  # before anything else: it refuses masks that do not fit
    parameters = dict(model.named_parameters())
    kept = {name: -mask.to(split.x.device, _bits(parameters[name]).dtype) for name, mask in masks.items()}
    seen = {name: torch.zeros_like(bits) for name, bits in kept.items()}
    weights = [parameters[name] for name in weight_names(model)]
    optimizer = _optimizer(model, recipe)
    batches = math.ceil(len(split) / recipe.batch_size)
    count = batches * recipe.epochs if steps is None else steps
    first, whole = within or (0, count)
    if count < 1:
        raise ValueError(f"training takes at least one step; got steps={steps!r}")
    if not 0 <= first <= first + count <= whole:
        raise ValueError(f"training lies within its longer schedule; {count} steps after {first} exceed {whole}")
    order: list[Tensor] = []
    listing = products.Listing()  # of the first step; the others multiply the same
    try:
        for step in range(first, first + count):
            if not order:
                drawn = torch.randperm(len(split), generator=generator).to(split.x.device)
                order = list(drawn.split(recipe.batch_size))[::-1]
            batch = order.pop()
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(step, whole)
            if not model.training:  # at first, and where it was measured since the last step
                model.train()
            x = _dropped(split.x.index_select(0, batch), recipe.input_dropout, generator)
            for parameter in parameters.values():
                parameter.grad = None
            with listing if step == first else contextlib.nullcontext():
                loss = nn.functional.cross_entropy(model(x), split.y.index_select(0, batch))
                loss.backward()
            products.taken[tuple(listing.products)] += 1
            with torch.no_grad():
                penalty = _penalise(weights, recipe.l1, recipe.l2)
                for name, bits in kept.items():
                    if (gradient := parameters[name].grad) is not None:
                        _bits(gradient).bitwise_and_(bits)
                if recipe.clip:
                    nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
                optimizer.step()
                for name, bits in seen.items():
                    bits.bitwise_or_(_bits(parameters[name]))
                total = loss.double() + penalty
            if not order or step == first + count - 1:  # at every step it would wait for the device
                _refuse_revived(model, masks, seen, epoch=(step - first) // batches + 1)
            yield total
    finally:  # also where no further step is asked for
        model.eval()


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
    """Train a classifier in place on a split held in memory, for the recipe's epochs.

    Args:
        model: maps `split.x` to logits; see `training`, as for everything up to `within`.
        split: training examples.
        recipe: schedule and optimizer settings.
        generator: a CPU generator.
        masks: parameter name -> bool mask, True = kept.
        within: where these steps lie in a longer schedule of the rate.
        label: what a progress bar calls this training; none is shown without it.

    Returns:
        Mean training loss (cross-entropy with the penalty) of each epoch, as trained.

    Raises:
        TypeError: a mask is not bool.
        ValueError: what `training` refuses, or a loss that is no longer finite.
    """
    losses = []
    steps = training(model, split, recipe, generator=generator, masks=masks, within=within)
    sizes = [min(recipe.batch_size, len(split) - done) for done in range(0, len(split), recipe.batch_size)]
    with tqdm(total=len(sizes) * recipe.epochs, desc=label, disable=label is None, unit="step", leave=False) as bar:
        for epoch in range(recipe.epochs):
            total = torch.zeros((), dtype=torch.float64, device=split.x.device)
            for size in sizes or [0]:  # an empty split is refused by the first step
                total += next(steps) * size
                bar.update()
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
        spec: see `prunelab.models.build`.
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
    if spec.startswith("acoustic"):
        raise ValueError(
            f"an acoustic net takes frames of speech; {spec!r} cannot see images: take a lenet or mlp spec"
        )
    nets = {}
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        model = build(spec, inputs=images.shape, classes=len(images.classes), generator=generator)
        model.to(images.train.x.device)
        label = f"{spec}, seed {seed}" if progress else None
        train(model, images.train, recipe, generator=generator, label=label)
        nets[seed] = model
    return nets


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that do not each name one net.

    Raises:
        ValueError: no seed, a repeated one, or one that is negative or beyond 63 bits.
    """
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0 or max(seeds) >= 2**63:
        raise ValueError(
            f"seeds are distinct whole numbers from 0 to 2**63 - 1, at least one of them; got {list(seeds)}"
        )


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
    """Zero a part of the inputs at random, in place, rounded to a 256th, and scale the others so that their mean stays.

    Eight bytes of each 64-bit number decide about as many inputs: a draw for each would take as long as the step.
    """
    bound = min(round(256 * part), 255)
    if bound == 0:
        return x
    drawn = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 8),), generator=generator)
    kept = drawn.view(torch.uint8)[: x.numel()].view(x.shape) >= bound
    return x.mul_(kept.to(x.device)).div_(1 - bound / 256)


def _bits(values: Tensor) -> Tensor:
    """See floating-point values as whole numbers in the same memory.

    "And" and "or" of these take one fast pass each: a value is kept as it is or becomes zero, NaN too, and what was
    ever nonzero is remembered. `masked_fill_` and comparisons take up to forty times as long.
    """
    return values.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[values.element_size()])


def _refuse_revived(model: nn.Module, masks: Mapping[str, Tensor], seen: Mapping[str, Tensor], *, epoch: int) -> None:
    """Raise where a removed weight was nonzero after any step; `seen` holds the bits that each weight has had."""
    for name, bits in seen.items():
        nonzero = (bits & torch.iinfo(bits.dtype).max) != 0  # without the sign: -0.0 is zero
        if (nonzero & ~masks[name].to(bits.device)).any():
            check(model, masks)
            raise ValueError(f"a removed weight came back in epoch {epoch} and went again: no such net is sparse")


def _penalise(weights: Sequence[Tensor], l1: float, l2: float) -> Tensor | float:
    """Add the penalties' gradient, l1 · sign(w) + l2 · w, to the weights' own; return the penalties' sum."""
    gradients = [(weight, weight.grad) for weight in weights if weight.grad is not None]
    penalty: Tensor | float = 0.0
    if l1:
        for weight, gradient in gradients:
            gradient.add_(weight.sign(), alpha=l1)
        penalty = l1 * torch.stack([weight.abs().sum() for weight in weights]).sum().double()
    if l2:
        for weight, gradient in gradients:
            gradient.add_(weight, alpha=l2)
        penalty = penalty + l2 / 2 * torch.stack([weight.square().sum() for weight in weights]).sum().double()
    return penalty
