"""How fast is a threshold sweep, against what users of the existing tools run and against the bare products?

3 signs x 20 thresholds of LeNet-300-100 over the 10,000 MNIST test images, all contenders in one process, on the same
net, thresholds, data and threads; their accuracies are compared too.

    python benchmarks/sweep.py [--data mnist] [--threads 1] [--repeats 3] [--json FILE]
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, Dataset, TensorDataset

from prunelab import files
from prunelab.data import Split, load_images
from prunelab.measure.sweep import sweep, threshold_sweep
from prunelab.models import linear_layers
from prunelab.pruning import below_threshold, masked, prunable
from prunelab.pruning.masks import SIGNS
from prunelab.train import Recipe, train_seeds

Settings = list[tuple[str, float]]


class TransformedImages(Dataset[tuple[Tensor, int]]):
    """8-bit images, each opened and converted when asked for: the usual image-folder pipeline."""

    def __init__(self, split: Split) -> None:
        self.pixels = (split.x * 255).round().to(torch.uint8).squeeze(1).numpy()
        self.labels = split.y.tolist()

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Convert one image as ToTensor does."""
        image = Image.fromarray(self.pixels[index])
        return torch.from_numpy(np.array(image, copy=True)).unsqueeze(0).float().div(255), self.labels[index]


def pruned_copy(model: nn.Sequential, sign: str, threshold: float) -> nn.Sequential:
    clone = copy.deepcopy(model)
    for name, mask in below_threshold(prunable(clone), threshold, sign).items():
        module = clone.get_submodule(name.removesuffix(".weight"))
        prune.custom_from_mask(module, "weight", mask)
    return clone


def with_loader(model: nn.Sequential, settings: Settings, loader: DataLoader[tuple[Tensor, Tensor]]) -> list[float]:
    accuracies = []
    for sign, threshold in settings:
        clone = pruned_copy(model, sign, threshold)
        correct = total = 0
        with torch.no_grad():
            for x, y in loader:
                correct += int((clone(x).argmax(1) == y).sum())
                total += len(y)
        accuracies.append(correct / total)
    return accuracies


def ours_general(model: nn.Sequential, settings: Settings, split: Split) -> list[float]:
    weights = prunable(model)
    pruned = (masked(weights, below_threshold(weights, threshold, sign)) for sign, threshold in settings)
    return [score.accuracy for score in sweep(model, split, pruned)]


def ours(model: nn.Sequential, settings: Settings, split: Split) -> list[float]:
    scores = threshold_sweep(model, split, sorted({threshold for _, threshold in settings}))
    return [scores[setting].accuracy for setting in settings]


def bare_products(model: nn.Sequential, settings: Settings, split: Split) -> list[float]:
    inputs = [split.x.flatten(1)]
    for name in linear_layers(model)[1:]:
        inputs.append(torch.rand(len(split), model.get_submodule(name).in_features))
    matrices = [model.get_submodule(name).weight.detach() for name in linear_layers(model)]
    for _ in settings:
        for x, matrix in zip(inputs, matrices, strict=True):
            x @ matrix.T
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    images = load_images(options.data)
    model = train_seeds("lenet-300-100", images, Recipe(epochs=3), [0])[0]
    scale = torch.cat([weight.flatten() for weight in prunable(model).values()]).square().mean().sqrt().item()
    settings = [(sign, float(f"{0.2 * step * scale:.4g}")) for sign in SIGNS for step in range(1, 21)]
    test = images.test
    # open_lth and ShrinkBench load batches of 128 to 256; the largest is kindest to them.
    transformed = DataLoader(TransformedImages(test), batch_size=256)
    tensors = DataLoader(TensorDataset(test.x, test.y), batch_size=256)
    contenders: dict[str, Callable[[], list[float]]] = {
        "(a) deep copy, torch prune, transforms": lambda: with_loader(model, settings, transformed),
        "(b) deep copy, torch prune, tensors": lambda: with_loader(model, settings, tensors),
        "(c) bare matrix products": lambda: bare_products(model, settings, test),
        "ours, each setting alone": lambda: ours_general(model, settings, test),
        "ours, shared first layer": lambda: ours(model, settings, test),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    accuracies: dict[str, list[float]] = {}
    for repeat in range(options.repeats):
        for name, contender in contenders.items():
            if name.startswith("(a)") and repeat:  # minutes long; once is enough to tell
                continue
            start = time.perf_counter()
            accuracies[name] = contender()
            seconds[name].append(time.perf_counter() - start)

    best = {name: min(times) for name, times in seconds.items()}
    reference = accuracies["(b) deep copy, torch prune, tensors"]
    rows = []
    print(f"{len(settings)} settings, {len(test)} images of {images.name}, {options.threads} thread(s)")
    print(
        f"{'':42} {'best s':>8} {'median s':>9} {'per setting ms':>15} {'against (c)':>12}  largest accuracy difference"
    )
    for name, time_s in best.items():
        gap = max((abs(a - b) for a, b in zip(accuracies[name], reference, strict=False)), default=None)
        rows.append({"contender": name, "best_s": time_s, "median_s": statistics.median(seconds[name]), "gap": gap})
        print(
            f"{name:42} {time_s:8.3f} {rows[-1]['median_s']:9.3f} {1000 * time_s / len(settings):15.2f} "
            f"{time_s / best['(c) bare matrix products']:11.2f}x  {'' if gap is None else f'{gap:.4f}'}"
        )
    for name in ("ours, each setting alone", "ours, shared first layer"):
        ratios = ", ".join(f"{best[other] / best[name]:.2f}x than {other[:3]}" for other in best if other[0] == "(")
        print(f"{name}: faster {ratios}")
    first, *_ = prunable(model).values()
    edges = [0.0, *sorted({threshold for _, threshold in settings}), float("inf")]
    densities = [
        float(((first.abs() >= low) & (first.abs() < high)).float().mean()) / 2 for low, high in pairwise(edges)
    ]
    print(f"mean density of one sign's weights between thresholds, first layer: {statistics.mean(densities):.3f}")
    if options.json:
        files.write_json(options.json, rows)


if __name__ == "__main__":
    main()
