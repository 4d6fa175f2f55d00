"""What pruned nets gain on hardware, put together from several runs."""

import json
from pathlib import Path

import pandas as pd
import pytest

import made_hardware as made
from prunelab import records
from prunelab.studies import functions
from prunelab.studies.common import runs as common_runs
from prunelab.studies.hardware.tables import CROSSOVER_COLUMNS, CROSSOVER_KEY, LATENCY_COLUMNS, LATENCY_KEY
from prunelab.studies.hardware.times import crossover_table, latency_table


@pytest.mark.parametrize(
    ("runs", "names"),
    [(["a"], []), (["a", "b"], ["lenet", "lenet"]), (["a"], ["LeNet"]), (["a"], [""])],
    ids=["none", "twice", "capitals", "empty"],
)
def test_each_run_has_a_name_of_its_own(runs: list[str], names: list[str]) -> None:
    with pytest.raises(ValueError, match="each run has a name of its own"):
        functions.read(runs, names)


def test_a_run_that_lacks_a_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="forms"):
        functions.read([str(tmp_path)], ["lenet"])


def test_measured_times_are_kept_as_varying_and_described_as_in_their_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = made.rounds(seeds=2)
    latency, crossovers = latency_table(rounds), crossover_table(rounds)
    tables = tmp_path / "run" / "tables"
    records.save_table(latency, "latency", key=LATENCY_KEY, columns=LATENCY_COLUMNS, folder=tables, varies=True)
    records.save_table(crossovers, "crossovers", key=CROSSOVER_KEY, columns=CROSSOVER_COLUMNS, folder=tables)
    monkeypatch.chdir(tmp_path)
    for name, table in (("latency", latency), ("crossovers", crossovers)):
        common_runs.keep(table, name, folder="run", of=name)

    about = {name: json.loads(Path(f"tables/{name}.json").read_text("utf-8")) for name in ("latency", "crossovers")}
    assert about["latency"]["varies"]
    assert "varies" not in about["crossovers"]
    assert about["latency"]["columns"] == dict(LATENCY_COLUMNS)
    pd.testing.assert_frame_equal(records.load_table(Path("tables/latency.csv")), latency, check_dtype=False)
