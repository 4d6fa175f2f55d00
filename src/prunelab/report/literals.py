"""Types of parameters, as text like "list[float]" or "int | None", and the values that fit them."""

import ast
import json
import math
from collections.abc import Mapping

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
    if isinstance(kind, ast.BinOp):
        return [*_members(kind.left), *_members(kind.right)]
    return [kind]


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
        said = {"false": "false", "no": "false", "off": "false", "0": "false"} | dict.fromkeys(
            ("true", "yes", "on", "1"), "true"
        )
        meant = said.get(str(value).lower())
        return f"; write {meant}, without quotes" if meant else ""
    if name in ("int", "float") and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return ""
        if name == "float" or number.is_integer():
            return f"; write {int(number) if name == 'int' else number!r}, without quotes"
    return ""
