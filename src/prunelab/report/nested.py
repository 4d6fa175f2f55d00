"""The texts anywhere in a parameter's value: inside lists and mappings too."""

from collections.abc import Callable, Mapping
from typing import Any


def texts(value: object) -> list[str]:
    """List the texts in a value, in order."""
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in texts(item)]
        case Mapping():
            return [text for item in value.values() for text in texts(item)]
    return []


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
