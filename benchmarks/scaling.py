"""How long does a profile take on so many cores? Its measured durations, scheduled as its graph allows.

A run starts when those it needs are finished and as many cores are free as the graph gives it: one a thread, or one a
net that it works on beside others, which divides its time; of several, the one with the longest way to the end first.
The durations are those in the runs' records, where the profile was built here, else those
published, and what a job takes besides to start and to end. Snakemake's own start and the pages come to it, as long for
every number of cores. A profile that was built here from nothing is timed by its records: from its first run's start to
the end of its last.

    python benchmarks/scaling.py [--profile full] [--cores 1 2 4 8 16 64] [--json FILE]
"""

import argparse
import heapq
import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from prunelab import files, project
from prunelab.report import profiles
from prunelab.report.profiles import Run

BETWEEN = 1.0  # seconds that a core is taken by a run besides what its record says: its driver's start and end


def durations(plan: profiles.Profile) -> dict[str, float]:
    """Read how long each run took, in seconds; runs that only draw published tables took no time that was recorded."""
    found = {}
    for run in plan.runs:
        places = (profiles.results(run.profile), project.published() / "results" / plan.name)
        records = [place / run.name / "provenance.json" for place in places]
        record = next((path for path in records if path.is_file()), None)
        found[run.name] = json.loads(record.read_text(encoding="utf-8"))["wall_seconds"] if record else 0.0
    return found


def built(plan: profiles.Profile, seconds: Mapping[str, float]) -> float | None:
    """Give the seconds from the first run's start to the last one's end, where all of them were made here."""
    records = {run.name: run.folder / "provenance.json" for run in plan.runs}
    if not all(path.is_file() for path in records.values()):
        return None
    ends = {name: path.stat().st_mtime for name, path in records.items()}
    return max(ends.values()) - min(end - seconds[name] for name, end in ends.items())


def lasting(plan: profiles.Profile, seconds: Mapping[str, float], cores: int) -> dict[str, float]:
    """Give how long each run takes with the cores it is given, in seconds; the records are of one core."""
    found = {}
    for run in plan.runs:
        parts = plan.cores(run, 1_000_000)
        at_once = 1 if run.alone or run.threads > 1 else plan.cores(run, cores)
        found[run.name] = BETWEEN + seconds[run.name] * (math.ceil(parts / at_once) / parts if at_once > 1 else 1)
    return found


def ways(runs: Sequence[Run], seconds: Mapping[str, float]) -> dict[str, float]:
    """Give each run's longest way to the end, itself included, in seconds."""
    followers = {run.name: [other.name for other in runs if run.name in other.inputs] for run in runs}

    @cache
    def way(name: str) -> float:
        return seconds[name] + max((way(other) for other in followers[name]), default=0.0)

    return {run.name: way(run.name) for run in runs}


def scheduled(plan: profiles.Profile, seconds: Mapping[str, float], cores: int) -> tuple[float, float]:
    """Give the wall time in seconds, and the cores at work times theirs."""
    lasts = lasting(plan, seconds, cores)
    order = ways(plan.runs, lasts)
    waiting = sorted(plan.runs, key=lambda run: -order[run.name])
    finished: set[str] = set()
    at_work: list[tuple[float, str, int]] = []
    now, busy, free = 0.0, 0.0, cores
    while waiting or at_work:
        for run in list(waiting):
            needed = min(plan.cores(run, cores), cores)
            if needed <= free and finished.issuperset(run.inputs):
                heapq.heappush(at_work, (now + lasts[run.name], run.name, needed))
                waiting.remove(run)
                free -= needed
        now, name, needed = heapq.heappop(at_work)
        finished.add(name)
        free += needed
        busy += lasts[name] * needed
    return now, busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="full")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2, 4, 8, 16, 64])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    plan = profiles.read(asked.profile)
    seconds = durations(plan)
    longest = max(ways(plan.runs, lasting(plan, seconds, max(asked.cores))).values())
    print(f"{plan.name}: {len(plan.runs)} runs, {sum(seconds.values()) / 60:.1f} min one after another")
    if (measured := built(plan, seconds)) is not None:
        print(f"built here, perhaps not from nothing: {measured / 60:.1f} min from the first start to the last end")
    print(f"longest chain on {max(asked.cores)} cores: {longest / 60:.1f} min")
    rows = []
    for cores in asked.cores:
        wall, busy = scheduled(plan, seconds, cores)
        rows.append({"cores": cores, "minutes": wall / 60, "efficiency": busy / (cores * wall)})
        print(f"{cores:4d} cores  {wall / 60:7.1f} min  {100 * busy / (cores * wall):4.0f} % of the cores taken")
    if asked.json:
        files.write_json(asked.json, rows)


if __name__ == "__main__":
    main()
