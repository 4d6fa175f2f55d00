import math

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prunelab.report import parameters
from refusals import refused

CELL = """\
data: str = "digits"  # where from: a name = a data set
model = "lenet"
seeds = [0, 1]
epochs = 3
rate = 0.1  # step
cut: float | None = None
augment = False
nets: list[str] = []
anything = []
recipe = {"lr": 0.1}
widths: dict[str, int] = {
    "fc1": 300,  # not this
}  # but this
"""


def notebook(*sources, tag="parameters"):
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": [tag]}) for source in sources]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T"), *cells])


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(literals)
@example("1e-3")
@example("\U0001f600")
@example("\x85 x\x7f")
@example("no")
@example("")
@example(" # a: b")
@example(1e16)
@example({"<<": ["=", "~"]})
def test_any_literal_written_as_an_assignment_is_read_back_unchanged(value):
    read = parameters.parse([parameters.assignment("x", value)])

    assert read == {"x": value}
    assert type(read["x"]) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2", -2),
        ("0x1f", 31),
        ("007", 7),
        (".5", 0.5),
        ("false", False),
        ("True", True),
        ("null", None),
        ("no", "no"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("1_000", "1_000"),
        ("[0, 1]", [0, 1]),
        ("[1e-3, no, 'a']", [0.001, "no", "a"]),
        ("{lr: 1e-3}", {"lr": 0.001}),
        ("'1e-3'", "1e-3"),
        ('"false"', "false"),
        ("../a b # c: d", "../a b # c: d"),
        ("@lenet", "@lenet"),
        ("a=b", "a=b"),
        ("*.png", "*.png"),
        (".inf", math.inf),
    ],
)
def test_values_of_the_command_line_are_read_as_yaml_1_2_reads_them(text, value):
    read = parameters.parse([f"x={text}"])["x"]

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("assignments", "said"),
    [
        (["x"], "name=value; got 'x'"),
        (["=1"], "name=value"),
        (["2x=1"], "name=value"),
        (["x="], "no value for 'x'"),
        (["x=1", "x=2"], "'x' is given twice"),
        (["x=[1"], "'x' cannot be read"),
        (["x=[@a]"], "'x' cannot be read"),
        (["x={a: 1, a: 2}"], "the key 'a' is given twice"),
        (['x={"a": 1, "a": 2}'], "the key 'a' is given twice"),
        (["x=[&a [*a]]"], "aliases"),
        (["x=[!!python/name:os.system ]"], "cannot be read"),
        (["x=" + "[" * 5000], "nested too deeply"),
    ],
)
def test_assignments_that_cannot_be_read_are_refused_in_one_line(assignments, said):
    with refused(said):
        parameters.parse(assignments)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_parameter_file_reads_numbers_as_the_command_line_does(tmp_path, encoding):
    path = tmp_path / "params.yml"
    path.write_text("rate: 1e-3  # small\nseeds: [0, 1]\nmodel: no\ncut:\n", encoding=encoding)

    assert parameters.read_file(path) == {"rate": 0.001, "seeds": [0, 1], "model": "no", "cut": None}


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [1\n", "params.yml cannot be read"), ("- 1\n", "must map"), ("a: 1\na: 2\n", "'a' is given twice.*line 2")],
)
def test_a_parameter_file_of_another_form_is_refused(tmp_path, text, said):
    path = tmp_path / "params.yml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=said):
        parameters.read_file(path)


def test_an_empty_parameter_file_gives_none_and_a_missing_one_is_an_error(tmp_path):
    (tmp_path / "empty.yml").write_text("# nothing\n", encoding="utf-8")

    assert parameters.read_file(tmp_path / "empty.yml") == {}
    with pytest.raises(FileNotFoundError, match="no parameter file"):
        parameters.read_file(tmp_path / "other.yml")


def test_declared_finds_what_papermill_misses():
    found = {parameter.name: parameter for parameter in parameters.declared(notebook(CELL))}

    assert [(name, p.type) for name, p in found.items()] == [
        ("data", "str"),
        ("model", "str"),
        ("seeds", "list[int]"),
        ("epochs", "int"),
        ("rate", "float"),
        ("cut", "float | None"),
        ("augment", "bool"),
        ("nets", "list[str]"),
        ("anything", "list"),
        ("recipe", "dict"),
        ("widths", "dict[str, int]"),
    ]
    assert found["data"].help == "where from: a name = a data set"
    assert found["widths"].help == "but this"
    assert found["model"].help == ""
    assert found["cut"].default is None


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([], "this has 0"),
        (["a = 1", "b = 1"], "this has 2"),
        (["a = 2 * 3"], "'a' must be a literal value, not '2 \\* 3'"),
        (["import os"], "assignments like"),
        (["a, b = 1, 2"], "assignments like"),
        (["a: int"], "assignments like"),
        (["a = (1, 2)"], "write a list"),
        (["a = None"], "write a type"),
        (["a: int = 1.5"], "default of 'a': must be a whole number"),
        (["a: tuple = 1"], "the type 'tuple'"),
        (["a = 1\na = 2"], "assigns 'a' twice"),
        (["a = ["], "not Python"),
        (["a = 1e999"], "finite"),
    ],
)
def test_a_parameters_cell_of_another_form_is_refused(cells, said):
    with refused(said):
        parameters.declared(notebook(*cells))


def test_checked_values_come_in_the_declared_order_and_type():
    values = parameters.checked(notebook(CELL), {"rate": 1, "seeds": [], "cut": 2, "augment": True, "recipe": {"b": 2}})

    assert values == {"seeds": [], "rate": 1.0, "cut": 2.0, "augment": True, "recipe": {"b": 2}}
    assert list(values) == ["seeds", "rate", "cut", "augment", "recipe"]
    assert type(values["rate"]) is type(values["cut"]) is float


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seed": [1]}, "no parameter 'seed'; did you mean 'seeds'\\? The notebook has data, model, seeds"),
        ({"epochs": True}, "'epochs' \\(int\\): must be a whole number; got true"),
        ({"epochs": 3.0}, "got 3.0; did you mean 3\\?"),
        ({"epochs": "3"}, 'got "3"; write 3, without quotes'),
        ({"epochs": None}, "got null"),
        ({"rate": "1e-3"}, "write 0.001, without quotes"),
        ({"rate": "nan"}, 'got "nan"; it has to be finite'),
        ({"epochs": "-inf"}, 'got "-inf"; it has to be finite'),
        ({"rate": True}, "must be a number; got true"),
        ({"rate": math.nan}, "finite"),
        ({"rate": math.inf}, "finite"),
        ({"rate": 10**400}, "finite"),
        ({"model": False}, "must be text; got false; for text, quote it: '\"false\"'"),
        ({"model": 5}, "must be text; got 5"),
        ({"augment": "false"}, "must be true or false.*write false, without quotes"),
        ({"augment": 1}, "write true"),
        ({"seeds": 0}, "must be a list.*for a list of one, write '\\[0\\]'"),
        ({"seeds": [0, "1"]}, 'item 2 must be a whole number; got "1"; write 1'),
        ({"seeds": [0, None]}, "item 2 must be"),
        ({"seeds": [True]}, "item 1 must be"),
        ({"nets": [1]}, "item 1 must be text"),
        ({"cut": "x"}, "'cut' \\(float \\| None\\): must be a number or null; got"),
        ({"anything": [[math.nan]]}, "item 1 item 1 must be a finite"),
        ({"recipe": {1: 2}}, "keys of a mapping must be text"),
        ({"widths": {"fc1": "a"}}, "'fc1' must be a whole number"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_likely_fix(given, said):
    with refused(said):
        parameters.checked(notebook(CELL), given)


def test_null_is_taken_where_the_default_is_null():
    assert parameters.checked(notebook("cut: float = None"), {"cut": None}) == {"cut": None}


def test_a_false_without_quotes_is_refused_for_text_and_taken_with_quotes():
    nb = notebook('x = "a"')

    with pytest.raises(ValueError, match="quote it"):
        parameters.checked(nb, parameters.parse(["x=false"]))
    assert parameters.checked(nb, parameters.parse(['x="false"'])) == {"x": "false"}
