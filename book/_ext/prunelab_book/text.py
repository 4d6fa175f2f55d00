"""Numbers as the pages print them."""

from collections.abc import Mapping
from typing import Any

SPACE = "\N{NO-BREAK SPACE}"


def number(value: float, digits: int) -> str:
    """A number with thousands separated by commas, a real minus sign and a fixed number of decimals."""
    text = f"{value:,.{digits}f}"
    if not any(character in "123456789" for character in text):
        text = text.removeprefix("-")  # no "-0.0"
    return text.replace("-", "\N{MINUS SIGN}")


def quantity(entry: Mapping[str, Any]) -> str:
    """The value of a values.json entry with its unit: "47.3 %"."""
    text = number(entry["value"], entry.get("digits", 2))
    unit = entry.get("unit") or ""
    return f"{text}{SPACE}{unit}" if unit else text


def estimate(entry: Mapping[str, Any]) -> str:
    """The same with its interval and number of seeds: "47.3 % (95 % interval 46.1 to 48.5, 5 seeds)"."""
    return (
        f"{quantity(entry)} ({interval(entry.get('low'), entry.get('high'), entry.get('digits', 2), entry.get('n'))})"
    )


def interval(low: float | None, high: float | None, digits: int, seeds: int | None) -> str:
    """What is known of an interval: "95 % interval 46.1 to 48.5, 5 seeds"."""
    known = low is not None and high is not None
    spread = f"95{SPACE}% interval {number(low, digits)} to {number(high, digits)}" if known else "no interval"
    if seeds is None:
        return spread
    return f"{spread}, {seeds} seed{'' if seeds == 1 else 's'}"


def duration(seconds: float) -> str:
    """Wall time: "4.2 s", "3 min 20 s", "1 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.1f}{SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{SPACE}min {rest}{SPACE}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{SPACE}h {minutes}{SPACE}min"


def memory(size: float) -> str:
    """Bytes in binary units: "512 MiB", "1.4 GiB"."""
    mebibytes = size / 2**20
    return f"{mebibytes:.0f}{SPACE}MiB" if mebibytes < 1000 else f"{mebibytes / 1024:.1f}{SPACE}GiB"


def plain(value: Any) -> str:
    """A parameter or a published fact on one line: lists by commas, mappings as "key: value"."""
    if isinstance(value, Mapping):
        return "; ".join(f"{str(key).replace('_', ' ')} {plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    return "none" if value is None else str(value)
