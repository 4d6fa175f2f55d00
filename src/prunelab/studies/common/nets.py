"""Trained nets on disk: parameters as safetensors, identity in the file's metadata, opened only where they fit."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated as A
from typing import Any
from zlib import crc32

import torch
from pandas import DataFrame
from torch import nn

from prunelab import parts
from prunelab.data import Images, Split, load_images
from prunelab.deploy.stored import open_net, read, refuse_other_data, write
from prunelab.measure import evaluate
from prunelab.models import weight_rms
from prunelab.parts import Work
from prunelab.pruning import prunable
from prunelab.tables import Table
from prunelab.train import Recipe, check_seeds, train_seeds

_SMALL = ("lenet-32-16-relu",)  # trained where neither runs nor models are named


@dataclass(frozen=True, kw_only=True, eq=False)
class Net:
    """A trained net and what it was trained on."""

    data: str
    data_id: str
    model: str
    seed: int
    module: nn.Sequential
    pruning: str = ""  # how it was pruned and to what, as "masked-global-2660"; empty for a dense net
    step: int | None = None  # training iterations done, of a net stored along its training; None at the end

    @property
    def names(self) -> dict[str, Any]:
        """The cells of `OfNet`."""
        return {"data": self.data, "data_id": self.data_id, "model": self.model, "seed": self.seed}

    def save(self, folder: Path) -> Path:
        """Write its parameters as safetensors below a folder, its identity in the file's metadata."""
        name = f"{self.model}-{self.pruning}" if self.pruning else self.model
        name += "" if self.step is None else f"-step{self.step}"
        identity = self.names
        if self.pruning:
            identity["pruning"] = self.pruning
        if self.step is not None:
            identity["step"] = self.step
        return write(folder / f"{name}-seed{self.seed}.safetensors", self.module, identity)

    @property
    def weight_rms(self) -> float:
        """Root mean square of all prunable weights pooled."""
        return weight_rms(list(prunable(self.module).values()))


def save_nets(nets: Sequence[Net], folder: Path = Path("nets")) -> list[Path]:
    """Write each net's parameters as safetensors, its identity in the file's metadata."""
    return [net.save(folder) for net in nets]


def open_nets(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    epochs: int,
    device: str = "cpu",
) -> list[Net]:
    """Open the nets that other runs trained, or train small ones where no run is named.

    `models`, `seeds` and `epochs` say what to train here; runs are folders with `nets/*.safetensors`, and nets trained
    on other data than `images` are refused. Nets come in the order of runs, models and seeds.
    """
    if runs:
        return open_stored(runs, Fit.to(images), device=device)
    check_models(models)
    check_seeds(seeds)
    return parts.each(
        train_plain,
        list(product(models, seeds)),
        label="train",
        opened=partial(open_one, fit=Fit.to(images), device=device),
        images=images,
        recipe=Recipe(epochs=epochs),
    ).nets


def train_plain(item: tuple[str, int], images: Images, recipe: Recipe) -> Iterator[Net]:
    """Train the net of a spec from a seed, as a part of an experiment (see `parts.each`)."""
    model, seed = item
    module = train_seeds(model, images, recipe, [seed], progress=True)[seed]
    yield Net(data=images.name, data_id=images.content_id, model=model, seed=seed, module=module)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a stored net has to fit to be measured: the data it was trained on, and its ends."""

    data: str
    data_id: str
    inputs: int | tuple[int, ...]  # values of one example, or its shape
    classes: int

    @classmethod
    def to(cls, images: Images) -> "Fit":
        """Give what nets that are trained on these images fit."""
        return cls(data=images.name, data_id=images.content_id, inputs=images.shape, classes=len(images.classes))


def check_models(models: Sequence[str]) -> None:
    """Refuse to train nothing."""
    if not models:
        raise ValueError("nets come from runs or are trained from model specs; both `nets` and `models` are empty")


def open_stored(runs: Sequence[str], fit: Fit, *, device: str = "cpu") -> list[Net]:
    """Open the nets that other runs trained, in the order of the runs, models, prunings, seeds and steps."""
    nets: list[Net] = []
    for run in runs:
        found = sorted((Path(run) / "nets").glob("*.safetensors"))
        if not found:
            hint = "run it first" if str(run).startswith((".", "/", "~")) else f"a path starts with ./, as in ./{run}"
            raise FileNotFoundError(f"a run named in `nets` holds nets/*.safetensors; {run} has none: {hint}")
        nets += sorted(
            (open_one(path, fit, device=device) for path in found),
            key=lambda net: (net.model, net.pruning, net.seed, net.step or 0),
        )
    return nets


def open_one(path: Path, fit: Fit, *, device: str = "cpu") -> Net:
    """Open one stored net; see `open_stored`."""
    file = read(path)
    try:
        data, data_id, model, seed = (file.identity[name] for name in ("data", "data_id", "model", "seed"))
    except KeyError as error:
        raise ValueError(
            f"a stored net names its data, data_id, model and seed; {path} does not: train it again"
        ) from error
    refuse_other_data(file, fit.data, fit.data_id)
    module = open_net(file, model, data=fit.data, inputs=fit.inputs, classes=fit.classes, device=device)
    pruning, step = file.identity.get("pruning", ""), file.identity.get("step")
    return Net(data=data, data_id=data_id, model=model, seed=int(seed), module=module, pruning=pruning, step=step)


class OfNet(Table):
    """The columns that name a net."""

    data: A[str, "data set"]
    data_id: A[str, "content id of the data set"]
    model: A[str, "spec of the net"]
    seed: A[int, "seed of initialisation and order"]


class Counted(Table):
    """What is counted in a dense net."""

    learning_rate: A[float, "peak learning rate, chosen on the validation part"]
    weights: A[int, "prunable weights"]
    biases: A[int, "biases, never pruned"]
    weight_rms: A[float, "root mean square of all weights pooled"]


class Dense(Counted, OfNet, key="data model seed"):
    """One dense net, trained and measured once."""

    validation_error_percent: A[float, "error on the validation part, last epoch [%]"]
    error_percent: A[float, "error on the test part, last epoch [%]"]
    loss: A[float, "mean cross-entropy on the test part, last epoch [nats]"]


class Rate(OfNet, key="data model learning_rate", name="rates"):
    """One learning rate tried on one net."""

    seed: A[int, "seed of the one net tried"]
    learning_rate: A[float, "peak learning rate tried"]
    validation_error_percent: A[float, "error on the validation part, last epoch [%]; the lowest is chosen"]


def error_percent(accuracy: float) -> float:
    """Turn an accuracy in [0, 1] into an error in percent, without the rounding noise of 1 - accuracy."""
    return round(100 * (1 - accuracy), 10)


def train_nets(
    data: str,
    model: str,
    seeds: Sequence[int],
    *,
    epochs: int,
    learning_rates: Sequence[float],
    device: str = "cpu",
) -> tuple[list[Net], DataFrame, DataFrame]:
    """Train one kind of net from several seeds, at the learning rate that does best on the validation part.

    Each rate is tried with the first seed; the net trained at the chosen one is kept, the other seeds follow.

    Returns:
        The nets, the table of dense nets (one row a seed) and the table of rates tried.
    """
    check_seeds(seeds)
    images = load_images(data, device=device)
    nets, dense, rates = at_best_rate(
        _train_one,
        learning_rates,
        seeds,
        label=f"train {model}",
        opened=partial(open_one, fit=Fit.to(images), device=device),
        images=images,
        model=model,
        epochs=epochs,
    )
    return nets, Dense.frame(dense), Rate.frame([{name: row[name] for name in Rate.columns()} for row in rates])


def _train_one(item: tuple[int, float], images: Images, model: str, epochs: int) -> Iterator[Net | Dense]:
    seed, rate = item
    [net] = train_plain((model, seed), images, Recipe(epochs=epochs, learning_rate=rate))
    yield net
    yield dense_row(net, images, rate)


def at_best_rate(
    work: Work,
    rates: Sequence[float],
    nets: Sequence[Any],
    *,
    score: Callable[[Mapping[str, Any]], float] = lambda row: float(row["validation_error_percent"]),
    **given: Any,
) -> tuple[list[Net], list[dict[str, Any]], list[dict[str, Any]]]:
    """Try every learning rate on the first net asked for, and train the others at the best one.

    Args:
        work: from what names a net and a rate it yields the trained net and its row; see `parts.each`.
        rates: learning rates to try.
        nets: what names each, at least one.
        score: of a row, the lower the better; measured on examples that are neither trained nor tested on.
        given: as for `parts.each`.

    Returns:
        The nets and their rows, in the order asked for; and the rows of the rates tried.
    """
    if not rates:
        raise ValueError("training needs at least one learning rate to try; learning_rates is empty")
    tries = [(nets[0], rate) for rate in dict.fromkeys(rates)]
    alone = len(tries) > 1  # else there is nothing to choose, and all are trained at once
    tried = parts.each(work, tries if alone else [(one, rates[0]) for one in nets], **given)
    [rows] = tried.rows.values()
    if not alone:
        return tried.nets, rows, rows[:1]
    best = min(range(len(rows)), key=lambda place: score(rows[place]))
    rest = parts.each(work, [(one, rows[best]["learning_rate"]) for one in nets[1:]], **given)
    return [tried.nets[best], *rest.nets], [rows[best], *(row for own in rest.rows.values() for row in own)], rows


def dense_row(net: Net, images: Images, rate: float) -> Dense:
    """Measure a dense net on the validation and the test part."""
    test = evaluate(net.module, images.test)
    return Dense(
        **net.names,
        **counts(net, rate),
        validation_error_percent=error_percent(evaluate(net.module, images.validation).accuracy),
        error_percent=error_percent(test.accuracy),
        loss=test.loss,
    )


def counts(net: Net, rate: float) -> dict[str, Any]:
    """Count a net trained at a learning rate: the cells of `Counted`."""
    weights = prunable(net.module)
    biases = [value for name, value in net.module.named_parameters() if name not in weights]
    return {
        "learning_rate": rate,
        "weights": sum(weight.numel() for weight in weights.values()),
        "biases": sum(bias.numel() for bias in biases),
        "weight_rms": net.weight_rms,
    }


def lay_out(module: nn.Sequential) -> nn.Sequential:
    """Lay a net's weights out channels last, in place."""
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def copied(net: Net, split: Split) -> nn.Sequential:
    """Copy a net to the device of a split, laid out as it trains fastest."""
    return lay_out(copy.deepcopy(net.module)).to(split.x.device)


def draws(net: Net, use: str = "") -> torch.Generator:
    """Give a generator that depends on the net's seed, its step and the use alone.

    Without a use it is that of a study's random scores, so that all experiments on a net choose the same units.
    """
    number = net.seed * 1_000_003 + (net.step or 0)
    return torch.Generator().manual_seed((number ^ crc32(use.encode())) % 2**63)  # of nothing crc32 is 0


def dense_nets(
    runs: Sequence[str],
    images: Images,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    epochs: int,
    only_seeds: Sequence[int] = (),
    device: str = "cpu",
) -> list[Net]:
    """Open the dense nets of other runs, of some models and seeds, or train small ones where no run is named.

    Without `models` or `only_seeds` all of the runs' are taken; `seeds` and `epochs` say what to train here.
    """
    nets = open_nets(runs, images, models=models or _SMALL, seeds=seeds, epochs=epochs, device=device)
    found = dict.fromkeys(net.model for net in nets)
    if missing := [model for model in models if model not in found]:
        raise ValueError(f"the runs hold nets of {', '.join(found)}; got no {missing[0]!r}: train it, or leave it out")
    taken = [net for net in nets if (not models or net.model in models) and (not only_seeds or net.seed in only_seeds)]
    if not taken:
        raise ValueError(f"the runs hold seeds {sorted({net.seed for net in nets})}; got none of {list(only_seeds)}")
    return taken
