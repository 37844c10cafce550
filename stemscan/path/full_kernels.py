"""Compiled: expansion of patterns that visit every pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from stemscan.path.permutation import domain, permute
from stemscan.path.traversal import Positions, walk_band
from stemscan.runtime.compiled import compiled

__all__ = ["expand_bands", "expand_random", "expand_steps"]


@compiled()
def expand_bands(
    shape: tuple[int, int], tile: tuple[int, int], order: int, band: int, skip: int, out: Positions
) -> None:
    """Fill `out` with the points from sample `skip` of a band on."""
    mask = np.ones((tile[0], shape[1]), np.uint8)
    at = 0
    while at < len(out):
        row0 = band * tile[0]
        at = walk_band(mask, min(tile[0], shape[0] - row0), row0, order, tile, skip, out, at)
        band += 1
        skip = 0


@compiled()
def expand_random(shape: tuple[int, int], keys: Any, start: int, out: Positions) -> None:
    """Fill `out` with samples start, start + 1, ... of a random order of all pixels."""
    n = shape[0] * shape[1]
    bits, high_values = domain(n)
    for i in range(len(out)):
        pixel = permute(start + i, n, bits, high_values, keys)
        out[i, 0] = pixel // shape[1]
        out[i, 1] = pixel % shape[1]


@compiled()
def expand_steps(shape: tuple[int, int], step: Any, start: int, out: Positions) -> None:
    """Fill `out` with samples start, start + 1, ... where sample n is the pixel number (step n) mod (rows columns)."""
    pixels = np.uint64(shape[0] * shape[1])
    for i in range(len(out)):
        pixel = np.int64((step * np.uint64(start + i)) % pixels)
        out[i, 0] = pixel // shape[1]
        out[i, 1] = pixel % shape[1]
