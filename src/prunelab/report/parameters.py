"""The parameters a notebook declares, and the values given for them, checked before anything runs.

Papermill only warns of an unknown name, turns `false` into text, and does not see `x: float | None = None`.
"""

import ast
import difflib
import io
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from prunelab.report import literals, yaml12


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One assignment of the cell tagged "parameters"."""

    name: str
    type: str  # as in an annotation: "int", "list[float]", "float | None"
    default: object
    help: str  # the comment at the end of its line, "" without one


def declared(nb: NotebookNode) -> list[Parameter]:
    """List the parameters of a notebook in the order of its cell tagged "parameters".

    Types are those annotated, else those of the defaults.

    Raises:
        ValueError: there is no such cell, or more than one, or it holds anything but assignments of literal values.
    """
    cells = [
        cell
        for cell in nb.cells
        if cell.cell_type == "code" and "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(cells) != 1:
        raise ValueError(
            f'a notebook has one code cell tagged "parameters" (\'# %% tags=["parameters"]\'); this has {len(cells)}'
        )
    source = cells[0].source
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ValueError(f"the parameters cell is not Python: {error.msg} (line {error.lineno})") from None
    comments = _comments(source)
    found = [_parameter(statement, comments.get(statement.end_lineno or 0, "")) for statement in statements]
    names = [parameter.name for parameter in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the parameters cell assigns {twice!r} twice; keep one")
    return found


def parse(assignments: Sequence[str]) -> dict[str, object]:
    """Read parameters as the command line gives them, `name=value`.

    A value in brackets, braces or quotes is read as YAML 1.2 or JSON; any other is one number, true, false or null by
    the rules of YAML 1.2, or else text as it stands. Types are checked later, by `checked`.

    Raises:
        ValueError: no `=`, no value, a name given twice, or brackets or quotes that do not close.
    """
    given: dict[str, object] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name, text = name.strip(), text.strip()
        if not equals or not name.isidentifier():
            raise ValueError(f"a parameter is given as name=value; got {assignment!r}")
        if not text:
            raise ValueError(f"no value for {name!r} in {assignment!r}; write {name}=null or {name}='\"\"' to mean it")
        if name in given:
            raise ValueError(f"the parameter {name!r} is given twice")
        try:
            given[name] = yaml12.load(text) if text[0] in "[{\"'" else yaml12.scalar(text)
        except ValueError as error:
            raise ValueError(f"the value of {name!r} cannot be read: {error}; got {text!r}") from None
    return given


def assignment(name: str, value: object) -> str:
    """Write one parameter as `parse` reads it back, `name=value`."""
    plain = isinstance(value, str) and value == value.strip() and value[:1] not in ("", "[", "{", '"', "'")
    if plain and yaml12.scalar(str(value)) == value:
        return f"{name}={value}"
    return f"{name}={literals.written(value)}"


def read_file(path: Path) -> dict[str, object]:
    """Read parameters from a YAML 1.2 or JSON file, a mapping of names to values.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or holds something else than such a mapping.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no parameter file {str(path)!r}")
    try:
        values = yaml12.load(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ValueError(f"{path.name} must map parameter names to values, as in 'seeds: [0, 1]'")
    return values


def checked(nb: NotebookNode, given: Mapping[str, object]) -> dict[str, object]:
    """Return the given values in the order and the types that the notebook declares.

    Whole numbers are taken for floats; nothing else is converted. Parameters that are not given are left out.

    Raises:
        ValueError: a name the notebook does not declare, or a value of another type, or one that is not finite.
    """
    known = {parameter.name: parameter for parameter in declared(nb)}
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {nearest[0]!r}? The" if nearest else "the"
            raise ValueError(f"no parameter {name!r}; {hint} notebook has {', '.join(known) or 'none'}")
    values: dict[str, object] = {}
    for name, parameter in known.items():
        # A default of None allows null, whatever the annotation says.
        if name in given and not (given[name] is None and parameter.default is None):
            try:
                values[name] = literals.fitted(given[name], parameter.type)
            except ValueError as error:
                raise ValueError(f"the parameter {name!r} ({parameter.type}): {error}") from None
        elif name in given:
            values[name] = None
    return values


def _parameter(statement: ast.stmt, comment: str) -> Parameter:
    """Read one assignment of the parameters cell."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            annotation = None
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
            pass
        case _:
            raise ValueError(
                f"the parameters cell holds assignments like 'seeds = [0, 1]' alone; not {ast.unparse(statement)!r}"
            )
    try:
        default = ast.literal_eval(value)
    except ValueError:
        raise ValueError(
            f"the default of {name!r} must be a literal value, not {ast.unparse(value)!r}; compute it in a later cell"
        ) from None
    try:
        kind = literals.annotated(annotation) if annotation else literals.infer(default)
        if default is not None:
            default = literals.fitted(default, kind)
    except (ValueError, SyntaxError) as error:
        raise ValueError(f"the default of {name!r}: {error}") from None
    return Parameter(name=name, type=kind, default=default, help=comment)


def _comments(source: str) -> dict[int, str]:
    """Map line numbers, from 1, to the comments that end the lines."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT}
