"""How fast is training, against the usual loops and the bare products, and do several seeds train faster together?

LeNet-300-100 trains for an epoch in batches of 256: dense, and under masks of global magnitude. All contenders start
from the same net, see the same batches in the same order and take the same steps (SGD, Nesterov momentum), in one
process; their losses are compared too. Then several seeds train one after another, stacked into one, and in two
processes of one thread each.

    python benchmarks/training.py [--data mnist] [--threads 1] [--repeats 3] [--images N] [--json FILE]
"""

import argparse
import copy
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from sweep import TransformedImages
from torch import Tensor, nn
from torch.func import stack_module_state
from torch.nn.utils import prune
from torch.utils.data import DataLoader, Dataset, RandomSampler, TensorDataset

from prunelab import files
from prunelab.data import Images, Split, load_images
from prunelab.models import build, linear_layers
from prunelab.pruning import keep_largest, magnitude, prunable
from prunelab.pruning.budgets import keep_live
from prunelab.pruning.compaction import compact
from prunelab.pruning.paths import lit
from prunelab.train import Recipe, train, train_seeds
from prunelab.train.retraining import train_masked

MODEL = "lenet-300-100"
RECIPE = Recipe(epochs=1, learning_rate=0.05, schedule="constant")  # batches of 256, momentum 0.9
SEED = 1  # of the order of the examples
TOLERANCE = 2e-4  # of an epoch's loss: sums in another order moved it by 4e-5, examples in another order by 8e-4
AIMS = {"(a)": 5.0, "(b)": 1.5}  # at least how many times as fast as these
LIMITS = {"ours": 1.15, "ours, masks": 1.25, "ours, compact": 1.4}  # at most how many times its own bare products
SPARSITIES = (0.9, 0.99)
TOGETHER = (MODEL, "mlp-16-12")
SEEDS = 5
PROCESSES = 2

Masks = Mapping[str, Tensor]
Losses = list[float]  # of the epoch, one a net
Ways = dict[str, Callable[[], Losses]]
HELD: dict[str, Images] = {}  # data of a process of its own


def with_loader(model: nn.Sequential, masks: Masks, data: Dataset[Any]) -> Losses:
    """Train a copy as most scripts do; masks as torch keeps them."""
    clone = copy.deepcopy(model).train()
    for name, mask in masks.items():
        prune.custom_from_mask(clone.get_submodule(name.removesuffix(".weight")), "weight", mask)
    optimizer = torch.optim.SGD(clone.parameters(), lr=RECIPE.learning_rate, momentum=RECIPE.momentum, nesterov=True)
    # What `shuffle=True` makes, with a generator for the order alone: the loader would draw another number first.
    sampler = RandomSampler(data, generator=torch.Generator().manual_seed(SEED))  # type: ignore[arg-type]
    loader = DataLoader(data, batch_size=RECIPE.batch_size, sampler=sampler, num_workers=0)
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(clone(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    return [total / len(sampler)]


def ours(model: nn.Sequential, masks: Masks, split: Split) -> Losses:
    return train(copy.deepcopy(model), split, RECIPE, generator=torch.Generator().manual_seed(SEED), masks=masks)


def ours_compact(model: nn.Sequential, masks: Masks, split: Split) -> Losses:
    return train_masked(copy.deepcopy(model), split, RECIPE, masks, generator=torch.Generator().manual_seed(SEED))


def bare_products(model: nn.Sequential, x: Tensor) -> Losses:
    """Multiply what every step multiplies: forward, gradients of the weights, and of all inputs but the first.

    Results go to memory of their own, set up before, so that nothing but the products is left.
    """
    matrices = [model.get_parameter(f"{name}.weight").detach() for name in linear_layers(model)]
    size = RECIPE.batch_size
    outputs = [torch.rand(size, len(matrix)) for matrix in matrices]
    into_outputs = [torch.empty_like(output) for output in outputs]
    into_weights = [torch.empty_like(matrix) for matrix in matrices]
    into_inputs = [torch.empty(size, matrix.shape[1]) for matrix in matrices]
    for batch in x.split(size):
        count = len(batch)
        inputs = [batch, *(output[:count] for output in outputs)]
        for depth, matrix in enumerate(matrices):
            torch.mm(inputs[depth], matrix.T, out=into_outputs[depth][:count])
        for depth, matrix in enumerate(matrices):
            gradient = outputs[depth][:count]
            torch.mm(gradient.T, inputs[depth], out=into_weights[depth])
            if depth:
                torch.mm(gradient, matrix, out=into_inputs[depth][:count])
    return []


def timed(ways: Ways, repeats: int) -> tuple[dict[str, list[float]], dict[str, Losses]]:
    """Run each in turn, `repeats` times: seconds and losses."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, Losses] = {}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            losses[name] = way()
            seconds[name].append(time.perf_counter() - start)
    return seconds, losses


def compared(
    label: str, ways: Ways, repeats: int, *, against: str, reference: str, nets: int = 1
) -> list[dict[str, Any]]:
    """Time one epoch of each; print a table with times against those of one and losses against those of another."""
    seconds, losses = timed(ways, repeats)
    print(f"\n{label}")
    columns = f"{'best s':>8} {'median s':>9} {'epochs/s':>9} {'against ' + against[:3]:>12}"
    print(f"{'':28} {columns}  loss, difference from {reference[:3]}")
    base = min(seconds[against])
    rows = []
    for name, times in seconds.items():
        best, median = min(times), statistics.median(times)
        pairs = zip(losses[name], losses[reference], strict=True) if losses[name] else ()
        gap = max((abs(a - b) for a, b in pairs), default=None)
        row = {"net": label, "contender": name, "best_s": best, "median_s": median, "loss_difference": gap}
        rows.append(row)
        note = "" if gap is None else f"{statistics.mean(losses[name]):.6f}  {gap:.1e}"
        print(f"{name:28} {best:8.3f} {median:9.3f} {nets / best:9.2f} {best / base:11.2f}x  {note}")
        # 8-bit pixels are not those of every source: the transforms may see other images by half a grey level.
        if gap is not None and not gap <= TOLERANCE and not name.startswith("(a)"):
            raise SystemExit(f"losses of equal work agree within {TOLERANCE:g}; {name!r} is off by {gap:g}: {label}")
    return rows


def compare_loops(label: str, model: nn.Sequential, masks: Masks, split: Split, repeats: int) -> list[dict[str, Any]]:
    """Time one epoch of one net, and say whether the aims are met."""
    x = split.x.flatten(1)
    ways: Ways = {
        "(a) loop, transforms": partial(with_loader, model, masks, TransformedImages(split)),
        "(b) loop, tensors": partial(with_loader, model, masks, TensorDataset(split.x, split.y)),
        "(c) bare products": partial(bare_products, model, x),
        "ours, masks" if masks else "ours": partial(ours, model, masks, split),
    }
    if masks:
        small = compact(copy.deepcopy(model), masks)
        label += f", compact {'-'.join(str(len(places)) for places in (small.inputs, *small.units.values()))}"
        ways["ours, compact"] = partial(ours_compact, model, masks, split)
        ways["(d) bare compact products"] = partial(bare_products, small.model, x.index_select(1, small.inputs))
    rows = compared(label, ways, repeats, against="(c) bare products", reference="(b) loop, tensors")
    best, median = ({row["contender"][:3]: row[kind] for row in rows} for kind in ("best_s", "median_s"))
    for row in (row for row in rows if row["contender"].startswith("ours")):
        said = []
        for other, aim in AIMS.items():
            by_best, by_median = best[other] / row["best_s"], median[other] / row["median_s"]
            said.append(f"{by_best:.2f}x as fast as {other} ({by_median:.2f}x by medians; aim {aim:g}: ")
            said[-1] += f"{'met' if by_best >= aim else 'missed'})"
        name = row["contender"]
        bare, limit = "(d)" if name == "ours, compact" else "(c)", LIMITS[name]
        by_best, by_median = row["best_s"] / best[bare], row["median_s"] / median[bare]
        said.append(f"{by_best:.2f}x the time of {bare} ({by_median:.2f}x by medians; aim at most {limit:g}: ")
        said[-1] += f"{'met' if by_best <= limit else 'missed'})"
        print(f"{row['contender']}: {', '.join(said)}")
    return rows


def started(spec: str, seed: int, split: Split, classes: int) -> tuple[nn.Sequential, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    return build(spec, inputs=split.x[0].numel(), classes=classes, generator=generator), generator


def one_after_another(spec: str, seeds: Sequence[int], split: Split, classes: int) -> Losses:
    losses = []
    for seed in seeds:
        model, generator = started(spec, seed, split, classes)
        losses += train(model, split, RECIPE, generator=generator)
    return losses


def stacked(spec: str, seeds: int, split: Split, classes: int) -> Losses:
    """Train the seeds' nets as one of batched products; `vmap` of `functional_call` took as long or longer."""
    models, generators = zip(*(started(spec, seed, split, classes) for seed in range(seeds)), strict=True)
    parameters, _ = stack_module_state(models)
    order = torch.stack([torch.randperm(len(split), generator=generator) for generator in generators])
    images = split.x.flatten(1)
    optimizer = torch.optim.SGD(
        parameters.values(), lr=RECIPE.learning_rate, momentum=RECIPE.momentum, nesterov=True, fused=True
    )
    total = torch.zeros(seeds, dtype=torch.float64)
    for batch in order.split(RECIPE.batch_size, dim=1):
        flat = batch.flatten()
        hidden = images.index_select(0, flat).view(*batch.shape, -1)  # (seeds, batch, inputs)
        y = split.y.index_select(0, flat)
        for depth, name in enumerate(linear_layers(models[0])):
            weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
            hidden = torch.baddbmm(bias.unsqueeze(1), hidden.relu() if depth else hidden, weight.mT)
        values = nn.functional.cross_entropy(hidden.flatten(0, 1), y, reduction="none").view(batch.shape).mean(1)
        optimizer.zero_grad()
        values.sum().backward()
        optimizer.step()
        total += values.detach().double() * batch.shape[1]
    return (total / len(split)).tolist()


def ready(barrier: Any, data: str, count: int | None) -> None:
    """Set up a process: one thread, and the data loaded once for all its nets."""
    torch.set_num_threads(1)
    HELD["images"] = opened(data, count)
    one_there(TOGETHER[-1], 0)  # the first training of a process loads parts of torch: seconds
    barrier.wait(timeout=120)


def one_there(spec: str, seed: int) -> float:
    images = HELD["images"]
    return one_after_another(spec, [seed], images.train, len(images.classes))[0]


def compare_seeds(images: Images, seeds: int, repeats: int, data: str, count: int | None) -> list[dict[str, Any]]:
    """Time one epoch of several seeds, one after another and together."""
    split, classes = images.train, len(images.classes)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES + 1)
    rows = []
    start = time.perf_counter()
    with context.Pool(PROCESSES, ready, (barrier, data, count)) as pool:
        barrier.wait(timeout=120)
        print(
            f"\n{PROCESSES} processes start and load the data in {time.perf_counter() - start:.1f} s, not counted below"
        )
        for spec in TOGETHER:
            ways: Ways = {
                "one after another": partial(one_after_another, spec, range(seeds), split, classes),
                "stacked": partial(stacked, spec, seeds, split, classes),
                f"{PROCESSES} processes": partial(
                    pool.starmap, one_there, [(spec, s) for s in range(seeds)], chunksize=1
                ),
            }
            label = f"{seeds} seeds of {spec}"
            rows += compared(
                label, ways, repeats, against="one after another", reference="one after another", nets=seeds
            )
        pool.close()
        pool.join()
    return rows


def opened(data: str, count: int | None) -> Images:
    images = load_images(data)
    return replace(images, train=Split(x=images.train.x[:count], y=images.train.y[:count]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads; each of the processes has one")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, help="train on the first so many; on all by default")
    parser.add_argument("--live", action="store_true", help="masks as prunelab.retraining makes them: live paths alone")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    images = opened(options.data, options.images)
    split = images.train
    model = train_seeds(MODEL, images, replace(RECIPE, epochs=2), [0])[0]
    steps = math.ceil(len(split) / RECIPE.batch_size)
    print(f"{steps} steps of {RECIPE.batch_size}, {len(split)} images of {images.name}, {options.threads} thread(s)")
    rows = compare_loops(f"{MODEL}, dense", model, {}, split, options.repeats)
    weights = prunable(model)
    for sparsity in SPARSITIES:
        masks = keep_largest(magnitude(weights), sparsity)
        if options.live:
            kept = sum(int(mask.sum()) for mask in masks.values())
            masks = keep_live(weights, kept, "global", lit(split.x))
        rows += compare_loops(f"{MODEL}, {sparsity:.0%} removed", model, masks, split, options.repeats)
    rows += compare_seeds(images, SEEDS, options.repeats, options.data, options.images)
    if options.json:
        files.write_json(options.json, rows)


if __name__ == "__main__":
    main()
