"""The parameters a notebook declares, and the values given for them, checked before anything runs.

Papermill only warns of an unknown name, turns `false` into text, and does not see `x: float | None = None`.
"""

import ast
import difflib
import io
import json
import math
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode

RELATIVE = ("./", "../")  # how a text starts that is a relative path
_NAMES = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "None": "null"}


def written(value: object) -> str:
    """Return a value as JSON, the form in which the command line and parameter files take it back unchanged."""
    return json.dumps(value, ensure_ascii=False, default=str)


def infer(value: object) -> str:
    """Return the type that a default value stands for: "int", "list[float]", "list" of an empty or mixed list, …

    Raises:
        ValueError: None, or a value that JSON has no form for (a tuple, a set, bytes, a complex number).
    """
    if isinstance(value, list):
        inner = {infer(item) for item in value if item is not None}
        if inner == {"int", "float"}:
            inner = {"float"}
        none = " | None" if None in value else ""
        return f"list[{inner.pop()}{none}]" if len(inner) == 1 else "list"
    if isinstance(value, dict):
        return "dict"
    if value is None:
        raise ValueError("None alone does not say which values are meant; write a type, as in 'x: float | None = None'")
    if type(value).__name__ not in _NAMES:
        hint = "; write a list" if isinstance(value, tuple | set) else ""
        raise ValueError(f"a parameter is a number, text, True or False, a list or a dict, not {value!r}{hint}")
    return type(value).__name__


def annotated(annotation: ast.expr) -> str:
    """Return the type that an annotation names, in one spelling.

    Raises:
        ValueError: it is made of other things than int, float, str, bool, list, dict, None and |.
    """
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    match annotation:
        case ast.Name(id="int" | "float" | "str" | "bool" | "list" | "dict" as name):
            return name
        case ast.Constant(value=None):
            return "None"
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{annotated(left)} | {annotated(right)}"
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return f"list[{annotated(item)}]"
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[ast.Name(id="str"), item])):
            return f"dict[str, {annotated(item)}]"
    raise ValueError(
        f"the type {ast.unparse(annotation)!r} is not one a parameter can have; "
        "int, float, str, bool, list[...], dict[str, ...] and '| None' are"
    )


def fitted(value: object, kind: str) -> object:
    """Return a value as the type has it: unchanged, but whole numbers become floats where floats are asked for.

    Args:
        value: what was given.
        kind: a type as `infer` and `annotated` write it.

    Raises:
        ValueError: it does not fit, or holds a number that is not finite; says what is expected, what was given and
            the likely fix.
    """
    return _fit(value, ast.parse(kind, mode="eval").body, "")


def _fit(value: object, kind: ast.expr, where: str) -> object:
    """Fit one value, or an item of it that `where` names."""
    match kind:
        case ast.BinOp():
            return _fit_one_of(value, _members(kind), where)
        case ast.Name(id="list") if isinstance(value, list):
            return [_fit_anything(item, f"{where}item {index + 1} ") for index, item in enumerate(value)]
        case ast.Subscript(value=ast.Name(id="list"), slice=inner) if isinstance(value, list):
            return [_fit(item, inner, f"{where}item {index + 1} ") for index, item in enumerate(value)]
        case ast.Name(id="dict") if isinstance(value, Mapping):
            return {_key(key): _fit_anything(item, f"{where}{key!r} ") for key, item in value.items()}
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, inner])) if isinstance(value, Mapping):
            return {_key(key): _fit(item, inner, f"{where}{key!r} ") for key, item in value.items()}
        case ast.Constant(value=None) if value is None:
            return None
        case ast.Name(id="float") if isinstance(value, int | float) and not isinstance(value, bool):
            return _finite(value, where)
        case ast.Name(id=name) if type(value).__name__ == name and name in ("int", "str", "bool"):
            return value
    text = ast.unparse(kind)
    name = text.partition("[")[0]
    expected = {**_NAMES, "list": "a list", "dict": "a mapping"}[name] + (f", {text}" if name != text else "")
    raise ValueError(f"{where}must be {expected}; got {_short(value)}{_hint(value, name)}")


def _members(kind: ast.expr) -> list[ast.expr]:
    """List the types that `|` joins."""
    return [*_members(kind.left), *_members(kind.right)] if isinstance(kind, ast.BinOp) else [kind]


def _fit_one_of(value: object, kinds: list[ast.expr], where: str) -> object:
    """Fit a value to the first type that takes it, and complain as the first one would."""
    complaints = []
    for kind in kinds:
        try:
            return _fit(value, kind, where)
        except ValueError as complaint:
            complaints.append(str(complaint))
    others = " or ".join(_NAMES.get(ast.unparse(kind), ast.unparse(kind)) for kind in kinds[1:])
    expected, separator, rest = complaints[0].partition("; ")
    raise ValueError(f"{expected} or {others}{separator}{rest}")


def _fit_anything(value: object, where: str) -> object:
    """Fit a value whose type nothing declares: whatever JSON can hold."""
    try:
        kind = "None" if value is None else infer(value)
    except ValueError as error:
        raise ValueError(f"{where}is {_short(value)}: {error}") from None
    return _fit(value, ast.parse(kind, mode="eval").body, where)


def _finite(value: float, where: str) -> float:
    """Return a number as a float, unless it is none of the finite ones."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{where}must be a finite number; got {_short(value)}")
    return number


def _key(key: object) -> str:
    """Return a mapping's key, which JSON and papermill take for text only."""
    if not isinstance(key, str):
        raise ValueError(f"the keys of a mapping must be text; got {_short(key)}; write it in quotes")
    return key


def _short(value: object) -> str:
    """Write a value for a message, cut where it is long."""
    text = written(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _hint(value: object, name: str) -> str:
    """Guess what was meant by a value of the wrong type."""
    if name == "str" and isinstance(value, bool | int | float):
        return f"; for text, quote it: '{written(written(value))}'"
    if name == "list" and not isinstance(value, Mapping) and value is not None:
        return f"; for a list of one, write '{written([value])}'"
    if name == "int" and isinstance(value, float) and value.is_integer():
        return f"; did you mean {value:.0f}?"
    if name == "bool" and isinstance(value, int | str):
        said = dict.fromkeys(("false", "no", "off", "0"), "false") | dict.fromkeys(("true", "yes", "on", "1"), "true")
        meant = said.get(str(value).lower())
        return f"; write {meant}, without quotes" if meant else ""
    if name in ("int", "float") and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return ""
        if not math.isfinite(number):
            return "; it has to be finite"
        if name == "float" or number.is_integer():
            return f"; write {int(number) if name == 'int' else number!r}, without quotes"
    return ""


# PyYAML follows YAML 1.1: 1e-3 is text there, `no` is false, 1:30 is ninety and 2020-01-01 a date.
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def scalar(text: str) -> bool | int | float | str | None:
    """Read one unquoted word by the core schema of YAML 1.2; what is no number, switch or null is text.

    Raises:
        ValueError: an integer of thousands of digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        # Base 0 reads 0o and 0x, but refuses the leading zeros that the schema allows.
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    if _FLOAT.fullmatch(text):
        # Python writes YAML's .inf and .nan without the dot.
        return float(text.replace(".", "", 1) if "n" in text.lower() else text)
    return text


def load(text: str) -> Any:
    """Read one YAML document, or JSON, of null, booleans, numbers, texts, and lists and mappings of these.

    Raises:
        ValueError: it cannot be read, repeats a key, or uses tags or aliases; one line that says where.
    """
    try:
        try:
            # JSON first: PyYAML reads JSON's escapes beyond the basic plane, and control characters, differently.
            return json.loads(text, object_pairs_hook=_pairs)
        except json.JSONDecodeError:
            return yaml.load(text, Loader=_Loader)  # of SafeLoader's kind
    except RecursionError:
        raise ValueError("lists or mappings nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"{error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a mapping of JSON's pairs, which `json` would let repeat."""
    if twice := _repeated([key for key, _ in pairs]):
        raise ValueError(f"the key {twice[0]!r} is given twice")
    return dict(pairs)


def _repeated(names: list[str]) -> list[str]:
    """List the names that stand more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2, and without aliases, tags and repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            # An alias may contain itself, and no parameter needs one.
            raise _refusal("aliases (*name) are not read; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refusal("a key must be a word", key)
            if key.value in seen:
                raise _refusal(f"the key {key.value!r} is given twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _refusal(problem: str, node: yaml.Node | None = None) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark if node else None)


# One implicit tag for every plain scalar: `scalar` above decides, so that a word means the same in a file and in -p.
_PLAIN = "tag:prunelab,2024:plain"
_Loader.yaml_implicit_resolvers = {None: [(_PLAIN, re.compile(""))]}
_Loader.add_constructor(_PLAIN, lambda _, node: scalar(node.value))


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
    code = (cell for cell in nb.cells if cell.cell_type == "code")
    cells = [cell for cell in code if "parameters" in cell.get("metadata", {}).get("tags", [])]
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
    if twice := _repeated([parameter.name for parameter in found]):
        raise ValueError(f"the parameters cell assigns {twice[0]!r} twice; keep one")
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
            given[name] = load(text) if text[0] in "[{\"'" else scalar(text)
        except ValueError as error:
            raise ValueError(f"the value of {name!r} cannot be read: {error}; got {text!r}") from None
    return given


def assignment(name: str, value: object) -> str:
    """Write one parameter as `parse` reads it back, `name=value`."""
    plain = isinstance(value, str) and value == value.strip() and value[:1] not in ("", "[", "{", '"', "'")
    if plain and scalar(str(value)) == value:
        return f"{name}={value}"
    return f"{name}={written(value)}"


def read_file(path: Path) -> dict[str, object]:
    """Read parameters from a YAML 1.2 or JSON file, a mapping of names to values.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or holds something else than such a mapping.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no parameter file {str(path)!r}")
    try:
        values = load(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    values = {} if values is None else values  # an empty file
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
                values[name] = fitted(given[name], parameter.type)
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
        kind = annotated(annotation) if annotation else infer(default)
        if default is not None:
            default = fitted(default, kind)
    except (ValueError, SyntaxError) as error:
        raise ValueError(f"the default of {name!r}: {error}") from None
    return Parameter(name=name, type=kind, default=default, help=comment)


def _comments(source: str) -> dict[int, str]:
    """Map line numbers, from 1, to the comments that end the lines."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT}


def texts(value: object) -> list[str]:
    """List the texts in a value, in order."""
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for item in items for text in texts(item)]


def with_texts(value: Any, replace: Callable[[str], str]) -> Any:
    """Return a value with each of its texts replaced; everything else, names of mappings included, as it is."""
    match value:
        case str():
            return replace(value)
        case list():
            return [with_texts(item, replace) for item in value]
        case Mapping():
            return {key: with_texts(item, replace) for key, item in value.items()}
    return value
