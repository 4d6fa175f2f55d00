"""What the experiments on units share: how nets are trained and opened, and the examples losses are measured on."""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from prunelab import parts
from prunelab.data import Images, Split, load_images
from prunelab.data.images import standardised
from prunelab.models import build
from prunelab.pruning.kinds import check_names
from prunelab.studies.common.nets import Fit, Net, lay_out, open_nets, open_one, open_stored
from prunelab.train import Recipe, check_seeds, training

REPLACEMENTS = ("none", "mean")
ALL = "all"  # every site at once

_SMALL = ("conv-10k3p-20k3-40", "conv-10k3p-20k3-40-same-bn")  # trained where neither runs nor models are named
_NAMES = ("model", "seed", "step")  # what tells stored nets apart


@dataclass(frozen=True, kw_only=True, eq=False)
class Subsets:
    """Fixed examples: to score units on, and to measure losses on."""

    scoring: Split  # of the training part
    parts: dict[str, Split]  # "train": of the training part, none of them scored on; "test": of the test part
    validation: Split


def load(data: str, *, device: str | torch.device = "cpu") -> Images:
    """Load images as every experiment on units sees them: standardised, laid out channels last.

    Each channel gets mean 0 and standard deviation 1 over the training part. Pixels from 0 to 1 would leave the units
    of the first layer whose weights sum to less than zero without a single activation, and a score would have nothing
    to do but to find them.

    Args:
        data: see `prunelab.data.load_images`.
        device: where the tensors are put.
    """
    images = standardised(load_images(data, device=device))
    parts: dict[str, Any] = {
        name: laid_out(part)
        for name, part in (("train", images.train), ("validation", images.validation), ("test", images.test))
    }
    return replace(images, **parts)


def recipe_of(learning_rate: float, *, batch_size: int = 64) -> Recipe:
    """Give the source's training: stochastic gradient descent, momentum 0.9, batches of 64, a constant rate.

    The momentum is Nesterov's, as everywhere in this package; the source's optimizer is not said to be.
    """
    return Recipe(batch_size=batch_size, learning_rate=learning_rate, schedule="constant")


def subsets(images: Images, *, scoring: int, examples: int) -> Subsets:
    """Take fixed examples of a data set, the same for every seed.

    The training part's order is shuffled once, by a seed of its own, since sources are often sorted by class.

    Args:
        images: in the memory format that nets will see them in.
        scoring: examples to score units on.
        examples: examples of each part to measure losses on; of a smaller test part all.

    Raises:
        ValueError: fewer than one, or more than the training part has.
    """
    if scoring < 1 or examples < 1 or scoring + examples > len(images.train):
        raise ValueError(
            f"examples to score on and to measure on are at least 1 each and together at most the {len(images.train)} "
            f"of the training part; got {scoring} and {examples}"
        )
    order = _shuffled(images.train)
    parts = {
        "train": take(images.train, order[scoring : scoring + examples]),
        "test": take(images.test, _shuffled(images.test)[:examples]),
    }
    validation = take(images.validation, _shuffled(images.validation)[:examples])
    return Subsets(scoring=take(images.train, order[:scoring]), parts=parts, validation=validation)


def fresh(images: Images, model: str, seed: int) -> tuple[nn.Sequential, torch.Generator]:
    """Give an untrained net where its data are, and the generator that is to order its examples."""
    generator = torch.Generator().manual_seed(seed)
    net = lay_out(build(model, inputs=images.shape, classes=len(images.classes), generator=generator))
    return net.to(images.train.x.device), generator


def refuse_divergence(loss: Tensor, step: int) -> None:
    """Refuse a training whose loss is no number.

    Raises:
        ValueError: it is not finite.
    """
    if not bool(torch.isfinite(loss)):
        raise ValueError(f"training diverged at iteration {step}: lower learning_rate")


def checkpoints(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    steps: Sequence[int],
    recipe: Recipe,
    device: str = "cpu",
) -> list[Net]:
    """Open nets that other runs stored along their training, or train small ones where no run is named.

    Args:
        runs: folders of runs that hold nets with the iterations they had done; empty to train here.
        images: what the nets were trained on, as `load` gives it.
        models: specs to take, all that the runs hold when empty; without runs, specs to train.
        seeds: seeds to take, all when empty; without runs, seeds to train, at least one.
        steps: iterations done of the nets to take, all when empty; without runs, when to store, at least one.
        recipe: without runs, how to train.
        device: where the nets go.

    Returns:
        One net a model, seed and step.

    Raises:
        ValueError: a model, seed or step that the runs lack, one net stored twice, nothing to train, a training that
            diverged, or what `open_nets` refuses.
    """
    if not runs:
        return _trained(images, models or _SMALL[:1], seeds, steps, recipe)
    stored = open_nets(runs, images, models=(), seeds=(), epochs=1, device=device)
    unpruned = [net for net in stored if net.step is not None and not net.pruning]
    found = [(net.model, net.seed, net.step) for net in unpruned]
    if len(set(found)) < len(found):
        raise ValueError(f"a model, seed and step name one net; {list(runs)} hold some twice: name one run of them")
    # None stands for any; every model is to have the seeds and steps that are asked for.
    given: list[Sequence[object]] = [models or list(dict.fromkeys(net.model for net in unpruned)), seeds, steps]
    asked = list(product(*(values or [None] for values in given)))
    for wanted in asked:
        if not any(_fits(key, wanted) for key in found):
            named = ", ".join(f"{what} {one}" for what, one in zip(_NAMES, wanted, strict=True) if one is not None)
            raise ValueError(
                "units are removed from unpruned nets stored along their training, and the runs hold (model, seed, "
                f"step) {found or 'none'}; got none of {named or 'any model'}: store it, or leave it out"
            )
    return [net for net, key in zip(unpruned, found, strict=True) if any(_fits(key, wanted) for wanted in asked)]


def last_nets(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    iterations: int,
    recipe: Recipe,
    device: str = "cpu",
) -> list[Net]:
    """Open the unpruned nets of other runs, each as it was last stored, or train small ones where no run is named.

    All is given as for `checkpoints`, but for the iterations: without runs, how long to train.

    Returns:
        One net a model and seed, in the order of the runs.

    Raises:
        ValueError: a model or seed that the runs lack, or what opening and training refuse.
    """
    if not runs:
        return _trained(images, models or _SMALL, seeds, [iterations], recipe)
    fit = Fit.to(images)
    stored = [net for net in open_stored(runs, fit, device=device) if not net.pruning]
    held = {(net.model, net.seed) for net in stored}
    for what, place, asked in (("model", 0, models), ("seed", 1, seeds)):
        if missing := [name for name in asked if name not in {key[place] for key in held}]:
            raise ValueError(
                f"the runs hold nets {sorted(held)}; got no {what} {missing[0]!r}: train it, or leave it out"
            )
    # One stored without its iterations is that of the end; of several that were trained as long, the one opened last.
    ordered = sorted(stored, key=lambda net: math.inf if net.step is None else net.step)
    last = {(net.model, net.seed): net for net in ordered}
    taken = [
        last[key]
        for key in dict.fromkeys((net.model, net.seed) for net in stored)
        if key[0] in (models or [key[0]]) and key[1] in (seeds or [key[1]])
    ]
    if not taken:
        raise ValueError(f"the runs hold nets {sorted(held)}; got none of {list(models)} with seeds {list(seeds)}")
    return taken


def _trained(
    images: Images, models: Sequence[str], seeds: Sequence[int], steps: Sequence[int], recipe: Recipe
) -> list[Net]:
    """Train a net a model and seed, and keep it as it was after some steps."""
    if not steps or min(steps) < 1:
        raise ValueError(f"nets are stored along their training after 1 step or more; got steps={list(steps)}")
    check_seeds(seeds)
    return parts.each(
        _train_one,
        list(product(dict.fromkeys(models), seeds)),
        label="train",
        opened=partial(open_one, fit=Fit.to(images), device=str(images.train.x.device)),
        images=images,
        steps=steps,
        recipe=recipe,
    ).nets


def _train_one(item: tuple[str, int], images: Images, steps: Sequence[int], recipe: Recipe) -> Iterator[Net]:
    model, seed = item
    net, generator = fresh(images, model, seed)
    losses = training(net, images.train, recipe, generator=generator, steps=max(steps))
    bar = tqdm(losses, total=max(steps), desc=f"{model}, seed {seed}", leave=False)
    named: dict[str, Any] = {"data": images.name, "data_id": images.content_id, "model": model, "seed": seed}
    for step, loss in enumerate(bar, start=1):
        if step in steps:
            refuse_divergence(loss, step)
            yield Net(**named, module=copy.deepcopy(net).eval(), step=step)


def _fits(key: tuple[object, ...], wanted: tuple[object, ...]) -> bool:
    return all(one is None or one == held for one, held in zip(wanted, key, strict=True))


def take(split: Split, which: Tensor) -> Split:
    """Take some examples of a split, in its memory format."""
    which = which.to(split.x.device)
    return laid_out(Split(x=split.x.index_select(0, which), y=split.y.index_select(0, which)))


def laid_out(split: Split) -> Split:
    """Lay images out channels last, as convolutions run fastest; the numbers are the same."""
    return Split(x=split.x.contiguous(memory_format=torch.channels_last), y=split.y)


check_scores = partial(check_names, "score")


def _shuffled(split: Split) -> Tensor:
    return torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
