"""Nets, pruned ones and times of the study on hardware, small or made up."""

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from pandas import DataFrame

from made_nets import randomised
from prunelab.data import Images, load_images
from prunelab.models import build
from prunelab.studies.common.nets import Net
from prunelab.studies.hardware.nets import PrunedNet, one_shot
from prunelab.studies.hardware.tables import Forms

SPEC = "mlp-12-8-relu"
SPARSITIES = (0.5, 0.9, 0.98)
FORMS = {
    "none": ("dense", "onnx"),
    "weights": ("masked", "csr-torch", "csr-scipy", "shrunk"),
    "units": ("masked", "shrunk", "onnx"),
}
IDENTITY = {"data": "mnist", "data_id": "0123456789ab", "model": "lenet-300-100-relu"}


@functools.cache
def digits() -> Images:
    return load_images("digits")


def untrained(spec: str = SPEC, seed: int = 0) -> Net:
    """A net of digits with random weights and biases."""
    images, generator = digits(), torch.Generator().manual_seed(seed)
    module = build(spec, inputs=images.shape, classes=10, generator=generator)
    randomised(module, generator)
    return Net(data="digits", data_id=images.content_id, model=spec, seed=seed, module=module)


def pruned(
    spec: str = SPEC, seeds: int = 1, sparsities: tuple[float, ...] = (0.5,)
) -> list[tuple[Net, list[PrunedNet]]]:
    nets = [untrained(spec, seed) for seed in range(seeds)]
    return [(net, one_shot(net, digits(), sparsities=sparsities, scoring=50)) for net in nets]


def milliseconds(pruning: str, form: str, sparsity: float, batch: int) -> float:
    """Times that follow rules of thumb: sparse rows cost five times a weight left, units what is left of them."""
    whole = 0.05 + 0.01 * batch
    left = 1 - sparsity
    if form in ("csr-torch", "csr-scipy"):
        return 0.01 + whole * left * (5 if form == "csr-torch" else 8)
    if form == "onnx":
        return 0.4 * whole * (left if pruning == "units" else 1)
    if form == "shrunk" and pruning == "units":
        return 0.02 + whole * left
    return whole


def settings(sparsities: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    """Every form of every pruning of LeNet-300-100, with the weights it leaves."""
    for pruning, names in FORMS.items():
        for sparsity, form in itertools.product((0.0,) if pruning == "none" else sparsities, names):
            kept = round((1 - sparsity) * 266200)
            yield {"pruning": pruning, "sparsity_asked": sparsity, "kept": kept, "sparsity": sparsity, "form": form}


def rounds(
    seeds: int = 3,
    sparsities: tuple[float, ...] = SPARSITIES,
    batches: tuple[int, ...] = (1, 256),
    threads: tuple[int, ...] = (1, 2),
    count: int = 7,
    noise: float = 0.0,
) -> DataFrame:
    """Times of every form in every round, with noise if asked for."""
    drawn, rows = np.random.default_rng(1), []
    for seed, batch, thread, own in itertools.product(range(seeds), batches, threads, list(settings(sparsities))):
        base = milliseconds(own["pruning"], own["form"], own["sparsity"], batch) / thread
        called = {**IDENTITY, "seed": seed, **own, "batch": batch, "threads": thread}
        for number in range(count):
            seconds, difference = base / 1000 * np.exp(noise * drawn.normal()), 1e-6 * (1 + number)
            rows.append({**called, "round": number, "seconds": seconds, "difference": difference})
    return DataFrame(rows)


def forms(seeds: int = 3, sparsities: tuple[float, ...] = SPARSITIES) -> DataFrame:
    """What is counted of LeNet-300-100: accuracies of 98 % that fall with the cube of the sparsity."""
    rows = []
    for seed, own in itertools.product(range(seeds), settings(sparsities)):
        sparse, units = own["form"].startswith("csr"), own["pruning"] == "units"
        left = own["kept"] if sparse or (units and own["form"] != "masked") else 266200
        rows.append(
            Forms(
                **IDENTITY,
                **own,
                seed=seed,
                weights=266200,
                units="300-100",
                file_bytes=(8 if sparse else 4) * left,
                flops=2 * left,
                accuracy_percent=98 + 0.1 * seed - (50 if units else 20) * own["sparsity"] ** 3,
                agreement_percent=100.0,
            )
        )
    return Forms.frame(rows)
