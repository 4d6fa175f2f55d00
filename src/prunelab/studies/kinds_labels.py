"""The kinds of pruning function that are compared: what each is, what it needs, and how it is drawn everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pandas import DataFrame

from prunelab.figures import Line

Penalty = Literal["none", "l1", "l2"]
UNITS = "units-"  # before the name of a score in `prunelab.pruning.unit_scores`
REFERENCE = "random"
PLAIN = "magnitude"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of pruning function."""

    line: Line
    ranks_by: str  # what is smallest in what goes first
    penalty: Penalty = "none"  # the net is trained with
    forward: bool = False  # examples are passed through the net to rank or to replace
    backward: bool = False  # gradients are needed

    @property
    def label(self) -> str:
        """Say the kind in a few words."""
        return self.line.label


def _line(label: str, colour: str, marker: str, *, dashed: bool = False) -> Line:
    return Line(label=label, colour=colour, marker=marker, dash=(0, (4, 2)) if dashed else "-")


# Okabe and Ito (2008): told apart with every common colour vision. Kinds that differ in how they sum up share a colour.
KINDS: Mapping[str, Kind] = {
    "magnitude": Kind(line=_line("magnitude", "#0072b2", "o"), ranks_by="|w|"),
    "l1": Kind(line=_line("L1 penalty", "#d55e00", "s"), ranks_by="|w|", penalty="l1"),
    "l2": Kind(line=_line("L2 penalty", "#e69f00", "D"), ranks_by="|w|", penalty="l2"),
    "gradient": Kind(line=_line("gradient (mean)", "#cc79a7", "v"), ranks_by="|mean g|", forward=True, backward=True),
    "gradient-abs": Kind(
        line=_line("gradient (mean size)", "#cc79a7", "<", dashed=True),
        ranks_by="mean |g| of batches",
        forward=True,
        backward=True,
    ),
    "saliency": Kind(
        line=_line("saliency (mean)", "#009e73", "^"), ranks_by="|w · mean g|", forward=True, backward=True
    ),
    "saliency-abs": Kind(
        line=_line("saliency (mean size)", "#009e73", ">", dashed=True),
        ranks_by="|w| · mean |g| of batches",
        forward=True,
        backward=True,
    ),
    "random": Kind(line=_line("random", "#000000", "X"), ranks_by="a random number"),
    "units-norm": Kind(line=_line("units by norm", "#7a7a7a", "p"), ranks_by="‖w‖² / fan-in of a unit", forward=True),
    "units-mrs-abs": Kind(
        line=_line("units by mean replacement", "#56b4e9", "P"),
        ranks_by="mean |(ā − a) · g| of a unit",
        forward=True,
        backward=True,
    ),
    "units-random": Kind(
        line=_line("units at random", "#000000", "x", dashed=True), ranks_by="a random number of a unit", forward=True
    ),
}
RETRAINED_NAMES = {False: "one-shot", True: "retrained"}


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse kinds that are not known.

    Raises:
        ValueError: none, one twice, or an unknown one.
    """
    if not kinds or len(set(kinds)) != len(kinds) or not set(kinds) <= set(KINDS):
        odd = [kind for kind in kinds if kind not in KINDS] or list(kinds)
        raise ValueError(f"kinds are some of {', '.join(KINDS)}, each once; got {odd}")


def kinds_in(table: DataFrame) -> list[str]:
    """List the kinds of a table in the order of `KINDS`."""
    found = set(table["kind"])
    return [kind for kind in KINDS if kind in found]


def whole_units(kind: str) -> bool:
    """Say whether a kind removes units rather than single weights."""
    return kind.startswith(UNITS)
