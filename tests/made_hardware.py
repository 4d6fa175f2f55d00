"""Nets, pruned ones and times of the study on hardware, small or made up."""

import functools

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
    for seed in range(seeds):
        for batch in batches:
            for thread in threads:
                for pruning, forms in FORMS.items():
                    for sparsity in (0.0,) if pruning == "none" else sparsities:
                        for form in forms:
                            base = milliseconds(pruning, form, sparsity, batch) / thread
                            for number in range(count):
                                rows.append(
                                    {
                                        **IDENTITY,
                                        "seed": seed,
                                        "pruning": pruning,
                                        "sparsity_asked": sparsity,
                                        "kept": round((1 - sparsity) * 266200),
                                        "sparsity": sparsity,
                                        "form": form,
                                        "batch": batch,
                                        "threads": thread,
                                        "round": number,
                                        "seconds": base / 1000 * np.exp(noise * drawn.normal()),
                                        "difference": 1e-6 * (1 + number),
                                    }
                                )
    return DataFrame(rows)


def forms(seeds: int = 3, sparsities: tuple[float, ...] = SPARSITIES) -> DataFrame:
    """What is counted of LeNet-300-100: accuracies of 98 % that fall with the cube of the sparsity."""
    rows = []
    for seed in range(seeds):
        for pruning, names in FORMS.items():
            for sparsity in (0.0,) if pruning == "none" else sparsities:
                kept = round((1 - sparsity) * 266200)
                for form in names:
                    small = form in ("csr-torch", "csr-scipy") or (pruning == "units" and form != "masked")
                    lost = (50 if pruning == "units" else 20) * sparsity**3
                    rows.append(
                        Forms(
                            **IDENTITY,
                            seed=seed,
                            pruning=pruning,
                            sparsity_asked=sparsity,
                            kept=kept,
                            form=form,
                            weights=266200,
                            sparsity=sparsity,
                            units="300-100",
                            file_bytes=(8 if form.startswith("csr") else 4) * (kept if small else 266200),
                            flops=2 * (kept if small else 266200),
                            accuracy_percent=98 + 0.1 * seed - lost,
                            agreement_percent=100.0,
                        )
                    )
    return Forms.frame(rows)
