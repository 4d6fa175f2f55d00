"""The command line: `prunelab`. A thin layer over `prunelab.report` and `prunelab.data`."""

import dataclasses
import errno
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from prunelab.report import notebooks, profiles

FAILED, BAD_INPUT = 1, 2

_CODES = """
Exit codes: 0 done; 1 a run failed, or results differ; 2 the request cannot be met as it is; 130 Ctrl-C; 143 SIGTERM.
"""
app = typer.Typer(
    name="prunelab",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    epilog=_CODES,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Data sets: what there is, where it is, how to get it.", invoke_without_command=True)
app.add_typer(data_app, name="data")

ProfileName = Annotated[str, typer.Option("--profile", "-P", help="A profile: profiles/NAME.yml.")]
OneRun = Annotated[str | None, typer.Option("--run", help="One run of the profile; default: all.")]
Given = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A parameter, as YAML: -p seeds='[0, 1]'."),
]
Cores = Annotated[int, typer.Option(min=1, help="Notebooks at a time, times the threads of each.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback()
def about() -> None:
    """Neural-network pruning, measured: run the notebooks, build the report, hold it against what was published."""


@app.command("list")
def list_(
    profile: Annotated[str | None, typer.Option("--profile", "-P", help="Show its runs instead.")] = None,
) -> None:
    """List the notebooks, or the runs of a profile.

    [bold]Examples[/bold]: prunelab list · prunelab list --profile full
    """
    from prunelab.report import doctor as examination

    if profile is None:
        titles = [(name, notebooks.title(notebooks.read(name))) for name in notebooks.names()]
        examination.table(("notebook", "question"), titles)
        print(f"profiles: {', '.join(profiles.names())}")
        return
    plan = profiles.read(profile)
    rows = [(run.name, run.notebook, ", ".join(run.inputs), json.dumps(dict(run.parameters))) for run in plan.runs]
    examination.table(("run", "notebook", "after", "parameters"), rows, title=plan.description)


@app.command()
def params(notebook: str) -> None:
    """List the parameters of a notebook: name, type, default, meaning.

    [bold]Example[/bold]: prunelab params threshold-sweep
    """
    from prunelab.report import doctor as examination
    from prunelab.report import parameters

    declared = parameters.declared(notebooks.read(notebook))
    rows = [(one.name, one.type, repr(one.default), one.help) for one in declared]
    examination.table(("name", "type", "default", "meaning"), rows)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="A notebook, or with --profile the name of a run.")],
    parameter: Given = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Parameters in a YAML or JSON file.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", "-P", help="Make this run of the profile.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results. Default: results/custom/NAME.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of a notebook; default 1. Profiles state theirs.")] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Seeds or nets at a time, each on a core of its own.")] = 1,
    unless_finished: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Execute a notebook with parameters of your own, or a run of a profile.

    A run of a profile goes to results/PROFILE/NAME; with other parameters or --out, it leaves that folder alone.

    [bold]Examples[/bold]: prunelab run threshold-sweep -p data=mnist -p seeds='[0, 1, 2]' ·
    prunelab run threshold-sweep --profile full · prunelab run threshold-sweep -f mine.yml --out mine
    """
    from prunelab.report import parameters, runs

    # What is typed wins over what is filed.
    given = {**(parameters.read_file(file) if file else {}), **parameters.parse(parameter or [])}
    if profile is None:
        folder = runs.of_notebook(name, given, out=out, threads=threads or 1, at_once=at_once)
    elif threads is not None:
        raise ValueError(f"a profile states the threads of its runs, in profiles/{profile}.yml; not --threads")
    elif given or out:
        folder = runs.changed(profile, name, given, out=out, at_once=at_once)
    elif unless_finished:
        print(runs.of_graph(profile, name, at_once=at_once), file=sys.stderr)
        return
    else:
        folder = runs.of_profile(profile, name, at_once=at_once)
    print(_short(folder))


@app.command()
def build(
    runs: Annotated[list[str] | None, typer.Argument(help="Only these runs and those they need, no book.")] = None,
    profile: ProfileName = "quick",
    cores: Cores = 2,
    keep_going: Annotated[bool, typer.Option(help="Finish what does not depend on a failed run.")] = True,
    executor: Annotated[str, typer.Option(help="What runs the jobs: a plugin of Snakemake, as slurm.")] = "local",
    snakemake: Annotated[list[str] | None, typer.Option(help="Options handed to Snakemake as they are.")] = None,
) -> None:
    """Run what is not finished of a profile, then build the book. Interrupted, it goes on where it stopped.

    [bold]Examples[/bold]: prunelab build · prunelab build --profile full --cores 8 · prunelab build threshold-sweep ·
    prunelab build --profile full --executor slurm --snakemake "--default-resources slurm_account=me"
    """
    from prunelab.report import graph

    options = [word for given in snakemake or () for word in shlex.split(given)]
    settings: dict[str, Any] = {"keep_going": keep_going, "executor": executor, "options": options}
    print(_short(graph.build(profile, cores, runs or (), **settings)))


@app.command()
def publish(profile: ProfileName = "full", run: OneRun = None) -> None:
    """Freeze the tables, verdicts and provenance of finished runs in published/results/.

    [bold]Examples[/bold]: prunelab publish · prunelab publish --run threshold-sweep
    """
    from prunelab.report import publish as publishing

    for folder in publishing.publish(profile, run):
        print(_short(folder))


@app.command()
def verify(
    profile: ProfileName = "full",
    run: OneRun = None,
    against: Annotated[Path | None, typer.Option(help="A folder of runs. Default: the published results.")] = None,
    execute: Annotated[bool, typer.Option("--run-again/--no-run", help="Or compare the results at hand.")] = True,
    rtol: Annotated[float, typer.Option(min=0, help="Relative distance allowed between numbers.")] = 1e-6,
    atol: Annotated[float, typer.Option(min=0, help="Absolute distance allowed, in the number's unit.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Run again and compare every table and verdict with what was published. Exit code 1 where they differ.

    [bold]Examples[/bold]: prunelab verify · prunelab verify --run threshold-sweep --atol 0.05 ·
    prunelab verify --profile quick --no-run --against ../other/results/quick
    """
    from prunelab.report import doctor as examination
    from prunelab.report import verify as verifying

    tolerance = verifying.Tolerance(rtol=rtol, atol=atol)
    found = verifying.verify(profile, run, against=against, execute=execute, tolerance=tolerance)
    show = _as_json if as_json else examination.comparisons
    show(found)
    if not verifying.agree(found):
        raise typer.Exit(FAILED)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed and which data is at hand, what is missing, and how to get it.

    Exit code 1 where something is missing that every use of Prunelab needs.
    """
    from prunelab.report import doctor as examination

    found = examination.examine()
    show = _as_json if as_json else examination.checks
    show(found)
    if any(one.required and one.state == examination.MISSING for one in found):
        raise typer.Exit(FAILED)


@app.command()
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
    from prunelab.report import doctor as examination

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
    examination.table(stored.SUMMARY, stored.summary(found))
    print("\n".join(stored.said(found)))
    if not all(kept.held for kept in found.verified):
        raise typer.Exit(FAILED)


@app.command()
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
    from prunelab.data import load_images
    from prunelab.data.images import standardised as scaled
    from prunelab.deploy import shrink_stored

    images = scaled(load_images(data)) if standardised else load_images(data)
    found = shrink_stored(net, arch=arch, images=images, out=out, onnx=onnx, tolerance=tolerance)
    print(json.dumps(dataclasses.asdict(found), indent=1, default=str))


@data_app.callback()
def data_status(context: typer.Context) -> None:
    """Data sets: what there is, where it is, how to get it."""
    if context.invoked_subcommand is not None:
        return
    from prunelab import data
    from prunelab.report import doctor as examination

    rows = [
        (one.name, one.holds, one.licence, str(one.where or one.problem or f"missing: {one.get}"))
        for one in data.status()
    ]
    examination.table(("name", "holds", "licence", "where"), rows)


@data_app.command("get")
def data_get(name: str) -> None:
    """Download a data set, check it, and keep it in the user's cache.

    [bold]Example[/bold]: prunelab data get mnist
    """
    from prunelab import data

    print(data.get(name))


@data_app.command("verify")
def data_verify(source: Annotated[str, typer.Argument(help="A name, or a path to a folder or archive.")]) -> None:
    """Read a data set whole and check it against its published identity.

    [bold]Examples[/bold]: prunelab data verify mnist · prunelab data verify fsdd · prunelab data verify ./my-images.zip
    """
    from prunelab import data

    found = data.verify(source)
    print(f"{found.name}: {found.holds}, content {found.content_id}")


_MENDED = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some space, or write elsewhere",
    errno.ENAMETOOLONG: "give it a shorter name",
}


def main() -> None:
    """Run the command line; errors that a user can mend become one line on stderr."""
    try:
        app()
    except Exception as error:
        from prunelab.report.execute import RunError
        from prunelab.report.graph import BuildError

        if not isinstance(error, (RunError, ValueError, OSError)):
            raise
        # A build's jobs have told of their errors already, each when it failed.
        said = error.rest if isinstance(error, BuildError) else str(error)
        if isinstance(error, OSError) and error.strerror:  # of the operating system, which names a number
            where = f"{str(error.filename)[:80]!r}: " if error.filename else ""
            said = f"{where}{error.strerror.lower()}; {_MENDED.get(error.errno or 0, 'check the path and its rights')}"
        if said:
            print(f"error: {' '.join(said.split())}", file=sys.stderr)
        sys.exit(FAILED if isinstance(error, RunError) else BAD_INPUT)


def _as_json(found: Sequence[Any]) -> None:
    """Print records as a JSON list."""
    print(json.dumps([dataclasses.asdict(one) for one in found], indent=1, ensure_ascii=False))


def _short(path: Path) -> str:
    """Write a path from the current folder where it lies below it."""
    here = Path.cwd().resolve()
    return str(path.resolve().relative_to(here)) if path.resolve().is_relative_to(here) else str(path)


if __name__ == "__main__":
    main()
