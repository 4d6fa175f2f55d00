"""What kinds of pruning function are compared on: images by error, speech by word error rate, through one record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from prunelab.data import Images, load_images
from prunelab.measure import evaluate
from prunelab.models import build, is_conv
from prunelab.speech import Corpus
from prunelab.studies import recognisers, units_settings
from prunelab.studies.corpora import Frames, open_or_make
from prunelab.studies.listening import Listener
from prunelab.studies.nets import error_percent
from prunelab.studies.stored_nets import Fit, Net, open_stored
from prunelab.train import Examples, Recipe, check_seeds


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

    def build(self, generator: torch.Generator) -> nn.Sequential:
        """Build a fresh net, on the device of the examples."""
        module = build(self.model, inputs=self.fit.inputs, classes=self.fit.classes, generator=generator)
        return units_settings.lay_out(module).to(self.train.x.device)

    def net(self, seed: int, module: nn.Sequential) -> Net:
        """Name a net of this task."""
        return Net(data=self.fit.data, data_id=self.fit.data_id, model=self.model, seed=seed, module=module)


def open_task(model: str, *, data: str = "", corpus: str = "", device: str = "cpu", **settings: Any) -> Task:
    """Open the data that a net is trained on: speech for an acoustic net, else images.

    Args:
        model: see `prunelab.models.build`.
        data: of images, see `prunelab.data.load_images`.
        corpus: of speech: folder of the run that left it; empty to make a small one.
        device: where to train and measure.
        settings: of `images_task` or `speech_task`; `examples` is left out for speech, which is heard whole.
    """
    if model.startswith("acoustic"):
        settings.pop("examples", None)
        return speech_task(open_or_make(corpus, device=device), model, device=device, **settings)
    load = units_settings.load if is_conv(model) else load_images
    return images_task(load(data, device=device), model, **settings)


def images_task(
    images: Images,
    model: str,
    *,
    learning_rate: float,
    epochs: int,
    steps: int = 0,
    retraining_rate: float,
    scoring: int,
    examples: int,
) -> Task:
    """Compare kinds on images, by the error on fixed examples of the validation and the test part.

    Args:
        images: for a convolutional net as `units_settings.load` gives them.
        model: "lenet-300-100-relu", "medium-conv-x0.3125", ...
        learning_rate: of the dense nets, at its peak; constant for a convolutional net.
        epochs: passes over the training part, used without `steps`.
        steps: training steps of the dense nets instead; 0 for whole passes.
        retraining_rate: at the peak of a triangular rate.
        scoring: examples of the training part to measure gradients and activations on.
        examples: of the validation and of the test part to measure errors on; all where there are fewer.

    Raises:
        ValueError: examples out of range, or what `Recipe` refuses.
    """
    conv = is_conv(model)
    recipe = units_settings.recipe_of(learning_rate) if conv else Recipe(learning_rate=learning_rate)
    fixed = units_settings.subsets(images, scoring=scoring, examples=examples)
    train = units_settings.laid_out(images.train)

    def measure(module: nn.Sequential) -> Errors:
        parts = (fixed.validation, fixed.parts["test"])
        validation, test = (error_percent(evaluate(module, part).accuracy) for part in parts)
        return Errors(validation=validation, test=test)

    fit = Fit(data=images.name, data_id=images.content_id, inputs=images.shape, classes=len(images.classes))
    recipe, count = _length(recipe, train, epochs=epochs, steps=steps)
    return Task(
        model=model,
        fit=fit,
        train=train,
        scoring=fixed.scoring,
        recipe=recipe,
        steps=count,
        retraining=replace(recipe, learning_rate=retraining_rate, schedule="triangular"),
        measure=measure,
    )


def speech_task(
    corpus: Corpus,
    model: str,
    *,
    learning_rate: float,
    epochs: int,
    steps: int = 0,
    retraining_rate: float,
    scoring: int,
    device: str = "cpu",
) -> Task:
    """Compare kinds on speech, by word error rates, the decoder chosen on the development part each time.

    Args:
        corpus: with labels of its training part.
        model: "acoustic-6x256-relu", ...
        learning_rate: of the dense nets, at its peak.
        epochs: passes over the training frames, used without `steps`.
        steps: training steps of the dense nets instead; 0 for whole passes.
        retraining_rate: at the peak of a triangular rate.
        scoring: frames of the training part to measure gradients and activations on.
        device: where to train and measure.

    Raises:
        ValueError: a corpus without labels, more frames asked for than there are, or what `Recipe` refuses.
    """
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

    recipe, count = _length(recognisers.recipe_of(1, learning_rate), train, epochs=epochs, steps=steps)
    fit = Fit(data=corpus.name, data_id=corpus.content_id, inputs=corpus.inputs, classes=corpus.topology.states)
    return Task(
        model=model,
        fit=fit,
        train=train,
        scoring=Frames(x=train.x[which], y=train.y[which]),
        recipe=recipe,
        steps=count,
        retraining=replace(recipe, learning_rate=retraining_rate),
        measure=measure,
    )


def stored(task: Task, runs: Sequence[str], seeds: Sequence[int], *, steps: int = 0) -> list[Net]:
    """Open the unpruned nets of a task that other runs trained without a penalty.

    Args:
        task: what they were trained on.
        runs: folders that hold `nets/*.safetensors`, at least one.
        seeds: those to take; all that the runs hold when empty.
        steps: training steps done of the nets to take; 0 takes those stored at the end of whole passes.

    Raises:
        FileNotFoundError: a run without nets.
        ValueError: a seed that the runs lack or hold twice, or nets of other data.
    """
    device = str(task.train.x.device)
    found = [
        net
        for net in open_stored(runs, task.fit, device=device)
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
    return [task.net(seed, units_settings.lay_out(by_seed[seed].module)) for seed in wanted]


def _length(recipe: Recipe, train: Examples, *, epochs: int, steps: int) -> tuple[Recipe, int]:
    """Fix how long dense nets are trained."""
    if steps < 0:
        raise ValueError(f"steps is a number of training steps, or 0 for whole passes; got {steps!r}")
    recipe = replace(recipe, epochs=epochs)
    return recipe, steps or epochs * -(-len(train) // recipe.batch_size)
