"""What pruned nets gain on hardware, put together from several runs."""

import json
from pathlib import Path

import pandas as pd
import pytest

import made_hardware as made
from prunelab import tables
from prunelab.studies.hardware import summary
from prunelab.studies.hardware.tables import Crossovers, Forms, Latency, Memory, Times
from prunelab.studies.hardware.times import crossover_table, latency_table, time_table


def run(folder: Path, model: str) -> str:
    """Leave what a run of the notebook leaves, of a system that keeps no memory; give its folder."""
    rounds = made.rounds(seeds=2, batches=(1,), threads=(1,)).assign(model=model)
    left = {Times: time_table(rounds), Latency: latency_table(rounds), Crossovers: crossover_table(rounds)}
    left[Forms] = made.forms(seeds=2).assign(model=model)
    left[Memory] = left[Times].assign(held_bytes=None, peak_bytes=None)
    for table, rows in left.items():
        table.save(table.frame(rows), folder=folder / "tables")
    return str(folder)


@pytest.mark.parametrize(
    ("runs", "names"),
    [(["a"], []), (["a", "b"], ["lenet", "lenet"]), (["a"], ["LeNet"]), (["a"], [""])],
    ids=["none", "twice", "capitals", "empty"],
)
def test_each_run_has_a_name_of_its_own(runs: list[str], names: list[str]) -> None:
    with pytest.raises(ValueError, match="each run has a name of its own"):
        summary.read(runs, names)


def test_a_run_that_lacks_a_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="forms"):
        summary.read([str(tmp_path)], ["lenet"])


def test_tables_of_several_nets_are_kept_together_and_measured_times_as_varying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nets = summary.read([run(tmp_path / name, name) for name in ("one", "other")], ["lenet", "conv"])
    summary.save(nets)
    latency = tables.load(Path("tables/latency.csv"))

    assert list(nets) == ["lenet", "conv"]
    pd.testing.assert_frame_equal(latency[latency["model"] == "one"], nets["lenet"]["latency"])
    assert len(latency) == 2 * len(nets["conv"]["latency"])
    varying = {path.stem for path in Path("tables").glob("*.json") if "varies" in json.loads(path.read_text("utf-8"))}
    assert varying == {"times", "latency", "crossovers", "memory"}


def test_what_is_counted_is_averaged_over_nets() -> None:
    found = summary.forms_summary(made.forms()).set_index(["pruning", "form", "sparsity_asked"])
    whole, shrunk = found.loc[("none", "dense", 0.0)], found.loc[("units", "shrunk", 0.98)]

    # 98, 98.1 and 98.2: s = .1, half the width t(.975, 2) · .1 / √3 = .248.
    assert whole[["accuracy_percent", "low", "high"]].tolist() == pytest.approx([98.1, 97.852, 98.348], abs=1e-3)
    assert shrunk["accuracy_percent"] == pytest.approx(98.1 - 50 * 0.98**3)
    assert shrunk["file_kib"] == pytest.approx(4 * 5324 / 1024)
    assert found.loc[("weights", "csr-torch", 0.5), "flops_thousand"] == pytest.approx(266.2)
    assert set(found["nets"]) == {3}
