"""Names beside the points of a figure, where they cover neither a point nor each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SIDES", "name_points", "sides_with_room"]

_SIZE: Final = 7.5
_MARKER: Final = 5.0  # half of a marker's side

SIDES: Final = (
    (0, 12, "center"),
    (0, -12, "center"),
    (9, 0, "left"),
    (-9, 0, "right"),
    (0, 24, "center"),
    (0, -24, "center"),
)
"""Offsets of a name's middle from its point in typographic points, and its alignment; the first with room serves."""

Box = tuple[float, float, float, float]


def name_points(ax: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write names beside points.

    Parameters
    ----------
    ax : Axes
        Of a figure whose layout is done.
    points : mapping of str to (float, float)
        In the axes' data units.
    """
    scale = 72 / ax.figure.dpi
    places = [tuple(ax.transData.transform(point) * scale) for point in points.values()]
    for name, side in zip(points, sides_with_room(list(points), places), strict=True):
        right, up, aligned = SIDES[side]
        ax.annotate(
            name, points[name], (right, up), textcoords="offset points", fontsize=_SIZE, ha=aligned, va="center"
        )


def sides_with_room(names: Sequence[str], places: Sequence[tuple[float, ...]]) -> list[int]:
    """For each name, which of `SIDES` has room for it; the first where none has.

    Parameters
    ----------
    places : sequence of (float, float)
        Their points, in typographic points.

    Examples
    --------
    >>> sides_with_room(["low", "high"], [(50, 50), (50, 60)])
    [1, 0]
    """
    taken = [(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in places]
    chosen = []
    for name, (x, y) in zip(names, places, strict=True):
        boxes = [_box(name, x + right, y + up, aligned) for right, up, aligned in SIDES]
        free = [not any(_overlap(box, other) for other in taken) for box in boxes]
        chosen.append(free.index(True) if any(free) else 0)
        taken.append(boxes[chosen[-1]])
    return chosen


def _box(name: str, x: float, y: float, aligned: str) -> Box:
    """About what a name covers: left, bottom, right, top."""
    width, height = 0.55 * _SIZE * len(name), 1.2 * _SIZE
    left = x - {"center": 0.5, "left": 0.0, "right": 1.0}[aligned] * width
    return left, y - height / 2, left + width, y + height / 2


def _overlap(one: Box, other: Box) -> bool:
    """Tell whether two boxes share anything."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
