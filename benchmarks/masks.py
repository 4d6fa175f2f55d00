"""Exact global magnitude pruning: Prunelab beside `torch.nn.utils.prune.global_unstructured`, time and memory.

Each contender runs in a fresh process of its own that first builds the same network of several layers with normally
distributed float32 weights, then times making the masks and putting them on the network. Memory is the highest
resident size reached meanwhile minus the size before, so what both return (masks, for torch also the masked copies
of the weights) counts for both. The masks of the two must be equal, bit for bit.

With `--tied` the weights are rounded to a millionth first, so that equal magnitudes lie on both sides of the cut and
which of them go is decided as torch decides it, the slow path of both.

    python benchmarks/masks.py                       25 and 250 million weights, 90 % sparsity
    python benchmarks/masks.py --millions 25 --tied --json masks.json
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import psutil
import torch
from torch import nn

from prunelab import files, pruning

SHARES = (0.5, 0.25, 0.15, 0.1)  # of the weights in each layer
WIDTH = 1000
CONTENDERS = ("prunelab", "torch")


def network(millions: float, *, tied: bool = False) -> nn.Sequential:
    """Build layers of `millions` weights in all, none of them with a bias; with `tied`, many are equal."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential()
    for number, share in enumerate(SHARES, start=1):
        layer = nn.Linear(WIDTH, round(share * millions * 1e6 / WIDTH), bias=False, device="meta").to_empty(
            device="cpu"
        )
        nn.init.normal_(layer.weight, std=0.05, generator=generator)
        if tied:
            layer.weight.data.mul_(1e6).round_().div_(1e6)
        model.add_module(f"fc{number}", layer)
    return model


def pruned_by_prunelab(model: nn.Sequential, sparsity: float) -> dict[str, torch.Tensor]:
    masks = pruning.keep_largest(pruning.magnitude(pruning.prunable(model)), sparsity)
    pruning.apply(model, masks)
    return masks


def pruned_by_torch(model: nn.Sequential, sparsity: float) -> dict[str, torch.Tensor]:
    from torch.nn.utils import prune

    prune.global_unstructured(
        [(layer, "weight") for layer in model], pruning_method=prune.L1Unstructured, amount=sparsity
    )
    return {f"{name}.weight": layer.weight_mask for name, layer in model.named_children()}


def contend(
    contender: str, millions: float, sparsity: float, threads: int, *, tied: bool
) -> dict[str, float | int | str]:
    """Run one contender in this process, which must be fresh: the peak is that of the process's whole life."""
    torch.set_num_threads(threads)
    model = network(millions, tied=tied)
    call = {"prunelab": pruned_by_prunelab, "torch": pruned_by_torch}[contender]
    call(network(0.01), sparsity)  # imports and first-call set-up are no part of the comparison
    before = psutil.Process().memory_info().rss
    start = time.perf_counter()
    masks = call(model, sparsity)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    digest = hashlib.sha256()
    for mask in masks.values():
        for rows in mask.detach().split(10_000):
            digest.update((rows != 0).numpy().tobytes())
    return {
        "contender": contender,
        "millions": millions,
        "sparsity": sparsity,
        "tied": tied,
        "threads": threads,
        "seconds": seconds,
        "extra_bytes": max(peak - before, 0),
        "removed": sum(mask.numel() - int(mask.count_nonzero()) for mask in masks.values()),
        "masks_sha256": digest.hexdigest(),
    }


def compare(millions: float, sparsity: float, threads: int, *, tied: bool) -> list[dict[str, float | int | str]]:
    """Run every contender in a process of its own and check that their masks are the same."""
    rows = []
    for contender in CONTENDERS:
        options = ["--millions", str(millions), "--sparsity", str(sparsity), "--threads", str(threads)]
        options += ["--tied"] if tied else []
        command = [sys.executable, __file__, "--contender", contender, *options]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    if len({row["masks_sha256"] for row in rows}) != 1:
        raise SystemExit(f"the masks differ at {millions:g} million weights: {rows}")
    return rows


def table(rows: list[dict[str, float | int | str]]) -> str:
    lines = [f"{'weights':>10}  {'contender':<9}  {'seconds':>8}  {'extra MiB':>9}  {'faster':>7}  {'memory':>7}"]
    for row in rows:
        other = next(r for r in rows if r["contender"] == "torch" and r["millions"] == row["millions"])
        faster = float(other["seconds"]) / float(row["seconds"])
        memory = float(row["extra_bytes"]) / float(other["extra_bytes"])
        lines.append(
            f"{row['millions']:>8g} M  {row['contender']:<9}  {row['seconds']:>8.3f}  "
            f"{float(row['extra_bytes']) / 2**20:>9.0f}  {faster:>6.1f}x  {memory:>6.2f}x"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[25, 250], help="weights, in millions")
    parser.add_argument("--sparsity", type=float, default=0.9, help="fraction to remove")
    parser.add_argument("--tied", action="store_true", help="round the weights, so that many are equal")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads, for both")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        millions, sparsity, threads = options.millions[0], options.sparsity, options.threads
        print(json.dumps(contend(options.contender, millions, sparsity, threads, tied=options.tied)))
        return
    rows = []
    for millions in options.millions:
        rows += compare(millions, options.sparsity, options.threads, tied=options.tied)
    print(table(rows))
    if options.json:
        files.write_json(options.json, rows)


if __name__ == "__main__":
    main()
