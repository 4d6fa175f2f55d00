"""Trained nets on disk: parameters as safetensors, identity in the file's metadata, opened only where they fit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from prunelab import files
from prunelab.data import Images
from prunelab.models import build, weight_rms
from prunelab.pruning import prunable
from prunelab.train import Recipe, train_seeds


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
