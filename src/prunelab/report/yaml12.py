"""YAML as version 1.2 and JSON read it, where `1e-3` is a number and `no` is a word."""

import json
import re
from typing import Any

import yaml

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
    """Read one YAML document, or JSON.

    Returns:
        None, booleans, integers, floats, texts, and lists and mappings of these.

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
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return mapping


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2, and without aliases, tags and repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            # An alias may contain itself, and no parameter needs one.
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not read; write the value out", None
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _plain(loader: _Loader, node: yaml.ScalarNode) -> bool | int | float | str | None:
    """Construct an unquoted scalar."""
    return scalar(node.value)


# One implicit tag for every plain scalar: `scalar` above decides, so that a word means the same in a file and in -p.
_PLAIN = "tag:prunelab,2024:plain"
_Loader.yaml_implicit_resolvers = {None: [(_PLAIN, re.compile(""))]}
_Loader.add_constructor(_PLAIN, _plain)
