"""The nets that kinds of pruning function are compared on: how they are made, trained and measured."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from prunelab import parts
from prunelab.data import Images, load_images
from prunelab.measure import evaluate
from prunelab.models import build, is_conv
from prunelab.pruning.kinds import Penalty
from prunelab.speech import Corpus
from prunelab.studies.common import nets as common_nets
from prunelab.studies.common import recognisers, units
from prunelab.studies.common.corpora import open_or_make
from prunelab.studies.common.nets import Fit, Net, error_percent, open_stored
from prunelab.studies.common.recognisers import Listener
from prunelab.train import Examples, Frames, Recipe, check_seeds, training


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What one net gets wrong, in percent of the examples, or of the words spoken."""

    validation: float
    test: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Nets of one spec on one data set: how they are made, trained and measured."""

    model: str
    fit: Fit  # the data, and what a net takes and gives
    train: Examples
    scoring: Examples  # of the training part, where gradients and activations are measured
    recipe: Recipe  # of the dense nets, without a penalty
    steps: int  # of their training
    retraining: Recipe
    measure: Callable[[nn.Sequential], Errors]

    @property
    def pass_steps(self) -> int:
        """Count the training steps of one pass over the training part."""
        return -(-len(self.train) // self.recipe.batch_size)

    @property
    def named(self) -> dict[str, Any]:
        """Give the columns that nets of this task are named by."""
        return {"data": self.fit.data, "data_id": self.fit.data_id, "model": self.model}

    def net(self, seed: int, module: nn.Sequential) -> Net:
        """Name a net of this task."""
        return Net(**self.named, seed=seed, module=module)


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the dense nets are trained, and how pruned ones are trained on."""

    learning_rate: float  # at its peak; of convolutional nets constant
    epochs: int  # passes over the training part, used without `steps`
    steps: int = 0  # training steps instead; 0 for whole passes
    retraining_rate: float  # at the peak of a triangular rate

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps is a number of training steps, or 0 for whole passes; got {self.steps!r}")

    def of(self, recipe: Recipe, train: Examples) -> dict[str, Any]:
        """Give the fields of a task whose dense nets follow a recipe."""
        recipe = replace(recipe, epochs=self.epochs)
        steps = self.steps or self.epochs * -(-len(train) // recipe.batch_size)
        again = replace(recipe, learning_rate=self.retraining_rate, schedule="triangular")
        return {"train": train, "recipe": recipe, "steps": steps, "retraining": again}


def open_task(
    model: str, schedule: Training, *, data: str, corpus: str, scoring: int, examples: int, device: str = "cpu"
) -> Task:
    """Open the data that a net is trained on: speech for an acoustic net, else images.

    Args:
        model: "lenet-300-100-relu", "medium-conv-x0.3125", "acoustic-6x256-relu", ..., see `prunelab.models.build`.
        schedule: how long and how fast.
        data: of images, see `prunelab.data.load_images`.
        corpus: of speech: folder of the run that left it; empty to make a small one.
        scoring: examples of the training part to measure gradients and activations on.
        examples: images of the validation and of the test part to measure errors on; speech is heard whole.
        device: where to train and measure.
    """
    if model.startswith("acoustic"):
        return speech_task(open_or_make(corpus, device=device), model, schedule, scoring=scoring, device=device)
    load = units.load if is_conv(model) else load_images
    return images_task(load(data, device=device), model, schedule, scoring=scoring, examples=examples)


def images_task(images: Images, model: str, schedule: Training, *, scoring: int, examples: int) -> Task:
    """Compare kinds on images, by the error on fixed examples of the validation and the test part; see `open_task`."""
    rate = schedule.learning_rate
    recipe = units.recipe_of(rate) if is_conv(model) else Recipe(learning_rate=rate)
    fixed = units.subsets(images, scoring=scoring, examples=examples)

    def measure(module: nn.Sequential) -> Errors:
        parts = (fixed.validation, fixed.parts["test"])
        validation, test = (error_percent(evaluate(module, part).accuracy) for part in parts)
        return Errors(validation=validation, test=test)

    fit = Fit.to(images)
    fields = schedule.of(recipe, units.laid_out(images.train))
    return Task(model=model, fit=fit, scoring=fixed.scoring, measure=measure, **fields)


def speech_task(corpus: Corpus, model: str, schedule: Training, *, scoring: int, device: str = "cpu") -> Task:
    """Compare kinds on speech, by word error rates, the decoder chosen each time on development; see `open_task`."""
    if corpus.train.labels is None:
        raise ValueError(f"training needs the state of every frame; the corpus {corpus.name} is not aligned")
    x, _ = corpus.frames(corpus.train)
    train, listener = Frames(x=x.to(device), y=corpus.train.labels.to(device)), Listener(corpus, device=device)
    if not 1 <= scoring <= len(train):
        raise ValueError(f"scoring is a number of training frames, 1 to {len(train)}; got {scoring!r}")
    which = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:scoring].to(device)

    def measure(module: nn.Sequential) -> Errors:
        heard = listener.hear(module, [])[0]
        return Errors(validation=heard.dev_error_percent, test=heard.error_percent)

    fit = recognisers.fit_to(corpus)
    fields = schedule.of(recognisers.recipe_of(1, schedule.learning_rate), train)
    scored = Frames(x=train.x[which], y=train.y[which])
    return Task(model=model, fit=fit, scoring=scored, measure=measure, **fields)


def plain_nets(task: Task, runs: Sequence[str], seeds: Sequence[int], *, steps: int = 0) -> list[Net]:
    """Open the nets that other runs trained without a penalty, or train them where no run is named.

    Args:
        task: what they are trained on.
        runs: folders that hold `nets/*.safetensors`; empty to train here.
        seeds: those to take (all that the runs hold when empty), or to train.
        steps: of stored nets, training steps done; 0 for those stored at the end of whole passes.
    """
    if not runs:
        check_seeds(seeds)
        opened = partial(reopened, task=task)
        return parts.each(_train_plain, seeds, label=f"train {task.model}", opened=opened, task=task).nets
    found = [
        net
        for net in open_stored(runs, task.fit, device=str(task.train.x.device))
        if net.model == task.model and not net.pruning and net.step == (steps or None)
    ]
    held = [net.seed for net in found]
    wanted = list(seeds) or held
    if len(set(held)) < len(held) or not set(wanted) <= set(held) or not wanted:
        at = f" after {steps} steps" if steps else ""
        raise ValueError(
            f"the runs in `nets` hold each seed of {task.model}{at} once; they hold {held or 'none'}, "
            f"and {wanted or 'any'} are asked for: name other runs, or train here"
        )
    check_seeds(wanted)
    by_seed = {net.seed: net for net in found}
    return [task.net(seed, common_nets.lay_out(by_seed[seed].module)) for seed in wanted]


def _train_plain(seed: int, task: Task) -> Iterator[Net]:
    yield task.net(seed, trained(task, seed))


def reopened(path: Path, task: Task) -> Net:
    """Open a net of a task that was just stored, laid out as it trains fastest."""
    net = common_nets.open_one(path, task.fit, device=str(task.train.x.device))
    return replace(net, module=common_nets.lay_out(net.module))


def trained(task: Task, seed: int, *, penalty: Penalty = "none", strength: float = 0.0) -> nn.Sequential:
    """Train one net from scratch; nets of one seed start alike and see the same batches, whatever their penalty."""
    settings: dict[str, Any] = {} if penalty == "none" else {penalty: strength}
    recipe = replace(task.recipe, **settings)
    generator = torch.Generator().manual_seed(seed)
    module = build(task.model, inputs=task.fit.inputs, classes=task.fit.classes, generator=generator)
    module = common_nets.lay_out(module).to(task.train.x.device)
    steps = training(module, task.train, recipe, generator=generator, steps=task.steps)
    label = f"{task.model}, seed {seed}, {penalty} {strength:g}"
    bar = tqdm(steps, total=task.steps, desc=label, unit="step", leave=False)
    finish(bar, f"training with {penalty} = {strength:g} diverged: lower it, or the learning rate")
    return module


def finish(steps: Iterable[Tensor], diverged: str) -> None:
    """Train to the end, given the loss of each step as it is made; an error where the last one is not finite."""
    if not math.isfinite(deque(steps, maxlen=1).pop()):
        raise ValueError(diverged)
