"""Smooth fields over the picture: cubic B-splines on a coarse grid of nodes.

Two makers: noise, with a random number at every node (uneven films, strain, speckle), and a deposit, which spreads the
brightness of columns over the nodes (the diffuse background that follows the specimen). Places are (row, column) in
pixels from the field's centre, so that noise stays where it is when the field grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled
from stemscan.simulators.specimens.synthetic.choices import site_normals

__all__ = ["Spline"]

_SPREAD: Final = 151 / 315
"""Mean over all places of the sum of a cubic B-spline's squared weights, in one dimension."""

_OFFSET: Final = 1 << 31


@dataclass(frozen=True)
class Spline:
    """A smooth field.

    Parameters
    ----------
    nodes : float64 (m, n)
    first : tuple of int
        Row and column number of the first node; node (i, j) stands at (i, j) cells from the field's centre.
    cell : float
        Distance of the nodes in pixels.
    """

    nodes: NDArray[np.float64]
    first: tuple[int, int]
    cell: float

    @classmethod
    def noise(cls, key: np.uint64, shape: tuple[int, int], cell: float, margin: float = 0.0) -> Spline:
        """Random field of mean 0 and variance 1 that covers the picture and a margin in pixels."""
        first, counts = _grid(shape, cell, margin)
        i = np.arange(first[0], first[0] + counts[0]) + _OFFSET
        j = np.arange(first[1], first[1] + counts[1]) + _OFFSET
        sites = (i.astype(np.uint64)[:, None] << np.uint64(32)) | j.astype(np.uint64)[None, :]
        nodes = site_normals(key, sites.ravel()).reshape(counts) / _SPREAD
        return cls(nodes, first, cell)

    @classmethod
    def deposit(
        cls,
        rows: NDArray[np.float64],
        columns: NDArray[np.float64],
        amounts: NDArray[np.float64],
        shape: tuple[int, int],
        cell: float,
    ) -> Spline:
        """Amounts per pixel, spread smoothly about where they stand."""
        first, counts = _grid(shape, cell, 2 * cell)
        nodes = np.zeros(counts)
        _deposit(rows / cell - first[0], columns / cell - first[1], amounts / cell**2, nodes)
        return cls(nodes, first, cell)

    def on_grid(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Values at all pixels: float32 of this shape."""
        field = np.empty(shape, np.float32)
        centre = ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
        _fill(
            self.nodes, self.first[0] + centre[0] / self.cell, self.first[1] + centre[1] / self.cell, self.cell, field
        )
        return field

    def at(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at these places, float64; outside the nodes that of the nearest ones."""
        return _read(self.nodes, rows / self.cell - self.first[0], columns / self.cell - self.first[1])


def _grid(shape: tuple[int, int], cell: float, margin: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """First node and number of nodes that cover a field and its margin."""
    first = [math.floor(-(size / 2 + margin) / cell) - 1 for size in shape]
    counts = [math.floor((size / 2 + margin) / cell) + 3 - start for size, start in zip(shape, first, strict=True)]
    return (first[0], first[1]), (counts[0], counts[1])


@compiled(inline=True)
def _weights(t: float) -> tuple[float, float, float, float]:
    """Weights of four neighbouring nodes for a place `t` of the way from the second to the third."""
    s = 1.0 - t
    return (
        s * s * s / 6.0,
        2.0 / 3.0 - t * t * (2.0 - t) / 2.0,
        2.0 / 3.0 - s * s * (2.0 - s) / 2.0,
        t * t * t / 6.0,
    )


@compiled()
def _fill(nodes: NDArray[np.float64], top: float, left: float, cell: float, field: NDArray[np.float32]) -> None:
    """Evaluate at all pixels; pixel (row, column) stands at (row / cell - top, column / cell - left) nodes."""
    rows, columns = field.shape
    count = nodes.shape[1]
    weights = np.empty((4, columns), np.float32)
    base = np.empty(columns, np.int64)
    for column in range(columns):
        place = column / cell - left
        at = min(max(int(np.floor(place)), 1), count - 3)
        base[column] = at - 1
        w = _weights(place - at)
        for k in range(4):
            weights[k, column] = w[k]
    line = np.empty(count, np.float32)
    for row in range(rows):
        place = row / cell - top
        at = min(max(int(np.floor(place)), 1), nodes.shape[0] - 3)
        a = _weights(place - at)
        for j in range(count):
            line[j] = (a[0] * nodes[at - 1, j] + a[1] * nodes[at, j]) + (
                a[2] * nodes[at + 1, j] + a[3] * nodes[at + 2, j]
            )
        for column in range(columns):
            j = base[column]
            field[row, column] = (weights[0, column] * line[j] + weights[1, column] * line[j + 1]) + (
                weights[2, column] * line[j + 2] + weights[3, column] * line[j + 3]
            )


@compiled()
def _read(nodes: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate at places given in nodes."""
    values = np.empty(rows.size)
    m, n = nodes.shape
    for k in range(rows.size):
        row = min(max(rows[k], 1.0), m - 2.0)
        column = min(max(columns[k], 1.0), n - 2.0)
        i = min(int(row), m - 3)
        j = min(int(column), n - 3)
        a = _weights(row - i)
        b = _weights(column - j)
        total = 0.0
        for p in range(4):
            for q in range(4):
                total += a[p] * b[q] * nodes[i + p - 1, j + q - 1]
        values[k] = total
    return values


@compiled()
def _deposit(
    rows: NDArray[np.float64], columns: NDArray[np.float64], amounts: NDArray[np.float64], nodes: NDArray[np.float64]
) -> None:
    """Add amounts at places given in nodes; what stands outside is left out."""
    m, n = nodes.shape
    for k in range(rows.size):
        i = int(np.floor(rows[k]))
        j = int(np.floor(columns[k]))
        if i < 1 or j < 1 or i > m - 3 or j > n - 3:
            continue
        a = _weights(rows[k] - i)
        b = _weights(columns[k] - j)
        for p in range(4):
            for q in range(4):
                nodes[i + p - 1, j + q - 1] += a[p] * b[q] * amounts[k]
