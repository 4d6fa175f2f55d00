"""How the figures on mean replacement name and draw scores, layers and parts, the same in all of them."""

from collections.abc import Mapping

from pandas import DataFrame

from prunelab.figures.style import Line, lines

# Okabe and Ito (2008): told apart with every common colour vision; the marker repeats what the colour says. The dash
# and the filling of the marker are kept for the replacement: solid and filled with it, dashed and open without.
SCORE_LINES: Mapping[str, Line] = {
    **lines("score"),
    "exact": Line(label="exact loss change", colour="#7a7a7a", marker="*"),
}


NO_SCORE = "nothing"  # in tables of tuned nets: nothing was removed


CONTROL_LINE = Line(label="nothing removed", colour="#7a7a7a", marker="", dash=(0, (1, 2)))


REFERENCE = "exact"  # the measured loss change itself, no score


REPLACEMENTS: Mapping[str, str] = {"none": "set to zero", "mean": "replaced by their mean"}


PARTS: Mapping[str, str] = {
    "train": "training examples",
    "validation": "validation examples",
    "test": "test examples",
}


PART_LINES: Mapping[str, Line] = {
    "train": Line(label="training", colour="#0072b2", marker="o"),
    "validation": Line(label="validation", colour="#e69f00", marker="s", dash=(0, (5, 2))),
    "test": Line(label="test", colour="#d55e00", marker="^", dash=(0, (2, 1))),
}


ALL = "all"


ONE = "one at a time"


_GROUPS = {ALL: "all layers at once", ONE: "one layer at a time"}


_KINDS = {"conv": "convolution", "fc": "linear layer"}


_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def line_of(score: str) -> Line:
    """Give a score's line; one that is not known is drawn as the reference is, under its own name."""
    if score == NO_SCORE:
        return CONTROL_LINE
    return SCORE_LINES.get(score, Line(label=score, colour=SCORE_LINES[REFERENCE].colour, marker="p"))


def scores_of(table: DataFrame) -> list[str]:
    """List a table's scores in the order of `SCORE_LINES`, others behind; without what is no removal."""
    found = [str(score) for score in dict.fromkeys(table["score"]) if score != NO_SCORE]
    return [name for name in SCORE_LINES if name in found] + sorted(name for name in found if name not in SCORE_LINES)


def layers_of(table: DataFrame) -> list[str]:
    """List a table's layers from the input on, all at once last."""
    return sorted(map(str, dict.fromkeys(table["layer"])), key=lambda name: (name == ALL, *_place(name)))


def single_layers(table: DataFrame) -> list[str]:
    """List the layers of a table that are pruned alone, from the input on."""
    return [name for name in layers_of(table) if name != ALL]


def second_convolution(table: DataFrame) -> str:
    """Name the layer the source looks at closely: the second convolution, or the last layer of a net without one.

    Raises:
        ValueError: no layer of the table is pruned alone.
    """
    layers = single_layers(table)
    if not layers:
        raise ValueError("a layer is looked at by itself; the table has all layers at once only: prune some alone")
    convolutions = [name for name in layers if name.startswith("conv")]
    return (convolutions or layers)[:2][-1]


def layer_name(layer: str) -> str:
    """Say a layer's name in words: "conv2" is the second convolution."""
    if layer in _GROUPS:
        return _GROUPS[layer]
    word, number = _place(layer)
    if word not in _KINDS or not 1 <= number <= len(_ORDINALS):
        return layer
    return f"{_ORDINALS[number - 1]} {_KINDS[word]}"


def _place(layer: str) -> tuple[str, int]:
    """Split a layer's name into its kind and its number, 0 without one."""
    word = layer.rstrip("0123456789")
    return word, int(layer[len(word) :] or 0)
