"""Verification: what counts as the same, and how a difference is named."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated as A
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunelab import files
from prunelab.report import runs, verify
from prunelab.report.profiles import Run
from prunelab.report.verify import CLOSE, Comparison, Tolerance
from prunelab.tables import Table

Rows = Sequence[tuple[str, int, float]]


class Sweep(Table, key="method seed"):
    """One net pruned by one rule."""

    method: A[str, "rule"]
    seed: A[int, "seed"]
    error: A[float, "test error [percent], may be empty"]


class Timed(Sweep, name="sweep", varies=True):
    """One that another run will not repeat."""


def write(folder: Path, rows: Rows, *, value: float = 2.0, verdict: str = "reproduced", varies: bool = False) -> Path:
    """Write a run's folder with one table, and one verdict that rests on it."""
    kind = Timed if varies else Sweep
    kind.save(pd.DataFrame(rows, columns=list(kind.columns())), folder=folder / "tables")
    case = {"effect": value, "table": f"{folder.name}/tables/sweep.csv"}
    claim = {"study": "sparseness", "id": "knee", "verdict": verdict, "effect": value, "cases": [case]}
    files.write_json(folder / "claims.json", [claim])
    files.write_json(folder / "provenance.json", {"run": folder.name})
    return folder


ROWS = [("abs", 0, 1.0), ("abs", 1, 2.0), ("negative", 0, 4.0)]


def compared(old: Path, rows: Rows, tolerance: Tolerance = CLOSE, **others: Any) -> list[Comparison]:
    """Hold a run with these rows, and `others` of its claim, against an older one."""
    return verify.compare("one", old, write(old.parents[1] / "new" / "one", rows, **others), tolerance)


def outcomes(found: Sequence[Comparison]) -> dict[str, str]:
    return {one.kind: one.outcome for one in found}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write(tmp_path / "old" / "one", ROWS)


@pytest.fixture
def varying(tmp_path: Path) -> Path:
    return write(tmp_path / "old" / "one", ROWS, varies=True)


def test_the_same_bytes_are_identical(old: Path):
    found = compared(old, ROWS)

    assert outcomes(found) == {"table": "identical", "verdict": "identical"}
    assert verify.agree(found)


def test_the_worst_cell_beyond_the_tolerance_is_named_with_its_row_and_both_numbers(old: Path):
    table = compared(old, [("abs", 0, 1.1), ("abs", 1, 2.9), ("negative", 0, 4.1)], Tolerance(rtol=0.01))[0]

    assert (table.outcome, table.where) == ("different", "error at method=abs, seed=1")
    assert (table.old, table.new) == ("2.0", "2.9")
    assert not verify.agree([table])


@pytest.mark.parametrize("tolerance", [Tolerance(rtol=0.1), Tolerance(atol=0.2)], ids=["relative", "absolute"])
def test_numbers_within_the_tolerance_agree_and_the_farthest_is_still_named(old: Path, tolerance: Tolerance):
    found = compared(old, [("abs", 0, 1.0), ("abs", 1, 2.1), ("negative", 0, 4.0)], tolerance, value=2.1)

    assert outcomes(found) == dict.fromkeys(("table", "verdict"), "within tolerance")
    assert found[0].where == "error at method=abs, seed=1"
    assert found[1].where == "effect"


def test_rows_are_matched_by_their_key_whatever_their_order(old: Path):
    table = compared(old, ROWS[::-1], Tolerance(rtol=0))[0]

    assert (table.outcome, table.where) == ("within tolerance", "order of rows or columns")


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        (ROWS, ROWS[:2], "1 missing row, first method=negative, seed=0"),
        (ROWS[:1], ROWS, "2 extra rows, first method=abs, seed=1"),
    ],
)
def test_missing_and_extra_rows_are_differences(tmp_path: Path, before: Rows, after: Rows, where: str):
    table = compared(write(tmp_path / "old" / "one", before), after, Tolerance(rtol=1))[0]

    assert (table.outcome, table.where) == ("different", where)


def test_an_empty_cell_equals_an_empty_cell_alone(tmp_path: Path):
    empty = [("abs", 0, float("nan")), ("abs", 1, 1.0)]
    old = write(tmp_path / "old" / "one", empty)
    filled = [("abs", 0, 1.0), ("abs", 1, 1.0)]

    assert compared(old, empty[::-1])[0].outcome == "within tolerance"
    assert compared(old, filled, Tolerance(rtol=1))[0].outcome == "different"


def test_a_changed_verdict_is_a_difference_that_no_tolerance_covers(old: Path):
    found = compared(old, ROWS, Tolerance(rtol=10), verdict="partly", value=2.1)
    claim = next(one for one in found if one.kind == "verdict")

    assert (claim.name, claim.outcome, claim.where) == ("sparseness/knee", "different", "verdict")
    assert (claim.old, claim.new) == ("reproduced", "partly")


def test_missing_and_extra_tables_and_verdicts_are_named(old: Path, tmp_path: Path):
    new = write(tmp_path / "new" / "one", ROWS)
    (new / "claims.json").unlink()
    for suffix in (".csv", ".json"):
        (new / "tables/sweep").with_suffix(suffix).rename((new / "tables/other").with_suffix(suffix))

    found = {(one.kind, one.name): one.outcome for one in verify.compare("one", old, new, Tolerance())}

    assert found["table", "sweep"] == "missing"
    assert found["table", "other"] == "extra"
    assert found["verdict", "sparseness/knee"] == "missing"


numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(old=numbers, new=numbers)
def test_two_numbers_are_within_a_tolerance_exactly_when_their_distance_is(old: float, new: float):
    tolerance = Tolerance(rtol=0.125, atol=0.5)

    assert (tolerance.excess(old, new) <= 1) == (abs(new - old) <= 0.5 + 0.125 * abs(old))
    assert tolerance.excess(old, old) == 0


@pytest.fixture
def root(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def executed(run: Run, out: Path, *, inputs: Path | None = None) -> Path:
        """Stand in for the execution of a run: the same table each time."""
        assert all(((inputs or run.folder.parent) / name).is_dir() for name in run.inputs)
        return write(out, ROWS)

    monkeypatch.setattr(runs, "execute_run", executed)
    return root


def test_a_profile_is_run_again_and_its_scratch_folder_removed_when_all_agrees(root: Path):
    for name in ("one", "two", "total"):
        write(root / "published/results/quick" / name, ROWS)

    found = verify.verify("quick")

    assert {one.outcome for one in found} == {"identical"}
    assert len(found) == 6
    assert not (root / "results/quick/.verify").exists()


def test_a_run_is_run_again_alone_on_the_results_at_hand_and_stays_where_it_differs(root: Path):
    for name in ("one", "two"):
        write(root / "results/quick" / name, ROWS)
    write(root / "published/results/quick/total", ROWS, value=3.0)

    found = verify.verify("quick", "total")

    assert outcomes(found) == {"table": "identical", "verdict": "different"}
    assert (root / "results/quick/.verify/total").is_dir()


def test_results_at_hand_are_compared_without_running_and_a_lacking_run_is_named(root: Path, tmp_path: Path):
    for name in ("one", "two", "total"):
        write(root / "results/quick" / name, ROWS)
    shutil.copytree(root / "results/quick", tmp_path / "other")
    shutil.rmtree(root / "results/quick/two")
    write(tmp_path / "other/dropped", ROWS)

    found = verify.verify("quick", against=tmp_path / "other", execute=False)

    assert {one.name for one in found if one.outcome == "missing"} == {"two", "dropped"}
    assert {one.outcome for one in found if one.run in ("one", "total")} == {"identical"}


def test_nothing_published_is_said_in_one_line(root: Path):
    with pytest.raises(ValueError, match=r"no results to compare with in .*; publish some with: prunelab publish"):
        verify.verify("quick")


def test_a_run_that_only_shows_published_results_again_is_verified_only_when_it_is_named(root: Path):
    profile = root / "profiles/quick.yml"
    shown = "  shown: {notebook: total, parameters: {sums: ['@published/quick/one']}}\n"
    profile.write_text(profile.read_text() + shown)
    for name in ("one", "two", "total"):
        write(root / "published/results/quick" / name, ROWS)

    assert {one.run for one in verify.verify("quick")} == {"one", "two", "total"}
    assert {one.run for one in verify.verify("quick", "shown")} == {"shown"}


def test_a_table_edited_after_it_was_published_is_a_difference_and_the_others_are_still_compared(
    old: Path,
):
    table = old / "tables/sweep.csv"
    table.write_text(table.read_text().replace("4", "5"))

    found = compared(old, ROWS, Tolerance(rtol=1))

    assert outcomes(found) == {"table": "different", "verdict": "identical"}
    assert "changed after the run" in found[0].where


def test_broken_json_is_named_by_its_file(old: Path):
    (old / "claims.json").write_text("[")

    with pytest.raises(ValueError, match=r"claims\.json is not valid JSON .*; restore it or make its run again"):
        verify.compare("one", old, old, Tolerance())


def test_what_varies_from_run_to_run_is_compared_by_its_rows_and_names_alone(varying: Path):
    seconds = [(method, seed, 1.5 * error) for method, seed, error in ROWS]
    found = compared(varying, seconds, value=9.0, varies=True)

    assert outcomes(found) == dict.fromkeys(("table", "verdict"), "measured anew")
    assert verify.agree(found)


def test_a_row_too_few_is_a_difference_also_where_numbers_vary(varying: Path):
    assert outcomes(compared(varying, ROWS[:2], varies=True))["table"] == "different"


def test_another_verdict_is_a_difference_also_where_its_numbers_vary(varying: Path):
    outcome = compared(varying, ROWS, Tolerance(rtol=1), verdict="inconclusive", varies=True)
    found = {one.kind: one for one in outcome}

    assert found["verdict"].outcome == "different"
    assert (found["verdict"].where, found["verdict"].new) == ("verdict", "inconclusive")


def test_numbers_that_varied_once_and_do_no_longer_are_compared(varying: Path):
    found = compared(varying, [*ROWS[:2], ("negative", 0, 9.0)], value=9.0)

    assert outcomes(found) == {"table": "different", "verdict": "different"}


@pytest.mark.parametrize("harm", ["gone", "another key"])
def test_the_same_numbers_described_otherwise_are_a_difference(old: Path, tmp_path: Path, harm: str):
    new = write(tmp_path / "new" / "one", ROWS)
    described = new / "tables" / "sweep.json"
    if harm == "gone":
        described.unlink()
    else:
        described.write_text(described.read_text("utf-8").replace('"method",\n  "seed"', '"seed"'), "utf-8")

    assert outcomes(verify.compare("one", old, new, Tolerance()))["table"] == "different"
