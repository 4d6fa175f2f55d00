"""The cells of a notebook, executed by papermill in a kernel of ours."""

import logging
from collections.abc import Mapping
from pathlib import Path

from nbformat import NotebookNode

from prunelab.report.kernel import Kernel, running
from prunelab.report.normalise import complaints


class CellError(Exception):
    """What went wrong in a notebook, in one line, and at length in `log`."""

    def __init__(self, message: str, log: str) -> None:
        super().__init__(message)
        self.log = log


def executed(
    nb: NotebookNode,
    parameters: Mapping[str, object],
    *,
    folder: Path,
    environment: Mapping[str, str],
    progress: str | None = None,
) -> tuple[NotebookNode, int]:
    """Execute a notebook's cells in order, with the parameters in a cell of their own behind the defaults.

    Args:
        nb: the notebook, left as it is.
        parameters: name -> value, checked.
        folder: the kernel's current folder; `notebook.ipynb` in it follows the execution cell by cell.
        environment: the kernel's environment variables.
        progress: name to show before a bar of cells on stderr, if that is a terminal; None for no bar.

    Returns:
        The executed notebook, and the most memory that the kernel and its children had at once, in bytes.

    Raises:
        CellError: a cell failed, the kernel died, or a warning was written to stderr.
    """
    with running(folder=folder, environment=environment) as kernel:
        try:
            done = _papermill(nb, parameters, folder, kernel, progress)
        except CellError as error:
            error.log += kernel.log_file.read_text(encoding="utf-8", errors="replace")
            raise
    said = complaints(done)
    if said:
        message = f"{_one_line(said[0])}; mend its cause, or filter it in the notebook and say why"
        raise CellError(message, "Written to stderr:\n" + "\n".join(said) + "\n")
    return done, kernel.peak_memory


def _papermill(
    nb: NotebookNode, parameters: Mapping[str, object], folder: Path, kernel: Kernel, progress: str | None
) -> NotebookNode:
    """Let papermill execute the notebook in a kernel that runs already."""
    # Here and not above: papermill takes a third of a second to import.
    import papermill
    from papermill.exceptions import PapermillExecutionError, strip_color

    # It would warn of parameters that its own inspection misses, which ours has checked, and repeat our errors.
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    # tqdm's `disable=None` draws on terminals alone.
    bar = {
        "desc": progress,
        "disable": None,
        "leave": False,
        "bar_format": "{desc} |{bar}| {n}/{total} cells {elapsed}",
    }
    target = str(folder / "notebook.ipynb")
    try:
        done: NotebookNode = papermill.execute_notebook(
            nb,
            # Papermill fills in parameters where a path holds braces.
            target.replace("{", "{{").replace("}", "}}"),
            parameters=dict(parameters),
            km=kernel,
            progress_bar=bar if progress else False,
        )
    except PapermillExecutionError as error:
        said = f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename)
        raise CellError(f"{_one_line(said)} (cell {error.exec_count})", strip_color(str(error))) from None
    except RuntimeError as error:
        # nbclient's DeadKernelError, and what jupyter_client raises where the kernel does not come up.
        raise CellError(f"{_one_line(str(error))}{kernel.fate()}", f"{error!r}\n") from None
    if any(output.output_type == "error" for cell in done.cells for output in cell.get("outputs", [])):
        # Papermill takes sys.exit(0) for an end, and leaves the cells behind it unexecuted.
        raise CellError("SystemExit: the notebook stopped itself before its last cell", "sys.exit\n")
    return done


def _one_line(text: str) -> str:
    """Fold a message into one line of a readable length."""
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:299]}…"
