"""Commands of `prunelab` on a user's own stored net: choose a pruning, make it smaller. A thin layer, as `cli` is."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

FAILED = 1


def choose(
    model: Annotated[Path, typer.Argument(help="Parameters as safetensors: of a run, or a plain state_dict.")],
    arch: Annotated[str | None, typer.Option(help="The net, as lenet-300-100. Default: as the file says.")] = None,
    data: Annotated[str | None, typer.Option(help="Data set, a name or path. Default: as the file says.")] = None,
    standardised: Annotated[
        bool | None,
        typer.Option(
            "--standardised/--raw", help="Trained on channels of mean 0, deviation 1. Default: as the file says."
        ),
    ] = None,
    max_accuracy_drop: Annotated[float | None, typer.Option(min=0, help="Points of accuracy to lose at most.")] = None,
    max_parameters: Annotated[int | None, typer.Option(min=0, help="Weights kept and all biases.")] = None,
    max_bytes: Annotated[int | None, typer.Option(min=0, help="Of their values, dense or CSR, the smaller.")] = None,
    max_flops: Annotated[int | None, typer.Option(min=0, help="Operations of one example, 2 a kept weight.")] = None,
    min_pruned: Annotated[float | None, typer.Option(min=0, max=100, help="Weights to remove at least, %.")] = None,
    max_pruned: Annotated[float | None, typer.Option(min=0, max=100, help="Weights to remove at most, %.")] = None,
    max_latency_ms: Annotated[float | None, typer.Option(min=0, help="Median of one call.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples in such a call.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of such a call.")] = 1,
    family: Annotated[str, typer.Option(help="global, quality, sensitivity or units.")] = "global",
    confidence: Annotated[float, typer.Option(help="With which a drop stays within its bound.")] = 0.95,
    tests: Annotated[int, typer.Option(min=1, help="Prunings measured at most.")] = 10,
    search_on: Annotated[
        str,
        typer.Option(help="validation; or test (one half, verified on the other), for a net trained on validation."),
    ] = "validation",
    out: Annotated[Path | None, typer.Option(help="Where to write the pruned net (safetensors).")] = None,
) -> None:
    """Choose a pruning of a stored net by bounds on what it may cost, verify it on other examples, write it.

    [bold]Examples[/bold]: prunelab choose model.safetensors --arch lenet-300-100 --data mnist --max-accuracy-drop 0.5 ·
    prunelab choose model.safetensors --max-accuracy-drop 1 --max-bytes 300000 --out pruned.safetensors
    """
    from prunelab.choosing import Bounds, stored
    from prunelab.report import doctor

    bounds = Bounds(
        max_drop=max_accuracy_drop,
        max_parameters=max_parameters,
        max_bytes=max_bytes,
        max_flops=max_flops,
        min_pruned=None if min_pruned is None else min_pruned / 100,
        max_pruned=None if max_pruned is None else max_pruned / 100,
        max_latency_ms=max_latency_ms,
    )
    found = stored.choose_stored(
        model,
        bounds=bounds,
        arch=arch,
        data=data,
        standardised=standardised,
        family=family,
        search_on=search_on,
        confidence=confidence,
        tests=tests,
        batch_size=batch_size,
        torch_threads=threads,
        out=out,
    )
    doctor.table(stored.SUMMARY, stored.summary(found))
    print("\n".join(stored.said(found)))
    if not all(kept.held for kept in found.verified):
        raise typer.Exit(FAILED)


def shrink(
    net: Annotated[Path, typer.Argument(help="A pruned net, safetensors.")],
    data: Annotated[str, typer.Option(help="What it was trained on: a name or a path.")],
    arch: Annotated[str | None, typer.Option(help="Its spec; may be left out where the file says it.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path(),
    standardised: Annotated[
        bool, typer.Option("--standardised/--raw", help="Channels of mean 0, deviation 1.")
    ] = False,
    onnx: Annotated[bool, typer.Option("--onnx/--no-onnx", help="Export too.")] = True,
    tolerance: Annotated[float, typer.Option(min=0, help="Of outputs, as a share of the largest.")] = 1e-4,
) -> None:
    """Write the physically smaller net that a pruned one is, and prove on the test part that both compute the same.

    [bold]Example[/bold]: prunelab shrink pruned.safetensors --arch lenet-300-100 --data mnist --out smaller
    """
    from prunelab.deploy import shrink_stored
    from prunelab.studies.hardware.nets import load

    images = load(data, standardised=standardised)
    found = shrink_stored(net, arch=arch, images=images, out=out, onnx=onnx, tolerance=tolerance)
    print(json.dumps(dataclasses.asdict(found), indent=1, default=str))
