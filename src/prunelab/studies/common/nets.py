"""Trained nets on disk: parameters as safetensors, identity in the file's metadata, opened only where they fit."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import torch
from pandas import DataFrame
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from prunelab import files
from prunelab.data import Images, Split, load_images
from prunelab.measure import evaluate
from prunelab.models import build, weight_rms
from prunelab.pruning import prunable
from prunelab.records import Value, to_frame
from prunelab.stats import t_interval
from prunelab.train import Recipe, check_seeds, train_seeds


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
    def weight_rms(self) -> float:
        """Root mean square of all prunable weights pooled."""
        return weight_rms(list(prunable(self.module).values()))


def save_nets(nets: Sequence[Net], folder: Path = Path("nets")) -> list[Path]:
    """Write each net's parameters as safetensors, its identity in the file's metadata."""
    paths = []
    for net in nets:
        name = f"{net.model}-{net.pruning}" if net.pruning else net.model
        name += "" if net.step is None else f"-step{net.step}"
        path = folder / f"{name}-seed{net.seed}.safetensors"
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in net.module.state_dict().items()}
        identity = {"data": net.data, "data_id": net.data_id, "model": net.model, "seed": net.seed}
        if net.pruning:
            identity["pruning"] = net.pruning
        if net.step is not None:
            identity["step"] = net.step
        with files.replacing(path) as temporary:
            # One key: safetensors writes several in an order that differs from run to run.
            save_file(state, temporary, metadata={"net": json.dumps(identity)})
        paths.append(path)
    return paths


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

    Args:
        runs: folders of runs that hold `nets/*.safetensors`; empty to train here.
        images: the data to be measured on; nets trained on other data are refused.
        models: specs to train, used only without runs.
        seeds: seeds to train, used only without runs.
        epochs: how long to train, used only without runs.
        device: where the nets go.

    Returns:
        Nets in the order of the runs, models and seeds.

    Raises:
        FileNotFoundError: a run without nets.
        ValueError: neither runs nor models; a file that is not such a net, or one trained on other data.
    """
    fit = Fit(data=images.name, data_id=images.content_id, inputs=images.shape, classes=len(images.classes))
    if runs:
        return open_stored(runs, fit, device=device)
    check_models(models)
    recipe = Recipe(epochs=epochs)
    return [
        Net(data=images.name, data_id=images.content_id, model=spec, seed=seed, module=module)
        for spec in models
        for seed, module in train_seeds(spec, images, recipe, seeds, progress=True).items()
    ]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a stored net has to fit to be measured: the data it was trained on, and its ends."""

    data: str
    data_id: str
    inputs: int | tuple[int, ...]  # values of one example, or its shape
    classes: int


def check_models(models: Sequence[str]) -> None:
    """Refuse to train nothing.

    Raises:
        ValueError: there is no spec.
    """
    if not models:
        raise ValueError("nets come from runs or are trained from model specs; both `nets` and `models` are empty")


def open_stored(runs: Sequence[str], fit: Fit, *, device: str = "cpu") -> list[Net]:
    """Open the nets that other runs trained.

    Args:
        runs: folders of runs that hold `nets/*.safetensors`, at least one.
        fit: what they are measured on.
        device: where the nets go.

    Returns:
        Nets in the order of the runs, models, prunings, seeds and steps.

    Raises:
        FileNotFoundError: a run without nets.
        ValueError: a file that is not such a net, one trained on other data.
    """
    nets: list[Net] = []
    for run in runs:
        found = sorted((Path(run) / "nets").glob("*.safetensors"))
        if not found:
            hint = "run it first" if str(run).startswith((".", "/", "~")) else f"a path starts with ./, as in ./{run}"
            raise FileNotFoundError(f"a run named in `nets` holds nets/*.safetensors; {run} has none: {hint}")
        nets += sorted(
            (_open(path, fit, device) for path in found),
            key=lambda net: (net.model, net.pruning, net.seed, net.step or 0),
        )
    return nets


def _open(path: Path, fit: Fit, device: str) -> Net:
    try:
        with safe_open(path, framework="pt") as stored:
            identity = json.loads((stored.metadata() or {})["net"])
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
        data, data_id, model, seed = (identity[name] for name in ("data", "data_id", "model", "seed"))
        pruning, step = identity.get("pruning", ""), identity.get("step")
    except SafetensorError as error:
        raise ValueError(f"a stored net is a safetensors file; {path} is not one ({error}): train it again") from error
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"a stored net names its data, data_id, model and seed; {path} does not: train it again"
        ) from error
    if data_id != fit.data_id:
        raise ValueError(
            f"a net is measured on the data it was trained on; {path} was trained on {data} ({data_id}), "
            f"the run measures {fit.data} ({fit.data_id})"
        )
    module = build(model, inputs=fit.inputs, classes=fit.classes, generator=torch.Generator())
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"a stored net fits its own spec {model!r}; {path} does not: {reason}") from error
    return Net(
        data=data,
        data_id=data_id,
        model=model,
        seed=int(seed),
        module=module.to(device).eval(),
        pruning=pruning,
        step=step,
    )


DENSE_KEY = ("data", "model", "seed")


DENSE_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of initialisation and order",
    "learning_rate": "peak learning rate, chosen on the validation part",
    "weights": "prunable weights",
    "biases": "biases, never pruned",
    "weight_rms": "root mean square of all weights pooled",
    "validation_error_percent": "error on the validation part, last epoch [%]",
    "error_percent": "error on the test part, last epoch [%]",
    "loss": "mean cross-entropy on the test part, last epoch [nats]",
}


RATE_KEY = ("data", "model", "learning_rate")


RATE_COLUMNS = {
    "data": "data set",
    "data_id": "content id of the data set",
    "model": "spec of the net",
    "seed": "seed of the one net tried",
    "learning_rate": "peak learning rate tried",
    "validation_error_percent": "error on the validation part, last epoch [%]; the lowest is chosen",
}


@dataclass(frozen=True, kw_only=True)
class Dense:
    """One row of the table of dense nets."""

    data: str
    data_id: str
    model: str
    seed: int
    learning_rate: float
    weights: int
    biases: int
    weight_rms: float
    validation_error_percent: float
    error_percent: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One row of the search for a learning rate."""

    data: str
    data_id: str
    model: str
    seed: int
    learning_rate: float
    validation_error_percent: float


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
    progress: bool = True,
) -> tuple[list[Net], DataFrame, DataFrame]:
    """Train one kind of net from several seeds, at the learning rate that does best on the validation part.

    Each rate is tried with the first seed; the net trained at the chosen one is kept, the other seeds follow.

    Args:
        data: see `prunelab.data.load_images`.
        model: see `prunelab.models.parse`.
        seeds: distinct whole numbers.
        epochs: passes over the training part.
        learning_rates: peak rates to try.
        device: where to train.
        progress: show progress bars.

    Returns:
        The nets, the table of dense nets (one row a seed) and the table of rates tried.

    Raises:
        ValueError: no rate, seeds that are not distinct, or what loading and training refuse.
    """
    if not learning_rates:
        raise ValueError("training needs at least one learning rate to try; learning_rates is empty")
    check_seeds(seeds)
    images = load_images(data, device=device)
    first, *others = seeds
    tried = {}
    rates = []
    for rate in dict.fromkeys(learning_rates):
        recipe = Recipe(epochs=epochs, learning_rate=rate)
        tried[rate] = train_seeds(model, images, recipe, [first], progress=progress)[first]
        error = error_percent(evaluate(tried[rate], images.validation).accuracy)
        rates.append(
            Rate(
                data=images.name,
                data_id=images.content_id,
                model=model,
                seed=first,
                learning_rate=rate,
                validation_error_percent=error,
            )
        )
    best = min(rates, key=lambda row: row.validation_error_percent).learning_rate
    modules = {first: tried[best]}
    if others:
        recipe = Recipe(epochs=epochs, learning_rate=best)
        modules |= train_seeds(model, images, recipe, others, progress=progress)
    nets = [
        Net(data=images.name, data_id=images.content_id, model=model, seed=seed, module=module)
        for seed, module in modules.items()
    ]
    dense = to_frame([dense_row(net, images, best) for net in nets], DENSE_KEY)
    return nets, dense, to_frame(rates, RATE_KEY)


def dense_values(dense: DataFrame) -> dict[str, Value]:
    """Sum up the table of one kind of dense net for prose: accuracy over seeds and counts."""
    accuracy = t_interval(100 - dense["error_percent"].to_numpy())
    return {
        "test-accuracy": Value(value=accuracy.value, low=accuracy.low, high=accuracy.high, unit="%", n=accuracy.n),
        "weights": Value(value=float(dense["weights"].iloc[0]), digits=0),
        "biases": Value(value=float(dense["biases"].iloc[0]), digits=0),
        "learning-rate": Value(value=float(dense["learning_rate"].iloc[0]), digits=2),
    }


def dense_row(net: Net, images: Images, rate: float) -> Dense:
    """Measure a dense net on the validation and the test part."""
    test = evaluate(net.module, images.test)
    weights = prunable(net.module)
    biases = {name: value for name, value in net.module.named_parameters() if name not in weights}
    return Dense(
        data=net.data,
        data_id=net.data_id,
        model=net.model,
        seed=net.seed,
        learning_rate=rate,
        weights=sum(weight.numel() for weight in weights.values()),
        biases=sum(bias.numel() for bias in biases.values()),
        weight_rms=net.weight_rms,
        validation_error_percent=error_percent(evaluate(net.module, images.validation).accuracy),
        error_percent=error_percent(test.accuracy),
        loss=test.loss,
    )


def lay_out(module: nn.Sequential) -> nn.Sequential:
    """Lay a net's weights out channels last, in place."""
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def copied(net: Net, split: Split) -> nn.Sequential:
    """Copy a net to the device of a split, laid out as it trains fastest."""
    return lay_out(copy.deepcopy(net.module)).to(split.x.device)


def draws(net: Net, use: str = "") -> torch.Generator:
    """Give a generator that depends on the net's seed, its step and the use alone.

    Without a use it is that of the study's random scores, so that all experiments on a net choose the same units.
    """
    number = net.seed * 1_000_003 + (net.step or 0)
    return torch.Generator().manual_seed((number ^ crc32(use.encode())) % 2**63)  # of nothing crc32 is 0


_SMALL = ("lenet-32-16-relu",)  # trained where neither runs nor models are named


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

    Args:
        runs: folders of runs that hold nets; empty to train here.
        images: what the nets were trained on.
        models: specs of the runs' nets to take, all of them when empty; without runs, specs to train.
        seeds: without runs, seeds to train.
        epochs: without runs, how long to train.
        only_seeds: seeds to take, all of them when empty.
        device: where the nets go.

    Raises:
        ValueError: the runs lack a model or all the seeds, or as `open_nets`.
    """
    nets = open_nets(runs, images, models=models or _SMALL, seeds=seeds, epochs=epochs, device=device)
    found = dict.fromkeys(net.model for net in nets)
    if missing := [model for model in models if model not in found]:
        raise ValueError(f"the runs hold nets of {', '.join(found)}; got no {missing[0]!r}: train it, or leave it out")
    taken = [net for net in nets if (not models or net.model in models) and (not only_seeds or net.seed in only_seeds)]
    if not taken:
        raise ValueError(f"the runs hold seeds {sorted({net.seed for net in nets})}; got none of {list(only_seeds)}")
    return taken
