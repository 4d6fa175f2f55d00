"""Every kind of pruning in one list: its name and label, what it ranks by, what it needs, and how it is drawn.

Parameters, tables, figures and pages read this list, and a name that is not on it is refused. A new kind is its score
and its entry, both here; scores with a use of their own stand in `criteria`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal, NamedTuple

from prunelab.pruning.criteria import (
    gradient,
    lamp,
    magnitude,
    negative,
    positive,
    random,
    saliency,
    unit_activation,
    unit_norm,
    unit_random,
    unit_replacement,
    unit_replacement_size,
    unit_taylor,
    unit_taylor_size,
)
from prunelab.pruning.thresholds import by_sensitivity, in_deviations

Role = Literal["kind", "sign", "method", "budget", "family", "score"]  # the parameter that names it
Need = Literal["weights", "gradients", "gradient sizes", "activations", "curves", "loss", "chance"]
Penalty = Literal["none", "l1", "l2"]
Share = Literal["all layers", "each layer", "each sign", "erk"]


class Look(NamedTuple):
    """How a kind is drawn in every figure."""

    colour: str
    marker: str
    dash: str | tuple[int, tuple[int, ...]] = "-"


@dataclass(frozen=True)
class Kind:
    """One kind of pruning."""

    name: str  # in parameters and tables
    label: str  # in figures and on pages
    ranks_by: str  # what is smallest in what goes first: w weight, g gradient, a activation, ā its mean
    score: Callable[..., Any]  # what it needs, in that order -> scores, higher = kept
    look: Look
    needs: tuple[Need, ...] = ("weights",)
    _: KW_ONLY
    penalty: Penalty = "none"  # that the net is trained with
    units: str = ""  # the score of whole units it ranks by; empty where single weights go
    share: Share = "all layers"  # ranked together; or the same fraction of each layer, or of each of its signs; or ERK

    @property
    def backward(self) -> bool:
        """Say whether gradients are needed."""
        return any(need in self.needs for need in ("gradients", "gradient sizes"))

    @property
    def forward(self) -> bool:
        """Say whether examples are passed through the net, to rank or to replace units by their means."""
        return self.backward or bool(self.units)

    def scores(self, evidence: Mapping[Need, Callable[[], Any]]) -> Any:
        """Score what can be removed.

        Args:
            evidence: need -> what gives it; called only for what is needed.

        Returns:
            Of single weights, parameter name -> scores; of units, the (U,) scores of one layer. Higher is kept.

        Raises:
            ValueError: something needed is not given, or what the score refuses.
        """
        if missing := [need for need in self.needs if need not in evidence]:
            raise ValueError(f"{self.name} needs {', '.join(missing)}; given are {', '.join(evidence)}")
        return self.score(*(evidence[need]() for need in self.needs))


_LONG, _MIDDLE, _SHORT, _MIXED = (0, (5, 2)), (0, (4, 2)), (0, (2, 1)), (0, (4, 1, 1, 1))

# Colours are those of Okabe and Ito (2008), told apart with every common colour vision. Marker and dash repeat what the
# colour says; kinds that differ in how they sum up share a colour.
_ABS = Kind("abs", "both signs (abs, one threshold)", "|w|", magnitude, Look("#0072b2", "o"))

_UNIT_SCORES = (
    Kind("random", "random", "a random number of a unit", unit_random, Look("#000000", "X"), ("weights", "chance")),
    Kind("norm", "norm", "‖w‖² / fan-in of a unit", unit_norm, Look("#e69f00", "s")),
    Kind("activation", "activation", "mean |a| of a unit", unit_activation, Look("#009e73", "D"), ("activations",)),
    Kind("taylor", "signed Taylor", "mean −a · g of a unit", unit_taylor, Look("#56b4e9", "v"), ("gradients",)),
    Kind(
        "taylor-abs",
        "absolute Taylor",
        "mean |a · g| of a unit",
        unit_taylor_size,
        Look("#0072b2", "^"),
        ("gradients",),
    ),
    Kind(
        "mrs",
        "signed MRS",
        "mean (ā − a) · g of a unit",
        unit_replacement,
        Look("#cc79a7", "P"),
        ("activations", "gradients"),
    ),
    Kind(
        "mrs-abs",
        "absolute MRS",
        "mean |(ā − a) · g| of a unit",
        unit_replacement_size,
        Look("#d55e00", "o"),
        ("activations", "gradients"),
    ),
)

_UNITS = {kind.name: replace(kind, units=kind.name) for kind in _UNIT_SCORES}

KINDS: Mapping[Role, tuple[Kind, ...]] = {
    # Those that the comparison of kinds knows.
    "kind": (
        Kind("magnitude", "magnitude", "|w|", magnitude, Look("#0072b2", "o")),
        Kind("l1", "L1 penalty", "|w|", magnitude, Look("#d55e00", "s"), penalty="l1"),
        Kind("l2", "L2 penalty", "|w|", magnitude, Look("#e69f00", "D"), penalty="l2"),
        Kind("gradient", "gradient (mean)", "|mean g|", gradient, Look("#cc79a7", "v"), ("gradients",)),
        Kind(
            "gradient-abs",
            "gradient (mean size)",
            "mean |g| of batches",
            gradient,
            Look("#cc79a7", "<", _MIDDLE),
            ("gradient sizes",),
        ),
        Kind("saliency", "saliency (mean)", "|w · mean g|", saliency, Look("#009e73", "^"), ("weights", "gradients")),
        Kind(
            "saliency-abs",
            "saliency (mean size)",
            "|w| · mean |g| of batches",
            saliency,
            Look("#009e73", ">", _MIDDLE),
            ("weights", "gradient sizes"),
        ),
        Kind("random", "random", "a random number", random, Look("#000000", "X"), ("weights", "chance")),
        replace(_UNITS["norm"], name="units-norm", label="units by norm", look=Look("#7a7a7a", "p")),
        replace(_UNITS["mrs-abs"], name="units-mrs-abs", label="units by mean replacement", look=Look("#56b4e9", "P")),
        replace(_UNITS["random"], name="units-random", label="units at random", look=Look("#000000", "x", _MIDDLE)),
    ),
    # Which weights below a threshold go.
    "sign": (
        _ABS,
        Kind("positive", "positive only", "w above 0", positive, Look("#d55e00", "^", _LONG)),
        Kind("negative", "negative only", "|w| below 0", negative, Look("#009e73", "v", _SHORT)),
    ),
    # How a fraction of all weights is removed.
    "method": (
        Kind(
            "percentile",
            "same percentile of each layer and sign",
            "|w|",
            magnitude,
            Look("#cc79a7", "s", _MIXED),
            share="each sign",
        ),
        _ABS,
    ),
    # How a number of weights kept is shared among layers.
    "budget": (
        Kind("global", "one global threshold", "|w|", magnitude, Look("#0072b2", "o")),
        Kind(
            "layer",
            "the same fraction of each layer",
            "|w|",
            magnitude,
            Look("#d55e00", "^", _LONG),
            share="each layer",
        ),
        Kind("erk", "ERK", "|w|", magnitude, Look("#009e73", "v", _SHORT), share="erk"),
        Kind("lamp", "LAMP", "w² / Σ of squares as large", lamp, Look("#cc79a7", "D", _MIXED)),
    ),
    # What a threshold is searched on.
    "family": (
        Kind("global", "one threshold", "|w|", magnitude, Look("#0072b2", "o")),
        Kind("quality", "quality × deviation of each layer", "|w| / σ", in_deviations, Look("#d55e00", "^")),
        Kind(
            "sensitivity",
            "by sensitivity of the layers",
            "rise of the loss per weight",
            by_sensitivity,
            Look("#009e73", "s"),
            ("weights", "curves", "loss"),
        ),
        replace(
            _UNITS["mrs-abs"], name="units", label="whole units, replaced by their means", look=Look("#cc79a7", "D")
        ),
    ),
    # What whole units are ranked by.
    "score": tuple(_UNITS.values()),
}


def named(role: Role) -> dict[str, Kind]:
    """List the kinds that a parameter may name, in the order of the list."""
    return {kind.name: kind for kind in KINDS[role]}


def find(role: Role, name: str) -> Kind:
    """Look one up.

    Raises:
        ValueError: the name is not on the list.
    """
    known = named(role)
    if name not in known:
        raise ValueError(f"a {role} is one of {', '.join(known)}; got {name!r}")
    return known[name]


def check_names(role: Role, names: Sequence[str], *, also: tuple[str, ...] = ()) -> None:
    """Refuse names that are not on the list.

    Args:
        role: the parameter.
        names: those asked for.
        also: names beside the list that the parameter takes.

    Raises:
        ValueError: no name, one twice, or an unknown one.
    """
    known = (*named(role), *also)
    if not names or len(set(names)) != len(names) or not set(names) <= set(known):
        odd = [name for name in names if name not in known] or list(names)
        raise ValueError(f"{role}s are some of {', '.join(known)}, each once; got {odd}")
