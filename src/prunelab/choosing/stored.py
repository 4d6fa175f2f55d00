"""Choosing a threshold for a net on disk: from a safetensors file to a pruned one, verified on other examples."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prunelab.choosing.bench import Timer, classification, timed, verify
from prunelab.choosing.bisection import TESTS, Choice, choose
from prunelab.choosing.bounds import Bounds, Kept, worded
from prunelab.choosing.families import by_name
from prunelab.data import Images, Split, load_images
from prunelab.data.images import standardised as standardise
from prunelab.data.images import stratified
from prunelab.deploy.shrinking import smaller_spec
from prunelab.deploy.stored import NetFile, open_net, read, refuse_other_data, refuse_other_net, write
from prunelab.measure import evaluate
from prunelab.measure.latency import Call, threads
from prunelab.pruning.kinds import find
from prunelab.stats import LEVEL

SUMMARY = ("bound", "limit", "found", "at most", "verified", "held")


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
    """A pruning chosen for a stored net."""

    choice: Choice
    verified: tuple[Kept, ...]  # every bound, measured again
    arch: str  # spec of the pruned net: with fewer units, its own
    data: str
    searched: str  # examples the search looked at, in words
    checked: str  # examples it was verified on
    accuracies: tuple[float, float]  # on these, unpruned and pruned [%]
    out: Path | None  # where it was written


def choose_stored(
    path: Path,
    *,
    bounds: Bounds,
    arch: str | None = None,
    data: str | None = None,
    standardised: bool | None = None,
    family: str = "global",
    search_on: str = "validation",
    confidence: float = LEVEL,
    tests: int = TESTS,
    scoring: int = 1000,
    batch_size: int = 1,
    torch_threads: int = 1,
    timer: Timer = timed,
    device: str = "cpu",
    seed: int = 0,
    out: Path | None = None,
) -> Stored:
    """Choose a pruning of a net in a safetensors file, verify it, and write the pruned net.

    The bounds are searched on one part of the data and verified on another; sensitivities, units' scores and means are
    taken from the training part. What is written is as large as the net was, its removed weights zero, or with the
    family "units" physically smaller, under a spec of its own. `max_bytes` is of the values as `counted` says: a file
    of zeros holds more, until it is compressed.

    Args:
        path: parameters by name, as the `state_dict` of the net's spec has them, with or without our metadata.
        bounds: see `Bounds`; accuracy for `max_drop`.
        arch: spec of the net; as the file's metadata say when absent.
        data: see `prunelab.data.load_images`; as the file's metadata say when absent.
        standardised: whether the net was trained on channels of mean 0 and deviation 1 instead of pixels from 0 to 1;
            as the file's metadata say when absent, pixels where these say nothing.
        family: of `FAMILIES`.
        search_on: "validation", for nets that were not trained on that part (ours are not); "test" for others: one half
            of the test part is searched on and the other verified on.
        confidence: see `choose`.
        tests: see `choose`.
        scoring: training examples for sensitivities, scores and means.
        batch_size: of the calls whose latency is bounded.
        torch_threads: that these calls are given.
        timer: of these calls.
        device: where to measure.
        seed: of the training examples taken, and of resampling.
        out: where to write the pruned net; nowhere when absent.

    Raises:
        FileNotFoundError: no such file.
        ImpossibleError: no pruning meets a bound; a ValueError.
        ValueError: a file that does not fit the spec or the data, an unknown family, or a setting out of range.
    """
    find("family", family)
    _check_out(out, path)
    file = read(path)
    refuse_other_net(path, file.identity.get("model"), arch)
    arch, data = (_named(file, what, given) for what, given in (("model", arch), ("data", data)))
    images = load_images(data, device=device)
    scaled = bool(file.identity.get("standardised", False)) if standardised is None else standardised
    if scaled:
        images = standardise(images)
    refuse_other_data(file, images.name, images.content_id)
    fits: dict[str, Any] = {"data": images.name, "inputs": images.shape, "classes": len(images.classes)}
    dense = open_net(file, arch, **fits, device=device)
    search_part, check_part, searched, checked = _parts(images, search_on)
    if not 1 <= batch_size <= len(images.train):
        raise ValueError(f"a batch is of 1 to {len(images.train)} examples, those trained on; got {batch_size!r}")
    inputs = images.train.x[:batch_size]

    def alone(call: Call) -> Sequence[float]:
        with threads(torch_threads):
            return timer(call)

    choice = choose(
        dense,
        by_name(family, dense, _some(images.train, scoring, seed), seed=seed),
        bounds,
        metric=classification(search_part),
        inputs=inputs,
        timer=alone,
        confidence=confidence,
        tests=tests,
        seed=seed,
    )
    net = choice.pruned.net
    spec = smaller_spec(arch, net) if choice.pruned.removed else arch
    if out is not None:
        known: dict[str, object] = {"data": images.name, "data_id": images.content_id, "model": spec}
        known |= {name: file.identity[name] for name in ("seed", "step") if name in file.identity}
        known |= {"standardised": True} if scaled else {}
        write(out, net, known | {"pruning": f"{family}-{100 * choice.sparsity:.4g}"})
        net = open_net(read(out), spec, **fits, device=device)  # what was stored is what is verified
    again = verify(
        net,
        dense,
        bounds,
        metric=classification(check_part),
        inputs=inputs,
        timer=alone,
        confidence=confidence,
        seed=seed,
    )
    unpruned, left = (100 * evaluate(one, check_part).accuracy for one in (dense, net))
    return Stored(
        choice=choice,
        verified=again,
        arch=spec,
        data=images.name,
        searched=searched,
        checked=checked,
        accuracies=(unpruned, left),
        out=out,
    )


def summary(found: Stored) -> list[tuple[str, ...]]:
    """Lay a choice out in rows of text under the headings `SUMMARY`: one a bound."""
    rows: list[tuple[str, ...]] = []
    for kept, again in zip(found.choice.kept, found.verified, strict=True):
        most = "" if kept.upper is None else worded(kept.bound, kept.upper)
        values = (worded(kept.bound, value) for value in (kept.limit, kept.value, again.value))
        limit, value, verified = values
        rows.append((kept.bound, limit, value, most, verified, "yes" if again.held else "no"))
    return rows


def said(found: Stored) -> list[str]:
    """Say in sentences what was chosen and how."""
    choice = found.choice
    lines = [
        f"{choice.family}: {choice.level:,} of {choice.levels:,} {choice.step}s removed, "
        f"{worded('min_pruned', choice.sparsity)}; {len(choice.tested)} measurements"
    ]
    for name, threshold in choice.pruned.thresholds.items():
        what = "score" if choice.pruned.removed else "magnitude"
        nothing = f"{name}: nothing left; the net no longer depends on its input"
        lines.append(nothing if math.isinf(threshold) else f"{name}: smallest {what} kept {threshold:.4g}")
    if any(kept.bound == "max_drop" for kept in choice.kept):
        lines.append(f"searched on {found.searched}, verified on {found.checked}")
    unpruned, pruned = found.accuracies
    lines.append(f"accuracy on {found.checked}: {unpruned:.2f} % unpruned, {pruned:.2f} % pruned")
    if found.out is not None:
        lines.append(f"{found.out}: {found.arch} on {found.data}")
    return lines


def _check_out(out: Path | None, path: Path) -> None:
    """Refuse a place that cannot be written to, before anything is measured."""
    if out is None:
        return
    if out.resolve() == path.resolve():
        raise ValueError(f"the pruned net is written beside the one it is made of; both would be {path}: name another")
    if out.is_dir():
        raise ValueError(f"out names a file; {out} is a folder: name one in it, as {out / 'pruned.safetensors'}")
    if out.exists():
        raise ValueError(f"a pruned net replaces nothing; {out} is there already: name another, or move it away")
    nearest = next(folder for folder in out.resolve().parents if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise ValueError(f"the pruned net cannot be written to {out}: {nearest} is no folder that may be written to")


def _named(file: NetFile, what: str, given: str | None) -> str:
    """Take what is given, or what the file says of itself."""
    name = given or file.identity.get(what)
    if not isinstance(name, str):
        option = {"model": "arch, as in lenet-300-100", "data": "data, as in mnist"}[what]
        raise ValueError(f"{file.path} does not say its {what}: give its {option}")
    return name


def _parts(images: Images, search_on: str) -> tuple[Split, Split, str, str]:
    """Give the examples to search and to verify on, and each in words."""
    if search_on == "validation":
        parts, names = (images.validation, images.test), ("validation", "test")
    elif search_on == "test":
        first = torch.from_numpy(stratified(images.test.y.cpu().numpy(), 0.5)).to(images.test.y.device)
        parts, names = (_taken(images.test, first), _taken(images.test, ~first)), ("test, one half", "test, the other")
    else:
        raise ValueError(f'a search looks at the "validation" or the "test" part; got {search_on!r}')
    searched, checked = (f"{len(part):,} examples ({name})" for part, name in zip(parts, names, strict=True))
    return *parts, searched, checked


def _taken(split: Split, which: Tensor) -> Split:
    return Split(x=split.x[which], y=split.y[which])


def _some(split: Split, count: int, seed: int) -> Split:
    """Draw examples of the training part, which may lie in the order of their classes."""
    if count < 1:
        raise ValueError(f"scores are taken from at least 1 training example; got {count!r}")
    drawn = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))[:count]
    return _taken(split, drawn.to(split.y.device))
