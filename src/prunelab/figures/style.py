"""The kit under its former names."""

from functools import partial

from prunelab.figures.curves import band as curve
from prunelab.figures.layout import grid, legend
from prunelab.figures.lines import INK, METHODS, MUTED, Line, depths, lines
from prunelab.figures.saving import Saved, save
from prunelab.figures.saving import drawing as style

DEPTHS = tuple(depths({"a": "", "b": "", "c": ""}).values())
panels = partial(grid, same=False)

__all__ = ["DEPTHS", "INK", "METHODS", "MUTED", "Line", "Saved", "curve", "legend", "lines", "panels", "save", "style"]
