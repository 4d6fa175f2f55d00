import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from prunelab.report.normalise import complaints, normalise, without_paths


def ran(*outputs, **metadata):
    cell = new_code_cell("1", execution_count=3, outputs=list(outputs), metadata=metadata)
    return new_notebook(cells=[new_markdown_cell("# T"), cell])


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def texts(nb, **options):
    return [output.get("text", output.get("data")) for output in normalise(nb, **options).cells[1].outputs]


def test_records_of_papermill_timings_versions_and_drawn_ids_are_gone():
    nb = ran(papermill={"duration": 1}, execution={"iopub.status.idle": "now"}, tags=["injected-parameters"])
    nb.metadata.update(papermill={"x": 1}, widgets={}, language_info={"name": "python", "version": "3.11.7"})

    kept = normalise(nb)

    assert kept.metadata == {"language_info": {"name": "python"}}
    assert kept.cells[1].metadata == {"tags": ["injected-parameters"]}
    assert [cell.id for cell in kept.cells] == ["cell-0", "cell-1"]
    assert kept.cells[1].execution_count == 3
    nbformat.validate(kept)


def test_the_notebook_given_is_left_as_it_is():
    nb = ran(stream("a"), stream("b"), papermill={})
    before = nbformat.writes(nb)

    normalise(nb)

    assert nbformat.writes(nb) == before


def test_output_sent_in_pieces_is_one_even_around_stderr():
    assert texts(ran(stream("a\n"), stream("bar", "stderr"), stream("b\n"))) == ["a\nb\n"]


def test_pieces_around_a_figure_stay_apart():
    figure = new_output("display_data", data={"text/plain": "<Figure>"})

    assert texts(ran(stream("a"), figure, stream("b"))) == ["a", {"text/plain": "<Figure>"}, "b"]


def test_a_line_drawn_again_over_itself_is_kept_as_it_last_was():
    assert texts(ran(stream("1 %\r50 %\r100 %\nnext\r\nend\r"))) == ["100 %\nnext\nend"]


def test_widgets_are_dropped():
    widget = new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "bar"})

    assert texts(ran(widget)) == []


def test_addresses_and_kernel_files_are_taken_out_of_texts_and_not_of_images():
    result = new_output(
        "execute_result",
        execution_count=3,
        data={"text/html": "<b>&lt;A at 0x7f00deadbeef&gt;</b>", "image/png": " at 0x7f00deadbeef"},
    )

    assert texts(ran(stream("<A at 0x7f00deadbeef> at 0x10 in /tmp/ipykernel_12/345.py:1"), result)) == [
        "<A> at 0x10 in notebook.py:1",
        {"text/html": "<b>&lt;A&gt;</b>", "image/png": " at 0x7f00deadbeef"},
    ]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/home/ann/p/x.csv", "…/x.csv"),
        ("('/home/ann')", "('~')"),
        ("in /home/ann.", "in ~."),
        ("file:///home/ann/p", "file://…"),
        ("/home/anna /mnt/home/ann /home/ann.old", "/home/anna /mnt/home/ann /home/ann.old"),
    ],
)
def test_folders_of_this_machine_are_replaced_the_longer_first(text, kept):
    paths = {"/home/ann": "~", "/home/ann/p": "…"}

    assert without_paths(text, paths) == kept
    assert texts(ran(stream(text)), paths=paths) == [kept]


@pytest.mark.parametrize("path", ["/", "//", ".", "x", ""])
@pytest.mark.parametrize("text", ["3 / 4 = 0.75", "<br />", "x = 1 // 2", "/home/ann/x", "see . and x"])
def test_a_root_or_a_single_letter_is_no_path_to_replace(path, text):
    assert without_paths(text, {path: "~"}) == text
    assert texts(ran(stream(text)), paths={path: "~"}) == [text]


def test_texts_inside_json_are_cleaned():
    spec = new_output("display_data", data={"application/json": {"a": ["/home/ann/x", 1, None]}})

    assert texts(ran(spec), paths={"/home/ann": "~"}) == [{"application/json": {"a": ["~/x", 1, None]}}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/tmp/ipykernel_1/2.py:1: UserWarning: careful\n  warn()\n", ["UserWarning: careful (cell 3)"]),
        ("[W1120 10:00:00.1 a.cpp:2] Warning: slow\n", ["[W1120 10:00:00.1 a.cpp:2] Warning: slow (cell 3)"]),
        (
            'Exception in thread T:\nTraceback (most recent call last):\n  File "x"\nKeyError: 1\n',
            ["KeyError: 1 (cell 3)"],
        ),
        ("  5%|█    | 1/20 [00:01<00:19]\n", []),
        ("Downloading data from here\n", []),
        ("x.py:21: TqdmWarning: IProgress not found.\n", []),
    ],
)
def test_warnings_and_lost_tracebacks_are_complaints_and_progress_is_not(text, said):
    assert complaints(ran(stream(text, "stderr"))) == said


def test_the_word_warning_in_results_is_no_complaint():
    assert complaints(ran(stream("UserWarning: printed\n"))) == []
