"""Numbers as the pages print them."""

import math
import re
from collections.abc import Mapping
from typing import Any

from prunelab.claims import Case

SPACE = "\N{NO-BREAK SPACE}"


def number(value: float, digits: int) -> str:
    """A number with thousands separated by commas, a real minus sign and a fixed number of decimals."""
    text = f"{value:,.{digits}f}"
    if not any(character in "123456789" for character in text):
        text = text.removeprefix("-")  # no "-0.0"
    return text.replace("-", "\N{MINUS SIGN}")


def quantity(entry: Mapping[str, Any]) -> str:
    """A number with its unit: "47.3 %"."""
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


def compact(entry: Mapping[str, Any]) -> str:
    """The same for a table whose header says what the brackets are: "47.3 % (46.1 to 48.5)"."""
    low, high, digits = entry.get("low"), entry.get("high"), entry.get("digits", 2)
    known = low is not None and high is not None
    return quantity(entry) + (f" ({number(low, digits)} to {number(high, digits)})" if known else " (no interval)")


def effect(case: Case) -> str:
    """What a rule measured in one case, to the digits that its interval warrants."""
    digits = decimals(case.effect, case.low, case.high)
    value = {"value": case.effect, "low": case.low, "high": case.high, "unit": case.unit, "digits": digits}
    return estimate({**value, "n": case.n_seeds})


def decimals(value: float, low: float | None, high: float | None) -> int:
    """Decimals that show two digits of an interval's half width; three digits of the value where there is none."""
    half = (high - low) / 2 if low is not None and high is not None else 0.0
    scale, digits = (half, 2) if half > 0 else (abs(value), 3)
    least = 1 if scale < 100 else 0
    return min(4, max(least, digits - 1 - math.floor(math.log10(scale)))) if scale > 0 else 0


def tight(prose: str) -> str:
    """Prose out of a file as a page sets it: no line break before a unit, a real minus sign."""
    prose = re.sub(r"(?<=\d) (?=%)", SPACE, prose)
    return re.sub(r"(?<![\w.])-(?=\d)|(?<= )-(?= )", "\N{MINUS SIGN}", prose)


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


# What a pair of numbers stands for in a study's published facts.
PAIRS = {"sparseness": (f"{SPACE}% sparsity", f"{SPACE}% word error")}


def fact(study: str, published: Mapping[str, Any]) -> str:
    """What a source reports on a claim, in words: "knee sparsity 9.1 %"."""
    return "; ".join(_fact(study, key, value) for key, value in published.items())


def _fact(study: str, key: str, value: Any) -> str:
    """One figure of a source; the end of its name is its unit, and a pair has two."""
    if isinstance(value, list) and study in PAIRS and len(value) == len(PAIRS[study]):
        value = ", ".join(f"{plain(part)}{unit}" for part, unit in zip(value, PAIRS[study], strict=True))
    for end, unit in (("_percent", f"{SPACE}%"), ("_points", f"{SPACE}points")):
        if key.endswith(end):
            key, value = key.removesuffix(end), f"{plain(value)}{unit}"
    words = re.sub(r"\bwer\b", "word error", key.replace("_", " "))
    return f"{words} {plain(value)}"
