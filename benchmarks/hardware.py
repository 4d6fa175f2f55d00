"""Deployment: sparse products and ONNX files beside what a user would write first.

1. A perceptron with most weights removed, run with its weights as sparse rows: ours by torch and by scipy, and the
   same module whose weights were replaced by `weight.to_sparse_csr()`, as torch's documentation has it; in times of the
   dense net. All are timed in turn, with the outputs compared.
2. A net exported as ONNX: by ours and by `torch.onnx.export` (left out where the package onnxscript is missing), the
   processor time that takes in a fresh process, the size of the file, whether it names files of this machine, and the
   time of a call of ONNX Runtime.

    python benchmarks/hardware.py [--model lenet-300-100] [--shape 1x28x28] [--batch 256] [--rounds 9] [--json FILE]
"""

import argparse
import copy
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prunelab import files
from prunelab.deploy import make
from prunelab.deploy.export import export, refuse_other_outputs, run, session
from prunelab.measure.latency import interleaved, threads
from prunelab.models import build
from prunelab.pruning import apply, keep_within, prunable

SPARSITIES = (0.5, 0.9, 0.99)
EXPORTERS = ("prunelab", "torch")
WARM_UP, CALLS = 1, 3

Row = dict[str, Any]


def started(spec: str, shape: list[int]) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    net = build(spec, inputs=shape, classes=10, generator=generator).eval()
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):  # all are 0 in a fresh net, which would hide one that is lost
            nn.init.normal_(parameter, std=0.1, generator=generator)
    return net


def pruned(net: nn.Sequential, sparsity: float) -> nn.Sequential:
    small = copy.deepcopy(net)
    weights = prunable(small)
    total = sum(weight.numel() for weight in weights.values())
    apply(small, keep_within(weights, round((1 - sparsity) * total)))
    return small


def replaced(net: nn.Sequential) -> Callable[[Tensor], Tensor]:
    """Replace the weights of linear layers by sparse ones, and leave the rest to torch."""
    sparse = copy.deepcopy(net).requires_grad_(False)
    for layer in sparse.modules():
        if isinstance(layer, nn.Linear):
            layer.weight = nn.Parameter(layer.weight.to_sparse_csr(), requires_grad=False)
    return sparse


def compare_products(net: nn.Sequential, x: Tensor, rounds: int) -> list[Row]:
    """Time the ways of running sparse linear layers, in times of the dense net."""
    rows = []
    print(f"\n{'removed':>8} {'contender':24} {'median ms':>10} {'of dense':>9}  difference")
    for sparsity in SPARSITIES:
        masked = pruned(net, sparsity)
        shape = list(x.shape[1:])
        ways: dict[str, Callable[[Tensor], Any]] = {
            "dense": make("masked", masked, shape).run,
            "prunelab by torch": make("csr-torch", masked, shape).run,
            "prunelab by scipy": make("csr-scipy", masked, shape).run,
            "weight.to_sparse_csr()": torch.no_grad()(replaced(masked)),  # inference_mode refuses it
        }
        wanted = ways["dense"](x)
        timed = interleaved(
            {name: partial(way, x) for name, way in ways.items()},
            rounds=rounds,
            repeats=CALLS,
            warm_up=WARM_UP,
        )
        for name, seconds in timed.items():
            difference = refuse_other_outputs(ways[name](x), wanted, what=name)
            ratio = statistics.median(a / b for a, b in zip(seconds, timed["dense"], strict=True))
            median = statistics.median(seconds)
            print(f"{100 * sparsity:7.4g}% {name:24} {1e3 * median:10.3f} {ratio:9.2f}  {difference:.1e}")
            rows.append({"part": "products", "sparsity": sparsity, "contender": name, "median_s": median})
    return rows


def compare_exports(spec: str, shape: list[int], x: Tensor, rounds: int) -> list[Row]:
    """Export in a process of its own each, then time both files in turn."""
    rows, opened = [], {}
    wanted = started(spec, shape)(x).detach()
    print(f"\n{'exporter':12} {'export s':>9} {'file KiB':>9} {'names files here':>17} {'call ms':>9}")
    with tempfile.TemporaryDirectory(prefix="prunelab-") as folder:
        for exporter in EXPORTERS:
            if exporter == "torch" and importlib.util.find_spec("onnxscript") is None:
                print("torch        left out: pip install onnxscript")
                continue
            path = Path(folder) / f"{exporter}.onnx"
            command = [sys.executable, __file__, "--export", exporter, "--out", str(path), "--model", spec]
            told = subprocess.run(
                [*command, "--shape", "x".join(map(str, shape))], capture_output=True, text=True, check=True
            )
            content = path.read_bytes()
            opened[exporter] = session(content)
            refuse_other_outputs(run(opened[exporter], x), wanted, what=exporter)
            row = {"seconds": json.loads(told.stdout.splitlines()[-1]), "file_bytes": len(content)}
            rows.append({"part": "exports", "contender": exporter, **row, "names_files": b".py" in content})
    timed = interleaved(
        {name: partial(run, one, x) for name, one in opened.items()},
        rounds=rounds,
        repeats=CALLS,
        warm_up=WARM_UP,
    )
    for row in rows:
        row["median_s"] = statistics.median(timed[row["contender"]])
        named = "yes" if row["names_files"] else "no"
        print(
            f"{row['contender']:12} {row['seconds']:9.2f} {row['file_bytes'] / 1024:9.1f} {named:>17} "
            f"{1e3 * row['median_s']:9.3f}"
        )
    return rows


def export_here(exporter: str, spec: str, shape: list[int], out: Path) -> None:
    """Export one net in this process; print the seconds that took last."""
    from time import process_time

    net = started(spec, shape)
    start = process_time()
    if exporter == "prunelab":
        out.write_bytes(export(net, shape))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = torch.export.Dim("batch")
            torch.onnx.export(
                net, (torch.zeros(2, *shape),), out, dynamo=True, external_data=False, dynamic_shapes=({0: batch},),
                input_names=["input"], output_names=["logits"],
            )  # fmt: skip
    print(process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lenet-300-100")
    parser.add_argument("--shape", default="1x28x28", help="of one example")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1, help="torch's threads")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--export", choices=EXPORTERS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    shape = [int(size) for size in options.shape.split("x")]
    if options.export:
        export_here(options.export, options.model, shape, options.out)
        return
    rows, net = [], started(options.model, shape)
    for batch in dict.fromkeys((1, options.batch)):
        x = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1))
        print(f"\n{options.model}, batches of {batch}, {options.threads} thread(s), {options.rounds} rounds")
        with threads(options.threads), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state", UserWarning)
            warnings.filterwarnings("ignore", "Sparse invariant checks are implicitly disabled", UserWarning)
            found = compare_products(net, x, options.rounds) + compare_exports(options.model, shape, x, options.rounds)
        rows += [{**row, "batch": batch} for row in found]
    if options.json:
        files.write_json(options.json, rows)


if __name__ == "__main__":
    main()
