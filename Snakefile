"""The run graph: every run of a profile after the runs it needs, then the book of them all.

    snakemake --cores 2                         # the book of profile quick
    snakemake --cores 2 --config profile=full   # the book of profile full
    snakemake --cores 2 results/quick/.done/NAME    # one run and what it needs

On a cluster the config's `cores` says how many a job takes at most: prunelab build --executor slurm passes it.

A job's output is a stamp that holds the digest of what the job left. Snakemake deletes declared outputs before
a job starts and after it failed, which must never touch results that stand: so it never hears of them. In turn a
stamp whose results were deleted or edited is dropped below, before Snakemake looks.
"""

import json
import os
import sys

from prunelab.report import book, execute, graph, profiles, provenance, runs

# The project of this file, wherever Snakemake was called from; its jobs are told too.
os.environ["PRUNELAB_ROOT"] = str(workflow.basedir)


workdir: workflow.basedir


# Not among the parameters of a job: the same interpreter goes by several names.
PYTHON = sys.executable
PROFILE = profiles.read(config.get("profile", "quick"))
CORES = int(config.get("cores", 0)) or workflow.cores

# Jobs that run elsewhere read this file again: only the driver holds the lock, for as long as it lives. A dry run
# need not wait for it, and shows stamps as they are; Snakemake itself does not know yet that it is one.
DRY = not {"-n", "--dry-run", "--dryrun"}.isdisjoint(sys.argv)
if workflow.is_main_process and not DRY:
    DRIVER = execute.locked(
        profiles.results(PROFILE.name) / ".done" / ".lock",
        f"waiting for another build of profile {PROFILE.name} to end",
    )
    DRIVER.__enter__()
    graph.follow()
    runs.drop_stale_stamps(PROFILE)
    book.drop_stale_stamp(PROFILE)


def here(path):
    return os.path.relpath(path, workflow.basedir)


rule book:
    input:
        [here(runs.stamp(run)) for run in PROFILE.runs],
        [here(path) for path in book.sources()],
    output:
        here(book.stamp(PROFILE.name)),
    params:
        profile=PROFILE.name,
        epoch=provenance.commit_time(),
    threads: CORES
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "{PYTHON:q} -m prunelab.report.start prunelab.report.book {params.profile} {threads}"


def asked(wildcards):
    return PROFILE.run(wildcards.run)


def needs(wildcards):
    run = asked(wildcards)
    stamps = (runs.stamp(PROFILE.run(name)) for name in run.inputs)
    return [here(path) for path in (*runs.sources_of(run), *stamps)]


def cores(wildcards):
    return PROFILE.cores(asked(wildcards), CORES)


def parameters(wildcards):
    return json.dumps(dict(asked(wildcards).parameters), sort_keys=True, default=str)


rule run:
    input:
        needs,
    output:
        here(profiles.results("{profile}") / ".done" / "{run}"),
    wildcard_constraints:
        profile="|".join({run.profile for run in PROFILE.runs}),
        run="[a-z0-9-]+",
    params:
        parameters=parameters,
    threads: cores
    resources:
        mem_mb=lambda wildcards, threads: runs.resources(asked(wildcards), threads)["mem_mb"],
        runtime=lambda wildcards, threads: runs.resources(asked(wildcards), threads)["runtime"],
        gpu=lambda wildcards, threads: runs.resources(asked(wildcards), threads).get("gpu", 0),
        slurm_extra=lambda wildcards, threads: runs.resources(asked(wildcards), threads).get("slurm_extra", ""),
    shell:
        "{PYTHON:q} -m prunelab.report.start prunelab.cli run {wildcards.run} -P {wildcards.profile} --unless-finished"
        " --at-once {threads}"
