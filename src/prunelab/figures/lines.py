"""What a curve looks like: colours that everyone can tell apart, markers and dashes that say the same again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from prunelab.pruning.kinds import Role, named

Dash = str | tuple[int, tuple[int, ...]]

INK, MUTED = "#222222", "#6b6b6b"
# Okabe and Ito (2008): told apart with every common colour vision. Marker and dash repeat what the colour says.
BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, GREY, BLACK = "#e69f00", "#56b4e9", "#7a7a7a", "#000000"

LONG, SHORT, MIXED = (0, (5, 2)), (0, (2, 1)), (0, (4, 1, 1, 1))
DASHED = (0, (4, 2))  # the other of two ways of one thing
DOTTED = (0, (1, 2))  # what others are held against


@dataclass(frozen=True, kw_only=True)
class Line:
    """How one kind of curve is drawn, the same in every figure."""

    label: str
    colour: str
    marker: str
    dash: Dash = "-"
    hollow: bool = False  # markers

    def look(self, **more: Any) -> dict[str, Any]:
        """Say it to `axis.plot` or `axis.errorbar`; what is said in `more` goes before."""
        filling = "white" if self.hollow else self.colour
        own = {"color": self.colour, "marker": self.marker, "markerfacecolor": filling, "linestyle": self.dash}
        return {**own, "label": self.label, **more}

    def dashed(self, label: str | None = None) -> "Line":
        """Give the other of two ways of one thing: dashed, with hollow markers."""
        return replace(self, dash=DASHED, hollow=True, label=self.label if label is None else label)


_CYCLE: tuple[tuple[str, str, Dash], ...] = (
    (BLUE, "o", "-"),
    (VERMILION, "^", LONG),
    (GREEN, "v", SHORT),
    (PURPLE, "s", MIXED),
    (ORANGE, "D", DASHED),
    (SKY, "P", "-"),
    (GREY, "X", LONG),
    (BLACK, "p", SHORT),
)

# Layers are ordered, so their colours are too: dark to light, still apart in grey.
_FEW: tuple[tuple[str, str, Dash], ...] = (("#00204d", "o", "-"), ("#7c2d6b", "s", LONG), ("#e07b39", "^", SHORT))
# Of seven, where neighbours come close, another marker and another dash.
_SEVEN: tuple[tuple[str, str, Dash], ...] = (
    ("#00204d", "o", "-"),
    ("#1f4e9c", "s", LONG),
    ("#0f8a8a", "^", SHORT),
    ("#7c2d6b", "D", "-"),
    ("#c2477f", "v", LONG),
    ("#e07b39", "P", SHORT),
    ("#b8860b", "X", "-"),
)


def palette(labels: Mapping[str, str]) -> dict[str, Line]:
    """Give each name a line of its own, in the order of the colours.

    Args:
        labels: name -> what a legend says.

    Raises:
        ValueError: more names than can be told apart.
    """
    if len(labels) > len(_CYCLE):
        raise ValueError(
            f"up to {len(_CYCLE)} lines are told apart by colour; got {len(labels)}: say their lines by hand"
        )
    return {
        name: Line(label=label, colour=colour, marker=marker, dash=dash)
        for (name, label), (colour, marker, dash) in zip(labels.items(), _CYCLE, strict=False)
    }


def depths(labels: Mapping[str, str]) -> dict[str, Line]:
    """Give each layer its line, from the input on; beyond seven they begin again.

    Args:
        labels: layer -> what a legend says.
    """
    looks = _FEW if len(labels) <= len(_FEW) else _SEVEN
    return {
        name: Line(label=label, colour=colour, marker=marker, dash=dash)
        for place, (name, label) in enumerate(labels.items())
        for colour, marker, dash in [looks[place % len(looks)]]
    }


def lines(role: Role) -> dict[str, Line]:
    """Give the line of each kind that a parameter may name, in the order of the list of kinds."""
    return {
        name: Line(label=kind.label, colour=kind.look.colour, marker=kind.look.marker, dash=kind.look.dash)
        for name, kind in named(role).items()
    }


METHODS: Mapping[str, Line] = lines("sign") | lines("method")
