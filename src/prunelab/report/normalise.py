"""What of an executed notebook is kept: everything that a second run makes again, byte for byte."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from prunelab.report.notebooks import with_numbered_cells

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,}\b")
_KERNEL_FILE = re.compile(r"\S*[/\\]ipykernel_\d+[/\\]\d+\.py")
_COMPLAINT = re.compile(
    r"^Exception ignored.*|^Traceback \(.*\n(?:\s.*\n)*(?P<error>.*)|\b\w*Warning: .*|^\[W\d.*", re.MULTILINE
)
_BINARY = ("image/png", "image/jpeg", "image/gif", "application/pdf")
_WIDGET = "application/vnd.jupyter.widget-view+json"


def complaints(nb: NotebookNode) -> list[str]:
    """List the warnings and the tracebacks of background threads that the notebook's cells wrote to stderr.

    The run is refused for them: nobody reads a warning inside a stored notebook, and it carries temporary paths.
    tqdm's warning that it cannot draw a widget is none, since bars are not kept anyway.

    Returns:
        For each "Category: text (cell n)", n being the cell's execution count.
    """
    return [
        f"{(found['error'] or found.group()).strip()} (cell {cell.execution_count})"
        for cell in nb.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
        for found in _COMPLAINT.finditer(output.text)
        if not found.group().startswith("TqdmWarning")
    ]


def normalise(nb: NotebookNode, *, paths: Mapping[str, str] | None = None) -> NotebookNode:
    """Return a copy of an executed notebook without what differs from run to run or from machine to machine.

    Gone are papermill's records, timings, the interpreter's version, drawn cell ids, memory addresses, widgets and
    all of stderr: progress bars, download notes and log lines are for whoever watches (see `complaints` for what is
    not). Stream outputs that follow each other are merged, since how many pieces there are depends on timing. In the
    place of `paths`, folders of this machine, stand their values, longer ones first.
    """
    nb = copy.deepcopy(nb)
    for key in ("papermill", "widgets", "jupytext"):
        nb.metadata.pop(key, None)
    nb.metadata.get("language_info", {}).pop("version", None)
    for cell in nb.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if cell.cell_type == "code":
            cell.outputs = [_without_traces(output, paths or {}) for output in _merged(cell.outputs)]
    return with_numbered_cells(nb)


def without_paths(text: str, paths: Mapping[str, str]) -> str:
    """Replace the paths that are keys of `paths`, where they stand whole or begin a longer path.

    A root (a home may be "/") or a single letter is left: "3 / 4" and "x = 1" are no paths.
    """
    for path in sorted((path for path in paths if Path(path).name and len(path) > 1), key=len, reverse=True):
        text = re.sub(rf"(?<![\w.-]){re.escape(path)}(?![\w-]|\.\w)", paths[path].replace("\\", r"\\"), text)
    return text


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Drop stderr and widgets, and join stdout that was sent in pieces."""
    kept: list[NotebookNode] = []
    for output in outputs:
        is_stream = output.output_type == "stream"
        if (is_stream and output.name == "stderr") or _WIDGET in output.get("data", {}):
            continue
        if is_stream and kept and kept[-1].output_type == "stream":
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _without_traces(output: NotebookNode, paths: Mapping[str, str]) -> NotebookNode:
    """Take addresses, temporary files and paths out of the texts of an output."""
    if output.output_type == "stream":
        # What a terminal would show: a carriage return starts the line again.
        lines = output.text.replace("\r\n", "\n").split("\n")
        output.text = _without_trace("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines), paths)
    for kind, content in output.get("data", {}).items():
        if kind not in _BINARY:
            output.data[kind] = _without_trace(content, paths)
    return output


def _without_trace(content: Any, paths: Mapping[str, str]) -> Any:
    """Clean a text, or the texts inside a JSON value."""
    match content:
        case str():
            return without_paths(_KERNEL_FILE.sub("notebook.py", _ADDRESS.sub("", content)), paths)
        case list():
            return [_without_trace(item, paths) for item in content]
        case dict():
            return type(content)({key: _without_trace(item, paths) for key, item in content.items()})
    return content
