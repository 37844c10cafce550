"""Shapes without columns, painted one by one: rods, discs and the parts of lines, and convex polygons.

Each is given by places in pixels from the field's centre. Sines and the like are taken by the caller and rounded
(`rounded`); here is basic arithmetic and square roots alone, so that machines agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled
from stemscan.types import Image

__all__ = ["PROFILES", "Rods", "paint_polygons", "paint_rods", "rounded"]

PROFILES: Final = ("flat", "dome", "bell", "hollow")
"""Brightness across a rod or disc: even, that of a solid body seen through, smooth without an edge, that of a tube."""

_ROUNDING = 2.0**20


@dataclass(frozen=True)
class Rods:
    """Straight pieces with round ends; those of no length are discs.

    Parameters
    ----------
    ends : float64 (n, 4)
        Row and column of the one end, row and column of the other.
    radii : float64 (n, 2)
        At both ends.
    amounts : float64 (n,)
        Brightness.
    """

    ends: NDArray[np.float64]
    radii: NDArray[np.float64]
    amounts: NDArray[np.float64]


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values that are the same on every machine."""
    return np.asarray(np.rint(values * _ROUNDING) / _ROUNDING)


def paint_rods(rods: Rods, profile: str, edge: float, field: Image, *, union: bool) -> None:
    """Paint rods into a field.

    Parameters
    ----------
    profile : str
        In `PROFILES`.
    edge : float
        Half width of the rim in pixels.
    field : float32 (H, W)
        Changed in place.
    union : bool
        True where the brightest of overlapping ones counts; else they add.
    """
    centre = np.array([(size - 1) / 2 for size in field.shape] * 2)
    _rods(rods.ends + centre, rods.radii, rods.amounts, PROFILES.index(profile), edge, union, field)


def paint_polygons(
    places: NDArray[np.float64],
    normals: NDArray[np.float64],
    distances: NDArray[np.float64],
    amounts: NDArray[np.float64],
    edge: float,
    field: Image,
) -> None:
    """Add convex polygons to a field.

    Parameters
    ----------
    places : float64 (n, 2)
        Their middles.
    normals : float64 (n, k, 2)
        Of their sides, outwards.
    distances : float64 (n, k)
        Of their sides from the middle.
    amounts : float64 (n,)
    edge : float
        Half width of the rim in pixels.
    field : float32 (H, W)
        Changed in place.
    """
    centre = np.array([(size - 1) / 2 for size in field.shape])
    _polygons(places + centre, normals, distances, amounts, edge, field)


@compiled(inline=True)
def _rim(depth: float, edge: float) -> float:
    """Smooth step from 0 to 1 over the rim."""
    t = min(max(0.5 + 0.5 * depth / edge, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@compiled(inline=True)
def _across(distance: float, radius: float, profile: int, edge: float) -> float:
    """Brightness at a distance from the axis."""
    rim = _rim(radius - distance, edge)
    if profile == 0:
        return rim
    u = (distance / radius) ** 2
    if profile == 1:
        return rim * math.sqrt(max(1.0 - u, 0.04))
    if profile == 2:
        bell = max(1.0 - u / 2.0, 0.0)
        return bell * bell * bell
    wall = math.sqrt(max(1.0 - u, 0.0)) - 0.75 * math.sqrt(max(1.0 - u / 0.5625, 0.0))
    return rim * wall / 0.67


@compiled()
def _rods(
    ends: NDArray[np.float64],
    radii: NDArray[np.float64],
    amounts: NDArray[np.float64],
    profile: int,
    edge: float,
    union: bool,
    field: Image,
) -> None:
    """Paint rods; `ends` in pixels of the field."""
    rows, columns = field.shape
    for n in range(amounts.size):
        y, x = ends[n, 0], ends[n, 1]
        down, right = ends[n, 2] - y, ends[n, 3] - x
        square = down * down + right * right
        reach = max(radii[n, 0], radii[n, 1]) * (1.5 if profile == 2 else 1.0) + edge
        top, bottom = max(0, int(min(y, y + down) - reach)), min(rows - 1, int(max(y, y + down) + reach) + 1)
        left, right_end = max(0, int(min(x, x + right) - reach)), min(columns - 1, int(max(x, x + right) + reach) + 1)
        for row in range(top, bottom + 1):
            for column in range(left, right_end + 1):
                a, b = row - y, column - x
                along = min(max((a * down + b * right) / square, 0.0), 1.0) if square > 0 else 0.0
                radius = radii[n, 0] + along * (radii[n, 1] - radii[n, 0])
                distance = math.sqrt((a - along * down) ** 2 + (b - along * right) ** 2)
                value = np.float32(amounts[n] * _across(distance, radius, profile, edge))
                field[row, column] = max(field[row, column], value) if union else field[row, column] + value


@compiled()
def _polygons(
    places: NDArray[np.float64],
    normals: NDArray[np.float64],
    distances: NDArray[np.float64],
    amounts: NDArray[np.float64],
    edge: float,
    field: Image,
) -> None:
    """Add polygons; places in pixels of the field. Corners are at most twice as far as the farthest side."""
    rows, columns = field.shape
    for n in range(amounts.size):
        reach = 2.0 * distances[n].max() + edge
        y, x = places[n, 0], places[n, 1]
        for row in range(max(0, int(y - reach)), min(rows - 1, int(y + reach) + 1) + 1):
            for column in range(max(0, int(x - reach)), min(columns - 1, int(x + reach) + 1) + 1):
                depth = reach
                for k in range(distances.shape[1]):
                    away = (row - y) * normals[n, k, 0] + (column - x) * normals[n, k, 1]
                    depth = min(depth, distances[n, k] - away)
                if depth > -edge:
                    field[row, column] += np.float32(amounts[n] * _rim(depth, edge))
