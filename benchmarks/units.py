"""Units: what do scores and penalties cost, and what does a net gain from being physically smaller?

1. All unit scores from one pass over a batch, against a training step of that batch, scores taken one by one with hooks
   and `loss.backward()`, and the exact change of the loss for every unit, with the time estimated from a few units by a
   `Probe` and from one forward pass.
2. The penalty of removing units of one layer from a `Probe`, against a copy with these units zeroed that runs whole.
3. Nets without 10, 30, 50 and 70 % of each layer's units, those of the smallest norm: as
   `torch.nn.utils.prune.ln_structured` leaves them (all shapes stay, masks are multiplied in at every pass, biases
   stay as they are); zeroed by `remove`, and trained under its masks; and shrunk. Memory is the most that tensors of
   a forward pass hold at once, weights aside; the resident size of fresh processes grew by the same, to 0.1 MiB.

Scores, penalties and outputs that are to be equal are compared too; it takes about 2 minutes.

    python benchmarks/units.py [--model medium-conv] [--data 3x32x32] [--threads 1] [--repeats 5] [--json FILE]
"""

import argparse
import copy
import os
import re
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.profiler import ProfilerActivity, profile

from prunelab import files
from prunelab.data import Split
from prunelab.measure.penalty import Probe
from prunelab.models import build
from prunelab.pruning.unit_removal import lowest, remove, shrink
from prunelab.pruning.unit_scores import measure_units
from prunelab.pruning.units import layer_of, sites
from prunelab.studies.common.nets import lay_out
from prunelab.studies.common.units import laid_out, load, recipe_of, take
from prunelab.train import training

BATCHES = (64, 1000)  # that units are scored on
ALONE = ("activation", "taylor", "mrs")  # scores that are taken one by one
SAMPLE = 3  # units of each layer that the time of the exact change is estimated from
AIM = 2.0  # at most so many training steps for all scores
PROBED, SHARES = 500, (0.1, 0.5)  # examples that penalties are measured on; removed of one layer's units
FRACTIONS = (0.1, 0.3, 0.5, 0.7)  # of every layer's units
LATENCY = {1: 20, 256: 1}  # images of a forward pass -> passes that are timed together
STEP = 64  # images of a training step
TOLERANCE = 1e-4  # of the largest value: what is to be equal is summed in another order
COLUMNS = {f"forward_{count}_s": (f"batch {count} ms", 1e3) for count in LATENCY}
COLUMNS |= {"step_s": ("step ms", 1e3), "parameters": ("parameters/1000", 1e-3), "file_bytes": ("file KiB", 2**-10)}
COLUMNS["forward_bytes"] = (f"MiB at {max(LATENCY)}", 2**-20)
KINDS = ("median_s", "best_s")

Row = dict[str, Any]


def examples(data: str, count: int) -> tuple[Split, int]:
    """Take the first training images of a data set, or random ones of a shape; give the number of classes too."""
    if not re.fullmatch(r"\d+x\d+x\d+", data):
        images = load(data)
        return take(images.train, torch.arange(min(count, len(images.train)))), len(images.classes)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count, *map(int, data.split("x")), generator=generator)
    return laid_out(Split(x=x, y=torch.randint(10, (count,), generator=generator))), 10


def first(split: Split, count: int) -> Split:
    return Split(x=split.x[:count], y=split.y[:count])


def started(spec: str, split: Split, classes: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    net = lay_out(build(spec, inputs=tuple(split.x.shape[1:]), classes=classes, generator=generator)).eval()
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):  # all are 0 in a fresh net, which would hide one that is lost
            nn.init.normal_(parameter, std=0.1, generator=generator)
    return net


def timed(ways: Mapping[str, Callable[[], object]], repeats: int, calls: int = 1) -> dict[str, Row]:
    """Run each in turn, once to warm up and `repeats` times after that: seconds of one call."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            for _ in range(calls):
                way()
            if repeat:
                seconds[name].append((time.perf_counter() - start) / calls)
    return {name: dict(zip(KINDS, (statistics.median(each), min(each)), strict=True)) for name, each in seconds.items()}


def stepping(net: nn.Module, split: Split, masks: Mapping[str, Tensor] | None = None) -> Callable[[], Tensor]:
    """Give what trains a copy of a net for one step, on the whole split, each time it is called."""
    recipe = replace(recipe_of(0.01), batch_size=len(split))
    generator = torch.Generator().manual_seed(0)
    return partial(next, training(copy.deepcopy(net), split, recipe, generator=generator, masks=masks, steps=10**9))


@torch.no_grad()
def loss_of(net: nn.Module, split: Split) -> float:
    return float(nn.functional.cross_entropy(net(split.x), split.y))


def agree(what: str, found: Tensor, expected: Tensor, scale: float) -> float:
    """Give the largest difference of what is to be equal; stop where it is more than rounding."""
    gap = float((found - expected).abs().max())
    if not gap <= TOLERANCE * scale:
        raise SystemExit(f"{what} agree within {TOLERANCE:g} of {scale:g}; they differ by {gap:g}")
    return gap


def scored_alone(net: nn.Sequential, taps: Mapping[str, str], split: Split, score: str) -> dict[str, Tensor]:
    """Take one score of all units with hooks of its own, as a script does that wants just this one."""
    tapped: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, given: object, output: Tensor) -> None:
        tapped[name] = output
        if output.requires_grad:
            output.retain_grad()

    hooks = [net.get_submodule(tap).register_forward_hook(partial(keep, name)) for name, tap in taps.items()]
    with torch.set_grad_enabled(score != "activation"):
        loss = nn.functional.cross_entropy(net(split.x), split.y, reduction="sum")
    for hook in hooks:
        hook.remove()
    flat = {name: output.detach()[..., None].flatten(2) for name, output in tapped.items()}  # (B, U, P)
    if score == "activation":
        return {name: a.abs().mean((0, 2)) for name, a in flat.items()}
    loss.backward()
    net.zero_grad()
    scores = {}
    for name, a in flat.items():
        instead = a.mean((0, 2))[:, None] if score == "mrs" else 0
        scores[name] = ((instead - a) * tapped[name].grad.reshape_as(a)).sum(2).mean(0)  # type: ignore[union-attr]
    return scores


def exact_seconds(net: nn.Sequential, split: Split) -> float:
    """Estimate the time of the exact change of the loss for every unit alone, from a few units of each layer."""
    start = time.perf_counter()
    probe = Probe(net, split)
    total = time.perf_counter() - start
    for name, site in probe.sites.items():
        flags = torch.eye(site.units, dtype=torch.bool)[:SAMPLE]  # each of one unit
        times = timed({str(unit): partial(probe.penalty, name, alone) for unit, alone in enumerate(flags)}, repeats=1)
        total += site.units * statistics.median(row["median_s"] for row in times.values())
    return total


def compare_scores(net: nn.Sequential, split: Split, repeats: int) -> list[Row]:
    """Time the scores of all units on one batch, in training steps of it; say whether the aim is met."""
    ours = partial(measure_units, net, split.x, split.y, generator=torch.Generator().manual_seed(0))
    measured, taps = ours(), {name: site.tap for name, site in sites(net).items()}
    alone = {f"{score} alone": partial(scored_alone, net, taps, split, score) for score in ALONE}
    for score, way in zip(ALONE, alone.values(), strict=True):
        for name, found in way().items():
            expected = measured[name].scores[score]
            agree(f"scores {score} of {name}", found.double(), expected, float(expected.abs().max()))
    bare = {"forward pass": partial(loss_of, net, split)}
    times = timed({"training step": stepping(net, split), "all scores": ours, **alone, **bare}, repeats)
    units = sum(len(each.mean) for each in measured.values())
    times["one by one"] = {kind: sum(times[name][kind] for name in alone) for kind in KINDS}
    times["exact by Probe, estimated"] = dict.fromkeys(KINDS, exact_seconds(net, split))
    times["exact by passes, estimated"] = {kind: units * value for kind, value in times["forward pass"].items()}
    title = f"{units} units on {len(split)} examples"
    print(f"\n{title:28} {'median ms':>11} {'best ms':>11} {'steps':>9}")
    rows = []
    for name, row in times.items():
        ratio = row["median_s"] / times["training step"]["median_s"]
        print(f"{name:28} {1e3 * row['median_s']:11.1f} {1e3 * row['best_s']:11.1f} {ratio:9.2f}")
        rows.append({"part": "scores", "examples": len(split), "contender": name, **row, "steps": ratio})
    median, best = (times["all scores"][kind] / times["training step"][kind] for kind in KINDS)
    aim = f"aim at most {AIM:g}: {'met' if median <= AIM else 'missed'}"
    print(f"all scores cost {median:.2f} training steps ({best:.2f} by the best times; {aim})")
    return rows


def smallest(net: nn.Module, fraction: float) -> dict[str, Tensor]:
    """Choose units of every layer by the norm of their weights, as `ln_structured` does."""
    weights = {name: layer_of(net, name).weight.detach() for name in sites(net)}
    return {name: lowest(weight.flatten(1).square().mean(1), fraction) for name, weight in weights.items()}


def compare_penalties(net: nn.Sequential, split: Split, repeats: int) -> list[Row]:
    """Time the penalty of removing units of each layer in turn."""
    start = time.perf_counter()
    probe = Probe(net, split, batch_size=len(split))
    print(f"\n{len(split)} examples; a Probe is made in {1e3 * (time.perf_counter() - start):.0f} ms")
    rows = []
    for share in SHARES:
        for name, flags in smallest(net, share).items():

            def copied(name: str = name, flags: Tensor = flags) -> float:
                remove(zeroed := copy.deepcopy(net), {name: flags})
                return loss_of(zeroed, split) - probe.loss

            ours = partial(probe.penalty, name, flags)
            gap = agree(f"penalties of {name}", torch.tensor(ours()), torch.tensor(copied()), probe.loss)
            times = timed({"Probe": ours, "copy": copied}, repeats)
            one, other = times["Probe"]["median_s"], times["copy"]["median_s"]
            label = f"{name}, {int(flags.sum())} of {len(flags)}"
            said = f"Probe {1e3 * one:7.2f} ms, copy {1e3 * other:7.2f} ms, {other / one:6.1f}x as fast"
            print(f"{label:18} {said}, difference {gap:.0e} nats")
            rows += [{"part": "penalties", "site": name, "share": share, "contender": k, **v} for k, v in times.items()]
    return rows


def peak_bytes(net: nn.Module, x: Tensor) -> int:
    """Count the bytes that tensors made in a forward pass hold at the most."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # or the profiler says on every use that it starts and stops
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        net(x)
    events = profiled.profiler.kineto_results.events()
    return max(accumulate(int(event.nbytes()) for event in events if event.name() == "[memory]"))  # frees are negative


def compare_nets(net: nn.Sequential, split: Split, fraction: float, repeats: int) -> list[Row]:
    """Measure nets that lost the same units; print each figure with its ratio to the dense net's."""
    removed, x = smallest(net, fraction), split.x[: max(LATENCY)]
    by_torch = copy.deepcopy(net)
    for name in removed:
        prune.ln_structured(by_torch.get_submodule(name), "weight", amount=fraction, n=2, dim=0)
    masks = {"remove": remove(zeroed := copy.deepcopy(net), removed)}
    nets = {"dense": net, "ln_structured": by_torch, "remove": zeroed, "shrink": shrink(net, removed)}
    with torch.no_grad():
        logits = {name: each(x) for name, each in nets.items()}
        agree("outputs of shrink and remove", logits["shrink"], logits["remove"], float(logits["remove"].abs().max()))
        forward = {}
        for count, calls in LATENCY.items():
            forward[count] = timed({name: partial(each, x[:count]) for name, each in nets.items()}, repeats, calls)
    steps = timed({name: stepping(each, first(split, STEP), masks.get(name)) for name, each in nets.items()}, repeats)
    print(f"\n{fraction:.0%} of each layer's units removed; training steps of {STEP}, medians, ratios to dense")
    print(f"{'':14}" + "".join(f"{label:>18}" for label, _ in COLUMNS.values()) + "  outputs from remove's")
    rows: list[Row] = []
    for name, each in nets.items():
        row = {f"forward_{count}_s": forward[count][name]["median_s"] for count in LATENCY}
        row["step_s"] = steps[name]["median_s"]
        row["parameters"] = sum(parameter.numel() for parameter in each.parameters())
        row["file_bytes"] = len(save({key: tensor.contiguous() for key, tensor in each.state_dict().items()}))
        row["forward_bytes"] = peak_bytes(each, x)
        row["difference"] = float((logits[name] - logits["remove"]).abs().max())
        rows.append({"part": "nets", "removed": fraction, "contender": name, **row})
        cells = (f"{unit * row[key]:11.2f} {row[key] / rows[0][key]:5.2f}x" for key, (_, unit) in COLUMNS.items())
        print(f"{name:14}{''.join(cells)}  {row['difference']:.1e}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="medium-conv")
    parser.add_argument("--data", default="3x32x32", help="a data set, or the shape of random images")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads, for all")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    split, classes = examples(options.data, max(*BATCHES, PROBED))
    net = started(options.model, split, classes)
    print(f"{options.model}, {options.data}, {torch.get_num_threads()} thread(s), {options.repeats} repeats")
    rows = []
    for size in BATCHES:
        rows += compare_scores(net, first(split, size), options.repeats)
    rows += compare_penalties(net, first(split, PROBED), options.repeats)
    for fraction in FRACTIONS:
        rows += compare_nets(net, split, fraction, options.repeats)
    if options.json:
        files.write_json(options.json, rows)


if __name__ == "__main__":
    main()
