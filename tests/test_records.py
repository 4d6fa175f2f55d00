import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prunelab.records import Value, load_table, load_values, save_table, save_values, to_frame


@dataclass(frozen=True, kw_only=True)
class Row:
    model: str
    seed: int
    sparsity: float
    asked: float | None = None
    kept: bool = True


COLUMNS = {
    "model": "the net",
    "seed": "of training",
    "sparsity": "weights removed [fraction]",
    "asked": "the same as asked; may be empty [fraction]",
    "kept": "whether it was kept",
}
ROWS = [
    Row(model="a", seed=0, sparsity=0.1, asked=0.1),
    Row(model="a", seed=1, sparsity=1.0),
    Row(model="b", seed=0, sparsity=0.0),
]


@pytest.fixture
def table(tmp_path):
    return save_table(
        to_frame(ROWS, ["model", "seed"]), "rows", key=["model", "seed"], columns=COLUMNS, folder=tmp_path
    )


def test_a_table_comes_back_with_its_columns_types_and_empty_cells(table):
    pd.testing.assert_frame_equal(load_table(table), to_frame(ROWS, ["model", "seed"]))


def test_the_sidecar_says_key_columns_rows_and_digest(table):
    sidecar = json.loads(table.with_suffix(".json").read_text())

    assert (sidecar["key"], sidecar["columns"], sidecar["rows"]) == (["model", "seed"], COLUMNS, 3)
    assert sidecar["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()


def test_a_table_loaded_and_saved_again_is_the_same_bytes(table, tmp_path):
    frame = pd.DataFrame({"seed": range(50), "error": 100 * np.random.default_rng(0).random(50)})
    described = {"seed": "of training", "error": "test error [%]"}
    first = save_table(frame, "first", key=["seed"], columns=described, folder=tmp_path)
    second = save_table(load_table(first), "second", key=["seed"], columns=described, folder=tmp_path)

    assert first.read_bytes() == second.read_bytes()
    assert b"\r" not in first.read_bytes()


@example([1000.00006103515625])  # the float32 after 1000: eight digits would not tell the two apart
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_a_float32_comes_back_bit_for_bit(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("table")
    frame = pd.DataFrame({"row": range(len(numbers)), "number": np.array(numbers, dtype=np.float32)})
    described = {"row": "its number", "number": "a weight"}
    path = save_table(frame, "numbers", key=["row"], columns=described, folder=folder)

    back = load_table(path)["number"].to_numpy().astype(np.float32)

    assert back.tobytes() == frame["number"].to_numpy().tobytes()


def test_text_that_looks_like_a_number_stays_text(tmp_path):
    frame = pd.DataFrame({"setting": ["0.10", "NA", "true"]})

    path = save_table(frame, "settings", key=["setting"], columns={"setting": "as written"}, folder=tmp_path)

    assert list(load_table(path)["setting"]) == ["0.10", "NA", "true"]


def test_a_repeated_key_is_named():
    with pytest.raises(ValueError, match=r"model=a, seed=0 is there twice"):
        to_frame([ROWS[0], ROWS[0]], ["model", "seed"])


@pytest.mark.parametrize(
    ("rows", "error"), [([], ValueError), ([ROWS[0], "b"], TypeError), ([{"model": "a"}], TypeError)]
)
def test_what_is_no_sequence_of_records_of_one_class_is_refused(rows, error):
    with pytest.raises(error):
        to_frame(rows, ["model"])


@pytest.mark.parametrize("key", [[], ["depth"]])
def test_a_key_is_made_of_columns(key):
    with pytest.raises(ValueError, match="the key of"):
        to_frame(ROWS, key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"model": "the net"}}, "described once"),
        ({"columns": {**COLUMNS, "depth": "layers"}}, "depth"),
        ({"columns": {**COLUMNS, "asked": "as asked [fraction]"}}, "rows.asked is empty in 2 of 3 rows"),
        ({"frame": to_frame(ROWS, ["model", "seed"]).assign(sparsity=np.inf)}, "rows.sparsity has an infinite"),
        ({"frame": to_frame(ROWS, ["model", "seed"]).assign(model="")}, "there twice"),
        ({"frame": to_frame(ROWS, ["model", "seed"]).assign(kept=["yes", "", "no"])}, "rows.kept is empty in 1 of 3"),
        ({"name": "Two Words"}, "lower-case words"),
    ],
)
def test_a_table_that_breaks_a_rule_is_not_written(tmp_path, change, message):
    settings = {"frame": to_frame(ROWS, ["model", "seed"]), "name": "rows", "columns": COLUMNS, **change}

    with pytest.raises(ValueError, match=message) as error:
        save_table(
            settings["frame"], settings["name"], key=["model", "seed"], columns=settings["columns"], folder=tmp_path
        )

    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_column_of_numbers_and_text_is_refused(tmp_path):
    frame = pd.DataFrame({"setting": [0.1, "abs"]})

    with pytest.raises(ValueError, match=r"settings\.setting has 0\.1"):
        save_table(frame, "settings", key=["setting"], columns={"setting": "either"}, folder=tmp_path)


def test_changed_bytes_are_noticed(table):
    table.write_text(table.read_text().replace("0.1", "0.2"))

    with pytest.raises(ValueError, match="sha256 differs"):
        load_table(table)


def test_a_missing_column_is_named(table):
    table.write_text(table.read_text().replace("sparsity", "density"))

    with pytest.raises(ValueError, match=r"lacks the columns \['sparsity'\]"):
        load_table(table)


def test_a_repeated_key_in_a_file_is_noticed(table):
    line = table.read_text().splitlines()[1]
    table.write_text(table.read_text() + line + "\n")
    described = json.loads(table.with_suffix(".json").read_text())
    described["sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
    table.with_suffix(".json").write_text(json.dumps(described))

    with pytest.raises(ValueError, match="there twice"):
        load_table(table)


def test_a_table_without_its_sidecar_is_missing(table):
    table.with_suffix(".json").unlink()

    with pytest.raises(FileNotFoundError, match=r"rows\.json is missing"):
        load_table(table)


def test_values_come_back_with_interval_unit_and_digits(tmp_path):
    values = {
        "knee": Value(value=44.2, low=43.0, high=45.0, unit="%", digits=1, n=5),
        "slips": Value(value=6, digits=0),
    }

    path = save_values(values, tmp_path)

    assert load_values(path) == values
    assert json.loads(path.read_text())["knee"] == {
        "value": 44.2,
        "low": 43.0,
        "high": 45.0,
        "unit": "%",
        "digits": 1,
        "n": 5,
    }


def test_an_interval_of_one_seed_is_stored_as_none():
    assert Value(value=1.0, low=float("nan"), high=float("nan")) == Value(value=1.0)


@pytest.mark.parametrize(
    "wrong", [{"value": np.nan}, {"value": 1, "low": 0}, {"value": 1, "low": 2, "high": 0}, {"value": np.inf}]
)
def test_a_value_that_cannot_be_quoted_is_refused(wrong):
    with pytest.raises(ValueError, match=r"interval|finite"):
        Value(**wrong)


def test_a_second_call_with_other_values_is_an_error_and_changes_nothing(tmp_path):
    path = save_values({"a": Value(value=1)}, tmp_path)
    before = path.read_bytes()

    with pytest.raises(ValueError, match="all together"):
        save_values({"b": Value(value=2)}, tmp_path)

    assert path.read_bytes() == before


def test_the_same_values_may_be_written_again(tmp_path):
    save_values({"a": Value(value=1)}, tmp_path)

    assert load_values(save_values({"a": Value(value=2)}, tmp_path))["a"].value == 2


def test_badly_formed_values_are_refused(tmp_path):
    with pytest.raises(ValueError, match="lower-case"):
        save_values({"A b": Value(value=1)}, tmp_path)
    (tmp_path / "values.json").write_text('{"a": {"number": 1}}')
    with pytest.raises(ValueError, match="no value"):
        load_values(tmp_path / "values.json")
