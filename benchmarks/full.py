"""What do a profile's runs cost, against nothing but the matrix products of their training steps?

Every part of a run (a net, a seed) leaves a record of its processor time and of what its training steps multiplied,
beside the results. The same products are computed once more here, on tensors of the same shapes, and their time set
against the part's. What a part does besides training steps counts too: measuring, pruning, preparing data.

    python benchmarks/full.py [--results results/full] [--seconds 0.2] [--json FILE]
"""

import argparse
import json
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from prunelab import files, project
from prunelab.train.products import replayed

LIMIT = 1.6  # times the products; what takes more is to be explained
SHOWN = 10.0  # seconds of processor time from which a run is expensive


@cache
def seconds_of(products: str, at_least: float) -> float:
    """Time the products of one step, in JSON: seconds, the least of several rounds that take so long together."""
    work = replayed(json.loads(products))
    best, total = float("inf"), 0.0
    while total < at_least:
        start = time.process_time()
        for multiply in work:
            multiply()
        taken = time.process_time() - start
        best, total = min(best, taken), total + max(taken, 1e-6)
    return best


def cost_of(run: str, records: Sequence[dict[str, Any]], at_least: float) -> dict[str, Any]:
    """Add up the records of a run's parts: steps, seconds of the processor, and those of the bare products."""
    trained = [one for record in records for one in record["trained"]]
    bare = sum(one["steps"] * seconds_of(json.dumps(one["products"]), at_least) for one in trained)
    spent = sum(record["cpu_seconds"] for record in records)
    steps = sum(one["steps"] for one in trained)
    return {"run": run, "parts": len(records), "steps": steps, "cpu_s": spent, "products_s": bare}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=project.root() / "results" / "full", help="of a profile's runs")
    parser.add_argument("--seconds", type=float, default=0.2, help="that the products of a step are timed for")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for place in sorted((asked.results / ".kept").iterdir()):
        records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(place.glob("*/*/work.json"))]
        if records:
            rows.append(cost_of(place.name, records, asked.seconds))
    rows.sort(key=lambda row: -row["cpu_s"])
    print(f"{'run':28} {'parts':>5} {'steps':>8} {'CPU s':>8} {'products':>9} {'ratio':>6}")
    for row in rows:
        ratio = row["cpu_s"] / row["products_s"] if row["products_s"] else float("inf")
        note = "  above the limit" if ratio > LIMIT and row["cpu_s"] >= SHOWN else ""
        print(
            f"{row['run']:28} {row['parts']:5d} {row['steps']:8d} {row['cpu_s']:8.1f} {row['products_s']:9.1f} "
            f"{ratio:6.2f}{note}"
        )
    if asked.json:
        files.write_json(asked.json, rows)


if __name__ == "__main__":
    main()
