import hashlib
import json
from pathlib import Path
from typing import Annotated as A
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prunelab import tables
from prunelab.tables import Table

FULL = Path(__file__).parents[1] / "published" / "results" / "full"


class Net(Table):
    """One net."""

    model: A[str, "the net"]
    seed: A[int, "of training"]


class Kept(Table):
    """Whether a net was kept."""

    kept: A[bool, "whether it was kept"] = True


class Rows(Kept, Net, key="model seed"):
    """One net pruned once."""

    sparsity: A[float, "weights removed [fraction]"]
    asked: A[float | None, "the same as asked; may be empty [fraction]"] = None


ROWS = [
    Rows(model="a", seed=0, sparsity=0.1, asked=0.1),
    Rows(model="a", seed=1, sparsity=1),
    Rows(model="b", seed=0, sparsity=0),
]


@pytest.fixture
def table(tmp_path):
    Rows.save(ROWS, folder=tmp_path)
    return tmp_path / "rows.csv"


# ---------------------------------------------------------------------------------------------- the declaration


def test_columns_are_those_of_the_last_base_first_and_a_class_s_own_last():
    assert Rows.columns() == {
        "model": "the net",
        "seed": "of training",
        "kept": "whether it was kept",
        "sparsity": "weights removed [fraction]",
        "asked": "the same as asked; may be empty [fraction]",
    }
    assert (Rows.key, Rows.table_name, Rows.varies) == (("model", "seed"), "rows", False)


def test_a_subclass_takes_over_the_key_and_may_say_a_column_anew_in_its_place():
    class LargestRows(Rows, varies=True):
        """The largest."""

        seed: A[int, "of the largest"]

    assert list(LargestRows.columns()) == list(Rows.columns())
    assert LargestRows.columns()["seed"] == "of the largest"
    assert (LargestRows.key, LargestRows.table_name, LargestRows.varies) == (Rows.key, "largest-rows", True)


@pytest.mark.parametrize("annotation", [int, A[int, 3], A[list, "a list"], A[int | str, "either"], A[int, "a", "b"]])
def test_a_column_without_one_type_and_one_description_is_refused(annotation):
    with pytest.raises(TypeError, match=r"a column is declared as depth: Annotated.*Wrong has"):
        type("Wrong", (Table,), {"__annotations__": {"depth": annotation}, "__module__": __name__})


def test_a_column_named_as_a_method_is_refused():
    with pytest.raises(TypeError, match="not named as what every Table has; Wrong has 'save'"):
        type("Wrong", (Table,), {"__annotations__": {"save": A[int, "a number"]}, "__module__": __name__})


def test_a_key_is_made_of_columns():
    with pytest.raises(
        ValueError, match=r"the key of Deep is made of its columns \['model', 'seed'\]; got \['depth'\]"
    ):

        class Deep(Net, key="model depth"):
            """A deep net."""

    with pytest.raises(ValueError, match="the key of net names at least one column; got none"):
        Net.frame([Net(model="a", seed=0)])


# --------------------------------------------------------------------------------------------------- from rows


def test_rows_may_be_instances_mappings_or_a_frame():
    frame = Rows.frame(ROWS)
    mappings = frame.astype(object).where(frame.notna(), None).to_dict("records")

    pd.testing.assert_frame_equal(Rows.frame(mappings), frame)
    pd.testing.assert_frame_equal(Rows.frame(frame.assign(more=1)[["more", *reversed(list(frame))]]), frame)


def test_whole_numbers_and_empty_cells_of_a_float_column_are_floats():
    for rows in ([Rows(model="a", seed=0, sparsity=1)], [{"model": "a", "seed": 0, "sparsity": 1, "kept": True}]):
        frame = Rows.frame(rows)

        assert (frame["sparsity"].dtype, frame["asked"].dtype) == (float, float)
    assert Rows.frame(pd.DataFrame({**rows[0], "asked": [None]}))["asked"].dtype == float


def test_a_table_without_rows_is_empty_only_where_that_is_said():
    with pytest.raises(ValueError, match=r"a table has at least one row; rows got none: did the loops .* right run\?"):
        Rows.frame([])

    assert list(Rows.frame([], may_be_empty=True)) == list(Rows.columns())


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([ROWS[0], ROWS[0]], ValueError, "model=a, seed=0 is there twice"),
        ([ROWS[0], "b"], TypeError, "the rows of rows are instances of Rows or mappings; got <class .str.>"),
        ([Net(model="a", seed=0)], TypeError, "the rows of rows are instances of Rows"),
        ([{"model": "a", "depth": 3}], ValueError, r"got also \['depth'\]: declare them"),
        (pd.DataFrame({"model": ["a"]}), ValueError, r"the frame lacks \['seed', 'kept', 'sparsity', 'asked'\]"),
        (
            [Rows(model="a", seed="0", sparsity=1)],
            ValueError,
            "rows.seed is declared as integer and holds text, as '0'",
        ),
        ([Rows(model=1, seed=0, sparsity=1)], ValueError, "rows.model is declared as text and holds integer, as .*1"),
        ([Rows(model="a", seed=0, sparsity=True)], ValueError, "rows.sparsity is declared as number and holds boolean"),
        ([Rows(model="a", seed=0.5, sparsity=1)], ValueError, "rows.seed is declared as integer and holds number"),
    ],
)
def test_what_is_not_the_declared_table_is_refused(rows, error, message):
    with pytest.raises(error, match=message):
        Rows.frame(rows)


# --------------------------------------------------------------------------------------------- to file and back


def test_a_table_comes_back_with_its_columns_types_and_empty_cells(table):
    pd.testing.assert_frame_equal(tables.load(table), Rows.frame(ROWS))


def test_saving_gives_the_frame_back(tmp_path):
    pd.testing.assert_frame_equal(Rows.save(ROWS, folder=tmp_path), Rows.frame(ROWS))


def test_the_sidecar_says_key_columns_rows_and_digest(table):
    sidecar = json.loads(table.with_suffix(".json").read_text())

    assert (sidecar["key"], sidecar["columns"], sidecar["rows"]) == (["model", "seed"], Rows.columns(), 3)
    assert sidecar["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    assert "varies" not in sidecar


def test_a_table_that_varies_says_so(tmp_path):
    class Times(Net, key="model seed", varies=True):
        """One net timed."""

    Times.save([Times(model="a", seed=0)], folder=tmp_path)

    assert json.loads((tmp_path / "times.json").read_text())["varies"] is True


class Error(Table, key="seed", name="first"):
    """One error."""

    seed: A[int, "of training"]
    error: A[float, "test error [%]"]


def test_a_table_loaded_and_saved_again_is_the_same_bytes(tmp_path):
    frame = pd.DataFrame({"seed": range(50), "error": 100 * np.random.default_rng(0).random(50)})
    Error.save(frame, folder=tmp_path)
    Error.save(tables.load(tmp_path / "first.csv"), "second", folder=tmp_path)

    first, second = ((tmp_path / f"{name}.csv").read_bytes() for name in ("first", "second"))
    assert first == second
    assert b"\r" not in first


@example([1000.00006103515625])  # the float32 after 1000: eight digits would not tell the two apart
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_a_float32_comes_back_bit_for_bit(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("table")
    frame = Error.save(
        pd.DataFrame({"seed": range(len(numbers)), "error": np.array(numbers, dtype=np.float32)}), folder=folder
    )

    back = tables.load(folder / "first.csv")["error"].to_numpy().astype(np.float32)

    assert back.tobytes() == frame["error"].to_numpy().tobytes()


class Setting(Table, key="setting"):
    """One setting."""

    setting: A[Literal["0.10", "NA", "true", ""], "as written"]


def test_text_that_looks_like_a_number_stays_text(tmp_path):
    Setting.save([Setting(setting=written) for written in ("0.10", "NA", "true")], "settings", folder=tmp_path)

    assert list(tables.load(tmp_path / "settings.csv")["setting"]) == ["0.10", "NA", "true"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": "kept"}, r"every column of rows is described once, in the table's order; not so: \['kept'\]"),
        ({"depth": 1}, "depth"),
        ({"order": 1}, "the order"),
        ({"sparsity": np.inf}, "rows.sparsity has an infinite"),
        ({"sparsity": [0.1, np.nan, np.nan]}, "rows.sparsity is empty in 2 of 3 rows; fill them, or write"),
        ({"model": ""}, "there twice"),
        ({"model": ["a", "", "c"]}, "rows.model is empty in 1 of 3"),
        ({"name": "Two Words"}, "lower-case words"),
    ],
)
def test_a_table_that_breaks_a_rule_is_not_written(tmp_path, change, message):
    name = change.pop("name", "")
    frame = Rows.frame(ROWS).drop(columns=change.pop("drop", []))
    frame = frame[[*reversed(list(frame))]] if change.pop("order", None) else frame.assign(**change)

    with pytest.raises(ValueError, match=message) as error:
        Rows.save(frame, name, folder=tmp_path)

    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_column_of_numbers_and_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"settings has 0\.1|settings\.setting has 0\.1"):
        Setting.save(pd.DataFrame({"setting": [0.1, "abs"]}), "settings", folder=tmp_path)


def test_changed_bytes_are_noticed(table):
    table.write_text(table.read_text().replace("0.1", "0.2"))

    with pytest.raises(ValueError, match="sha256 differs"):
        tables.load(table)


def test_a_missing_column_is_named(table):
    table.write_text(table.read_text().replace("sparsity", "density"))

    with pytest.raises(ValueError, match=r"lacks the columns \['sparsity'\]"):
        tables.load(table)


def test_a_repeated_key_in_a_file_is_noticed(table):
    line = table.read_text().splitlines()[1]
    table.write_text(table.read_text() + line + "\n")
    described = json.loads(table.with_suffix(".json").read_text())
    described["sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
    table.with_suffix(".json").write_text(json.dumps(described))

    with pytest.raises(ValueError, match="there twice"):
        tables.load(table)


def test_a_table_without_its_sidecar_is_missing(table):
    table.with_suffix(".json").unlink()

    with pytest.raises(FileNotFoundError, match=r"rows\.json is missing"):
        tables.load(table)


# --------------------------------------------------------------------------------------------- of other runs


@pytest.fixture
def runs(tmp_path):
    """Two runs that leave the same table, each with other seeds."""
    for seed in (0, 1):
        Rows.save([Rows(model="a", seed=seed, sparsity=0.5)], folder=tmp_path / f"run-{seed}" / "tables")
    return [str(tmp_path / f"run-{seed}") for seed in (0, 1)]


def test_tables_of_several_runs_stand_one_below_the_other(runs):
    assert list(tables.of_runs(runs, "rows")["seed"]) == [0, 1]
    assert list(Rows.load(runs[1])["seed"]) == [1]


@pytest.mark.parametrize(
    ("hints", "said"),
    [
        ({}, "-p threshold_sweep=./results/quick/threshold-sweep,"),
        ({"run": "speech-sweep"}, "-p threshold_sweep=./results/quick/speech-sweep,"),
        (
            {"run": "lenet-small", "parameter": "small"},
            "small names no folder; .* -p small=./results/quick/lenet-small",
        ),
    ],
)
def test_a_run_that_is_not_named_is_asked_for(hints, said):
    for read, folder in ((tables.of_run, ""), (tables.of_runs, [])):
        with pytest.raises(FileNotFoundError, match=f"table 'threshold-sweep' comes from another run, .*{said}"):
            read(folder, "threshold-sweep", **hints)


def test_a_run_without_rows_is_named(runs):
    Rows.save(Rows.frame([], may_be_empty=True), folder=Path(runs[1]) / "tables")

    with pytest.raises(ValueError, match=r"a run leaves rows in its tables; rows of .*run-1 has none: run it again"):
        tables.of_runs(runs, "rows")


def test_a_kept_table_is_described_as_in_the_run_it_comes_from(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Path(runs[0]) / "tables" / "rows.csv"

    kept = tables.keep(tables.load(there), "kept", of=there)

    assert list(kept["seed"]) == [0]
    for suffix in (".csv", ".json"):
        assert Path("tables/kept").with_suffix(suffix).read_bytes() == there.with_suffix(suffix).read_bytes()
    with pytest.raises(ValueError, match=r"every column of kept is described once"):
        tables.keep(kept.drop(columns="kept"), "kept", of=there)


# ------------------------------------------------------------------------- published tables from declarations


class OfNet(Table):
    """A trained net."""

    data: A[str, "data set"]
    data_id: A[str, "content id of the data set"]
    model: A[str, "spec of the net"]
    seed: A[int, "seed of the net"]


class Threshold(Table):
    """What is removed."""

    method: A[Literal["abs", "positive", "negative"], "abs, positive or negative: the sign of the weights removed"]
    threshold: A[float, "weights of smaller magnitude are removed [weight units]"]
    scale: A[float, "the threshold in units of the root mean square weight, mean over the nets of this model"]


class Errors(Table):
    """What it costs."""

    sparsity: A[float, "fraction of all prunable weights removed, counted"]
    error_percent: A[float, "error on the test part [%]"]
    baseline_error_percent: A[float, "error of the same net unpruned [%]"]
    loss: A[float, "mean cross-entropy on the test part [nats]"]


class ThresholdSweep(Errors, Threshold, OfNet, key="data model method threshold seed"):
    """One image net pruned below one threshold."""


class Curves(OfNet, key="data model seed step part"):
    """A net in training, measured on one part."""

    seed: A[int, "seed of initialisation and order"]
    step: A[int, "training iterations done"]
    part: A[str, "train, validation or test: a fixed subset of it"]
    loss: A[float, "mean cross-entropy [nats]"]
    accuracy_percent: A[float, "accuracy [%]"]


class Identities(Table, key="table identity"):
    """An identity that a source's table is held to."""

    table: A[str, "the source's table"]
    identity: A[str, "what must hold"]
    rows: A[int, "rows checked [count]"]
    holds: A[int, "rows where it holds [count]"]
    fails: A[int, "rows where it fails [count]"]
    doubtful: A[int, "rows where a coincidence is possible [count]"]


class Tried(Table, key="data model penalty strength seed"):
    """One strength of a penalty."""

    data: A[str, "data set, or source of the recordings"]
    data_id: A[str, "content id of the data"]
    model: A[str, "spec of the net"]
    penalty: A[str, "l1 (per unit of summed |w|) or l2 (per unit of half the summed w²), weights only"]
    strength: A[float, "strength tried"]
    seed: A[int, "seed of the one net tried"]
    validation_error_percent: A[
        float, "error on the validation part, one-shot, mean over budgets; the lowest is chosen [%]"
    ]
    dense_validation_error_percent: A[float, "error of the same net unpruned on the validation part [%]"]
    chosen: A[bool, "whether all nets with this penalty are trained at this strength"]


class Ends(Table):
    """A mean's interval."""

    low: A[float | None, "lower end of its 95 % t interval; may be empty with one seed [%]"]
    high: A[float | None, "upper end of its 95 % t interval; may be empty with one seed [%]"]
    seeds: A[int, "nets behind the mean"]


class Accuracy(Table):
    """A mean accuracy."""

    accuracy_percent: A[float, "test accuracy after the last epoch, mean over seeds [%]"]


class Width(Table):
    """Nets of one width at one number of weights."""

    data: A[str, "data set"]
    recipe: A[str, "how the nets were trained: source or strong"]
    target: A[str, "label of the weights asked to be left"]
    kind: A[str, "pruned (masked, one global threshold) or dense (a small net with about as many weights)"]
    model: A[str, "spec of the net"]
    start_weights: A[int, "prunable weights of the net before pruning"]
    kept: A[float, "weights left, mean over seeds"]
    effective_kept: A[
        float | None,
        "of these on a live path from a live input to an output, mean; may be empty for dense nets",
    ]
    live_inputs: A[float | None, "inputs with a kept weight on a live path, mean; may be empty for dense nets"]


class Budget(Ends, Accuracy, Width, key="data recipe target kind model"):
    """Mean accuracy of nets of one width at one number of weights."""


@pytest.mark.parametrize(
    ("run", "declared"),
    [
        ("threshold-sweep", ThresholdSweep),
        ("units-penalties", Curves),
        ("audit", Identities),
        ("kinds-lenet", Tried),
        ("lenet-report", Budget),
    ],
)
def test_a_published_table_is_the_same_bytes_from_its_declaration(run, declared, tmp_path):
    published = FULL / run / "tables" / f"{declared.table_name}.csv"
    cells = tables.load(published).astype(object)
    rows = [declared(**row) for row in cells.where(cells.notna(), None).to_dict("records")]

    declared.save(rows, folder=tmp_path)

    for suffix in (".csv", ".json"):
        made = (tmp_path / published.name).with_suffix(suffix)
        assert made.read_bytes() == published.with_suffix(suffix).read_bytes()


@pytest.mark.parametrize("run", sorted(path.name for path in FULL.iterdir() if path.is_dir()))
def test_every_published_table_can_be_declared(run, tmp_path):
    types = {"boolean": bool, "integer": int, "number": float | None, "text": str | None}
    for published in sorted((FULL / run / "tables").glob("*.csv")):
        about = json.loads(published.with_suffix(".json").read_text())
        fields = {name: A[types[about["types"][name]], said] for name, said in about["columns"].items()}
        declared = type(Table)(
            "Declared",
            (Table,),
            {"__annotations__": fields, "__module__": __name__},
            key=" ".join(about["key"]),
            name=published.stem,
            varies=about.get("varies", False),
        )

        declared.save(tables.load(published), folder=tmp_path)

        for suffix in (".csv", ".json"):
            made = (tmp_path / published.name).with_suffix(suffix)
            assert made.read_bytes() == published.with_suffix(suffix).read_bytes()
