"""Labels for points that stand close together: each beside its point, none on another."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from prunelab.figures.lines import INK, MUTED

_DIRECTIONS = 16
_REACHES = (8, 14, 22, 30, 40, 52, 66)  # typographic points between a point and the middle of its label's near side
_OVER = 4.0  # what covering costs, beside a line across a point
_POINT = 4.0  # half the side of a drawn point, typographic points


def place_labels(
    axis: Axes, spots: Sequence[tuple[float, float, str]], *, keep_clear: Sequence[tuple[float, float]] = ()
) -> None:
    """Write each point's label at the nearest free place around it, joined to it by a thin line.

    Labels are placed one after another, dense neighbourhoods first, on places that cover no point and no label placed
    before. Where every place is taken, the label goes where it covers least.

    Args:
        axis: with its final limits.
        spots: x, y and label of each point, in the axis's data.
        keep_clear: x and y of other points that labels must not cover.
    """
    if not spots:
        return
    figure = axis.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # settles the layout, and with it what a data unit comes to
    scale = figure.dpi / 72  # pixels of a typographic point
    pixels, others = (
        [(float(x), float(y)) for x, y in map(axis.transData.transform, places)]
        for places in ([(x, y) for x, y, _ in spots], keep_clear)
    )
    taken = [_box(x, y, 2 * _POINT * scale, 2 * _POINT * scale) for x, y in [*pixels, *others]]
    order = sorted(range(len(spots)), key=lambda i: sum(math.dist(pixels[i], other) for other in pixels))
    for i in order:
        text = axis.annotate(
            spots[i][2],
            spots[i][:2],
            (0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3},
        )
        extent = text.get_window_extent()
        width, height = extent.width + 3 * scale, extent.height + 2 * scale
        # A line may cross the curve, not what is named: it would seem to name that.
        named = [
            box for box in taken[: len(pixels)] + taken[len(pixels) + len(others) :] if not box.contains(*pixels[i])
        ]
        best, least = _box(*pixels[i], width, height), math.inf
        for box in _places(pixels[i], width, height, scale):
            cost = _OVER * _cost(box, taken, axis.bbox) + _crossed(pixels[i], box, named) * width * height
            if cost < least:
                best, least = box, cost
            if not cost:
                break  # nearest first: no later place is better
        middle = ((best.x0 + best.x1) / 2 - pixels[i][0], (best.y0 + best.y1) / 2 - pixels[i][1])
        text.set_position((middle[0] / scale, middle[1] / scale))
        taken.append(best)


def _places(point: tuple[float, float], width: float, height: float, scale: float) -> list[Bbox]:
    """List where a label of this size may stand around a point, the nearest first; all in pixels."""
    (x, y), boxes = point, []
    for reach in _REACHES:
        for step in range(_DIRECTIONS):
            angle = 2 * math.pi * step / _DIRECTIONS
            side = math.copysign(min(1.0, 2 * abs(math.cos(angle))), math.cos(angle))
            across = reach * scale * math.cos(angle) + width / 2 * side
            up = reach * scale * math.sin(angle) + height / 2 * math.sin(angle)
            boxes.append(_box(x + across, y + up, width, height))
    return boxes


def _cost(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> float:
    """Give the area a place covers of what is there, or leaves hanging out of the axes."""
    within = Bbox.intersection(box, inside)
    outside = box.width * box.height - (within.width * within.height if within else 0.0)
    shared = (Bbox.intersection(box, other) for other in taken)
    return round(outside + sum(part.width * part.height for part in shared if part), 6)


def _crossed(point: tuple[float, float], box: Bbox, others: Sequence[Bbox]) -> int:
    """Count the other points and labels on the line from a point to the middle of its label."""
    middle = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    along = [
        (point[0] + part / 20 * (middle[0] - point[0]), point[1] + part / 20 * (middle[1] - point[1]))
        for part in range(1, 20)
    ]
    return sum(any(other.contains(*place) for place in along) for other in others)


def _box(x: float, y: float, width: float, height: float) -> Bbox:
    return Bbox.from_bounds(x - width / 2, y - height / 2, width, height)
